//! Where bounds lie exactly, and what errors say: the code, the class and both compared values.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::arithmetic_side_effects, reason = "a test")]

use catenary_light_clients::testing::Key as Attestor;
use catenary_light_clients::{Class, Hash32};
use catenary_protocol::attestation::{normalise, signing_digest, PathCommitment, Statement};
use catenary_protocol::handler::{
    self, AttestationClient, Handler, Height, Key, MemoryHost, Status, Store, TransferApp,
};
use catenary_protocol::packet::check_client_id;
use catenary_protocol::path::Kind;
use catenary_protocol::{limits, AttestationProof, Error, Packet, PacketAttestation, Path};

/// Sums of bounds, written out: a bound that moves is seen here.
#[test]
fn bounds_are_the_documented_sums() {
    for (bound, bytes) in [
        (limits::PACKET_BYTES_MAX, 270_336),
        (limits::ACK_MESSAGE_BYTES_MAX, 65_600),
        (limits::SEND_BYTES_MAX, 274_432),
        (limits::RELAY_BYTES_MAX, 405_568),
        (limits::TRANSFER_BYTES_MAX, 40_960),
    ] {
        assert_eq!(bound, bytes);
    }
}

#[test]
fn packets_are_decoded_up_to_their_bound() {
    // Zeros are a packet with no payload, if they are looked at.
    let code = |length| Packet::abi_decode(&vec![0; length]).map_err(|error| error.code());
    assert_eq!(code(limits::PACKET_BYTES_MAX), Err("PR-PKT-002"));
    assert_eq!(code(limits::PACKET_BYTES_MAX + 1), Err("PR-PKT-001"));
    assert_eq!(code(limits::PACKET_BYTES_MAX + 32), Err("PR-PKT-001"));
}

#[test]
fn attested_bytes_are_decoded_up_to_their_bound() {
    let of = |entries: usize| {
        let entry = PathCommitment { path: Hash32([1; 32]), commitment: Hash32([2; 32]) };
        PacketAttestation { height: 7, entries: vec![entry; entries] }
    };
    // Four words of head, and two words an entry.
    let most = (limits::ATTESTED_BYTES_MAX - 4 * 32) / 64;
    assert_eq!(of(most).encode().len(), limits::ATTESTED_BYTES_MAX);
    assert_eq!(PacketAttestation::decode(&of(most).encode()), Ok(of(most)));
    let (field, got, max) = ("packet attestation", limits::ATTESTED_BYTES_MAX + 64, limits::ATTESTED_BYTES_MAX);
    let refused = Error::Length { field, got, min: 0, max };
    assert_eq!(PacketAttestation::decode(&of(most + 1).encode()), Err(refused));
}

#[test]
fn client_ids_are_a_name_and_a_number() {
    let longest = format!("{}-7", "c".repeat(limits::CLIENT_ID_BYTES_MAX - 2));
    let longer = format!("c{longest}");
    for (id, expect) in [
        ("client-0", "ok"),
        ("07-tendermint-12", "ok"),
        ("a.b_c+d#[]<>-1", "ok"),
        (longest.as_str(), "ok"),
        (longer.as_str(), "PR-PKT-001"),
        ("clien-0", "PR-PKT-001"),
        ("", "PR-PKT-001"),
        ("-1234567", "PR-PKT-003"),
        ("clients-", "PR-PKT-003"),
        ("--------", "PR-PKT-003"),
        ("clients-x", "PR-PKT-003"),
        ("clients-1x", "PR-PKT-003"),
        ("client01", "PR-PKT-003"),
        ("clients/a-1", "PR-PKT-003"),
        ("clients a-1", "PR-PKT-003"),
        ("cliénts-1", "PR-PKT-003"),
    ] {
        assert_eq!(check_client_id("id", id).map_or_else(|error| error.code(), |()| "ok"), expect, "{id:?}");
    }
}

#[test]
fn a_refused_signer_is_named() {
    let stranger = Attestor::new(7);
    let data = vec![1, 2, 3];
    let signature = normalise(&stranger.sign(&signing_digest(Statement::State, &data).0)).unwrap();
    let twice = AttestationProof { data, signatures: vec![signature, signature] };
    let got = stranger.address().to_string();
    assert_eq!((got.len(), &got[..2]), (42, "0x"));
    let check = |attestors: &[[u8; 20]]| twice.check(Statement::State, attestors, 1);
    assert_eq!(check(&[[9; 20]]), Err(Error::UnknownSigner { got: got.clone(), attestors: 1 }));
    assert_eq!(check(&[stranger.address().0]), Err(Error::RepeatedSigner { got }));
}

/// The engine asks again, pages a person or gives up by the class of a refusal.
#[test]
fn refusals_have_classes() {
    let hash = Hash32([1; 32]);
    let rows = [
        (Error::NotTimedOut { destination_seconds: 1, timeout_seconds: 2 }, "PR-VER-003", Class::Transient),
        (Error::Quorum { got: 1, required: 2 }, "PR-ATT-004", Class::Transient),
        (Error::CommitmentMismatch { got: hash, expected: hash }, "PR-VER-002", Class::Misbehaviour),
        (Error::Sequence, "PR-PKT-004", Class::Permanent),
    ];
    for (error, code, class) in rows {
        assert_eq!((error.code(), error.class()), (code, class), "{error}");
        // The handler passes a rule's code and class on.
        let passed = handler::Error::from(error);
        assert_eq!((passed.code(), passed.class()), (code, class), "{passed}");
    }
    let (client_id, height) = (String::from("attestations-0"), Height { revision: 0, height: 9 });
    let refused = handler::BankError::Refused { reason: "closed".into() };
    let app = handler::Error::from(handler::TransferError::from(refused));
    let rows = [
        (handler::Error::ConsensusStateNotFound { client_id, height }, "PR-HND-013", Class::Transient),
        (handler::Error::TimeoutNotReached { proof_seconds: 1, timeout_seconds: 2 }, "PR-HND-022", Class::Transient),
        (handler::Error::Stored { what: "x", reason: "y".into() }, "PR-HND-030", Class::Bug),
        (handler::Error::Missing { field: "x" }, "PR-HND-002", Class::Permanent),
        (app, "PR-BNK-003", Class::Permanent),
    ];
    for (error, code, class) in rows {
        assert_eq!((error.code(), error.class()), (code, class), "{error}");
    }
    let frozen = catenary_light_clients::Rejection::from(catenary_light_clients::TrustError::Frozen);
    assert_eq!(handler::Error::LightClient(frozen.clone()).class(), Class::Misbehaviour);
    assert_eq!(handler::Error::App(frozen).class(), Class::Misbehaviour);
}

/// Hosts put the keys into their trees as they are, and counterparties ask for proofs of the provable ones.
#[test]
fn keys_are_ibc_go_s_own_bytes() {
    let path = Path::new(Kind::Receipt, "client-0", 258);
    let provable = Key::of_path(path.clone());
    assert_eq!(provable.as_bytes(), b"client-0\x02\0\0\0\0\0\0\x01\x02");
    assert_eq!((provable.as_bytes(), provable.is_provable()), (path.as_bytes(), true));
    let height = Height { revision: 7, height: 12 };
    for (key, bytes) in [
        (Key::client_state("client-0"), "clients/client-0/clientState"),
        (Key::consensus_state("client-0", height), "clients/client-0/consensusStates/7-12"),
        (Key::creator("client-0"), "clients/client-0/creator"),
        (Key::counterparty("client-0"), "clients/client-0/counterparty"),
        (Key::config("client-0"), "clients/client-0/config"),
        (Key::next_client_sequence(), "nextClientSequence"),
        (Key::next_sequence_send("client-0"), "nextSequenceSend/client-0"),
    ] {
        assert_eq!((key.as_bytes(), key.is_provable()), (bytes.as_bytes(), false));
    }
}

#[test]
fn handlers_and_hosts_say_what_they_hold() {
    let handler = Handler::<MemoryHost>::new().with_client(AttestationClient).with_app(TransferApp);
    assert_eq!(format!("{handler:?}"), r#"Handler { clients: ["attestations"], apps: ["transfer"] }"#);
    let mut host = MemoryHost::default();
    for open in 1..=3 {
        host.begin();
        assert_eq!(host.open_checkpoints(), open);
    }
    host.commit();
    host.rollback();
    assert_eq!(host.open_checkpoints(), 1);
    for (status, name) in [(Status::Active, "Active"), (Status::Frozen, "Frozen"), (Status::Expired, "Expired")] {
        assert_eq!(status.name(), name);
    }
}
