//! Verification of a QBFT or IBFT 2.0 header against bare recoveries of the signers of its seals.
//!
//! The reference recovers, one by one, the signers of as many seals as an honest header carries, over the digest that
//! they sealed. Measured is `advance` from the bytes of the header to the new trusted state: decoding, both hashes,
//! all checks, the count. Budget: 1.3. `--features secp256k1-c` measures the C backend.
#![allow(clippy::print_stdout, clippy::unwrap_used, reason = "a bench prints what it measured and fails by panicking")]

use catenary_benches::{timed, Ratio};
use catenary_light_clients::bft::Form;
use catenary_light_clients::crypto::secp256k1::recover;
use catenary_light_clients::ibft2::Ibft2Form;
use catenary_light_clients::qbft::QbftForm;
use catenary_light_clients::testing::{Encoding, Network};
use catenary_light_clients::{LightClient, Verdict};

const BUDGET: f64 = 1.3;
const TURNS: u32 = 200;

fn measure<F: Form>(encoding: Encoding, validators: usize) -> (usize, Ratio) {
    let mut network = Network::encoded_as(encoding, validators);
    let client = network.client_of::<F>(network.config());
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
    println!("family  validators  seals  bare recoveries  advance");
    let mut worst: f64 = 0.0;
    let qbft = [4, 7, 22, 100].map(|validators| ("qbft", validators, measure::<QbftForm>(Encoding::Qbft, validators)));
    let ibft2 = [22].map(|validators| ("ibft2", validators, measure::<Ibft2Form>(Encoding::Ibft2, validators)));
    for (family, validators, (seals, ratio)) in qbft.into_iter().chain(ibft2) {
        worst = worst.max(ratio.value());
        println!(
            "{family:>6}  {validators:>10}  {seals:>5}  {:>12.1} µs  {:>9.1} µs {:>5.3}",
            ratio.reference.as_secs_f64() * 1e6,
            ratio.measured.as_secs_f64() * 1e6,
            ratio.value(),
        );
    }
    println!("worst: {worst:.3}, budget {BUDGET}");
    assert!(worst <= BUDGET, "header verification takes {worst:.3} times its recoveries, budget {BUDGET}");
}
