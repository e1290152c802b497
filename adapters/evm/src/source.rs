//! The reading side: heads, headers, events, proofs and on-chain clients.

use std::sync::atomic::Ordering;

use async_trait::async_trait;
use catenary_api::limits::{HEIGHTS_MAX, PATHS_MAX};
use catenary_api::{ChainSource, ClientClaim, EventClaim, Head, Identity, PacketSearch, ProofClaim};
use catenary_light_clients::qbft::commitment_slot;
use catenary_light_clients::Timestamp;
use catenary_protocol::attestation::Address;
use ethers_core::abi::{ParamType, Token};
use ethers_providers::JsonRpcError;
use serde_json::{json, Value};

use crate::abi::{self, Contract};
use crate::adapter::{EvmAdapter, Read, Target};
use crate::error::{shorten, Error, Result};
use crate::json::{self as strict, hex0x, to_quantity};
use crate::rpc::Request;
use crate::tx::checksummed;
use crate::{events, header, proof};

/// Why block 0 has no update where a contract keeps the validators.
const NO_PARENT: &str = "block 0 has no parent, whose state would keep its validators";

fn block_request(height: u64) -> Request {
    Request::new("eth_getBlockByNumber", json!([to_quantity(height), false]))
}

fn check_range(from: u64, to: u64) -> Result<u64> {
    let count = to.checked_sub(from).ok_or(Error::EmptyRange { from, to })?.saturating_add(1);
    if count > HEIGHTS_MAX {
        return Err(Error::RequestTooLarge { what: "heights", got: count, max: HEIGHTS_MAX });
    }
    Ok(count)
}

fn check_paths(paths: &[Vec<u8>]) -> Result<()> {
    if paths.len() > PATHS_MAX {
        return Err(Error::RequestTooLarge { what: "paths", got: paths.len() as u64, max: PATHS_MAX as u64 });
    }
    Ok(())
}

/// Words by which nodes say that a block or its state is not there.
pub(crate) fn is_missing(error: &JsonRpcError) -> bool {
    let text = error.message.to_lowercase();
    ["header not found", "missing trie node", "unknown block", "block not found", "world state unavailable"]
        .iter()
        .any(|words| text.contains(words))
}

impl EvmAdapter {
    /// The newest block, with the logs of the block that is scanned next.
    async fn newest(&self) -> Result<Value> {
        let latest = Request::new("eth_getBlockByNumber", json!(["latest", false]));
        let next = self.ahead.next().and_then(|height| Some((height, self.logs_request(height, height).ok()?)));
        let Some((next, logs)) = next else { return self.rpc.call(latest.method, latest.params).await };
        let mut answers = self.rpc.batch(&[latest, logs]).await?.into_iter();
        let block = answers.next().unwrap_or(Ok(Value::Null));
        let block = block.map_err(|error| self.rpc.node_error("eth_getBlockByNumber", error))?;
        let head = head_of(&block)?.height;
        // The head came before the logs, as in a scan; a node may refuse a block that is still to come.
        let logs = answers.next().and_then(core::result::Result::ok).filter(|_| head >= next);
        self.ahead.looked((head, block.clone()), logs.map(|logs| (next, logs)));
        Ok(block)
    }

    async fn head_claim(&self) -> Result<Head> {
        let block = self.newest().await?;
        let newest = head_of(&block)?;
        let height = newest.height.saturating_sub(self.config.confirmations_blocks);
        if height == newest.height {
            return Ok(newest);
        }
        let block = self.rpc.call("eth_getBlockByNumber", json!([to_quantity(height), false])).await?;
        match head_of(&block)? {
            head if head.height == height => Ok(head),
            other => Err(Error::OtherBlock { asked: height, got: other.height }),
        }
    }

    async fn identity_claim(&self) -> Result<Identity> {
        let requests = [Request::new("eth_chainId", json!([])), block_request(0)];
        let answers = self.rpc.batch_all(&requests).await?;
        let [chain_id, genesis] = answers.as_slice() else { return Err(Error::NoBlock { height: 0 }) };
        let chain_id = strict::quantity(Some(chain_id)).map_err(|reason| Error::Config {
            chain: self.config.name.clone(),
            reason: format!("the chain id of the endpoint {reason}"),
        })?;
        let genesis_hash = match genesis {
            Value::Null => None,
            block => Some(header::from_json(self.config.family, 0, block)?.hash),
        };
        Ok(Identity { chain_id: chain_id.to_string(), genesis_hash })
    }

    async fn header_rlps(&self, from: u64, to: u64) -> Result<Vec<Vec<u8>>> {
        let family = self.config.family;
        if let Some(block) = self.ahead.take_block(to).filter(|_| from == to) {
            return Ok(vec![header::from_json(family, to, &block)?.rlp]);
        }
        let requests: Vec<Request> = (from..=to).map(block_request).collect();
        let blocks = self.rpc.batch_all(&requests).await?;
        (from..=to).zip(blocks).map(|(height, block)| Ok(header::from_json(family, height, &block)?.rlp)).collect()
    }

    async fn update_bytes(&self, from: u64, to: u64) -> Result<Vec<Vec<u8>>> {
        check_range(from, to)?;
        let Some(contract) = self.config.validator_contract else { return self.header_rlps(from, to).await };
        let below = from.checked_sub(1).ok_or_else(|| Error::NoState { height: 0, reason: NO_PARENT.to_owned() })?;
        // Two batches, since one block more might not fit into one.
        let parent = self.header_rlps(below, below).await?;
        let headers = self.header_rlps(from, to).await?;
        self.contract_updates(&contract, below, [parent, headers].concat()).await
    }

    fn logs_request(&self, from: u64, to: u64) -> Result<Request> {
        let filter = json!([{
            "fromBlock": to_quantity(from), "toBlock": to_quantity(to),
            "address": hex0x(&self.router()?), "topics": [events::topics()?],
        }]);
        Ok(Request::new("eth_getLogs", filter))
    }

    async fn logs(&self, from: u64, to: u64) -> Result<Value> {
        if let Some(logs) = self.ahead.logs(to).filter(|_| from == to) {
            return Ok(logs);
        }
        // The head comes from the same endpoint and before the logs: a node that is behind answers a range beyond
        // its head with what it has, which would be a gap.
        let requests = [Request::new("eth_blockNumber", json!([])), self.logs_request(from, to)?];
        let answers = self.rpc.batch_all(&requests).await?;
        let mut answers = answers.into_iter();
        let (Some(head), Some(logs)) = (answers.next(), answers.next()) else {
            return Err(Error::NoBlock { height: to });
        };
        let head = strict::quantity(Some(&head)).map_err(|reason| Error::Log { field: "eth_blockNumber", reason })?;
        if head < to {
            return Err(Error::RangeAhead { head, to });
        }
        Ok(logs)
    }

    async fn scan(&self, from: u64, to: u64) -> Result<Vec<EventClaim>> {
        check_range(from, to)?;
        let router = self.router()?;
        let logs = self.logs(from, to).await?;
        let scan = events::from_json(&router, (from, to), &logs).inspect_err(|_| self.ahead.forget())?;
        self.ahead.scanned(to);
        self.undeliverable.fetch_add(scan.undeliverable, Ordering::Relaxed);
        Ok(scan.events)
    }

    async fn proof_claims(&self, height: u64, paths: &[Vec<u8>]) -> Result<Vec<ProofClaim>> {
        check_paths(paths)?;
        if paths.is_empty() {
            return Ok(Vec::new());
        }
        let router = self.router()?;
        let slots: Vec<[u8; 32]> =
            paths.iter().map(|path| commitment_slot(path, &self.config.commitment_slot)).collect();
        let keys: Vec<String> = slots.iter().map(|slot| hex0x(slot)).collect();
        let answer = self.rpc.call("eth_getProof", json!([hex0x(&router), keys, to_quantity(height)])).await;
        match answer {
            Ok(answer) => proof::from_json(height, &router, &slots, &answer),
            Err(Error::Node { error, .. }) if is_missing(&error) => {
                Err(Error::NoState { height, reason: shorten(&error.message) })
            }
            Err(error) => Err(error),
        }
    }

    async fn presence(&self, paths: &[Vec<u8>]) -> Result<Vec<bool>> {
        check_paths(paths)?;
        if paths.is_empty() {
            return Ok(Vec::new());
        }
        let router = self.router()?;
        let requests = paths.iter().map(|path| {
            let slot = hex0x(&commitment_slot(path, &self.config.commitment_slot));
            Request::new("eth_getStorageAt", json!([hex0x(&router), slot, "latest"]))
        });
        let answers = self.rpc.batch_all(&requests.collect::<Vec<_>>()).await?;
        let present = answers.iter().map(|answer| {
            let word: [u8; 32] =
                strict::fixed(Some(answer)).map_err(|reason| self.bad_output("eth_getStorageAt", &router, reason))?;
            Ok(word != [0; 32])
        });
        present.collect()
    }

    async fn client_claim(&self, client_id: &str) -> Result<Option<ClientClaim>> {
        let router = Target::latest(Contract::Router, self.router()?);
        let id = [abi::string(client_id)];
        let requests = [router.request("getClient", &id)?, router.request("getCounterparty", &id)?];
        let mut answers = self.rpc.batch(&requests).await?.into_iter().fuse();
        let mut next = || answers.next().unwrap_or(Ok(Value::Null));
        let Some(client) = self.found_client(router, next())? else { return Ok(None) };
        let counterparty = match self.outcome(router, "getCounterparty", next())? {
            Read::Values(values) => counterparty_id(values).ok_or_else(|| "is no counterparty".to_owned()),
            Read::Reverted(reason) => Err(format!("reverted with {reason}")),
        };
        let counterparty =
            counterparty.map_err(|reason| self.bad_output("getCounterparty", &router.address, reason))?;
        let values = self.read(Target::latest(Contract::LightClient, client), "getClientState", &[]).await?;
        let claim = match values.as_slice() {
            [Token::Bytes(state)] => client_state(state),
            _ => Err("is no byte string".to_owned()),
        };
        let claim = claim.map_err(|reason| self.bad_output("getClientState", &client, reason))?;
        Ok(Some(ClientClaim { counterparty: Some(counterparty), location: checksummed(&client), ..claim }))
    }
}

fn head_of(block: &Value) -> Result<Head> {
    let refuse = |field: &'static str| move |reason: String| Error::Header { height: 0, field, reason };
    let height = strict::quantity(block.get("number")).map_err(refuse("number"))?;
    let seconds = strict::quantity(block.get("timestamp")).map_err(refuse("timestamp"))?;
    Ok(Head { height, timestamp: Timestamp::from_seconds(seconds) })
}

/// `CounterpartyInfo(string clientId, bytes[] merklePrefix)`.
fn counterparty_id(values: Vec<Token>) -> Option<String> {
    match values.into_iter().next()?.into_tuple()?.into_iter().next()? {
        Token::String(id) => Some(id),
        _ => None,
    }
}

/// `ClientState(address[] attestorAddresses, uint8 minRequiredSigs, uint64 latestHeight, bool isFrozen)`, the state
/// of an attestation client; another kind of client does not decode.
pub(crate) fn client_state(bytes: &[u8]) -> core::result::Result<ClientClaim, String> {
    let state = ParamType::Tuple(vec![
        ParamType::Array(Box::new(ParamType::Address)),
        ParamType::Uint(8),
        ParamType::Uint(64),
        ParamType::Bool,
    ]);
    let malformed = || "is not the state of an attestation client".to_owned();
    let token = abi::decode_strict(&[state], bytes)?.into_iter().next().ok_or_else(malformed)?;
    let fields: [Token; 4] = token.into_tuple().and_then(|f| f.try_into().ok()).ok_or_else(malformed)?;
    let [Token::Array(attestors), Token::Uint(required), Token::Uint(height), Token::Bool(frozen)] = fields else {
        return Err(malformed());
    };
    let attestors = attestors.into_iter().map(|token| token.into_address().map(|address| address.0));
    let attestors: Vec<Address> = attestors.collect::<Option<_>>().ok_or_else(malformed)?;
    Ok(ClientClaim {
        attestors,
        min_required_sigs: u8::try_from(required).map_err(|_| malformed())?.into(),
        latest_height: u64::try_from(height).map_err(|_| malformed())?,
        frozen,
        counterparty: None,
        location: String::new(),
        native: None,
    })
}

#[async_trait]
impl ChainSource for EvmAdapter {
    async fn identity(&self) -> catenary_api::Result<Identity> {
        Ok(self.identity_claim().await?)
    }

    async fn head(&self) -> catenary_api::Result<Head> {
        Ok(self.head_claim().await?)
    }

    async fn updates(&self, from: u64, to: u64) -> catenary_api::Result<Vec<Vec<u8>>> {
        Ok(self.update_bytes(from, to).await?)
    }

    async fn events(&self, from: u64, to: u64) -> catenary_api::Result<Vec<EventClaim>> {
        Ok(self.scan(from, to).await?)
    }

    async fn proofs(&self, height: u64, paths: &[Vec<u8>]) -> catenary_api::Result<Vec<ProofClaim>> {
        Ok(self.proof_claims(height, paths).await?)
    }

    async fn present(&self, paths: &[Vec<u8>]) -> catenary_api::Result<Vec<bool>> {
        Ok(self.presence(paths).await?)
    }

    async fn client(&self, client_id: &str) -> catenary_api::Result<Option<ClientClaim>> {
        Ok(self.client_claim(client_id).await?)
    }

    fn search(&self) -> Option<&dyn PacketSearch> {
        Some(self)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use ethers_core::abi as ethabi;
    use ethers_core::types::U256;

    use super::*;

    #[test]
    fn ranges_and_path_lists_are_bounded() {
        assert_eq!(check_range(5, 5).unwrap(), 1);
        assert_eq!(check_range(1, HEIGHTS_MAX).unwrap(), HEIGHTS_MAX);
        assert_eq!(check_range(1, HEIGHTS_MAX + 1).unwrap_err().code(), "EVM-RPC-006");
        assert_eq!(check_range(0, u64::MAX).unwrap_err().code(), "EVM-RPC-006");
        assert_eq!(check_range(6, 5).unwrap_err().code(), "EVM-RPC-007");
        assert!(check_paths(&vec![vec![1]; PATHS_MAX]).is_ok());
        assert_eq!(check_paths(&vec![vec![1]; PATHS_MAX + 1]).unwrap_err().code(), "EVM-RPC-006");
    }

    #[test]
    fn client_states_are_strict() {
        let state = |required: u64, height: U256, frozen: bool| {
            let attestors = [[1; 20], [2; 20]].map(|a: Address| Token::Address(a.into()));
            ethabi::encode(&[Token::Tuple(vec![
                Token::Array(attestors.to_vec()),
                Token::Uint(required.into()),
                Token::Uint(height),
                Token::Bool(frozen),
            ])])
        };
        let claim = client_state(&state(2, 77.into(), true)).unwrap();
        assert_eq!((claim.attestors, claim.min_required_sigs), (vec![[1; 20], [2; 20]], 2));
        assert_eq!((claim.latest_height, claim.frozen), (77, true));
        assert!(client_state(&state(256, 77.into(), false)).unwrap_err().contains("not the state"));
        assert!(client_state(&state(2, U256::MAX, false)).unwrap_err().contains("not the state"));
        let good = state(2, 77.into(), false);
        assert!(client_state(&[&good[..], &[0; 32]].concat()).unwrap_err().contains("canonically"));
        assert!(client_state(&good[..good.len() - 32]).unwrap_err().contains("do not decode"));
        assert!(client_state(&[]).is_err());
        let mut bad_bool = good;
        // The fourth word of the tuple, after the offset of the tuple itself.
        bad_bool[32 * 5 - 1] = 2;
        assert!(client_state(&bad_bool).is_err());
    }

    #[test]
    fn nodes_say_in_many_ways_that_a_state_is_missing() {
        let check = |message: &str, expected: bool| {
            let error = JsonRpcError { code: -32000, message: message.to_owned(), data: None };
            assert_eq!(is_missing(&error), expected, "{message}");
        };
        check("header not found", true);
        check("missing trie node 5a0c4c (path )", true);
        check("Unknown block", true);
        check("World state unavailable", true);
        check("method not found", false);
        check("execution reverted", false);
    }
}
