//! The transitions: one event in, effects out.

use std::collections::BTreeSet;

use catenary_api::PacketEvent;
use catenary_light_clients::{Class, Timestamp};
use catenary_protocol::{Acknowledgement, Packet};

use super::schedule::Place;
use super::types::{
    Effect, Entry, Event, HeadView, ItemOutcome, Job, JobKind, Key, Lane, Outcome, ParkReason, Side, State,
};
use super::{limits, Engine, JobId};

/// Blocks taken to be a second long until two heads were seen.
const BLOCK_MS_DEFAULT: u64 = 1_000;

impl Engine {
    /// Takes one event and says what has to be recorded. Deterministic, and total: no event is an error.
    #[must_use]
    pub fn step(&mut self, event: Event) -> Vec<Effect> {
        match event {
            Event::Claim { side, height, event, at } => {
                let sequence = event.packet().sequence;
                let source = if matches!(event, PacketEvent::WroteAck { .. }) { side.other() } else { side };
                let effects = self.claim(side, height, event, at);
                self.settle(Key { source, sequence });
                effects
            }
            Event::Head { side, height, timestamp } => {
                self.head_moved(side, height, timestamp);
                Vec::new()
            }
            Event::JobDone { job, items } => self.job_done(job, items),
            Event::Release { key } => {
                let effects = self.release(key);
                self.settle(key);
                effects
            }
            Event::ClientActive { side } => self.client_active(side),
        }
    }

    fn head_moved(&mut self, side: Side, height: u64, timestamp: Timestamp) {
        let [a, b] = &mut self.heads;
        let head = match side {
            Side::A => a,
            Side::B => b,
        };
        let block_ms = match *head {
            None => BLOCK_MS_DEFAULT,
            Some(old) if height <= old.height => return,
            Some(old) => {
                let blocks = height.saturating_sub(old.height);
                let sample = timestamp.nanos.saturating_sub(old.timestamp.nanos) / 1_000_000 / blocks;
                // Three parts old, one part new: header times are whole seconds on some chains, so single samples jump.
                (old.block_ms.saturating_mul(3).saturating_add(sample) / 4).max(1)
            }
        };
        *head = Some(HeadView { height, timestamp, block_ms });
        for key in self.schedule.woken(side, height, timestamp.seconds()) {
            self.settle(key);
        }
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
            // What the source is proven to have committed wins over a body that came with an acknowledgement.
            let news = entry.sent_height == 0 || entry.packet != packet;
            entry.sent_height = height;
            entry.packet = packet;
            return if news { vec![Effect::Entered { key }] } else { Vec::new() };
        }
        if self.room() == 0 {
            return vec![Effect::NoRoom { side: source, height }];
        }
        let mut entry = Entry::new(packet, State::Sent, at);
        entry.sent_height = height;
        entry.lane = self.lane_of(source, height);
        self.packets.insert(key, entry);
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
        if self.room() == 0 && !self.packets.contains_key(&key) {
            return vec![Effect::NoRoom { side: source.other(), height }];
        }
        let lane = self.lane_of(source.other(), height);
        let entry = self.packets.entry(key).or_insert_with(|| Entry { lane, ..Entry::new(packet, State::Sent, at) });
        if entry.acknowledgement.as_ref() == Some(&acknowledgement) && entry.state != State::Sent {
            return Vec::new();
        }
        entry.acknowledgement = Some(acknowledgement);
        entry.ack_height = height;
        match entry.state {
            // The ack came after the packet ended on its source: it tells how the packet ended.
            State::Closing => {}
            State::Sent | State::Received | State::Parked(_) => entry.enter(State::Received),
        }
        vec![Effect::Entered { key }]
    }

    /// The lane of what happened at a height of a side: backlog when it is far behind the head, and while no head is
    /// known, since what comes first after a start has waited for it.
    fn lane_of(&self, side: Side, height: u64) -> Lane {
        match self.head(side) {
            Some(head) if height.saturating_add(limits::LIVE_BLOCKS) >= head.height => Lane::Live,
            _ => Lane::Backlog,
        }
    }

    fn ended_claim(&mut self, kind: JobKind, key: Key, height: u64) -> Vec<Effect> {
        self.progressed(kind, key, height);
        let Some(entry) = self.packets.get_mut(&key) else { return Vec::new() };
        if entry.state == State::Closing {
            return Vec::new();
        }
        entry.end_height = height;
        entry.enter(State::Closing);
        vec![Effect::Entered { key }]
    }

    /// Somebody did what was to be done for a packet: those after its leader wait from here. An operator sends one
    /// transaction at a time on a side, so its acknowledgements hold up its deliveries, and each shows that it works.
    fn progressed(&mut self, kind: JobKind, key: Key, height: u64) {
        let leader = self.turn_of(kind, key).leader;
        let to = if kind == JobKind::Recv { key.source.other() } else { key.source };
        let newest = self.progress.entry((to, leader)).or_default();
        *newest = height.max(*newest);
    }

    fn release(&mut self, key: Key) -> Vec<Effect> {
        let Some(entry) = self.packets.get_mut(&key) else { return Vec::new() };
        if !matches!(entry.state, State::Parked(_)) {
            return Vec::new();
        }
        entry.reopen();
        entry.refusals = 0;
        vec![Effect::Entered { key }]
    }

    /// Those that waited for a client go on, behind what is new: they may be many.
    fn client_active(&mut self, side: Side) -> Vec<Effect> {
        let waiting: Vec<Key> = self.schedule.waiting_for_client(side).collect();
        for key in &waiting {
            if let Some(entry) = self.packets.get_mut(key) {
                entry.reopen();
                entry.lane = Lane::Backlog;
            }
            self.settle(*key);
        }
        waiting.into_iter().map(|key| Effect::Entered { key }).collect()
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
        let mut touched: BTreeSet<Key> = job.items.iter().copied().collect();
        let mut effects = Vec::new();
        for (key, outcome) in items {
            if !job.items.contains(&key) || !fits(job.kind, &outcome) {
                self.impossible = self.impossible.saturating_add(1);
                continue;
            }
            touched.insert(key);
            effects.extend(self.item_done(&job, key, outcome));
        }
        touched.into_iter().for_each(|key| self.settle(key));
        effects
    }

    fn item_done(&mut self, job: &Job, key: Key, outcome: ItemOutcome) -> Vec<Effect> {
        let head = self.head(job.to).map_or(0, |head| head.height);
        let Some(entry) = self.packets.get_mut(&key) else { return Vec::new() };
        // A claim may have moved the packet on while the job ran; its result is then old news.
        let current = entry.serves(job.kind);
        match outcome {
            ItemOutcome::Closed(outcome) => self.close(key, outcome),
            _ if !current => Vec::new(),
            ItemOutcome::Delivered { height } => {
                entry.delivered_by_us = true;
                // A receipt is an endpoint's word: a height far above the head would park the packet for ever.
                entry.delivered(key, job.kind, height.min(head.saturating_add(limits::RECEIPT_AHEAD_BLOCKS_MAX)))
            }
            ItemOutcome::AlreadyDone if job.kind == JobKind::Recv => entry.received_unseen(key, head),
            ItemOutcome::AlreadyDone => entry.delivered(key, job.kind, head),
            ItemOutcome::Expired => {
                entry.not_before = Some((job.to, head.saturating_add(1)));
                Vec::new()
            }
            ItemOutcome::StillOpen => {
                entry.reopen();
                entry.not_before = Some((key.source, head.saturating_add(limits::CLAIM_WAIT_BLOCKS)));
                vec![Effect::Entered { key }]
            }
            ItemOutcome::NotAcked => {
                let rescan = Effect::Rescan { side: key.source.other(), height: entry.ack_height };
                entry.acknowledgement = None;
                entry.enter(State::Sent);
                vec![Effect::Entered { key }, rescan]
            }
            ItemOutcome::Blocked { code, message } => {
                let reason = ParkReason { code, message, client: Some(job.to) };
                if entry.blocked(reason) {
                    vec![Effect::Entered { key }]
                } else {
                    Vec::new()
                }
            }
            ItemOutcome::Failed { code, class, message } => {
                if entry.failed((code, class, message), (job.to, head)) {
                    vec![Effect::Entered { key }]
                } else {
                    Vec::new()
                }
            }
        }
    }

    fn close(&mut self, key: Key, outcome: Outcome) -> Vec<Effect> {
        let Some(mut entry) = self.packets.remove(&key) else { return Vec::new() };
        self.schedule.remove(key, std::mem::take(&mut entry.place));
        self.closed_mut(key.source).insert(key.sequence);
        vec![Effect::Ended { key, entry: Box::new(entry), outcome }]
    }
}

/// Whether a job of this kind can end so. That a packet has ended may be found by any of them.
const fn fits(kind: JobKind, outcome: &ItemOutcome) -> bool {
    match outcome {
        ItemOutcome::Failed { .. } | ItemOutcome::Closed(_) => true,
        ItemOutcome::Delivered { .. } | ItemOutcome::AlreadyDone | ItemOutcome::Blocked { .. } => {
            !matches!(kind, JobKind::Confirm)
        }
        ItemOutcome::Expired => matches!(kind, JobKind::Recv),
        ItemOutcome::NotAcked => matches!(kind, JobKind::Ack),
        ItemOutcome::StillOpen => matches!(kind, JobKind::Confirm),
    }
}

impl Entry {
    /// A packet as it is first heard of.
    #[must_use]
    pub const fn new(packet: Packet, state: State, seen_at: Timestamp) -> Self {
        Self {
            packet,
            state,
            acknowledgement: None,
            sent_height: 0,
            ack_height: 0,
            end_height: 0,
            ready: None,
            not_before: None,
            refusals: 0,
            failures: 0,
            job: None,
            delivered_by_us: false,
            seen_at,
            lane: Lane::Live,
            place: Place { due: None, height: None, seconds: None, client: None },
        }
    }

    /// Enters a state; what was counted in heights of another side is forgotten.
    fn enter(&mut self, state: State) {
        self.state = state;
        self.ready = None;
        self.not_before = None;
        self.failures = 0;
    }

    /// Goes back to where what is known of the packet puts it.
    fn reopen(&mut self) {
        self.enter(if self.acknowledgement.is_some() { State::Received } else { State::Sent });
    }

    /// The side whose on-chain client this packet waits for.
    #[must_use]
    pub const fn waits_for(&self) -> Option<Side> {
        match &self.state {
            State::Parked(reason) => reason.client,
            State::Sent | State::Received | State::Closing => None,
        }
    }

    /// Waits for an on-chain client; says whether that is news. What a person has to look at stays with the person, but
    /// for a refund that only the client can bring.
    fn blocked(&mut self, reason: ParkReason) -> bool {
        let known =
            matches!(&self.state, State::Parked(known) if known.code == reason.code && known.client == reason.client);
        if !known {
            self.enter(State::Parked(reason));
        }
        !known
    }

    /// Received, says the destination, but the scan has not shown it: when that lasts, the scan has missed it.
    fn received_unseen(&mut self, key: Key, head: u64) -> Vec<Effect> {
        self.not_before = Some((key.source.other(), head.saturating_add(limits::CLAIM_WAIT_BLOCKS)));
        self.failures = self.failures.saturating_add(1);
        if self.failures < 2 {
            return Vec::new();
        }
        self.failures = 0;
        vec![Effect::Rescan { side: key.source.other(), height: head.saturating_sub(limits::RESCAN_BLOCKS) }]
    }

    fn serves(&self, kind: JobKind) -> bool {
        match kind {
            JobKind::Recv => self.state == State::Sent,
            // A packet that waits for a person is still refunded when its time has come.
            JobKind::Timeout => {
                self.state == State::Sent || (matches!(self.state, State::Parked(_)) && self.acknowledgement.is_none())
            }
            JobKind::Ack => self.state == State::Received,
            JobKind::Confirm => self.state == State::Closing,
        }
    }

    /// After a delivery the claim of the chain itself moves a received packet on; acks and timeouts end the packet
    /// on its source, which is then to be proven.
    fn delivered(&mut self, key: Key, kind: JobKind, height: u64) -> Vec<Effect> {
        match kind {
            JobKind::Recv => {
                self.not_before = Some((key.source.other(), height.saturating_add(limits::CLAIM_WAIT_BLOCKS)));
                Vec::new()
            }
            JobKind::Ack | JobKind::Timeout => {
                self.end_height = height;
                self.enter(State::Closing);
                vec![Effect::Entered { key }]
            }
            JobKind::Confirm => Vec::new(),
        }
    }

    /// Backs off, or parks; says whether the state changed. What was refused waits behind what was not: else packets that
    /// are refused each time would hold up all that come after them.
    fn failed(&mut self, (code, class, message): (&'static str, Class, String), (to, head): (Side, u64)) -> bool {
        let transient = class == Class::Transient;
        let (count, most) = if transient {
            self.failures = self.failures.saturating_add(1);
            (self.failures, limits::TRANSIENT_BACKOFF_BLOCKS_MAX)
        } else {
            self.refusals = self.refusals.saturating_add(1);
            self.lane = Lane::Backlog;
            (self.refusals, limits::BACKOFF_BLOCKS_MAX)
        };
        let wait = 1u64.checked_shl(count.saturating_sub(1)).unwrap_or(most).min(most);
        self.not_before = Some((to, head.saturating_add(wait)));
        // One that is parked already is still refunded when its time has come; that it is refused again is no news.
        if transient || self.refusals < limits::REFUSALS_MAX || matches!(self.state, State::Parked(_)) {
            return false;
        }
        self.state = State::Parked(ParkReason { code, message, client: None });
        true
    }
}
