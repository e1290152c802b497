//! From a configured chain to a connected one.

use std::collections::BTreeMap;
use std::sync::atomic::AtomicU64;
use std::sync::Arc;

use catenary_adapter_cosmos::{CosmosAdapter, CosmosConfig};
use catenary_adapter_evm::{EvmAdapter, EvmConfig, Fee, GasPrice};
use catenary_adapter_process::{ProcessAdapter, ProcessConfig};
use catenary_api::ReplacingSink;
use catenary_light_clients::cometbft::CometBft;
use catenary_light_clients::ibft2::Ibft2;
use catenary_light_clients::qbft::Qbft;
use catenary_light_clients::{Address, Anchor, Family, Hash32, LightClient, Rejection};

use super::endpoints::first_update;
use super::WiringError;
use crate::chain::{Adapter, Chain, ChainObserver, ChainOptions, ProveError};
use crate::config::{AdapterConfig, Chain as ChainConfig, Config, EvmFee, EvmGasPrice};
use crate::relay::ChainWatch;
use crate::store::Ledger;
use crate::telemetry::{Health, Metrics};

/// Milliseconds between looks at a chain's head: below any block time in use, so that a block is seen at once.
const POLL_MS: u64 = 400;
/// Milliseconds that a request for a height just above the head waits: a few blocks, within an attestor's deadline.
const WAIT_ABOVE_HEAD_MS: u64 = 4_000;

/// An adapter with the methods of its own family.
#[derive(Clone)]
pub enum FamilyAdapter {
    /// EVM.
    Evm(Arc<EvmAdapter>),
    /// Cosmos.
    Cosmos(Arc<CosmosAdapter>),
    /// Any family, in its own process.
    Process(Arc<ProcessAdapter>),
}

impl std::fmt::Debug for FamilyAdapter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Evm(_) => "Evm",
            Self::Cosmos(_) => "Cosmos",
            Self::Process(_) => "Process",
        })
    }
}

impl FamilyAdapter {
    /// What raises the price of a transaction that no block takes; `None` where a family knows no replacement, and for
    /// adapters in their own process, whose protocol has no call for it.
    #[must_use]
    pub fn replacer(&self) -> Option<Arc<dyn ReplacingSink>> {
        match self {
            Self::Evm(adapter) => Some(adapter.clone()),
            Self::Cosmos(_) | Self::Process(_) => None,
        }
    }

    /// The two sides.
    #[must_use]
    pub fn sides(&self) -> Adapter {
        match self {
            Self::Evm(adapter) => Adapter { source: adapter.clone(), sink: adapter.clone() },
            Self::Cosmos(adapter) => Adapter { source: adapter.clone(), sink: adapter.clone() },
            Self::Process(adapter) => Adapter { source: adapter.clone(), sink: adapter.clone() },
        }
    }

    /// The same, which does not try again by itself. A process decides that for itself.
    pub(super) fn asking_once(self) -> Self {
        match self {
            Self::Evm(adapter) => Self::Evm(owned(adapter, |adapter| adapter.with_attempts_max(1))),
            Self::Cosmos(adapter) => Self::Cosmos(owned(adapter, |adapter| adapter.with_attempts_max(1))),
            Self::Process(adapter) => Self::Process(adapter),
        }
    }
}

/// Changes what nobody else holds yet; what is shared already stays as it is.
fn owned<T>(shared: Arc<T>, change: impl FnOnce(T) -> T) -> Arc<T> {
    match Arc::try_unwrap(shared) {
        Ok(own) => Arc::new(change(own)),
        Err(shared) => shared,
    }
}

/// The adapter of a configured chain, over all its URLs; opens no connection yet.
///
/// # Errors
/// A setting that the adapter refuses.
pub fn build_adapter(config: &ChainConfig) -> Result<FamilyAdapter, WiringError> {
    if let Some(process) = process_config(config) {
        let adapter = ProcessAdapter::new(process).map_err(catenary_api::Error::from)?;
        return Ok(FamilyAdapter::Process(Arc::new(adapter)));
    }
    let urls = config.urls.iter().map(|url| url.expose().to_owned()).collect();
    match &config.adapter {
        AdapterConfig::Evm(evm) => {
            let chain_id = config.chain_id.parse().map_err(|_| {
                let what = format!("chain {}: chain_id {:?} is no decimal number", config.name, config.chain_id);
                WiringError::missing(what, "an EVM chain id is a decimal number (EIP-155)")
            })?;
            let gas_price = match evm.gas_price {
                EvmGasPrice::Fixed { wei } => GasPrice::Fixed { wei },
                EvmGasPrice::Node => GasPrice::Node,
            };
            let fee = match evm.fee {
                EvmFee::Legacy => Fee::Legacy,
                EvmFee::Eip1559 { priority_wei } => Fee::Eip1559 { priority_wei: priority_wei.into() },
            };
            let adapter = EvmAdapter::new(EvmConfig {
                name: config.name.clone(),
                urls,
                chain_id,
                family: config.family,
                validator_contract: evm.validator_contract,
                router: evm.router.map(|router| router.0),
                commitment_slot: evm.commitment_slot.0,
                gas_price,
                gas_price_max_wei: evm.gas_price_max_wei.map(u128::from),
                fee,
                gas_multiplier_percent: evm.gas_multiplier_percent,
                gas_max: evm.gas_max,
                tx_bytes_max: evm.tx_bytes_max,
                confirmations_blocks: evm.confirmations_blocks,
            });
            Ok(FamilyAdapter::Evm(Arc::new(adapter.map_err(catenary_api::Error::from)?)))
        }
        AdapterConfig::Cosmos(cosmos) => {
            let adapter = CosmosAdapter::new(CosmosConfig {
                name: config.name.clone(),
                urls,
                chain_id: config.chain_id.clone(),
                address_prefix: cosmos.address_prefix.clone(),
                fee_denom: cosmos.fee_denom.clone(),
                gas_price: cosmos.gas_price.clone(),
                gas_multiplier_percent: cosmos.gas_multiplier_percent,
                gas_max: cosmos.gas_max,
                tx_bytes_max: cosmos.tx_bytes_max,
                messages_max: cosmos.messages_max,
            });
            Ok(FamilyAdapter::Cosmos(Arc::new(adapter.map_err(catenary_api::Error::from)?)))
        }
    }
}

/// Checks the manifest and the executable of a chain whose adapter has its own process, and says what it is; `None`
/// for an adapter that is built in.
///
/// # Errors
/// The manifest cannot be used, or the executable is not the pinned one.
pub fn check_process(config: &ChainConfig) -> Result<Option<String>, WiringError> {
    let Some(process) = process_config(config) else { return Ok(None) };
    let manifest = catenary_adapter_process::check(&process).map_err(catenary_api::Error::from)?;
    let (name, version, sha256) = (manifest.name, manifest.version, process.sha256);
    Ok(Some(format!("chain {}: adapter {name} {version} runs in its own process, sha256 {sha256}", config.name)))
}

/// What the adapter's own process is started with: the settings of the family's section, and its own over them.
fn process_config(config: &ChainConfig) -> Option<ProcessConfig> {
    let process = config.process.as_ref()?;
    let mut settings = settings_of(config);
    settings.extend(process.settings.clone());
    Some(ProcessConfig {
        chain: config.name.clone(),
        chain_id: config.chain_id.clone(),
        urls: config.urls.iter().map(|url| url.expose().to_owned()).collect(),
        settings: settings.into_iter().collect(),
        manifest: process.manifest.clone(),
        sha256: process.sha256,
        call_deadline_ms: ProcessConfig::CALL_DEADLINE_MS,
    })
}

/// The family's section as text, under the names that it has in the configuration.
fn settings_of(config: &ChainConfig) -> BTreeMap<String, String> {
    let mut rows = match &config.adapter {
        AdapterConfig::Evm(evm) => vec![
            ("router", evm.router.map(|router| router.to_string())),
            ("commitment_slot", Some(evm.commitment_slot.to_string())),
            (
                "gas_price",
                Some(match evm.gas_price {
                    EvmGasPrice::Fixed { wei } => wei.to_string(),
                    EvmGasPrice::Node => "node".to_owned(),
                }),
            ),
            ("gas_price_max_wei", evm.gas_price_max_wei.map(|wei| wei.to_string())),
            (
                "fee",
                Some(match evm.fee {
                    EvmFee::Legacy => "legacy".to_owned(),
                    EvmFee::Eip1559 { .. } => "eip1559".to_owned(),
                }),
            ),
            (
                "priority_fee_wei",
                match evm.fee {
                    EvmFee::Legacy => None,
                    EvmFee::Eip1559 { priority_wei } => Some(priority_wei.to_string()),
                },
            ),
            ("gas_multiplier_percent", Some(evm.gas_multiplier_percent.to_string())),
            ("gas_max", Some(evm.gas_max.to_string())),
            ("tx_bytes_max", Some(evm.tx_bytes_max.to_string())),
            ("confirmations_blocks", Some(evm.confirmations_blocks.to_string())),
            ("validator_contract", evm.validator_contract.map(|contract| Address(contract.address).to_string())),
            ("validator_slot", evm.validator_contract.map(|contract| Hash32(contract.slot).to_string())),
        ],
        AdapterConfig::Cosmos(cosmos) => vec![
            ("address_prefix", Some(cosmos.address_prefix.clone())),
            ("fee_denom", Some(cosmos.fee_denom.clone())),
            ("gas_price", Some(cosmos.gas_price.clone())),
            ("gas_multiplier_percent", Some(cosmos.gas_multiplier_percent.to_string())),
            ("gas_max", Some(cosmos.gas_max.to_string())),
            ("tx_bytes_max", Some(cosmos.tx_bytes_max.to_string())),
            ("messages_max", Some(cosmos.messages_max.to_string())),
        ],
    };
    rows.push(("family", Some(config.family.to_string())));
    rows.into_iter().filter_map(|(key, value)| Some((key.to_owned(), value?))).collect()
}

/// Compares the chain id that the endpoint gives with the configuration's. It finds mistakes; that the chain is the
/// pinned one is for the light client to say.
///
/// # Errors
/// The endpoint failed, or says otherwise.
pub async fn check_chain_id(config: &ChainConfig, adapter: &FamilyAdapter) -> Result<(), WiringError> {
    let identity = adapter.sides().source.identity().await?;
    if identity.chain_id == config.chain_id {
        return Ok(());
    }
    Err(WiringError::Mismatch {
        what: format!("chain {}: chain id", config.name),
        got: identity.chain_id,
        expected: config.chain_id.clone(),
        next: "correct chain_id, or the endpoint",
    })
}

/// Checks that the configured contracts of an EVM chain have code.
///
/// # Errors
/// The endpoint failed, or there is no code.
pub async fn check_contracts(config: &ChainConfig, adapter: &FamilyAdapter) -> Result<(), WiringError> {
    let (AdapterConfig::Evm(evm), FamilyAdapter::Evm(adapter)) = (&config.adapter, adapter) else { return Ok(()) };
    for (what, address) in [("router", evm.router), ("transfer", evm.transfer)] {
        let Some(address) = address else { continue };
        if adapter.code_hash(&address.0).await.map_err(catenary_api::Error::from)?.is_none() {
            return Err(WiringError::Mismatch {
                what: format!("chain {}: {what} {address}", config.name),
                got: "no code".to_owned(),
                expected: "a contract".to_owned(),
                next: "correct the address",
            });
        }
    }
    Ok(())
}

/// What watches a chain.
#[must_use]
pub fn observer_for(
    config: &ChainConfig,
    metrics: &Arc<Metrics>,
    health: &Arc<Health>,
    ledger: Option<Arc<Ledger>>,
) -> Arc<dyn ChainObserver> {
    Arc::new(ChainWatch {
        chain: config.name.clone(),
        family: config.family,
        metrics: metrics.clone(),
        health: health.clone(),
        ledger,
        saved_height: AtomicU64::new(0),
    })
}

/// Connects a chain: its light client comes back from the store when the journal vouches for it, else it starts at
/// the anchor, whose header the endpoint gives and the pinned hash judges.
///
/// # Errors
/// The endpoint failed, or the anchor is not on its chain.
pub async fn connect(
    config: &ChainConfig,
    adapter: &FamilyAdapter,
    ledger: Option<&Arc<Ledger>>,
    observer: Arc<dyn ChainObserver>,
) -> Result<Arc<Chain>, WiringError> {
    let sides = adapter.sides();
    let client = match ledger.map(|ledger| saved(config, ledger)).transpose()?.flatten() {
        Some(client) => client,
        None => anchored(config, &first_update(&sides.source, config).await?)?,
    };
    Ok(Arc::new(Chain::new(chain_options(config), sides, client, observer)))
}

pub(super) fn chain_options(config: &ChainConfig) -> ChainOptions {
    ChainOptions {
        name: config.name.clone(),
        poll_ms: POLL_MS,
        stale_after_seconds: config.stale_after_seconds,
        wait_above_head_ms: WAIT_ABOVE_HEAD_MS,
        skipping: config.skipping,
    }
}

fn refused(rejection: impl Into<Rejection>) -> WiringError {
    WiringError::Prove(ProveError::Refused(rejection.into()))
}

/// A configuration with the anchors that people have set in place of its own.
///
/// # Errors
/// The store failed.
pub fn with_anchors(mut config: Config, ledger: &Ledger) -> Result<Config, WiringError> {
    for chain in &mut config.chains {
        if let Some(set) = ledger.anchor(&chain.name)? {
            chain.anchor = Anchor { height: set.height, hash: set.hash };
        }
    }
    Ok(config)
}

/// The saved light client, if its bytes are what the journal vouches for and it is of this config's instance.
///
/// # Errors
/// The store failed, or the light client refuses what was saved.
pub fn saved(config: &ChainConfig, ledger: &Arc<Ledger>) -> Result<Option<Box<dyn LightClient>>, WiringError> {
    let Some((state, bytes)) = ledger.saved_client(&config.name)? else { return Ok(None) };
    if config.instance().is_none_or(|instance| instance.digest() != state.instance) {
        tracing::warn!(chain = config.name, "the saved light client is of another anchor or router; starting anew");
        return Ok(None);
    }
    let client: Box<dyn LightClient> = match config.family {
        Family::Qbft => {
            let Some(qbft) = config.bft() else { return Ok(None) };
            Box::new(Qbft::restore(qbft, &bytes, &state.digest).map_err(refused)?)
        }
        Family::Ibft2 => {
            let Some(ibft2) = config.bft() else { return Ok(None) };
            Box::new(Ibft2::restore(ibft2, &bytes, &state.digest).map_err(refused)?)
        }
        Family::CometBft => {
            let Some(cometbft) = config.cometbft() else { return Ok(None) };
            Box::new(CometBft::restore(cometbft, &bytes, &state.digest).map_err(refused)?)
        }
        // Has no section in the configuration yet, so no chain is of it.
        Family::Grandpa => return Ok(None),
    };
    Ok(Some(client))
}

pub(super) fn no_header(config: &ChainConfig) -> WiringError {
    let (name, height) = (&config.name, config.anchor.height);
    let what = format!("chain {name}: the endpoint has no header at the anchor height {height}");
    WiringError::missing(what, "use an endpoint that keeps it, or set a newer anchor")
}

pub(super) fn not_deployed(config: &ChainConfig) -> WiringError {
    let what = format!("chain {}: no router is configured", config.name);
    let next = format!("run `catenary chain deploy {}` and configure the addresses it prints", config.name);
    WiringError::missing(what, next)
}

/// The light client at its anchor, from the anchor's header, which the pinned hash judges.
pub(super) fn anchored(config: &ChainConfig, update: &[u8]) -> Result<Box<dyn LightClient>, WiringError> {
    let not_deployed = || not_deployed(config);
    let client: Box<dyn LightClient> = match config.family {
        Family::Qbft => Box::new(Qbft::new(config.bft().ok_or_else(not_deployed)?, update).map_err(refused)?),
        Family::Ibft2 => Box::new(Ibft2::new(config.bft().ok_or_else(not_deployed)?, update).map_err(refused)?),
        Family::CometBft => {
            Box::new(CometBft::new(config.cometbft().ok_or_else(not_deployed)?, update).map_err(refused)?)
        }
        Family::Grandpa => return Err(not_deployed()),
    };
    Ok(client)
}
