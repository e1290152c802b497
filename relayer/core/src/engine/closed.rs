//! The sequences that have ended: a watermark and what lies above it.

use std::collections::BTreeSet;

use super::limits;

/// A set of sequences that is nearly contiguous: all up to a watermark, and single ones above it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SequenceSet {
    watermark: u64,
    above: BTreeSet<u64>,
}

impl SequenceSet {
    /// Whether the sequence has ended.
    #[must_use]
    pub fn contains(&self, sequence: u64) -> bool {
        sequence <= self.watermark || self.above.contains(&sequence)
    }

    /// Adds a sequence; the watermark moves over what is contiguous. When the gaps exceed their bound, the lowest
    /// gap is given up: what lies below counts as ended, and the sweep finds it again if it is not.
    pub fn insert(&mut self, sequence: u64) {
        if self.contains(sequence) {
            return;
        }
        self.above.insert(sequence);
        if self.above.len() > limits::CLOSED_GAPS_MAX {
            if let Some(lowest) = self.above.pop_first() {
                self.watermark = lowest;
            }
        }
        while self.above.first() == Some(&self.watermark.saturating_add(1)) {
            self.above.pop_first();
            self.watermark = self.watermark.saturating_add(1);
        }
    }

    /// The sequence up to which all have ended.
    #[must_use]
    pub const fn watermark(&self) -> u64 {
        self.watermark
    }

    /// The highest sequence that has ended, 0 for none.
    #[must_use]
    pub fn highest(&self) -> u64 {
        self.above.last().copied().unwrap_or(self.watermark)
    }

    /// Adds all sequences from `first` to `last`.
    pub fn insert_run(&mut self, first: u64, last: u64) {
        if first > self.watermark.saturating_add(1) {
            (first..=last).for_each(|sequence| self.insert(sequence));
            return;
        }
        self.watermark = self.watermark.max(last);
        self.above = self.above.split_off(&self.watermark.saturating_add(1));
        while self.above.first() == Some(&self.watermark.saturating_add(1)) {
            self.above.pop_first();
            self.watermark = self.watermark.saturating_add(1);
        }
    }

    /// How many gaps are kept.
    #[must_use]
    pub fn gaps(&self) -> usize {
        self.above.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_watermark_moves_over_what_is_contiguous() {
        let check = |inserted: &[u64], ended: &[u64], open: &[u64], gaps: usize| {
            let mut set = SequenceSet::default();
            inserted.iter().for_each(|sequence| set.insert(*sequence));
            assert!(ended.iter().all(|sequence| set.contains(*sequence)), "{set:?}");
            assert!(open.iter().all(|sequence| !set.contains(*sequence)), "{set:?}");
            assert_eq!(set.gaps(), gaps, "{set:?}");
        };
        check(&[], &[], &[1, 2, u64::MAX], 0);
        check(&[1, 2, 3], &[1, 2, 3], &[4], 0);
        check(&[3, 1, 2], &[1, 2, 3], &[4], 0);
        check(&[2, 4], &[2, 4], &[1, 3, 5], 2);
        check(&[2, 4, 1], &[1, 2, 4], &[3, 5], 1);
        check(&[u64::MAX], &[u64::MAX], &[1], 1);
    }

    #[test]
    fn a_run_is_the_same_as_its_sequences_one_by_one() {
        let runs = [(1, 5), (3, 9), (1, 1), (7, 7), (12, 14), (2, 2), (1, 20), (6, 6), (10, 11)];
        for (at, run) in runs.iter().enumerate() {
            let (mut joined, mut single) = (SequenceSet::default(), SequenceSet::default());
            for (first, last) in runs.iter().cycle().skip(at).take(4).chain([run]) {
                joined.insert_run(*first, *last);
                (*first..=*last).for_each(|sequence| single.insert(sequence));
                assert_eq!(joined, single, "from {at}, {first} to {last}");
            }
        }
        let mut set = SequenceSet::default();
        set.insert_run(1, u64::MAX);
        assert!(set.contains(u64::MAX));
    }
}
