//! What the node tells of packets, transfers and light clients: the same views for the HTTP API and the command line.
//!
//! Everything here is read from the working state; a stage is one that a light client has proven, or is marked as
//! claimed. Payload bytes are not shown, only what a transfer says.

use catenary_core::encoding::parse_hash;
use catenary_core::fold::{HistoryEntry, TxSummary};
use catenary_core::record::OutcomeResult;
use catenary_core::{PacketKey, Stage, StoreError};
use catenary_light_clients::Status;
use catenary_protocol::ics20::Transfer;
use catenary_protocol::{Acknowledgement, Packet};
use serde::{Deserialize, Serialize};

use crate::store::Ledger;

/// Most packets of one list: a page for a person; larger exports go elsewhere.
pub const LIST_MAX: usize = 1_000;

/// The business part of a packet that moves value.
#[derive(Debug, Clone, Serialize, Deserialize, PartialEq, Eq)]
pub struct TransferView {
    /// Denomination with its trace.
    pub denom: String,
    /// Amount in base units.
    pub amount: String,
    /// Sender on the source.
    pub sender: String,
    /// Receiver on the destination.
    pub receiver: String,
    /// Memo.
    pub memo: String,
}

/// A packet and where it stands.
#[derive(Debug, Clone, Serialize, Deserialize, PartialEq, Eq)]
pub struct PacketView {
    /// `chain/client/sequence`.
    pub key: String,
    /// Path.
    pub path: String,
    /// Stage.
    pub stage: String,
    /// Why it is parked, or ended as it did.
    pub reason: Option<String>,
    /// Height at which the stage was entered, on the chain where it happened.
    pub height: u64,
    /// When that was seen, in Unix seconds.
    pub at_seconds: u64,
    /// Destination client.
    pub destination_client: Option<String>,
    /// Timeout, in Unix seconds.
    pub timeout_timestamp_seconds: Option<u64>,
    /// How it was acknowledged: `success`, `error` or nothing yet.
    pub acknowledgement: Option<String>,
    /// What a transfer says.
    pub transfer: Option<TransferView>,
    /// Steps and transactions, oldest first; in lists empty.
    pub history: Vec<HistoryEntry>,
    /// What became of those transactions, and what they cost; in lists empty.
    #[serde(default)]
    pub transactions: Vec<TxView>,
}

/// A transaction of this node that carried a message of a packet.
#[derive(Debug, Clone, Serialize, Deserialize, PartialEq, Eq)]
pub struct TxView {
    /// Chain.
    pub chain: String,
    /// Hash.
    pub tx: String,
    /// Key that paid.
    pub key: String,
    /// Packets that share it.
    pub packets: usize,
    /// `included`, `reverted`, `dropped` or `refused`; nothing while it is not known.
    pub outcome: Option<String>,
    /// Height of its block.
    pub height: Option<u64>,
    /// Fee paid for all of its packets together, in base units of the chain's fee token, decimal.
    pub fee: Option<String>,
}

impl TxView {
    fn new(ledger: &Ledger, summary: &TxSummary) -> Result<Self, StoreError> {
        let TxSummary { chain, key, tx_hash, packets, .. } = summary.clone();
        let outcome = match parse_hash(&tx_hash) {
            Some(hash) => ledger.outcome(&chain, &hash)?,
            None => None,
        };
        let (outcome, height, fee) = match outcome.map(|outcome| outcome.result) {
            None => (None, None, None),
            Some(OutcomeResult::Dropped) => (Some("dropped"), None, None),
            Some(OutcomeResult::Refused { .. }) => (Some("refused"), None, None),
            Some(OutcomeResult::Included { height, success, fee, .. }) => {
                (Some(if success { "included" } else { "reverted" }), Some(height), Some(fee))
            }
        };
        Ok(Self { chain, tx: tx_hash, key, packets, outcome: outcome.map(str::to_owned), height, fee })
    }

    /// For people: the outcome, and what it cost.
    #[must_use]
    pub fn describe(&self) -> String {
        let outcome = self.outcome.as_deref().unwrap_or("no outcome yet");
        let height = self.height.map(|height| format!(" at height {height}")).unwrap_or_default();
        let shared = if self.packets > 1 { format!(" for {} packets", self.packets) } else { String::new() };
        let fee = self.fee.as_ref().map(|fee| format!(", fee {fee}{shared}, paid by {}", self.key)).unwrap_or_default();
        format!("{outcome}{height}{fee}")
    }
}

/// Where a light client stands.
#[derive(Debug, Clone, Serialize, Deserialize, PartialEq, Eq)]
pub struct ClientView {
    /// Chain's name in the config.
    pub chain: String,
    /// Family.
    pub family: String,
    /// Chain id.
    pub chain_id: String,
    /// Instance: family, chain, anchor and place of the commitments, as a digest.
    pub instance: String,
    /// Newest verified height.
    pub trusted_height: u64,
    /// Its hash.
    pub trusted_hash: String,
    /// Its time, in Unix seconds.
    pub trusted_timestamp_seconds: u64,
    /// Highest height that can be proven.
    pub provable_height: u64,
    /// When trust ends, in Unix seconds.
    pub expires_at_seconds: u64,
    /// Validators of the newest set.
    pub validators: usize,
    /// Frozen by a conflict.
    pub frozen: bool,
    /// Why nothing is proven from it, if so.
    pub stopped: Option<String>,
}

impl ClientView {
    /// The view of a status.
    #[must_use]
    pub fn new(chain: &str, status: &Status, stopped: Option<String>) -> Self {
        Self {
            chain: chain.to_owned(),
            family: status.family.name().to_owned(),
            chain_id: status.chain_id.clone(),
            instance: status.instance.to_string(),
            trusted_height: status.trusted_height,
            trusted_hash: status.trusted_hash.to_string(),
            trusted_timestamp_seconds: status.trusted_timestamp.seconds(),
            provable_height: status.provable_height,
            expires_at_seconds: status.expires_at.seconds(),
            validators: status.validators,
            frozen: status.frozen,
            stopped,
        }
    }
}

/// What a list is narrowed to.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Filter {
    /// Only this path.
    pub path: Option<String>,
    /// Only this stage.
    pub stage: Option<String>,
    /// Most packets.
    pub limit: Option<usize>,
}

/// One packet with its history.
///
/// # Errors
/// The store failed.
pub fn packet(ledger: &Ledger, key: &PacketKey) -> Result<Option<PacketView>, StoreError> {
    let Some(mut view) = brief(ledger, key)? else { return Ok(None) };
    view.history = ledger.history(key)?;
    for entry in &view.history {
        if let HistoryEntry::Tx(summary) = entry {
            view.transactions.push(TxView::new(ledger, summary)?);
        }
    }
    Ok(Some(view))
}

/// Packets by key, or by payment reference.
///
/// # Errors
/// The store failed.
pub fn find(ledger: &Ledger, text: &str) -> Result<Vec<PacketView>, StoreError> {
    let keys = match text.parse::<PacketKey>() {
        Ok(key) => vec![key],
        Err(_) => ledger.packets_of(text)?,
    };
    let views = keys.iter().map(|key| packet(ledger, key));
    Ok(views.collect::<Result<Vec<_>, _>>()?.into_iter().flatten().collect())
}

/// Packets that a filter lets through, by stage and key.
///
/// # Errors
/// The store failed.
pub fn list(ledger: &Ledger, filter: &Filter) -> Result<Vec<PacketView>, StoreError> {
    let limit = filter.limit.unwrap_or(LIST_MAX).min(LIST_MAX);
    let stages = Stage::ALL.into_iter().filter(|stage| filter.stage.as_deref().is_none_or(|name| name == stage.name()));
    let mut views = Vec::new();
    for stage in stages {
        let mut after: Option<PacketKey> = None;
        while views.len() < limit {
            let page = ledger.packets_in(stage, after.as_ref(), LIST_MAX)?;
            let Some(last) = page.last() else { break };
            after = Some(last.clone());
            for key in &page {
                let view = brief(ledger, key)?;
                views.extend(view.filter(|view| filter.path.as_deref().is_none_or(|path| path == view.path)));
                if views.len() >= limit {
                    break;
                }
            }
        }
    }
    Ok(views)
}

fn brief(ledger: &Ledger, key: &PacketKey) -> Result<Option<PacketView>, StoreError> {
    let Some(state) = ledger.packet_state(key)? else { return Ok(None) };
    let packet = ledger.packet(key)?;
    let acknowledgement = ledger.acknowledgement(key)?;
    Ok(Some(PacketView {
        key: key.to_string(),
        path: state.path,
        stage: state.stage.name().to_owned(),
        reason: state.reason,
        height: state.height,
        at_seconds: state.at_seconds,
        destination_client: packet.as_ref().map(|packet| packet.destination_client.clone()),
        timeout_timestamp_seconds: packet.as_ref().map(|packet| packet.timeout_timestamp_seconds),
        acknowledgement: acknowledgement.as_ref().map(verdict),
        transfer: packet.as_ref().and_then(transfer),
        history: Vec::new(),
        transactions: Vec::new(),
    }))
}

fn verdict(acknowledgement: &Acknowledgement) -> String {
    if acknowledgement.is_universal_error() { "error" } else { "success" }.to_owned()
}

fn transfer(packet: &Packet) -> Option<TransferView> {
    let Transfer { denom, amount, sender, receiver, memo } = Transfer::from_payload(packet.payload().ok()?).ok()?;
    Some(TransferView { denom, amount, sender, receiver, memo })
}
