//! Scores as data: what happens when, and what follows.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

use super::*;

fn why(code: &'static str) -> LeftOut {
    LeftOut { code, message: String::new() }
}

/// What happens to an endpoint.
#[derive(Clone, Copy)]
enum Happens {
    Answers,
    Fails,
    Tried,
    Refused,
    StillWrong,
    Agrees,
    Head(u64),
}

use Happens::{Agrees, Answers, Fails, Head, Refused, StillWrong, Tried};

/// The verified head in these tests.
const VERIFIED: u64 = 100;

/// A record after what happened, each at its time.
fn after(happened: &[(u64, Happens)]) -> Record {
    let mut record = Record::new();
    for (at_ms, what) in happened {
        match what {
            Answers => record.went(Call::Head, Went::Ok, 10, *at_ms),
            Fails => record.went(Call::Head, Went::Failed, 10, *at_ms),
            Tried => record.tried(*at_ms),
            Refused => record.refused(why("LC-X-001"), *at_ms),
            StillWrong => record.refused_again(why("LC-X-001"), *at_ms),
            Agrees => record.agreed(),
            Head(height) => record.claims(*height, VERIFIED, "BEHIND"),
        }
    }
    record
}

#[test]
fn the_circuit_opens_and_closes() {
    let check = |happened: &[(u64, Happens)], at_ms: u64, expect: Tier| {
        assert_eq!(after(happened).tier(at_ms), expect, "{} events, at {at_ms}", happened.len());
    };
    check(&[], 0, Tier::Serves);
    check(&[(0, Fails), (1, Fails)], 2, Tier::Serves);
    check(&[(0, Fails), (1, Fails), (2, Answers), (3, Fails), (4, Fails)], 5, Tier::Serves);
    let three = [(0, Fails), (0, Fails), (0, Fails)];
    check(&three, 999, Tier::Down);
    check(&three, 1_000, Tier::Due);
    let with = |more: &[(u64, Happens)]| [&three[..], more].concat();
    // One trial at a time; it closes the circuit, or opens it for twice as long.
    check(&with(&[(1_000, Tried)]), 1_001, Tier::Down);
    check(&with(&[(1_000, Tried)]), 1_000 + limits::TRIAL_MS, Tier::Due);
    check(&with(&[(1_000, Tried), (1_010, Answers)]), 1_011, Tier::Serves);
    check(&with(&[(1_000, Tried), (1_010, Fails)]), 3_009, Tier::Down);
    check(&with(&[(1_000, Tried), (1_010, Fails)]), 3_010, Tier::Due);
    // A failure of a last resort prolongs nothing.
    check(&with(&[(500, Fails), (600, Fails)]), 1_000, Tier::Due);
    // The pause is bounded.
    let mut record = after(&three);
    let mut now_ms = 0;
    for _ in 0..40 {
        now_ms += limits::BACKOFF_MS_MAX;
        record.tried(now_ms);
        record.went(Call::Head, Went::Failed, 10, now_ms);
    }
    assert_eq!(record.tier(now_ms + limits::BACKOFF_MS_MAX - 1), Tier::Down);
    assert_eq!(record.tier(now_ms + limits::BACKOFF_MS_MAX), Tier::Due);
}

#[test]
fn who_is_refused_or_behind_is_left_out_until_it_is_right() {
    let check = |happened: &[(u64, Happens)], tier: Tier, code: Option<&str>| {
        let record = after(happened);
        assert_eq!((record.tier(50), record.left_out().map(|why| why.code)), (tier, code));
        assert_eq!(record.overall(50) == 0.0, tier != Tier::Serves, "the score of what is left out is 0");
    };
    check(&[(0, Head(VERIFIED - limits::LAG_BLOCKS_MAX))], Tier::Serves, None);
    check(&[(0, Head(VERIFIED - limits::LAG_BLOCKS_MAX - 1))], Tier::Behind, Some("BEHIND"));
    check(&[(0, Head(1)), (1, Head(VERIFIED + 1))], Tier::Serves, None);
    check(&[(0, Refused)], Tier::Distrusted, Some("LC-X-001"));
    check(&[(0, Refused), (1, Answers)], Tier::Distrusted, Some("LC-X-001"));
    check(&[(0, Refused), (1, Agrees)], Tier::Serves, None);
    check(&[(0, Head(1)), (0, Refused)], Tier::Distrusted, Some("LC-X-001"));
    check(&[(0, Head(1)), (0, Refused), (1, Agrees)], Tier::Behind, Some("BEHIND"));
}

#[test]
fn a_refused_endpoint_is_compared_later_each_time() {
    let check = |happened: &[(u64, Happens)], at_ms: u64, expect: bool| {
        assert_eq!(after(happened).is_comparable(at_ms), expect, "at {at_ms}");
    };
    let min = limits::REFUSED_MS_MIN;
    check(&[], 0, true);
    check(&[(0, Refused)], min - 1, false);
    check(&[(0, Refused)], min, true);
    // Refused while it is left out, as a last resort: no news.
    check(&[(0, Refused), (min - 1, Refused)], min, true);
    check(&[(0, Refused), (min, StillWrong)], 3 * min - 1, false);
    check(&[(0, Refused), (min, StillWrong)], 3 * min, true);
    // Right in between, it is remembered all the same; after a long while it is forgiven.
    check(&[(0, Refused), (min, Agrees), (min, Refused)], 3 * min - 1, false);
    let late = 10 * limits::REFUSED_MS_MAX;
    check(&[(0, Refused), (min, Agrees), (late, Refused)], late + min, true);
    let often: Vec<_> = (0..30).map(|_| (0, StillWrong)).collect();
    check(&often, limits::REFUSED_MS_MAX - 1, false);
    check(&often, limits::REFUSED_MS_MAX, true);
}

#[test]
fn scores_fade_and_keep_to_the_kind_of_request() {
    let mut record = Record::new();
    for at_ms in 0..20 {
        record.went(Call::Proofs, Went::Failed, 5, at_ms);
        record.went(Call::Head, Went::Ok, 5, at_ms);
    }
    let bad = record.score(Call::Proofs, 20);
    assert!(bad < 0.2, "{bad}");
    assert!(record.score(Call::Head, 20) > 0.9, "heads are served all the same");
    assert_eq!(record.tier(20), Tier::Serves);
    let later = record.score(Call::Proofs, 20 + 5 * 60_000);
    assert!(later > 0.9, "forgiven after five minutes: {later}");
    record.went(Call::Events, Went::Refused, 5, 20);
    assert!(record.score(Call::Events, 20) > 0.9, "a bound of ours is not its failure");
}

#[test]
fn the_usual_time_is_learned_and_bounded() {
    let check = |times_ms: &[u64], expect: std::ops::RangeInclusive<u64>| {
        let mut record = Record::new();
        times_ms.iter().for_each(|took_ms| record.went(Call::Head, Went::Ok, *took_ms, 0));
        let usual_ms = record.usual_ms(Call::Head);
        assert!(expect.contains(&usual_ms), "{usual_ms} after {times_ms:?}");
    };
    check(&[], 1_000..=1_000);
    check(&[10; 7], 1_000..=1_000);
    check(&[1; 8], limits::HEDGE_MS_MIN..=limits::HEDGE_MS_MIN);
    check(&[200; 30], 200..=260);
    check(&[100, 300].repeat(20), 250..=500);
    check(&[9_000; 30], limits::HEDGE_MS_MAX..=limits::HEDGE_MS_MAX);
}

#[test]
fn the_configured_order_breaks_ties() {
    let check = |records: &[Record], busy: &[bool], expect: &[usize]| {
        assert_eq!(order(records, busy, Call::Head, 100), expect);
    };
    let quick = |took_ms: u64| {
        let mut record = Record::new();
        (0..10).for_each(|_| record.went(Call::Head, Went::Ok, took_ms, 100));
        record
    };
    let down = after(&[(0, Fails), (0, Fails), (0, Fails)]);
    let (new, liar, behind) = (Record::new(), after(&[(0, Refused)]), after(&[(0, Head(1))]));
    check(&[new.clone(), new.clone()], &[], &[0, 1]);
    check(&[quick(5), quick(3)], &[], &[0, 1]);
    check(&[quick(900), quick(3)], &[], &[1, 0]);
    check(&[new.clone(), new.clone()], &[true, false], &[1, 0]);
    // Whoever is left out is not asked while another serves.
    check(&[down.clone(), new.clone(), liar.clone(), behind.clone()], &[], &[1]);
    // When none serves, all are asked: who is behind, then who does not answer, then who was refused.
    check(&[liar.clone(), down.clone(), behind.clone()], &[], &[2, 1, 0]);
    check(&[liar], &[], &[0]);
    check(&[], &[], &[]);
}

#[test]
fn a_bucket_lets_so_many_through_a_second() {
    let mut bucket = Bucket::new(10);
    let burst: Vec<u64> = (0..12).map(|_| bucket.take(0)).collect();
    assert_eq!(burst[..10], [0; 10]);
    assert_eq!(burst[10..], [100, 200], "each waits for its turn");
    assert!(!bucket.has_room(250));
    assert!(bucket.has_room(300), "three came in, two were owed");
    assert_eq!(bucket.take(10_000), 0);
    assert!(bucket.has_room(10_000), "a pause saves up a second's worth, not more");
    let rest: Vec<u64> = (0..10).map(|_| bucket.take(10_000)).collect();
    assert_eq!((rest[8], rest[9]), (0, 100));
}

#[test]
fn second_requests_are_a_bounded_share() {
    let mut budget = HedgeBudget::new();
    let mut spent = 0_u32;
    for _ in 0..10_000 {
        budget.earn();
        spent += u32::from(budget.spend());
    }
    let most = f64::from(10_000) * limits::HEDGE_PERCENT / 100.0 + limits::HEDGES_SAVED_MAX;
    assert!(f64::from(spent) <= most && spent > 400, "{spent} of 10,000");
}
