//! Bytes that are stored as they are.
//!
//! SCALE writes the length of a list before it. A counterparty proves what lies at a key of this pallet from the path
//! alone, so neither the key nor the value may carry anything else: [`Raw`] writes its bytes and nothing more.

use alloc::{vec, vec::Vec};

use codec::{Decode, Encode, EncodeLike, Error, Input, MaxEncodedLen};
use scale_info::{build::Fields, Path, Type, TypeInfo};

/// At most `MAX` bytes, stored without their length. It can only be the last part of a key, or a whole value.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Raw<const MAX: usize>(Vec<u8>);

impl<const MAX: usize> Raw<MAX> {
    /// The bytes, `None` when there are too many.
    #[must_use]
    pub fn new(bytes: &[u8]) -> Option<Self> {
        (bytes.len() <= MAX).then(|| Self(bytes.to_vec()))
    }

    /// The bytes.
    #[must_use]
    pub fn into_bytes(self) -> Vec<u8> {
        self.0
    }
}

impl<const MAX: usize> Encode for Raw<MAX> {
    fn size_hint(&self) -> usize {
        self.0.len()
    }

    fn using_encoded<R, F: FnOnce(&[u8]) -> R>(&self, f: F) -> R {
        f(&self.0)
    }
}

impl<const MAX: usize> EncodeLike for Raw<MAX> {}

impl<const MAX: usize> Decode for Raw<MAX> {
    fn decode<I: Input>(input: &mut I) -> Result<Self, Error> {
        let length = input.remaining_len()?.ok_or("raw bytes need an input that knows its length")?;
        if length > MAX {
            return Err("more raw bytes than allowed".into());
        }
        let mut bytes = vec![0; length];
        input.read(&mut bytes)?;
        Ok(Self(bytes))
    }
}

impl<const MAX: usize> MaxEncodedLen for Raw<MAX> {
    fn max_encoded_len() -> usize {
        MAX
    }
}

impl<const MAX: usize> TypeInfo for Raw<MAX> {
    type Identity = Self;

    fn type_info() -> Type {
        Type::builder()
            .path(Path::new("Raw", module_path!()))
            .composite(Fields::unnamed().field(|field| field.ty::<Vec<u8>>().type_name("bytes without their length")))
    }
}
