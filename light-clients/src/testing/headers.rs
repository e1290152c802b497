//! Sealed headers of QBFT and IBFT 2.0, good and bad.
//!
//! Headers are encoded here from their fields, independently of how the light client takes them apart, so that a
//! mistake in its hashes cannot cancel itself out in a test.
//!
//! A chain that makes its own headers takes three steps: fill a [`HeaderSpec`] (its fields are those of the Yellow
//! Paper, section 4.3, and those of the extra data), [`HeaderSpec::seal`] it with the validators' keys in the order
//! in which their seals should stand, and [`HeaderSpec::encode`] it. [`HeaderSpec::hash`] is the block hash that the
//! next header names as its parent, and [`HeaderSpec::extra_data`] what `eth_getBlockByNumber` shows.

use alloc::vec;
use alloc::vec::Vec;

use super::keys::{keys, Key};
use crate::bft::{Client, Config, Form};
use crate::crypto::{keccak256, Address};
#[cfg(feature = "qbft")]
use crate::qbft::{Qbft, QbftForm};
use crate::quorum::two_thirds_of;
use crate::rlp;
use crate::trust::{Anchor, TrustOptions};
use crate::verdict::{Hash32, Timestamp};

/// How the extra data is written, and which hashes are made of it.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Encoding {
    /// QBFT: no vote is an empty list, the round is a number, and hashes are made with an empty list of seals.
    #[default]
    Qbft,
    /// IBFT 2.0: no vote is an empty string, the round has four bytes, and hashes are made without what they leave
    /// out.
    Ibft2,
}

impl Encoding {
    /// The item of a header without a vote.
    #[must_use]
    pub fn no_vote(self) -> Vec<u8> {
        match self {
            Self::Qbft => vec![0xc0],
            Self::Ibft2 => vec![0x80],
        }
    }

    /// The item of a vote to add a validator, or to drop one.
    #[must_use]
    pub fn vote(self, candidate: Address, add: bool) -> Vec<u8> {
        let drop: &[u8] = match self {
            Self::Qbft => &[],
            Self::Ibft2 => &[0],
        };
        list(&[bytes(&candidate.0), bytes(if add { &[0xff] } else { drop })].concat())
    }

    /// The item of a round.
    #[must_use]
    pub fn round(self, round: u32) -> Vec<u8> {
        match self {
            Self::Qbft => uint(u64::from(round)),
            Self::Ibft2 => bytes(&round.to_be_bytes()),
        }
    }
}

/// Hash of an empty list of ommers: keccak-256 of the byte 0xc0 (Yellow Paper, section 4.4.3).
pub const EMPTY_OMMERS: Hash32 = Hash32([
    0x1d, 0xcc, 0x4d, 0xe8, 0xde, 0xc7, 0x5d, 0x7a, 0xab, 0x85, 0xb5, 0x67, 0xb6, 0xcc, 0xd4, 0x1a, 0xd3, 0x12, 0x45,
    0x1b, 0x94, 0x8a, 0x74, 0x13, 0xf0, 0xa1, 0x42, 0xfd, 0x40, 0xd4, 0x93, 0x47,
]);

/// The fields of a header, each open to abuse.
#[derive(Clone, Debug)]
pub struct HeaderSpec {
    /// How the extra data is written.
    pub encoding: Encoding,
    /// Block hash of the header below.
    pub parent_hash: Hash32,
    /// Hash of the ommers. QBFT leaves it open; IBFT 2.0 demands [`EMPTY_OMMERS`].
    pub ommers_hash: Hash32,
    /// The proposer.
    pub coinbase: Address,
    /// State root.
    pub state_root: Hash32,
    /// Transactions root.
    pub transactions_root: Hash32,
    /// Receipts root.
    pub receipts_root: Hash32,
    /// Bloom filter of the logs, 256 bytes in good headers.
    pub logs_bloom: Vec<u8>,
    /// Difficulty.
    pub difficulty: u64,
    /// Height.
    pub number: u64,
    /// Gas limit.
    pub gas_limit: u64,
    /// Gas used.
    pub gas_used: u64,
    /// Time in seconds since 1970.
    pub time_seconds: u64,
    /// Mix hash.
    pub mix_hash: [u8; 32],
    /// Nonce.
    pub nonce: [u8; 8],
    /// Vanity, 32 bytes in good headers.
    pub vanity: Vec<u8>,
    /// Validators, ascending in good headers.
    pub validators: Vec<Address>,
    /// The encoded vote; see [`Encoding::vote`].
    pub vote: Vec<u8>,
    /// The encoded round; see [`Encoding::round`].
    pub round: Vec<u8>,
    /// Seals, 65 bytes each in good headers.
    pub seals: Vec<Vec<u8>>,
    /// Encoded items after the seals: none in good headers.
    pub extra_items: Vec<u8>,
    /// Encoded fields after the nonce, as later forks add them.
    pub trailing: Vec<Vec<u8>>,
}

/// An encoded vote of QBFT to add a validator, or to drop one.
#[must_use]
pub fn vote(candidate: Address, add: bool) -> Vec<u8> {
    Encoding::Qbft.vote(candidate, add)
}

impl HeaderSpec {
    /// A QBFT header of its own, unsealed: round 0, no vote, proposed by the first validator.
    #[must_use]
    pub fn new(number: u64, time_seconds: u64, keys: &[Key]) -> Self {
        Self {
            encoding: Encoding::Qbft,
            parent_hash: keccak256(&[b"nothing"]),
            ommers_hash: Hash32([0x1d; 32]),
            coinbase: keys[0].address(),
            state_root: keccak256(&[b"state", &number.to_be_bytes()]),
            transactions_root: Hash32([0x56; 32]),
            receipts_root: Hash32([0x57; 32]),
            logs_bloom: vec![0; 256],
            difficulty: 1,
            number,
            gas_limit: 0xe000_0000,
            gas_used: 0,
            time_seconds,
            mix_hash: *b"ctical byzantine fault tolerance",
            nonce: [0; 8],
            vanity: vec![0; 32],
            validators: keys.iter().map(Key::address).collect(),
            vote: vec![0xc0],
            round: vec![0x80],
            seals: Vec::new(),
            extra_items: Vec::new(),
            trailing: Vec::new(),
        }
    }

    /// The header in another encoding: round 0, no vote, no seals, and no ommers.
    #[must_use]
    pub fn encoded_as(self, encoding: Encoding) -> Self {
        let ommers_hash = if encoding == Encoding::Ibft2 { EMPTY_OMMERS } else { self.ommers_hash };
        let (vote, round) = (encoding.no_vote(), encoding.round(0));
        Self { encoding, ommers_hash, vote, round, seals: Vec::new(), ..self }
    }

    /// The header of a chain whose validators are in a contract: it lists none.
    #[must_use]
    pub fn without_validators(self) -> Self {
        Self { validators: Vec::new(), ..self }
    }

    /// The next header over this one, unsealed.
    #[must_use]
    pub fn child(&self, keys: &[Key]) -> Self {
        let child = Self::new(self.number + 1, self.time_seconds + 1, keys).encoded_as(self.encoding);
        Self { parent_hash: self.hash(), vanity: self.vanity.clone(), trailing: self.trailing.clone(), ..child }
    }

    /// Adds a seal of each key.
    pub fn seal<'k>(&mut self, keys: impl IntoIterator<Item = &'k Key>) {
        let digest = self.seal_hash().0;
        self.seals.extend(keys.into_iter().map(|key| key.sign(&digest).to_vec()));
    }

    /// Replaces the seals by those of exactly a quorum of `keys`, which should be the validators.
    #[must_use]
    pub fn sealed(mut self, keys: &[Key]) -> Self {
        self.seals.clear();
        let quorum = keys.len().try_into().map_or(0, two_thirds_of);
        self.seal(&keys[..quorum]);
        self
    }

    /// The header as the chain has it.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        self.encode_with(&self.extra_data())
    }

    /// The extra data as the chain has it.
    #[must_use]
    pub fn extra_data(&self) -> Vec<u8> {
        let seals: Vec<u8> = self.seals.iter().flat_map(|seal| bytes(seal)).collect();
        self.extra_with(&[&self.round, &list(&seals), &self.extra_items])
    }

    /// The block hash.
    #[must_use]
    pub fn hash(&self) -> Hash32 {
        let extra = match self.encoding {
            Encoding::Qbft => self.extra_with(&[&[0x80], &[0xc0], &self.extra_items]),
            // Besu hashes block 0 of either family as it stands, which makes a difference in this one only.
            Encoding::Ibft2 if self.number == 0 => self.extra_data(),
            Encoding::Ibft2 => self.extra_with(&[]),
        };
        keccak256(&[&self.encode_with(&extra)])
    }

    /// What validators seal.
    #[must_use]
    pub fn seal_hash(&self) -> Hash32 {
        let extra = match self.encoding {
            Encoding::Qbft => self.extra_with(&[&self.round, &[0xc0], &self.extra_items]),
            Encoding::Ibft2 => self.extra_with(&[&self.round]),
        };
        keccak256(&[&self.encode_with(&extra)])
    }

    /// The extra data with `tail` behind the vote.
    fn extra_with(&self, tail: &[&[u8]]) -> Vec<u8> {
        let validators: Vec<u8> = self.validators.iter().flat_map(|a| bytes(&a.0)).collect();
        list(&[bytes(&self.vanity), list(&validators), self.vote.clone(), tail.concat()].concat())
    }

    fn encode_with(&self, extra: &[u8]) -> Vec<u8> {
        let mut fields = [
            bytes(&self.parent_hash.0),
            bytes(&self.ommers_hash.0),
            bytes(&self.coinbase.0),
            bytes(&self.state_root.0),
            bytes(&self.transactions_root.0),
            bytes(&self.receipts_root.0),
            bytes(&self.logs_bloom),
            uint(self.difficulty),
            uint(self.number),
            uint(self.gas_limit),
            uint(self.gas_used),
            uint(self.time_seconds),
            bytes(extra),
            bytes(&self.mix_hash),
            bytes(&self.nonce),
        ]
        .concat();
        self.trailing.iter().for_each(|field| fields.extend_from_slice(field));
        list(&fields)
    }
}

fn bytes(payload: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    rlp::put_bytes(&mut out, payload);
    out
}

fn uint(value: u64) -> Vec<u8> {
    let mut out = Vec::new();
    rlp::put_uint(&mut out, value);
    out
}

fn list(payload: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    rlp::put_list(&mut out, payload);
    out
}

/// Options that suit tests: two weeks of trust, no churn limit, small sets allowed.
pub const TRUST: TrustOptions = TrustOptions {
    trusting_period_seconds: 14 * 24 * 3600,
    clock_drift_seconds: 10,
    churn_limit_permille: 1000,
    allow_no_fault_tolerance: true,
    retain_heights: 100,
};

/// Base slot of the commitments (ERC-7201 slot of `ibc.storage.IBCStore`).
pub const COMMITMENT_SLOT: [u8; 32] = [
    0x12, 0x60, 0x94, 0x44, 0x89, 0x27, 0x29, 0x88, 0xd9, 0xdf, 0x28, 0x51, 0x49, 0xb5, 0xaa, 0x1b, 0x0f, 0x48, 0xf2,
    0x13, 0x6d, 0x6f, 0x41, 0x61, 0x59, 0xf8, 0x40, 0xa3, 0xe0, 0x74, 0x76, 0x00,
];

/// A chain of sealed headers, its keys, and a time shortly after its newest header.
#[derive(Clone, Debug)]
pub struct Network {
    /// Keys of the validators, in the order of their addresses.
    pub keys: Vec<Key>,
    /// Sealed headers, block 1 first.
    pub headers: Vec<HeaderSpec>,
}

impl Network {
    /// A QBFT network of `validators` whose block 1 is sealed.
    #[must_use]
    pub fn new(validators: usize) -> Self {
        Self::encoded_as(Encoding::Qbft, validators)
    }

    /// A network of `validators` in either encoding.
    #[must_use]
    pub fn encoded_as(encoding: Encoding, validators: usize) -> Self {
        let keys = keys(validators);
        let first = HeaderSpec::new(1, 1_700_000_000, &keys).encoded_as(encoding).sealed(&keys);
        Self { keys, headers: vec![first] }
    }

    /// The newest header.
    #[must_use]
    pub fn head(&self) -> &HeaderSpec {
        &self.headers[self.headers.len() - 1]
    }

    /// The next header, not sealed yet.
    #[must_use]
    pub fn next(&self) -> HeaderSpec {
        self.head().child(&self.keys)
    }

    /// Seals `header` by a quorum and puts it on the chain; gives its bytes.
    pub fn push(&mut self, header: HeaderSpec) -> Vec<u8> {
        self.headers.push(header.sealed(&self.keys));
        self.head().encode()
    }

    /// Grows the chain by `blocks` plain headers.
    pub fn grow(&mut self, blocks: usize) {
        for _ in 0..blocks {
            let next = self.next();
            self.push(next);
        }
    }

    /// A configuration whose anchor is block 1.
    #[must_use]
    pub fn config(&self) -> Config {
        let first = &self.headers[0];
        Config {
            chain_id: "1337".into(),
            anchor: Anchor { height: first.number, hash: first.hash() },
            router: [0xc0; 20],
            commitment_slot: COMMITMENT_SLOT,
            trust: TRUST,
            skipping: false,
            validator_contract: None,
        }
    }

    /// A QBFT light client that trusts block 1.
    #[cfg(feature = "qbft")]
    #[must_use]
    pub fn client(&self, config: Config) -> Qbft {
        self.client_of::<QbftForm>(config)
    }

    /// A light client of either family that trusts block 1.
    #[must_use]
    pub fn client_of<F: Form>(&self, config: Config) -> Client<F> {
        Client::new(config, &self.headers[0].encode()).expect("block 1 is a good anchor")
    }

    /// One second after the newest header.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        Timestamp::from_seconds(self.head().time_seconds + 1)
    }
}
