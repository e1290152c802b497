//! Evidence: two sealed children of one trusted header. Each half passes every check that an update passes, so
//! evidence can never be easier to make than an update.

use super::decode::RawHeader;
use super::types::{QbftError, Trusted, DOUBLE_SEAL};
use super::verify::{check_child, check_form, check_seals};
use super::Qbft;
use crate::trust::TrustError;
use crate::verdict::{Hash32, Misbehaviour, Timestamp};

/// The finding that two headers at `height` were both sealed.
pub(super) const fn double_seal(height: u64, first: Hash32, second: Hash32) -> Misbehaviour {
    Misbehaviour { height, first, second, code: DOUBLE_SEAL }
}

impl Qbft {
    /// Checks two headers that are said to contradict each other.
    pub(super) fn check_evidence(
        &self,
        first: &[u8],
        second: &[u8],
        now: Timestamp,
    ) -> Result<Misbehaviour, QbftError> {
        let (first, second) = (RawHeader::decode(first)?, RawHeader::decode(second)?);
        if first.number != second.number {
            return Err(QbftError::EvidenceHeights { first: first.number, second: second.number });
        }
        let (one, other) = (first.block_hash(), second.block_hash());
        if one == other {
            return Err(QbftError::EvidenceSame { hash: one });
        }
        let height = first.number;
        let parent = self.retained_parent(height).ok_or(QbftError::EvidenceParent { height })?;
        for half in [&first, &second] {
            check_form(half, &self.config.trust)?;
            self.check_not_from_future(half, now)?;
            self.check_sealed_child(parent, half, now)?;
        }
        Ok(double_seal(height, one, other))
    }

    /// The retained header below `height`.
    pub(super) fn retained_parent(&self, height: u64) -> Option<&Trusted> {
        self.headers.get(&height.checked_sub(1)?)
    }

    /// Checks that a header is a sealed child of a retained one that is within the trusting period.
    pub(super) fn check_sealed_child(
        &self,
        parent: &Trusted,
        header: &RawHeader<'_>,
        now: Timestamp,
    ) -> Result<(), QbftError> {
        if self.config.trust.is_expired(parent.timestamp(), now) {
            let expired_at = self.config.trust.expires_at(parent.timestamp());
            return Err(TrustError::Expired { expired_at, now }.into());
        }
        check_child(parent, header)?;
        check_seals(&parent.validators, header)
    }
}
