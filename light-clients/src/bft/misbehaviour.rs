//! Evidence: two sealed children of one trusted header. Each half passes every check that an update passes, so
//! evidence can never be easier to make than an update.

use super::types::{BftError, Trusted, DOUBLE_SEAL};
use super::verify::{check_child, check_sealed, Candidate};
use super::{Client, Form};
use crate::trust::TrustError;
use crate::verdict::{Hash32, Misbehaviour, Timestamp};

/// The finding that two headers at `height` were both sealed.
pub(super) const fn double_seal(height: u64, first: Hash32, second: Hash32) -> Misbehaviour {
    Misbehaviour { height, first, second, code: DOUBLE_SEAL }
}

impl<F: Form> Client<F> {
    /// Checks two headers that are said to contradict each other.
    pub(super) fn check_evidence(&self, first: &[u8], second: &[u8], now: Timestamp) -> Result<Misbehaviour, BftError> {
        let (first, second) = (self.decode(first)?, self.decode(second)?);
        let (height, other_height) = (first.header.number, second.header.number);
        if height != other_height {
            return Err(BftError::EvidenceHeights { first: height, second: other_height });
        }
        let (one, other) = (first.header.block_hash(), second.header.block_hash());
        if one == other {
            return Err(BftError::EvidenceSame { hash: one });
        }
        let parent = self.retained_parent(height).ok_or(BftError::EvidenceParent { height })?;
        for half in [first, second] {
            let half = Candidate::new(half, &self.config)?;
            self.check_not_from_future(&half, now)?;
            self.check_sealed_child(parent, &half, now)?;
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
        child: &Candidate<'_, F>,
        now: Timestamp,
    ) -> Result<(), BftError> {
        if self.config.trust.is_expired(parent.timestamp(), now) {
            let expired_at = self.config.trust.expires_at(parent.timestamp());
            return Err(TrustError::Expired { expired_at, now }.into());
        }
        check_child(parent, child)?;
        check_sealed(Some(parent), child)
    }
}
