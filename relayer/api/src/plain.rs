//! Plain views of what a sink carries, for adapters in their own process.
//!
//! A [`Message`] can be made from verified facts only, and those never cross a process border: neither is there a
//! constructor that would take them from bytes, nor shall there be one. What crosses is the plain packet. A view is
//! had from a message and never becomes one; an adapter that encodes views serves both sides of the border.
//!
//! The node calls [`ChainSink`](crate::ChainSink) and never [`PlainSink`]: nothing that it sends begins as a view.

use async_trait::async_trait;
use catenary_protocol::{Acknowledgement, AttestationProof, Packet};

use crate::error::Result;
use crate::native::NativeView;
use crate::signer::PublicKey;
use crate::sink::{Account, BuildRequest, Call, Message, TxBody, UnsignedTx};

/// A [`Message`] without the evidence that its facts were verified.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum MessageView<'a> {
    /// Brings an on-chain attestation client to a new height.
    UpdateClient {
        /// The client on the destination.
        client_id: &'a str,
        /// State attestation.
        proof: &'a AttestationProof,
    },
    /// Delivers a packet.
    Recv {
        /// The packet.
        packet: &'a Packet,
        /// Packet attestation.
        proof: &'a AttestationProof,
        /// Height of the attested state.
        proof_height: u64,
    },
    /// Delivers an acknowledgement.
    Ack {
        /// The packet that is acknowledged.
        packet: &'a Packet,
        /// Its acknowledgement.
        acknowledgement: &'a Acknowledgement,
        /// Packet attestation.
        proof: &'a AttestationProof,
        /// Height of the attested state.
        proof_height: u64,
    },
    /// Times a packet out.
    Timeout {
        /// The packet.
        packet: &'a Packet,
        /// Packet attestation.
        proof: &'a AttestationProof,
        /// Height of the attested state.
        proof_height: u64,
    },
    /// Any of these for an on-chain client that judges by the chain's own validators.
    Native(NativeView<'a>),
}

/// A [`TxBody`] of views.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum BodyView<'a> {
    /// Deliveries, in order, all or nothing.
    Deliver(Vec<MessageView<'a>>),
    /// Calls that a person asked for.
    Call(&'a [Call]),
}

/// A [`BuildRequest`] of views.
#[derive(Clone, Debug)]
pub struct PlainBuildRequest<'a> {
    /// What to carry.
    pub body: BodyView<'a>,
    /// Key that will sign.
    pub public_key: &'a PublicKey,
    /// Sender.
    pub account: &'a Account,
    /// Nonce to use.
    pub nonce: u64,
}

impl Message {
    /// The message as an adapter encodes it.
    #[must_use]
    pub const fn view(&self) -> MessageView<'_> {
        match self {
            Self::UpdateClient { client_id, proof } => {
                MessageView::UpdateClient { client_id: client_id.as_str(), proof }
            }
            Self::Recv { packet, proof, proof_height } => {
                MessageView::Recv { packet: packet.packet(), proof, proof_height: *proof_height }
            }
            Self::Ack { ack, proof, proof_height } => MessageView::Ack {
                packet: ack.packet(),
                acknowledgement: ack.acknowledgement(),
                proof,
                proof_height: *proof_height,
            },
            Self::Timeout { timeout, proof, proof_height } => {
                MessageView::Timeout { packet: timeout.packet(), proof, proof_height: *proof_height }
            }
            Self::Native(message) => MessageView::Native(message.view()),
        }
    }
}

impl TxBody {
    /// The body as an adapter encodes it.
    #[must_use]
    pub fn view(&self) -> BodyView<'_> {
        match self {
            Self::Deliver(messages) => BodyView::Deliver(messages.iter().map(Message::view).collect()),
            Self::Call(calls) => BodyView::Call(calls),
        }
    }
}

impl<'a> BuildRequest<'a> {
    /// The request as an adapter encodes it.
    #[must_use]
    pub fn view(&self) -> PlainBuildRequest<'a> {
        let (public_key, account, nonce) = (self.public_key, self.account, self.nonce);
        PlainBuildRequest { body: self.body.view(), public_key, account, nonce }
    }
}

/// What an adapter implements, beside [`ChainSink`](crate::ChainSink), to be served from its own process.
#[async_trait]
pub trait PlainSink: crate::ChainSink {
    /// As [`ChainSink::build`](crate::ChainSink::build), from a view.
    ///
    /// # Errors
    /// As there.
    async fn build_plain(&self, request: PlainBuildRequest<'_>) -> Result<UnsignedTx>;
}
