//! The one place that reads the clock, sleeps and draws randomness.

use std::future::Future;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use catenary_light_clients::Timestamp;

/// The wall clock. A clock before 1970 reads as the epoch, which makes every header "from the future" and so refused.
#[must_use]
pub fn now() -> Timestamp {
    #[cfg(feature = "simulation")]
    if let Some(now) = simulation::now() {
        return now;
    }
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp::from_nanos(u64::try_from(since.as_nanos()).unwrap_or(u64::MAX))
}

/// A monotonic instant, for durations.
#[must_use]
pub fn monotonic() -> Instant {
    #[cfg(feature = "simulation")]
    if simulation::is_on() {
        return tokio::time::Instant::now().into_std();
    }
    Instant::now()
}

/// Runs work that waits for the disk, on a thread where waiting is allowed.
pub fn block_in_place<T>(work: impl FnOnce() -> T) -> T {
    match tokio::runtime::Handle::try_current().map(|handle| handle.runtime_flavor()) {
        // The only thread there is: nobody else could run meanwhile anyway.
        Ok(tokio::runtime::RuntimeFlavor::CurrentThread) => work(),
        _ => tokio::task::block_in_place(work),
    }
}

/// Runs work that waits for the disk on a thread of its own. Dropping the future does not stop the work.
///
/// # Errors
/// The work panicked.
pub async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, tokio::task::JoinError> {
    #[cfg(feature = "simulation")]
    if simulation::is_on() {
        return Ok(work());
    }
    tokio::task::spawn_blocking(work).await
}

/// Makes what was written to a file durable.
///
/// # Errors
/// The disk failed.
pub fn sync_data(file: &std::fs::File, path: &std::path::Path) -> std::io::Result<()> {
    #[cfg(feature = "simulation")]
    if simulation::is_on() {
        return simulation::flush(file, path);
    }
    let _ = path;
    file.sync_data()
}

/// How long to wait between two tries at a disk that takes no writes. In a simulation there is one thread, and nothing
/// changes while it waits.
#[must_use]
pub fn patience(pause: Duration) -> Duration {
    #[cfg(feature = "simulation")]
    if simulation::is_on() {
        return Duration::ZERO;
    }
    pause
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
    #[cfg(feature = "simulation")]
    if simulation::random(buffer) {
        return Ok(());
    }
    getrandom::fill(buffer)
}

/// The future's output, or `None` when it is not done in time; it is dropped then.
pub async fn within<F: Future>(duration: Duration, future: F) -> Option<F::Output> {
    tokio::time::timeout(duration, future).await.ok()
}

/// The world of a simulation: time of the runtime's paused clock, drawn randomness, a disk that can lose what was not
/// flushed, and a hook at every commit of a journal. It holds for the thread that installs it.
#[cfg(feature = "simulation")]
pub mod simulation {
    use std::cell::RefCell;
    use std::collections::BTreeMap;
    use std::fs::File;
    use std::path::{Path, PathBuf};
    use std::rc::Rc;

    use catenary_core::bugs::{self, Bug};
    use catenary_light_clients::Timestamp;

    /// Where a commit of a journal stands.
    #[derive(Clone, Copy, PartialEq, Eq, Debug)]
    pub enum Commit {
        /// Nothing of it is written.
        Before,
        /// It is written and flushed; nobody knows yet.
        After,
    }

    /// Told of every commit with the journal's path; it may unwind, as a process that is killed there.
    pub type CommitHook = Rc<dyn Fn(&Path, Commit)>;

    struct World {
        origin: Timestamp,
        started: tokio::time::Instant,
        skew_ms: i64,
        random: u64,
        flushed: BTreeMap<PathBuf, u64>,
        hook: Option<CommitHook>,
    }

    thread_local! {
        static WORLD: RefCell<Option<World>> = const { RefCell::new(None) };
    }

    /// Takes the world away again when dropped.
    #[derive(Debug)]
    pub struct Installed(());

    impl Drop for Installed {
        fn drop(&mut self) {
            WORLD.with_borrow_mut(|world| *world = None);
        }
    }

    /// Begins a world at `origin`. Call it inside the runtime whose clock is paused.
    #[must_use]
    pub fn install(origin: Timestamp, seed: u64) -> Installed {
        let (started, flushed) = (tokio::time::Instant::now(), BTreeMap::new());
        let world = World { origin, started, skew_ms: 0, random: seed, flushed, hook: None };
        WORLD.with_borrow_mut(|slot| *slot = Some(world));
        Installed(())
    }

    /// Sets the hook at commits.
    pub fn on_commit(hook: CommitHook) {
        with(|world| world.hook = Some(hook));
    }

    /// Moves the wall clock against the true time.
    pub fn set_skew_ms(skew_ms: i64) {
        with(|world| world.skew_ms = skew_ms);
    }

    /// Bytes of a file that were flushed since the world began; `None` when none were.
    #[must_use]
    pub fn flushed(path: &Path) -> Option<u64> {
        with(|world| world.flushed.get(path).copied()).flatten()
    }

    /// Milliseconds since the world began.
    #[must_use]
    pub fn elapsed_ms() -> u64 {
        let elapsed = with(|world| world.started.elapsed().as_millis());
        elapsed.and_then(|ms| u64::try_from(ms).ok()).unwrap_or_default()
    }

    fn with<T>(f: impl FnOnce(&mut World) -> T) -> Option<T> {
        WORLD.with_borrow_mut(|world| world.as_mut().map(f))
    }

    pub(super) fn is_on() -> bool {
        WORLD.with_borrow(Option::is_some)
    }

    pub(super) fn now() -> Option<Timestamp> {
        with(|world| {
            let elapsed = u64::try_from(world.started.elapsed().as_nanos()).unwrap_or(u64::MAX);
            let nanos = world.origin.nanos.saturating_add(elapsed);
            Timestamp::from_nanos(nanos.saturating_add_signed(world.skew_ms.saturating_mul(1_000_000)))
        })
    }

    /// Draws from the world's generator (splitmix64); says whether there is one.
    pub(super) fn random(buffer: &mut [u8]) -> bool {
        let drawn = with(|world| {
            for chunk in buffer.chunks_mut(8) {
                world.random = world.random.wrapping_add(0x9e37_79b9_7f4a_7c15);
                let mut z = world.random;
                z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
                z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
                let bytes = (z ^ (z >> 31)).to_le_bytes();
                for (to, from) in chunk.iter_mut().zip(bytes) {
                    *to = from;
                }
            }
        });
        drawn.is_some()
    }

    pub(super) fn flush(file: &File, path: &Path) -> std::io::Result<()> {
        let length = file.metadata()?.len();
        if !bugs::on(Bug::SkipFsync) {
            with(|world| world.flushed.insert(path.to_owned(), length));
        }
        Ok(())
    }

    /// A commit of a journal has come this far.
    pub(crate) fn commit(path: &Path, at: Commit) {
        if let Some(hook) = with(|world| world.hook.clone()).flatten() {
            hook(path, at);
        }
    }
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
