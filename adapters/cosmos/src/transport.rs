//! JSON-RPC over HTTP to one or several CometBFT nodes: deadlines, bounded bodies, bounded retries, failover.
//!
//! A transient failure moves on to the next endpoint and tries again, at most [`limits::ATTEMPTS_MIN`] times or once
//! an endpoint, with a growing pause. The endpoint that answered last is asked first the next time.

use core::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use core::time::Duration;

use backon::{ExponentialBuilder, Retryable};
use catenary_api::limits::{BODY_BYTES_MAX, REQUEST_DEADLINE_MS};
use catenary_light_clients::Class;
use reqwest::Url;
use tendermint_rpc::dialect::v0_38;
use tendermint_rpc::error::ErrorDetail;
use tendermint_rpc::request::{SimpleRequest, Wrapper};
use tendermint_rpc::response::{self, Response as _};
use tendermint_rpc::Id;

use crate::config::CosmosConfig;
use crate::error::{shorten, Error, Result};
use crate::limits;

/// The newest dialect that `tendermint-rpc` knows, which CometBFT 0.39 still speaks.
pub(crate) type Dialect = v0_38::Dialect;

/// One node.
struct Endpoint {
    url: Url,
    /// `chain[number] host:port`: never the path or credentials.
    label: String,
}

/// Answers to a request and to two more that went along with it.
pub(crate) type With<R, A, B> = (
    <R as SimpleRequest<Dialect>>::Output,
    Option<<A as SimpleRequest<Dialect>>::Output>,
    Option<<B as SimpleRequest<Dialect>>::Output>,
);

/// How often a request may be sent.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Attempts {
    /// Again after transient failures, on the other endpoints as well.
    Retry,
    /// On another endpoint only when nothing was sent: a second answer would say something else than the first.
    Unsent,
}

/// The nodes of one chain.
pub(crate) struct Transport {
    chain: String,
    client: reqwest::Client,
    endpoints: Vec<Endpoint>,
    current: AtomicUsize,
    /// Whether batches are sent; one that is refused ends it.
    batches: AtomicBool,
    deadline_ms: u64,
    body_bytes_max: usize,
    attempts_max: usize,
}

impl core::fmt::Debug for Transport {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        let labels: Vec<&str> = self.endpoints.iter().map(|endpoint| endpoint.label.as_str()).collect();
        f.debug_struct("Transport").field("endpoints", &labels).finish_non_exhaustive()
    }
}

impl Transport {
    /// Prepares the connections; nothing is sent.
    pub(crate) fn new(config: &CosmosConfig) -> Result<Self> {
        let chain = config.name.clone();
        let wrong = |reason: String| Error::Config { chain: chain.clone(), field: "urls", reason };
        let mut endpoints = Vec::with_capacity(config.urls.len());
        for (index, text) in config.urls.iter().enumerate() {
            // The parser's own words are safe to show, the text is not.
            let url = Url::parse(text).map_err(|error| wrong(format!("number {index} is no URL: {error}")))?;
            let host = url.host_str().filter(|_| matches!(url.scheme(), "http" | "https"));
            let Some(host) = host else {
                return Err(wrong(format!("number {index} is no http or https URL")));
            };
            let port = url.port_or_known_default().unwrap_or_default();
            let label = format!("{chain}[{index}] {host}:{port}");
            endpoints.push(Endpoint { url, label });
        }
        let client = reqwest::Client::builder()
            .timeout(Duration::from_millis(REQUEST_DEADLINE_MS))
            .connect_timeout(Duration::from_millis(limits::CONNECT_DEADLINE_MS))
            // An RPC node has no reason to send us elsewhere.
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .map_err(|error| wrong(format!("no HTTP client: {}", error.without_url())))?;
        let (current, batches) = (AtomicUsize::new(0), AtomicBool::new(true));
        let (deadline_ms, body_bytes_max) = (REQUEST_DEADLINE_MS, BODY_BYTES_MAX);
        let attempts_max = endpoints.len().max(limits::ATTEMPTS_MIN);
        Ok(Self { chain, client, endpoints, current, batches, deadline_ms, body_bytes_max, attempts_max })
    }

    /// Asks at most so often, for callers that have another endpoint to go to.
    pub(crate) fn set_attempts_max(&mut self, attempts: usize) {
        self.attempts_max = attempts.clamp(1, self.attempts_max);
    }

    /// The chain's name.
    pub(crate) fn chain(&self) -> &str {
        &self.chain
    }

    /// Sends a request and decodes its answer.
    pub(crate) async fn call<R>(&self, request: R, attempts: Attempts) -> Result<R::Output>
    where
        R: SimpleRequest<Dialect>,
    {
        let method = request.method().to_string();
        let body = request.into_json();
        let answer = self.exchange_again(&method, &body, attempts, decode::<R>).await?;
        Ok(answer.into())
    }

    /// Sends at most [`limits::BATCH_MAX`] requests of one kind in one body; the answers are in the same order.
    pub(crate) async fn batch<R>(&self, requests: Vec<R>) -> Result<Vec<R::Output>>
    where
        R: SimpleRequest<Dialect> + Clone,
    {
        if requests.len() < 2 || !self.batches.load(Ordering::Relaxed) {
            return self.one_by_one(requests).await;
        }
        let wrapped: Vec<Wrapper<R>> = requests.iter().cloned().map(Wrapper::new).collect();
        let ids: Vec<Id> = wrapped.iter().map(|request| request.id().clone()).collect();
        let method = requests.first().map(|request| request.method().to_string()).unwrap_or_default();
        let bodies: Vec<String> = wrapped.into_iter().map(Wrapper::into_json).collect();
        let body = format!("[{}]", bodies.join(","));
        let decode = |endpoint: &Endpoint, method: &str, bytes: &[u8]| decode_batch::<R>(endpoint, method, bytes, &ids);
        match self.exchange_again(&method, &body, Attempts::Retry, decode).await {
            // The node takes smaller batches or none: so be it, from now on.
            Err(Error::HttpStatus { status: 400, .. }) => {
                self.batches.store(false, Ordering::Relaxed);
                self.one_by_one(requests).await
            }
            // Together they are too much to read, each for itself may be not.
            Err(Error::BodyTooLarge { .. }) => self.one_by_one(requests).await,
            other => Ok(other?.into_iter().map(Into::into).collect()),
        }
    }

    /// Sends a request, and two of other kinds in the same body if they are given. Of those, what the node refuses is
    /// `None`: they only spare requests to come.
    pub(crate) async fn call_with<R, A, B>(&self, request: R, extras: (Option<A>, Option<B>)) -> Result<With<R, A, B>>
    where
        R: SimpleRequest<Dialect> + Clone,
        A: SimpleRequest<Dialect>,
        B: SimpleRequest<Dialect>,
    {
        let alone = request.clone();
        let (first, a, b) = (Wrapper::new(request), extras.0.map(Wrapper::new), extras.1.map(Wrapper::new));
        let count = 1 + usize::from(a.is_some()) + usize::from(b.is_some());
        if count < 2 || !self.batches.load(Ordering::Relaxed) {
            return Ok((self.call(alone, Attempts::Retry).await?, None, None));
        }
        let method = alone.method().to_string();
        let first_id = first.id().clone();
        let (a_id, b_id) = (a.as_ref().map(|a| a.id().clone()), b.as_ref().map(|b| b.id().clone()));
        let bodies = [Some(first.into_json()), a.map(Wrapper::into_json), b.map(Wrapper::into_json)];
        let body = format!("[{}]", bodies.into_iter().flatten().collect::<Vec<_>>().join(","));
        let decode = |endpoint: &Endpoint, method: &str, bytes: &[u8]| {
            let mut answers = values(endpoint, method, bytes, count)?.into_iter();
            let first = one_of::<R>((endpoint, method), answers.next(), &first_id)?;
            let a = a_id.as_ref().and_then(|id| one_of::<A>((endpoint, method), answers.next(), id).ok());
            let b = b_id.as_ref().and_then(|id| one_of::<B>((endpoint, method), answers.next(), id).ok());
            Ok((first, a, b))
        };
        match self.exchange_again(&method, &body, Attempts::Retry, decode).await {
            Err(Error::HttpStatus { status: 400, .. }) => self.batches.store(false, Ordering::Relaxed),
            Err(Error::BodyTooLarge { .. }) => {}
            other => {
                let (first, a, b) = other?;
                return Ok((first.into(), a.map(Into::into), b.map(Into::into)));
            }
        }
        Ok((self.call(alone, Attempts::Retry).await?, None, None))
    }

    async fn one_by_one<R>(&self, requests: Vec<R>) -> Result<Vec<R::Output>>
    where
        R: SimpleRequest<Dialect>,
    {
        let mut outputs = Vec::with_capacity(requests.len());
        for request in requests {
            outputs.push(self.call(request, Attempts::Retry).await?);
        }
        Ok(outputs)
    }

    async fn exchange_again<T>(
        &self,
        method: &str,
        body: &str,
        attempts: Attempts,
        decode: impl Fn(&Endpoint, &str, &[u8]) -> Result<T>,
    ) -> Result<T> {
        let again = |error: &Error| match attempts {
            Attempts::Retry => error.class() == Class::Transient && !is_not_found(error),
            Attempts::Unsent => matches!(error, Error::Connect { .. }),
        };
        let pauses = ExponentialBuilder::default()
            .with_min_delay(Duration::from_millis(limits::RETRY_PAUSE_MS_MIN))
            .with_max_delay(Duration::from_millis(limits::RETRY_PAUSE_MS_MAX))
            .with_max_times(self.attempts_max.saturating_sub(1));
        (|| self.attempt(method, body, &decode)).retry(pauses).when(again).await
    }

    async fn attempt<T>(
        &self,
        method: &str,
        body: &str,
        decode: &impl Fn(&Endpoint, &str, &[u8]) -> Result<T>,
    ) -> Result<T> {
        let index = self.current.load(Ordering::Relaxed);
        let endpoint = self.endpoints.get(index % self.endpoints.len().max(1)).ok_or_else(|| Error::Config {
            chain: self.chain.clone(),
            field: "urls",
            reason: "none".into(),
        })?;
        let result = match self.exchange(endpoint, method, body).await {
            Ok(bytes) => decode(endpoint, method, &bytes),
            Err(error) => Err(error),
        };
        if result.as_ref().is_err_and(|error| !is_not_found(error)) {
            self.move_on(index);
        }
        result
    }

    /// Asks another endpoint from now on, since the current one answered something else than what was asked.
    pub(crate) fn rotate(&self) {
        self.move_on(self.current.load(Ordering::Relaxed));
    }

    /// Somebody else may have moved on already: one failure moves one step.
    fn move_on(&self, from: usize) {
        let next = from.wrapping_add(1) % self.endpoints.len().max(1);
        let _ = self.current.compare_exchange(from, next, Ordering::Relaxed, Ordering::Relaxed);
    }

    async fn exchange(&self, endpoint: &Endpoint, method: &str, body: &str) -> Result<Vec<u8>> {
        let failed = |error: reqwest::Error| self.failed(endpoint, method, error);
        let mut response = self
            .client
            .post(endpoint.url.clone())
            .timeout(Duration::from_millis(self.deadline_ms))
            .header(reqwest::header::CONTENT_TYPE, "application/json")
            .body(body.to_owned())
            .send()
            .await
            .map_err(failed)?;
        let status = response.status();
        if status != reqwest::StatusCode::OK {
            let (endpoint, method) = (endpoint.label.clone(), method.to_owned());
            return Err(Error::HttpStatus { endpoint, method, status: status.as_u16() });
        }
        let mut bytes = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(failed)? {
            if bytes.len().saturating_add(chunk.len()) > self.body_bytes_max {
                let (endpoint, method, max) = (endpoint.label.clone(), method.to_owned(), self.body_bytes_max);
                return Err(Error::BodyTooLarge { endpoint, method, max });
            }
            bytes.extend_from_slice(&chunk);
        }
        Ok(bytes)
    }

    fn failed(&self, endpoint: &Endpoint, method: &str, error: reqwest::Error) -> Error {
        let name = endpoint.label.clone();
        if error.is_timeout() && !error.is_connect() {
            return Error::Deadline { endpoint: name, method: method.to_owned(), deadline_ms: self.deadline_ms };
        }
        // The outer error says only "error sending request"; its source says why.
        let error = error.without_url();
        let mut reason = error.to_string();
        let mut source = std::error::Error::source(&error);
        while let Some(inner) = source {
            reason = inner.to_string();
            source = inner.source();
        }
        if error.is_connect() {
            return Error::Connect { endpoint: name, reason: shorten(&reason) };
        }
        Error::Broken { endpoint: name, method: method.to_owned(), reason: shorten(&reason) }
    }
}

fn decode<R: SimpleRequest<Dialect>>(endpoint: &Endpoint, method: &str, bytes: &[u8]) -> Result<R::Response> {
    R::Response::from_string(bytes).map_err(|error| refusal(endpoint, method, &error))
}

/// The answers of a batch, which must be those of its requests in their order.
fn decode_batch<R: SimpleRequest<Dialect>>(
    endpoint: &Endpoint,
    method: &str,
    bytes: &[u8],
    ids: &[Id],
) -> Result<Vec<R::Response>> {
    let wrong = |reason: String| Error::Answer {
        endpoint: endpoint.label.clone(),
        method: method.to_owned(),
        reason: shorten(&reason),
    };
    let answers: Vec<response::Wrapper<R::Response>> =
        serde_json::from_slice(bytes).map_err(|error| wrong(error.to_string()))?;
    if answers.len() != ids.len() || answers.iter().zip(ids).any(|(answer, id)| answer.id() != id) {
        return Err(wrong(format!("{} answers to a batch of {} requests, or to others", answers.len(), ids.len())));
    }
    answers.into_iter().map(|answer| answer.into_result().map_err(|error| refusal(endpoint, method, &error))).collect()
}

/// So many answers of a batch, unread.
fn values(endpoint: &Endpoint, method: &str, bytes: &[u8], count: usize) -> Result<Vec<serde_json::Value>> {
    let wrong = |reason: String| Error::Answer {
        endpoint: endpoint.label.clone(),
        method: method.to_owned(),
        reason: shorten(&reason),
    };
    let answers: Vec<serde_json::Value> = serde_json::from_slice(bytes).map_err(|error| wrong(error.to_string()))?;
    if answers.len() != count {
        return Err(wrong(format!("{} answers to a batch of {count} requests", answers.len())));
    }
    Ok(answers)
}

/// One answer of a batch, which must be that of its request.
fn one_of<R: SimpleRequest<Dialect>>(
    (endpoint, method): (&Endpoint, &str),
    answer: Option<serde_json::Value>,
    id: &Id,
) -> Result<R::Response> {
    let wrong = |reason: String| Error::Answer {
        endpoint: endpoint.label.clone(),
        method: method.to_owned(),
        reason: shorten(&reason),
    };
    let answer = serde_json::from_value::<response::Wrapper<R::Response>>(answer.unwrap_or_default());
    let answer = answer.map_err(|error| wrong(error.to_string()))?;
    if answer.id() != id {
        return Err(wrong("an answer to another request".to_owned()));
    }
    answer.into_result().map_err(|error| refusal(endpoint, method, &error))
}

fn refusal(endpoint: &Endpoint, method: &str, error: &tendermint_rpc::Error) -> Error {
    let (endpoint, method) = (endpoint.label.clone(), method.to_owned());
    match error.detail() {
        ErrorDetail::Response(detail) => {
            let answer = &detail.source;
            let reason = answer.data().unwrap_or_else(|| answer.message());
            Error::Node { endpoint, method, code: answer.code().value(), reason: shorten(reason) }
        }
        // The detail alone: the whole error carries a backtrace of the decoder.
        other => Error::Answer { endpoint, method, reason: shorten(&other.to_string()) },
    }
}

/// Whether the node says that it has no such transaction: an answer, and the same on a second try.
pub(crate) fn is_not_found(error: &Error) -> bool {
    matches!(error, Error::Node { method, reason, .. } if method == "tx" && reason.ends_with("not found"))
}

#[cfg(test)]
mod tests;
