//! A GoQuorum QBFT network.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use serde::Deserialize;
use serde_json::{json, Value};

use super::evm_tx::{sign_legacy, LegacyTx};
use super::process::{Node, Spec};
use super::workdir::Workdir;
use super::{build, ports, seed_of, wait_until, Account, LocalnetError, Rpc};

/// How long a fresh network may take to its first block, in seconds; generous for loaded machines.
const START_SECONDS: u64 = 120;
/// How often a start is tried again when another process took a port.
const START_ATTEMPTS: usize = 3;

/// What network to start.
#[derive(Clone, Debug)]
pub struct QuorumOptions {
    /// How many validators.
    pub validators: usize,
    /// EIP-155 chain id.
    pub chain_id: u64,
    /// Seconds between blocks.
    pub block_period_seconds: u64,
    /// Seconds before a round is given up.
    pub request_timeout_seconds: u64,
    /// Blocks after which pending votes are dropped.
    pub epoch_length_blocks: u64,
    /// Accounts with 2^100 wei at genesis. A different list is a different genesis.
    pub accounts: Vec<Account>,
    /// Name that the validators' keys are derived from: the same name gives the same validators.
    pub key_seed: String,
}

impl Default for QuorumOptions {
    fn default() -> Self {
        Self {
            validators: 4,
            chain_id: 1337,
            block_period_seconds: 1,
            request_timeout_seconds: 4,
            epoch_length_blocks: 30_000,
            accounts: Account::defaults(),
            key_seed: "catenary qbft".to_owned(),
        }
    }
}

#[derive(Debug, Deserialize)]
struct Generated {
    address: String,
}

/// A running QBFT network; its nodes die with it.
#[derive(Debug)]
pub struct Quorum {
    // Before the folder, so that the nodes are dead when it goes.
    nodes: Vec<Node>,
    rpcs: Vec<Rpc>,
    /// The options it was started with.
    pub options: QuorumOptions,
    /// Validator addresses, `0x…` in lower case, in node order.
    pub validators: Vec<String>,
    /// Private keys of the validators, in node order.
    pub validator_keys: Vec<[u8; 32]>,
    /// Hash of block 0, `0x…`.
    pub genesis_hash: String,
    _dir: Workdir,
}

impl Quorum {
    /// Starts a network and waits for block 1.
    ///
    /// # Errors
    /// When the nodes cannot be built, started, or do not make a block in time: the error carries the end of the log.
    pub fn start(options: QuorumOptions) -> Result<Self, LocalnetError> {
        let mut attempt = 1;
        loop {
            match Self::try_start(&options) {
                Err(e) if e.is_port_taken() && attempt < START_ATTEMPTS => attempt += 1,
                result => return result,
            }
        }
    }

    fn try_start(options: &QuorumOptions) -> Result<Self, LocalnetError> {
        let binaries = build::ensure_built()?;
        let dir = Workdir::new("qbft")?;
        let count = options.validators;
        let reserved = ports::reserve(2 * count)?;
        let (p2p, http) = reserved.ports().split_at(count);
        let (p2p, http) = (p2p.to_vec(), http.to_vec());
        let validator_keys: Vec<[u8; 32]> =
            (0..count).map(|i| seed_of(&format!("{} validator {i}", options.key_seed))).collect();
        let generated = generate(&binaries.qbftgen, dir.path(), options, &validator_keys, &p2p)?;
        for i in 0..count {
            init(&binaries.geth, dir.path(), i)?;
        }
        let _ = reserved.release();
        let nodes = (0..count)
            .map(|i| Node::start(spec(&binaries.geth, dir.path(), i, http[i])))
            .collect::<Result<Vec<_>, _>>()?;
        let mut network = Self {
            nodes,
            rpcs: http.iter().map(|port| Rpc::new(format!("http://127.0.0.1:{port}"))).collect(),
            options: options.clone(),
            validators: generated.into_iter().map(|g| g.address).collect(),
            validator_keys,
            genesis_hash: String::new(),
            _dir: dir,
        };
        network.wait_for_height(1, Duration::from_secs(START_SECONDS))?;
        let genesis = network.rpc(0).call("eth_getBlockByNumber", json!(["0x0", false]))?;
        network.genesis_hash =
            genesis["hash"].as_str().ok_or_else(|| LocalnetError::answer("block 0", &genesis))?.to_owned();
        Ok(network)
    }

    /// JSON-RPC address of node `i`.
    #[must_use]
    pub fn rpc_url(&self, i: usize) -> &str {
        self.rpcs[i].url()
    }

    /// JSON-RPC addresses of all nodes.
    #[must_use]
    pub fn rpc_urls(&self) -> Vec<String> {
        self.rpcs.iter().map(|r| r.url().to_owned()).collect()
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
        self.rpcs[i].call_quantity("eth_blockNumber", json!([]))
    }

    /// Waits until some node's head is at `height` or above, and gives that head.
    ///
    /// # Errors
    /// [`LocalnetError::NodeDied`] when a node ends meanwhile, [`LocalnetError::Timeout`] after `deadline`.
    pub fn wait_for_height(&self, height: u64, deadline: Duration) -> Result<u64, LocalnetError> {
        wait_until(&format!("QBFT height {height}"), deadline, || {
            self.nodes.iter().try_for_each(Node::check)?;
            let heads = (0..self.nodes.len()).filter(|i| self.pid(*i).is_some()).filter_map(|i| self.height(i).ok());
            Ok(heads.max().filter(|h| *h >= height))
        })
        .map_err(|e| e.with_detail(|| self.nodes.iter().map(Node::last_words).collect()))
    }

    /// Waits until node `i` itself is at `height` or above.
    ///
    /// # Errors
    /// As [`Quorum::wait_for_height`].
    pub fn wait_for_node_height(&self, i: usize, height: u64, deadline: Duration) -> Result<u64, LocalnetError> {
        wait_until(&format!("height {height} on QBFT node {i}"), deadline, || {
            self.nodes[i].check()?;
            Ok(self.height(i).ok().filter(|h| *h >= height))
        })
        .map_err(|e| e.with_detail(|| self.nodes[i].last_words()))
    }

    /// Lets every running node but the candidate vote: `authorise` true to let it in, false to put it out.
    ///
    /// # Errors
    /// When a node refuses the vote.
    pub fn propose_validator(&self, candidate: &str, authorise: bool) -> Result<(), LocalnetError> {
        for (i, rpc) in self.rpcs.iter().enumerate() {
            if self.pid(i).is_some() && self.validators[i] != candidate {
                rpc.call("istanbul_propose", json!([candidate, authorise]))?;
            }
        }
        Ok(())
    }

    /// Sends a legacy transaction at gas price 0 through node 0 and waits for its receipt; one that reverts is an error.
    /// What is under test builds its transactions itself; this is for setting a scene.
    ///
    /// # Errors
    /// When the node refuses it, it reverts, or it is in no block after a minute.
    pub fn send(&self, from: &Account, to: Option<[u8; 20]>, data: &[u8]) -> Result<Value, LocalnetError> {
        let rpc = self.rpc(0);
        let nonce = rpc.call_quantity("eth_getTransactionCount", json!([from.evm_hex(), "pending"]))?;
        let raw = sign_legacy(from, &LegacyTx { nonce, to, data, chain_id: self.options.chain_id });
        let hash = rpc.call("eth_sendRawTransaction", json!([format!("0x{}", hex::encode(raw))]))?;
        let receipt = wait_until(&format!("receipt of {hash}"), Duration::from_secs(60), || {
            Ok(Some(rpc.call("eth_getTransactionReceipt", json!([hash]))?).filter(|r| !r.is_null()))
        })?;
        match receipt["status"].as_str() {
            Some("0x1") => Ok(receipt),
            _ => Err(LocalnetError::answer("transaction receipt", &receipt)),
        }
    }

    /// The validator set at the head, `0x…` in lower case.
    ///
    /// # Errors
    /// When the node does not answer.
    pub fn validators_now(&self, i: usize) -> Result<Vec<String>, LocalnetError> {
        let answer = self.rpcs[i].call("istanbul_getValidators", json!(["latest"]))?;
        let list = answer.as_array().ok_or_else(|| LocalnetError::answer("istanbul_getValidators", &answer))?;
        Ok(list.iter().filter_map(Value::as_str).map(str::to_lowercase).collect())
    }
}

fn generate(
    qbftgen: &Path,
    dir: &Path,
    options: &QuorumOptions,
    keys: &[[u8; 32]],
    p2p_ports: &[u16],
) -> Result<Vec<Generated>, LocalnetError> {
    let spec = json!({
        "dir": dir, "chain_id": options.chain_id, "block_period_seconds": options.block_period_seconds,
        "request_timeout_seconds": options.request_timeout_seconds, "epoch_length_blocks": options.epoch_length_blocks,
        "node_keys_hex": keys.iter().map(hex::encode).collect::<Vec<_>>(), "p2p_ports": p2p_ports,
        "funded": options.accounts.iter().map(Account::evm_hex).collect::<Vec<_>>(),
    });
    let path = dir.join("spec.json");
    std::fs::write(&path, spec.to_string()).map_err(LocalnetError::io("writing spec.json"))?;
    let text = run(Command::new(qbftgen).arg(&path))?;
    serde_json::from_str(&text).map_err(|e| LocalnetError::answer(format!("qbftgen ({e})"), text))
}

fn init(geth: &Path, dir: &Path, i: usize) -> Result<(), LocalnetError> {
    let mut command = Command::new(geth);
    command.arg("--datadir").arg(dir.join(format!("n{i}/data"))).arg("init").arg(dir.join("genesis.json"));
    run(command.env("PRIVATE_CONFIG", "ignore")).map(drop)
}

/// Runs a helper program to its end and gives what it printed.
pub(crate) fn run(command: &mut Command) -> Result<String, LocalnetError> {
    let program = format!("{command:?}").chars().take(200).collect::<String>();
    let output = command.output().map_err(LocalnetError::io(format!("running {program}")))?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    Err(LocalnetError::Tool { program, status: output.status.to_string(), output: text })
}

fn spec(geth: &Path, dir: &Path, i: usize, http_port: u16) -> Spec {
    let home = dir.join(format!("n{i}"));
    let mut args: Vec<std::ffi::OsString> =
        vec!["--config".into(), home.join("config.toml").into(), "--datadir".into(), home.join("data").into()];
    args.extend(["--nodekey".into(), home.join("nodekey").into()]);
    // Archive mode, so that eth_getProof works at any height.
    let flags =
        "--nat none --netrestrict 127.0.0.0/8 --nousb --ipcdisable --syncmode full --gcmode archive --cache 64 --mine \
                 --miner.threads 1 --miner.gasprice 0 --verbosity 3 --http --http.addr 127.0.0.1 \
                 --http.api admin,eth,net,web3,debug,txpool,istanbul";
    args.extend(flags.split_whitespace().map(Into::into));
    args.extend(["--http.port".into(), http_port.to_string().into()]);
    Spec {
        name: format!("QBFT validator {i}"),
        program: geth.to_owned(),
        args,
        env: vec![("PRIVATE_CONFIG".to_owned(), "ignore".to_owned())],
        log: dir.join(format!("n{i}.log")),
        survives_full_disks: false,
    }
}
