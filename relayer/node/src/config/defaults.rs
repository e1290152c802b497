//! Values of keys that may be left out, and bounds of those that may not be any number.

/// Where metrics and health are served.
pub(super) const TELEMETRY_LISTEN: &str = "127.0.0.1:9464";
/// A packet that times out within this is not delivered any more, in seconds: two slow blocks and a retry.
pub(super) const RECV_MARGIN_SECONDS: u64 = 30;
/// Sequences in a row that share a leader: one transaction of the default size.
pub(super) const TURN_BUCKET_SEQUENCES: u64 = 20;
/// How long an ended packet stays in the working state, in seconds: 30 days, so that a month's books can be closed with
/// it. The journal keeps all of it.
pub(super) const RETAIN_CLOSED_SECONDS: u64 = 30 * 86_400;
/// What `journal_keep` says when no segment is ever removed: the journal is the audit trail.
pub(super) const JOURNAL_KEEP_FOREVER: &str = "forever";
/// Least bytes of a segment: some dozen packets, so that a directory does not fill with files.
pub(super) const JOURNAL_SEGMENT_BYTES_MIN: u64 = 16 * 1024;
/// Most bytes of a segment: the newest is read whole at every start, which takes seconds then.
pub(super) const JOURNAL_SEGMENT_BYTES_MAX: u64 = 1024 * 1024 * 1024;
/// How often the sweep asks both chains what events did not tell, in seconds. What it finds is late already and two
/// requests a round are cheap, so ten minutes bound how late: far below the deadlines of most transfers.
pub(super) const SWEEP_EVERY_SECONDS: u64 = 600;
/// Bound of that setting: a packet whose event was withheld waits for this long.
pub(super) const SWEEP_EVERY_SECONDS_MAX: u64 = 86_400;
/// Most endpoints of one chain: each may cost a deadline before the next is asked.
pub(super) const URLS_MAX: u64 = 8;
/// Most keys that pay on one chain: each has its own balance to keep up.
pub(super) const TRANSACTION_KEYS_MAX: u64 = 16;
/// Most that requests a second to an endpoint can be set to: above it a bound bounds nothing.
pub(super) const REQUESTS_PER_SECOND_MAX: u64 = 100_000;
/// How far a header's time may be ahead, in seconds.
pub(super) const CLOCK_DRIFT_SECONDS: u64 = 10;
/// Verified headers kept for proofs (protocol page: a member serves any of its last 10,000 heights).
pub(super) const RETAIN_HEIGHTS: u32 = 10_000;
/// A third of the validators at once: more is an event that a person should have heard of.
pub(super) const CHURN_LIMIT_PERMILLE: u32 = 334;
/// A head older than this is stale, in seconds.
pub(super) const STALE_AFTER_SECONDS: u64 = 60;
/// Destination blocks that a rank waits for the rank before it. With three one-second blocks a busy leader was overtaken
/// before its transaction could be seen: a third of 300 transfers went out twice. With six, none did.
pub(super) const TURN_DELAY_BLOCKS: u64 = 6;
/// Packets in one attestation. On chain fewer are cheaper (a packet of 1, 4, 8, 16 costs 183, 188, 195, 209 k gas and
/// 2.3, 2.5, 2.8, 3.3 KB, `adapters/evm/contracts/artifacts/gas.md`); each attestation is a request to every member.
pub(super) const ATTESTATION_CHUNK: u64 = 4;
/// Messages of one transaction: about 55 KB of the 64 KB that GoQuorum takes, so that one job is one transaction.
pub(super) const BATCH_MESSAGES: u64 = 20;
/// Bound of that setting (the engine's job bound).
pub(super) const BATCH_MESSAGES_MAX: u64 = catenary_core::engine::limits::JOB_ITEMS_MAX as u64;
/// Gas limit in percent of what was estimated.
pub(super) const GAS_MULTIPLIER_PERCENT: u64 = 130;
/// Most gas of an EVM transaction.
pub(super) const EVM_GAS_MAX: u64 = 30_000_000;
/// Most bytes of an EVM transaction (GoQuorum `txnSizeLimit`, 64 KB).
pub(super) const EVM_TX_BYTES_MAX: u64 = 64 * 1024;
/// How long an EVM transaction may wait for a block before it is replaced at a higher price, in seconds: several blocks
/// of any network in use.
pub(super) const REPLACE_AFTER_SECONDS: u64 = 30;
/// Replacements of one EVM transaction: each costs an eighth more, so five of them pay 1.8 times the first price.
pub(super) const REPLACEMENTS: u64 = 5;
/// Bound of that setting (the signer's own bound).
pub(super) const REPLACEMENTS_MAX: u64 = crate::keystore::REPLACEMENTS_MAX as u64;
/// Most gas of a Cosmos transaction.
pub(super) const COSMOS_GAS_MAX: u64 = 30_000_000;
/// Most bytes of a Cosmos transaction (CometBFT mempool `max_tx_bytes`, 1 MiB).
pub(super) const COSMOS_TX_BYTES_MAX: u64 = 1024 * 1024;
/// Most messages of a Cosmos transaction.
pub(super) const COSMOS_MESSAGES_MAX: u64 = 100;
/// ERC-7201 base slot of `ibc.storage.IBCStore` (protocol page).
pub(super) const COMMITMENT_SLOT: &str = "1260944489272988d9df285149b5aa1b0f48f2136d6f416159f840a3e0747600";
