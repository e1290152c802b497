//! Packets, payloads and acknowledgements, and what they commit to (ICS-04 v2).

use alloc::{string::String, vec, vec::Vec};

use catenary_light_clients::Hash32;
use sha2::{Digest, Sha256};

use crate::error::Error;
use crate::limits;
use crate::path::{Kind, Path};

/// First byte of what packet and acknowledgement commitments hash: the protocol version (ICS-04 v2).
const COMMITMENT_VERSION: u8 = 0x02;

/// One application's part of a packet.
#[derive(Clone, PartialEq, Eq, Debug, Hash)]
pub struct Payload {
    /// Port on the source.
    pub source_port: String,
    /// Port on the destination.
    pub destination_port: String,
    /// Application version, such as `ics20-1`.
    pub version: String,
    /// MIME type of `value`.
    pub encoding: String,
    /// The application's bytes.
    pub value: Vec<u8>,
}

/// A packet as it is committed on its source.
#[derive(Clone, PartialEq, Eq, Debug, Hash)]
pub struct Packet {
    /// Sequence under the source client; the first is 1.
    pub sequence: u64,
    /// On-chain client of the source that judges the destination.
    pub source_client: String,
    /// On-chain client of the destination that judges the source.
    pub destination_client: String,
    /// When the packet can no longer be received, in Unix seconds of the destination's clock.
    pub timeout_timestamp_seconds: u64,
    /// Exactly one today.
    pub payloads: Vec<Payload>,
}

fn hash_joined(version: Option<u8>, hashes: impl IntoIterator<Item = Hash32>) -> Hash32 {
    let mut hasher = Sha256::new();
    if let Some(version) = version {
        hasher.update([version]);
    }
    for hash in hashes {
        hasher.update(hash.as_bytes());
    }
    Hash32(hasher.finalize().into())
}

impl Payload {
    /// The payload's hash inside the packet commitment.
    #[must_use]
    pub fn hash(&self) -> Hash32 {
        let parts: [&[u8]; 5] = [
            self.source_port.as_bytes(),
            self.destination_port.as_bytes(),
            self.version.as_bytes(),
            self.encoding.as_bytes(),
            &self.value,
        ];
        hash_joined(None, parts.into_iter().map(|part| Hash32::sha256(&[part])))
    }

    fn validate(&self) -> Result<(), Error> {
        let fields = [
            ("source_port", &self.source_port, limits::PORT_BYTES_MIN),
            ("destination_port", &self.destination_port, limits::PORT_BYTES_MIN),
            ("version", &self.version, 1),
            ("encoding", &self.encoding, 1),
        ];
        for (field, value, min) in fields {
            check_length(field, value.len(), min, limits::IDENTIFIER_BYTES_MAX)?;
        }
        check_length("payload value", self.value.len(), 1, limits::PAYLOAD_BYTES_MAX)
    }
}

impl Packet {
    /// The packet commitment.
    #[must_use]
    pub fn commitment(&self) -> Hash32 {
        let payloads = hash_joined(None, self.payloads.iter().map(Payload::hash));
        hash_joined(
            Some(COMMITMENT_VERSION),
            [
                Hash32::sha256(&[self.destination_client.as_bytes()]),
                Hash32::sha256(&[&self.timeout_timestamp_seconds.to_be_bytes()]),
                payloads,
            ],
        )
    }

    /// Where the source keeps the commitment.
    #[must_use]
    pub fn commitment_path(&self) -> Path {
        Path::new(Kind::Commitment, &self.source_client, self.sequence)
    }

    /// Where the destination keeps the receipt.
    #[must_use]
    pub fn receipt_path(&self) -> Path {
        Path::new(Kind::Receipt, &self.destination_client, self.sequence)
    }

    /// Where the destination keeps the acknowledgement commitment.
    #[must_use]
    pub fn ack_path(&self) -> Path {
        Path::new(Kind::Acknowledgement, &self.destination_client, self.sequence)
    }

    /// Checks every bound and rule that needs no chain.
    ///
    /// # Errors
    /// The first rule that does not hold.
    pub fn validate(&self) -> Result<(), Error> {
        if self.sequence == 0 {
            return Err(Error::Sequence);
        }
        if self.timeout_timestamp_seconds == 0 {
            return Err(Error::Timeout);
        }
        check_client_id("source_client", &self.source_client)?;
        check_client_id("destination_client", &self.destination_client)?;
        if self.payloads.len() != limits::PAYLOADS {
            return Err(Error::Count { field: "payloads", got: self.payloads.len(), expected: limits::PAYLOADS });
        }
        self.payloads.iter().try_for_each(Payload::validate)
    }

    /// The only payload; both ibc-go and the Solidity router refuse other counts.
    ///
    /// # Errors
    /// [`Error::Count`] when there is not exactly one.
    pub fn payload(&self) -> Result<&Payload, Error> {
        match self.payloads.as_slice() {
            [payload] => Ok(payload),
            other => Err(Error::Count { field: "payloads", got: other.len(), expected: limits::PAYLOADS }),
        }
    }
}

/// The acknowledgement of a packet: one app acknowledgement a payload.
#[derive(Clone, PartialEq, Eq, Debug, Hash)]
pub struct Acknowledgement {
    /// App acknowledgements, in payload order; exactly one today.
    pub app_acknowledgements: Vec<Vec<u8>>,
}

impl Acknowledgement {
    /// The acknowledgement that says the whole packet failed: `sha256("UNIVERSAL_ERROR_ACKNOWLEDGEMENT")` (ICS-04 v2).
    #[must_use]
    pub fn universal_error() -> Self {
        let hash = Hash32::sha256(&[b"UNIVERSAL_ERROR_ACKNOWLEDGEMENT"]);
        Self { app_acknowledgements: vec![hash.as_bytes().to_vec()] }
    }

    /// Whether this is the universal error acknowledgement.
    #[must_use]
    pub fn is_universal_error(&self) -> bool {
        *self == Self::universal_error()
    }

    /// The acknowledgement commitment.
    #[must_use]
    pub fn commitment(&self) -> Hash32 {
        hash_joined(Some(COMMITMENT_VERSION), self.app_acknowledgements.iter().map(|ack| Hash32::sha256(&[ack])))
    }

    /// The only app acknowledgement.
    ///
    /// # Errors
    /// [`Error::Count`] when there is not exactly one.
    pub fn single(&self) -> Result<&[u8], Error> {
        match self.app_acknowledgements.as_slice() {
            [ack] => Ok(ack),
            other => Err(Error::Count { field: "app_acknowledgements", got: other.len(), expected: limits::PAYLOADS }),
        }
    }

    /// Checks bounds.
    ///
    /// # Errors
    /// The first rule that does not hold.
    pub fn validate(&self) -> Result<(), Error> {
        check_length("app_acknowledgement", self.single()?.len(), 1, limits::ACK_BYTES_MAX)
    }
}

fn check_length(field: &'static str, got: usize, min: usize, max: usize) -> Result<(), Error> {
    if (min..=max).contains(&got) {
        Ok(())
    } else {
        Err(Error::Length { field, got, min, max })
    }
}

/// Client ids are `{name}-{number}`, at least eight characters of ICS-24's set.
///
/// # Errors
/// [`Error::Length`] or [`Error::Identifier`].
pub fn check_client_id(field: &'static str, id: &str) -> Result<(), Error> {
    check_length(field, id.len(), limits::CLIENT_ID_BYTES_MIN, limits::CLIENT_ID_BYTES_MAX)?;
    let allowed = |c: char| c.is_ascii_alphanumeric() || "._+-#[]<>".contains(c);
    let numbered = id.rsplit_once('-').is_some_and(|(name, number)| {
        !name.is_empty() && !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit())
    });
    if numbered && id.chars().all(allowed) {
        Ok(())
    } else {
        Err(Error::Identifier { field, got: id.into() })
    }
}
