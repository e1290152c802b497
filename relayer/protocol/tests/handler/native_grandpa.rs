//! The client of GRANDPA chains: real votes, real proofs of a trie.

use catenary_light_clients::grandpa::testing::{store, voters, BlockSpec, Chain};
use catenary_light_clients::Timestamp;
use catenary_protocol::handler::{
    Amount, Bank, Context, Error, GrandpaConfig, GrandpaFamily, Handler, MemoryHost, NativeAnchor, NativeClient,
    NativeClientState, NativeFamily, NativeHeaders, NativeUrls, Outcome, TransferApp, HEADERS_KEPT_MAX,
};
use catenary_protocol::{ics20, proto, Packet};
use prost::Message;

use super::rig::{any, code, result, written};

const ID: &str = "catenary-grandpa-0";
const URLS: NativeUrls = GrandpaFamily::URLS;
/// Where the client's trust starts.
const ANCHOR: u32 = 1;

struct Rig {
    chain: Chain,
    handler: Handler<MemoryHost>,
    host: MemoryHost,
}

impl Rig {
    fn unconnected() -> Self {
        let handler = Handler::new().with_client(NativeClient::<GrandpaFamily>::new()).with_app(TransferApp);
        Self { chain: Chain::of(voters(0, 4), 3), handler, host: MemoryHost::default() }
    }

    fn new() -> Self {
        let mut rig = Self::unconnected();
        rig.create(&GrandpaConfig::of(&rig.chain.config(ANCHOR))).unwrap();
        let register = proto::MsgRegisterCounterparty {
            client_id: ID.into(),
            counterparty_merkle_prefix: vec![Vec::new()],
            counterparty_client_id: "attestations-7".into(),
            signer: "creator".into(),
        };
        rig.run("creator", proto::MSG_REGISTER_COUNTERPARTY, &register).unwrap();
        rig
    }

    fn create(&mut self, config: &GrandpaConfig) -> Result<Outcome, Error> {
        let state = NativeClientState { config: config.encode_to_vec(), saved: Vec::new(), frozen: false };
        let anchor = NativeAnchor { update: self.chain.anchor_update(ANCHOR) };
        let message = proto::MsgCreateClient {
            client_state: Some(any(URLS.client_state, &state)),
            consensus_state: Some(any(URLS.anchor, &anchor)),
            signer: "creator".into(),
        };
        self.run("creator", proto::MSG_CREATE_CLIENT, &message)
    }

    fn now(&self) -> Timestamp {
        self.chain.time(self.chain.tip().number)
    }

    fn run(&mut self, signer: &str, type_url: &str, message: &impl Message) -> Result<Outcome, Error> {
        let context = Context { time: self.now(), signer };
        self.handler.handle(&mut self.host, context, type_url, &message.encode_to_vec())
    }

    fn update(&mut self, updates: Vec<Vec<u8>>) -> Result<Outcome, Error> {
        let client_message = Some(any(URLS.headers, &NativeHeaders { updates }));
        let message = proto::MsgUpdateClient { client_id: ID.into(), client_message, signer: "relayer".into() };
        self.run("relayer", proto::MSG_UPDATE_CLIENT, &message)
    }

    fn receive(&mut self, packet: &Packet) -> Result<Outcome, Error> {
        let at = self.chain.tip().number;
        let message = proto::MsgRecvPacket {
            packet: Some(packet.into()),
            proof_commitment: self.chain.proof(at, packet.commitment_path().as_bytes(), false),
            proof_height: Some(proto::Height { revision_number: 0, revision_height: at.into() }),
            signer: "relayer".into(),
        };
        self.run("relayer", proto::MSG_RECV_PACKET, &message)
    }

    fn packet(&self, sequence: u64) -> Packet {
        let data = ics20::Transfer {
            denom: "unit".into(),
            amount: "40".into(),
            sender: "5GrwvaEF5zXb26Fz9rcQpDWS57CtERHpNehXCPcNoHGKutQY".into(),
            receiver: "bob".into(),
            memo: String::new(),
        };
        Packet {
            sequence,
            source_client: "attestations-7".into(),
            destination_client: ID.into(),
            timeout_timestamp_seconds: self.now().seconds() + 3_600,
            payloads: vec![data.to_payload(ics20::ENCODING_PROTOBUF).unwrap()],
        }
    }
}

#[test]
fn a_packet_of_a_grandpa_chain_is_received_on_the_word_of_its_authorities() {
    let mut rig = Rig::new();
    let packet = rig.packet(1);
    let key = store().key(packet.commitment_path().as_bytes());
    let written_to = BlockSpec { writes: vec![(key, packet.commitment().as_bytes().to_vec())], ..BlockSpec::default() };
    rig.chain.push(written_to);
    assert_eq!(code(rig.receive(&packet)), "PR-HND-013", "the state is not known yet");
    let tip = rig.chain.tip().number;
    let update = rig.chain.spec(tip, tip, ANCHOR + 1).encode();
    rig.update(vec![update]).unwrap();
    assert_eq!(written(&rig.receive(&packet).unwrap()).app_acknowledgements, [ics20::SUCCESS_ACK]);
    let voucher = ics20::ibc_denom(&format!("transfer/{ID}/unit"));
    assert_eq!(rig.host.balance(b"bob", &voucher), Amount::from(40));
    assert_eq!(result(&rig.receive(&packet).unwrap()), 1, "the second one is a no-op");
    assert!(code(rig.receive(&rig.packet(2))).starts_with("LC-"), "it was not sent");
}

#[test]
fn headers_without_enough_votes_are_refused() {
    let mut rig = Rig::new();
    let tip = rig.chain.tip().number;
    let mut spec = rig.chain.spec(tip, tip, ANCHOR + 1);
    for fragment in &mut spec.fragments {
        fragment.votes = fragment.votes.clone().first(2);
    }
    assert!(code(rig.update(vec![spec.encode()])).starts_with("LC-"), "two of four");
    let update = rig.chain.spec(tip, tip, ANCHOR + 1).encode();
    rig.update(vec![update]).unwrap();
}

#[test]
fn a_client_that_could_not_work_is_not_created() {
    let good = GrandpaConfig::of(&Rig::unconnected().chain.config(ANCHOR));
    let rows = [
        (good.clone(), "ok"),
        (GrandpaConfig { anchor_hash: vec![1; 32], ..good.clone() }, "LC-TRUST-003"),
        (GrandpaConfig { anchor_hash: vec![1; 31], ..good.clone() }, "PR-PKT-001"),
        (GrandpaConfig { retain_heights: HEADERS_KEPT_MAX + 1, ..good.clone() }, "PR-HND-014"),
        (GrandpaConfig { trusting_period_seconds: 0, ..good }, "LC-TRUST-001"),
    ];
    for (config, expect) in rows {
        assert_eq!(code(Rig::unconnected().create(&config)), expect, "{config:?}");
    }
}
