//! Calls that a person asks for: creating a client, registering its counterparty, sending a transfer or money.

use catenary_api::Call;
use catenary_protocol::attestation::Address;
use catenary_protocol::limits::{ATTESTORS_MAX, MEMO_BYTES_MAX, RECEIVER_BYTES_MAX};
use catenary_protocol::packet::check_client_id;
use catenary_protocol::proto::{
    Any, AttestationClientState, AttestationConsensusState, Coin, MsgCreateClient, MsgRegisterCounterparty,
    MsgTransfer, ATTESTATION_CLIENT_STATE, ATTESTATION_CONSENSUS_STATE,
};
use catenary_protocol::{ics20, StateAttestation};
use cosmos_sdk_proto::cosmos::bank::v1beta1::MsgSend;
use prost::Message;

use crate::address;
use crate::error::{Error, Result};

/// Nanoseconds of a second: the on-chain client keeps time in them, the attestation in seconds.
const NANOS: u64 = 1_000_000_000;

fn wrong<T>(field: &'static str, got: impl ToString, reason: impl ToString) -> Result<T> {
    Err(Error::Argument { field, got: crate::error::shorten(&got.to_string()), reason: reason.to_string() })
}

pub(crate) fn check_client(field: &'static str, id: &str) -> Result<()> {
    check_client_id(field, id).or_else(|error| wrong(field, id, error))
}

pub(crate) fn call(type_url: &str, message: &impl Message, summary: String) -> Call {
    Call { to: None, type_url: type_url.to_owned(), data: message.encode_to_vec(), summary }
}

/// Creates an attestation client whose first state is `state`: the same statement about a verified header that
/// later updates are made of, for a second time for one height would freeze the client for ever.
///
/// # Errors
/// [`Error::Argument`]: no attestor, one named twice, too many, a threshold of 0 or above their number, height or
/// time 0.
pub fn create_client(
    signer: &str,
    attestors: &[Address],
    min_required_sigs: u32,
    state: StateAttestation,
) -> Result<Call> {
    let mut distinct = attestors.to_vec();
    distinct.sort_unstable();
    distinct.dedup();
    if attestors.is_empty() || distinct.len() != attestors.len() || attestors.len() > ATTESTORS_MAX {
        let reason = format!("{} of them distinct, 1 to {ATTESTORS_MAX} distinct ones are needed", distinct.len());
        return wrong("attestors", attestors.len(), reason);
    }
    if min_required_sigs == 0 || min_required_sigs as usize > attestors.len() {
        return wrong("min_required_sigs", min_required_sigs, format!("1 to {} are possible", attestors.len()));
    }
    if state.height == 0 {
        return wrong("height", 0, "the first attested height is 1");
    }
    let Some(timestamp) = state.timestamp_seconds.checked_mul(NANOS).filter(|nanos| *nanos > 0) else {
        return wrong("timestamp_seconds", state.timestamp_seconds, "not between 1970 and 2554");
    };
    let client_state = AttestationClientState {
        attestor_addresses: attestors.iter().map(|address| format!("0x{}", hex::encode(address))).collect(),
        min_required_sigs,
        latest_height: state.height,
        is_frozen: false,
    };
    let consensus_state = AttestationConsensusState { timestamp };
    let message = MsgCreateClient {
        client_state: Some(Any { type_url: ATTESTATION_CLIENT_STATE.to_owned(), value: client_state.encode_to_vec() }),
        consensus_state: Some(Any {
            type_url: ATTESTATION_CONSENSUS_STATE.to_owned(),
            value: consensus_state.encode_to_vec(),
        }),
        signer: signer.to_owned(),
    };
    let summary =
        format!("create an attestation client, {min_required_sigs} of {}, at height {}", attestors.len(), state.height);
    Ok(call("/ibc.core.client.v1.MsgCreateClient", &message, summary))
}

/// Tells a client who its counterparty is. Only the client's creator may, once. The prefix is one empty element:
/// attested paths are the bare path bytes.
///
/// # Errors
/// [`Error::Argument`] when an id is none.
pub fn register_counterparty(signer: &str, client_id: &str, counterparty_client_id: &str) -> Result<Call> {
    check_client("client_id", client_id)?;
    check_client("counterparty_client_id", counterparty_client_id)?;
    let message = MsgRegisterCounterparty {
        client_id: client_id.to_owned(),
        counterparty_merkle_prefix: vec![Vec::new()],
        counterparty_client_id: counterparty_client_id.to_owned(),
        signer: signer.to_owned(),
    };
    let summary = format!("register {counterparty_client_id} as the counterparty of {client_id}");
    Ok(call("/ibc.core.client.v2.MsgRegisterCounterparty", &message, summary))
}

/// What to transfer to an EVM chain.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Transfer {
    /// Client that judges the destination.
    pub client_id: String,
    /// Denomination as the bank knows it: native, or `ibc/…`.
    pub denom: String,
    /// Amount in base units, decimal.
    pub amount: String,
    /// Receiver on the destination.
    pub receiver: String,
    /// When the packet can no longer be received, in Unix seconds.
    pub timeout_seconds: u64,
    /// Free text, or JSON with a payment reference.
    pub memo: String,
}

/// Sends a transfer in the Solidity ABI encoding.
///
/// # Errors
/// [`Error::Argument`] with the field that cannot work.
pub fn transfer(sender: &str, transfer: &Transfer) -> Result<Call> {
    check_client("client_id", &transfer.client_id)?;
    check_coin(&transfer.denom, &transfer.amount)?;
    if transfer.receiver.is_empty() || transfer.receiver.len() > RECEIVER_BYTES_MAX {
        return wrong("receiver", &transfer.receiver, format!("1 to {RECEIVER_BYTES_MAX} bytes are possible"));
    }
    if transfer.memo.len() > MEMO_BYTES_MAX {
        return wrong("memo", format!("of {} bytes", transfer.memo.len()), format!("at most {MEMO_BYTES_MAX} bytes"));
    }
    if transfer.timeout_seconds == 0 {
        return wrong("timeout_seconds", 0, "a packet must time out");
    }
    let message = MsgTransfer {
        source_port: ics20::PORT.to_owned(),
        source_channel: transfer.client_id.clone(),
        token: Some(Coin { denom: transfer.denom.clone(), amount: transfer.amount.clone() }),
        sender: sender.to_owned(),
        receiver: transfer.receiver.clone(),
        timeout_height: Some(catenary_protocol::proto::Height::default()),
        timeout_timestamp: transfer.timeout_seconds,
        memo: transfer.memo.clone(),
        encoding: ics20::ENCODING_ABI.to_owned(),
    };
    let summary = format!("transfer {} {} through {}", transfer.amount, transfer.denom, transfer.client_id);
    Ok(call("/ibc.applications.transfer.v1.MsgTransfer", &message, summary))
}

/// Sends money to an account of the same chain.
///
/// # Errors
/// [`Error::Argument`] with the field that cannot work.
pub fn bank_send(prefix: &str, sender: &str, receiver: &str, denom: &str, amount: &str) -> Result<Call> {
    address::check("receiver", prefix, receiver)?;
    check_coin(denom, amount)?;
    let coin = cosmos_sdk_proto::cosmos::base::v1beta1::Coin { denom: denom.to_owned(), amount: amount.to_owned() };
    let (from_address, to_address) = (sender.to_owned(), receiver.to_owned());
    let message = MsgSend { from_address, to_address, amount: vec![coin] };
    Ok(call("/cosmos.bank.v1beta1.MsgSend", &message, format!("send {amount} {denom} to {receiver}")))
}

fn check_coin(denom: &str, amount: &str) -> Result<()> {
    // cosmos-sdk `types/coin.go`: a letter, then 2 to 127 of this set.
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"/:._-".contains(&byte);
    let starts = denom.bytes().next().is_some_and(|byte| byte.is_ascii_alphabetic());
    if !starts || !(3..=128).contains(&denom.len()) || !denom.bytes().all(allowed) {
        return wrong("denom", denom, "no denomination of the cosmos-sdk");
    }
    let digits = !amount.is_empty() && amount.len() <= 78 && amount.bytes().all(|byte| byte.is_ascii_digit());
    if !digits || amount.starts_with('0') {
        return wrong("amount", amount, "no whole number above zero");
    }
    Ok(())
}

#[cfg(test)]
mod tests;
