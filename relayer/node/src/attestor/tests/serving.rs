//! The service over gRPC: what peers get, and what they are refused.

use std::sync::atomic::Ordering;

use tonic::transport::{Channel, Endpoint};
use tonic::{Code, Status};

use super::rig::{packet, received, sent, Operator, Served, World, HEAD, OTHER_CLIENT};
use crate::attestor::limits;
use crate::attestor::wire::attestation_service_client::AttestationServiceClient;
use crate::attestor::wire::{LatestHeightRequest, PacketAttestationRequest, StateAttestationRequest};
use crate::attestor::CommitmentKind;
use catenary_protocol::Packet;

async fn connect(served: &Served) -> AttestationServiceClient<Channel> {
    let endpoint = Endpoint::from_shared(format!("http://{}", served.address)).unwrap();
    AttestationServiceClient::new(endpoint.connect().await.unwrap())
}

fn request(kind: i32, height: u64, packets: &[Packet]) -> PacketAttestationRequest {
    let packets = packets.iter().map(Packet::abi_encode).collect();
    PacketAttestationRequest { packets, height, commitment_type: kind }
}

#[tokio::test]
async fn peers_get_the_bytes_and_signatures_that_the_own_process_gets() {
    let operator = Operator::new(&World::new(), 1);
    let served = operator.serve().await;
    let mut client = connect(&served).await;
    let head = client.latest_height(LatestHeightRequest {}).await.unwrap().into_inner();
    assert_eq!(head.height, HEAD);

    let own = operator.attestor.attest_state(5).await.unwrap();
    let answer = client.state_attestation(StateAttestationRequest { height: 5 }).await.unwrap().into_inner();
    let answer = answer.attestation.unwrap();
    assert_eq!((answer.height, answer.timestamp), (5, Some(own.attestation.timestamp_seconds)));
    assert_eq!((&answer.attested_data, answer.signature.as_slice()), (&own.data, own.signature.as_slice()));

    let kinds = [
        (CommitmentKind::Packet, vec![sent(2), sent(1)]),
        (CommitmentKind::Ack, vec![received(3)]),
        (CommitmentKind::Receipt, vec![received(33)]),
    ];
    for (kind, packets) in kinds {
        let own = operator.attestor.attest_packets(5, kind, &packets).await.unwrap();
        let answer = client.packet_attestation(request(kind as i32, 5, &packets)).await.unwrap().into_inner();
        let answer = answer.attestation.unwrap();
        assert_eq!((answer.height, answer.timestamp), (5, None));
        assert_eq!((&answer.attested_data, answer.signature.as_slice()), (&own.data, own.signature.as_slice()));
    }
}

/// Checks code and words of a refusal.
fn check(result: Result<impl std::fmt::Debug, Status>, code: Code, words: &[&str]) {
    let status = result.unwrap_err();
    assert_eq!(status.code(), code, "{status}");
    for word in words {
        assert!(status.message().contains(word), "{word} in {status}");
    }
}

#[tokio::test]
async fn refusals_have_a_grpc_code_a_stable_code_and_what_to_do() {
    let operator = Operator::new(&World::new(), 1);
    let served = operator.serve().await;
    let mut client = connect(&served).await;
    let good = [sent(1), sent(2)];
    let many: Vec<Packet> = (1..=65).map(sent).collect();
    let mut garbled = request(0, 5, &good);
    garbled.packets[1].push(0);
    let mut huge = request(0, 5, &good);
    huge.packets[0] = vec![0; limits::REQUEST_BYTES_MAX];

    let refused = client.packet_attestation(request(3, 5, &good)).await;
    check(refused, Code::InvalidArgument, &["ATT-003", "3"]);
    let refused = client.packet_attestation(request(-1, 5, &good)).await;
    check(refused, Code::InvalidArgument, &["ATT-003"]);
    check(client.packet_attestation(request(0, 5, &[])).await, Code::InvalidArgument, &["ATT-001"]);
    check(client.packet_attestation(request(0, 5, &many)).await, Code::InvalidArgument, &["ATT-001", "65"]);
    check(client.packet_attestation(garbled).await, Code::InvalidArgument, &["ATT-004", "packet 1"]);
    check(client.packet_attestation(huge).await, Code::OutOfRange, &["too large"]);
    let strangers = [sent(1), packet(1, "client-9", OTHER_CLIENT)];
    let refused = client.packet_attestation(request(0, 5, &strangers)).await;
    check(refused, Code::FailedPrecondition, &["ATT-005", "packet 1", "client-9"]);
    assert_eq!(operator.prover.calls.load(Ordering::SeqCst), 0, "nothing was asked of an endpoint");

    let absent = [sent(1), sent(70), sent(2), sent(71)];
    let refused = client.packet_attestation(request(0, 5, &absent)).await;
    check(refused, Code::FailedPrecondition, &["ATT-007: packets 1=NODE-PRV-003,3=NODE-PRV-003 "]);
    let refused = client.packet_attestation(request(0, HEAD + 1, &good)).await;
    check(refused, Code::FailedPrecondition, &["ATT-008", "NODE-PRV-001", "verified head 6"]);
    let refused = client.state_attestation(StateAttestationRequest { height: u64::MAX }).await;
    check(refused, Code::FailedPrecondition, &["ATT-008", "verified head 6"]);
    assert_eq!(operator.signer.signatures.load(Ordering::SeqCst), 0, "nothing was signed");
}

#[tokio::test]
async fn a_connection_has_at_most_four_requests_in_flight_and_the_others_get_their_turn() {
    let operator = Operator::new(&World::new(), 1);
    operator.prover.close_gate();
    let served = operator.serve().await;
    let mut client = connect(&served).await;
    // The first answer tells the client the bound; what it sends before is refused by the transport.
    client.latest_height(LatestHeightRequest {}).await.unwrap();
    let asking: Vec<_> = (1..10)
        .map(|sequence| {
            let mut client = client.clone();
            tokio::spawn(async move { client.packet_attestation(request(0, 5, &[sent(sequence)])).await })
        })
        .collect();
    operator.prover.wait_for_in_flight(limits::PEER_REQUESTS_MAX).await;
    // Another connection is served meanwhile, which also gives a fifth request time to get in if it could.
    let head = connect(&served).await.latest_height(LatestHeightRequest {}).await.unwrap();
    assert_eq!(head.into_inner().height, HEAD);
    operator.prover.open_gate();
    for task in asking {
        task.await.unwrap().unwrap();
    }
    assert_eq!(operator.prover.most_in_flight(), limits::PEER_REQUESTS_MAX);
}
