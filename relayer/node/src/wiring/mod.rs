//! Where config becomes running parts: the one place that knows families and adapters by name.

mod chains;
mod endpoints;
mod keeper;
mod keys;
mod lost;
mod paths;
mod run;

use catenary_core::StoreError;
use catenary_light_clients::Class;
use thiserror::Error as ThisError;

use crate::attestor::{CollectError, TransportError};
use crate::chain::ProveError;
use crate::config::ConfigErrors;
use crate::keystore::KeystoreError;
use crate::relay::SendError;

pub use chains::{
    build_adapter, check_chain_id, check_contracts, check_process, connect, observer_for, saved, with_anchors,
    FamilyAdapter,
};
pub use endpoints::{endpoints_for_tools, over_endpoints};
pub use keeper::{keep, KeepPlan};
pub use keys::send_policy;
pub use paths::{restore, restore_ends, AttestorSigner, PathEnd, Signers};
pub use run::{health_for, metrics_for, run};

/// Why a node does not start.
#[derive(Debug, ThisError)]
#[non_exhaustive]
pub enum WiringError {
    /// An adapter refused its settings, or its endpoint failed.
    #[error(transparent)]
    Chain(#[from] catenary_api::Error),
    /// The light client cannot start.
    #[error(transparent)]
    Prove(#[from] ProveError),
    /// A key is missing, or is not for this.
    #[error(transparent)]
    Keystore(#[from] KeystoreError),
    /// The configuration does not fit the keystore.
    #[error(transparent)]
    Config(#[from] ConfigErrors),
    /// Journal or store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A sender.
    #[error(transparent)]
    Send(#[from] SendError),
    /// Attestors.
    #[error(transparent)]
    Collect(#[from] CollectError),
    /// The attestation service cannot listen.
    #[error(transparent)]
    Transport(#[from] TransportError),
    /// Something is not there yet.
    #[error("{what}; {next}")]
    Missing {
        /// What.
        what: String,
        /// What to do.
        next: String,
    },
    /// The endpoint serves another network, or an address holds no contract.
    #[error("{what}: the chain says {got}, the configuration {expected}; {next}")]
    Mismatch {
        /// What.
        what: String,
        /// The chain's answer.
        got: String,
        /// The configuration.
        expected: String,
        /// What to do.
        next: &'static str,
    },
    /// The telemetry address cannot be opened.
    #[error("cannot listen on {address}: {source}; set telemetry.listen to a free loopback address")]
    Listen {
        /// Address.
        address: std::net::SocketAddr,
        /// Why.
        source: std::io::Error,
    },
    /// A file that the config names cannot be read.
    #[error("cannot read {path}: {source}")]
    File {
        /// Path.
        path: std::path::PathBuf,
        /// Why.
        source: std::io::Error,
    },
}

impl WiringError {
    /// The code of [`WiringError::Mismatch`], also of a chain that is found to be another one after the start.
    pub const MISMATCH_CODE: &'static str = "NODE-WIR-005";

    /// The stable code.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Chain(error) => error.code,
            Self::Prove(error) => error.code(),
            Self::Keystore(error) => error.code(),
            Self::Config(errors) => errors.code(),
            Self::Store(error) => error.code(),
            Self::Send(error) => error.code(),
            Self::Collect(error) => error.code(),
            Self::Transport(_) => "NODE-WIR-001",
            Self::Missing { .. } => "NODE-WIR-002",
            Self::Listen { .. } => "NODE-WIR-003",
            Self::File { .. } => "NODE-WIR-004",
            Self::Mismatch { .. } => Self::MISMATCH_CODE,
        }
    }

    /// What may be done about it.
    #[must_use]
    pub fn class(&self) -> Class {
        match self {
            Self::Chain(error) => error.class,
            Self::Prove(error) => error.class(),
            Self::Send(error) => error.class(),
            Self::Collect(error) => error.class(),
            _ => Class::Config,
        }
    }

    pub(crate) fn missing(what: impl Into<String>, next: impl Into<String>) -> Self {
        Self::Missing { what: what.into(), next: next.into() }
    }
}
