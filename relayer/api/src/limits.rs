//! Bounds that every adapter keeps, each with its reason.

/// Most heights in one `events` or `updates` request: a slow node answers it within a deadline, and what comes back
/// fits in memory.
pub const HEIGHTS_MAX: u64 = 100;
/// Most events taken from one `events` request: 100 blocks full of packets; more is refused and the range halved.
pub const EVENTS_MAX: usize = 20_000;
/// Most paths in one `proofs` request (the attestation request's bound).
pub const PATHS_MAX: usize = 64;
/// Most sequences in one search: as many messages as a job has, so that what is missing of one is found in one request.
pub const SEARCH_SEQUENCES_MAX: usize = PATHS_MAX;
/// Most blocks in one search: what public EVM endpoints let one `eth_getLogs` cover.
pub const SEARCH_HEIGHTS_MAX: u64 = 10_000;
/// Most bytes read of one HTTP answer: a block of results with 1,000 packets is about 4 MiB; 32 MiB leaves room
/// and still cannot exhaust memory.
pub const BODY_BYTES_MAX: usize = 32 * 1024 * 1024;
/// Deadline of one request to an endpoint, in milliseconds.
pub const REQUEST_DEADLINE_MS: u64 = 10_000;
