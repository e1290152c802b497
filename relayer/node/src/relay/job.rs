//! One job: what was decided becomes a transaction, by way of fresh proofs and what convinces the on-chain client.
//!
//! Order: leave out what is done already, prove every item at one height and make the material for it (`material`), and
//! send one transaction with one client update and the messages. Nothing of an endpoint is trusted on the way: the
//! messages can be built only from verified facts.

use std::collections::BTreeMap;
use std::sync::Arc;

use catenary_api::{ClientClaim, Message, TxBody};
use catenary_core::bugs::{self, Bug};
use catenary_core::engine::{Entry, ItemOutcome, Job, JobKind, Key, Outcome, Side};
use catenary_core::packet_key::PacketKey;
use catenary_core::record::IntentKind;
use catenary_light_clients::{Class, Timestamp};
use catenary_protocol::{Packet, VerifiedPacket};

use super::confirm;
use super::material::{self, Items, Material, Outcomes, Prepared, Ready};
use super::send::{Note, SendError, Sender, Sent};
use super::stand::ClientStand;
use super::sweep::Swept;
use crate::attestor::Availability;
use crate::chain::{Chain, ProveError, Prover};
use crate::failpoint::failpoint;
use crate::store::Ledger;

/// One end of a path.
#[derive(Debug)]
pub struct PathSide {
    /// The chain.
    pub chain: Arc<Chain>,
    /// The on-chain client on this chain that judges the other side.
    pub client_id: String,
    /// How this side's on-chain client is convinced of the other side's chain.
    pub material: Material,
    /// Sends this side's transactions.
    pub sender: Arc<Sender>,
    /// How the on-chain client stood when it was last looked at.
    pub stand: ClientStand,
}

/// Told what happens on a path, for metrics and health.
pub trait PathObserver: Send + Sync {
    /// The scan of a chain took all events up to a height.
    fn scanned(&self, chain: &str, height: u64);
    /// Whether the scan of a side goes on; else the code and why its blocks are not taken.
    fn scanning(&self, path: &str, side: Side, outcome: Result<(), (&'static str, String)>);
    /// An endpoint failed.
    fn endpoint_failed(&self, chain: &str, code: &'static str);
    /// The open packets, after a step.
    fn packets(&self, path: &str, packets: &mut dyn Iterator<Item = (&Key, &Entry)>);
    /// Impossible transitions that the engine has counted: not zero is a bug of ours.
    fn impossible(&self, path: &str, count: u64) {
        if count > 0 {
            tracing::error!(path, count, "the engine was told of jobs that it does not know; please report this");
        }
    }
    /// A packet entered a stage.
    fn entered(&self, path: &str, key: Key, entry: &Entry);
    /// A packet ended.
    fn ended(&self, path: &str, entry: &Entry, outcome: Outcome, now: Timestamp);
    /// Whether enough members signed for a side's on-chain client; else the code and what is missing.
    fn served(&self, path: &str, side: Side, outcome: Result<(), (&'static str, String)>);
    /// Who can sign for a side's on-chain client, which judges `chain`.
    fn available(&self, path: &str, side: Side, chain: &str, availability: &Availability);
    /// What an endpoint claims of a side's on-chain client.
    fn on_chain_client(&self, _path: &str, _chain: &str, _client_id: &str, _claim: &ClientClaim) {}
    /// A batch was sent.
    fn batch(&self, chain: &str, kind: JobKind, messages: usize, bytes: usize);
    /// A round of the sweep over the packets from a side, whose chain is named, found this; or the code and why it could
    /// not ask.
    fn swept(&self, path: &str, source: Side, chain: &str, outcome: Result<&Swept, (&'static str, String)>) {
        let _ = (path, source, chain, outcome);
    }
    /// An item did not work and is tried again.
    fn retried(&self, path: &str, class: Class, code: &'static str);
    /// An on-chain client was brought up to date, or was not.
    fn client_update(&self, _chain: &str, _client: &str, _outcome: ClientUpdate) {}
    /// Misbehaviour of a chain was shown to an on-chain client, or was accepted by it.
    fn misbehaviour_shown(&self, _chain: &str, _accepted: bool) {}
    /// Whether packets can be proven through a side's attestation client, as its chain says; else the code and why not.
    fn client_stopped(&self, _path: &str, _side: Side, _outcome: Result<(), (&'static str, String)>) {}
    /// What a side's chain says of its on-chain client, and whether packets can be proven through it.
    fn client_stands(&self, _path: &str, _side: Side, _client: &OnChainClient) {}
}

/// What became of an update of an on-chain client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClientUpdate {
    /// It was handed in.
    Submitted,
    /// It took effect.
    Confirmed,
    /// Not needed.
    Skipped,
    /// It did not work.
    Failed,
}

/// How an on-chain client stands, as its chain says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OnChainClient {
    /// Chain that it is on.
    pub chain: String,
    /// The client.
    pub client: String,
    /// Newest height that it knows.
    pub latest_height: u64,
    /// When its trust ends, and how long it trusts a header in seconds; `None` for a client that does not expire.
    pub expires: Option<(Timestamp, u64)>,
    /// Code and reason why nothing can be proven through it.
    pub stopped: Option<(&'static str, String)>,
}

/// All that the tasks of a path share.
pub struct PathContext {
    /// Path's name.
    pub name: String,
    /// First end.
    pub a: PathSide,
    /// Second end.
    pub b: PathSide,
    /// Journal and store.
    pub ledger: Arc<Ledger>,
    /// Metrics and health.
    pub observer: Arc<dyn PathObserver>,
}

impl std::fmt::Debug for PathContext {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PathContext").field("name", &self.name).finish_non_exhaustive()
    }
}

impl PathContext {
    /// One end.
    #[must_use]
    pub const fn side(&self, side: Side) -> &PathSide {
        match side {
            Side::A => &self.a,
            Side::B => &self.b,
        }
    }
}

/// Runs a job to its end; every item of it gets an outcome.
pub(super) async fn run(context: &PathContext, job: &Job, entries: Items) -> Outcomes {
    if job.kind == JobKind::Confirm {
        let outcomes = confirm::run(context, entries, job.min_proof_height).await;
        report(context, job, &outcomes);
        return outcomes;
    }
    let (mut outcomes, items) = leave_out_done(context, job, entries).await;
    failpoint("job.screened");
    if !items.is_empty() {
        match deliver(context, job, items).await {
            Ok(done) => outcomes.extend(done),
            Err((error, items)) => outcomes.extend(items.into_iter().map(|(key, _)| (key, error.clone()))),
        }
    }
    report(context, job, &outcomes);
    failpoint("job.done");
    outcomes
}

/// Counts each failed item, and logs one line a reason, not a line an item.
fn report(context: &PathContext, job: &Job, outcomes: &Outcomes) {
    let mut reasons: BTreeMap<&'static str, (usize, Class, &str)> = BTreeMap::new();
    for (_, outcome) in outcomes {
        if let ItemOutcome::Failed { code, class, message } = outcome {
            context.observer.retried(&context.name, *class, code);
            reasons.entry(code).or_insert((0, *class, message)).0 += 1;
        }
    }
    let blocked = outcomes.iter().filter_map(|(_, outcome)| match outcome {
        ItemOutcome::Blocked { code, message } => Some((code, message)),
        _ => None,
    });
    if let Some((code, message)) = blocked.clone().next() {
        let (path, kind, items) = (&context.name, job.kind.name(), blocked.count());
        tracing::warn!(path, kind, items, code, "packets wait for an on-chain client: {message}");
    }
    for (code, (items, class, message)) in reasons {
        let (path, kind, class_name) = (&context.name, job.kind.name(), class.name());
        if class == Class::Transient {
            tracing::info!(path, kind, items, code, class = class_name, "{message}");
        } else {
            tracing::warn!(path, kind, items, code, class = class_name, "{message}");
        }
    }
}

/// Leaves out what is done. What goes home (acknowledgements, timeouts) is proven to be committed on its source, so that
/// no fee is spent on a body that is not; deliveries are looked up in the newest state, and proven later on.
async fn leave_out_done(context: &PathContext, job: &Job, entries: Items) -> (Outcomes, Items) {
    let packets: Vec<&Packet> = entries.iter().map(|(_, entry)| &entry.packet).collect();
    let found = if job.kind == JobKind::Recv {
        let present = present(context, job, &packets).await;
        present.map(|done| {
            done.into_iter().map(|done| if done { Err(ItemOutcome::AlreadyDone) } else { Ok(()) }).collect()
        })
    } else {
        committed(context, job, &packets).await
    };
    let found: Vec<Result<(), ItemOutcome>> = match found {
        Ok(found) => found,
        Err(outcome) => return (entries.into_iter().map(|(key, _)| (key, outcome.clone())).collect(), Vec::new()),
    };
    let (mut done, mut items) = (Vec::new(), Vec::new());
    for ((key, entry), found) in entries.into_iter().zip(found) {
        match found {
            Ok(()) => items.push((key, entry)),
            Err(outcome) => done.push((key, outcome)),
        }
    }
    (done, items)
}

/// Which packets are proven to be committed on their source, in its newest provable state.
async fn committed(
    context: &PathContext,
    job: &Job,
    packets: &[&Packet],
) -> Result<Vec<Result<(), ItemOutcome>>, ItemOutcome> {
    let source = &context.side(job.to).chain;
    let packets: Vec<Packet> = packets.iter().map(|packet| (*packet).clone()).collect();
    let facts = source.packets(source.head(), &packets).await.map_err(|error| failed(&error))?;
    let judge = |fact: Result<VerifiedPacket, ProveError>| match fact {
        Ok(_) => Ok(()),
        Err(ProveError::Claim { .. }) => Err(ItemOutcome::AlreadyDone),
        Err(error) => Err(failed(&error)),
    };
    Ok(facts.into_iter().map(judge).collect())
}

/// The same just before a transaction, for what was attested a while ago.
async fn still_open(context: &PathContext, job: &Job, batch: Vec<Ready>) -> (Outcomes, Vec<Ready>) {
    let packets: Vec<&Packet> = batch.iter().map(|item| &item.packet).collect();
    let present = match present(context, job, &packets).await {
        Ok(present) => present,
        Err(outcome) => return (batch.into_iter().map(|item| (item.key, outcome.clone())).collect(), Vec::new()),
    };
    let (done, open): (Vec<_>, Vec<_>) = batch.into_iter().zip(present).partition(|(_, done)| *done);
    let done = done.into_iter().map(|(item, _)| (item.key, ItemOutcome::AlreadyDone)).collect();
    (done, open.into_iter().map(|(item, _)| item).collect())
}

/// Which packets the newest state of the destination shows as done: a receipt that is there, or a commitment that is
/// gone, means that somebody has done it.
async fn present(context: &PathContext, job: &Job, packets: &[&Packet]) -> Result<Vec<bool>, ItemOutcome> {
    let recv = job.kind == JobKind::Recv;
    let path = |packet: &&Packet| if recv { packet.receipt_path() } else { packet.commitment_path() };
    let paths: Vec<Vec<u8>> = packets.iter().map(|packet| path(packet).into_bytes()).collect();
    match context.side(job.to).chain.source().present(&paths).await {
        Ok(present) => Ok(present.into_iter().map(|present| present == recv).collect()),
        Err(error) => Err(failed(&ProveError::Endpoint(error))),
    }
}

async fn deliver(context: &PathContext, job: &Job, items: Items) -> Result<Outcomes, (ItemOutcome, Items)> {
    let to = context.side(job.to);
    let Prepared { mut updates, ready, mut outcomes } = match material::prepare(context, job, &items).await {
        Ok(prepared) => prepared,
        Err(outcome) => return Err((outcome, items)),
    };
    failpoint("job.collected");
    // The last update goes with the messages. Those before it, and those without messages, go by themselves.
    let last = if ready.is_empty() { None } else { updates.pop() };
    for update in updates {
        if let Err(outcome) = advance(context, job, update).await {
            outcomes.extend(ready.into_iter().map(|item| (item.key, outcome.clone())));
            return Ok(outcomes);
        }
    }
    let batches = split(to, last.as_ref(), ready);
    for batch in batches {
        outcomes.extend(send(context, job, last.as_ref(), batch).await);
    }
    Ok(outcomes)
}

/// Brings the on-chain client one step nearer, in a transaction of its own.
async fn advance(context: &PathContext, job: &Job, update: Message) -> Result<(), ItemOutcome> {
    let to = context.side(job.to);
    let id = format!("update-{}", job.id.0);
    let note = Note { id, path: context.name.clone(), kind: IntentKind::Update, packets: Vec::new() };
    context.observer.client_update(to.chain.name(), &to.client_id, ClientUpdate::Submitted);
    failpoint("update.sending");
    let sent = to.sender.send(&TxBody::Deliver(vec![update]), &note).await;
    failpoint("update.sent");
    match sent {
        Ok(_) => {
            context.observer.client_update(to.chain.name(), &to.client_id, ClientUpdate::Confirmed);
            Ok(())
        }
        Err(error) => {
            context.observer.client_update(to.chain.name(), &to.client_id, ClientUpdate::Failed);
            let failed = ItemOutcome::Failed { code: error.code(), class: error.class(), message: error.to_string() };
            Err(clients_fault(context, job, Some(&error)).await.unwrap_or(failed))
        }
    }
}

/// Splits messages into batches within the chain's bounds of count and bytes.
fn split(to: &PathSide, update: Option<&Message>, ready: Vec<Ready>) -> Vec<Vec<Ready>> {
    let sink = to.chain.sink();
    let limits = sink.limits();
    // A tenth is kept free for what is not counted: signature, fee and envelope.
    let update_bytes = update.map_or(0, |update| sink.size_bytes(update));
    let room = (limits.tx_bytes_max / 10).saturating_mul(9).saturating_sub(update_bytes);
    let messages_max = limits.messages_max.saturating_sub(1).max(1);
    let mut batches: Vec<Vec<Ready>> = Vec::new();
    let mut bytes = 0usize;
    for item in ready {
        let size = sink.size_bytes(&item.message);
        match batches.last_mut() {
            Some(batch) if bytes.saturating_add(size) <= room && batch.len() < messages_max => {
                batch.push(item);
                bytes = bytes.saturating_add(size);
            }
            _ => {
                batches.push(vec![item]);
                bytes = size;
            }
        }
    }
    batches
}

/// Sends a batch; one that is refused is halved until the item at fault stands alone.
async fn send(context: &PathContext, job: &Job, update: Option<&Message>, batch: Vec<Ready>) -> Outcomes {
    let to = context.side(job.to);
    let mut todo = vec![batch];
    let mut outcomes = Vec::new();
    while let Some(mut batch) = todo.pop() {
        // Proofs and signatures took their time: another operator may have had its turn meanwhile.
        let (done, rest) =
            if bugs::on(Bug::DropRecheck) { (Vec::new(), batch) } else { still_open(context, job, batch).await };
        outcomes.extend(done);
        batch = rest;
        if batch.is_empty() {
            continue;
        }
        let mut messages: Vec<Message> = update.cloned().into_iter().collect();
        messages.extend(batch.iter().map(|item| item.message.clone()));
        let bytes = messages.iter().map(|message| to.chain.sink().size_bytes(message)).sum();
        let told = |outcome| {
            if update.is_some() {
                context.observer.client_update(to.chain.name(), &to.client_id, outcome);
            }
        };
        told(ClientUpdate::Submitted);
        failpoint("job.sending");
        let result = to.sender.send(&TxBody::Deliver(messages), &note(context, job, &batch)).await;
        failpoint("job.sent");
        told(if matches!(result, Ok(Sent::Included { .. })) { ClientUpdate::Confirmed } else { ClientUpdate::Failed });
        if let Some(outcome) = clients_fault(context, job, result.as_ref().err()).await {
            outcomes.extend(batch.into_iter().map(|item| (item.key, outcome.clone())));
            continue;
        }
        match result {
            Ok(Sent::Included { receipt, .. }) => {
                context.observer.batch(to.chain.name(), job.kind, batch.len(), bytes);
                let height = receipt.height;
                outcomes.extend(batch.into_iter().map(|item| (item.key, ItemOutcome::Delivered { height })));
            }
            Ok(Sent::Redundant) => {
                outcomes.extend(batch.into_iter().map(|item| (item.key, ItemOutcome::AlreadyDone)));
            }
            Err(error) if batch.len() > 1 && may_be_one_item(&error) => {
                let rest = batch.split_off(batch.len() / 2);
                todo.push(rest);
                todo.push(batch);
            }
            Err(error) => {
                let (code, class, message) = (error.code(), error.class(), error.to_string());
                let outcome = ItemOutcome::Failed { code, class, message };
                outcomes.extend(batch.into_iter().map(|item| (item.key, outcome.clone())));
            }
        }
    }
    outcomes
}

/// The outcome of all that was refused, where the reason is that nothing can be proven through the on-chain client any
/// more: halving a batch would only cost more.
async fn clients_fault(context: &PathContext, job: &Job, refusal: Option<&SendError>) -> Option<ItemOutcome> {
    if refusal.is_some_and(may_be_one_item) {
        material::relook(context, job.to).await
    } else {
        None
    }
}

/// Whether a refusal may be about one of the messages, and not about the node, the key or the journal.
fn may_be_one_item(error: &SendError) -> bool {
    match error {
        SendError::Reverted { .. } => true,
        SendError::Chain(error) => error.class == Class::Permanent,
        _ => false,
    }
}

/// The name of a job, in the journal and in its transactions.
pub(super) fn name(job: &Job) -> String {
    format!("{}-{}", job.kind.name(), job.id.0)
}

/// What the transactions of a job are for; `None` for one that sends nothing.
pub(super) const fn intent_kind(kind: JobKind) -> Option<IntentKind> {
    match kind {
        JobKind::Recv => Some(IntentKind::Recv),
        JobKind::Ack => Some(IntentKind::Ack),
        JobKind::Timeout => Some(IntentKind::Timeout),
        JobKind::Confirm => None,
    }
}

fn note(context: &PathContext, job: &Job, batch: &[Ready]) -> Note {
    let kind = intent_kind(job.kind).unwrap_or(IntentKind::Mixed);
    let packets =
        batch.iter().map(|item| PacketKey::of(context.side(item.key.source).chain.name(), &item.packet)).collect();
    Note { id: name(job), path: context.name.clone(), kind, packets }
}

/// A refusal as the engine takes it.
pub(super) fn failed(error: &ProveError) -> ItemOutcome {
    ItemOutcome::Failed { code: error.code(), class: error.class(), message: error.to_string() }
}
