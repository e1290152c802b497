//! Confirming: a packet has ended only when its commitment is proven gone from its source, and how it ended is
//! proven on its destination.

use catenary_core::bugs::{self, Bug};
use catenary_core::engine::{Entry, ItemOutcome, Key, Outcome};
use catenary_light_clients::{Absence, Class, Verified};
use catenary_protocol::{Acknowledgement, Packet};

use super::job::{failed, PathContext};
use super::limits;
use crate::chain::{ProveError, Prover};
use crate::failpoint::failpoint;

/// Proves how each packet ended: its commitment is gone from the source at or above `min_height`, and it was
/// acknowledged on the destination, or was not received and its timeout has passed there.
pub(super) async fn run(context: &PathContext, entries: Vec<(Key, Entry)>, min_height: u64) -> Vec<(Key, ItemOutcome)> {
    let Some((first, _)) = entries.first() else { return Vec::new() };
    if bugs::on(Bug::ReceiptIsEnd) {
        return entries.into_iter().map(|(key, _)| (key, ItemOutcome::Closed(Outcome::Acknowledged))).collect();
    }
    let source = &context.side(first.source).chain;
    let height = source.head().max(min_height);
    let packets: Vec<Packet> = entries.iter().map(|(_, entry)| entry.packet.clone()).collect();
    let absences = match source.commitment_absences(height, &packets).await {
        Ok(absences) => absences,
        Err(error) => return entries.into_iter().map(|(key, _)| (key, failed(&error))).collect(),
    };
    let mut outcomes = Vec::with_capacity(entries.len());
    let mut gone = Vec::new();
    for ((key, entry), absence) in entries.into_iter().zip(absences) {
        match absence {
            Ok(absence) => match is_after_sending(context, (key, &entry), &absence).await {
                Ok(true) => gone.push((key, entry)),
                Ok(false) => outcomes.push((key, too_early(absence.height))),
                Err(error) => outcomes.push((key, failed(&error))),
            },
            Err(ProveError::Claim { .. }) => outcomes.push((key, ItemOutcome::StillOpen)),
            Err(error) => outcomes.push((key, failed(&error))),
        }
    }
    outcomes.extend(how(context, gone).await);
    failpoint("confirm.proven");
    outcomes
}

/// Whether a state of the source is one after the packet was sent: before that, nothing being there says nothing. Where
/// the sending has not been seen, the packet was received already, so a state that is later than its receipt will do.
async fn is_after_sending(
    context: &PathContext,
    (key, entry): (Key, &Entry),
    absence: &Verified<Absence>,
) -> Result<bool, ProveError> {
    if entry.sent_height > 0 {
        return Ok(absence.height >= entry.sent_height);
    }
    let known = if entry.ack_height == 0 {
        entry.seen_at.seconds()
    } else {
        match context.side(key.source.other()).chain.state(entry.ack_height).await {
            Ok(header) => header.timestamp.seconds(),
            // It was received so long ago that a source that is behind it would count as stale.
            Err(ProveError::NotRetained { .. }) => return Ok(true),
            Err(error) => return Err(error),
        }
    };
    Ok(absence.timestamp.seconds() >= known.saturating_add(limits::SENT_MARGIN_SECONDS))
}

fn too_early(height: u64) -> ItemOutcome {
    ItemOutcome::Failed {
        code: "NODE-CNF-002",
        class: Class::Transient,
        message: format!(
            "the source's state at height {height} may be one before the packet was sent; a later one is awaited"
        ),
    }
}

/// How packets that are gone from their source ended, from the destination's state.
async fn how(context: &PathContext, gone: Vec<(Key, Entry)>) -> Vec<(Key, ItemOutcome)> {
    let Some((first, _)) = gone.first() else { return Vec::new() };
    let destination = &context.side(first.source.other()).chain;
    let height = destination.head();
    let packets: Vec<Packet> = gone.iter().map(|(_, entry)| entry.packet.clone()).collect();
    let acks = match destination.acks(height, &packets).await {
        Ok(acks) => acks,
        Err(error) => return gone.into_iter().map(|(key, _)| (key, failed(&error))).collect(),
    };
    let mut outcomes = Vec::with_capacity(gone.len());
    let mut unreceived = Vec::new();
    for ((key, entry), ack) in gone.into_iter().zip(acks) {
        match ack {
            Ok(fact) => {
                let rejected = fact.value == Acknowledgement::universal_error().commitment().as_bytes();
                let outcome = if rejected { Outcome::Rejected } else { Outcome::Acknowledged };
                outcomes.push((key, ItemOutcome::Closed(outcome)));
            }
            Err(ProveError::Claim { .. }) => unreceived.push((key, entry)),
            Err(error) => outcomes.push((key, failed(&error))),
        }
    }
    outcomes.extend(unreceived_how(destination.as_ref(), height, unreceived).await);
    outcomes
}

async fn unreceived_how(destination: &dyn Prover, height: u64, entries: Vec<(Key, Entry)>) -> Vec<(Key, ItemOutcome)> {
    if entries.is_empty() {
        return Vec::new();
    }
    if bugs::on(Bug::RefundWithoutAbsence) {
        return entries.into_iter().map(|(key, _)| (key, ItemOutcome::Closed(Outcome::TimedOut))).collect();
    }
    let packets: Vec<Packet> = entries.iter().map(|(_, entry)| entry.packet.clone()).collect();
    let absences = match destination.receipt_absences(height, &packets).await {
        Ok(absences) => absences,
        Err(error) => return entries.into_iter().map(|(key, _)| (key, failed(&error))).collect(),
    };
    let decide = |entry: &Entry, absence| match absence {
        Ok(absence) => {
            let absence: Verified<Absence> = absence;
            if absence.timestamp.seconds() >= entry.packet.timeout_timestamp_seconds {
                ItemOutcome::Closed(Outcome::TimedOut)
            } else {
                // Our view of the destination lags behind whoever proved the timeout: look again.
                not_yet(absence.height)
            }
        }
        // Received, but the acknowledgement was not there yet at the height that was asked: look again.
        Err(ProveError::Claim { height, .. }) => not_yet(height),
        Err(error) => failed(&error),
    };
    entries.iter().zip(absences).map(|((key, entry), absence)| (*key, decide(entry, absence))).collect()
}

fn not_yet(height: u64) -> ItemOutcome {
    ItemOutcome::Failed {
        code: "NODE-CNF-001",
        class: Class::Transient,
        message: format!("how the packet ended cannot be proven on its destination at height {height} yet"),
    }
}
