//! From a request to its answer, lies included; the same for every transport.

use std::sync::Arc;

use serde_json::{json, Value};
use tokio::sync::watch;

use super::endpoint::until;
use super::{RpcError, Service, BATCH_MAX};
use crate::fault::{Answer, Lies};
use crate::platform;

/// What the connections of an endpoint share.
pub(super) struct Exchange {
    pub(super) service: Arc<dyn Service>,
    pub(super) lies: Lies,
    pub(super) closed: watch::Receiver<bool>,
}

/// An answer that is no JSON-RPC answer.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Broken {
    Silence,
    Raw(Vec<u8>),
    Status(u16),
    Cut,
}

/// One call.
pub(super) struct Call {
    /// `None` for a notification, which is not answered.
    pub(super) id: Option<Value>,
    pub(super) method: String,
    pub(super) params: Value,
}

impl Call {
    /// Reads a request object.
    pub(super) fn from_json(request: Value) -> Result<Self, RpcError> {
        let refuse = |reason: &str| RpcError::new(-32600, format!("invalid request: {reason}"));
        let Value::Object(mut fields) = request else { return Err(refuse("not an object")) };
        let Some(Value::String(method)) = fields.remove("method") else { return Err(refuse("no method")) };
        let params = match fields.remove("params") {
            None | Some(Value::Null) => json!([]),
            Some(params @ (Value::Array(_) | Value::Object(_))) => params,
            Some(_) => return Err(refuse("params are neither a list nor an object")),
        };
        Ok(Self { id: fields.remove("id"), method, params })
    }
}

/// The object that answers a call.
pub(super) fn response(id: Value, outcome: Result<Value, RpcError>) -> Value {
    match outcome {
        Ok(result) => json!({ "jsonrpc": "2.0", "id": id, "result": result }),
        Err(error) => json!({ "jsonrpc": "2.0", "id": id, "error": error.to_json() }),
    }
}

impl Exchange {
    /// Answers a request: one call or a batch of them. `Ok(None)` when nothing is to be answered.
    pub(super) async fn answer(&self, request: Value) -> Result<Option<Value>, Broken> {
        let calls = match request {
            Value::Array(calls) => calls,
            single => return self.answer_one(single).await,
        };
        if calls.is_empty() || calls.len() > BATCH_MAX {
            let reason = format!("a batch of {} calls, 1 to {BATCH_MAX} are taken", calls.len());
            return Ok(Some(response(Value::Null, Err(RpcError::new(-32600, reason)))));
        }
        let mut answers = Vec::with_capacity(calls.len());
        for call in calls {
            answers.extend(self.answer_one(call).await?);
        }
        Ok((!answers.is_empty()).then_some(Value::Array(answers)))
    }

    async fn answer_one(&self, request: Value) -> Result<Option<Value>, Broken> {
        let call = match Call::from_json(request) {
            Ok(call) => call,
            Err(error) => return Ok(Some(response(Value::Null, Err(error)))),
        };
        let (id, outcome) = self.outcome(call).await;
        let outcome = outcome?;
        Ok(id.map(|id| response(id, outcome)))
    }

    /// The outcome of one call, with its id.
    pub(super) async fn outcome(&self, call: Call) -> (Option<Value>, Result<Result<Value, RpcError>, Broken>) {
        let Call { id, method, params } = call;
        let service = self.service.clone();
        let working = tokio::task::spawn_blocking(move || {
            let outcome = service.call(&method, &params);
            (method, params, outcome)
        });
        let outcome = match working.await {
            Ok((method, params, outcome)) => self.told(&method, &params, outcome).await,
            Err(_) => Ok(Err(RpcError::new(-32603, "internal error"))),
        };
        (id, outcome)
    }

    /// What is said instead of `outcome`, once it is time to say it.
    pub(super) async fn told(
        &self,
        method: &str,
        params: &Value,
        outcome: Result<Value, RpcError>,
    ) -> Result<Result<Value, RpcError>, Broken> {
        let mut answer = self.lies.apply(method, params, outcome);
        loop {
            answer = match answer {
                Answer::Reply(value) => return Ok(Ok(value)),
                Answer::Error(error) => return Ok(Err(error)),
                Answer::Silence => return Err(Broken::Silence),
                Answer::Raw(bytes) => return Err(Broken::Raw(bytes)),
                Answer::Status(status) => return Err(Broken::Status(status)),
                Answer::Cut => return Err(Broken::Cut),
                Answer::Delayed(duration, later) => {
                    tokio::select! {
                        () = platform::sleep(duration) => *later,
                        () = until(self.closed.clone()) => return Err(Broken::Cut),
                    }
                }
            };
        }
    }
}
