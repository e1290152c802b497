//! Why an update, evidence, a proof, a configuration or a saved state is refused.

use crate::proof::trie::TrieError;
use crate::quorum::QuorumError;
use crate::trust::TrustError;
use crate::verdict::{Class, Coded, Hash32, Timestamp};

/// Why something is refused. Each variant carries both compared values.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum GrandpaError {
    /// A refusal that concerns trust and time, the same in every family.
    #[error(transparent)]
    Trust(#[from] TrustError),
    /// A set or a count of votes.
    #[error(transparent)]
    Quorum(#[from] QuorumError),
    /// A proof of the state.
    #[error(transparent)]
    Proof(#[from] TrieError),
    /// The update is longer than is looked at.
    #[error("update of {got_bytes} bytes is longer than {max_bytes}; ask for fewer heights at once")]
    TooLarge {
        /// Length given.
        got_bytes: usize,
        /// Longest allowed.
        max_bytes: usize,
    },
    /// The bytes are not the SCALE encoding of what is expected.
    #[error("{what} is not the SCALE encoding that it should be; ask another endpoint")]
    Decode {
        /// The part.
        what: &'static str,
    },
    /// The bytes decode, but encode to other bytes.
    #[error(
        "{what} is not in its one encoding ({got_bytes} bytes given, {expected_bytes} when encoded); re-encode it"
    )]
    NotCanonical {
        /// The part.
        what: &'static str,
        /// Length given.
        got_bytes: usize,
        /// Length of the one encoding.
        expected_bytes: usize,
    },
    /// More or fewer entries than are looked at (GR-14).
    #[error("{got} {what}, 1 to {max} are looked at")]
    Count {
        /// What is counted.
        what: &'static str,
        /// Number given.
        got: usize,
        /// Most allowed.
        max: usize,
    },
    /// Another kind of update than is of use here.
    #[error("this is {got}, {expected} is needed here")]
    Kind {
        /// Kind given.
        got: &'static str,
        /// Kind needed.
        expected: &'static str,
    },
    /// Headers that do not follow one another.
    #[error("header {height} hashes to {got}, the one above it names {expected} as its parent")]
    Line {
        /// Number of the lower header.
        height: u64,
        /// Its hash.
        got: Hash32,
        /// Parent hash in the header above.
        expected: Hash32,
    },
    /// Headers whose numbers do not follow one another.
    #[error("the header below {above} has the number {got}")]
    LineNumber {
        /// Number of the upper header.
        above: u64,
        /// Number of the header that its parent hash names.
        got: u64,
    },
    /// The height that the update is for is not among its headers.
    #[error("the update is for height {got}, its headers are {lowest} to {highest}")]
    Subject {
        /// Height that the update is for.
        got: u64,
        /// Lowest header.
        lowest: u64,
        /// Highest header.
        highest: u64,
    },
    /// An authority is in a set twice.
    #[error("authority {key} is in the set twice")]
    DuplicateAuthority {
        /// Its key.
        key: Hash32,
    },
    /// A set that tolerates no fault.
    #[error("{got} authorities tolerate no fault; set allow_no_fault_tolerance if that is meant")]
    NoFaultTolerance {
        /// Authorities in the set.
        got: usize,
    },
    /// A consensus message of GRANDPA in a header that cannot be read, so that nobody can say whether it is a change.
    #[error("header {height} carries a GRANDPA message that cannot be read; this chain needs a newer version")]
    Message {
        /// Number of the header.
        height: u64,
    },
    /// A forced change of the authorities: made without finality, by a person (GR-08).
    #[error("header {height} forces a change of the authorities; a person must look at it and set a new anchor")]
    ForcedChange {
        /// Number of the header.
        height: u64,
    },
    /// Two changes in one header (GR-08).
    #[error("header {height} schedules two changes of the authorities, at most one is possible")]
    TwoChanges {
        /// Number of the header.
        height: u64,
    },
    /// A change that takes effect later than at once (GR-08).
    #[error("header {height} schedules a change {delay} blocks later; only a change with delay 0 is followed")]
    DelayedChange {
        /// Number of the header.
        height: u64,
        /// Blocks until it takes effect.
        delay: u32,
    },
    /// A header below a justified one changes the authorities: they had no right to finalise what is above it (GR-07).
    #[error("header {height} below the justified {target} changes the authorities; justify {height} first")]
    HiddenChange {
        /// Number of the header with the change.
        height: u64,
        /// Number of the justified header.
        target: u64,
    },
    /// Authorities go on over a header that does not change them (GR-09).
    #[error("fragment {position} ends at header {height}, which changes no authorities, and is not the last")]
    MissingChange {
        /// Position of the fragment, from 0.
        position: usize,
        /// Number of its justified header.
        height: u64,
    },
    /// A justification of a set that has handed over (GR-05).
    #[error("header {height} is justified by set {got}, set {expected} finalises it")]
    OldSet {
        /// Number of the header.
        height: u64,
        /// Set id given.
        got: u64,
        /// Set id needed.
        expected: u64,
    },
    /// A justification of a set that comes later: the header that hands over to it is missing.
    #[error("header {height} is justified by set {got}, set {expected} is trusted; give the handover between")]
    SetAhead {
        /// Number of the header.
        height: u64,
        /// Set id given.
        got: u64,
        /// Set id trusted.
        expected: u64,
    },
    /// The justification is for another block (GR-01).
    #[error("the justification is for block {got_number} {got}, the header is {expected_number} {expected}")]
    Target {
        /// Number justified.
        got_number: u64,
        /// Hash justified.
        got: Hash32,
        /// Number of the header.
        expected_number: u64,
        /// Hash of the header.
        expected: Hash32,
    },
    /// A header above the target is there twice (GR-03).
    #[error("the header {hash} is twice among those above the justified block")]
    DuplicateAncestry {
        /// Its hash.
        hash: Hash32,
    },
    /// A vote by somebody who is no authority (GR-04).
    #[error("vote {position} is of {key}, who is no authority of the set")]
    Stranger {
        /// Position of the vote, from 0.
        position: usize,
        /// Key of the voter.
        key: Hash32,
    },
    /// An authority has voted twice (GR-04).
    #[error("vote {position} is the second of {key}; leave it out")]
    RepeatedVote {
        /// Position of the vote, from 0.
        position: usize,
        /// Key of the voter.
        key: Hash32,
    },
    /// A vote for a block below the target (GR-02).
    #[error("vote {position} is for block {got}, below the justified {target}")]
    BelowTarget {
        /// Position of the vote, from 0.
        position: usize,
        /// Number voted for.
        got: u64,
        /// Number of the target.
        target: u64,
    },
    /// A vote whose block is not shown to descend from the target (GR-02, GR-03).
    #[error("vote {position}: no header {missing} leads from its block down to the justified one")]
    NotDescended {
        /// Position of the vote, from 0.
        position: usize,
        /// The hash that no header has, or that is beside the target.
        missing: Hash32,
    },
    /// A number on the way from a vote to the target that is not one less than the one before (GR-02).
    #[error("vote {position}: block {hash} has the number {got} where {expected} is meant")]
    VoteNumber {
        /// Position of the vote, from 0.
        position: usize,
        /// Hash of the block.
        hash: Hash32,
        /// Number of the block.
        got: u64,
        /// Number that it should have.
        expected: u64,
    },
    /// Headers above the target that no vote needs (GR-03).
    #[error("{got} headers are given above the justified block, the votes need {used} of them")]
    UnusedAncestry {
        /// Headers given.
        got: usize,
        /// Headers that votes lead over.
        used: usize,
    },
    /// A signature that does not hold (GR-05, GR-13).
    #[error("vote {position} of {key} does not hold in round {round} of set {set_id}")]
    Signature {
        /// Position of the vote, from 0.
        position: usize,
        /// Key of the voter.
        key: Hash32,
        /// Round of the justification.
        round: u64,
        /// Set id that it is checked for.
        set_id: u64,
    },
    /// A justified header that is not above the one before it.
    #[error("the justified header {got} is not above {trusted}")]
    NotAbove {
        /// Its number.
        got: u64,
        /// Number of the header before.
        trusted: u64,
    },
    /// A header that does not follow the trusted one.
    #[error("header {height} follows {got}, the trusted header below it is {expected}")]
    Parent {
        /// Number of the header.
        height: u64,
        /// Its parent hash.
        got: Hash32,
        /// Hash of the trusted header.
        expected: Hash32,
    },
    /// Headers are missing between the trusted header and the justified one.
    #[error("headers {from} to {to} are missing; give them, or allow skipping")]
    Gap {
        /// First missing number.
        from: u64,
        /// Last missing number.
        to: u64,
    },
    /// A value of the state that has another form than the chain gives it (ST-08).
    #[error("{what} in the state at {height} has {got_bytes} bytes and not the form that it should have")]
    StateForm {
        /// The value.
        what: &'static str,
        /// Height of the state.
        height: u64,
        /// Length of the value.
        got_bytes: usize,
    },
    /// A value that every state of such a chain has is not there.
    #[error("{what} is not in the state at {height}; is this a chain with pallet_timestamp and pallet_grandpa?")]
    StateMissing {
        /// The value.
        what: &'static str,
        /// Height of the state.
        height: u64,
    },
    /// The state counts other handovers than were followed: one has been skipped (GR-07).
    #[error("the state at {height} is one of set {got}, the handovers that were followed lead to set {expected}")]
    StateSet {
        /// Height of the state.
        height: u64,
        /// Set id in the state.
        got: u64,
        /// Set id followed to.
        expected: u64,
    },
    /// The state has other authorities than were followed to.
    #[error("the state at {height} has other authorities than set {expected} that was followed to")]
    StateAuthorities {
        /// Height of the state.
        height: u64,
        /// Set id followed to.
        expected: u64,
    },
    /// The update does not prove the authorities, which an anchor needs.
    #[error("the update for the anchor does not prove the authorities; ask for an update of that height alone")]
    NoAuthorities,
    /// A header that is not later than the trusted one.
    #[error("header {height} has the time {got}, not after {trusted} of the trusted one")]
    TimeOrder {
        /// Number of the header.
        height: u64,
        /// Its time.
        got: Timestamp,
        /// Time of the trusted header.
        trusted: Timestamp,
    },
    /// A state root of zero bytes: uninitialised state that would verify anything.
    #[error("the state root of header {height} is all zero, which no state has")]
    ZeroStateRoot {
        /// Number of the header.
        height: u64,
    },
    /// An older header that no retained header above it names.
    #[error("no header is retained right above {height}; give the headers up to one that is, the newest is {newest}")]
    NotLinked {
        /// Number of the header.
        height: u64,
        /// Newest retained height.
        newest: u64,
    },
    /// An older header that another one is named in place of.
    #[error("header {height} hashes to {got}, the trusted header above it names {expected}")]
    Successor {
        /// Number of the header.
        height: u64,
        /// Its hash.
        got: Hash32,
        /// Parent hash in the header above.
        expected: Hash32,
    },
    /// A height below what is retained.
    #[error("height {height} is below {oldest}, the oldest that is retained; raise retain_heights")]
    NotRetained {
        /// Height asked for.
        height: u64,
        /// Oldest retained height.
        oldest: u64,
    },
    /// A height at which nothing is verified.
    #[error("no header is verified at height {height}; the newest is {newest}")]
    HeightUnknown {
        /// Height asked for.
        height: u64,
        /// Newest verified height.
        newest: u64,
    },
    /// A path that is empty or too long.
    #[error("a path has {got_bytes} bytes, 1 to {max_bytes} are possible")]
    PathLength {
        /// Its length.
        got_bytes: usize,
        /// Longest possible.
        max_bytes: usize,
    },
    /// A value of no bytes, which nothing that is committed has.
    #[error("an empty value is asked for, which no commitment has")]
    ValueEmpty,
    /// The path holds nothing.
    #[error("the path holds nothing at height {height}")]
    ValueAbsent {
        /// Height of the state.
        height: u64,
    },
    /// The path holds another value; both are shown by their SHA-256.
    #[error("the path holds a value of SHA-256 {got} at height {height}, expected one of {expected}")]
    ValueMismatch {
        /// Height of the state.
        height: u64,
        /// Digest of the value in the state.
        got: Hash32,
        /// Digest of the value expected.
        expected: Hash32,
    },
    /// The path holds something; the value is shown by its SHA-256.
    #[error("the path holds a value of SHA-256 {got} at height {height}, nothing was expected")]
    ValuePresent {
        /// Height of the state.
        height: u64,
        /// Digest of the value in the state.
        got: Hash32,
    },
    /// There is no such pallet in the state, so that everything would be absent in it.
    #[error(
        "the state at {height} has no storage version of the configured pallet: it is not there, or has another name"
    )]
    StoreMissing {
        /// Height of the state.
        height: u64,
    },
    /// A configuration that can never work.
    #[error("configuration: {what}")]
    Config {
        /// What is needed.
        what: &'static str,
    },
    /// Evidence that contradicts nothing: one branch (GR-10), or the same header.
    #[error("{first} at {first_height} and {second} at {second_height} do not contradict each other")]
    NoContradiction {
        /// Height of the first header or vote.
        first_height: u64,
        /// Its hash.
        first: Hash32,
        /// Height of the second header or vote.
        second_height: u64,
        /// Its hash.
        second: Hash32,
    },
    /// Headers of evidence, or of a fork, that do not lead down to a retained header.
    #[error("header {height} follows {got}, which is not retained: it may be of another network with these keys")]
    Unjudged {
        /// Lowest header given.
        height: u64,
        /// Its parent hash.
        got: Hash32,
    },
    /// Evidence about a set whose authorities are not kept any more.
    #[error("the authorities of set {set_id} are not kept, the current set is {current}")]
    UnknownSet {
        /// Set id.
        set_id: u64,
        /// Current set id.
        current: u64,
    },
    /// Two votes of different sets or rounds (GR-10).
    #[error("the votes are of {what} {first} and {second}, a contradiction is within one")]
    OtherBallot {
        /// What differs: set or round.
        what: &'static str,
        /// In the first vote.
        first: u64,
        /// In the second vote.
        second: u64,
    },
    /// Two votes of different voters.
    #[error("the votes are of {first} and {second}, a contradiction is of one voter")]
    OtherVoter {
        /// First voter.
        first: Hash32,
        /// Second voter.
        second: Hash32,
    },
}

/// An authority signed two different precommits in one round of one set.
pub const EQUIVOCATION: &str = "LC-GRANDPA-050";
/// Two headers of which neither descends from the other were both justified.
pub const FORK: &str = "LC-GRANDPA-051";
/// Trusted headers below and above a header that names another block before it.
pub const BROKEN_LINK: &str = "LC-GRANDPA-052";
/// Trusted headers whose times do not grow with their heights.
pub const BROKEN_TIME: &str = "LC-GRANDPA-053";

impl Coded for GrandpaError {
    fn code(&self) -> &'static str {
        match self {
            Self::Trust(error) => error.code(),
            Self::Quorum(error) => error.code(),
            Self::Proof(error) => error.code(),
            Self::TooLarge { .. } => "LC-GRANDPA-001",
            Self::Decode { .. } => "LC-GRANDPA-002",
            Self::NotCanonical { .. } => "LC-GRANDPA-003",
            Self::Count { .. } => "LC-GRANDPA-004",
            Self::Kind { .. } => "LC-GRANDPA-005",
            Self::Line { .. } => "LC-GRANDPA-006",
            Self::LineNumber { .. } => "LC-GRANDPA-007",
            Self::Subject { .. } => "LC-GRANDPA-008",
            Self::DuplicateAuthority { .. } => "LC-GRANDPA-009",
            Self::NoFaultTolerance { .. } => "LC-GRANDPA-010",
            Self::Message { .. } => "LC-GRANDPA-011",
            Self::ForcedChange { .. } => "LC-GRANDPA-012",
            Self::TwoChanges { .. } => "LC-GRANDPA-013",
            Self::DelayedChange { .. } => "LC-GRANDPA-014",
            Self::HiddenChange { .. } => "LC-GRANDPA-015",
            Self::MissingChange { .. } => "LC-GRANDPA-016",
            Self::OldSet { .. } => "LC-GRANDPA-017",
            Self::SetAhead { .. } => "LC-GRANDPA-018",
            Self::Target { .. } => "LC-GRANDPA-019",
            Self::DuplicateAncestry { .. } => "LC-GRANDPA-020",
            Self::Stranger { .. } => "LC-GRANDPA-021",
            Self::RepeatedVote { .. } => "LC-GRANDPA-022",
            Self::BelowTarget { .. } => "LC-GRANDPA-023",
            Self::NotDescended { .. } => "LC-GRANDPA-024",
            Self::VoteNumber { .. } => "LC-GRANDPA-025",
            Self::UnusedAncestry { .. } => "LC-GRANDPA-026",
            Self::Signature { .. } => "LC-GRANDPA-027",
            Self::NotAbove { .. } => "LC-GRANDPA-028",
            Self::Parent { .. } => "LC-GRANDPA-029",
            Self::Gap { .. } => "LC-GRANDPA-030",
            Self::StateForm { .. } => "LC-GRANDPA-031",
            Self::StateMissing { .. } => "LC-GRANDPA-032",
            Self::StateSet { .. } => "LC-GRANDPA-033",
            Self::StateAuthorities { .. } => "LC-GRANDPA-034",
            Self::NoAuthorities => "LC-GRANDPA-035",
            Self::TimeOrder { .. } => "LC-GRANDPA-036",
            Self::ZeroStateRoot { .. } => "LC-GRANDPA-037",
            Self::NotLinked { .. } => "LC-GRANDPA-038",
            Self::Successor { .. } => "LC-GRANDPA-039",
            Self::NotRetained { .. } => "LC-GRANDPA-040",
            Self::HeightUnknown { .. } => "LC-GRANDPA-041",
            Self::PathLength { .. } => "LC-GRANDPA-042",
            Self::ValueEmpty => "LC-GRANDPA-043",
            Self::ValueAbsent { .. } => "LC-GRANDPA-044",
            Self::ValueMismatch { .. } => "LC-GRANDPA-045",
            Self::ValuePresent { .. } => "LC-GRANDPA-046",
            Self::StoreMissing { .. } => "LC-GRANDPA-047",
            Self::Config { .. } => "LC-GRANDPA-048",
            Self::NoContradiction { .. } => "LC-GRANDPA-049",
            Self::Unjudged { .. } => "LC-GRANDPA-054",
            Self::UnknownSet { .. } => "LC-GRANDPA-055",
            Self::OtherBallot { .. } => "LC-GRANDPA-056",
            Self::OtherVoter { .. } => "LC-GRANDPA-057",
        }
    }

    fn class(&self) -> Class {
        match self {
            Self::Trust(error) => error.class(),
            Self::Quorum(error) => error.class(),
            Self::Proof(error) => error.class(),
            // Ask again later, or for what is missing.
            Self::SetAhead { .. } | Self::Gap { .. } | Self::NotLinked { .. } | Self::HeightUnknown { .. } => {
                Class::Transient
            }
            // A person has to change or to decide something.
            Self::NoFaultTolerance { .. }
            | Self::Message { .. }
            | Self::ForcedChange { .. }
            | Self::DelayedChange { .. }
            | Self::StateMissing { .. }
            | Self::NotRetained { .. }
            | Self::StoreMissing { .. }
            | Self::Config { .. } => Class::Config,
            // An honest endpoint of this chain never serves these.
            Self::TwoChanges { .. }
            | Self::HiddenChange { .. }
            | Self::OldSet { .. }
            | Self::Target { .. }
            | Self::Stranger { .. }
            | Self::NotDescended { .. }
            | Self::VoteNumber { .. }
            | Self::Signature { .. }
            | Self::Parent { .. }
            | Self::StateSet { .. }
            | Self::StateAuthorities { .. }
            | Self::TimeOrder { .. }
            | Self::ZeroStateRoot { .. }
            | Self::Successor { .. }
            | Self::Unjudged { .. } => Class::Misbehaviour,
            Self::TooLarge { .. }
            | Self::Decode { .. }
            | Self::NotCanonical { .. }
            | Self::Count { .. }
            | Self::Kind { .. }
            | Self::Line { .. }
            | Self::LineNumber { .. }
            | Self::Subject { .. }
            | Self::DuplicateAuthority { .. }
            | Self::MissingChange { .. }
            | Self::DuplicateAncestry { .. }
            | Self::RepeatedVote { .. }
            | Self::BelowTarget { .. }
            | Self::UnusedAncestry { .. }
            | Self::NotAbove { .. }
            | Self::StateForm { .. }
            | Self::NoAuthorities
            | Self::PathLength { .. }
            | Self::ValueEmpty
            | Self::ValueAbsent { .. }
            | Self::ValueMismatch { .. }
            | Self::ValuePresent { .. }
            | Self::NoContradiction { .. }
            | Self::UnknownSet { .. }
            | Self::OtherBallot { .. }
            | Self::OtherVoter { .. } => Class::Permanent,
        }
    }
}
