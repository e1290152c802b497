//! Configuration, already parsed: the node owns files and environment.

use catenary_light_clients::bft::ValidatorContract;
use catenary_light_clients::Family;
use catenary_protocol::attestation::Address;
use url::Url;

use crate::error::{Error, Result};

/// ERC-7201 base slot of `ibc.storage.IBCStore`, where the router keeps commitments (protocol page, "Where the
/// commitment lives").
pub const COMMITMENT_SLOT: [u8; 32] = [
    0x12, 0x60, 0x94, 0x44, 0x89, 0x27, 0x29, 0x88, 0xd9, 0xdf, 0x28, 0x51, 0x49, 0xb5, 0xaa, 0x1b, 0x0f, 0x48, 0xf2,
    0x13, 0x6d, 0x6f, 0x41, 0x61, 0x59, 0xf8, 0x40, 0xa3, 0xe0, 0x74, 0x76, 0x00,
];
/// Transaction size limit of GoQuorum networks unless their genesis says otherwise (`txnSizeLimit`, 64 KB).
pub const TX_BYTES_MAX: usize = 64 * 1024;

/// What a unit of gas costs.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum GasPrice {
    /// Always this many wei; permissioned networks say 0.
    Fixed {
        /// Wei a unit of gas.
        wei: u128,
    },
    /// What the node suggests (`eth_gasPrice`) when the transaction is built; needs
    /// [`gas_price_max_wei`](EvmConfig::gas_price_max_wei).
    Node,
}

/// How a transaction pays for its gas.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Fee {
    /// One price, as every fork takes it.
    Legacy,
    /// The base fee of its block and a tip (EIP-1559), from London on; needs
    /// [`gas_price_max_wei`](EvmConfig::gas_price_max_wei).
    Eip1559 {
        /// Tip for the proposer, in wei a unit of gas.
        priority_wei: u128,
    },
}

/// Configuration of one EVM chain.
#[derive(Clone)]
pub struct EvmConfig {
    /// Chain's name in the config, for errors.
    pub name: String,
    /// JSON-RPC endpoints in order of preference; credentials in them never reach an error.
    pub urls: Vec<String>,
    /// EIP-155 chain id.
    pub chain_id: u64,
    /// The consensus family, by which headers are hashed: QBFT or IBFT 2.0.
    pub family: Family,
    /// The contract that keeps the validators (QBFT in contract mode): updates then carry what proves the set.
    pub validator_contract: Option<ValidatorContract>,
    /// The router; `None` while it is still to be deployed.
    pub router: Option<Address>,
    /// Base slot of the router's commitments: [`COMMITMENT_SLOT`] unless the router is another implementation.
    pub commitment_slot: [u8; 32],
    /// Gas price of legacy transactions.
    pub gas_price: GasPrice,
    /// Most wei a unit of gas, whatever the node asks for; transactions are replaced at higher prices up to it, and
    /// never where it is `None`.
    pub gas_price_max_wei: Option<u128>,
    /// How transactions pay.
    pub fee: Fee,
    /// Gas limit of a transaction, in percent of its estimate.
    pub gas_multiplier_percent: u64,
    /// Most gas of a transaction.
    pub gas_max: u64,
    /// Most bytes of an encoded transaction.
    pub tx_bytes_max: usize,
    /// Blocks that must follow a block before it counts as final; 0 where consensus is final at once.
    pub confirmations_blocks: u64,
}

impl EvmConfig {
    /// The usual settings of a permissioned QBFT network: gas price 0, no confirmations.
    #[must_use]
    pub fn new(name: &str, url: &str, chain_id: u64) -> Self {
        Self {
            name: name.to_owned(),
            urls: vec![url.to_owned()],
            chain_id,
            family: Family::Qbft,
            validator_contract: None,
            router: None,
            commitment_slot: COMMITMENT_SLOT,
            gas_price: GasPrice::Fixed { wei: 0 },
            gas_price_max_wei: None,
            fee: Fee::Legacy,
            gas_multiplier_percent: 130,
            gas_max: 30_000_000,
            tx_bytes_max: TX_BYTES_MAX,
            confirmations_blocks: 0,
        }
    }

    /// The parsed endpoints.
    ///
    /// # Errors
    /// [`Error::Config`] for a setting that cannot work, never with a URL in it.
    pub(crate) fn validate(&self) -> Result<Vec<Url>> {
        let refuse = |reason: String| Err(Error::Config { chain: self.name.clone(), reason });
        if self.urls.is_empty() {
            return refuse("urls is empty; name at least one JSON-RPC endpoint".to_owned());
        }
        // v = recovery id + 35 + 2 · chain id must fit (EIP-155).
        if self.chain_id == 0 || self.chain_id > (u64::MAX - 36) / 2 {
            return refuse(format!("chain_id {} cannot sign transactions (EIP-155)", self.chain_id));
        }
        if self.gas_multiplier_percent < 100 || self.gas_multiplier_percent > 1_000 {
            let got = self.gas_multiplier_percent;
            return refuse(format!("gas_multiplier_percent is {got}, allowed are 100 to 1000"));
        }
        if self.gas_max < 21_000 {
            return refuse(format!("gas_max is {}, below the 21000 of an empty transaction", self.gas_max));
        }
        if let Some(reason) = self.unbounded_price() {
            return refuse(reason);
        }
        let mut urls = Vec::with_capacity(self.urls.len());
        for (index, text) in self.urls.iter().enumerate() {
            match Url::parse(text) {
                Ok(url) if matches!(url.scheme(), "http" | "https") && url.has_host() => urls.push(url),
                Ok(_) => return refuse(format!("urls[{index}] is not an http or https URL")),
                Err(error) => return refuse(format!("urls[{index}] is no URL: {error}")),
            }
        }
        Ok(urls)
    }

    /// Why the price of gas has no bound, or one that it is over from the start.
    fn unbounded_price(&self) -> Option<String> {
        let least_wei = match (self.fee, self.gas_price) {
            (Fee::Eip1559 { priority_wei }, _) => priority_wei,
            (Fee::Legacy, GasPrice::Fixed { wei }) => wei,
            (Fee::Legacy, GasPrice::Node) => 0,
        };
        let asks = matches!((self.fee, self.gas_price), (Fee::Eip1559 { .. }, _) | (_, GasPrice::Node));
        match self.gas_price_max_wei {
            None if asks => Some("the node names the price of gas, so set gas_price_max_wei".to_owned()),
            Some(max) if least_wei > max => {
                Some(format!("gas costs {least_wei} wei at least, gas_price_max_wei is {max}"))
            }
            _ => None,
        }
    }
}

impl core::fmt::Debug for EvmConfig {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        // The endpoints may carry credentials.
        f.debug_struct("EvmConfig")
            .field("name", &self.name)
            .field("endpoints", &self.urls.len())
            .field("chain_id", &self.chain_id)
            .field("router", &self.router.map(hex::encode))
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(change: impl Fn(&mut EvmConfig), words: &str) {
        let mut config = EvmConfig::new("a", "http://user:secret@127.0.0.1:8545/key-123", 1337);
        change(&mut config);
        let text = match config.validate() {
            Ok(_) => String::new(),
            Err(error) => error.to_string(),
        };
        assert!(text.contains(words), "{text:?} should contain {words:?}");
        for secret in ["secret", "key-123"] {
            assert!(!text.contains(secret) && !format!("{config:?}").contains(secret), "{text}");
        }
        assert_eq!(words.is_empty(), text.is_empty(), "{text}");
    }

    #[test]
    fn settings_that_cannot_work_are_refused() {
        check(|_| (), "");
        check(|c| c.urls.clear(), "urls is empty");
        check(|c| c.urls.push("ftp://secret@host/key-123".to_owned()), "urls[1] is not an http");
        check(|c| c.urls.push("http://secret:key-123".to_owned()), "urls[1] is no URL");
        check(|c| c.chain_id = 0, "chain_id 0");
        check(|c| c.chain_id = u64::MAX / 2, "cannot sign");
        check(|c| c.chain_id = (u64::MAX - 36) / 2, "");
        check(|c| c.gas_multiplier_percent = 99, "gas_multiplier_percent is 99");
        check(|c| c.gas_multiplier_percent = 1_001, "gas_multiplier_percent is 1001");
        check(|c| c.gas_max = 20_999, "gas_max is 20999");
        check(|c| c.gas_price = GasPrice::Node, "set gas_price_max_wei");
        check(|c| c.fee = Fee::Eip1559 { priority_wei: 0 }, "set gas_price_max_wei");
        let priced = |c: &mut EvmConfig, price: GasPrice| (c.gas_price, c.gas_price_max_wei) = (price, Some(9));
        check(|c| priced(c, GasPrice::Node), "");
        check(|c| priced(c, GasPrice::Fixed { wei: 9 }), "");
        check(|c| priced(c, GasPrice::Fixed { wei: 10 }), "costs 10 wei at least, gas_price_max_wei is 9");
        check(
            |c| (c.fee, c.gas_price_max_wei) = (Fee::Eip1559 { priority_wei: 10 }, Some(9)),
            "gas_price_max_wei is 9",
        );
    }
}
