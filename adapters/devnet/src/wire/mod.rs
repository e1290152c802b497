//! The wire: JSON-RPC 2.0 on a loopback port, as real nodes speak it.
//!
//! One [`Endpoint`] takes HTTP POST with a single call or a batch, the URI form `GET /method?name=value` that CometBFT
//! has, and WebSocket on any path. A chain implements [`Service`] and may open several endpoints, each with
//! [`Lies`](crate::fault::Lies) of its own, so that two clients of one chain can be told different things.
//!
//! What a client can grow: at most [`CONNECTIONS_MAX`] connections, one request of at most [`REQUEST_BYTES_MAX`] bytes
//! on each, [`BATCH_MAX`] calls in it, [`SUBSCRIPTIONS_MAX`] subscriptions with [`EVENTS_MAX`] unsent events each. A
//! subscriber that falls behind loses its connection, as it would with a real node.

use serde_json::{json, Value};
use thiserror::Error;
use tokio::sync::mpsc;

mod endpoint;
mod exchange;
mod http;
mod socket;
#[cfg(test)]
mod tests;

pub use endpoint::Endpoint;

/// Most connections to one endpoint: three operators with a few endpoints each, and tests that flood.
pub const CONNECTIONS_MAX: usize = 256;
/// Most bytes of one request: what geth takes (5 MiB), above CometBFT's million.
pub const REQUEST_BYTES_MAX: usize = 5 * 1024 * 1024;
/// Most calls in one batch: what geth takes.
pub const BATCH_MAX: usize = 1_000;
/// Most subscriptions of one WebSocket connection; CometBFT allows five.
pub const SUBSCRIPTIONS_MAX: usize = 16;
/// Most events of one subscription that wait for the client; a subscription is made with a channel of this size.
pub const EVENTS_MAX: usize = 1_024;

/// An error as JSON-RPC carries it.
#[derive(Clone, PartialEq, Debug, Error)]
#[error("{code}: {message}")]
pub struct RpcError {
    /// Code; -32768 to -32000 are those of JSON-RPC itself and of the node.
    pub code: i64,
    /// What is said to people, and read by programs all the same.
    pub message: String,
    /// Anything else, such as the data of a revert.
    pub data: Option<Value>,
}

impl RpcError {
    /// An error without data.
    #[must_use]
    pub fn new(code: i64, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), data: None }
    }

    /// The same with data.
    #[must_use]
    pub fn with_data(self, data: impl Into<Value>) -> Self {
        Self { data: Some(data.into()), ..self }
    }

    /// No such method.
    #[must_use]
    pub fn method_not_found(method: &str) -> Self {
        Self::new(-32601, format!("the method {method} does not exist/is not available"))
    }

    /// Parameters that the method does not take.
    #[must_use]
    pub fn invalid_params(reason: impl Into<String>) -> Self {
        Self::new(-32602, reason)
    }

    /// The object that goes out.
    #[must_use]
    pub fn to_json(&self) -> Value {
        let mut out = json!({ "code": self.code, "message": self.message });
        if let Some(data) = &self.data {
            out["data"] = data.clone();
        }
        out
    }
}

/// How the events of a subscription are written.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Frame {
    /// As notifications, the way Ethereum nodes do: `{"method": …, "params": {"subscription": key, "result": event}}`.
    Notification {
        /// Such as `eth_subscription`.
        method: String,
    },
    /// As further answers to the request, the way CometBFT does: `{"id": that of the request, "result": event}`.
    Answer,
}

/// An open subscription.
#[derive(Debug)]
pub struct Subscription {
    /// What unsubscribing names: the id that an Ethereum node gave, or CometBFT's query.
    pub key: String,
    /// The answer to the request itself.
    pub accepted: Value,
    /// How events are written.
    pub frame: Frame,
    /// The events. The chain sends without waiting, and drops a subscription whose channel is full.
    pub events: mpsc::Receiver<Value>,
}

/// What a method does to the subscriptions of its connection.
#[derive(Debug)]
pub enum Change {
    /// Opens one.
    Open(Subscription),
    /// Closes one, or all of them where there is no key.
    Close {
        /// The key of the subscription; `None` for all.
        key: Option<String>,
        /// The answer when there was one.
        found: Result<Value, RpcError>,
        /// The answer when there was none.
        missing: Result<Value, RpcError>,
    },
}

/// What an endpoint serves.
///
/// Calls are synchronous and quick; they run on a thread for blocking work, so they may take a lock.
pub trait Service: Send + Sync + 'static {
    /// Answers a call. `params` is an array, an object, or an empty array where the client sent none.
    ///
    /// # Errors
    /// Whatever the node would answer with: unknown methods, wrong parameters, its own refusals.
    fn call(&self, method: &str, params: &Value) -> Result<Value, RpcError>;

    /// What `method` does to subscriptions; `None` for any other method, which then goes to [`Self::call`]. Asked
    /// for calls that come over WebSocket only.
    ///
    /// # Errors
    /// Within the option: a subscription that the node refuses.
    fn subscribe(&self, method: &str, params: &Value) -> Option<Result<Change, RpcError>> {
        let _ = (method, params);
        None
    }
}

/// Why an endpoint cannot be opened.
#[derive(Debug, Error)]
pub enum WireError {
    /// No loopback port could be had.
    #[error("a loopback port could not be opened: {0}")]
    Bind(#[from] std::io::Error),
}
