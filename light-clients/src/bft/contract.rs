//! Updates: one header, and with it the proof of its validators where a contract keeps them.
//!
//! Where the header lists its validators, an update is the RLP of the header. Where a contract keeps them (Besu's
//! contract mode of QBFT), it is RLP `[header, parent header, [account node…], [[slot node…]…]]`: the header, the one
//! below it, and what `eth_getProof` says at the parent's height of the contract and of the slots of its array, the
//! slot of the length first and then each item in order.
//!
//! The set that seals a header is what the contract holds in the state *after the parent block*: Besu asks
//! `getValidatorsAfterBlock(parent)` in each of its validation rules (`BftCommitSealsValidationRule`), which runs the
//! contract's `getValidators()` on the parent's state (`TransactionValidatorProvider`, `ValidatorContractController`,
//! besu 24). The parent is bound by its hash, which the header names, and so is the state root in it. A proof comes
//! with every header, changed set or not: without one, a header sealed by a former quorum could not be told from one
//! that the present validators sealed.
//!
//! Only the array is read. A contract whose `getValidators()` answers anything but the items of one `address[]` at a
//! known slot cannot be followed.

use alloc::vec::Vec;

use super::decode::{RawHeader, MAX_HEADER_BYTES};
use super::types::{at_field, BftError, Field, ValidatorContract, MAX_VALIDATORS};
use super::Form;
use crate::crypto::{keccak256, Address};
use crate::proof::mpt::{verify_account, verify_slot, Account, EMPTY_CODE_HASH, MAX_NODES};
use crate::rlp::{put_bytes, put_list, Item, RlpError};
use crate::verdict::{Hash32, Root};

/// Longest update with a proof that is looked at, in bytes: two headers, and four nodes of 532 bytes for each of
/// [`MAX_VALIDATORS`] slots, which is deeper than the storage of such a contract gets by itself.
pub const MAX_CONTRACT_UPDATE_BYTES: usize = 2 * MAX_HEADER_BYTES + 640 * 1024;

/// Items of an update with a proof.
const UPDATE_ITEMS: usize = 4;

/// A header as it was given, with what proves its validators.
#[derive(Clone, Debug)]
pub(crate) struct Update<'a, F> {
    pub(crate) header: RawHeader<'a, F>,
    proof: Option<SetProof<'a, F>>,
}

/// What proves the validators of a header from the state of its parent.
#[derive(Clone, Debug)]
struct SetProof<'a, F> {
    parent: RawHeader<'a, F>,
    account: Vec<&'a [u8]>,
    slots: Vec<Vec<&'a [u8]>>,
}

impl<'a, F: Form> Update<'a, F> {
    /// Decodes an update of a chain that keeps its validators in `contract`, or in its headers.
    pub(crate) fn decode(bytes: &'a [u8], contract: Option<&ValidatorContract>) -> Result<Self, BftError> {
        if contract.is_none() {
            return Ok(Self { header: RawHeader::decode(bytes)?, proof: None });
        }
        if bytes.len() > MAX_CONTRACT_UPDATE_BYTES {
            return Err(BftError::UpdateTooLong { got_bytes: bytes.len(), max_bytes: MAX_CONTRACT_UPDATE_BYTES });
        }
        let in_update = at_field(Field::Update);
        let [header, parent, account, slots] =
            Item::decode(bytes).and_then(|update| update.exactly::<UPDATE_ITEMS>()).map_err(&in_update)?;
        let nodes =
            |list: &Item<'a>| list.items(MAX_NODES)?.iter().map(Item::bytes).collect::<Result<Vec<_>, RlpError>>();
        let slots = slots.items(MAX_VALIDATORS.saturating_add(1)).map_err(&in_update)?;
        let proof = SetProof {
            parent: RawHeader::decode(parent.raw())?,
            account: nodes(&account).map_err(&in_update)?,
            slots: slots.iter().map(nodes).collect::<Result<_, _>>().map_err(&in_update)?,
        };
        Ok(Self { header: RawHeader::decode(header.raw())?, proof: Some(proof) })
    }

    /// The validators of the header in ascending order, or in that of the header, and whether they are proven.
    pub(crate) fn validators(&self, contract: Option<&ValidatorContract>) -> Result<(Vec<Address>, bool), BftError> {
        let listed = &self.header.extra.validators;
        let (Some(contract), Some(proof)) = (contract, &self.proof) else { return Ok((listed.clone(), false)) };
        if !listed.is_empty() {
            return Err(BftError::ContractHeaderSet { got: listed.len() });
        }
        if let Some(vote) = self.header.extra.vote {
            return Err(BftError::ContractHeaderVote { candidate: vote.candidate });
        }
        let (got, expected) = (proof.parent.block_hash(), self.header.parent_hash);
        if got != expected {
            return Err(BftError::ContractParent { height: self.header.number, got, expected });
        }
        Ok((proof.validators(contract)?, true))
    }
}

impl<F> SetProof<'_, F> {
    /// The items of the array in ascending order, all proven from the parent's state.
    fn validators(&self, contract: &ValidatorContract) -> Result<Vec<Address>, BftError> {
        let (address, height) = (Address(contract.address), self.parent.number);
        let root = Root::new(self.parent.state_root.as_bytes()).ok_or(BftError::ZeroStateRoot)?;
        let account = verify_account(&root, &address, &self.account)?;
        if account.code_hash == EMPTY_CODE_HASH {
            return Err(BftError::ContractCode { contract: address, height });
        }
        let length = self.length(contract, &account)?;
        let mut validators = Vec::with_capacity(length);
        for (position, nodes) in self.slots.iter().skip(1).enumerate() {
            let slot = item_slot(&contract.slot, position);
            let value = verify_slot(&account.storage_root, &slot, nodes)?.ok_or(BftError::ZeroValidator)?;
            let (zeros, item) = value.split_last_chunk::<20>().unwrap_or((&value, &[0; 20]));
            if zeros.iter().any(|byte| *byte != 0) {
                return Err(BftError::ContractItem { position, got: Hash32(value) });
            }
            validators.push(Address(*item));
        }
        validators.sort_unstable();
        let twice = validators.iter().zip(validators.iter().skip(1)).find(|(one, next)| one == next);
        match twice {
            Some((address, _)) => Err(BftError::ContractRepeated { validator: *address }),
            None => Ok(validators),
        }
    }

    /// The length of the array, for each item of which there is a proof.
    fn length(&self, contract: &ValidatorContract, account: &Account) -> Result<usize, BftError> {
        let empty = BftError::ContractEmpty { contract: Address(contract.address), height: self.parent.number };
        let uncounted = BftError::ContractProofCount { got: self.slots.len(), expected: 1 };
        let first = self.slots.first().ok_or(uncounted)?;
        let value = verify_slot(&account.storage_root, &contract.slot, first)?.ok_or(empty)?;
        let (zeros, low) = value.split_last_chunk::<8>().unwrap_or((&value, &[0xff; 8]));
        let length = usize::try_from(u64::from_be_bytes(*low)).ok().filter(|length| *length <= MAX_VALIDATORS);
        let length = length.filter(|_| zeros.iter().all(|byte| *byte == 0));
        let length = length.ok_or(BftError::ContractLength { got: Hash32(value), max: MAX_VALIDATORS })?;
        let expected = length.saturating_add(1);
        if self.slots.len() != expected {
            return Err(BftError::ContractProofCount { got: self.slots.len(), expected });
        }
        Ok(length)
    }
}

/// The slot of item `position` of an array that is declared at `slot`: keccak256(slot) + position, as Solidity lays
/// dynamic arrays out.
pub(crate) fn item_slot(slot: &[u8; 32], position: usize) -> [u8; 32] {
    let mut out = keccak256(&[slot]).0;
    let mut rest = position;
    for byte in out.iter_mut().rev() {
        let [low, ..] = rest.to_le_bytes();
        let (sum, carry) = byte.overflowing_add(low);
        *byte = sum;
        rest = rest.wrapping_shr(8).saturating_add(usize::from(carry));
    }
    out
}

/// Slots that a proof of `validators` has to cover, in the order in which an update lists their proofs.
#[must_use]
pub fn array_slots(slot: &[u8; 32], validators: usize) -> Vec<[u8; 32]> {
    core::iter::once(*slot).chain((0..validators).map(|position| item_slot(slot, position))).collect()
}

/// The bytes of an update with a proof: the header, its parent, and the nodes of `eth_getProof` for the contract's
/// account and for each of [`array_slots`].
#[must_use]
pub fn encode_update(header: &[u8], parent: &[u8], account: &[Vec<u8>], slots: &[Vec<Vec<u8>>]) -> Vec<u8> {
    let mut payload = [header, parent].concat();
    put_nodes(&mut payload, account);
    let mut lists = Vec::new();
    slots.iter().for_each(|nodes| put_nodes(&mut lists, nodes));
    put_list(&mut payload, &lists);
    let mut out = Vec::new();
    put_list(&mut out, &payload);
    out
}

fn put_nodes(out: &mut Vec<u8>, nodes: &[Vec<u8>]) {
    let mut list = Vec::new();
    nodes.iter().for_each(|node| put_bytes(&mut list, node));
    put_list(out, &list);
}

/// The header in an update of a chain that keeps its validators in a contract.
///
/// # Errors
/// [`BftError::UpdateTooLong`] or [`BftError::Rlp`] when the bytes are no such update.
pub(crate) fn header_of<F: Form>(update: &[u8]) -> Result<RawHeader<'_, F>, BftError> {
    const ANY: ValidatorContract = ValidatorContract { address: [0; 20], slot: [0; 32] };
    Ok(Update::decode(update, Some(&ANY))?.header)
}
