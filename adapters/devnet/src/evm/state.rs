//! The state: accounts and their storage, as the machine reads it and as headers commit to it.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::{Arc, PoisonError, RwLock};

use alloy_primitives::{Address, Bytes, B256, U256};
use catenary_light_clients::crypto::keccak256;
use catenary_light_clients::proof::mpt::EMPTY_CODE_HASH;
use catenary_light_clients::rlp::{put_bytes, put_list, put_uint};
use revm::bytecode::Bytecode;
use revm::state::{AccountInfo, EvmState};
use revm::DatabaseRef;

use super::trie::{Trie, Value};

/// An account.
#[derive(Clone)]
pub(super) struct Account {
    pub(super) nonce: u64,
    pub(super) balance: U256,
    pub(super) code_hash: B256,
    pub(super) storage: Trie<Slot>,
}

impl Default for Account {
    fn default() -> Self {
        Self { nonce: 0, balance: U256::ZERO, code_hash: empty_code(), storage: Trie::default() }
    }
}

/// The hash of no code.
pub(super) const fn empty_code() -> B256 {
    B256::new(EMPTY_CODE_HASH.0)
}

impl Value for Account {
    fn encode(&self) -> Vec<u8> {
        let (mut payload, mut out) = (Vec::with_capacity(110), Vec::with_capacity(112));
        put_uint(&mut payload, self.nonce);
        put_bytes(&mut payload, &self.balance.to_be_bytes_trimmed_vec());
        put_bytes(&mut payload, self.storage.root().as_slice());
        put_bytes(&mut payload, self.code_hash.as_slice());
        put_list(&mut out, &payload);
        out
    }
}

/// A word of storage, never zero.
#[derive(Clone, Copy)]
pub(super) struct Slot(pub(super) U256);

impl Value for Slot {
    fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(33);
        put_bytes(&mut out, &self.0.to_be_bytes_trimmed_vec());
        out
    }
}

/// The state after a block; a clone is a snapshot.
#[derive(Clone, Default)]
pub(super) struct State {
    accounts: Trie<Account>,
    /// Code by its hash. It only grows, so all snapshots share it.
    code: Arc<RwLock<BTreeMap<B256, Bytecode>>>,
}

fn secure(key: &[u8]) -> [u8; 32] {
    keccak256(&[key]).0
}

impl State {
    /// The account at `address`, an empty one where there is none.
    pub(super) fn account(&self, address: &Address) -> Account {
        self.accounts.get(&secure(address.as_slice())).cloned().unwrap_or_default()
    }

    /// The code of an account.
    pub(super) fn code(&self, address: &Address) -> Bytes {
        self.code_of(self.account(address).code_hash).original_bytes()
    }

    /// A word of storage.
    pub(super) fn storage(&self, address: &Address, slot: U256) -> U256 {
        let Some(account) = self.accounts.get(&secure(address.as_slice())) else { return U256::ZERO };
        account.storage.get(&secure(&slot.to_be_bytes::<32>())).map_or(U256::ZERO, |slot| slot.0)
    }

    /// The state root.
    pub(super) fn root(&self) -> B256 {
        self.accounts.root()
    }

    /// The nodes towards an account.
    pub(super) fn account_proof(&self, address: &Address) -> Vec<Vec<u8>> {
        self.accounts.proof(&secure(address.as_slice()))
    }

    /// The nodes towards a slot of an account.
    pub(super) fn storage_proof(&self, address: &Address, slot: U256) -> Vec<Vec<u8>> {
        self.account(address).storage.proof(&secure(&slot.to_be_bytes::<32>()))
    }

    /// Gives an account ether that it did not have.
    pub(super) fn fund(&mut self, address: Address, wei: U256) {
        let mut account = self.account(&address);
        account.balance = account.balance.saturating_add(wei);
        self.put(&address, account);
    }

    /// Puts code where there was none.
    pub(super) fn deploy(&mut self, address: Address, code: &[u8]) {
        let mut account = self.account(&address);
        account.code_hash = B256::from(secure(code));
        self.remember(account.code_hash, Bytecode::new_raw(code.to_vec().into()));
        self.put(&address, account);
    }

    /// Writes a word of storage.
    pub(super) fn write(&mut self, address: &Address, slot: U256, value: U256) {
        let mut account = self.account(address);
        write(&mut account.storage, slot, value);
        self.put(address, account);
    }

    /// Takes over what a transaction did.
    pub(super) fn apply(&mut self, changes: EvmState) {
        for (address, changed) in changes {
            if !changed.is_touched() {
                continue;
            }
            if changed.is_selfdestructed() || changed.is_empty() {
                // EIP-161: an account that was touched and is empty is no account.
                self.accounts.remove(&secure(address.as_slice()));
                continue;
            }
            let mut account = if changed.is_created() { Account::default() } else { self.account(&address) };
            account.nonce = changed.info.nonce;
            account.balance = changed.info.balance;
            account.code_hash = changed.info.code_hash;
            for (slot, value) in &changed.storage {
                if value.is_changed() {
                    write(&mut account.storage, *slot, value.present_value);
                }
            }
            if let Some(code) = changed.info.code.filter(|code| !code.is_empty()) {
                self.remember(account.code_hash, code);
            }
            self.put(&address, account);
        }
    }

    fn put(&mut self, address: &Address, account: Account) {
        self.accounts.insert(&secure(address.as_slice()), account);
    }

    fn remember(&self, hash: B256, code: Bytecode) {
        self.code.write().unwrap_or_else(PoisonError::into_inner).entry(hash).or_insert(code);
    }

    fn code_of(&self, hash: B256) -> Bytecode {
        if hash == empty_code() {
            return Bytecode::default();
        }
        self.code.read().unwrap_or_else(PoisonError::into_inner).get(&hash).cloned().unwrap_or_default()
    }
}

fn write(storage: &mut Trie<Slot>, slot: U256, value: U256) {
    let key = secure(&slot.to_be_bytes::<32>());
    if value.is_zero() {
        storage.remove(&key);
    } else {
        storage.insert(&key, Slot(value));
    }
}

/// The state as the machine reads it, with the hashes of earlier blocks.
pub(super) struct View<'a, F> {
    pub(super) state: &'a State,
    pub(super) block_hash: F,
}

impl<F: Fn(u64) -> B256> DatabaseRef for View<'_, F> {
    type Error = Infallible;

    fn basic_ref(&self, address: Address) -> Result<Option<AccountInfo>, Self::Error> {
        Ok(self.state.accounts.get(&secure(address.as_slice())).map(|account| AccountInfo {
            balance: account.balance,
            nonce: account.nonce,
            code_hash: account.code_hash,
            code: None,
            ..AccountInfo::default()
        }))
    }

    fn code_by_hash_ref(&self, code_hash: B256) -> Result<Bytecode, Self::Error> {
        Ok(self.state.code_of(code_hash))
    }

    fn storage_ref(&self, address: Address, slot: U256) -> Result<U256, Self::Error> {
        Ok(self.state.storage(&address, slot))
    }

    fn block_hash_ref(&self, number: u64) -> Result<B256, Self::Error> {
        Ok((self.block_hash)(number))
    }
}
