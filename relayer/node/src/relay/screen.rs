//! Screening: what a scan found becomes news for the engine only when it is proven.
//!
//! That a packet was sent is proven by its commitment in the state after the very block that sent it, which binds its
//! body; that it was acknowledged, by the commitment of the acknowledgement. A range of blocks with a claim that does
//! not hold is not taken: the cursor stays, and the range is asked for again until the endpoint tells the truth.
//!
//! A packet that breaks a rule of the protocol can be committed by an odd application. Nobody can deliver it, so it is
//! left out, and hurts only itself.

use std::collections::BTreeMap;

use catenary_api::{EventClaim, PacketEvent};
use catenary_core::bugs::{self, Bug};
use catenary_core::engine::Side;
use catenary_light_clients::Class;
use catenary_protocol::{Acknowledgement, Packet};

use super::job::PathContext;
use crate::chain::{Chain, ProveError, Prover};

/// The claims of the blocks `from..=to` that hold, in their order.
///
/// # Errors
/// A claim does not hold, or cannot be proven now.
pub(super) async fn screen(
    context: &PathContext,
    side: Side,
    claims: Vec<EventClaim>,
    (from, to): (u64, u64),
) -> Result<Vec<EventClaim>, ProveError> {
    let chain = &context.side(side).chain;
    let mut usable = Vec::with_capacity(claims.len());
    let mut by_height: BTreeMap<u64, (Vec<usize>, Vec<usize>)> = BTreeMap::new();
    for claim in claims {
        if !(from..=to).contains(&claim.height) {
            return Err(out_of_range(claim.height, from, to));
        }
        if let Err(error) = rules(&claim.event) {
            let sequence = claim.event.packet().sequence;
            tracing::warn!(
                chain = chain.name(),
                sequence,
                code = error.code(),
                "left out, nobody can carry it: {error}"
            );
            continue;
        }
        let (sent, acked) = by_height.entry(claim.height).or_default();
        match claim.event {
            PacketEvent::Sent(_) => sent.push(usable.len()),
            PacketEvent::WroteAck { .. } => acked.push(usable.len()),
            PacketEvent::Acknowledged(_) | PacketEvent::TimedOut(_) => {}
        }
        usable.push(claim);
    }
    let mut holds = vec![true; usable.len()];
    for (height, (sent, acked)) in by_height {
        if !bugs::on(Bug::AcceptUnverifiedSend) {
            prove_sent(chain, height, (&usable, &sent), &mut holds).await?;
        }
        if !bugs::on(Bug::AcceptUnverifiedAck) {
            prove_acked(chain, height, (&usable, &acked)).await?;
        }
    }
    let mut holds = holds.into_iter();
    usable.retain(|_| holds.next().unwrap_or_default());
    Ok(usable)
}

fn rules(event: &PacketEvent) -> Result<(), catenary_protocol::Error> {
    event.packet().validate()?;
    match event {
        PacketEvent::WroteAck { acknowledgement, .. } => acknowledgement.validate(),
        PacketEvent::Sent(_) | PacketEvent::Acknowledged(_) | PacketEvent::TimedOut(_) => Ok(()),
    }
}

fn packets(claims: &[EventClaim], places: &[usize]) -> Vec<Packet> {
    places.iter().filter_map(|place| claims.get(*place)).map(|claim| claim.event.packet().clone()).collect()
}

/// Proves commitments at the height of the claim. Where that state is not kept any more, here or by the endpoint, at the
/// head: what is not there has ended, and needs nobody.
async fn prove_sent(
    chain: &Chain,
    height: u64,
    (claims, places): (&[EventClaim], &[usize]),
    holds: &mut [bool],
) -> Result<(), ProveError> {
    if places.is_empty() {
        return Ok(());
    }
    let packets = packets(claims, places);
    let (facts, at_head) = match chain.packets(height, &packets).await {
        Err(ProveError::NotRetained { head, .. }) => (chain.packets(head, &packets).await?, true),
        // An endpoint that has pruned that state may have a newer one; else what failed first is what is told.
        Err(error @ ProveError::Endpoint(_)) if chain.head() > height => {
            (chain.packets(chain.head(), &packets).await.map_err(|_| error)?, true)
        }
        other => (other?, false),
    };
    for (place, fact) in places.iter().zip(facts) {
        match fact {
            Ok(_) => {}
            Err(ProveError::Claim { .. }) if at_head => {
                if let Some(slot) = holds.get_mut(*place) {
                    *slot = false;
                }
            }
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

async fn prove_acked(
    chain: &Chain,
    height: u64,
    (claims, places): (&[EventClaim], &[usize]),
) -> Result<(), ProveError> {
    if places.is_empty() {
        return Ok(());
    }
    let packets = packets(claims, places);
    let facts = match chain.acks(height, &packets).await {
        // Acknowledgements are never removed, so any later state shows them.
        Err(ProveError::NotRetained { head, .. }) => chain.acks(head, &packets).await?,
        Err(error @ ProveError::Endpoint(_)) if chain.head() > height => {
            chain.acks(chain.head(), &packets).await.map_err(|_| error)?
        }
        other => other?,
    };
    for (place, fact) in places.iter().zip(facts) {
        let fact = fact?;
        let Some(PacketEvent::WroteAck { acknowledgement, .. }) = claims.get(*place).map(|claim| &claim.event) else {
            continue;
        };
        committed(acknowledgement, &fact.value)?;
    }
    Ok(())
}

fn committed(acknowledgement: &Acknowledgement, value: &[u8]) -> Result<(), catenary_protocol::Error> {
    let expected = acknowledgement.commitment();
    match catenary_light_clients::Hash32::from_slice(value) {
        Some(got) if got == expected => Ok(()),
        Some(got) => Err(catenary_protocol::Error::CommitmentMismatch { got, expected }),
        None => Err(catenary_protocol::Error::Length { field: "commitment", got: value.len(), min: 32, max: 32 }),
    }
}

fn out_of_range(got: u64, from: u64, to: u64) -> ProveError {
    ProveError::Endpoint(catenary_api::Error {
        code: "NODE-SCN-001",
        class: Class::Transient,
        message: format!("an event of block {got} in the answer for blocks {from} to {to}; ask another endpoint"),
    })
}
