//! What the handler runs on: the pallet's storage, under nested storage layers, and the chain's balances.

use alloc::{format, string::String, string::ToString, vec::Vec};
use core::marker::PhantomData;

use catenary_protocol::handler::{voucher_trace, Amount, Bank, BankError, Key, Store};
use codec::{Decode, Encode};
use frame_support::traits::{
    fungible::{Inspect as _, Mutate as _},
    fungibles::{Create as _, Inspect as _, Mutate as _},
    tokens::{Fortitude, Precision, Preservation},
    Get,
};
use sp_core::crypto::AccountId32;
use sp_runtime::DispatchError;

use crate::{address, raw::Raw, Commitments, Config, Private, VoucherCount, Vouchers};

/// Vouchers have no smallest balance: an escrow that pays out, and a holder that sends, may go down to nothing.
const VOUCHER_MIN: u128 = 1;

/// The pallet, as the handler sees it.
pub(crate) struct PalletHost<T> {
    /// Something was too long to be stored: the whole message has to be undone.
    too_large: bool,
    pallet: PhantomData<T>,
}

impl<T: Config> PalletHost<T> {
    pub(crate) const fn new() -> Self {
        Self { too_large: false, pallet: PhantomData }
    }

    /// Whether a write did not fit.
    pub(crate) const fn is_too_large(&self) -> bool {
        self.too_large
    }
}

impl<T: Config> Store for PalletHost<T> {
    fn get(&self, key: &Key) -> Option<Vec<u8>> {
        match key {
            Key::Provable(path) => Commitments::<T>::get(Raw::new(path)?).map(Raw::into_bytes),
            Key::Private(key) => Private::<T>::get(Raw::new(key)?).map(Raw::into_bytes),
        }
    }

    fn set(&mut self, key: &Key, value: Vec<u8>) {
        let done = match key {
            Key::Provable(path) => Raw::new(path).zip(Raw::new(&value)).map(|(k, v)| Commitments::<T>::insert(k, v)),
            Key::Private(key) => Raw::new(key).zip(Raw::new(&value)).map(|(k, v)| Private::<T>::insert(k, v)),
        };
        self.too_large |= done.is_none();
    }

    fn delete(&mut self, key: &Key) {
        match key {
            Key::Provable(path) => Raw::new(path).map(Commitments::<T>::remove),
            Key::Private(key) => Raw::new(key).map(Private::<T>::remove),
        };
    }

    fn begin(&mut self) {
        sp_io::storage::start_transaction();
    }

    fn commit(&mut self) {
        sp_io::storage::commit_transaction();
    }

    fn rollback(&mut self) {
        sp_io::storage::rollback_transaction();
    }
}

/// What a denomination is on this chain.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Unit {
    /// The chain's own.
    Native,
    /// An asset, among them the vouchers.
    Asset(u32),
}

/// The hash in the name of a voucher.
fn voucher_hash(denom: &str) -> Option<[u8; 32]> {
    let digits = denom.strip_prefix("ibc/")?.as_bytes();
    if digits.len() != 64 {
        return None;
    }
    let mut hash = [0; 32];
    for (byte, pair) in hash.iter_mut().zip(digits.chunks_exact(2)) {
        let digit = |d: &u8| match d {
            b'0'..=b'9' => Some(d.wrapping_sub(b'0')),
            b'A'..=b'F' => Some(d.wrapping_sub(b'A').wrapping_add(10)),
            _ => None,
        };
        let (high, low) = (digit(pair.first()?)?, digit(pair.get(1)?)?);
        *byte = high << 4 | low;
    }
    Some(hash)
}

impl Unit {
    /// The unit behind a name, `None` when there is none.
    pub(crate) fn of<T: Config>(denom: &str) -> Option<Self> {
        if denom == T::NativeDenom::get() {
            return Some(Self::Native);
        }
        if let Some(hash) = voucher_hash(denom) {
            return Vouchers::<T>::get(hash).map(Self::Asset);
        }
        let number = denom.strip_prefix("asset-")?;
        let id: u32 = number.parse().ok()?;
        // One name an asset, and no second name for a voucher.
        let named = id.to_string() == number && id < T::FirstVoucher::get() && T::Assets::asset_exists(id);
        named.then_some(Self::Asset(id))
    }

    fn balance<T: Config>(self, who: &AccountId32) -> u128 {
        match self {
            Self::Native => T::Native::balance(who),
            Self::Asset(id) => T::Assets::balance(id, who),
        }
    }

    /// The smallest balance that an account may have; what is below it would be lost.
    fn minimum<T: Config>(self) -> u128 {
        match self {
            Self::Native => T::Native::minimum_balance(),
            Self::Asset(id) => T::Assets::minimum_balance(id),
        }
    }

    /// An account is emptied only where nothing can be left over that would be too little to keep.
    fn preservation<T: Config>(self) -> Preservation {
        if self.minimum::<T>() <= VOUCHER_MIN {
            Preservation::Expendable
        } else {
            Preservation::Preserve
        }
    }

    fn transfer<T: Config>(self, from: &AccountId32, to: &AccountId32, amount: u128) -> Result<(), DispatchError> {
        let preservation = self.preservation::<T>();
        match self {
            Self::Native => T::Native::transfer(from, to, amount, preservation),
            Self::Asset(id) => T::Assets::transfer(id, from, to, amount, preservation),
        }
        .map(|_| ())
    }
}

fn refused(reason: impl Into<String>) -> BankError {
    BankError::Refused { reason: reason.into() }
}

fn dispatch(error: DispatchError) -> BankError {
    let text: &'static str = error.into();
    refused(text)
}

/// The account of the handler's bytes: those of an account, or the 20 of an escrow.
fn account_of(bytes: &[u8]) -> Result<AccountId32, BankError> {
    match bytes.try_into() {
        Ok(escrow) => Ok(address::escrow(escrow)),
        Err(_) => AccountId32::decode(&mut &*bytes).map_err(|_| refused("no account")),
    }
}

fn unit_of<T: Config>(denom: &str) -> Result<Unit, BankError> {
    Unit::of::<T>(denom).ok_or_else(|| refused(format!("{denom} is no denomination here")))
}

/// The amount, when balances of this chain can hold it.
fn small(amount: Amount) -> Result<u128, BankError> {
    u128::try_from(amount).map_err(|_| refused(format!("{amount} is more than 2^128 - 1, which balances here hold")))
}

/// The asset of a voucher, made when its trace comes for the first time.
fn voucher<T: Config>(denom: &str) -> Result<u32, BankError> {
    let hash = voucher_hash(denom).ok_or_else(|| refused(format!("{denom} is no voucher, so none is made")))?;
    if let Some(id) = Vouchers::<T>::get(hash) {
        return Ok(id);
    }
    let (count, max) = (VoucherCount::<T>::get(), T::MaxVouchers::get());
    if count >= max {
        return Err(refused(format!("{count} vouchers exist, at most {max} are allowed")));
    }
    let id = T::FirstVoucher::get().checked_add(count).ok_or_else(|| refused("no asset id is left"))?;
    // Sufficient: whoever receives one needs no native balance first.
    T::Assets::create(id, address::VOUCHER_OWNER, true, VOUCHER_MIN).map_err(dispatch)?;
    Vouchers::<T>::insert(hash, id);
    VoucherCount::<T>::put(count.saturating_add(1));
    Ok(id)
}

impl<T: Config> Bank for PalletHost<T> {
    fn account(&self, address: &str) -> Option<Vec<u8>> {
        let who = address::account::<T>(address)?;
        (!address::is_escrow(&who)).then(|| who.encode())
    }

    fn balance(&self, account: &[u8], denom: &str) -> Amount {
        let known = account_of(account).ok().zip(Unit::of::<T>(denom));
        Amount::from(known.map_or(0, |(who, unit)| unit.balance::<T>(&who)))
    }

    fn transfer(&mut self, from: &[u8], to: &[u8], denom: &str, amount: Amount) -> Result<(), BankError> {
        let (payer, payee) = (account_of(from)?, account_of(to)?);
        let (unit, amount) = (unit_of::<T>(denom)?, small(amount)?);
        let have = unit.balance::<T>(&payer);
        if have < amount {
            return Err(BankError::Insufficient { have: Amount::from(have), need: Amount::from(amount) });
        }
        let (minimum, held) = (unit.minimum::<T>(), unit.balance::<T>(&payee));
        if minimum > VOUCHER_MIN && held < minimum && address::is_escrow(&payee) {
            // Without it the escrow could not pay out its last units: refused now, rather than stuck then.
            let escrow = address::text::<T>(&payee);
            return Err(refused(format!("escrow {escrow} holds {held} and has to hold {minimum} first; send it that")));
        }
        unit.transfer::<T>(&payer, &payee, amount).map_err(dispatch)
    }

    fn mint(&mut self, to: &[u8], denom: &str, amount: Amount) -> Result<(), BankError> {
        // Only what came in as a voucher is ever made here.
        if voucher_trace(self, denom).is_none() {
            return Err(refused(format!("{denom} was not received here")));
        }
        let (who, amount) = (account_of(to)?, small(amount)?);
        T::Assets::mint_into(voucher::<T>(denom)?, &who, amount).map(|_| ()).map_err(dispatch)
    }

    fn burn(&mut self, from: &[u8], denom: &str, amount: Amount) -> Result<(), BankError> {
        let (who, unit, amount) = (account_of(from)?, unit_of::<T>(denom)?, small(amount)?);
        let id = match unit {
            Unit::Asset(id) if voucher_hash(denom).is_some() => id,
            _ => return Err(refused(format!("{denom} is no voucher, so it is not burned"))),
        };
        let have = unit.balance::<T>(&who);
        if have < amount {
            return Err(BankError::Insufficient { have: Amount::from(have), need: Amount::from(amount) });
        }
        let (precision, fortitude) = (Precision::Exact, Fortitude::Polite);
        T::Assets::burn_from(id, &who, amount, Preservation::Expendable, precision, fortitude)
            .map(|_| ())
            .map_err(dispatch)
    }
}
