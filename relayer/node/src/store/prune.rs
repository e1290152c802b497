//! Retention: what ended long ago leaves the working state, a page at a time.
//!
//! What goes is journaled, so a store that is folded anew has it not either. Of a packet stays that it has ended; what was
//! signed, people's acts, cursors and paths never go.

use std::collections::BTreeMap;

use catenary_core::fold::{self, keys};
use catenary_core::record::{Outcome, Pruned, PrunedPackets, PrunedTx, Record};
use catenary_core::{PacketKey, Runs, Stage, StoreError, Tree};

use super::{Ledger, SCAN_MAX};
use crate::failpoint::failpoint;

/// Where the next page begins, so that one call looks at few entries and many calls at all of them.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct PrunePlace {
    acknowledged: Option<PacketKey>,
    refunded: Option<PacketKey>,
    transactions: Option<String>,
}

/// What to keep.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Retention {
    /// What ended before this goes, in Unix seconds.
    pub before_seconds: u64,
    /// Now, in Unix seconds.
    pub now_seconds: u64,
}

impl Ledger {
    /// Looks at a page of ended packets and of known transactions, from a place on, and removes from the working state
    /// what ended before a time; says how many packets went.
    ///
    /// # Errors
    /// Journal or store failed.
    pub fn prune(&self, retention: Retention, place: &mut PrunePlace) -> Result<usize, StoreError> {
        let mut ended: BTreeMap<(String, String, String), Vec<u64>> = BTreeMap::new();
        let mut count = 0;
        for (stage, after) in [(Stage::Acknowledged, &mut place.acknowledged), (Stage::Refunded, &mut place.refunded)] {
            let page = self.packets_in(stage, after.as_ref(), SCAN_MAX)?;
            *after = page.last().cloned();
            for key in page {
                let Some(state) = self.packet_state(&key)? else { continue };
                if state.at_seconds < retention.before_seconds && state.stage == stage {
                    count += 1;
                    let PacketKey { source_chain, source_client, sequence } = key;
                    ended.entry((state.path, source_chain, source_client)).or_default().push(sequence);
                }
            }
        }
        let transactions = self.old_transactions(retention, place)?;
        if ended.is_empty() && transactions.is_empty() {
            return Ok(0);
        }
        let packets = ended.into_iter().map(|((path, source_chain, source_client), sequences)| {
            let runs = sequences.into_iter().collect::<Runs>().into_vec();
            PrunedPackets { path, source_chain, source_client, runs }
        });
        let Retention { before_seconds, now_seconds: at_seconds } = retention;
        let pruned = Pruned { before_seconds, packets: packets.collect(), transactions, at_seconds };
        failpoint("prune.decided");
        self.record(vec![Record::Pruned(pruned)])?;
        failpoint("prune.recorded");
        Ok(count)
    }

    fn old_transactions(&self, retention: Retention, place: &mut PrunePlace) -> Result<Vec<PrunedTx>, StoreError> {
        let page = self.scan(Tree::Intents, "outcome/", place.transactions.as_deref(), SCAN_MAX)?;
        place.transactions = page.last().map(|(key, _)| key.clone());
        let mut old = Vec::new();
        for (key, value) in page {
            let Outcome { chain, tx_hash, at_seconds, .. } = fold::read(&key, &value)?;
            if at_seconds < retention.before_seconds {
                old.push(PrunedTx { chain, tx_hash });
            }
        }
        Ok(old)
    }

    /// Sequences of a path that have ended and left the working state, by source chain and client.
    ///
    /// # Errors
    /// The store failed.
    pub fn closed_runs(&self, path: &str) -> Result<Vec<(String, String, Runs)>, StoreError> {
        let prefix = keys::closed(path);
        let mut found = Vec::new();
        // A path has two ends, so this is one page.
        for (key, value) in self.scan(Tree::Transfers, &prefix, None, SCAN_MAX)? {
            let Some((chain, client)) = key.strip_prefix(&prefix).and_then(|rest| rest.split_once('/')) else {
                return Err(StoreError::Corrupt { key, reason: "it names no chain and client".into() });
            };
            found.push((chain.to_owned(), client.to_owned(), fold::read(&key, &value)?));
        }
        Ok(found)
    }
}
