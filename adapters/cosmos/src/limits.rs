//! Bounds of this adapter, each with its reason. Those that all adapters share are in [`catenary_api::limits`].

/// Requests sent together as one JSON-RPC batch (CometBFT `max_request_batch_size`, 10 unless configured).
pub const BATCH_MAX: usize = 10;
/// Most batches of one call under way at a time: enough to hide the round trip, and with the bound of a body at most
/// 128 MiB, whatever an endpoint answers.
pub const BATCHES_CONCURRENT_MAX: usize = 4;
/// Most attempts of one request when there are fewer endpoints than that: a restart of a node passes within them.
pub const ATTEMPTS_MIN: usize = 3;
/// Most endpoints of one chain: each may cost a deadline before the next is asked.
pub const ENDPOINTS_MAX: usize = 8;
/// Pause before the second attempt, in milliseconds; it doubles up to [`RETRY_PAUSE_MS_MAX`].
pub const RETRY_PAUSE_MS_MIN: u64 = 100;
/// Longest pause between attempts, in milliseconds.
pub const RETRY_PAUSE_MS_MAX: u64 = 1_000;
/// Deadline of a TCP and TLS handshake, in milliseconds: within the deadline of a request there is time for another.
pub const CONNECT_DEADLINE_MS: u64 = 3_000;
/// Transactions read of one search: an event of one packet is in one transaction, and a node before CometBFT 0.37 may
/// match a few others in which its parts stand apart.
pub const FOUND_TXS: u8 = 10;
/// Validators a page (CometBFT `maxPerPage`).
pub const VALIDATORS_PER_PAGE: u8 = 100;
/// Most validators of a set: as many as the light client looks at.
pub const VALIDATORS_MAX: usize = 1_024;
/// Validator sets kept, by hash, so that they are not asked for again. Sets change rarely; two are in use at a time,
/// and the rest serves a look back over a change.
pub const SETS_MAX: usize = 8;
/// Most characters of a node's own words in an error: enough for the reason, too few for a payload.
pub const REASON_CHARS_MAX: usize = 200;
/// Longest chain id, in bytes (CometBFT `MaxChainIDLen`).
pub const CHAIN_ID_BYTES_MAX: usize = 50;
