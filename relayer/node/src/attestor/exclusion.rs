//! Why a member's answer does not count: stable codes, which are also the values of a metric's label.

use std::fmt;

/// Why an answer was left out.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, PartialOrd, Ord)]
pub enum ExclusionCode {
    /// No connection could be opened, or it broke.
    Unreachable,
    /// No answer within the deadline.
    Silent,
    /// The answer is over a bound.
    TooLarge,
    /// The member refused the height: behind us, pruned, or stopped.
    Behind,
    /// The member refused packets that we have verified.
    RefusedPackets,
    /// The member refused for another reason.
    Refused,
    /// The answer has no attestation, or its bytes do not decode.
    Malformed,
    /// The attestation is about another height.
    WrongHeight,
    /// The attested time is not the one that we verified.
    WrongTime,
    /// The attested paths or commitments are not those that we verified.
    WrongCommitment,
    /// The signature is not 65 bytes, has a high s or an unknown recovery id, or no key can have made it.
    BadSignature,
    /// Another member made the signature.
    OthersSignature,
    /// Nobody of the set made the signature, or not over these bytes.
    UnknownSigner,
}

impl ExclusionCode {
    /// All of them.
    pub const ALL: [Self; 13] = [
        Self::Unreachable,
        Self::Silent,
        Self::TooLarge,
        Self::Behind,
        Self::RefusedPackets,
        Self::Refused,
        Self::Malformed,
        Self::WrongHeight,
        Self::WrongTime,
        Self::WrongCommitment,
        Self::BadSignature,
        Self::OthersSignature,
        Self::UnknownSigner,
    ];

    /// The stable code.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Unreachable => "ATT-101",
            Self::Silent => "ATT-102",
            Self::TooLarge => "ATT-103",
            Self::Behind => "ATT-104",
            Self::RefusedPackets => "ATT-105",
            Self::Refused => "ATT-106",
            Self::Malformed => "ATT-107",
            Self::WrongHeight => "ATT-108",
            Self::WrongTime => "ATT-109",
            Self::WrongCommitment => "ATT-110",
            Self::BadSignature => "ATT-111",
            Self::OthersSignature => "ATT-112",
            Self::UnknownSigner => "ATT-113",
        }
    }
}

/// A member that was left out, and why.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Exclusion {
    /// The member's id in the config.
    pub member: String,
    /// Why.
    pub code: ExclusionCode,
    /// Both compared values, for people.
    pub detail: String,
}

impl fmt::Display for Exclusion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}: {}", self.member, self.code.code(), self.detail)
    }
}
