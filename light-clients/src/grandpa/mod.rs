//! The GRANDPA light client of a Substrate chain: headers finalised by the votes of its authorities, states proven by
//! tries.
//!
//! # What finality says, and what it leaves open
//!
//! A justification is a set of signed precommits: (block, round, id of the authority set). From weight
//! `total - floor((total - 1) / 3)` on it finalises the block and all its ancestors (`verify`). Two things it does not
//! say. It names no network, so authorities who use their keys on another one justify blocks there that look like ours.
//! And it covers only blocks that its set has the right to finalise, which ends with the block that hands over to the
//! next set; what the old set signs beyond that block is worth nothing, and nothing in a later header shows it.
//!
//! # Every header between is given
//!
//! So a justified header is trusted only with the headers below it, down to the trusted one (`LC-GRANDPA-029` and `-030`
//! when it is not): their parent hashes bind it to the anchor, and their digests are read one by one. A change of the
//! authorities in any of them but the justified one refuses the update (GR-07, `LC-GRANDPA-015`): the block with the
//! change is *mandatory* for honest authorities, who never vote beyond it before it is final, so it has a justification
//! of its own, and comes first. Headers are small and hashing them is cheap; what a long way costs is their bytes.
//!
//! Besides, the state of the subject is proven to be one of the set that was followed to: `Grandpa.CurrentSetId` must be
//! the trusted id plus the handovers that were followed (`LC-GRANDPA-033`).
//!
//! With `skipping` on, the headers between may be left out, and an update is a chain of fragments as in warp sync: each
//! header that hands over, with its justification, and then the one that is wanted. Then two arguments stand in for the
//! headers: authorities of which less than a third misbehave do not vote beyond their own handover; and if an update
//! leaves out a handover on its own chain, the set id in the state of the subject is higher than the handovers that were
//! followed. Both are about honest majorities of sets within the trusting period, which is what trust rests on anyway.
//! What is lost is the binding to the anchor, so it needs keys that serve one network. That is the operator's to know.
//!
//! # Changes of the authorities
//!
//! Followed is a scheduled change with delay 0 (what `pallet_session` makes), in the header of the justified block. The
//! next set has the id one higher and finalises the blocks after it. Refused are: a forced change (`-012`), by which
//! people go on when finality has stopped, so that no signature can vouch for it and a person must; a delay (`-014`); two
//! changes in one header (`-013`); a message of GRANDPA that cannot be read (`-011`). `OnDisabled`, `Pause` and `Resume`
//! ask authorities to vote or not to vote; they change nobody's weight, and have no effect here. The first header of a
//! set in which more authorities changed than the churn limit allows is held for a person: until then only authorities
//! that were trusted before have signed anything that is believed.
//!
//! # Time
//!
//! A header has no time. It is proven from the state: see `state`. An update carries that proof, and the trusting period
//! and the clock drift are judged by it. Headers on the way need none, being older than the subject.
//!
//! # Where commitments are
//!
//! In a storage item of a pallet, under its prefix and the path ([`Store::key`]), the value's bytes as they are. A proof is
//! a set of nodes ([`crate::proof::trie`]). A proof of absence also shows the pallet's storage version: under a mistyped
//! name, everything would be absent.
//!
//! # Conflict
//!
//! A justified header on another branch, whose line of headers leads down to a retained one, freezes the client until a
//! person sets a new anchor. What freezes and what does not is in `misbehaviour`.
//!
//! # Caller's duties
//!
//! Compare the anchor with people, not with an endpoint. Give `now` from a clock that is right to within the configured
//! drift. Keep the digest of [`save`](LightClient::save) where an attacker cannot write.
//!
//! # What an attacker can grow
//!
//! Nothing. Only verified headers are kept, at most `retain_heights` of about 120 bytes, and at most [`MAX_KEPT_SETS`]
//! authority sets of at most [`MAX_AUTHORITIES`]. An update is at most [`MAX_UPDATE_BYTES`], each list in it is counted
//! before it is read, and before the first signature is checked the votes must be of distinct authorities with enough
//! weight, for this header.
//!
//! # Cases
//! GR-01 to GR-14 of the design page are the tests `gr_01_…` to `gr_14_…`, ST-01 to ST-08 are `st_01_…` to `st_08_…`.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use crate::proof::trie;
use crate::trust::TrustError;
use crate::verdict::{
    Absence, Family, Hash32, Header, InstanceId, LightClient, Membership, Misbehaviour, Rejection, Status, Timestamp,
    Verdict, Verified,
};

mod advance;
mod decode;
mod digest;
mod error;
mod misbehaviour;
mod saved;
mod state;
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

pub use decode::{
    block_hash, encode_ballot, encode_finalised, encode_header, encode_linked, header_hash, state_keys, FragmentParts,
    HeaderParts, StateParts, MAX_DIGEST_ITEMS, MAX_FRAGMENTS, MAX_HEADER_BYTES, MAX_LINE_HEADERS, MAX_UPDATE_BYTES,
};
pub use error::{GrandpaError, BROKEN_LINK, BROKEN_TIME, EQUIVOCATION, FORK};
pub use saved::SAVED_HEADERS;
pub use types::{
    Config, Store, MAX_AUTHORITIES, MAX_CHAIN_ID_BYTES, MAX_NAME_BYTES, MAX_PATH_BYTES, MIN_FAULT_TOLERANT,
};
pub use verify::without_repeats;

use decode::Update;
use types::{AuthoritySet, Retained};

/// Most authority sets that are kept: the current one, the one before it, and older ones of retained headers, about
/// which evidence can still be judged.
pub const MAX_KEPT_SETS: usize = 8;

/// A light client of one Substrate chain with GRANDPA finality.
#[derive(Clone, Debug)]
pub struct Grandpa {
    config: Config,
    instance: InstanceId,
    /// Verified headers by height: the anchor at first, the newest `retain_heights` later.
    retained: BTreeMap<u64, Retained>,
    head_height: u64,
    head: Retained,
    /// By id. The current set is always there.
    sets: BTreeMap<u64, AuthoritySet>,
    frozen: bool,
}

impl Grandpa {
    /// A light client that trusts the anchor. `anchor_update` is an update for the anchor's height with a proof of the
    /// authorities (see [`encode_finalised`]): the pinned hash vouches for its state, and the state for the authorities.
    ///
    /// Where those authorities are the ones that justified the header, its justification is checked as well: the hash
    /// alone is what a person pinned, and a block that was never final is a mistake of theirs to catch. A header that
    /// hands over was justified by authorities that are not known, and is taken at the person's word.
    ///
    /// # Errors
    /// [`GrandpaError::Config`] for what can never work, [`TrustError::AnchorHeight`] or [`TrustError::AnchorHash`] when
    /// the header is another than the pinned one, otherwise the check of the update that failed.
    pub fn new(config: Config, anchor_update: &[u8]) -> Result<Self, GrandpaError> {
        config.check()?;
        let update = match decode::update(anchor_update)? {
            Update::Finalised(update) if update.before.is_empty() => update,
            Update::Finalised(_) => {
                return Err(GrandpaError::Kind { got: "a chain of handovers", expected: "one justified header" });
            }
            other => return Err(GrandpaError::Kind { got: other.kind(), expected: "a justified header" }),
        };
        let (subject, anchor) = (&update.subject, &config.anchor);
        if subject.number != anchor.height {
            return Err(TrustError::AnchorHeight { got: subject.number, expected: anchor.height }.into());
        }
        if subject.hash != anchor.hash {
            let (height, got, expected) = (anchor.height, subject.hash, anchor.hash);
            return Err(TrustError::AnchorHash { height, got, expected }.into());
        }
        let facts = state::read(subject, &update.state)?;
        let set = AuthoritySet::new(facts.set_id, facts.authorities.ok_or(GrandpaError::NoAuthorities)?)?;
        set.check_fault_tolerance(&config.trust)?;
        let line = &update.last.line;
        advance::check_no_change_below(line, subject.number)?;
        let handover = subject.change()?.is_some();
        if line.top.number > subject.number || !handover {
            advance::check_set_id(&update.last, set.id)?;
            verify::justified(&line.top, &update.last.justification, &set)?;
        }
        let head = advance::retained_from(subject, facts.time, set.id, handover)?;
        Ok(Self {
            instance: config.instance(),
            retained: BTreeMap::from([(subject.number, head.clone())]),
            head_height: subject.number,
            head,
            sets: BTreeMap::from([(set.id, set)]),
            frozen: false,
            config,
        })
    }

    /// The light client whose [`save`](LightClient::save) gave these bytes; `digest` is their SHA-256 as the journal
    /// kept it.
    ///
    /// # Errors
    /// [`TrustError::StateDigest`], [`TrustError::StateInstance`] or [`TrustError::StateForm`]; in each case
    /// verification starts again from the anchor.
    pub fn restore(config: Config, bytes: &[u8], digest: &Hash32) -> Result<Self, GrandpaError> {
        config.check()?;
        saved::restore(config, bytes, digest)
    }

    /// Id of the authority set that finalises the block after the newest verified header.
    #[must_use]
    pub const fn set_id(&self) -> u64 {
        self.head.set_id
    }

    /// The set that finalises the block after the newest verified header.
    fn current(&self) -> Result<&AuthoritySet, GrandpaError> {
        self.kept_set(self.head.set_id)
    }

    fn kept_set(&self, set_id: u64) -> Result<&AuthoritySet, GrandpaError> {
        self.sets.get(&set_id).ok_or(GrandpaError::UnknownSet { set_id, current: self.head.set_id })
    }

    /// How many authorities changed at the newest header, and how many there were, if it hands over. The set before
    /// the anchor's is not known: a person vouches for the anchor's own.
    fn handover_churn(&self) -> Option<(usize, usize)> {
        let before = self.head.set_id.checked_sub(1).filter(|_| self.head.handover)?;
        let (before, current) = (self.sets.get(&before)?, self.sets.get(&self.head.set_id)?);
        Some((before.churn(current), before.members().len()))
    }

    /// Trust in a header of this time has not ended.
    fn check_expired(&self, time: Timestamp, now: Timestamp) -> Result<(), GrandpaError> {
        if self.config.trust.is_expired(time, now) {
            return Err(TrustError::Expired { expired_at: self.config.trust.expires_at(time), now }.into());
        }
        Ok(())
    }

    fn capacity(&self) -> usize {
        usize::try_from(self.config.trust.retain_heights).unwrap_or(usize::MAX)
    }

    /// Keeps the current set, the one before it and those that follow a retained header, but no more than are kept.
    fn forget_sets(&mut self) {
        let oldest = self.retained.values().map(|header| header.set_id).min().unwrap_or(self.head.set_id);
        let oldest = oldest.min(self.head.set_id.saturating_sub(1));
        self.sets = self.sets.split_off(&oldest);
        while self.sets.len() > MAX_KEPT_SETS {
            self.sets.pop_first();
        }
    }

    fn verified_at(&self, height: u64) -> Verdict {
        let header = self.retained.get(&height).map(|header| Verified::new(self.instance, header.state(height)));
        Verdict::Verified(header)
    }

    /// The state that a proof at `height` is checked against.
    fn provable(&self, height: u64) -> Result<Header, GrandpaError> {
        if self.frozen {
            return Err(TrustError::Frozen.into());
        }
        let unknown = GrandpaError::HeightUnknown { height, newest: self.head_height };
        self.retained.get(&height).map(|header| header.state(height)).ok_or(unknown)
    }

    fn check_path(path: &[u8]) -> Result<(), GrandpaError> {
        if path.is_empty() || path.len() > MAX_PATH_BYTES {
            return Err(GrandpaError::PathLength { got_bytes: path.len(), max_bytes: MAX_PATH_BYTES });
        }
        Ok(())
    }

    fn check_membership(
        &self,
        height: u64,
        path: &[u8],
        value: &[u8],
        proof: &[u8],
    ) -> Result<Verified<Membership>, GrandpaError> {
        let header = self.provable(height)?;
        Self::check_path(path)?;
        if value.is_empty() {
            return Err(GrandpaError::ValueEmpty);
        }
        let key = self.config.store.key(path);
        let found = trie::lookup(&header.root, &[&key], &trie::decode_proof(proof)?)?;
        let got = found.first().copied().flatten().ok_or(GrandpaError::ValueAbsent { height })?;
        if got != value {
            let (got, expected) = (Hash32::sha256(&[got]), Hash32::sha256(&[value]));
            return Err(GrandpaError::ValueMismatch { height, got, expected });
        }
        let (timestamp, path, value) = (header.timestamp, path.to_vec(), value.to_vec());
        Ok(Verified::new(self.instance, Membership { height, timestamp, path, value }))
    }

    fn check_absence(&self, height: u64, path: &[u8], proof: &[u8]) -> Result<Verified<Absence>, GrandpaError> {
        let header = self.provable(height)?;
        Self::check_path(path)?;
        let (key, witness) = (self.config.store.key(path), self.config.store.witness_key());
        let found = trie::lookup(&header.root, &[&key, &witness], &trie::decode_proof(proof)?)?;
        match found.as_slice() {
            [Some(got), _] => Err(GrandpaError::ValuePresent { height, got: Hash32::sha256(&[got]) }),
            [None, Some(_)] => {
                let (timestamp, path) = (header.timestamp, path.to_vec());
                Ok(Verified::new(self.instance, Absence { height, timestamp, path }))
            }
            _ => Err(GrandpaError::StoreMissing { height }),
        }
    }
}

impl LightClient for Grandpa {
    fn status(&self) -> Status {
        Status {
            family: Family::Grandpa,
            instance: self.instance,
            chain_id: self.config.chain_id.clone(),
            trusted_height: self.head_height,
            trusted_hash: self.head.hash,
            trusted_timestamp: self.head.time,
            provable_height: self.head_height,
            expires_at: self.config.trust.expires_at(self.head.time),
            validators: self.current().map_or(0, |set| set.members().len()),
            frozen: self.frozen,
        }
    }

    fn advance(&mut self, update: &[u8], now: Timestamp) -> Verdict {
        let trusted_height = self.head_height;
        match self.judge(update, now) {
            Ok(verdict) => verdict,
            // A conflict with an older header that has expired is refused; the client has not expired with it.
            Err(GrandpaError::Trust(TrustError::Expired { expired_at, now }))
                if self.check_expired(self.head.time, now).is_err() =>
            {
                Verdict::Expired { expired_at, now }
            }
            Err(GrandpaError::Trust(held @ TrustError::Churn { .. })) => Verdict::Held(held.into()),
            Err(error @ GrandpaError::SetAhead { height: target_height, .. }) => {
                Verdict::NeedsIntermediate { trusted_height, target_height, reason: error.into() }
            }
            Err(error @ GrandpaError::Gap { to, .. }) => {
                let target_height = to.saturating_add(1);
                Verdict::NeedsIntermediate { trusted_height, target_height, reason: error.into() }
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
        Ok(self.check_membership(height, path, value, proof)?)
    }

    fn absence(&self, height: u64, path: &[u8], proof: &[u8]) -> Result<Verified<Absence>, Rejection> {
        Ok(self.check_absence(height, path, proof)?)
    }

    fn misbehaviour(&self, first: &[u8], second: &[u8], now: Timestamp) -> Result<Misbehaviour, Rejection> {
        Ok(misbehaviour::judge(self, &decode::update(first)?, &decode::update(second)?, now)?)
    }

    fn save(&self) -> Vec<u8> {
        saved::save(self)
    }
}
