//! libFuzzer on `catenary_fuzz::grandpa::proof`.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| catenary_fuzz::grandpa::proof(input));
