//! Headers and commits: CM-04 to CM-08, CM-10, CM-14, CM-15, encodings and bounds.

use alloc::{format, vec, vec::Vec};

use tendermint_proto::google::protobuf::Timestamp as RawTimestamp;
use tendermint_proto::v0_38::types::{Commit as RawCommit, CommitSig as RawCommitSig, Header as RawHeader};

use super::*;
use crate::cometbft::testing::{raw_set, raw_time, sign_bytes, START_SECONDS};
use crate::trust::TrustOptions;
use crate::verdict::Hash32;

/// The outcome of block 2 signed as the ballots say.
fn voted(powers: &[u64], ballots: &[Ballot]) -> &'static str {
    let chain = Chain::of(CHAIN, signers(1, powers), 2);
    second(&chain, &chain.resign(2, ballots, |_| ()).update())
}

fn commit(change: impl FnOnce(&mut RawCommit)) -> &'static str {
    let chain = chain();
    let update = changed(&chain, |signed| change(signed.commit.as_mut().unwrap()));
    second(&chain, &update)
}

fn slot(change: impl FnOnce(&mut RawCommitSig)) -> &'static str {
    commit(|commit| change(&mut commit.signatures[1]))
}

/// The outcome of block 2 with a header field changed and nothing signed again.
fn header(change: impl FnOnce(&mut RawHeader)) -> &'static str {
    let chain = chain();
    let update = changed(&chain, |signed| change(signed.header.as_mut().unwrap()));
    second(&chain, &update)
}

/// The outcome of block 2 with a header field changed and all signatures made for it.
fn signed_header(change: impl FnOnce(&mut RawHeader)) -> &'static str {
    let chain = chain();
    second(&chain, &chain.resign(2, &all(&chain, Ballot::Block), change).update())
}

#[test]
fn cm_04_more_than_two_thirds_of_the_power_must_sign() {
    use Ballot::{Absent, Block};
    // (powers, who signs, outcome): exactly two thirds is too little, one unit more is enough.
    assert_eq!(voted(&[1, 1, 1], &[Block, Block, Absent]), "LC-CMT-023");
    assert_eq!(voted(&[1, 1, 1], &[Block, Block, Block]), "verified");
    assert_eq!(voted(&[20, 10], &[Block, Absent]), "LC-CMT-023");
    assert_eq!(voted(&[21, 10], &[Block, Absent]), "verified");
    assert_eq!(voted(&[201, 100], &[Block, Absent]), "verified");
    assert_eq!(voted(&[200, 100], &[Block, Absent]), "LC-CMT-023");
    assert_eq!(voted(&[1, 1, 1, 1], &[Block, Block, Block, Absent]), "verified");
    assert_eq!(voted(&[1, 1, 1, 1], &[Block, Block, Absent, Absent]), "LC-CMT-023");
    let third = MAX_TOTAL_POWER / 3;
    assert_eq!(voted(&[2 * third, third], &[Block, Absent]), "LC-CMT-023");
    assert_eq!(voted(&[2 * third, third - 1], &[Block, Absent]), "verified");
}

#[test]
fn cm_04_skipping_takes_more_than_a_third_of_the_trusted_power() {
    use Ballot::{Absent, Block};
    // Trusted power 30. Who signs block 5 besides a newcomer of great power who carries the two thirds.
    for (ballots, expect) in [
        ([Block, Block, Absent, Absent], "verified"),
        ([Block, Absent, Block, Absent], "LC-CMT-024"),
        ([Block, Absent, Absent, Absent], "LC-CMT-024"),
    ] {
        // Powers 11, 10, 9 in the trusted set; exactly a third is the middle one.
        let old = signers(1, &[11, 10, 9]);
        let newcomer = signers(2, &[1_000]);
        let mut chain = Chain::of(CHAIN, old.clone(), 3);
        chain.push_announcing(Hash32([1; 32]), [newcomer, old].concat());
        chain.push(Hash32([1; 32]));
        let mut config = chain.config(1);
        config.skipping = true;
        let block = chain.resign(5, &ballots, |_| ());
        let mut client = CometBft::new(config.clone(), &chain.full_update(1)).unwrap();
        assert_eq!(advance(&mut client, &block.update()), expect, "{ballots:?}");
        config.skipping = false;
        let mut client = CometBft::new(config, &chain.full_update(1)).unwrap();
        assert_eq!(advance(&mut client, &block.update()), "LC-CMT-025", "{ballots:?}");
    }
}

#[test]
fn cm_04_skipping_takes_two_thirds_of_the_new_power_too() {
    use Ballot::{Absent, Block};
    let old = signers(1, &[10, 10, 10]);
    let mut chain = Chain::of(CHAIN, old.clone(), 3);
    chain.push_announcing(Hash32([1; 32]), [signers(2, &[15]), old].concat());
    chain.push(Hash32([1; 32]));
    let mut config = chain.config(1);
    config.skipping = true;
    for (ballots, expect) in [
        ([Absent, Block, Block, Block], "LC-CMT-023"),
        ([Block, Block, Absent, Absent], "LC-CMT-023"),
        ([Block, Block, Block, Absent], "verified"),
    ] {
        let mut client = CometBft::new(config.clone(), &chain.full_update(1)).unwrap();
        assert_eq!(advance(&mut client, &chain.resign(5, &ballots, |_| ()).update()), expect, "{ballots:?}");
    }
    // Without the set that the trusted header announced there is nothing to measure a third of.
    let changing = {
        let mut chain = Chain::new(CHAIN, signers(1, &[10, 10, 10]));
        chain.push_announcing(Hash32([1; 32]), signers(1, &[11, 10, 10]));
        (2..=4).for_each(|_| chain.push(Hash32([1; 32])));
        chain
    };
    let mut config = changing.config(1);
    config.skipping = true;
    let mut client = CometBft::new(config, &changing.update(1)).unwrap();
    assert_eq!(advance(&mut client, &changing.update(4)), "LC-CMT-025");
    assert_eq!(advance(&mut client, &changing.full_update(1)), "verified", "a repetition that carries the set");
    assert_eq!(advance(&mut client, &changing.update(4)), "verified");
}

#[test]
fn cm_05_votes_for_nil_do_not_count_and_their_signers_are_known() {
    use Ballot::{Absent, Block, Nil};
    assert_eq!(voted(&[1, 1, 1, 1], &[Block, Block, Block, Nil]), "verified");
    assert_eq!(voted(&[1, 1, 1, 1], &[Nil, Block, Block, Block]), "verified");
    assert_eq!(voted(&[1, 1, 1, 1], &[Block, Block, Nil, Nil]), "LC-CMT-023");
    assert_eq!(voted(&[1, 1, 1, 1], &[Nil, Nil, Nil, Nil]), "LC-CMT-023");
    assert_eq!(voted(&[1, 1, 1, 1], &[Absent, Absent, Absent, Absent]), "LC-CMT-023");
    let chain = Chain::of(CHAIN, signers(1, &[1, 1, 1, 1]), 2);
    let mut block = chain.resign(2, &[Block, Block, Block, Nil], |_| ());
    let stranger = signers(2, &[1])[0].address().to_vec();
    block.signed.commit.as_mut().unwrap().signatures[3].validator_address = stranger;
    assert_eq!(second(&chain, &block.update()), "LC-CMT-017");
    // A vote for nil that is relabelled as one for the block.
    let mut block = chain.resign(2, &[Block, Block, Nil, Absent], |_| ());
    block.signed.commit.as_mut().unwrap().signatures[2].block_id_flag = 2;
    assert_eq!(second(&chain, &block.update()), "LC-CMT-026");
}

#[test]
fn cm_06_every_field_of_the_commit_is_bound() {
    assert_eq!(commit(|_| ()), "verified");
    assert_eq!(commit(|commit| commit.round = 1), "LC-CMT-026");
    let chain = chain();
    let negative = changed(&chain, |signed| signed.commit.as_mut().unwrap().round = -1);
    let Verdict::Rejected(refused) = chain.client(1).advance(&negative, now()) else { panic!("a negative round") };
    assert!(refused.code == "LC-CMT-004" && refused.message.starts_with("commit.round "), "{refused}");
    assert_eq!(commit(|commit| commit.height = 3), "LC-CMT-013");
    assert_eq!(commit(|commit| commit.block_id.as_mut().unwrap().hash[0] ^= 1), "LC-CMT-014");
    assert_eq!(commit(|commit| commit.block_id.as_mut().unwrap().hash.clear()), "LC-CMT-004");
    assert_eq!(commit(|commit| commit.block_id = None), "LC-CMT-004");
    let parts = |change: fn(&mut tendermint_proto::v0_38::types::PartSetHeader)| {
        commit(|commit| change(commit.block_id.as_mut().unwrap().part_set_header.as_mut().unwrap()))
    };
    assert_eq!(parts(|parts| parts.total = 2), "LC-CMT-026");
    assert_eq!(parts(|parts| parts.total = 0), "LC-CMT-004");
    assert_eq!(parts(|parts| parts.hash[0] ^= 1), "LC-CMT-026");
    assert_eq!(parts(|parts| parts.hash.clear()), "LC-CMT-004");
    assert_eq!(commit(|commit| commit.block_id.as_mut().unwrap().part_set_header = None), "LC-CMT-004");
    assert_eq!(slot(|slot| slot.timestamp.as_mut().unwrap().seconds += 1), "LC-CMT-026");
    assert_eq!(slot(|slot| slot.timestamp.as_mut().unwrap().nanos += 1), "LC-CMT-026");
    assert_eq!(slot(|slot| slot.signature[7] ^= 1), "LC-CMT-026");
    let none = changed(&chain, |signed| signed.commit = None);
    assert_eq!(second(&chain, &none), "LC-CMT-005");
    let none = changed(&chain, |signed| signed.header = None);
    assert_eq!(second(&chain, &none), "LC-CMT-004");
}

#[test]
fn cm_07_slots_have_the_form_of_their_flag_and_the_order_of_the_set() {
    assert_eq!(slot(|slot| slot.block_id_flag = 0), "LC-CMT-016");
    assert_eq!(slot(|slot| slot.block_id_flag = 4), "LC-CMT-016");
    assert_eq!(slot(|slot| slot.block_id_flag = -1), "LC-CMT-016");
    assert_eq!(slot(|slot| slot.block_id_flag = 1), "LC-CMT-016", "absent with an address");
    assert_eq!(slot(|slot| slot.validator_address.clear()), "LC-CMT-016");
    assert_eq!(slot(|slot| slot.validator_address.push(0)), "LC-CMT-016");
    assert_eq!(slot(|slot| slot.signature.truncate(63)), "LC-CMT-016");
    assert_eq!(slot(|slot| slot.signature.push(0)), "LC-CMT-016");
    assert_eq!(slot(|slot| slot.timestamp = None), "LC-CMT-016");
    let absent = |change: fn(&mut RawCommitSig)| {
        let chain = chain();
        let mut block = chain.resign(2, &[Ballot::Absent, Ballot::Block, Ballot::Block, Ballot::Block], |_| ());
        change(&mut block.signed.commit.as_mut().unwrap().signatures[0]);
        second(&chain, &block.update())
    };
    assert_eq!(absent(|_| ()), "verified");
    assert_eq!(absent(|slot| slot.timestamp = None), "LC-CMT-016");
    assert_eq!(absent(|slot| slot.timestamp = Some(raw_time(1))), "LC-CMT-016");
    assert_eq!(absent(|slot| slot.signature = vec![0; 64]), "LC-CMT-016");
    assert_eq!(absent(|slot| slot.validator_address = vec![0; 20]), "LC-CMT-016");
    assert_eq!(commit(|commit| commit.signatures.swap(0, 1)), "LC-CMT-017");
    assert_eq!(commit(|commit| drop(commit.signatures.remove(0))), "LC-CMT-015");
    assert_eq!(commit(|commit| commit.signatures.clear()), "LC-CMT-005");
}

#[test]
fn cm_08_trust_ends_exactly_at_the_period_and_the_clock_drifts_exactly_so_far() {
    let chain = chain();
    let config = chain.config(1);
    let at = |now: Timestamp| outcome(&chain.client(1).advance(&chain.update(2), now));
    let nanos = |timestamp: Timestamp, less: u64| Timestamp::from_nanos(timestamp.nanos - less);
    let end = chain.time(1).checked_add_seconds(config.trust.trusting_period_seconds).unwrap();
    assert_eq!(at(nanos(end, 1)), "verified");
    assert_eq!(at(end), "expired");
    assert_eq!(at(end.checked_add_seconds(1).unwrap()), "expired");
    assert_eq!(at(Timestamp::from_nanos(u64::MAX)), "expired");
    // Block 2 must be strictly below now + 10 s.
    let limit = Timestamp::from_seconds(chain.time(2).seconds() - config.trust.clock_drift_seconds);
    assert_eq!(at(limit), "LC-TRUST-005");
    assert_eq!(at(Timestamp::from_nanos(limit.nanos + 1)), "verified");
    assert_eq!(at(Timestamp::from_nanos(0)), "LC-TRUST-005");
    // An expired client judges older headers, evidence and repetitions no more.
    let mut client = chain.client(3);
    assert_eq!(outcome(&client.advance(&chain.update(2), end.checked_add_seconds(10).unwrap())), "expired");
    assert_eq!(outcome(&client.advance(&chain.update(3), end.checked_add_seconds(10).unwrap())), "expired");
}

#[test]
fn cm_08_evidence_may_be_from_the_future() {
    let chain = chain();
    let client = chain.client(1);
    let now = chain.time(1);
    let (one, other) = (
        chain.resign(2, &all(&chain, Ballot::Block), |header| header.time = Some(raw_time(START_SECONDS + 900))),
        chain.resign(2, &all(&chain, Ballot::Block), |header| header.time = Some(raw_time(START_SECONDS + 901))),
    );
    assert_eq!(outcome(&client.clone().advance(&one.update(), now)), "LC-TRUST-005");
    let found = client.misbehaviour(&one.update(), &other.update(), now).unwrap();
    assert_eq!((found.height, found.first, found.second), (2, one.hash(), other.hash()));
}

#[test]
fn time_grows_with_height() {
    let at = |seconds: u64| signed_header(|header| header.time = Some(raw_time(seconds)));
    let first = chain().time(1).seconds();
    assert_eq!(at(first), "LC-CMT-022");
    assert_eq!(at(first - 1), "LC-CMT-022");
    assert_eq!(at(first + 1), "verified");
}

#[test]
fn cm_10_every_field_of_the_header_is_bound_to_the_commit() {
    assert_eq!(header(|_| ()), "verified");
    for change in [
        (|header| header.version.as_mut().unwrap().app = 1) as fn(&mut RawHeader),
        |header| header.version.as_mut().unwrap().block = 10,
        |header| header.chain_id.push('0'),
        |header| header.time.as_mut().unwrap().nanos = 1,
        |header| header.last_block_id.as_mut().unwrap().hash[0] ^= 1,
        |header| header.last_block_id.as_mut().unwrap().part_set_header.as_mut().unwrap().total += 1,
        |header| header.last_block_id = None,
        |header| header.last_commit_hash[0] ^= 1,
        |header| header.data_hash[0] ^= 1,
        |header| header.validators_hash[0] ^= 1,
        |header| header.next_validators_hash[0] ^= 1,
        |header| header.consensus_hash[0] ^= 1,
        |header| header.app_hash[0] ^= 1,
        |header| header.app_hash.push(0),
        |header| header.last_results_hash[0] ^= 1,
        |header| header.evidence_hash[0] ^= 1,
        |header| header.proposer_address[0] ^= 1,
    ] {
        assert_eq!(header(change), "LC-CMT-014");
        // Evidence with a fabricated field freezes nothing either.
        let chain = chain();
        let fabricated = changed(&chain, |signed| change(signed.header.as_mut().unwrap()));
        let refused = chain.client(1).misbehaviour(&chain.update(2), &fabricated, now()).unwrap_err();
        assert_eq!(refused.code, "LC-CMT-014");
    }
    assert_eq!(header(|header| header.height = 3), "LC-CMT-013");
    for height in [0, -1, i64::MIN] {
        let both = |signed: &mut RawSignedHeader| {
            signed.header.as_mut().unwrap().height = height;
            signed.commit.as_mut().unwrap().height = height;
        };
        let chain = chain();
        assert_eq!(second(&chain, &changed(&chain, both)), "LC-CMT-004", "{height}");
    }
}

#[test]
fn a_header_of_another_chain_or_network_is_refused() {
    assert_eq!(signed_header(|header| header.chain_id = "catenary-2".into()), "LC-CMT-018");
    assert_eq!(signed_header(|header| header.chain_id = "catenary".into()), "LC-CMT-018");
    // Another network with the same chain id and keys: only the link to the trusted header tells it apart.
    let mut twin = Chain::of(CHAIN, signers(1, &[10, 10, 10, 10]), 1);
    twin.blocks[0] = twin.resign(1, &[Ballot::Block; 4], |header| header.app_hash = [9; 32].to_vec());
    twin.push(Hash32([3; 32]));
    let chain = chain();
    assert_eq!(second(&twin, &twin.update(2)), "verified", "valid by itself");
    let mut client = chain.client(1);
    assert_eq!(advance(&mut client, &twin.update(2)), "LC-CMT-021");
    assert_eq!(advance(&mut client, &chain.update(2)), "verified");
    assert_eq!(advance(&mut client, &twin.update(2)), "LC-CMT-021", "and freezes nothing at a retained height");
    assert!(!client.status().frozen);
    assert_eq!(signed_header(|header| header.last_block_id = None), "LC-CMT-021");
}

#[test]
fn a_first_block_of_another_network_freezes_nothing() {
    let chain = chain();
    let first = fork(&chain, 1);
    let anchored = chain.client(1);
    let mut filled = chain.client(3);
    for height in [2, 1] {
        assert_eq!(advance(&mut filled, &chain.update(height)), "verified", "down to the first block");
    }
    for mut client in [anchored, filled] {
        assert_eq!(advance(&mut client, &first.update()), "LC-CMT-035", "signed by our validators, after nothing");
        for (one, other) in [(chain.update(1), first.update()), (first.update(), chain.update(1))] {
            assert_eq!(client.misbehaviour(&one, &other, now()).unwrap_err().code, "LC-CMT-035");
        }
        assert!(!client.status().frozen);
        assert_eq!(advance(&mut client, &chain.update(1)), "verified", "our own first block is a no-op");
        let next = client.head_height() + 1;
        assert_eq!(advance(&mut client, &chain.update(next)), "verified", "and our chain goes on");
    }
}

#[test]
fn cm_14_sums_of_times_do_not_wrap() {
    let chain = chain();
    let with = |trust: TrustOptions, now: Timestamp| {
        let mut config = chain.config(1);
        config.trust = trust;
        let mut client = CometBft::new(config, &chain.full_update(1)).unwrap();
        outcome(&client.advance(&chain.update(2), now))
    };
    let options = chain.config(1).trust;
    for period in [u64::MAX, u64::MAX / 1_000_000_000, i64::MAX as u64] {
        assert_eq!(with(TrustOptions { trusting_period_seconds: period, ..options }, now()), "verified", "{period}");
    }
    for drift in [u64::MAX, u64::MAX / 1_000_000_000, i64::MAX as u64] {
        let options = TrustOptions { clock_drift_seconds: drift, ..options };
        assert_eq!(with(options, Timestamp::from_nanos(0)), "verified", "{drift}");
        let forever = TrustOptions { trusting_period_seconds: u64::MAX, ..options };
        assert_eq!(with(forever, Timestamp::from_nanos(u64::MAX - 1)), "verified", "{drift}");
    }
}

#[test]
fn cm_15_times_have_one_form_and_enter_the_signed_bytes() {
    let time = |seconds, nanos| header(|header| header.time = Some(RawTimestamp { seconds, nanos }));
    let seconds = chain().time(2).seconds() as i64;
    assert_eq!(time(seconds, 0), "verified");
    for (seconds, nanos) in
        [(seconds, 1_000_000_000), (seconds, -1), (-1, 0), (i64::MAX, 0), (i64::MIN, 0), (18_446_744_074, 0)]
    {
        assert_eq!(time(seconds, nanos), "LC-CMT-004", "{seconds} {nanos}");
        assert_eq!(slot(|slot| slot.timestamp = Some(RawTimestamp { seconds, nanos })), "LC-CMT-016");
    }
    assert_eq!(header(|header| header.time = None), "LC-CMT-004");
    // Nanoseconds and an explicit zero have one encoding: a second one is refused before it is hashed.
    assert_eq!(signed_header(|header| header.time.as_mut().unwrap().nanos = 999_999_999), "verified");
    let chain = chain();
    let commit = chain.block(2).signed.commit.as_ref().unwrap();
    let slot = &commit.signatures[0];
    let signed = sign_bytes(CHAIN, commit, slot, 0);
    let time = slot.timestamp.unwrap().encode_to_vec();
    assert!(signed.windows(time.len()).any(|window| window == time));
    let mut padded = chain.update(2);
    let at = padded.windows(time.len()).position(|window| window == time).unwrap();
    padded[at - 1] += 2;
    padded.splice(at..at, [0x10, 0x00]);
    assert_ne!(second(&chain, &padded), "verified");
}

#[test]
fn updates_have_one_encoding() {
    let chain = chain();
    let update = chain.full_update(2);
    assert_eq!(second(&chain, &update), "verified");
    for (extra, what) in [
        (vec![0x20, 0x01], "an unknown field"),
        (vec![0x1a, 0x00], "a second set"),
        (chain.full_update(2), "everything twice"),
        (vec![0x08], "a field cut short"),
    ] {
        let refused = second(&chain, &[update.clone(), extra].concat());
        assert!(matches!(refused, "LC-CMT-002" | "LC-CMT-003"), "{what}: {refused}");
    }
    let with = |mut bytes: Vec<u8>, more: &[u8]| {
        bytes.extend(more);
        bytes
    };
    let unknown = |bytes: Vec<u8>| with(bytes, &[0x78, 0x01]);
    let block = chain.block(2);
    let set = raw_set(&block.validators).encode_to_vec();
    let signed = block.signed.encode_to_vec();
    assert_eq!(second(&chain, &encode_update(&unknown(signed.clone()), Some(&set), None)), "LC-CMT-003");
    assert_eq!(second(&chain, &encode_update(&signed, Some(&unknown(set.clone())), None)), "LC-CMT-003");
    assert_eq!(second(&chain, &encode_update(&signed, None, Some(&unknown(set.clone())))), "LC-CMT-003");
    // Fields of eight and of four bytes, which none of these messages has.
    for fixed in [[0x79, 1, 2, 3, 4, 5, 6, 7, 8].as_slice(), &[0x7d, 1, 2, 3, 4]] {
        assert_eq!(second(&chain, &encode_update(&with(signed.clone(), fixed), Some(&set), None)), "LC-CMT-002");
        assert_eq!(second(&chain, &encode_update(&signed, Some(&with(set.clone(), fixed)), None)), "LC-CMT-002");
    }
    assert_eq!(second(&chain, &encode_update(&[], None, None)), "LC-CMT-005");
    assert_eq!(second(&chain, &[]), "LC-CMT-005");
    let whole_parts = [chain.bare_update(2).len(), chain.update(2).len()];
    for cut in 0..update.len() {
        let expect_whole = whole_parts.contains(&cut);
        assert_eq!(second(&chain, &update[..cut]) == "verified", expect_whole, "cut at {cut}");
    }
}

#[test]
fn sizes_are_bounded_before_work() {
    let chain = chain();
    assert_eq!(second(&chain, &vec![0; MAX_UPDATE_BYTES + 1]), "LC-CMT-001");
    assert_eq!(second(&chain, &vec![0; MAX_UPDATE_BYTES]), "LC-CMT-002", "looked at");
    // Slots of two bytes each: counted, not allocated for. The same hidden behind a group or split over two commits.
    let slots = [0x22, 0x00].repeat(MAX_VALIDATORS + 1);
    let message = |tag: u8, content: &[u8]| {
        let mut bytes = vec![tag];
        prost::encoding::encode_varint(content.len() as u64, &mut bytes);
        [bytes, content.to_vec()].concat()
    };
    let commit = message(0x12, &slots);
    assert_eq!(second(&chain, &encode_update(&commit, None, None)), "LC-CMT-005");
    let half = message(0x12, &slots[..MAX_VALIDATORS + 2]);
    assert_eq!(second(&chain, &encode_update(&[half.clone(), half].concat(), None, None)), "LC-CMT-005");
    let group = [vec![0x7b, 0x7c], commit].concat();
    assert_eq!(second(&chain, &encode_update(&group, None, None)), "LC-CMT-002");
    let set = [0x0a, 0x00].repeat(MAX_VALIDATORS + 1);
    let signed = chain.block(2).signed.encode_to_vec();
    assert_eq!(second(&chain, &encode_update(&signed, Some(&set), None)), "LC-CMT-005");
}

#[test]
fn any_changed_bit_changes_nothing_or_is_refused() {
    let chain = chain();
    let update = chain.bare_update(2);
    let slots = 4 * chain.block(2).signed.commit.as_ref().unwrap().signatures[0].encoded_len();
    for bit in 0..update.len() * 8 {
        let mut changed = update.clone();
        changed[bit / 8] ^= 1 << (bit % 8);
        let mut client = chain.client(1);
        match client.advance(&changed, now()) {
            // One of four votes is more than is needed: it may become one for nil, and the last is not looked at.
            Verdict::Verified(_) => {
                assert!(bit / 8 > update.len() - slots - 8, "bit {bit}");
                assert_eq!(client.status().trusted_hash, chain.hash(2), "bit {bit}");
            }
            Verdict::Rejected(refused) => assert_ne!(refused.code, "LC-CMT-027", "bit {bit}: {refused}"),
            other => panic!("bit {bit}: {other:?}"),
        }
    }
}

#[test]
fn messages_name_both_values() {
    let chain = chain();
    let Verdict::Rejected(refused) = chain.client(1).advance(&commit_of_another(&chain), now()) else {
        panic!("the commit is for another header");
    };
    let expect = format!("header hashes to {}, the commit is for {}", chain.hash(2), chain.hash(3));
    assert_eq!(refused.message, expect);
    let mut set = raw_set(&chain.block(2).validators);
    let expected = ::hex::encode_upper(&set.validators[0].address);
    set.validators[0].address[0] ^= 0xff;
    let got = ::hex::encode_upper(&set.validators[0].address);
    let Verdict::Rejected(refused) = chain.client(1).advance(&encode(&chain.block(2).signed, Some(&set)), now()) else {
        panic!("the address is another key's");
    };
    assert_eq!(refused.message, format!("validator 0 says address {got}, its key gives {expected}"));
}

fn commit_of_another(chain: &Chain) -> Vec<u8> {
    changed(chain, |signed| {
        let other = chain.block(3).signed.commit.clone().unwrap();
        signed.commit.as_mut().unwrap().block_id = other.block_id;
    })
}
