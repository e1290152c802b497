//! The packet engine of one path: a pure function from events to effects.
//!
//! One engine serves one path, that is two sides `A` and `B`; packets flow both ways on it. It holds what it was
//! told, decides what has to be done, and never does anything itself: [`Engine::step`] takes one [`Event`] and
//! returns [`Effect`]s, [`Engine::due`] returns the jobs whose turn has come. Time is the time and height of
//! verified heads, which come in as events; the engine reads no clock.
//!
//! # Transition table
//!
//! | state \ event | `Sent` claim | `WroteAck` claim | `Acknowledged` / `TimedOut` claim | job result |
//! | --- | --- | --- | --- | --- |
//! | (unknown) | → Sent | → Received | ignored: ended before we looked | ignored |
//! | Sent | duplicate | → Received | → Closing | delivered: await the claim; expired: stays, then times out; refused: back off or park |
//! | Received | its body wins | duplicate | → Closing | delivered or already done: → Closing; proven unacked: → Sent; refused: back off or park |
//! | Closing | duplicate | keeps the ack | duplicate | closed: → ended; still open: → Received or Sent |
//! | Parked | duplicate | → Received | → Closing | its timeout: → Closing, or blocked again; else ignored |
//! | ended | duplicate | duplicate | duplicate | ignored |
//!
//! A delivery or a refund is *blocked* when nothing can be proven through the on-chain client that would judge it: from
//! Sent, Received and Parked it leads to Parked, with the side of that client. The event that the client is active leads
//! back to Sent or Received, without a person. A packet that waits for its destination's client is still refunded through
//! its source's when its time has come.
//!
//! A job that is not known, an item that is not the job's, and an outcome that its kind cannot have are impossible: they
//! change nothing and are counted. A test walks every state × event and expects a transition, an ignored duplicate or a
//! counted impossibility.
//!
//! That a packet was sent or acknowledged is proven before the engine hears of it; that it ended is only a reason to
//! look. A job proves what it acts on once more, at a height that every member can verify, and a packet ends only on a
//! proof that its commitment is gone from the source. Heights of the two sides are never compared with one another.
//!
//! # Turns
//!
//! Any operator may deliver. Each computes who leads a bucket of sequences and waits `rank × turn_delay` blocks since
//! the packet became deliverable, or since packets of the same leader were last seen to be done: a leader with a
//! backlog is not overtaken while it works through it, but never waited for longer than
//! [`limits::TURN_WAITS_MAX`] times the turn, so that one that leaves packets out cannot hold them back.
//!
//! # Lanes
//!
//! What has piled up (kept over a restart, scanned from more than [`limits::LIVE_BLOCKS`] behind) or was refused
//! is worked on in a lane of its own, what was refused fewer times first: packets that are refused each time hold up
//! others by one try each. Where both lanes have something due for a side, they have its batches in turn, so
//! that a backlog of any length takes at most every second batch from new packets, and is never starved by them.
//!
//! # Cost
//!
//! A look costs by what has changed since the last one: each packet waits under the height or the time at which
//! something can be done for it. A walk over all open packets finds the same, and a test compares the two.
//!
//! # What an attacker can grow
//!
//! Each open packet cost its sender a transaction; at most [`limits::OPEN_PACKETS_MAX`] are held. Then claims of others
//! are left out, which is told, while those of packets that are held still move them on: so a full engine empties, and
//! its driver has the rest scanned again. Each packet stands in at most three places of the schedule.
//! The set of ended sequences is a watermark and the gaps above it, bounded by [`limits::CLOSED_GAPS_MAX`].

mod closed;
pub mod limits;
mod plan;
mod schedule;
mod step;
#[cfg(test)]
mod tests;
mod turns;
mod types;

pub use closed::SequenceSet;
pub use turns::{turn, Turn};
pub use types::{
    Effect, Entry, Event, HeadView, ItemOutcome, Job, JobId, JobKind, Key, Lane, Options, Outcome, ParkReason, Ready,
    Side, State,
};

use std::collections::BTreeMap;

use schedule::Schedule;

/// The engine of one path.
#[derive(Debug, Clone)]
pub struct Engine {
    pub(crate) options: Options,
    pub(crate) packets: BTreeMap<Key, Entry>,
    schedule: Schedule,
    pub(crate) closed: [SequenceSet; 2],
    pub(crate) heads: [Option<HeadView>; 2],
    pub(crate) jobs: BTreeMap<JobId, Job>,
    pub(crate) next_job: u64,
    /// Newest height of each side at which packets of each leader were seen to be done by anybody: while a leader works
    /// through its backlog, those after it wait.
    pub(crate) progress: BTreeMap<(Side, usize), u64>,
    /// The lane of the last batch, by the side that it went to and the first kind of those that share a place.
    pub(crate) last_lane: BTreeMap<(Side, JobKind), Lane>,
    /// Impossible transitions seen; not zero means a bug, and is alerted on.
    pub(crate) impossible: u64,
    /// Most open packets.
    open_max: usize,
}

impl Engine {
    /// An engine without packets.
    #[must_use]
    pub fn new(options: Options) -> Self {
        Self {
            options,
            packets: BTreeMap::new(),
            schedule: Schedule::default(),
            closed: [SequenceSet::default(), SequenceSet::default()],
            heads: [None, None],
            jobs: BTreeMap::new(),
            next_job: 1,
            progress: BTreeMap::new(),
            last_lane: BTreeMap::new(),
            impossible: 0,
            open_max: limits::OPEN_PACKETS_MAX,
        }
    }

    /// The same, which holds fewer open packets.
    #[must_use]
    pub fn holding_at_most(mut self, packets: usize) -> Self {
        self.open_max = packets.clamp(1, limits::OPEN_PACKETS_MAX);
        self
    }

    /// Open packets, by key.
    pub fn packets(&self) -> impl Iterator<Item = (&Key, &Entry)> {
        self.packets.iter()
    }

    /// One open packet.
    #[must_use]
    pub fn packet(&self, key: &Key) -> Option<&Entry> {
        self.packets.get(key)
    }

    /// Jobs in flight.
    pub fn jobs(&self) -> impl Iterator<Item = &Job> {
        self.jobs.values()
    }

    /// Whether packets wait for the on-chain client of a side.
    #[must_use]
    pub fn waits_for_client(&self, side: Side) -> bool {
        self.schedule.waiting_for_client(side).next().is_some()
    }

    /// Impossible transitions seen since the start.
    #[must_use]
    pub const fn impossible(&self) -> u64 {
        self.impossible
    }

    /// How many more packets it takes; claims of others are left out while there is no room.
    #[must_use]
    pub fn room(&self) -> usize {
        self.open_max.saturating_sub(self.packets.len())
    }

    /// Whether there is so much room that what was left out is worth another scan: a sixteenth of all.
    #[must_use]
    pub fn has_much_room(&self) -> bool {
        self.room() >= self.open_max.div_ceil(limits::ROOM_SHARE)
    }

    /// Puts back a packet that the store kept. Used at start, before any event.
    pub fn restore(&mut self, key: Key, entry: Entry) {
        let entry = Entry { lane: Lane::Backlog, ..entry };
        if let Some(before) = self.packets.insert(key, entry) {
            self.schedule.remove(key, before.place);
        }
        self.settle(key);
    }

    /// Marks a packet as ended. Used at start, before any event.
    pub fn restore_closed(&mut self, key: Key) {
        self.closed_mut(key.source).insert(key.sequence);
    }

    /// The sequences of packets from a side that are known to have ended.
    #[must_use]
    pub const fn ended(&self, source: Side) -> &SequenceSet {
        let [a, b] = &self.closed;
        match source {
            Side::A => a,
            Side::B => b,
        }
    }

    /// Marks all packets of a side from one sequence to another as ended. Used at start, before any event.
    pub fn restore_closed_run(&mut self, source: Side, first: u64, last: u64) {
        self.closed_mut(source).insert_run(first, last);
    }

    pub(crate) fn closed_mut(&mut self, side: Side) -> &mut SequenceSet {
        let [a, b] = &mut self.closed;
        match side {
            Side::A => a,
            Side::B => b,
        }
    }

    pub(crate) fn is_closed(&self, key: &Key) -> bool {
        let [a, b] = &self.closed;
        match key.source {
            Side::A => a.contains(key.sequence),
            Side::B => b.contains(key.sequence),
        }
    }

    /// The newest verified head of a side.
    #[must_use]
    pub const fn head(&self, side: Side) -> Option<HeadView> {
        let [a, b] = &self.heads;
        match side {
            Side::A => *a,
            Side::B => *b,
        }
    }
}
