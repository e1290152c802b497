//! Deadlines: an endpoint that hangs ends a call, and the call says so.

use std::future::Future;
use std::time::Duration;

use catenary_api::{Broadcast, ChainSource, Error, SignedTx, TxHash};
use catenary_light_clients::{Class, Hash32};

use super::finality::NOWHERE;
use crate::kit::{expect, sink_of, Kit, Verdict};
use crate::wire::Trouble;

/// How an endpoint hangs: before an answer, and within one.
const HANGS: [Trouble; 2] = [Trouble::Silent, Trouble::Stall];

/// What a call says within the deadline.
async fn within<T>(call: &str, deadline: Duration, answer: impl Future<Output = T>) -> Result<T, String> {
    let seconds = deadline.as_secs();
    tokio::time::timeout(deadline, answer).await.map_err(|_| format!("{call} still waits after {seconds} s"))
}

fn transient<T>(call: &str, trouble: Trouble, answer: Result<T, Error>) -> Verdict {
    match answer {
        Ok(_) => Err(format!("{call} has an answer, and the endpoint gave none ({trouble:?})")),
        Err(error) => expect(error.class == Class::Transient, || {
            format!("{call} at an endpoint that hangs ({trouble:?}) may be retried, yet the error is {error:?}")
        }),
    }
}

pub(super) async fn reads(kit: &Kit<'_>) -> Verdict {
    let rounds = HANGS.map(|trouble| async move {
        let (sides, _wire) = kit.open_through(trouble).await?;
        all_reads(kit, sides.source.as_ref(), trouble).await
    });
    futures::future::try_join_all(rounds).await.map(|_| ())
}

/// All reads at once: they share no deadline, and a report in half a minute is better than one in five.
async fn all_reads(kit: &Kit<'_>, source: &dyn ChainSource, trouble: Trouble) -> Verdict {
    let deadline = kit.profile.call_deadline;
    let paths = [NOWHERE.to_vec()];
    let (identity, head, updates, events, proofs, present, client) = tokio::join!(
        within("identity", deadline, source.identity()),
        within("head", deadline, source.head()),
        within("updates", deadline, source.updates(1, 1)),
        within("events", deadline, source.events(1, 1)),
        within("proofs", deadline, source.proofs(1, &paths)),
        within("present", deadline, source.present(&paths)),
        within("client", deadline, source.client(&kit.profile.absent_client_id)),
    );
    transient("identity", trouble, identity?)?;
    transient("head", trouble, head?)?;
    transient("updates", trouble, updates?)?;
    if kit.profile.abilities.contains(&crate::Ability::Emits) {
        transient("events", trouble, events?)?;
    }
    transient("proofs", trouble, proofs?)?;
    transient("present", trouble, present?)?;
    transient("client", trouble, client?)
}

pub(super) async fn writes(kit: &Kit<'_>) -> Verdict {
    let [key, _] = kit.keys()?;
    let sink = kit.sink().await?;
    let nonce = kit.nonce(sink.as_ref(), &key).await?;
    // The endpoint swallows it: it is never sent.
    let tx = kit.signed(sink.as_ref(), &key, nonce).await?;
    let rounds = HANGS.map(|trouble| {
        let (key, tx) = (&key, &tx);
        async move { all_writes(kit, &key.public_key(), tx, trouble).await }
    });
    futures::future::try_join_all(rounds).await.map(|_| ())
}

async fn all_writes(kit: &Kit<'_>, key: &catenary_api::PublicKey, tx: &SignedTx, trouble: Trouble) -> Verdict {
    let (sides, _wire) = kit.open_through(trouble).await?;
    let (sink, deadline) = (sink_of(&sides)?, kit.profile.call_deadline);
    let hash = TxHash(Hash32([7; 32]));
    let (account, receipt, outcome) = tokio::join!(
        within("account", deadline, sink.account(key)),
        within("receipt", deadline, sink.receipt(&hash)),
        within("broadcast", deadline, sink.broadcast(tx)),
    );
    transient("account", trouble, account?)?;
    transient("receipt", trouble, receipt?)?;
    let outcome = outcome?;
    expect(matches!(outcome, Broadcast::Unknown(_)), || {
        format!("broadcast at an endpoint that hangs ({trouble:?}): got {outcome:?}, expected Unknown")
    })
}
