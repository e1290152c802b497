//! One operator: the real node, [`wiring::run`], on a runtime of its own, and what it tells of itself over HTTP.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use serde::de::DeserializeOwned;
use serde::Deserialize;
use tokio::runtime::Runtime;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::folder::open_log;
use crate::cli::output::Failure;
use crate::config::Config;
use crate::platform;
use crate::query::PacketView;
use crate::telemetry::logging;
use crate::wiring::{self, WiringError};

/// Threads of an operator: three of them share a machine of two cores.
const THREADS: usize = 2;
/// How long an operator that was asked to end may take, in seconds.
const STOP_SECONDS: u64 = 10;
/// How long the threads of an operator may take to let go of its files, in seconds; generous, since it cannot start
/// again before.
const SHUTDOWN_SECONDS: u64 = 30;
/// How long an operator may take to be ready, in seconds; generous for loaded machines.
const READY_SECONDS: u64 = 60;
/// Pause between two looks at an operator, in milliseconds.
const LOOK_MS: u64 = 100;
/// Deadline of one request to an operator.
const REQUEST_DEADLINE: Duration = Duration::from_secs(5);

/// An operator; its runtime ends with it.
#[derive(Debug)]
pub(super) struct Operator {
    pub(super) id: &'static str,
    dir: PathBuf,
    telemetry_port: u16,
    client: reqwest::Client,
    running: Option<Running>,
}

#[derive(Debug)]
struct Running {
    runtime: Runtime,
    stop: CancellationToken,
    task: JoinHandle<Result<(), WiringError>>,
}

/// A reason of [`Readiness`].
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Reason {
    pub(super) code: String,
    pub(super) message: String,
}

/// An answer of `/readyz`.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Readiness {
    pub(super) ready: bool,
    pub(super) reasons: Vec<Reason>,
}

impl Operator {
    /// An operator that has not been started.
    pub(super) fn new(id: &'static str, dir: PathBuf, telemetry_port: u16) -> Result<Self, Failure> {
        let client = reqwest::Client::builder().timeout(REQUEST_DEADLINE).no_proxy().build();
        let client = client.map_err(|error| Failure::new("NODE-DEMO-004", format!("no HTTP client: {error}")))?;
        Ok(Self { id, dir, telemetry_port, client, running: None })
    }

    pub(super) fn config_file(&self) -> PathBuf {
        self.dir.join("catenary.toml")
    }

    pub(super) fn log_file(&self) -> PathBuf {
        self.dir.join("catenary.log")
    }

    /// Address of its metrics, health and packets.
    pub(super) fn url(&self) -> String {
        format!("http://{}", SocketAddr::from((Ipv4Addr::LOCALHOST, self.telemetry_port)))
    }

    /// The configuration as the file has it.
    pub(super) fn config(&self) -> Result<Config, Failure> {
        Ok(Config::load(&self.config_file(), &[])?)
    }

    /// Starts the node with what the file says, as `catenary run` does.
    pub(super) fn start(&mut self) -> Result<(), Failure> {
        let config = self.config()?;
        config.require_paths()?;
        let metrics = wiring::metrics_for(&config);
        let log = logging::to_file(open_log(&self.log_file())?, &config.telemetry.log, Some(metrics.clone()))?;
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(THREADS)
            .thread_name(self.id)
            .on_thread_start(move || {
                // The log of a thread is that of its operator until the thread ends.
                std::mem::forget(tracing::dispatcher::set_default(&log));
            })
            .enable_all()
            .build()
            .map_err(|error| Failure::new("NODE-DEMO-005", format!("operator {}: no runtime: {error}", self.id)))?;
        let stop = CancellationToken::new();
        let task = runtime.spawn(Box::pin(wiring::run(config, metrics, stop.clone())));
        self.running = Some(Running { runtime, stop, task });
        Ok(())
    }

    /// Whether it was started and not ended by us.
    pub(super) const fn is_up(&self) -> bool {
        self.running.is_some()
    }

    /// Asks the node to end, and waits for it.
    pub(super) async fn stop(&mut self) {
        let Some(mut running) = self.running.take() else { return };
        running.stop.cancel();
        // What does not end by itself in time is ended by its runtime's end.
        let _ = platform::within(Duration::from_secs(STOP_SECONDS), &mut running.task).await;
        end(running.runtime).await;
    }

    /// Drops the node where it stands, without a word to it: nothing is flushed, waited for or told.
    pub(super) async fn kill(&mut self) {
        if let Some(running) = self.running.take() {
            end(running.runtime).await;
        }
    }

    /// Fails when the node ended by itself.
    async fn check(&mut self) -> Result<(), Failure> {
        if !self.running.as_ref().is_some_and(|running| running.task.is_finished()) {
            return Ok(());
        }
        let Some(running) = self.running.take() else { return Ok(()) };
        let failure = match running.task.await {
            Ok(Err(error)) => Failure::from(error),
            other => Failure::new("NODE-DEMO-006", format!("operator {} ended early: {other:?}", self.id)),
        };
        end(running.runtime).await;
        Err(failure)
    }

    /// Waits until the node is ready, or one of its paths where one is named.
    pub(super) async fn wait_ready(&mut self, path: Option<&str>) -> Result<(), Failure> {
        let started = platform::monotonic();
        loop {
            self.check().await?;
            let readiness = self.readiness(path).await;
            if readiness.as_ref().is_some_and(|readiness| readiness.ready) {
                return Ok(());
            }
            if started.elapsed().as_secs() >= READY_SECONDS {
                let log = self.log_file();
                let message = format!(
                    "operator {} is not ready after {READY_SECONDS} s: {readiness:?}; its log is {}",
                    self.id,
                    log.display()
                );
                return Err(Failure::new("NODE-DEMO-007", message));
            }
            platform::sleep(Duration::from_millis(LOOK_MS)).await;
        }
    }

    /// What `/readyz` says, of a path when one is named; `None` when the node does not answer.
    pub(super) async fn readiness(&self, path: Option<&str>) -> Option<Readiness> {
        let query = path.map(|path| format!("?path={path}")).unwrap_or_default();
        self.ask(&format!("/readyz{query}")).await
    }

    /// What the node knows of a packet; `None` when it does not answer or knows nothing.
    pub(super) async fn packet(&self, key: &str) -> Option<PacketView> {
        let found: Vec<PacketView> = self.ask(&format!("/v1/packet?key={key}")).await?;
        found.into_iter().next()
    }

    /// The page of metrics.
    pub(super) async fn metrics(&self) -> Option<String> {
        self.client.get(format!("{}/metrics", self.url())).send().await.ok()?.text().await.ok()
    }

    async fn ask<T: DeserializeOwned>(&self, path: &str) -> Option<T> {
        self.running.as_ref()?;
        self.client.get(format!("{}{path}", self.url())).send().await.ok()?.json().await.ok()
    }
}

impl Drop for Operator {
    fn drop(&mut self) {
        // A runtime must not be waited for where other tasks run.
        if let Some(running) = self.running.take() {
            running.runtime.shutdown_background();
        }
    }
}

/// Ends a runtime and waits until its threads have let go of everything.
async fn end(runtime: Runtime) {
    let ended = tokio::task::spawn_blocking(|| runtime.shutdown_timeout(Duration::from_secs(SHUTDOWN_SECONDS)));
    // It panics nowhere, and a panic would have ended the runtime as well.
    let _ = ended.await;
}
