//! One connected chain: its adapter, its light client, and what they prove together.
//!
//! The follower advances the light client header by header; the prover turns endpoint bytes into verified facts at
//! a height. Neither acts on what an endpoint says: a refusal is counted under its stable code and changes nothing.
//!
//! # What an attacker can grow
//!
//! Nothing: the light client retains a fixed number of headers, requests are bounded by `api::limits`, and at most
//! one follower runs a chain.

mod follow;
mod prove;
pub mod prover;

use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::Duration;

use crate::watched;
use catenary_api::{ChainSink, ChainSource};
use catenary_light_clients::{Family, LightClient, Rejection, Status, Timestamp};

pub use prover::{ProveError, Prover};

/// What is told of a chain's verification, for metrics, health and the journal.
pub trait ChainObserver: Send + Sync {
    /// A check was made; `Err` carries the stable code of the refusal.
    fn checked(&self, check: &'static str, outcome: Result<(), &Rejection>, took: Duration);
    /// The light client trusts a new head; `saved` is its state, to be journaled by digest.
    fn advanced(&self, status: &Status, saved: &dyn Fn() -> Vec<u8>);
    /// The light client is frozen: its state is to be kept at once, so that a restart does not thaw it.
    fn froze(&self, status: &Status, saved: &dyn Fn() -> Vec<u8>);
    /// The chain stopped or goes on: `None` means it can be proven from.
    fn stopped(&self, reason: Option<&Stop>);
    /// The endpoint failed; its stable code.
    fn endpoint_failed(&self, code: &'static str);
}

/// Why nothing is proven from a chain at the moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stop {
    /// Stable code.
    pub code: &'static str,
    /// For people: what is wrong and what to do next.
    pub message: String,
}

/// Settings of a connected chain.
#[derive(Debug, Clone)]
pub struct ChainOptions {
    /// Name in the config.
    pub name: String,
    /// Milliseconds between looks at the head.
    pub poll_ms: u64,
    /// A verified head older than this is stale: the endpoint withholds, or the chain has stopped.
    pub stale_after_seconds: u64,
    /// How long a request for a height just above the head waits, in milliseconds.
    pub wait_above_head_ms: u64,
    /// Whether the light client may skip headers.
    pub skipping: bool,
}

/// The verified head as other tasks see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeadState {
    /// Highest provable height; 0 while there is none.
    pub provable_height: u64,
    /// Its time.
    pub timestamp: Timestamp,
    /// Why nothing is proven, if so.
    pub stop: Option<Stop>,
}

/// A connected chain.
pub struct Chain {
    options: ChainOptions,
    family: Family,
    source: Arc<dyn ChainSource>,
    sink: Arc<dyn ChainSink>,
    client: RwLock<Box<dyn LightClient>>,
    head: watched::Sender<HeadState>,
    observer: Arc<dyn ChainObserver>,
}

impl std::fmt::Debug for Chain {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Chain").field("options", &self.options).field("head", &*self.head.borrow()).finish()
    }
}

/// The two sides of an adapter.
#[derive(Clone)]
pub struct Adapter {
    /// Reads.
    pub source: Arc<dyn ChainSource>,
    /// Writes.
    pub sink: Arc<dyn ChainSink>,
}

impl std::fmt::Debug for Adapter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Adapter")
    }
}

impl Chain {
    /// A chain from its parts.
    #[must_use]
    pub fn new(
        options: ChainOptions,
        adapter: Adapter,
        client: Box<dyn LightClient>,
        observer: Arc<dyn ChainObserver>,
    ) -> Self {
        let status = client.status();
        let first = HeadState { provable_height: 0, timestamp: status.trusted_timestamp, stop: None };
        let head = watched::Sender::new(first);
        let Adapter { source, sink } = adapter;
        Self { options, family: status.family, source, sink, client: RwLock::new(client), head, observer }
    }

    /// Name in the config.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.options.name
    }

    /// Consensus family.
    #[must_use]
    pub const fn family(&self) -> Family {
        self.family
    }

    /// The reading side.
    #[must_use]
    pub fn source(&self) -> &Arc<dyn ChainSource> {
        &self.source
    }

    /// The writing side.
    #[must_use]
    pub fn sink(&self) -> &Arc<dyn ChainSink> {
        &self.sink
    }

    /// Where the light client stands.
    #[must_use]
    pub fn status(&self) -> Status {
        self.client().status()
    }

    /// Changes of the verified head.
    #[must_use]
    pub fn watch(&self) -> watched::Receiver<HeadState> {
        self.head.subscribe()
    }

    fn client(&self) -> RwLockReadGuard<'_, Box<dyn LightClient>> {
        // A panic while a lock is held cannot leave a light client half changed: a refusal changes nothing.
        self.client.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn client_mut(&self) -> RwLockWriteGuard<'_, Box<dyn LightClient>> {
        self.client.write().unwrap_or_else(PoisonError::into_inner)
    }
}
