//! On-chain clients made of the light clients: the verifier that members run off chain judges on chain as well, so
//! that the counterparty's own validators are believed and no attestor is.
//!
//! A [`NativeFamily`] says how a family's light client is configured and comes back from its saved bytes; everything
//! else is the same for all. The whole trusted state is one value of the store, so a family keeps few headers here
//! ([`HEADERS_KEPT_MAX`]).
//!
//! **What it starts from.** The client state carries the configuration, the consensus state the update whose header
//! the configuration pins as anchor. Whoever creates the client vouches for that anchor, as on every chain.
//!
//! **Messages.** [`NativeHeaders`] carries 1 to [`UPDATES_MAX`] updates in the family's own encoding, which are judged
//! one after the other and accepted together or not at all. An update that contradicts a trusted header freezes the
//! client; so does [`NativeMisbehaviour`], two updates that each hold by themselves and contradict each other. A
//! change of validators above the churn limit is refused: here no person can approve it, so the anchor of a new
//! client has to.
//!
//! **What an attacker can grow.** Nothing: messages are bounded, the state keeps its size, and what is refused leaves
//! no trace.

use alloc::{boxed::Box, format, string::String, vec::Vec};
use core::fmt;
use core::marker::PhantomData;

use catenary_light_clients::{LightClient, Rejection, Timestamp, TrustError, Verdict};
use prost::Message;

use super::client::{Claim, ClientType, Height, NewClient, Proof, Status, Update};
use super::error::Error;
use super::state;
use super::store::{Key, Store};
use crate::limits;
use crate::proto::{decode_bounded, Any};

/// Most updates in one message: with one header a block, a minute of a chain with a block each second.
pub const UPDATES_MAX: usize = 64;
/// Most headers that a light client keeps here: the state is read and written whole with every update.
pub const HEADERS_KEPT_MAX: u32 = 128;
/// Most bytes of a configuration: a chain id, an anchor and some addresses.
const CONFIG_BYTES_MAX: usize = 1_024;
/// Most bytes of a stored state. [`HEADERS_KEPT_MAX`] headers with a validator set each may take this much.
const STATE_BYTES_MAX: usize = 1_048_576;

/// What a native client is: its configuration in the family's encoding, and the light client's saved state.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct NativeClientState {
    /// Configuration, in the encoding of [`NativeFamily::open`].
    #[prost(bytes = "vec", tag = "1")]
    pub config: Vec<u8>,
    /// What [`LightClient::save`] gave; empty in the message that creates the client.
    #[prost(bytes = "vec", tag = "2")]
    pub saved: Vec<u8>,
    /// Whether misbehaviour was shown.
    #[prost(bool, tag = "3")]
    pub frozen: bool,
}

/// The anchor's update, as the consensus state that a native client starts from.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct NativeAnchor {
    /// An update in the family's encoding.
    #[prost(bytes = "vec", tag = "1")]
    pub update: Vec<u8>,
}

/// Updates, oldest first.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct NativeHeaders {
    /// Updates in the family's encoding.
    #[prost(bytes = "vec", repeated, tag = "1")]
    pub updates: Vec<Vec<u8>>,
}

/// Two updates that contradict each other.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct NativeMisbehaviour {
    /// The one.
    #[prost(bytes = "vec", tag = "1")]
    pub first: Vec<u8>,
    /// The other.
    #[prost(bytes = "vec", tag = "2")]
    pub second: Vec<u8>,
}

/// The type URLs of a family's states and messages.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct NativeUrls {
    /// Of [`NativeClientState`].
    pub client_state: &'static str,
    /// Of [`NativeAnchor`].
    pub anchor: &'static str,
    /// Of [`NativeHeaders`].
    pub headers: &'static str,
    /// Of [`NativeMisbehaviour`].
    pub misbehaviour: &'static str,
}

/// A family whose light client judges on chain.
pub trait NativeFamily: Send + Sync + 'static {
    /// The client type, which ids begin with.
    const NAME: &'static str;
    /// Type URLs.
    const URLS: NativeUrls;

    /// A light client that trusts the anchor which the configuration pins.
    ///
    /// # Errors
    /// What makes the configuration or the anchor's update unusable.
    fn open(config: &[u8], anchor_update: &[u8]) -> Result<Box<dyn LightClient>, Error>;

    /// The light client whose state this is. The bytes come from the chain's own store.
    ///
    /// # Errors
    /// The bytes are none of this version or of another configuration.
    fn restore(config: &[u8], saved: &[u8]) -> Result<Box<dyn LightClient>, Error>;
}

/// An on-chain client that runs a family's light client.
pub struct NativeClient<F>(PhantomData<fn() -> F>);

impl<F> NativeClient<F> {
    /// The client type.
    #[must_use]
    pub const fn new() -> Self {
        Self(PhantomData)
    }
}

impl<F> Default for NativeClient<F> {
    fn default() -> Self {
        Self::new()
    }
}

impl<F: NativeFamily> fmt::Debug for NativeClient<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("NativeClient").field(&F::NAME).finish()
    }
}

impl<F: NativeFamily> NativeClient<F> {
    fn read(store: &dyn Store, id: &str) -> Result<(NativeClientState, Box<dyn LightClient>), Error> {
        let any = state::client_state(store, id)?.ok_or_else(|| Error::ClientNotFound { client_id: id.into() })?;
        let bad = |error: Error| Error::Stored { what: "client state", reason: format!("{error}") };
        let stored: NativeClientState =
            unpack("client state", &any, F::URLS.client_state, STATE_BYTES_MAX).map_err(bad)?;
        let client = F::restore(&stored.config, &stored.saved).map_err(bad)?;
        Ok((stored, client))
    }

    fn write(store: &mut dyn Store, id: &str, stored: &NativeClientState) {
        let any = Any { type_url: F::URLS.client_state.into(), value: stored.encode_to_vec() };
        store.set(&Key::client_state(id), any.encode_to_vec());
    }

    /// The verified state at a height.
    fn known(client: &dyn LightClient, id: &str, height: Height) -> Result<Timestamp, Error> {
        let known = client.header(height.height).filter(|_| height.revision == 0);
        let unknown = || Error::ConsensusStateNotFound { client_id: id.into(), height };
        known.map(|header| header.timestamp).ok_or_else(unknown)
    }

    /// Judges updates one after the other; `None` when one contradicts what is trusted.
    fn advance(
        client: &mut dyn LightClient,
        updates: &[Vec<u8>],
        time: Timestamp,
    ) -> Result<Option<Vec<Height>>, Error> {
        let mut heights = Vec::new();
        for update in updates {
            match client.advance(update, time) {
                Verdict::Verified(header) => heights.extend(header.map(|header| at(header.height))),
                Verdict::Conflict(_) => return Ok(None),
                Verdict::NeedsIntermediate { reason, .. } | Verdict::Rejected(reason) | Verdict::Held(reason) => {
                    return Err(Error::LightClient(reason));
                }
                Verdict::Expired { expired_at, now } => {
                    return Err(Error::LightClient(Rejection::from(TrustError::Expired { expired_at, now })));
                }
            }
        }
        Ok(Some(heights))
    }
}

impl<F: NativeFamily> ClientType for NativeClient<F> {
    fn name(&self) -> &'static str {
        F::NAME
    }

    fn state_type_url(&self) -> &'static str {
        F::URLS.client_state
    }

    fn create(&self, store: &mut dyn Store, new: &NewClient<'_>, _: Timestamp) -> Result<(), Error> {
        let mut stored: NativeClientState =
            unpack("client_state", new.client_state, F::URLS.client_state, limits::CREATE_BYTES_MAX)?;
        if !stored.saved.is_empty() || stored.frozen {
            return Err(invalid("a new client brings a configuration and nothing else".into()));
        }
        if stored.config.len() > CONFIG_BYTES_MAX {
            let (field, got, max) = ("config", stored.config.len(), CONFIG_BYTES_MAX);
            return Err(crate::Error::Length { field, got, min: 0, max }.into());
        }
        let anchor: NativeAnchor =
            unpack("consensus_state", new.consensus_state, F::URLS.anchor, limits::CREATE_BYTES_MAX)?;
        stored.saved = F::open(&stored.config, &anchor.update)?.save();
        Self::write(store, new.id, &stored);
        Ok(())
    }

    fn update(&self, store: &mut dyn Store, id: &str, message: &Any, time: Timestamp) -> Result<Update, Error> {
        let (mut stored, mut client) = Self::read(store, id)?;
        if message.type_url == F::URLS.misbehaviour {
            let found: NativeMisbehaviour =
                unpack("client_message", message, F::URLS.misbehaviour, limits::UPDATE_BYTES_MAX)?;
            client.misbehaviour(&found.first, &found.second, time).map_err(Error::LightClient)?;
            stored.frozen = true;
            Self::write(store, id, &stored);
            return Ok(Update::Misbehaviour);
        }
        let headers: NativeHeaders = unpack("client_message", message, F::URLS.headers, limits::UPDATE_BYTES_MAX)?;
        let (got, max) = (headers.updates.len(), UPDATES_MAX);
        if !(1..=max).contains(&got) {
            return Err(crate::Error::Length { field: "updates", got, min: 1, max }.into());
        }
        let heights = Self::advance(client.as_mut(), &headers.updates, time)?;
        stored.saved = client.save();
        Self::write(store, id, &stored);
        Ok(heights.map_or(Update::Misbehaviour, Update::Heights))
    }

    fn status(&self, store: &dyn Store, id: &str, time: Timestamp) -> Result<Status, Error> {
        let (stored, client) = Self::read(store, id)?;
        let status = client.status();
        Ok(match (stored.frozen || status.frozen, time >= status.expires_at) {
            (true, _) => Status::Frozen,
            (false, true) => Status::Expired,
            (false, false) => Status::Active,
        })
    }

    fn latest_height(&self, store: &dyn Store, id: &str) -> Result<Height, Error> {
        Ok(at(Self::read(store, id)?.1.status().provable_height))
    }

    fn timestamp(&self, store: &dyn Store, id: &str, height: Height) -> Result<Timestamp, Error> {
        Self::known(Self::read(store, id)?.1.as_ref(), id, height)
    }

    fn verify(&self, store: &dyn Store, id: &str, proof: &Proof<'_>, claim: &Claim<'_>) -> Result<(), Error> {
        let (_, client) = Self::read(store, id)?;
        Self::known(client.as_ref(), id, proof.height)?;
        let [path] = claim.path else {
            return Err(Error::PathElements { got: claim.path.len(), expected: 1 });
        };
        let height = proof.height.height;
        match claim.value {
            Some(value) => client.membership(height, path, value, proof.bytes).map(|_| ()),
            None => client.absence(height, path, proof.bytes).map(|_| ()),
        }
        .map_err(Error::LightClient)
    }
}

/// Heights of native clients have revision 0.
const fn at(height: u64) -> Height {
    Height { revision: 0, height }
}

pub(super) fn invalid(reason: String) -> Error {
    Error::InvalidState { reason }
}

/// The message in an `Any` that must be of this type.
fn unpack<M: Message + Default>(
    what: &'static str,
    any: &Any,
    expected: &'static str,
    bytes_max: usize,
) -> Result<M, Error> {
    if any.type_url != expected {
        return Err(Error::TypeUrl { what, got: any.type_url.clone(), expected });
    }
    Ok(decode_bounded(what, &any.value, bytes_max)?)
}
