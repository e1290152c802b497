//! The one entry point: a message comes in, a response and events go out.

use alloc::{boxed::Box, string::String, vec::Vec};
use core::fmt;

use catenary_light_clients::Timestamp;
use prost::Message;

use super::app::App;
use super::client::ClientType;
use super::error::Error;
use super::events::Event;
use super::state;
use super::store::{atomically, Store};
use crate::limits;
use crate::proto;

/// When a message runs, and who signed it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Context<'a> {
    /// Time of the block that it is in.
    pub time: Timestamp,
    /// Address of the signer, in the one form in which the host writes it.
    pub signer: &'a str,
}

/// What came of a message.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Outcome {
    /// The response, in protobuf.
    pub response: Vec<u8>,
    /// What happened, in order; nothing for a NOOP.
    pub events: Vec<Event>,
}

/// The handler: client types and apps. It holds no state; everything is in the store that it is given.
pub struct Handler<H> {
    clients: Vec<Box<dyn ClientType>>,
    apps: Vec<Box<dyn App<H>>>,
}

impl<H> fmt::Debug for Handler<H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let clients: Vec<_> = self.clients.iter().map(|client| client.name()).collect();
        let apps: Vec<_> = self.apps.iter().map(|app| app.port()).collect();
        f.debug_struct("Handler").field("clients", &clients).field("apps", &apps).finish()
    }
}

impl<H> Default for Handler<H> {
    fn default() -> Self {
        Self { clients: Vec::new(), apps: Vec::new() }
    }
}

impl<H: Store> Handler<H> {
    /// A handler that knows no client type and no app.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a client type. Of two with one name the first is used.
    #[must_use]
    pub fn with_client(mut self, client: impl ClientType + 'static) -> Self {
        self.clients.push(Box::new(client));
        self
    }

    /// Binds an app to its port. Of two on one port the first is used.
    #[must_use]
    pub fn with_app(mut self, app: impl App<H> + 'static) -> Self {
        self.apps.push(Box::new(app));
        self
    }

    /// Runs one message: `type_url` and `message` are the two parts of the transaction's `Any`.
    ///
    /// # Errors
    /// Why the message is refused; the store is as it was then.
    pub fn handle(&self, host: &mut H, context: Context<'_>, type_url: &str, message: &[u8]) -> Result<Outcome, Error> {
        atomically(host, |host| self.dispatch(host, context, type_url, message))
    }

    fn dispatch(&self, host: &mut H, context: Context<'_>, type_url: &str, message: &[u8]) -> Result<Outcome, Error> {
        match type_url {
            proto::MSG_CREATE_CLIENT => self.create_client(host, context, read(message, limits::CREATE_BYTES_MAX)?),
            proto::MSG_UPDATE_CLIENT => self.update_client(host, context, read(message, limits::UPDATE_BYTES_MAX)?),
            proto::MSG_REGISTER_COUNTERPARTY => {
                self.register_counterparty(host, context, read(message, limits::REGISTER_BYTES_MAX)?)
            }
            proto::MSG_UPDATE_CLIENT_CONFIG => {
                self.update_client_config(host, context, read(message, limits::REGISTER_BYTES_MAX)?)
            }
            proto::MSG_SEND_PACKET => self.send_packet(host, context, read(message, limits::SEND_BYTES_MAX)?),
            proto::MSG_RECV_PACKET => self.recv_packet(host, context, read(message, limits::RELAY_BYTES_MAX)?),
            proto::MSG_ACKNOWLEDGEMENT => self.acknowledge(host, context, read(message, limits::RELAY_BYTES_MAX)?),
            proto::MSG_TIMEOUT => self.time_out(host, context, read(message, limits::RELAY_BYTES_MAX)?),
            _ => self.translate(host, context, type_url, message),
        }
    }

    /// A message of an app's own: it becomes a packet.
    fn translate(&self, host: &mut H, context: Context<'_>, type_url: &str, message: &[u8]) -> Result<Outcome, Error> {
        for app in &self.apps {
            if let Some(request) = app.translate(host, context, type_url, message)? {
                return self.send(host, context, request);
            }
        }
        Err(Error::UnknownMessage { type_url: type_url.chars().take(limits::IDENTIFIER_BYTES_MAX).collect() })
    }

    /// The app bound to a port.
    pub(super) fn app(&self, port: &str) -> Result<&dyn App<H>, Error> {
        let unknown = || Error::UnknownPort { port: port.into() };
        self.apps.iter().find(|app| app.port() == port).map(Box::as_ref).ok_or_else(unknown)
    }

    /// The client type whose states have this type URL.
    pub(super) fn type_of_state(&self, type_url: &str) -> Result<&dyn ClientType, Error> {
        let unknown = || Error::UnknownClientType { got: type_url.into() };
        self.clients.iter().find(|client| client.state_type_url() == type_url).map(Box::as_ref).ok_or_else(unknown)
    }

    /// The type of a client.
    pub(super) fn client(&self, client_id: &str) -> Result<&dyn ClientType, Error> {
        let name = client_id.rsplit_once('-').map_or("", |(name, _)| name);
        let unknown = || Error::UnknownClientType { got: client_id.into() };
        self.clients.iter().find(|client| client.name() == name).map(Box::as_ref).ok_or_else(unknown)
    }
}

/// A message of at most so many bytes, in its one encoding.
fn read<M: Message + Default>(message: &[u8], max: usize) -> Result<M, Error> {
    Ok(proto::decode_bounded("message", message, max)?)
}

/// A field that has to be there.
pub(super) fn required<T>(field: &'static str, value: Option<T>) -> Result<T, Error> {
    value.ok_or(Error::Missing { field })
}

/// The signer that a message names is the one who signed.
pub(super) fn check_signer(context: Context<'_>, named: &str) -> Result<(), Error> {
    if named == context.signer && !named.is_empty() {
        return Ok(());
    }
    Err(Error::Signer { got: named.into(), expected: context.signer.into() })
}

/// The signer may relay through a client.
pub(super) fn check_relayer<H: Store>(host: &H, context: Context<'_>, client_id: &str) -> Result<(), Error> {
    let allowed: Vec<String> = state::allowed_relayers(host, client_id)?;
    if allowed.is_empty() || allowed.iter().any(|relayer| relayer == context.signer) {
        return Ok(());
    }
    Err(Error::NotAllowedRelayer { client_id: client_id.into(), got: context.signer.into(), allowed: allowed.len() })
}
