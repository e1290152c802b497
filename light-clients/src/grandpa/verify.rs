//! Judges one justification: whether the votes of a set finalise a header. Pure: nothing is remembered here.
//!
//! Order of checks, each of which refuses:
//!
//! 1. the justification is for this header, by number and by hash (GR-01);
//! 2. no more votes than authorities, and no header twice among those above the target (GR-03, GR-14);
//! 3. vote by vote: an authority of the set, for the first time (GR-04), for a block at or above the target, from which
//!    parent hashes lead down to the target, numbers falling by one (GR-01, GR-02);
//! 4. every header above the target is needed by a vote (GR-03);
//! 5. the votes have the deciding weight, `total - floor((total - 1) / 3)` (GR-06);
//! 6. all signatures hold for (block, round, set id), by ZIP-215 and in one batch (GR-05, GR-13).
//!
//! Policy for votes beyond the deciding weight: they are welcome, since nodes give all that they have, and are held to
//! the same checks. A second vote of an authority refuses the whole, also where it is the same vote or where the two are
//! an equivocation: a node may give such justifications, and [`without_repeats`] makes them fit for use.
//!
//! Work is linear in the bytes: each header above the target is looked at once, however many votes lead over it.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use parity_scale_codec::Encode;

use super::decode::{Header, Justification, SignedPrecommit};
use super::error::GrandpaError;
use super::types::AuthoritySet;
use crate::crypto::ed25519::{check_all, Check};
use crate::quorum::{deciding_weight, Vote};
use crate::verdict::Hash32;

/// The votes of `set` finalise `header`.
pub(super) fn justified(
    header: &Header<'_>,
    justification: &Justification<'_>,
    set: &AuthoritySet,
) -> Result<(), GrandpaError> {
    let target = &justification.target;
    let (got_number, got) = (u64::from(target.number), Hash32(target.hash));
    if (got_number, got) != (header.number, header.hash) {
        let (expected_number, expected) = (header.number, header.hash);
        return Err(GrandpaError::Target { got_number, got, expected_number, expected });
    }
    let (votes, max) = (&justification.votes, set.members().len());
    if votes.len() > max {
        return Err(GrandpaError::Count { what: "votes", got: votes.len(), max });
    }
    let mut routes = Routes::new(header, &justification.ancestries)?;
    let weighted = set.weighted()?;
    let mut tally = weighted.tally();
    for (position, vote) in votes.iter().enumerate() {
        let key = Hash32(vote.id);
        match tally.vote(&vote.id) {
            Vote::Counted => {}
            Vote::Repeated => return Err(GrandpaError::RepeatedVote { position, key }),
            Vote::Stranger => return Err(GrandpaError::Stranger { position, key }),
        }
        routes.walk(position, vote)?;
    }
    routes.check_all_used()?;
    tally.require(deciding_weight(weighted.total()))?;
    signed(justification, set.id)
}

/// All signatures hold.
fn signed(justification: &Justification<'_>, set_id: u64) -> Result<(), GrandpaError> {
    let round = justification.round;
    let messages: Vec<[u8; 53]> = justification.votes.iter().map(|vote| vote.message(round, set_id)).collect();
    let checks: Vec<Check<'_>> = justification
        .votes
        .iter()
        .zip(&messages)
        .map(|(vote, message)| Check { key: &vote.id, signature: &vote.signature, message })
        .collect();
    check_all(&checks).map_err(|position| {
        let key = justification.votes.get(position).map_or([0; 32], |vote| vote.id);
        GrandpaError::Signature { position, key: Hash32(key), round, set_id }
    })
}

/// One header above the target.
#[derive(Clone, Copy, Debug)]
struct Step {
    parent: Hash32,
    number: u64,
    visited: bool,
}

/// The ways from votes down to the target.
#[derive(Debug)]
struct Routes {
    target: Hash32,
    target_number: u64,
    steps: BTreeMap<Hash32, Step>,
    visited: usize,
}

impl Routes {
    fn new(target: &Header<'_>, ancestries: &[Header<'_>]) -> Result<Self, GrandpaError> {
        let mut steps = BTreeMap::new();
        for header in ancestries {
            let step = Step { parent: header.parent, number: header.number, visited: false };
            if steps.insert(header.hash, step).is_some() {
                return Err(GrandpaError::DuplicateAncestry { hash: header.hash });
            }
        }
        Ok(Self { target: target.hash, target_number: target.number, steps, visited: 0 })
    }

    /// Walks from the block of a vote down to the target, or to a header from which that has been done already.
    fn walk(&mut self, position: usize, vote: &SignedPrecommit) -> Result<(), GrandpaError> {
        let target = self.target_number;
        let (mut hash, mut expected) = (Hash32(vote.precommit.hash), u64::from(vote.precommit.number));
        if expected < target {
            return Err(GrandpaError::BelowTarget { position, got: expected, target });
        }
        // Numbers fall with each turn, and below the target's no block is its descendant: so this ends.
        loop {
            let missing = GrandpaError::NotDescended { position, missing: hash };
            let wrong = |got| GrandpaError::VoteNumber { position, hash, got, expected };
            if hash == self.target {
                return if expected == target { Ok(()) } else { Err(wrong(target)) };
            }
            let Some(step) = self.steps.get_mut(&hash) else { return Err(missing) };
            if step.number != expected {
                return Err(wrong(step.number));
            }
            if step.visited {
                return Ok(());
            }
            step.visited = true;
            self.visited = self.visited.saturating_add(1);
            hash = step.parent;
            expected = expected.checked_sub(1).filter(|number| *number >= target).ok_or(missing)?;
        }
    }

    fn check_all_used(&self) -> Result<(), GrandpaError> {
        if self.visited == self.steps.len() {
            return Ok(());
        }
        Err(GrandpaError::UnusedAncestry { got: self.steps.len(), used: self.visited })
    }
}

/// A justification without the second votes of authorities that voted twice, and without the headers that no other vote
/// needs: a node gives what it has seen, of a misbehaving authority also both votes. Nothing is checked here.
///
/// # Errors
/// The bytes are not one justification.
pub fn without_repeats(justification: &[u8]) -> Result<Vec<u8>, GrandpaError> {
    let mut justification = super::decode::justification(justification)?;
    let mut seen = alloc::collections::BTreeSet::new();
    justification.votes.retain(|vote| seen.insert(vote.id));
    let steps: BTreeMap<Hash32, Hash32> =
        justification.ancestries.iter().map(|header| (header.hash, header.parent)).collect();
    let mut needed = alloc::collections::BTreeSet::new();
    for vote in &justification.votes {
        let mut hash = Hash32(vote.precommit.hash);
        while let Some(parent) = steps.get(&hash) {
            if !needed.insert(hash) {
                break;
            }
            hash = *parent;
        }
    }
    let mut kept = alloc::collections::BTreeSet::new();
    justification.ancestries.retain(|header| needed.contains(&header.hash) && kept.insert(header.hash));
    let mut out = Vec::new();
    (justification.round, justification.target).encode_to(&mut out);
    justification.votes.encode_to(&mut out);
    super::decode::put_ancestries(&mut out, &justification.ancestries);
    Ok(out)
}
