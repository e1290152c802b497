//! The checks of one header, each a named predicate, in the order in which [`check_form`], [`check_child`] and
//! [`check_seals`] are called.
//!
//! 1. Form ([`check_form`]), of the header alone: not block 0; difficulty 1 and the mix hash of Istanbul consensus;
//!    a state root that is not zero; a time within range; validators in ascending order, none twice, none zero, at
//!    least four unless the operator accepts fewer; the proposer among them; no more seals than validators. Nonce
//!    and ommers are not judged: Besu's QBFT rules ignore them.
//! 2. Child ([`check_child`]), against the trusted header below: the parent hash, a later time, and a validator set
//!    that is the same or differs by exactly what the vote in the trusted header asks for.
//! 3. Seals ([`check_seals`]): every seal recovers to a distinct validator of the header, `ceil(2n/3)` of them, and
//!    at least F + 1 of the trusted set among them.
//!
//! Policy for seals: one by a stranger, a repeated one or a malformed one refuses the whole header, as in Besu. An
//! honest chain writes none, and tolerating them would only give forgers room.

use alloc::vec::Vec;

use super::decode::RawHeader;
use super::types::{Ballot, QbftError, Trusted, ValidatorVote, MIN_FAULT_TOLERANT};
use crate::crypto::{secp256k1, Address};
use crate::quorum::{Members, QuorumError, Vote};
use crate::trust::TrustOptions;
use crate::verdict::Hash32;

/// The fixed mix hash that marks headers of Istanbul consensus (EIP-650): the end of a text about it, in ASCII.
const ISTANBUL_MIX_HASH: Hash32 = Hash32([
    0x63, 0x74, 0x69, 0x63, 0x61, 0x6c, 0x20, 0x62, 0x79, 0x7a, 0x61, 0x6e, 0x74, 0x69, 0x6e, 0x65, 0x20, 0x66, 0x61,
    0x75, 0x6c, 0x74, 0x20, 0x74, 0x6f, 0x6c, 0x65, 0x72, 0x61, 0x6e, 0x63, 0x65,
]);

/// The latest time of a header, in seconds: what [`crate::Timestamp`] can hold in nanoseconds.
const MAX_TIME_SECONDS: u64 = u64::MAX / 1_000_000_000;

/// Checks what can be said of a header alone.
pub(crate) fn check_form(header: &RawHeader<'_>, trust: &TrustOptions) -> Result<(), QbftError> {
    if header.number == 0 {
        return Err(QbftError::Genesis);
    }
    if header.difficulty != 1 {
        return Err(QbftError::Difficulty { got: header.difficulty });
    }
    if header.mix_hash != ISTANBUL_MIX_HASH {
        return Err(QbftError::MixHash { got: header.mix_hash, expected: ISTANBUL_MIX_HASH });
    }
    if header.state_root == Hash32([0; 32]) {
        return Err(QbftError::ZeroStateRoot);
    }
    if header.time_seconds > MAX_TIME_SECONDS {
        return Err(QbftError::TimeRange { got_seconds: header.time_seconds });
    }
    let validators = header.extra.validators.as_slice();
    check_validators(validators, trust)?;
    if validators.binary_search(&header.coinbase).is_err() {
        return Err(QbftError::Proposer { coinbase: header.coinbase });
    }
    if header.extra.seals.len() > validators.len() {
        return Err(QbftError::SealCount { got: header.extra.seals.len(), validators: validators.len() });
    }
    Ok(())
}

/// Checks that a set is in ascending order without the zero address, and large enough for the operator.
fn check_validators(validators: &[Address], trust: &TrustOptions) -> Result<(), QbftError> {
    match Members::new(validators) {
        Ok(_) => {}
        Err(QuorumError::Empty) => return Err(QbftError::NoValidators),
        Err(QuorumError::Unordered { position }) => return Err(QbftError::ValidatorOrder { position }),
        Err(error) => return Err(error.into()),
    }
    // In ascending order the zero address can only be the first.
    if validators.first().is_some_and(Address::is_zero) {
        return Err(QbftError::ZeroValidator);
    }
    check_fault_tolerance(validators.len(), trust)
}

/// Checks that a set tolerates a fault, or that the operator accepts that it does not.
pub(crate) const fn check_fault_tolerance(validators: usize, trust: &TrustOptions) -> Result<(), QbftError> {
    if validators < MIN_FAULT_TOLERANT && !trust.allow_no_fault_tolerance {
        return Err(QbftError::NoFaultTolerance { got: validators });
    }
    Ok(())
}

/// Checks that a header follows the trusted one directly.
///
/// A set that differs is allowed only as the outcome of the vote in the trusted header: validators are voted in and
/// out one at a time, and it is the header with the deciding vote whose child first lists the new set. So forging
/// a change takes a vote in a header that is trusted already, besides the seals.
pub(crate) fn check_child(parent: &Trusted, header: &RawHeader<'_>) -> Result<(), QbftError> {
    if header.parent_hash != parent.hash {
        let (got, expected) = (header.parent_hash, parent.hash);
        return Err(QbftError::Parent { height: header.number, got, expected });
    }
    check_time_order(parent, header)?;
    let change = SetChange::between(&parent.validators, &header.extra.validators);
    if change.is_none() || parent.vote.is_some_and(|vote| change.is_outcome_of(&vote)) {
        return Ok(());
    }
    Err(QbftError::UnvotedChange { joined: change.joined.len(), left: change.left.len() })
}

/// Checks that a header's time is after that of a trusted one below it.
pub(crate) const fn check_time_order(trusted: &Trusted, header: &RawHeader<'_>) -> Result<(), QbftError> {
    if header.time_seconds > trusted.time_seconds {
        return Ok(());
    }
    Err(QbftError::TimeOrder { got_seconds: header.time_seconds, trusted_seconds: trusted.time_seconds })
}

/// Checks every seal: distinct validators of the header, a quorum of them, and one honest one at least among the
/// trusted validators. Each signer is recovered once and looked up in both sets.
pub(crate) fn check_seals(trusted: &[Address], header: &RawHeader<'_>) -> Result<(), QbftError> {
    let (own, trusted) = (Members::new(&header.extra.validators)?, Members::new(trusted)?);
    let (mut seals, mut overlap) = (own.tally(), trusted.tally());
    let digest = header.seal_hash();
    for (position, seal) in header.extra.seals.iter().enumerate() {
        let signer =
            secp256k1::recover(digest.as_bytes(), seal).map_err(|error| QbftError::Seal { position, error })?;
        match seals.vote(&signer) {
            Vote::Counted => {}
            Vote::Repeated => return Err(QbftError::SealRepeated { position, signer }),
            Vote::Stranger => return Err(QbftError::SealByStranger { position, signer }),
        }
        // A validator that is not in the trusted set is new, and adds nothing to the trusted votes.
        let _: Vote = overlap.vote(&signer);
    }
    seals.require(own.quorum())?;
    overlap.require(trusted.one_honest()).map_err(|_| QbftError::Overlap {
        got: overlap.votes(),
        needed: trusted.one_honest(),
        trusted: trusted.count().get(),
    })
}

/// How one validator set differs from another.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct SetChange {
    joined: Vec<Address>,
    left: Vec<Address>,
}

impl SetChange {
    /// The change from one ascending set to another.
    pub(crate) fn between(from: &[Address], to: &[Address]) -> Self {
        let missing = |these: &[Address], there: &[Address]| -> Vec<Address> {
            these.iter().filter(|address| there.binary_search(address).is_err()).copied().collect()
        };
        Self { joined: missing(to, from), left: missing(from, to) }
    }

    /// Validators that joined or left.
    pub(crate) fn count(&self) -> usize {
        self.joined.len().saturating_add(self.left.len())
    }

    fn is_none(&self) -> bool {
        self.count() == 0
    }

    fn is_outcome_of(&self, vote: &ValidatorVote) -> bool {
        match (vote.ballot, self.joined.as_slice(), self.left.as_slice()) {
            (Ballot::Add, [joined], []) => *joined == vote.candidate,
            (Ballot::Drop, [], [left]) => *left == vote.candidate,
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    #[test]
    fn the_mix_hash_is_the_text_that_istanbul_put_there() {
        assert_eq!(ISTANBUL_MIX_HASH.as_bytes(), b"ctical byzantine fault tolerance");
    }

    #[test]
    fn a_change_is_the_outcome_of_one_vote_for_its_candidate_only() {
        let set = |bytes: &[u8]| bytes.iter().map(|b| Address([*b; 20])).collect::<Vec<_>>();
        let vote = |byte, ballot| ValidatorVote { candidate: Address([byte; 20]), ballot };
        fn check(from: &[Address], to: &[Address], vote: ValidatorVote, expect: bool) {
            assert_eq!(SetChange::between(from, to).is_outcome_of(&vote), expect, "{from:?} {to:?} {vote:?}");
        }
        let four = set(&[1, 2, 3, 4]);
        check(&four, &set(&[1, 2, 3, 4, 5]), vote(5, Ballot::Add), true);
        check(&four, &set(&[1, 2, 3, 4, 5]), vote(6, Ballot::Add), false);
        check(&four, &set(&[1, 2, 3, 4, 5]), vote(5, Ballot::Drop), false);
        check(&four, &set(&[1, 2, 3]), vote(4, Ballot::Drop), true);
        check(&four, &set(&[1, 2, 3]), vote(3, Ballot::Drop), false);
        check(&four, &set(&[1, 2, 3]), vote(4, Ballot::Add), false);
        check(&four, &set(&[1, 2, 3, 5]), vote(5, Ballot::Add), false);
        check(&four, &set(&[1, 2, 3, 5]), vote(4, Ballot::Drop), false);
        check(&four, &set(&[1, 2, 3, 4, 5, 6]), vote(5, Ballot::Add), false);
        check(&four, &set(&[1, 2]), vote(3, Ballot::Drop), false);
        check(&four, &four, vote(5, Ballot::Add), false);
        assert_eq!(SetChange::between(&four, &set(&[3, 4, 5])).count(), 3);
    }
}
