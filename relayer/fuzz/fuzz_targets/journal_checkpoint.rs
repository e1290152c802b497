//! libFuzzer on `catenary_node::store::fuzz::checkpoint`.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| catenary_node::store::fuzz::checkpoint(input));
