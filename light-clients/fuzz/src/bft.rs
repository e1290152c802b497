//! Headers, updates, evidence and saved state of QBFT and IBFT 2.0, whose rules are shared.
//!
//! The oracle for updates is that nobody but the keys of the network can seal: whatever is trusted, or taken for a
//! conflict, must be one of the few headers that were sealed here.

use catenary_light_clients::bft::{Ballot, Client, Config, Form, RawHeader};
use catenary_light_clients::rlp::{put_bytes, put_list, Item};
use catenary_light_clients::testing::{Encoding, HeaderSpec, Network};
use catenary_light_clients::{Hash32, LightClient, Timestamp, Verdict};

/// Position of the extra data in a header (Yellow Paper, section 4.3).
const EXTRA: usize = 12;

/// A chain that goes on, with clients that stand at its fifth block.
#[derive(Debug)]
pub struct World<F> {
    encoding: Encoding,
    network: Network,
    /// A sealed twin of block 5, which only misbehaving validators would make.
    twin: HeaderSpec,
    client: Client<F>,
    skipping: Client<F>,
    /// Stands at block 4.
    before: Client<F>,
    now: Timestamp,
}

impl<F: Form> World<F> {
    /// A world whose headers are written in `encoding`, which is that of the family.
    #[must_use]
    pub fn new(encoding: Encoding) -> Self {
        let mut network = Network::encoded_as(encoding, 4);
        network.grow(3);
        let mut fifth = network.next();
        fifth.vote = encoding.vote(network.keys[1].address(), true);
        fifth.round = encoding.round(3);
        let mut twin = fifth.clone();
        twin.state_root.0[0] ^= 1;
        let twin = twin.sealed(&network.keys);
        network.push(fifth);
        network.grow(3);
        let mut skipping = network.config();
        skipping.skipping = true;
        let follow = |config: Config, blocks: usize| {
            let mut client = network.client_of::<F>(config);
            for header in &network.headers[1..blocks] {
                let verdict = client.advance(&header.encode(), network.now());
                assert!(matches!(verdict, Verdict::Verified(_)), "{verdict:?}");
            }
            client
        };
        Self {
            encoding,
            client: follow(network.config(), 5),
            skipping: follow(skipping, 5),
            before: follow(network.config(), 4),
            now: network.now(),
            twin,
            network,
        }
    }

    /// Whether a header with this hash was sealed here.
    fn has_sealed(&self, hash: Hash32) -> bool {
        self.network.headers.iter().chain([&self.twin]).any(|header| header.hash() == hash)
    }

    /// A header that decodes is rebuilt from its values and must come out as it went in; its block hash does not
    /// depend on round and seals (but for block 0 of IBFT 2.0), and what is sealed does not depend on seals.
    pub fn header(&self, input: &[u8]) {
        let Ok(header) = RawHeader::<F>::decode(input) else { return };
        let fields = Item::decode(input).expect("it decodes").items(64).expect("it decodes");
        let extra = self.rebuild_extra(&header, &fields);
        assert_eq!(extra, fields[EXTRA].bytes().expect("it decodes"), "the extra data, encoded again");
        let rebuilt = with_extra(&fields, &extra);
        assert_eq!(rebuilt, input, "the header, encoded again");

        let mut bare = header.clone();
        bare.extra.seals.clear();
        let bare = with_extra(&fields, &self.rebuild_extra(&bare, &fields));
        let bare = RawHeader::<F>::decode(&bare).expect("seals may be missing");
        assert_eq!(bare.seal_hash(), header.seal_hash());
        assert!(bare.block_hash() == header.block_hash() || header.number == 0);
    }

    /// The extra data from its values.
    fn rebuild_extra(&self, header: &RawHeader<'_, F>, fields: &[Item<'_>]) -> Vec<u8> {
        let extra = Item::decode(fields[EXTRA].bytes().expect("it decodes")).expect("it decodes");
        let vanity = extra.items(5).expect("it decodes")[0];
        let mut payload = vanity.raw().to_vec();
        let mut validators = Vec::new();
        header.extra.validators.iter().for_each(|address| put_bytes(&mut validators, address.as_bytes()));
        put_list(&mut payload, &validators);
        payload.extend(match header.extra.vote {
            Some(cast) => self.encoding.vote(cast.candidate, cast.ballot == Ballot::Add),
            None => self.encoding.no_vote(),
        });
        payload.extend(self.encoding.round(header.extra.round));
        let mut seals = Vec::new();
        header.extra.seals.iter().for_each(|seal| put_bytes(&mut seals, *seal));
        put_list(&mut payload, &seals);
        let mut out = Vec::new();
        put_list(&mut out, &payload);
        out
    }

    /// An update is trusted, or a conflict, only if it was sealed here; a refusal leaves no trace.
    pub fn advance(&self, input: &[u8]) {
        for client in [&self.client, &self.skipping] {
            let mut after = client.clone();
            match after.advance(input, self.now) {
                Verdict::Verified(verified) => {
                    let verified = verified.expect("a header is provable at once");
                    assert!(self.has_sealed(verified.hash), "{} was never sealed", verified.hash);
                }
                Verdict::Conflict(found) => {
                    assert!(self.has_sealed(found.second), "{} was never sealed", found.second);
                    assert!(after.status().frozen);
                }
                Verdict::NeedsIntermediate { .. }
                | Verdict::Rejected(_)
                | Verdict::Expired { .. }
                | Verdict::Held(_) => assert_eq!(after.save(), client.save(), "a refusal changes nothing"),
            }
        }
    }

    /// Input: two bytes of length, the first header, the second header. If it is taken for misbehaviour, then each
    /// half by itself is an update that a client below accepts.
    pub fn misbehaviour(&self, input: &[u8]) {
        let Some((first, second)) = halves(input) else { return };
        let Ok(found) = self.client.misbehaviour(first, second, self.now) else { return };
        assert_ne!(found.first, found.second);
        for half in [first, second] {
            let verdict = self.before.clone().advance(half, self.now);
            assert!(matches!(verdict, Verdict::Verified(_)), "half of the evidence is no update: {verdict:?}");
        }
    }

    /// Saved state that comes back, even against the digest of just these bytes, saves as the same bytes.
    pub fn restore(&self, input: &[u8]) {
        let config = self.network.config();
        let Ok(client) = Client::<F>::restore(config, input, &Hash32::sha256(&[input])) else { return };
        assert_eq!(client.save(), input, "restore and save again");
    }

    /// Headers of the chain and of its twin, sealed in full and in part, and one of another network.
    #[must_use]
    pub fn header_seeds(&self) -> Vec<Vec<u8>> {
        let mut seeds: Vec<Vec<u8>> = self.network.headers.iter().map(HeaderSpec::encode).collect();
        seeds.push(self.twin.encode());
        let mut full = self.network.headers[5].clone();
        full.seals.clear();
        full.seal(&self.network.keys);
        full.trailing = vec![vec![7], vec![0x80]];
        seeds.push(full.encode());
        let other = Network::encoded_as(self.encoding, 7);
        seeds.push(other.next().sealed(&other.keys).encode());
        seeds
    }

    /// Evidence that holds, and pairs that do not contradict each other.
    #[must_use]
    pub fn evidence_seeds(&self) -> Vec<Vec<u8>> {
        let pair = |first: &HeaderSpec, second: &HeaderSpec| joined(&first.encode(), &second.encode());
        let headers = &self.network.headers;
        vec![pair(&headers[4], &self.twin), pair(&self.twin, &headers[4]), pair(&headers[4], &headers[5])]
    }

    /// States of clients that stand at different blocks.
    #[must_use]
    pub fn state_seeds(&self) -> Vec<Vec<u8>> {
        let anchor = self.network.client_of::<F>(self.network.config());
        vec![self.client.save(), self.before.save(), anchor.save()]
    }
}

/// Two updates in one input: two bytes of length, the first, the second.
#[must_use]
pub fn joined(first: &[u8], second: &[u8]) -> Vec<u8> {
    let length = u16::try_from(first.len()).expect("updates of few validators are short");
    [&length.to_be_bytes()[..], first, second].concat()
}

/// The two updates of an input.
#[must_use]
pub fn halves(input: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = input.split_first_chunk::<2>()?;
    rest.split_at_checked(usize::from(u16::from_be_bytes(*length)))
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
