//! One EVM chain at Berlin: accounts, storage and a clock that the test moves.

use std::convert::Infallible;

use alloy_primitives::{Address, Bytes, Log, TxKind, B256, U256};
use alloy_sol_types::{SolCall, SolError, SolEvent};
use revm::context::result::{ExecResultAndState, ExecutionResult, Output};
use revm::context::{BlockEnv, TxEnv};
use revm::database::{CacheDB, EmptyDB};
use revm::primitives::hardfork::SpecId;
use revm::{Context, Database, DatabaseCommit, DatabaseRef, ExecuteEvm, MainBuilder, MainContext};

use crate::artifact;

/// Gas of a transaction that the test does not care about.
pub const GAS_LIMIT: u64 = 30_000_000;

/// Time of the first block, unix seconds.
pub const GENESIS_SECONDS: u64 = 1_795_000_000;

/// Why a transaction failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Failure {
    /// The contract reverted with these bytes.
    Revert(Bytes),
    /// The machine stopped, as it does when gas runs out.
    Halt(String),
}

/// What a transaction did.
#[derive(Debug, Clone)]
pub struct Outcome {
    /// Returned bytes, or why there are none.
    pub result: Result<Bytes, Failure>,
    /// Emitted logs, empty if it failed.
    pub logs: Vec<Log>,
    /// Gas as a receipt shows it.
    pub gas_used: u64,
}

impl Outcome {
    /// The outcome itself, if it succeeded.
    #[must_use]
    pub fn ok(self) -> Self {
        assert!(self.result.is_ok(), "expected success, got {}", self.describe());
        self
    }

    /// Asserts that the transaction reverted with exactly this error, values included.
    pub fn reverts<E: SolError + std::fmt::Debug>(&self, expected: &E) {
        let wanted = Err(Failure::Revert(expected.abi_encode().into()));
        assert!(self.result == wanted, "expected {expected:?}, got {}", self.describe());
    }

    /// Asserts that the transaction reverted with this kind of error, whatever its values.
    pub fn reverts_as<E: SolError>(&self) {
        match &self.result {
            Err(Failure::Revert(data)) if data.starts_with(&E::SELECTOR) => {}
            _ => panic!("expected {}, got {}", E::SIGNATURE, self.describe()),
        }
    }

    /// Asserts that the transaction reverted with exactly these bytes; `row` names the row of a table.
    pub fn reverts_with(&self, expected: Vec<u8>, row: &str) {
        let wanted = Err(Failure::Revert(expected.into()));
        assert!(self.result == wanted, "{row}: expected {wanted:?}, got {}", self.describe());
    }

    /// The events of one kind, in order.
    #[must_use]
    pub fn events<E: SolEvent>(&self) -> Vec<E> {
        self.logs.iter().filter_map(|log| E::decode_log(log).ok()).map(|log| log.data).collect()
    }

    /// The one event of a kind.
    #[must_use]
    pub fn event<E: SolEvent>(&self) -> E {
        let mut events = self.events::<E>();
        assert!(events.len() == 1, "expected one {}, got {} of them", E::SIGNATURE, events.len());
        events.remove(0)
    }

    fn describe(&self) -> String {
        match &self.result {
            Ok(data) => format!("success with {data}"),
            Err(Failure::Revert(data)) => format!("a revert with {data}"),
            Err(Failure::Halt(reason)) => format!("a halt: {reason}"),
        }
    }
}

/// One chain. Every transaction is a block of its own.
#[derive(Debug, Clone)]
pub struct Chain {
    db: CacheDB<EmptyDB>,
    /// Height of the newest block.
    pub height: u64,
    /// Time of the newest block, unix seconds.
    pub time_seconds: u64,
}

impl Default for Chain {
    fn default() -> Self {
        Self { db: CacheDB::new(EmptyDB::default()), height: 1, time_seconds: GENESIS_SECONDS }
    }
}

impl Chain {
    /// Deploys a committed artifact with encoded constructor arguments.
    pub fn deploy(&mut self, name: &str, arguments: &[u8], from: Address) -> Address {
        let (address, outcome) = self.try_deploy(name, arguments, from);
        let _ = outcome.ok();
        address.expect("a created contract has an address")
    }

    /// Deploys a committed artifact with encoded constructor arguments, or says why not.
    pub fn try_deploy(&mut self, name: &str, arguments: &[u8], from: Address) -> (Option<Address>, Outcome) {
        let mut code = artifact::creation_code(name).to_vec();
        code.extend_from_slice(arguments);
        let (output, outcome) = self.execute(from, TxKind::Create, code.into(), GAS_LIMIT);
        let address = match output {
            Some(Output::Create(_, address)) => address,
            _ => None,
        };
        (address, outcome)
    }

    /// Sends a transaction.
    pub fn send<C: SolCall>(&mut self, from: Address, to: Address, call: &C) -> Outcome {
        self.execute(from, TxKind::Call(to), call.abi_encode().into(), GAS_LIMIT).1
    }

    /// Sends raw call data.
    pub fn send_raw(&mut self, from: Address, to: Address, data: Vec<u8>) -> Outcome {
        self.execute(from, TxKind::Call(to), data.into(), GAS_LIMIT).1
    }

    /// Calls without changing anything.
    #[must_use]
    pub fn view<C: SolCall>(&self, to: Address, call: &C) -> C::Return {
        let outcome = self.try_with_gas(Address::ZERO, to, call, GAS_LIMIT).ok();
        C::abi_decode_returns(&outcome.result.expect("checked above")).expect("the declared return type")
    }

    /// What a transaction with a gas limit would do; nothing is kept.
    #[must_use]
    pub fn try_with_gas<C: SolCall>(&self, from: Address, to: Address, call: &C, gas: u64) -> Outcome {
        let tx = self.transaction(from, TxKind::Call(to), call.abi_encode().into(), gas);
        outcome(run(CacheDB::new(&self.db), self.block(), tx).result).1
    }

    /// A storage slot.
    #[must_use]
    pub fn storage(&self, address: Address, slot: B256) -> B256 {
        self.db.storage_ref(address, U256::from_be_bytes(slot.0)).expect("memory does not fail").into()
    }

    /// Writes a storage slot behind the contract's back.
    pub fn set_storage(&mut self, address: Address, slot: B256, value: B256) {
        let (slot, value) = (U256::from_be_bytes(slot.0), U256::from_be_bytes(value.0));
        self.db.insert_account_storage(address, slot, value).expect("memory does not fail");
    }

    /// The code of a contract.
    #[must_use]
    pub fn code(&self, address: Address) -> Bytes {
        let account = self.db.basic_ref(address).expect("memory does not fail").unwrap_or_default();
        self.db.code_by_hash_ref(account.code_hash).expect("memory does not fail").original_bytes()
    }

    /// Lets time pass.
    pub fn advance(&mut self, seconds: u64) {
        self.time_seconds += seconds;
        self.height += 1;
    }

    fn execute(&mut self, from: Address, kind: TxKind, data: Bytes, gas: u64) -> (Option<Output>, Outcome) {
        self.height += 1;
        let (block, tx) = (self.block(), self.transaction(from, kind, data, gas));
        let result = run(&mut self.db, block, tx);
        self.db.commit(result.state);
        outcome(result.result)
    }

    fn transaction(&self, from: Address, kind: TxKind, data: Bytes, gas: u64) -> TxEnv {
        let nonce = self.db.basic_ref(from).expect("memory does not fail").map_or(0, |account| account.nonce);
        TxEnv { caller: from, gas_limit: gas, kind, data, nonce, chain_id: None, ..TxEnv::default() }
    }

    fn block(&self) -> BlockEnv {
        BlockEnv {
            number: U256::from(self.height),
            timestamp: U256::from(self.time_seconds),
            gas_limit: u64::MAX,
            ..BlockEnv::default()
        }
    }
}

fn run<D>(db: D, block: BlockEnv, tx: TxEnv) -> ExecResultAndState<ExecutionResult>
where
    D: Database<Error = Infallible>,
{
    Context::mainnet()
        .with_db(db)
        .modify_cfg_chained(|cfg| cfg.set_spec_and_mainnet_gas_params(SpecId::BERLIN))
        .with_block(block)
        .build_mainnet()
        .transact(tx)
        .expect("the transaction itself is valid")
}

fn outcome(result: ExecutionResult) -> (Option<Output>, Outcome) {
    let gas_used = result.tx_gas_used();
    match result {
        ExecutionResult::Success { logs, output, .. } => {
            let outcome = Outcome { result: Ok(output.data().clone()), logs, gas_used };
            (Some(output), outcome)
        }
        ExecutionResult::Revert { output, .. } => (None, failed(Failure::Revert(output), gas_used)),
        ExecutionResult::Halt { reason, .. } => (None, failed(Failure::Halt(format!("{reason:?}")), gas_used)),
    }
}

const fn failed(failure: Failure, gas_used: u64) -> Outcome {
    Outcome { result: Err(failure), logs: Vec::new(), gas_used }
}
