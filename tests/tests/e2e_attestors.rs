//! A member whose attestations are lies, on the real networks: alpha and gamma reach beta's attestors through services
//! that change one thing and sign it with a key that a lie asks for, beta's own among them. Alpha names beta with the
//! code of the check, and every transfer ends acknowledged meanwhile, since two of three tell the truth.
#![allow(clippy::unwrap_used, reason = "a test")]

use std::sync::{Arc, Mutex};
use std::time::Duration;

use catenary_node::attestor::wire::attestation_service_client::AttestationServiceClient;
use catenary_node::attestor::wire::attestation_service_server::{AttestationService, AttestationServiceServer};
use catenary_node::attestor::wire::{
    Attestation, LatestHeightRequest, LatestHeightResponse, PacketAttestationRequest, PacketAttestationResponse,
    StateAttestationRequest, StateAttestationResponse,
};
use catenary_node::config::Config;
use catenary_protocol::attestation::{recover, signing_digest, Statement};
use catenary_protocol::{PacketAttestation, StateAttestation};
use catenary_tests::consortium::{Asset, Consortium, ConsortiumOptions, Operator, Order, CHAINS, MEMBERS};
use catenary_tests::localnet::{wait_until, Account, LocalnetError};
use k256::ecdsa::SigningKey;
use tokio::net::TcpListener;
use tokio::runtime::Runtime;
use tonic::transport::server::TcpIncoming;
use tonic::transport::{Channel, Server};
use tonic::{Request, Response, Status};

/// Generous for loaded machines; nothing here waits for a fixed time.
const DEADLINE: Duration = Duration::from_secs(240);
/// Transfers sent at once in each direction, so that each member leads some of them.
const BURST: usize = 4;
/// Each sequence has a leader of its own: alpha soon collects on both chains.
const LIMITS: &str = "[limits]\nturn_bucket_sequences = 1\n";

/// What beta's attestors say to alpha and gamma.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Lie {
    /// What beta itself says.
    Truth,
    /// Another commitment in the first entry, signed by beta.
    Commitment,
    /// Another time of the state, signed by beta.
    Time,
    /// The true bytes, signed by gamma.
    Gammas,
    /// The true bytes, signed by nobody of the set.
    Strangers,
}

#[test]
fn a_member_that_lies_is_named_and_every_transfer_ends() {
    if !catenary_tests::localnet::nodes_are_here("e2e_attestors::a_member_that_lies_is_named_and_every_transfer_ends") {
        return;
    }
    let mut consortium = Consortium::start(&ConsortiumOptions::default()).unwrap();
    let runtime = Runtime::new().unwrap();
    let lie = Arc::new(Mutex::new(Lie::Truth));
    put_between(&mut consortium, &runtime, &lie);
    let rows =
        [(Lie::Commitment, "ATT-110"), (Lie::Time, "ATT-109"), (Lie::Gammas, "ATT-112"), (Lie::Strangers, "ATT-113")];
    transfers(&consortium).unwrap();
    for (_, code) in rows {
        assert_eq!(CHAINS.map(|chain| named(&consortium, chain, code)), [0.0, 0.0], "{code} without a lie");
    }
    for (told, code) in rows {
        check(&consortium, &lie, told, code);
    }
    *lie.lock().unwrap() = Lie::Truth;
    transfers(&consortium).unwrap();
    consortium.conserved().unwrap();
}

/// While the lie is told, alpha leaves beta out with the code on both chains, and every transfer is acknowledged.
fn check(consortium: &Consortium, lie: &Mutex<Lie>, told: Lie, code: &str) {
    *lie.lock().unwrap() = told;
    let before = CHAINS.map(|chain| named(consortium, chain, code));
    wait_until(&format!("{told:?}: alpha names beta with {code} on both chains"), DEADLINE, || {
        // More are sent each time: whether alpha leads, and so asks beta, is decided by the sequence.
        transfers(consortium)?;
        let after = CHAINS.map(|chain| named(consortium, chain, code));
        eprintln!("{told:?}: {code} {before:?} -> {after:?}");
        Ok(after.iter().zip(&before).all(|(after, before)| after > before).then_some(()))
    })
    .unwrap_or_else(|error| panic!("{error}\n{}", consortium.operators[0].last_words()));
    consortium.operators[1].check().unwrap();
}

/// How often alpha left beta out with this code.
fn named(consortium: &Consortium, chain: &str, code: &str) -> f64 {
    let labels = [("member", MEMBERS[1]), ("chain", chain), ("code", code)];
    consortium.operators[0].metric("catenary_attestor_exclusions_total", &labels).unwrap()
}

/// Some transfers each way; alpha and gamma both see them acknowledged.
fn transfers(consortium: &Consortium) -> Result<(), LocalnetError> {
    let orders = vec![Order::of(4); BURST];
    let sent = [Asset::Erc20, Asset::Native].map(|asset| consortium.broadcast(asset, &orders));
    let mut keys = Vec::new();
    for sending in sent {
        keys.extend(consortium.included(sending?)?);
    }
    for member in [0, 2] {
        let stages = consortium.wait_ended_at(&[member], &keys, DEADLINE)?;
        assert!(stages.iter().all(|stage| stage == "acknowledged"), "{keys:?}: {stages:?}");
    }
    Ok(())
}

/// Starts a lying service before each of beta's attestors, and restarts the members so that alpha and gamma ask it.
fn put_between(consortium: &mut Consortium, runtime: &Runtime, lie: &Arc<Mutex<Lie>>) {
    let attestors = Config::load(&consortium.operators[0].config_file(), &[]).unwrap();
    let betas = attestors.operators.into_iter().find(|operator| operator.id == MEMBERS[1]).unwrap().attestors;
    let mut moved = Vec::new();
    for chain in CHAINS {
        let beta = betas.iter().find(|attestor| attestor.chain == chain).unwrap();
        let liar = Liar {
            upstream: beta.url.clone(),
            lie: lie.clone(),
            own: key_of(&consortium.operators[1], chain),
            gammas: key_of(&consortium.operators[2], chain),
            strangers: SigningKey::from_slice(&Account::named("somebody else").private_key).unwrap(),
        };
        let digest = signing_digest(Statement::State, b"who signs");
        let signer = recover(&digest, &sign(&liar.own, Statement::State, b"who signs")).unwrap();
        assert_eq!(signer, beta.address.0, "the liar holds beta's key");
        moved.push((beta.url.clone(), liar.serve(runtime)));
    }
    for (index, operator) in consortium.operators.iter_mut().enumerate() {
        let mut text = std::fs::read_to_string(operator.config_file()).unwrap() + LIMITS;
        for (from, to) in moved.iter().filter(|_| index != 1) {
            assert_eq!(text.matches(from).count(), 1, "{from}");
            text = text.replace(from, to);
        }
        operator.stop();
        operator.configure(&text).unwrap();
        operator.start(None).unwrap();
    }
    consortium.wait_ready(DEADLINE).unwrap();
}

/// The key that a member attests a chain with.
fn key_of(operator: &Operator, chain: &str) -> SigningKey {
    let file = operator.dir().join(format!("keys/{}-attests-{chain}.json", operator.id));
    SigningKey::from_slice(&eth_keystore::decrypt_key(file, Operator::PASSPHRASE).unwrap()).unwrap()
}

/// A signature as attestors make it.
fn sign(key: &SigningKey, statement: Statement, data: &[u8]) -> [u8; 65] {
    let (signature, id) = key.sign_prehash_recoverable(signing_digest(statement, data).as_bytes()).unwrap();
    let mut bytes = [27 + id.to_byte(); 65];
    bytes[..64].copy_from_slice(&signature.to_bytes());
    bytes
}

/// Stands before one of beta's attestors and holds the keys for its lies.
struct Liar {
    upstream: String,
    lie: Arc<Mutex<Lie>>,
    own: SigningKey,
    gammas: SigningKey,
    strangers: SigningKey,
}

impl Liar {
    /// Serves as long as the runtime lives; gives its address.
    fn serve(self, runtime: &Runtime) -> String {
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let router = Server::builder().add_service(AttestationServiceServer::new(self));
        runtime.spawn(async move { router.serve_with_incoming(TcpIncoming::from(listener)).await.unwrap() });
        url
    }

    /// A connection of its own for each request: beta bounds the requests of one connection.
    async fn beta(&self) -> Result<AttestationServiceClient<Channel>, Status> {
        let connected = AttestationServiceClient::connect(self.upstream.clone()).await;
        connected.map_err(|error| Status::unavailable(error.to_string()))
    }

    fn tell(&self, statement: Statement, truth: Attestation) -> Attestation {
        let lie = *self.lie.lock().unwrap();
        let (key, attested_data) = match (lie, statement) {
            (Lie::Commitment, Statement::Packets) => (&self.own, other_commitment(&truth.attested_data)),
            (Lie::Time, Statement::State) => (&self.own, other_time(&truth.attested_data)),
            (Lie::Gammas, _) => (&self.gammas, truth.attested_data),
            (Lie::Strangers, _) => (&self.strangers, truth.attested_data),
            (Lie::Truth | Lie::Commitment | Lie::Time, _) => return truth,
        };
        let signature = sign(key, statement, &attested_data).to_vec();
        Attestation { attested_data, signature, ..truth }
    }
}

fn other_commitment(data: &[u8]) -> Vec<u8> {
    let mut packets = PacketAttestation::decode(data).unwrap();
    packets.entries[0].commitment.0[31] ^= 1;
    packets.encode()
}

fn other_time(data: &[u8]) -> Vec<u8> {
    let mut state = StateAttestation::decode(data).unwrap();
    state.timestamp_seconds += 1;
    state.encode()
}

#[tonic::async_trait]
impl AttestationService for Liar {
    async fn state_attestation(
        &self,
        request: Request<StateAttestationRequest>,
    ) -> Result<Response<StateAttestationResponse>, Status> {
        let truth = self.beta().await?.state_attestation(request.into_inner()).await?.into_inner().attestation;
        let attestation = truth.map(|truth| self.tell(Statement::State, truth));
        Ok(Response::new(StateAttestationResponse { attestation }))
    }

    async fn packet_attestation(
        &self,
        request: Request<PacketAttestationRequest>,
    ) -> Result<Response<PacketAttestationResponse>, Status> {
        let truth = self.beta().await?.packet_attestation(request.into_inner()).await?.into_inner().attestation;
        let attestation = truth.map(|truth| self.tell(Statement::Packets, truth));
        Ok(Response::new(PacketAttestationResponse { attestation }))
    }

    async fn latest_height(
        &self,
        request: Request<LatestHeightRequest>,
    ) -> Result<Response<LatestHeightResponse>, Status> {
        self.beta().await?.latest_height(request.into_inner()).await
    }
}
