//! Two chains that know each other through attestation clients, and what relayers bring between them.

use catenary_light_clients::{testing::keys, testing::Key as Attestor, Hash32};
use catenary_protocol::attestation::{path_key, signing_digest, PathCommitment, Statement};
use catenary_protocol::{proto, Acknowledgement, Packet, PacketAttestation, Path, StateAttestation};
use prost::Message as _;
use sp_core::crypto::AccountId32;
use sp_runtime::DispatchResult;

use super::chain::{
    address, call, new_chain, take_events, Balances, RuntimeOrigin, Test, Timestamp, ALICE, ED, RELAYER,
};
use crate::{
    Acknowledge, Any, Call, Commitments, Event, Height, Message, ProofAt, Raw, RecvPacket, Timeout, Transfer,
    UpdateClient,
};

/// When the rig starts, in Unix seconds.
pub(crate) const START_SECONDS: u64 = 1_795_000_000;

/// One chain.
pub(crate) struct Chain {
    pub(crate) state: sp_io::TestExternalities,
    /// Client here that judges the other chain.
    pub(crate) client_id: &'static str,
    /// Who attests this chain's state.
    pub(crate) attestors: Vec<Attestor>,
    /// Height, one more after every call.
    pub(crate) height: u64,
}

/// Two chains and a clock; chain 1's first client is never used, so that the two ids differ.
pub(crate) struct Rig {
    pub(crate) chains: [Chain; 2],
    pub(crate) now_seconds: u64,
}

pub(crate) fn any(type_url: &str, message: &impl prost::Message) -> Any {
    let (type_url, value) = (type_url.as_bytes().to_vec(), message.encode_to_vec());
    Any { type_url: type_url.try_into().unwrap(), value: value.try_into().unwrap() }
}

pub(crate) fn bytes<const MAX: u32>(bytes: impl AsRef<[u8]>) -> crate::Bytes<MAX> {
    bytes.as_ref().to_vec().try_into().unwrap()
}

/// States of an attestation client, two of three.
pub(crate) fn attested(attestors: &[Attestor], height: u64, seconds: u64) -> (Any, Any) {
    let state = proto::AttestationClientState {
        attestor_addresses: attestors.iter().map(|key| key.address().to_string()).collect(),
        min_required_sigs: 2,
        latest_height: height,
        is_frozen: false,
    };
    let consensus = proto::AttestationConsensusState { timestamp: seconds * 1_000_000_000 };
    (any(proto::ATTESTATION_CLIENT_STATE, &state), any(proto::ATTESTATION_CONSENSUS_STATE, &consensus))
}

fn signed(statement: Statement, data: Vec<u8>, signers: &[&Attestor]) -> proto::AttestationProof {
    let digest = signing_digest(statement, &data);
    let signatures = signers.iter().map(|key| key.sign(digest.as_bytes()).to_vec()).collect();
    proto::AttestationProof { attestation_data: data, signatures }
}

impl Rig {
    pub(crate) fn new() -> Self {
        let mut all = keys(6);
        let second = all.split_off(3);
        let chain = |client_id, attestors| Chain { state: new_chain(), client_id, attestors, height: 1 };
        let chains = [chain("attestations-0", all), chain("attestations-1", second)];
        let mut rig = Self { chains, now_seconds: START_SECONDS };
        for side in [0, 1] {
            for _ in 0..=side {
                let other = &rig.chains[1 - side];
                let (client_state, consensus_state) = attested(&other.attestors, other.height, rig.now_seconds);
                rig.run(side, RuntimeOrigin::root(), Call::create_client { client_state, consensus_state }).unwrap();
            }
            let (client_id, other) = (rig.chains[side].client_id, rig.chains[1 - side].client_id);
            let register = Call::register_counterparty {
                client_id: bytes(client_id),
                counterparty_client_id: bytes(other),
                merkle_prefix: vec![bytes("")].try_into().unwrap(),
            };
            rig.run(side, RuntimeOrigin::root(), register).unwrap();
            rig.at(side, || endow(client_id));
        }
        rig
    }

    /// Looks at a chain, or changes it behind the pallet's back.
    pub(crate) fn at<R>(&mut self, side: usize, look: impl FnOnce() -> R) -> R {
        let now_seconds = self.now_seconds;
        self.chains[side].state.execute_with(|| {
            Timestamp::set_timestamp(now_seconds * 1_000);
            look()
        })
    }

    /// Runs a call in a block of its own.
    pub(crate) fn run(&mut self, side: usize, origin: RuntimeOrigin, ours: Call<Test>) -> DispatchResult {
        let result = self.at(side, || call(origin, ours));
        self.chains[side].height += 1;
        result
    }

    pub(crate) fn relay(&mut self, side: usize, message: Message) -> DispatchResult {
        let ours = match message {
            Message::UpdateClient(message) => Call::update_client { message },
            Message::RecvPacket(message) => Call::recv_packet { message },
            Message::Acknowledge(message) => Call::acknowledgement { message },
            Message::Timeout(message) => Call::timeout { message },
        };
        self.run(side, RuntimeOrigin::signed(RELAYER), ours)
    }

    pub(crate) fn wait(&mut self, seconds: u64) {
        self.now_seconds += seconds;
        self.chains.iter_mut().for_each(|chain| chain.height += 1);
    }

    /// A transfer with a minute to arrive.
    pub(crate) fn transfer_of(&self, side: usize, denom: &str, amount: u128, to: &AccountId32) -> Transfer {
        Transfer {
            client_id: bytes(self.chains[side].client_id),
            denom: bytes(denom),
            amount,
            receiver: bytes(address(to)),
            timeout_seconds: self.now_seconds + 60,
            memo: bytes(""),
            encoding: bytes("application/x-protobuf"),
        }
    }

    /// Sends one, and gives its packet.
    pub(crate) fn send(&mut self, side: usize, from: &AccountId32, transfer: Transfer) -> Packet {
        self.run(side, RuntimeOrigin::signed(from.clone()), Call::transfer { transfer }).unwrap();
        let events = self.at(side, take_events);
        events.iter().find_map(sent).expect("a packet was sent")
    }

    /// The packet that the last call sent.
    pub(crate) fn take_sent(&mut self, side: usize) -> Packet {
        self.at(side, take_events).iter().rev().find_map(sent).expect("a packet was sent")
    }

    /// The acknowledgement that the last call wrote, if it wrote one.
    pub(crate) fn take_written(&mut self, side: usize) -> Option<Acknowledgement> {
        self.at(side, take_events).iter().rev().find_map(written)
    }

    /// What a chain's state holds at some paths.
    fn entries(&mut self, side: usize, paths: &[Path]) -> Vec<PathCommitment> {
        let held = |path: &Path| Commitments::<Test>::get(Raw::new(path.as_bytes()).unwrap()).map(Raw::into_bytes);
        let entry = |path: &Path| {
            let commitment = held(path).map_or(Hash32([0; 32]), |v| Hash32::from_slice(&v).unwrap_or(Hash32([2; 32])));
            PathCommitment { path: path_key(path), commitment }
        };
        self.at(side, || paths.iter().map(entry).collect())
    }

    /// A proof of what a chain holds now at a path, by its first two attestors.
    pub(crate) fn proof(&mut self, side: usize, path: Path) -> ProofAt {
        let entries = self.entries(side, &[path]);
        let chain = &self.chains[side];
        let attested = PacketAttestation { height: chain.height, entries };
        let signers = [&chain.attestors[0], &chain.attestors[1]];
        let proof = signed(Statement::Packets, attested.encode(), &signers).encode_to_vec();
        ProofAt { proof: bytes(proof), height: Height { revision: 0, height: chain.height } }
    }

    /// The update of a side's client to the other side's newest state, with a time of choice.
    pub(crate) fn update_of(&self, side: usize, timestamp_seconds: u64) -> UpdateClient {
        let other = &self.chains[1 - side];
        let state = StateAttestation { height: other.height, timestamp_seconds };
        let proof = signed(Statement::State, state.encode(), &[&other.attestors[0], &other.attestors[2]]);
        let client_id = bytes(self.chains[side].client_id);
        UpdateClient { client_id, client_message: any(proto::ATTESTATION_PROOF, &proof) }
    }

    pub(crate) fn update(&mut self, side: usize) {
        let update = self.update_of(side, self.now_seconds);
        self.relay(side, Message::UpdateClient(update)).unwrap();
    }

    pub(crate) fn recv_of(&mut self, side: usize, packet: &Packet) -> Message {
        let proof = self.proof(1 - side, packet.commitment_path());
        Message::RecvPacket(RecvPacket { packet: bytes(packet.proto_encode()), proof })
    }

    pub(crate) fn ack_of(&mut self, side: usize, packet: &Packet, ack: &Acknowledgement) -> Message {
        let proof = self.proof(1 - side, packet.ack_path());
        let (packet, acknowledgement) = (bytes(packet.proto_encode()), bytes(ack.proto_encode()));
        Message::Acknowledge(Acknowledge { packet, acknowledgement, proof })
    }

    pub(crate) fn timeout_of(&mut self, side: usize, packet: &Packet) -> Message {
        let proof = self.proof(1 - side, packet.receipt_path());
        Message::Timeout(Timeout { packet: bytes(packet.proto_encode()), proof })
    }

    /// Delivers a packet to a side, and gives the acknowledgement.
    pub(crate) fn receive(&mut self, side: usize, packet: &Packet) -> Acknowledgement {
        self.update(side);
        let message = self.recv_of(side, packet);
        self.relay(side, message).unwrap();
        let events = self.at(side, take_events);
        events.iter().find_map(written).expect("an acknowledgement was written")
    }

    /// Brings an acknowledgement home.
    pub(crate) fn acknowledge(&mut self, side: usize, packet: &Packet, ack: &Acknowledgement) {
        self.update(side);
        let message = self.ack_of(side, packet, ack);
        self.relay(side, message).unwrap();
    }
}

fn sent(event: &Event<Test>) -> Option<Packet> {
    match event {
        Event::PacketSent { packet, .. } => Packet::proto_decode(packet).ok(),
        _ => None,
    }
}

fn written(event: &Event<Test>) -> Option<Acknowledgement> {
    match event {
        Event::AcknowledgementWritten { acknowledgement, .. } => Acknowledgement::proto_decode(acknowledgement).ok(),
        _ => None,
    }
}

/// Gives a client's escrow account what it must hold for ever.
pub(crate) fn endow(client_id: &str) {
    use frame_support::traits::fungible::Mutate;
    use frame_support::traits::tokens::Preservation;
    let escrow = crate::escrow_account(client_id);
    <Balances as Mutate<AccountId32>>::transfer(&ALICE, &escrow, ED, Preservation::Preserve).unwrap();
}
