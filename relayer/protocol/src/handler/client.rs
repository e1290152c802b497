//! On-chain clients: what judges a counterparty's state.

use alloc::vec::Vec;
use core::fmt;

use catenary_light_clients::Timestamp;

use super::error::Error;
use super::store::Store;
use crate::proto::{self, Any};

/// A height of a counterparty: revision, then height within it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Height {
    /// Revision; 0 for attestation clients, whatever the chain id.
    pub revision: u64,
    /// Height within the revision.
    pub height: u64,
}

impl fmt::Display for Height {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.revision, self.height)
    }
}

impl From<proto::Height> for Height {
    fn from(height: proto::Height) -> Self {
        Self { revision: height.revision_number, height: height.revision_height }
    }
}

impl From<Height> for proto::Height {
    fn from(height: Height) -> Self {
        Self { revision_number: height.revision, revision_height: height.height }
    }
}

/// Whether a client may be used.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Status {
    /// It may.
    Active,
    /// It has seen misbehaviour.
    Frozen,
    /// Its newest state is too old to be believed.
    Expired,
}

impl Status {
    /// The word that ibc-go uses.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Active => "Active",
            Self::Frozen => "Frozen",
            Self::Expired => "Expired",
        }
    }
}

/// What a client starts from.
#[derive(Clone, Copy, Debug)]
pub struct NewClient<'a> {
    /// Its id.
    pub id: &'a str,
    /// Its state.
    pub client_state: &'a Any,
    /// Its consensus state at the state's height.
    pub consensus_state: &'a Any,
}

/// What came of a client message that was valid.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Update {
    /// These heights are known now, or were known already with the same content.
    Heights(Vec<Height>),
    /// It shows misbehaviour: the client is frozen.
    Misbehaviour,
}

/// A proof, and the height of the counterparty's state that it is about.
#[derive(Clone, Copy, Debug)]
pub struct Proof<'a> {
    /// Height of the state.
    pub height: Height,
    /// The proof in the client's own encoding.
    pub bytes: &'a [u8],
}

/// What is to be proven.
#[derive(Clone, Copy, Debug)]
pub struct Claim<'a> {
    /// The counterparty's merkle prefix with the path at its end (ibc-go `BuildMerklePath`).
    pub path: &'a [Vec<u8>],
    /// The value there, `None` for nothing.
    pub value: Option<&'a [u8]>,
}

/// A kind of on-chain client. It keeps its states in the store under [`Key::client_state`](super::Key::client_state)
/// and [`Key::consensus_state`](super::Key::consensus_state).
///
/// The handler asks for [`status`](Self::status) before an update or a proof and refuses what is not active, so a
/// type need not.
pub trait ClientType: Send + Sync {
    /// The type, which client ids begin with: `attestations`, `07-tendermint`.
    fn name(&self) -> &'static str;

    /// Type URL of the type's client state.
    fn state_type_url(&self) -> &'static str;

    /// Checks and stores what a new client starts from.
    ///
    /// # Errors
    /// What makes the states unusable.
    fn create(&self, store: &mut dyn Store, new: &NewClient<'_>, time: Timestamp) -> Result<(), Error>;

    /// Checks a client message and stores what it shows.
    ///
    /// # Errors
    /// What makes the message invalid; nothing may have been stored then.
    fn update(&self, store: &mut dyn Store, id: &str, message: &Any, time: Timestamp) -> Result<Update, Error>;

    /// Whether the client may be used at this time.
    ///
    /// # Errors
    /// [`Error::ClientNotFound`].
    fn status(&self, store: &dyn Store, id: &str, time: Timestamp) -> Result<Status, Error>;

    /// The newest known height.
    ///
    /// # Errors
    /// [`Error::ClientNotFound`].
    fn latest_height(&self, store: &dyn Store, id: &str) -> Result<Height, Error>;

    /// The time of the counterparty's state at a known height.
    ///
    /// # Errors
    /// [`Error::ConsensusStateNotFound`].
    fn timestamp(&self, store: &dyn Store, id: &str, height: Height) -> Result<Timestamp, Error>;

    /// Checks that the claim holds in the counterparty's state.
    ///
    /// # Errors
    /// What makes the proof no proof of the claim.
    fn verify(&self, store: &dyn Store, id: &str, proof: &Proof<'_>, claim: &Claim<'_>) -> Result<(), Error>;
}

/// The counterparty's merkle prefix with a path appended to its last element.
pub(super) fn merkle_path(prefix: &[Vec<u8>], path: &[u8]) -> Vec<Vec<u8>> {
    let mut full = prefix.to_vec();
    match full.last_mut() {
        Some(last) => last.extend_from_slice(path),
        None => full.push(path.to_vec()),
    }
    full
}
