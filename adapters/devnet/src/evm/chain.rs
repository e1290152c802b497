//! The chain: its blocks, what waits for the next one, and how that is made.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use alloy_primitives::{Address, B256, U256};
use catenary_light_clients::crypto::{keccak256, Address as Validator};
use catenary_light_clients::sealing::{HeaderSpec, EMPTY_OMMERS};
use catenary_light_clients::Hash32;
use revm::context::result::InvalidTransaction;
use tokio::sync::watch;

use super::block::{bloom_of, Block, Content, Receipt};
use super::config::{BaseFee, DevnetError, EvmConfig, SECONDS_AHEAD_MAX};
use super::consensus::{seal, sitting, write_validators, Ballot, Consensus, ConsensusKind, Keys, VALIDATOR_CONTRACT};
use super::events::Subscribers;
use super::execute::{outcome, run, Env, Mode, Outcome};
use super::fault::{Branch, EvmFault};
use super::fork::Fork;
use super::pool::Pool;
use super::state::State;
use super::trie::ordered_root;
use super::tx::Tx;

/// Most transactions of one block: what a debug build runs in a fraction of a second.
pub(super) const TXS_PER_BLOCK_MAX: usize = 500;
/// The mix hash of Istanbul consensus (EIP-650).
const MIX_HASH: [u8; 32] = *b"ctical byzantine fault tolerance";
/// The base fee of the first block, in wei (EIP-1559).
const INITIAL_BASE_FEE_WEI: u64 = 1_000_000_000;
/// Code of the validators' contract: whatever it is asked, it answers as `getValidators()` does, with the `address[]`
/// at slot 0. Length and items go to memory from 0x20 on, behind the offset; the items stand from keccak256(0) on.
const VALIDATOR_CODE: [u8; 57] = [
    0x60, 0x20, 0x60, 0x00, 0x52, // mem[0] = 0x20
    0x60, 0x00, 0x54, 0x80, 0x60, 0x20, 0x52, // mem[0x20] = n = sload(0)
    0x60, 0x20, 0x60, 0x40, 0x20, // base = keccak256 of 32 zero bytes
    0x60, 0x00, // i = 0
    0x5b, 0x82, 0x81, 0x10, 0x15, 0x60, 0x2d, 0x57, // while i < n
    0x80, 0x82, 0x01, 0x54, // sload(base + i)
    0x81, 0x60, 0x05, 0x1b, 0x60, 0x40, 0x01, 0x52, // to mem[0x40 + 32 i]
    0x60, 0x01, 0x01, 0x60, 0x13, 0x56, // i = i + 1
    0x5b, 0x50, 0x50, 0x60, 0x05, 0x1b, 0x60, 0x40, 0x01, 0x60, 0x00, 0xf3, // return mem[0 .. 0x40 + 32 n]
];

/// The second chain of an equivocation.
struct Side {
    /// The first height at which it differs.
    from: u64,
    blocks: Vec<Arc<Block>>,
}

/// The chain.
pub(super) struct Chain {
    pub(super) config: EvmConfig,
    pub(super) pool: Pool,
    pub(super) subscribers: Subscribers,
    pub(super) heads: watch::Sender<u64>,
    keys: Keys,
    main: Vec<Arc<Block>>,
    other: Option<Side>,
    /// Where each transaction of the chain is.
    places: BTreeMap<B256, (u64, usize)>,
    wishes: Vec<Ballot>,
    /// In contract mode: the set that the next block writes into the contract.
    next_set: Option<Vec<Validator>>,
    rounds: u32,
    fault: Option<EvmFault>,
    /// The first height of the fault in force.
    fault_from: u64,
    /// Tells blocks apart that are made again.
    salt: u64,
    /// Seconds that were let pass by hand: beyond the clock for good, or at the next block where no clock is read.
    passed_seconds: u64,
    last_block_at: Duration,
    /// What a transaction must pay for a unit of gas to be taken into a block, in wei; cheaper ones wait.
    price_min_wei: u128,
}

/// What a block is made from.
struct Plan<'a> {
    parent: &'a Arc<Block>,
    txs: Vec<Arc<Tx>>,
    time_seconds: u64,
    fault: Option<&'a EvmFault>,
}

impl Chain {
    /// A chain with its first block, which nobody seals.
    pub(super) fn new(config: EvmConfig) -> Self {
        let (keys, validators) = Keys::new(config.seed, config.validators);
        let consensus = Consensus::new(validators);
        let mut state = State::default();
        for (address, wei) in &config.funded {
            state.fund(Address::from(*address), U256::from(*wei));
        }
        if config.consensus == ConsensusKind::QbftContract {
            state.deploy(Address::from(VALIDATOR_CONTRACT), &VALIDATOR_CODE);
            write_validators(&mut state, &[], &consensus.validators);
        }
        let mut chain = Self {
            pool: Pool::default(),
            subscribers: Subscribers::default(),
            heads: watch::channel(0).0,
            keys,
            main: Vec::new(),
            other: None,
            places: BTreeMap::new(),
            wishes: Vec::new(),
            next_set: None,
            rounds: 0,
            fault: None,
            fault_from: 0,
            salt: 0,
            passed_seconds: 0,
            last_block_at: Duration::ZERO,
            price_min_wei: 0,
            config,
        };
        let base_fee_wei = match chain.config.base_fee {
            BaseFee::Zero => 0,
            BaseFee::Market => INITIAL_BASE_FEE_WEI,
        };
        let content = Content { txs: Vec::new(), receipts: Vec::new(), state };
        let mut header = chain.header(&content, base_fee_wei);
        header.validators = chain.listed(&consensus.validators);
        chain.main.push(Block::new(header, base_fee_wei, content, consensus));
        chain
    }

    /// Height of the newest block of the chain itself.
    pub(super) fn height(&self) -> u64 {
        (self.main.len() as u64).saturating_sub(1)
    }

    /// Height of a branch.
    pub(super) fn height_of(&self, branch: Branch) -> u64 {
        match (branch, &self.other) {
            (Branch::Other, Some(side)) => (side.from + side.blocks.len() as u64).saturating_sub(1),
            _ => self.height(),
        }
    }

    /// The block that a branch shows at a height.
    pub(super) fn block(&self, branch: Branch, height: u64) -> Option<&Arc<Block>> {
        let shown = match self.fault {
            Some(EvmFault::ReplayedHeader { height: old }) if height >= self.fault_from && height <= self.height() => {
                old.min(height)
            }
            _ => height,
        };
        self.real_block(branch, shown)
    }

    fn real_block(&self, branch: Branch, height: u64) -> Option<&Arc<Block>> {
        let index = |height: u64| usize::try_from(height).ok();
        match (branch, &self.other) {
            (Branch::Other, Some(side)) if height >= side.from => side.blocks.get(index(height - side.from)?),
            _ => self.main.get(index(height)?),
        }
    }

    /// The newest block that a branch shows.
    pub(super) fn head(&self, branch: Branch) -> &Arc<Block> {
        // There is a first block from the start, and no branch is empty.
        self.block(branch, self.height_of(branch)).unwrap_or(&self.main[0])
    }

    /// A block by its hash.
    pub(super) fn block_by_hash(&self, branch: Branch, hash: &B256) -> Option<&Arc<Block>> {
        let heights = (0..=self.height_of(branch)).rev();
        heights.filter_map(|height| self.real_block(branch, height)).find(|block| block.hash == *hash)
    }

    /// Where a transaction is.
    pub(super) fn place(&self, branch: Branch, hash: &B256) -> Option<(&Arc<Block>, usize)> {
        let (height, index) = self.places.get(hash)?;
        let block = self.real_block(branch, *height)?;
        // The other branch has other blocks at those heights.
        block.txs.get(*index).filter(|tx| tx.hash == *hash).map(|_| (block, *index))
    }

    /// Validators of the next block.
    pub(super) fn validators(&self) -> Vec<Validator> {
        self.main.last().map(|block| block.consensus.validators.clone()).unwrap_or_default()
    }

    /// What a block gives the machine to know.
    pub(super) fn env_of(&self, block: &Block) -> Env {
        Env {
            chain_id: self.config.chain_id,
            fork: self.config.fork,
            number: block.number(),
            time_seconds: block.header.time_seconds,
            proposer: Address::from(block.header.coinbase.0),
            gas_limit: block.header.gas_limit,
            base_fee_wei: block.base_fee_wei,
            mix_hash: B256::from(MIX_HASH),
        }
    }

    /// Whether a block is due by itself.
    pub(super) fn is_due(&self, now: Duration) -> bool {
        let Some(parent) = self.main.last() else { return false };
        let ahead = self.config.time_start.is_none()
            && parent.header.time_seconds + 1 > now.as_secs() + self.passed_seconds + SECONDS_AHEAD_MAX;
        if ahead {
            return false;
        }
        let idle = now.saturating_sub(self.last_block_at);
        idle >= self.config.empty_block_interval || !self.ready(1).is_empty()
    }

    fn ready(&self, most: usize) -> Vec<Arc<Tx>> {
        let Some(state) = self.main.last().and_then(|block| block.state()) else { return Vec::new() };
        self.pool.ready(|sender| state.account(sender).nonce, most)
    }

    /// Makes the next block, on both branches where there are two.
    pub(super) fn mine(&mut self, now: Duration) -> Result<u64, DevnetError> {
        let fault = self.fault.clone();
        let parent = self.head_of_main();
        let time_seconds = self.next_time(&parent, now);
        let txs = self.ready(TXS_PER_BLOCK_MAX);
        let plan = Plan { parent: &parent, txs, time_seconds, fault: fault.as_ref() };
        let (block, dropped) = self.build(plan)?;
        if fault == Some(EvmFault::Equivocation) && self.other.is_none() {
            self.other = Some(Side { from: block.number(), blocks: Vec::new() });
        }
        dropped.iter().for_each(|tx| self.pool.remove(tx));
        self.next_set = None;
        if self.config.time_start.is_some() {
            self.passed_seconds = 0;
        }
        self.last_block_at = now;
        self.push(block);
        self.grow_other(now);
        let _ = self.heads.send(self.height());
        Ok(self.height())
    }

    fn head_of_main(&self) -> Arc<Block> {
        self.main.last().unwrap_or(&self.main[0]).clone()
    }

    fn next_time(&self, parent: &Block, now: Duration) -> u64 {
        // QBFT and IBFT 2.0 demand a later time in every block, in whole seconds.
        let floor = parent.header.time_seconds + 1;
        match self.config.time_start {
            Some(start) if parent.number() == 0 => start.max(floor) + self.passed_seconds,
            Some(_) => floor + self.passed_seconds,
            None => floor.max(now.as_secs() + self.passed_seconds),
        }
    }

    /// From the next block on, cheaper transactions wait.
    pub(super) const fn set_price_min(&mut self, wei: u128) {
        self.price_min_wei = wei;
    }

    /// Lets time pass; the next block shows it.
    pub(super) fn pass_seconds(&mut self, seconds: u64) {
        self.passed_seconds = self.passed_seconds.saturating_add(seconds);
    }

    fn push(&mut self, block: Arc<Block>) {
        for (index, tx) in block.txs.iter().enumerate() {
            self.places.insert(tx.hash, (block.number(), index));
        }
        if let Some(state) = block.state() {
            self.pool.settle(|sender| state.account(sender).nonce);
        }
        self.subscribers.new_block(Branch::Main, self.config.fork, &block);
        self.main.push(block);
        let old = self.main.len().checked_sub(self.config.retained_states + 1);
        if let Some(old) = old.and_then(|old| self.main.get(old)) {
            old.forget_state();
        }
    }

    /// Lets the other branch keep pace, with blocks that carry nothing.
    fn grow_other(&mut self, now: Duration) {
        while let Some(side) = &self.other {
            let next = side.from + side.blocks.len() as u64;
            if next > self.height() {
                return;
            }
            let Some(parent) = self.real_block(Branch::Other, next.saturating_sub(1)).cloned() else { return };
            self.salt += 1;
            let time_seconds = self.next_time(&parent, now);
            let Ok((block, _)) = self.build(Plan { parent: &parent, txs: Vec::new(), time_seconds, fault: None })
            else {
                return;
            };
            self.subscribers.new_block(Branch::Other, self.config.fork, &block);
            if let Some(side) = &mut self.other {
                side.blocks.push(block);
            }
        }
    }

    /// Builds and seals a block; also gives the transactions that can never be in one.
    fn build(&self, plan: Plan<'_>) -> Result<(Arc<Block>, Vec<Arc<Tx>>), DevnetError> {
        let Plan { parent, txs, time_seconds, fault } = plan;
        let number = parent.number() + 1;
        let consensus = &parent.consensus;
        let stalled = || DevnetError::Stalled { height: number };
        let sitting = sitting(&consensus.validators, number, self.rounds, fault).ok_or_else(stalled)?;
        let in_contract = self.config.consensus == ConsensusKind::QbftContract;
        let vote = if in_contract { None } else { consensus.vote_of(&sitting.proposer, &self.wishes) };
        let base_fee_wei = self.next_base_fee(parent);
        let env = Env {
            number,
            time_seconds,
            proposer: Address::from(sitting.proposer.0),
            gas_limit: self.config.gas_limit,
            base_fee_wei,
            ..self.env_of(parent)
        };
        let mut next = consensus.after(sitting.proposer, vote);
        let state = parent.state().unwrap_or_default();
        let (mut content, dropped) = self.run_all(state, &env, txs);
        if let Some(set) = self.next_set.as_ref().filter(|_| in_contract) {
            write_validators(&mut content.state, &consensus.validators, set);
            next = next.with_validators(set.clone());
        }
        let encoding = self.config.consensus.encoding();
        let mut header = self.header(&content, base_fee_wei);
        header.parent_hash = Hash32(parent.hash.0);
        header.coinbase = sitting.proposer;
        header.number = number;
        header.time_seconds = time_seconds;
        header.vanity = self.vanity();
        header.validators = self.listed(&consensus.validators);
        header.vote = vote.map_or_else(|| encoding.no_vote(), |ballot| encoding.vote(ballot.candidate, ballot.add));
        header.round = encoding.round(sitting.round);
        match fault {
            Some(EvmFault::WrongStateRoot) => header.state_root = keccak256(&[&header.state_root.0]),
            Some(EvmFault::FutureTime { seconds }) if number == self.fault_from => header.time_seconds += seconds,
            Some(EvmFault::StuckTime) => header.time_seconds = parent.header.time_seconds,
            _ => {}
        }
        let header = seal(header, &consensus.validators, &sitting, &self.keys, fault);
        Ok((Block::new(header, base_fee_wei, content, next), dropped))
    }

    /// The header over a content; height, time and all that consensus adds are still open.
    fn header(&self, content: &Content, base_fee_wei: u64) -> HeaderSpec {
        let Content { txs, receipts, state } = content;
        let encoding = self.config.consensus.encoding();
        let raw = txs.iter().map(|tx| tx.raw.to_vec());
        let receipt_bytes = receipts.iter().zip(txs).map(|(receipt, tx)| receipt.encode(tx.kind));
        let logs = receipts.iter().flat_map(|receipt| &receipt.logs);
        HeaderSpec {
            encoding,
            parent_hash: Hash32([0; 32]),
            ommers_hash: EMPTY_OMMERS,
            coinbase: Validator([0; 20]),
            state_root: Hash32(state.root().0),
            transactions_root: Hash32(ordered_root(raw).0),
            receipts_root: Hash32(ordered_root(receipt_bytes).0),
            logs_bloom: bloom_of(logs).to_vec(),
            difficulty: 1,
            number: 0,
            gas_limit: self.config.gas_limit,
            gas_used: receipts.last().map_or(0, |receipt| receipt.gas_used_so_far),
            time_seconds: 0,
            mix_hash: MIX_HASH,
            nonce: [0; 8],
            vanity: vec![0; 32],
            validators: Vec::new(),
            vote: encoding.no_vote(),
            round: encoding.round(0),
            seals: Vec::new(),
            extra_items: Vec::new(),
            trailing: self.config.fork.trailing(base_fee_wei),
        }
    }

    fn vanity(&self) -> Vec<u8> {
        let mut vanity = vec![0; 32];
        vanity[24..].copy_from_slice(&self.salt.to_be_bytes());
        vanity
    }

    /// The validators that a header lists.
    fn listed(&self, validators: &[Validator]) -> Vec<Validator> {
        match self.config.consensus {
            ConsensusKind::QbftContract => Vec::new(),
            ConsensusKind::Qbft | ConsensusKind::Ibft2 => validators.to_vec(),
        }
    }

    /// The base fee of the block above `parent` (EIP-1559, with its constants).
    pub(super) fn next_base_fee(&self, parent: &Block) -> u64 {
        if self.config.base_fee == BaseFee::Zero || self.config.fork < Fork::London {
            return 0;
        }
        let (base, used, target) = (parent.base_fee_wei, parent.header.gas_used, parent.header.gas_limit / 2);
        let change = |gas: u64| u128::from(base) * u128::from(gas) / u128::from(target.max(1)) / 8;
        let small = |wei: u128| u64::try_from(wei).unwrap_or(u64::MAX);
        match used.cmp(&target) {
            std::cmp::Ordering::Equal => base,
            std::cmp::Ordering::Greater => base.saturating_add(small(change(used - target).max(1))),
            std::cmp::Ordering::Less => base.saturating_sub(small(change(target - used))),
        }
    }

    /// Runs transactions one after the other as far as the block has gas; those that cannot be are given back.
    fn run_all(&self, mut state: State, env: &Env, txs: Vec<Arc<Tx>>) -> (Content, Vec<Arc<Tx>>) {
        let (mut included, mut receipts, mut dropped) = (Vec::new(), Vec::<Receipt>::new(), Vec::new());
        let hashes = |height: u64| self.block_hash(Branch::Main, height);
        for tx in txs {
            let so_far = receipts.last().map_or(0, |receipt| receipt.gas_used_so_far);
            if so_far.saturating_add(tx.gas_limit) > env.gas_limit {
                break;
            }
            if tx.price_wei(env.base_fee_wei) < self.price_min_wei {
                continue;
            }
            let ran = match run(&state, env, tx.env(), Mode::Block, &hashes) {
                Ok(ran) => ran,
                // These may still be in a later block.
                Err(InvalidTransaction::GasPriceLessThanBasefee | InvalidTransaction::NonceTooHigh { .. }) => continue,
                Err(_) => {
                    dropped.push(tx);
                    continue;
                }
            };
            let (success, gas_used) = (ran.result.is_success(), ran.result.tx_gas_used());
            let created = tx.to.is_none().then(|| tx.sender.create(tx.nonce));
            let logs_before = receipts.last().map_or(0, |receipt| receipt.logs_before + receipt.logs.len());
            state.apply(ran.state);
            let (_, logs): (Outcome, _) = outcome(ran.result);
            let price_wei = tx.price_wei(env.base_fee_wei);
            let gas_used_so_far = so_far + gas_used;
            receipts.push(Receipt { success, gas_used, gas_used_so_far, price_wei, created, logs, logs_before });
            included.push(tx);
        }
        (Content { txs: included, receipts, state }, dropped)
    }

    /// What BLOCKHASH answers.
    pub(super) fn block_hash(&self, branch: Branch, height: u64) -> B256 {
        self.real_block(branch, height).map_or(B256::ZERO, |block| block.hash)
    }
}

/// Validators and their faults.
impl Chain {
    /// Blocks are sealed in this round, or a later one where its proposer has stopped.
    pub(super) const fn set_rounds(&mut self, rounds: u32) {
        self.rounds = rounds;
    }

    /// Has all validators vote for a change; in contract mode the contract has it with the next block.
    pub(super) fn vote(&mut self, ballot: Ballot) {
        if self.config.consensus == ConsensusKind::QbftContract {
            let mut set = self.next_set.take().unwrap_or_else(|| self.validators());
            set.retain(|validator| *validator != ballot.candidate);
            if ballot.add {
                set.push(ballot.candidate);
            }
            set.sort_unstable();
            self.next_set = Some(set);
            return;
        }
        self.wishes.retain(|wish| wish.candidate != ballot.candidate);
        self.wishes.push(ballot);
    }

    /// A key that is no validator's yet.
    pub(super) fn another_key(&mut self) -> Validator {
        self.keys.another()
    }

    /// Misbehaves from now on.
    pub(super) fn misbehave(&mut self, fault: EvmFault, now: Duration) {
        self.heal();
        self.fault_from = self.height() + 1;
        match fault {
            EvmFault::RollBack { depth } => {
                let undone = depth.min(self.height());
                self.truncate(self.height() - undone);
                self.salt += 1;
                for _ in 0..undone {
                    // The transactions of the undone blocks are gone: that is what makes it an attack.
                    let _ = self.mine(now);
                }
            }
            EvmFault::Fork { depth } => {
                let depth = depth.clamp(1, self.height().max(1));
                self.other = Some(Side { from: self.height() + 1 - depth, blocks: Vec::new() });
                self.grow_other(now);
                self.fault = Some(fault);
            }
            _ => self.fault = Some(fault),
        }
    }

    /// Behaves well again, and takes the blocks that no honest network would have off the chain. Their transactions
    /// wait again.
    pub(super) fn heal(&mut self) {
        self.other = None;
        let Some(fault) = self.fault.take() else { return };
        let harmless = matches!(
            fault,
            EvmFault::StoppedThird | EvmFault::StoppedHalf | EvmFault::Equivocation | EvmFault::Fork { .. }
        );
        if !harmless {
            let undone = self.truncate(self.fault_from.saturating_sub(1));
            let state = self.head_of_main().state().unwrap_or_default();
            for tx in undone {
                let nonce = state.account(&tx.sender).nonce;
                // A full pool loses transactions, as any pool does.
                let _ = self.pool.add(tx, nonce);
            }
        }
    }

    /// Undoes the blocks above a height; gives their transactions.
    fn truncate(&mut self, height: u64) -> Vec<Arc<Tx>> {
        let keep = usize::try_from(height).unwrap_or(usize::MAX).saturating_add(1);
        let undone = self.main.split_off(keep.min(self.main.len()));
        let txs: Vec<Arc<Tx>> = undone.iter().flat_map(|block| block.txs.iter().cloned()).collect();
        txs.iter().for_each(|tx| {
            self.places.remove(&tx.hash);
        });
        let _ = self.heads.send(self.height());
        txs
    }
}
