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
use super::types::{QbftError, Trusted, ValidatorSet, BROKEN_LINK, BROKEN_TIME};
use super::verify::{check_child, check_form, check_seals, check_time_order, SetChange};
use super::{trusted_from, Qbft};
use crate::trust::TrustError;
use crate::verdict::{Misbehaviour, Timestamp, Verdict};

impl Qbft {
    /// Judges an update; `Err` is a rejection.
    pub(super) fn judge(&mut self, update: &[u8], now: Timestamp) -> Result<Verdict, QbftError> {
        if self.frozen {
            return Err(TrustError::Frozen.into());
        }
        if self.config.trust.is_expired(self.head.timestamp(), now) {
            let expired_at = self.config.trust.expires_at(self.head.timestamp());
            return Ok(Verdict::Expired { expired_at, now });
        }
        let header = RawHeader::decode(update)?;
        check_form(&header, &self.config.trust)?;
        self.check_not_from_future(&header, now)?;
        let next = self.head.height.saturating_add(1);
        match header.number {
            height if height == next => {
                check_child(&self.head, &header)?;
                check_seals(&self.head.validators, &header)?;
                self.trust_head(&header)
            }
            height if height > next => self.skip_to(&header),
            height if height < self.lowest_retained() => {
                Err(QbftError::BelowRetained { height, lowest: self.lowest_retained() })
            }
            height => match self.headers.get(&height).cloned() {
                Some(trusted) => self.compare(&header, &trusted, now),
                None => self.fill(&header),
            },
        }
    }

    /// Checks that a header's time is not too far ahead.
    pub(super) fn check_not_from_future(&self, header: &RawHeader<'_>, now: Timestamp) -> Result<(), QbftError> {
        let timestamp = Timestamp::from_seconds(header.time_seconds);
        if self.config.trust.is_from_future(timestamp, now) {
            let drift_seconds = self.config.trust.clock_drift_seconds;
            return Err(TrustError::FromFuture { timestamp, now, drift_seconds }.into());
        }
        Ok(())
    }

    /// A header beyond the next one.
    fn skip_to(&mut self, header: &RawHeader<'_>) -> Result<Verdict, QbftError> {
        let (trusted_height, target_height) = (self.head.height, header.number);
        let needs_intermediate =
            |error: QbftError| Verdict::NeedsIntermediate { trusted_height, target_height, reason: error.into() };
        if !self.config.skipping {
            let error = QbftError::NotAdjacent { trusted: trusted_height, target: target_height };
            return Ok(needs_intermediate(error));
        }
        check_time_order(&self.head, header)?;
        match check_seals(&self.head.validators, header) {
            Ok(()) => self.trust_head(header),
            Err(error @ QbftError::Overlap { .. }) => Ok(needs_intermediate(error)),
            Err(error) => Err(error),
        }
    }

    /// Trusts a header that passed all checks, unless too many validators changed at once.
    fn trust_head(&mut self, header: &RawHeader<'_>) -> Result<Verdict, QbftError> {
        let change = SetChange::between(&self.head.validators, &header.extra.validators);
        let (changed, trusted) = (change.count(), self.head.validators.len());
        if self.config.trust.exceeds_churn(changed, trusted) {
            return Ok(Verdict::Held(TrustError::Churn { changed, trusted }.into()));
        }
        self.head = trusted_from(header, self.shared_set(&self.head, header))?;
        self.headers.insert(self.head.height, self.head.clone());
        self.headers = self.headers.split_off(&self.lowest_retained());
        Ok(Verdict::Verified(Some(self.verified(&self.head))))
    }

    /// A header at a height that is retained already.
    fn compare(&mut self, header: &RawHeader<'_>, trusted: &Trusted, now: Timestamp) -> Result<Verdict, QbftError> {
        let got = header.block_hash();
        if got == trusted.hash {
            return Ok(Verdict::Verified(Some(self.verified(trusted))));
        }
        let unjudged = QbftError::Unjudged { height: trusted.height, got, trusted: trusted.hash };
        let parent = self.retained_parent(trusted.height).ok_or(unjudged)?;
        self.check_sealed_child(parent, header, now)?;
        self.frozen = true;
        Ok(Verdict::Conflict(Box::new(super::misbehaviour::double_seal(trusted.height, trusted.hash, got))))
    }

    /// An older header, trusted for the sake of the one above it, which names it as its parent.
    fn fill(&mut self, header: &RawHeader<'_>) -> Result<Verdict, QbftError> {
        let height = header.number;
        let above = height.checked_add(1).and_then(|above| self.headers.get(&above));
        let above = above.ok_or(QbftError::NotLinked { height })?;
        let (got, expected) = (header.block_hash(), above.parent_hash);
        if got != expected {
            return Err(QbftError::Successor { height, got, expected });
        }
        if let Some(found) = self.contradiction(header, above) {
            self.frozen = true;
            return Ok(Verdict::Conflict(Box::new(found)));
        }
        let filled = trusted_from(header, self.shared_set(above, header))?;
        let verdict = Verdict::Verified(Some(self.verified(&filled)));
        self.headers.insert(height, filled);
        Ok(verdict)
    }

    /// What a header contradicts that the retained one above it names as its parent: the retained header below it, or
    /// time on either side.
    fn contradiction(&self, header: &RawHeader<'_>, above: &Trusted) -> Option<Misbehaviour> {
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
    fn shared_set(&self, neighbour: &Trusted, header: &RawHeader<'_>) -> ValidatorSet {
        if *neighbour.validators == *header.extra.validators {
            return neighbour.validators.clone();
        }
        header.extra.validators.as_slice().into()
    }
}
