//! A QBFT chain judged by our own verifier, in the pallet.

use catenary_light_clients::crypto::Address;
use catenary_light_clients::qbft::commitment_slot;
use catenary_light_clients::testing::{EvmState, Network, COMMITMENT_SLOT};
use catenary_light_clients::Hash32;
use catenary_protocol::handler::{
    NativeAnchor, NativeClientState, NativeFamily, NativeHeaders, NativeMisbehaviour, QbftConfig, QbftFamily,
};
use catenary_protocol::{ics20, Packet};
use prost::Message as _;
use sp_runtime::DispatchResult;

use super::chain::{
    address, call, new_chain, refused, take_events, Assets, RuntimeOrigin, Test, Timestamp, FIRST_VOUCHER, POOR,
    RELAYER,
};
use super::rig::{any, bytes};
use crate::{Call, Event, Height, Message, ProofAt, RecvPacket, UpdateClient};

const ID: &str = "catenary-qbft-0";

fn router() -> Address {
    Address([0xc0; 20])
}

/// A QBFT chain, and a chain with the pallet that knows it.
pub(super) struct Rig {
    network: Network,
    evm: EvmState,
    state: sp_io::TestExternalities,
}

impl Rig {
    pub(super) fn new(validators: usize) -> Self {
        let mut evm = EvmState::default();
        evm.insert_slot(router(), [7; 32], [1; 32]);
        let mut rig = Self { network: Network::new(validators), evm, state: new_chain() };
        let config = QbftConfig::of(&rig.network.config()).encode_to_vec();
        let state = NativeClientState { config, saved: Vec::new(), frozen: false };
        let anchor = NativeAnchor { update: rig.network.headers[0].encode() };
        let client_state = any(QbftFamily::URLS.client_state, &state);
        let consensus_state = any(QbftFamily::URLS.anchor, &anchor);
        rig.run(RuntimeOrigin::root(), Call::create_client { client_state, consensus_state }).unwrap();
        let register = Call::register_counterparty {
            client_id: bytes(ID),
            counterparty_client_id: bytes("client-7"),
            merkle_prefix: vec![bytes("")].try_into().unwrap(),
        };
        rig.run(RuntimeOrigin::root(), register).unwrap();
        rig
    }

    pub(super) fn run(&mut self, origin: RuntimeOrigin, ours: Call<Test>) -> DispatchResult {
        let now_seconds = self.network.now().seconds();
        self.state.execute_with(|| {
            Timestamp::set_timestamp(now_seconds * 1_000);
            call(origin, ours)
        })
    }

    pub(super) fn block(&mut self) -> Vec<u8> {
        let mut next = self.network.next();
        next.state_root = Hash32(*self.evm.root().as_bytes());
        self.network.push(next)
    }

    pub(super) fn update_of(updates: Vec<Vec<u8>>) -> UpdateClient {
        let client_message = any(QbftFamily::URLS.headers, &NativeHeaders { updates });
        UpdateClient { client_id: bytes(ID), client_message }
    }

    pub(super) fn packet(&self, sequence: u64) -> Packet {
        let data = ics20::Transfer {
            denom: "0x00000000000000000000000000000000000000ee".into(),
            amount: "40".into(),
            sender: "0x00000000000000000000000000000000000000aa".into(),
            receiver: address(&POOR),
            memo: String::new(),
        };
        Packet {
            sequence,
            source_client: "client-7".into(),
            destination_client: ID.into(),
            timeout_timestamp_seconds: self.network.now().seconds() + 60,
            payloads: vec![data.to_payload(ics20::ENCODING_ABI).unwrap()],
        }
    }

    pub(super) fn recv_of(&self, packet: &Packet) -> RecvPacket {
        let slot = commitment_slot(packet.commitment_path().as_bytes(), &COMMITMENT_SLOT);
        let height = Height { revision: 0, height: self.network.head().number };
        let proof = ProofAt { proof: bytes(self.evm.proof(router(), &slot)), height };
        RecvPacket { packet: bytes(packet.proto_encode()), proof }
    }

    pub(super) fn commit(&mut self, packet: &Packet) {
        let slot = commitment_slot(packet.commitment_path().as_bytes(), &COMMITMENT_SLOT);
        self.evm.insert_slot(router(), slot, packet.commitment().0);
    }
}

#[test]
fn a_packet_of_a_qbft_chain_needs_no_attestation() {
    for validators in [4, 7, 22] {
        let mut rig = Rig::new(validators);
        let packet = rig.packet(1);
        rig.commit(&packet);
        let update = rig.block();
        let received = rig.recv_of(&packet);
        let messages = vec![Message::UpdateClient(Rig::update_of(vec![update])), Message::RecvPacket(received)];
        let deliver = Call::deliver { messages: messages.try_into().unwrap() };
        rig.run(RuntimeOrigin::signed(RELAYER), deliver).unwrap();
        let (balance, events) = rig.state.execute_with(|| (Assets::balance(FIRST_VOUCHER, POOR), take_events()));
        assert_eq!(balance, 40);
        assert!(events.iter().any(|event| matches!(event, Event::AcknowledgementWritten { .. })));
        let forged = rig.recv_of(&rig.packet(2));
        let result = rig.run(RuntimeOrigin::signed(RELAYER), Call::recv_packet { message: forged });
        assert_eq!(result, Err(refused("LC-QBFT-034")), "the code of the light client");
    }
}

#[test]
fn headers_that_are_not_sealed_or_skip_one_are_refused() {
    let mut rig = Rig::new(4);
    let unsealed = {
        let mut next = rig.network.next();
        next.seal(&rig.network.keys[..2]);
        next.encode()
    };
    let (first, second) = (rig.block(), rig.block());
    let relayer = || RuntimeOrigin::signed(RELAYER);
    for (updates, code) in [(vec![unsealed], "LC-QUO-003"), (vec![second.clone()], "LC-QBFT-021")] {
        let message = Rig::update_of(updates);
        assert_eq!(rig.run(relayer(), Call::update_client { message }), Err(refused(code)));
    }
    let message = Rig::update_of(vec![first, second]);
    rig.run(relayer(), Call::update_client { message }).unwrap();
}

#[test]
fn two_sealed_children_freeze_the_client() {
    let mut rig = Rig::new(4);
    let mut other = rig.network.next();
    other.vanity = vec![9; 32];
    let second = other.sealed(&rig.network.keys).encode();
    let evidence = NativeMisbehaviour { first: rig.block(), second };
    let client_message = any(QbftFamily::URLS.misbehaviour, &evidence);
    let message = UpdateClient { client_id: bytes(ID), client_message };
    rig.run(RuntimeOrigin::signed(RELAYER), Call::submit_misbehaviour { message }).unwrap();
    let message = Rig::update_of(vec![rig.block()]);
    assert_eq!(
        rig.run(RuntimeOrigin::signed(RELAYER), Call::update_client { message }),
        Err(refused("PR-HND-012")),
        "it is frozen"
    );
}
