//! Three operators between two networks, real ones or devnets, as a test or a person who watches needs them.
//!
//! [`Consortium::start`] does what a real consortium does, with the `catenary` program itself: deploys the contracts,
//! makes and imports keys, pins anchors, creates the path, checks, and runs three nodes. Users then move value
//! ([`Asset`], [`Order`]); what happened is read from the chains ([`Trail`], [`Deliveries`], [`Book`]), never from the
//! members' own words, which are used only to know when to look.
//!
//! Everything dies with the value, also on a panic; the logs stay then.

mod binary;
mod books;
mod config;
mod deliveries;
mod moves;
mod networks;
mod operator;
mod setup;
mod stranger;
mod table;
mod trail;

use std::path::PathBuf;
use std::time::Duration;

use catenary_adapter_cosmos::CosmosAdapter;
use catenary_adapter_evm::EvmAdapter;
use serde_json::Value;

pub use binary::catenary;
pub use books::Book;
pub use config::{Clients, CHAINS, MEMBERS, PATH};
pub use deliveries::{Deliveries, Delivery, Kind};
pub use moves::{Asset, Order, Sending};
pub use networks::{NetworkKind, Networks};
pub use operator::{Operator, Readiness};
pub use stranger::stranger;
pub use table::render as render_table;
pub use trail::{unix_ms, End, Passage, Seen, Trail};

use crate::localnet::workdir::Workdir;
use crate::localnet::{wait_until, Account, LocalnetError, Quorum, Simd};

/// The Cosmos chain's denomination that is moved.
pub const NATIVE: &str = "atoken";

/// What to start.
#[derive(Clone, Debug)]
pub struct ConsortiumOptions {
    /// What they stand between.
    pub networks: NetworkKind,
    /// Validators of the real Cosmos chain.
    pub simd_validators: usize,
    /// Destination blocks before the next in turn sends; the node's default when left out.
    pub turn_delay_blocks: Option<u64>,
    /// Sequences in a row that share a leader; the node's default when left out.
    pub turn_bucket_sequences: Option<u64>,
    /// Packets in one attestation; the node's default when left out.
    pub attestation_chunk: Option<u64>,
    /// Whether alpha reaches both chains through proxies that can lie.
    pub proxied: bool,
    /// Told of each step.
    pub progress: fn(&str),
}

impl Default for ConsortiumOptions {
    fn default() -> Self {
        Self {
            networks: NetworkKind::Real,
            simd_validators: 1,
            turn_delay_blocks: None,
            turn_bucket_sequences: None,
            attestation_chunk: None,
            proxied: false,
            progress: |step| eprintln!("consortium: {step}"),
        }
    }
}

/// Two networks, three members and two users; all processes die with it.
#[derive(Debug)]
pub struct Consortium {
    // Before the networks, so that no member sees them go.
    /// The members, in the order of [`MEMBERS`].
    pub operators: Vec<Operator>,
    /// The clients of the path.
    pub clients: Clients,
    /// Proxies between alpha and the two chains, when they were asked for.
    pub proxies: Vec<crate::proxy::Proxy>,
    evm: EvmAdapter,
    cosmos: CosmosAdapter,
    evm_user: Account,
    cosmos_user: Account,
    router: [u8; 20],
    app: [u8; 20],
    token: [u8; 20],
    trail: Trail,
    /// Heights at which the members began: nothing of interest is before.
    started_at: [u64; 2],
    shared: config::Shared,
    networks: Networks,
    // After the networks, which may live in it.
    runtime: tokio::runtime::Runtime,
    dir: Workdir,
}

impl Consortium {
    /// The user who sends from the EVM chain.
    #[must_use]
    pub const fn evm_user(&self) -> &Account {
        &self.evm_user
    }

    /// The user who sends from the Cosmos chain.
    #[must_use]
    pub const fn cosmos_user(&self) -> &Account {
        &self.cosmos_user
    }

    /// The ERC-20 that is moved, as `0x…`.
    #[must_use]
    pub fn token(&self) -> String {
        format!("0x{}", hex::encode(self.token))
    }

    /// The real EVM network, where there is one.
    #[must_use]
    pub fn quorum(&self) -> Option<&Quorum> {
        match &self.networks {
            Networks::Real { quorum, .. } => Some(quorum),
            Networks::Devnets { .. } => None,
        }
    }

    /// The EVM devnet, where there is one.
    #[must_use]
    pub fn evm_devnet(&self) -> Option<&catenary_devnet::evm::EvmDevnet> {
        match &self.networks {
            Networks::Real { .. } => None,
            Networks::Devnets { evm, .. } => Some(evm),
        }
    }

    /// The real Cosmos network, where there is one.
    #[must_use]
    pub fn simd(&self) -> Option<&Simd> {
        match &self.networks {
            Networks::Real { simd, .. } => Some(simd),
            Networks::Devnets { .. } => None,
        }
    }

    /// An endpoint of each chain, for other tools.
    #[must_use]
    pub fn urls(&self) -> [String; 2] {
        self.networks.urls(0)
    }

    /// The folder of configurations, keys and logs.
    #[must_use]
    pub fn folder(&self) -> PathBuf {
        self.dir.path().to_owned()
    }

    /// Polls the running members until one of them says that all the packets have ended, and gives how:
    /// `acknowledged` or `refunded`.
    ///
    /// # Errors
    /// When a member died, or a packet did not end in time: the error names it, where it stands, and the logs' ends.
    pub fn wait_ended(&self, keys: &[String], deadline: Duration) -> Result<Vec<String>, LocalnetError> {
        let all: Vec<usize> = (0..self.operators.len()).collect();
        self.wait_ended_at(&all, keys, deadline)
    }

    /// As [`Consortium::wait_ended`], asking only some members.
    ///
    /// # Errors
    /// As [`Consortium::wait_ended`].
    pub fn wait_ended_at(
        &self,
        members: &[usize],
        keys: &[String],
        deadline: Duration,
    ) -> Result<Vec<String>, LocalnetError> {
        let mut open: Vec<String> = Vec::new();
        wait_until(&format!("the end of {} packets", keys.len()), deadline, || {
            self.operators.iter().try_for_each(Operator::check)?;
            for operator in members.iter().map(|member| &self.operators[*member]).filter(|operator| operator.is_up()) {
                // One that is starting does not answer yet.
                let Ok(packets) = operator.packets() else { continue };
                let stages: Vec<String> = keys.iter().map(|key| stage(&packets, key)).collect();
                if stages.iter().all(|stage| ended(stage)) {
                    return Ok(Some(stages));
                }
                let told = keys.iter().zip(stages).filter(|(_, stage)| !ended(stage));
                open = told.map(|(key, stage)| format!("{key} {stage} at {}", operator.id)).collect();
            }
            Ok(None)
        })
        .map_err(|error| {
            error.with_detail(|| {
                let words: String = self.operators.iter().map(Operator::last_words).collect();
                format!("; open: {}\n{words}", open.join(", "))
            })
        })
    }

    /// Waits until every running member is ready.
    ///
    /// # Errors
    /// As [`Operator::wait_ready`].
    pub fn wait_ready(&self, deadline: Duration) -> Result<(), LocalnetError> {
        self.operators.iter().filter(|operator| operator.is_up()).try_for_each(|operator| operator.wait_ready(deadline))
    }
}

fn stage(packets: &[Value], key: &str) -> String {
    let found = packets.iter().find(|packet| packet["key"] == key);
    found.and_then(|packet| packet["stage"].as_str()).unwrap_or("unknown").to_owned()
}

fn ended(stage: &str) -> bool {
    matches!(stage, "acknowledged" | "refunded")
}

/// Seconds since 1970.
fn now_seconds() -> u64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    since.map(|since| since.as_secs()).unwrap_or_default()
}

/// What an adapter or a chain refused.
fn chain_error(error: impl std::fmt::Display) -> LocalnetError {
    LocalnetError::answer("a chain", error)
}
