//! What a source says.

use catenary_api::{ClientClaim, EventClaim, Head, Identity, PacketEvent, ProofClaim, SearchKind, TxHash};
use catenary_light_clients::{Hash32, Timestamp};
use catenary_protocol::limits::ATTESTORS_MAX;
use catenary_protocol::Acknowledgement;

use super::messages::{packet_from, packet_to};
use super::{exact, exact_or_empty, some_text, text, there, Read};
use crate::proto;

pub(crate) fn identity_from(answer: proto::IdentityResponse) -> Read<Identity> {
    let genesis_hash = exact_or_empty("genesis_hash", &answer.genesis_hash)?.map(Hash32);
    Ok(Identity { chain_id: text("chain_id", answer.chain_id)?, genesis_hash })
}

pub(crate) fn identity_to(identity: Identity) -> proto::IdentityResponse {
    let genesis_hash = identity.genesis_hash.map(|hash| hash.0.to_vec()).unwrap_or_default();
    proto::IdentityResponse { error: None, chain_id: identity.chain_id, genesis_hash }
}

pub(crate) const fn head_from(answer: &proto::HeadResponse) -> Head {
    Head { height: answer.height, timestamp: Timestamp::from_nanos(answer.timestamp_nanos) }
}

pub(crate) const fn head_to(head: Head) -> proto::HeadResponse {
    proto::HeadResponse { error: None, height: head.height, timestamp_nanos: head.timestamp.nanos }
}

pub(crate) fn event_from(event: proto::Event) -> Read<EventClaim> {
    let kind = event.kind();
    let packet = packet_from(there("packet of an event", event.packet)?);
    let acknowledged = kind == proto::EventKind::WroteAck;
    if event.acknowledgements.is_empty() == acknowledged {
        let got = event.acknowledgements.len();
        return Err(format!("{} with {got} acknowledgements", kind.as_str_name()));
    }
    let acknowledgement = Acknowledgement { app_acknowledgements: event.acknowledgements };
    let what = match kind {
        proto::EventKind::Sent => PacketEvent::Sent(packet),
        proto::EventKind::WroteAck => PacketEvent::WroteAck { packet, acknowledgement },
        proto::EventKind::Acknowledged => PacketEvent::Acknowledged(packet),
        proto::EventKind::TimedOut => PacketEvent::TimedOut(packet),
        proto::EventKind::Unspecified => return Err(format!("an event of kind {}", event.kind)),
    };
    Ok(EventClaim { height: event.height, tx: TxHash(Hash32(exact("tx_hash", &event.tx_hash)?)), event: what })
}

/// Only these two are searched for.
pub(crate) fn search_kind_from(kind: proto::EventKind) -> Read<SearchKind> {
    match kind {
        proto::EventKind::Sent => Ok(SearchKind::Sent),
        proto::EventKind::WroteAck => Ok(SearchKind::WroteAck),
        other => Err(format!("a search for {}", other.as_str_name())),
    }
}

pub(crate) const fn search_kind_to(kind: SearchKind) -> proto::EventKind {
    match kind {
        SearchKind::Sent => proto::EventKind::Sent,
        SearchKind::WroteAck => proto::EventKind::WroteAck,
    }
}

pub(crate) fn event_to(claim: &EventClaim) -> proto::Event {
    let (kind, acknowledgements) = match &claim.event {
        PacketEvent::Sent(_) => (proto::EventKind::Sent, Vec::new()),
        PacketEvent::WroteAck { acknowledgement, .. } => {
            (proto::EventKind::WroteAck, acknowledgement.app_acknowledgements.clone())
        }
        PacketEvent::Acknowledged(_) => (proto::EventKind::Acknowledged, Vec::new()),
        PacketEvent::TimedOut(_) => (proto::EventKind::TimedOut, Vec::new()),
    };
    proto::Event {
        height: claim.height,
        tx_hash: claim.tx.0 .0.to_vec(),
        kind: kind.into(),
        packet: Some(packet_to(claim.event.packet())),
        acknowledgements,
    }
}

pub(crate) fn proof_from(proof: proto::Proof) -> Read<ProofClaim> {
    if !proof.exists && !proof.value.is_empty() {
        return Err(format!("an absent value of {} bytes", proof.value.len()));
    }
    Ok(ProofClaim { value: proof.exists.then_some(proof.value), proof: proof.proof })
}

pub(crate) fn proof_to(claim: ProofClaim) -> proto::Proof {
    proto::Proof { exists: claim.value.is_some(), value: claim.value.unwrap_or_default(), proof: claim.proof }
}

pub(crate) fn client_from(client: proto::ClientState) -> Read<ClientClaim> {
    if client.attestors.len() > ATTESTORS_MAX {
        return Err(format!("a client of {} attestors, at most {ATTESTORS_MAX} are read", client.attestors.len()));
    }
    let attestors = client.attestors.iter().map(|address| exact("an attestor", address));
    Ok(ClientClaim {
        attestors: attestors.collect::<Read<_>>()?,
        min_required_sigs: client.min_required_sigs,
        latest_height: client.latest_height,
        frozen: client.frozen,
        counterparty: some_text("counterparty", client.counterparty)?,
        location: text("location", client.location)?,
        native: None,
    })
}

pub(crate) fn client_to(claim: ClientClaim) -> proto::ClientState {
    proto::ClientState {
        attestors: claim.attestors.iter().map(|address| address.to_vec()).collect(),
        min_required_sigs: claim.min_required_sigs,
        latest_height: claim.latest_height,
        frozen: claim.frozen,
        counterparty: claim.counterparty.unwrap_or_default(),
        location: claim.location,
    }
}
