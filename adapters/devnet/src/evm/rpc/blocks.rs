//! Blocks, transactions and receipts.

use alloy_primitives::Address;
use serde_json::{json, Value};

use super::params::{invalid, quantity, Params};
use super::{refuse, Answer, Asked};
use crate::evm::block::hex;

impl Asked<'_> {
    pub(super) fn block_by_number(&self, params: &Params<'_>) -> Answer {
        params.required(0)?;
        let whole = params.flag(1)?;
        let block = self.named_block(params, 0)?;
        Ok(block.map_or(Value::Null, |block| block.to_json(self.chain.config.fork, whole)))
    }

    pub(super) fn block_by_hash(&self, params: &Params<'_>) -> Answer {
        let (hash, whole) = (params.hash(0)?, params.flag(1)?);
        let block = self.chain.block_by_hash(self.branch, &hash);
        Ok(block.map_or(Value::Null, |block| block.to_json(self.chain.config.fork, whole)))
    }

    pub(super) fn transaction_count(&self, params: &Params<'_>) -> Answer {
        params.required(0)?;
        Ok(self.named_block(params, 0)?.map_or(Value::Null, |block| json!(format!("{:#x}", block.txs.len()))))
    }

    pub(super) fn header_by_number(&self, params: &Params<'_>) -> Answer {
        params.required(0)?;
        let block = self.named_block(params, 0)?;
        Ok(block.map_or(Value::Null, |block| Value::Object(block.header_json(self.chain.config.fork))))
    }

    pub(super) fn raw_header(&self, params: &Params<'_>) -> Answer {
        let block = self.named_block(params, 0)?.ok_or_else(|| refuse("header not found"))?;
        Ok(json!(hex(&block.header.encode())))
    }

    pub(super) fn raw_transaction(&self, params: &Params<'_>) -> Answer {
        let hash = params.hash(0)?;
        let placed = self.chain.place(self.branch, &hash).and_then(|(block, index)| block.txs.get(index));
        Ok(placed.or_else(|| self.chain.pool.get(&hash)).map_or(Value::Null, |tx| json!(tx.raw)))
    }

    pub(super) fn transaction_by_hash(&self, params: &Params<'_>) -> Answer {
        let hash = params.hash(0)?;
        if let Some((block, index)) = self.chain.place(self.branch, &hash) {
            return Ok(block.place(index).tx_json());
        }
        let Some(tx) = self.chain.pool.get(&hash) else { return Ok(Value::Null) };
        let mut out = tx.to_json();
        for field in ["blockHash", "blockNumber", "transactionIndex"] {
            out.insert(field.to_owned(), Value::Null);
        }
        Ok(Value::Object(out))
    }

    pub(super) fn transaction_by_place(&self, params: &Params<'_>) -> Answer {
        params.required(0)?;
        let index = quantity(params.required(1)?).map_err(|reason| invalid(1, reason))?;
        let index = usize::try_from(index).unwrap_or(usize::MAX);
        Ok(self.named_block(params, 0)?.map_or(Value::Null, |block| block.place(index).tx_json()))
    }

    pub(super) fn receipt(&self, params: &Params<'_>) -> Answer {
        let placed = self.chain.place(self.branch, &params.hash(0)?);
        Ok(placed.map_or(Value::Null, |(block, index)| block.place(index).receipt_json()))
    }

    pub(super) fn block_receipts(&self, params: &Params<'_>) -> Answer {
        params.required(0)?;
        let Some(block) = self.named_block(params, 0)? else { return Ok(Value::Null) };
        Ok((0..block.txs.len()).map(|index| block.place(index).receipt_json()).collect())
    }

    /// The validators that sealed a block: those that stood when its parent was made.
    pub(super) fn validators_of(&self, params: &Params<'_>) -> Answer {
        let Some(block) = self.named_block(params, 0)? else { return Err(refuse("unknown block")) };
        let parent = block.number().saturating_sub(1);
        let set = self.chain.block(self.branch, parent).map(|parent| parent.consensus.validators.clone());
        let set = set.unwrap_or_default();
        Ok(set.iter().map(|validator| json!(format!("{:#x}", Address::from(validator.0)))).collect())
    }
}
