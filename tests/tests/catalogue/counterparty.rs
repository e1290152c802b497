//! The other end of the path: a chain that exists in this process only, and the members who attest to it.

use catenary_api::Message;
use catenary_light_clients::cometbft::testing::{signers, Chain, START_SECONDS};
use catenary_light_clients::cometbft::CometBft;
use catenary_light_clients::proof::ics23::testing::State;
use catenary_light_clients::testing::Key;
use catenary_light_clients::{Header, LightClient, Timestamp, Verdict, Verified};
use catenary_protocol::attestation::{normalise, signing_digest, PathCommitment, Statement};
use catenary_protocol::{
    ics20, Acknowledgement, AttestationProof, Packet, PacketAttestation, Payload, StateAttestation, VerifiedAck,
    VerifiedPacket,
};

/// A chain with real headers and proofs; at each height its store holds one entry.
pub struct Counterparty {
    client: CometBft,
    states: Vec<State>,
    entries: Vec<(Vec<u8>, Vec<u8>)>,
}

impl Counterparty {
    /// `entries[i]` is what the state after block i + 1 holds.
    pub fn new(entries: &[(Vec<u8>, Vec<u8>)]) -> Self {
        let states: Vec<State> = entries.iter().map(|entry| State::new(b"ibc", std::slice::from_ref(entry))).collect();
        let mut chain = Chain::new("other-1", signers(9, &[10, 10, 10, 10]));
        chain.push(State::new(b"ibc", &[(b"genesis".to_vec(), b"x".to_vec())]).app_hash());
        states.iter().for_each(|state| chain.push(state.app_hash()));
        let mut client = chain.client(1);
        let now = Timestamp::from_seconds(START_SECONDS + 1_000);
        for height in 2..=states.len() as u64 + 1 {
            let verdict = client.advance(&chain.update(height), now);
            assert!(matches!(verdict, Verdict::Verified(_)), "{verdict:?}");
        }
        Self { client, states, entries: entries.to_vec() }
    }

    pub fn header(&self, height: u64) -> Verified<Header> {
        self.client.header(height).unwrap()
    }

    fn prove(&self, height: u64, path: &[u8]) -> Vec<u8> {
        self.states[usize::try_from(height).unwrap() - 1].prove(path)
    }

    /// That a packet with exactly this body was sent there.
    ///
    /// # Errors
    /// The stable code of the refusal.
    pub fn sent(&self, height: u64, packet: &Packet) -> Result<VerifiedPacket, &'static str> {
        let path = packet.commitment_path();
        let proof = self.prove(height, path.as_bytes());
        let value = &self.entries[usize::try_from(height).unwrap() - 1].1;
        let fact = self.client.membership(height, path.as_bytes(), value, &proof).map_err(|refusal| refusal.code)?;
        VerifiedPacket::new(packet.clone(), fact).map_err(|refusal| refusal.code())
    }

    pub fn acknowledged(&self, height: u64, packet: &Packet, ack: Acknowledgement) -> VerifiedAck {
        let path = packet.ack_path();
        let proof = self.prove(height, path.as_bytes());
        let fact = self.client.membership(height, path.as_bytes(), &ack.commitment().0, &proof).unwrap();
        VerifiedAck::new(packet.clone(), ack, fact).unwrap()
    }
}

/// The members, two of three of whom sign.
pub fn attestors() -> Vec<Key> {
    (1..=3).map(Key::new).collect()
}

pub fn addresses() -> Vec<[u8; 20]> {
    attestors().iter().map(|key| key.address().0).collect()
}

fn attest(statement: Statement, data: Vec<u8>) -> AttestationProof {
    let digest = signing_digest(statement, &data);
    let signatures = attestors().into_iter().take(2).map(|key| normalise(&key.sign(&digest.0)).unwrap());
    AttestationProof { signatures: signatures.collect(), data }
}

/// Brings an on-chain client to a height.
pub fn update(client_id: &str, header: &Verified<Header>) -> Message {
    let proof = attest(Statement::State, StateAttestation::of(header).encode());
    Message::UpdateClient { client_id: client_id.to_owned(), proof }
}

/// Attests one entry of a state.
pub fn entry(height: u64, entry: PathCommitment) -> AttestationProof {
    attest(Statement::Packets, PacketAttestation { height, entries: vec![entry] }.encode())
}

pub fn success() -> Acknowledgement {
    Acknowledgement { app_acknowledgements: vec![ics20::SUCCESS_ACK.to_vec()] }
}

/// A packet with a transfer in it.
pub fn packet([source, destination]: [&str; 2], transfer: &ics20::Transfer, timeout_seconds: u64) -> Packet {
    let payload = Payload {
        source_port: ics20::PORT.into(),
        destination_port: ics20::PORT.into(),
        version: ics20::VERSION.into(),
        encoding: ics20::ENCODING_ABI.into(),
        value: transfer.abi_encode().unwrap(),
    };
    Packet {
        sequence: 1,
        source_client: source.to_owned(),
        destination_client: destination.to_owned(),
        timeout_timestamp_seconds: timeout_seconds,
        payloads: vec![payload],
    }
}
