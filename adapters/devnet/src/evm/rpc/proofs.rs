//! State: balances, code, storage, and proofs of them (EIP-1186).

use alloy_primitives::{Address, U256};
use serde_json::{json, Value};

use super::params::{invalid, storage_key, Params};
use super::{Answer, Asked};
use crate::evm::block::{hex, word};

/// Most storage keys of one proof, as geth has it.
const KEYS_MAX: usize = 1_024;

fn nodes(proof: Vec<Vec<u8>>) -> Value {
    proof.iter().map(|node| json!(hex(node))).collect()
}

impl Asked<'_> {
    pub(super) fn balance(&self, params: &Params<'_>) -> Answer {
        let address = params.address(0)?;
        let (_, state) = self.named_state(params, 1)?;
        Ok(word(state.account(&address).balance))
    }

    pub(super) fn nonce(&self, params: &Params<'_>) -> Answer {
        let address = params.address(0)?;
        let (_, state) = self.named_state(params, 1)?;
        let nonce = state.account(&address).nonce;
        let pending = params.get(1).is_some_and(|tag| tag == "pending");
        let nonce = if pending { self.chain.pool.next_nonce(&address, nonce) } else { nonce };
        Ok(json!(format!("{nonce:#x}")))
    }

    pub(super) fn code(&self, params: &Params<'_>) -> Answer {
        let address = params.address(0)?;
        let (_, state) = self.named_state(params, 1)?;
        Ok(json!(state.code(&address)))
    }

    pub(super) fn storage(&self, params: &Params<'_>) -> Answer {
        let address = params.address(0)?;
        let slot = storage_key(params.required(1)?).map_err(|reason| invalid(1, reason))?;
        let (_, state) = self.named_state(params, 2)?;
        Ok(json!(hex(&state.storage(&address, slot).to_be_bytes::<32>())))
    }

    pub(super) fn proof(&self, params: &Params<'_>) -> Answer {
        let address: Address = params.address(0)?;
        let keys = params.required(1)?.as_array().ok_or_else(|| invalid(1, "is no list"))?;
        if keys.len() > KEYS_MAX {
            return Err(invalid(1, format!("too many keys (got {}, max {KEYS_MAX})", keys.len())));
        }
        let slots: Vec<(&Value, U256)> = keys
            .iter()
            .map(|key| storage_key(key).map(|slot| (key, slot)))
            .collect::<Result<_, _>>()
            .map_err(|reason| invalid(1, reason))?;
        let (_, state) = self.named_state(params, 2)?;
        let account = state.account(&address);
        let storage = slots.into_iter().map(|(key, slot)| {
            let (value, proof) = (state.storage(&address, slot), state.storage_proof(&address, slot));
            json!({ "key": key, "value": word(value), "proof": nodes(proof) })
        });
        Ok(json!({
            "address": format!("{address:#x}"),
            "accountProof": nodes(state.account_proof(&address)),
            "balance": word(account.balance),
            "codeHash": account.code_hash,
            "nonce": format!("{:#x}", account.nonce),
            "storageHash": account.storage.root(),
            "storageProof": storage.collect::<Vec<_>>(),
        }))
    }
}
