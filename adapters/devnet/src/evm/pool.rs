//! Transactions that wait for a block.
//!
//! What a client can grow: [`TXS_MAX`] transactions, of each sender those within [`NONCES_AHEAD_MAX`] of its account.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use alloy_primitives::{Address, B256};

use super::tx::Tx;

/// Most transactions that wait: a load test's thousand, several times over.
pub(super) const TXS_MAX: usize = 8_192;
/// How far ahead of its account's nonce a transaction may be.
pub(super) const NONCES_AHEAD_MAX: u64 = 2_048;

#[derive(Clone)]
struct Waiting {
    tx: Arc<Tx>,
    /// Place in the order of arrival.
    arrival: u64,
}

/// The pool.
#[derive(Clone, Default)]
pub(super) struct Pool {
    waiting: BTreeMap<Address, BTreeMap<u64, Waiting>>,
    known: BTreeSet<B256>,
    arrivals: u64,
}

/// Why a transaction is not taken in.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Refusal {
    Known,
    Underpriced,
    Full,
    TooFarAhead,
}

impl Refusal {
    /// What a node says.
    pub(super) const fn message(self) -> &'static str {
        match self {
            Self::Known => "already known",
            Self::Underpriced => "replacement transaction underpriced",
            Self::Full => "txpool is full",
            Self::TooFarAhead => "nonce too high: too distant in future for sender",
        }
    }
}

impl Pool {
    /// Takes a transaction in, or puts it in the place of a cheaper one with its nonce.
    pub(super) fn add(&mut self, tx: Arc<Tx>, account_nonce: u64) -> Result<(), Refusal> {
        if self.known.contains(&tx.hash) {
            return Err(Refusal::Known);
        }
        if tx.nonce.saturating_sub(account_nonce) > NONCES_AHEAD_MAX {
            return Err(Refusal::TooFarAhead);
        }
        let of_sender = self.waiting.entry(tx.sender).or_default();
        let arrival = self.arrivals;
        if let Some(old) = of_sender.get(&tx.nonce) {
            // geth's rule: both prices at least a tenth higher, and higher at all.
            let enough = |new: u128, old: u128| new > old && new >= old.saturating_mul(11) / 10;
            let priced = enough(tx.max_fee_wei, old.tx.max_fee_wei)
                && enough(tx.max_priority_fee_wei, old.tx.max_priority_fee_wei);
            if !priced {
                return Err(Refusal::Underpriced);
            }
            self.known.remove(&old.tx.hash);
        } else if self.known.len() >= TXS_MAX {
            return Err(Refusal::Full);
        }
        self.known.insert(tx.hash);
        of_sender.insert(tx.nonce, Waiting { tx, arrival });
        self.arrivals += 1;
        Ok(())
    }

    /// A waiting transaction.
    pub(super) fn get(&self, hash: &B256) -> Option<&Arc<Tx>> {
        if !self.known.contains(hash) {
            return None;
        }
        self.waiting.values().flat_map(BTreeMap::values).map(|waiting| &waiting.tx).find(|tx| tx.hash == *hash)
    }

    /// Transactions that can follow now, each sender's in the order of nonces and the rest by arrival.
    pub(super) fn ready(&self, account_nonce: impl Fn(&Address) -> u64, most: usize) -> Vec<Arc<Tx>> {
        let next = |sender: &Address, nonce: u64| {
            let waiting = self.waiting.get(sender)?.get(&nonce)?;
            Some((waiting.arrival, *sender, nonce))
        };
        let mut heads: BTreeSet<(u64, Address, u64)> =
            self.waiting.keys().filter_map(|sender| next(sender, account_nonce(sender))).collect();
        let mut out = Vec::new();
        while out.len() < most {
            let Some((_, sender, nonce)) = heads.pop_first() else { break };
            out.extend(self.waiting.get(&sender).and_then(|txs| txs.get(&nonce)).map(|waiting| waiting.tx.clone()));
            heads.extend(next(&sender, nonce + 1));
        }
        out
    }

    /// The nonce after all that can follow.
    pub(super) fn next_nonce(&self, sender: &Address, account_nonce: u64) -> u64 {
        let Some(of_sender) = self.waiting.get(sender) else { return account_nonce };
        (account_nonce..).find(|nonce| !of_sender.contains_key(nonce)).unwrap_or(account_nonce)
    }

    /// Drops one transaction.
    pub(super) fn remove(&mut self, tx: &Tx) {
        self.known.remove(&tx.hash);
        if let Some(of_sender) = self.waiting.get_mut(&tx.sender) {
            of_sender.retain(|_, waiting| waiting.tx.hash != tx.hash);
            if of_sender.is_empty() {
                self.waiting.remove(&tx.sender);
            }
        }
    }

    /// Drops what can never follow any more.
    pub(super) fn settle(&mut self, account_nonce: impl Fn(&Address) -> u64) {
        let known = &mut self.known;
        self.waiting.retain(|sender, txs| {
            let left = txs.split_off(&account_nonce(sender));
            for gone in std::mem::replace(txs, left).into_values() {
                known.remove(&gone.tx.hash);
            }
            !txs.is_empty()
        });
    }

    /// How many wait.
    pub(super) fn len(&self) -> usize {
        self.known.len()
    }
}
