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
    /// Why nothing is proven from it any more, or not yet.
    pub stopped: Option<Reason>,
    /// Endpoints that are left out while others serve, by name, with why.
    pub endpoints_left_out: BTreeMap<String, Reason>,
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
    /// Why nothing can be recorded.
    ledger: Option<Reason>,
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

    /// Nothing can be recorded, so nothing is signed or sent; `None` when it can.
    pub fn ledger(&self, failure: Option<Reason>) {
        self.write().ledger = failure;
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

    /// Whether the node has done its part of the start: the store is open, and every chain either has been followed to
    /// its head or is known not to answer. What is missing then is for readiness to say, since a new start would not
    /// change it.
    #[must_use]
    pub fn started(&self) -> Readiness {
        let state = self.read();
        let mut reasons: Vec<Reason> = store_not_open(&state).into_iter().collect();
        let untried = state.chains.iter().filter(|(_, chain)| chain.stopped.is_none());
        reasons.extend(untried.filter_map(|(name, chain)| not_started(name, chain)));
        Readiness::of(reasons)
    }

    /// Whether the node can do its work: started, and every chain proves fresh states.
    #[must_use]
    pub fn ready(&self, now: Timestamp) -> Readiness {
        let state = self.read();
        let mut reasons: Vec<Reason> = store_not_open(&state).into_iter().chain(no_records(&state)).collect();
        for (name, chain) in &state.chains {
            reasons.extend(chain_reasons(name, chain, now));
        }
        let mut readiness = Readiness::of(reasons);
        readiness.reasons.extend(state.chains.iter().flat_map(|(name, chain)| left_out(name, chain)));
        readiness
    }

    /// Whether a path makes progress; `None` when there is no such path.
    #[must_use]
    pub fn path_ready(&self, name: &str, now: Timestamp) -> Option<Readiness> {
        let state = self.read();
        let path = state.paths.get(name)?;
        let mut reasons: Vec<Reason> = no_records(&state).into_iter().collect();
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
        for chain in &path.chains {
            readiness.reasons.extend(state.chains.get(chain).into_iter().flat_map(|health| left_out(chain, health)));
        }
        if path.parked > 0 {
            let message = format!("{} packets are parked and wait for a person; see `packet list`", path.parked);
            readiness.reasons.push(Reason::new("NODE-HLT-008", message));
        }
        Some(readiness)
    }
}

fn store_not_open(state: &State) -> Option<Reason> {
    (!state.store_open).then(|| Reason::new("NODE-HLT-002", "the store is not open yet"))
}

fn no_records(state: &State) -> Option<Reason> {
    let Reason { code, message } = state.ledger.as_ref()?;
    let message = format!("nothing can be recorded, so nothing is signed or sent until it can: {code}: {message}");
    Some(Reason::new("NODE-HLT-010", message))
}

fn not_started(name: &str, chain: &ChainHealth) -> Option<Reason> {
    let message = || format!("chain {name} has not been read from its cursor to its head yet");
    (!chain.started).then(|| Reason::new("NODE-HLT-003", message()))
}

/// What a person should know although the chain is served: an endpoint of it is not asked.
fn left_out(name: &str, chain: &ChainHealth) -> Vec<Reason> {
    let reason = |(endpoint, why): (&String, &Reason)| {
        let message = format!("{endpoint} of chain {name} is left out: {}: {}", why.code, why.message);
        Reason::new("NODE-HLT-011", message)
    };
    chain.endpoints_left_out.iter().map(reason).collect()
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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    const NOW: Timestamp = Timestamp::from_seconds(1_000);

    /// A node with two chains and a path that is ready in every way.
    fn healthy() -> Health {
        let chain = || ChainHealth {
            started: true,
            head_timestamp: Some(Timestamp::from_seconds(990)),
            head_age_seconds_max: 60,
            stopped: None,
            endpoints_left_out: BTreeMap::new(),
        };
        let side = |chain: &str| AttestorHealth { chain: chain.to_owned(), have: 2, need: 2, missing: vec![] };
        let path = PathHealth {
            chains: vec!["evm".to_owned(), "simd".to_owned()],
            attestors: vec![side("evm"), side("simd")],
            ..PathHealth::default()
        };
        let chains = ["evm", "simd", "other"].map(|name| (name.to_owned(), chain())).into_iter().collect();
        let health = Health::new(chains, BTreeMap::from([("evm-simd".to_owned(), path)]));
        health.store_opened();
        health
    }

    fn codes(readiness: &Readiness) -> Vec<&'static str> {
        readiness.reasons.iter().map(|reason| reason.code).collect()
    }

    /// Changes a healthy node, and expects the codes of the node's readiness and of the path's.
    fn check(change: impl Fn(&Health), node: &[&str], path: &[&str]) {
        let health = healthy();
        change(&health);
        let of_node = health.ready(NOW);
        let of_path = health.path_ready("evm-simd", NOW).unwrap();
        assert_eq!((codes(&of_node), codes(&of_path)), (node.to_vec(), path.to_vec()));
        assert_eq!(of_node.ready, node.iter().all(|code| *code == "NODE-HLT-011"));
        let is_note = |code: &&str| ["NODE-HLT-008", "NODE-HLT-011"].contains(code);
        assert_eq!(of_path.ready, path.iter().all(is_note));
    }

    #[test]
    fn readiness_names_each_reason() {
        check(|_| {}, &[], &[]);
        check(|h| h.chain("evm", |c| c.started = false), &["NODE-HLT-003"], &["NODE-HLT-003"]);
        let stop = |c: &mut ChainHealth| c.stopped = Some(Reason::new("LC-X-001", "conflict"));
        check(|h| h.chain("simd", stop), &["NODE-HLT-004"], &["NODE-HLT-004"]);
        // A chain that the path does not use does not stop it.
        check(|h| h.chain("other", stop), &["NODE-HLT-004"], &[]);
        let stale = |seconds| move |c: &mut ChainHealth| c.head_timestamp = Some(Timestamp::from_seconds(seconds));
        check(|h| h.chain("evm", stale(939)), &["NODE-HLT-005"], &["NODE-HLT-005"]);
        check(|h| h.chain("evm", stale(940)), &[], &[]);
        let lagging = |c: &mut ChainHealth| {
            c.endpoints_left_out.insert("endpoint-1".into(), Reason::new("NODE-END-002", "behind"));
        };
        check(|h| h.chain("evm", lagging), &["NODE-HLT-011"], &["NODE-HLT-011"]);
        check(|h| h.chain("other", lagging), &["NODE-HLT-011"], &[]);
        check(|h| h.path("evm-simd", |p| p.attestors[1].have = 1), &[], &["NODE-HLT-006"]);
        check(|h| h.path("evm-simd", |p| p.frozen.push("simd/attestations-0".into())), &[], &["NODE-HLT-007"]);
        check(|h| h.path("evm-simd", |p| p.parked = 3), &[], &["NODE-HLT-008"]);
        check(|h| h.path("evm-simd", |p| p.reasons.push(Reason::new("ATT-202", "x"))), &[], &["ATT-202"]);
        check(|h| h.path("no such path", |p| p.parked = 3), &[], &[]);
        let full = || Some(Reason::new("JRN-002", "no space"));
        check(|h| h.ledger(full()), &["NODE-HLT-010"], &["NODE-HLT-010"]);
        let freed = |h: &Health| {
            h.ledger(full());
            h.ledger(None);
        };
        check(freed, &[], &[]);
    }

    #[test]
    fn too_few_attestors_are_named_with_numbers_and_members() {
        let health = healthy();
        health.path("evm-simd", |path| {
            path.attestors[0].have = 1;
            path.attestors[0].missing = vec!["org-b ATT-101".to_owned(), "org-c ATT-102".to_owned()];
        });
        let readiness = health.path_ready("evm-simd", NOW).unwrap();
        let message = &readiness.reasons[0].message;
        assert_eq!(message, "chain evm has 1 of 2 attestors; missing: org-b ATT-101, org-c ATT-102");
        assert_eq!(health.path_ready("nowhere", NOW), None);
    }

    #[test]
    fn a_node_has_started_when_its_store_is_open_and_all_chains_were_read() {
        let health = Health::new(BTreeMap::new(), BTreeMap::new());
        assert_eq!(codes(&health.started()), ["NODE-HLT-002"]);
        assert_eq!(codes(&health.ready(NOW)), ["NODE-HLT-002"]);
        let health = healthy();
        assert!(health.started().ready);
        health.chain("evm", |chain| chain.started = false);
        assert_eq!(codes(&health.started()), ["NODE-HLT-003"]);
        // A chain that is known to be down is no reason to start again.
        health.chain("evm", |chain| chain.stopped = Some(Reason::new("NODE-CHN-005", "not connected yet")));
        assert!(health.started().ready);
        assert_eq!(codes(&health.ready(NOW)), ["NODE-HLT-003", "NODE-HLT-004"]);
    }

    #[test]
    fn a_task_without_progress_ends_liveness_and_nothing_else_does() {
        let health = healthy();
        health.chain("evm", |chain| chain.stopped = Some(Reason::new("LC-X-001", "conflict")));
        health.progress("path/evm-simd", Timestamp::from_seconds(990), 10);
        assert!(health.live(NOW).ready);
        assert_eq!(codes(&health.live(Timestamp::from_seconds(1_001))), ["NODE-HLT-001"]);
        health.progress("path/evm-simd", Timestamp::from_seconds(1_001), 10);
        assert!(health.live(Timestamp::from_seconds(1_011)).ready);
    }
}
