//! ICS-23 proofs of a Cosmos chain: a key of one IAVL store, and that store under the multistore whose root is the
//! application hash.
//!
//! The bytes of a proof are `ibc.core.commitment.v1.MerkleProof{1 repeated CommitmentProof}` with exactly two
//! entries, lower first: what `abci_query` with `prove=true` answers as the operations `ics23:iavl` and
//! `ics23:simple` ([`encode_proof`] joins their data fields).
//!
//! The `ics23` crate computes the roots and judges last. Around it stand our own checks, each of which closes a hole
//! that was found in the wild or that the crate leaves to its caller:
//!
//! - the two specifications are ours and fixed; nothing of them comes from the prover (IC-09), and IAVL range proofs
//!   and the legacy operation types have no encoding here at all (IC-10);
//! - bytes and depth are bounded before any hash is computed: the crate bounds neither (IC-04);
//! - only plain existence and non-existence proofs: batches and compressed batches are refused (IC-07);
//! - decoded bytes must encode back to the same bytes, so that a proof has one form;
//! - each operation must have exactly the shape that its tree produces: IAVL prefixes are three minimal varints and
//!   the length bytes of the children (IC-01), heights and sizes grow towards the root, and a step is either a left
//!   or a right child and never both or neither (IC-02, IC-03, IC-10);
//! - neighbours of an absent key are compared step by step without the crate's unwraps (IC-05, IC-06);
//! - keys and values are not empty (IC-08), the store is the one named by the caller, and the value of the upper
//!   proof is the root of the lower one (IC-11).
//!
//! What an attacker can grow: nothing. Work is linear in the proof's bytes, at most [`MAX_PROOF_BYTES`].

use alloc::vec::Vec;
use core::fmt;

use ics23::commitment_proof::Proof;
use ics23::{CommitmentProof, ExistenceProof, HostFunctionsManager, InnerOp, LeafOp, NonExistenceProof, ProofSpec};
use prost::Message;

use crate::verdict::{Class, Coded, Root};

#[cfg(any(test, feature = "test-util"))]
#[allow(clippy::indexing_slicing, clippy::arithmetic_side_effects, reason = "builds trees for tests, not for input")]
pub mod testing;
#[cfg(test)]
mod tests;

/// Longest proof that is looked at, in bytes. A proof of absence carries the values of two neighbours, and values
/// in the `ibc` store are a few hundred bytes; this leaves room for two client states of 60 KiB.
pub const MAX_PROOF_BYTES: usize = 128 * 1024;

/// Most steps of a proof in an IAVL store: a balanced tree of 2^40 leaves is at most 1.44 × 40 high.
pub const MAX_IAVL_DEPTH: usize = 64;

/// Most steps of a proof in the multistore: 2^16 stores.
pub const MAX_MULTISTORE_DEPTH: usize = 16;

/// Tag and wire type of the only field of `ibc.core.commitment.v1.MerkleProof`: number 1, length-delimited.
const MERKLE_PROOF_FIELD: u8 = 0x0a;

/// Length byte that IAVL writes before a child hash: 32, as an unsigned varint.
const HASH_LENGTH_BYTE: u8 = 32;

/// A refused proof. Compared bytes are shown in hex, cut to their first 40 bytes.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Ics23Error {
    /// The proof is longer than is looked at.
    #[error("proof of {got} bytes is longer than {max}; ask another endpoint")]
    TooLarge {
        /// Length given.
        got: usize,
        /// Longest allowed.
        max: usize,
    },
    /// The bytes are not the protobuf message.
    #[error("proof is not a MerkleProof of ICS-23 operations; ask another endpoint")]
    Decode,
    /// The bytes decode, but encode to other bytes.
    #[error("proof is not in canonical protobuf encoding ({got} bytes given, {expected} when encoded); re-encode it")]
    NotCanonical {
        /// Length given.
        got: usize,
        /// Length of the canonical form.
        expected: usize,
    },
    /// Not exactly the two operations.
    #[error("proof has {got} operations, expected 2 (iavl store, multistore)")]
    OperationCount {
        /// Operations given.
        got: usize,
    },
    /// Another kind of proof than the question asked for, or one that is never accepted.
    #[error("{layer} proof is of kind {got}, expected {expected}")]
    Kind {
        /// Which of the two operations.
        layer: Layer,
        /// Kind given.
        got: &'static str,
        /// Kind needed.
        expected: &'static str,
    },
    /// More steps than such a tree can have.
    #[error("{layer} proof has {got} steps, at most {max} are looked at")]
    TooDeep {
        /// Which of the two operations.
        layer: Layer,
        /// Steps given.
        got: usize,
        /// Most allowed.
        max: usize,
    },
    /// The proof is about another key.
    #[error("{layer} proof is of key {got}, expected {expected}")]
    KeyMismatch {
        /// Which of the two operations.
        layer: Layer,
        /// Key in the proof.
        got: Bytes,
        /// Key asked for.
        expected: Bytes,
    },
    /// The proof is about another value.
    #[error("proof is of value {got}, expected {expected}")]
    ValueMismatch {
        /// Value in the proof.
        got: Bytes,
        /// Value asked for.
        expected: Bytes,
    },
    /// A key or a value is empty: such a leaf cannot exist.
    #[error("{layer} proof has an empty key or value")]
    Empty {
        /// Which of the two operations.
        layer: Layer,
    },
    /// The leaf operation is not the one that the tree uses.
    #[error("{layer} leaf operation {got} is not the one of the specification")]
    LeafOperation {
        /// Which of the two operations.
        layer: Layer,
        /// The operation's prefix.
        got: Bytes,
    },
    /// A step is not one that the tree can produce.
    #[error("{layer} step {step} (prefix {prefix}, suffix {suffix}) is not one that such a tree produces")]
    InnerOperation {
        /// Which of the two operations.
        layer: Layer,
        /// Number of the step, from the leaf.
        step: usize,
        /// Its prefix.
        prefix: Bytes,
        /// Its suffix.
        suffix: Bytes,
    },
    /// Heights or sizes of IAVL nodes do not grow towards the root.
    #[error("iavl step {step} has height {height} and size {size}, below it are {below_height} and {below_size}")]
    NotGrowing {
        /// Number of the step, from the leaf.
        step: usize,
        /// Height in the step.
        height: i64,
        /// Size in the step.
        size: i64,
        /// Height in the step below.
        below_height: i64,
        /// Size in the step below.
        below_size: i64,
    },
    /// The operations hash to another root.
    #[error("{layer} proof hashes to {got}, expected {expected}")]
    RootMismatch {
        /// Which of the two operations.
        layer: Layer,
        /// Root computed.
        got: Bytes,
        /// Root expected: the application hash, or the value of the upper proof.
        expected: Bytes,
    },
    /// The value of the upper proof is not a store's root.
    #[error("multistore proof gives a store root of {got} bytes, expected 32")]
    StoreRootLength {
        /// Length given.
        got: usize,
    },
    /// A neighbour of the absent key is on the wrong side of it.
    #[error("neighbour {neighbour} is not {side} of key {key}")]
    Order {
        /// Key of the neighbour.
        neighbour: Bytes,
        /// Key asked for.
        key: Bytes,
        /// Where the neighbour claims to be.
        side: &'static str,
    },
    /// The two neighbours leave room for a key between them (or beside one of them).
    #[error("keys {left} and {right} are not neighbours, a key between them is possible")]
    NotNeighbours {
        /// Key of the left neighbour, empty for none.
        left: Bytes,
        /// Key of the right neighbour, empty for none.
        right: Bytes,
    },
    /// Our checks passed and the library refused: one of the two is wrong.
    #[error("{layer} proof passed our checks and was refused by the ICS-23 library; report this")]
    Disagreement {
        /// Which of the two operations.
        layer: Layer,
    },
}

impl Coded for Ics23Error {
    fn code(&self) -> &'static str {
        match self {
            Self::TooLarge { .. } => "LC-ICS23-001",
            Self::Decode => "LC-ICS23-002",
            Self::NotCanonical { .. } => "LC-ICS23-003",
            Self::OperationCount { .. } => "LC-ICS23-004",
            Self::Kind { .. } => "LC-ICS23-005",
            Self::TooDeep { .. } => "LC-ICS23-006",
            Self::KeyMismatch { .. } => "LC-ICS23-007",
            Self::ValueMismatch { .. } => "LC-ICS23-008",
            Self::Empty { .. } => "LC-ICS23-009",
            Self::LeafOperation { .. } => "LC-ICS23-010",
            Self::InnerOperation { .. } => "LC-ICS23-011",
            Self::NotGrowing { .. } => "LC-ICS23-012",
            Self::RootMismatch { .. } => "LC-ICS23-013",
            Self::StoreRootLength { .. } => "LC-ICS23-014",
            Self::Order { .. } => "LC-ICS23-015",
            Self::NotNeighbours { .. } => "LC-ICS23-016",
            Self::Disagreement { .. } => "LC-ICS23-017",
        }
    }

    fn class(&self) -> Class {
        match self {
            Self::Disagreement { .. } => Class::Bug,
            _ => Class::Permanent,
        }
    }
}

/// Bytes of an error message: hex, cut to the first 40 bytes.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Bytes(Vec<u8>);

impl Bytes {
    const SHOWN_BYTES: usize = 40;

    fn of(bytes: &[u8]) -> Self {
        Self(bytes.to_vec())
    }
}

impl fmt::Display for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("0x")?;
        self.0.iter().take(Self::SHOWN_BYTES).try_for_each(|byte| write!(f, "{byte:02x}"))?;
        if self.0.len() > Self::SHOWN_BYTES {
            write!(f, "… ({} bytes)", self.0.len())?;
        }
        Ok(())
    }
}

/// Which of the two trees a check is about.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Layer {
    /// The store's own tree.
    Iavl,
    /// The tree over the roots of all stores.
    Multistore,
}

impl Layer {
    fn spec(self) -> ProofSpec {
        match self {
            Self::Iavl => ics23::iavl_spec(),
            Self::Multistore => ics23::tendermint_spec(),
        }
    }

    const fn max_depth(self) -> usize {
        match self {
            Self::Iavl => MAX_IAVL_DEPTH,
            Self::Multistore => MAX_MULTISTORE_DEPTH,
        }
    }
}

impl fmt::Display for Layer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Iavl => "iavl",
            Self::Multistore => "multistore",
        })
    }
}

/// What a proof is asked about: a key of a store.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct StoreKey<'a> {
    /// Name of the store, `ibc` on ibc-go chains.
    pub store: &'a [u8],
    /// Key in the store.
    pub key: &'a [u8],
}

/// Joins the data fields of the two ABCI proof operations, lower first, into the bytes that are verified here.
#[must_use]
pub fn encode_proof(ops: &[Vec<u8>]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for op in ops {
        bytes.push(MERKLE_PROOF_FIELD);
        prost::encoding::encode_varint(op.len() as u64, &mut bytes);
        bytes.extend_from_slice(op);
    }
    bytes
}

/// Checks that the store holds `value` at the key, in the state with this root.
///
/// # Errors
/// The check that failed; see [`Ics23Error`].
pub fn verify_membership(root: &Root, target: StoreKey<'_>, value: &[u8], proof: &[u8]) -> Result<(), Ics23Error> {
    let (lower, upper) = decode(proof)?;
    let store_root = verify_store(root, target.store, &upper)?;
    let layer = Layer::Iavl;
    let Some(Proof::Exist(existence)) = &lower.proof else {
        return Err(Ics23Error::Kind { layer, got: kind(&lower), expected: "existence" });
    };
    check_key(layer, &existence.key, target.key)?;
    if existence.value != value {
        return Err(Ics23Error::ValueMismatch { got: Bytes::of(&existence.value), expected: Bytes::of(value) });
    }
    check_existence(layer, existence, &store_root)?;
    agree(
        layer,
        ics23::verify_membership::<HostFunctionsManager>(&lower, &layer.spec(), &store_root, target.key, value),
    )
}

/// Checks that the store holds nothing at the key, in the state with this root.
///
/// # Errors
/// The check that failed; see [`Ics23Error`].
pub fn verify_absence(root: &Root, target: StoreKey<'_>, proof: &[u8]) -> Result<(), Ics23Error> {
    let (lower, upper) = decode(proof)?;
    let store_root = verify_store(root, target.store, &upper)?;
    let layer = Layer::Iavl;
    let Some(Proof::Nonexist(absence)) = &lower.proof else {
        return Err(Ics23Error::Kind { layer, got: kind(&lower), expected: "non-existence" });
    };
    if target.key.is_empty() {
        return Err(Ics23Error::Empty { layer });
    }
    check_key(layer, &absence.key, target.key)?;
    check_neighbours(absence, target.key, &store_root)?;
    agree(layer, ics23::verify_non_membership::<HostFunctionsManager>(&lower, &layer.spec(), &store_root, target.key))
}

/// The upper operation: the named store's root is in the multistore with the application hash as its root.
fn verify_store(root: &Root, store: &[u8], upper: &CommitmentProof) -> Result<Vec<u8>, Ics23Error> {
    let layer = Layer::Multistore;
    let Some(Proof::Exist(existence)) = &upper.proof else {
        return Err(Ics23Error::Kind { layer, got: kind(upper), expected: "existence" });
    };
    check_key(layer, &existence.key, store)?;
    if existence.value.len() != 32 {
        return Err(Ics23Error::StoreRootLength { got: existence.value.len() });
    }
    let expected = root.as_bytes().to_vec();
    check_existence(layer, existence, &expected)?;
    let verified =
        ics23::verify_membership::<HostFunctionsManager>(upper, &layer.spec(), &expected, store, &existence.value);
    agree(layer, verified)?;
    Ok(existence.value.clone())
}

fn agree(layer: Layer, library_accepts: bool) -> Result<(), Ics23Error> {
    if library_accepts {
        Ok(())
    } else {
        Err(Ics23Error::Disagreement { layer })
    }
}

#[derive(Clone, PartialEq, Message)]
struct MerkleProof {
    #[prost(message, repeated, tag = "1")]
    proofs: Vec<CommitmentProof>,
}

/// Decodes strictly: bounded, exactly two operations, and the same bytes when encoded again.
fn decode(bytes: &[u8]) -> Result<(CommitmentProof, CommitmentProof), Ics23Error> {
    if bytes.len() > MAX_PROOF_BYTES {
        return Err(Ics23Error::TooLarge { got: bytes.len(), max: MAX_PROOF_BYTES });
    }
    let proof = MerkleProof::decode(bytes).map_err(|_| Ics23Error::Decode)?;
    let encoded = proof.encode_to_vec();
    if encoded != bytes {
        return Err(Ics23Error::NotCanonical { got: bytes.len(), expected: encoded.len() });
    }
    let [lower, upper]: [CommitmentProof; 2] =
        proof.proofs.try_into().map_err(|proofs: Vec<_>| Ics23Error::OperationCount { got: proofs.len() })?;
    Ok((lower, upper))
}

fn kind(proof: &CommitmentProof) -> &'static str {
    match &proof.proof {
        Some(Proof::Exist(_)) => "existence",
        Some(Proof::Nonexist(_)) => "non-existence",
        Some(Proof::Batch(_)) => "batch",
        Some(Proof::Compressed(_)) => "compressed batch",
        None => "none",
    }
}

fn check_key(layer: Layer, got: &[u8], expected: &[u8]) -> Result<(), Ics23Error> {
    if got == expected {
        Ok(())
    } else {
        Err(Ics23Error::KeyMismatch { layer, got: Bytes::of(got), expected: Bytes::of(expected) })
    }
}

/// Shape of leaf and steps, then the root that they hash to.
fn check_existence(layer: Layer, proof: &ExistenceProof, root: &[u8]) -> Result<(), Ics23Error> {
    if proof.path.len() > layer.max_depth() {
        return Err(Ics23Error::TooDeep { layer, got: proof.path.len(), max: layer.max_depth() });
    }
    if proof.key.is_empty() || proof.value.is_empty() {
        return Err(Ics23Error::Empty { layer });
    }
    check_leaf(layer, proof.leaf.as_ref())?;
    check_path(layer, &proof.path)?;
    let got = ics23::calculate_existence_root::<HostFunctionsManager>(proof)
        .map_err(|_| Ics23Error::Disagreement { layer })?;
    if got != root {
        return Err(Ics23Error::RootMismatch { layer, got: Bytes(got), expected: Bytes::of(root) });
    }
    Ok(())
}

fn check_leaf(layer: Layer, leaf: Option<&LeafOp>) -> Result<(), Ics23Error> {
    let refused = |prefix: &[u8]| Ics23Error::LeafOperation { layer, got: Bytes::of(prefix) };
    let leaf = leaf.ok_or_else(|| refused(&[]))?;
    let spec = layer.spec().leaf_spec.unwrap_or_default();
    let same_operations = (leaf.hash, leaf.prehash_key, leaf.prehash_value, leaf.length)
        == (spec.hash, spec.prehash_key, spec.prehash_value, spec.length);
    let prefix_holds = match layer {
        Layer::Multistore => leaf.prefix == spec.prefix,
        // A leaf has height 0 and size 1, and nothing follows its version.
        Layer::Iavl => IavlNode::read(&leaf.prefix)
            .is_some_and(|(node, rest)| node.height == 0 && node.size == 1 && rest.is_empty()),
    };
    if same_operations && prefix_holds {
        Ok(())
    } else {
        Err(refused(&leaf.prefix))
    }
}

fn check_path(layer: Layer, path: &[InnerOp]) -> Result<(), Ics23Error> {
    let mut below = IavlNode { height: 0, size: 1 };
    for (index, op) in path.iter().enumerate() {
        let step = index.saturating_add(1);
        if side(layer, op).is_none() {
            return Err(Ics23Error::InnerOperation {
                layer,
                step,
                prefix: Bytes::of(&op.prefix),
                suffix: Bytes::of(&op.suffix),
            });
        }
        if let (Layer::Iavl, Some((node, _))) = (layer, IavlNode::read(&op.prefix)) {
            if node.height <= below.height || node.size <= below.size {
                return Err(Ics23Error::NotGrowing {
                    step,
                    height: node.height,
                    size: node.size,
                    below_height: below.height,
                    below_size: below.size,
                });
            }
            below = node;
        }
    }
    Ok(())
}

/// Where the proven subtree hangs in a step.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Side {
    Left,
    Right,
}

/// The side of a step that has exactly the shape of its tree; `None` for any other shape.
fn side(layer: Layer, op: &InnerOp) -> Option<Side> {
    let spec = layer.spec().inner_spec?;
    if op.hash != spec.hash {
        return None;
    }
    // The sibling's hash is in the suffix when ours is the left child, at the end of the prefix when it is the right.
    match layer {
        Layer::Multistore => match (op.prefix.split_first()?, op.suffix.len()) {
            ((0x01, []), 32) => Some(Side::Left),
            ((0x01, sibling), 0) if sibling.len() == 32 => Some(Side::Right),
            _ => None,
        },
        Layer::Iavl => {
            let (_, children) = IavlNode::read(&op.prefix)?;
            match (children, op.suffix.as_slice()) {
                ([HASH_LENGTH_BYTE], [HASH_LENGTH_BYTE, sibling @ ..]) if sibling.len() == 32 => Some(Side::Left),
                ([HASH_LENGTH_BYTE, sibling @ .., HASH_LENGTH_BYTE], []) if sibling.len() == 32 => Some(Side::Right),
                _ => None,
            }
        }
    }
}

/// The start of an IAVL node's preimage: height, size and version as zigzag varints.
#[derive(Clone, Copy, Debug)]
struct IavlNode {
    height: i64,
    size: i64,
}

impl IavlNode {
    /// Reads the three varints; the rest of the prefix follows. `None` unless each is minimal and not negative.
    fn read(prefix: &[u8]) -> Option<(Self, &[u8])> {
        let (height, rest) = read_varint(prefix)?;
        let (size, rest) = read_varint(rest)?;
        let (_version, rest) = read_varint(rest)?;
        Some((Self { height, size }, rest))
    }
}

/// A zigzag varint that is minimal and not negative.
fn read_varint(bytes: &[u8]) -> Option<(i64, &[u8])> {
    let mut rest = bytes;
    let value = prost::encoding::decode_varint(&mut rest).ok()?;
    let taken = bytes.len().checked_sub(rest.len())?;
    if prost::encoding::encoded_len_varint(value) != taken || value % 2 != 0 {
        return None;
    }
    Some((i64::try_from(value / 2).ok()?, rest))
}

/// Both neighbours are in the tree, on their sides of the key, and nothing fits between them.
fn check_neighbours(absence: &NonExistenceProof, key: &[u8], root: &[u8]) -> Result<(), Ics23Error> {
    for (neighbour, side, holds) in [
        (&absence.left, "left", (|neighbour, key| neighbour < key) as fn(&[u8], &[u8]) -> bool),
        (&absence.right, "right", |neighbour, key| neighbour > key),
    ] {
        let Some(existence) = neighbour else { continue };
        if !holds(&existence.key, key) {
            let neighbour = Bytes::of(&existence.key);
            return Err(Ics23Error::Order { neighbour, key: Bytes::of(key), side });
        }
        check_existence(Layer::Iavl, existence, root)?;
    }
    let adjacent = match (&absence.left, &absence.right) {
        (Some(left), Some(right)) => are_neighbours(&left.path, &right.path),
        (Some(left), None) => is_outermost(&left.path, Side::Right),
        (None, Some(right)) => is_outermost(&right.path, Side::Left),
        (None, None) => false,
    };
    if adjacent {
        return Ok(());
    }
    let key_of = |proof: &Option<ExistenceProof>| Bytes(proof.as_ref().map(|p| p.key.clone()).unwrap_or_default());
    Err(Ics23Error::NotNeighbours { left: key_of(&absence.left), right: key_of(&absence.right) })
}

fn is_outermost(path: &[InnerOp], outer: Side) -> bool {
    path.iter().all(|op| side(Layer::Iavl, op) == Some(outer))
}

/// From the root down the two paths are the same until one goes left and the other right in one node; below it the
/// left one keeps to the right and the right one to the left. A path that ends before they part is no neighbour.
fn are_neighbours(left: &[InnerOp], right: &[InnerOp]) -> bool {
    let (mut left, mut right) = (left, right);
    loop {
        let (Some((top_left, below_left)), Some((top_right, below_right))) = (left.split_last(), right.split_last())
        else {
            return false;
        };
        (left, right) = (below_left, below_right);
        if top_left != top_right {
            return side(Layer::Iavl, top_left) == Some(Side::Left)
                && side(Layer::Iavl, top_right) == Some(Side::Right)
                && is_outermost(left, Side::Right)
                && is_outermost(right, Side::Left);
        }
    }
}
