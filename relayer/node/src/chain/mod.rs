//! One connected chain: its adapter, its light client, and what they prove together.
//!
//! It reads and writes through its [`endpoints`], each known by name. The follower advances the light client header by
//! header; the prover turns endpoint bytes into verified facts at a height. Neither acts on what an endpoint says: a
//! refusal is counted under its stable code, blamed on the endpoint that caused it, and changes nothing.
//!
//! # What an attacker can grow
//!
//! Nothing: the light client retains a fixed number of headers, requests are bounded by `api::limits`, and at most
//! one follower runs a chain.

mod admit;
mod compare;
pub mod endpoints;
pub mod evidence;
mod facts;
mod follow;
pub mod hint;
pub mod native;
mod pace;
mod prove;
pub mod prover;
mod socket;

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::{Duration, Instant};

use catenary_api::{ChainSink, ChainSource};
use catenary_core::record::MisbehaviourSeen;
use catenary_light_clients::{Class, Family, Hash32, InstanceId, LightClient, Rejection, Status, Timestamp};
use tokio::sync::Notify;

use self::endpoints::Endpoints;
use self::pace::Pace;
use crate::watched;

pub use admit::{Admission, HasClient};
pub use facts::Fact;
pub use native::Proven;
pub use prover::{ProveError, Prover};
pub use socket::Authorities;

/// What is told of a chain's verification, for metrics, health and the journal.
pub trait ChainObserver: Send + Sync {
    /// A check was made; `Err` carries the stable code of the refusal.
    fn checked(&self, check: &'static str, outcome: Result<(), &Rejection>, took: Duration);
    /// The light client trusts a new head; `saved` is its state, to be journaled by digest.
    fn advanced(&self, status: &Status, saved: &dyn Fn() -> Vec<u8>);
    /// The light client is frozen: its state is to be kept at once, so that a restart does not thaw it.
    fn froze(&self, status: &Status, saved: &dyn Fn() -> Vec<u8>);
    /// Two headers contradict each other: to be journaled before anything else is done.
    fn misbehaved(&self, _seen: MisbehaviourSeen) {}
    /// The chain stopped or goes on: `None` means it can be proven from.
    fn stopped(&self, reason: Option<&Stop>);
    /// The endpoint failed; its stable code.
    fn endpoint_failed(&self, code: &'static str);
    /// The follower has made a round, whatever came of it.
    fn turned(&self) {}
}

impl ChainObserver for endpoints::Unobserved {
    fn checked(&self, _: &'static str, _: Result<(), &Rejection>, _: Duration) {}
    fn advanced(&self, _: &Status, _: &dyn Fn() -> Vec<u8>) {}
    fn froze(&self, _: &Status, _: &dyn Fn() -> Vec<u8>) {}
    fn stopped(&self, _: Option<&Stop>) {}
    fn endpoint_failed(&self, _: &'static str) {}
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

/// A connected chain, or one that is still to be connected.
pub struct Chain {
    options: ChainOptions,
    family: Family,
    instance: InstanceId,
    chain_id: String,
    endpoints: Arc<Endpoints>,
    source: Arc<dyn ChainSource>,
    sink: Arc<dyn ChainSink>,
    client: RwLock<Option<Box<dyn LightClient>>>,
    admission: Mutex<Option<Arc<dyn Admission>>>,
    head: watched::Sender<HeadState>,
    observer: Arc<dyn ChainObserver>,
    /// Told when there is probably a new block.
    wake: Arc<Notify>,
    /// When a hint last came.
    heard: Mutex<Option<Instant>>,
    /// When blocks come, where looks are made by that.
    pace: Option<Mutex<Pace>>,
    /// Where evidence of misbehaviour is kept.
    evidence: OnceLock<PathBuf>,
    /// Whether the journal knows of misbehaviour that no person has looked at.
    frozen: AtomicBool,
}

/// What a chain is made of that may still have to be connected.
pub struct ChainParts {
    /// Consensus family.
    pub family: Family,
    /// Instance that the light client has, or will have.
    pub instance: InstanceId,
    /// Chain id that every endpoint must say it serves.
    pub chain_id: String,
    /// Endpoints.
    pub endpoints: Arc<Endpoints>,
    /// The light client, if it was restored.
    pub client: Option<Box<dyn LightClient>>,
    /// What must be right before it is followed.
    pub admission: Arc<dyn Admission>,
    /// Who is told.
    pub observer: Arc<dyn ChainObserver>,
}

impl std::fmt::Debug for ChainParts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ChainParts").field("endpoints", &self.endpoints).finish_non_exhaustive()
    }
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
        let endpoints = Arc::new(Endpoints::single(&options.name, adapter));
        Self {
            options,
            family: status.family,
            instance: status.instance,
            chain_id: status.chain_id,
            source: endpoints.clone(),
            sink: endpoints.clone(),
            endpoints,
            client: RwLock::new(Some(client)),
            admission: Mutex::new(None),
            head: watched::Sender::new(first),
            observer,
            wake: Arc::new(Notify::new()),
            heard: Mutex::new(None),
            pace: None,
            evidence: OnceLock::new(),
            frozen: AtomicBool::new(false),
        }
    }

    /// A chain over several endpoints, which is connected by [`Self::admit`], now or once they answer.
    #[must_use]
    pub fn over(options: ChainOptions, parts: ChainParts) -> Self {
        let ChainParts { family, instance, chain_id, endpoints, client, admission, observer } = parts;
        let timestamp = client.as_ref().map(|client| client.status().trusted_timestamp).unwrap_or_default();
        let first = HeadState { provable_height: 0, timestamp, stop: Some(admit::not_tried(&options.name)) };
        Self {
            options,
            family,
            instance,
            chain_id,
            source: endpoints.clone(),
            sink: endpoints.clone(),
            endpoints,
            client: RwLock::new(client),
            admission: Mutex::new(Some(admission)),
            head: watched::Sender::new(first),
            observer,
            wake: Arc::new(Notify::new()),
            heard: Mutex::new(None),
            pace: None,
            evidence: OnceLock::new(),
            frozen: AtomicBool::new(false),
        }
    }

    /// Proves nothing from now on: the journal knows of misbehaviour, even if the light client's saved state does not.
    pub fn freeze(&self) {
        self.frozen.store(true, Ordering::Relaxed);
    }

    pub(super) fn is_frozen(&self) -> bool {
        self.frozen.load(Ordering::Relaxed)
    }

    /// Names the folder where evidence of misbehaviour is kept; the first one named stays.
    pub fn keep_evidence_in(&self, folder: PathBuf) {
        let _ = self.evidence.set(folder);
    }

    /// The endpoints.
    #[must_use]
    pub const fn endpoints(&self) -> &Arc<Endpoints> {
        &self.endpoints
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

    /// The same, which looks at the head about when the next block is due.
    #[must_use]
    pub fn paced(mut self) -> Self {
        self.pace = Some(Mutex::default());
        self
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

    /// Where the light client stands; at height 0 while there is none.
    #[must_use]
    pub fn status(&self) -> Status {
        let status = self.client().as_ref().map_or_else(|| self.unconnected_status(), |client| client.status());
        Status { frozen: status.frozen || self.is_frozen(), ..status }
    }

    fn unconnected_status(&self) -> Status {
        Status {
            family: self.family,
            instance: self.instance,
            chain_id: self.chain_id.clone(),
            trusted_height: 0,
            trusted_hash: Hash32([0; 32]),
            trusted_timestamp: Timestamp::default(),
            provable_height: 0,
            expires_at: Timestamp::default(),
            validators: 0,
            frozen: false,
        }
    }

    /// Changes of the verified head.
    #[must_use]
    pub fn watch(&self) -> watched::Receiver<HeadState> {
        self.head.subscribe()
    }

    fn client(&self) -> RwLockReadGuard<'_, Option<Box<dyn LightClient>>> {
        // A panic while a lock is held cannot leave a light client half changed: a refusal changes nothing.
        self.client.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn client_mut(&self) -> RwLockWriteGuard<'_, Option<Box<dyn LightClient>>> {
        self.client.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// The state of the light client as it is kept; nothing while there is none.
    fn saved(&self) -> Vec<u8> {
        self.client().as_ref().map(|client| client.save()).unwrap_or_default()
    }
}

/// Whether a refusal of this class is the doing of whoever gave the bytes: an honest endpoint of the chain never gives
/// them. Transient ones may be a matter of time.
const fn blame(class: Class) -> bool {
    matches!(class, Class::Misbehaviour | Class::Permanent | Class::Config)
}
