//! The endpoints of one chain as one reading and one writing side, whatever the chain's family.
//!
//! Each URL has an adapter of its own, so that every answer has a name: what a light client refuses is blamed on the
//! endpoint that gave it, and that one is left out until it is right again, while the others serve. No endpoint is
//! trusted here; that several agree proves nothing either. What is decided here is only whom to ask.
//!
//! - **Whom to ask**: [`score`] keeps success and time of each kind of request, a circuit breaker, and what a light
//!   client refused; the configuration's order breaks ties. When none serves, the best of those left out is asked.
//! - **Reads** go to a second endpoint when the first is later than usual ([`read`]), and on to the next when it fails.
//! - **Heads** of all endpoints are compared now and then ([`compare`]): who is behind, or serves another header than
//!   the verified one, is left out, by name.
//! - **Transactions** ([`sink`]) go to the best endpoint, and with the same bytes to the next when nothing is known of
//!   the outcome. A failed receipt is believed only when another endpoint says the same, if there is one.
//!
//! # What an attacker can grow
//!
//! Requests in flight are bounded an endpoint and kind, second requests are a fixed share of all, and of transactions
//! a fixed number is remembered. An endpoint is a row of numbers.

mod compare;
pub mod limits;
mod read;
mod score;
mod sink;
mod source;
#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use catenary_api::{ChainSink, ChainSource, Error, ReplacingSink};
use catenary_light_clients::Class;
use tokio::sync::Semaphore;

pub use read::Told;
pub use score::{Call, LeftOut, Went};

use self::score::{Bucket, HedgeBudget, Record, Tier};
use self::sink::TxMemory;
use super::Adapter;
use crate::platform;

/// It failed too often in a row.
const DOWN_CODE: &str = "NODE-END-001";
/// Its head is behind the verified one.
const BEHIND_CODE: &str = "NODE-END-002";
/// The code of an endpoint that serves another network than the configured one.
pub const NETWORK_CODE: &str = "NODE-END-003";
/// There is none.
const NONE_CODE: &str = "NODE-END-004";

/// How an endpoint stands.
#[derive(Clone, PartialEq, Debug)]
pub struct Standing {
    /// Whether requests go to it.
    pub up: bool,
    /// Why not, if they do not.
    pub why: Option<LeftOut>,
}

/// Told of endpoints, by their names in metrics.
pub trait EndpointObserver: Send + Sync {
    /// A request to an endpoint ended.
    fn asked(&self, endpoint: &str, call: Call, went: Went);
    /// The score of an endpoint, from 0 to 1.
    fn scored(&self, endpoint: &str, score: f64);
    /// An endpoint came into service or was left out. Called once a change.
    fn changed(&self, endpoint: &str, standing: &Standing);
    /// An endpoint said what is refused, or what another contradicts.
    fn disagreed(&self, endpoint: &str, why: &LeftOut);
}

/// Says nothing to anybody: for tools.
#[derive(Debug)]
pub struct Unobserved;

impl EndpointObserver for Unobserved {
    fn asked(&self, _: &str, _: Call, _: Went) {}
    fn scored(&self, _: &str, _: f64) {}
    fn changed(&self, _: &str, _: &Standing) {}
    fn disagreed(&self, _: &str, _: &LeftOut) {}
}

/// One endpoint: an adapter with one URL.
#[derive(Clone)]
pub struct Member {
    /// Its name in metrics, logs and readiness; never its URL.
    pub name: String,
    /// Its adapter.
    pub adapter: Adapter,
    /// What raises the price of a transaction that no block takes, where the family knows replacement.
    pub replacer: Option<Arc<dyn ReplacingSink>>,
    /// Most requests a second that go to it; `None` for no bound.
    pub requests_per_second_max: Option<u32>,
}

impl std::fmt::Debug for Member {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Member").field("name", &self.name).finish_non_exhaustive()
    }
}

struct Endpoint {
    name: String,
    source: Arc<dyn ChainSource>,
    sink: Arc<dyn ChainSink>,
    replacer: Option<Arc<dyn ReplacingSink>>,
    permits: [Semaphore; Call::ALL.len()],
}

/// What changes. Held for moments only, never while waiting.
struct Board {
    records: Vec<Record>,
    buckets: Vec<Option<Bucket>>,
    hedges: HedgeBudget,
    /// What was last told of each endpoint: whether it serves, and the code if not.
    told: Vec<(bool, Option<&'static str>)>,
    last_failures: Vec<Option<Error>>,
    transactions: VecDeque<TxMemory>,
    /// Which endpoint packets were looked for at last.
    searched: Option<usize>,
}

/// The endpoints of one chain.
pub struct Endpoints {
    chain: String,
    list: Vec<Endpoint>,
    board: Mutex<Board>,
    started: Instant,
    observer: Arc<dyn EndpointObserver>,
}

impl std::fmt::Debug for Endpoints {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let names: Vec<&str> = self.list.iter().map(|endpoint| endpoint.name.as_str()).collect();
        f.debug_struct("Endpoints").field("chain", &self.chain).field("names", &names).finish_non_exhaustive()
    }
}

impl Endpoints {
    /// The endpoints of a chain, in the order of preference. Nothing is asked yet.
    #[must_use]
    pub fn new(chain: &str, members: Vec<Member>, observer: Arc<dyn EndpointObserver>) -> Self {
        let bucket = |member: &Member| member.requests_per_second_max.map(Bucket::new);
        let board = Board {
            records: members.iter().map(|_| Record::new()).collect(),
            buckets: members.iter().map(bucket).collect(),
            hedges: HedgeBudget::new(),
            told: members.iter().map(|_| (true, None)).collect(),
            last_failures: members.iter().map(|_| None).collect(),
            transactions: VecDeque::new(),
            searched: None,
        };
        let endpoint = |member: Member| Endpoint {
            name: member.name,
            source: member.adapter.source,
            sink: member.adapter.sink,
            replacer: member.replacer,
            permits: Call::ALL.map(|call| Semaphore::new(call.in_flight_max())),
        };
        let endpoints = Self {
            chain: chain.to_owned(),
            list: members.into_iter().map(endpoint).collect(),
            board: Mutex::new(board),
            started: platform::monotonic(),
            observer,
        };
        for endpoint in &endpoints.list {
            endpoints.observer.scored(&endpoint.name, 1.0);
            endpoints.observer.changed(&endpoint.name, &Standing { up: true, why: None });
        }
        endpoints
    }

    /// One adapter as it is, watched by nobody.
    #[must_use]
    pub fn single(chain: &str, adapter: Adapter) -> Self {
        let name = "endpoint-0".to_owned();
        let member = Member { name, adapter, replacer: None, requests_per_second_max: None };
        Self::new(chain, vec![member], Arc::new(Unobserved))
    }

    /// They as what raises the price of transactions; `None` where the family knows no replacement.
    #[must_use]
    pub fn replacer(self: &Arc<Self>) -> Option<Arc<dyn ReplacingSink>> {
        self.list.iter().any(|endpoint| endpoint.replacer.is_some()).then(|| self.clone() as Arc<dyn ReplacingSink>)
    }

    /// How many there are.
    #[must_use]
    pub fn count(&self) -> usize {
        self.list.len()
    }

    /// Name of an endpoint, for words.
    #[must_use]
    pub fn name(&self, at: usize) -> &str {
        self.list.get(at).map_or("none", |endpoint| &endpoint.name)
    }

    fn now_ms(&self) -> u64 {
        let since = platform::monotonic().saturating_duration_since(self.started);
        u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
    }

    fn board(&self) -> MutexGuard<'_, Board> {
        self.board.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whom to ask for something, best first, without those that were asked already.
    fn order(&self, call: Call, but: &[usize]) -> Vec<usize> {
        let now_ms = self.now_ms();
        let board = self.board();
        let busy = self.list.iter().zip(&board.buckets).map(|(endpoint, bucket)| {
            let no_permit = endpoint.permits.get(call.index()).is_some_and(|permits| permits.available_permits() == 0);
            no_permit || bucket.as_ref().is_some_and(|bucket| !bucket.has_room(now_ms))
        });
        let busy: Vec<bool> = busy.collect();
        let mut order = score::order(&board.records, &busy, call, now_ms);
        order.retain(|at| !but.contains(at));
        order
    }

    /// Changes what is known of an endpoint, and tells of it when it comes into service or goes out of it.
    fn note(&self, at: usize, change: impl FnOnce(&mut Record, u64)) {
        let now_ms = self.now_ms();
        let Some(endpoint) = self.list.get(at) else { return };
        let mut board = self.board();
        let Some(record) = board.records.get_mut(at) else { return };
        change(record, now_ms);
        let score = record.overall(now_ms);
        let tier = record.tier(now_ms);
        let left_out = record.left_out().cloned();
        let up = tier == Tier::Serves;
        let last = board.last_failures.get(at).cloned().flatten();
        let why = left_out.or_else(|| (!up).then(|| down(last.as_ref())));
        let next = (up, why.as_ref().map(|why| why.code));
        let changed = board.told.get_mut(at).is_some_and(|told| std::mem::replace(told, next) != next);
        drop(board);
        self.observer.scored(&endpoint.name, score);
        if changed {
            self.observer.changed(&endpoint.name, &Standing { up, why });
        }
    }

    /// An endpoint gave bytes that were refused: by the light client, or because they contradict themselves. It is left
    /// out until a comparison finds it right.
    pub fn refused(&self, at: usize, code: &'static str, message: &str) {
        let why = LeftOut { code, message: message.to_owned() };
        self.observer.disagreed(self.name(at), &why);
        self.note(at, |record, now_ms| record.refused(why, now_ms));
    }

    /// An endpoint gave bytes that were verified.
    pub fn agreed(&self, at: usize) {
        self.note(at, |record, _| record.agreed());
    }

    /// How an endpoint stands.
    #[must_use]
    pub fn standing(&self, at: usize) -> Standing {
        let now_ms = self.now_ms();
        let board = self.board();
        let Some(record) = board.records.get(at) else { return Standing { up: false, why: None } };
        let up = record.tier(now_ms) == Tier::Serves;
        let last = board.last_failures.get(at).cloned().flatten();
        Standing { up, why: record.left_out().cloned().or_else(|| (!up).then(|| down(last.as_ref()))) }
    }

    fn none_left(&self) -> Error {
        Error {
            code: NONE_CODE,
            class: Class::Transient,
            message: format!("chain {}: every endpoint was asked already; it is tried again", self.chain),
        }
    }
}

fn down(last: Option<&Error>) -> LeftOut {
    let message = match last {
        Some(error) => format!("it does not answer, last with {error}"),
        None => "it does not answer".to_owned(),
    };
    LeftOut { code: DOWN_CODE, message }
}
