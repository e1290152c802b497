//! Bounds of this crate beside those of `catenary_api::limits`, each with its reason.

/// Most bytes of one message either way: a hundred updates or the events of a hundred full blocks fit, and with
/// [`CALLS_MAX`] of them under way a plugin cannot fill the memory.
pub const MESSAGE_BYTES_MAX: usize = 16 * 1024 * 1024;
/// Most calls under way at a time; more wait within their deadline.
pub const CALLS_MAX: usize = 8;
/// Most bytes of an executable: a debug build of the EVM adapter has about 200 MiB.
pub const EXECUTABLE_BYTES_MAX: u64 = 512 * 1024 * 1024;
/// Most bytes of a manifest.
pub const MANIFEST_BYTES_MAX: u64 = 64 * 1024;
/// Deadline from starting the executable to the answer of `Open`, in milliseconds: an interpreter needs seconds on a
/// busy machine.
pub const START_DEADLINE_MS: u64 = 20_000;
/// Between two looks for the socket of a plugin that starts, in milliseconds.
pub const START_POLL_MS: u64 = 20;
/// Deadline of a call that only computes (`Address`, `Finish`), in milliseconds.
pub const COMPUTE_DEADLINE_MS: u64 = 2_000;
/// Wait before the first restart, in milliseconds; it doubles with every failure in a row.
pub const BACKOFF_MIN_MS: u64 = 250;
/// Longest wait before a restart, in milliseconds: a plugin that cannot work costs one start a minute.
pub const BACKOFF_MAX_MS: u64 = 60_000;
/// How long a plugin must have run for its failures to be forgotten, in milliseconds.
pub const STEADY_MS: u64 = 60_000;
/// Calls in a row without an answer in time after which the plugin is taken to hang, and is killed.
pub const HANGS_MAX: u32 = 3;
/// Bytes of a plugin's standard error that are read in one go; then it has to wait.
pub const LOG_CHUNK_BYTES: usize = 16 * 1024;
/// Wait between two such reads, in milliseconds: a plugin that floods its log slows itself down, and nobody else.
pub const LOG_PAUSE_MS: u64 = 250;
/// Bytes of a plugin's last words that are kept for the error that says how it ended.
pub const LOG_KEPT_BYTES: usize = 1_024;
/// Most characters of a plugin's own words in an error: they come from outside and end in logs.
pub const REASON_CHARS_MAX: usize = 300;
/// Most characters of a plugin's own code in an error.
pub const CODE_CHARS_MAX: usize = 20;
/// Most bytes of a text in an answer (address, balance, chain id): none needs more than a fraction of it.
pub const TEXT_BYTES_MAX: usize = 256;
/// Most attempts to run a file that was just written: another thread's fork may hold it open for a moment (ETXTBSY).
pub const SPAWN_ATTEMPTS_MAX: usize = 10;
/// Most addresses that are remembered; a chain has one key.
pub const ADDRESSES_MAX: usize = 16;
