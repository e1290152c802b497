//! Judges a decoded update against trusted facts. Pure: nothing is remembered here.
//!
//! Order of checks for the header after a trusted one: chain id, trusting period (the caller's), the link to the
//! trusted header, the announced validators, time, clock drift, the shape of the commit, the power that claims to have
//! signed, and last the signatures, by the wrapped library, which repeats most of the above for itself.
//!
//! The library leaves these to its caller, and they are checked here or in [`decode`](super::decode): that the last
//! block id of an adjacent header is the trusted hash; that slot *i* of a commit is validator *i* or empty; that
//! sets have distinct ed25519 validators of positive power in the chain's order; sizes; canonical bytes.
//!
//! Not checked, because a light client cannot: that the time of a header is the median of its votes, that the
//! proposer was entitled to propose, and anything inside the block.

use alloc::string::{String, ToString};
use core::time::Duration;

use tendermint_light_client_verifier::errors::VerificationErrorDetail as Detail;
use tendermint_light_client_verifier::options::Options;
use tendermint_light_client_verifier::types::{Time, TrustThreshold, TrustedBlockState, UntrustedBlockState};
use tendermint_light_client_verifier::{ProdVerifier, Verdict as LibraryVerdict, Verifier};

use super::decode::{hex, Update, Vote};
use super::types::{CometBftError, Retained, ValidatorSet};
use crate::quorum;
use crate::trust::{TrustError, TrustOptions};
use crate::verdict::{Hash32, Timestamp};

/// Longest duration that is handed to the library, in seconds: 7,000 years, so that no sum of times leaves its
/// calendar, which ends in the year 9999. Expiry is judged by [`TrustOptions`] before the library is asked.
const MAX_LIBRARY_SECONDS: u64 = 220_903_200_000;

/// A trusted header with what a successor is judged by.
#[derive(Clone, Copy, Debug)]
pub(super) struct Base<'a> {
    pub(super) chain_id: &'a str,
    pub(super) height: u64,
    pub(super) header: &'a Retained,
    /// The set of `header.next_validators_hash`, where it is known. Needed to skip.
    pub(super) next_validators: Option<&'a ValidatorSet>,
}

/// Whether a time ahead of the clock is refused.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Purpose {
    /// An update: the time must not be ahead of the clock.
    Update,
    /// Evidence: validators that sign the future are what evidence is for.
    Evidence,
}

/// When and by which limits is judged.
#[derive(Clone, Copy, Debug)]
pub(super) struct Terms<'a> {
    pub(super) options: &'a TrustOptions,
    pub(super) now: Timestamp,
    pub(super) purpose: Purpose,
}

/// Judges the header right after `base`, or further up when more than a third of the trusted validators signed it.
pub(super) fn successor(
    update: &Update,
    set: &ValidatorSet,
    base: Base<'_>,
    terms: Terms<'_>,
) -> Result<(), CometBftError> {
    let adjacent = base.height.checked_add(1) == Some(update.height);
    if adjacent {
        follows(update, Some(base.header.hash))?;
        announced(update, base.header.next_validators_hash)?;
    }
    if update.time <= base.header.time {
        return Err(CometBftError::Time { height: update.height, got: update.time, after: base.header.time });
    }
    if terms.purpose == Purpose::Update && terms.options.is_from_future(update.time, terms.now) {
        let drift_seconds = terms.options.clock_drift_seconds;
        return Err(TrustError::FromFuture { timestamp: update.time, now: terms.now, drift_seconds }.into());
    }
    commit_shape(update, set)?;
    let trusted_validators = if adjacent {
        set
    } else {
        let trusted = base.next_validators.ok_or(CometBftError::NotAdjacent {
            trusted_height: base.height,
            target_height: update.height,
            why: "the validators that the trusted header announced are not known",
        })?;
        // Claimed by flags alone, so a header that cannot pass costs no signature check.
        let got = power_of_votes(update, trusted);
        if !quorum::exceeds_one_third(got, trusted.total_power) {
            return Err(CometBftError::Power13 { got, total: trusted.total_power });
        }
        trusted
    };
    library_successor(update, set, base, trusted_validators, terms)
}

/// Judges a header whose validators are known to be those of its height: the anchor's, or a second header at a
/// retained height. More than two thirds of them signed it.
pub(super) fn committed(update: &Update, set: &ValidatorSet) -> Result<(), CometBftError> {
    commit_shape(update, set)?;
    let untrusted = untrusted(update, set);
    let verifier = ProdVerifier::default();
    for verdict in [verifier.verify_validator_sets(&untrusted), verifier.verify_commit(&untrusted)] {
        accepted(update, verdict)?;
    }
    Ok(())
}

/// The header's last block is the one expected.
pub(super) fn follows(update: &Update, expected: Option<Hash32>) -> Result<(), CometBftError> {
    if update.last_block == expected {
        return Ok(());
    }
    let shown = |hash: Option<Hash32>| hash.unwrap_or(Hash32([0; 32]));
    Err(CometBftError::LastBlockId { height: update.height, got: shown(update.last_block), expected: shown(expected) })
}

/// The header is of the validators that a trusted header announced.
pub(super) fn announced(update: &Update, expected: Hash32) -> Result<(), CometBftError> {
    if update.validators_hash == expected {
        return Ok(());
    }
    Err(CometBftError::UnannouncedValidators { height: update.height, got: update.validators_hash, expected })
}

/// One slot a validator, in the set's order, and more than two thirds of the power claim to have signed the block.
fn commit_shape(update: &Update, set: &ValidatorSet) -> Result<(), CometBftError> {
    if update.votes.len() != set.validators.len() {
        return Err(CometBftError::SignatureCount { got: update.votes.len(), expected: set.validators.len() });
    }
    let mut got = 0u64;
    for (position, (vote, validator)) in update.votes.iter().zip(&set.validators).enumerate() {
        let (Vote::Nil(address) | Vote::Block(address)) = vote else { continue };
        if *address != validator.address {
            let (got, expected) = (hex(address), hex(&validator.address));
            return Err(CometBftError::SignatureOrder { position, got, expected });
        }
        if matches!(vote, Vote::Block(_)) {
            got = got.saturating_add(validator.power);
        }
    }
    if quorum::exceeds_two_thirds(got, set.total_power) {
        Ok(())
    } else {
        Err(CometBftError::Power23 { got, total: set.total_power })
    }
}

/// Power that the voters for the block have in another set. Voters are distinct: the shape was checked before.
fn power_of_votes(update: &Update, set: &ValidatorSet) -> u64 {
    let mut voters: alloc::vec::Vec<[u8; 20]> = update
        .votes
        .iter()
        .filter_map(|vote| match vote {
            Vote::Block(address) => Some(*address),
            Vote::Absent | Vote::Nil(_) => None,
        })
        .collect();
    voters.sort_unstable();
    set.validators
        .iter()
        .filter(|validator| voters.binary_search(&validator.address).is_ok())
        .fold(0u64, |power, validator| power.saturating_add(validator.power))
}

fn untrusted<'a>(update: &'a Update, set: &'a ValidatorSet) -> UntrustedBlockState<'a> {
    UntrustedBlockState {
        signed_header: &update.signed_header,
        validators: &set.library,
        next_validators: update.next_validators.as_ref().map(|next| &next.library),
    }
}

fn library_successor(
    update: &Update,
    set: &ValidatorSet,
    base: Base<'_>,
    trusted_validators: &ValidatorSet,
    terms: Terms<'_>,
) -> Result<(), CometBftError> {
    let library = |what: &str| CometBftError::Library { height: update.height, detail: String::from(what) };
    let chain_id = tendermint::chain::Id::try_from(base.chain_id).map_err(|_| library("chain id"))?;
    let trusted = TrustedBlockState {
        chain_id: &chain_id,
        header_time: time(base.header.time).ok_or_else(|| library("trusted time"))?,
        height: tendermint::block::Height::try_from(base.height).map_err(|_| library("trusted height"))?,
        next_validators: &trusted_validators.library,
        next_validators_hash: tendermint::Hash::Sha256(base.header.next_validators_hash.0),
    };
    let seconds = |seconds: u64| Duration::from_secs(seconds.min(MAX_LIBRARY_SECONDS));
    let options = Options {
        trust_threshold: TrustThreshold::ONE_THIRD,
        trusting_period: seconds(terms.options.trusting_period_seconds),
        clock_drift: seconds(terms.options.clock_drift_seconds),
    };
    let now = time(terms.now).ok_or_else(|| library("now"))?;
    let verifier = ProdVerifier::default();
    let verdict = match terms.purpose {
        Purpose::Update => verifier.verify_update_header(untrusted(update, set), trusted, &options, now),
        Purpose::Evidence => verifier.verify_misbehaviour_header(untrusted(update, set), trusted, &options, now),
    };
    accepted(update, verdict)
}

fn time(timestamp: Timestamp) -> Option<Time> {
    let nanos = u32::try_from(timestamp.nanos % 1_000_000_000).ok()?;
    Time::from_unix_timestamp(i64::try_from(timestamp.seconds()).ok()?, nanos).ok()
}

/// What the library found that our checks before it cannot: signatures that do not verify. Anything else is a
/// disagreement.
fn accepted(update: &Update, verdict: LibraryVerdict) -> Result<(), CometBftError> {
    match verdict {
        LibraryVerdict::Success => Ok(()),
        LibraryVerdict::NotEnoughTrust(tally) => Err(CometBftError::Power13 { got: tally.tallied, total: tally.total }),
        LibraryVerdict::Invalid(Detail::InvalidSignature(detail)) => {
            Err(CometBftError::Signature { address: hex(detail.validator.address.as_bytes()), hash: update.hash })
        }
        LibraryVerdict::Invalid(detail) => {
            Err(CometBftError::Library { height: update.height, detail: detail.to_string() })
        }
    }
}
