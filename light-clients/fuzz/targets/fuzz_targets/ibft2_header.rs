//! libFuzzer on `catenary_fuzz::ibft2::header`.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| catenary_fuzz::ibft2::header(input));
