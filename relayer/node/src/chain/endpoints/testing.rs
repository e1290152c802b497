//! An adapter that says what a test tells it to.
#![allow(clippy::unwrap_used, reason = "tests fail by panicking")]

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use catenary_api::{
    Account, Broadcast, BuildRequest, ChainSink, ChainSource, ClientClaim, Error, EventClaim, Head, Identity, Message,
    PacketSearch, ProofClaim, PublicKey, ReplacingSink, Result, Search, SignedTx, SinkLimits, TxHash, TxReceipt,
    UnsignedTx,
};
use catenary_light_clients::{Class, Timestamp};

use super::score::Call;
use super::Member;
use crate::chain::Adapter;

/// What it does with a kind of request.
#[derive(Clone, Debug)]
pub(crate) enum Does {
    /// Answers.
    Answer,
    /// Fails in this class.
    Fail(Class),
    /// Says nothing, for ever.
    Hang,
    /// Says nothing for so long, and fails then.
    HangThenFail(std::time::Duration),
}

#[derive(Debug, Default)]
struct State {
    does: BTreeMap<Call, Does>,
    asked: BTreeMap<Call, usize>,
    head: u64,
    broadcast: Option<Broadcast>,
    receipt: Option<TxReceipt>,
}

/// An endpoint of a test; clones are the same one.
#[derive(Clone, Debug, Default)]
pub(crate) struct Fake(Arc<Mutex<State>>);

pub(crate) fn error(class: Class) -> Error {
    Error { code: "TEST-FAKE-001", class, message: "told to fail".to_owned() }
}

/// A receipt.
pub(crate) fn receipt(success: bool) -> TxReceipt {
    TxReceipt { height: 1, success, gas_used: 1, fee: "0".into(), error: None, created: None, output: None }
}

impl Fake {
    /// From now on, such requests go so.
    pub(crate) fn does(&self, call: Call, does: Does) -> &Self {
        self.0.lock().unwrap().does.insert(call, does);
        self
    }

    pub(crate) fn head_at(&self, height: u64) -> &Self {
        self.0.lock().unwrap().head = height;
        self
    }

    pub(crate) fn says(&self, broadcast: Broadcast) -> &Self {
        self.0.lock().unwrap().broadcast = Some(broadcast);
        self
    }

    pub(crate) fn has(&self, receipt: Option<TxReceipt>) -> &Self {
        self.0.lock().unwrap().receipt = receipt;
        self
    }

    /// How often it was asked.
    pub(crate) fn asked(&self, call: Call) -> usize {
        self.0.lock().unwrap().asked.get(&call).copied().unwrap_or_default()
    }

    /// It, as one of several.
    pub(crate) fn member(&self, name: &str) -> Member {
        let both = Arc::new(self.clone());
        let adapter = Adapter { source: both.clone(), sink: both };
        Member { name: name.to_owned(), adapter, replacer: None, requests_per_second_max: None }
    }

    /// The same, of a family that knows replacement.
    pub(crate) fn pricing_member(&self, name: &str) -> Member {
        Member { replacer: Some(Arc::new(self.clone())), ..self.member(name) }
    }

    async fn go<T>(&self, call: Call, answer: impl FnOnce(&State) -> T + Send) -> Result<T> {
        let does = {
            let mut state = self.0.lock().unwrap();
            *state.asked.entry(call).or_default() += 1;
            state.does.get(&call).cloned().unwrap_or(Does::Answer)
        };
        match does {
            Does::Answer => Ok(answer(&self.0.lock().unwrap())),
            Does::Fail(class) => Err(error(class)),
            Does::Hang => std::future::pending().await,
            Does::HangThenFail(pause) => {
                tokio::time::sleep(pause).await;
                Err(error(Class::Transient))
            }
        }
    }
}

#[async_trait]
impl PacketSearch for Fake {
    async fn last_sequence(&self, _: &str) -> Result<Option<u64>> {
        self.go(Call::State, |_| Some(9)).await
    }

    async fn find(&self, _: &Search<'_>) -> Result<Vec<EventClaim>> {
        self.go(Call::Events, |_| Vec::new()).await
    }
}

#[async_trait]
impl ChainSource for Fake {
    fn search(&self) -> Option<&dyn PacketSearch> {
        Some(self)
    }

    async fn identity(&self) -> Result<Identity> {
        self.go(Call::Identity, |_| Identity { chain_id: "1337".into(), genesis_hash: None }).await
    }

    async fn head(&self) -> Result<Head> {
        self.go(Call::Head, |state| Head { height: state.head, timestamp: Timestamp::default() }).await
    }

    async fn updates(&self, from: u64, to: u64) -> Result<Vec<Vec<u8>>> {
        self.go(Call::Updates, |_| (from..=to).map(|height| height.to_be_bytes().to_vec()).collect()).await
    }

    async fn events(&self, _: u64, _: u64) -> Result<Vec<EventClaim>> {
        self.go(Call::Events, |_| Vec::new()).await
    }

    async fn proofs(&self, _: u64, paths: &[Vec<u8>]) -> Result<Vec<ProofClaim>> {
        self.go(Call::Proofs, |_| paths.iter().map(|_| ProofClaim { value: None, proof: Vec::new() }).collect()).await
    }

    async fn present(&self, paths: &[Vec<u8>]) -> Result<Vec<bool>> {
        self.go(Call::State, |_| paths.iter().map(|_| true).collect()).await
    }

    async fn client(&self, _: &str) -> Result<Option<ClientClaim>> {
        self.go(Call::State, |_| None).await
    }
}

#[async_trait]
impl ChainSink for Fake {
    async fn account(&self, _: &PublicKey) -> Result<Account> {
        self.go(Call::State, |_| Account { address: String::new(), number: 0, nonce: 7, balance: "0".into() }).await
    }

    fn address(&self, _: &PublicKey) -> Result<String> {
        Ok(String::new())
    }

    async fn build(&self, request: BuildRequest<'_>) -> Result<UnsignedTx> {
        let nonce = request.nonce;
        let digest = catenary_light_clients::Hash32([1; 32]);
        self.go(Call::Estimate, |_| UnsignedTx { digest, payload: Vec::new(), nonce, gas_limit: 1, size_bytes: 1 })
            .await
    }

    fn finish(&self, _: &UnsignedTx, _: &[u8; 65]) -> Result<SignedTx> {
        Err(error(Class::Bug))
    }

    async fn broadcast(&self, _: &SignedTx) -> Broadcast {
        let said = self.go(Call::Broadcast, |state| state.broadcast.clone().unwrap_or(Broadcast::Accepted)).await;
        said.unwrap_or_else(Broadcast::Unknown)
    }

    async fn receipt(&self, _: &TxHash) -> Result<Option<TxReceipt>> {
        self.go(Call::Receipt, |state| state.receipt.clone()).await
    }

    fn size_bytes(&self, _: &Message) -> usize {
        1
    }

    fn limits(&self) -> SinkLimits {
        SinkLimits { tx_bytes_max: 1, gas_max: 1, messages_max: 1 }
    }
}

#[async_trait]
impl ReplacingSink for Fake {
    async fn replacement(&self, _: &SignedTx) -> Result<Option<UnsignedTx>> {
        let digest = catenary_light_clients::Hash32([2; 32]);
        let tx = UnsignedTx { digest, payload: Vec::new(), nonce: 7, gas_limit: 1, size_bytes: 1 };
        self.go(Call::Estimate, |_| Some(tx)).await
    }
}
