//! Roles, pause, and the exchange of a light client.
#![allow(missing_docs, reason = "tests name themselves")]

use alloy_primitives::{Address, Bytes, B256};
use alloy_sol_types::SolCall;
use catenary_contract_tests::abi::{CounterpartyInfo, LightClient, MsgRecvPacket, Router};
use catenary_contract_tests::attest::Quorum;
use catenary_contract_tests::packet::SUCCESS_ACK;
use catenary_contract_tests::world::{
    counterparty, deploy_client, is_noop, written, On, Side, World, ADMIN, ALICE, BOB, RELAYER, TIMEOUT_SECONDS,
};

fn role(side: &Side, call: &impl SolCall<Return = B256>) -> B256 {
    side.chain.view(side.router, call)
}

#[test]
fn each_privileged_call_asks_for_its_role() {
    let mut world = World::new();
    let side = world.side_mut(On::A);
    let admin = role(side, &Router::DEFAULT_ADMIN_ROLECall {});
    let pauser = role(side, &Router::PAUSER_ROLECall {});
    let migrator = role(side, &Router::CLIENT_MIGRATOR_ROLECall {});
    let relayer = role(side, &Router::RELAYER_ROLECall {});
    let migrate = Router::migrateClientCall {
        clientId: side.client_id.clone(),
        counterparty: counterparty("client-1"),
        client: side.client,
    };
    let rows = [
        (Router::addIBCAppCall { portId: "other".into(), app: side.mock }.abi_encode(), admin),
        (Router::setRelayerListEnabledCall { enabled: true }.abi_encode(), admin),
        (Router::grantRoleCall { role: relayer, account: BOB }.abi_encode(), admin),
        (Router::revokeRoleCall { role: relayer, account: BOB }.abi_encode(), admin),
        (Router::pauseCall {}.abi_encode(), pauser),
        (Router::unpauseCall {}.abi_encode(), pauser),
        (migrate.abi_encode(), migrator),
    ];
    // Bob has every role but the one that is asked for, so that each check looks at its own.
    for (data, needed) in rows {
        let mut side = side.clone();
        for held in [admin, pauser, migrator, relayer].into_iter().filter(|held| *held != needed) {
            side.grant(held, BOB);
        }
        let outcome = side.chain.send_raw(BOB, side.router, data.clone());
        outcome.reverts(&Router::AccessControlUnauthorizedAccount { account: BOB, neededRole: needed });
        let wrapped = Router::multicallCall { data: vec![data.into()] };
        side.route(BOB, &wrapped)
            .reverts(&Router::AccessControlUnauthorizedAccount { account: BOB, neededRole: needed });
    }
}

#[test]
fn ports_are_given_once() {
    let mut world = World::new();
    let side = world.side_mut(On::A);
    let add = |port: &str, app: Address| Router::addIBCAppCall { portId: port.into(), app };
    let event = side.route(ADMIN, &add("third", side.mock)).ok().event::<Router::IBCAppAdded>();
    assert_eq!((event.portId.as_str(), event.app), ("third", side.mock));
    let found = side.chain.view(side.router, &Router::getIBCAppCall { portId: "third".into() });
    assert_eq!(found, side.mock);
    let taken = Router::IBCPortAlreadyExists { portId: "transfer".into() };
    side.route(ADMIN, &add("transfer", side.mock)).reverts(&taken);
    for port in ["", "x", "with/slash", "with space", &"p".repeat(129)] {
        let error = Router::IBCInvalidPortIdentifier { portId: port.into() };
        side.route(ADMIN, &add(port, side.mock)).reverts(&error);
    }
    side.route(ADMIN, &add("fourth", BOB)).reverts(&Router::IBCInvalidApp { app: BOB });
    let missing = Router::getIBCAppCall { portId: "fourth".into() };
    side.route(ALICE, &missing).reverts(&Router::IBCAppNotFound { portId: "fourth".into() });
}

#[test]
fn the_relayer_list_closes_relaying_and_nothing_else() {
    let mut world = World::new();
    let out = world.send(On::A, 10);
    let received = world.send(On::B, 10);
    let _ = world.recv(On::B, &received).ok();
    let recv = world.recv_msg(On::A, &out);
    let ack = world.ack_msg(On::B, &received, SUCCESS_ACK);
    let timeout = world.timeout_msg(On::B, &received);
    let state = world.side(On::A).quorum.sign_state(9_999, 9_999);
    let side = world.side_mut(On::B);
    let enable = |enabled| Router::setRelayerListEnabledCall { enabled };
    assert!(!side.chain.view(side.router, &Router::relayerListEnabledCall {}));
    let event = side.route(ADMIN, &enable(true)).ok().event::<Router::RelayerListEnabled>();
    assert!(event.enabled && side.chain.view(side.router, &Router::relayerListEnabledCall {}));

    let closed = [
        Router::updateClientCall { clientId: side.client_id.clone(), updateMsg: state }.abi_encode(),
        Router::recvPacketCall { m: recv.clone() }.abi_encode(),
        Router::ackPacketCall { m: ack }.abi_encode(),
        Router::timeoutPacketCall { m: timeout }.abi_encode(),
    ];
    for data in closed {
        let outcome = side.chain.send_raw(RELAYER, side.router, data);
        outcome.reverts(&Router::IBCUnauthorizedRelayer { caller: RELAYER });
    }
    let nonsense = Router::submitMisbehaviourCall { clientId: side.client_id.clone(), misbehaviourMsg: Bytes::new() };
    let outcome = side.route(ALICE, &nonsense);
    assert_eq!(outcome.result, Err(catenary_contract_tests::chain::Failure::Revert(Bytes::new())), "read, not closed");
    let _ = world.send(On::B, 1);

    let side = world.side_mut(On::B);
    let relayer_role = role(side, &Router::RELAYER_ROLECall {});
    side.grant(relayer_role, RELAYER);
    let mut listed = side.clone();
    assert_eq!(written(&listed.route(RELAYER, &Router::recvPacketCall { m: recv.clone() }).ok()), SUCCESS_ACK);
    let _ = side.route(ADMIN, &enable(false)).ok();
    assert_eq!(written(&side.route(BOB, &Router::recvPacketCall { m: recv }).ok()), SUCCESS_ACK);
}

#[test]
fn a_pause_stops_sends_and_receives_while_what_is_in_flight_ends() {
    let mut world = World::new();
    let outgoing = world.send(On::A, 10);
    let incoming = world.send(On::B, 10);
    let late = world.send(On::A, 10);
    let _ = world.recv(On::A, &outgoing).ok();
    let _ = world.side_mut(On::A).route(ADMIN, &Router::pauseCall {}).ok();

    let side = world.side_mut(On::A);
    let m = side.transfer_msg(side.token, 1, "anyone");
    side.send_transfer(ALICE, m).reverts(&Router::EnforcedPause {});
    world.recv(On::B, &incoming).reverts(&Router::EnforcedPause {});
    let _ = world.ack(On::A, &outgoing, SUCCESS_ACK).ok();
    world.advance(TIMEOUT_SECONDS);
    let _ = world.timeout(On::A, &late).ok();

    let _ = world.side_mut(On::A).route(ADMIN, &Router::unpauseCall {}).ok();
    let fresh = world.send(On::B, 10);
    assert_eq!(written(&world.recv(On::B, &fresh).ok()), SUCCESS_ACK);
    let _ = world.send(On::A, 10);
}

/// The recovery from a frozen client: another light client behind the same identifier, and everything goes on.
#[test]
fn a_migrated_client_carries_on_where_the_frozen_one_stopped() {
    let mut world = World::new();
    let done = world.send(On::A, 10);
    let _ = world.recv(On::A, &done).ok();
    let stuck = world.send(On::A, 20);
    let at = world.side(On::A).chain.height;
    let _ = world.update(On::A);
    let lie = world.side(On::A).quorum.sign_state(at, 1);
    let there = world.side_mut(On::B);
    let call = Router::updateClientCall { clientId: there.client_id.clone(), updateMsg: lie };
    let _ = there.route(RELAYER, &call).ok();
    let there = world.side(On::B);
    let frozen = Router::updateClientCall { clientId: there.client_id.clone(), updateMsg: Bytes::new() };
    world.side_mut(On::B).route(RELAYER, &frozen).reverts(&LightClient::FrozenClientState {});

    // New attestors, since the old ones have signed two things.
    world.side_mut(On::A).quorum = Quorum::new(51, 3, 2);
    let source = world.side(On::A).clone();
    let there = world.side_mut(On::B);
    let client = deploy_client(&mut there.chain, &source, Address::ZERO);
    let migrate =
        Router::migrateClientCall { clientId: there.client_id.clone(), counterparty: counterparty("client-0"), client };
    let event = there.route(ADMIN, &migrate).ok().event::<Router::ICS02ClientMigrated>();
    assert_eq!((event.clientId, event.client), (there.client_id.clone(), client));
    let found = there.chain.view(there.router, &Router::getClientCall { clientId: there.client_id.clone() });
    assert_eq!(found, client);

    assert_eq!(written(&world.recv(On::A, &stuck).ok()), SUCCESS_ACK);
    assert!(is_noop(&world.recv(On::A, &done).ok()), "what was received stays received");
    let _ = world.ack(On::A, &stuck, SUCCESS_ACK).ok();
    let fresh = world.send(On::A, 5);
    assert_eq!(fresh.sequence, 3);
    assert_eq!(written(&world.recv(On::A, &fresh).ok()), SUCCESS_ACK);
}

#[test]
fn migrations_that_are_refused() {
    let mut world = World::new();
    let side = world.side_mut(On::A);
    let client = side.client;
    let migrate = |id: &str, info: CounterpartyInfo, client| Router::migrateClientCall {
        clientId: id.into(),
        counterparty: info,
        client,
    };
    side.route(ADMIN, &migrate("client-9", counterparty("client-1"), client))
        .reverts(&Router::IBCClientNotFound { clientId: "client-9".into() });
    side.route(ADMIN, &migrate("client-0", counterparty("client-1"), BOB))
        .reverts(&Router::IBCInvalidClient { client: BOB });
    side.route(ADMIN, &migrate("client-0", counterparty("client-2"), client))
        .reverts(&Router::IBCInvalidCounterparty { expected: "client-1".into(), actual: "client-2".into() });
    let no_prefix = CounterpartyInfo { clientId: "client-1".into(), merklePrefix: vec![] };
    side.route(ADMIN, &migrate("client-0", no_prefix, client)).reverts_as::<Router::IBCInvalidMerklePrefix>();
    let other_prefix =
        CounterpartyInfo { clientId: "client-1".into(), merklePrefix: vec![b"ibc".to_vec().into(), Bytes::new()] };
    let _ = side.route(ADMIN, &migrate("client-0", other_prefix.clone(), client)).ok();
    let shown = side.chain.view(side.router, &Router::getCounterpartyCall { clientId: "client-0".into() });
    assert_eq!(shown, other_prefix);
}

#[test]
fn a_closed_light_client_needs_the_router_as_its_submitter() {
    let mut world = World::new();
    let packet = world.send(On::A, 10);
    let source = world.side(On::A).clone();
    let side = world.side_mut(On::B);
    let closed = deploy_client(&mut side.chain, &source, ADMIN);
    let call = Router::migrateClientCall {
        clientId: side.client_id.clone(),
        counterparty: counterparty("client-0"),
        client: closed,
    };
    let _ = side.route(ADMIN, &call).ok();
    let height = source.chain.height;
    let path = catenary_contract_tests::packet::commitment_path(&packet);
    let proof = source.quorum.sign_packets(height, &[(path.clone(), source.stored(&path))]);
    let proof_height = catenary_contract_tests::abi::Height { revisionNumber: 0, revisionHeight: height };
    let m = MsgRecvPacket { packet, proofCommitment: proof, proofHeight: proof_height };
    let submitter = side.chain.view(closed, &LightClient::PROOF_SUBMITTER_ROLECall {});
    let refused = LightClient::AccessControlUnauthorizedAccount { account: side.router, neededRole: submitter };
    side.route(RELAYER, &Router::recvPacketCall { m: m.clone() }).reverts(&refused);
    let grant = LightClient::grantRoleCall { role: submitter, account: side.router };
    let _ = side.chain.send(ADMIN, closed, &grant).ok();
    assert_eq!(written(&side.route(RELAYER, &Router::recvPacketCall { m }).ok()), SUCCESS_ACK);
}
