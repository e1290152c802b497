//! Every field of a peer's answer changed, and every bit of its encoding: refused with a code, or irrelevant and said to
//! be so. No change makes another signature count.
//!
//! The other answer of a peer, its head, only helps to choose the height that is asked for; what comes of that height
//! is judged here.

use catenary_light_clients::testing::Key;
use catenary_light_clients::Hash32;
use catenary_protocol::attestation::{Address, PathCommitment, Statement};
use catenary_protocol::{PacketAttestation, StateAttestation};
use prost::Message;

use super::rig::sign;
use crate::attestor::collector::testing::judged;
use crate::attestor::wire::Attestation;

/// Seeds of the keys of the member that answers, and of another one.
const MEMBER: u64 = 3;
const OTHER: u64 = 2;
/// The height asked for.
const HEIGHT: u64 = 6;

/// What we signed ourselves, and what an honest member answers.
fn honest(statement: Statement) -> (Vec<u8>, Attestation) {
    let entry = |byte| PathCommitment { path: Hash32([byte; 32]), commitment: Hash32([byte + 1; 32]) };
    let data = match statement {
        Statement::State => StateAttestation { height: HEIGHT, timestamp_seconds: 1_700_000_000 }.encode(),
        Statement::Packets => PacketAttestation { height: HEIGHT, entries: vec![entry(1), entry(7)] }.encode(),
    };
    let signature = sign(&Key::new(MEMBER), statement, &data).to_vec();
    let answer = Attestation { height: HEIGHT, timestamp: None, attested_data: data.clone(), signature };
    (data, answer)
}

/// The code of what becomes of an answer, and the signature if it counts.
fn outcome(statement: Statement, data: &[u8], answer: Option<Attestation>) -> Result<[u8; 65], &'static str> {
    let [member, other] = [MEMBER, OTHER].map(|seed| Key::new(seed).address().0);
    let set: [Address; 2] = [other, member];
    judged(statement, (HEIGHT, data), (&member, &set), answer).map_err(|code| code.code())
}

/// The bytes with one bit changed, for every bit; then one byte fewer, one more, and none.
fn spoilt(bytes: &[u8]) -> Vec<Vec<u8>> {
    let flipped = (0..bytes.len() * 8).map(|bit| {
        let mut changed = bytes.to_vec();
        changed[bit / 8] ^= 1 << (bit % 8);
        changed
    });
    let lengths = [bytes[1..].to_vec(), bytes[..bytes.len() - 1].to_vec(), [bytes, &[0]].concat(), Vec::new()];
    flipped.chain(lengths).collect()
}

#[test]
fn every_field_of_an_answer_is_judged() {
    for statement in [Statement::State, Statement::Packets] {
        let (data, truth) = honest(statement);
        let good = outcome(statement, &data, Some(truth.clone())).unwrap();
        assert_eq!(outcome(statement, &data, None), Err("ATT-107"));
        for bit in 0..64 {
            let answer = Attestation { height: truth.height ^ (1 << bit), ..truth.clone() };
            assert_eq!(outcome(statement, &data, Some(answer)), Err("ATT-108"), "height bit {bit}");
        }
        // Irrelevant: the time that counts stands in the attested bytes, under the signature.
        for timestamp in [0, 1, 1_700_000_001, u64::MAX] {
            let answer = Attestation { timestamp: Some(timestamp), ..truth.clone() };
            assert_eq!(outcome(statement, &data, Some(answer)), Ok(good), "timestamp {timestamp}");
        }
        for attested_data in spoilt(&truth.attested_data) {
            let answer = Attestation { attested_data, ..truth.clone() };
            let shown = format!("{answer:?}");
            let code = outcome(statement, &data, Some(answer)).unwrap_err();
            assert!(["ATT-107", "ATT-108", "ATT-109", "ATT-110"].contains(&code), "{code}: {shown}");
        }
        // The same, signed again by the member: its own word is not what we verified.
        for attested_data in spoilt(&truth.attested_data) {
            let signature = sign(&Key::new(MEMBER), statement, &attested_data).to_vec();
            let answer = Attestation { attested_data, signature, ..truth.clone() };
            let shown = format!("{answer:?}");
            let code = outcome(statement, &data, Some(answer)).unwrap_err();
            assert!(["ATT-107", "ATT-108", "ATT-109", "ATT-110"].contains(&code), "{code}: {shown}");
        }
        for signature in spoilt(&truth.signature) {
            let answer = Attestation { signature, ..truth.clone() };
            let shown = format!("{answer:?}");
            let code = outcome(statement, &data, Some(answer)).unwrap_err();
            assert!(["ATT-111", "ATT-113"].contains(&code), "{code}: {shown}");
        }
    }
}

#[test]
fn no_bit_of_an_answer_makes_another_signature_count() {
    for statement in [Statement::State, Statement::Packets] {
        let (data, truth) = honest(statement);
        let good = outcome(statement, &data, Some(truth.clone())).unwrap();
        let mut judged = 0;
        for changed in spoilt(&truth.encode_to_vec()) {
            // What does not decode is refused by the transport, and so is what has another wire type.
            let Ok(answer) = Attestation::decode(changed.as_slice()) else { continue };
            judged += 1;
            let same = Attestation { timestamp: None, ..answer.clone() } == truth;
            match outcome(statement, &data, Some(answer)) {
                Ok(signature) => assert!(same && signature == good, "{}", hex::encode(&changed)),
                Err(code) => assert!(!same && code.starts_with("ATT-1"), "{code}: {}", hex::encode(&changed)),
            }
        }
        assert!(judged > 1_000, "most changes reach the judge, {judged} did");
    }
}
