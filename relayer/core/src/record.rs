//! The journal's records: facts that were seen and decisions that were taken, as one versioned JSON object each.
//!
//! Encodings are stable: golden bytes pin them, unknown fields and versions are refused, and what does not encode
//! again to the same bytes is refused, so the journal's hash chain covers the meaning and not one of its spellings.
//! No record holds a secret.

use std::collections::BTreeMap;

use catenary_light_clients::Hash32;
use serde::{Deserialize, Serialize};
use thiserror::Error as ThisError;

use crate::encoding::{bytes_hex, hash_hex, optional_bytes_hex};
use crate::packet_key::PacketKey;

/// Newest version of the encoding of this module. Each kind of record has the version that it came with, so that a program
/// that is older than the kind says so, and one that is newer reads what was written before.
pub const RECORD_VERSION: u16 = 2;
/// First version of the encoding.
const FIRST_VERSION: u16 = 1;
/// The version that [`Decision`], [`MisbehaviourSeen`] and [`ClientHeights`] came with.
const SECOND_VERSION: u16 = 2;

/// Where a packet stands.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    /// Sent on its source, committed there.
    Sent,
    /// Received on its destination; the acknowledgement is written there.
    Received,
    /// Its acknowledgement arrived on its source. Terminal.
    Acknowledged,
    /// Timed out, and refunded on its source. Terminal.
    Refunded,
    /// It cannot go on until a person or a chain changes something; the reason says what.
    Parked,
}

impl Stage {
    /// Every stage.
    pub const ALL: [Self; 5] = [Self::Sent, Self::Received, Self::Acknowledged, Self::Refunded, Self::Parked];

    /// The name used in metrics, store keys and output.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Sent => "sent",
            Self::Received => "received",
            Self::Acknowledged => "acknowledged",
            Self::Refunded => "refunded",
            Self::Parked => "parked",
        }
    }

    /// Whether nothing follows.
    #[must_use]
    pub const fn is_terminal(self) -> bool {
        matches!(self, Self::Acknowledged | Self::Refunded)
    }
}

/// What a transaction is for.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum IntentKind {
    /// Delivers packets.
    Recv,
    /// Brings acknowledgements home.
    Ack,
    /// Times packets out.
    Timeout,
    /// More than one of these.
    Mixed,
    /// What a person asked for.
    Call,
    /// Brings an on-chain client up to date, and nothing else.
    Update,
    /// Keeps an on-chain client: brings it up to date before it expires, or shows it misbehaviour.
    Upkeep,
}

impl IntentKind {
    /// The name used in metrics and output.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Recv => "recv",
            Self::Ack => "ack",
            Self::Timeout => "timeout",
            Self::Mixed => "mixed",
            Self::Call => "call",
            Self::Update => "update",
            Self::Upkeep => "upkeep",
        }
    }
}

/// A signed transaction that is about to be broadcast.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Intent {
    /// Name of the batch or the call, for people.
    pub id: String,
    /// Path that it serves; empty for a call that serves none.
    pub path: String,
    /// Chain that it goes to.
    pub chain: String,
    /// Key that signed it.
    pub key: String,
    /// Its nonce or sequence.
    pub nonce: u64,
    /// Its hash.
    #[serde(with = "hash_hex")]
    pub tx_hash: Hash32,
    /// Its raw bytes, so that it can be broadcast again as it is.
    #[serde(with = "bytes_hex")]
    pub tx_bytes: Vec<u8>,
    /// What it is for.
    pub kind: IntentKind,
    /// Packets that it carries messages of.
    pub packets: Vec<PacketKey>,
    /// When it was decided, in Unix seconds.
    pub at_seconds: u64,
    /// How many transactions with its nonce it takes the place of: the same body at a lower fee each.
    #[serde(default, skip_serializing_if = "is_none_yet")]
    pub replacement: u32,
}

/// Fields are passed by reference here.
const fn is_none_yet(number: &u32) -> bool {
    *number == 0
}

/// What became of a transaction.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum OutcomeResult {
    /// It is in a block.
    Included {
        /// Height of the block.
        height: u64,
        /// Whether it took effect.
        success: bool,
        /// Gas used.
        gas_used: u64,
        /// Fee paid, in base units of the fee token, decimal.
        fee: String,
    },
    /// Its nonce was taken by another transaction, or it left every pool: it will not be included.
    Dropped,
    /// A node refused it for good.
    Refused {
        /// Stable code of the refusal.
        code: String,
    },
}

/// The outcome of an [`Intent`].
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Outcome {
    /// Hash of the transaction.
    #[serde(with = "hash_hex")]
    pub tx_hash: Hash32,
    /// Chain.
    pub chain: String,
    /// What became of it.
    pub result: OutcomeResult,
    /// When it was learnt, in Unix seconds.
    pub at_seconds: u64,
}

/// What an attestation states.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StatementKind {
    /// A height's time.
    State,
    /// What paths hold.
    Packets,
}

/// An attestation that this node's key signed; journaled before the signature leaves the process.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SignedAttestation {
    /// Key.
    pub key: String,
    /// Light-client instance.
    #[serde(with = "hash_hex")]
    pub instance: Hash32,
    /// Attested height.
    pub height: u64,
    /// What it states.
    pub statement: StatementKind,
    /// Signed digest.
    #[serde(with = "hash_hex")]
    pub digest: Hash32,
    /// For a state: the attested time, in Unix seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timestamp_seconds: Option<u64>,
}

/// A transaction digest that a key signed; journaled before the signature is given.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SignedTx {
    /// Key.
    pub key: String,
    /// Chain.
    pub chain: String,
    /// Nonce or sequence.
    pub nonce: u64,
    /// Signed digest.
    #[serde(with = "hash_hex")]
    pub digest: Hash32,
    /// What it takes the place of: the same transaction at a lower fee, of which at most one can be included.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replaces: Option<Replaces>,
}

/// What a transaction takes the place of.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Replaces {
    /// Digest that was signed for the nonce before.
    #[serde(with = "hash_hex")]
    pub digest: Hash32,
    /// How many replacements the nonce has had, this one included.
    pub number: u32,
}

/// A nonce that may be signed for again: the chain shows it unused and refused what was signed for it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NonceReleased {
    /// Key.
    pub key: String,
    /// Chain.
    pub chain: String,
    /// Nonce or sequence.
    pub nonce: u64,
    /// Who decided it: the node itself, or a person.
    pub actor: String,
    /// Why.
    pub reason: String,
    /// When, in Unix seconds.
    pub at_seconds: u64,
}

/// The state that a light client trusts, by digest.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TrustedState {
    /// Chain.
    pub chain: String,
    /// Light-client instance.
    #[serde(with = "hash_hex")]
    pub instance: Hash32,
    /// Newest verified height.
    pub height: u64,
    /// Hash of that header.
    #[serde(with = "hash_hex")]
    pub hash: Hash32,
    /// SHA-256 of the light client's saved bytes.
    #[serde(with = "hash_hex")]
    pub digest: Hash32,
}

/// An anchor that a person set, in place of the config's.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AnchorSet {
    /// Chain.
    pub chain: String,
    /// Height.
    pub height: u64,
    /// Hash of the header.
    #[serde(with = "hash_hex")]
    pub hash: Hash32,
    /// Who.
    pub actor: String,
    /// Why.
    pub reason: String,
    /// When, in Unix seconds.
    pub at_seconds: u64,
}

/// A light client has verified two headers of a chain for one height: nothing is proven from it until a person has set a
/// new anchor, whatever becomes of the light client's saved state.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MisbehaviourSeen {
    /// Chain.
    pub chain: String,
    /// Light-client instance.
    #[serde(with = "hash_hex")]
    pub instance: Hash32,
    /// Height at which the two differ.
    pub height: u64,
    /// Hash of the header that is trusted.
    #[serde(with = "hash_hex")]
    pub trusted: Hash32,
    /// Hash of the other one.
    #[serde(with = "hash_hex")]
    pub other: Hash32,
    /// Code of the kind of misbehaviour.
    pub code: String,
    /// The update that holds the other one, as an endpoint gave it.
    #[serde(with = "bytes_hex")]
    pub update: Vec<u8>,
    /// When it was seen, in Unix seconds.
    pub at_seconds: u64,
}

/// Heights of the chain that it judges which an on-chain client knows, so that evidence can be judged from one of them.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClientHeights {
    /// Chain that the client is on.
    pub chain: String,
    /// The client.
    pub client: String,
    /// The newest ones, ascending.
    pub heights: Vec<u64>,
}

/// All events of a chain up to a height have been taken.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cursor {
    /// Chain.
    pub chain: String,
    /// Height.
    pub height: u64,
}

/// A packet entered a stage.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PacketStep {
    /// Path.
    pub path: String,
    /// Packet.
    pub key: PacketKey,
    /// Stage entered.
    pub stage: Stage,
    /// The packet in protobuf, on first sight.
    #[serde(default, with = "optional_bytes_hex", skip_serializing_if = "Option::is_none")]
    pub packet: Option<Vec<u8>>,
    /// Its acknowledgement in protobuf, when it is known.
    #[serde(default, with = "optional_bytes_hex", skip_serializing_if = "Option::is_none")]
    pub ack: Option<Vec<u8>>,
    /// Height at which it happened, on the chain where it happened.
    pub height: u64,
    /// Why it is parked, or ended as it did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// When it was seen, in Unix seconds.
    pub at_seconds: u64,
}

/// A step of making a path that is done.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PathStep {
    /// Path.
    pub path: String,
    /// Step.
    pub step: String,
    /// What it led to: an address, a client id.
    pub value: String,
    /// When, in Unix seconds.
    pub at_seconds: u64,
}

/// What a person did.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Act {
    /// Who.
    pub actor: String,
    /// What.
    pub action: String,
    /// Why.
    pub reason: String,
    /// Named details; never a secret.
    pub details: BTreeMap<String, String>,
    /// When, in Unix seconds.
    pub at_seconds: u64,
}

/// The node started.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Start {
    /// Version of the program.
    pub version: String,
    /// Digest of the effective config.
    #[serde(with = "hash_hex")]
    pub config_digest: Hash32,
    /// When, in Unix seconds.
    pub at_seconds: u64,
}

/// A person let a key attest again although the memory of what it signed is gone.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AttestorReset {
    /// Key.
    pub key: String,
    /// Who.
    pub actor: String,
    /// Why.
    pub reason: String,
    /// When, in Unix seconds.
    pub at_seconds: u64,
}

/// Packets of one source client on a path that left the working state.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PrunedPackets {
    /// Path.
    pub path: String,
    /// Source chain.
    pub source_chain: String,
    /// Source client.
    pub source_client: String,
    /// First and last sequence of each run, ascending.
    pub runs: Vec<(u64, u64)>,
}

/// A transaction that left the working state.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PrunedTx {
    /// Chain.
    pub chain: String,
    /// Its hash.
    #[serde(with = "hash_hex")]
    pub tx_hash: Hash32,
}

/// Packets and transactions that ended long ago left the working state. Of a packet it stays known that it has ended; of a
/// transaction, what was signed for its nonce.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pruned {
    /// All of it ended before this, in Unix seconds.
    pub before_seconds: u64,
    /// Packets.
    pub packets: Vec<PrunedPackets>,
    /// Transactions.
    pub transactions: Vec<PrunedTx>,
    /// When, in Unix seconds.
    pub at_seconds: u64,
}

/// The state that everything before a segment folds to was written to a file beside the segments.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Checkpoint {
    /// Number of the segment that it stands before.
    pub segment: u64,
    /// Records before that segment.
    pub records: u64,
    /// Chain hash before that segment.
    #[serde(with = "hash_hex")]
    pub hash: Hash32,
    /// SHA-256 of the file.
    #[serde(with = "hash_hex")]
    pub digest: Hash32,
    /// Entries in it.
    pub entries: u64,
    /// When, in Unix seconds.
    pub at_seconds: u64,
}

/// The journal was put back from a backup: what these keys attested after it was taken is not known.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Restored {
    /// Records in the backup.
    pub records: u64,
    /// Chain hash at its end.
    #[serde(with = "hash_hex")]
    pub hash: Hash32,
    /// Keys that it remembered attestations of; each attests again only after a reset.
    pub keys: Vec<String>,
    /// When, in Unix seconds.
    pub at_seconds: u64,
}

/// Why a packet is worked on now, and not sooner or by somebody else.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Why {
    /// It is this node's turn.
    Turn,
    /// Its deadline is shorter than the turns, so they do not count.
    Hurry,
    /// Its deadline has passed.
    Timeout,
}

impl Why {
    /// The name used in output.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Turn => "turn",
            Self::Hurry => "hurry",
            Self::Timeout => "timeout",
        }
    }
}

/// The newest verified state of a chain when something was decided.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DecisionHead {
    /// Chain.
    pub chain: String,
    /// Height that facts can be proven at.
    pub height: u64,
    /// Its time, in Unix seconds.
    pub time_seconds: u64,
}

/// One packet of a [`Decision`].
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DecisionItem {
    /// Packet.
    pub packet: PacketKey,
    /// Why now.
    pub why: Why,
    /// How many operators come before this node.
    pub rank: u64,
    /// Height of the chain that it goes to at which it became ready; turns count from there.
    pub ready_height: u64,
    /// Refusals before.
    pub refusals: u32,
}

/// What goes into a job that is to become transactions, and by which heads that was decided. It is kept for whoever looks
/// into an incident: nothing depends on it, so it is journaled with the next commit and not by one of its own.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Decision {
    /// Name of the job, as its [`Intent`]s have it. Numbers begin anew at every start of the node.
    pub id: String,
    /// Path.
    pub path: String,
    /// What is delivered.
    pub kind: IntentKind,
    /// Chain that it goes to.
    pub to: String,
    /// Both chains of the path.
    pub heads: Vec<DecisionHead>,
    /// Packets.
    pub items: Vec<DecisionItem>,
    /// When, in Unix seconds.
    pub at_seconds: u64,
}

/// A fact or a decision.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Record {
    /// See [`Start`].
    Start(Start),
    /// See [`Intent`].
    Intent(Intent),
    /// See [`Outcome`].
    Outcome(Outcome),
    /// See [`SignedAttestation`].
    SignedAttestation(SignedAttestation),
    /// See [`SignedTx`].
    SignedTx(SignedTx),
    /// See [`NonceReleased`].
    NonceReleased(NonceReleased),
    /// See [`TrustedState`].
    TrustedState(TrustedState),
    /// See [`AnchorSet`].
    AnchorSet(AnchorSet),
    /// See [`MisbehaviourSeen`].
    MisbehaviourSeen(MisbehaviourSeen),
    /// See [`ClientHeights`].
    ClientHeights(ClientHeights),
    /// See [`Cursor`].
    Cursor(Cursor),
    /// See [`PacketStep`].
    Packet(PacketStep),
    /// See [`PathStep`].
    PathStep(PathStep),
    /// See [`Act`].
    Act(Act),
    /// See [`AttestorReset`].
    AttestorReset(AttestorReset),
    /// See [`Pruned`].
    Pruned(Pruned),
    /// See [`Checkpoint`].
    Checkpoint(Checkpoint),
    /// See [`Restored`].
    Restored(Restored),
    /// See [`Decision`].
    Decision(Decision),
}

/// A record that cannot be read.
#[derive(Clone, PartialEq, Eq, Debug, ThisError)]
#[non_exhaustive]
pub enum RecordError {
    /// The version is unknown.
    #[error("record version is {got}, this program knows {known}; a newer catenary wrote it, use that one")]
    Version {
        /// Its version.
        got: u16,
        /// Ours.
        known: u16,
    },
    /// The bytes are not a record.
    #[error("record does not decode: {reason}; restore the journal from a backup")]
    Decode {
        /// The decoder's words.
        reason: String,
    },
    /// A record holds what no reader accepts.
    #[error("record would not read back: {reason}; it was not written, report this")]
    Unreadable {
        /// The decoder's words.
        reason: String,
    },
    /// The bytes are another spelling of a record.
    #[error("record is not canonical: {got} bytes given, {expected} bytes when encoded again; restore the journal from a backup")]
    NotCanonical {
        /// Length given.
        got: usize,
        /// Length of the canonical form.
        expected: usize,
    },
}

impl RecordError {
    /// The stable code.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Version { .. } => "CORE-REC-001",
            Self::Decode { .. } => "CORE-REC-002",
            Self::NotCanonical { .. } => "CORE-REC-003",
            Self::Unreadable { .. } => "CORE-REC-004",
        }
    }
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Versioned<R> {
    v: u16,
    record: R,
}

#[derive(Deserialize)]
struct VersionOnly {
    v: u16,
}

impl Record {
    /// The record as one line of JSON. It is read back before it is given: a record that could be written and never
    /// read, such as one about a packet with sequence 0, would make a journal unusable.
    ///
    /// # Errors
    /// [`RecordError::Unreadable`].
    pub fn encode(&self) -> Result<Vec<u8>, RecordError> {
        let bytes = self.to_json().map_err(|error| RecordError::Unreadable { reason: error.to_string() })?;
        match serde_json::from_slice::<Versioned<Self>>(&bytes) {
            Ok(Versioned { record, .. }) if record == *self => Ok(bytes),
            Ok(_) => Err(RecordError::Unreadable { reason: "it reads back as another record".into() }),
            Err(error) => Err(RecordError::Unreadable { reason: error.to_string() }),
        }
    }

    /// The name of its type, as it is written.
    #[must_use]
    pub const fn type_name(&self) -> &'static str {
        match self {
            Self::Start(_) => "start",
            Self::Intent(_) => "intent",
            Self::Outcome(_) => "outcome",
            Self::SignedAttestation(_) => "signed_attestation",
            Self::SignedTx(_) => "signed_tx",
            Self::NonceReleased(_) => "nonce_released",
            Self::TrustedState(_) => "trusted_state",
            Self::AnchorSet(_) => "anchor_set",
            Self::MisbehaviourSeen(_) => "misbehaviour_seen",
            Self::ClientHeights(_) => "client_heights",
            Self::Cursor(_) => "cursor",
            Self::Packet(_) => "packet",
            Self::PathStep(_) => "path_step",
            Self::Act(_) => "act",
            Self::AttestorReset(_) => "attestor_reset",
            Self::Pruned(_) => "pruned",
            Self::Checkpoint(_) => "checkpoint",
            Self::Restored(_) => "restored",
            Self::Decision(_) => "decision",
        }
    }

    /// The version that its kind came with.
    #[must_use]
    pub const fn version(&self) -> u16 {
        match self {
            Self::Decision(_) | Self::MisbehaviourSeen(_) | Self::ClientHeights(_) => SECOND_VERSION,
            _ => FIRST_VERSION,
        }
    }

    fn to_json(&self) -> Result<Vec<u8>, serde_json::Error> {
        serde_json::to_vec(&Versioned { v: self.version(), record: self })
    }

    /// The record in these bytes.
    ///
    /// # Errors
    /// An unknown version, undecodable, or not canonical.
    pub fn decode(bytes: &[u8]) -> Result<Self, RecordError> {
        let VersionOnly { v } = serde_json::from_slice(bytes).map_err(decode_error)?;
        if !(FIRST_VERSION..=RECORD_VERSION).contains(&v) {
            return Err(RecordError::Version { got: v, known: RECORD_VERSION });
        }
        let Versioned { record, .. } = serde_json::from_slice::<Versioned<Self>>(bytes).map_err(decode_error)?;
        let again = record.to_json().map_err(decode_error)?;
        if again != bytes {
            return Err(RecordError::NotCanonical { got: bytes.len(), expected: again.len() });
        }
        Ok(record)
    }
}

fn decode_error(error: serde_json::Error) -> RecordError {
    RecordError::Decode { reason: error.to_string() }
}

#[cfg(test)]
mod tests;
