//! What network to start.

use std::time::Duration;

/// Most validators: what the light client looks at is more, but each signs every block here.
pub const VALIDATORS_MAX: usize = 128;
/// Power of a validator unless it is changed.
pub const POWER_DEFAULT: u64 = 10;

/// Where the chain's time comes from.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Clock {
    /// The machine's clock.
    Wall,
    /// A clock of the chain's own: every run gives the same blocks.
    Stepped {
        /// Time of the first block, in seconds since 1970.
        start_seconds: u64,
        /// Time between two blocks.
        step: Duration,
    },
}

/// A network.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CometConfig {
    /// Chain id, 1 to 50 bytes.
    pub chain_id: String,
    /// What the validators' keys follow from.
    pub seed: u64,
    /// How many validators, of equal power.
    pub validators: usize,
    /// Time between two blocks; `None` makes blocks on demand only.
    pub block_interval: Option<Duration>,
    /// Address, denomination and amount of what exists at the start.
    pub funded: Vec<(String, String, u128)>,
    /// Human-readable part of addresses.
    pub address_prefix: String,
    /// Denomination of fees.
    pub fee_denom: String,
    /// Least price of a unit of gas, in millionths of the fee's base unit; 0 takes transactions without a fee.
    pub gas_price_micros_min: u64,
    /// Where time comes from.
    pub clock: Clock,
    /// Blocks that are kept; older ones are pruned.
    pub retain_blocks: u64,
    /// States that are kept for queries; older ones are pruned.
    pub retain_states: u64,
}

impl Default for CometConfig {
    fn default() -> Self {
        Self {
            chain_id: "devnet-cosmos-1".to_owned(),
            seed: 1,
            validators: 4,
            block_interval: Some(Duration::from_millis(200)),
            funded: Vec::new(),
            address_prefix: "cosmos".to_owned(),
            fee_denom: "stake".to_owned(),
            gas_price_micros_min: 0,
            clock: Clock::Wall,
            retain_blocks: 50_000,
            retain_states: 10_000,
        }
    }
}
