//! What validators that are kept in a contract are stored as, and how a trie writes its paths.

use alloc::vec::Vec;

use crate::crypto::{keccak256, Address};

/// The storage of an `address[]` that is declared at `slot`: each slot that is not zero, with its value.
///
/// Solidity writes the length at the slot of the declaration, and item `i` at keccak256(slot) + i.
#[must_use]
pub fn validator_slots(slot: &[u8; 32], validators: &[Address]) -> Vec<([u8; 32], [u8; 32])> {
    let length = word(&(validators.len() as u64).to_be_bytes());
    let items = validators.iter().zip(0u64..).map(|(address, index)| (item_slot(slot, index), word(&address.0)));
    core::iter::once((*slot, length)).chain(items).filter(|(_, value)| *value != [0; 32]).collect()
}

/// Bytes at the end of a word.
fn word(bytes: &[u8]) -> [u8; 32] {
    let mut out = [0; 32];
    out.iter_mut().rev().zip(bytes.iter().rev()).for_each(|(to, from)| *to = *from);
    out
}

/// The slot of item `index` of a dynamic array of words that is declared at `slot`.
#[must_use]
pub fn item_slot(slot: &[u8; 32], index: u64) -> [u8; 32] {
    let mut out = keccak256(&[slot]).0;
    let mut carry = u128::from(index);
    for byte in out.iter_mut().rev() {
        let sum = u128::from(*byte).saturating_add(carry & 0xff);
        *byte = sum.to_be_bytes()[15];
        carry = (carry >> 8).saturating_add(sum >> 8);
    }
    out
}

/// Hex-prefix encoding (Yellow Paper, appendix C).
#[must_use]
pub fn compact(nibbles: &[u8], leaf: bool) -> Vec<u8> {
    let flag = if leaf { 0x20 } else { 0 };
    let (first, rest) = match nibbles.split_first() {
        Some((first, rest)) if nibbles.len() % 2 == 1 => (flag | 0x10 | first, rest),
        _ => (flag, nibbles),
    };
    let pair = |pair: &[u8]| pair.iter().fold(0, |byte: u8, nibble| byte << 4 | nibble);
    core::iter::once(first).chain(rest.chunks(2).map(pair)).collect()
}
