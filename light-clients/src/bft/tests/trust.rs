//! Time, changes of the set, skipping, older headers and evidence.

use super::*;
use crate::testing::{keys, Key};
use std::boxed::Box;

#[test]
fn trust_expires_and_headers_from_the_future_wait() {
    let network = network_of(4);
    let period = crate::testing::TRUST.trusting_period_seconds;
    let trusted = network.head().time_seconds;
    let header = network.next().sealed(&network.keys).encode();
    let at = |seconds| {
        word(&network.client_of::<TestedForm>(network.config()).advance(&header, Timestamp::from_seconds(seconds)))
    };
    assert_eq!(at(trusted + period - 1), "ok");
    assert_eq!(at(trusted + period), "expired");
    assert_eq!(at(u64::MAX), "expired");
    // The header is one second later than the trusted one; ten seconds of drift are allowed, exclusively.
    assert_eq!(at(trusted - 8), "ok");
    assert_eq!(at(trusted - 9), "LC-TRUST-005");
    // A clock that went back before 1970 plus drift trusts nothing new.
    assert_eq!(at(0), "LC-TRUST-005");
}

/// A network of 4 whose head votes on `candidate`, and a client that has followed it.
fn voted(candidate: Address, add: bool) -> (Network, Tested) {
    let mut network = network_of(4);
    let mut header = network.next();
    header.vote = ENCODING.vote(candidate, add);
    network.push(header);
    let client = follow(&network, network.config());
    (network, client)
}

fn sorted(mut keys: Vec<Key>) -> Vec<Key> {
    keys.sort_by_key(Key::address);
    keys
}

#[test]
fn a_set_changes_by_the_one_that_the_trusted_header_votes_on() {
    let four = keys(4);
    let newcomer = Key::new(77);
    let with = |extra: &[Key]| sorted([four.as_slice(), extra].concat());
    let without = |index: usize| {
        let mut keys = four.clone();
        keys.remove(index);
        keys
    };
    let next = |vote: (Address, bool), keys: &[Key], expect: &str| {
        let (network, mut client) = voted(vote.0, vote.1);
        let header = network.head().child(keys).sealed(keys);
        assert_eq!(word(&client.advance(&header.encode(), network.now())), expect);
    };
    let five = with(std::slice::from_ref(&newcomer));
    next((newcomer.address(), true), &five, "ok");
    next((newcomer.address(), true), &four, "ok"); // the vote did not decide yet
    next((newcomer.address(), false), &five, "LC-QBFT-017");
    next((Key::new(78).address(), true), &five, "LC-QBFT-017");
    next((four[2].address(), false), &without(2), "ok");
    next((four[2].address(), false), &without(1), "LC-QBFT-017");
    next((four[2].address(), true), &without(2), "LC-QBFT-017");
    // One in and one out at once, or two in.
    let mut swapped = without(2);
    swapped.push(newcomer.clone());
    next((newcomer.address(), true), &sorted(swapped), "LC-QBFT-017");
    next((newcomer.address(), true), &with(&[newcomer, Key::new(78)]), "LC-QBFT-017");
}

#[test]
fn a_voted_change_still_needs_the_quorum_of_the_new_set() {
    let newcomer = Key::new(77);
    let (network, client) = voted(newcomer.address(), true);
    let five = sorted([network.keys.as_slice(), std::slice::from_ref(&newcomer)].concat());
    let position = five.iter().position(|k| k.address() == newcomer.address()).unwrap();
    for (signers, expect) in [(1, "LC-QUO-003"), (2, "LC-QUO-003"), (3, "ok")] {
        // The newcomer and so many of the four: three of them and it are ceil(10/3).
        let mut header = network.head().child(&five);
        header.seal([&five[position]]);
        header.seal(&network.keys[..signers]);
        assert_eq!(word(&client.clone().advance(&header.encode(), network.now())), expect);
    }
}

#[test]
fn a_change_above_the_churn_limit_waits_for_a_person() {
    let newcomer = Key::new(77);
    let (network, client) = voted(newcomer.address(), true);
    let five = sorted([network.keys.as_slice(), std::slice::from_ref(&newcomer)].concat());
    let sealed = network.head().child(&five).sealed(&five);
    let mut unsealed = sealed.clone();
    unsealed.seals.clear();
    // One of four is 250 per thousand.
    for (permille, header, expect) in [
        (250, &sealed, "ok"),
        (249, &sealed, "held LC-TRUST-007"),
        (0, &sealed, "held LC-TRUST-007"),
        (0, &unsealed, "LC-QUO-003"), // nobody is woken by a header without seals
        (1000, &sealed, "ok"),
    ] {
        let mut client = client.clone();
        client.config.trust.churn_limit_permille = permille;
        assert_eq!(word(&client.advance(&header.encode(), network.now())), expect, "{permille}");
    }
}

#[test]
fn skipping_is_off_unless_asked_for() {
    let mut network = network_of(4);
    network.grow(5);
    let mut config = network.config();
    check_bytes(&network, config.clone(), &network.head().encode(), "between LC-QBFT-021");
    config.skipping = true;
    check_bytes(&network, config, &network.head().encode(), "ok");
}

#[test]
fn skipping_needs_an_honest_trusted_validator_and_a_quorum_of_its_own() {
    // (trusted validators that stay, newcomers, seals of trusted, seals of newcomers, verdict); 7 are trusted, F = 2.
    for (stay, come, old, new, expect) in [
        (7, 0, 5, 0, "ok"),
        (7, 0, 4, 0, "LC-QUO-003"),
        (3, 4, 3, 2, "ok"),
        (3, 4, 2, 4, "between LC-QBFT-020"),
        (3, 4, 0, 4, "LC-QUO-003"),
        (3, 4, 3, 1, "LC-QUO-003"),
        (0, 7, 0, 7, "between LC-QBFT-020"),
        (2, 5, 2, 5, "between LC-QBFT-020"),
    ] {
        let network = network_of(7);
        let mut config = network.config();
        config.skipping = true;
        let stay = &network.keys[..stay];
        let come: Vec<Key> = (500..500 + come).map(Key::new).collect();
        let set = sorted([stay, come.as_slice()].concat());
        let mut header = HeaderSpec::new(10, network.head().time_seconds + 20, &set).encoded_as(ENCODING);
        header.seal(&stay[..old]);
        header.seal(&come[..new]);
        let mut client = network.client_of::<TestedForm>(config.clone());
        let now = Timestamp::from_seconds(network.head().time_seconds + 30);
        let verdict = client.advance(&header.encode(), now);
        assert_eq!(word(&verdict), expect, "{old} trusted and {new} new seals of {} validators", set.len());
        if let Verdict::NeedsIntermediate { trusted_height, target_height, .. } = verdict {
            assert_eq!((trusted_height, target_height), (1, 10));
        }
        // Too many changed at once: a person decides, after the seals have been checked.
        config.trust.churn_limit_permille = 500;
        let verdict = network.client_of::<TestedForm>(config).advance(&header.encode(), now);
        let held = if expect == "ok" && !come.is_empty() { "held LC-TRUST-007" } else { expect };
        assert_eq!(word(&verdict), held);
    }
}

#[test]
fn skipping_does_not_go_back_in_time() {
    let network = network_of(4);
    let mut config = network.config();
    config.skipping = true;
    let mut header =
        HeaderSpec::new(10, network.head().time_seconds, &network.keys).encoded_as(ENCODING).sealed(&network.keys);
    check_bytes(&network, config.clone(), &header.encode(), "LC-QBFT-016");
    header.time_seconds += 1;
    check_bytes(&network, config, &header.sealed(&network.keys).encode(), "ok");
}

#[test]
fn older_headers_fill_in_by_parent_hashes() {
    let mut network = network_of(4);
    network.grow(9);
    let mut config = network.config();
    config.skipping = true;
    let mut client = network.client_of::<TestedForm>(config);
    let now = network.now();
    let give = |client: &mut Tested, block: usize| word(&client.advance(&network.headers[block - 1].encode(), now));
    assert_eq!(give(&mut client, 10), "ok");
    assert_eq!(client.header(9), None);
    assert_eq!(give(&mut client, 8), "LC-QBFT-022", "nothing retained names its hash yet");
    // Another header at 9, sealed by all, is not the parent of 10.
    let mut forged = network.headers[8].clone();
    forged.state_root = keccak256(&[b"forged"]);
    let forged = forged.sealed(&network.keys);
    assert_eq!(word(&client.advance(&forged.encode(), now)), "LC-QBFT-023");
    // The parent needs no seals to be the parent.
    let mut bare = network.headers[8].clone();
    bare.seals.clear();
    assert_eq!(word(&client.advance(&bare.encode(), now)), "ok");
    for block in (2..=8).rev() {
        assert_eq!(give(&mut client, block), "ok");
        assert_eq!(client.header(block as u64).unwrap().hash, network.headers[block - 1].hash());
    }
    assert_eq!(client.status().trusted_height, 10, "the head does not move");
    assert_eq!(give(&mut client, 5), "ok", "and a retained header is nothing new");
}

#[test]
fn a_gap_that_does_not_meet_the_header_below_it_freezes() {
    // Ours up to block 2, and a network of the same keys that left it after block 1.
    let mut ours = network_of(4);
    let mut theirs = ours.clone();
    ours.grow(1);
    let mut other = theirs.next();
    other.state_root.0[0] ^= 1;
    theirs.push(other);
    let skipped = |network: &Network, trusted: &[HeaderSpec]| {
        let mut config = network.config();
        config.skipping = true;
        let mut client = network.client_of::<TestedForm>(config);
        for header in trusted.iter().chain([network.head()]) {
            assert_eq!(word(&client.advance(&header.encode(), network.now())), "ok");
        }
        client
    };
    theirs.grow(2);
    let mut client = skipped(&theirs, &ours.headers[1..]);
    let verdict = client.advance(&theirs.headers[2].encode(), theirs.now());
    let (first, second) = (ours.headers[1].hash(), theirs.headers[1].hash());
    assert_eq!(verdict, Verdict::Conflict(Box::new(Misbehaviour { height: 2, first, second, code: BROKEN_LINK })));
    assert!(client.status().frozen);
    assert_eq!(client.header(3), None);

    // Times: block 3 of four, and then block 2 between it and the anchor.
    for (seconds, third, then) in [
        (-3, "ok", "conflict LC-QBFT-102"),
        (-2, "ok", "conflict LC-QBFT-102"),
        (-1, "ok", "conflict LC-QBFT-102"),
        (0, "ok", "ok"),
        (1, "conflict LC-QBFT-102", "LC-TRUST-008"),
        (9, "conflict LC-QBFT-102", "LC-TRUST-008"),
    ] {
        let mut network = network_of(4);
        network.grow(1);
        let mut odd = network.next();
        odd.time_seconds = odd.time_seconds.checked_add_signed(seconds).unwrap();
        network.push(odd);
        let mut last = network.next();
        last.time_seconds = network.headers[1].time_seconds + 2;
        network.push(last);
        let mut client = skipped(&network, &[]);
        let now = Timestamp::from_seconds(network.head().time_seconds + 60);
        for (block, expect) in [(3, third), (2, then)] {
            let verdict = client.advance(&network.headers[block - 1].encode(), now);
            assert_eq!(word(&verdict), expect, "{seconds}: block {block}");
        }
        // Below block 3, block 2 is trusted already.
        let expect = if seconds == 0 { "ok" } else { "conflict LC-QBFT-102" };
        let mut client = skipped(&network, &network.headers[1..2]);
        assert_eq!(word(&client.advance(&network.headers[2].encode(), now)), expect, "{seconds}: between two");
    }
}

#[test]
fn only_retain_heights_are_kept() {
    let mut network = network_of(4);
    network.grow(9);
    let mut config = network.config();
    config.trust.retain_heights = 3;
    let mut client = follow(&network, config);
    let kept: Vec<u64> = (0..12).filter(|h| client.header(*h).is_some()).collect();
    assert_eq!(kept, [8, 9, 10]);
    assert_eq!(word(&client.advance(&network.headers[6].encode(), network.now())), "LC-QBFT-024");
    assert_eq!(word(&client.advance(&network.headers[7].encode(), network.now())), "ok", "the lowest is kept");
    assert_eq!(client.headers.len(), 3);
    // The anchor has gone from memory as well, and stays in the instance.
    assert_eq!(client.status().instance, network.client_of::<TestedForm>(client.config.clone()).status().instance);
}

#[test]
fn evidence_is_checked_as_strictly_as_updates() {
    let mut network = network_of(4);
    network.grow(3);
    let client = follow(&network, network.config());
    let now = network.now();
    let good = &network.headers[2];
    let twin = |change: fn(&mut HeaderSpec)| {
        let mut header = good.clone();
        change(&mut header);
        header.sealed(&network.keys)
    };
    let other = twin(|h| h.state_root.0[0] ^= 1);
    let judge = |first: &HeaderSpec, second: &HeaderSpec| client.misbehaviour(&first.encode(), &second.encode(), now);
    let found = judge(good, &other).unwrap();
    assert_eq!((found.height, found.first, found.second, found.code), (3, good.hash(), other.hash(), "LC-QBFT-100"));
    assert_eq!(judge(&other, good).unwrap().second, good.hash());
    let third = twin(|h| h.state_root.0[0] ^= 2);
    assert!(judge(&other, &third).is_ok(), "neither half has to be the trusted header");
    let code = |first: &HeaderSpec, second: &HeaderSpec| judge(first, second).unwrap_err().code;
    assert_eq!(code(good, good), "LC-QBFT-027");
    let mut resealed = good.clone();
    resealed.round = ENCODING.round(9);
    assert_eq!(code(good, &resealed.sealed(&network.keys)), "LC-QBFT-027", "another round is the same block");
    assert_eq!(code(good, &network.headers[3]), "LC-QBFT-026");
    assert_eq!(code(&network.headers[0], &HeaderSpec::new(1, 5, &network.keys).encoded_as(ENCODING)), "LC-QBFT-028");
    // Each half in turn: too few seals, another parent, another set, the wrong form, from the future.
    let mut short = other.clone();
    short.seals.truncate(2);
    let orphan = twin(|h| h.parent_hash.0[0] ^= 1);
    let formless = twin(|h| h.difficulty = 2);
    let rootless = twin(|h| h.state_root = Hash32([0; 32]));
    let future = twin(|h| h.time_seconds += 1000);
    let mut shrunk = good.clone();
    shrunk.validators.pop();
    let shrunk = shrunk.sealed(&network.keys[..3]);
    for (bad, expect) in [
        (&short, "LC-QUO-003"),
        (&orphan, "LC-QBFT-015"),
        (&formless, "LC-QBFT-009"),
        (&rootless, "LC-QBFT-012"),
        (&future, "LC-TRUST-005"),
        (&shrunk, "LC-QBFT-017"),
    ] {
        assert_eq!(code(good, bad), expect);
        assert_eq!(code(bad, good), expect);
    }
    let expired = Timestamp::from_seconds(network.headers[1].time_seconds + 14 * 24 * 3600);
    let error = client.misbehaviour(&good.encode(), &other.encode(), expired).unwrap_err();
    assert_eq!(error.code, "LC-TRUST-006");
}

#[test]
fn a_conflict_at_the_anchor_cannot_be_judged() {
    let network = network_of(4);
    let mut other = network.headers[0].clone();
    other.state_root.0[0] ^= 1;
    check(&network, &other.sealed(&network.keys), "LC-QBFT-025");
}

#[test]
fn a_conflict_below_a_parent_that_expired_freezes_nothing() {
    let mut network = network_of(4);
    network.grow(1);
    let mut late = network.next();
    late.time_seconds += 1000;
    network.push(late);
    let mut client = follow(&network, network.config());
    let mut other = network.headers[1].clone();
    other.state_root.0[0] ^= 1;
    let other = other.sealed(&network.keys).encode();
    // Block 1 has expired, block 3 has not.
    let now = Timestamp::from_seconds(network.headers[0].time_seconds + 14 * 24 * 3600);
    assert_eq!(word(&client.advance(&other, now)), "LC-TRUST-006");
    assert_eq!(word(&client.advance(&other, network.now())), "conflict LC-QBFT-100");
}
