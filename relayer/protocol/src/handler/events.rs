//! What happened, as values; and as ibc-go's events, for hosts that show it so.

use alloc::{borrow::ToOwned, format, string::String, string::ToString, vec, vec::Vec};

use super::client::Height;
use crate::packet::{Acknowledgement, Packet};

/// What ibc-go puts before the type of an event of a callback that failed.
const FAILED: &str = "ibccallbackerror-";

/// An event of an application.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct AppEvent {
    /// Its type.
    pub kind: String,
    /// Its attributes, in order.
    pub attributes: Vec<(String, String)>,
}

impl AppEvent {
    /// An event from its type and attributes.
    #[must_use]
    pub fn new(kind: &str, attributes: &[(&str, &str)]) -> Self {
        let own = |(key, value): &(&str, &str)| ((*key).to_owned(), (*value).to_owned());
        Self { kind: kind.to_owned(), attributes: attributes.iter().map(own).collect() }
    }
}

/// Something that happened.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Event {
    /// A client was created.
    CreateClient {
        /// Its id.
        client_id: String,
        /// Its type.
        client_type: String,
        /// The height that it starts from.
        height: Height,
    },
    /// A client knows more heights, or was told what it knew.
    UpdateClient {
        /// Its id.
        client_id: String,
        /// Its type.
        client_type: String,
        /// The heights.
        heights: Vec<Height>,
    },
    /// A client was frozen.
    Misbehaviour {
        /// Its id.
        client_id: String,
        /// Its type.
        client_type: String,
    },
    /// A packet was sent.
    SendPacket(Packet),
    /// A packet was received.
    RecvPacket(Packet),
    /// A received packet's acknowledgement was written.
    WriteAcknowledgement(Packet, Acknowledgement),
    /// A sent packet's acknowledgement came.
    AcknowledgePacket(Packet),
    /// A sent packet timed out.
    TimeoutPacket(Packet),
    /// Something that an app did.
    App(AppEvent),
    /// Something that an app did and that was undone, because it failed.
    AppFailed(AppEvent),
}

/// An event as ibc-go shows it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Rendered {
    /// Event type.
    pub kind: String,
    /// Attribute keys and values, in order.
    pub attributes: Vec<(String, String)>,
}

impl Rendered {
    fn new(kind: &str, attributes: &[(&str, String)]) -> Self {
        let own = |(key, value): &(&str, String)| ((*key).to_owned(), value.clone());
        Self { kind: kind.to_owned(), attributes: attributes.iter().map(own).collect() }
    }
}

impl Event {
    /// The event as ibc-go v11 shows it, then the `message` event that names its module.
    #[must_use]
    pub fn render(&self) -> Vec<Rendered> {
        let (event, module) = match self {
            Self::CreateClient { client_id, client_type, height } => {
                let mut attributes = client(client_id, client_type);
                attributes.push(("consensus_height", height.to_string()));
                (Rendered::new("create_client", &attributes), "ibc_client")
            }
            Self::UpdateClient { client_id, client_type, heights } => {
                let mut attributes = client(client_id, client_type);
                let heights: Vec<String> = heights.iter().map(Height::to_string).collect();
                attributes.push(("consensus_height", heights.first().cloned().unwrap_or_default()));
                attributes.push(("consensus_heights", heights.join(",")));
                (Rendered::new("update_client", &attributes), "ibc_client")
            }
            Self::Misbehaviour { client_id, client_type } => {
                (Rendered::new("client_misbehaviour", &client(client_id, client_type)), "ibc_client")
            }
            Self::SendPacket(sent) => (Rendered::new("send_packet", &packet(sent)), "ibc_channelv2"),
            Self::RecvPacket(received) => (Rendered::new("recv_packet", &packet(received)), "ibc_channelv2"),
            Self::WriteAcknowledgement(received, acknowledgement) => {
                let mut attributes = packet(received);
                attributes.push(("encoded_acknowledgement_hex", hex::encode(acknowledgement.proto_encode())));
                (Rendered::new("write_acknowledgement", &attributes), "ibc_channelv2")
            }
            Self::AcknowledgePacket(sent) => (Rendered::new("acknowledge_packet", &packet(sent)), "ibc_channelv2"),
            Self::TimeoutPacket(sent) => (Rendered::new("timeout_packet", &packet(sent)), "ibc_channelv2"),
            Self::App(AppEvent { kind, attributes }) => {
                return vec![Rendered { kind: kind.clone(), attributes: attributes.clone() }];
            }
            Self::AppFailed(AppEvent { kind, attributes }) => {
                let failed = |name: &String| format!("{FAILED}{name}");
                let attributes = attributes.iter().map(|(key, value)| (failed(key), value.clone())).collect();
                return vec![Rendered { kind: failed(kind), attributes }];
            }
        };
        vec![event, Rendered::new("message", &[("module", module.to_owned())])]
    }
}

fn client(client_id: &str, client_type: &str) -> Vec<(&'static str, String)> {
    vec![("client_id", client_id.to_owned()), ("client_type", client_type.to_owned())]
}

fn packet(packet: &Packet) -> Vec<(&'static str, String)> {
    vec![
        ("packet_source_client", packet.source_client.clone()),
        ("packet_dest_client", packet.destination_client.clone()),
        ("packet_sequence", packet.sequence.to_string()),
        ("packet_timeout_timestamp", packet.timeout_timestamp_seconds.to_string()),
        ("encoded_packet_hex", hex::encode(packet.proto_encode())),
    ]
}
