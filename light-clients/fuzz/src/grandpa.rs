//! GRANDPA updates, evidence and saved state, and Substrate trie proofs.
//!
//! As for QBFT, only the keys of the chain can sign: whatever is trusted, or taken for a conflict, must be one of the
//! few headers that were signed here.

use std::sync::OnceLock;

use catenary_light_clients::grandpa::testing::{voters, BlockSpec, Chain, FragmentSpec, UpdateSpec, Voter};
use catenary_light_clients::grandpa::{encode_ballot, Config, Grandpa, EQUIVOCATION};
use catenary_light_clients::proof::trie::testing::{StateVersion, Trie};
use catenary_light_clients::proof::trie::{decode_proof, encode_proof, lookup, select};
use catenary_light_clients::{Hash32, LightClient, Root, Timestamp, Verdict};

/// Number of the last block of the chain.
const BLOCKS: u32 = 8;

/// Number at which the chain's twin leaves it, above the handover at 3.
const FORK: u32 = 5;

/// Entries of the trie; keys from here to twice as many hold nothing.
const PRESENT: u8 = 40;

struct World {
    chain: Chain,
    /// The same up to below [`FORK`], which only misbehaving authorities would go on with.
    twin: Chain,
    /// Stands at block 6 of the chain.
    client: Grandpa,
    /// Skipped from block 1 to block 7, so that there is a gap to fill.
    skipping: Grandpa,
    /// Stands at block 4, below the fork.
    before: Grandpa,
    /// In both state versions, with their roots.
    tries: [(Root, Trie); 2],
    now: Timestamp,
}

fn world() -> &'static World {
    static WORLD: OnceLock<World> = OnceLock::new();
    WORLD.get_or_init(|| {
        let mut chain = Chain::new(voters(0, 4), StateVersion::V1);
        for number in 1..=BLOCKS {
            let next = (number == 3).then(|| voters(1, 4));
            chain.push(BlockSpec { next, ..BlockSpec::default() });
        }
        let mut twin = chain.fork(FORK - 1);
        for number in FORK..=BLOCKS {
            let write = number.to_be_bytes().to_vec();
            twin.push(BlockSpec { writes: vec![(write.clone(), write)], ..BlockSpec::default() });
        }
        let now = chain.time(BLOCKS + 1);
        let follow = |config: Config, updates: &[Vec<u8>]| {
            let mut client = Grandpa::new(config, &chain.anchor_update(1)).expect("the anchor holds");
            for update in updates {
                let verdict = client.advance(update, now);
                assert!(matches!(verdict, Verdict::Verified(_)), "{verdict:?}");
            }
            client
        };
        let updates: Vec<Vec<u8>> = (2..=6).map(|number| chain.update(number)).collect();
        let skip = Config { skipping: true, ..chain.config(1) };
        World {
            client: follow(chain.config(1), &updates),
            skipping: follow(skip, &[chain_of_handovers(&chain, 7)]),
            before: follow(chain.config(1), &updates[..3]),
            tries: [trie(StateVersion::V0), trie(StateVersion::V1)],
            now,
            twin,
            chain,
        }
    })
}

/// From block 1 over the handover at 3 to `top`, without the headers between.
fn chain_of_handovers(chain: &Chain, top: u32) -> Vec<u8> {
    let fragments: Vec<FragmentSpec> = vec![chain.fragment(3, 3), chain.fragment(top, top)];
    UpdateSpec { fragments, ..chain.spec(top, top, top) }.encode()
}

fn trie(version: StateVersion) -> (Root, Trie) {
    let mut trie = Trie::new(version);
    (0..PRESENT).for_each(|n| trie.insert(&key(n), &value(n).expect("it holds something")));
    (trie.root(), trie)
}

/// Keys of which some begin with others.
fn key(n: u8) -> Vec<u8> {
    let seed = if n % 4 == 1 { n - 1 } else { n };
    let mut key = Hash32::sha256(&[&[seed]]).0[..usize::from(1 + seed % 20)].to_vec();
    key.extend([seed; 2]);
    key.extend(vec![n; usize::from(n - seed)]);
    key
}

fn value(n: u8) -> Option<Vec<u8>> {
    (n < PRESENT).then(|| vec![n; 1 + (usize::from(n) * 11) % 60])
}

/// Whatever a proof shows of any key under a root is what the key holds, and bytes that decode have one form.
pub fn proof(input: &[u8]) {
    let Ok(nodes) = decode_proof(input) else { return };
    let owned: Vec<Vec<u8>> = nodes.iter().map(|node| node.to_vec()).collect();
    assert_eq!(encode_proof(&owned), input, "decode and encode again");
    for (root, _) in &world().tries {
        for n in (0..2 * PRESENT).step_by(7) {
            let key = key(n);
            if let Ok(shown) = lookup(root, &[&key], &nodes) {
                assert_eq!(shown, [value(n).as_deref()], "key {n}");
            }
            if let Ok(needed) = select(root, &[&key], &nodes) {
                assert_eq!(lookup(root, &[&key], &needed), Ok(vec![value(n).as_deref()]), "key {n}");
            }
        }
    }
}

impl World {
    /// Whether a header with this hash was signed here.
    fn has_signed(&self, hash: Hash32) -> bool {
        self.chain.blocks.iter().chain(&self.twin.blocks).any(|block| block.hash == hash)
    }
}

/// An update is trusted, or a conflict, only if it was signed here; a refusal leaves no trace.
pub fn advance(input: &[u8]) {
    for client in [&world().client, &world().skipping, &world().before] {
        let mut after = client.clone();
        match after.advance(input, world().now) {
            Verdict::Verified(header) => {
                let header = header.expect("a state is given with each header");
                assert!(world().has_signed(header.hash), "{} was never signed", header.hash);
                assert!(world().has_signed(after.status().trusted_hash));
            }
            Verdict::Conflict(found) => {
                assert!(world().has_signed(found.second), "{} was never signed", found.second);
                assert!(after.status().frozen);
            }
            Verdict::NeedsIntermediate { .. } | Verdict::Rejected(_) | Verdict::Expired { .. } | Verdict::Held(_) => {
                assert_eq!(after.save(), client.save(), "a refusal changes nothing")
            }
        }
    }
}

/// Input: two bytes of length, the first update, the second update. If it is taken for a fork, then each half by itself
/// is an update that a client below the fork accepts.
pub fn misbehaviour(input: &[u8]) {
    let Some((length, rest)) = input.split_first_chunk::<2>() else { return };
    let Some((first, second)) = rest.split_at_checked(usize::from(u16::from_be_bytes(*length))) else { return };
    let Ok(found) = world().client.misbehaviour(first, second, world().now) else { return };
    assert_ne!(found.first, found.second);
    if found.code == EQUIVOCATION {
        return;
    }
    assert!(world().has_signed(found.first) && world().has_signed(found.second));
}

/// Saved state that comes back, even against the digest of just these bytes, saves as the same bytes.
pub fn restore(input: &[u8]) {
    let config = world().chain.config(1);
    let Ok(client) = Grandpa::restore(config, input, &Hash32::sha256(&[input])) else { return };
    assert_eq!(client.save(), input, "restore and save again");
}

/// Proofs of presence and of absence, of one key and of many, in both versions.
#[must_use]
pub fn proof_seeds() -> Vec<Vec<u8>> {
    let keys: Vec<Vec<u8>> = [0, 1, 7, 21, 39, 40, 55].map(key).into();
    let mut seeds = Vec::new();
    for (_, trie) in &world().tries {
        seeds.extend(keys.iter().map(|key| encode_proof(&trie.proof(&[key]))));
        let all: Vec<&[u8]> = keys.iter().map(Vec::as_slice).collect();
        seeds.push(encode_proof(&trie.proof(&all)));
    }
    seeds
}

/// Updates of every kind.
#[must_use]
pub fn update_seeds() -> Vec<Vec<u8>> {
    let (chain, twin) = (&world().chain, &world().twin);
    let mut above = chain.spec(7, 7, 7);
    above.fragments[0].votes.ancestries = vec![chain.block(8).header.clone()];
    vec![
        chain.update(3),
        chain.update(5),
        chain.update(7),
        chain.update(8),
        chain.spec(8, 8, 7).encode(),
        chain.spec(7, 8, 5).encode(),
        chain_of_handovers(chain, 8),
        chain.anchor_update(7),
        chain.linked(6, 5),
        chain.linked(2, 1),
        twin.spec(6, 6, FORK).encode(),
        twin.spec(8, 8, FORK).encode(),
        above.encode(),
        ballot(7, 1),
    ]
}

fn ballot(number: u32, round: u64) -> Vec<u8> {
    let block = world().chain.block(number);
    encode_ballot(1, round, &Voter::new(1, 1).vote((block.hash, number), round, 1))
}

/// Evidence that holds, and pairs that do not contradict each other.
#[must_use]
pub fn evidence_seeds() -> Vec<Vec<u8>> {
    let (chain, twin) = (&world().chain, &world().twin);
    let (ours, theirs) = (chain.spec(6, 6, FORK).encode(), twin.spec(7, 7, FORK).encode());
    let pairs = [
        (&ours, &theirs),
        (&theirs, &ours),
        (&ours, &ours),
        (&ballot(5, 1), &ballot(6, 1)),
        (&ballot(5, 1), &ballot(6, 2)),
    ];
    pairs.iter().map(|(first, second)| [length(first).as_slice(), first, second].concat()).collect()
}

fn length(bytes: &[u8]) -> [u8; 2] {
    u16::try_from(bytes.len()).expect("seeds are short").to_be_bytes()
}

/// Saved states of the clients.
#[must_use]
pub fn state_seeds() -> Vec<Vec<u8>> {
    vec![world().client.save(), world().skipping.save(), world().chain.client(1).save()]
}
