//! What a client trusts over time: anchors, the proven time, gaps, retention, saved state, proofs; GR-11 and GR-12.

use parity_scale_codec::Encode;

use super::*;
use crate::proof::trie::{encode_proof, storage_key};
use crate::trust::Anchor;

/// Block 2 of a chain of two with another value under a key of the state.
fn with_entry(key: &[u8], value: Option<&[u8]>) -> &'static str {
    let mut chain = Chain::of(voters(0, 4), 1);
    chain.push_changed(key, value);
    first(&chain, &chain.spec(2, 2, 2))
}

#[test]
fn the_time_is_proven_from_the_state() {
    let now_key = storage_key("Timestamp", "Now");
    let milliseconds = |seconds: u64| (seconds * 1000).encode();
    let (start, step) = (testing::START_SECONDS, testing::BLOCK_SECONDS);
    assert_eq!(with_entry(&now_key, Some(&milliseconds(start + 2 * step))), "verified");
    assert_eq!(with_entry(&now_key, Some(&milliseconds(start + step + 1))), "verified");
    assert_eq!(with_entry(&now_key, Some(&milliseconds(start + step))), "LC-GRANDPA-036", "that of block 1");
    assert_eq!(with_entry(&now_key, Some(&milliseconds(start))), "LC-GRANDPA-036");
    assert_eq!(with_entry(&now_key, Some(&milliseconds(start + 3609))), "verified", "within the clock drift");
    assert_eq!(with_entry(&now_key, Some(&milliseconds(start + 3610))), "LC-TRUST-005");
    assert_eq!(with_entry(&now_key, Some(&u64::MAX.encode())), "LC-GRANDPA-031");
    assert_eq!(with_entry(&now_key, Some(&[0; 9])), "LC-GRANDPA-031");
    assert_eq!(with_entry(&now_key, Some(&[0; 7])), "LC-GRANDPA-031");
    assert_eq!(with_entry(&now_key, Some(&[])), "LC-GRANDPA-031");
    assert_eq!(with_entry(&now_key, None), "LC-GRANDPA-032");
    let set_key = storage_key("Grandpa", "CurrentSetId");
    assert_eq!(with_entry(&set_key, None), "verified", "the runtime reads an absent id as 0");
    assert_eq!(with_entry(&set_key, Some(&1u64.encode())), "LC-GRANDPA-033");
    assert_eq!(with_entry(&set_key, Some(&0u32.encode())), "LC-GRANDPA-031");
    // The proof is of this header's state, with nothing left out and nothing added.
    let chain = chain();
    assert_eq!(changed(|spec| spec.nodes = chain.state_nodes(3, false)), "LC-TRIE-010");
    assert_eq!(changed(|spec| drop(spec.nodes.pop())), "LC-TRIE-010");
    assert_eq!(changed(|spec| spec.nodes.push(vec![1; 40])), "LC-TRIE-009");
    assert_eq!(changed(|spec| spec.nodes.push(spec.nodes[0].clone())), "LC-TRIE-008");
    assert_eq!(changed(|spec| spec.authorities = true), "LC-TRIE-010");
}

#[test]
fn an_anchor_is_pinned_and_its_state_says_the_authorities() {
    let chain = chain();
    let refused = |config: Config, update: &[u8]| Grandpa::new(config, update).unwrap_err().code();
    let config = chain.config(3);
    assert_eq!(refused(config.clone(), &chain.anchor_update(4)), "LC-TRUST-004");
    let other = Config { anchor: Anchor { height: 3, hash: Hash32([1; 32]) }, ..config.clone() };
    assert_eq!(refused(other, &chain.anchor_update(3)), "LC-TRUST-003");
    assert_eq!(refused(config.clone(), &chain.update(3)), "LC-GRANDPA-035", "without the authorities");
    assert_eq!(refused(config.clone(), &chain.linked(3, 3)), "LC-GRANDPA-005");
    let mut spec = chain.spec(3, 3, 3);
    (spec.authorities, spec.nodes) = (true, chain.state_nodes(3, true));
    let with = |change: &dyn Fn(&mut UpdateSpec)| {
        let mut spec = spec.clone();
        change(&mut spec);
        spec.encode()
    };
    // A block that was never final is not one to start from.
    let few = with(&|spec| spec.fragments[0].votes.votes.truncate(2));
    assert_eq!(refused(config.clone(), &few), "LC-QUO-005");
    let chained = with(&|spec| spec.fragments.insert(0, chain.fragment(2, 2)));
    assert_eq!(refused(config.clone(), &chained), "LC-GRANDPA-005");
    let old = with(&|spec| spec.fragments[0].set_id = 1);
    assert_eq!(refused(config.clone(), &old), "LC-GRANDPA-018");
    // Justified above, by the same authorities.
    let above = with(&|spec| spec.fragments[0] = chain.fragment(5, 3));
    let client = Grandpa::new(config, &above).unwrap();
    assert_eq!((client.status().trusted_height, client.set_id()), (3, 0));
    for (what, change) in [
        ("chain_id", (|c| c.chain_id.clear()) as fn(&mut Config)),
        ("chain_id", |c| c.chain_id = "a b".into()),
        ("chain_id", |c| c.chain_id = "x".repeat(65)),
        ("store", |c| c.store.pallet.clear()),
        ("store", |c| c.store.item = "x".repeat(65)),
        ("anchor", |c| c.anchor.height = 0),
        ("anchor", |c| c.anchor.height = 1 << 32),
    ] {
        let mut config = chain.config(3);
        change(&mut config);
        let error = Grandpa::new(config, &above).unwrap_err();
        assert!(error.code() == "LC-GRANDPA-048" && std::format!("{error}").contains(what), "{error}");
    }
    let mut nothing = chain.config(3);
    nothing.trust.retain_heights = 0;
    assert_eq!(refused(nothing, &above), "LC-TRUST-002");
}

#[test]
fn each_instance_has_its_own_name() {
    let chain = chain();
    let mut names = vec![chain.config(1).instance(), chain.config(2).instance()];
    for change in [
        (|c| c.chain_id.push('x')) as fn(&mut Config),
        |c| c.store.pallet.push('x'),
        |c| c.store.item.push('x'),
        |c| (c.store.pallet, c.store.item) = ("IbcC".into(), "ommitments".into()),
    ] {
        let mut config = chain.config(1);
        change(&mut config);
        names.push(config.instance());
    }
    let distinct: std::collections::BTreeSet<_> = names.iter().collect();
    assert_eq!(distinct.len(), names.len());
}

#[test]
fn gr_11_nothing_is_taken_from_the_prover_unjudged() {
    // No votes, no authorities, no headers: refused for it, never taken for agreement.
    let chain = chain();
    assert_eq!(changed(|spec| spec.fragments[0].votes.votes.clear()), "LC-GRANDPA-004");
    assert_eq!(changed(|spec| spec.fragments[0].headers.clear()), "LC-GRANDPA-004");
    assert_eq!(changed(|spec| spec.nodes.clear()), "LC-TRIE-010");
    // The set id that is said decides nothing, the votes' weights are the trusted set's.
    assert_eq!(changed(|spec| spec.fragments[0].set_id = u64::MAX), "LC-GRANDPA-018");
    // A prover that gives a retained header again moves nothing.
    let mut client = chain.client(1);
    follow(&mut client, &chain, 2..=5);
    let before = client.save();
    assert_eq!(advance(&mut client, &chain.update(3)), "verified");
    let mut unsigned = chain.spec(4, 4, 4);
    unsigned.fragments[0].votes.votes.truncate(1);
    assert_eq!(advance(&mut client, &unsigned.encode()), "verified", "a no-op");
    assert_eq!((client.save() == before, client.status().trusted_height), (true, 5));
}

#[test]
fn gr_12_headers_of_other_chains_and_trusted_ones_do_no_harm() {
    let chain = chain();
    let mut client = chain.client(3);
    // The trusted header itself as target, as ancestry of votes, and as the lowest of a line.
    assert_eq!(advance(&mut client, &chain.update(3)), "verified", "a no-op");
    let mut spec = chain.spec(4, 4, 4);
    spec.fragments[0].votes.ancestries = vec![chain.block(3).header.clone()];
    assert_eq!(advance(&mut client, &spec.encode()), "LC-GRANDPA-026");
    assert_eq!(advance(&mut client, &chain.spec(4, 4, 3).encode()), "verified");
    assert_eq!(advance(&mut client, &chain.spec(6, 6, 1).encode()), "verified", "a line deeper than needed");
    // A header that names the trusted one as parent and is of another chain.
    let parts = HeaderParts {
        parent: chain.block(6).hash.0,
        number: 7,
        state_root: [1; 32],
        extrinsics_root: [2; 32],
        digest: &[],
    };
    let mut spec = chain.spec(7, 7, 7);
    spec.fragments[0].headers = vec![encode_header(&parts)];
    assert_eq!(advance(&mut client, &spec.encode()), "LC-GRANDPA-019");
    spec.fragments[0].votes.target.0 = block_hash(&encode_header(&parts)).unwrap();
    assert_eq!(advance(&mut client, &spec.encode()), "LC-GRANDPA-024");
    assert_eq!(advance(&mut client, &chain.spec(9, 9, 8).encode()), "LC-GRANDPA-030");
    assert_eq!(advance(&mut client, &chain.spec(5, 5, 5).encode()), "verified", "fills in by the link of block 6");
}

#[test]
fn a_zero_state_root_is_no_root() {
    let chain = Chain::of(voters(0, 4), 1);
    let digest = [];
    let parent = chain.block(1).hash.0;
    let parts = HeaderParts { parent, number: 2, state_root: [0; 32], extrinsics_root: [1; 32], digest: &digest };
    let mut twin = chain.clone();
    let header = encode_header(&parts);
    let hash = block_hash(&header).unwrap();
    twin.blocks.push(testing::Block { number: 2, hash, header, ..chain.block(1).clone() });
    assert_eq!(first(&chain, &twin.spec(2, 2, 2)), "LC-GRANDPA-037");
}

#[test]
fn older_headers_are_reached_by_parent_hashes() {
    let chain = chain();
    let mut client = chain.client(1);
    assert_eq!(advance(&mut client, &chain.spec(8, 8, 2).encode()), "verified");
    assert!(client.header(7).is_none());
    assert_eq!(advance(&mut client, &chain.linked(7, 5)), "verified");
    assert!(client.header(7).is_none(), "only the last of a line has a proven time");
    assert_eq!(client.header(5).unwrap().timestamp, chain.time(5));
    assert_eq!(advance(&mut client, &chain.linked(7, 7)), "verified");
    assert_eq!(advance(&mut client, &chain.linked(7, 5)), "verified", "again: a no-op");
    // The update of a height as an endpoint gives it that knows nothing of what is retained.
    assert_eq!(advance(&mut client, &chain.spec(3, 6, 3).encode()), "verified", "by block 5, not by signatures");
    let mut unsigned = chain.spec(6, 7, 6);
    unsigned.fragments[0].votes.votes.truncate(1);
    assert_eq!(advance(&mut client, &unsigned.encode()), "verified");
    assert_eq!(client.status().trusted_height, 8, "the head stays");
    assert_eq!(advance(&mut client, &chain.linked(9, 9)), "LC-GRANDPA-038");
    let mut client = chain.client(4);
    follow(&mut client, &chain, 5..=6);
    assert_eq!(advance(&mut client, &chain.linked(1, 1)), "LC-GRANDPA-038", "no header is retained above it");
    assert_eq!(advance(&mut client, &chain.update(2)), "LC-GRANDPA-038");
    let mut twin = chain.fork(2);
    twin.push(BlockSpec { writes: vec![(vec![1], vec![1])], ..BlockSpec::default() });
    assert_eq!(advance(&mut client, &twin.linked(3, 3)), "LC-GRANDPA-039");
    assert_eq!(advance(&mut client, &twin.update(3)), "LC-GRANDPA-039");
    let wrong = encode_linked(&chain.line(3, 3), &chain.state_nodes(2, false));
    assert_eq!(advance(&mut client, &wrong), "LC-TRIE-010");
    assert_eq!(advance(&mut client, &chain.linked(3, 3)), "verified");
}

#[test]
fn handovers_below_are_counted_backwards() {
    let mut chain = Chain::of(voters(0, 4), 2);
    chain.push(BlockSpec { next: Some(voters(1, 4)), ..BlockSpec::default() });
    chain.extend(3);
    let mut client = chain.client(6);
    assert_eq!(client.set_id(), 1);
    assert_eq!(advance(&mut client, &chain.linked(5, 3)), "verified");
    assert_eq!(advance(&mut client, &chain.linked(2, 2)), "verified", "below the handover it is set 0");
    assert_eq!(advance(&mut client, &chain.linked(5, 1)), "verified");
    // A state that counts otherwise than the headers above it.
    let mut odd = Chain::of(voters(0, 4), 1);
    odd.push_changed(&storage_key("Grandpa", "CurrentSetId"), Some(&4u64.encode()));
    odd.push_changed(&storage_key("Grandpa", "CurrentSetId"), Some(&0u64.encode()));
    assert_eq!(advance(&mut odd.client(3), &odd.linked(2, 2)), "LC-GRANDPA-033");
}

#[test]
fn trusted_headers_that_exclude_each_other_freeze() {
    // Times that do not grow, in a gap that closes.
    let mut chain = Chain::of(voters(0, 4), 2);
    let key = storage_key("Timestamp", "Now");
    chain.push_changed(&key, Some(&((testing::START_SECONDS + 2 * testing::BLOCK_SECONDS) * 1000).encode()));
    chain.push(BlockSpec::default());
    let mut client = chain.client(2);
    assert_eq!(advance(&mut client, &chain.spec(4, 4, 3).encode()), "verified");
    assert_eq!(advance(&mut client, &chain.linked(3, 3)), BROKEN_TIME);
    assert!(client.status().frozen);
    // With skipping, a gap that is filled down to a header that it does not follow.
    let chain = self::chain();
    let mut twin = chain.fork(2);
    for n in 0..4u8 {
        twin.push(BlockSpec { writes: vec![(vec![n], vec![n])], ..BlockSpec::default() });
    }
    let mut client = skipping(&chain, 2);
    follow(&mut client, &chain, [3]);
    assert_eq!(advance(&mut client, &twin.update(5)), "verified", "what skipping risks");
    assert_eq!(advance(&mut client, &twin.linked(4, 4)), BROKEN_LINK);
    let mut client = skipping(&chain, 2);
    follow(&mut client, &chain, [3]);
    assert_eq!(advance(&mut client, &twin.update(5)), "verified");
    assert_eq!(advance(&mut client, &twin.linked(4, 3)), BROKEN_LINK);
}

#[test]
fn old_headers_are_forgotten() {
    let chain = chain();
    let mut config = chain.config(1);
    config.trust.retain_heights = 3;
    let mut client = Grandpa::new(config, &chain.anchor_update(1)).unwrap();
    follow(&mut client, &chain, 2..=6);
    assert!(client.header(3).is_none() && client.header(4).is_some());
    assert_eq!(advance(&mut client, &chain.linked(3, 3)), "LC-GRANDPA-040");
    assert_eq!(client.membership(3, b"p", b"v", &[]).unwrap_err().code, "LC-GRANDPA-041");
    // Authority sets are, too.
    let mut eras = Chain::of(voters(0, 4), 1);
    for era in 1..=12u64 {
        eras.push(BlockSpec { next: Some(voters(era, 4)), ..BlockSpec::default() });
    }
    let mut client = eras.client(1);
    follow(&mut client, &eras, 2..=13);
    assert_eq!((client.sets.len(), client.set_id()), (MAX_KEPT_SETS, 12));
}

#[test]
fn trust_ends() {
    let chain = chain();
    let period = chain.config(1).trust.trusting_period_seconds;
    let end = chain.time(1).checked_add_seconds(period).unwrap();
    let mut client = chain.client(1);
    assert_eq!(client.status().expires_at, end);
    let just_before = Timestamp::from_nanos(end.nanos - 1);
    assert_eq!(outcome(&client.clone().advance(&chain.update(2), just_before)), "verified");
    assert_eq!(outcome(&client.advance(&chain.update(2), end)), "expired");
}

#[test]
fn saved_state_comes_back_whole_or_not_at_all() {
    let mut chain = Chain::of(voters(0, 4), 2);
    chain.push(BlockSpec { next: Some(voters(1, 4)), ..BlockSpec::default() });
    chain.extend(2);
    let mut client = chain.client(1);
    follow(&mut client, &chain, 2..=4);
    let (bytes, config) = (client.save(), chain.config(1));
    let digest = Hash32::sha256(&[&bytes]);
    let mut restored = Grandpa::restore(config.clone(), &bytes, &digest).unwrap();
    assert_eq!((restored.save(), restored.status()), (bytes.clone(), client.status()));
    follow(&mut restored, &chain, [5]);
    let refused =
        |config: Config, bytes: &[u8], digest: &Hash32| Grandpa::restore(config, bytes, digest).unwrap_err().code();
    assert_eq!(refused(config.clone(), &bytes, &Hash32([1; 32])), "LC-TRUST-009");
    assert_eq!(refused(chain.config(2), &bytes, &digest), "LC-TRUST-010");
    for position in 0..bytes.len() {
        let mut other = bytes.clone();
        other[position] ^= 0x80;
        let digest = Hash32::sha256(&[&other]);
        if let Ok(restored) = Grandpa::restore(config.clone(), &other, &digest) {
            assert_eq!(restored.save(), other, "byte {position}: canonical");
        }
        let shorter = &bytes[..position];
        let digest = Hash32::sha256(&[shorter]);
        assert_eq!(refused(config.clone(), shorter, &digest), "LC-TRUST-011", "{position} bytes");
    }
    let mut fewer = config.clone();
    fewer.trust.retain_heights = 1;
    assert!(Grandpa::restore(fewer, &bytes, &digest).unwrap().header(3).is_none());
    // Only so many headers are saved.
    let long = Chain::of(voters(0, 4), 2);
    let mut client = long.client(1);
    client.config.trust.retain_heights = 1000;
    let one = client.retained[&1].clone();
    client.retained.extend((2..600).map(|height| (height, one.clone())));
    let bytes = client.save();
    let restored = Grandpa::restore(client.config.clone(), &bytes, &Hash32::sha256(&[&bytes])).unwrap();
    assert_eq!(restored.retained.len(), SAVED_HEADERS);
}

#[test]
fn commitments_are_proven_and_absences_with_the_pallet_that_would_have_them() {
    let mut chain = Chain::of(voters(0, 4), 1);
    let (path, value) = (b"client-0\x01\0\0\0\0\0\0\0\x01".as_slice(), [5u8; 32]);
    let store = testing::store();
    chain.push(BlockSpec { writes: vec![(store.key(path), value.to_vec())], ..BlockSpec::default() });
    let mut client = chain.client(1);
    follow(&mut client, &chain, [2]);
    let present = chain.proof(2, path, false);
    let absent = chain.proof(1, path, true);
    let member = client.membership(2, path, &value, &present).unwrap();
    assert_eq!((member.height, member.timestamp, member.path.as_slice()), (2, chain.time(2), path));
    assert_eq!((member.value.as_slice(), member.instance()), (value.as_slice(), client.status().instance));
    let nothing = client.absence(1, path, &absent).unwrap();
    assert_eq!((nothing.height, nothing.timestamp, nothing.path.as_slice()), (1, chain.time(1), path));

    let member = |height, path: &[u8], value: &[u8], proof: &[u8]| {
        client.membership(height, path, value, proof).unwrap_err().code
    };
    let absence = |height, path: &[u8], proof: &[u8]| client.absence(height, path, proof).unwrap_err().code;
    assert_eq!(member(2, path, &[6; 32], &present), "LC-GRANDPA-045");
    assert_eq!(member(2, path, &[], &present), "LC-GRANDPA-043");
    assert_eq!(member(2, b"", &value, &present), "LC-GRANDPA-042");
    assert_eq!(member(2, &[1; MAX_PATH_BYTES + 1], &value, &present), "LC-GRANDPA-042");
    assert_eq!(member(3, path, &value, &present), "LC-GRANDPA-041");
    assert_eq!(member(1, path, &value, &present), "LC-TRIE-010", "the proof of another state");
    assert_eq!(member(1, path, &value, &chain.proof(1, path, false)), "LC-GRANDPA-044");
    assert_eq!(member(2, path, &value, &[]), "LC-TRIE-007");
    assert_eq!(absence(2, path, &chain.proof(2, path, true)), "LC-GRANDPA-046");
    assert_eq!(absence(1, b"", &absent), "LC-GRANDPA-042");
    assert_eq!(absence(9, path, &absent), "LC-GRANDPA-041");
    // A pallet that is not there: everything would be absent in it.
    let mut config = chain.config(1);
    config.store.pallet = "Ibd".into();
    let stranger = Grandpa::new(config.clone(), &chain.anchor_update(1)).unwrap();
    let keys = [config.store.key(path), config.store.witness_key()];
    let nodes = chain.block(1).state.proof(&[&keys[0], &keys[1]]);
    assert_eq!(stranger.absence(1, path, &encode_proof(&nodes)).unwrap_err().code, "LC-GRANDPA-047");
}
