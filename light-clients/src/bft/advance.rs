//! One step of trust: what becomes of an update, by where its height stands to the trusted ones.
//!
//! | height | trusted when |
//! | --- | --- |
//! | head + 1 | child of the head, and sealed |
//! | above | `skipping`: later than the head, and sealed with F + 1 of its set; else `NeedsIntermediate` |
//! | retained | it is the retained header: nothing happens. Another sealed child of its parent: conflict |
//! | below the head, not retained | its hash is the parent hash of the retained header above it |
//!
//! A header filled in so meets the retained one below it when the gap closes. If it names another parent, or the times
//! of the three do not grow, two trusted headers exclude each other: conflict.

use alloc::boxed::Box;

use super::decode::RawHeader;
use super::types::{BftError, Trusted, ValidatorSet, BROKEN_LINK, BROKEN_TIME};
use super::verify::{check_child, check_sealed, check_time_order, Candidate, SetChange};
use super::{trusted_from, Client, Form};
use crate::trust::TrustError;
use crate::verdict::{Misbehaviour, Timestamp, Verdict};

impl<F: Form> Client<F> {
    /// Judges an update; `Err` is a rejection.
    pub(super) fn judge(&mut self, update: &[u8], now: Timestamp) -> Result<Verdict, BftError> {
        if self.frozen {
            return Err(TrustError::Frozen.into());
        }
        if self.config.trust.is_expired(self.head.timestamp(), now) {
            let expired_at = self.config.trust.expires_at(self.head.timestamp());
            return Ok(Verdict::Expired { expired_at, now });
        }
        let candidate = Candidate::new(self.decode(update)?, &self.config)?;
        self.check_not_from_future(&candidate, now)?;
        let next = self.head.height.saturating_add(1);
        match candidate.header.number {
            height if height == next => {
                check_child(&self.head, &candidate)?;
                check_sealed(Some(&self.head), &candidate)?;
                self.trust_head(&candidate)
            }
            height if height > next => self.skip_to(&candidate),
            height if height < self.lowest_retained() => {
                Err(BftError::BelowRetained { height, lowest: self.lowest_retained() })
            }
            height => match self.headers.get(&height).cloned() {
                Some(trusted) => self.compare(&candidate, &trusted, now),
                None => self.fill(&candidate),
            },
        }
    }

    /// Checks that a header's time is not too far ahead.
    pub(super) fn check_not_from_future(&self, candidate: &Candidate<'_, F>, now: Timestamp) -> Result<(), BftError> {
        let timestamp = Timestamp::from_seconds(candidate.header.time_seconds);
        if self.config.trust.is_from_future(timestamp, now) {
            let drift_seconds = self.config.trust.clock_drift_seconds;
            return Err(TrustError::FromFuture { timestamp, now, drift_seconds }.into());
        }
        Ok(())
    }

    /// A header beyond the next one.
    fn skip_to(&mut self, candidate: &Candidate<'_, F>) -> Result<Verdict, BftError> {
        let (trusted_height, target_height) = (self.head.height, candidate.header.number);
        let needs_intermediate =
            |error: BftError| Verdict::NeedsIntermediate { trusted_height, target_height, reason: error.into() };
        if !self.config.skipping {
            let error = BftError::NotAdjacent { trusted: trusted_height, target: target_height };
            return Ok(needs_intermediate(error));
        }
        check_time_order(&self.head, &candidate.header)?;
        match check_sealed(Some(&self.head), candidate) {
            Ok(()) => self.trust_head(candidate),
            Err(error @ BftError::Overlap { .. }) => Ok(needs_intermediate(error)),
            Err(error) => Err(error),
        }
    }

    /// Trusts a header that passed all checks, unless too many validators changed at once.
    fn trust_head(&mut self, candidate: &Candidate<'_, F>) -> Result<Verdict, BftError> {
        let change = SetChange::between(&self.head.validators, &candidate.validators);
        let (changed, trusted) = (change.count(), self.head.validators.len());
        if self.config.trust.exceeds_churn(changed, trusted) {
            return Ok(Verdict::Held(TrustError::Churn { changed, trusted }.into()));
        }
        self.head = trusted_from(candidate, self.shared_set(&self.head, candidate))?;
        self.headers.insert(self.head.height, self.head.clone());
        self.headers = self.headers.split_off(&self.lowest_retained());
        Ok(Verdict::Verified(Some(self.verified(&self.head))))
    }

    /// A header at a height that is retained already.
    fn compare(
        &mut self,
        candidate: &Candidate<'_, F>,
        trusted: &Trusted,
        now: Timestamp,
    ) -> Result<Verdict, BftError> {
        let got = candidate.header.block_hash();
        if got == trusted.hash {
            return Ok(Verdict::Verified(Some(self.verified(trusted))));
        }
        let unjudged = BftError::Unjudged { height: trusted.height, got, trusted: trusted.hash };
        let parent = self.retained_parent(trusted.height).ok_or(unjudged)?;
        self.check_sealed_child(parent, candidate, now)?;
        self.frozen = true;
        Ok(Verdict::Conflict(Box::new(super::misbehaviour::double_seal(trusted.height, trusted.hash, got))))
    }

    /// An older header, trusted for the sake of the one above it, which names it as its parent.
    fn fill(&mut self, candidate: &Candidate<'_, F>) -> Result<Verdict, BftError> {
        let header = &candidate.header;
        let height = header.number;
        let above = height.checked_add(1).and_then(|above| self.headers.get(&above));
        let above = above.ok_or(BftError::NotLinked { height })?;
        let (got, expected) = (header.block_hash(), above.parent_hash);
        if got != expected {
            return Err(BftError::Successor { height, got, expected });
        }
        if let Some(found) = self.contradiction(header, above) {
            self.frozen = true;
            return Ok(Verdict::Conflict(Box::new(found)));
        }
        let filled = trusted_from(candidate, self.shared_set(above, candidate))?;
        let verdict = Verdict::Verified(Some(self.verified(&filled)));
        self.headers.insert(height, filled);
        Ok(verdict)
    }

    /// What a header contradicts that the retained one above it names as its parent: the retained header below it, or
    /// time on either side.
    fn contradiction(&self, header: &RawHeader<'_, F>, above: &Trusted) -> Option<Misbehaviour> {
        let (height, second) = (header.number, header.block_hash());
        let below = self.retained_parent(height);
        if let Some(below) = below.filter(|below| below.hash != header.parent_hash) {
            let (height, first, second) = (below.height, below.hash, header.parent_hash);
            return Some(Misbehaviour { height, first, second, code: BROKEN_LINK });
        }
        let before = below.filter(|below| below.time_seconds >= header.time_seconds);
        let after = Some(above).filter(|above| above.time_seconds <= header.time_seconds);
        let first = before.or(after)?.hash;
        Some(Misbehaviour { height, first, second, code: BROKEN_TIME })
    }

    /// The validators of a header, without a copy when they are those of its neighbour.
    fn shared_set(&self, neighbour: &Trusted, candidate: &Candidate<'_, F>) -> ValidatorSet {
        if *neighbour.validators == *candidate.validators {
            return neighbour.validators.clone();
        }
        candidate.validators.as_slice().into()
    }
}
