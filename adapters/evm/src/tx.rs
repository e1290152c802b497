//! Legacy transactions with EIP-155 replay protection: what permissioned EVM networks take, old forks included.

use catenary_api::{BuildRequest, PublicKey, SignedTx, TxBody, TxHash, UnsignedTx};
use catenary_light_clients::Hash32;
use catenary_protocol::attestation::Address;
use ethers_core::types::{Bytes, Signature, TransactionRequest, U256};
use ethers_core::utils::rlp::Rlp;
use ethers_core::utils::{keccak256, public_key_to_address, to_checksum};
use k256::ecdsa::VerifyingKey;

use crate::abi;
use crate::error::{Error, Result};
use crate::limits;

/// Target and data of a transaction.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Payload {
    /// `None` creates a contract.
    pub(crate) to: Option<Address>,
    pub(crate) data: Vec<u8>,
}

/// What a transaction calls: one message directly, more of them through the router's multicall, or a person's call.
pub(crate) fn payload(router: impl FnOnce() -> Result<Address>, body: &TxBody) -> Result<Payload> {
    match body {
        TxBody::Call(calls) => match calls.as_slice() {
            [call] => Ok(Payload { to: call.to, data: call.data.clone() }),
            _ => Err(Error::Body { got: format!("{} calls", calls.len()), expected: "exactly one call" }),
        },
        TxBody::Deliver(messages) => {
            if messages.is_empty() || messages.len() > limits::MESSAGES_MAX {
                let got = format!("{} messages", messages.len());
                return Err(Error::Body { got, expected: "one to a hundred messages" });
            }
            let mut calls = messages.iter().map(abi::message).collect::<Result<Vec<_>>>()?;
            let data = if calls.len() == 1 { calls.remove(0) } else { abi::multicall(calls)? };
            Ok(Payload { to: Some(router()?), data })
        }
    }
}

/// The address of a public key.
pub(crate) fn address_of(key: &PublicKey) -> Result<Address> {
    let key = VerifyingKey::from_sec1_bytes(&key.0).map_err(|_| Error::PublicKey)?;
    Ok(public_key_to_address(&key).0)
}

/// An address with the checksum of EIP-55.
#[must_use]
pub fn checksummed(address: &Address) -> String {
    to_checksum(&(*address).into(), None)
}

/// An address from text: any single case, or mixed case with the right EIP-55 checksum.
///
/// # Errors
/// [`Error::Address`].
pub fn parse_address(text: &str) -> Result<Address> {
    let refuse = || Error::Address { got: crate::error::shorten(text) };
    let digits = text.strip_prefix("0x").ok_or_else(refuse)?;
    let bytes: Address = hex::decode(digits).ok().and_then(|bytes| bytes.try_into().ok()).ok_or_else(refuse)?;
    let mixed = digits.chars().any(|c| c.is_ascii_uppercase()) && digits.chars().any(|c| c.is_ascii_lowercase());
    if mixed && checksummed(&bytes) != text {
        return Err(refuse());
    }
    Ok(bytes)
}

/// What gas may be used and what it costs.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Gas {
    pub(crate) limit: u64,
    pub(crate) price_wei: u128,
}

/// The unsigned transaction.
pub(crate) fn unsigned(chain_id: u64, payload: Payload, request: &BuildRequest<'_>, gas: Gas) -> UnsignedTx {
    let mut tx = TransactionRequest::new()
        .nonce(request.nonce)
        .gas_price(U256::from(gas.price_wei))
        .gas(gas.limit)
        .value(0u64)
        .data(payload.data)
        .chain_id(chain_id);
    tx.to = payload.to.map(|address| ethers_core::types::Address::from(address).into());
    let rlp = tx.rlp();
    UnsignedTx {
        digest: Hash32(keccak256(&rlp)),
        size_bytes: rlp.len().saturating_add(limits::SIGNATURE_BYTES),
        payload: rlp.to_vec(),
        nonce: request.nonce,
        gas_limit: gas.limit,
    }
}

/// Puts the signature in. The payload must be what [`unsigned`] made for this chain, byte for byte.
pub(crate) fn signed(chain_id: u64, unsigned: &UnsignedTx, signature: &[u8; 65]) -> Result<SignedTx> {
    let refuse = |reason: &str| Error::Unsigned { reason: reason.to_owned() };
    let tx = TransactionRequest::decode_unsigned_rlp(&Rlp::new(&unsigned.payload))
        .map_err(|_| refuse("the payload is no transaction"))?;
    if tx.rlp() != Bytes::from(unsigned.payload.clone()) {
        return Err(refuse("the payload is not canonically encoded"));
    }
    if tx.chain_id != Some(chain_id.into()) || tx.nonce != Some(unsigned.nonce.into()) {
        return Err(refuse("the payload is for another chain or nonce"));
    }
    if Hash32(keccak256(&unsigned.payload)) != unsigned.digest {
        return Err(refuse("the digest is not that of the payload"));
    }
    let (r, rest) = signature.split_at(32);
    let (s, v) = rest.split_at(32);
    let recovery_id = match v {
        [v @ 0..=1] => u64::from(*v),
        _ => return Err(refuse("v of the signature is neither 0 nor 1")),
    };
    // EIP-155; the configuration keeps the sum within 64 bits.
    let v = chain_id.saturating_mul(2).saturating_add(35).saturating_add(recovery_id);
    let signature = Signature { r: U256::from_big_endian(r), s: U256::from_big_endian(s), v };
    let bytes = tx.rlp_signed(&signature).to_vec();
    let hash = TxHash(Hash32(keccak256(&bytes)));
    Ok(SignedTx { bytes, hash })
}
