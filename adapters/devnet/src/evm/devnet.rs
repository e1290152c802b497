//! A running EVM devnet.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use catenary_light_clients::crypto::Address;
use catenary_light_clients::Hash32;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::chain::Chain;
use super::config::{DevnetError, EvmConfig};
use super::consensus::Ballot;
use super::fault::{Branch, EvmFault};
use super::rpc::Served;
use crate::fault::Lies;
use crate::platform;
use crate::wire::Endpoint;

/// An EVM network in this process. It ends when it is dropped.
pub struct EvmDevnet {
    chain: Arc<Mutex<Chain>>,
    endpoint: Endpoint,
    heads: watch::Receiver<u64>,
    chain_id: u64,
    producer: Option<Producer>,
}

impl std::fmt::Debug for EvmDevnet {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("EvmDevnet")
            .field("chain_id", &self.chain_id)
            .field("endpoint", &self.endpoint)
            .field("height", &*self.heads.borrow())
            .finish_non_exhaustive()
    }
}

/// The task that makes blocks; it ends with its handle.
struct Producer(JoinHandle<()>);

impl Drop for Producer {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// The header of a block, as the chain has it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SealedHeader {
    /// Height.
    pub height: u64,
    /// Block hash.
    pub hash: Hash32,
    /// RLP with seals and round: an update of the light client.
    pub rlp: Vec<u8>,
    /// Time in seconds since 1970.
    pub time_seconds: u64,
}

impl EvmDevnet {
    /// Starts a network, with one honest endpoint.
    ///
    /// # Errors
    /// [`DevnetError::Config`], and [`DevnetError::Wire`] when no port can be had.
    pub async fn start(config: EvmConfig) -> Result<Self, DevnetError> {
        config.validate()?;
        let (interval, chain_id) = (config.block_interval, config.chain_id);
        let chain = Chain::new(config);
        let heads = chain.heads.subscribe();
        let chain = Arc::new(Mutex::new(chain));
        let endpoint = open(&chain, Branch::Main, Lies::default()).await?;
        let producer = interval.map(|interval| Producer(tokio::spawn(produce(chain.clone(), interval))));
        Ok(Self { chain, endpoint, heads, chain_id, producer })
    }

    /// Address of the endpoint that is open from the start.
    #[must_use]
    pub fn url(&self) -> String {
        self.endpoint.url()
    }

    /// Its address for WebSocket.
    #[must_use]
    pub fn ws_url(&self) -> String {
        self.endpoint.ws_url()
    }

    /// What that endpoint lies; the truth until it is told otherwise.
    #[must_use]
    pub const fn lies(&self) -> &Lies {
        self.endpoint.lies()
    }

    /// Opens another endpoint of the chain itself.
    ///
    /// # Errors
    /// [`DevnetError::Wire`] when no port can be had.
    pub async fn endpoint(&self, lies: Lies) -> Result<Endpoint, DevnetError> {
        self.endpoint_on(Branch::Main, lies).await
    }

    /// Opens another endpoint that shows a branch.
    ///
    /// # Errors
    /// [`DevnetError::Wire`] when no port can be had.
    pub async fn endpoint_on(&self, branch: Branch, lies: Lies) -> Result<Endpoint, DevnetError> {
        open(&self.chain, branch, lies).await
    }

    /// Makes blocks now, whatever the interval says, and gives the new height.
    ///
    /// # Errors
    /// [`DevnetError::Stalled`] when too many validators have stopped.
    pub async fn mine(&self, blocks: u64) -> Result<u64, DevnetError> {
        let chain = self.chain.clone();
        let working = tokio::task::spawn_blocking(move || {
            let mut height = lock(&chain).height();
            for _ in 0..blocks {
                height = lock(&chain).mine(platform::now())?;
            }
            Ok(height)
        });
        working.await.map_err(|_| DevnetError::Task)?
    }

    /// The newest height.
    #[must_use]
    pub fn height(&self) -> u64 {
        *self.heads.borrow()
    }

    /// Chain id.
    #[must_use]
    pub const fn chain_id(&self) -> u64 {
        self.chain_id
    }

    /// The validators of the next block, ascending.
    #[must_use]
    pub fn validators(&self) -> Vec<Address> {
        self.chain().validators()
    }

    /// The header of a block, past what any endpoint says; `None` above the head.
    #[must_use]
    pub fn header(&self, branch: Branch, height: u64) -> Option<SealedHeader> {
        let chain = self.chain();
        let block = chain.block(branch, height)?;
        Some(SealedHeader {
            height: block.number(),
            hash: Hash32(block.hash.0),
            rlp: block.header.encode(),
            time_seconds: block.header.time_seconds,
        })
    }

    /// Waits until the chain has a height.
    ///
    /// # Errors
    /// [`DevnetError::NoProgress`] when it has not after `patience`.
    pub async fn wait_for_height(&self, height: u64, patience: Duration) -> Result<(), DevnetError> {
        let mut heads = self.heads.clone();
        tokio::select! {
            reached = heads.wait_for(|head| *head >= height) => reached.map(|_| ()).map_err(|_| DevnetError::Task),
            () = platform::sleep(patience) => {
                Err(DevnetError::NoProgress { height: self.height(), wanted: height, seconds: patience.as_secs() })
            }
        }
    }

    /// Misbehaves from now on; a fault that was in force is healed first.
    pub async fn fault(&self, fault: EvmFault) {
        let chain = self.chain.clone();
        let working = tokio::task::spawn_blocking(move || lock(&chain).misbehave(fault, platform::now()));
        // Only a bug ends it early, and that shows at the next lock.
        let _ = working.await;
    }

    /// Behaves well again. Blocks that no honest network would have are taken off the chain, and their transactions
    /// wait again; the second chain of an equivocation is gone.
    pub fn heal(&self) {
        self.chain().heal();
    }

    /// Seals blocks in this round from now on, as if the proposers of the rounds before had been silent.
    pub fn set_round(&self, round: u32) {
        self.chain().set_rounds(round);
    }

    /// Lets the validators vote a new one in; gives its address. It takes part once more than half have proposed a
    /// block; in contract mode, two blocks later.
    #[must_use]
    pub fn vote_in(&self) -> Address {
        let mut chain = self.chain();
        let candidate = chain.another_key();
        chain.vote(Ballot { candidate, add: true });
        candidate
    }

    /// Lets the validators vote one of them out.
    pub fn vote_out(&self, candidate: Address) {
        self.chain().vote(Ballot { candidate, add: false });
    }

    /// Has the proposers leave out what pays less than this for a unit of gas, in wei; it waits in the pool.
    pub fn set_price_min(&self, wei: u128) {
        self.chain().set_price_min(wei);
    }

    /// Lets time pass on the chain; the next block shows it.
    pub fn pass_seconds(&self, seconds: u64) {
        self.chain().pass_seconds(seconds);
    }

    /// Ends the network and waits until its ports are closed.
    pub async fn shutdown(mut self) {
        self.producer = None;
        self.endpoint.close().await;
    }

    fn chain(&self) -> MutexGuard<'_, Chain> {
        lock(&self.chain)
    }
}

fn lock(chain: &Mutex<Chain>) -> MutexGuard<'_, Chain> {
    chain.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn open(chain: &Arc<Mutex<Chain>>, branch: Branch, lies: Lies) -> Result<Endpoint, DevnetError> {
    Ok(Endpoint::open(Arc::new(Served { chain: chain.clone(), branch }), lies).await?)
}

/// Makes blocks for as long as the network lives.
async fn produce(chain: Arc<Mutex<Chain>>, interval: Duration) {
    loop {
        platform::sleep(interval).await;
        let chain = chain.clone();
        let working = tokio::task::spawn_blocking(move || {
            let (mut chain, now) = (lock(&chain), platform::now());
            if chain.is_due(now) {
                // Stopped validators make no block; there is nobody to tell but who looks at the height.
                let _ = chain.mine(now);
            }
        });
        if working.await.is_err() {
            return;
        }
    }
}
