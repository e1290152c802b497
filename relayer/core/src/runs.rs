//! A set of sequences as runs: exact, and small as long as it is nearly contiguous.
//!
//! What an attacker can grow: one run a packet that stays open while those around it end, so no more runs than the
//! engine keeps open packets.

use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize};

/// Runs of sequences, ascending, with a gap between any two.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize)]
#[serde(transparent)]
pub struct Runs(Vec<(u64, u64)>);

impl Runs {
    /// Adds the sequences from `first` to `last`; none when `last` is lower.
    pub fn insert(&mut self, first: u64, last: u64) {
        if last < first {
            return;
        }
        let touches = |&(from, to): &(u64, u64)| from <= last.saturating_add(1) && first <= to.saturating_add(1);
        let start = self.0.partition_point(|&(_, to)| to.saturating_add(1) < first);
        let count = self.0.iter().skip(start).take_while(|run| touches(run)).count();
        let joined = self.0.drain(start..start.saturating_add(count));
        let run = joined.fold((first, last), |(from, to), (a, b)| (from.min(a), to.max(b)));
        self.0.insert(start, run);
    }

    /// Whether a sequence is in it.
    #[must_use]
    pub fn contains(&self, sequence: u64) -> bool {
        let at = self.0.partition_point(|&(_, to)| to < sequence);
        self.0.get(at).is_some_and(|&(from, _)| from <= sequence)
    }

    /// First and last sequence of each run, ascending.
    pub fn iter(&self) -> impl Iterator<Item = (u64, u64)> + '_ {
        self.0.iter().copied()
    }

    /// The runs as a list.
    #[must_use]
    pub fn into_vec(self) -> Vec<(u64, u64)> {
        self.0
    }
}

impl FromIterator<u64> for Runs {
    fn from_iter<I: IntoIterator<Item = u64>>(sequences: I) -> Self {
        let mut runs = Self::default();
        sequences.into_iter().for_each(|sequence| runs.insert(sequence, sequence));
        runs
    }
}

impl<'de> Deserialize<'de> for Runs {
    /// Takes the one spelling of a set and no other.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let list = Vec::<(u64, u64)>::deserialize(deserializer)?;
        let mut runs = Self::default();
        list.iter().for_each(|(first, last)| runs.insert(*first, *last));
        if runs.0 == list {
            Ok(runs)
        } else {
            Err(D::Error::custom("runs of sequences are ascending, with gaps between them"))
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failing unwrap is a failing test")]
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn runs_join_what_touches() {
        let check = |inserted: &[(u64, u64)], expect: &[(u64, u64)]| {
            let mut runs = Runs::default();
            inserted.iter().for_each(|(first, last)| runs.insert(*first, *last));
            assert_eq!(runs.iter().collect::<Vec<_>>(), expect, "{inserted:?}");
        };
        check(&[], &[]);
        check(&[(1, 1), (2, 2)], &[(1, 2)]);
        check(&[(2, 2), (1, 1)], &[(1, 2)]);
        check(&[(1, 1), (3, 3)], &[(1, 1), (3, 3)]);
        check(&[(1, 1), (3, 3), (2, 2)], &[(1, 3)]);
        check(&[(5, 9), (1, 20)], &[(1, 20)]);
        check(&[(1, 3), (8, 9), (20, 30), (2, 8)], &[(1, 9), (20, 30)]);
        check(&[(9, 1)], &[]);
        check(&[(0, u64::MAX), (7, 7)], &[(0, u64::MAX)]);
        check(&[(u64::MAX, u64::MAX), (1, 1)], &[(1, 1), (u64::MAX, u64::MAX)]);
    }

    #[test]
    fn only_one_spelling_is_read() {
        let check = |text: &str, expect: bool| assert_eq!(serde_json::from_str::<Runs>(text).is_ok(), expect, "{text}");
        check("[]", true);
        check("[[1,2],[4,9]]", true);
        check("[[1,2],[3,9]]", false);
        check("[[4,9],[1,2]]", false);
        check("[[2,1]]", false);
        check("[[1,2],[1,2]]", false);
    }

    /// Against a plain set, over a fixed row of seeds.
    #[test]
    fn runs_are_the_set() {
        for seed in 1..200_u64 {
            let (mut runs, mut set, mut state) = (Runs::default(), BTreeSet::new(), seed);
            for _ in 0..30 {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                let (first, more) = ((state >> 33) % 60, (state >> 50) % 6);
                runs.insert(first, first + more);
                set.extend(first..=first + more);
            }
            for sequence in 0..70 {
                assert_eq!(runs.contains(sequence), set.contains(&sequence), "seed {seed}, sequence {sequence}");
            }
            let again: Runs = serde_json::from_str(&serde_json::to_string(&runs).unwrap()).unwrap();
            assert_eq!(again, runs, "seed {seed}");
            assert_eq!(set.into_iter().collect::<Runs>(), runs, "seed {seed}");
        }
    }
}
