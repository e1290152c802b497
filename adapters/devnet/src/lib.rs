//! Devnets: chains that live in this process, with real consensus cryptography, served on loopback over the real wire.
//!
//! The unchanged adapters talk to them, and the light clients judge them as they judge any chain. They serve the demo,
//! and, told to misbehave, they are the adversaries that light clients, adapters and the engine are tested against.
//! They are no ledgers for anybody's value: their keys follow from a seed, and nothing is kept.
//!
//! An EVM network, started, used, made Byzantine and ended (`evm`; the CometBFT one, `cometbft`, is used alike):
//!
//! ```no_run
//! # #[cfg(feature = "evm")]
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! use catenary_devnet::evm::{Branch, EvmConfig, EvmDevnet, EvmFault};
//! use catenary_devnet::fault::{lies, Change, Lies};
//!
//! // Four validators that agree by QBFT, a block every 200 ms while transactions wait, and one rich account.
//! let devnet = EvmDevnet::start(EvmConfig { funded: vec![([7; 20], 1 << 90)], ..EvmConfig::default() }).await?;
//! println!("{} and {}", devnet.url(), devnet.ws_url());
//! devnet.mine(1).await?;
//!
//! // A second endpoint that lies about one field, and a third that shows the second chain of an equivocation.
//! let liar = devnet.endpoint(Lies::of(lies::change("eth_getBlockByNumber", "/stateRoot", Change::Flip))).await?;
//! let other = devnet.endpoint_on(Branch::Other, Lies::default()).await?;
//! devnet.fault(EvmFault::Equivocation).await;
//! devnet.mine(2).await?;
//! devnet.heal();
//! liar.lies().tell_truth();
//! other.close().await;
//! devnet.shutdown().await;
//! # Ok(())
//! # }
//! ```
//!
//! For tests that own the time: `block_interval: None` makes blocks on demand only, `time_start: Some(t)` gives block 1
//! the time `t` and each further one a second more, and `pass_seconds` lets deadlines pass.
//!
//! [`wire`] serves any chain on loopback ports, and [`fault`] lies there: about any field of any answer, at run time,
//! differently on each endpoint.

#[cfg(feature = "cometbft")]
pub mod cometbft;
#[cfg(feature = "evm")]
pub mod evm;
pub mod fault;
pub mod platform;
pub mod wire;
