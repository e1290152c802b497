//! The optional part of the reading side: finding packets by their sequences, without a walk over all blocks.
//!
//! An adapter that cannot do this leaves [`ChainSource::search`](crate::ChainSource::search) as it is; its caller then
//! walks over the events of blocks, a bounded number at a time.

use async_trait::async_trait;

use crate::claim::EventClaim;
use crate::error::Result;

/// Which event of a packet is looked for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum SearchKind {
    /// That it was sent here, its source.
    Sent,
    /// That it was received and acknowledged here, its destination.
    WroteAck,
}

/// What is looked for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Search<'a> {
    /// The event.
    pub kind: SearchKind,
    /// This chain's client of the packets: their source client where they were sent, else their destination client.
    pub client_id: &'a str,
    /// Sequences; at most [`SEARCH_SEQUENCES_MAX`](crate::limits::SEARCH_SEQUENCES_MAX).
    pub sequences: &'a [u64],
    /// First block.
    pub from: u64,
    /// Last block; at most [`SEARCH_HEIGHTS_MAX`](crate::limits::SEARCH_HEIGHTS_MAX) blocks in all.
    pub to: u64,
}

impl Search<'_> {
    /// Whether an event is one that is looked for. An adapter gives no other.
    #[must_use]
    pub fn wants(&self, claim: &EventClaim) -> bool {
        use crate::claim::PacketEvent;
        let packet = claim.event.packet();
        let client = match (self.kind, &claim.event) {
            (SearchKind::Sent, PacketEvent::Sent(packet)) => &packet.source_client,
            (SearchKind::WroteAck, PacketEvent::WroteAck { packet, .. }) => &packet.destination_client,
            _ => return false,
        };
        client == self.client_id
            && self.sequences.contains(&packet.sequence)
            && (self.from..=self.to).contains(&claim.height)
    }
}

/// Finds packets by their sequences. What it says is a claim, as all that a source says: a packet that is not there in
/// its answer may be withheld, and one that is there is held against the proven commitment.
///
/// Idempotent and cancel safe, with a deadline of its own, as [`ChainSource`](crate::ChainSource).
#[async_trait]
pub trait PacketSearch: Send + Sync {
    /// Sequence of the newest packet that a client has sent, 0 for none; `None` when the chain does not say.
    ///
    /// # Errors
    /// Transport and decoding errors.
    async fn last_sequence(&self, client_id: &str) -> Result<Option<u64>>;

    /// The events that are looked for and were found, in any order.
    ///
    /// # Errors
    /// Transport and decoding errors; more was asked for than one request may. A permanent error says that this chain
    /// cannot search, and that a walk over its blocks is the way.
    async fn find(&self, search: &Search<'_>) -> Result<Vec<EventClaim>>;

    /// The endpoint in use did not have what is proven to be there: where there are several, another one is asked from
    /// now on.
    async fn elsewhere(&self) {}
}

#[cfg(test)]
mod tests {
    use catenary_light_clients::Hash32;
    use catenary_protocol::{Acknowledgement, Packet};

    use super::*;
    use crate::claim::{PacketEvent, TxHash};

    fn packet(sequence: u64) -> Packet {
        let (source_client, destination_client) = ("client-0".to_owned(), "attestations-0".to_owned());
        Packet { sequence, source_client, destination_client, timeout_timestamp_seconds: 1, payloads: Vec::new() }
    }

    #[test]
    fn only_what_is_looked_for_is_wanted() {
        let acknowledgement = Acknowledgement { app_acknowledgements: vec![vec![1]] };
        let wrote =
            |sequence| PacketEvent::WroteAck { packet: packet(sequence), acknowledgement: acknowledgement.clone() };
        let check = |kind, client_id, (height, event): (u64, PacketEvent), expect: bool| {
            let search = Search { kind, client_id, sequences: &[3, 5], from: 10, to: 20 };
            let claim = EventClaim { height, tx: TxHash(Hash32([0; 32])), event };
            assert_eq!(search.wants(&claim), expect, "{search:?} {claim:?}");
        };
        check(SearchKind::Sent, "client-0", (10, PacketEvent::Sent(packet(3))), true);
        check(SearchKind::Sent, "client-0", (20, PacketEvent::Sent(packet(5))), true);
        check(SearchKind::Sent, "client-0", (9, PacketEvent::Sent(packet(3))), false);
        check(SearchKind::Sent, "client-0", (21, PacketEvent::Sent(packet(3))), false);
        check(SearchKind::Sent, "client-0", (10, PacketEvent::Sent(packet(4))), false);
        check(SearchKind::Sent, "client-1", (10, PacketEvent::Sent(packet(3))), false);
        check(SearchKind::Sent, "attestations-0", (10, PacketEvent::Sent(packet(3))), false);
        check(SearchKind::Sent, "client-0", (10, wrote(3)), false);
        check(SearchKind::Sent, "client-0", (10, PacketEvent::TimedOut(packet(3))), false);
        check(SearchKind::WroteAck, "attestations-0", (10, wrote(3)), true);
        check(SearchKind::WroteAck, "client-0", (10, wrote(3)), false);
        check(SearchKind::WroteAck, "attestations-0", (10, PacketEvent::Sent(packet(3))), false);
    }
}
