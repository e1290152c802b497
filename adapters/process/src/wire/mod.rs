//! Between the protocol's messages and the types of `catenary_api`, both ways.
//!
//! What comes in is checked as it is converted: lengths are exact, texts bounded, and what must be there is. A reason
//! says what is wrong, for the error of the side that reads.

mod claims;
mod messages;
mod transactions;

pub(crate) use claims::{
    client_from, client_to, event_from, event_to, head_from, head_to, identity_from, identity_to, proof_from, proof_to,
    search_kind_from, search_kind_to,
};
pub(crate) use messages::{message_from, message_to, PlainMessage};
pub(crate) use transactions::{
    account_from, account_to, broadcast_from, broadcast_to, call_from, call_to, receipt_from, receipt_to, signed_from,
    signed_to, unsigned_from, unsigned_to,
};

use catenary_light_clients::Class;

use crate::error::shorten;
use crate::limits::{CODE_CHARS_MAX, REASON_CHARS_MAX, TEXT_BYTES_MAX};
use crate::proto;

/// What was read, or what is wrong with it.
pub(crate) type Read<T> = Result<T, String>;

/// Bytes of an exact length.
pub(crate) fn exact<const N: usize>(what: &str, bytes: &[u8]) -> Read<[u8; N]> {
    bytes.try_into().map_err(|_| format!("{what} has {} bytes, expected {N}", bytes.len()))
}

/// Bytes of an exact length, or none at all.
pub(crate) fn exact_or_empty<const N: usize>(what: &str, bytes: &[u8]) -> Read<Option<[u8; N]>> {
    if bytes.is_empty() {
        Ok(None)
    } else {
        exact(what, bytes).map(Some)
    }
}

/// A text within the bound.
pub(crate) fn text(what: &str, text: String) -> Read<String> {
    if text.len() > TEXT_BYTES_MAX {
        return Err(format!("{what} has {} bytes, at most {TEXT_BYTES_MAX} are read", text.len()));
    }
    Ok(text)
}

/// A text within the bound, empty for none.
pub(crate) fn some_text(what: &str, value: String) -> Read<Option<String>> {
    Ok(Some(text(what, value)?).filter(|text| !text.is_empty()))
}

/// What must be there.
pub(crate) fn there<T>(what: &str, value: Option<T>) -> Read<T> {
    value.ok_or_else(|| format!("{what} is missing"))
}

/// As many as were asked for.
pub(crate) fn as_many<T>(what: &str, got: &[T], expected: usize) -> Read<()> {
    if got.len() == expected {
        Ok(())
    } else {
        Err(format!("{} {what}, expected {expected}", got.len()))
    }
}

/// An adapter's own error.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Said {
    pub(crate) code: String,
    pub(crate) message: String,
    pub(crate) class: Class,
}

/// Misbehaviour is for light clients to find: an adapter cannot claim it.
pub(crate) fn error_from(error: proto::Error) -> Read<Said> {
    let class = match error.class() {
        proto::Class::Transient => Class::Transient,
        proto::Class::Permanent => Class::Permanent,
        proto::Class::Config => Class::Config,
        proto::Class::Bug => Class::Bug,
        proto::Class::Unspecified => return Err(format!("an error of class {}", error.class)),
    };
    let (code, message) = (shorten(&error.code, CODE_CHARS_MAX), shorten(&error.message, REASON_CHARS_MAX));
    Ok(Said { code, message, class })
}

pub(crate) fn error_to(error: &catenary_api::Error) -> proto::Error {
    let class = match error.class {
        Class::Transient => proto::Class::Transient,
        Class::Permanent | Class::Misbehaviour => proto::Class::Permanent,
        Class::Config => proto::Class::Config,
        Class::Bug => proto::Class::Bug,
    };
    proto::Error { code: error.code.to_owned(), class: class.into(), message: error.message.clone() }
}

#[cfg(test)]
mod tests;
