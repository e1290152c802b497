//! libFuzzer on `catenary_fuzz::edits::updates`.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| catenary_fuzz::edits::updates(input));
