//! Merkle trees of RFC 6962 over SHA-256, as CometBFT and the multistore of the cosmos-sdk build them.

use ics23::{HashOp, InnerOp};
use sha2::{Digest, Sha256};

/// A hash.
pub(crate) type Hash = [u8; 32];

/// SHA-256 of the parts, joined.
pub(crate) fn sha256(parts: &[&[u8]]) -> Hash {
    parts.iter().fold(Sha256::new(), |hasher, part| hasher.chain_update(part)).finalize().into()
}

/// Root over the leaves' bytes. Nothing has the hash of nothing.
pub(crate) fn root<T: AsRef<[u8]>>(leaves: &[T]) -> Hash {
    match leaves {
        [] => sha256(&[]),
        [leaf] => leaf_hash(leaf.as_ref()),
        _ => {
            let (left, right) = leaves.split_at(split(leaves.len()));
            inner_hash(&root(left), &root(right))
        }
    }
}

/// The steps from a leaf to the root, the lowest first, in the form of ICS-23.
pub(crate) fn path<T: AsRef<[u8]>>(leaves: &[T], at: usize) -> Vec<InnerOp> {
    let mut steps = Vec::new();
    let (mut leaves, mut at) = (leaves, at);
    while leaves.len() > 1 {
        let (left, right) = leaves.split_at(split(leaves.len()));
        if at < left.len() {
            steps.push(inner_op(vec![1], root(right).to_vec()));
            leaves = left;
        } else {
            steps.push(inner_op([&[1], &root(left)[..]].concat(), Vec::new()));
            at -= left.len();
            leaves = right;
        }
    }
    steps.reverse();
    steps
}

pub(crate) fn inner_op(prefix: Vec<u8>, suffix: Vec<u8>) -> InnerOp {
    InnerOp { hash: HashOp::Sha256.into(), prefix, suffix }
}

fn leaf_hash(leaf: &[u8]) -> Hash {
    sha256(&[&[0], leaf])
}

fn inner_hash(left: &Hash, right: &Hash) -> Hash {
    sha256(&[&[1], left, right])
}

/// Leaves left of the split: the largest power of two below their number.
fn split(leaves: usize) -> usize {
    leaves.next_power_of_two() / 2
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn roots_as_the_specification_has_them() {
        // RFC 6962, section 2.1: the empty tree; others by hand from its definition.
        assert_eq!(
            hex::encode(root::<Vec<u8>>(&[])),
            "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
        );
        let leaf = |n: u8| sha256(&[&[0, n]]);
        let inner = |l: Hash, r: Hash| sha256(&[&[1], &l, &r]);
        assert_eq!(root(&[[1]]), leaf(1));
        assert_eq!(root(&[[1], [2], [3]]), inner(inner(leaf(1), leaf(2)), leaf(3)));
        let five = inner(inner(inner(leaf(1), leaf(2)), inner(leaf(3), leaf(4))), leaf(5));
        assert_eq!(root(&[[1], [2], [3], [4], [5]]), five);
    }

    #[test]
    fn a_path_leads_from_its_leaf_to_the_root() {
        for count in 1..20_u8 {
            let leaves: Vec<[u8; 1]> = (0..count).map(|n| [n]).collect();
            for at in 0..leaves.len() {
                let start = leaf_hash(&leaves[at]);
                let end = path(&leaves, at).iter().fold(start, |hash, op| sha256(&[&op.prefix, &hash, &op.suffix]));
                assert_eq!(end, root(&leaves), "leaf {at} of {count}");
            }
        }
    }
}
