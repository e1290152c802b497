//! The senders against a chain that loses, delays and refuses, with a kill at every step.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "a test fails by panicking")]

mod fake;
mod lanes;

use std::path::Path;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use catenary_api::{Account, Call, KeyId, Message, TxBody};
use catenary_core::record::{IntentKind, OutcomeResult, Record};
use catenary_core::PacketKey;
use catenary_light_clients::Class;
use catenary_protocol::AttestationProof;
use fake::{Fake, Step};
use tempfile::TempDir;
use tokio::task::JoinHandle;

use super::*;
use crate::keystore::{Binding, Keystore, KeystoreSigner, Passphrase};
use crate::relay::limits;
use crate::store::Ledger;
use crate::wiring::Signers;

/// Long enough for a machine that does much else; reached only when a test fails.
const PATIENCE: Duration = Duration::from_secs(60);

/// Counts outcomes.
#[derive(Default)]
struct Outcomes(Mutex<Vec<&'static str>>);

impl SendObserver for Outcomes {
    fn transaction(&self, event: &TxEvent<'_>) {
        self.0.lock().unwrap().push(event.outcome);
    }

    fn account(&self, _chain: &str, _key: &str, _account: &Account, _next: u64) {}

    fn in_flight(&self, _chain: &str, _key: &str, _count: usize) {}
}

struct Rig {
    _dir: TempDir,
    chain: Arc<Fake>,
    ledger: Arc<Ledger>,
    signer: Arc<KeystoreSigner>,
    outcomes: Arc<Outcomes>,
    policy: SendPolicy,
}

impl Rig {
    fn new() -> Self {
        Self::over(|dir| Ledger::open_in_memory(dir).unwrap())
    }

    fn over(open: impl FnOnce(&Path) -> Ledger) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let keystore = Keystore::new(&dir.path().join("keys"));
        let passphrase = Passphrase::new("correct-horse-battery".into());
        let binding = Binding::Transactions { chain: "evm".into() };
        keystore.create("pays", binding, &passphrase).unwrap();
        let ledger = Arc::new(open(&dir.path().join("data")));
        let ids = [KeyId("pays".into())];
        let signer = Arc::new(KeystoreSigner::open(keystore, &ids, &passphrase, ledger.clone()).unwrap());
        let policy = SendPolicy {
            in_flight_max: 1,
            replace_after: Duration::from_millis(5),
            replacements_max: 3,
            poll: Duration::from_millis(1),
            floor_patience: Duration::ZERO,
        };
        let (chain, outcomes) = (Arc::new(Fake::new()), Arc::default());
        Self { _dir: dir, chain, ledger, signer, outcomes, policy }
    }

    /// A sender as a start of the process makes it: it knows what the journal knows.
    fn sender(&self) -> Arc<Sender> {
        let sender = Sender::new(SenderParts {
            chain: "evm".into(),
            key: KeyId("pays".into()),
            sink: self.chain.clone(),
            replacer: Some(self.chain.clone()),
            signer: Arc::new(Signers(self.signer.clone())),
            ledger: self.ledger.clone(),
            observer: self.outcomes.clone(),
            policy: self.policy,
        });
        Arc::new(sender.unwrap())
    }

    fn spawn(&self, sender: &Arc<Sender>, name: &'static str, kind: IntentKind) -> JoinHandle<Result<Sent, SendError>> {
        let sender = sender.clone();
        tokio::spawn(async move { sender.send(&body(name, kind), &note(name, kind)).await })
    }

    async fn send(&self, sender: &Arc<Sender>, name: &'static str) -> Result<Sent, SendError> {
        self.spawn(sender, name, IntentKind::Recv).await.unwrap()
    }

    /// Waits for something that the chain shows.
    async fn until(&self, what: &str, holds: impl Fn(&fake::State) -> bool) {
        let end = Instant::now() + PATIENCE;
        while !holds(&self.chain.state()) {
            assert!(Instant::now() < end, "not in time: {what}");
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }

    fn effects(&self) -> Vec<String> {
        let state = self.chain.state();
        state.effects.iter().map(|body| String::from_utf8(body.clone()).unwrap()).collect()
    }

    fn open(&self) -> usize {
        self.ledger.open_intents("evm").unwrap().len()
    }

    /// Results in the journal, by transaction in the order of their outcomes.
    fn results(&self) -> Vec<&'static str> {
        let mut results = Vec::new();
        let name = |result: &OutcomeResult| match result {
            OutcomeResult::Included { .. } => "included",
            OutcomeResult::Dropped => "dropped",
            OutcomeResult::Refused { .. } => "refused",
        };
        let visit = |record: Record| {
            if let Record::Outcome(outcome) = record {
                results.push(name(&outcome.result));
            }
        };
        self.ledger.replay(visit).unwrap();
        results
    }
}

/// A call, or a delivery that needs no verified facts; known by its name.
fn body(name: &str, kind: IntentKind) -> TxBody {
    if kind != IntentKind::Call {
        let proof = AttestationProof { data: Vec::new(), signatures: Vec::new() };
        return TxBody::Deliver(vec![Message::UpdateClient { client_id: name.to_owned(), proof }]);
    }
    let call = Call { to: None, type_url: String::new(), data: name.as_bytes().to_vec(), summary: String::new() };
    TxBody::Call(vec![call])
}

fn note(name: &str, kind: IntentKind) -> Note {
    let packets = match kind {
        IntentKind::Call => Vec::new(),
        _ => vec![format!("evm/client-0/{}", name.len()).parse::<PacketKey>().unwrap()],
    };
    Note { id: name.to_owned(), path: "p".to_owned(), kind, packets }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_transaction_that_no_block_takes_is_replaced_within_its_bounds() {
    let check = |price_min: u64, price_max: u64, most: u32, prices: Vec<u64>, included: bool| async move {
        let mut rig = Rig::new();
        rig.policy.replacements_max = most;
        (rig.chain.state().price_min, rig.chain.state().price_max) = (price_min, price_max);
        let sent = rig.send(&rig.sender(), "a").await;
        assert_eq!(sent.is_ok(), included, "{sent:?}");
        let mut seen = rig.chain.state().broadcasts.clone();
        seen.dedup();
        assert_eq!(seen, prices.iter().map(|price| (0, *price)).collect::<Vec<_>>(), "{price_min} {price_max} {most}");
        if included {
            assert_eq!((rig.effects(), rig.open()), (vec!["a".to_owned()], 0));
            let dropped = vec!["dropped"; prices.len() - 1];
            assert_eq!(rig.results(), [vec!["included"], dropped].concat(), "all versions have their outcome");
            let Ok(Sent::Included { receipt, .. }) = sent else { panic!("{sent:?}") };
            assert_eq!(receipt.fee, (prices.last().unwrap() * 10).to_string(), "the fee of the one in the block");
        } else {
            assert_eq!((sent.unwrap_err().code(), rig.open()), ("NODE-TX-002", prices.len()));
        }
    };
    check(0, 1_000, 3, vec![100], true).await;
    check(101, 1_000, 3, vec![100, 113], true).await;
    check(120, 1_000, 3, vec![100, 113, 128], true).await;
    // Not over the bound, and not more often than allowed.
    check(120, 127, 3, vec![100, 113], false).await;
    check(500, 1_000, 3, vec![100, 113, 128, 144], false).await;
    check(500, 1_000, 0, vec![100], false).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_replaced_is_watched_as_well() {
    let rig = Rig::new();
    rig.chain.state().price_min = 120;
    // The replacement never arrives, and then blocks take the first one.
    rig.chain.kill_at(Step::BeforeBroadcast(2));
    let sender = rig.sender();
    let sending = rig.spawn(&sender, "a", IntentKind::Recv);
    rig.chain.killed().await;
    sending.abort();
    let _ = sending.await;
    assert_eq!(rig.open(), 2);
    rig.chain.state().price_min = 0;
    rig.sender().reconcile().await.unwrap();
    assert_eq!((rig.effects(), rig.open()), (vec!["a".to_owned()], 0));
    assert_eq!(rig.results(), ["included", "dropped"]);
    assert!(rig.outcomes.0.lock().unwrap().contains(&"replaced"));
}

/// A kill at a step of sending "a", then a start, and what it finds out.
async fn crash(step: Step, kind: IntentKind) -> Rig {
    let rig = Rig::new();
    rig.chain.state().price_min = 120;
    rig.chain.kill_at(step);
    let sender = rig.sender();
    let sending = rig.spawn(&sender, "a", kind);
    rig.chain.killed().await;
    sending.abort();
    let _ = sending.await;
    drop(sender);
    rig
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kill_between_any_two_steps_leaves_one_effect() {
    let steps = [
        (Step::Finish(1), 0),
        (Step::BeforeBroadcast(1), 1),
        (Step::AfterBroadcast(1), 1),
        (Step::Price, 1),
        (Step::Finish(2), 1),
        (Step::BeforeBroadcast(2), 2),
        (Step::AfterBroadcast(2), 2),
        (Step::Finish(3), 2),
        (Step::BeforeBroadcast(3), 3),
    ];
    for (step, open) in steps {
        for kind in [IntentKind::Recv, IntentKind::Call] {
            let rig = crash(step, kind).await;
            assert_eq!(rig.open(), open, "{step:?}: intents on their way");
            let sender = rig.sender();
            sender.reconcile().await.unwrap();
            let left = usize::from(open > 0);
            assert_eq!((rig.effects().len(), rig.open()), (left, 0), "{step:?} {kind:?}");
            // What comes next has the next nonce, and the first is never sent again.
            rig.send(&sender, "bb").await.unwrap();
            let expect: Vec<&str> = ["a", "bb"][1 - left..].to_vec();
            assert_eq!(rig.effects(), expect, "{step:?} {kind:?}");
            assert_eq!(rig.chain.state().nonce, expect.len() as u64);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_nonce_that_something_else_used_is_not_broadcast_in_a_loop() {
    for (behind, kind, code) in
        [(0, IntentKind::Recv, None), (5, IntentKind::Recv, None), (0, IntentKind::Call, Some("NODE-TX-003"))]
    {
        let rig = crash(Step::BeforeBroadcast(1), kind).await;
        rig.chain.spend_elsewhere();
        rig.chain.state().behind = behind;
        let sender = rig.sender();
        let reconciled = sender.reconcile().await;
        assert_eq!(reconciled.as_ref().err().map(SendError::code), code, "{behind} {kind:?}");
        assert_eq!(rig.chain.state().arrivals, usize::from(behind > 0), "once, to hear that it does not fit");
        assert_eq!((rig.results(), rig.open()), (vec!["dropped"], 0));
        // A person was told once; the next command is a new one.
        sender.reconcile().await.unwrap();
        rig.chain.state().price_min = 0;
        rig.send(&sender, "bb").await.unwrap();
        assert_eq!(rig.effects(), ["bb"]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_nonce_that_an_endpoint_made_up_holds_up_nothing_else() {
    for (kind, blocked) in [(IntentKind::Recv, false), (IntentKind::Call, true)] {
        let mut rig = Rig::new();
        rig.policy.replacements_max = 0;
        rig.chain.state().ahead = 1;
        let sender = rig.sender();
        let lost = rig.spawn(&sender, "a", kind).await.unwrap();
        assert_eq!(lost.unwrap_err().code(), "NODE-TX-002");
        let next = rig.send(&sender, "bb").await;
        if blocked {
            // What a person asked for might still take effect, which is for the person to know before anything else.
            assert_eq!((next.unwrap_err().code(), rig.effects().len()), ("NODE-TX-002", 0));
            continue;
        }
        next.unwrap();
        rig.sender().reconcile().await.unwrap();
        rig.send(&sender, "ccc").await.unwrap();
        rig.send(&sender, "dddd").await.unwrap();
        assert_eq!((rig.effects(), rig.open()), (["bb", "ccc", "a", "dddd"].map(String::from).to_vec(), 0));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn several_are_on_their_way_where_that_is_allowed_and_no_more() {
    let mut rig = Rig::new();
    rig.policy.in_flight_max = 3;
    rig.policy.replacements_max = 0;
    rig.chain.state().halted = true;
    let sender = rig.sender();
    let sending: Vec<_> = ["a", "bb", "ccc", "dddd"].map(|name| rig.spawn(&sender, name, IntentKind::Recv)).into();
    rig.until("three broadcasts", |state| state.broadcasts.len() >= 3).await;
    let nonces: Vec<u64> = rig.chain.state().broadcasts.iter().map(|(nonce, _)| *nonce).collect();
    assert_eq!(nonces, [0, 1, 2], "in order, each nonce once");
    assert_eq!(rig.open(), 3);
    // Refunds have a place of their own.
    let refund = rig.spawn(&sender, "refund", IntentKind::Timeout);
    rig.until("the refund", |state| state.broadcasts.len() >= 4).await;
    assert_eq!(rig.chain.state().broadcasts[3].0, 3);
    rig.chain.state().halted = false;
    for sent in sending {
        assert!(matches!(sent.await.unwrap(), Ok(Sent::Included { .. })));
    }
    assert!(refund.await.unwrap().is_ok());
    let mut effects = rig.effects();
    effects.sort();
    assert_eq!((effects, rig.open()), (["a", "bb", "ccc", "dddd", "refund"].map(String::from).to_vec(), 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stuck_delivery_does_not_hold_up_a_refund() {
    let rig = Rig::new();
    rig.chain.state().halted = true;
    let sender = rig.sender();
    let stuck = rig.spawn(&sender, "a", IntentKind::Recv);
    rig.until("the delivery", |state| !state.broadcasts.is_empty()).await;
    let waiting = rig.spawn(&sender, "bb", IntentKind::Recv);
    let refund = rig.spawn(&sender, "refund", IntentKind::Timeout);
    rig.until("the refund", |state| state.broadcasts.iter().any(|(nonce, _)| *nonce == 1)).await;
    rig.chain.state().halted = false;
    assert!(stuck.await.unwrap().is_ok() && refund.await.unwrap().is_ok() && waiting.await.unwrap().is_ok());
    assert_eq!(rig.effects(), ["a", "refund", "bb"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_nonce_that_does_not_fit_drains_what_is_on_its_way_and_is_read_again() {
    let mut rig = Rig::new();
    rig.policy.in_flight_max = 2;
    let sender = rig.sender();
    rig.send(&sender, "a").await.unwrap();
    rig.chain.spend_elsewhere();
    // The endpoint shows the nonce that is used elsewhere, for longer than it is asked again.
    rig.chain.state().behind = 1;
    rig.send(&sender, "bb").await.unwrap();
    assert_eq!(rig.effects(), ["a", "bb"]);
    assert_eq!((rig.chain.state().nonce, rig.open()), (3, 0));
    assert_eq!(rig.results(), ["included", "dropped", "included"]);
    // What a person asked for is not built a second time.
    rig.chain.spend_elsewhere();
    rig.chain.state().behind = 1;
    let call = rig.spawn(&sender, "ccc", IntentKind::Call).await.unwrap();
    assert_eq!((call.unwrap_err().code(), rig.effects().len()), ("FAKE-002", 2));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_endpoint_that_is_behind_does_not_get_a_used_nonce_signed_again() {
    let rig = Rig::new();
    let sender = rig.sender();
    rig.send(&sender, "a").await.unwrap();
    rig.chain.state().behind = 5;
    rig.send(&sender, "bb").await.unwrap();
    assert_eq!(rig.chain.state().broadcasts, [(0, 100), (1, 100)]);
    // Nor after a start, which only knows what was signed.
    rig.chain.state().behind = 5;
    let restarted = rig.sender();
    restarted.reconcile().await.unwrap();
    rig.send(&restarted, "ccc").await.unwrap();
    assert_eq!(rig.chain.state().broadcasts, [(0, 100), (1, 100), (2, 100)]);
    assert_eq!(rig.results(), ["included"; 3]);
    // A chain that has gone back is believed in the end.
    rig.chain.state().nonce = 1;
    rig.send(&restarted, "dddd").await.unwrap();
    assert_eq!(rig.chain.state().broadcasts.last(), Some(&(1, 100)));
}

/// Found in review: an endpoint that stayed behind for three seconds was believed, and a used nonce was signed again.
#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_sent_by_the_word_of_an_endpoint_that_stays_behind() {
    let mut rig = Rig::new();
    rig.policy.floor_patience = PATIENCE * 60;
    let sender = rig.sender();
    rig.send(&sender, "a").await.unwrap();
    rig.chain.state().behind = u32::MAX;
    for _ in 0..2 {
        let held = rig.send(&sender, "bb").await.unwrap_err();
        assert_eq!((held.code(), held.class()), ("NODE-TX-007", Class::Transient), "{held}");
    }
    assert_eq!((rig.chain.state().broadcasts.len(), rig.open()), (1, 0));
    rig.chain.state().behind = 0;
    rig.send(&sender, "bb").await.unwrap();
    assert_eq!(rig.chain.state().broadcasts, [(0, 100), (1, 100)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_refused_frees_its_nonce_and_what_was_lost_is_broadcast_again() {
    let rig = Rig::new();
    let sender = rig.sender();
    rig.chain.state().refuses = Some("FAKE-009");
    assert_eq!(rig.send(&sender, "a").await.unwrap_err().code(), "FAKE-009");
    rig.chain.state().refuses = None;
    rig.send(&sender, "bb").await.unwrap();
    assert_eq!((rig.effects(), rig.results()), (vec!["bb".to_owned()], vec!["refused", "included"]));
    rig.chain.state().deaf = true;
    let sending = rig.spawn(&sender, "ccc", IntentKind::Recv);
    rig.until("the first broadcast", |state| state.broadcasts.len() >= 3).await;
    rig.chain.state().deaf = false;
    assert!(sending.await.unwrap().is_ok(), "the pool had lost it");
    assert_eq!(rig.effects(), ["bb", "ccc"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn packets_of_a_transaction_that_was_settled_first_are_looked_at_again() {
    let rig = crash(Step::AfterBroadcast(1), IntentKind::Recv).await;
    let restarted = rig.sender();
    rig.chain.state().halted = true;
    assert_eq!(restarted.reconcile().await.unwrap_err().code(), "NODE-TX-002");
    (rig.chain.state().halted, rig.chain.state().price_min) = (false, 0);
    // "b" has the same packet as "a", so it is decided again; "ccc" has another.
    assert_eq!(rig.send(&restarted, "b").await.unwrap_err().code(), "NODE-TX-004");
    rig.send(&restarted, "ccc").await.unwrap();
    assert_eq!(rig.effects(), ["a", "ccc"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_of_an_earlier_run_that_took_effect_is_told_once() {
    for (step, kind, told) in [
        (Step::BeforeBroadcast(1), IntentKind::Call, vec!["a"]),
        (Step::AfterBroadcast(1), IntentKind::Call, vec!["a"]),
        (Step::AfterBroadcast(1), IntentKind::Recv, vec![]),
        // Nothing of it was journaled, so nothing of it was broadcast.
        (Step::Finish(1), IntentKind::Call, vec![]),
    ] {
        let rig = crash(step, kind).await;
        rig.chain.state().price_min = 0;
        let effected = rig.sender().reconcile().await.unwrap();
        assert_eq!(effected.iter().map(|call| call.id.as_str()).collect::<Vec<_>>(), told, "{step:?} {kind:?}");
        assert_eq!(rig.sender().reconcile().await.unwrap(), [], "the next run sends");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_without_a_receipt_is_told_when_the_command_is_given_again() {
    let mut rig = Rig::new();
    rig.policy.replacements_max = 0;
    rig.chain.state().halted = true;
    let sent = rig.spawn(&rig.sender(), "a", IntentKind::Call).await.unwrap();
    assert_eq!(sent.unwrap_err().code(), "NODE-TX-002");
    rig.chain.state().halted = false;
    assert_eq!(rig.sender().reconcile().await.unwrap().len(), 1);
    assert_eq!((rig.effects(), rig.open()), (vec!["a".to_owned()], 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_intent_that_is_durable_while_the_store_fails_is_on_its_way() {
    for kind in [IntentKind::Call, IntentKind::Recv] {
        let mut switch = None;
        let rig = Rig::over(|dir| {
            std::fs::create_dir_all(dir).unwrap();
            let (ledger, works) = crate::store::tests::switched_ledger(dir, true);
            switch = Some(works);
            ledger
        });
        let works = switch.unwrap();
        let fails = works.clone();
        rig.chain.state().on_finish = Some(Box::new(move || fails.store(false, Ordering::Relaxed)));
        let sender = rig.sender();
        let sent = rig.spawn(&sender, "a", kind).await.unwrap();
        assert_eq!((sent.unwrap_err().code(), rig.chain.state().arrivals), ("NODE-TX-002", 0), "{kind:?}");
        works.store(true, Ordering::Relaxed);
        rig.send(&sender, "bb").await.unwrap();
        assert_eq!((rig.effects(), rig.open()), (vec!["a".to_owned(), "bb".to_owned()], 0), "{kind:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replacement_that_one_pool_refused_and_another_took_is_watched() {
    for kind in [IntentKind::Call, IntentKind::Recv] {
        let rig = Rig::new();
        (rig.chain.state().price_min, rig.chain.state().keeps_over) = (110, Some(100));
        let sent = rig.spawn(&rig.sender(), "a", kind).await.unwrap();
        assert!(matches!(sent, Ok(Sent::Included { .. })), "{kind:?}: {sent:?}");
        assert_eq!((rig.effects(), rig.open()), (vec!["a".to_owned()], 0));
        assert_eq!(rig.results(), ["included", "dropped"]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_refused_after_a_start_and_in_the_next_block_is_included() {
    for kind in [IntentKind::Call, IntentKind::Recv] {
        let rig = crash(Step::AfterBroadcast(1), kind).await;
        {
            let mut state = rig.chain.state();
            (state.price_min, state.pauses, state.refuses) = (0, 5, Some("FAKE-009"));
        }
        rig.sender().reconcile().await.unwrap();
        assert_eq!((rig.effects(), rig.results(), rig.open()), (vec!["a".to_owned()], vec!["included"], 0), "{kind:?}");
    }
    // What is in no block after that is given up, and its nonce is free.
    let rig = crash(Step::BeforeBroadcast(1), IntentKind::Recv).await;
    (rig.chain.state().price_min, rig.chain.state().refuses) = (0, Some("FAKE-009"));
    let sender = rig.sender();
    sender.reconcile().await.unwrap();
    rig.chain.state().refuses = None;
    rig.send(&sender, "bb").await.unwrap();
    assert_eq!((rig.effects(), rig.results()), (vec!["bb".to_owned()], vec!["refused", "included"]));
}
