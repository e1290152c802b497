//! A journal that is new although keys have signed: it was lost, and with it what people decided.

use std::collections::BTreeMap;

use catenary_core::record::{Act, Record};
use catenary_light_clients::Timestamp;

use super::WiringError;
use crate::config::Config;
use crate::keystore::{KeyEntry, Keystore};
use crate::store::Ledger;

/// Says what is gone, in the log and in the journal, when the journal has no record and a key has signed before. What the
/// chains hold is found again from each chain's anchor on.
///
/// # Errors
/// The keystore cannot be read, or the journal failed.
pub(super) fn tell(config: &Config, ledger: &Ledger, now: Timestamp) -> Result<(), WiringError> {
    if ledger.tip().records > 0 {
        return Ok(());
    }
    let anchors = config.chains.iter().map(|chain| (chain.name.clone(), chain.anchor.height));
    let Some(act) = act(&Keystore::new(&config.keystore.dir).list()?, anchors, now) else { return Ok(()) };
    tracing::error!(
        keys = act.details.get("keys"),
        "the journal is new although keys have signed: it was lost. Gone are {}. Packets are found again from each \
         chain's anchor on; attestor keys refuse until `catenary attestor reset` says why they may sign",
        act.details.get("gone").map_or("", String::as_str)
    );
    Ok(ledger.record(vec![Record::Act(act)])?)
}

/// The act that says so; `None` when no key has signed before.
fn act(keys: &[KeyEntry], anchors: impl Iterator<Item = (String, u64)>, now: Timestamp) -> Option<Act> {
    let signed: Vec<&str> = keys.iter().filter(|key| key.first_signed).map(|key| key.id.as_str()).collect();
    if signed.is_empty() {
        return None;
    }
    let mut details = BTreeMap::from([
        ("keys".to_owned(), signed.join(", ")),
        (
            "gone".to_owned(),
            "anchors that were set, releases of parked packets, resets of keys, what was signed, and why".to_owned(),
        ),
    ]);
    details.extend(anchors.map(|(chain, height)| (format!("{chain} read from"), height.to_string())));
    Some(Act {
        actor: "node".to_owned(),
        action: "journal_lost".to_owned(),
        reason: "the journal has no record, but keys in the keystore have signed".to_owned(),
        details,
        at_seconds: now.seconds(),
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failing unwrap is a failing test")]
    use super::*;
    use crate::keystore::Binding;

    fn key(id: &str, first_signed: bool) -> KeyEntry {
        let binding = Binding::Transactions { chain: "quorum".to_owned() };
        let (address, public_key) = ("0x0".to_owned(), "02".to_owned());
        KeyEntry { id: id.to_owned(), address, public_key, binding, first_signed }
    }

    #[test]
    fn a_lost_journal_is_told_when_a_key_has_signed() {
        let check = |keys: &[KeyEntry], expect: Option<&str>| {
            let act = act(keys, [("quorum".to_owned(), 7)].into_iter(), Timestamp::from_seconds(9));
            assert_eq!(act.as_ref().and_then(|act| act.details.get("keys")).map(String::as_str), expect);
            if let Some(act) = act {
                assert_eq!((act.details["quorum read from"].as_str(), act.at_seconds), ("7", 9));
                Record::Act(act).encode().unwrap();
            }
        };
        check(&[], None);
        check(&[key("new", false)], None);
        check(&[key("new", false), key("old", true), key("older", true)], Some("old, older"));
    }
}
