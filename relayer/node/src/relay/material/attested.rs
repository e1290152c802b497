//! Attested material: a height that the members agree on, and enough of their signatures over what this node has
//! verified there.

use catenary_api::Message;
use catenary_core::engine::{Entry, ItemOutcome, Job, JobKind, Key};
use catenary_light_clients::Class;
use catenary_protocol::{Packet, VerifiedAck, VerifiedPacket, VerifiedTimeout};

use super::{missing, not_there, Attested, Items, Outcomes, Prepared, Ready};
use crate::attestor::{AttestedChunk, Collected, CommitmentKind, Facts, RefusedPacket};
use crate::chain::ProveError;
use crate::relay::job::{failed, PathContext};

/// Collects the members' signatures over every item that can be proven.
pub(super) async fn prepare(
    context: &PathContext,
    job: &Job,
    attested: &Attested,
    items: &Items,
) -> Result<Prepared, ItemOutcome> {
    let kind = match job.kind {
        JobKind::Recv => CommitmentKind::Packet,
        JobKind::Ack => CommitmentKind::Ack,
        JobKind::Timeout | JobKind::Confirm => CommitmentKind::Receipt,
    };
    let packets: Vec<Packet> = items.iter().map(|(_, entry)| entry.packet.clone()).collect();
    let collected = collect(context, job, (attested, kind), &packets).await?;
    let (ready, outcomes) = messages(context, job, items, &collected).await;
    let client_id = context.side(job.to).client_id.clone();
    // An update without messages is worth no fee here: the next job brings its own.
    let update = Message::UpdateClient { client_id, proof: collected.state.clone() };
    let updates = if ready.is_empty() { Vec::new() } else { vec![update] };
    Ok(Prepared { updates, ready, outcomes })
}

/// Agrees on a height with the members and collects their signatures over what this node has verified there.
async fn collect(
    context: &PathContext,
    job: &Job,
    (attested, kind): (&Attested, CommitmentKind),
    packets: &[Packet],
) -> Result<Collected, ItemOutcome> {
    let outcome = async {
        let height = attested.collector.agree_height(job.min_proof_height).await?;
        attested.collector.collect(height, kind, packets, attested.chunk).await
    }
    .await;
    match outcome {
        Ok(collected) => {
            context.observer.served(&context.name, job.to, Ok(()));
            Ok(collected)
        }
        Err(error) => {
            context.observer.served(&context.name, job.to, Err((error.code(), error.to_string())));
            Err(ItemOutcome::Failed { code: error.code(), class: error.class(), message: error.to_string() })
        }
    }
}

/// Turns verified facts into messages; what was refused gets its outcome here.
async fn messages(context: &PathContext, job: &Job, items: &Items, collected: &Collected) -> (Vec<Ready>, Outcomes) {
    let (mut ready, mut outcomes) = (Vec::new(), Vec::new());
    for chunk in &collected.chunks {
        for (place, index) in chunk.indexes.iter().enumerate() {
            let Some((key, entry)) = items.get(*index) else { continue };
            match message(entry, chunk, place, collected.height) {
                Ok(message) => ready.push(Ready { key: *key, packet: entry.packet.clone(), message }),
                Err(error) => outcomes.push((*key, failed(&error))),
            }
        }
    }
    for refused in &collected.refused {
        let Some((key, entry)) = items.get(refused.index) else { continue };
        if outcomes.iter().all(|(done, _)| done != key) {
            outcomes.push((*key, refusal(context, job, (*key, entry), refused).await));
        }
    }
    for (key, _) in items {
        let settled = ready.iter().any(|item| item.key == *key) || outcomes.iter().any(|(done, _)| done == key);
        if !settled {
            outcomes.push((*key, unsigned()));
        }
    }
    (ready, outcomes)
}

/// What a refused item means: a packet whose commitment is not there has ended, and one without an acknowledgement was
/// not acknowledged.
async fn refusal(
    context: &PathContext,
    job: &Job,
    (key, entry): (Key, &Entry),
    refused: &RefusedPacket,
) -> ItemOutcome {
    let (code, message) = (refused.code, format!("{}: {}", refused.member, refused.reason));
    let outcome = ItemOutcome::Failed { code, class: class_of(refused), message };
    if !refused.own || refused.code != ProveError::CLAIM_CODE {
        return outcome;
    }
    not_there(context, job, (key, entry), outcome).await
}

/// Only our own refusal says something of the packet: bytes that do not prove what was claimed are somebody's lie.
/// What a peer refuses, or a claim that has been overtaken, is looked at again.
fn class_of(refused: &RefusedPacket) -> Class {
    let lie = refused.code.starts_with("LC-") || refused.code.starts_with("PR-");
    if refused.own && lie {
        Class::Misbehaviour
    } else {
        Class::Transient
    }
}

fn unsigned() -> ItemOutcome {
    ItemOutcome::Failed {
        code: "NODE-JOB-002",
        class: Class::Transient,
        message: "too few members signed for this packet this time; it is tried again".to_owned(),
    }
}

fn message(entry: &Entry, chunk: &AttestedChunk, place: usize, proof_height: u64) -> Result<Message, ProveError> {
    let proof = chunk.proof.clone();
    let packet = entry.packet.clone();
    match &chunk.own.facts {
        Facts::Packets(facts) => {
            let packet: VerifiedPacket = at(facts, place)?;
            Ok(Message::Recv { packet, proof, proof_height })
        }
        Facts::Acks(facts) => {
            let acknowledgement = entry.acknowledgement.clone().ok_or_else(missing)?;
            let ack = VerifiedAck::new(packet, acknowledgement, at(facts, place)?)?;
            Ok(Message::Ack { ack, proof, proof_height })
        }
        Facts::Absences(facts) => {
            let timeout = VerifiedTimeout::new(packet, at(facts, place)?)?;
            Ok(Message::Timeout { timeout, proof, proof_height })
        }
    }
}

fn at<T: Clone>(facts: &[T], place: usize) -> Result<T, ProveError> {
    facts.get(place).cloned().ok_or_else(missing)
}
