//! A CometBFT chain judged in the pallet: its validators are believed, and no attestor.

use catenary_light_clients::cometbft::testing::{signers, Chain};
use catenary_light_clients::proof::ics23::testing::State;
use catenary_light_clients::Hash32;
use catenary_protocol::handler::proof_specs;
use catenary_protocol::handler::tendermint_proto::{
    ClientState, ConsensusState, Fraction, Header, MerkleRoot, Seconds, CLIENT_STATE, CONSENSUS_STATE, HEADER,
};
use catenary_protocol::{ics20, proto, Packet};
use prost::Message as _;
use sp_runtime::DispatchResult;

use super::chain::{
    address, call, new_chain, refused, Assets, RuntimeOrigin, Test, Timestamp, FIRST_VOUCHER, POOR, RELAYER,
};
use super::rig::{any, bytes};
use crate::{Call, Height, Message, ProofAt, RecvPacket, UpdateClient};

const ID: &str = "07-tendermint-0";
const OTHER: &str = "07-tendermint-4";
const REVISION: u64 = 7;
const DAY: i64 = 86_400;

/// The parts of a light client's update (`cometbft::encode_update`).
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct Parts {
    #[prost(bytes = "vec", optional, tag = "1")]
    pub(super) signed_header: Option<Vec<u8>>,
    #[prost(bytes = "vec", optional, tag = "2")]
    validators: Option<Vec<u8>>,
    #[prost(bytes = "vec", optional, tag = "3")]
    next_validators: Option<Vec<u8>>,
}

/// What a consensus state says of a signed header (`tendermint.types.SignedHeader`).
#[derive(Clone, PartialEq, prost::Message)]
struct Signed {
    #[prost(message, optional, tag = "1")]
    header: Option<Said>,
}

/// `tendermint.types.Header`, as far as a consensus state repeats it.
#[derive(Clone, PartialEq, prost::Message)]
struct Said {
    #[prost(bytes = "vec", tag = "9")]
    next_validators_hash: Vec<u8>,
    #[prost(bytes = "vec", tag = "11")]
    app_hash: Vec<u8>,
}

pub(super) fn parts(chain: &Chain, height: u64) -> Parts {
    Parts::decode(chain.full_update(height).as_slice()).unwrap()
}

fn at(height: u64) -> proto::Height {
    proto::Height { revision_number: REVISION, revision_height: height }
}

fn states(chain: &Chain) -> (ClientState, ConsensusState) {
    let seconds = |seconds| Some(Seconds { seconds, nanos: 0 });
    let client = ClientState {
        chain_id: "chain-7".into(),
        trust_level: Some(Fraction { numerator: 1, denominator: 3 }),
        trusting_period: seconds(14 * DAY),
        unbonding_period: seconds(21 * DAY),
        max_clock_drift: seconds(10),
        frozen_height: Some(proto::Height::default()),
        latest_height: Some(at(1)),
        proof_specs: proof_specs(),
        upgrade_path: vec!["upgrade".into(), "upgradedIBCState".into()],
        allow_update_after_expiry: false,
        allow_update_after_misbehaviour: false,
    };
    let signed = Signed::decode(parts(chain, 1).signed_header.unwrap().as_slice()).unwrap().header.unwrap();
    let (seconds, nanos) = (chain.time(1).seconds(), chain.time(1).nanos % 1_000_000_000);
    let consensus = ConsensusState {
        timestamp: Some(Seconds { seconds: seconds.try_into().unwrap(), nanos: nanos.try_into().unwrap() }),
        root: Some(MerkleRoot { hash: signed.app_hash }),
        next_validators_hash: signed.next_validators_hash,
    };
    (client, consensus)
}

pub(super) fn packet() -> Packet {
    let data = ics20::Transfer {
        denom: "stake".into(),
        amount: "3".into(),
        sender: "cosmos1alice".into(),
        receiver: address(&POOR),
        memo: String::new(),
    };
    let timeout_timestamp_seconds = Chain::of("chain-7", signers(1, &[10]), 1).time(1).seconds() + 1_000;
    let payloads = vec![data.to_payload(ics20::ENCODING_PROTOBUF).unwrap()];
    Packet {
        sequence: 1,
        source_client: OTHER.into(),
        destination_client: ID.into(),
        timeout_timestamp_seconds,
        payloads,
    }
}

/// A chain that has sent the packet, and a chain with the pallet that knows it.
pub(super) struct Rig {
    pub(super) chain: Chain,
    source: State,
    state: sp_io::TestExternalities,
}

impl Rig {
    pub(super) fn new(validators: usize) -> Self {
        let sent = packet();
        let path = sent.commitment_path().into_bytes();
        let entries = vec![(path, sent.commitment().as_bytes().to_vec()), (b"clients/x".to_vec(), vec![1])];
        let source = State::new(b"ibc", &entries);
        let mut chain = Chain::new("chain-7", signers(1, &vec![10; validators]));
        chain.push(Hash32::sha256(&[b"genesis"]));
        chain.push(source.app_hash());
        let mut rig = Self { chain, source, state: new_chain() };
        let (client, consensus) = states(&rig.chain);
        let (client_state, consensus_state) = (any(CLIENT_STATE, &client), any(CONSENSUS_STATE, &consensus));
        rig.run(RuntimeOrigin::root(), Call::create_client { client_state, consensus_state }).unwrap();
        let register = Call::register_counterparty {
            client_id: bytes(ID),
            counterparty_client_id: bytes(OTHER),
            merkle_prefix: vec![bytes("ibc"), bytes("")].try_into().unwrap(),
        };
        rig.run(RuntimeOrigin::root(), register).unwrap();
        rig
    }

    pub(super) fn run(&mut self, origin: RuntimeOrigin, ours: Call<Test>) -> DispatchResult {
        let now = self.chain.time(2);
        self.state.execute_with(|| {
            Timestamp::set_timestamp(now.seconds() * 1_000 + 999);
            call(origin, ours)
        })
    }

    pub(super) fn update_of(&self, signed_header: Option<Vec<u8>>) -> Message {
        let header = Header {
            signed_header,
            validator_set: parts(&self.chain, 2).validators,
            trusted_height: Some(at(1)),
            trusted_validators: parts(&self.chain, 1).next_validators,
        };
        Message::UpdateClient(UpdateClient { client_id: bytes(ID), client_message: any(HEADER, &header) })
    }

    pub(super) fn recv_of(&self, packet: &Packet) -> Message {
        let proof = bytes(self.source.prove(&packet.commitment_path().into_bytes()));
        let proof = ProofAt { proof, height: Height { revision: REVISION, height: 2 } };
        Message::RecvPacket(RecvPacket { packet: bytes(packet.proto_encode()), proof })
    }

    fn deliver(&mut self, messages: Vec<Message>) -> DispatchResult {
        let messages = messages.try_into().unwrap();
        self.run(RuntimeOrigin::signed(RELAYER), Call::deliver { messages })
    }
}

#[test]
fn a_packet_of_a_cometbft_chain_needs_no_attestation() {
    for validators in [4, 50] {
        let mut rig = Rig::new(validators);
        let received = rig.recv_of(&packet());
        assert_eq!(rig.deliver(vec![received.clone()]), Err(refused("PR-HND-013")), "the state is not known yet");
        let update = rig.update_of(parts(&rig.chain, 2).signed_header);
        rig.deliver(vec![update, received]).unwrap();
        assert_eq!(rig.state.execute_with(|| Assets::balance(FIRST_VOUCHER, POOR)), 3);
        let richer = Packet { sequence: 2, ..packet() };
        let forged = rig.recv_of(&richer);
        assert!(rig.deliver(vec![forged]).is_err(), "it was not sent");
    }
}

#[test]
fn a_header_of_other_validators_is_refused() {
    let mut rig = Rig::new(4);
    let mut other = Chain::new("chain-7", signers(9, &[10; 4]));
    other.push(Hash32::sha256(&[b"genesis"]));
    other.push(rig.source.app_hash());
    let update = rig.update_of(parts(&other, 2).signed_header);
    assert!(rig.deliver(vec![update]).is_err());
}
