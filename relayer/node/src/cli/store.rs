//! Commands about journal and store.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufReader, BufWriter};
use std::path::Path;
use std::time::Instant;

use catenary_core::{Record, StoreError, Tree};
use serde_json::{json, Value};

use super::args::StoreCommand;
use super::output::{Failure, Output};
use crate::config::Config;
use crate::journal::{JournalError, Reader, Tip};
use crate::platform;
use crate::store::{self, Difference, Drill, Ledger, Manifest, Rebuilt};

/// The standard streams' name as a file.
const STANDARD: &str = "-";

/// Runs a command.
pub(super) fn run(config: &Config, command: StoreCommand, output: Output) -> Result<(), Failure> {
    let data_dir = &config.data_dir;
    match command {
        StoreCommand::Check { full } => check(data_dir, full, output),
        StoreCommand::Rebuild { accept_loss } => rebuild(data_dir, accept_loss, output),
        StoreCommand::Export { file } => export(data_dir, &file, output),
        StoreCommand::Import { file } => import(data_dir, &file, output),
        StoreCommand::Stats => stats(data_dir, output),
        StoreCommand::Backup { dir } => backup(data_dir, &dir, output),
        StoreCommand::Restore { dir, verify } => restore(data_dir, &dir, verify, output),
    }
}

/// The ledger, or `None` while a node has it.
fn unless_running(data_dir: &Path) -> Result<Option<Ledger>, Failure> {
    match Ledger::open(data_dir) {
        Ok((ledger, _)) => Ok(Some(ledger)),
        Err(StoreError::Journal { code: "JRN-001", .. }) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

fn place(tip: &Tip) -> Value {
    json!({ "records": tip.records, "segment": tip.segment, "hash": tip.hash.to_string() })
}

fn check(data_dir: &Path, full: bool, output: Output) -> Result<(), Failure> {
    let reader = Reader::open(data_dir)?;
    if full {
        reader.check()?;
    }
    let tip = reader.tip();
    let ledger = unless_running(data_dir)?;
    let compared = match &ledger {
        None => "not looked at, a node is running",
        Some(ledger) if full => {
            same(&ledger.check()?)?;
            "is what the journal folds to"
        }
        Some(_) => "stands where the journal ends",
    };
    let (count, extent) = (reader.segments().len(), if full { "every byte" } else { "newest segment and seals" });
    let text = format!(
        "journal  {} records in {count} segments, chain hash {}; checked: {extent}\nstore    {compared}",
        tip.records, tip.hash
    );
    let value = json!({ "journal": place(&tip), "segments": count, "full": full, "store": compared });
    output.result(&value, &text);
    Ok(())
}

fn same(differences: &[Difference]) -> Result<(), StoreError> {
    let Some(Difference { tree, key, what }) = differences.first() else { return Ok(()) };
    Err(StoreError::Differs { count: differences.len(), first: format!("{tree:?} {key}, {what}") })
}

fn rebuild(data_dir: &Path, accept_loss: bool, output: Output) -> Result<(), Failure> {
    let Rebuilt { aside, folded_records: folded, lost } = store::rebuild(data_dir, accept_loss)?;
    let keys = lost.map(|lost| lost.keys).unwrap_or_default();
    let place = aside.as_ref().map(|path| path.display().to_string());
    let kept = place.as_ref().map_or_else(|| "there was none".to_owned(), |path| format!("the old one is in {path}"));
    let text = format!("store folded anew from {folded} records; {kept}{}", resets(&keys));
    output.result(&json!({ "folded_records": folded, "moved_to": place, "keys_to_reset": keys }), &text);
    Ok(())
}

fn io(action: &str, path: &Path) -> impl FnOnce(std::io::Error) -> Failure {
    let message = format!("cannot {action} {}", path.display());
    move |error| Failure::new("NODE-CLI-031", format!("{message}: {error}"))
}

fn export(data_dir: &Path, file: &Path, output: Output) -> Result<(), Failure> {
    let reader = Reader::open(data_dir)?;
    if file == Path::new(STANDARD) {
        store::export(&reader, &mut std::io::stdout().lock())?;
        return Ok(());
    }
    let mut out = BufWriter::new(File::create_new(file).map_err(io("write", file))?);
    let tip = store::export(&reader, &mut out)?;
    let out = out.into_inner().map_err(|error| io("write", file)(error.into_error()))?;
    out.sync_all().map_err(io("write", file))?;
    let text = format!("{} records written to {}, chain hash {}", tip.records, file.display(), tip.hash);
    output.result(&place(&tip), &text);
    Ok(())
}

fn import(data_dir: &Path, file: &Path, output: Output) -> Result<(), Failure> {
    let at_seconds = platform::now().seconds();
    let keys = if file == Path::new(STANDARD) {
        store::import_into(data_dir, &mut std::io::stdin().lock(), at_seconds)?
    } else {
        let mut input = BufReader::new(File::open(file).map_err(io("read", file))?);
        store::import_into(data_dir, &mut input, at_seconds)?
    };
    let text = format!("{} records read, chain hash {}{}", keys.records, keys.hash, resets(&keys.keys));
    let value = json!({ "records": keys.records, "hash": keys.hash.to_string(), "keys_to_reset": keys.keys });
    output.result(&value, &text);
    Ok(())
}

/// What a person must do about attestor keys.
fn resets(keys: &[String]) -> String {
    if keys.is_empty() {
        return String::new();
    }
    let keys = keys.join(", ");
    format!(
        "\nattestor keys that refuse until `catenary attestor reset KEY --reason …` says why they may sign again: {keys}"
    )
}

fn stats(data_dir: &Path, output: Output) -> Result<(), Failure> {
    let reader = Reader::open(data_dir)?;
    let mut records: BTreeMap<String, u64> = BTreeMap::new();
    reader.replay(&reader.start(), |_, replayed: Vec<Record>| -> Result<(), JournalError> {
        for record in replayed {
            let count = records.entry(record.type_name().to_owned()).or_default();
            *count = count.saturating_add(1);
        }
        Ok(())
    })?;
    let bytes: u64 = reader.segments().iter().map(|segment| segment.length_bytes).sum();
    let entries = match unless_running(data_dir)? {
        None => None,
        Some(ledger) => Some(ledger.entries()?),
    };
    let mut lines = vec![
        format!("journal  {bytes} bytes in {} segments, {} records", reader.segments().len(), reader.tip().records),
        format!("chain    {}", reader.tip().hash),
    ];
    lines.extend(records.iter().map(|(name, count)| format!("  {count:>12}  {name}")));
    match &entries {
        None => lines.push("store    not looked at, a node is running".to_owned()),
        Some(entries) => {
            lines.push("store    entries by tree".to_owned());
            lines.extend(entries.iter().map(|(tree, count)| format!("  {count:>12}  {}", name(*tree))));
        }
    }
    let trees: Option<BTreeMap<String, u64>> =
        entries.map(|entries| entries.into_iter().map(|(tree, count)| (name(tree), count)).collect());
    let value = json!({
        "journal": place(&reader.tip()),
        "segments": reader.segments().len(),
        "bytes": bytes,
        "records": records,
        "store": trees,
    });
    output.result(&value, &lines.join("\n"));
    Ok(())
}

fn name(tree: Tree) -> String {
    format!("{tree:?}").to_lowercase()
}

fn backup(data_dir: &Path, dir: &Path, output: Output) -> Result<(), Failure> {
    let began = platform::monotonic();
    let at_seconds = platform::now().seconds();
    let manifest = store::backup(data_dir, dir, at_seconds)?;
    noted("a backup", drill(at_seconds, began, &manifest).note_backup(data_dir));
    let text = format!(
        "{} records, {} bytes copied to {} and checked, chain hash {}; back up the keystore as well, and keep the hash \
         elsewhere",
        manifest.records,
        manifest.bytes,
        dir.display(),
        manifest.hash
    );
    output.result(&manifest, &text);
    Ok(())
}

/// What the node's metrics say of it.
fn drill(at_seconds: u64, began: Instant, manifest: &Manifest) -> Drill {
    let took = platform::monotonic().saturating_duration_since(began).as_millis();
    Drill { at_seconds, duration_ms: u64::try_from(took).unwrap_or(u64::MAX), bytes: manifest.bytes }
}

/// A command has done what it was asked for, whether or not its metrics can be noted.
fn noted(what: &str, done: std::io::Result<()>) {
    if let Err(error) = done {
        tracing::warn!(%error, "{what} was made, and cannot be noted for the metrics");
    }
}

fn restore(data_dir: &Path, dir: &Path, only_verify: bool, output: Output) -> Result<(), Failure> {
    if only_verify {
        let began = platform::monotonic();
        let at_seconds = platform::now().seconds();
        let (manifest, folded) = store::test_restore(dir)?;
        noted("a test of a backup", drill(at_seconds, began, &manifest).note_restore_test(data_dir));
        let text = format!(
            "the backup is whole: {} records up to chain hash {}, they fold to {folded} entries; nothing was changed",
            manifest.records, manifest.hash
        );
        output.result(&json!({ "backup": manifest, "entries": folded }), &text);
        return Ok(());
    }
    let (manifest, restored) = store::restore(dir, data_dir, platform::now().seconds())?;
    let text = format!("{} records put back, chain hash {}{}", manifest.records, manifest.hash, resets(&restored.keys));
    output.result(&json!({ "backup": manifest, "keys_to_reset": restored.keys }), &text);
    Ok(())
}

#[cfg(test)]
mod tests {
    //! Only what the commands say by themselves; `tests/store.rs` runs them.
    use super::*;

    #[test]
    fn keys_to_reset_are_named_with_what_to_do() {
        assert_eq!(resets(&[]), "");
        let text = resets(&["a".to_owned(), "b".to_owned()]);
        assert!(text.contains("attestor reset") && text.ends_with("a, b"), "{text}");
    }
}
