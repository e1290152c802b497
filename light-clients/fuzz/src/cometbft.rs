//! CometBFT updates, evidence and saved state, and ICS-23 proofs.
//!
//! As for QBFT, only the keys of the chain can sign: whatever is trusted, or taken for a conflict, must be one of
//! the few headers that were signed here.

use std::sync::OnceLock;

use catenary_light_clients::cometbft::testing::{signers, Chain, Signer};
use catenary_light_clients::cometbft::{encode_update, CometBft, Config};
use catenary_light_clients::proof::ics23::testing::State;
use catenary_light_clients::proof::ics23::{verify_absence, verify_membership, StoreKey};
use catenary_light_clients::{Class, Coded, Hash32, LightClient, Root, Timestamp, Verdict};
use ics23::commitment_proof::Proof;
use ics23::{CommitmentProof, ExistenceProof};
use prost::Message as _;
use prost_tendermint::Message;
use tendermint_proto::v0_38::types::{SignedHeader, ValidatorSet};

/// Height of the last block of the chain.
const BLOCKS: u64 = 9;

/// Height at which the chain's twin leaves it.
const FORK: u64 = 5;

struct World {
    chain: Chain,
    /// The same up to below [`FORK`], which only misbehaving validators would go on with.
    twin: Chain,
    /// Stands at block 5 of the chain.
    client: CometBft,
    /// Skipped from block 1 to block 7, so that there is a gap to fill.
    skipping: CometBft,
    /// Stands at block 4, below the fork.
    before: CometBft,
    now: Timestamp,
}

fn world() -> &'static World {
    static WORLD: OnceLock<World> = OnceLock::new();
    WORLD.get_or_init(|| {
        let chain = grow(|height| height);
        let twin = grow(|height| if height < FORK { height } else { height + 1000 });
        let now = chain.time(BLOCKS + 1);
        let follow = |config: Config, heights: &[u64]| {
            let mut client = CometBft::new(config, &chain.full_update(1)).expect("the anchor holds");
            for height in heights {
                let verdict = client.advance(&chain.full_update(*height), now);
                assert!(matches!(verdict, Verdict::Verified(_)), "{verdict:?}");
            }
            client
        };
        let mut skip = chain.config(1);
        skip.skipping = true;
        World {
            client: follow(chain.config(1), &[2, 3, 4, 5]),
            skipping: follow(skip, &[7]),
            before: follow(chain.config(1), &[2, 3, 4]),
            now,
            twin,
            chain,
        }
    })
}

/// A chain whose block 5 announces a fifth validator; `state` says which state each block carries.
fn grow(state: impl Fn(u64) -> u64) -> Chain {
    let validators: Vec<Signer> = signers(1, &[10, 10, 9, 9]);
    let mut joined = validators.clone();
    joined.push(Signer::new(77, 1));
    let mut chain = Chain::new("fuzz-1", validators.clone());
    for height in 1..=BLOCKS {
        let next = if height < FORK { validators.clone() } else { joined.clone() };
        chain.push_announcing(Hash32::sha256(&[&state(height).to_be_bytes()]), next);
    }
    chain
}

impl World {
    /// Whether a header with this hash was signed here.
    fn has_signed(&self, hash: Hash32) -> bool {
        (1..=BLOCKS).any(|height| self.chain.hash(height) == hash || self.twin.hash(height) == hash)
    }
}

/// What a client accepts as its first update is in the one encoding of its messages.
pub fn update(input: &[u8]) {
    let world = world();
    for height in [1, FORK] {
        if CometBft::new(world.chain.config(height), input).is_ok() {
            assert_eq!(encoded_again(input).as_deref(), Some(input), "decode and encode again");
        }
    }
}

/// The update decoded and encoded by the messages' own library.
fn encoded_again(input: &[u8]) -> Option<Vec<u8>> {
    let parts = split(input)?;
    let header = SignedHeader::decode(parts[0]?).ok()?.encode_to_vec();
    let set = |part: Option<&[u8]>| part.map(|bytes| ValidatorSet::decode(bytes).unwrap_or_default().encode_to_vec());
    Some(encode_update(&header, set(parts[1]).as_deref(), set(parts[2]).as_deref()))
}

/// The messages in an update: signed header, validators, next validators.
pub(crate) fn split(update: &[u8]) -> Option<[Option<&[u8]>; 3]> {
    let mut rest = update;
    let mut parts = [None, None, None];
    while let Some((tag, after)) = rest.split_first() {
        rest = after;
        let length = usize::try_from(prost::encoding::decode_varint(&mut rest).ok()?).ok()?;
        let (content, after) = rest.split_at_checked(length)?;
        rest = after;
        let part = parts.get_mut(usize::from(*tag >> 3).checked_sub(1)?)?;
        *part = Some(content);
    }
    Some(parts)
}

/// An update is trusted, or a conflict, only if it was signed here; a refusal leaves no trace.
pub fn advance(input: &[u8]) {
    for client in [&world().client, &world().skipping] {
        let mut after = client.clone();
        match after.advance(input, world().now) {
            Verdict::Verified(_) => {
                let trusted = after.status().trusted_hash;
                assert!(world().has_signed(trusted), "{trusted} was never signed");
                for state in (1..=BLOCKS).filter_map(|height| after.header(height)) {
                    assert!(world().has_signed(state.hash), "{} was never signed", state.hash);
                }
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

/// Input: two bytes of length, the first update, the second update. If it is taken for misbehaviour, then each half
/// by itself is an update that a client below accepts.
pub fn misbehaviour(input: &[u8]) {
    let Some((length, rest)) = input.split_first_chunk::<2>() else { return };
    let Some((first, second)) = rest.split_at_checked(usize::from(u16::from_be_bytes(*length))) else { return };
    let Ok(found) = world().client.misbehaviour(first, second, world().now) else { return };
    assert_ne!(found.first, found.second);
    for half in [first, second] {
        let verdict = world().before.clone().advance(half, world().now);
        assert!(matches!(verdict, Verdict::Verified(_)), "half of the evidence is no update: {verdict:?}");
    }
}

/// Saved state that comes back, even against the digest of just these bytes, saves as the same bytes.
pub fn restore(input: &[u8]) {
    let config = world().chain.config(1);
    let Ok(client) = CometBft::restore(config, input, &Hash32::sha256(&[input])) else { return };
    assert_eq!(client.save(), input, "restore and save again");
}

/// Updates of the chain and of its twin, with and without validators, and one of another chain.
#[must_use]
pub fn update_seeds() -> Vec<Vec<u8>> {
    let world = world();
    let mut seeds: Vec<Vec<u8>> = (1..=BLOCKS).map(|height| world.chain.full_update(height)).collect();
    seeds.extend([FORK, FORK + 1].map(|height| world.twin.update(height)));
    seeds.extend([2, 6].map(|height| world.chain.bare_update(height)));
    seeds.push(Chain::of("fuzz-1", signers(2, &[1; 7]), 6).full_update(6));
    seeds
}

/// Evidence that holds, and pairs that do not contradict each other.
#[must_use]
pub fn evidence_seeds() -> Vec<Vec<u8>> {
    let world = world();
    let pair = |first: &[u8], second: &[u8]| {
        let length = u16::try_from(first.len()).expect("updates of five validators are short");
        [&length.to_be_bytes()[..], first, second].concat()
    };
    let (ours, theirs) = (world.chain.update(FORK), world.twin.update(FORK));
    vec![pair(&ours, &theirs), pair(&theirs, &ours), pair(&ours, &ours), pair(&ours, &world.chain.update(FORK - 1))]
}

/// States of clients that stand at different blocks.
#[must_use]
pub fn state_seeds() -> Vec<Vec<u8>> {
    let world = world();
    vec![world.client.save(), world.before.save(), world.chain.client(1).save()]
}

/// Keys of the store that hold something have even numbers.
const KEYS: usize = 24;

fn state() -> &'static (Root, State) {
    static STATE: OnceLock<(Root, State)> = OnceLock::new();
    STATE.get_or_init(|| {
        let entries: Vec<_> = (0..KEYS).step_by(2).map(|n| (key(n), value(n))).collect();
        let state = State::new(b"ibc", &entries);
        let root = Root::new(state.app_hash().as_bytes()).expect("a hash is not zero");
        (root, state)
    })
}

fn key(n: usize) -> Vec<u8> {
    format!("key-{n:02}").into_bytes()
}

fn value(n: usize) -> Vec<u8> {
    vec![b'v'; 1 + n % 5]
}

/// Whatever a proof shows under the root, of the keys it names or of any other, is what the store holds.
pub fn proof(input: &[u8]) {
    let (root, _) = state();
    for n in 0..KEYS {
        let key = key(n);
        let target = StoreKey { store: b"ibc", key: &key };
        let held = n % 2 == 0;
        let shown =
            if held { verify_absence(root, target, input) } else { verify_membership(root, target, &value(n), input) };
        let refused = shown.expect_err("an absent key is shown, or a present one is shown to be absent");
        assert_ne!(refused.class(), Class::Bug, "{refused}");
    }
    for claimed in claims(input) {
        let target = StoreKey { store: b"ibc", key: &claimed.key };
        if verify_membership(root, target, &claimed.value, input).is_ok() {
            let held = (0..KEYS).step_by(2).any(|n| key(n) == claimed.key && value(n) == claimed.value);
            assert!(held, "{:?} holds {:?}", claimed.key, claimed.value);
        }
    }
}

/// The keys and values that a proof claims, in whichever operation.
fn claims(input: &[u8]) -> Vec<ExistenceProof> {
    let mut found = Vec::new();
    let mut rest = input;
    while let Some((_, after)) = rest.split_first() {
        rest = after;
        let Ok(length) = prost::encoding::decode_varint(&mut rest) else { break };
        let Some((content, after)) = usize::try_from(length).ok().and_then(|at| rest.split_at_checked(at)) else {
            break;
        };
        rest = after;
        match CommitmentProof::decode(content).ok().and_then(|proof| proof.proof) {
            Some(Proof::Exist(claimed)) => found.push(claimed),
            Some(Proof::Nonexist(absent)) => found.extend(absent.left.into_iter().chain(absent.right)),
            Some(Proof::Batch(_) | Proof::Compressed(_)) | None => {}
        }
    }
    found
}

/// Proofs of presence and of absence.
#[must_use]
pub fn proof_seeds() -> Vec<Vec<u8>> {
    let mut seeds: Vec<Vec<u8>> = [0, 1, 10, 11, 22, 23].iter().map(|n| state().1.prove(&key(*n))).collect();
    seeds.push(state().1.prove(b"a"));
    seeds
}
