//! Every refusal of the keystore and its signer, and that no secret is ever shown.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a failing unwrap is a failing test")]

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::sync::Arc;

use catenary_api::{KeyId, Purpose, SignRequest, Signer};
use catenary_core::record::{Record, Restored};
use catenary_light_clients::{Family, Hash32, InstanceId};
use catenary_protocol::attestation::{recover, signing_digest, PathCommitment, Statement};
use catenary_protocol::{PacketAttestation, StateAttestation};
use tempfile::TempDir;

use super::*;
use crate::journal::Reader;
use crate::store::tests::failing_ledger;
use crate::store::Ledger;

const PASSPHRASE: &str = "correct-horse-battery";
const SECRET: &str = "4c0883a69102937d6231471b5dbb6204fe5129617082792ae468d01a3f362318";
/// The address of `SECRET`, as other tools compute it.
const ADDRESS: &str = "0x2c7536e3605d9c16a7a3d7b1898e529396a65c23";

struct Fixture {
    dir: TempDir,
    keystore: Keystore,
}

fn passphrase() -> Passphrase {
    Passphrase::new(PASSPHRASE.into())
}

fn instance(height: u64) -> InstanceId {
    InstanceId::new(Family::Qbft, "1337", (height, Hash32([7; 32])), b"store")
}

fn attests() -> Binding {
    Binding::attestor("quorum", instance(1))
}

fn pays() -> Binding {
    Binding::Transactions { chain: "simd".into() }
}

fn fixture() -> Fixture {
    let dir = tempfile::tempdir().unwrap();
    let keystore = Keystore::new(&dir.path().join("keys"));
    keystore.import("attests", attests(), SECRET.as_bytes(), &passphrase()).unwrap();
    keystore.create("pays", pays(), &passphrase()).unwrap();
    Fixture { dir, keystore }
}

impl Fixture {
    fn journal(&self) -> PathBuf {
        self.dir.path().join("data")
    }

    fn signer(&self) -> Arc<KeystoreSigner> {
        let ledger = Arc::new(Ledger::open_in_memory(&self.journal()).unwrap());
        let ids = [KeyId("attests".into()), KeyId("pays".into())];
        Arc::new(KeystoreSigner::open(self.keystore.clone(), &ids, &passphrase(), ledger).unwrap())
    }

    fn key_file(&self, id: &str) -> PathBuf {
        self.keystore.dir().join(format!("{id}.json"))
    }

    fn records(&self) -> Vec<Record> {
        let mut records = Vec::new();
        Ledger::open_in_memory(&self.journal()).unwrap().replay(|record| records.push(record)).unwrap();
        records
    }
}

fn attestor(signer: &Arc<KeystoreSigner>) -> AttestorKey {
    signer.attestor_key(&KeyId("attests".into())).unwrap()
}

fn state(height: u64, timestamp_seconds: u64) -> StateAttestation {
    StateAttestation { height, timestamp_seconds }
}

fn packets(height: u64, byte: u8) -> PacketAttestation {
    let entry = PathCommitment { path: Hash32([1; 32]), commitment: Hash32([byte; 32]) };
    PacketAttestation { height, entries: vec![entry] }
}

fn pay(nonce: u64, byte: u8) -> SignRequest {
    let purpose = Purpose::Transaction { chain: "simd".into(), nonce };
    SignRequest { key: KeyId("pays".into()), digest: Hash32([byte; 32]), purpose }
}

fn authority(reason: &str) -> Authority {
    Authority { actor: "ann".into(), reason: reason.into() }
}

#[test]
fn keys_are_made_listed_and_bound() {
    let fixture = fixture();
    let list = fixture.keystore.list().unwrap();
    assert_eq!(list[0].address, ADDRESS);
    assert_eq!(list[0].binding.to_string(), format!("attestations of quorum (light client {})", instance(1)));
    assert_eq!(list[1].binding, pays());
    assert!(!list[0].first_signed);
    for file in ["keystore.json", "attests.json", "pays.json", "keystore.lock"] {
        let mode = fs::metadata(fixture.keystore.dir().join(file)).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode, 0o600, "{file}");
    }
    let file = fs::read_to_string(fixture.key_file("attests")).unwrap();
    assert!(file.contains("\"version\":3") && !file.contains(SECRET), "an encrypted V3 key file");
    let key = fixture.signer().public_key(&KeyId("attests".into())).unwrap();
    assert_eq!(hex::encode(key.0), list[0].public_key);
}

#[test]
fn keys_that_cannot_be_made_are_refused() {
    let fixture = fixture();
    let import = |id: &str, secret: &str, passphrase: &str| {
        let passphrase = Passphrase::new(passphrase.into());
        fixture.keystore.import(id, pays(), secret.as_bytes(), &passphrase).map_err(|error| error.code())
    };
    let other = "1".repeat(64);
    assert_eq!(import("pays", &other, PASSPHRASE), Err("KEY-007"), "the name is taken");
    assert_eq!(import("again", SECRET, PASSPHRASE), Err("KEY-008"), "the key is there");
    assert_eq!(import("again", &format!("0x{SECRET}\n"), PASSPHRASE), Err("KEY-008"), "in any spelling");
    assert_eq!(import("A key", &other, PASSPHRASE), Err("KEY-006"));
    assert_eq!(import("../evil", &other, PASSPHRASE), Err("KEY-006"));
    assert_eq!(import("short", &other, "11-letters!"), Err("KEY-002"));
    let too_large = "f".repeat(64);
    for secret in ["", "zz", &"0".repeat(64), too_large.as_str(), &"1".repeat(63), &"1".repeat(66), &"1".repeat(4096)] {
        assert_eq!(import("other", secret, PASSPHRASE), Err("KEY-012"), "{secret}");
    }
    assert_eq!(fixture.keystore.list().unwrap().len(), 2, "refusals leave nothing behind");
}

#[test]
fn keys_that_cannot_be_opened_are_refused() {
    let fixture = fixture();
    let code = |id: &str, passphrase: &str| {
        let dir = tempfile::tempdir().unwrap();
        let ledger = Arc::new(Ledger::open_in_memory(&dir.path().join("j")).unwrap());
        let passphrase = Passphrase::new(passphrase.into());
        let opened = KeystoreSigner::open(fixture.keystore.clone(), &[KeyId(id.into())], &passphrase, ledger);
        opened.err().map_or("opened", |error| error.code())
    };
    assert_eq!(code("pays", PASSPHRASE), "opened");
    assert_eq!(code("pays", "another passphrase"), "KEY-010");
    assert_eq!(code("nobody", PASSPHRASE), "KEY-009");
    let path = fixture.key_file("pays");
    let sound = fs::read_to_string(&path).unwrap();
    let other = fs::read_to_string(fixture.key_file("attests")).unwrap();
    let change = |from: &str, to: &str| {
        assert!(sound.contains(from), "{from}");
        sound.replacen(from, to, 1)
    };
    let rows = [
        (other.clone(), "KEY-013"),
        ("{}".into(), "KEY-011"),
        (String::new(), "KEY-011"),
        (change("\"version\":3", "\"version\":4"), "KEY-011"),
        (change("aes-128-ctr", "aes-256-ctr"), "KEY-011"),
        (change("\"dklen\":32", "\"dklen\":16"), "KEY-011"),
        (change("\"n\":8192", "\"n\":8191"), "KEY-011"),
        (change("\"n\":8192", "\"n\":0"), "KEY-011"),
        (change("\"n\":8192", "\"n\":2147483648"), "KEY-011"),
        (change("\"r\":8", "\"r\":4096"), "KEY-011"),
        (change("\"p\":1", "\"p\":0"), "KEY-011"),
        (change("\"iv\":\"", "\"iv\":\"00"), "KEY-011"),
        (change("\"ciphertext\":\"", "\"ciphertext\":\"00"), "KEY-011"),
        (change("\"mac\":\"", "\"mac\":\"00"), "KEY-010"),
    ];
    for (text, expect) in rows {
        fs::write(&path, &text).unwrap();
        assert_eq!(code("pays", PASSPHRASE), expect, "{text}");
    }
    fs::write(&path, &sound).unwrap();
    fs::set_permissions(&path, Permissions::from_mode(0o640)).unwrap();
    assert_eq!(code("pays", PASSPHRASE), "KEY-003");
    fs::remove_file(&path).unwrap();
    assert_eq!(code("pays", PASSPHRASE), "KEY-004");
}

#[test]
fn an_index_that_others_may_change_or_that_is_malformed_is_refused() {
    let fixture = fixture();
    let path = fixture.keystore.dir().join("keystore.json");
    let sound = fs::read_to_string(&path).unwrap();
    let code = || fixture.keystore.list().map_err(|error| error.code()).map(|keys| keys.len());
    fs::set_permissions(&path, Permissions::from_mode(0o644)).unwrap();
    assert_eq!(code(), Err("KEY-003"));
    fs::set_permissions(&path, Permissions::from_mode(0o600)).unwrap();
    let rows = [
        (sound.replace("\"version\": 1", "\"version\": 2"), "KEY-005"),
        (sound.replace("\"keys\"", "\"clefs\""), "KEY-005"),
        (sound.replace("\"id\": \"pays\"", "\"id\": \"attests\""), "KEY-007"),
        (sound.replace(&fixture.keystore.entry("pays").unwrap().address, ADDRESS), "KEY-008"),
        (sound.replace(&instance(1).digest().to_string(), "0x00"), "KEY-005"),
    ];
    for (text, expect) in rows {
        assert_ne!(text, sound);
        fs::write(&path, text).unwrap();
        assert_eq!(code(), Err(expect));
    }
    fs::write(&path, &sound).unwrap();
    assert_eq!(code(), Ok(2));
}

#[test]
fn attestations_recover_to_the_attestor_and_are_journaled_first() {
    let fixture = fixture();
    let (state_signature, packets_signature) = {
        let signer = fixture.signer();
        let key = attestor(&signer);
        assert_eq!(key.address().to_string(), ADDRESS);
        let state_signature = key.sign_state(instance(1), &state(5, 100)).unwrap();
        assert_eq!(key.sign_state(instance(1), &state(5, 100)).unwrap(), state_signature, "again is the same");
        (state_signature, key.sign_packets(instance(1), &packets(5, 1)).unwrap())
    };
    for (statement, data, signature) in [
        (Statement::State, state(5, 100).encode(), state_signature),
        (Statement::Packets, packets(5, 1).encode(), packets_signature),
    ] {
        let digest = signing_digest(statement, &data);
        assert_eq!(recover(&digest, &signature).unwrap(), attestor(&fixture.signer()).address().0);
        assert!(matches!(signature[64], 27 | 28));
    }
    let records = fixture.records();
    assert_eq!(records.len(), 2, "signing again what was signed journals nothing: {records:?}");
    assert!(matches!(&records[0], Record::SignedAttestation(signed) if signed.timestamp_seconds == Some(100)));
    assert!(fixture.keystore.entry("attests").unwrap().first_signed);
}

#[test]
fn two_states_of_one_height_are_never_signed_also_after_a_restart() {
    let fixture = fixture();
    let code = |height, seconds| {
        let signed = attestor(&fixture.signer()).sign_state(instance(1), &state(height, seconds));
        signed.map_err(|error| error.code()).map(|_| ())
    };
    assert_eq!(code(5, 100), Ok(()));
    assert_eq!(code(5, 101), Err("KEY-016"));
    assert_eq!(code(5, 100), Ok(()));
    assert_eq!(code(6, 101), Ok(()));
    let signer = fixture.signer();
    for byte in [1, 2] {
        attestor(&signer).sign_packets(instance(1), &packets(5, byte)).unwrap();
    }
}

#[test]
fn a_key_signs_nothing_but_its_purpose() {
    let fixture = fixture();
    let signer = fixture.signer();
    let sign = |key: &str, digest: Hash32, purpose: Purpose| {
        signer.sign(&SignRequest { key: KeyId(key.into()), digest, purpose }).map_err(|error| error.code)
    };
    let data = state(5, 100).encode();
    let digest = signing_digest(Statement::State, &data);
    let attest = |instance, statement, data: &[u8]| Purpose::Attestation { instance, statement, data: data.into() };
    let transaction = |chain: &str| Purpose::Transaction { chain: chain.into(), nonce: 1 };
    assert!(sign("attests", digest, attest(instance(1), Statement::State, &data)).is_ok());
    let rows = [
        ("attests", digest, attest(instance(2), Statement::State, &data), "KEY-014"),
        ("pays", digest, attest(instance(1), Statement::State, &data), "KEY-014"),
        ("attests", digest, transaction("quorum"), "KEY-014"),
        ("pays", digest, transaction("quorum"), "KEY-014"),
        ("nobody", digest, transaction("simd"), "KEY-009"),
        ("attests", Hash32([1; 32]), attest(instance(1), Statement::State, &data), "KEY-015"),
        ("attests", digest, attest(instance(1), Statement::Packets, &data), "KEY-015"),
        ("attests", digest, attest(instance(1), Statement::State, b"blind"), "KEY-015"),
    ];
    for (key, digest, purpose, expect) in rows {
        assert_eq!(sign(key, digest, purpose.clone()), Err(expect), "{key} {purpose:?}");
    }
    let none = PacketAttestation { height: 5, entries: Vec::new() };
    let many = PacketAttestation { entries: vec![packets(5, 1).entries[0]; 65], height: 5 };
    for attestation in [none, many] {
        let error = attestor(&signer).sign_packets(instance(1), &attestation).unwrap_err();
        assert_eq!(error.code(), "KEY-015", "{error}");
    }
    assert_eq!(signer.attestor_key(&KeyId("pays".into())).unwrap_err().code(), "KEY-014");
}

#[test]
fn a_nonce_is_signed_for_once_unless_it_is_released() {
    let fixture = fixture();
    let sign = |request: &SignRequest| fixture.signer().sign(request).map(|_| ()).map_err(|error| error.code);
    assert_eq!(sign(&pay(1, 1)), Ok(()));
    assert_eq!(sign(&pay(1, 1)), Ok(()), "the same transaction again");
    assert_eq!(sign(&pay(1, 2)), Err("KEY-017"));
    assert_eq!(sign(&pay(2, 2)), Ok(()));
    let release = |reason: &str| {
        let released = fixture.signer().release_nonce(&KeyId("pays".into()), "simd", 1, &authority(reason));
        released.map_err(|error| error.code())
    };
    assert_eq!(release(" "), Err("KEY-019"));
    assert_eq!(sign(&pay(1, 2)), Err("KEY-017"));
    assert_eq!(release("refused by the node, unused on chain"), Ok(()));
    assert_eq!(sign(&pay(1, 2)), Ok(()));
    assert_eq!(sign(&pay(1, 1)), Err("KEY-017"), "the released one is the other one now");
}

#[test]
fn an_attestor_without_memory_signs_nothing_until_it_is_reset() {
    let fixture = fixture();
    let sign = |height| {
        let signed = attestor(&fixture.signer()).sign_state(instance(1), &state(height, 100));
        signed.map(|_| ()).map_err(|error| error.code())
    };
    assert_eq!(sign(5), Ok(()));
    fs::remove_dir_all(fixture.journal()).unwrap();
    assert_eq!(sign(5), Err("KEY-018"), "even what it signed before");
    assert_eq!(sign(6), Err("KEY-018"));
    let reset = |id: &str, reason: &str| {
        let ledger = Ledger::open_in_memory(&fixture.journal()).unwrap();
        fixture.keystore.reset_attestor(id, &authority(reason), &ledger).map_err(|error| error.code())
    };
    assert_eq!(reset("attests", ""), Err("KEY-019"));
    assert_eq!(reset("pays", "disk lost"), Err("KEY-014"));
    assert_eq!(reset("nobody", "disk lost"), Err("KEY-009"));
    assert_eq!(sign(6), Err("KEY-018"));
    assert_eq!(reset("attests", "disk lost"), Ok(()));
    assert_eq!(sign(6), Ok(()));
    assert!(matches!(&fixture.records()[0], Record::AttestorReset(reset) if reset.reason == "disk lost"));
}

/// Found in review: with a keystore of before its first signature, a key signed at once after a restore.
#[test]
fn a_restored_journal_stops_a_key_whose_keystore_says_that_it_never_signed() {
    let fixture = fixture();
    let digest = Hash32([5; 32]);
    let restored = Restored { records: 0, hash: digest, keys: vec!["attests".into()], at_seconds: 1 };
    Ledger::open_in_memory(&fixture.journal()).unwrap().record(vec![Record::Restored(restored)]).unwrap();
    let sign = |height| {
        let signed = attestor(&fixture.signer()).sign_state(instance(1), &state(height, 100));
        signed.map(|_| ()).map_err(|error| error.code())
    };
    assert!(!fixture.keystore.entry("attests").unwrap().first_signed);
    assert_eq!(sign(5), Err("KEY-018"));
    assert_eq!(sign(6), Err("KEY-018"), "nor later");
    let ledger = Ledger::open_in_memory(&fixture.journal()).unwrap();
    fixture.keystore.reset_attestor("attests", &authority("compared with the chain"), &ledger).unwrap();
    drop(ledger);
    assert_eq!(sign(6), Ok(()));
    assert_eq!(sign(7), Ok(()), "and goes on");
}

#[test]
fn nothing_is_signed_when_it_cannot_be_remembered() {
    let fixture = fixture();
    let ledger = Arc::new(failing_ledger(&fixture.journal()));
    let ids = [KeyId("attests".into()), KeyId("pays".into())];
    let signer = KeystoreSigner::open(fixture.keystore.clone(), &ids, &passphrase(), ledger).unwrap();
    let signer = Arc::new(signer);
    assert_eq!(signer.sign(&pay(1, 1)).map_err(|error| error.code), Err("STORE-007"));
    let error = attestor(&signer).sign_state(instance(1), &state(5, 100)).unwrap_err();
    assert_eq!(error.code(), "STORE-001", "also when it is tried again");
    assert!(!fixture.keystore.entry("attests").unwrap().first_signed);
}

#[test]
fn an_attestor_is_bound_to_a_new_anchor_only_with_a_reason() {
    let fixture = fixture();
    let rebind = |id: &str, reason: &str| {
        let ledger = Ledger::open_in_memory(&fixture.journal()).unwrap();
        fixture.keystore.rebind(id, instance(2), &authority(reason), &ledger).map_err(|error| error.code())
    };
    assert_eq!(rebind("attests", ""), Err("KEY-019"));
    assert_eq!(rebind("pays", "new anchor"), Err("KEY-014"));
    assert_eq!(fixture.keystore.entry("attests").unwrap().binding, attests());
    assert_eq!(rebind("attests", "new anchor"), Ok(()));
    assert_eq!(fixture.keystore.entry("attests").unwrap().binding, Binding::attestor("quorum", instance(2)));
    {
        let key = attestor(&fixture.signer());
        assert_eq!(key.sign_state(instance(1), &state(1, 1)).unwrap_err().code(), "KEY-014");
        assert!(key.sign_state(instance(2), &state(1, 1)).is_ok());
    }
    assert!(matches!(&fixture.records()[0], Record::Act(act) if act.reason == "new anchor" && act.details.len() == 4));
}

/// Found in review: the memory was kept by light client, which a new anchor changes.
#[test]
fn a_new_anchor_does_not_lift_the_memory_of_what_was_signed() {
    let fixture = fixture();
    attestor(&fixture.signer()).sign_state(instance(1), &state(5, 100)).unwrap();
    {
        let ledger = Ledger::open_in_memory(&fixture.journal()).unwrap();
        fixture.keystore.rebind("attests", instance(2), &authority("new anchor"), &ledger).unwrap();
    }
    let code = |height, seconds| {
        let signed = attestor(&fixture.signer()).sign_state(instance(2), &state(height, seconds));
        signed.map_err(|error| error.code()).map(|_| ())
    };
    assert_eq!(code(5, 101), Err("KEY-016"));
    assert_eq!(code(6, 101), Ok(()));
}

#[test]
fn passphrases_come_from_variables_and_private_files() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("passphrase");
    let read = |source: &PassphraseSource| source.read().map(|_| ()).map_err(|error| error.code());
    let file = PassphraseSource::File(path.clone());
    assert_eq!(read(&file), Err("KEY-001"));
    fs::write(&path, format!("{PASSPHRASE}\n")).unwrap();
    fs::set_permissions(&path, Permissions::from_mode(0o644)).unwrap();
    assert_eq!(read(&file), Err("KEY-003"));
    fs::set_permissions(&path, Permissions::from_mode(0o400)).unwrap();
    assert_eq!(file.read().unwrap().as_str(), PASSPHRASE, "without the line's end");
    assert_eq!(read(&PassphraseSource::Env("CATENARY_TEST_NOT_SET".into())), Err("KEY-001"));
    let empty = dir.path().join("empty");
    fs::write(&empty, "\n").unwrap();
    fs::set_permissions(&empty, Permissions::from_mode(0o400)).unwrap();
    assert_eq!(read(&PassphraseSource::File(empty)), Err("KEY-001"));
}

#[test]
fn no_secret_is_ever_shown() {
    let fixture = fixture();
    let signer = fixture.signer();
    let key = attestor(&signer);
    let wrong = Passphrase::new(format!("{PASSPHRASE}-but-wrong"));
    let dir = tempfile::tempdir().unwrap();
    let ledger = Arc::new(Ledger::open_in_memory(&dir.path().join("j")).unwrap());
    let ids = [KeyId("pays".into())];
    let errors = [
        KeystoreSigner::open(fixture.keystore.clone(), &ids, &wrong, Arc::clone(&ledger)).unwrap_err(),
        fixture.keystore.import("again", pays(), SECRET.as_bytes(), &passphrase()).unwrap_err(),
        fixture.keystore.import("other", pays(), format!("{SECRET}00").as_bytes(), &passphrase()).unwrap_err(),
        fixture.keystore.import("pays", pays(), SECRET.as_bytes(), &passphrase()).unwrap_err(),
    ];
    let mut shown = format!("{signer:?} {key:?} {wrong:?} {:?} {:?}", fixture.keystore, fixture.keystore.list());
    for error in errors {
        let api: catenary_api::Error = error.clone().into();
        shown.push_str(&format!("{error} {error:?} {api} {api:?}"));
    }
    key.sign_state(instance(1), &state(5, 100)).unwrap();
    for segment in Reader::open(&fixture.journal()).unwrap().segments() {
        shown.push_str(&String::from_utf8_lossy(&fs::read(&segment.path).unwrap()));
    }
    for entry in fs::read_dir(fixture.keystore.dir()).unwrap() {
        shown.push_str(&fs::read_to_string(entry.unwrap().path()).unwrap());
    }
    for canary in [PASSPHRASE, SECRET, &SECRET.to_uppercase(), &format!("{:?}", hex::decode(SECRET).unwrap())] {
        assert!(!shown.contains(canary), "{canary} is shown in {shown}");
    }
}

fn replacement(nonce: u64, byte: u8) -> SignRequest {
    let purpose = Purpose::Replacement { chain: "simd".into(), nonce };
    SignRequest { key: KeyId("pays".into()), digest: Hash32([byte; 32]), purpose }
}

#[test]
fn a_second_transaction_for_a_nonce_passes_only_as_a_journaled_replacement_of_the_first() {
    let fixture = fixture();
    let ledger = Arc::new(Ledger::open_in_memory(&fixture.journal()).unwrap());
    let ids = [KeyId("pays".into()), KeyId("attests".into())];
    let signer = KeystoreSigner::open(fixture.keystore.clone(), &ids, &passphrase(), ledger.clone()).unwrap();
    let check = |request: &SignRequest, expect: Result<(), &str>| {
        let got = signer.try_sign(request).map(|_| ()).map_err(|error| error.code());
        assert_eq!(got, expect, "{request:?}");
    };
    let intent = |nonce: u64, byte: u8| {
        Record::Intent(catenary_core::record::Intent {
            id: "recv-1".into(),
            path: "p".into(),
            chain: "simd".into(),
            key: "pays".into(),
            nonce,
            tx_hash: Hash32([byte; 32]),
            tx_bytes: vec![byte],
            kind: catenary_core::record::IntentKind::Recv,
            packets: Vec::new(),
            at_seconds: 1,
            replacement: 0,
        })
    };
    check(&replacement(4, 2), Err("KEY-022"));
    check(&pay(4, 1), Ok(()));
    // Signed for, but not journaled as on its way: there is nothing to take the place of.
    check(&replacement(4, 2), Err("KEY-022"));
    ledger.record(vec![intent(4, 1)]).unwrap();
    check(&pay(4, 2), Err("KEY-017"));
    check(&replacement(5, 2), Err("KEY-022"));
    let other_chain = Purpose::Replacement { chain: "quorum".into(), nonce: 4 };
    check(&SignRequest { purpose: other_chain, ..replacement(4, 2) }, Err("KEY-014"));
    check(&SignRequest { key: KeyId("attests".into()), ..replacement(4, 2) }, Err("KEY-014"));
    check(&replacement(4, 2), Ok(()));
    check(&replacement(4, 2), Ok(()));
    let memory = ledger.signed_tx("simd", "pays", 4).unwrap().unwrap();
    let replaces = memory.replaces.unwrap();
    assert_eq!((memory.digest, replaces.digest, replaces.number), (Hash32([2; 32]), Hash32([1; 32]), 1));
    // What was replaced is not signed again as if it were the first.
    check(&pay(4, 1), Err("KEY-017"));
    check(&pay(4, 2), Ok(()));
    for byte in 3..=u8::try_from(super::REPLACEMENTS_MAX).unwrap() + 1 {
        check(&replacement(4, byte), Ok(()));
    }
    check(&replacement(4, 99), Err("KEY-023"));
    // Its outcome is known: nothing is on its way any more.
    let outcome = catenary_core::record::Outcome {
        tx_hash: Hash32([1; 32]),
        chain: "simd".into(),
        result: catenary_core::record::OutcomeResult::Dropped,
        at_seconds: 2,
    };
    ledger.record(vec![Record::Outcome(outcome)]).unwrap();
    check(&replacement(4, 98), Err("KEY-022"));
}
