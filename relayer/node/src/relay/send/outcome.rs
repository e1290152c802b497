//! What became of a transaction: looking, waiting, replacing, and writing it down.

use catenary_api::{Broadcast, Purpose, ReplacingSink, SignedTx, TxHash, TxReceipt};
use catenary_core::bugs::{self, Bug};
use catenary_core::record::{Outcome, OutcomeResult, Record};
use catenary_core::PacketKey;
use catenary_light_clients::Class;
use catenary_protocol::ics20::{split_trace, Transfer};

use super::flights::Flight;
use super::sender::Sender;
use super::types::{Corridor, SendError, Sent, TxEvent};
use crate::failpoint::failpoint;
use crate::platform;
use crate::relay::limits;
use crate::store::is_late;

/// How a nonce ended.
#[derive(Debug)]
pub(super) enum Landing {
    /// One of its versions is in a block.
    Included {
        /// Which.
        tx: TxHash,
        /// Its receipt.
        receipt: TxReceipt,
    },
    /// None will be.
    Gone {
        /// The newest.
        tx: TxHash,
    },
}

/// Whether bytes are worth another broadcast while they are waited for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Again {
    Yes,
    /// The node has said that they do not fit: only the account tells how it goes on.
    No,
}

impl Sender {
    /// What an ended nonce means for who sent it.
    pub(super) fn effect(&self, nonce: u64, landing: Landing) -> Result<Sent, SendError> {
        let chain = || self.chain.clone();
        match landing {
            Landing::Included { tx, receipt } if receipt.success => Ok(Sent::Included { tx, receipt }),
            Landing::Included { tx, receipt } => {
                let reason = receipt.error.unwrap_or_else(|| "the chain gives no reason".to_owned());
                Err(SendError::Reverted { chain: chain(), tx, reason })
            }
            Landing::Gone { tx } => Err(SendError::Vanished { chain: chain(), tx, nonce }),
        }
    }

    /// Whether a nonce cannot be used yet, since one below it is unused and nothing of ours is on its way there. An
    /// endpoint that is behind says so as well, so it is asked again first.
    pub(super) async fn is_cut_off(&self, nonce: u64) -> Result<bool, SendError> {
        for _ in 0..limits::LAG_LOOKS {
            let on_chain = self.sink.account(&self.public_key).await?.nonce;
            if !self.flights().is_cut_off(nonce, on_chain) {
                return Ok(false);
            }
            platform::sleep(self.policy.poll).await;
        }
        Ok(true)
    }

    /// Finds out what became of a nonce that nobody waited for: included, lost to another transaction, refused, or to be
    /// broadcast again.
    pub(super) async fn resolve(&self, nonce: u64) -> Result<Landing, SendError> {
        if let Some(landing) = self.look(nonce).await? {
            return Ok(landing);
        }
        if self.sink.account(&self.public_key).await?.nonce > nonce {
            return self.conclude(nonce).await;
        }
        let Some(flight) = self.flights().get(nonce).cloned() else { return Err(self.lost(nonce)) };
        let mut refused = Vec::new();
        // No version is given up while the chain may take another one: any of them may be in a pool.
        for version in flight.versions.iter().rev() {
            let end = match self.sink.broadcast(version).await {
                Broadcast::Accepted | Broadcast::Unknown(_) => return self.wait(nonce, true).await,
                Broadcast::NonceMismatch(_) => return self.wait(nonce, false).await,
                Broadcast::Redundant => ("redundant", OutcomeResult::Dropped),
                Broadcast::Refused(error) => ("refused", OutcomeResult::Refused { code: error.code.to_owned() }),
            };
            refused.push((version, end));
        }
        if let Some(landing) = self.linger(nonce).await? {
            return Ok(landing);
        }
        for (version, end) in refused {
            if let Some(landing) = self.withdraw(nonce, version, end)? {
                return Ok(landing);
            }
        }
        Err(self.lost(nonce))
    }

    /// What was broadcast before may be refused because it is done: some more looks, at the account as well, tell whether
    /// it is in a block by now.
    async fn linger(&self, nonce: u64) -> Result<Option<Landing>, SendError> {
        for _ in 0..limits::LAG_LOOKS {
            if let Some(landing) = self.look(nonce).await? {
                return Ok(Some(landing));
            }
            if self.sink.account(&self.public_key).await?.nonce > nonce {
                return self.conclude(nonce).await.map(Some);
            }
            platform::sleep(self.policy.poll).await;
        }
        Ok(None)
    }

    /// Waits for a receipt, within the bound: broadcasts the same bytes again in case a pool lost them, and replaces them
    /// when that is due.
    pub(super) async fn wait(&self, nonce: u64, rebroadcast: bool) -> Result<Landing, SendError> {
        let mut again = if rebroadcast { Again::Yes } else { Again::No };
        for look in 1..=limits::RECEIPT_POLLS_MAX {
            platform::sleep(self.policy.poll).await;
            match self.look(nonce).await {
                Ok(Some(landing)) => return Ok(landing),
                Ok(None) => {}
                Err(SendError::Chain(_)) => continue,
                Err(error) => return Err(error),
            }
            if look % limits::REBROADCAST_POLLS == 0 {
                if let Some(landing) = self.nudge(nonce, &mut again).await? {
                    return Ok(landing);
                }
            }
            // What does not fit at this price does not fit at a higher one.
            if again == Again::Yes {
                self.replace_if_due(nonce).await?;
            }
        }
        let tx = self.newest(nonce)?.hash;
        if let Some(flight) = self.flights().get(nonce) {
            self.tell(flight, "unknown", None);
        }
        tracing::warn!(chain = self.chain, %tx, nonce, "no receipt within the bound");
        Err(SendError::Unknown { chain: self.chain.clone(), tx })
    }

    /// The same bytes once more, which is idempotent. What does not fit is not sent in a loop: then the account decides. Only
    /// one whose turn is still to come is, since a pool that lost it lost those before it as well.
    async fn nudge(&self, nonce: u64, again: &mut Again) -> Result<Option<Landing>, SendError> {
        let mut misfits = false;
        if *again == Again::Yes {
            match self.sink.broadcast(&self.newest(nonce)?).await {
                Broadcast::Accepted | Broadcast::Unknown(_) => return Ok(None),
                Broadcast::NonceMismatch(_) => misfits = true,
                Broadcast::Refused(_) | Broadcast::Redundant => *again = Again::No,
            }
        }
        match self.sink.account(&self.public_key).await {
            Ok(account) if account.nonce > nonce => return self.conclude(nonce).await.map(Some),
            Ok(account) if account.nonce < nonce => {}
            _ if misfits => *again = Again::No,
            _ => {}
        }
        Ok(None)
    }

    /// The nonce is used. Either a version is in a block that the endpoint has not shown yet, or something else used it:
    /// some more looks decide.
    async fn conclude(&self, nonce: u64) -> Result<Landing, SendError> {
        for _ in 0..limits::LAG_LOOKS {
            if let Some(landing) = self.look(nonce).await? {
                return Ok(landing);
            }
            platform::sleep(self.policy.poll).await;
        }
        let Some(flight) = self.flights().get(nonce).cloned() else { return Err(self.lost(nonce)) };
        let dropped = |version: &SignedTx| self.outcome(version, OutcomeResult::Dropped);
        self.journal(flight.versions.iter().map(dropped).collect())?;
        let tx = self.newest(nonce)?.hash;
        self.tell(&flight, "dropped", None);
        self.land(nonce);
        Ok(Landing::Gone { tx })
    }

    /// Looks for a receipt of any version, the newest first.
    pub(super) async fn look(&self, nonce: u64) -> Result<Option<Landing>, SendError> {
        let Some(flight) = self.flights().get(nonce).cloned() else { return Err(self.lost(nonce)) };
        for version in flight.versions.iter().rev() {
            if let Some(receipt) = self.sink.receipt(&version.hash).await? {
                return self.included((nonce, &flight), version, receipt).map(Some);
            }
        }
        Ok(None)
    }

    /// One version is in a block, so the others never will be: written down at once.
    fn included(
        &self,
        (nonce, flight): (u64, &Flight),
        version: &SignedTx,
        receipt: TxReceipt,
    ) -> Result<Landing, SendError> {
        let result = OutcomeResult::Included {
            height: receipt.height,
            success: receipt.success,
            gas_used: receipt.gas_used,
            fee: receipt.fee.clone(),
        };
        failpoint("send.seen");
        let others = flight.versions.iter().filter(|other| other.hash != version.hash);
        let mut records = vec![self.outcome(version, result)];
        records.extend(others.clone().map(|other| self.outcome(other, OutcomeResult::Dropped)));
        self.journal(records)?;
        others.for_each(|_| self.tell(flight, "replaced", None));
        self.tell(flight, if receipt.success { "included" } else { "reverted" }, Some(&receipt));
        self.flights().used(nonce);
        self.land(nonce);
        Ok(Landing::Included { tx: version.hash, receipt })
    }

    /// A version that will not be included while its nonce is unused. When it was the last one, the nonce is free.
    pub(super) fn withdraw(
        &self,
        nonce: u64,
        version: &SignedTx,
        (outcome, result): (&'static str, OutcomeResult),
    ) -> Result<Option<Landing>, SendError> {
        self.journal(vec![self.outcome(version, result)])?;
        let left = {
            let mut flights = self.flights();
            let Some(flight) = flights.get_mut(nonce) else { return Err(self.lost(nonce)) };
            self.tell(flight, outcome, None);
            flight.versions.retain(|other| other.hash != version.hash);
            flight.versions.len()
        };
        if left > 0 {
            return Ok(None);
        }
        self.release(nonce, "nothing that was signed for it will be included")?;
        self.land(nonce);
        Ok(Some(Landing::Gone { tx: version.hash }))
    }

    async fn replace_if_due(&self, nonce: u64) -> Result<(), SendError> {
        let Some(replacer) = self.replacer.clone() else { return Ok(()) };
        let due = self.flights().get(nonce).is_some_and(|flight| {
            let waited = platform::monotonic().duration_since(flight.touched);
            flight.replacements < self.policy.replacements_max && waited >= self.policy.replace_after
        });
        if !due {
            return Ok(());
        }
        let replaced = self.replace(nonce, replacer.as_ref()).await;
        if let Some(flight) = self.flights().get_mut(nonce) {
            flight.touched = platform::monotonic();
        }
        match replaced {
            // The one that waits still does; it is tried again later.
            Err(SendError::Chain(error)) => {
                tracing::warn!(chain = self.chain, nonce, code = error.code, "not replaced: {}", error.message);
                Ok(())
            }
            done => done,
        }
    }

    /// The same transaction at a higher fee: signed as a replacement, journaled, and only then broadcast.
    async fn replace(&self, nonce: u64, replacer: &dyn ReplacingSink) -> Result<(), SendError> {
        // One that is not next waits for those before it, whatever it pays.
        if self.sink.account(&self.public_key).await?.nonce != nonce {
            return Ok(());
        }
        let previous = self.newest(nonce)?;
        let Some(unsigned) = replacer.replacement(&previous).await? else {
            tracing::warn!(chain = self.chain, nonce, tx = %previous.hash, "waits for a block at the highest fee allowed");
            return Ok(());
        };
        if unsigned.nonce != nonce {
            let message = format!("the replacement of nonce {nonce} has nonce {}; please report this", unsigned.nonce);
            return Err(catenary_api::Error { code: "NODE-TX-005", class: Class::Bug, message }.into());
        }
        if bugs::on(Bug::ReleaseStuck) {
            self.release(nonce, "no block takes it")?;
        }
        let signed = self.sign(&unsigned, Purpose::Replacement { chain: self.chain.clone(), nonce })?;
        failpoint("replace.signed");
        let Some(flight) = self.flights().get(nonce).cloned() else { return Err(self.lost(nonce)) };
        let journaled = self.journal_intent(&signed, (nonce, flight.replacements.saturating_add(1)), &flight.note);
        // One that is durable is watched like one that was broadcast.
        if !matches!(&journaled, Ok(()) | Err(SendError::Unknown { .. })) {
            return journaled;
        }
        if let Some(flight) = self.flights().get_mut(nonce) {
            flight.versions.retain(|version| version.hash != signed.hash && !bugs::on(Bug::ForgetReplaced));
            flight.versions.push(signed.clone());
            flight.replacements = flight.replacements.saturating_add(1);
        }
        journaled?;
        failpoint("replace.journaled");
        tracing::info!(chain = self.chain, nonce, tx = %signed.hash, replaces = %previous.hash, "replaced at a higher fee");
        let broadcast = self.sink.broadcast(&signed).await;
        failpoint("replace.broadcast");
        if let Broadcast::Refused(error) = broadcast {
            // Another pool may hold it all the same, so it is watched until the nonce is used; what is broadcast again is
            // the one before it.
            tracing::warn!(chain = self.chain, nonce, tx = %signed.hash, code = error.code, "refused: {}", error.message);
            if let Some(flight) = self.flights().get_mut(nonce) {
                flight.versions.rotate_right(1);
            }
        }
        Ok(())
    }

    fn newest(&self, nonce: u64) -> Result<SignedTx, SendError> {
        let newest = self.flights().get(nonce).and_then(|flight| flight.versions.last().cloned());
        newest.ok_or_else(|| self.lost(nonce))
    }

    /// A flight is taken out by who watches it, and only one does.
    fn lost(&self, nonce: u64) -> SendError {
        let message =
            format!("nonce {nonce} on {} is not on its way, but is waited for; please report this", self.chain);
        catenary_api::Error { code: "NODE-TX-006", class: Class::Bug, message }.into()
    }

    fn land(&self, nonce: u64) {
        let left = {
            let mut flights = self.flights();
            flights.remove(nonce);
            flights.len()
        };
        self.observer.in_flight(&self.chain, &self.key.0, left);
    }

    fn tell(&self, flight: &Flight, outcome: &'static str, receipt: Option<&TxReceipt>) {
        let note = &flight.note;
        let packets = if receipt.is_some() { note.packets.as_slice() } else { &[] };
        let corridors: Vec<Corridor> = packets.iter().map(|packet| self.corridor(packet)).collect();
        let event = TxEvent { chain: &self.chain, key: &self.key.0, note, outcome, receipt, corridors: &corridors };
        self.observer.transaction(&event);
    }

    /// Figures only: what cannot be read is a corridor without an asset.
    fn corridor(&self, key: &PacketKey) -> Corridor {
        let packet = self.ledger.packet(key).ok().flatten();
        let transfer = packet.and_then(|packet| Transfer::from_payload(packet.payloads.first()?).ok());
        let asset = transfer.map(|transfer| split_trace(&transfer.denom).1.to_owned());
        Corridor { source: key.source_chain.clone(), asset }
    }

    fn outcome(&self, signed: &SignedTx, result: OutcomeResult) -> Record {
        let at_seconds = platform::now().seconds();
        Record::Outcome(Outcome { tx_hash: signed.hash.0, chain: self.chain.clone(), result, at_seconds })
    }

    fn journal(&self, records: Vec<Record>) -> Result<(), SendError> {
        match platform::block_in_place(|| self.ledger.record(records)) {
            // Durable, and folded before anything else is recorded.
            Err(error) if is_late(&error) => tracing::warn!(chain = self.chain, code = error.code(), "{error}"),
            done => done?,
        }
        failpoint("send.settled");
        Ok(())
    }
}
