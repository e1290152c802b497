//! libFuzzer on `catenary_fuzz::contract::misbehaviour`.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| catenary_fuzz::contract::misbehaviour(input));
