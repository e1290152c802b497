//! The configuration, parsed: whoever holds a [`Config`] need not check a field again.

use std::collections::BTreeMap;
use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;

use catenary_light_clients::bft::ValidatorContract;
use catenary_light_clients::{Address, Anchor, Family, Hash32, InstanceId, TrustOptions};

use crate::keystore::PassphraseSource;

/// What a node runs by.
#[derive(Clone, Debug)]
pub struct Config {
    /// This node's operator.
    pub operator: String,
    /// Where journal and store are.
    pub data_dir: PathBuf,
    /// Metrics, health, logs.
    pub telemetry: Telemetry,
    /// Keys.
    pub keystore: KeystoreConfig,
    /// This node's certificate, for members that are not on this machine.
    pub tls: Option<NodeTls>,
    /// Settings of the engine.
    pub limits: Limits,
    /// Chains.
    pub chains: Vec<Chain>,
    /// Members, this node among them.
    pub operators: Vec<Operator>,
    /// Paths.
    pub paths: Vec<PathConfig>,
    pub(super) digest: Hash32,
}

/// Metrics, health, logs.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Telemetry {
    /// Where `/metrics`, `/livez` and `/readyz` are served; loopback.
    pub listen: SocketAddr,
    /// Filter directives of the log, such as `info` or `catenary_node=debug`.
    pub log: String,
    /// How log lines look.
    pub log_format: LogFormat,
}

/// How log lines look.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

/// Where keys are, and what opens them.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct KeystoreConfig {
    /// Directory.
    pub dir: PathBuf,
    /// Where the passphrase comes from.
    pub passphrase: PassphraseSource,
}

/// This node's certificate.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct NodeTls {
    /// Certificate chain in PEM, leaf first.
    pub certificate_file: PathBuf,
    /// Private key in PEM.
    pub private_key_file: PathBuf,
}

/// Settings of the engine; everything else that is bounded is a constant.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Limits {
    /// A packet whose timeout is nearer than this is not delivered any more, in seconds.
    pub recv_margin_seconds: u64,
    /// Sequences in a row that share a leader.
    pub turn_bucket_sequences: u64,
    /// How long a packet stays in the working state after it has ended, in seconds.
    pub retain_closed_seconds: u64,
    /// How long segments of the journal stay once a checkpoint stands for them, in seconds; `None` for ever.
    pub journal_keep_seconds: Option<u64>,
    /// A segment of the journal that has grown so far is followed by a new one.
    pub journal_segment_bytes: u64,
    /// How often both chains are asked what events did not tell, in seconds.
    pub sweep_every_seconds: u64,
}

/// An endpoint's URL. It may carry credentials when it comes from a variable, so only [`Endpoint::expose`] gives it
/// whole.
#[derive(Clone, PartialEq, Eq)]
pub struct Endpoint(pub(super) String);

impl Endpoint {
    /// The URL, for the transport and nothing else.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Endpoint {
    /// Scheme and host only.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (scheme, rest) = self.0.split_once("://").unwrap_or(("", ""));
        let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
        let host = authority.rsplit('@').next().unwrap_or_default();
        write!(f, "{scheme}://{host}")
    }
}

impl fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A connected chain.
#[derive(Clone, Debug)]
pub struct Chain {
    /// Name.
    pub name: String,
    /// Consensus family.
    pub family: Family,
    /// Chain id, as the family writes it (EVM: decimal).
    pub chain_id: String,
    /// Endpoints in order of preference; at least one.
    pub urls: Vec<Endpoint>,
    /// Keys that pay, each path by one of them; none on a node that only attests.
    pub transaction_keys: Vec<String>,
    /// WebSocket endpoints whose blocks wake the follower; may be empty.
    pub ws_urls: Vec<Endpoint>,
    /// Most requests a second to each endpoint; `None` for no bound.
    pub requests_per_second_max: Option<u32>,
    /// Attestor key and where its service listens; none on a node that only relays.
    pub attestor: Option<AttestorService>,
    /// Where trust starts.
    pub anchor: Anchor,
    /// Limits of trust.
    pub trust: TrustOptions,
    /// Whether headers may be skipped.
    pub skipping: bool,
    /// A head that is older than this is stale, in seconds.
    pub stale_after_seconds: u64,
    /// What the adapter needs.
    pub adapter: AdapterConfig,
    /// The adapter's own process; `None` for one that is built in.
    pub process: Option<Process>,
}

/// An adapter in its own process.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Process {
    /// Its manifest.
    pub manifest: PathBuf,
    /// SHA-256 that its executable must have.
    pub sha256: Hash32,
    /// Its own settings, beside those of the family's section.
    pub settings: BTreeMap<String, String>,
}

/// This node's attestation service for a chain.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct AttestorService {
    /// Key.
    pub key: String,
    /// Where it listens; loopback unless the node has a certificate.
    pub listen: SocketAddr,
}

/// What a chain's adapter needs.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum AdapterConfig {
    /// An EVM chain.
    Evm(Evm),
    /// A Cosmos chain.
    Cosmos(Cosmos),
}

/// What a unit of gas costs.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum EvmGasPrice {
    /// Always this many wei.
    Fixed {
        /// Wei a unit of gas.
        wei: u128,
    },
    /// What the node suggests.
    Node,
}

/// How EVM transactions pay for their gas.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum EvmFee {
    /// One price, as every fork takes it.
    Legacy,
    /// The base fee and a tip (EIP-1559).
    Eip1559 {
        /// Tip for the proposer, in wei a unit of gas.
        priority_wei: u64,
    },
}

/// When an EVM transaction that no block takes is replaced by the same one at a higher price.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Replacing {
    /// After this long without a receipt, in seconds.
    pub after_seconds: u64,
    /// Most replacements of one transaction.
    pub most: u32,
}

/// Settings of an EVM chain.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Evm {
    /// The router; `None` until it is deployed.
    pub router: Option<Address>,
    /// The transfer application; `None` until it is deployed.
    pub transfer: Option<Address>,
    /// Base slot of the router's commitments.
    pub commitment_slot: Hash32,
    /// The contract that keeps the validators (QBFT in contract mode); none when headers list them.
    pub validator_contract: Option<ValidatorContract>,
    /// Gas price.
    pub gas_price: EvmGasPrice,
    /// Most wei a unit of gas; `None` only where the price is fixed, and then nothing is replaced.
    pub gas_price_max_wei: Option<u64>,
    /// How transactions pay.
    pub fee: EvmFee,
    /// When transactions are replaced.
    pub replacing: Replacing,
    /// Gas limit in percent of the estimate.
    pub gas_multiplier_percent: u64,
    /// Most gas of a transaction.
    pub gas_max: u64,
    /// Most bytes of a transaction.
    pub tx_bytes_max: usize,
    /// Blocks that must follow before a block is final.
    pub confirmations_blocks: u64,
}

/// Settings of a Cosmos chain.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Cosmos {
    /// Human-readable part of addresses.
    pub address_prefix: String,
    /// Denomination of fees.
    pub fee_denom: String,
    /// Price of a unit of gas, decimal.
    pub gas_price: String,
    /// Gas limit in percent of the simulated gas.
    pub gas_multiplier_percent: u64,
    /// Most gas of a transaction.
    pub gas_max: u64,
    /// Most bytes of a transaction.
    pub tx_bytes_max: usize,
    /// Most messages of a transaction.
    pub messages_max: usize,
    /// Name of the commitments' store, and what keys begin with in it.
    pub store_prefix: Vec<String>,
}

/// A member.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Operator {
    /// Name.
    pub id: String,
    /// Its attestors, by the chain that they attest.
    pub attestors: Vec<Attestor>,
}

/// A member's attestor of one chain.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Attestor {
    /// The member.
    pub operator: String,
    /// The attested chain.
    pub chain: String,
    /// Where it is asked.
    pub url: String,
    /// The address that on-chain clients know it by.
    pub address: Address,
    /// How it is recognised; none on loopback.
    pub tls: Option<PeerTls>,
}

/// How a member is recognised.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PeerTls {
    /// SHA-256 of its leaf certificate's DER.
    pub certificate_sha256: Hash32,
    /// Its certificate or its issuer's, in PEM.
    pub ca_file: PathBuf,
    /// Name in its certificate.
    pub server_name: String,
}

/// A path.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PathConfig {
    /// Name.
    pub name: String,
    /// Operators that relay on it, sorted.
    pub operators: Vec<String>,
    /// Blocks of the destination that a rank waits for the one before it.
    pub turn_delay_blocks: u64,
    /// Most packets in one attestation.
    pub attestation_chunk: usize,
    /// Most messages of one transaction.
    pub batch_messages_max: usize,
    /// Whether misbehaviour of a chain is shown to the on-chain client that judges it natively, which freezes it.
    pub submit_misbehaviour: bool,
    /// One end.
    pub a: Side,
    /// The other end.
    pub b: Side,
}

/// Whom an on-chain client believes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ClientKind {
    /// Enough of the members.
    Attested,
    /// The judged chain's own validators.
    Native,
}

impl ClientKind {
    /// The name used in the configuration.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Attested => "attested",
            Self::Native => "native",
        }
    }
}

/// An end of a path: a chain, and the on-chain client there that judges the other end.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Side {
    /// Chain.
    pub chain: String,
    /// On-chain client; `None` until the path is created.
    pub client: Option<String>,
    /// Whom the client believes.
    pub client_kind: ClientKind,
    /// EVM: the light client's contract; `None` until the path is created.
    pub light_client: Option<Address>,
    /// EVM: hash of that contract's code.
    pub light_client_code_hash: Option<Hash32>,
    /// The client's attestors: they attest the *other* end's chain.
    pub attestors: Vec<Attestor>,
    /// Signatures that the client requires.
    pub threshold: usize,
}

impl Side {
    /// Addresses of the attestors, in order.
    #[must_use]
    pub fn attestor_addresses(&self) -> Vec<[u8; 20]> {
        self.attestors.iter().map(|attestor| attestor.address.0).collect()
    }
}

impl Chain {
    /// The light-client instance of this configuration, which attestor keys are bound to; `None` while the router is
    /// not deployed, since the place of the commitments is part of it.
    #[must_use]
    pub fn instance(&self) -> Option<InstanceId> {
        match &self.adapter {
            AdapterConfig::Evm(_) => Some(self.bft()?.instance(self.family)),
            AdapterConfig::Cosmos(_) => Some(self.cometbft()?.instance()),
        }
    }

    /// The light client's configuration, when the family is CometBFT.
    #[must_use]
    pub fn cometbft(&self) -> Option<catenary_light_clients::cometbft::Config> {
        let AdapterConfig::Cosmos(cosmos) = &self.adapter else { return None };
        Some(catenary_light_clients::cometbft::Config {
            chain_id: self.chain_id.clone(),
            anchor: self.anchor.clone(),
            store_prefix: cosmos.store_prefix.iter().map(|part| part.clone().into_bytes()).collect(),
            trust: self.trust,
            skipping: self.skipping,
        })
    }

    /// The light client's configuration, when the family is QBFT or IBFT 2.0 and the router is deployed.
    #[must_use]
    pub fn bft(&self) -> Option<catenary_light_clients::bft::Config> {
        let AdapterConfig::Evm(evm) = &self.adapter else { return None };
        Some(catenary_light_clients::bft::Config {
            chain_id: self.chain_id.clone(),
            anchor: self.anchor.clone(),
            router: evm.router?.0,
            commitment_slot: evm.commitment_slot.0,
            trust: self.trust,
            skipping: self.skipping,
            validator_contract: evm.validator_contract,
        })
    }
}

impl Config {
    /// SHA-256 of the effective configuration, without the values of variables: two nodes or two starts that run by
    /// the same file, variables and flags have the same one.
    #[must_use]
    pub const fn digest(&self) -> Hash32 {
        self.digest
    }

    /// A chain by name.
    #[must_use]
    pub fn chain(&self, name: &str) -> Option<&Chain> {
        self.chains.iter().find(|chain| chain.name == name)
    }

    /// A path by name.
    #[must_use]
    pub fn path(&self, name: &str) -> Option<&PathConfig> {
        self.paths.iter().find(|path| path.name == name)
    }

    /// Names of all keys that this node uses.
    #[must_use]
    pub fn key_ids(&self) -> Vec<catenary_api::KeyId> {
        let mut ids = Vec::new();
        for chain in &self.chains {
            let attestor = chain.attestor.as_ref().map(|attestor| attestor.key.clone());
            ids.extend(chain.transaction_keys.iter().cloned().chain(attestor).map(catenary_api::KeyId));
        }
        ids
    }
}
