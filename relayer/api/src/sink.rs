//! The writing side of a chain.

use async_trait::async_trait;
use catenary_light_clients::Hash32;
use catenary_protocol::{AttestationProof, VerifiedAck, VerifiedPacket, VerifiedTimeout};

use crate::claim::TxHash;
use crate::error::{Error, Result};
use crate::native::NativeMessage;
use crate::signer::PublicKey;

/// A message of a delivery. Packet messages can be made from verified facts only.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Message {
    /// Brings an on-chain attestation client to a new height.
    UpdateClient {
        /// The client on the destination.
        client_id: String,
        /// State attestation.
        proof: AttestationProof,
    },
    /// Delivers a packet.
    Recv {
        /// The packet.
        packet: VerifiedPacket,
        /// Packet attestation that contains its commitment.
        proof: AttestationProof,
        /// Height of the attested state.
        proof_height: u64,
    },
    /// Delivers an acknowledgement.
    Ack {
        /// The acknowledgement.
        ack: VerifiedAck,
        /// Packet attestation that contains its commitment.
        proof: AttestationProof,
        /// Height of the attested state.
        proof_height: u64,
    },
    /// Times a packet out.
    Timeout {
        /// The timeout.
        timeout: VerifiedTimeout,
        /// Packet attestation that contains the zero of its receipt.
        proof: AttestationProof,
        /// Height of the attested state.
        proof_height: u64,
    },
    /// Any of these for an on-chain client that judges by the chain's own validators.
    Native(NativeMessage),
}

/// A call that a person asked for (deploying, creating clients, sending a transfer). Opaque here; adapters make it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Call {
    /// EVM: the contract, `None` to create one. Cosmos: unused.
    pub to: Option<[u8; 20]>,
    /// Cosmos: the message's type URL. EVM: empty.
    pub type_url: String,
    /// EVM: call data or init code. Cosmos: the encoded message.
    pub data: Vec<u8>,
    /// For people: what the call does.
    pub summary: String,
}

/// What a transaction carries.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum TxBody {
    /// Deliveries, in order, all or nothing.
    Deliver(Vec<Message>),
    /// Calls that a person asked for. EVM takes exactly one a transaction.
    Call(Vec<Call>),
}

/// The sending account as the chain sees it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Account {
    /// Address, as the chain writes it.
    pub address: String,
    /// Account number (Cosmos); 0 elsewhere.
    pub number: u64,
    /// Next nonce or sequence.
    pub nonce: u64,
    /// Balance in base units of the fee token, decimal.
    pub balance: String,
}

/// All that a transaction is built from.
#[derive(Clone, Debug)]
pub struct BuildRequest<'a> {
    /// What to carry.
    pub body: &'a TxBody,
    /// Key that will sign.
    pub public_key: &'a PublicKey,
    /// Sender.
    pub account: &'a Account,
    /// Nonce to use; the engine leases it.
    pub nonce: u64,
}

/// A transaction without its signature.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct UnsignedTx {
    /// Digest to sign.
    pub digest: Hash32,
    /// Adapter's bytes, from which `finish` makes the signed transaction.
    pub payload: Vec<u8>,
    /// Nonce or sequence.
    pub nonce: u64,
    /// Gas limit.
    pub gas_limit: u64,
    /// Bytes of the encoded transaction, about.
    pub size_bytes: usize,
}

/// A transaction ready to broadcast.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SignedTx {
    /// Raw bytes.
    pub bytes: Vec<u8>,
    /// Its hash, known before the broadcast.
    pub hash: TxHash,
}

/// What a broadcast led to.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Broadcast {
    /// In the pool, or already there, or already in a block.
    Accepted,
    /// The node refused it for good: it will not be included.
    Refused(Error),
    /// Every message is done already (ibc-go `ErrRedundantTx`): success by others.
    Redundant,
    /// The nonce does not fit: read the account again.
    NonceMismatch(Error),
    /// No answer: it may or may not be included. Resolved by reading the chain.
    Unknown(Error),
}

/// A transaction in a block.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TxReceipt {
    /// Block height.
    pub height: u64,
    /// Whether it took effect.
    pub success: bool,
    /// Gas used.
    pub gas_used: u64,
    /// Fee paid, in base units of the fee token, decimal.
    pub fee: String,
    /// Why it failed, shortened.
    pub error: Option<String>,
    /// EVM: address of a created contract.
    pub created: Option<[u8; 20]>,
    /// Value that the call produced, if the adapter knows it: a client id (EVM `addClient`, Cosmos create client)
    /// or the sequence of a sent packet.
    pub output: Option<String>,
}

/// Bounds of one transaction on the chain.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SinkLimits {
    /// Most bytes of an encoded transaction.
    pub tx_bytes_max: usize,
    /// Most gas of a transaction.
    pub gas_max: u64,
    /// Most messages of a transaction.
    pub messages_max: usize,
}

/// Writes to a chain. It cannot sign.
///
/// `account`, `receipt` and `limits` are idempotent. `build` may ask the node for an estimate and changes nothing.
/// `broadcast` is idempotent for the same bytes. All are cancel safe; a cancelled `broadcast` counts as
/// [`Broadcast::Unknown`].
#[async_trait]
pub trait ChainSink: Send + Sync {
    /// The account of a public key.
    ///
    /// # Errors
    /// Transport and decoding errors.
    async fn account(&self, key: &PublicKey) -> Result<Account>;

    /// The address of a public key, as the chain writes it.
    ///
    /// # Errors
    /// The key is not a valid secp256k1 point.
    fn address(&self, key: &PublicKey) -> Result<String>;

    /// Builds a transaction; simulation or estimate included, so a message that would fail is reported here.
    ///
    /// # Errors
    /// Transport errors; a permanent error when the estimate says that it would revert, with the reason.
    async fn build(&self, request: BuildRequest<'_>) -> Result<UnsignedTx>;

    /// Puts the signature (65 bytes `r‖s‖v`, v 0 or 1) into the transaction.
    ///
    /// # Errors
    /// The payload is not one that `build` made.
    fn finish(&self, unsigned: &UnsignedTx, signature: &[u8; 65]) -> Result<SignedTx>;

    /// Hands a transaction to the network.
    async fn broadcast(&self, tx: &SignedTx) -> Broadcast;

    /// The transaction's outcome; `None` while it is in no block that is final by the family's rule. What is in a block
    /// that is taken back again is open, and its nonce is not free.
    ///
    /// # Errors
    /// Transport and decoding errors.
    async fn receipt(&self, hash: &TxHash) -> Result<Option<TxReceipt>>;

    /// Encoded size of a message in a transaction, in bytes, for batching by bytes.
    fn size_bytes(&self, message: &Message) -> usize;

    /// Bounds of one transaction.
    fn limits(&self) -> SinkLimits;
}

/// Raises the price of a transaction that no block takes, beside [`ChainSink`]: for chains where a dearer transaction
/// with the same nonce takes the place of one that waits.
#[async_trait]
pub trait ReplacingSink: Send + Sync {
    /// The same transaction at a higher price, made from the signed bytes of the one before: nonce, target and data are
    /// the same by construction, so that at most one of the two can take effect and both do the same. `None` when a
    /// higher price would be over the configured bound. Asks the node for a price, changes nothing, is cancel safe.
    ///
    /// # Errors
    /// Transport errors; bytes that `finish` did not make.
    async fn replacement(&self, previous: &SignedTx) -> Result<Option<UnsignedTx>>;
}
