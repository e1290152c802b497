//! QBFT headers, updates, evidence and saved state.
//!
//! The oracle for updates is that nobody but the keys of the network can seal: whatever is trusted, or taken for a
//! conflict, must be one of the few headers that were sealed here.

use std::sync::OnceLock;

use catenary_light_clients::qbft::{Ballot, Config, Qbft, RawHeader};
use catenary_light_clients::rlp::{put_bytes, put_list, put_uint, Item};
use catenary_light_clients::testing::{vote, HeaderSpec, Network};
use catenary_light_clients::{Hash32, LightClient, Timestamp, Verdict};

/// Position of the extra data in a header (Yellow Paper, section 4.3).
const EXTRA: usize = 12;

/// A chain that goes on, with clients that stand at its fifth block.
struct World {
    network: Network,
    /// A sealed twin of block 5, which only misbehaving validators would make.
    twin: HeaderSpec,
    client: Qbft,
    skipping: Qbft,
    /// Stands at block 4.
    before: Qbft,
    now: Timestamp,
}

fn world() -> &'static World {
    static WORLD: OnceLock<World> = OnceLock::new();
    WORLD.get_or_init(|| {
        let mut network = Network::new(4);
        network.grow(3);
        let mut fifth = network.next();
        fifth.vote = vote(network.keys[1].address(), true);
        fifth.round = vec![3];
        let mut twin = fifth.clone();
        twin.state_root.0[0] ^= 1;
        let twin = twin.sealed(&network.keys);
        network.push(fifth);
        network.grow(3);
        let mut skipping = network.config();
        skipping.skipping = true;
        let follow = |config: Config, blocks: usize| {
            let mut client = network.client(config);
            for header in &network.headers[1..blocks] {
                let verdict = client.advance(&header.encode(), network.now());
                assert!(matches!(verdict, Verdict::Verified(_)), "{verdict:?}");
            }
            client
        };
        World {
            client: follow(network.config(), 5),
            skipping: follow(skipping, 5),
            before: follow(network.config(), 4),
            now: network.now(),
            twin,
            network,
        }
    })
}

impl World {
    /// Whether a header with this hash was sealed here.
    fn has_sealed(&self, hash: Hash32) -> bool {
        self.network.headers.iter().chain([&self.twin]).any(|header| header.hash() == hash)
    }
}

/// A header that decodes is rebuilt from its values and must come out as it went in; its block hash does not depend
/// on round and seals, and what is sealed does not depend on seals.
pub fn header(input: &[u8]) {
    let Ok(header) = RawHeader::decode(input) else { return };
    let fields = Item::decode(input).expect("it decodes").items(64).expect("it decodes");
    let extra = rebuild_extra(&header, &fields);
    assert_eq!(extra, fields[EXTRA].bytes().expect("it decodes"), "the extra data, encoded again");
    let rebuilt = with_extra(&fields, &extra);
    assert_eq!(rebuilt, input, "the header, encoded again");

    let mut bare = header.clone();
    bare.extra.seals.clear();
    let bare = with_extra(&fields, &rebuild_extra(&bare, &fields));
    let bare = RawHeader::decode(&bare).expect("seals may be missing");
    assert_eq!((bare.block_hash(), bare.seal_hash()), (header.block_hash(), header.seal_hash()));
}

/// The extra data from its values.
fn rebuild_extra(header: &RawHeader<'_>, fields: &[Item<'_>]) -> Vec<u8> {
    let extra = Item::decode(fields[EXTRA].bytes().expect("it decodes")).expect("it decodes");
    let vanity = extra.items(5).expect("it decodes")[0];
    let mut payload = vanity.raw().to_vec();
    let mut validators = Vec::new();
    header.extra.validators.iter().for_each(|address| put_bytes(&mut validators, address.as_bytes()));
    put_list(&mut payload, &validators);
    let mut vote = Vec::new();
    if let Some(cast) = header.extra.vote {
        put_bytes(&mut vote, cast.candidate.as_bytes());
        put_bytes(&mut vote, if cast.ballot == Ballot::Add { &[0xff] } else { &[] });
    }
    put_list(&mut payload, &vote);
    put_uint(&mut payload, u64::from(header.extra.round));
    let mut seals = Vec::new();
    header.extra.seals.iter().for_each(|seal| put_bytes(&mut seals, *seal));
    put_list(&mut payload, &seals);
    let mut out = Vec::new();
    put_list(&mut out, &payload);
    out
}

/// The header with other extra data.
fn with_extra(fields: &[Item<'_>], extra: &[u8]) -> Vec<u8> {
    let mut payload = Vec::new();
    for (position, field) in fields.iter().enumerate() {
        match position {
            EXTRA => put_bytes(&mut payload, extra),
            _ => payload.extend_from_slice(field.raw()),
        }
    }
    let mut out = Vec::new();
    put_list(&mut out, &payload);
    out
}

/// An update is trusted, or a conflict, only if it was sealed here; a refusal leaves no trace.
pub fn advance(input: &[u8]) {
    for client in [&world().client, &world().skipping] {
        let mut after = client.clone();
        match after.advance(input, world().now) {
            Verdict::Verified(verified) => {
                let verified = verified.expect("a QBFT header is provable at once");
                assert!(world().has_sealed(verified.hash), "{} was never sealed", verified.hash);
            }
            Verdict::Conflict(found) => {
                assert!(world().has_sealed(found.second), "{} was never sealed", found.second);
                assert!(after.status().frozen);
            }
            Verdict::NeedsIntermediate { .. } | Verdict::Rejected(_) | Verdict::Expired { .. } | Verdict::Held(_) => {
                assert_eq!(after.save(), client.save(), "a refusal changes nothing")
            }
        }
    }
}

/// Input: two bytes of length, the first header, the second header. If it is taken for misbehaviour, then each half
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
    let config = world().network.config();
    let Ok(client) = Qbft::restore(config, input, &Hash32::sha256(&[input])) else { return };
    assert_eq!(client.save(), input, "restore and save again");
}

/// Headers of the chain and of its twin, sealed in full and in part, and one of another network.
#[must_use]
pub fn header_seeds() -> Vec<Vec<u8>> {
    let world = world();
    let mut seeds: Vec<Vec<u8>> = world.network.headers.iter().map(HeaderSpec::encode).collect();
    seeds.push(world.twin.encode());
    let mut full = world.network.headers[5].clone();
    full.seals.clear();
    full.seal(&world.network.keys);
    full.trailing = vec![vec![7], vec![0x80]];
    seeds.push(full.encode());
    let other = Network::new(7);
    seeds.push(other.next().sealed(&other.keys).encode());
    seeds
}

/// Evidence that holds, and pairs that do not contradict each other.
#[must_use]
pub fn evidence_seeds() -> Vec<Vec<u8>> {
    let world = world();
    let pair = |first: &HeaderSpec, second: &HeaderSpec| {
        let (first, second) = (first.encode(), second.encode());
        let length = u16::try_from(first.len()).expect("headers of four validators are short");
        [&length.to_be_bytes()[..], &first, &second].concat()
    };
    let headers = &world.network.headers;
    vec![pair(&headers[4], &world.twin), pair(&world.twin, &headers[4]), pair(&headers[4], &headers[5])]
}

/// States of clients that stand at different blocks.
#[must_use]
pub fn state_seeds() -> Vec<Vec<u8>> {
    let world = world();
    vec![world.client.save(), world.before.save(), world.network.client(world.network.config()).save()]
}
