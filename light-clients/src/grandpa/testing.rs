//! Chains with real keys, votes, digests and states, for tests, fuzzing, benches and devnets.

use alloc::borrow::ToOwned;
use alloc::{vec, vec::Vec};

use ed25519_zebra::{SigningKey, VerificationKey};
use parity_scale_codec::{Compact, Encode};

use super::decode::{Precommit, SignedPrecommit};
use super::{encode_finalised, encode_header, encode_linked, state_keys};
use super::{Config, FragmentParts, Grandpa, HeaderParts, StateParts, Store};
use crate::crypto::blake2b_256;
use crate::proof::trie::storage_key;
use crate::proof::trie::testing::{StateVersion, Trie};
use crate::trust::{Anchor, TrustOptions};
use crate::verdict::{Hash32, Timestamp};

/// Time of block 0 of every test chain, in seconds since the Unix epoch.
pub const START_SECONDS: u64 = 1_750_000_000;

/// Time between two blocks, in seconds.
pub const BLOCK_SECONDS: u64 = 6;

/// The round that every block of a test chain is finalised in.
pub const ROUND: u64 = 7;

/// An authority with its key.
#[derive(Clone, Debug)]
pub struct Voter {
    key: SigningKey,
    /// Its weight.
    pub weight: u64,
}

impl Voter {
    /// The authority of a seed: equal seeds give equal keys.
    #[must_use]
    pub fn new(seed: u64, weight: u64) -> Self {
        let secret = Hash32::sha256(&[b"catenary test authority", &seed.to_be_bytes()]);
        Self { key: SigningKey::from(secret.0), weight }
    }

    /// The public key.
    #[must_use]
    pub fn id(&self) -> [u8; 32] {
        VerificationKey::from(&self.key).into()
    }

    /// A signed precommit for a block, as SCALE `SignedPrecommit`.
    #[must_use]
    pub fn vote(&self, block: (Hash32, u32), round: u64, set_id: u64) -> Vec<u8> {
        self.precommit(block, round, set_id).encode()
    }

    pub(super) fn precommit(&self, (hash, number): (Hash32, u32), round: u64, set_id: u64) -> SignedPrecommit {
        let mut vote =
            SignedPrecommit { precommit: Precommit { hash: hash.0, number }, signature: [0; 64], id: self.id() };
        vote.signature = self.key.sign(&vote.message(round, set_id)).to_bytes();
        vote
    }
}

/// Authorities of weight 1 with keys of seeds from `first` on.
#[must_use]
pub fn voters(first: u64, count: u64) -> Vec<Voter> {
    (first..first + count).map(|seed| Voter::new(seed, 1)).collect()
}

/// The list of authorities as the chain keeps it.
pub(super) fn list(voters: &[Voter]) -> Vec<([u8; 32], u64)> {
    voters.iter().map(|voter| (voter.id(), voter.weight)).collect()
}

/// A digest item with a message of GRANDPA.
#[must_use]
pub fn message(payload: &[u8]) -> Vec<u8> {
    (4u8, *b"FRNK", payload).encode()
}

/// A digest item that schedules a change of the authorities.
#[must_use]
pub fn scheduled_change(next: &[Voter], delay: u32) -> Vec<u8> {
    message(&(1u8, list(next), delay).encode())
}

/// A digest item that forces a change of the authorities.
#[must_use]
pub fn forced_change(next: &[Voter], delay: u32) -> Vec<u8> {
    message(&(2u8, 5u32, list(next), delay).encode())
}

/// What a block is to carry.
#[derive(Clone, Debug, Default)]
pub struct BlockSpec {
    /// Authorities that it hands over to.
    pub next: Option<Vec<Voter>>,
    /// Further digest items, SCALE encoded.
    pub digest: Vec<Vec<u8>>,
    /// What it writes into the state.
    pub writes: Vec<(Vec<u8>, Vec<u8>)>,
}

/// A block of a test chain.
#[derive(Clone, Debug)]
pub struct Block {
    /// Its number.
    pub number: u32,
    /// Its header, SCALE encoded.
    pub header: Vec<u8>,
    /// Its hash.
    pub hash: Hash32,
    /// The state after it.
    pub state: Trie,
    /// Id of the set that finalises it.
    pub set_id: u64,
    /// The authorities that finalise it.
    pub voters: Vec<Voter>,
}

/// A chain from block 0 on.
#[derive(Clone, Debug)]
pub struct Chain {
    /// Its blocks; block 0 first.
    pub blocks: Vec<Block>,
    next: (u64, Vec<Voter>),
}

/// The store of test chains.
#[must_use]
pub fn store() -> Store {
    Store { pallet: "Ibc".to_owned(), item: "Commitments".to_owned() }
}

impl Chain {
    /// A chain with a block 0 that `voters` follow.
    #[must_use]
    pub fn new(voters: Vec<Voter>, version: StateVersion) -> Self {
        let mut state = Trie::new(version);
        state.insert(&store().witness_key(), &1u16.encode());
        for n in 0..40u32 {
            let key = blake2b_256(&[&n.to_le_bytes()]);
            // Values below and above the size from which on state version 1 hashes them.
            state.insert(key.as_bytes(), &vec![n as u8; 1 + (n as usize * 7) % 60]);
        }
        let mut chain = Self { blocks: Vec::new(), next: (0, voters) };
        chain.add(state, Hash32([0; 32]), &[]);
        chain
    }

    /// A chain of `count` blocks after block 0 with the same authorities.
    #[must_use]
    pub fn of(voters: Vec<Voter>, count: u32) -> Self {
        let mut chain = Self::new(voters, StateVersion::V1);
        chain.extend(count);
        chain
    }

    /// Adds blocks that carry nothing.
    pub fn extend(&mut self, count: u32) {
        for _ in 0..count {
            self.push(BlockSpec::default());
        }
    }

    /// Adds a block.
    pub fn push(&mut self, spec: BlockSpec) -> &Block {
        let parent = self.tip();
        let (mut state, hash) = (parent.state.clone(), parent.hash);
        let number = u64::from(parent.number) + 1;
        for (key, value) in &spec.writes {
            state.insert(key, value);
        }
        let now = (START_SECONDS + number * BLOCK_SECONDS) * 1000;
        state.insert(&storage_key("Timestamp", "Now"), &now.encode());
        let finalisers = self.next.clone();
        let mut digest = vec![(6u8, *b"aura", (now / 6000).encode()).encode()];
        if let Some(next) = spec.next {
            digest.push(scheduled_change(&next, 0));
            self.next = (self.next.0 + 1, next);
        }
        digest.extend(spec.digest);
        digest.push((5u8, *b"aura", vec![9u8; 64]).encode());
        let next = core::mem::replace(&mut self.next, finalisers);
        self.add_after(state, hash, &digest, next);
        self.tip()
    }

    /// Adds a block with a digest item more, whose state has an entry that the digest does not tell of: the id of the set
    /// grows by one as well.
    pub fn push_with_state(&mut self, item: &[u8], entry: (&[u8], &[u8])) {
        let successor = (self.next.0 + 1, self.next.1.clone());
        let finalisers = core::mem::replace(&mut self.next, successor);
        self.push(BlockSpec::default());
        self.rewrite_tip(Some(item), (entry.0, Some(entry.1)));
        let tip = self.blocks.last_mut().expect("a block was added");
        (tip.set_id, tip.voters) = finalisers;
    }

    /// Adds a block whose state has another value under a key, or none.
    pub fn push_changed(&mut self, key: &[u8], value: Option<&[u8]>) {
        self.push(BlockSpec::default());
        self.rewrite_tip(None, (key, value));
    }

    /// Gives the newest block another state, and a digest of at most one item.
    fn rewrite_tip(&mut self, item: Option<&[u8]>, (key, value): (&[u8], Option<&[u8]>)) {
        let block = self.blocks.pop().expect("a chain has blocks");
        let mut state = block.state;
        match value {
            Some(value) => state.insert(key, value),
            None => state.remove(key),
        }
        let digest: Vec<Vec<u8>> = item.map(<[u8]>::to_vec).into_iter().collect();
        let parts = HeaderParts {
            parent: self.tip().hash.0,
            number: block.number,
            state_root: *state.root().as_bytes(),
            extrinsics_root: [3; 32],
            digest: &digest,
        };
        let header = encode_header(&parts);
        self.blocks.push(Block { hash: blake2b_256(&[&header]), header, state, ..block });
    }

    fn add(&mut self, state: Trie, parent: Hash32, digest: &[Vec<u8>]) {
        let next = self.next.clone();
        self.add_after(state, parent, digest, next);
    }

    fn add_after(&mut self, mut state: Trie, parent: Hash32, digest: &[Vec<u8>], next: (u64, Vec<Voter>)) {
        let (set_id, voters) = self.next.clone();
        state.insert(&storage_key("Grandpa", "CurrentSetId"), &next.0.encode());
        state.insert(&storage_key("Grandpa", "Authorities"), &list(&next.1).encode());
        let number = self.blocks.len() as u32;
        let parts = HeaderParts {
            parent: parent.0,
            number,
            state_root: *state.root().as_bytes(),
            extrinsics_root: blake2b_256(&[&number.to_le_bytes()]).0,
            digest,
        };
        let header = encode_header(&parts);
        self.blocks.push(Block { number, hash: blake2b_256(&[&header]), header, state, set_id, voters });
        self.next = next;
    }

    /// The newest block.
    #[must_use]
    pub fn tip(&self) -> &Block {
        &self.blocks[self.blocks.len() - 1]
    }

    /// The block of a number.
    #[must_use]
    pub fn block(&self, number: u32) -> &Block {
        &self.blocks[number as usize]
    }

    /// This chain without the blocks above `number`, to go on differently.
    #[must_use]
    pub fn fork(&self, number: u32) -> Self {
        let mut blocks = self.blocks.clone();
        let next = blocks.get(number as usize + 1).map_or_else(|| self.next.clone(), |b| (b.set_id, b.voters.clone()));
        blocks.truncate(number as usize + 1);
        Self { blocks, next }
    }

    /// Votes of all authorities for a block.
    #[must_use]
    pub fn votes(&self, number: u32) -> Votes {
        let block = self.block(number);
        let ballots = vec![(block.hash, number); block.voters.len()];
        self.votes_for(number, &ballots)
    }

    /// The justification of a block by votes for given blocks, of one authority after the other.
    #[must_use]
    pub fn votes_for(&self, number: u32, ballots: &[(Hash32, u32)]) -> Votes {
        let block = self.block(number);
        let votes = block.voters.iter().zip(ballots);
        Votes {
            round: ROUND,
            target: (block.hash, number),
            votes: votes.map(|(voter, ballot)| voter.precommit(*ballot, ROUND, block.set_id)).collect(),
            ancestries: Vec::new(),
        }
    }

    /// Headers from `from` down to `to`.
    #[must_use]
    pub fn line(&self, from: u32, to: u32) -> Vec<Vec<u8>> {
        (to..=from).rev().map(|number| self.block(number).header.clone()).collect()
    }

    /// The fragment that justifies `top` and goes down to `lowest`.
    #[must_use]
    pub fn fragment(&self, top: u32, lowest: u32) -> FragmentSpec {
        FragmentSpec { set_id: self.block(top).set_id, votes: self.votes(top), headers: self.line(top, lowest) }
    }

    /// The nodes that prove what an update proves of the state of a block.
    #[must_use]
    pub fn state_nodes(&self, number: u32, authorities: bool) -> Vec<Vec<u8>> {
        let keys = state_keys(authorities);
        self.block(number).state.proof(&keys.iter().map(<[u8; 32]>::as_slice).collect::<Vec<_>>())
    }

    /// An update for `subject`, justified at `top`, with headers down to `lowest`.
    #[must_use]
    pub fn spec(&self, subject: u32, top: u32, lowest: u32) -> UpdateSpec {
        UpdateSpec {
            fragments: vec![self.fragment(top, lowest)],
            subject,
            authorities: false,
            nodes: self.state_nodes(subject, false),
        }
    }

    /// The update of a block by itself.
    #[must_use]
    pub fn update(&self, number: u32) -> Vec<u8> {
        self.spec(number, number, number).encode()
    }

    /// The update that an anchor starts from.
    #[must_use]
    pub fn anchor_update(&self, number: u32) -> Vec<u8> {
        let nodes = self.state_nodes(number, true);
        UpdateSpec { authorities: true, nodes, ..self.spec(number, number, number) }.encode()
    }

    /// The update that fills in `number` from a retained header above `top`.
    #[must_use]
    pub fn linked(&self, top: u32, number: u32) -> Vec<u8> {
        encode_linked(&self.line(top, number), &self.state_nodes(number, false))
    }

    /// The proof of a path in the state of a block, with the pallet's storage version where it is to show absence.
    #[must_use]
    pub fn proof(&self, number: u32, path: &[u8], absent: bool) -> Vec<u8> {
        let (key, witness) = (store().key(path), store().witness_key());
        let keys: &[&[u8]] = if absent { &[&key, &witness] } else { &[&key] };
        crate::proof::trie::encode_proof(&self.block(number).state.proof(keys))
    }

    /// Time of a block.
    #[must_use]
    pub const fn time(&self, number: u32) -> Timestamp {
        Timestamp::from_seconds(START_SECONDS + number as u64 * BLOCK_SECONDS)
    }

    /// A configuration that starts at a block.
    #[must_use]
    pub fn config(&self, anchor: u32) -> Config {
        Config {
            chain_id: "substrate-1".to_owned(),
            anchor: Anchor { height: anchor.into(), hash: self.block(anchor).hash },
            store: store(),
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

    /// A client that trusts a block.
    #[must_use]
    pub fn client(&self, anchor: u32) -> Grandpa {
        Grandpa::new(self.config(anchor), &self.anchor_update(anchor)).expect("the anchor holds")
    }
}

/// A justification to be changed and encoded.
#[derive(Clone, Debug)]
pub struct Votes {
    /// Round.
    pub round: u64,
    /// The justified block.
    pub target: (Hash32, u32),
    pub(super) votes: Vec<SignedPrecommit>,
    /// Headers above the justified block, SCALE encoded.
    pub ancestries: Vec<Vec<u8>>,
}

impl Votes {
    /// Keeps the first `count` votes.
    #[must_use]
    pub fn first(mut self, count: usize) -> Self {
        self.votes.truncate(count);
        self
    }

    /// What each vote signs, as (key, signature, message).
    #[must_use]
    pub fn signatures(&self, set_id: u64) -> Vec<([u8; 32], [u8; 64], Vec<u8>)> {
        self.votes.iter().map(|vote| (vote.id, vote.signature, vote.message(self.round, set_id).to_vec())).collect()
    }

    /// SCALE `GrandpaJustification`.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut out = (self.round, self.target.0 .0, self.target.1).encode();
        self.votes.encode_to(&mut out);
        Compact(self.ancestries.len() as u32).encode_to(&mut out);
        self.ancestries.iter().for_each(|header| out.extend_from_slice(header));
        out
    }
}

/// A fragment to be changed and encoded.
#[derive(Clone, Debug)]
pub struct FragmentSpec {
    /// Id of the set that it says to be of.
    pub set_id: u64,
    /// Its justification.
    pub votes: Votes,
    /// Its headers, SCALE encoded.
    pub headers: Vec<Vec<u8>>,
}

/// An update to be changed and encoded.
#[derive(Clone, Debug)]
pub struct UpdateSpec {
    /// Its fragments.
    pub fragments: Vec<FragmentSpec>,
    /// Number of the header that becomes trusted.
    pub subject: u32,
    /// Whether the authorities are proven.
    pub authorities: bool,
    /// The nodes of the state proof.
    pub nodes: Vec<Vec<u8>>,
}

impl UpdateSpec {
    /// The bytes.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let justifications: Vec<Vec<u8>> = self.fragments.iter().map(|fragment| fragment.votes.encode()).collect();
        let parts: Vec<FragmentParts<'_>> = self
            .fragments
            .iter()
            .zip(&justifications)
            .map(|(fragment, justification)| FragmentParts {
                set_id: fragment.set_id,
                justification,
                headers: &fragment.headers,
            })
            .collect();
        encode_finalised(&parts, self.subject, StateParts { nodes: &self.nodes, authorities: self.authorities })
    }
}
