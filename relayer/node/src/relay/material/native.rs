//! Native material: the judged chain's own header, and the store proofs by which this node has verified each fact.
//!
//! The header is the one that our light client trusts, and it is judged as the on-chain client will judge it (`bisect`)
//! before anything is sent.

use catenary_api::{ClientClaim, ClientMessage, Message, NativeClaim, NativeMessage, ProofHeight};
use catenary_core::engine::{Entry, ItemOutcome, Job, JobKind, Key};
use catenary_protocol::{Packet, VerifiedAck, VerifiedTimeout};

use super::bisect::{Bisection, Holder};
use super::error::MaterialError;
use super::{missing, not_there, Items, Native, Outcomes, Prepared, Ready};
use crate::chain::{ProveError, Proven, Prover};
use crate::platform;
use crate::relay::job::{failed, ClientUpdate, OnChainClient, PathContext, PathSide};

/// A height that the on-chain client knows is good for a proof when it is at most this far below the head: endpoints
/// keep the states of the last blocks, and the update is saved.
const KNOWN_HEIGHT_BLOCKS_MAX: u64 = 50;

/// How far above our own verified head an on-chain client's newest height is believed: another operator's light client
/// may be ahead by that, and ours follows in a moment.
const AHEAD_BLOCKS_MAX: u64 = 20;

/// An on-chain client that can be convinced.
#[derive(Debug, Clone)]
pub(in crate::relay) struct Standing {
    pub(in crate::relay) latest_height: u64,
    pub(in crate::relay) native: NativeClaim,
}

/// The headers and proofs for the items of a job.
pub(super) async fn prepare(
    context: &PathContext,
    job: &Job,
    native: &Native,
    items: &Items,
) -> Result<Prepared, ItemOutcome> {
    make(context, job, native, items).await.map_err(|error| outcome(&error))
}

fn outcome(error: &MaterialError) -> ItemOutcome {
    if error.is_of_client() {
        return ItemOutcome::Blocked { code: error.code(), message: error.to_string() };
    }
    ItemOutcome::Failed { code: error.code(), class: error.class(), message: error.to_string() }
}

async fn make(context: &PathContext, job: &Job, native: &Native, items: &Items) -> Result<Prepared, MaterialError> {
    let from = context.side(job.to.other());
    let standing = look(context, job.to, native).await?;
    believe(context, job.to, &standing)?;
    let height = proof_height(from, &standing, (job.min_proof_height, were_refused(items))).await?;
    // What is refused in a state from before the head may be so since that state is too old: it is judged again in the
    // newest one, and only that counts.
    let head = from.chain.head();
    if height < head {
        match make_at(context, job, (native, &standing), (items, At::Known(height))).await {
            Ok(None) => {}
            Err(MaterialError::Prove(ProveError::NotRetained { .. } | ProveError::Refused(_))) => {}
            Ok(Some(prepared)) => return Ok(prepared),
            Err(error) => return Err(error),
        }
    }
    let at = At::Newest(height.max(head));
    Ok(make_at(context, job, (native, &standing), (items, at)).await?.unwrap_or_default())
}

/// A height to prove at.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum At {
    /// One before the head, which the on-chain client knows.
    Known(u64),
    /// The newest one: what is not there is nowhere.
    Newest(u64),
}

/// Whether one of the items was refused before: then they are proven in the newest state, in case the height that the
/// on-chain client knows is why.
fn were_refused(items: &Items) -> bool {
    items.iter().any(|(_, entry)| entry.refusals > 0)
}

/// The headers and proofs at one height; `None` when something is refused there that a newer state may show.
async fn make_at(
    context: &PathContext,
    job: &Job,
    (native, standing): (&Native, &Standing),
    (items, at): (&Items, At),
) -> Result<Option<Prepared>, MaterialError> {
    let (At::Known(height) | At::Newest(height)) = at;
    let (to, from) = (context.side(job.to), context.side(job.to.other()));
    let target = height.saturating_add(1);
    let (messages, reached) = updates((to, from), native, standing, target).await?;
    if messages.is_empty() {
        context.observer.client_update(to.chain.name(), &to.client_id, ClientUpdate::Skipped);
    }
    let update = |message| Message::Native(NativeMessage::UpdateClient { client_id: to.client_id.clone(), message });
    let updates: Vec<Message> = messages.into_iter().map(update).collect();
    if reached < target {
        let far = MaterialError::TooFar { known: standing.latest_height, target, max: super::bisect::UPDATES_MAX };
        let outcomes = items.iter().map(|(key, _)| (*key, outcome(&far))).collect();
        return Ok(Some(Prepared { updates, ready: Vec::new(), outcomes }));
    }
    let proof_height = ProofHeight { revision: native.revision(), height: target };
    let made = self::messages(context, job, items, (height, proof_height)).await?;
    let mut refusals = made.iter().filter_map(|made| made.as_ref().err());
    if matches!(at, At::Known(_)) && refusals.any(is_about_the_state) {
        return Ok(None);
    }
    let (ready, outcomes) = sorted(context, job, items, made).await;
    // An update without messages is worth no fee here: the next job brings its own.
    let updates = if ready.is_empty() { Vec::new() } else { updates };
    Ok(Some(Prepared { updates, ready, outcomes }))
}

/// Whether a refusal of an item says what a state holds, or what the light client makes of its proof.
const fn is_about_the_state(error: &ProveError) -> bool {
    matches!(error, ProveError::Claim { .. } | ProveError::Refused(_))
}

/// Reads the on-chain client of a side, tells how it stands, and refuses one that nothing can be proven through.
///
/// # Errors
/// The client is missing, frozen, expired or of another chain, or the endpoint failed.
pub(in crate::relay) async fn look(
    context: &PathContext,
    side: catenary_core::engine::Side,
    native: &Native,
) -> Result<Standing, MaterialError> {
    let to = context.side(side);
    let claim = to.chain.source().client(&to.client_id).await?;
    let latest_height = claim.as_ref().map_or(0, |claim| claim.latest_height);
    if is_plausible(latest_height, context.side(side.other()).chain.status().trusted_height) {
        native.remember(latest_height);
    }
    let terms = claim.as_ref().and_then(|claim| claim.native.as_ref());
    let expires = terms.and_then(|native| Some((native.expires_at()?, native.trusting_period_seconds)));
    let judged = judge(to, native, claim);
    let stopped = judged.as_ref().err().map(|error| (error.code(), error.to_string()));
    if judged.as_ref().err().is_none_or(MaterialError::is_of_client) {
        to.stand.note(stopped.clone().map_or(Ok(()), Err));
    }
    let (chain, client) = (to.chain.name().to_owned(), to.client_id.clone());
    let seen = OnChainClient { chain, client, latest_height, expires, stopped };
    context.observer.client_stands(&context.name, side, &seen);
    judged
}

/// Whether a height that an on-chain client is said to know can be one, from where our own light client stands.
const fn is_plausible(latest_height: u64, trusted_height: u64) -> bool {
    latest_height <= trusted_height.saturating_add(AHEAD_BLOCKS_MAX)
}

/// Refuses to act on a client that is said to know what cannot be known yet: it would never be refreshed, and no packet
/// would go through it.
///
/// # Errors
/// It is, so an endpoint lies, or our own light client is far behind.
pub(in crate::relay) fn believe(
    context: &PathContext,
    side: catenary_core::engine::Side,
    standing: &Standing,
) -> Result<(), MaterialError> {
    let (to, judged) = (context.side(side), &context.side(side.other()).chain);
    let holder = Holder { chain: to.chain.name().to_owned(), client: to.client_id.clone() };
    let believed = believable(&holder, standing.latest_height, judged.status().trusted_height);
    if let Err(error) = &believed {
        context.observer.endpoint_failed(to.chain.name(), error.code());
    }
    believed
}

fn believable(holder: &Holder, latest: u64, head: u64) -> Result<(), MaterialError> {
    let Holder { chain, client } = holder.clone();
    if is_plausible(latest, head) {
        Ok(())
    } else {
        Err(MaterialError::Ahead { chain, client, latest, head })
    }
}

fn judge(to: &PathSide, native: &Native, claim: Option<ClientClaim>) -> Result<Standing, MaterialError> {
    let (chain, client) = (to.chain.name().to_owned(), to.client_id.clone());
    let Some(claim) = claim else { return Err(MaterialError::NoClient { chain, client }) };
    let Some(terms) = claim.native else {
        let (field, got, expected) = ("type", claim.location, "07-tendermint".to_owned());
        return Err(MaterialError::Terms { chain, client, field, got, expected });
    };
    if terms.chain_id != native.judged.chain_id {
        let (field, got, expected) = ("chain id", terms.chain_id, native.judged.chain_id.clone());
        return Err(MaterialError::Terms { chain, client, field, got, expected });
    }
    if claim.frozen {
        return Err(MaterialError::Frozen { chain, client, next: MaterialError::RECOVERED_BY_GOVERNANCE });
    }
    let now = to.chain.watch().borrow().timestamp;
    match terms.expires_at() {
        Some(expired_at) if expired_at <= now => Err(MaterialError::Expired { chain, client, expired_at, now }),
        _ => Ok(Standing { latest_height: claim.latest_height, native: terms }),
    }
}

/// The height to prove at: one that the on-chain client knows already, where that is high enough and nothing was refused
/// before, else the head.
async fn proof_height(
    from: &PathSide,
    standing: &Standing,
    (min_height, refused): (u64, bool),
) -> Result<u64, MaterialError> {
    let known = standing.latest_height.saturating_sub(1);
    let head = from.chain.head();
    let recent = known.saturating_add(KNOWN_HEIGHT_BLOCKS_MAX) >= head;
    if known >= min_height && !(refused && known <= head) && (known > head || (recent && from.chain.retains(known))) {
        // Another operator's light client is ahead of ours: ours follows in a moment.
        from.chain.state(known).await?;
        return Ok(known);
    }
    let height = head.max(min_height);
    from.chain.state(height).await?;
    Ok(height)
}

/// What brings the on-chain client to `target`, and the height that it then knows.
///
/// # Errors
/// A header does not hold, or the endpoint failed.
pub(in crate::relay) async fn updates(
    (to, from): (&PathSide, &PathSide),
    native: &Native,
    standing: &Standing,
    target: u64,
) -> Result<(Vec<ClientMessage>, u64), MaterialError> {
    let known = standing.latest_height;
    if known >= target {
        return Ok((Vec::new(), known));
    }
    let last = from.chain.trusted_update(target).await?;
    // Another operator's light client may know them, ours may not: what ours knows, they must be.
    let first = from.chain.uncontradicted_update(known).await?;
    let holder = Holder { chain: to.chain.name().to_owned(), client: to.client_id.clone() };
    let mut way = Bisection::start(&native.judged, (&holder, &standing.native), (known, first), target)?;
    while let Some(height) = way.wants() {
        let update = if height == target { last.clone() } else { from.chain.uncontradicted_update(height).await? };
        way.take(update, platform::now())?;
    }
    let reached = way.reached();
    Ok((way.into_messages(), reached))
}

type Made = Vec<Result<NativeMessage, ProveError>>;

/// Proves every item at a height, and turns the facts into messages.
async fn messages(
    context: &PathContext,
    job: &Job,
    items: &Items,
    (height, at): (u64, ProofHeight),
) -> Result<Made, MaterialError> {
    let from = &context.side(job.to.other()).chain;
    let packets: Vec<Packet> = items.iter().map(|(_, entry)| entry.packet.clone()).collect();
    Ok(match job.kind {
        JobKind::Recv => {
            let proven = from.proven_packets(height, &packets).await?;
            let message = |proven: Proven<_>| {
                Ok(NativeMessage::Recv { packet: proven.fact, proof: proven.proof, proof_height: at })
            };
            proven.into_iter().map(|proven| proven.and_then(message)).collect()
        }
        JobKind::Ack => {
            let proven = from.proven_acks(height, &packets).await?;
            items.iter().zip(proven).map(|((_, entry), proven)| acknowledge(entry, proven?, at)).collect()
        }
        JobKind::Timeout | JobKind::Confirm => {
            let proven = from.proven_receipt_absences(height, &packets).await?;
            items.iter().zip(proven).map(|((_, entry), proven)| time_out(entry, proven?, at)).collect()
        }
    })
}

/// Those that can be sent, and the outcomes of those that cannot.
async fn sorted(context: &PathContext, job: &Job, items: &Items, made: Made) -> (Vec<Ready>, Outcomes) {
    let (mut ready, mut outcomes) = (Vec::new(), Vec::new());
    for ((key, entry), made) in items.iter().zip(made) {
        match made {
            Ok(message) => {
                let (packet, message) = (entry.packet.clone(), Message::Native(message));
                ready.push(Ready { key: *key, packet, message });
            }
            Err(error) => outcomes.push((*key, refusal(context, job, (*key, entry), &error).await)),
        }
    }
    (ready, outcomes)
}

fn acknowledge(
    entry: &Entry,
    proven: Proven<catenary_light_clients::Verified<catenary_light_clients::Membership>>,
    at: ProofHeight,
) -> Result<NativeMessage, ProveError> {
    let acknowledgement = entry.acknowledgement.clone().ok_or_else(missing)?;
    let ack = VerifiedAck::new(entry.packet.clone(), acknowledgement, proven.fact)?;
    Ok(NativeMessage::Ack { ack, proof: proven.proof, proof_height: at })
}

fn time_out(
    entry: &Entry,
    proven: Proven<catenary_light_clients::Verified<catenary_light_clients::Absence>>,
    at: ProofHeight,
) -> Result<NativeMessage, ProveError> {
    let timeout = VerifiedTimeout::new(entry.packet.clone(), proven.fact)?;
    Ok(NativeMessage::Timeout { timeout, proof: proven.proof, proof_height: at })
}

/// What it means that an item was not proven.
async fn refusal(context: &PathContext, job: &Job, (key, entry): (Key, &Entry), error: &ProveError) -> ItemOutcome {
    let outcome = failed(error);
    match error {
        ProveError::Claim { .. } => not_there(context, job, (key, entry), outcome).await,
        _ => outcome,
    }
}

#[cfg(test)]
mod tests {
    use catenary_light_clients::Class;

    use super::*;

    /// A height that is not kept any more, or a state that is too old, says nothing of a packet: it is not a refusal of it.
    #[test]
    fn what_a_known_height_does_not_show_is_looked_at_again() {
        let check = |error: ProveError, class: Class, again: bool| {
            assert_eq!(
                (is_about_the_state(&error), MaterialError::from(error.clone()).class()),
                (again, class),
                "{error}"
            );
        };
        let refused = |class| {
            ProveError::Refused(catenary_light_clients::Rejection { code: "LC-X-001", class, message: "no".into() })
        };
        check(ProveError::NotRetained { height: 5, head: 9 }, Class::Transient, false);
        check(ProveError::Claim { path: "0x".into(), claim: "holds nothing", height: 5 }, Class::Transient, true);
        check(refused(Class::Misbehaviour), Class::Misbehaviour, true);
        check(ProveError::AboveHead { height: 9, head: 5 }, Class::Transient, false);
    }

    /// Found in review: an endpoint that made up a newest height kept a client from being refreshed until it expired.
    #[test]
    fn a_height_that_a_client_cannot_know_yet_is_an_endpoint_that_fails() {
        let holder = Holder { chain: "west".into(), client: "07-tendermint-0".into() };
        let check = |latest: u64, head: u64, expect: Result<(), (&str, Class)>| {
            let got = believable(&holder, latest, head).map_err(|error| (error.code(), error.class()));
            assert_eq!(got, expect, "{latest} with the head at {head}");
        };
        let ahead = Err(("NODE-MAT-009", Class::Transient));
        check(0, 0, Ok(()));
        check(90, 100, Ok(()));
        check(100 + AHEAD_BLOCKS_MAX, 100, Ok(()));
        check(101 + AHEAD_BLOCKS_MAX, 100, ahead);
        check(u64::MAX, 100, ahead);
        check(u64::MAX, u64::MAX, Ok(()));
    }
}
