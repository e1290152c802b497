//! Headers and what is in their digests, as the chain encodes them.
#![allow(clippy::cast_possible_truncation, reason = "the derived encoders cast the constants of the variants")]

use alloc::vec::Vec;

use parity_scale_codec::{Decode, Encode};

use super::types::Authority;

/// The fields of a header before its digest (sp-runtime `generic::Header`).
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
pub(super) struct Fields {
    pub(super) parent: [u8; 32],
    #[codec(compact)]
    pub(super) number: u32,
    pub(super) state_root: [u8; 32],
    pub(super) extrinsics_root: [u8; 32],
}

/// An item of a digest (sp-runtime `generic::DigestItem`).
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
pub(super) enum DigestItem {
    #[codec(index = 0)]
    Other(Vec<u8>),
    #[codec(index = 4)]
    Consensus([u8; 4], Vec<u8>),
    #[codec(index = 5)]
    Seal([u8; 4], Vec<u8>),
    #[codec(index = 6)]
    PreRuntime([u8; 4], Vec<u8>),
    #[codec(index = 8)]
    RuntimeEnvironmentUpdated,
}

/// What a runtime tells GRANDPA in a digest (sp-consensus-grandpa `ConsensusLog`).
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
pub(super) enum Message {
    #[codec(index = 1)]
    ScheduledChange(Scheduled),
    #[codec(index = 2)]
    ForcedChange(u32, Scheduled),
    /// An authority is asked not to vote. The others count its votes all the same.
    #[codec(index = 3)]
    OnDisabled(u64),
    /// Voting stops for a while, which no client sees but by there being no justifications.
    #[codec(index = 4)]
    Pause(u32),
    /// Voting goes on.
    #[codec(index = 5)]
    Resume(u32),
}

#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
pub(super) struct Scheduled {
    pub(super) next_authorities: Vec<Authority>,
    pub(super) delay: u32,
}
