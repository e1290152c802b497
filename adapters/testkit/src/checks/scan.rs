//! The scan of packet events: gap-free, whatever the ranges and restarts.

use catenary_api::limits::HEIGHTS_MAX;
use catenary_api::{ChainSource, EventClaim, PacketEvent};
use catenary_light_clients::Class;

use crate::kit::{expect, said, Kit, Verdict};

/// Random splits beside the two extreme ones.
const SPLITS: usize = 12;
/// Heights before the first packet that are scanned as well.
const BEFORE: u64 = 3;

/// The range that holds all packets of the run.
async fn range(kit: &Kit<'_>, source: &dyn ChainSource) -> Result<(u64, u64), String> {
    let emitted = kit.emitted().await?;
    let heights = || emitted.iter().map(|sent| sent.height);
    let (first, last) = (heights().min().unwrap_or_default(), heights().max().unwrap_or_default());
    let head = said("head", source.head().await)?.height;
    expect(head >= last, || format!("a packet is at height {last}, and the head is {head}"))?;
    let from = first.saturating_sub(BEFORE).max(1);
    let to = head.min(last.saturating_add(BEFORE));
    expect(to - from < HEIGHTS_MAX, || format!("the packets lie too far apart for one range: {from}..={to}"))?;
    Ok((from, to))
}

pub(super) async fn complete(kit: &Kit<'_>) -> Verdict {
    let source = kit.source().await?;
    let (from, to) = range(kit, source.as_ref()).await?;
    let claims = said("events", source.events(from, to).await)?;
    let ascending = claims.windows(2).all(|pair| matches!(pair, [a, b] if a.height <= b.height));
    expect(ascending, || format!("the events of {from}..={to} are not in block order"))?;
    let inside = claims.iter().all(|claim| (from..=to).contains(&claim.height));
    expect(inside, || format!("an event of {from}..={to} lies outside of it"))?;
    let emitted = kit.emitted().await?;
    let sent: Vec<_> = claims
        .iter()
        .filter_map(|claim| match &claim.event {
            PacketEvent::Sent(packet) if emitted.iter().any(|sent| sent.packet == *packet) => {
                Some((claim.height, packet.sequence))
            }
            _ => None,
        })
        .collect();
    let expected: Vec<_> = emitted.iter().map(|sent| (sent.height, sent.packet.sequence)).collect();
    expect(sent == expected, || format!("(height, sequence) of the packets: got {sent:?}, expected {expected:?}"))
}

pub(super) async fn splits(kit: &Kit<'_>) -> Verdict {
    let (from, to) = range(kit, kit.source().await?.as_ref()).await?;
    let whole = said("events", kit.source().await?.events(from, to).await)?;
    let mut random = Random(kit.seed);
    for round in 0..SPLITS + 2 {
        let cuts: Vec<u64> = match round {
            0 => Vec::new(),
            1 => (from + 1..=to).collect(),
            _ => (from + 1..=to).filter(|_| random.next().is_multiple_of(3)).collect(),
        };
        let mut parts: Vec<EventClaim> = Vec::new();
        let ends = cuts.iter().map(|cut| cut - 1).chain([to]);
        for (start, end) in std::iter::once(from).chain(cuts.iter().copied()).zip(ends) {
            // A new adapter for each part: what it knows of earlier parts must not matter.
            parts.extend(said("events", kit.source().await?.events(start, end).await)?);
        }
        expect(parts == whole, || {
            format!(
                "{from}..={to} cut at {cuts:?} gives {} events, the whole {} (or in another order)",
                parts.len(),
                whole.len()
            )
        })?;
    }
    Ok(())
}

pub(super) async fn ahead(kit: &Kit<'_>) -> Verdict {
    let source = kit.source().await?;
    let head = said("head", source.head().await)?.height;
    match source.events(head, head + HEIGHTS_MAX / 2).await {
        Ok(claims) => {
            Err(format!("the head is {head}, and a range that ends far beyond it has {} events", claims.len()))
        }
        Err(error) if error.class == Class::Transient => Ok(()),
        Err(error) => Err(format!("a range beyond the head may be retried later, yet the error is {error:?}")),
    }
}

/// SplitMix64 (Steele, Lea, Flood 2014): the same seed gives the same splits.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }
}
