//! Messages for on-chain clients that judge a chain by its own validators: a header, and store proofs, in place of
//! members' signatures.
//!
//! As everywhere, packet messages are made from verified facts. The bytes beside them are those that the facts were
//! proven by, so what the on-chain client is shown is what this node has checked for itself.

use catenary_light_clients::{Hash32, Timestamp};
use catenary_protocol::{Acknowledgement, Packet, VerifiedAck, VerifiedPacket, VerifiedTimeout};

/// What an on-chain client is shown of the chain that it judges: a header, or two that contradict each other. The
/// adapter of the judged family makes it, from bytes that the node's own light client has verified.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ClientMessage {
    /// Type URL of the message.
    pub type_url: String,
    /// The encoded message.
    pub value: Vec<u8>,
}

/// The height at which an on-chain client holds the root that a proof leads to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ProofHeight {
    /// Revision of the chain; 0 where chain ids carry none.
    pub revision: u64,
    /// Height of the client's state.
    pub height: u64,
}

/// A message of a delivery on a native path.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum NativeMessage {
    /// Shows something to an on-chain client.
    UpdateClient {
        /// The client on the destination.
        client_id: String,
        /// What it is shown.
        message: ClientMessage,
    },
    /// Delivers a packet.
    Recv {
        /// The packet.
        packet: VerifiedPacket,
        /// Store proof of its commitment.
        proof: Vec<u8>,
        /// Where the proof leads to.
        proof_height: ProofHeight,
    },
    /// Delivers an acknowledgement.
    Ack {
        /// The acknowledgement.
        ack: VerifiedAck,
        /// Store proof of its commitment.
        proof: Vec<u8>,
        /// Where the proof leads to.
        proof_height: ProofHeight,
    },
    /// Times a packet out.
    Timeout {
        /// The timeout.
        timeout: VerifiedTimeout,
        /// Store proof that the receipt is absent.
        proof: Vec<u8>,
        /// Where the proof leads to.
        proof_height: ProofHeight,
    },
}

/// A [`NativeMessage`] without the evidence that its facts were verified.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum NativeView<'a> {
    /// Shows something to an on-chain client.
    UpdateClient {
        /// The client on the destination.
        client_id: &'a str,
        /// What it is shown.
        message: &'a ClientMessage,
    },
    /// Delivers a packet.
    Recv {
        /// The packet.
        packet: &'a Packet,
        /// Store proof of its commitment.
        proof: &'a [u8],
        /// Where the proof leads to.
        proof_height: ProofHeight,
    },
    /// Delivers an acknowledgement.
    Ack {
        /// The packet that is acknowledged.
        packet: &'a Packet,
        /// Its acknowledgement.
        acknowledgement: &'a Acknowledgement,
        /// Store proof of its commitment.
        proof: &'a [u8],
        /// Where the proof leads to.
        proof_height: ProofHeight,
    },
    /// Times a packet out.
    Timeout {
        /// The packet.
        packet: &'a Packet,
        /// Store proof that the receipt is absent.
        proof: &'a [u8],
        /// Where the proof leads to.
        proof_height: ProofHeight,
    },
}

impl NativeMessage {
    /// The message as an adapter encodes it.
    #[must_use]
    pub const fn view(&self) -> NativeView<'_> {
        match self {
            Self::UpdateClient { client_id, message } => {
                NativeView::UpdateClient { client_id: client_id.as_str(), message }
            }
            Self::Recv { packet, proof, proof_height } => {
                NativeView::Recv { packet: packet.packet(), proof: proof.as_slice(), proof_height: *proof_height }
            }
            Self::Ack { ack, proof, proof_height } => NativeView::Ack {
                packet: ack.packet(),
                acknowledgement: ack.acknowledgement(),
                proof: proof.as_slice(),
                proof_height: *proof_height,
            },
            Self::Timeout { timeout, proof, proof_height } => {
                NativeView::Timeout { packet: timeout.packet(), proof: proof.as_slice(), proof_height: *proof_height }
            }
        }
    }
}

/// What a chain says of an on-chain client that judges by validators.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct NativeClaim {
    /// Chain id that it judges.
    pub chain_id: String,
    /// Share of the trusted validators that must have signed a header that skips others: above and below the line.
    pub trust_level: (u64, u64),
    /// How long it trusts a header, counted from the header's time, in seconds.
    pub trusting_period_seconds: u64,
    /// How far a header may be ahead of the chain's clock, in seconds.
    pub clock_drift_seconds: u64,
    /// Revision of its newest height.
    pub revision: u64,
    /// What it holds for its newest height; `None` when the chain shows none.
    pub newest: Option<NativeState>,
    /// What the paths of its counterparty begin with, store first.
    pub counterparty_prefix: Vec<Vec<u8>>,
}

/// What a client that judges by validators holds for one height.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct NativeState {
    /// Time of the header.
    pub timestamp: Timestamp,
    /// Root in the header.
    pub root: Hash32,
    /// Validators that it announced.
    pub next_validators_hash: Hash32,
}

impl NativeClaim {
    /// When the client expires unless it is updated; `None` when nothing is known of its newest height.
    #[must_use]
    pub fn expires_at(&self) -> Option<Timestamp> {
        let newest = self.newest?;
        let latest = Timestamp::from_nanos(u64::MAX);
        Some(newest.timestamp.checked_add_seconds(self.trusting_period_seconds).unwrap_or(latest))
    }
}
