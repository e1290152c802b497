//! The attestor over gRPC, for peers.
//!
//! Plain text on loopback only; elsewhere mutual TLS, and the peer's certificate must be pinned. What is refused
//! costs as little as possible: connections and requests in flight are bounded by the transport, then by peer, then
//! in all; bytes are bounded before they are decoded; unknown clients are refused before any request to a chain.

mod admission;
mod incoming;

use std::collections::BTreeSet;
use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;

use sha2::{Digest, Sha256};
use tokio::net::TcpListener;
use tonic::{Request, Response, Status};

use self::admission::{Admission, Peer, Permit};
use super::error::AttestError;
use super::limits;
use super::service::{Attestor, CommitmentKind};
use super::tls::{ServerTls, TransportError};
use super::wire::attestation_service_server::{AttestationService, AttestationServiceServer};
use super::wire::{
    Attestation, LatestHeightRequest, LatestHeightResponse, PacketAttestationRequest, PacketAttestationResponse,
    StateAttestationRequest, StateAttestationResponse,
};
use crate::failpoint::failpoint;
use crate::telemetry::metrics::{AttestationKind, AttestationOutcome};
use catenary_protocol::Packet;

/// Where to listen.
#[derive(Clone, Debug)]
pub struct Listen {
    /// Address; without TLS it must be a loopback address.
    pub address: SocketAddr,
    /// Mutual TLS with pinned peers.
    pub tls: Option<ServerTls>,
}

impl Listen {
    /// Checks what can be checked without opening the address.
    ///
    /// # Errors
    /// [`TransportError::PlainText`] or [`TransportError::NoPins`].
    pub fn check(&self) -> Result<(), TransportError> {
        match &self.tls {
            None if !self.address.ip().is_loopback() => {
                Err(TransportError::PlainText { address: self.address.to_string() })
            }
            Some(tls) if tls.pinned.is_empty() => Err(TransportError::NoPins { address: self.address }),
            _ => Ok(()),
        }
    }
}

/// A bound listener with the attestor that it will serve.
#[derive(Debug)]
pub struct Server {
    attestor: Arc<Attestor>,
    listener: TcpListener,
    address: SocketAddr,
    tls: Option<ServerTls>,
}

impl Server {
    /// Opens the address; nothing is served before [`run`](Self::run).
    ///
    /// # Errors
    /// A listener that others could reach without TLS and pins, or an address that cannot be opened.
    pub async fn bind(attestor: Arc<Attestor>, listen: Listen) -> Result<Self, TransportError> {
        listen.check()?;
        let failed = |source| TransportError::Listen { address: listen.address, source };
        let listener = TcpListener::bind(listen.address).await.map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        Ok(Self { attestor, listener, address, tls: listen.tls })
    }

    /// The address that is open, with its port.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Serves until `shutdown` is done, and lets the requests in flight finish.
    ///
    /// # Errors
    /// Certificates that cannot be used, or a failure of the transport.
    pub async fn run(self, shutdown: impl Future<Output = ()> + Send) -> Result<(), TransportError> {
        let mut builder = tonic::transport::Server::builder()
            .max_concurrent_streams(u32::try_from(limits::PEER_REQUESTS_MAX).unwrap_or(1))
            .timeout(limits::REQUEST_DEADLINE)
            .http2_keepalive_interval(Some(limits::KEEPALIVE))
            .http2_keepalive_timeout(Some(limits::KEEPALIVE))
            .http2_max_header_list_size(limits::RESPONSE_HEADER_BYTES_MAX);
        if let Some(tls) = &self.tls {
            builder = builder.tls_config(tls.config())?;
        }
        let service = Service {
            attestor: self.attestor,
            admission: Admission::new(limits::PEER_REQUESTS_MAX, limits::REQUESTS_MAX),
            pinned: self.tls.map(|tls| tls.pinned),
        };
        let service = AttestationServiceServer::new(service).max_decoding_message_size(limits::REQUEST_BYTES_MAX);
        let incoming = incoming::bounded(self.listener, limits::CONNECTIONS_MAX, limits::CONNECTION_IDLE);
        builder.add_service(service).serve_with_incoming_shutdown(incoming, shutdown).await?;
        Ok(())
    }
}

/// The service of an attestor without a transport, for peers in the same process: for simulations.
#[cfg(feature = "simulation")]
#[must_use]
pub fn direct(attestor: Arc<Attestor>) -> Arc<dyn AttestationService> {
    let admission = Admission::new(limits::REQUESTS_MAX, limits::REQUESTS_MAX);
    Arc::new(Service { attestor, admission, pinned: None })
}

struct Service {
    attestor: Arc<Attestor>,
    admission: Arc<Admission>,
    pinned: Option<BTreeSet<[u8; 32]>>,
}

impl Service {
    /// Who asks, if it may; holds its place among the requests in flight until dropped.
    fn admit<T>(&self, request: &Request<T>) -> Result<Permit, AttestError> {
        let peer = match (&self.pinned, request.remote_addr()) {
            (Some(pinned), _) => {
                let leaf = request.peer_certs().and_then(|chain| chain.first().map(|leaf| Sha256::digest(leaf).into()));
                let refused = || AttestError::Unpinned {
                    got: leaf.map_or_else(|| "none".to_owned(), |hash: [u8; 32]| hex::encode(hash)),
                    pinned: pinned.len(),
                };
                Peer::Certificate(leaf.filter(|hash| pinned.contains(hash)).ok_or_else(refused)?)
            }
            (None, address) => Peer::Connection(address),
        };
        self.admission.admit(peer)
    }

    /// Counts what is refused before the attestor is asked, which counts the rest.
    fn counted<T>(&self, kind: AttestationKind, result: Result<T, AttestError>) -> Result<T, AttestError> {
        if result.is_err() {
            self.attestor.metrics().attestor_request(self.attestor.chain(), kind, AttestationOutcome::Refused);
        }
        result
    }
}

#[tonic::async_trait]
impl AttestationService for Service {
    async fn state_attestation(
        &self,
        request: Request<StateAttestationRequest>,
    ) -> Result<Response<StateAttestationResponse>, Status> {
        let _permit = self.counted(AttestationKind::State, self.admit(&request))?;
        let signed = self.attestor.attest_state(request.get_ref().height).await?;
        let attestation = Attestation {
            height: signed.attestation.height,
            timestamp: Some(signed.attestation.timestamp_seconds),
            attested_data: signed.data.clone(),
            signature: signed.signature.to_vec(),
        };
        Ok(Response::new(StateAttestationResponse { attestation: Some(attestation) }))
    }

    async fn packet_attestation(
        &self,
        request: Request<PacketAttestationRequest>,
    ) -> Result<Response<PacketAttestationResponse>, Status> {
        let asked = kind_of(request.get_ref()).unwrap_or(CommitmentKind::Packet).metric();
        let _permit = self.counted(asked, self.admit(&request))?;
        let (kind, packets) = self.counted(asked, decode(request.get_ref()))?;
        let signed = self.attestor.attest_packets(request.get_ref().height, kind, &packets).await?;
        failpoint("attestor.answer");
        let attestation = Attestation {
            height: signed.attestation.height,
            timestamp: None,
            attested_data: signed.data.clone(),
            signature: signed.signature.to_vec(),
        };
        Ok(Response::new(PacketAttestationResponse { attestation: Some(attestation) }))
    }

    async fn latest_height(
        &self,
        request: Request<LatestHeightRequest>,
    ) -> Result<Response<LatestHeightResponse>, Status> {
        let _permit = self.admit(&request)?;
        Ok(Response::new(LatestHeightResponse { height: self.attestor.latest_height() }))
    }
}

fn kind_of(request: &PacketAttestationRequest) -> Result<CommitmentKind, AttestError> {
    let got = request.commitment_type;
    CommitmentKind::from_wire(got).ok_or(AttestError::Kind { got })
}

fn decode(request: &PacketAttestationRequest) -> Result<(CommitmentKind, Vec<Packet>), AttestError> {
    let kind = kind_of(request)?;
    let (got, max) = (request.packets.len(), limits::REQUEST_PACKETS_MAX);
    if got == 0 || got > max {
        return Err(AttestError::Count { got, max });
    }
    let packets = request
        .packets
        .iter()
        .enumerate()
        .map(|(index, bytes)| Packet::abi_decode(bytes).map_err(|source| AttestError::Packet { index, source }));
    Ok((kind, packets.collect::<Result<_, _>>()?))
}
