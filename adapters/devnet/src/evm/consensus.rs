//! Validators: their keys, votes, rounds and seals.

use std::collections::{BTreeMap, BTreeSet};

use alloy_primitives::U256;
use catenary_light_clients::crypto::{keccak256, Address};
use catenary_light_clients::quorum::two_thirds_of;
use catenary_light_clients::sealing::{validator_slots, Encoding, HeaderSpec, Key};

use super::fault::EvmFault;
use super::state::State;

/// How a network agrees, and where its validators stand.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum ConsensusKind {
    /// QBFT with the validators in the header.
    #[default]
    Qbft,
    /// QBFT with the validators in a contract ([`VALIDATOR_CONTRACT`]); headers list none.
    QbftContract,
    /// IBFT 2.0.
    Ibft2,
}

/// Where the validators stand in contract mode: the address that Besu's documentation uses.
pub const VALIDATOR_CONTRACT: [u8; 20] = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x77, 0x77];
/// The storage slot at which that contract declares its `address[]`.
pub const VALIDATOR_SLOT: [u8; 32] = [0; 32];
/// Most validators of a devnet; the light clients take 256.
pub const VALIDATORS_MAX: usize = 64;

impl ConsensusKind {
    /// How headers are written.
    #[must_use]
    pub const fn encoding(self) -> Encoding {
        match self {
            Self::Qbft | Self::QbftContract => Encoding::Qbft,
            Self::Ibft2 => Encoding::Ibft2,
        }
    }
}

/// A vote on a validator.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Ballot {
    /// Who is voted on.
    pub candidate: Address,
    /// Whether to take it in (or out).
    pub add: bool,
}

/// What the chain has agreed on up to a block.
#[derive(Clone, Debug, Default)]
pub(super) struct Consensus {
    /// Validators of the next block, ascending.
    pub(super) validators: Vec<Address>,
    /// Who has voted for what.
    votes: BTreeMap<Ballot, BTreeSet<Address>>,
}

impl Consensus {
    /// The set at the start.
    pub(super) fn new(mut validators: Vec<Address>) -> Self {
        validators.sort_unstable();
        Self { validators, votes: BTreeMap::new() }
    }

    /// The vote that `proposer` casts: the first wish that it has not voted for yet.
    pub(super) fn vote_of(&self, proposer: &Address, wishes: &[Ballot]) -> Option<Ballot> {
        let open = |ballot: &&Ballot| self.validators.contains(&ballot.candidate) != ballot.add;
        let voted = |ballot: &Ballot| self.votes.get(ballot).is_some_and(|voters| voters.contains(proposer));
        wishes.iter().filter(open).find(|ballot| !voted(ballot)).copied()
    }

    /// The set after a block with this vote: it changes once more than half have voted.
    pub(super) fn after(&self, proposer: Address, vote: Option<Ballot>) -> Self {
        let mut next = self.clone();
        let Some(ballot) = vote else { return next };
        let voters = next.votes.entry(ballot).or_default();
        voters.insert(proposer);
        if voters.len() * 2 > self.validators.len() {
            next.validators.retain(|validator| *validator != ballot.candidate);
            if ballot.add {
                next.validators.push(ballot.candidate);
                next.validators.sort_unstable();
            }
            next.votes.retain(|other, _| other.candidate != ballot.candidate);
        }
        next
    }

    /// The same with a set that a contract has changed.
    pub(super) fn with_validators(&self, validators: Vec<Address>) -> Self {
        Self::new(validators).with_votes_of(self)
    }

    fn with_votes_of(self, other: &Self) -> Self {
        Self { votes: other.votes.clone(), ..self }
    }
}

/// The keys of a network, all from its seed.
#[derive(Clone, Debug)]
pub(super) struct Keys {
    seed: u64,
    known: BTreeMap<Address, Key>,
}

impl Keys {
    /// The keys of the first `count` validators.
    pub(super) fn new(seed: u64, count: usize) -> (Self, Vec<Address>) {
        let mut keys = Self { seed, known: BTreeMap::new() };
        let validators = (0..count).map(|_| keys.another()).collect();
        (keys, validators)
    }

    /// One more key, which is no validator's yet.
    pub(super) fn another(&mut self) -> Address {
        let key = derived(self.seed, "validator", self.known.len() as u64);
        let address = key.address();
        self.known.insert(address, key);
        address
    }

    /// A key of somebody who has no say.
    pub(super) fn stranger(&self, index: u64) -> Key {
        derived(self.seed, "stranger", index)
    }

    fn of<'a>(&'a self, validators: &'a [Address]) -> impl Iterator<Item = Key> + 'a {
        validators.iter().filter_map(|address| self.known.get(address).cloned())
    }
}

/// A key that follows from a seed.
fn derived(seed: u64, role: &str, index: u64) -> Key {
    let mut secret = keccak256(&[b"catenary devnet", role.as_bytes(), &seed.to_be_bytes(), &index.to_be_bytes()]);
    loop {
        // All but one hash in 2^127 is a key.
        match Key::from_secret(&secret.0) {
            Some(key) => return key,
            None => secret = keccak256(&[&secret.0]),
        }
    }
}

/// Writes the validators into the storage of their contract.
pub(super) fn write_validators(state: &mut State, before: &[Address], after: &[Address]) {
    let contract = alloy_primitives::Address::from(VALIDATOR_CONTRACT);
    let word = U256::from_be_bytes::<32>;
    for (slot, _) in validator_slots(&VALIDATOR_SLOT, before) {
        state.write(&contract, word(slot), U256::ZERO);
    }
    for (slot, value) in validator_slots(&VALIDATOR_SLOT, after) {
        state.write(&contract, word(slot), word(value));
    }
}

/// Who proposes a block, in which round, and who seals it.
#[derive(Clone, Debug)]
pub(super) struct Sitting {
    pub(super) proposer: Address,
    pub(super) round: u32,
    sealers: Vec<Address>,
}

/// The sitting for a height: proposers take turns, and a round ends without a block when its proposer has stopped.
///
/// `None` when too few validators are left to seal a block.
pub(super) fn sitting(validators: &[Address], height: u64, rounds: u32, fault: Option<&EvmFault>) -> Option<Sitting> {
    let count = validators.len();
    let stopped = match fault {
        Some(EvmFault::StoppedThird) => count.saturating_sub(1) / 3,
        Some(EvmFault::StoppedHalf) => count.div_ceil(2),
        _ => 0,
    };
    let awake = validators.get(stopped..).unwrap_or_default();
    if awake.len() < quorum(count) {
        return None;
    }
    let turn = |round: u32| {
        let index = height.wrapping_add(u64::from(round)) % (count as u64).max(1);
        usize::try_from(index).unwrap_or(0)
    };
    let round = (rounds..).find(|round| turn(*round) >= stopped)?;
    let mut sealers = awake.to_vec();
    sealers.rotate_left(turn(round) - stopped);
    Some(Sitting { proposer: *validators.get(turn(round))?, round, sealers })
}

/// Seals that a block needs.
pub(super) fn quorum(validators: usize) -> usize {
    std::num::NonZeroUsize::new(validators).map_or(0, two_thirds_of)
}

/// Seals a header, well or as a fault has it. `validators` are those in force, wherever they stand.
pub(super) fn seal(
    mut header: HeaderSpec,
    validators: &[Address],
    sitting: &Sitting,
    keys: &Keys,
    fault: Option<&EvmFault>,
) -> HeaderSpec {
    let needed = quorum(validators.len());
    let strangers = || (0..validators.len() as u64).map(|index| keys.stranger(index));
    let sealers: Vec<Key> = keys.of(&sitting.sealers).collect();
    let seals: Vec<Key> = match fault {
        Some(EvmFault::BelowQuorum) => sealers.into_iter().take(needed.saturating_sub(1)).collect(),
        Some(EvmFault::RepeatedSeal) => {
            let first = sealers.first().cloned();
            sealers.into_iter().take(needed.saturating_sub(1)).chain(first).collect()
        }
        Some(EvmFault::Strangers) => strangers().take(needed).collect(),
        Some(EvmFault::ForgedValidators) => {
            let mut forged: Vec<Key> = strangers().collect();
            forged.sort_unstable_by_key(Key::address);
            if !header.validators.is_empty() {
                header.validators = forged.iter().map(Key::address).collect();
            }
            header.coinbase = forged.first().map_or(header.coinbase, Key::address);
            forged.into_iter().take(needed).collect()
        }
        Some(EvmFault::UnvotedValidator) => {
            header.validators.push(keys.stranger(0).address());
            header.validators.sort_unstable();
            let needed = quorum(header.validators.len());
            sealers.into_iter().chain([keys.stranger(0)]).take(needed).collect()
        }
        _ => sealers.into_iter().take(needed).collect(),
    };
    // Without its seals no light client believes it, so a key that does not sign stops the chain and nothing else.
    let _ = header.try_seal(&seals);
    header
}
