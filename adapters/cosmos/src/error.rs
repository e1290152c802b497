//! What can go wrong in the Cosmos adapter. Codes are stable.

use catenary_light_clients::Class;
use thiserror::Error as ThisError;

use crate::limits::REASON_CHARS_MAX;

/// Result of the adapter's own functions.
pub type Result<T> = core::result::Result<T, Error>;

/// A refusal or failure. Endpoints are named `chain[number] host:port`, without path or credentials.
#[derive(Clone, PartialEq, Eq, Debug, ThisError)]
#[non_exhaustive]
pub enum Error {
    /// The configuration cannot work.
    #[error("chain {chain}: {field} is wrong: {reason}; correct the configuration")]
    Config {
        /// Chain.
        chain: String,
        /// Field.
        field: &'static str,
        /// What is wrong with it.
        reason: String,
    },
    /// The endpoint could not be reached: nothing was sent.
    #[error("{endpoint}: not reached: {reason}; check that the node runs and is reachable")]
    Connect {
        /// Endpoint.
        endpoint: String,
        /// Why.
        reason: String,
    },
    /// The connection broke after the request was sent, or while it was.
    #[error("{endpoint}: connection broke during {method}: {reason}")]
    Broken {
        /// Endpoint.
        endpoint: String,
        /// RPC method.
        method: String,
        /// Why.
        reason: String,
    },
    /// The endpoint did not answer in time.
    #[error("{endpoint}: no answer to {method} within {deadline_ms} ms")]
    Deadline {
        /// Endpoint.
        endpoint: String,
        /// RPC method.
        method: String,
        /// Deadline, in milliseconds.
        deadline_ms: u64,
    },
    /// The endpoint answered with an HTTP error.
    #[error("{endpoint}: HTTP status {status} for {method}, expected 200")]
    HttpStatus {
        /// Endpoint.
        endpoint: String,
        /// RPC method.
        method: String,
        /// Status.
        status: u16,
    },
    /// The answer is larger than is ever read.
    #[error("{endpoint}: answer to {method} exceeds {max} bytes; use another endpoint")]
    BodyTooLarge {
        /// Endpoint.
        endpoint: String,
        /// RPC method.
        method: String,
        /// Bound.
        max: usize,
    },
    /// The answer is not what the method answers.
    #[error("{endpoint}: answer to {method} does not decode: {reason}")]
    Answer {
        /// Endpoint.
        endpoint: String,
        /// RPC method.
        method: String,
        /// Why.
        reason: String,
    },
    /// The node answered with an error.
    #[error("{endpoint}: {method} failed with {code}: {reason}")]
    Node {
        /// Endpoint.
        endpoint: String,
        /// RPC method.
        method: String,
        /// JSON-RPC error code.
        code: i32,
        /// The node's words, shortened.
        reason: String,
    },
    /// The answer is about something else than what was asked.
    #[error("{chain}: asked {what} {expected}, got {got}")]
    Mismatch {
        /// Chain.
        chain: String,
        /// What was asked.
        what: &'static str,
        /// Value asked for.
        expected: String,
        /// Value answered.
        got: String,
    },
    /// The node keeps no index of transactions.
    #[error("{chain}: the node does not index transactions; set tx_index.indexer = \"kv\" there, or let the blocks be walked")]
    NotIndexed {
        /// Chain.
        chain: String,
    },
    /// The application refused a query.
    #[error("{chain}: query {path} failed with {codespace}/{code}: {reason}")]
    Query {
        /// Chain.
        chain: String,
        /// Query path.
        path: String,
        /// Code space of the application error.
        codespace: String,
        /// Application error code.
        code: u32,
        /// The application's words, shortened.
        reason: String,
    },
    /// The answer to a query does not decode.
    #[error("{chain}: {what} does not decode: {reason}")]
    QueryDecode {
        /// Chain.
        chain: String,
        /// What was decoded.
        what: &'static str,
        /// Why.
        reason: String,
    },
    /// A request exceeds its bound.
    #[error("{what}: {got} asked for, at most {max} allowed; ask for less")]
    Range {
        /// What was asked for.
        what: &'static str,
        /// How much.
        got: u64,
        /// Bound.
        max: u64,
    },
    /// A packet event does not decode.
    #[error("{chain}: event {kind} at height {height} does not decode: {reason}; use another endpoint")]
    Event {
        /// Chain.
        chain: String,
        /// Event type.
        kind: String,
        /// Block height.
        height: u64,
        /// Why.
        reason: String,
    },
    /// More events in a range than are taken at once.
    #[error(
        "{chain}: {got} packet events or more in the range, at most {max} are taken at once; ask for fewer heights"
    )]
    TooManyEvents {
        /// Chain.
        chain: String,
        /// Events seen when the scan stopped.
        got: usize,
        /// Bound.
        max: usize,
    },
    /// The proof operations are not the two of an ibc-go store.
    #[error("{chain}: proof has operations [{got}], expected [{expected}]")]
    ProofOperations {
        /// Chain.
        chain: String,
        /// Operation types in the answer.
        got: String,
        /// What they have to be.
        expected: String,
    },
    /// The account does not exist.
    #[error("{chain}: account {address} does not exist; send it some {denom} to create it")]
    NoAccount {
        /// Chain.
        chain: String,
        /// Address.
        address: String,
        /// Fee token.
        denom: String,
    },
    /// The account is of a type that cannot pay for deliveries.
    #[error("{chain}: account {address} has type {type_url}, expected {expected}; use a plain account")]
    AccountType {
        /// Chain.
        chain: String,
        /// Address.
        address: String,
        /// Its type.
        type_url: String,
        /// The only type that is used.
        expected: &'static str,
    },
    /// The public key is not a point of the curve.
    #[error("public key {got} is not a compressed secp256k1 point")]
    PublicKey {
        /// The key, in hex.
        got: String,
    },
    /// Simulation says that the transaction would fail.
    #[error("{chain}: the transaction would fail: {reason}")]
    Simulation {
        /// Chain.
        chain: String,
        /// The application's words, shortened.
        reason: String,
    },
    /// The account's sequence moved while the transaction was built.
    #[error("{chain}: sequence {used} does not fit: {reason}; read the account again")]
    Sequence {
        /// Chain.
        chain: String,
        /// Sequence used.
        used: u64,
        /// The node's words, shortened.
        reason: String,
    },
    /// The transaction has more bytes than allowed.
    #[error("{chain}: transaction has {got} bytes, at most {max} allowed; send fewer messages")]
    TxBytes {
        /// Chain.
        chain: String,
        /// Its size.
        got: usize,
        /// Bound.
        max: usize,
    },
    /// The transaction needs more gas than allowed.
    #[error("{chain}: transaction needs {got} gas, at most {max} allowed; send fewer messages")]
    TxGas {
        /// Chain.
        chain: String,
        /// Gas needed.
        got: u64,
        /// Bound.
        max: u64,
    },
    /// The transaction has no messages, or too many.
    #[error("{chain}: transaction has {got} messages, 1 to {max} allowed")]
    TxMessages {
        /// Chain.
        chain: String,
        /// Its messages.
        got: usize,
        /// Bound.
        max: usize,
    },
    /// The unsigned transaction was not made by this adapter.
    #[error("{chain}: unsigned transaction refused: {reason}; build it again")]
    Payload {
        /// Chain.
        chain: String,
        /// Why.
        reason: String,
    },
    /// The node refused the transaction.
    #[error("{chain}: transaction refused with {codespace}/{code}: {reason}")]
    Refused {
        /// Chain.
        chain: String,
        /// Code space of the application error.
        codespace: String,
        /// Application error code.
        code: u32,
        /// The node's words, shortened.
        reason: String,
    },
    /// An argument of a setup call cannot be encoded.
    #[error("{field} {got} is wrong: {reason}")]
    Argument {
        /// Which argument.
        field: &'static str,
        /// Its value.
        got: String,
        /// Why.
        reason: String,
    },
}

/// Code space of the cosmos-sdk's own errors (`types/errors`).
pub(crate) const SDK: &str = "sdk";

impl Error {
    /// The stable code.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Config { .. } => "COS-CFG-001",
            Self::Argument { .. } => "COS-CFG-002",
            Self::Connect { .. } => "COS-RPC-001",
            Self::Deadline { .. } => "COS-RPC-002",
            Self::HttpStatus { .. } => "COS-RPC-003",
            Self::BodyTooLarge { .. } => "COS-RPC-004",
            Self::Answer { .. } => "COS-RPC-005",
            Self::Node { .. } => "COS-RPC-006",
            Self::Mismatch { .. } => "COS-RPC-007",
            Self::Broken { .. } => "COS-RPC-008",
            Self::Query { .. } => "COS-QRY-001",
            Self::QueryDecode { .. } => "COS-QRY-002",
            Self::Range { .. } => "COS-QRY-003",
            Self::NotIndexed { .. } => "COS-QRY-004",
            Self::Event { .. } => "COS-EVT-001",
            Self::TooManyEvents { .. } => "COS-EVT-002",
            Self::ProofOperations { .. } => "COS-PRF-001",
            Self::NoAccount { .. } => "COS-ACC-001",
            Self::AccountType { .. } => "COS-ACC-002",
            Self::PublicKey { .. } => "COS-ACC-003",
            Self::Simulation { .. } => "COS-TX-001",
            Self::Sequence { .. } => "COS-TX-002",
            Self::TxBytes { .. } => "COS-TX-003",
            Self::TxGas { .. } => "COS-TX-004",
            Self::TxMessages { .. } => "COS-TX-005",
            Self::Payload { .. } => "COS-TX-006",
            Self::Refused { .. } => "COS-TX-007",
        }
    }

    /// What may be done about it.
    #[must_use]
    pub fn class(&self) -> Class {
        match self {
            Self::Connect { .. }
            | Self::Broken { .. }
            | Self::Deadline { .. }
            | Self::Answer { .. }
            | Self::Node { .. }
            | Self::Mismatch { .. }
            | Self::Event { .. }
            | Self::ProofOperations { .. }
            | Self::QueryDecode { .. }
            | Self::Sequence { .. } => Class::Transient,
            // Too many requests, and a proxy before a node that restarts.
            Self::HttpStatus { status: 408 | 425 | 429 | 500..=599, .. } => Class::Transient,
            Self::HttpStatus { .. } | Self::Config { .. } | Self::Argument { .. } | Self::NoAccount { .. } => {
                Class::Config
            }
            Self::AccountType { .. } => Class::Config,
            Self::Query { codespace, code, .. } => query_class(codespace, *code),
            Self::Refused { codespace, code, .. } => refused_class(codespace, *code),
            Self::Payload { .. } | Self::Range { .. } => Class::Bug,
            Self::BodyTooLarge { .. }
            | Self::TooManyEvents { .. }
            | Self::NotIndexed { .. }
            | Self::PublicKey { .. }
            | Self::Simulation { .. }
            | Self::TxBytes { .. }
            | Self::TxGas { .. }
            | Self::TxMessages { .. } => Class::Permanent,
        }
    }
}

/// A pruned or not yet reached height is another endpoint's answer away; an unknown request stays unknown.
fn query_class(codespace: &str, code: u32) -> Class {
    match (codespace, code) {
        // unknown request, invalid request, not supported (cosmos-sdk `types/errors`)
        (SDK, 6 | 18 | 37) => Class::Permanent,
        _ => Class::Transient,
    }
}

fn refused_class(codespace: &str, code: u32) -> Class {
    match (codespace, code) {
        // mempool is full
        (SDK, 20) => Class::Transient,
        // unauthorized (wrong chain id or account number among others), insufficient funds, unknown address,
        // insufficient fee
        (SDK, 4 | 5 | 9 | 13) => Class::Config,
        _ => Class::Permanent,
    }
}

impl From<Error> for catenary_api::Error {
    fn from(error: Error) -> Self {
        Self { code: error.code(), class: error.class(), message: error.to_string() }
    }
}

/// The first line of somebody else's words, cut to a bound, without control characters.
pub(crate) fn shorten(text: &str) -> String {
    let line = text.lines().next().unwrap_or_default();
    let mut short: String = line.chars().filter(|c| !c.is_control()).take(REASON_CHARS_MAX).collect();
    if line.chars().count() > REASON_CHARS_MAX {
        short.push('…');
    }
    short
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn foreign_words_are_cut() {
        let rows = [
            ("", String::new()),
            ("short", "short".to_owned()),
            ("first\nsecond", "first".to_owned()),
            ("bell\u{7}", "bell".to_owned()),
        ];
        for (text, expect) in rows {
            assert_eq!(shorten(text), expect, "{text:?}");
        }
        assert_eq!(shorten(&"é".repeat(500)).chars().count(), REASON_CHARS_MAX + 1);
    }

    #[test]
    fn classes_follow_the_application_codes() {
        let query = |codespace: &str, code| {
            let (chain, path, reason) = ("c".to_owned(), "p".to_owned(), String::new());
            Error::Query { chain, path, codespace: codespace.into(), code, reason }.class()
        };
        let refused = |codespace: &str, code| {
            let (chain, reason) = ("c".to_owned(), String::new());
            Error::Refused { chain, codespace: codespace.into(), code, reason }.class()
        };
        let status = |status| Error::HttpStatus { endpoint: "e".into(), method: "m".into(), status }.class();
        let rows = [
            ("unknown request", query(SDK, 6), Class::Permanent),
            ("pruned", query("store", 7), Class::Transient),
            ("not found", query(SDK, 22), Class::Transient),
            ("mempool full", refused(SDK, 20), Class::Transient),
            ("no money", refused(SDK, 5), Class::Config),
            ("wrong chain id", refused(SDK, 4), Class::Config),
            ("bad proof", refused("channelv2", 2), Class::Permanent),
            ("too many requests", status(429), Class::Transient),
            ("bad gateway", status(502), Class::Transient),
            ("unauthorised", status(401), Class::Config),
            ("not found", status(404), Class::Config),
        ];
        for (name, got, expect) in rows {
            assert_eq!(got, expect, "{name}");
        }
    }
}
