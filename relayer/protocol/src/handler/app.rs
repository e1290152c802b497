//! Applications: what packets are delivered to, by port.

use alloc::{string::String, vec::Vec};

use catenary_light_clients::Rejection;

use super::dispatch::Context;
use super::error::Error;
use super::events::AppEvent;
use crate::packet::{Packet, Payload};

/// What a callback is about.
#[derive(Clone, Copy, Debug)]
pub struct Call<'a> {
    /// Time and signer.
    pub context: Context<'a>,
    /// The packet.
    pub packet: &'a Packet,
    /// The app's payload in it.
    pub payload: &'a Payload,
}

/// A packet to be sent.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SendRequest {
    /// Client under which it is sent.
    pub source_client: String,
    /// Its deadline, in Unix seconds.
    pub timeout_timestamp_seconds: u64,
    /// Its payload.
    pub payload: Payload,
}

/// What an app says to a packet.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Received {
    /// Done: the acknowledgement, and what happened. It may be neither empty nor the universal error.
    Acknowledged {
        /// The app's acknowledgement.
        acknowledgement: Vec<u8>,
        /// What happened.
        events: Vec<AppEvent>,
    },
    /// Refused: the app's writes are undone, and the packet gets the universal error acknowledgement.
    Failed {
        /// Why.
        reason: Rejection,
        /// What would have happened, and why it did not; shown as failed.
        events: Vec<AppEvent>,
    },
    /// The acknowledgement will come later: this handler refuses that.
    Pending,
}

/// An application bound to a port, over a host `H`.
///
/// Callbacks write to the host only. The handler has opened a checkpoint before each, and closes it by what the
/// callback returns.
pub trait App<H>: Send + Sync {
    /// The port.
    fn port(&self) -> &str;

    /// Turns a message of the app's own into a packet; `None` when the message is another app's.
    ///
    /// # Errors
    /// What makes the message invalid.
    fn translate(
        &self,
        host: &H,
        context: Context<'_>,
        type_url: &str,
        message: &[u8],
    ) -> Result<Option<SendRequest>, Error> {
        let _ = (host, context, type_url, message);
        Ok(None)
    }

    /// A packet is being sent.
    ///
    /// # Errors
    /// Why it may not be: nothing is sent then.
    fn on_send(&self, host: &mut H, call: &Call<'_>) -> Result<Vec<AppEvent>, Error>;

    /// A packet was proven and has not been received before.
    fn on_receive(&self, host: &mut H, call: &Call<'_>) -> Received;

    /// A packet sent from here was acknowledged; the universal error acknowledgement means that the destination
    /// refused it.
    ///
    /// # Errors
    /// What makes the acknowledgement unusable: the packet stays open then.
    fn on_acknowledge(&self, host: &mut H, call: &Call<'_>, acknowledgement: &[u8]) -> Result<Vec<AppEvent>, Error>;

    /// A packet sent from here was not received in time.
    ///
    /// # Errors
    /// Why it cannot be undone: the packet stays open then.
    fn on_timeout(&self, host: &mut H, call: &Call<'_>) -> Result<Vec<AppEvent>, Error>;
}
