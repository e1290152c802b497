//! A peer's attestation service: one lazily opened HTTP/2 channel, bounded in requests, bytes and time.

use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Semaphore;
use tonic::transport::{Channel, Endpoint, Uri};
use tonic::{Code, Request, Response, Status};

use crate::attestor::error::{refused_indexes, AttestError};
use crate::attestor::exclusion::ExclusionCode;
use crate::attestor::limits;
use crate::attestor::service::CommitmentKind;
use crate::attestor::tls::{ClientTls, TransportError};
use crate::attestor::wire::attestation_service_client::AttestationServiceClient;
#[cfg(feature = "simulation")]
use crate::attestor::wire::attestation_service_server::AttestationService;
use crate::attestor::wire::{
    Attestation, LatestHeightRequest, LatestHeightResponse, PacketAttestationRequest, PacketAttestationResponse,
    StateAttestationRequest, StateAttestationResponse,
};
use crate::platform;

/// What is asked of a peer.
#[derive(Clone, Debug)]
pub(super) enum Ask {
    /// The state at a height.
    State {
        /// Height.
        height: u64,
    },
    /// Packets at a height.
    Packets {
        /// Height.
        height: u64,
        /// What of them.
        kind: CommitmentKind,
        /// ABI-encoded packets, in order.
        packets: Vec<Vec<u8>>,
    },
}

impl Ask {
    pub(super) const fn height(&self) -> u64 {
        match self {
            Self::State { height } | Self::Packets { height, .. } => *height,
        }
    }

    fn packets(&self) -> usize {
        match self {
            Self::State { .. } => 0,
            Self::Packets { packets, .. } => packets.len(),
        }
    }
}

/// Why a peer's answer does not count.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Failure {
    pub(super) code: ExclusionCode,
    pub(super) detail: String,
    /// Places of the packets that it would not attest, in the list that was asked for.
    pub(super) refused: Vec<usize>,
}

impl Failure {
    pub(super) fn new(code: ExclusionCode, detail: impl Into<String>) -> Self {
        Self { code, detail: detail.into(), refused: Vec::new() }
    }
}

/// How long a peer may take.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Deadlines {
    /// For an attestation, the wait for a free place included.
    pub attestation: Duration,
    /// For its head.
    pub head: Duration,
}

impl Default for Deadlines {
    fn default() -> Self {
        Self { attestation: limits::REQUEST_DEADLINE, head: limits::HEAD_DEADLINE }
    }
}

/// The channel to a peer's attestation service for one attested chain. Clones share the channel and its bounds, so a
/// node needs one for each (peer, chain) and gives clones to its collectors.
#[derive(Clone)]
pub struct PeerClient {
    url: Arc<str>,
    client: Transport,
    waiting: Arc<Semaphore>,
    attesting: Arc<Semaphore>,
    heads: Arc<Semaphore>,
    deadlines: Deadlines,
}

/// How a peer is reached.
#[derive(Clone)]
enum Transport {
    Grpc(Arc<AttestationServiceClient<Channel>>),
    /// In a simulation: the peer's service, called in this process.
    #[cfg(feature = "simulation")]
    Direct(Arc<dyn AttestationService>),
}

impl Transport {
    async fn latest_height(
        &self,
        request: Request<LatestHeightRequest>,
    ) -> Result<Response<LatestHeightResponse>, Status> {
        match self {
            Self::Grpc(client) => AttestationServiceClient::clone(client).latest_height(request).await,
            #[cfg(feature = "simulation")]
            Self::Direct(service) => service.latest_height(request).await,
        }
    }

    async fn state_attestation(
        &self,
        request: Request<StateAttestationRequest>,
    ) -> Result<Response<StateAttestationResponse>, Status> {
        match self {
            Self::Grpc(client) => AttestationServiceClient::clone(client).state_attestation(request).await,
            #[cfg(feature = "simulation")]
            Self::Direct(service) => service.state_attestation(request).await,
        }
    }

    async fn packet_attestation(
        &self,
        request: Request<PacketAttestationRequest>,
    ) -> Result<Response<PacketAttestationResponse>, Status> {
        match self {
            Self::Grpc(client) => AttestationServiceClient::clone(client).packet_attestation(request).await,
            #[cfg(feature = "simulation")]
            Self::Direct(service) => service.packet_attestation(request).await,
        }
    }
}

impl fmt::Debug for PeerClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("PeerClient").field(&self.url).finish()
    }
}

impl PeerClient {
    /// The channel to `url`: `http` for loopback only, `https` with certificates elsewhere. It connects when it is
    /// first used, and again after it broke. Must be called inside the runtime.
    ///
    /// # Errors
    /// A URL that is malformed, plain text to another machine, or certificates that cannot be used.
    pub fn new(url: &str, tls: Option<&ClientTls>) -> Result<Self, TransportError> {
        let malformed = || TransportError::Url { url: url.to_owned() };
        let uri: Uri = url.parse().map_err(|_| malformed())?;
        let host = uri.host().ok_or_else(malformed)?;
        let endpoint = Endpoint::from_shared(url.to_owned())?
            .connect_timeout(limits::CONNECT_DEADLINE)
            .http2_max_header_list_size(limits::RESPONSE_HEADER_BYTES_MAX)
            .http2_keep_alive_interval(limits::KEEPALIVE)
            .keep_alive_timeout(limits::KEEPALIVE)
            .tcp_nodelay(true);
        let endpoint = match (uri.scheme_str(), tls) {
            (Some("http"), _) if is_loopback(host) => endpoint,
            (Some("http"), _) => return Err(TransportError::PlainText { address: url.to_owned() }),
            (Some("https"), Some(tls)) => endpoint.tls_config(tls.config())?,
            (Some("https"), None) => return Err(TransportError::NoTls { url: url.to_owned() }),
            _ => return Err(malformed()),
        };
        let client = AttestationServiceClient::new(endpoint.connect_lazy())
            .max_decoding_message_size(limits::RESPONSE_BYTES_MAX);
        Ok(Self::with_transport(url, Transport::Grpc(Arc::new(client))))
    }

    /// A peer whose service is called in this process: for simulations.
    #[cfg(feature = "simulation")]
    #[must_use]
    pub fn direct(name: &str, service: Arc<dyn AttestationService>) -> Self {
        Self::with_transport(name, Transport::Direct(service))
    }

    fn with_transport(url: &str, client: Transport) -> Self {
        Self {
            url: url.into(),
            client,
            waiting: Arc::new(Semaphore::new(limits::PEER_WAITING_MAX)),
            attesting: Arc::new(Semaphore::new(limits::PEER_REQUESTS_MAX - 1)),
            heads: Arc::new(Semaphore::new(1)),
            deadlines: Deadlines::default(),
        }
    }

    /// The same channel with other deadlines.
    #[must_use]
    pub fn with_deadlines(self, deadlines: Deadlines) -> Self {
        Self { deadlines, ..self }
    }

    /// The peer's claim of its head.
    pub(super) async fn latest_height(&self) -> Result<u64, Failure> {
        let deadline = self.deadlines.head;
        let asking = async {
            let _place = self.heads.acquire().await;
            self.client.latest_height(in_time(LatestHeightRequest {}, deadline)).await
        };
        let response = self.bounded(deadline, asking).await?.map_err(|status| failure(&status, 0))?;
        Ok(response.into_inner().height)
    }

    /// The peer's attestation, unjudged.
    pub(super) async fn attest(&self, ask: &Ask) -> Result<Option<Attestation>, Failure> {
        let deadline = self.deadlines.attestation;
        let asking = async {
            let _place = self.attesting.acquire().await;
            match ask {
                Ask::State { height } => {
                    let request = StateAttestationRequest { height: *height };
                    let response = self.client.state_attestation(in_time(request, deadline)).await?;
                    Ok(response.into_inner().attestation)
                }
                Ask::Packets { height, kind, packets } => {
                    let (packets, commitment_type) = (packets.clone(), *kind as i32);
                    let request = PacketAttestationRequest { packets, height: *height, commitment_type };
                    let response = self.client.packet_attestation(in_time(request, deadline)).await?;
                    Ok(response.into_inner().attestation)
                }
            }
        };
        self.bounded(deadline, asking).await?.map_err(|status: Status| failure(&status, ask.packets()))
    }

    /// Runs a request within its deadline, the wait for its turn included, unless too many wait already.
    async fn bounded<T>(&self, deadline: Duration, asking: impl Future<Output = T>) -> Result<T, Failure> {
        let Ok(_place) = self.waiting.try_acquire() else {
            let detail = format!("{} requests wait for this member already", limits::PEER_WAITING_MAX);
            return Err(Failure::new(ExclusionCode::Silent, detail));
        };
        let silent = || Failure::new(ExclusionCode::Silent, format!("no answer within {} ms", deadline.as_millis()));
        platform::within(deadline, asking).await.ok_or_else(silent)
    }
}

/// A request whose deadline the peer is told, so that it does no work for nothing.
fn in_time<T>(message: T, deadline: Duration) -> Request<T> {
    let mut request = Request::new(message);
    request.set_timeout(deadline);
    request
}

fn is_loopback(host: &str) -> bool {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    host == "localhost" || bare.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

/// What a peer's refusal means. Its words are read for the places of refused packets and are otherwise only shown.
fn failure(status: &Status, packets: usize) -> Failure {
    let message = cut(status.message());
    let refused = refused_indexes(message, packets);
    let ours = AttestError::code_of(message);
    // A status that a peer sent has no source: one that has was made here, by the transport.
    let transport = std::error::Error::source(status);
    let code = match status.code() {
        Code::Unavailable | Code::Unknown if transport.is_some() => ExclusionCode::Unreachable,
        Code::FailedPrecondition if !refused.is_empty() => ExclusionCode::RefusedPackets,
        Code::FailedPrecondition | Code::Unavailable if ours == Some(AttestError::HEIGHT_CODE) => ExclusionCode::Behind,
        Code::FailedPrecondition if ours.is_none() => ExclusionCode::Behind,
        Code::Unavailable => ExclusionCode::Unreachable,
        Code::DeadlineExceeded | Code::Cancelled => ExclusionCode::Silent,
        Code::OutOfRange => ExclusionCode::TooLarge,
        Code::Internal if ours.is_none() => ExclusionCode::Malformed,
        _ => ExclusionCode::Refused,
    };
    let mut detail = format!("{:?}: {message:?}", status.code());
    let mut cause = transport;
    while let Some(error) = cause {
        detail = format!("{detail}: {error}");
        cause = error.source();
    }
    Failure { code, detail: cut(&detail).to_owned(), refused }
}

/// The start of a peer's message, at a character boundary.
fn cut(message: &str) -> &str {
    let mut end = message.len().min(limits::REFUSAL_BYTES_MAX);
    while !message.is_char_boundary(end) {
        end -= 1;
    }
    &message[..end]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_words_of_a_peer_are_cut_between_characters() {
        let long = "\u{1f600}".repeat(2_000);
        let cut_long = cut(&long);
        assert!(cut_long.len() <= limits::REFUSAL_BYTES_MAX && cut_long.len() > limits::REFUSAL_BYTES_MAX - 4);
        assert_eq!(cut("short"), "short");
    }
}
