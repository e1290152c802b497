//! What shows misbehaviour, what freezes, and what does neither: GR-10.

use super::testing::ROUND;
use super::*;

/// Ten blocks, and another branch from block 3 on, both of the same authorities.
fn branches() -> (Chain, Chain) {
    let chain = chain();
    let mut twin = chain.fork(3);
    for n in 0..7u8 {
        twin.push(BlockSpec { writes: vec![(vec![n], vec![n])], ..BlockSpec::default() });
    }
    (chain, twin)
}

fn evidence(client: &Grandpa, first: &[u8], second: &[u8]) -> Result<(u64, &'static str), &'static str> {
    let judged = |first: &[u8], second: &[u8]| {
        let found = client.misbehaviour(first, second, now()).map(|found| (found.height, found.code));
        found.map_err(|refused| refused.code)
    };
    let found = judged(first, second);
    assert_eq!(found, judged(second, first), "either way round");
    found
}

#[test]
fn gr_10_two_finalised_branches_are_a_fork() {
    let (chain, twin) = branches();
    let mut client = chain.client(1);
    follow(&mut client, &chain, [2, 3]);
    let ours = |top: u32| chain.spec(top, top, 4).encode();
    let theirs = |top: u32| twin.spec(top, top, 4).encode();
    assert_eq!(evidence(&client, &ours(4), &theirs(4)), Ok((4, FORK)), "two children of one block");
    assert_eq!(evidence(&client, &ours(4), &theirs(7)), Ok((4, FORK)));
    assert_eq!(evidence(&client, &ours(9), &theirs(6)), Ok((6, FORK)));
    assert!(!client.status().frozen, "evidence is judged, what follows is the caller's");
    // The same when our branch is trusted already, and when it is the one that was trusted.
    follow(&mut client, &chain, 4..=8);
    assert_eq!(evidence(&client, &chain.update(5), &theirs(5)), Ok((5, FORK)));
    assert_eq!(evidence(&client, &chain.update(8), &theirs(6)), Ok((6, FORK)), "the lower one is the other's");
    // Given as an update, it freezes: at a retained height, between, and above the head.
    for top in [4, 6, 9] {
        let mut client = client.clone();
        let found = match client.advance(&theirs(top), now()) {
            Verdict::Conflict(found) => *found,
            other => panic!("{other:?}"),
        };
        let expect = Misbehaviour { height: 4, first: chain.block(4).hash, second: twin.block(4).hash, code: FORK };
        assert_eq!(found, expect, "{top}");
        assert!(client.status().frozen);
        assert_eq!(advance(&mut client, &chain.update(9)), "LC-TRUST-008");
        assert!(client.header(8).is_none());
        let refused = client.membership(8, b"p", b"v", &[]).unwrap_err();
        assert_eq!(refused.code, "LC-TRUST-008");
        assert_eq!(client.absence(8, b"p", &[]).unwrap_err().code, "LC-TRUST-008");
        let (bytes, digest) = (client.save(), Hash32::sha256(&[&client.save()]));
        assert!(Grandpa::restore(chain.config(1), &bytes, &digest).unwrap().status().frozen, "also after a restart");
    }
}

#[test]
fn gr_10_one_branch_is_no_fork() {
    let (chain, twin) = branches();
    let mut client = chain.client(1);
    follow(&mut client, &chain, [2, 3]);
    let spec = |top: u32, lowest: u32| chain.spec(top, top, lowest).encode();
    assert_eq!(evidence(&client, &spec(5, 4), &spec(5, 4)), Err("LC-GRANDPA-049"), "identical");
    assert_eq!(evidence(&client, &spec(5, 4), &spec(9, 4)), Err("LC-GRANDPA-049"), "one descends from the other");
    assert_eq!(evidence(&client, &spec(3, 3), &spec(9, 4)), Err("LC-GRANDPA-049"), "from a trusted one");
    let mut round = chain.spec(5, 5, 4);
    round.fragments[0].votes.round += 1;
    let target = round.fragments[0].votes.target;
    round.fragments[0].votes.votes = voters(0, 4).iter().map(|v| v.precommit(target, ROUND + 1, 0)).collect();
    assert_eq!(evidence(&client, &spec(5, 4), &round.encode()), Err("LC-GRANDPA-049"), "finalised in two rounds");
    // Headers that do not lead to ours, whoever signed them: perhaps of another network with these keys.
    assert_eq!(evidence(&client, &spec(5, 4), &twin.spec(5, 5, 5).encode()), Err("LC-GRANDPA-054"));
    let foreign = Chain::of(voters(0, 4), 5);
    let mut other = foreign.fork(0);
    for n in 0..5u8 {
        other.push(BlockSpec { writes: vec![(vec![n], vec![n])], ..BlockSpec::default() });
    }
    let update = other.spec(5, 5, 2).encode();
    assert_eq!(evidence(&client, &spec(5, 4), &update), Err("LC-GRANDPA-054"));
    follow(&mut client, &chain, 4..=6);
    assert_eq!(advance(&mut client, &update), "LC-GRANDPA-054", "and as an update it freezes nothing");
    assert_eq!(advance(&mut client, &other.update(5)), "LC-GRANDPA-054");
    assert_eq!(advance(&mut client, &twin.spec(7, 7, 7).encode()), "LC-GRANDPA-029", "the child of another block");
    assert!(!client.status().frozen);
}

#[test]
fn evidence_is_judged_as_strictly_as_updates() {
    let (chain, twin) = branches();
    let mut client = chain.client(1);
    follow(&mut client, &chain, 2..=6);
    let good = twin.spec(5, 5, 4);
    let with = |change: &dyn Fn(&mut UpdateSpec)| {
        let mut spec = good.clone();
        change(&mut spec);
        spec.encode()
    };
    for (what, update, expect) in [
        ("too few votes", with(&|spec| spec.fragments[0].votes.votes.truncate(2)), "LC-QUO-005"),
        ("a wrong signature", with(&|spec| spec.fragments[0].votes.votes[1].signature[1] ^= 1), "LC-GRANDPA-027"),
        ("another set", with(&|spec| spec.fragments[0].set_id = 1), "LC-GRANDPA-018"),
        ("votes for another block", with(&|spec| spec.fragments[0].votes = twin.votes(4)), "LC-GRANDPA-019"),
        ("a chain", with(&|spec| spec.fragments.insert(0, chain.fragment(4, 4))), "LC-GRANDPA-005"),
        ("not a line", with(&|spec| spec.fragments[0].headers.swap(0, 1)), "LC-GRANDPA-006"),
    ] {
        assert_eq!(evidence(&client, &chain.spec(5, 5, 4).encode(), &update), Err(expect), "{what}");
        let as_update = advance(&mut client.clone(), &update);
        // A chain whose first fragment is ours is looked at as an update, and refused for what it is as one.
        assert!(as_update == expect || what == "a chain" && as_update.starts_with("LC-"), "{what}: {as_update}");
    }
    // Our own half must be justified as well.
    let mut ours = chain.spec(5, 5, 4);
    ours.fragments[0].votes.votes.truncate(1);
    assert_eq!(evidence(&client, &ours.encode(), &good.encode()), Err("LC-QUO-005"));
    assert_eq!(evidence(&client, &chain.linked(5, 4), &good.encode()), Err("LC-GRANDPA-005"));
    assert_eq!(evidence(&client, &[], &good.encode()), Err("LC-GRANDPA-002"));
    // A branch that hands over on its way is not of one set.
    let mut twin = chain.fork(3);
    twin.push(BlockSpec { next: Some(voters(1, 4)), ..BlockSpec::default() });
    twin.push(BlockSpec::default());
    let mut spec = twin.spec(5, 5, 4);
    spec.fragments[0].set_id = 0;
    assert_eq!(evidence(&client, &chain.spec(5, 5, 4).encode(), &spec.encode()), Err("LC-GRANDPA-015"));
    // Keys of long ago freeze nothing: the header below the fork has expired, the newest has not.
    let period = 14 * 24 * 3600;
    let late = chain.time(3).checked_add_seconds(period).unwrap();
    let refused = client.misbehaviour(&chain.spec(5, 5, 4).encode(), &good.encode(), late).unwrap_err();
    assert_eq!(refused.code, "LC-TRUST-006");
    let verdict = client.advance(&good.encode(), late);
    assert_eq!(outcome(&verdict), "LC-TRUST-006", "the client has not expired with it");
    let later = chain.time(6).checked_add_seconds(period).unwrap();
    assert_eq!(outcome(&client.advance(&good.encode(), later)), "expired");
}

#[test]
fn gr_10_an_equivocation_is_within_one_round_of_one_set() {
    let (chain, twin) = branches();
    let client = chain.client(1);
    let voter = Voter::new(0, 1);
    let (ours, theirs) = ((chain.block(5).hash, 5), (twin.block(5).hash, 5));
    let ballot = |voter: &Voter, block: (Hash32, u32), round: u64, set_id: u64| {
        encode_ballot(set_id, round, &voter.vote(block, round, set_id))
    };
    let first = ballot(&voter, ours, 3, 0);
    let next = (chain.block(6).hash, 6);
    for (what, second, expect) in [
        ("another block", ballot(&voter, theirs, 3, 0), Ok((5, EQUIVOCATION))),
        ("another block of the same branch", ballot(&voter, next, 3, 0), Ok((5, EQUIVOCATION))),
        ("the same vote", first.clone(), Err("LC-GRANDPA-049")),
        ("another round", ballot(&voter, theirs, 4, 0), Err("LC-GRANDPA-056")),
        ("another set", ballot(&voter, theirs, 3, 1), Err("LC-GRANDPA-056")),
        ("another voter", ballot(&Voter::new(1, 1), theirs, 3, 0), Err("LC-GRANDPA-057")),
        ("a justified header", chain.update(2), Err("LC-GRANDPA-005")),
    ] {
        assert_eq!(evidence(&client, &first, &second), expect, "{what}");
    }
    // Signed for another round or set than it says: the signature does not hold.
    let said = encode_ballot(0, 3, &voter.vote(theirs, 4, 0));
    assert_eq!(evidence(&client, &first, &said), Err("LC-GRANDPA-027"));
    let said = encode_ballot(0, 3, &voter.vote(theirs, 3, 1));
    assert_eq!(evidence(&client, &first, &said), Err("LC-GRANDPA-027"));
    let stranger = Voter::new(77, 1);
    let both = [ballot(&stranger, ours, 3, 0), ballot(&stranger, theirs, 3, 0)];
    assert_eq!(evidence(&client, &both[0], &both[1]), Err("LC-GRANDPA-021"));
    let unknown = [ballot(&voter, ours, 3, 5), ballot(&voter, theirs, 3, 5)];
    assert_eq!(evidence(&client, &unknown[0], &unknown[1]), Err("LC-GRANDPA-055"));
    assert_eq!(advance(&mut client.clone(), &first), "LC-GRANDPA-005", "a vote is no update");
    // A set that has handed over is judged as long as a header of it is kept, and within the trusting period.
    let mut handed = Chain::of(voters(0, 4), 2);
    handed.push(BlockSpec { next: Some(voters(1, 4)), ..BlockSpec::default() });
    handed.extend(3);
    let mut config = handed.config(1);
    let mut client = Grandpa::new(config.clone(), &handed.anchor_update(1)).unwrap();
    follow(&mut client, &handed, 2..=6);
    assert_eq!(evidence(&client, &first, &ballot(&voter, theirs, 3, 0)), Ok((5, EQUIVOCATION)));
    let late = handed.time(3).checked_add_seconds(config.trust.trusting_period_seconds).unwrap();
    let refused = client.misbehaviour(&first, &ballot(&voter, theirs, 3, 0), late).unwrap_err();
    assert_eq!(refused.code, "LC-TRUST-006");
    config.trust.retain_heights = 1;
    let mut client = Grandpa::new(config, &handed.anchor_update(1)).unwrap();
    follow(&mut client, &handed, 2..=6);
    assert_eq!(evidence(&client, &first, &ballot(&voter, theirs, 3, 0)), Err("LC-GRANDPA-055"));
}
