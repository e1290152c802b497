//! The clock and the waits of the host: restarts are spaced in time and calls have deadlines. Nothing else in this
//! crate reads the clock.

use std::future::Future;
use std::time::Duration;

pub(crate) use tokio::time::Instant;

/// Now, on a clock that never goes back.
pub(crate) fn now() -> Instant {
    Instant::now()
}

/// Waits.
pub(crate) async fn sleep_ms(milliseconds: u64) {
    tokio::time::sleep(Duration::from_millis(milliseconds)).await;
}

/// What comes of it within the deadline, else `None`.
pub(crate) async fn within_ms<T>(milliseconds: u64, what: impl Future<Output = T>) -> Option<T> {
    tokio::time::timeout(Duration::from_millis(milliseconds), what).await.ok()
}
