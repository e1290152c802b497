//! Encodings: what an update, a header and a justification must look like.

use parity_scale_codec::{Compact, Encode};

use super::*;

#[test]
fn header_hashes_are_blake2b_of_the_encoding() {
    let chain = chain();
    let header = &chain.block(5).header;
    assert_eq!(block_hash(header).unwrap(), crate::crypto::blake2b_256(&[header]));
    assert_eq!(header_hash(&chain.update(5)).unwrap(), chain.block(5).hash);
    assert_eq!(header_hash(&chain.spec(3, 5, 2).encode()).unwrap(), chain.block(3).hash);
    assert_eq!(header_hash(&chain.linked(5, 4)).unwrap(), chain.block(4).hash);
    let vote = encode_ballot(0, 1, &Voter::new(1, 1).vote((Hash32([1; 32]), 1), 1, 0));
    assert_eq!(header_hash(&vote).unwrap_err().code(), "LC-GRANDPA-005");
    assert_eq!(block_hash(&[header.as_slice(), &[0]].concat()).unwrap_err().code(), "LC-GRANDPA-002");
    assert_eq!(block_hash(&header[..header.len() - 1]).unwrap_err().code(), "LC-GRANDPA-002");
    assert_eq!(block_hash(&[]).unwrap_err().code(), "LC-GRANDPA-002");
}

#[test]
fn every_truncation_and_every_addition_is_refused() {
    let chain = chain();
    for update in [chain.spec(3, 4, 2).encode(), chain.linked(6, 4), encode_ballot(1, 2, &[7; 132])] {
        assert!(decode::update(&update).is_ok());
        for length in 0..update.len() {
            assert!(decode::update(&update[..length]).is_err(), "{length}");
        }
        assert!(decode::update(&[update.as_slice(), &[0]].concat()).is_err());
    }
    assert_eq!(decode::update(&[3]).unwrap_err().code(), "LC-GRANDPA-002");
}

/// Each flipped bit of an update is refused, or makes an update of the same bytes: nothing is read leniently.
#[test]
fn no_bit_of_an_update_is_without_meaning() {
    let chain = Chain::of(voters(0, 4), 3);
    let mut spec = chain.spec(2, 2, 2);
    spec.fragments[0].votes = spec.fragments[0].votes.clone().first(3);
    let good = spec.encode();
    let mut client = chain.client(1);
    for position in 0..good.len() {
        let mut bytes = good.clone();
        bytes[position] ^= 1 << (position % 8);
        assert_ne!(advance(&mut client, &bytes), "verified", "byte {position}");
    }
    assert_eq!(advance(&mut client, &good), "verified");
}

#[test]
fn numbers_are_in_their_shortest_form() {
    let fields = |number: Vec<u8>| [vec![1; 32], number, vec![2; 64], vec![0]].concat();
    assert!(block_hash(&fields(Compact(5u32).encode())).is_ok());
    for number in [vec![0x15, 0x00], vec![0x16, 0, 0, 0], vec![0x03, 5, 0, 0, 0], vec![0x07, 0, 0, 0, 0, 1]] {
        assert_eq!(block_hash(&fields(number)).unwrap_err().code(), "LC-GRANDPA-002");
    }
    assert!(block_hash(&fields(Compact(u32::MAX).encode())).is_ok());
    let digest = |count: Vec<u8>| [vec![1; 32], vec![4], vec![2; 64], count].concat();
    assert_eq!(block_hash(&digest(vec![0x01, 0x00])).unwrap_err().code(), "LC-GRANDPA-002");
    // An item of a digest, and the length in it.
    assert!(block_hash(&digest(vec![4, 0, 4, 9])).is_ok());
    assert_eq!(block_hash(&digest(vec![4, 0, 5, 0, 9])).unwrap_err().code(), "LC-GRANDPA-002");
    for kind in [1, 2, 3, 7, 9] {
        assert_eq!(block_hash(&digest(vec![4, kind, 4, 9])).unwrap_err().code(), "LC-GRANDPA-002", "{kind}");
    }
}

#[test]
fn headers_of_a_line_follow_one_another() {
    let chain = chain();
    let with = |headers: Vec<Vec<u8>>, subject: u32| {
        let mut spec = chain.spec(subject, 5, 2);
        spec.fragments[0].headers = headers;
        first(&chain, &spec)
    };
    assert_eq!(with(chain.line(5, 2), 5), "verified");
    assert_eq!(with([chain.line(5, 4), chain.line(2, 2)].concat(), 5), "LC-GRANDPA-006", "one left out");
    let mut reversed = chain.line(5, 2);
    reversed.reverse();
    assert_eq!(with(reversed, 5), "LC-GRANDPA-006");
    assert_eq!(with(chain.line(5, 2), 6), "LC-GRANDPA-008", "a subject above");
    assert_eq!(with(chain.line(5, 3), 2), "LC-GRANDPA-008", "a subject below");
    // Hashes lead down, numbers do not.
    let parts = HeaderParts {
        parent: chain.block(3).hash.0,
        number: 5,
        state_root: [1; 32],
        extrinsics_root: [2; 32],
        digest: &[],
    };
    assert_eq!(with(vec![encode_header(&parts), chain.block(3).header.clone()], 5), "LC-GRANDPA-007");
}

#[test]
fn a_justification_by_itself_is_read_whole() {
    let chain = chain();
    let bytes = chain.votes(3).encode();
    assert_eq!(without_repeats(&bytes).unwrap(), bytes);
    assert_eq!(without_repeats(&bytes[1..]).unwrap_err().code(), "LC-GRANDPA-002");
    assert_eq!(without_repeats(&[bytes, vec![0]].concat()).unwrap_err().code(), "LC-GRANDPA-002");
    assert_eq!(without_repeats(&vec![0; MAX_UPDATE_BYTES + 1]).unwrap_err().code(), "LC-GRANDPA-001");
}
