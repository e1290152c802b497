//! Walks over a source that holds some packets, with and without a search.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use catenary_api::{ClientClaim, Head, Identity, PacketEvent, PacketSearch, ProofClaim, Result, TxHash};
use catenary_light_clients::Hash32;
use catenary_protocol::Packet;

use super::*;

/// How the source answers a search.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Searching {
    /// It cannot.
    Never,
    /// It does.
    Well,
    /// It refuses for good.
    Refuses,
    /// It fails this time.
    Fails,
}

struct Source {
    /// Height and sequence of each packet.
    packets: Vec<(u64, u64)>,
    searching: Searching,
    asked: AtomicU64,
    elsewhere: AtomicU64,
}

impl Source {
    fn new(packets: &[(u64, u64)], searching: Searching) -> Self {
        Self { packets: packets.to_vec(), searching, asked: AtomicU64::new(0), elsewhere: AtomicU64::new(0) }
    }

    fn claims(&self, from: u64, to: u64) -> Vec<EventClaim> {
        self.asked.fetch_add(1, Ordering::Relaxed);
        let inside = self.packets.iter().filter(|(height, _)| (from..=to).contains(height));
        inside.map(|(height, sequence)| claim(*height, *sequence)).collect()
    }
}

fn claim(height: u64, sequence: u64) -> EventClaim {
    let (source_client, destination_client) = ("client-0".to_owned(), "client-9".to_owned());
    let packet =
        Packet { sequence, source_client, destination_client, timeout_timestamp_seconds: 1, payloads: Vec::new() };
    EventClaim { height, tx: TxHash(Hash32([0; 32])), event: PacketEvent::Sent(packet) }
}

fn error(class: Class) -> Error {
    Error { code: "X-1", class, message: String::new() }
}

#[async_trait]
impl ChainSource for Source {
    async fn identity(&self) -> Result<Identity> {
        Err(error(Class::Bug))
    }
    async fn head(&self) -> Result<Head> {
        Err(error(Class::Bug))
    }
    async fn updates(&self, _from: u64, _to: u64) -> Result<Vec<Vec<u8>>> {
        Err(error(Class::Bug))
    }
    async fn events(&self, from: u64, to: u64) -> Result<Vec<EventClaim>> {
        assert!(from <= to && to - from < HEIGHTS_MAX, "{from}..={to}");
        Ok(self.claims(from, to))
    }
    async fn proofs(&self, _height: u64, _paths: &[Vec<u8>]) -> Result<Vec<ProofClaim>> {
        Err(error(Class::Bug))
    }
    async fn present(&self, _paths: &[Vec<u8>]) -> Result<Vec<bool>> {
        Err(error(Class::Bug))
    }
    async fn client(&self, _client_id: &str) -> Result<Option<ClientClaim>> {
        Err(error(Class::Bug))
    }
    fn search(&self) -> Option<&dyn PacketSearch> {
        (self.searching != Searching::Never).then_some(self as &dyn PacketSearch)
    }
}

#[async_trait]
impl PacketSearch for Source {
    async fn last_sequence(&self, _client_id: &str) -> Result<Option<u64>> {
        Ok(None)
    }
    async fn find(&self, search: &Search<'_>) -> Result<Vec<EventClaim>> {
        assert!(search.sequences.len() <= SEARCH_SEQUENCES_MAX && search.to - search.from < SEARCH_HEIGHTS_MAX);
        match self.searching {
            // More than was asked for, as an endpoint may.
            Searching::Well => Ok(self.claims(search.from, search.to)),
            Searching::Refuses => Err(error(Class::Permanent)),
            Searching::Never | Searching::Fails => Err(error(Class::Transient)),
        }
    }
    async fn elsewhere(&self) {
        self.elsewhere.fetch_add(1, Ordering::Relaxed);
    }
}

async fn look(walk: &mut Walk, source: &Source, wanted: &[u64], head: u64) -> (Vec<u64>, bool) {
    let wanted = wanted.iter().copied().collect();
    let (found, failed) = walk.look(source, "client-0", &wanted, head).await;
    (found.iter().map(|claim| claim.event.packet().sequence).collect(), failed.is_some())
}

#[tokio::test]
async fn a_round_looks_at_a_bounded_number_of_blocks_and_the_next_goes_on() {
    let windows = u64::from(limits::SWEEP_WINDOWS);
    for (searching, width) in [(Searching::Well, SEARCH_HEIGHTS_MAX), (Searching::Never, HEIGHTS_MAX)] {
        let head = 3 * windows * width;
        // In the first window of the second round, below one that nobody asked for.
        let source = Source::new(&[(head - windows * width, 7), (head, 8)], searching);
        let mut walk = Walk::new(SearchKind::Sent);
        assert_eq!(look(&mut walk, &source, &[7], head).await, (vec![], false), "{searching:?}");
        assert_eq!(source.asked.load(Ordering::Relaxed), windows, "{searching:?}");
        assert_eq!(look(&mut walk, &source, &[7], head + 5).await, (vec![7], false), "{searching:?}");
        assert_eq!(source.asked.load(Ordering::Relaxed), windows + 1, "{searching:?}");
    }
}

#[tokio::test]
async fn a_source_that_refuses_to_search_is_walked() {
    let source = Source::new(&[(250, 7)], Searching::Refuses);
    let mut walk = Walk::new(SearchKind::Sent);
    assert_eq!(look(&mut walk, &source, &[7], 300).await, (vec![7], false));
    assert_eq!(source.asked.load(Ordering::Relaxed), 1);
}

#[tokio::test]
async fn another_endpoint_is_asked_after_a_failure_and_after_the_last_block() {
    let source = Source::new(&[(50, 7)], Searching::Fails);
    let mut walk = Walk::new(SearchKind::Sent);
    assert_eq!(look(&mut walk, &source, &[7], 100).await, (vec![], true));
    assert_eq!(source.elsewhere.load(Ordering::Relaxed), 1);

    let source = Source::new(&[(50, 7)], Searching::Well);
    let mut walk = Walk::new(SearchKind::Sent);
    assert_eq!(look(&mut walk, &source, &[7, 9], 100).await, (vec![7], false));
    assert_eq!(source.elsewhere.load(Ordering::Relaxed), 1, "9 is in no block");
    // From the head again, and so is one that is wanted as well now.
    assert_eq!(look(&mut walk, &source, &[7], 100).await, (vec![7], false));
    assert_eq!(source.elsewhere.load(Ordering::Relaxed), 1);
}

#[tokio::test]
async fn a_walk_begins_anew_when_more_is_wanted() {
    let windows = u64::from(limits::SWEEP_WINDOWS);
    let head = 2 * windows * HEIGHTS_MAX;
    let source = Source::new(&[(head, 8)], Searching::Never);
    let mut walk = Walk::new(SearchKind::Sent);
    assert_eq!(look(&mut walk, &source, &[7], head).await, (vec![], false));
    assert_eq!(look(&mut walk, &source, &[7, 8], head).await, (vec![8], false));
}
