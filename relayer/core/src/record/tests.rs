//! Golden bytes: what these say is on operators' disks, so a change here needs a new version and a migration.
#![allow(clippy::unwrap_used, reason = "a failing unwrap is a failing test")]

use super::*;

fn hash(byte: u8) -> Hash32 {
    Hash32([byte; 32])
}

fn key(sequence: u64) -> PacketKey {
    PacketKey { source_chain: "quorum".into(), source_client: "client-0".into(), sequence }
}

fn hex32(byte: u8) -> String {
    format!("0x{}", format!("{byte:02x}").repeat(32))
}

/// A record has exactly these bytes, and they read back as it.
fn check(record: &Record, json: &str) {
    let expect = format!(r#"{{"v":{},"record":{json}}}"#, record.version());
    assert_eq!(String::from_utf8(record.encode().unwrap()).unwrap(), expect);
    assert!(json.starts_with(&format!(r#"{{"type":"{}","#, record.type_name())), "{json}");
    assert_eq!(&Record::decode(expect.as_bytes()).unwrap(), record);
}

#[test]
fn transactions_are_golden() {
    check(
        &Record::Intent(Intent {
            id: "quorum-simd/17".into(),
            path: "quorum-simd".into(),
            chain: "simd".into(),
            key: "alpha-simd".into(),
            nonce: 18_446_744_073_709_551_615,
            tx_hash: hash(1),
            tx_bytes: vec![0, 0xab],
            kind: IntentKind::Recv,
            packets: vec![key(1), key(2)],
            at_seconds: 1_700_000_000,
            replacement: 0,
        }),
        &format!(
            r#"{{"type":"intent","id":"quorum-simd/17","path":"quorum-simd","chain":"simd","key":"alpha-simd","nonce":18446744073709551615,"tx_hash":"{}","tx_bytes":"00ab","kind":"recv","packets":["quorum/client-0/1","quorum/client-0/2"],"at_seconds":1700000000}}"#,
            hex32(1)
        ),
    );
    let outcome = |result| Record::Outcome(Outcome { tx_hash: hash(1), chain: "simd".into(), result, at_seconds: 9 });
    let expect = |result: &str| {
        format!(r#"{{"type":"outcome","tx_hash":"{}","chain":"simd","result":{result},"at_seconds":9}}"#, hex32(1))
    };
    let included = OutcomeResult::Included { height: 7, success: true, gas_used: 21_000, fee: "12".into() };
    check(&outcome(included), &expect(r#"{"included":{"height":7,"success":true,"gas_used":21000,"fee":"12"}}"#));
    check(&outcome(OutcomeResult::Dropped), &expect(r#""dropped""#));
    check(&outcome(OutcomeResult::Refused { code: "EVM-007".into() }), &expect(r#"{"refused":{"code":"EVM-007"}}"#));
}

#[test]
fn an_intent_says_what_it_is_for() {
    let kinds = [
        (IntentKind::Recv, "recv"),
        (IntentKind::Ack, "ack"),
        (IntentKind::Timeout, "timeout"),
        (IntentKind::Mixed, "mixed"),
        (IntentKind::Call, "call"),
        (IntentKind::Update, "update"),
        (IntentKind::Upkeep, "upkeep"),
    ];
    for (kind, name) in kinds {
        assert_eq!(kind.name(), name);
        assert_eq!(serde_json::to_string(&kind).unwrap(), format!("\"{name}\""), "in the journal as well");
    }
}

#[test]
fn signatures_are_golden() {
    let signed = |statement, timestamp_seconds| {
        Record::SignedAttestation(SignedAttestation {
            key: "alpha-attests".into(),
            instance: hash(2),
            height: 5,
            statement,
            digest: hash(3),
            timestamp_seconds,
        })
    };
    let expect = |end: &str| {
        format!(r#"{{"type":"signed_attestation","key":"alpha-attests","instance":"{}","height":5,{end}}}"#, hex32(2))
    };
    let state = format!(r#""statement":"state","digest":"{}","timestamp_seconds":1700000000"#, hex32(3));
    check(&signed(StatementKind::State, Some(1_700_000_000)), &expect(&state));
    check(&signed(StatementKind::Packets, None), &expect(&format!(r#""statement":"packets","digest":"{}""#, hex32(3))));
    let tx = |replaces: Option<Replaces>| {
        let (key, chain) = ("k".into(), "simd".into());
        Record::SignedTx(SignedTx { key, chain, nonce: 4, digest: hash(5), replaces })
    };
    let expect = |end: &str| {
        format!(r#"{{"type":"signed_tx","key":"k","chain":"simd","nonce":4,"digest":"{}"{end}}}"#, hex32(5))
    };
    check(&tx(None), &expect(""));
    let replaces = format!(r#","replaces":{{"digest":"{}","number":2}}"#, hex32(6));
    check(&tx(Some(Replaces { digest: hash(6), number: 2 })), &expect(&replaces));
    check(
        &Record::NonceReleased(NonceReleased {
            key: "k".into(),
            chain: "simd".into(),
            nonce: 4,
            actor: "node".into(),
            reason: "refused".into(),
            at_seconds: 3,
        }),
        r#"{"type":"nonce_released","key":"k","chain":"simd","nonce":4,"actor":"node","reason":"refused","at_seconds":3}"#,
    );
    check(
        &Record::AttestorReset(AttestorReset {
            key: "k".into(),
            actor: "ann".into(),
            reason: "disk lost".into(),
            at_seconds: 3,
        }),
        r#"{"type":"attestor_reset","key":"k","actor":"ann","reason":"disk lost","at_seconds":3}"#,
    );
}

#[test]
fn what_keeps_a_journal_small_is_golden() {
    check(
        &Record::Pruned(Pruned {
            before_seconds: 7,
            packets: vec![PrunedPackets {
                path: "quorum-simd".into(),
                source_chain: "quorum".into(),
                source_client: "client-0".into(),
                runs: vec![(1, 9), (11, 11)],
            }],
            transactions: vec![PrunedTx { chain: "simd".into(), tx_hash: hash(1) }],
            at_seconds: 9,
        }),
        &format!(
            r#"{{"type":"pruned","before_seconds":7,"packets":[{{"path":"quorum-simd","source_chain":"quorum","source_client":"client-0","runs":[[1,9],[11,11]]}}],"transactions":[{{"chain":"simd","tx_hash":"{}"}}],"at_seconds":9}}"#,
            hex32(1)
        ),
    );
    check(
        &Record::Checkpoint(Checkpoint {
            segment: 3,
            records: 100,
            hash: hash(1),
            digest: hash(2),
            entries: 12,
            at_seconds: 9,
        }),
        &format!(
            r#"{{"type":"checkpoint","segment":3,"records":100,"hash":"{}","digest":"{}","entries":12,"at_seconds":9}}"#,
            hex32(1),
            hex32(2)
        ),
    );
    check(
        &Record::Restored(Restored { records: 5, hash: hash(1), keys: vec!["k".into()], at_seconds: 9 }),
        &format!(r#"{{"type":"restored","records":5,"hash":"{}","keys":["k"],"at_seconds":9}}"#, hex32(1)),
    );
}

#[test]
fn chains_and_paths_are_golden() {
    check(
        &Record::TrustedState(TrustedState {
            chain: "quorum".into(),
            instance: hash(1),
            height: 10,
            hash: hash(2),
            digest: hash(3),
        }),
        &format!(
            r#"{{"type":"trusted_state","chain":"quorum","instance":"{}","height":10,"hash":"{}","digest":"{}"}}"#,
            hex32(1),
            hex32(2),
            hex32(3)
        ),
    );
    check(
        &Record::AnchorSet(AnchorSet {
            chain: "quorum".into(),
            height: 10,
            hash: hash(2),
            actor: "ann".into(),
            reason: "expired".into(),
            at_seconds: 3,
        }),
        &format!(
            r#"{{"type":"anchor_set","chain":"quorum","height":10,"hash":"{}","actor":"ann","reason":"expired","at_seconds":3}}"#,
            hex32(2)
        ),
    );
    check(
        &Record::MisbehaviourSeen(MisbehaviourSeen {
            chain: "quorum".into(),
            instance: hash(1),
            height: 10,
            trusted: hash(2),
            other: hash(3),
            code: "LC-QBFT-030".into(),
            update: vec![1, 0xff],
            at_seconds: 4,
        }),
        &format!(
            r#"{{"type":"misbehaviour_seen","chain":"quorum","instance":"{}","height":10,"trusted":"{}","other":"{}","code":"LC-QBFT-030","update":"01ff","at_seconds":4}}"#,
            hex32(1),
            hex32(2),
            hex32(3)
        ),
    );
    check(
        &Record::ClientHeights(ClientHeights {
            chain: "quorum".into(),
            client: "07-tendermint-0".into(),
            heights: vec![3, 9],
        }),
        r#"{"type":"client_heights","chain":"quorum","client":"07-tendermint-0","heights":[3,9]}"#,
    );
    check(
        &Record::Cursor(Cursor { chain: "quorum".into(), height: 10 }),
        r#"{"type":"cursor","chain":"quorum","height":10}"#,
    );
    check(
        &Record::PathStep(PathStep {
            path: "p".into(),
            step: "create_client".into(),
            value: "attestations-0".into(),
            at_seconds: 3,
        }),
        r#"{"type":"path_step","path":"p","step":"create_client","value":"attestations-0","at_seconds":3}"#,
    );
}

#[test]
fn packets_and_acts_are_golden() {
    let step = |stage, packet, ack, reason: Option<&str>| {
        Record::Packet(PacketStep {
            path: "p".into(),
            key: key(7),
            stage,
            packet,
            ack,
            height: 9,
            reason: reason.map(Into::into),
            at_seconds: 3,
        })
    };
    let expect = |middle: &str, end: &str| {
        format!(r#"{{"type":"packet","path":"p","key":"quorum/client-0/7",{middle},"height":9,{end}"at_seconds":3}}"#)
    };
    check(&step(Stage::Sent, Some(vec![1, 2]), None, None), &expect(r#""stage":"sent","packet":"0102""#, ""));
    check(&step(Stage::Received, None, Some(vec![0xff]), None), &expect(r#""stage":"received","ack":"ff""#, ""));
    check(&step(Stage::Acknowledged, None, None, None), &expect(r#""stage":"acknowledged""#, ""));
    check(
        &step(Stage::Refunded, None, None, Some("timeout")),
        &expect(r#""stage":"refunded""#, r#""reason":"timeout","#),
    );
    check(
        &step(Stage::Parked, None, None, Some("client_frozen")),
        &expect(r#""stage":"parked""#, r#""reason":"client_frozen","#),
    );
    let details = [("b".to_owned(), "2".to_owned()), ("a".to_owned(), "1".to_owned())].into();
    check(
        &Record::Act(Act { actor: "ann".into(), action: "x".into(), reason: "y".into(), details, at_seconds: 3 }),
        r#"{"type":"act","actor":"ann","action":"x","reason":"y","details":{"a":"1","b":"2"},"at_seconds":3}"#,
    );
    check(
        &Record::Start(Start { version: "0.1.0".into(), config_digest: hash(9), at_seconds: 3 }),
        &format!(r#"{{"type":"start","version":"0.1.0","config_digest":"{}","at_seconds":3}}"#, hex32(9)),
    );
}

#[test]
fn decisions_are_golden_and_of_version_2() {
    let item = |sequence, why, rank| DecisionItem { packet: key(sequence), why, rank, ready_height: 80, refusals: 1 };
    let decision = Record::Decision(Decision {
        id: "recv-17".into(),
        path: "quorum-simd".into(),
        kind: IntentKind::Recv,
        to: "simd".into(),
        heads: vec![DecisionHead { chain: "quorum".into(), height: 7, time_seconds: 70 }],
        items: vec![item(1, Why::Turn, 0), item(2, Why::Hurry, 2), item(3, Why::Timeout, 1)],
        at_seconds: 9,
    });
    let item = |sequence, why, rank| {
        format!(
            r#"{{"packet":"quorum/client-0/{sequence}","why":"{why}","rank":{rank},"ready_height":80,"refusals":1}}"#
        )
    };
    let items = [item(1, "turn", 0), item(2, "hurry", 2), item(3, "timeout", 1)].join(",");
    let json = format!(
        r#"{{"type":"decision","id":"recv-17","path":"quorum-simd","kind":"recv","to":"simd","heads":[{{"chain":"quorum","height":7,"time_seconds":70}}],"items":[{items}],"at_seconds":9}}"#
    );
    check(&decision, &json);
    assert_eq!(decision.version(), 2, "a program of version 1 says that a newer one wrote it");
    for why in [Why::Turn, Why::Hurry, Why::Timeout] {
        assert_eq!(serde_json::to_string(&why).unwrap(), format!("{:?}", why.name()));
    }
    let first = format!(r#"{{"v":1,"record":{json}}}"#);
    assert_eq!(Record::decode(first.as_bytes()).map_err(|error| error.code()), Err("CORE-REC-003"));
}

#[test]
fn other_bytes_are_refused() {
    let rows: [(&str, &str); 15] = [
        ("", "CORE-REC-002"),
        ("{}", "CORE-REC-002"),
        ("[]", "CORE-REC-002"),
        (r#"{"v":3,"record":{"type":"unheard_of"}}"#, "CORE-REC-001"),
        (r#"{"v":0,"record":{"type":"cursor","chain":"a","height":1}}"#, "CORE-REC-001"),
        (r#"{"v":2,"record":{"type":"unheard_of"}}"#, "CORE-REC-002"),
        (r#"{"v":2,"record":{"type":"cursor","chain":"a","height":1}}"#, "CORE-REC-003"),
        (r#"{"v":1,"record":{"type":"unheard_of"}}"#, "CORE-REC-002"),
        (r#"{"v":1,"record":{"type":"cursor","chain":"a","height":1,"extra":0}}"#, "CORE-REC-002"),
        (r#"{"v":1,"record":{"type":"cursor","chain":"a","height":1},"extra":0}"#, "CORE-REC-002"),
        (r#"{"v":1,"record":{"type":"cursor","chain":"a","height":-1}}"#, "CORE-REC-002"),
        (r#"{"v":1,"record":{"type":"cursor","chain":"a","height":1}} "#, "CORE-REC-003"),
        (r#"{"v":1,"record":{"type":"cursor","height":1,"chain":"a"}}"#, "CORE-REC-003"),
        (r#"{"v":1,"record":{"type":"cursor","chain":"\u0061","height":1}}"#, "CORE-REC-003"),
        (r#"{"record":{"type":"cursor","chain":"a","height":1},"v":1}"#, "CORE-REC-003"),
    ];
    for (bytes, code) in rows {
        assert_eq!(Record::decode(bytes.as_bytes()).map_err(|error| error.code()), Err(code), "{bytes}");
    }
    let upper = format!(
        r#"{{"v":1,"record":{{"type":"signed_tx","key":"k","chain":"c","nonce":4,"digest":"{}"}}}}"#,
        hex32(0xAB).to_uppercase().replace("0X", "0x")
    );
    assert_eq!(Record::decode(upper.as_bytes()).map_err(|error| error.code()), Err("CORE-REC-002"), "{upper}");
}

#[test]
fn stages_have_the_names_they_are_stored_by() {
    for stage in Stage::ALL {
        assert_eq!(serde_json::to_string(&stage).unwrap(), format!("{:?}", stage.name()));
    }
}

#[test]
fn what_would_not_read_back_is_not_written() {
    let step = |path: &str, source_chain: &str, source_client: &str, sequence| {
        let key = PacketKey { source_chain: source_chain.into(), source_client: source_client.into(), sequence };
        let (packet, ack, reason) = (None, None, None);
        Record::Packet(PacketStep {
            path: path.into(),
            key,
            stage: Stage::Sent,
            packet,
            ack,
            height: 1,
            reason,
            at_seconds: 1,
        })
    };
    assert!(step("p", "quorum", "client-0", 1).encode().is_ok());
    for record in
        [step("p", "quorum", "client-0", 0), step("p", "quorum", "a/b", 1), step("p", "Quorum", "client-0", 1)]
    {
        assert_eq!(record.encode().map_err(|error| error.code()), Err("CORE-REC-004"), "{record:?}");
    }
}
