//! The store that the handler writes to: a map of bytes with nested checkpoints.

use alloc::{format, vec::Vec};

use super::client::Height;
use crate::path::Path;

/// A key, and whether counterparties ask for proofs of it.
///
/// The bytes are ibc-go's own (ICS-24 v2 for provable keys). A provable key is a client id, which has no `/`, and then
/// a byte of 1 to 3; in a private key no such byte comes before the first `/`. No key of one kind equals one of the
/// other, so that a host may keep both in one tree as ibc-go does.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Key {
    /// A packet commitment, receipt or acknowledgement: it has to be in the state that proofs are made of.
    Provable(Vec<u8>),
    /// Of this chain alone.
    Private(Vec<u8>),
}

impl Key {
    /// The bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        match self {
            Self::Provable(bytes) | Self::Private(bytes) => bytes,
        }
    }

    /// Whether counterparties ask for proofs of it.
    #[must_use]
    pub const fn is_provable(&self) -> bool {
        matches!(self, Self::Provable(_))
    }

    /// The key of a packet's path.
    #[must_use]
    pub fn of_path(path: Path) -> Self {
        Self::Provable(path.into_bytes())
    }

    /// Something of a client: `clients/{id}/{name}`.
    #[must_use]
    pub fn of_client(client_id: &str, name: &str) -> Self {
        Self::Private(format!("clients/{client_id}/{name}").into_bytes())
    }

    /// A client's state, as `Any`.
    #[must_use]
    pub fn client_state(client_id: &str) -> Self {
        Self::of_client(client_id, "clientState")
    }

    /// A client's consensus state at a height, as `Any`.
    #[must_use]
    pub fn consensus_state(client_id: &str, height: Height) -> Self {
        Self::of_client(client_id, &format!("consensusStates/{height}"))
    }

    /// The signer that created a client.
    #[must_use]
    pub fn creator(client_id: &str) -> Self {
        Self::of_client(client_id, "creator")
    }

    /// A client's counterparty, as `CounterpartyInfo`.
    #[must_use]
    pub fn counterparty(client_id: &str) -> Self {
        Self::of_client(client_id, "counterparty")
    }

    /// A client's allowed relayers, as `Config`.
    #[must_use]
    pub fn config(client_id: &str) -> Self {
        Self::of_client(client_id, "config")
    }

    /// The number of the next client, whatever its type.
    #[must_use]
    pub fn next_client_sequence() -> Self {
        Self::Private(b"nextClientSequence".to_vec())
    }

    /// The sequence of the next packet that is sent under a client.
    #[must_use]
    pub fn next_sequence_send(client_id: &str) -> Self {
        Self::Private(format!("nextSequenceSend/{client_id}").into_bytes())
    }
}

/// A map of bytes with nested checkpoints, given by the host.
///
/// Reads see the writes before them. Values are never empty. Between [`begin`](Self::begin) and its
/// [`commit`](Self::commit) or [`rollback`](Self::rollback) the handler may begin again; a rollback undoes everything
/// since the matching begin, inner commits included, and everything else that a host changes on behalf of an app
/// (balances) with it. Errors have no place here: a host whose disk fails stops.
pub trait Store {
    /// The value of a key.
    fn get(&self, key: &Key) -> Option<Vec<u8>>;
    /// Sets a value.
    fn set(&mut self, key: &Key, value: Vec<u8>);
    /// Removes a key; one that is not there is no error.
    fn delete(&mut self, key: &Key);
    /// Opens a checkpoint.
    fn begin(&mut self);
    /// Closes the newest checkpoint and keeps what was written since.
    fn commit(&mut self);
    /// Closes the newest checkpoint and undoes what was written since.
    fn rollback(&mut self);
}

/// Runs a step whose writes stay only if it succeeds.
///
/// # Errors
/// Those of the step.
pub fn atomically<S, T, E>(store: &mut S, step: impl FnOnce(&mut S) -> Result<T, E>) -> Result<T, E>
where
    S: Store + ?Sized,
{
    store.begin();
    let result = step(store);
    match result {
        Ok(_) => store.commit(),
        Err(_) => store.rollback(),
    }
    result
}
