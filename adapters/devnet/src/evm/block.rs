//! Blocks: the sealed header, transactions, receipts, and the state after them.

use std::sync::{Arc, PoisonError, RwLock};

use alloy_primitives::{Address, Bloom, BloomInput, Log, B256, U256};
use catenary_light_clients::rlp::{put_bytes, put_list, put_uint};
use catenary_light_clients::sealing::HeaderSpec;
use serde_json::{json, Map, Value};

use super::consensus::Consensus;
use super::fork::Fork;
use super::state::State;
use super::tx::Tx;

/// What a transaction did.
#[derive(Clone, Debug)]
pub(super) struct Receipt {
    pub(super) success: bool,
    pub(super) gas_used: u64,
    /// Gas used by the block up to and with this transaction.
    pub(super) gas_used_so_far: u64,
    pub(super) price_wei: u128,
    pub(super) created: Option<Address>,
    pub(super) logs: Vec<Log>,
    /// Logs of the block before the first of this transaction.
    pub(super) logs_before: usize,
}

impl Receipt {
    fn bloom(&self) -> Bloom {
        bloom_of(&self.logs)
    }

    /// The receipt as the block commits to it (EIP-658, EIP-2718).
    pub(super) fn encode(&self, kind: u8) -> Vec<u8> {
        let (mut payload, mut logs) = (Vec::new(), Vec::new());
        put_uint(&mut payload, u64::from(self.success));
        put_uint(&mut payload, self.gas_used_so_far);
        put_bytes(&mut payload, self.bloom().as_slice());
        for log in &self.logs {
            let (mut fields, mut topics) = (Vec::new(), Vec::new());
            put_bytes(&mut fields, log.address.as_slice());
            log.topics().iter().for_each(|topic| put_bytes(&mut topics, topic.as_slice()));
            put_list(&mut fields, &topics);
            put_bytes(&mut fields, &log.data.data);
            put_list(&mut logs, &fields);
        }
        put_list(&mut payload, &logs);
        let mut out = if kind == 0 { Vec::new() } else { vec![kind] };
        put_list(&mut out, &payload);
        out
    }
}

/// The bloom filter of logs: their addresses and topics (Yellow Paper, section 4.3.1).
pub(super) fn bloom_of<'a>(logs: impl IntoIterator<Item = &'a Log>) -> Bloom {
    let mut bloom = Bloom::ZERO;
    for log in logs {
        bloom.accrue(BloomInput::Raw(log.address.as_slice()));
        log.topics().iter().for_each(|topic| bloom.accrue(BloomInput::Raw(topic.as_slice())));
    }
    bloom
}

/// A block that has been sealed.
pub(super) struct Block {
    pub(super) header: HeaderSpec,
    pub(super) hash: B256,
    pub(super) base_fee_wei: u64,
    pub(super) txs: Vec<Arc<Tx>>,
    pub(super) receipts: Vec<Receipt>,
    /// Who seals the next block, and the votes so far.
    pub(super) consensus: Consensus,
    /// The state after the block; `None` once it is no longer kept.
    state: RwLock<Option<State>>,
}

impl Block {
    /// A sealed block.
    pub(super) fn new(header: HeaderSpec, base_fee_wei: u64, content: Content, consensus: Consensus) -> Arc<Self> {
        let hash = B256::from(header.hash().0);
        let Content { txs, receipts, state } = content;
        Arc::new(Self { header, hash, base_fee_wei, txs, receipts, consensus, state: RwLock::new(Some(state)) })
    }

    /// Its height.
    pub(super) const fn number(&self) -> u64 {
        self.header.number
    }

    /// The state after it, where it is still kept.
    pub(super) fn state(&self) -> Option<State> {
        self.state.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Forgets the state.
    pub(super) fn forget_state(&self) {
        *self.state.write().unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// The place of a transaction in it.
    pub(super) fn place(&self, index: usize) -> Place<'_> {
        Place { block: self, index }
    }

    /// The header as `eth_subscribe` and `eth_getBlockBy…` show it.
    pub(super) fn header_json(&self, fork: Fork) -> Map<String, Value> {
        let header = &self.header;
        let mut out = Map::new();
        let mut put = |name: &str, value: Value| out.insert(name.to_owned(), value);
        put("hash", json!(self.hash));
        put("parentHash", json!(B256::from(header.parent_hash.0)));
        put("sha3Uncles", json!(B256::from(header.ommers_hash.0)));
        put("miner", json!(format!("{:#x}", Address::from(header.coinbase.0))));
        put("stateRoot", json!(B256::from(header.state_root.0)));
        put("transactionsRoot", json!(B256::from(header.transactions_root.0)));
        put("receiptsRoot", json!(B256::from(header.receipts_root.0)));
        put("logsBloom", json!(hex(&header.logs_bloom)));
        put("difficulty", quantity(header.difficulty));
        put("number", quantity(header.number));
        put("gasLimit", quantity(header.gas_limit));
        put("gasUsed", quantity(header.gas_used));
        put("timestamp", quantity(header.time_seconds));
        put("extraData", json!(hex(&header.extra_data())));
        put("mixHash", json!(B256::from(header.mix_hash)));
        put("nonce", json!(hex(&header.nonce)));
        fork.put_json(&mut out, self.base_fee_wei);
        out
    }

    /// The block as `eth_getBlockBy…` shows it, with whole transactions or their hashes.
    pub(super) fn to_json(&self, fork: Fork, whole: bool) -> Value {
        let mut out = self.header_json(fork);
        let txs = self.txs.iter().enumerate();
        let txs = txs.map(|(index, tx)| if whole { self.place(index).tx_json() } else { json!(tx.hash) });
        out.insert("transactions".to_owned(), txs.collect());
        out.insert("uncles".to_owned(), json!([]));
        // Difficulty is 1 a block, the first one included.
        out.insert("totalDifficulty".to_owned(), quantity(self.header.number + 1));
        let size_bytes = self.header.encode().len() + self.txs.iter().map(|tx| tx.raw.len()).sum::<usize>();
        out.insert("size".to_owned(), quantity(size_bytes as u64));
        Value::Object(out)
    }

    /// The logs of the block with their places, in order.
    pub(super) fn logs(&self) -> impl Iterator<Item = (usize, usize, &Log)> {
        self.receipts.iter().enumerate().flat_map(|(tx, receipt)| {
            receipt.logs.iter().enumerate().map(move |(index, log)| (tx, receipt.logs_before + index, log))
        })
    }

    /// A log as nodes show it.
    pub(super) fn log_json(&self, (tx, index, log): (usize, usize, &Log)) -> Value {
        json!({
            "address": format!("{:#x}", log.address),
            "topics": log.topics(),
            "data": log.data.data,
            "blockNumber": quantity(self.number()),
            "blockHash": self.hash,
            "blockTimestamp": quantity(self.header.time_seconds),
            "transactionHash": self.txs.get(tx).map(|tx| tx.hash),
            "transactionIndex": quantity(tx as u64),
            "logIndex": quantity(index as u64),
            "removed": false,
        })
    }
}

/// What a block carries, and the state after it.
pub(super) struct Content {
    pub(super) txs: Vec<Arc<Tx>>,
    pub(super) receipts: Vec<Receipt>,
    pub(super) state: State,
}

/// A transaction in a block.
#[derive(Clone, Copy)]
pub(super) struct Place<'a> {
    pub(super) block: &'a Block,
    pub(super) index: usize,
}

impl Place<'_> {
    /// The transaction as nodes show it.
    pub(super) fn tx_json(&self) -> Value {
        let Some(tx) = self.block.txs.get(self.index) else { return Value::Null };
        let mut out = tx.to_json();
        out.insert("blockHash".to_owned(), json!(self.block.hash));
        out.insert("blockNumber".to_owned(), quantity(self.block.number()));
        out.insert("transactionIndex".to_owned(), quantity(self.index as u64));
        out.insert("gasPrice".to_owned(), json!(format!("{:#x}", tx.price_wei(self.block.base_fee_wei))));
        Value::Object(out)
    }

    /// The receipt as nodes show it.
    pub(super) fn receipt_json(&self) -> Value {
        let block = self.block;
        let (Some(tx), Some(receipt)) = (block.txs.get(self.index), block.receipts.get(self.index)) else {
            return Value::Null;
        };
        let logs = receipt.logs.iter().enumerate();
        let logs = logs.map(|(index, log)| block.log_json((self.index, receipt.logs_before + index, log)));
        json!({
            "transactionHash": tx.hash,
            "transactionIndex": quantity(self.index as u64),
            "blockHash": block.hash,
            "blockNumber": quantity(block.number()),
            "from": format!("{:#x}", tx.sender),
            "to": tx.to.map(|to| format!("{to:#x}")),
            "contractAddress": receipt.created.map(|at| format!("{at:#x}")),
            "cumulativeGasUsed": quantity(receipt.gas_used_so_far),
            "gasUsed": quantity(receipt.gas_used),
            "effectiveGasPrice": format!("{:#x}", receipt.price_wei),
            "logs": logs.collect::<Vec<_>>(),
            "logsBloom": receipt.bloom(),
            "type": format!("{:#x}", tx.kind),
            "status": quantity(u64::from(receipt.success)),
        })
    }
}

/// A number as Ethereum's JSON writes it.
pub(super) fn quantity(value: u64) -> Value {
    json!(format!("{value:#x}"))
}

/// Bytes as Ethereum's JSON writes them.
pub(super) fn hex(bytes: &[u8]) -> String {
    format!("0x{}", alloy_primitives::hex::encode(bytes))
}

/// A word as Ethereum's JSON writes numbers of it.
pub(super) fn word(value: U256) -> Value {
    json!(format!("{value:#x}"))
}
