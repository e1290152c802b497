//! Keeps one plugin running: starts it when it is first needed, and again after a wait when it failed.
//!
//! | state | what happens | next |
//! | --- | --- | --- |
//! | stopped | a call comes | started, or stopped with a failure more |
//! | running | it dies, or answers nothing in time [`HANGS_MAX`] times in a row | stopped with a failure more |
//! | stopped, in its wait | a call comes | refused at once, with what is left of the wait |
//!
//! What can grow here: nothing. One process, [`CALLS_MAX`] calls, 1 KiB of last words.

use std::future::Future;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use catenary_light_clients::Hash32;
use tokio::sync::{Mutex, Semaphore};
use tonic::transport::{Channel, Endpoint};
use tonic::{Code, Status};

use crate::child::Process;
use crate::error::{shorten, Error, Result};
use crate::limits::{
    BACKOFF_MAX_MS, BACKOFF_MIN_MS, CALLS_MAX, HANGS_MAX, MESSAGE_BYTES_MAX, REASON_CHARS_MAX, START_DEADLINE_MS,
    START_POLL_MS, STEADY_MS,
};
use crate::manifest::{Manifest, PROTOCOL};
use crate::platform::{self, Instant};
use crate::proto::adapter_client::AdapterClient;
use crate::proto::{OpenRequest, Setting};
use crate::wire;

/// What a plugin is started with.
#[derive(Clone)]
pub struct ProcessConfig {
    /// The chain's name in the configuration.
    pub chain: String,
    /// The chain id that transactions are signed for.
    pub chain_id: String,
    /// Endpoints in order of preference; they may hold credentials, and reach the plugin over its socket only.
    pub urls: Vec<String>,
    /// The plugin's own settings.
    pub settings: Vec<(String, String)>,
    /// Its manifest.
    pub manifest: PathBuf,
    /// SHA-256 that its executable must have.
    pub sha256: Hash32,
    /// Deadline of one call, in milliseconds; above that of the plugin's own requests and retries.
    pub call_deadline_ms: u64,
}

impl ProcessConfig {
    /// The deadline of calls that suits an adapter which keeps `catenary_api::limits::REQUEST_DEADLINE_MS` and makes
    /// three attempts.
    pub const CALL_DEADLINE_MS: u64 = 45_000;
}

impl core::fmt::Debug for ProcessConfig {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        // Endpoints and settings may hold credentials.
        f.debug_struct("ProcessConfig")
            .field("chain", &self.chain)
            .field("manifest", &self.manifest)
            .field("sha256", &self.sha256)
            .finish_non_exhaustive()
    }
}

struct Running {
    process: Process,
    client: AdapterClient<Channel>,
    since: Instant,
}

#[derive(Default)]
struct State {
    running: Option<Running>,
    failures: u32,
    not_before: Option<Instant>,
}

impl State {
    fn failed(&mut self) {
        let steady = self.running.take().is_some_and(|running| {
            platform::now().saturating_duration_since(running.since).as_millis() >= u128::from(STEADY_MS)
        });
        self.failures = if steady { 1 } else { self.failures.saturating_add(1) };
        let doubled = BACKOFF_MIN_MS.saturating_mul(1 << self.failures.saturating_sub(1).min(16));
        let wait = core::time::Duration::from_millis(doubled.min(BACKOFF_MAX_MS));
        self.not_before = platform::now().checked_add(wait);
    }
}

/// One plugin, running or not.
pub(crate) struct Plugin {
    pub(crate) config: ProcessConfig,
    pub(crate) manifest: Manifest,
    state: Mutex<State>,
    calls: Semaphore,
    /// Calls in a row that had no answer.
    unanswered: AtomicU32,
}

impl Plugin {
    pub(crate) fn new(config: ProcessConfig, manifest: Manifest) -> Self {
        let calls = Semaphore::new(CALLS_MAX);
        Self { config, manifest, state: Mutex::new(State::default()), calls, unanswered: AtomicU32::new(0) }
    }

    fn chain(&self) -> String {
        self.config.chain.clone()
    }

    /// The plugin's client; started if it does not run.
    pub(crate) async fn client(&self) -> Result<AdapterClient<Channel>> {
        let mut state = self.state.lock().await;
        if let Some(running) = &mut state.running {
            if running.process.end().is_none() {
                return Ok(running.client.clone());
            }
            state.failed();
        }
        let left = state.not_before.map(|at| at.saturating_duration_since(platform::now()));
        if let Some(left) = left.filter(|left| !left.is_zero()) {
            let wait_ms = u64::try_from(left.as_millis()).unwrap_or(u64::MAX);
            return Err(Error::Waiting { chain: self.chain(), failures: state.failures, wait_ms });
        }
        match self.start().await {
            Ok(running) => {
                self.unanswered.store(0, Ordering::Relaxed);
                let client = running.client.clone();
                state.running = Some(running);
                Ok(client)
            }
            Err(error) => {
                state.failed();
                Err(error)
            }
        }
    }

    async fn start(&self) -> Result<Running> {
        let mut process = Process::start(&self.config.chain, &self.manifest, self.config.sha256).await?;
        let failed = |reason: String| Error::Start { chain: self.config.chain.clone(), reason };
        let opened = platform::within_ms(START_DEADLINE_MS, async {
            let client = listening(&mut process).await.map_err(failed)?;
            self.open(client).await
        });
        match opened.await {
            Some(Ok(client)) => Ok(Running { process, client, since: platform::now() }),
            Some(Err(error)) => Err(match process.end() {
                Some(end) if matches!(error, Error::Lost { .. } | Error::Start { .. }) => failed(end),
                _ => error,
            }),
            None => Err(failed(format!("no answer within {START_DEADLINE_MS} ms"))),
        }
    }

    async fn open(&self, mut client: AdapterClient<Channel>) -> Result<AdapterClient<Channel>> {
        let mut settings = self.config.settings.clone();
        settings.sort();
        let request = OpenRequest {
            protocol: PROTOCOL,
            chain: self.config.chain.clone(),
            chain_id: self.config.chain_id.clone(),
            urls: self.config.urls.clone(),
            settings: settings.into_iter().map(|(key, value)| Setting { key, value }).collect(),
        };
        let answer = client.open(request).await.map_err(|status| self.status("open", &status))?.into_inner();
        if let Some(error) = answer.error {
            return Err(self.said("open", error));
        }
        let got = (answer.name.as_str(), answer.version.as_str(), answer.protocol);
        let expected = (self.manifest.name.as_str(), self.manifest.version.as_str(), self.manifest.protocol);
        if got != expected {
            let words = |(name, version, protocol): (&str, &str, u32)| {
                shorten(&format!("{name} {version} of protocol {protocol}"), REASON_CHARS_MAX)
            };
            return Err(Error::Other { chain: self.chain(), got: words(got), expected: words(expected) });
        }
        Ok(client)
    }

    /// Makes one call: it waits for its turn, starts the plugin if need be, and ends by the deadline.
    pub(crate) async fn call<T, F>(
        &self,
        call: &'static str,
        deadline_ms: u64,
        ask: impl FnOnce(AdapterClient<Channel>) -> F + Send,
    ) -> Result<T>
    where
        F: Future<Output = core::result::Result<tonic::Response<T>, Status>> + Send,
    {
        // The start has a deadline of its own, which is not the call's.
        let client = self.client().await?;
        let answered = platform::within_ms(deadline_ms, async {
            // The semaphore is never closed.
            let _turn = self.calls.acquire().await;
            ask(client).await
        });
        match answered.await {
            Some(Ok(answer)) => {
                self.unanswered.store(0, Ordering::Relaxed);
                Ok(answer.into_inner())
            }
            Some(Err(status)) if is_lost(&status) => {
                let ended = self.missed().await;
                let error = self.status(call, &status);
                Err(match ended {
                    Some(reason) => Error::Lost { chain: self.chain(), call, reason },
                    None => error,
                })
            }
            Some(Err(status)) => Err(self.status(call, &status)),
            None => {
                self.missed().await;
                Err(Error::Deadline { chain: self.chain(), call, deadline_ms })
            }
        }
    }

    /// Counts a call without an answer; says how the process ended, if it did. One that hangs is ended here.
    async fn missed(&self) -> Option<String> {
        let unanswered = self.unanswered.fetch_add(1, Ordering::Relaxed).saturating_add(1);
        let mut state = self.state.lock().await;
        let end = state.running.as_mut()?.process.end();
        if end.is_some() || unanswered >= HANGS_MAX {
            state.failed();
            self.unanswered.store(0, Ordering::Relaxed);
        }
        end
    }

    pub(crate) fn said(&self, call: &'static str, error: crate::proto::Error) -> Error {
        match wire::error_from(error) {
            Ok(wire::Said { code, message, class }) => Error::Said { chain: self.chain(), call, code, message, class },
            Err(reason) => self.no_answer(call, reason),
        }
    }

    pub(crate) fn no_answer(&self, call: &'static str, reason: String) -> Error {
        Error::NotAnAnswer { chain: self.chain(), call, reason: shorten(&reason, REASON_CHARS_MAX) }
    }

    fn status(&self, call: &'static str, status: &Status) -> Error {
        let reason = shorten(status.message(), REASON_CHARS_MAX);
        match status.code() {
            // What tonic says of a message over its bound, in either direction.
            Code::OutOfRange => Error::TooLarge { chain: self.chain(), call, max: MESSAGE_BYTES_MAX },
            Code::DataLoss => self.no_answer(call, reason),
            _ if is_lost(status) => Error::Lost { chain: self.chain(), call, reason },
            code => Error::Status { chain: self.chain(), call, status: code.into(), reason },
        }
    }
}

/// Whether a status is the connection's and not the plugin's: those of the transport have a cause.
fn is_lost(status: &Status) -> bool {
    status.code() == Code::Unavailable || std::error::Error::source(status).is_some()
}

/// Connects as soon as the process listens; an error says how it ended instead. There is no event to wait for, and the
/// socket is there a moment before it takes connections.
async fn listening(process: &mut Process) -> core::result::Result<AdapterClient<Channel>, String> {
    let socket = process.socket();
    loop {
        if let Some(end) = process.end() {
            return Err(end);
        }
        if socket.exists() {
            if let Ok(client) = connect(&socket).await {
                return Ok(client);
            }
        }
        platform::sleep_ms(START_POLL_MS).await;
    }
}

/// Connects to a socket. The channel connects again by itself, so a client outlives a closed connection.
async fn connect(socket: &Path) -> core::result::Result<AdapterClient<Channel>, tonic::transport::Error> {
    let channel = Endpoint::from_shared(format!("unix:{}", socket.display()))?.connect().await?;
    let client = AdapterClient::new(channel);
    Ok(client.max_decoding_message_size(MESSAGE_BYTES_MAX).max_encoding_message_size(MESSAGE_BYTES_MAX))
}
