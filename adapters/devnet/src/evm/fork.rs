//! Forks of the EVM, and the header fields that each has added.

use alloy_primitives::B256;
use catenary_light_clients::proof::mpt::EMPTY_ROOT;
use catenary_light_clients::rlp::{put_bytes, put_uint};
use revm::primitives::hardfork::SpecId;
use serde_json::{json, Map, Value};

/// Which rules of the EVM a network has, from its first block on.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
pub enum Fork {
    /// What GoQuorum runs.
    #[default]
    Berlin,
    /// EIP-1559: a base fee.
    London,
    /// EIP-4895: withdrawals, of which a permissioned network has none; EIP-3855: PUSH0.
    Shanghai,
    /// EIP-4844 and EIP-4788: blob gas, of which nothing is used here, and the beacon root, which is zero here.
    Cancun,
    /// EIP-7685: requests, of which there are none here.
    Prague,
}

/// SHA-256 of nothing: the hash of an empty list of requests (EIP-7685).
const NO_REQUESTS: B256 = B256::new([
    0xe3, 0xb0, 0xc4, 0x42, 0x98, 0xfc, 0x1c, 0x14, 0x9a, 0xfb, 0xf4, 0xc8, 0x99, 0x6f, 0xb9, 0x24, 0x27, 0xae, 0x41,
    0xe4, 0x64, 0x9b, 0x93, 0x4c, 0xa4, 0x95, 0x99, 0x1b, 0x78, 0x52, 0xb8, 0x55,
]);

impl Fork {
    /// All of them, oldest first.
    pub const ALL: [Self; 5] = [Self::Berlin, Self::London, Self::Shanghai, Self::Cancun, Self::Prague];

    /// The machine's name for it.
    pub(super) const fn spec(self) -> SpecId {
        match self {
            Self::Berlin => SpecId::BERLIN,
            Self::London => SpecId::LONDON,
            Self::Shanghai => SpecId::SHANGHAI,
            Self::Cancun => SpecId::CANCUN,
            Self::Prague => SpecId::PRAGUE,
        }
    }

    /// The fields that stand after the nonce of a header, encoded.
    pub(super) fn trailing(self, base_fee_wei: u64) -> Vec<Vec<u8>> {
        let uint = |value| {
            let mut out = Vec::new();
            put_uint(&mut out, value);
            out
        };
        let hash = |value: B256| {
            let mut out = Vec::new();
            put_bytes(&mut out, value.as_slice());
            out
        };
        let mut fields = Vec::new();
        if self >= Self::London {
            fields.push(uint(base_fee_wei));
        }
        if self >= Self::Shanghai {
            fields.push(hash(B256::from(EMPTY_ROOT.0)));
        }
        if self >= Self::Cancun {
            fields.extend([uint(0), uint(0), hash(B256::ZERO)]);
        }
        if self >= Self::Prague {
            fields.push(hash(NO_REQUESTS));
        }
        fields
    }

    /// The same fields in JSON, with the lists that a block has beside them.
    pub(super) fn put_json(self, block: &mut Map<String, Value>, base_fee_wei: u64) {
        if self >= Self::London {
            block.insert("baseFeePerGas".to_owned(), json!(format!("{base_fee_wei:#x}")));
        }
        if self >= Self::Shanghai {
            block.insert("withdrawalsRoot".to_owned(), json!(B256::from(EMPTY_ROOT.0)));
            block.insert("withdrawals".to_owned(), json!([]));
        }
        if self >= Self::Cancun {
            block.insert("blobGasUsed".to_owned(), json!("0x0"));
            block.insert("excessBlobGas".to_owned(), json!("0x0"));
            block.insert("parentBeaconBlockRoot".to_owned(), json!(B256::ZERO));
        }
        if self >= Self::Prague {
            block.insert("requestsHash".to_owned(), json!(NO_REQUESTS));
        }
    }
}
