//! Receipts: outcome, fee, and what a call produced.

use catenary_api::{TxHash, TxReceipt};
use catenary_light_clients::Hash32;
use catenary_protocol::attestation::Address;
use ethers_core::abi::{self, ParamType, Token};
use ethers_core::types::U256;
use serde_json::Value;

use crate::abi::Contract;
use crate::error::{Error, Result};
use crate::json;
use crate::limits;

/// Reads a receipt and its transaction; `None` when the transaction is in no block yet.
///
/// # Errors
/// A malformed field, or the receipt of another transaction.
pub(crate) fn from_json(
    hash: &TxHash,
    router: Option<Address>,
    receipt: &Value,
    tx: &Value,
) -> Result<Option<TxReceipt>> {
    if receipt.is_null() {
        return Ok(None);
    }
    read(hash, router, receipt, tx).map(Some).map_err(|reason| Error::Receipt { hash: hash.0, reason })
}

fn read(
    hash: &TxHash,
    router: Option<Address>,
    receipt: &Value,
    tx: &Value,
) -> core::result::Result<TxReceipt, String> {
    let got = Hash32(json::fixed(receipt.get("transactionHash")).map_err(in_field("transactionHash"))?);
    if got != hash.0 {
        return Err(format!("is that of {got}"));
    }
    let success = match json::quantity(receipt.get("status")).map_err(in_field("status"))? {
        0 => false,
        1 => true,
        other => return Err(format!("field status is {other}, expected 0 or 1")),
    };
    let gas_used = json::quantity(receipt.get("gasUsed")).map_err(in_field("gasUsed"))?;
    // Forks before London have no effective price; there it is the transaction's.
    let price = receipt.get("effectiveGasPrice").filter(|price| !price.is_null()).or_else(|| tx.get("gasPrice"));
    let price = json::quantity_bytes(price, 32).map_err(in_field("gasPrice"))?;
    let fee = U256::from_big_endian(&price).checked_mul(gas_used.into()).ok_or("has a fee beyond 256 bits")?;
    let created = match receipt.get("contractAddress") {
        None | Some(Value::Null) => None,
        address => Some(json::fixed(address).map_err(in_field("contractAddress"))?),
    };
    Ok(TxReceipt {
        height: json::quantity(receipt.get("blockNumber")).map_err(in_field("blockNumber"))?,
        success,
        gas_used,
        fee: fee.to_string(),
        error: None,
        created: created.filter(|_| success),
        output: if success { output(router, receipt)? } else { None },
    })
}

fn in_field(field: &str) -> impl Fn(String) -> String + '_ {
    move |reason| format!("field {field} {reason}")
}

/// The id of an added client, or else the sequence of a sent packet.
///
/// Only the router's logs count: a token that is called on the way could emit the same topics. Before a router is
/// configured, what was called must be one.
fn output(router: Option<Address>, receipt: &Value) -> core::result::Result<Option<String>, String> {
    let topic = |event| Contract::Router.event_topic(event).map_err(|error| error.to_string());
    let (added, sent) = (topic("ICS02ClientAdded")?, topic("SendPacket")?);
    let router = router.or_else(|| json::fixed(receipt.get("to")).ok());
    let logs = json::list(receipt.get("logs")).map_err(in_field("logs"))?;
    for log in logs.iter().take(limits::RECEIPT_LOGS_MAX) {
        let address: Address = json::fixed(log.get("address")).map_err(in_field("address"))?;
        let topics = json::list(log.get("topics")).map_err(in_field("topics"))?;
        let (Some(signature), true) = (topics.first(), Some(address) == router) else { continue };
        let signature = Hash32(json::fixed(Some(signature)).map_err(in_field("topics"))?);
        if signature == added {
            return client_id(&json::data(log.get("data")).map_err(in_field("data"))?).map(Some);
        }
        if signature == sent {
            let sequence = json::fixed::<32>(topics.get(2)).map_err(in_field("topics"))?;
            return Ok(Some(U256::from_big_endian(&sequence).to_string()));
        }
    }
    Ok(None)
}

/// `ICS02ClientAdded(string clientId, CounterpartyInfo counterpartyInfo, address client)`.
fn client_id(data: &[u8]) -> core::result::Result<String, String> {
    let counterparty = ParamType::Tuple(vec![ParamType::String, ParamType::Array(Box::new(ParamType::Bytes))]);
    if data.len() > limits::OUTPUT_BYTES_MAX {
        return Err(format!("ICS02ClientAdded has {} bytes of data", data.len()));
    }
    match abi::decode(&[ParamType::String, counterparty, ParamType::Address], data).as_deref() {
        Ok([Token::String(id), ..]) => Ok(id.clone()),
        _ => Err("ICS02ClientAdded does not decode".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use serde_json::json;

    use super::*;
    use crate::testing::{receipts, with};

    fn router(recorded: &Value) -> Address {
        json::fixed(recorded.pointer("/receipt/logs/0/address")).unwrap()
    }

    fn read(router: Option<Address>, recorded: &Value) -> Result<Option<TxReceipt>> {
        let hash = TxHash(Hash32(json::fixed(recorded["tx"].get("hash")).unwrap()));
        from_json(&hash, router, &recorded["receipt"], &recorded["tx"])
    }

    #[test]
    fn recorded_receipts_and_their_outputs() {
        let recorded = receipts();
        let router = router(&recorded[0]);
        let outputs = [Some("client-0"), Some("1"), None, None, Some("2"), None];
        for (recorded, output) in recorded.iter().zip(outputs) {
            let receipt = read(Some(router), recorded).unwrap().unwrap();
            assert_eq!(receipt.output.as_deref(), output);
            assert!(receipt.success && receipt.error.is_none() && receipt.created.is_none());
            assert_eq!(receipt.fee, "0", "gas is free there");
            assert_eq!(receipt.height, json::quantity(recorded["receipt"].get("blockNumber")).unwrap());
        }
        // Without a router the called contract counts as one: right for addClient, nothing for sendTransfer.
        assert_eq!(read(None, &recorded[0]).unwrap().unwrap().output.as_deref(), Some("client-0"));
        assert_eq!(read(None, &recorded[1]).unwrap().unwrap().output, None);
        assert_eq!(read(Some([7; 20]), &recorded[1]).unwrap().unwrap().output, None, "a stranger's log");
    }

    #[test]
    fn fees_outcomes_and_creations() {
        let recorded = receipts().remove(1);
        let gas = json::quantity(recorded["receipt"].get("gasUsed")).unwrap();
        let read = |changed: &Value| read(None, changed).unwrap().unwrap();
        let priced = with(&recorded, "/tx/gasPrice", json!("0x3b9aca00"));
        assert_eq!(read(&priced).fee, (u128::from(gas) * 1_000_000_000).to_string());
        let mut effective = priced;
        effective["receipt"]["effectiveGasPrice"] = json!("0x2");
        assert_eq!(read(&effective).fee, (gas * 2).to_string());
        let mut failed = with(&recorded, "/receipt/status", json!("0x0"));
        failed["receipt"]["contractAddress"] = json!(format!("0x{}", "ab".repeat(20)));
        let receipt = read(&failed);
        assert!(!receipt.success && receipt.output.is_none() && receipt.created.is_none());
        failed["receipt"]["status"] = json!("0x1");
        assert_eq!(read(&failed).created, Some([0xab; 20]));
    }

    #[test]
    fn receipts_that_are_none_are_refused() {
        let recorded = receipts().remove(0);
        let router = router(&recorded);
        let check = |pointer: &str, new: Value, words: &str| {
            let error = read(Some(router), &with(&recorded, pointer, new)).unwrap_err();
            assert_eq!(error.code(), "EVM-TXN-010", "{error}");
            assert!(error.to_string().contains(words), "{pointer}: {error}");
        };
        check("/receipt/transactionHash", json!(format!("0x{}", "ab".repeat(32))), "is that of 0xabab");
        check("/receipt/status", json!("0x2"), "status is 2");
        check("/receipt/status", Value::Null, "status is missing");
        check("/receipt/gasUsed", Value::Null, "gasUsed is missing");
        check("/receipt/blockNumber", json!(1), "blockNumber is no string");
        check("/receipt/logs", Value::Null, "logs is missing");
        check("/receipt/logs/0/data", json!("0x"), "does not decode");
        check("/receipt/logs/0/topics/0", json!("0x"), "topics has 0 bytes");
        check("/tx/gasPrice", Value::Null, "gasPrice is missing");
        check("/tx/gasPrice", json!(format!("0x{}", "f".repeat(64))), "beyond 256 bits");
        let hash = TxHash(Hash32([1; 32]));
        assert_eq!(from_json(&hash, None, &Value::Null, &Value::Null).unwrap(), None);
    }
}
