//! Packets and messages. Verified facts stay in the host: what crosses is the plain packet, and on the other side it
//! stays plain.

use catenary_api::MessageView;
use catenary_protocol::{Acknowledgement, AttestationProof, Packet, Payload};

use super::{exact, there, Read};
use crate::proto;

pub(super) fn packet_from(packet: proto::Packet) -> Packet {
    let payloads = packet.payloads.into_iter().map(|payload| Payload {
        source_port: payload.source_port,
        destination_port: payload.destination_port,
        version: payload.version,
        encoding: payload.encoding,
        value: payload.value,
    });
    Packet {
        sequence: packet.sequence,
        source_client: packet.source_client,
        destination_client: packet.destination_client,
        timeout_timestamp_seconds: packet.timeout_timestamp_seconds,
        payloads: payloads.collect(),
    }
}

pub(super) fn packet_to(packet: &Packet) -> proto::Packet {
    let payloads = packet.payloads.iter().map(|payload| proto::Payload {
        source_port: payload.source_port.clone(),
        destination_port: payload.destination_port.clone(),
        version: payload.version.clone(),
        encoding: payload.encoding.clone(),
        value: payload.value.clone(),
    });
    proto::Packet {
        sequence: packet.sequence,
        source_client: packet.source_client.clone(),
        destination_client: packet.destination_client.clone(),
        timeout_timestamp_seconds: packet.timeout_timestamp_seconds,
        payloads: payloads.collect(),
    }
}

/// A message as the adapter's process has it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum PlainMessage {
    UpdateClient { client_id: String, proof: AttestationProof },
    Recv { packet: Packet, proof: AttestationProof, proof_height: u64 },
    Ack { packet: Packet, acknowledgement: Acknowledgement, proof: AttestationProof, proof_height: u64 },
    Timeout { packet: Packet, proof: AttestationProof, proof_height: u64 },
}

impl PlainMessage {
    pub(crate) fn view(&self) -> MessageView<'_> {
        match self {
            Self::UpdateClient { client_id, proof } => MessageView::UpdateClient { client_id, proof },
            Self::Recv { packet, proof, proof_height } => {
                MessageView::Recv { packet, proof, proof_height: *proof_height }
            }
            Self::Ack { packet, acknowledgement, proof, proof_height } => {
                MessageView::Ack { packet, acknowledgement, proof, proof_height: *proof_height }
            }
            Self::Timeout { packet, proof, proof_height } => {
                MessageView::Timeout { packet, proof, proof_height: *proof_height }
            }
        }
    }
}

pub(crate) fn message_from(message: proto::Message) -> Read<PlainMessage> {
    let kind = message.kind();
    let proof = there("proof of a message", message.proof)?;
    let signatures = proof.signatures.iter().map(|signature| exact("a signature", signature));
    let proof = AttestationProof { data: proof.data, signatures: signatures.collect::<Read<_>>()? };
    let packet = message.packet.map(packet_from);
    let updates = kind == proto::MessageKind::UpdateClient;
    let misplaced = message.client_id.is_empty() == updates
        || packet.is_some() == updates
        || message.acknowledgements.is_empty() == (kind == proto::MessageKind::Ack)
        || (updates && message.proof_height != 0);
    if misplaced {
        return Err(format!("{} without its fields, or with others", kind.as_str_name()));
    }
    let proof_height = message.proof_height;
    let acknowledgement = Acknowledgement { app_acknowledgements: message.acknowledgements };
    match (kind, packet) {
        (proto::MessageKind::UpdateClient, None) => {
            Ok(PlainMessage::UpdateClient { client_id: message.client_id, proof })
        }
        (proto::MessageKind::Recv, Some(packet)) => Ok(PlainMessage::Recv { packet, proof, proof_height }),
        (proto::MessageKind::Ack, Some(packet)) => {
            Ok(PlainMessage::Ack { packet, acknowledgement, proof, proof_height })
        }
        (proto::MessageKind::Timeout, Some(packet)) => Ok(PlainMessage::Timeout { packet, proof, proof_height }),
        _ => Err(format!("a message of kind {}", message.kind)),
    }
}

pub(crate) fn message_to(message: MessageView<'_>) -> proto::Message {
    let mut plain = proto::Message::default();
    let (kind, proof) = match message {
        MessageView::UpdateClient { client_id, proof } => {
            client_id.clone_into(&mut plain.client_id);
            (proto::MessageKind::UpdateClient, proof)
        }
        MessageView::Recv { packet, proof, proof_height } => {
            (plain.packet, plain.proof_height) = (Some(packet_to(packet)), proof_height);
            (proto::MessageKind::Recv, proof)
        }
        MessageView::Ack { packet, acknowledgement, proof, proof_height } => {
            (plain.packet, plain.proof_height) = (Some(packet_to(packet)), proof_height);
            plain.acknowledgements.clone_from(&acknowledgement.app_acknowledgements);
            (proto::MessageKind::Ack, proof)
        }
        MessageView::Timeout { packet, proof, proof_height } => {
            (plain.packet, plain.proof_height) = (Some(packet_to(packet)), proof_height);
            (proto::MessageKind::Timeout, proof)
        }
        // The protocol carries attestations only. Without a kind, every adapter refuses the message; the configuration
        // refuses native paths of a chain with an adapter in its own process before it comes to that.
        MessageView::Native(_) => return plain,
    };
    let signatures = proof.signatures.iter().map(|signature| signature.to_vec()).collect();
    plain.proof = Some(proto::AttestationProof { data: proof.data.clone(), signatures });
    plain.kind = kind.into();
    plain
}
