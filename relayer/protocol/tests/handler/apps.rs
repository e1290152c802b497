//! Rules of the transfer app and of apps at large: what is not sent, what is refused on arrival, what cannot be closed.

use catenary_light_clients::Coded as _;
use catenary_protocol::handler::{
    voucher_trace, App, AppEvent, AttestationClient, Bank, Call, Error, Handler, Key, MemoryHost, Outcome,
    PacketResult, Received, Store, TransferApp,
};
use catenary_protocol::{ics20, limits, proto, Acknowledgement, Packet, Payload};
use prost::Message;

use super::rig::{code, result, send_message, sent, written, Rig};

#[test]
fn transfers_that_are_not_sent() {
    let longest = "x".repeat(limits::RECEIVER_BYTES_MAX);
    type Change = fn(&mut proto::MsgTransfer);
    let rows: [(&str, Change, &str); 22] = [
        ("as it should be", |_| {}, "ok"),
        ("json", |m| m.encoding = ics20::ENCODING_JSON.into(), "ok"),
        ("json by default", |m| m.encoding.clear(), "ok"),
        ("protobuf", |m| m.encoding = ics20::ENCODING_PROTOBUF.into(), "ok"),
        ("another encoding", |m| m.encoding = "text/plain".into(), "PR-TRF-001"),
        ("an empty height", |m| m.timeout_height = Some(proto::Height::default()), "ok"),
        (
            "a height",
            |m| m.timeout_height = Some(proto::Height { revision_number: 0, revision_height: 9 }),
            "PR-TRF-010",
        ),
        ("another port", |m| m.source_port = "oracle".into(), "PR-TRF-002"),
        ("no token", |m| m.token = None, "PR-HND-002"),
        ("zero", |m| m.token.as_mut().unwrap().amount = "0".into(), "PR-TRF-009"),
        ("no number", |m| m.token.as_mut().unwrap().amount = "1e3".into(), "PR-TRF-009"),
        ("a sign", |m| m.token.as_mut().unwrap().amount = "+5".into(), "PR-TRF-009"),
        ("an underscore", |m| m.token.as_mut().unwrap().amount = "1_0".into(), "PR-TRF-009"),
        ("a leading zero", |m| m.token.as_mut().unwrap().amount = "05".into(), "PR-TRF-009"),
        ("more than there is", |m| m.token.as_mut().unwrap().amount = "101".into(), "PR-BNK-001"),
        ("a denomination with a slash", |m| m.token.as_mut().unwrap().denom = "factory/x".into(), "PR-TRF-006"),
        ("no denomination", |m| m.token.as_mut().unwrap().denom.clear(), "PR-PKT-001"),
        ("a blank denomination", |m| m.token.as_mut().unwrap().denom = "  ".into(), "PR-TRF-005"),
        ("an unknown voucher", |m| m.token.as_mut().unwrap().denom = format!("ibc/{}", "A".repeat(64)), "PR-TRF-007"),
        ("no receiver", |m| m.receiver = " ".into(), "PR-TRF-008"),
        ("a receiver over the bound", |m| m.receiver = "x".repeat(2_049), "PR-PKT-001"),
        ("a memo over the bound", |m| m.memo = "x".repeat(32_769), "PR-PKT-001"),
    ];
    for (name, change, expect) in rows {
        let mut rig = Rig::new();
        rig.fund(0, "alice", "stake", 100);
        let mut message = rig.transfer_message(0, ("stake", 10), ("alice", "bob"));
        change(&mut message);
        assert_eq!(code(rig.transfer(0, &message)), expect, "{name}");
        assert_eq!(rig.balance(0, "alice", "stake"), if expect == "ok" { 90 } else { 100 }, "{name}");
    }
    let mut rig = Rig::new();
    rig.fund(0, "alice", "stake", 100);
    let longest = proto::MsgTransfer { receiver: longest, ..rig.transfer_message(0, ("stake", 1), ("alice", "bob")) };
    assert_eq!(code(rig.transfer(0, &longest)), "ok");
    let for_another = rig.transfer_message(0, ("stake", 1), ("alice", "bob"));
    assert_eq!(code(rig.run(0, "mallory", proto::MSG_TRANSFER, &for_another)), "PR-HND-003");
    // A raw packet that takes someone else's value.
    let stolen = proto::MsgSendPacket { signer: "mallory".into(), ..send_message(&rig, "stake", "10") };
    assert_eq!(code(rig.run(0, "mallory", proto::MSG_SEND_PACKET, &stolen)), "PR-TRF-004");
    // A raw packet with the name of a voucher instead of its trace.
    let named = send_message(&rig, "ibc/6C78CB43C8EAD6FC7783BC9722162550697E204F7ABA0CD6B45A7B5058AE9019", "10");
    assert_eq!(code(rig.run(0, "alice", proto::MSG_SEND_PACKET, &named)), "PR-TRF-006");
    // All that there is.
    let everything = "115792089237316195423570985008687907853269984665640564039457584007913129639935";
    let mut all = rig.transfer_message(0, ("stake", 1), ("alice", "bob"));
    all.token.as_mut().unwrap().amount = everything.into();
    assert_eq!(code(rig.transfer(0, &all)), "ok");
    assert_eq!((rig.balance(0, "alice", "stake"), rig.escrowed(0, "stake")), (0, 100));
    assert_eq!(code(rig.transfer(0, &all)), "PR-TRF-001", "there is nothing left");
}

/// A voucher of another client is a token like any other here: it leaves into escrow and comes home from it, and what
/// carries that other client's trace takes nothing out of this client's escrow.
#[test]
fn vouchers_of_another_client_are_neither_burned_nor_released() {
    let mut rig = Rig::new();
    let trace = "transfer/attestations-9/coin";
    let name = ics20::ibc_denom(trace);
    let hash = name.strip_prefix("ibc/").unwrap();
    rig.chains[0].host.set(&Key::Private(format!("denoms/{hash}").into_bytes()), trace.into());
    rig.fund(0, "alice", &name, 100);
    let packet = rig.transfer(0, &rig.transfer_message(0, (&name, 60), ("alice", "bob"))).unwrap();
    assert_eq!((rig.escrowed(0, &name), rig.chains[0].host.supply(&name).to::<u64>()), (60, 100));
    let ack = written(&rig.recv(1, &packet).unwrap());
    let there = rig.voucher(1, trace);
    assert_eq!((ack.is_universal_error(), rig.balance(1, "bob", &there)), (false, 60));
    rig.ack(0, &packet, &ack).unwrap();
    let home = rig.transfer(1, &rig.transfer_message(1, (&there, 60), ("bob", "alice"))).unwrap();
    assert_eq!(rig.chains[1].host.supply(&there).to::<u64>(), 0, "burned where it is a voucher of this path");
    assert!(!written(&rig.recv(0, &home).unwrap()).is_universal_error());
    assert_eq!((rig.escrowed(0, &name), rig.balance(0, "alice", &name)), (0, 100));

    // Stake in the escrow of this client, and a packet whose token came through another one.
    rig.fund(0, "alice", "stake", 50);
    rig.transfer(0, &rig.transfer_message(0, ("stake", 50), ("alice", "bob"))).unwrap();
    assert!(!forged(&mut rig, "transfer/attestations-9/stake", "50").is_universal_error());
    assert!(!forged(&mut rig, "other/attestations-1/stake", "50").is_universal_error());
    assert_eq!((rig.escrowed(0, "stake"), rig.balance(0, "alice", "stake")), (50, 0));
    for foreign in ["transfer/attestations-9/stake", "other/attestations-1/stake"] {
        assert_eq!(rig.balance(0, "alice", &rig.voucher(0, foreign)), 50, "{foreign}");
    }
    // A trace that is not the one its name is the hash of is none.
    rig.chains[0].host.set(&Key::Private(format!("denoms/{hash}").into_bytes()), b"stake".to_vec());
    assert_eq!(voucher_trace(&rig.chains[0].host, &name), None);
}

/// Ids that a trace could not be told apart by.
#[test]
fn transfers_need_ids_that_make_a_trace() {
    for (counterparty, expect) in [("client-77", "ok"), ("cli#ent-77", "PR-TRF-003"), ("client.x-77", "PR-TRF-003")] {
        let mut rig = Rig::new();
        rig.fund(0, "alice", "stake", 100);
        let info = proto::CounterpartyInfo { merkle_prefix: vec![Vec::new()], client_id: counterparty.into() };
        rig.chains[0].host.set(&Key::counterparty("attestations-0"), info.encode_to_vec());
        let message = rig.transfer_message(0, ("stake", 1), ("alice", "bob"));
        assert_eq!(code(rig.transfer(0, &message)), expect, "{counterparty}");
    }
}

/// Values that reach a receiver only if all is right with them: refused by the app, acknowledged as an error, refunded.
#[test]
fn transfers_that_are_refused_on_arrival() {
    let transfer = |receiver: &str, denom: &str| ics20::Transfer {
        denom: denom.into(),
        amount: "10".into(),
        sender: "alice".into(),
        receiver: receiver.into(),
        memo: String::new(),
    };
    for (name, data, expect) in [
        ("a receiver that is no address", transfer("no", "stake"), "PR-TRF-008"),
        ("a receiver with a space", transfer("b ob", "stake"), "PR-TRF-008"),
    ] {
        let mut rig = Rig::new();
        rig.fund(0, "alice", "stake", 100);
        let mut message = send_message(&rig, "stake", "10");
        message.payloads[0].value = data.proto_encode();
        let packet = sent_packet(&rig.run(0, "alice", proto::MSG_SEND_PACKET, &message).unwrap());
        refused_and_refunded(&mut rig, &packet, expect, name);
    }
}

fn sent_packet(outcome: &Outcome) -> Packet {
    match &outcome.events[0] {
        catenary_protocol::handler::Event::SendPacket(packet) => packet.clone(),
        other => panic!("{other:?}"),
    }
}

fn refused_and_refunded(rig: &mut Rig, packet: &Packet, expect: &str, name: &str) {
    let received = rig.recv(1, packet).unwrap();
    let ack = written(&received);
    assert!(ack.is_universal_error(), "{name}");
    let failed = received.events.iter().flat_map(catenary_protocol::handler::Event::render);
    let failed: Vec<_> = failed.filter(|event| event.kind.starts_with("ibccallbackerror-")).collect();
    let codes: Vec<_> = failed.iter().flat_map(|event| &event.attributes).map(|(_, value)| value.as_str()).collect();
    assert!(codes.contains(&expect), "{name}: {codes:?}");
    assert!(failed.iter().flat_map(|e| &e.attributes).all(|(key, _)| key.starts_with("ibccallbackerror-")));
    rig.ack(0, packet, &ack).unwrap();
    assert_eq!((rig.balance(0, "alice", "stake"), rig.escrowed(0, "stake")), (100, 0), "{name}");
}

/// A counterparty's packets, honest or not: each is proven, and given to the app as it is.
#[test]
fn a_counterparty_takes_no_more_than_it_was_sent() {
    let handler = |rig: &mut Rig, denom: &str, amount: &str| {
        let voucher = format!("transfer/{}/{denom}", rig.chains[1].client_id);
        forged(rig, &voucher, amount)
    };
    let mut rig = Rig::new();
    rig.fund(0, "alice", "stake", 100);
    rig.fund(0, "alice", "gold", 100);
    rig.transfer(0, &rig.transfer_message(0, ("stake", 60), ("alice", "bob"))).unwrap();
    // The other chain says that 61 come home, or some of what never left.
    assert!(handler(&mut rig, "stake", "61").is_universal_error());
    assert!(handler(&mut rig, "gold", "1").is_universal_error());
    assert!(!handler(&mut rig, "stake", "60").is_universal_error());
    assert!(handler(&mut rig, "stake", "1").is_universal_error());
    assert_eq!((rig.escrowed(0, "stake"), rig.balance(0, "alice", "stake")), (0, 100));
    assert_eq!(rig.balance(0, "alice", "gold"), 100);
    // Denominations that are none, in every form.
    for denom in [
        "",
        " ",
        "transfer/attestations-1/",
        "transfer/attestations-1",
        "transfer/attestations-1/ ",
        "x/attestations-1/y",
    ] {
        let ack = forged(&mut rig, denom, "1");
        let expect = denom == "transfer/attestations-1";
        assert_eq!(!ack.is_universal_error(), expect, "{denom:?}");
    }
    // Vouchers of the other chain have its name and no other.
    assert!(!forged(&mut rig, "stake", "5").is_universal_error());
    assert_eq!(rig.balance(0, "alice", "stake"), 100);
    assert_eq!(rig.balance(0, "alice", &rig.voucher(0, "stake")), 5);
    // More than can exist.
    let most = "115792089237316195423570985008687907853269984665640564039457584007913129639935";
    assert!(forged(&mut rig, "stake", most).is_universal_error());
    assert_eq!(rig.balance(0, "alice", &rig.voucher(0, "stake")), 5);
}

/// A packet that chain 1's attestors say was sent, delivered to chain 0.
fn forged(rig: &mut Rig, denom: &str, amount: &str) -> Acknowledgement {
    let data = proto::FungibleTokenPacketData {
        denom: denom.into(),
        amount: amount.into(),
        sender: "mallory".into(),
        receiver: "alice".into(),
        memo: String::new(),
    };
    let sequence = rig.chains[1].height + 1_000;
    let payload = Payload {
        source_port: ics20::PORT.into(),
        destination_port: ics20::PORT.into(),
        version: ics20::VERSION.into(),
        encoding: ics20::ENCODING_PROTOBUF.into(),
        value: data.encode_to_vec(),
    };
    let packet = Packet {
        sequence,
        source_client: rig.chains[1].client_id.clone(),
        destination_client: rig.chains[0].client_id.clone(),
        timeout_timestamp_seconds: rig.now_seconds + 60,
        payloads: vec![payload],
    };
    rig.chains[1].host.set(&Key::of_path(packet.commitment_path()), packet.commitment().as_bytes().to_vec());
    rig.chains[1].height += 1;
    let received = rig.recv(0, &packet).unwrap();
    written(&received)
}

/// An app that does what the test says, after writing something.
#[derive(Clone)]
struct Odd(&'static str);

impl App<MemoryHost> for Odd {
    fn port(&self) -> &str {
        ics20::PORT
    }

    fn on_send(&self, _: &mut MemoryHost, _: &Call<'_>) -> Result<Vec<AppEvent>, Error> {
        Ok(Vec::new())
    }

    fn on_receive(&self, host: &mut MemoryHost, _: &Call<'_>) -> Received {
        host.set(&Key::Private(b"odd".to_vec()), vec![1]);
        let acknowledgement = match self.0 {
            "pending" => return Received::Pending,
            "failed" => {
                let reason = catenary_protocol::handler::BankError::Refused { reason: "odd".into() };
                return Received::Failed { reason: reason.into(), events: vec![AppEvent::new("odd", &[("a", "b")])] };
            }
            "empty" => Vec::new(),
            "sentinel" => Acknowledgement::universal_error().single().unwrap().to_vec(),
            "long" => vec![1; limits::ACK_BYTES_MAX + 1],
            _ => vec![1; limits::ACK_BYTES_MAX],
        };
        Received::Acknowledged { acknowledgement, events: Vec::new() }
    }

    fn on_acknowledge(&self, host: &mut MemoryHost, _: &Call<'_>, _: &[u8]) -> Result<Vec<AppEvent>, Error> {
        host.set(&Key::Private(b"odd".to_vec()), vec![2]);
        Err(Error::UnknownPort { port: "odd".into() })
    }

    fn on_timeout(&self, host: &mut MemoryHost, _: &Call<'_>) -> Result<Vec<AppEvent>, Error> {
        host.set(&Key::Private(b"odd".to_vec()), vec![3]);
        Err(Error::UnknownPort { port: "odd".into() })
    }
}

#[test]
fn apps_answer_at_once_and_within_bounds() {
    let rows = [
        ("pending", "PR-HND-026"),
        ("empty", "PR-PKT-001"),
        ("sentinel", "PR-HND-027"),
        ("long", "PR-PKT-001"),
        ("longest", "ok"),
        ("failed", "ok"),
    ];
    let odd_key = Key::Private(b"odd".to_vec());
    for (what, expect) in rows {
        let (mut rig, packet) = sent();
        rig.chains[1].handler = Handler::new().with_client(AttestationClient).with_app(Odd(what));
        let outcome = rig.recv(1, &packet);
        assert_eq!(code(outcome.as_ref().map_err(Clone::clone)), expect, "{what}");
        let host = &rig.chains[1].host;
        let kept = |key: &Key| host.get(key).is_some();
        // A failed app's writes are gone, its packet's receipt and acknowledgement are there.
        assert_eq!(kept(&odd_key), what == "longest", "{what}");
        assert_eq!(kept(&Key::of_path(packet.receipt_path())), expect == "ok", "{what}");
        assert_eq!(kept(&Key::of_path(packet.ack_path())), expect == "ok", "{what}");
        if what == "failed" {
            assert!(written(&outcome.unwrap()).is_universal_error());
        }
    }
    // No app on the port: the packet is not received, so that it times out.
    let (mut rig, packet) = sent();
    rig.chains[1].handler = Handler::new().with_client(AttestationClient);
    assert_eq!(code(rig.recv(1, &packet)), "PR-HND-028");
    // An acknowledgement that is there already.
    let (mut rig, packet) = sent();
    rig.chains[1].host.set(&Key::of_path(packet.ack_path()), vec![9; 32]);
    assert_eq!(code(rig.recv(1, &packet)), "PR-HND-025");
}

#[test]
fn an_app_that_cannot_close_a_packet_leaves_it_open() {
    let odd = || Handler::new().with_client(AttestationClient).with_app(Odd(""));
    let (mut rig, packet) = sent();
    let ack = written(&rig.recv(1, &packet).unwrap());
    rig.chains[0].handler = odd();
    assert_eq!(code(rig.ack(0, &packet, &ack)), "PR-HND-028");
    rig.chains[0].handler = Handler::new().with_client(AttestationClient).with_app(TransferApp);
    assert_eq!(rig.ack(0, &packet, &ack).as_ref().map(result), Ok(PacketResult::Success as i32));
    let (mut rig, packet) = sent();
    rig.wait(60);
    rig.chains[0].handler = odd();
    assert_eq!(code(rig.timeout(0, &packet)), "PR-HND-028");
    rig.chains[0].handler = Handler::new().with_client(AttestationClient).with_app(TransferApp);
    assert_eq!(rig.timeout(0, &packet).as_ref().map(result), Ok(PacketResult::Success as i32));
}

/// Acknowledgements that a destination may have written, and what the transfer app makes of them.
#[test]
fn acknowledgements_are_a_result_or_the_universal_error() {
    let universal = Acknowledgement::universal_error();
    let rows: [(&[u8], &str, u64); 15] = [
        (ics20::SUCCESS_ACK, "ok", 40),
        (br#"{"result":"+/+/"}"#, "ok", 40),
        (br#"{"result":"A-A="}"#, "PR-TRF-011", 40),
        (br#"{"result":"A_A="}"#, "PR-TRF-011", 40),
        (br#"{"result":"AA=="}"#, "ok", 40),
        (br#"{"result":"AAAA"}"#, "ok", 40),
        (universal.single().unwrap(), "ok", 100),
        (br#"{"result":""}"#, "PR-TRF-011", 40),
        (br#"{"result":"A"}"#, "PR-TRF-011", 40),
        (br#"{"result":"===="}"#, "PR-TRF-011", 40),
        (br#"{"result":"A==="}"#, "PR-TRF-011", 40),
        (br#"{"result":"AQ=="} "#, "PR-TRF-011", 40),
        (br#"{"result":"A\"=="}"#, "PR-TRF-011", 40),
        (br#"{"error":"ABCI code: 1: error handling packet: see events for details"}"#, "PR-TRF-011", 40),
        (&[0xff; 100], "PR-TRF-011", 40),
    ];
    for (bytes, expect, balance) in rows {
        let (mut rig, packet) = sent();
        let ack = Acknowledgement { app_acknowledgements: vec![bytes.to_vec()] };
        rig.chains[1].host.set(&Key::of_path(packet.ack_path()), ack.commitment().as_bytes().to_vec());
        let name = String::from_utf8_lossy(bytes);
        assert_eq!(code(rig.ack(0, &packet, &ack)), expect, "{name}");
        assert_eq!(rig.balance(0, "alice", "stake"), balance, "{name}");
    }
}

/// Wallets and explorers read the outcome from the events that ibc-go gives: the byte of a plain success, the result as
/// it is for any other, and the words of a failure.
#[test]
fn events_show_what_an_acknowledgement_says() {
    let universal = Acknowledgement::universal_error();
    let failed = "ABCI code: 16: error handling packet: see events for details";
    let rows: [(&[u8], String, (&str, &str)); 3] = [
        (ics20::SUCCESS_ACK, r#"result:"\001" "#.into(), ("success", "\u{1}")),
        (br#"{"result":"AAAA"}"#, r#"result:"AAAA" "#.into(), ("success", "AAAA")),
        (universal.single().unwrap(), format!("error:{failed:?} "), ("error", failed)),
    ];
    for (bytes, shown, (key, value)) in rows {
        let (mut rig, packet) = sent();
        let ack = Acknowledgement { app_acknowledgements: vec![bytes.to_vec()] };
        rig.chains[1].host.set(&Key::of_path(packet.ack_path()), ack.commitment().as_bytes().to_vec());
        let events: Vec<_> =
            rig.ack(0, &packet, &ack).unwrap().events.iter().flat_map(|event| event.render()).collect();
        let said: Vec<_> = events.into_iter().filter(|event| event.kind == "fungible_token_packet").collect();
        assert_eq!(said[0].attributes.last(), Some(&("acknowledgement".into(), shown)));
        assert_eq!(said[1].attributes, [(key.into(), value.into())]);
    }
}

#[test]
fn banks_refuse_with_codes() {
    let mut host = MemoryHost::default();
    let (one, most) = (catenary_protocol::handler::Amount::from(1), catenary_protocol::handler::Amount::MAX);
    host.mint(b"alice", "x", most).unwrap();
    let rows = [
        (host.mint(b"bob", "x", one), "PR-BNK-002"),
        (host.burn(b"bob", "x", one), "PR-BNK-001"),
        (host.transfer(b"bob", b"alice", "x", one), "PR-BNK-001"),
        (host.transfer(b"alice", b"bob", "y", one), "PR-BNK-001"),
    ];
    for (outcome, expect) in rows {
        assert_eq!(outcome.unwrap_err().code(), expect);
    }
    host.transfer(b"alice", b"alice", "x", most).unwrap();
    assert_eq!((host.balance(b"alice", "x"), host.supply("x")), (most, most));
    host.burn(b"alice", "x", most).unwrap();
    assert_eq!(host.entries().count(), 0, "nothing is kept of nothing");
}
