//! An operator: the node's own parts, put together as the node does, over simulated chains and peers.

use std::collections::BTreeMap;
use std::io::Cursor;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use catenary_api::{KeyId, PublicKey, Purpose, SignRequest, Signer};
use catenary_core::engine::{Entry, JobKind, Key, Options, Outcome, Side};
use catenary_light_clients::crypto::keccak256;
use catenary_light_clients::qbft::{Config, Qbft};
use catenary_light_clients::testing::Key as TestKey;
use catenary_light_clients::{Class, Family, LightClient, Rejection, Status, Timestamp};
use catenary_node::attestor::{
    server, Attestor, Availability, ClientPair, Collector, CollectorConfig, Member as PathMember, PeerClient, Reach,
};
use catenary_node::chain::endpoints::Endpoints;
use catenary_node::chain::{Chain as NodeChain, ChainObserver, ChainOptions, ChainParts, Prover, Stop};
use catenary_node::config::Limits;
use catenary_node::journal::JournalOptions;
use catenary_node::keystore::{Binding, Keystore, KeystoreSigner, Passphrase};
use catenary_node::relay::{
    probe, Attested, ChainWatch, ClientStand, Material, PathContext, PathObserver, PathRunner, PathSide, PathWatch,
    ReleasingSigner, SendPolicy, Sender, SenderParts, Swept, TxEvent,
};
use catenary_node::store::Ledger;
use catenary_node::telemetry::metrics::{ChainScope, PathScope, SideScope};
use catenary_node::telemetry::{ChainHealth, Health, Metrics, MetricsScope, PathHealth};
use catenary_node::wiring::{keep, restore_ends, AttestorSigner, KeepPlan, PathEnd, Signers};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::disk::SimDisk;
use super::endpoint::Endpoint;
use super::peers::Link;
use super::plan::OPERATORS;
use super::ways::{adapter, endpoint_name, members, Admitted, AnyOf, SeenEndpoints};
use super::world::{lock, Killed, World};

/// The chains' names.
pub(crate) const CHAINS: [&str; 2] = ["ant", "bee"];
/// The path's name.
const PATH: &str = "ant-bee";
/// Seconds after which a verified head is stale.
const STALE_SECONDS: u64 = 30;

/// Sequences that share a leader.
const BUCKET: u64 = 2;
/// A packet whose timeout is nearer than this is not delivered any more.
const RECV_MARGIN_SECONDS: u64 = 5;

/// The keys that a member may send with on a chain.
fn send_keys(chain: usize) -> impl Iterator<Item = String> {
    ["", "-2"].into_iter().map(move |suffix| format!("send-{}{suffix}", CHAINS[chain]))
}

/// Name of an operator.
pub(crate) fn name(member: usize) -> String {
    ["alpha", "beta", "gamma"][member].to_owned()
}

fn secret(member: usize, what: &str) -> [u8; 32] {
    keccak256(&[b"simulated key", what.as_bytes(), &[u8::try_from(member).expect("a few")]]).0
}

/// The address that a member attests a chain with.
pub(crate) fn attestor_address(member: usize, chain: usize) -> [u8; 20] {
    let key = TestKey::from_secret(&secret(member, &format!("attest-{}", CHAINS[chain]))).expect("a valid secret");
    key.address().0
}

/// Keystores whose keys are opened once for all worlds, since opening one costs more than all else.
pub(crate) struct Keys {
    dirs: Vec<tempfile::TempDir>,
    signers: Vec<KeystoreSigner>,
}

/// The keys that are bound to the light clients of these chains.
pub(crate) fn keys(large_sets: bool, configs: &[Config; 2]) -> &'static Keys {
    static SMALL: OnceLock<Keys> = OnceLock::new();
    static LARGE: OnceLock<Keys> = OnceLock::new();
    (if large_sets { &LARGE } else { &SMALL }).get_or_init(|| Keys::make(configs))
}

impl Keys {
    fn make(configs: &[Config; 2]) -> Self {
        let (mut dirs, mut signers) = (Vec::new(), Vec::new());
        let passphrase = Passphrase::new("simulated passphrase".into());
        for member in 0..OPERATORS {
            let dir = tempfile::tempdir().expect("a temporary directory");
            let keystore = Keystore::new(&dir.path().join("keys"));
            let mut ids = Vec::new();
            for (index, config) in configs.iter().enumerate() {
                let chain = CHAINS[index];
                let instance = config.instance(Family::Qbft);
                let attests = (format!("attest-{chain}"), Binding::attestor(chain, instance));
                let sends = |key| (key, Binding::Transactions { chain: chain.into() });
                for (id, binding) in std::iter::once(attests).chain(send_keys(index).map(sends)) {
                    let text = hex::encode(secret(member, &id));
                    keystore.import(&id, binding, Cursor::new(text), &passphrase).expect("a good key");
                    ids.push(KeyId(id));
                }
            }
            let ledger = Arc::new(Ledger::open_in_memory(&dir.path().join("unused")).expect("a new journal"));
            signers.push(KeystoreSigner::open(keystore, &ids, &passphrase, ledger).expect("keys that were just made"));
            dirs.push(dir);
        }
        Self { dirs, signers }
    }

    /// Puts a member's keystore into its directory, before its first life.
    pub(crate) fn install(&self, member: usize, dir: &Path) {
        use std::os::unix::fs::DirBuilderExt;
        let to = dir.join("keys");
        std::fs::DirBuilder::new().recursive(true).mode(0o700).create(&to).expect("a directory in memory");
        for file in std::fs::read_dir(self.dirs[member].path().join("keys")).expect("a keystore").flatten() {
            std::fs::copy(file.path(), to.join(file.file_name())).expect("a small file");
        }
    }
}

/// The keystore's signer, watched.
struct WatchedSigner {
    inner: Signers,
    world: Arc<World>,
    member: usize,
}

impl Signer for WatchedSigner {
    fn public_key(&self, key: &KeyId) -> catenary_api::Result<PublicKey> {
        self.inner.public_key(key)
    }

    fn sign(&self, request: &SignRequest) -> catenary_api::Result<[u8; 65]> {
        let signature = self.inner.sign(request)?;
        let (Purpose::Transaction { chain, nonce } | Purpose::Replacement { chain, nonce }) = &request.purpose else {
            return Ok(signature);
        };
        let place = (chain.clone(), request.key.0.clone(), *nonce);
        let is_replacement = matches!(request.purpose, Purpose::Replacement { .. });
        self.world.check_signature(self.member, &place, request.digest, is_replacement);
        Ok(signature)
    }
}

impl ReleasingSigner for WatchedSigner {
    fn release_nonce(&self, key: &KeyId, chain: &str, nonce: u64, reason: &str) -> catenary_api::Result<()> {
        self.world.check_release(self.member, &(chain.to_owned(), key.0.clone(), nonce), reason);
        self.inner.release_nonce(key, chain, nonce, reason)
    }
}

/// The node's own observer, and the invariants beside it.
struct Watch {
    inner: PathWatch,
    world: Arc<World>,
    member: usize,
}

impl PathObserver for Watch {
    fn scanned(&self, chain: &str, height: u64) {
        self.inner.scanned(chain, height);
    }

    fn scanning(&self, path: &str, side: Side, outcome: Result<(), (&'static str, String)>) {
        self.inner.scanning(path, side, outcome);
    }

    fn endpoint_failed(&self, chain: &str, code: &'static str) {
        PathObserver::endpoint_failed(&self.inner, chain, code);
    }

    fn packets(&self, path: &str, packets: &mut dyn Iterator<Item = (&Key, &Entry)>) {
        self.inner.packets(path, packets);
    }

    fn impossible(&self, path: &str, count: u64) {
        if count > 0 {
            self.world.violated("impossible transition", format!("member {}: {count} on {path}", self.member));
        }
    }

    fn entered(&self, path: &str, key: Key, entry: &Entry) {
        self.inner.entered(path, key, entry);
        self.world.check_entered(self.member, key, entry);
    }

    fn ended(&self, path: &str, entry: &Entry, outcome: Outcome, now: Timestamp) {
        self.inner.ended(path, entry, outcome, now);
        let source =
            [0, 1].into_iter().find(|index| self.world.chain(*index).spec.client_id == entry.packet.source_client);
        self.world.check_ended(self.member, source, entry, outcome);
    }

    fn served(&self, path: &str, side: Side, outcome: Result<(), (&'static str, String)>) {
        self.inner.served(path, side, outcome);
    }

    fn available(&self, path: &str, side: Side, chain: &str, availability: &Availability) {
        self.inner.available(path, side, chain, availability);
    }

    fn batch(&self, chain: &str, kind: JobKind, messages: usize, bytes: usize) {
        self.inner.batch(chain, kind, messages, bytes);
    }

    fn swept(&self, path: &str, source: Side, chain: &str, outcome: Result<&Swept, (&'static str, String)>) {
        if let Ok(Swept { gaps: 1.., .. }) = outcome {
            self.world.happened("a gap is found");
        }
        self.world.note(format!("member {} sweeps {chain} {outcome:?}", self.member));
        self.inner.swept(path, source, chain, outcome);
    }

    fn retried(&self, path: &str, class: Class, code: &'static str) {
        self.inner.retried(path, class, code);
        self.world.note(format!("member {} tries again {code}", self.member));
        if class == Class::Bug {
            self.world.violated("a bug by its own words", format!("member {}: {code}", self.member));
        }
    }
}

/// The node's own observer of a chain, and a line in the trace for each thing that it tells.
struct SeenChain {
    inner: ChainWatch,
    world: Arc<World>,
    member: usize,
}

impl ChainObserver for SeenChain {
    fn checked(&self, check: &'static str, outcome: Result<(), &Rejection>, took: Duration) {
        if let Err(rejection) = outcome {
            self.world.note(format!("member {} {} refuses {check} {}", self.member, self.inner.chain, rejection.code));
        }
        self.inner.checked(check, outcome, took);
    }

    fn advanced(&self, status: &Status, saved: &dyn Fn() -> Vec<u8>) {
        self.inner.advanced(status, saved);
    }

    fn froze(&self, status: &Status, saved: &dyn Fn() -> Vec<u8>) {
        self.world.violated("frozen", format!("member {}'s light client of {}", self.member, self.inner.chain));
        self.inner.froze(status, saved);
    }

    fn stopped(&self, reason: Option<&Stop>) {
        self.inner.stopped(reason);
    }

    fn endpoint_failed(&self, code: &'static str) {
        ChainObserver::endpoint_failed(&self.inner, code);
    }
}

impl catenary_node::relay::SendObserver for Watch {
    fn transaction(&self, event: &TxEvent<'_>) {
        self.inner.transaction(event);
        self.world.note(format!("member {} transaction on {} {}", self.member, event.chain, event.outcome));
    }

    fn account(&self, chain: &str, key: &str, account: &catenary_api::Account, next: u64) {
        self.inner.account(chain, key, account, next);
    }

    fn in_flight(&self, chain: &str, key: &str, count: usize) {
        self.inner.in_flight(chain, key, count);
    }
}

fn metrics(world: &World) -> Arc<Metrics> {
    let chains = CHAINS.map(|name| ChainScope {
        name: name.into(),
        family: Family::Qbft,
        trusting_period_seconds: 1_000_000,
        endpoints: (0..world.plan.all_endpoints().count()).map(endpoint_name).collect(),
        signers: vec![format!("send-{name}"), format!("send-{name}-2")],
        fee_asset: "wei".into(),
    });
    let sides = [0, 1].map(|index| {
        let client_id = world.chain(index).spec.client_id.to_owned();
        SideScope { chain: CHAINS[index].into(), client_id }
    });
    Metrics::new(&MetricsScope {
        config_hash: "simulated".into(),
        profile: "default".into(),
        chains: chains.into(),
        paths: vec![PathScope { name: PATH.into(), sides }],
        operators: (0..OPERATORS).map(name).collect(),
    })
}

fn health() -> Arc<Health> {
    let chain = ChainHealth {
        started: false,
        head_timestamp: None,
        head_age_seconds_max: STALE_SECONDS,
        stopped: None,
        endpoints_left_out: std::collections::BTreeMap::new(),
    };
    let chains = CHAINS.map(|name| (name.to_owned(), chain.clone()));
    let path = PathHealth { chains: CHAINS.map(str::to_owned).into(), ..PathHealth::default() };
    Arc::new(Health::new(chains.into(), [(PATH.to_owned(), path)].into()))
}

/// A life that is being put together.
struct Life {
    world: Arc<World>,
    member: usize,
    life: u64,
    ledger: Arc<Ledger>,
    signer: Arc<KeystoreSigner>,
    metrics: Arc<Metrics>,
    health: Arc<Health>,
    watch: Arc<Watch>,
}

/// Lives one life of a member until it is stopped, or dies.
pub(crate) async fn live(world: Arc<World>, keys: &'static Keys, member: usize, stop: CancellationToken) {
    let life = world.members[member].life.load(Ordering::Relaxed);
    let dir = world.members[member].dir.clone();
    let disk = SimDisk::new(world.clone(), member, life);
    let options = JournalOptions { disk, ..JournalOptions::default() };
    let ledger = match Ledger::open_in_memory_with(&dir, options) {
        Ok(ledger) => Arc::new(ledger),
        // It is started again and again, until there is room.
        Err(error) if world.is_disk_bad(member, false) || world.is_disk_bad(member, true) => {
            world.note(format!("member {member} does not start: {error}"));
            return world.members[member].alive.store(false, Ordering::Relaxed);
        }
        Err(error) => return world.violated("journal", format!("member {member} does not start: {error}")),
    };
    lock(&world.members[member].state).ledger = Arc::downgrade(&ledger);
    let signer =
        keys.signers[member].reopened(Keystore::new(&dir.join("keys")), ledger.clone()).expect("the same keys");
    let (metrics, health) = (metrics(&world), health());
    let inner = PathWatch {
        metrics: metrics.clone(),
        health: health.clone(),
        assets: CHAINS.map(|name| (name.to_owned(), "wei".to_owned())).into(),
    };
    let watch = Arc::new(Watch { inner, world: world.clone(), member });
    let life = Life { world, member, life, ledger, signer: Arc::new(signer), metrics, health, watch };
    life.run(stop).await;
}

impl Life {
    async fn run(self, stop: CancellationToken) {
        let mut tasks = JoinSet::new();
        let chains: Vec<Arc<NodeChain>> = (0..2).map(|index| self.chain(index)).collect();
        for chain in &chains {
            let (chain, stop) = (chain.clone(), stop.clone());
            tasks.spawn(async move { chain.follow(stop).await });
        }
        let attestors: Vec<Arc<Attestor>> = (0..2).map(|index| self.attestor(index, &chains)).collect();
        for (index, attestor) in attestors.iter().enumerate() {
            lock(&self.world.members[self.member].state).services[index] = Some(server::direct(attestor.clone()));
        }
        tasks.spawn(keep(self.keep_plan(), stop.clone()));
        let mut senders: Vec<Arc<Sender>> = Vec::new();
        for index in [0, 1] {
            let mut all: Vec<_> = send_keys(index).map(|key| self.sender(key, &chains[index])).collect();
            for sender in all.iter().take(self.world.plan.keys) {
                // As in the node: what is open stays adopted, and is resolved before anything else is sent.
                let _ = sender.reconcile().await;
            }
            // As if the configuration had another key for the path in each life.
            let key = usize::try_from(self.life).expect("a few lives") % self.world.plan.keys;
            senders.push(all.swap_remove(key));
        }
        let [a, b] = [0, 1].map(|index| self.side(index, &chains, &attestors, &senders));
        let context = Arc::new(PathContext {
            name: PATH.into(),
            a,
            b,
            ledger: self.ledger.clone(),
            observer: self.watch.clone(),
        });
        let ends = [0, 1].map(|index| self.end(index));
        let restored = restore_ends(&self.ledger, PATH, &ends).expect("a store in memory");
        let (_releases, released) = mpsc::channel(4);
        let runner = PathRunner::new(context.clone(), self.options(), restored, released);
        let runner = runner.holding_at_most(self.world.plan.open_max);
        let runner = match self.world.plan.sweep_seconds {
            Some(seconds) => runner.sweeping(Duration::from_secs(seconds)),
            None => runner,
        };
        let stopped = stop.clone();
        tasks.spawn(async move { probe(context, stopped).await });
        let world = self.world.clone();
        let member = self.member;
        tasks.spawn(async move {
            if let Err(error) = runner.run(stop).await {
                world.note(format!("member {member} runner ends: {error}"));
            }
        });
        while let Some(done) = tasks.join_next().await {
            let Err(error) = done else { continue };
            let Ok(panic) = error.try_into_panic() else { continue };
            if !panic.is::<Killed>() {
                let words = panic.downcast_ref::<String>().cloned();
                let words = words.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()));
                self.world.violated("panic", format!("member {}: {words:?}", self.member));
            }
            // The process is dead: all of its tasks go with this one.
            break;
        }
    }

    fn keep_plan(&self) -> KeepPlan {
        // Nothing leaves the working state as long as a world lasts: it is compared with the truth at the end.
        let limits = Limits {
            recv_margin_seconds: RECV_MARGIN_SECONDS,
            turn_bucket_sequences: BUCKET,
            retain_closed_seconds: 100_000_000,
            journal_keep_seconds: None,
            journal_segment_bytes: catenary_node::journal::SEGMENT_BYTES_MAX,
            sweep_every_seconds: 600,
        };
        let (ledger, metrics, health) = (self.ledger.clone(), self.metrics.clone(), self.health.clone());
        let data_dir = self.world.members[self.member].dir.clone();
        KeepPlan { ledger, metrics, health, limits, data_dir }
    }

    fn chain(&self, index: usize) -> Arc<NodeChain> {
        let config = self.world.chain(index).config();
        let saved = self.ledger.saved_client(CHAINS[index]).expect("a store in memory");
        let client: Option<Box<dyn LightClient>> = saved.map(|(state, bytes)| -> Box<dyn LightClient> {
            Box::new(Qbft::restore(config.clone(), &bytes, &state.digest).expect("what was saved"))
        });
        let inner = ChainWatch {
            chain: CHAINS[index].into(),
            family: Family::Qbft,
            metrics: self.metrics.clone(),
            health: self.health.clone(),
            ledger: Some(self.ledger.clone()),
            saved_height: AtomicU64::new(0),
        };
        let observer = SeenChain { inner, world: self.world.clone(), member: self.member };
        let options = ChainOptions {
            name: CHAINS[index].into(),
            poll_ms: 500,
            stale_after_seconds: STALE_SECONDS,
            wait_above_head_ms: 5_000,
            skipping: false,
        };
        let endpoints = Endpoint::all(&self.world, (self.member, self.life), index);
        let observer = Arc::new(observer);
        if let [only] = endpoints.as_slice() {
            let anchor = self.world.chain(index).blocks[0].encoded.clone();
            let client = client.unwrap_or_else(|| Box::new(Qbft::new(config, &anchor).expect("a good anchor")));
            return Arc::new(NodeChain::new(options, adapter(only), client, observer));
        }
        let watch = SeenEndpoints { world: self.world.clone(), member: self.member, chain: index };
        let parts = ChainParts {
            family: Family::Qbft,
            instance: config.instance(Family::Qbft),
            chain_id: config.chain_id.clone(),
            endpoints: Arc::new(Endpoints::new(CHAINS[index], members(&endpoints), Arc::new(watch))),
            client,
            admission: Arc::new(Admitted(config)),
            observer,
        };
        Arc::new(NodeChain::over(options, parts))
    }

    fn attestor(&self, index: usize, chains: &[Arc<NodeChain>]) -> Arc<Attestor> {
        let key = self.signer.attestor_key(&KeyId(format!("attest-{}", CHAINS[index]))).expect("an attestor's key");
        let [own, counterparty] = [index, 1 - index].map(|index| self.world.chain(index).spec.client_id.to_owned());
        let prover: Arc<dyn Prover> = chains[index].clone();
        let pairs = vec![ClientPair { own, counterparty }];
        Arc::new(Attestor::new(prover, Arc::new(AttestorSigner(key)), pairs, self.metrics.clone()))
    }

    fn sender(&self, key: String, chain: &Arc<NodeChain>) -> Arc<Sender> {
        let inner = Signers(self.signer.clone());
        let (plan, index) = (&self.world.plan, usize::from(chain.name() == CHAINS[1]));
        let replace_after = plan.replace_after_ms.filter(|_| index == 0).map(Duration::from_millis);
        let replacers = AnyOf(Endpoint::all(&self.world, (self.member, self.life), index));
        let policy = SendPolicy {
            in_flight_max: if index == 1 { plan.in_flight } else { 1 },
            replace_after: replace_after.unwrap_or(Duration::MAX),
            replacements_max: if replace_after.is_some() { 4 } else { 0 },
            ..SendPolicy::default()
        };
        let sender = Sender::new(SenderParts {
            chain: CHAINS[index].into(),
            key: KeyId(key),
            sink: chain.sink().clone(),
            replacer: Some(Arc::new(replacers)),
            policy,
            signer: Arc::new(WatchedSigner { inner, world: self.world.clone(), member: self.member }),
            ledger: self.ledger.clone(),
            observer: self.watch.clone(),
        });
        Arc::new(sender.expect("a transaction key"))
    }

    /// One end of the path; its client's attestors attest the other end's chain.
    fn side(
        &self,
        index: usize,
        chains: &[Arc<NodeChain>],
        attestors: &[Arc<Attestor>],
        senders: &[Arc<Sender>],
    ) -> PathSide {
        let attested = 1 - index;
        let members = (0..OPERATORS).map(|member| {
            let reach = if member == self.member {
                Reach::Local(attestors[attested].clone())
            } else {
                let link = Link::new(self.world.clone(), (self.member, self.life), member, attested);
                Reach::Remote(PeerClient::direct(&name(member), Arc::new(link)))
            };
            PathMember { id: name(member), address: attestor_address(member, attested), reach }
        });
        let collector = Collector::new(CollectorConfig {
            path: PATH.into(),
            members: members.collect(),
            threshold: self.world.plan.threshold,
            metrics: self.metrics.clone(),
        });
        PathSide {
            chain: chains[index].clone(),
            client_id: self.world.chain(index).spec.client_id.into(),
            material: Material::Attested(Attested {
                collector: Arc::new(collector.expect("a good set of members")),
                chunk: self.world.plan.chunk,
            }),
            sender: senders[index].clone(),
            stand: ClientStand::default(),
        }
    }

    fn end(&self, index: usize) -> PathEnd {
        let chain = self.world.chain(index);
        PathEnd {
            chain: CHAINS[index].into(),
            client_id: Some(chain.spec.client_id.into()),
            anchor_height: chain.spec.first_height,
        }
    }

    fn options(&self) -> Options {
        Options {
            path: PATH.into(),
            operators: (0..OPERATORS).map(name).collect(),
            own: name(self.member),
            turn_delay_blocks: 3,
            bucket: BUCKET,
            job_items_max: self.world.plan.job_items,
            recv_margin_seconds: RECV_MARGIN_SECONDS,
        }
    }
}

/// How far a member has come with each packet, by its store.
pub(crate) fn stages(world: &World, member: usize, packets: &[(usize, u64)]) -> Option<BTreeMap<(usize, u64), String>> {
    let ledger = world.ledger(member)?;
    let mut stages = BTreeMap::new();
    for (source, sequence) in packets {
        let client = world.chain(*source).spec.client_id;
        let key = catenary_core::PacketKey {
            source_chain: CHAINS[*source].into(),
            source_client: client.into(),
            sequence: *sequence,
        };
        let state = ledger.packet_state(&key).ok()?;
        let stage = state.map_or_else(|| "unknown".to_owned(), |state| state.stage.name().to_owned());
        stages.insert((*source, *sequence), stage);
    }
    Some(stages)
}

/// The account of a member's key.
pub(crate) fn key_account(member: usize, key: &str) -> [u8; 20] {
    TestKey::from_secret(&secret(member, key)).expect("a valid secret").address().0
}

/// The account of the first key that a member sends with on a chain.
pub(crate) fn account(member: usize, chain: usize) -> [u8; 20] {
    key_account(member, &format!("send-{}", CHAINS[chain]))
}
