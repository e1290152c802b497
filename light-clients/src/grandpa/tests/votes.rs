//! What finalises a block and what does not: GR-01 to GR-04, GR-06, GR-13, GR-14.

use super::testing::ROUND;
use super::*;
use crate::crypto::ed25519::Check;
use crate::grandpa::verify::justified;
use crate::quorum::deciding_weight;
use core::num::NonZeroU64;

/// A chain of `count` blocks whose authorities have the given weights.
fn weighted(weights: &[u64], count: u32) -> Chain {
    Chain::of(weights.iter().zip(0..).map(|(weight, seed)| Voter::new(seed, *weight)).collect(), count)
}

/// The outcome of block 2, justified by votes for the given blocks (0: none) with the headers `above` it.
fn voted(chain: &Chain, ballots: &[(Hash32, u32)], above: &[u32]) -> &'static str {
    let mut spec = chain.spec(2, 2, 2);
    spec.fragments[0].votes = chain.votes_for(2, ballots);
    spec.fragments[0].votes.ancestries = above.iter().map(|number| chain.block(*number).header.clone()).collect();
    first(chain, &spec)
}

fn at(chain: &Chain, number: u32) -> (Hash32, u32) {
    (chain.block(number).hash, number)
}

#[test]
fn a_justified_child_is_trusted() {
    assert_eq!(changed(|_| ()), "verified");
    let chain = chain();
    let mut client = chain.client(1);
    follow(&mut client, &chain, 2..=10);
    let status = client.status();
    assert_eq!((status.trusted_height, status.trusted_hash), (10, chain.block(10).hash));
    assert_eq!((status.trusted_timestamp, status.provable_height), (chain.time(10), 10));
    let header = client.header(7).unwrap();
    assert_eq!(
        (header.hash, header.root, header.timestamp),
        (chain.block(7).hash, chain.block(7).state.root(), chain.time(7))
    );
}

#[test]
fn gr_01_retargeted_precommits() {
    let chain = chain();
    // Votes for 2, given for 3, and the other way round: with the target as voted, and with it rewritten.
    for (voted, header) in [(2, 3), (3, 2)] {
        let mut spec = chain.spec(header, header, 2);
        spec.fragments[0].votes = chain.votes(voted);
        assert_eq!(first(&chain, &spec), "LC-GRANDPA-019");
        spec.fragments[0].votes.target = at(&chain, header);
        let expect = if voted < header { "LC-GRANDPA-023" } else { "LC-GRANDPA-024" };
        assert_eq!(first(&chain, &spec), expect);
    }
    // Votes rewritten to say the target: nothing that was signed.
    let mut spec = chain.spec(3, 3, 2);
    let (hash, number) = at(&chain, 3);
    spec.fragments[0].votes = chain.votes(2);
    spec.fragments[0].votes.target = (hash, number);
    for vote in &mut spec.fragments[0].votes.votes {
        (vote.precommit.hash, vote.precommit.number) = (hash.0, number);
    }
    assert_eq!(first(&chain, &spec), "LC-GRANDPA-027");
    assert_eq!(changed(|spec| spec.fragments[0].votes.target.1 = 3), "LC-GRANDPA-019");
    assert_eq!(changed(|spec| spec.fragments[0].votes.target.0 = Hash32([1; 32])), "LC-GRANDPA-019");
}

#[test]
fn gr_02_precommits_must_descend_from_the_target() {
    let chain = chain();
    let mut twin = chain.fork(1);
    for n in 0..4 {
        twin.push(BlockSpec { writes: vec![(vec![n], vec![n])], ..BlockSpec::default() });
    }
    let (b2, b3, b4) = (at(&chain, 2), at(&chain, 3), at(&chain, 4));
    assert_eq!(voted(&chain, &[b2, b2, b2], &[]), "verified");
    assert_eq!(voted(&chain, &[b2, b3, b4, b4], &[4, 3]), "verified", "votes above the target");
    assert_eq!(voted(&chain, &[b3, b3, b3], &[3]), "verified", "all above it");
    assert_eq!(voted(&chain, &[b2, b2, b4], &[3]), "LC-GRANDPA-024", "a header is missing");
    assert_eq!(voted(&chain, &[b2, b2, b4], &[4]), "LC-GRANDPA-024", "another is missing");
    assert_eq!(voted(&chain, &[b2, b2, at(&chain, 1)], &[]), "LC-GRANDPA-023", "below the target");
    assert_eq!(voted(&chain, &[b2, b2, (b2.0, 3)], &[]), "LC-GRANDPA-025", "the target by another number");
    assert_eq!(voted(&chain, &[b2, b2, (b3.0, 2)], &[3]), "LC-GRANDPA-025", "a number lower than the header's");
    assert_eq!(voted(&chain, &[b2, b2, (b3.0, 4)], &[3]), "LC-GRANDPA-025", "a number higher than the header's");
    assert_eq!(voted(&chain, &[b2, b2, at(&twin, 2)], &[]), "LC-GRANDPA-024", "a sibling of the target");
    let mut spec = chain.spec(2, 2, 2);
    spec.fragments[0].votes = chain.votes_for(2, &[b2, b2, at(&twin, 3)]);
    spec.fragments[0].votes.ancestries = vec![twin.block(3).header.clone(), twin.block(2).header.clone()];
    assert_eq!(first(&chain, &spec), "LC-GRANDPA-024", "another branch, down to a sibling of the target");
    // Two branches above the target finalise it together.
    let mut twin = chain.fork(2);
    twin.push(BlockSpec { writes: vec![(vec![1], vec![1])], ..BlockSpec::default() });
    spec.fragments[0].votes = chain.votes_for(2, &[b3, b3, at(&twin, 3)]);
    spec.fragments[0].votes.ancestries = vec![chain.block(3).header.clone(), twin.block(3).header.clone()];
    assert_eq!(first(&chain, &spec), "verified");
}

/// A header above the target that skips a number, although the hashes lead down.
#[test]
fn gr_02_numbers_fall_by_one() {
    let chain = chain();
    let low = chain.block(2);
    for number in [2, 4] {
        let parts =
            HeaderParts { parent: low.hash.0, number, state_root: [1; 32], extrinsics_root: [2; 32], digest: &[] };
        let odd = encode_header(&parts);
        let vote = (block_hash(&odd).unwrap(), number);
        let mut spec = chain.spec(2, 2, 2);
        spec.fragments[0].votes = chain.votes_for(2, &[at(&chain, 2), at(&chain, 2), vote]);
        spec.fragments[0].votes.ancestries = vec![odd];
        let expect = if number == 2 { "LC-GRANDPA-024" } else { "LC-GRANDPA-025" };
        assert_eq!(first(&chain, &spec), expect, "number {number}");
    }
}

#[test]
fn gr_03_ancestries_are_exactly_what_votes_need() {
    let chain = chain();
    let (b2, b4) = (at(&chain, 2), at(&chain, 4));
    assert_eq!(voted(&chain, &[b2, b4, b4], &[3, 4]), "verified", "in any order");
    assert_eq!(voted(&chain, &[b2, b4, b4], &[4, 3, 5]), "LC-GRANDPA-026", "one more above");
    assert_eq!(voted(&chain, &[b2, b2, b2], &[3]), "LC-GRANDPA-026", "one that no vote needs");
    assert_eq!(voted(&chain, &[b2, b4, b4], &[4, 3, 2]), "LC-GRANDPA-026", "the target itself");
    assert_eq!(voted(&chain, &[b2, b4, b4], &[4, 3, 3]), "LC-GRANDPA-020", "one twice");
    assert_eq!(voted(&chain, &[b2, b4, b4], &[4]), "LC-GRANDPA-024", "one too few");
}

#[test]
fn gr_04_each_authority_votes_once_and_nobody_else() {
    let chain = chain();
    let b2 = at(&chain, 2);
    assert_eq!(
        changed(|spec| spec.fragments[0].votes.votes[1] = spec.fragments[0].votes.votes[0].clone()),
        "LC-GRANDPA-022"
    );
    let stranger = |spec: &mut UpdateSpec| {
        spec.fragments[0].votes.votes[3] = Voter::new(99, 1).precommit(spec.fragments[0].votes.target, ROUND, 0);
    };
    assert_eq!(changed(stranger), "LC-GRANDPA-021");
    let too_many = |spec: &mut UpdateSpec| {
        let one = Voter::new(99, 1).precommit(spec.fragments[0].votes.target, ROUND, 0);
        spec.fragments[0].votes.votes.push(one);
    };
    assert_eq!(changed(too_many), "LC-GRANDPA-004");
    // An equivocating voter, as a node may give it: refused as it is, and fit for use without the second vote.
    let mut spec = chain.spec(2, 2, 2);
    spec.fragments[0].votes = chain.votes_for(2, &[b2, b2, b2]);
    let second = Voter::new(0, 1).precommit(at(&chain, 3), ROUND, 0);
    spec.fragments[0].votes.votes.push(second);
    spec.fragments[0].votes.ancestries = vec![chain.block(3).header.clone()];
    assert_eq!(first(&chain, &spec), "LC-GRANDPA-022");
    let fit = without_repeats(&spec.fragments[0].votes.encode()).unwrap();
    let parts = [FragmentParts { set_id: 0, justification: &fit, headers: &spec.fragments[0].headers }];
    let update = encode_finalised(&parts, 2, StateParts { nodes: &spec.nodes, authorities: false });
    assert_eq!(advance(&mut chain.client(1), &update), "verified");
    assert_eq!(without_repeats(&fit).unwrap(), fit);
    // Two votes of one voter do not make up for a missing one.
    let mut short = spec.clone();
    short.fragments[0].votes.votes.remove(2);
    let fit = without_repeats(&short.fragments[0].votes.encode()).unwrap();
    let parts = [FragmentParts { set_id: 0, justification: &fit, headers: &spec.fragments[0].headers }];
    let update = encode_finalised(&parts, 2, StateParts { nodes: &spec.nodes, authorities: false });
    assert_eq!(advance(&mut chain.client(1), &update), "LC-QUO-005");
}

#[test]
fn gr_06_the_threshold_is_exact() {
    for (total, expect) in [(1, 1), (2, 2), (3, 3), (4, 3), (5, 4), (6, 5), (7, 5), (600, 401), (998, 666), (1000, 667)]
    {
        assert_eq!(deciding_weight(NonZeroU64::new(total).unwrap()), expect, "of {total}");
    }
    assert_eq!(deciding_weight(NonZeroU64::MAX), u64::MAX - (u64::MAX - 1) / 3);
    for count in 1..=7usize {
        let chain = weighted(&vec![1; count], 1);
        let block = chain.block(1);
        let set = types::AuthoritySet::new(0, testing::list(&block.voters)).unwrap();
        let needed = deciding_weight(NonZeroU64::new(count as u64).unwrap()) as usize;
        for votes in 0..=count {
            let spec = chain.votes(1).first(votes);
            let justification = spec.encode();
            let update = UpdateSpec { ..chain.spec(1, 1, 1) }.encode();
            let decode::Update::Finalised(update) = decode::update(&update).unwrap() else {
                panic!("a justified header")
            };
            let judged = decode::justification(&justification).and_then(|j| justified(&update.subject, &j, &set));
            let expect = match votes {
                0 => Err("LC-GRANDPA-004"),
                n if n < needed => Err("LC-QUO-005"),
                _ => Ok(()),
            };
            assert_eq!(judged.map_err(|error| error.code()), expect, "{votes} of {count}");
        }
    }
}

#[test]
fn gr_06_weights_are_honoured() {
    // (weights, who votes, outcome)
    let most = u64::MAX / 4;
    for (weights, who, expect) in [
        (vec![10, 1, 1, 1], vec![0], "verified"),
        (vec![10, 1, 1, 1], vec![1, 2, 3], "LC-QUO-005"),
        (vec![4, 3, 2, 1], vec![0, 1], "verified"),
        (vec![4, 3, 2, 1], vec![0, 2], "LC-QUO-005"),
        (vec![4, 3, 2, 1], vec![1, 2, 3], "LC-QUO-005"),
        (vec![most; 4], vec![0, 1, 2], "verified"),
        (vec![most; 4], vec![0, 1], "LC-QUO-005"),
    ] {
        let chain = weighted(&weights, 2);
        let mut spec = chain.spec(2, 2, 2);
        let all = spec.fragments[0].votes.votes.clone();
        spec.fragments[0].votes.votes = who.iter().map(|voter: &usize| all[*voter].clone()).collect();
        assert_eq!(first(&chain, &spec), expect, "{weights:?} {who:?}");
    }
    // Sets that no chain has, at an anchor.
    for (weights, expect) in [
        (vec![1, 1, 1, 0], "LC-QUO-006"),
        (vec![u64::MAX, 1, 1, 1], "LC-QUO-004"),
        (vec![], "LC-GRANDPA-004"),
        (vec![1, 1, 1], "LC-GRANDPA-010"),
    ] {
        let chain = weighted(&weights, 1);
        let refused = Grandpa::new(chain.config(1), &chain.anchor_update(1)).unwrap_err();
        assert_eq!(refused.code(), expect, "{weights:?}");
    }
    let twice = Chain::of([voters(0, 4), voters(0, 1)].concat(), 1);
    assert_eq!(Grandpa::new(twice.config(1), &twice.anchor_update(1)).unwrap_err().code(), "LC-GRANDPA-009");
    let mut alone = weighted(&[1], 1).config(1);
    alone.trust.allow_no_fault_tolerance = true;
    assert!(Grandpa::new(alone, &weighted(&[1], 1).anchor_update(1)).is_ok());
}

#[test]
fn gr_13_signatures_are_judged_by_zip_215() {
    let flip = |position: usize, byte: usize| {
        changed(move |spec| spec.fragments[0].votes.votes[position].signature[byte] ^= 1)
    };
    for position in 0..4 {
        assert_eq!(flip(position, 0), "LC-GRANDPA-027");
        assert_eq!(flip(position, 40), "LC-GRANDPA-027");
        assert_eq!(flip(position, 63), "LC-GRANDPA-027");
    }
    assert_eq!(changed(|spec| spec.fragments[0].votes.round += 1), "LC-GRANDPA-027");
    // The first wrong one has a name.
    let chain = chain();
    let mut spec = chain.spec(2, 2, 2);
    spec.fragments[0].votes.votes[2].signature[3] ^= 1;
    let Verdict::Rejected(refused) = chain.client(1).advance(&spec.encode(), now()) else { panic!("refused") };
    let key = Hash32(spec.fragments[0].votes.votes[2].id);
    assert!(refused.message.contains("vote 2") && refused.message.contains(&std::format!("{key}")), "{refused}");
    // What is signed is the message of finality-grandpa, byte for byte.
    let vote = &chain.votes(2).votes[1];
    let mut message = vec![1];
    message.extend(chain.block(2).hash.0);
    message.extend(2u32.to_le_bytes());
    message.extend(ROUND.to_le_bytes());
    message.extend(0u64.to_le_bytes());
    assert!(Check { key: &vote.id, signature: &vote.signature, message: &message }.holds());
}

#[test]
fn gr_14_what_is_huge_is_refused_before_work() {
    let chain = chain();
    let mut long = chain.spec(2, 2, 2);
    long.nodes = vec![vec![0; MAX_UPDATE_BYTES]];
    assert_eq!(first(&chain, &long), "LC-GRANDPA-001");
    // A header of the size of Kusama's largest is read, a longer one is not.
    for (bytes, expect) in [(72_000, "verified"), (MAX_HEADER_BYTES, "LC-GRANDPA-002")] {
        let mut chain = Chain::of(voters(0, 4), 1);
        let item = parity_scale_codec::Encode::encode(&(0u8, vec![7u8; bytes]));
        chain.push(BlockSpec { digest: vec![item], ..BlockSpec::default() });
        assert_eq!(first(&chain, &chain.spec(2, 2, 2)), expect, "{bytes}");
    }
    let mut many = Chain::of(voters(0, 4), 1);
    let item = parity_scale_codec::Encode::encode(&(0u8, vec![7u8; 1]));
    many.push(BlockSpec { digest: vec![item; MAX_DIGEST_ITEMS], ..BlockSpec::default() });
    assert_eq!(first(&many, &many.spec(2, 2, 2)), "LC-GRANDPA-004");
    // Lists that say to be longer than is looked at: votes, headers above, headers in a line, fragments.
    let header = chain.block(2).header.clone();
    let above = |count: usize| changed(|spec| spec.fragments[0].votes.ancestries = vec![header.clone(); count]);
    assert_eq!(above(MAX_LINE_HEADERS + 1), "LC-GRANDPA-004");
    let line = |count: usize| changed(|spec| spec.fragments[0].headers = vec![header.clone(); count]);
    assert_eq!(line(MAX_LINE_HEADERS + 1), "LC-GRANDPA-004");
    assert_eq!(line(0), "LC-GRANDPA-004");
    let fragments = |count: usize| changed(|spec| spec.fragments = vec![spec.fragments[0].clone(); count]);
    assert_eq!(fragments(MAX_FRAGMENTS + 1), "LC-GRANDPA-004");
    assert_eq!(fragments(0), "LC-GRANDPA-004");
    let votes = |count: usize| {
        changed(|spec| spec.fragments[0].votes.votes = vec![spec.fragments[0].votes.votes[0].clone(); count])
    };
    assert_eq!(votes(MAX_AUTHORITIES + 1), "LC-GRANDPA-004");
    assert_eq!(votes(0), "LC-GRANDPA-004");
    // A long way above the target is walked once, not once for each vote.
    let chain = Chain::of(voters(0, 4), 300);
    let top = at(&chain, 300);
    let mut spec = chain.spec(2, 2, 2);
    spec.fragments[0].votes = chain.votes_for(2, &[top, top, top, top]);
    spec.fragments[0].votes.ancestries = chain.line(300, 3);
    assert_eq!(first(&chain, &spec), "verified");
}
