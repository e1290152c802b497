//! What gas costs: what the node asks for, within the configured bound, and more than before for a replacement.

use serde_json::{json, Value};

use crate::adapter::EvmAdapter;
use crate::config::{Fee, GasPrice};
use crate::error::{Error, Result};
use crate::json as strict;

/// The share that a replacement pays more, as a fraction: an eighth. Pools ask for a tenth (geth, Besu); the protocol's
/// own base fee moves by an eighth a block (EIP-1559), so one step keeps up with one full block.
const RAISE: (u128, u128) = (9, 8);
/// How many base fees a transaction may pay at most beside its tip: twice the next one lasts six full blocks in a row.
const BASE_FEES_MAX: u128 = 2;

/// The price of a unit of gas, in wei.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Price {
    /// One price (legacy transactions).
    Legacy {
        /// Wei a unit of gas.
        wei: u128,
    },
    /// The base fee and a tip (EIP-1559).
    Dynamic {
        /// Most wei a unit of gas.
        max_fee_wei: u128,
        /// Tip for the proposer, in wei a unit of gas.
        priority_wei: u128,
    },
}

impl Price {
    /// Most that a unit of gas can cost.
    pub(crate) const fn max_wei(self) -> u128 {
        match self {
            Self::Legacy { wei } => wei,
            Self::Dynamic { max_fee_wei, .. } => max_fee_wei,
        }
    }

    /// An eighth more, and at least one wei, in every part: pools compare both parts of a dynamic price.
    const fn raised(self) -> Self {
        match self {
            Self::Legacy { wei } => Self::Legacy { wei: raised(wei) },
            Self::Dynamic { max_fee_wei, priority_wei } => {
                Self::Dynamic { max_fee_wei: raised(max_fee_wei), priority_wei: raised(priority_wei) }
            }
        }
    }

    /// The dearer one of two, part by part; of another kind only the first.
    fn max(self, other: Self) -> Self {
        match (self, other) {
            (Self::Legacy { wei }, Self::Legacy { wei: other }) => Self::Legacy { wei: wei.max(other) },
            (Self::Dynamic { max_fee_wei, priority_wei }, Self::Dynamic { max_fee_wei: fee, priority_wei: tip }) => {
                Self::Dynamic { max_fee_wei: max_fee_wei.max(fee), priority_wei: priority_wei.max(tip) }
            }
            _ => self,
        }
    }

    /// The fields of a call that is tried at this price.
    pub(crate) fn fields(self) -> Vec<(&'static str, Value)> {
        let quantity = |wei: u128| Value::String(format!("{wei:#x}"));
        match self {
            Self::Legacy { wei } => vec![("gasPrice", quantity(wei))],
            Self::Dynamic { max_fee_wei, priority_wei } => {
                vec![("maxFeePerGas", quantity(max_fee_wei)), ("maxPriorityFeePerGas", quantity(priority_wei))]
            }
        }
    }
}

const fn raised(wei: u128) -> u128 {
    let more = wei.saturating_mul(RAISE.0).div_ceil(RAISE.1);
    if more > wei {
        more
    } else {
        wei.saturating_add(1)
    }
}

/// Wei of one quantity in an answer.
fn wei(value: Option<&Value>) -> core::result::Result<u128, String> {
    let bytes = strict::quantity_bytes(value, 16)?;
    Ok(bytes.iter().fold(0, |sum, byte| (sum << 8) | u128::from(*byte)))
}

impl EvmAdapter {
    /// The price for a new transaction.
    ///
    /// # Errors
    /// The node asks for more than the bound ([`Error::PriceTooHigh`]), or cannot say; then nothing is built.
    pub(crate) async fn price(&self) -> Result<Price> {
        match (self.config.fee, self.config.gas_price) {
            (Fee::Eip1559 { priority_wei }, _) => self.dynamic_price(priority_wei).await,
            (Fee::Legacy, GasPrice::Fixed { wei }) => Ok(Price::Legacy { wei }),
            (Fee::Legacy, GasPrice::Node) => {
                let answer = self.rpc.call("eth_gasPrice", json!([])).await?;
                let asked = wei(Some(&answer)).map_err(|reason| self.no_price("eth_gasPrice", &reason))?;
                Ok(Price::Legacy { wei: self.bounded(asked)? })
            }
        }
    }

    /// Twice the base fee of the next block and the tip, but never more than the bound. What a block does not take is
    /// not paid, so an endpoint that exaggerates gains nothing below the bound.
    async fn dynamic_price(&self, priority_wei: u128) -> Result<Price> {
        let answer = self.rpc.call("eth_feeHistory", json!(["0x1", "latest", []])).await?;
        let refuse = |reason: &str| self.no_price("eth_feeHistory", reason);
        let fees = strict::list(answer.get("baseFeePerGas")).map_err(|reason| refuse(&reason))?;
        // The newest block's and, last, the next one's.
        let [_, next] = fees.as_slice() else { return Err(refuse("does not have two base fees")) };
        let base = wei(Some(next)).map_err(|reason| refuse(&reason))?;
        let least = self.bounded(base.saturating_add(priority_wei))?;
        let most = base.saturating_mul(BASE_FEES_MAX).saturating_add(priority_wei);
        let max_fee_wei = most.min(self.config.gas_price_max_wei.unwrap_or(most)).max(least);
        Ok(Price::Dynamic { max_fee_wei, priority_wei })
    }

    /// The price for a transaction that takes the place of one at `old`: an eighth more, or what the node asks for now
    /// if that is dearer. `None` when an eighth more is over the bound, or none is set.
    pub(crate) async fn replacement_price(&self, old: Price) -> Result<Option<Price>> {
        let raised = old.raised();
        if self.config.gas_price_max_wei.is_none_or(|max| raised.max_wei() > max) {
            return Ok(None);
        }
        match self.price().await {
            Ok(now) => Ok(Some(raised.max(now))),
            // Dearer than the bound allows, but the next step may still be taken.
            Err(Error::PriceTooHigh { .. }) => Ok(Some(raised)),
            Err(error) => Err(error),
        }
    }

    fn bounded(&self, asked_wei: u128) -> Result<u128> {
        match self.config.gas_price_max_wei {
            Some(max_wei) if asked_wei > max_wei => Err(Error::PriceTooHigh { asked_wei, max_wei }),
            _ => Ok(asked_wei),
        }
    }

    fn no_price(&self, call: &str, reason: &str) -> Error {
        Error::Config {
            chain: self.config.name.clone(),
            reason: format!("the node's price of gas ({call}) {reason}; set gas_price to a number of wei"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_replacement_pays_an_eighth_more_in_every_part() {
        let check = |wei: u128, expect: u128| {
            assert_eq!(Price::Legacy { wei }.raised(), Price::Legacy { wei: expect });
            let dynamic = Price::Dynamic { max_fee_wei: wei.saturating_add(8), priority_wei: wei };
            let Price::Dynamic { max_fee_wei, priority_wei } = dynamic.raised() else { return };
            assert_eq!(priority_wei, expect);
            assert!(max_fee_wei >= priority_wei && max_fee_wei > wei);
        };
        check(0, 1);
        check(1, 2);
        check(7, 8);
        check(8, 9);
        check(9, 11);
        check(1_000_000_000, 1_125_000_000);
        check(1_000_000_001, 1_125_000_002);
        assert_eq!(raised(u128::MAX), u128::MAX, "no step beyond the end");
    }

    #[test]
    fn the_dearer_price_wins_part_by_part() {
        let dynamic = |max_fee_wei, priority_wei| Price::Dynamic { max_fee_wei, priority_wei };
        assert_eq!(Price::Legacy { wei: 5 }.max(Price::Legacy { wei: 7 }), Price::Legacy { wei: 7 });
        assert_eq!(dynamic(5, 3).max(dynamic(9, 1)), dynamic(9, 3));
        assert_eq!(Price::Legacy { wei: 5 }.max(dynamic(9, 1)), Price::Legacy { wei: 5 });
    }
}
