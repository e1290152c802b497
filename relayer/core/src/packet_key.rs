//! The name of a packet that every chain, store and log agrees on.

use core::fmt;
use core::str::FromStr;

use catenary_protocol::packet::check_client_id;
use catenary_protocol::Packet;
use serde::{Deserialize, Serialize};
use thiserror::Error as ThisError;

/// Longest chain name, in bytes: it is part of keys, metrics and file names.
pub const CHAIN_NAME_BYTES_MAX: usize = 32;

/// A packet's source chain (its name in the config), its source client there, and its sequence.
///
/// Written `chain/client/sequence`; neither part can contain a slash. Ordered by chain, client and sequence.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct PacketKey {
    /// Name of the source chain in the config.
    pub source_chain: String,
    /// The on-chain client of the source that judges the destination.
    pub source_client: String,
    /// Sequence under that client; the first is 1.
    pub sequence: u64,
}

/// A text that names no packet.
#[derive(Clone, PartialEq, Eq, Debug, ThisError)]
#[error("{got:?} is not a packet: {reason}; write chain/client/sequence, such as quorum/client-0/7")]
pub struct ParseKeyError {
    /// The text.
    pub got: String,
    /// What is wrong with it.
    pub reason: &'static str,
}

impl ParseKeyError {
    /// The stable code.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        "CORE-KEY-001"
    }
}

impl PacketKey {
    /// The key of a packet that was sent on `source_chain`.
    #[must_use]
    pub fn of(source_chain: &str, packet: &Packet) -> Self {
        Self {
            source_chain: source_chain.into(),
            source_client: packet.source_client.clone(),
            sequence: packet.sequence,
        }
    }

    /// The key in a store: like the written form, with the sequence padded to 20 digits so that keys sort by it.
    #[must_use]
    pub fn store_key(&self) -> String {
        format!("{}/{}/{:020}", self.source_chain, self.source_client, self.sequence)
    }
}

/// Whether a text can name a chain, a path, a key or an operator: 1 to 32 of `a-z 0-9 - _`.
#[must_use]
pub fn is_name(text: &str) -> bool {
    let allowed = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-' || b == b'_';
    (1..=CHAIN_NAME_BYTES_MAX).contains(&text.len()) && text.bytes().all(allowed)
}

impl fmt::Display for PacketKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}/{}", self.source_chain, self.source_client, self.sequence)
    }
}

impl FromStr for PacketKey {
    type Err = ParseKeyError;

    /// Takes the written form, and the store's padded one.
    fn from_str(text: &str) -> Result<Self, ParseKeyError> {
        let refuse = |reason| ParseKeyError { got: text.chars().take(200).collect(), reason };
        let mut parts = text.split('/');
        let (Some(chain), Some(client), Some(sequence), None) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(refuse("it does not have three parts"));
        };
        if !is_name(chain) {
            return Err(refuse("the chain is not a name of 1 to 32 of a-z 0-9 - _"));
        }
        if check_client_id("source_client", client).is_err() {
            return Err(refuse("the client is not an IBC client id"));
        }
        let digits = !sequence.is_empty() && sequence.bytes().all(|b| b.is_ascii_digit());
        match sequence.parse::<u64>() {
            Ok(sequence) if digits && sequence > 0 => {
                Ok(Self { source_chain: chain.into(), source_client: client.into(), sequence })
            }
            _ => Err(refuse("the sequence is not a number from 1")),
        }
    }
}

impl TryFrom<String> for PacketKey {
    type Error = ParseKeyError;
    fn try_from(text: String) -> Result<Self, ParseKeyError> {
        text.parse()
    }
}

impl From<PacketKey> for String {
    fn from(key: PacketKey) -> Self {
        key.to_string()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failing unwrap is a failing test")]
    use super::*;

    fn check(text: &str, expect: Result<(&str, &str, u64), &str>) {
        match (text.parse::<PacketKey>(), expect) {
            (Ok(key), Ok((chain, client, sequence))) => {
                let written = format!("{chain}/{client}/{sequence}");
                assert_eq!((key.to_string(), key.source_client.as_str()), (written, client), "{text}");
                assert_eq!(key.store_key().parse::<PacketKey>().unwrap(), key, "{text}");
            }
            (Err(error), Err(reason)) => assert!(error.to_string().contains(reason), "{text}: {error}"),
            (got, expect) => panic!("{text}: got {got:?}, expected {expect:?}"),
        }
    }

    #[test]
    fn keys_are_written_and_read() {
        check("quorum/client-0/1", Ok(("quorum", "client-0", 1)));
        check("simd/attestations-0/18446744073709551615", Ok(("simd", "attestations-0", u64::MAX)));
        check("quorum/client-0/00000000000000000007", Ok(("quorum", "client-0", 7)));
        check("quorum/client-0", Err("three parts"));
        check("quorum/client-0/1/2", Err("three parts"));
        check("Quorum/client-0/1", Err("chain"));
        check("/client-0/1", Err("chain"));
        check("quorum/c-0/1", Err("client"));
        check("quorum/client-0/0", Err("sequence"));
        check("quorum/client-0/+1", Err("sequence"));
        check("quorum/client-0/18446744073709551616", Err("sequence"));
    }

    #[test]
    fn store_keys_sort_by_sequence() {
        let key = |sequence| PacketKey { source_chain: "a".into(), source_client: "client-0".into(), sequence };
        assert!(key(9).store_key() < key(10).store_key());
        assert!(key(99).store_key() < key(u64::MAX).store_key());
    }
}
