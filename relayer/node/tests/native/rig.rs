//! Two CometBFT devnets, and the program between them as an operator sets it up and runs it.
#![allow(dead_code, unreachable_pub, reason = "each test takes what it needs")]

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

use catenary_adapter_cosmos::native::misbehaviour_message;
use catenary_adapter_cosmos::{account_address, CosmosAdapter, CosmosConfig};
use catenary_api::{
    Broadcast, BuildRequest, ChainSink, ChainSource, ClientMessage, Message, NativeMessage, PublicKey, SignedTx, TxBody,
};
use catenary_devnet::cometbft::{CometConfig, CometDevnet, CometFault};
use catenary_light_clients::Hash32;
use catenary_node::keystore::{Binding, Keystore, Passphrase};
use catenary_protocol::ics20;
use serde_json::Value;

/// Names of the chains.
pub const CHAINS: [&str; 2] = ["east", "west"];
/// The path.
pub const PATH: &str = "east-west";
/// A second path, whose clients can stand in for those of the first one.
pub const SPARE: &str = "spare";
/// Both clients of the second path.
pub const SUBSTITUTE: &str = "07-tendermint-1";
/// Both on-chain clients: each is the first of its chain.
pub const CLIENT: &str = "07-tendermint-0";
/// What customers hold.
pub const DENOM: &str = "gold";
const PASSPHRASE: &str = "a test's, worth nothing";
/// Time between two blocks.
const BLOCK: Duration = Duration::from_millis(150);
/// Blocks after which a test gives up: minutes, on any machine.
const BLOCKS_MAX: u64 = 3_000;

/// A key of an operator or a customer on a chain.
#[derive(Debug, Clone)]
struct User {
    id: String,
    secret: [u8; 32],
    key: PublicKey,
    address: String,
}

impl User {
    fn new(role: &str, chain: &str) -> Self {
        let id = format!("{role}-{chain}");
        let secret = Hash32::sha256(&[id.as_bytes()]).0;
        let key = k256::ecdsa::SigningKey::from_slice(&secret).unwrap();
        let point = key.verifying_key().to_encoded_point(true);
        let key = PublicKey(point.as_bytes().try_into().unwrap());
        Self { id, secret, key, address: account_address("cosmos", &key).unwrap() }
    }

    fn sign(&self, digest: &[u8; 32]) -> [u8; 65] {
        let key = k256::ecdsa::SigningKey::from_slice(&self.secret).unwrap();
        let (signature, id) = key.sign_prehash_recoverable(digest).unwrap();
        let mut plain = [0; 65];
        plain[..64].copy_from_slice(&signature.to_bytes());
        plain[64] = id.to_byte();
        plain
    }
}

/// How a rig differs from the usual one.
#[derive(Debug, Clone)]
pub struct Wish {
    /// Trusting period of light clients and on-chain clients.
    pub trusting_period: &'static str,
    /// Lines of the section about trust.
    pub trust: &'static str,
    /// Lines of the path's section.
    pub path: &'static str,
    /// Time between two blocks of the first chain; `None` makes them on demand.
    pub interval: Option<Duration>,
}

impl Default for Wish {
    fn default() -> Self {
        Self { trusting_period: "14d", trust: "", path: "", interval: Some(BLOCK) }
    }
}

/// Everything.
pub struct Rig {
    pub nets: [CometDevnet; 2],
    pub dir: tempfile::TempDir,
    /// Where the node finds each network.
    pub urls: [String; 2],
    wish: Wish,
    customers: [User; 2],
    payers: [User; 2],
    anchors: [(u64, String); 2],
    created: bool,
    /// Whether the configuration has a second path, of which no client is known yet.
    spare: bool,
    listen: u16,
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
    /// Networks, keys, anchors and the path.
    pub async fn start(wish: Wish) -> Self {
        let customers = CHAINS.map(|chain| User::new("customer", chain));
        let payers = CHAINS.map(|chain| User::new("pays", chain));
        let mut nets = Vec::new();
        for (at, chain) in CHAINS.iter().enumerate() {
            let funded = [(&customers[at], DENOM), (&payers[at], "stake")];
            let funded = funded.map(|(user, denom)| (user.address.clone(), denom.to_owned(), 1_000_000));
            let config = CometConfig {
                chain_id: format!("{chain}-{}", at + 1),
                seed: at as u64 + 40,
                block_interval: if at == 0 { wish.interval } else { Some(BLOCK) },
                funded: funded.to_vec(),
                ..CometConfig::default()
            };
            nets.push(CometDevnet::start(config).await.unwrap());
        }
        let nets: [CometDevnet; 2] = nets.try_into().unwrap();
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("passphrase"), PASSPHRASE).unwrap();
        let private = std::os::unix::fs::PermissionsExt::from_mode(0o600);
        std::fs::set_permissions(dir.path().join("passphrase"), private).unwrap();
        let keystore = Keystore::new(&dir.path().join("keys"));
        for (user, chain) in customers.iter().zip(CHAINS).chain(payers.iter().zip(CHAINS)) {
            let binding = Binding::Transactions { chain: chain.to_owned() };
            let text = hex::encode(user.secret);
            let passphrase = Passphrase::new(PASSPHRASE.to_owned());
            tokio::task::block_in_place(|| keystore.import(&user.id, binding, text.as_bytes(), &passphrase)).unwrap();
        }
        let listen = TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap().port();
        let anchors = [0, 1].map(|_| (1, format!("0x{}", "11".repeat(32))));
        let (created, spare, node) = (false, false, None);
        let urls = [nets[0].url(), nets[1].url()];
        let mut rig = Self { nets, dir, urls, wish, customers, payers, anchors, created, spare, listen, node };
        rig.write();
        for at in [0, 1] {
            // A header proves the state before it, so the one before the head proves something at once.
            if rig.wish.interval.is_none() && at == 0 {
                rig.nets[at].mine(3).unwrap();
            }
            let height = rig.nets[at].wait_for_height(3).await - 1;
            let said = rig.json(&["chain", "anchor", CHAINS[at], "--height", &height.to_string()]);
            rig.anchors[at] = (height, said["hash"].as_str().unwrap().to_owned());
        }
        rig.write();
        rig
    }

    /// Chooses other lines for the path's section.
    pub fn choose(&mut self, path: &'static str) {
        self.wish.path = path;
        self.write();
    }

    /// Creates the on-chain clients, and configures them.
    pub fn create_path(&mut self) -> Value {
        let said = self.json(&["path", "create", PATH]);
        assert_eq!((&said["client_a"], &said["client_b"]), (&CLIENT.into(), &CLIENT.into()));
        self.created = true;
        self.write();
        said
    }

    /// The same where the first chain makes its blocks on demand: as many as the command needs.
    pub async fn create_path_mining(&mut self) {
        let mut command = self.command();
        command.args(["--json", "path", "create", PATH]).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        while child.try_wait().unwrap().is_none() {
            self.nets[0].mine(1).unwrap();
            self.nets[1].wait_for_height(self.nets[1].height() + 1).await;
        }
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        self.created = true;
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
                "[[chains]]\nname = \"{chain}\"\nfamily = \"cometbft\"\nchain_id = \"{chain}-{}\"\nurls = [\"{}\"]\n\
                 transaction_key = \"{}\"\nstale_after = \"1h\"\n[chains.anchor]\nheight = {height}\nhash = \"{hash}\"\n\
                 [chains.trust]\ntrusting_period = \"{}\"\n{}\n\
                 [chains.cosmos]\naddress_prefix = \"cosmos\"\nfee_denom = \"stake\"\ngas_price = \"0\"\n",
                at + 1,
                self.urls[at],
                self.payers[at].id,
                self.wish.trusting_period,
                self.wish.trust,
            ));
        }
        text.push_str("[[operators]]\nid = \"solo\"\n");
        for (path, created) in [(PATH, self.created), (SPARE, false)] {
            if path == SPARE && !self.spare {
                continue;
            }
            text.push_str(&format!("[[paths]]\nname = \"{path}\"\n{}\n", self.wish.path));
            for (end, chain) in ["a", "b"].iter().zip(CHAINS) {
                text.push_str(&format!("[paths.{end}]\nchain = \"{chain}\"\nclient_kind = \"native\"\n"));
                if created {
                    text.push_str(&format!("client = \"{CLIENT}\"\n"));
                }
            }
        }
        std::fs::write(self.file(), text).unwrap();
    }

    fn command(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_catenary"));
        command.env_clear().arg("--config").arg(self.file()).stdin(Stdio::null());
        command
    }

    /// Runs a command to its end.
    pub fn output(&self, arguments: &[&str]) -> Output {
        tokio::task::block_in_place(|| self.command().args(arguments).output().unwrap())
    }

    /// Runs a command that must succeed, and gives the JSON that it prints.
    pub fn json(&self, arguments: &[&str]) -> Value {
        let output = self.output(&[&["--json"], arguments].concat());
        let (said, complaints) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert!(output.status.success(), "{arguments:?}: {said}\n{complaints}\n{}", self.log());
        serde_json::from_str(&said).unwrap_or_else(|error| panic!("{arguments:?}: {error}: {said}"))
    }

    /// Starts the node, and waits until it answers.
    pub async fn run(&mut self) {
        let log = std::fs::File::create(self.dir.path().join("log")).unwrap();
        let node = self.command().arg("run").stdout(log.try_clone().unwrap()).stderr(log).spawn().unwrap();
        self.node = Some(node);
        self.until("the node answers", |rig| rig.get("/readyz").is_some()).await;
    }

    /// Stops the node in order.
    pub fn stop(&mut self) {
        let Some(mut node) = self.node.take() else { return };
        let pid = node.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
        tokio::task::block_in_place(|| node.wait()).unwrap();
    }

    /// What the node has logged.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.dir.path().join("log")).unwrap_or_default()
    }

    /// An answer of the node's endpoints; `None` when there is none.
    pub fn get(&self, path: &str) -> Option<String> {
        let mut stream = TcpStream::connect(("127.0.0.1", self.listen)).ok()?;
        write!(stream, "GET {path} HTTP/1.1\r\nHost: node\r\nConnection: close\r\n\r\n").ok()?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).ok()?;
        Some(answer)
    }

    /// Value of one series of the node's metrics.
    pub fn metric(&self, series: &str) -> f64 {
        let page = self.get("/metrics").unwrap_or_default();
        let line = page.lines().find(|line| line.starts_with(series) && line[series.len()..].starts_with(' '));
        line.and_then(|line| line.rsplit(' ').next()?.parse().ok()).unwrap_or_else(|| panic!("no {series} in {page}"))
    }

    /// Looks at every block of the second chain until something holds.
    pub async fn until(&self, what: &str, holds: impl Fn(&Self) -> bool) {
        let first = self.nets[1].height();
        while !holds(self) {
            let height = self.nets[1].height();
            assert!(height < first + BLOCKS_MAX, "{what} did not come true\n{}", self.log());
            self.nets[1].wait_for_height(height + 1).await;
        }
    }

    /// A customer's transfer from a chain, to the customer on the other one unless somebody else is named. It is waited
    /// for until it has ended; gives its stage.
    pub fn transfer(&self, from: usize, asset: &str, amount: u64, more: &[&str]) -> String {
        let (amount, key) = (amount.to_string(), &self.customers[from].id);
        let mut arguments =
            vec!["transfer", "send", "--path", PATH, "--from", CHAINS[from], "--asset", asset, "--amount", &amount];
        arguments.extend(["--key", key.as_str(), "--wait"]);
        if !more.contains(&"--receiver") {
            arguments.extend(["--receiver", self.customers[1 - from].address.as_str()]);
        }
        arguments.extend(more);
        let said = self.json(&arguments);
        let view = if said.is_array() { &said[0] } else { &said };
        view["stage"].as_str().unwrap_or_else(|| panic!("{said}")).to_owned()
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

    fn adapter(&self, at: usize, url: &str) -> CosmosAdapter {
        let config = CosmosConfig {
            name: CHAINS[at].into(),
            urls: vec![url.into()],
            chain_id: format!("{}-{}", CHAINS[at], at + 1),
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

    /// Somebody shows two headers of the first chain that contradict each other to its client on the second one, which
    /// freezes it. The node sees neither.
    pub async fn freeze(&self) {
        let forged = self.nets[0].fault(CometFault::Equivocate).await.unwrap();
        let height = forged.height;
        let here = self.adapter(1, &self.nets[1].url());
        let [honest, other] = [self.nets[0].url(), forged.url().unwrap()].map(|url| self.adapter(0, &url));
        let known = here.client(CLIENT).await.unwrap().unwrap().latest_height;
        self.nets[0].wait_for_height(height).await;
        let base = honest.updates(known, known).await.unwrap().remove(0);
        let first = honest.updates(height, height).await.unwrap().remove(0);
        let second = other.updates(height, height).await.unwrap().remove(0);
        let message = misbehaviour_message(&first, &second, &base).unwrap();
        self.show(&here, message).await;
        assert!(here.client(CLIENT).await.unwrap().unwrap().frozen);
    }

    /// A customer's transaction that shows something to the client on the second chain.
    async fn show(&self, here: &CosmosAdapter, message: ClientMessage) {
        let customer = &self.customers[1];
        let account = here.account(&customer.key).await.unwrap();
        let update = Message::Native(NativeMessage::UpdateClient { client_id: CLIENT.into(), message });
        let body = TxBody::Deliver(vec![update]);
        let request = BuildRequest { body: &body, public_key: &customer.key, account: &account, nonce: account.nonce };
        let unsigned = here.build(request).await.unwrap();
        let signed: SignedTx = here.finish(&unsigned, &customer.sign(&unsigned.digest.0)).unwrap();
        assert!(matches!(here.broadcast(&signed).await, Broadcast::Accepted));
        let height = self.nets[1].height();
        self.nets[1].wait_for_height(height + 2).await;
        let receipt = here.receipt(&signed.hash).await.unwrap().unwrap();
        assert!(receipt.success, "{receipt:?}");
    }

    /// A customer's transfer that nobody waits for.
    pub fn send(&self, from: usize, amount: u64) {
        self.send_with(from, amount, &[]);
    }

    /// The same with more arguments.
    pub fn send_with(&self, from: usize, amount: u64, more: &[&str]) {
        let (amount, key, receiver) =
            (amount.to_string(), self.customers[from].id.as_str(), self.customers[1 - from].address.as_str());
        let arguments = ["transfer", "send", "--path", PATH, "--from", CHAINS[from], "--asset", DENOM];
        self.json(&[&arguments[..], &["--amount", &amount, "--key", key, "--receiver", receiver], more].concat());
    }

    /// What a customer holds.
    pub fn holds(&self, chain: usize, denom: &str) -> u64 {
        let held = self.nets[chain].balance(&self.customers[chain].address, denom);
        held.unwrap().parse().unwrap()
    }

    /// What a chain's payer is called there.
    pub fn payer(&self, chain: usize) -> (&str, [u8; 32]) {
        (&self.payers[chain].address, self.payers[chain].secret)
    }
}

/// What the other chain's gold is called.
pub fn voucher() -> String {
    ics20::ibc_denom(&ics20::received_denom(DENOM, CLIENT, CLIENT))
}

/// What stands between the node and an endpoint, and can lead to another one.
pub struct Proxy {
    target: tokio::sync::watch::Sender<String>,
    pub url: String,
}

impl Proxy {
    pub async fn to(url: &str) -> Self {
        let (target, watched) = tokio::sync::watch::channel(host(url));
        let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async move {
            while let Ok((mut here, _)) = listener.accept().await {
                let mut watched = watched.clone();
                tokio::spawn(async move {
                    let target = watched.borrow_and_update().clone();
                    let Ok(mut there) = tokio::net::TcpStream::connect(target).await else { return };
                    // Connections to the former endpoint are cut.
                    tokio::select! {
                        _ = watched.changed() => {}
                        _ = tokio::io::copy_bidirectional(&mut here, &mut there) => {}
                    }
                });
            }
        });
        Self { target, url }
    }

    pub fn lead_to(&self, url: &str) {
        self.target.send_replace(host(url));
    }
}

fn host(url: &str) -> String {
    url.trim_start_matches("http://").trim_end_matches('/').to_owned()
}
