//! Which jobs are due: turns, deadlines, back-offs and batches.

use std::collections::BTreeMap;

use super::schedule::Place;
use super::turns::{turn, Turn};
use super::types::{Entry, HeadView, Job, JobId, JobKind, Key, Lane, Options, Ready, Side, State};
use super::{limits, Engine};
use crate::bugs::{self, Bug};

/// Refunds: a deadline has passed, so they never wait for a delivery.
const REFUNDS: &[JobKind] = &[JobKind::Timeout];
/// Deliveries: first acks, which free what is locked; then new packets.
const DELIVERIES: &[JobKind] = &[JobKind::Ack, JobKind::Recv];
/// Jobs that only prove.
const PROVING: &[JobKind] = &[JobKind::Confirm];

/// What a packet needs next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Need {
    kind: JobKind,
    /// The side that the job goes to.
    to: Side,
    /// The height that the facts must be proven at or above, on the side that they are about.
    min_proof_height: u64,
}

/// What can be done for a packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Look {
    /// A job, as soon as it is this node's turn.
    Job(Need),
    /// Nothing until this side has this height.
    Height(Side, u64),
    /// Nothing until its deadline, or until something happens to it.
    Rest,
}

impl Engine {
    /// The jobs whose turn has come; at most one delivering job, one job of timeouts and one confirming job a side are in
    /// flight: a refund never waits for deliveries.
    /// Each is in flight until [`Event::JobDone`](super::Event::JobDone) says otherwise.
    pub fn due(&mut self) -> Vec<Job> {
        let mut jobs = Vec::new();
        for to in [Side::A, Side::B] {
            for kinds in [REFUNDS, DELIVERIES, PROVING] {
                if !self.in_flight(to, kinds) {
                    jobs.extend(self.next_in_lanes(kinds, to));
                }
            }
        }
        jobs
    }

    /// The next batch of the lane whose turn it is, or else of the other one.
    fn next_in_lanes(&mut self, kinds: &'static [JobKind], to: Side) -> Option<Job> {
        let group = *kinds.first()?;
        let last = self.last_lane.get(&(to, group)).copied();
        let order = if last == Some(Lane::Live) { [Lane::Backlog, Lane::Live] } else { [Lane::Live, Lane::Backlog] };
        for lane in order {
            if let Some(job) = kinds.iter().find_map(|kind| self.take(*kind, to, lane)) {
                self.last_lane.insert((to, group), lane);
                return Some(job);
            }
        }
        None
    }

    fn in_flight(&self, to: Side, kinds: &[JobKind]) -> bool {
        self.jobs.values().any(|job| job.to == to && kinds.contains(&job.kind))
    }

    /// Puts a packet where it belongs after something has changed; one that has become deliverable gets its turn.
    pub(super) fn settle(&mut self, key: Key) {
        let Some(entry) = self.packets.get_mut(&key) else { return };
        self.schedule.remove(key, entry.place);
        entry.place = Place::default();
        if entry.job.is_none() {
            let view = View { options: &self.options, heads: &self.heads, progress: &self.progress };
            entry.place = Place { client: entry.waits_for(), ..view.place(key, entry) };
            self.schedule.put(key, entry.place);
        }
    }

    /// The turn of this node for a packet.
    pub(super) fn turn_of(&self, kind: JobKind, key: Key) -> Turn {
        turn_in(&self.options, kind, key)
    }

    fn take(&mut self, kind: JobKind, to: Side, lane: Lane) -> Option<Job> {
        let (mut items, mut postponed) = (Vec::new(), Vec::new());
        let mut min_proof_height = 0;
        let max = self.options.job_items_max.min(limits::JOB_ITEMS_MAX);
        for key in self.schedule.due((kind, to, lane)) {
            match self.due_need(key).filter(|need| need.kind == kind && need.to == to) {
                Some(need) => {
                    items.push(key);
                    min_proof_height = need.min_proof_height.max(min_proof_height);
                }
                None => postponed.push(key),
            }
            if items.len() >= max {
                break;
            }
        }
        postponed.into_iter().for_each(|key| self.settle(key));
        if items.is_empty() {
            return None;
        }
        let id = JobId(self.next_job);
        self.next_job = self.next_job.saturating_add(1);
        for key in &items {
            if let Some(entry) = self.packets.get_mut(key) {
                entry.job = Some(id);
            }
            self.settle(*key);
        }
        let job = Job { id, kind, to, items, min_proof_height };
        self.jobs.insert(id, job.clone());
        Some(job)
    }

    /// What is due for a packet now.
    fn due_need(&self, key: Key) -> Option<Need> {
        let entry = self.packets.get(&key).filter(|entry| entry.job.is_none())?;
        let view = View { options: &self.options, heads: &self.heads, progress: &self.progress };
        let Look::Job(need) = view.look(key, entry) else { return None };
        let head = view.head(need.to)?;
        (head.height >= view.start_height(entry, need, head)).then_some(need)
    }

    /// Every packet that is due, found by walking over all of them: what the schedule is tested against.
    #[cfg(test)]
    pub(super) fn due_by_walking(&self, kind: JobKind, to: Side) -> Vec<Key> {
        let due = |key: &&Key| self.due_need(**key).is_some_and(|need| need.kind == kind && need.to == to);
        let mut keys: Vec<Key> = self.packets.keys().filter(due).copied().collect();
        keys.sort_by_key(|key| self.packets.get(key).map(|entry| entry.refusals));
        keys
    }
}

/// What a decision about one packet depends on beside the packet.
struct View<'a> {
    options: &'a Options,
    heads: &'a [Option<HeadView>; 2],
    progress: &'a BTreeMap<(Side, usize), u64>,
}

impl View<'_> {
    const fn head(&self, side: Side) -> Option<HeadView> {
        let [a, b] = self.heads;
        match side {
            Side::A => *a,
            Side::B => *b,
        }
    }

    /// Where a packet belongs. Remembers at which height of the destination it became deliverable, since turns count
    /// from there.
    fn place(&self, key: Key, entry: &mut Entry) -> Place {
        let need = match self.look(key, entry) {
            Look::Job(need) => need,
            Look::Height(side, height) => {
                return Place { height: Some((side, height)), ..self.until_deadline(key, entry) }
            }
            Look::Rest => return self.until_deadline(key, entry),
        };
        let Some(head) = self.head(need.to) else { return Place::default() };
        // Another kind of job may go to the other side, whose heights have nothing to do with these.
        if entry.ready.is_none_or(|ready| ready.kind != need.kind) {
            entry.ready = Some(self.ready(key, entry, need.kind, head));
        }
        let start = self.start_height(entry, need, head);
        let waits = self.until_deadline(key, entry);
        if head.height >= start {
            Place { due: Some(((need.kind, need.to, entry.lane), entry.refusals)), ..waits }
        } else {
            Place { height: Some((need.to, start)), ..waits }
        }
    }

    fn ready(&self, key: Key, entry: &Entry, kind: JobKind, head: HeadView) -> Ready {
        let turn = turn_in(self.options, kind, key);
        let wait_seconds = self.wait_blocks(turn).saturating_mul(head.block_ms) / 1000;
        let room_seconds = wait_seconds.saturating_add(self.options.recv_margin_seconds.saturating_mul(2));
        let hurry_from_seconds = entry.packet.timeout_timestamp_seconds.saturating_add(1).saturating_sub(room_seconds);
        Ready { kind, turn, height: head.height, hurry_from_seconds }
    }

    /// The next time of the destination at which what the packet needs changes by itself.
    fn until_deadline(&self, key: Key, entry: &Entry) -> Place {
        let destination = key.source.other();
        let timeout = entry.packet.timeout_timestamp_seconds;
        let (hurry, last) = match entry.state {
            State::Sent => (
                entry.ready.map(|ready| ready.hurry_from_seconds),
                timeout.saturating_sub(self.options.recv_margin_seconds),
            ),
            State::Parked(_) if entry.acknowledgement.is_none() => (None, timeout),
            State::Received | State::Closing | State::Parked(_) => return Place::default(),
        };
        let now = self.head(destination).map_or(0, |head| head.timestamp.seconds());
        let changes = hurry.into_iter().chain([last, timeout]);
        let next = changes.filter(|at| *at > now).min();
        Place { seconds: next.map(|at| (destination, at)), ..Place::default() }
    }

    const fn wait_blocks(&self, turn: Turn) -> u64 {
        turn.rank.saturating_mul(self.options.turn_delay_blocks)
    }

    /// The height of the destination at which this node may start: its turn has come, and it has rested.
    fn start_height(&self, entry: &Entry, need: Need, head: HeadView) -> u64 {
        let turn = entry.ready.map_or(head.height, |ready| self.turn_height(ready, need, head));
        let rested = entry.not_before.filter(|(side, _)| *side == need.to).map_or(0, |(_, height)| height);
        turn.max(rested)
    }

    fn turn_height(&self, ready: Ready, need: Need, head: HeadView) -> u64 {
        // A deadline shorter than the turns skips them.
        let hurries = need.kind == JobKind::Recv && head.timestamp.seconds() >= ready.hurry_from_seconds;
        if need.kind == JobKind::Confirm || hurries {
            return ready.height;
        }
        let wait_blocks = self.wait_blocks(ready.turn);
        let progress = self.progress.get(&(need.to, ready.turn.leader)).copied().unwrap_or_default();
        let longest = ready.height.saturating_add(wait_blocks.saturating_mul(limits::TURN_WAITS_MAX));
        ready.height.max(progress).saturating_add(wait_blocks).min(longest)
    }

    /// What a packet needs, if the facts for it can be proven now.
    fn look(&self, key: Key, entry: &Entry) -> Look {
        let (source, destination) = (key.source, key.source.other());
        let need = match entry.state {
            State::Closing => Need { kind: JobKind::Confirm, to: source, min_proof_height: entry.end_height },
            State::Received => Need { kind: JobKind::Ack, to: source, min_proof_height: entry.ack_height },
            State::Parked(_) if entry.acknowledgement.is_some() => return Look::Rest,
            State::Sent | State::Parked(_) => {
                let Some(there) = self.head(destination) else { return Look::Height(destination, 0) };
                let (now, timeout) = (there.timestamp.seconds(), entry.packet.timeout_timestamp_seconds);
                let in_time = now.saturating_add(self.options.recv_margin_seconds) < timeout;
                // A refund is proven through the source's own client: while that is what it waits for, it rests.
                let refundable = entry.waits_for() != Some(source);
                if now >= timeout && refundable && !bugs::on(Bug::DeliverExpired) {
                    Need { kind: JobKind::Timeout, to: source, min_proof_height: there.height }
                } else if entry.state == State::Sent && (in_time || bugs::on(Bug::DeliverExpired)) {
                    Need { kind: JobKind::Recv, to: destination, min_proof_height: entry.sent_height }
                } else {
                    return Look::Rest;
                }
            }
        };
        let facts_from = match need.kind {
            JobKind::Recv | JobKind::Confirm => source,
            JobKind::Ack | JobKind::Timeout => destination,
        };
        if self.head(facts_from).is_none_or(|head| head.height < need.min_proof_height) {
            return Look::Height(facts_from, need.min_proof_height);
        }
        if self.head(need.to).is_none() {
            return Look::Height(need.to, 0);
        }
        Look::Job(need)
    }
}

/// A kind of job for packets from one side: each has its own turn order.
const fn direction(kind: JobKind, key: Key) -> u8 {
    (key.source as u8) * 4 + kind as u8
}

fn turn_in(options: &Options, kind: JobKind, key: Key) -> Turn {
    let bucket = key.sequence.saturating_sub(1) / options.bucket.max(1);
    turn(&options.path, direction(kind, key), bucket, &options.operators, &options.own)
}
