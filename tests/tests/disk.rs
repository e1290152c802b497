//! What becomes of a whole node when its disk is full, breaks, or loses everything, with traffic under way on the devnets:
//! it stops sending and keeps reading, says so with a code, goes on by itself, and nothing is lost or doubled.
//!
//! The disk is really full for the process: the system lets no file of it grow, its log included. What makes written bytes
//! durable cannot be made to fail without a disk of one's own; a debug build fails there as long as a file says so.
#![allow(clippy::unwrap_used, reason = "a test")]

#[allow(dead_code, reason = "the crash tests use the rest of it")]
mod kills;

use std::collections::BTreeSet;
use std::path::Path;

use catenary_core::record::Act;
use catenary_core::Record;
use catenary_node::journal::{JournalError, Reader};
use catenary_tests::consortium::{NetworkKind, Operator, CHAINS};
use catenary_tests::localnet::wait_until;
use kills::commands::reset_attestors;
use kills::memory::plain;
use kills::rig::{open, Rig, DEADLINE};

/// Says why nothing can be recorded.
const NOTHING_RECORDED: &str = "NODE-HLT-010";

/// What a journal holds, of a node that may run.
#[derive(Debug, Default)]
struct Journaled {
    records: u64,
    /// Transactions, by chain and hash.
    intents: BTreeSet<(String, String)>,
    attestations: usize,
    acts: Vec<Act>,
}

impl Journaled {
    fn read(data_dir: &Path) -> Self {
        let reader = Reader::open(data_dir).unwrap();
        let mut journaled = Self { records: reader.tip().records, ..Self::default() };
        let read = reader.replay(&reader.start(), |_, records| -> Result<(), JournalError> {
            for record in records {
                match record {
                    Record::Intent(intent) => {
                        journaled.intents.insert((intent.chain, plain(&intent.tx_hash.to_string())));
                    }
                    Record::SignedAttestation(_) => journaled.attestations += 1,
                    Record::Act(act) => journaled.acts.push(act),
                    _ => {}
                }
            }
            Ok(())
        });
        read.unwrap();
        journaled
    }
}

fn devnets() -> Rig {
    Rig::start(NetworkKind::Devnets { block_interval: kills::BLOCK_INTERVAL })
}

/// Newest height of each chain that a member has verified.
fn heads(operator: &Operator) -> [f64; 2] {
    CHAINS.map(|chain| operator.metric("catenary_client_trusted_height", &[("client", chain)]).unwrap())
}

/// Sends until alpha has journaled a transaction that it had not before: it relays.
fn until_alpha_sends(rig: &mut Rig, known: &BTreeSet<(String, String)>) {
    let begun = std::time::Instant::now();
    while Journaled::read(&rig.data_dir(0)).intents.is_subset(known) {
        assert!(begun.elapsed() < DEADLINE, "alpha sends nothing\n{}", rig.alpha().last_words());
        rig.send(2);
        rig.all_end("until alpha sends");
    }
}

/// Has alpha's disk refuse with a code while transfers are relayed by the others, and mends it again.
#[cfg(target_os = "linux")]
fn refused(rig: &mut Rig, set: impl Fn(&Operator, bool), code: &str) {
    let known = Journaled::read(&rig.data_dir(0)).intents;
    until_alpha_sends(rig, &known);
    set(rig.alpha(), true);
    rig.send(2);
    let alpha = &rig.consortium.operators[0];
    let told = wait_until(&format!("that alpha tells {code}"), DEADLINE, || {
        alpha.check()?;
        let ready = alpha.ready(None)?;
        Ok((ready.codes.iter().any(|one| one == NOTHING_RECORDED) && ready.text.contains(code)).then_some(ready.text))
    });
    let text = told.unwrap_or_else(|error| panic!("{error}: {:?}\n{}", alpha.ready(None), alpha.last_words()));
    eprintln!("disk: {text}");
    assert_eq!(alpha.metric("catenary_records_refused", &[("code", code)]).unwrap(), 1.0);
    let (held, seen) = (Journaled::read(&rig.data_dir(0)), heads(rig.alpha()));
    for _ in 0..3 {
        rig.send(2);
        rig.all_end("while alpha can record nothing");
    }
    // It reads on, and it has sent nothing that it had not journaled before.
    let alpha = &rig.consortium.operators[0];
    let reads = || Ok(heads(alpha).iter().zip(seen).all(|(now, then)| *now > then).then_some(()));
    wait_until("that alpha follows both chains", DEADLINE, reads).unwrap();
    assert!(!alpha.ready(None).unwrap().ready, "it is not ready all the while");
    assert_eq!(Journaled::read(&rig.data_dir(0)).records, held.records, "nothing was recorded");
    let deliveries = rig.consortium.deliveries().unwrap();
    for delivery in &deliveries.0 {
        if rig.consortium.member_of_signer(&delivery.signer) == Some(0) {
            let sent = (delivery.chain.to_owned(), delivery.tx.clone());
            assert!(held.intents.contains(&sent), "{sent:?} was sent and is not in the journal");
        }
    }
    set(rig.alpha(), false);
    rig.alpha().wait_ready(DEADLINE).unwrap();
    let refused = wait_until("that the metric says so", DEADLINE, || Ok((alpha_refused(rig)? == 0.0).then_some(())));
    refused.unwrap();
    until_alpha_sends(rig, &held.intents);
    rig.nothing_twice(code);
}

#[cfg(target_os = "linux")]
fn alpha_refused(rig: &Rig) -> Result<f64, catenary_tests::localnet::LocalnetError> {
    rig.consortium.operators[0].metric("catenary_records_refused", &[])
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_or_broken_disk_stops_what_must_be_recorded_and_nothing_else() {
    let mut rig = devnets();
    rig.alpha().kill();
    rig.alpha().start_on_a_bad_disk().unwrap();
    rig.alpha().wait_ready(DEADLINE).unwrap();
    refused(&mut rig, |alpha, full| alpha.fill_disk(full).unwrap(), "JRN-002");
    refused(&mut rig, |alpha, broken| alpha.break_disk(broken).unwrap(), "JRN-009");
    // Ended while it is full, as by a person who gives up on it.
    rig.alpha().fill_disk(true).unwrap();
    rig.send(2);
    rig.alpha().kill();
    rig.verdict();
}

#[test]
fn a_node_that_lost_journal_and_store_goes_on_from_what_the_chains_hold() {
    let mut rig = devnets();
    let data = rig.data_dir(0);
    let set_up = Journaled::read(&data).intents;
    until_alpha_sends(&mut rig, &set_up);
    let attested = || Ok((Journaled::read(&data).attestations > 0).then_some(()));
    wait_until("that alpha has attested", DEADLINE, attested).unwrap();
    rig.send(3);
    rig.alpha().kill();
    let before = Journaled::read(&data);
    rig.remembered = before.intents;
    std::fs::remove_dir_all(&data).unwrap();
    rig.start_alpha(None);
    rig.consortium.wait_ready(DEADLINE).unwrap();
    let log = rig.log_since_start();
    for words in [
        "the journal is new although keys have signed",
        "Gone are anchors that were set, releases of parked packets, resets of keys, what was signed, and why",
        "attestor keys refuse until `catenary attestor reset`",
    ] {
        assert!(log.contains(words), "alpha says {words:?}:\n{log}");
    }
    rig.send(2);
    rig.all_end("after the loss");
    let packets = rig.consortium.passages().unwrap().len();
    let alpha = &rig.consortium.operators[0];
    let knows = || {
        let ended = |packet: &serde_json::Value| matches!(packet["stage"].as_str(), Some("acknowledged" | "refunded"));
        Ok((alpha.packets()?.iter().filter(|packet| ended(packet)).count() == packets).then_some(()))
    };
    wait_until("that alpha knows every end again", DEADLINE, knows).unwrap();
    let after = Journaled::read(&data);
    let lost: Vec<&Act> = after.acts.iter().filter(|act| act.action == "journal_lost").collect();
    assert_eq!(lost.len(), 1, "{:?}", after.acts);
    assert!(lost[0].details["keys"].contains("alpha-attests-quorum"), "{:?}", lost[0]);
    assert_eq!(after.attestations, 0, "what its keys attested is not known, so they refuse");
    // Without its own attestation it sends nothing, and the others carry on.
    let sent: Vec<_> = after.intents.difference(&rig.remembered).collect();
    assert!(sent.is_empty(), "{sent:?}");
    rig.alpha().stop();
    reset_attestors(&mut rig, "journal and store were lost with the disk");
    rig.start_alpha(None);
    rig.consortium.wait_ready(DEADLINE).unwrap();
    let known = rig.remembered.clone();
    until_alpha_sends(&mut rig, &known);
    let consortium = &mut rig.consortium;
    let attests = || Ok((Journaled::read(&data).attestations > 0).then_some(()));
    wait_until("that alpha attests again", DEADLINE, attests)
        .unwrap_or_else(|error| panic!("{error}; open: {:?}", open(consortium)));
    rig.verdict();
}
