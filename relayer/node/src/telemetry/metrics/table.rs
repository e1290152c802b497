//! The one table of metrics. The registry, the reference page and the golden page all come from it.

use prometheus::core::Collector;
use prometheus::{CounterVec, GaugeVec, HistogramOpts, HistogramVec, IntCounterVec, IntGaugeVec, Opts, Registry};

/// Prefix of every name.
pub const PREFIX: &str = "catenary_";

/// End-to-end times: 0.25 s to 2 h, so that no objective that a payment system has falls into the last bucket.
const END_TO_END_SECONDS: &[f64] =
    &[0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 15.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1_200.0, 1_800.0, 3_600.0, 7_200.0];
/// Verification: 50 µs to 2 s.
const VERIFY_SECONDS: &[f64] =
    &[0.000_05, 0.000_1, 0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.1, 0.5, 2.0];
/// Messages of a transaction.
const MESSAGES: &[f64] = &[1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0];
/// Bytes of a transaction: up to ibc-go's 1 MiB; GoQuorum takes 64 KB.
const BYTES: &[f64] = &[1_024.0, 4_096.0, 8_192.0, 16_384.0, 32_768.0, 65_536.0, 131_072.0, 524_288.0, 1_048_576.0];

/// One metric as it is documented.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct FamilyInfo {
    /// Name with prefix.
    pub name: &'static str,
    /// counter, gauge or histogram.
    pub kind: &'static str,
    /// Names of its labels.
    pub labels: &'static [&'static str],
    /// Bounds of the buckets of a histogram.
    pub buckets: &'static [f64],
    /// Unit and meaning.
    pub help: &'static str,
}

/// A type of metric that the table can hold.
trait FamilyType: Collector + Clone + Sized + 'static {
    const KIND: &'static str;

    fn make(info: &FamilyInfo) -> prometheus::Result<Self>;
}

macro_rules! family_types {
    ($($type:ident $kind:literal;)+) => {$(
        impl FamilyType for $type {
            const KIND: &'static str = $kind;

            fn make(info: &FamilyInfo) -> prometheus::Result<Self> {
                Self::new(Opts::new(info.name, info.help), info.labels)
            }
        }
    )+};
}

family_types! {
    IntCounterVec "counter";
    CounterVec "counter";
    IntGaugeVec "gauge";
    GaugeVec "gauge";
}

impl FamilyType for HistogramVec {
    const KIND: &'static str = "histogram";

    fn make(info: &FamilyInfo) -> prometheus::Result<Self> {
        Self::new(HistogramOpts::new(info.name, info.help).buckets(info.buckets.to_vec()), info.labels)
    }
}

macro_rules! families {
    (@buckets) => { &[] };
    (@buckets $buckets:ident) => { $buckets };
    ($($field:ident: $type:ident [$($label:ident),*] $(by $buckets:ident)? = $help:literal;)+) => {
        /// Every metric, in the order of the reference page.
        pub const TABLE: &[FamilyInfo] = &[
            $(FamilyInfo {
                name: concat!("catenary_", stringify!($field)),
                kind: <$type as FamilyType>::KIND,
                labels: &[$(stringify!($label)),*],
                buckets: families!(@buckets $($buckets)?),
                help: $help,
            },)+
        ];

        /// The registered metrics.
        #[derive(Debug)]
        pub(super) struct Families {
            $(pub(super) $field: $type,)+
        }

        impl Families {
            /// Makes and registers every metric of the table.
            pub(super) fn register(registry: &Registry) -> prometheus::Result<Self> {
                let mut table = TABLE.iter();
                Ok(Self {
                    $($field: register::<$type>(registry, table.next())?,)+
                })
            }
        }
    };
}

fn register<T: FamilyType>(registry: &Registry, info: Option<&FamilyInfo>) -> prometheus::Result<T> {
    let info = info.ok_or_else(|| prometheus::Error::Msg("the table has a row for every field".to_owned()))?;
    let family = T::make(info)?;
    registry.register(Box::new(family.clone()))?;
    Ok(family)
}

families! {
    build_info: IntGaugeVec [version, commit, rustc] = "Always 1; what is running.";
    config_info: IntGaugeVec [hash, profile] = "Always 1; digest and profile of the running config.";

    chain_head_height: IntGaugeVec [chain, finality] = "Height of the chain's head, as its endpoint says.";
    chain_head_timestamp_seconds: GaugeVec [chain, finality] = "Block time of the chain's head, in Unix seconds.";
    scan_height: IntGaugeVec [chain] = "Height up to which all events have been taken, without a gap.";
    scan_gaps_total: IntCounterVec [chain] = "Packets that the scan had passed without seeing them, and that the sweep found.";
    rpc_requests_total: IntCounterVec [chain, endpoint, method_class, outcome] = "Requests to endpoints; the endpoint by its name in the config.";
    rpc_endpoint_up: IntGaugeVec [chain, endpoint] = "1 while requests go to the endpoint; 0 while it is left out: it does not answer, is behind, or said what was refused.";
    rpc_endpoint_score_ratio: GaugeVec [chain, endpoint] = "Share of requests that the endpoint answers, less what its slowness costs, from 0 to 1; 0 while it is left out.";
    rpc_disagreements_total: IntCounterVec [chain, endpoint] = "Answers of endpoints that a light client refused, that contradict themselves, or that another endpoint contradicts.";

    client_trusted_height: IntGaugeVec [client] = "Newest height that a client trusts; a light client by its chain, an on-chain client as chain/client id.";
    client_expiry_timestamp_seconds: GaugeVec [client] = "When a client's trust ends, in Unix seconds; 0 before it has started, and for an attestation client, which does not expire.";
    client_trust_period_seconds: GaugeVec [client] = "Trusting period of a client, in seconds; 0 for an attestation client, which does not expire.";
    client_status: IntGaugeVec [client, status] = "1 for the status that a client is in, 0 for the others.";
    client_updates_total: IntCounterVec [client, outcome] = "Updates of an on-chain client.";
    misbehaviour_total: IntCounterVec [client, stage] = "Conflicts and misbehaviour that a light client saw.";

    verify_total: IntCounterVec [family, check, verdict] = "Checks by light clients.";
    verify_duration_seconds: HistogramVec [family, check] by VERIFY_SECONDS = "Time of a check, in seconds.";
    verify_rejections_total: IntCounterVec [family, code] = "Checks that refused, by stable error code; a code appears when it first happens.";

    packets_total: IntCounterVec [path, kind, stage] = "Packets that entered a stage, and what brought them there.";
    packets_in_stage: IntGaugeVec [path, stage] = "Packets in a stage now, from the journal.";
    packet_oldest_timestamp_seconds: GaugeVec [path, stage] = "When the oldest packet of a stage was first seen, in Unix seconds; 0 when the stage is empty.";
    packet_end_to_end_seconds: HistogramVec [path, outcome] by END_TO_END_SECONDS = "Time from first sight of a packet to its outcome, in seconds.";
    packets_terminal_total: IntCounterVec [path, outcome] = "Packets that ended.";
    packets_blocked: IntGaugeVec [path, reason] = "Packets that wait for a reason other than their turn.";
    sweep_found_total: IntCounterVec [path, finding] = "What the sweep found that no event had told of.";
    sweep_missing_bodies: IntGaugeVec [path, side] = "Packets sent from the side that are committed there, or acknowledged, and whose bodies no endpoint has shown.";
    sweep_last_success_timestamp_seconds: GaugeVec [path, side] = "When the sweep last had proofs for all that it asked about packets from the side, in Unix seconds; 0 before.";
    retries_total: IntCounterVec [path, class] = "Work that was tried again, by class of the failure.";

    batch_size_messages: HistogramVec [chain] by MESSAGES = "Messages of a delivery transaction.";
    batch_bytes: HistogramVec [chain] by BYTES = "Encoded bytes of a delivery transaction.";
    tx_total: IntCounterVec [chain, signer, outcome] = "Transactions; the signer by its name in the config.";
    tx_fee_spent_total: CounterVec [chain, asset] = "Fees paid, in base units of the asset; exact values are in the journal.";
    corridor_fee_spent_total: CounterVec [path, source, asset, chain, kind] = "Fees paid for packets by corridor (path, chain that they come from, asset), on one of the path's chains, by what was delivered there, in base units of that chain's fee asset; packets of one transaction bear it in equal parts.";
    tx_nonce_next: IntGaugeVec [chain, signer] = "Next nonce that we would use.";
    tx_nonce_chain: IntGaugeVec [chain, signer] = "Next nonce that the chain expects; a gap to tx_nonce_next that stays is a jam.";
    tx_in_flight: IntGaugeVec [chain, signer] = "Transactions that were broadcast and have no outcome yet.";
    signer_balance: GaugeVec [chain, signer, asset] = "Balance of a signer, in whole units of the asset.";

    attestor_requests_total: IntCounterVec [chain, kind, outcome] = "Attestations that this node was asked for, by peers and by itself.";
    attestor_exclusions_total: IntCounterVec [chain, member, code] = "Answers of members that did not count, by stable error code.";
    attestor_members_available: IntGaugeVec [path, side] = "Members that can attest the side's chain for the path, this node included.";
    attestor_members_required: IntGaugeVec [path, side] = "Signatures that the path needs of the side's chain.";

    journal_bytes: IntGaugeVec [] = "Size of the journal, in bytes.";
    journal_unsynced_records: IntGaugeVec [] = "Journal records that are written and not yet durable.";
    records_refused: IntGaugeVec [code] = "1 while nothing can be recorded, and so nothing is signed or sent, under the stable code of the reason; 0 under the others.";
    backup_last_success_timestamp_seconds: GaugeVec [] = "When the journal was last backed up and the copy checked, in Unix seconds; 0 before.";
    backup_last_duration_seconds: GaugeVec [] = "How long that took, in seconds.";
    backup_last_bytes: IntGaugeVec [] = "Size of that backup, in bytes.";
    restore_test_last_success_timestamp_seconds: GaugeVec [] = "When a backup was last read whole and folded as a restore would, in Unix seconds; 0 before.";
    restore_test_last_duration_seconds: GaugeVec [] = "How long that took, in seconds.";
    restore_test_last_bytes: IntGaugeVec [] = "Size of the backup that was tested, in bytes.";
    store_operations_total: IntCounterVec [op, outcome] = "Operations of the store.";
    task_last_progress_timestamp_seconds: GaugeVec [task] = "When a task last made progress, in Unix seconds; 0 before it first did.";
    log_events_total: IntCounterVec [level] = "Log lines, written or filtered out by level.";
}
