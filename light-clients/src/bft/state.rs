//! The trusted state as bytes, and back.
//!
//! Canonical RLP `[version, instance, frozen, [set…], [header…]]`. A set is a list of validators; a header is
//! `[height, hash, parent hash, time, root, set, vote]` with an index into the list of sets, in ascending order of
//! heights. The newest [`SAVED_HEADERS`] headers are saved: what lies below can be filled in again from the chain, by
//! parent hashes, without trust in anybody.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use core::marker::PhantomData;

use super::types::{Ballot, BftError, Config, Trusted, ValidatorSet, ValidatorVote, MAX_VALIDATORS};
use super::verify::check_fault_tolerance;
use super::{Client, Form};
use crate::crypto::Address;
use crate::rlp::{put_bytes, put_list, put_uint, Item, RlpError};
use crate::trust::TrustError;
use crate::verdict::{Hash32, Root};

/// Headers that [`crate::LightClient::save`] keeps, newest first. About 120 bytes each.
pub const SAVED_HEADERS: usize = 256;

/// Version of the form above.
const VERSION: u64 = 1;

impl<F: Form> Client<F> {
    /// A client from bytes that [`crate::LightClient::save`] gave, against their SHA-256 digest, which the caller
    /// has kept where nobody else writes.
    ///
    /// # Errors
    /// [`TrustError::StateDigest`] when the bytes are not those; [`TrustError::StateInstance`] when they belong to
    /// another chain, anchor or router; [`TrustError::StateForm`] when they are of another version; and what
    /// [`Config::validate`] refuses.
    pub fn restore(config: Config, bytes: &[u8], digest: &Hash32) -> Result<Self, BftError> {
        config.validate::<F>()?;
        let got = Hash32::sha256(&[bytes]);
        if got != *digest {
            return Err(TrustError::StateDigest { got, expected: *digest }.into());
        }
        let state = State::decode(bytes).map_err(|_| TrustError::StateForm)?;
        let (instance, expected) = (state.instance, config.instance(F::FAMILY));
        if instance != expected.digest() {
            return Err(TrustError::StateInstance { got: instance, expected: expected.digest() }.into());
        }
        let head = state.headers.last_key_value().map(|(_, head)| head.clone()).ok_or(TrustError::StateForm)?;
        check_fault_tolerance(head.validators.len(), &config.trust)?;
        let (headers, frozen) = (state.headers, state.frozen);
        let mut client = Self { config, instance: expected, headers, head, frozen, form: PhantomData };
        // Equal bytes again, or the form has something that this version would lose.
        if client.encode_state() != bytes {
            return Err(TrustError::StateForm.into());
        }
        client.headers = client.headers.split_off(&client.lowest_retained());
        Ok(client)
    }

    /// The state as bytes.
    pub(super) fn encode_state(&self) -> Vec<u8> {
        let skip = self.headers.len().saturating_sub(SAVED_HEADERS);
        let mut sets: Vec<&ValidatorSet> = Vec::new();
        let mut headers = Vec::new();
        for trusted in self.headers.values().skip(skip) {
            // Sets change seldom, so a new one is compared with the last one only.
            if sets.last().is_none_or(|last| *last != &trusted.validators) {
                sets.push(&trusted.validators);
            }
            put_trusted(&mut headers, trusted, sets.len().saturating_sub(1));
        }
        let mut set_list = Vec::new();
        for set in sets {
            let mut addresses = Vec::new();
            set.iter().for_each(|address| put_bytes(&mut addresses, address.as_bytes()));
            put_list(&mut set_list, &addresses);
        }
        let mut payload = Vec::new();
        put_uint(&mut payload, VERSION);
        put_bytes(&mut payload, self.instance.digest().as_bytes());
        put_uint(&mut payload, u64::from(self.frozen));
        put_list(&mut payload, &set_list);
        put_list(&mut payload, &headers);
        let mut out = Vec::new();
        put_list(&mut out, &payload);
        out
    }
}

fn put_trusted(out: &mut Vec<u8>, trusted: &Trusted, set: usize) {
    let mut payload = Vec::new();
    put_uint(&mut payload, trusted.height);
    put_bytes(&mut payload, trusted.hash.as_bytes());
    put_bytes(&mut payload, trusted.parent_hash.as_bytes());
    put_uint(&mut payload, trusted.time_seconds);
    put_bytes(&mut payload, trusted.root.as_bytes());
    put_uint(&mut payload, set as u64);
    let mut vote = Vec::new();
    if let Some(cast) = trusted.vote {
        put_bytes(&mut vote, cast.candidate.as_bytes());
        put_uint(&mut vote, u64::from(cast.ballot == Ballot::Add));
    }
    put_list(&mut payload, &vote);
    put_list(out, &payload);
}

/// What the bytes say.
struct State {
    instance: Hash32,
    frozen: bool,
    headers: BTreeMap<u64, Trusted>,
}

impl State {
    fn decode(bytes: &[u8]) -> Result<Self, RlpError> {
        let [_version, instance, frozen, sets, headers] = Item::decode(bytes)?.exactly::<5>()?;
        let sets = sets.items(SAVED_HEADERS)?.into_iter().map(decode_set).collect::<Result<Vec<_>, _>>()?;
        let mut by_height = BTreeMap::new();
        for item in headers.items(SAVED_HEADERS)? {
            let trusted = decode_trusted(item, &sets)?;
            by_height.insert(trusted.height, trusted);
        }
        Ok(Self { instance: Hash32(instance.array()?), frozen: frozen.uint()? != 0, headers: by_height })
    }
}

fn decode_set(item: Item<'_>) -> Result<ValidatorSet, RlpError> {
    item.items(MAX_VALIDATORS)?.iter().map(|address| address.array().map(Address)).collect()
}

fn decode_trusted(item: Item<'_>, sets: &[ValidatorSet]) -> Result<Trusted, RlpError> {
    let [height, hash, parent_hash, time_seconds, root, set, vote] = item.exactly::<7>()?;
    // A set that is not there and a root of zero leave an item short, as far as the caller is concerned.
    let missing = RlpError::WrongItemCount { got: sets.len(), expected: sets.len().saturating_add(1) };
    let set = usize::try_from(set.uint()?).ok().and_then(|index| sets.get(index)).ok_or_else(|| missing.clone())?;
    let vote = match vote.items(2)?.as_slice() {
        [] => None,
        [candidate, ballot] => {
            let ballot = if ballot.uint()? == 1 { Ballot::Add } else { Ballot::Drop };
            Some(ValidatorVote { candidate: Address(candidate.array()?), ballot })
        }
        _ => return Err(missing),
    };
    Ok(Trusted {
        height: height.uint()?,
        hash: Hash32(hash.array()?),
        parent_hash: Hash32(parent_hash.array()?),
        time_seconds: time_seconds.uint()?,
        root: Root::new(&root.array::<32>()?).ok_or(missing)?,
        validators: set.clone(),
        vote,
    })
}
