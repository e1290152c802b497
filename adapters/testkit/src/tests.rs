//! The suite passes a sound adapter, and each flaw fails the check that is there for it.

use crate::sample::{Flaw, Sample};
use crate::{run, run_only, Outcome, CHECKS};

const SEED: u64 = 42;

#[tokio::test(flavor = "multi_thread")]
async fn a_sound_adapter_conforms() {
    let report = run(&Sample::start(None).await, SEED).await;
    assert!(report.conforms(), "{report}");
    // All but those that need a light client, which the sample chain has not.
    let left_out: Vec<_> = report.findings.iter().filter(|f| matches!(f.outcome, Outcome::NotApplicable(_))).collect();
    let names: Vec<_> = left_out.iter().map(|finding| finding.check).collect();
    assert_eq!(names, ["updates.verified", "proofs.verified"]);
    assert_eq!(report.findings.len(), CHECKS.len());
}

async fn fails(flaw: Flaw, checks: &[&str]) {
    let report = run_only(&Sample::start(Some(flaw)).await, SEED, |name| checks.contains(&name)).await;
    assert_eq!(report.failed(), checks, "{flaw:?}\n{report}");
}

#[tokio::test(flavor = "multi_thread")]
async fn flaws_of_reading_are_found() {
    fails(Flaw::HeadTooHigh, &["finality.served"]).await;
    fails(Flaw::HeadFalls, &["finality.monotonic"]).await;
    fails(Flaw::UpdatesChange, &["finality.stable"]).await;
    fails(Flaw::UpdatesReversed, &["updates.in_order"]).await;
    fails(Flaw::ClientError, &["client.absent"]).await;
    fails(Flaw::SkipsFirstOfRange, &["scan.splits"]).await;
    fails(Flaw::ForgetsAfterRestart, &["scan.splits"]).await;
    fails(Flaw::PartBeyondHead, &["scan.ahead"]).await;
    fails(Flaw::ProofsOfNewest, &["proofs.exact_heights"]).await;
    fails(Flaw::ProofsSorted, &["proofs.many"]).await;
    fails(Flaw::PresentLies, &["proofs.present"]).await;
    fails(Flaw::CountsTooFew, &["search.last"]).await;
    fails(Flaw::FindsAllButOne, &["search.finds"]).await;
    fails(Flaw::FindsTooMuch, &["search.finds"]).await;
    fails(Flaw::NoSearchBound, &["search.bounds"]).await;
    fails(Flaw::StuckAfterDrop, &["cancel.reads"]).await;
    fails(Flaw::NoHeightBound, &["bounds.heights"]).await;
    fails(Flaw::NoPathBound, &["bounds.paths"]).await;
}

// On one thread: a call that is polled once cannot be answered meanwhile, so that a dropped one is never a finished one.
#[tokio::test]
async fn flaws_of_sending_are_found() {
    fails(Flaw::SizeTooSmall, &["send.sizes"]).await;
    fails(Flaw::FinishesAnything, &["send.finish"]).await;
    fails(Flaw::IncludesTwice, &["send.idempotent", "nonce.raced", "unknown.duplicated"]).await;
    fails(Flaw::KnownIsRefused, &["send.idempotent"]).await;
    fails(Flaw::BrokenIsUnknown, &["send.refused"]).await;
    fails(Flaw::OneSignerOnly, &["send.two_signers"]).await;
    fails(Flaw::NonceCounted, &["nonce.restart"]).await;
    fails(Flaw::StuckAfterDrop, &["cancel.broadcast"]).await;
    fails(Flaw::UsedIsRefused, &["nonce.used"]).await;
    fails(Flaw::LostIsRefused, &["unknown.lost_answer", "unknown.never_sent"]).await;
    fails(Flaw::NeverSentIsAccepted, &["unknown.never_sent"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn flaws_at_a_failing_endpoint_are_found() {
    fails(Flaw::BoundsAfterWork, &["bounds.before_work"]).await;
    fails(Flaw::OutageIsPermanent, &["outage.reads", "deadline.reads"]).await;
    fails(Flaw::NoAnswerBound, &["bounds.flood"]).await;
    fails(Flaw::SecretInError, &["outage.secrets"]).await;
    fails(Flaw::NeverRecovers, &["outage.recovers"]).await;
    fails(Flaw::NoDeadline, &["deadline.reads", "deadline.writes"]).await;
}
