//! Fuzz bodies of records, commits and segments.
#![allow(
    clippy::missing_panics_doc,
    clippy::expect_used,
    reason = "a fuzz body reports a broken property by panicking, that is all it is for"
)]

use catenary_core::packet_key::PacketKey;
use catenary_core::record::{
    Cursor, Decision, DecisionHead, DecisionItem, Intent, IntentKind, Outcome, OutcomeResult, PacketStep, Pruned,
    PrunedPackets, SignedTx, Stage, Why,
};
use catenary_core::Record;
use catenary_light_clients::Hash32;

use super::frame::{self, Parsed};
use super::reader::{self, SegmentFile};
use super::segment::SegmentHeader;
use super::{JournalError, Reader};

/// A record that decodes encodes to the same bytes.
pub fn record(input: &[u8]) {
    if let Ok(record) = Record::decode(input) {
        assert_eq!(record.encode().expect("it was decoded"), input, "decode and encode again");
    }
}

/// A commit whose checksum holds is the one spelling of its hash and payload, and so are its records.
pub fn commit(input: &[u8]) {
    let Parsed::Frame { hash, payload } = frame::parse(input) else { return };
    let again = frame::with_hash(&hash, payload);
    assert_eq!(input.get(..again.len()), Some(again.as_slice()), "parse and write again");
    if let Some(records) = frame::split(payload) {
        assert_eq!(frame::join(records.iter().copied()), payload, "split and join again");
        records.into_iter().for_each(record);
    }
    // Whatever follows is looked through for a later commit when this one would be torn.
    let _ = frame::holds_later_frame(input.get(..input.len().min(4_096)).unwrap_or_default());
}

/// A segment that is read is made again, byte for byte, of its header and of what is read from it.
pub fn segment(input: &[u8]) {
    let dir = tempfile::tempdir().expect("a folder");
    let path = dir.path().join("a.seg");
    std::fs::write(&path, input).expect("written");
    let Ok(reader) = Reader::open_segment(&path) else { return };
    let file = reader.segments().first().expect("it has one");
    let end = usize::try_from(reader.tip().offset_bytes).unwrap_or(usize::MAX);
    let mut again = input.get(..usize::try_from(file.header_bytes).unwrap_or(usize::MAX)).unwrap_or_default().to_vec();
    if file.header_bytes > frame::HEADER_BYTES as u64 {
        assert_eq!(again, file.header.encode(), "the header is the one spelling of what it says");
    }
    let (mut hash, mut count) = (file.header.hash_before, file.header.records_before);
    let read = reader.commits(&reader.start(), |tip, records| -> Result<(), JournalError> {
        let (next, bytes) = frame::encode(&hash, &frame::join(records.iter().copied()));
        again.extend_from_slice(&bytes);
        (hash, count) = (next, count.saturating_add(records.len() as u64));
        assert_eq!((tip.hash, tip.records), (hash, count), "the chain goes on");
        records.iter().for_each(|bytes| record(bytes));
        Ok(())
    });
    read.expect("it was read before");
    assert_eq!(input.get(..end), Some(again.as_slice()), "read and write again");
    let _ = reader::torn_end(file, reader.tip().offset_bytes, "cut").map(|torn| torn.len());
    check_alone(file, &reader);
}

/// What a node checks of a segment at its start says the same.
fn check_alone(file: &SegmentFile, reader: &Reader) {
    let alone = reader.check_segment(file.header.number);
    assert_eq!(alone.map_err(|error| error.code()), reader.check().map_err(|error| error.code()));
}

fn key(sequence: u64) -> PacketKey {
    PacketKey { source_chain: "quorum".into(), source_client: "client-0".into(), sequence }
}

/// Records with every shape of field: options, lists, maps, nested enums.
fn records() -> Vec<Record> {
    let hash = |byte| Hash32([byte; 32]);
    let result = OutcomeResult::Included { height: 7, success: true, gas_used: 21_000, fee: "12".into() };
    let runs = vec![(1, 9), (11, 11)];
    let pruned =
        PrunedPackets { path: "p".into(), source_chain: "quorum".into(), source_client: "client-0".into(), runs };
    let item = DecisionItem { packet: key(1), why: Why::Turn, rank: 1, ready_height: 5, refusals: 0 };
    vec![
        Record::Cursor(Cursor { chain: "quorum".into(), height: 10 }),
        Record::SignedTx(SignedTx { key: "k".into(), chain: "c".into(), nonce: 4, digest: hash(5), replaces: None }),
        Record::Intent(Intent {
            id: "recv-1".into(),
            path: "p".into(),
            chain: "simd".into(),
            key: "k".into(),
            nonce: 4,
            tx_hash: hash(1),
            tx_bytes: vec![0, 0xab],
            kind: IntentKind::Recv,
            packets: vec![key(1), key(2)],
            at_seconds: 9,
            replacement: 1,
        }),
        Record::Outcome(Outcome { tx_hash: hash(1), chain: "simd".into(), result, at_seconds: 9 }),
        Record::Packet(PacketStep {
            path: "p".into(),
            key: key(3),
            stage: Stage::Parked,
            packet: Some(vec![1, 2]),
            ack: Some(vec![3]),
            height: 9,
            reason: Some("client_frozen".into()),
            at_seconds: 3,
        }),
        Record::Pruned(Pruned { before_seconds: 7, packets: vec![pruned], transactions: vec![], at_seconds: 9 }),
        Record::Decision(Decision {
            id: "recv-1".into(),
            path: "p".into(),
            kind: IntentKind::Recv,
            to: "simd".into(),
            heads: vec![DecisionHead { chain: "simd".into(), height: 8, time_seconds: 80 }],
            items: vec![item],
            at_seconds: 9,
        }),
    ]
}

fn encoded() -> Vec<Vec<u8>> {
    records().iter().map(|record| record.encode().expect("a record")).collect()
}

/// Each kind of record.
#[must_use]
pub fn record_seeds() -> Vec<Vec<u8>> {
    encoded()
}

/// Commits of one record and of all.
#[must_use]
pub fn commit_seeds() -> Vec<Vec<u8>> {
    let records = encoded();
    let all = frame::join(records.iter().map(Vec::as_slice));
    let one = frame::join(records.iter().take(1).map(Vec::as_slice));
    let (hash, first) = frame::encode(&frame::genesis(), &one);
    let (_, second) = frame::encode(&hash, &all);
    vec![first.clone(), second.clone(), [first, second].concat()]
}

/// A first segment, a file of version 1, a later segment, and one with a torn end.
#[must_use]
pub fn segment_seeds() -> Vec<Vec<u8>> {
    let commits = |from: &Hash32| {
        let mut hash = *from;
        let mut bytes = Vec::new();
        for record in encoded() {
            let (next, commit) = frame::encode(&hash, &frame::join(std::iter::once(record.as_slice())));
            hash = next;
            bytes.extend_from_slice(&commit);
        }
        bytes
    };
    let first = [SegmentHeader::first(9).encode().as_slice(), &commits(&frame::genesis())].concat();
    let version_1 = [frame::header().as_slice(), &commits(&frame::genesis())].concat();
    let hash_before = Hash32([7; 32]);
    let header = SegmentHeader { number: 3, records_before: 8, previous_bytes: 900, began_seconds: 9, hash_before };
    let later = [header.encode().as_slice(), &commits(&hash_before)].concat();
    let torn = later.get(..later.len() - 5).unwrap_or_default().to_vec();
    vec![first, version_1, later, torn, header.encode().to_vec()]
}
