//! Words of the engine.

use catenary_api::PacketEvent;
use catenary_light_clients::{Class, Timestamp};
use catenary_protocol::{Acknowledgement, Packet};

use super::schedule::Place;
use super::turns::Turn;

/// One end of a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Side {
    /// The path's first end.
    A,
    /// The path's second end.
    B,
}

impl Side {
    /// The other end.
    #[must_use]
    pub const fn other(self) -> Self {
        match self {
            Self::A => Self::B,
            Self::B => Self::A,
        }
    }

    /// `a` or `b`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::A => "a",
            Self::B => "b",
        }
    }
}

/// A packet on the path: where it was sent, and its sequence there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key {
    /// Side of the source.
    pub source: Side,
    /// Sequence under the source's client.
    pub sequence: u64,
}

/// Why a packet waits for a person, or for an on-chain client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParkReason {
    /// Stable code of the last refusal.
    pub code: &'static str,
    /// Its message.
    pub message: String,
    /// The side whose on-chain client nothing can be proven through: the packet goes on by itself once it can again.
    /// `None` waits for a person.
    pub client: Option<Side>,
}

/// Where a packet is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum State {
    /// Committed on its source; to be received, or to time out.
    Sent,
    /// Received; its acknowledgement is to go home.
    Received,
    /// Its source is said to have ended it; that is to be proven.
    Closing,
    /// Waits for a person, or for an on-chain client.
    Parked(ParkReason),
}

/// How a packet ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// Received and acknowledged.
    Acknowledged,
    /// Received with an error acknowledgement: refunded.
    Rejected,
    /// Not received in time: refunded.
    TimedOut,
}

impl Outcome {
    /// The label used in metrics and the ledger.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Acknowledged => "acked",
            Self::Rejected => "rejected",
            Self::TimedOut => "refunded",
        }
    }
}

/// Which of the two lanes a packet is worked on in: one with new packets is not held up by what has piled up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Lane {
    /// Heard of soon after it happened.
    Live,
    /// Heard of late, kept over a restart or scanned from far behind; or refused.
    Backlog,
}

/// An open packet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The packet, as claimed.
    pub packet: Packet,
    /// Where it is.
    pub state: State,
    /// The acknowledgement, as claimed.
    pub acknowledgement: Option<Acknowledgement>,
    /// Height of the source at which it was sent; 0 when only its acknowledgement was seen.
    pub sent_height: u64,
    /// Height of the destination at which it was acknowledged; 0 when that was not seen.
    pub ack_height: u64,
    /// Height of the source at which it is said to have ended; 0 when that was not said.
    pub end_height: u64,
    /// Since when a job for it could start, once one could.
    pub ready: Option<Ready>,
    /// Not before this height of this side; says nothing of jobs that go to the other one.
    pub not_before: Option<(Side, u64)>,
    /// Refusals so far.
    pub refusals: u32,
    /// Transient failures in a row.
    pub failures: u32,
    /// The job that has it.
    pub job: Option<JobId>,
    /// Whether an own transaction delivered it.
    pub delivered_by_us: bool,
    /// When the source claimed it, for latency figures.
    pub seen_at: Timestamp,
    /// Its lane.
    pub(super) lane: Lane,
    /// Where it stands in the schedule.
    pub(super) place: Place,
}

/// When and by whom a packet may be worked on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ready {
    /// The kind of job that it became ready for.
    pub kind: JobKind,
    /// Its place in the turn order for that kind.
    pub turn: Turn,
    /// Height, of the side that the job goes to, at which it became ready: turns count from there.
    pub height: u64,
    /// Time of the destination from which its deadline is shorter than the turns, in seconds.
    pub hurry_from_seconds: u64,
}

/// A side's newest verified state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HeadView {
    /// Highest provable height.
    pub height: u64,
    /// Its time.
    pub timestamp: Timestamp,
    /// Milliseconds a block, smoothed.
    pub block_ms: u64,
}

/// Number of a job, unique in one engine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct JobId(pub u64);

/// What a job does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum JobKind {
    /// Delivers packets to their destination.
    Recv,
    /// Delivers acknowledgements to the source.
    Ack,
    /// Times packets out on the source.
    Timeout,
    /// Proves that packets have ended; sends nothing.
    Confirm,
}

impl JobKind {
    /// The label used in metrics, the journal and logs.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Recv => "recv",
            Self::Ack => "ack",
            Self::Timeout => "timeout",
            Self::Confirm => "confirm",
        }
    }
}

/// Work for the driver. All items have the same kind and go to the same side.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Job {
    /// Number.
    pub id: JobId,
    /// What to do.
    pub kind: JobKind,
    /// The side that the transaction goes to; for `Confirm` the source, whose state is proven.
    pub to: Side,
    /// The packets.
    pub items: Vec<Key>,
    /// The facts must be proven at this height or above, on the side that they are about.
    pub min_proof_height: u64,
}

/// How one item of a job went.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ItemOutcome {
    /// Our transaction took effect at this height of the side that it went to.
    Delivered {
        /// Height.
        height: u64,
    },
    /// Somebody else did it.
    AlreadyDone,
    /// Too late to be received: the timeout path takes over.
    Expired,
    /// `Confirm`: proven to have ended.
    Closed(Outcome),
    /// `Confirm`: the commitment is still there.
    StillOpen,
    /// `Ack`: it is proven that there is no acknowledgement; who claimed one was wrong.
    NotAcked,
    /// Nothing can be proven through the on-chain client of the side that the job goes to: it is frozen or has expired.
    Blocked {
        /// Stable code.
        code: &'static str,
        /// For people.
        message: String,
    },
    /// It did not work.
    Failed {
        /// Stable code.
        code: &'static str,
        /// Transient failures never park; refusals do after a while.
        class: Class,
        /// For people.
        message: String,
    },
}

/// All that can happen to an engine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// Something happened on a side. That a packet was sent or acknowledged has been proven before it comes here; that
    /// it ended is a claim, which a confirming job proves.
    Claim {
        /// Side.
        side: Side,
        /// Block height.
        height: u64,
        /// What.
        event: PacketEvent,
        /// When we learnt of it, for latency figures.
        at: Timestamp,
    },
    /// A side's light client has a new provable head.
    Head {
        /// Side.
        side: Side,
        /// Highest provable height.
        height: u64,
        /// Its time.
        timestamp: Timestamp,
    },
    /// A job is done.
    JobDone {
        /// Job.
        job: JobId,
        /// How each item went.
        items: Vec<(Key, ItemOutcome)>,
    },
    /// A person releases a parked packet.
    Release {
        /// Packet.
        key: Key,
    },
    /// Packets can be proven through the on-chain client of a side: those that waited for that go on. Told again and
    /// again, for one may have begun to wait since.
    ClientActive {
        /// Side that the client is on.
        side: Side,
    },
}

/// What the driver must do or record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Effect {
    /// A packet entered a state: journal it.
    Entered {
        /// Packet.
        key: Key,
    },
    /// A claim did not hold: scan its side again from its height, since the endpoint may have changed what it said.
    Rescan {
        /// Side of the claim.
        side: Side,
        /// Height of the claim.
        height: u64,
    },
    /// A claim of a packet that is not held was left out, since as many are held as may be: its side is scanned again from
    /// its height once some have ended.
    NoRoom {
        /// Side of the claim.
        side: Side,
        /// Height of the claim.
        height: u64,
    },
    /// A packet ended: journal it.
    Ended {
        /// Packet.
        key: Key,
        /// The entry as it was.
        entry: Box<Entry>,
        /// How.
        outcome: Outcome,
    },
}

/// How an engine behaves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    /// Path's name, part of the turn order.
    pub path: String,
    /// All operators of the path.
    pub operators: Vec<String>,
    /// This node.
    pub own: String,
    /// Blocks of the destination that a rank waits for the rank before it.
    pub turn_delay_blocks: u64,
    /// Sequences that share a leader.
    pub bucket: u64,
    /// Most items of one job.
    pub job_items_max: usize,
    /// A packet whose timeout is nearer than this is not delivered any more, in seconds: the transaction would land
    /// too late.
    pub recv_margin_seconds: u64,
}
