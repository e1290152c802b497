//! The paths on which everybody is honest: out, home, refunds, and the sums at every step.
#![allow(missing_docs, reason = "tests name themselves")]

use alloy_primitives::{Address, B256};
use catenary_contract_tests::abi::{Packet, Router, Token, Transfer};
use catenary_contract_tests::packet::{self, lowercase, SUCCESS_ACK};
use catenary_contract_tests::world::{is_noop, sent, written, On, World, ALICE, ALICE_TOKENS, BOB, TIMEOUT_SECONDS};

/// The clocks of the two chains differ by less than this.
const CLOCK_DIFFERENCE_SECONDS: u64 = 60;

/// What is in escrow on `on` is what the vouchers on the other side and the transfers in flight add up to.
fn check_sum(world: &World, on: On, in_flight: u64) {
    let (here, there) = (world.side(on), world.side(on.other()));
    let voucher = there.voucher(&lowercase(here.token));
    let supply: u64 =
        if voucher == Address::ZERO { 0 } else { there.chain.view(voucher, &Token::totalSupplyCall {}).to() };
    assert_eq!(here.balance(here.token, here.escrow()), supply + in_flight);
}

#[test]
fn an_erc20_goes_out_and_comes_home() {
    for from in [On::A, On::B] {
        let mut world = World::new();
        let packet = world.send(from, 100);
        let token = world.side(from).token;
        assert_eq!(packet.sequence, 1);
        assert_eq!(world.side(from).balance(token, ALICE), ALICE_TOKENS - 100);
        assert_eq!(world.side(from).stored(&packet::commitment_path(&packet)), packet::commitment(&packet));
        check_sum(&world, from, 100);

        let voucher = arrives(&mut world, from, &packet);
        check_sum(&world, from, 0);
        let acked = world.ack(from, &packet, SUCCESS_ACK).ok();
        assert_eq!(acked.event::<Router::AckPacket>().packet, packet);
        assert!(acked.events::<Transfer::ICS20Refunded>().is_empty());
        assert_eq!(world.side(from).stored(&packet::commitment_path(&packet)), B256::ZERO);

        let there = world.side_mut(from.other());
        let back = there.transfer_msg(voucher, 60, &lowercase(ALICE));
        let back = sent(&there.send_transfer(BOB, back).ok());
        assert_eq!(world.side(from.other()).balance(voucher, BOB), 40);
        check_sum(&world, from, 60);
        let received = world.recv(from.other(), &back).ok();
        assert_eq!(written(&received), SUCCESS_ACK);
        assert_eq!(received.event::<Transfer::ICS20Received>().token, token);
        let _ = world.ack(from.other(), &back, SUCCESS_ACK).ok();
        assert_eq!(world.side(from).balance(token, ALICE), ALICE_TOKENS - 40);
        check_sum(&world, from, 0);
    }
}

/// Delivers the first transfer of 100 to Bob; gives the voucher contract it made.
fn arrives(world: &mut World, from: On, packet: &Packet) -> Address {
    let token = world.side(from).token;
    let received = world.recv(from, packet).ok();
    assert_eq!(written(&received), SUCCESS_ACK);
    let there = world.side(from.other());
    let voucher = there.voucher(&lowercase(token));
    assert_eq!(there.balance(voucher, BOB), 100);
    assert_eq!(there.stored(&packet::receipt_path(packet)), packet::receipt(packet));
    assert_eq!(there.stored(&packet::ack_path(packet)), packet::ack_commitment(&[SUCCESS_ACK.to_vec()]));
    let created = received.event::<Transfer::IBCERC20ContractCreated>();
    assert_eq!(created.contractAddress, voucher);
    assert_eq!(created.fullDenomPath, format!("transfer/{}/{}", there.client_id, lowercase(token)));
    voucher
}

#[test]
fn the_second_transfer_of_a_token_uses_the_same_voucher() {
    let mut world = World::new();
    let (one, two) = (world.send(On::A, 100), world.send(On::A, 11));
    let voucher = arrives(&mut world, On::A, &one);
    let second = world.recv(On::A, &two).ok();
    assert!(second.events::<Transfer::IBCERC20ContractCreated>().is_empty());
    assert_eq!(world.side(On::B).balance(voucher, BOB), 111);
}

#[test]
fn a_timeout_pays_back_once() {
    let mut world = World::new();
    let packet = world.send(On::A, 100);
    world.advance(TIMEOUT_SECONDS + CLOCK_DIFFERENCE_SECONDS);
    let outcome = world.timeout(On::A, &packet).ok();
    assert_eq!(outcome.event::<Router::TimeoutPacket>().packet, packet);
    assert_eq!(outcome.event::<Transfer::ICS20Refunded>().sender, ALICE);
    assert_eq!(world.side(On::A).balance(world.side(On::A).token, ALICE), ALICE_TOKENS);
    check_sum(&world, On::A, 0);
    assert!(is_noop(&world.timeout(On::A, &packet).ok()));
    assert_eq!(world.side(On::A).balance(world.side(On::A).token, ALICE), ALICE_TOKENS);
    world.recv(On::A, &packet).reverts_as::<Router::IBCInvalidTimeoutTimestamp>();
}

/// A commitment that starts with a zero byte keeps all of its 32 bytes on the way through a proof.
#[test]
fn a_commitment_that_starts_with_zero_is_proven() {
    let mut world = World::new();
    let mut value = 0u32;
    loop {
        let mut there = world.clone();
        let packet = there.side_mut(On::A).send_mock(&value.to_be_bytes());
        if packet::commitment(&packet).starts_with(&[0]) {
            break;
        }
        value += 1;
    }
    let packet = world.side_mut(On::A).send_mock(&value.to_be_bytes());
    let stored = world.side(On::A).stored(&packet::commitment_path(&packet));
    assert_eq!((stored[0], stored), (0, packet::commitment(&packet)));
    assert_eq!(written(&world.recv(On::A, &packet).ok()), b"mock ack");
}
