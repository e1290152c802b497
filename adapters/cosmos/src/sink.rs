//! The writing side. It builds and broadcasts; it cannot sign.

use async_trait::async_trait;
use catenary_api::{
    Account, Broadcast, BuildRequest, ChainSink, Message, PublicKey, SignedTx, SinkLimits, TxHash, TxReceipt,
    UnsignedTx,
};
use catenary_light_clients::Hash32;
use prost::Message as _;
use tendermint::abci;
use tendermint_rpc::endpoint::{broadcast::tx_sync, tx as tx_endpoint};

use crate::address::account_address;
use crate::error::{shorten, Error, Result, SDK};
use crate::query::{self, At};
use crate::source::CosmosAdapter;
use crate::transport::{is_not_found, Attempts};
use crate::tx::{self, Signing};

const SIMULATE: &str = "/cosmos.tx.v1beta1.Service/Simulate";
/// "incorrect account sequence" (cosmos-sdk `types/errors`).
const WRONG_SEQUENCE: u32 = 32;
/// "tx already in mempool" (cosmos-sdk `types/errors`).
const ALREADY_IN_POOL: u32 = 19;
/// "mempool is full" (cosmos-sdk `types/errors`).
const POOL_FULL: u32 = 20;
/// Code space of ibc-go's channel errors, and in it "packet messages are redundant" (`04-channel/types/errors.go`).
const CHANNEL: &str = "channel";
const REDUNDANT: u32 = 22;
/// How simulation, whose errors carry no code, words a wrong sequence (cosmos-sdk `x/auth/ante/sigverify.go`).
const SEQUENCE_WORDS: &str = "account sequence mismatch";
/// How CometBFT words that it has seen a transaction before (`mempool/errors.go`).
const IN_CACHE_WORDS: &str = "tx already exists in cache";

/// `cosmos.tx.v1beta1.SimulateRequest`.
#[derive(Clone, PartialEq, Eq, prost::Message)]
struct SimulateRequest {
    #[prost(bytes = "vec", tag = "2")]
    tx_bytes: Vec<u8>,
}

/// `cosmos.base.abci.v1beta1.GasInfo`.
#[derive(Clone, PartialEq, Eq, prost::Message)]
struct GasInfo {
    #[prost(uint64, tag = "1")]
    gas_wanted: u64,
    #[prost(uint64, tag = "2")]
    gas_used: u64,
}

/// `cosmos.tx.v1beta1.SimulateResponse` without the events, which are many and not needed.
#[derive(Clone, PartialEq, Eq, prost::Message)]
struct SimulateResponse {
    #[prost(message, optional, tag = "1")]
    gas_info: Option<GasInfo>,
}

impl CosmosAdapter {
    async fn account_of(&self, key: &PublicKey) -> Result<Account> {
        let address = account_address(&self.config.address_prefix, key)?;
        let denom = &self.config.fee_denom;
        let (number, nonce) = query::account(&self.transport, &address, denom).await?;
        let balance =
            if denom.is_empty() { "0".to_owned() } else { query::balance(&self.transport, &address, denom).await? };
        Ok(Account { address, number, nonce, balance })
    }

    async fn build_tx(&self, request: BuildRequest<'_>) -> Result<UnsignedTx> {
        let signer = account_address(&self.config.address_prefix, request.public_key)?;
        if signer != request.account.address {
            let (expected, got) = (signer, shorten(&request.account.address));
            return Err(Error::Mismatch { chain: self.config.name.clone(), what: "account of the key", expected, got });
        }
        let messages = tx::messages(request.body, &signer);
        let max = self.config.messages_max;
        if messages.is_empty() || messages.len() > max {
            return Err(Error::TxMessages { chain: self.config.name.clone(), got: messages.len(), max });
        }
        let body = tx::body_bytes(messages);
        if body.len() > self.config.tx_bytes_max {
            let (got, max) = (body.len(), self.config.tx_bytes_max);
            return Err(Error::TxBytes { chain: self.config.name.clone(), got, max });
        }
        let (number, sequence) = (request.account.number, request.nonce);
        let signing = Signing { public_key: request.public_key, account_number: number, sequence };
        let gas = match self.simulate(&body, signing).await {
            // The sequence is not part of the estimate. One that runs ahead (other transactions are under way) or
            // behind is for the broadcast to judge, so the estimate is made once more with the one that the node names,
            // which counts what is in its pool, or else with that of the state.
            Err(Error::Sequence { reason, .. }) => {
                let (account_number, of_state) =
                    query::account(&self.transport, &signer, &self.config.fee_denom).await?;
                let sequence = expected_sequence(&reason).unwrap_or(of_state);
                self.simulate(&body, Signing { account_number, sequence, ..signing }).await?
            }
            other => other?,
        };
        tx::unsigned(&self.config, body, signing, tx::gas_limit(&self.config, gas)?)
    }

    async fn simulate(&self, body: &[u8], signing: Signing<'_>) -> Result<u64> {
        let tx_bytes = tx::simulation(body.to_vec(), signing, self.config.gas_max);
        let request = SimulateRequest { tx_bytes }.encode_to_vec();
        let chain = || self.config.name.clone();
        let answer = match query::abci(&self.transport, SIMULATE, request, At::Newest).await {
            Ok(answer) => answer,
            Err(Error::Query { reason, .. }) if reason.contains(SEQUENCE_WORDS) => {
                return Err(Error::Sequence { chain: chain(), used: signing.sequence, reason });
            }
            Err(Error::Query { codespace, code, reason, .. }) => {
                let reason = format!("{codespace}/{code}: {reason}");
                return Err(Error::Simulation { chain: chain(), reason });
            }
            Err(error) => return Err(error),
        };
        gas_used(&self.config.name, &answer.value)
    }

    async fn receipt_of(&self, hash: &TxHash) -> Result<Option<TxReceipt>> {
        let request = tx_endpoint::Request::new(tendermint::Hash::Sha256(*hash.0.as_bytes()), false);
        let answer = match self.transport.call(request, Attempts::Retry).await {
            Ok(answer) => answer,
            Err(error) if is_not_found(&error) => return Ok(None),
            Err(error) => return Err(error),
        };
        receipt(&self.config.name, &self.config.fee_denom, hash, &answer).map(Some)
    }
}

/// The sequence that a node says it expects (cosmos-sdk `x/auth/ante/sigverify.go`: "expected 5, got 4").
fn expected_sequence(reason: &str) -> Option<u64> {
    let (_, rest) = reason.split_once(SEQUENCE_WORDS)?;
    let (_, rest) = rest.split_once("expected ")?;
    rest.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
}

/// Gas in the answer to a simulation. Every transaction uses some.
fn gas_used(chain: &str, answer: &[u8]) -> Result<u64> {
    let wrong = |reason: String| Error::QueryDecode {
        chain: chain.to_owned(),
        what: "simulation answer",
        reason: shorten(&reason),
    };
    let answer = SimulateResponse::decode(answer).map_err(|error| wrong(error.to_string()))?;
    let gas = answer.gas_info.map_or(0, |info| info.gas_used);
    if gas == 0 {
        return Err(wrong("no gas used".to_owned()));
    }
    Ok(gas)
}

fn receipt(chain: &str, fee_denom: &str, hash: &TxHash, answer: &tx_endpoint::Response) -> Result<TxReceipt> {
    let got = Hash32::sha256(&[&answer.tx]);
    if got != hash.0 {
        let (expected, got) = (hash.to_string(), got.to_string());
        return Err(Error::Mismatch { chain: chain.to_owned(), what: "transaction", expected, got });
    }
    let result = &answer.tx_result;
    let success = result.code.is_ok();
    let refusal = || format!("{}/{}: {}", shorten(&result.codespace), result.code.value(), shorten(&result.log));
    Ok(TxReceipt {
        height: answer.height.value(),
        success,
        gas_used: u64::try_from(result.gas_used).unwrap_or_default(),
        fee: tx::fee_paid(chain, &answer.tx, fee_denom)?,
        error: (!success).then(refusal),
        created: None,
        output: if success { output(&result.events) } else { None },
    })
}

/// The client that a transaction created, or else the sequence of the first packet that it sent.
fn output(events: &[abci::Event]) -> Option<String> {
    let attribute = |kind: &str, key: &str| {
        let event = events.iter().find(|event| event.kind == kind)?;
        let found = event.attributes.iter().find(|attribute| attribute.key_bytes() == key.as_bytes())?;
        String::from_utf8(found.value_bytes().to_vec()).ok().map(|value| shorten(&value))
    };
    attribute("create_client", "client_id").or_else(|| attribute("send_packet", "packet_sequence"))
}

/// What the node's verdict on a transaction means.
fn broadcast_outcome(chain: &str, answer: &tx_sync::Response) -> Broadcast {
    let code = answer.code.value();
    let reason = shorten(&answer.log);
    match (answer.codespace.as_str(), code) {
        (_, 0) | (SDK, ALREADY_IN_POOL) => Broadcast::Accepted,
        (CHANNEL, REDUNDANT) => Broadcast::Redundant,
        (SDK, WRONG_SEQUENCE) => {
            // The log names both sequences.
            let error = Error::Refused { chain: chain.to_owned(), codespace: SDK.to_owned(), code, reason };
            Broadcast::NonceMismatch(error.into())
        }
        (codespace, code) => {
            let error = Error::Refused { chain: chain.to_owned(), codespace: shorten(codespace), code, reason };
            // A full pool says nothing of the transaction, which another pool may hold.
            if (codespace, code) == (SDK, POOL_FULL) {
                return Broadcast::Unknown(error.into());
            }
            Broadcast::Refused(error.into())
        }
    }
}

/// What a failed request to broadcast means.
fn broadcast_failure(error: Error) -> Broadcast {
    match &error {
        Error::Node { reason, .. } if reason.contains(IN_CACHE_WORDS) => Broadcast::Accepted,
        // The node answered, and what it said is that no node takes this. A full pool is none of these: it says nothing
        // of the transaction, which another pool may hold.
        Error::Node { reason, .. } if reason.contains("tx too large") => Broadcast::Refused(error.into()),
        _ => Broadcast::Unknown(error.into()),
    }
}

#[async_trait]
impl ChainSink for CosmosAdapter {
    async fn account(&self, key: &PublicKey) -> catenary_api::Result<Account> {
        Ok(self.judged(self.account_of(key).await)?)
    }

    fn address(&self, key: &PublicKey) -> catenary_api::Result<String> {
        Ok(account_address(&self.config.address_prefix, key)?)
    }

    async fn build(&self, request: BuildRequest<'_>) -> catenary_api::Result<UnsignedTx> {
        Ok(self.build_tx(request).await?)
    }

    fn finish(&self, unsigned: &UnsignedTx, signature: &[u8; 65]) -> catenary_api::Result<SignedTx> {
        Ok(tx::finish(&self.config, unsigned, signature)?)
    }

    /// Sent to one endpoint: after a failure nobody knows whether it arrived, and the chain will tell. Another endpoint
    /// is tried only when the first was not reached: a second answer after a first one that was lost might speak of a
    /// wrong sequence because the transaction is done.
    async fn broadcast(&self, tx: &SignedTx) -> Broadcast {
        match self.transport.call(tx_sync::Request::new(tx.bytes.clone()), Attempts::Unsent).await {
            Ok(answer) => broadcast_outcome(&self.config.name, &answer),
            Err(error) => broadcast_failure(error),
        }
    }

    async fn receipt(&self, hash: &TxHash) -> catenary_api::Result<Option<TxReceipt>> {
        Ok(self.judged(self.receipt_of(hash).await)?)
    }

    fn size_bytes(&self, message: &Message) -> usize {
        tx::message_bytes(&self.config, message)
    }

    fn limits(&self) -> SinkLimits {
        SinkLimits {
            tx_bytes_max: self.config.tx_bytes_max,
            gas_max: self.config.gas_max,
            messages_max: self.config.messages_max,
        }
    }
}

#[cfg(test)]
mod tests;
