//! The checks, by what they ask of.

mod bounds;
mod cancel;
mod deadline;
mod finality;
mod nonce;
mod outage;
mod proofs;
mod scan;
mod search;
mod send;
mod unknown;
mod updates;

use crate::harness::Ability::{self, Emits, Endpoint, Searches, Verifies, Writes};
use crate::kit::Check;

const ALWAYS: &[Ability] = &[];
const EMITS: &[Ability] = &[Emits];
const VERIFIES: &[Ability] = &[Emits, Verifies];
const SEARCHES: &[Ability] = &[Emits, Searches];
const WRITES: &[Ability] = &[Writes];
const ENDPOINT: &[Ability] = &[Endpoint];
const WRITES_THROUGH: &[Ability] = &[Writes, Endpoint];

macro_rules! checks {
    ($($name:literal $needs:ident $run:path: $about:literal;)*) => {
        &[$(Check { name: $name, about: $about, needs: $needs, run: |kit| Box::pin($run(kit)) }),*]
    };
}

/// All checks, in the order in which they run: what only reads first, what troubles the endpoint last.
pub const CHECKS: &[Check] = checks![
    "finality.served" ALWAYS finality::served: "what is at the head can be read: update, events and proofs";
    "finality.monotonic" ALWAYS finality::monotonic: "the head goes up with the chain, never down, over restarts too";
    "finality.stable" ALWAYS finality::stable: "a final height reads the same for ever, over restarts too";
    "updates.in_order" ALWAYS updates::in_order: "one update a height, in order, the same again";
    "updates.verified" VERIFIES updates::verified: "the light client takes each update after the one before";
    "client.absent" ALWAYS proofs::absent_client: "a client id that no client has is none, and no error";
    "scan.complete" EMITS scan::complete: "each packet is there once, at its height, in order";
    "scan.splits" EMITS scan::splits: "any split of a range, over restarts, gives the same events";
    "scan.ahead" EMITS scan::ahead: "a range beyond the head is an error that may be retried, never a part";
    "proofs.exact_heights" EMITS proofs::exact_heights: "a value is there from its height on and not before it";
    "proofs.many" EMITS proofs::many: "many paths are answered in their order, repeated ones too";
    "proofs.verified" VERIFIES proofs::verified: "the light client takes the proofs, each at its height only";
    "proofs.present" EMITS proofs::present: "unproven presence says what the proofs say";
    "search.last" SEARCHES search::last: "the newest sequence of a client is that of its newest packet, or not said";
    "search.finds" SEARCHES search::finds: "each packet is found by its sequence, and no other one";
    "search.bounds" SEARCHES search::bounds: "a search that is too wide or ahead is an error, never a part";
    "send.sizes" WRITES send::sizes: "a signed transaction is no longer than was said, and within the limits";
    "send.finish" WRITES send::finish: "only what was built is finished, with a signature that is one";
    "send.idempotent" WRITES send::idempotent: "the same bytes again are accepted and included once";
    "send.refused" WRITES send::refused: "broken bytes are refused for good and in no block";
    "send.two_signers" WRITES send::two_signers: "two accounts send side by side";
    "nonce.restart" WRITES nonce::restart: "the nonce comes from the chain, before and after a restart";
    "nonce.used" WRITES nonce::used: "other bytes with a used nonce are a mismatch and in no block";
    "nonce.raced" WRITES nonce::raced: "of two transactions with one nonce exactly one is included";
    "cancel.reads" ALWAYS cancel::reads: "dropped reads leave nothing behind";
    "cancel.broadcast" WRITES cancel::broadcast: "a dropped broadcast is resolved by reading, and included once";
    "bounds.heights" ALWAYS bounds::heights: "ranges that are too long or empty are refused, and not retried";
    "bounds.paths" ALWAYS bounds::paths: "too many paths are refused, and not retried";
    "bounds.before_work" ENDPOINT bounds::before_work: "what is out of bounds is refused without asking the endpoint";
    "bounds.flood" ENDPOINT bounds::flood: "an answer without end is an error";
    "outage.reads" ENDPOINT outage::reads: "a dead, cut or babbling endpoint is an error that may be retried";
    "outage.secrets" ENDPOINT outage::secrets: "no error holds the credentials of the endpoint";
    "outage.recovers" ENDPOINT outage::recovers: "the same adapter works again when the endpoint does";
    "unknown.lost_answer" WRITES_THROUGH unknown::lost_answer: "a broadcast whose answer is lost is unknown, and the chain says";
    "unknown.never_sent" WRITES_THROUGH unknown::never_sent: "a broadcast that reached nobody is unknown, and can be sent again";
    "unknown.duplicated" WRITES_THROUGH unknown::duplicated: "a broadcast that arrives twice is included once";
    "deadline.reads" ENDPOINT deadline::reads: "reads end by their own deadline when the endpoint hangs";
    "deadline.writes" WRITES_THROUGH deadline::writes: "writes end by their own deadline when the endpoint hangs";
];
