//! A chain with sealed headers and real state, provers that follow it, keys that remember, and members on loopback.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use catenary_light_clients::qbft::{commitment_slot, Qbft};
use catenary_light_clients::testing::{EvmState, Key, Network, COMMITMENT_SLOT};
use catenary_light_clients::{
    Absence, Class, Hash32, Header, InstanceId, LightClient, Membership, Timestamp, Verdict, Verified,
};
use catenary_protocol::attestation::{signing_digest, Address, Statement};
use catenary_protocol::{Acknowledgement, Packet, PacketAttestation, Path, Payload, StateAttestation, VerifiedPacket};
use tokio::sync::{oneshot, watch};

use crate::attestor::{
    AttestationSigner, Attestor, ClientPair, CollectError, Collector, CollectorConfig, Deadlines, Listen, Member,
    PeerClient, Reach, Server,
};
use crate::chain::{ProveError, Prover};
use crate::telemetry::metrics::{ChainScope, Metrics, MetricsScope, PathScope, SideScope};

pub(super) const CHAIN: &str = "evm";
pub(super) const PATH: &str = "evm-simd";
/// Our client on the attested chain, and its counterparty.
pub(super) const OWN_CLIENT: &str = "client-0";
pub(super) const OTHER_CLIENT: &str = "attestations-0";
const ROUTER: [u8; 20] = [0xc0; 20];
/// Newest height of the chain of [`World::new`].
pub(super) const HEAD: u64 = 6;

/// Packet `sequence` sent on the attested chain.
pub(super) fn sent(sequence: u64) -> Packet {
    packet(sequence, OWN_CLIENT, OTHER_CLIENT)
}

/// Packet `sequence` sent to the attested chain.
pub(super) fn received(sequence: u64) -> Packet {
    packet(sequence, OTHER_CLIENT, OWN_CLIENT)
}

pub(super) fn packet(sequence: u64, source: &str, destination: &str) -> Packet {
    Packet {
        sequence,
        source_client: source.into(),
        destination_client: destination.into(),
        timeout_timestamp_seconds: 1_700_003_600,
        payloads: vec![Payload {
            source_port: "transfer".into(),
            destination_port: "transfer".into(),
            version: "ics20-1".into(),
            encoding: "application/x-solidity-abi".into(),
            value: vec![7; 100],
        }],
    }
}

/// A chain whose blocks 2 to 6 all hold: packets 1 to 9 sent, acknowledgements of packets 1 to 4 received, and
/// receipts of these.
#[derive(Debug)]
pub(super) struct World {
    pub(super) network: Network,
    state: EvmState,
    values: BTreeMap<Vec<u8>, [u8; 32]>,
}

impl World {
    pub(super) fn new() -> Arc<Self> {
        let mut world = Self { network: Network::new(4), state: EvmState::default(), values: BTreeMap::new() };
        let success = Acknowledgement { app_acknowledgements: vec![b"{\"result\":\"AQ==\"}".to_vec()] };
        for sequence in 1..10 {
            world.write(sent(sequence).commitment_path(), sent(sequence).commitment());
        }
        for sequence in 1..5 {
            world.write(received(sequence).ack_path(), success.commitment());
            world.write(received(sequence).receipt_path(), Hash32([9; 32]));
        }
        let mut zeroed = success.commitment();
        zeroed.0[0] = 0;
        world.write(received(8).ack_path(), zeroed);
        for _ in 1..HEAD {
            let mut next = world.network.next();
            next.state_root = Hash32(*world.state.root().as_bytes());
            world.network.push(next);
        }
        Arc::new(world)
    }

    fn write(&mut self, path: Path, value: Hash32) {
        let slot = commitment_slot(path.as_bytes(), &COMMITMENT_SLOT);
        self.state.insert_slot(catenary_light_clients::crypto::Address(ROUTER), slot, value.0);
        self.values.insert(path.into_bytes(), value.0);
    }

    fn follow(&self, client: &mut Qbft, to: u64) {
        for header in &self.network.headers {
            if header.number > client.status().trusted_height && header.number <= to {
                assert!(matches!(client.advance(&header.encode(), self.network.now()), Verdict::Verified(Some(_))));
            }
        }
    }
}

/// A prover over a real light client. Tests change what its endpoint does.
#[derive(Debug)]
pub(super) struct TestProver {
    world: Arc<World>,
    client: Mutex<Qbft>,
    /// Calls that would have gone to an endpoint.
    pub(super) calls: AtomicUsize,
    /// Sequences that the endpoint gives no good proof of.
    pub(super) unproven: Mutex<Vec<u64>>,
    /// A stopped chain proves nothing.
    pub(super) stopped: AtomicBool,
    /// Facts are given for the packets in another order.
    pub(super) mixes_up: AtomicBool,
    /// Facts are given for this height whatever was asked; 0 for the right one.
    pub(super) other_height: AtomicU64,
    /// Facts are given by a light client of another chain.
    pub(super) foreign: AtomicBool,
    /// What endpoint calls wait for.
    gate: watch::Sender<bool>,
    /// Endpoint calls going on now, and the most that ever did.
    in_flight: watch::Sender<(usize, usize)>,
}

impl TestProver {
    /// A prover whose verified head is `head`.
    pub(super) fn new(world: &Arc<World>, head: u64) -> Arc<Self> {
        let mut client = world.network.client(world.network.config());
        world.follow(&mut client, head);
        Arc::new(Self {
            world: Arc::clone(world),
            client: Mutex::new(client),
            calls: AtomicUsize::new(0),
            unproven: Mutex::new(Vec::new()),
            stopped: AtomicBool::new(false),
            mixes_up: AtomicBool::new(false),
            other_height: AtomicU64::new(0),
            foreign: AtomicBool::new(false),
            gate: watch::Sender::new(true),
            in_flight: watch::Sender::new((0, 0)),
        })
    }

    /// From now on endpoint calls wait.
    pub(super) fn close_gate(&self) {
        self.gate.send_replace(false);
    }

    /// Lets all endpoint calls go on.
    pub(super) fn open_gate(&self) {
        self.gate.send_replace(true);
    }

    /// Waits until so many endpoint calls go on at once.
    pub(super) async fn wait_for_in_flight(&self, count: usize) {
        self.in_flight.subscribe().wait_for(|(now, _)| *now >= count).await.unwrap();
    }

    pub(super) fn most_in_flight(&self) -> usize {
        self.in_flight.borrow().1
    }

    /// Verifies headers up to `head`.
    pub(super) fn advance(&self, head: u64) {
        self.world.follow(&mut self.client.lock().unwrap(), head);
    }

    /// A light client of a chain with another id and the same headers, which carry none.
    fn foreign_client(&self) -> Qbft {
        let config = catenary_light_clients::qbft::Config { chain_id: "7".into(), ..self.world.network.config() };
        let mut client = self.world.network.client(config);
        self.world.follow(&mut client, self.head());
        client
    }

    fn reachable(&self, height: u64) -> Result<(), ProveError> {
        if self.stopped.load(Ordering::SeqCst) {
            return Err(ProveError::Stopped { chain: CHAIN.into(), reason: "a test stopped it".into() });
        }
        let head = self.head();
        if height > head {
            return Err(ProveError::AboveHead { height, head });
        }
        Ok(())
    }

    async fn each<T>(
        &self,
        height: u64,
        packets: &[Packet],
        prove: impl Fn(&Qbft, u64, &Packet) -> Result<T, ProveError>,
    ) -> Result<Vec<Result<T, ProveError>>, ProveError> {
        self.calls.fetch_add(1, Ordering::SeqCst);
        self.in_flight.send_modify(|(now, most)| {
            *now += 1;
            *most = (*most).max(*now);
        });
        let _leaving = Leaving(self);
        self.gate.subscribe().wait_for(|open| *open).await.unwrap();
        self.reachable(height)?;
        let height = match self.other_height.load(Ordering::SeqCst) {
            0 => height,
            other => other,
        };
        let unproven = self.unproven.lock().unwrap().clone();
        let client = match self.foreign.load(Ordering::SeqCst) {
            true => self.foreign_client(),
            false => self.client.lock().unwrap().clone(),
        };
        let mut packets = packets.to_vec();
        if self.mixes_up.load(Ordering::SeqCst) {
            packets.reverse();
        }
        let outcomes = packets.iter().map(|packet| match unproven.contains(&packet.sequence) {
            true => Err(client.membership(height, b"x", &[1; 32], b"not a proof").unwrap_err().into()),
            false => prove(&client, height, packet),
        });
        Ok(outcomes.collect())
    }

    fn member(&self, client: &Qbft, height: u64, path: &Path) -> Result<Verified<Membership>, ProveError> {
        let value = self.world.values.get(path.as_bytes());
        let value = value.ok_or_else(|| claim(path, height, "holds nothing"))?;
        Ok(client.membership(height, path.as_bytes(), value, &self.proof(path))?)
    }

    fn absent(&self, client: &Qbft, height: u64, path: &Path) -> Result<Verified<Absence>, ProveError> {
        Ok(client.absence(height, path.as_bytes(), &self.proof(path))?)
    }

    fn proof(&self, path: &Path) -> Vec<u8> {
        let slot = commitment_slot(path.as_bytes(), &COMMITMENT_SLOT);
        self.world.state.proof(catenary_light_clients::crypto::Address(ROUTER), &slot)
    }
}

/// Counts an endpoint call out, also when it was cancelled.
struct Leaving<'a>(&'a TestProver);

impl Drop for Leaving<'_> {
    fn drop(&mut self) {
        self.0.in_flight.send_modify(|(now, _)| *now -= 1);
    }
}

fn claim(path: &Path, height: u64, claim: &'static str) -> ProveError {
    ProveError::Claim { path: hex::encode(path.as_bytes()), claim, height }
}

#[async_trait]
impl Prover for TestProver {
    fn chain(&self) -> &str {
        CHAIN
    }

    fn instance(&self) -> InstanceId {
        self.client.lock().unwrap().status().instance
    }

    fn head(&self) -> u64 {
        self.client.lock().unwrap().status().provable_height
    }

    async fn state(&self, height: u64) -> Result<Verified<Header>, ProveError> {
        self.reachable(height)?;
        let head = self.head();
        self.client.lock().unwrap().header(height).ok_or(ProveError::NotRetained { height, head })
    }

    async fn packets(
        &self,
        height: u64,
        packets: &[Packet],
    ) -> Result<Vec<Result<VerifiedPacket, ProveError>>, ProveError> {
        self.each(height, packets, |client, height, packet| {
            let fact = self.member(client, height, &packet.commitment_path())?;
            Ok(VerifiedPacket::new(packet.clone(), fact)?)
        })
        .await
    }

    async fn acks(
        &self,
        height: u64,
        packets: &[Packet],
    ) -> Result<Vec<Result<Verified<Membership>, ProveError>>, ProveError> {
        self.each(height, packets, |client, height, packet| self.member(client, height, &packet.ack_path())).await
    }

    async fn receipt_absences(
        &self,
        height: u64,
        packets: &[Packet],
    ) -> Result<Vec<Result<Verified<Absence>, ProveError>>, ProveError> {
        self.each(height, packets, |client, height, packet| self.absent(client, height, &packet.receipt_path())).await
    }

    async fn commitment_absences(
        &self,
        height: u64,
        packets: &[Packet],
    ) -> Result<Vec<Result<Verified<Absence>, ProveError>>, ProveError> {
        self.each(height, packets, |client, height, packet| self.absent(client, height, &packet.commitment_path()))
            .await
    }
}

/// A key that remembers the states that it signed.
#[derive(Debug)]
pub(super) struct TestSigner {
    key: Key,
    states: Mutex<BTreeMap<u64, StateAttestation>>,
    pub(super) signatures: AtomicUsize,
}

impl TestSigner {
    pub(super) fn new(seed: u64) -> Arc<Self> {
        let key = Key::new(seed);
        Arc::new(Self { key, states: Mutex::new(BTreeMap::new()), signatures: AtomicUsize::new(0) })
    }

    /// A state that was signed in an earlier life.
    pub(super) fn remember(&self, state: StateAttestation) {
        self.states.lock().unwrap().insert(state.height, state);
    }

    fn sign(&self, statement: Statement, data: &[u8]) -> [u8; 65] {
        self.signatures.fetch_add(1, Ordering::SeqCst);
        sign(&self.key, statement, data)
    }
}

/// A signature as attestors make it.
pub(super) fn sign(key: &Key, statement: Statement, data: &[u8]) -> [u8; 65] {
    let mut signature = key.sign(signing_digest(statement, data).as_bytes());
    signature[64] += 27;
    signature
}

impl AttestationSigner for TestSigner {
    fn address(&self) -> Address {
        self.key.address().0
    }

    fn sign_state(&self, _: InstanceId, statement: &StateAttestation) -> catenary_api::Result<[u8; 65]> {
        let mut states = self.states.lock().unwrap();
        let known = *states.entry(statement.height).or_insert(*statement);
        if known != *statement {
            let message = format!("signed {} s before", known.timestamp_seconds);
            return Err(catenary_api::Error { code: "TEST-SIG-001", class: Class::Misbehaviour, message });
        }
        Ok(self.sign(Statement::State, &statement.encode()))
    }

    fn sign_packets(&self, _: InstanceId, statement: &PacketAttestation) -> catenary_api::Result<[u8; 65]> {
        Ok(self.sign(Statement::Packets, &statement.encode()))
    }
}

/// An operator's attestor and what it stands on.
#[derive(Clone, Debug)]
pub(super) struct Operator {
    pub(super) prover: Arc<TestProver>,
    pub(super) signer: Arc<TestSigner>,
    pub(super) attestor: Arc<Attestor>,
}

impl Operator {
    pub(super) fn new(world: &Arc<World>, seed: u64) -> Self {
        Self::at(world, seed, HEAD)
    }

    pub(super) fn at(world: &Arc<World>, seed: u64, head: u64) -> Self {
        let (prover, signer) = (TestProver::new(world, head), TestSigner::new(seed));
        let pairs = vec![ClientPair { own: OWN_CLIENT.into(), counterparty: OTHER_CLIENT.into() }];
        let attestor = Arc::new(Attestor::new(prover.clone(), signer.clone(), pairs, metrics()));
        Self { prover, signer, attestor }
    }

    /// Its attestor on loopback.
    pub(super) async fn serve(&self) -> Served {
        let listen = Listen { address: loopback(), tls: None };
        let server = Server::bind(Arc::clone(&self.attestor), listen).await.unwrap();
        Served::start(server)
    }

    pub(super) fn member(&self, id: &str, reach: Reach) -> Member {
        Member { id: id.into(), address: self.signer.address(), reach }
    }
}

pub(super) fn loopback() -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], 0))
}

/// A server that runs until this is dropped.
#[derive(Debug)]
pub(super) struct Served {
    pub(super) address: SocketAddr,
    stop: oneshot::Sender<()>,
    running: Option<tokio::task::JoinHandle<()>>,
}

impl Served {
    pub(super) fn start(server: Server) -> Self {
        let address = server.address();
        let (stop, stopped) = oneshot::channel::<()>();
        let running = tokio::spawn(async move {
            let run = server.run(async move {
                let _ = stopped.await;
            });
            run.await.unwrap();
        });
        Self { address, stop, running: Some(running) }
    }

    pub(super) fn of(address: SocketAddr, stop: oneshot::Sender<()>) -> Self {
        Self { address, stop, running: None }
    }

    /// Stops it and waits until its port is closed.
    pub(super) async fn stop(self) {
        drop(self.stop);
        if let Some(running) = self.running {
            running.await.unwrap();
        }
    }

    pub(super) fn client(&self) -> PeerClient {
        client(self.address)
    }
}

/// A channel with deadlines that a test can wait for.
pub(super) fn client(address: SocketAddr) -> PeerClient {
    let deadline = std::time::Duration::from_millis(1_500);
    let deadlines = Deadlines { attestation: deadline, head: deadline };
    PeerClient::new(&format!("http://{address}"), None).unwrap().with_deadlines(deadlines)
}

pub(super) fn metrics() -> Arc<Metrics> {
    let side = |chain: &str, client_id: &str| SideScope { chain: chain.into(), client_id: client_id.into() };
    Metrics::new(&MetricsScope {
        chains: vec![ChainScope {
            name: CHAIN.into(),
            family: catenary_light_clients::Family::Qbft,
            trusting_period_seconds: 1,
            endpoints: vec![],
            signers: vec![],
            fee_asset: "wei".into(),
        }],
        paths: vec![PathScope { name: PATH.into(), sides: [side(CHAIN, OWN_CLIENT), side("simd", OTHER_CLIENT)] }],
        operators: vec!["own".into(), "two".into(), "three".into()],
        ..MetricsScope::default()
    })
}

pub(super) fn collector(
    members: Vec<Member>,
    threshold: usize,
    metrics: &Arc<Metrics>,
) -> Result<Collector, CollectError> {
    Collector::new(CollectorConfig { path: PATH.into(), members, threshold, metrics: Arc::clone(metrics) })
}

/// The value of a series on the page.
pub(super) fn series(metrics: &Metrics, name_and_labels: &str) -> Option<f64> {
    let page = metrics.page();
    let line = page.lines().find(|line| line.starts_with(&format!("{name_and_labels} ")))?;
    line.rsplit(' ').next()?.parse().ok()
}

/// The time that the light client has verified for a height.
pub(super) fn verified_time(world: &World, height: u64) -> Timestamp {
    let index = usize::try_from(height - 1).unwrap();
    Timestamp::from_seconds(world.network.headers[index].time_seconds)
}
