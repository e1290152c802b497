//! The client of QBFT chains: real seals, real proofs of `eth_getProof`, and each check with a message that fails it.

use catenary_light_clients::crypto::Address;
use catenary_light_clients::qbft::{commitment_slot, Config};
use catenary_light_clients::testing::{EvmState, Network, COMMITMENT_SLOT};
use catenary_light_clients::{Hash32, Timestamp};
use catenary_protocol::handler::{
    Amount, AttestationClient, Bank, Context, Error, Event, Handler, Key, MemoryHost, NativeAnchor, NativeClient,
    NativeClientState, NativeFamily, NativeHeaders, NativeMisbehaviour, Outcome, QbftConfig, QbftFamily, Status, Store,
    TransferApp, HEADERS_KEPT_MAX, UPDATES_MAX,
};
use catenary_protocol::{ics20, proto, Acknowledgement, Packet, Path};
use prost::Message;

use super::rig::{any, code, result, written};

const ID: &str = "catenary-qbft-0";
const OTHER: &str = "client-7";
const URLS: catenary_protocol::handler::NativeUrls = QbftFamily::URLS;

/// A QBFT chain with an IBC router, and a chain that knows it through its validators.
struct Rig {
    network: Network,
    evm: EvmState,
    handler: Handler<MemoryHost>,
    host: MemoryHost,
}

fn router() -> Address {
    Address([0xc0; 20])
}

fn create_message(config: QbftConfig, anchor: Vec<u8>) -> proto::MsgCreateClient {
    let state = NativeClientState { config: config.encode_to_vec(), saved: Vec::new(), frozen: false };
    proto::MsgCreateClient {
        client_state: Some(any(URLS.client_state, &state)),
        consensus_state: Some(any(URLS.anchor, &NativeAnchor { update: anchor })),
        signer: "creator".into(),
    }
}

impl Rig {
    fn unconnected(validators: usize) -> Self {
        let mut evm = EvmState::default();
        evm.insert_slot(router(), [7; 32], [1; 32]);
        let handler = Handler::new()
            .with_client(AttestationClient)
            .with_client(NativeClient::<QbftFamily>::new())
            .with_app(TransferApp);
        Self { network: Network::new(validators), evm, handler, host: MemoryHost::default() }
    }

    fn new(validators: usize) -> Self {
        let mut rig = Self::unconnected(validators);
        rig.create(&rig.network.config()).unwrap();
        let register = proto::MsgRegisterCounterparty {
            client_id: ID.into(),
            counterparty_merkle_prefix: vec![Vec::new()],
            counterparty_client_id: OTHER.into(),
            signer: "creator".into(),
        };
        rig.run("creator", proto::MSG_REGISTER_COUNTERPARTY, &register).unwrap();
        rig
    }

    fn create(&mut self, config: &Config) -> Result<Outcome, Error> {
        let anchor = self.network.headers[0].encode();
        self.run("creator", proto::MSG_CREATE_CLIENT, &create_message(QbftConfig::of(config), anchor))
    }

    fn run(&mut self, signer: &str, type_url: &str, message: &impl Message) -> Result<Outcome, Error> {
        self.run_at(self.network.now(), signer, (type_url, &message.encode_to_vec()))
    }

    fn run_at(&mut self, time: Timestamp, signer: &str, message: (&str, &[u8])) -> Result<Outcome, Error> {
        let before = self.host.clone();
        let outcome = self.handler.handle(&mut self.host, Context { time, signer }, message.0, message.1);
        if outcome.is_err() {
            assert!(before.entries().eq(self.host.entries()), "a refused message changed the store");
        }
        outcome
    }

    /// Seals a block over the EVM's present state, and gives its bytes.
    fn block(&mut self) -> Vec<u8> {
        let mut next = self.network.next();
        next.state_root = Hash32(*self.evm.root().as_bytes());
        self.network.push(next)
    }

    fn update(&mut self, updates: Vec<Vec<u8>>) -> Result<Outcome, Error> {
        self.client_message(any(URLS.headers, &NativeHeaders { updates }))
    }

    fn client_message(&mut self, message: proto::Any) -> Result<Outcome, Error> {
        let client_message = Some(message);
        let message = proto::MsgUpdateClient { client_id: ID.into(), client_message, signer: "relayer".into() };
        self.run("relayer", proto::MSG_UPDATE_CLIENT, &message)
    }

    fn status(&self) -> Status {
        self.handler.client_status(&self.host, ID, self.network.now()).unwrap()
    }

    fn proof(&self, path: &Path) -> Vec<u8> {
        self.evm.proof(router(), &commitment_slot(path.as_bytes(), &COMMITMENT_SLOT))
    }

    fn commit(&mut self, path: &Path, value: Hash32) {
        self.evm.insert_slot(router(), commitment_slot(path.as_bytes(), &COMMITMENT_SLOT), value.0);
    }

    fn height(&self) -> Option<proto::Height> {
        Some(proto::Height { revision_number: 0, revision_height: self.network.head().number })
    }

    fn receive(&mut self, packet: &Packet) -> Result<Outcome, Error> {
        let message = proto::MsgRecvPacket {
            packet: Some(packet.into()),
            proof_commitment: self.proof(&packet.commitment_path()),
            proof_height: self.height(),
            signer: "relayer".into(),
        };
        self.run("relayer", proto::MSG_RECV_PACKET, &message)
    }

    /// Sends a transfer to the QBFT chain.
    fn send(&mut self, amount: u64) -> Packet {
        let message = proto::MsgTransfer {
            source_port: ics20::PORT.into(),
            source_channel: ID.into(),
            token: Some(proto::Coin { denom: "stake".into(), amount: amount.to_string() }),
            sender: "alice".into(),
            receiver: "0x00000000000000000000000000000000000000aa".into(),
            timeout_height: None,
            timeout_timestamp: self.network.now().seconds() + 30,
            memo: String::new(),
            encoding: ics20::ENCODING_ABI.into(),
        };
        match &self.run("alice", proto::MSG_TRANSFER, &message).unwrap().events[0] {
            Event::SendPacket(packet) => packet.clone(),
            other => panic!("{other:?}"),
        }
    }
}

/// A packet of the QBFT chain.
fn packet(rig: &Rig, sequence: u64) -> Packet {
    let data = ics20::Transfer {
        denom: "0x00000000000000000000000000000000000000ee".into(),
        amount: "40".into(),
        sender: "0x00000000000000000000000000000000000000aa".into(),
        receiver: "bob".into(),
        memo: String::new(),
    };
    Packet {
        sequence,
        source_client: OTHER.into(),
        destination_client: ID.into(),
        timeout_timestamp_seconds: rig.network.now().seconds() + 60,
        payloads: vec![data.to_payload(ics20::ENCODING_ABI).unwrap()],
    }
}

#[test]
fn a_packet_of_a_qbft_chain_is_received_on_the_word_of_its_validators() {
    for validators in [4, 7, 22] {
        let mut rig = Rig::new(validators);
        let packet = packet(&rig, 1);
        rig.commit(&packet.commitment_path(), packet.commitment());
        let update = rig.block();
        assert_eq!(code(rig.receive(&packet)), "PR-HND-013", "the state is not known yet");
        rig.update(vec![update]).unwrap();
        let outcome = rig.receive(&packet).unwrap();
        assert_eq!(written(&outcome).app_acknowledgements, [ics20::SUCCESS_ACK]);
        let voucher = ics20::ibc_denom(&format!("transfer/{ID}/0x00000000000000000000000000000000000000ee"));
        assert_eq!(rig.host.balance(b"bob", &voucher), Amount::from(40));
        assert_eq!(result(&rig.receive(&packet).unwrap()), 1, "the second one is a no-op");
    }
}

#[test]
fn an_acknowledgement_and_a_timeout_come_home() {
    let mut rig = Rig::new(4);
    rig.host.mint(b"alice", "stake", Amount::from(100)).unwrap();
    let (first, second) = (rig.send(10), rig.send(20));
    let ack = Acknowledgement { app_acknowledgements: vec![ics20::SUCCESS_ACK.to_vec()] };
    rig.commit(&first.ack_path(), ack.commitment());
    let mut updates = Vec::new();
    for _ in 0..32 {
        updates.push(rig.block());
    }
    rig.update(updates).unwrap();
    let acked = proto::MsgAcknowledgement {
        packet: Some((&first).into()),
        acknowledgement: Some(proto::Acknowledgement { app_acknowledgements: ack.app_acknowledgements }),
        proof_acked: rig.proof(&first.ack_path()),
        proof_height: rig.height(),
        signer: "relayer".into(),
    };
    assert_eq!(result(&rig.run("relayer", proto::MSG_ACKNOWLEDGEMENT, &acked).unwrap()), 2);
    let timed_out = proto::MsgTimeout {
        packet: Some((&second).into()),
        proof_unreceived: rig.proof(&second.receipt_path()),
        proof_height: rig.height(),
        signer: "relayer".into(),
    };
    assert_eq!(result(&rig.run("relayer", proto::MSG_TIMEOUT, &timed_out).unwrap()), 2);
    assert_eq!(rig.host.balance(b"alice", "stake"), Amount::from(90), "the second came back");
}

#[test]
fn what_is_not_proven_is_refused_with_the_code_of_the_check() {
    let mut rig = Rig::new(4);
    let (there, forged) = (packet(&rig, 1), packet(&rig, 2));
    rig.commit(&there.commitment_path(), there.commitment());
    rig.commit(&forged.commitment_path(), Hash32([9; 32]));
    let update = rig.block();
    rig.update(vec![update]).unwrap();
    assert_eq!(code(rig.receive(&forged)), "LC-QBFT-033", "another value");
    assert_eq!(code(rig.receive(&packet(&rig, 3))), "LC-QBFT-034", "nothing there");
    // A proof of a later state.
    rig.commit(&packet(&rig, 3).commitment_path(), packet(&rig, 3).commitment());
    assert!(code(rig.receive(&packet(&rig, 3))).starts_with("LC-MPT"), "the root is another");
}

#[test]
fn updates_are_taken_together_or_not_at_all() {
    let mut rig = Rig::new(4);
    let (first, second, third) = (rig.block(), rig.block(), rig.block());
    assert_eq!(code(rig.update(vec![second.clone()])), "LC-QBFT-021", "headers are not skipped");
    assert_eq!(code(rig.update(vec![first.clone(), third.clone()])), "LC-QBFT-021");
    assert_eq!(code(rig.update(Vec::new())), code(rig.update(vec![first.clone(); UPDATES_MAX + 1])), "a length");
    let outcome = rig.update(vec![first, second, third]).unwrap();
    let Event::UpdateClient { heights, .. } = &outcome.events[0] else { panic!("{outcome:?}") };
    assert_eq!(heights.iter().map(|height| height.height).collect::<Vec<_>>(), [2, 3, 4]);
    let unsealed = {
        let mut next = rig.network.next();
        next.seal(&rig.network.keys[..2]);
        next.encode()
    };
    assert!(code(rig.update(vec![unsealed])).starts_with("LC-Q"), "too few seals");
    let foreign = proto::Any { type_url: "/foreign".into(), value: Vec::new() };
    assert_eq!(code(rig.client_message(foreign)), "PR-HND-015");
}

#[test]
fn two_sealed_children_freeze_the_client_whichever_way_they_come() {
    for by_evidence in [true, false] {
        let mut rig = Rig::new(4);
        let keys = rig.network.keys.clone();
        let mut other = rig.network.next();
        other.vanity = vec![9; 32];
        let (first, second) = (rig.block(), other.sealed(&keys).encode());
        let outcome = if by_evidence {
            let same = NativeMisbehaviour { first: first.clone(), second: first.clone() };
            assert!(rig.client_message(any(URLS.misbehaviour, &same)).is_err(), "one header twice is no evidence");
            rig.client_message(any(URLS.misbehaviour, &NativeMisbehaviour { first, second }))
        } else {
            rig.update(vec![first, second])
        };
        assert!(matches!(outcome.unwrap().events[0], Event::Misbehaviour { .. }));
        assert_eq!(rig.status(), Status::Frozen);
        let next = rig.block();
        assert_eq!(code(rig.update(vec![next])), "PR-HND-012");
    }
}

#[test]
fn trust_ends_with_the_trusting_period() {
    let rig = Rig::new(4);
    let end = Timestamp::from_seconds(1_700_000_000 + rig.network.config().trust.trusting_period_seconds);
    let just_before = Timestamp::from_nanos(end.nanos - 1);
    for (time, expect) in [(just_before, Status::Active), (end, Status::Expired)] {
        assert_eq!(rig.handler.client_status(&rig.host, ID, time).unwrap(), expect, "{time:?}");
    }
}

#[test]
fn a_client_that_could_not_work_is_not_created() {
    let good = Rig::unconnected(4).network.config();
    let change = |edit: fn(&mut QbftConfig)| {
        let mut config = QbftConfig::of(&good);
        edit(&mut config);
        config
    };
    let rows: [(QbftConfig, &str); 7] = [
        (change(|_| ()), "ok"),
        (change(|config| config.anchor_hash = vec![1; 32]), "LC-TRUST-003"),
        (change(|config| config.anchor_height = 2), "LC-TRUST-004"),
        (change(|config| config.trusting_period_seconds = 0), "LC-TRUST-001"),
        (change(|config| config.retain_heights = HEADERS_KEPT_MAX + 1), "PR-HND-014"),
        (change(|config| config.router = vec![1; 19]), "PR-PKT-001"),
        (change(|config| config.validator_slot = vec![1; 32]), "PR-PKT-001"),
    ];
    for (config, expect) in rows {
        let mut rig = Rig::unconnected(4);
        let anchor = rig.network.headers[0].encode();
        let got = code(rig.run("creator", proto::MSG_CREATE_CLIENT, &create_message(config.clone(), anchor)));
        assert_eq!(got, expect, "{config:?}");
    }
    // A state that somebody saved elsewhere is no way in.
    let mut rig = Rig::unconnected(4);
    let mut message = create_message(QbftConfig::of(&good), rig.network.headers[0].encode());
    let saved = NativeClientState { config: QbftConfig::of(&good).encode_to_vec(), saved: vec![1], frozen: false };
    message.client_state = Some(any(URLS.client_state, &saved));
    assert_eq!(code(rig.run("creator", proto::MSG_CREATE_CLIENT, &message)), "PR-HND-014");
}

#[test]
fn the_stored_state_stays_small() {
    let mut rig = Rig::new(4);
    for _ in 0..5 {
        let updates = (0..UPDATES_MAX).map(|_| rig.block()).collect();
        rig.update(updates).unwrap();
    }
    let stored = rig.host.get(&Key::client_state(ID)).unwrap().len();
    // 100 headers of some 120 bytes, one set of four.
    assert!((8_000..20_000).contains(&stored), "{stored} bytes");
}
