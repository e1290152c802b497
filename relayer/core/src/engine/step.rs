//! The transitions: one event in, effects out.

use catenary_api::PacketEvent;
use catenary_light_clients::{Class, Timestamp};
use catenary_protocol::{Acknowledgement, Packet};

use super::plan::direction;
use super::types::{Effect, Entry, Event, HeadView, ItemOutcome, Job, JobKind, Key, Outcome, ParkReason, Side, State};
use super::{limits, Engine, JobId};

/// Blocks taken to be a second long until two heads were seen.
const BLOCK_MS_DEFAULT: u64 = 1_000;

impl Engine {
    /// Takes one event and says what has to be recorded. Deterministic, and total: no event is an error.
    #[must_use]
    pub fn step(&mut self, event: Event) -> Vec<Effect> {
        match event {
            Event::Claim { side, height, event, at } => self.claim(side, height, event, at),
            Event::Head { side, height, timestamp } => {
                self.head_moved(side, height, timestamp);
                Vec::new()
            }
            Event::JobDone { job, items } => self.job_done(job, items),
            Event::Release { key } => self.release(key),
        }
    }

    fn head_moved(&mut self, side: Side, height: u64, timestamp: Timestamp) {
        let [a, b] = &mut self.heads;
        let head = match side {
            Side::A => a,
            Side::B => b,
        };
        let Some(old) = *head else {
            *head = Some(HeadView { height, timestamp, block_ms: BLOCK_MS_DEFAULT });
            return;
        };
        if height <= old.height {
            return;
        }
        let blocks = height.saturating_sub(old.height);
        let sample = timestamp.nanos.saturating_sub(old.timestamp.nanos) / 1_000_000 / blocks;
        // Three parts old, one part new: header times are whole seconds on some chains, so single samples jump.
        let block_ms = (old.block_ms.saturating_mul(3).saturating_add(sample) / 4).max(1);
        *head = Some(HeadView { height, timestamp, block_ms });
    }

    fn claim(&mut self, side: Side, height: u64, event: PacketEvent, at: Timestamp) -> Vec<Effect> {
        match event {
            PacketEvent::Sent(packet) => self.sent(side, height, packet, at),
            PacketEvent::WroteAck { packet, acknowledgement } => {
                self.wrote_ack(side.other(), height, (packet, acknowledgement), at)
            }
            PacketEvent::Acknowledged(packet) => {
                self.ended_claim(JobKind::Ack, Key { source: side, sequence: packet.sequence }, height)
            }
            PacketEvent::TimedOut(packet) => {
                self.ended_claim(JobKind::Timeout, Key { source: side, sequence: packet.sequence }, height)
            }
        }
    }

    fn sent(&mut self, source: Side, height: u64, packet: Packet, at: Timestamp) -> Vec<Effect> {
        let key = Key { source, sequence: packet.sequence };
        if self.is_closed(&key) {
            return Vec::new();
        }
        if let Some(entry) = self.packets.get_mut(&key) {
            // A packet whose first claim was refused may have been told wrongly: the newer claim takes its place.
            let waits = matches!(entry.state, State::Sent | State::Parked(_)) && entry.acknowledgement.is_none();
            if !waits || entry.refusals == 0 || entry.packet == packet {
                return Vec::new();
            }
            entry.packet = packet;
            entry.enter(State::Sent, height);
            return vec![Effect::Entered { key }];
        }
        self.packets.insert(key, Entry::new(packet, State::Sent, height, at));
        vec![Effect::Entered { key }]
    }

    fn wrote_ack(
        &mut self,
        source: Side,
        height: u64,
        (packet, acknowledgement): (Packet, Acknowledgement),
        at: Timestamp,
    ) -> Vec<Effect> {
        let key = Key { source, sequence: packet.sequence };
        self.progressed(JobKind::Recv, key, height);
        if self.is_closed(&key) {
            return Vec::new();
        }
        let entry = self.packets.entry(key).or_insert_with(|| Entry::new(packet, State::Sent, height, at));
        match entry.state {
            State::Received if entry.refusals == 0 || entry.acknowledgement.as_ref() == Some(&acknowledgement) => {
                return Vec::new();
            }
            State::Received | State::Sent => entry.enter(State::Received, height),
            // The claim came after the packet ended on its source, or while it waits for a person: keep the ack,
            // since it tells how the packet ended.
            State::Closing | State::Parked(_) => {}
        }
        entry.acknowledgement = Some(acknowledgement);
        vec![Effect::Entered { key }]
    }

    fn ended_claim(&mut self, kind: JobKind, key: Key, height: u64) -> Vec<Effect> {
        self.progressed(kind, key, height);
        let Some(entry) = self.packets.get_mut(&key) else { return Vec::new() };
        if entry.state == State::Closing {
            return Vec::new();
        }
        entry.enter(State::Closing, height);
        vec![Effect::Entered { key }]
    }

    /// Somebody did what was to be done for a packet: those after its leader wait from here.
    fn progressed(&mut self, kind: JobKind, key: Key, height: u64) {
        let leader = self.turn_of(kind, key).leader;
        let newest = self.progress.entry((direction(kind, key), leader)).or_default();
        *newest = height.max(*newest);
    }

    fn release(&mut self, key: Key) -> Vec<Effect> {
        let Some(entry) = self.packets.get_mut(&key) else { return Vec::new() };
        if !matches!(entry.state, State::Parked(_)) {
            return Vec::new();
        }
        let state = if entry.acknowledgement.is_some() { State::Received } else { State::Sent };
        entry.enter(state, entry.claim_height);
        entry.refusals = 0;
        vec![Effect::Entered { key }]
    }

    fn job_done(&mut self, id: JobId, items: Vec<(Key, ItemOutcome)>) -> Vec<Effect> {
        let Some(job) = self.jobs.remove(&id) else {
            self.impossible = self.impossible.saturating_add(1);
            return Vec::new();
        };
        // Items that the driver did not answer for are free again: the next look finds out.
        for key in &job.items {
            if let Some(entry) = self.packets.get_mut(key) {
                if entry.job == Some(id) {
                    entry.job = None;
                }
            }
        }
        items.into_iter().flat_map(|(key, outcome)| self.item_done(&job, key, outcome)).collect()
    }

    fn item_done(&mut self, job: &Job, key: Key, outcome: ItemOutcome) -> Vec<Effect> {
        let head = self.head(job.to).map_or(0, |head| head.height);
        let Some(entry) = self.packets.get_mut(&key) else { return Vec::new() };
        // A claim may have moved the packet on while the job ran; its result is then old news.
        let current = entry.serves(job.kind);
        match outcome {
            ItemOutcome::Closed(Outcome::Phantom) => {
                let rescan = Effect::Rescan { side: key.source, height: entry.claim_height };
                let mut effects = self.close(key, Outcome::Phantom);
                effects.push(rescan);
                return effects;
            }
            ItemOutcome::Closed(outcome) => return self.close(key, outcome),
            _ if !current => {}
            ItemOutcome::Delivered { height } => {
                entry.delivered_by_us = true;
                return entry.delivered(key, job.kind, height);
            }
            ItemOutcome::AlreadyDone => return entry.delivered(key, job.kind, head),
            ItemOutcome::Expired => entry.not_before = head.saturating_add(1),
            ItemOutcome::StillOpen => {
                let state = if entry.acknowledgement.is_some() { State::Received } else { State::Sent };
                entry.enter(state, entry.claim_height);
                entry.not_before = head.saturating_add(limits::CLAIM_WAIT_BLOCKS);
                return vec![Effect::Entered { key }];
            }
            ItemOutcome::Failed { code, class, message } => {
                let claim_height = entry.claim_height;
                let parked = entry.failed(code, class, message, head);
                let mut effects = Vec::new();
                if class == Class::Misbehaviour {
                    let side = if job.kind == JobKind::Ack { key.source.other() } else { key.source };
                    effects.push(Effect::Rescan { side, height: claim_height });
                }
                if parked {
                    effects.push(Effect::Entered { key });
                }
                return effects;
            }
        }
        Vec::new()
    }

    fn close(&mut self, key: Key, outcome: Outcome) -> Vec<Effect> {
        let Some(entry) = self.packets.remove(&key) else { return Vec::new() };
        // A phantom was never sent; its sequence will be used by a real packet.
        if outcome != Outcome::Phantom {
            self.closed_mut(key.source).insert(key.sequence);
        }
        vec![Effect::Ended { key, entry: Box::new(entry), outcome }]
    }
}

impl Entry {
    /// A packet as it is first heard of.
    #[must_use]
    pub const fn new(packet: Packet, state: State, claim_height: u64, seen_at: Timestamp) -> Self {
        Self {
            packet,
            state,
            acknowledgement: None,
            claim_height,
            ready_height: None,
            not_before: 0,
            refusals: 0,
            failures: 0,
            turn: None,
            job: None,
            delivered_by_us: false,
            seen_at,
        }
    }

    fn enter(&mut self, state: State, claim_height: u64) {
        self.state = state;
        self.claim_height = claim_height;
        self.ready_height = None;
        self.not_before = 0;
        self.failures = 0;
    }

    fn serves(&self, kind: JobKind) -> bool {
        match kind {
            JobKind::Recv | JobKind::Timeout => self.state == State::Sent,
            JobKind::Ack => self.state == State::Received,
            JobKind::Confirm => self.state == State::Closing,
        }
    }

    /// After a delivery the claim of the chain itself moves a received packet on; acks and timeouts end the packet
    /// on its source, which is then to be proven.
    fn delivered(&mut self, key: Key, kind: JobKind, height: u64) -> Vec<Effect> {
        match kind {
            JobKind::Recv => {
                self.not_before = height.saturating_add(limits::CLAIM_WAIT_BLOCKS);
                Vec::new()
            }
            JobKind::Ack | JobKind::Timeout => {
                self.enter(State::Closing, height);
                vec![Effect::Entered { key }]
            }
            JobKind::Confirm => Vec::new(),
        }
    }

    /// Backs off, or parks; says whether the state changed.
    fn failed(&mut self, code: &'static str, class: Class, message: String, head: u64) -> bool {
        let transient = class == Class::Transient;
        let (count, most) = if transient {
            self.failures = self.failures.saturating_add(1);
            (self.failures, limits::TRANSIENT_BACKOFF_BLOCKS_MAX)
        } else {
            self.refusals = self.refusals.saturating_add(1);
            (self.refusals, limits::BACKOFF_BLOCKS_MAX)
        };
        let wait = 1u64.checked_shl(count.saturating_sub(1)).unwrap_or(most).min(most);
        self.not_before = head.saturating_add(wait);
        if transient || self.refusals < limits::REFUSALS_MAX {
            return false;
        }
        self.state = State::Parked(ParkReason { code, message });
        true
    }
}
