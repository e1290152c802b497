//! An ibc-go `simd` network (CometBFT consensus).

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use base64::Engine as _;
use serde::Deserialize;
use serde_json::{json, Value};

use super::process::{Node, Spec};
use super::quorum::run;
use super::workdir::Workdir;
use super::{build, ports, seed_of, wait_until, Account, LocalnetError, Rpc};

/// How long a fresh network may take to its first block, in seconds; generous for loaded machines.
const START_SECONDS: u64 = 120;
/// How often a start is tried again when another process took a port.
const START_ATTEMPTS: usize = 3;

/// What network to start.
#[derive(Clone, Debug)]
pub struct SimdOptions {
    /// How many validators.
    pub validators: usize,
    /// Chain id.
    pub chain_id: String,
    /// Pause between a commit and the next block, in milliseconds.
    pub block_time_ms: u64,
    /// Accounts that hold `coins` at genesis; the first is also the delegator behind every validator.
    pub accounts: Vec<Account>,
    /// What each account holds.
    pub coins: String,
    /// Voting power of each validator at the start.
    pub power_each: u64,
    /// Name that the validators' keys are derived from: the same name gives the same validators.
    pub key_seed: String,
}

impl Default for SimdOptions {
    fn default() -> Self {
        Self {
            validators: 1,
            chain_id: "sim-1".to_owned(),
            block_time_ms: 500,
            accounts: Account::defaults(),
            coins: "1000000000000000stake,1000000000000000atoken".to_owned(),
            power_each: 1000,
            key_seed: "catenary simd".to_owned(),
        }
    }
}

/// A validator of the network, with the key that the tests know.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Validator {
    /// Peer id.
    pub node_id: String,
    /// First 20 bytes of the sha256 of the public key, in hex.
    pub consensus_address_hex: String,
    /// Ed25519 public key, in hex.
    pub public_key_hex: String,
    /// `cosmosvaloper1…`, what a delegation names.
    pub operator_address: String,
    /// Ed25519 seed.
    #[serde(default)]
    pub seed: [u8; 32],
}

/// Ports of one node.
#[derive(Clone, Copy, Debug)]
struct NodePorts {
    p2p: u16,
    rpc: u16,
    grpc: u16,
}

/// A running `simd` network; its nodes die with it.
#[derive(Debug)]
pub struct Simd {
    // Before the folder, so that the nodes are dead when it goes.
    nodes: Vec<Node>,
    rpcs: Vec<Rpc>,
    ports: Vec<NodePorts>,
    /// The options it was started with.
    pub options: SimdOptions,
    /// The validators, in node order.
    pub validators: Vec<Validator>,
    dir: Workdir,
}

impl Simd {
    /// Starts a network and waits for block 1.
    ///
    /// # Errors
    /// When the nodes cannot be built, started, or do not make a block in time: the error carries the end of the log.
    pub fn start(options: SimdOptions) -> Result<Self, LocalnetError> {
        let mut attempt = 1;
        loop {
            match Self::try_start(&options) {
                Err(e) if e.is_port_taken() && attempt < START_ATTEMPTS => attempt += 1,
                result => return result,
            }
        }
    }

    fn try_start(options: &SimdOptions) -> Result<Self, LocalnetError> {
        let simd = build::ensure_built()?.simd;
        let dir = Workdir::new("simd")?;
        let validators = generate(&simd, dir.path(), options)?;
        let reserved = ports::reserve(3 * options.validators)?;
        let ports: Vec<NodePorts> =
            reserved.ports().chunks_exact(3).map(|c| NodePorts { p2p: c[0], rpc: c[1], grpc: c[2] }).collect();
        let _ = reserved.release();
        let mut nodes = Vec::new();
        for i in 0..options.validators {
            nodes.push(Node::start(spec(&simd, dir.path(), options, i, &start_flags(i, &validators, &ports)))?);
        }
        let rpcs = ports.iter().map(|p| Rpc::new(format!("http://127.0.0.1:{}", p.rpc))).collect();
        let network = Self { nodes, rpcs, ports, options: options.clone(), validators, dir };
        network.wait_for_height(1, Duration::from_secs(START_SECONDS))?;
        Ok(network)
    }

    /// CometBFT RPC address of node `i`.
    #[must_use]
    pub fn rpc_url(&self, i: usize) -> &str {
        self.rpcs[i].url()
    }

    /// CometBFT RPC addresses of all nodes.
    #[must_use]
    pub fn rpc_urls(&self) -> Vec<String> {
        self.rpcs.iter().map(|r| r.url().to_owned()).collect()
    }

    /// gRPC address of node `i`.
    #[must_use]
    pub fn grpc_url(&self, i: usize) -> String {
        format!("http://127.0.0.1:{}", self.ports[i].grpc)
    }

    /// A small client of node `i`.
    #[must_use]
    pub fn rpc(&self, i: usize) -> &Rpc {
        &self.rpcs[i]
    }

    /// Process id of node `i` while it runs.
    #[must_use]
    pub fn pid(&self, i: usize) -> Option<u32> {
        self.nodes[i].pid()
    }

    /// Asks node `i` to end, and waits for it.
    pub fn stop(&self, i: usize) {
        self.nodes[i].stop();
    }

    /// Kills node `i` at once.
    pub fn kill(&self, i: usize) {
        self.nodes[i].kill();
    }

    /// Freezes node `i`.
    pub fn pause(&self, i: usize) {
        self.nodes[i].pause();
    }

    /// Lets a frozen node `i` go on.
    pub fn resume(&self, i: usize) {
        self.nodes[i].resume();
    }

    /// Starts node `i` again with its old data and ports.
    ///
    /// # Errors
    /// When the program cannot be run.
    pub fn restart(&self, i: usize) -> Result<(), LocalnetError> {
        self.nodes[i].restart()
    }

    /// Highest block of node `i`.
    ///
    /// # Errors
    /// When the node does not answer.
    pub fn height(&self, i: usize) -> Result<u64, LocalnetError> {
        let status = self.rpcs[i].call("status", json!({}))?;
        status["sync_info"]["latest_block_height"]
            .as_str()
            .and_then(|h| h.parse().ok())
            .ok_or_else(|| LocalnetError::answer("status", &status))
    }

    /// Waits until some node's head is at `height` or above, and gives that head.
    ///
    /// # Errors
    /// [`LocalnetError::NodeDied`] when a node ends meanwhile, [`LocalnetError::Timeout`] after `deadline`.
    pub fn wait_for_height(&self, height: u64, deadline: Duration) -> Result<u64, LocalnetError> {
        wait_until(&format!("simd height {height}"), deadline, || {
            self.nodes.iter().try_for_each(Node::check)?;
            let heads = (0..self.nodes.len()).filter(|i| self.pid(*i).is_some()).filter_map(|i| self.height(i).ok());
            Ok(heads.max().filter(|h| *h >= height))
        })
        .map_err(|e| e.with_detail(|| self.nodes.iter().map(Node::last_words).collect()))
    }

    /// Waits until node `i` itself is at `height` or above.
    ///
    /// # Errors
    /// As [`Simd::wait_for_height`].
    pub fn wait_for_node_height(&self, i: usize, height: u64, deadline: Duration) -> Result<u64, LocalnetError> {
        wait_until(&format!("height {height} on simd node {i}"), deadline, || {
            self.nodes[i].check()?;
            Ok(self.height(i).ok().filter(|h| *h >= height))
        })
        .map_err(|e| e.with_detail(|| self.nodes[i].last_words()))
    }

    /// Runs a transaction of the command line client from `from`, without fee, and waits until it is in a block that succeeded.
    /// What is under test builds its transactions itself; this is for setting a scene.
    ///
    /// # Errors
    /// When the client or the chain refuses it, or it is in no block after a minute.
    pub fn tx(&self, from: &Account, args: &[&str]) -> Result<Value, LocalnetError> {
        let home = self.dir.path().join("cli");
        let simd = build::ensure_built()?.simd;
        let keys = |args: &[&str]| {
            let mut c = Command::new(&simd);
            c.args(args).args(["--keyring-backend", "test"]).arg("--home").arg(&home);
            run(&mut c)
        };
        if keys(&["keys", "show", &from.name]).is_err() {
            keys(&["keys", "import-hex", &from.name, &hex::encode(from.private_key)])?;
        }
        let (chain, node) = (self.options.chain_id.as_str(), self.rpc_url(0).replace("http", "tcp"));
        let mut all = vec!["tx"];
        all.extend(args);
        all.extend([
            "--from",
            &from.name,
            "--chain-id",
            chain,
            "--node",
            &node,
            "--gas",
            "2000000",
            "--yes",
            "--output",
            "json",
        ]);
        let text = keys(&all)?;
        let sent: Value =
            serde_json::from_str(&text).map_err(|e| LocalnetError::answer(format!("simd tx ({e})"), &text))?;
        let (Some(0), Some(hash)) = (sent["code"].as_u64(), sent["txhash"].as_str()) else {
            return Err(LocalnetError::answer("simd tx", &sent));
        };
        let bytes = hex::decode(hash).map_err(|_| LocalnetError::answer("transaction hash", hash))?;
        let found = wait_until(&format!("transaction {hash}"), Duration::from_secs(60), || {
            Ok(self.rpcs[0].call("tx", json!({"hash": base64::engine::general_purpose::STANDARD.encode(&bytes)})).ok())
        })?;
        match found["tx_result"]["code"].as_u64() {
            Some(0) => Ok(found),
            _ => Err(LocalnetError::answer("transaction result", &found)),
        }
    }
}

fn generate(simd: &Path, dir: &Path, options: &SimdOptions) -> Result<Vec<Validator>, LocalnetError> {
    let seeds: Vec<[u8; 32]> =
        (0..options.validators).map(|i| seed_of(&format!("{} validator {i}", options.key_seed))).collect();
    let spec = json!({
        "dir": dir, "chain_id": options.chain_id, "power_each": options.power_each,
        "validator_seeds_hex": seeds.iter().map(hex::encode).collect::<Vec<_>>(),
        "accounts": options.accounts.iter().map(|a| json!({"address": a.cosmos_address, "coins": options.coins})).collect::<Vec<_>>(),
    });
    let path = dir.join("spec.json");
    std::fs::write(&path, spec.to_string()).map_err(LocalnetError::io("writing spec.json"))?;
    let text = run(Command::new(simd).arg("localnet").arg(&path))?;
    let mut validators: Vec<Validator> =
        serde_json::from_str(&text).map_err(|e| LocalnetError::answer(format!("simd localnet ({e})"), &text))?;
    for (v, seed) in validators.iter_mut().zip(seeds) {
        v.seed = seed;
    }
    Ok(validators)
}

/// Everyone but node `i`, as CometBFT wants its peers.
fn peers(i: usize, validators: &[Validator], ports: &[NodePorts]) -> String {
    let others = validators.iter().zip(ports).enumerate().filter(|(j, _)| *j != i);
    others.map(|(_, (v, p))| format!("{}@127.0.0.1:{}", v.node_id, p.p2p)).collect::<Vec<_>>().join(",")
}

/// Addresses of node `i` as command line flags.
fn start_flags(i: usize, validators: &[Validator], ports: &[NodePorts]) -> [(&'static str, String); 5] {
    let own = ports[i];
    [
        ("--p2p.laddr", format!("tcp://127.0.0.1:{}", own.p2p)),
        ("--p2p.persistent_peers", peers(i, validators, ports)),
        ("--rpc.laddr", format!("tcp://127.0.0.1:{}", own.rpc)),
        ("--rpc.pprof_laddr", String::new()),
        ("--grpc.address", format!("127.0.0.1:{}", own.grpc)),
    ]
}

fn spec(simd: &Path, dir: &Path, options: &SimdOptions, i: usize, addresses: &[(&str, String)]) -> Spec {
    let home = dir.join(format!("n{i}"));
    let mut args: Vec<std::ffi::OsString> = vec!["start".into(), "--home".into(), home.into()];
    let flags = "--log_no_color --log_level error --minimum-gas-prices 0stake --pruning nothing --p2p.pex=false";
    args.extend(flags.split_whitespace().map(Into::into));
    for (flag, value) in addresses {
        args.extend([flag.into(), value.into()]);
    }
    let env = [
        ("SIMD_MONIKER", format!("n{i}")),
        ("SIMD_CONSENSUS_TIMEOUT_COMMIT", format!("{}ms", options.block_time_ms)),
        ("SIMD_CONSENSUS_TIMEOUT_PROPOSE", "1s".to_owned()),
        ("SIMD_P2P_ADDR_BOOK_STRICT", "false".to_owned()),
        ("SIMD_P2P_ALLOW_DUPLICATE_IP", "true".to_owned()),
        ("SIMD_IAVL_CACHE_SIZE", "10000".to_owned()),
    ];
    Spec {
        name: format!("simd validator {i}"),
        program: simd.to_owned(),
        args,
        env: env.map(|(k, v)| (k.to_owned(), v)).to_vec(),
        log: dir.join(format!("n{i}.log")),
        survives_full_disks: false,
    }
}
