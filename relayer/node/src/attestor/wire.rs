//! The generated messages, client and server of `proto/ibc_attestor.proto`.
#![allow(
    missing_docs,
    unreachable_pub,
    elided_lifetimes_in_paths,
    clippy::all,
    clippy::use_self,
    clippy::must_use_candidate,
    clippy::str_to_string,
    clippy::uninlined_format_args,
    clippy::large_futures,
    reason = "generated; documented in the proto file"
)]

tonic::include_proto!("ibc_attestor");
