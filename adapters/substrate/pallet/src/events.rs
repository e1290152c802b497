//! What the handler says happened, as events of the chain.

use alloc::{string::String, vec::Vec};

use catenary_protocol::{handler, Packet};
use codec::{Decode, DecodeWithMemTracking, Encode, MaxEncodedLen};
use scale_info::TypeInfo;

use crate::{Config, Event, Height};

/// A message about a packet.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo)]
pub enum MessageKind {
    /// Of a packet.
    RecvPacket,
    /// Of an acknowledgement.
    Acknowledge,
    /// Of a timeout.
    Timeout,
}

fn id(text: &str) -> Vec<u8> {
    text.as_bytes().to_vec()
}

fn attributes(event: &handler::AppEvent) -> Vec<(Vec<u8>, Vec<u8>)> {
    let own = |(key, value): &(String, String)| (id(key), id(value));
    event.attributes.iter().map(own).collect()
}

impl<T: Config> Event<T> {
    /// The event of something that the handler did.
    pub(crate) fn of(event: &handler::Event) -> Self {
        use handler::Event as Done;
        let whole = |client_id: &str, packet: &Packet| (id(client_id), packet.sequence, packet.proto_encode());
        match event {
            Done::CreateClient { client_id, client_type, height } => {
                let (client_id, client_type) = (id(client_id), id(client_type));
                Self::ClientCreated { client_id, client_type, height: (*height).into() }
            }
            Done::UpdateClient { client_id, heights, .. } => {
                let heights = heights.iter().copied().map(Height::from).collect();
                Self::ClientUpdated { client_id: id(client_id), heights }
            }
            Done::Misbehaviour { client_id, .. } => Self::ClientFrozen { client_id: id(client_id) },
            Done::SendPacket(sent) => {
                let (client_id, sequence, packet) = whole(&sent.source_client, sent);
                Self::PacketSent { client_id, sequence, packet }
            }
            Done::RecvPacket(received) => {
                let (client_id, sequence, packet) = whole(&received.destination_client, received);
                Self::PacketReceived { client_id, sequence, packet }
            }
            Done::WriteAcknowledgement(received, acknowledgement) => {
                let (client_id, sequence, packet) = whole(&received.destination_client, received);
                let acknowledgement = acknowledgement.proto_encode();
                Self::AcknowledgementWritten { client_id, sequence, packet, acknowledgement }
            }
            Done::AcknowledgePacket(sent) => {
                let (client_id, sequence, packet) = whole(&sent.source_client, sent);
                Self::PacketAcknowledged { client_id, sequence, packet }
            }
            Done::TimeoutPacket(sent) => {
                let (client_id, sequence, packet) = whole(&sent.source_client, sent);
                Self::PacketTimedOut { client_id, sequence, packet }
            }
            Done::App(done) => Self::Application { kind: id(&done.kind), attributes: attributes(done), undone: false },
            Done::AppFailed(done) => {
                Self::Application { kind: id(&done.kind), attributes: attributes(done), undone: true }
            }
            // The handler's events may become more; what they say is in its rendering.
            other => {
                let shown = other.render();
                let kind = shown.first().map(|first| id(&first.kind)).unwrap_or_default();
                Self::Application { kind, attributes: Vec::new(), undone: false }
            }
        }
    }
}
