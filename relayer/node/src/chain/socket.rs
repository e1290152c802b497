//! The socket that hints come over: plain, or TLS with the certificates of known authorities and the URL's host in them.

use std::sync::Arc;
use std::time::Duration;

use futures::{SinkExt, StreamExt};
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_tungstenite::tungstenite::http::Uri;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::WebSocketStream;

use super::hint::{Hint, MESSAGE_BYTES_MAX};
use crate::platform;

/// Opening a socket is given up after this, in milliseconds.
const CONNECT_MS_MAX: u64 = 5_000;

/// Whose certificates a socket over TLS must show.
#[derive(Clone)]
pub struct Authorities(RootCertStore);

impl std::fmt::Debug for Authorities {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Authorities").field(&self.0.len()).finish()
    }
}

impl Authorities {
    /// Those that Mozilla lists, as for the endpoints themselves.
    #[must_use]
    pub fn public() -> Self {
        Self(webpki_roots::TLS_SERVER_ROOTS.iter().cloned().collect())
    }

    /// These alone; a certificate that cannot be read is none.
    #[must_use]
    pub fn of(certificates: impl IntoIterator<Item = CertificateDer<'static>>) -> Self {
        let mut roots = RootCertStore::empty();
        roots.add_parsable_certificates(certificates);
        Self(roots)
    }

    fn connector(&self) -> Option<TlsConnector> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().ok()?;
        let config = builder.with_root_certificates(self.0.clone()).with_no_client_auth();
        Some(TlsConnector::from(Arc::new(config)))
    }
}

/// What a socket runs over.
trait Wire: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Wire for T {}

/// Opens the socket of a hint; the words of a failure may hold the URL, so there are none.
async fn open(hint: &Hint) -> Option<WebSocketStream<Box<dyn Wire>>> {
    let uri: Uri = hint.url.parse().ok()?;
    let is_tls = uri.scheme_str() == Some("wss");
    let host = uri.host()?.trim_start_matches('[').trim_end_matches(']').to_owned();
    let port = uri.port_u16().unwrap_or(if is_tls { 443 } else { 80 });
    let plain = TcpStream::connect((host.as_str(), port)).await.ok()?;
    // Hints are small, and late ones are of no use.
    plain.set_nodelay(true).ok()?;
    let wire: Box<dyn Wire> = if is_tls {
        let name = ServerName::try_from(host).ok()?;
        Box::new(hint.authorities.connector()?.connect(name, plain).await.ok()?)
    } else {
        Box::new(plain)
    };
    let mut config = WebSocketConfig::default();
    config.max_message_size = Some(MESSAGE_BYTES_MAX);
    config.max_frame_size = Some(MESSAGE_BYTES_MAX);
    let opened = tokio_tungstenite::client_async_with_config(uri, wire, Some(config)).await;
    opened.ok().map(|(socket, _)| socket)
}

/// Subscribes, and calls `heard` for each message after the answer, until the socket is lost. Gives whether one came;
/// `None` when it could not be opened.
pub(super) async fn listen(hint: &Hint, heard: impl Fn()) -> Option<bool> {
    let mut socket = platform::within(Duration::from_millis(CONNECT_MS_MAX), open(hint)).await??;
    if socket.send(Message::text(hint.subscribe.clone())).await.is_err() {
        return Some(false);
    }
    let mut messages = 0_u64;
    while let Some(Ok(message)) = socket.next().await {
        match message {
            Message::Text(_) | Message::Binary(_) => {
                messages = messages.saturating_add(1);
                // The first one is the answer to the subscription.
                if messages > 1 {
                    heard();
                }
            }
            // Pongs are sent by the library.
            Message::Ping(_) | Message::Pong(_) | Message::Frame(_) => {}
            Message::Close(_) => break,
        }
    }
    Some(messages > 1)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests fail by panicking")]
    use std::sync::atomic::{AtomicUsize, Ordering};

    use rcgen::{CertificateParams, KeyPair};
    use rustls::pki_types::PrivatePkcs8KeyDer;
    use rustls::ServerConfig;
    use tokio::net::TcpListener;
    use tokio::task::JoinHandle;
    use tokio_rustls::TlsAcceptor;

    use super::*;

    /// Messages after the answer to the subscription.
    const HINTS: usize = 3;

    /// Serves one socket: expects a subscription, answers it, sends hints, and closes.
    async fn serve(wire: impl AsyncRead + AsyncWrite + Unpin) {
        let Ok(mut socket) = tokio_tungstenite::accept_async(wire).await else { return };
        let asked = socket.next().await.unwrap().unwrap();
        assert_eq!(asked, Message::text("subscribe"));
        for number in 0..=HINTS {
            socket.send(Message::text(number.to_string())).await.unwrap();
        }
        let _ = socket.close(None).await;
    }

    /// A node with a certificate for a name, its port, and the certificate.
    async fn node(name: &str, is_tls: bool) -> (u16, CertificateDer<'static>, JoinHandle<()>) {
        let key = KeyPair::generate().unwrap();
        let certificate = CertificateParams::new(vec![name.to_owned()]).unwrap().self_signed(&key).unwrap();
        let shown = certificate.der().clone();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
        let secret = PrivatePkcs8KeyDer::from(key.serialize_der()).into();
        let config = builder.with_no_client_auth().with_single_cert(vec![shown.clone()], secret).unwrap();
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let serving = tokio::spawn(async move {
            let (plain, _) = listener.accept().await.unwrap();
            if !is_tls {
                serve(plain).await;
            } else if let Ok(wire) = acceptor.accept(plain).await {
                serve(wire).await;
            }
        });
        (port, shown, serving)
    }

    #[tokio::test]
    async fn hints_come_over_tls_from_whoever_shows_a_known_certificate_for_the_host() {
        let check = |name: &'static str, is_tls: bool, scheme: &'static str, known: bool, opens: bool| async move {
            let (port, certificate, serving) = node(name, is_tls).await;
            let authorities = if known { Authorities::of([certificate]) } else { Authorities::public() };
            let url = format!("{scheme}://127.0.0.1:{port}/websocket");
            let hint = Hint { url, subscribe: "subscribe".to_owned(), authorities };
            let heard = AtomicUsize::new(0);
            let got = listen(&hint, || _ = heard.fetch_add(1, Ordering::Relaxed)).await;
            assert_eq!(got, opens.then_some(true), "{name} {is_tls} {scheme} {known}");
            assert_eq!(heard.into_inner(), if opens { HINTS } else { 0 });
            serving.abort();
        };
        check("127.0.0.1", true, "wss", true, true).await;
        check("127.0.0.1", false, "ws", true, true).await;
        // Nobody known vouches for it, or it is for another host.
        check("127.0.0.1", true, "wss", false, false).await;
        check("127.0.0.2", true, "wss", true, false).await;
        check("elsewhere.test", true, "wss", true, false).await;
        // Neither side falls back to plain text.
        check("127.0.0.1", false, "wss", true, false).await;
        check("127.0.0.1", true, "ws", true, false).await;
    }

    #[tokio::test]
    async fn what_is_no_url_opens_nothing() {
        for url in ["", "wss://", "wss://[", "wss://127.0.0.1:1/", "ws://127.0.0.1:1/", "nothing"] {
            let hint = Hint { url: url.to_owned(), subscribe: String::new(), authorities: Authorities::public() };
            assert_eq!(listen(&hint, || ()).await, None, "{url}");
        }
    }
}
