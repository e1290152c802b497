//! What a client trusts over time: CM-11, CM-16, CM-17, anchors, conflicts, retention, saved state, proofs.

use alloc::{format, vec, vec::Vec};

use super::*;
use crate::cometbft::testing::{raw_time, START_SECONDS};
use crate::proof::ics23::testing::State;
use crate::verdict::{Hash32, Root};

fn evidence(client: &CometBft, first: &[u8], second: &[u8]) -> Result<Misbehaviour, &'static str> {
    client.misbehaviour(first, second, now()).map_err(|refused| refused.code)
}

fn follow(client: &mut CometBft, chain: &Chain, heights: impl IntoIterator<Item = u64>) {
    for height in heights {
        assert_eq!(advance(client, &chain.bare_update(height)), "verified", "{height}");
    }
}

#[test]
fn cm_11_evidence_is_two_different_headers_of_this_chain() {
    let chain = chain();
    let client = chain.client(1);
    let (ours, other) = (chain.update(2), fork(&chain, 2).update());
    assert_eq!(evidence(&client, &ours, &ours), Err("LC-CMT-034"), "identical");
    assert_eq!(evidence(&client, &ours, &chain.bare_update(2)), Err("LC-CMT-034"), "identical headers");
    assert_eq!(evidence(&client, &ours, &chain.update(3)), Err("LC-CMT-034"), "time grows with height");
    let of = |chain_id: &str| {
        let change = |header: &mut tendermint_proto::v0_38::types::Header| header.chain_id = chain_id.into();
        chain.resign(2, &all(&chain, Ballot::Block), change).update()
    };
    assert_eq!(evidence(&client, &ours, &of("other-1")), Err("LC-CMT-018"));
    assert_eq!(evidence(&client, &ours, &of("catenary-2")), Err("LC-CMT-018"), "another revision");
    let found = evidence(&client, &ours, &other).unwrap();
    assert_eq!((found.height, found.code), (2, "LC-CMT-050"));
    assert!(!client.status().frozen, "evidence is judged, what follows is the caller's");
}

#[test]
fn cm_11_evidence_is_judged_as_strictly_as_updates() {
    use Ballot::{Absent, Block, Nil};
    let chain = chain();
    let change = |header: &mut tendermint_proto::v0_38::types::Header| header.data_hash = [7; 32].to_vec();
    let strangers = Chain::of(CHAIN, signers(2, &[10, 10, 10, 10]), 2);
    // Strangers that go on from our block 1: their header is valid for whoever does not ask who was announced.
    let mut intruders = strangers.clone();
    intruders.blocks.truncate(1);
    intruders.blocks[0] = chain.block(1).clone();
    intruders.push(Hash32([5; 32]));
    let unlinked = chain.resign(2, &all(&chain, Block), |header| header.last_block_id = None);
    let mut unsigned = fork(&chain, 2);
    unsigned.signed.commit.as_mut().unwrap().signatures[0].signature[0] ^= 1;
    for (other, expect) in [
        (chain.resign(2, &[Block, Block, Absent, Absent], change).update(), "LC-CMT-023"),
        (chain.resign(2, &[Block, Nil, Nil, Nil], change).update(), "LC-CMT-023"),
        (strangers.update(2), "LC-CMT-021"),
        (intruders.update(2), "LC-CMT-020"),
        (unlinked.update(), "LC-CMT-021"),
        (unsigned.update(), "LC-CMT-026"),
        (vec![], "LC-CMT-005"),
    ] {
        let mut client = chain.client(1);
        assert_eq!(advance(&mut client, &other), expect, "as an update");
        assert_eq!(evidence(&client, &chain.update(2), &other), Err(expect), "as evidence, height not retained");
        assert_eq!(evidence(&client, &other, &chain.update(2)), Err(expect), "either way round");
        follow(&mut client, &chain, 2..=4);
        assert_eq!(advance(&mut client, &other), expect, "as an update of a retained height");
        assert_eq!(evidence(&client, &chain.update(2), &other), Err(expect), "as evidence, height retained");
        assert!(!client.status().frozen);
    }
    // Our own half must carry a commit that holds, though its header is trusted already.
    let mut client = chain.client(1);
    follow(&mut client, &chain, 2..=4);
    let mut ours = chain.block(2).clone();
    ours.signed.commit.as_mut().unwrap().signatures[0].signature[0] ^= 1;
    assert_eq!(advance(&mut client, &ours.update()), "verified", "a no-op");
    assert_eq!(evidence(&client, &ours.update(), &fork(&chain, 2).update()), Err("LC-CMT-026"));
    // Below the anchor a half must be linked to, and signed as well.
    let client = chain.client(5);
    assert_eq!(evidence(&client, &chain.update(4), &fork(&chain, 4).update()), Err("LC-CMT-030"));
    let few = chain.resign(4, &[Block, Block, Absent, Absent], |_| ());
    assert_eq!(evidence(&client, &few.update(), &fork(&chain, 4).update()), Err("LC-CMT-023"));
    assert_eq!(evidence(&client, &chain.update(3), &fork(&chain, 3).update()), Err("LC-CMT-029"));
    let later = chain.time(1).checked_add_seconds(chain.config(1).trust.trusting_period_seconds).unwrap();
    let expired = chain.client(1).misbehaviour(&chain.update(2), &fork(&chain, 2).update(), later).unwrap_err();
    assert_eq!(expired.code, "LC-TRUST-006");
    let mut pair = [chain.update(9), fork(&chain, 9).update()];
    pair.sort();
    assert_eq!(evidence(&chain.client(1), &pair[0], &pair[1]), Err("LC-CMT-025"), "too far from anything trusted");
}

#[test]
fn a_second_header_at_a_retained_height_freezes() {
    let chain = chain();
    for height in 2..=4 {
        let mut client = chain.client(1);
        follow(&mut client, &chain, 2..=4);
        let other = fork(&chain, height);
        let Verdict::Conflict(found) = client.advance(&other.update(), now()) else { panic!("height {height}") };
        let expect =
            Misbehaviour { height, first: chain.hash(height), second: other.hash(), code: misbehaviour::EQUIVOCATION };
        assert_eq!(*found, expect);
        assert!(client.status().frozen);
        assert_eq!(advance(&mut client, &chain.update(5)), "LC-TRUST-008", "nothing is verified any more");
        assert!(client.header(2).is_none());
        assert_eq!(client.membership(2, b"k", b"v", b"").unwrap_err().code, "LC-TRUST-008");
        assert_eq!(client.absence(2, b"k", b"").unwrap_err().code, "LC-TRUST-008");
        let saved = client.save();
        let restored = CometBft::restore(chain.config(1), &saved, &Hash32::sha256(&[&saved])).unwrap();
        assert!(restored.status().frozen, "not after a restart either");
    }
    // The anchor's height has nothing below it, and is judged all the same.
    let mut client = chain.client(3);
    assert_eq!(advance(&mut client, &fork(&chain, 3).update()), "LC-CMT-050");
}

#[test]
fn a_conflict_with_an_expired_header_freezes_nothing() {
    let chain = chain();
    let mut config = chain.config(4);
    config.trust.trusting_period_seconds = 3600;
    let mut client = CometBft::new(config, &chain.full_update(4)).unwrap();
    follow(&mut client, &chain, 5..=8);
    let end = |height: u64| chain.time(height).checked_add_seconds(3600).unwrap();
    let just_before = |end: Timestamp| Timestamp::from_nanos(end.nanos - 1);
    let (ours, other) = (chain.update(5), fork(&chain, 5).update());
    for (now, update, pair) in [
        (just_before(end(5)), "LC-CMT-050", "LC-CMT-050"),
        (end(5), "LC-TRUST-006", "LC-TRUST-006"),
        (end(8), "expired", "LC-TRUST-006"),
    ] {
        let found = client.misbehaviour(&ours, &other, now);
        assert_eq!(found.map_or_else(|refused| refused.code, |found| found.code), pair, "{now}");
        let mut client = client.clone();
        let verdict = client.advance(&other, now);
        assert_eq!(outcome(&verdict), update, "{now}");
        assert_eq!(client.status().frozen, update == "LC-CMT-050");
    }

    // A half below what is retained is judged by the header that links to it: here block 3, as late as block 5.
    let mut late = chain.clone();
    late.blocks.truncate(2);
    late.push(Hash32([1; 32]));
    let time = Some(raw_time(chain.time(5).seconds()));
    late.blocks[2] = late.resign(3, &all(&chain, Ballot::Block), |header| header.time = time);
    (4..=8).for_each(|_| late.push(Hash32([1; 32])));
    let mut config = late.config(4);
    config.trust.trusting_period_seconds = 3600;
    let mut client = CometBft::new(config, &late.full_update(4)).unwrap();
    follow(&mut client, &late, 5..=8);
    for (now, expect) in [(just_before(end(4)), "LC-CMT-051"), (end(4), "LC-TRUST-006")] {
        let found = client.misbehaviour(&late.update(3), &late.update(5), now);
        assert_eq!(found.map_or_else(|refused| refused.code, |found| found.code), expect, "{now}");
    }
}

#[test]
fn evidence_of_time_that_does_not_grow() {
    let chain = chain();
    let mut config = chain.config(1);
    config.skipping = true;
    let client = CometBft::new(config, &chain.full_update(1)).unwrap();
    let early = chain.resign(6, &all(&chain, Ballot::Block), |header| {
        header.time = Some(raw_time(chain.time(4).seconds()));
    });
    let found = evidence(&client, &chain.update(4), &early.update()).unwrap();
    assert_eq!((found.height, found.code), (6, "LC-CMT-051"));
    assert_eq!(found.first, chain.hash(4));
    let late = chain.resign(6, &all(&chain, Ballot::Block), |header| {
        header.time.as_mut().unwrap().nanos = 1;
    });
    assert_eq!(evidence(&client, &chain.update(4), &late.update()), Err("LC-CMT-034"));
}

#[test]
fn cm_16_the_state_at_h_is_the_root_in_header_h_plus_1() {
    let entries = |height: u64| {
        vec![(b"height".to_vec(), height.to_be_bytes().to_vec()), (format!("only-{height}").into_bytes(), vec![1])]
    };
    let state = |height: u64| State::new(b"ibc", &entries(height));
    let mut chain = Chain::new(CHAIN, signers(1, &[10, 10, 10, 10]));
    // Block h carries the state after block h - 1.
    (1..=5).for_each(|height| chain.push(state(height - 1).app_hash()));
    let mut client = chain.client(1);
    assert_eq!(client.status().provable_height, 0, "the anchor alone proves nothing");
    assert!(client.header(1).is_none());
    assert_eq!(client.membership(1, b"height", &[], &[]).unwrap_err().code, "LC-CMT-032");
    for height in 2..=5 {
        let Verdict::Verified(Some(given)) = client.advance(&chain.update(height), now()) else { panic!() };
        let expect = Header {
            height: height - 1,
            hash: chain.hash(height - 1),
            timestamp: chain.time(height - 1),
            root: Root::new(state(height - 1).app_hash().as_bytes()).unwrap(),
        };
        assert_eq!(*given, expect);
        assert_eq!(client.header(height - 1), Some(given));
        assert_eq!((client.status().trusted_height, client.status().provable_height), (height, height - 1));
    }
    for height in 1..=4u64 {
        let value = height.to_be_bytes();
        let proof = state(height).prove(b"height");
        let fact = client.membership(height, b"height", &value, &proof).unwrap();
        assert_eq!((fact.height, fact.timestamp), (height, chain.time(height)));
        assert_eq!((fact.path.as_slice(), fact.value.as_slice()), (&b"height"[..], &value[..]));
        for other in (1..=4).filter(|other| *other != height) {
            assert_eq!(client.membership(other, b"height", &value, &proof).unwrap_err().code, "LC-ICS23-013");
        }
        let absent = format!("only-{}", height + 1);
        let proof = state(height).prove(absent.as_bytes());
        let fact = client.absence(height, absent.as_bytes(), &proof).unwrap();
        assert_eq!(
            (fact.height, fact.timestamp, fact.path.as_slice()),
            (height, chain.time(height), absent.as_bytes())
        );
    }
    let proof = state(5).prove(b"height");
    assert_eq!(client.membership(5, b"height", &5u64.to_be_bytes(), &proof).unwrap_err().code, "LC-CMT-032");
    assert_eq!(client.membership(0, b"height", &[], &proof).unwrap_err().code, "LC-CMT-032");
    assert_eq!(client.membership(u64::MAX, b"height", &[], &proof).unwrap_err().code, "LC-CMT-032");
}

#[test]
fn the_store_prefix_names_the_store_and_begins_the_key() {
    let state = State::new(b"other", &[(b"pre/key".to_vec(), b"value".to_vec())]);
    let mut chain = Chain::new(CHAIN, signers(1, &[1, 1, 1, 1]));
    (1..=2).for_each(|_| chain.push(state.app_hash()));
    let check = |prefix: [&[u8]; 2], path: &[u8]| {
        let mut config = chain.config(1);
        config.store_prefix = prefix.map(<[u8]>::to_vec).to_vec();
        let mut client = CometBft::new(config, &chain.update(1)).unwrap();
        follow(&mut client, &chain, [2]);
        client.membership(1, path, b"value", &state.prove(b"pre/key")).map_or_else(|refused| refused.code, |_| "ok")
    };
    assert_eq!(check([b"other", b"pre/"], b"key"), "ok");
    assert_eq!(check([b"other", b""], b"pre/key"), "ok");
    assert_eq!(check([b"other", b"pre/"], b"pre/key"), "LC-ICS23-007");
    assert_eq!(check([b"ibc", b"pre/"], b"key"), "LC-ICS23-007");
}

#[test]
fn a_root_that_is_not_32_bytes_or_zero_is_no_state() {
    for app_hash in [vec![], vec![1; 20], vec![0; 32]] {
        let chain = chain();
        let mut client = chain.client(1);
        let block = chain.resign(2, &all(&chain, Ballot::Block), |header| header.app_hash = app_hash.clone());
        assert_eq!(client.advance(&block.update(), now()), Verdict::Verified(None), "{app_hash:?}");
        assert_eq!(client.status().provable_height, 0);
        let saved = client.save();
        assert!(CometBft::restore(chain.config(1), &saved, &Hash32::sha256(&[&saved])).is_ok());
    }
}

#[test]
fn cm_17_an_older_header_moves_nothing_back() {
    let chain = chain();
    let mut client = chain.client(5);
    follow(&mut client, &chain, 6..=8);
    let before = client.save();
    for height in 5..=8 {
        let Verdict::Verified(Some(given)) = client.advance(&chain.update(height), now()) else { panic!() };
        assert_eq!(given.height, 7, "the highest state is given, not the repeated one");
        assert_eq!(client.save(), before, "a repetition is a no-op");
    }
    // Below the anchor: only by the link of a retained header, one after the other.
    assert_eq!(advance(&mut client, &chain.update(3)), "LC-CMT-029");
    assert_eq!(advance(&mut client, &fork(&chain, 4).update()), "LC-CMT-030", "validly signed, another block");
    assert!(client.header(4).is_none());
    follow(&mut client, &chain, [4, 3]);
    assert_eq!(client.status().trusted_height, 8);
    assert_eq!(client.header(4).unwrap().hash, chain.hash(4));
    assert_eq!(client.header(3).unwrap().timestamp, chain.time(3));
    assert!(client.header(2).is_none());
}

#[test]
fn cm_17_a_gap_is_filled_only_by_what_its_neighbours_name() {
    let chain = chain();
    let mut config = chain.config(1);
    config.skipping = true;
    let client = CometBft::new(config, &chain.full_update(1)).unwrap();
    let skipped = |to: &Chain| {
        let mut client = client.clone();
        assert_eq!(advance(&mut client, &to.update(4)), "verified");
        client
    };
    let mut client = skipped(&chain);
    assert_eq!(client.status().provable_height, 0, "no two neighbours yet");
    assert_eq!(advance(&mut client, &chain.update(2)), "LC-CMT-029", "nothing links to it");
    assert_eq!(advance(&mut client, &fork(&chain, 3).update()), "LC-CMT-030");
    follow(&mut client, &chain, [3]);
    assert_eq!(client.status().provable_height, 3);
    follow(&mut client, &chain, [2]);
    assert_eq!(client.header(1).unwrap().hash, chain.hash(1));

    // A chain that left ours after block 1 and was skipped to: the gap shows it.
    let mut other = Chain::of(CHAIN, signers(1, &[10, 10, 10, 10]), 1);
    other.blocks[0] = other.resign(1, &all(&chain, Ballot::Block), |header| header.app_hash = [9; 32].to_vec());
    (2..=4).for_each(|_| other.push(Hash32([3; 32])));
    let mut client = skipped(&other);
    follow(&mut client, &other, [3]);
    let Verdict::Conflict(found) = client.advance(&other.update(2), now()) else { panic!("a broken link") };
    let expect =
        Misbehaviour { height: 1, first: chain.hash(1), second: other.hash(1), code: misbehaviour::BROKEN_LINK };
    assert_eq!(*found, expect);
    assert!(client.status().frozen);

    // A linked header whose time is not between those of its neighbours.
    for seconds in [START_SECONDS, chain.time(1).seconds(), chain.time(4).seconds(), chain.time(9).seconds()] {
        let mut late = chain.clone();
        late.blocks.truncate(2);
        late.push(Hash32([1; 32]));
        late.blocks[2] = late.resign(3, &all(&chain, Ballot::Block), |header| header.time = Some(raw_time(seconds)));
        late.push(Hash32([1; 32]));
        let mut client = skipped(&late);
        let found = advance(&mut client, &late.update(3));
        let below_is_retained = "verified";
        let expect = if seconds >= chain.time(4).seconds() { "LC-CMT-051" } else { below_is_retained };
        assert_eq!(found, expect, "{seconds}");
        if found == "verified" {
            assert_eq!(advance(&mut client, &late.update(2)), "LC-CMT-051", "then the next gap shows it");
        }
    }
}

#[test]
fn heights_are_retained_up_to_the_limit() {
    let chain = chain();
    let mut config = chain.config(2);
    config.trust.retain_heights = 3;
    let mut client = CometBft::new(config, &chain.full_update(2)).unwrap();
    follow(&mut client, &chain, 3..=9);
    assert_eq!(client.retained.keys().copied().collect::<Vec<_>>(), [7, 8, 9]);
    assert!(client.header(6).is_none());
    assert!(client.header(7).is_some());
    assert_eq!(advance(&mut client, &chain.update(6)), "LC-CMT-031", "linked, but there is no room");
    assert_eq!(advance(&mut client, &chain.update(5)), "LC-CMT-029");
}

#[test]
fn the_anchor_is_the_pinned_header_and_was_committed() {
    use Ballot::{Absent, Block};
    let chain = chain();
    let refused = |config: Config, update: &[u8]| CometBft::new(config, update).unwrap_err().code();
    assert_eq!(refused(chain.config(2), &chain.update(3)), "LC-TRUST-004");
    assert_eq!(refused(chain.config(2), &fork(&chain, 2).update()), "LC-TRUST-003");
    assert_eq!(refused(chain.config(2), &chain.bare_update(2)), "LC-CMT-028");
    let few = chain.resign(2, &[Block, Block, Absent, Absent], |_| ());
    assert_eq!(refused(chain.config(2), &few.update()), "LC-CMT-023");
    let mut other_chain = chain.config(2);
    other_chain.chain_id = "other-1".into();
    assert_eq!(refused(other_chain, &chain.update(2)), "LC-CMT-018");
}

#[test]
fn configurations_that_can_never_work_are_refused() {
    let chain = chain();
    let with = |change: fn(&mut Config)| {
        let mut config = chain.config(2);
        change(&mut config);
        CometBft::new(config, &chain.update(2)).map_or_else(|refused| refused.code(), |_| "ok")
    };
    assert_eq!(with(|_| ()), "ok");
    assert_eq!(with(|config| config.chain_id.clear()), "LC-CMT-033");
    assert_eq!(with(|config| config.chain_id = "x".repeat(MAX_CHAIN_ID_BYTES + 1)), "LC-CMT-033");
    assert_eq!(with(|config| config.chain_id = "x".repeat(MAX_CHAIN_ID_BYTES)), "LC-CMT-018", "it is another chain's");
    assert_eq!(with(|config| config.chain_id = "has space".into()), "LC-CMT-033");
    assert_eq!(with(|config| config.store_prefix.clear()), "LC-CMT-033");
    assert_eq!(with(|config| config.store_prefix[0].clear()), "LC-CMT-033");
    assert_eq!(with(|config| config.store_prefix.push(vec![])), "LC-CMT-033");
    assert_eq!(with(|config| drop(config.store_prefix.pop())), "LC-CMT-033");
    assert_eq!(with(|config| config.trust.trusting_period_seconds = 0), "LC-TRUST-001");
    assert_eq!(with(|config| config.trust.retain_heights = 0), "LC-TRUST-002");
    assert_eq!(with(|config| config.trust.retain_heights = 1), "LC-CMT-033");
    assert_eq!(with(|config| config.anchor.height = 0), "LC-CMT-033");
}

#[test]
fn instances_differ_by_chain_anchor_and_store() {
    let config = chain().config(2);
    let mut seen = vec![config.instance()];
    for change in [
        (|config: &mut Config| config.chain_id.push('0')) as fn(&mut Config),
        |config| config.anchor.height = 3,
        |config| config.anchor.hash.0[0] ^= 1,
        |config| config.store_prefix[1] = b"c".to_vec(),
        |config| config.store_prefix = vec![b"ib".to_vec(), b"c".to_vec()],
    ] {
        let mut other = config.clone();
        change(&mut other);
        assert!(!seen.contains(&other.instance()), "{other:?}");
        seen.push(other.instance());
    }
}

#[test]
fn saved_state_comes_back_as_it_was_and_only_so() {
    let chain = chain();
    let mut client = chain.client(1);
    follow(&mut client, &chain, 2..=6);
    let saved = client.save();
    let digest = Hash32::sha256(&[&saved]);
    let mut restored = CometBft::restore(chain.config(1), &saved, &digest).unwrap();
    assert_eq!(restored.status(), client.status());
    assert_eq!(restored.save(), saved);
    follow(&mut restored, &chain, 7..=10);

    let refused =
        |config: Config, bytes: &[u8], digest: &Hash32| CometBft::restore(config, bytes, digest).unwrap_err().code();
    assert_eq!(refused(chain.config(1), &saved, &Hash32([0; 32])), "LC-TRUST-009");
    assert_eq!(refused(chain.config(1), &saved[1..], &digest), "LC-TRUST-009");
    assert_eq!(refused(chain.config(2), &saved, &digest), "LC-TRUST-010");
    let mut nothing_retained = chain.config(1);
    nothing_retained.trust.retain_heights = 1;
    assert_eq!(refused(nothing_retained, &saved, &digest), "LC-CMT-033");
    for cut in 0..saved.len() {
        let bytes = &saved[..cut];
        assert_eq!(refused(chain.config(1), bytes, &Hash32::sha256(&[bytes])), "LC-TRUST-011", "cut at {cut}");
    }
    let longer = [saved.clone(), vec![0]].concat();
    assert_eq!(refused(chain.config(1), &longer, &Hash32::sha256(&[&longer])), "LC-TRUST-011");
    let frozen_at = 19 + 32;
    let mut frozen_twice = saved.clone();
    frozen_twice[frozen_at] = 2;
    assert_eq!(refused(chain.config(1), &frozen_twice, &Hash32::sha256(&[&frozen_twice])), "LC-TRUST-011");
    let mut fewer = chain.config(1);
    fewer.trust.retain_heights = 2;
    let restored = CometBft::restore(fewer, &saved, &digest).unwrap();
    assert_eq!(restored.retained.keys().copied().collect::<Vec<_>>(), [5, 6]);
}

#[test]
fn a_state_whose_headers_do_not_link_proves_nothing() {
    let chain = chain();
    let mut client = chain.client(1);
    follow(&mut client, &chain, [2]);
    assert!(client.header(1).is_some());
    // The digest is the journal's word that the bytes are ours; were it wrong, the link is still asked for.
    let mut saved = client.save();
    let link = saved.windows(32).rposition(|window| window == chain.hash(1).as_bytes()).unwrap();
    saved[link] ^= 1;
    let restored = CometBft::restore(chain.config(1), &saved, &Hash32::sha256(&[&saved])).unwrap();
    assert!(restored.header(1).is_none());
    assert_eq!(restored.status().provable_height, 0);
}

#[test]
fn the_newest_headers_are_saved_and_the_older_ones_can_be_filled_in_again() {
    let count = SAVED_HEADERS as u64 + 4;
    let chain = Chain::of(CHAIN, signers(1, &[10]), count);
    let mut config = chain.config(1);
    config.trust.retain_heights = 10_000;
    let mut client = CometBft::new(config.clone(), &chain.full_update(1)).unwrap();
    follow(&mut client, &chain, 2..=count);
    let saved = client.save();
    let mut restored = CometBft::restore(config, &saved, &Hash32::sha256(&[&saved])).unwrap();
    assert_eq!(restored.status(), client.status());
    assert_eq!(restored.save(), saved);
    assert_eq!(restored.retained.len(), SAVED_HEADERS);
    assert!(restored.header(4).is_none());
    follow(&mut restored, &chain, [4]);
    assert_eq!(restored.header(4), client.header(4));
}

#[test]
fn status_tells_where_the_client_stands() {
    let chain = chain();
    let mut client = chain.client(1);
    follow(&mut client, &chain, 2..=3);
    let config = chain.config(1);
    let expect = Status {
        family: Family::CometBft,
        instance: config.instance(),
        chain_id: CHAIN.into(),
        trusted_height: 3,
        trusted_hash: chain.hash(3),
        trusted_timestamp: chain.time(3),
        provable_height: 2,
        expires_at: chain.time(3).checked_add_seconds(config.trust.trusting_period_seconds).unwrap(),
        validators: 4,
        frozen: false,
    };
    assert_eq!(client.status(), expect);
}
