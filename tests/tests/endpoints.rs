//! A chain over several endpoints of one devnet, each of which fails or lies in its own way: the chain goes on while one
//! is right, who is wrong is named, and it is asked again when it is right.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use catenary_adapter_evm::{EvmAdapter, EvmConfig as AdapterConfig, COMMITMENT_SLOT};
use catenary_devnet::evm::{Branch, EvmConfig, EvmDevnet, EvmFault};
use catenary_devnet::fault::{lies, Answer, Change, Lies};
use catenary_devnet::wire::Endpoint;
use catenary_light_clients::qbft::{Config, Qbft};
use catenary_light_clients::{Anchor, Family, LightClient, TrustOptions};
use catenary_node::chain::endpoints::{Call, EndpointObserver, Endpoints, LeftOut, Member, Standing, Unobserved, Went};
use catenary_node::chain::hint::Hint;
use catenary_node::chain::{Adapter, Admission, Authorities, Chain, ChainOptions, ChainParts, HasClient};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

const CHAIN_ID: u64 = 1_337;
/// Longer than any machine needs; nothing here waits for it but a failing test.
const PATIENCE: Duration = Duration::from_secs(60);
const TRUST: TrustOptions = TrustOptions {
    trusting_period_seconds: 14 * 86_400,
    clock_drift_seconds: 10,
    churn_limit_permille: 1_000,
    allow_no_fault_tolerance: true,
    retain_heights: 1_000,
};

/// What is told of endpoints, in order: the name, and `up` or the code.
#[derive(Default)]
struct Told {
    all: Mutex<Vec<String>>,
    count: watch::Sender<usize>,
}

impl Told {
    fn say(&self, line: String) {
        self.all.lock().unwrap().push(line);
        self.count.send_modify(|count| *count += 1);
    }

    /// Waits until it was told.
    async fn wait_for(&self, line: &str) {
        let mut count = self.count.subscribe();
        let told = count.wait_for(|_| self.all.lock().unwrap().iter().any(|said| said == line));
        let done = tokio::time::timeout(PATIENCE, told).await.is_ok();
        assert!(done, "{line} was not told, but {:?}", self.all.lock().unwrap());
    }
}

impl EndpointObserver for Told {
    fn asked(&self, _: &str, _: Call, _: Went) {}
    fn scored(&self, _: &str, _: f64) {}
    fn changed(&self, endpoint: &str, standing: &Standing) {
        self.say(format!("{endpoint} {}", standing.why.as_ref().map_or("up", |why| why.code)));
    }
    fn disagreed(&self, endpoint: &str, why: &LeftOut) {
        self.say(format!("{endpoint} said {}", why.code));
    }
}

struct FromAnchor(Anchor);

#[async_trait]
impl Admission for FromAnchor {
    async fn admit(&self, endpoints: &Endpoints, _: HasClient) -> catenary_api::Result<Option<Box<dyn LightClient>>> {
        endpoints.identify_all(&CHAIN_ID.to_string()).await?;
        let told = endpoints.updates_told(self.0.height, self.0.height, &[]).await?;
        let config = config(self.0.clone());
        Ok(Some(Box::new(Qbft::new(config, &told.answer[0]).unwrap())))
    }
}

fn config(anchor: Anchor) -> Config {
    Config {
        chain_id: CHAIN_ID.to_string(),
        anchor,
        router: [1; 20],
        commitment_slot: COMMITMENT_SLOT,
        trust: TRUST,
        skipping: false,
        validator_contract: None,
    }
}

/// A devnet, two endpoints of it, and a chain that follows both.
struct Rig {
    devnet: EvmDevnet,
    endpoints: Vec<Endpoint>,
    chain: Arc<Chain>,
    told: Arc<Told>,
    stop: CancellationToken,
}

impl Drop for Rig {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

impl Rig {
    async fn start(lies: [Lies; 2], branches: [Branch; 2]) -> Self {
        Self::looking_every(20, lies, branches).await
    }

    async fn looking_every(poll_ms: u64, lies: [Lies; 2], branches: [Branch; 2]) -> Self {
        let config = EvmConfig { chain_id: CHAIN_ID, block_interval: None, ..EvmConfig::default() };
        let devnet = EvmDevnet::start(config).await.unwrap();
        devnet.mine(3).await.unwrap();
        let anchor = Anchor { height: 1, hash: devnet.header(Branch::Main, 1).unwrap().hash };
        let (mut endpoints, mut members) = (Vec::new(), Vec::new());
        for ((index, lies), branch) in lies.into_iter().enumerate().zip(branches) {
            let endpoint = devnet.endpoint_on(branch, lies).await.unwrap();
            let adapter = EvmAdapter::new(AdapterConfig::new("test", &endpoint.url(), CHAIN_ID)).unwrap();
            let adapter = Arc::new(adapter.with_attempts_max(1));
            let adapter = Adapter { source: adapter.clone(), sink: adapter };
            members.push(Member { name: format!("e{index}"), adapter, replacer: None, requests_per_second_max: None });
            endpoints.push(endpoint);
        }
        let told = Arc::new(Told::default());
        let options = ChainOptions {
            name: "test".to_owned(),
            poll_ms,
            stale_after_seconds: 86_400,
            wait_above_head_ms: 1_000,
            skipping: false,
        };
        let parts = ChainParts {
            family: Family::Qbft,
            instance: instance_of(&anchor),
            chain_id: CHAIN_ID.to_string(),
            endpoints: Arc::new(Endpoints::new("test", members, told.clone())),
            client: None,
            admission: Arc::new(FromAnchor(anchor)),
            observer: Arc::new(Unobserved),
        };
        let chain = Arc::new(Chain::over(options, parts));
        let stop = CancellationToken::new();
        let (following, stopped) = (chain.clone(), stop.clone());
        tokio::spawn(async move { following.follow(stopped).await });
        Self { devnet, endpoints, chain, told, stop }
    }

    /// Makes blocks, and waits until the newest one is verified.
    async fn advance(&self, blocks: u64) {
        let height = self.devnet.mine(blocks).await.unwrap();
        self.reach(height).await;
    }

    async fn reach(&self, height: u64) {
        let mut watch = self.chain.watch();
        let reached = watch.wait_for(|state| state.provable_height >= height && state.stop.is_none());
        let done = tokio::time::timeout(PATIENCE, reached).await.is_ok();
        let told = self.told.all.lock().unwrap().clone();
        assert!(done, "{height} was not reached: {:?}; {told:?}", self.chain.watch().borrow().clone());
    }
}

fn instance_of(anchor: &Anchor) -> catenary_light_clients::InstanceId {
    config(anchor.clone()).instance(Family::Qbft)
}

const MAIN: [Branch; 2] = [Branch::Main, Branch::Main];

/// The first endpoint does what the lie says from some block on; it is left out with this code, the chain goes on, and
/// once the truth is told it serves again.
async fn check(lie: catenary_devnet::fault::Lie, code: &str) {
    let lies = Lies::default();
    let rig = Rig::start([lies.clone(), Lies::default()], MAIN).await;
    rig.advance(2).await;
    lies.tell(lie);
    // Twice: what stands still stands still where it is first asked.
    rig.advance(8).await;
    rig.advance(8).await;
    rig.told.wait_for(&format!("e0 {code}")).await;
    rig.advance(2).await;
    assert!(!rig.chain.endpoints().standing(0).up && rig.chain.endpoints().standing(1).up);
    lies.tell_truth();
    rig.told.all.lock().unwrap().clear();
    rig.told.wait_for("e0 up").await;
    rig.advance(2).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_frozen_endpoint_is_left_out_while_another_serves() {
    check(lies::freeze(&["eth_blockNumber", "eth_getBlockByNumber"]), "NODE-END-002").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_header_that_contradicts_itself_is_blamed_on_its_endpoint() {
    check(lies::change("eth_getBlockByNumber", "/stateRoot", Change::Flip), "EVM-HDR-004").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dead_endpoint_is_left_out_and_comes_back() {
    check(lies::always("*", Answer::Status(503)), "NODE-END-001").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_silent_endpoint_holds_nobody_up() {
    let rig = Rig::start([Lies::of(lies::silence("*")), Lies::default()], MAIN).await;
    rig.reach(3).await;
    rig.advance(5).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_chain_whose_endpoints_are_all_down_is_connected_when_one_comes() {
    let lies = [(); 2].map(|()| Lies::of(lies::always("*", Answer::Status(503))));
    let rig = Rig::start(lies.clone(), MAIN).await;
    let mut watch = rig.chain.watch();
    let held = watch.wait_for(|state| state.stop.as_ref().is_some_and(|stop| stop.message.contains("EVM-RPC-002")));
    tokio::time::timeout(PATIENCE, held).await.unwrap().unwrap();
    let stop = rig.chain.watch().borrow().stop.clone().unwrap();
    assert_eq!(stop.code, "NODE-CHN-005", "{}", stop.message);
    assert!(rig.chain.is_unconnected() && rig.chain.status().trusted_height == 0);
    lies[1].tell_truth();
    rig.reach(3).await;
    rig.advance(2).await;
    assert!(!rig.chain.is_unconnected());
    lies[0].tell_truth();
    rig.told.wait_for("e0 up").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_endpoints_on_two_valid_chains_freeze_the_light_client() {
    let rig = Rig::start([Lies::default(), Lies::default()], [Branch::Main, Branch::Other]).await;
    rig.reach(3).await;
    rig.devnet.fault(EvmFault::Equivocation).await;
    rig.devnet.mine(3).await.unwrap();
    let mut watch = rig.chain.watch();
    let frozen = watch.wait_for(|state| state.stop.as_ref().is_some_and(|stop| stop.code == "NODE-CHN-003"));
    assert!(tokio::time::timeout(PATIENCE, frozen).await.is_ok(), "{:?}", rig.chain.status());
    assert_eq!(rig.endpoints.len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_block_over_the_socket_wakes_the_follower() {
    // Without hints, the next look would be ten minutes away.
    let rig = Rig::looking_every(600_000, [Lies::default(), Lies::default()], MAIN).await;
    rig.reach(3).await;
    let subscribe = r#"{"jsonrpc":"2.0","id":1,"method":"eth_subscribe","params":["newHeads"]}"#.to_owned();
    let hint = |url: String| Hint { url, subscribe: subscribe.clone(), authorities: Authorities::public() };
    // The first socket is dead: the next one is taken.
    let hints = vec![hint("ws://127.0.0.1:9".to_owned()), hint(rig.endpoints[1].ws_url())];
    let listening = tokio::spawn(rig.chain.clone().listen(hints));
    // Blocks are made until the subscription is there to see one.
    let mut watch = rig.chain.watch();
    let seen = async {
        loop {
            let height = rig.devnet.mine(1).await.unwrap();
            let reached = watch.wait_for(|state| state.provable_height >= height);
            if tokio::time::timeout(Duration::from_millis(500), reached).await.is_ok() {
                return;
            }
        }
    };
    assert!(tokio::time::timeout(PATIENCE, seen).await.is_ok());
    listening.abort();
}
