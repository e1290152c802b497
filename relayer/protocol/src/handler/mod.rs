//! The IBC v2 handler: what a chain runs to send, receive, acknowledge and time out packets (ICS-04 v2, ICS-24 v2),
//! with the rules and the order of checks of ibc-go v11.
//!
//! It is pure. A host gives the [`Store`], the block's time and the signer in a [`Context`], and calls
//! [`Handler::handle`] once a message:
//!
//! ```
//! use catenary_protocol::handler::{AttestationClient, Context, Handler, MemoryHost, TransferApp};
//! use catenary_light_clients::Timestamp;
//!
//! let handler = Handler::new().with_client(AttestationClient).with_app(TransferApp);
//! let mut host = MemoryHost::default();
//! let context = Context { time: Timestamp::from_seconds(1_795_000_000), signer: "alice" };
//! let refused = handler.handle(&mut host, context, "/ibc.core.channel.v2.MsgRecvPacket", b"").unwrap_err();
//! assert_eq!(refused.code(), "PR-HND-003");
//! ```
//!
//! **The parts.**
//! - [`Store`]: provable and private keys ([`Key`]), with nested checkpoints. A host keeps the bank's balances under
//!   the same checkpoints, so that value and packets never part.
//! - [`ClientType`]: a kind of on-chain client. [`AttestationClient`] is ibc-go's `attestations`; with the feature
//!   `tendermint-client` there is also `TendermintClient`, ibc-go's `07-tendermint`; [`NativeClient`] is one made of a
//!   family's light client: `QbftFamily`'s and `GrandpaFamily`'s with the features `qbft-client` and `grandpa-client`.
//! - [`App`]: what is bound to a port. [`TransferApp`] is ICS-20 on port `transfer`, over a host that is a [`Bank`].
//! - [`Event`]: what happened, with whole packets; [`Event::render`] gives ibc-go's event types and attributes.
//! - [`state`]: reads for the host's queries.
//! - [`MemoryHost`]: a store and bank in memory, for tests and devnets.
//!
//! **Messages.** `ibc.core.client.v1` `MsgCreateClient` and `MsgUpdateClient`, `ibc.core.client.v2`
//! `MsgRegisterCounterparty` and `MsgUpdateClientConfig`, `ibc.core.channel.v2` `MsgSendPacket`, `MsgRecvPacket`,
//! `MsgAcknowledgement` and `MsgTimeout`, and those that an app translates into a packet
//! (`ibc.applications.transfer.v1.MsgTransfer`). They are decoded strictly: what is not the one encoding of what it
//! decodes to is refused. The signer that a message names must be the one in the context; the host has checked the
//! signature. A message that is refused leaves the store as it was.
//!
//! **Order of checks** (ibc-go v11.2.0), since it decides between a refusal and a NOOP:
//! - receive: relayer allowed, counterparty, deadline against the block's time, receipt (NOOP), proof.
//! - acknowledge: relayer allowed, counterparty, commitment (absent: NOOP; another: refused), proof.
//! - time out: relayer allowed, counterparty, deadline against the proven state's time, commitment (absent: NOOP;
//!   another: refused), proof of the receipt's absence.
//!
//! An app that fails to receive loses its writes, and the packet gets the universal error acknowledgement: receipt
//! and acknowledgement stay. Acknowledgements that come later than their packet are refused, and so are packets with
//! another number of payloads than one: ibc-go v11 and the Solidity router take no others.
//!
//! **What an attacker can grow.** One consensus state an accepted update, one commitment a packet sent, one receipt
//! and acknowledgement a packet proven: each costs its sender a transaction, as on ibc-go. Messages are bounded
//! before they are decoded (`limits`), and nothing is kept outside the store.

mod app;
mod attestation_client;
mod client;
mod client_messages;
mod dispatch;
mod error;
mod events;
#[cfg(feature = "grandpa-client")]
mod grandpa_client;
mod memory;
mod native_client;
mod packet;
#[cfg(feature = "qbft-client")]
mod qbft_client;
pub mod state;
mod store;
#[cfg(feature = "tendermint-client")]
mod tendermint_client;
#[cfg(feature = "tendermint-client")]
pub mod tendermint_proto;
mod transfer;

pub use app::{App, Call, Received, SendRequest};
pub use attestation_client::{AttestationClient, ATTESTATIONS};
pub use client::{Claim, ClientType, Height, NewClient, Proof, Status, Update};
pub use dispatch::{Context, Handler, Outcome};
pub use error::Error;
pub use events::{AppEvent, Event, Rendered};
#[cfg(feature = "grandpa-client")]
pub use grandpa_client::{GrandpaConfig, GrandpaFamily, GRANDPA};
pub use memory::MemoryHost;
pub use native_client::{
    NativeAnchor, NativeClient, NativeClientState, NativeFamily, NativeHeaders, NativeMisbehaviour, NativeUrls,
    HEADERS_KEPT_MAX, UPDATES_MAX,
};
pub use packet::PacketResult;
#[cfg(feature = "qbft-client")]
pub use qbft_client::{QbftConfig, QbftFamily, QBFT};
pub use store::{atomically, Key, Store};
#[cfg(feature = "tendermint-client")]
pub use tendermint_client::{proof_specs, revision_of, TendermintClient, DENOMINATOR_MAX, HEIGHTS_MAX, TENDERMINT};
pub use transfer::{escrow_account, voucher_trace, Amount, Bank, BankError, TransferApp, TransferError};
