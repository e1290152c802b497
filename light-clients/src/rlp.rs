//! Strict RLP (Yellow Paper, appendix B): one encoding a value, everything else refused.
//!
//! A decoder that forgives gives two byte strings one meaning, and a hash or a signature made over the one is then
//! claimed for the other. So a length in more bytes than it needs, a single byte in a longer form, a number with
//! leading zeros and bytes after the end are errors here, and what is accepted encodes back to the same bytes.
//!
//! What an attacker can grow: a list yields at most as many items as its caller allows, each a slice of the input.
//! Nothing recurses: a nested list is a slice until its caller opens it, and [`check_canonical`] keeps its own stack
//! of at most [`MAX_DEPTH`] entries.

use alloc::vec::Vec;

use crate::verdict::{Class, Coded};

/// Deepest nesting that [`check_canonical`] follows. Headers nest three deep, inline trie nodes at most sixteen
/// (each level costs a byte of the 31 that an inline node may have).
pub const MAX_DEPTH: usize = 32;

/// Payload of a string or list in short form is at most this long (Yellow Paper, appendix B).
const SHORT_MAX_BYTES: usize = 55;

/// Whether an item is a string of bytes or a list of items.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// A string of bytes.
    Bytes,
    /// A list of items.
    List,
}

/// One item: a string, or a list that has not been opened.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Item<'a> {
    kind: Kind,
    raw: &'a [u8],
    payload: &'a [u8],
}

impl<'a> Item<'a> {
    /// The only item in `input`.
    ///
    /// # Errors
    /// [`RlpError`] when the input is not exactly one item in its one encoding. A list's items are not looked at.
    pub fn decode(input: &'a [u8]) -> Result<Self, RlpError> {
        let (item, rest) = Self::decode_first(input)?;
        if rest.is_empty() {
            return Ok(item);
        }
        Err(RlpError::TrailingBytes { bytes: rest.len() })
    }

    /// The first item in `input`, and the bytes after it.
    fn decode_first(input: &'a [u8]) -> Result<(Self, &'a [u8]), RlpError> {
        let (kind, header_bytes, payload_bytes) = read_header(input)?;
        let end = header_bytes.checked_add(payload_bytes).ok_or(RlpError::LengthTooLarge)?;
        let truncated = RlpError::Truncated { needed: end, got: input.len() };
        let (raw, rest) = input.split_at_checked(end).ok_or_else(|| truncated.clone())?;
        let payload = raw.get(header_bytes..).ok_or(truncated)?;
        if let (Kind::Bytes, 1, [byte @ ..=0x7f]) = (kind, header_bytes, payload) {
            return Err(RlpError::LongSingleByte { byte: *byte });
        }
        Ok((Self { kind, raw, payload }, rest))
    }

    /// Whether it is a string or a list.
    #[must_use]
    pub const fn kind(&self) -> Kind {
        self.kind
    }

    /// The encoding, header included.
    #[must_use]
    pub const fn raw(&self) -> &'a [u8] {
        self.raw
    }

    /// The encoding without the header: the bytes of a string, or the joined items of a list.
    #[must_use]
    pub const fn payload(&self) -> &'a [u8] {
        self.payload
    }

    /// The bytes of a string.
    ///
    /// # Errors
    /// [`RlpError::ListFound`] when it is a list.
    pub const fn bytes(&self) -> Result<&'a [u8], RlpError> {
        match self.kind {
            Kind::Bytes => Ok(self.payload),
            Kind::List => Err(RlpError::ListFound),
        }
    }

    /// The bytes of a string of exactly `N` bytes.
    ///
    /// # Errors
    /// [`RlpError::ListFound`], or [`RlpError::WrongLength`] with both lengths.
    pub fn array<const N: usize>(&self) -> Result<[u8; N], RlpError> {
        let bytes = self.bytes()?;
        bytes.try_into().map_err(|_| RlpError::WrongLength { got: bytes.len(), expected: N })
    }

    /// A number of at most 64 bits, big-endian and without leading zeros.
    ///
    /// # Errors
    /// [`RlpError::ListFound`], [`RlpError::LeadingZero`], or [`RlpError::NumberTooWide`].
    pub fn uint(&self) -> Result<u64, RlpError> {
        let bytes = self.number(8)?;
        Ok(bytes.iter().fold(0, |value, byte| (value << 8) | u64::from(*byte)))
    }

    /// The big-endian bytes of a number without leading zeros, at most `max_bytes` long.
    ///
    /// # Errors
    /// As [`Self::uint`].
    pub fn number(&self, max_bytes: usize) -> Result<&'a [u8], RlpError> {
        let bytes = self.bytes()?;
        if bytes.first() == Some(&0) {
            return Err(RlpError::LeadingZero);
        }
        if bytes.len() > max_bytes {
            return Err(RlpError::NumberTooWide { got: bytes.len(), max: max_bytes });
        }
        Ok(bytes)
    }

    /// The items of a list of at most `max_items`. Nested lists stay unopened.
    ///
    /// # Errors
    /// [`RlpError::BytesFound`] when it is a string, [`RlpError::TooManyItems`], or what is wrong with an item.
    pub fn items(&self, max_items: usize) -> Result<Vec<Self>, RlpError> {
        if self.kind == Kind::Bytes {
            return Err(RlpError::BytesFound);
        }
        let mut items = Vec::new();
        let mut rest = self.payload;
        while !rest.is_empty() {
            if items.len() >= max_items {
                return Err(RlpError::TooManyItems { max: max_items });
            }
            let (item, after) = Self::decode_first(rest)?;
            items.push(item);
            rest = after;
        }
        Ok(items)
    }

    /// The items of a list of exactly `N`.
    ///
    /// # Errors
    /// As [`Self::items`], and [`RlpError::WrongItemCount`] with both numbers.
    pub fn exactly<const N: usize>(&self) -> Result<[Self; N], RlpError> {
        let items = self.items(N)?;
        let got = items.len();
        items.try_into().map_err(|_| RlpError::WrongItemCount { got, expected: N })
    }
}

/// Kind, header length and payload length of the item at the start of `input`.
fn read_header(input: &[u8]) -> Result<(Kind, usize, usize), RlpError> {
    let (&first, rest) = input.split_first().ok_or(RlpError::Truncated { needed: 1, got: 0 })?;
    let (kind, base) = if first < 0xc0 { (Kind::Bytes, 0x80u8) } else { (Kind::List, 0xc0) };
    let Some(code) = first.checked_sub(base) else { return Ok((Kind::Bytes, 0, 1)) };
    let code = usize::from(code);
    let Some(length_bytes) = code.checked_sub(SHORT_MAX_BYTES).filter(|bytes| *bytes > 0) else {
        return Ok((kind, 1, code));
    };
    let header_bytes = length_bytes.saturating_add(1);
    let truncated = RlpError::Truncated { needed: header_bytes, got: input.len() };
    let digits = rest.get(..length_bytes).ok_or(truncated)?;
    if digits.first() == Some(&0) {
        return Err(RlpError::LengthLeadingZero);
    }
    let length = digits.iter().fold(0u64, |value, byte| (value << 8) | u64::from(*byte));
    let length = usize::try_from(length).map_err(|_| RlpError::LengthTooLarge)?;
    if length <= SHORT_MAX_BYTES {
        return Err(RlpError::LongFormOfShort { bytes: length });
    }
    Ok((kind, header_bytes, length))
}

/// Checks that `input` is one item in its one encoding, lists within lists included.
///
/// # Errors
/// What is wrong with an item; [`RlpError::TooDeep`] beyond [`MAX_DEPTH`]; [`RlpError::TooManyItems`] when all lists
/// together have more than `max_items`.
pub fn check_canonical(input: &[u8], max_items: usize) -> Result<(), RlpError> {
    let mut open = Vec::new();
    let mut left = max_items;
    let item = Item::decode(input)?;
    if item.kind == Kind::List {
        open.push(item.payload);
    }
    while let Some(top) = open.last_mut() {
        if top.is_empty() {
            open.pop();
            continue;
        }
        left = left.checked_sub(1).ok_or(RlpError::TooManyItems { max: max_items })?;
        let (item, rest) = Item::decode_first(top)?;
        *top = rest;
        if item.kind == Kind::List {
            if open.len() >= MAX_DEPTH {
                return Err(RlpError::TooDeep { max: MAX_DEPTH });
            }
            open.push(item.payload);
        }
    }
    Ok(())
}

/// Appends the encoding of a string.
pub fn put_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    match bytes {
        [byte @ ..=0x7f] => out.push(*byte),
        _ => {
            put_header(out, Kind::Bytes, bytes.len());
            out.extend_from_slice(bytes);
        }
    }
}

/// Appends the encoding of a number: big-endian, no leading zeros, zero as the empty string.
pub fn put_uint(out: &mut Vec<u8>, value: u64) {
    let bytes = value.to_be_bytes();
    let zeros = bytes.iter().take_while(|byte| **byte == 0).count();
    put_bytes(out, bytes.get(zeros..).unwrap_or_default());
}

/// Appends the encoding of a list whose items, already encoded and joined, are `payload`.
pub fn put_list(out: &mut Vec<u8>, payload: &[u8]) {
    put_header(out, Kind::List, payload.len());
    out.extend_from_slice(payload);
}

/// Bytes of the encoding of a string or list with a payload of `payload_bytes` (not for a single byte below 0x80).
#[must_use]
pub fn encoded_len(payload_bytes: usize) -> usize {
    let header_bytes = match payload_bytes {
        0..=SHORT_MAX_BYTES => 1,
        _ => significant_bytes(payload_bytes).saturating_add(1),
    };
    header_bytes.saturating_add(payload_bytes)
}

/// Appends the header of a string or list with a payload of `payload_bytes`.
pub fn put_header(out: &mut Vec<u8>, kind: Kind, payload_bytes: usize) {
    let base: u8 = match kind {
        Kind::Bytes => 0x80,
        Kind::List => 0xc0,
    };
    if payload_bytes <= SHORT_MAX_BYTES {
        out.push(base.saturating_add(low_byte(payload_bytes)));
        return;
    }
    let length_bytes = significant_bytes(payload_bytes);
    out.push(base.saturating_add(low_byte(SHORT_MAX_BYTES.saturating_add(length_bytes))));
    let digits = payload_bytes.to_be_bytes();
    out.extend(digits.iter().skip(digits.len().saturating_sub(length_bytes)));
}

/// Bytes that a number needs without leading zeros.
fn significant_bytes(value: usize) -> usize {
    value.to_be_bytes().iter().skip_while(|byte| **byte == 0).count()
}

/// The lowest byte of a number that is known to fit.
fn low_byte(value: usize) -> u8 {
    u8::try_from(value).unwrap_or(u8::MAX)
}

/// Why bytes are not the one encoding of what the caller expects.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RlpError {
    /// The input ends within an item.
    #[error("an item needs {needed} bytes and {got} are left")]
    Truncated {
        /// Bytes that the item needs.
        needed: usize,
        /// Bytes that there are.
        got: usize,
    },
    /// There are bytes after the item.
    #[error("{bytes} bytes follow the end of the item")]
    TrailingBytes {
        /// Bytes after the end.
        bytes: usize,
    },
    /// A byte below 0x80 has a header, and needs none.
    #[error("the byte {byte:#04x} stands for itself and has a header all the same")]
    LongSingleByte {
        /// The byte.
        byte: u8,
    },
    /// A short payload in long form.
    #[error("a payload of {bytes} bytes has the long form, which starts at 56")]
    LongFormOfShort {
        /// Payload length.
        bytes: usize,
    },
    /// A length with a leading zero.
    #[error("a length starts with a zero byte")]
    LengthLeadingZero,
    /// A length beyond what the machine can address.
    #[error("a length is larger than memory can be")]
    LengthTooLarge,
    /// A list where a string is expected.
    #[error("a list stands where a string of bytes is expected")]
    ListFound,
    /// A string where a list is expected.
    #[error("a string of bytes stands where a list is expected")]
    BytesFound,
    /// A string of another length than expected.
    #[error("a string has {got} bytes, {expected} are expected")]
    WrongLength {
        /// Its length.
        got: usize,
        /// The length expected.
        expected: usize,
    },
    /// A number with a leading zero.
    #[error("a number starts with a zero byte")]
    LeadingZero,
    /// A number of too many bytes.
    #[error("a number has {got} bytes, at most {max} are expected")]
    NumberTooWide {
        /// Its length.
        got: usize,
        /// The most allowed.
        max: usize,
    },
    /// A list with more items than allowed.
    #[error("a list has more than {max} items")]
    TooManyItems {
        /// The most allowed.
        max: usize,
    },
    /// A list with another number of items than expected.
    #[error("a list has {got} items, {expected} are expected")]
    WrongItemCount {
        /// Its items.
        got: usize,
        /// The number expected.
        expected: usize,
    },
    /// Lists nested too deep.
    #[error("lists are nested deeper than {max}")]
    TooDeep {
        /// The deepest allowed.
        max: usize,
    },
}

impl Coded for RlpError {
    fn code(&self) -> &'static str {
        match self {
            Self::Truncated { .. } => "LC-RLP-001",
            Self::TrailingBytes { .. } => "LC-RLP-002",
            Self::LongSingleByte { .. } => "LC-RLP-003",
            Self::LongFormOfShort { .. } => "LC-RLP-004",
            Self::LengthLeadingZero => "LC-RLP-005",
            Self::LengthTooLarge => "LC-RLP-006",
            Self::ListFound => "LC-RLP-007",
            Self::BytesFound => "LC-RLP-008",
            Self::WrongLength { .. } => "LC-RLP-009",
            Self::LeadingZero => "LC-RLP-010",
            Self::NumberTooWide { .. } => "LC-RLP-011",
            Self::TooManyItems { .. } => "LC-RLP-012",
            Self::WrongItemCount { .. } => "LC-RLP-013",
            Self::TooDeep { .. } => "LC-RLP-014",
        }
    }

    fn class(&self) -> Class {
        Class::Permanent
    }
}

#[cfg(test)]
mod tests {
    #![allow(
        clippy::unwrap_used,
        clippy::indexing_slicing,
        clippy::arithmetic_side_effects,
        reason = "a test fails by panicking"
    )]
    use super::*;
    use proptest::prelude::*;
    use std::string::String;
    use std::vec;

    fn unhex(text: &str) -> Vec<u8> {
        hex::decode(text).unwrap()
    }

    #[test]
    fn examples_of_the_specification_decode_and_encode() {
        fn check(encoding: &str, payload: &[u8]) {
            let input = unhex(encoding);
            assert_eq!(Item::decode(&input).unwrap().bytes().unwrap(), payload, "{encoding}");
            let mut out = Vec::new();
            put_bytes(&mut out, payload);
            assert_eq!(out, input, "{encoding}");
        }
        check("83646f67", b"dog");
        check("80", b"");
        check("00", &[0]);
        check("0f", &[0x0f]);
        check("7f", &[0x7f]);
        check("8180", &[0x80]);
        check("820400", &[4, 0]);
        let long = "Lorem ipsum dolor sit amet, consectetur adipisicing elit";
        check(&(String::from("b838") + &hex::encode(long)), long.as_bytes());

        let list = unhex("c88363617483646f67");
        let items = Item::decode(&list).unwrap().items(2).unwrap();
        assert_eq!(items.iter().map(|i| i.bytes().unwrap()).collect::<Vec<_>>(), [b"cat", b"dog"]);
        assert_eq!(Item::decode(&[0xc0]).unwrap().items(0).unwrap(), vec![]);
    }

    /// MPT-10: what `RLPTests/invalidRLPTest.json` of ethereum/tests is about, one row a fault.
    #[test]
    fn mpt_10_every_other_encoding_is_refused() {
        fn check(encoding: &str, code: &str) {
            let error = check_canonical(&unhex(encoding), 100).expect_err(encoding);
            assert_eq!(error.code(), code, "{encoding}: {error}");
        }
        check("", "LC-RLP-001");
        check("81", "LC-RLP-001");
        check("83646f", "LC-RLP-001");
        check("b8", "LC-RLP-001");
        check("b838ff", "LC-RLP-001");
        check("c3", "LC-RLP-001");
        check("c4c3646f", "LC-RLP-001"); // the inner list ends within its string
        check("c2c180c0", "LC-RLP-002");
        check("8080", "LC-RLP-002");
        check("c0c0", "LC-RLP-002");
        check("8100", "LC-RLP-003");
        check("817f", "LC-RLP-003");
        check("c28101", "LC-RLP-003");
        check("b800", "LC-RLP-005");
        check("b801ff", "LC-RLP-004");
        check(&(String::from("b837") + &"ff".repeat(55)), "LC-RLP-004");
        check("f800", "LC-RLP-005");
        check(&(String::from("f837") + &"01".repeat(55)), "LC-RLP-004");
        check(&(String::from("b90038") + &"ff".repeat(56)), "LC-RLP-005");
        check("bf0000000000000001ff", "LC-RLP-005");
        check(&(String::from("f90038") + &"01".repeat(56)), "LC-RLP-005");
        // Lengths of 2^64 - 1 and thereabouts must not wrap around.
        check("bfffffffffffffffff", "LC-RLP-006");
        check("bffffffffffffffff7", "LC-RLP-006");
        check("bffffffffffffffff6", "LC-RLP-001");
        check("ffffffffffffffffff", "LC-RLP-006");
        check("bf8000000000000000", "LC-RLP-001");
    }

    #[test]
    fn kinds_lengths_and_numbers_are_what_the_caller_expects() {
        fn code<T: core::fmt::Debug>(result: Result<T, RlpError>) -> &'static str {
            result.unwrap_err().code()
        }
        let string = unhex("83646f67");
        let string = Item::decode(&string).unwrap();
        let list = unhex("c20102");
        let list = Item::decode(&list).unwrap();
        assert_eq!(code(list.bytes()), "LC-RLP-007");
        assert_eq!(code(list.uint()), "LC-RLP-007");
        assert_eq!(code(list.array::<2>()), "LC-RLP-007");
        assert_eq!(code(string.items(9)), "LC-RLP-008");
        assert_eq!(code(string.array::<4>()), "LC-RLP-009");
        assert_eq!(string.array::<3>().unwrap(), *b"dog");
        assert_eq!(code(list.items(1)), "LC-RLP-012");
        assert_eq!(code(list.exactly::<1>()), "LC-RLP-012");
        assert_eq!(code(list.exactly::<3>()), "LC-RLP-013");
        assert_eq!(list.exactly::<2>().unwrap()[1].uint().unwrap(), 2);

        for (encoding, value) in [("80", 0), ("01", 1), ("820400", 1024), ("88ffffffffffffffff", u64::MAX)] {
            let input = unhex(encoding);
            assert_eq!(Item::decode(&input).unwrap().uint().unwrap(), value);
            let mut out = Vec::new();
            put_uint(&mut out, value);
            assert_eq!(out, input);
        }
        for (encoding, expect) in
            [("00", "LC-RLP-010"), ("820001", "LC-RLP-010"), ("89010000000000000000", "LC-RLP-011")]
        {
            let input = unhex(encoding);
            assert_eq!(code(Item::decode(&input).unwrap().uint()), expect, "{encoding}");
        }
    }

    #[test]
    fn depth_and_items_are_bounded_without_recursion() {
        let nest = |depth: usize| {
            let mut out = vec![0xc0];
            for _ in 1..depth {
                let inner = core::mem::take(&mut out);
                put_list(&mut out, &inner);
            }
            out
        };
        assert_eq!(check_canonical(&nest(MAX_DEPTH), 100), Ok(()));
        assert_eq!(check_canonical(&nest(MAX_DEPTH + 1), 100), Err(RlpError::TooDeep { max: MAX_DEPTH }));
        // Ten thousand levels could end a recursive decoder by its stack.
        assert_eq!(check_canonical(&nest(10_000), 100_000), Err(RlpError::TooDeep { max: MAX_DEPTH }));
        assert_eq!(check_canonical(&unhex("c3010203"), 3), Ok(()));
        assert_eq!(check_canonical(&unhex("c3010203"), 2), Err(RlpError::TooManyItems { max: 2 }));
    }

    proptest! {
        #[test]
        fn strings_encode_and_decode(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let mut out = Vec::new();
            put_bytes(&mut out, &bytes);
            prop_assert_eq!(Item::decode(&out).unwrap().bytes().unwrap(), &bytes[..]);
            if !matches!(bytes[..], [..=0x7f]) {
                prop_assert_eq!(out.len(), encoded_len(bytes.len()));
            }
        }

        #[test]
        fn accepted_bytes_encode_back_to_themselves(bytes in proptest::collection::vec(any::<u8>(), 0..80)) {
            if let Ok(item) = Item::decode(&bytes) {
                let mut out = Vec::new();
                match item.kind() {
                    Kind::Bytes => put_bytes(&mut out, item.bytes().unwrap()),
                    Kind::List => {
                        if let Ok(items) = item.items(100) {
                            let payload: Vec<u8> = items.iter().flat_map(|i| i.raw()).copied().collect();
                            put_list(&mut out, &payload);
                        } else {
                            out = bytes.clone();
                        }
                    }
                }
                prop_assert_eq!(out, bytes);
            }
        }
    }
}
