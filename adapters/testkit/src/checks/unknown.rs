//! Outcomes that the endpoint did not tell: the chain does.

use catenary_api::Broadcast;

use super::send::{accepted, one_more};
use crate::kit::{expect, said, sink_of, Kit, Verdict};
use crate::wire::Trouble;

pub(super) async fn lost_answer(kit: &Kit<'_>) -> Verdict {
    let sink = kit.sink().await?;
    let [key, _] = kit.keys()?;
    let before = kit.nonce(sink.as_ref(), &key).await?;
    let tx = kit.signed(sink.as_ref(), &key, before).await?;
    let (sides, _wire) = kit.open_through(Trouble::LoseAnswers).await?;
    let outcome = sink_of(&sides)?.broadcast(&tx).await;
    expect(matches!(outcome, Broadcast::Unknown(_)), || {
        format!("the answer is lost: got {outcome:?}, expected Unknown")
    })?;
    let receipt = kit.included(sink.as_ref(), &tx).await?;
    expect(receipt.success, || format!("the harness's transaction failed: {receipt:?}"))?;
    accepted(sink.as_ref(), &tx, "after its first answer was lost").await?;
    one_more(kit, &key, before).await
}

pub(super) async fn never_sent(kit: &Kit<'_>) -> Verdict {
    let sink = kit.sink().await?;
    let [key, _] = kit.keys()?;
    let before = kit.nonce(sink.as_ref(), &key).await?;
    let tx = kit.signed(sink.as_ref(), &key, before).await?;
    let (sides, _wire) = kit.open_through(Trouble::Refuse).await?;
    let outcome = sink_of(&sides)?.broadcast(&tx).await;
    expect(matches!(outcome, Broadcast::Unknown(_)), || {
        format!("nobody was reached: got {outcome:?}, expected Unknown")
    })?;
    kit.advance(2).await?;
    let receipt = said("receipt", sink.receipt(&tx.hash).await)?;
    expect(receipt.is_none(), || format!("nobody was reached, and there is a receipt: {receipt:?}"))?;
    accepted(sink.as_ref(), &tx, "after nobody was reached").await?;
    kit.included(sink.as_ref(), &tx).await?;
    one_more(kit, &key, before).await
}

pub(super) async fn duplicated(kit: &Kit<'_>) -> Verdict {
    let sink = kit.sink().await?;
    let [key, _] = kit.keys()?;
    let before = kit.nonce(sink.as_ref(), &key).await?;
    let tx = kit.signed(sink.as_ref(), &key, before).await?;
    let (sides, _wire) = kit.open_through(Trouble::Twice).await?;
    accepted(sink_of(&sides)?.as_ref(), &tx, "that the network doubles").await?;
    kit.included(sink.as_ref(), &tx).await?;
    one_more(kit, &key, before).await
}
