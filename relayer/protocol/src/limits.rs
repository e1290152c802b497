//! Bounds of everything that comes from outside, each with its reason. What exceeds one is refused before work.

/// Longest port identifier, and longest version or encoding that is carried, in bytes (ICS-24 for ports).
pub const IDENTIFIER_BYTES_MAX: usize = 128;
/// Shortest port identifier, in bytes (ICS-24).
pub const PORT_BYTES_MIN: usize = 2;
/// Longest client identifier, in bytes (ICS-24; ibc-go `ClientIdentifierValidator`).
pub const CLIENT_ID_BYTES_MAX: usize = 64;
/// Shortest client identifier, in bytes (ibc-go `ClientIdentifierValidator`).
pub const CLIENT_ID_BYTES_MIN: usize = 8;
/// Most bytes of all payload values of one packet together (ibc-go `MaximumPayloadsSize`, 256 KiB).
pub const PAYLOAD_BYTES_MAX: usize = 262_144;
/// Most bytes of a packet in either encoding: the payload, and 8 KiB for identifiers, lengths and padding.
pub const PACKET_BYTES_MAX: usize = PAYLOAD_BYTES_MAX + 8_192;
/// Payloads in a packet: both ibc-go v11 and the Solidity router take exactly one today.
pub const PAYLOADS: usize = 1;
/// Most bytes of one app acknowledgement: an ack is relayed in one transaction, so it must fit in one.
pub const ACK_BYTES_MAX: usize = 65_536;
/// Most bytes of an acknowledgement in protobuf: the app acknowledgement, its tag and length with room to spare.
pub const ACK_MESSAGE_BYTES_MAX: usize = ACK_BYTES_MAX + 64;
/// Furthest a timeout may lie ahead, in seconds (ibc-go `MaxTimeoutDelta`, 24 h).
pub const TIMEOUT_AHEAD_SECONDS_MAX: u64 = 86_400;
/// Most attestors of one on-chain client: with more, one proof would not fit a GoQuorum transaction of 64 KB.
pub const ATTESTORS_MAX: usize = 64;
/// Most packets in one attestation request (protocol: 64 packets and 512 KiB a request).
pub const ATTESTED_PACKETS_MAX: usize = 64;
/// Most bytes of attested data: 64 packets of 64 bytes, and the ABI head.
pub const ATTESTED_BYTES_MAX: usize = 8_192;
/// Longest receiver of a transfer, in bytes (ibc-go `MaximumReceiverLength`).
pub const RECEIVER_BYTES_MAX: usize = 2_048;
/// Longest memo of a transfer, in bytes (ibc-go `MaximumMemoLength`).
pub const MEMO_BYTES_MAX: usize = 32_768;
/// Longest denomination trace, in bytes: some forty hops, more than any route we would carry.
pub const DENOM_BYTES_MAX: usize = 2_048;
/// Most bytes of a proof in a message: an attestation of 64 packets by 64 members has about 9 KiB, an ICS-23 proof of
/// two stores some 2 KiB.
pub const PROOF_BYTES_MAX: usize = 65_536;
/// Most bytes of a message that creates a client: 64 attestors, or the states of a `07-tendermint` client.
pub const CREATE_BYTES_MAX: usize = 16_384;
/// Most bytes of a message that updates a client: a header of CometBFT with two sets of validators fits.
pub const UPDATE_BYTES_MAX: usize = 1_048_576;
/// Most bytes of a message that registers a counterparty or limits the relayers, and is all text and prefixes.
pub const REGISTER_BYTES_MAX: usize = 16_384;
/// Most bytes of a message that sends a packet: the packet, and 4 KiB for the signer.
pub const SEND_BYTES_MAX: usize = PACKET_BYTES_MAX + 4_096;
/// Most bytes of a message that relays a packet: packet, acknowledgement and proof, and 4 KiB for the rest.
pub const RELAY_BYTES_MAX: usize = PACKET_BYTES_MAX + ACK_MESSAGE_BYTES_MAX + PROOF_BYTES_MAX + 4_096;
/// Most bytes of a message that sends a transfer: receiver, memo and denomination, and 4 KiB for the rest.
pub const TRANSFER_BYTES_MAX: usize = RECEIVER_BYTES_MAX + MEMO_BYTES_MAX + DENOM_BYTES_MAX + 4_096;
/// Most elements of a counterparty's merkle prefix (ibc-go `MaxCounterpartyMerklePrefixElements`).
pub const PREFIX_ELEMENTS_MAX: usize = 32;
/// Longest element of a counterparty's merkle prefix, in bytes (ibc-go `MaxMerklePrefixLength`).
pub const PREFIX_ELEMENT_BYTES_MAX: usize = 256;
/// Most relayers that a client names (ibc-go `MaxAllowedRelayersLength`).
pub const ALLOWED_RELAYERS_MAX: usize = 20;
