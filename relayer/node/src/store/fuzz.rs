//! Fuzz bodies of checkpoints and exports.
#![allow(
    clippy::missing_panics_doc,
    clippy::expect_used,
    reason = "a fuzz body reports a broken property by panicking, that is all it is for"
)]

use std::io::BufReader;
use std::path::Path;

use catenary_core::record::Cursor;
use catenary_core::{Record, Store, StoreOp, Tree};

use super::checkpoint;
use super::{read_export, MemoryStore};
use crate::journal::Tip;

/// The place that the seeds stand at.
fn place() -> Tip {
    Tip { records: 9, segment: 3, ..Tip::start() }
}

fn written(store: &MemoryStore) -> Vec<u8> {
    let mut bytes = Vec::new();
    checkpoint::write(store, &place(), &mut bytes).expect("memory takes it");
    bytes
}

/// A checkpoint that is read is the one spelling of its entries.
pub fn checkpoint(input: &[u8]) {
    let store = MemoryStore::default();
    let read = checkpoint::read_from(input, Path::new("a.checkpoint"), &place(), |tree, key, value| {
        store.apply(&[StoreOp::Put { tree, key, value }])
    });
    if read.is_ok() {
        assert_eq!(written(&store), input, "read and write again");
    }
}

/// An export that is read ends where it says, and says nothing twice.
pub fn export(input: &[u8]) {
    let (mut records, mut tip) = (0_u64, Tip::start());
    let read = read_export(&mut BufReader::new(input), |commit| {
        records = records.saturating_add(commit.len() as u64);
        tip = tip.followed_by(&commit).expect("it was read");
    });
    if let Ok(end) = read {
        assert_eq!((end.records, end.hash), (records, tip.hash), "the chain of what was given");
    }
}

/// An empty one, and one with entries in several trees.
#[must_use]
pub fn checkpoint_seeds() -> Vec<Vec<u8>> {
    let store = MemoryStore::default();
    let empty = written(&store);
    let put = |tree, key: &str, value: &[u8]| StoreOp::Put { tree, key: key.into(), value: value.to_vec() };
    let filled = store.apply(&[
        put(Tree::Packets, "state/quorum/client-0/1", b"{}"),
        put(Tree::Packets, "state/quorum/client-0/2", b""),
        put(Tree::Cursors, "quorum", b"{\"chain\":\"quorum\",\"height\":9}"),
        put(Tree::Meta, "start", b"{}"),
    ]);
    filled.expect("memory takes it");
    vec![empty, written(&store)]
}

/// An empty one, and one with two commits.
#[must_use]
pub fn export_seeds() -> Vec<Vec<u8>> {
    let cursor = |height| Record::Cursor(Cursor { chain: "quorum".into(), height });
    let mut tip = Tip::start();
    let head = "{\"catenary_journal\":1}\n".to_owned();
    let end = |tip: &Tip| format!("{{\"records\":{},\"end\":\"{}\"}}\n", tip.records, tip.hash);
    let empty = format!("{head}{}", end(&tip));
    let mut lines = head;
    for commit in [vec![cursor(1)], vec![cursor(2), cursor(3)]] {
        tip = tip.followed_by(&commit).expect("records");
        let records: Vec<String> = commit
            .iter()
            .map(|record| String::from_utf8(record.encode().expect("a record")).expect("JSON is text"))
            .collect();
        lines.push_str(&format!("{{\"hash\":\"{}\",\"records\":[{}]}}\n", tip.hash, records.join(",")));
    }
    vec![empty.into_bytes(), format!("{lines}{}", end(&tip)).into_bytes()]
}
