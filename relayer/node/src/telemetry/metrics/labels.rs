//! Values of labels. Each label is one of these enums, a stable error code, or a name from the config.

use catenary_core::Stage;
use catenary_light_clients::{Class, Family};

use crate::attestor::ExclusionCode;

/// A closed set of label values.
pub trait Label: Copy + 'static {
    /// Every value, for initialising series.
    const VALUES: &'static [Self];

    /// How it is written.
    fn label(self) -> &'static str;
}

macro_rules! labels {
    ($($(#[$meta:meta])* $name:ident { $($(#[$variant_meta:meta])* $variant:ident = $text:literal,)+ })+) => {$(
        $(#[$meta])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, PartialOrd, Ord)]
        pub enum $name {
            $($(#[$variant_meta])* $variant,)+
        }

        impl Label for $name {
            const VALUES: &'static [Self] = &[$(Self::$variant,)+];

            fn label(self) -> &'static str {
                match self {
                    $(Self::$variant => $text,)+
                }
            }
        }
    )+};
}

labels! {
    /// Why nothing can be recorded.
    RecordsRefused {
        /// A write failed: the disk is full, or broken.
        Write = "JRN-002",
        /// What a failed write left cannot be cleared away yet.
        Recovery = "JRN-009",
        /// The store cannot be written.
        Store = "STORE-001",
        /// The ledger stopped until a restart.
        Stopped = "STORE-004",
        /// Records are durable, and the store lacks them.
        Late = "STORE-007",
        /// Another code, which readiness and the log tell.
        Other = "other",
    }

    /// What the sweep found.
    SweepFinding {
        /// A packet that is committed and was not known.
        Packet = "packet",
        /// An acknowledgement that was not known.
        Ack = "ack",
        /// A packet that has ended and was held open.
        End = "end",
    }

    /// Which head of a chain.
    Finality {
        /// The newest block that is final by the family's rule.
        Final = "final",
    }

    /// What a request to an endpoint is for.
    MethodClass {
        /// Which network it serves.
        Identity = "identity",
        /// Its head.
        Head = "head",
        /// Light-client updates.
        Updates = "updates",
        /// Packet events.
        Events = "events",
        /// Proofs.
        Proofs = "proofs",
        /// Accounts, clients and unproven reads.
        State = "state",
        /// Estimates and simulation.
        Estimate = "estimate",
        /// Handing in a transaction.
        Broadcast = "broadcast",
        /// Outcomes of transactions.
        Receipt = "receipt",
    }

    /// How a request to an endpoint, or an operation of the store, went.
    Outcome {
        /// Done.
        Ok = "ok",
        /// Failed in a way that may pass.
        Transient = "transient",
        /// Failed for good.
        Permanent = "permanent",
    }

    /// What a client's state is.
    ClientStatus {
        /// It judges.
        Active = "active",
        /// Trust has ended.
        Expired = "expired",
        /// A conflict or misbehaviour was seen.
        Frozen = "frozen",
    }

    /// What became of an update of an on-chain client.
    ClientUpdateOutcome {
        /// Broadcast.
        Submitted = "submitted",
        /// In a block.
        Confirmed = "confirmed",
        /// Not needed.
        Skipped = "skipped",
        /// It did not work.
        Failed = "failed",
    }

    /// What a light client checked.
    Check {
        /// An update.
        Header = "header",
        /// A membership proof.
        Membership = "membership",
        /// An absence proof.
        Absence = "absence",
        /// Evidence.
        Misbehaviour = "misbehaviour",
    }

    /// What a light client answered.
    CheckVerdict {
        /// It holds.
        Verified = "verified",
        /// It does not.
        Rejected = "rejected",
        /// A header between is needed.
        NeedsIntermediate = "needs_intermediate",
        /// Trust has ended.
        Expired = "expired",
        /// A person must approve.
        Held = "held",
        /// It contradicts what is trusted.
        Conflict = "conflict",
    }

    /// How far misbehaviour has been taken.
    MisbehaviourStage {
        /// Seen by our light client.
        Detected = "detected",
        /// Handed to a chain.
        Submitted = "submitted",
        /// Accepted by it.
        Confirmed = "confirmed",
    }

    /// What brought a packet into a stage.
    PacketKind {
        /// It was sent, or delivered.
        Send = "send",
        /// Its acknowledgement.
        Ack = "ack",
        /// Its timeout.
        Timeout = "timeout",
        /// A refund after an error acknowledgement.
        Refund = "refund",
    }

    /// Up to what a packet's time is measured.
    EndToEnd {
        /// Received on its destination.
        Delivered = "delivered",
        /// Acknowledged at home.
        Acked = "acked",
        /// Refunded at home.
        Refunded = "refunded",
    }

    /// How a packet ended.
    Terminal {
        /// Acknowledged.
        Acked = "acked",
        /// Timed out and refunded.
        Refunded = "refunded",
        /// Refused by the application and refunded.
        Rejected = "rejected",
        /// Its deadline passed before we could deliver it.
        Expired = "expired",
        /// Somebody else brought it to its end.
        DoneByOther = "done_by_other",
        /// It never was: the claim was false.
        Phantom = "phantom",
    }

    /// Why packets wait.
    BlockedReason {
        /// Too few attestors sign.
        Attestors = "attestors",
        /// The on-chain client is frozen.
        ClientFrozen = "client_frozen",
        /// The trusting period has passed.
        ExpiredClient = "expired_client",
        /// A chain is stopped or its endpoints are down.
        ChainStopped = "chain_stopped",
        /// What the endpoint says cannot be proven.
        NoProof = "no_proof",
        /// The destination refuses it again and again.
        Poison = "poison",
        /// The fee or the balance is too low.
        Fee = "fee",
        /// A person stopped it.
        Freeze = "freeze",
    }

    /// What became of a transaction.
    TxOutcome {
        /// In a block, and took effect.
        Included = "included",
        /// In a block, and did nothing.
        Reverted = "reverted",
        /// Refused or lost.
        Dropped = "dropped",
        /// Sent again in another form.
        Replaced = "replaced",
        /// Not included in time.
        Expired = "expired",
    }

    /// What an attestor was asked for.
    AttestationKind {
        /// A state.
        State = "state",
        /// Packet commitments.
        Packet = "packet",
        /// Acknowledgements.
        Ack = "ack",
        /// Absent receipts.
        Receipt = "receipt",
    }

    /// What an attestor answered.
    AttestationOutcome {
        /// Verified and signed.
        Signed = "signed",
        /// Signed before.
        Cached = "cached",
        /// It cannot be verified, or must not be signed.
        Refused = "refused",
        /// It failed in a way that may pass.
        Failed = "failed",
    }

    /// What the store did.
    StoreOperation {
        /// Reading one value.
        Get = "get",
        /// Reading many.
        Scan = "scan",
        /// Writing a batch.
        Batch = "batch",
        /// Making it durable.
        Flush = "flush",
    }

    /// How loud a log line is.
    LogLevel {
        /// Something a person should see.
        Error = "error",
        /// Something unexpected that was dealt with.
        Warn = "warn",
        /// Something expected.
        Info = "info",
        /// For finding faults.
        Debug = "debug",
        /// For finding faults, in great detail.
        Trace = "trace",
    }
}

impl Label for Stage {
    const VALUES: &'static [Self] = &Self::ALL;

    fn label(self) -> &'static str {
        self.name()
    }
}

impl Label for ExclusionCode {
    const VALUES: &'static [Self] = &Self::ALL;

    fn label(self) -> &'static str {
        self.code()
    }
}

impl Label for Class {
    const VALUES: &'static [Self] = &[Self::Transient, Self::Permanent, Self::Misbehaviour, Self::Config, Self::Bug];

    fn label(self) -> &'static str {
        self.name()
    }
}

impl Label for Family {
    const VALUES: &'static [Self] = &[Self::Qbft, Self::Ibft2, Self::CometBft];

    fn label(self) -> &'static str {
        self.name()
    }
}

impl RecordsRefused {
    /// The value for a stable code.
    #[must_use]
    pub fn of(code: &str) -> Self {
        Self::VALUES.iter().copied().find(|value| value.label() == code).unwrap_or(Self::Other)
    }
}
