//! Taking transactions in, with the checks and the words of geth.

use std::sync::Arc;

use alloy_primitives::B256;
use revm::context_interface::cfg::gas::calculate_initial_tx_gas;
use serde_json::json;

use super::params::Params;
use super::{refuse, Answer, Asked};
use crate::evm::fork::Fork;
use crate::evm::pool::Refusal;
use crate::evm::tx::Tx;
use crate::wire::RpcError;

/// Most bytes of creation code from Shanghai on (EIP-3860).
const INIT_CODE_BYTES_MAX: usize = 49_152;

impl Asked<'_> {
    pub(super) fn send_raw(&mut self, params: &Params<'_>) -> Answer {
        let raw = params.bytes(0)?;
        Ok(json!(self.submit(&raw)?))
    }

    fn submit(&mut self, raw: &[u8]) -> Result<B256, RpcError> {
        let limit = self.chain.config.tx_bytes_max;
        if raw.len() > limit {
            return Err(refuse(format!("oversized data: transaction size {}, limit {limit}", raw.len())));
        }
        let tx = Tx::decode(raw).map_err(|error| refuse(error.message()))?;
        if self.chain.pool.get(&tx.hash).is_some() {
            return Err(refuse(Refusal::Known.message()));
        }
        self.check_rules(&tx)?;
        check_gas(&tx, self.chain.config.fork)?;
        let nonce = self.check_account(&tx)?;
        let hash = tx.hash;
        self.chain.pool.add(Arc::new(tx), nonce).map_err(|refusal| refuse(refusal.message()))?;
        self.chain.subscribers.waiting(hash);
        Ok(hash)
    }

    /// What the chain's rules say, whatever its state.
    fn check_rules(&self, tx: &Tx) -> Result<(), RpcError> {
        let config = &self.chain.config;
        if tx.kind == 2 && config.fork < Fork::London {
            return Err(refuse("transaction type not supported"));
        }
        if let Some(chain_id) = tx.chain_id.filter(|chain_id| *chain_id != config.chain_id) {
            return Err(refuse(format!("invalid chain id for signer: have {chain_id} want {}", config.chain_id)));
        }
        if tx.gas_limit > config.gas_limit {
            return Err(refuse("exceeds block gas limit"));
        }
        if tx.max_priority_fee_wei > tx.max_fee_wei {
            return Err(refuse("max priority fee per gas higher than max fee per gas"));
        }
        let init_code_bytes = if tx.to.is_none() { tx.data.len() } else { 0 };
        if config.fork >= Fork::Shanghai && init_code_bytes > INIT_CODE_BYTES_MAX {
            return Err(refuse(format!(
                "max initcode size exceeded: code size {init_code_bytes}, limit {INIT_CODE_BYTES_MAX}"
            )));
        }
        Ok(())
    }

    /// What the sender's account says; gives its nonce.
    fn check_account(&self, tx: &Tx) -> Result<u64, RpcError> {
        let state = self.chain.head(self.branch).state().ok_or_else(|| refuse("header not found"))?;
        let account = state.account(&tx.sender);
        if tx.nonce < account.nonce {
            let (next, got) = (account.nonce, tx.nonce);
            return Err(refuse(format!("nonce too low: next nonce {next}, tx nonce {got}")));
        }
        let cost = tx.cost();
        if account.balance < cost {
            return Err(refuse(format!(
                "insufficient funds for gas * price + value: balance {}, tx cost {cost}, overshot {}",
                account.balance,
                cost - account.balance
            )));
        }
        Ok(account.nonce)
    }
}

/// The gas that a transaction needs before it runs.
fn check_gas(tx: &Tx, fork: Fork) -> Result<(), RpcError> {
    let keys = tx.access_list.iter().map(|entry| entry.storage_keys.len() as u64).sum();
    let entries = tx.access_list.len() as u64;
    let needed = calculate_initial_tx_gas(fork.spec(), &tx.data, tx.to.is_none(), entries, keys, 0, None);
    if tx.gas_limit < needed.initial_total_gas() {
        let (got, least) = (tx.gas_limit, needed.initial_total_gas());
        return Err(refuse(format!("intrinsic gas too low: gas {got}, minimum needed {least}")));
    }
    if tx.gas_limit < needed.floor_gas() {
        let (got, least) = (tx.gas_limit, needed.floor_gas());
        return Err(refuse(format!("insufficient gas for floor data gas cost: gas {got}, minimum needed {least}")));
    }
    Ok(())
}
