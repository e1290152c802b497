//! The transfer application: refusals on both sides, refunds, and tokens that misbehave.
#![allow(missing_docs, reason = "tests name themselves")]

use alloy_primitives::{Address, Bytes, B256, U256};
use alloy_sol_types::{SolCall, SolError, SolValue};
use catenary_contract_tests::abi::{
    Fixture, FungibleTokenPacketData, Height, MsgRecvPacket, OnAcknowledgementPacketCallback, OnRecvPacketCallback,
    OnTimeoutPacketCallback, Packet, Payload, Router, SendTransferMsg, Token, Transfer,
};
use catenary_contract_tests::packet::{self, error_ack, lowercase, transfer_data, transfer_payload, SUCCESS_ACK};
use catenary_contract_tests::world::{
    check_gas_limits, sent, written, On, World, ADMIN, ALICE, ALICE_TOKENS, BOB, RELAYER, TIMEOUT_SECONDS,
};

fn big(n: u64) -> U256 {
    U256::from(n)
}

/// A packet that the chain of A never sent but whose commitment its attestors sign: what a foreign application could
/// have put on the wire.
fn foreign(payload: Payload, sequence: u64, timeout: u64) -> Packet {
    Packet {
        sequence,
        sourceClient: "client-0".into(),
        destClient: "client-1".into(),
        timeoutTimestamp: timeout,
        payloads: vec![payload],
    }
}

fn recv_foreign(world: &mut World, payload: Payload) -> MsgRecvPacket {
    let height = world.update(On::A);
    let packet = foreign(payload, 1_000, world.side(On::B).timeout_in(60));
    let entry = (packet::commitment_path(&packet), packet::commitment(&packet));
    let proof = world.side(On::A).quorum.sign_packets(height.revisionHeight, &[entry]);
    MsgRecvPacket { packet, proofCommitment: proof, proofHeight: height }
}

fn good_data(world: &World) -> FungibleTokenPacketData {
    transfer_data(&lowercase(world.side(On::A).token), &lowercase(ALICE), &lowercase(BOB), 5)
}

#[test]
fn sends_that_are_refused() {
    type Change = fn(&mut SendTransferMsg, &World);
    let world = World::new();
    let spender = world.side(On::A).transfer;
    let now = world.side(On::A).chain.time_seconds;
    let rows: Vec<(&str, Change, Vec<u8>)> = vec![
        ("nothing", |m, _| m.amount = U256::ZERO, Transfer::ICS20InvalidAmount { amount: big(0) }.abi_encode()),
        ("no token", |m, _| m.denom = BOB, Transfer::ICS20InvalidToken { token: BOB }.abi_encode()),
        (
            "another port",
            |m, _| m.destPort = "mock".into(),
            Transfer::ICS20InvalidPort { expected: "transfer".into(), actual: "mock".into() }.abi_encode(),
        ),
        (
            "no port",
            |m, _| m.destPort = String::new(),
            Transfer::ICS20InvalidPort { expected: "transfer".into(), actual: String::new() }.abi_encode(),
        ),
        ("no receiver", |m, _| m.receiver = String::new(), field_length("receiver", 1, 2_048, 0)),
        ("a long receiver", |m, _| m.receiver = "r".repeat(2_049), field_length("receiver", 1, 2_048, 2_049)),
        ("a long memo", |m, _| m.memo = "m".repeat(32_769), field_length("memo", 0, 32_768, 32_769)),
        (
            "an unknown client",
            |m, _| m.sourceClient = "client-9".into(),
            Router::IBCClientNotFound { clientId: "client-9".into() }.abi_encode(),
        ),
        (
            "a late timeout",
            |m, w| m.timeoutTimestamp = w.side(On::A).chain.time_seconds,
            Router::IBCInvalidTimeoutTimestamp { timeoutTimestamp: big(now), comparedTimestamp: big(now) }.abi_encode(),
        ),
        (
            "a far timeout",
            |m, w| m.timeoutTimestamp = w.side(On::A).timeout_in(86_401),
            Router::IBCInvalidTimeoutDuration { maximumSeconds: big(86_400), actualSeconds: big(86_401) }.abi_encode(),
        ),
        (
            "more than there is",
            |m, _| m.amount = big(ALICE_TOKENS + 1),
            Token::ERC20InsufficientBalance {
                sender: ALICE,
                balance: big(ALICE_TOKENS),
                needed: big(ALICE_TOKENS + 1),
            }
            .abi_encode(),
        ),
    ];
    for (name, change, expected) in rows {
        let mut world = world.clone();
        let side = world.side(On::A);
        let mut m = side.transfer_msg(side.token, 100, "cosmos1receiver");
        change(&mut m, &world);
        let side = world.side_mut(On::A);
        side.send_transfer(ALICE, m).reverts_with(expected, name);
        assert_eq!(side.balance(side.token, ALICE), ALICE_TOKENS, "{name}");
    }
    let mut world = world;
    let side = world.side_mut(On::A);
    let m = side.transfer_msg(side.token, 100, "cosmos1receiver");
    let none = Token::ERC20InsufficientAllowance { spender, allowance: big(0), needed: big(100) };
    side.send_transfer(BOB, m).reverts(&none);
}

#[test]
fn a_send_puts_the_declared_bytes_on_the_wire() {
    let mut world = World::new();
    let side = world.side_mut(On::A);
    let mut m = side.transfer_msg(side.token, 100, "cosmos1receiver");
    m.memo = r#"{"settlement":{"uetr":"x"}}"#.into();
    let outcome = side.send_transfer(ALICE, m.clone()).ok();
    let packet = sent(&outcome);
    let mut data = transfer_data(&lowercase(side.token), &lowercase(ALICE), "cosmos1receiver", 100);
    data.memo = m.memo;
    assert_eq!(packet.payloads, vec![transfer_payload(&data)]);
    let event = outcome.event::<Transfer::ICS20Sent>();
    assert_eq!((event.clientId.as_str(), event.sequence), ("client-0", 1));
    assert_eq!((event.token, event.sender, event.amount), (side.token, ALICE, big(100)));
    let created = outcome.event::<Transfer::EscrowCreated>();
    assert_eq!((created.clientId.as_str(), created.escrow), ("client-0", side.escrow()));
}

#[test]
fn the_longest_transfer_fits_a_packet_and_a_transaction() {
    let mut world = World::new();
    let side = world.side_mut(On::A);
    let mut m = side.transfer_msg(side.token, 100, &"r".repeat(2_048));
    m.memo = "m".repeat(32_768);
    let packet = sent(&side.send_transfer(ALICE, m).ok());
    let m = world.recv_msg(On::A, &packet);
    let size = Router::recvPacketCall { m }.abi_encode().len();
    assert!(size < 60_000, "{size} bytes leave room under 64 KB");
}

/// What arrives, and the reason it is refused for.
type ReceiveRow = (String, Payload, Vec<u8>);

fn with_data(world: &World, change: impl FnOnce(&mut FungibleTokenPacketData)) -> Payload {
    let mut data = good_data(world);
    change(&mut data);
    transfer_payload(&data)
}

fn bad_fields(world: &World) -> Vec<ReceiveRow> {
    let payload = |change: fn(&mut Payload)| {
        let mut payload = transfer_payload(&good_data(world));
        change(&mut payload);
        payload
    };
    let denom = |text: &str| with_data(world, |data| data.denom = text.into());
    vec![
        (
            "amount".to_owned(),
            with_data(world, |data| data.amount = U256::ZERO),
            Transfer::ICS20InvalidAmount { amount: big(0) }.abi_encode(),
        ),
        (
            "version".to_owned(),
            payload(|p| p.version = "ics20-2".into()),
            Transfer::ICS20UnexpectedVersion { expected: "ics20-1".into(), actual: "ics20-2".into() }.abi_encode(),
        ),
        (
            "encoding".to_owned(),
            payload(|p| p.encoding = "application/json".into()),
            Transfer::ICS20UnexpectedEncoding {
                expected: "application/x-solidity-abi".into(),
                actual: "application/json".into(),
            }
            .abi_encode(),
        ),
        (
            "source port".to_owned(),
            payload(|p| p.sourcePort = "other".into()),
            Transfer::ICS20InvalidPort { expected: "transfer".into(), actual: "other".into() }.abi_encode(),
        ),
        ("empty denom".to_owned(), denom(""), field_length("denom", 1, 1_024, 0)),
        ("long denom".to_owned(), denom(&"d".repeat(1_025)), field_length("denom", 1, 1_024, 1_025)),
    ]
}

fn bad_receivers(world: &World) -> Vec<ReceiveRow> {
    let bob = lowercase(BOB);
    // Bob's address has two letters, so one of them in the wrong case breaks the checksum.
    let checksummed = BOB.to_checksum(None);
    let wrong_case = if checksummed.ends_with("B0b") { bob.replace("b0b", "b0B") } else { bob.replace("b0b", "B0b") };
    let (router, transfer) = (world.side(On::B).router, world.side(On::B).transfer);
    let texts = [
        String::new(),
        "cosmos15f0fjzzf9g6z5tq0vufn8fdjfekhlg34m7kzrh".to_owned(),
        bob[2..].to_owned(),
        bob[..41].to_owned(),
        format!("{bob}0"),
        format!(" {}", &bob[1..]),
        bob.replace("0x", "0X"),
        bob.replace('b', "g"),
        wrong_case,
        lowercase(Address::ZERO),
        lowercase(router),
        lowercase(transfer),
        lowercase(world.side(On::B).escrow()),
    ];
    let row = |text: String| {
        let reason = Transfer::ICS20InvalidReceiver { receiver: text.clone() }.abi_encode();
        (format!("receiver {text}"), with_data(world, |data| data.receiver = text), reason)
    };
    texts.into_iter().map(row).collect()
}

fn unknown_tokens(world: &World) -> Vec<ReceiveRow> {
    // The one spelling of an address as a denom is in lower case.
    let shouted = format!("0x{}", hex_digits(world.side(On::B).token).to_uppercase());
    let names = ["", "uatom", "transfer/client-9/uatom", &shouted];
    let row = |name: &str| {
        let reason = Transfer::ICS20DenomNotFound { denom: name.into() }.abi_encode();
        (format!("denom {name}"), with_data(world, |data| data.denom = format!("transfer/client-0/{name}")), reason)
    };
    names.into_iter().map(row).collect()
}

fn hex_digits(address: Address) -> String {
    lowercase(address)[2..].to_owned()
}

/// The answer to each is the universal error, and the reason is in the event.
#[test]
fn receives_that_are_answered_with_the_error() {
    let mut world = World::new();
    // With an escrow on B that holds a little less than what is claimed below.
    let _ = world.send(On::B, 4);
    for (name, payload, reason) in [bad_fields(&world), bad_receivers(&world), unknown_tokens(&world)].concat() {
        let outcome = receive(&world, payload);
        assert_eq!(written(&outcome), error_ack(), "{name}");
        let given = outcome.event::<Router::IBCAppRecvPacketCallbackError>().reason;
        assert_eq!(given, Bytes::from(reason), "{name}");
        assert!(outcome.events::<Transfer::ICS20Received>().is_empty(), "{name}");
    }
    // The other side claims what was never sent to it.
    let claim = format!("transfer/client-0/{}", lowercase(world.side(On::B).token));
    let outcome = receive(&world, with_data(&world, |data| data.denom = claim));
    assert_eq!(written(&outcome), error_ack());
    let given = outcome.event::<Router::IBCAppRecvPacketCallbackError>().reason;
    assert_eq!(given[..4], Token::ERC20InsufficientBalance::SELECTOR);
}

fn receive(world: &World, payload: Payload) -> catenary_contract_tests::chain::Outcome {
    let mut world = world.clone();
    let m = recv_foreign(&mut world, payload);
    world.side_mut(On::B).route(RELAYER, &Router::recvPacketCall { m }).ok()
}

fn field_length(field: &str, minimum: u64, maximum: u64, actual: u64) -> Vec<u8> {
    Transfer::ICS20FieldLength {
        field: field.into(),
        minimumBytes: big(minimum),
        maximumBytes: big(maximum),
        actualBytes: big(actual),
    }
    .abi_encode()
}

/// Bytes that are not the one canonical encoding are refused with a reason, never without: without one the packet could
/// not be answered.
#[test]
fn packet_data_that_is_not_canonical_is_answered_with_the_error() {
    let world = World::new();
    let good = good_data(&world).abi_encode();
    let word = |at: usize, value: U256| {
        let mut bytes = good.clone();
        bytes[at..at + 32].copy_from_slice(&value.to_be_bytes::<32>());
        bytes
    };
    let mut rows = vec![
        vec![],
        vec![0; 31],
        vec![0; 32],
        vec![0xff; 400],
        good[..good.len() - 1].to_vec(),
        good[..good.len() - 32].to_vec(),
        [good.as_slice(), &[0; 32]].concat(),
        [good.as_slice(), &[1]].concat(),
    ];
    // Each offset, and each length, set to something else.
    for at in [0usize, 32, 64, 96, 160] {
        for value in [U256::ZERO, U256::from(1), U256::from(320), U256::from(u64::MAX), U256::MAX] {
            rows.push(word(at, value));
        }
    }
    let mut at = 32 + 160;
    for text in 0..4 {
        for value in [U256::from(65), U256::from(u64::MAX), U256::MAX] {
            rows.push(word(at, value));
        }
        // The padding after the text.
        let length: usize = U256::from_be_slice(&good[at..at + 32]).to();
        if !length.is_multiple_of(32) {
            let mut bytes = good.clone();
            bytes[at + 32 + length] = 1;
            rows.push(bytes);
        }
        at += 32 + length.div_ceil(32) * 32;
        assert!(text < 4 && at <= good.len());
    }
    for (row, value) in rows.into_iter().enumerate() {
        if value == good {
            continue;
        }
        let mut world = world.clone();
        let mut payload = transfer_payload(&good_data(&world));
        payload.value = value.clone().into();
        let m = recv_foreign(&mut world, payload);
        let outcome = world.side_mut(On::B).route(RELAYER, &Router::recvPacketCall { m }).ok();
        assert_eq!(written(&outcome), error_ack(), "row {row}");
        let reason = outcome.event::<Router::IBCAppRecvPacketCallbackError>().reason;
        let expected = Transfer::ICS20InvalidPacketData { length: big(value.len() as u64) }.abi_encode();
        assert_eq!(reason, Bytes::from(expected), "row {row}");
    }
}

#[test]
fn a_checksummed_receiver_is_paid() {
    let mut world = World::new();
    let mut data = good_data(&world);
    let receiver = ADMIN;
    data.receiver = receiver.to_checksum(None);
    assert_ne!(data.receiver, lowercase(receiver), "the spelling differs");
    let m = recv_foreign(&mut world, transfer_payload(&data));
    let side = world.side_mut(On::B);
    let outcome = side.route(RELAYER, &Router::recvPacketCall { m }).ok();
    assert_eq!(written(&outcome), SUCCESS_ACK);
    let event = outcome.event::<Transfer::ICS20Received>();
    assert_eq!((event.receiver, event.amount, event.sequence), (receiver, big(5), 1_000));
    assert_eq!(side.balance(side.voucher(&data.denom), receiver), 5);
}

#[test]
fn an_escrow_cannot_be_paid_by_itself() {
    let mut world = World::new();
    let packet = world.send(On::B, 50);
    let _ = world.recv(On::B, &packet).ok();
    let escrow = world.side(On::B).escrow();
    let here = world.side(On::A);
    let voucher = here.voucher(&lowercase(world.side(On::B).token));
    let m = here.transfer_msg(voucher, 50, &lowercase(escrow));
    let back = sent(&world.side_mut(On::A).send_transfer(BOB, m).ok());
    assert_eq!(written(&world.recv(On::A, &back).ok()), error_ack());
    let _ = world.ack(On::A, &back, &error_ack()).ok();
    assert_eq!(world.side(On::A).balance(voucher, BOB), 50);
}

#[test]
fn only_the_router_speaks_to_the_application() {
    let mut world = World::new();
    let packet = world.send(On::A, 5);
    let side = world.side_mut(On::A);
    let payload = packet.payloads[0].clone();
    let (source, dest, sequence) = ("client-0".to_owned(), "client-1".to_owned(), 1);
    let recv = OnRecvPacketCallback {
        sourceClient: source.clone(),
        destinationClient: dest.clone(),
        sequence,
        payload: payload.clone(),
        relayer: ALICE,
    };
    let ack = OnAcknowledgementPacketCallback {
        sourceClient: source.clone(),
        destinationClient: dest.clone(),
        sequence,
        payload: payload.clone(),
        acknowledgement: error_ack().into(),
        relayer: ALICE,
    };
    let timeout =
        OnTimeoutPacketCallback { sourceClient: source, destinationClient: dest, sequence, payload, relayer: ALICE };
    for data in [
        Transfer::onRecvPacketCall { m: recv }.abi_encode(),
        Transfer::onAcknowledgementPacketCall { m: ack }.abi_encode(),
        Transfer::onTimeoutPacketCall { m: timeout }.abi_encode(),
    ] {
        for caller in [ALICE, ADMIN] {
            let outcome = side.chain.send_raw(caller, side.transfer, data.clone());
            outcome.reverts(&Transfer::ICS20Unauthorized { caller });
        }
    }
    assert_eq!(side.chain.view(side.transfer, &Transfer::ics26Call {}), side.router);
}

/// What the router never hands over is refused all the same: here the "router" is an account that says anything.
#[test]
fn the_application_reads_what_the_router_hands_over() {
    let mut world = World::new();
    let good = good_data(&world);
    let side = world.side_mut(On::A);
    let transfer = side.chain.deploy("ICS20Transfer", &ADMIN.abi_encode(), ADMIN);
    let (source, dest) = ("client-0".to_owned(), "client-1".to_owned());
    let mut payload = transfer_payload(&good);
    payload.destPort = "other".into();
    let m = OnRecvPacketCallback {
        sourceClient: source.clone(),
        destinationClient: dest.clone(),
        sequence: 1,
        payload,
        relayer: RELAYER,
    };
    let error = Transfer::ICS20InvalidPort { expected: "transfer".into(), actual: "other".into() };
    side.chain.send(ADMIN, transfer, &Transfer::onRecvPacketCall { m }).reverts(&error);
    for sender in ["", "nobody", &ALICE.to_checksum(None)] {
        let mut data = good.clone();
        data.sender = sender.into();
        let m = OnTimeoutPacketCallback {
            sourceClient: source.clone(),
            destinationClient: dest.clone(),
            sequence: 1,
            payload: transfer_payload(&data),
            relayer: RELAYER,
        };
        let error = Transfer::ICS20InvalidReceiver { receiver: sender.into() };
        side.chain.send(ADMIN, transfer, &Transfer::onTimeoutPacketCall { m }).reverts(&error);
    }
}

#[test]
fn only_the_application_moves_escrows_and_vouchers() {
    let mut world = World::new();
    let packet = world.send(On::A, 50);
    let _ = world.recv(On::A, &packet).ok();
    let token = world.side(On::A).token;
    let side = world.side_mut(On::A);
    let escrow = side.escrow();
    let steal = Token::sendCall { token, to: ALICE, amount: big(50) };
    for caller in [ALICE, ADMIN] {
        side.chain.send(caller, escrow, &steal).reverts(&Token::EscrowUnauthorized { caller });
    }
    let side = world.side_mut(On::B);
    let voucher = side.voucher(&lowercase(token));
    for caller in [BOB, ADMIN] {
        let mint = Token::mintCall { to: BOB, amount: big(1) };
        side.chain.send(caller, voucher, &mint).reverts(&Token::IBCERC20Unauthorized { caller });
        let burn = Token::burnCall { from: BOB, amount: big(1) };
        side.chain.send(caller, voucher, &burn).reverts(&Token::IBCERC20Unauthorized { caller });
    }
    let path = format!("transfer/client-1/{}", lowercase(token));
    assert_eq!(side.chain.view(voucher, &Token::fullDenomPathCall {}), path);
    assert_eq!(side.chain.view(voucher, &Token::nameCall {}), path);
    assert_eq!(side.chain.view(voucher, &Token::symbolCall {}), lowercase(token));
    assert_eq!(side.chain.view(voucher, &Token::decimalsCall {}), 0);
    assert_eq!(side.chain.view(side.transfer, &Transfer::ibcERC20DenomCall { token: voucher }), path);
    assert_eq!(side.chain.view(side.transfer, &Transfer::ibcERC20DenomCall { token: side.token }), "");
}

/// A voucher is known by its denom alone. Under its address it never left, so it cannot come home that way.
#[test]
fn a_voucher_under_its_address_is_not_released() {
    let mut world = World::new();
    let packet = world.send(On::B, 50);
    let _ = world.recv(On::B, &packet).ok();
    // On A: Bob sends the voucher of B's token over another client, so that A's escrow of that client holds vouchers.
    let side = world.side_mut(On::A);
    let second = Router::addClientCall {
        counterparty: catenary_contract_tests::world::counterparty("client-77"),
        client: side.client,
    };
    let second = side.route(ADMIN, &second).ok().event::<Router::ICS02ClientAdded>().clientId;
    let denom = format!("transfer/client-0/{}", packet::lowercase(world.side(On::B).token));
    let side = world.side_mut(On::A);
    let voucher = side.chain.view(side.transfer, &Transfer::ibcERC20ContractCall { denom: denom.clone() });
    let approve = Token::approveCall { spender: side.transfer, amount: big(50) };
    let _ = side.chain.send(BOB, voucher, &approve).ok();
    let mut m = side.transfer_msg(voucher, 30, "anyone");
    m.sourceClient = second.clone();
    let onward = sent(&side.send_transfer(BOB, m).ok());
    let data = FungibleTokenPacketData::abi_decode(&onward.payloads[0].value).expect("packet data");
    assert_eq!(data.denom, denom);
    let escrow = side.chain.view(side.transfer, &Transfer::getEscrowCall { clientId: second.clone() });
    assert_eq!((side.balance(voucher, escrow), side.balance(voucher, BOB)), (30, 20));

    // Home under its address: refused. Home under its denom: released.
    let home = |denom: &str, sequence: u64| {
        let data = transfer_data(&format!("transfer/client-77/{denom}"), "them", &lowercase(BOB), 30);
        let mut packet = foreign(transfer_payload(&data), sequence, u64::MAX);
        packet.sourceClient = "client-77".into();
        packet.destClient = second.clone();
        packet
    };
    let height = world.update(On::B);
    let mut deliver = |packet: Packet| {
        let entry = (packet::commitment_path(&packet), packet::commitment(&packet));
        let proof = world.side(On::B).quorum.sign_packets(height.revisionHeight, &[entry]);
        let m = MsgRecvPacket { packet, proofCommitment: proof, proofHeight: height.clone() };
        let side = world.side_mut(On::A);
        (side.route(RELAYER, &Router::recvPacketCall { m }).ok(), side.balance(voucher, BOB))
    };
    let (outcome, balance) = deliver(home(&lowercase(voucher), 1));
    assert_eq!((written(&outcome), balance), (error_ack(), 20));
    let reason = outcome.event::<Router::IBCAppRecvPacketCallbackError>().reason;
    assert_eq!(reason, Transfer::ICS20DenomNotFound { denom: lowercase(voucher) }.abi_encode());
    let (outcome, balance) = deliver(home(&denom, 2));
    assert_eq!((written(&outcome), balance), (SUCCESS_ACK.to_vec(), 50));
}

#[test]
fn error_answers_pay_back_what_was_locked_and_what_was_burned() {
    let mut world = World::new();
    // Locked: the other side cannot read the receiver.
    let side = world.side(On::A);
    let token = side.token;
    let m = side.transfer_msg(token, 70, "not an address");
    let packet = sent(&world.side_mut(On::A).send_transfer(ALICE, m).ok());
    let outcome = world.recv(On::A, &packet).ok();
    assert_eq!(written(&outcome), error_ack());
    let acked = world.ack(On::A, &packet, &error_ack()).ok();
    let refund = acked.event::<Transfer::ICS20Refunded>();
    assert_eq!((refund.token, refund.sender, refund.amount), (token, ALICE, big(70)));
    let side = world.side(On::A);
    assert_eq!((side.balance(token, ALICE), side.balance(token, side.escrow())), (ALICE_TOKENS, 0));
    // Burned: a voucher on its way home.
    let packet = world.send(On::A, 50);
    let _ = world.recv(On::A, &packet).ok();
    for by_timeout in [false, true] {
        let there = world.side(On::B);
        let voucher = there.voucher(&lowercase(token));
        let m = there.transfer_msg(voucher, 50, "not an address");
        let back = sent(&world.side_mut(On::B).send_transfer(BOB, m).ok());
        assert_eq!(world.side(On::B).balance(voucher, BOB), 0);
        if by_timeout {
            // The clock of A is behind, and A's clock decides.
            world.advance(TIMEOUT_SECONDS + 60);
            let _ = world.timeout(On::B, &back).ok();
        } else {
            assert_eq!(written(&world.recv(On::B, &back).ok()), error_ack());
            let _ = world.ack(On::B, &back, &error_ack()).ok();
        }
        assert_eq!(world.side(On::B).balance(voucher, BOB), 50);
    }
    assert_eq!(world.side(On::A).balance(token, world.side(On::A).escrow()), 50);
}

#[test]
fn an_answer_without_meaning_moves_nothing() {
    let mut world = World::new();
    let packet = world.send(On::A, 50);
    let nonsense = br#"{"result":"AA=="}"#;
    let height = world.update(On::B);
    let entry = (packet::ack_path(&packet), packet::ack_commitment(&[nonsense.to_vec()]));
    let proof = world.side(On::B).quorum.sign_packets(height.revisionHeight, &[entry]);
    let m = catenary_contract_tests::abi::MsgAckPacket {
        packet: packet.clone(),
        acknowledgement: nonsense.to_vec().into(),
        proofAcked: proof,
        proofHeight: height,
    };
    let side = world.side_mut(On::A);
    side.route(RELAYER, &Router::ackPacketCall { m })
        .reverts(&Transfer::ICS20UnexpectedAcknowledgement { acknowledgement: nonsense.to_vec().into() });
    assert_eq!(side.stored(&packet::commitment_path(&packet)), packet::commitment(&packet));
}

/// With any gas limit a transfer arrives, or nothing happened: a relayer cannot turn it into a refund.
#[test]
fn too_little_gas_never_makes_an_error() {
    let mut world = World::new();
    let first = world.send(On::A, 50);
    let fresh = world.recv_msg(On::A, &first);
    let there = world.side(On::B).clone();
    let mut settled = world.clone();
    let _ = settled.recv(On::A, &first).ok();
    let voucher = settled.side(On::B).voucher(&lowercase(settled.side(On::A).token));
    let m = settled.side(On::B).transfer_msg(voucher, 20, &lowercase(ALICE));
    let back = sent(&settled.side_mut(On::B).send_transfer(BOB, m).ok());
    let unlock = settled.recv_msg(On::B, &back);
    let here = settled.side(On::A).clone();

    check_gas_limits(&there, &Router::recvPacketCall { m: fresh }, SUCCESS_ACK);
    check_gas_limits(&here, &Router::recvPacketCall { m: unlock }, SUCCESS_ACK);
}

#[test]
fn a_token_that_keeps_a_fee_is_refused() {
    let mut world = World::new();
    let side = world.side_mut(On::A);
    let token = side.chain.deploy("fixtures/FeeToken", &[], ADMIN);
    let _ = side.chain.send(ADMIN, token, &Token::mintCall { to: ALICE, amount: big(100) }).ok();
    let approve = Token::approveCall { spender: side.transfer, amount: big(100) };
    let _ = side.chain.send(ALICE, token, &approve).ok();
    let m = side.transfer_msg(token, 10, "anyone");
    side.send_transfer(ALICE, m).reverts(&Transfer::ICS20UnexpectedEscrowBalance { expected: big(10), actual: big(9) });
    assert_eq!(side.balance(token, ALICE), 100);
}

/// A token may refuse the payee. Then the refund fails as a whole and can be tried again; nothing is lost, and other
/// packets are not held up.
#[test]
fn a_refund_that_the_token_refuses_waits() {
    let mut world = World::new();
    let side = world.side_mut(On::A);
    let token = side.chain.deploy("fixtures/FeeToken", &[], ADMIN);
    let _ = side.chain.send(ADMIN, token, &Fixture::setFeeCall { fee: U256::ZERO }).ok();
    let _ = side.chain.send(ADMIN, token, &Token::mintCall { to: ALICE, amount: big(100) }).ok();
    let approve = Token::approveCall { spender: side.transfer, amount: big(100) };
    let _ = side.chain.send(ALICE, token, &approve).ok();
    let m = side.transfer_msg(token, 10, "anyone");
    let packet = sent(&side.send_transfer(ALICE, m).ok());
    let _ = side.chain.send(ADMIN, token, &Fixture::refuseCall { account: ALICE }).ok();
    world.advance(TIMEOUT_SECONDS);
    world.timeout(On::A, &packet).reverts(&Fixture::Refused { account: ALICE });
    assert_eq!(world.side(On::A).stored(&packet::commitment_path(&packet)), packet::commitment(&packet));
    let side = world.side_mut(On::A);
    let _ = side.chain.send(ADMIN, token, &Fixture::refuseCall { account: Address::ZERO }).ok();
    let _ = world.timeout(On::A, &packet).ok();
    assert_eq!(world.side(On::A).balance(token, ALICE), 100);
}

/// A hostile token calls back in the middle of a transfer.
struct Hostile {
    world: World,
    token: Address,
}

impl Hostile {
    fn new() -> Self {
        let mut world = World::new();
        let side = world.side_mut(On::A);
        let token = side.chain.deploy("fixtures/ReentrantToken", &[], ADMIN);
        let _ = side.chain.send(ADMIN, token, &Token::mintCall { to: ALICE, amount: big(100) }).ok();
        let approve = Token::approveCall { spender: side.transfer, amount: big(100) };
        let _ = side.chain.send(ALICE, token, &approve).ok();
        Self { world, token }
    }

    fn arm(&mut self, target: Address, data: Vec<u8>) {
        let side = self.world.side_mut(On::A);
        let call = Fixture::armCall { target, data: data.into() };
        let _ = side.chain.send(ADMIN, self.token, &call).ok();
    }

    fn arm_with_a_send(&mut self) {
        let side = self.world.side(On::A);
        let (target, m) = (side.transfer, side.transfer_msg(side.token, 1, "anyone"));
        self.arm(target, Transfer::sendTransferCall { m }.abi_encode());
    }

    fn answer(&self) -> (bool, Bytes) {
        let chain = &self.world.side(On::A).chain;
        assert!(chain.view(self.token, &Fixture::firedCall {}), "the token did call back");
        (chain.view(self.token, &Fixture::succeededCall {}), chain.view(self.token, &Fixture::answerCall {}))
    }

    fn send(&mut self) -> Packet {
        let side = self.world.side_mut(On::A);
        let m = side.transfer_msg(self.token, 10, &lowercase(BOB));
        sent(&side.send_transfer(ALICE, m).ok())
    }
}

#[test]
fn a_hostile_token_cannot_send_again() {
    let mut hostile = Hostile::new();
    let side = hostile.world.side(On::A);
    let m = side.transfer_msg(hostile.token, 10, "anyone");
    let (target, data) = (side.transfer, Transfer::sendTransferCall { m }.abi_encode());
    hostile.arm(target, data);
    let _ = hostile.send();
    let (succeeded, answer) = hostile.answer();
    assert!(!succeeded);
    assert_eq!(answer, Router::ReentrancyGuardReentrantCall {}.abi_encode());
}

/// In the middle of its own transfer it delivers somebody else's packet. If that were answered with an error, anyone
/// could send anybody's money back.
#[test]
fn a_hostile_token_cannot_make_a_strangers_transfer_fail() {
    let mut hostile = Hostile::new();
    let stranger = hostile.world.send(On::B, 40);
    let m = hostile.world.recv_msg(On::B, &stranger);
    let router = hostile.world.side(On::A).router;
    let single = Router::recvPacketCall { m }.abi_encode();
    let batch = Router::multicallCall { data: vec![single.clone().into()] }.abi_encode();
    for data in [single, batch] {
        let mut hostile = Hostile { world: hostile.world.clone(), token: hostile.token };
        hostile.arm(router, data);
        let _ = hostile.send();
        let (succeeded, answer) = hostile.answer();
        assert!(!succeeded);
        assert_eq!(answer, Router::IBCFailedCallback {}.abi_encode());
        let here = hostile.world.side(On::A);
        assert_eq!(here.stored(&packet::receipt_path(&stranger)), B256::ZERO);
        assert_eq!(written(&hostile.world.recv(On::B, &stranger).ok()), SUCCESS_ACK);
    }
}

#[test]
fn a_hostile_token_cannot_call_back_while_it_is_paid_out() {
    let mut hostile = Hostile::new();
    let packet = hostile.send();
    let other = hostile.send();
    hostile.world.advance(TIMEOUT_SECONDS);
    let again = hostile.world.timeout_msg(On::A, &other);
    let same = hostile.world.timeout_msg(On::A, &packet);
    let side = hostile.world.side(On::A);
    let (router, transfer) = (side.router, side.transfer);
    let send = Transfer::sendTransferCall { m: side.transfer_msg(side.token, 1, "anyone") }.abi_encode();
    let rows = [
        (router, Router::timeoutPacketCall { m: again }.abi_encode()),
        (router, Router::timeoutPacketCall { m: same }.abi_encode()),
        (transfer, send),
    ];
    for (target, data) in rows {
        let mut hostile = Hostile { world: hostile.world.clone(), token: hostile.token };
        hostile.arm(target, data);
        let _ = hostile.world.timeout(On::A, &packet).ok();
        let (succeeded, answer) = hostile.answer();
        assert!(!succeeded);
        assert_eq!(answer, Router::ReentrancyGuardReentrantCall {}.abi_encode());
        let side = hostile.world.side(On::A);
        assert_eq!(side.balance(hostile.token, side.escrow()), 10, "one paid back, one still out");
        let _ = hostile.world.timeout(On::A, &other).ok();
        assert_eq!(hostile.world.side(On::A).balance(hostile.token, ALICE), 100);
    }
}

#[test]
fn a_hostile_token_cannot_enter_anything_while_an_error_is_paid_back() {
    let mut hostile = Hostile::new();
    let side = hostile.world.side(On::A);
    let m = side.transfer_msg(hostile.token, 10, "not an address");
    let packet = sent(&hostile.world.side_mut(On::A).send_transfer(ALICE, m).ok());
    assert_eq!(written(&hostile.world.recv(On::A, &packet).ok()), error_ack());
    // A packet of another application, which has no guard of its own.
    let other = hostile.world.side_mut(On::A).send_mock(b"x");
    let _ = hostile.world.recv(On::A, &other).ok();
    let m = hostile.world.ack_msg(On::A, &other, b"mock ack");
    let router = hostile.world.side(On::A).router;
    for through_the_router in [true, false] {
        let mut hostile = Hostile { world: hostile.world.clone(), token: hostile.token };
        if through_the_router {
            hostile.arm(router, Router::ackPacketCall { m: m.clone() }.abi_encode());
        } else {
            hostile.arm_with_a_send();
        }
        let _ = hostile.world.ack(On::A, &packet, &error_ack()).ok();
        let (succeeded, answer) = hostile.answer();
        assert!(!succeeded);
        assert_eq!(answer, Router::ReentrancyGuardReentrantCall {}.abi_encode());
    }
}

/// While the router delivers, nothing else of it, and nothing of the application, can be entered.
#[test]
fn a_hostile_token_cannot_enter_the_router_during_a_receive() {
    let mut hostile = Hostile::new();
    let out = hostile.send();
    let _ = hostile.world.recv(On::A, &out).ok();
    let there = hostile.world.side(On::B);
    let voucher = there.voucher(&lowercase(hostile.token));
    let m = there.transfer_msg(voucher, 10, &lowercase(ALICE));
    let home = sent(&hostile.world.side_mut(On::B).send_transfer(BOB, m).ok());
    let stranger = hostile.world.send(On::B, 40);
    let m = hostile.world.recv_msg(On::B, &stranger);
    let router = hostile.world.side(On::A).router;
    for through_the_router in [true, false] {
        let mut hostile = Hostile { world: hostile.world.clone(), token: hostile.token };
        if through_the_router {
            hostile.arm(router, Router::recvPacketCall { m: m.clone() }.abi_encode());
        } else {
            hostile.arm_with_a_send();
        }
        assert_eq!(written(&hostile.world.recv(On::B, &home).ok()), SUCCESS_ACK);
        let (succeeded, answer) = hostile.answer();
        assert!(!succeeded);
        assert_eq!(answer, Router::ReentrancyGuardReentrantCall {}.abi_encode());
        assert_eq!(written(&hostile.world.recv(On::B, &stranger).ok()), SUCCESS_ACK);
    }
}

/// A client that turns bad takes no more than was sent over it.
#[test]
fn the_escrow_of_one_client_does_not_pay_for_another() {
    let mut world = World::new();
    let _ = world.send(On::B, 500);
    let evil = catenary_contract_tests::attest::Quorum::new(90, 1, 1);
    let mut their_chain = world.side(On::A).clone();
    their_chain.quorum = evil.clone();
    let side_b = world.side_mut(On::B);
    let client = catenary_contract_tests::world::deploy_client(&mut side_b.chain, &their_chain, Address::ZERO);
    let add = Router::addClientCall { counterparty: catenary_contract_tests::world::counterparty("client-0"), client };
    let id = side_b.route(ALICE, &add).ok().event::<Router::ICS02ClientAdded>().clientId;
    let data = transfer_data(&format!("transfer/client-0/{}", lowercase(side_b.token)), "x", &lowercase(BOB), 500);
    let mut packet = foreign(transfer_payload(&data), 1, side_b.timeout_in(60));
    packet.destClient = id;
    let height = their_chain.chain.height;
    let proof = evil.sign_packets(height, &[(packet::commitment_path(&packet), packet::commitment(&packet))]);
    let proof_height = Height { revisionNumber: 0, revisionHeight: height };
    let m = MsgRecvPacket { packet, proofCommitment: proof, proofHeight: proof_height };
    let outcome = side_b.route(RELAYER, &Router::recvPacketCall { m }).ok();
    assert_eq!(written(&outcome), error_ack());
    assert_eq!(side_b.balance(side_b.token, side_b.escrow()), 500);
    assert_eq!(side_b.balance(side_b.token, BOB), 0);
}
