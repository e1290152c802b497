//! The two networks, and an endpoint of its own on each for every operator.

use std::time::Duration;

use catenary_devnet::cometbft::{CometConfig, CometDevnet};
use catenary_devnet::evm::{EvmConfig, EvmDevnet};
use catenary_devnet::fault::Lies;
use catenary_devnet::wire::Endpoint;

use super::config::{FEE_DENOM, OPERATORS, PREFIX};
use crate::cli::output::Failure;

/// What each account has on the EVM chain, in wei: a thousand ether, of which nothing is needed.
const WEI: u128 = 1_000_000_000_000_000_000_000;
/// What each account has of the Cosmos chain's fee denomination.
const FEES: u128 = 1_000_000_000_000;
/// Chain id of the Cosmos network; the demo has no clock to derive one from, and needs none.
const COSMOS_CHAIN_ID: &str = "demo-cosmos-1";

/// What both networks start with.
#[derive(Debug)]
pub(super) struct Genesis {
    pub(super) seed: u64,
    pub(super) block_interval: Duration,
    /// Accounts on the EVM chain.
    pub(super) evm_accounts: Vec<[u8; 20]>,
    /// Accounts on the Cosmos chain.
    pub(super) cosmos_accounts: Vec<String>,
    /// Who holds the Cosmos chain's money, and how much.
    pub(super) money: Vec<(String, String, u128)>,
}

/// Both networks; they end with this value.
#[derive(Debug)]
pub(super) struct Networks {
    pub(super) evm: EvmDevnet,
    pub(super) cosmos: CometDevnet,
    /// Of each operator, on each chain.
    pub(super) endpoints: Vec<[Endpoint; 2]>,
}

impl Networks {
    /// Starts both.
    pub(super) async fn start(genesis: Genesis) -> Result<Self, Failure> {
        let evm = EvmDevnet::start(EvmConfig {
            seed: genesis.seed,
            block_interval: Some(genesis.block_interval),
            funded: genesis.evm_accounts.into_iter().map(|account| (account, WEI)).collect(),
            ..EvmConfig::default()
        });
        let fees = genesis.cosmos_accounts.into_iter().map(|account| (account, FEE_DENOM.to_owned(), FEES));
        let cosmos = CometDevnet::start(CometConfig {
            chain_id: COSMOS_CHAIN_ID.to_owned(),
            seed: genesis.seed,
            block_interval: Some(genesis.block_interval),
            funded: fees.chain(genesis.money).collect(),
            address_prefix: PREFIX.to_owned(),
            fee_denom: FEE_DENOM.to_owned(),
            ..CometConfig::default()
        });
        let (evm, cosmos) = (evm.await.map_err(failed)?, cosmos.await.map_err(failed)?);
        let mut endpoints = Vec::new();
        for _ in OPERATORS {
            let on_evm = evm.endpoint(Lies::default()).await.map_err(failed)?;
            let on_cosmos = cosmos.endpoint(Lies::default()).await.map_err(failed)?;
            endpoints.push([on_evm, on_cosmos]);
        }
        Ok(Self { evm, cosmos, endpoints })
    }

    /// Chain ids as the configuration has them.
    pub(super) fn chain_ids(&self) -> [String; 2] {
        [self.evm.chain_id().to_string(), COSMOS_CHAIN_ID.to_owned()]
    }

    /// Endpoints of an operator.
    pub(super) fn urls_of(&self, operator: usize) -> [String; 2] {
        self.endpoints.get(operator).map_or_else(|| self.urls(), |endpoints| [0, 1].map(|chain| endpoints[chain].url()))
    }

    /// The networks' own endpoints, for other tools.
    pub(super) fn urls(&self) -> [String; 2] {
        [self.evm.url(), self.cosmos.url()]
    }

    /// Ends both and waits until their ports are closed.
    pub(super) async fn close(self) {
        let Self { evm, cosmos, endpoints } = self;
        for endpoint in endpoints.into_iter().flatten() {
            endpoint.close().await;
        }
        evm.shutdown().await;
        cosmos.shutdown().await;
    }
}

/// A network that does not start, or does not do what it is asked for.
pub(super) fn failed(error: impl std::fmt::Display) -> Failure {
    Failure::new("NODE-DEMO-008", format!("a network of the demo failed: {error}"))
}
