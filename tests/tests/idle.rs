//! What an idle chain costs: the requests that following it and scanning it for two paths make, block by block.
//!
//! On the devnets blocks come on demand, each is told by a hint, and the next one comes when the last one was taken: so the
//! count is exact, and the bound is one request a block. On the real chains blocks come by themselves, and what is seen
//! there is printed.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeMap;
use std::io::Write as _;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use catenary_adapter_cosmos::{CosmosAdapter, CosmosConfig};
use catenary_adapter_evm::{EvmAdapter, EvmConfig, COMMITMENT_SLOT};
use catenary_api::ChainSource;
use catenary_devnet::cometbft::{CometConfig, CometDevnet};
use catenary_devnet::evm::{EvmConfig as DevnetConfig, EvmDevnet};
use catenary_light_clients::{cometbft, qbft};
use catenary_light_clients::{Anchor, Family, LightClient, TrustOptions};
use catenary_node::chain::endpoints::{Endpoints, Member, Unobserved};
use catenary_node::chain::{Adapter, Admission, Chain, ChainOptions, ChainParts, HasClient};
use catenary_tests::localnet::{nodes_are_here, Quorum, QuorumOptions, Simd, SimdOptions};
use catenary_tests::proxy::Proxy;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

/// Longer than any machine needs; nothing here waits for it but a failing test.
const PATIENCE: Duration = Duration::from_secs(180);
/// Blocks that are counted.
const BLOCKS: u64 = 40;
/// Blocks before that: what is asked once, and the time of a block.
const BLOCKS_BEFORE: u64 = 12;
const TRUST: TrustOptions = TrustOptions {
    trusting_period_seconds: 14 * 86_400,
    // The devnet's blocks are a second apart by their headers, however fast they are asked for.
    clock_drift_seconds: 3_600,
    churn_limit_permille: 1_000,
    allow_no_fault_tolerance: true,
    retain_heights: 1_000,
};

/// Which chain is followed, and from where.
#[derive(Clone)]
enum Of {
    Evm(qbft::Config),
    Cosmos(cometbft::Config),
}

impl Of {
    const fn anchor(&self) -> &Anchor {
        match self {
            Self::Evm(config) => &config.anchor,
            Self::Cosmos(config) => &config.anchor,
        }
    }
}

#[async_trait]
impl Admission for Of {
    async fn admit(&self, endpoints: &Endpoints, _: HasClient) -> catenary_api::Result<Option<Box<dyn LightClient>>> {
        let height = self.anchor().height;
        let update = endpoints.updates_told(height, height, &[]).await?.answer.remove(0);
        Ok(Some(match self {
            Self::Evm(config) => Box::new(qbft::Qbft::new(config.clone(), &update).unwrap()),
            Self::Cosmos(config) => Box::new(cometbft::CometBft::new(config.clone(), &update).unwrap()),
        }))
    }
}

/// A chain that is followed, and scanned for two paths, through a proxy that counts.
struct Rig {
    chain: Arc<Chain>,
    proxy: Proxy,
    calls: Arc<Mutex<BTreeMap<String, u64>>>,
    /// Heights up to which each path has taken the events.
    scanned: [watch::Receiver<u64>; 2],
    stop: CancellationToken,
}

impl Drop for Rig {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

/// Takes the events of each block that can be proven, as a path's scan does.
async fn scan(chain: Arc<Chain>, taken: watch::Sender<u64>) {
    let mut head = chain.watch();
    let mut cursor = 0;
    loop {
        let to = head.borrow_and_update().provable_height;
        if to > cursor {
            let from = if cursor == 0 { to } else { cursor + 1 };
            if chain.endpoints().events_told(from, to, &[]).await.is_ok() {
                cursor = to;
                taken.send_replace(to);
            }
        }
        if head.changed().await.is_err() {
            return;
        }
    }
}

impl Rig {
    async fn start(url: &str, of: Of, poll_ms: u64) -> Self {
        let proxy = Proxy::start(url).unwrap();
        let calls = Arc::new(Mutex::new(BTreeMap::new()));
        let counting = calls.clone();
        proxy.lie(move |request, _| {
            let method = request["method"].as_str().unwrap_or_default().to_owned();
            *counting.lock().unwrap().entry(method).or_insert(0) += 1;
            false
        });
        let (adapter, family, chain_id, instance) = match &of {
            Of::Evm(config) => {
                let own = EvmConfig::new("idle", &proxy.url(), config.chain_id.parse().unwrap());
                let adapter = Arc::new(EvmAdapter::new(EvmConfig { router: Some(config.router), ..own }).unwrap());
                let sides = Adapter { source: adapter.clone(), sink: adapter };
                (sides, Family::Qbft, config.chain_id.clone(), config.instance(Family::Qbft))
            }
            Of::Cosmos(config) => {
                let adapter = Arc::new(CosmosAdapter::new(cosmos(&proxy.url(), &config.chain_id)).unwrap());
                let sides = Adapter { source: adapter.clone(), sink: adapter };
                (sides, Family::CometBft, config.chain_id.clone(), config.instance())
            }
        };
        let member = Member { name: "endpoint-0".into(), adapter, replacer: None, requests_per_second_max: None };
        let options = ChainOptions {
            name: "idle".to_owned(),
            poll_ms,
            stale_after_seconds: 86_400,
            wait_above_head_ms: 1_000,
            skipping: false,
        };
        let parts = ChainParts {
            family,
            instance,
            chain_id,
            endpoints: Arc::new(Endpoints::new("idle", vec![member], Arc::new(Unobserved))),
            client: None,
            admission: Arc::new(of),
            observer: Arc::new(Unobserved),
        };
        let chain = Arc::new(Chain::over(options, parts).paced());
        let stop = CancellationToken::new();
        let (following, stopped) = (chain.clone(), stop.clone());
        tokio::spawn(async move { following.follow(stopped).await });
        let scanned = [(); 2].map(|()| {
            let (taken, scanned) = watch::channel(0);
            tokio::spawn(scan(chain.clone(), taken));
            scanned
        });
        Self { chain, proxy, calls, scanned, stop }
    }

    /// Waits until both paths have taken all up to a height.
    async fn taken(&mut self, height: u64) {
        for scanned in &mut self.scanned {
            let reached = scanned.wait_for(|taken| *taken >= height);
            let done = tokio::time::timeout(PATIENCE, reached).await.is_ok();
            assert!(done, "{height} was not taken: {:?}", self.chain.watch().borrow().clone());
        }
    }

    /// HTTP requests from here on are counted anew; gives those before, with the calls in them by method.
    fn count(&self, before: u64) -> (u64, BTreeMap<String, u64>) {
        (self.proxy.posts() - before, std::mem::take(&mut *self.calls.lock().unwrap()))
    }
}

fn cosmos(url: &str, chain_id: &str) -> CosmosConfig {
    CosmosConfig {
        name: "idle".into(),
        urls: vec![url.to_owned()],
        chain_id: chain_id.to_owned(),
        address_prefix: "cosmos".into(),
        fee_denom: "stake".into(),
        gas_price: "0".into(),
        gas_multiplier_percent: 150,
        gas_max: 10_000_000,
        tx_bytes_max: 500_000,
        messages_max: 50,
    }
}

fn of_evm(chain_id: &str, anchor: Anchor) -> Of {
    Of::Evm(qbft::Config {
        chain_id: chain_id.to_owned(),
        anchor,
        router: [1; 20],
        commitment_slot: COMMITMENT_SLOT,
        trust: TRUST,
        skipping: false,
        validator_contract: None,
    })
}

fn of_cosmos(chain_id: &str, anchor: Anchor) -> Of {
    Of::Cosmos(cometbft::Config {
        chain_id: chain_id.to_owned(),
        anchor,
        store_prefix: vec![b"ibc".to_vec(), Vec::new()],
        trust: TRUST,
        skipping: false,
    })
}

/// For everybody's eyes: the harness keeps what the printing macros write.
fn tell(chain: &str, blocks: u64, (posts, calls): &(u64, BTreeMap<String, u64>)) {
    let _ = writeln!(std::io::stderr(), "{chain}: {posts} requests at {blocks} blocks, with the calls {calls:?}");
}

/// Longer than the test: looks are made by hints alone.
const NEVER_MS: u64 = 600_000;

#[tokio::test(flavor = "multi_thread")]
async fn an_idle_evm_chain_costs_a_request_a_block() {
    let config = DevnetConfig { chain_id: 1_337, block_interval: None, ..DevnetConfig::default() };
    let devnet = EvmDevnet::start(config).await.unwrap();
    devnet.mine(3).await.unwrap();
    let endpoint = devnet.endpoint_on(catenary_devnet::evm::Branch::Main, Default::default()).await.unwrap();
    let hash = devnet.header(catenary_devnet::evm::Branch::Main, 1).unwrap().hash;
    let mut rig = Rig::start(&endpoint.url(), of_evm("1337", Anchor { height: 1, hash }), NEVER_MS).await;
    rig.taken(3).await;
    let mut before = 0;
    for block in 0..BLOCKS_BEFORE + BLOCKS {
        if block == BLOCKS_BEFORE {
            before = rig.proxy.posts();
            rig.count(before);
        }
        let height = devnet.mine(1).await.unwrap();
        rig.chain.hint();
        rig.taken(height).await;
    }
    let counted = rig.count(before);
    tell("EVM devnet, hints", BLOCKS, &counted);
    assert!(counted.0 <= BLOCKS, "{counted:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_idle_cometbft_chain_costs_a_request_a_block() {
    let config = CometConfig { block_interval: None, ..CometConfig::default() };
    let devnet = CometDevnet::start(config).await.unwrap();
    devnet.mine(4).unwrap();
    let hash = catenary_light_clients::Hash32(devnet.block_hash(1).unwrap());
    let of = of_cosmos("devnet-cosmos-1", Anchor { height: 1, hash });
    let mut rig = Rig::start(&devnet.url(), of, NEVER_MS).await;
    rig.taken(devnet.height() - 1).await;
    let mut before = 0;
    for block in 0..BLOCKS_BEFORE + BLOCKS {
        if block == BLOCKS_BEFORE {
            before = rig.proxy.posts();
            rig.count(before);
        }
        let height = devnet.mine(1).unwrap();
        rig.chain.hint();
        rig.taken(height - 1).await;
    }
    let counted = rig.count(before);
    tell("CometBFT devnet, hints", BLOCKS, &counted);
    assert!(counted.0 <= BLOCKS, "{counted:?}");
}

/// Blocks that come by themselves, hinted at by nobody: about one look a block. The bound is loose, since a machine that does
/// much else looks late; what is seen is printed.
async fn seen(chain: &str, mut rig: Rig) {
    rig.taken(1).await;
    let first = *rig.scanned[0].borrow();
    rig.taken(first + BLOCKS_BEFORE).await;
    let (from, before) = (*rig.scanned[0].borrow(), rig.proxy.posts());
    rig.count(before);
    rig.taken(from + BLOCKS).await;
    let (blocks, counted) = (*rig.scanned[0].borrow() - from, rig.count(before));
    tell(chain, blocks, &counted);
    assert!(counted.0 <= 3 * blocks, "{counted:?} at {blocks} blocks");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_idle_simd_is_looked_at_about_once_a_block() {
    if !nodes_are_here("idle::an_idle_simd_is_looked_at_about_once_a_block") {
        return;
    }
    let node = Simd::start(SimdOptions { block_time_ms: 1_000, ..SimdOptions::default() }).unwrap();
    let adapter = CosmosAdapter::new(cosmos(node.rpc_url(0), "sim-1")).unwrap();
    let hash = adapter.identity().await.unwrap().genesis_hash.unwrap();
    let of = of_cosmos("sim-1", Anchor { height: 1, hash });
    seen("simd, no hints", Rig::start(node.rpc_url(0), of, 400).await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_idle_goquorum_is_looked_at_about_once_a_block() {
    if !nodes_are_here("idle::an_idle_goquorum_is_looked_at_about_once_a_block") {
        return;
    }
    let node = Quorum::start(QuorumOptions { validators: 1, ..QuorumOptions::default() }).unwrap();
    let adapter = EvmAdapter::new(EvmConfig::new("idle", node.rpc_url(0), node.options.chain_id)).unwrap();
    let update = adapter.updates(1, 1).await.unwrap().remove(0);
    let anchor = Anchor { height: 1, hash: qbft::block_hash(&update).unwrap() };
    let of = of_evm(&node.options.chain_id.to_string(), anchor);
    seen("GoQuorum, no hints", Rig::start(node.rpc_url(0), of, 400).await).await;
}
