//! The header itself, each field open to abuse.

use alloc::vec;
use alloc::vec::Vec;

use super::keys::{Key, SealError};
use crate::crypto::{keccak256, Address};
use crate::rlp;
use crate::verdict::Hash32;

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

impl HeaderSpec {
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

    /// Adds a seal of each key.
    ///
    /// # Errors
    /// A key cannot sign; no seal was added then.
    pub fn try_seal<'k>(&mut self, keys: impl IntoIterator<Item = &'k Key>) -> Result<(), SealError> {
        let digest = self.seal_hash().0;
        let seals: Result<Vec<_>, _> = keys.into_iter().map(|key| key.try_sign(&digest).map(Vec::from)).collect();
        self.seals.extend(seals?);
        Ok(())
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
