//! Sending a transfer by hand, from either family.

use catenary_adapter_cosmos::setup as cosmos;
use catenary_adapter_evm::parse_address;
use catenary_adapter_evm::setup as evm;
use catenary_api::TxBody;
use catenary_core::record::IntentKind;
use catenary_protocol::attestation::Address;

use super::path::SetupError;
use crate::failpoint::failpoint;
use crate::relay::{Note, Sender, Sent};

/// What to send.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TransferOrder {
    /// Path's name, for the journal.
    pub path: String,
    /// Client to send over.
    pub source_client: String,
    /// Token: an ERC-20 address on EVM, a denomination on Cosmos.
    pub asset: String,
    /// Base units, decimal.
    pub amount: String,
    /// Receiver on the other chain.
    pub receiver: String,
    /// Unix seconds after which it is refunded.
    pub timeout_timestamp_seconds: u64,
    /// Memo.
    pub memo: String,
}

/// A transfer on its way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SentTransfer {
    /// Sequence of its packet.
    pub sequence: u64,
    /// Transaction.
    pub tx: String,
    /// Height of its block.
    pub height: u64,
    /// Gas used.
    pub gas_used: u64,
}

/// Sends a transfer; on EVM (`app` given) the allowance is set first.
///
/// # Errors
/// See [`SetupError`].
pub async fn send_transfer(
    sender: &Sender,
    app: Option<&Address>,
    order: &TransferOrder,
) -> Result<SentTransfer, SetupError> {
    let call = match app {
        Some(app) => {
            let token = parse_address(&order.asset)?;
            // A voucher is burnt by the application itself and an ERC-20 is pulled; the allowance serves both.
            send(sender, evm::approve(&token, app, &order.amount)?, order).await?;
            failpoint("transfer.allowed");
            let arguments = evm::TransferArguments {
                token,
                amount: order.amount.clone(),
                receiver: order.receiver.clone(),
                source_client: order.source_client.clone(),
                timeout_timestamp_seconds: order.timeout_timestamp_seconds,
                memo: order.memo.clone(),
            };
            evm::send_transfer(app, &arguments)?
        }
        None => {
            let transfer = cosmos::Transfer {
                client_id: order.source_client.clone(),
                denom: order.asset.clone(),
                amount: order.amount.clone(),
                receiver: order.receiver.clone(),
                timeout_seconds: order.timeout_timestamp_seconds,
                memo: order.memo.clone(),
            };
            cosmos::transfer(&sender.address()?, &transfer)?
        }
    };
    let what = call.summary.clone();
    let (tx, receipt) = send(sender, call, order).await?;
    failpoint("transfer.sent");
    let sequence = receipt.output.as_deref().and_then(|text| text.parse().ok());
    let sequence =
        sequence.ok_or_else(|| SetupError::Receipt { what, missing: "the packet's sequence", tx: tx.clone() })?;
    Ok(SentTransfer { sequence, tx, height: receipt.height, gas_used: receipt.gas_used })
}

async fn send(
    sender: &Sender,
    call: catenary_api::Call,
    order: &TransferOrder,
) -> Result<(String, catenary_api::TxReceipt), SetupError> {
    let note = Note { id: call.summary.clone(), path: order.path.clone(), kind: IntentKind::Call, packets: Vec::new() };
    match sender.send(&TxBody::Call(vec![call]), &note).await? {
        Sent::Included { tx, receipt } => Ok((tx.to_string(), receipt)),
        Sent::Redundant => {
            let reason = "the chain calls the transfer redundant".to_owned();
            Err(SetupError::Path { path: order.path.clone(), reason })
        }
    }
}
