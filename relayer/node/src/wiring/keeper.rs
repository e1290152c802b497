//! The keeper of the ledger: tells how it stands, finds out when a full disk has room again, and keeps store and journal
//! small.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use catenary_core::StoreError;
use tokio_util::sync::CancellationToken;

use crate::config::Limits;
use crate::platform;
use crate::store::{Drills, Ledger, PrunePlace, Retention};
use crate::telemetry::metrics::RecordsRefused;
use crate::telemetry::{Health, Metrics, Reason};

/// How often it looks: a full disk is told within a second, as by a probe of readiness.
const LOOK: Duration = Duration::from_secs(1);
/// Looks between two pages of pruning: a page has at most 1,000 packets, so 100 a second can go, more than come.
const PRUNE_LOOKS: u64 = 10;
/// Looks between two questions whether a checkpoint is due, and segments may go, beside those when a segment was begun.
const CHECKPOINT_LOOKS: u64 = 600;
/// Looks between two readings of when the journal was last backed up, and a backup tested.
const DRILL_LOOKS: u64 = 10;

/// What the keeper needs.
#[derive(Debug)]
pub struct KeepPlan {
    /// The ledger.
    pub ledger: Arc<Ledger>,
    /// Metrics.
    pub metrics: Arc<Metrics>,
    /// Health.
    pub health: Arc<Health>,
    /// How long things stay.
    pub limits: Limits,
    /// Data directory.
    pub data_dir: PathBuf,
}

/// Where the keeper's housekeeping stands.
#[derive(Debug, Default)]
struct Round {
    /// Next page of pruning.
    place: PrunePlace,
    /// Looks so far.
    looks: u64,
    /// The newest segment when checkpoints were last thought of; 0 before.
    segment: u64,
}

/// Keeps a ledger until it is cancelled.
pub async fn keep(plan: KeepPlan, stop: CancellationToken) {
    let plan = Arc::new(plan);
    let mut round = Round::default();
    let mut was_well = true;
    loop {
        tokio::select! {
            biased;
            () = stop.cancelled() => break,
            () = platform::sleep(LOOK) => {}
        }
        let work = plan.clone();
        let turn = platform::blocking(move || {
            let is_well = work.tell(was_well);
            if round.looks.is_multiple_of(DRILL_LOOKS) {
                work.metrics.drills(&Drills::read(&work.data_dir));
            }
            if is_well {
                work.tidy(&mut round);
            }
            round.looks = round.looks.wrapping_add(1);
            (is_well, round)
        });
        // A panic there is told by the runtime; the next look begins anew.
        (was_well, round) = turn.await.unwrap_or_default();
    }
    plan.ledger.close();
}

impl KeepPlan {
    /// Tells how the ledger stands; says whether records can be made.
    fn tell(&self, was_well: bool) -> bool {
        self.ledger.probe();
        let status = self.ledger.status();
        self.metrics.journal(status.journal_bytes, status.waiting_records as u64);
        let failure = status.failure;
        match &failure {
            Some(error) if was_well => {
                tracing::error!(code = error.code(), "nothing is signed or sent until records can be made: {error}");
            }
            None if !was_well => tracing::info!("records can be made again; the node goes on"),
            _ => {}
        }
        self.metrics.records_refused(failure.as_ref().map(|error| RecordsRefused::of(error.code())));
        self.health.ledger(failure.as_ref().map(|error| Reason::new(error.code(), error.to_string())));
        failure.is_none()
    }

    fn tidy(&self, round: &mut Round) {
        let now_seconds = platform::now().seconds();
        if round.looks.is_multiple_of(PRUNE_LOOKS) {
            let before_seconds = now_seconds.saturating_sub(self.limits.retain_closed_seconds);
            let pruned = self.ledger.prune(Retention { before_seconds, now_seconds }, &mut round.place);
            told("pruning", pruned.map(|packets| packets as u64).map(Some));
        }
        let segment = self.ledger.tip().segment;
        if segment != round.segment || round.looks.is_multiple_of(CHECKPOINT_LOOKS) {
            round.segment = segment;
            if self.ledger.checkpoint_due() {
                let made = self.ledger.checkpoint(now_seconds);
                told("a checkpoint", made.map(|made| made.map(|made| made.entries)));
            }
            if let Some(keep_seconds) = self.limits.journal_keep_seconds {
                let removed = self.ledger.forget(now_seconds.saturating_sub(keep_seconds));
                told("removing old segments", removed.map(|numbers| Some(numbers.len() as u64)));
            }
        }
    }
}

/// Logs what housekeeping did. That it failed stops nothing: the next turn tries again.
fn told(what: &'static str, outcome: Result<Option<u64>, StoreError>) {
    match outcome {
        Ok(Some(count)) if count > 0 => tracing::info!(count, "{what}"),
        Ok(_) => {}
        Err(error) => tracing::warn!(code = error.code(), "{what} failed: {error}"),
    }
}
