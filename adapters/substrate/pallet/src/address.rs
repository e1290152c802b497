//! Accounts as text, and the accounts that nobody has a key of.

use alloc::string::String;

use frame_support::traits::Get;
use sp_core::crypto::{AccountId32, Ss58AddressFormat, Ss58Codec};

use crate::Config;

/// Longest text that is looked at, in bytes; the address of 32 bytes has at most 50.
const TEXT_BYTES_MAX: usize = 64;

/// What escrow accounts begin with. A key whose account has these twelve bytes would have to be found by trial.
const ESCROW: [u8; 12] = *b"catenary/esc";

/// Owner of the vouchers: an account without a key.
pub(crate) const VOUCHER_OWNER: AccountId32 = AccountId32::new(*b"catenary/vouchers\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0");

/// The address of an account: SS58 with the chain's prefix.
pub(crate) fn text<T: Config>(who: &AccountId32) -> String {
    who.to_ss58check_with_version(Ss58AddressFormat::custom(T::SS58Prefix::get()))
}

/// The account of an address in its one form; another chain's prefix is another address.
pub(crate) fn account<T: Config>(address: &str) -> Option<AccountId32> {
    if address.len() > TEXT_BYTES_MAX {
        return None;
    }
    let (who, _) = AccountId32::from_ss58check_with_version(address).ok()?;
    (text::<T>(&who) == address).then_some(who)
}

/// The escrow account of a client, from the 20 bytes that the protocol gives it.
pub(crate) fn escrow(id: &[u8; 20]) -> AccountId32 {
    let mut bytes = [0; 32];
    bytes.iter_mut().zip(ESCROW.iter().chain(id)).for_each(|(to, from)| *to = *from);
    AccountId32::new(bytes)
}

/// Whether nobody but this pallet moves what an account holds.
pub(crate) fn is_escrow(who: &AccountId32) -> bool {
    let bytes: &[u8; 32] = who.as_ref();
    bytes.starts_with(&ESCROW) || *who == VOUCHER_OWNER
}
