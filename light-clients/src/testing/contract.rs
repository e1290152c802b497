//! Validators that are kept in a contract: the storage of an `address[]`.

use alloc::vec::Vec;

use crate::crypto::{keccak256, Address};

/// The storage of an `address[]` that is declared at `slot`: each slot that is not zero, with its value.
///
/// Solidity writes the length at the slot of the declaration, and item `i` at keccak256(slot) + i.
#[must_use]
pub fn validator_slots(slot: &[u8; 32], validators: &[Address]) -> Vec<([u8; 32], [u8; 32])> {
    let mut length = [0; 32];
    length[24..].copy_from_slice(&(validators.len() as u64).to_be_bytes());
    let items = validators.iter().enumerate().map(|(index, address)| {
        let mut value = [0; 32];
        value[12..].copy_from_slice(&address.0);
        (item_slot(slot, index as u64), value)
    });
    core::iter::once((*slot, length)).chain(items).filter(|(_, value)| *value != [0; 32]).collect()
}

/// The slot of item `index` of a dynamic array of words that is declared at `slot`.
#[must_use]
pub fn item_slot(slot: &[u8; 32], index: u64) -> [u8; 32] {
    let mut out = keccak256(&[slot]).0;
    let mut carry = u128::from(index);
    for byte in out.iter_mut().rev() {
        let sum = u128::from(*byte) + (carry & 0xff);
        *byte = sum.to_be_bytes()[15];
        carry = (carry >> 8) + (sum >> 8);
    }
    out
}
