//! Headers, justifications and state proofs of a real Substrate chain (tests/vectors/grandpa): two handovers of the
//! authorities, commitments of the pallet present and absent.
#![cfg(feature = "grandpa")]
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "a test fails by panicking"
)]

use catenary_light_clients::grandpa::{
    block_hash, encode_finalised, encode_linked, Config, FragmentParts, Grandpa, StateParts, Store,
};
use catenary_light_clients::proof::trie::encode_proof;
use catenary_light_clients::{Anchor, Hash32, LightClient, Timestamp, TrustOptions, Verdict};
use serde_json::Value;

/// The first block that is justified and proves its authorities.
const ANCHOR: u64 = 2;

fn vectors(name: &str) -> Value {
    let path = format!("{}/../tests/vectors/grandpa/{name}", env!("CARGO_MANIFEST_DIR"));
    serde_json::from_str(&std::fs::read_to_string(&path).expect(&path)).unwrap()
}

fn unhex(value: &Value) -> Vec<u8> {
    hex::decode(value.as_str().unwrap().trim_start_matches("0x")).unwrap()
}

fn nodes(list: &Value) -> Vec<Vec<u8>> {
    list.as_array().unwrap().iter().map(unhex).collect()
}

fn number(value: &Value) -> u64 {
    u64::from_le_bytes(unhex(value).try_into().unwrap())
}

#[derive(Clone, Debug)]
struct Block {
    number: u64,
    hash: Hash32,
    header: Vec<u8>,
    justification: Option<Vec<u8>>,
    milliseconds: u64,
    /// Id of the set that finalises the next block.
    set_id: u64,
    state: Vec<Vec<u8>>,
}

/// The recording; block 1 first.
struct Recorded {
    blocks: Vec<Block>,
    handovers: Vec<u64>,
}

fn recorded() -> Recorded {
    let vectors = vectors("blocks.json");
    let block = |block: &Value| Block {
        number: block["number"].as_u64().unwrap(),
        hash: Hash32(unhex(&block["hash"]).try_into().unwrap()),
        header: unhex(&block["header_hex"]),
        justification: block["justification_hex"].as_str().map(|text| hex::decode(text).unwrap()),
        milliseconds: number(&block["now"]),
        set_id: number(&block["set_id"]),
        state: nodes(&block["state_nodes"]),
    };
    Recorded {
        blocks: vectors["blocks"].as_array().unwrap().iter().map(block).collect(),
        handovers: vectors["handovers"].as_array().unwrap().iter().map(|height| height.as_u64().unwrap()).collect(),
    }
}

impl Recorded {
    fn block(&self, height: u64) -> &Block {
        &self.blocks[usize::try_from(height - 1).unwrap()]
    }

    fn last(&self) -> u64 {
        self.blocks.len() as u64
    }

    fn justified(&self) -> impl Iterator<Item = u64> + '_ {
        self.blocks.iter().filter(|block| block.justification.is_some()).map(|block| block.number)
    }

    /// Headers from `top` down to `lowest`.
    fn line(&self, top: u64, lowest: u64) -> Vec<Vec<u8>> {
        (lowest..=top).rev().map(|height| self.block(height).header.clone()).collect()
    }

    /// Id of the set that justified a block.
    fn set_of(&self, height: u64) -> u64 {
        self.block(height).set_id - u64::from(self.handovers.contains(&height))
    }

    /// The update for `subject` by justifications of the blocks `tops`, from above `trusted`.
    fn update(&self, trusted: u64, tops: &[u64], subject: u64) -> Vec<u8> {
        let bottoms = std::iter::once(trusted).chain(tops.iter().copied());
        let lines: Vec<_> = tops.iter().zip(bottoms).map(|(top, below)| self.line(*top, below + 1)).collect();
        let fragments: Vec<FragmentParts<'_>> = tops
            .iter()
            .zip(&lines)
            .map(|(top, headers)| FragmentParts {
                set_id: self.set_of(*top),
                justification: self.block(*top).justification.as_deref().unwrap(),
                headers,
            })
            .collect();
        let state = StateParts { nodes: &self.block(subject).state, authorities: self.shows_authorities(subject) };
        encode_finalised(&fragments, u32::try_from(subject).unwrap(), state)
    }

    /// The recorder proves the authorities where an anchor may be.
    fn shows_authorities(&self, height: u64) -> bool {
        [1, ANCHOR, self.last()].contains(&height) || self.handovers.contains(&height)
    }

    fn config(&self, anchor: u64) -> Config {
        Config {
            chain_id: "substrate-1".into(),
            anchor: Anchor { height: anchor, hash: self.block(anchor).hash },
            store: Store { pallet: "Ibc".into(), item: "Commitments".into() },
            trust: TrustOptions {
                trusting_period_seconds: 14 * 24 * 3600,
                clock_drift_seconds: 10,
                churn_limit_permille: 1000,
                allow_no_fault_tolerance: false,
                retain_heights: 100,
            },
            skipping: false,
        }
    }

    fn client(&self, anchor: u64) -> Grandpa {
        Grandpa::new(self.config(anchor), &self.update(anchor - 1, &[anchor], anchor)).unwrap()
    }

    /// A client that has followed every justified block up to `height`.
    fn follow(&self, height: u64) -> Grandpa {
        let mut client = self.client(ANCHOR);
        let mut trusted = ANCHOR;
        for next in self.justified().filter(|next| (ANCHOR + 1..=height).contains(next)) {
            let verdict = client.advance(&self.update(trusted, &[next], next), self.now());
            assert!(matches!(verdict, Verdict::Verified(Some(_))), "block {next}: {verdict:?}");
            assert_eq!(client.set_id(), self.block(next).set_id, "block {next}");
            trusted = next;
        }
        client
    }

    /// A time just after the newest block.
    fn now(&self) -> Timestamp {
        Timestamp::from_seconds(self.block(self.last()).milliseconds / 1000 + 1)
    }
}

#[test]
fn block_hashes_are_those_of_the_node() {
    for block in recorded().blocks {
        assert_eq!(block_hash(&block.header).unwrap(), block.hash, "block {}", block.number);
    }
}

#[test]
fn every_justified_block_is_followed_through_both_handovers() {
    let recorded = recorded();
    let client = recorded.follow(recorded.last());
    let status = client.status();
    let last = recorded.block(recorded.last());
    assert_eq!((status.trusted_height, status.trusted_hash), (last.number, last.hash));
    for height in recorded.justified() {
        let (block, verified) = (recorded.block(height), client.header(height).unwrap());
        assert_eq!((verified.height, verified.hash), (height, block.hash));
        assert_eq!(verified.timestamp, Timestamp::from_nanos(block.milliseconds * 1_000_000));
    }
    // The recording has what it is said to have, so that this test keeps seeing it.
    assert_eq!((recorded.handovers.len(), client.set_id()), (2, 2));
    assert!(recorded.justified().count() < recorded.blocks.len(), "some block is final through one above it");
    let bytes = client.save();
    let restored = Grandpa::restore(recorded.config(ANCHOR), &bytes, &Hash32::sha256(&[&bytes])).unwrap();
    assert_eq!(restored.status(), status);
}

#[test]
fn a_client_catches_up_with_both_handovers_in_one_update() {
    let recorded = recorded();
    let (first, second, last) = (recorded.handovers[0], recorded.handovers[1], recorded.last());
    let mut client = recorded.client(ANCHOR);
    let verdict = client.advance(&recorded.update(ANCHOR, &[first, second, last], last), recorded.now());
    assert!(matches!(verdict, Verdict::Verified(Some(_))), "{verdict:?}");
    assert_eq!((client.status().trusted_height, client.set_id()), (last, 2));
    // And back to a block that has no justification of its own.
    let below = recorded.blocks.iter().rfind(|block| block.justification.is_none()).unwrap();
    let verdict = client.advance(&encode_linked(&recorded.line(last - 1, below.number), &below.state), recorded.now());
    assert!(matches!(verdict, Verdict::Verified(Some(_))), "{verdict:?}");
    assert_eq!(client.header(below.number).unwrap().hash, below.hash);
}

#[test]
fn an_anchor_may_be_any_block_that_proves_its_authorities() {
    let recorded = recorded();
    for anchor in [ANCHOR, recorded.handovers[0], recorded.handovers[1], recorded.last()] {
        let mut client = recorded.client(anchor);
        assert_eq!(client.set_id(), recorded.block(anchor).set_id);
        if let Some(next) = recorded.justified().find(|height| *height > anchor) {
            let verdict = client.advance(&recorded.update(anchor, &[next], next), recorded.now());
            assert!(matches!(verdict, Verdict::Verified(Some(_))), "{anchor}: {verdict:?}");
        }
    }
}

#[test]
fn a_handover_is_not_passed_over() {
    let recorded = recorded();
    for handover in &recorded.handovers {
        let before = recorded.justified().take_while(|height| height < handover).last().unwrap();
        let after = recorded.justified().find(|height| height > handover).unwrap();
        let mut client = recorded.follow(before);
        // The block of the handover is in the line: the next set's votes do not make it trusted.
        let verdict = client.advance(&recorded.update(before, &[after], after), recorded.now());
        let refused = matches!(&verdict, Verdict::NeedsIntermediate { reason, .. } if reason.code == "LC-GRANDPA-018");
        assert!(refused, "{handover}: {verdict:?}");
        assert_eq!(client.status().trusted_height, before);
    }
}

#[test]
fn the_proof_of_finality_is_the_justification_of_the_next_handover() {
    let recorded = recorded();
    let ends = [recorded.handovers[0], recorded.handovers[1], recorded.last()];
    let proofs = vectors("blocks.json");
    for (proof, end) in proofs["prove_finality"].as_array().unwrap().iter().zip(ends) {
        // sc-consensus-grandpa `FinalityProof`: the hash of the block, its justification with a length of two bytes in
        // front, and the headers up to there.
        let (bytes, block) = (unhex(&proof["proof_hex"]), recorded.block(end));
        let justification = block.justification.as_deref().unwrap();
        assert_eq!(bytes[..32], block.hash.0, "{}", proof["number"]);
        assert_eq!(&bytes[34..34 + justification.len()], justification, "{}", proof["number"]);
    }
}

/// A justification: round, hash and number of the target, a count of one byte, votes of 132 bytes.
#[test]
fn each_vote_of_the_smallest_justifications_is_needed() {
    const VOTES_AT: usize = 8 + 32 + 4 + 1;
    const VOTE_BYTES: usize = 132;
    let mut recorded = recorded();
    let mut tried = 0;
    for set in 0..=2 {
        let in_set = |height: &u64| *height > ANCHOR && recorded.set_of(*height) == set;
        let votes = |height: &u64| recorded.block(*height).justification.as_ref().map(Vec::len);
        let height = recorded.justified().filter(in_set).min_by_key(votes).unwrap();
        let trusted = recorded.justified().take_while(|other| *other < height).last().unwrap();
        let client = recorded.follow(trusted);
        let whole = recorded.block(height).justification.clone().unwrap();
        for vote in 0..usize::from(whole[VOTES_AT - 1] >> 2) {
            let mut fewer = whole.clone();
            fewer[VOTES_AT - 1] -= 4;
            fewer.drain(VOTES_AT + vote * VOTE_BYTES..VOTES_AT + (vote + 1) * VOTE_BYTES);
            recorded.blocks[usize::try_from(height - 1).unwrap()].justification = Some(fewer);
            let verdict = client.clone().advance(&recorded.update(trusted, &[height], height), recorded.now());
            assert!(
                matches!(&verdict, Verdict::Rejected(reason) if reason.code == "LC-QUO-005"),
                "{height}: {verdict:?}"
            );
            tried += 1;
        }
        recorded.blocks[usize::try_from(height - 1).unwrap()].justification = Some(whole);
    }
    assert!(tried >= 9, "{tried}");
}

#[test]
fn a_live_update_with_one_bit_changed_is_never_trusted() {
    let recorded = recorded();
    let client = recorded.client(ANCHOR);
    let next = recorded.justified().find(|height| *height > ANCHOR).unwrap();
    let update = recorded.update(ANCHOR, &[next], next);
    for at in 0..update.len() {
        let mut changed = update.clone();
        changed[at] ^= 1 << (at % 8);
        let verdict = client.clone().advance(&changed, recorded.now());
        let refused = matches!(verdict, Verdict::Rejected(_) | Verdict::NeedsIntermediate { .. });
        assert!(refused, "byte {at}: {verdict:?}");
    }
}

#[test]
fn live_commitments_are_proven_through_the_client() {
    let (recorded, vectors) = (recorded(), vectors("proofs.json"));
    let height = vectors["height"].as_u64().unwrap();
    let client = recorded.follow(height);
    let (mut present, mut absent) = (0, 0);
    for row in vectors["rows"].as_array().unwrap() {
        let path = unhex(&row["path_hex"]);
        let (alone, witnessed) =
            (encode_proof(&nodes(&row["nodes"])), encode_proof(&nodes(&row["nodes_with_witness"])));
        if row["value"].is_null() {
            assert_eq!(client.absence(height, &path, &witnessed).unwrap().path, path);
            assert!(client.membership(height, &path, &[1; 32], &alone).is_err());
            absent += 1;
            continue;
        }
        let value = unhex(&row["value"]);
        let fact = client.membership(height, &path, &value, &alone).unwrap();
        assert_eq!((fact.height, &fact.path, &fact.value), (height, &path, &value));
        assert_eq!(client.absence(height, &path, &witnessed).unwrap_err().code, "LC-GRANDPA-046");
        let mut other = value.clone();
        other[0] ^= 1;
        assert!(client.membership(height, &path, &other, &alone).is_err());
        assert!(client.membership(height - 1, &path, &value, &alone).is_err());
        for at in 0..alone.len() {
            let mut changed = alone.clone();
            changed[at] ^= 1 << (at % 8);
            assert!(client.membership(height, &path, &value, &changed).is_err(), "byte {at}");
        }
        present += 1;
    }
    assert_eq!((present, absent), (3, 3));
}
