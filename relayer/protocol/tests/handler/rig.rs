//! Two chains in memory that know each other through attestation clients, and what relayers send between them.

use catenary_light_clients::testing::{keys, Key as Attestor};
use catenary_light_clients::{Hash32, Timestamp};
use catenary_protocol::attestation::{path_key, signing_digest, PathCommitment, Statement};
use catenary_protocol::handler::{
    escrow_account, Amount, AttestationClient, Bank, Context, Error, Event, Handler, Key, MemoryHost, Outcome, Store,
    TransferApp,
};
use catenary_protocol::{ics20, proto, Acknowledgement, Packet, PacketAttestation, Path, Payload, StateAttestation};
use prost::Message;

/// When the rig starts, in Unix seconds.
pub(crate) const START_SECONDS: u64 = 1_795_000_000;
/// Who relays.
pub(crate) const RELAYER: &str = "relayer";
/// Who creates the clients.
pub(crate) const CREATOR: &str = "creator";

/// One chain.
pub(crate) struct Chain {
    pub(crate) handler: Handler<MemoryHost>,
    pub(crate) host: MemoryHost,
    /// Client here that judges the other chain.
    pub(crate) client_id: String,
    /// Who attests this chain's state.
    pub(crate) attestors: Vec<Attestor>,
    /// Height, one more after every message.
    pub(crate) height: u64,
}

/// Two chains and a clock. Chain 0 judges chain 1 through `attestations-0`, chain 1 judges chain 0 through
/// `attestations-1`, so that no two ids are mixed up unseen.
pub(crate) struct Rig {
    pub(crate) chains: [Chain; 2],
    pub(crate) now_seconds: u64,
}

fn chain(client_id: &str, attestors: Vec<Attestor>) -> Chain {
    let handler = Handler::new().with_client(AttestationClient).with_app(TransferApp);
    Chain { handler, host: MemoryHost::default(), client_id: client_id.into(), attestors, height: 1 }
}

/// A state of the attestation client, two of three.
pub(crate) fn client_state(attestors: &[Attestor], height: u64) -> proto::Any {
    let state = proto::AttestationClientState {
        attestor_addresses: attestors.iter().map(|key| key.address().to_string()).collect(),
        min_required_sigs: 2,
        latest_height: height,
        is_frozen: false,
    };
    any(proto::ATTESTATION_CLIENT_STATE, &state)
}

/// A consensus state of the attestation client.
pub(crate) fn consensus_state(seconds: u64) -> proto::Any {
    let timestamp = seconds * 1_000_000_000;
    any(proto::ATTESTATION_CONSENSUS_STATE, &proto::AttestationConsensusState { timestamp })
}

pub(crate) fn any(type_url: &str, message: &impl Message) -> proto::Any {
    proto::Any { type_url: type_url.into(), value: message.encode_to_vec() }
}

/// Attested bytes, signed by some of the attestors.
pub(crate) fn signed(statement: Statement, data: Vec<u8>, signers: &[&Attestor]) -> proto::AttestationProof {
    let digest = signing_digest(statement, &data);
    let signatures = signers.iter().map(|key| key.sign(digest.as_bytes()).to_vec()).collect();
    proto::AttestationProof { attestation_data: data, signatures }
}

impl Rig {
    /// Two chains with clients of each other and counterparties registered.
    pub(crate) fn new() -> Self {
        let mut rig = Self::unconnected();
        for side in [0, 1] {
            rig.create(side).unwrap();
            // Chain 1's first client is never used: it only shifts the ids.
            if side == 1 {
                rig.create(side).unwrap();
            }
            let message = rig.register_message(side);
            rig.run(side, CREATOR, proto::MSG_REGISTER_COUNTERPARTY, &message).unwrap();
        }
        rig
    }

    /// Two chains without clients.
    pub(crate) fn unconnected() -> Self {
        let mut all = keys(6);
        let second = all.split_off(3);
        let chains = [chain("attestations-0", all), chain("attestations-1", second)];
        Self { chains, now_seconds: START_SECONDS }
    }

    fn create(&mut self, side: usize) -> Result<Outcome, Error> {
        let other = &self.chains[1 - side];
        let message = proto::MsgCreateClient {
            client_state: Some(client_state(&other.attestors, other.height)),
            consensus_state: Some(consensus_state(self.now_seconds)),
            signer: CREATOR.into(),
        };
        self.run(side, CREATOR, proto::MSG_CREATE_CLIENT, &message)
    }

    pub(crate) fn register_message(&self, side: usize) -> proto::MsgRegisterCounterparty {
        proto::MsgRegisterCounterparty {
            client_id: self.chains[side].client_id.clone(),
            counterparty_merkle_prefix: vec![Vec::new()],
            counterparty_client_id: self.chains[1 - side].client_id.clone(),
            signer: CREATOR.into(),
        }
    }

    /// Runs a message in a block of its own.
    pub(crate) fn run(
        &mut self,
        side: usize,
        signer: &str,
        type_url: &str,
        message: &impl Message,
    ) -> Result<Outcome, Error> {
        self.run_bytes(side, signer, type_url, &message.encode_to_vec())
    }

    pub(crate) fn run_bytes(
        &mut self,
        side: usize,
        signer: &str,
        type_url: &str,
        message: &[u8],
    ) -> Result<Outcome, Error> {
        let time = Timestamp::from_seconds(self.now_seconds);
        let chain = &mut self.chains[side];
        let before = chain.host.clone();
        let outcome = chain.handler.handle(&mut chain.host, Context { time, signer }, type_url, message);
        assert_eq!(chain.host.open_checkpoints(), 0);
        if outcome.is_err() {
            assert!(before.entries().eq(chain.host.entries()), "a refused message changed the store");
        }
        chain.height += 1;
        outcome
    }

    /// Lets time pass; blocks are made meanwhile, so that no height has two times.
    pub(crate) fn wait(&mut self, seconds: u64) {
        self.now_seconds += seconds;
        for chain in &mut self.chains {
            chain.height += 1;
        }
    }

    /// Gives an account value.
    pub(crate) fn fund(&mut self, side: usize, account: &str, denom: &str, amount: u64) {
        self.chains[side].host.mint(account.as_bytes(), denom, Amount::from(amount)).unwrap();
    }

    pub(crate) fn balance(&self, side: usize, account: &str, denom: &str) -> u64 {
        self.chains[side].host.balance(account.as_bytes(), denom).to()
    }

    /// What is in the escrow of the chain's client.
    pub(crate) fn escrowed(&self, side: usize, denom: &str) -> u64 {
        let chain = &self.chains[side];
        chain.host.balance(&escrow_account(&chain.client_id), denom).to()
    }

    /// The name on this side of a denomination of the other side.
    pub(crate) fn voucher(&self, side: usize, denom: &str) -> String {
        ics20::ibc_denom(&format!("transfer/{}/{denom}", self.chains[side].client_id))
    }

    /// Sends a transfer and gives its packet.
    pub(crate) fn transfer(&mut self, side: usize, message: &proto::MsgTransfer) -> Result<Packet, Error> {
        let outcome = self.run(side, &message.sender, proto::MSG_TRANSFER, message)?;
        match &outcome.events[0] {
            Event::SendPacket(packet) => Ok(packet.clone()),
            other => panic!("{other:?}"),
        }
    }

    /// A transfer with a minute to arrive.
    pub(crate) fn transfer_message(&self, side: usize, coin: (&str, u64), parties: (&str, &str)) -> proto::MsgTransfer {
        proto::MsgTransfer {
            source_port: ics20::PORT.into(),
            source_channel: self.chains[side].client_id.clone(),
            token: Some(proto::Coin { denom: coin.0.into(), amount: coin.1.to_string() }),
            sender: parties.0.into(),
            receiver: parties.1.into(),
            timeout_height: None,
            timeout_timestamp: self.now_seconds + 60,
            memo: String::new(),
            encoding: ics20::ENCODING_ABI.into(),
        }
    }

    /// What a chain attests about paths: what is in its store, zero for nothing.
    pub(crate) fn entries(&self, side: usize, paths: &[Path]) -> Vec<PathCommitment> {
        let entry = |path: &Path| {
            let value = self.chains[side].host.get(&Key::of_path(path.clone()));
            // A receipt is one byte; only its absence is attested, so anything that is not zero stands for it.
            let commitment = value.map_or(Hash32([0; 32]), |v| Hash32::from_slice(&v).unwrap_or(Hash32([2; 32])));
            PathCommitment { path: path_key(path), commitment }
        };
        paths.iter().map(entry).collect()
    }

    /// A proof of what a chain's store holds now at some paths, signed by its first two attestors.
    pub(crate) fn proof(&self, side: usize, paths: &[Path]) -> Vec<u8> {
        let chain = &self.chains[side];
        let attested = PacketAttestation { height: chain.height, entries: self.entries(side, paths) };
        let signers = [&chain.attestors[0], &chain.attestors[1]];
        signed(Statement::Packets, attested.encode(), &signers).encode_to_vec()
    }

    /// Tells a side's client the other side's newest state, and gives its height.
    pub(crate) fn update(&mut self, side: usize) -> Option<proto::Height> {
        let message = self.update_message(side, self.now_seconds);
        self.run(side, RELAYER, proto::MSG_UPDATE_CLIENT, &message).unwrap();
        Some(proto::Height { revision_number: 0, revision_height: self.chains[1 - side].height })
    }

    /// The update with a time of choice.
    pub(crate) fn update_message(&self, side: usize, timestamp_seconds: u64) -> proto::MsgUpdateClient {
        let other = &self.chains[1 - side];
        let state = StateAttestation { height: other.height, timestamp_seconds };
        let signers = [&other.attestors[0], &other.attestors[2]];
        let proof = signed(Statement::State, state.encode(), &signers);
        proto::MsgUpdateClient {
            client_id: self.chains[side].client_id.clone(),
            client_message: Some(any(proto::ATTESTATION_PROOF, &proof)),
            signer: RELAYER.into(),
        }
    }

    /// The message that delivers a packet sent by the other side to this one, proven in the newest state.
    pub(crate) fn recv_message(&mut self, side: usize, packet: &Packet) -> proto::MsgRecvPacket {
        let proof_height = self.update(side);
        proto::MsgRecvPacket {
            packet: Some(packet.into()),
            proof_commitment: self.proof(1 - side, &[packet.commitment_path()]),
            proof_height,
            signer: RELAYER.into(),
        }
    }

    /// Delivers a packet to a side.
    pub(crate) fn recv(&mut self, side: usize, packet: &Packet) -> Result<Outcome, Error> {
        let message = self.recv_message(side, packet);
        self.run(side, RELAYER, proto::MSG_RECV_PACKET, &message)
    }

    /// The message that brings an acknowledgement home to this side.
    pub(crate) fn ack_message(
        &mut self,
        side: usize,
        packet: &Packet,
        acknowledgement: &Acknowledgement,
    ) -> proto::MsgAcknowledgement {
        let proof_height = self.update(side);
        let app_acknowledgements = acknowledgement.app_acknowledgements.clone();
        proto::MsgAcknowledgement {
            packet: Some(packet.into()),
            acknowledgement: Some(proto::Acknowledgement { app_acknowledgements }),
            proof_acked: self.proof(1 - side, &[packet.ack_path()]),
            proof_height,
            signer: RELAYER.into(),
        }
    }

    pub(crate) fn ack(&mut self, side: usize, packet: &Packet, ack: &Acknowledgement) -> Result<Outcome, Error> {
        let message = self.ack_message(side, packet, ack);
        self.run(side, RELAYER, proto::MSG_ACKNOWLEDGEMENT, &message)
    }

    /// The message that times a packet of this side out.
    pub(crate) fn timeout_message(&mut self, side: usize, packet: &Packet) -> proto::MsgTimeout {
        let proof_height = self.update(side);
        proto::MsgTimeout {
            packet: Some(packet.into()),
            proof_unreceived: self.proof(1 - side, &[packet.receipt_path()]),
            proof_height,
            signer: RELAYER.into(),
        }
    }

    pub(crate) fn timeout(&mut self, side: usize, packet: &Packet) -> Result<Outcome, Error> {
        let message = self.timeout_message(side, packet);
        self.run(side, RELAYER, proto::MSG_TIMEOUT, &message)
    }
}

/// The acknowledgement that a receive wrote.
pub(crate) fn written(outcome: &Outcome) -> Acknowledgement {
    let ack = |event: &Event| match event {
        Event::WriteAcknowledgement(_, acknowledgement) => Some(acknowledgement.clone()),
        _ => None,
    };
    outcome.events.iter().find_map(ack).unwrap()
}

/// The result in the response to a relayed message.
pub(crate) fn result(outcome: &Outcome) -> i32 {
    proto::PacketResponse::decode(outcome.response.as_slice()).unwrap().result
}

/// A rig in which alice has sent bob 60 of her 100 stake, and the packet.
pub(crate) fn sent() -> (Rig, Packet) {
    let mut rig = Rig::new();
    rig.fund(0, "alice", "stake", 100);
    let packet = rig.transfer(0, &rig.transfer_message(0, ("stake", 60), ("alice", "bob"))).unwrap();
    (rig, packet)
}

/// Alice sends bob some of a denomination, as a raw packet.
pub(crate) fn send_message(rig: &Rig, denom: &str, amount: &str) -> proto::MsgSendPacket {
    let data = ics20::Transfer {
        denom: denom.into(),
        amount: amount.into(),
        sender: "alice".into(),
        receiver: "bob".into(),
        memo: String::new(),
    };
    let payload = Payload {
        source_port: ics20::PORT.into(),
        destination_port: ics20::PORT.into(),
        version: ics20::VERSION.into(),
        encoding: ics20::ENCODING_PROTOBUF.into(),
        value: data.proto_encode(),
    };
    proto::MsgSendPacket {
        source_client: rig.chains[0].client_id.clone(),
        timeout_timestamp: rig.now_seconds + 60,
        payloads: vec![(&payload).into()],
        signer: "alice".into(),
    }
}

/// The code of a refusal, or ok.
pub(crate) fn code<T>(outcome: Result<T, Error>) -> &'static str {
    outcome.map_or_else(|error| error.code(), |_| "ok")
}
