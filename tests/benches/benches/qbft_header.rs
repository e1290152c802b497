//! Verification of a QBFT header against bare recoveries of the signers of its seals.
//!
//! The reference recovers, one by one, the signers of as many seals as an honest header carries, over the digest that
//! they sealed. Measured is `advance` from the bytes of the header to the new trusted state: decoding, both hashes,
//! all checks, the count. Budget: 1.3. `--features secp256k1-c` measures the C backend.
#![allow(clippy::print_stdout, clippy::unwrap_used, reason = "a bench prints what it measured and fails by panicking")]

use catenary_benches::{timed, Ratio};
use catenary_light_clients::crypto::secp256k1::recover;
use catenary_light_clients::testing::Network;
use catenary_light_clients::{LightClient, Verdict};

const BUDGET: f64 = 1.3;
const TURNS: u32 = 200;

fn measure(validators: usize) -> (usize, Ratio) {
    let mut network = Network::new(validators);
    let client = network.client(network.config());
    network.grow(1);
    let (update, digest) = (network.head().encode(), network.head().seal_hash());
    let seals: Vec<[u8; 65]> = network.head().seals.iter().map(|seal| seal.as_slice().try_into().unwrap()).collect();
    let advance = || {
        let mut client = client.clone();
        timed(|| assert!(matches!(client.advance(&update, network.now()), Verdict::Verified(_))))
    };
    let recoveries = || timed(|| seals.iter().for_each(|seal| assert!(recover(digest.as_bytes(), seal).is_ok())));
    (seals.len(), Ratio::of(TURNS, advance, recoveries))
}

fn main() {
    println!("validators  seals  bare recoveries  advance");
    let mut worst: f64 = 0.0;
    for validators in [4, 7, 22, 100] {
        let (seals, ratio) = measure(validators);
        worst = worst.max(ratio.value());
        println!(
            "{validators:>10}  {seals:>5}  {:>12.1} µs  {:>9.1} µs {:>5.3}",
            ratio.reference.as_secs_f64() * 1e6,
            ratio.measured.as_secs_f64() * 1e6,
            ratio.value(),
        );
    }
    println!("worst: {worst:.3}, budget {BUDGET}");
    assert!(worst <= BUDGET, "header verification takes {worst:.3} times its recoveries, budget {BUDGET}");
}
