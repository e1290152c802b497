//! When to look at the head next, while nothing tells that there is a block: about when the next one is due, so that a chain
//! on which nothing happens costs about one look a block.
//!
//! The time of a block is the mean of many seen here, by this machine's clock: what a header says of its time is a matter of
//! its chain. Each look comes a little before the last one's place in the block, until one comes too early: then it is made
//! again soon after, and the place is late again. So on a regular chain no block waits longer than if looks were made all the
//! time. A pause, or a look that came too late, starts the measuring anew, with looks as usual meanwhile.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// Looks that found blocks and are remembered, at most.
const LOOKS_MAX: usize = 32;
/// How many there must be: the mean is then wrong by a sixteenth of the usual time at most, which looks come earlier.
const LOOKS_MIN: usize = 17;
/// The part of the usual time between two looks by which a look comes earlier than the last one in its block, as a divisor.
const EARLIER: u64 = 16;
/// Longest time to the next look, in milliseconds: a chain that was slow is not kept waiting for when it is fast again.
const LOOK_MS_MAX: u64 = 5_000;

/// Looks at one chain.
#[derive(Debug, Default)]
pub(super) struct Pace {
    /// Looks that found a block: when, and the head then.
    found: VecDeque<(Instant, u64)>,
    /// When the next block is due, if the last look found one.
    due: Option<Instant>,
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

impl Pace {
    /// A look that began at a time has shown a head.
    pub(super) fn looked(&mut self, began: Instant, height: u64, usual_ms: u64) {
        let was_due = self.due.take().is_some();
        if let Some((at, before)) = self.found.back() {
            if height <= *before {
                return;
            }
            let is_late = was_due && height > before.saturating_add(1);
            let gap_ms = millis(began.saturating_duration_since(*at));
            let is_pause = self.block_ms().is_some_and(|ms| gap_ms > ms.saturating_add(usual_ms).saturating_mul(2));
            if is_late || is_pause {
                self.found.clear();
            }
        }
        self.found.push_back((began, height));
        if self.found.len() > LOOKS_MAX {
            self.found.pop_front();
        }
        if self.found.len() >= LOOKS_MIN {
            let wait_ms = self.block_ms().unwrap_or_default().saturating_sub(usual_ms / EARLIER);
            self.due = began.checked_add(Duration::from_millis(wait_ms.min(LOOK_MS_MAX)));
        }
    }

    /// The mean time of a block.
    fn block_ms(&self) -> Option<u64> {
        let ((first, from), (last, to)) = (self.found.front()?, self.found.back()?);
        millis(last.saturating_duration_since(*first)).checked_div(to.checked_sub(*from)?)
    }

    /// The time until the next look: the usual one, or until a block is due if that is known.
    pub(super) fn wait(&self, now: Instant, usual: Duration) -> Duration {
        self.due.map_or(usual, |due| due.saturating_duration_since(now))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The usual time between two looks, and what a look and waking up take.
    const USUAL_MS: u64 = 400;
    const LATEST_MS: u64 = USUAL_MS + 20;

    /// Looks at a chain with blocks at these times (in milliseconds). Gives how many looks were made after the first forty
    /// blocks, and the longest time that a block waited for one.
    fn follow(blocks_ms: &[u64]) -> (usize, u64) {
        let (start, usual) = (Instant::now(), Duration::from_millis(USUAL_MS));
        let (mut pace, mut now_ms, mut seen, mut looks, mut latest_ms) = (Pace::default(), 0, 0, 0, 0);
        while seen < blocks_ms.len() {
            let height = blocks_ms.iter().filter(|at| **at <= now_ms).count();
            looks += usize::from(seen >= 40);
            let waited = blocks_ms.get(seen..height).unwrap_or_default().iter().map(|at| now_ms - at);
            latest_ms = waited.fold(latest_ms, u64::max);
            seen = height;
            let now = start + Duration::from_millis(now_ms);
            pace.looked(now, height as u64, USUAL_MS);
            let wait = pace.wait(now + Duration::from_millis(8), usual);
            now_ms += 10 + millis(wait);
        }
        (looks, latest_ms)
    }

    #[test]
    fn a_regular_chain_costs_about_one_look_a_block_and_no_block_waits_longer_than_before() {
        let check = |block_ms: u64, looks_max: usize| {
            let blocks: Vec<u64> = (1..=240).map(|block| block * block_ms).collect();
            let (looks, latest_ms) = follow(&blocks);
            assert!(looks <= looks_max && looks >= 199, "{block_ms} ms: {looks} looks at 200 blocks");
            assert!(latest_ms <= LATEST_MS, "{block_ms} ms: a block waited {latest_ms} ms");
        };
        check(500, 220);
        check(977, 220);
        check(1_000, 220);
        check(2_000, 225);
        check(5_000, 240);
    }

    #[test]
    fn a_pause_is_forgotten_and_a_chain_that_becomes_fast_is_seen_to_be() {
        // Two minutes without a block, and on.
        let blocks: Vec<u64> = (1..=240).map(|block| block * 1_000 + if block > 50 { 120_000 } else { 0 }).collect();
        assert!(follow(&blocks).1 <= LATEST_MS);
        // Slow, and then fast: what is found late is looked at as usual from there on.
        let at = |block: u64| if block <= 30 { block * 10_000 } else { 300_000 + (block - 30) * 200 };
        let blocks: Vec<u64> = (1..=90).map(at).collect();
        let (_, latest_ms) = follow(&blocks);
        assert!(latest_ms <= LOOK_MS_MAX, "a block waited {latest_ms} ms");
    }
}
