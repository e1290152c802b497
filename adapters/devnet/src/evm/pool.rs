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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use catenary_light_clients::crypto::keccak256;
    use catenary_light_clients::rlp::{put_bytes, put_list, put_uint};
    use catenary_light_clients::testing::Key;

    use super::*;

    /// A signed transaction of sender number `seed`.
    fn tx(seed: u64, nonce: u64, price_wei: u64) -> Arc<Tx> {
        let mut payload = Vec::new();
        for number in [nonce, price_wei, 21_000, 0, 0, 0] {
            put_uint(&mut payload, number);
        }
        let mut signed = Vec::new();
        put_list(&mut signed, &payload);
        let signature = Key::new(seed).sign(&keccak256(&[&signed]).0);
        put_uint(&mut payload, 27 + u64::from(signature[64]));
        for part in [&signature[..32], &signature[32..64]] {
            let digits: Vec<u8> = part.iter().copied().skip_while(|byte| *byte == 0).collect();
            put_bytes(&mut payload, &digits);
        }
        let mut raw = Vec::new();
        put_list(&mut raw, &payload);
        let tx = Tx::decode(&raw).unwrap();
        assert_eq!(tx.sender.0 .0, Key::new(seed).address().0);
        Arc::new(tx)
    }

    fn nonces(txs: &[Arc<Tx>]) -> Vec<u64> {
        txs.iter().map(|tx| tx.nonce).collect()
    }

    #[test]
    fn senders_take_turns_by_arrival_and_each_keeps_its_order() {
        let mut pool = Pool::default();
        for (seed, nonce) in [(1, 11), (2, 0), (1, 10), (2, 1), (3, 5)] {
            pool.add(tx(seed, nonce, 0), 0).unwrap();
        }
        let one = Address::from(Key::new(1).address().0);
        let account = |sender: &Address| if *sender == one { 10 } else { 0 };
        // Sender 3 waits for five others of its own; sender 1's first came after sender 2's first.
        assert_eq!(nonces(&pool.ready(account, 9)), [0, 10, 11, 1]);
        assert_eq!(nonces(&pool.ready(account, 2)), [0, 10]);
        assert_eq!((pool.next_nonce(&one, 10), pool.next_nonce(&one, 9)), (12, 9));
        pool.settle(|sender| if *sender == one { 11 } else { 1 });
        assert_eq!((nonces(&pool.ready(|sender| account(sender).max(1), 9)), pool.len()), (vec![1], 3));
    }

    #[test]
    fn copies_cheap_replacements_and_nonces_far_ahead_are_refused() {
        let mut pool = Pool::default();
        let check = |pool: &mut Pool, nonce: u64, price: u64, expect: Result<(), Refusal>| {
            assert_eq!(pool.add(tx(1, nonce, price), 0), expect, "{nonce} {price}");
        };
        check(&mut pool, 0, 100, Ok(()));
        check(&mut pool, 0, 100, Err(Refusal::Known));
        check(&mut pool, 0, 109, Err(Refusal::Underpriced));
        check(&mut pool, 0, 110, Ok(()));
        check(&mut pool, 0, 100, Err(Refusal::Underpriced));
        check(&mut pool, NONCES_AHEAD_MAX, 0, Ok(()));
        check(&mut pool, NONCES_AHEAD_MAX + 1, 0, Err(Refusal::TooFarAhead));
        assert_eq!(pool.len(), 2);
        pool.remove(&tx(1, 0, 110));
        assert!(pool.get(&tx(1, 0, 110).hash).is_none() && pool.len() == 1);
    }

    #[test]
    fn a_full_pool_takes_replacements_only() {
        let mut pool = Pool::default();
        pool.add(tx(1, 0, 100), 0).unwrap();
        // Names of transactions that nobody sent fill it as well as any.
        pool.known.extend((1..TXS_MAX as u64).map(|n| B256::from(keccak256(&[&n.to_be_bytes()]).0)));
        assert_eq!(pool.add(tx(1, 1, 100), 0), Err(Refusal::Full));
        assert_eq!(pool.add(tx(1, 0, 200), 0), Ok(()));
        assert_eq!(pool.len(), TXS_MAX);
    }
}
