//! QBFT as an on-chain client: headers sealed by a quorum of the chain's validators, and proofs of `eth_getProof`.

use alloc::{boxed::Box, format, string::String, vec::Vec};

use catenary_light_clients::qbft::{Config, Qbft, QbftError, ValidatorContract};
use catenary_light_clients::{Anchor, Hash32, LightClient, Rejection, TrustOptions};
use prost::Message;

use super::error::Error;
use super::native_client::{invalid, NativeFamily, NativeUrls, HEADERS_KEPT_MAX};
use crate::proto::decode_strict;

/// The type, which ids begin with.
pub const QBFT: &str = "catenary-qbft";

/// The QBFT family; an update is the RLP of one header, as [`catenary_light_clients::qbft`] takes it.
#[derive(Clone, Copy, Debug)]
pub struct QbftFamily;

/// A QBFT light client's configuration, as the client state carries it. See [`Config`] for what the fields mean.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct QbftConfig {
    /// Chain id.
    #[prost(string, tag = "1")]
    pub chain_id: String,
    /// Height of the anchor.
    #[prost(uint64, tag = "2")]
    pub anchor_height: u64,
    /// Block hash of the anchor, 32 bytes.
    #[prost(bytes = "vec", tag = "3")]
    pub anchor_hash: Vec<u8>,
    /// Address of the IBC router, 20 bytes.
    #[prost(bytes = "vec", tag = "4")]
    pub router: Vec<u8>,
    /// Base slot of the commitments, 32 bytes.
    #[prost(bytes = "vec", tag = "5")]
    pub commitment_slot: Vec<u8>,
    /// Trusting period, in seconds.
    #[prost(uint64, tag = "6")]
    pub trusting_period_seconds: u64,
    /// Allowed clock drift, in seconds.
    #[prost(uint64, tag = "7")]
    pub clock_drift_seconds: u64,
    /// Churn limit, per thousand.
    #[prost(uint32, tag = "8")]
    pub churn_limit_permille: u32,
    /// Whether fewer than 4 validators are allowed.
    #[prost(bool, tag = "9")]
    pub allow_no_fault_tolerance: bool,
    /// How many headers are kept, 1 to [`HEADERS_KEPT_MAX`].
    #[prost(uint32, tag = "10")]
    pub retain_heights: u32,
    /// Whether headers may be skipped.
    #[prost(bool, tag = "11")]
    pub skipping: bool,
    /// Address of the validator contract, 20 bytes, or empty when headers list their validators.
    #[prost(bytes = "vec", tag = "12")]
    pub validator_contract: Vec<u8>,
    /// Slot of its array, 32 bytes, or empty.
    #[prost(bytes = "vec", tag = "13")]
    pub validator_slot: Vec<u8>,
}

impl QbftConfig {
    /// The configuration in its wire form.
    #[must_use]
    pub fn of(config: &Config) -> Self {
        let contract = config.validator_contract;
        Self {
            chain_id: config.chain_id.clone(),
            anchor_height: config.anchor.height,
            anchor_hash: config.anchor.hash.as_bytes().to_vec(),
            router: config.router.to_vec(),
            commitment_slot: config.commitment_slot.to_vec(),
            trusting_period_seconds: config.trust.trusting_period_seconds,
            clock_drift_seconds: config.trust.clock_drift_seconds,
            churn_limit_permille: config.trust.churn_limit_permille,
            allow_no_fault_tolerance: config.trust.allow_no_fault_tolerance,
            retain_heights: config.trust.retain_heights,
            skipping: config.skipping,
            validator_contract: contract.map(|contract| contract.address.to_vec()).unwrap_or_default(),
            validator_slot: contract.map(|contract| contract.slot.to_vec()).unwrap_or_default(),
        }
    }

    fn decode_config(bytes: &[u8]) -> Result<Config, Error> {
        let wire: Self = decode_strict("config", bytes)?;
        if wire.retain_heights > HEADERS_KEPT_MAX {
            let got = wire.retain_heights;
            return Err(invalid(format!("retain_heights is {got}, at most {HEADERS_KEPT_MAX} are kept on chain")));
        }
        let validator_contract = match (wire.validator_contract.as_slice(), wire.validator_slot.as_slice()) {
            ([], []) => None,
            (address, slot) => Some(ValidatorContract {
                address: array("validator_contract", address)?,
                slot: array("validator_slot", slot)?,
            }),
        };
        Ok(Config {
            chain_id: wire.chain_id,
            anchor: Anchor { height: wire.anchor_height, hash: Hash32(array("anchor_hash", &wire.anchor_hash)?) },
            router: array("router", &wire.router)?,
            commitment_slot: array("commitment_slot", &wire.commitment_slot)?,
            trust: TrustOptions {
                trusting_period_seconds: wire.trusting_period_seconds,
                clock_drift_seconds: wire.clock_drift_seconds,
                churn_limit_permille: wire.churn_limit_permille,
                allow_no_fault_tolerance: wire.allow_no_fault_tolerance,
                retain_heights: wire.retain_heights,
            },
            skipping: wire.skipping,
            validator_contract,
        })
    }
}

fn array<const N: usize>(field: &'static str, bytes: &[u8]) -> Result<[u8; N], Error> {
    let length = || crate::Error::Length { field, got: bytes.len(), min: N, max: N };
    bytes.try_into().map_err(|_| length().into())
}

fn refused(error: QbftError) -> Error {
    Error::LightClient(Rejection::from(error))
}

impl NativeFamily for QbftFamily {
    const NAME: &'static str = QBFT;
    const URLS: NativeUrls = NativeUrls {
        client_state: "/catenary.lightclients.qbft.v1.ClientState",
        anchor: "/catenary.lightclients.qbft.v1.Anchor",
        headers: "/catenary.lightclients.qbft.v1.Headers",
        misbehaviour: "/catenary.lightclients.qbft.v1.Misbehaviour",
    };

    fn open(config: &[u8], anchor_update: &[u8]) -> Result<Box<dyn LightClient>, Error> {
        let client = Qbft::new(QbftConfig::decode_config(config)?, anchor_update).map_err(refused)?;
        Ok(Box::new(client))
    }

    fn restore(config: &[u8], saved: &[u8]) -> Result<Box<dyn LightClient>, Error> {
        // The bytes are the chain's own, under its consensus, so their digest is the one to compare with.
        let digest = Hash32::sha256(&[saved]);
        let client = Qbft::restore(QbftConfig::decode_config(config)?, saved, &digest).map_err(refused)?;
        Ok(Box::new(client))
    }
}
