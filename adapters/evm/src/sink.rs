//! The writing side: transactions, broadcasts, receipts.

use async_trait::async_trait;
use catenary_api::{
    Account, Broadcast, BuildRequest, ChainSink, Message, PlainBuildRequest, PlainSink, PublicKey, ReplacingSink,
    SignedTx, SinkLimits, TxHash, TxReceipt, UnsignedTx,
};
use catenary_light_clients::Hash32;
use catenary_protocol::attestation::Address;
use ethers_core::types::U256;
use ethers_providers::JsonRpcError;
use serde_json::{json, Map, Value};

use crate::adapter::{revert_data, EvmAdapter};
use crate::error::{shorten, Error, Result};
use crate::fee::Price;
use crate::json::{self as strict, hex0x, to_quantity};
use crate::rpc::Request;
use crate::tx::{self, checksummed, Gas, Payload};
use crate::{abi, limits, receipt};

/// What a node's refusal of a transaction means.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Refusal {
    /// It is in the pool already.
    Known,
    /// Its nonce is used, perhaps by itself.
    NonceUsed,
    /// Its nonce is ahead, or another transaction with it waits in the pool.
    Nonce,
    /// It will not be included.
    Final,
    /// Nobody can say.
    Unclear,
}

/// Reads the words of geth, GoQuorum, Besu and Nethermind; there are no codes for these.
fn refusal(error: &JsonRpcError) -> Refusal {
    let text = error.message.to_lowercase().replace(['_', ' '], "");
    let has = |words: &[&str]| words.iter().any(|word| text.contains(word));
    if has(&["alreadyknown", "knowntransaction", "alreadyimported", "alreadyexists"]) {
        Refusal::Known
    } else if has(&["noncetoolow", "oldnonce"]) {
        Refusal::NonceUsed
    } else if has(&["noncetoohigh", "noncegap", "noncetoodistant", "replacementtransaction", "replacementunderpriced"])
    {
        Refusal::Nonce
    } else if has(&["poolisfull", "poollimit", "transactionunderpriced", "timeout", "internalerror"])
        || matches!(error.code, -32603 | -32005)
    {
        // A full pool, which geth words as a price that is too low for it, an internal error and a rate limit (EIP-1474)
        // say nothing of the transaction itself: another pool may hold it.
        Refusal::Unclear
    } else {
        Refusal::Final
    }
}

impl EvmAdapter {
    async fn account_claim(&self, key: &PublicKey) -> Result<Account> {
        let address = tx::address_of(key)?;
        let at = hex0x(&address);
        // The count of the newest state, not of the pool: a pool differs from node to node and forgets.
        let requests = [
            Request::new("eth_getTransactionCount", json!([at, "latest"])),
            Request::new("eth_getBalance", json!([at, "latest"])),
        ];
        let answers = self.rpc.batch_all(&requests).await?;
        let refuse = |call: &'static str| move |reason: String| self.bad_output(call, &address, reason);
        let nonce = strict::quantity(answers.first()).map_err(refuse("eth_getTransactionCount"))?;
        let balance = strict::quantity_bytes(answers.get(1), 32).map_err(refuse("eth_getBalance"))?;
        let balance = U256::from_big_endian(&balance).to_string();
        Ok(Account { address: checksummed(&address), number: 0, nonce, balance })
    }

    async fn build_tx(&self, request: PlainBuildRequest<'_>) -> Result<UnsignedTx> {
        let payload = tx::payload(|| self.router(), &request.body)?;
        let max = self.config.tx_bytes_max;
        // Before the node is asked: an estimate of what cannot be sent is wasted.
        if payload.data.len() > max {
            return Err(Error::TxTooLarge { got: payload.data.len(), max });
        }
        let from = tx::address_of(request.public_key)?;
        let price = self.price().await?;
        let estimate = self.estimate(&from, &payload, price).await?;
        let limit = estimate.saturating_mul(self.config.gas_multiplier_percent) / 100;
        let gas = Gas { limit: limit.min(self.config.gas_max), price };
        let unsigned = tx::unsigned(self.config.chain_id, payload, request.nonce, gas);
        if unsigned.size_bytes > max {
            return Err(Error::TxTooLarge { got: unsigned.size_bytes, max });
        }
        Ok(unsigned)
    }

    async fn estimate(&self, from: &Address, payload: &Payload, price: Price) -> Result<u64> {
        let mut call = Map::new();
        call.insert("from".to_owned(), hex0x(from).into());
        if let Some(to) = payload.to {
            call.insert("to".to_owned(), hex0x(&to).into());
        }
        call.insert("data".to_owned(), hex0x(&payload.data).into());
        call.insert("gas".to_owned(), to_quantity(self.config.gas_max));
        call.extend(price.fields().into_iter().map(|(name, value)| (name.to_owned(), value)));
        match self.rpc.call("eth_estimateGas", Value::Array(vec![Value::Object(call)])).await {
            Ok(answer) => {
                let at = payload.to.unwrap_or_default();
                let gas = strict::quantity(Some(&answer));
                let gas = gas.map_err(|reason| self.bad_output("eth_estimateGas", &at, reason))?;
                if gas > self.config.gas_max {
                    return Err(Error::TooMuchGas { max: self.config.gas_max });
                }
                Ok(gas)
            }
            Err(Error::Node { endpoint, method, error }) => Err(self.estimate_error(endpoint, method, error)),
            Err(error) => Err(error),
        }
    }

    fn estimate_error(&self, endpoint: String, method: String, error: JsonRpcError) -> Error {
        let text = error.message.to_lowercase();
        if let Some(data) = revert_data(&error) {
            Error::WouldRevert { reason: abi::revert_reason(&data) }
        } else if text.contains("gas required exceeds") || text.contains("out of gas") {
            Error::TooMuchGas { max: self.config.gas_max }
        } else if text.contains("insufficient funds") {
            Error::Refused { reason: shorten(&error.message) }
        } else {
            Error::Node { endpoint, method, error }
        }
    }

    /// The same transaction at a higher price. Only bytes that `finish` made are taken.
    async fn replaced(&self, previous: &SignedTx) -> Result<Option<UnsignedTx>> {
        let (payload, nonce, gas) = tx::reopened(self.config.chain_id, &previous.bytes)?;
        let Some(price) = self.replacement_price(gas.price).await? else { return Ok(None) };
        Ok(Some(tx::unsigned(self.config.chain_id, payload, nonce, Gas { price, ..gas })))
    }

    async fn send(&self, tx: &SignedTx) -> Broadcast {
        match self.rpc.call_once("eth_sendRawTransaction", json!([hex0x(&tx.bytes)])).await {
            Ok(answer) => match strict::fixed(Some(&answer)) {
                Ok(hash) if Hash32(hash) == tx.hash.0 => Broadcast::Accepted,
                _ => {
                    let got = shorten(&answer.to_string());
                    Broadcast::Unknown(Error::OtherHash { got, expected: tx.hash.0 }.into())
                }
            },
            Err(Error::Node { endpoint, method, error }) => {
                let reason = shorten(&error.message);
                match refusal(&error) {
                    Refusal::Known => Broadcast::Accepted,
                    Refusal::NonceUsed => self.used_nonce(tx, reason).await,
                    Refusal::Nonce => Broadcast::NonceMismatch(Error::Nonce { reason }.into()),
                    Refusal::Final => Broadcast::Refused(Error::Refused { reason }.into()),
                    Refusal::Unclear => Broadcast::Unknown(Error::Node { endpoint, method, error }.into()),
                }
            }
            Err(error) => Broadcast::Unknown(error.into()),
        }
    }

    /// A used nonce is a success when it was this very transaction that used it.
    async fn used_nonce(&self, tx: &SignedTx, reason: String) -> Broadcast {
        match self.rpc.call("eth_getTransactionByHash", json!([hex0x(tx.hash.0.as_bytes())])).await {
            Ok(Value::Null) => Broadcast::NonceMismatch(Error::Nonce { reason }.into()),
            Ok(_) => Broadcast::Accepted,
            Err(error) => Broadcast::Unknown(error.into()),
        }
    }

    async fn receipt_of(&self, hash: &TxHash) -> Result<Option<TxReceipt>> {
        let id = hex0x(hash.0.as_bytes());
        let requests = [
            Request::new("eth_getTransactionReceipt", json!([id])),
            Request::new("eth_getTransactionByHash", json!([id])),
        ];
        let answers = self.rpc.batch_all(&requests).await?;
        let [json_receipt, json_tx] = answers.as_slice() else { return Ok(None) };
        let Some(mut receipt) = receipt::from_json(hash, self.config.router, json_receipt, json_tx)? else {
            return Ok(None);
        };
        if !receipt.success {
            receipt.error = Some(self.failure(json_receipt, json_tx, receipt.height).await);
        }
        Ok(Some(receipt))
    }

    /// Why a transaction failed, as well as it can be told: from the receipt, where the node keeps reasons, else by
    /// calling the same in the state before its block. For people only.
    async fn failure(&self, receipt: &Value, tx: &Value, height: u64) -> String {
        if let Ok(data) = strict::data(receipt.get("revertReason")) {
            return abi::revert_reason(&data);
        }
        let mut call = Map::new();
        for (field, name) in
            [("from", "from"), ("to", "to"), ("gas", "gas"), ("gasPrice", "gasPrice"), ("input", "data")]
        {
            if let Some(value) = tx.get(field).filter(|value| !value.is_null()) {
                call.insert(name.to_owned(), value.clone());
            }
        }
        let before = to_quantity(height.saturating_sub(1));
        match self.rpc.call("eth_call", json!([call, before])).await {
            Err(Error::Node { error, .. }) => {
                revert_data(&error).map_or_else(|| shorten(&error.message), |data| abi::revert_reason(&data))
            }
            Err(error) => format!("failed; the reason could not be read ({})", error.code()),
            Ok(_) => "failed, though the same call succeeds in the state before its block".to_owned(),
        }
    }
}

#[async_trait]
impl ChainSink for EvmAdapter {
    async fn account(&self, key: &PublicKey) -> catenary_api::Result<Account> {
        Ok(self.account_claim(key).await?)
    }

    fn address(&self, key: &PublicKey) -> catenary_api::Result<String> {
        Ok(checksummed(&tx::address_of(key)?))
    }

    async fn build(&self, request: BuildRequest<'_>) -> catenary_api::Result<UnsignedTx> {
        Ok(self.build_tx(request.view()).await?)
    }

    fn finish(&self, unsigned: &UnsignedTx, signature: &[u8; 65]) -> catenary_api::Result<SignedTx> {
        Ok(tx::signed(self.config.chain_id, unsigned, signature)?)
    }

    async fn broadcast(&self, tx: &SignedTx) -> Broadcast {
        self.send(tx).await
    }

    async fn receipt(&self, hash: &TxHash) -> catenary_api::Result<Option<TxReceipt>> {
        Ok(self.receipt_of(hash).await?)
    }

    fn size_bytes(&self, message: &Message) -> usize {
        // A message that cannot be encoded is refused by `build`; here it counts as too large for any transaction.
        abi::message(message.view()).map_or(usize::MAX, |data| data.len().saturating_add(limits::MULTICALL_ITEM_BYTES))
    }

    fn limits(&self) -> SinkLimits {
        SinkLimits {
            tx_bytes_max: self.config.tx_bytes_max,
            gas_max: self.config.gas_max,
            messages_max: limits::MESSAGES_MAX,
        }
    }
}

#[async_trait]
impl ReplacingSink for EvmAdapter {
    async fn replacement(&self, previous: &SignedTx) -> catenary_api::Result<Option<UnsignedTx>> {
        Ok(self.replaced(previous).await?)
    }
}

#[async_trait]
impl PlainSink for EvmAdapter {
    async fn build_plain(&self, request: PlainBuildRequest<'_>) -> catenary_api::Result<UnsignedTx> {
        Ok(self.build_tx(request).await?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refusals_of_nodes_are_told_apart() {
        let check = |code: i64, message: &str, expected: Refusal| {
            let error = JsonRpcError { code, message: message.to_owned(), data: None };
            assert_eq!(refusal(&error), expected, "{message}");
        };
        // geth and GoQuorum
        check(-32000, "already known", Refusal::Known);
        check(-32000, "known transaction: 0xabc", Refusal::Known);
        check(-32000, "nonce too low", Refusal::NonceUsed);
        check(-32000, "nonce too low: address 0x1, tx: 0 state: 1", Refusal::NonceUsed);
        check(-32000, "nonce too high", Refusal::Nonce);
        check(-32000, "replacement transaction underpriced", Refusal::Nonce);
        check(-32000, "txpool is full", Refusal::Unclear);
        check(-32000, "insufficient funds for gas * price + value", Refusal::Final);
        check(-32000, "intrinsic gas too low", Refusal::Final);
        check(-32000, "exceeds block gas limit", Refusal::Final);
        check(-32000, "oversized data", Refusal::Final);
        check(-32000, "invalid sender", Refusal::Final);
        check(-32000, "rlp: value size exceeds available input length", Refusal::Final);
        // Besu
        check(-32000, "Known transaction", Refusal::Known);
        check(-32001, "Nonce too low", Refusal::NonceUsed);
        check(-32006, "Nonce too high", Refusal::Nonce);
        check(-32000, "TX_FEECAP_EXCEEDED", Refusal::Final);
        check(-32000, "NONCE_TOO_DISTANT_IN_FUTURE_FOR_SENDER", Refusal::Nonce);
        check(-32000, "TRANSACTION_REPLACEMENT_UNDERPRICED", Refusal::Nonce);
        // Nethermind
        check(-32010, "AlreadyKnown", Refusal::Known);
        check(-32010, "OldNonce, Current nonce: 5, nonce of rejected tx: 4", Refusal::NonceUsed);
        // JSON-RPC and EIP-1474
        check(-32603, "Internal error", Refusal::Unclear);
        check(-32005, "request rate limited", Refusal::Unclear);
    }

    #[test]
    fn a_price_that_is_too_low_for_a_full_pool_is_not_final() {
        for message in ["transaction underpriced", "transaction underpriced: tip needed 1, tip permitted 0"] {
            let error = JsonRpcError { code: -32000, message: message.to_owned(), data: None };
            assert_eq!(refusal(&error), Refusal::Unclear, "{message}");
        }
    }
}
