//! Commands about keys, anchors and the attestor's memory.

use std::path::Path;

use catenary_core::record::{AnchorSet, Record};
use catenary_light_clients::{Anchor, Hash32};

use super::args::KeyArgs;
use super::output::{object, table, Failure, Output};
use super::{chain_config, no_router, open_ledger};
use crate::config::Config;
use crate::keystore::{Authority, Binding, Keystore};
use crate::platform;

fn binding(config: &Config, key: &KeyArgs) -> Result<Binding, Failure> {
    let chain = chain_config(config, &key.chain)?;
    if key.purpose == "transactions" {
        return Ok(Binding::Transactions { chain: key.chain.clone() });
    }
    // An attestor key is bound to the router too.
    let instance = chain.instance().ok_or_else(|| no_router(&key.chain))?;
    Ok(Binding::attestor(&key.chain, instance))
}

/// Makes or imports a key.
pub(super) fn create(config: &Config, key: &KeyArgs, file: Option<&Path>, output: Output) -> Result<(), Failure> {
    let binding = binding(config, key)?;
    let passphrase = config.keystore.passphrase.read()?;
    let keystore = Keystore::new(&config.keystore.dir);
    let entry = match file {
        None => keystore.create(&key.id, binding, &passphrase)?,
        Some(path) => {
            let file = std::fs::File::open(path)
                .map_err(|error| Failure::new("NODE-CLI-005", format!("cannot read {}: {error}", path.display())))?;
            keystore.import(&key.id, binding, file, &passphrase)?
        }
    };
    let text = format!("key {} with address {} may sign {}", entry.id, entry.address, entry.binding);
    output.result(&serde_json::json!({ "id": entry.id, "address": entry.address }), &text);
    Ok(())
}

/// Lists keys.
pub(super) fn list(config: &Config, output: Output) -> Result<(), Failure> {
    let entries = Keystore::new(&config.keystore.dir).list()?;
    let rows: Vec<Vec<String>> =
        entries.iter().map(|entry| vec![entry.id.clone(), entry.address.clone(), entry.binding.to_string()]).collect();
    let values: Vec<_> = rows
        .iter()
        .map(|row| {
            let cell = |index: usize| row.get(index).map(String::as_str).unwrap_or_default();
            object(&[("id", cell(0)), ("address", cell(1)), ("binding", cell(2))])
        })
        .collect();
    output.result(&values, &table(&["KEY", "ADDRESS", "MAY SIGN"], &rows));
    Ok(())
}

/// Lets a key attest again.
pub(super) fn reset_attestor(
    config: &Config,
    key: &str,
    (actor, reason): (String, String),
    output: Output,
) -> Result<(), Failure> {
    let ledger = open_ledger(config)?;
    Keystore::new(&config.keystore.dir).reset_attestor(key, &Authority { actor, reason }, &ledger)?;
    output.result(&object(&[("reset", key)]), &format!("key {key} may attest again; the reset is in the journal"));
    Ok(())
}

/// An anchor to set.
pub(super) struct NewAnchor {
    pub(super) chain: String,
    pub(super) height: u64,
    pub(super) hash: String,
}

/// Sets the anchor of a chain and binds its attestor key to the new light-client instance.
pub(super) fn set_anchor(
    config: &Config,
    anchor: &NewAnchor,
    (actor, reason): (String, String),
    output: Output,
) -> Result<(), Failure> {
    let NewAnchor { chain, height, hash } = anchor;
    let configured = chain_config(config, chain)?;
    let digits = hash.strip_prefix("0x").unwrap_or(hash);
    let parsed = hex::decode(digits)
        .ok()
        .and_then(|bytes| Hash32::from_slice(&bytes))
        .ok_or_else(|| Failure::new("NODE-CLI-006", format!("{hash:?} is not a hash; write 0x and 64 hex digits")))?;
    if reason.trim().is_empty() {
        return Err(Failure::new("NODE-CLI-007", "--reason is empty; say why the anchor is set"));
    }
    let ledger = open_ledger(config)?;
    let mut moved = configured.clone();
    moved.anchor = Anchor { height: *height, hash: parsed };
    ledger.record(vec![Record::AnchorSet(AnchorSet {
        chain: chain.clone(),
        height: *height,
        hash: parsed,
        actor: actor.clone(),
        reason: reason.clone(),
        at_seconds: platform::now().seconds(),
    })])?;
    if let (Some(service), Some(instance)) = (&configured.attestor, moved.instance()) {
        let authority = Authority { actor, reason };
        Keystore::new(&config.keystore.dir).rebind(&service.key, instance, &authority, &ledger)?;
    }
    let text = format!("chain {chain} starts from height {height} {parsed}; tell the other members");
    output.result(&serde_json::json!({ "chain": chain, "height": height, "hash": parsed.to_string() }), &text);
    Ok(())
}
