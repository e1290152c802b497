//! Contradictions that only misbehaving authorities can have made.
//!
//! **Fork.** Two justified headers of which neither descends from the other. Evidence is judged as strictly as updates
//! are: each half is one justified header with headers below it that lead down to a retained header, none of which but
//! the justified one may change the authorities, and it is justified by the set that followed that retained header. So
//! evidence can freeze nothing that the same headers, given as updates, could not. Two headers contradict each other when
//! at the height of the lower one their lines have different hashes; on one branch they have the same (GR-10).
//!
//! The lines must lead to *our* headers. Authorities who use their keys for another network sign blocks of every height
//! there, and nothing that they sign names a network; those blocks do not descend from ours and freeze nothing
//! (`LC-GRANDPA-054`).
//!
//! **Equivocation.** Two votes of one authority in one round of one set for different blocks, on one branch or not: an
//! honest authority precommits once a round. Less than a third may do so without harm, so it is reported, for a person
//! or for the chain's own penalties, and `advance` never freezes for it.
//!
//! In both cases the set must still be kept, and a header of it within the trusting period: the keys of authorities that
//! left long ago may be anybody's.

use super::advance::{check_no_change_below, check_set_id};
use super::decode::{Ballot, Finalised, Update};
use super::error::{GrandpaError, EQUIVOCATION, FORK};
use super::types::AuthoritySet;
use super::verify::justified;
use super::Grandpa;
use crate::crypto::ed25519::Check;
use crate::verdict::{Hash32, Misbehaviour, Timestamp};

/// Judges evidence from the trusted state.
pub(super) fn judge(
    client: &Grandpa,
    first: &Update<'_>,
    second: &Update<'_>,
    now: Timestamp,
) -> Result<Misbehaviour, GrandpaError> {
    client.check_expired(client.head.time, now)?;
    match (first, second) {
        (Update::Finalised(first), Update::Finalised(second)) => fork(client, first, second, now),
        (Update::Ballot(first), Update::Ballot(second)) => equivocation(client, first, second, now),
        (Update::Finalised(_), other) => Err(GrandpaError::Kind { got: other.kind(), expected: "a justified header" }),
        (Update::Ballot(_), other) => Err(GrandpaError::Kind { got: other.kind(), expected: "a vote" }),
        (other @ Update::Linked { .. }, _) => {
            Err(GrandpaError::Kind { got: other.kind(), expected: "a justified header or a vote" })
        }
    }
}

fn fork(
    client: &Grandpa,
    first: &Finalised<'_>,
    second: &Finalised<'_>,
    now: Timestamp,
) -> Result<Misbehaviour, GrandpaError> {
    let (one, other) = (&first.last.line.top, &second.last.line.top);
    let height = one.number.min(other.number);
    let hash = |update: &Finalised<'_>| {
        let line = &update.last.line;
        // Below its line, what a half descends from is what is retained there.
        let below =
            || client.retained.get(&height).filter(|_| height < line.lowest().number).map(|trusted| trusted.hash);
        line.at(height).map(|header| header.hash).or_else(below)
    };
    let (Some(a), Some(b)) = (hash(first), hash(second)) else {
        let lowest = first.last.line.lowest();
        return Err(GrandpaError::Unjudged { height: lowest.number, got: lowest.parent });
    };
    if a == b {
        let (first_height, second_height) = (one.number, other.number);
        return Err(GrandpaError::NoContradiction { first_height, first: one.hash, second_height, second: other.hash });
    }
    stands(client, first, now)?;
    stands(client, second, now)?;
    Ok(Misbehaviour { height, first: a, second: b, code: FORK })
}

/// The justified header and its line contradict a retained header.
pub(super) fn against_trusted(
    client: &Grandpa,
    update: &Finalised<'_>,
    now: Timestamp,
) -> Result<Misbehaviour, GrandpaError> {
    stands(client, update, now)?;
    let top = &update.last.line.top;
    let (height, first, second) = client.differs(&update.last.line).ok_or(GrandpaError::NoContradiction {
        first_height: client.head_height,
        first: client.head.hash,
        second_height: top.number,
        second: top.hash,
    })?;
    Ok(Misbehaviour { height, first, second, code: FORK })
}

/// The header would have been trusted if it had been given first.
fn stands(client: &Grandpa, update: &Finalised<'_>, now: Timestamp) -> Result<(), GrandpaError> {
    if !update.before.is_empty() {
        return Err(GrandpaError::Kind { got: "a chain of handovers", expected: "one justified header" });
    }
    let line = &update.last.line;
    let lowest = line.lowest();
    let below = lowest.number.checked_sub(1);
    let base = below.and_then(|height| client.retained.get(&height)).filter(|base| base.hash == lowest.parent);
    let base = base.ok_or(GrandpaError::Unjudged { height: lowest.number, got: lowest.parent })?;
    client.check_expired(base.time, now)?;
    let set = client.kept_set(base.set_id)?;
    check_set_id(&update.last, set.id)?;
    check_no_change_below(line, 0)?;
    line.top.change()?;
    justified(&line.top, &update.last.justification, set)
}

fn equivocation(
    client: &Grandpa,
    first: &Ballot,
    second: &Ballot,
    now: Timestamp,
) -> Result<Misbehaviour, GrandpaError> {
    for (what, first, second) in [("set", first.set_id, second.set_id), ("round", first.round, second.round)] {
        if first != second {
            return Err(GrandpaError::OtherBallot { what, first, second });
        }
    }
    let (one, other) = (&first.vote, &second.vote);
    if one.id != other.id {
        return Err(GrandpaError::OtherVoter { first: Hash32(one.id), second: Hash32(other.id) });
    }
    let (first_height, second_height) = (u64::from(one.precommit.number), u64::from(other.precommit.number));
    let (first_hash, second_hash) = (Hash32(one.precommit.hash), Hash32(other.precommit.hash));
    if one.precommit == other.precommit {
        let (first, second) = (first_hash, second_hash);
        return Err(GrandpaError::NoContradiction { first_height, first, second_height, second });
    }
    let set = client.kept_set(first.set_id)?;
    client.check_expired(set_time(client, set)?, now)?;
    for (position, ballot) in [first, second].into_iter().enumerate() {
        let (vote, round, set_id) = (&ballot.vote, ballot.round, ballot.set_id);
        let key = Hash32(vote.id);
        if set.members().binary_search_by_key(&vote.id, |(member, _)| *member).is_err() {
            return Err(GrandpaError::Stranger { position, key });
        }
        let message = vote.message(round, set_id);
        if !(Check { key: &vote.id, signature: &vote.signature, message: &message }).holds() {
            return Err(GrandpaError::Signature { position, key, round, set_id });
        }
    }
    let height = first_height.min(second_height);
    Ok(Misbehaviour { height, first: first_hash, second: second_hash, code: EQUIVOCATION })
}

/// The time of the newest retained header that a set finalises the block after, or hands over at.
fn set_time(client: &Grandpa, set: &AuthoritySet) -> Result<Timestamp, GrandpaError> {
    let finaliser = |set_id: u64, handover: bool| set_id.saturating_sub(u64::from(handover));
    let mut newest = client.retained.values().rev();
    let found = newest.find(|header| header.set_id == set.id || finaliser(header.set_id, header.handover) == set.id);
    let current = client.head.set_id;
    found.map(|header| header.time).ok_or(GrandpaError::UnknownSet { set_id: set.id, current })
}
