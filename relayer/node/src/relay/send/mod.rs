//! One key's transactions on one chain: lease a nonce, journal, sign, broadcast, and find out what became of each.
//!
//! The raw bytes of a transaction are in the journal before the broadcast, so after a crash the very same transaction
//! is looked up and, if it is nowhere, broadcast again: never a second one for its nonce, but for a replacement, which is
//! the same one at a higher fee. An unknown outcome is resolved by reading the chain before anything else is sent.
//!
//! | a crash after | what the next start finds | and does |
//! | --- | --- | --- |
//! | the signature | a digest for the nonce, nothing on its way | looks again whether the nonce is used, then releases it |
//! | the intent, the broadcast | one transaction on its way | looks for it, broadcasts the same bytes, waits |
//! | a replacement's signature | the digest of the replacement, the first one on its way | goes on with the first one |
//! | a replacement's intent, its broadcast | all versions on their way | looks for all, broadcasts the newest, waits |
//! | the outcome | nothing on its way | nothing |
//!
//! All versions of one nonce are watched, and whichever is included is the outcome; the chain takes at most one.
//!
//! # What an attacker can grow
//!
//! At most [`SendPolicy::in_flight_max`] transactions, one for timeouts and one that keeps an on-chain client are on their
//! way, each in at most
//! [`REPLACEMENTS_MAX`](crate::keystore::REPLACEMENTS_MAX) + 1 versions; who comes later waits.

mod flights;
mod outcome;
mod sender;
#[cfg(test)]
mod tests;
mod types;

pub use sender::{Sender, SenderParts};
pub use types::{Corridor, Effected, Note, ReleasingSigner, SendError, SendObserver, SendPolicy, Sent, TxEvent};
