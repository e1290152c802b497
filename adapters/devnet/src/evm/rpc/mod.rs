//! Ethereum's JSON-RPC, in the words of geth: what ethers-rs, Foundry's `cast` and the adapter ask for.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde_json::{json, Value};

use super::chain::Chain;
use super::fault::Branch;
use crate::wire::{Change, Frame, RpcError, Service, Subscription};

mod blocks;
mod calls;
mod fees;
mod logs;
mod params;
mod proofs;
mod submit;

use params::Params;

/// What a method gives.
type Answer = Result<Value, RpcError>;

/// The error that geth gives for everything that has no code of its own.
fn refuse(message: impl Into<String>) -> RpcError {
    RpcError::new(-32000, message)
}

/// The chain as one endpoint shows it.
pub(super) struct Served {
    pub(super) chain: Arc<Mutex<Chain>>,
    pub(super) branch: Branch,
}

impl Served {
    fn chain(&self) -> MutexGuard<'_, Chain> {
        self.chain.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A chain that is being asked.
struct Asked<'a> {
    chain: &'a mut Chain,
    branch: Branch,
}

impl Service for Served {
    fn call(&self, method: &str, params: &Value) -> Answer {
        let params = Params::new(params)?;
        let mut chain = self.chain();
        let mut asked = Asked { chain: &mut chain, branch: self.branch };
        asked.about_the_node(method, &params).unwrap_or_else(|| asked.about_the_chain(method, &params))
    }

    fn subscribe(&self, method: &str, params: &Value) -> Option<Result<Change, RpcError>> {
        match method {
            "eth_subscribe" => Some(self.open(params).map(Change::Open)),
            "eth_unsubscribe" => Some(Params::new(params).and_then(|params| {
                let key = Some(params.text(0)?.to_owned());
                Ok(Change::Close { key, found: Ok(json!(true)), missing: Err(refuse("subscription not found")) })
            })),
            _ => None,
        }
    }
}

impl Served {
    fn open(&self, params: &Value) -> Result<Subscription, RpcError> {
        let params = Params::new(params)?;
        let topic = logs::topic(&params)?;
        let opened = self.chain().subscribers.open(self.branch, topic);
        let (key, events) = opened.ok_or_else(|| refuse("too many subscriptions"))?;
        let frame = Frame::Notification { method: "eth_subscription".to_owned() };
        Ok(Subscription { accepted: json!(key), key, frame, events })
    }
}

impl Asked<'_> {
    /// What does not change with blocks.
    fn about_the_node(&self, method: &str, params: &Params<'_>) -> Option<Answer> {
        let chain_id = self.chain.config.chain_id;
        Some(match method {
            "eth_chainId" => Ok(json!(format!("{chain_id:#x}"))),
            "net_version" => Ok(json!(chain_id.to_string())),
            "net_listening" => Ok(json!(true)),
            "net_peerCount" => Ok(json!(format!("{:#x}", self.chain.validators().len().saturating_sub(1)))),
            "web3_clientVersion" => Ok(json!(concat!("catenary-devnet/v", env!("CARGO_PKG_VERSION")))),
            "web3_sha3" => params.bytes(0).map(|bytes| json!(alloy_primitives::keccak256(bytes))),
            // One process is all the network, so it is never behind.
            "eth_syncing" | "eth_mining" => Ok(json!(false)),
            "eth_accounts" => Ok(json!([])),
            "eth_subscribe" | "eth_unsubscribe" => Err(refuse("notifications not supported")),
            "txpool_status" => Ok(json!({ "pending": format!("{:#x}", self.chain.pool.len()), "queued": "0x0" })),
            _ => return None,
        })
    }

    fn about_the_chain(&mut self, method: &str, params: &Params<'_>) -> Answer {
        match method {
            "eth_blockNumber" => Ok(json!(format!("{:#x}", self.chain.height_of(self.branch)))),
            "eth_getBlockByNumber" => self.block_by_number(params),
            "eth_getBlockByHash" => self.block_by_hash(params),
            "eth_getBlockTransactionCountByNumber" => self.transaction_count(params),
            "eth_getHeaderByNumber" => self.header_by_number(params),
            "debug_getRawHeader" => self.raw_header(params),
            "debug_getRawTransaction" | "eth_getRawTransactionByHash" => self.raw_transaction(params),
            "eth_getTransactionByHash" => self.transaction_by_hash(params),
            "eth_getTransactionByBlockNumberAndIndex" => self.transaction_by_place(params),
            "eth_getTransactionReceipt" => self.receipt(params),
            "eth_getBlockReceipts" => self.block_receipts(params),
            "istanbul_getValidators" | "qbft_getValidatorsByBlockNumber" | "ibft_getValidatorsByBlockNumber" => {
                self.validators_of(params)
            }
            "eth_getLogs" => self.logs(params),
            "eth_getProof" => self.proof(params),
            "eth_getBalance" => self.balance(params),
            "eth_getTransactionCount" => self.nonce(params),
            "eth_getCode" => self.code(params),
            "eth_getStorageAt" => self.storage(params),
            "eth_call" => self.eth_call(params),
            "eth_estimateGas" => self.estimate_gas(params),
            "eth_sendRawTransaction" => self.send_raw(params),
            "eth_gasPrice" => self.gas_price(),
            "eth_maxPriorityFeePerGas" => Ok(json!("0x0")),
            "eth_feeHistory" => self.fee_history(params),
            _ => Err(RpcError::method_not_found(method)),
        }
    }
}
