//! Packet events from logs. Strict: right contract, right range, ascending, ABI data that re-encodes to the same
//! bytes, topics that agree with the data.
//!
//! What makes an error here can only come from an endpoint that does not tell the truth, never from the router, so
//! no transaction can make a range unreadable for good. A packet that is well-formed ABI but breaks a rule of the
//! protocol is passed on as the claim that it is: the engine refuses that packet alone. The one thing that cannot be
//! passed on is a string that is not UTF-8, which an application could put there: such a packet has no form in IBC's
//! protobuf, so nobody can deliver it, and it is left out and counted.

use std::sync::LazyLock;

use catenary_api::limits::EVENTS_MAX;
use catenary_api::{EventClaim, PacketEvent, SearchKind, TxHash};
use catenary_light_clients::Hash32;
use catenary_protocol::attestation::Address;
use catenary_protocol::{Acknowledgement, Packet, Payload};
use ethers_core::abi::{self, ParamType, Token};
use ethers_core::utils::keccak256;
use serde_json::Value;

use crate::abi::Contract;
use crate::error::{Error, Result};
use crate::json::{self, hex0x};

/// The packet events of the router.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Kind {
    Sent,
    WroteAck,
    Acknowledged,
    TimedOut,
}

impl Kind {
    const ALL: [Self; 4] = [Self::Sent, Self::WroteAck, Self::Acknowledged, Self::TimedOut];

    const fn name(self) -> &'static str {
        match self {
            Self::Sent => "SendPacket",
            Self::WroteAck => "WriteAcknowledgement",
            Self::Acknowledged => "AckPacket",
            Self::TimedOut => "TimeoutPacket",
        }
    }

    fn types(self) -> Vec<ParamType> {
        // Strings are decoded as bytes, which are encoded the same way: the codec replaces what is not UTF-8.
        let payload = ParamType::Tuple(vec![ParamType::Bytes; 5]);
        let packet = ParamType::Tuple(vec![
            ParamType::Uint(64),
            ParamType::Bytes,
            ParamType::Bytes,
            ParamType::Uint(64),
            ParamType::Array(Box::new(payload)),
        ]);
        match self {
            Self::Sent | Self::TimedOut => vec![packet],
            Self::WroteAck => vec![packet, ParamType::Array(Box::new(ParamType::Bytes))],
            Self::Acknowledged => vec![packet, ParamType::Bytes],
        }
    }
}

/// Topic 0 of each kind, in the order of [`Kind::ALL`].
static TOPICS: LazyLock<Result<Vec<Hash32>>> =
    LazyLock::new(|| Kind::ALL.iter().map(|kind| Contract::Router.event_topic(kind.name())).collect());

/// The topics to filter by: any of the four events.
pub(crate) fn topics() -> Result<Vec<String>> {
    let topics = TOPICS.as_ref().map_err(Clone::clone)?;
    Ok(topics.iter().map(|topic| hex0x(topic.as_bytes())).collect())
}

/// The topic of the event that is looked for.
pub(crate) fn topic(kind: SearchKind) -> Result<String> {
    let name = match kind {
        SearchKind::Sent => Kind::Sent.name(),
        SearchKind::WroteAck => Kind::WroteAck.name(),
    };
    Ok(hex0x(Contract::Router.event_topic(name)?.as_bytes()))
}

/// The events of a range, and how many were left out because no chain could deliver their packets.
#[derive(Debug)]
pub(crate) struct Scan {
    pub(crate) events: Vec<EventClaim>,
    pub(crate) undeliverable: u64,
}

/// Reads the answer of `eth_getLogs` for the router and the heights `from..=to`.
///
/// # Errors
/// Whatever the router cannot have emitted there.
pub(crate) fn from_json(router: &Address, (from, to): (u64, u64), logs: &Value) -> Result<Scan> {
    let logs = json::list(Some(logs)).map_err(|reason| Error::Log { field: "logs", reason })?;
    if logs.len() > EVENTS_MAX {
        return Err(Error::RequestTooLarge { what: "events", got: logs.len() as u64, max: EVENTS_MAX as u64 });
    }
    let mut scan = Scan { events: Vec::with_capacity(logs.len()), undeliverable: 0 };
    let mut previous = None;
    for value in logs {
        let log = Log::from_json(value)?;
        log.check_place(router, (from, to), previous)?;
        previous = Some((log.height, log.index));
        match log.event()? {
            Some(event) => scan.events.push(EventClaim { height: log.height, tx: log.tx, event }),
            None => scan.undeliverable += 1,
        }
    }
    Ok(scan)
}

struct Log {
    address: Address,
    height: u64,
    index: u64,
    removed: bool,
    tx: TxHash,
    topics: Vec<Hash32>,
    data: Vec<u8>,
}

impl Log {
    fn from_json(log: &Value) -> Result<Self> {
        let refuse = |field: &'static str| move |reason: String| Error::Log { field, reason };
        let topics = json::list(log.get("topics")).map_err(refuse("topics"))?;
        let topics = topics.iter().map(|topic| json::fixed(Some(topic)).map(Hash32).map_err(refuse("topics")));
        let removed = match log.get("removed") {
            // Left out by some nodes, never by GoQuorum or geth.
            None | Some(Value::Null | Value::Bool(false)) => false,
            Some(Value::Bool(true)) => true,
            Some(_) => return Err(refuse("removed")("is no boolean".to_owned())),
        };
        Ok(Self {
            address: json::fixed(log.get("address")).map_err(refuse("address"))?,
            height: json::quantity(log.get("blockNumber")).map_err(refuse("blockNumber"))?,
            index: json::quantity(log.get("logIndex")).map_err(refuse("logIndex"))?,
            removed,
            tx: TxHash(Hash32(json::fixed(log.get("transactionHash")).map_err(refuse("transactionHash"))?)),
            topics: topics.collect::<Result<_>>()?,
            data: json::data(log.get("data")).map_err(refuse("data"))?,
        })
    }

    fn check_place(&self, router: &Address, (from, to): (u64, u64), previous: Option<(u64, u64)>) -> Result<()> {
        let got = (self.height, self.index);
        if self.removed {
            return Err(Error::RemovedLog { height: self.height, index: self.index });
        }
        if self.address != *router {
            return Err(Error::ForeignLog { expected: hex0x(router), got: hex0x(&self.address) });
        }
        if !(from..=to).contains(&self.height) {
            return Err(Error::ForeignLog {
                expected: format!("blocks {from} to {to}"),
                got: format!("{}", self.height),
            });
        }
        match previous {
            Some(previous) if previous >= got => Err(Error::LogOrder { previous, got }),
            _ => Ok(()),
        }
    }

    /// The event; `None` when its packet cannot exist in the protocol's types.
    fn event(&self) -> Result<Option<PacketEvent>> {
        let [signature, client, sequence] = self.topics.as_slice() else {
            return Err(Error::Log {
                field: "topics",
                reason: format!("has {} entries, expected 3", self.topics.len()),
            });
        };
        let topics = TOPICS.as_ref().map_err(Clone::clone)?;
        let kind = Kind::ALL.into_iter().zip(topics).find_map(|(kind, topic)| (topic == signature).then_some(kind));
        let kind = kind.ok_or_else(|| Error::ForeignLog {
            expected: "packet events".to_owned(),
            got: format!("topic {signature}"),
        })?;
        let refuse = |reason: String| Error::LogData { event: kind.name(), height: self.height, reason };
        let (raw, acknowledgement) = decode(kind, &self.data).map_err(refuse)?;

        let own_client = if kind == Kind::WroteAck { &raw.destination_client } else { &raw.source_client };
        self.check_topic(kind, "clientId", *client, Hash32(keccak256(own_client)))?;
        let mut word = [0; 32];
        word[24..].copy_from_slice(&raw.sequence.to_be_bytes());
        self.check_topic(kind, "sequence", *sequence, Hash32(word))?;

        let Some(packet) = raw.packet() else { return Ok(None) };
        Ok(Some(match (kind, acknowledgement) {
            (Kind::WroteAck, Some(acknowledgement)) => PacketEvent::WroteAck { packet, acknowledgement },
            (Kind::WroteAck, None) => return Err(refuse("no acknowledgement".to_owned())),
            (Kind::Sent, _) => PacketEvent::Sent(packet),
            (Kind::Acknowledged, _) => PacketEvent::Acknowledged(packet),
            (Kind::TimedOut, _) => PacketEvent::TimedOut(packet),
        }))
    }

    fn check_topic(&self, kind: Kind, topic: &'static str, got: Hash32, expected: Hash32) -> Result<()> {
        if got == expected {
            Ok(())
        } else {
            Err(Error::LogTopic { event: kind.name(), height: self.height, topic, got, expected })
        }
    }
}

/// A packet whose strings are still bytes.
struct RawPacket {
    sequence: u64,
    source_client: Vec<u8>,
    destination_client: Vec<u8>,
    timeout_timestamp_seconds: u64,
    payloads: Vec<[Vec<u8>; 5]>,
}

impl RawPacket {
    fn packet(self) -> Option<Packet> {
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).ok();
        let payloads = self.payloads.into_iter().map(|[source_port, destination_port, version, encoding, value]| {
            Some(Payload {
                source_port: text(source_port)?,
                destination_port: text(destination_port)?,
                version: text(version)?,
                encoding: text(encoding)?,
                value,
            })
        });
        Some(Packet {
            sequence: self.sequence,
            source_client: text(self.source_client)?,
            destination_client: text(self.destination_client)?,
            timeout_timestamp_seconds: self.timeout_timestamp_seconds,
            payloads: payloads.collect::<Option<_>>()?,
        })
    }
}

type Decoded = (RawPacket, Option<Acknowledgement>);

fn decode(kind: Kind, data: &[u8]) -> core::result::Result<Decoded, String> {
    check_counts(kind, data)?;
    let malformed = || format!("{} bytes of data that do not decode", data.len());
    let tokens = abi::decode(&kind.types(), data).map_err(|_| malformed())?;
    if abi::encode(&tokens) != data {
        return Err(format!("{} bytes of data that are not canonically encoded", data.len()));
    }
    let mut tokens = tokens.into_iter();
    let packet = tokens.next().and_then(raw_packet).ok_or_else(malformed)?;
    let acknowledgement = match tokens.next() {
        None => None,
        Some(Token::Array(acks)) => {
            let acks = acks.into_iter().map(Token::into_bytes).collect::<Option<_>>().ok_or_else(malformed)?;
            Some(Acknowledgement { app_acknowledgements: acks })
        }
        Some(Token::Bytes(ack)) => Some(Acknowledgement { app_acknowledgements: vec![ack] }),
        Some(_) => return Err(malformed()),
    };
    Ok((packet, acknowledgement))
}

fn raw_packet(token: Token) -> Option<RawPacket> {
    let [sequence, source, destination, timeout, payloads]: [Token; 5] = token.into_tuple()?.try_into().ok()?;
    let payloads = payloads.into_array()?.into_iter().map(|payload| {
        let fields = payload.into_tuple()?.into_iter().map(Token::into_bytes).collect::<Option<Vec<_>>>()?;
        fields.try_into().ok()
    });
    Some(RawPacket {
        sequence: u64::try_from(sequence.into_uint()?).ok()?,
        source_client: source.into_bytes()?,
        destination_client: destination.into_bytes()?,
        timeout_timestamp_seconds: u64::try_from(timeout.into_uint()?).ok()?,
        payloads: payloads.collect::<Option<_>>()?,
    })
}

/// The router writes exactly one payload and one acknowledgement. Checked before decoding: many list entries may
/// point at the same bytes, and a decoder copies them for each.
fn check_counts(kind: Kind, data: &[u8]) -> core::result::Result<(), String> {
    let at = |base: usize, offset: usize| -> core::result::Result<usize, String> {
        word(data, base.checked_add(offset)).ok_or_else(|| format!("an offset outside of {} bytes of data", data.len()))
    };
    let exactly_one = |what: &str, got: usize| match got {
        1 => Ok(()),
        _ => Err(format!("{got} {what}, the router writes exactly one")),
    };
    let packet = at(0, 0)?;
    // The fifth word of a packet is the offset of its payloads.
    let payloads = packet.saturating_add(at(packet, 4 * 32)?);
    exactly_one("payloads", at(payloads, 0)?)?;
    if kind == Kind::WroteAck {
        exactly_one("acknowledgements", at(at(0, 32)?, 0)?)?;
    }
    Ok(())
}

/// The number in the word at `offset`, if it is there and small enough to be an offset or a count.
fn word(data: &[u8], offset: Option<usize>) -> Option<usize> {
    let bytes = data.get(offset?..)?.first_chunk::<32>()?;
    let (high, low) = bytes.split_at(24);
    let low = u64::from_be_bytes(low.try_into().ok()?);
    high.iter().all(|byte| *byte == 0).then(|| usize::try_from(low).ok()).flatten()
}

#[cfg(test)]
mod tests;
