//! Protobuf messages of ibc-go v11 that this project sends and reads. Field numbers from its `proto/ibc` folder;
//! golden bytes in `tests/vectors/ibc` pin each.

use alloc::{format, string::String, vec::Vec};

use prost::Message;

use crate::error::Error;
use crate::limits;
use crate::packet;

/// Type URL of the attestation client's state.
pub const ATTESTATION_CLIENT_STATE: &str = "/ibc.lightclients.attestations.v1.ClientState";
/// Type URL of the attestation client's consensus state.
pub const ATTESTATION_CONSENSUS_STATE: &str = "/ibc.lightclients.attestations.v1.ConsensusState";
/// Type URL of an attestation proof, as a client message.
pub const ATTESTATION_PROOF: &str = "/ibc.lightclients.attestations.v1.AttestationProof";

/// Type URL of [`MsgCreateClient`].
pub const MSG_CREATE_CLIENT: &str = "/ibc.core.client.v1.MsgCreateClient";
/// Type URL of [`MsgUpdateClient`].
pub const MSG_UPDATE_CLIENT: &str = "/ibc.core.client.v1.MsgUpdateClient";
/// Type URL of [`MsgRegisterCounterparty`].
pub const MSG_REGISTER_COUNTERPARTY: &str = "/ibc.core.client.v2.MsgRegisterCounterparty";
/// Type URL of [`MsgUpdateClientConfig`].
pub const MSG_UPDATE_CLIENT_CONFIG: &str = "/ibc.core.client.v2.MsgUpdateClientConfig";
/// Type URL of [`MsgSendPacket`].
pub const MSG_SEND_PACKET: &str = "/ibc.core.channel.v2.MsgSendPacket";
/// Type URL of [`MsgRecvPacket`].
pub const MSG_RECV_PACKET: &str = "/ibc.core.channel.v2.MsgRecvPacket";
/// Type URL of [`MsgAcknowledgement`].
pub const MSG_ACKNOWLEDGEMENT: &str = "/ibc.core.channel.v2.MsgAcknowledgement";
/// Type URL of [`MsgTimeout`].
pub const MSG_TIMEOUT: &str = "/ibc.core.channel.v2.MsgTimeout";
/// Type URL of [`MsgTransfer`].
pub const MSG_TRANSFER: &str = "/ibc.applications.transfer.v1.MsgTransfer";

/// `google.protobuf.Any`.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct Any {
    /// Type URL.
    #[prost(string, tag = "1")]
    pub type_url: String,
    /// Encoded message.
    #[prost(bytes = "vec", tag = "2")]
    pub value: Vec<u8>,
}

/// `ibc.core.client.v1.Height`.
#[derive(Clone, Copy, PartialEq, Eq, Message)]
pub struct Height {
    /// Revision; 0 for attestation clients, whatever the chain id.
    #[prost(uint64, tag = "1")]
    pub revision_number: u64,
    /// Height.
    #[prost(uint64, tag = "2")]
    pub revision_height: u64,
}

/// `ibc.core.client.v1.MsgCreateClient`.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct MsgCreateClient {
    /// Client state.
    #[prost(message, optional, tag = "1")]
    pub client_state: Option<Any>,
    /// Consensus state.
    #[prost(message, optional, tag = "2")]
    pub consensus_state: Option<Any>,
    /// Signer.
    #[prost(string, tag = "3")]
    pub signer: String,
}

/// `ibc.core.client.v1.MsgUpdateClient`.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct MsgUpdateClient {
    /// Client id.
    #[prost(string, tag = "1")]
    pub client_id: String,
    /// Header, attestation or misbehaviour.
    #[prost(message, optional, tag = "2")]
    pub client_message: Option<Any>,
    /// Signer.
    #[prost(string, tag = "3")]
    pub signer: String,
}

/// `ibc.core.client.v2.MsgRegisterCounterparty`.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct MsgRegisterCounterparty {
    /// Client id.
    #[prost(string, tag = "1")]
    pub client_id: String,
    /// Merkle prefix of the counterparty.
    #[prost(bytes = "vec", repeated, tag = "2")]
    pub counterparty_merkle_prefix: Vec<Vec<u8>>,
    /// Client id on the counterparty.
    #[prost(string, tag = "3")]
    pub counterparty_client_id: String,
    /// Signer: the client's creator.
    #[prost(string, tag = "4")]
    pub signer: String,
}

/// `ibc.core.client.v2.CounterpartyInfo`.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct CounterpartyInfo {
    /// Where the counterparty keeps its commitments.
    #[prost(bytes = "vec", repeated, tag = "1")]
    pub merkle_prefix: Vec<Vec<u8>>,
    /// Client id on the counterparty.
    #[prost(string, tag = "2")]
    pub client_id: String,
}

/// `ibc.core.client.v2.Config`.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct ClientConfig {
    /// Who may relay; empty for everyone.
    #[prost(string, repeated, tag = "1")]
    pub allowed_relayers: Vec<String>,
}

/// `ibc.core.client.v2.MsgUpdateClientConfig`.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct MsgUpdateClientConfig {
    /// Client id.
    #[prost(string, tag = "1")]
    pub client_id: String,
    /// The whole configuration.
    #[prost(message, optional, tag = "2")]
    pub config: Option<ClientConfig>,
    /// Signer: the client's creator.
    #[prost(string, tag = "3")]
    pub signer: String,
}

/// `ibc.core.client.v1.MsgCreateClientResponse`.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct MsgCreateClientResponse {
    /// Id of the new client.
    #[prost(string, tag = "1")]
    pub client_id: String,
}

/// `ibc.core.channel.v2.MsgSendPacketResponse`; `ibc.applications.transfer.v1.MsgTransferResponse` has the same shape.
#[derive(Clone, Copy, PartialEq, Eq, Message)]
pub struct MsgSendPacketResponse {
    /// Sequence of the packet.
    #[prost(uint64, tag = "1")]
    pub sequence: u64,
}

/// The one shape of `ibc.core.channel.v2` `MsgRecvPacketResponse`, `MsgAcknowledgementResponse` and
/// `MsgTimeoutResponse`.
#[derive(Clone, Copy, PartialEq, Eq, Message)]
pub struct PacketResponse {
    /// 1 NOOP, 2 SUCCESS, 3 FAILURE.
    #[prost(int32, tag = "1")]
    pub result: i32,
}

/// `ibc.core.channel.v2.Payload`.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct Payload {
    /// Source port.
    #[prost(string, tag = "1")]
    pub source_port: String,
    /// Destination port.
    #[prost(string, tag = "2")]
    pub destination_port: String,
    /// Version.
    #[prost(string, tag = "3")]
    pub version: String,
    /// Encoding.
    #[prost(string, tag = "4")]
    pub encoding: String,
    /// Value.
    #[prost(bytes = "vec", tag = "5")]
    pub value: Vec<u8>,
}

/// `ibc.core.channel.v2.Packet`.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct Packet {
    /// Sequence.
    #[prost(uint64, tag = "1")]
    pub sequence: u64,
    /// Source client.
    #[prost(string, tag = "2")]
    pub source_client: String,
    /// Destination client.
    #[prost(string, tag = "3")]
    pub destination_client: String,
    /// Timeout in Unix seconds.
    #[prost(uint64, tag = "4")]
    pub timeout_timestamp: u64,
    /// Payloads.
    #[prost(message, repeated, tag = "5")]
    pub payloads: Vec<Payload>,
}

/// `ibc.core.channel.v2.Acknowledgement`.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct Acknowledgement {
    /// App acknowledgements.
    #[prost(bytes = "vec", repeated, tag = "1")]
    pub app_acknowledgements: Vec<Vec<u8>>,
}

/// `ibc.core.channel.v2.MsgSendPacket`.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct MsgSendPacket {
    /// Source client.
    #[prost(string, tag = "1")]
    pub source_client: String,
    /// Timeout in Unix seconds.
    #[prost(uint64, tag = "2")]
    pub timeout_timestamp: u64,
    /// Payloads.
    #[prost(message, repeated, tag = "3")]
    pub payloads: Vec<Payload>,
    /// Signer.
    #[prost(string, tag = "4")]
    pub signer: String,
}

/// `ibc.core.channel.v2.MsgRecvPacket`.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct MsgRecvPacket {
    /// Packet.
    #[prost(message, optional, tag = "1")]
    pub packet: Option<Packet>,
    /// Proof of the commitment.
    #[prost(bytes = "vec", tag = "2")]
    pub proof_commitment: Vec<u8>,
    /// Height of the proof.
    #[prost(message, optional, tag = "3")]
    pub proof_height: Option<Height>,
    /// Signer.
    #[prost(string, tag = "4")]
    pub signer: String,
}

/// `ibc.core.channel.v2.MsgAcknowledgement`.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct MsgAcknowledgement {
    /// Packet.
    #[prost(message, optional, tag = "1")]
    pub packet: Option<Packet>,
    /// Acknowledgement.
    #[prost(message, optional, tag = "2")]
    pub acknowledgement: Option<Acknowledgement>,
    /// Proof of the acknowledgement.
    #[prost(bytes = "vec", tag = "3")]
    pub proof_acked: Vec<u8>,
    /// Height of the proof.
    #[prost(message, optional, tag = "4")]
    pub proof_height: Option<Height>,
    /// Signer.
    #[prost(string, tag = "5")]
    pub signer: String,
}

/// `ibc.core.channel.v2.MsgTimeout`. The signer's tag is 5; 4 is unused.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct MsgTimeout {
    /// Packet.
    #[prost(message, optional, tag = "1")]
    pub packet: Option<Packet>,
    /// Proof that there is no receipt.
    #[prost(bytes = "vec", tag = "2")]
    pub proof_unreceived: Vec<u8>,
    /// Height of the proof.
    #[prost(message, optional, tag = "3")]
    pub proof_height: Option<Height>,
    /// Signer.
    #[prost(string, tag = "5")]
    pub signer: String,
}

/// `cosmos.base.v1beta1.Coin`.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct Coin {
    /// Denomination.
    #[prost(string, tag = "1")]
    pub denom: String,
    /// Amount, decimal.
    #[prost(string, tag = "2")]
    pub amount: String,
}

/// `ibc.applications.transfer.v1.MsgTransfer`.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct MsgTransfer {
    /// Port: `transfer`.
    #[prost(string, tag = "1")]
    pub source_port: String,
    /// In v2 the client id.
    #[prost(string, tag = "2")]
    pub source_channel: String,
    /// Token.
    #[prost(message, optional, tag = "3")]
    pub token: Option<Coin>,
    /// Sender.
    #[prost(string, tag = "4")]
    pub sender: String,
    /// Receiver.
    #[prost(string, tag = "5")]
    pub receiver: String,
    /// Left unset in v2.
    #[prost(message, optional, tag = "6")]
    pub timeout_height: Option<Height>,
    /// In v2 Unix seconds.
    #[prost(uint64, tag = "7")]
    pub timeout_timestamp: u64,
    /// Memo.
    #[prost(string, tag = "8")]
    pub memo: String,
    /// Encoding of the packet data.
    #[prost(string, tag = "9")]
    pub encoding: String,
}

/// `ibc.applications.transfer.v1.FungibleTokenPacketData`.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct FungibleTokenPacketData {
    /// Denomination with its trace.
    #[prost(string, tag = "1")]
    pub denom: String,
    /// Amount, decimal.
    #[prost(string, tag = "2")]
    pub amount: String,
    /// Sender.
    #[prost(string, tag = "3")]
    pub sender: String,
    /// Receiver.
    #[prost(string, tag = "4")]
    pub receiver: String,
    /// Memo.
    #[prost(string, tag = "5")]
    pub memo: String,
}

/// `ibc.lightclients.attestations.v1.ClientState`.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct AttestationClientState {
    /// Attestors, as 0x-prefixed hex addresses.
    #[prost(string, repeated, tag = "1")]
    pub attestor_addresses: Vec<String>,
    /// Signatures required.
    #[prost(uint32, tag = "2")]
    pub min_required_sigs: u32,
    /// Newest height.
    #[prost(uint64, tag = "3")]
    pub latest_height: u64,
    /// Frozen.
    #[prost(bool, tag = "4")]
    pub is_frozen: bool,
}

/// `ibc.lightclients.attestations.v1.ConsensusState`.
#[derive(Clone, Copy, PartialEq, Eq, Message)]
pub struct AttestationConsensusState {
    /// Time in nanoseconds.
    #[prost(uint64, tag = "1")]
    pub timestamp: u64,
}

/// `ibc.lightclients.attestations.v1.AttestationProof`.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct AttestationProof {
    /// Attested bytes.
    #[prost(bytes = "vec", tag = "1")]
    pub attestation_data: Vec<u8>,
    /// Signatures.
    #[prost(bytes = "vec", repeated, tag = "2")]
    pub signatures: Vec<Vec<u8>>,
}

/// Decodes and insists that encoding again gives the same bytes. The caller has bounded the bytes: a list of empty
/// elements takes some sixty times its bytes in memory. What comes from outside goes through [`decode_bounded`].
///
/// # Errors
/// [`Error::Decode`] or [`Error::NotCanonical`].
pub fn decode_strict<M: Message + Default>(what: &'static str, bytes: &[u8]) -> Result<M, Error> {
    let message = M::decode(bytes).map_err(|error| Error::Decode { what, reason: format!("{error}") })?;
    let expected = message.encoded_len();
    if message.encode_to_vec() == bytes {
        Ok(message)
    } else {
        Err(Error::NotCanonical { what, got: bytes.len(), expected })
    }
}

/// As [`decode_strict`], and refuses more than `max` bytes before it looks at them.
///
/// # Errors
/// [`Error::Length`], [`Error::Decode`] or [`Error::NotCanonical`].
pub fn decode_bounded<M: Message + Default>(what: &'static str, bytes: &[u8], max: usize) -> Result<M, Error> {
    if bytes.len() > max {
        return Err(Error::Length { field: what, got: bytes.len(), min: 0, max });
    }
    decode_strict(what, bytes)
}

impl From<&packet::Packet> for Packet {
    fn from(packet: &packet::Packet) -> Self {
        Self {
            sequence: packet.sequence,
            source_client: packet.source_client.clone(),
            destination_client: packet.destination_client.clone(),
            timeout_timestamp: packet.timeout_timestamp_seconds,
            payloads: packet.payloads.iter().map(Payload::from).collect(),
        }
    }
}

impl From<&packet::Payload> for Payload {
    fn from(payload: &packet::Payload) -> Self {
        Self {
            source_port: payload.source_port.clone(),
            destination_port: payload.destination_port.clone(),
            version: payload.version.clone(),
            encoding: payload.encoding.clone(),
            value: payload.value.clone(),
        }
    }
}

impl From<Payload> for packet::Payload {
    fn from(payload: Payload) -> Self {
        Self {
            source_port: payload.source_port,
            destination_port: payload.destination_port,
            version: payload.version,
            encoding: payload.encoding,
            value: payload.value,
        }
    }
}

impl From<Packet> for packet::Packet {
    fn from(packet: Packet) -> Self {
        let payloads = packet.payloads.into_iter().map(packet::Payload::from);
        Self {
            sequence: packet.sequence,
            source_client: packet.source_client,
            destination_client: packet.destination_client,
            timeout_timestamp_seconds: packet.timeout_timestamp,
            payloads: payloads.collect(),
        }
    }
}

impl packet::Packet {
    /// The packet in protobuf.
    #[must_use]
    pub fn proto_encode(&self) -> Vec<u8> {
        Packet::from(self).encode_to_vec()
    }

    /// The packet in canonical protobuf, and nothing else.
    ///
    /// # Errors
    /// Bytes over the bound, undecodable or not canonical, or a packet that breaks a rule.
    pub fn proto_decode(bytes: &[u8]) -> Result<Self, Error> {
        let packet = Self::from(decode_bounded::<Packet>("packet", bytes, limits::PACKET_BYTES_MAX)?);
        packet.validate()?;
        Ok(packet)
    }
}

impl packet::Acknowledgement {
    /// The acknowledgement in protobuf.
    #[must_use]
    pub fn proto_encode(&self) -> Vec<u8> {
        Acknowledgement { app_acknowledgements: self.app_acknowledgements.clone() }.encode_to_vec()
    }

    /// The acknowledgement in canonical protobuf.
    ///
    /// # Errors
    /// Bytes over the bound, undecodable or not canonical, or an acknowledgement that breaks a rule.
    pub fn proto_decode(bytes: &[u8]) -> Result<Self, Error> {
        let message: Acknowledgement = decode_bounded("acknowledgement", bytes, limits::ACK_MESSAGE_BYTES_MAX)?;
        let acknowledgement = Self { app_acknowledgements: message.app_acknowledgements };
        acknowledgement.validate()?;
        Ok(acknowledgement)
    }
}
