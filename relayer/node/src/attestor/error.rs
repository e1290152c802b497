//! Why the attestor does not sign.

use catenary_light_clients::Class;
use thiserror::Error as ThisError;
use tonic::{Code, Status};

use crate::chain::ProveError;

/// A packet that cannot be proven, by its place in the request.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Refusal {
    /// Place in the request, from 0.
    pub index: usize,
    /// Stable code of the check that failed.
    pub code: &'static str,
    /// What to do next, for people.
    pub reason: String,
}

/// A refusal or failure of the attestor.
#[derive(Clone, Debug, ThisError)]
#[non_exhaustive]
pub enum AttestError {
    /// Too few or too many packets.
    #[error("{got} packets in one request, allowed are 1 to {max}; split the list")]
    Count {
        /// Packets in the request.
        got: usize,
        /// Most.
        max: usize,
    },
    /// The packets have too many bytes together.
    #[error("{got} bytes of packets in one request, allowed are {max}; split the list")]
    Size {
        /// Bytes in the request.
        got: usize,
        /// Most.
        max: usize,
    },
    /// An unknown commitment type.
    #[error("commitment type {got} is none of 0 (packet), 1 (acknowledgement), 2 (receipt)")]
    Kind {
        /// Number in the request.
        got: i32,
    },
    /// A packet does not decode, or breaks a rule.
    #[error("packet {index}: {source}")]
    Packet {
        /// Place in the request.
        index: usize,
        /// What is wrong with it.
        source: catenary_protocol::Error,
    },
    /// A packet of a path that this node does not serve.
    #[error("packet {index} goes from client {source_client} to {destination_client}, which is no configured path")]
    UnknownClients {
        /// Place in the request.
        index: usize,
        /// Its source client.
        source_client: String,
        /// Its destination client.
        destination_client: String,
    },
    /// A path is listed twice.
    #[error("packets {first} and {second} have the same path; list each once")]
    Repeated {
        /// Place of the first.
        first: usize,
        /// Place of the second.
        second: usize,
    },
    /// Some packets cannot be proven at the height.
    #[error("packets {} cannot be proven at height {height}; ask again without them, or at another height", list(.refusals))]
    Unproven {
        /// Height asked for.
        height: u64,
        /// Which and why.
        refusals: Vec<Refusal>,
    },
    /// The height as a whole cannot be proven.
    #[error("height {height}: {}: {source} (verified head {head})", .source.code())]
    Height {
        /// Height asked for.
        height: u64,
        /// Highest provable height.
        head: u64,
        /// Why.
        source: ProveError,
    },
    /// A proven fact is not the one asked for.
    #[error("fact {index} of {expected} is not what was asked for: {got}; report this")]
    Facts {
        /// Which fact.
        index: usize,
        /// What came.
        got: &'static str,
        /// Facts expected.
        expected: usize,
    },
    /// The signer refused.
    #[error("the signer refused: {0}")]
    Signer(#[source] catenary_api::Error),
    /// Too many requests in flight.
    #[error("{scope} has {max} requests in flight already; ask again later")]
    Busy {
        /// Whose bound.
        scope: &'static str,
        /// The bound.
        max: usize,
    },
    /// No answer in time.
    #[error("not done within {seconds} s; ask again")]
    Deadline {
        /// The deadline, in seconds.
        seconds: u64,
    },
    /// The peer's certificate is not pinned.
    #[error("the certificate with sha256 {got} is not one of the {pinned} pinned ones")]
    Unpinned {
        /// Its hash, or "none".
        got: String,
        /// How many are pinned.
        pinned: usize,
    },
    /// The signing task ended without an answer.
    #[error("the signing task ended without an answer; see the log")]
    Task,
}

/// `index=code` of each refusal, in a form that a collector reads back.
fn list(refusals: &[Refusal]) -> String {
    let items: Vec<String> = refusals.iter().map(|refusal| format!("{}={}", refusal.index, refusal.code)).collect();
    items.join(",")
}

impl AttestError {
    /// Code of [`Height`](Self::Height), which collectors tell from other refusals.
    pub(crate) const HEIGHT_CODE: &'static str = "ATT-008";

    /// The code that a message of ours starts with.
    pub(crate) fn code_of(message: &str) -> Option<&str> {
        message.split_once(": ").map(|(code, _)| code).filter(|code| code.len() == 7 && code.starts_with("ATT-"))
    }

    /// The stable code.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Count { .. } => "ATT-001",
            Self::Size { .. } => "ATT-002",
            Self::Kind { .. } => "ATT-003",
            Self::Packet { .. } => "ATT-004",
            Self::UnknownClients { .. } => "ATT-005",
            Self::Repeated { .. } => "ATT-006",
            Self::Unproven { .. } => UNPROVEN_CODE,
            Self::Height { .. } => Self::HEIGHT_CODE,
            Self::Facts { .. } => "ATT-009",
            Self::Signer(_) => "ATT-010",
            Self::Busy { .. } => "ATT-011",
            Self::Deadline { .. } => "ATT-012",
            Self::Unpinned { .. } => "ATT-013",
            Self::Task => "ATT-014",
        }
    }

    /// What may be done about it.
    #[must_use]
    pub const fn class(&self) -> Class {
        match self {
            Self::Height { source, .. } => source.class(),
            Self::Signer(error) => error.class,
            Self::Unproven { .. } | Self::Busy { .. } | Self::Deadline { .. } => Class::Transient,
            Self::UnknownClients { .. } | Self::Unpinned { .. } => Class::Config,
            Self::Facts { .. } | Self::Task => Class::Bug,
            Self::Count { .. }
            | Self::Size { .. }
            | Self::Kind { .. }
            | Self::Packet { .. }
            | Self::Repeated { .. } => Class::Permanent,
        }
    }

    /// The gRPC code that tells a peer what may be done about it.
    const fn grpc_code(&self) -> Code {
        match self {
            Self::Count { .. }
            | Self::Size { .. }
            | Self::Kind { .. }
            | Self::Packet { .. }
            | Self::Repeated { .. } => Code::InvalidArgument,
            Self::UnknownClients { .. } | Self::Unproven { .. } | Self::Signer(_) => Code::FailedPrecondition,
            Self::Height { source: ProveError::Endpoint(_), .. } => Code::Unavailable,
            Self::Height { .. } => Code::FailedPrecondition,
            Self::Busy { .. } => Code::ResourceExhausted,
            Self::Deadline { .. } => Code::DeadlineExceeded,
            Self::Unpinned { .. } => Code::PermissionDenied,
            Self::Facts { .. } | Self::Task => Code::Internal,
        }
    }
}

/// Code of [`AttestError::Unproven`], which collectors look for in a peer's message.
pub(crate) const UNPROVEN_CODE: &str = "ATT-007";

impl From<AttestError> for Status {
    fn from(error: AttestError) -> Self {
        Self::new(error.grpc_code(), format!("{}: {error}", error.code()))
    }
}

/// The indexes in the message of an [`AttestError::Unproven`]: those below `packets`, in order, each once. Empty when
/// the message is something else, so that a peer with other words is simply a peer that refused.
pub(crate) fn refused_indexes(message: &str, packets: usize) -> Vec<usize> {
    let list = message
        .strip_prefix(UNPROVEN_CODE)
        .and_then(|rest| rest.strip_prefix(": packets "))
        .and_then(|rest| rest.split_once(' '))
        .map_or("", |(list, _)| list);
    let mut indexes: Vec<usize> = list
        .split(',')
        .filter_map(|item| item.split_once('='))
        .filter_map(|(index, _)| index.parse().ok())
        .filter(|index| *index < packets)
        .collect();
    indexes.sort_unstable();
    indexes.dedup();
    indexes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_places_of_refused_packets_are_read_back_from_the_message() {
        let refusal = |index, code| Refusal { index, code, reason: String::new() };
        let refusals = vec![refusal(3, "LC-MPT-004"), refusal(63, "NODE-PRV-003")];
        let status = Status::from(AttestError::Unproven { height: 7, refusals });
        assert_eq!(refused_indexes(status.message(), 64), [3, 63]);
        assert_eq!(refused_indexes(status.message(), 63), [3]);
    }

    #[test]
    fn other_words_name_no_packets() {
        let rows: [(&str, &[usize]); 12] = [
            ("", &[]),
            ("ATT-007", &[]),
            ("ATT-007: packets ", &[]),
            ("ATT-007: packets 1=A", &[]),
            ("ATT-008: packets 1=A cannot", &[]),
            ("packets 1=A cannot", &[]),
            ("ATT-007: packets 1=A cannot", &[1]),
            ("ATT-007: packets 2=A,1=A,2=B cannot", &[1, 2]),
            ("ATT-007: packets -1=A,1.5=B,18446744073709551616=C,x=D,=E, cannot", &[]),
            ("ATT-007: packets 4=A,5=B cannot", &[4]),
            ("ATT-007: packets 1:A cannot", &[]),
            ("ATT-007: packets \u{1f600}=A,0=\u{1f600} cannot", &[0]),
        ];
        for (message, expect) in rows {
            assert_eq!(refused_indexes(message, 5), expect, "{message}");
        }
    }
}
