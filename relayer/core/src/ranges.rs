//! A set of numbers as ranges.

use std::collections::BTreeMap;

/// Ranges that neither overlap nor touch, by their starts.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Ranges(BTreeMap<u64, u64>);

impl Ranges {
    /// Adds `first..=last`.
    pub(crate) fn insert(&mut self, first: u64, last: u64) {
        let (mut first, mut last) = (first, last);
        // Those that overlap or touch it become one with it.
        while let Some((start, end)) = self.0.range(..=last.saturating_add(1)).next_back().map(|(s, e)| (*s, *e)) {
            if end.saturating_add(1) < first {
                break;
            }
            self.0.remove(&start);
            first = first.min(start);
            last = last.max(end);
        }
        self.0.insert(first, last);
    }

    /// The start of the range that holds a number.
    pub(crate) fn start_of(&self, number: u64) -> Option<u64> {
        let (start, end) = self.0.range(..=number).next_back()?;
        (*end >= number).then_some(*start)
    }

    /// Whether a number is in one.
    pub(crate) fn contains(&self, number: u64) -> bool {
        self.start_of(number).is_some()
    }

    /// The highest number, if there is one.
    pub(crate) fn last(&self) -> Option<u64> {
        self.0.last_key_value().map(|(_, end)| *end)
    }

    /// Takes the lowest range out.
    pub(crate) fn pop_first(&mut self) -> Option<(u64, u64)> {
        self.0.pop_first()
    }

    /// How many ranges there are.
    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_that_touch_become_one() {
        let check = |inserted: &[(u64, u64)], expect: &[(u64, u64)]| {
            let mut ranges = Ranges::default();
            inserted.iter().for_each(|(first, last)| ranges.insert(*first, *last));
            assert_eq!(ranges.0.into_iter().collect::<Vec<_>>(), expect, "{inserted:?}");
        };
        check(&[], &[]);
        check(&[(1, 1), (2, 2), (3, 3)], &[(1, 3)]);
        check(&[(3, 3), (2, 2), (1, 1)], &[(1, 3)]);
        check(&[(1, 1), (3, 3)], &[(1, 1), (3, 3)]);
        check(&[(1, 1), (3, 3), (2, 2)], &[(1, 3)]);
        check(&[(1, 10), (5, 6)], &[(1, 10)]);
        check(&[(5, 6), (1, 10)], &[(1, 10)]);
        check(&[(1, 2), (4, 5), (7, 8), (3, 6)], &[(1, 8)]);
        check(&[(1, 2), (9, 9), (2, 5)], &[(1, 5), (9, 9)]);
        check(&[(u64::MAX, u64::MAX), (0, 0)], &[(0, 0), (u64::MAX, u64::MAX)]);
    }

    #[test]
    fn a_number_knows_where_its_range_starts() {
        let mut ranges = Ranges::default();
        ranges.insert(3, 5);
        ranges.insert(8, 8);
        let starts = (1..=9).map(|number| ranges.start_of(number)).collect::<Vec<_>>();
        assert_eq!(starts, [None, None, Some(3), Some(3), Some(3), None, None, Some(8), None]);
    }
}
