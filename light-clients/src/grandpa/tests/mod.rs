#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::panic,
    clippy::cast_possible_truncation,
    reason = "a test fails by panicking"
)]
//! GR-01 to GR-14 on chains of real signatures and tries, and what the module's doc promises beside them.

mod evidence;
mod forms;
mod handover;
mod state;
mod votes;

use alloc::{vec, vec::Vec};

use super::testing::{voters, BlockSpec, Chain, UpdateSpec, Voter};
use super::*;
pub(super) use crate::verdict::Coded;

/// Four authorities of weight 1, ten blocks.
fn chain() -> Chain {
    Chain::of(voters(0, 4), 10)
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
fn advance(client: &mut Grandpa, update: &[u8]) -> &'static str {
    let before = client.save();
    let verdict = client.advance(update, now());
    if !matches!(verdict, Verdict::Verified(_) | Verdict::Conflict(_)) {
        assert_eq!(client.save(), before, "a refusal changed the state");
    }
    outcome(&verdict)
}

/// The outcome of an update in a client that trusts block 1 of the chain.
fn first(chain: &Chain, update: &UpdateSpec) -> &'static str {
    advance(&mut chain.client(1), &update.encode())
}

/// The outcome of block 2 after a change of its update.
fn changed(change: impl FnOnce(&mut UpdateSpec)) -> &'static str {
    let chain = chain();
    let mut spec = chain.spec(2, 2, 2);
    change(&mut spec);
    first(&chain, &spec)
}

fn follow(client: &mut Grandpa, chain: &Chain, heights: impl IntoIterator<Item = u32>) {
    for height in heights {
        assert_eq!(advance(client, &chain.update(height)), "verified", "{height}");
    }
}

/// A configuration that skips.
fn skipping(chain: &Chain, anchor: u32) -> Grandpa {
    let config = Config { skipping: true, ..chain.config(anchor) };
    Grandpa::new(config, &chain.anchor_update(anchor)).unwrap()
}
