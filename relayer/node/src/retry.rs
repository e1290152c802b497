//! A person lets parked packets go on: which ones, and what the journal keeps of it.

use std::collections::BTreeMap;

use catenary_core::fold::{HistoryEntry, PacketState};
use catenary_core::record::{Act, PacketStep};
use catenary_core::{PacketKey, Record, Stage, StoreError};
use serde::{Deserialize, Serialize};
use thiserror::Error as ThisError;

use crate::platform;
use crate::store::Ledger;

/// Most packets of one order: what one page of the store holds; the rest is for the next order.
pub const RETRY_MAX: usize = 1_000;

/// What a person asks for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RetryOrder {
    /// One packet, or all parked ones.
    pub key: Option<String>,
    /// Of all parked ones only those of this path.
    pub path: Option<String>,
    /// Who.
    pub actor: String,
    /// Why.
    pub reason: String,
}

/// Why nothing goes on.
#[derive(Debug, ThisError)]
#[non_exhaustive]
pub enum RetryError {
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The key is none.
    #[error("{got:?} is no packet key: {reason}; write chain/client/sequence")]
    Key {
        /// What was given.
        got: String,
        /// What is wrong.
        reason: String,
    },
    /// No packet has this key.
    #[error("no packet {key} is known here; `catenary packet list` shows those that are")]
    Unknown {
        /// Key.
        key: PacketKey,
    },
    /// The packet is under way or has ended.
    #[error("packet {key} is {stage}, not parked: there is nothing to retry")]
    NotParked {
        /// Key.
        key: PacketKey,
        /// Its stage.
        stage: &'static str,
    },
    /// A person's act lacks its reason.
    #[error("a reason is needed; it is journaled")]
    NoReason,
}

impl RetryError {
    /// The stable code.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Store(error) => error.code(),
            Self::Key { .. } => "API-003",
            Self::Unknown { .. } => "API-006",
            Self::NotParked { .. } => "API-007",
            Self::NoReason => "API-008",
        }
    }
}

/// The parked packets that an order names, at most [`RETRY_MAX`].
///
/// # Errors
/// See [`RetryError`].
pub fn parked(ledger: &Ledger, order: &RetryOrder) -> Result<Vec<(PacketKey, PacketState)>, RetryError> {
    if order.reason.trim().is_empty() {
        return Err(RetryError::NoReason);
    }
    if let Some(text) = &order.key {
        let key: PacketKey =
            text.parse().map_err(|error| RetryError::Key { got: text.clone(), reason: format!("{error}") })?;
        return match ledger.packet_state(&key)? {
            None => Err(RetryError::Unknown { key }),
            Some(state) if state.stage != Stage::Parked => {
                Err(RetryError::NotParked { key, stage: state.stage.name() })
            }
            Some(state) => Ok(vec![(key, state)]),
        };
    }
    let mut found = Vec::new();
    let mut after: Option<PacketKey> = None;
    loop {
        let page = ledger.packets_in(Stage::Parked, after.as_ref(), RETRY_MAX)?;
        let Some(last) = page.last() else { return Ok(found) };
        after = Some(last.clone());
        for key in page {
            let Some(state) = ledger.packet_state(&key)? else { continue };
            if order.path.as_ref().is_none_or(|path| *path == state.path) {
                found.push((key, state));
            }
            if found.len() == RETRY_MAX {
                return Ok(found);
            }
        }
    }
}

/// The order as the journal keeps it.
#[must_use]
pub fn act(order: &RetryOrder, packets: &[(PacketKey, PacketState)]) -> Record {
    let named = packets.iter().map(|(key, state)| (key.to_string(), state.reason.clone().unwrap_or_default()));
    Record::Act(Act {
        actor: order.actor.clone(),
        action: "packet retry".to_owned(),
        reason: order.reason.clone(),
        details: named.collect::<BTreeMap<_, _>>(),
        at_seconds: platform::now().seconds(),
    })
}

/// A parked packet back where what is known of it puts it, for a node that is not running.
///
/// # Errors
/// The store failed.
pub fn reopened(ledger: &Ledger, key: &PacketKey, state: &PacketState) -> Result<Record, StoreError> {
    let stage = if ledger.acknowledgement(key)?.is_some() { Stage::Received } else { Stage::Sent };
    let history = ledger.history(key)?;
    let entered = history.iter().rev().find_map(|entry| match entry {
        HistoryEntry::Step(step) if step.stage == stage => Some(step.height),
        _ => None,
    });
    Ok(Record::Packet(PacketStep {
        path: state.path.clone(),
        key: key.clone(),
        stage,
        packet: None,
        ack: None,
        height: entered.unwrap_or(state.height),
        reason: Some("released by a person".to_owned()),
        at_seconds: platform::now().seconds(),
    }))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]
    use super::*;

    fn step(sequence: u64, path: &str, stage: Stage) -> Record {
        Record::Packet(PacketStep {
            path: path.into(),
            key: format!("evm/client-0/{sequence}").parse().unwrap(),
            stage,
            packet: None,
            ack: None,
            height: 40 + sequence,
            reason: (stage == Stage::Parked).then(|| "NODE-TX-001: no".to_owned()),
            at_seconds: 1,
        })
    }

    fn order(key: Option<&str>, path: Option<&str>) -> RetryOrder {
        let text = |text: &str| text.to_owned();
        RetryOrder { key: key.map(text), path: path.map(text), actor: "ann".into(), reason: "fixed".into() }
    }

    #[test]
    fn an_order_names_parked_packets_only_and_is_kept() {
        let dir = tempfile::tempdir().unwrap();
        let ledger = Ledger::open_in_memory(&dir.path().join("data")).unwrap();
        let steps = [(1, "p", Stage::Sent), (1, "p", Stage::Parked), (2, "q", Stage::Parked), (3, "p", Stage::Sent)];
        ledger.record(steps.map(|(sequence, path, stage)| step(sequence, path, stage)).to_vec()).unwrap();
        let check = |order: &RetryOrder, expect: Result<&[&str], &str>| {
            let got = parked(&ledger, order).map_err(|error| error.code());
            let keys = got.map(|found| found.iter().map(|(key, _)| key.to_string()).collect::<Vec<_>>());
            assert_eq!(keys, expect.map(|keys| keys.iter().map(|key| (*key).to_owned()).collect()), "{order:?}");
        };
        check(&order(Some("evm/client-0/1"), None), Ok(&["evm/client-0/1"]));
        check(&order(None, None), Ok(&["evm/client-0/1", "evm/client-0/2"]));
        check(&order(None, Some("q")), Ok(&["evm/client-0/2"]));
        check(&order(Some("evm/client-0/3"), None), Err("API-007"));
        check(&order(Some("evm/client-0/9"), None), Err("API-006"));
        check(&order(Some("packet nine"), None), Err("API-003"));
        check(&RetryOrder { reason: " ".into(), ..order(None, None) }, Err("API-008"));

        let order = order(Some("evm/client-0/1"), None);
        let packets = parked(&ledger, &order).unwrap();
        let (key, state) = packets.first().unwrap();
        ledger.record(vec![act(&order, &packets), reopened(&ledger, key, state).unwrap()]).unwrap();
        let state = ledger.packet_state(key).unwrap().unwrap();
        assert_eq!((state.stage, state.height), (Stage::Sent, 41), "as if it had just been sent");
        let acts = ledger.acts(None, 9).unwrap();
        let [(_, Record::Act(kept))] = acts.as_slice() else { panic!("{acts:?}") };
        assert_eq!((kept.actor.as_str(), kept.reason.as_str()), ("ann", "fixed"));
        assert_eq!(kept.details.get("evm/client-0/1").map(String::as_str), Some("NODE-TX-001: no"));
    }
}
