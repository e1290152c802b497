//! Verification of a CometBFT header against bare ed25519 checks of the signatures that it takes.
//!
//! The reference checks, one by one, the signatures that carry the first two thirds of the power, keys parsed each
//! time, as `ed25519-consensus` does. Measured is `advance` from the bytes of the update to the new trusted state,
//! once with the validator set left out because it is known, once with the set sent along. Budget: 1.3.
#![allow(clippy::print_stdout, clippy::unwrap_used, reason = "a bench prints what it measured and fails by panicking")]

use catenary_benches::{timed, Ratio};
use catenary_light_clients::cometbft::testing::{signers, Chain, SignatureCheck};
use catenary_light_clients::{LightClient, Timestamp, Verdict};
use ed25519_consensus::{Signature, VerificationKey};

const BUDGET: f64 = 1.3;
const TURNS: u32 = 200;

fn check(signatures: &[SignatureCheck]) {
    for check in signatures {
        let key = VerificationKey::try_from(check.key).unwrap();
        key.verify(&Signature::from(check.signature), &check.message).unwrap();
    }
}

fn measure(chain: &Chain, update: &[u8], now: Timestamp) -> Ratio {
    let client = chain.client(1);
    let signatures = chain.signatures(2);
    // More than two thirds of equal powers.
    let needed = signatures.len() * 2 / 3 + 1;
    let advance = || {
        let mut client = client.clone();
        timed(|| assert!(matches!(client.advance(update, now), Verdict::Verified(_))))
    };
    Ratio::of(TURNS, advance, || timed(|| check(&signatures[..needed])))
}

fn main() {
    println!("validators  signatures  bare checks  set known       set sent");
    let mut worst: f64 = 0.0;
    for validators in [4, 7, 22, 100] {
        let chain = Chain::of("bench-1", signers(1, &vec![10; validators]), 2);
        let known = measure(&chain, &chain.bare_update(2), chain.time(2));
        let sent = measure(&chain, &chain.update(2), chain.time(2));
        worst = worst.max(known.value()).max(sent.value());
        println!(
            "{validators:>10}  {:>10}  {:>8.1} µs  {:>6.1} µs {:>4.2}  {:>6.1} µs {:>4.2}",
            validators * 2 / 3 + 1,
            known.reference.as_secs_f64() * 1e6,
            known.measured.as_secs_f64() * 1e6,
            known.value(),
            sent.measured.as_secs_f64() * 1e6,
            sent.value(),
        );
    }
    println!("worst: {worst:.2}, budget {BUDGET}");
    assert!(worst <= BUDGET, "header verification takes {worst:.2} times its signature checks, budget {BUDGET}");
}
