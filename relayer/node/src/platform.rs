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

/// Keeps this thread waiting; for the start of a node only, never in a task.
pub fn pause(duration: Duration) {
    std::thread::sleep(duration);
}

/// Tries again while `held` says that the lock is held, for about a second: what a process of ours has let go of stays
/// locked for the moment that a child it is starting has not yet become another program.
pub fn unlocked<T, E>(mut open: impl FnMut() -> Result<T, E>, held: impl Fn(&E) -> bool) -> Result<T, E> {
    /// Tries, and milliseconds between two.
    const TRIES: u32 = 50;
    const BETWEEN_MS: u64 = 20;
    let mut tried = 1;
    loop {
        match open() {
            Err(error) if held(&error) && tried < TRIES => pause(Duration::from_millis(BETWEEN_MS)),
            done => return done,
        }
        tried += 1;
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    /// Found by a test that ran while another one started a program: the store was taken for unusable and made again.
    #[test]
    fn a_lock_that_is_held_for_a_moment_is_waited_for() {
        let check = |outcomes: &[Result<u8, &'static str>], expect: Result<u8, &'static str>, tries: usize| {
            let mut tried = 0;
            let open = || {
                let outcome = outcomes[tried.min(outcomes.len() - 1)];
                tried += 1;
                outcome
            };
            assert_eq!(unlocked(open, |error| *error == "held"), expect, "{outcomes:?}");
            assert_eq!(tried, tries, "{outcomes:?}");
        };
        check(&[Ok(1)], Ok(1), 1);
        check(&[Err("held"), Err("held"), Ok(2)], Ok(2), 3);
        check(&[Err("held"), Err("broken"), Ok(3)], Err("broken"), 2);
        check(&[Err("held")], Err("held"), 50);
    }
}
