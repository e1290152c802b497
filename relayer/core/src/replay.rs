//! What a journal says was decided, packet by packet, and what in it does not fit: for the incident that is looked into
//! when it is over, on another machine, without a chain.
//!
//! It holds the decisions of jobs with the heads they were taken by, packet steps, intents, outcomes, signatures, releases
//! and cursors. Journals of older programs hold no decisions of jobs.
//!
//! What an attacker can grow: one line a record of a journal that was durable already.

use std::collections::{BTreeMap, BTreeSet};

use catenary_light_clients::Hash32;
use serde::Serialize;

use crate::packet_key::PacketKey;
use crate::record::{Decision, DecisionHead, DecisionItem, Intent, Outcome, OutcomeResult, PacketStep, Record, Stage};

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
    /// Records before these, which are elsewhere or were removed.
    pub earlier_records: u64,
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
    /// Packets of each job since the node's newest start, by path and name.
    jobs: BTreeMap<(String, String), BTreeSet<PacketKey>>,
}

#[derive(Clone, Debug)]
struct Transaction {
    packets: Vec<PacketKey>,
    place: (String, String, u64),
}

impl Replay {
    /// For records that begin after so many others, of which nothing is known.
    #[must_use]
    pub fn after(earlier_records: u64) -> Self {
        Self { report: Report { earlier_records, ..Report::default() }, ..Self::default() }
    }

    /// Takes the next record.
    pub fn take(&mut self, record: &Record) {
        self.report.records = self.report.records.saturating_add(1);
        match record {
            Record::Start(start) => {
                self.jobs.clear();
                let line = self.line(start.at_seconds, format!("catenary {} starts", start.version));
                self.report.starts.push(line);
            }
            Record::Packet(step) => self.step(step),
            Record::Decision(decision) => self.decision(decision),
            Record::Intent(intent) => self.intent(intent),
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
        let record = self.report.earlier_records.saturating_add(self.report.records);
        Line { record, at_seconds, what }
    }

    fn decision(&mut self, decision: &Decision) {
        let Decision { id, path, to, at_seconds, .. } = decision;
        let head = |head: &DecisionHead| format!("{} {} of {} s", head.chain, head.height, head.time_seconds);
        let heads = decision.heads.iter().map(head).collect::<Vec<_>>().join(", ");
        for DecisionItem { packet, why, rank, ready_height, refusals } in &decision.items {
            let refused = match refusals {
                0 => String::new(),
                times => format!(", refused {times} times before"),
            };
            let what = format!(
                "{id} to {to} by {}: rank {rank}, ready at height {ready_height}{refused}; heads {heads}",
                why.name()
            );
            self.tell(packet, *at_seconds, what);
        }
        let packets = decision.items.iter().map(|item| item.packet.clone()).collect();
        self.jobs.insert((path.clone(), id.clone()), packets);
    }

    fn intent(&mut self, intent: &Intent) {
        self.is_of_its_job(intent);
        let place = (intent.chain.clone(), intent.key.clone(), intent.nonce);
        if let Some(other) = self.nonces.insert(place.clone(), intent.tx_hash) {
            // A replacement is the same transaction at a higher fee: one of them is included at most.
            if other != intent.tx_hash && intent.replacement == 0 {
                let (tx, nonce) = (intent.tx_hash, intent.nonce);
                self.contradicts(intent.at_seconds, format!("{tx} takes nonce {nonce} of {other}, which is open"));
            }
        }
        let what = format!(
            "{} of {} in {} with nonce {} of {} on {}",
            intent.kind.name(),
            intent.id,
            intent.tx_hash,
            intent.nonce,
            intent.key,
            intent.chain
        );
        intent.packets.iter().for_each(|key| self.tell(key, intent.at_seconds, what.clone()));
        let transaction = Transaction { packets: intent.packets.clone(), place };
        self.transactions.insert((intent.chain.clone(), intent.tx_hash), transaction);
    }

    /// A transaction carries messages of its job's packets only.
    fn is_of_its_job(&mut self, intent: &Intent) {
        let Some(packets) = self.jobs.get(&(intent.path.clone(), intent.id.clone())) else { return };
        if let Some(other) = intent.packets.iter().find(|key| !packets.contains(*key)).cloned() {
            let what = format!("{} carries {other}, which {} was not decided for", intent.tx_hash, intent.id);
            self.contradicts(intent.at_seconds, what);
        }
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
            // What was sent before the first record that is here is not known.
            if self.report.earlier_records == 0 {
                self.contradicts(outcome.at_seconds, format!("{what}, but no intent says so"));
            }
            return;
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
    use crate::record::{Cursor, IntentKind, NonceReleased, Replaces, SignedTx, Start, Why};

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

    /// The job of [`intent`], for the packet with that sequence.
    fn decision(sequence: u64) -> Record {
        let packet = PacketKey { sequence, ..key() };
        let head = |chain: &str| DecisionHead { chain: chain.into(), height: 40, time_seconds: 4 };
        Record::Decision(Decision {
            id: "recv-1".into(),
            path: "p".into(),
            kind: IntentKind::Recv,
            to: "bee".into(),
            heads: vec![head("ant"), head("bee")],
            items: vec![DecisionItem { packet, why: Why::Turn, rank: 1, ready_height: 38, refusals: 0 }],
            at_seconds: 5,
        })
    }

    fn start() -> Record {
        Record::Start(Start { version: "0".into(), config_digest: Hash32([0; 32]), at_seconds: 1 })
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
        check(&[decision(1), intent(1), dropped(1)], 3, 0);
        check(&[decision(2), intent(1)], 1, 1);
        // Numbers of jobs begin anew.
        check(&[decision(2), start(), intent(1)], 1, 0);
    }

    #[test]
    fn a_decision_is_told_with_its_turn_and_heads() {
        let mut replay = Replay::after(41);
        replay.take(&decision(1));
        let report = replay.finish();
        let line = &report.packets[&key().to_string()][0];
        let what = "recv-1 to bee by turn: rank 1, ready at height 38; heads ant 40 of 4 s, bee 40 of 4 s";
        assert_eq!((line.record, line.at_seconds, line.what.as_str()), (42, 5, what));
    }

    #[test]
    fn what_began_before_the_first_record_is_no_contradiction() {
        let mut replay = Replay::after(1);
        replay.take(&dropped(1));
        assert_eq!(replay.finish().contradictions, []);
    }
}
