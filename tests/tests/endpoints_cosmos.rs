//! A CometBFT chain over several endpoints as the configuration makes them: one stands still, one lies, one is dead, and
//! the chain goes on by the fourth. Who is wrong is left out, and named in the metrics.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use catenary_devnet::cometbft::{CometConfig, CometDevnet};
use catenary_devnet::fault::{lies, Answer, Change, Lies};
use catenary_devnet::wire::Endpoint;
use catenary_node::chain::{Chain, Prover};
use catenary_node::config::Config;
use catenary_node::store::Ledger;
use catenary_node::telemetry::{Health, Metrics};
use catenary_node::wiring;
use catenary_protocol::{Packet, Payload};
use tokio_util::sync::CancellationToken;

/// Longer than any machine needs; nothing here waits for it but a failing test.
const PATIENCE: Duration = Duration::from_secs(120);
const CHAIN: &str = "cosmos";
const CHAIN_ID: &str = "devnet-cosmos-1";

struct Rig {
    devnet: CometDevnet,
    _endpoints: Vec<Endpoint>,
    chain: Arc<Chain>,
    metrics: Arc<Metrics>,
    health: Arc<Health>,
    stop: CancellationToken,
    _dir: tempfile::TempDir,
}

impl Drop for Rig {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

fn config(dir: &Path, devnet: &CometDevnet, urls: &[String]) -> Config {
    let hash = hex::encode(devnet.block_hash(1).unwrap());
    let passphrase = dir.join("passphrase");
    std::fs::write(&passphrase, "a passphrase of a test").unwrap();
    std::fs::set_permissions(&passphrase, std::fs::Permissions::from_mode(0o600)).unwrap();
    let text = format!(
        "operator = \"alpha\"\ndata_dir = {:?}\n[keystore]\ndir = {:?}\npassphrase_file = {passphrase:?}\n[[chains]]\n\
         name = \"{CHAIN}\"\nfamily = \"cometbft\"\nchain_id = \"{CHAIN_ID}\"\nurls = {urls:?}\n[chains.anchor]\n\
         height = 1\nhash = \"0x{hash}\"\n[chains.trust]\ntrusting_period = \"14d\"\n[chains.cosmos]\n\
         address_prefix = \"cosmos\"\nfee_denom = \"stake\"\ngas_price = \"0\"\n[[operators]]\nid = \"alpha\"\n",
        dir.join("data"),
        dir.join("keys"),
    );
    let file = dir.join("catenary.toml");
    std::fs::write(&file, text).unwrap();
    Config::load(&file, &[]).unwrap_or_else(|errors| panic!("{errors}"))
}

impl Rig {
    /// A chain over endpoints that lie so, the last of which is the honest one.
    async fn start(lies: impl IntoIterator<Item = Lies>) -> Self {
        let config_of_devnet = CometConfig { block_interval: None, ..CometConfig::default() };
        let devnet = CometDevnet::start(config_of_devnet).await.unwrap();
        devnet.mine(4).unwrap();
        let mut endpoints = Vec::new();
        for lies in lies.into_iter().chain([Lies::default()]) {
            endpoints.push(devnet.endpoint(lies).await.unwrap());
        }
        let urls: Vec<String> = endpoints.iter().map(Endpoint::url).collect();
        let dir = tempfile::tempdir().unwrap();
        let config = config(dir.path(), &devnet, &urls);
        let ledger = Arc::new(Ledger::open(&config.data_dir).unwrap().0);
        let (metrics, health) = (wiring::metrics_for(&config), wiring::health_for(&config));
        let observer = wiring::observer_for(&config.chains[0], &metrics, &health, None);
        let chain = wiring::over_endpoints(&config.chains[0], &ledger, observer, (&metrics, &health)).unwrap();
        let stop = CancellationToken::new();
        let (following, stopped) = (chain.clone(), stop.clone());
        tokio::spawn(async move { following.follow(stopped).await });
        Self { devnet, _endpoints: endpoints, chain, metrics, health, stop, _dir: dir }
    }

    async fn reach(&self, height: u64) {
        let mut watch = self.chain.watch();
        let reached = watch.wait_for(|state| state.provable_height >= height && state.stop.is_none());
        let done = tokio::time::timeout(PATIENCE, reached).await.is_ok();
        assert!(done, "{height} was not reached: {:?}", self.chain.watch().borrow().clone());
    }

    /// Makes blocks, and waits until the state before the newest one is proven.
    async fn advance(&self, blocks: u64) {
        let height = self.devnet.mine(blocks).unwrap();
        self.reach(height - 1).await;
    }

    fn value(&self, series: &str) -> f64 {
        let page = self.metrics.page();
        let line =
            page.lines().find_map(|line| line.strip_prefix(series)).unwrap_or_else(|| panic!("{series}: {page}"));
        line.trim().parse().unwrap()
    }

    /// Whether requests go to an endpoint, as the metrics say.
    fn is_up(&self, at: usize) -> bool {
        self.value(&format!("catenary_rpc_endpoint_up{{chain=\"{CHAIN}\",endpoint=\"endpoint-{at}\"}}")) > 0.0
    }

    fn disagreements(&self, at: usize) -> f64 {
        self.value(&format!("catenary_rpc_disagreements_total{{chain=\"{CHAIN}\",endpoint=\"endpoint-{at}\"}}"))
    }

    /// The codes of those that are left out, by name.
    fn left_out(&self) -> Vec<String> {
        let mut told = Vec::new();
        self.health.chain(CHAIN, |health| {
            told = health.endpoints_left_out.iter().map(|(name, why)| format!("{name} {}", why.code)).collect();
        });
        told
    }

    /// Compares the endpoints, on a chain that goes on, until it is so.
    async fn until(&self, what: &str, holds: impl Fn(&Self) -> bool) {
        let started = Instant::now();
        while !holds(self) {
            assert!(started.elapsed() < PATIENCE, "{what}: {:?}", self.left_out());
            self.advance(2).await;
            self.chain.compare().await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_stands_still_one_that_lies_and_a_dead_one_are_named_while_the_fourth_serves() {
    let [still, liar, dead] = [(); 3].map(|()| Lies::default());
    let rig = Rig::start([still.clone(), liar.clone(), dead.clone()]).await;
    rig.advance(2).await;
    assert_eq!(rig.left_out(), [""; 0]);
    still.tell(lies::freeze(&["status"]));
    liar.tell(lies::change("commit", "/signed_header/header/app_hash", Change::Flip));
    dead.tell(lies::always("*", Answer::Status(503)));
    rig.until("three are left out", |rig| rig.left_out().len() == 3).await;
    let left_out = rig.left_out();
    assert_eq!(left_out[0], "endpoint-0 NODE-END-002", "{left_out:?}");
    assert!(left_out[1].starts_with("endpoint-1 LC-"), "{left_out:?}");
    assert_eq!(left_out[2], "endpoint-2 NODE-END-001", "{left_out:?}");
    assert_eq!([0, 1, 2, 3].map(|at| rig.is_up(at)), [false, false, false, true]);
    assert_eq!([0, 2, 3].map(|at| rig.disagreements(at)), [0.0; 3], "only the liar is blamed for a lie");
    assert!(rig.disagreements(1) > 0.0);
    rig.advance(8).await;
    // Whoever is right again serves again; whoever is not stays out.
    still.tell_truth();
    dead.tell_truth();
    rig.until("two are back", |rig| rig.is_up(0) && rig.is_up(2)).await;
    assert!(!rig.is_up(1) && rig.is_up(3));
}

fn packet() -> Packet {
    let payload = Payload {
        source_port: "transfer".into(),
        destination_port: "transfer".into(),
        version: "ics20-1".into(),
        encoding: "application/json".into(),
        value: b"{}".to_vec(),
    };
    Packet {
        sequence: 1,
        source_client: "client-0".into(),
        destination_client: "client-1".into(),
        timeout_timestamp_seconds: 1,
        payloads: vec![payload],
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lying_proof_is_blamed_by_name_and_its_endpoint_left_out() {
    let liar = Lies::default();
    let rig = Rig::start([liar.clone()]).await;
    rig.advance(2).await;
    let height = rig.chain.head();
    liar.tell(lies::change("abci_query", "/response/proofOps/ops/0/data", Change::Flip));
    let proven = rig.chain.commitment_absences(height, &[packet()]).await.unwrap();
    assert!(liar.told() > 0, "the liar was asked");
    assert!(proven.iter().all(Result::is_ok), "the other one's proof holds: {proven:?}");
    assert_eq!((rig.is_up(0), rig.is_up(1)), (false, true));
    assert!(rig.disagreements(0) >= 1.0);
    assert_eq!(rig.disagreements(1), 0.0);
    let left_out = rig.left_out();
    assert!(left_out.len() == 1 && left_out[0].starts_with("endpoint-0 LC-"), "{left_out:?}");
    // It is not asked again while the other one serves.
    let told = liar.told();
    rig.chain.commitment_absences(height, &[packet()]).await.unwrap();
    assert_eq!(liar.told(), told);
}
