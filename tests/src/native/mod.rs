//! A native path between two CometBFT chains, set up and run by the program as one operator does it: configuration, keys,
//! anchors, clients, commands. What the chains are is for who uses it: devnets ([`devnets`]) or real nodes.
//!
//! Everything here is for tests, and fails by panicking with what the program has said.
#![allow(
    clippy::missing_panics_doc,
    clippy::must_use_candidate,
    reason = "for tests, which fail by panicking and run commands for what they do"
)]

pub mod devnets;

use std::fs::Permissions;
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use catenary_adapter_cosmos::{CosmosAdapter, CosmosConfig};
use catenary_protocol::ics20;
use serde_json::Value;

use crate::consortium::catenary;
use crate::localnet::Account;

/// Names of the chains.
pub const CHAINS: [&str; 2] = ["east", "west"];
/// The path.
pub const PATH: &str = "east-west";
/// A second path, whose clients can stand in for those of the first one.
pub const SPARE: &str = "spare";
/// Both on-chain clients: each is the first of its chain.
pub const CLIENT: &str = "07-tendermint-0";
/// Both clients of the second path.
pub const SUBSTITUTE: &str = "07-tendermint-1";
/// The variable that names where the program ends itself.
const FAILPOINT_ENV: &str = "CATENARY_FAILPOINT";
const PASSPHRASE: &str = "a test's, worth nothing";

/// Chain id of the chain with this number.
#[must_use]
pub fn chain_id(at: usize) -> String {
    format!("{}-{}", CHAINS[at], at + 1)
}

/// What the other chain's denomination is called.
#[must_use]
pub fn voucher(denom: &str) -> String {
    ics20::ibc_denom(&ics20::received_denom(denom, CLIENT, CLIENT))
}

/// How a configuration differs from the usual one.
#[derive(Debug, Clone)]
pub struct Terms {
    /// Trusting period of light clients and on-chain clients.
    pub trusting_period: &'static str,
    /// Lines of the section about trust.
    pub trust: &'static str,
    /// Lines of the path's section.
    pub path: &'static str,
}

impl Default for Terms {
    fn default() -> Self {
        Self { trusting_period: "14d", trust: "", path: "" }
    }
}

/// The program between two chains.
#[derive(Debug)]
pub struct NativePath {
    /// Configuration, keys, data and log.
    pub dir: tempfile::TempDir,
    /// Where the program finds each chain.
    pub urls: [String; 2],
    /// Who pays for deliveries on each chain: an address has one name and one purpose.
    pub payers: [Account; 2],
    /// Whose transfers go over.
    pub customers: [Account; 2],
    /// What customers hold.
    pub denom: &'static str,
    /// How the configuration differs from the usual one.
    pub terms: Terms,
    program: PathBuf,
    anchors: [(u64, String); 2],
    created: bool,
    spare: bool,
    listen: u16,
    node: Option<Child>,
}

impl Drop for NativePath {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Runs what blocks, also from within a runtime.
fn blocking<T>(step: impl FnOnce() -> T) -> T {
    match tokio::runtime::Handle::try_current() {
        Ok(_) => tokio::task::block_in_place(step),
        Err(_) => step(),
    }
}

/// Writes a file that only its owner reads.
fn write_private(path: &Path, text: &str) {
    std::fs::write(path, text).unwrap();
    std::fs::set_permissions(path, Permissions::from_mode(0o600)).unwrap();
}

impl NativePath {
    /// Configuration and keys; the anchors are still to be set.
    #[must_use]
    pub fn new(urls: [String; 2], denom: &'static str, terms: Terms) -> Self {
        let dir = tempfile::tempdir().unwrap();
        write_private(&dir.path().join("passphrase"), PASSPHRASE);
        let path = Self {
            dir,
            urls,
            payers: ["relayer-0", "relayer-1"].map(Account::named),
            customers: ["user-0", "user-1"].map(Account::named),
            denom,
            terms,
            program: catenary().unwrap(),
            anchors: [0, 1].map(|_| (1, format!("0x{}", "11".repeat(32)))),
            created: false,
            spare: false,
            listen: TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap().port(),
            node: None,
        };
        path.write();
        for (accounts, role) in [(&path.payers, "pays"), (&path.customers, "customer")] {
            for (who, chain) in accounts.iter().zip(CHAINS) {
                let file = path.dir.path().join("secret");
                write_private(&file, &hex::encode(who.private_key));
                let (id, file) = (format!("{role}-{chain}"), file.display().to_string());
                path.json(&["keys", "import", &id, "--chain", chain, "--purpose", "transactions", "--file", &file]);
            }
        }
        path
    }

    /// Anchors the light client of a chain at a height, as the chain shows it.
    pub fn anchor(&mut self, at: usize, height: u64) {
        let said = self.json(&["chain", "anchor", CHAINS[at], "--height", &height.to_string()]);
        self.anchors[at] = (height, said["hash"].as_str().unwrap().to_owned());
        self.write();
    }

    /// Creates the on-chain clients, and configures them.
    pub fn create_path(&mut self) -> Value {
        let said = self.json(&["path", "create", PATH]);
        assert_eq!((&said["client_a"], &said["client_b"]), (&CLIENT.into(), &CLIENT.into()));
        self.created();
        said
    }

    /// Starts the command that creates the on-chain clients, for who has to make blocks meanwhile.
    #[must_use]
    pub fn creating_path(&self) -> Child {
        let mut command = self.command();
        command.args(["--json", "path", "create", PATH]).stdout(Stdio::piped()).stderr(Stdio::piped());
        command.spawn().unwrap()
    }

    /// The on-chain clients are there: configures them.
    pub fn created(&mut self) {
        self.created = true;
        self.write();
    }

    /// Creates the clients of a second path, which is in the configuration for that time alone.
    pub fn create_substitutes(&mut self) {
        self.spare = true;
        self.write();
        let said = self.json(&["path", "create", SPARE]);
        assert_eq!((&said["client_a"], &said["client_b"]), (&SUBSTITUTE.into(), &SUBSTITUTE.into()));
        self.spare = false;
        self.write();
    }

    /// Chooses other lines for the path's section.
    pub fn choose(&mut self, path: &'static str) {
        self.terms.path = path;
        self.write();
    }

    fn file(&self) -> PathBuf {
        self.dir.path().join("catenary.toml")
    }

    /// Writes the configuration as it is known.
    pub fn write(&self) {
        let dir = self.dir.path().display();
        let mut text = format!(
            "operator = \"solo\"\ndata_dir = \"{dir}/data\"\n[telemetry]\nlisten = \"127.0.0.1:{}\"\n\
             [keystore]\ndir = \"{dir}/keys\"\npassphrase_file = \"{dir}/passphrase\"\n",
            self.listen
        );
        for (at, chain) in CHAINS.iter().enumerate() {
            let (height, hash) = &self.anchors[at];
            text.push_str(&format!(
                "[[chains]]\nname = \"{chain}\"\nfamily = \"cometbft\"\nchain_id = \"{}\"\nurls = [\"{}\"]\n\
                 transaction_key = \"pays-{chain}\"\nstale_after = \"1h\"\n\
                 [chains.anchor]\nheight = {height}\nhash = \"{hash}\"\n\
                 [chains.trust]\ntrusting_period = \"{}\"\n{}\n\
                 [chains.cosmos]\naddress_prefix = \"cosmos\"\nfee_denom = \"stake\"\ngas_price = \"0\"\n",
                chain_id(at),
                self.urls[at],
                self.terms.trusting_period,
                self.terms.trust,
            ));
        }
        text.push_str("[[operators]]\nid = \"solo\"\n");
        for (path, client) in [(PATH, self.created.then_some(CLIENT)), (SPARE, None)] {
            if path == SPARE && !self.spare {
                continue;
            }
            text.push_str(&format!("[[paths]]\nname = \"{path}\"\n{}\n", self.terms.path));
            for (end, chain) in ["a", "b"].iter().zip(CHAINS) {
                text.push_str(&format!("[paths.{end}]\nchain = \"{chain}\"\nclient_kind = \"native\"\n"));
                text.extend(client.map(|client| format!("client = \"{client}\"\n")));
            }
        }
        std::fs::write(self.file(), text).unwrap();
    }

    fn command(&self) -> Command {
        let mut command = Command::new(&self.program);
        command.env_clear().arg("--config").arg(self.file()).stdin(Stdio::null());
        command
    }

    /// Runs a command to its end.
    #[must_use]
    pub fn output(&self, arguments: &[&str]) -> Output {
        blocking(|| self.command().args(arguments).output().unwrap())
    }

    /// Runs a command that must succeed, and gives the JSON that it prints.
    pub fn json(&self, arguments: &[&str]) -> Value {
        let output = self.output(&[&["--json"], arguments].concat());
        let (said, complaints) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert!(output.status.success(), "{arguments:?}: {said}\n{complaints}\n{}", self.log());
        serde_json::from_str(&said).unwrap_or_else(|error| panic!("{arguments:?}: {error}: {said}"))
    }

    /// Starts the node, armed with a failpoint where one is given; its log begins anew.
    pub fn start(&mut self, failpoint: Option<&str>) {
        let log = std::fs::File::create(self.dir.path().join("log")).unwrap();
        let mut command = self.command();
        command.arg("run").stdout(log.try_clone().unwrap()).stderr(log);
        command.envs(failpoint.map(|point| (FAILPOINT_ENV, point)));
        self.node = Some(command.spawn().unwrap());
    }

    /// Whether the node has ended by itself.
    pub fn has_ended(&mut self) -> bool {
        self.node.as_mut().is_some_and(|node| node.try_wait().unwrap().is_some())
    }

    /// Stops the node in order.
    pub fn stop(&mut self) {
        let Some(mut node) = self.node.take() else { return };
        let pid = node.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
        blocking(|| node.wait()).unwrap();
    }

    /// Ends the node at once.
    pub fn kill(&mut self) {
        if let Some(mut node) = self.node.take() {
            let _ = node.kill();
            let _ = node.wait();
        }
    }

    /// What the node has logged since its start.
    #[must_use]
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.dir.path().join("log")).unwrap_or_default()
    }

    /// An answer of the node's endpoints; `None` when there is none.
    #[must_use]
    pub fn get(&self, path: &str) -> Option<String> {
        let mut stream = TcpStream::connect(("127.0.0.1", self.listen)).ok()?;
        write!(stream, "GET {path} HTTP/1.1\r\nHost: node\r\nConnection: close\r\n\r\n").ok()?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).ok()?;
        Some(answer)
    }

    /// Value of one series of the node's metrics.
    #[must_use]
    pub fn metric(&self, series: &str) -> f64 {
        let page = self.get("/metrics").unwrap_or_default();
        let line = page.lines().find(|line| line.starts_with(series) && line[series.len()..].starts_with(' '));
        line.and_then(|line| line.rsplit(' ').next()?.parse().ok()).unwrap_or_else(|| panic!("no {series} in {page}"))
    }

    /// What the path's readiness says.
    #[must_use]
    pub fn readiness(&self) -> String {
        self.get(&format!("/readyz?path={PATH}")).unwrap_or_default()
    }

    fn send_command(&self, from: usize, (asset, amount): (&str, u64), more: &[&str]) -> Value {
        let (amount, key) = (amount.to_string(), format!("customer-{}", CHAINS[from]));
        let mut arguments = vec!["transfer", "send", "--path", PATH, "--from", CHAINS[from], "--asset", asset];
        arguments.extend(["--amount", amount.as_str(), "--key", key.as_str()]);
        if !more.contains(&"--receiver") {
            arguments.extend(["--receiver", self.customers[1 - from].cosmos_address.as_str()]);
        }
        arguments.extend(more);
        self.json(&arguments)
    }

    /// A customer's transfer from a chain, to the customer on the other one unless somebody else is named. It is waited
    /// for until it has ended; gives its stage.
    pub fn transfer(&self, from: usize, asset: (&str, u64), more: &[&str]) -> String {
        let said = self.send_command(from, asset, &[more, &["--wait"]].concat());
        let view = if said.is_array() { &said[0] } else { &said };
        view["stage"].as_str().unwrap_or_else(|| panic!("{said}")).to_owned()
    }

    /// A customer's transfer that nobody waits for.
    pub fn send(&self, from: usize, amount: u64, more: &[&str]) {
        let _ = self.send_command(from, (self.denom, amount), more);
    }

    /// How many packets are in a stage, as the node knows it.
    #[must_use]
    pub fn in_stage(&self, stage: &str) -> usize {
        self.json(&["packet", "list", "--stage", stage]).as_array().map_or(0, Vec::len)
    }

    /// Whether no packet is on its way, as the node knows it.
    #[must_use]
    pub fn is_settled(&self) -> bool {
        ["sent", "received", "parked"].iter().all(|stage| self.in_stage(stage) == 0)
    }

    /// An adapter of a chain, over one of its endpoints.
    #[must_use]
    pub fn adapter(at: usize, url: &str) -> CosmosAdapter {
        let config = CosmosConfig {
            name: CHAINS[at].into(),
            urls: vec![url.into()],
            chain_id: chain_id(at),
            address_prefix: "cosmos".into(),
            fee_denom: "stake".into(),
            gas_price: "0".into(),
            gas_multiplier_percent: 150,
            gas_max: 10_000_000,
            tx_bytes_max: 400_000,
            messages_max: 50,
        };
        CosmosAdapter::new(config).unwrap()
    }
}
