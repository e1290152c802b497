//! Prices.

use serde_json::{json, Value};

use super::params::{invalid, quantity, Params};
use super::{Answer, Asked};
use crate::evm::fork::Fork;

/// Most blocks of one history, as geth has it.
const HISTORY_MAX: u64 = 1_024;
/// Most percentiles of rewards.
const PERCENTILES_MAX: usize = 100;

impl Asked<'_> {
    pub(super) fn gas_price(&self) -> Answer {
        // No tip is needed here, so the price is the base fee.
        let head = self.chain.head(self.branch);
        Ok(json!(format!("{:#x}", self.chain.next_base_fee(head))))
    }

    pub(super) fn fee_history(&self, params: &Params<'_>) -> Answer {
        let count = params.required(0)?;
        // Some clients send a plain number.
        let count = count.as_u64().map_or_else(|| quantity(count), Ok).map_err(|reason| invalid(0, reason))?;
        let newest = self.named_block(params, 1)?.ok_or_else(|| super::refuse("request beyond head block"))?;
        let rewards = match params.get(2) {
            None => None,
            Some(Value::Array(percentiles)) if percentiles.len() <= PERCENTILES_MAX => Some(percentiles.len()),
            Some(_) => return Err(invalid(2, "is no short list of percentiles")),
        };
        let count = count.min(HISTORY_MAX).min(newest.number() + 1);
        let oldest = newest.number() + 1 - count;
        let blocks: Vec<_> =
            (oldest..=newest.number()).filter_map(|height| self.chain.block(self.branch, height)).collect();
        let london = self.chain.config.fork >= Fork::London;
        let mut fees: Vec<String> = blocks.iter().map(|block| format!("{:#x}", block.base_fee_wei)).collect();
        let next = if london { self.chain.next_base_fee(newest) } else { 0 };
        fees.push(format!("{next:#x}"));
        let ratios = blocks.iter().map(|block| ratio(block.header.gas_used, block.header.gas_limit));
        let mut out = json!({
            "oldestBlock": format!("{oldest:#x}"),
            "baseFeePerGas": fees,
            "gasUsedRatio": ratios.collect::<Vec<_>>(),
        });
        if let Some(rewards) = rewards {
            out["reward"] = json!(vec![vec!["0x0"; rewards]; blocks.len()]);
        }
        Ok(out)
    }
}

/// A part of a whole, to six digits.
fn ratio(part: u64, whole: u64) -> f64 {
    let millionths = u128::from(part) * 1_000_000 / u128::from(whole.max(1));
    u32::try_from(millionths).map_or(1.0, |millionths| f64::from(millionths) / 1e6)
}
