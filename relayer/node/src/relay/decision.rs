//! What is journaled of a job when it starts: its packets, why now, and the heads that it was decided by.

use catenary_core::engine::{Engine, Entry, Job, JobKind, Key, Side};
use catenary_core::packet_key::PacketKey;
use catenary_core::record::{Decision, DecisionHead, DecisionItem, Record, Why};

use super::job::{self, PathContext};

/// The decision of a job that is to become transactions; `None` for one that only proves.
pub(super) fn of(
    context: &PathContext,
    engine: &Engine,
    (job, entries): (&Job, &[(Key, Entry)]),
    at_seconds: u64,
) -> Option<Record> {
    let kind = job::intent_kind(job.kind)?;
    let heads = [Side::A, Side::B].into_iter().filter_map(|side| {
        let head = engine.head(side)?;
        let chain = context.side(side).chain.name().to_owned();
        Some(DecisionHead { chain, height: head.height, time_seconds: head.timestamp.seconds() })
    });
    let now_seconds = engine.head(job.to).map_or(0, |head| head.timestamp.seconds());
    let items = entries.iter().map(|(key, entry)| DecisionItem {
        packet: PacketKey::of(context.side(key.source).chain.name(), &entry.packet),
        why: why(job.kind, entry, now_seconds),
        rank: entry.ready.map_or(0, |ready| ready.turn.rank),
        ready_height: entry.ready.map_or(0, |ready| ready.height),
        refusals: entry.refusals,
    });
    Some(Record::Decision(Decision {
        id: job::name(job),
        path: context.name.clone(),
        kind,
        to: context.side(job.to).chain.name().to_owned(),
        heads: heads.collect(),
        items: items.collect(),
        at_seconds,
    }))
}

/// Why a packet is worked on, at a time of the chain that the job goes to.
fn why(kind: JobKind, entry: &Entry, now_seconds: u64) -> Why {
    match kind {
        JobKind::Timeout => Why::Timeout,
        JobKind::Recv if entry.ready.is_some_and(|ready| now_seconds >= ready.hurry_from_seconds) => Why::Hurry,
        JobKind::Recv | JobKind::Ack | JobKind::Confirm => Why::Turn,
    }
}
