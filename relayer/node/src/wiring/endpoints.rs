//! The endpoints of a configured chain: one adapter a URL, what watches them, and what is checked before the chain is
//! followed.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::Arc;

use async_trait::async_trait;
use catenary_api::ChainSource;
use catenary_light_clients::{Class, LightClient};

use super::chains::{
    anchored, build_adapter, chain_options, check_contracts, no_header, not_deployed, saved, FamilyAdapter,
};
use super::WiringError;
use crate::chain::endpoints::{
    Call, EndpointObserver, Endpoints, LeftOut, Member, Standing, Unobserved, Went, NETWORK_CODE,
};
use crate::chain::hint::Hint;
use crate::chain::{Admission, Authorities, Chain, ChainObserver, ChainParts, HasClient};
use crate::config::{AdapterConfig, Chain as ChainConfig};
use crate::store::Ledger;
use crate::telemetry::metrics::{EndpointUp, MethodClass, Outcome};
use crate::telemetry::{Health, Metrics, Reason};

/// Name of a chain's n-th endpoint in metrics: never its URL.
#[must_use]
pub(super) fn endpoint_name(index: usize) -> String {
    format!("endpoint-{index}")
}

/// Watches the endpoints of one chain.
pub(super) struct EndpointWatch {
    pub(super) chain: String,
    pub(super) metrics: Arc<Metrics>,
    pub(super) health: Arc<Health>,
}

impl EndpointObserver for EndpointWatch {
    fn asked(&self, endpoint: &str, call: Call, went: Went) {
        let class = match call {
            Call::Identity => MethodClass::Identity,
            Call::Head => MethodClass::Head,
            Call::Updates => MethodClass::Updates,
            Call::Events => MethodClass::Events,
            Call::Proofs => MethodClass::Proofs,
            Call::State => MethodClass::State,
            Call::Estimate => MethodClass::Estimate,
            Call::Broadcast => MethodClass::Broadcast,
            Call::Receipt => MethodClass::Receipt,
        };
        let outcome = match went {
            Went::Ok => Outcome::Ok,
            Went::Failed => Outcome::Transient,
            Went::Refused => Outcome::Permanent,
        };
        self.metrics.rpc_request(&self.chain, endpoint, class, outcome);
    }

    fn scored(&self, endpoint: &str, score: f64) {
        self.metrics.endpoint_score(&self.chain, endpoint, score);
    }

    fn changed(&self, endpoint: &str, standing: &Standing) {
        let up = if standing.up { EndpointUp::Yes } else { EndpointUp::No };
        self.metrics.endpoint_up(&self.chain, endpoint, up);
        let reason = standing.why.as_ref().map(|why| Reason::new(why.code, why.message.clone()));
        let chain = &self.chain;
        self.health.chain(chain, |health| match &reason {
            None if health.endpoints_left_out.remove(endpoint).is_some() => {
                tracing::info!(chain, endpoint, "endpoint serves again");
            }
            None => {}
            Some(reason) => {
                tracing::warn!(chain, endpoint, code = reason.code, "endpoint left out: {}", reason.message);
                health.endpoints_left_out.insert(endpoint.to_owned(), reason.clone());
            }
        });
    }

    fn disagreed(&self, endpoint: &str, why: &LeftOut) {
        self.metrics.disagreement(&self.chain, endpoint);
        tracing::debug!(chain = self.chain, endpoint, code = why.code, "disagreement: {}", why.message);
    }
}

/// One adapter a URL. With several, an adapter asks once, since there is another to go to.
fn adapters(config: &ChainConfig) -> Result<Vec<FamilyAdapter>, WiringError> {
    let one = |url: &crate::config::Endpoint| {
        let adapter = build_adapter(&ChainConfig { urls: vec![url.clone()], ..config.clone() })?;
        Ok(if config.urls.len() > 1 { adapter.asking_once() } else { adapter })
    };
    config.urls.iter().map(one).collect()
}

/// The endpoints of a chain, each by its name in metrics.
fn members(config: &ChainConfig, adapters: &[FamilyAdapter]) -> Vec<Member> {
    let member = |(index, adapter): (usize, &FamilyAdapter)| Member {
        name: endpoint_name(index),
        adapter: adapter.sides(),
        replacer: adapter.replacer(),
        requests_per_second_max: config.requests_per_second_max,
    };
    adapters.iter().enumerate().map(member).collect()
}

/// The endpoints of a chain for a command that a person gives: the same doubts as in the node, and nobody is told of them.
/// At least one of them must serve the configured network; those that serve another one are left out.
///
/// # Errors
/// A setting that an adapter refuses; no endpoint answers, or none serves this network.
pub async fn endpoints_for_tools(config: &ChainConfig) -> Result<Arc<Endpoints>, WiringError> {
    let endpoints = Endpoints::new(&config.name, members(config, &adapters(config)?), Arc::new(Unobserved));
    endpoints.identify_any(&config.chain_id).await?;
    Ok(Arc::new(endpoints))
}

/// A chain over all its endpoints, still to be connected. Its light client comes back from the store when the journal
/// vouches for it.
///
/// # Errors
/// A setting that an adapter refuses, a store that fails, or a router that is not configured.
pub fn over_endpoints(
    config: &ChainConfig,
    ledger: &Arc<Ledger>,
    observer: Arc<dyn ChainObserver>,
    watch: (&Arc<Metrics>, &Arc<Health>),
) -> Result<Arc<Chain>, WiringError> {
    let adapters = adapters(config)?;
    let members = members(config, &adapters);
    let (metrics, health) = (watch.0.clone(), watch.1.clone());
    let watch = EndpointWatch { chain: config.name.clone(), metrics, health };
    let parts = ChainParts {
        family: config.family,
        instance: config.instance().ok_or_else(|| not_deployed(config))?,
        chain_id: config.chain_id.clone(),
        endpoints: Arc::new(Endpoints::new(&config.name, members, Arc::new(watch))),
        client: saved(config, ledger)?,
        admission: Arc::new(ChainAdmission { config: config.clone(), adapters, tried: AtomicBool::new(false) }),
        observer,
    };
    Ok(Arc::new(Chain::over(chain_options(config), parts).paced()))
}

/// What subscribes to new blocks, as the nodes of a chain's family take it.
pub(super) fn hints(config: &ChainConfig) -> Vec<Hint> {
    let subscribe = match config.adapter {
        AdapterConfig::Evm(_) => r#"{"jsonrpc":"2.0","id":1,"method":"eth_subscribe","params":["newHeads"]}"#,
        AdapterConfig::Cosmos(_) => {
            r#"{"jsonrpc":"2.0","id":1,"method":"subscribe","params":{"query":"tm.event='NewBlockHeader'"}}"#
        }
    };
    let authorities = Authorities::public();
    let hint = |url: &crate::config::Endpoint| Hint {
        url: url.expose().to_owned(),
        subscribe: subscribe.to_owned(),
        authorities: authorities.clone(),
    };
    config.ws_urls.iter().map(hint).collect()
}

/// What must be right of a configured chain.
struct ChainAdmission {
    config: ChainConfig,
    adapters: Vec<FamilyAdapter>,
    /// Whether the start has tried.
    tried: AtomicBool,
}

/// An error as the chain shows it.
fn plain(error: WiringError) -> catenary_api::Error {
    match error {
        WiringError::Chain(error) => error,
        other => catenary_api::Error { code: other.code(), class: other.class(), message: other.to_string() },
    }
}

impl ChainAdmission {
    /// The light client at its anchor, from the first endpoint that has the pinned header.
    async fn anchored(&self, endpoints: &Endpoints) -> catenary_api::Result<Box<dyn LightClient>> {
        let height = self.config.anchor.height;
        let mut but = Vec::new();
        let mut refusal = None;
        loop {
            let told = match endpoints.updates_told(height, height, &but).await {
                Ok(told) => told,
                Err(error) => return Err(refusal.unwrap_or(error)),
            };
            let made = match told.answer.first() {
                Some(update) => anchored(&self.config, update),
                None => Err(no_header(&self.config)),
            };
            match made {
                Ok(client) => return Ok(client),
                Err(error) => {
                    let error = plain(error);
                    endpoints.refused(told.by, error.code, &error.message);
                    refusal.get_or_insert(error);
                    but.push(told.by);
                }
            }
        }
    }

    /// The configured contracts have code, says an endpoint at least.
    async fn contracts(&self) -> catenary_api::Result<()> {
        let mut refusal: Option<catenary_api::Error> = None;
        for adapter in &self.adapters {
            let Err(error) = check_contracts(&self.config, adapter).await.map_err(plain) else { return Ok(()) };
            // That there is no code says more than that somebody did not answer.
            if refusal.as_ref().is_none_or(|first| first.class == Class::Transient) {
                refusal = Some(error);
            }
        }
        refusal.map_or(Ok(()), Err)
    }
}

#[async_trait]
impl Admission for ChainAdmission {
    async fn admit(
        &self,
        endpoints: &Endpoints,
        has_client: HasClient,
    ) -> catenary_api::Result<Option<Box<dyn LightClient>>> {
        // A mistake in the configuration is best told at the start; later, what is right is followed.
        let expected = &self.config.chain_id;
        let identified = match self.tried.swap(true, Ordering::Relaxed) {
            false => endpoints.identify_all(expected).await,
            true => endpoints.identify_any(expected).await,
        };
        identified.map_err(|error| {
            let code = if error.code == NETWORK_CODE { WiringError::MISMATCH_CODE } else { error.code };
            catenary_api::Error { code, ..error }
        })?;
        let client = match has_client {
            HasClient::Yes => None,
            HasClient::No => Some(self.anchored(endpoints).await?),
        };
        self.contracts().await?;
        Ok(client)
    }
}

/// A source that is asked as it is: for tools.
pub(super) async fn first_update(source: &Arc<dyn ChainSource>, config: &ChainConfig) -> Result<Vec<u8>, WiringError> {
    let height = config.anchor.height;
    source.updates(height, height).await?.into_iter().next().ok_or_else(|| no_header(config))
}
