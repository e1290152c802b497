//! A Byzantine network: what its validators can be made to sign, and what can be served in the honest chain's place.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tendermint_proto::v0_38::types as raw;

use super::block::{self, Ballot, Block};
use super::chain::Chain;
use super::config::POWER_DEFAULT;
use super::merkle;
use super::stores::{Stores, IBC};
use super::validators::{Validator, ValidatorSet};

/// Most forged blocks that a view keeps; it forges no higher.
pub(crate) const FORGED_MAX: usize = 1_000;
/// How far a header from the future is ahead.
const AHEAD: Duration = Duration::from_secs(86_400);
/// A key that only a served fork has in its `ibc` store.
pub const FORKED_KEY: &[u8] = b"forked-0\x01\0\0\0\0\0\0\0\x01";

/// What the network, or one endpoint of it, does wrong. The first block concerned is the next one.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum CometFault {
    /// One block has a second, different one beside it, and all validators sign both.
    Equivocate,
    /// From one block on there is a second chain, with a state of its own, and all validators sign both.
    ServedFork,
    /// A commit has two thirds of the power and not more.
    BelowQuorum,
    /// Header, commit and validators are of people who never were validators.
    ForgedValidatorSet,
    /// The votes of the validators are signed by strangers.
    StrangersSignatures,
    /// Two thirds are reached only if votes for no block are counted.
    NilVotesCounted,
    /// The block before stands in for each later one.
    ReplayedHeader,
    /// The block before stands in for the next one, under a height that was changed to fit.
    RelabelledHeader,
    /// The app hash is another one; the commit names the changed header, its signatures are those of the real one.
    WrongAppHash,
    /// The hash of the last results is another one; the commit is that of the real header.
    ChangedResultsHash,
    /// A new set signs without having been announced; most of the old one signs as well.
    SkippedHandover,
    /// Time goes back. All validators sign.
    TimeBack,
    /// Time is a day ahead. All validators sign.
    TimeAhead,
    /// As many validators stop as the network bears.
    StopThird,
    /// Half of the validators stop: there are no more blocks.
    StopHalf,
}

impl CometFault {
    /// All of them.
    pub const ALL: [Self; 15] = [
        Self::Equivocate,
        Self::ServedFork,
        Self::BelowQuorum,
        Self::ForgedValidatorSet,
        Self::StrangersSignatures,
        Self::NilVotesCounted,
        Self::ReplayedHeader,
        Self::RelabelledHeader,
        Self::WrongAppHash,
        Self::ChangedResultsHash,
        Self::SkippedHandover,
        Self::TimeBack,
        Self::TimeAhead,
        Self::StopThird,
        Self::StopHalf,
    ];

    /// How many of the network's validators stop; `None` for what an endpoint of its own serves.
    #[must_use]
    pub const fn stops(self, validators: usize) -> Option<usize> {
        match self {
            Self::StopThird => Some(validators.saturating_sub(1) / 3),
            Self::StopHalf => Some(validators.div_ceil(2)),
            _ => None,
        }
    }

    /// Whether later blocks are forged as well, and not the first one alone.
    const fn goes_on(self) -> bool {
        matches!(self, Self::ServedFork | Self::ForgedValidatorSet | Self::ReplayedHeader | Self::SkippedHandover)
    }
}

/// What an endpoint serves in the honest chain's place.
#[derive(Debug)]
pub(crate) struct Forgery {
    fault: CometFault,
    /// Height of the first forged block.
    pub(crate) from: u64,
    blocks: BTreeMap<u64, Arc<Block>>,
    strangers: Vec<Validator>,
}

impl Forgery {
    /// A forgery of the next block.
    pub(crate) fn new(fault: CometFault, chain: &Chain) -> Self {
        let stranger = |number| Validator::new(chain.config.seed, "stranger", number, POWER_DEFAULT);
        let strangers = (0..chain.config.validators as u64).map(stranger).collect();
        Self { fault, from: chain.height() + 1, blocks: BTreeMap::new(), strangers }
    }

    /// The block that is served at a height.
    pub(crate) fn block(&mut self, chain: &Chain, height: u64) -> Option<Arc<Block>> {
        let honest = chain.block(height)?;
        if height < self.from || (height > self.from && !self.fault.goes_on()) {
            return Some(Arc::clone(honest));
        }
        // A forged block may follow the forged one before it.
        let first = self.blocks.last_key_value().map_or(self.from, |(last, _)| last + 1);
        for missing in first..=height {
            if self.blocks.len() >= FORGED_MAX {
                break;
            }
            let forged = self.forge(chain, missing)?;
            self.blocks.insert(missing, Arc::new(forged));
        }
        self.blocks.get(&height).cloned()
    }

    /// The state that is served after a height.
    pub(crate) fn state(&self, chain: &Chain, height: u64) -> Option<Stores> {
        let mut state = chain.state(height)?.clone();
        if self.fault == CometFault::ServedFork && height >= self.from {
            state.set(IBC, FORKED_KEY, vec![1; 32]);
        }
        Some(state)
    }

    /// The validators that are served for a height.
    pub(crate) fn validators_at(&mut self, chain: &Chain, height: u64) -> Option<Arc<ValidatorSet>> {
        if height > chain.height() {
            return chain.validators_at(height);
        }
        self.block(chain, height).map(|block| Arc::clone(&block.validators))
    }

    fn forge(&self, chain: &Chain, height: u64) -> Option<Block> {
        let mut block = Block::clone(chain.block(height)?);
        let before = height.checked_sub(1)?;
        let previous = self.blocks.get(&before).or_else(|| chain.block(before)).cloned();
        let all = vec![Ballot::Block; block.validators.validators.len()];
        match self.fault {
            CometFault::Equivocate => {
                block.header.time = Some(block::timestamp(block.time() + Duration::from_nanos(1)));
                block.rename();
                block.seal(&all);
            }
            CometFault::ServedFork => self.fork(chain, &mut block, previous.as_deref()),
            CometFault::BelowQuorum => block.seal(&up_to_two_thirds(&block.validators, Ballot::Absent)),
            CometFault::NilVotesCounted => block.seal(&up_to_two_thirds(&block.validators, Ballot::Nil)),
            CometFault::ForgedValidatorSet => {
                let set = ValidatorSet::new(self.strangers.clone());
                follow(&mut block, previous.as_deref().filter(|_| height > self.from));
                replace_set(&mut block, set);
            }
            CometFault::SkippedHandover => {
                follow(&mut block, previous.as_deref().filter(|_| height > self.from));
                let mut set = ValidatorSet::clone(&block.validators);
                set.change(&self.strangers[..1]);
                replace_set(&mut block, set);
            }
            CometFault::StrangersSignatures => {
                let signers: Vec<&Validator> = self.strangers.iter().collect();
                let mut commit = block::commit(&block.header, &block.id, &signers, &all);
                for (slot, real) in commit.signatures.iter_mut().zip(&block.commit.signatures) {
                    slot.validator_address.clone_from(&real.validator_address);
                }
                block.commit = commit;
            }
            CometFault::ReplayedHeader => return previous_at(chain, self.from).map(|old| Block::clone(&old)),
            CometFault::RelabelledHeader => {
                let mut old = Block::clone(previous_at(chain, self.from)?.as_ref());
                old.header.height = block.header.height;
                old.commit.height = block.header.height;
                readdress(&mut old);
                return Some(old);
            }
            CometFault::WrongAppHash => {
                flip(&mut block.header.app_hash);
                readdress(&mut block);
            }
            CometFault::ChangedResultsHash => flip(&mut block.header.last_results_hash),
            CometFault::TimeBack => {
                let last = previous.map_or(Duration::ZERO, |previous| previous.time());
                set_time(&mut block, last.saturating_sub(Duration::from_secs(1)));
            }
            CometFault::TimeAhead => {
                let time = block.time() + AHEAD;
                set_time(&mut block, time);
            }
            // The network's own blocks show these.
            CometFault::StopThird | CometFault::StopHalf => {}
        }
        Some(block)
    }

    fn fork(&self, chain: &Chain, block: &mut Block, previous: Option<&Block>) {
        let height = block.height();
        if height == self.from {
            block.header.time = Some(block::timestamp(block.time() + Duration::from_nanos(1)));
        } else {
            follow(block, previous);
            if let Some(state) = self.state(chain, height - 1) {
                block.header.app_hash = state.app_hash().to_vec();
            }
        }
        if let Some(state) = self.state(chain, height) {
            block.app_hash_after = state.app_hash();
        }
        block.rename();
        block.seal(&vec![Ballot::Block; block.validators.validators.len()]);
    }
}

fn previous_at(chain: &Chain, from: u64) -> Option<Arc<Block>> {
    chain.block(from.checked_sub(1)?).cloned()
}

/// Two thirds of the power and not more vote for the block; the rest as told.
fn up_to_two_thirds(set: &ValidatorSet, rest: Ballot) -> Vec<Ballot> {
    let mut power = 0;
    let ballot = |validator: &Validator| {
        if set.is_quorum(power + validator.power) {
            return rest;
        }
        power += validator.power;
        Ballot::Block
    };
    set.validators.iter().map(ballot).collect()
}

/// Makes a block follow another one than it did.
fn follow(block: &mut Block, previous: Option<&Block>) {
    let Some(previous) = previous else { return };
    block.header.last_block_id = Some(previous.id.clone());
    block.last_commit = previous.commit.clone();
    block.header.last_commit_hash = block::commit_hash(&block.last_commit).to_vec();
}

fn replace_set(block: &mut Block, set: ValidatorSet) {
    block.header.validators_hash = set.hash().to_vec();
    block.header.next_validators_hash = set.hash().to_vec();
    block.header.proposer_address = set.proposer.to_vec();
    block.validators = Arc::new(set);
    block.rename();
    block.seal(&vec![Ballot::Block; block.validators.validators.len()]);
}

/// The commit names the changed header; its signatures stay.
fn readdress(block: &mut Block) {
    let parts = block.id.part_set_header.clone();
    let hash = block::header_hash(&block.header).to_vec();
    block.id = raw::BlockId { hash, part_set_header: parts };
    block.commit.block_id = Some(block.id.clone());
}

fn set_time(block: &mut Block, time: Duration) {
    block.header.time = Some(block::timestamp(time));
    block.rename();
    block.seal(&vec![Ballot::Block; block.validators.validators.len()]);
}

fn flip(hash: &mut Vec<u8>) {
    *hash = merkle::sha256(&[b"forged", hash]).to_vec();
}
