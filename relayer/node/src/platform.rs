//! The one place that reads the clock, sleeps and draws randomness.

use std::future::Future;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use catenary_light_clients::Timestamp;

/// The wall clock. A clock before 1970 reads as the epoch, which makes every header "from the future" and so refused.
#[must_use]
pub fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp::from_nanos(u64::try_from(since.as_nanos()).unwrap_or(u64::MAX))
}

/// A monotonic instant, for durations.
#[must_use]
pub fn monotonic() -> Instant {
    Instant::now()
}

/// Sleeps; cancel safe.
pub async fn sleep(duration: Duration) {
    tokio::time::sleep(duration).await;
}

/// Fills a buffer from the operating system's generator.
///
/// # Errors
/// The generator is not available, which on a supported system does not happen.
pub fn random(buffer: &mut [u8]) -> Result<(), getrandom::Error> {
    getrandom::fill(buffer)
}

/// The future's output, or `None` when it is not done in time; it is dropped then.
pub async fn within<F: Future>(duration: Duration, future: F) -> Option<F::Output> {
    tokio::time::timeout(duration, future).await.ok()
}
