//! Bounds of the drivers, each with its reason.

/// Batches of claims waiting for the engine: a scan that is ahead waits.
pub const CLAIM_BATCHES: usize = 8;
/// Milliseconds between two scans for what a full engine left out while there is only a little room: a minute.
pub const GO_BACK_MS: u128 = 60_000;
/// Blocks of one scan request: small enough that a batch of claims is handled at once.
pub const SCAN_BLOCKS: u64 = 50;
/// Milliseconds between looks for a receipt: about a third of a block.
pub const RECEIPT_POLL_MS: u64 = 300;
/// Looks for a receipt before the outcome counts as unknown and the batch is decided again: about a minute.
pub const RECEIPT_POLLS_MAX: u32 = 200;
/// Looks after which the same bytes are broadcast again: about ten seconds, in case the pool lost them.
pub const REBROADCAST_POLLS: u32 = 33;
/// Milliseconds for which an endpoint is not believed that shows nonces as unused which were seen used: a minute, in which
/// one that is behind has caught up or was left out.
pub const FLOOR_PATIENCE_MS: u64 = 60_000;
/// Looks at a chain whose endpoint seems to be behind, before it is believed: about three seconds.
pub const LAG_LOOKS: u32 = 10;
/// Transactions of one key on their way on a chain that takes the next nonce before the last one is included (Cosmos):
/// a few blocks' worth, so that one that is lost holds up few.
pub const PIPELINED: usize = 4;
/// Attempts to build one transaction when the nonce turns out to be taken.
pub const NONCE_ATTEMPTS: u32 = 3;
/// Milliseconds between two counts of the open packets for the metrics: scrapes are seconds apart.
pub const REPORT_MS: u128 = 1_000;
/// Milliseconds between two looks at who can sign, when nothing is sent: a member that is down shows within this.
pub const PROBE_MS: u64 = 5_000;
/// Seconds by which a state of the source must be later than a packet's receipt to be surely later than its sending: the
/// two chains' clocks are as far apart at most as light clients allow (10 s of drift).
pub const SENT_MARGIN_SECONDS: u64 = 10;
/// Windows of blocks that one round of the sweep searches for bodies: 80,000 blocks where the adapter can search, 800
/// where it cannot; the next round goes on below them.
pub const SWEEP_WINDOWS: u32 = 8;
/// Milliseconds between two rounds when there is more than one may ask for, and between two looks at the scan.
pub const SWEEP_PAUSE_MS: u64 = 1_000;
/// Milliseconds until the next round when an endpoint failed or a body is missing, if that is sooner than the next one is
/// due: a packet waits, and its deadline comes nearer.
pub const SWEEP_RETRY_MS: u64 = 30_000;
/// Seconds by which a block's time may be ahead of this clock, when heads are told from before and after the start: what
/// `clock_drift` allows unless configured otherwise.
pub const SWEEP_DRIFT_SECONDS: u64 = 10;
/// Looks at the scan before a round begins without it: half a minute.
pub const SWEEP_WAITS_MAX: u32 = 30;
/// Questions of the sweep that wait for the runner: it asks one at a time.
pub const SWEEP_ASKS: usize = 1;
/// Longest time between two looks at an on-chain client, in milliseconds: a minute, as for attestation clients; two
/// requests a path and side, and one to the chain that it judges.
pub const UPKEEP_MS_MAX: u64 = 60_000;
/// By what factor deliveries take longer, in transactions, while any number of clients are refreshed at once: at most one
/// refresh goes before each of theirs, since one a key is on its way.
pub const REFRESH_FACTOR: usize = 2;
/// Shortest time between two looks, for clients that expire within minutes, in milliseconds.
pub const UPKEEP_MS_MIN: u64 = 1_000;
/// Bytes of a journal record without payloads, generously.
pub const RECORD_BYTES: usize = 2_048;
/// Bytes after which a commit is closed: with the largest packet and acknowledgement on top it stays far below the
/// journal's bound of 16 MiB.
pub const COMMIT_BYTES: usize = 4 * 1024 * 1024;
