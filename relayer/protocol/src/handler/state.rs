//! Reads of what the handler has stored, for the host's queries.

use alloc::{string::String, vec::Vec};

use super::client::Height;
use super::error::Error;
use super::store::{Key, Store};
use crate::path::{Kind, Path};
use crate::proto::{decode_strict, Any, ClientConfig, CounterpartyInfo};

fn read<M, S>(store: &S, key: &Key, what: &'static str) -> Result<Option<M>, Error>
where
    M: prost::Message + Default,
    S: Store + ?Sized,
{
    let bad = |error: crate::Error| Error::Stored { what, reason: alloc::format!("{error}") };
    store.get(key).map(|bytes| decode_strict(what, &bytes).map_err(bad)).transpose()
}

fn number<S: Store + ?Sized>(store: &S, key: &Key, what: &'static str) -> Result<Option<u64>, Error> {
    let Some(bytes) = store.get(key) else { return Ok(None) };
    let bad = || Error::Stored { what, reason: alloc::format!("{} bytes, expected 8", bytes.len()) };
    bytes.as_slice().try_into().map(u64::from_be_bytes).map(Some).map_err(|_| bad())
}

/// A client's state.
///
/// # Errors
/// [`Error::Stored`].
pub fn client_state<S: Store + ?Sized>(store: &S, client_id: &str) -> Result<Option<Any>, Error> {
    read(store, &Key::client_state(client_id), "client state")
}

/// A client's consensus state at a height.
///
/// # Errors
/// [`Error::Stored`].
pub fn consensus_state<S: Store + ?Sized>(store: &S, client_id: &str, height: Height) -> Result<Option<Any>, Error> {
    read(store, &Key::consensus_state(client_id, height), "consensus state")
}

/// A client's counterparty.
///
/// # Errors
/// [`Error::Stored`].
pub fn counterparty<S: Store + ?Sized>(store: &S, client_id: &str) -> Result<Option<CounterpartyInfo>, Error> {
    read(store, &Key::counterparty(client_id), "counterparty")
}

/// Who may relay through a client; empty for everyone.
///
/// # Errors
/// [`Error::Stored`].
pub fn allowed_relayers<S: Store + ?Sized>(store: &S, client_id: &str) -> Result<Vec<String>, Error> {
    let config: Option<ClientConfig> = read(store, &Key::config(client_id), "client config")?;
    Ok(config.unwrap_or_default().allowed_relayers)
}

/// Who created a client.
///
/// # Errors
/// [`Error::Stored`].
pub fn creator<S: Store + ?Sized>(store: &S, client_id: &str) -> Result<Option<String>, Error> {
    let text = |bytes| String::from_utf8(bytes).map_err(|error| alloc::format!("{error}"));
    let bad = |reason| Error::Stored { what: "creator", reason };
    store.get(&Key::creator(client_id)).map(|bytes| text(bytes).map_err(bad)).transpose()
}

/// The number of the next client.
///
/// # Errors
/// [`Error::Stored`].
pub fn next_client_sequence<S: Store + ?Sized>(store: &S) -> Result<u64, Error> {
    Ok(number(store, &Key::next_client_sequence(), "next client sequence")?.unwrap_or(0))
}

/// The sequence of the next packet under a client, `None` before its counterparty is registered.
///
/// # Errors
/// [`Error::Stored`].
pub fn next_sequence_send<S: Store + ?Sized>(store: &S, client_id: &str) -> Result<Option<u64>, Error> {
    number(store, &Key::next_sequence_send(client_id), "next sequence")
}

/// What is stored of a packet: its commitment under the source client, its receipt or acknowledgement under the
/// destination client.
#[must_use]
pub fn packet<S: Store + ?Sized>(store: &S, kind: Kind, client_id: &str, sequence: u64) -> Option<Vec<u8>> {
    store.get(&Key::of_path(Path::new(kind, client_id, sequence)))
}
