//! Nonces: they come from the chain, and one nonce carries one transaction.

use catenary_api::Broadcast;

use super::send::{accepted, one_more};
use crate::kit::{expect, said, Kit, Verdict};

pub(super) async fn restart(kit: &Kit<'_>) -> Verdict {
    let [key, _] = kit.keys()?;
    let sink = kit.sink().await?;
    let before = kit.nonce(sink.as_ref(), &key).await?;
    let restarted = kit.nonce(kit.sink().await?.as_ref(), &key).await?;
    expect(restarted == before, || format!("the nonce is {before}, after a restart {restarted}"))?;
    let tx = kit.signed(sink.as_ref(), &key, before).await?;
    accepted(sink.as_ref(), &tx, "before a restart").await?;
    drop(sink);
    // The adapter that sent it is gone; a new one finds the outcome by the hash, and the nonce on the chain.
    let sink = kit.sink().await?;
    kit.included(sink.as_ref(), &tx).await?;
    one_more(kit, &key, before).await
}

pub(super) async fn used(kit: &Kit<'_>) -> Verdict {
    let sink = kit.sink().await?;
    let [key, _] = kit.keys()?;
    let nonce = kit.nonce(sink.as_ref(), &key).await?;
    let first = kit.signed(sink.as_ref(), &key, nonce).await?;
    accepted(sink.as_ref(), &first, "with a fresh nonce").await?;
    kit.included(sink.as_ref(), &first).await?;
    let other = kit.signed(sink.as_ref(), &key, nonce).await?;
    match sink.broadcast(&other).await {
        Broadcast::NonceMismatch(_) => {}
        outcome => return Err(format!("other bytes with a used nonce: got {outcome:?}, expected NonceMismatch")),
    }
    one_more(kit, &key, nonce).await?;
    let receipt = said("receipt", sink.receipt(&other.hash).await)?;
    expect(receipt.is_none(), || format!("what was refused for its nonce has a receipt: {receipt:?}"))
}

pub(super) async fn raced(kit: &Kit<'_>) -> Verdict {
    let sink = kit.sink().await?;
    let [key, _] = kit.keys()?;
    let nonce = kit.nonce(sink.as_ref(), &key).await?;
    let (one, other) = (kit.signed(sink.as_ref(), &key, nonce).await?, kit.signed(sink.as_ref(), &key, nonce).await?);
    expect(one.hash != other.hash, || "the harness gave the same transaction for two numbers".to_owned())?;
    accepted(sink.as_ref(), &one, "of the first of two with one nonce").await?;
    let outcome = sink.broadcast(&other).await;
    // A pool may take the second as a replacement; what must hold is that one of them ends in a block.
    let said_so = matches!(outcome, Broadcast::NonceMismatch(_) | Broadcast::Accepted | Broadcast::Refused(_));
    expect(said_so, || format!("the second of two with one nonce: got {outcome:?}"))?;
    let mut receipts = [None, None];
    while receipts.iter().all(Option::is_none) {
        let account = kit.nonce(sink.as_ref(), &key).await?;
        for (slot, tx) in receipts.iter_mut().zip([&one, &other]) {
            *slot = said("receipt", sink.receipt(&tx.hash).await)?;
        }
        let lost = account > nonce && receipts.iter().all(Option::is_none);
        // The account was read first: by the receipts' time the block is there.
        expect(!lost, || format!("nonce {nonce} is used, and neither transaction has a receipt"))?;
        kit.advance(1).await?;
    }
    one_more(kit, &key, nonce).await?;
    for (slot, tx) in receipts.iter_mut().zip([&one, &other]) {
        *slot = said("receipt", sink.receipt(&tx.hash).await)?;
    }
    let included = receipts.iter().flatten().count();
    expect(included == 1, || format!("{included} of two transactions with nonce {nonce} have a receipt"))
}
