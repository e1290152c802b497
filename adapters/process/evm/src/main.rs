//! The EVM adapter as a program of its own: `catenary` starts it from a manifest (`evm.toml` beside this crate).
//!
//! Its settings are those of `[chains.evm]`, as text: `router`, `commitment_slot`, `gas_price` (wei, or `node`),
//! `gas_price_max_wei`, `fee` (`legacy` or `eip1559`), `priority_fee_wei`,
//! `gas_multiplier_percent`, `gas_max`, `tx_bytes_max`, `confirmations_blocks`, `validator_contract` and
//! `validator_slot`; and the chain's `family`, which is `qbft` unless said otherwise.

use std::io::Write as _;
use std::str::FromStr;
use std::sync::Arc;

use catenary_adapter_evm::{parse_address, EvmAdapter, EvmConfig, Fee, GasPrice};
use catenary_adapter_process::guest::{serve, socket_of, Opened, Opening, Plugin};
use catenary_api::{Error, Result};
use catenary_light_clients::bft::ValidatorContract;
use catenary_light_clients::{Class, Family};

/// A setting that is not known or cannot be read.
const SETTING: &str = "EVM-CFG-002";

struct Evm;

impl Plugin for Evm {
    fn name(&self) -> &str {
        "evm"
    }

    fn version(&self) -> &str {
        env!("CARGO_PKG_VERSION")
    }

    fn open(&self, opening: Opening) -> Result<Opened> {
        let adapter = Arc::new(EvmAdapter::new(config(&opening)?).map_err(Error::from)?);
        Ok(Opened { source: adapter.clone(), sink: Some(adapter) })
    }
}

fn refuse(key: &str, reason: &str) -> Error {
    // The value may be a secret that was put in the wrong place.
    Error { code: SETTING, class: Class::Config, message: format!("setting {key}: {reason}") }
}

fn number<T: FromStr>(key: &str, text: &str) -> Result<T> {
    text.parse().map_err(|_| refuse(key, "is no number in its range"))
}

fn slot(key: &str, text: &str) -> Result<[u8; 32]> {
    let bytes = hex::decode(text.trim_start_matches("0x")).ok().and_then(|bytes| bytes.try_into().ok());
    bytes.ok_or_else(|| refuse(key, "is no 32 bytes in hex"))
}

fn family(text: &str) -> Option<Family> {
    [Family::Qbft, Family::Ibft2].into_iter().find(|family| family.name() == text)
}

fn config(opening: &Opening) -> Result<EvmConfig> {
    let mut config = EvmConfig::new(&opening.chain, "", number("chain_id", &opening.chain_id)?);
    config.urls.clone_from(&opening.urls);
    for (key, text) in &opening.settings {
        match key.as_str() {
            "router" => config.router = Some(parse_address(text).map_err(Error::from)?),
            "commitment_slot" => config.commitment_slot = slot(key, text)?,
            "family" => config.family = family(text).ok_or_else(|| refuse(key, "is neither qbft nor ibft2"))?,
            "validator_contract" => {
                let slot =
                    opening.setting("validator_slot").map_or(Ok([0; 32]), |text| slot("validator_slot", text))?;
                let address = parse_address(text).map_err(Error::from)?;
                config.validator_contract = Some(ValidatorContract { address, slot });
            }
            // Read with its contract.
            "validator_slot" if opening.setting("validator_contract").is_some() => {}
            "gas_price" if text == "node" => config.gas_price = GasPrice::Node,
            "gas_price" => config.gas_price = GasPrice::Fixed { wei: number(key, text)? },
            "gas_price_max_wei" => config.gas_price_max_wei = Some(number(key, text)?),
            "fee" if text == "legacy" => config.fee = Fee::Legacy,
            "fee" if text == "eip1559" => {
                let tip = opening.setting("priority_fee_wei").map_or(Ok(0), |text| number("priority_fee_wei", text))?;
                config.fee = Fee::Eip1559 { priority_wei: tip };
            }
            "fee" => return Err(refuse(key, "is neither legacy nor eip1559")),
            // Read with the kind of fee.
            "priority_fee_wei" if opening.setting("fee") == Some("eip1559") => {}
            "gas_multiplier_percent" => config.gas_multiplier_percent = number(key, text)?,
            "gas_max" => config.gas_max = number(key, text)?,
            "tx_bytes_max" => config.tx_bytes_max = number(key, text)?,
            "confirmations_blocks" => config.confirmations_blocks = number(key, text)?,
            _ => return Err(refuse(key, "is not known")),
        }
    }
    Ok(config)
}

#[tokio::main]
async fn main() {
    let served = match socket_of(std::env::args_os()) {
        Ok(socket) => serve(Evm, &socket).await.map_err(|error| error.to_string()),
        Err(usage) => Err(usage),
    };
    let failed = served.is_err();
    if let Err(reason) = served {
        // The host keeps the last words; where nobody listens there is nobody to tell.
        let _ = writeln!(std::io::stderr(), "{reason}");
    }
    // Not by returning: the thread that waits for standard input would be waited for.
    std::process::exit(i32::from(failed));
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    fn opening(settings: &[(&str, &str)]) -> Opening {
        Opening {
            chain: "north".into(),
            chain_id: "1337".into(),
            urls: vec!["http://127.0.0.1:8545".into()],
            settings: settings.iter().map(|(key, value)| ((*key).into(), (*value).into())).collect(),
        }
    }

    #[test]
    fn settings_are_those_of_the_adapter() {
        let router = "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed";
        let slot = "0x".to_owned() + &"0b".repeat(32);
        let config = config(&opening(&[
            ("router", router),
            ("commitment_slot", &slot),
            ("family", "qbft"),
            ("validator_contract", router),
            ("validator_slot", &slot),
            ("gas_price", "7"),
            ("gas_multiplier_percent", "150"),
            ("gas_max", "100000"),
            ("tx_bytes_max", "5000"),
            ("confirmations_blocks", "2"),
        ]))
        .unwrap();
        assert_eq!(config.router, Some(parse_address(router).unwrap()));
        let contract = config.validator_contract.unwrap();
        assert_eq!((contract.address, contract.slot), (parse_address(router).unwrap(), [11; 32]));
        assert_eq!(config.family, Family::Qbft);
        assert_eq!((config.commitment_slot, config.gas_price), ([11; 32], GasPrice::Fixed { wei: 7 }));
        assert_eq!((config.gas_multiplier_percent, config.gas_max), (150, 100_000));
        assert_eq!((config.tx_bytes_max, config.confirmations_blocks, config.chain_id), (5_000, 2, 1_337));
        Evm.open(opening(&[("gas_price", "node"), ("gas_price_max_wei", "5")])).unwrap();
        let dynamic =
            super::config(&opening(&[("fee", "eip1559"), ("gas_price_max_wei", "50"), ("priority_fee_wei", "7")]));
        let dynamic = dynamic.unwrap();
        assert_eq!((dynamic.fee, dynamic.gas_price_max_wei), (Fee::Eip1559 { priority_wei: 7 }, Some(50)));
        assert_eq!(super::config(&opening(&[("fee", "legacy")])).unwrap().fee, Fee::Legacy);
    }

    #[test]
    fn settings_that_cannot_be_read_are_refused_without_their_value() {
        let check = |key: &str, value: &str, code: &str| {
            let error = Evm.open(opening(&[(key, value)])).unwrap_err();
            assert_eq!((error.code, error.class), (code, Class::Config), "{error}");
            if code == SETTING {
                assert!(!error.message.contains(value), "{error}");
            }
        };
        check("gas_max", "s3cret", SETTING);
        check("gas_price", "s3cret", SETTING);
        check("commitment_slot", "s3cret", SETTING);
        check("password", "s3cret", SETTING);
        check("family", "s3cret", SETTING);
        check("validator_slot", "s3cret", SETTING);
        check("router", "s3cret", "EVM-ABI-003");
        check("gas_max", "1", "EVM-CFG-001");
        check("fee", "s3cret", SETTING);
        check("priority_fee_wei", "s3cret", SETTING);
        // A price that the node names has a bound.
        check("gas_price", "node", "EVM-CFG-001");
        check("fee", "eip1559", "EVM-CFG-001");
    }
}
