//! `catenary check`: everything that can be wrong, before money moves.

use super::online;
use super::open_ledger;
use super::output::{Failure, Output};
use crate::config::Config;
use crate::wiring;

/// Checks the configuration and the keys; with `online` also the chains.
pub(super) async fn check(config: &Config, with_chains: bool, output: Output) -> Result<(), Failure> {
    let processes = config.chains.iter().filter_map(|chain| wiring::check_process(chain).transpose());
    let processes = processes.collect::<Result<Vec<_>, _>>()?;
    // A running node holds the journal; then the anchors of the file are those that are checked.
    let with_anchors = match open_ledger(config) {
        Ok(ledger) => Some(wiring::with_anchors(config.clone(), &ledger)?),
        Err(_) => None,
    };
    let config = with_anchors.as_ref().unwrap_or(config);
    config.check_keys()?;
    let created = config.require_paths();
    let mut lines = vec![format!(
        "configuration: {} chains, {} operators, {} paths, digest {}",
        config.chains.len(),
        config.operators.len(),
        config.paths.len(),
        config.digest()
    )];
    lines.push("keys: every key is there and bound to its chain and role".to_owned());
    lines.extend(processes);
    if with_chains {
        created?;
        lines.extend(online::check(config).await?);
    } else if let Err(problems) = created {
        lines.push(format!("not created yet: {problems}"));
    }
    output.result(&serde_json::json!({ "ok": true, "checks": lines }), &lines.join("\n"));
    Ok(())
}
