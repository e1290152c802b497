//! Adapters in their own process, in any language, over gRPC on a Unix socket (`proto/adapter.proto`).
//!
//! [`ProcessAdapter`] is the host side: `ChainSource` and `ChainSink` of `catenary_api`, of which each call is one to
//! the plugin. [`guest`] is the other side for adapters written in Rust. The manifest ([`Manifest`]) says what the
//! executable is and may use; the configuration pins the executable's SHA-256.
//!
//! # What a plugin can do, and what not
//! - *It is the pinned one.* Before each start the executable is copied into a folder of the host's own, and the copy
//!   is run only if it has the pinned hash. Libraries that it loads are not part of the hash: link statically, or
//!   treat the machine's libraries as you treat the kernel.
//! - *It has what it is given.* No environment, no key, no descriptor but a pipe, limits by the kernel. It runs as the
//!   host's user: who does not trust it that far runs the host under a service manager that restricts files and
//!   network, which the plugin inherits.
//! - *It cannot make anybody believe anything.* All that it answers are claims, bounded and strictly decoded; a light
//!   client judges them. It can withhold, which shows as a chain that stands still.
//! - *It can waste its own chain's transaction key.* It says which digest the host signs, and the host cannot read the
//!   transaction. What limits this: the key is bound to the purpose transactions on this one chain, so that it signs
//!   no attestation and nothing for another chain; one nonce gets one digest, ever; the account should hold fees only,
//!   and hold no role in the contracts beyond relaying. So a lying plugin can spend the fees of that account, and send
//!   what anybody could send.
//! - *It harms nobody else.* A plugin that lies, hangs, dies or floods costs the calls of its own chain, which fail
//!   with the codes `PROC-…`; it is killed, and started again after a growing wait.
//!
//! # What an attacker can grow
//! Nothing: one process a chain, with the kernel's limits; at most [`limits::CALLS_MAX`] calls of
//! [`limits::MESSAGE_BYTES_MAX`] under way; its log is read at a bounded pace, and 1 KiB of it kept.

mod child;
mod codec;
mod error;
pub mod guest;
mod host;
pub mod limits;
mod manifest;
mod platform;
mod plugin;
mod search;
mod wire;

pub use error::{Error, Result};
pub use host::{check, ProcessAdapter};
pub use manifest::{Capability, Manifest, Resources, Transactions, PROTOCOL};
pub use plugin::ProcessConfig;

/// The generated messages and service.
mod proto {
    #![allow(
        missing_docs,
        unreachable_pub,
        elided_lifetimes_in_paths,
        clippy::all,
        clippy::pedantic,
        clippy::missing_const_for_fn,
        reason = "generated from proto/adapter.proto, where everything is documented"
    )]
    tonic::include_proto!("catenary.adapter.v1");
}
