//! Sending: once is once, however often the bytes are handed over.

use catenary_api::{Broadcast, ChainSink, SignedTx, UnsignedTx};

use crate::harness::TestKey;
use crate::kit::{expect, said, Kit, Verdict};

pub(super) async fn accepted(sink: &dyn ChainSink, tx: &SignedTx, when: &str) -> Verdict {
    match sink.broadcast(tx).await {
        Broadcast::Accepted => Ok(()),
        other => Err(format!("broadcast {when}: got {other:?}, expected Accepted")),
    }
}

/// Exactly one of the account's transactions was included since `before`.
pub(super) async fn one_more(kit: &Kit<'_>, key: &TestKey, before: u64) -> Verdict {
    // A second inclusion would take a block to show.
    kit.advance(2).await?;
    let after = kit.nonce(kit.sink().await?.as_ref(), key).await?;
    expect(after == before + 1, || format!("the nonce went from {before} to {after}; expected one inclusion"))
}

pub(super) async fn sizes(kit: &Kit<'_>) -> Verdict {
    let sink = kit.sink().await?;
    let [key, _] = kit.keys()?;
    let nonce = kit.nonce(sink.as_ref(), &key).await?;
    let unsigned = kit.unsigned(sink.as_ref(), &key, nonce).await?;
    let signed = said("finish", sink.finish(&unsigned, &key.sign(&unsigned.digest.0)?))?;
    let (length, stated, limits) = (signed.bytes.len(), unsigned.size_bytes, sink.limits());
    expect(length <= stated, || format!("signed it has {length} bytes, {stated} were stated"))?;
    expect(stated <= limits.tx_bytes_max, || format!("{stated} bytes, the limit is {}", limits.tx_bytes_max))?;
    expect(unsigned.nonce == nonce, || format!("built with nonce {}, asked for {nonce}", unsigned.nonce))?;
    expect(unsigned.gas_limit <= limits.gas_max, || {
        format!("a gas limit of {}, the most is {}", unsigned.gas_limit, limits.gas_max)
    })?;
    let address = said("address", sink.address(&key.public_key()))?;
    let account = said("account", sink.account(&key.public_key()).await)?;
    expect(account.address == address, || format!("the account is {}, its address {address}", account.address))
}

pub(super) async fn finish(kit: &Kit<'_>) -> Verdict {
    let sink = kit.sink().await?;
    let [key, _] = kit.keys()?;
    let nonce = kit.nonce(sink.as_ref(), &key).await?;
    let good = kit.unsigned(sink.as_ref(), &key, nonce).await?;
    let signature = key.sign(&good.digest.0)?;
    let refused = |what: &str, unsigned: &UnsignedTx, signature: &[u8; 65]| {
        let outcome = sink.finish(unsigned, signature);
        expect(outcome.is_err(), || format!("{what} was finished"))
    };
    let changed = |change: fn(&mut UnsignedTx)| {
        let mut unsigned = good.clone();
        change(&mut unsigned);
        unsigned
    };
    refused("another digest", &changed(|tx| tx.digest.0[0] ^= 1), &signature)?;
    refused("an empty payload", &changed(|tx| tx.payload.clear()), &signature)?;
    refused("a payload with a byte more", &changed(|tx| tx.payload.push(0)), &signature)?;
    let (once, again) =
        (said("finish", sink.finish(&good, &signature))?, said("finish", sink.finish(&good, &signature))?);
    expect(once == again, || "finishing the same twice gives two transactions".to_owned())?;
    // A chain without recovery may leave v out; none may take another form of it for another transaction.
    let mut ethereum = signature;
    ethereum[64] += 27;
    let other = sink.finish(&good, &ethereum);
    expect(other.as_ref().is_ok_and(|other| *other == once) || other.is_err(), || {
        "a signature with v = 27 gives another transaction".to_owned()
    })
}

pub(super) async fn idempotent(kit: &Kit<'_>) -> Verdict {
    let sink = kit.sink().await?;
    let [key, _] = kit.keys()?;
    let before = kit.nonce(sink.as_ref(), &key).await?;
    let tx = kit.signed(sink.as_ref(), &key, before).await?;
    accepted(sink.as_ref(), &tx, "for the first time").await?;
    accepted(sink.as_ref(), &tx, "again at once").await?;
    let receipt = kit.included(sink.as_ref(), &tx).await?;
    expect(receipt.success, || format!("the harness's transaction failed: {receipt:?}"))?;
    accepted(sink.as_ref(), &tx, "again after it is in a block").await?;
    let restarted = kit.sink().await?;
    accepted(restarted.as_ref(), &tx, "by a restarted adapter").await?;
    one_more(kit, &key, before).await?;
    let again = said("receipt", restarted.receipt(&tx.hash).await)?;
    expect(again.as_ref() == Some(&receipt), || format!("the receipt was {receipt:?} and is now {again:?}"))
}

pub(super) async fn refused(kit: &Kit<'_>) -> Verdict {
    let sink = kit.sink().await?;
    let [key, _] = kit.keys()?;
    let before = kit.nonce(sink.as_ref(), &key).await?;
    let mut broken = kit.signed(sink.as_ref(), &key, before).await?;
    broken.bytes.truncate(broken.bytes.len() / 2);
    match sink.broadcast(&broken).await {
        Broadcast::Refused(_) => {}
        other => return Err(format!("half a transaction: got {other:?}, expected Refused")),
    }
    kit.advance(2).await?;
    let receipt = said("receipt", sink.receipt(&broken.hash).await)?;
    expect(receipt.is_none(), || format!("a refused transaction has a receipt: {receipt:?}"))?;
    let after = kit.nonce(sink.as_ref(), &key).await?;
    expect(after == before, || format!("nothing was included, and the nonce went from {before} to {after}"))
}

pub(super) async fn two_signers(kit: &Kit<'_>) -> Verdict {
    let sink = kit.sink().await?;
    let keys = kit.keys()?;
    let mut sent = Vec::new();
    for key in &keys {
        let nonce = kit.nonce(sink.as_ref(), key).await?;
        sent.push((key, nonce, kit.signed(sink.as_ref(), key, nonce).await?));
    }
    for (_, _, tx) in &sent {
        accepted(sink.as_ref(), tx, "of one of two signers").await?;
    }
    for (key, nonce, tx) in &sent {
        let receipt = kit.included(sink.as_ref(), tx).await?;
        expect(receipt.success, || format!("the transaction of one of two signers failed: {receipt:?}"))?;
        one_more(kit, key, *nonce).await?;
    }
    Ok(())
}
