//! What validators of a devnet can be told to do wrong.

/// A fault of the validators. The chain behaves so from the call of
/// [`EvmDevnet::fault`](super::EvmDevnet::fault) until [`EvmDevnet::heal`](super::EvmDevnet::heal), which also takes
/// blocks that no honest network would have off the chain.
///
/// What an honest follower must make of each is said with it.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum EvmFault {
    /// One seal fewer than a quorum. Refused.
    BelowQuorum,
    /// A quorum of seals, two of them by one validator. Refused.
    RepeatedSeal,
    /// A quorum of seals of keys that are no validators. Refused.
    Strangers,
    /// A validator set that was made up, with a quorum of its seals. Refused.
    ForgedValidators,
    /// One validator more than the votes say (in contract mode: more than the contract says, listed in the header).
    /// Refused.
    UnvotedValidator,
    /// A third of the validators (F of 3F + 1) says nothing. Blocks go on, in higher rounds. Nothing to refuse.
    StoppedThird,
    /// Half of the validators say nothing. No blocks.
    StoppedHalf,
    /// A state root that belongs to no state, well sealed: only possible if more than F lie. Proofs fail against it.
    WrongStateRoot,
    /// A time this far ahead, well sealed. Refused while it is beyond the clock's drift.
    FutureTime {
        /// How far ahead, in seconds.
        seconds: u64,
    },
    /// The time of the block before, well sealed. Refused.
    StuckTime,
    /// From the next block on, the block at `height` is served for every height above it. Refused.
    ReplayedHeader {
        /// The height of the block that is served.
        height: u64,
    },
    /// From the next block on, two different blocks at each height, both well sealed; the second chain is
    /// [`Branch::Other`]. A follower that sees both freezes.
    Equivocation,
    /// The same, with the second chain parting this many blocks below the head already.
    Fork {
        /// How many blocks the two chains have apart at once.
        depth: u64,
    },
    /// The newest blocks are undone, and others follow in their place: finality broken. A follower that saw the old
    /// ones refuses the new ones, and freezes when it compares them.
    RollBack {
        /// How many blocks are undone.
        depth: u64,
    },
}

impl EvmFault {
    /// One of each, for a catalogue; give the chain ten blocks first.
    #[must_use]
    pub fn catalogue() -> Vec<Self> {
        vec![
            Self::BelowQuorum,
            Self::RepeatedSeal,
            Self::Strangers,
            Self::ForgedValidators,
            Self::UnvotedValidator,
            Self::StoppedThird,
            Self::StoppedHalf,
            Self::WrongStateRoot,
            Self::FutureTime { seconds: 3_600 },
            Self::StuckTime,
            Self::ReplayedHeader { height: 3 },
            Self::Equivocation,
            Self::Fork { depth: 2 },
            Self::RollBack { depth: 2 },
        ]
    }
}

/// Which chain an endpoint shows.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Branch {
    /// The chain itself.
    #[default]
    Main,
    /// The second chain of an equivocation or a fork, which has no transactions; the chain itself while there is none.
    Other,
}
