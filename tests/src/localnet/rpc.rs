//! A small blocking JSON-RPC client, enough to watch and steer nodes. What is under test never uses it.

use std::time::Duration;

use serde_json::{json, Value};

use super::LocalnetError;

/// How long one request may take, in seconds.
const TIMEOUT_SECONDS: u64 = 10;

/// One JSON-RPC endpoint.
#[derive(Clone, Debug)]
pub struct Rpc {
    url: String,
    agent: ureq::Agent,
}

impl Rpc {
    /// An endpoint; nothing is sent yet.
    #[must_use]
    pub fn new(url: impl Into<String>) -> Self {
        let config = ureq::Agent::config_builder().timeout_global(Some(Duration::from_secs(TIMEOUT_SECONDS))).build();
        Self { url: url.into(), agent: config.into() }
    }

    /// The endpoint's address.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Calls a method and gives its result.
    ///
    /// # Errors
    /// [`LocalnetError::Rpc`] when the endpoint does not answer, or answers with an error.
    pub fn call(&self, method: &str, params: Value) -> Result<Value, LocalnetError> {
        let fail = |message: String| LocalnetError::Rpc { method: method.to_owned(), url: self.url.clone(), message };
        let body = json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": params});
        let mut response = self.agent.post(&self.url).send_json(&body).map_err(|e| fail(e.to_string()))?;
        let mut answer: Value =
            response.body_mut().with_config().limit(64 << 20).read_json().map_err(|e| fail(e.to_string()))?;
        if let Some(error) = answer.get("error") {
            return Err(fail(error.to_string()));
        }
        Ok(answer.get_mut("result").map(Value::take).unwrap_or_default())
    }

    /// Calls a method whose result is a `0x…` number.
    ///
    /// # Errors
    /// As [`Rpc::call`], or [`LocalnetError::Answer`] when the result is no such number.
    pub fn call_quantity(&self, method: &str, params: Value) -> Result<u64, LocalnetError> {
        let result = self.call(method, params)?;
        result
            .as_str()
            .and_then(|s| s.strip_prefix("0x"))
            .and_then(|s| u64::from_str_radix(s, 16).ok())
            .ok_or_else(|| LocalnetError::answer(method, &result))
    }
}
