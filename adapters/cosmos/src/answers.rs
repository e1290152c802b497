//! Answers with narrow types of our own: only the fields that the scan reads, whatever a newer CometBFT adds.

use serde::{Deserialize, Serialize};
use tendermint::block::Height;
use tendermint_rpc::request::{Request, RequestMessage, SimpleRequest};
use tendermint_rpc::response::Response;
use tendermint_rpc::Method;

use crate::transport::Dialect;

/// `block_results` of a height.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct BlockResultsRequest {
    height: Height,
}

impl BlockResultsRequest {
    /// Asks for the results of block `height`.
    pub(crate) const fn new(height: Height) -> Self {
        Self { height }
    }
}

impl RequestMessage for BlockResultsRequest {
    fn method(&self) -> Method {
        Method::BlockResults
    }
}

impl Request<Dialect> for BlockResultsRequest {
    type Response = BlockResults;
}

impl SimpleRequest<Dialect> for BlockResultsRequest {
    type Output = BlockResults;
}

/// What the transactions of a block led to.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub(crate) struct BlockResults {
    /// Height of the block.
    pub(crate) height: Height,
    /// One result a transaction, in order; null in an empty block.
    pub(crate) txs_results: Option<Vec<TxResult>>,
    /// Events outside of transactions: a governance proposal may send packets.
    pub(crate) finalize_block_events: Option<Vec<Event>>,
}

impl Response for BlockResults {}

/// What one transaction led to.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub(crate) struct TxResult {
    /// 0 when it took effect.
    pub(crate) code: u32,
    /// Events, in order.
    #[serde(default)]
    pub(crate) events: Option<Vec<Event>>,
}

/// An ABCI event.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub(crate) struct Event {
    /// Event type.
    #[serde(rename = "type")]
    pub(crate) kind: String,
    /// Attributes, in order.
    #[serde(default)]
    pub(crate) attributes: Option<Vec<Attribute>>,
}

/// An attribute of an event. CometBFT serves both as plain text since 0.37.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub(crate) struct Attribute {
    /// Key.
    pub(crate) key: String,
    /// Value; empty ones may be left out.
    #[serde(default)]
    pub(crate) value: Option<String>,
}

/// `tx_search`: transactions by their events.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct TxSearchRequest {
    query: String,
    prove: bool,
    page: String,
    per_page: String,
    order_by: String,
}

impl TxSearchRequest {
    /// Asks for the first page of what matches a query.
    pub(crate) fn new(query: String, per_page: u8) -> Self {
        let (page, per_page, order_by) = ("1".to_owned(), per_page.to_string(), "asc".to_owned());
        Self { query, prove: false, page, per_page, order_by }
    }
}

impl RequestMessage for TxSearchRequest {
    fn method(&self) -> Method {
        Method::TxSearch
    }
}

impl Request<Dialect> for TxSearchRequest {
    type Response = TxSearchAnswer;
}

impl SimpleRequest<Dialect> for TxSearchRequest {
    type Output = TxSearchAnswer;
}

/// Transactions that match a query.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub(crate) struct TxSearchAnswer {
    /// One page of them.
    #[serde(default)]
    pub(crate) txs: Option<Vec<FoundTx>>,
}

impl Response for TxSearchAnswer {}

/// A transaction that was found.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub(crate) struct FoundTx {
    /// Its hash.
    pub(crate) hash: tendermint::Hash,
    /// Height of its block.
    pub(crate) height: Height,
    /// What it led to.
    pub(crate) tx_result: TxResult,
}

/// `block` of a height.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct BlockRequest {
    height: Height,
}

impl BlockRequest {
    /// Asks for block `height`.
    pub(crate) const fn new(height: Height) -> Self {
        Self { height }
    }
}

impl RequestMessage for BlockRequest {
    fn method(&self) -> Method {
        Method::Block
    }
}

impl Request<Dialect> for BlockRequest {
    type Response = BlockAnswer;
}

impl SimpleRequest<Dialect> for BlockRequest {
    type Output = BlockAnswer;
}

/// A block and its id.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub(crate) struct BlockAnswer {
    /// The block's id.
    pub(crate) block_id: BlockId,
    /// The block.
    pub(crate) block: Block,
}

impl Response for BlockAnswer {}

/// A block's id.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub(crate) struct BlockId {
    /// Header hash.
    pub(crate) hash: tendermint::Hash,
}

/// A block.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub(crate) struct Block {
    /// Its header.
    pub(crate) header: BlockHeader,
    /// Its transactions.
    pub(crate) data: BlockData,
}

/// The part of a header that is compared.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub(crate) struct BlockHeader {
    /// Height.
    pub(crate) height: Height,
}

/// Transactions of a block.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub(crate) struct BlockData {
    /// Raw transactions, in order.
    #[serde(with = "tendermint::serializers::bytes::vec_base64string")]
    pub(crate) txs: Vec<Vec<u8>>,
}
