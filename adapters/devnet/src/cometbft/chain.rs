//! The chain: its blocks, its states, and the transactions that wait for the next block.
//!
//! What can grow: blocks and states up to the configured numbers, waiting transactions up to [`MEMPOOL_MAX`], hashes
//! of transactions seen up to [`SEEN_MAX`], and the index of transactions with the blocks that hold them.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use catenary_protocol::handler::{self, Amount, Bank};
use tendermint_proto::v0_38::types as raw;
use tendermint_proto::v0_38::version::Consensus;

use super::app::{App, BlockContext};
use super::block::{self, Ballot, Block};
use super::config::{Clock, CometConfig, POWER_DEFAULT, VALIDATORS_MAX};
use super::host::Host;
use super::merkle::{self, Hash};
use super::stores::{Stores, CLOCK, IBC};
use super::tx::{Refusal, Tx, TX_BYTES_MAX};
use super::validators::{Validator, ValidatorSet};
use super::DevnetError;

/// Most transactions that wait for a block (CometBFT `mempool.size`).
pub(crate) const MEMPOOL_MAX: usize = 5_000;
/// Most hashes of transactions that are remembered (CometBFT `mempool.cache_size`).
pub(crate) const SEEN_MAX: usize = 10_000;
/// Most bytes of transactions in a block; what is left is for header and commit.
const TXS_BYTES_MAX: usize = 20_000_000;
/// Least time between two blocks.
const STEP_MIN: Duration = Duration::from_millis(1);
/// Longest chain id, in bytes (CometBFT `MaxChainIDLen`).
const CHAIN_ID_BYTES_MAX: usize = 50;

/// Why a transaction does not get as far as being checked.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum NotTaken {
    /// The application refused it.
    Refused(Refusal),
    /// The node did, in these words.
    Node(String),
}

/// A chain.
#[derive(Debug)]
pub(crate) struct Chain {
    pub(crate) config: CometConfig,
    pub(crate) app: App,
    blocks: BTreeMap<u64, Arc<Block>>,
    /// The state after each block.
    states: BTreeMap<u64, Stores>,
    /// Stores that the next block begins with.
    working: Stores,
    /// Validators of the next block, and of the one after it.
    validators: Arc<ValidatorSet>,
    next_validators: ValidatorSet,
    /// Powers that the next block changes.
    changes: Vec<Validator>,
    /// Validators that do not vote.
    stopped: BTreeSet<[u8; 20]>,
    mempool: VecDeque<Tx>,
    mempool_bytes: Vec<Vec<u8>>,
    /// The state that waiting transactions would lead to.
    checked: Host,
    seen: HashSet<Hash>,
    seen_order: VecDeque<Hash>,
    /// Height and position of each transaction.
    index: HashMap<Hash, (u64, usize)>,
    /// How far the chain's clock is ahead of the machine's.
    ahead: Duration,
}

impl Chain {
    /// A chain without blocks.
    pub(crate) fn new(config: CometConfig) -> Result<Self, DevnetError> {
        if config.chain_id.is_empty() || config.chain_id.len() > CHAIN_ID_BYTES_MAX {
            return Err(DevnetError::Config { field: "chain_id", reason: "1 to 50 bytes are taken" });
        }
        if config.validators == 0 || config.validators > VALIDATORS_MAX {
            return Err(DevnetError::Config { field: "validators", reason: "1 to 128 are taken" });
        }
        let validator = |number| Validator::new(config.seed, "validator", number, POWER_DEFAULT);
        let set = ValidatorSet::new((0..config.validators as u64).map(validator).collect());
        let mut next_validators = set.clone();
        next_validators.next_turn();
        let working = genesis(&config)?;
        let app = App::new(&config.chain_id, &config.fee_denom, config.gas_price_micros_min);
        let checked = Host::new(working.clone(), &config.address_prefix);
        Ok(Self {
            config,
            app,
            blocks: BTreeMap::new(),
            states: BTreeMap::new(),
            working,
            validators: Arc::new(set),
            next_validators,
            changes: Vec::new(),
            stopped: BTreeSet::new(),
            mempool: VecDeque::new(),
            mempool_bytes: Vec::new(),
            checked,
            seen: HashSet::new(),
            seen_order: VecDeque::new(),
            index: HashMap::new(),
            ahead: Duration::ZERO,
        })
    }

    /// Height of the newest block, 0 before the first.
    pub(crate) fn height(&self) -> u64 {
        self.blocks.last_key_value().map_or(0, |(height, _)| *height)
    }

    /// Height of the oldest block that is kept.
    pub(crate) fn earliest(&self) -> u64 {
        self.blocks.first_key_value().map_or(0, |(height, _)| *height)
    }

    /// A block.
    pub(crate) fn block(&self, height: u64) -> Option<&Arc<Block>> {
        self.blocks.get(&height)
    }

    /// The state after a block.
    pub(crate) fn state(&self, height: u64) -> Option<&Stores> {
        self.states.get(&height)
    }

    /// The newest state.
    pub(crate) fn newest_state(&self) -> &Stores {
        self.states.last_key_value().map_or(&self.working, |(_, state)| state)
    }

    /// A host on the newest state, for queries and estimates.
    pub(crate) fn host(&self) -> Host {
        Host::new(self.newest_state().clone(), &self.config.address_prefix)
    }

    /// Validators of a height: of a block, or of the one that comes next.
    pub(crate) fn validators_at(&self, height: u64) -> Option<Arc<ValidatorSet>> {
        if height == self.height() + 1 {
            return Some(Arc::clone(&self.validators));
        }
        self.block(height).map(|block| Arc::clone(&block.validators))
    }

    /// Height and position of a transaction.
    pub(crate) fn find(&self, hash: &Hash) -> Option<(u64, usize)> {
        self.index.get(hash).copied()
    }

    /// Transactions that wait.
    pub(crate) fn waiting(&self) -> &[Vec<u8>] {
        &self.mempool_bytes
    }

    /// Block in which a transaction that is sent now would run; time as of the newest block.
    pub(crate) fn pending_context(&self) -> BlockContext {
        let time = self.blocks.last_key_value().map_or(Duration::ZERO, |(_, block)| block.time());
        BlockContext { height: self.height() + 1, time }
    }

    /// Puts a transaction among those that wait, if the application takes it.
    pub(crate) fn submit(&mut self, bytes: &[u8]) -> Result<Hash, NotTaken> {
        if bytes.len() > TX_BYTES_MAX {
            let reason = format!("tx too large. Max size is {TX_BYTES_MAX}, but got {}", bytes.len());
            return Err(NotTaken::Node(reason));
        }
        if self.mempool.len() >= MEMPOOL_MAX {
            let reason = format!("mempool is full: number of txs {} (max: {MEMPOOL_MAX})", self.mempool.len());
            return Err(NotTaken::Node(reason));
        }
        let hash = merkle::sha256(&[bytes]);
        if self.seen.contains(&hash) {
            return Err(NotTaken::Node("tx already exists in cache".to_owned()));
        }
        let context = self.pending_context();
        let tx = self.app.check(&mut self.checked, bytes, context).map_err(NotTaken::Refused)?;
        self.remember(hash);
        self.mempool.push_back(tx);
        self.mempool_bytes.push(bytes.to_vec());
        Ok(hash)
    }

    fn remember(&mut self, hash: Hash) {
        if self.seen.insert(hash) {
            self.seen_order.push_back(hash);
        }
        if self.seen_order.len() > SEEN_MAX {
            if let Some(oldest) = self.seen_order.pop_front() {
                self.seen.remove(&oldest);
            }
        }
    }

    fn forget(&mut self, hash: &Hash) {
        self.seen.remove(hash);
        self.seen_order.retain(|known| known != hash);
    }

    /// Sets the power of a validator by its number from the next block's results on; 0 removes it, a new number joins.
    pub(crate) fn set_power(&mut self, number: u64, power: u64) -> Result<(), DevnetError> {
        let change = Validator::new(self.config.seed, "validator", number, power);
        let mut changes = self.changes.clone();
        changes.retain(|known| known.address != change.address);
        changes.push(change);
        let mut following = self.next_validators.clone();
        following.change(&changes);
        if !(1..=VALIDATORS_MAX).contains(&following.validators.len()) {
            return Err(DevnetError::Config { field: "validators", reason: "1 to 128 have to be left" });
        }
        self.changes = changes;
        Ok(())
    }

    /// Stops validators, the last ones of the next block's set; 0 starts all again.
    pub(crate) fn stop(&mut self, count: usize) {
        let set = &self.validators.validators;
        self.stopped = set.iter().rev().take(count).map(|validator| validator.address).collect();
    }

    /// Lets a client go on from what a substitute knows, in the state that the next block begins with.
    pub(crate) fn recover_client(&mut self, client_id: &str, substitute_id: &str) -> Result<(), handler::Error> {
        let mut host = Host::new(self.working.clone(), &self.config.address_prefix);
        let time = self.pending_context().timestamp();
        self.app.handler().recover_client(&mut host, time, client_id, substitute_id)?;
        self.working = host.stores;
        self.recheck();
        Ok(())
    }

    /// Moves the chain's clock ahead of the machine's.
    pub(crate) fn advance_clock(&mut self, by: Duration) {
        self.ahead += by;
    }

    /// How the validators of the next block vote.
    fn ballots(&self) -> Vec<Ballot> {
        let ballot = |validator: &Validator| {
            if self.stopped.contains(&validator.address) {
                Ballot::Absent
            } else {
                Ballot::Block
            }
        };
        self.validators.validators.iter().map(ballot).collect()
    }

    fn has_quorum(&self) -> bool {
        let voting = self.validators.validators.iter().filter(|v| !self.stopped.contains(&v.address));
        self.validators.is_quorum(voting.map(|validator| validator.power).sum())
    }

    fn next_time(&self, now: Duration) -> Duration {
        let last = self.blocks.last_key_value().map(|(_, block)| block.time());
        match (self.config.clock, last) {
            (Clock::Stepped { start_seconds, .. }, None) => Duration::from_secs(start_seconds),
            (Clock::Stepped { step, .. }, Some(last)) => last + step.max(STEP_MIN) + self.ahead,
            (Clock::Wall, None) => now + self.ahead,
            (Clock::Wall, Some(last)) => (now + self.ahead).max(last + STEP_MIN),
        }
    }

    /// Makes a block at this time of the machine's clock; `None` when too few validators vote.
    pub(crate) fn produce(&mut self, now: Duration) -> Option<Arc<Block>> {
        if !self.has_quorum() {
            return None;
        }
        let context = BlockContext { height: self.height() + 1, time: self.next_time(now) };
        if matches!(self.config.clock, Clock::Stepped { .. }) {
            // What was ahead is in the time of this block now.
            self.ahead = Duration::ZERO;
        }
        let txs = self.take_txs();
        let mut block = self.draft(context, txs);
        let mut host = Host::new(self.working.clone(), &self.config.address_prefix);
        let clock = [context.height.to_be_bytes(), nanos(context.time).to_be_bytes()].concat();
        host.stores.set(CLOCK, b"block", clock);
        block.results = block.txs.iter().map(|tx| self.app.deliver(&mut host, tx, context)).collect();
        block.changes = std::mem::take(&mut self.changes);
        block.app_hash_after = host.stores.app_hash();
        block.seal(&self.ballots());
        Some(self.commit(block, host.stores))
    }

    /// Transactions of the next block: those that wait, up to a block's size.
    fn take_txs(&mut self) -> Vec<Vec<u8>> {
        let mut bytes = 0;
        let fits = |tx: &&Vec<u8>| {
            bytes += tx.len();
            bytes <= TXS_BYTES_MAX
        };
        let count = self.mempool_bytes.iter().take_while(fits).count();
        self.mempool.drain(..count);
        self.mempool_bytes.drain(..count).collect()
    }

    /// The next block before its transactions have run.
    fn draft(&self, context: BlockContext, txs: Vec<Vec<u8>>) -> Block {
        let last = self.blocks.last_key_value().map(|(_, block)| block);
        let last_commit = last.map_or_else(block::no_commit, |last| last.commit.clone());
        let header = raw::Header {
            version: Some(Consensus { block: block::BLOCK_PROTOCOL, app: 0 }),
            chain_id: self.config.chain_id.clone(),
            height: i64::try_from(context.height).unwrap_or(i64::MAX),
            time: Some(block::timestamp(context.time)),
            last_block_id: Some(last.map_or_else(block::no_block, |last| last.id.clone())),
            last_commit_hash: block::commit_hash(&last_commit).to_vec(),
            data_hash: block::data_hash(&txs).to_vec(),
            validators_hash: self.validators.hash().to_vec(),
            next_validators_hash: self.next_validators.hash().to_vec(),
            consensus_hash: block::consensus_hash().to_vec(),
            app_hash: last.map_or_else(|| merkle::sha256(&[]), |last| last.app_hash_after).to_vec(),
            last_results_hash: last.map_or_else(|| merkle::sha256(&[]), |l| block::results_hash(&l.results)).to_vec(),
            evidence_hash: merkle::sha256(&[]).to_vec(),
            proposer_address: self.validators.proposer.to_vec(),
        };
        let mut block = Block {
            header,
            id: block::no_block(),
            txs,
            last_commit,
            commit: block::no_commit(),
            validators: Arc::clone(&self.validators),
            results: Vec::new(),
            changes: Vec::new(),
            app_hash_after: [0; 32],
        };
        block.rename();
        block
    }

    fn commit(&mut self, block: Block, stores: Stores) -> Arc<Block> {
        let height = block.height();
        for (position, tx) in block.txs.iter().enumerate() {
            let hash = merkle::sha256(&[tx]);
            self.remember(hash);
            self.index.insert(hash, (height, position));
        }
        // What this block changes is announced by the next header and holds from the one after it.
        let mut following = self.next_validators.clone();
        if !block.changes.is_empty() {
            following.change(&block.changes);
        }
        following.next_turn();
        self.validators = Arc::new(std::mem::replace(&mut self.next_validators, following));
        self.working = stores.clone();
        self.working.version = height + 1;
        self.states.insert(height, stores);
        let block = Arc::new(block);
        self.blocks.insert(height, Arc::clone(&block));
        self.prune();
        self.recheck();
        block
    }

    fn prune(&mut self) {
        while self.states.len() as u64 > self.config.retain_states.max(2) {
            self.states.pop_first();
        }
        while self.blocks.len() as u64 > self.config.retain_blocks.max(2) {
            let Some((_, block)) = self.blocks.pop_first() else { return };
            for tx in &block.txs {
                self.index.remove(&merkle::sha256(&[tx]));
            }
        }
    }

    /// Checks again what still waits, on the new state.
    fn recheck(&mut self) {
        self.checked = Host::new(self.working.clone(), &self.config.address_prefix);
        let context = self.pending_context();
        let waiting = std::mem::take(&mut self.mempool_bytes);
        self.mempool.clear();
        for bytes in waiting {
            match self.app.check(&mut self.checked, &bytes, context) {
                Ok(tx) => {
                    self.mempool.push_back(tx);
                    self.mempool_bytes.push(bytes);
                }
                Err(_) => self.forget(&merkle::sha256(&[&bytes])),
            }
        }
    }

    /// What an address holds.
    pub(crate) fn balance(&self, address: &str, denom: &str) -> Option<Amount> {
        let host = self.host();
        Some(host.balance(&host.bytes(address)?, denom))
    }
}

/// What the first block begins with.
fn genesis(config: &CometConfig) -> Result<Stores, DevnetError> {
    let mut host = Host::new(Stores::new(), &config.address_prefix);
    // `Params{allowed_clients: ["*"]}` under ibc-go's key: a store is never empty, so that absence can be proven.
    host.stores.set(IBC, b"clientParams", vec![0x0a, 1, b'*']);
    for (address, denom, amount) in &config.funded {
        let reason = "an address is not one under the configured prefix";
        let account = host.bytes(address).ok_or(DevnetError::Config { field: "funded", reason })?;
        let reason = "the amounts of a denomination are too much together";
        let minted = host.mint(&account, denom, Amount::from(*amount));
        minted.map_err(|_| DevnetError::Config { field: "funded", reason })?;
    }
    Ok(host.stores)
}

/// Nanoseconds since 1970, up to the year 2554.
pub(crate) fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}
