//! Bounds of the endpoints of one chain, each with its reason.

/// Failures in a row that take an endpoint out of service: one may be a restart, three are an outage.
pub const FAILURES_MAX: u32 = 3;
/// First pause before a failed endpoint is tried again, in milliseconds: a restart takes seconds.
pub const BACKOFF_MS_MIN: u64 = 1_000;
/// Longest such pause, in milliseconds: an endpoint that is right again serves within a minute.
pub const BACKOFF_MS_MAX: u64 = 60_000;
/// First pause before an endpoint that was refused is compared again, in milliseconds.
pub const REFUSED_MS_MIN: u64 = 10_000;
/// Longest such pause, in milliseconds: whoever lies again and again is asked six times an hour.
pub const REFUSED_MS_MAX: u64 = 600_000;
/// A trial that has not ended after this is given up, in milliseconds: three deadlines of a request.
pub const TRIAL_MS: u64 = 30_000;
/// Blocks that an endpoint may be behind the verified head: a few are the spread of a network.
pub const LAG_BLOCKS_MAX: u64 = 5;
/// Milliseconds between two comparisons of all heads: with one-second blocks a comparison costs two requests in
/// fifteen blocks an endpoint.
pub const COMPARE_MS: u64 = 15_000;
/// Milliseconds after which what was seen of an endpoint counts half: a bad minute is forgiven in some minutes.
pub const HALF_LIFE_MS: f64 = 60_000.0;
/// Weight of the newest answer in an average.
pub const NEWEST: f64 = 0.1;
/// Answers that must have been seen before their usual time is known.
pub const SAMPLES_MIN: u32 = 8;
/// Milliseconds before a second endpoint is asked as well while the first one's usual time is not known.
pub const HEDGE_MS_DEFAULT: u64 = 1_000;
/// Shortest such time, in milliseconds: below it a second request only costs.
pub const HEDGE_MS_MIN: u64 = 50;
/// Longest such time, in milliseconds: nobody waits for the deadline of a request when another endpoint is there.
pub const HEDGE_MS_MAX: u64 = 2_000;
/// Second requests in percent of all reads, at most.
pub const HEDGE_PERCENT: f64 = 5.0;
/// Second requests that may be saved up: an endpoint that hangs is hedged for every class at once.
pub const HEDGES_SAVED_MAX: f64 = 10.0;
/// Endpoints that one read goes to, at most, before it fails.
pub const ATTEMPTS_MAX: usize = 3;
/// Transactions of which it is remembered what endpoints said: senders have a few in flight each.
pub const REMEMBERED_MAX: usize = 256;
/// Looks for a receipt at one endpoint before a second one is asked as well.
pub const RECEIPT_LOOKS: u32 = 10;
/// Milliseconds that a failed receipt is doubted while no other endpoint confirms it.
pub const DOUBT_MS: u64 = 30_000;
