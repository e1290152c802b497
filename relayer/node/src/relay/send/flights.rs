//! The transactions of one key that are on their way, by nonce.

use std::collections::BTreeMap;
use std::time::Instant;

use catenary_api::{SignedTx, TxHash};
use catenary_core::record::Intent;

use super::types::Note;

/// One nonce on its way.
#[derive(Debug, Clone)]
pub(super) struct Flight {
    /// The transaction and its replacements, never empty; last is the one to broadcast again, which is the newest that was
    /// not refused.
    pub(super) versions: Vec<SignedTx>,
    /// What it is for.
    pub(super) note: Note,
    /// How many replacements were tried.
    pub(super) replacements: u32,
    /// When something was last done to bring it into a block.
    pub(super) touched: Instant,
    /// Somebody waits for its outcome; otherwise it is settled before the next one is sent.
    watched: bool,
}

/// All of them.
#[derive(Debug, Default)]
pub(super) struct Flights {
    open: BTreeMap<u64, Flight>,
    /// The nonce after the highest that is known to be used. An endpoint that is behind shows a lower one.
    pub(super) floor: u64,
    /// Since when nothing but lower ones was shown.
    pub(super) behind_since: Option<Instant>,
}

impl Flights {
    /// The lowest nonce that is neither used, by the chain's word, nor on its way.
    pub(super) fn lease(&self, on_chain: u64) -> u64 {
        (on_chain..=u64::MAX).find(|nonce| !self.open.contains_key(nonce)).unwrap_or(on_chain)
    }

    /// A new transaction, which its sender watches.
    pub(super) fn launch(&mut self, nonce: u64, signed: SignedTx, (note, now): (&Note, Instant)) {
        let (versions, note) = (vec![signed], note.clone());
        self.open.insert(nonce, Flight { versions, note, replacements: 0, touched: now, watched: true });
    }

    /// A transaction that the journal holds without an outcome; those of one nonce in the order in which they were made.
    pub(super) fn adopt(&mut self, intent: Intent, replacements: u32, now: Instant) {
        let note = Note::of(&intent);
        let signed = SignedTx { bytes: intent.tx_bytes, hash: TxHash(intent.tx_hash) };
        let fresh = Flight { versions: Vec::new(), note, replacements, touched: now, watched: false };
        let flight = self.open.entry(intent.nonce).or_insert(fresh);
        if flight.versions.iter().all(|version| version.hash != signed.hash) {
            flight.versions.push(signed);
        }
    }

    /// Whether a lower nonce is neither used, by the chain's word, nor on its way: no block takes this one before that.
    pub(super) fn is_cut_off(&self, nonce: u64, on_chain: u64) -> bool {
        self.lease(on_chain) < nonce
    }

    /// The lowest nonce from this one on that nobody watches; it is watched from here on.
    pub(super) fn take_orphan(&mut self, from: u64) -> Option<(u64, Note)> {
        let (nonce, flight) = self.open.range_mut(from..).find(|(_, flight)| !flight.watched)?;
        flight.watched = true;
        Some((*nonce, flight.note.clone()))
    }

    /// Nobody watches this nonce any more.
    pub(super) fn abandon(&mut self, nonce: u64) {
        if let Some(flight) = self.open.get_mut(&nonce) {
            flight.watched = false;
        }
    }

    /// Whether somebody watches any.
    pub(super) fn is_watched(&self) -> bool {
        self.open.values().any(|flight| flight.watched)
    }

    /// One of them.
    pub(super) fn get(&self, nonce: u64) -> Option<&Flight> {
        self.open.get(&nonce)
    }

    /// One of them, to change.
    pub(super) fn get_mut(&mut self, nonce: u64) -> Option<&mut Flight> {
        self.open.get_mut(&nonce)
    }

    /// Takes one out.
    pub(super) fn remove(&mut self, nonce: u64) -> Option<Flight> {
        self.open.remove(&nonce)
    }

    /// How many.
    pub(super) fn len(&self) -> usize {
        self.open.len()
    }

    /// A nonce is used.
    pub(super) fn used(&mut self, nonce: u64) {
        self.floor = self.floor.max(nonce.saturating_add(1));
    }
}
