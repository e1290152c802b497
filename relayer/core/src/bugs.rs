//! Mistakes that can be made on purpose, to show that the deterministic simulation finds them.
//!
//! Each stands at the one place in the code where a careful change could go wrong. Without the feature `deliberate-bugs`
//! [`on`] is a constant and every place compiles to what it would be without it; only the simulation's own test target
//! asks for the feature, and a build without debug assertions refuses it.

#[cfg(all(feature = "deliberate-bugs", not(debug_assertions)))]
compile_error!("deliberate-bugs is for the simulation's tests only and never part of a program that runs");

/// A mistake.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Bug {
    /// A commit of the journal is not flushed to the disk.
    SkipFsync,
    /// What was attested a while ago is sent without looking again whether it is done.
    DropRecheck,
    /// The signer does not remember which transaction it signed for a nonce.
    ForgetNonceMemory,
    /// An acknowledgement that an endpoint claims is news without a proof.
    AcceptUnverifiedAck,
    /// A packet that an endpoint claims is news without a proof.
    AcceptUnverifiedSend,
    /// A packet is delivered although its time is over.
    DeliverExpired,
    /// The cursor is durable before the packets that it has passed.
    ForgetCursorOrder,
    /// That an endpoint says a packet has ended counts as its end.
    ReceiptIsEnd,
    /// A packet counts as refunded without a proof that it was not received.
    RefundWithoutAbsence,
    /// A transaction is broadcast without an intent in the journal.
    DropIntent,
    /// A job is run twice.
    DoubleJob,
    /// Transactions without an outcome are forgotten at a start.
    SkipReconcile,
}

#[cfg(feature = "deliberate-bugs")]
mod switch {
    use std::cell::Cell;

    use super::Bug;

    thread_local! {
        static ON: Cell<Option<Bug>> = const { Cell::new(None) };
    }

    /// Whether the mistake is made on this thread.
    #[must_use]
    pub fn on(bug: Bug) -> bool {
        ON.get() == Some(bug)
    }

    /// Makes one mistake on this thread, or none.
    pub fn set(bug: Option<Bug>) {
        ON.set(bug);
    }
}

#[cfg(feature = "deliberate-bugs")]
pub use switch::{on, set};

/// Whether the mistake is made: never.
#[cfg(not(feature = "deliberate-bugs"))]
#[must_use]
pub const fn on(_: Bug) -> bool {
    false
}
