//! Hints that there is a new block: a WebSocket subscription that wakes the follower.
//!
//! What comes over the socket is not read, let alone believed: that something came is the hint. The look at the head,
//! and the light client behind it, stay what counts; while hints come, the look is made less often without them. A
//! socket that dies or falls silent only brings the usual period back.
//!
//! What an endpoint can grow here: one message of at most [`MESSAGE_BYTES_MAX`] bytes. One that sends without a pause
//! wakes the follower no more often than its round takes.

use std::sync::Arc;
use std::time::Duration;

use super::socket::{listen, Authorities};
use super::Chain;
use crate::platform;

/// Most bytes of one message: a header is about a kilobyte, its event a few.
pub const MESSAGE_BYTES_MAX: usize = 1024 * 1024;
/// Hints count as coming for so long after the last one, in milliseconds.
const FRESH_MS: u128 = 10_000;
/// Looks at the head that are left out while hints come: one in twelve is made all the same, every five seconds.
const LEFT_OUT_LOOKS: u64 = 12;
/// First pause before a lost socket is opened again, in milliseconds.
const RETRY_MS_MIN: u64 = 1_000;
/// Longest such pause, in milliseconds.
const RETRY_MS_MAX: u64 = 60_000;

/// Where hints come from.
#[derive(Clone)]
pub struct Hint {
    /// WebSocket URL, `ws://` or `wss://`; it may hold credentials.
    pub url: String,
    /// What subscribes to new blocks, as the family's nodes take it.
    pub subscribe: String,
    /// Who vouches for the host of a `wss://` URL.
    pub authorities: Authorities,
}

impl std::fmt::Debug for Hint {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Hint").field("subscribe", &self.subscribe).finish_non_exhaustive()
    }
}

impl Chain {
    /// There is probably a new block: the follower looks at once.
    pub fn hint(&self) {
        *self.heard.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = Some(platform::monotonic());
        self.wake.notify_one();
    }

    /// The time until the next look without a hint.
    pub(super) fn look_period(&self) -> Duration {
        let heard = *self.heard.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let now = platform::monotonic();
        let usual = Duration::from_millis(self.options.poll_ms);
        if heard.is_some_and(|heard| now.saturating_duration_since(heard).as_millis() < FRESH_MS) {
            return Duration::from_millis(self.options.poll_ms.saturating_mul(LEFT_OUT_LOOKS));
        }
        let pace = self.pace.as_ref().map(|pace| pace.lock().unwrap_or_else(std::sync::PoisonError::into_inner));
        pace.map_or(usual, |pace| pace.wait(now, usual))
    }

    /// Takes hints from the sockets, the next one when one is lost, for ever.
    pub async fn listen(self: Arc<Self>, hints: Vec<Hint>) {
        let mut pause_ms = RETRY_MS_MIN;
        for hint in hints.iter().cycle() {
            let heard = self.listen_to(hint).await;
            pause_ms = if heard { RETRY_MS_MIN } else { pause_ms.saturating_mul(2).min(RETRY_MS_MAX) };
            platform::sleep(Duration::from_millis(pause_ms)).await;
        }
    }

    /// Listens until the socket is lost. Gives whether a hint came.
    async fn listen_to(&self, hint: &Hint) -> bool {
        let heard = listen(hint, || self.hint()).await;
        if heard.is_none() {
            tracing::debug!(chain = self.name(), "no WebSocket; heads are looked at as usual");
        }
        heard.unwrap_or_default()
    }
}
