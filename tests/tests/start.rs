//! A node whose chains are down when it starts: it starts, says so, and connects them when they come.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::{Duration, Instant};

use catenary_devnet::cometbft::{CometConfig, CometDevnet};
use catenary_devnet::fault::{lies, Answer, Lies};
use catenary_node::config::Config;
use catenary_node::wiring::{self, WiringError};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// Longer than any machine needs; nothing here waits for it but a failing test.
const PATIENCE: Duration = Duration::from_secs(60);

/// A node of two Cosmos chains, without paths or keys of its own.
struct Node {
    address: SocketAddr,
    stop: CancellationToken,
    task: JoinHandle<Result<(), WiringError>>,
}

fn chain(name: &str, devnet: &CometDevnet, (url, chain_id): (&str, &str)) -> String {
    let hash = hex::encode(devnet.block_hash(1).unwrap());
    format!(
        "[[chains]]\nname = \"{name}\"\nfamily = \"cometbft\"\nchain_id = \"{chain_id}\"\nurls = [\"{url}\"]\n\
         [chains.anchor]\nheight = 1\nhash = \"0x{hash}\"\n[chains.trust]\ntrusting_period = \"14d\"\n\
         [chains.cosmos]\naddress_prefix = \"cosmos\"\nfee_denom = \"stake\"\ngas_price = \"0\"\n"
    )
}

impl Node {
    fn start(dir: &Path, chains: &str) -> Self {
        let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port();
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        let passphrase = dir.join("passphrase");
        std::fs::write(&passphrase, "a passphrase of a test").unwrap();
        std::fs::set_permissions(&passphrase, std::fs::Permissions::from_mode(0o600)).unwrap();
        let text = format!(
            "operator = \"alpha\"\ndata_dir = {:?}\n[telemetry]\nlisten = \"{address}\"\n[keystore]\ndir = {:?}\n\
             passphrase_file = {passphrase:?}\n{chains}[[operators]]\nid = \"alpha\"\n",
            dir.join("data"),
            dir.join("keys"),
        );
        let file = dir.join("catenary.toml");
        std::fs::write(&file, text).unwrap();
        let config = Config::load(&file, &[]).unwrap_or_else(|errors| panic!("{errors}"));
        let stop = CancellationToken::new();
        let metrics = wiring::metrics_for(&config);
        let task = tokio::spawn(Box::pin(wiring::run(config, metrics, stop.clone())));
        Self { address, stop, task }
    }

    /// Status and body of a page; nothing while nobody listens.
    async fn get(&self, page: &str) -> Option<(u16, String)> {
        let url = format!("http://{}{page}", self.address);
        let asked = tokio::task::spawn_blocking(move || {
            let agent: ureq::Agent = ureq::Agent::config_builder().http_status_as_error(false).build().into();
            let mut answer = agent.get(&url).call().ok()?;
            let status = answer.status().as_u16();
            Some((status, answer.body_mut().read_to_string().ok()?))
        });
        asked.await.unwrap()
    }

    /// Asks until the page has this status and these words.
    async fn wait_for(&self, page: &str, status: u16, words: &str) {
        let started = Instant::now();
        loop {
            let got = self.get(page).await;
            if got.as_ref().is_some_and(|(code, body)| *code == status && body.contains(words)) {
                return;
            }
            assert!(started.elapsed() < PATIENCE && !self.task.is_finished(), "{page}: {words} not in {got:?}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    async fn stop(self) {
        self.stop.cancel();
        self.task.await.unwrap().unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_starts_with_chains_down_and_connects_them_when_they_come() {
    let dir = tempfile::tempdir().unwrap();
    let devnet = CometDevnet::start(CometConfig::default()).await.unwrap();
    let late = Lies::of(lies::always("*", Answer::Status(503)));
    let other = CometConfig { chain_id: "late-1".to_owned(), seed: 2, ..CometConfig::default() };
    let other = CometDevnet::start(other).await.unwrap();
    let endpoint = other.endpoint(late.clone()).await.unwrap();
    let up = chain("up", &devnet, (&devnet.url(), "devnet-cosmos-1"));
    let node = Node::start(dir.path(), &(up + &chain("late", &other, (&endpoint.url(), "late-1"))));
    // It has done its part of the start, serves metrics, follows what is up, and names what is down.
    node.wait_for("/readyz", 503, "chain late is stopped: NODE-CHN-005").await;
    node.wait_for("/startupz", 200, "\"ready\":true").await;
    node.wait_for("/livez", 200, "\"ready\":true").await;
    node.wait_for("/metrics", 200, "catenary_client_trusted_height{client=\"late\"} 0").await;
    let (_, ready) = node.get("/readyz").await.unwrap();
    assert!(!ready.contains("chain up is stopped"), "{ready}");
    late.tell_truth();
    node.wait_for("/readyz", 200, "\"ready\":true").await;
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn another_network_refuses_the_start_and_later_stops_its_chain() {
    let devnet = CometDevnet::start(CometConfig::default()).await.unwrap();
    let dir = tempfile::tempdir().unwrap();
    let node = Node::start(dir.path(), &chain("wrong", &devnet, (&devnet.url(), "another-1")));
    let refused = tokio::time::timeout(PATIENCE, node.task).await.unwrap().unwrap().unwrap_err();
    assert_eq!(refused.code(), "NODE-WIR-005", "{refused}");
    // One that answers after the start is stopped with the code, and the node goes on.
    let dir = tempfile::tempdir().unwrap();
    let late = Lies::of(lies::always("*", Answer::Status(503)));
    let endpoint = devnet.endpoint(late.clone()).await.unwrap();
    let node = Node::start(dir.path(), &chain("wrong", &devnet, (&endpoint.url(), "another-1")));
    node.wait_for("/readyz", 503, "NODE-CHN-005").await;
    late.tell_truth();
    node.wait_for("/readyz", 503, "NODE-WIR-005").await;
    node.wait_for("/startupz", 200, "\"ready\":true").await;
    node.stop().await;
}
