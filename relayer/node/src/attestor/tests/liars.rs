//! Members that lie in every way that we could think of, over real gRPC: each is left out with its code.

use std::sync::Arc;

use catenary_light_clients::testing::Key;
use catenary_light_clients::Hash32;
use catenary_protocol::attestation::Statement;
use catenary_protocol::{Packet, PacketAttestation, StateAttestation};
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tonic::{Code, Request, Response, Status};

use super::rig::{collector, loopback, metrics, sent, series, sign, Operator, Served, World, HEAD};
use crate::attestor::collector::testing::ask_packets;
use crate::attestor::wire::attestation_service_server::{AttestationService, AttestationServiceServer};
use crate::attestor::wire::{
    Attestation, LatestHeightRequest, LatestHeightResponse, PacketAttestationRequest, PacketAttestationResponse,
    StateAttestationRequest, StateAttestationResponse,
};
use crate::attestor::{Attestor, CollectError, CommitmentKind, ExclusionCode, Member, Reach};

/// Seeds of the keys of this node, an honest member, the liar, and nobody.
const OWN: u64 = 1;
const HONEST: u64 = 2;
const LIAR: u64 = 3;
const STRANGER: u64 = 99;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Lie {
    None,
    VOfZeroOrOne,
    Time,
    Height,
    HeightInData,
    Garbage,
    TrailingByte,
    Commitment,
    Zero,
    Order,
    Missing,
    OthersSignature,
    StrangersSignature,
    OtherTag,
    OtherData,
    HighS,
    Short,
    V(u8),
    ZeroSignature,
    Nothing,
    Huge,
    Silent,
    /// A true attestation of the height before, as it was given then.
    Stale,
    /// The same, said to be of the height asked for.
    StaleRelabelled,
    Status(Code, &'static str),
}

/// A member that holds its own key and says what it likes.
#[derive(Debug)]
struct Liar {
    attestor: Arc<Attestor>,
    lie: Lie,
    statement_lied_about: Statement,
}

impl Liar {
    async fn serve(self) -> Served {
        let listener = TcpListener::bind(loopback()).await.unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, stopped) = oneshot::channel::<()>();
        let incoming = futures::stream::unfold(listener, |listener| async move {
            let accepted = listener.accept().await.map(|(stream, _)| stream);
            Some((accepted, listener))
        });
        let router = tonic::transport::Server::builder().add_service(AttestationServiceServer::new(self));
        tokio::spawn(router.serve_with_incoming_shutdown(incoming, async move {
            let _ = stopped.await;
        }));
        Served::of(address, stop)
    }

    /// The height that is attested when `asked` is asked for.
    fn height_of(&self, statement: Statement, asked: u64) -> u64 {
        let stale = matches!(self.lie, Lie::Stale | Lie::StaleRelabelled) && statement == self.statement_lied_about;
        asked - u64::from(stale)
    }

    async fn tell(&self, statement: Statement, truth: Attestation) -> Result<Option<Attestation>, Status> {
        if statement != self.statement_lied_about {
            return Ok(Some(truth));
        }
        let again = |data: Vec<u8>| {
            let signature = sign(&Key::new(LIAR), statement, &data).to_vec();
            Some(Attestation { attested_data: data, signature, ..truth.clone() })
        };
        let signed_by = |seed, statement, data: &[u8]| {
            let signature = sign(&Key::new(seed), statement, data).to_vec();
            Some(Attestation { signature, ..truth.clone() })
        };
        let with_signature = |signature: Vec<u8>| Some(Attestation { signature, ..truth.clone() });
        let other_tag = match statement {
            Statement::State => Statement::Packets,
            Statement::Packets => Statement::State,
        };
        Ok(match self.lie {
            Lie::None | Lie::Stale => Some(truth),
            Lie::Height | Lie::StaleRelabelled => Some(Attestation { height: truth.height + 1, ..truth }),
            Lie::Garbage => again(vec![0xab; 64]),
            Lie::TrailingByte => again([truth.attested_data.as_slice(), &[0]].concat()),
            Lie::Time | Lie::HeightInData | Lie::Commitment | Lie::Zero | Lie::Order | Lie::Missing => {
                again(altered(self.lie, statement, &truth.attested_data))
            }
            Lie::OthersSignature => signed_by(HONEST, statement, &truth.attested_data),
            Lie::StrangersSignature => signed_by(STRANGER, statement, &truth.attested_data),
            Lie::OtherTag => signed_by(LIAR, other_tag, &truth.attested_data),
            Lie::OtherData => signed_by(LIAR, statement, b"something else"),
            Lie::HighS => with_signature(malleated(&truth.signature)),
            Lie::Short => with_signature(truth.signature[..64].to_vec()),
            Lie::V(v) => with_signature([&truth.signature[..64], &[v]].concat()),
            Lie::VOfZeroOrOne => {
                let v = truth.signature[64] - 27;
                with_signature([&truth.signature[..64], &[v]].concat())
            }
            Lie::ZeroSignature => with_signature(vec![0; 65]),
            Lie::Nothing => None,
            Lie::Huge => again(vec![0; 600 * 1024]),
            Lie::Silent => std::future::pending().await,
            Lie::Status(code, message) => return Err(Status::new(code, message)),
        })
    }
}

fn altered(lie: Lie, statement: Statement, data: &[u8]) -> Vec<u8> {
    if statement == Statement::State {
        let mut state = StateAttestation::decode(data).unwrap();
        match lie {
            Lie::Time => state.timestamp_seconds += 1,
            _ => state.height += 1,
        }
        return state.encode();
    }
    let mut packets = PacketAttestation::decode(data).unwrap();
    match lie {
        Lie::Commitment => packets.entries[1].commitment.0[31] ^= 1,
        Lie::Zero => packets.entries[0].commitment = Hash32([0; 32]),
        Lie::Order => packets.entries.swap(0, 1),
        Lie::Missing => drop(packets.entries.pop()),
        _ => packets.height += 1,
    }
    packets.encode()
}

/// The other signature of the same key over the same digest: n - s, and the other recovery id.
fn malleated(signature: &[u8]) -> Vec<u8> {
    let parsed = k256::ecdsa::Signature::from_slice(&signature[..64]).unwrap();
    let (r, s) = parsed.split_scalars();
    let other = k256::ecdsa::Signature::from_scalars(r.to_bytes(), (-*s).to_bytes()).unwrap();
    let v = 27 + (1 - (signature[64] - 27));
    [other.to_bytes().to_vec(), vec![v]].concat()
}

#[tonic::async_trait]
impl AttestationService for Liar {
    async fn state_attestation(
        &self,
        request: Request<StateAttestationRequest>,
    ) -> Result<Response<StateAttestationResponse>, Status> {
        let height = self.height_of(Statement::State, request.get_ref().height);
        let signed = self.attestor.attest_state(height).await?;
        let truth = Attestation {
            height: signed.attestation.height,
            timestamp: None,
            attested_data: signed.data.clone(),
            signature: signed.signature.to_vec(),
        };
        let attestation = self.tell(Statement::State, truth).await?;
        Ok(Response::new(StateAttestationResponse { attestation }))
    }

    async fn packet_attestation(
        &self,
        request: Request<PacketAttestationRequest>,
    ) -> Result<Response<PacketAttestationResponse>, Status> {
        let request = request.into_inner();
        let packets: Vec<Packet> = request.packets.iter().map(|bytes| Packet::abi_decode(bytes).unwrap()).collect();
        let kind = CommitmentKind::from_wire(request.commitment_type).unwrap();
        let height = self.height_of(Statement::Packets, request.height);
        let signed = self.attestor.attest_packets(height, kind, &packets).await?;
        let truth = Attestation {
            height: signed.attestation.height,
            timestamp: None,
            attested_data: signed.data.clone(),
            signature: signed.signature.to_vec(),
        };
        let attestation = self.tell(Statement::Packets, truth).await?;
        Ok(Response::new(PacketAttestationResponse { attestation }))
    }

    async fn latest_height(&self, _: Request<LatestHeightRequest>) -> Result<Response<LatestHeightResponse>, Status> {
        Ok(Response::new(LatestHeightResponse { height: self.attestor.latest_height() }))
    }
}

/// This node, an honest member and a liar, all reached as in production.
struct Consortium {
    members: Vec<Member>,
    liar: Operator,
    _served: [Served; 2],
}

impl Consortium {
    async fn new(lie: Lie, statement_lied_about: Statement) -> Self {
        let world = World::new();
        let [own, honest, liar] = [OWN, HONEST, LIAR].map(|seed| Operator::new(&world, seed));
        let honest_served = honest.serve().await;
        let lying = Liar { attestor: Arc::clone(&liar.attestor), lie, statement_lied_about };
        let lying_served = lying.serve().await;
        let members = vec![
            liar.member("three", Reach::Remote(lying_served.client())),
            own.member("own", Reach::Local(Arc::clone(&own.attestor))),
            honest.member("two", Reach::Remote(honest_served.client())),
        ];
        Self { members, liar, _served: [honest_served, lying_served] }
    }
}

/// With all three signatures needed, the liar's answer is what is missing; with two, the work goes on without it and
/// the metric names it.
async fn check_one(lie: Lie, statement: Statement, expect: &str) {
    let consortium = Consortium::new(lie, statement).await;
    let packets = [sent(2), sent(1)];
    let strict = collector(consortium.members.clone(), 3, &metrics()).unwrap();
    let error = strict.collect(HEAD, CommitmentKind::Packet, &packets, 8).await.unwrap_err();
    let CollectError::NotEnough { have: 2, need: 3, left_out } = &error else { panic!("{lie:?}: {error}") };
    let got: Vec<_> = left_out.iter().map(|exclusion| (exclusion.member.as_str(), exclusion.code.code())).collect();
    assert_eq!(got, [("three", expect)], "{lie:?}: {error}");

    let metrics = metrics();
    let usual = collector(consortium.members.clone(), 2, &metrics).unwrap();
    let collected = usual.collect(HEAD, CommitmentKind::Packet, &packets, 8).await.unwrap();
    assert_eq!((collected.state.signatures.len(), collected.chunks.len()), (2, 1), "{lie:?}");
    let name = format!(r#"catenary_attestor_exclusions_total{{chain="evm",code="{expect}",member="three"}}"#);
    let named = async {
        while series(&metrics, &name) < Some(1.0) {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(20), named).await.expect("the liar is named in the metric");
}

async fn check(rows: &[(Lie, Statement, &str)]) {
    for (lie, statement, expect) in rows {
        check_one(*lie, *statement, expect).await;
    }
}

use Statement::{Packets, State};

#[tokio::test]
async fn wrong_contents_are_left_out() {
    check(&[
        (Lie::Time, State, "ATT-109"),
        (Lie::Height, State, "ATT-108"),
        (Lie::Height, Packets, "ATT-108"),
        (Lie::HeightInData, State, "ATT-108"),
        (Lie::HeightInData, Packets, "ATT-108"),
        (Lie::Garbage, State, "ATT-107"),
        (Lie::Garbage, Packets, "ATT-107"),
        (Lie::TrailingByte, State, "ATT-107"),
        (Lie::TrailingByte, Packets, "ATT-107"),
        (Lie::Commitment, Packets, "ATT-110"),
        (Lie::Zero, Packets, "ATT-110"),
        (Lie::Order, Packets, "ATT-110"),
        (Lie::Missing, Packets, "ATT-110"),
        (Lie::Nothing, State, "ATT-107"),
        (Lie::Nothing, Packets, "ATT-107"),
    ])
    .await;
}

/// What a member signed for an older height is true and of no use: replayed, it must not stand for the height asked for.
#[tokio::test]
async fn true_attestations_of_an_older_height_are_left_out() {
    check(&[
        (Lie::Stale, State, "ATT-108"),
        (Lie::Stale, Packets, "ATT-108"),
        (Lie::StaleRelabelled, State, "ATT-108"),
        (Lie::StaleRelabelled, Packets, "ATT-108"),
    ])
    .await;
}

#[tokio::test]
async fn signatures_by_others_and_in_other_forms_are_left_out() {
    check(&[
        (Lie::OthersSignature, State, "ATT-112"),
        (Lie::OthersSignature, Packets, "ATT-112"),
        (Lie::StrangersSignature, State, "ATT-113"),
        (Lie::StrangersSignature, Packets, "ATT-113"),
        (Lie::OtherTag, State, "ATT-113"),
        (Lie::OtherTag, Packets, "ATT-113"),
        (Lie::OtherData, Packets, "ATT-113"),
        (Lie::HighS, State, "ATT-111"),
        (Lie::HighS, Packets, "ATT-111"),
        (Lie::Short, State, "ATT-111"),
        (Lie::V(2), State, "ATT-111"),
        (Lie::V(26), State, "ATT-111"),
        (Lie::V(29), Packets, "ATT-111"),
        (Lie::ZeroSignature, Packets, "ATT-111"),
    ])
    .await;
}

#[tokio::test]
async fn refusals_silence_and_size_are_left_out() {
    check(&[
        (Lie::Huge, State, "ATT-103"),
        (Lie::Huge, Packets, "ATT-103"),
        (Lie::Silent, State, "ATT-102"),
        (Lie::Silent, Packets, "ATT-102"),
        (Lie::Status(Code::FailedPrecondition, "height 6 > head 3"), State, "ATT-104"),
        (Lie::Status(Code::FailedPrecondition, "ATT-008: height 6: NODE-PRV-001"), State, "ATT-104"),
        (Lie::Status(Code::Unavailable, "ATT-008: height 6: EVM-RPC-001"), State, "ATT-104"),
        (Lie::Status(Code::FailedPrecondition, "ATT-010: the signer refused"), State, "ATT-106"),
        (Lie::Status(Code::ResourceExhausted, "ATT-011: busy"), State, "ATT-106"),
        (Lie::Status(Code::PermissionDenied, "no"), State, "ATT-106"),
        (Lie::Status(Code::Internal, "boom"), State, "ATT-107"),
        (Lie::Status(Code::DeadlineExceeded, "late"), State, "ATT-102"),
        (Lie::Status(Code::FailedPrecondition, "ATT-007: packets 0=A,1=B cannot"), Packets, "ATT-105"),
    ])
    .await;
}

#[tokio::test]
async fn the_truth_counts_also_with_a_recovery_id_of_zero_or_one() {
    for lie in [Lie::None, Lie::VOfZeroOrOne] {
        let consortium = Consortium::new(lie, State).await;
        let collector = collector(consortium.members.clone(), 3, &metrics()).unwrap();
        let collected = collector.collect(HEAD, CommitmentKind::Packet, &[sent(1)], 8).await.unwrap();
        assert_eq!(collected.left_out, []);
        assert_eq!(collected.state.signatures.len(), 3);
        assert!(collected.state.signatures.iter().all(|signature| matches!(signature[64], 27 | 28)), "{lie:?}");
    }
}

#[tokio::test]
async fn invented_refusals_cannot_take_packets_out_while_enough_others_sign() {
    let refusal = Lie::Status(Code::FailedPrecondition, "ATT-007: packets 0=A,1=B,7=C,99999999999999999999=D cannot");
    let consortium = Consortium::new(refusal, Packets).await;
    let collector = collector(consortium.members.clone(), 2, &metrics()).unwrap();
    let collected = collector.collect(HEAD, CommitmentKind::Packet, &[sent(2), sent(1)], 8).await.unwrap();
    assert_eq!(collected.refused, []);
    assert_eq!(collected.chunks[0].indexes, [0, 1]);
}

#[tokio::test]
async fn one_more_invented_refusal_each_round_ends_after_the_last_round() {
    let refusal = Lie::Status(Code::FailedPrecondition, "ATT-007: packets 0=A cannot");
    let consortium = Consortium::new(refusal, Packets).await;
    let collector = collector(consortium.members.clone(), 3, &metrics()).unwrap();
    let packets: Vec<Packet> = (1..=8).map(sent).collect();
    let error = collector.collect(HEAD, CommitmentKind::Packet, &packets, 8).await.unwrap_err();
    assert_eq!(error.code(), "ATT-202");
    let asked = consortium.liar.prover.calls.load(std::sync::atomic::Ordering::SeqCst);
    assert_eq!(asked, 1 + crate::attestor::limits::REFUSAL_ROUNDS_MAX);
}

#[tokio::test]
async fn no_more_requests_wait_for_a_silent_member_than_the_bound() {
    let consortium = Consortium::new(Lie::Silent, Packets).await;
    let Reach::Remote(silent) = &consortium.members[0].reach else { panic!() };
    let asks = (0..=crate::attestor::limits::PEER_WAITING_MAX).map(|_| {
        let silent = silent.clone();
        async move { ask_packets(&silent, HEAD, &[sent(1)]).await.unwrap_err() }
    });
    let failures = futures::future::join_all(asks).await;
    let (last, waited) = failures.split_last().unwrap();
    assert!(last.1.contains("wait for this member already"), "{last:?}");
    assert!(waited.iter().all(|failure| failure.0 == ExclusionCode::Silent), "{waited:?}");
    assert!(waited.iter().all(|failure| !failure.1.contains("already")), "{waited:?}");
}
