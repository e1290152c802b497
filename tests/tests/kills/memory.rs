//! What a journal must and must not hold: no key signed two things for one nonce or one height, nothing was broadcast
//! that is not in it, no packet ended twice, and the store is what the journal folds to.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use catenary_core::record::{OutcomeResult, StatementKind};
use catenary_core::Record;
use catenary_node::store::Ledger;

/// A key's nonce on a chain.
type Place = (String, String, u64);

/// What a journal tells, with everything in it that may not be.
#[derive(Debug, Default)]
pub struct Memory {
    /// Transactions that were journaled before their broadcast, by chain and hash.
    pub intents: BTreeSet<(String, String)>,
    /// Calls of a path that took effect, by their summary.
    pub calls: Vec<(String, String)>,
    /// Starts of the node.
    pub starts: usize,
    /// Attestations that were signed.
    pub attestations: usize,
    /// Bytes that were cut from its end when it was opened.
    pub truncated_bytes: u64,
    /// What may not be.
    pub faults: Vec<String>,
    /// Its first segments were removed, so that not everything in it has its beginning in it.
    begins_late: bool,
    signed: BTreeMap<Place, String>,
    states: BTreeMap<(String, u64), String>,
    open: BTreeMap<(String, String), (Place, String, String)>,
    included: BTreeMap<Place, String>,
    ended: BTreeSet<String>,
}

impl Memory {
    /// Opens the ledger of a data directory, which nobody may hold, and reads all of it.
    #[must_use]
    pub fn read(data_dir: &Path) -> Self {
        let (ledger, report) = Ledger::open(data_dir).unwrap_or_else(|error| panic!("{}: {error}", error.code()));
        let begins_late = ledger.reader().start().records > 0;
        let mut memory = Self { truncated_bytes: report.journal.truncated_bytes, begins_late, ..Self::default() };
        let differences = ledger.check().unwrap_or_else(|error| panic!("{}: {error}", error.code()));
        memory.faults.extend(differences.iter().map(|difference| format!("store and journal differ: {difference:?}")));
        ledger.replay(|record| memory.take(record)).unwrap_or_else(|error| panic!("{}: {error}", error.code()));
        memory
    }

    /// As [`Memory::read`], of a copy, so that the recovery of what is there is left to the node.
    #[must_use]
    pub fn of_copy(data_dir: &Path) -> Self {
        let copy = tempfile::tempdir().unwrap();
        copy_files(data_dir, copy.path());
        Self::read(copy.path())
    }

    /// Takes one record, in order.
    pub fn take(&mut self, record: Record) {
        match record {
            Record::Start(_) => self.starts += 1,
            Record::SignedTx(signed) => {
                let place = (signed.chain, signed.key, signed.nonce);
                let digest = signed.digest.to_string();
                let replaces = signed.replaces.map(|replaces| replaces.digest.to_string());
                match self.signed.insert(place.clone(), digest.clone()) {
                    Some(before) if before != digest && replaces.as_ref() != Some(&before) => {
                        self.faults.push(format!("{place:?} was signed for twice: {before}, then {digest}"));
                    }
                    _ => {}
                }
            }
            Record::NonceReleased(released) => {
                let place = (released.chain, released.key, released.nonce);
                let open = self.open.values().find(|(of, ..)| *of == place);
                if let Some((_, id, _)) = open {
                    self.faults.push(format!("{place:?} was released while {id} is open"));
                }
                self.signed.remove(&place);
            }
            Record::Intent(intent) => {
                let place = (intent.chain.clone(), intent.key, intent.nonce);
                if !self.signed.contains_key(&place) && !self.begins_late {
                    self.faults.push(format!("{} of {place:?} is journaled without its signature", intent.id));
                }
                let tx = (intent.chain, intent.tx_hash.to_string());
                self.intents.insert((tx.0.clone(), plain(&tx.1)));
                self.open.insert(tx, (place, intent.id, intent.path));
            }
            Record::Outcome(outcome) => self.outcome(&outcome.chain, &outcome.tx_hash.to_string(), &outcome.result),
            Record::SignedAttestation(signed) => {
                self.attestations += 1;
                let (place, digest) = ((signed.key, signed.height), signed.digest.to_string());
                if signed.statement == StatementKind::State {
                    match self.states.insert(place.clone(), digest.clone()) {
                        Some(before) if before != digest => {
                            self.faults.push(format!("{place:?} was attested twice: {before}, then {digest}"));
                        }
                        _ => {}
                    }
                }
            }
            Record::Packet(step) => {
                let key = step.key.to_string();
                if self.ended.contains(&key) {
                    self.faults.push(format!("{key} has ended and entered {:?} after that", step.stage));
                }
                if step.stage.is_terminal() {
                    self.ended.insert(key);
                }
            }
            _ => {}
        }
    }

    fn outcome(&mut self, chain: &str, hash: &str, result: &OutcomeResult) {
        let Some((place, id, path)) = self.open.remove(&(chain.to_owned(), hash.to_owned())) else {
            if !self.begins_late {
                self.faults.push(format!("{hash} on {chain} has an outcome and was not open"));
            }
            return;
        };
        if let OutcomeResult::Included { success, .. } = result {
            if let Some(before) = self.included.insert(place.clone(), hash.to_owned()) {
                self.faults.push(format!("{place:?} is in blocks twice: {before} and {hash}"));
            }
            if *success {
                self.calls.push((path, id));
            }
        }
    }
}

/// A hash in lower-case hex without prefix, as deliveries have it.
#[must_use]
pub fn plain(hash: &str) -> String {
    hash.trim_start_matches("0x").to_lowercase()
}

fn copy_files(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy_files(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).unwrap();
        }
    }
}

/// A journal that holds what may not be is found out.
#[cfg(test)]
mod tests {
    use catenary_core::packet_key::PacketKey;
    use catenary_core::record::{
        Intent, IntentKind, NonceReleased, Outcome, PacketStep, SignedAttestation, SignedTx, Stage,
    };
    use catenary_light_clients::Hash32;

    use super::*;

    fn signed(nonce: u64, digest: u8) -> Record {
        Record::SignedTx(SignedTx {
            key: "k".into(),
            chain: "c".into(),
            nonce,
            digest: Hash32([digest; 32]),
            replaces: None,
        })
    }

    fn released(nonce: u64) -> Record {
        let (actor, reason) = ("node".into(), "refused".into());
        Record::NonceReleased(NonceReleased { key: "k".into(), chain: "c".into(), nonce, actor, reason, at_seconds: 1 })
    }

    fn intent(nonce: u64, hash: u8) -> Record {
        Record::Intent(Intent {
            id: format!("recv-{hash}"),
            path: "p".into(),
            chain: "c".into(),
            key: "k".into(),
            nonce,
            tx_hash: Hash32([hash; 32]),
            tx_bytes: vec![hash],
            kind: IntentKind::Recv,
            packets: Vec::new(),
            at_seconds: 1,
            replacement: 0,
        })
    }

    fn outcome(hash: u8, result: OutcomeResult) -> Record {
        Record::Outcome(Outcome { tx_hash: Hash32([hash; 32]), chain: "c".into(), result, at_seconds: 1 })
    }

    fn included(hash: u8) -> Record {
        outcome(hash, OutcomeResult::Included { height: 1, success: true, gas_used: 1, fee: "0".into() })
    }

    fn attested(height: u64, digest: u8) -> Record {
        Record::SignedAttestation(SignedAttestation {
            key: "a".into(),
            instance: Hash32([1; 32]),
            height,
            statement: StatementKind::State,
            digest: Hash32([digest; 32]),
            timestamp_seconds: Some(1),
        })
    }

    fn step(stage: Stage) -> Record {
        let key = PacketKey { source_chain: "c".into(), source_client: "client-0".into(), sequence: 1 };
        let (packet, ack, reason) = (None, None, None);
        Record::Packet(PacketStep { path: "p".into(), key, stage, packet, ack, height: 1, reason, at_seconds: 1 })
    }

    fn check(records: Vec<Record>, fault: Option<&str>) {
        let mut memory = Memory::default();
        records.into_iter().for_each(|record| memory.take(record));
        let found = memory.faults.join("; ");
        assert_eq!(memory.faults.len(), usize::from(fault.is_some()), "{found}");
        assert!(found.contains(fault.unwrap_or_default()), "{found}");
    }

    #[test]
    fn what_may_not_be_in_a_journal_is_found() {
        check(vec![signed(1, 1), intent(1, 1), included(1), signed(2, 2), intent(2, 2), included(2)], None);
        check(vec![signed(1, 1), signed(1, 1)], None);
        check(vec![signed(1, 1), signed(1, 2)], Some("signed for twice"));
        check(vec![signed(1, 1), released(1), signed(1, 2)], None);
        check(vec![signed(1, 1), intent(1, 1), released(1)], Some("released while"));
        check(vec![signed(1, 1), intent(1, 1), outcome(1, OutcomeResult::Dropped), released(1), signed(1, 2)], None);
        check(vec![intent(1, 1)], Some("without its signature"));
        check(vec![included(1)], Some("was not open"));
        let again = vec![signed(1, 1), intent(1, 1), included(1), intent(1, 2), included(2)];
        check(again, Some("in blocks twice"));
        check(vec![attested(1, 1), attested(1, 1), attested(2, 2)], None);
        check(vec![attested(1, 1), attested(1, 2)], Some("attested twice"));
        check(vec![step(Stage::Sent), step(Stage::Received), step(Stage::Acknowledged)], None);
        check(vec![step(Stage::Acknowledged), step(Stage::Sent)], Some("has ended"));
    }
}
