//! What each record does to the ledger, and what it can never do.
#![allow(clippy::unwrap_used, reason = "a failing unwrap is a failing test")]

use std::collections::BTreeMap;

use catenary_protocol::{ics20::Transfer, Payload};

use super::*;
use crate::record::{Cursor, NonceReleased, OutcomeResult, SignedTx};

const UETR: &str = "97ed4827-7b6f-4491-a06f-b548d5a7512d";

fn key(sequence: u64) -> PacketKey {
    PacketKey { source_chain: "quorum".into(), source_client: "client-0".into(), sequence }
}

fn packet_bytes(memo: &str) -> Vec<u8> {
    let transfer = Transfer {
        denom: "uatom".into(),
        amount: "5".into(),
        sender: "a".into(),
        receiver: "b".into(),
        memo: memo.into(),
    };
    let payload = Payload {
        source_port: "transfer".into(),
        destination_port: "transfer".into(),
        version: "ics20-1".into(),
        encoding: "application/x-solidity-abi".into(),
        value: transfer.abi_encode().unwrap(),
    };
    let packet = Packet {
        sequence: 7,
        source_client: "client-0".into(),
        destination_client: "attestations-0".into(),
        timeout_timestamp_seconds: 1_700_000_000,
        payloads: vec![payload],
    };
    packet.proto_encode()
}

fn step(stage: Stage, packet: Option<Vec<u8>>, at_seconds: u64) -> Record {
    Record::Packet(PacketStep {
        path: "p".into(),
        key: key(7),
        stage,
        packet,
        ack: None,
        height: 3,
        reason: None,
        at_seconds,
    })
}

#[test]
fn an_acknowledgement_that_was_believed_once_is_forgotten_when_the_packet_is_sent_again() {
    let with = |stage, ack: Option<&[u8]>| {
        let Record::Packet(step) = step(stage, None, 5) else { unreachable!("a step of a packet") };
        Record::Packet(PacketStep { ack: ack.map(<[u8]>::to_vec), ..step })
    };
    let check = |records: &[Record], expect: bool| {
        let packets = folded(records, Tree::Packets);
        assert_eq!(packets.contains_key(&keys::packet_ack(&key(7))), expect, "{records:?}");
    };
    let received = with(Stage::Received, Some(b"ack"));
    check(&[with(Stage::Sent, None), received.clone()], true);
    check(&[received.clone(), with(Stage::Parked, None)], true);
    check(&[received.clone(), with(Stage::Acknowledged, None)], true);
    check(&[received, with(Stage::Sent, None), with(Stage::Parked, None)], false);
}

/// Folds records into a map, and gives the keys and values of one tree.
fn folded(records: &[Record], tree: Tree) -> BTreeMap<String, String> {
    let mut map = BTreeMap::new();
    for op in records.iter().flat_map(fold) {
        match op {
            StoreOp::Put { tree, key, value } => map.insert((tree, key), value),
            StoreOp::Delete { tree, key } => map.remove(&(tree, key)),
        };
    }
    let of_tree = map.into_iter().filter(|((at, _), _)| *at == tree);
    of_tree.map(|((_, key), value)| (key, String::from_utf8_lossy(&value).into_owned())).collect()
}

fn keys_of(records: &[Record], tree: Tree) -> Vec<String> {
    folded(records, tree).into_keys().collect()
}

#[test]
fn a_packet_is_in_one_stage_and_open_until_it_ends() {
    let memo = format!(r#"{{"settlement":{{"uetr":"{}"}}}}"#, UETR.to_uppercase());
    let sent = step(Stage::Sent, Some(packet_bytes(&memo)), 1);
    let name = "quorum/client-0/00000000000000000007";
    let expect = |keys: &[&str]| keys.iter().map(|key| format!("{key}/{name}")).collect::<Vec<_>>();
    let uetr = format!("uetr/{UETR}");
    let steps =
        [sent, step(Stage::Parked, None, 2), step(Stage::Received, None, 3), step(Stage::Acknowledged, None, 4)];
    let at = |count: usize| keys_of(steps.get(..count).unwrap(), Tree::Transfers);
    assert_eq!(at(1), expect(&["open/p", "stage/sent", &uetr]));
    assert_eq!(at(2), expect(&["open/p", "stage/parked", &uetr]));
    assert_eq!(at(3), expect(&["open/p", "stage/received", &uetr]));
    assert_eq!(at(4), expect(&["stage/acknowledged", &uetr]));
    let packets = folded(&steps, Tree::Packets);
    let state = r#"{"path":"p","stage":"acknowledged","height":3,"reason":null,"at_seconds":4}"#;
    assert_eq!(packets.get(&format!("state/{name}")).map(String::as_str), Some(state), "golden");
    assert!(packets.contains_key(&format!("bytes/{name}")), "the bytes of the first sight stay");
    assert_eq!(keys_of(&steps, Tree::History).len(), 4);
}

#[test]
fn payment_references_are_taken_from_memos_only_when_well_formed() {
    let rows = [
        (format!(r#"{{"settlement":{{"uetr":"{UETR}","end_to_end_id":"x"}},"other":1}}"#), Some(UETR)),
        (String::new(), None),
        ("free text".into(), None),
        (r#"{"settlement":{}}"#.into(), None),
        (r#"{"settlement":{"uetr":7}}"#.into(), None),
        (r#"{"settlement":{"uetr":"short"}}"#.into(), None),
        (format!(r#"{{"settlement":{{"uetr":"{}"}}}}"#, UETR.replace('-', "/")), None),
        (format!(r#"{{"settlement":{{"uetr":"{UETR}0"}}}}"#), None),
    ];
    for (memo, expect) in rows {
        assert_eq!(payment_reference(&packet_bytes(&memo)).as_deref(), expect, "{memo}");
    }
    assert_eq!(payment_reference(&[1, 2, 3]), None, "bytes that are no packet");
}

#[test]
fn a_transaction_is_open_until_its_outcome_is_known() {
    let intent = Record::Intent(Intent {
        id: "b".into(),
        path: "p".into(),
        chain: "simd".into(),
        key: "k".into(),
        nonce: 3,
        tx_hash: Hash32([1; 32]),
        tx_bytes: vec![9; 4],
        kind: IntentKind::Recv,
        packets: vec![key(7)],
        at_seconds: 1,
        replacement: 0,
    });
    let outcome = Record::Outcome(Outcome {
        tx_hash: Hash32([1; 32]),
        chain: "simd".into(),
        result: OutcomeResult::Dropped,
        at_seconds: 2,
    });
    let prefixes = |records: &[Record]| {
        let keys = keys_of(records, Tree::Intents).into_iter();
        keys.map(|key| key.split('/').next().unwrap_or_default().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(prefixes(std::slice::from_ref(&intent)), ["all", "open"]);
    assert_eq!(prefixes(&[intent.clone(), outcome]), ["all", "outcome"]);
    assert!(!folded(std::slice::from_ref(&intent), Tree::Intents)
        .iter()
        .any(|(key, value)| key.starts_with("all") && value.contains("09090909")));
    assert_eq!(keys_of(&[intent], Tree::History).len(), 1, "the packet's history names the transaction");
}

#[test]
fn a_released_nonce_may_be_signed_again() {
    let (key, chain, digest) = ("k".into(), "c".into(), Hash32([1; 32]));
    let signed = Record::SignedTx(SignedTx { key, chain, nonce: 3, digest, replaces: None });
    let released = Record::NonceReleased(NonceReleased {
        key: "k".into(),
        chain: "c".into(),
        nonce: 3,
        actor: "node".into(),
        reason: "refused".into(),
        at_seconds: 1,
    });
    assert_eq!(keys_of(std::slice::from_ref(&signed), Tree::Nonces), ["c/k/00000000000000000003"]);
    assert!(keys_of(&[signed.clone(), released.clone()], Tree::Nonces).is_empty());
    assert_eq!(keys_of(&[signed, released], Tree::Acts).len(), 1);
}

#[test]
fn a_new_anchor_forgets_the_trusted_state() {
    let trusted = Record::TrustedState(crate::record::TrustedState {
        chain: "c".into(),
        instance: Hash32([1; 32]),
        height: 1,
        hash: Hash32([2; 32]),
        digest: Hash32([3; 32]),
    });
    let anchor = Record::AnchorSet(crate::record::AnchorSet {
        chain: "c".into(),
        height: 9,
        hash: Hash32([4; 32]),
        actor: "ann".into(),
        reason: "expired".into(),
        at_seconds: 1,
    });
    assert_eq!(keys_of(std::slice::from_ref(&trusted), Tree::Clients), ["state/c"]);
    assert_eq!(keys_of(&[trusted.clone(), anchor.clone()], Tree::Clients), ["anchor/c"]);
    let seen = Record::MisbehaviourSeen(crate::record::MisbehaviourSeen {
        chain: "c".into(),
        instance: Hash32([1; 32]),
        height: 5,
        trusted: Hash32([2; 32]),
        other: Hash32([3; 32]),
        code: "LC-X-001".into(),
        update: vec![7],
        at_seconds: 1,
    });
    // Until a person has looked, which a new anchor says, it stays known, whatever is saved.
    assert_eq!(keys_of(&[seen.clone(), trusted], Tree::Clients), ["misbehaviour/c", "state/c"]);
    assert_eq!(keys_of(&[seen, anchor], Tree::Clients), ["anchor/c"]);
}

#[test]
fn cursors_keep_the_last_height() {
    let cursor = |height| Record::Cursor(Cursor { chain: "c".into(), height });
    let tree = folded(&[cursor(1), cursor(2)], Tree::Cursors);
    assert_eq!(tree.get("c").map(String::as_str), Some(r#"{"chain":"c","height":2}"#));
}

#[test]
fn prefixes_of_trees_differ() {
    let prefixes: std::collections::BTreeSet<_> = Tree::ALL.iter().map(|tree| tree.prefix()).collect();
    assert_eq!(prefixes.len(), Tree::ALL.len());
}
