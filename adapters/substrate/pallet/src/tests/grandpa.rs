//! Another Substrate chain, judged by our own verifier: its authorities are believed, and no attestor.

use catenary_light_clients::grandpa::testing::{store, voters, BlockSpec, Chain};
use catenary_protocol::handler::{
    GrandpaConfig, GrandpaFamily, NativeAnchor, NativeClientState, NativeFamily, NativeHeaders,
};
use catenary_protocol::{ics20, Packet};
use prost::Message as _;
use sp_runtime::DispatchResult;

use super::chain::{
    address, call, new_chain, refused, Assets, RuntimeOrigin, Test, Timestamp, ALICE, FIRST_VOUCHER, POOR, RELAYER,
};
use super::rig::{any, bytes};
use crate::{Call, Height, Message, ProofAt, RecvPacket, UpdateClient};

const ID: &str = "catenary-grandpa-0";
/// Where the client's trust starts.
pub(super) const ANCHOR: u32 = 1;

pub(super) struct Rig {
    pub(super) chain: Chain,
    state: sp_io::TestExternalities,
}

impl Rig {
    pub(super) fn new(authorities: u64) -> Self {
        let mut rig = Self { chain: Chain::of(voters(0, authorities), 3), state: new_chain() };
        let config = GrandpaConfig::of(&rig.chain.config(ANCHOR)).encode_to_vec();
        let state = NativeClientState { config, saved: Vec::new(), frozen: false };
        let anchor = NativeAnchor { update: rig.chain.anchor_update(ANCHOR) };
        let client_state = any(GrandpaFamily::URLS.client_state, &state);
        let consensus_state = any(GrandpaFamily::URLS.anchor, &anchor);
        rig.run(RuntimeOrigin::root(), Call::create_client { client_state, consensus_state }).unwrap();
        let register = Call::register_counterparty {
            client_id: bytes(ID),
            counterparty_client_id: bytes("attestations-7"),
            merkle_prefix: vec![bytes("")].try_into().unwrap(),
        };
        rig.run(RuntimeOrigin::root(), register).unwrap();
        rig
    }

    pub(super) fn run(&mut self, origin: RuntimeOrigin, ours: Call<Test>) -> DispatchResult {
        let now = self.chain.time(self.chain.tip().number);
        self.state.execute_with(|| {
            Timestamp::set_timestamp(now.seconds() * 1_000);
            call(origin, ours)
        })
    }

    pub(super) fn update_of(updates: Vec<Vec<u8>>) -> Message {
        let client_message = any(GrandpaFamily::URLS.headers, &NativeHeaders { updates });
        Message::UpdateClient(UpdateClient { client_id: bytes(ID), client_message })
    }

    fn deliver(&mut self, messages: Vec<Message>) -> DispatchResult {
        let messages = messages.try_into().unwrap();
        self.run(RuntimeOrigin::signed(RELAYER), Call::deliver { messages })
    }

    pub(super) fn recv_of(&self, packet: &Packet) -> Message {
        let at = self.chain.tip().number;
        let proof = self.chain.proof(at, packet.commitment_path().as_bytes(), false);
        let proof = ProofAt { proof: bytes(proof), height: Height { revision: 0, height: at.into() } };
        Message::RecvPacket(RecvPacket { packet: bytes(packet.proto_encode()), proof })
    }

    /// Commits a packet on the other chain, in a new block.
    pub(super) fn sent(&mut self, sequence: u64) -> Packet {
        let data = ics20::Transfer {
            denom: "unit".into(),
            amount: "40".into(),
            sender: address(&ALICE),
            receiver: address(&POOR),
            memo: String::new(),
        };
        let packet = Packet {
            sequence,
            source_client: "attestations-7".into(),
            destination_client: ID.into(),
            timeout_timestamp_seconds: self.chain.time(self.chain.tip().number).seconds() + 3_600,
            payloads: vec![data.to_payload(ics20::ENCODING_PROTOBUF).unwrap()],
        };
        let key = store().key(packet.commitment_path().as_bytes());
        let writes = vec![(key, packet.commitment().as_bytes().to_vec())];
        self.chain.push(BlockSpec { writes, ..BlockSpec::default() });
        packet
    }
}

#[test]
fn a_packet_of_a_grandpa_chain_needs_no_attestation() {
    let mut rig = Rig::new(4);
    let packet = rig.sent(1);
    let tip = rig.chain.tip().number;
    let update = Rig::update_of(vec![rig.chain.spec(tip, tip, ANCHOR + 1).encode()]);
    let received = rig.recv_of(&packet);
    rig.deliver(vec![update, received]).unwrap();
    assert_eq!(rig.state.execute_with(|| Assets::balance(FIRST_VOUCHER, POOR)), 40);
}

#[test]
fn votes_of_two_of_four_move_nothing() {
    let mut rig = Rig::new(4);
    let tip = rig.chain.tip().number;
    let mut spec = rig.chain.spec(tip, tip, ANCHOR + 1);
    for fragment in &mut spec.fragments {
        fragment.votes = fragment.votes.clone().first(2);
    }
    assert_eq!(rig.deliver(vec![Rig::update_of(vec![spec.encode()])]), Err(refused("LC-QUO-005")));
}
