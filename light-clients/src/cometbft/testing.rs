//! Chains of real headers and commits, signed with ed25519 keys, for tests, fuzzing, benches and devnets.

use alloc::borrow::ToOwned;
use alloc::string::String;
use alloc::{vec, vec::Vec};

use ed25519_consensus::SigningKey;
use prost_tendermint::Message;
use tendermint_proto::google::protobuf::Timestamp as RawTimestamp;
use tendermint_proto::v0_38::crypto::{public_key::Sum, PublicKey as RawPublicKey};
use tendermint_proto::v0_38::types::{
    BlockId as RawBlockId, BlockIdFlag, Commit as RawCommit, CommitSig as RawCommitSig, Header as RawHeader,
    PartSetHeader as RawPartSetHeader, SignedHeader as RawSignedHeader, Validator as RawValidator,
    ValidatorSet as RawValidatorSet,
};
use tendermint_proto::v0_38::version::Consensus;

use super::decode::address_of;
use super::{encode_update, CometBft, Config};
use crate::trust::{Anchor, TrustOptions};
use crate::verdict::{Hash32, Timestamp};

/// Time of block 1 of every test chain, in seconds since the Unix epoch.
pub const START_SECONDS: u64 = 1_750_000_000;

/// Time between two blocks, in seconds.
pub const BLOCK_SECONDS: u64 = 2;

/// A validator with its key.
#[derive(Clone, Debug)]
pub struct Signer {
    key: Key,
    /// Its voting power.
    pub power: u64,
}

#[derive(Clone, Debug)]
enum Key {
    Honest(SigningKey),
    /// A point of small order, and the bytes that stand for every signature.
    Weak([u8; 32], [u8; 64]),
}

impl Signer {
    /// A validator whose key is a point of small order: its signature is the same for every message.
    #[must_use]
    pub fn weak(key: [u8; 32], signature: [u8; 64], power: u64) -> Self {
        Self { key: Key::Weak(key, signature), power }
    }

    /// The validator of a seed: equal seeds give equal keys.
    #[must_use]
    pub fn new(seed: u64, power: u64) -> Self {
        let key = Hash32::sha256(&[b"catenary test validator", &seed.to_be_bytes()]);
        Self { key: Key::Honest(SigningKey::from(key.0)), power }
    }

    /// The public key.
    #[must_use]
    pub fn public_key(&self) -> [u8; 32] {
        match &self.key {
            Key::Honest(key) => key.verification_key().to_bytes(),
            Key::Weak(key, _) => *key,
        }
    }

    /// The address.
    #[must_use]
    pub fn address(&self) -> [u8; 20] {
        address_of(&self.public_key())
    }

    /// Signs a message.
    #[must_use]
    pub fn sign(&self, message: &[u8]) -> [u8; 64] {
        match &self.key {
            Key::Honest(key) => key.sign(message).to_bytes(),
            Key::Weak(_, signature) => *signature,
        }
    }
}

/// Signers of the given powers with keys of `seed`, in the order of a validator set.
#[must_use]
pub fn signers(seed: u64, powers: &[u64]) -> Vec<Signer> {
    let signers = powers.iter().zip(0u64..).map(|(power, n)| Signer::new(seed.wrapping_mul(10_000) + n, *power));
    ordered(signers.collect())
}

/// Signers in the order of a validator set: by falling power, then by rising address.
#[must_use]
pub fn ordered(mut signers: Vec<Signer>) -> Vec<Signer> {
    signers.sort_by_key(|signer| (core::cmp::Reverse(signer.power), signer.address()));
    signers
}

/// What one signature of a commit is over.
#[derive(Clone, Debug)]
pub struct SignatureCheck {
    /// Public key.
    pub key: [u8; 32],
    /// Signed bytes.
    pub message: Vec<u8>,
    /// Signature.
    pub signature: [u8; 64],
}

/// How a validator votes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Ballot {
    /// No vote received.
    Absent,
    /// For no block.
    Nil,
    /// For the block.
    Block,
}

/// A block of a test chain.
#[derive(Clone, Debug)]
pub(crate) struct Block {
    pub(crate) signed: RawSignedHeader,
    pub(crate) validators: Vec<Signer>,
    pub(crate) next: Vec<Signer>,
}

/// A chain of signed headers from height 1 on.
#[derive(Clone, Debug)]
pub struct Chain {
    chain_id: String,
    pub(crate) blocks: Vec<Block>,
    next: Vec<Signer>,
}

impl Chain {
    /// A chain without blocks whose first block is signed by `validators`.
    #[must_use]
    pub fn new(chain_id: &str, validators: Vec<Signer>) -> Self {
        Self { chain_id: chain_id.to_owned(), blocks: Vec::new(), next: validators }
    }

    /// A chain of `count` blocks with the same validators, whose application hashes differ.
    #[must_use]
    pub fn of(chain_id: &str, validators: Vec<Signer>, count: u64) -> Self {
        let mut chain = Self::new(chain_id, validators);
        for height in 1..=count {
            chain.push(Hash32::sha256(&[b"state before block", &height.to_be_bytes()]));
        }
        chain
    }

    /// Adds a block that carries this application hash: the state after the block before it.
    pub fn push(&mut self, app_hash: Hash32) {
        self.push_announcing(app_hash, self.next.clone());
    }

    /// Adds a block after which `next` are the validators.
    pub fn push_announcing(&mut self, app_hash: Hash32, next: Vec<Signer>) {
        let validators = core::mem::replace(&mut self.next, next);
        let height = self.blocks.len() as u64 + 1;
        let header = RawHeader {
            version: Some(Consensus { block: 11, app: 0 }),
            chain_id: self.chain_id.clone(),
            height: height as i64,
            time: Some(raw_time(START_SECONDS + height * BLOCK_SECONDS)),
            last_block_id: self.blocks.last().map(|block| block.signed.commit.clone().unwrap().block_id.unwrap()),
            last_commit_hash: Hash32::sha256(&[b"last commit"]).0.to_vec(),
            data_hash: Hash32::sha256(&[]).0.to_vec(),
            validators_hash: set_hash(&validators).0.to_vec(),
            next_validators_hash: set_hash(&self.next).0.to_vec(),
            consensus_hash: Hash32::sha256(&[b"consensus"]).0.to_vec(),
            app_hash: app_hash.0.to_vec(),
            last_results_hash: Hash32::sha256(&[]).0.to_vec(),
            evidence_hash: Hash32::sha256(&[]).0.to_vec(),
            proposer_address: validators[0].address().to_vec(),
        };
        let ballots = vec![Ballot::Block; validators.len()];
        let signed = sign_header(header, &validators, &ballots);
        self.blocks.push(Block { signed, validators, next: self.next.clone() });
    }

    /// Signs the block at a height again after a change of its header; later blocks still follow the old one.
    #[cfg(test)]
    pub(crate) fn resign(&self, height: u64, ballots: &[Ballot], change: impl FnOnce(&mut RawHeader)) -> Block {
        let mut block = self.block(height).clone();
        let mut header = block.signed.header.clone().unwrap();
        change(&mut header);
        block.signed = sign_header(header, &block.validators, ballots);
        block
    }

    pub(crate) fn block(&self, height: u64) -> &Block {
        &self.blocks[height as usize - 1]
    }

    /// The update for a height with its validators.
    #[must_use]
    pub fn update(&self, height: u64) -> Vec<u8> {
        self.block(height).update()
    }

    /// The update for a height without validators.
    #[must_use]
    pub fn bare_update(&self, height: u64) -> Vec<u8> {
        encode_update(&self.block(height).signed.encode_to_vec(), None, None)
    }

    /// The update for a height with its validators and the ones that it announces.
    #[must_use]
    pub fn full_update(&self, height: u64) -> Vec<u8> {
        let block = self.block(height);
        let (own, next) = (raw_set(&block.validators), raw_set(&block.next));
        encode_update(&block.signed.encode_to_vec(), Some(&own.encode_to_vec()), Some(&next.encode_to_vec()))
    }

    /// The update for a height with both sets, whose header has another time and is signed again; later blocks still
    /// follow the one that it was.
    #[must_use]
    pub fn full_update_at(&self, height: u64, time: Timestamp) -> Vec<u8> {
        let block = self.block(height);
        let mut header = block.signed.header.clone().unwrap();
        let nanos = (time.nanos % 1_000_000_000) as i32;
        header.time = Some(RawTimestamp { nanos, ..raw_time(time.seconds()) });
        let signed = sign_header(header, &block.validators, &vec![Ballot::Block; block.validators.len()]);
        let (own, next) = (raw_set(&block.validators), raw_set(&block.next));
        encode_update(&signed.encode_to_vec(), Some(&own.encode_to_vec()), Some(&next.encode_to_vec()))
    }

    /// Hash of the header at a height.
    #[must_use]
    pub fn hash(&self, height: u64) -> Hash32 {
        self.block(height).hash()
    }

    /// Time of the header at a height.
    #[must_use]
    pub fn time(&self, height: u64) -> Timestamp {
        Timestamp::from_seconds(START_SECONDS + height * BLOCK_SECONDS)
    }

    /// Each signature for the block at a height with what it is over, in slot order.
    #[must_use]
    pub fn signatures(&self, height: u64) -> Vec<SignatureCheck> {
        let block = self.block(height);
        let commit = block.signed.commit.as_ref().unwrap();
        let slots = commit.signatures.iter().zip(&block.validators).zip(0u32..);
        slots
            .filter(|((slot, _), _)| slot.block_id_flag == BlockIdFlag::Commit as i32)
            .map(|((slot, signer), position)| SignatureCheck {
                key: signer.public_key(),
                message: sign_bytes(&self.chain_id, commit, slot, position),
                signature: slot.signature.as_slice().try_into().unwrap(),
            })
            .collect()
    }

    /// A configuration anchored at a height: no churn limit, two weeks of trust, no skipping.
    #[must_use]
    pub fn config(&self, anchor_height: u64) -> Config {
        Config {
            chain_id: self.chain_id.clone(),
            anchor: Anchor { height: anchor_height, hash: self.hash(anchor_height) },
            store_prefix: vec![b"ibc".to_vec(), Vec::new()],
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

    /// A light client anchored at a height.
    #[must_use]
    pub fn client(&self, anchor_height: u64) -> CometBft {
        CometBft::new(self.config(anchor_height), &self.full_update(anchor_height)).unwrap()
    }
}

impl Block {
    pub(crate) fn update(&self) -> Vec<u8> {
        encode_update(&self.signed.encode_to_vec(), Some(&raw_set(&self.validators).encode_to_vec()), None)
    }

    pub(crate) fn hash(&self) -> Hash32 {
        let id = self.signed.commit.as_ref().unwrap().block_id.as_ref().unwrap();
        Hash32::from_slice(&id.hash).unwrap()
    }
}

pub(crate) fn raw_time(seconds: u64) -> RawTimestamp {
    RawTimestamp { seconds: seconds as i64, nanos: 0 }
}

/// The set in protobuf form, with a proposer and priorities as nodes send them.
pub(crate) fn raw_set(signers: &[Signer]) -> RawValidatorSet {
    let validators: Vec<RawValidator> = signers
        .iter()
        .zip(0i64..)
        .map(|(signer, n)| RawValidator {
            address: signer.address().to_vec(),
            pub_key: Some(RawPublicKey { sum: Some(Sum::Ed25519(signer.public_key().to_vec())) }),
            voting_power: signer.power as i64,
            proposer_priority: 100 - n,
        })
        .collect();
    RawValidatorSet { proposer: validators.first().cloned(), validators, total_voting_power: 0 }
}

pub(crate) fn set_hash(signers: &[Signer]) -> Hash32 {
    let mut raw = raw_set(signers);
    raw.proposer = None;
    let set = tendermint::validator::Set::try_from(raw).unwrap();
    Hash32::from_slice(set.hash().as_bytes()).unwrap()
}

/// A header with a commit of round 0 in which each validator votes as its ballot says.
pub(crate) fn sign_header(header: RawHeader, signers: &[Signer], ballots: &[Ballot]) -> RawSignedHeader {
    let hash = tendermint::block::Header::try_from(header.clone()).unwrap().hash();
    let parts = RawPartSetHeader { total: 1, hash: Hash32::sha256(&[b"parts", hash.as_bytes()]).0.to_vec() };
    let block_id = RawBlockId { hash: hash.as_bytes().to_vec(), part_set_header: Some(parts) };
    let mut commit = RawCommit { height: header.height, round: 0, block_id: Some(block_id), signatures: vec![] };
    commit.signatures = signers
        .iter()
        .zip(ballots)
        .zip(0u32..)
        .map(|((signer, ballot), position)| sign_slot(&header, &commit, (signer, *ballot), position))
        .collect();
    RawSignedHeader { header: Some(header), commit: Some(commit) }
}

fn sign_slot(header: &RawHeader, commit: &RawCommit, vote: (&Signer, Ballot), position: u32) -> RawCommitSig {
    let (signer, ballot) = vote;
    let flag = match ballot {
        Ballot::Absent => {
            return RawCommitSig {
                block_id_flag: BlockIdFlag::Absent as i32,
                validator_address: vec![],
                timestamp: Some(RawTimestamp { seconds: -62_135_596_800, nanos: 0 }),
                signature: vec![],
            }
        }
        Ballot::Nil => BlockIdFlag::Nil,
        Ballot::Block => BlockIdFlag::Commit,
    };
    let mut slot = RawCommitSig {
        block_id_flag: flag as i32,
        validator_address: signer.address().to_vec(),
        // Votes differ in their times, so that what each signs is its own.
        timestamp: header.time.map(|time| RawTimestamp { nanos: 1_000 + position as i32, ..time }),
        signature: vec![0; 64],
    };
    slot.signature = signer.sign(&sign_bytes(&header.chain_id, commit, &slot, position)).to_vec();
    slot
}

/// What a validator signs in a slot of a commit.
pub(crate) fn sign_bytes(chain_id: &str, commit: &RawCommit, slot: &RawCommitSig, position: u32) -> Vec<u8> {
    let block_id = (slot.block_id_flag == BlockIdFlag::Commit as i32).then(|| commit.block_id.clone().unwrap());
    let vote = tendermint::Vote {
        vote_type: tendermint::vote::Type::Precommit,
        height: commit.height.try_into().unwrap(),
        round: commit.round.try_into().unwrap(),
        block_id: block_id.map(|id| id.try_into().unwrap()),
        timestamp: slot.timestamp.map(|time| time.try_into().unwrap()),
        validator_address: slot.validator_address.clone().try_into().unwrap(),
        validator_index: position.try_into().unwrap(),
        signature: None,
        extension: vec![],
        extension_signature: None,
    };
    vote.into_signable_vec(chain_id.parse().unwrap())
}
