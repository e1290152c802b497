//! Sealed QBFT headers, good and bad.
//!
//! Headers are encoded here from their fields, independently of how the light client takes them apart, so that a
//! mistake in its hashes cannot cancel itself out in a test.

use alloc::vec;
use alloc::vec::Vec;

use super::keys::{keys, Key};
use crate::crypto::{keccak256, Address};
use crate::qbft::{Config, Qbft};
use crate::quorum::two_thirds_of;
use crate::rlp;
use crate::trust::{Anchor, TrustOptions};
use crate::verdict::{Hash32, Timestamp};

/// The fields of a QBFT header, each open to abuse.
#[derive(Clone, Debug)]
pub struct HeaderSpec {
    /// Block hash of the header below.
    pub parent_hash: Hash32,
    /// The proposer.
    pub coinbase: Address,
    /// State root.
    pub state_root: Hash32,
    /// Difficulty.
    pub difficulty: u64,
    /// Height.
    pub number: u64,
    /// Time in seconds since 1970.
    pub time_seconds: u64,
    /// Mix hash.
    pub mix_hash: [u8; 32],
    /// Vanity, 32 bytes in good headers.
    pub vanity: Vec<u8>,
    /// Validators, ascending in good headers.
    pub validators: Vec<Address>,
    /// The encoded vote; see [`vote`].
    pub vote: Vec<u8>,
    /// The encoded round.
    pub round: Vec<u8>,
    /// Seals, 65 bytes each in good headers.
    pub seals: Vec<Vec<u8>>,
    /// Encoded items after the seals: none in good headers.
    pub extra_items: Vec<u8>,
    /// Encoded fields after the nonce, as later forks add them.
    pub trailing: Vec<Vec<u8>>,
}

/// An encoded vote to add a validator, or to drop one.
#[must_use]
pub fn vote(candidate: Address, add: bool) -> Vec<u8> {
    let mut payload = Vec::new();
    rlp::put_bytes(&mut payload, &candidate.0);
    rlp::put_bytes(&mut payload, if add { &[0xff] } else { &[] });
    let mut out = Vec::new();
    rlp::put_list(&mut out, &payload);
    out
}

impl HeaderSpec {
    /// A header of its own, unsealed: round 0, no vote, proposed by the first validator.
    #[must_use]
    pub fn new(number: u64, time_seconds: u64, keys: &[Key]) -> Self {
        Self {
            parent_hash: keccak256(&[b"nothing"]),
            coinbase: keys[0].address(),
            state_root: keccak256(&[b"state", &number.to_be_bytes()]),
            difficulty: 1,
            number,
            time_seconds,
            mix_hash: *b"ctical byzantine fault tolerance",
            vanity: vec![0; 32],
            validators: keys.iter().map(Key::address).collect(),
            vote: vec![0xc0],
            round: vec![0x80],
            seals: Vec::new(),
            extra_items: Vec::new(),
            trailing: Vec::new(),
        }
    }

    /// The next header over this one, unsealed.
    #[must_use]
    pub fn child(&self, keys: &[Key]) -> Self {
        let child = Self::new(self.number + 1, self.time_seconds + 1, keys);
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
        let seals: Vec<u8> = self.seals.iter().flat_map(|seal| bytes(seal)).collect();
        self.encode_with(&self.round, &list(&seals))
    }

    /// The block hash.
    #[must_use]
    pub fn hash(&self) -> Hash32 {
        keccak256(&[&self.encode_with(&[0x80], &[0xc0])])
    }

    /// What validators seal.
    #[must_use]
    pub fn seal_hash(&self) -> Hash32 {
        keccak256(&[&self.encode_with(&self.round, &[0xc0])])
    }

    fn encode_with(&self, round: &[u8], seals: &[u8]) -> Vec<u8> {
        let validators: Vec<u8> = self.validators.iter().flat_map(|a| bytes(&a.0)).collect();
        let extra = [
            bytes(&self.vanity),
            list(&validators),
            self.vote.clone(),
            round.to_vec(),
            seals.to_vec(),
            self.extra_items.clone(),
        ];
        let mut fields = [
            bytes(&self.parent_hash.0),
            bytes(&[0x1d; 32]), // ommers
            bytes(&self.coinbase.0),
            bytes(&self.state_root.0),
            bytes(&[0x56; 32]), // transactions root
            bytes(&[0x57; 32]), // receipts root
            bytes(&[0; 256]),   // bloom
            uint(self.difficulty),
            uint(self.number),
            uint(0xe000_0000), // gas limit
            uint(0),           // gas used
            uint(self.time_seconds),
            bytes(&list(&extra.concat())),
            bytes(&self.mix_hash),
            bytes(&[0; 8]), // nonce
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
    /// A network of `validators` whose block 1 is sealed.
    #[must_use]
    pub fn new(validators: usize) -> Self {
        let keys = keys(validators);
        let first = HeaderSpec::new(1, 1_700_000_000, &keys).sealed(&keys);
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
        }
    }

    /// A light client that trusts block 1.
    #[must_use]
    pub fn client(&self, config: Config) -> Qbft {
        Qbft::new(config, &self.headers[0].encode()).expect("block 1 is a good anchor")
    }

    /// One second after the newest header.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        Timestamp::from_seconds(self.head().time_seconds + 1)
    }
}
