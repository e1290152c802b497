//! `catenary-localnet`.
fn main() {}
