//! Calls and estimates.

use alloy_primitives::U256;
use revm::context::result::InvalidTransaction;
use revm::context::transaction::{AccessList, AccessListItem};
use revm::context::TxEnv;
use revm::primitives::TxKind;
use serde_json::{json, Map, Value};

use super::params::{address, big_quantity, bytes, hash, invalid, quantity, Params};
use super::{refuse, Answer, Asked};
use crate::evm::block::hex;
use crate::evm::execute::{estimate, outcome, run, Mode, Outcome};
use crate::evm::state::State;
use crate::wire::RpcError;

/// Most gas of a call, as geth has it (`--rpc.gascap`); a block may have more.
const CALL_GAS_MAX: u64 = 50_000_000;
/// Most entries of an access list, and most keys of an entry.
const ACCESS_LIST_MAX: usize = 1_000;

/// Selector of `Error(string)`.
const ERROR_SELECTOR: [u8; 4] = [0x08, 0xc3, 0x79, 0xa0];
/// Code of a revert.
const REVERTED: i64 = 3;

/// The error of a call that did not succeed.
fn failure(outcome: &Outcome) -> RpcError {
    match outcome {
        Outcome::Returned(_) => refuse("the call succeeded"),
        Outcome::Halted(reason) => refuse(*reason),
        Outcome::Reverted(data) => {
            let message = match reason(data) {
                Some(text) => format!("execution reverted: {text}"),
                None => "execution reverted".to_owned(),
            };
            RpcError::new(REVERTED, message).with_data(hex(data))
        }
    }
}

/// The text of `Error(string)`, if it is one.
fn reason(data: &[u8]) -> Option<String> {
    let body = data.strip_prefix(&ERROR_SELECTOR)?;
    let length = usize::try_from(U256::from_be_slice(body.get(32..64)?)).ok()?;
    let text = body.get(64..)?.get(..length)?;
    Some(String::from_utf8_lossy(text).into_owned())
}

fn invalid_transaction(error: &InvalidTransaction) -> RpcError {
    match error {
        InvalidTransaction::LackOfFundForMaxFee { fee, balance } => {
            refuse(format!("insufficient funds for gas * price + value: have {balance} want {fee}"))
        }
        InvalidTransaction::CallGasCostMoreThanGasLimit { initial_gas, gas_limit } => {
            refuse(format!("intrinsic gas too low: have {gas_limit}, want {initial_gas}"))
        }
        other => refuse(other.to_string()),
    }
}

/// Reads the object of a call.
fn transaction(fields: &Map<String, Value>) -> Result<TxEnv, String> {
    let given = |name: &str| fields.get(name).filter(|value| !value.is_null());
    let number = |name: &str| given(name).map(quantity).transpose();
    let wei = |name: &str| {
        let value = given(name).map(big_quantity).transpose()?.unwrap_or_default();
        u128::try_from(value).map_err(|_| format!("{name} > 128 bits"))
    };
    let data = match (given("input"), given("data")) {
        (Some(input), Some(data)) if input != data => {
            return Err("both \"data\" and \"input\" are set and not equal".to_owned());
        }
        (input, data) => input.or(data).map(bytes).transpose()?.unwrap_or_default(),
    };
    if given("gasPrice").is_some() && (given("maxFeePerGas").is_some() || given("maxPriorityFeePerGas").is_some()) {
        return Err("both gasPrice and (maxFeePerGas or maxPriorityFeePerGas) specified".to_owned());
    }
    let max_fee = wei("maxFeePerGas")?;
    let gas_price = if given("gasPrice").is_some() { wei("gasPrice")? } else { max_fee };
    let access_list = given("accessList").map(access_list).transpose()?;
    Ok(TxEnv {
        tx_type: u8::from(access_list.is_some()),
        caller: given("from").map(address).transpose()?.unwrap_or_default(),
        gas_limit: number("gas")?.unwrap_or(CALL_GAS_MAX).min(CALL_GAS_MAX),
        gas_price,
        kind: given("to").map(address).transpose()?.map_or(TxKind::Create, TxKind::Call),
        value: given("value").map(big_quantity).transpose()?.unwrap_or_default(),
        data: data.into(),
        nonce: number("nonce")?.unwrap_or_default(),
        chain_id: None,
        access_list: access_list.unwrap_or_default(),
        ..TxEnv::default()
    })
}

fn access_list(value: &Value) -> Result<AccessList, String> {
    let bounded = |value: Option<&Value>| match value {
        Some(Value::Array(list)) if list.len() <= ACCESS_LIST_MAX => Ok(list.clone()),
        _ => Err("no access list".to_owned()),
    };
    let entries = bounded(Some(value))?.into_iter().map(|entry| {
        let storage_keys = bounded(entry.get("storageKeys"))?.iter().map(hash).collect::<Result<_, _>>()?;
        let address = entry.get("address").map_or_else(|| Err("no address".to_owned()), address)?;
        Ok(AccessListItem { address, storage_keys })
    });
    Ok(AccessList(entries.collect::<Result<_, String>>()?))
}

/// The call with no more gas than a block has.
fn within(tx: TxEnv, gas_limit: u64) -> TxEnv {
    TxEnv { gas_limit: tx.gas_limit.min(gas_limit), ..tx }
}

/// A caller with enough ether for what its gas would cost: a price that is named must be paid.
fn affordable(state: &State, mut tx: TxEnv) -> Result<TxEnv, RpcError> {
    if tx.gas_price == 0 {
        return Ok(tx);
    }
    let balance = state.account(&tx.caller).balance;
    let Some(left) = balance.checked_sub(tx.value) else {
        return Err(refuse("insufficient funds for transfer"));
    };
    let most = u64::try_from(left / U256::from(tx.gas_price)).unwrap_or(u64::MAX);
    tx.gas_limit = tx.gas_limit.min(most);
    Ok(tx)
}

impl Asked<'_> {
    fn read_call(&self, params: &Params<'_>) -> Result<TxEnv, RpcError> {
        let fields = params.required(0)?.as_object().ok_or_else(|| invalid(0, "is no object"))?;
        if params.get(2).is_some_and(|overrides| overrides != &json!({})) {
            return Err(invalid(2, "state overrides are not supported"));
        }
        transaction(fields).map_err(|reason| invalid(0, reason))
    }

    pub(super) fn eth_call(&self, params: &Params<'_>) -> Answer {
        let tx = self.read_call(params)?;
        let (block, state) = self.named_state(params, 1)?;
        let env = self.chain.env_of(&block);
        let tx = affordable(&state, within(tx, env.gas_limit))?;
        let branch = self.branch;
        let hashes = |height: u64| self.chain.block_hash(branch, height);
        let ran = run(&state, &env, tx, Mode::Trial, &hashes).map_err(|error| invalid_transaction(&error))?;
        match outcome(ran.result).0 {
            Outcome::Returned(data) => Ok(json!(data)),
            failed => Err(failure(&failed)),
        }
    }

    pub(super) fn estimate_gas(&self, params: &Params<'_>) -> Answer {
        let tx = self.read_call(params)?;
        let (block, state) = self.named_state(params, 1)?;
        let env = self.chain.env_of(&block);
        let tx = affordable(&state, within(tx, env.gas_limit))?;
        let most = tx.gas_limit;
        let branch = self.branch;
        let hashes = |height: u64| self.chain.block_hash(branch, height);
        match estimate(&state, &env, &tx, &hashes) {
            Ok(gas) => Ok(json!(format!("{gas:#x}"))),
            Err(Ok(Outcome::Halted("out of gas"))) => Err(refuse(format!("gas required exceeds allowance ({most})"))),
            Err(Ok(failed)) => Err(failure(&failed)),
            Err(Err(InvalidTransaction::CallGasCostMoreThanGasLimit { .. })) => {
                Err(refuse(format!("gas required exceeds allowance ({most})")))
            }
            Err(Err(error)) => Err(invalid_transaction(&error)),
        }
    }
}
