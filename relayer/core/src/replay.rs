//! What a journal says was decided, packet by packet, and what in it does not fit: for the incident that is looked into
//! when it is over, on another machine, without a chain.
//!
//! It holds packet steps, intents, outcomes, signatures, releases and cursors; what a job saw before it became a
//! transaction (heads, who signed) is not in it.
//!
//! What an attacker can grow: one line a record of a journal that was durable already.

use std::collections::BTreeMap;

use catenary_light_clients::Hash32;
use serde::Serialize;

use crate::packet_key::PacketKey;
use crate::record::{Outcome, OutcomeResult, PacketStep, Record, Stage};

/// One decision, or one thing learnt.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Line {
    /// Place of the record in the journal, from 1.
    pub record: u64,
    /// When, in Unix seconds.
    pub at_seconds: u64,
    /// What.
    pub what: String,
}

/// What a journal says.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize)]
pub struct Report {
    /// Records that were read.
    pub records: u64,
    /// Starts of the node, by time.
    pub starts: Vec<Line>,
    /// By packet (`chain/client/sequence`), what was decided and learnt of it, in order.
    pub packets: BTreeMap<String, Vec<Line>>,
    /// Nonces that were released, and what people did.
    pub acts: Vec<Line>,
    /// What does not fit: the journal of a node without a bug has none.
    pub contradictions: Vec<Line>,
}

/// Reads records in their order.
#[derive(Clone, Debug, Default)]
pub struct Replay {
    report: Report,
    stages: BTreeMap<PacketKey, Stage>,
    /// Packets and place of each transaction, by chain and hash.
    transactions: BTreeMap<(String, Hash32), Transaction>,
    /// The transaction that holds a nonce, by chain, key and nonce.
    nonces: BTreeMap<(String, String, u64), Hash32>,
    /// The newest digest that was signed, by chain, key and nonce.
    signed: BTreeMap<(String, String, u64), Hash32>,
    cursors: BTreeMap<String, u64>,
}

#[derive(Clone, Debug)]
struct Transaction {
    packets: Vec<PacketKey>,
    place: (String, String, u64),
}

impl Replay {
    /// Takes the next record.
    pub fn take(&mut self, record: &Record) {
        self.report.records = self.report.records.saturating_add(1);
        match record {
            Record::Start(start) => {
                let line = self.line(start.at_seconds, format!("catenary {} starts", start.version));
                self.report.starts.push(line);
            }
            Record::Packet(step) => self.step(step),
            Record::Intent(intent) => {
                let place = (intent.chain.clone(), intent.key.clone(), intent.nonce);
                if let Some(other) = self.nonces.insert(place.clone(), intent.tx_hash) {
                    // A replacement is the same transaction at a higher fee: one of them is included at most.
                    if other != intent.tx_hash && intent.replacement == 0 {
                        let (tx, nonce) = (intent.tx_hash, intent.nonce);
                        self.contradicts(
                            intent.at_seconds,
                            format!("{tx} takes nonce {nonce} of {other}, which is open"),
                        );
                    }
                }
                let what = format!(
                    "{} in {} with nonce {} of {} on {}",
                    intent.kind.name(),
                    intent.tx_hash,
                    intent.nonce,
                    intent.key,
                    intent.chain
                );
                intent.packets.iter().for_each(|key| self.tell(key, intent.at_seconds, what.clone()));
                let transaction = Transaction { packets: intent.packets.clone(), place };
                self.transactions.insert((intent.chain.clone(), intent.tx_hash), transaction);
            }
            Record::Outcome(outcome) => self.outcome(outcome),
            Record::SignedTx(signed) => {
                let place = (signed.chain.clone(), signed.key.clone(), signed.nonce);
                let replaces = signed.replaces.as_ref().map(|replaces| replaces.digest);
                let before = self.signed.insert(place, signed.digest);
                if let Some(before) = before.filter(|before| *before != signed.digest && replaces != Some(*before)) {
                    let (key, nonce) = (&signed.key, signed.nonce);
                    self.contradicts(
                        0,
                        format!("{key} signs {} for nonce {nonce}, and {before} before", signed.digest),
                    );
                }
            }
            Record::NonceReleased(released) => {
                self.signed.remove(&(released.chain.clone(), released.key.clone(), released.nonce));
                let what = format!(
                    "nonce {} of {} on {} released by {}: {}",
                    released.nonce, released.key, released.chain, released.actor, released.reason
                );
                let line = self.line(released.at_seconds, what);
                self.report.acts.push(line);
            }
            Record::Act(act) => {
                let line = self.line(act.at_seconds, format!("{} by {}: {}", act.action, act.actor, act.reason));
                self.report.acts.push(line);
            }
            Record::Cursor(cursor) => {
                let before = self.cursors.insert(cursor.chain.clone(), cursor.height).unwrap_or_default();
                if cursor.height < before {
                    self.contradicts(0, format!("cursor {} goes from {before} to {}", cursor.chain, cursor.height));
                }
            }
            _ => {}
        }
    }

    /// What was read.
    #[must_use]
    pub fn finish(self) -> Report {
        self.report
    }

    const fn line(&self, at_seconds: u64, what: String) -> Line {
        Line { record: self.report.records, at_seconds, what }
    }

    fn tell(&mut self, key: &PacketKey, at_seconds: u64, what: String) {
        let line = self.line(at_seconds, what);
        self.report.packets.entry(key.to_string()).or_default().push(line);
    }

    fn contradicts(&mut self, at_seconds: u64, what: String) {
        let line = self.line(at_seconds, what);
        self.report.contradictions.push(line);
    }

    fn step(&mut self, step: &PacketStep) {
        let reason = step.reason.as_ref().map(|reason| format!(": {reason}")).unwrap_or_default();
        let what = format!("{} at height {} on {}{reason}", step.stage.name(), step.height, step.path);
        self.tell(&step.key, step.at_seconds, what);
        if let Some(before) = self.stages.insert(step.key.clone(), step.stage).filter(|before| before.is_terminal()) {
            let what = format!("{} was {} and is {}", step.key, before.name(), step.stage.name());
            self.contradicts(step.at_seconds, what);
        }
    }

    fn outcome(&mut self, outcome: &Outcome) {
        let words = match &outcome.result {
            OutcomeResult::Included { height, success: true, fee, .. } => format!("in block {height}, fee {fee}"),
            OutcomeResult::Included { height, success: false, fee, .. } => {
                format!("reverted in block {height}, fee {fee}")
            }
            OutcomeResult::Dropped => "dropped".to_owned(),
            OutcomeResult::Refused { code } => format!("refused {code}"),
        };
        let what = format!("{} on {}: {words}", outcome.tx_hash, outcome.chain);
        let Some(transaction) = self.transactions.get(&(outcome.chain.clone(), outcome.tx_hash)).cloned() else {
            return self.contradicts(outcome.at_seconds, format!("{what}, but no intent says so"));
        };
        if self.nonces.get(&transaction.place) == Some(&outcome.tx_hash) {
            self.nonces.remove(&transaction.place);
        }
        transaction.packets.iter().for_each(|key| self.tell(key, outcome.at_seconds, what.clone()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::{Cursor, Intent, IntentKind, NonceReleased, Replaces, SignedTx};

    fn key() -> PacketKey {
        PacketKey { source_chain: "ant".into(), source_client: "client-0".into(), sequence: 1 }
    }

    fn step(stage: Stage) -> Record {
        Record::Packet(PacketStep {
            path: "p".into(),
            key: key(),
            stage,
            packet: None,
            ack: None,
            height: 7,
            reason: None,
            at_seconds: 5,
        })
    }

    fn intent(hash: u8) -> Record {
        Record::Intent(Intent {
            id: "recv-1".into(),
            path: "p".into(),
            chain: "bee".into(),
            key: "send".into(),
            nonce: 3,
            tx_hash: Hash32([hash; 32]),
            tx_bytes: vec![1],
            kind: IntentKind::Recv,
            packets: vec![key()],
            at_seconds: 6,
            replacement: 0,
        })
    }

    fn dropped(hash: u8) -> Record {
        let (tx_hash, chain) = (Hash32([hash; 32]), "bee".to_owned());
        Record::Outcome(Outcome { tx_hash, chain, result: OutcomeResult::Dropped, at_seconds: 7 })
    }

    fn signed(digest: u8) -> Record {
        let (key, chain) = ("send".to_owned(), "bee".to_owned());
        Record::SignedTx(SignedTx { key, chain, nonce: 3, digest: Hash32([digest; 32]), replaces: None })
    }

    /// The digest that takes the place of the one before it.
    fn resigned(digest: u8, before: u8) -> Record {
        let Record::SignedTx(tx) = signed(digest) else { return signed(digest) };
        Record::SignedTx(SignedTx { replaces: Some(Replaces { digest: Hash32([before; 32]), number: 1 }), ..tx })
    }

    fn replacement(hash: u8) -> Record {
        let Record::Intent(tx) = intent(hash) else { return intent(hash) };
        Record::Intent(Intent { replacement: 1, ..tx })
    }

    fn released() -> Record {
        let (key, chain) = ("send".to_owned(), "bee".to_owned());
        let (reason, actor) = ("refused".to_owned(), "catenary".to_owned());
        Record::NonceReleased(NonceReleased { key, chain, nonce: 3, reason, actor, at_seconds: 8 })
    }

    fn cursor(height: u64) -> Record {
        Record::Cursor(Cursor { chain: "p/ant".into(), height })
    }

    #[test]
    fn every_decision_of_a_packet_is_told_and_contradictions_are_named() {
        let check = |records: &[Record], lines: usize, contradictions: usize| {
            let mut replay = Replay::default();
            records.iter().for_each(|record| replay.take(record));
            let report = replay.finish();
            let told = report.packets.get(&key().to_string()).map_or(0, Vec::len);
            assert_eq!(told, lines, "{report:?}");
            assert_eq!(report.contradictions.len(), contradictions, "{report:?}");
            assert_eq!(report.records, records.len() as u64);
        };
        check(&[], 0, 0);
        check(&[step(Stage::Sent), intent(1), dropped(1), intent(2)], 4, 0);
        check(&[step(Stage::Sent), step(Stage::Acknowledged)], 2, 0);
        check(&[step(Stage::Acknowledged), step(Stage::Sent)], 2, 1);
        check(&[intent(1), intent(1)], 2, 0);
        check(&[intent(1), intent(2)], 2, 1);
        check(&[dropped(1)], 0, 1);
        check(&[signed(1), signed(1)], 0, 0);
        check(&[signed(1), signed(2)], 0, 1);
        check(&[signed(1), resigned(2, 1)], 0, 0);
        check(&[signed(1), resigned(2, 3)], 0, 1);
        check(&[intent(1), replacement(2), dropped(1), dropped(2)], 4, 0);
        check(&[signed(1), released(), signed(2)], 0, 0);
        check(&[cursor(5), cursor(6)], 0, 0);
        check(&[cursor(5), cursor(4)], 0, 1);
    }
}
