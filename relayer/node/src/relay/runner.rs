//! The runner: owns the engine of one path, feeds it, journals what it decides, and starts its jobs.

use std::sync::Arc;
use std::time::Duration;

use catenary_core::bugs::{self, Bug};
use catenary_core::engine::{
    Effect, Engine, Entry, Event, ItemOutcome, Job, JobId, Key, Options, Outcome, Side, State,
};
use catenary_core::packet_key::PacketKey;
use catenary_core::record::{Cursor, PacketStep, Record, Stage};
use catenary_core::store::StoreError;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::decision;
use super::job::{self, PathContext};
use super::limits;
use super::scan::{ClaimBatch, Scan};
use super::sweep::{Ask, Sweeper};
use crate::chain::HeadState;
use crate::failpoint::failpoint;
use crate::platform;
use crate::watched;

/// What the store kept of a path.
#[derive(Debug, Default)]
pub struct Restored {
    /// Open packets.
    pub open: Vec<(Key, Entry)>,
    /// Ended packets.
    pub ended: Vec<Key>,
    /// Runs of sequences that ended and have left the store.
    pub ended_runs: Vec<(Side, u64, u64)>,
    /// Height of each side up to which all events were taken.
    pub cursors: [u64; 2],
    /// Height of each side after which the first scan began: that of the light client's anchor.
    pub starts: [u64; 2],
}

/// Runs one path.
pub struct PathRunner {
    context: Arc<PathContext>,
    engine: Engine,
    cursors: [u64; 2],
    starts: [u64; 2],
    jobs: JoinSet<(JobId, Vec<(Key, ItemOutcome)>)>,
    releases: mpsc::Receiver<Key>,
    reported: Option<std::time::Instant>,
    sweep_every: Option<Duration>,
    /// Lowest height of each side from which claims were left out, since the engine was full.
    left_out: [Option<u64>; 2],
    /// When a scan was last sent back for what was left out.
    sent_back: Option<std::time::Instant>,
}

/// What the tasks of a path bring its runner.
struct Inbox {
    claims: mpsc::Receiver<ClaimBatch>,
    asks: mpsc::Receiver<Ask>,
}

impl std::fmt::Debug for PathRunner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PathRunner").field("path", &self.context.name).finish_non_exhaustive()
    }
}

/// Name of a path's cursor on a chain in the journal.
#[must_use]
pub fn cursor_name(path: &str, chain: &str) -> String {
    format!("{path}/{chain}")
}

impl PathRunner {
    /// A runner that goes on where the store left off. `releases` brings packets that a person releases.
    #[must_use]
    pub fn new(context: Arc<PathContext>, options: Options, restored: Restored, releases: mpsc::Receiver<Key>) -> Self {
        let mut engine = Engine::new(options);
        restored.ended_runs.iter().for_each(|(side, first, last)| engine.restore_closed_run(*side, *first, *last));
        restored.ended.into_iter().for_each(|key| engine.restore_closed(key));
        restored.open.into_iter().for_each(|(key, entry)| engine.restore(key, entry));
        Self {
            context,
            engine,
            cursors: restored.cursors,
            starts: restored.starts,
            jobs: JoinSet::new(),
            releases,
            reported: None,
            sweep_every: None,
            left_out: [None, None],
            sent_back: None,
        }
    }

    /// Holds fewer open packets than it may.
    #[must_use]
    pub fn holding_at_most(mut self, packets: usize) -> Self {
        self.engine = self.engine.holding_at_most(packets);
        self
    }

    /// Sweeps as well: at the start, and then this often.
    #[must_use]
    pub fn sweeping(mut self, every: Duration) -> Self {
        self.sweep_every = Some(every);
        self
    }

    /// Runs until cancelled, then waits for the jobs in flight.
    ///
    /// # Errors
    /// The journal failed: nothing more is decided, since nothing more can be remembered.
    pub async fn run(mut self, stop: CancellationToken) -> Result<(), StoreError> {
        let (claims_in, claims) = mpsc::channel::<ClaimBatch>(limits::CLAIM_BATCHES);
        let (asks_in, asks) = mpsc::channel::<Ask>(limits::SWEEP_ASKS);
        let mut inbox = Inbox { claims, asks };
        let mut rewinds = Vec::new();
        let mut scans = JoinSet::new();
        for ((side, cursor), start) in [Side::A, Side::B].into_iter().zip(self.cursors).zip(self.starts) {
            let (rewind_in, rewind) = mpsc::channel(limits::CLAIM_BATCHES);
            rewinds.push(rewind_in);
            let claims = claims_in.clone();
            let scan = Scan { context: self.context.clone(), side, cursor, start, claims, rewind };
            scans.spawn(scan.run(stop.clone()));
        }
        if let Some(every) = self.sweep_every {
            let sweeper = Sweeper::new(self.context.clone(), every, asks_in, claims_in.clone());
            scans.spawn(sweeper.run(stop.clone()));
        }
        let mut heads = [Side::A, Side::B].map(|side| self.context.side(side).chain.watch());
        let outcome = self.turn(&stop, &mut inbox, &mut heads, &rewinds).await;
        failpoint("stop.waiting");
        scans.abort_all();
        if outcome.is_ok() {
            // A transaction that was broadcast is journaled; waiting for its receipt only spares the next start a look.
            while self.jobs.join_next().await.is_some() {}
        }
        outcome
    }

    async fn turn(
        &mut self,
        stop: &CancellationToken,
        inbox: &mut Inbox,
        heads: &mut [watched::Receiver<HeadState>; 2],
        rewinds: &[mpsc::Sender<u64>],
    ) -> Result<(), StoreError> {
        let [head_a, head_b] = heads;
        loop {
            self.go_on_with_clients(rewinds)?;
            self.start_jobs();
            self.report();
            self.go_back(rewinds);
            // In a fixed order, so that a simulation can be repeated; claims come last, since they come in crowds.
            tokio::select! {
                biased;
                () = stop.cancelled() => return Ok(()),
                Some(ask) = inbox.asks.recv() => ask.answer(&self.engine, self.cursors),
                Some(done) = self.jobs.join_next() => {
                    // A job that panicked is a bug of ours: the node stops, loudly, and starts again from its journal.
                    let (job, items) = done.unwrap_or_else(|error| std::panic::resume_unwind(error.into_panic()));
                    self.step(vec![Event::JobDone { job, items }], None, rewinds)?;
                }
                Ok(()) = head_a.changed() => self.head(Side::A, head_a),
                Ok(()) = head_b.changed() => self.head(Side::B, head_b),
                Some(key) = self.releases.recv() => self.step(vec![Event::Release { key }], None, rewinds)?,
                Some(batch) = inbox.claims.recv() => self.take_claims(batch, rewinds)?,
            }
        }
    }

    /// Shows the open packets in the metrics, at most once a second: it walks over all of them.
    fn report(&mut self) {
        let now = platform::monotonic();
        let due = self.reported.is_none_or(|last| now.duration_since(last).as_millis() >= limits::REPORT_MS);
        if due {
            self.reported = Some(now);
            self.context.observer.packets(&self.context.name, &mut self.engine.packets());
            self.context.observer.impossible(&self.context.name, self.engine.impossible());
        }
    }

    fn head(&mut self, side: Side, watch: &mut watched::Receiver<HeadState>) {
        let HeadState { provable_height: height, timestamp, stop } = watch.borrow_and_update().clone();
        if stop.is_none() && height > 0 {
            // A head moves no packet by itself, so there is nothing to journal.
            let _ = self.engine.step(Event::Head { side, height, timestamp });
        }
    }

    /// Packets that wait for an on-chain client go on once a look has found it active.
    fn go_on_with_clients(&mut self, rewinds: &[mpsc::Sender<u64>]) -> Result<(), StoreError> {
        for side in [Side::A, Side::B] {
            if self.engine.waits_for_client(side) && self.context.side(side).stand.is_active() {
                let (path, chain) = (&self.context.name, self.context.side(side).chain.name());
                tracing::info!(path, chain, "packets that waited for the on-chain client go on");
                self.step(vec![Event::ClientActive { side }], None, rewinds)?;
            }
        }
        Ok(())
    }

    fn start_jobs(&mut self) {
        for job in self.engine.due() {
            let entries = self.entries(&job);
            let context = self.context.clone();
            if bugs::on(Bug::DoubleJob) {
                let (context, job, entries) = (context.clone(), job.clone(), entries.clone());
                self.jobs.spawn(async move { (job.id, job::run(&context, &job, entries).await) });
            }
            let decision = decision::of(&context, &self.engine, (&job, &entries), platform::now().seconds());
            decision.into_iter().for_each(|record| self.context.ledger.note(&record));
            log_start(&context, &job, &entries, self.engine.head(job.to).map_or(0, |head| head.height));
            self.jobs.spawn(async move {
                let id = job.id;
                (id, job::run(&context, &job, entries).await)
            });
        }
    }

    fn entries(&self, job: &Job) -> Vec<(Key, Entry)> {
        job.items.iter().filter_map(|key| Some((*key, self.engine.packet(key)?.clone()))).collect()
    }

    /// Once there is room, the scans go back to what was left out; now and then for a little room as well, since a path
    /// may stay nearly full.
    fn go_back(&mut self, rewinds: &[mpsc::Sender<u64>]) {
        if self.left_out == [None, None] || self.engine.room() == 0 {
            return;
        }
        let now = platform::monotonic();
        let rested = |last: std::time::Instant| now.duration_since(last).as_millis() >= limits::GO_BACK_MS;
        if !self.engine.has_much_room() && !self.sent_back.is_none_or(rested) {
            return;
        }
        self.sent_back = Some(now);
        for (left_out, rewind) in self.left_out.iter_mut().zip(rewinds) {
            // A full channel means that a rewind is waiting already; the next turn asks again.
            if left_out.is_some_and(|height| rewind.try_send(height).is_ok()) {
                *left_out = None;
            }
        }
    }

    fn take_claims(&mut self, batch: ClaimBatch, rewinds: &[mpsc::Sender<u64>]) -> Result<(), StoreError> {
        let ClaimBatch { side, from, upto, claims } = batch;
        let at = platform::now();
        let events = claims
            .into_iter()
            .map(|claim| Event::Claim { side, height: claim.height, event: claim.event, at })
            .collect();
        self.step(events, Some((side, from, upto)), rewinds)
    }

    /// Moves the cursor of a side over a range that was taken, but never over a claim that was left out, nor over a gap
    /// below the range.
    fn move_cursor(&mut self, (side, from, upto): (Side, u64, u64), no_room: Option<u64>) -> Option<Record> {
        let index = usize::from(side == Side::B);
        let cursor = self.cursors.get_mut(index)?;
        // What comes by the sweep belongs to no range, and is found again by the next round.
        if upto == 0 {
            return None;
        }
        if let (Some(height), Some(left_out)) = (no_room, self.left_out.get_mut(index)) {
            *left_out = Some(left_out.map_or(height, |lowest| lowest.min(height)));
        }
        let to = no_room.map_or(upto, |height| upto.min(height.saturating_sub(1)));
        if to <= *cursor || from > cursor.saturating_add(1) {
            return None;
        }
        *cursor = to;
        let chain = cursor_name(&self.context.name, self.context.side(side).chain.name());
        Some(Record::Cursor(Cursor { chain, height: to }))
    }

    /// Steps the engine and journals what changed, in one batch with the cursor of the range that brought it.
    fn step(
        &mut self,
        events: Vec<Event>,
        range: Option<(Side, u64, u64)>,
        rewinds: &[mpsc::Sender<u64>],
    ) -> Result<(), StoreError> {
        let mut records = Vec::new();
        let mut no_room: Option<u64> = None;
        for event in events {
            for effect in self.engine.step(event) {
                match effect {
                    Effect::Entered { key } => records.extend(self.entered(key)),
                    Effect::Ended { key, entry, outcome } => records.push(self.ended(key, &entry, outcome)),
                    Effect::NoRoom { height, .. } => no_room = Some(no_room.map_or(height, |low| low.min(height))),
                    Effect::Rescan { side, height } => {
                        let index = usize::from(side == Side::B);
                        // A full channel means that a rewind is waiting already; the next refusal asks again.
                        let _ = rewinds.get(index).map(|rewind| rewind.try_send(height));
                    }
                }
            }
        }
        let extra: Vec<Record> = range.and_then(|range| self.move_cursor(range, no_room)).into_iter().collect();
        // An idle chain moves its cursor every block; alone it is not worth an fsync each, since scanning a few
        // blocks again is harmless.
        let idle = records.is_empty();
        if idle && extra.iter().all(|record| matches!(record, Record::Cursor(cursor) if cursor.height % 16 != 0)) {
            return Ok(());
        }
        if bugs::on(Bug::ForgetCursorOrder) {
            self.record(extra)?;
            return self.record(records);
        }
        records.extend(extra);
        failpoint("runner.decided");
        self.record(records)?;
        failpoint("runner.recorded");
        Ok(())
    }

    /// Journals records in commits of bounded size. A cursor comes last, so a crash between two commits only has some
    /// blocks scanned again.
    fn record(&self, records: Vec<Record>) -> Result<(), StoreError> {
        let size = |record: &Record| match record {
            Record::Packet(step) => {
                let bytes = step.packet.as_ref().map_or(0, Vec::len) + step.ack.as_ref().map_or(0, Vec::len);
                2 * bytes + limits::RECORD_BYTES
            }
            _ => limits::RECORD_BYTES,
        };
        let (mut commit, mut bytes) = (Vec::new(), 0);
        for record in records {
            bytes += size(&record);
            commit.push(record);
            if bytes >= limits::COMMIT_BYTES {
                bytes = 0;
                let full = std::mem::take(&mut commit);
                platform::block_in_place(|| self.context.ledger.record_patiently(full))?;
            }
        }
        // The engine has moved on already: on a full disk the path stands until this is durable, and others go on.
        platform::block_in_place(|| self.context.ledger.record_patiently(commit))
    }

    fn entered(&self, key: Key) -> Option<Record> {
        let entry = self.engine.packet(&key)?;
        let (stage, reason) = match &entry.state {
            State::Sent => (Stage::Sent, None),
            State::Received => (Stage::Received, None),
            State::Parked(reason) => (Stage::Parked, Some(format!("{}: {}", reason.code, reason.message))),
            State::Closing => return None,
        };
        self.context.observer.entered(&self.context.name, key, entry);
        Some(self.packet_step(key, entry, (stage, reason)))
    }

    fn ended(&self, key: Key, entry: &Entry, outcome: Outcome) -> Record {
        self.context.observer.ended(&self.context.name, entry, outcome, platform::now());
        let (stage, reason) = match outcome {
            Outcome::Acknowledged => (Stage::Acknowledged, None),
            Outcome::Rejected => (Stage::Refunded, Some("error acknowledgement")),
            Outcome::TimedOut => (Stage::Refunded, Some("timed out")),
        };
        self.packet_step(key, entry, (stage, reason.map(str::to_owned)))
    }

    fn packet_step(&self, key: Key, entry: &Entry, (stage, reason): (Stage, Option<String>)) -> Record {
        let first = stage == Stage::Sent || entry.acknowledgement.is_some();
        let height = match stage {
            // Its acknowledgement waits for a client, and is proven at or above that height when it goes on.
            Stage::Parked if entry.waits_for().is_some() && entry.acknowledgement.is_some() => entry.ack_height,
            Stage::Sent | Stage::Parked => entry.sent_height,
            Stage::Received => entry.ack_height,
            Stage::Acknowledged | Stage::Refunded => entry.end_height,
        };
        Record::Packet(PacketStep {
            path: self.context.name.clone(),
            key: PacketKey::of(self.context.side(key.source).chain.name(), &entry.packet),
            stage,
            packet: first.then(|| entry.packet.proto_encode()),
            ack: entry.acknowledgement.as_ref().map(catenary_protocol::Acknowledgement::proto_encode),
            height,
            reason,
            at_seconds: platform::now().seconds(),
        })
    }
}

/// Says when a job's packets became ready for it, and at which verified height of the chain that it goes to it starts:
/// the difference is the turn that was waited.
fn log_start(context: &PathContext, job: &Job, entries: &[(Key, Entry)], head: u64) {
    let ready = entries.iter().filter_map(|(_, entry)| Some(entry.ready?.height)).min().unwrap_or(head);
    let first = job.items.first().map_or(0, |key| key.sequence);
    let (kind, to) = (job.kind.name(), context.side(job.to).chain.name());
    tracing::debug!(path = context.name, kind, to, first, items = job.items.len(), ready, head, "job starts");
}
