//! CometBFT's RPC, as version 0.38 answers it.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{json, Value};
use tokio::sync::mpsc;

use super::block::{Block, BLOCK_PROTOCOL};
use super::chain::{Chain, NotTaken};
use super::json;
use super::merkle::{self, Hash};
use super::node::{Topic, View};
use super::query::{self, Answer};
use super::search;
use super::tx::{Refusal, TxResult};
use super::validators::ValidatorSet;
use crate::wire::{Change, Frame, RpcError, Service, Subscription, EVENTS_MAX};

/// The version that is spoken.
const VERSION: &str = "0.38.19";
/// Entries of a page, unless asked for, and at most (CometBFT `defaultPerPage`, `maxPerPage`).
const PER_PAGE: u64 = 30;
const PER_PAGE_MAX: u64 = 100;
/// Blocks of a list (CometBFT `blockchain`).
const METAS_MAX: u64 = 20;
/// How long a broadcast waits for its block (CometBFT `timeout_broadcast_tx_commit`).
const COMMIT_DEADLINE: Duration = Duration::from_secs(10);
/// Code space of the cosmos-sdk's stores, and what they say when they have no proof.
const STORE: &str = "store";
const NO_PROOF: &str = "proof is unexpectedly empty; ensure height has not been pruned: invalid request";

type Outcome = Result<Value, RpcError>;

/// An error of the node.
pub(super) fn internal(data: impl Into<String>) -> RpcError {
    RpcError::new(-32603, "Internal error").with_data(data.into())
}

fn invalid(data: impl Into<String>) -> RpcError {
    RpcError::new(-32602, "Invalid params").with_data(data.into())
}

/// Parameters of a call, by name or by place.
struct Params<'a> {
    given: &'a Value,
    names: &'static [&'static str],
}

impl<'a> Params<'a> {
    fn get(&self, name: &str) -> Option<&'a Value> {
        let value = match self.given {
            Value::Array(values) => values.get(self.names.iter().position(|known| *known == name)?)?,
            other => other.get(name)?,
        };
        (!value.is_null()).then_some(value)
    }

    /// A number, as such or as text.
    fn number(&self, name: &str) -> Result<Option<i64>, RpcError> {
        let Some(value) = self.get(name) else { return Ok(None) };
        let number = value.as_i64().or_else(|| value.as_str()?.parse().ok());
        number.map(Some).ok_or_else(|| invalid(format!("{name}: {value} is no number")))
    }

    fn text(&self, name: &str) -> Option<&'a str> {
        self.get(name)?.as_str()
    }

    fn flag(&self, name: &str) -> bool {
        self.get(name).is_some_and(|value| value.as_bool().or_else(|| value.as_str()?.parse().ok()).unwrap_or(false))
    }

    /// Bytes in base64, or in hex after `0x`.
    fn base64(&self, name: &str) -> Result<Vec<u8>, RpcError> {
        let text = self.text(name).unwrap_or_default();
        // Base64 first: it may begin with `0x` by chance, one hash in four thousand does.
        let bytes = json::from_base64(text).or_else(|| hex::decode(text.strip_prefix("0x")?).ok());
        bytes.ok_or_else(|| invalid(format!("{name} is neither base64 nor hex after 0x")))
    }

    /// Bytes in hex.
    fn hex(&self, name: &str) -> Result<Vec<u8>, RpcError> {
        let text = self.text(name).unwrap_or_default();
        let bytes = hex::decode(text.strip_prefix("0x").unwrap_or(text));
        bytes.map_err(|error| invalid(format!("{name} is no hex: {error}")))
    }

    /// A hash in any of the forms that clients use.
    fn hash(&self, name: &str) -> Result<Hash, RpcError> {
        let bytes = self.hex(name).or_else(|_| self.base64(name))?;
        bytes.try_into().map_err(|_| invalid(format!("{name} is no hash of 32 bytes")))
    }
}

impl Service for View {
    fn call(&self, method: &str, params: &Value) -> Outcome {
        let with = |names| Params { given: params, names };
        match method {
            "health" => Ok(json!({})),
            "status" => self.status(),
            "net_info" => Ok(json!({ "listening": true, "listeners": [], "n_peers": "0", "peers": [] })),
            "genesis" => self.genesis(),
            "consensus_params" => self.consensus_params(&with(&["height"])),
            "blockchain" => self.blockchain(&with(&["minHeight", "maxHeight"])),
            "header" => Ok(json!({ "header": json::header(&self.block_at(&with(&["height"]))?.header) })),
            "block" => Ok(block(&*self.block_at(&with(&["height"]))?)),
            "block_results" => Ok(block_results(&*self.block_at(&with(&["height"]))?)),
            "commit" => self.commit(&with(&["height"])),
            "validators" => self.validators(&with(&["height", "page", "per_page"])),
            "abci_info" => self.abci_info(),
            "abci_query" => self.abci_query(&with(&["path", "data", "height", "prove"])),
            "broadcast_tx_sync" => self.broadcast(&with(&["tx"])),
            "broadcast_tx_async" => self.broadcast_async(&with(&["tx"])),
            "broadcast_tx_commit" => self.broadcast_commit(&with(&["tx"])),
            "unconfirmed_txs" => Ok(self.unconfirmed(&with(&["limit"]), true)),
            "num_unconfirmed_txs" => Ok(self.unconfirmed(&with(&[]), false)),
            "tx" => self.tx(&with(&["hash", "prove"])),
            "tx_search" => self.tx_search(&with(&["query", "prove", "page", "per_page", "order_by"])),
            "subscribe" | "unsubscribe" | "unsubscribe_all" => Err(internal("WebSocket only")),
            _ => Err(RpcError::new(-32601, "Method not found")),
        }
    }

    fn subscribe(&self, method: &str, params: &Value) -> Option<Result<Change, RpcError>> {
        let params = Params { given: params, names: &["query"] };
        let query = params.text("query").unwrap_or_default().to_owned();
        let closed =
            |key| Change::Close { key, found: Ok(json!({})), missing: Err(internal("subscription not found")) };
        Some(match method {
            "subscribe" => self.open(query),
            "unsubscribe" => Ok(closed(Some(query))),
            "unsubscribe_all" => Ok(closed(None)),
            _ => return None,
        })
    }
}

impl View {
    fn open(&self, query: String) -> Result<Change, RpcError> {
        let spaceless: String = query.chars().filter(|c| !c.is_whitespace()).collect();
        let topic = match spaceless.as_str() {
            "tm.event='NewBlock'" => Topic::Block,
            "tm.event='NewBlockHeader'" => Topic::Header,
            "tm.event='Tx'" => Topic::Tx,
            _ => return Err(internal(format!("failed to parse query: {query} is not served here"))),
        };
        let (sender, events) = mpsc::channel(EVENTS_MAX);
        self.node.subscribe(topic, query.clone(), sender);
        Ok(Change::Open(Subscription { key: query, accepted: json!({}), frame: Frame::Answer, events }))
    }

    /// The block of a height that is asked for, or the newest one.
    fn block_at(&self, params: &Params<'_>) -> Result<Arc<Block>, RpcError> {
        let chain = self.node.chain();
        let height = height_of(&chain, params, chain.height())?;
        self.block(&chain, height).ok_or_else(|| internal(format!("no block at height {height}")))
    }

    fn head(&self, chain: &Chain) -> Result<Arc<Block>, RpcError> {
        self.block(chain, chain.height()).ok_or_else(|| internal("no block yet"))
    }

    fn status(&self) -> Outcome {
        let chain = self.node.chain();
        let head = self.head(&chain)?;
        let first = self.block(&chain, chain.earliest()).ok_or_else(|| internal("no block yet"))?;
        let validator = chain.validators_at(chain.height() + 1);
        let validator = validator.as_ref().and_then(|set| set.validators.first());
        let node_id = hex::encode(&merkle::sha256(&[b"node", chain.config.chain_id.as_bytes()])[..20]);
        Ok(json!({
            "node_info": {
                "protocol_version": { "p2p": "8", "block": BLOCK_PROTOCOL.to_string(), "app": "0" },
                "id": node_id,
                "listen_addr": "tcp://127.0.0.1:26656",
                "network": chain.config.chain_id,
                "version": VERSION,
                "channels": "40202122233038606100",
                "moniker": "devnet",
                "other": { "tx_index": "on", "rpc_address": "tcp://127.0.0.1:26657" },
            },
            "sync_info": {
                "latest_block_hash": json::hex(&head.id.hash),
                "latest_app_hash": json::hex(&head.header.app_hash),
                "latest_block_height": head.height().to_string(),
                "latest_block_time": json::time(head.header.time.as_ref()),
                "earliest_block_hash": json::hex(&first.id.hash),
                "earliest_app_hash": json::hex(&first.header.app_hash),
                "earliest_block_height": first.height().to_string(),
                "earliest_block_time": json::time(first.header.time.as_ref()),
                "catching_up": false,
            },
            "validator_info": {
                "address": validator.map(|v| json::hex(&v.address)).unwrap_or_default(),
                "pub_key": validator.map_or(Value::Null, json::public_key),
                "voting_power": validator.map_or(0, |v| v.power).to_string(),
            },
        }))
    }

    fn genesis(&self) -> Outcome {
        let chain = self.node.chain();
        let first = self.block(&chain, chain.earliest()).ok_or_else(|| internal("no block yet"))?;
        let validator = |v: &super::validators::Validator| {
            let (address, key) = (json::hex(&v.address), json::public_key(v));
            json!({ "address": address, "pub_key": key, "power": v.power.to_string(), "name": "" })
        };
        let validators: Vec<Value> = first.validators.validators.iter().map(validator).collect();
        Ok(json!({ "genesis": {
            "genesis_time": json::time(first.header.time.as_ref()),
            "chain_id": chain.config.chain_id,
            "initial_height": "1",
            "consensus_params": json::consensus_params(),
            "validators": validators,
            "app_hash": "",
            "app_state": {},
        }}))
    }

    fn consensus_params(&self, params: &Params<'_>) -> Outcome {
        let height = self.block_at(params)?.height().to_string();
        Ok(json!({ "block_height": height, "consensus_params": json::consensus_params() }))
    }

    fn blockchain(&self, params: &Params<'_>) -> Outcome {
        let chain = self.node.chain();
        let bound =
            |number: Option<i64>, or: u64| number.and_then(|n| u64::try_from(n).ok()).filter(|n| *n > 0).unwrap_or(or);
        let newest = bound(params.number("maxHeight")?, chain.height()).min(chain.height());
        let oldest = bound(params.number("minHeight")?, 1).max(chain.earliest());
        let oldest = oldest.max(newest.saturating_sub(METAS_MAX - 1));
        if oldest > newest {
            return Err(internal(format!("min height {oldest} can't be greater than max height {newest}")));
        }
        let metas: Vec<Value> =
            (oldest..=newest).rev().filter_map(|h| self.block(&chain, h)).map(|b| json::block_meta(&b)).collect();
        Ok(json!({ "last_height": chain.height().to_string(), "block_metas": metas }))
    }

    fn commit(&self, params: &Params<'_>) -> Outcome {
        let block = self.block_at(params)?;
        let canonical = block.height() < self.node.chain().height();
        let signed = json!({ "header": json::header(&block.header), "commit": json::commit(&block.commit) });
        Ok(json!({ "signed_header": signed, "canonical": canonical }))
    }

    fn validators(&self, params: &Params<'_>) -> Outcome {
        let chain = self.node.chain();
        // The next block's validators are known already.
        let height = height_up_to(&chain, params, (chain.height(), chain.height() + 1))?;
        let set = self.set(&chain, height).ok_or_else(|| internal(format!("no validators at height {height}")))?;
        let total = set.validators.len() as u64;
        let (first, last) = page(params, total)?;
        let take = |set: &ValidatorSet| -> Vec<Value> {
            set.validators
                .iter()
                .zip(0..)
                .filter(|(_, n)| (first..last).contains(n))
                .map(|(v, _)| json::validator(v))
                .collect()
        };
        let validators = take(&set);
        let (count, total) = (validators.len().to_string(), total.to_string());
        Ok(json!({
            "block_height": height.to_string(), "validators": validators, "count": count, "total": total,
        }))
    }

    fn abci_info(&self) -> Outcome {
        let chain = self.node.chain();
        let head = self.head(&chain)?;
        Ok(json!({ "response": {
            "data": "devnet",
            "version": env!("CARGO_PKG_VERSION"),
            "last_block_height": head.height().to_string(),
            "last_block_app_hash": json::base64(&head.app_hash_after),
        }}))
    }

    fn abci_query(&self, params: &Params<'_>) -> Outcome {
        let chain = self.node.chain();
        let (path, data, prove) = (params.text("path").unwrap_or_default(), params.hex("data")?, params.flag("prove"));
        let height = match params.number("height")?.map(u64::try_from) {
            None | Some(Ok(0)) => chain.height(),
            Some(Ok(height)) => height,
            Some(Err(_)) => return Err(internal("cannot query with height < 0; please provide a valid height")),
        };
        Ok(abci_answer(self.query(&chain, (path, &data), height, prove)))
    }

    fn query(&self, chain: &Chain, (path, data): (&str, &[u8]), height: u64, prove: bool) -> Result<Answer, Refusal> {
        if prove && height <= 1 {
            let reason = "cannot query with proof when height <= 1; please provide a valid height";
            return Err(Refusal::sdk(18, reason));
        }
        let Some(state) = self.state(chain, height) else {
            if prove {
                return Err(Refusal { codespace: STORE, code: 7, log: NO_PROOF.to_owned() });
            }
            let reason = "cannot query with height in the future; please provide a valid height";
            return Err(Refusal::sdk(26, reason));
        };
        let answer = query::answer(chain, (&state, height), path, data, prove)?;
        if prove && path.contains("store/") && answer.proof.is_none() {
            return Err(Refusal { codespace: STORE, code: 7, log: NO_PROOF.to_owned() });
        }
        Ok(answer)
    }

    fn broadcast(&self, params: &Params<'_>) -> Outcome {
        let tx = params.base64("tx")?;
        let hash = json::hex(&merkle::sha256(&[&tx]));
        match self.node.chain().submit(&tx) {
            Ok(_) => Ok(json!({ "code": 0, "data": "", "log": "", "codespace": "", "hash": hash })),
            Err(NotTaken::Refused(Refusal { codespace, code, log })) => {
                Ok(json!({ "code": code, "data": "", "log": log, "codespace": codespace, "hash": hash }))
            }
            Err(NotTaken::Node(reason)) => Err(internal(reason)),
        }
    }

    fn broadcast_async(&self, params: &Params<'_>) -> Outcome {
        let hash = json::hex(&merkle::sha256(&[&params.base64("tx")?]));
        // What the application says of it is not waited for.
        let _ = self.broadcast(params);
        Ok(json!({ "code": 0, "data": "", "log": "", "codespace": "", "hash": hash }))
    }

    fn broadcast_commit(&self, params: &Params<'_>) -> Outcome {
        let hash = merkle::sha256(&[&params.base64("tx")?]);
        let checked = self.broadcast(params)?;
        let code = checked["code"].as_u64().unwrap_or_default();
        let checked = json::tx_result(&TxResult {
            code: u32::try_from(code).unwrap_or(u32::MAX),
            codespace: checked["codespace"].as_str().unwrap_or_default().to_owned(),
            log: checked["log"].as_str().unwrap_or_default().to_owned(),
            ..TxResult::default()
        });
        let answer = |result: Value, height: u64| {
            let (hash, height) = (json::hex(&hash), height.to_string());
            Ok(json!({ "check_tx": checked, "tx_result": result, "hash": hash, "height": height }))
        };
        if code != 0 {
            return answer(json::tx_result(&TxResult::default()), 0);
        }
        let found = self.node.wait_for_tx(&hash, COMMIT_DEADLINE);
        let found = found.ok_or_else(|| internal("timed out waiting for tx to be included in a block"))?;
        let chain = self.node.chain();
        let (height, position) = found;
        let result = chain.block(height).and_then(|block| block.results.get(position));
        answer(result.map_or(Value::Null, json::tx_result), height)
    }

    fn unconfirmed(&self, params: &Params<'_>, with_txs: bool) -> Value {
        let chain = self.node.chain();
        let waiting = chain.waiting();
        let limit = params.number("limit").ok().flatten().and_then(|n| usize::try_from(n).ok()).unwrap_or(30).min(100);
        let bytes: usize = waiting.iter().map(Vec::len).sum();
        let shown: Vec<String> = waiting.iter().take(limit).map(|tx| json::base64(tx)).collect();
        let count = if with_txs { shown.len() } else { waiting.len() };
        json!({
            "n_txs": count.to_string(), "total": waiting.len().to_string(), "total_bytes": bytes.to_string(),
            "txs": if with_txs { json!(shown) } else { Value::Null },
        })
    }

    fn tx(&self, params: &Params<'_>) -> Outcome {
        let hash = params.hash("hash")?;
        let chain = self.node.chain();
        let missing = || internal(format!("tx ({}) not found", json::hex(&hash)));
        let (height, position) = chain.find(&hash).ok_or_else(missing)?;
        let block = self.block(&chain, height).ok_or_else(missing)?;
        tx_answer(&block, position).ok_or_else(missing)
    }

    fn tx_search(&self, params: &Params<'_>) -> Outcome {
        let query = params.text("query").unwrap_or_default();
        let spaceless: String = query.chars().filter(|c| !c.is_whitespace()).collect();
        let chain = self.node.chain();
        let places: Vec<(u64, usize)> = if let Some(hash) = spaceless.strip_prefix("tx.hash=") {
            let hash = hex::decode(hash.trim_matches('\'')).ok().and_then(|bytes| bytes.try_into().ok());
            hash.and_then(|hash| chain.find(&hash)).into_iter().collect()
        } else if let Some(height) = spaceless.strip_prefix("tx.height=") {
            let height = height.parse().unwrap_or_default();
            chain.block(height).map(|block| (0..block.txs.len()).map(|at| (height, at)).collect()).unwrap_or_default()
        } else {
            search::places(&chain, query)?
        };
        let (first, last) = page(params, places.len() as u64)?;
        let wanted = places.iter().zip(0..).filter(|(_, n)| (first..last).contains(n));
        let txs: Vec<Value> =
            wanted.filter_map(|((height, at), _)| tx_answer(&*self.block(&chain, *height)?, *at)).collect();
        Ok(json!({ "txs": txs, "total_count": places.len().to_string() }))
    }
}

/// First and one after the last entry of the page that is asked for.
fn page(params: &Params<'_>, total: u64) -> Result<(u64, u64), RpcError> {
    let number = |name| params.number(name).map(|n| n.and_then(|n| u64::try_from(n).ok()).filter(|n| *n > 0));
    let per_page = number("per_page")?.unwrap_or(PER_PAGE).min(PER_PAGE_MAX);
    let page = number("page")?.unwrap_or(1);
    let pages = total.div_ceil(per_page).max(1);
    if page > pages {
        return Err(internal(format!("page should be within [1, {pages}] range, given {page}")));
    }
    let first = (page - 1) * per_page;
    Ok((first, first + per_page))
}

fn height_of(chain: &Chain, params: &Params<'_>, default: u64) -> Result<u64, RpcError> {
    height_up_to(chain, params, (default, chain.height()))
}

fn height_up_to(chain: &Chain, params: &Params<'_>, (default, max): (u64, u64)) -> Result<u64, RpcError> {
    let Some(height) = params.number("height")? else { return Ok(default) };
    let Some(height) = u64::try_from(height).ok().filter(|height| *height > 0) else {
        return Err(internal(format!("height must be greater than 0, but got {height}")));
    };
    if height > max {
        let head = chain.height();
        let reason = format!("height {height} must be less than or equal to the current blockchain height {head}");
        return Err(internal(reason));
    }
    if height < chain.earliest() {
        return Err(internal(format!("height {height} is not available, lowest height is {}", chain.earliest())));
    }
    Ok(height)
}

fn abci_answer(answer: Result<Answer, Refusal>) -> Value {
    let (refusal, answer) = match answer {
        Ok(answer) => (None, answer),
        Err(refusal) => (Some(refusal), Answer::default()),
    };
    json!({ "response": {
        "code": refusal.as_ref().map_or(0, |refusal| refusal.code),
        "log": refusal.as_ref().map_or("", |refusal| &refusal.log),
        "info": "",
        "index": "0",
        "key": json::bytes(&answer.key),
        "value": json::bytes(&answer.value),
        "proofOps": json::proof_ops(answer.proof.as_ref().map(<[_; 2]>::as_slice)),
        "height": answer.height.to_string(),
        "codespace": refusal.as_ref().map_or("", |refusal| refusal.codespace),
    }})
}

fn block(block: &Block) -> Value {
    json!({ "block_id": json::block_id(&block.id), "block": json::block(block) })
}

fn block_results(block: &Block) -> Value {
    json!({
        "height": block.height().to_string(),
        "txs_results": json::list(block.results.iter().map(json::tx_result).collect()),
        "finalize_block_events": [],
        "validator_updates": json::validator_updates(&block.changes),
        "consensus_param_updates": json::consensus_params(),
        "app_hash": json::base64(&block.app_hash_after),
    })
}

/// A transaction of a block with what became of it.
pub(crate) fn tx_answer(block: &Block, position: usize) -> Option<Value> {
    let (tx, result) = (block.txs.get(position)?, block.results.get(position)?);
    Some(json!({
        "hash": json::hex(&merkle::sha256(&[tx])),
        "height": block.height().to_string(),
        "index": position,
        "tx_result": json::tx_result(result),
        "tx": json::base64(tx),
    }))
}
