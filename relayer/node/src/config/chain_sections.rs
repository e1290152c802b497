//! The `[chains.evm]`, `[chains.cosmos]` and `[chains.process]` sections.

use catenary_light_clients::bft::ValidatorContract;
use catenary_light_clients::Family;

use super::defaults;
use super::error::ProblemKind;
use super::raw::{RawChain, RawCosmos, RawEvm};
use super::types::{AdapterConfig, Cosmos, Evm, EvmFee, EvmGasPrice, Process, Replacing};
use super::values::Parser;

/// The section that the family needs; the other one is refused.
pub(super) fn adapter(parser: &mut Parser, at: &str, family: Family, raw: &RawChain) -> Option<AdapterConfig> {
    let (expected, other) = match family {
        Family::Qbft | Family::Ibft2 => ("evm", raw.cosmos.as_ref().map(|_| "cosmos")),
        Family::CometBft => ("cosmos", raw.evm.as_ref().map(|_| "evm")),
        // No section yet: the family cannot be named in a configuration.
        Family::Grandpa => return None,
    };
    if let Some(got) = other {
        let kind = ProblemKind::Section { family: family.to_string(), expected, got };
        parser.refuse(&format!("{at}.{got}"), kind);
    }
    match family {
        Family::Qbft | Family::Ibft2 => {
            decimal_chain_id(parser, at, &raw.chain_id);
            evm(parser, &format!("{at}.evm"), family, &raw.evm.clone().unwrap_or_default()).map(AdapterConfig::Evm)
        }
        Family::CometBft => cosmos(parser, &format!("{at}.cosmos"), raw.cosmos.as_ref()).map(AdapterConfig::Cosmos),
        Family::Grandpa => None,
    }
}

/// The adapter's own process, when the chain says `adapter = "process"`. The family's section stays: it says where the
/// light client finds what it verifies, and goes to the adapter as settings.
pub(super) fn process(parser: &mut Parser, at: &str, raw: &RawChain) -> Option<Option<Process>> {
    let key = |name: &str| format!("{at}.{name}");
    match (raw.adapter.as_deref(), &raw.process) {
        (None | Some("builtin"), None) => Some(None),
        (None | Some("builtin"), Some(_)) => {
            parser.missing(&key("adapter"), "say adapter = \"process\", or drop the section")
        }
        (Some("process"), None) => {
            parser.missing(&key("process"), "name the adapter's manifest and the sha256 of its executable")
        }
        (Some("process"), Some(section)) => {
            let sha256 = parser.hash(&key("process.sha256"), &section.sha256);
            if section.manifest.is_empty() {
                return parser.missing(&key("process.manifest"), "the path of the adapter's manifest");
            }
            let (manifest, settings) = (section.manifest.clone().into(), section.settings.clone());
            Some(Some(Process { manifest, sha256: sha256?, settings }))
        }
        (Some(got), _) => {
            let expected = "where the adapter runs: builtin or process";
            parser.refuse(&key("adapter"), ProblemKind::Malformed { got: got.into(), expected });
            None
        }
    }
}

fn decimal_chain_id(parser: &mut Parser, at: &str, text: &str) {
    // v = recovery id + 35 + 2 · chain id must fit (EIP-155).
    let fits = |id: u64| id > 0 && id < (u64::MAX - 36) / 2;
    let canonical = text.parse::<u64>().is_ok_and(|id| fits(id) && id.to_string() == text);
    if !canonical {
        let expected = "an EIP-155 chain id in decimal";
        parser.refuse(&format!("{at}.chain_id"), ProblemKind::Malformed { got: text.into(), expected });
    }
}

fn evm(parser: &mut Parser, at: &str, family: Family, raw: &RawEvm) -> Option<Evm> {
    let key = |name: &str| format!("{at}.{name}");
    let router = raw.router.as_deref().map(|text| parser.address(&key("router"), text));
    let transfer = raw.transfer.as_deref().map(|text| parser.address(&key("transfer"), text));
    let slot = raw.commitment_slot.as_deref().unwrap_or(defaults::COMMITMENT_SLOT);
    let slot = parser.hash(&key("commitment_slot"), slot);
    let validators = raw.validator_contract.as_deref().map(|text| validator_contract(parser, at, family, (text, raw)));
    if let (None, Some(got)) = (&raw.validator_contract, &raw.validator_slot) {
        let expected = "of use without validator_contract";
        parser.refuse(&key("validator_slot"), ProblemKind::Malformed { got: got.clone(), expected });
    }
    let price = evm_price(parser, at, raw);
    let multiplier = raw.gas_multiplier_percent.unwrap_or(defaults::GAS_MULTIPLIER_PERCENT);
    let multiplier = parser.range(&key("gas_multiplier_percent"), multiplier, 100, 1_000);
    let gas_max = parser.range(&key("gas_max"), raw.gas_max.unwrap_or(defaults::EVM_GAS_MAX), 21_000, u64::MAX);
    let bytes = raw.tx_bytes_max.unwrap_or(defaults::EVM_TX_BYTES_MAX);
    let bytes = parser.size(&key("tx_bytes_max"), bytes, 4_096, 1024 * 1024);
    let confirmations = parser.range(&key("confirmations_blocks"), raw.confirmations_blocks.unwrap_or(0), 0, 10_000);
    Some(Evm {
        router: router.flatten(),
        transfer: transfer.flatten(),
        commitment_slot: slot?,
        validator_contract: validators.flatten(),
        gas_price: price?.gas_price,
        gas_price_max_wei: raw.gas_price_max_wei,
        fee: price?.fee,
        replacing: price?.replacing,
        gas_multiplier_percent: multiplier?,
        gas_max: gas_max?,
        tx_bytes_max: bytes?,
        confirmations_blocks: confirmations?,
    })
}

/// What gas costs on an EVM chain, and what is done when that is too little.
#[derive(Clone, Copy)]
struct EvmPrice {
    gas_price: EvmGasPrice,
    fee: EvmFee,
    replacing: Replacing,
}

/// A price that the node names has a bound, whatever the kind of fee.
fn evm_price(parser: &mut Parser, at: &str, raw: &RawEvm) -> Option<EvmPrice> {
    let key = |name: &str| format!("{at}.{name}");
    let mut refuse = |name: &str, got: String, expected: &'static str| {
        parser.refuse(&key(name), ProblemKind::Malformed { got, expected });
    };
    let gas_price = match raw.gas_price.as_deref().unwrap_or("0") {
        "node" => Some(EvmGasPrice::Node),
        text if text.bytes().all(|b| b.is_ascii_digit()) => text.parse().ok().map(|wei| EvmGasPrice::Fixed { wei }),
        _ => None,
    };
    let text = || raw.gas_price.clone().unwrap_or_default();
    if gas_price.is_none() {
        refuse("gas_price", text(), "a gas price: wei in decimal, or node");
    }
    let fee = match raw.fee.as_deref() {
        None | Some("legacy") => Some(EvmFee::Legacy),
        Some("eip1559") => Some(EvmFee::Eip1559 { priority_wei: raw.priority_fee_wei.unwrap_or(0) }),
        Some(other) => {
            refuse("fee", other.into(), "a kind of fee: legacy or eip1559");
            None
        }
    };
    let dynamic = matches!(fee, Some(EvmFee::Eip1559 { .. }));
    if dynamic && raw.gas_price.is_some() {
        refuse("gas_price", text(), "of use with fee = \"legacy\" only: the chain has a base fee");
    }
    if let (Some(EvmFee::Legacy), Some(got)) = (fee, raw.priority_fee_wei) {
        refuse("priority_fee_wei", got.to_string(), "of use with fee = \"eip1559\" only");
    }
    let least = match (fee, gas_price) {
        (Some(EvmFee::Eip1559 { priority_wei }), _) => u128::from(priority_wei),
        (_, Some(EvmGasPrice::Fixed { wei })) => wei,
        _ => 0,
    };
    if let Some(max) = raw.gas_price_max_wei.filter(|max| least > u128::from(*max)) {
        refuse("gas_price_max_wei", max.to_string(), "at least what a unit of gas is to cost");
    }
    if raw.gas_price_max_wei.is_none() && (dynamic || gas_price == Some(EvmGasPrice::Node)) {
        parser.missing::<()>(&key("gas_price_max_wei"), "the node names the price of gas, so say what is too much");
    }
    let after =
        parser.duration_or(&key("replace_after"), raw.replace_after.as_deref(), defaults::REPLACE_AFTER_SECONDS);
    let most = raw.replacements_max.unwrap_or(defaults::REPLACEMENTS);
    let most = parser.range(&key("replacements_max"), most, 0, defaults::REPLACEMENTS_MAX)?;
    let replacing = Replacing { after_seconds: after?, most: u32::try_from(most).ok()? };
    Some(EvmPrice { gas_price: gas_price?, fee: fee?, replacing })
}

/// The contract that keeps the validators, and the slot of its array: a number, or a whole slot in hex.
fn validator_contract(
    parser: &mut Parser,
    at: &str,
    family: Family,
    (text, raw): (&str, &RawEvm),
) -> Option<ValidatorContract> {
    if family != Family::Qbft {
        let expected = "of use here: only QBFT chains keep validators in a contract";
        parser.refuse(&format!("{at}.validator_contract"), ProblemKind::Malformed { got: text.into(), expected });
        return None;
    }
    let address = parser.address(&format!("{at}.validator_contract"), text);
    let slot = raw.validator_slot.as_deref().unwrap_or("0");
    let slot = match slot.parse::<u64>() {
        Ok(number) => {
            let mut slot = [0; 32];
            slot[24..].copy_from_slice(&number.to_be_bytes());
            Some(slot)
        }
        Err(_) => parser.hash(&format!("{at}.validator_slot"), slot).map(|slot| slot.0),
    };
    Some(ValidatorContract { address: address?.0, slot: slot? })
}

fn cosmos(parser: &mut Parser, at: &str, raw: Option<&RawCosmos>) -> Option<Cosmos> {
    let Some(raw) = raw else { return parser.missing(at, "name address_prefix, fee_denom and gas_price of the chain") };
    let key = |name: &str| format!("{at}.{name}");
    let address_prefix = match raw.address_prefix.as_deref() {
        Some(text) if !text.is_empty() && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit()) => {
            Some(text.into())
        }
        Some(got) => {
            let expected = "an address prefix such as cosmos";
            parser.refuse(&key("address_prefix"), ProblemKind::Malformed { got: got.into(), expected });
            None
        }
        None => parser.missing(&key("address_prefix"), "the human-readable part of addresses, such as cosmos"),
    };
    let gas_price = raw.gas_price.clone().unwrap_or_else(|| "0".into());
    if !is_decimal(&gas_price) {
        let (got, expected) = (gas_price.clone(), "a decimal such as 0.025");
        parser.refuse(&key("gas_price"), ProblemKind::Malformed { got, expected });
    }
    let fee_denom = raw.fee_denom.clone().unwrap_or_default();
    if fee_denom.is_empty() && gas_price.bytes().any(|b| (b'1'..=b'9').contains(&b)) {
        parser.missing::<()>(&key("fee_denom"), "gas_price is above zero, so name the denomination that pays it");
    }
    let multiplier = raw.gas_multiplier_percent.unwrap_or(defaults::GAS_MULTIPLIER_PERCENT);
    let multiplier = parser.range(&key("gas_multiplier_percent"), multiplier, 100, 1_000);
    let gas_max = parser.range(&key("gas_max"), raw.gas_max.unwrap_or(defaults::COSMOS_GAS_MAX), 100_000, u64::MAX);
    let bytes = raw.tx_bytes_max.unwrap_or(defaults::COSMOS_TX_BYTES_MAX);
    let bytes = parser.size(&key("tx_bytes_max"), bytes, 4_096, 16 * 1024 * 1024);
    let messages = raw.messages_max.unwrap_or(defaults::COSMOS_MESSAGES_MAX);
    let messages = parser.size(&key("messages_max"), messages, 1, 1_000);
    let store_prefix = raw.store_prefix.clone().unwrap_or_else(|| vec!["ibc".into(), String::new()]);
    if !matches!(store_prefix.as_slice(), [store, _] if !store.is_empty()) {
        let (got, expected) = (format!("{store_prefix:?}"), "a store name and a key prefix, as [\"ibc\", \"\"]");
        parser.refuse(&key("store_prefix"), ProblemKind::Malformed { got, expected });
        return None;
    }
    Some(Cosmos {
        address_prefix: address_prefix?,
        fee_denom,
        gas_price,
        gas_multiplier_percent: multiplier?,
        gas_max: gas_max?,
        tx_bytes_max: bytes?,
        messages_max: messages?,
        store_prefix,
    })
}

fn is_decimal(text: &str) -> bool {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
    let digits = |part: &str| (1..=18).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_digit());
    digits(whole) && digits(fraction)
}
