//! What a consortium stands between: the two real networks, or devnets in this process, which are there at once and
//! whose blocks come several times a second.

use std::time::Duration;

use catenary_devnet::cometbft::{CometConfig, CometDevnet};
use catenary_devnet::evm::{EvmConfig, EvmDevnet};
use tokio::runtime::Runtime;

use super::{chain_error, ConsortiumOptions, NATIVE};
use crate::localnet::{Account, LocalnetError, Quorum, QuorumOptions, Rpc, Simd, SimdOptions};

/// What each account has on a devnet, of everything there is.
const HOLDINGS: u128 = 1_000_000_000_000_000;
/// What fees would be paid in on the Cosmos devnet; they are zero.
const FEE_DENOM: &str = "stake";

/// The kind of networks to start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NetworkKind {
    /// GoQuorum and ibc-go's `simd`.
    Real,
    /// Devnets of this process.
    Devnets {
        /// Shortest time between two blocks.
        block_interval: Duration,
    },
}

/// Both networks; they end with this value.
#[derive(Debug)]
pub enum Networks {
    /// The real ones.
    Real {
        /// The EVM network.
        quorum: Box<Quorum>,
        /// The Cosmos network.
        simd: Box<Simd>,
    },
    /// Those of this process.
    Devnets {
        /// The EVM network.
        evm: Box<EvmDevnet>,
        /// The Cosmos network.
        cosmos: Box<CometDevnet>,
        /// A small client of each.
        rpcs: [Rpc; 2],
    },
}

impl Networks {
    /// Starts both, with money for the accounts. Devnets live in the runtime.
    pub(super) fn start(
        options: &ConsortiumOptions,
        accounts: Vec<Account>,
        runtime: &Runtime,
    ) -> Result<Self, LocalnetError> {
        match options.networks {
            NetworkKind::Real => {
                (options.progress)("starting 4 QBFT validators and the ibc-go chain");
                let quorum_options = QuorumOptions { accounts: accounts.clone(), ..QuorumOptions::default() };
                let quorum = Box::new(Quorum::start(quorum_options)?);
                let validators = options.simd_validators;
                let simd = Box::new(Simd::start(SimdOptions { validators, accounts, ..SimdOptions::default() })?);
                Ok(Self::Real { quorum, simd })
            }
            NetworkKind::Devnets { block_interval } => {
                (options.progress)("starting a QBFT and a CometBFT devnet");
                runtime.block_on(devnets(block_interval, &accounts))
            }
        }
    }

    /// Endpoints on both chains for who asks as number `index`; each validator answers for itself, where there are
    /// several.
    pub(super) fn urls(&self, index: usize) -> [String; 2] {
        match self {
            Self::Real { quorum, simd } => {
                let url = |urls: Vec<String>| urls[index % urls.len()].clone();
                [url(quorum.rpc_urls()), url(simd.rpc_urls())]
            }
            Self::Devnets { evm, cosmos, .. } => [evm.url(), cosmos.url()],
        }
    }

    /// Chain ids, as the configuration has them.
    pub(super) fn chain_ids(&self) -> [String; 2] {
        match self {
            Self::Real { quorum, simd } => [quorum.options.chain_id.to_string(), simd.options.chain_id.clone()],
            Self::Devnets { evm, .. } => [evm.chain_id().to_string(), CometConfig::default().chain_id],
        }
    }

    /// A small client of one chain, by its place.
    pub(super) fn rpc(&self, chain: usize) -> &Rpc {
        match self {
            Self::Real { quorum, simd } => [quorum.rpc(0), simd.rpc(0)][chain],
            Self::Devnets { rpcs, .. } => &rpcs[chain],
        }
    }
}

async fn devnets(block_interval: Duration, accounts: &[Account]) -> Result<Networks, LocalnetError> {
    let block_interval = Some(block_interval);
    let evm = EvmDevnet::start(EvmConfig {
        block_interval,
        funded: accounts.iter().map(|account| (account.evm_address, HOLDINGS)).collect(),
        ..EvmConfig::default()
    });
    let coin = |account: &Account, denom: &str| (account.cosmos_address.clone(), denom.to_owned(), HOLDINGS);
    let cosmos = CometDevnet::start(CometConfig {
        block_interval,
        funded: accounts.iter().flat_map(|account| [coin(account, FEE_DENOM), coin(account, NATIVE)]).collect(),
        ..CometConfig::default()
    });
    let evm = Box::new(evm.await.map_err(chain_error)?);
    let cosmos = Box::new(cosmos.await.map_err(chain_error)?);
    let rpcs = [Rpc::new(evm.url()), Rpc::new(cosmos.url())];
    Ok(Networks::Devnets { evm, cosmos, rpcs })
}
