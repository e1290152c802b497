//! GRANDPA as an on-chain client: headers finalised by the chain's authorities, and proofs of its state's trie.

use alloc::{boxed::Box, format, string::String, vec::Vec};

use catenary_light_clients::grandpa::{Config, Grandpa, GrandpaError, Store};
use catenary_light_clients::{Anchor, Hash32, LightClient, Rejection, TrustOptions};
use prost::Message;

use super::error::Error;
use super::native_client::{invalid, NativeFamily, NativeUrls, HEADERS_KEPT_MAX};
use crate::proto::decode_strict;

/// The type, which ids begin with.
pub const GRANDPA: &str = "catenary-grandpa";

/// The GRANDPA family; an update is what [`catenary_light_clients::grandpa::encode_finalised`] makes. The configuration
/// says where commitments are, so the counterparty's merkle prefix is one empty element.
#[derive(Clone, Copy, Debug)]
pub struct GrandpaFamily;

/// A GRANDPA light client's configuration, as the client state carries it. See [`Config`] for what the fields mean.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct GrandpaConfig {
    /// Name of the chain.
    #[prost(string, tag = "1")]
    pub chain_id: String,
    /// Height of the anchor.
    #[prost(uint64, tag = "2")]
    pub anchor_height: u64,
    /// Hash of the anchor, 32 bytes.
    #[prost(bytes = "vec", tag = "3")]
    pub anchor_hash: Vec<u8>,
    /// Name of the pallet that keeps commitments.
    #[prost(string, tag = "4")]
    pub pallet: String,
    /// Name of its storage item.
    #[prost(string, tag = "5")]
    pub item: String,
    /// Trusting period, in seconds.
    #[prost(uint64, tag = "6")]
    pub trusting_period_seconds: u64,
    /// Allowed clock drift, in seconds.
    #[prost(uint64, tag = "7")]
    pub clock_drift_seconds: u64,
    /// Churn limit, per thousand.
    #[prost(uint32, tag = "8")]
    pub churn_limit_permille: u32,
    /// Whether fewer than 4 authorities are allowed.
    #[prost(bool, tag = "9")]
    pub allow_no_fault_tolerance: bool,
    /// How many headers are kept, 1 to [`HEADERS_KEPT_MAX`].
    #[prost(uint32, tag = "10")]
    pub retain_heights: u32,
    /// Whether headers may be skipped.
    #[prost(bool, tag = "11")]
    pub skipping: bool,
}

impl GrandpaConfig {
    /// The configuration in its wire form.
    #[must_use]
    pub fn of(config: &Config) -> Self {
        Self {
            chain_id: config.chain_id.clone(),
            anchor_height: config.anchor.height,
            anchor_hash: config.anchor.hash.as_bytes().to_vec(),
            pallet: config.store.pallet.clone(),
            item: config.store.item.clone(),
            trusting_period_seconds: config.trust.trusting_period_seconds,
            clock_drift_seconds: config.trust.clock_drift_seconds,
            churn_limit_permille: config.trust.churn_limit_permille,
            allow_no_fault_tolerance: config.trust.allow_no_fault_tolerance,
            retain_heights: config.trust.retain_heights,
            skipping: config.skipping,
        }
    }

    fn decode_config(bytes: &[u8]) -> Result<Config, Error> {
        let wire: Self = decode_strict("config", bytes)?;
        if wire.retain_heights > HEADERS_KEPT_MAX {
            let got = wire.retain_heights;
            return Err(invalid(format!("retain_heights is {got}, at most {HEADERS_KEPT_MAX} are kept on chain")));
        }
        let (field, got) = ("anchor_hash", wire.anchor_hash.len());
        let hash =
            Hash32::from_slice(&wire.anchor_hash).ok_or(crate::Error::Length { field, got, min: 32, max: 32 })?;
        Ok(Config {
            chain_id: wire.chain_id,
            anchor: Anchor { height: wire.anchor_height, hash },
            store: Store { pallet: wire.pallet, item: wire.item },
            trust: TrustOptions {
                trusting_period_seconds: wire.trusting_period_seconds,
                clock_drift_seconds: wire.clock_drift_seconds,
                churn_limit_permille: wire.churn_limit_permille,
                allow_no_fault_tolerance: wire.allow_no_fault_tolerance,
                retain_heights: wire.retain_heights,
            },
            skipping: wire.skipping,
        })
    }
}

fn refused(error: GrandpaError) -> Error {
    Error::LightClient(Rejection::from(error))
}

impl NativeFamily for GrandpaFamily {
    const NAME: &'static str = GRANDPA;
    const URLS: NativeUrls = NativeUrls {
        client_state: "/catenary.lightclients.grandpa.v1.ClientState",
        anchor: "/catenary.lightclients.grandpa.v1.Anchor",
        headers: "/catenary.lightclients.grandpa.v1.Headers",
        misbehaviour: "/catenary.lightclients.grandpa.v1.Misbehaviour",
    };

    fn open(config: &[u8], anchor_update: &[u8]) -> Result<Box<dyn LightClient>, Error> {
        let client = Grandpa::new(GrandpaConfig::decode_config(config)?, anchor_update).map_err(refused)?;
        Ok(Box::new(client))
    }

    fn restore(config: &[u8], saved: &[u8]) -> Result<Box<dyn LightClient>, Error> {
        // The bytes are the chain's own, under its consensus, so their digest is the one to compare with.
        let digest = Hash32::sha256(&[saved]);
        let client = Grandpa::restore(GrandpaConfig::decode_config(config)?, saved, &digest).map_err(refused)?;
        Ok(Box::new(client))
    }
}
