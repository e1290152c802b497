//! EIP-1186 proofs on tries of a million leaves against alloy-trie.
//!
//! Both verify the same thousand proofs, from the address or slot to the value: half of them present, half absent.
//! Measured once for storage alone, and once for account and storage together. Budget: 1.3.
#![allow(clippy::print_stdout, clippy::unwrap_used, reason = "a bench prints what it measured and fails by panicking")]

use alloy_primitives::{keccak256, Bytes, B256};
use alloy_trie::proof::{verify_proof, ProofRetainer};
use alloy_trie::{HashBuilder, Nibbles};
use catenary_benches::{timed, Ratio};
use catenary_light_clients::proof::mpt::{verify_account, verify_slot, EMPTY_CODE_HASH};
use catenary_light_clients::rlp::{put_bytes, put_list, put_uint};
use catenary_light_clients::{Address, Hash32, Root};

const BUDGET: f64 = 1.3;
const TURNS: u32 = 30;
const LEAVES: u64 = 1_000_000;
const PROOFS: u64 = 1_000;

/// A trie over hashed keys, with the proofs of some of them.
struct Trie {
    root: B256,
    proofs: Vec<Vec<Bytes>>,
}

fn build(mut leaves: Vec<(B256, Vec<u8>)>, wanted: &[B256]) -> Trie {
    leaves.sort();
    let targets = wanted.iter().map(|key| Nibbles::unpack(key)).collect();
    let mut builder = HashBuilder::default().with_proof_retainer(ProofRetainer::new(targets));
    leaves.iter().for_each(|(key, value)| builder.add_leaf(Nibbles::unpack(key), value));
    let root = builder.root();
    let nodes = builder.take_proof_nodes();
    let listed = |key: &B256| {
        let nodes = nodes.matching_nodes_sorted(&Nibbles::unpack(key));
        nodes.into_iter().filter(|(_, node)| node.len() >= 32).map(|(_, node)| node).collect()
    };
    Trie { root, proofs: wanted.iter().map(listed).collect() }
}

fn slot(n: u64) -> [u8; 32] {
    keccak256([b"slot", &n.to_be_bytes()[..]].concat()).0
}

fn address(n: u64) -> Address {
    Address(slot(n)[..20].try_into().unwrap())
}

/// The storage leaf of slot `n`: a commitment of 32 bytes.
fn stored(n: u64) -> Vec<u8> {
    let mut out = Vec::new();
    put_bytes(&mut out, &slot(n.wrapping_add(LEAVES)));
    out
}

fn account(storage_root: &B256) -> Vec<u8> {
    let (mut payload, mut out) = (Vec::new(), Vec::new());
    put_uint(&mut payload, 1);
    put_uint(&mut payload, 0);
    put_bytes(&mut payload, storage_root.as_slice());
    put_bytes(&mut payload, EMPTY_CODE_HASH.as_bytes());
    put_list(&mut out, &payload);
    out
}

fn refs(nodes: &[Bytes]) -> Vec<&[u8]> {
    nodes.iter().map(AsRef::as_ref).collect()
}

/// Slots that are looked up: every second one is absent.
fn looked_up(i: u64) -> u64 {
    if i.is_multiple_of(2) {
        i * (LEAVES / PROOFS)
    } else {
        LEAVES + i
    }
}

fn report(what: &str, ratio: Ratio) -> f64 {
    println!(
        "{what:<20} alloy-trie {:>5.2} µs  ours {:>5.2} µs  {:>5.3}",
        ratio.reference.as_secs_f64() * 1e6 / PROOFS as f64,
        ratio.measured.as_secs_f64() * 1e6 / PROOFS as f64,
        ratio.value(),
    );
    ratio.value()
}

fn main() {
    let slots: Vec<u64> = (0..PROOFS).map(looked_up).collect();
    let hashed: Vec<B256> = slots.iter().map(|n| keccak256(slot(*n))).collect();
    let storage = build((0..LEAVES).map(|n| (keccak256(slot(n)), stored(n))).collect(), &hashed);
    // The account proofs are those of accounts that are there: the router always is.
    let owners: Vec<u64> = (0..PROOFS).map(|i| i * (LEAVES / PROOFS)).collect();
    let owner_keys: Vec<B256> = owners.iter().map(|n| keccak256(address(*n).0)).collect();
    let value = account(&storage.root);
    let accounts = build((0..LEAVES).map(|n| (keccak256(address(n).0), value.clone())).collect(), &owner_keys);
    let storage_root = Hash32(storage.root.0);
    let state_root = Root::new(accounts.root.as_slice()).unwrap();

    let our_storage = |i: usize, root: &Hash32| {
        let got = verify_slot(root, &slot(slots[i]), &refs(&storage.proofs[i])).unwrap();
        assert_eq!(got.is_some(), slots[i] < LEAVES);
    };
    let their_storage = |i: usize| {
        let expected = (slots[i] < LEAVES).then(|| stored(slots[i]));
        verify_proof(storage.root, Nibbles::unpack(keccak256(slot(slots[i]))), expected, &storage.proofs[i]).unwrap();
    };
    let our_account = |i: usize| verify_account(&state_root, &address(owners[i]), &refs(&accounts.proofs[i])).unwrap();
    let their_account = |i: usize| {
        let key = Nibbles::unpack(keccak256(address(owners[i]).0));
        verify_proof(accounts.root, key, Some(value.clone()), &accounts.proofs[i]).unwrap();
    };
    let each = |call: &dyn Fn(usize)| timed(|| (0..slots.len()).for_each(call));

    let only = Ratio::of(TURNS, || each(&|i| our_storage(i, &storage_root)), || each(&their_storage));
    let both = Ratio::of(
        TURNS,
        || each(&|i| our_storage(i, &our_account(i).storage_root)),
        || {
            each(&|i| {
                their_account(i);
                their_storage(i);
            })
        },
    );
    println!("{LEAVES} leaves, {PROOFS} proofs, a proof:");
    let worst = report("storage", only).max(report("account and storage", both));
    assert!(worst <= BUDGET, "a proof takes {worst:.3} times that of alloy-trie, budget {BUDGET}");
}
