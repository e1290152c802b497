//! Edits of decoded messages, so that inputs get past the encodings: each body reads its input as a list of edits.
//!
//! Mutated bytes of a protobuf message seldom decode. Here the message always does, and where a header was edited
//! its commit is made to be for the edited header, so that what refuses it are the checks behind the decoder.

use std::sync::OnceLock;

use catenary_light_clients::cometbft::encode_update;
use catenary_light_clients::proof::ics23::encode_proof;
use ics23::commitment_proof::Proof;
use ics23::{CommitmentProof, ExistenceProof, NonExistenceProof};
use prost::Message as _;
use prost_tendermint::Message;
use tendermint_proto::v0_38::types::{Commit, CommitSig, Header, SignedHeader, ValidatorSet};

use crate::cometbft;

/// Most edits of one input.
const MAX_EDITS: usize = 12;

/// Reads small numbers off an input.
struct Choices<'a>(&'a [u8]);

impl Choices<'_> {
    /// A number below `bound`, 0 when the input or the bound is used up.
    fn below(&mut self, bound: usize) -> usize {
        let Some((byte, rest)) = self.0.split_first() else { return 0 };
        self.0 = rest;
        usize::from(*byte) % bound.max(1)
    }

    fn byte(&mut self) -> u8 {
        u8::try_from(self.below(256)).unwrap_or_default()
    }

    /// Some element of a list that may be empty.
    fn of<'b, T>(&mut self, list: &'b mut [T]) -> Option<&'b mut T> {
        let at = self.below(list.len());
        list.get_mut(at)
    }
}

/// Proofs of the seeds, edited and spliced: the property is that of [`cometbft::proof`].
pub fn ics23(input: &[u8]) {
    let mut choices = Choices(input);
    static SEEDS: OnceLock<Vec<Vec<CommitmentProof>>> = OnceLock::new();
    let seeds = SEEDS.get_or_init(|| cometbft::proof_seeds().iter().map(|seed| operations(seed)).collect());
    let mut proof = seeds[choices.below(seeds.len())].clone();
    for _ in 0..MAX_EDITS {
        if choices.0.is_empty() {
            break;
        }
        let donor = seeds[choices.below(seeds.len())].clone();
        edit_proof(&mut choices, &mut proof, donor);
    }
    let operations: Vec<Vec<u8>> = proof.iter().map(prost::Message::encode_to_vec).collect();
    cometbft::proof(&encode_proof(&operations));
}

/// The two operations of a proof.
fn operations(proof: &[u8]) -> Vec<CommitmentProof> {
    let mut rest = proof;
    let mut operations = Vec::new();
    while let Some((_, after)) = rest.split_first() {
        rest = after;
        let length = prost::encoding::decode_varint(&mut rest).expect("a seed decodes");
        let (content, after) = rest.split_at(usize::try_from(length).expect("a seed is short"));
        operations.push(CommitmentProof::decode(content).expect("a seed decodes"));
        rest = after;
    }
    operations
}

/// The existence proofs in an operation.
fn existences(operation: &mut CommitmentProof) -> Vec<&mut ExistenceProof> {
    match &mut operation.proof {
        Some(Proof::Exist(existence)) => vec![existence],
        Some(Proof::Nonexist(absence)) => absence.left.iter_mut().chain(&mut absence.right).collect(),
        Some(Proof::Batch(_) | Proof::Compressed(_)) | None => Vec::new(),
    }
}

fn edit_proof(choices: &mut Choices<'_>, proof: &mut [CommitmentProof], mut donor: Vec<CommitmentProof>) {
    match choices.below(8) {
        0 => {
            let at = choices.below(2);
            if let (Some(ours), Some(theirs)) = (proof.get_mut(at), donor.get(choices.below(2))) {
                *ours = theirs.clone();
            }
        }
        1 => into_absence(choices, proof, &mut donor),
        _ => {
            let Some(operation) = choices.of(proof) else { return };
            let mut ours = existences(operation);
            let Some(donor) = choices.of(&mut donor) else { return };
            let mut theirs = existences(donor);
            let (Some(ours), Some(theirs)) = (choices.of(&mut ours), choices.of(&mut theirs)) else { return };
            edit_existence(choices, ours, theirs);
        }
    }
}

/// Makes the lower operation an absence out of whatever existence proofs there are.
fn into_absence(choices: &mut Choices<'_>, proof: &mut [CommitmentProof], donor: &mut [CommitmentProof]) {
    let Some(lower) = proof.first_mut() else { return };
    let left = existences(lower).first().map(|existence| (**existence).clone());
    let right = donor.first_mut().and_then(|donor| existences(donor).first().map(|existence| (**existence).clone()));
    let key = format!("key-{:02}", choices.below(24)).into_bytes();
    let (left, right) = if choices.below(2) == 0 { (left, right) } else { (right, left) };
    let absence = NonExistenceProof {
        key,
        left: left.filter(|_| choices.below(4) != 0),
        right: right.filter(|_| choices.below(4) != 0),
    };
    lower.proof = Some(Proof::Nonexist(absence));
}

fn edit_existence(choices: &mut Choices<'_>, ours: &mut ExistenceProof, theirs: &ExistenceProof) {
    match choices.below(10) {
        0 => ours.path.clone_from(&theirs.path),
        1 => ours.key.clone_from(&theirs.key),
        2 => ours.value.clone_from(&theirs.value),
        3 => ours.leaf.clone_from(&theirs.leaf),
        4 => drop((!ours.path.is_empty()).then(|| ours.path.remove(choices.below(ours.path.len())))),
        5 => {
            let at = choices.below(ours.path.len());
            ours.path.splice(at..at, theirs.path.get(choices.below(theirs.path.len())).cloned());
        }
        6 => {
            let at = choices.below(ours.path.len());
            ours.path.swap_range(at, choices.below(2));
        }
        7 => edit_bytes(choices, ours.leaf.as_mut().map(|leaf| &mut leaf.prefix)),
        8 => {
            let step = choices.of(&mut ours.path);
            edit_bytes(choices, step.map(|step| &mut step.prefix));
        }
        _ => {
            let step = choices.of(&mut ours.path);
            edit_bytes(choices, step.map(|step| &mut step.suffix));
        }
    }
}

/// Swapping neighbours in a path without minding its length.
trait SwapRange {
    fn swap_range(&mut self, at: usize, by: usize);
}

impl<T> SwapRange for Vec<T> {
    fn swap_range(&mut self, at: usize, by: usize) {
        if at + by < self.len() {
            self.swap(at, at + by);
        }
    }
}

fn edit_bytes(choices: &mut Choices<'_>, bytes: Option<&mut Vec<u8>>) {
    let Some(bytes) = bytes else { return };
    let at = choices.below(bytes.len());
    match choices.below(5) {
        0 => bytes.extend([choices.byte()]),
        1 => drop(bytes.pop()),
        2 => bytes.splice(at..at, [choices.byte()]).for_each(drop),
        3 => bytes.clear(),
        _ => {
            let byte = choices.byte();
            bytes.get_mut(at).into_iter().for_each(|old| *old = byte);
        }
    }
}

/// A header with its commit and set.
#[derive(Clone)]
struct Parts {
    header: Header,
    commit: Commit,
    set: ValidatorSet,
}

/// Updates of the seeds, edited and spliced: the property is that of [`cometbft::advance`].
pub fn updates(input: &[u8]) {
    let mut choices = Choices(input);
    static SEEDS: OnceLock<Vec<Parts>> = OnceLock::new();
    let seeds = SEEDS.get_or_init(|| cometbft::update_seeds().iter().filter_map(|seed| parts(seed)).collect());
    let mut edited = seeds[choices.below(seeds.len())].clone();
    for _ in 0..MAX_EDITS {
        if choices.0.is_empty() {
            break;
        }
        let donor = &seeds[choices.below(seeds.len())];
        edit_update(&mut choices, &mut edited, donor);
    }
    if choices.below(2) == 0 {
        commit_to(&mut edited);
    }
    let signed = SignedHeader { header: Some(edited.header), commit: Some(edited.commit) };
    let set = edited.set.encode_to_vec();
    let set = (choices.below(4) != 0).then_some(set.as_slice());
    cometbft::advance(&encode_update(&signed.encode_to_vec(), set, None));
}

/// The parts of an update that carries its set.
fn parts(update: &[u8]) -> Option<Parts> {
    let [header, set, _] = cometbft::split(update)?;
    let signed = SignedHeader::decode(header?).ok()?;
    Some(Parts { header: signed.header?, commit: signed.commit?, set: ValidatorSet::decode(set?).ok()? })
}

/// Makes the commit one for the header as it is now; its signatures stay what they were.
fn commit_to(edited: &mut Parts) {
    edited.commit.height = edited.header.height;
    let Ok(header) = tendermint::block::Header::try_from(edited.header.clone()) else { return };
    if let Some(id) = &mut edited.commit.block_id {
        id.hash = header.hash().as_bytes().to_vec();
    }
}

fn edit_update(choices: &mut Choices<'_>, edited: &mut Parts, donor: &Parts) {
    match choices.below(12) {
        0 => edited.commit.clone_from(&donor.commit),
        1 => edited.set.clone_from(&donor.set),
        2 => edited.header.last_block_id.clone_from(&donor.header.last_block_id),
        3 => edited.header.validators_hash.clone_from(&donor.header.validators_hash),
        4 => edited.header.next_validators_hash.clone_from(&donor.header.next_validators_hash),
        5 => edited.header.app_hash.clone_from(&donor.header.app_hash),
        6 => edited.header.time.clone_from(&donor.header.time),
        7 => edited.header.height = donor.header.height,
        8 => edit_slot(choices, &mut edited.commit.signatures, &donor.commit.signatures),
        9 => edit_set(choices, edited, donor),
        10 => edited.commit.round = i32::try_from(choices.below(3)).unwrap_or_default(),
        _ => commit_to(edited),
    }
}

fn edit_slot(choices: &mut Choices<'_>, ours: &mut Vec<CommitSig>, theirs: &[CommitSig]) {
    let at = choices.below(ours.len());
    let donor = theirs.get(choices.below(theirs.len())).cloned();
    match choices.below(6) {
        0 => ours.splice(at..at, donor).for_each(drop),
        1 => ours.truncate(at),
        2 => ours.swap_range(at, 1),
        3 => drop(ours.get_mut(at).zip(donor).map(|(slot, donor)| *slot = donor)),
        4 => {
            let flag = i32::try_from(choices.below(5)).unwrap_or_default();
            ours.get_mut(at).into_iter().for_each(|slot| slot.block_id_flag = flag);
        }
        _ => edit_bytes(choices, ours.get_mut(at).map(|slot| &mut slot.signature)),
    }
}

fn edit_set(choices: &mut Choices<'_>, edited: &mut Parts, donor: &Parts) {
    let ours = &mut edited.set.validators;
    let at = choices.below(ours.len());
    let theirs = donor.set.validators.get(choices.below(donor.set.validators.len())).cloned();
    match choices.below(5) {
        0 => ours.splice(at..at, theirs).for_each(drop),
        1 => ours.truncate(at),
        2 => ours.swap_range(at, 1),
        3 => {
            let power = i64::from(choices.byte());
            ours.get_mut(at).into_iter().for_each(|validator| validator.voting_power = power);
        }
        // The header names the set as it is now.
        _ => {
            if let Ok(set) = tendermint::validator::Set::try_from(edited.set.clone()) {
                edited.header.validators_hash = set.hash().as_bytes().to_vec();
            }
        }
    }
}

/// Lists of edits of every length.
#[must_use]
pub fn seeds() -> Vec<Vec<u8>> {
    (1u8..=8).map(|n| (0..n * 12).map(|byte| byte.wrapping_mul(37).wrapping_add(n * 11)).collect()).collect()
}
