//! The CometBFT light client: headers signed by more than two thirds of ed25519 voting power, states proven by
//! ICS-23.
//!
//! It wraps `tendermint-light-client-verifier` and adds what that library leaves to its caller (`verify`, `decode`).
//! An update at a height above the newest verified header is accepted when it follows that header directly: by its
//! last block id, by the announced validators and by their signatures. With [`Config::skipping`] it may also be
//! further up. An older header is accepted when a retained header links to it by hash, and is a no-op when it is
//! retained already. A second header at a retained height, validly signed and after the same block, freezes the
//! client until a person sets a new anchor. The chain's first block follows none, so a second one proves nothing.
//!
//! **Heights.** The header of block h + 1 carries the application hash after block h. The state at h is therefore
//! the root in header h + 1 with the time and hash of header h, and can be given only when both are retained and
//! linked; `abci_query` at height h is proven against it.
//!
//! **Validators.** A change is followed header by header. The first header of the changed set is held for a person
//! when more validators joined and left than the churn limit allows: until then only validators that are already
//! trusted have signed anything that is believed.
//!
//! **Caller's duties.** Compare the anchor with people, not with an endpoint. Give `now` from a clock that is right
//! to within the configured drift. Keep the digest of [`save`](LightClient::save) where an attacker cannot write.
//!
//! **What an attacker can grow.** Nothing. Only verified headers are kept, at most `retain_heights` of about 170
//! bytes, and two validator sets of at most [`MAX_VALIDATORS`]. An update is at most [`MAX_UPDATE_BYTES`], and before
//! the first signature is checked it must be bound to the trusted header and claim enough power.
//!
//! # Cases
//! CM-01 to CM-17 of the design page are the tests `cm_01_…` to `cm_17_…`. One part of CM-14 has nothing to test: the
//! delay period belongs to on-chain clients, and this client has none; its test covers the other sums of times.
//! Evidence of kind `LC-CMT-051` (time) needs two headers above the newest trusted one, so it can only be judged
//! with skipping on, or found while filling a gap.

use alloc::collections::BTreeMap;
use alloc::{boxed::Box, vec::Vec};

use crate::proof::ics23::{self, StoreKey};
use crate::trust::TrustError;
use crate::verdict::{
    Absence, Family, Hash32, Header, InstanceId, LightClient, Membership, Misbehaviour, Rejection, Status, Timestamp,
    Verdict, Verified,
};

mod decode;
mod misbehaviour;
mod saved;
#[cfg(any(test, feature = "test-util"))]
#[allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::cast_possible_truncation,
    clippy::missing_panics_doc,
    reason = "builds chains for tests, not from input"
)]
pub mod testing;
#[cfg(test)]
mod tests;
mod types;
mod verify;

pub use decode::{encode_update, split_update, UpdateParts, MAX_UPDATE_BYTES};
pub use saved::SAVED_HEADERS;
pub use types::{CometBftError, Config, MAX_CHAIN_ID_BYTES, MAX_TOTAL_POWER, MAX_VALIDATORS};

use decode::Update;
use types::{Retained, ValidatorSet};
use verify::{Base, Purpose, Terms};

/// The hash of the header in an update, checked against the commit in it and nothing else: for showing a person what
/// to pin as anchor.
///
/// # Errors
/// The update does not decode.
pub fn header_hash(update: &[u8]) -> Result<Hash32, CometBftError> {
    Ok(decode::update(update)?.hash)
}

/// A light client of one CometBFT chain.
#[derive(Clone, Debug)]
pub struct CometBft {
    config: Config,
    instance: InstanceId,
    /// Never empty: the anchor at first, the newest `retain_heights` later.
    retained: BTreeMap<u64, Retained>,
    /// The set of the newest header, and the one it announces where that is known and another.
    sets: Vec<ValidatorSet>,
    frozen: bool,
}

impl CometBft {
    /// A light client that trusts the anchor. `anchor_update` is an update (see [`encode_update`]) with the anchor's
    /// header, its commit and its validators.
    ///
    /// # Errors
    /// [`CometBftError::Config`] for what can never work, [`TrustError::AnchorHeight`] or [`TrustError::AnchorHash`]
    /// when the header is another than the pinned one, otherwise the check of the update that failed.
    pub fn new(config: Config, anchor_update: &[u8]) -> Result<Self, CometBftError> {
        config.check()?;
        let instance = config.instance();
        let update = decode::update(anchor_update)?;
        let anchor = &config.anchor;
        if update.height != anchor.height {
            return Err(TrustError::AnchorHeight { got: update.height, expected: anchor.height }.into());
        }
        if update.hash != anchor.hash {
            let (height, got, expected) = (anchor.height, update.hash, anchor.hash);
            return Err(TrustError::AnchorHash { height, got, expected }.into());
        }
        let mut client = Self { config, instance, retained: BTreeMap::new(), sets: Vec::new(), frozen: false };
        client.check_chain(&update)?;
        // The hash alone is what a person pinned; a block that was never committed is a mistake of theirs to catch.
        verify::committed(&update, client.set_of(&update)?)?;
        client.retain(update);
        Ok(client)
    }

    /// The light client whose [`save`](LightClient::save) gave these bytes; `digest` is their SHA-256 as the journal
    /// kept it.
    ///
    /// # Errors
    /// [`TrustError::StateDigest`], [`TrustError::StateInstance`] or [`TrustError::StateForm`]; in each case
    /// verification starts again from the anchor.
    pub fn restore(config: Config, bytes: &[u8], digest: &Hash32) -> Result<Self, CometBftError> {
        config.check()?;
        saved::restore(config, bytes, digest)
    }

    /// Height of the newest verified header.
    fn head_height(&self) -> u64 {
        self.retained.last_key_value().map_or(self.config.anchor.height, |(height, _)| *height)
    }

    /// The newest verified header. A client is never without one; the default trusts nothing, since no header
    /// follows the zero hash and every time is after its end of trust.
    fn head(&self) -> &Retained {
        static NOTHING: Retained = Retained {
            hash: Hash32([0; 32]),
            time: Timestamp::from_nanos(0),
            app_hash: None,
            last_block: None,
            validators_hash: Hash32([0; 32]),
            next_validators_hash: Hash32([0; 32]),
        };
        self.retained.last_key_value().map_or(&NOTHING, |(_, header)| header)
    }

    fn base(&self) -> Base<'_> {
        let header = self.head();
        Base {
            chain_id: &self.config.chain_id,
            height: self.head_height(),
            header,
            next_validators: self.known_set(header.next_validators_hash),
        }
    }

    fn known_set(&self, hash: Hash32) -> Option<&ValidatorSet> {
        self.sets.iter().find(|set| set.hash == hash)
    }

    /// The validators of a header: those given with it, which must be the ones it names, or a known set.
    fn set_of<'a>(&'a self, update: &'a Update) -> Result<&'a ValidatorSet, CometBftError> {
        for (which, given, expected) in [
            ("own", &update.validators, update.validators_hash),
            ("next", &update.next_validators, update.next_validators_hash),
        ] {
            if let Some(set) = given.as_ref().filter(|set| set.hash != expected) {
                return Err(CometBftError::ValidatorsHash { which, got: set.hash, expected });
            }
        }
        let known = || self.known_set(update.validators_hash);
        let unknown = CometBftError::UnknownValidators { hash: update.validators_hash };
        update.validators.as_ref().or_else(known).ok_or(unknown)
    }

    fn check_chain(&self, update: &Update) -> Result<(), CometBftError> {
        if update.chain_id == self.config.chain_id {
            return Ok(());
        }
        Err(CometBftError::ChainId { got: update.chain_id.clone(), expected: self.config.chain_id.clone() })
    }

    /// Trust in the newest header has not ended.
    fn check_expiry(&self, now: Timestamp) -> Result<(), CometBftError> {
        self.check_expired(self.head().time, now)
    }

    /// Trust in a header of this time has not ended.
    fn check_expired(&self, time: Timestamp, now: Timestamp) -> Result<(), CometBftError> {
        if self.config.trust.is_expired(time, now) {
            return Err(TrustError::Expired { expired_at: self.config.trust.expires_at(time), now }.into());
        }
        Ok(())
    }

    /// A gap above the newest header is crossed only when a person allowed it.
    fn check_skip(&self, update: &Update) -> Result<(), CometBftError> {
        let trusted_height = self.head_height();
        if self.config.skipping || trusted_height.checked_add(1) == Some(update.height) {
            return Ok(());
        }
        Err(CometBftError::NotAdjacent { trusted_height, target_height: update.height, why: "skipping is off" })
    }

    /// An older header is the one that the retained header above it follows.
    fn check_link(&self, update: &Update) -> Result<&Retained, CometBftError> {
        let successor = update.height.saturating_add(1);
        let above = self.retained.get(&successor).ok_or_else(|| CometBftError::NotLinked {
            height: update.height,
            trusted_height: self.head_height(),
            successor,
        })?;
        if above.last_block == Some(update.hash) {
            return Ok(above);
        }
        let expected = above.last_block.unwrap_or(Hash32([0; 32]));
        Err(CometBftError::Link { height: update.height, got: update.hash, expected })
    }

    /// Judges an update that is decoded, of this chain and within the trusting period.
    fn judge(&mut self, update: Update, now: Timestamp) -> Result<Verdict, CometBftError> {
        if let Some(retained) = self.retained.get(&update.height) {
            let first = retained.hash;
            if first == update.hash {
                self.learn_next(&update)?;
                return Ok(self.verified());
            }
            misbehaviour::committed_here(self, &update, now)?;
            let (height, second) = (update.height, update.hash);
            return Ok(self.freeze(Misbehaviour { height, first, second, code: misbehaviour::EQUIVOCATION }));
        }
        if update.height < self.head_height() {
            return self.fill(update);
        }
        self.check_skip(&update)?;
        let set = self.set_of(&update)?;
        let terms = Terms { options: &self.config.trust, now, purpose: Purpose::Update };
        verify::successor(&update, set, self.base(), terms)?;
        if let Some(held) = self.churned(set) {
            return Ok(Verdict::Held(held.into()));
        }
        self.retain(update);
        Ok(self.verified())
    }

    /// Too many validators changed since the set that signed the newest header. That header announces the set after
    /// it, which has signed nothing that is believed yet: compared with it, a header further up would pass where the
    /// one in between is held.
    fn churned(&self, set: &ValidatorSet) -> Option<TrustError> {
        // The head's own set is always known. Were it not so, all would have changed.
        let unknown = (set.validators.len(), 0);
        let known = |trusted: &ValidatorSet| (trusted.churn(set), trusted.validators.len());
        let (changed, size) = self.known_set(self.head().validators_hash).map_or(unknown, known);
        self.config.trust.exceeds_churn(changed, size).then_some(TrustError::Churn { changed, trusted: size })
    }

    /// An older header that a retained one links to. It may contradict the retained one below it.
    fn fill(&mut self, update: Update) -> Result<Verdict, CometBftError> {
        self.check_link(&update)?;
        if let Some(found) = self.contradiction(&update) {
            return Ok(self.freeze(found));
        }
        let oldest = self.retained.first_key_value().map_or(update.height, |(height, _)| *height);
        if update.height < oldest && self.retained.len() >= self.capacity() {
            return Err(CometBftError::NotRetained { height: update.height, retained: self.retained.len(), oldest });
        }
        self.insert(&update);
        Ok(self.verified())
    }

    /// What a linked older header contradicts: the retained header below it, or time on either side.
    fn contradiction(&self, update: &Update) -> Option<Misbehaviour> {
        let height = update.height;
        let below_height = height.checked_sub(1)?;
        let below = self.retained.get(&below_height);
        if let Some(below) = below.filter(|below| update.last_block != Some(below.hash)) {
            let second = update.last_block.unwrap_or(Hash32([0; 32]));
            let code = misbehaviour::BROKEN_LINK;
            return Some(Misbehaviour { height: below_height, first: below.hash, second, code });
        }
        let above = self.retained.get(&height.checked_add(1)?);
        let before = below.filter(|below| below.time >= update.time);
        let after = above.filter(|above| above.time <= update.time);
        let other = before.or(after)?;
        Some(Misbehaviour { height, first: other.hash, second: update.hash, code: misbehaviour::TIME })
    }

    fn capacity(&self) -> usize {
        usize::try_from(self.config.trust.retain_heights).unwrap_or(usize::MAX)
    }

    fn insert(&mut self, update: &Update) {
        let retained = Retained {
            hash: update.hash,
            time: update.time,
            app_hash: update.app_hash,
            last_block: update.last_block,
            validators_hash: update.validators_hash,
            next_validators_hash: update.next_validators_hash,
        };
        self.retained.insert(update.height, retained);
        while self.retained.len() > self.capacity() {
            self.retained.pop_first();
        }
    }

    /// Trusts a verified header as the newest one, and remembers its two sets.
    fn retain(&mut self, update: Update) {
        self.insert(&update);
        self.sets.extend(update.validators);
        self.sets.extend(update.next_validators);
        self.forget_sets();
    }

    /// Learns the set that the newest header announces from a repetition of it that carries the set.
    fn learn_next(&mut self, update: &Update) -> Result<(), CometBftError> {
        if update.height == self.head_height() {
            self.set_of(update)?;
            self.sets.extend(update.next_validators.clone());
            self.forget_sets();
        }
        Ok(())
    }

    /// Keeps the set of the newest header and the one it announces, each once, the own one first.
    fn forget_sets(&mut self) {
        let head = self.head();
        let wanted = [head.validators_hash, head.next_validators_hash];
        let own = self.known_set(wanted[0]).cloned();
        let next = self.known_set(wanted[1]).filter(|set| set.hash != wanted[0]).cloned();
        self.sets = own.into_iter().chain(next).collect();
    }

    fn freeze(&mut self, found: Misbehaviour) -> Verdict {
        self.frozen = true;
        Verdict::Conflict(Box::new(found))
    }

    fn verified(&self) -> Verdict {
        Verdict::Verified(self.header(self.provable_height()))
    }

    /// Highest height whose state can be given, 0 for none.
    fn provable_height(&self) -> u64 {
        self.retained.keys().rev().copied().find(|height| self.state(*height).is_some()).unwrap_or(0)
    }

    /// The state after block `height`: its root is in the next header, which must follow this one.
    fn state(&self, height: u64) -> Option<Header> {
        let own = self.retained.get(&height)?;
        let next = self.retained.get(&height.checked_add(1)?)?;
        if next.last_block != Some(own.hash) {
            return None;
        }
        Some(Header { height, hash: own.hash, timestamp: own.time, root: next.app_hash? })
    }

    /// The state that a proof at `height` is checked against.
    fn provable(&self, height: u64) -> Result<Header, CometBftError> {
        if self.frozen {
            return Err(TrustError::Frozen.into());
        }
        let missing = CometBftError::NoState { height, next: height.saturating_add(1), newest: self.head_height() };
        self.state(height).ok_or(missing)
    }
}

impl LightClient for CometBft {
    fn status(&self) -> Status {
        let head = self.head();
        Status {
            family: Family::CometBft,
            instance: self.instance,
            chain_id: self.config.chain_id.clone(),
            trusted_height: self.head_height(),
            trusted_hash: head.hash,
            trusted_timestamp: head.time,
            provable_height: self.provable_height(),
            expires_at: self.config.trust.expires_at(head.time),
            validators: self.known_set(head.validators_hash).map_or(0, |set| set.validators.len()),
            frozen: self.frozen,
        }
    }

    fn advance(&mut self, update: &[u8], now: Timestamp) -> Verdict {
        if self.frozen {
            return Verdict::Rejected(TrustError::Frozen.into());
        }
        let judged = decode::update(update).and_then(|update| {
            self.check_chain(&update)?;
            self.check_expiry(now)?;
            let target_height = update.height;
            self.judge(update, now).or_else(|error| match error {
                CometBftError::Power13 { .. } | CometBftError::NotAdjacent { .. } => Ok(Verdict::NeedsIntermediate {
                    trusted_height: self.head_height(),
                    target_height,
                    reason: error.into(),
                }),
                error => Err(error),
            })
        });
        match judged {
            Ok(verdict) => verdict,
            // A conflict with an older header that has expired is refused; the client has not expired with it.
            Err(CometBftError::Trust(TrustError::Expired { expired_at, now })) if self.check_expiry(now).is_err() => {
                Verdict::Expired { expired_at, now }
            }
            Err(error) => Verdict::Rejected(error.into()),
        }
    }

    fn header(&self, height: u64) -> Option<Verified<Header>> {
        self.provable(height).ok().map(|header| Verified::new(self.instance, header))
    }

    fn membership(
        &self,
        height: u64,
        path: &[u8],
        value: &[u8],
        proof: &[u8],
    ) -> Result<Verified<Membership>, Rejection> {
        let header = self.provable(height)?;
        let key = self.config.key(path);
        ics23::verify_membership(&header.root, StoreKey { store: self.config.store(), key: &key }, value, proof)?;
        let fact = Membership { height, timestamp: header.timestamp, path: path.to_vec(), value: value.to_vec() };
        Ok(Verified::new(self.instance, fact))
    }

    fn absence(&self, height: u64, path: &[u8], proof: &[u8]) -> Result<Verified<Absence>, Rejection> {
        let header = self.provable(height)?;
        let key = self.config.key(path);
        ics23::verify_absence(&header.root, StoreKey { store: self.config.store(), key: &key }, proof)?;
        let fact = Absence { height, timestamp: header.timestamp, path: path.to_vec() };
        Ok(Verified::new(self.instance, fact))
    }

    fn misbehaviour(&self, first: &[u8], second: &[u8], now: Timestamp) -> Result<Misbehaviour, Rejection> {
        Ok(misbehaviour::judge(self, &decode::update(first)?, &decode::update(second)?, now)?)
    }

    fn save(&self) -> Vec<u8> {
        saved::save(self)
    }
}
