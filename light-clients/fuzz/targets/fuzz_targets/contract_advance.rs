//! libFuzzer on `catenary_fuzz::contract::advance`.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| catenary_fuzz::contract::advance(input));
