//! What happened to every packet, read from the chains' own events.

use std::collections::BTreeMap;

use catenary_api::{ChainSource, EventClaim, PacketEvent, TxHash};
use catenary_protocol::ics20::Transfer;
use catenary_protocol::Packet;
use serde_json::json;

use super::{chain_error, Asset, Consortium};
use crate::localnet::LocalnetError;

/// Blocks of one request: the adapters' bound.
const BLOCKS: u64 = 100;

/// An event with its place and time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    /// Height of its block.
    pub height: u64,
    /// Time in the block's header, in milliseconds since 1970.
    pub time_ms: u64,
    /// Its transaction.
    pub tx: TxHash,
}

/// How a packet ended on its source.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// Acknowledged with success.
    Acknowledged,
    /// Acknowledged with an error, and refunded.
    Rejected,
    /// Timed out, and refunded.
    TimedOut,
}

/// One packet's way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Passage {
    /// The packet.
    pub packet: Packet,
    /// Its transfer.
    pub transfer: Transfer,
    /// What it moves.
    pub asset: Asset,
    /// Where it was sent.
    pub sent: Option<Seen>,
    /// Where it was received, and whether the application took it; more than one would be a double delivery.
    pub received: Vec<(Seen, bool)>,
    /// Where and how it ended on its source; more than one would be a double end.
    pub ended: Vec<(Seen, End)>,
}

/// All events of both chains since the members began, up to the heights scanned.
#[derive(Debug)]
pub struct Trail {
    scanned: [u64; 2],
    events: [Vec<EventClaim>; 2],
    times: [BTreeMap<u64, u64>; 2],
}

impl Trail {
    pub(super) fn starting_at(heights: [u64; 2]) -> Self {
        Self { scanned: heights, events: Default::default(), times: Default::default() }
    }
}

impl Consortium {
    /// The newest heights that can be read on both sides.
    pub(super) fn heads(&self) -> Result<[u64; 2], LocalnetError> {
        let evm = self.runtime.block_on(self.evm.head()).map_err(chain_error)?.height;
        let cosmos = self.runtime.block_on(self.cosmos.head()).map_err(chain_error)?.height;
        // The results of a Cosmos block may come a moment after the block.
        Ok([evm, cosmos.saturating_sub(1)])
    }

    /// Every packet by its key, as the chains show it at the newest heights.
    ///
    /// # Errors
    /// When a chain cannot be read, or shows something that is no transfer of ours.
    pub fn passages(&mut self) -> Result<BTreeMap<String, Passage>, LocalnetError> {
        let heads = self.heads()?;
        self.passages_at(heads)
    }

    /// As [`Consortium::passages`], at one height a side.
    pub(super) fn passages_at(&mut self, heights: [u64; 2]) -> Result<BTreeMap<String, Passage>, LocalnetError> {
        for (side, height) in heights.into_iter().enumerate() {
            self.scan(side, height)?;
        }
        let mut passages: BTreeMap<String, Passage> = BTreeMap::new();
        for (side, height) in heights.into_iter().enumerate() {
            for claim in self.trail.events[side].iter().filter(|claim| claim.height <= height) {
                let time_ms = self.trail.times[side].get(&claim.height).copied().unwrap_or_default();
                let seen = Seen { height: claim.height, time_ms, tx: claim.tx };
                self.enter(&mut passages, side, (&claim.event, seen))?;
            }
        }
        Ok(passages)
    }

    fn enter(
        &self,
        passages: &mut BTreeMap<String, Passage>,
        side: usize,
        (event, seen): (&PacketEvent, Seen),
    ) -> Result<(), LocalnetError> {
        let packet = event.packet();
        let source = if matches!(event, PacketEvent::WroteAck { .. }) { 1 - side } else { side };
        let key = self.packet_key(source == 0, packet.sequence);
        if !passages.contains_key(&key) {
            passages.insert(key.clone(), self.passage(source == 0, packet)?);
        }
        let Some(passage) = passages.get_mut(&key) else { return Ok(()) };
        match event {
            PacketEvent::Sent(_) => passage.sent = Some(seen),
            PacketEvent::WroteAck { acknowledgement, .. } => {
                passage.received.push((seen, !acknowledgement.is_universal_error()));
            }
            // How the acknowledgement reads is known from the other side.
            PacketEvent::Acknowledged(_) => passage.ended.push((seen, End::Acknowledged)),
            PacketEvent::TimedOut(_) => passage.ended.push((seen, End::TimedOut)),
        }
        let taken = passage.received.first().is_none_or(|(_, taken)| *taken);
        for (_, end) in &mut passage.ended {
            if *end == End::Acknowledged && !taken {
                *end = End::Rejected;
            }
        }
        Ok(())
    }

    fn passage(&self, from_evm: bool, packet: &Packet) -> Result<Passage, LocalnetError> {
        let payload = packet.payload().map_err(chain_error)?;
        let transfer = Transfer::from_payload(payload).map_err(chain_error)?;
        let home = transfer.denom.starts_with("transfer/");
        let asset = match (from_evm, home) {
            (true, false) => Asset::Erc20,
            (true, true) => Asset::NativeVoucher,
            (false, false) => Asset::Native,
            (false, true) => Asset::Erc20Voucher,
        };
        let packet = packet.clone();
        Ok(Passage { packet, transfer, asset, sent: None, received: Vec::new(), ended: Vec::new() })
    }

    fn scan(&mut self, side: usize, height: u64) -> Result<(), LocalnetError> {
        while self.trail.scanned[side] < height {
            let from = self.trail.scanned[side] + 1;
            let to = height.min(from + BLOCKS - 1);
            let source: &dyn ChainSource = if side == 0 { &self.evm } else { &self.cosmos };
            let claims = self.runtime.block_on(source.events(from, to)).map_err(chain_error)?;
            for claim in &claims {
                if !self.trail.times[side].contains_key(&claim.height) {
                    let time = self.block_time_ms(side, claim.height)?;
                    self.trail.times[side].insert(claim.height, time);
                }
            }
            self.trail.events[side].extend(claims);
            self.trail.scanned[side] = to;
        }
        Ok(())
    }

    fn block_time_ms(&self, side: usize, height: u64) -> Result<u64, LocalnetError> {
        if side == 0 {
            let block = self.networks.rpc(0).call("eth_getBlockByNumber", json!([format!("0x{height:x}"), false]))?;
            let seconds = block["timestamp"].as_str().and_then(|text| text.strip_prefix("0x"));
            let seconds = seconds.and_then(|digits| u64::from_str_radix(digits, 16).ok());
            return seconds
                .map(|s| s * 1_000)
                .ok_or_else(|| LocalnetError::answer("a block's time", &block["timestamp"]));
        }
        let block = self.networks.rpc(1).call("header", json!({ "height": height.to_string() }))?;
        let text = block["header"]["time"].as_str().unwrap_or_default().to_owned();
        unix_ms(&text).ok_or_else(|| LocalnetError::answer("a header's time", text))
    }
}

/// Milliseconds since 1970 of an RFC 3339 time in UTC, as CometBFT and the node's log write it.
#[must_use]
pub fn unix_ms(text: &str) -> Option<u64> {
    let (date, time) = text.strip_suffix('Z')?.split_once('T')?;
    let mut date = date.split('-').map(|part| part.parse::<i64>().ok());
    let (year, month, day) = (date.next()??, date.next()??, date.next()??);
    let (clock, fraction) = time.split_once('.').unwrap_or((time, "0"));
    let mut clock = clock.split(':').map(|part| part.parse::<i64>().ok());
    let (hours, minutes, seconds) = (clock.next()??, clock.next()??, clock.next()??);
    // Days since 1970 by the usual count from March, so that leap days end a year.
    let (y, m) = if month <= 2 { (year - 1, month + 9) } else { (year, month - 3) };
    let days = 365 * y + y / 4 - y / 100 + y / 400 + (153 * m + 2) / 5 + day - 1 - 719_468;
    let millis: i64 = format!("{fraction:0<3}").get(..3)?.parse().ok()?;
    u64::try_from(((days * 24 + hours) * 60 + minutes) * 60_000 + seconds * 1_000 + millis).ok()
}

#[cfg(test)]
mod tests {
    use super::unix_ms;

    #[test]
    fn times_as_cometbft_writes_them() {
        for (text, expect) in [
            ("1970-01-01T00:00:00Z", Some(0)),
            ("2000-02-29T12:34:56.789012345Z", Some(951_827_696_789)),
            ("2026-11-24T06:48:52.5Z", Some(1_795_502_932_500)),
            ("2026-11-24 06:48:52", None),
            ("", None),
        ] {
            assert_eq!(unix_ms(text), expect, "{text}");
        }
    }
}
