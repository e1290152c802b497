//! The attestor of one chain: it signs what its own light client verified, and nothing else.

use std::collections::HashMap;
use std::fmt;
use std::future::Future;
use std::sync::Arc;

use catenary_light_clients::{Absence, Class, Hash32, Header, InstanceId, Membership, Verified};
use catenary_protocol::attestation::{Address, PathCommitment};
use catenary_protocol::{Packet, PacketAttestation, Path, StateAttestation, VerifiedPacket};

use super::cache::Cache;
use super::error::{AttestError, Refusal};
use super::limits;
use super::signer::AttestationSigner;
use crate::chain::{ProveError, Prover};
use crate::failpoint::failpoint;
use crate::platform;
use crate::telemetry::metrics::{AttestationKind, AttestationOutcome, Metrics};

/// What of a packet is attested. The numbers are those of the wire.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[repr(i32)]
pub enum CommitmentKind {
    /// Its commitment on the attested chain, its source.
    Packet = 0,
    /// Its acknowledgement's commitment on the attested chain, its destination.
    Ack = 1,
    /// The absence of its receipt on the attested chain, its destination.
    Receipt = 2,
}

impl CommitmentKind {
    /// The kind of a number on the wire.
    #[must_use]
    pub const fn from_wire(number: i32) -> Option<Self> {
        match number {
            0 => Some(Self::Packet),
            1 => Some(Self::Ack),
            2 => Some(Self::Receipt),
            _ => None,
        }
    }

    fn path(self, packet: &Packet) -> Path {
        match self {
            Self::Packet => packet.commitment_path(),
            Self::Ack => packet.ack_path(),
            Self::Receipt => packet.receipt_path(),
        }
    }

    pub(super) const fn metric(self) -> AttestationKind {
        match self {
            Self::Packet => AttestationKind::Packet,
            Self::Ack => AttestationKind::Ack,
            Self::Receipt => AttestationKind::Receipt,
        }
    }
}

/// The two on-chain clients of a configured path, seen from the attested chain.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct ClientPair {
    /// Client on the attested chain.
    pub own: String,
    /// Client on the other chain.
    pub counterparty: String,
}

impl ClientPair {
    /// Whether a packet's commitment, or its receipt and acknowledgement, are this pair's on the attested chain.
    fn serves(&self, kind: CommitmentKind, packet: &Packet) -> bool {
        let (here, there) = match kind {
            CommitmentKind::Packet => (&packet.source_client, &packet.destination_client),
            CommitmentKind::Ack | CommitmentKind::Receipt => (&packet.destination_client, &packet.source_client),
        };
        *here == self.own && *there == self.counterparty
    }
}

/// A signed state, with the verified header that it says.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SignedState {
    /// The statement.
    pub attestation: StateAttestation,
    /// Its bytes.
    pub data: Vec<u8>,
    /// The signature over them, v 27 or 28.
    pub signature: [u8; 65],
    /// The verified state.
    pub header: Verified<Header>,
}

/// What was verified before packets were signed, in request order.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Facts {
    /// Committed packets.
    Packets(Vec<VerifiedPacket>),
    /// What the acknowledgement paths hold.
    Acks(Vec<Verified<Membership>>),
    /// Receipts that are absent.
    Absences(Vec<Verified<Absence>>),
}

/// Signed packets, with the verified facts that they say.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SignedPackets {
    /// The statement.
    pub attestation: PacketAttestation,
    /// Its bytes.
    pub data: Vec<u8>,
    /// The signature over them, v 27 or 28.
    pub signature: [u8; 65],
    /// What was verified.
    pub facts: Facts,
}

/// The attestor of one chain.
///
/// It serves the own process directly and peers through [`Server`](super::Server). Its methods are idempotent and
/// cancel safe: what was signed is journaled by the signer before it is known here.
pub struct Attestor {
    prover: Arc<dyn Prover>,
    signer: Arc<dyn AttestationSigner>,
    pairs: Vec<ClientPair>,
    states: Cache<SignedState>,
    answers: Cache<SignedPackets>,
    metrics: Arc<Metrics>,
}

impl fmt::Debug for Attestor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Attestor").field("chain", &self.prover.chain()).field("pairs", &self.pairs).finish()
    }
}

impl Attestor {
    /// The attestor of the prover's chain, for the packets of the given pairs of clients.
    #[must_use]
    pub fn new(
        prover: Arc<dyn Prover>,
        signer: Arc<dyn AttestationSigner>,
        pairs: Vec<ClientPair>,
        metrics: Arc<Metrics>,
    ) -> Self {
        let states = Cache::new(limits::CACHE_ENTRIES_MAX, limits::CACHE_BYTES_MAX);
        let answers = Cache::new(limits::CACHE_ENTRIES_MAX, limits::CACHE_BYTES_MAX);
        Self { prover, signer, pairs, states, answers, metrics }
    }

    /// Name of the attested chain in the config.
    #[must_use]
    pub fn chain(&self) -> &str {
        self.prover.chain()
    }

    /// The address that on-chain clients know this attestor by.
    #[must_use]
    pub fn address(&self) -> Address {
        self.signer.address()
    }

    pub(super) fn metrics(&self) -> &Metrics {
        &self.metrics
    }

    /// The light client whose facts are signed.
    #[must_use]
    pub fn instance(&self) -> InstanceId {
        self.prover.instance()
    }

    /// The highest height that can be proven; 0 while there is none.
    #[must_use]
    pub fn latest_height(&self) -> u64 {
        self.prover.head()
    }

    /// Signs the time of a verified state.
    ///
    /// # Errors
    /// [`AttestError::Height`] when the height cannot be proven, [`AttestError::Signer`], [`AttestError::Deadline`].
    pub async fn attest_state(&self, height: u64) -> Result<Arc<SignedState>, AttestError> {
        let (result, outcome) = settle(in_time(self.cached_state(height)).await);
        self.metrics.attestor_request(self.chain(), AttestationKind::State, outcome);
        result
    }

    /// Signs what the paths of packets hold in a verified state, in request order: all of them or none.
    ///
    /// # Errors
    /// A list over a bound or of unknown clients, before any work; [`AttestError::Unproven`] with all packets that
    /// cannot be proven; [`AttestError::Height`], [`AttestError::Signer`], [`AttestError::Deadline`].
    pub async fn attest_packets(
        &self,
        height: u64,
        kind: CommitmentKind,
        packets: &[Packet],
    ) -> Result<Arc<SignedPackets>, AttestError> {
        let (result, outcome) = settle(in_time(self.cached_packets(height, kind, packets)).await);
        self.metrics.attestor_request(self.chain(), kind.metric(), outcome);
        result
    }

    /// The verified state, asked for also when an answer is kept: a light client that has stopped signs nothing, and
    /// hands out nothing that it signed before.
    async fn state(&self, height: u64) -> Result<Verified<Header>, AttestError> {
        let header = self.prover.state(height).await.map_err(|error| self.height_error(height, error))?;
        if header.height == height && header.instance() == self.instance() {
            Ok(header)
        } else {
            Err(AttestError::Facts { index: 0, got: "a state of another height or chain", expected: 1 })
        }
    }

    async fn cached_state(&self, height: u64) -> Result<(Arc<SignedState>, AttestationOutcome), AttestError> {
        let header = self.state(height).await?;
        let key = Hash32::sha256(&[&height.to_be_bytes(), header.hash.as_bytes()]);
        if let Some(answer) = self.states.get(&key) {
            return Ok((answer, AttestationOutcome::Cached));
        }
        let answer = Arc::new(self.sign_state(header).await?);
        self.states.insert(key, Arc::clone(&answer), answer.data.len() + size_of::<SignedState>());
        Ok((answer, AttestationOutcome::Signed))
    }

    async fn cached_packets(
        &self,
        height: u64,
        kind: CommitmentKind,
        packets: &[Packet],
    ) -> Result<(Arc<SignedPackets>, AttestationOutcome), AttestError> {
        let encoded = self.check(kind, packets)?;
        let _ = self.state(height).await?;
        let key = request_key(height, kind, &encoded);
        if let Some(answer) = self.answers.get(&key) {
            return Ok((answer, AttestationOutcome::Cached));
        }
        let answer = Arc::new(self.sign_packets(height, kind, packets).await?);
        let packet_bytes: usize = encoded.iter().map(Vec::len).sum();
        let bytes = answer.data.len() + packet_bytes + size_of::<SignedPackets>();
        self.answers.insert(key, Arc::clone(&answer), bytes);
        Ok((answer, AttestationOutcome::Signed))
    }

    /// Everything that can be refused without asking anybody. Gives the encoded packets, which name the request.
    fn check(&self, kind: CommitmentKind, packets: &[Packet]) -> Result<Vec<Vec<u8>>, AttestError> {
        if packets.is_empty() || packets.len() > limits::REQUEST_PACKETS_MAX {
            return Err(AttestError::Count { got: packets.len(), max: limits::REQUEST_PACKETS_MAX });
        }
        let mut seen = HashMap::new();
        for (index, packet) in packets.iter().enumerate() {
            packet.validate().map_err(|source| AttestError::Packet { index, source })?;
            if !self.pairs.iter().any(|pair| pair.serves(kind, packet)) {
                let (source_client, destination_client) =
                    (packet.source_client.clone(), packet.destination_client.clone());
                return Err(AttestError::UnknownClients { index, source_client, destination_client });
            }
            if let Some(first) = seen.insert(kind.path(packet), index) {
                return Err(AttestError::Repeated { first, second: index });
            }
        }
        let bytes: Vec<Vec<u8>> = packets.iter().map(Packet::abi_encode).collect();
        let got = bytes.iter().map(Vec::len).sum();
        if got > limits::REQUEST_BYTES_MAX {
            return Err(AttestError::Size { got, max: limits::REQUEST_BYTES_MAX });
        }
        Ok(bytes)
    }

    async fn sign_state(&self, header: Verified<Header>) -> Result<SignedState, AttestError> {
        let attestation = StateAttestation::of(&header);
        let (signer, instance) = (Arc::clone(&self.signer), self.instance());
        let signature = blocking(move || signer.sign_state(instance, &attestation)).await?;
        failpoint("attestor.state");
        Ok(SignedState { attestation, data: attestation.encode(), signature, header })
    }

    async fn sign_packets(
        &self,
        height: u64,
        kind: CommitmentKind,
        packets: &[Packet],
    ) -> Result<SignedPackets, AttestError> {
        let (facts, entries) = self.prove(height, kind, packets).await?;
        let attestation = PacketAttestation { height, entries };
        let (signer, instance) = (Arc::clone(&self.signer), self.instance());
        let statement = attestation.clone();
        let signature = blocking(move || signer.sign_packets(instance, &statement)).await?;
        failpoint("attestor.packets");
        Ok(SignedPackets { data: attestation.encode(), attestation, signature, facts })
    }

    async fn prove(
        &self,
        height: u64,
        kind: CommitmentKind,
        packets: &[Packet],
    ) -> Result<(Facts, Vec<PathCommitment>), AttestError> {
        let failed = |error| self.height_error(height, error);
        let check = FactCheck { instance: self.instance(), height, kind, packets };
        match kind {
            CommitmentKind::Packet => {
                let outcomes = self.prover.packets(height, packets).await.map_err(failed)?;
                let (facts, entries) = check.all(outcomes, |fact| {
                    let place = (fact.instance(), fact.height(), fact.packet().commitment_path().into_bytes());
                    (place, Some(PathCommitment::of_packet(fact)))
                })?;
                Ok((Facts::Packets(facts), entries))
            }
            CommitmentKind::Ack => {
                let outcomes = self.prover.acks(height, packets).await.map_err(failed)?;
                let (facts, entries) = check.all(outcomes, |fact| {
                    let place = (fact.instance(), fact.height, fact.path.clone());
                    (place, PathCommitment::of_membership(fact))
                })?;
                Ok((Facts::Acks(facts), entries))
            }
            CommitmentKind::Receipt => {
                let outcomes = self.prover.receipt_absences(height, packets).await.map_err(failed)?;
                let (facts, entries) = check.all(outcomes, |fact| {
                    let place = (fact.instance(), fact.height, fact.path.clone());
                    (place, Some(PathCommitment::of_absence(fact)))
                })?;
                Ok((Facts::Absences(facts), entries))
            }
        }
    }

    fn height_error(&self, height: u64, source: ProveError) -> AttestError {
        AttestError::Height { height, head: self.latest_height(), source }
    }
}

/// Checks that each proven fact is about the place that was asked for, before it is signed.
struct FactCheck<'a> {
    instance: InstanceId,
    height: u64,
    kind: CommitmentKind,
    packets: &'a [Packet],
}

/// Light client, height and path of a fact.
type Place = (InstanceId, u64, Vec<u8>);

/// Code of a packet whose path holds something that cannot be attested.
const UNATTESTABLE_CODE: &str = "ATT-015";

impl FactCheck<'_> {
    fn all<F>(
        &self,
        outcomes: Vec<Result<F, ProveError>>,
        read: impl Fn(&F) -> (Place, Option<PathCommitment>),
    ) -> Result<(Vec<F>, Vec<PathCommitment>), AttestError> {
        let expected = self.packets.len();
        if outcomes.len() != expected {
            return Err(AttestError::Facts { index: outcomes.len(), got: "another number of facts", expected });
        }
        let (mut facts, mut entries, mut refusals) = (Vec::new(), Vec::new(), Vec::new());
        for (index, (outcome, packet)) in outcomes.into_iter().zip(self.packets).enumerate() {
            let fact = match outcome {
                Ok(fact) => fact,
                Err(error) => {
                    refusals.push(Refusal { index, code: error.code(), reason: error.to_string() });
                    continue;
                }
            };
            let (place, entry) = read(&fact);
            if place != (self.instance, self.height, self.kind.path(packet).into_bytes()) {
                let got = "a fact of another chain, height or path";
                return Err(AttestError::Facts { index, got, expected });
            }
            let Some(entry) = entry else {
                let reason = "the proven value is not a commitment of 32 bytes, or is zero".to_owned();
                refusals.push(Refusal { index, code: UNATTESTABLE_CODE, reason });
                continue;
            };
            facts.push(fact);
            entries.push(entry);
        }
        if refusals.is_empty() {
            Ok((facts, entries))
        } else {
            Err(AttestError::Unproven { height: self.height, refusals })
        }
    }
}

/// What a request is, so that two requests share an answer only if nothing in them differs.
fn request_key(height: u64, kind: CommitmentKind, packets: &[Vec<u8>]) -> Hash32 {
    let hashes: Vec<u8> = packets.iter().flat_map(|packet| Hash32::sha256(&[packet]).0).collect();
    Hash32::sha256(&[&height.to_be_bytes(), &(kind as i32).to_be_bytes(), &hashes])
}

/// Parts an outcome for the metric from the result for the caller.
fn settle<T>(result: Result<(T, AttestationOutcome), AttestError>) -> (Result<T, AttestError>, AttestationOutcome) {
    match result {
        Ok((answer, outcome)) => (Ok(answer), outcome),
        Err(error) => {
            let outcome = match error.class() {
                Class::Bug | Class::Transient if !matches!(error, AttestError::Unproven { .. }) => {
                    AttestationOutcome::Failed
                }
                _ => AttestationOutcome::Refused,
            };
            (Err(error), outcome)
        }
    }
}

async fn in_time<T>(work: impl Future<Output = Result<T, AttestError>>) -> Result<T, AttestError> {
    let late = AttestError::Deadline { seconds: limits::REQUEST_DEADLINE.as_secs() };
    platform::within(limits::REQUEST_DEADLINE, work).await.unwrap_or(Err(late))
}

/// Signing waits for the journal, so it runs where waiting is allowed.
async fn blocking(
    sign: impl FnOnce() -> catenary_api::Result<[u8; 65]> + Send + 'static,
) -> Result<[u8; 65], AttestError> {
    match platform::blocking(sign).await {
        Ok(signed) => signed.map_err(AttestError::Signer),
        Err(_) => Err(AttestError::Task),
    }
}
