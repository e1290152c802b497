//! What counterparties prove: keys and values as they lie in the state.

use catenary_protocol::path::Kind;
use catenary_protocol::Path;
use codec::{Decode, Encode};
use sp_io::hashing::twox_128;

use super::chain::{ALICE, BOB};
use super::rig::Rig;
use crate::{Area, Raw, Refusal};

fn raw_key(kind: Kind, client_id: &str, sequence: u64) -> Vec<u8> {
    let prefix = [twox_128(b"Ibc"), twox_128(b"Commitments")].concat();
    [prefix.as_slice(), Path::new(kind, client_id, sequence).as_bytes()].concat()
}

#[test]
fn a_commitment_lies_under_the_path_and_nothing_else() {
    let mut rig = Rig::new();
    let packet = rig.send(0, &ALICE, rig.transfer_of(0, "unit", 10, &BOB));
    let at = |rig: &mut Rig, side, key: Vec<u8>| rig.at(side, || sp_io::storage::get(&key).map(|value| value.to_vec()));
    let sent = raw_key(Kind::Commitment, "attestations-0", 1);
    assert_eq!(at(&mut rig, 0, sent.clone()), Some(packet.commitment().as_bytes().to_vec()));
    let ack = rig.receive(1, &packet);
    let (receipt, written) =
        (raw_key(Kind::Receipt, "attestations-1", 1), raw_key(Kind::Acknowledgement, "attestations-1", 1));
    assert_eq!(at(&mut rig, 1, receipt), Some(vec![2]));
    assert_eq!(at(&mut rig, 1, written), Some(ack.commitment().as_bytes().to_vec()));
    rig.acknowledge(0, &packet, &ack);
    assert_eq!(at(&mut rig, 0, sent), None, "a packet that is over leaves nothing");
}

#[test]
fn the_prefix_of_the_storage_is_the_documented_one() {
    let prefix: String = raw_key(Kind::Commitment, "", 0)[..32].iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(prefix, "65ccf20369c0dddad82d1003523ac48eca407206ec1ab726b2636c4b145ac287");
}

#[test]
fn raw_bytes_have_no_length_and_a_bound() {
    for length in 0..=4_usize {
        let bytes = vec![7; length];
        let raw = Raw::<4>::new(&bytes).unwrap();
        assert_eq!(raw.encode(), bytes);
        assert_eq!(Raw::<4>::decode(&mut bytes.as_slice()).unwrap().into_bytes(), bytes);
    }
    assert_eq!(Raw::<4>::new(&[0; 5]), None);
    assert!(Raw::<4>::decode(&mut [0; 5].as_slice()).is_err());
}

#[test]
fn codes_fit_into_four_bytes() {
    let rows = [
        ("PR-HND-024", Area::Handler, 24),
        ("LC-IBFT2-003", Area::Ibft2, 3),
        ("LC-ICS23-020", Area::Ics23, 20),
        ("LC-QBFT-100", Area::Qbft, 100),
        ("XX-YYY-007", Area::Other, 7),
        ("nonsense", Area::Other, u16::MAX),
    ];
    for (code, area, number) in rows {
        let refusal = Refusal::of(code);
        assert_eq!(refusal, Refusal { area, number }, "{code}");
        assert_eq!(refusal.encode().len(), 3);
        if area != Area::Other {
            assert_eq!(format!("{}-{number:03}", area.text()), code);
        }
    }
}
