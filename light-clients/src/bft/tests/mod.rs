//! QB-01 to QB-15 of the light-client cases, each by its number, and what surrounds them. Both families include this
//! module and pass it with their own headers; what is about one family's bytes is in that family's own tests.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod cases;
mod forms;
mod state_and_proofs;
mod trust;

use super::{Tested, TestedForm, ENCODING};
use crate::bft::*;
use crate::crypto::{keccak256, Address};
use crate::testing::{HeaderSpec, Network};
use crate::verdict::{Hash32, LightClient, Misbehaviour, Rejection, Timestamp, Verdict};
use std::string::String;
use std::vec::Vec;

/// A network of the tested family.
fn network_of(validators: usize) -> Network {
    Network::encoded_as(ENCODING, validators)
}

/// A verdict in one word: "ok", the code of a rejection, or the kind of verdict and its code.
fn word(verdict: &Verdict) -> String {
    match verdict {
        Verdict::Verified(Some(_)) => "ok".into(),
        Verdict::Verified(None) => "ok, nothing provable".into(),
        Verdict::NeedsIntermediate { reason, .. } => std::format!("between {}", reason.code),
        Verdict::Rejected(reason) => reason.code.into(),
        Verdict::Expired { .. } => "expired".into(),
        Verdict::Held(reason) => std::format!("held {}", reason.code),
        Verdict::Conflict(found) => std::format!("conflict {}", found.code),
    }
}

/// Hands bytes to a fresh client that trusts block 1, and expects a word. A refusal must leave no trace.
fn check_bytes(network: &Network, config: Config, bytes: &[u8], expect: &str) {
    let mut client = network.client_of::<TestedForm>(config);
    let before = client.save();
    let now = Timestamp::from_seconds(network.head().time_seconds + 5);
    let verdict = client.advance(bytes, now);
    assert_eq!(word(&verdict), expect, "{verdict:?}");
    if expect != "ok" && !expect.starts_with("conflict") {
        assert_eq!(client.save(), before, "a refusal changes nothing");
    }
}

/// As [`check_bytes`], for a header.
fn check(network: &Network, header: &HeaderSpec, expect: &str) {
    check_bytes(network, network.config(), &header.encode(), expect);
}

/// A client that has followed the whole network.
fn follow(network: &Network, config: Config) -> Tested {
    let mut client = network.client_of::<TestedForm>(config);
    for header in &network.headers[1..] {
        assert_eq!(word(&client.advance(&header.encode(), network.now())), "ok");
    }
    client
}
