//! Gas of each call, in a committed table. Run with `UPDATE_GAS_TABLE=1` to write it again.
#![allow(missing_docs, reason = "tests name themselves")]

use std::fmt::Write as _;

use alloy_primitives::{Address, Bytes};
use alloy_sol_types::SolCall;
use alloy_sol_types::SolValue;
use catenary_contract_tests::abi::{Height, MsgRecvPacket, Packet, Router};
use catenary_contract_tests::artifact::contracts_dir;
use catenary_contract_tests::chain::Chain;
use catenary_contract_tests::packet::{self, error_ack, lowercase, SUCCESS_ACK};
use catenary_contract_tests::world::{
    counterparty, deploy_client, sent, On, World, ADMIN, ALICE, BOB, RELAYER, TIMEOUT_SECONDS,
};

/// Rows of the table: what, gas, bytes of call data.
type Rows = Vec<(String, u64, usize)>;

fn deployments(rows: &mut Rows) {
    let world = World::new();
    let side = world.side(On::A);
    let mut deploy = |name: &str, arguments: Vec<u8>| {
        let (_, outcome) = Chain::default().try_deploy(name, &arguments, ADMIN);
        rows.push((format!("deploy {name}"), outcome.ok().gas_used, 0));
    };
    deploy("ICS26Router", ADMIN.abi_encode());
    deploy("ICS20Transfer", side.router.abi_encode());
    deploy("TestERC20", ("Test".to_owned(), "TST".to_owned()).abi_encode_params());
    let arguments = (side.quorum.addresses(), 2u64, 1u64, 1u64, Address::ZERO).abi_encode_params();
    deploy("AttestationLightClient", arguments);
}

fn clients(rows: &mut Rows) {
    let mut world = World::new();
    let there = world.side(On::B).clone();
    let side = world.side_mut(On::A);
    let client = deploy_client(&mut side.chain, &there, Address::ZERO);
    let add = Router::addClientCall { counterparty: counterparty("attestations-0"), client };
    rows.push(("addClient".into(), side.route(ADMIN, &add).ok().gas_used, add.abi_encode().len()));
    let update_msg = there.quorum.sign_state(50, 1_795_000_050);
    let update = Router::updateClientCall { clientId: side.client_id.clone(), updateMsg: update_msg };
    let size = update.abi_encode().len();
    rows.push(("updateClient, 2 signatures".into(), side.route(RELAYER, &update).ok().gas_used, size));
    let known = side.route(RELAYER, &update).ok().gas_used;
    rows.push(("updateClient, 2 signatures, known state".into(), known, size));
}

fn transfers(rows: &mut Rows) {
    let mut world = World::new();
    let mut push = |name: &str, gas: u64, size: usize| rows.push((name.to_owned(), gas, size));
    let mut packets = Vec::new();
    for name in ["sendTransfer of an ERC-20, first over the client", "sendTransfer of an ERC-20"] {
        let side = world.side(On::A);
        let m = side.transfer_msg(side.token, 100, &lowercase(BOB));
        let size = catenary_contract_tests::abi::Transfer::sendTransferCall { m: m.clone() }.abi_encode().len();
        let outcome = world.side_mut(On::A).send_transfer(ALICE, m).ok();
        push(name, outcome.gas_used, size);
        packets.push(sent(&outcome));
    }
    for (name, packet) in ["recvPacket, voucher made", "recvPacket, voucher minted"].into_iter().zip(&packets) {
        let call = Router::recvPacketCall { m: world.recv_msg(On::A, packet) };
        push(name, world.side_mut(On::B).route(RELAYER, &call).ok().gas_used, call.abi_encode().len());
    }
    let call = Router::recvPacketCall { m: world.recv_msg(On::A, &packets[1]) };
    push("recvPacket, Noop", world.side_mut(On::B).route(RELAYER, &call).ok().gas_used, call.abi_encode().len());
    for (name, packet) in ["ackPacket, success", "ackPacket, success, again"].into_iter().zip(&packets) {
        let call = Router::ackPacketCall { m: world.ack_msg(On::A, packet, SUCCESS_ACK) };
        push(name, world.side_mut(On::A).route(RELAYER, &call).ok().gas_used, call.abi_encode().len());
    }
    let call = Router::ackPacketCall { m: world.ack_msg(On::A, &packets[1], SUCCESS_ACK) };
    push("ackPacket, Noop", world.side_mut(On::A).route(RELAYER, &call).ok().gas_used, call.abi_encode().len());

    let there = world.side(On::B);
    let voucher = there.voucher(&lowercase(world.side(On::A).token));
    let m = there.transfer_msg(voucher, 50, &lowercase(ALICE));
    let outcome = world.side_mut(On::B).send_transfer(BOB, m).ok();
    push("sendTransfer of a voucher", outcome.gas_used, 0);
    let call = Router::recvPacketCall { m: world.recv_msg(On::B, &sent(&outcome)) };
    push("recvPacket, released", world.side_mut(On::A).route(RELAYER, &call).ok().gas_used, call.abi_encode().len());
}

fn refunds(rows: &mut Rows) {
    let mut world = World::new();
    let side = world.side(On::A);
    let m = side.transfer_msg(side.token, 100, "not an address");
    let refused = sent(&world.side_mut(On::A).send_transfer(ALICE, m).ok());
    let late = world.send(On::A, 100);
    let call = Router::recvPacketCall { m: world.recv_msg(On::A, &refused) };
    let gas = world.side_mut(On::B).route(RELAYER, &call).ok().gas_used;
    rows.push(("recvPacket, error acknowledgement".into(), gas, call.abi_encode().len()));
    let call = Router::ackPacketCall { m: world.ack_msg(On::A, &refused, &error_ack()) };
    let gas = world.side_mut(On::A).route(RELAYER, &call).ok().gas_used;
    rows.push(("ackPacket, error, refunded".into(), gas, call.abi_encode().len()));
    world.advance(TIMEOUT_SECONDS);
    let call = Router::timeoutPacketCall { m: world.timeout_msg(On::A, &late) };
    let gas = world.side_mut(On::A).route(RELAYER, &call).ok().gas_used;
    rows.push(("timeoutPacket, refunded".into(), gas, call.abi_encode().len()));
}

/// `count` packets in one transaction with the update, `chunk` of them in each attestation.
fn batch(count: usize, chunk: usize) -> (String, u64, usize) {
    let mut world = World::new();
    let warm = world.send(On::A, 1);
    let _ = world.recv(On::A, &warm).ok();
    let packets: Vec<Packet> = (0..count).map(|_| world.send(On::A, 1)).collect();
    let here = world.side(On::A);
    let height = Height { revisionNumber: 0, revisionHeight: here.chain.height };
    let update_msg = here.quorum.sign_state(here.chain.height, here.chain.time_seconds);
    let client_id = world.side(On::B).client_id.clone();
    let mut data: Vec<Bytes> =
        vec![Router::updateClientCall { clientId: client_id, updateMsg: update_msg }.abi_encode().into()];
    for part in packets.chunks(chunk) {
        let paths: Vec<_> = part.iter().map(packet::commitment_path).collect();
        let proof = world.prove(On::A, &height, &paths);
        data.extend(part.iter().map(|packet| -> Bytes {
            let m =
                MsgRecvPacket { packet: packet.clone(), proofCommitment: proof.clone(), proofHeight: height.clone() };
            Router::recvPacketCall { m }.abi_encode().into()
        }));
    }
    let call = Router::multicallCall { data };
    let gas = world.side_mut(On::B).route(RELAYER, &call).ok().gas_used;
    let name = format!("multicall, update + {count} × recvPacket, {chunk} in each attestation: a packet");
    (name, gas / count as u64, call.abi_encode().len() / count)
}

fn table() -> String {
    let mut rows = Rows::new();
    deployments(&mut rows);
    clients(&mut rows);
    transfers(&mut rows);
    refunds(&mut rows);
    for chunk in [1, 4, 8, 16] {
        rows.push(batch(16, chunk));
    }
    let mut text = String::from(
        "# Gas\n\nMeasured in revm at Berlin with 2 of 3 attestors, by `tests/contracts/tests/gas.rs`, which compares \
         this table on\nevery run. Write it again with `UPDATE_GAS_TABLE=1 cargo test -p catenary-contract-tests \
         --test gas`.\n\n| call | gas | call data, bytes |\n| --- | ---: | ---: |\n",
    );
    for (name, gas, size) in rows {
        let size = if size == 0 { String::new() } else { size.to_string() };
        writeln!(text, "| {name} | {gas} | {size} |").expect("text grows");
    }
    text
}

#[test]
fn the_gas_table_is_current() {
    let path = contracts_dir().join("artifacts/gas.md");
    let measured = table();
    if std::env::var_os("UPDATE_GAS_TABLE").is_some() {
        std::fs::write(&path, &measured).expect("the table can be written");
    }
    let committed = std::fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(committed, measured, "run again with UPDATE_GAS_TABLE=1 and commit {}", path.display());
}
