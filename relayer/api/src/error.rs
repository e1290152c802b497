//! An adapter's refusal or failure, with a stable code.

use catenary_light_clients::Class;
use thiserror::Error as ThisError;

/// What went wrong in an adapter. Each adapter has a typed error of its own; this is its form at the boundary.
#[derive(Clone, PartialEq, Eq, Debug, ThisError)]
#[error("{code}: {message}")]
pub struct Error {
    /// Stable code such as `EVM-RPC-001`, listed in the errors page.
    pub code: &'static str,
    /// What may be done about it. Only [`Class::Transient`] may be tried again as it is.
    pub class: Class,
    /// Both compared values and what to do next, for people; never a secret, never a payload.
    pub message: String,
}

/// Result of adapter calls.
pub type Result<T> = core::result::Result<T, Error>;
