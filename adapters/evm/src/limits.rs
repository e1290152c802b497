//! Bounds of this adapter beside those of `catenary_api::limits`, each with its reason.

/// Most requests in one JSON-RPC batch: geth answers at most 1,000, and a hundred blocks fit the body bound.
pub const BATCH_MAX: usize = 100;
/// Attempts at one read, the first included: two more find a restarted node or the next endpoint, and a dead network
/// is reported before the caller's own patience ends.
pub const ATTEMPTS_MAX: usize = 3;
/// Shortest wait between two attempts, in milliseconds.
pub const BACKOFF_MIN_MS: u64 = 100;
/// Longest wait between two attempts, in milliseconds.
pub const BACKOFF_MAX_MS: u64 = 1_000;
/// Deadline of opening a connection, in milliseconds; less than a request's, so that a dead host leaves time.
pub const CONNECT_DEADLINE_MS: u64 = 3_000;
/// Most characters of an endpoint's own words in an error: they come from outside and end in logs.
pub const REASON_CHARS_MAX: usize = 300;
/// Most bytes of revert data that are decoded: the router cuts reasons at 1 KiB.
pub const REVERT_BYTES_MAX: usize = 4_096;
/// Most bytes of one answer of a contract that are decoded: a client state of 64 attestors has 2.3 KiB.
pub const OUTPUT_BYTES_MAX: usize = 16_384;
/// Most messages in one transaction: with proofs none smaller than 600 bytes, more never fit into 64 KB.
pub const MESSAGES_MAX: usize = 100;
/// Most bytes that the signature adds to an unsigned legacy transaction: r and s of 33 bytes each for two empty
/// strings, v that is at most two bytes longer than the chain id, a list header that grows by at most two.
pub const SIGNATURE_BYTES: usize = 68;
/// Bytes that a message costs in a multicall beside its call data: offset, length, padding.
pub const MULTICALL_ITEM_BYTES: usize = 96;
/// Most logs of one receipt that are looked at for an output: far above what one call emits.
pub const RECEIPT_LOGS_MAX: usize = 10_000;

/// Most storage slots proven in one batch: a node has at most 1,064 hex digits, so four a slot make 4.4 MB.
pub(crate) const PROVEN_SLOTS_MAX: usize = 1_024;
