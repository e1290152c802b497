//! The sweep: what a path's chains are proven to hold, against what is known of its packets, as a difference of sets.
//!
//! Sequences of a client start at 1 and have no gap. So what was sent can be enumerated without any event: each
//! sequence that is neither open here nor known to have ended is asked for on its source, with a proof.
//!
//! | known here | proven on the source | proven on the destination | finding |
//! | --- | --- | --- | --- |
//! | nothing | commitment | | missed: its body is looked for, and held against the commitment |
//! | nothing | no commitment, and a later one was sent by then | | ended without us: never asked for again |
//! | open | no commitment | | ended: a job confirms how |
//! | open, no acknowledgement | commitment | acknowledgement | acknowledged: its body is looked for |
//!
//! A round asks for a bounded number: newest first of what is unknown, in order of what is open; the next one goes on. How many a client has
//! sent is an endpoint's word. It only says how far to look: a count that is too low hides nothing of the
//! [`AHEAD`] sequences after the newest that is known, and one that is too high costs [`SAID_AHEAD_MAX`] at most, since
//! only what is proven moves the newest one.
//!
//! # What an attacker can grow
//!
//! The set of sequences that are done is kept as ranges: each gap in it is an open packet or one of at most
//! [`MISSING_MAX`] whose body is missing.

use std::collections::{BTreeMap, BTreeSet};

use crate::engine::{Engine, SequenceSet, Side, State};
use crate::ranges::Ranges;

#[cfg(test)]
mod tests;

/// Sequences above the newest known one that every round asks for: one request for proofs.
pub const AHEAD: u64 = 64;
/// How far above the newest known sequence a chain's own count is followed: what it says is not proven.
pub const SAID_AHEAD_MAX: u64 = 4_096;
/// Most unknown sequences of one round: sixteen requests for proofs.
pub const UNKNOWN_MAX: usize = 1_024;
/// Most open packets that one round asks for: sixteen requests as well, half on either chain.
pub const OPEN_MAX: usize = 512;
/// Most sequences whose bodies are looked for at a time; others wait until some are found.
pub const MISSING_MAX: usize = 256;

/// How far an open packet has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Progress {
    /// No acknowledgement is known.
    Sent,
    /// Its acknowledgement is known.
    Acknowledged,
    /// Said to have ended; a job finds out.
    Closing,
}

/// What is known of the packets from one side when a round begins.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Known {
    /// Those that have ended.
    pub ended: SequenceSet,
    /// Those that are open.
    pub open: BTreeMap<u64, Progress>,
    /// Of those that are open and were seen to be sent: the height of the source at which they were. One that is known by
    /// its acknowledgement alone is not among them.
    pub sent: BTreeMap<u64, u64>,
}

impl Known {
    /// What an engine knows.
    #[must_use]
    pub fn of(engine: &Engine, source: Side) -> Self {
        let progress = |entry: &crate::engine::Entry| match entry.state {
            State::Closing => Progress::Closing,
            _ if entry.acknowledgement.is_some() => Progress::Acknowledged,
            _ => Progress::Sent,
        };
        let of_source = || engine.packets().filter(|(key, _)| key.source == source);
        let open = of_source().map(|(key, entry)| (key.sequence, progress(entry))).collect();
        let sent = of_source().filter(|(_, entry)| entry.sent_height > 0);
        let sent = sent.map(|(key, entry)| (key.sequence, entry.sent_height)).collect();
        Self { ended: engine.ended(source).clone(), open, sent }
    }

    fn newest(&self) -> u64 {
        self.open.last_key_value().map_or(0, |(sequence, _)| *sequence).max(self.ended.highest())
    }
}

/// What a round asks for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Round {
    /// Sequences that are not known: their commitments on the source.
    pub unknown: Vec<u64>,
    /// Open packets: their commitments on the source.
    pub open: Vec<u64>,
    /// Those among them whose acknowledgements are asked for on the destination.
    pub unacknowledged: Vec<u64>,
    /// Whether there is more than one round may ask for: the next one follows soon.
    pub more: bool,
}

/// What was proven in a round. What could not be proven is in neither set, and is asked for again.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Proven {
    /// Whether the source holds a commitment.
    pub committed: BTreeMap<u64, bool>,
    /// The height of the source at which that was proven.
    pub height: u64,
    /// Those that the destination holds an acknowledgement of.
    pub acknowledged: BTreeSet<u64>,
}

/// What the difference is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Difference {
    /// Committed and not known here.
    pub missed: Vec<u64>,
    /// Open here and not committed any more.
    pub ended: Vec<u64>,
    /// Open here without the acknowledgement that there is.
    pub acknowledged: Vec<u64>,
    /// Whether the next round will ask for more at once.
    pub more: bool,
}

/// The sweep over the packets from one side.
#[derive(Debug, Clone, Default)]
pub struct Sweep {
    /// Ended, whether we knew of them or not.
    done: Ranges,
    /// The newest sequence that is known to have been sent, maybe after the state that is proven.
    newest: u64,
    /// The newest sequence that was proven to be committed: it was sent before every later state.
    committed: u64,
    /// The open packet after which the next round goes on.
    after: u64,
    /// The sequence after which the next round goes on with what only the chain's count speaks of.
    beyond: u64,
    /// Committed, and their bodies are not found yet.
    missing: BTreeSet<u64>,
}

impl Sweep {
    /// What to ask for next. `said` is how many the chain says that the client has sent.
    pub fn round(&mut self, known: &Known, said: Option<u64>) -> Round {
        self.learn(known);
        let (mut unknown, mut more) = self.unknown(known, said);
        // Those whose bodies are missing may have ended meanwhile.
        unknown.extend(self.missing.iter().copied());
        let (open, left_out) = self.open(known);
        more |= left_out;
        let unacknowledged = |sequence: &u64| known.open.get(sequence) == Some(&Progress::Sent);
        let unacknowledged = open.iter().copied().filter(unacknowledged).collect();
        Round { unknown, open, unacknowledged, more }
    }

    /// The difference between what is known and what was proven in a round that was asked for. What is known may have
    /// happened after the proven state, as what was received elsewhere has: then it says nothing of what that state lacks.
    pub fn difference(&mut self, known: &Known, round: &Round, proven: &Proven) -> Difference {
        let mut difference = Difference { more: round.more, ..Difference::default() };
        let before = self.newest;
        let sent_below = self.sent_in(known, proven);
        let committed = |sequence: &&u64| proven.committed.get(*sequence) == Some(&true);
        let gone = |sequence: &&u64| proven.committed.get(*sequence) == Some(&false);
        for sequence in round.unknown.iter().filter(committed) {
            self.newest = self.newest.max(*sequence);
            // One that has become known since the round began is no news.
            if !known.open.contains_key(sequence) && self.missing.len() < MISSING_MAX {
                self.missing.insert(*sequence);
            }
        }
        for sequence in round.unknown.iter().filter(gone) {
            self.missing.remove(sequence);
            // Only what comes before one that was sent by then was sent itself: the others are still to come.
            if *sequence < sent_below {
                self.done.insert(*sequence, *sequence);
            }
        }
        difference.missed = self.missing.iter().copied().collect();
        difference.ended = round.open.iter().filter(gone).copied().collect();
        let acknowledged = |sequence: &&u64| committed(sequence) && proven.acknowledged.contains(*sequence);
        difference.acknowledged = round.unacknowledged.iter().filter(acknowledged).copied().collect();
        // Where there was one beyond the newest, there may be more beyond it.
        difference.more |= self.newest > before && self.missing.len() < MISSING_MAX;
        difference
    }

    /// The newest sequence that was surely sent in the proven state: all below it were as well. One that is open counts
    /// only where its sending was seen, and not above that state.
    fn sent_in(&mut self, known: &Known, proven: &Proven) -> u64 {
        let committed = proven.committed.iter().rev().find(|(_, committed)| **committed);
        self.committed = committed.map_or(0, |(sequence, _)| *sequence).max(self.committed);
        let seen = known.sent.iter().rev().find(|(_, height)| **height <= proven.height);
        self.committed.max(known.ended.highest()).max(seen.map_or(0, |(sequence, _)| *sequence))
    }

    /// What is left of a difference once more is known: the scan may have brought what it was about to bring.
    pub fn left(&mut self, known: &Known, difference: Difference) -> Difference {
        self.learn(known);
        let unacknowledged = |sequence: &u64| known.open.get(sequence) == Some(&Progress::Sent);
        Difference {
            missed: self.missing.iter().copied().collect(),
            acknowledged: difference.acknowledged.into_iter().filter(unacknowledged).collect(),
            ..difference
        }
    }

    /// The body of a missed packet was found.
    pub fn found(&mut self, sequence: u64) {
        self.missing.remove(&sequence);
    }

    /// A missed packet is one that nobody can carry: it is not asked for again.
    pub fn leave_out(&mut self, sequence: u64) {
        self.missing.remove(&sequence);
        self.done.insert(sequence, sequence);
    }

    fn learn(&mut self, known: &Known) {
        self.newest = self.newest.max(known.newest());
        if known.ended.watermark() > 0 {
            self.done.insert(1, known.ended.watermark());
        }
        self.missing.retain(|sequence| !known.open.contains_key(sequence) && !known.ended.contains(*sequence));
    }

    /// Unknown sequences: those next to come, then the past with the newest first, then what only the chain's count speaks
    /// of; and whether there are more.
    fn unknown(&mut self, known: &Known, said: Option<u64>) -> (Vec<u64>, bool) {
        let near = self.newest.saturating_add(AHEAD);
        let (mut unknown, mut more) = self.downwards(known, near);
        let said = said.unwrap_or_default().min(self.newest.saturating_add(SAID_AHEAD_MAX)).saturating_add(AHEAD);
        let from = near.max(self.beyond).saturating_add(1);
        let room = UNKNOWN_MAX.saturating_sub(unknown.len());
        let far = (from..=said).filter(|sequence| !self.missing.contains(sequence)).take(room);
        let before = unknown.len();
        unknown.extend(far);
        let last = unknown.get(before..).and_then(|far| far.last().copied());
        let left = last.is_some_and(|last| last < said);
        more |= left;
        self.beyond = last.filter(|_| left).unwrap_or_default();
        (unknown, more)
    }

    /// Unknown sequences from one down, and whether there are more.
    fn downwards(&mut self, known: &Known, from: u64) -> (Vec<u64>, bool) {
        let mut next = from;
        let mut unknown = Vec::new();
        while next > 0 {
            if let Some(first) = self.done.start_of(next) {
                next = first.saturating_sub(1);
                continue;
            }
            if known.ended.contains(next) {
                self.done.insert(next, next);
            } else if !known.open.contains_key(&next) && !self.missing.contains(&next) {
                if unknown.len() >= UNKNOWN_MAX {
                    return (unknown, true);
                }
                unknown.push(next);
            }
            next = next.saturating_sub(1);
        }
        (unknown, false)
    }

    /// Open packets after the one where the last round stopped, and whether there are more after those.
    fn open(&mut self, known: &Known) -> (Vec<u64>, bool) {
        let rest = known.open.range(self.after.saturating_add(1)..);
        let mut rest = rest.filter(|(_, progress)| **progress != Progress::Closing).map(|(sequence, _)| *sequence);
        let open: Vec<u64> = rest.by_ref().take(OPEN_MAX).collect();
        let left_out = rest.next().is_some();
        self.after = if left_out { open.last().copied().unwrap_or_default() } else { 0 };
        (open, left_out)
    }
}
