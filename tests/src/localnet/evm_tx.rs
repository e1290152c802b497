//! Signed legacy transactions, enough to set a scene on an EVM chain without the adapter that is under test.

use k256::ecdsa::SigningKey;
use sha3::{Digest, Keccak256};

use super::Account;

/// Gas of every transaction made here.
const GAS: u64 = 20_000_000;

/// What to send; the gas price is 0 and no value moves.
#[derive(Debug)]
pub(crate) struct LegacyTx<'a> {
    pub(crate) nonce: u64,
    /// Receiver; `None` creates a contract.
    pub(crate) to: Option<[u8; 20]>,
    pub(crate) data: &'a [u8],
    pub(crate) chain_id: u64,
}

/// Signs as EIP-155 says.
pub(crate) fn sign_legacy(from: &Account, tx: &LegacyTx<'_>) -> Vec<u8> {
    let to = tx.to.as_ref().map_or(&[][..], <[u8; 20]>::as_slice);
    let body = [&tx.nonce.to_be_bytes()[..], &[], &GAS.to_be_bytes(), to, &[], tx.data];
    let encode = |tail: [&[u8]; 3]| {
        let numbers = [true, true, true, false, true, false];
        let mut items: Vec<Vec<u8>> =
            body.iter().zip(numbers).map(|(b, n)| bytes(if n { trim(b) } else { b })).collect();
        items.extend(tail.map(|b| bytes(trim(b))));
        list(&items)
    };
    let digest = Keccak256::digest(encode([&tx.chain_id.to_be_bytes(), &[], &[]]));
    let key = SigningKey::from_slice(&from.private_key).expect("an account holds a valid key");
    let (signature, recovery) = key.sign_prehash_recoverable(&digest).expect("signing 32 bytes cannot fail");
    let v = tx.chain_id * 2 + 35 + u64::from(recovery.to_byte());
    encode([&v.to_be_bytes(), &signature.r().to_bytes(), &signature.s().to_bytes()])
}

/// Without leading zeros, as RLP writes numbers.
pub(crate) fn trim(bytes: &[u8]) -> &[u8] {
    &bytes[bytes.iter().take_while(|b| **b == 0).count()..]
}

/// A string as RLP writes it.
pub(crate) fn bytes(b: &[u8]) -> Vec<u8> {
    match b {
        [one] if *one < 0x80 => vec![*one],
        _ => [header(0x80, b.len()), b.to_vec()].concat(),
    }
}

/// A list of encoded items as RLP writes it.
pub(crate) fn list(items: &[Vec<u8>]) -> Vec<u8> {
    let body = items.concat();
    [header(0xc0, body.len()), body].concat()
}

fn header(base: u8, length: usize) -> Vec<u8> {
    let small = |n: usize| u8::try_from(n).expect("fits by the match");
    match length {
        0..=55 => vec![base + small(length)],
        _ => {
            let size = length.to_be_bytes();
            let size = trim(&size);
            [&[base + 55 + small(size.len())], size].concat()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_of_strings_as_in_the_rlp_specification() {
        assert_eq!(hex::encode(list(&[bytes(b"cat"), bytes(b"dog")])), "c88363617483646f67");
        assert_eq!(hex::encode(bytes(&[])), "80");
        assert_eq!(hex::encode(bytes(&[0x7f])), "7f");
        assert_eq!(hex::encode(bytes(&[0x80])), "8180");
        assert_eq!(hex::encode(header(0xc0, 1024)), "f90400");
    }
}
