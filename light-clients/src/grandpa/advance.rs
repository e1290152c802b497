//! One step of trust: what becomes of an update, by where its subject stands to the trusted headers.
//!
//! | subject | trusted when |
//! | --- | --- |
//! | above the head | justified by the current authorities, fragment by fragment, and linked to the head (unless `skipping`) |
//! | retained | it is the retained header: nothing happens. Another justified one on our chain: conflict |
//! | below the head, not retained | parent hashes lead to it from a retained header |

use alloc::boxed::Box;
use alloc::vec::Vec;

use super::decode::{Finalised, Fragment, Header, Line, StateProof, Update};
use super::error::{GrandpaError, BROKEN_LINK, BROKEN_TIME};
use super::types::{AuthoritySet, Retained};
use super::verify::justified;
use super::{decode, misbehaviour, state, Grandpa};
use crate::trust::TrustError;
use crate::verdict::{Hash32, Misbehaviour, Timestamp, Verdict};

/// Where the walk over fragments stands.
#[derive(Debug)]
struct Step {
    height: u64,
    hash: Hash32,
    set: AuthoritySet,
    /// How many authorities changed when this set took over, and how many there were.
    churn: Option<(usize, usize)>,
}

impl Grandpa {
    /// Judges an update; `Err` is a refusal.
    pub(super) fn judge(&mut self, update: &[u8], now: Timestamp) -> Result<Verdict, GrandpaError> {
        if self.frozen {
            return Err(TrustError::Frozen.into());
        }
        self.check_expired(self.head.time, now)?;
        match decode::update(update)? {
            Update::Finalised(finalised) => self.finalised(&finalised, now),
            Update::Linked { line, state } => self.fill(&line.iter().collect::<Vec<_>>(), &state),
            update @ Update::Ballot(_) => {
                Err(GrandpaError::Kind { got: update.kind(), expected: "an update with headers" })
            }
        }
    }

    fn finalised(&mut self, update: &Finalised<'_>, now: Timestamp) -> Result<Verdict, GrandpaError> {
        let first = update.before.first().unwrap_or(&update.last);
        let (height, hash) = (update.subject.number, update.subject.hash);
        if self.retained.get(&height).is_some_and(|retained| retained.hash == hash) {
            return Ok(self.verified_at(height));
        }
        if self.differs(&first.line).is_some() {
            let found = misbehaviour::against_trusted(self, update, now)?;
            return Ok(self.freeze(found));
        }
        if height < self.head_height {
            let line: Vec<&Header<'_>> = update.last.line.iter().filter(|header| header.number >= height).collect();
            let known = line.iter().rposition(|header| self.retained.contains_key(&header.number));
            // From the lowest retained header of the line, which is the trusted one, down to the subject.
            let below = known.and_then(|position| line.get(position.saturating_add(1)..)).unwrap_or(&line);
            return self.fill(below, &update.state);
        }
        self.go_on(update, now)
    }

    /// A header above the newest trusted one.
    fn go_on(&mut self, update: &Finalised<'_>, now: Timestamp) -> Result<Verdict, GrandpaError> {
        let (sets, handover) = self.follow(update)?;
        let subject = &update.subject;
        let set = match sets.last() {
            Some(set) => set,
            None => self.current()?,
        };
        let time = self.check_state(subject, &update.state, set)?;
        if time <= self.head.time {
            return Err(GrandpaError::TimeOrder { height: subject.number, got: time, trusted: self.head.time });
        }
        let trust = &self.config.trust;
        if trust.is_from_future(time, now) {
            let drift_seconds = trust.clock_drift_seconds;
            return Err(TrustError::FromFuture { timestamp: time, now, drift_seconds }.into());
        }
        let retained = retained_from(subject, time, set.id, handover)?;
        self.sets.extend(sets.into_iter().map(|set| (set.id, set)));
        self.head = retained.clone();
        self.head_height = subject.number;
        self.insert(subject.number, retained);
        Ok(self.verified_at(subject.number))
    }

    /// Follows the fragments from the newest trusted header: the sets that take over on the way, and whether the subject
    /// itself hands over to the last of them.
    fn follow(&self, update: &Finalised<'_>) -> Result<(Vec<AuthoritySet>, bool), GrandpaError> {
        let mut step = Step {
            height: self.head_height,
            hash: self.head.hash,
            set: self.current()?.clone(),
            churn: self.handover_churn(),
        };
        let mut sets = Vec::new();
        for (position, fragment) in update.before.iter().enumerate() {
            let height = fragment.line.top.number;
            let next = self.judge_fragment(&step, fragment)?.ok_or(GrandpaError::MissingChange { position, height })?;
            step = Step {
                height,
                hash: fragment.line.top.hash,
                churn: Some((step.set.churn(&next), step.set.members().len())),
                set: next.clone(),
            };
            sets.push(next);
        }
        let next = self.judge_fragment(&step, &update.last)?;
        if update.subject.number <= step.height {
            return Err(GrandpaError::NotAbove { got: update.subject.number, trusted: step.height });
        }
        // A change in the justified header is still to come where the subject is below it.
        let next = next.filter(|_| update.subject.number == update.last.line.top.number);
        let handover = next.is_some();
        sets.extend(next);
        Ok((sets, handover))
    }

    /// Judges one fragment: the set that takes over after its justified header, if one does.
    fn judge_fragment(&self, step: &Step, fragment: &Fragment<'_>) -> Result<Option<AuthoritySet>, GrandpaError> {
        let top = &fragment.line.top;
        if let Some((changed, trusted)) = step.churn {
            // Until now only authorities that were trusted before have signed anything that is believed.
            if self.config.trust.exceeds_churn(changed, trusted) {
                return Err(TrustError::Churn { changed, trusted }.into());
            }
        }
        check_set_id(fragment, step.set.id)?;
        if top.number <= step.height {
            return Err(GrandpaError::NotAbove { got: top.number, trusted: step.height });
        }
        self.check_linked(step, &fragment.line)?;
        check_no_change_below(&fragment.line, step.height)?;
        let next = match top.change()? {
            None => None,
            Some(list) => {
                let set = AuthoritySet::new(step.set.id.saturating_add(1), list)?;
                set.check_fault_tolerance(&self.config.trust)?;
                Some(set)
            }
        };
        justified(top, &fragment.justification, &step.set)?;
        Ok(next)
    }

    /// The line goes down to the trusted header, or a person allowed that it does not.
    fn check_linked(&self, step: &Step, line: &Line<'_>) -> Result<(), GrandpaError> {
        let (lowest, next) = (line.lowest(), step.height.saturating_add(1));
        // A line may go further down than is needed.
        let got = line.at(step.height).map_or(lowest.parent, |header| header.hash);
        if lowest.number > next {
            let gap = GrandpaError::Gap { from: next, to: lowest.number.saturating_sub(1) };
            return if self.config.skipping { Ok(()) } else { Err(gap) };
        }
        if got == step.hash {
            return Ok(());
        }
        Err(GrandpaError::Parent { height: next, got, expected: step.hash })
    }

    /// The state after the subject is one of the set that was followed to; gives its time.
    fn check_state(
        &self,
        subject: &Header<'_>,
        proof: &StateProof<'_>,
        set: &AuthoritySet,
    ) -> Result<Timestamp, GrandpaError> {
        let (height, expected) = (subject.number, set.id);
        let facts = state::read(subject, proof)?;
        if facts.set_id != expected {
            return Err(GrandpaError::StateSet { height, got: facts.set_id, expected });
        }
        if let Some(list) = facts.authorities {
            if AuthoritySet::new(expected, list)? != *set {
                return Err(GrandpaError::StateAuthorities { height, expected });
            }
        }
        Ok(facts.time)
    }

    /// An older header, trusted for the sake of the retained one above it. `line` leads down to it by parent hashes.
    fn fill(&mut self, line: &[&Header<'_>], proof: &StateProof<'_>) -> Result<Verdict, GrandpaError> {
        let (Some(top), Some(subject)) = (line.first(), line.last()) else {
            return Err(GrandpaError::HeightUnknown { height: 0, newest: self.head_height });
        };
        let height = subject.number;
        let not_linked = GrandpaError::NotLinked { height: top.number, newest: self.head_height };
        let above = top.number.checked_add(1).and_then(|above| self.retained.get(&above)).ok_or(not_linked)?;
        if above.parent != top.hash {
            let (got, expected) = (top.hash, above.parent);
            return Err(GrandpaError::Successor { height: top.number, got, expected });
        }
        if self.retained.get(&height).is_some_and(|retained| retained.hash == subject.hash) {
            return Ok(self.verified_at(height));
        }
        let oldest = self.retained.first_key_value().map_or(height, |(oldest, _)| *oldest);
        if height < oldest && self.retained.len() >= self.capacity() {
            return Err(GrandpaError::NotRetained { height, oldest });
        }
        let mut handovers = u64::from(above.handover);
        for header in line.iter().filter(|header| header.number > height) {
            handovers = handovers.saturating_add(u64::from(header.change()?.is_some()));
        }
        let facts = state::read(subject, proof)?;
        let (got, expected) = (facts.set_id, above.set_id.saturating_sub(handovers));
        if got != expected {
            return Err(GrandpaError::StateSet { height, got, expected });
        }
        if let Some(found) = self.contradiction(line, facts.time) {
            return Ok(self.freeze(found));
        }
        let retained = retained_from(subject, facts.time, got, subject.change()?.is_some())?;
        self.insert(height, retained);
        Ok(self.verified_at(height))
    }

    /// What a filled line contradicts: a retained header beside it or below it, or time on either side.
    fn contradiction(&self, line: &[&Header<'_>], time: Timestamp) -> Option<Misbehaviour> {
        let subject = line.last()?;
        let named = line
            .iter()
            .flat_map(|header| [(header.number, header.hash), (header.number.saturating_sub(1), header.parent)]);
        for (height, second) in named {
            if let Some(first) = self.retained.get(&height).map(|retained| retained.hash).filter(|hash| *hash != second)
            {
                return Some(Misbehaviour { height, first, second, code: BROKEN_LINK });
            }
        }
        let below = self.retained.range(..subject.number).next_back().filter(|(_, below)| below.time >= time);
        let above = self.retained.range(subject.number..).next().filter(|(_, above)| above.time <= time);
        let (_, other) = below.or(above)?;
        Some(Misbehaviour { height: subject.number, first: other.hash, second: subject.hash, code: BROKEN_TIME })
    }

    /// The lowest height at which a line has another header than the retained one, with both hashes.
    pub(super) fn differs(&self, line: &Line<'_>) -> Option<(u64, Hash32, Hash32)> {
        line.iter().rev().find_map(|header| {
            let retained = self.retained.get(&header.number).filter(|retained| retained.hash != header.hash)?;
            Some((header.number, retained.hash, header.hash))
        })
    }

    fn insert(&mut self, height: u64, retained: Retained) {
        self.retained.insert(height, retained);
        while self.retained.len() > self.capacity() {
            self.retained.pop_first();
        }
        self.forget_sets();
    }

    fn freeze(&mut self, found: Misbehaviour) -> Verdict {
        self.frozen = true;
        Verdict::Conflict(Box::new(found))
    }
}

/// The set that a justification says to be of is the one that is trusted. What it says decides nothing: the signatures
/// are checked for the trusted set. It tells an old justification from a wrong one, and a missing handover from both.
pub(super) const fn check_set_id(fragment: &Fragment<'_>, expected: u64) -> Result<(), GrandpaError> {
    let (height, got) = (fragment.line.top.number, fragment.set_id);
    if got < expected {
        return Err(GrandpaError::OldSet { height, got, expected });
    }
    if got > expected {
        return Err(GrandpaError::SetAhead { height, got, expected });
    }
    Ok(())
}

/// No header between `trusted` and the top of a line changes the authorities (GR-07).
pub(super) fn check_no_change_below(line: &Line<'_>, trusted: u64) -> Result<(), GrandpaError> {
    for header in line.below.iter().filter(|header| header.number > trusted) {
        if header.change()?.is_some() {
            return Err(GrandpaError::HiddenChange { height: header.number, target: line.top.number });
        }
    }
    Ok(())
}

/// What is kept of a verified header.
pub(super) fn retained_from(
    header: &Header<'_>,
    time: Timestamp,
    set_id: u64,
    handover: bool,
) -> Result<Retained, GrandpaError> {
    Ok(Retained { hash: header.hash, parent: header.parent, root: header.root()?, time, set_id, handover })
}
