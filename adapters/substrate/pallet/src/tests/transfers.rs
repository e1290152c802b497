//! Value goes over and comes back, and is neither lost nor doubled.

use catenary_protocol::{ics20, Acknowledgement};
use frame_support::{assert_ok, traits::fungibles::Inspect};
use sp_core::crypto::AccountId32;

use super::chain::{
    refused, take_events, Assets, Balances, RuntimeOrigin, Test, ALICE, ASSET, ASSET_MIN, BOB, ED, FIRST_VOUCHER, POOR,
    RELAYER, WEALTH,
};
use super::rig::{bytes, Rig};
use crate::{escrow_account, Call, Error, Event, MessageKind};

fn native(rig: &mut Rig, side: usize, who: &AccountId32) -> u128 {
    rig.at(side, || Balances::free_balance(who))
}

fn asset(rig: &mut Rig, side: usize, id: u32, who: &AccountId32) -> u128 {
    rig.at(side, || Assets::balance(id, who))
}

fn escrowed(rig: &mut Rig, side: usize) -> u128 {
    let escrow = escrow_account(rig.chains[side].client_id);
    native(rig, side, &escrow) - ED
}

fn voucher(rig: &Rig, side: usize, denom: &str) -> String {
    ics20::ibc_denom(&format!("transfer/{}/{denom}", rig.chains[side].client_id))
}

#[test]
fn value_goes_over_as_a_voucher_and_comes_home() {
    let mut rig = Rig::new();
    let before = native(&mut rig, 0, &ALICE);
    let packet = rig.send(0, &ALICE, rig.transfer_of(0, "unit", 600, &POOR));
    assert_eq!((native(&mut rig, 0, &ALICE), escrowed(&mut rig, 0)), (before - 600, 600));
    let ack = rig.receive(1, &packet);
    assert_eq!(ack.app_acknowledgements, [ics20::SUCCESS_ACK]);
    assert_eq!(asset(&mut rig, 1, FIRST_VOUCHER, &POOR), 600, "whoever has nothing else can hold a voucher");
    rig.acknowledge(0, &packet, &ack);

    let name = voucher(&rig, 1, "unit");
    let back = rig.send(1, &POOR, rig.transfer_of(1, &name, 600, &BOB));
    assert_eq!(rig.at(1, || <Assets as Inspect<AccountId32>>::total_issuance(FIRST_VOUCHER)), 0);
    let bob = native(&mut rig, 0, &BOB);
    let ack = rig.receive(0, &back);
    assert_eq!(ack.app_acknowledgements, [ics20::SUCCESS_ACK]);
    assert_eq!((native(&mut rig, 0, &BOB), escrowed(&mut rig, 0)), (bob + 600, 0), "to the last unit");
    rig.acknowledge(1, &back, &ack);
}

#[test]
fn a_part_that_leaves_less_than_the_smallest_balance_in_escrow_loses_nothing() {
    let mut rig = Rig::new();
    let packet = rig.send(0, &ALICE, rig.transfer_of(0, "unit", ED + 100, &BOB));
    rig.receive(1, &packet);
    let name = voucher(&rig, 1, "unit");
    let first = rig.send(1, &BOB, rig.transfer_of(1, &name, ED, &BOB));
    rig.receive(0, &first);
    assert_eq!(escrowed(&mut rig, 0), 100);
    let second = rig.send(1, &BOB, rig.transfer_of(1, &name, 100, &BOB));
    rig.receive(0, &second);
    assert_eq!(escrowed(&mut rig, 0), 0);
}

#[test]
fn an_escrow_that_could_not_pay_out_takes_nothing() {
    let mut rig = Rig::new();
    let denom = format!("asset-{ASSET}");
    let transfer = rig.transfer_of(0, &denom, 50, &BOB);
    let result = rig.run(0, RuntimeOrigin::signed(ALICE), Call::transfer { transfer });
    assert_eq!(result, Err(refused("PR-BNK-003")), "the escrow does not hold the asset's smallest balance");
    let escrow = escrow_account(rig.chains[0].client_id);
    rig.at(0, || Assets::transfer(RuntimeOrigin::signed(ALICE), ASSET, escrow.clone(), ASSET_MIN)).unwrap();
    let packet = rig.send(0, &ALICE, rig.transfer_of(0, &denom, 50, &BOB));
    rig.receive(1, &packet);
    assert_eq!(asset(&mut rig, 0, ASSET, &escrow), ASSET_MIN + 50);
    assert_eq!(asset(&mut rig, 1, FIRST_VOUCHER, &BOB), 50);
}

#[test]
fn a_timeout_and_an_error_give_back_what_was_taken() {
    let mut rig = Rig::new();
    let before = native(&mut rig, 0, &ALICE);
    let late = rig.send(0, &ALICE, rig.transfer_of(0, "unit", 70, &BOB));
    let early = rig.timeout_of(0, &late);
    rig.update(0);
    assert!(rig.relay(0, early).is_err(), "the deadline has not passed");
    rig.wait(61);
    rig.update(1);
    let message = rig.recv_of(1, &late);
    rig.update(1);
    assert_eq!(rig.relay(1, message).unwrap_err(), refused("PR-HND-020"), "it has passed for the destination");
    rig.update(0);
    let message = rig.timeout_of(0, &late);
    rig.relay(0, message).unwrap();
    assert_eq!((native(&mut rig, 0, &ALICE), escrowed(&mut rig, 0)), (before, 0));

    // The receiver is no address of the other chain.
    let mut wrong = rig.transfer_of(0, "unit", 80, &BOB);
    wrong.receiver = bytes("nobody");
    let packet = rig.send(0, &ALICE, wrong);
    let ack = rig.receive(1, &packet);
    assert!(ack.is_universal_error());
    rig.acknowledge(0, &packet, &ack);
    assert_eq!((native(&mut rig, 0, &ALICE), escrowed(&mut rig, 0)), (before, 0));
}

#[test]
fn what_was_done_before_is_a_noop() {
    let mut rig = Rig::new();
    let packet = rig.send(0, &ALICE, rig.transfer_of(0, "unit", 10, &BOB));
    let ack = rig.receive(1, &packet);
    rig.acknowledge(0, &packet, &ack);
    rig.at(0, take_events);
    rig.at(1, take_events);
    let again = rig.recv_of(1, &packet);
    rig.relay(1, again).unwrap();
    assert_eq!(noops(&mut rig, 1), [(MessageKind::RecvPacket, "attestations-1", 1)]);
    assert_eq!(asset(&mut rig, 1, FIRST_VOUCHER, &BOB), 10);
    let (again, late) = (rig.ack_of(0, &packet, &ack), rig.timeout_of(0, &packet));
    rig.relay(0, again).unwrap();
    assert_eq!(noops(&mut rig, 0), [(MessageKind::Acknowledge, "attestations-0", 1)]);
    assert!(rig.relay(0, late).is_err(), "the deadline has not passed");
}

fn noops(rig: &mut Rig, side: usize) -> Vec<(MessageKind, &'static str, u64)> {
    let id = rig.chains[side].client_id;
    let noop = |event: Event<Test>| match event {
        Event::Noop { kind, client_id, sequence } => {
            assert_eq!(client_id, id.as_bytes());
            Some((kind, id, sequence))
        }
        other => panic!("{other:?}"),
    };
    rig.at(side, take_events).into_iter().filter_map(noop).collect()
}

#[test]
fn what_is_forged_is_refused_with_the_code_of_the_check() {
    let mut rig = Rig::new();
    let packet = rig.send(0, &ALICE, rig.transfer_of(0, "unit", 10, &BOB));
    let early = rig.recv_of(1, &packet);
    assert_eq!(rig.relay(1, early), Err(refused("PR-HND-013")), "no state is known at that height");
    rig.update(1);
    let mut richer = packet.clone();
    richer.payloads[0].value.push(0);
    let message = rig.recv_of(1, &richer);
    assert_eq!(rig.relay(1, message), Err(refused("PR-HND-018")), "it was not sent");
    let mut foreign = packet.clone();
    foreign.source_client = "attestations-9".into();
    let message = rig.recv_of(1, &foreign);
    assert_eq!(rig.relay(1, message), Err(refused("PR-HND-008")));
    let never = Acknowledgement { app_acknowledgements: vec![b"never".to_vec()] };
    rig.update(0);
    let message = rig.ack_of(0, &packet, &never);
    assert_eq!(rig.relay(0, message), Err(refused("PR-HND-018")), "it was not written");
}

#[test]
fn a_batch_is_done_whole_or_not_at_all() {
    let mut rig = Rig::new();
    let packets: Vec<_> = (1..=3).map(|n| rig.send(0, &ALICE, rig.transfer_of(0, "unit", n, &BOB))).collect();
    let update = crate::Message::UpdateClient(rig.update_of(1, rig.now_seconds));
    let good: Vec<_> = packets.iter().map(|packet| rig.recv_of(1, packet)).collect();
    let mut forged = packets[2].clone();
    forged.sequence = 9;
    let bad = rig.recv_of(1, &forged);

    let batch = |messages: Vec<crate::Message>| Call::deliver { messages: messages.try_into().unwrap() };
    let mut spoiled = vec![update.clone()];
    spoiled.extend(good.iter().take(2).cloned().chain([bad]));
    let result = rig.run(1, RuntimeOrigin::signed(RELAYER), batch(spoiled));
    assert_eq!(result, Err(refused("PR-HND-018")));
    assert_eq!(asset(&mut rig, 1, FIRST_VOUCHER, &BOB), 0, "the two before it are undone");
    assert!(rig.at(1, take_events).iter().all(|event| !matches!(event, Event::PacketReceived { .. })));

    rig.run(1, RuntimeOrigin::signed(RELAYER), batch([vec![update], good].concat())).unwrap();
    assert_eq!(asset(&mut rig, 1, FIRST_VOUCHER, &BOB), 6);
    let none = rig.run(1, RuntimeOrigin::signed(RELAYER), batch(Vec::new()));
    assert_eq!(none, Err(Error::<Test>::Empty.into()));
}

#[test]
fn no_more_vouchers_are_made_than_allowed_and_the_rest_goes_back() {
    let mut rig = Rig::new();
    let escrow = escrow_account(rig.chains[0].client_id);
    rig.at(0, || {
        for id in [6, 7] {
            assert_ok!(Assets::force_create(RuntimeOrigin::root(), id, ALICE, true, 1));
            assert_ok!(Assets::mint(RuntimeOrigin::signed(ALICE), id, ALICE, WEALTH));
        }
        assert_ok!(Assets::transfer(RuntimeOrigin::signed(ALICE), ASSET, escrow, ASSET_MIN));
    });
    let mut acks = Vec::new();
    for denom in ["asset-5", "asset-6", "asset-7", "asset-6"] {
        let packet = rig.send(0, &ALICE, rig.transfer_of(0, denom, 20, &BOB));
        let ack = rig.receive(1, &packet);
        acks.push(ack.is_universal_error());
        rig.acknowledge(0, &packet, &ack);
    }
    assert_eq!(acks, [false, false, true, false], "two are allowed");
    assert_eq!(asset(&mut rig, 0, 7, &ALICE), WEALTH, "the third came back");
}

#[test]
fn only_what_is_here_can_be_sent() {
    let mut rig = Rig::new();
    let rows = [
        ("unit", 0, "PR-TRF-009"),
        ("unit", WEALTH * 2, "PR-BNK-001"),
        ("unit", WEALTH - 2 * ED + 1, "PR-BNK-003"),
        ("other", 1, "PR-BNK-003"),
        ("asset-05", 1, "PR-BNK-003"),
        ("asset-6", 1, "PR-BNK-003"),
        ("asset-1000", 1, "PR-BNK-003"),
        ("ibc/00", 1, "PR-TRF-007"),
    ];
    for (denom, amount, code) in rows {
        let transfer = rig.transfer_of(0, denom, amount, &BOB);
        let result = rig.run(0, RuntimeOrigin::signed(ALICE), Call::transfer { transfer });
        assert_eq!(result, Err(refused(code)), "{amount} of {denom}");
    }
}

#[test]
fn an_escrow_account_is_no_receiver() {
    let mut rig = Rig::new();
    let escrow = escrow_account(rig.chains[1].client_id);
    let packet = rig.send(0, &ALICE, rig.transfer_of(0, "unit", 10, &escrow));
    assert!(rig.receive(1, &packet).is_universal_error());
    // And whoever signed for it could not send from it.
    let transfer = rig.transfer_of(1, "unit", 1, &BOB);
    let result = rig.run(1, RuntimeOrigin::signed(escrow), Call::transfer { transfer });
    assert_eq!(result, Err(refused("PR-TRF-008")));
}
