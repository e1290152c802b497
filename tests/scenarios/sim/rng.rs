//! Draws from a seed. Each part of the world has a generator of its own, named after it, so that a change in one part
//! does not move the draws of the others.

use catenary_light_clients::Hash32;

/// A generator (splitmix64).
#[derive(Clone, Debug)]
pub(crate) struct Rng(u64);

impl Rng {
    /// The generator of a part of a world.
    pub(crate) fn of(seed: u64, part: &str) -> Self {
        let hash = Hash32::sha256(&[&seed.to_be_bytes(), part.as_bytes()]);
        let mut first = [0; 8];
        first.copy_from_slice(&hash.0[..8]);
        Self(u64::from_be_bytes(first))
    }

    /// Any number.
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number of `low..=high`.
    pub(crate) fn range(&mut self, low: u64, high: u64) -> u64 {
        low + self.next() % (high - low + 1)
    }

    /// An index below `count`.
    pub(crate) fn below(&mut self, count: usize) -> usize {
        usize::try_from(self.range(0, count.max(1) as u64 - 1)).expect("an index")
    }

    /// True so many times of a thousand.
    pub(crate) fn chance(&mut self, permille: u64) -> bool {
        self.range(0, 999) < permille
    }
}
