//! Merkle-Patricia proofs: nothing but the truth is ever shown under a given root.

use std::sync::OnceLock;

use catenary_light_clients::proof::mpt::{encode_proof, StorageProof};
use catenary_light_clients::testing::EvmState;
use catenary_light_clients::{Address, Root};

/// The contract whose storage is looked at.
const CONTRACT: Address = Address([0xc0; 20]);

/// Slots that hold something; those from here to twice as many hold nothing.
const PRESENT: u8 = 40;

struct World {
    root: Root,
    state: EvmState,
}

/// One state for all inputs.
fn world() -> &'static World {
    static WORLD: OnceLock<World> = OnceLock::new();
    WORLD.get_or_init(|| {
        let mut state = EvmState::default();
        for n in 0..PRESENT {
            state.insert_slot(CONTRACT, slot(n), value(n).expect("it holds something"));
            state.insert_contract(Address([n; 20]));
        }
        World { root: state.root(), state }
    })
}

fn slot(n: u8) -> [u8; 32] {
    [n; 32]
}

/// What a slot holds; some values are short, so that leaves differ in length.
fn value(n: u8) -> Option<[u8; 32]> {
    let mut value = [0; 32];
    let from = if n.is_multiple_of(3) { 31 } else { usize::from(n % 7) };
    value[from..].fill(n + 1);
    (n < PRESENT).then_some(value)
}

/// Whatever a proof shows of any slot under the root is what the slot holds, and bytes that decode have one form.
pub fn proof(input: &[u8]) {
    let Ok(decoded) = StorageProof::decode(input) else { return };
    let owned = |nodes: &[&[u8]]| nodes.iter().map(|node| node.to_vec()).collect::<Vec<_>>();
    assert_eq!(encode_proof(&owned(&decoded.account), &owned(&decoded.storage)), input, "decode and encode again");
    for n in 0..2 * PRESENT {
        if let Ok((_, shown)) = decoded.verify(&world().root, &CONTRACT, &slot(n)) {
            assert_eq!(shown, value(n), "slot {n}");
        }
    }
}

/// Proofs of presence and of absence.
#[must_use]
pub fn seeds() -> Vec<Vec<u8>> {
    let mut seeds: Vec<Vec<u8>> =
        [0, 1, 7, 39, 40, 55, 79].iter().map(|n| world().state.proof(CONTRACT, &slot(*n))).collect();
    seeds.push(world().state.proof(Address([0xee; 20]), &slot(0)));
    seeds
}
