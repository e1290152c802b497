#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::panic,
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    reason = "a test fails by panicking"
)]
//! CM-01 to CM-17 on chains of real signatures, and what the module's doc promises beside them.

mod commits;
mod sets;
mod split;
mod state;

use alloc::vec::Vec;

use prost_tendermint::Message;
use tendermint_proto::v0_38::types::{SignedHeader as RawSignedHeader, ValidatorSet as RawValidatorSet};

use super::testing::{signers, Ballot, Block, Chain};
use super::*;
pub(super) use crate::verdict::Coded;

const CHAIN: &str = "catenary-1";

/// Four validators of equal power, ten blocks.
fn chain() -> Chain {
    Chain::of(CHAIN, signers(1, &[10, 10, 10, 10]), 10)
}

/// A time at which every block of a test chain is past and none expired.
fn now() -> Timestamp {
    Timestamp::from_seconds(testing::START_SECONDS + 3600)
}

/// The code of a refusal, or a word for any other verdict.
fn outcome(verdict: &Verdict) -> &'static str {
    match verdict {
        Verdict::Verified(_) => "verified",
        Verdict::NeedsIntermediate { reason, .. } => reason.code,
        Verdict::Rejected(rejection) => rejection.code,
        Verdict::Expired { .. } => "expired",
        Verdict::Held(_) => "held",
        Verdict::Conflict(found) => found.code,
    }
}

/// Gives an update to a client; refusals must leave no trace.
fn advance(client: &mut CometBft, update: &[u8]) -> &'static str {
    let before = client.save();
    let verdict = client.advance(update, now());
    if !matches!(verdict, Verdict::Verified(_) | Verdict::Conflict(_)) {
        assert_eq!(client.save(), before, "a refusal changed the state");
    }
    outcome(&verdict)
}

/// The outcome of an update for block 2 in a client that trusts block 1 of the chain.
fn second(chain: &Chain, update: &[u8]) -> &'static str {
    advance(&mut chain.client(1), update)
}

fn encode(signed: &RawSignedHeader, set: Option<&RawValidatorSet>) -> Vec<u8> {
    let set = set.map(Message::encode_to_vec);
    encode_update(&signed.encode_to_vec(), set.as_deref(), None)
}

/// The update for block 2 after a change of its signed header, signatures left as they were.
fn changed(chain: &Chain, change: impl FnOnce(&mut RawSignedHeader)) -> Vec<u8> {
    let mut block = chain.block(2).clone();
    change(&mut block.signed);
    block.update()
}

fn all(chain: &Chain, ballot: Ballot) -> Vec<Ballot> {
    chain.block(1).validators.iter().map(|_| ballot).collect()
}

/// Another block 2 of the same validators after the same block 1, validly signed.
fn fork(chain: &Chain, height: u64) -> Block {
    chain.resign(height, &all(chain, Ballot::Block), |header| header.data_hash = [7; 32].to_vec())
}
