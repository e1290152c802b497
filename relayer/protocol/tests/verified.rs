//! A claim becomes a verified packet, acknowledgement or timeout only with a fact about exactly its path and value.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test")]

use catenary_light_clients::cometbft::testing::{signers, Chain, START_SECONDS};
use catenary_light_clients::cometbft::CometBft;
use catenary_light_clients::proof::ics23::testing::State;
use catenary_light_clients::{Absence, Hash32, LightClient, Membership, Timestamp, Verdict, Verified};
use catenary_protocol::attestation::{path_key, PathCommitment};
use catenary_protocol::{
    Acknowledgement, Packet, Payload, StateAttestation, VerifiedAck, VerifiedPacket, VerifiedTimeout,
};

fn packet(sequence: u64) -> Packet {
    let payload = Payload {
        source_port: "transfer".into(),
        destination_port: "transfer".into(),
        version: "ics20-1".into(),
        encoding: "application/x-solidity-abi".into(),
        value: vec![7; 40],
    };
    Packet {
        sequence,
        source_client: "attestations-0".into(),
        destination_client: "client-0".into(),
        timeout_timestamp_seconds: START_SECONDS + 4,
        payloads: vec![payload],
    }
}

fn ack() -> Acknowledgement {
    Acknowledgement { app_acknowledgements: vec![b"done".to_vec()] }
}

/// A chain whose state at heights 1 and 2 holds the packet with sequence 1, its acknowledgement, and a value that
/// is no commitment where packet 3 would be.
struct Rig {
    client: CometBft,
    state: State,
}

/// Height of the state that the facts are about; its header has the time of the packet's timeout.
const HEIGHT: u64 = 2;

impl Rig {
    fn new() -> Self {
        let entries = [
            (packet(1).commitment_path().into_bytes(), packet(1).commitment().0.to_vec()),
            (packet(1).ack_path().into_bytes(), ack().commitment().0.to_vec()),
            (packet(3).commitment_path().into_bytes(), vec![1; 31]),
            (packet(4).commitment_path().into_bytes(), vec![0; 32]),
        ];
        let state = State::new(b"ibc", &entries);
        let mut chain = Chain::new("source-1", signers(3, &[1, 1, 1, 1]));
        chain.push(Hash32([1; 32]));
        chain.push(state.app_hash());
        chain.push(state.app_hash());
        let mut client = chain.client(1);
        for height in [2, 3] {
            let verdict = client.advance(&chain.update(height), Timestamp::from_seconds(START_SECONDS + 100));
            assert!(matches!(verdict, Verdict::Verified(_)), "{verdict:?}");
        }
        Self { client, state }
    }

    fn holds(&self, path: &[u8], value: &[u8]) -> Verified<Membership> {
        self.client.membership(HEIGHT, path, value, &self.state.prove(path)).unwrap()
    }

    fn lacks(&self, height: u64, path: &[u8]) -> Verified<Absence> {
        self.client.absence(height, path, &self.state.prove(path)).unwrap()
    }

    fn packet_fact(&self) -> Verified<Membership> {
        self.holds(packet(1).commitment_path().as_bytes(), &packet(1).commitment().0)
    }

    fn ack_fact(&self) -> Verified<Membership> {
        self.holds(packet(1).ack_path().as_bytes(), &ack().commitment().0)
    }
}

fn with(spoil: fn(&mut Packet)) -> Packet {
    let mut packet = packet(1);
    spoil(&mut packet);
    packet
}

#[test]
fn packets_are_bound_to_path_and_commitment() {
    let rig = Rig::new();
    let verified = VerifiedPacket::new(packet(1), rig.packet_fact()).unwrap();
    assert_eq!((verified.packet(), verified.height()), (&packet(1), HEIGHT));
    assert_eq!(verified.instance(), rig.client.status().instance);
    let entry = PathCommitment::of_packet(&verified);
    assert_eq!(entry.path, path_key(&packet(1).commitment_path()));
    assert_eq!(entry.commitment, packet(1).commitment());

    let foreign = rig.holds(packet(3).commitment_path().as_bytes(), &[1; 31]);
    let rows = [
        ("another sequence", packet(2), rig.packet_fact(), "PR-VER-001"),
        ("another source", with(|p| p.source_client = "attestations-1".into()), rig.packet_fact(), "PR-VER-001"),
        ("the ack's fact", packet(1), rig.ack_fact(), "PR-VER-001"),
        ("another destination", with(|p| p.destination_client = "client-1".into()), rig.packet_fact(), "PR-VER-002"),
        ("another timeout", with(|p| p.timeout_timestamp_seconds += 1), rig.packet_fact(), "PR-VER-002"),
        ("another value", with(|p| p.payloads[0].value[0] ^= 1), rig.packet_fact(), "PR-VER-002"),
        ("another port", with(|p| p.payloads[0].source_port.push('x')), rig.packet_fact(), "PR-VER-002"),
        ("a value that is no commitment", packet(3), foreign, "PR-PKT-001"),
        ("two payloads", with(|p| p.payloads.extend_from_within(..)), rig.packet_fact(), "PR-PKT-002"),
        ("no timeout", with(|p| p.timeout_timestamp_seconds = 0), rig.packet_fact(), "PR-PKT-005"),
    ];
    for (name, claim, fact, expect) in rows {
        assert_eq!(VerifiedPacket::new(claim, fact).map_err(|error| error.code()), Err(expect), "{name}");
    }
}

#[test]
fn acknowledgements_are_bound_to_path_and_commitment() {
    let rig = Rig::new();
    let verified = VerifiedAck::new(packet(1), ack(), rig.ack_fact()).unwrap();
    assert_eq!((verified.packet(), verified.acknowledgement()), (&packet(1), &ack()));
    assert_eq!((verified.instance(), verified.height()), (rig.client.status().instance, HEIGHT));
    let entry = PathCommitment::of_ack(&verified);
    assert_eq!((entry.path, entry.commitment), (path_key(&packet(1).ack_path()), ack().commitment()));

    let of = |app_acknowledgements| Acknowledgement { app_acknowledgements };
    let rows = [
        ("another sequence", packet(2), ack(), rig.ack_fact(), "PR-VER-001"),
        ("the packet's fact", packet(1), ack(), rig.packet_fact(), "PR-VER-001"),
        ("an error instead", packet(1), Acknowledgement::universal_error(), rig.ack_fact(), "PR-VER-002"),
        ("another text", packet(1), of(vec![b"done!".to_vec()]), rig.ack_fact(), "PR-VER-002"),
        ("none", packet(1), of(vec![]), rig.ack_fact(), "PR-PKT-002"),
        ("empty", packet(1), of(vec![vec![]]), rig.ack_fact(), "PR-PKT-001"),
    ];
    for (name, claim, acknowledgement, fact, expect) in rows {
        let got = VerifiedAck::new(claim, acknowledgement, fact).map_err(|error| error.code());
        assert_eq!(got, Err(expect), "{name}");
    }
}

#[test]
fn timeouts_need_absence_and_a_time_that_has_come() {
    let rig = Rig::new();
    let receipt = packet(1).receipt_path().into_bytes();
    let at = |height| rig.lacks(height, &receipt);
    let header = rig.client.header(HEIGHT).unwrap();
    assert_eq!(header.timestamp.seconds(), packet(1).timeout_timestamp_seconds, "the deadline itself has passed");
    let verified = VerifiedTimeout::new(packet(1), at(HEIGHT)).unwrap();
    assert_eq!((verified.packet(), verified.height()), (&packet(1), HEIGHT));
    assert_eq!(verified.timestamp(), header.timestamp);
    assert_eq!(StateAttestation::of(&header).timestamp_seconds, packet(1).timeout_timestamp_seconds);
    let entry = PathCommitment::of_absence(&at(HEIGHT));
    assert_eq!((entry.path, entry.commitment), (path_key(&packet(1).receipt_path()), Hash32([0; 32])));

    let other = rig.lacks(HEIGHT, packet(2).receipt_path().as_bytes());
    let ack_of_two = rig.lacks(HEIGHT, packet(2).ack_path().as_bytes());
    let rows = [
        ("one block early", packet(1), at(HEIGHT - 1), "PR-VER-003"),
        ("one second more", with(|p| p.timeout_timestamp_seconds += 1), at(HEIGHT), "PR-VER-003"),
        ("another packet's receipt", packet(1), other, "PR-VER-001"),
        ("an absent ack is no absent receipt", packet(2), ack_of_two, "PR-VER-001"),
        ("no payload", with(|p| p.payloads.clear()), at(HEIGHT), "PR-PKT-002"),
    ];
    for (name, claim, fact, expect) in rows {
        assert_eq!(VerifiedTimeout::new(claim, fact).map_err(|error| error.code()), Err(expect), "{name}");
    }
}

#[test]
fn what_is_no_commitment_is_not_attested() {
    let rig = Rig::new();
    let entry = |sequence, value: &[u8]| {
        PathCommitment::of_membership(&rig.holds(packet(sequence).commitment_path().as_bytes(), value))
    };
    let expect = PathCommitment { path: path_key(&packet(1).commitment_path()), commitment: packet(1).commitment() };
    assert_eq!(entry(1, &packet(1).commitment().0), Some(expect));
    assert_eq!(entry(3, &[1; 31]), None, "too short");
    assert_eq!(entry(4, &[0; 32]), None, "zero would say absent");
}
