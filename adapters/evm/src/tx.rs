//! Transactions: legacy ones with EIP-155 replay protection, which permissioned EVM networks take, old forks included;
//! and those of EIP-1559.

use catenary_api::{BodyView, PublicKey, SignedTx, TxHash, UnsignedTx};
use catenary_light_clients::Hash32;
use catenary_protocol::attestation::Address;
use ethers_core::types::transaction::eip2718::TypedTransaction;
use ethers_core::types::{Eip1559TransactionRequest, NameOrAddress, Signature, TransactionRequest, U256};
use ethers_core::utils::rlp::Rlp;
use ethers_core::utils::{keccak256, public_key_to_address, to_checksum};
use k256::ecdsa::VerifyingKey;

use crate::abi;
use crate::error::{Error, Result};
use crate::fee::Price;
use crate::limits;

/// Target and data of a transaction.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Payload {
    /// `None` creates a contract.
    pub(crate) to: Option<Address>,
    pub(crate) data: Vec<u8>,
}

/// What a transaction calls: one message directly, more of them through the router's multicall, or a person's call.
pub(crate) fn payload(router: impl FnOnce() -> Result<Address>, body: &BodyView<'_>) -> Result<Payload> {
    match body {
        BodyView::Call(calls) => match calls {
            [call] => Ok(Payload { to: call.to, data: call.data.clone() }),
            _ => Err(Error::Body { got: format!("{} calls", calls.len()), expected: "exactly one call" }),
        },
        BodyView::Deliver(messages) => {
            if messages.is_empty() || messages.len() > limits::MESSAGES_MAX {
                let got = format!("{} messages", messages.len());
                return Err(Error::Body { got, expected: "one to a hundred messages" });
            }
            let mut calls = messages.iter().copied().map(abi::message).collect::<Result<Vec<_>>>()?;
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
    pub(crate) price: Price,
}

/// Type byte of an EIP-1559 transaction (EIP-2718).
const DYNAMIC: u8 = 2;

/// The unsigned transaction.
pub(crate) fn unsigned(chain_id: u64, payload: Payload, nonce: u64, gas: Gas) -> UnsignedTx {
    let to = payload.to.map(|address| NameOrAddress::from(ethers_core::types::Address::from(address)));
    let tx: TypedTransaction = match gas.price {
        Price::Legacy { wei } => {
            let tx = TransactionRequest::new().nonce(nonce).gas_price(U256::from(wei)).gas(gas.limit).value(0u64);
            TransactionRequest { to, ..tx.data(payload.data).chain_id(chain_id) }.into()
        }
        Price::Dynamic { max_fee_wei, priority_wei } => {
            let tx = Eip1559TransactionRequest::new().nonce(nonce).gas(gas.limit).value(0u64);
            let tx = tx.max_fee_per_gas(max_fee_wei).max_priority_fee_per_gas(priority_wei);
            Eip1559TransactionRequest { to, ..tx.data(payload.data).chain_id(chain_id) }.into()
        }
    };
    let rlp = tx.rlp();
    UnsignedTx {
        digest: Hash32(keccak256(&rlp)),
        size_bytes: rlp.len().saturating_add(limits::SIGNATURE_BYTES),
        payload: rlp.to_vec(),
        nonce,
        gas_limit: gas.limit,
    }
}

/// An unsigned transaction from its encoding.
fn decode_unsigned(payload: &[u8]) -> Option<TypedTransaction> {
    match payload.split_first() {
        Some((&DYNAMIC, list)) => {
            Eip1559TransactionRequest::decode_base_rlp(&Rlp::new(list), &mut 0).ok().map(Into::into)
        }
        _ => TransactionRequest::decode_unsigned_rlp(&Rlp::new(payload)).ok().map(Into::into),
    }
}

/// Puts the signature in. The payload must be what [`unsigned`] made for this chain, byte for byte.
pub(crate) fn signed(chain_id: u64, unsigned: &UnsignedTx, signature: &[u8; 65]) -> Result<SignedTx> {
    let refuse = |reason: &str| Error::Unsigned { reason: reason.to_owned() };
    let tx = decode_unsigned(&unsigned.payload).ok_or_else(|| refuse("the payload is no transaction"))?;
    if tx.rlp().as_ref() != unsigned.payload.as_slice() {
        return Err(refuse("the payload is not canonically encoded"));
    }
    if tx.chain_id() != Some(chain_id.into()) || tx.nonce() != Some(&unsigned.nonce.into()) {
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
    let v = match tx {
        // EIP-155; the configuration keeps the sum within 64 bits.
        TypedTransaction::Legacy(_) => chain_id.saturating_mul(2).saturating_add(35).saturating_add(recovery_id),
        _ => recovery_id,
    };
    let signature = Signature { r: U256::from_big_endian(r), s: U256::from_big_endian(s), v };
    let bytes = tx.rlp_signed(&signature).to_vec();
    let hash = TxHash(Hash32(keccak256(&bytes)));
    Ok(SignedTx { bytes, hash })
}

/// What a signed transaction of ours carries, its nonce and its gas. Only what [`signed`] makes is taken: this chain, no
/// value, no access list, one encoding.
pub(crate) fn reopened(chain_id: u64, bytes: &[u8]) -> Result<(Payload, u64, Gas)> {
    let refuse = |reason: &str| Error::Unsigned { reason: reason.to_owned() };
    let decoded = match bytes.split_first() {
        Some((&DYNAMIC, list)) => Eip1559TransactionRequest::decode_signed_rlp(&Rlp::new(list))
            .ok()
            // A larger one is none of ours, and has no meaning that could be encoded again.
            .filter(|(_, signature)| signature.v <= 1)
            .map(|(tx, signature)| (TypedTransaction::Eip1559(tx), signature)),
        _ => TransactionRequest::decode_signed_rlp(&Rlp::new(bytes))
            .ok()
            .map(|(tx, signature)| (TypedTransaction::Legacy(tx), signature)),
    };
    let (tx, signature) = decoded.ok_or_else(|| refuse("the bytes to replace are no signed transaction"))?;
    if tx.rlp_signed(&signature).as_ref() != bytes {
        return Err(refuse("the transaction to replace is not canonically encoded"));
    }
    let price = match &tx {
        TypedTransaction::Legacy(tx) => tx.gas_price.and_then(small).map(|wei| Price::Legacy { wei }),
        TypedTransaction::Eip1559(tx) => tx
            .max_fee_per_gas
            .and_then(small)
            .zip(tx.max_priority_fee_per_gas.and_then(small))
            .map(|(max_fee_wei, priority_wei)| Price::Dynamic { max_fee_wei, priority_wei }),
        TypedTransaction::Eip2930(_) => None,
    };
    let whole = |value: Option<&U256>| value.copied().and_then(small).and_then(|value| u64::try_from(value).ok());
    let (Some(price), Some(limit), Some(nonce)) = (price, whole(tx.gas()), whole(tx.nonce())) else {
        return Err(refuse("the transaction to replace has a number that none of ours has"));
    };
    let plain = tx.value().is_none_or(U256::is_zero) && tx.access_list().is_none_or(|list| list.0.is_empty());
    if tx.chain_id() != Some(chain_id.into()) || !plain {
        return Err(refuse("the transaction to replace is for another chain, or carries value"));
    }
    let to = tx.to_addr().map(|address| address.0);
    let data = tx.data().map(|data| data.to_vec()).unwrap_or_default();
    Ok((Payload { to, data }, nonce, Gas { limit, price }))
}

fn small(number: U256) -> Option<u128> {
    u128::try_from(number).ok()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use catenary_api::{Call, TxBody};
    use serde_json::Value;

    use super::*;
    use crate::json;
    use crate::testing::receipts;

    const CHAIN_ID: u64 = 1337;
    const FREE: Price = Price::Legacy { wei: 0 };

    fn build(payload: Payload, nonce: u64, gas: Gas) -> UnsignedTx {
        unsigned(CHAIN_ID, payload, nonce, gas)
    }

    /// A recorded transaction, built again: unsigned form, and the signature that it had.
    fn rebuild(tx: &Value) -> (UnsignedTx, [u8; 65]) {
        let payload = Payload { to: json::fixed(tx.get("to")).ok(), data: json::data(tx.get("input")).unwrap() };
        let gas = Gas { limit: json::quantity(tx.get("gas")).unwrap(), price: FREE };
        let mut signature = [0; 65];
        for (field, end) in [("r", 32), ("s", 64)] {
            let bytes = json::quantity_bytes(tx.get(field), 32).unwrap();
            signature[end - bytes.len()..end].copy_from_slice(&bytes);
        }
        let v = json::quantity(tx.get("v")).unwrap() - 35 - 2 * CHAIN_ID;
        signature[64] = u8::try_from(v).unwrap();
        (build(payload, json::quantity(tx.get("nonce")).unwrap(), gas), signature)
    }

    #[test]
    fn recorded_transactions_are_built_again_to_the_byte() {
        for recorded in receipts() {
            let (unsigned, signature) = rebuild(&recorded["tx"]);
            let signed = signed(CHAIN_ID, &unsigned, &signature).unwrap();
            let expected = json::fixed::<32>(recorded["tx"].get("hash")).unwrap();
            assert_eq!(signed.hash.0 .0, expected);
            assert!(signed.bytes.len() <= unsigned.size_bytes && unsigned.size_bytes <= signed.bytes.len() + 5);
            let (tx, _) = TransactionRequest::decode_signed_rlp(&Rlp::new(&signed.bytes)).unwrap();
            assert_eq!(tx.from.unwrap().0, json::fixed::<20>(recorded["tx"].get("from")).unwrap());
        }
    }

    #[test]
    fn contracts_are_created_with_an_empty_target_and_prices_are_kept() {
        let wei = u128::from(u64::MAX) + 5;
        let gas = Gas { limit: 100_000, price: Price::Legacy { wei } };
        let unsigned = build(Payload { to: None, data: vec![1, 2, 3] }, 0, gas);
        let signed = signed(CHAIN_ID, &unsigned, &[1; 65]).unwrap();
        let list = Rlp::new(&signed.bytes);
        assert_eq!(list.val_at::<Vec<u8>>(3).unwrap(), Vec::<u8>::new(), "no target");
        assert_eq!(list.val_at::<U256>(1).unwrap(), U256::from(wei));
        assert_eq!(list.val_at::<u64>(6).unwrap(), 2 * CHAIN_ID + 36, "v of recovery id 1");
    }

    #[test]
    fn a_dynamic_price_is_encoded_as_the_standard_says() {
        let price = Price::Dynamic { max_fee_wei: 2_000_000_007, priority_wei: 7 };
        let unsigned = build(Payload { to: Some([7; 20]), data: vec![9; 40] }, 5, Gas { limit: 90_000, price });
        let signed = signed(CHAIN_ID, &unsigned, &[1; 65]).unwrap();
        let (kind, list) = signed.bytes.split_first().unwrap();
        let list = Rlp::new(list);
        assert_eq!((*kind, list.item_count().unwrap()), (2, 12));
        let numbers: Vec<u64> = (0..5).map(|index| list.val_at(index).unwrap()).collect();
        assert_eq!(numbers, [CHAIN_ID, 5, 7, 2_000_000_007, 90_000]);
        assert_eq!(list.val_at::<Vec<u8>>(5).unwrap(), vec![7; 20]);
        assert_eq!((list.val_at::<u64>(6).unwrap(), list.val_at::<Vec<u8>>(7).unwrap()), (0, vec![9; 40]));
        assert!(list.at(8).unwrap().is_empty(), "no access list");
        assert_eq!(list.val_at::<u64>(9).unwrap(), 1, "the recovery id as it is");
        assert!(signed.bytes.len() <= unsigned.size_bytes);
        assert_eq!(unsigned.digest.0, keccak256(&unsigned.payload));
    }

    #[test]
    fn a_signed_transaction_is_opened_again_and_nothing_else() {
        let dynamic = Price::Dynamic { max_fee_wei: 9, priority_wei: 2 };
        let signature = |unsigned: &UnsignedTx| {
            let key = k256::ecdsa::SigningKey::from_slice(&[3; 32]).unwrap();
            let (signature, recovery) = key.sign_prehash_recoverable(&unsigned.digest.0).unwrap();
            let mut bytes = [0; 65];
            bytes[..64].copy_from_slice(&signature.to_bytes());
            bytes[64] = recovery.to_byte();
            bytes
        };
        for price in [FREE, Price::Legacy { wei: 77 }, dynamic] {
            for to in [None, Some([7; 20])] {
                let payload = Payload { to, data: vec![9; 40] };
                let gas = Gas { limit: 90_000, price };
                let unsigned = build(payload.clone(), 5, gas);
                let signed = signed(CHAIN_ID, &unsigned, &signature(&unsigned)).unwrap();
                assert_eq!(reopened(CHAIN_ID, &signed.bytes).unwrap(), (payload.clone(), 5, gas));
                assert_eq!(build(payload, 5, gas), unsigned, "the same again, to the byte");
                let check = |chain_id: u64, bytes: &[u8], words: &str| {
                    let error = reopened(chain_id, bytes).unwrap_err();
                    assert_eq!(error.code(), "EVM-TXN-006");
                    assert!(error.to_string().contains(words), "{error}, expected {words}");
                };
                check(CHAIN_ID + 1, &signed.bytes, "another chain");
                check(CHAIN_ID, &[&signed.bytes[..], &[0]].concat(), "not canonically");
                check(CHAIN_ID, &signed.bytes[1..], "no signed transaction");
                check(CHAIN_ID, &[], "no signed transaction");
            }
        }
        for recorded in receipts() {
            let (unsigned, signature) = rebuild(&recorded["tx"]);
            let signed = signed(CHAIN_ID, &unsigned, &signature).unwrap();
            assert_eq!(reopened(CHAIN_ID, &signed.bytes).unwrap().1, unsigned.nonce);
        }
    }

    #[test]
    fn only_what_was_built_is_finished() {
        let good = build(Payload { to: Some([7; 20]), data: vec![9; 40] }, 5, Gas { limit: 21_000, price: FREE });
        let check = |change: &dyn Fn(&mut UnsignedTx), chain_id: u64, signature: [u8; 65], words: &str| {
            let mut unsigned = good.clone();
            change(&mut unsigned);
            let text =
                signed(chain_id, &unsigned, &signature).map_or_else(|error| error.to_string(), |_| String::new());
            assert!(text.contains(words) && text.is_empty() == words.is_empty(), "{text:?}, expected {words:?}");
        };
        let signature = [1; 65];
        check(&|_| (), CHAIN_ID, signature, "");
        check(&|tx| tx.nonce = 6, CHAIN_ID, signature, "another chain or nonce");
        check(&|_| (), CHAIN_ID + 1, signature, "another chain or nonce");
        check(&|tx| tx.digest = Hash32([0; 32]), CHAIN_ID, signature, "digest is not that");
        check(&|tx| tx.payload.clear(), CHAIN_ID, signature, "is no transaction");
        check(&|tx| tx.payload.push(0), CHAIN_ID, signature, "not canonically");
        let mut v27 = signature;
        v27[64] = 27;
        check(&|_| (), CHAIN_ID, v27, "neither 0 nor 1");
    }

    #[test]
    fn addresses_have_one_spelling() {
        // Vectors of EIP-55.
        for text in [
            "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed",
            "0xfB6916095ca1df60bB79Ce92cE3Ea74c37c5d359",
            "0x52908400098527886E0F7030069857D2E4169EE7",
            "0xde709f2102306220921060314715629080e2fb77",
        ] {
            let address = parse_address(text).unwrap();
            assert_eq!(checksummed(&address), text);
            assert_eq!(parse_address(&text.to_lowercase()).unwrap(), address);
        }
        for text in [
            "0x5aaeb6053F3E94C9b9A09f33669435E7Ef1BeAed",
            "5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed",
            "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAe",
            "0x",
            "client-0",
        ] {
            assert_eq!(parse_address(text).unwrap_err().code(), "EVM-ABI-003", "{text}");
        }
        assert_eq!(address_of(&PublicKey([9; 33])).unwrap_err().code(), "EVM-TXN-001");
        // The public key of private key 1 is the generator (SEC 2), its address is well known.
        let generator = hex::decode("0279be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798").unwrap();
        let address = address_of(&PublicKey(generator.try_into().unwrap())).unwrap();
        assert_eq!(checksummed(&address), "0x7E5F4552091A69125d5DfCb7b8C2659029395Bdf");
    }

    #[test]
    fn a_body_is_one_call_or_some_messages() {
        let call = Call { to: Some([1; 20]), type_url: String::new(), data: vec![1], summary: String::new() };
        let router = || Ok([9; 20]);
        let one = payload(router, &TxBody::Call(vec![call.clone()]).view()).unwrap();
        assert_eq!(one, Payload { to: Some([1; 20]), data: vec![1] });
        for body in [TxBody::Call(vec![]), TxBody::Call(vec![call.clone(), call]), TxBody::Deliver(vec![])] {
            assert_eq!(payload(router, &body.view()).unwrap_err().code(), "EVM-TXN-002");
        }
        let update = catenary_api::Message::UpdateClient {
            client_id: "client-0".to_owned(),
            proof: catenary_protocol::AttestationProof { data: vec![5; 64], signatures: vec![[6; 65]; 2] },
        };
        let direct = payload(router, &TxBody::Deliver(vec![update.clone()]).view()).unwrap();
        assert_eq!(direct.to, Some([9; 20]));
        assert_eq!(direct.data[..4], keccak256("updateClient(string,bytes)")[..4]);
        let both = payload(router, &TxBody::Deliver(vec![update.clone(); 2]).view()).unwrap();
        assert_eq!(both.data[..4], keccak256("multicall(bytes[])")[..4]);
        let item = direct.data.len() + limits::MULTICALL_ITEM_BYTES;
        assert!(both.data.len() <= 4 + 64 + 2 * item, "a message costs no more than is counted for it");
        let many = TxBody::Deliver(vec![update; limits::MESSAGES_MAX + 1]);
        assert_eq!(payload(router, &many.view()).unwrap_err().code(), "EVM-TXN-002");
    }
}
