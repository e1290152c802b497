//! The sequences that have ended: a watermark and what lies above it.

use super::limits;
use crate::ranges::Ranges;

/// A set of sequences that is nearly contiguous: all up to a watermark, and ranges above it.
///
/// What it says has ended has ended. Over its bound it forgets the range after the lowest gap: those sequences count as
/// not known, so that the sweep asks for them once more, and never the other way round.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SequenceSet {
    watermark: u64,
    above: Ranges,
}

impl SequenceSet {
    /// Whether the sequence has ended.
    #[must_use]
    pub fn contains(&self, sequence: u64) -> bool {
        sequence <= self.watermark || self.above.contains(sequence)
    }

    /// Adds a sequence; the watermark moves over what is contiguous.
    pub fn insert(&mut self, sequence: u64) {
        self.insert_run(sequence, sequence);
    }

    /// The sequence up to which all have ended.
    #[must_use]
    pub const fn watermark(&self) -> u64 {
        self.watermark
    }

    /// The highest sequence that has ended, 0 for none.
    #[must_use]
    pub fn highest(&self) -> u64 {
        self.above.last().unwrap_or(self.watermark)
    }

    /// Adds all sequences from `first` to `last`; none when `last` is lower.
    pub fn insert_run(&mut self, first: u64, last: u64) {
        if last < first || last <= self.watermark {
            return;
        }
        let (mut first, mut last) = (first, last);
        if first <= self.watermark.saturating_add(1) {
            first = 0;
        }
        self.above.insert(first, last);
        // What touches the watermark is one range with it now, and the lowest one.
        if first == 0 {
            last = self.above.pop_first().map_or(last, |(_, end)| end);
            self.watermark = last;
        }
        if self.above.len() > limits::CLOSED_GAPS_MAX {
            self.above.pop_first();
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
        check(&[3, 4, 5, 9], &[3, 4, 5, 9], &[1, 2, 6, 8], 2);
    }

    /// Over its bound the set gave up the lowest gap, so that what was open in it counted as ended and was never asked for.
    #[test]
    fn over_its_bound_what_is_open_stays_open() {
        let mut set = SequenceSet::default();
        let over = 3;
        let count = limits::CLOSED_GAPS_MAX as u64 + over;
        (1..=count).for_each(|number| set.insert(2 * number));
        assert_eq!(set.gaps(), limits::CLOSED_GAPS_MAX);
        assert!((0..count).all(|number| !set.contains(2 * number + 1)), "what is open");
        let forgotten: Vec<u64> = (1..=count).map(|number| 2 * number).filter(|ended| !set.contains(*ended)).collect();
        assert_eq!(forgotten, (1..=over).map(|number| 2 * number).collect::<Vec<_>>(), "to be asked for again");
        assert_eq!((set.watermark(), set.highest()), (0, 2 * count));
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
        set.insert_run(9, 3);
        assert_eq!(set.watermark(), u64::MAX, "none");
    }
}
