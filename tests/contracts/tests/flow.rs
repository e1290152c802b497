//! The paths on which everybody is honest: out, home, refunds.
#![allow(missing_docs, reason = "tests name themselves")]

use alloy_primitives::B256;
use catenary_contract_tests::abi::{Router, Transfer};
use catenary_contract_tests::packet::{self, error_ack, lowercase, SUCCESS_ACK};
use catenary_contract_tests::world::{is_noop, sent, written, On, World, ALICE, ALICE_TOKENS, BOB, TIMEOUT_SECONDS};

#[test]
fn an_erc20_goes_out_and_comes_home() {
    for from in [On::A, On::B] {
        let mut world = World::new();
        let packet = world.send(from, 100);
        let token = world.side(from).token;
        assert_eq!(packet.sequence, 1);
        assert_eq!(world.side(from).balance(token, ALICE), ALICE_TOKENS - 100);
        assert_eq!(world.side(from).balance(token, world.side(from).escrow()), 100);
        assert_eq!(world.side(from).stored(&packet::commitment_path(&packet)), packet::commitment(&packet));

        let received = world.recv(from, &packet).ok();
        assert_eq!(written(&received), SUCCESS_ACK);
        let there = world.side(from.other());
        let voucher = there.voucher(&lowercase(token));
        assert_eq!(there.balance(voucher, BOB), 100);
        assert_eq!(there.stored(&packet::receipt_path(&packet)), packet::receipt(&packet));
        assert_eq!(there.stored(&packet::ack_path(&packet)), packet::ack_commitment(&[SUCCESS_ACK.to_vec()]));
        let created = received.event::<Transfer::IBCERC20ContractCreated>();
        assert_eq!(created.contractAddress, voucher);
        assert_eq!(created.fullDenomPath, format!("transfer/{}/{}", there.client_id, lowercase(token)));

        let acked = world.ack(from, &packet, SUCCESS_ACK).ok();
        assert_eq!(acked.event::<Router::AckPacket>().packet, packet);
        assert_eq!(world.side(from).stored(&packet::commitment_path(&packet)), B256::ZERO);

        let there = world.side_mut(from.other());
        let back = there.transfer_msg(voucher, 60, &lowercase(ALICE));
        let back = sent(&there.send_transfer(BOB, back).ok());
        assert_eq!(world.side(from.other()).balance(voucher, BOB), 40);
        assert_eq!(written(&world.recv(from.other(), &back).ok()), SUCCESS_ACK);
        let _ = world.ack(from.other(), &back, SUCCESS_ACK).ok();
        assert_eq!(world.side(from).balance(token, ALICE), ALICE_TOKENS - 40);
        assert_eq!(world.side(from).balance(token, world.side(from).escrow()), 40);
    }
}

#[test]
fn a_timeout_pays_back() {
    let mut world = World::new();
    let packet = world.send(On::A, 100);
    world.advance(TIMEOUT_SECONDS);
    let outcome = world.timeout(On::A, &packet).ok();
    assert_eq!(outcome.event::<Router::TimeoutPacket>().packet, packet);
    assert_eq!(world.side(On::A).balance(world.side(On::A).token, ALICE), ALICE_TOKENS);
    assert!(is_noop(&world.timeout(On::A, &packet).ok()));
    let _ = error_ack();
}
