//! The unchanged Cosmos adapter on the CometBFT devnet: what it reads is verified by the light client, what it writes
//! is taken by the chain, and a packet goes each way with attestations made by hand.
#![cfg(feature = "cometbft")]
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

use std::time::Duration;

use catenary_adapter_cosmos::setup;
use catenary_api::{Broadcast, BuildRequest, ChainSink, ChainSource, Message, PacketEvent, TxBody};
use catenary_light_clients::LightClient;
use catenary_protocol::attestation::PathCommitment;
use catenary_protocol::{
    ics20, Acknowledgement, Packet, StateAttestation, VerifiedAck, VerifiedPacket, VerifiedTimeout,
};

#[path = "cometbft/support.rs"]
mod support;
use support::*;

#[tokio::test(flavor = "multi_thread")]
async fn a_packet_goes_each_way_and_one_times_out() {
    let mut rig = Rig::start(config()).await;
    let now = rig.adapter.head().await.unwrap().timestamp.seconds();
    let incoming = transfer_packet(&rig.relayer.address, now + 3_600);
    // What the chain will send, known beforehand because the ack has to be in a state of the counterparty.
    let voucher = ics20::received_denom(ERC20, THEIRS, OURS);
    let outgoing = home_packet(&rig, &voucher, now + 7_200);
    let ack = Acknowledgement { app_acknowledgements: vec![ics20::SUCCESS_ACK.to_vec()] };
    let counterparty = Counterparty::new(vec![
        state(b"x".to_vec(), b"y".to_vec()),
        state(incoming.commitment_path().into_bytes(), incoming.commitment().0.to_vec()),
        state(outgoing.ack_path().into_bytes(), ack.commitment().0.to_vec()),
    ]);

    create_path(&rig, &counterparty).await;
    receive(&rig, &counterparty, &incoming, &voucher).await;
    send_home(&mut rig, &voucher, &outgoing).await;
    acknowledge(&rig, &counterparty, &outgoing, ack).await;
    time_out(&mut rig, &voucher).await;
    rig.devnet.shutdown().await;
}

fn home_packet(rig: &Rig, voucher: &str, timeout_timestamp_seconds: u64) -> Packet {
    let transfer = ics20::Transfer {
        denom: voucher.into(),
        amount: "400".into(),
        sender: rig.relayer.address.clone(),
        receiver: EVM_USER.into(),
        memo: "{\"note\":\"home\"}".into(),
    };
    let mut packet = transfer_packet("", timeout_timestamp_seconds);
    packet.payloads[0].value = transfer.abi_encode().unwrap();
    (packet.source_client, packet.destination_client) = (OURS.into(), THEIRS.into());
    packet
}

async fn create_path(rig: &Rig, counterparty: &Counterparty) {
    assert_eq!(rig.adapter.client(OURS).await.unwrap(), None, "there is no client yet");
    assert_eq!(rig.adapter.next_sequence(OURS).await.unwrap(), None);
    let first = counterparty.header(1);
    rig.create_path(StateAttestation::of(&first)).await;
    let claim = rig.adapter.client(OURS).await.unwrap().unwrap();
    let attestors: Vec<[u8; 20]> = rig.attestors.iter().map(|key| key.address().0).collect();
    assert_eq!((claim.attestors, claim.min_required_sigs), (attestors, 2));
    assert_eq!((claim.latest_height, claim.frozen, claim.counterparty.as_deref()), (1, false, Some(THEIRS)));
    assert_eq!(claim.location, "attestations");
    let nanos = rig.adapter.consensus_timestamp(OURS, 1).await.unwrap();
    assert_eq!(nanos, Some(first.timestamp.seconds() * 1_000_000_000));
    assert_eq!(rig.adapter.consensus_timestamp(OURS, 2).await.unwrap(), None);
}

async fn receive(rig: &Rig, counterparty: &Counterparty, packet: &Packet, voucher: &str) {
    let path = packet.commitment_path();
    let proof = counterparty.prove(2, path.as_bytes());
    let fact = counterparty.client.membership(2, path.as_bytes(), &packet.commitment().0, &proof).unwrap();
    let verified = VerifiedPacket::new(packet.clone(), fact).unwrap();
    let proof = rig.packets(2, PathCommitment::of_packet(&verified));
    let recv = Message::Recv { packet: verified, proof, proof_height: 2 };
    let body = TxBody::Deliver(vec![rig.update(&counterparty.header(2)), recv]);
    let receipt_path = packet.receipt_path().into_bytes();
    assert_eq!(rig.adapter.present(std::slice::from_ref(&receipt_path)).await.unwrap(), [false]);

    let received = rig.send(body.clone()).await;
    assert!(received.success, "{received:?}");
    assert!((50_000..400_000).contains(&received.gas_used), "gas is like a live chain's (153,616): {received:?}");
    assert_eq!(rig.adapter.present(&[receipt_path, b"nothing".to_vec()]).await.unwrap(), [true, false]);
    let balance = rig.adapter.balance(&rig.relayer.address, &ics20::ibc_denom(voucher)).await.unwrap();
    assert_eq!(balance, "1000");
    let acknowledgement = Acknowledgement { app_acknowledgements: vec![ics20::SUCCESS_ACK.to_vec()] };
    assert_eq!(rig.events(&received).await, [PacketEvent::WroteAck { packet: packet.clone(), acknowledgement }]);

    let account = rig.adapter.account(&rig.relayer.key).await.unwrap();
    let again = rig.sign(&body, &account, account.nonce).await;
    assert_eq!(rig.adapter.broadcast(&again).await, Broadcast::Redundant, "the packet is here already");
}

async fn send_home(rig: &mut Rig, voucher: &str, expect: &Packet) {
    let transfer = setup::Transfer {
        client_id: OURS.into(),
        denom: ics20::ibc_denom(voucher),
        amount: "400".into(),
        receiver: EVM_USER.into(),
        timeout_seconds: expect.timeout_timestamp_seconds,
        memo: "{\"note\":\"home\"}".into(),
    };
    let sent = rig.call(setup::transfer(&rig.relayer.address, &transfer).unwrap()).await;
    assert_eq!(sent.output.as_deref(), Some("1"), "the packet's sequence");
    assert_eq!(rig.adapter.next_sequence(OURS).await.unwrap(), Some(2));
    assert_eq!(rig.events(&sent).await, [PacketEvent::Sent(expect.clone())]);

    rig.follow(sent.height).await;
    let path = expect.commitment_path().into_bytes();
    let absent = expect.receipt_path().into_bytes();
    let claims = rig.adapter.proofs(sent.height, &[path.clone(), absent.clone()]).await.unwrap();
    let value = claims[0].value.clone().unwrap();
    let fact = rig.client.membership(sent.height, &path, &value, &claims[0].proof).unwrap();
    VerifiedPacket::new(expect.clone(), fact).unwrap();
    assert_eq!(claims[1].value, None);
    rig.client.absence(sent.height, &absent, &claims[1].proof).unwrap();
    // The state one block earlier does not hold it, and a proof of one state proves nothing of the other.
    let earlier = rig.adapter.proofs(sent.height - 1, std::slice::from_ref(&path)).await.unwrap();
    assert_eq!(earlier[0].value, None);
    rig.client.absence(sent.height - 1, &path, &earlier[0].proof).unwrap();
    assert!(rig.client.absence(sent.height, &path, &earlier[0].proof).is_err());
}

async fn acknowledge(rig: &Rig, counterparty: &Counterparty, packet: &Packet, ack: Acknowledgement) {
    let path = packet.ack_path();
    let proof = counterparty.prove(3, path.as_bytes());
    let fact = counterparty.client.membership(3, path.as_bytes(), &ack.commitment().0, &proof).unwrap();
    let verified = VerifiedAck::new(packet.clone(), ack, fact).unwrap();
    let proof = rig.packets(3, PathCommitment::of_ack(&verified));
    let message = Message::Ack { ack: verified, proof, proof_height: 3 };
    let receipt = rig.send(TxBody::Deliver(vec![rig.update(&counterparty.header(3)), message])).await;
    assert!(receipt.success, "{receipt:?}");
    assert_eq!(rig.events(&receipt).await, [PacketEvent::Acknowledged(packet.clone())]);
    assert_eq!(rig.adapter.present(&[packet.commitment_path().into_bytes()]).await.unwrap(), [false]);
}

/// A packet whose receipt is absent. The counterparty's clock stands in the past, so the absence is shown in this
/// chain's own state: the attestors sign it just the same.
async fn time_out(rig: &mut Rig, voucher: &str) {
    let head = rig.adapter.head().await.unwrap();
    let transfer = setup::Transfer {
        client_id: OURS.into(),
        denom: ics20::ibc_denom(voucher),
        amount: "600".into(),
        receiver: EVM_USER.into(),
        timeout_seconds: head.timestamp.seconds() + 60,
        memo: String::new(),
    };
    let sent = rig.call(setup::transfer(&rig.relayer.address, &transfer).unwrap()).await;
    assert_eq!(rig.devnet.balance(&rig.relayer.address, &ics20::ibc_denom(voucher)).as_deref(), Some("0"));
    let [PacketEvent::Sent(packet)] = &rig.events(&sent).await[..] else { panic!("one packet was sent") };
    let path = packet.receipt_path().into_bytes();
    rig.devnet.advance_time(Duration::from_secs(61));
    let height = rig.devnet.mine(1).unwrap();
    rig.follow(height).await;
    let claim = rig.adapter.proofs(height, std::slice::from_ref(&path)).await.unwrap().remove(0);
    let fact = rig.client.absence(height, &path, &claim.proof).unwrap();
    let proof = rig.packets(height, PathCommitment::of_absence(&fact));
    let timeout = VerifiedTimeout::new(packet.clone(), fact).unwrap();
    let update = rig.update(&rig.client.header(height).unwrap());
    let message = Message::Timeout { timeout, proof, proof_height: height };
    let receipt = rig.send(TxBody::Deliver(vec![update, message])).await;
    assert!(receipt.success, "{receipt:?}");
    assert_eq!(rig.events(&receipt).await, [PacketEvent::TimedOut(packet.clone())]);
    let balance = rig.adapter.balance(&rig.relayer.address, &ics20::ibc_denom(voucher)).await.unwrap();
    assert_eq!(balance, "600", "the amount came back");
}

#[tokio::test(flavor = "multi_thread")]
async fn refusals_have_their_codes() {
    let rig = Rig::start(config()).await;
    let account = rig.adapter.account(&rig.relayer.key).await.unwrap();
    assert_eq!(account.address, rig.relayer.address);
    assert_eq!((account.nonce, account.balance.as_str()), (0, "1000000000000"));
    let send = |amount: &str| {
        let to = User::new("somebody").address;
        TxBody::Call(vec![setup::bank_send("cosmos", &rig.relayer.address, &to, "stake", amount).unwrap()])
    };
    let too_much = send("9000000000000000000000");
    let request = BuildRequest { body: &too_much, public_key: &rig.relayer.key, account: &account, nonce: 0 };
    let error = rig.adapter.build(request).await.unwrap_err();
    assert_eq!(error.code, "COS-TX-001", "{error}");
    assert!(error.message.contains("insufficient funds"), "{error}");

    let error = rig.adapter.account(&User::new("nobody").key).await.unwrap_err();
    assert_eq!(error.code, "COS-ACC-001", "{error}");

    let early = rig.sign(&send("1"), &account, account.nonce + 5).await;
    let outcome = rig.adapter.broadcast(&early).await;
    assert!(matches!(outcome, Broadcast::NonceMismatch(_)), "{outcome:?}");

    let mut forged = rig.sign(&send("1"), &account, account.nonce).await;
    *forged.bytes.last_mut().unwrap() ^= 1;
    let outcome = rig.adapter.broadcast(&forged).await;
    assert!(matches!(&outcome, Broadcast::Refused(error) if error.code == "COS-TX-007"), "{outcome:?}");
    assert_eq!(rig.adapter.receipt(&forged.hash).await.unwrap(), None, "it is in no block");

    let good = rig.sign(&send("1"), &account, account.nonce).await;
    assert_eq!(rig.adapter.broadcast(&good).await, Broadcast::Accepted);
    assert_eq!(rig.adapter.broadcast(&good).await, Broadcast::Accepted, "the same bytes again");
    rig.devnet.mine(1).unwrap();
    let receipt = rig.adapter.receipt(&good.hash).await.unwrap().unwrap();
    assert!(receipt.success && receipt.output.is_none() && receipt.fee != "0", "{receipt:?}");
    assert_eq!(rig.devnet.balance(&User::new("somebody").address, "stake").as_deref(), Some("1"));

    let head = rig.adapter.head().await.unwrap().height;
    let error = rig.adapter.events(head + 500, head + 500).await.unwrap_err();
    assert_eq!(error.code, "COS-RPC-006", "{error}");
    let error = rig.adapter.proofs(head + 500, &[b"path".to_vec()]).await.unwrap_err();
    assert_eq!(error.code, "COS-QRY-001", "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_transaction_that_fails_costs_its_fee_and_nothing_else() {
    let rig = Rig::start(config()).await;
    let to = User::new("somebody").address;
    let send = |amount: &str| setup::bank_send("cosmos", &rig.relayer.address, &to, "stake", amount).unwrap();
    // Both are possible when they are built; the second one then finds the money gone.
    let account = rig.adapter.account(&rig.relayer.key).await.unwrap();
    let most = rig.sign(&TxBody::Call(vec![send("999999990000")]), &account, 0).await;
    let both = rig.sign(&TxBody::Call(vec![send("1"), send("999999000000")]), &account, 1).await;
    assert_eq!(rig.adapter.broadcast(&most).await, Broadcast::Accepted);
    assert_eq!(rig.adapter.broadcast(&both).await, Broadcast::Accepted);
    rig.devnet.mine(1).unwrap();
    let receipt = rig.adapter.receipt(&both.hash).await.unwrap().unwrap();
    assert!(!receipt.success, "{receipt:?}");
    assert!(receipt.error.as_ref().is_some_and(|error| error.starts_with("sdk/5: ")), "{receipt:?}");
    assert_eq!(rig.devnet.balance(&to, "stake").as_deref(), Some("999999990000"), "the first message is undone too");
    let account = rig.adapter.account(&rig.relayer.key).await.unwrap();
    assert_eq!(account.nonce, 2, "the sequence is used");
    assert!(account.balance.parse::<u64>().unwrap() < 10_000, "the fee is paid: {}", account.balance);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fee_below_the_least_is_refused() {
    let rig = Rig::start(catenary_devnet::cometbft::CometConfig { gas_price_micros_min: 2_000, ..config() }).await;
    let account = rig.adapter.account(&rig.relayer.key).await.unwrap();
    let call = setup::bank_send("cosmos", &rig.relayer.address, &User::new("x").address, "stake", "1").unwrap();
    let signed = rig.sign(&TxBody::Call(vec![call]), &account, 0).await;
    let outcome = rig.adapter.broadcast(&signed).await;
    let Broadcast::Refused(error) = outcome else { panic!("{outcome:?}") };
    assert!(error.message.contains("insufficient fees; got: "), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_network_with_a_clock_makes_blocks_by_itself() {
    let rig = Rig::start(catenary_devnet::cometbft::CometConfig {
        block_interval: Some(Duration::from_millis(20)),
        ..config()
    });
    let mut rig = rig.await;
    let reached = rig.devnet.wait_for_height(6).await;
    assert!(reached >= 6);
    rig.follow(4).await;
    rig.devnet.shutdown().await;
}
