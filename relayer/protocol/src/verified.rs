//! Packets, acknowledgements and timeouts that a light client has proven.
//!
//! The only constructors take a `Verified<_>` and check path and commitment, so a claim cannot become one of these
//! by any other way. None of them is stored or deserialisable: after a restart the proof is verified again.

use catenary_light_clients::{Absence, Hash32, InstanceId, Membership, Timestamp, Verified};

use crate::abi::hex;
use crate::error::Error;
use crate::packet::{Acknowledgement, Packet};
use crate::path::Path;

fn check_path(got: &[u8], expected: &Path) -> Result<(), Error> {
    if got == expected.as_bytes() {
        Ok(())
    } else {
        Err(Error::PathMismatch { got: hex(got), expected: hex(expected.as_bytes()) })
    }
}

fn check_commitment(got: &[u8], expected: Hash32) -> Result<(), Error> {
    match Hash32::from_slice(got) {
        Some(got) if got == expected => Ok(()),
        Some(got) => Err(Error::CommitmentMismatch { got, expected }),
        None => Err(Error::Length { field: "commitment", got: got.len(), min: 32, max: 32 }),
    }
}

/// A packet whose commitment is proven in the state of its source.
///
/// A claim alone is not enough:
///
/// ```compile_fail,E0451
/// use catenary_light_clients::{Membership, Verified};
/// use catenary_protocol::{Packet, VerifiedPacket};
/// fn forge(packet: Packet, fact: Verified<Membership>) -> VerifiedPacket {
///     VerifiedPacket { packet, fact }
/// }
/// ```
///
/// ```compile_fail,E0308
/// use catenary_light_clients::Membership;
/// use catenary_protocol::{Packet, VerifiedPacket};
/// fn forge(packet: Packet, claim: Membership) {
///     let _ = VerifiedPacket::new(packet, claim);
/// }
/// ```
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct VerifiedPacket {
    packet: Packet,
    fact: Verified<Membership>,
}

impl VerifiedPacket {
    /// Binds a claimed packet to a proven commitment.
    ///
    /// # Errors
    /// The packet breaks a rule, or path or commitment differ.
    pub fn new(packet: Packet, fact: Verified<Membership>) -> Result<Self, Error> {
        packet.validate()?;
        check_path(&fact.path, &packet.commitment_path())?;
        check_commitment(&fact.value, packet.commitment())?;
        Ok(Self { packet, fact })
    }

    /// The packet.
    #[must_use]
    pub const fn packet(&self) -> &Packet {
        &self.packet
    }

    /// Light client that proved it.
    #[must_use]
    pub const fn instance(&self) -> InstanceId {
        self.fact.instance()
    }

    /// Height of the source state in which it is proven.
    #[must_use]
    pub fn height(&self) -> u64 {
        self.fact.height
    }
}

/// An acknowledgement whose commitment is proven in the state of the destination.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct VerifiedAck {
    packet: Packet,
    acknowledgement: Acknowledgement,
    fact: Verified<Membership>,
}

impl VerifiedAck {
    /// Binds a claimed acknowledgement to a proven commitment.
    ///
    /// # Errors
    /// Packet or acknowledgement break a rule, or path or commitment differ.
    pub fn new(packet: Packet, acknowledgement: Acknowledgement, fact: Verified<Membership>) -> Result<Self, Error> {
        packet.validate()?;
        acknowledgement.validate()?;
        check_path(&fact.path, &packet.ack_path())?;
        check_commitment(&fact.value, acknowledgement.commitment())?;
        Ok(Self { packet, acknowledgement, fact })
    }

    /// The packet that is acknowledged. Its own commitment is checked by its source when the ack arrives there.
    #[must_use]
    pub const fn packet(&self) -> &Packet {
        &self.packet
    }

    /// The acknowledgement.
    #[must_use]
    pub const fn acknowledgement(&self) -> &Acknowledgement {
        &self.acknowledgement
    }

    /// Light client that proved it.
    #[must_use]
    pub const fn instance(&self) -> InstanceId {
        self.fact.instance()
    }

    /// Height of the destination state in which it is proven.
    #[must_use]
    pub fn height(&self) -> u64 {
        self.fact.height
    }
}

/// A packet that is proven not received in a destination state whose time has reached its timeout.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct VerifiedTimeout {
    packet: Packet,
    fact: Verified<Absence>,
}

impl VerifiedTimeout {
    /// Binds a packet to a proven absence of its receipt.
    ///
    /// # Errors
    /// The packet breaks a rule, the path differs, or the timeout has not passed in that state.
    pub fn new(packet: Packet, fact: Verified<Absence>) -> Result<Self, Error> {
        packet.validate()?;
        check_path(&fact.path, &packet.receipt_path())?;
        let destination_seconds = fact.timestamp.seconds();
        if destination_seconds < packet.timeout_timestamp_seconds {
            let timeout_seconds = packet.timeout_timestamp_seconds;
            return Err(Error::NotTimedOut { destination_seconds, timeout_seconds });
        }
        Ok(Self { packet, fact })
    }

    /// The packet.
    #[must_use]
    pub const fn packet(&self) -> &Packet {
        &self.packet
    }

    /// Light client that proved it.
    #[must_use]
    pub const fn instance(&self) -> InstanceId {
        self.fact.instance()
    }

    /// Height of the destination state in which the receipt is absent.
    #[must_use]
    pub fn height(&self) -> u64 {
        self.fact.height
    }

    /// Time of that state.
    #[must_use]
    pub fn timestamp(&self) -> Timestamp {
        self.fact.timestamp
    }
}
