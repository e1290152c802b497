//! Mutual TLS between members that are not on one machine, with pinned certificates.
//!
//! Plain text is for loopback only, on both sides. A server takes only clients whose leaf certificate it has pinned by
//! SHA-256; a client takes only a server that chains to the certificate it was given for that member, which is best
//! the member's own self-signed one.

use std::collections::BTreeSet;
use std::fmt;
use std::net::SocketAddr;

use thiserror::Error as ThisError;
use tonic::transport::{Certificate, ClientTlsConfig, Identity, ServerTlsConfig};

/// Why a listener or a peer cannot be set up.
#[derive(Debug, ThisError)]
#[non_exhaustive]
pub enum TransportError {
    /// Plain text on an address that others can reach.
    #[error("{address} is not a loopback address and has no TLS; give certificates and pins, or listen on 127.0.0.1")]
    PlainText {
        /// The address or URL.
        address: String,
    },
    /// TLS without a pinned certificate would let in nobody.
    #[error("TLS for {address} has no pinned peer certificate; pin the sha256 of each member's certificate")]
    NoPins {
        /// The address.
        address: SocketAddr,
    },
    /// A URL is malformed.
    #[error("{url:?} is not a URL of the form http://127.0.0.1:PORT or https://HOST:PORT")]
    Url {
        /// The URL.
        url: String,
    },
    /// An https URL without certificates.
    #[error("{url} needs TLS; give this node's certificate and the member's")]
    NoTls {
        /// The URL.
        url: String,
    },
    /// Certificates or key are not usable, or the transport failed.
    #[error("transport of the attestation service: {0}")]
    Transport(#[from] tonic::transport::Error),
    /// The listener failed.
    #[error("listening on {address}: {source}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// Why.
        source: std::io::Error,
    },
}

impl TransportError {
    /// The stable code.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::PlainText { .. } => "ATT-301",
            Self::NoPins { .. } => "ATT-302",
            Self::Url { .. } => "ATT-303",
            Self::NoTls { .. } => "ATT-304",
            Self::Transport(_) => "ATT-305",
            Self::Listen { .. } => "ATT-306",
        }
    }
}

/// This node's certificate and key, in PEM.
#[derive(Clone)]
pub struct NodeIdentity {
    /// Certificate chain, leaf first.
    pub certificate_pem: Vec<u8>,
    /// Private key.
    pub private_key_pem: Vec<u8>,
}

impl fmt::Debug for NodeIdentity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("NodeIdentity(..)")
    }
}

impl NodeIdentity {
    fn identity(&self) -> Identity {
        Identity::from_pem(&self.certificate_pem, &self.private_key_pem)
    }
}

/// TLS of the serving side.
#[derive(Clone, Debug)]
pub struct ServerTls {
    /// This node's certificate and key.
    pub identity: NodeIdentity,
    /// Certificates that peers' certificates must chain to: the members' own, or their issuer's.
    pub peers_ca_pem: Vec<u8>,
    /// SHA-256 of the DER of each peer's leaf certificate.
    pub pinned: BTreeSet<[u8; 32]>,
}

impl ServerTls {
    pub(super) fn config(&self) -> ServerTlsConfig {
        ServerTlsConfig::new()
            .identity(self.identity.identity())
            .client_ca_root(Certificate::from_pem(&self.peers_ca_pem))
            .client_auth_optional(false)
    }
}

/// TLS of the asking side.
#[derive(Clone, Debug)]
pub struct ClientTls {
    /// This node's certificate and key.
    pub identity: NodeIdentity,
    /// The member's certificate, or its issuer's.
    pub server_ca_pem: Vec<u8>,
    /// Name in the member's certificate.
    pub server_name: String,
}

impl ClientTls {
    pub(super) fn config(&self) -> ClientTlsConfig {
        ClientTlsConfig::new()
            .identity(self.identity.identity())
            .ca_certificate(Certificate::from_pem(&self.server_ca_pem))
            .domain_name(&self.server_name)
    }
}
