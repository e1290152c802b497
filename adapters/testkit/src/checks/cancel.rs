//! Cancelled calls: a dropped future leaves nothing behind.

use std::future::Future;
use std::time::Duration;

use catenary_api::ChainSource;

use super::finality::NOWHERE;
use super::send::{accepted, one_more};
use crate::kit::{expect, said, Kit, Verdict};

/// How often a call is polled until it is dropped: before its request is out, on the way, and at the end.
const POLLS: [usize; 6] = [1, 2, 3, 5, 10, 30];
/// Between two polls.
const PAUSE: Duration = Duration::from_millis(1);

async fn dropped(call: impl Future, polls: usize) {
    let mut call = std::pin::pin!(call);
    for _ in 0..polls {
        // Whether it is finished by then does not matter.
        if futures::poll!(&mut call).is_ready() {
            return;
        }
        tokio::time::sleep(PAUSE).await;
    }
}

async fn drop_reads(kit: &Kit<'_>, source: &dyn ChainSource, height: u64) {
    let paths = [NOWHERE.to_vec()];
    for polls in POLLS {
        dropped(source.identity(), polls).await;
        dropped(source.head(), polls).await;
        dropped(source.updates(height, height), polls).await;
        dropped(source.events(height, height), polls).await;
        dropped(source.proofs(height, &paths), polls).await;
        dropped(source.present(&paths), polls).await;
        dropped(source.client(&kit.profile.absent_client_id), polls).await;
    }
}

pub(super) async fn reads(kit: &Kit<'_>) -> Verdict {
    let source = kit.source().await?;
    let head = said("head", source.head().await)?;
    let identity = said("identity", source.identity().await)?;
    let updates = said("updates", source.updates(head.height, head.height).await)?;
    drop_reads(kit, source.as_ref(), head.height).await;
    let after = said("identity after dropped reads", source.identity().await)?;
    expect(after == identity, || format!("the identity was {identity:?}, after dropped reads it is {after:?}"))?;
    let after = said("head after dropped reads", source.head().await)?;
    expect(after.height >= head.height, || format!("the head was {head:?}, after dropped reads it is {after:?}"))?;
    let after = said("updates after dropped reads", source.updates(head.height, head.height).await)?;
    expect(after == updates, || format!("after dropped reads the update of {} is another", head.height))
}

pub(super) async fn broadcast(kit: &Kit<'_>) -> Verdict {
    let sink = kit.sink().await?;
    let [key, _] = kit.keys()?;
    for polls in [1, 2, 4] {
        let before = kit.nonce(sink.as_ref(), &key).await?;
        let tx = kit.signed(sink.as_ref(), &key, before).await?;
        dropped(sink.broadcast(&tx), polls).await;
        // It may or may not have been sent; the same bytes again settle it.
        accepted(sink.as_ref(), &tx, "after it was dropped").await?;
        kit.included(sink.as_ref(), &tx).await?;
        one_more(kit, &key, before).await?;
    }
    Ok(())
}
