//! Metrics through the `prometheus` crate, with a registry of their own and no globals.
//!
//! Every metric is declared in one [`TABLE`], written through a typed function, and every configured series exists
//! from the start. A name that is not in the config is counted as [`UNCONFIGURED`], so that nothing from outside can
//! grow the page.

pub mod labels;
mod reference;
mod table;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};

use catenary_core::Stage;
use catenary_light_clients::{Class, Family, Timestamp};
use prometheus::{Encoder, IntCounterVec, IntGaugeVec, Registry, TextEncoder};

pub use self::labels::{
    AttestationKind, AttestationOutcome, BlockedReason, Check, CheckVerdict, ClientStatus, ClientUpdateOutcome,
    EndToEnd, Finality, Label, LogLevel, MethodClass, MisbehaviourStage, Outcome, PacketKind, RecordsRefused,
    StoreOperation, SweepFinding, Terminal, TxOutcome,
};
pub use self::reference::reference_page;
pub use self::table::{FamilyInfo, PREFIX, TABLE};

use self::table::Families;
use crate::attestor::ExclusionCode;
use crate::store::Drills;

/// What a name that is not in the config is counted as.
pub const UNCONFIGURED: &str = "unconfigured";

/// What an asset is counted as that has no label of its own, and a packet that moves none.
pub const OTHER_ASSET: &str = "other";
/// Most assets of one path that have a label of their own: what is settled over a path is a handful.
const ASSETS_MAX: usize = 16;
/// Longest name of an asset that becomes a label, in bytes: an address has 42, a token of a factory some more.
const ASSET_BYTES_MAX: usize = 96;

/// A configured chain.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ChainScope {
    /// Its name.
    pub name: String,
    /// Its family.
    pub family: Family,
    /// Trusting period of its light client, in seconds.
    pub trusting_period_seconds: u64,
    /// Names of its endpoints.
    pub endpoints: Vec<String>,
    /// Names of the keys that sign its transactions.
    pub signers: Vec<String>,
    /// The asset that fees are paid in.
    pub fee_asset: String,
}

/// One side of a configured path.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SideScope {
    /// Name of the chain.
    pub chain: String,
    /// On-chain client there.
    pub client_id: String,
}

/// Whether requests go to an endpoint.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum EndpointUp {
    /// They do.
    Yes,
    /// It is left out.
    No,
}

/// A configured path.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PathScope {
    /// Its name.
    pub name: String,
    /// Its sides.
    pub sides: [SideScope; 2],
}

/// All names from the config that become label values.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct MetricsScope {
    /// Digest of the config.
    pub config_hash: String,
    /// Profile of the config.
    pub profile: String,
    /// Chains.
    pub chains: Vec<ChainScope>,
    /// Paths.
    pub paths: Vec<PathScope>,
    /// Ids of the other operators.
    pub operators: Vec<String>,
}

/// A client, as it is labelled.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Client<'a> {
    /// The light client of a chain.
    Light(&'a str),
    /// An on-chain client.
    OnChain {
        /// Chain that it lives on.
        chain: &'a str,
        /// Its id there.
        client_id: &'a str,
    },
}

impl Client<'_> {
    fn name(self) -> String {
        match self {
            Self::Light(chain) => chain.to_owned(),
            Self::OnChain { chain, client_id } => format!("{chain}/{client_id}"),
        }
    }
}

/// A task whose progress is watched.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Task<'a> {
    /// Follows a chain.
    Chain(&'a str),
    /// Runs a path.
    Path(&'a str),
}

impl Task<'_> {
    fn name(self) -> String {
        match self {
            Self::Chain(name) => format!("chain/{name}"),
            Self::Path(name) => format!("path/{name}"),
        }
    }
}

/// The node's metrics. Cheap to share; every method is a few atomic operations.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    families: Families,
    names: BTreeSet<String>,
    /// Assets that have a label of their own, by path.
    assets: Mutex<BTreeMap<String, BTreeSet<String>>>,
}

impl Metrics {
    /// Metrics with every configured series present.
    ///
    /// # Panics
    /// Never: the table is constant, and a test registers it.
    #[must_use]
    #[allow(clippy::expect_used, reason = "registration fails only for a wrong constant table, which a test excludes")]
    pub fn new(scope: &MetricsScope) -> Arc<Self> {
        let registry = Registry::new();
        let families = Families::register(&registry).expect("the table is constant and a test registers it");
        let metrics = Self { registry, families, names: names(scope), assets: Mutex::default() };
        metrics.initialise(scope);
        Arc::new(metrics)
    }

    /// The page in the Prometheus text format.
    #[must_use]
    pub fn page(&self) -> String {
        let mut page = Vec::new();
        match TextEncoder::new().encode(&self.registry.gather(), &mut page) {
            Ok(()) => String::from_utf8_lossy(&page).into_owned(),
            Err(error) => format!("# metrics cannot be written: {error}\n"),
        }
    }

    fn known<'a>(&self, name: &'a str) -> &'a str {
        if self.names.contains(name) {
            name
        } else {
            UNCONFIGURED
        }
    }

    /// The chain's newest final block, as its endpoint says.
    pub fn head(&self, chain: &str, height: u64, timestamp: Timestamp) {
        let labels = [self.known(chain), Finality::Final.label()];
        self.families.chain_head_height.with_label_values(&labels).set(integer(height));
        self.families.chain_head_timestamp_seconds.with_label_values(&labels).set(seconds(timestamp));
    }

    /// All events up to a height have been taken.
    pub fn scanned(&self, chain: &str, height: u64) {
        self.families.scan_height.with_label_values(&[self.known(chain)]).set(integer(height));
    }

    /// Packets that the scan had passed were found.
    pub fn scan_gaps(&self, chain: &str, count: usize) {
        self.families.scan_gaps_total.with_label_values(&[self.known(chain)]).inc_by(count as u64);
    }

    /// The sweep found something.
    pub fn sweep_found(&self, path: &str, finding: SweepFinding, count: usize) {
        let labels = [self.known(path), finding.label()];
        self.families.sweep_found_total.with_label_values(&labels).inc_by(count as u64);
    }

    /// A round of the sweep had proofs for all that it asked, and this many bodies are missing.
    pub fn swept(&self, path: &str, side: &str, missing: usize, now: Timestamp) {
        let labels = [self.known(path), self.known(side)];
        self.families.sweep_missing_bodies.with_label_values(&labels).set(integer(missing));
        self.families.sweep_last_success_timestamp_seconds.with_label_values(&labels).set(seconds(now));
    }

    /// A request to an endpoint was answered, or not.
    pub fn rpc_request(&self, chain: &str, endpoint: &str, class: MethodClass, outcome: Outcome) {
        let labels = [self.known(chain), self.known(endpoint), class.label(), outcome.label()];
        self.families.rpc_requests_total.with_label_values(&labels).inc();
    }

    /// Whether requests go to an endpoint.
    pub fn endpoint_up(&self, chain: &str, endpoint: &str, up: EndpointUp) {
        let labels = [self.known(chain), self.known(endpoint)];
        self.families.rpc_endpoint_up.with_label_values(&labels).set(i64::from(up == EndpointUp::Yes));
    }

    /// How well an endpoint answers, from 0 to 1.
    pub fn endpoint_score(&self, chain: &str, endpoint: &str, score_ratio: f64) {
        let labels = [self.known(chain), self.known(endpoint)];
        self.families.rpc_endpoint_score_ratio.with_label_values(&labels).set(score_ratio);
    }

    /// An endpoint said what is refused or contradicted.
    pub fn disagreement(&self, chain: &str, endpoint: &str) {
        let labels = [self.known(chain), self.known(endpoint)];
        self.families.rpc_disagreements_total.with_label_values(&labels).inc();
    }

    /// Newest height that a client trusts.
    pub fn client_trusted(&self, client: Client<'_>, height: u64) {
        let name = client.name();
        self.families.client_trusted_height.with_label_values(&[self.known(&name)]).set(integer(height));
    }

    /// When a light client's trust ends.
    pub fn client_expiry(&self, chain: &str, expires_at: Timestamp) {
        let labels = [self.known(chain)];
        self.families.client_expiry_timestamp_seconds.with_label_values(&labels).set(seconds(expires_at));
    }

    /// When an on-chain client's trust ends, and how long it trusts a header in seconds; 0 for one that does not expire.
    pub fn on_chain_expiry(&self, client: Client<'_>, expires_at: Timestamp, period_seconds: u64) {
        let name = client.name();
        let labels = [self.known(&name)];
        self.families.client_expiry_timestamp_seconds.with_label_values(&labels).set(seconds(expires_at));
        self.families.client_trust_period_seconds.with_label_values(&labels).set(float(period_seconds));
    }

    /// The status that a client is in.
    pub fn client_status(&self, client: Client<'_>, status: ClientStatus) {
        let name = client.name();
        for value in ClientStatus::VALUES {
            let labels = [self.known(&name), value.label()];
            self.families.client_status.with_label_values(&labels).set(i64::from(*value == status));
        }
    }

    /// An update of an on-chain client.
    pub fn client_update(&self, client: Client<'_>, outcome: ClientUpdateOutcome) {
        let name = client.name();
        self.families.client_updates_total.with_label_values(&[self.known(&name), outcome.label()]).inc();
    }

    /// Misbehaviour that the light client of a chain saw.
    pub fn misbehaviour(&self, chain: &str, stage: MisbehaviourStage) {
        self.families.misbehaviour_total.with_label_values(&[self.known(chain), stage.label()]).inc();
    }

    /// A check by a light client, and how long it took.
    pub fn verified(&self, family: Family, check: Check, verdict: CheckVerdict, duration_seconds: f64) {
        let labels = [family.label(), check.label(), verdict.label()];
        self.families.verify_total.with_label_values(&labels).inc();
        let labels = [family.label(), check.label()];
        self.families.verify_duration_seconds.with_label_values(&labels).observe(duration_seconds);
    }

    /// A check refused with a stable code of ours.
    pub fn rejection(&self, family: Family, code: &'static str) {
        self.families.verify_rejections_total.with_label_values(&[family.label(), code]).inc();
    }

    /// A packet entered a stage.
    pub fn packet(&self, path: &str, kind: PacketKind, stage: Stage) {
        self.families.packets_total.with_label_values(&[self.known(path), kind.label(), stage.label()]).inc();
    }

    /// How many packets are in a stage, and since when the oldest of them is known.
    pub fn packets_in_stage(&self, path: &str, stage: Stage, count: usize, oldest: Option<Timestamp>) {
        let labels = [self.known(path), stage.label()];
        self.families.packets_in_stage.with_label_values(&labels).set(integer(count));
        let oldest = oldest.map_or(0.0, seconds);
        self.families.packet_oldest_timestamp_seconds.with_label_values(&labels).set(oldest);
    }

    /// How long a packet took.
    pub fn end_to_end(&self, path: &str, outcome: EndToEnd, duration_seconds: f64) {
        let labels = [self.known(path), outcome.label()];
        self.families.packet_end_to_end_seconds.with_label_values(&labels).observe(duration_seconds);
    }

    /// A packet ended.
    pub fn terminal(&self, path: &str, outcome: Terminal) {
        self.families.packets_terminal_total.with_label_values(&[self.known(path), outcome.label()]).inc();
    }

    /// How many packets wait for a reason.
    pub fn blocked(&self, path: &str, reason: BlockedReason, count: usize) {
        self.families.packets_blocked.with_label_values(&[self.known(path), reason.label()]).set(integer(count));
    }

    /// Something was tried again.
    pub fn retry(&self, path: &str, class: Class) {
        self.families.retries_total.with_label_values(&[self.known(path), class.label()]).inc();
    }

    /// A delivery transaction was built.
    pub fn batch(&self, chain: &str, messages: usize, bytes: usize) {
        let labels = [self.known(chain)];
        self.families.batch_size_messages.with_label_values(&labels).observe(float(messages));
        self.families.batch_bytes.with_label_values(&labels).observe(float(bytes));
    }

    /// What became of a transaction.
    pub fn tx(&self, chain: &str, signer: &str, outcome: TxOutcome) {
        let labels = [self.known(chain), self.known(signer), outcome.label()];
        self.families.tx_total.with_label_values(&labels).inc();
    }

    /// A fee was paid, in base units.
    pub fn fee_spent(&self, chain: &str, asset: &str, base_units: f64) {
        let labels = [self.known(chain), self.known(asset)];
        self.families.tx_fee_spent_total.with_label_values(&labels).inc_by(base_units.max(0.0));
    }

    /// A fee was paid for packets of a corridor, in base units: by path, chain that they come from and asset; on a chain,
    /// for what was delivered there.
    pub fn corridor_fee_spent(
        &self,
        (path, source, asset): (&str, &str, Option<&str>),
        (chain, kind): (&str, PacketKind),
        base_units: f64,
    ) {
        let asset = self.asset(path, asset);
        let labels = [self.known(path), self.known(source), asset.as_str(), self.known(chain), kind.label()];
        self.families.corridor_fee_spent_total.with_label_values(&labels).inc_by(base_units.max(0.0));
    }

    /// How an asset is labelled: its name is chosen by who sends a packet, so only the first few plain ones of a path have
    /// their own.
    fn asset(&self, path: &str, asset: Option<&str>) -> String {
        let is_plain = |name: &str| {
            (1..=ASSET_BYTES_MAX).contains(&name.len()) && name.bytes().all(|byte| byte.is_ascii_graphic())
        };
        let Some(name) = asset.filter(|name| is_plain(name)) else { return OTHER_ASSET.to_owned() };
        let mut all = self.assets.lock().unwrap_or_else(PoisonError::into_inner);
        // A path that is not configured has no assets of its own either.
        let known = all.entry(self.known(path).to_owned()).or_default();
        if known.contains(name) || (known.len() < ASSETS_MAX && known.insert(name.to_owned())) {
            return name.to_owned();
        }
        OTHER_ASSET.to_owned()
    }

    /// Nonces of a signer: the next that we would use, and the next that the chain expects.
    pub fn nonces(&self, chain: &str, signer: &str, next: u64, on_chain: u64) {
        let labels = [self.known(chain), self.known(signer)];
        self.families.tx_nonce_next.with_label_values(&labels).set(integer(next));
        self.families.tx_nonce_chain.with_label_values(&labels).set(integer(on_chain));
    }

    /// Transactions without an outcome.
    pub fn in_flight(&self, chain: &str, signer: &str, count: usize) {
        self.families.tx_in_flight.with_label_values(&[self.known(chain), self.known(signer)]).set(integer(count));
    }

    /// Balance of a signer, in whole units.
    pub fn balance(&self, chain: &str, signer: &str, asset: &str, whole_units: f64) {
        let labels = [self.known(chain), self.known(signer), self.known(asset)];
        self.families.signer_balance.with_label_values(&labels).set(whole_units);
    }

    /// The attestor answered.
    pub fn attestor_request(&self, chain: &str, kind: AttestationKind, outcome: AttestationOutcome) {
        let labels = [self.known(chain), kind.label(), outcome.label()];
        self.families.attestor_requests_total.with_label_values(&labels).inc();
    }

    /// A member's answer did not count.
    pub fn attestor_exclusion(&self, chain: &str, member: &str, code: ExclusionCode) {
        let labels = [self.known(chain), self.known(member), code.label()];
        self.families.attestor_exclusions_total.with_label_values(&labels).inc();
    }

    /// Members that can attest a side's chain for a path.
    pub fn attestor_members_available(&self, path: &str, side: &str, count: usize) {
        let labels = [self.known(path), self.known(side)];
        self.families.attestor_members_available.with_label_values(&labels).set(integer(count));
    }

    /// Signatures that a path needs of a side's chain.
    pub fn attestor_members_required(&self, path: &str, side: &str, count: usize) {
        let labels = [self.known(path), self.known(side)];
        self.families.attestor_members_required.with_label_values(&labels).set(integer(count));
    }

    /// Size of the journal, and how much of it is not durable yet.
    pub fn journal(&self, bytes: u64, unsynced_records: u64) {
        self.families.journal_bytes.with_label_values::<&str>(&[]).set(integer(bytes));
        self.families.journal_unsynced_records.with_label_values::<&str>(&[]).set(integer(unsynced_records));
    }

    /// Why nothing can be recorded now; `None` when it can.
    pub fn records_refused(&self, why: Option<RecordsRefused>) {
        for value in RecordsRefused::VALUES {
            let refused = i64::from(why == Some(*value));
            self.families.records_refused.with_label_values(&[value.label()]).set(refused);
        }
    }

    /// When the journal was last backed up, and a backup tested.
    pub fn drills(&self, drills: &Drills) {
        let f = &self.families;
        let rows = [
            (
                drills.backup.unwrap_or_default(),
                &f.backup_last_success_timestamp_seconds,
                &f.backup_last_duration_seconds,
                &f.backup_last_bytes,
            ),
            (
                drills.restore_test.unwrap_or_default(),
                &f.restore_test_last_success_timestamp_seconds,
                &f.restore_test_last_duration_seconds,
                &f.restore_test_last_bytes,
            ),
        ];
        for (drill, at, duration, bytes) in rows {
            at.with_label_values::<&str>(&[]).set(float(drill.at_seconds));
            duration.with_label_values::<&str>(&[]).set(float(drill.duration_ms) / 1_000.0);
            bytes.with_label_values::<&str>(&[]).set(integer(drill.bytes));
        }
    }

    /// The store did something.
    pub fn store_operation(&self, operation: StoreOperation, outcome: Outcome) {
        self.families.store_operations_total.with_label_values(&[operation.label(), outcome.label()]).inc();
    }

    /// A task made progress.
    pub fn progress(&self, task: Task<'_>, now: Timestamp) {
        let name = task.name();
        let labels = [self.known(&name)];
        self.families.task_last_progress_timestamp_seconds.with_label_values(&labels).set(seconds(now));
    }

    /// A line was logged.
    pub fn log_event(&self, level: LogLevel) {
        self.families.log_events_total.with_label_values(&[level.label()]).inc();
    }

    fn initialise(&self, scope: &MetricsScope) {
        let f = &self.families;
        let commit = option_env!("CATENARY_COMMIT").unwrap_or("unknown");
        f.build_info.with_label_values(&[env!("CARGO_PKG_VERSION"), commit, env!("CATENARY_RUSTC")]).set(1);
        f.config_info.with_label_values(&[scope.config_hash.as_str(), scope.profile.as_str()]).set(1);
        for chain in &scope.chains {
            self.initialise_chain(chain, &scope.operators);
        }
        for path in &scope.paths {
            self.initialise_path(path);
        }
        self.journal(0, 0);
        self.records_refused(None);
        self.drills(&Drills::default());
        counters(&f.store_operations_total, &[], &pairs::<StoreOperation, Outcome>());
        counters(&f.log_events_total, &[], &singles::<LogLevel>());
    }

    fn initialise_chain(&self, chain: &ChainScope, operators: &[String]) {
        let f = &self.families;
        let name = chain.name.as_str();
        self.head(name, 0, Timestamp::default());
        self.scanned(name, 0);
        self.scan_gaps(name, 0);
        for endpoint in &chain.endpoints {
            counters(&f.rpc_requests_total, &[name, endpoint], &pairs::<MethodClass, Outcome>());
            self.endpoint_up(name, endpoint, EndpointUp::Yes);
            self.endpoint_score(name, endpoint, 1.0);
            f.rpc_disagreements_total.with_label_values(&[name, endpoint]);
        }
        self.client_trusted(Client::Light(name), 0);
        self.client_expiry(name, Timestamp::default());
        f.client_trust_period_seconds.with_label_values(&[name]).set(float(chain.trusting_period_seconds));
        self.client_status(Client::Light(name), ClientStatus::Active);
        counters(&f.misbehaviour_total, &[name], &singles::<MisbehaviourStage>());
        counters(&f.verify_total, &[chain.family.label()], &pairs::<Check, CheckVerdict>());
        for check in Check::VALUES {
            f.verify_duration_seconds.with_label_values(&[chain.family.label(), check.label()]);
        }
        f.batch_size_messages.with_label_values(&[name]);
        f.batch_bytes.with_label_values(&[name]);
        f.tx_fee_spent_total.with_label_values(&[name, chain.fee_asset.as_str()]);
        for signer in &chain.signers {
            counters(&f.tx_total, &[name, signer], &singles::<TxOutcome>());
            self.nonces(name, signer, 0, 0);
            self.in_flight(name, signer, 0);
            self.balance(name, signer, &chain.fee_asset, 0.0);
        }
        counters(&f.attestor_requests_total, &[name], &pairs::<AttestationKind, AttestationOutcome>());
        for operator in operators {
            counters(&f.attestor_exclusions_total, &[name, operator], &singles::<ExclusionCode>());
        }
        self.progress(Task::Chain(name), Timestamp::default());
    }

    fn initialise_path(&self, path: &PathScope) {
        let f = &self.families;
        let name = path.name.as_str();
        counters(&f.packets_total, &[name], &pairs::<PacketKind, Stage>());
        for stage in Stage::VALUES {
            self.packets_in_stage(name, *stage, 0, None);
        }
        for outcome in EndToEnd::VALUES {
            f.packet_end_to_end_seconds.with_label_values(&[name, outcome.label()]);
        }
        counters(&f.packets_terminal_total, &[name], &singles::<Terminal>());
        gauges(&f.packets_blocked, &[name], &singles::<BlockedReason>());
        counters(&f.retries_total, &[name], &singles::<Class>());
        counters(&f.sweep_found_total, &[name], &singles::<SweepFinding>());
        for side in &path.sides {
            for (source, kind) in path
                .sides
                .iter()
                .flat_map(|source| [PacketKind::Send, PacketKind::Ack, PacketKind::Timeout].map(|kind| (source, kind)))
            {
                // Packets are received on the other chain, and end on their own.
                if (kind == PacketKind::Send) == (source.chain != side.chain) {
                    let labels = [name, source.chain.as_str(), OTHER_ASSET, side.chain.as_str(), kind.label()];
                    f.corridor_fee_spent_total.with_label_values(&labels);
                }
            }
            let client = Client::OnChain { chain: &side.chain, client_id: &side.client_id };
            self.client_trusted(client, 0);
            self.on_chain_expiry(client, Timestamp::default(), 0);
            self.client_status(client, ClientStatus::Active);
            counters(&f.client_updates_total, &[&client.name()], &singles::<ClientUpdateOutcome>());
            self.swept(name, &side.chain, 0, Timestamp::default());
            self.attestor_members_available(name, &side.chain, 0);
            self.attestor_members_required(name, &side.chain, 0);
        }
        self.progress(Task::Path(name), Timestamp::default());
    }
}

/// Every name that may be a label value.
fn names(scope: &MetricsScope) -> BTreeSet<String> {
    let mut names: BTreeSet<String> = scope.operators.iter().cloned().collect();
    for chain in &scope.chains {
        names.insert(Task::Chain(&chain.name).name());
        names.extend([chain.name.clone(), chain.fee_asset.clone()]);
        names.extend(chain.endpoints.iter().chain(&chain.signers).cloned());
    }
    for path in &scope.paths {
        names.insert(Task::Path(&path.name).name());
        names.insert(path.name.clone());
        for side in &path.sides {
            names.insert(Client::OnChain { chain: &side.chain, client_id: &side.client_id }.name());
        }
    }
    names
}

/// Label values of one enum.
fn singles<A: Label>() -> Vec<Vec<&'static str>> {
    A::VALUES.iter().map(|a| vec![a.label()]).collect()
}

/// Label values of two enums, each with each.
fn pairs<A: Label, B: Label>() -> Vec<Vec<&'static str>> {
    A::VALUES.iter().flat_map(|a| B::VALUES.iter().map(|b| vec![a.label(), b.label()])).collect()
}

fn counters(family: &IntCounterVec, first: &[&str], rest: &[Vec<&'static str>]) {
    for rest in rest {
        let labels: Vec<&str> = first.iter().chain(rest).copied().collect();
        family.with_label_values(&labels);
    }
}

fn gauges(family: &IntGaugeVec, first: &[&str], rest: &[Vec<&'static str>]) {
    for rest in rest {
        let labels: Vec<&str> = first.iter().chain(rest).copied().collect();
        family.with_label_values(&labels);
    }
}

/// Heights, nonces and counts are far below 2^63.
fn integer(value: impl TryInto<i64>) -> i64 {
    value.try_into().unwrap_or(i64::MAX)
}

/// A number as Prometheus keeps it: exact up to 2^53.
fn float(value: impl TryInto<u64>) -> f64 {
    let value: u64 = value.try_into().unwrap_or(u64::MAX);
    value as f64
}

fn seconds(timestamp: Timestamp) -> f64 {
    float(timestamp.nanos / 1_000_000) / 1_000.0
}
