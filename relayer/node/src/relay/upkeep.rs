//! Upkeep of a path's native on-chain clients: how they stand is told all the time, and each is brought up to date before
//! its trust ends, also when no packet does it along the way.
//!
//! A client is due when a third of its trusting period has passed by the clock of the chain that it is on: well before
//! half of it, when the first alert comes. Operators take turns, each a twelfth of the period after the one before it,
//! and everybody reads the client again first: whoever comes later finds it done.
//!
//! Refreshes have a lane of their own: a task a client, and one transaction a key beside those of deliveries and refunds
//! ([`IntentKind::Upkeep`]). So no traffic, new or piled up, makes a refresh wait, and refreshes of many clients at once
//! wait for one another and for nobody else.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use catenary_api::{ClientMessage, Message, NativeClaim, NativeMessage, TxBody};
use catenary_core::engine::Side;
use catenary_core::record::{ClientHeights, IntentKind, Record};
use catenary_light_clients::cometbft::header_hash;
use catenary_light_clients::{Hash32, Timestamp};
use tokio_util::sync::CancellationToken;

use super::job::{ClientUpdate, PathContext, PathSide};
use super::limits;
use super::material::bisect::Holder;
use super::material::native::{believe, look, updates, Standing};
use super::material::{Material, MaterialError, Native};
use super::send::{Note, SendError};
use crate::chain::evidence::{kept, Evidence};
use crate::chain::Prover;
use crate::failpoint::failpoint;
use crate::platform;

/// Who keeps the clients of a path.
#[derive(Debug, Clone)]
pub struct Keepers {
    /// All operators of the path.
    pub operators: Vec<String>,
    /// This node.
    pub own: String,
    /// Folder where evidence of misbehaviour is kept.
    pub evidence: PathBuf,
    /// Whether misbehaviour is shown to the on-chain client of the chain that misbehaved, which freezes it.
    pub submit_misbehaviour: bool,
}

/// Why a client was not refreshed.
#[derive(Debug, thiserror::Error)]
enum UpkeepError {
    #[error(transparent)]
    Material(#[from] MaterialError),
    #[error(transparent)]
    Send(#[from] SendError),
}

impl UpkeepError {
    const fn code(&self) -> &'static str {
        match self {
            Self::Material(error) => error.code(),
            Self::Send(error) => error.code(),
        }
    }
}

/// Looks after the clients of both sides until cancelled.
pub async fn upkeep(context: Arc<PathContext>, keepers: Keepers, stop: CancellationToken) {
    for side in [Side::A, Side::B] {
        recall(&context, side);
    }
    // Each by itself: a chain that takes no transaction keeps the other one's client from nothing.
    tokio::join!(keep_on(&context, &keepers, Side::A, &stop), keep_on(&context, &keepers, Side::B, &stop));
}

/// Takes over what the journal knows of a client.
fn recall(context: &PathContext, side: Side) {
    let side = context.side(side);
    let Material::Native(native) = &side.material else { return };
    match platform::block_in_place(|| context.ledger.client_heights(side.chain.name(), &side.client_id)) {
        Ok(heights) => native.recall(&heights),
        Err(error) => tracing::error!(client = side.client_id, code = error.code(), "{error}"),
    }
}

/// Journals the heights that a client is known to know, where there is a new one: evidence is judged from one of them, and
/// may come after a restart.
fn remember(context: &PathContext, side: &PathSide, native: &Native) {
    let Some(heights) = native.unrecorded() else { return };
    let (chain, client) = (side.chain.name().to_owned(), side.client_id.clone());
    failpoint("client.known");
    let known = Record::ClientHeights(ClientHeights { chain, client, heights: heights.clone() });
    match platform::block_in_place(|| context.ledger.record(vec![known])) {
        Ok(()) => native.recorded(heights),
        Err(error) => tracing::warn!(client = side.client_id, code = error.code(), "heights not kept: {error}"),
    }
}

/// Looks after the client of one side until cancelled.
async fn keep_on(context: &PathContext, keepers: &Keepers, side: Side, stop: &CancellationToken) {
    while !stop.is_cancelled() {
        let pause = keep(context, keepers, side).await;
        tokio::select! {
            biased;
            () = stop.cancelled() => return,
            () = platform::sleep(pause) => {}
        }
    }
}

/// Looks after one client; gives the time until the next look.
async fn keep(context: &PathContext, keepers: &Keepers, side: Side) -> Duration {
    let outcome = match &context.side(side).material {
        // An attestation client does not expire; the probe tells whether it is frozen.
        Material::Attested(_) => Ok(Duration::from_millis(limits::UPKEEP_MS_MAX)),
        Material::Native(native) => refresh(context, keepers, side, native).await,
    };
    outcome.unwrap_or_else(|error| {
        let (path, code) = (&context.name, error.code());
        tracing::warn!(path, side = side.name(), code, "on-chain client: {error}");
        Duration::from_millis(limits::UPKEEP_MS_MIN.saturating_mul(5))
    })
}

async fn refresh(
    context: &PathContext,
    keepers: &Keepers,
    side: Side,
    native: &Native,
) -> Result<Duration, UpkeepError> {
    let (to, from) = (context.side(side), context.side(side.other()));
    let standing = look(context, side, native).await?;
    remember(context, to, native);
    let period_seconds = standing.native.trusting_period_seconds;
    let Some(newest) = standing.native.newest else { return Ok(Duration::from_millis(limits::UPKEEP_MS_MAX)) };
    // A thirtieth of the period is a tenth of the time in which a client is due before it is half expired.
    let pause = Duration::from_millis(
        (period_seconds.saturating_mul(1_000) / 30).clamp(limits::UPKEEP_MS_MIN, limits::UPKEEP_MS_MAX),
    );
    // The newest header is asked for once more: an endpoint that shows another one shows a contradiction.
    if let Err(error) = from.chain.trusted_update(from.chain.status().trusted_height).await {
        tracing::debug!(chain = from.chain.name(), code = error.code(), "{error}");
    }
    if from.chain.status().frozen {
        show(context, keepers, side, (native, &standing)).await?;
        return Ok(pause);
    }
    // A height that cannot be would look as if somebody else had refreshed the client.
    believe(context, side, &standing)?;
    let now = to.chain.watch().borrow().timestamp;
    let rank = rank(keepers, &context.name, (&to.client_id, standing.latest_height));
    let head = from.chain.head();
    if !is_due((newest.timestamp, period_seconds), now, rank) || head < standing.latest_height {
        return Ok(pause);
    }
    let target = head.saturating_add(1);
    let (messages, reached) = updates((to, from), native, &standing, target).await?;
    for message in messages {
        let client_id = to.client_id.clone();
        let body = TxBody::Deliver(vec![Message::Native(NativeMessage::UpdateClient { client_id, message })]);
        let id = format!("refresh-{}-{reached}", to.client_id);
        let note = Note { id, path: context.name.clone(), kind: IntentKind::Upkeep, packets: Vec::new() };
        let told = |outcome| context.observer.client_update(to.chain.name(), &to.client_id, outcome);
        told(ClientUpdate::Submitted);
        failpoint("refresh.sending");
        let sent = to.sender.send(&body, &note).await;
        failpoint("refresh.sent");
        told(if sent.is_ok() { ClientUpdate::Confirmed } else { ClientUpdate::Failed });
        sent?;
    }
    tracing::info!(path = context.name, client = to.client_id, chain = to.chain.name(), reached, "client refreshed");
    look(context, side, native).await?;
    Ok(pause)
}

/// Shows misbehaviour of the judged chain to the on-chain client, where that was chosen: the client freezes, and its
/// chain's governance has to recover it.
async fn show(
    context: &PathContext,
    keepers: &Keepers,
    side: Side,
    (native, standing): (&Native, &Standing),
) -> Result<(), UpkeepError> {
    if !keepers.submit_misbehaviour {
        return Ok(());
    }
    let (to, from) = (context.side(side), context.side(side.other()));
    let holder = Holder { chain: to.chain.name().to_owned(), client: to.client_id.clone() };
    let not_shown = |reason: &'static str| {
        let (Holder { chain, client }, judged) = (holder.clone(), from.chain.name().to_owned());
        MaterialError::NotShown { chain, client, judged, reason }
    };
    let found = kept(&keepers.evidence).map_err(|_| not_shown("the folder of the evidence cannot be read"))?;
    let found = found.into_iter().find(|evidence| evidence.chain == from.chain.name());
    let found = found.ok_or_else(|| not_shown("no evidence of it is kept here"))?;
    let shown_to = (holder.chain.as_str(), holder.client.as_str());
    if found.was_shown(&keepers.evidence, shown_to) {
        return Err(not_shown("it was shown before, and people have recovered the client: set the new anchor").into());
    }
    let message = evidence_for((to, from), &found, native, standing).await?;
    let client_id = to.client_id.clone();
    let body = TxBody::Deliver(vec![Message::Native(NativeMessage::UpdateClient { client_id, message })]);
    let id = format!("misbehaviour-{}", to.client_id);
    let note = Note { id, path: context.name.clone(), kind: IntentKind::Upkeep, packets: Vec::new() };
    context.observer.misbehaviour_shown(from.chain.name(), false);
    failpoint("misbehaviour.sending");
    to.sender.send(&body, &note).await?;
    failpoint("misbehaviour.sent");
    if let Err(error) = platform::block_in_place(|| found.note_shown(&keepers.evidence, shown_to)) {
        tracing::error!(client = holder.client, "that the evidence was shown cannot be remembered: {error}");
    }
    context.observer.misbehaviour_shown(from.chain.name(), true);
    let (path, client, chain) = (&context.name, &to.client_id, from.chain.name());
    tracing::error!(path, client, chain, "misbehaviour was shown to the on-chain client, which is frozen now");
    look(context, side, native).await?;
    Ok(())
}

/// The two headers, judged from a height that the on-chain client knows.
async fn evidence_for(
    (to, from): (&PathSide, &PathSide),
    found: &Evidence,
    native: &Native,
    standing: &Standing,
) -> Result<ClientMessage, MaterialError> {
    let holder = Holder { chain: to.chain.name().to_owned(), client: to.client_id.clone() };
    let not_shown = |reason: &'static str| {
        let (Holder { chain, client }, judged) = (holder.clone(), from.chain.name().to_owned());
        MaterialError::NotShown { chain, client, judged, reason }
    };
    let known = native.known_below(found.height);
    let known = known.ok_or_else(|| not_shown("no height is known that the client knew before; show it by hand"))?;
    let first = from.chain.update_at(found.height).await?;
    if !header_hash(&first).is_ok_and(|hash| found.is_trusted(hash)) {
        return Err(not_shown("the endpoint does not show the header that was trusted; it is asked again"));
    }
    let base = from.chain.update_at(known).await?;
    // What the client holds is known for its newest height only.
    let newest = standing.native.newest.filter(|_| known == standing.latest_height);
    let claim = NativeClaim { newest, ..standing.native.clone() };
    native.contradiction((&holder, &claim), (known, base), (&first, &found.update()))
}

/// Whether a client with this newest header is to be refreshed by the operator of this rank, by the clock of its chain.
fn is_due((newest, period_seconds): (Timestamp, u64), now: Timestamp, rank: u64) -> bool {
    let age_seconds = now.seconds().saturating_sub(newest.seconds());
    let turn_seconds = (period_seconds / 12).max(1).saturating_mul(rank);
    // Nobody waits beyond three quarters, however many operators there are.
    let wait_seconds = (period_seconds / 3).saturating_add(turn_seconds).min(period_seconds / 4 * 3);
    age_seconds >= wait_seconds
}

/// This operator's place in the order in which a client is refreshed; another one after each update.
fn rank(keepers: &Keepers, path: &str, (client, height): (&str, u64)) -> u64 {
    let place = |operator: &str| {
        let parts = ["catenary/refresh/1", path, client, operator];
        let mut bytes: Vec<u8> = Vec::new();
        for part in parts {
            bytes.extend((part.len() as u64).to_be_bytes());
            bytes.extend(part.as_bytes());
        }
        Hash32::sha256(&[&bytes, &height.to_be_bytes()])
    };
    let own = place(&keepers.own);
    keepers.operators.iter().filter(|operator| place(operator) < own).count() as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_is_due_after_a_third_of_its_period() {
        let day = 86_400;
        let check = |age_seconds: u64, rank: u64, expect: bool| {
            let newest = Timestamp::from_seconds(1_700_000_000);
            let now = Timestamp::from_seconds(1_700_000_000 + age_seconds);
            assert_eq!(is_due((newest, 12 * day), now, rank), expect, "age {age_seconds}, rank {rank}");
        };
        check(0, 0, false);
        check(4 * day - 1, 0, false);
        check(4 * day, 0, true);
        check(4 * day, 1, false);
        check(5 * day, 1, true);
        check(9 * day - 1, 50, false);
        check(9 * day, 50, true);
        let early = Timestamp::from_seconds(5);
        assert!(!is_due((Timestamp::from_seconds(9), 60), early, 0), "a clock that is behind");
    }

    #[test]
    fn operators_take_turns() {
        let operators: Vec<String> = ["alpha", "beta", "gamma"].map(str::to_owned).to_vec();
        let keepers = |own: &str| Keepers {
            operators: operators.clone(),
            own: own.to_owned(),
            evidence: PathBuf::new(),
            submit_misbehaviour: false,
        };
        let mut first = std::collections::BTreeSet::new();
        for height in 1..60 {
            let mut ranks: Vec<_> =
                operators.iter().map(|own| rank(&keepers(own), "a-b", ("07-tendermint-0", height))).collect();
            first.insert(ranks.iter().position(|rank| *rank == 0));
            ranks.sort_unstable();
            assert_eq!(ranks, [0, 1, 2], "each has a place of its own");
        }
        assert_eq!(first.len(), 3, "each is first now and then");
    }
}
