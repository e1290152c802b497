//! Parameters of calls, read as strictly as geth reads them.

use std::sync::Arc;

use alloy_primitives::{Address, B256, U256};
use serde_json::Value;

use super::{refuse, Asked};
use crate::evm::block::Block;
use crate::evm::state::State;
use crate::wire::RpcError;

/// The list of parameters.
pub(super) struct Params<'a>(&'a [Value]);

impl<'a> Params<'a> {
    pub(super) fn new(params: &'a Value) -> Result<Self, RpcError> {
        match params {
            Value::Array(list) => Ok(Self(list)),
            _ => Err(RpcError::invalid_params("non-array args")),
        }
    }

    /// A parameter; null and a missing one are the same.
    pub(super) fn get(&self, index: usize) -> Option<&'a Value> {
        self.0.get(index).filter(|value| !value.is_null())
    }

    pub(super) fn required(&self, index: usize) -> Result<&'a Value, RpcError> {
        self.get(index).ok_or_else(|| RpcError::invalid_params(format!("missing value for required argument {index}")))
    }

    pub(super) fn text(&self, index: usize) -> Result<&'a str, RpcError> {
        self.required(index)?.as_str().ok_or_else(|| invalid(index, "is no string"))
    }

    pub(super) fn bytes(&self, index: usize) -> Result<Vec<u8>, RpcError> {
        bytes(self.required(index)?).map_err(|reason| invalid(index, reason))
    }

    pub(super) fn address(&self, index: usize) -> Result<Address, RpcError> {
        address(self.required(index)?).map_err(|reason| invalid(index, reason))
    }

    pub(super) fn hash(&self, index: usize) -> Result<B256, RpcError> {
        hash(self.required(index)?).map_err(|reason| invalid(index, reason))
    }

    pub(super) fn flag(&self, index: usize) -> Result<bool, RpcError> {
        match self.get(index) {
            None => Ok(false),
            Some(Value::Bool(flag)) => Ok(*flag),
            Some(_) => Err(invalid(index, "is no boolean")),
        }
    }
}

/// What is wrong with an argument.
pub(super) fn invalid(index: usize, reason: impl std::fmt::Display) -> RpcError {
    RpcError::invalid_params(format!("invalid argument {index}: {reason}"))
}

fn digits(value: &Value) -> Result<&str, String> {
    let text = value.as_str().ok_or("is no string")?;
    text.strip_prefix("0x").ok_or_else(|| "hex string without 0x prefix".to_owned())
}

/// Bytes of any length.
pub(super) fn bytes(value: &Value) -> Result<Vec<u8>, String> {
    alloy_primitives::hex::decode(digits(value)?).map_err(|error| error.to_string())
}

fn fixed<const N: usize>(value: &Value) -> Result<[u8; N], String> {
    let bytes = bytes(value)?;
    let got = bytes.len();
    bytes.try_into().map_err(|_| format!("hex string has {got} bytes, want {N}"))
}

/// An address.
pub(super) fn address(value: &Value) -> Result<Address, String> {
    fixed::<20>(value).map(Address::from)
}

/// A hash.
pub(super) fn hash(value: &Value) -> Result<B256, String> {
    fixed::<32>(value).map(B256::from)
}

/// A number: `0x0`, else no leading zero.
pub(super) fn quantity(value: &Value) -> Result<u64, String> {
    u64::try_from(big_quantity(value)?).map_err(|_| "hex number > 64 bits".to_owned())
}

/// A number of up to 256 bits.
pub(super) fn big_quantity(value: &Value) -> Result<U256, String> {
    let digits = digits(value)?;
    if digits.is_empty() {
        return Err("hex string \"0x\"".to_owned());
    }
    if digits.len() > 1 && digits.starts_with('0') {
        return Err("hex number with leading zero digits".to_owned());
    }
    U256::from_str_radix(digits, 16).map_err(|_| "invalid hex string, or hex number > 256 bits".to_owned())
}

/// A storage key: up to 32 bytes, short ones as numbers.
pub(super) fn storage_key(value: &Value) -> Result<U256, String> {
    let digits = digits(value)?;
    if digits.is_empty() || digits.len() > 64 {
        return Err("unable to decode storage key".to_owned());
    }
    U256::from_str_radix(digits, 16).map_err(|_| "unable to decode storage key: invalid hex".to_owned())
}

/// Which block is meant.
pub(super) enum BlockId {
    Height(u64),
    Hash(B256),
    Head,
}

/// Reads a height, a tag, or the object of EIP-1898.
pub(super) fn block_id(value: &Value) -> Result<BlockId, String> {
    if let Some(fields) = value.as_object() {
        return match (fields.get("blockNumber"), fields.get("blockHash")) {
            (Some(height), None) => block_id(height),
            (None, Some(value)) => hash(value).map(BlockId::Hash),
            _ => Err("give either blockNumber or blockHash".to_owned()),
        };
    }
    match value.as_str() {
        // Blocks are final at once, and there is no pending block.
        Some("latest" | "pending" | "safe" | "finalized") => Ok(BlockId::Head),
        Some("earliest") => Ok(BlockId::Height(0)),
        _ => quantity(value).map(BlockId::Height),
    }
}

impl Asked<'_> {
    /// The block that a parameter names; the newest where it is left out.
    pub(super) fn named_block(&self, params: &Params<'_>, index: usize) -> Result<Option<&Arc<Block>>, RpcError> {
        let Some(value) = params.get(index) else { return Ok(Some(self.chain.head(self.branch))) };
        Ok(match block_id(value).map_err(|reason| invalid(index, reason))? {
            BlockId::Head => Some(self.chain.head(self.branch)),
            BlockId::Height(height) => self.chain.block(self.branch, height),
            BlockId::Hash(hash) => self.chain.block_by_hash(self.branch, &hash),
        })
    }

    /// The same block with the state after it.
    pub(super) fn named_state(&self, params: &Params<'_>, index: usize) -> Result<(Arc<Block>, State), RpcError> {
        let block = self.named_block(params, index)?.ok_or_else(|| refuse("header not found"))?;
        let gone = || {
            refuse(format!("missing trie node {:x} (path )", alloy_primitives::B256::from(block.header.state_root.0)))
        };
        Ok((block.clone(), block.state().ok_or_else(gone)?))
    }
}
