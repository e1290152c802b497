//! Why nothing was collected.

use catenary_light_clients::Class;
use thiserror::Error as ThisError;

use crate::attestor::error::AttestError;
use crate::attestor::exclusion::Exclusion;

/// Nothing was collected.
#[derive(Clone, Debug, ThisError)]
#[non_exhaustive]
pub enum CollectError {
    /// The members' heads have not reached the height that is needed.
    #[error("height {min_height} is needed, m members can prove {agreed} (own head {own_head}); ask again")]
    NotYet {
        /// Least height that is of use.
        min_height: u64,
        /// Height that m members can prove, or our head when it is too low by itself.
        agreed: u64,
        /// Our head.
        own_head: u64,
    },
    /// Fewer than m members gave what counts.
    #[error("{have} of {need} signatures; left out: {}", join(.left_out))]
    NotEnough {
        /// Good answers, ours included.
        have: usize,
        /// Signatures that the on-chain client requires.
        need: usize,
        /// The others, and why.
        left_out: Vec<Exclusion>,
    },
    /// Our own attestor cannot verify or sign.
    #[error("own attestor: {}: {source}", .source.code())]
    Own {
        /// Why.
        source: AttestError,
    },
    /// A proof that we put together ourselves would be refused by the on-chain client.
    #[error("collected proof does not hold: {}: {source}; report this", .source.code())]
    Check {
        /// Why.
        source: catenary_protocol::Error,
    },
    /// The set of members makes no sense.
    #[error("attestors of the client: {reason}")]
    Config {
        /// What to change.
        reason: String,
    },
}

fn join(exclusions: &[Exclusion]) -> String {
    let items: Vec<String> = exclusions.iter().map(ToString::to_string).collect();
    items.join("; ")
}

impl CollectError {
    /// The stable code.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::NotYet { .. } => "ATT-201",
            Self::NotEnough { .. } => "ATT-202",
            Self::Own { .. } => "ATT-203",
            Self::Check { .. } => "ATT-204",
            Self::Config { .. } => "ATT-205",
        }
    }

    /// What may be done about it.
    #[must_use]
    pub const fn class(&self) -> Class {
        match self {
            Self::NotYet { .. } | Self::NotEnough { .. } => Class::Transient,
            Self::Own { source } => source.class(),
            Self::Check { .. } => Class::Bug,
            Self::Config { .. } => Class::Config,
        }
    }
}
