//! Lies of an endpoint: what is said instead of the truth, changeable at run time.
//!
//! An endpoint asks its [`Lies`] about every answer. Without a lie in force the truth goes out. [`lies`] has
//! ready-made ones; [`change`] takes JSON apart for a catalogue that flips every field; and the record of all answers
//! ([`Lies::record`]) says which fields there are.
//!
//! ```
//! use catenary_devnet::fault::{lies, Change, Lies};
//!
//! let told = Lies::default();
//! told.tell(lies::change("eth_getBlockByNumber", "/stateRoot", Change::Flip));
//! // … later, while the endpoint is open:
//! told.tell_truth();
//! ```
//!
//! What can grow: the record, up to [`RECORDS_MAX`] answers; what is beyond is counted and left out.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use serde_json::Value;

use crate::wire::RpcError;

pub mod change;
pub mod lies;

pub use change::Change;

/// Most answers that a record keeps: a catalogue's flow has a few hundred.
pub const RECORDS_MAX: usize = 20_000;

/// What goes out on the wire.
#[derive(Clone, PartialEq, Debug)]
pub enum Answer {
    /// A result.
    Reply(Value),
    /// An error.
    Error(RpcError),
    /// Another answer, after a while.
    Delayed(Duration, Box<Self>),
    /// Nothing, with the connection open; only the client's patience or the endpoint's end ends it.
    Silence,
    /// These bytes as the body of the HTTP answer, a batch's other answers included, or as a WebSocket message.
    Raw(Vec<u8>),
    /// An HTTP status without a body; on a WebSocket, the end of the connection.
    Status(u16),
    /// An answer that breaks off, and the connection with it.
    Cut,
}

impl From<Result<Value, RpcError>> for Answer {
    fn from(outcome: Result<Value, RpcError>) -> Self {
        match outcome {
            Ok(value) => Self::Reply(value),
            Err(error) => Self::Error(error),
        }
    }
}

/// A lie: method, parameters and the honest answer in; what is said instead out.
///
/// The events of a subscription pass through as well: the method is that of the notification (`eth_subscription`), or
/// `event` where the chain has none, and the parameters are a list of the subscription's key.
pub type Lie = Arc<dyn Fn(&str, &Value, Answer) -> Answer + Send + Sync>;

/// One answer as the chain gave it, before any lie.
#[derive(Clone, PartialEq, Debug)]
pub struct Recorded {
    /// Method.
    pub method: String,
    /// Parameters.
    pub params: Value,
    /// The honest outcome.
    pub outcome: Result<Value, RpcError>,
}

#[derive(Default)]
struct Record {
    on: bool,
    answers: Vec<Recorded>,
    left_out: u64,
}

#[derive(Default)]
struct Shared {
    lie: RwLock<Option<Lie>>,
    told: AtomicU64,
    answered: AtomicU64,
    record: Mutex<Record>,
}

/// The lies that one endpoint or several tell. Clones share them; the default is the truth.
#[derive(Clone, Default)]
pub struct Lies {
    shared: Arc<Shared>,
}

impl std::fmt::Debug for Lies {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let lying = self.lie().is_some();
        f.debug_struct("Lies").field("lying", &lying).field("told", &self.told()).finish_non_exhaustive()
    }
}

impl Lies {
    /// Lies that are in force from the start.
    #[must_use]
    pub fn of(lie: Lie) -> Self {
        let lies = Self::default();
        lies.tell(lie);
        lies
    }

    /// Lies in this way from now on; the count of lies starts anew.
    pub fn tell(&self, lie: Lie) {
        *self.shared.lie.write().unwrap_or_else(PoisonError::into_inner) = Some(lie);
        self.shared.told.store(0, Ordering::Relaxed);
    }

    /// Tells the truth from now on.
    pub fn tell_truth(&self) {
        *self.shared.lie.write().unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// Answers that the lie in force has changed.
    #[must_use]
    pub fn told(&self) -> u64 {
        self.shared.told.load(Ordering::Relaxed)
    }

    /// Answers so far, true or not; each of a batch counts.
    #[must_use]
    pub fn answered(&self) -> u64 {
        self.shared.answered.load(Ordering::Relaxed)
    }

    /// Keeps every answer from now on, or stops that. What was kept stays until it is taken.
    pub fn record(&self, keep: Recording) {
        self.records().on = keep == Recording::On;
    }

    /// Takes what was recorded, and how many answers did not fit.
    #[must_use]
    pub fn take_record(&self) -> (Vec<Recorded>, u64) {
        let mut record = self.records();
        (std::mem::take(&mut record.answers), std::mem::take(&mut record.left_out))
    }

    /// What is said instead of `outcome`.
    #[must_use]
    pub fn apply(&self, method: &str, params: &Value, outcome: Result<Value, RpcError>) -> Answer {
        self.shared.answered.fetch_add(1, Ordering::Relaxed);
        self.keep(method, params, &outcome);
        let honest = Answer::from(outcome);
        let Some(lie) = self.lie() else { return honest };
        let said = lie(method, params, honest.clone());
        if said != honest {
            self.shared.told.fetch_add(1, Ordering::Relaxed);
        }
        said
    }

    fn keep(&self, method: &str, params: &Value, outcome: &Result<Value, RpcError>) {
        let mut record = self.records();
        if !record.on {
            return;
        }
        if record.answers.len() >= RECORDS_MAX {
            record.left_out = record.left_out.saturating_add(1);
            return;
        }
        let (method, params, outcome) = (method.to_owned(), params.clone(), outcome.clone());
        record.answers.push(Recorded { method, params, outcome });
    }

    fn lie(&self) -> Option<Lie> {
        self.shared.lie.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn records(&self) -> std::sync::MutexGuard<'_, Record> {
        self.shared.record.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether answers are kept.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Recording {
    /// Each is kept.
    On,
    /// None is.
    Off,
}
