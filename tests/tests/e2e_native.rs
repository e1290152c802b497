//! A native path between two real ibc-go chains: each has a `07-tendermint` client of the other, which believes its
//! validators, and nobody attests anything. The program sets it up and relays as an operator has it do.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test")]

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use catenary_protocol::ics20;
use catenary_tests::consortium::catenary;
use catenary_tests::localnet::{nodes_are_here, Account, Simd, SimdOptions};
use serde_json::Value;

const CHAINS: [&str; 2] = ["east", "west"];
const PATH: &str = "east-west";
/// Each client is the first of its chain, and so is its id.
const CLIENT: &str = "07-tendermint-0";
const DENOM: &str = "atoken";
const PASSPHRASE: &str = "a test's, worth nothing";
/// Generous for loaded machines; nothing here waits for a fixed time.
const DEADLINE: Duration = Duration::from_secs(120);

/// Two networks, and the program between them.
struct Rig {
    program: std::path::PathBuf,
    nets: [Simd; 2],
    dir: tempfile::TempDir,
    /// One a chain: an address has one name and one purpose.
    payers: [Account; 2],
    customers: [Account; 2],
    anchors: [(u64, String); 2],
    listen: u16,
    created: bool,
    node: Option<Child>,
}

impl Drop for Rig {
    fn drop(&mut self) {
        if let Some(mut node) = self.node.take() {
            let _ = node.kill();
            let _ = node.wait();
        }
    }
}

impl Rig {
    fn start() -> Self {
        let net = |at: usize, validators: usize| {
            let name = CHAINS[at];
            let options = SimdOptions {
                validators,
                chain_id: format!("{name}-{}", at + 1),
                key_seed: format!("catenary native {name}"),
                ..SimdOptions::default()
            };
            Simd::start(options).unwrap()
        };
        let nets = [net(0, 4), net(1, 1)];
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("passphrase"), PASSPHRASE).unwrap();
        let private = std::os::unix::fs::PermissionsExt::from_mode(0o600);
        std::fs::set_permissions(dir.path().join("passphrase"), private).unwrap();
        let listen = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap().port();
        let anchors = [0, 1].map(|_| (1, format!("0x{}", "11".repeat(32))));
        let payers = ["relayer-0", "relayer-1"].map(Account::named);
        let customers = ["user-0", "user-1"].map(Account::named);
        let program = catenary().unwrap();
        let mut rig = Self { program, nets, dir, payers, customers, anchors, listen, created: false, node: None };
        rig.write();
        for (accounts, role) in [(rig.payers.clone(), "pays"), (rig.customers.clone(), "customer")] {
            for (who, chain) in accounts.iter().zip(CHAINS) {
                let file = rig.dir.path().join("secret");
                std::fs::write(&file, hex::encode(who.private_key)).unwrap();
                std::fs::set_permissions(&file, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
                let (id, path) = (format!("{role}-{chain}"), file.display().to_string());
                rig.json(&["keys", "import", &id, "--chain", chain, "--purpose", "transactions", "--file", &path]);
            }
        }
        for at in [0, 1] {
            let height = rig.nets[at].wait_for_height(4, DEADLINE).unwrap() - 1;
            let said = rig.json(&["chain", "anchor", CHAINS[at], "--height", &height.to_string()]);
            rig.anchors[at] = (height, said["hash"].as_str().unwrap().to_owned());
        }
        rig.write();
        let said = rig.json(&["path", "create", PATH]);
        assert_eq!((&said["client_a"], &said["client_b"]), (&CLIENT.into(), &CLIENT.into()));
        rig.created = true;
        rig.write();
        rig
    }

    fn file(&self) -> std::path::PathBuf {
        self.dir.path().join("catenary.toml")
    }

    fn write(&self) {
        let dir = self.dir.path().display();
        let mut text = format!(
            "operator = \"solo\"\ndata_dir = \"{dir}/data\"\n[telemetry]\nlisten = \"127.0.0.1:{}\"\n\
             [keystore]\ndir = \"{dir}/keys\"\npassphrase_file = \"{dir}/passphrase\"\n",
            self.listen
        );
        for (at, name) in CHAINS.iter().enumerate() {
            let (height, hash) = &self.anchors[at];
            text.push_str(&format!(
                "[[chains]]\nname = \"{name}\"\nfamily = \"cometbft\"\nchain_id = \"{name}-{}\"\nurls = [\"{}\"]\n\
                 transaction_key = \"pays-{name}\"\n[chains.anchor]\nheight = {height}\nhash = \"{hash}\"\n\
                 [chains.trust]\ntrusting_period = \"14d\"\n\
                 [chains.cosmos]\naddress_prefix = \"cosmos\"\nfee_denom = \"stake\"\ngas_price = \"0\"\n",
                at + 1,
                self.nets[at].rpc_url(0),
            ));
        }
        text.push_str(&format!("[[operators]]\nid = \"solo\"\n[[paths]]\nname = \"{PATH}\"\n"));
        for (end, chain) in ["a", "b"].iter().zip(CHAINS) {
            text.push_str(&format!("[paths.{end}]\nchain = \"{chain}\"\nclient_kind = \"native\"\n"));
            if self.created {
                text.push_str(&format!("client = \"{CLIENT}\"\n"));
            }
        }
        std::fs::write(self.file(), text).unwrap();
    }

    fn command(&self) -> Command {
        let mut command = Command::new(&self.program);
        command.env_clear().arg("--config").arg(self.file()).stdin(Stdio::null());
        command
    }

    fn log(&self) -> String {
        std::fs::read_to_string(self.dir.path().join("log")).unwrap_or_default()
    }

    fn json(&self, arguments: &[&str]) -> Value {
        let output = self.command().arg("--json").args(arguments).output().unwrap();
        let (said, complaints) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert!(output.status.success(), "{arguments:?}: {said}\n{complaints}\n{}", self.log());
        serde_json::from_str(&said).unwrap_or_else(|error| panic!("{arguments:?}: {error}: {said}"))
    }

    fn run(&mut self) {
        let log = std::fs::File::create(Path::new(&self.dir.path().join("log"))).unwrap();
        let node = self.command().arg("run").stdout(log.try_clone().unwrap()).stderr(log).spawn().unwrap();
        self.node = Some(node);
    }

    /// Sends a transfer, and waits until it has ended; gives its stage.
    fn transfer(&self, from: usize, (asset, amount): (&str, u64), more: &[&str]) -> String {
        let (amount, key) = (amount.to_string(), format!("customer-{}", CHAINS[from]));
        let mut arguments = vec!["transfer", "send", "--path", PATH, "--from", CHAINS[from], "--asset", asset];
        arguments.extend(["--amount", amount.as_str(), "--key", key.as_str(), "--wait"]);
        if !more.contains(&"--receiver") {
            arguments.extend(["--receiver", self.customers[1 - from].cosmos_address.as_str()]);
        }
        arguments.extend(more);
        let said = self.json(&arguments);
        said[0]["stage"].as_str().unwrap_or_else(|| panic!("{said}")).to_owned()
    }

    /// What the customer holds.
    fn holds(&self, at: usize, denom: &str) -> u64 {
        let config = catenary_adapter_cosmos::CosmosConfig {
            name: CHAINS[at].into(),
            urls: vec![self.nets[at].rpc_url(0).to_owned()],
            chain_id: format!("{}-{}", CHAINS[at], at + 1),
            address_prefix: "cosmos".into(),
            fee_denom: "stake".into(),
            gas_price: "0".into(),
            gas_multiplier_percent: 130,
            gas_max: 10_000_000,
            tx_bytes_max: 400_000,
            messages_max: 50,
        };
        let adapter = catenary_adapter_cosmos::CosmosAdapter::new(config).unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let held = runtime.block_on(adapter.balance(&self.customers[at].cosmos_address, denom)).unwrap();
        held.parse().unwrap()
    }
}

#[test]
fn value_goes_both_ways_between_real_chains_and_comes_back_where_it_is_refused_or_late() {
    if !nodes_are_here("e2e_native::value_goes_both_ways_between_real_chains") {
        return;
    }
    let mut rig = Rig::start();
    let checked = rig.command().args(["check", "--online"]).output().unwrap();
    let said = String::from_utf8_lossy(&checked.stdout).into_owned();
    assert!(checked.status.success(), "{said}\n{}", String::from_utf8_lossy(&checked.stderr));
    assert_eq!(said.matches("as our light client has verified it").count(), 2, "{said}");
    rig.run();

    let voucher = ics20::ibc_denom(&ics20::received_denom(DENOM, CLIENT, CLIENT));
    let before = [rig.holds(0, DENOM), rig.holds(1, DENOM)];
    assert_eq!(rig.transfer(0, (DENOM, 500), &[]), "acknowledged");
    assert_eq!((rig.holds(0, DENOM), rig.holds(1, &voucher)), (before[0] - 500, 500));
    assert_eq!(rig.transfer(1, (&voucher, 200), &[]), "acknowledged", "and home again");
    assert_eq!((rig.holds(0, DENOM), rig.holds(1, &voucher)), (before[0] - 300, 300));
    assert_eq!(rig.transfer(1, (DENOM, 70), &[]), "acknowledged", "the other chain's own");
    assert_eq!((rig.holds(1, DENOM), rig.holds(0, &voucher)), (before[1] - 70, 70));
    assert_eq!(rig.transfer(0, (DENOM, 11), &["--receiver", "cosmos1nobody"]), "refunded", "the other end refuses it");
    // Nearer than the margin within which packets are delivered, so it is late for certain.
    assert_eq!(rig.transfer(1, (DENOM, 33), &["--timeout-seconds", "5"]), "refunded", "it was late");
    assert_eq!([rig.holds(0, DENOM), rig.holds(1, DENOM)], [before[0] - 300, before[1] - 70], "nothing is lost");
}
