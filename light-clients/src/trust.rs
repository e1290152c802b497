//! Anchors, trusting periods and churn limits: what a person decides about trust.
//!
//! Permissioned BFT chains have no unbonding, so keys of former validators can sign for ever: the trusting period
//! is a decision of the operator, counted from the trusted header's own time.

use crate::verdict::{Hash32, Timestamp};

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
