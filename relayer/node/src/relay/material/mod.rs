//! Trust material: what convinces the on-chain client of a side, made from what this node has verified for itself.
//!
//! *Attested*: enough members' signatures, this node's among them. *Native*: the judged chain's own header, and store
//! proofs. Either way the messages carry verified facts, and the engine's jobs do not know which it was.
//!
//! # What an attacker can grow
//! Nothing is kept between jobs. Requests are those of one job, and the headers between two heights are bounded
//! ([`bisect`]).

mod attested;
pub mod bisect;
mod error;
pub(super) mod native;

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use catenary_api::{ClientMessage, Message, NativeClaim};
use catenary_core::engine::{Entry, ItemOutcome, Job, JobKind, Key, Side};
use catenary_light_clients::{cometbft, Family};
use catenary_protocol::Packet;

use super::confirm;
use super::job::PathContext;
use crate::attestor::Collector;
use crate::chain::{ProveError, Prover};
use crate::platform;

pub use error::MaterialError;

/// Most heights that are remembered of what an on-chain client knows: evidence is of the newest ones.
const KNOWN_HEIGHTS_MAX: usize = 32;

/// How a side's on-chain client is convinced.
#[derive(Debug, Clone)]
pub enum Material {
    /// By members' signatures.
    Attested(Attested),
    /// By the judged chain's own validators.
    Native(Arc<Native>),
}

/// Members that sign for a side's on-chain client.
#[derive(Debug, Clone)]
pub struct Attested {
    /// Collects attestations about the other side's chain.
    pub collector: Arc<Collector>,
    /// Most packets in one attestation.
    pub chunk: usize,
}

/// What is known from the configuration of the chain that a native client judges.
#[derive(Debug)]
pub struct Native {
    judged: cometbft::Config,
    known: Mutex<Known>,
}

/// Heights that an on-chain client knows.
#[derive(Debug, Default)]
struct Known {
    heights: BTreeSet<u64>,
    /// Those that the journal has.
    recorded: Vec<u64>,
}

impl Native {
    /// What is known of a chain: the light client's configuration, that is its id and where commitments are.
    #[must_use]
    pub fn new(judged: cometbft::Config) -> Self {
        Self { judged, known: Mutex::default() }
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Remembers a height that the on-chain client knows.
    fn remember(&self, height: u64) {
        let mut known = self.known();
        known.heights.insert(height);
        while known.heights.len() > KNOWN_HEIGHTS_MAX {
            known.heights.pop_first();
        }
    }

    /// Takes over the heights that the journal has.
    pub(super) fn recall(&self, heights: &[u64]) {
        heights.iter().for_each(|height| self.remember(*height));
        self.recorded(heights.to_vec());
    }

    /// What is known, where the journal has not all of it.
    pub(super) fn unrecorded(&self) -> Option<Vec<u64>> {
        let known = self.known();
        let heights: Vec<u64> = known.heights.iter().copied().collect();
        (heights != known.recorded).then_some(heights)
    }

    /// The journal has these.
    pub(super) fn recorded(&self, heights: Vec<u64>) {
        self.known().recorded = heights;
    }

    /// What shows a contradiction to the on-chain client: see [`bisect::contradiction`].
    pub(super) fn contradiction(
        &self,
        holder: (&bisect::Holder, &NativeClaim),
        known: (u64, Vec<u8>),
        halves: (&[u8], &[u8]),
    ) -> Result<ClientMessage, MaterialError> {
        bisect::contradiction(&self.judged, holder, known, halves, platform::now())
    }

    /// The newest height below `height` that the on-chain client is known to know.
    pub(super) fn known_below(&self, height: u64) -> Option<u64> {
        self.known().heights.range(..height).next_back().copied()
    }

    /// Revision of the judged chain in the heights of on-chain clients.
    #[must_use]
    pub fn revision(&self) -> u64 {
        catenary_adapter_cosmos::native::revision(&self.judged.chain_id)
    }
}

/// Items of a job.
pub(super) type Items = Vec<(Key, Entry)>;
/// How they went.
pub(super) type Outcomes = Vec<(Key, ItemOutcome)>;

/// An item that may be sent.
pub(super) struct Ready {
    pub(super) key: Key,
    pub(super) packet: Packet,
    pub(super) message: Message,
}

/// What a job became.
#[derive(Default)]
pub(super) struct Prepared {
    /// Updates of the on-chain client, in order; the last one goes with the messages, those before it by themselves.
    pub(super) updates: Vec<Message>,
    /// Messages.
    pub(super) ready: Vec<Ready>,
    /// Items that are settled already.
    pub(super) outcomes: Outcomes,
}

/// Looks at the on-chain client of a side, after something was refused there: notes how it stands, and says why nothing
/// can be proven through it, if so. Where it cannot be read, the last look counts.
pub(super) async fn relook(context: &PathContext, side: Side) -> Option<ItemOutcome> {
    match &context.side(side).material {
        // It notes by itself.
        Material::Native(native) => drop(native::look(context, side, native).await),
        Material::Attested(_) => {
            let here = context.side(side);
            if let Ok(Some(claim)) = here.chain.source().client(&here.client_id).await {
                note_attested(context, side, claim.frozen);
            }
        }
    }
    blocked(context, side)
}

/// Notes whether an attestation client is frozen, which an endpoint claims.
pub(super) fn note_attested(context: &PathContext, side: Side, frozen: bool) {
    let here = context.side(side);
    let next = match here.chain.family() {
        Family::CometBft => MaterialError::NEVER_RECOVERED,
        _ => MaterialError::MIGRATED_BY_THE_ROUTER,
    };
    let error = MaterialError::Frozen { chain: here.chain.name().into(), client: here.client_id.clone(), next };
    let outcome = if frozen { Err((error.code(), error.to_string())) } else { Ok(()) };
    here.stand.note(outcome.clone());
    context.observer.client_stopped(&context.name, side, outcome);
}

/// Why nothing can be proven through a side's on-chain client, by the last look at it.
pub(super) fn blocked(context: &PathContext, side: Side) -> Option<ItemOutcome> {
    let (code, message) = context.side(side).stand.stopped()?;
    Some(ItemOutcome::Blocked { code, message })
}

/// Turns the items of a job into messages that the on-chain client will accept.
///
/// # Errors
/// An outcome that is that of every item.
pub(super) async fn prepare(context: &PathContext, job: &Job, items: &Items) -> Result<Prepared, ItemOutcome> {
    match &context.side(job.to).material {
        Material::Attested(attested) => match blocked(context, job.to) {
            Some(outcome) => Err(outcome),
            None => attested::prepare(context, job, attested, items).await,
        },
        Material::Native(native) => native::prepare(context, job, native, items).await,
    }
}

/// What it means that an item's entry is proven not to be there: a packet whose commitment is not there has ended, and
/// one without an acknowledgement was not acknowledged. Else `outcome`.
async fn not_there(context: &PathContext, job: &Job, (key, entry): (Key, &Entry), outcome: ItemOutcome) -> ItemOutcome {
    match job.kind {
        JobKind::Ack => return ItemOutcome::NotAcked,
        JobKind::Recv => {}
        JobKind::Timeout | JobKind::Confirm => return outcome,
    }
    // The commitment was proven when the packet was first seen, so it has ended since.
    let height = context.side(key.source).chain.head();
    let ended = confirm::run(context, vec![(key, entry.clone())], height).await;
    match ended.into_iter().next() {
        Some((_, closed @ ItemOutcome::Closed(_))) => closed,
        _ => outcome,
    }
}

fn missing() -> ProveError {
    ProveError::Endpoint(catenary_api::Error {
        code: "NODE-JOB-001",
        class: catenary_light_clients::Class::Bug,
        message: "an item of a job has no verified fact or no acknowledgement; please report this".to_owned(),
    })
}
