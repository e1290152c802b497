//! Benches: each budget as a ratio against a reference measured in the same run.
//!
//! Machines differ, so no bench states a time that must be met. What is measured and its reference take turns, and
//! the fastest turn of each counts: what disturbs a turn only ever makes it slower.

use std::time::{Duration, Instant};

/// A budget as a ratio, measured.
#[derive(Clone, Copy, Debug)]
pub struct Ratio {
    /// Fastest turn of what is measured.
    pub measured: Duration,
    /// Fastest turn of the reference.
    pub reference: Duration,
}

impl Ratio {
    /// Lets both take `turns` turns, one after the other. Each closure returns how long its own turn took, so that
    /// it can prepare what should not count (see [`timed`]).
    pub fn of(turns: u32, mut measured: impl FnMut() -> Duration, mut reference: impl FnMut() -> Duration) -> Self {
        let mut best = Self { measured: Duration::MAX, reference: Duration::MAX };
        for _ in 0..turns {
            best.measured = best.measured.min(measured());
            best.reference = best.reference.min(reference());
        }
        best
    }

    /// How many times the reference's time is taken.
    #[must_use]
    pub fn value(&self) -> f64 {
        self.measured.as_secs_f64() / self.reference.as_secs_f64()
    }
}

/// The time that a call takes.
pub fn timed<T>(call: impl FnOnce() -> T) -> Duration {
    let start = Instant::now();
    std::hint::black_box(call());
    start.elapsed()
}

/// What this process has resident, in bytes, as the kernel counts it (`VmRSS` of `/proc/self/status`); 0 where the
/// kernel does not say.
#[must_use]
pub fn resident_bytes() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib = line.and_then(|rest| rest.trim().trim_end_matches("kB").trim().parse::<u64>().ok());
    kib.unwrap_or_default() * 1024
}
