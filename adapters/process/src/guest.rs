//! The guest side, for adapters written in Rust: a program whose `main` is [`serve`].
//!
//! The guest ends when its standard input ends: the host is gone, or wants it gone.
#![allow(clippy::result_large_err, reason = "the size is that of the status of tonic, which its traits return")]

use std::path::{Path, PathBuf};
use std::sync::Arc;

use async_trait::async_trait;
use catenary_api::{
    BodyView, ChainSource, Error, EventClaim, PacketSearch, PlainBuildRequest, PlainSink, PublicKey, Search, TxHash,
};
use catenary_light_clients::{Class, Hash32};
use tokio::io::AsyncReadExt as _;
use tokio::net::UnixListener;
use tokio::sync::OnceCell;
use tonic::transport::Server;
use tonic::{Request, Response, Status};

use crate::limits::{CALLS_MAX, MESSAGE_BYTES_MAX};
use crate::manifest::PROTOCOL;
use crate::proto;
use crate::proto::adapter_server::{Adapter, AdapterServer};
use crate::wire::{self, PlainMessage, Read};

/// What the host opens the adapter with.
#[derive(Clone, PartialEq, Eq)]
pub struct Opening {
    /// The chain's name in the configuration.
    pub chain: String,
    /// The chain id that transactions are signed for.
    pub chain_id: String,
    /// Endpoints in order of preference; they may hold credentials.
    pub urls: Vec<String>,
    /// Settings, in order of key.
    pub settings: Vec<(String, String)>,
}

impl Opening {
    /// A setting.
    #[must_use]
    pub fn setting(&self, key: &str) -> Option<&str> {
        self.settings.iter().find(|(name, _)| name == key).map(|(_, value)| value.as_str())
    }
}

impl core::fmt::Debug for Opening {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        // Endpoints and settings may hold credentials.
        f.debug_struct("Opening").field("chain", &self.chain).field("chain_id", &self.chain_id).finish_non_exhaustive()
    }
}

/// The sides of an opened adapter.
#[derive(Clone)]
pub struct Opened {
    /// Reads.
    pub source: Arc<dyn ChainSource>,
    /// Writes; `None` for an adapter that only reads.
    pub sink: Option<Arc<dyn PlainSink>>,
}

impl core::fmt::Debug for Opened {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Opened").field("writes", &self.sink.is_some()).finish_non_exhaustive()
    }
}

/// An adapter to serve. Name and version are those of its manifest.
pub trait Plugin: Send + Sync + 'static {
    /// Name.
    fn name(&self) -> &str;

    /// Version.
    fn version(&self) -> &str;

    /// Makes the adapter; connects to nothing yet.
    ///
    /// # Errors
    /// A setting that cannot work.
    fn open(&self, opening: Opening) -> catenary_api::Result<Opened>;
}

/// The socket that the host names on the command line: `--socket PATH`.
///
/// # Errors
/// The arguments are others.
pub fn socket_of(mut arguments: impl Iterator<Item = std::ffi::OsString>) -> Result<PathBuf, String> {
    match (arguments.nth(1), arguments.next(), arguments.next()) {
        (Some(flag), Some(path), None) if flag == "--socket" => Ok(PathBuf::from(path)),
        _ => Err("usage: --socket PATH; this program is started by catenary".to_owned()),
    }
}

/// Serves an adapter on a socket until standard input ends.
///
/// # Errors
/// The socket cannot be opened, or serving failed.
pub async fn serve(plugin: impl Plugin, socket: &Path) -> std::io::Result<()> {
    let listener = UnixListener::bind(socket)?;
    let connections = futures::stream::unfold(listener, |listener| async {
        let accepted = listener.accept().await.map(|(stream, _)| stream);
        Some((accepted, listener))
    });
    let guest = Guest { plugin, opened: OnceCell::new() };
    let service = AdapterServer::new(guest)
        .max_decoding_message_size(MESSAGE_BYTES_MAX)
        .max_encoding_message_size(MESSAGE_BYTES_MAX);
    let server = Server::builder().concurrency_limit_per_connection(CALLS_MAX).add_service(service);
    server.serve_with_incoming_shutdown(connections, end_of_input()).await.map_err(std::io::Error::other)
}

async fn end_of_input() {
    let mut input = tokio::io::stdin();
    let mut buffer = [0; 64];
    while input.read(&mut buffer).await.is_ok_and(|count| count > 0) {}
}

struct Guest<P> {
    plugin: P,
    opened: OnceCell<Opened>,
}

fn refuse(reason: String) -> Status {
    Status::invalid_argument(reason)
}

impl<P: Plugin> Guest<P> {
    fn opened(&self) -> Result<&Opened, Status> {
        self.opened.get().ok_or_else(|| Status::failed_precondition("Open comes first"))
    }

    fn source(&self) -> Result<&dyn ChainSource, Status> {
        Ok(self.opened()?.source.as_ref())
    }

    fn search(&self) -> Result<&dyn PacketSearch, Status> {
        self.source()?.search().ok_or_else(|| Status::unimplemented("this adapter does not search"))
    }

    fn sink(&self) -> Result<&dyn PlainSink, Status> {
        let sink = self.opened()?.sink.as_deref();
        sink.ok_or_else(|| Status::unimplemented("this adapter only reads"))
    }
}

fn key_of(request: &proto::KeyRequest) -> Result<PublicKey, Status> {
    wire::exact("public_key", &request.public_key).map(PublicKey).map_err(refuse)
}

/// An answer: what is in it, or the error in its place.
fn answer<T, A>(
    outcome: catenary_api::Result<T>,
    good: impl FnOnce(T) -> A,
    bad: impl FnOnce(Option<proto::Error>) -> A,
) -> Result<Response<A>, Status> {
    Ok(Response::new(match outcome {
        Ok(value) => good(value),
        Err(error) => bad(Some(wire::error_to(&error))),
    }))
}

#[async_trait]
impl<P: Plugin> Adapter for Guest<P> {
    async fn open(&self, request: Request<proto::OpenRequest>) -> Result<Response<proto::OpenResponse>, Status> {
        let request = request.into_inner();
        let (name, version) = (self.plugin.name().to_owned(), self.plugin.version().to_owned());
        let settings = request.settings.into_iter().map(|setting| (setting.key, setting.value)).collect();
        let opening = Opening { chain: request.chain, chain_id: request.chain_id, urls: request.urls, settings };
        let outcome = match request.protocol {
            PROTOCOL => self.plugin.open(opening),
            other => {
                let message = format!("the host speaks protocol {other}, this adapter {PROTOCOL}; use another version");
                Err(Error { code: GUEST_PROTOCOL, class: Class::Config, message })
            }
        };
        let opened = outcome.and_then(|opened| {
            let message = "opened a second time; the host opens once".to_owned();
            self.opened.set(opened).map_err(|_| Error { code: GUEST_OPENED, class: Class::Bug, message })
        });
        let good = |()| proto::OpenResponse { error: None, name, version, protocol: PROTOCOL };
        answer(opened, good, |error| proto::OpenResponse { error, ..Default::default() })
    }

    async fn identity(
        &self,
        _request: Request<proto::IdentityRequest>,
    ) -> Result<Response<proto::IdentityResponse>, Status> {
        let outcome = self.source()?.identity().await;
        answer(outcome, wire::identity_to, |error| proto::IdentityResponse { error, ..Default::default() })
    }

    async fn head(&self, _request: Request<proto::HeadRequest>) -> Result<Response<proto::HeadResponse>, Status> {
        let outcome = self.source()?.head().await;
        answer(outcome, wire::head_to, |error| proto::HeadResponse { error, ..Default::default() })
    }

    async fn updates(&self, request: Request<proto::RangeRequest>) -> Result<Response<proto::UpdatesResponse>, Status> {
        let proto::RangeRequest { from, to } = request.into_inner();
        let outcome = self.source()?.updates(from, to).await;
        let good = |updates| proto::UpdatesResponse { error: None, updates };
        answer(outcome, good, |error| proto::UpdatesResponse { error, ..Default::default() })
    }

    async fn events(&self, request: Request<proto::RangeRequest>) -> Result<Response<proto::EventsResponse>, Status> {
        let proto::RangeRequest { from, to } = request.into_inner();
        let outcome = self.source()?.events(from, to).await;
        let good = |claims: Vec<_>| {
            let events = claims.iter().map(wire::event_to).collect();
            proto::EventsResponse { error: None, events }
        };
        answer(outcome, good, |error| proto::EventsResponse { error, ..Default::default() })
    }

    async fn proofs(&self, request: Request<proto::ProofsRequest>) -> Result<Response<proto::ProofsResponse>, Status> {
        let proto::ProofsRequest { height, paths } = request.into_inner();
        let outcome = self.source()?.proofs(height, &paths).await;
        let good = |claims: Vec<_>| {
            let proofs = claims.into_iter().map(wire::proof_to).collect();
            proto::ProofsResponse { error: None, proofs }
        };
        answer(outcome, good, |error| proto::ProofsResponse { error, ..Default::default() })
    }

    async fn present(
        &self,
        request: Request<proto::PresentRequest>,
    ) -> Result<Response<proto::PresentResponse>, Status> {
        let outcome = self.source()?.present(&request.into_inner().paths).await;
        let good = |present| proto::PresentResponse { error: None, present };
        answer(outcome, good, |error| proto::PresentResponse { error, ..Default::default() })
    }

    async fn client(&self, request: Request<proto::ClientRequest>) -> Result<Response<proto::ClientResponse>, Status> {
        let outcome = self.source()?.client(&request.into_inner().client_id).await;
        let good = |claim: Option<_>| proto::ClientResponse { error: None, client: claim.map(wire::client_to) };
        answer(outcome, good, |error| proto::ClientResponse { error, client: None })
    }

    async fn last_sequence(
        &self,
        request: Request<proto::LastSequenceRequest>,
    ) -> Result<Response<proto::LastSequenceResponse>, Status> {
        let outcome = self.search()?.last_sequence(&request.into_inner().client_id).await;
        let good = |last: Option<u64>| proto::LastSequenceResponse {
            error: None,
            known: last.is_some(),
            sequence: last.unwrap_or_default(),
        };
        answer(outcome, good, |error| proto::LastSequenceResponse { error, ..Default::default() })
    }

    async fn find(&self, request: Request<proto::FindRequest>) -> Result<Response<proto::EventsResponse>, Status> {
        let request = request.into_inner();
        let kind = wire::search_kind_from(request.kind()).map_err(refuse)?;
        let proto::FindRequest { client_id, sequences, from, to, .. } = request;
        let wanted = Search { kind, client_id: &client_id, sequences: &sequences, from, to };
        let outcome = self.search()?.find(&wanted).await;
        let good = |mut claims: Vec<EventClaim>| {
            claims.sort_by_key(|claim| claim.height);
            let events = claims.iter().map(wire::event_to).collect();
            proto::EventsResponse { error: None, events }
        };
        answer(outcome, good, |error| proto::EventsResponse { error, ..Default::default() })
    }

    async fn elsewhere(
        &self,
        _request: Request<proto::ElsewhereRequest>,
    ) -> Result<Response<proto::ElsewhereResponse>, Status> {
        self.search()?.elsewhere().await;
        Ok(Response::new(proto::ElsewhereResponse {}))
    }

    async fn account(&self, request: Request<proto::KeyRequest>) -> Result<Response<proto::AccountResponse>, Status> {
        let outcome = self.sink()?.account(&key_of(request.get_ref())?).await;
        let good = |account| proto::AccountResponse { error: None, account: Some(wire::account_to(&account)) };
        answer(outcome, good, |error| proto::AccountResponse { error, account: None })
    }

    async fn address(&self, request: Request<proto::KeyRequest>) -> Result<Response<proto::AddressResponse>, Status> {
        let outcome = self.sink()?.address(&key_of(request.get_ref())?);
        let good = |address| proto::AddressResponse { error: None, address };
        answer(outcome, good, |error| proto::AddressResponse { error, ..Default::default() })
    }

    async fn build(&self, request: Request<proto::BuildRequest>) -> Result<Response<proto::BuildResponse>, Status> {
        let sink = self.sink()?;
        let request = request.into_inner();
        let public_key = wire::exact("public_key", &request.public_key).map(PublicKey).map_err(refuse)?;
        let account = wire::there("account", request.account).and_then(wire::account_from).map_err(refuse)?;
        let messages: Vec<PlainMessage> =
            request.messages.into_iter().map(wire::message_from).collect::<Read<_>>().map_err(refuse)?;
        let calls: Vec<_> = request.calls.into_iter().map(wire::call_from).collect::<Read<_>>().map_err(refuse)?;
        let body = match (messages.is_empty(), calls.is_empty()) {
            (false, false) => return Err(refuse("both messages and calls".to_owned())),
            (false, true) => BodyView::Deliver(messages.iter().map(PlainMessage::view).collect()),
            (true, _) => BodyView::Call(&calls),
        };
        let plain = PlainBuildRequest { body, public_key: &public_key, account: &account, nonce: request.nonce };
        let outcome = sink.build_plain(plain).await;
        let good = |tx| proto::BuildResponse { error: None, tx: Some(wire::unsigned_to(&tx)) };
        answer(outcome, good, |error| proto::BuildResponse { error, tx: None })
    }

    async fn finish(&self, request: Request<proto::FinishRequest>) -> Result<Response<proto::FinishResponse>, Status> {
        let sink = self.sink()?;
        let request = request.into_inner();
        let unsigned = wire::there("tx", request.tx).and_then(wire::unsigned_from).map_err(refuse)?;
        let signature = wire::exact("signature", &request.signature).map_err(refuse)?;
        let good = |tx| proto::FinishResponse { error: None, tx: Some(wire::signed_to(&tx)) };
        answer(sink.finish(&unsigned, &signature), good, |error| proto::FinishResponse { error, tx: None })
    }

    async fn broadcast(
        &self,
        request: Request<proto::BroadcastRequest>,
    ) -> Result<Response<proto::BroadcastResponse>, Status> {
        let sink = self.sink()?;
        let tx = wire::there("tx", request.into_inner().tx).and_then(wire::signed_from).map_err(refuse)?;
        Ok(Response::new(wire::broadcast_to(&sink.broadcast(&tx).await)))
    }

    async fn receipt(
        &self,
        request: Request<proto::ReceiptRequest>,
    ) -> Result<Response<proto::ReceiptResponse>, Status> {
        let sink = self.sink()?;
        let hash = wire::exact("hash", &request.into_inner().hash).map_err(refuse)?;
        let outcome = sink.receipt(&TxHash(Hash32(hash))).await;
        let good = |receipt: Option<_>| {
            let receipt = receipt.as_ref().map(wire::receipt_to);
            proto::ReceiptResponse { error: None, receipt }
        };
        answer(outcome, good, |error| proto::ReceiptResponse { error, receipt: None })
    }
}

/// The host speaks another version of the protocol.
const GUEST_PROTOCOL: &str = "PROC-017";
/// The host opened twice.
const GUEST_OPENED: &str = "PROC-018";
