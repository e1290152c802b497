//! Who may do what, and what goes on while the pallet is paused.

use frame_support::traits::{GetStorageVersion, OnGenesis, StorageVersion};
use sp_runtime::{traits::BadOrigin, DispatchError};

use super::chain::{new_chain, refused, take_events, Ibc, RuntimeOrigin, Test, ALICE, BOB, POOR, RELAYER};
use super::rig::{attested, bytes, Rig};
use crate::{Call, Error, Event, Message, RELAYERS_MAX};

fn bad_origin() -> DispatchError {
    BadOrigin.into()
}

#[test]
fn only_the_admin_manages() {
    let mut rig = Rig::new();
    let (client_state, consensus_state) = attested(&rig.chains[1].attestors, 1, rig.now_seconds);
    let calls: [Call<Test>; 6] = [
        Call::create_client { client_state, consensus_state },
        Call::register_counterparty {
            client_id: bytes("attestations-0"),
            counterparty_client_id: bytes("attestations-1"),
            merkle_prefix: vec![bytes("")].try_into().unwrap(),
        },
        Call::set_client_relayers { client_id: bytes("attestations-0"), relayers: Default::default() },
        Call::set_relayer { who: ALICE, allowed: true },
        Call::pause {},
        Call::unpause {},
    ];
    for ours in calls {
        for origin in [RuntimeOrigin::signed(ALICE), RuntimeOrigin::none()] {
            assert_eq!(rig.run(0, origin, ours.clone()), Err(bad_origin()), "{ours:?}");
        }
    }
}

#[test]
fn a_listed_relayer_relays_and_nobody_else() {
    let mut rig = Rig::new();
    let packet = rig.send(0, &ALICE, rig.transfer_of(0, "unit", 10, &BOB));
    rig.update(1);
    let name = Call::set_relayer { who: BOB, allowed: true };
    rig.run(1, RuntimeOrigin::root(), name).unwrap();
    let message = rig.recv_of(1, &packet);
    assert_eq!(rig.relay(1, message.clone()), Err(bad_origin()), "the relayer is not on the list");
    let batch = |message: Message| Call::deliver { messages: vec![message].try_into().unwrap() };
    assert_eq!(rig.run(1, RuntimeOrigin::signed(RELAYER), batch(message.clone())), Err(bad_origin()));
    rig.run(1, RuntimeOrigin::signed(BOB), batch(message)).unwrap();
    rig.run(1, RuntimeOrigin::root(), Call::set_relayer { who: BOB, allowed: false }).unwrap();
    rig.update(1);
}

#[test]
fn a_client_may_name_relayers_of_its_own() {
    let mut rig = Rig::new();
    let relayers = vec![BOB].try_into().unwrap();
    let set = Call::set_client_relayers { client_id: bytes("attestations-1"), relayers };
    rig.run(1, RuntimeOrigin::root(), set).unwrap();
    let update = rig.update_of(1, rig.now_seconds);
    assert_eq!(rig.relay(1, Message::UpdateClient(update.clone())), Err(refused("PR-HND-005")));
    rig.run(1, RuntimeOrigin::signed(BOB), Call::update_client { message: update }).unwrap();
}

#[test]
fn the_list_of_relayers_is_bounded() {
    let mut rig = Rig::new();
    for number in 0..RELAYERS_MAX {
        let who = super::chain::who(100 + u8::try_from(number).unwrap());
        rig.run(0, RuntimeOrigin::root(), Call::set_relayer { who, allowed: true }).unwrap();
    }
    let one_more = Call::set_relayer { who: POOR, allowed: true };
    assert_eq!(rig.run(0, RuntimeOrigin::root(), one_more), Err(Error::<Test>::TooManyRelayers.into()));
}

#[test]
fn a_pause_stops_sending_and_receiving_and_no_refund() {
    let mut rig = Rig::new();
    let (late, there) = (
        rig.send(0, &ALICE, rig.transfer_of(0, "unit", 10, &BOB)),
        rig.send(1, &ALICE, rig.transfer_of(1, "unit", 10, &BOB)),
    );
    rig.run(0, RuntimeOrigin::root(), Call::pause {}).unwrap();
    let paused = Err(Error::<Test>::IsPaused.into());
    let transfer = rig.transfer_of(0, "unit", 10, &BOB);
    assert_eq!(rig.run(0, RuntimeOrigin::signed(ALICE), Call::transfer { transfer }), paused);
    rig.update(0);
    let message = rig.recv_of(0, &there);
    assert_eq!(rig.relay(0, message.clone()), paused);
    let batch = Call::deliver { messages: vec![message].try_into().unwrap() };
    assert_eq!(rig.run(0, RuntimeOrigin::signed(RELAYER), batch), paused);
    rig.wait(61);
    rig.update(0);
    let message = rig.timeout_of(0, &late);
    rig.relay(0, message).unwrap();
    rig.run(0, RuntimeOrigin::root(), Call::unpause {}).unwrap();
    rig.send(0, &ALICE, rig.transfer_of(0, "unit", 10, &BOB));
}

#[test]
fn misbehaviour_freezes_and_an_update_is_none() {
    let mut rig = Rig::new();
    rig.update(0);
    let honest = rig.update_of(0, rig.now_seconds);
    let submit = |message| Call::submit_misbehaviour { message };
    let origin = || RuntimeOrigin::signed(RELAYER);
    assert_eq!(rig.run(0, origin(), submit(honest)), Err(Error::<Test>::NotMisbehaviour.into()));
    let forked = rig.update_of(0, rig.now_seconds + 1);
    rig.at(0, take_events);
    rig.run(0, origin(), submit(forked)).unwrap();
    assert!(matches!(rig.at(0, take_events).as_slice(), [Event::ClientFrozen { .. }]));
    let update = rig.update_of(0, rig.now_seconds);
    assert_eq!(rig.relay(0, Message::UpdateClient(update)), Err(refused("PR-HND-012")));
}

#[test]
fn clients_are_bounded() {
    let mut rig = Rig::new();
    let create = |rig: &mut Rig| {
        let (client_state, consensus_state) = attested(&rig.chains[1].attestors, 1, rig.now_seconds);
        rig.run(0, RuntimeOrigin::root(), Call::create_client { client_state, consensus_state })
    };
    for _ in 1..4 {
        create(&mut rig).unwrap();
    }
    assert_eq!(create(&mut rig), Err(refused("PR-HND-014")));
}

#[test]
fn the_storage_has_a_version() {
    new_chain().execute_with(|| {
        Ibc::on_genesis();
        assert_eq!(Ibc::in_code_storage_version(), StorageVersion::new(1));
        assert_eq!(Ibc::on_chain_storage_version(), StorageVersion::new(1));
    });
}
