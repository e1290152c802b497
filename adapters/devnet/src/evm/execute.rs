//! Running transactions and calls on the machine.

use alloy_primitives::{Address, Bytes, Log, B256, U256};
use revm::context::result::{EVMError, ExecResultAndState, ExecutionResult, HaltReason, InvalidTransaction};
use revm::context::{BlockEnv, TxEnv};
use revm::database_interface::WrapDatabaseRef;
use revm::{Context, ExecuteEvm, MainBuilder, MainContext};

use super::fork::Fork;
use super::state::{State, View};

/// What a block gives the machine to know.
#[derive(Clone, Debug)]
pub(super) struct Env {
    pub(super) chain_id: u64,
    pub(super) fork: Fork,
    pub(super) number: u64,
    pub(super) time_seconds: u64,
    pub(super) proposer: Address,
    pub(super) gas_limit: u64,
    pub(super) base_fee_wei: u64,
    pub(super) mix_hash: B256,
}

/// Whether a transaction is held to the rules of a block, or only tried.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Mode {
    /// As in a block.
    Block,
    /// As `eth_call` and `eth_estimateGas` do: no nonce, no price to meet, senders with code.
    Trial,
}

/// What the machine did with a transaction.
pub(super) type Run = Result<ExecResultAndState<ExecutionResult>, InvalidTransaction>;

/// Runs one transaction over a state, which is left as it is.
pub(super) fn run(state: &State, env: &Env, tx: TxEnv, mode: Mode, block_hash: &dyn Fn(u64) -> B256) -> Run {
    let view = View { state, block_hash };
    let block = BlockEnv {
        number: U256::from(env.number),
        beneficiary: env.proposer,
        timestamp: U256::from(env.time_seconds),
        gas_limit: env.gas_limit,
        basefee: env.base_fee_wei,
        difficulty: U256::ONE,
        prevrandao: Some(env.mix_hash),
        ..BlockEnv::default()
    };
    let outcome = Context::mainnet()
        .with_db(WrapDatabaseRef(view))
        .modify_cfg_chained(|cfg| {
            cfg.set_spec_and_mainnet_gas_params(env.fork.spec());
            cfg.chain_id = env.chain_id;
            if mode == Mode::Trial {
                cfg.disable_nonce_check = true;
                cfg.disable_eip3607 = true;
                cfg.disable_base_fee = true;
            }
        })
        .with_block(block)
        .build_mainnet()
        .transact(tx);
    outcome.map_err(|error| match error {
        EVMError::Transaction(error) => error,
        // The state is memory and the header is ours, so nothing else can go wrong but a bug of the machine.
        other => InvalidTransaction::Str(format!("{other:?}").into()),
    })
}

/// The outcome of a run in the words of a node.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Outcome {
    Returned(Bytes),
    Reverted(Bytes),
    Halted(&'static str),
}

/// What came out, and the logs.
pub(super) fn outcome(result: ExecutionResult) -> (Outcome, Vec<Log>) {
    match result {
        ExecutionResult::Success { output, logs, .. } => (Outcome::Returned(output.into_data()), logs),
        ExecutionResult::Revert { output, .. } => (Outcome::Reverted(output), Vec::new()),
        ExecutionResult::Halt { reason, .. } => (Outcome::Halted(halt_text(&reason)), Vec::new()),
    }
}

/// geth's words for a halt.
const fn halt_text(reason: &HaltReason) -> &'static str {
    match reason {
        HaltReason::OutOfGas(_) => "out of gas",
        HaltReason::OpcodeNotFound | HaltReason::InvalidFEOpcode | HaltReason::NotActivated => "invalid opcode",
        HaltReason::InvalidJump => "invalid jump destination",
        HaltReason::StackUnderflow => "stack underflow",
        HaltReason::StackOverflow => "stack limit reached",
        HaltReason::OutOfOffset => "return data out of bounds",
        HaltReason::CreateCollision => "contract address collision",
        HaltReason::CreateContractSizeLimit => "max code size exceeded",
        HaltReason::CreateInitCodeSizeLimit => "max initcode size exceeded",
        HaltReason::OutOfFunds => "insufficient balance for transfer",
        HaltReason::CallTooDeep => "max call depth exceeded",
        HaltReason::StateChangeDuringStaticCall => "write protection",
        _ => "execution aborted",
    }
}

/// The bound that geth puts on a search for the gas of a transaction: within 1.5 %.
const ESTIMATE_ERROR_PERMILLE: u64 = 15;

/// The least gas with which a transaction succeeds, found as geth finds it.
///
/// # Errors
/// Why it cannot succeed with `most` gas: refused, or its outcome.
pub(super) fn estimate(
    state: &State,
    env: &Env,
    tx: &TxEnv,
    block_hash: &dyn Fn(u64) -> B256,
) -> Result<u64, Result<Outcome, InvalidTransaction>> {
    let with = |gas_limit: u64| run(state, env, TxEnv { gas_limit, ..tx.clone() }, Mode::Trial, block_hash);
    let succeeds = |gas_limit: u64| with(gas_limit).is_ok_and(|run| run.result.is_success());
    let first = with(tx.gas_limit).map_err(Err)?.result;
    let used = *first.gas();
    if let (failed @ (Outcome::Reverted(_) | Outcome::Halted(_)), _) = outcome(first) {
        return Err(Ok(failed));
    }
    let (mut low, mut high) = (used.tx_gas_used().saturating_sub(1), tx.gas_limit);
    // A call hands on at most 63 of 64 parts, and a transfer of value has a stipend.
    let likely = used.tx_gas_used().saturating_add(used.inner_refunded()).saturating_add(2_300);
    let likely = likely.saturating_mul(64) / 63;
    if likely < high {
        if succeeds(likely) {
            high = likely;
        } else {
            low = likely;
        }
    }
    while low + 1 < high && (high - low).saturating_mul(1_000) / high >= ESTIMATE_ERROR_PERMILLE {
        let middle = (low + (high - low) / 2).min(low.saturating_mul(2).max(1));
        if succeeds(middle) {
            high = middle;
        } else {
            low = middle;
        }
    }
    Ok(high)
}
