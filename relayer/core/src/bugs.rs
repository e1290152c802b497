//! Mistakes that can be made on purpose, to show that the deterministic simulation finds them.
//!
//! Each stands at the one place in the code where a careful change could go wrong. Without the feature `deliberate-bugs`,
//! or without debug assertions, [`on`] is a constant and every place compiles to what it would be without it: no
//! optimised program can hold a mistake, whatever features it was built with. Only the simulation's own test target asks
//! for the feature, which a test over `cargo metadata` checks.

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
    /// One endpoint's refusal of a transaction is believed, whoever else may hold it.
    BelieveOneNo,
    /// A transaction that was replaced at a higher fee is not watched any more.
    ForgetReplaced,
    /// A transaction that no block takes is given up, and its nonce released, instead of replaced.
    ReleaseStuck,
    /// A commit counts as durable although the disk has failed to flush it.
    IgnoreFailedFsync,
}

#[cfg(all(feature = "deliberate-bugs", debug_assertions))]
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

#[cfg(all(feature = "deliberate-bugs", debug_assertions))]
pub use switch::{on, set};

/// Makes no mistake: there are none in a build without debug assertions.
#[cfg(all(feature = "deliberate-bugs", not(debug_assertions)))]
pub const fn set(_: Option<Bug>) {}

/// Whether the mistake is made: never.
#[cfg(not(all(feature = "deliberate-bugs", debug_assertions)))]
#[must_use]
pub const fn on(_: Bug) -> bool {
    false
}
