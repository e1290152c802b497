//! The one place of the devnets that reads the clock and sleeps. Randomness they have none: all follows from a seed.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// The wall clock, as the time since 1970; zero for a clock before that.
#[must_use]
pub fn now() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}

/// Sleeps; cancel safe.
pub async fn sleep(duration: Duration) {
    tokio::time::sleep(duration).await;
}
