//! Heads: what they promise can be kept.

use catenary_api::{ChainSource, Head};

use crate::kit::{expect, said, Kit, Verdict};

/// Heads that are read in a row.
const HEADS: usize = 5;
/// A path that no chain holds.
pub(super) const NOWHERE: &[u8] = b"catenary-testkit-holds-nothing-here";

pub(super) async fn served(kit: &Kit<'_>) -> Verdict {
    let source = kit.source().await?;
    for _ in 0..HEADS {
        let Head { height, .. } = said("head", source.head().await)?;
        at(height, "updates", source.updates(height, height).await).and_then(|updates| {
            expect(updates.len() == 1, || format!("{} updates for the one height {height}", updates.len()))
        })?;
        if kit.profile.abilities.contains(&crate::Ability::Emits) {
            at(height, "events", source.events(height, height).await)?;
        }
        let proofs = at(height, "proofs", source.proofs(height, &[NOWHERE.to_vec()]).await)?;
        let absent = proofs.len() == 1 && proofs.iter().all(|proof| proof.value.is_none());
        expect(absent, || format!("a path that nobody wrote to has the proofs {proofs:?} at the head {height}"))?;
        kit.advance(1).await?;
    }
    Ok(())
}

fn at<T>(height: u64, call: &str, answer: catenary_api::Result<T>) -> Result<T, String> {
    answer.map_err(|error| format!("the head is {height}, and {call} at it failed: {error}"))
}

pub(super) async fn monotonic(kit: &Kit<'_>) -> Verdict {
    let first = said("head", kit.source().await?.head().await)?;
    let mut last = first;
    for _ in 0..HEADS {
        let source = kit.source().await?;
        let head = said("head", source.head().await)?;
        expect(head.height >= last.height && head.timestamp >= last.timestamp, || {
            format!("the head went from {last:?} back to {head:?}")
        })?;
        expect(head.height > last.height || head.timestamp == last.timestamp, || {
            format!("the time of head {} was {} and is now {}", head.height, last.timestamp, head.timestamp)
        })?;
        last = head;
        kit.advance(1).await?;
    }
    kit.advance(2).await?;
    let head = said("head", kit.source().await?.head().await)?;
    expect(head.height > first.height, || format!("the chain went on, and the head stays at {}", first.height))
}

pub(super) async fn stable(kit: &Kit<'_>) -> Verdict {
    let source = kit.source().await?;
    let height = said("head", source.head().await)?.height;
    let before = said("updates", source.updates(height, height).await)?;
    kit.advance(2).await?;
    let same: [(&str, std::sync::Arc<dyn ChainSource>); 2] =
        [("by the same adapter", source), ("after a restart", kit.source().await?)];
    for (when, source) in same {
        let again = said("updates", source.updates(height, height).await)?;
        expect(again == before, || format!("the update of the final height {height} reads otherwise {when}"))?;
    }
    Ok(())
}
