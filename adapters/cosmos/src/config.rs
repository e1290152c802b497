//! Configuration of one Cosmos chain.

use crate::error::{Error, Result};
use crate::limits;

/// How to reach a chain and what its transactions cost.
#[derive(Clone, PartialEq, Eq)]
pub struct CosmosConfig {
    /// Name of the chain in the config; it appears in errors.
    pub name: String,
    /// CometBFT RPC URLs, in order of preference. They may hold credentials.
    pub urls: Vec<String>,
    /// Chain id that transactions are signed for.
    pub chain_id: String,
    /// Human-readable part of addresses, such as `cosmos`.
    pub address_prefix: String,
    /// Denomination of fees; may be empty when `gas_price` is zero.
    pub fee_denom: String,
    /// Price of one unit of gas, as a decimal such as `0.025`.
    pub gas_price: String,
    /// Gas limit in percent of the simulated gas, at least 100.
    pub gas_multiplier_percent: u64,
    /// Most gas of a transaction.
    pub gas_max: u64,
    /// Most bytes of a transaction. Above 450,000 the estimate no longer fits in a request, in which the transaction
    /// is written as hex (CometBFT `max_body_bytes`, 1,000,000 unless configured).
    pub tx_bytes_max: usize,
    /// Most messages of a transaction.
    pub messages_max: usize,
}

impl core::fmt::Debug for CosmosConfig {
    /// Leaves the URLs out: they may hold credentials.
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("CosmosConfig")
            .field("name", &self.name)
            .field("urls", &self.urls.len())
            .field("chain_id", &self.chain_id)
            .field("gas_price", &self.gas_price)
            .finish_non_exhaustive()
    }
}

impl CosmosConfig {
    /// Checks what can be checked without a network.
    ///
    /// # Errors
    /// [`Error::Config`] with the field and what to set it to.
    pub fn validate(&self) -> Result<()> {
        let wrong =
            |field: &'static str, reason: String| Err(Error::Config { chain: self.name.clone(), field, reason });
        if self.urls.is_empty() || self.urls.len() > limits::ENDPOINTS_MAX {
            return wrong("urls", format!("{} given, 1 to {} allowed", self.urls.len(), limits::ENDPOINTS_MAX));
        }
        if self.chain_id.is_empty() || self.chain_id.len() > limits::CHAIN_ID_BYTES_MAX {
            return wrong(
                "chain_id",
                format!("{} bytes, 1 to {} allowed", self.chain_id.len(), limits::CHAIN_ID_BYTES_MAX),
            );
        }
        if bech32::Hrp::parse(&self.address_prefix).is_err()
            || self.address_prefix.chars().any(|c| c.is_ascii_uppercase())
        {
            return wrong("address_prefix", format!("{:?} is no lower-case bech32 prefix", self.address_prefix));
        }
        let price = GasPrice::parse(&self.gas_price);
        match price {
            None => return wrong("gas_price", format!("{:?} is no decimal such as 0.025", self.gas_price)),
            Some(price) if !price.is_zero() && self.fee_denom.is_empty() => {
                return wrong("fee_denom", "empty, but gas_price is above zero".to_owned());
            }
            Some(_) => {}
        }
        if self.gas_multiplier_percent < 100 {
            return wrong("gas_multiplier_percent", format!("{} is below 100", self.gas_multiplier_percent));
        }
        if self.gas_max == 0 || self.tx_bytes_max == 0 || self.messages_max == 0 {
            return wrong("gas_max, tx_bytes_max or messages_max", "0 allows no transaction".to_owned());
        }
        Ok(())
    }
}

/// Price of one unit of gas: `atto` × 10⁻¹⁸ of the fee token's base unit.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct GasPrice {
    atto: u128,
}

impl GasPrice {
    /// Most digits before the point: with them, price × gas fits in 128 bits after the scale is taken off.
    const WHOLE_DIGITS_MAX: usize = 12;
    const FRACTION_DIGITS_MAX: usize = 18;

    /// A price from digits with at most one point between them.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
        let digits = |part: &str, max: usize| {
            !part.is_empty() && part.len() <= max && part.bytes().all(|byte| byte.is_ascii_digit())
        };
        if !digits(whole, Self::WHOLE_DIGITS_MAX) || !digits(fraction, Self::FRACTION_DIGITS_MAX) {
            return None;
        }
        let scaled = format!("{whole}{fraction:0<width$}", width = Self::FRACTION_DIGITS_MAX);
        scaled.parse().ok().map(|atto| Self { atto })
    }

    /// Whether gas is free.
    pub(crate) const fn is_zero(self) -> bool {
        self.atto == 0
    }

    /// The fee for an amount of gas, rounded up; `None` when it does not fit in 128 bits.
    pub(crate) fn fee(self, gas: u64) -> Option<u128> {
        const SCALE: u128 = 1_000_000_000_000_000_000;
        let gas = u128::from(gas);
        let whole = (self.atto / SCALE).checked_mul(gas)?;
        let fraction = (self.atto % SCALE).checked_mul(gas)?.div_ceil(SCALE);
        whole.checked_add(fraction)
    }
}

#[cfg(test)]
pub(crate) mod testing {
    //! A configuration for tests: free gas, and an endpoint where nobody listens.
    use super::CosmosConfig;

    /// The configuration.
    pub(crate) fn config() -> CosmosConfig {
        CosmosConfig {
            name: "sim".into(),
            urls: vec!["http://127.0.0.1:9".into()],
            chain_id: "sim-1".into(),
            address_prefix: "cosmos".into(),
            fee_denom: String::new(),
            gas_price: "0".into(),
            gas_multiplier_percent: 150,
            gas_max: 10_000_000,
            tx_bytes_max: 1_000_000,
            messages_max: 50,
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests fail by panicking")]
    use super::*;

    /// The field at fault, and what spoils it.
    type Spoilt = (&'static str, fn(&mut CosmosConfig));

    fn good() -> CosmosConfig {
        CosmosConfig { gas_price: "0.025".into(), fee_denom: "stake".into(), ..testing::config() }
    }

    #[test]
    fn each_field_is_checked() {
        assert_eq!(good().validate(), Ok(()));
        let rows: &[Spoilt] = &[
            ("urls", |c| c.urls.clear()),
            ("urls", |c| c.urls = vec!["http://127.0.0.1:1".into(); 9]),
            ("chain_id", |c| c.chain_id.clear()),
            ("chain_id", |c| c.chain_id = "x".repeat(51)),
            ("address_prefix", |c| c.address_prefix.clear()),
            ("address_prefix", |c| c.address_prefix = "COSMOS".into()),
            ("gas_price", |c| c.gas_price = "-1".into()),
            ("fee_denom", |c| c.fee_denom.clear()),
            ("gas_multiplier_percent", |c| c.gas_multiplier_percent = 99),
            ("gas_max, tx_bytes_max or messages_max", |c| c.gas_max = 0),
            ("gas_max, tx_bytes_max or messages_max", |c| c.tx_bytes_max = 0),
            ("gas_max, tx_bytes_max or messages_max", |c| c.messages_max = 0),
        ];
        for (expect, spoil) in rows {
            let mut config = good();
            spoil(&mut config);
            assert!(
                matches!(config.validate(), Err(Error::Config { field, .. }) if field == *expect),
                "{expect}: {:?}",
                config.validate()
            );
        }
        let free = CosmosConfig { gas_price: "0".into(), fee_denom: String::new(), ..good() };
        assert_eq!(free.validate(), Ok(()), "free gas needs no fee denomination");
    }

    #[test]
    fn urls_stay_out_of_debug_output() {
        let config = CosmosConfig { urls: vec!["https://user:secret@host/key".into()], ..good() };
        let shown = format!("{config:?}");
        assert!(!shown.contains("secret") && !shown.contains("key"), "{shown}");
    }

    #[test]
    fn fees_are_exact_and_rounded_up() {
        let rows: &[(&str, u64, Option<u128>)] = &[
            ("0", u64::MAX, Some(0)),
            ("0.0", 1, Some(0)),
            ("1", 5, Some(5)),
            ("0.025", 200_000, Some(5_000)),
            ("0.025", 200_001, Some(5_001)),
            ("0.000000000000000001", 1, Some(1)),
            ("0.000000000000000001", 1_000_000_000_000_000_000, Some(1)),
            ("2.5", 3, Some(8)),
            ("999999999999", u64::MAX, Some(18_446_744_073_691_104_870_926_290_448_385)),
        ];
        for (price, gas, expect) in rows {
            assert_eq!(GasPrice::parse(price).unwrap().fee(*gas), *expect, "{price} × {gas}");
        }
    }

    #[test]
    fn malformed_prices_are_refused() {
        for text in
            ["", ".", "1.", ".5", "1.2.3", "1e3", " 1", "+1", "-0", "1,5", "0.0000000000000000001", "1000000000000"]
        {
            assert_eq!(GasPrice::parse(text), None, "{text:?}");
        }
    }
}
