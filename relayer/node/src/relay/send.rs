//! One key's transactions on one chain: journal, sign, broadcast, and find out what became of each.
//!
//! At most one transaction of a key is in flight. Its raw bytes are in the journal before the broadcast, so after a
//! crash the very same transaction is looked up and, if it is nowhere, broadcast again: never a second one for its
//! nonce. An unknown outcome is resolved by reading the chain before anything else is sent.

use std::sync::Arc;
use std::time::Duration;

use catenary_api::ChainSink;
use catenary_api::{
    Account, Broadcast, BuildRequest, KeyId, PublicKey, Purpose, SignRequest, SignedTx, Signer, TxBody, TxHash,
    TxReceipt, UnsignedTx,
};
use catenary_core::bugs::{self, Bug};
use catenary_core::packet_key::PacketKey;
use catenary_core::record::{Intent, IntentKind, Outcome, OutcomeResult, Record};
use catenary_core::store::StoreError;
use catenary_light_clients::Class;
use thiserror::Error as ThisError;
use tokio::sync::Mutex;

use super::limits;
use crate::failpoint::failpoint;
use crate::platform;
use crate::store::Ledger;

/// What a transaction is for, as the journal keeps it.
#[derive(Debug, Clone)]
pub struct Note {
    /// For people.
    pub id: String,
    /// Path; empty when none.
    pub path: String,
    /// Kind.
    pub kind: IntentKind,
    /// Packets that it carries.
    pub packets: Vec<PacketKey>,
}

/// Why nothing was sent, or nothing is known of what was.
#[derive(Debug, ThisError)]
#[non_exhaustive]
pub enum SendError {
    /// The adapter or the node behind it refused.
    #[error(transparent)]
    Chain(#[from] catenary_api::Error),
    /// The journal or the store failed: nothing was broadcast.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The transaction reverted.
    #[error("transaction {tx} on {chain} took no effect: {reason}")]
    Reverted {
        /// Chain.
        chain: String,
        /// Transaction.
        tx: TxHash,
        /// The chain's words.
        reason: String,
    },
    /// No receipt within the bound.
    #[error("transaction {tx} on {chain} has no receipt yet; it is looked for again before anything else is sent")]
    Unknown {
        /// Chain.
        chain: String,
        /// Transaction.
        tx: TxHash,
    },
    /// An earlier transaction of the key is still open.
    #[error("transaction {tx} on {chain} with nonce {nonce} is still open; nothing else is sent with its key")]
    Outstanding {
        /// Chain.
        chain: String,
        /// Transaction.
        tx: TxHash,
        /// Its nonce.
        nonce: u64,
    },
}

impl SendError {
    /// The stable code.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Chain(error) => error.code,
            Self::Store(error) => error.code(),
            Self::Reverted { .. } => "NODE-TX-001",
            Self::Unknown { .. } => "NODE-TX-002",
            Self::Outstanding { .. } => "NODE-TX-003",
        }
    }

    /// What may be done about it.
    #[must_use]
    pub const fn class(&self) -> Class {
        match self {
            Self::Chain(error) => error.class,
            Self::Store(error) => error.class(),
            Self::Reverted { .. } => Class::Permanent,
            Self::Unknown { .. } | Self::Outstanding { .. } => Class::Transient,
        }
    }
}

/// What a sent transaction led to.
#[derive(Debug, Clone)]
pub enum Sent {
    /// It took effect.
    Included {
        /// Transaction.
        tx: TxHash,
        /// Its receipt.
        receipt: TxReceipt,
    },
    /// Others had done all of it.
    Redundant,
}

/// Told of each transaction, for metrics.
pub trait SendObserver: Send + Sync {
    /// A transaction reached an outcome: `included`, `reverted`, `dropped`, `refused`, `redundant` or `unknown`.
    fn transaction(&self, chain: &str, key: &str, outcome: &'static str, receipt: Option<&TxReceipt>);
    /// The account was read.
    fn account(&self, chain: &str, key: &str, account: &Account);
}

struct Open {
    signed: SignedTx,
    nonce: u64,
}

/// Sends the transactions of one key on one chain, one at a time.
pub struct Sender {
    chain: String,
    key: KeyId,
    public_key: PublicKey,
    sink: Arc<dyn ChainSink>,
    signer: Arc<dyn ReleasingSigner>,
    ledger: Arc<Ledger>,
    observer: Arc<dyn SendObserver>,
    open: Mutex<Option<Open>>,
}

/// A signer that can be told that a nonce stayed unused, so that something else may be signed for it.
pub trait ReleasingSigner: Signer {
    /// Journals that the chain shows the nonce unused and refused what was signed for it.
    ///
    /// # Errors
    /// The journal failed.
    fn release_nonce(&self, key: &KeyId, chain: &str, nonce: u64, reason: &str) -> catenary_api::Result<()>;
}

impl std::fmt::Debug for Sender {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Sender").field("chain", &self.chain).field("key", &self.key).finish_non_exhaustive()
    }
}

/// The parts of a sender.
pub struct SenderParts {
    /// Chain's name.
    pub chain: String,
    /// Key.
    pub key: KeyId,
    /// Writing side of the chain.
    pub sink: Arc<dyn ChainSink>,
    /// Signer.
    pub signer: Arc<dyn ReleasingSigner>,
    /// Journal and store.
    pub ledger: Arc<Ledger>,
    /// Metrics.
    pub observer: Arc<dyn SendObserver>,
}

impl std::fmt::Debug for SenderParts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SenderParts").field("chain", &self.chain).finish_non_exhaustive()
    }
}

impl Sender {
    /// A sender of one key.
    ///
    /// # Errors
    /// The signer has no such key.
    pub fn new(parts: SenderParts) -> Result<Self, SendError> {
        let public_key = parts.signer.public_key(&parts.key)?;
        let SenderParts { chain, key, sink, signer, ledger, observer } = parts;
        Ok(Self { chain, key, public_key, sink, signer, ledger, observer, open: Mutex::new(None) })
    }

    /// Address of the key on the chain.
    ///
    /// # Errors
    /// The key is no point on the curve.
    pub fn address(&self) -> Result<String, SendError> {
        Ok(self.sink.address(&self.public_key)?)
    }

    /// The chain's writing side.
    #[must_use]
    pub fn sink(&self) -> &Arc<dyn ChainSink> {
        &self.sink
    }

    /// Takes over the transactions of this key that the journal holds without an outcome, and finds out what became of
    /// each, in the order of their nonces. The first that stays open is resolved before the next send.
    ///
    /// # Errors
    /// The chain cannot be read, or an outcome is still unknown.
    pub async fn reconcile(&self) -> Result<(), SendError> {
        if bugs::on(Bug::SkipReconcile) {
            return Ok(());
        }
        let mut intents = self.ledger.open_intents(&self.chain)?;
        intents.retain(|intent| intent.key == self.key.0);
        intents.sort_by_key(|intent| intent.nonce);
        let mut open = self.open.lock().await;
        for Intent { nonce, tx_bytes, tx_hash, .. } in intents {
            tracing::info!(chain = self.chain, nonce, tx = %tx_hash, "a transaction without an outcome");
            *open = Some(Open { signed: SignedTx { bytes: tx_bytes, hash: TxHash(tx_hash) }, nonce });
            failpoint("send.reconcile");
            self.resolve(&mut open).await?;
        }
        Ok(())
    }

    /// Builds, journals, signs and broadcasts a transaction, and waits for its receipt.
    ///
    /// # Errors
    /// See [`SendError`]; on [`SendError::Unknown`] the transaction may still take effect, and is resolved first
    /// when something is sent again.
    pub async fn send(&self, body: &TxBody, note: &Note) -> Result<Sent, SendError> {
        let mut open = self.open.lock().await;
        self.resolve(&mut open).await?;
        let mut attempt = 0;
        loop {
            attempt += 1;
            let (signed, nonce) = self.prepare(body, note).await?;
            failpoint("journaled");
            match self.sink.broadcast(&signed).await {
                Broadcast::Accepted | Broadcast::Unknown(_) => {
                    failpoint("broadcast");
                    *open = Some(Open { signed, nonce });
                    return self.wait(&mut open).await;
                }
                Broadcast::Redundant => {
                    self.end(&signed, "redundant", &OutcomeResult::Dropped)?;
                    self.release(nonce, "every message was done by others")?;
                    return Ok(Sent::Redundant);
                }
                Broadcast::NonceMismatch(error) => {
                    self.end(&signed, "dropped", &OutcomeResult::Dropped)?;
                    self.release(nonce, "the chain refused the nonce")?;
                    // What a person asked for is never built twice: an endpoint may have kept the first one.
                    if attempt >= limits::NONCE_ATTEMPTS || matches!(body, TxBody::Call(_)) {
                        return Err(error.into());
                    }
                }
                Broadcast::Refused(error) => {
                    self.end(&signed, "refused", &OutcomeResult::Refused { code: error.code.to_owned() })?;
                    self.release(nonce, "the node refused the transaction")?;
                    return Err(error.into());
                }
            }
        }
    }

    /// Builds, signs and journals; what it returns may be broadcast.
    async fn prepare(&self, body: &TxBody, note: &Note) -> Result<(SignedTx, u64), SendError> {
        let account = self.sink.account(&self.public_key).await?;
        self.observer.account(&self.chain, &self.key.0, &account);
        let nonce = account.nonce;
        self.free(nonce)?;
        let request = BuildRequest { body, public_key: &self.public_key, account: &account, nonce };
        let unsigned: UnsignedTx = self.sink.build(request).await?;
        let purpose = Purpose::Transaction { chain: self.chain.clone(), nonce };
        let request = SignRequest { key: self.key.clone(), digest: unsigned.digest, purpose };
        let signature = platform::block_in_place(|| self.signer.sign(&request))?;
        let signed = self.sink.finish(&unsigned, &signature)?;
        let intent = Intent {
            id: note.id.clone(),
            path: note.path.clone(),
            chain: self.chain.clone(),
            key: self.key.0.clone(),
            nonce,
            tx_hash: signed.hash.0,
            tx_bytes: signed.bytes.clone(),
            kind: note.kind,
            packets: note.packets.clone(),
            at_seconds: platform::now().seconds(),
        };
        failpoint("signed");
        if !bugs::on(Bug::DropIntent) {
            platform::block_in_place(|| self.ledger.record(vec![Record::Intent(intent)]))?;
        }
        Ok((signed, nonce))
    }

    /// Lets a nonce be signed for again when something was signed for it that never left: an intent is journaled before
    /// its broadcast, and none is open here. A kill between signature and intent leaves such a nonce.
    fn free(&self, nonce: u64) -> Result<(), SendError> {
        if self.ledger.signed_tx(&self.chain, &self.key.0, nonce)?.is_some() {
            self.release(nonce, "signed for, but nothing of it is open")?;
        }
        Ok(())
    }

    /// Finds out what became of an open transaction: in a block, replaced, or to be broadcast again.
    async fn resolve(&self, open: &mut Option<Open>) -> Result<(), SendError> {
        let Some(Open { signed, nonce }) = open.as_ref() else { return Ok(()) };
        if let Some(receipt) = self.sink.receipt(&signed.hash).await? {
            self.included(signed, &receipt)?;
            *open = None;
            return Ok(());
        }
        let account = self.sink.account(&self.public_key).await?;
        if account.nonce > *nonce {
            // The nonce is used, so this transaction is either in a block that the endpoint has not shown yet, or
            // was replaced. One more look decides.
            if let Some(receipt) = self.sink.receipt(&signed.hash).await? {
                self.included(signed, &receipt)?;
            } else {
                self.end(signed, "dropped", &OutcomeResult::Dropped)?;
            }
            *open = None;
            return Ok(());
        }
        match self.sink.broadcast(signed).await {
            Broadcast::Refused(_) | Broadcast::Redundant => {
                let nonce = *nonce;
                self.end(signed, "refused", &OutcomeResult::Dropped)?;
                self.release(nonce, "refused when broadcast again")?;
                *open = None;
                Ok(())
            }
            Broadcast::Accepted | Broadcast::Unknown(_) | Broadcast::NonceMismatch(_) => {
                self.wait(open).await.map(|_| ()).or_else(|error| match error {
                    SendError::Reverted { .. } => Ok(()),
                    other => Err(other),
                })
            }
        }
    }

    async fn wait(&self, open: &mut Option<Open>) -> Result<Sent, SendError> {
        let Some(Open { signed, nonce }) = open.as_ref() else { return Ok(Sent::Redundant) };
        for look in 1..=limits::RECEIPT_POLLS_MAX {
            platform::sleep(Duration::from_millis(limits::RECEIPT_POLL_MS)).await;
            match self.sink.receipt(&signed.hash).await {
                Ok(Some(receipt)) => {
                    let tx = signed.hash;
                    self.included(signed, &receipt)?;
                    *open = None;
                    return self.effect(tx, receipt);
                }
                Ok(None) if look % limits::REBROADCAST_POLLS == 0 => {
                    // Idempotent for the same bytes; the next look tells.
                    let _ = self.sink.broadcast(signed).await;
                }
                Ok(None) | Err(_) => {}
            }
        }
        self.observer.transaction(&self.chain, &self.key.0, "unknown", None);
        let (tx, nonce) = (signed.hash, *nonce);
        tracing::warn!(chain = self.chain, %tx, nonce, "no receipt within the bound");
        Err(SendError::Unknown { chain: self.chain.clone(), tx })
    }

    fn effect(&self, tx: TxHash, receipt: TxReceipt) -> Result<Sent, SendError> {
        if receipt.success {
            return Ok(Sent::Included { tx, receipt });
        }
        let reason = receipt.error.unwrap_or_else(|| "the chain gives no reason".to_owned());
        Err(SendError::Reverted { chain: self.chain.clone(), tx, reason })
    }

    fn included(&self, signed: &SignedTx, receipt: &TxReceipt) -> Result<(), SendError> {
        let outcome = if receipt.success { "included" } else { "reverted" };
        self.observer.transaction(&self.chain, &self.key.0, outcome, Some(receipt));
        failpoint("send.seen");
        let result = OutcomeResult::Included {
            height: receipt.height,
            success: receipt.success,
            gas_used: receipt.gas_used,
            fee: receipt.fee.clone(),
        };
        self.journal(signed, result)
    }

    fn end(&self, signed: &SignedTx, outcome: &'static str, result: &OutcomeResult) -> Result<(), SendError> {
        self.observer.transaction(&self.chain, &self.key.0, outcome, None);
        self.journal(signed, result.clone())
    }

    fn journal(&self, signed: &SignedTx, result: OutcomeResult) -> Result<(), SendError> {
        let at_seconds = platform::now().seconds();
        let record = Outcome { tx_hash: signed.hash.0, chain: self.chain.clone(), result, at_seconds };
        platform::block_in_place(|| self.ledger.record(vec![Record::Outcome(record)]))?;
        failpoint("send.settled");
        Ok(())
    }

    fn release(&self, nonce: u64, reason: &str) -> Result<(), SendError> {
        Ok(self.signer.release_nonce(&self.key, &self.chain, nonce, reason)?)
    }
}
