//! What a sink says and is told.

use catenary_api::{Account, Broadcast, Call, SignedTx, TxHash, TxReceipt, UnsignedTx};
use catenary_light_clients::Hash32;

use super::{error_from, error_to, exact, exact_or_empty, some_text, text, there, Read, Said};
use crate::error::shorten;
use crate::limits::REASON_CHARS_MAX;
use crate::proto;

pub(crate) fn account_from(account: proto::Account) -> Read<Account> {
    let balance = text("balance", account.balance)?;
    if balance.is_empty() || !balance.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err("the balance is no decimal number".to_owned());
    }
    let address = text("address", account.address)?;
    Ok(Account { address, number: account.number, nonce: account.nonce, balance })
}

pub(crate) fn account_to(account: &Account) -> proto::Account {
    proto::Account {
        address: account.address.clone(),
        number: account.number,
        nonce: account.nonce,
        balance: account.balance.clone(),
    }
}

pub(crate) fn call_from(call: proto::Call) -> Read<Call> {
    let to = exact_or_empty("to", &call.to)?;
    Ok(Call { to, type_url: call.type_url, data: call.data, summary: call.summary })
}

pub(crate) fn call_to(call: &Call) -> proto::Call {
    proto::Call {
        to: call.to.map(|address| address.to_vec()).unwrap_or_default(),
        type_url: call.type_url.clone(),
        data: call.data.clone(),
        summary: call.summary.clone(),
    }
}

pub(crate) fn unsigned_from(tx: proto::UnsignedTx) -> Read<UnsignedTx> {
    let size_bytes = usize::try_from(tx.size_bytes).map_err(|_| format!("size_bytes is {}", tx.size_bytes))?;
    Ok(UnsignedTx {
        digest: Hash32(exact("digest", &tx.digest)?),
        payload: tx.payload,
        nonce: tx.nonce,
        gas_limit: tx.gas_limit,
        size_bytes,
    })
}

pub(crate) fn unsigned_to(tx: &UnsignedTx) -> proto::UnsignedTx {
    proto::UnsignedTx {
        digest: tx.digest.0.to_vec(),
        payload: tx.payload.clone(),
        nonce: tx.nonce,
        gas_limit: tx.gas_limit,
        size_bytes: tx.size_bytes as u64,
    }
}

pub(crate) fn signed_from(tx: proto::SignedTx) -> Read<SignedTx> {
    Ok(SignedTx { hash: TxHash(Hash32(exact("hash", &tx.hash)?)), bytes: tx.bytes })
}

pub(crate) fn signed_to(tx: &SignedTx) -> proto::SignedTx {
    proto::SignedTx { bytes: tx.bytes.clone(), hash: tx.hash.0 .0.to_vec() }
}

/// What a broadcast led to; `say` makes the host's error of the adapter's.
pub(crate) fn broadcast_from(
    answer: proto::BroadcastResponse,
    say: impl FnOnce(Said) -> catenary_api::Error,
) -> Read<Broadcast> {
    let outcome = answer.outcome();
    let said = answer.error.map(error_from).transpose()?.map(say);
    match (outcome, said) {
        (proto::Outcome::Accepted, None) => Ok(Broadcast::Accepted),
        (proto::Outcome::Redundant, None) => Ok(Broadcast::Redundant),
        (proto::Outcome::Refused, Some(error)) => Ok(Broadcast::Refused(error)),
        (proto::Outcome::NonceMismatch, Some(error)) => Ok(Broadcast::NonceMismatch(error)),
        (proto::Outcome::Unknown, Some(error)) => Ok(Broadcast::Unknown(error)),
        (outcome, said) => {
            let error = if said.is_some() { "with" } else { "without" };
            Err(format!("{} {error} an error", outcome.as_str_name()))
        }
    }
}

pub(crate) fn broadcast_to(broadcast: &Broadcast) -> proto::BroadcastResponse {
    let (outcome, error) = match broadcast {
        Broadcast::Accepted => (proto::Outcome::Accepted, None),
        Broadcast::Redundant => (proto::Outcome::Redundant, None),
        Broadcast::Refused(error) => (proto::Outcome::Refused, Some(error)),
        Broadcast::NonceMismatch(error) => (proto::Outcome::NonceMismatch, Some(error)),
        Broadcast::Unknown(error) => (proto::Outcome::Unknown, Some(error)),
    };
    proto::BroadcastResponse { outcome: outcome.into(), error: error.map(error_to) }
}

pub(crate) fn receipt_from(receipt: proto::Receipt) -> Read<TxReceipt> {
    let failure = shorten(&receipt.error, REASON_CHARS_MAX);
    if receipt.success && !failure.is_empty() {
        return Err(format!("a success with the error {failure:?}"));
    }
    Ok(TxReceipt {
        height: receipt.height,
        success: receipt.success,
        gas_used: receipt.gas_used,
        fee: there("fee", some_text("fee", receipt.fee)?)?,
        error: Some(failure).filter(|failure| !failure.is_empty()),
        created: exact_or_empty("created", &receipt.created)?,
        output: some_text("output", receipt.output)?,
    })
}

pub(crate) fn receipt_to(receipt: &TxReceipt) -> proto::Receipt {
    proto::Receipt {
        height: receipt.height,
        success: receipt.success,
        gas_used: receipt.gas_used,
        fee: receipt.fee.clone(),
        error: receipt.error.clone().unwrap_or_default(),
        created: receipt.created.map(|address| address.to_vec()).unwrap_or_default(),
        output: receipt.output.clone().unwrap_or_default(),
    }
}
