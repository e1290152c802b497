//! Receipts: outcome, fee, and what a call produced.

use catenary_api::{TxHash, TxReceipt};
use catenary_light_clients::Hash32;
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
pub(crate) fn from_json(hash: &TxHash, receipt: &Value, tx: &Value) -> Result<Option<TxReceipt>> {
    if receipt.is_null() {
        return Ok(None);
    }
    read(hash, receipt, tx).map(Some).map_err(|reason| Error::Receipt { hash: hash.0, reason })
}

fn read(hash: &TxHash, receipt: &Value, tx: &Value) -> core::result::Result<TxReceipt, String> {
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
        output: if success { output(receipt)? } else { None },
    })
}

fn in_field(field: &str) -> impl Fn(String) -> String + '_ {
    move |reason| format!("field {field} {reason}")
}

/// The id of an added client, or else the sequence of a sent packet.
fn output(receipt: &Value) -> core::result::Result<Option<String>, String> {
    let topic = |event| Contract::Router.event_topic(event).map_err(|error| error.to_string());
    let (added, sent) = (topic("ICS02ClientAdded")?, topic("SendPacket")?);
    let logs = json::list(receipt.get("logs")).map_err(in_field("logs"))?;
    for log in logs.iter().take(limits::RECEIPT_LOGS_MAX) {
        let topics = json::list(log.get("topics")).map_err(in_field("topics"))?;
        let Some(signature) = topics.first() else { continue };
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
