//! Leasing nonces, signing and broadcasting: one after the other, so that nonces leave in order.

use std::sync::{Arc, Mutex as StdMutex, MutexGuard, PoisonError};

use catenary_api::{
    Account, Broadcast, BuildRequest, ChainSink, KeyId, PublicKey, Purpose, ReplacingSink, SignRequest, SignedTx,
    TxBody, TxHash, UnsignedTx,
};
use catenary_core::bugs::{self, Bug};
use catenary_core::record::{Intent, IntentKind, OutcomeResult, Record};
use catenary_light_clients::Class;
use tokio::sync::{Mutex, Notify, Semaphore, SemaphorePermit};

use super::flights::Flights;
use super::outcome::Landing;
use super::types::{Effected, Note, ReleasingSigner, SendError, SendObserver, SendPolicy, Sent};
use crate::failpoint::failpoint;
use crate::platform;
use crate::relay::limits;
use crate::store::{is_late, Ledger};

/// Sends the transactions of one key on one chain.
pub struct Sender {
    pub(super) chain: String,
    pub(super) key: KeyId,
    pub(super) public_key: PublicKey,
    pub(super) sink: Arc<dyn ChainSink>,
    pub(super) replacer: Option<Arc<dyn ReplacingSink>>,
    pub(super) signer: Arc<dyn ReleasingSigner>,
    pub(super) ledger: Arc<Ledger>,
    pub(super) observer: Arc<dyn SendObserver>,
    pub(super) policy: SendPolicy,
    /// Who may have something on its way; timeouts have a place of their own, so that deliveries never hold up a refund.
    ordinary: Semaphore,
    reserved: Semaphore,
    /// What keeps on-chain clients has one as well: deliveries never make a client expire, and many clients that are
    /// refreshed at once take no place of a delivery.
    upkeep: Semaphore,
    /// Held from the lease to the broadcast.
    turn: Mutex<()>,
    flights: StdMutex<Flights>,
    /// Told when one is no longer watched.
    pub(super) landed: Notify,
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
    /// Raises prices, where the chain knows replacement.
    pub replacer: Option<Arc<dyn ReplacingSink>>,
    /// Signer.
    pub signer: Arc<dyn ReleasingSigner>,
    /// Journal and store.
    pub ledger: Arc<Ledger>,
    /// Metrics.
    pub observer: Arc<dyn SendObserver>,
    /// Patience.
    pub policy: SendPolicy,
}

impl std::fmt::Debug for SenderParts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SenderParts").field("chain", &self.chain).finish_non_exhaustive()
    }
}

/// Watches one nonce for as long as it lives.
struct Watch<'a> {
    sender: &'a Sender,
    nonce: u64,
}

impl Drop for Watch<'_> {
    fn drop(&mut self) {
        self.sender.flights().abandon(self.nonce);
        self.sender.landed.notify_waiters();
    }
}

/// What became of an attempt to broadcast.
enum Submitted<'a> {
    /// It is on its way.
    Flying(Watch<'a>),
    /// Others had done all of it.
    Redundant,
    /// This nonce does not fit.
    Mismatch(u64, catenary_api::Error),
}

impl Sender {
    /// A sender of one key.
    ///
    /// # Errors
    /// The signer has no such key.
    pub fn new(parts: SenderParts) -> Result<Self, SendError> {
        let public_key = parts.signer.public_key(&parts.key)?;
        let SenderParts { chain, key, sink, replacer, signer, ledger, observer, policy } = parts;
        let ordinary = Semaphore::new(policy.in_flight_max.max(1));
        Ok(Self {
            chain,
            key,
            public_key,
            sink,
            replacer,
            signer,
            ledger,
            observer,
            policy,
            ordinary,
            reserved: Semaphore::new(1),
            upkeep: Semaphore::new(1),
            turn: Mutex::new(()),
            flights: StdMutex::default(),
            landed: Notify::new(),
        })
    }

    /// The key's name.
    #[must_use]
    pub fn key(&self) -> &str {
        &self.key.0
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

    pub(super) fn flights(&self) -> MutexGuard<'_, Flights> {
        self.flights.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The chain's name.
    #[must_use]
    pub fn chain(&self) -> &str {
        &self.chain
    }

    /// Takes over the transactions of this key that the journal holds without an outcome. The chain is not asked; each is
    /// settled before the next send.
    ///
    /// # Errors
    /// The store failed.
    pub async fn adopt(&self) -> Result<(), SendError> {
        let _turn = self.turn.lock().await;
        self.adopt_open()
    }

    fn adopt_open(&self) -> Result<(), SendError> {
        if bugs::on(Bug::SkipReconcile) {
            return Ok(());
        }
        let mut intents = self.ledger.open_intents(&self.chain)?;
        intents.retain(|intent| intent.key == self.key.0);
        intents.sort_by_key(|intent| (intent.nonce, intent.replacement));
        for intent in intents {
            tracing::info!(chain = self.chain, nonce = intent.nonce, tx = %intent.tx_hash, "a transaction without an outcome");
            let memory = self.ledger.signed_tx(&self.chain, &self.key.0, intent.nonce)?;
            let replacements = memory.and_then(|signed| signed.replaces).map_or(0, |replaces| replaces.number);
            self.flights().adopt(intent, replacements, platform::monotonic());
            failpoint("send.reconcile");
        }
        Ok(())
    }

    /// As [`Self::adopt`], and finds out what became of each, in the order of their nonces. What stays open is settled
    /// before the next send. Gives the calls that took effect unseen: who gives such a command again may not want a second
    /// one.
    ///
    /// # Errors
    /// The chain cannot be read, an outcome is still unknown, or what a person asked for will not be included.
    pub async fn reconcile(&self) -> Result<Vec<Effected>, SendError> {
        if bugs::on(Bug::SkipReconcile) {
            return Ok(Vec::new());
        }
        let _turn = self.turn.lock().await;
        self.adopt_open()?;
        let mut effected = Vec::new();
        match self.settle(None, &mut effected).await {
            // Its outcome is written down, so this is the only time that it can be told; the rest is still open.
            Err(error) if !effected.is_empty() => {
                tracing::warn!(chain = self.chain, code = error.code(), "not all is settled: {error}");
                Ok(effected)
            }
            done => done.map(|()| effected),
        }
    }

    /// Builds, journals, signs and broadcasts a transaction, and waits for its receipt.
    ///
    /// # Errors
    /// See [`SendError`]; on [`SendError::Unknown`] the transaction may still take effect, and is resolved first
    /// when something is sent again.
    pub async fn send(&self, body: &TxBody, note: &Note) -> Result<Sent, SendError> {
        let _place = self.place(note.kind).await;
        let mut attempt = 0;
        loop {
            attempt += 1;
            let turn = self.turn.lock().await;
            self.settle(Some(note), &mut Vec::new()).await?;
            match self.submit(body, note).await? {
                Submitted::Flying(watch) => {
                    drop(turn);
                    let landing = self.wait(watch.nonce, true).await?;
                    return self.effect(watch.nonce, landing);
                }
                Submitted::Redundant => return Ok(Sent::Redundant),
                Submitted::Mismatch(nonce, error) => {
                    // What a person asked for is never built twice: an endpoint may have kept the first one.
                    if attempt >= limits::NONCE_ATTEMPTS || matches!(body, TxBody::Call(_)) {
                        return Err(error.into());
                    }
                    self.drain().await;
                    self.pass(nonce).await;
                }
            }
        }
    }

    async fn place(&self, kind: IntentKind) -> Option<SemaphorePermit<'_>> {
        let places = match kind {
            IntentKind::Timeout => &self.reserved,
            IntentKind::Upkeep => &self.upkeep,
            _ => &self.ordinary,
        };
        // Never closed, so there is always a permit to come.
        places.acquire().await.ok()
    }

    /// Waits until nobody waits for a transaction any more: the nonces that were counted on are used or known to be free.
    async fn drain(&self) {
        loop {
            let landed = self.landed.notified();
            if !self.flights().is_watched() {
                return;
            }
            landed.await;
        }
    }

    /// Waits, for a while, until the chain shows another nonce than the one that did not fit: somebody else's transaction
    /// with it may be in the pool, and is in a block then.
    async fn pass(&self, nonce: u64) {
        for _ in 0..limits::LAG_LOOKS {
            if self.sink.account(&self.public_key).await.is_ok_and(|account| account.nonce != nonce) {
                return;
            }
            platform::sleep(self.policy.poll).await;
        }
    }

    /// Settles what nobody watches. A note with packets that one of them carried must be decided again. A delivery that
    /// waits for lower nonces, after an endpoint made up its own, stays on its way: what is sent next takes those. Calls
    /// that took effect are put into `effected`.
    async fn settle(&self, next: Option<&Note>, effected: &mut Vec<Effected>) -> Result<(), SendError> {
        let mut from = 0;
        loop {
            let Some((nonce, note)) = self.flights().take_orphan(from) else { return Ok(()) };
            from = nonce.saturating_add(1);
            let watch = Watch { sender: self, nonce };
            if note.kind != IntentKind::Call && self.is_cut_off(nonce).await? {
                tracing::warn!(chain = self.chain, nonce, "waits for lower nonces, which the chain shows unused");
                continue;
            }
            let landing = self.resolve(nonce).await?;
            drop(watch);
            match landing {
                Landing::Gone { tx } if note.kind == IntentKind::Call => {
                    return Err(SendError::Vanished { chain: self.chain.clone(), tx, nonce });
                }
                Landing::Included { tx, receipt } => {
                    if note.kind == IntentKind::Call && receipt.success {
                        let (chain, id) = (&self.chain, &note.id);
                        tracing::warn!(chain, nonce, %tx, "a call that nobody waited for took effect: {id}");
                        effected.push(Effected { id: note.id.clone(), tx });
                    }
                    let same = |next: &Note| next.packets.iter().any(|packet| note.packets.contains(packet));
                    if next.is_some_and(same) {
                        return Err(SendError::Settled { chain: self.chain.clone(), tx });
                    }
                }
                Landing::Gone { .. } => {}
            }
        }
    }

    async fn submit(&self, body: &TxBody, note: &Note) -> Result<Submitted<'_>, SendError> {
        let (signed, watch) = self.prepare(body, note).await?;
        failpoint("journaled");
        match self.sink.broadcast(&signed).await {
            Broadcast::Accepted | Broadcast::Unknown(_) => {
                failpoint("broadcast");
                Ok(Submitted::Flying(watch))
            }
            Broadcast::Redundant => {
                self.withdraw(watch.nonce, &signed, ("redundant", OutcomeResult::Dropped))?;
                Ok(Submitted::Redundant)
            }
            Broadcast::NonceMismatch(error) => {
                self.withdraw(watch.nonce, &signed, ("dropped", OutcomeResult::Dropped))?;
                Ok(Submitted::Mismatch(watch.nonce, error))
            }
            Broadcast::Refused(error) => {
                let result = OutcomeResult::Refused { code: error.code.to_owned() };
                self.withdraw(watch.nonce, &signed, ("refused", result))?;
                Err(error.into())
            }
        }
    }

    /// Leases a nonce, builds, signs and journals; what it returns may be broadcast.
    async fn prepare(&self, body: &TxBody, note: &Note) -> Result<(SignedTx, Watch<'_>), SendError> {
        let (account, nonce) = self.lease().await?;
        let request = BuildRequest { body, public_key: &self.public_key, account: &account, nonce };
        let unsigned: UnsignedTx = self.sink.build(request).await?;
        let signed = self.sign(&unsigned, Purpose::Transaction { chain: self.chain.clone(), nonce })?;
        failpoint("signed");
        let late = match self.journal_intent(&signed, (nonce, 0), note) {
            Ok(()) => None,
            // An intent that is durable is broadcast when the next one is sent, by the next start at the latest.
            Err(error @ SendError::Unknown { .. }) => Some(error),
            Err(error) => return Err(error),
        };
        self.flights().launch(nonce, signed.clone(), (note, platform::monotonic()));
        self.observer.in_flight(&self.chain, &self.key.0, self.flights().len());
        let watch = Watch { sender: self, nonce };
        late.map_or(Ok((signed, watch)), Err)
    }

    pub(super) fn sign(&self, unsigned: &UnsignedTx, purpose: Purpose) -> Result<SignedTx, SendError> {
        let request = SignRequest { key: self.key.clone(), digest: unsigned.digest, purpose };
        let signature = platform::block_in_place(|| self.signer.sign(&request))?;
        Ok(self.sink.finish(unsigned, &signature)?)
    }

    pub(super) fn journal_intent(
        &self,
        signed: &SignedTx,
        (nonce, replacement): (u64, u32),
        note: &Note,
    ) -> Result<(), SendError> {
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
            replacement,
        };
        if bugs::on(Bug::DropIntent) {
            return Ok(());
        }
        match platform::block_in_place(|| self.ledger.record(vec![Record::Intent(intent)])) {
            Err(error) if is_late(&error) => {
                tracing::warn!(chain = self.chain, nonce, tx = %signed.hash, code = error.code(), "{error}");
                Err(SendError::Unknown { chain: self.chain.clone(), tx: signed.hash })
            }
            done => Ok(done?),
        }
    }

    /// The account and the nonce for the next transaction. Something that was signed for it and never left (an intent is
    /// journaled before its broadcast, and none is open here) is released; a kill between signature and intent leaves
    /// such a nonce. So does an endpoint that is behind with what is included already, so it is asked again first.
    async fn lease(&self) -> Result<(Account, u64), SendError> {
        let mut looks = 0;
        loop {
            let account = self.account().await?;
            let nonce = self.flights().lease(account.nonce);
            self.observer.account(&self.chain, &self.key.0, &account, nonce);
            if self.ledger.signed_tx(&self.chain, &self.key.0, nonce)?.is_none() {
                return Ok((account, nonce));
            }
            let mut open = self.ledger.open_intents(&self.chain)?;
            open.retain(|intent| intent.key == self.key.0 && intent.nonce == nonce && !bugs::on(Bug::SkipReconcile));
            open.sort_by_key(|intent| intent.replacement);
            if let Some(last) = open.last() {
                // On its way, and not known here: it is settled before the next one, and its nonce never released.
                let tx = TxHash(last.tx_hash);
                open.into_iter().for_each(|intent| self.flights().adopt(intent, 0, platform::monotonic()));
                return Err(SendError::Unknown { chain: self.chain.clone(), tx });
            }
            if looks >= limits::LAG_LOOKS {
                self.release(nonce, "signed for, but nothing of it is open")?;
                return Ok((account, nonce));
            }
            looks += 1;
            platform::sleep(self.policy.poll).await;
        }
    }

    /// The account, from an endpoint that knows what this node has seen included. One that is behind is asked again for a
    /// while, and then nothing is sent by its word. Only when nothing else has been shown for long is it believed: the
    /// chain itself may have gone back.
    async fn account(&self) -> Result<Account, SendError> {
        let mut account = self.sink.account(&self.public_key).await?;
        let floor = self.flights().floor;
        for _ in 0..limits::LAG_LOOKS {
            if account.nonce >= floor {
                break;
            }
            platform::sleep(self.policy.poll).await;
            account = self.sink.account(&self.public_key).await?;
        }
        let (chain, key, nonce) = (&self.chain, &self.key.0, account.nonce);
        if nonce >= floor {
            self.flights().behind_since = None;
            return Ok(account);
        }
        let now = platform::monotonic();
        let since = *self.flights().behind_since.get_or_insert(now);
        if now.saturating_duration_since(since) < self.policy.floor_patience {
            let message = format!(
                "the next nonce of {key} on {chain} is {nonce}, says the endpoint, but nonces below {floor} are used; nothing \
                 is sent until it has caught up"
            );
            return Err(catenary_api::Error { code: "NODE-TX-007", class: Class::Transient, message }.into());
        }
        tracing::warn!(chain, key, nonce, expected = floor, "the chain's nonce is lower than what was included");
        let mut flights = self.flights();
        (flights.floor, flights.behind_since) = (nonce, None);
        drop(flights);
        Ok(account)
    }

    pub(super) fn release(&self, nonce: u64, reason: &str) -> Result<(), SendError> {
        Ok(self.signer.release_nonce(&self.key, &self.chain, nonce, reason)?)
    }
}
