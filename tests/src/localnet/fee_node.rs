//! One node whose blocks have a base fee and whose pool keeps what no block takes: geth's developer chain, or anvil.
//!
//! On geth a block takes nothing whose tip is below [`FeeNode::GETH_TIP_WEI`], so that what pays less stays in the pool
//! for as long as nothing dearer takes its place; its blocks come every second. Anvil's blocks come when they are asked
//! for. Neither has peers: geth's developer chain opens no port for any.

use std::time::Duration;

use serde_json::json;

use super::process::{Node, Spec};
use super::workdir::Workdir;
use super::{build, ports, wait_until, LocalnetError, Rpc};

/// How long a start or a block may take, in seconds; generous for loaded machines.
const PATIENCE_SECONDS: u64 = 120;
/// What an account gets: a thousand ether, in wei.
const GRANT_WEI: &str = "0x3635c9adc5dea00000";

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Kind {
    Geth,
    Anvil,
}

/// A running node; it dies with this.
#[derive(Debug)]
pub struct FeeNode {
    // Before the folder, so that the node is dead when it goes.
    node: Node,
    rpc: Rpc,
    kind: Kind,
    _dir: Workdir,
}

impl FeeNode {
    /// Least tip of a transaction that geth's blocks take, in wei a unit of gas: a gwei.
    pub const GETH_TIP_WEI: u64 = 1_000_000_000;

    /// geth with a block a second.
    ///
    /// # Errors
    /// When it cannot be built, started, or does not make a block in time.
    pub fn geth() -> Result<Self, LocalnetError> {
        let program = build::ensure_geth()?;
        let dir = Workdir::new("geth")?;
        let http = ports::reserve(2)?.release();
        let [port, engine_port] = http.as_slice() else {
            return Err(LocalnetError::answer("two ports", http.len()));
        };
        let flags = format!(
            "--dev --dev.period 1 --miner.gasprice {} --nat none --nodiscover --maxpeers 0 --ipcdisable --verbosity 3 \
             --authrpc.addr 127.0.0.1 --authrpc.port {engine_port} --http --http.addr 127.0.0.1 --http.port {port} \
             --http.api eth,net,web3",
            Self::GETH_TIP_WEI
        );
        let mut args: Vec<std::ffi::OsString> = vec!["--datadir".into(), dir.path().join("data").into()];
        args.extend(flags.split_whitespace().map(Into::into));
        Self::start(Kind::Geth, (program, args), *port, dir)
    }

    /// anvil, without a block of its own accord.
    ///
    /// # Errors
    /// When it cannot be fetched or started.
    pub fn anvil() -> Result<Self, LocalnetError> {
        let program = build::ensure_anvil()?;
        let dir = Workdir::new("anvil")?;
        let reserved = ports::reserve(1)?.release();
        let [port] = reserved.as_slice() else { return Err(LocalnetError::answer("a port", reserved.len())) };
        let mut args: Vec<std::ffi::OsString> =
            ["--host", "127.0.0.1", "--no-mining", "--silent", "--port"].map(Into::into).to_vec();
        args.push(port.to_string().into());
        Self::start(Kind::Anvil, (program, args), *port, dir)
    }

    fn start(
        kind: Kind,
        (program, args): (std::path::PathBuf, Vec<std::ffi::OsString>),
        port: u16,
        dir: Workdir,
    ) -> Result<Self, LocalnetError> {
        let name = if kind == Kind::Geth { "geth" } else { "anvil" };
        let log = dir.path().join(format!("{name}.log"));
        let node = Node::start(Spec {
            name: name.to_owned(),
            program,
            args,
            env: Vec::new(),
            log,
            survives_full_disks: false,
        })?;
        let rpc = Rpc::new(format!("http://127.0.0.1:{port}"));
        let node = Self { node, rpc, kind, _dir: dir };
        node.wait("an answer", || Ok(node.height().ok()))?;
        Ok(node)
    }

    fn wait<T>(
        &self,
        what: &str,
        mut look: impl FnMut() -> Result<Option<T>, LocalnetError>,
    ) -> Result<T, LocalnetError> {
        let waited = wait_until(what, Duration::from_secs(PATIENCE_SECONDS), || {
            self.node.check()?;
            look()
        });
        waited.map_err(|error| error.with_detail(|| self.node.last_words()))
    }

    /// A client of it.
    #[must_use]
    pub const fn rpc(&self) -> &Rpc {
        &self.rpc
    }

    /// Its chain id.
    ///
    /// # Errors
    /// When it does not answer.
    pub fn chain_id(&self) -> Result<u64, LocalnetError> {
        self.rpc.call_quantity("eth_chainId", json!([]))
    }

    fn height(&self) -> Result<u64, LocalnetError> {
        self.rpc.call_quantity("eth_blockNumber", json!([]))
    }

    /// Waits until there are so many more blocks; on anvil they are made.
    ///
    /// # Errors
    /// When the node ends, or makes none in time.
    pub fn blocks(&self, count: u64) -> Result<(), LocalnetError> {
        let target = self.height()?.saturating_add(count);
        self.wait("the next blocks", || {
            if self.kind == Kind::Anvil {
                self.rpc.call("evm_mine", json!([]))?;
            }
            Ok((self.height()? >= target).then_some(()))
        })
    }

    /// Gives an account a thousand ether.
    ///
    /// # Errors
    /// When the node refuses, or nothing has arrived in time.
    pub fn fund(&self, address: &str) -> Result<(), LocalnetError> {
        if self.kind == Kind::Anvil {
            return self.rpc.call("anvil_setBalance", json!([address, GRANT_WEI])).map(drop);
        }
        // The developer's account, which geth makes, holds all there is and signs by itself.
        let accounts = self.rpc.call("eth_accounts", json!([]))?;
        let from = accounts.get(0).cloned().ok_or_else(|| LocalnetError::answer("eth_accounts", &accounts))?;
        let tip = format!("{:#x}", 2 * Self::GETH_TIP_WEI);
        let most = format!("{:#x}", 10 * Self::GETH_TIP_WEI);
        let grant = json!([{
            "from": from, "to": address, "value": GRANT_WEI, "maxFeePerGas": most, "maxPriorityFeePerGas": tip,
        }]);
        self.rpc.call("eth_sendTransaction", grant)?;
        self.wait("the grant", || {
            Ok((self.rpc.call("eth_getBalance", json!([address, "latest"]))? == GRANT_WEI).then_some(()))
        })
    }
}
