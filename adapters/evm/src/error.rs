//! What can go wrong here. Codes are stable; the words say both values and what to do next, never a secret.

use catenary_light_clients::{Class, Hash32};
use ethers_providers::{JsonRpcError, ProviderError, RpcError};
use thiserror::Error as ThisError;

/// An error of the EVM adapter.
///
/// An endpoint that answers wrongly is [`Class::Transient`]: another one, or the same one put right, may answer well.
#[derive(Clone, Debug, ThisError)]
#[non_exhaustive]
pub enum Error {
    /// No answer: connecting, TLS, sending or reading failed, or the deadline passed.
    #[error("{endpoint}: no answer: {reason}; check the endpoint, or name a second one")]
    Transport {
        /// Endpoint's name, without credentials.
        endpoint: String,
        /// The HTTP stack's words, without the URL.
        reason: String,
    },
    /// An HTTP status other than 200.
    #[error("{endpoint}: HTTP status {status}; check credentials, path and rate limits of the endpoint")]
    Status {
        /// Endpoint's name.
        endpoint: String,
        /// Status.
        status: u16,
    },
    /// The answer is longer than we read.
    #[error("{endpoint}: the answer is longer than {max} bytes; ask for fewer blocks at once")]
    BodyTooLarge {
        /// Endpoint's name.
        endpoint: String,
        /// Most bytes read.
        max: usize,
    },
    /// The answer is not the JSON-RPC answer of the request.
    #[error("{endpoint}: {method} was answered with something else than its answer: {reason}")]
    NotAnAnswer {
        /// Endpoint's name.
        endpoint: String,
        /// Method asked.
        method: String,
        /// What is wrong.
        reason: String,
    },
    /// The node answered with an error.
    #[error("{endpoint}: {method} failed with code {}: {}", .error.code, shorten(&.error.message))]
    Node {
        /// Endpoint's name.
        endpoint: String,
        /// Method asked.
        method: String,
        /// The node's error.
        error: JsonRpcError,
    },
    /// Something in the configuration cannot be used.
    #[error("configuration of {chain}: {reason}")]
    Config {
        /// Chain's name.
        chain: String,
        /// What and what to do.
        reason: String,
    },
    /// A request over this crate's bounds.
    #[error("{what}: {got} asked for, at most {max} at once")]
    RequestTooLarge {
        /// What was asked for.
        what: &'static str,
        /// How many.
        got: u64,
        /// Most.
        max: u64,
    },
    /// The range ends before it starts.
    #[error("block range {from}..={to} is empty")]
    EmptyRange {
        /// First height.
        from: u64,
        /// Last height.
        to: u64,
    },
    /// The endpoint does not have the block.
    #[error("block {height} is not there; the endpoint may be behind or pruned")]
    NoBlock {
        /// Height asked for.
        height: u64,
    },
    /// The endpoint does not have the state of the block.
    #[error("the state after block {height} is not there ({reason}); proofs need an archive node for old heights")]
    NoState {
        /// Height asked for.
        height: u64,
        /// The node's words.
        reason: String,
    },
    /// A field of a block is missing or malformed.
    #[error("block {height}: field {field} {reason}")]
    Header {
        /// Height asked for.
        height: u64,
        /// Field.
        field: &'static str,
        /// What is wrong.
        reason: String,
    },
    /// The block is another one than the one asked for.
    #[error("asked for block {asked}, got block {got}")]
    OtherBlock {
        /// Height asked for.
        asked: u64,
        /// Height given.
        got: u64,
    },
    /// The block's hash is not that of its header.
    #[error(
        "block {height}: the header hashes to {computed}, the endpoint claims {claimed}; do not use this endpoint"
    )]
    HashMismatch {
        /// Height.
        height: u64,
        /// Hash of the header's bytes.
        computed: Hash32,
        /// The endpoint's claim.
        claimed: Hash32,
    },
    /// A field of a log is missing or malformed.
    #[error("log: field {field} {reason}")]
    Log {
        /// Field.
        field: &'static str,
        /// What is wrong.
        reason: String,
    },
    /// The log was taken back by a reorganisation, which a final block cannot be.
    #[error("log {index} of block {height} is marked as removed; final blocks do not go away")]
    RemovedLog {
        /// Height.
        height: u64,
        /// Log index.
        index: u64,
    },
    /// A log that was not asked for: another block or another contract.
    #[error("asked for logs of {expected}, got one of {got}")]
    ForeignLog {
        /// What was asked for.
        expected: String,
        /// What was given.
        got: String,
    },
    /// Logs out of order or repeated.
    #[error("log (block, index) {got:?} after {previous:?}; logs must ascend")]
    LogOrder {
        /// The one before.
        previous: (u64, u64),
        /// The one given.
        got: (u64, u64),
    },
    /// The log's data is not what our router emits.
    #[error("log {event} of block {height}: {reason}")]
    LogData {
        /// Event.
        event: &'static str,
        /// Height.
        height: u64,
        /// What is wrong.
        reason: String,
    },
    /// A topic contradicts the packet in the data.
    #[error("log {event} of block {height}: topic {topic} is {got}, the packet's is {expected}")]
    LogTopic {
        /// Event.
        event: &'static str,
        /// Height.
        height: u64,
        /// Topic's meaning.
        topic: &'static str,
        /// Topic given.
        got: Hash32,
        /// Topic that the packet would have.
        expected: Hash32,
    },
    /// The endpoint has not reached the end of the range, so its logs would have a gap.
    #[error("the endpoint is at block {head}, logs up to block {to} are not complete")]
    RangeAhead {
        /// Endpoint's newest block.
        head: u64,
        /// End of the range.
        to: u64,
    },
    /// A field of a proof is missing or malformed, or it is the proof of something else.
    #[error("eth_getProof at block {height}: {reason}")]
    Proof {
        /// Height.
        height: u64,
        /// What is wrong.
        reason: String,
    },
    /// A contract answered with something that its ABI does not allow.
    #[error("{call} at {contract}: {reason}; is the address the right contract?")]
    Output {
        /// Function.
        call: String,
        /// Contract.
        contract: String,
        /// What is wrong.
        reason: String,
    },
    /// An embedded artifact or our own encoding is wrong.
    #[error("embedded artifact {artifact}: {reason}; this is a defect of catenary")]
    Artifact {
        /// Contract.
        artifact: &'static str,
        /// What is wrong.
        reason: String,
    },
    /// The public key is not one.
    #[error("public key is no secp256k1 point; check the keystore")]
    PublicKey,
    /// An address is not one.
    #[error("{got:?} is no EVM address: 0x and 40 hex digits, with a right checksum if of mixed case")]
    Address {
        /// The text.
        got: String,
    },
    /// A body that cannot be one transaction.
    #[error("a transaction body of {got}; expected {expected}")]
    Body {
        /// What was given.
        got: String,
        /// What can be carried.
        expected: &'static str,
    },
    /// The transaction would revert.
    #[error("the transaction would revert: {reason}")]
    WouldRevert {
        /// Decoded reason.
        reason: String,
    },
    /// The transaction is longer than the chain takes.
    #[error("the transaction has {got} bytes, the chain takes {max}; use smaller batches")]
    TxTooLarge {
        /// Its size.
        got: usize,
        /// Most.
        max: usize,
    },
    /// The transaction needs more gas than allowed.
    #[error("the transaction needs more than gas_max = {max} gas; use smaller batches or raise gas_max")]
    TooMuchGas {
        /// Most.
        max: u64,
    },
    /// Bytes that `build` did not make, or a signature that is none.
    #[error("unsigned transaction: {reason}")]
    Unsigned {
        /// What is wrong.
        reason: String,
    },
    /// The nonce does not fit.
    #[error("nonce of the transaction does not fit: {reason}; the account is read again")]
    Nonce {
        /// The node's words.
        reason: String,
    },
    /// The node refused the transaction.
    #[error("the node refused the transaction: {reason}")]
    Refused {
        /// The node's words.
        reason: String,
    },
    /// The node gave another hash than the transaction has.
    #[error("the node calls the transaction {got}, its hash is {expected}")]
    OtherHash {
        /// Node's word.
        got: String,
        /// Hash of the bytes.
        expected: Hash32,
    },
    /// The node asks for a higher price of gas than is allowed.
    #[error(
        "the node asks for {asked_wei} wei a unit of gas, gas_price_max_wei is {max_wei}; nothing is signed: wait until \
         gas is cheaper, ask another endpoint, or raise the bound"
    )]
    PriceTooHigh {
        /// What the node asks for.
        asked_wei: u128,
        /// What is allowed.
        max_wei: u128,
    },
    /// A receipt is malformed or of another transaction.
    #[error("receipt of {hash}: {reason}")]
    Receipt {
        /// Transaction.
        hash: Hash32,
        /// What is wrong.
        reason: String,
    },
}

impl Error {
    /// The stable code.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Transport { .. } => "EVM-RPC-001",
            Self::Status { .. } => "EVM-RPC-002",
            Self::BodyTooLarge { .. } => "EVM-RPC-003",
            Self::NotAnAnswer { .. } => "EVM-RPC-004",
            Self::Node { .. } => "EVM-RPC-005",
            Self::RequestTooLarge { .. } => "EVM-RPC-006",
            Self::EmptyRange { .. } => "EVM-RPC-007",
            Self::Config { .. } => "EVM-CFG-001",
            Self::NoBlock { .. } => "EVM-HDR-001",
            Self::Header { .. } => "EVM-HDR-002",
            Self::OtherBlock { .. } => "EVM-HDR-003",
            Self::HashMismatch { .. } => "EVM-HDR-004",
            Self::Log { .. } => "EVM-LOG-001",
            Self::RemovedLog { .. } => "EVM-LOG-002",
            Self::ForeignLog { .. } => "EVM-LOG-003",
            Self::LogOrder { .. } => "EVM-LOG-004",
            Self::LogData { .. } => "EVM-LOG-005",
            Self::LogTopic { .. } => "EVM-LOG-006",
            Self::RangeAhead { .. } => "EVM-LOG-007",
            Self::Proof { .. } => "EVM-PRF-001",
            Self::NoState { .. } => "EVM-PRF-002",
            Self::Output { .. } => "EVM-ABI-001",
            Self::Artifact { .. } => "EVM-ABI-002",
            Self::Address { .. } => "EVM-ABI-003",
            Self::PublicKey => "EVM-TXN-001",
            Self::Body { .. } => "EVM-TXN-002",
            Self::WouldRevert { .. } => "EVM-TXN-003",
            Self::TxTooLarge { .. } => "EVM-TXN-004",
            Self::TooMuchGas { .. } => "EVM-TXN-005",
            Self::Unsigned { .. } => "EVM-TXN-006",
            Self::Nonce { .. } => "EVM-TXN-007",
            Self::Refused { .. } => "EVM-TXN-008",
            Self::OtherHash { .. } => "EVM-TXN-009",
            Self::Receipt { .. } => "EVM-TXN-010",
            Self::PriceTooHigh { .. } => "EVM-TXN-011",
        }
    }

    /// What may be done about it.
    #[must_use]
    pub const fn class(&self) -> Class {
        match self {
            Self::Status { status, .. } if *status != 429 && *status < 500 => Class::Config,
            // -32601 is "no such method" (JSON-RPC 2.0): asking again does not add it.
            Self::Node { error, .. } if error.code == -32601 => Class::Config,
            Self::Config { .. } | Self::Address { .. } | Self::Output { .. } | Self::PublicKey => Class::Config,
            // The endpoint contradicts itself: nothing that it says is of use until it is put right.
            Self::HashMismatch { .. } => Class::Misbehaviour,
            Self::Artifact { .. } | Self::EmptyRange { .. } | Self::Unsigned { .. } => Class::Bug,
            Self::RequestTooLarge { .. }
            | Self::BodyTooLarge { .. }
            | Self::Body { .. }
            | Self::WouldRevert { .. }
            | Self::TxTooLarge { .. }
            | Self::TooMuchGas { .. }
            | Self::Refused { .. } => Class::Permanent,
            _ => Class::Transient,
        }
    }

    /// Whether nothing was understood of the endpoint, so that the next one should be asked.
    pub(crate) const fn is_transport(&self) -> bool {
        match self {
            Self::Transport { .. } | Self::NotAnAnswer { .. } => true,
            Self::Status { status, .. } => *status == 429 || *status >= 500,
            _ => false,
        }
    }
}

impl From<Error> for catenary_api::Error {
    fn from(error: Error) -> Self {
        Self { code: error.code(), class: error.class(), message: error.to_string() }
    }
}

impl From<Error> for ProviderError {
    fn from(error: Error) -> Self {
        Self::JsonRpcClientError(Box::new(error))
    }
}

impl RpcError for Error {
    fn as_error_response(&self) -> Option<&JsonRpcError> {
        match self {
            Self::Node { error, .. } => Some(error),
            _ => None,
        }
    }

    fn as_serde_error(&self) -> Option<&serde_json::Error> {
        None
    }
}

/// Result of this crate.
pub type Result<T> = core::result::Result<T, Error>;

/// An endpoint's words, cut and on one line: they come from outside and end in logs.
pub(crate) fn shorten(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(crate::limits::REASON_CHARS_MAX).collect()
}
