//! Packet events of a block: all of them or an error.
//!
//! What is read: `send_packet`, `write_acknowledgement`, `acknowledge_packet` and `timeout_packet` of transactions
//! that took effect, and of the block itself, since a governance proposal may send packets too. An event of the
//! classic (v1) protocol carries no `encoded_packet_hex` and is not ours. Event types that start with
//! `ibccallbackerror-` repeat what a failed callback undid, and are no type of the four.
//!
//! An event that does not decode, or that says what ibc-go never commits, is an error, for skipping it would lose a
//! packet. A packet with a text longer than this project carries, or for a counterparty whose name is no client id
//! (anyone may register one), can never be relayed: it is left out with a warning, or any sender could stop the scan.

use catenary_api::{EventClaim, PacketEvent, SearchKind, TxHash};
use catenary_light_clients::Hash32;
use catenary_protocol::{Acknowledgement, Packet};
use tendermint::block::Height;

use crate::answers::{BlockAnswer, BlockRequest, BlockResults, BlockResultsRequest, Event};
use crate::error::{shorten, Error, Result};
use crate::transport::{Attempts, Transport};

const SEND: &str = "send_packet";
const WRITE_ACK: &str = "write_acknowledgement";
const ACKNOWLEDGE: &str = "acknowledge_packet";
const TIMEOUT: &str = "timeout_packet";
const PACKET_HEX: &str = "encoded_packet_hex";
const ACK_HEX: &str = "encoded_acknowledgement_hex";

/// An event and the index of its transaction; `None` when the block itself caused it.
#[derive(Clone, PartialEq, Eq, Debug)]
struct Found {
    tx: Option<usize>,
    event: PacketEvent,
}

/// Packet events of some blocks, in order.
pub(crate) async fn of_blocks(transport: &Transport, heights: Vec<Height>) -> Result<Vec<EventClaim>> {
    let requests = heights.iter().copied().map(BlockResultsRequest::new).collect();
    let results = transport.batch(requests).await?;
    let mut claims = Vec::new();
    for (height, results) in heights.into_iter().zip(results) {
        claims.extend(of_block(transport, height, results).await?);
    }
    Ok(claims)
}

/// Packet events of a block whose results are known.
pub(crate) async fn of_block(transport: &Transport, height: Height, results: BlockResults) -> Result<Vec<EventClaim>> {
    let found = find(transport.chain(), height, &results)?;
    if found.is_empty() {
        return Ok(Vec::new());
    }
    // The results do not name their transactions; only a block with packets costs the second request.
    let block = transport.call(BlockRequest::new(height), Attempts::Retry).await?;
    let count = results.txs_results.map_or(0, |results| results.len());
    let hashes = tx_hashes(transport.chain(), height, count, &block)?;
    let block_hash = TxHash(block_hash(transport.chain(), &block)?);
    let claim = |found: Found| EventClaim {
        height: height.value(),
        tx: found.tx.and_then(|index| hashes.get(index).copied()).unwrap_or(block_hash),
        event: found.event,
    };
    Ok(found.into_iter().map(claim).collect())
}

fn tx_hashes(chain: &str, height: Height, results: usize, block: &BlockAnswer) -> Result<Vec<TxHash>> {
    let mismatch =
        |what, expected: String, got: String| Err(Error::Mismatch { chain: chain.to_owned(), what, expected, got });
    if block.block.header.height != height {
        return mismatch("block", height.to_string(), block.block.header.height.to_string());
    }
    let txs = &block.block.data.txs;
    if txs.len() != results {
        return mismatch("transactions of results", results.to_string(), txs.len().to_string());
    }
    Ok(txs.iter().map(|tx| TxHash(Hash32::sha256(&[tx]))).collect())
}

fn block_hash(chain: &str, block: &BlockAnswer) -> Result<Hash32> {
    Hash32::from_slice(block.block_id.hash.as_bytes()).ok_or_else(|| Error::Mismatch {
        chain: chain.to_owned(),
        what: "bytes of block hash",
        expected: "32".to_owned(),
        got: block.block_id.hash.as_bytes().len().to_string(),
    })
}

fn find(chain: &str, height: Height, results: &BlockResults) -> Result<Vec<Found>> {
    if results.height != height {
        let (expected, got) = (height.to_string(), results.height.to_string());
        return Err(Error::Mismatch { chain: chain.to_owned(), what: "block results", expected, got });
    }
    let mut found = Vec::new();
    for (index, result) in results.txs_results.iter().flatten().enumerate() {
        // A transaction that failed took nothing with it but its fee.
        if result.code != 0 {
            continue;
        }
        for event in result.events.iter().flatten() {
            found.extend(packet_event(chain, height, event)?.map(|event| Found { tx: Some(index), event }));
        }
    }
    for event in results.finalize_block_events.iter().flatten() {
        found.extend(packet_event(chain, height, event)?.map(|event| Found { tx: None, event }));
    }
    Ok(found)
}

/// Names of the event and of the attribute that names this chain's client, for a search.
pub(crate) const fn search_names(kind: SearchKind) -> (&'static str, &'static str) {
    match kind {
        SearchKind::Sent => (SEND, "packet_source_client"),
        SearchKind::WroteAck => (WRITE_ACK, "packet_dest_client"),
    }
}

/// The packet event in an ABCI event, `None` when it is none of ours.
pub(crate) fn packet_event(chain: &str, height: Height, event: &Event) -> Result<Option<PacketEvent>> {
    if !matches!(event.kind.as_str(), SEND | WRITE_ACK | ACKNOWLEDGE | TIMEOUT) {
        return Ok(None);
    }
    let wrong = |reason: String| Error::Event {
        chain: chain.to_owned(),
        kind: event.kind.clone(),
        height: height.value(),
        reason: shorten(&reason),
    };
    let Some(packet) = hex_attribute(event, PACKET_HEX).map_err(wrong)? else { return Ok(None) };
    let Some(packet) = usable(chain, height, Packet::proto_decode(&packet)).map_err(wrong)? else { return Ok(None) };
    Ok(Some(match event.kind.as_str() {
        SEND => PacketEvent::Sent(packet),
        ACKNOWLEDGE => PacketEvent::Acknowledged(packet),
        TIMEOUT => PacketEvent::TimedOut(packet),
        _ => {
            let bytes = hex_attribute(event, ACK_HEX).map_err(wrong)?;
            let bytes = bytes.ok_or_else(|| wrong(format!("no {ACK_HEX}")))?;
            let acknowledgement = usable(chain, height, Acknowledgement::proto_decode(&bytes)).map_err(wrong)?;
            let Some(acknowledgement) = acknowledgement else { return Ok(None) };
            PacketEvent::WroteAck { packet, acknowledgement }
        }
    }))
}

/// Tells what cannot be right (an error) from a packet that is outside of our bounds (left out).
fn usable<T>(
    chain: &str,
    height: Height,
    decoded: core::result::Result<T, catenary_protocol::Error>,
) -> core::result::Result<Option<T>, String> {
    use catenary_protocol::Error as Wire;
    match decoded {
        Ok(value) => Ok(Some(value)),
        Err(error @ (Wire::Length { .. } | Wire::Identifier { .. })) => {
            tracing::warn!(chain, height = height.value(), code = error.code(), "packet outside of bounds left out");
            Ok(None)
        }
        Err(error) => Err(error.to_string()),
    }
}

/// Bytes of a hex attribute, `None` when the event has no such attribute.
fn hex_attribute(event: &Event, key: &str) -> core::result::Result<Option<Vec<u8>>, String> {
    let mut values = event.attributes.iter().flatten().filter(|attribute| attribute.key == key);
    let Some(first) = values.next() else { return Ok(None) };
    if values.next().is_some() {
        return Err(format!("{key} appears twice"));
    }
    let text = first.value.as_deref().unwrap_or_default();
    if text.bytes().any(|byte| byte.is_ascii_uppercase()) {
        return Err(format!("{key} is not lower-case hex"));
    }
    hex::decode(text).map(Some).map_err(|error| format!("{key}: {error}"))
}

#[cfg(test)]
mod tests;
