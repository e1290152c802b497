//! Updates and evidence of QBFT with the validators in a contract.
//!
//! The oracle is that of the other updates: nobody but the keys of the network can seal, and no proof makes another
//! set of it.

use std::sync::OnceLock;

use catenary_light_clients::qbft::{Config, Qbft};
use catenary_light_clients::testing::{keys, ContractNetwork, HeaderSpec};
use catenary_light_clients::{Hash32, LightClient, Timestamp, Verdict};

use crate::bft::{halves, joined};

/// A chain whose set changes on the way, with clients that stand at its fourth block.
struct World {
    network: ContractNetwork,
    /// A sealed twin of block 4.
    twin: HeaderSpec,
    client: Qbft,
    skipping: Qbft,
    /// Stands at block 3.
    before: Qbft,
    now: Timestamp,
}

fn world() -> &'static World {
    static WORLD: OnceLock<World> = OnceLock::new();
    WORLD.get_or_init(|| {
        let mut network = ContractNetwork::new(4);
        network.grow(2);
        let mut twin = network.headers[3].clone();
        twin.receipts_root.0[0] ^= 1;
        let twin = twin.sealed(&network.keys);
        let next = network.next();
        network.push(next, &keys(5));
        network.grow(2);
        let follow = |skipping: bool, blocks: u64| {
            let config = Config { skipping, ..network.config() };
            let mut client = Qbft::new(config, &network.update(2)).expect("block 2 is a good anchor");
            for number in 3..=blocks {
                let verdict = client.advance(&network.update(number), network.now());
                assert!(matches!(verdict, Verdict::Verified(_)), "{verdict:?}");
            }
            client
        };
        World {
            client: follow(false, 4),
            skipping: follow(true, 4),
            before: follow(false, 3),
            now: network.now(),
            twin,
            network,
        }
    })
}

/// Whether a header with this hash was sealed here.
fn has_sealed(hash: Hash32) -> bool {
    world().network.headers.iter().chain([&world().twin]).any(|header| header.hash() == hash)
}

/// An update is trusted, or a conflict, only if it was sealed here; a refusal leaves no trace. Whatever is trusted
/// leaves a set that the contract has held.
pub fn advance(input: &[u8]) {
    for client in [&world().client, &world().skipping] {
        let mut after = client.clone();
        match after.advance(input, world().now) {
            Verdict::Verified(verified) => {
                let verified = verified.expect("a header is provable at once");
                assert!(has_sealed(verified.hash), "{} was never sealed", verified.hash);
                let sets = [keys(4), keys(5)];
                let held = sets.iter().any(|set| set.iter().map(|key| key.address()).eq(after.validators().to_vec()));
                assert!(held, "the contract never held {:?}", after.validators());
            }
            Verdict::Conflict(found) => {
                assert!(has_sealed(found.second), "{} was never sealed", found.second);
                assert!(after.status().frozen);
            }
            Verdict::NeedsIntermediate { .. } | Verdict::Rejected(_) | Verdict::Expired { .. } | Verdict::Held(_) => {
                assert_eq!(after.save(), client.save(), "a refusal changes nothing");
            }
        }
    }
}

/// Input: two bytes of length, the first update, the second update. If it is taken for misbehaviour, then each half
/// by itself is an update that a client below accepts.
pub fn misbehaviour(input: &[u8]) {
    let Some((first, second)) = halves(input) else { return };
    let Ok(found) = world().client.misbehaviour(first, second, world().now) else { return };
    assert_ne!(found.first, found.second);
    for half in [first, second] {
        let verdict = world().before.clone().advance(half, world().now);
        assert!(matches!(verdict, Verdict::Verified(_)), "half of the evidence is no update: {verdict:?}");
    }
}

/// Updates of the chain and of its twin, and one that is sealed by the former set.
#[must_use]
pub fn update_seeds() -> Vec<Vec<u8>> {
    let network = &world().network;
    let mut seeds: Vec<Vec<u8>> = (2..=7).map(|number| network.update(number)).collect();
    seeds.push(network.update_of(&world().twin));
    let former = keys(4);
    let mut header = network.headers[5].clone();
    header.coinbase = former[0].address();
    seeds.push(network.update_of(&header.sealed(&former)));
    seeds
}

/// Evidence that holds, and a pair that does not contradict itself.
#[must_use]
pub fn evidence_seeds() -> Vec<Vec<u8>> {
    let network = &world().network;
    let twin = network.update_of(&world().twin);
    vec![
        joined(&network.update(4), &twin),
        joined(&twin, &network.update(4)),
        joined(&network.update(4), &network.update(5)),
    ]
}
