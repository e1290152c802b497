//! ICS-20 over IBC v2: packet data in its three encodings, denominations and acknowledgements.

use alloc::{format, string::String, string::ToString, vec::Vec};

use alloy_sol_types::SolValue;
use catenary_light_clients::Hash32;
use prost::Message;

use crate::abi::{decode_strict, AbiTransfer};
use crate::error::Error;
use crate::json;
use crate::limits;
use crate::packet::Payload;
use crate::proto;

/// Port of the transfer application on both families.
pub const PORT: &str = "transfer";
/// Version of the transfer application.
pub const VERSION: &str = "ics20-1";
/// Encoding that the Solidity app speaks; towards EVM always this one.
pub const ENCODING_ABI: &str = "application/x-solidity-abi";
/// JSON encoding, which ibc-go takes when a message names none.
pub const ENCODING_JSON: &str = "application/json";
/// Protobuf encoding.
pub const ENCODING_PROTOBUF: &str = "application/x-protobuf";
/// The acknowledgement of a successful transfer (ICS-20).
pub const SUCCESS_ACK: &[u8] = br#"{"result":"AQ=="}"#;

/// Fields of the data in JSON, in ibc-go's order.
const JSON_FIELDS: [&str; 5] = ["denom", "amount", "sender", "receiver", "memo"];

/// The largest amount, 2^256 - 1, in decimal.
const AMOUNT_MAX: &str = "115792089237316195423570985008687907853269984665640564039457584007913129639935";

/// The packet data of a transfer.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Transfer {
    /// Denomination with its trace, such as `transfer/client-0/0x…`.
    pub denom: String,
    /// Amount in base units, below 2^256, in decimal.
    pub amount: String,
    /// Sender's address on the source.
    pub sender: String,
    /// Receiver's address on the destination.
    pub receiver: String,
    /// Free text, or JSON with a payment reference.
    pub memo: String,
}

impl Transfer {
    /// Decodes a transfer payload in the encoding that it names.
    ///
    /// # Errors
    /// Not a transfer payload, another encoding, over the bound, undecodable, not canonical, or a field out of bounds.
    pub fn from_payload(payload: &Payload) -> Result<Self, Error> {
        if payload.version != VERSION {
            return Err(Error::Transfer { field: "version", got: payload.version.clone() });
        }
        let (got, max) = (payload.value.len(), limits::PAYLOAD_BYTES_MAX);
        if got > max {
            return Err(Error::Length { field: "transfer data", got, min: 1, max });
        }
        let transfer = match payload.encoding.as_str() {
            ENCODING_ABI => Self::abi_decode(&payload.value)?,
            ENCODING_PROTOBUF => Self::proto_decode(&payload.value)?,
            ENCODING_JSON => Self::json_decode(&payload.value)?,
            other => return Err(Error::Transfer { field: "encoding", got: other.into() }),
        };
        transfer.validate()?;
        Ok(transfer)
    }

    /// The data as the Solidity app takes it.
    ///
    /// # Errors
    /// [`Error::Transfer`] when the amount is no decimal from 1 to below 2^256, [`Error::Length`] for another field
    /// out of bounds.
    pub fn abi_encode(&self) -> Result<Vec<u8>, Error> {
        self.validate()?;
        let amount = self.amount.parse().map_err(|_| self.bad_amount())?;
        let data = AbiTransfer {
            denom: self.denom.clone(),
            sender: self.sender.clone(),
            receiver: self.receiver.clone(),
            amount,
            memo: self.memo.clone(),
        };
        Ok(data.abi_encode())
    }

    fn abi_decode(bytes: &[u8]) -> Result<Self, Error> {
        let data = decode_strict::<AbiTransfer>("transfer data", bytes)?;
        Ok(Self {
            denom: data.denom,
            amount: data.amount.to_string(),
            sender: data.sender,
            receiver: data.receiver,
            memo: data.memo,
        })
    }

    fn proto_decode(bytes: &[u8]) -> Result<Self, Error> {
        let data: proto::FungibleTokenPacketData = proto::decode_strict("transfer data", bytes)?;
        let proto::FungibleTokenPacketData { denom, amount, sender, receiver, memo } = data;
        Ok(Self { denom, amount, sender, receiver, memo })
    }

    /// The data in protobuf.
    #[must_use]
    pub fn proto_encode(&self) -> Vec<u8> {
        let Self { denom, amount, sender, receiver, memo } = self.clone();
        proto::FungibleTokenPacketData { denom, amount, sender, receiver, memo }.encode_to_vec()
    }

    fn json_decode(bytes: &[u8]) -> Result<Self, Error> {
        let bad = |reason: &str| Error::Decode { what: "transfer data", reason: reason.into() };
        let text = core::str::from_utf8(bytes).map_err(|_| bad("not UTF-8"))?;
        let fields = json::read(JSON_FIELDS, text).ok_or_else(|| bad("not the JSON that ibc-go writes"))?;
        let [denom, amount, sender, receiver, memo] = fields;
        Ok(Self { denom, amount, sender, receiver, memo })
    }

    /// The data in JSON, as ibc-go writes it.
    #[must_use]
    pub fn json_encode(&self) -> Vec<u8> {
        let Self { denom, amount, sender, receiver, memo } = self;
        let values = [denom, amount, sender, receiver, memo].map(String::as_str);
        let fields: Vec<(&str, &str)> = JSON_FIELDS.into_iter().zip(values).collect();
        json::write(&fields).into_bytes()
    }

    /// The payload of this transfer in an encoding, the empty one being JSON as on ibc-go.
    ///
    /// # Errors
    /// Another encoding, or a field out of bounds.
    pub fn to_payload(&self, encoding: &str) -> Result<Payload, Error> {
        self.validate()?;
        let (encoding, value) = match encoding {
            ENCODING_ABI => (ENCODING_ABI, self.abi_encode()?),
            ENCODING_PROTOBUF => (ENCODING_PROTOBUF, self.proto_encode()),
            ENCODING_JSON | "" => (ENCODING_JSON, self.json_encode()),
            other => return Err(Error::Transfer { field: "encoding", got: other.into() }),
        };
        let [source_port, destination_port] = [PORT, PORT].map(String::from);
        Ok(Payload { source_port, destination_port, version: VERSION.into(), encoding: encoding.into(), value })
    }

    fn bad_amount(&self) -> Error {
        Error::Transfer { field: "amount", got: self.amount.clone() }
    }

    fn validate(&self) -> Result<(), Error> {
        let bounds = [
            ("denom", self.denom.len(), 1, limits::DENOM_BYTES_MAX),
            ("sender", self.sender.len(), 1, limits::RECEIVER_BYTES_MAX),
            ("receiver", self.receiver.len(), 0, limits::RECEIVER_BYTES_MAX),
            ("memo", self.memo.len(), 0, limits::MEMO_BYTES_MAX),
        ];
        for (field, got, min, max) in bounds {
            if !(min..=max).contains(&got) {
                return Err(Error::Length { field, got, min, max });
            }
        }
        let digits = !self.amount.is_empty() && self.amount.bytes().all(|b| b.is_ascii_digit());
        // Without leading zeros a longer decimal is larger, and of two of one length the one that sorts later.
        let size = (self.amount.len(), self.amount.as_str());
        if digits && !self.amount.starts_with('0') && size <= (AMOUNT_MAX.len(), AMOUNT_MAX) {
            Ok(())
        } else {
            Err(self.bad_amount())
        }
    }
}

/// The denomination that the receiver of a packet books: home again without its trace, else one hop longer.
///
/// A token comes home when its denom starts with `transfer/{source_client}/`, the trace that this chain's
/// counterparty put before it; else the receiver prefixes its own client.
#[must_use]
pub fn received_denom(denom: &str, source_client: &str, destination_client: &str) -> String {
    let prefix = format!("{PORT}/{source_client}/");
    match denom.strip_prefix(&prefix) {
        Some(home) => home.into(),
        None => format!("{PORT}/{destination_client}/{denom}"),
    }
}

/// How ibc-go shows a denomination: a traced one as `ibc/` and the upper-case hex of SHA-256 of the trace (ICS-20),
/// one of its own as it is, even when that contains a slash.
#[must_use]
pub fn ibc_denom(trace: &str) -> String {
    if !is_traced(trace) {
        return trace.into();
    }
    let hash = Hash32::sha256(&[trace.as_bytes()]);
    format!("ibc/{}", hex::encode_upper(hash.as_bytes()))
}

/// Whether a denomination starts with a hop: a port and the id of a channel or client, with something after them.
fn is_traced(denom: &str) -> bool {
    !split_trace(denom).0.is_empty()
}

/// A denomination's hops, each a port and the id of a channel or client, and its base (ibc-go
/// `ExtractDenomFromPath`). Of a denomination that is nothing but hops the base is empty.
#[must_use]
pub fn split_trace(denom: &str) -> (Vec<(&str, &str)>, &str) {
    let mut hops = Vec::new();
    let mut base = denom;
    if denom.split('/').nth(2).is_none() {
        return (hops, base);
    }
    loop {
        let mut parts = base.splitn(3, '/');
        let (Some(port), Some(id)) = (parts.next(), parts.next().filter(|id| is_client_id(id))) else {
            return (hops, base);
        };
        hops.push((port, id));
        match parts.next() {
            Some(rest) => base = rest,
            None => return (hops, ""),
        }
    }
}

/// Whether an id has the form that ibc-go gives to channels and clients (`ParseClientIdentifier`).
#[must_use]
pub fn is_client_id(id: &str) -> bool {
    let word = |b: u8| b.is_ascii_alphanumeric() || b == b'_';
    id.rsplit_once('-').is_some_and(|(name, number)| {
        let ends = [name.bytes().next(), name.bytes().next_back()];
        ends.into_iter().all(|b| b.is_some_and(word))
            && name.bytes().all(|b| word(b) || b == b'-')
            && (1..=20).contains(&number.len())
            && number.bytes().all(|b| b.is_ascii_digit())
            && number.parse::<u64>().is_ok()
    })
}
