//! Changes of the authorities: GR-05, GR-07 to GR-09, churn.

use parity_scale_codec::Encode;

use super::testing::{forced_change, message, scheduled_change, FragmentSpec};
use super::*;

/// Sets of seeds 0.., 2.., 4..: two of four change at blocks 4, 7 and 10; twelve blocks.
fn eras() -> Chain {
    let mut chain = Chain::new(voters(0, 4), Default::default());
    for number in 1..=12u32 {
        let next = number.checked_sub(1).filter(|n| n % 3 == 0 && *n > 0).map(|n| voters(u64::from(n / 3) * 2, 4));
        chain.push(BlockSpec { next, ..BlockSpec::default() });
    }
    chain
}

/// Four authorities, and block 3 with the given digest.
fn with_digest(digest: Vec<Vec<u8>>) -> Chain {
    let mut chain = Chain::of(voters(0, 4), 2);
    chain.push(BlockSpec { digest, ..BlockSpec::default() });
    chain.push(BlockSpec::default());
    chain
}

/// The outcome of block 3 by itself, and of block 4 with block 3 below it.
fn around(chain: &Chain) -> [&'static str; 2] {
    [chain.spec(3, 3, 2), chain.spec(4, 4, 2)].map(|spec| first(chain, &spec))
}

#[test]
fn handovers_are_followed_one_by_one() {
    let chain = eras();
    let mut client = chain.client(1);
    follow(&mut client, &chain, 2..=12);
    assert_eq!((client.set_id(), client.status().trusted_height), (3, 12));
    // A set's justification of a block of the next is refused, claimed to be of either.
    let mut client = chain.client(1);
    follow(&mut client, &chain, 2..=4);
    assert_eq!(client.set_id(), 1);
    assert_eq!(client.status().validators, 4);
}

#[test]
fn gr_05_a_justification_counts_for_its_own_set_only() {
    let chain = eras();
    let mut client = chain.client(1);
    follow(&mut client, &chain, 2..=4);
    // Block 5 belongs to set 1. The old set votes for it, and says so, or says to be the new one.
    let old = voters(0, 4);
    let by = |voters: &[Voter], signed: u64, said: u64| {
        let mut spec = chain.spec(5, 5, 5);
        let target = spec.fragments[0].votes.target;
        spec.fragments[0].votes.votes =
            voters.iter().map(|voter| voter.precommit(target, testing::ROUND, signed)).collect();
        spec.fragments[0].set_id = said;
        spec.encode()
    };
    assert_eq!(advance(&mut client.clone(), &by(&old, 0, 0)), "LC-GRANDPA-017");
    assert_eq!(advance(&mut client.clone(), &by(&old, 0, 1)), "LC-GRANDPA-021");
    assert_eq!(advance(&mut client.clone(), &by(&old, 1, 1)), "LC-GRANDPA-021");
    // The new set, with votes signed for the id before or after.
    let new = voters(2, 4);
    assert_eq!(advance(&mut client.clone(), &by(&new, 0, 1)), "LC-GRANDPA-027");
    assert_eq!(advance(&mut client.clone(), &by(&new, 2, 1)), "LC-GRANDPA-027");
    assert_eq!(advance(&mut client.clone(), &by(&new, 0, 0)), "LC-GRANDPA-017");
    assert_eq!(advance(&mut client.clone(), &by(&new, 2, 2)), "LC-GRANDPA-018");
    assert_eq!(advance(&mut client, &by(&new, 1, 1)), "verified");
    // Unchanged authorities under a new id: votes for the old id are worth nothing.
    let mut same = Chain::of(voters(0, 4), 2);
    same.push(BlockSpec { next: Some(voters(0, 4)), ..BlockSpec::default() });
    same.push(BlockSpec::default());
    let mut client = same.client(2);
    follow(&mut client, &same, [3]);
    let mut stale = same.spec(4, 4, 4);
    let target = stale.fragments[0].votes.target;
    stale.fragments[0].votes.votes = voters(0, 4).iter().map(|v| v.precommit(target, testing::ROUND, 0)).collect();
    assert_eq!(advance(&mut client.clone(), &stale.encode()), "LC-GRANDPA-027");
    follow(&mut client, &same, [4]);
}

#[test]
fn gr_07_a_change_in_an_intermediate_header_is_never_skipped() {
    let chain = eras();
    // The old set goes on: it justifies block 6 as if block 4 had not handed over. All headers are given.
    let old = voters(0, 4);
    let mut spec = chain.spec(6, 6, 2);
    let target = spec.fragments[0].votes.target;
    spec.fragments[0].votes.votes = old.iter().map(|voter| voter.precommit(target, testing::ROUND, 0)).collect();
    spec.fragments[0].set_id = 0;
    assert_eq!(first(&chain, &spec), "LC-GRANDPA-015");
    // The header with the change is left out: a gap, and where gaps are allowed the state tells.
    spec.fragments[0].headers = chain.line(6, 5);
    assert_eq!(first(&chain, &spec), "LC-GRANDPA-030");
    assert_eq!(advance(&mut skipping(&chain, 1), &spec.encode()), "LC-GRANDPA-033");
    spec.fragments[0].headers = chain.line(6, 6);
    assert_eq!(advance(&mut skipping(&chain, 1), &spec.encode()), "LC-GRANDPA-033");
    // The same for the next handover itself: the old set skips one and announces the one after.
    let mut spec = chain.spec(7, 7, 7);
    let target = spec.fragments[0].votes.target;
    spec.fragments[0].votes.votes = old.iter().map(|voter| voter.precommit(target, testing::ROUND, 0)).collect();
    spec.fragments[0].set_id = 0;
    assert_eq!(advance(&mut skipping(&chain, 1), &spec.encode()), "LC-GRANDPA-033");
    // A subject below the justified header is reached without the handover above it.
    let mut client = chain.client(1);
    assert_eq!(advance(&mut client, &chain.spec(3, 4, 2).encode()), "verified");
    assert_eq!((client.set_id(), client.status().trusted_height), (0, 3));
    follow(&mut client, &chain, 4..=5);
    assert_eq!(client.set_id(), 1);
    // But not over it.
    let mut spec = chain.spec(3, 6, 2);
    spec.fragments[0].set_id = 0;
    assert_eq!(first(&chain, &spec), "LC-GRANDPA-015");
}

#[test]
fn gr_08_only_one_change_at_once_is_followed() {
    let next = voters(1, 4);
    for (what, digest, expect) in [
        ("a delay", vec![scheduled_change(&next, 1)], "LC-GRANDPA-014"),
        ("a forced change", vec![forced_change(&next, 0)], "LC-GRANDPA-012"),
        ("two changes", vec![scheduled_change(&next, 0), scheduled_change(&next, 0)], "LC-GRANDPA-013"),
        ("forced beside scheduled", vec![scheduled_change(&next, 0), forced_change(&next, 0)], "LC-GRANDPA-012"),
        ("scheduled beside forced", vec![forced_change(&next, 3), scheduled_change(&next, 0)], "LC-GRANDPA-012"),
        ("an unknown message", vec![message(&[6, 0, 0, 0, 0])], "LC-GRANDPA-011"),
        ("an empty message", vec![message(&[])], "LC-GRANDPA-011"),
        ("bytes after a message", vec![message(&[4, 0, 0, 0, 0, 0])], "LC-GRANDPA-011"),
        ("a change cut short", vec![message(&[1, 4])], "LC-GRANDPA-011"),
    ] {
        assert_eq!(around(&with_digest(digest)), [expect, expect], "{what}");
    }
    // A change of set 0 to one that no chain has.
    for (what, next, expect) in [
        ("no authorities", vec![], "LC-GRANDPA-004"),
        ("one twice", [voters(1, 4), voters(1, 1)].concat(), "LC-GRANDPA-009"),
        ("one without weight", [voters(1, 3), vec![Voter::new(9, 0)]].concat(), "LC-QUO-006"),
        ("three", voters(1, 3), "LC-GRANDPA-010"),
    ] {
        let chain = with_digest(vec![scheduled_change(&next, 0)]);
        assert_eq!(around(&chain), [expect, "LC-GRANDPA-015"], "{what}");
    }
    // What asks authorities to vote or not changes nobody's weight; other engines' messages are not GRANDPA's.
    for digest in [
        vec![message(&[3, 0, 0, 0, 0, 0, 0, 0, 0])],
        vec![message(&[4, 9, 0, 0, 0]), message(&[5, 9, 0, 0, 0])],
        vec![(4u8, *b"BABE", vec![2u8, 0]).encode()],
        vec![(0u8, vec![1u8]).encode(), (8u8).encode()],
    ] {
        assert_eq!(around(&with_digest(digest)), ["verified", "verified"]);
    }
    assert_eq!(around(&with_digest(vec![vec![7, 0]])), ["LC-GRANDPA-002"; 2], "an item that headers no longer have");
}

#[test]
fn gr_09_a_chain_of_handovers_catches_up_over_eras() {
    let chain = eras();
    let fragments = |ends: &[(u32, u32)]| ends.iter().map(|(top, low)| chain.fragment(*top, *low)).collect::<Vec<_>>();
    let update = |fragments: Vec<FragmentSpec>, subject: u32| {
        UpdateSpec { fragments, subject, authorities: false, nodes: chain.state_nodes(subject, false) }.encode()
    };
    // Linked all the way, or over the ends of eras alone where skipping is allowed.
    let linked = [(4, 2), (7, 5), (10, 8), (12, 11)];
    let ends = [(4, 4), (7, 7), (10, 10), (12, 12)];
    let mut client = chain.client(1);
    assert_eq!(advance(&mut client, &update(fragments(&linked), 12)), "verified");
    assert_eq!((client.set_id(), client.status().trusted_height), (3, 12));
    assert!(client.header(4).is_none(), "only the subject has a proven time");
    let mut skipped = skipping(&chain, 1);
    assert_eq!(advance(&mut skipped, &update(fragments(&ends), 12)), "verified");
    assert_eq!(skipped.set_id(), 3);
    // Ending at a handover is an end as well.
    let mut client = skipping(&chain, 1);
    assert_eq!(advance(&mut client, &update(fragments(&ends[..2]), 7)), "verified");
    assert_eq!(client.set_id(), 2);
    assert_eq!(advance(&mut client, &update(fragments(&ends[2..]), 12)), "verified");

    let refused = |what: &str, update: &[u8], [by_line, by_ends]: [&str; 2]| {
        assert_eq!(advance(&mut chain.client(1), update), by_line, "{what}");
        assert_eq!(advance(&mut skipping(&chain, 1), update), by_ends, "{what}");
    };
    refused("over the ends alone", &update(fragments(&ends), 12), ["LC-GRANDPA-030", "verified"]);
    let skipped = [linked[0], linked[2], linked[3]];
    refused("one left out", &update(fragments(&skipped), 12), ["LC-GRANDPA-018", "LC-GRANDPA-018"]);
    let mut forged = fragments(&skipped);
    (forged[1].set_id, forged[2].set_id) = (1, 2);
    refused("one left out, ids rewritten", &update(forged, 12), ["LC-GRANDPA-030", "LC-GRANDPA-021"]);
    let middle = [(3, 2), (4, 4), (7, 5)];
    refused("one without a change", &update(fragments(&middle), 7), ["LC-GRANDPA-016", "LC-GRANDPA-016"]);
    let backwards = [(4, 2), (4, 2), (7, 5)];
    refused("one twice", &update(fragments(&backwards), 7), ["LC-GRANDPA-017", "LC-GRANDPA-017"]);
    let mut backwards = fragments(&backwards);
    backwards[1].set_id = 1;
    refused("one twice, ids rewritten", &update(backwards, 7), ["LC-GRANDPA-028", "LC-GRANDPA-028"]);
    let swapped = [linked[1], linked[0]];
    refused("in the wrong order", &update(fragments(&swapped), 4), ["LC-GRANDPA-018", "LC-GRANDPA-018"]);
    let mut crossed = fragments(&linked);
    crossed[1].votes = chain.votes(10);
    refused("another's justification", &update(crossed, 12), ["LC-GRANDPA-019", "LC-GRANDPA-019"]);
    refused("a subject before the last", &update(fragments(&linked), 10), ["LC-GRANDPA-008", "LC-GRANDPA-008"]);
    let deep = [(4, 2), (7, 2)];
    refused("a subject below the one before", &update(fragments(&deep), 3), ["LC-GRANDPA-028", "LC-GRANDPA-028"]);
    refused("a line deeper than needed", &update(fragments(&deep), 6), ["verified", "verified"]);
    refused("no fragment", &update(vec![], 4), ["LC-GRANDPA-004", "LC-GRANDPA-004"]);
}

#[test]
fn the_authorities_in_the_state_must_be_those_followed_to() {
    let chain = eras();
    let mut client = chain.client(1);
    follow(&mut client, &chain, [2, 3]);
    let with_authorities = |number: u32| {
        let nodes = chain.state_nodes(number, true);
        UpdateSpec { authorities: true, nodes, ..chain.spec(number, number, number) }.encode()
    };
    assert_eq!(advance(&mut client, &with_authorities(4)), "verified");
    assert_eq!(advance(&mut client, &with_authorities(5)), "verified");
    // A runtime whose state has other authorities than its digests say.
    let mut odd = Chain::of(voters(0, 4), 1);
    let other = testing::list(&voters(1, 4)).encode();
    let mut block = odd.fork(1);
    block.push(BlockSpec { digest: vec![scheduled_change(&voters(2, 4), 0)], ..BlockSpec::default() });
    assert_eq!(advance(&mut odd.client(1), &block.spec(2, 2, 2).encode()), "LC-GRANDPA-033", "the id did not grow");
    odd.push(BlockSpec { next: Some(voters(1, 4)), ..BlockSpec::default() });
    let mut spec = odd.spec(2, 2, 2);
    spec.authorities = true;
    spec.nodes = odd.state_nodes(2, true);
    assert_eq!(first(&odd, &spec), "verified");
    assert_eq!(odd.block(2).state.get(&state_keys(true)[2]), Some(other.as_slice()));
    let (mut lied, key) = (odd.fork(1), state_keys(true)[2]);
    lied.push_with_state(&scheduled_change(&voters(2, 4), 0), (&key, &other));
    let mut spec = lied.spec(2, 2, 2);
    spec.authorities = true;
    spec.nodes = lied.state_nodes(2, true);
    assert_eq!(first(&lied, &spec), "LC-GRANDPA-034");
}

#[test]
fn too_many_changes_at_once_wait_for_a_person() {
    // Joined plus left, per thousand of the set before: eight of four, and two of four.
    for (next, limit, expect) in [
        (voters(10, 4), 999, "held"),
        (voters(10, 4), 1000, "verified"),
        (voters(1, 4), 499, "held"),
        (voters(1, 4), 500, "verified"),
    ] {
        let mut chain = Chain::of(voters(0, 4), 1);
        chain.push(BlockSpec { next: Some(next), ..BlockSpec::default() });
        chain.push(BlockSpec::default());
        chain.push(BlockSpec::default());
        let mut config = chain.config(1);
        config.trust.churn_limit_permille = limit;
        let mut client = Grandpa::new(config.clone(), &chain.anchor_update(1)).unwrap();
        // The handover itself is signed by authorities that are trusted already.
        follow(&mut client, &chain, [2]);
        assert_eq!(advance(&mut client, &chain.update(3)), expect, "limit {limit}");
        // Not forgotten by a restart, nor got around by a chain of handovers or by skipping.
        let (bytes, digest) = (client.save(), Hash32::sha256(&[&client.save()]));
        let mut restored = Grandpa::restore(config.clone(), &bytes, &digest).unwrap();
        assert_eq!(advance(&mut restored, &chain.update(4)), expect);
        let mut spec = chain.spec(4, 4, 3);
        spec.fragments.insert(0, chain.fragment(2, 2));
        config.skipping = true;
        let mut client = Grandpa::new(config, &chain.anchor_update(1)).unwrap();
        assert_eq!(advance(&mut client, &spec.encode()), expect);
    }
    // The anchor's own handover is the person's word.
    let mut chain = Chain::of(voters(0, 4), 1);
    chain.push(BlockSpec { next: Some(voters(10, 4)), ..BlockSpec::default() });
    chain.push(BlockSpec::default());
    follow(&mut chain.client(2), &chain, [3]);
}
