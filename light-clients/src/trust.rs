//! Anchors, trusting periods and churn limits: what a person decides about trust.
//!
//! Permissioned BFT chains have no unbonding, so keys of former validators can sign for ever: the trusting period
//! is a decision of the operator, counted from the trusted header's own time.

use crate::verdict::{Class, Coded, Hash32, Timestamp};

/// The pinned point that a light client starts from.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Anchor {
    /// Height of the pinned header.
    pub height: u64,
    /// Hash of the pinned header.
    pub hash: Hash32,
}

/// Limits of trust, the same for every family.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct TrustOptions {
    /// How long a verified header is trusted, counted from its own time, in seconds. Never zero.
    pub trusting_period_seconds: u64,
    /// How far a header's time may be ahead of `now`, in seconds.
    pub clock_drift_seconds: u64,
    /// Most validators (per thousand of the trusted set, joined plus left) that may change in one step without a
    /// person; 1000 or more means no limit.
    pub churn_limit_permille: u32,
    /// QBFT with fewer than 4 validators tolerates no fault; it is refused unless this is set.
    pub allow_no_fault_tolerance: bool,
    /// How many verified headers are retained for proofs.
    pub retain_heights: u32,
}

impl TrustOptions {
    /// Checks the options by themselves.
    ///
    /// # Errors
    /// [`TrustError::ZeroTrustingPeriod`] and [`TrustError::NothingRetained`]: both would make a client that can
    /// verify nothing.
    pub const fn validate(&self) -> Result<(), TrustError> {
        if self.trusting_period_seconds == 0 {
            return Err(TrustError::ZeroTrustingPeriod);
        }
        if self.retain_heights == 0 {
            return Err(TrustError::NothingRetained);
        }
        Ok(())
    }

    /// When trust in a header of time `timestamp` ends.
    #[must_use]
    pub fn expires_at(&self, timestamp: Timestamp) -> Timestamp {
        timestamp.checked_add_seconds(self.trusting_period_seconds).unwrap_or(Timestamp::from_nanos(u64::MAX))
    }

    /// Expired means `now` is at or past the end of the trusting period (ICS-07: trusted time + period > now holds
    /// while trust lasts).
    #[must_use]
    pub fn is_expired(&self, timestamp: Timestamp, now: Timestamp) -> bool {
        now >= self.expires_at(timestamp)
    }

    /// Whether a header's time is too far ahead of `now` (it must be strictly below now + drift).
    #[must_use]
    pub fn is_from_future(&self, timestamp: Timestamp, now: Timestamp) -> bool {
        now.checked_add_seconds(self.clock_drift_seconds).is_some_and(|limit| timestamp >= limit)
    }

    /// Whether `changed` validators (joined plus left) of a trusted set of `trusted` exceed the churn limit.
    #[must_use]
    pub fn exceeds_churn(&self, changed: usize, trusted: usize) -> bool {
        if self.churn_limit_permille >= 1000 {
            return false;
        }
        let changed = (changed as u128).saturating_mul(1000);
        let limit = (trusted as u128).saturating_mul(u128::from(self.churn_limit_permille));
        changed > limit
    }
}

/// Refusals that concern trust and time, the same for every family.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TrustError {
    /// A trusting period of zero: everything is expired at once.
    #[error("trusting_period_seconds is 0, so nothing would ever be trusted; set it (profiles: 14 days)")]
    ZeroTrustingPeriod,
    /// No header is retained, so nothing can be proven.
    #[error("retain_heights is 0, so nothing could ever be proven; set it to 1 or more")]
    NothingRetained,
    /// The header given for the anchor is another one.
    #[error("the header given for the anchor at {height} hashes to {got}, the anchor pins {expected}")]
    AnchorHash {
        /// Height of the anchor.
        height: u64,
        /// Hash of the header given.
        got: Hash32,
        /// Hash that the anchor pins.
        expected: Hash32,
    },
    /// The header given for the anchor has another height.
    #[error("the header given for the anchor has height {got}, the anchor pins {expected}")]
    AnchorHeight {
        /// Height of the header given.
        got: u64,
        /// Height that the anchor pins.
        expected: u64,
    },
    /// The time of a header is too far ahead.
    #[error("the header's time {timestamp} is not before {now} plus the allowed {drift_seconds} s; check the clock")]
    FromFuture {
        /// Time of the header.
        timestamp: Timestamp,
        /// The time given.
        now: Timestamp,
        /// Allowed drift in seconds.
        drift_seconds: u64,
    },
    /// The trusted header that a check would start from is older than the trusting period.
    #[error("trust ended at {expired_at}, it is {now} now; a person must set a new anchor")]
    Expired {
        /// When trust ended.
        expired_at: Timestamp,
        /// The time given.
        now: Timestamp,
    },
    /// More validators changed at once than is allowed without a person.
    #[error("{changed} validators joined or left a set of {trusted}; above churn_limit a person must set an anchor")]
    Churn {
        /// Validators that joined or left.
        changed: usize,
        /// Size of the trusted set.
        trusted: usize,
    },
    /// A conflict has been seen.
    #[error("two contradictory headers have been seen, so nothing is verified until a person sets a new anchor")]
    Frozen,
    /// Saved state is not the one that the journal names.
    #[error("the saved state hashes to {got}, the journal names {expected}")]
    StateDigest {
        /// Digest of the bytes given.
        got: Hash32,
        /// Digest in the journal.
        expected: Hash32,
    },
    /// Saved state of another light client.
    #[error("the saved state is that of light client {got}, the configuration is that of {expected}")]
    StateInstance {
        /// Instance in the bytes.
        got: Hash32,
        /// Instance of the configuration.
        expected: Hash32,
    },
    /// Saved state that does not decode, or not to itself.
    #[error("the saved state is not in the form of this version; set a new anchor")]
    StateForm,
}

impl Coded for TrustError {
    fn code(&self) -> &'static str {
        match self {
            Self::ZeroTrustingPeriod => "LC-TRUST-001",
            Self::NothingRetained => "LC-TRUST-002",
            Self::AnchorHash { .. } => "LC-TRUST-003",
            Self::AnchorHeight { .. } => "LC-TRUST-004",
            Self::FromFuture { .. } => "LC-TRUST-005",
            Self::Expired { .. } => "LC-TRUST-006",
            Self::Churn { .. } => "LC-TRUST-007",
            Self::Frozen => "LC-TRUST-008",
            Self::StateDigest { .. } => "LC-TRUST-009",
            Self::StateInstance { .. } => "LC-TRUST-010",
            Self::StateForm => "LC-TRUST-011",
        }
    }

    fn class(&self) -> Class {
        match self {
            Self::FromFuture { .. } => Class::Transient,
            Self::Frozen => Class::Misbehaviour,
            Self::ZeroTrustingPeriod
            | Self::NothingRetained
            | Self::AnchorHash { .. }
            | Self::AnchorHeight { .. }
            | Self::Expired { .. }
            | Self::Churn { .. }
            | Self::StateInstance { .. } => Class::Config,
            Self::StateDigest { .. } | Self::StateForm => Class::Permanent,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OPTIONS: TrustOptions = TrustOptions {
        trusting_period_seconds: 100,
        clock_drift_seconds: 5,
        churn_limit_permille: 250,
        allow_no_fault_tolerance: false,
        retain_heights: 10,
    };

    #[test]
    fn options_that_verify_nothing_are_refused() {
        assert_eq!(OPTIONS.validate(), Ok(()));
        let zero = TrustOptions { trusting_period_seconds: 0, ..OPTIONS };
        assert_eq!(zero.validate(), Err(TrustError::ZeroTrustingPeriod));
        let zero = TrustOptions { retain_heights: 0, ..OPTIONS };
        assert_eq!(zero.validate(), Err(TrustError::NothingRetained));
    }

    #[test]
    fn trust_lasts_until_just_before_the_end_of_the_period() {
        let at = Timestamp::from_seconds;
        let nanos = at(1100).nanos.saturating_sub(1);
        assert!(!OPTIONS.is_expired(at(1000), Timestamp::from_nanos(nanos)));
        assert!(OPTIONS.is_expired(at(1000), at(1100)));
        assert!(!OPTIONS.is_from_future(at(1004), at(1000)));
        assert!(OPTIONS.is_from_future(at(1005), at(1000)));
        // Times at the end of the range saturate instead of wrapping.
        let end = Timestamp::from_nanos(u64::MAX);
        assert_eq!(OPTIONS.expires_at(end), end);
        assert!(OPTIONS.is_expired(end, end));
    }

    #[test]
    fn churn_is_counted_exactly() {
        // (changed, trusted, above 250 per thousand)
        for (changed, trusted, above) in
            [(0, 4, false), (1, 4, false), (2, 4, true), (1, 3, true), (25, 100, false), (26, 100, true)]
        {
            assert_eq!(OPTIONS.exceeds_churn(changed, trusted), above, "{changed} of {trusted}");
        }
        let unlimited = TrustOptions { churn_limit_permille: 1000, ..OPTIONS };
        assert!(!unlimited.exceeds_churn(usize::MAX, 1));
    }
}
