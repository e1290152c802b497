//! A CometBFT network in one process: real headers and commits, real stores with real proofs, real transactions.
//!
//! ```
//! use catenary_devnet::cometbft::{CometConfig, CometDevnet, CometFault};
//!
//! # tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap().block_on(async {
//! let devnet = CometDevnet::start(CometConfig { block_interval: None, ..CometConfig::default() }).await?;
//! assert_eq!(devnet.mine(3)?, 4, "the first block is there from the start");
//! // An endpoint that shows the next block with a forged app hash, beside the honest one at `devnet.url()`:
//! let forged = devnet.fault(CometFault::WrongAppHash).await?;
//! devnet.mine(1)?;
//! assert_eq!(forged.height, 5);
//! assert!(forged.url().is_some_and(|url| url != devnet.url()));
//! devnet.shutdown().await;
//! # Ok::<(), catenary_devnet::cometbft::DevnetError>(())
//! # }).unwrap();
//! ```
//!
//! **What is real.** Headers, commits, vote bytes, part sets and all hashes are CometBFT's; so are the rotation of
//! proposers and the two blocks between a change of validators and its effect. The state is IAVL trees under a simple
//! merkle tree, proven in two steps of ICS-23; the state after block h is in header h + 1. Transactions are decoded,
//! checked and charged as the cosmos-sdk does it, and messages run through the IBC handler of `catenary-protocol`.
//!
//! **What is not.** There is one process with all validators' keys, so there are no rounds and no gossip. A block's
//! time is the proposer's clock and at least a millisecond after the one before, not the median of the last votes.
//! There is neither staking nor inflation; the store `clock` makes states differ from block to block.
//!
//! **What can grow** is stated in `chain`: all of it is bounded, most of it by [`CometConfig`].

use std::sync::Arc;
use std::time::Duration;

use catenary_light_clients::Class;
use thiserror::Error;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::fault::Lies;
use crate::platform;
use crate::wire::{Endpoint, WireError};

mod app;
mod block;
mod chain;
mod config;
mod fault;
mod host;
mod iavl;
mod json;
mod merkle;
mod node;
mod query;
mod rpc;
mod search;
mod stores;
mod tx;
mod validators;

pub use config::{Clock, CometConfig, POWER_DEFAULT, VALIDATORS_MAX};
pub use fault::{CometFault, FORKED_KEY};

use chain::Chain;
use fault::Forgery;
use node::{Node, View};

/// Why a network does not start, or does not go on.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum DevnetError {
    /// The configuration can never work.
    #[error("configuration of the devnet: {field}: {reason}")]
    Config {
        /// Which field.
        field: &'static str,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// Too few validators vote for another block.
    #[error("the network stands at height {height}: too few of its validators vote; heal it")]
    Halted {
        /// Height of the newest block.
        height: u64,
    },
    /// No port could be opened.
    #[error(transparent)]
    Wire(#[from] WireError),
    /// The chain's handler refused what governance asked of it.
    #[error("the handler refused: {0}")]
    Handler(#[from] catenary_protocol::handler::Error),
}

impl DevnetError {
    /// The stable code.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Config { .. } => "DEV-CMT-001",
            Self::Halted { .. } => "DEV-CMT-002",
            Self::Wire(_) => "DEV-CMT-003",
            Self::Handler(_) => "DEV-CMT-004",
        }
    }

    /// What may be done about it.
    #[must_use]
    pub const fn class(&self) -> Class {
        match self {
            Self::Config { .. } => Class::Config,
            Self::Handler(error) => error.class(),
            Self::Halted { .. } | Self::Wire(_) => Class::Transient,
        }
    }
}

/// A running network. It ends when it is dropped.
#[derive(Debug)]
pub struct CometDevnet {
    node: Arc<Node>,
    endpoint: Endpoint,
    driver: Driver,
}

/// The task that makes blocks. It ends when this is dropped.
#[derive(Debug)]
struct Driver {
    closing: watch::Sender<bool>,
    task: Option<JoinHandle<()>>,
}

impl Drop for Driver {
    fn drop(&mut self) {
        self.closing.send_replace(true);
    }
}

/// A fault of the network, and the endpoint that shows it.
#[derive(Debug)]
pub struct FaultyView {
    /// The fault.
    pub fault: CometFault,
    /// Height of the first block concerned, which is still to be made.
    pub height: u64,
    /// The endpoint; `None` where the fault is the whole network's and every endpoint shows it.
    pub endpoint: Option<Endpoint>,
}

impl FaultyView {
    /// The endpoint's address.
    #[must_use]
    pub fn url(&self) -> Option<String> {
        self.endpoint.as_ref().map(Endpoint::url)
    }
}

impl CometDevnet {
    /// Starts a network, which has its first block when this returns.
    ///
    /// # Errors
    /// [`DevnetError::Config`] or [`DevnetError::Wire`].
    pub async fn start(config: CometConfig) -> Result<Self, DevnetError> {
        let interval = config.block_interval;
        let node = Arc::new(Node::new(Chain::new(config)?));
        node.produce();
        let endpoint = Endpoint::open(Arc::new(View::honest(Arc::clone(&node))), Lies::default()).await?;
        let closing = watch::Sender::new(false);
        let task = interval.map(|interval| tokio::spawn(drive(Arc::clone(&node), interval, closing.subscribe())));
        Ok(Self { node, endpoint, driver: Driver { closing, task } })
    }

    /// Address of the honest endpoint, unless [`lies`](Self::lies) are told there.
    #[must_use]
    pub fn url(&self) -> String {
        self.endpoint.url()
    }

    /// The same for WebSocket.
    #[must_use]
    pub fn ws_url(&self) -> String {
        self.endpoint.ws_url()
    }

    /// The lies of the first endpoint.
    #[must_use]
    pub const fn lies(&self) -> &Lies {
        self.endpoint.lies()
    }

    /// Another endpoint of the network, with lies of its own.
    ///
    /// # Errors
    /// [`DevnetError::Wire`].
    pub async fn endpoint(&self, lies: Lies) -> Result<Endpoint, DevnetError> {
        Ok(Endpoint::open(Arc::new(View::honest(Arc::clone(&self.node))), lies).await?)
    }

    /// Makes blocks at once, and gives the height that they lead to.
    ///
    /// # Errors
    /// [`DevnetError::Halted`].
    pub fn mine(&self, blocks: u64) -> Result<u64, DevnetError> {
        for _ in 0..blocks {
            self.node.produce().ok_or_else(|| DevnetError::Halted { height: self.height() })?;
        }
        Ok(self.height())
    }

    /// Height of the newest block.
    #[must_use]
    pub fn height(&self) -> u64 {
        self.node.chain().height()
    }

    /// Time of the newest block, since 1970.
    #[must_use]
    pub fn time(&self) -> Duration {
        self.node.chain().pending_context().time
    }

    /// Waits until there is a block at a height, for ever where none comes. Cancel safe.
    pub async fn wait_for_height(&self, height: u64) -> u64 {
        let mut head = self.node.head();
        // The sender lives as long as the network does.
        let reached = head.wait_for(|head| *head >= height).await.map(|head| *head);
        reached.unwrap_or_default()
    }

    /// Lets the network do wrong from its next block on. Most faults are shown by an endpoint of their own, while the
    /// chain goes on honestly everywhere else; validators that stop, stop for everybody until [`heal`](Self::heal).
    ///
    /// # Errors
    /// [`DevnetError::Wire`].
    pub async fn fault(&self, fault: CometFault) -> Result<FaultyView, DevnetError> {
        let (height, forgery) = {
            let mut chain = self.node.chain();
            let validators = chain.validators_at(chain.height() + 1).map_or(0, |set| set.validators.len());
            let stops = fault.stops(validators);
            if let Some(count) = stops {
                chain.stop(count);
            }
            (chain.height() + 1, stops.is_none().then(|| Forgery::new(fault, &chain)))
        };
        let Some(forgery) = forgery else { return Ok(FaultyView { fault, height, endpoint: None }) };
        let height = forgery.from;
        let view = View::forged(Arc::clone(&self.node), forgery);
        let endpoint = Some(Endpoint::open(Arc::new(view), Lies::default()).await?);
        Ok(FaultyView { fault, height, endpoint })
    }

    /// Starts all stopped validators again.
    pub fn heal(&self) {
        self.node.chain().stop(0);
    }

    /// Changes the power of a validator by its number; 0 removes it, a number that is not there yet joins. The next
    /// block says so in its results, the one after it announces the set, and the third one is signed by it.
    ///
    /// # Errors
    /// [`DevnetError::Config`] when no validator would be left.
    pub fn set_power(&self, number: u64, power: u64) -> Result<(), DevnetError> {
        self.node.chain().set_power(number, power)
    }

    /// Lets a client that is frozen or has expired go on from what a substitute knows, as the chain's governance decides
    /// it; the next block begins so.
    ///
    /// # Errors
    /// [`DevnetError::Handler`] when the client or the substitute will not do.
    pub fn recover_client(&self, client_id: &str, substitute_id: &str) -> Result<(), DevnetError> {
        Ok(self.node.chain().recover_client(client_id, substitute_id)?)
    }

    /// Moves the chain's clock ahead, for deadlines to pass.
    pub fn advance_time(&self, by: Duration) {
        self.node.chain().advance_clock(by);
    }

    /// What an address holds, in decimal; `None` when the text is no address of this chain.
    #[must_use]
    pub fn balance(&self, address: &str, denom: &str) -> Option<String> {
        self.node.chain().balance(address, denom).map(|amount| amount.to_string())
    }

    /// Hash of a block, for pinning an anchor; `None` when there is none at the height.
    #[must_use]
    pub fn block_hash(&self, height: u64) -> Option<[u8; 32]> {
        self.node.chain().block(height)?.id.hash.as_slice().try_into().ok()
    }

    /// Ends the network and waits until its ports are closed.
    pub async fn shutdown(self) {
        let Self { endpoint, mut driver, .. } = self;
        driver.closing.send_replace(true);
        if let Some(task) = driver.task.take() {
            let _ = task.await;
        }
        endpoint.close().await;
    }
}

/// Makes a block every `interval`.
async fn drive(node: Arc<Node>, interval: Duration, mut closing: watch::Receiver<bool>) {
    loop {
        tokio::select! {
            _ = closing.wait_for(|closing| *closing) => return,
            () = platform::sleep(interval) => {}
        }
        let node = Arc::clone(&node);
        // A network that stands makes none, and goes on when it is healed.
        let _ = tokio::task::spawn_blocking(move || node.produce()).await;
    }
}
