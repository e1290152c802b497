//! The running node: opens the ledger, connects chains, reconciles, then relays until it is stopped.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use catenary_api::KeyId;
use catenary_core::engine::{Options, Side};
use catenary_core::record::{Record, Start};
use catenary_light_clients::Class;
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::chains::{observer_for, with_anchors};
use super::endpoints::{endpoint_name, hints, over_endpoints};
use super::keys::send_policy;
use super::paths::{attestor, restore, server_tls, Parts, Signers};
use super::WiringError;
use crate::api::{self, ApiState, ReleaseRoute};
use crate::attestor::{Attestor, Listen, Server};
use crate::chain::{evidence, Chain};
use crate::config::{AdapterConfig, Config, PathConfig};
use crate::failpoint::failpoint;
use crate::journal::JournalOptions;
use crate::keystore::{Keystore, KeystoreSigner};
use crate::platform;
use crate::relay::{probe, upkeep, Keepers, PathContext, PathRunner, PathWatch, Sender, SenderParts};
use crate::store::Ledger;
use crate::telemetry::http::{self, HttpState};
use crate::telemetry::metrics::{ChainScope, PathScope, SideScope};
use crate::telemetry::{ChainHealth, Health, Metrics, MetricsScope, PathHealth};

/// Releases waiting for a path: a person releases a handful at a time.
const RELEASES_MAX: usize = 64;
/// Milliseconds that the start waits for chains: what answers at all does so in less, and the rest comes later.
const CONNECT_MS_MAX: u64 = 5_000;
/// Milliseconds that the paths wait for what an earlier run left open: the budget of a start, which a chain that answers
/// keeps.
const RECONCILE_MS_MAX: u64 = 2_000;

/// The metrics of a configuration.
#[must_use]
pub fn metrics_for(config: &Config) -> Arc<Metrics> {
    let chains = config.chains.iter().map(|chain| ChainScope {
        name: chain.name.clone(),
        family: chain.family,
        trusting_period_seconds: chain.trust.trusting_period_seconds,
        endpoints: (0..chain.urls.len()).map(endpoint_name).collect(),
        signers: chain.transaction_keys.clone(),
        fee_asset: fee_asset(&chain.adapter),
    });
    let side = |side: &crate::config::Side| SideScope {
        chain: side.chain.clone(),
        client_id: side.client.clone().unwrap_or_else(|| "none".to_owned()),
    };
    let paths =
        config.paths.iter().map(|path| PathScope { name: path.name.clone(), sides: [side(&path.a), side(&path.b)] });
    Metrics::new(&MetricsScope {
        config_hash: config.digest().to_string(),
        profile: "default".to_owned(),
        chains: chains.collect(),
        paths: paths.collect(),
        operators: config.operators.iter().map(|operator| operator.id.clone()).collect(),
    })
}

fn fee_asset(adapter: &AdapterConfig) -> String {
    match adapter {
        AdapterConfig::Evm(_) => "wei".to_owned(),
        AdapterConfig::Cosmos(cosmos) if cosmos.fee_denom.is_empty() => "none".to_owned(),
        AdapterConfig::Cosmos(cosmos) => cosmos.fee_denom.clone(),
    }
}

/// The health of a configuration, before anything has started.
#[must_use]
pub fn health_for(config: &Config) -> Arc<Health> {
    let chains = config.chains.iter().map(|chain| {
        let health = ChainHealth {
            started: false,
            head_timestamp: None,
            head_age_seconds_max: chain.stale_after_seconds,
            stopped: None,
            endpoints_left_out: BTreeMap::new(),
        };
        (chain.name.clone(), health)
    });
    let paths = config.paths.iter().map(|path| {
        let chains = vec![path.a.chain.clone(), path.b.chain.clone()];
        (path.name.clone(), PathHealth { chains, ..PathHealth::default() })
    });
    Arc::new(Health::new(chains.collect(), paths.collect()))
}

struct Node {
    config: Config,
    ledger: Arc<Ledger>,
    metrics: Arc<Metrics>,
    health: Arc<Health>,
    watch: Arc<PathWatch>,
    chains: BTreeMap<String, Arc<Chain>>,
    attestors: BTreeMap<String, Arc<Attestor>>,
    senders: BTreeMap<String, Vec<Arc<Sender>>>,
}

/// Runs a node until `stop` is cancelled.
///
/// # Errors
/// It cannot start, or the journal failed while it ran.
pub async fn run(config: Config, metrics: Arc<Metrics>, stop: CancellationToken) -> Result<(), WiringError> {
    let health = health_for(&config);
    let segment_bytes_max = config.limits.journal_segment_bytes;
    let options = JournalOptions { segment_bytes_max, ..JournalOptions::default() };
    let (ledger, report) = Ledger::open_with(&config.data_dir, options)?;
    let ledger = Arc::new(ledger);
    failpoint("start.opened");
    // Keys are bound to the anchor that holds now, which may be one that a person has set.
    let config = with_anchors(config, &ledger)?;
    config.check_keys()?;
    tracing::info!(
        records = report.journal.records_count,
        truncated_bytes = report.journal.truncated_bytes,
        folded = report.folded_records,
        "journal opened"
    );
    super::lost::tell(&config, &ledger, platform::now())?;
    let start = Start {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        config_digest: config.digest(),
        at_seconds: platform::now().seconds(),
    };
    ledger.record(vec![Record::Start(start)])?;
    failpoint("start.recorded");
    health.store_opened();
    let address = config.telemetry.listen;
    let node = assemble(config, ledger, metrics, health).await?;
    failpoint("start.connected");
    let listener = TcpListener::bind(address).await.map_err(|source| WiringError::Listen { address, source })?;
    node.serve(listener, stop).await
}

async fn assemble(
    config: Config,
    ledger: Arc<Ledger>,
    metrics: Arc<Metrics>,
    health: Arc<Health>,
) -> Result<Node, WiringError> {
    let passphrase = config.keystore.passphrase.read()?;
    let keystore = Keystore::new(&config.keystore.dir);
    let signer = KeystoreSigner::open(keystore, &config.key_ids(), &passphrase, ledger.clone())?;
    let signers = Signers(Arc::new(signer));
    let watch = Arc::new(PathWatch {
        metrics: metrics.clone(),
        health: health.clone(),
        assets: config.chains.iter().map(|chain| (chain.name.clone(), fee_asset(&chain.adapter))).collect(),
    });
    let (mut chains, mut attestors) = (BTreeMap::new(), BTreeMap::new());
    let mut senders: BTreeMap<String, Vec<Arc<Sender>>> = BTreeMap::new();
    let mut connected = BTreeMap::new();
    for chain in &config.chains {
        let observer = observer_for(chain, &metrics, &health, Some(ledger.clone()));
        let connected_chain = over_endpoints(chain, &ledger, observer, (&metrics, &health))?;
        freeze_where_misbehaved(&config, chain, &ledger, &connected_chain)?;
        connected.insert(chain.name.clone(), connected_chain);
    }
    connect_all(connected.values()).await?;
    for chain in &config.chains {
        let Some(connected) = connected.remove(&chain.name) else { continue };
        if let Some(attestor) = attestor(&config, chain, &connected, &signers, &metrics)? {
            attestors.insert(chain.name.clone(), attestor);
        }
        for key in &chain.transaction_keys {
            let sender = Sender::new(SenderParts {
                chain: chain.name.clone(),
                key: KeyId(key.clone()),
                sink: connected.sink().clone(),
                replacer: connected.endpoints().replacer(),
                policy: send_policy(chain),
                signer: Arc::new(signers.clone()),
                ledger: ledger.clone(),
                observer: watch.clone(),
            })?;
            senders.entry(chain.name.clone()).or_default().push(Arc::new(sender));
        }
        chains.insert(chain.name.clone(), connected);
    }
    Ok(Node { config, ledger, metrics, health, watch, chains, attestors, senders })
}

/// Connects all chains at once, for a bounded time. A chain that does not answer is connected by its follower when it
/// does; one that answers and is not what the configuration says refuses the start.
/// A chain of which the journal knows misbehaviour proves nothing until a person has set a new anchor, and its evidence is
/// where people look for it.
fn freeze_where_misbehaved(
    config: &Config,
    of: &crate::config::Chain,
    ledger: &Ledger,
    chain: &Chain,
) -> Result<(), WiringError> {
    chain.keep_evidence_in(config.data_dir.join(evidence::FOLDER));
    let Some(seen) = ledger.misbehaviour(&of.name)? else { return Ok(()) };
    // Of another anchor: that one was set in the configuration, by a person.
    if of.instance().is_some_and(|instance| instance.digest() == seen.instance) {
        tracing::error!(
            chain = of.name,
            height = seen.height,
            code = seen.code,
            "misbehaviour was seen: it stays frozen"
        );
        chain.keep_evidence(&evidence::Evidence::journaled(&seen));
        chain.freeze();
    }
    Ok(())
}

async fn connect_all(chains: impl Iterator<Item = &Arc<Chain>>) -> Result<(), WiringError> {
    let connecting = chains.map(|chain| async move {
        (chain.name(), platform::within(Duration::from_millis(CONNECT_MS_MAX), chain.admit()).await)
    });
    for (chain, outcome) in futures::future::join_all(connecting).await {
        match outcome {
            Some(Ok(())) => {}
            Some(Err(error)) if error.class == Class::Transient => {
                tracing::warn!(chain, code = error.code, "starting without this chain, which waits: {error}");
            }
            Some(Err(error)) => return Err(error.into()),
            None => tracing::warn!(chain, seconds = CONNECT_MS_MAX / 1_000, "starting without this chain: no answer"),
        }
    }
    Ok(())
}

impl Node {
    async fn serve(self, listener: TcpListener, stop: CancellationToken) -> Result<(), WiringError> {
        let mut tasks = JoinSet::new();
        for chain in self.chains.values() {
            let (chain, stop) = (chain.clone(), stop.clone());
            tasks.spawn(async move {
                chain.follow(stop).await;
                Ok(())
            });
        }
        self.keep_ledger(&mut tasks, &stop);
        for config in &self.config.chains {
            let (Some(chain), false) = (self.chains.get(&config.name), config.ws_urls.is_empty()) else { continue };
            let (chain, hints, stop) = (chain.clone(), hints(config), stop.clone());
            tasks.spawn(async move {
                tokio::select! {
                    () = stop.cancelled() => {}
                    () = chain.listen(hints) => {}
                }
                Ok(())
            });
        }
        self.serve_attestors(&mut tasks, &stop).await?;
        failpoint("start.attesting");
        self.reconcile(&mut tasks, &stop).await;
        failpoint("start.reconciled");
        let mut routes = Vec::new();
        for path in &self.config.paths {
            let (context, runner, route) = self.path(path)?;
            routes.push(route);
            tasks.spawn(self.keep_clients(path, context.clone(), stop.clone()));
            let stopped = stop.clone();
            tasks.spawn(async move {
                probe(context, stopped).await;
                Ok(())
            });
            let stop = stop.clone();
            tasks.spawn(async move { runner.run(stop).await.map_err(WiringError::from) });
        }
        let state =
            ApiState { ledger: self.ledger.clone(), chains: Arc::new(self.chains.clone()), routes: Arc::new(routes) };
        let http = HttpState { metrics: self.metrics.clone(), health: self.health.clone() };
        let routes = http::router(http).merge(api::router(state));
        let stopped = stop.clone();
        tasks.spawn(async move {
            let served = axum::serve(listener, routes).with_graceful_shutdown(stopped.cancelled_owned()).await;
            served.map_err(|source| WiringError::Listen { address: ([127, 0, 0, 1], 0).into(), source })
        });
        failpoint("start.running");
        tracing::info!(operator = self.config.operator, paths = self.config.paths.len(), "running");
        let mut outcome = Ok(());
        while let Some(done) = tasks.join_next().await {
            // A task that ends before the node is stopped has failed; a node without one of its parts must not go on.
            let failed = match done {
                Ok(Ok(())) => None,
                Ok(Err(error)) => Some(error),
                Err(error) => Some(WiringError::missing(format!("a task panicked: {error}"), "please report this")),
            };
            if let Some(error) = failed {
                tracing::error!(code = error.code(), "{error}");
                outcome = Err(error);
                stop.cancel();
            }
        }
        failpoint("stop.done");
        outcome
    }

    /// Says how the ledger stands, keeps it small, and lets nobody wait for a disk when the node stops.
    fn keep_ledger(&self, tasks: &mut JoinSet<Result<(), WiringError>>, stop: &CancellationToken) {
        let plan = super::KeepPlan {
            ledger: self.ledger.clone(),
            metrics: self.metrics.clone(),
            health: self.health.clone(),
            limits: self.config.limits,
            data_dir: self.config.data_dir.clone(),
        };
        let stopped = stop.clone();
        tasks.spawn(async move {
            super::keep(plan, stopped).await;
            Ok(())
        });
    }

    /// Looks after the on-chain clients of a path until it is stopped.
    fn keep_clients(
        &self,
        path: &PathConfig,
        context: Arc<PathContext>,
        stop: CancellationToken,
    ) -> impl std::future::Future<Output = Result<(), WiringError>> + Send + 'static {
        let keepers = Keepers {
            operators: path.operators.clone(),
            own: self.config.operator.clone(),
            evidence: self.config.data_dir.join(evidence::FOLDER),
            submit_misbehaviour: path.submit_misbehaviour,
        };
        async move {
            upkeep(context, keepers, stop).await;
            Ok(())
        }
    }

    async fn serve_attestors(
        &self,
        tasks: &mut JoinSet<Result<(), WiringError>>,
        stop: &CancellationToken,
    ) -> Result<(), WiringError> {
        for chain in &self.config.chains {
            let (Some(service), Some(attestor)) = (&chain.attestor, self.attestors.get(&chain.name)) else { continue };
            let tls = if service.listen.ip().is_loopback() { None } else { server_tls(&self.config)? };
            let server = Server::bind(attestor.clone(), Listen { address: service.listen, tls }).await?;
            let stopped = stop.clone().cancelled_owned();
            tasks.spawn(async move { server.run(stopped).await.map_err(WiringError::from) });
        }
        Ok(())
    }

    /// Reconcile first, send second: every transaction that the journal holds without an outcome is looked up. All keys at
    /// once, and for a bounded time: a chain that is down does not hold up the paths of others. A key that is not done by
    /// then goes on, and sends nothing before.
    async fn reconcile(&self, tasks: &mut JoinSet<Result<(), WiringError>>, stop: &CancellationToken) {
        let (done, mut all_done) = mpsc::channel::<()>(1);
        for sender in self.senders.values().flatten() {
            // Known before the first path starts, so that nothing is sent past it.
            if let Err(error) = sender.adopt().await {
                tracing::warn!(key = sender.key(), code = error.code(), "{error}");
            }
            let (sender, done, stop) = (sender.clone(), done.clone(), stop.clone());
            tasks.spawn(async move {
                let _done = done;
                tokio::select! {
                    () = stop.cancelled() => {}
                    outcome = sender.reconcile() => if let Err(error) = outcome {
                        // What is open stays adopted, and is resolved before anything else is sent.
                        tracing::warn!(chain = sender.chain(), key = sender.key(), code = error.code(), "{error}");
                    },
                }
                Ok(())
            });
        }
        drop(done);
        // Nothing is ever sent on it: it closes when the last one is done.
        if platform::within(Duration::from_millis(RECONCILE_MS_MAX), all_done.recv()).await.is_none() {
            tracing::warn!("starting while transactions of an earlier run are still looked up");
        }
    }

    fn path(&self, path: &PathConfig) -> Result<(Arc<PathContext>, PathRunner, ReleaseRoute), WiringError> {
        let parts = Parts {
            config: &self.config,
            chains: &self.chains,
            attestors: &self.attestors,
            senders: &self.senders,
            metrics: &self.metrics,
        };
        let (a, b) = (parts.side(path, &path.a, &path.b)?, parts.side(path, &path.b, &path.a)?);
        let sides = vec![
            (path.a.chain.clone(), a.client_id.clone(), Side::A),
            (path.b.chain.clone(), b.client_id.clone(), Side::B),
        ];
        let context =
            PathContext { name: path.name.clone(), a, b, ledger: self.ledger.clone(), observer: self.watch.clone() };
        let options = Options {
            path: path.name.clone(),
            operators: path.operators.clone(),
            own: self.config.operator.clone(),
            turn_delay_blocks: path.turn_delay_blocks,
            bucket: self.config.limits.turn_bucket_sequences,
            job_items_max: path.batch_messages_max,
            recv_margin_seconds: self.config.limits.recv_margin_seconds,
        };
        let (releases, released) = mpsc::channel(RELEASES_MAX);
        let restored = restore(&self.ledger, &self.config, path)?;
        tracing::info!(path = path.name, open = restored.open.len(), ended = restored.ended.len(), "path restored");
        let context = Arc::new(context);
        let every = Duration::from_secs(self.config.limits.sweep_every_seconds);
        let runner = PathRunner::new(context.clone(), options, restored, released).sweeping(every);
        Ok((context, runner, ReleaseRoute { releases, sides }))
    }
}
