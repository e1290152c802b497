//! libFuzzer on `catenary_node::journal::fuzz::record`.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| catenary_node::journal::fuzz::record(input));
