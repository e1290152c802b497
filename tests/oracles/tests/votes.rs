//! Votes as `finality-grandpa` (Apache-2.0) counts them, and as we do.
//!
//! Intended differences, each asserted: we also refuse a vote for a block below the justified one, which
//! `finality-grandpa` counts as a vote for its ancestors; and we also accept votes that finalise a block above the
//! justified one, of which it is an ancestor, and votes on two branches above it, where `finality-grandpa` wants the
//! justified block to be the highest that is final and starts at the lowest that is voted for.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

use std::collections::{BTreeMap, BTreeSet};

use catenary_light_clients::grandpa::testing::{BlockSpec, Chain, Voter};
use catenary_light_clients::{Hash32, LightClient, Verdict};
use finality_grandpa::voter_set::VoterSet;
use finality_grandpa::{validate_commit, Commit, Error, Precommit, SignedPrecommit};

/// Number of the block that is justified.
const TARGET: u32 = 3;

struct Blocks(BTreeMap<Hash32, (Hash32, u32)>);

impl finality_grandpa::Chain<Hash32, u32> for Blocks {
    fn ancestry(&self, base: Hash32, block: Hash32) -> Result<Vec<Hash32>, Error> {
        let mut way = Vec::new();
        let mut at = block;
        loop {
            at = self.0.get(&at).ok_or(Error::NotDescendent)?.0;
            if at == base {
                return Ok(way);
            }
            way.push(at);
        }
    }
}

struct Numbers(u64);

impl Numbers {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        ((self.0 >> 33) % bound as u64) as usize
    }
}

/// Headers that lead from the blocks that are voted for down to the target, in no order that means anything.
fn above(chains: [&Chain; 2], ballots: &[(Hash32, u32)]) -> Vec<Vec<u8>> {
    let mut needed = BTreeSet::new();
    for (hash, number) in ballots {
        let chain = chains.into_iter().find(|chain| chain.block(*number).hash == *hash).unwrap();
        for number in TARGET + 1..=*number {
            needed.insert(chain.block(number).header.clone());
        }
    }
    needed.into_iter().collect()
}

#[test]
fn verdicts_are_those_of_finality_grandpa() {
    let mut numbers = Numbers(7);
    let (mut verified, mut refused, mut two_branches, mut below) = (0, 0, 0, 0);
    for _ in 0..600 {
        let voters: Vec<Voter> =
            (0..4 + numbers.below(4) as u64).map(|seed| Voter::new(seed, 1 + numbers.below(3) as u64)).collect();
        let chain = Chain::of(voters.clone(), 6);
        let mut twin = chain.fork(TARGET);
        for n in 0..3u8 {
            twin.push(BlockSpec { writes: vec![(vec![n], vec![n])], ..BlockSpec::default() });
        }
        let lowest = TARGET - u32::from(numbers.below(6) == 0);
        let ballots: Vec<(Hash32, u32)> = (0..1 + numbers.below(voters.len()))
            .map(|_| {
                let number = lowest + numbers.below(4) as u32;
                let chain = if numbers.below(8) == 0 { &twin } else { &chain };
                (chain.block(number).hash, number)
            })
            .collect();

        let mut spec = chain.spec(TARGET, TARGET, TARGET);
        spec.fragments[0].votes = chain.votes_for(TARGET, &ballots);
        spec.fragments[0].votes.ancestries = above([&chain, &twin], &ballots);
        let verdict = chain.client(TARGET - 1).advance(&spec.encode(), chain.time(7));
        let ours = matches!(verdict, Verdict::Verified(_));

        let all = chain.blocks.iter().zip(&chain.blocks[1..]).chain(twin.blocks.iter().zip(&twin.blocks[1..]));
        let blocks = Blocks(all.map(|(parent, block)| (block.hash, (parent.hash, block.number))).collect());
        let precommits = ballots.iter().zip(&voters).map(|((target_hash, target_number), voter)| SignedPrecommit {
            precommit: Precommit { target_hash: *target_hash, target_number: *target_number },
            signature: (),
            id: voter.id(),
        });
        let commit = Commit {
            target_hash: chain.block(TARGET).hash,
            target_number: TARGET,
            precommits: precommits.collect::<Vec<_>>(),
        };
        let set = VoterSet::new(voters.iter().map(|voter| (voter.id(), voter.weight))).unwrap();
        let theirs = validate_commit(&commit, &set, &blocks).is_ok_and(|result| result.is_valid());

        let any_below = ballots.iter().any(|(_, number)| *number < TARGET);
        match (ours, theirs) {
            (true, true) => verified += 1,
            (false, false) => refused += 1,
            (true, false) => {
                assert!(ballots.iter().all(|(_, number)| *number >= TARGET), "{verdict:?}");
                let on_twin =
                    |hash: &Hash32| twin.blocks[TARGET as usize + 1..].iter().any(|block| block.hash == *hash);
                let branches: BTreeSet<bool> = ballots.iter().map(|(hash, _)| on_twin(hash)).collect();
                let higher = ballots.iter().zip(&voters).filter(|((_, number), _)| *number > TARGET);
                let higher: u64 = higher.map(|(_, voter)| voter.weight).sum();
                let total: u64 = voters.iter().map(|voter| voter.weight).sum();
                assert!(branches.len() == 2 || higher >= total - (total - 1) / 3, "{verdict:?}");
                two_branches += 1;
            }
            (false, true) => {
                assert!(any_below, "{verdict:?}");
                below += 1;
            }
        }
    }
    assert!(verified > 50 && refused > 50, "{verified} {refused} {two_branches} {below}");
}
