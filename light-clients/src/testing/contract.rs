//! Validators that are kept in a contract: the storage of an `address[]`, and a chain whose headers list none.

use alloc::vec::Vec;

use super::headers::Network;
use super::trie::EvmState;
use crate::bft::{array_slots, encode_update, Config, ValidatorContract};
use crate::crypto::Address;
use crate::sealing::{validator_slots, HeaderSpec, Key};
use crate::verdict::{Hash32, Timestamp};

/// Where [`ContractNetwork`] keeps its validators.
pub const VALIDATOR_CONTRACT: ValidatorContract = ValidatorContract { address: [0x88; 20], slot: [0; 32] };

/// A QBFT chain in contract mode: its headers, and the state after each of them.
#[derive(Clone, Debug)]
pub struct ContractNetwork {
    /// Keys of the validators that seal the next header, in the order of their addresses.
    pub keys: Vec<Key>,
    /// Sealed headers, block 1 first. Block 1 has no parent with a state, so nothing proves its own validators.
    pub headers: Vec<HeaderSpec>,
    /// The state after each header.
    pub states: Vec<EvmState>,
}

/// A state whose contract keeps `validators` in this order, beside an account that makes its proofs deeper.
#[must_use]
pub fn contract_state(validators: &[Address]) -> EvmState {
    let mut state = EvmState::default();
    state.insert_contract(Address([0xc0; 20]));
    let contract = Address(VALIDATOR_CONTRACT.address);
    state.insert_contract(contract);
    for (slot, value) in validator_slots(&VALIDATOR_CONTRACT.slot, validators) {
        state.insert_slot(contract, slot, value);
    }
    state
}

impl ContractNetwork {
    /// A network of `validators` whose blocks 1 and 2 are sealed.
    #[must_use]
    pub fn new(validators: usize) -> Self {
        let Network { keys, headers } = Network::new(validators);
        let mut network = Self { keys, headers: Vec::new(), states: Vec::new() };
        let keys = network.keys.clone();
        let first = network.with_state(headers[0].clone(), &keys);
        network.headers.push(first);
        network.grow(1);
        network
    }

    /// `header`, sealed by a quorum of `keys`, after which the contract keeps the validators of `self.keys`.
    fn with_state(&mut self, mut header: HeaderSpec, sealers: &[Key]) -> HeaderSpec {
        // The contract keeps them in no order, as a contract does.
        let mut validators: Vec<Address> = self.keys.iter().map(Key::address).collect();
        validators.rotate_left(1);
        let state = contract_state(&validators);
        header.state_root = Hash32(*state.root().as_bytes());
        self.states.push(state);
        header.without_validators().sealed(sealers)
    }

    /// The newest header.
    #[must_use]
    pub fn head(&self) -> &HeaderSpec {
        &self.headers[self.headers.len() - 1]
    }

    /// The next header, not sealed yet.
    #[must_use]
    pub fn next(&self) -> HeaderSpec {
        self.head().child(&self.keys).without_validators()
    }

    /// Seals `header` by a quorum of the present validators and puts it on the chain; after it, the contract keeps
    /// those of `then`. Gives its update.
    pub fn push(&mut self, header: HeaderSpec, then: &[Key]) -> Vec<u8> {
        let sealers = core::mem::replace(&mut self.keys, then.to_vec());
        let header = self.with_state(header, &sealers);
        self.headers.push(header);
        self.update(self.headers.len() as u64)
    }

    /// Grows the chain by `blocks` plain headers.
    pub fn grow(&mut self, blocks: usize) {
        for _ in 0..blocks {
            let (next, keys) = (self.next(), self.keys.clone());
            self.push(next, &keys);
        }
    }

    /// The update of block `number`, which is 2 at least.
    #[must_use]
    pub fn update(&self, number: u64) -> Vec<u8> {
        let at = usize::try_from(number).expect("a short chain") - 1;
        self.update_of(&self.headers[at])
    }

    /// The update of `header`, a child of one on the chain.
    #[must_use]
    pub fn update_of(&self, header: &HeaderSpec) -> Vec<u8> {
        let below = usize::try_from(header.number).expect("a short chain") - 2;
        let (account, slots) = set_proof(&self.states[below], &VALIDATOR_CONTRACT);
        encode_update(&header.encode(), &self.headers[below].encode(), &account, &slots)
    }

    /// A configuration whose anchor is block 2.
    #[must_use]
    pub fn config(&self) -> Config {
        let network = Network { keys: self.keys.clone(), headers: self.headers[1..].to_vec() };
        Config { validator_contract: Some(VALIDATOR_CONTRACT), ..network.config() }
    }

    /// One second after the newest header.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        Timestamp::from_seconds(self.head().time_seconds + 1)
    }
}

/// What `eth_getProof` answers about a contract's array in `state`: nodes of the account, and of the slots of the
/// length and of each item.
#[must_use]
pub fn set_proof(state: &EvmState, contract: &ValidatorContract) -> (Vec<Vec<u8>>, Vec<Vec<Vec<u8>>>) {
    let address = Address(contract.address);
    let items = state.slot(address, &contract.slot).map_or(0, |length| usize::from(length[31]));
    let slots = array_slots(&contract.slot, items);
    let nodes = slots.iter().map(|slot| state.nodes(address, slot).1).collect();
    (state.nodes(address, &contract.slot).0, nodes)
}
