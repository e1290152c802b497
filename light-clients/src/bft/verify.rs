//! The checks of one header, each a named predicate, in the order in which [`Candidate::new`], [`check_child`] and
//! [`check_sealed`] are called.
//!
//! 1. Form ([`Candidate::new`]), of the header alone: not block 0; difficulty 1 and the mix hash of Istanbul consensus;
//!    what else the family fixes; a state root that is not zero; a time within range. Then of its validators, which it
//!    lists in ascending order or which are proven from the contract that keeps them: none twice, none zero, at least
//!    four unless the operator accepts fewer; the proposer among them; no more seals than validators.
//! 2. Child ([`check_child`]), against the trusted header below: the parent hash, a later time, and a validator set
//!    that is the same, or differs by exactly what the vote in the trusted header asks for, or is proven.
//! 3. Seals ([`check_sealed`]): every seal recovers to a distinct validator of the header, `ceil(2n/3)` of them, and
//!    at least F + 1 of the trusted set among them, unless the set is proven from the trusted state itself.
//!
//! Policy for seals: one by a stranger, a repeated one or a malformed one refuses the whole header, as in Besu. An
//! honest chain writes none, and tolerating them would only give forgers room.

use alloc::vec::Vec;

use super::contract::Update;
use super::decode::RawHeader;
use super::types::{Ballot, BftError, Config, Trusted, ValidatorVote, MIN_FAULT_TOLERANT};
use super::Form;
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

/// A header that has the form of its family, with the validators that may propose and seal it, in ascending order.
#[derive(Clone, Debug)]
pub(crate) struct Candidate<'a, F> {
    pub(crate) header: RawHeader<'a, F>,
    pub(crate) validators: Vec<Address>,
    /// Whether the set has been proven from the state of the header's parent.
    pub(crate) proven: bool,
}

impl<'a, F: Form> Candidate<'a, F> {
    /// Checks what can be said of a header alone, and of the proof of its validators.
    pub(crate) fn new(update: Update<'a, F>, config: &Config) -> Result<Self, BftError> {
        check_constants(&update.header)?;
        let (validators, proven) = update.validators(config.validator_contract.as_ref())?;
        let header = update.header;
        check_validators(&validators, &config.trust)?;
        if validators.binary_search(&header.coinbase).is_err() {
            return Err(BftError::Proposer { coinbase: header.coinbase });
        }
        if header.extra.seals.len() > validators.len() {
            return Err(BftError::SealCount { got: header.extra.seals.len(), validators: validators.len() });
        }
        Ok(Self { header, validators, proven })
    }
}

/// Checks what the family fixes in every header.
fn check_constants<F: Form>(header: &RawHeader<'_, F>) -> Result<(), BftError> {
    if header.number == 0 {
        return Err(BftError::Genesis);
    }
    if header.difficulty != 1 {
        return Err(BftError::Difficulty { got: header.difficulty });
    }
    if header.mix_hash != ISTANBUL_MIX_HASH {
        return Err(BftError::MixHash { got: header.mix_hash, expected: ISTANBUL_MIX_HASH });
    }
    F::check_constants(header)?;
    if header.state_root == Hash32([0; 32]) {
        return Err(BftError::ZeroStateRoot);
    }
    if header.time_seconds > MAX_TIME_SECONDS {
        return Err(BftError::TimeRange { got_seconds: header.time_seconds });
    }
    Ok(())
}

/// Checks that a set is in ascending order without the zero address, and large enough for the operator.
fn check_validators(validators: &[Address], trust: &TrustOptions) -> Result<(), BftError> {
    match Members::new(validators) {
        Ok(_) => {}
        Err(QuorumError::Empty) => return Err(BftError::NoValidators),
        Err(QuorumError::Unordered { position }) => return Err(BftError::ValidatorOrder { position }),
        Err(error) => return Err(error.into()),
    }
    // In ascending order the zero address can only be the first.
    if validators.first().is_some_and(Address::is_zero) {
        return Err(BftError::ZeroValidator);
    }
    check_fault_tolerance(validators.len(), trust)
}

/// Checks that a set tolerates a fault, or that the operator accepts that it does not.
pub(crate) const fn check_fault_tolerance(validators: usize, trust: &TrustOptions) -> Result<(), BftError> {
    if validators < MIN_FAULT_TOLERANT && !trust.allow_no_fault_tolerance {
        return Err(BftError::NoFaultTolerance { got: validators });
    }
    Ok(())
}

/// Checks that a header follows the trusted one directly.
///
/// A set that differs is allowed only as the outcome of the vote in the trusted header: validators are voted in and
/// out one at a time, and it is the header with the deciding vote whose child first lists the new set. So forging
/// a change takes a vote in a header that is trusted already, besides the seals. A set that is kept in a contract needs
/// no vote: once the parent hash is the trusted one, it has been proven from the trusted state.
pub(crate) fn check_child<F: Form>(parent: &Trusted, child: &Candidate<'_, F>) -> Result<(), BftError> {
    let header = &child.header;
    if header.parent_hash != parent.hash {
        let (got, expected) = (header.parent_hash, parent.hash);
        return Err(BftError::Parent { height: header.number, got, expected });
    }
    check_time_order(parent, header)?;
    let change = SetChange::between(&parent.validators, &child.validators);
    if child.proven || change.is_none() || parent.vote.is_some_and(|vote| change.is_outcome_of(&vote)) {
        return Ok(());
    }
    Err(BftError::UnvotedChange { joined: change.joined.len(), left: change.left.len() })
}

/// Checks that a header's time is after that of a trusted one below it.
pub(crate) const fn check_time_order<F>(trusted: &Trusted, header: &RawHeader<'_, F>) -> Result<(), BftError> {
    if header.time_seconds > trusted.time_seconds {
        return Ok(());
    }
    Err(BftError::TimeOrder { got_seconds: header.time_seconds, trusted_seconds: trusted.time_seconds })
}

/// Checks every seal: distinct validators of the header, a quorum of them, and one honest one at least among the
/// trusted validators. Each signer is recovered once and looked up in both sets.
///
/// `trusted` is the header that trust comes from: none when the hash itself is pinned. The trusted validators have no
/// say when the header is its child and the set is proven from its state.
pub(crate) fn check_sealed<F: Form>(trusted: Option<&Trusted>, candidate: &Candidate<'_, F>) -> Result<(), BftError> {
    let (header, set) = (&candidate.header, candidate.validators.as_slice());
    let overlapping = trusted.filter(|trusted| !(candidate.proven && trusted.hash == header.parent_hash));
    let (own, trusted) = (Members::new(set)?, Members::new(overlapping.map_or(set, |trusted| &trusted.validators))?);
    let (mut seals, mut overlap) = (own.tally(), trusted.tally());
    let digest = header.seal_hash();
    for (position, seal) in header.extra.seals.iter().enumerate() {
        let signer = secp256k1::recover(digest.as_bytes(), seal).map_err(|error| BftError::Seal { position, error })?;
        match seals.vote(&signer) {
            Vote::Counted => {}
            Vote::Repeated => return Err(BftError::SealRepeated { position, signer }),
            Vote::Stranger => return Err(BftError::SealByStranger { position, signer }),
        }
        // A validator that is not in the trusted set is new, and adds nothing to the trusted votes.
        let _: Vote = overlap.vote(&signer);
    }
    seals.require(own.quorum())?;
    overlap.require(trusted.one_honest()).map_err(|_| BftError::Overlap {
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
