//! A chain in memory with nonces, a pool, prices and blocks; and places at which the process may be killed.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use catenary_api::{
    Account, Broadcast, BuildRequest, ChainSink, Error, Message, PublicKey, ReplacingSink, Result, SignedTx,
    SinkLimits, TxBody, TxHash, TxReceipt, UnsignedTx,
};
use catenary_light_clients::{Class, Hash32};
use tokio::sync::watch;

/// Where a kill may happen: the call that never returns.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Step {
    /// After the n-th signature, before its intent is journaled.
    Finish(u32),
    /// Before the n-th broadcast arrives.
    BeforeBroadcast(u32),
    /// After it arrived.
    AfterBroadcast(u32),
    /// When the price of a replacement is asked for.
    Price,
}

#[derive(Clone)]
struct Tx {
    nonce: u64,
    price: u64,
    body: Vec<u8>,
    hash: Hash32,
}

impl Tx {
    fn decode(bytes: &[u8]) -> Self {
        let number = |at: usize| u64::from_be_bytes(bytes[at..at + 8].try_into().unwrap());
        let body = bytes[16..bytes.len() - 65].to_vec();
        Self { nonce: number(0), price: number(8), body, hash: Hash32::sha256(&[bytes]) }
    }
}

/// What the chain holds and how it answers.
#[derive(Default)]
pub(super) struct State {
    /// Next nonce.
    pub(super) nonce: u64,
    pool: BTreeMap<u64, Tx>,
    receipts: BTreeMap<Hash32, TxReceipt>,
    /// Bodies in blocks, in order.
    pub(super) effects: Vec<Vec<u8>>,
    /// Nonce and price of each transaction that was broadcast, in order, each once.
    pub(super) broadcasts: Vec<(u64, u64)>,
    seen: BTreeSet<Hash32>,
    /// All broadcasts.
    pub(super) arrivals: usize,
    /// Cheaper ones wait.
    pub(super) price_min: u64,
    /// Replacements do not go beyond it.
    pub(super) price_max: u64,
    /// No block is made while this is set.
    pub(super) halted: bool,
    /// After each block that is not empty, no further one is made.
    pub(super) one_block: bool,
    /// Looks for a receipt until blocks are made again.
    pub(super) pauses: u32,
    /// Account reads that still show a nonce one lower.
    pub(super) behind: u32,
    /// Account reads that still show a nonce two higher.
    pub(super) ahead: u32,
    /// Everything that is broadcast is lost on the way.
    pub(super) deaf: bool,
    /// Broadcasts are refused with this code.
    pub(super) refuses: Option<&'static str>,
    /// What pays more than this is called refused, and is in a pool all the same.
    pub(super) keeps_over: Option<u64>,
    /// Done once, after the next signature.
    pub(super) on_finish: Option<Box<dyn FnOnce() + Send>>,
    finished: u32,
    arrived: u32,
    kill: Option<Step>,
}

/// The chain.
pub(super) struct Fake {
    state: Mutex<State>,
    killed: watch::Sender<bool>,
}

fn error(code: &'static str, message: &str) -> Error {
    Error { code, class: Class::Transient, message: message.to_owned() }
}

impl Fake {
    pub(super) fn new() -> Self {
        let state = State { price_max: 1_000, ..State::default() };
        Self { state: Mutex::new(state), killed: watch::Sender::new(false) }
    }

    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The process is killed at this step, once.
    pub(super) fn kill_at(&self, step: Step) {
        let mut state = self.state();
        (state.kill, state.finished, state.arrived) = (Some(step), 0, 0);
        self.killed.send_replace(false);
    }

    /// Waits until it was.
    pub(super) async fn killed(&self) {
        self.killed.subscribe().wait_for(|killed| *killed).await.unwrap();
    }

    /// Somebody else uses the key.
    pub(super) fn spend_elsewhere(&self) {
        self.state().nonce += 1;
    }

    fn reached(&self, step: Step) -> bool {
        let mut state = self.state();
        let now = state.kill == Some(step);
        if now {
            state.kill = None;
            self.killed.send_replace(true);
        }
        now
    }

    async fn pass(&self, step: Step) {
        if self.reached(step) {
            std::future::pending::<()>().await;
        }
    }

    /// A block with all that may be in it.
    fn mine(&self) {
        let mut state = self.state();
        if state.pauses > 0 {
            state.pauses -= 1;
            return;
        }
        let before = state.effects.len();
        while !state.halted {
            let (nonce, least) = (state.nonce, state.price_min);
            let Some(tx) = state.pool.get(&nonce).filter(|tx| tx.price >= least).cloned() else { break };
            state.pool.remove(&nonce);
            state.nonce += 1;
            state.effects.push(tx.body);
            let receipt = TxReceipt {
                height: nonce + 1,
                success: true,
                gas_used: 10,
                fee: (tx.price * 10).to_string(),
                error: None,
                created: None,
                output: None,
            };
            state.receipts.insert(tx.hash, receipt);
        }
        state.halted |= state.one_block && state.effects.len() > before;
    }

    fn count(&self, tx: &Tx) {
        let mut state = self.state();
        state.arrivals += 1;
        if state.seen.insert(tx.hash) {
            state.broadcasts.push((tx.nonce, tx.price));
        }
    }

    fn take(&self, bytes: &[u8]) -> Broadcast {
        let mut state = self.state();
        let tx = Tx::decode(bytes);
        if state.deaf {
            return Broadcast::Unknown(error("FAKE-001", "lost"));
        }
        if let Some(code) = state.refuses {
            return Broadcast::Refused(error(code, "no"));
        }
        if state.receipts.contains_key(&tx.hash) {
            return Broadcast::Accepted;
        }
        if tx.nonce < state.nonce {
            return Broadcast::NonceMismatch(error("FAKE-002", "nonce too low"));
        }
        if let Some(old) = state.pool.get(&tx.nonce).filter(|old| old.hash != tx.hash) {
            if tx.price < (old.price * 11).div_ceil(10) {
                return Broadcast::NonceMismatch(error("FAKE-003", "replacement transaction underpriced"));
            }
        }
        let is_hidden = state.keeps_over.is_some_and(|price| tx.price > price);
        state.pool.insert(tx.nonce, tx);
        if is_hidden {
            return Broadcast::Refused(error("FAKE-010", "not here"));
        }
        Broadcast::Accepted
    }
}

#[async_trait]
impl ChainSink for Fake {
    async fn account(&self, _key: &PublicKey) -> Result<Account> {
        let mut state = self.state();
        let behind = u64::from(state.behind > 0);
        state.behind = state.behind.saturating_sub(1);
        let ahead = 2 * u64::from(state.ahead > 0);
        state.ahead = state.ahead.saturating_sub(1);
        let nonce = state.nonce.saturating_sub(behind) + ahead;
        Ok(Account { address: "me".to_owned(), number: 0, nonce, balance: "1".to_owned() })
    }

    fn address(&self, _key: &PublicKey) -> Result<String> {
        Ok("me".to_owned())
    }

    async fn build(&self, request: BuildRequest<'_>) -> Result<UnsignedTx> {
        let body = match request.body {
            TxBody::Call(calls) => calls[0].data.clone(),
            TxBody::Deliver(messages) => match &messages[0] {
                Message::UpdateClient { client_id, .. } => client_id.clone().into_bytes(),
                other => panic!("{other:?}"),
            },
        };
        Ok(unsigned(request.nonce, 100, &body))
    }

    fn finish(&self, unsigned: &UnsignedTx, signature: &[u8; 65]) -> Result<SignedTx> {
        let number = {
            let mut state = self.state();
            state.finished += 1;
            if let Some(act) = state.on_finish.take() {
                act();
            }
            state.finished
        };
        assert!(!self.reached(Step::Finish(number)), "killed");
        let bytes = [&unsigned.payload[..], signature].concat();
        let hash = TxHash(Hash32::sha256(&[&bytes]));
        Ok(SignedTx { bytes, hash })
    }

    async fn broadcast(&self, tx: &SignedTx) -> Broadcast {
        let number = {
            let mut state = self.state();
            state.arrived += 1;
            state.arrived
        };
        self.pass(Step::BeforeBroadcast(number)).await;
        let decoded = Tx::decode(&tx.bytes);
        self.count(&decoded);
        let outcome = self.take(&tx.bytes);
        self.pass(Step::AfterBroadcast(number)).await;
        outcome
    }

    async fn receipt(&self, hash: &TxHash) -> Result<Option<TxReceipt>> {
        self.mine();
        Ok(self.state().receipts.get(&hash.0).cloned())
    }

    fn size_bytes(&self, _message: &Message) -> usize {
        1
    }

    fn limits(&self) -> SinkLimits {
        SinkLimits { tx_bytes_max: 1_000, gas_max: 1_000, messages_max: 10 }
    }
}

#[async_trait]
impl ReplacingSink for Fake {
    async fn replacement(&self, previous: &SignedTx) -> Result<Option<UnsignedTx>> {
        self.pass(Step::Price).await;
        let old = Tx::decode(&previous.bytes);
        let price = (old.price * 9).div_ceil(8);
        Ok((price <= self.state().price_max).then(|| unsigned(old.nonce, price, &old.body)))
    }
}

fn unsigned(nonce: u64, price: u64, body: &[u8]) -> UnsignedTx {
    let payload = [&nonce.to_be_bytes()[..], &price.to_be_bytes(), body].concat();
    let (digest, size_bytes) = (Hash32::sha256(&[&payload]), payload.len());
    UnsignedTx { digest, payload, nonce, gas_limit: 10, size_bytes }
}
