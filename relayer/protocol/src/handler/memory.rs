//! A store and a bank in memory, for tests and devnets.

use alloc::{borrow::ToOwned, collections::BTreeMap, format, vec::Vec};

use super::store::{Key, Store};
use super::transfer::{Amount, Bank, BankError};

/// What a write replaced.
type Undo = (Key, Option<Vec<u8>>);

/// A host in memory. Every address of 3 to 128 printable characters without spaces is an account, whose bytes are the
/// address; balances live in the store, so that they go back with it.
#[derive(Clone, Debug, Default)]
pub struct MemoryHost {
    values: BTreeMap<Key, Vec<u8>>,
    checkpoints: Vec<Vec<Undo>>,
}

impl MemoryHost {
    /// Everything that is stored, in key order.
    pub fn entries(&self) -> impl Iterator<Item = (&Key, &[u8])> {
        self.values.iter().map(|(key, value)| (key, value.as_slice()))
    }

    /// How many checkpoints are open.
    #[must_use]
    pub fn open_checkpoints(&self) -> usize {
        self.checkpoints.len()
    }

    fn replace(&mut self, key: &Key, value: Option<Vec<u8>>) {
        let before = match value {
            Some(value) => self.values.insert(key.clone(), value),
            None => self.values.remove(key),
        };
        if let Some(newest) = self.checkpoints.last_mut() {
            newest.push((key.clone(), before));
        }
    }

    /// All of a denomination that exists.
    #[must_use]
    pub fn supply(&self, denom: &str) -> Amount {
        self.amount(&supply_key(denom))
    }

    fn amount(&self, key: &Key) -> Amount {
        self.values.get(key).and_then(|bytes| Amount::try_from_be_slice(bytes)).unwrap_or(Amount::ZERO)
    }

    fn set_amount(&mut self, key: &Key, amount: Amount) {
        let value = (!amount.is_zero()).then(|| amount.to_be_bytes::<32>().to_vec());
        self.replace(key, value);
    }

    fn add(&mut self, account: &[u8], denom: &str, amount: Amount) -> Result<(), BankError> {
        let have = self.balance(account, denom);
        let sum = have.checked_add(amount).ok_or(BankError::Overflow { have, add: amount })?;
        self.set_amount(&balance_key(account, denom), sum);
        Ok(())
    }

    fn subtract(&mut self, account: &[u8], denom: &str, amount: Amount) -> Result<(), BankError> {
        let have = self.balance(account, denom);
        let rest = have.checked_sub(amount).ok_or(BankError::Insufficient { have, need: amount })?;
        self.set_amount(&balance_key(account, denom), rest);
        Ok(())
    }
}

fn balance_key(account: &[u8], denom: &str) -> Key {
    Key::Private(format!("bank/{}/{denom}", hex::encode(account)).into_bytes())
}

fn supply_key(denom: &str) -> Key {
    Key::Private(format!("supply/{denom}").into_bytes())
}

impl Store for MemoryHost {
    fn get(&self, key: &Key) -> Option<Vec<u8>> {
        self.values.get(key).cloned()
    }

    fn set(&mut self, key: &Key, value: Vec<u8>) {
        self.replace(key, Some(value));
    }

    fn delete(&mut self, key: &Key) {
        self.replace(key, None);
    }

    fn begin(&mut self) {
        self.checkpoints.push(Vec::new());
    }

    fn commit(&mut self) {
        let done = self.checkpoints.pop().unwrap_or_default();
        if let Some(outer) = self.checkpoints.last_mut() {
            outer.extend(done);
        }
    }

    fn rollback(&mut self) {
        for (key, before) in self.checkpoints.pop().unwrap_or_default().into_iter().rev() {
            match before {
                Some(value) => self.values.insert(key, value),
                None => self.values.remove(&key),
            };
        }
    }
}

impl Bank for MemoryHost {
    fn account(&self, address: &str) -> Option<Vec<u8>> {
        let printable = address.bytes().all(|byte| byte.is_ascii_graphic());
        ((3..=128).contains(&address.len()) && printable).then(|| address.to_owned().into_bytes())
    }

    fn balance(&self, account: &[u8], denom: &str) -> Amount {
        self.amount(&balance_key(account, denom))
    }

    fn transfer(&mut self, from: &[u8], to: &[u8], denom: &str, amount: Amount) -> Result<(), BankError> {
        self.subtract(from, denom, amount)?;
        self.add(to, denom, amount)
    }

    fn mint(&mut self, to: &[u8], denom: &str, amount: Amount) -> Result<(), BankError> {
        let supply = self.supply(denom);
        let sum = supply.checked_add(amount).ok_or(BankError::Overflow { have: supply, add: amount })?;
        self.add(to, denom, amount)?;
        self.set_amount(&supply_key(denom), sum);
        Ok(())
    }

    fn burn(&mut self, from: &[u8], denom: &str, amount: Amount) -> Result<(), BankError> {
        self.subtract(from, denom, amount)?;
        let rest = self.supply(denom).saturating_sub(amount);
        self.set_amount(&supply_key(denom), rest);
        Ok(())
    }
}
