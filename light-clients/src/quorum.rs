//! The one place that counts votes.
//!
//! Every family asks here whether enough distinct members of a set have signed, so that the arithmetic of quorums
//! is written, tabulated and tested once. Counts are exact integers: `ceil(2n/3)` is not `2n/3`, and "more than two
//! thirds of the power" is not "at least". Powers are compared in 128 bits, where no product can wrap.
//!
//! What an attacker can grow: a [`Tally`] holds one flag a member, and the caller bounds the set before it counts.

use alloc::vec::Vec;
use core::num::{NonZeroU64, NonZeroUsize};

use crate::verdict::{Class, Coded};

/// Votes needed of `members` voters of equal weight: `ceil(2n/3)` (Besu `BftHelpers.calculateRequiredValidatorQuorum`;
/// GoQuorum `QuorumSize` from its `ceil2Nby3Block` on).
#[must_use]
pub const fn two_thirds_of(members: NonZeroUsize) -> usize {
    // n - floor(n/3) equals ceil(2n/3) and cannot overflow.
    let n = members.get();
    n.saturating_sub(n / 3)
}

/// Faulty voters that `members` voters of equal weight tolerate: `F = floor((n-1)/3)`.
#[must_use]
pub const fn tolerated_faults(members: NonZeroUsize) -> usize {
    members.get().saturating_sub(1) / 3
}

/// Whether `power` is strictly more than two thirds of `total`. A power above the total is no honest tally: false.
#[must_use]
pub const fn exceeds_two_thirds(power: u64, total: u64) -> bool {
    power <= total && (power as u128).saturating_mul(3) > (total as u128).saturating_mul(2)
}

/// Whether `power` is strictly more than one third of `total`. A power above the total is no honest tally: false.
#[must_use]
pub const fn exceeds_one_third(power: u64, total: u64) -> bool {
    power <= total && (power as u128).saturating_mul(3) > total as u128
}

/// Weight that decides of `total`: `total - floor((total - 1) / 3)` (GRANDPA, finality-grandpa `threshold`). Two sets
/// of voters with this weight share more weight than the tolerated faulty ones have.
#[must_use]
pub const fn deciding_weight(total: NonZeroU64) -> u64 {
    let total = total.get();
    total.saturating_sub(total.saturating_sub(1) / 3)
}

/// The sum of voting powers.
///
/// # Errors
/// [`QuorumError::PowerOverflow`] when the sum leaves 64 bits: the set is not one that a chain can have.
pub fn total_power(powers: impl IntoIterator<Item = u64>) -> Result<u64, QuorumError> {
    let mut total = 0u64;
    for (position, power) in powers.into_iter().enumerate() {
        total = total.checked_add(power).ok_or(QuorumError::PowerOverflow { position, total, power })?;
    }
    Ok(total)
}

/// A set of voters of equal weight: at least one, in strictly ascending order, so none twice.
#[derive(Clone, Copy, Debug)]
pub struct Members<'a, Id> {
    ids: &'a [Id],
    count: NonZeroUsize,
}

impl<'a, Id: Ord> Members<'a, Id> {
    /// The set of `ids`, which must already be in strictly ascending order.
    ///
    /// # Errors
    /// [`QuorumError::Empty`] without voters, [`QuorumError::Unordered`] when one is not above the one before it.
    pub fn new(ids: &'a [Id]) -> Result<Self, QuorumError> {
        let count = NonZeroUsize::new(ids.len()).ok_or(QuorumError::Empty)?;
        match ids.windows(2).position(|pair| matches!(pair, [a, b] if a >= b)) {
            Some(position) => Err(QuorumError::Unordered { position: position.saturating_add(1) }),
            None => Ok(Self { ids, count }),
        }
    }

    /// Number of voters.
    #[must_use]
    pub const fn count(&self) -> NonZeroUsize {
        self.count
    }

    /// Votes that decide: `ceil(2n/3)`.
    #[must_use]
    pub const fn quorum(&self) -> usize {
        two_thirds_of(self.count)
    }

    /// Votes of which at least one is honest: `F + 1`.
    #[must_use]
    pub const fn one_honest(&self) -> usize {
        tolerated_faults(self.count).saturating_add(1)
    }

    /// A count of votes that starts at zero.
    #[must_use]
    pub fn tally(self) -> Tally<'a, Id> {
        Tally { seen: alloc::vec![false; self.ids.len()], members: self, votes: 0 }
    }
}

/// What became of a vote.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[must_use]
pub enum Vote {
    /// The first vote of a member.
    Counted,
    /// The member had voted already: not counted again.
    Repeated,
    /// Not a member: not counted.
    Stranger,
}

/// Distinct votes of the members of one set.
#[derive(Clone, Debug)]
pub struct Tally<'a, Id> {
    members: Members<'a, Id>,
    seen: Vec<bool>,
    votes: usize,
}

impl<Id: Ord> Tally<'_, Id> {
    /// Takes the vote of `id`; it counts once, and only for a member.
    pub fn vote(&mut self, id: &Id) -> Vote {
        let Ok(index) = self.members.ids.binary_search(id) else { return Vote::Stranger };
        match self.seen.get_mut(index) {
            Some(seen) if !*seen => {
                *seen = true;
                self.votes = self.votes.saturating_add(1);
                Vote::Counted
            }
            _ => Vote::Repeated,
        }
    }

    /// Distinct members that have voted.
    #[must_use]
    pub const fn votes(&self) -> usize {
        self.votes
    }

    /// Requires at least `needed` votes.
    ///
    /// # Errors
    /// [`QuorumError::TooFewVotes`] with both numbers.
    pub const fn require(&self, needed: usize) -> Result<(), QuorumError> {
        if self.votes >= needed && needed > 0 {
            return Ok(());
        }
        Err(QuorumError::TooFewVotes { got: self.votes, needed, members: self.members.count.get() })
    }
}

/// A set of voters with weights: at least one, in strictly ascending order, each with a weight above zero.
#[derive(Clone, Copy, Debug)]
pub struct WeightedMembers<'a, Id> {
    members: &'a [(Id, u64)],
    total: NonZeroU64,
}

impl<'a, Id: Ord> WeightedMembers<'a, Id> {
    /// The set of `members`, which must already be in strictly ascending order of their ids.
    ///
    /// # Errors
    /// [`QuorumError::Empty`], [`QuorumError::Unordered`], [`QuorumError::ZeroWeight`], or
    /// [`QuorumError::PowerOverflow`] when the sum of weights leaves 64 bits.
    pub fn new(members: &'a [(Id, u64)]) -> Result<Self, QuorumError> {
        if let Some(position) = members.windows(2).position(|pair| matches!(pair, [(a, _), (b, _)] if a >= b)) {
            return Err(QuorumError::Unordered { position: position.saturating_add(1) });
        }
        if let Some(position) = members.iter().position(|(_, weight)| *weight == 0) {
            return Err(QuorumError::ZeroWeight { position });
        }
        let total = total_power(members.iter().map(|(_, weight)| *weight))?;
        let total = NonZeroU64::new(total).ok_or(QuorumError::Empty)?;
        Ok(Self { members, total })
    }

    /// Sum of the weights.
    #[must_use]
    pub const fn total(&self) -> NonZeroU64 {
        self.total
    }

    /// A count of weights that starts at zero.
    #[must_use]
    pub fn tally(self) -> WeightedTally<'a, Id> {
        WeightedTally { seen: alloc::vec![false; self.members.len()], members: self, weight: 0 }
    }
}

/// The weight of distinct votes of the members of one set.
#[derive(Clone, Debug)]
pub struct WeightedTally<'a, Id> {
    members: WeightedMembers<'a, Id>,
    seen: Vec<bool>,
    weight: u64,
}

impl<Id: Ord> WeightedTally<'_, Id> {
    /// Takes the vote of `id`; its weight counts once, and only for a member.
    pub fn vote(&mut self, id: &Id) -> Vote {
        let Ok(index) = self.members.members.binary_search_by(|(member, _)| member.cmp(id)) else {
            return Vote::Stranger;
        };
        match (self.seen.get_mut(index), self.members.members.get(index)) {
            (Some(seen), Some((_, weight))) if !*seen => {
                *seen = true;
                // Distinct members weigh no more than the total, which fits.
                self.weight = self.weight.saturating_add(*weight);
                Vote::Counted
            }
            _ => Vote::Repeated,
        }
    }

    /// Weight of the members that have voted.
    #[must_use]
    pub const fn weight(&self) -> u64 {
        self.weight
    }

    /// Requires at least `needed` weight.
    ///
    /// # Errors
    /// [`QuorumError::TooLittleWeight`] with both weights.
    pub const fn require(&self, needed: u64) -> Result<(), QuorumError> {
        if self.weight >= needed && needed > 0 {
            return Ok(());
        }
        Err(QuorumError::TooLittleWeight { got: self.weight, needed, total: self.members.total.get() })
    }
}

/// Why a set or a count of votes is refused.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum QuorumError {
    /// No voters: nothing can be decided.
    #[error("the set of voters is empty, so no number of votes decides anything; ask another endpoint")]
    Empty,
    /// The set is not in strictly ascending order.
    #[error("voter {position} (counted from 0) is not above the one before it: the set is unordered or repeats one")]
    Unordered {
        /// Position of the offending voter, from 0.
        position: usize,
    },
    /// Too few distinct members have voted.
    #[error("{got} distinct members of {members} have signed, {needed} are needed")]
    TooFewVotes {
        /// Distinct votes counted.
        got: usize,
        /// Votes needed.
        needed: usize,
        /// Size of the set.
        members: usize,
    },
    /// The sum of powers leaves 64 bits.
    #[error("power {power} of voter {position} added to {total} leaves 64 bits: no chain has such a set")]
    PowerOverflow {
        /// Position of the voter whose power did not fit, from 0.
        position: usize,
        /// Sum before it.
        total: u64,
        /// Its power.
        power: u64,
    },
    /// Too little weight has voted.
    #[error("members of weight {got} of {total} have signed, {needed} is needed")]
    TooLittleWeight {
        /// Weight of the distinct voters.
        got: u64,
        /// Weight needed.
        needed: u64,
        /// Weight of the set.
        total: u64,
    },
    /// A voter without weight.
    #[error("voter {position} (counted from 0) has no weight: no chain has such a set")]
    ZeroWeight {
        /// Position of the voter, from 0.
        position: usize,
    },
}

impl Coded for QuorumError {
    fn code(&self) -> &'static str {
        match self {
            Self::Empty => "LC-QUO-001",
            Self::Unordered { .. } => "LC-QUO-002",
            Self::TooFewVotes { .. } => "LC-QUO-003",
            Self::PowerOverflow { .. } => "LC-QUO-004",
            Self::TooLittleWeight { .. } => "LC-QUO-005",
            Self::ZeroWeight { .. } => "LC-QUO-006",
        }
    }

    fn class(&self) -> Class {
        match self {
            Self::Empty | Self::Unordered { .. } | Self::PowerOverflow { .. } | Self::ZeroWeight { .. } => {
                Class::Permanent
            }
            Self::TooFewVotes { .. } | Self::TooLittleWeight { .. } => Class::Misbehaviour,
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(
        clippy::unwrap_used,
        clippy::indexing_slicing,
        clippy::arithmetic_side_effects,
        reason = "a test fails by panicking"
    )]
    use super::*;

    /// `ceil(2n/3)` for n = 1..=100, written out by hand of the definition: the smallest q with 3q >= 2n.
    const QUORUM: [usize; 100] = [
        1, 2, 2, 3, 4, 4, 5, 6, 6, 7, 8, 8, 9, 10, 10, 11, 12, 12, 13, 14, 14, 15, 16, 16, 17, 18, 18, 19, 20, 20, 21,
        22, 22, 23, 24, 24, 25, 26, 26, 27, 28, 28, 29, 30, 30, 31, 32, 32, 33, 34, 34, 35, 36, 36, 37, 38, 38, 39, 40,
        40, 41, 42, 42, 43, 44, 44, 45, 46, 46, 47, 48, 48, 49, 50, 50, 51, 52, 52, 53, 54, 54, 55, 56, 56, 57, 58, 58,
        59, 60, 60, 61, 62, 62, 63, 64, 64, 65, 66, 66, 67,
    ];

    /// `floor((n-1)/3)` for n = 1..=100.
    const FAULTS: [usize; 100] = [
        0, 0, 0, 1, 1, 1, 2, 2, 2, 3, 3, 3, 4, 4, 4, 5, 5, 5, 6, 6, 6, 7, 7, 7, 8, 8, 8, 9, 9, 9, 10, 10, 10, 11, 11,
        11, 12, 12, 12, 13, 13, 13, 14, 14, 14, 15, 15, 15, 16, 16, 16, 17, 17, 17, 18, 18, 18, 19, 19, 19, 20, 20, 20,
        21, 21, 21, 22, 22, 22, 23, 23, 23, 24, 24, 24, 25, 25, 25, 26, 26, 26, 27, 27, 27, 28, 28, 28, 29, 29, 29, 30,
        30, 30, 31, 31, 31, 32, 32, 32, 33,
    ];

    fn ids(n: usize) -> Vec<usize> {
        (0..n).collect()
    }

    #[test]
    fn quorum_and_faults_follow_the_table_for_1_to_100() {
        for n in 1..=100usize {
            let members = NonZeroUsize::new(n).unwrap();
            assert_eq!(two_thirds_of(members), QUORUM[n - 1], "quorum of {n}");
            assert_eq!(tolerated_faults(members), FAULTS[n - 1], "faults of {n}");
            // Two quorums share a member that is honest, whatever F members do.
            assert!(2 * QUORUM[n - 1] - n > FAULTS[n - 1], "quorums of {n} intersect in an honest member");
            // A quorum can form without the faulty ones.
            assert!(n - FAULTS[n - 1] >= QUORUM[n - 1], "{n} without the faulty reaches quorum");
        }
    }

    #[test]
    fn a_tally_decides_exactly_at_the_quorum_for_1_to_100() {
        for n in 1..=100usize {
            let set = ids(n);
            let mut tally = Members::new(&set).unwrap().tally();
            for id in 0..n {
                let needed = QUORUM[n - 1];
                assert_eq!(tally.require(needed).is_ok(), id >= needed, "{id} votes of {n}");
                assert_eq!(tally.vote(&id), Vote::Counted);
                assert_eq!(tally.vote(&id), Vote::Repeated);
                assert_eq!(tally.votes(), id + 1);
            }
            assert_eq!(tally.vote(&n), Vote::Stranger);
            assert_eq!(tally.votes(), n);
        }
    }

    #[test]
    fn zero_votes_never_decide() {
        let set = ids(4);
        let tally = Members::new(&set).unwrap().tally();
        assert_eq!(tally.require(0), Err(QuorumError::TooFewVotes { got: 0, needed: 0, members: 4 }));
    }

    #[test]
    fn sets_are_ascending_and_not_empty() {
        fn check(ids: &[u16], expect: Option<QuorumError>) {
            assert_eq!(Members::new(ids).err(), expect, "{ids:?}");
        }
        check(&[], Some(QuorumError::Empty));
        check(&[1], None);
        check(&[1, 2, 3], None);
        check(&[1, 1], Some(QuorumError::Unordered { position: 1 }));
        check(&[1, 3, 2], Some(QuorumError::Unordered { position: 2 }));
    }

    #[test]
    fn powers_are_compared_strictly_and_without_wrapping() {
        // (power, total, more than 1/3, more than 2/3)
        for (power, total, third, two_thirds) in [
            (0, 0, false, false),
            (0, 1, false, false),
            (1, 1, true, true),
            (1, 3, false, false),
            (2, 3, true, false),
            (3, 3, true, true),
            (34, 100, true, false),
            (33, 99, false, false),
            (66, 99, true, false),
            (67, 99, true, true),
            (2, 1, false, false),
            (u64::MAX, u64::MAX, true, true),
            (u64::MAX / 3, u64::MAX, false, false),
            (u64::MAX / 3 + 1, u64::MAX, true, false),
            (u64::MAX / 3 * 2, u64::MAX, true, false),
            (u64::MAX / 3 * 2 + 1, u64::MAX, true, true),
        ] {
            assert_eq!(exceeds_one_third(power, total), third, "{power} of {total}");
            assert_eq!(exceeds_two_thirds(power, total), two_thirds, "{power} of {total}");
        }
    }

    #[test]
    fn powers_for_1_to_100_agree_with_the_definition() {
        for total in 1..=100u64 {
            for power in 0..=total {
                assert_eq!(exceeds_two_thirds(power, total), power * 3 > total * 2, "{power} of {total}");
                assert_eq!(exceeds_one_third(power, total), power * 3 > total, "{power} of {total}");
            }
        }
    }

    #[test]
    fn a_sum_that_leaves_64_bits_is_refused() {
        assert_eq!(total_power([1, 2, 3]), Ok(6));
        assert_eq!(total_power([]), Ok(0));
        assert_eq!(
            total_power([u64::MAX, 1]),
            Err(QuorumError::PowerOverflow { position: 1, total: u64::MAX, power: 1 })
        );
    }

    #[test]
    fn weights_decide_exactly_and_count_once() {
        for total in 1..=100u64 {
            let needed = deciding_weight(NonZeroU64::new(total).unwrap());
            let faulty = (total - 1) / 3;
            assert!(2 * needed - total > faulty && total - faulty >= needed, "of {total}");
        }
        assert_eq!(deciding_weight(NonZeroU64::MAX), u64::MAX - (u64::MAX - 1) / 3);
        let set = [(1u8, 5u64), (3, 1), (7, 2)];
        let members = WeightedMembers::new(&set).unwrap();
        assert_eq!(members.total().get(), 8);
        let mut tally = members.tally();
        assert_eq!(tally.require(0), Err(QuorumError::TooLittleWeight { got: 0, needed: 0, total: 8 }));
        assert_eq!((tally.vote(&7), tally.weight()), (Vote::Counted, 2));
        assert_eq!((tally.vote(&7), tally.weight()), (Vote::Repeated, 2));
        assert_eq!((tally.vote(&2), tally.weight()), (Vote::Stranger, 2));
        assert_eq!((tally.vote(&1), tally.weight()), (Vote::Counted, 7));
        assert_eq!((tally.require(7), tally.require(8).is_err()), (Ok(()), true));
    }

    #[test]
    fn weighted_sets_are_ascending_and_each_weighs_something() {
        fn check(members: &[(u16, u64)], expect: Option<QuorumError>) {
            assert_eq!(WeightedMembers::new(members).err(), expect, "{members:?}");
        }
        check(&[], Some(QuorumError::Empty));
        check(&[(1, 1)], None);
        check(&[(1, 1), (1, 2)], Some(QuorumError::Unordered { position: 1 }));
        check(&[(2, 1), (1, 2)], Some(QuorumError::Unordered { position: 1 }));
        check(&[(1, 1), (2, 0)], Some(QuorumError::ZeroWeight { position: 1 }));
        check(&[(1, 1), (2, u64::MAX)], Some(QuorumError::PowerOverflow { position: 1, total: 1, power: u64::MAX }));
        check(&[(1, 1), (2, u64::MAX - 1)], None);
    }
}
