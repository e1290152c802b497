//! What calls take: bounded before anything is decoded, by the bounds of the protocol.

use alloc::{string::String, vec::Vec};

use catenary_protocol::{handler, limits, proto};
use codec::{Decode, DecodeWithMemTracking, Encode, MaxEncodedLen};
use frame_support::{traits::ConstU32, BoundedVec};
use scale_info::TypeInfo;

/// At most `MAX` bytes.
pub type Bytes<const MAX: u32> = BoundedVec<u8, ConstU32<MAX>>;

/// Most messages of one `deliver`.
pub const MESSAGES_MAX: u32 = 64;
/// Most relayers that the pallet keeps a list of.
pub const RELAYERS_MAX: u32 = 64;
/// Longest key that the handler uses, in bytes: a client id, a name and two numbers.
pub const KEY_BYTES_MAX: usize = 192;
/// Longest provable key, in bytes: a client id, one byte and a sequence.
pub const PATH_BYTES_MAX: usize = limits::CLIENT_ID_BYTES_MAX + 9;
/// Longest provable value, in bytes: a commitment.
pub const COMMITMENT_BYTES_MAX: usize = 32;
/// Longest private value, in bytes. The largest is the state of a light client with 128 headers.
pub const STATE_BYTES_MAX: usize = 262_144;
/// The relayers that one client may name (`limits::ALLOWED_RELAYERS_MAX`).
pub const CLIENT_RELAYERS_MAX: u32 = 20;

const ID: u32 = 64;
const URL: u32 = 128;
const PACKET: u32 = 270_336;
const ACK: u32 = 65_600;
const PROOF: u32 = 65_536;
const UPDATE: u32 = 1_048_576;
const DENOM: u32 = 2_048;
const RECEIVER: u32 = 2_048;
const MEMO: u32 = 32_768;
const PREFIX: u32 = 256;
const PREFIXES: u32 = 32;

// The protocol's own bounds, in the type that bounded vectors want.
const _: () = assert!(ID as usize == limits::CLIENT_ID_BYTES_MAX && URL as usize == limits::IDENTIFIER_BYTES_MAX);
const _: () = assert!(PACKET as usize == limits::PACKET_BYTES_MAX && ACK as usize == limits::ACK_MESSAGE_BYTES_MAX);
const _: () = assert!(PROOF as usize == limits::PROOF_BYTES_MAX && UPDATE as usize == limits::UPDATE_BYTES_MAX);
const _: () = assert!(DENOM as usize == limits::DENOM_BYTES_MAX && MEMO as usize == limits::MEMO_BYTES_MAX);
const _: () = assert!(RECEIVER as usize == limits::RECEIVER_BYTES_MAX);
const _: () = assert!(PREFIX as usize == limits::PREFIX_ELEMENT_BYTES_MAX);
const _: () = assert!(PREFIXES as usize == limits::PREFIX_ELEMENTS_MAX);
const _: () = assert!(CLIENT_RELAYERS_MAX as usize == limits::ALLOWED_RELAYERS_MAX);

/// A client's id.
pub type ClientId = Bytes<ID>;
/// Where a counterparty keeps its commitments.
pub type MerklePrefix = BoundedVec<Bytes<PREFIX>, ConstU32<PREFIXES>>;

/// `google.protobuf.Any`: the type of a message, and the message in protobuf.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo)]
pub struct Any {
    /// Type URL.
    pub type_url: Bytes<URL>,
    /// Encoded message.
    pub value: Bytes<UPDATE>,
}

/// A height of a counterparty.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo)]
pub struct Height {
    /// Revision; 0 for all clients but `07-tendermint`.
    pub revision: u64,
    /// Height within the revision.
    pub height: u64,
}

impl From<handler::Height> for Height {
    fn from(height: handler::Height) -> Self {
        Self { revision: height.revision, height: height.height }
    }
}

/// A proof, and the height of the counterparty's state that it is about.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo)]
pub struct ProofAt {
    /// The proof, in the encoding of the client's type.
    pub proof: Bytes<PROOF>,
    /// The height.
    pub height: Height,
}

/// Tells a client what its counterparty's chain has come to, or that it misbehaved.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo)]
pub struct UpdateClient {
    /// The client.
    pub client_id: ClientId,
    /// Header, attestation or misbehaviour.
    pub client_message: Any,
}

/// Brings a packet that is proven sent.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo)]
pub struct RecvPacket {
    /// `ibc.core.channel.v2.Packet` in protobuf.
    pub packet: Bytes<PACKET>,
    /// That its commitment is on the source.
    pub proof: ProofAt,
}

/// Brings home an acknowledgement that is proven written.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo)]
pub struct Acknowledge {
    /// `ibc.core.channel.v2.Packet` in protobuf.
    pub packet: Bytes<PACKET>,
    /// `ibc.core.channel.v2.Acknowledgement` in protobuf.
    pub acknowledgement: Bytes<ACK>,
    /// That its commitment is on the destination.
    pub proof: ProofAt,
}

/// Takes back a packet that is proven not received in time.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo)]
pub struct Timeout {
    /// `ibc.core.channel.v2.Packet` in protobuf.
    pub packet: Bytes<PACKET>,
    /// That the destination has no receipt of it.
    pub proof: ProofAt,
}

/// What a relayer may put together in one `deliver`.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo)]
pub enum Message {
    /// See [`UpdateClient`].
    #[codec(index = 0)]
    UpdateClient(UpdateClient),
    /// See [`RecvPacket`].
    #[codec(index = 1)]
    RecvPacket(RecvPacket),
    /// See [`Acknowledge`].
    #[codec(index = 2)]
    Acknowledge(Acknowledge),
    /// See [`Timeout`].
    #[codec(index = 3)]
    Timeout(Timeout),
}

impl Message {
    /// Its bytes from outside, which its weight follows.
    #[must_use]
    pub fn bytes(&self) -> u32 {
        let length = match self {
            Self::UpdateClient(update) => update.client_message.value.len(),
            Self::RecvPacket(receive) => receive.packet.len().saturating_add(receive.proof.proof.len()),
            Self::Acknowledge(acknowledge) => acknowledge
                .packet
                .len()
                .saturating_add(acknowledge.acknowledgement.len())
                .saturating_add(acknowledge.proof.proof.len()),
            Self::Timeout(timeout) => timeout.packet.len().saturating_add(timeout.proof.proof.len()),
        };
        u32::try_from(length).unwrap_or(u32::MAX)
    }
}

/// A transfer to be sent (ICS-20).
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo)]
pub struct Transfer {
    /// Client under which it is sent.
    pub client_id: ClientId,
    /// What is sent, by its name here: the native name, `asset-N` or `ibc/HASH`.
    pub denom: Bytes<DENOM>,
    /// How much, in base units.
    pub amount: u128,
    /// Who gets it, in the destination's form.
    pub receiver: Bytes<RECEIVER>,
    /// When it comes back if it has not arrived, in Unix seconds.
    pub timeout_seconds: u64,
    /// Free text, or JSON with a payment reference.
    pub memo: Bytes<MEMO>,
    /// Encoding of the packet data; empty means JSON. Towards EVM chains `application/x-solidity-abi`.
    pub encoding: Bytes<URL>,
}

/// Bytes that have to be text.
pub(crate) fn utf8(bytes: &[u8]) -> Option<String> {
    core::str::from_utf8(bytes).ok().map(String::from)
}

impl Any {
    /// In protobuf, `None` when its type is no text.
    pub(crate) fn proto(self) -> Option<proto::Any> {
        Some(proto::Any { type_url: utf8(&self.type_url)?, value: self.value.into_inner() })
    }
}

impl ProofAt {
    /// The two fields of a message in protobuf.
    pub(crate) fn proto(self) -> (Vec<u8>, Option<proto::Height>) {
        let Height { revision, height } = self.height;
        let height = proto::Height { revision_number: revision, revision_height: height };
        (self.proof.into_inner(), Some(height))
    }
}
