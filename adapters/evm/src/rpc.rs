//! Our JSON-RPC transport: one HTTP client over rustls, several endpoints, a deadline and a body bound for each
//! request, batches, and retries of reads where nothing was answered.
//!
//! What an endpoint can grow here: one answer of at most `BODY_BYTES_MAX` bytes a request in flight.

use core::fmt;
use core::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use core::time::Duration;

use async_trait::async_trait;
use backon::{ExponentialBuilder, Retryable};
use catenary_api::limits::{BODY_BYTES_MAX, REQUEST_DEADLINE_MS};
use ethers_providers::{JsonRpcClient, JsonRpcError};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{json, Value};
use url::Url;

use crate::error::{shorten, Error, Result};
use crate::limits;

#[cfg(test)]
mod tests;

struct Endpoint {
    /// Name for errors: chain, place in the list, host and port; no user, path or query, where credentials hide.
    name: String,
    url: Url,
}

/// The transport. It stays on one endpoint while that answers and goes round to the next when it does not.
///
/// All methods are cancel safe: a dropped future leaves nothing behind but a closed connection.
pub struct Transport {
    http: reqwest::Client,
    endpoints: Vec<Endpoint>,
    current: AtomicUsize,
    next_id: AtomicU64,
    attempts_max: usize,
}

impl fmt::Debug for Transport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.endpoints.iter().map(|endpoint| &endpoint.name)).finish()
    }
}

/// One call of a batch.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    pub(crate) method: &'static str,
    pub(crate) params: Value,
}

impl Request {
    pub(crate) const fn new(method: &'static str, params: Value) -> Self {
        Self { method, params }
    }
}

/// One answer of a batch: the result, or the node's error for this call alone.
pub(crate) type Answer = core::result::Result<Value, JsonRpcError>;

#[derive(Deserialize)]
struct Response {
    jsonrpc: String,
    id: Option<u64>,
    // An absent result and a null one differ: `null` means "no such block".
    #[serde(default, deserialize_with = "present")]
    result: Option<Value>,
    #[serde(default)]
    error: Option<JsonRpcError>,
}

fn present<'de, D: serde::Deserializer<'de>>(deserializer: D) -> core::result::Result<Option<Value>, D::Error> {
    Value::deserialize(deserializer).map(Some)
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Body {
    Batch(Vec<Response>),
    Single(Response),
}

impl Transport {
    /// A transport over the endpoints, in order of preference.
    ///
    /// # Errors
    /// [`Error::Config`] when the HTTP stack cannot be set up.
    pub(crate) fn new(chain: &str, urls: Vec<Url>) -> Result<Self> {
        Self::with_deadline(chain, urls, Duration::from_millis(REQUEST_DEADLINE_MS))
    }

    fn with_deadline(chain: &str, urls: Vec<Url>, deadline: Duration) -> Result<Self> {
        // Redirects would carry credentials to a place that nobody configured, and proxies from the environment
        // would change who sees the requests: neither is followed.
        let http = reqwest::Client::builder()
            .timeout(deadline)
            .connect_timeout(Duration::from_millis(limits::CONNECT_DEADLINE_MS))
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .build()
            .map_err(|error| Error::Config { chain: chain.to_owned(), reason: error.without_url().to_string() })?;
        let endpoints = urls.into_iter().enumerate().map(|(index, url)| {
            let host = url.host_str().unwrap_or("?");
            let port = url.port_or_known_default().unwrap_or(0);
            Endpoint { name: format!("{chain}[{index}] {host}:{port}"), url }
        });
        let endpoints = endpoints.collect();
        let (current, next_id) = (AtomicUsize::new(0), AtomicU64::new(1));
        Ok(Self { http, endpoints, current, next_id, attempts_max: limits::ATTEMPTS_MAX })
    }

    /// Asks at most so often, for callers that have another endpoint to go to.
    pub(crate) fn set_attempts_max(&mut self, attempts: usize) {
        self.attempts_max = attempts.clamp(1, limits::ATTEMPTS_MAX);
    }

    /// Asks and retries where nothing was answered. For idempotent methods only.
    pub(crate) async fn call(&self, method: &'static str, params: Value) -> Result<Value> {
        let requests = [Request::new(method, params)];
        self.single(self.retried(&requests).await?, method)
    }

    /// Asks once. For broadcasts: whether to try again is the engine's decision.
    pub(crate) async fn call_once(&self, method: &'static str, params: Value) -> Result<Value> {
        let requests = [Request::new(method, params)];
        self.single(self.attempt(&requests).await?, method)
    }

    /// Asks all in one HTTP request, with retries; answers in the order of the requests.
    pub(crate) async fn batch(&self, requests: &[Request]) -> Result<Vec<Answer>> {
        let (got, max) = (requests.len(), limits::BATCH_MAX);
        match got {
            0 => Ok(Vec::new()),
            _ if got > max => {
                Err(Error::RequestTooLarge { what: "batched requests", got: got as u64, max: max as u64 })
            }
            _ => self.retried(requests).await,
        }
    }

    /// [`Self::batch`], where an error of the node in any answer is one of all.
    pub(crate) async fn batch_all(&self, requests: &[Request]) -> Result<Vec<Value>> {
        let answers = self.batch(requests).await?;
        let named = answers.into_iter().zip(requests);
        named.map(|(answer, request)| answer.map_err(|error| self.node_error(request.method, error))).collect()
    }

    /// The node's error of a call in a batch, with its place.
    pub(crate) fn node_error(&self, method: &str, error: JsonRpcError) -> Error {
        Error::Node { endpoint: self.endpoint().1.name.clone(), method: method.to_owned(), error }
    }

    fn single(&self, answers: Vec<Answer>, method: &str) -> Result<Value> {
        let answer = answers.into_iter().next().ok_or_else(|| Error::NotAnAnswer {
            endpoint: self.endpoint().1.name.clone(),
            method: method.to_owned(),
            reason: "no answer in the batch".to_owned(),
        })?;
        answer.map_err(|error| self.node_error(method, error))
    }

    async fn retried(&self, requests: &[Request]) -> Result<Vec<Answer>> {
        let backoff = ExponentialBuilder::default()
            .with_min_delay(Duration::from_millis(limits::BACKOFF_MIN_MS))
            .with_max_delay(Duration::from_millis(limits::BACKOFF_MAX_MS))
            .with_max_times(self.attempts_max - 1);
        (|| self.attempt(requests)).retry(backoff).when(Error::is_transport).await
    }

    /// Asks the next endpoint from now on.
    pub(crate) fn rotate(&self) {
        let (index, _) = self.endpoint();
        let next = (index + 1) % self.endpoints.len();
        let _ = self.current.compare_exchange(index, next, Ordering::Relaxed, Ordering::Relaxed);
    }

    fn endpoint(&self) -> (usize, &Endpoint) {
        let index = self.current.load(Ordering::Relaxed) % self.endpoints.len();
        (index, &self.endpoints[index])
    }

    async fn attempt(&self, requests: &[Request]) -> Result<Vec<Answer>> {
        let (index, endpoint) = self.endpoint();
        let outcome = self.post(endpoint, requests).await;
        if outcome.as_ref().is_err_and(Error::is_transport) {
            // Only the one that saw the failing endpoint moves on, so that parallel failures do not skip one.
            let next = (index + 1) % self.endpoints.len();
            let _ = self.current.compare_exchange(index, next, Ordering::Relaxed, Ordering::Relaxed);
        }
        outcome
    }

    async fn post(&self, endpoint: &Endpoint, requests: &[Request]) -> Result<Vec<Answer>> {
        let first_id = self.next_id.fetch_add(requests.len() as u64, Ordering::Relaxed);
        let calls = requests.iter().zip(first_id..).map(
            |(request, id)| json!({ "jsonrpc": "2.0", "id": id, "method": request.method, "params": request.params }),
        );
        let mut calls: Vec<Value> = calls.collect();
        let single = calls.len() == 1;
        let body = if single { calls.remove(0) } else { Value::Array(calls) };
        let method = requests.first().map_or("", |request| request.method);
        let bytes = self.exchange(endpoint, &body).await?;
        let refuse = |reason: String| Error::NotAnAnswer {
            endpoint: endpoint.name.clone(),
            method: method.to_owned(),
            reason: shorten(&reason),
        };
        match serde_json::from_slice(&bytes).map_err(|error| refuse(error.to_string()))? {
            Body::Single(response) if single => in_order(vec![response], first_id, 1).map_err(refuse),
            // A node that does not take the batch answers with one error for all of it.
            Body::Single(Response { error: Some(error), .. }) => Err(self.node_error(method, error)),
            Body::Batch(responses) if !single => in_order(responses, first_id, requests.len()).map_err(refuse),
            Body::Single(_) => Err(refuse("a single answer to a batch".to_owned())),
            Body::Batch(_) => Err(refuse("a batch of answers to a single request".to_owned())),
        }
    }

    async fn exchange(&self, endpoint: &Endpoint, body: &Value) -> Result<Vec<u8>> {
        let transport = |error: reqwest::Error| Error::Transport {
            endpoint: endpoint.name.clone(),
            reason: shorten(&causes(&error.without_url())),
        };
        let mut response = self.http.post(endpoint.url.clone()).json(body).send().await.map_err(transport)?;
        let status = response.status().as_u16();
        if status != 200 {
            return Err(Error::Status { endpoint: endpoint.name.clone(), status });
        }
        let mut bytes = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(transport)? {
            if bytes.len() + chunk.len() > BODY_BYTES_MAX {
                return Err(Error::BodyTooLarge { endpoint: endpoint.name.clone(), max: BODY_BYTES_MAX });
            }
            bytes.extend_from_slice(&chunk);
        }
        Ok(bytes)
    }
}

/// The HTTP stack's error with its causes, which hold the interesting part ("connection refused").
fn causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    text
}

/// Answers in the order of the requests: each id exactly once, each with a result or an error and not both.
fn in_order(responses: Vec<Response>, first_id: u64, count: usize) -> core::result::Result<Vec<Answer>, String> {
    if responses.len() != count {
        return Err(format!("{} answers to {count} requests", responses.len()));
    }
    let mut answers: Vec<Option<Answer>> = (0..count).map(|_| None).collect();
    for response in responses {
        if response.jsonrpc != "2.0" {
            return Err("jsonrpc is not \"2.0\"".to_owned());
        }
        let index = response.id.and_then(|id| id.checked_sub(first_id)).and_then(|index| usize::try_from(index).ok());
        let slot = index.and_then(|index| answers.get_mut(index)).filter(|slot| slot.is_none());
        let slot = slot.ok_or_else(|| format!("id {:?} is unknown or repeated", response.id))?;
        *slot = Some(match (response.result, response.error) {
            (Some(result), None) => Ok(result),
            (None | Some(Value::Null), Some(error)) => Err(error),
            (None, None) => return Err("neither result nor error".to_owned()),
            (Some(_), Some(_)) => return Err("both result and error".to_owned()),
        });
    }
    // Equal counts and no id twice: every slot is filled.
    Ok(answers.into_iter().flatten().collect())
}

#[async_trait]
impl JsonRpcClient for Transport {
    type Error = Error;

    async fn request<T, R>(&self, method: &str, params: T) -> Result<R>
    where
        T: fmt::Debug + Serialize + Send + Sync,
        R: DeserializeOwned + Send,
    {
        let (_, endpoint) = self.endpoint();
        let refuse = |reason: String| Error::NotAnAnswer {
            endpoint: endpoint.name.clone(),
            method: method.to_owned(),
            reason: shorten(&reason),
        };
        let params = serde_json::to_value(&params).map_err(|error| refuse(error.to_string()))?;
        let id = self.next_id.fetch_add(1, Ordering::Relaxed);
        let call = json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": params });
        let bytes = self.exchange(endpoint, &call).await?;
        let response = serde_json::from_slice(&bytes).map_err(|error| refuse(error.to_string()))?;
        let answer = in_order(vec![response], id, 1).map_err(refuse)?.into_iter().next();
        let value = answer.ok_or_else(|| refuse("no answer".to_owned()))?;
        let value = value.map_err(|error| self.node_error(method, error))?;
        serde_json::from_value(value).map_err(|error| refuse(error.to_string()))
    }
}
