//! Protobuf as strict as the rest: what does not encode back to the same bytes is refused.
//!
//! Protobuf lets a reader skip what it does not know and take the last of a field that is given twice. Two readers
//! could so take the same bytes for two things, and bytes that mean nothing could be carried along unseen.

use std::marker::PhantomData;

use prost::bytes::{Buf, BufMut};
use prost::Message;
use tonic::codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder};
use tonic::Status;

/// The codec of both sides.
#[derive(Debug)]
pub(crate) struct StrictCodec<T, U>(PhantomData<(T, U)>);

impl<T, U> Default for StrictCodec<T, U> {
    fn default() -> Self {
        Self(PhantomData)
    }
}

impl<T: Message + 'static, U: Message + Default + 'static> Codec for StrictCodec<T, U> {
    type Encode = T;
    type Decode = U;
    type Encoder = Strict<T>;
    type Decoder = Strict<U>;

    fn encoder(&mut self) -> Self::Encoder {
        Strict(PhantomData)
    }

    fn decoder(&mut self) -> Self::Decoder {
        Strict(PhantomData)
    }
}

/// Encodes, or decodes strictly.
#[derive(Debug)]
pub(crate) struct Strict<T>(PhantomData<T>);

impl<T: Message> Encoder for Strict<T> {
    type Item = T;
    type Error = Status;

    fn encode(&mut self, item: T, to: &mut EncodeBuf<'_>) -> Result<(), Status> {
        to.put_slice(&item.encode_to_vec());
        Ok(())
    }
}

impl<T: Message + Default> Decoder for Strict<T> {
    type Item = T;
    type Error = Status;

    fn decode(&mut self, from: &mut DecodeBuf<'_>) -> Result<Option<T>, Status> {
        let bytes = from.copy_to_bytes(from.remaining());
        decode(&bytes).map(Some).map_err(Status::data_loss)
    }
}

/// A message, if the bytes are its only encoding.
pub(crate) fn decode<T: Message + Default>(bytes: &[u8]) -> Result<T, String> {
    let message = T::decode(bytes).map_err(|error| format!("{} bytes do not decode: {error}", bytes.len()))?;
    if message.encoded_len() == bytes.len() && message.encode_to_vec() == bytes {
        Ok(message)
    } else {
        Err(format!("{} bytes hold more or other than the message in them", bytes.len()))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use crate::proto::{HeadResponse, RangeRequest};

    #[test]
    fn only_the_one_encoding_is_taken() {
        let message = RangeRequest { from: 5, to: 300 };
        let bytes = message.encode_to_vec();
        assert_eq!(bytes, [0x08, 5, 0x10, 0xac, 0x02]);
        assert_eq!(decode::<RangeRequest>(&bytes).unwrap(), message);
        let check = |bytes: &[u8]| assert!(decode::<RangeRequest>(bytes).is_err(), "{bytes:?}");
        check(&[0x08, 5, 0x10, 0xac]); // cut
        check(&[0x08, 5, 0x10, 0xac, 0x02, 0x18, 1]); // a field that nobody knows
        check(&[0x08, 4, 0x08, 5, 0x10, 0xac, 0x02]); // a field twice
        check(&[0x10, 0xac, 0x02, 0x08, 5]); // in another order
        check(&[0x08, 0x85, 0x00, 0x10, 0xac, 0x02]); // a number with a useless byte
        check(&[0x08, 5, 0x10, 0]); // a default written out
        check(&[0xff; 9]);
        assert_eq!(decode::<HeadResponse>(&[]).unwrap(), HeadResponse::default());
    }
}
