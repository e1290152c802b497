//! Which jobs are due: turns, deadlines, back-offs and batches.

use super::turns::{turn, Turn};
use super::types::{Entry, HeadView, Job, JobId, JobKind, Key, Side, State};
use super::{limits, Engine};

/// What a packet needs next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Need {
    kind: JobKind,
    /// The side that the job goes to.
    to: Side,
    /// The height that the facts must be proven at or above, on the side that they are about.
    min_proof_height: u64,
}

impl Engine {
    /// The jobs whose turn has come; at most one sending job a side and one confirming job a side are in flight.
    /// Each is in flight until [`Event::JobDone`](super::Event::JobDone) says otherwise.
    pub fn due(&mut self) -> Vec<Job> {
        self.mark_ready();
        let mut jobs = Vec::new();
        for to in [Side::A, Side::B] {
            if !self.in_flight(to, true) {
                // Refunds first, since a deadline has passed; then acks, which free what is locked; then new packets.
                let kinds = [JobKind::Timeout, JobKind::Ack, JobKind::Recv];
                jobs.extend(kinds.into_iter().find_map(|kind| self.take(kind, to)));
            }
            if !self.in_flight(to, false) {
                jobs.extend(self.take(JobKind::Confirm, to));
            }
        }
        jobs
    }

    fn in_flight(&self, to: Side, sends: bool) -> bool {
        self.jobs.values().any(|job| job.to == to && (job.kind != JobKind::Confirm) == sends)
    }

    /// Remembers at which height of the destination each packet became deliverable: turns count from there.
    fn mark_ready(&mut self) {
        let heads = self.heads;
        let (options, margin) = (&self.options, self.options.recv_margin_seconds);
        for (key, entry) in &mut self.packets {
            // Only an unreceived packet changes what it needs while it stays in its state.
            let settled = matches!(entry.state, State::Received | State::Closing) && entry.turn.is_some();
            if settled {
                continue;
            }
            let Some(need) = need(key, entry, &heads, margin) else { continue };
            let to_height = head_of(&heads, need.to).map(|head| head.height);
            match entry.turn {
                Some((kind, _)) if kind == need.kind => {}
                _ => {
                    // Another kind of job may go to the other side, whose heights have nothing to do with these.
                    entry.ready_height = to_height;
                    entry.turn = Some((need.kind, turn_in(options, need.kind, *key)));
                }
            }
        }
    }

    /// The turn of this node for a packet.
    pub(super) fn turn_of(&self, kind: JobKind, key: Key) -> Turn {
        turn_in(&self.options, kind, key)
    }

    fn take(&mut self, kind: JobKind, to: Side) -> Option<Job> {
        let mut items = Vec::new();
        let mut min_proof_height = 0;
        let max = self.options.job_items_max.min(limits::JOB_ITEMS_MAX);
        for (key, entry) in &self.packets {
            let Some(need) = self.due_need(key, entry) else { continue };
            if need.kind == kind && need.to == to {
                items.push(*key);
                min_proof_height = need.min_proof_height.max(min_proof_height);
                if items.len() >= max {
                    break;
                }
            }
        }
        if items.is_empty() {
            return None;
        }
        let id = JobId(self.next_job);
        self.next_job = self.next_job.saturating_add(1);
        for key in &items {
            if let Some(entry) = self.packets.get_mut(key) {
                entry.job = Some(id);
            }
        }
        let job = Job { id, kind, to, items, min_proof_height };
        self.jobs.insert(id, job.clone());
        Some(job)
    }

    fn due_need(&self, key: &Key, entry: &Entry) -> Option<Need> {
        if entry.job.is_some() {
            return None;
        }
        let need = need(key, entry, &self.heads, self.options.recv_margin_seconds)?;
        let head = head_of(&self.heads, need.to)?;
        let turn = self.turn_height(key, entry, need, head);
        let rested = entry.not_before.is_none_or(|(side, height)| side != need.to || head.height >= height);
        (rested && head.height >= turn).then_some(need)
    }

    /// The height of the destination at which it is this node's turn.
    fn turn_height(&self, key: &Key, entry: &Entry, need: Need, head: HeadView) -> u64 {
        let ready = entry.ready_height.unwrap_or(head.height);
        if need.kind == JobKind::Confirm {
            return ready;
        }
        let turn = match entry.turn {
            Some((kind, turn)) if kind == need.kind => turn,
            _ => self.turn_of(need.kind, *key),
        };
        let wait_blocks = turn.rank.saturating_mul(self.options.turn_delay_blocks);
        if need.kind == JobKind::Recv && self.deadline_is_short(entry, wait_blocks, head) {
            return ready;
        }
        let progress = self.progress.get(&(need.to, turn.leader)).copied().unwrap_or_default();
        let longest = ready.saturating_add(wait_blocks.saturating_mul(limits::TURN_WAITS_MAX));
        ready.max(progress).saturating_add(wait_blocks).min(longest)
    }

    /// A deadline shorter than the turns skips them.
    fn deadline_is_short(&self, entry: &Entry, wait_blocks: u64, head: HeadView) -> bool {
        let left_seconds = entry.packet.timeout_timestamp_seconds.saturating_sub(head.timestamp.seconds());
        let wait_seconds = wait_blocks.saturating_mul(head.block_ms) / 1000;
        left_seconds < wait_seconds.saturating_add(self.options.recv_margin_seconds.saturating_mul(2))
    }
}

/// A kind of job for packets from one side: each has its own turn order.
const fn direction(kind: JobKind, key: Key) -> u8 {
    (key.source as u8) * 4 + kind as u8
}

fn turn_in(options: &super::types::Options, kind: JobKind, key: Key) -> Turn {
    let bucket = key.sequence.saturating_sub(1) / options.bucket.max(1);
    turn(&options.path, direction(kind, key), bucket, &options.operators, &options.own)
}

const fn head_of(heads: &[Option<HeadView>; 2], side: Side) -> Option<HeadView> {
    let [a, b] = heads;
    match side {
        Side::A => *a,
        Side::B => *b,
    }
}

/// What a packet needs, if the facts for it can be proven now.
fn need(key: &Key, entry: &Entry, heads: &[Option<HeadView>; 2], margin_seconds: u64) -> Option<Need> {
    let (source, destination) = (key.source, key.source.other());
    let need = match entry.state {
        State::Closing => Need { kind: JobKind::Confirm, to: source, min_proof_height: entry.end_height },
        State::Received => Need { kind: JobKind::Ack, to: source, min_proof_height: entry.ack_height },
        State::Parked(_) if entry.acknowledgement.is_some() => return None,
        State::Sent | State::Parked(_) => {
            let there = head_of(heads, destination)?;
            let timeout = entry.packet.timeout_timestamp_seconds;
            if there.timestamp.seconds() >= timeout {
                Need { kind: JobKind::Timeout, to: source, min_proof_height: there.height }
            } else if entry.state == State::Sent && there.timestamp.seconds().saturating_add(margin_seconds) < timeout {
                Need { kind: JobKind::Recv, to: destination, min_proof_height: entry.sent_height }
            } else {
                return None;
            }
        }
    };
    let facts_from = match need.kind {
        JobKind::Recv | JobKind::Confirm => source,
        JobKind::Ack | JobKind::Timeout => destination,
    };
    let provable = head_of(heads, facts_from)?.height >= need.min_proof_height;
    (provable && head_of(heads, need.to).is_some()).then_some(need)
}
