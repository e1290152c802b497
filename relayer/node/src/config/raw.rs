//! The configuration as it is written. Nothing here is trusted; [`build`](super::build) parses it into
//! [`types`](super::types).

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawTelemetry {
    pub(super) listen: Option<String>,
    pub(super) log: Option<String>,
    pub(super) log_format: Option<String>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawKeystore {
    pub(super) dir: Option<String>,
    pub(super) passphrase_env: Option<String>,
    pub(super) passphrase_file: Option<String>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawNodeTls {
    pub(super) certificate_file: String,
    pub(super) private_key_file: String,
}

#[derive(Debug, Clone, Serialize, Deserialize, Default)]
#[serde(deny_unknown_fields)]
pub(super) struct RawLimits {
    pub(super) recv_margin: Option<String>,
    pub(super) turn_bucket_sequences: Option<u64>,
    pub(super) retain_closed: Option<String>,
    pub(super) journal_keep: Option<String>,
    pub(super) journal_segment_bytes: Option<u64>,
    pub(super) sweep_every: Option<String>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawAnchor {
    pub(super) height: u64,
    pub(super) hash: String,
}

#[derive(Debug, Clone, Serialize, Deserialize, Default)]
#[serde(deny_unknown_fields)]
pub(super) struct RawTrust {
    pub(super) trusting_period: Option<String>,
    pub(super) clock_drift: Option<String>,
    pub(super) churn_limit_permille: Option<u32>,
    pub(super) allow_no_fault_tolerance: Option<bool>,
    pub(super) skipping: Option<bool>,
    pub(super) retain_heights: Option<u32>,
}

#[derive(Debug, Clone, Serialize, Deserialize, Default)]
#[serde(deny_unknown_fields)]
pub(super) struct RawEvm {
    pub(super) router: Option<String>,
    pub(super) transfer: Option<String>,
    pub(super) commitment_slot: Option<String>,
    pub(super) validator_contract: Option<String>,
    pub(super) validator_slot: Option<String>,
    pub(super) gas_price: Option<String>,
    pub(super) gas_price_max_wei: Option<u64>,
    pub(super) fee: Option<String>,
    pub(super) priority_fee_wei: Option<u64>,
    pub(super) replace_after: Option<String>,
    pub(super) replacements_max: Option<u64>,
    pub(super) gas_multiplier_percent: Option<u64>,
    pub(super) gas_max: Option<u64>,
    pub(super) tx_bytes_max: Option<u64>,
    pub(super) confirmations_blocks: Option<u64>,
}

#[derive(Debug, Clone, Serialize, Deserialize, Default)]
#[serde(deny_unknown_fields)]
pub(super) struct RawCosmos {
    pub(super) address_prefix: Option<String>,
    pub(super) fee_denom: Option<String>,
    pub(super) gas_price: Option<String>,
    pub(super) gas_multiplier_percent: Option<u64>,
    pub(super) gas_max: Option<u64>,
    pub(super) tx_bytes_max: Option<u64>,
    pub(super) messages_max: Option<u64>,
    pub(super) store_prefix: Option<Vec<String>>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawProcess {
    pub(super) manifest: String,
    pub(super) sha256: String,
    #[serde(default)]
    pub(super) settings: BTreeMap<String, String>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawChain {
    pub(super) name: String,
    pub(super) family: String,
    pub(super) chain_id: String,
    #[serde(default)]
    pub(super) urls: Vec<String>,
    #[serde(default)]
    pub(super) urls_env: Vec<String>,
    #[serde(default)]
    pub(super) ws_urls: Vec<String>,
    pub(super) requests_per_second_max: Option<u64>,
    pub(super) transaction_key: Option<String>,
    pub(super) transaction_keys: Option<Vec<String>>,
    pub(super) attestor_key: Option<String>,
    pub(super) attestor_listen: Option<String>,
    pub(super) stale_after: Option<String>,
    pub(super) anchor: Option<RawAnchor>,
    pub(super) trust: Option<RawTrust>,
    pub(super) evm: Option<RawEvm>,
    pub(super) cosmos: Option<RawCosmos>,
    pub(super) adapter: Option<String>,
    pub(super) process: Option<RawProcess>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawPeerTls {
    pub(super) certificate_sha256: String,
    pub(super) ca_file: String,
    pub(super) server_name: String,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawAttestor {
    pub(super) url: String,
    pub(super) address: String,
    pub(super) tls: Option<RawPeerTls>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawOperator {
    pub(super) id: String,
    #[serde(default)]
    pub(super) attestors: BTreeMap<String, RawAttestor>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawSide {
    pub(super) chain: String,
    pub(super) client: Option<String>,
    pub(super) client_kind: Option<String>,
    pub(super) light_client: Option<String>,
    pub(super) light_client_code_hash: Option<String>,
    pub(super) attestors: Option<Vec<String>>,
    pub(super) threshold: Option<u64>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawPath {
    pub(super) name: String,
    pub(super) operators: Option<Vec<String>>,
    pub(super) turn_delay_blocks: Option<u64>,
    pub(super) attestation_chunk: Option<u64>,
    pub(super) batch_messages_max: Option<u64>,
    pub(super) submit_misbehaviour: Option<bool>,
    pub(super) a: RawSide,
    pub(super) b: RawSide,
}

/// The whole, after each section was decoded by itself.
#[derive(Debug, Clone, Serialize, Default)]
pub(super) struct Raw {
    pub(super) operator: Option<String>,
    pub(super) data_dir: Option<String>,
    pub(super) telemetry: Option<RawTelemetry>,
    pub(super) keystore: Option<RawKeystore>,
    pub(super) tls: Option<RawNodeTls>,
    pub(super) limits: Option<RawLimits>,
    pub(super) chains: Vec<RawChain>,
    pub(super) operators: Vec<RawOperator>,
    pub(super) paths: Vec<RawPath>,
}
