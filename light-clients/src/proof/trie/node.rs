//! One node, read strictly: every byte has one meaning, and every meaning one form.

use super::{take, take_length, TrieError, HASH_BYTES};
use crate::verdict::Hash32;

/// Children of a branch, one a nibble.
const CHILDREN: usize = 16;

/// Deepest nesting of inline nodes that is looked at. An inline node has less than 32 bytes, and each level takes at
/// least four of them: header, two bytes of bitmap, and the length of a child.
const MAX_INLINE_DEPTH: usize = 8;

/// A node.
#[derive(Clone, Debug)]
pub(super) enum Node<'a> {
    /// The empty trie.
    Empty,
    /// The rest of a key and its value.
    Leaf { part: Nibbles<'a>, value: Value<'a> },
    /// A part of a key, the value of the key that ends here, and children.
    Branch { part: Nibbles<'a>, value: Option<Value<'a>>, children: Children<'a> },
}

/// A value, in the node or named by its hash.
#[derive(Clone, Copy, Debug)]
pub(super) enum Value<'a> {
    Inline(&'a [u8]),
    Hash(Hash32),
}

/// Where a child is.
#[derive(Clone, Copy, Debug)]
pub(super) enum Child<'a> {
    /// In the node with this hash.
    Hash(Hash32),
    /// Inside the parent.
    Inline(&'a [u8]),
}

/// The children of a branch, still encoded; all have been read once.
#[derive(Clone, Copy, Debug)]
pub(super) struct Children<'a> {
    bitmap: u16,
    encoded: &'a [u8],
}

impl<'a> Children<'a> {
    /// The child at a nibble, if there is one.
    pub(super) fn get(self, nibble: u8) -> Result<Option<Child<'a>>, TrieError> {
        let mut rest = self.encoded;
        for index in 0..CHILDREN {
            if self.bitmap >> index & 1 == 0 {
                continue;
            }
            let child = Child::take(&mut rest)?;
            if index == usize::from(nibble) {
                return Ok(Some(child));
            }
        }
        Ok(None)
    }
}

impl<'a> Child<'a> {
    fn take(rest: &mut &'a [u8]) -> Result<Self, TrieError> {
        let length = take_length(rest, "child")?;
        let bytes = take(rest, length).ok_or(TrieError::Encoding { what: "child" })?;
        match Hash32::from_slice(bytes) {
            Some(hash) => Ok(Self::Hash(hash)),
            None if length < HASH_BYTES => Ok(Self::Inline(bytes)),
            None => Err(TrieError::Child { got_bytes: length }),
        }
    }
}

/// What the first byte says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Kind {
    Leaf,
    HashedLeaf,
    Branch,
    ValueBranch,
    HashedBranch,
}

impl Kind {
    /// The kind, and the bits of the first byte that count nibbles; `None` for a first byte that stands for nothing.
    const fn of(first: u8) -> Option<(Self, u8)> {
        match first >> 4 {
            0b0001 => Some((Self::HashedBranch, 0x0f)),
            0b0010 | 0b0011 => Some((Self::HashedLeaf, 0x1f)),
            0b0100..=0b0111 => Some((Self::Leaf, 0x3f)),
            0b1000..=0b1011 => Some((Self::Branch, 0x3f)),
            0b1100..=0b1111 => Some((Self::ValueBranch, 0x3f)),
            _ => None,
        }
    }
}

impl<'a> Node<'a> {
    /// Reads a node, and the nodes inside it.
    pub(super) fn decode(bytes: &'a [u8]) -> Result<Self, TrieError> {
        let node = Self::decode_one(bytes)?;
        node.check_inline()?;
        Ok(node)
    }

    /// Reads a node but not the nodes inside it.
    fn decode_one(bytes: &'a [u8]) -> Result<Self, TrieError> {
        let malformed = |what| TrieError::Encoding { what };
        let (&first, mut rest) = bytes.split_first().ok_or_else(|| malformed("node without bytes"))?;
        if first == 0 {
            return if rest.is_empty() { Ok(Self::Empty) } else { Err(malformed("empty node")) };
        }
        let (kind, mask) = Kind::of(first).ok_or_else(|| malformed("first byte of a node"))?;
        let count = take_count(first, mask, &mut rest)?;
        let part = Nibbles::take(&mut rest, count)?;
        if matches!(kind, Kind::Leaf | Kind::HashedLeaf) {
            let value = Value::take(&mut rest, kind == Kind::HashedLeaf)?;
            return if rest.is_empty() { Ok(Self::Leaf { part, value }) } else { Err(malformed("end of a leaf")) };
        }
        let bitmap = take(&mut rest, 2).and_then(|bytes| bytes.try_into().ok()).map(u16::from_le_bytes);
        let bitmap = bitmap.ok_or_else(|| malformed("bitmap of a branch"))?;
        let value = match kind {
            Kind::Branch => None,
            _ => Some(Value::take(&mut rest, kind == Kind::HashedBranch)?),
        };
        let children = bitmap.count_ones();
        if children < 1 || (children < 2 && value.is_none()) {
            return Err(TrieError::Branch { children });
        }
        let encoded = rest;
        for _ in 0..children {
            Child::take(&mut rest)?;
        }
        if !rest.is_empty() {
            return Err(malformed("end of a branch"));
        }
        Ok(Self::Branch { part, value, children: Children { bitmap, encoded } })
    }

    /// All nodes inside this one are nodes, on the path or not.
    fn check_inline(&self) -> Result<(), TrieError> {
        // Inline nodes still to be read, with their depths. A node of less than 32 bytes holds few of them.
        let mut open = alloc::vec::Vec::new();
        self.push_inline(&mut open, 1)?;
        while let Some((bytes, depth)) = open.pop() {
            match Node::decode_one(bytes)? {
                Node::Empty => return Err(TrieError::Encoding { what: "empty node below the root" }),
                node => node.push_inline(&mut open, depth)?,
            }
        }
        Ok(())
    }

    fn push_inline(&self, open: &mut alloc::vec::Vec<(&'a [u8], usize)>, depth: usize) -> Result<(), TrieError> {
        let Self::Branch { children, .. } = self else { return Ok(()) };
        if depth > MAX_INLINE_DEPTH {
            return Err(TrieError::Encoding { what: "depth of inline nodes" });
        }
        let mut rest = children.encoded;
        for _ in 0..children.bitmap.count_ones() {
            if let Child::Inline(bytes) = Child::take(&mut rest)? {
                open.push((bytes, depth.saturating_add(1)));
            }
        }
        Ok(())
    }
}

impl<'a> Value<'a> {
    fn take(rest: &mut &'a [u8], hashed: bool) -> Result<Self, TrieError> {
        let malformed = TrieError::Encoding { what: "value" };
        if hashed {
            return take(rest, HASH_BYTES).and_then(Hash32::from_slice).map(Self::Hash).ok_or(malformed);
        }
        let length = take_length(rest, "value")?;
        take(rest, length).map(Self::Inline).ok_or(malformed)
    }
}

/// The number of nibbles, begun in the first byte: when its bits are all ones, one less than they say and what the next
/// bytes add, each 255 but the last, which adds one more than it says. Every number has one form.
fn take_count(first: u8, mask: u8, rest: &mut &[u8]) -> Result<usize, TrieError> {
    let begun = usize::from(first & mask);
    if begun < usize::from(mask) {
        return Ok(begun);
    }
    let mut count = begun.saturating_sub(1);
    loop {
        let (&byte, after) = rest.split_first().ok_or(TrieError::Encoding { what: "nibble count" })?;
        *rest = after;
        if byte < u8::MAX {
            return Ok(count.saturating_add(usize::from(byte)).saturating_add(1));
        }
        count = count.saturating_add(usize::from(u8::MAX));
    }
}

/// Nibbles in bytes, the first of which may be half used.
#[derive(Clone, Copy, Debug)]
pub(super) struct Nibbles<'a> {
    /// The nibble in the low half of the byte before `rest`.
    first: Option<u8>,
    /// The others, two a byte.
    rest: &'a [u8],
}

impl PartialEq for Nibbles<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.len() == other.len() && self.iter().eq(other.iter())
    }
}

impl<'a> Nibbles<'a> {
    pub(super) const fn of_key(key: &'a [u8]) -> Self {
        Self { first: None, rest: key }
    }

    fn take(rest: &mut &'a [u8], count: usize) -> Result<Self, TrieError> {
        let malformed = TrieError::Encoding { what: "key part" };
        let bytes = take(rest, count.div_ceil(2)).ok_or_else(|| malformed.clone())?;
        if count.is_multiple_of(2) {
            return Ok(Self { first: None, rest: bytes });
        }
        match bytes.split_first() {
            Some((&first, rest)) if first >> 4 == 0 => Ok(Self { first: Some(first), rest }),
            _ => Err(malformed),
        }
    }

    const fn len(&self) -> usize {
        self.rest.len().saturating_mul(2).saturating_add(self.first.is_some() as usize)
    }

    fn iter(&self) -> impl Iterator<Item = u8> + 'a {
        self.first.into_iter().chain(self.rest.iter().flat_map(|byte| [byte >> 4, byte & 0x0f]))
    }

    /// Takes the first nibble off.
    pub(super) fn take_first(&mut self) -> Option<u8> {
        if let Some(first) = self.first.take() {
            return Some(first);
        }
        let (&byte, rest) = self.rest.split_first()?;
        *self = Self { first: Some(byte & 0x0f), rest };
        Some(byte >> 4)
    }

    /// Takes `prefix` off if these nibbles begin with it.
    pub(super) fn strip_prefix(&mut self, prefix: Nibbles<'_>) -> bool {
        let mut after = *self;
        let begins = prefix.iter().all(|nibble| after.take_first() == Some(nibble));
        if begins {
            *self = after;
        }
        begins
    }
}
