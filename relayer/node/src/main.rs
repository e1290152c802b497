//! The `catenary` binary.
fn main() {}
