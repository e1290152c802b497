//! Confirming: a packet has ended only when its commitment is proven gone from its source, and how it ended is
//! proven on its destination.

use catenary_core::bugs::{self, Bug};
use catenary_core::engine::{Entry, ItemOutcome, Key, Outcome};
use catenary_light_clients::{Absence, Class, Timestamp, Verified};
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
        let state = context.side(key.source.other()).chain.state(entry.ack_height).await;
        received_by(state.map(|header| header.timestamp), entry)?
    };
    Ok(absence.timestamp.seconds() >= known.saturating_add(limits::SENT_MARGIN_SECONDS))
}

/// A time, in seconds, at which a packet was received already, from the state that showed its acknowledgement.
fn received_by(state: Result<Timestamp, ProveError>, entry: &Entry) -> Result<u64, ProveError> {
    match state {
        Ok(received_at) => Ok(received_at.seconds()),
        // Not retained does not mean long ago: a light client skips heights, keeps few, and fewer over a restart. We
        // learnt of the packet after its receipt, so that time will do.
        Err(ProveError::NotRetained { .. }) => Ok(entry.seen_at.seconds()),
        Err(error) => Err(error),
    }
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

#[cfg(test)]
mod tests {
    use catenary_core::engine::State;

    use super::*;

    /// Found in review: a receipt whose state was not retained counted as one of long ago, so that a state of the source
    /// from before the sending showed the packet as ended.
    #[test]
    fn a_receipt_whose_state_is_not_retained_is_not_taken_for_one_of_long_ago() {
        let packet = Packet {
            sequence: 1,
            source_client: "client-0".into(),
            destination_client: "client-1".into(),
            timeout_timestamp_seconds: 9_000,
            payloads: Vec::new(),
        };
        let entry = Entry::new(packet, State::Received, Timestamp::from_seconds(1_000));
        let check = |state, expect: Result<u64, &str>| {
            assert_eq!(received_by(state, &entry).map_err(|error| error.code()), expect);
        };
        check(Ok(Timestamp::from_seconds(900)), Ok(900));
        check(Err(ProveError::NotRetained { height: 5, head: 9 }), Ok(1_000));
        check(Err(ProveError::AboveHead { height: 9, head: 5 }), Err("NODE-PRV-001"));
    }
}
