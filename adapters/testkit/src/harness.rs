//! What the author of an adapter provides.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use catenary_api::limits::REQUEST_DEADLINE_MS;
use catenary_api::{ChainSink, ChainSource, PublicKey, TxBody};
use catenary_light_clients::LightClient;
use catenary_protocol::Packet;
use k256::ecdsa::SigningKey;

/// Put this into the URLs that adapters are opened with, where the transport has a place for it (user, password or
/// path): the kit then checks that it never reaches an error.
pub const URL_SECRET: &str = "s3cret-of-the-url";

/// Why the harness itself could not do what it was asked for: the network did not start, the account has no funds.
pub type Fault = String;

/// The two sides of one adapter.
#[derive(Clone)]
pub struct Sides {
    /// Reads.
    pub source: Arc<dyn ChainSource>,
    /// Writes; `None` for an adapter that only reads.
    pub sink: Option<Arc<dyn ChainSink>>,
}

impl Sides {
    /// Both sides of an adapter that is both.
    #[must_use]
    pub fn of<A: ChainSource + ChainSink + 'static>(adapter: Arc<A>) -> Self {
        Self { source: adapter.clone(), sink: Some(adapter) }
    }
}

impl core::fmt::Debug for Sides {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Sides").field("writes", &self.sink.is_some()).finish_non_exhaustive()
    }
}

/// What an adapter and its harness can do beside reading heads, updates and proofs.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Ability {
    /// [`Harness::emit`] makes packet events.
    Emits,
    /// The adapter has a sink, [`Harness::transaction`] and [`Harness::keys`] work.
    Writes,
    /// [`Harness::endpoint`] is a TCP endpoint that can be stood in front of.
    Endpoint,
    /// [`Harness::light_client`] gives one.
    Verifies,
    /// The adapter finds packets by their sequences.
    Searches,
}

/// Facts of the adapter and its chain.
#[derive(Clone, Debug)]
pub struct Profile {
    /// Name, for the report.
    pub name: String,
    /// What it can do.
    pub abilities: Vec<Ability>,
    /// A client id of the right form that no client has.
    pub absent_client_id: String,
    /// Longest that one call may take with an endpoint that never answers: retries included, the adapter's own
    /// deadline must end it.
    pub call_deadline: Duration,
}

impl Profile {
    /// A profile with all abilities and a call deadline of four request deadlines: three attempts and their pauses.
    #[must_use]
    pub fn new(name: &str, absent_client_id: &str) -> Self {
        Self {
            name: name.to_owned(),
            abilities: vec![Ability::Emits, Ability::Writes, Ability::Endpoint, Ability::Verifies, Ability::Searches],
            absent_client_id: absent_client_id.to_owned(),
            call_deadline: Duration::from_millis(REQUEST_DEADLINE_MS * 4),
        }
    }

    /// Without an ability.
    #[must_use]
    pub fn without(mut self, ability: Ability) -> Self {
        self.abilities.retain(|have| *have != ability);
        self
    }
}

/// A packet that [`Harness::emit`] sent.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Emitted {
    /// Height of its block.
    pub height: u64,
    /// The packet.
    pub packet: Packet,
}

/// A key that signs for the kit. For test networks only.
#[derive(Clone)]
pub struct TestKey(SigningKey);

impl TestKey {
    /// A key from its private bytes; `None` when they are not a secp256k1 key.
    #[must_use]
    pub fn new(private_key: &[u8; 32]) -> Option<Self> {
        SigningKey::from_slice(private_key).ok().map(Self)
    }

    /// Its compressed public key.
    #[must_use]
    pub fn public_key(&self) -> PublicKey {
        let mut bytes = [0; 33];
        let point = self.0.verifying_key().to_encoded_point(true);
        // A compressed point has 33 bytes (SEC 1).
        bytes.iter_mut().zip(point.as_bytes()).for_each(|(to, from)| *to = *from);
        PublicKey(bytes)
    }

    /// A signature as `catenary_api::Signer` gives it: `r‖s‖v`, low s, v 0 or 1.
    ///
    /// # Errors
    /// The digest cannot be signed, which happens for one in 2^128.
    pub fn sign(&self, digest: &[u8; 32]) -> Result<[u8; 65], Fault> {
        let (signature, id) = self.0.sign_prehash_recoverable(digest).map_err(|error| error.to_string())?;
        let mut bytes = [0; 65];
        bytes.iter_mut().zip(signature.to_bytes()).for_each(|(to, from)| *to = from);
        if let Some(v) = bytes.last_mut() {
            *v = id.to_byte();
        }
        Ok(bytes)
    }
}

impl core::fmt::Debug for TestKey {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("TestKey")
    }
}

/// A live chain or devnet with an adapter to it.
///
/// The chain goes on by itself or by [`advance`](Self::advance), and nobody else uses it meanwhile. The default
/// implementations serve adapters without the [`Ability`] in question.
#[async_trait]
pub trait Harness: Send + Sync {
    /// Facts of the adapter and its chain.
    fn profile(&self) -> Profile;

    /// A new adapter that knows nothing of earlier ones, as after a restart of the process.
    ///
    /// With `through`, its only endpoint is that address (which relays to [`endpoint`](Self::endpoint)), reached with
    /// a URL that contains [`URL_SECRET`] where the transport has a place for it.
    async fn open(&self, through: Option<SocketAddr>) -> Result<Sides, Fault>;

    /// The address of the chain's endpoint.
    fn endpoint(&self) -> Option<SocketAddr> {
        None
    }

    /// Returns when at least `blocks` more blocks exist, making them where they do not come by themselves.
    async fn advance(&self, blocks: u64) -> Result<(), Fault>;

    /// Sends `count` packets, in more than one block where `count` is above 1, and tells of each in order. When it
    /// returns, all of them are at or below the adapter's head. None of them is received or acknowledged later.
    async fn emit(&self, count: usize) -> Result<Vec<Emitted>, Fault> {
        Err(format!("{count} packets asked for; this harness makes none"))
    }

    /// A harmless transaction of the key's account; a different `number` gives different bytes.
    async fn transaction(&self, key: &PublicKey, number: u64) -> Result<TxBody, Fault> {
        Err(format!("transaction {number} of {key:?} asked for; this harness makes none"))
    }

    /// Two keys whose accounts exist, have funds and are used by nobody else.
    fn keys(&self) -> Option<[TestKey; 2]> {
        None
    }

    /// The family's light client, started at an update that the adapter gave, as an operator pins an anchor.
    async fn light_client(&self, update: &[u8], height: u64) -> Result<Box<dyn LightClient>, Fault> {
        Err(format!("an update of {} bytes at {height}: this harness has no light client", update.len()))
    }
}
