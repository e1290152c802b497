//! Chains of sealed headers of QBFT and IBFT 2.0, good and bad, on what [`sealing`](crate::sealing) encodes.

use alloc::vec;
use alloc::vec::Vec;

use super::keys::keys;
use crate::bft::{Client, Config, Form};
use crate::crypto::{keccak256, Address};
#[cfg(feature = "qbft")]
use crate::qbft::{Qbft, QbftForm};
use crate::quorum::two_thirds_of;
use crate::sealing::{Encoding, HeaderSpec, Key};
use crate::trust::{Anchor, TrustOptions};
use crate::verdict::{Hash32, Timestamp};

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

    /// The next header over this one, unsealed.
    #[must_use]
    pub fn child(&self, keys: &[Key]) -> Self {
        let child = Self::new(self.number + 1, self.time_seconds + 1, keys).encoded_as(self.encoding);
        Self { parent_hash: self.hash(), vanity: self.vanity.clone(), trailing: self.trailing.clone(), ..child }
    }

    /// Adds a seal of each key.
    pub fn seal<'k>(&mut self, keys: impl IntoIterator<Item = &'k Key>) {
        self.try_seal(keys).expect("a 32-byte digest can be signed");
    }

    /// Replaces the seals by those of exactly a quorum of `keys`, which should be the validators.
    #[must_use]
    pub fn sealed(mut self, keys: &[Key]) -> Self {
        self.seals.clear();
        let quorum = keys.len().try_into().map_or(0, two_thirds_of);
        self.seal(&keys[..quorum]);
        self
    }
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
