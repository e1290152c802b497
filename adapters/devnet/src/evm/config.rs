//! What a devnet is made of.

use std::time::Duration;

use catenary_light_clients::Class;
use thiserror::Error;

use super::consensus::{ConsensusKind, VALIDATORS_MAX};
use super::fork::Fork;
use crate::wire::WireError;

/// The gas limit of a block: that of GoQuorum's example networks (0xe0000000).
pub const BLOCK_GAS_LIMIT: u64 = 0xe000_0000;
/// Most bytes of one transaction: geth's bound (128 KiB). GoQuorum's default is half of that.
pub const TX_BYTES_MAX: usize = 128 * 1024;
/// How far a chain's time may run ahead of the clock, in seconds: half of the drift that the light clients forgive.
pub const SECONDS_AHEAD_MAX: u64 = 5;
/// States that are kept for proofs and calls; the attestors serve 10,000 heights.
pub const RETAINED_STATES: usize = 10_000;

/// What the gas of a block costs at least, from London on.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum BaseFee {
    /// Nothing, as in permissioned networks (Besu's `zeroBaseFee`).
    #[default]
    Zero,
    /// The rule of EIP-1559, from one gwei on.
    Market,
}

/// An EVM devnet.
#[derive(Clone, Debug)]
pub struct EvmConfig {
    /// EIP-155 chain id.
    pub chain_id: u64,
    /// All keys follow from it.
    pub seed: u64,
    /// How many validators.
    pub validators: usize,
    /// Rules of the EVM.
    pub fork: Fork,
    /// How the network agrees.
    pub consensus: ConsensusKind,
    /// The shortest time between two blocks while transactions wait; `None` for blocks on demand only
    /// ([`EvmDevnet::mine`](super::EvmDevnet::mine)).
    pub block_interval: Option<Duration>,
    /// The time between two blocks while nothing waits. Longer than a second, so that a chain whose time ran ahead
    /// falls back to the clock.
    pub empty_block_interval: Duration,
    /// Accounts that have ether from the start, in wei.
    pub funded: Vec<([u8; 20], u128)>,
    /// Gas limit of a block.
    pub gas_limit: u64,
    /// What gas costs at least.
    pub base_fee: BaseFee,
    /// The time of block 1, in seconds since 1970; each further block is a second later, and the clock is not read.
    /// `None` to follow the clock.
    pub time_start: Option<u64>,
    /// Most bytes of one transaction.
    pub tx_bytes_max: usize,
    /// States that are kept for proofs and calls, the newest first.
    pub retained_states: usize,
}

impl Default for EvmConfig {
    fn default() -> Self {
        Self {
            chain_id: 1_337,
            seed: 1,
            validators: 4,
            fork: Fork::Berlin,
            consensus: ConsensusKind::Qbft,
            block_interval: Some(Duration::from_millis(200)),
            empty_block_interval: Duration::from_secs(2),
            funded: Vec::new(),
            gas_limit: BLOCK_GAS_LIMIT,
            base_fee: BaseFee::Zero,
            time_start: None,
            tx_bytes_max: TX_BYTES_MAX,
            retained_states: RETAINED_STATES,
        }
    }
}

impl EvmConfig {
    /// Checks the configuration.
    ///
    /// # Errors
    /// [`DevnetError::Config`].
    pub fn validate(&self) -> Result<(), DevnetError> {
        let refuse = |reason: String| Err(DevnetError::Config { reason });
        if self.validators == 0 || self.validators > VALIDATORS_MAX {
            return refuse(format!("validators is {}, 1 to {VALIDATORS_MAX} are possible", self.validators));
        }
        // v = recovery id + 35 + 2 · chain id must fit (EIP-155).
        if self.chain_id == 0 || self.chain_id > (u64::MAX - 36) / 2 {
            return refuse(format!("chain_id {} cannot sign transactions (EIP-155)", self.chain_id));
        }
        if self.gas_limit < 21_000 {
            return refuse(format!("gas_limit is {}, below the 21000 of one transaction", self.gas_limit));
        }
        if self.retained_states == 0 {
            return refuse("retained_states is 0, and the newest state is needed for the next block".to_owned());
        }
        Ok(())
    }
}

/// Why a devnet does not do what it is asked for.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum DevnetError {
    /// A configuration that cannot work.
    #[error("configuration of the EVM devnet: {reason}")]
    Config {
        /// What is wrong.
        reason: String,
    },
    /// An endpoint could not be opened.
    #[error(transparent)]
    Wire(#[from] WireError),
    /// Too few validators are left to seal a block.
    #[error("block {height} cannot be sealed: too many of the validators have stopped; heal the network")]
    Stalled {
        /// The block that is missing.
        height: u64,
    },
    /// The chain did not come to a height in time.
    #[error("the chain is at height {height} after {seconds} s, waited for was {wanted}")]
    NoProgress {
        /// Its height.
        height: u64,
        /// The height waited for.
        wanted: u64,
        /// How long was waited.
        seconds: u64,
    },
    /// A task of the devnet ended by a bug.
    #[error("a task of the devnet ended early")]
    Task,
}

impl DevnetError {
    /// The stable code.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Config { .. } => "DEV-EVM-001",
            Self::Wire(_) => "DEV-EVM-002",
            Self::Stalled { .. } => "DEV-EVM-003",
            Self::NoProgress { .. } => "DEV-EVM-004",
            Self::Task => "DEV-EVM-005",
        }
    }

    /// What may be done about it.
    #[must_use]
    pub const fn class(&self) -> Class {
        match self {
            Self::Config { .. } => Class::Config,
            Self::Wire(_) | Self::Stalled { .. } | Self::NoProgress { .. } => Class::Transient,
            Self::Task => Class::Bug,
        }
    }
}
