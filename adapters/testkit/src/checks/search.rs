//! Packets by their sequences.

use catenary_api::limits::{SEARCH_HEIGHTS_MAX, SEARCH_SEQUENCES_MAX};
use catenary_api::{ChainSource, PacketEvent, PacketSearch, Search, SearchKind};
use catenary_light_clients::Class;

use crate::harness::Emitted;
use crate::kit::{expect, said, Kit, Verdict};

/// Sequences that no packet of a test chain has.
const NOBODY: [u64; 2] = [u64::MAX - 1, u64::MAX];

fn search_of(source: &dyn ChainSource) -> Result<&dyn PacketSearch, String> {
    source.search().ok_or_else(|| "the adapter has the ability Searches, and gives no search".to_owned())
}

/// The run's packets, their client and the blocks that they lie in.
async fn packets<'a>(kit: &'a Kit<'_>) -> Result<(&'a [Emitted], &'a str, (u64, u64)), String> {
    let emitted = kit.emitted().await?;
    let client = emitted.first().map_or("", |sent| sent.packet.source_client.as_str());
    let heights = || emitted.iter().map(|sent| sent.height);
    Ok((emitted, client, (heights().min().unwrap_or_default(), heights().max().unwrap_or_default())))
}

pub(super) async fn last(kit: &Kit<'_>) -> Verdict {
    let source = kit.source().await?;
    let (emitted, client, _) = packets(kit).await?;
    let newest = emitted.iter().map(|sent| sent.packet.sequence).max().unwrap_or_default();
    let search = search_of(source.as_ref())?;
    let last = said("last_sequence", search.last_sequence(client).await)?;
    // Others may have sent packets since.
    expect(last.is_none_or(|last| last >= newest), || {
        format!("the newest sequence is {newest}, the count says {last:?}")
    })?;
    let absent = said("last_sequence", search.last_sequence(&kit.profile.absent_client_id).await)?;
    expect(absent.unwrap_or_default() == 0, || format!("a client that is not there has sent {absent:?} packets"))
}

pub(super) async fn finds(kit: &Kit<'_>) -> Verdict {
    let source = kit.source().await?;
    let (emitted, client_id, (from, to)) = packets(kit).await?;
    let all: Vec<u64> = emitted.iter().map(|sent| sent.packet.sequence).chain(NOBODY).collect();
    let mut wanted: Vec<(Vec<u64>, (u64, u64))> = vec![(all.clone(), (from, to)), (NOBODY.to_vec(), (from, to))];
    // Each alone, and each where it is not.
    for sent in emitted {
        wanted.push((vec![sent.packet.sequence], (sent.height, sent.height)));
        wanted.push((vec![sent.packet.sequence], (sent.height - 1, sent.height - 1)));
    }
    for (sequences, (from, to)) in wanted {
        let search = Search { kind: SearchKind::Sent, client_id, sequences: &sequences, from, to };
        let mut got: Vec<_> = said("find", search_of(source.as_ref())?.find(&search).await)?
            .into_iter()
            .map(|claim| (claim.height, claim.event))
            .collect();
        got.sort_by_key(|(_, event)| event.packet().sequence);
        let inside = emitted
            .iter()
            .filter(|sent| sequences.contains(&sent.packet.sequence) && (from..=to).contains(&sent.height));
        let mut expected: Vec<_> = inside.map(|sent| (sent.height, PacketEvent::Sent(sent.packet.clone()))).collect();
        expected.sort_by_key(|(_, event)| event.packet().sequence);
        expect(got == expected, || format!("{search:?}: got {got:?}, expected {expected:?}"))?;
    }
    Ok(())
}

pub(super) async fn bounds(kit: &Kit<'_>) -> Verdict {
    let source = kit.source().await?;
    let (_, client_id, (from, to)) = packets(kit).await?;
    let head = said("head", source.head().await)?.height;
    let many = vec![1; SEARCH_SEQUENCES_MAX + 1];
    let one: &[u64] = &[1];
    let rows = [
        ("a sequence too many", many.as_slice(), (from, to), false),
        ("a height too many", one, (1, SEARCH_HEIGHTS_MAX + 1), false),
        ("an empty range", one, (5, 4), false),
        ("a range beyond the head", one, (from, head + SEARCH_HEIGHTS_MAX / 2), true),
    ];
    for (what, sequences, (from, to), transient) in rows {
        let search = Search { kind: SearchKind::Sent, client_id, sequences, from, to };
        match search_of(source.as_ref())?.find(&search).await {
            Ok(found) => return Err(format!("{what}: found {}, expected an error", found.len())),
            Err(error) if (error.class == Class::Transient) == transient => {}
            Err(error) => return Err(format!("{what}: a wrong class of error: {error:?}")),
        }
    }
    Ok(())
}
