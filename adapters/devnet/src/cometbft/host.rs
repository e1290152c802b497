//! What the application's rules run on: the stores under checkpoints, accounts, balances and a gas meter.

use std::cell::Cell;

use bech32::{Bech32, Hrp};
use catenary_light_clients::verdict::Coded;
use catenary_protocol::handler::{Amount, Bank, BankError, Key, Rendered, Store};
use catenary_protocol::proto::decode_strict;
use cosmos_sdk_proto::cosmos::auth::v1beta1::BaseAccount;
use prost::Message;
use ripemd::Ripemd160;
use sha2::Digest;

use super::merkle::sha256;
use super::stores::{Stores, ACC, BANK, IBC};
use super::tx::key_any;

/// Type URL of a plain account (cosmos-sdk `x/auth`).
pub(crate) const BASE_ACCOUNT: &str = "/cosmos.auth.v1beta1.BaseAccount";
/// Keys of the account store (cosmos-sdk `x/auth/types/keys.go`).
const ACCOUNT: u8 = 0x01;
const NEXT_ACCOUNT_NUMBER: &[u8] = b"globalAccountNumber";
/// Keys of the bank store (cosmos-sdk `x/bank/types/keys.go`).
const SUPPLY: u8 = 0x00;
const BALANCE: u8 = 0x02;

/// What work costs (cosmos-sdk `store/types/gas.go`, `KVGasConfig`).
const READ_FLAT: u64 = 1_000;
const READ_BYTE: u64 = 3;
const WRITE_FLAT: u64 = 2_000;
const WRITE_BYTE: u64 = 30;
const DELETE_FLAT: u64 = 1_000;

/// An account that signs.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Account {
    /// Known once it has signed.
    pub(crate) key: Option<[u8; 33]>,
    /// Number, for ever.
    pub(crate) number: u64,
    /// Sequence of its next transaction.
    pub(crate) sequence: u64,
}

/// The application's state while something runs on it.
#[derive(Clone, Debug)]
pub(crate) struct Host {
    /// The stores.
    pub(crate) stores: Stores,
    /// What was there at each open checkpoint.
    checkpoints: Vec<(Stores, usize)>,
    gas: Cell<u64>,
    /// What the bank did.
    log: Vec<Rendered>,
    prefix: String,
}

impl Host {
    /// A host on these stores; addresses have the prefix.
    pub(crate) fn new(stores: Stores, prefix: &str) -> Self {
        Self { stores, checkpoints: Vec::new(), gas: Cell::new(0), log: Vec::new(), prefix: prefix.to_owned() }
    }

    /// Counts gas.
    pub(crate) fn charge(&self, gas: u64) {
        self.gas.set(self.gas.get().saturating_add(gas));
    }

    /// Gas counted since the last time that it was taken.
    pub(crate) fn take_gas(&self) -> u64 {
        self.gas.take()
    }

    /// Gas counted.
    pub(crate) fn gas(&self) -> u64 {
        self.gas.get()
    }

    /// What the bank did since the last time that it was taken.
    pub(crate) fn take_log(&mut self) -> Vec<Rendered> {
        std::mem::take(&mut self.log)
    }

    fn read(&self, store: &str, key: &[u8]) -> Option<Vec<u8>> {
        let value = self.stores.get(store, key).map(<[u8]>::to_vec);
        let bytes = key.len() + value.as_ref().map_or(0, Vec::len);
        self.charge(READ_FLAT + READ_BYTE * bytes as u64);
        value
    }

    fn write(&mut self, store: &'static str, key: &[u8], value: Vec<u8>) {
        self.charge(WRITE_FLAT + WRITE_BYTE * (key.len() + value.len()) as u64);
        self.stores.set(store, key, value);
    }

    fn erase(&mut self, store: &'static str, key: &[u8]) {
        self.charge(DELETE_FLAT);
        self.stores.remove(store, key);
    }

    /// The address of an account's bytes.
    pub(crate) fn address(&self, account: &[u8]) -> String {
        let text = |prefix| bech32::encode::<Bech32>(prefix, account).ok();
        Hrp::parse(&self.prefix).ok().and_then(text).unwrap_or_default()
    }

    /// The bytes of an address under the chain's prefix: 20 for accounts, 32 for modules and contracts.
    pub(crate) fn bytes(&self, address: &str) -> Option<Vec<u8>> {
        let parsed = bech32::primitives::decode::CheckedHrpstring::new::<Bech32>(address).ok()?;
        let bytes: Vec<u8> = parsed.byte_iter().collect();
        // One account has one address: upper-case text, which decodes too, is another one.
        (matches!(bytes.len(), 20 | 32) && self.address(&bytes) == address).then_some(bytes)
    }

    /// An account that signs, when there is one.
    pub(crate) fn signer(&self, account: &[u8]) -> Option<Account> {
        let value = self.read(ACC, &[&[ACCOUNT], account].concat())?;
        let any: cosmos_sdk_proto::Any = decode_strict("account", &value).ok()?;
        let base: BaseAccount = decode_strict("account", &any.value).ok()?;
        let key = base.pub_key.and_then(|any| {
            cosmos_sdk_proto::cosmos::crypto::secp256k1::PubKey::decode(any.value.as_slice()).ok()?.key.try_into().ok()
        });
        Some(Account { key, number: base.account_number, sequence: base.sequence })
    }

    /// Keeps an account.
    pub(crate) fn set_signer(&mut self, bytes: &[u8], account: &Account) {
        let base = BaseAccount {
            address: self.address(bytes),
            pub_key: account.key.as_ref().map(key_any),
            account_number: account.number,
            sequence: account.sequence,
        };
        let any = cosmos_sdk_proto::Any { type_url: BASE_ACCOUNT.to_owned(), value: base.encode_to_vec() };
        self.write(ACC, &[&[ACCOUNT], bytes].concat(), any.encode_to_vec());
    }

    /// Whoever receives something has an account from then on.
    fn open(&mut self, bytes: &[u8]) {
        if self.read(ACC, &[&[ACCOUNT], bytes].concat()).is_some() {
            return;
        }
        let number = self.read(ACC, NEXT_ACCOUNT_NUMBER).and_then(|bytes| bytes.try_into().ok());
        let number = number.map_or(0, u64::from_be_bytes);
        self.write(ACC, NEXT_ACCOUNT_NUMBER, (number + 1).to_be_bytes().to_vec());
        self.set_signer(bytes, &Account { key: None, number, sequence: 0 });
    }

    /// All that an account holds, in order of denominations.
    pub(crate) fn balances(&self, account: &[u8]) -> Vec<(String, Amount)> {
        let prefix = balance_key(account, "");
        let rows = self.stores.tree(BANK).map(|tree| tree.prefixed(&prefix)).unwrap_or_default();
        let row = |(key, value): (Vec<u8>, Vec<u8>)| {
            let denom = String::from_utf8(key.get(prefix.len()..)?.to_vec()).ok()?;
            Some((denom, amount(&value)))
        };
        rows.into_iter().filter_map(row).collect()
    }

    /// All of a denomination that exists.
    pub(crate) fn supply(&self, denom: &str) -> Amount {
        self.read(BANK, &supply_key(denom)).map_or(Amount::ZERO, |value| amount(&value))
    }

    fn set_amount(&mut self, key: &[u8], amount: Amount) {
        if amount.is_zero() {
            self.erase(BANK, key);
        } else {
            self.write(BANK, key, amount.to_string().into_bytes());
        }
    }

    fn add(&mut self, to: &[u8], denom: &str, amount: Amount) -> Result<(), BankError> {
        let have = self.balance(to, denom);
        let sum = have.checked_add(amount).ok_or(BankError::Overflow { have, add: amount })?;
        self.open(to);
        self.set_amount(&balance_key(to, denom), sum);
        self.note("coin_received", &[("receiver", self.address(to)), ("amount", format!("{amount}{denom}"))]);
        Ok(())
    }

    fn subtract(&mut self, from: &[u8], denom: &str, amount: Amount) -> Result<(), BankError> {
        let have = self.balance(from, denom);
        let rest = have.checked_sub(amount).ok_or(BankError::Insufficient { have, need: amount })?;
        self.set_amount(&balance_key(from, denom), rest);
        self.note("coin_spent", &[("spender", self.address(from)), ("amount", format!("{amount}{denom}"))]);
        Ok(())
    }

    fn note(&mut self, kind: &str, attributes: &[(&str, String)]) {
        let attributes = attributes.iter().map(|(key, value)| ((*key).to_owned(), value.clone())).collect();
        self.log.push(Rendered { kind: kind.to_owned(), attributes });
    }
}

/// The account of a public key: RIPEMD-160 of its SHA-256 (cosmos-sdk `crypto/keys/secp256k1`).
pub(crate) fn account_of(key: &[u8; 33]) -> Vec<u8> {
    Ripemd160::digest(sha256(&[key])).to_vec()
}

/// The account of a module (cosmos-sdk `x/auth/types`).
pub(crate) fn module_account(name: &str) -> Vec<u8> {
    sha256(&[name.as_bytes()])[..20].to_vec()
}

fn balance_key(account: &[u8], denom: &str) -> Vec<u8> {
    let length = u8::try_from(account.len()).unwrap_or(u8::MAX);
    [&[BALANCE, length], account, denom.as_bytes()].concat()
}

fn supply_key(denom: &str) -> Vec<u8> {
    [&[SUPPLY], denom.as_bytes()].concat()
}

fn amount(value: &[u8]) -> Amount {
    std::str::from_utf8(value).ok().and_then(|text| Amount::from_str_radix(text, 10).ok()).unwrap_or_default()
}

impl Store for Host {
    fn get(&self, key: &Key) -> Option<Vec<u8>> {
        self.read(IBC, key.as_bytes())
    }

    fn set(&mut self, key: &Key, value: Vec<u8>) {
        self.write(IBC, key.as_bytes(), value);
    }

    fn delete(&mut self, key: &Key) {
        self.erase(IBC, key.as_bytes());
    }

    fn begin(&mut self) {
        self.checkpoints.push((self.stores.clone(), self.log.len()));
    }

    fn commit(&mut self) {
        self.checkpoints.pop();
    }

    fn rollback(&mut self) {
        if let Some((stores, log)) = self.checkpoints.pop() {
            self.stores = stores;
            self.log.truncate(log);
        }
    }
}

impl Bank for Host {
    fn account(&self, address: &str) -> Option<Vec<u8>> {
        // The module that holds the fees takes no transfers (cosmos-sdk `BlockedAddr`).
        self.bytes(address).filter(|bytes| *bytes != module_account(super::app::FEE_COLLECTOR))
    }

    fn balance(&self, account: &[u8], denom: &str) -> Amount {
        self.read(BANK, &balance_key(account, denom)).map_or(Amount::ZERO, |value| amount(&value))
    }

    fn transfer(&mut self, from: &[u8], to: &[u8], denom: &str, amount: Amount) -> Result<(), BankError> {
        self.subtract(from, denom, amount)?;
        self.add(to, denom, amount)?;
        let (recipient, sender) = (self.address(to), self.address(from));
        self.note("transfer", &[("recipient", recipient), ("sender", sender), ("amount", format!("{amount}{denom}"))]);
        Ok(())
    }

    fn mint(&mut self, to: &[u8], denom: &str, amount: Amount) -> Result<(), BankError> {
        let have = self.supply(denom);
        let sum = have.checked_add(amount).ok_or(BankError::Overflow { have, add: amount })?;
        self.set_amount(&supply_key(denom), sum);
        self.add(to, denom, amount)?;
        self.note("coinbase", &[("minter", self.address(to)), ("amount", format!("{amount}{denom}"))]);
        Ok(())
    }

    fn burn(&mut self, from: &[u8], denom: &str, amount: Amount) -> Result<(), BankError> {
        self.subtract(from, denom, amount)?;
        let rest = self.supply(denom).saturating_sub(amount);
        self.set_amount(&supply_key(denom), rest);
        self.note("burn", &[("burner", self.address(from)), ("amount", format!("{amount}{denom}"))]);
        Ok(())
    }
}

/// The code of the handler's refusal that says that an account holds too little.
pub(crate) fn insufficient_code() -> &'static str {
    BankError::Insufficient { have: Amount::ZERO, need: Amount::ZERO }.code()
}
