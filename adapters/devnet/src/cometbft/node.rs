//! What the endpoints of one network share: the chain behind a lock, and those who wait for its blocks.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde_json::{json, Value};
use tokio::sync::{mpsc, watch};

use super::block::Block;
use super::chain::Chain;
use super::fault::Forgery;
use super::json;
use super::merkle::Hash;
use super::rpc::tx_answer;
use super::stores::Stores;
use super::validators::ValidatorSet;
use crate::platform;

/// What a subscription is about.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Topic {
    /// Each block.
    Block,
    /// Each header.
    Header,
    /// Each transaction.
    Tx,
}

#[derive(Debug)]
struct Subscriber {
    topic: Topic,
    query: String,
    events: mpsc::Sender<Value>,
}

/// A network.
#[derive(Debug)]
pub(crate) struct Node {
    chain: Mutex<Chain>,
    /// Told of every block.
    made: Condvar,
    head: watch::Sender<u64>,
    subscribers: Mutex<Vec<Subscriber>>,
}

impl Node {
    pub(crate) fn new(chain: Chain) -> Self {
        let head = watch::Sender::new(chain.height());
        Self { chain: Mutex::new(chain), made: Condvar::new(), head, subscribers: Mutex::new(Vec::new()) }
    }

    /// The chain.
    pub(crate) fn chain(&self) -> MutexGuard<'_, Chain> {
        self.chain.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Height of the newest block, as it changes.
    pub(crate) fn head(&self) -> watch::Receiver<u64> {
        self.head.subscribe()
    }

    /// Makes a block; `None` when too few validators vote.
    pub(crate) fn produce(&self) -> Option<u64> {
        let block = self.chain().produce(platform::now())?;
        self.made.notify_all();
        self.publish(&block);
        let height = block.height();
        self.head.send_replace(height);
        Some(height)
    }

    /// Waits until a transaction is in a block; `None` after the deadline.
    pub(crate) fn wait_for_tx(&self, hash: &Hash, deadline: Duration) -> Option<(u64, usize)> {
        let missing = |chain: &mut Chain| chain.find(hash).is_none();
        let waited = self.made.wait_timeout_while(self.chain(), deadline, missing);
        let (chain, _) = waited.unwrap_or_else(PoisonError::into_inner);
        chain.find(hash)
    }

    /// Sends events from the next block on.
    pub(crate) fn subscribe(&self, topic: Topic, query: String, events: mpsc::Sender<Value>) {
        self.subscribers().push(Subscriber { topic, query, events });
    }

    fn subscribers(&self) -> MutexGuard<'_, Vec<Subscriber>> {
        self.subscribers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A subscriber whose channel is full, or closed, is dropped.
    fn publish(&self, block: &Block) {
        self.subscribers().retain(|subscriber| {
            let events = events_of(block, subscriber.topic, &subscriber.query);
            !subscriber.events.is_closed() && events.into_iter().all(|event| subscriber.events.try_send(event).is_ok())
        });
    }
}

fn events_of(block: &Block, topic: Topic, query: &str) -> Vec<Value> {
    let event = |kind: &str, value: Value, mut events: Value| {
        events["tm.event"] = json!([kind]);
        json!({ "query": query, "data": { "type": format!("tendermint/event/{kind}"), "value": value }, "events": events })
    };
    match topic {
        Topic::Block => {
            let result = json!({
                "events": [], "tx_results": block.results.iter().map(json::tx_result).collect::<Vec<_>>(),
                "validator_updates": json::validator_updates(&block.changes),
                "consensus_param_updates": json::consensus_params(),
                "app_hash": json::base64(&block.app_hash_after),
            });
            let (body, id) = (json::block(block), json::block_id(&block.id));
            vec![event(
                "NewBlock",
                json!({ "block": body, "block_id": id, "result_finalize_block": result }),
                json!({}),
            )]
        }
        Topic::Header => vec![event("NewBlockHeader", json!({ "header": json::header(&block.header) }), json!({}))],
        Topic::Tx => {
            let answers = (0..block.txs.len()).filter_map(|position| tx_answer(block, position));
            let one = |answer: Value| {
                let attributes = json!({ "tx.hash": [answer["hash"]], "tx.height": [answer["height"]] });
                let result = json!({
                    "height": answer["height"], "index": answer["index"], "tx": answer["tx"],
                    "result": answer["tx_result"],
                });
                event("Tx", json!({ "TxResult": result }), attributes)
            };
            answers.map(one).collect()
        }
    }
}

/// A network as one endpoint shows it: honestly, or with a forgery in the chain's place.
#[derive(Debug)]
pub(crate) struct View {
    pub(crate) node: Arc<Node>,
    forgery: Option<Mutex<Forgery>>,
}

impl View {
    /// The network as it is.
    pub(crate) const fn honest(node: Arc<Node>) -> Self {
        Self { node, forgery: None }
    }

    /// The network with a forgery.
    pub(crate) const fn forged(node: Arc<Node>, forgery: Forgery) -> Self {
        Self { node, forgery: Some(Mutex::new(forgery)) }
    }

    fn forgery(&self) -> Option<MutexGuard<'_, Forgery>> {
        self.forgery.as_ref().map(|forgery| forgery.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// The block that is shown at a height.
    pub(crate) fn block(&self, chain: &Chain, height: u64) -> Option<Arc<Block>> {
        match self.forgery() {
            None => chain.block(height).cloned(),
            Some(mut forgery) => forgery.block(chain, height),
        }
    }

    /// The state that is shown after a height.
    pub(crate) fn state(&self, chain: &Chain, height: u64) -> Option<Stores> {
        match self.forgery() {
            None => chain.state(height).cloned(),
            Some(forgery) => forgery.state(chain, height),
        }
    }

    /// The validators that are shown for a height.
    pub(crate) fn set(&self, chain: &Chain, height: u64) -> Option<Arc<ValidatorSet>> {
        match self.forgery() {
            None => chain.validators_at(height),
            Some(mut forgery) => forgery.validators_at(chain, height),
        }
    }
}
