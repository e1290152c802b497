//! Updates as bytes: decoded strictly, bounded before work, and judged for everything that needs no trust.
//!
//! SCALE encoding, the parts that a node gives (headers, justifications, proof nodes) as the node encodes them:
//!
//! ```text
//! Update        = 0 Finalised | 1 Linked | 2 Ballot
//! Finalised     = fragments: Vec<Fragment>, subject: u32, authorities: bool, state: Vec<Vec<u8>>
//! Fragment      = set_id: u64, justification: GrandpaJustification, headers: Vec<Header>
//! Linked        = headers: Vec<Header>, state: Vec<Vec<u8>>
//! Ballot        = set_id: u64, round: u64, vote: SignedPrecommit
//! ```
//!
//! **Finalised** makes header `subject` trusted. A fragment's first header is the justified one, and each other is the
//! parent of the one before it, down to the child of the trusted header (or to anywhere, with `skipping`). All fragments
//! but the last end at a header that hands over to the next authorities. The subject is one of the headers of the last
//! fragment; what is above it only carries the justification. `state` proves [`state_keys`] under the subject's state
//! root, `authorities` says whether that includes the authorities: an anchor needs them.
//!
//! **Linked** makes an older header trusted, the last one given: the first is the parent of a retained header, and each
//! other is the parent of the one before it. It needs no justification.
//!
//! **Ballot** is one vote, for evidence of a voter who has voted twice.
//!
//! [`encode_finalised`], [`encode_linked`] and [`encode_ballot`] put the parts together.

use alloc::boxed::Box;
use alloc::vec::Vec;

use parity_scale_codec::{Compact, Decode, Encode};

use super::digest::{DigestItem, Fields, Message};
use super::error::GrandpaError;
use super::types::{Authority, MAX_AUTHORITIES};
use crate::crypto::blake2b_256;
use crate::proof::trie::{storage_key, take_nodes};
use crate::verdict::{Hash32, Root};

/// Longest update that is looked at, in bytes: a line of 10,000 ordinary headers, or 40 justifications of 600 votes.
pub const MAX_UPDATE_BYTES: usize = 4 * 1024 * 1024;

/// Longest header, in bytes. The longest known one, Kusama's 7472481, has 72,562.
pub const MAX_HEADER_BYTES: usize = 128 * 1024;

/// Most items in the digest of a header.
pub const MAX_DIGEST_ITEMS: usize = 64;

/// Most fragments in an update: handovers that are caught up with at once.
pub const MAX_FRAGMENTS: usize = 32;

/// Most headers in a line, and most headers above a justified block.
pub const MAX_LINE_HEADERS: usize = 8192;

/// Engine id of GRANDPA in digests (sp-consensus-grandpa `GRANDPA_ENGINE_ID`).
const ENGINE: [u8; 4] = *b"FRNK";

/// The storage keys that an update proves under the subject's state root: `Timestamp.Now`, `Grandpa.CurrentSetId`, and
/// where asked for `Grandpa.Authorities`.
#[must_use]
pub fn state_keys(authorities: bool) -> Vec<[u8; 32]> {
    let mut keys = alloc::vec![storage_key("Timestamp", "Now"), storage_key("Grandpa", "CurrentSetId")];
    if authorities {
        keys.push(storage_key("Grandpa", "Authorities"));
    }
    keys
}

/// A header with its hash.
#[derive(Clone, Debug)]
pub(super) struct Header<'a> {
    pub(super) bytes: &'a [u8],
    pub(super) hash: Hash32,
    pub(super) parent: Hash32,
    pub(super) number: u64,
    state_root: [u8; 32],
    digest: Vec<DigestItem>,
}

/// A block that is voted for.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Encode, Decode)]
pub(super) struct Precommit {
    pub(super) hash: [u8; 32],
    pub(super) number: u32,
}

/// A vote (finality-grandpa `SignedPrecommit`).
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
pub(super) struct SignedPrecommit {
    pub(super) precommit: Precommit,
    pub(super) signature: [u8; 64],
    pub(super) id: [u8; 32],
}

impl SignedPrecommit {
    /// What the voter signs (finality-grandpa `localized_payload`): the message, the round and the id of its set.
    pub(super) fn message(&self, round: u64, set_id: u64) -> [u8; 53] {
        /// Index of a precommit among the messages of GRANDPA.
        const PRECOMMIT: u8 = 1;
        let mut bytes = [PRECOMMIT; 53];
        let (number, round, set_id) = (self.precommit.number.to_le_bytes(), round.to_le_bytes(), set_id.to_le_bytes());
        let parts = self.precommit.hash.into_iter().chain(number).chain(round).chain(set_id);
        bytes.iter_mut().skip(1).zip(parts).for_each(|(to, from)| *to = from);
        bytes
    }
}

/// Votes that finalise a block (sc-consensus-grandpa `GrandpaJustification`).
#[derive(Clone, Debug)]
pub(super) struct Justification<'a> {
    pub(super) round: u64,
    pub(super) target: Precommit,
    pub(super) votes: Vec<SignedPrecommit>,
    pub(super) ancestries: Vec<Header<'a>>,
}

/// A justified header with headers below it.
#[derive(Clone, Debug)]
pub(super) struct Fragment<'a> {
    pub(super) set_id: u64,
    pub(super) justification: Justification<'a>,
    /// By falling numbers, each the parent of the one before. Never empty.
    pub(super) line: Line<'a>,
}

/// Headers by falling numbers, each the parent of the one before. Never empty.
#[derive(Clone, Debug)]
pub(super) struct Line<'a> {
    pub(super) top: Header<'a>,
    pub(super) below: Vec<Header<'a>>,
}

impl<'a> Line<'a> {
    pub(super) fn iter(&self) -> impl DoubleEndedIterator<Item = &Header<'a>> {
        core::iter::once(&self.top).chain(&self.below)
    }

    pub(super) fn lowest(&self) -> &Header<'a> {
        self.below.last().unwrap_or(&self.top)
    }

    pub(super) fn at(&self, number: u64) -> Option<&Header<'a>> {
        let depth = usize::try_from(self.top.number.checked_sub(number)?).ok()?;
        match depth.checked_sub(1) {
            None => Some(&self.top),
            Some(position) => self.below.get(position),
        }
    }
}

/// Nodes that prove values of a state.
#[derive(Clone, Debug)]
pub(super) struct StateProof<'a> {
    pub(super) authorities: bool,
    pub(super) nodes: Vec<&'a [u8]>,
}

/// What an update says, checked as far as no trust is needed.
#[derive(Clone, Debug)]
pub(super) enum Update<'a> {
    Finalised(Box<Finalised<'a>>),
    Linked { line: Line<'a>, state: StateProof<'a> },
    Ballot(Ballot),
}

/// Justified headers and the one that they make trusted.
#[derive(Clone, Debug)]
pub(super) struct Finalised<'a> {
    /// Fragments before the last.
    pub(super) before: Vec<Fragment<'a>>,
    pub(super) last: Fragment<'a>,
    pub(super) subject: Header<'a>,
    pub(super) state: StateProof<'a>,
}

/// One vote with what it is signed for.
#[derive(Clone, Debug)]
pub(super) struct Ballot {
    pub(super) set_id: u64,
    pub(super) round: u64,
    pub(super) vote: SignedPrecommit,
}

impl Update<'_> {
    pub(super) const fn kind(&self) -> &'static str {
        match self {
            Self::Finalised(_) => "a justified header",
            Self::Linked { .. } => "a header below a retained one",
            Self::Ballot(_) => "a vote",
        }
    }
}

/// Decodes an update.
pub(super) fn update(bytes: &[u8]) -> Result<Update<'_>, GrandpaError> {
    if bytes.len() > MAX_UPDATE_BYTES {
        return Err(GrandpaError::TooLarge { got_bytes: bytes.len(), max_bytes: MAX_UPDATE_BYTES });
    }
    let mut rest = bytes;
    let update = match plain::<u8>("kind of update", &mut rest)? {
        0 => Update::Finalised(Box::new(finalised(&mut rest)?)),
        1 => Update::Linked {
            line: line(&mut rest)?,
            state: StateProof { authorities: false, nodes: take_nodes(&mut rest)? },
        },
        2 => Update::Ballot(Ballot {
            set_id: plain("set id", &mut rest)?,
            round: plain("round", &mut rest)?,
            vote: plain("vote", &mut rest)?,
        }),
        _ => return Err(GrandpaError::Decode { what: "kind of update" }),
    };
    if !rest.is_empty() {
        return Err(GrandpaError::Decode { what: "end of the update" });
    }
    let mut encoded = Vec::with_capacity(bytes.len());
    put_update(&mut encoded, &update);
    canonical("update", bytes, &encoded)?;
    Ok(update)
}

fn finalised<'a>(rest: &mut &'a [u8]) -> Result<Finalised<'a>, GrandpaError> {
    let count = take_count("fragments", MAX_FRAGMENTS, rest)?;
    let mut before = Vec::new();
    let mut last = fragment(rest)?;
    for _ in 1..count {
        before.push(core::mem::replace(&mut last, fragment(rest)?));
    }
    let number = u64::from(plain::<u32>("subject", rest)?);
    let authorities = plain("authorities", rest)?;
    let state = StateProof { authorities, nodes: take_nodes(rest)? };
    let (lowest, highest) = (last.line.lowest().number, last.line.top.number);
    let subject = last.line.at(number).cloned().ok_or(GrandpaError::Subject { got: number, lowest, highest })?;
    Ok(Finalised { before, last, subject, state })
}

fn fragment<'a>(rest: &mut &'a [u8]) -> Result<Fragment<'a>, GrandpaError> {
    Ok(Fragment { set_id: plain("set id", rest)?, justification: take_justification(rest)?, line: line(rest)? })
}

fn take_justification<'a>(rest: &mut &'a [u8]) -> Result<Justification<'a>, GrandpaError> {
    let round = plain("round", rest)?;
    let target = plain("target of the justification", rest)?;
    let count = take_count("votes", MAX_AUTHORITIES, rest)?;
    let votes = (0..count).map(|_| plain("vote", rest)).collect::<Result<_, _>>()?;
    let count = take_count_or_none("headers above the justified block", MAX_LINE_HEADERS, rest)?;
    let ancestries = (0..count).map(|_| take_header(rest)).collect::<Result<_, _>>()?;
    Ok(Justification { round, target, votes, ancestries })
}

/// Decodes a justification by itself.
pub(super) fn justification(bytes: &[u8]) -> Result<Justification<'_>, GrandpaError> {
    if bytes.len() > MAX_UPDATE_BYTES {
        return Err(GrandpaError::TooLarge { got_bytes: bytes.len(), max_bytes: MAX_UPDATE_BYTES });
    }
    let mut rest = bytes;
    let justification = take_justification(&mut rest)?;
    if rest.is_empty() {
        Ok(justification)
    } else {
        Err(GrandpaError::Decode { what: "end of the justification" })
    }
}

/// Headers that name each other as parents, numbers falling by one.
fn line<'a>(rest: &mut &'a [u8]) -> Result<Line<'a>, GrandpaError> {
    let count = take_count("headers in a line", MAX_LINE_HEADERS, rest)?;
    let mut line = Line { top: take_header(rest)?, below: Vec::new() };
    for _ in 1..count {
        let (header, above) = (take_header(rest)?, line.lowest());
        if header.hash != above.parent {
            return Err(GrandpaError::Line { height: header.number, got: header.hash, expected: above.parent });
        }
        if header.number.checked_add(1) != Some(above.number) {
            return Err(GrandpaError::LineNumber { above: above.number, got: header.number });
        }
        line.below.push(header);
    }
    Ok(line)
}

fn take_header<'a>(rest: &mut &'a [u8]) -> Result<Header<'a>, GrandpaError> {
    let start = *rest;
    // Not a byte beyond the bound is looked at.
    let mut window = start.get(..MAX_HEADER_BYTES).unwrap_or(start);
    let whole = window.len();
    let fields: Fields = plain("header", &mut window)?;
    let count = take_count_or_none("digest items", MAX_DIGEST_ITEMS, &mut window)?;
    let digest: Vec<DigestItem> =
        (0..count).map(|_| plain("digest of a header", &mut window)).collect::<Result<_, _>>()?;
    let (bytes, after) =
        start.split_at_checked(whole.saturating_sub(window.len())).ok_or(GrandpaError::Decode { what: "header" })?;
    *rest = after;
    let mut encoded = Vec::with_capacity(bytes.len());
    fields.encode_to(&mut encoded);
    digest.encode_to(&mut encoded);
    canonical("header", bytes, &encoded)?;
    Ok(Header {
        bytes,
        hash: blake2b_256(&[bytes]),
        parent: Hash32(fields.parent),
        number: fields.number.into(),
        state_root: fields.state_root,
        digest,
    })
}

impl Header<'_> {
    /// The state root, which is not zero.
    pub(super) fn root(&self) -> Result<Root, GrandpaError> {
        Root::new(&self.state_root).ok_or(GrandpaError::ZeroStateRoot { height: self.number })
    }

    /// The authorities that this header hands over to, if it does. What cannot be followed is refused (GR-08).
    pub(super) fn change(&self) -> Result<Option<Vec<Authority>>, GrandpaError> {
        let height = self.number;
        let mut changes = Vec::new();
        let mut forced = false;
        for item in &self.digest {
            let DigestItem::Consensus(ENGINE, payload) = item else { continue };
            let message: Message = exactly(payload).ok_or(GrandpaError::Message { height })?;
            match message {
                Message::ScheduledChange(change) => changes.push(change),
                Message::ForcedChange(..) => forced = true,
                Message::OnDisabled(_) | Message::Pause(_) | Message::Resume(_) => {}
            }
        }
        if forced {
            return Err(GrandpaError::ForcedChange { height });
        }
        if changes.len() > 1 {
            return Err(GrandpaError::TwoChanges { height });
        }
        match changes.pop() {
            Some(change) if change.delay != 0 => Err(GrandpaError::DelayedChange { height, delay: change.delay }),
            change => Ok(change.map(|change| change.next_authorities)),
        }
    }
}

/// Decodes a value of the state: all of the bytes, and no other bytes stand for the same (ST-08).
pub(super) fn exactly<T: Decode + Encode>(bytes: &[u8]) -> Option<T> {
    let mut rest = bytes;
    let value = T::decode(&mut rest).ok()?;
    (rest.is_empty() && value.encode() == bytes).then_some(value)
}

fn plain<T: Decode>(what: &'static str, rest: &mut &[u8]) -> Result<T, GrandpaError> {
    T::decode(rest).map_err(|_| GrandpaError::Decode { what })
}

/// A number of entries: counted before anything is allocated for them.
fn take_count(what: &'static str, max: usize, rest: &mut &[u8]) -> Result<usize, GrandpaError> {
    match take_count_or_none(what, max, rest)? {
        0 => Err(GrandpaError::Count { what, got: 0, max }),
        count => Ok(count),
    }
}

fn take_count_or_none(what: &'static str, max: usize, rest: &mut &[u8]) -> Result<usize, GrandpaError> {
    let count = usize::try_from(plain::<Compact<u32>>(what, rest)?.0).unwrap_or(usize::MAX);
    if count > max {
        return Err(GrandpaError::Count { what, got: count, max });
    }
    Ok(count)
}

fn canonical(what: &'static str, got: &[u8], encoded: &[u8]) -> Result<(), GrandpaError> {
    if got == encoded {
        Ok(())
    } else {
        Err(GrandpaError::NotCanonical { what, got_bytes: got.len(), expected_bytes: encoded.len() })
    }
}

fn put_count(out: &mut Vec<u8>, count: usize) {
    Compact(u32::try_from(count).unwrap_or(u32::MAX)).encode_to(out);
}

fn put_update(out: &mut Vec<u8>, update: &Update<'_>) {
    match update {
        Update::Finalised(finalised) => {
            out.push(0);
            put_count(out, finalised.before.len().saturating_add(1));
            finalised.before.iter().chain([&finalised.last]).for_each(|fragment| put_fragment(out, fragment));
            // Numbers come from 32 bits.
            u32::try_from(finalised.subject.number).unwrap_or(u32::MAX).encode_to(out);
            finalised.state.authorities.encode_to(out);
            finalised.state.nodes.encode_to(out);
        }
        Update::Linked { line, state } => {
            out.push(1);
            put_line(out, line);
            state.nodes.encode_to(out);
        }
        Update::Ballot(ballot) => {
            out.push(2);
            (ballot.set_id, ballot.round, &ballot.vote).encode_to(out);
        }
    }
}

fn put_fragment(out: &mut Vec<u8>, fragment: &Fragment<'_>) {
    let justification = &fragment.justification;
    (fragment.set_id, justification.round, justification.target).encode_to(out);
    justification.votes.encode_to(out);
    put_ancestries(out, &justification.ancestries);
    put_line(out, &fragment.line);
}

pub(super) fn put_ancestries(out: &mut Vec<u8>, ancestries: &[Header<'_>]) {
    put_count(out, ancestries.len());
    ancestries.iter().for_each(|header| out.extend_from_slice(header.bytes));
}

fn put_line(out: &mut Vec<u8>, line: &Line<'_>) {
    put_count(out, line.below.len().saturating_add(1));
    line.iter().for_each(|header| out.extend_from_slice(header.bytes));
}

/// A justified header with headers below it, as the node encodes them.
#[derive(Clone, Copy, Debug)]
pub struct FragmentParts<'a> {
    /// Id of the authority set that justified it.
    pub set_id: u64,
    /// SCALE `GrandpaJustification`.
    pub justification: &'a [u8],
    /// SCALE headers: the justified one, its parent, and so on.
    pub headers: &'a [Vec<u8>],
}

/// What `state_getReadProof` gives for [`state_keys`] at the subject.
#[derive(Clone, Copy, Debug)]
pub struct StateParts<'a> {
    /// The nodes.
    pub nodes: &'a [Vec<u8>],
    /// Whether the authorities were asked for.
    pub authorities: bool,
}

/// The update that makes header `subject` trusted by the justification of a header at or above it.
#[must_use]
pub fn encode_finalised(fragments: &[FragmentParts<'_>], subject: u32, state: StateParts<'_>) -> Vec<u8> {
    let mut out = alloc::vec![0];
    put_count(&mut out, fragments.len());
    for fragment in fragments {
        fragment.set_id.encode_to(&mut out);
        out.extend_from_slice(fragment.justification);
        put_headers(&mut out, fragment.headers);
    }
    (subject, state.authorities, state.nodes).encode_to(&mut out);
    out
}

/// The update that makes the last of `headers` trusted, since the first is the parent of a retained header.
#[must_use]
pub fn encode_linked(headers: &[Vec<u8>], state_nodes: &[Vec<u8>]) -> Vec<u8> {
    let mut out = alloc::vec![1];
    put_headers(&mut out, headers);
    state_nodes.encode_to(&mut out);
    out
}

/// One vote, for evidence: `vote` is a SCALE `SignedPrecommit`.
#[must_use]
pub fn encode_ballot(set_id: u64, round: u64, vote: &[u8]) -> Vec<u8> {
    let mut out = alloc::vec![2];
    (set_id, round).encode_to(&mut out);
    out.extend_from_slice(vote);
    out
}

fn put_headers(out: &mut Vec<u8>, headers: &[Vec<u8>]) {
    put_count(out, headers.len());
    headers.iter().for_each(|header| out.extend_from_slice(header));
}

/// The fields of a header as RPC endpoints give them.
#[derive(Clone, Debug)]
pub struct HeaderParts<'a> {
    /// Hash of the parent.
    pub parent: [u8; 32],
    /// Number.
    pub number: u32,
    /// State root.
    pub state_root: [u8; 32],
    /// Root of the extrinsics.
    pub extrinsics_root: [u8; 32],
    /// The items of the digest, each in SCALE encoding, as in the JSON field `digest.logs`.
    pub digest: &'a [Vec<u8>],
}

/// The bytes of a header from its fields.
#[must_use]
pub fn encode_header(parts: &HeaderParts<'_>) -> Vec<u8> {
    let HeaderParts { parent, number, state_root, extrinsics_root, digest } = parts.clone();
    let mut out = Fields { parent, number, state_root, extrinsics_root }.encode();
    put_headers(&mut out, digest);
    out
}

/// The hash of a header, given as the chain encodes it. It says nothing of whether the header is final.
///
/// # Errors
/// The bytes are not one header in its one encoding.
pub fn block_hash(header: &[u8]) -> Result<Hash32, GrandpaError> {
    let mut rest = header;
    let hash = take_header(&mut rest)?.hash;
    if rest.is_empty() {
        Ok(hash)
    } else {
        Err(GrandpaError::Decode { what: "end of the header" })
    }
}

/// The hash of the header that an update is for, checked against nothing: for showing a person what to pin as anchor.
///
/// # Errors
/// The update does not decode, or is a vote.
pub fn header_hash(bytes: &[u8]) -> Result<Hash32, GrandpaError> {
    match update(bytes)? {
        Update::Finalised(finalised) => Ok(finalised.subject.hash),
        Update::Linked { line, .. } => Ok(line.lowest().hash),
        update @ Update::Ballot(_) => {
            Err(GrandpaError::Kind { got: update.kind(), expected: "an update with headers" })
        }
    }
}
