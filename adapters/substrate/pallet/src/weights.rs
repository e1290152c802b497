//! What calls cost.

use frame_support::weights::Weight;

/// Weights of the calls, by the bytes that come from outside where work follows them.
pub trait WeightInfo {
    /// Of `create_client`.
    fn create_client(bytes: u32) -> Weight;
    /// Of `update_client` and `submit_misbehaviour`.
    fn update_client(bytes: u32) -> Weight;
    /// Of `recv_packet`, `acknowledgement` and `timeout`.
    fn relay(bytes: u32) -> Weight;
    /// Of `transfer`.
    fn transfer(bytes: u32) -> Weight;
    /// Of what the admin and the pauser do.
    fn manage() -> Weight;
}

/// Picoseconds in a microsecond: weights are in picoseconds.
const MICROSECOND: u64 = 1_000_000;

/// A call that takes so many microseconds, and more for each byte; with the bytes of storage that it reads.
const fn weight(base_us: u64, byte_us: u64, bytes: u32, proof_bytes: u64) -> Weight {
    let work = base_us.saturating_add(byte_us.saturating_mul(bytes as u64)).saturating_mul(MICROSECOND);
    Weight::from_parts(work, proof_bytes.saturating_add(bytes as u64))
}

/// Set by hand until the benchmarks have run on the machine that they are for.
///
/// The work is nearly all signatures: a secp256k1 signer is recovered in wasm in some 300 µs and comes with at least 65
/// bytes, an ed25519 signature is checked in some 150 µs and comes with more than 100. So 6 µs a byte covers both,
/// hashing and decoding included. A light client's state is read and written whole: up to 32 KiB.
impl WeightInfo for () {
    fn create_client(bytes: u32) -> Weight {
        weight(2_000, 6, bytes, 8_192)
    }

    fn update_client(bytes: u32) -> Weight {
        weight(3_000, 6, bytes, 65_536)
    }

    fn relay(bytes: u32) -> Weight {
        weight(4_000, 6, bytes, 65_536)
    }

    fn transfer(bytes: u32) -> Weight {
        weight(1_000, 1, bytes, 65_536)
    }

    fn manage() -> Weight {
        weight(200, 0, 0, 8_192)
    }
}
