//! Updates: one a height, in order, for the light client.

use catenary_light_clients::Verdict as Judgement;

use crate::kit::{expect, said, Kit, Verdict};

/// Heights that are read together.
const HEIGHTS: u64 = 6;

/// The last `HEIGHTS` heights of the chain, waiting until it has that many.
async fn range(kit: &Kit<'_>, source: &dyn catenary_api::ChainSource) -> Result<(u64, u64), String> {
    for _ in 0..=HEIGHTS {
        let head = said("head", source.head().await)?.height;
        if head > HEIGHTS {
            return Ok((head - HEIGHTS + 1, head));
        }
        kit.advance(1).await?;
    }
    Err(format!("after {HEIGHTS} more blocks the head is still not above {HEIGHTS}"))
}

pub(super) async fn in_order(kit: &Kit<'_>) -> Verdict {
    let source = kit.source().await?;
    let (from, to) = range(kit, source.as_ref()).await?;
    let together = said("updates", source.updates(from, to).await)?;
    expect(together.len() as u64 == HEIGHTS, || format!("{} updates for the heights {from}..={to}", together.len()))?;
    let again = said("updates", kit.source().await?.updates(from, to).await)?;
    expect(again == together, || format!("the updates of {from}..={to} read otherwise after a restart"))?;
    // A family may leave out of a range what an earlier update in it has said already; there the light client, which
    // follows them one after another, judges the order.
    let judged = kit.profile.abilities.contains(&crate::Ability::Verifies);
    for (height, update) in (from..=to).zip(&together).filter(|_| !judged) {
        let alone = said("updates", source.updates(height, height).await)?;
        expect(alone.as_slice() == std::slice::from_ref(update), || {
            format!("the update of {height} differs alone and within {from}..={to}; is the order that of the heights?")
        })?;
    }
    let mut distinct = together.clone();
    distinct.sort();
    distinct.dedup();
    expect(distinct.len() == together.len(), || format!("two heights of {from}..={to} have the same update"))
}

pub(super) async fn verified(kit: &Kit<'_>) -> Verdict {
    let source = kit.source().await?;
    let (from, to) = range(kit, source.as_ref()).await?;
    let updates = said("updates", source.updates(from, to).await)?;
    let head = said("head", source.head().await)?;
    let now = head.timestamp.checked_add_seconds(5).ok_or("the head is past the year 2554")?;
    let mut updates = (from..=to).zip(updates);
    let (_, anchor) = updates.next().ok_or("no update at all")?;
    let mut client = kit.harness.light_client(&anchor, from).await?;
    for (height, update) in updates {
        match client.advance(&update, now) {
            Judgement::Verified(_) => {}
            other => return Err(format!("the light client says of the update at {height}: {other:?}")),
        }
    }
    let trusted = client.status().trusted_height;
    expect(trusted == to, || format!("after the update of {to} the light client trusts {trusted}"))
}
