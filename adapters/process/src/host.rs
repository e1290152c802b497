//! The host side: both traits of `catenary_api`, each call one to the plugin.
//!
//! What the plugin answers is bounded and checked for its form here: as many updates, proofs and flags as were asked
//! for, events within the range and in order, the nonce that was asked for, sizes within the manifest's. Whether it is
//! true is for the light client to say.

use std::sync::{Mutex, PoisonError};

use async_trait::async_trait;
use catenary_api::limits::{EVENTS_MAX, HEIGHTS_MAX, PATHS_MAX};
use catenary_api::{
    Account, Broadcast, BuildRequest, ChainSink, ChainSource, ClientClaim, EventClaim, Head, Identity, Message,
    PacketSearch, ProofClaim, PublicKey, SignedTx, SinkLimits, TxBody, TxHash, TxReceipt, UnsignedTx,
};
use prost::Message as _;
use tokio::runtime::{Handle, RuntimeFlavor};

use crate::child;
use crate::error::{Error, Result};
use crate::limits::{ADDRESSES_MAX, COMPUTE_DEADLINE_MS};
use crate::manifest::{Manifest, Transactions};
use crate::plugin::{Plugin, ProcessConfig};
use crate::proto;
use crate::wire::{self, Read};

/// An adapter that runs in its own process.
pub struct ProcessAdapter {
    pub(crate) plugin: Plugin,
    addresses: Mutex<Vec<(PublicKey, String)>>,
}

impl core::fmt::Debug for ProcessAdapter {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("ProcessAdapter").field("config", &self.plugin.config).finish_non_exhaustive()
    }
}

/// Reads the manifest and compares the executable with the pin, without starting it.
///
/// # Errors
/// [`Error::Manifest`], [`Error::Executable`], [`Error::Hash`].
pub fn check(config: &ProcessConfig) -> Result<Manifest> {
    let manifest = Manifest::read(&config.manifest)?;
    let got = child::hash_into(&manifest.executable, None)?;
    if got == config.sha256 {
        return Ok(manifest);
    }
    Err(Error::Hash { path: manifest.executable.display().to_string(), got, expected: config.sha256 })
}

impl ProcessAdapter {
    /// The adapter of a manifest. Starts nothing yet; the executable is compared with its pin before each start.
    ///
    /// # Errors
    /// [`Error::Manifest`].
    pub fn new(config: ProcessConfig) -> Result<Self> {
        let manifest = Manifest::read(&config.manifest)?;
        Ok(Self { plugin: Plugin::new(config, manifest), addresses: Mutex::new(Vec::new()) })
    }

    /// What it is and may use.
    #[must_use]
    pub const fn manifest(&self) -> &Manifest {
        &self.plugin.manifest
    }

    pub(crate) fn deadline_ms(&self) -> u64 {
        self.plugin.config.call_deadline_ms
    }

    fn transactions(&self) -> Result<&Transactions> {
        let transactions = self.plugin.manifest.transactions.as_ref();
        transactions.ok_or_else(|| Error::ReadsOnly { chain: self.plugin.config.chain.clone() })
    }

    /// What an answer holds: the adapter's error, or what reading it gives.
    pub(crate) fn read<T>(
        &self,
        call: &'static str,
        error: Option<proto::Error>,
        read: impl FnOnce() -> Read<T>,
    ) -> Result<T> {
        match error {
            Some(error) => Err(self.plugin.said(call, error)),
            None => read().map_err(|reason| self.plugin.no_answer(call, reason)),
        }
    }

    /// Waits for a call that only computes, where the caller cannot wait: other tasks go on meanwhile.
    fn block<T>(&self, call: &'static str, answer: impl core::future::Future<Output = Result<T>>) -> Result<T> {
        match Handle::try_current() {
            Ok(handle) if handle.runtime_flavor() == RuntimeFlavor::MultiThread => {
                tokio::task::block_in_place(|| handle.block_on(answer))
            }
            _ => Err(Error::Runtime { chain: self.plugin.config.chain.clone(), call }),
        }
    }

    async fn updates_of(&self, from: u64, to: u64) -> Result<Vec<Vec<u8>>> {
        let count = heights(from, to)?;
        let request = proto::RangeRequest { from, to };
        let ask = |mut plugin: Client| async move { plugin.updates(request).await };
        let answer = self.plugin.call("updates", self.deadline_ms(), ask).await?;
        self.read("updates", answer.error, || {
            wire::as_many("updates", &answer.updates, count)?;
            Ok(answer.updates)
        })
    }

    async fn events_of(&self, from: u64, to: u64) -> Result<Vec<EventClaim>> {
        heights(from, to)?;
        let request = proto::RangeRequest { from, to };
        let ask = |mut plugin: Client| async move { plugin.events(request).await };
        let answer = self.plugin.call("events", self.deadline_ms(), ask).await?;
        self.read("events", answer.error, || events(from, to, answer.events))
    }

    async fn proofs_of(&self, height: u64, paths: &[Vec<u8>]) -> Result<Vec<ProofClaim>> {
        bounded_paths(paths)?;
        if paths.is_empty() {
            return Ok(Vec::new());
        }
        let request = proto::ProofsRequest { height, paths: paths.to_vec() };
        let ask = |mut plugin: Client| async move { plugin.proofs(request).await };
        let answer = self.plugin.call("proofs", self.deadline_ms(), ask).await?;
        self.read("proofs", answer.error, || {
            wire::as_many("proofs", &answer.proofs, paths.len())?;
            answer.proofs.into_iter().map(wire::proof_from).collect()
        })
    }

    async fn presence_of(&self, paths: &[Vec<u8>]) -> Result<Vec<bool>> {
        bounded_paths(paths)?;
        if paths.is_empty() {
            return Ok(Vec::new());
        }
        let request = proto::PresentRequest { paths: paths.to_vec() };
        let ask = |mut plugin: Client| async move { plugin.present(request).await };
        let answer = self.plugin.call("present", self.deadline_ms(), ask).await?;
        self.read("present", answer.error, || {
            wire::as_many("flags", &answer.present, paths.len())?;
            Ok(answer.present)
        })
    }

    async fn build_tx(&self, request: BuildRequest<'_>) -> Result<UnsignedTx> {
        let limits = *self.transactions()?;
        let nonce = request.nonce;
        let (messages, calls) = match request.body {
            TxBody::Deliver(messages) => (messages.iter().map(|m| wire::message_to(m.view())).collect(), Vec::new()),
            TxBody::Call(calls) => (Vec::new(), calls.iter().map(wire::call_to).collect()),
        };
        let request = proto::BuildRequest {
            messages,
            calls,
            public_key: request.public_key.0.to_vec(),
            account: Some(wire::account_to(request.account)),
            nonce,
        };
        let ask = |mut plugin: Client| async move { plugin.build(request).await };
        let answer = self.plugin.call("build", self.deadline_ms(), ask).await?;
        self.read("build", answer.error, || {
            let tx = wire::unsigned_from(wire::there("tx", answer.tx)?)?;
            within_limits(&tx, nonce, &limits)?;
            Ok(tx)
        })
    }

    async fn finish_tx(&self, unsigned: &UnsignedTx, signature: &[u8; 65]) -> Result<SignedTx> {
        let most = self.transactions()?.tx_bytes_max;
        let request = proto::FinishRequest { tx: Some(wire::unsigned_to(unsigned)), signature: signature.to_vec() };
        let ask = |mut plugin: Client| async move { plugin.finish(request).await };
        let answer = self.plugin.call("finish", COMPUTE_DEADLINE_MS, ask).await?;
        self.read("finish", answer.error, || {
            let tx = wire::signed_from(wire::there("tx", answer.tx)?)?;
            if tx.bytes.is_empty() || tx.bytes.len() > most {
                return Err(format!("a transaction of {} bytes, the manifest allows {most}", tx.bytes.len()));
            }
            Ok(tx)
        })
    }

    async fn address_of(&self, key: &PublicKey) -> Result<String> {
        self.transactions()?;
        let request = proto::KeyRequest { public_key: key.0.to_vec() };
        let ask = |mut plugin: Client| async move { plugin.address(request).await };
        let answer = self.plugin.call("address", COMPUTE_DEADLINE_MS, ask).await?;
        self.read("address", answer.error, || wire::there("address", wire::some_text("address", answer.address)?))
    }

    async fn send(&self, tx: &SignedTx) -> Result<Broadcast> {
        self.transactions()?;
        let request = proto::BroadcastRequest { tx: Some(wire::signed_to(tx)) };
        let ask = |mut plugin: Client| async move { plugin.broadcast(request).await };
        let answer = self.plugin.call("broadcast", self.deadline_ms(), ask).await?;
        let say = |wire::Said { code, message, class }| {
            let chain = self.plugin.config.chain.clone();
            Error::Said { chain, call: "broadcast", code, message, class }.into()
        };
        let read = wire::broadcast_from(answer, say);
        read.map_err(|reason| self.plugin.no_answer("broadcast", reason))
    }
}

pub(crate) type Client = proto::adapter_client::AdapterClient<tonic::transport::Channel>;

fn heights(from: u64, to: u64) -> Result<usize> {
    let got = to.checked_sub(from).map_or(0, |more| more.saturating_add(1));
    let count = usize::try_from(got).ok().filter(|_| (1..=HEIGHTS_MAX).contains(&got));
    count.ok_or(Error::Request { what: "heights", got, max: HEIGHTS_MAX })
}

fn bounded_paths(paths: &[Vec<u8>]) -> Result<()> {
    if paths.len() > PATHS_MAX {
        return Err(Error::Request { what: "paths", got: paths.len() as u64, max: PATHS_MAX as u64 });
    }
    Ok(())
}

pub(crate) fn events(from: u64, to: u64, events: Vec<proto::Event>) -> Read<Vec<EventClaim>> {
    if events.len() > EVENTS_MAX {
        return Err(format!("{} events, at most {EVENTS_MAX} are read", events.len()));
    }
    let mut lowest = from;
    let mut claims = Vec::with_capacity(events.len());
    for event in events {
        if !(lowest..=to).contains(&event.height) {
            return Err(format!("an event of height {} where {lowest}..={to} was to come", event.height));
        }
        lowest = event.height;
        claims.push(wire::event_from(event)?);
    }
    Ok(claims)
}

/// What is signed has the nonce that was asked for, and stays within what the manifest says of transactions.
fn within_limits(tx: &UnsignedTx, nonce: u64, limits: &Transactions) -> Read<()> {
    let most = limits.tx_bytes_max;
    if tx.nonce != nonce {
        return Err(format!("a transaction of nonce {}, asked for {nonce}", tx.nonce));
    }
    if tx.size_bytes > most || tx.payload.len() > most || tx.payload.is_empty() {
        let (size, payload) = (tx.size_bytes, tx.payload.len());
        return Err(format!("a transaction of {size} bytes and a payload of {payload}, the manifest allows {most}"));
    }
    if tx.gas_limit > limits.gas_max {
        return Err(format!("a gas limit of {}, the manifest allows {}", tx.gas_limit, limits.gas_max));
    }
    Ok(())
}

#[async_trait]
impl ChainSource for ProcessAdapter {
    async fn identity(&self) -> catenary_api::Result<Identity> {
        let ask = |mut plugin: Client| async move { plugin.identity(proto::IdentityRequest {}).await };
        let mut answer = self.plugin.call("identity", self.deadline_ms(), ask).await?;
        let error = answer.error.take();
        Ok(self.read("identity", error, || wire::identity_from(answer))?)
    }

    async fn head(&self) -> catenary_api::Result<Head> {
        let ask = |mut plugin: Client| async move { plugin.head(proto::HeadRequest {}).await };
        let mut answer = self.plugin.call("head", self.deadline_ms(), ask).await?;
        let error = answer.error.take();
        Ok(self.read("head", error, || Ok(wire::head_from(&answer)))?)
    }

    async fn updates(&self, from: u64, to: u64) -> catenary_api::Result<Vec<Vec<u8>>> {
        Ok(self.updates_of(from, to).await?)
    }

    async fn events(&self, from: u64, to: u64) -> catenary_api::Result<Vec<EventClaim>> {
        Ok(self.events_of(from, to).await?)
    }

    async fn proofs(&self, height: u64, paths: &[Vec<u8>]) -> catenary_api::Result<Vec<ProofClaim>> {
        Ok(self.proofs_of(height, paths).await?)
    }

    async fn present(&self, paths: &[Vec<u8>]) -> catenary_api::Result<Vec<bool>> {
        Ok(self.presence_of(paths).await?)
    }

    async fn client(&self, client_id: &str) -> catenary_api::Result<Option<ClientClaim>> {
        let request = proto::ClientRequest { client_id: client_id.to_owned() };
        let ask = |mut plugin: Client| async move { plugin.client(request).await };
        let answer = self.plugin.call("client", self.deadline_ms(), ask).await?;
        Ok(self.read("client", answer.error, || answer.client.map(wire::client_from).transpose())?)
    }

    fn search(&self) -> Option<&dyn PacketSearch> {
        self.plugin.manifest.searches().then_some(self as &dyn PacketSearch)
    }
}

#[async_trait]
impl ChainSink for ProcessAdapter {
    async fn account(&self, key: &PublicKey) -> catenary_api::Result<Account> {
        self.transactions()?;
        let request = proto::KeyRequest { public_key: key.0.to_vec() };
        let ask = |mut plugin: Client| async move { plugin.account(request).await };
        let answer = self.plugin.call("account", self.deadline_ms(), ask).await?;
        Ok(self.read("account", answer.error, || wire::account_from(wire::there("account", answer.account)?))?)
    }

    fn address(&self, key: &PublicKey) -> catenary_api::Result<String> {
        let known = |all: &Vec<(PublicKey, String)>| all.iter().find(|(of, _)| of == key).map(|(_, at)| at.clone());
        let found = known(&self.addresses.lock().unwrap_or_else(PoisonError::into_inner));
        if let Some(address) = found {
            return Ok(address);
        }
        let address = self.block("address", self.address_of(key))?;
        let mut all = self.addresses.lock().unwrap_or_else(PoisonError::into_inner);
        if all.len() < ADDRESSES_MAX && known(&all).is_none() {
            all.push((*key, address.clone()));
        }
        Ok(address)
    }

    async fn build(&self, request: BuildRequest<'_>) -> catenary_api::Result<UnsignedTx> {
        Ok(self.build_tx(request).await?)
    }

    fn finish(&self, unsigned: &UnsignedTx, signature: &[u8; 65]) -> catenary_api::Result<SignedTx> {
        Ok(self.block("finish", self.finish_tx(unsigned, signature))?)
    }

    async fn broadcast(&self, tx: &SignedTx) -> Broadcast {
        match self.send(tx).await {
            Ok(outcome) => outcome,
            // Whatever failed on the way, nobody can say whether the network has it.
            Err(error) => Broadcast::Unknown(error.into()),
        }
    }

    async fn receipt(&self, hash: &TxHash) -> catenary_api::Result<Option<TxReceipt>> {
        self.transactions()?;
        let request = proto::ReceiptRequest { hash: hash.0 .0.to_vec() };
        let ask = |mut plugin: Client| async move { plugin.receipt(request).await };
        let answer = self.plugin.call("receipt", self.deadline_ms(), ask).await?;
        Ok(self.read("receipt", answer.error, || answer.receipt.map(wire::receipt_from).transpose())?)
    }

    fn size_bytes(&self, message: &Message) -> usize {
        let encoded = wire::message_to(message.view()).encoded_len();
        // Without a sink nothing fits.
        self.transactions().map_or(usize::MAX, |transactions| transactions.message_bytes(encoded))
    }

    fn limits(&self) -> SinkLimits {
        let none = SinkLimits { tx_bytes_max: 0, gas_max: 0, messages_max: 0 };
        self.transactions().map_or(none, Transactions::sink_limits)
    }
}
