//! Whether the node is alive, started and ready, and why not. Drivers write it, the health endpoints read it.

use std::collections::BTreeMap;
use std::sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use catenary_light_clients::Timestamp;
use serde::Serialize;

/// How a chain stands.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ChainHealth {
    /// Its light client has a provable state, and its events have been read from the cursor once.
    pub started: bool,
    /// Block time of its verified head.
    pub head_timestamp: Option<Timestamp>,
    /// A head older than this is stale, in seconds.
    pub head_age_seconds_max: u64,
    /// Why nothing is proven from it any more.
    pub stopped: Option<Reason>,
}

/// Attestors of one side of a path.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct AttestorHealth {
    /// Attested chain.
    pub chain: String,
    /// Members that can sign.
    pub have: usize,
    /// Signatures needed.
    pub need: usize,
    /// Members that cannot, with why.
    pub missing: Vec<String>,
}

/// How a path stands.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct PathHealth {
    /// Names of its two chains.
    pub chains: Vec<String>,
    /// Attestors, by side.
    pub attestors: Vec<AttestorHealth>,
    /// On-chain clients that are frozen, as chain/client id.
    pub frozen: Vec<String>,
    /// Packets that wait for a person.
    pub parked: usize,
    /// Anything else that stops the path.
    pub reasons: Vec<Reason>,
}

/// Why something is not ready: a stable code, and words for people.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Reason {
    /// Stable code.
    pub code: &'static str,
    /// What it is, and what to do.
    pub message: String,
}

impl Reason {
    /// A reason.
    #[must_use]
    pub fn new(code: &'static str, message: impl Into<String>) -> Self {
        Self { code, message: message.into() }
    }
}

/// An answer of a health endpoint.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Readiness {
    /// Whether it is ready.
    pub ready: bool,
    /// Why not; when ready, what a person should know all the same.
    pub reasons: Vec<Reason>,
}

impl Readiness {
    fn of(reasons: Vec<Reason>) -> Self {
        Self { ready: reasons.is_empty(), reasons }
    }
}

/// A task that must make progress.
#[derive(Clone, PartialEq, Eq, Debug)]
struct TaskHealth {
    last_progress: Timestamp,
    silence_seconds_max: u64,
}

#[derive(Debug, Default)]
struct State {
    store_open: bool,
    chains: BTreeMap<String, ChainHealth>,
    paths: BTreeMap<String, PathHealth>,
    tasks: BTreeMap<String, TaskHealth>,
}

/// The node's health. Maps hold configured names only, so they do not grow.
#[derive(Debug, Default)]
pub struct Health {
    state: RwLock<State>,
}

impl Health {
    /// A node that has started nothing yet, with its configured chains and paths.
    #[must_use]
    pub fn new(chains: BTreeMap<String, ChainHealth>, paths: BTreeMap<String, PathHealth>) -> Self {
        let state = State { chains, paths, ..State::default() };
        Self { state: RwLock::new(state) }
    }

    fn read(&self) -> RwLockReadGuard<'_, State> {
        self.state.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, State> {
        self.state.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// The store is open and the journal replayed.
    pub fn store_opened(&self) {
        self.write().store_open = true;
    }

    /// Changes how a configured chain stands; an unknown name changes nothing.
    pub fn chain(&self, name: &str, change: impl FnOnce(&mut ChainHealth)) {
        if let Some(chain) = self.write().chains.get_mut(name) {
            change(chain);
        }
    }

    /// Changes how a configured path stands; an unknown name changes nothing.
    pub fn path(&self, name: &str, change: impl FnOnce(&mut PathHealth)) {
        if let Some(path) = self.write().paths.get_mut(name) {
            change(path);
        }
    }

    /// A task made progress, and is dead when it makes none for so long. Call it with few, fixed names.
    pub fn progress(&self, task: &str, now: Timestamp, silence_seconds_max: u64) {
        let health = TaskHealth { last_progress: now, silence_seconds_max };
        self.write().tasks.insert(task.to_owned(), health);
    }

    /// Whether the process works at all: no task has stopped making progress. Depends on nothing outside.
    #[must_use]
    pub fn live(&self, now: Timestamp) -> Readiness {
        let state = self.read();
        let stuck = state.tasks.iter().filter_map(|(name, task)| {
            let silent_seconds = now.seconds().saturating_sub(task.last_progress.seconds());
            let max = task.silence_seconds_max;
            let message = || format!("task {name} has made no progress for {silent_seconds} s, allowed are {max} s");
            (silent_seconds > max).then(|| Reason::new("NODE-HLT-001", message()))
        });
        Readiness::of(stuck.collect())
    }

    /// Whether the store is open and every chain has started.
    #[must_use]
    pub fn started(&self) -> Readiness {
        let state = self.read();
        let mut reasons = Vec::new();
        if !state.store_open {
            reasons.push(Reason::new("NODE-HLT-002", "the store is not open yet"));
        }
        reasons.extend(state.chains.iter().filter_map(|(name, chain)| not_started(name, chain)));
        Readiness::of(reasons)
    }

    /// Whether the node can do its work: started, and every chain proves fresh states.
    #[must_use]
    pub fn ready(&self, now: Timestamp) -> Readiness {
        let state = self.read();
        let mut reasons = Vec::new();
        if !state.store_open {
            reasons.push(Reason::new("NODE-HLT-002", "the store is not open yet"));
        }
        for (name, chain) in &state.chains {
            reasons.extend(chain_reasons(name, chain, now));
        }
        Readiness::of(reasons)
    }

    /// Whether a path makes progress; `None` when there is no such path.
    #[must_use]
    pub fn path_ready(&self, name: &str, now: Timestamp) -> Option<Readiness> {
        let state = self.read();
        let path = state.paths.get(name)?;
        let mut reasons = Vec::new();
        for chain in &path.chains {
            reasons.extend(state.chains.get(chain).into_iter().flat_map(|health| chain_reasons(chain, health, now)));
        }
        for side in path.attestors.iter().filter(|side| side.have < side.need) {
            let AttestorHealth { chain, have, need, missing } = side;
            let missing = missing.join(", ");
            let message = format!("chain {chain} has {have} of {need} attestors; missing: {missing}");
            reasons.push(Reason::new("NODE-HLT-006", message));
        }
        for client in &path.frozen {
            let message = format!("on-chain client {client} is frozen: packets and refunds wait for its recovery");
            reasons.push(Reason::new("NODE-HLT-007", message));
        }
        reasons.extend(path.reasons.iter().cloned());
        let mut readiness = Readiness::of(reasons);
        if path.parked > 0 {
            let message = format!("{} packets are parked and wait for a person; see `packet list`", path.parked);
            readiness.reasons.push(Reason::new("NODE-HLT-008", message));
        }
        Some(readiness)
    }
}

fn not_started(name: &str, chain: &ChainHealth) -> Option<Reason> {
    let message = || format!("chain {name} has not been read from its cursor to its head yet");
    (!chain.started).then(|| Reason::new("NODE-HLT-003", message()))
}

fn chain_reasons(name: &str, chain: &ChainHealth, now: Timestamp) -> Vec<Reason> {
    let mut reasons: Vec<Reason> = not_started(name, chain).into_iter().collect();
    if let Some(stopped) = &chain.stopped {
        let message = format!("chain {name} is stopped: {}: {}", stopped.code, stopped.message);
        reasons.push(Reason::new("NODE-HLT-004", message));
    }
    if let Some(head) = chain.head_timestamp {
        let age_seconds = now.seconds().saturating_sub(head.seconds());
        if age_seconds > chain.head_age_seconds_max {
            let max = chain.head_age_seconds_max;
            let message = format!("the verified head of chain {name} is {age_seconds} s old, allowed are {max} s");
            reasons.push(Reason::new("NODE-HLT-005", message));
        }
    }
    reasons
}
