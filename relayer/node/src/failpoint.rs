//! Named points at which the crash tests end the process as a power cut would: no destructor runs, no buffer is
//! flushed, nobody is told.
//!
//! A debug build reads `CATENARY_FAILPOINT` once: `NAME` ends the process when it first passes the point of that name,
//! `NAME:3` when it passes it for the third time. A release build has neither the points nor the variable.
//!
//! Every name stands in the table of `tests/tests/kills`, with what must hold after a kill there, and a test compares
//! the two. It is own code and not the `fail` crate, which offers no end without unwinding and is switched by a
//! feature of the build instead of the profile, so that the program under test would not be the one that is built.

#[cfg(debug_assertions)]
mod armed {
    use std::sync::atomic::{AtomicU64, Ordering};
    use std::sync::OnceLock;

    /// Names the point, and after a colon which pass of it.
    const VARIABLE: &str = "CATENARY_FAILPOINT";

    #[derive(Debug)]
    pub(super) struct Armed {
        name: String,
        /// Passes before the one that ends the process.
        left: AtomicU64,
    }

    impl Armed {
        /// Reads `NAME` or `NAME:PASS`; passes count from one.
        pub(super) fn parse(text: &str) -> Self {
            let counted = text.rsplit_once(':').and_then(|(name, pass)| Some((name, pass.parse::<u64>().ok()?)));
            let (name, pass) = counted.unwrap_or((text, 1));
            Self { name: name.to_owned(), left: AtomicU64::new(pass.saturating_sub(1)) }
        }

        /// Whether passing `name` now is the pass that ends the process.
        pub(super) fn passes(&self, name: &str) -> bool {
            let count_down = |left: u64| left.checked_sub(1);
            self.name == name && self.left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, count_down).is_err()
        }
    }

    /// The point of this process, if one is armed.
    pub(super) fn here() -> Option<&'static Armed> {
        static ARMED: OnceLock<Option<Armed>> = OnceLock::new();
        ARMED.get_or_init(|| std::env::var(VARIABLE).ok().map(|text| Armed::parse(&text))).as_ref()
    }
}

/// Ends the process here when this point is armed.
#[cfg(debug_assertions)]
pub(crate) fn failpoint(name: &str) {
    failpoint_after(name, || {});
}

/// As [`failpoint`], and leaves something half done first.
#[cfg(debug_assertions)]
pub(crate) fn failpoint_after(name: &str, half_done: impl FnOnce()) {
    if armed::here().is_some_and(|armed| armed.passes(name)) {
        half_done();
        eprintln!("failpoint {name}: the process ends here");
        std::process::abort();
    }
}

/// Fails as a broken disk does, as long as there is the file that `CATENARY_SYNC_FAILS` names: for what makes written bytes
/// durable, which no test can have fail otherwise.
#[cfg(debug_assertions)]
pub(crate) fn sync_fails() -> std::io::Result<()> {
    /// Names the file.
    const VARIABLE: &str = "CATENARY_SYNC_FAILS";
    /// EIO of Linux.
    const IO_ERROR: i32 = 5;
    static FILE: std::sync::OnceLock<Option<std::path::PathBuf>> = std::sync::OnceLock::new();
    let file = FILE.get_or_init(|| std::env::var_os(VARIABLE).map(Into::into));
    match file {
        Some(file) if file.exists() => Err(std::io::Error::from_raw_os_error(IO_ERROR)),
        _ => Ok(()),
    }
}

/// Nothing, in a release build.
#[cfg(not(debug_assertions))]
#[inline(always)]
pub(crate) const fn sync_fails() -> std::io::Result<()> {
    Ok(())
}

/// Nothing, in a release build.
#[cfg(not(debug_assertions))]
#[inline(always)]
pub(crate) const fn failpoint(_: &str) {}

/// Nothing, in a release build.
#[cfg(not(debug_assertions))]
#[inline(always)]
pub(crate) fn failpoint_after(_: &str, _: impl FnOnce()) {}

#[cfg(all(test, debug_assertions))]
mod tests {
    use super::armed::Armed;

    /// The passes of `name`, one after the other, until one ends the process.
    fn check(armed: &str, name: &str, ends_at: Option<usize>) {
        let armed_point = Armed::parse(armed);
        let ended = (1..=5).find(|_| armed_point.passes(name));
        assert_eq!(ended, ends_at, "{armed} passing {name}");
    }

    #[test]
    fn a_point_ends_the_process_at_the_pass_that_is_named() {
        check("send.broadcast", "send.broadcast", Some(1));
        check("send.broadcast:1", "send.broadcast", Some(1));
        check("send.broadcast:3", "send.broadcast", Some(3));
        check("send.broadcast:9", "send.broadcast", None);
        check("send.broadcast", "send.signed", None);
        check("send.broadcast:x", "send.broadcast", None);
        check("", "send.broadcast", None);
    }
}
