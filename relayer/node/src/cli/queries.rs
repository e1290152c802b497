//! Commands that read: from a running node over its API, or from the store when none runs.

use serde::de::DeserializeOwned;

use super::args::ListArgs;
use super::open_ledger;
use super::output::{table, Failure, Output};
use crate::api::{self, KeyQuery, Refusal};
use crate::config::Config;
use crate::query::{self, ClientView, Filter, PacketView};
use crate::wiring;

/// Deadline of a request to the node on this machine.
const DEADLINE: std::time::Duration = std::time::Duration::from_secs(10);

enum Answer<T> {
    Node(T),
    NotRunning,
}

fn client() -> Result<reqwest::Client, Failure> {
    let client = reqwest::Client::builder().timeout(DEADLINE).no_proxy().build();
    client.map_err(|error| Failure::new("NODE-CLI-008", format!("no HTTP client: {error}")))
}

async fn answered<T: DeserializeOwned>(sent: Result<reqwest::Response, reqwest::Error>) -> Result<Answer<T>, Failure> {
    let broken = |error: reqwest::Error| Failure::new("NODE-CLI-009", format!("the node's answer broke: {error}"));
    let response = match sent {
        Ok(response) => response,
        Err(error) if error.is_connect() => return Ok(Answer::NotRunning),
        Err(error) => return Err(broken(error)),
    };
    if response.status().is_success() {
        return Ok(Answer::Node(response.json().await.map_err(broken)?));
    }
    let refusal: Refusal = response.json().await.map_err(broken)?;
    Err(Failure::new(&refusal.code, refusal.message))
}

async fn ask<T: DeserializeOwned>(
    config: &Config,
    path: &str,
    query: &impl serde::Serialize,
) -> Result<Answer<T>, Failure> {
    let url = format!("http://{}{path}", config.telemetry.listen);
    answered(client()?.get(url).query(query).send().await).await
}

/// Shows packets by key or payment reference.
pub(super) async fn show(config: &Config, key: &str, output: Output) -> Result<(), Failure> {
    let views = find(config, key).await?;
    let text: Vec<String> = views.iter().map(describe).collect();
    output.result(&views, &text.join("\n\n"));
    Ok(())
}

/// Packets by key or payment reference.
pub(super) async fn find(config: &Config, key: &str) -> Result<Vec<PacketView>, Failure> {
    match ask(config, "/v1/packet", &KeyQuery { key: key.to_owned() }).await? {
        Answer::Node(views) => Ok(views),
        Answer::NotRunning => {
            let views = query::find(&*open_ledger(config)?, key)?;
            if views.is_empty() {
                return Err(Failure::new(api::UNKNOWN, api::unknown(key)));
            }
            Ok(views)
        }
    }
}

/// Lists packets.
pub(super) async fn list(config: &Config, args: ListArgs, output: Output) -> Result<(), Failure> {
    let filter = Filter { path: args.path, stage: args.stage, limit: Some(args.limit) };
    let views: Vec<PacketView> = match ask(config, "/v1/packets", &filter).await? {
        Answer::Node(views) => views,
        Answer::NotRunning => query::list(&*open_ledger(config)?, &filter)?,
    };
    let rows: Vec<Vec<String>> = views
        .iter()
        .map(|view| {
            let transfer = view.transfer.as_ref();
            vec![
                view.key.clone(),
                view.stage.clone(),
                view.acknowledgement.clone().unwrap_or_else(|| "-".to_owned()),
                transfer.map_or_else(|| "-".to_owned(), |transfer| transfer.amount.clone()),
                transfer.map_or_else(|| "-".to_owned(), |transfer| transfer.denom.clone()),
                view.reason.clone().unwrap_or_default(),
            ]
        })
        .collect();
    output.result(&views, &table(&["PACKET", "STAGE", "ACK", "AMOUNT", "DENOM", "REASON"], &rows));
    Ok(())
}

/// Releases a parked packet.
pub(super) async fn retry(config: &Config, key: &str, output: Output) -> Result<(), Failure> {
    let url = format!("http://{}/v1/packet/retry", config.telemetry.listen);
    let sent = client()?.post(url).query(&KeyQuery { key: key.to_owned() }).send().await;
    match answered::<serde_json::Value>(sent).await? {
        Answer::Node(value) => {
            output.result(&value, &format!("packet {key} goes on"));
            Ok(())
        }
        Answer::NotRunning => {
            Err(Failure::new("NODE-CLI-010", "no node is running here; start it with `catenary run`, then retry"))
        }
    }
}

/// Shows light clients.
pub(super) async fn clients(config: &Config, output: Output) -> Result<(), Failure> {
    let views: Vec<ClientView> = match ask(config, "/v1/clients", &()).await? {
        Answer::Node(views) => views,
        Answer::NotRunning => saved(config)?,
    };
    let rows: Vec<Vec<String>> = views
        .iter()
        .map(|view| {
            vec![
                view.chain.clone(),
                view.family.clone(),
                view.trusted_height.to_string(),
                view.trusted_hash.clone(),
                view.expires_at_seconds.to_string(),
                view.stopped.clone().unwrap_or_else(|| if view.frozen { "frozen" } else { "active" }.to_owned()),
            ]
        })
        .collect();
    output.result(&views, &table(&["CHAIN", "FAMILY", "TRUSTED", "HASH", "EXPIRES (UNIX)", "STATE"], &rows));
    Ok(())
}

/// What the journal says of the light clients when no node runs.
fn saved(config: &Config) -> Result<Vec<ClientView>, Failure> {
    let ledger = open_ledger(config)?;
    let config = wiring::with_anchors(config.clone(), &ledger)?;
    let mut views = Vec::new();
    for chain in &config.chains {
        if let Some(client) = wiring::saved(chain, &ledger)? {
            views.push(ClientView::new(&chain.name, &client.status(), Some("no node is running".to_owned())));
        }
    }
    Ok(views)
}

fn describe(view: &PacketView) -> String {
    let mut lines = vec![
        format!("packet        {}", view.key),
        format!("path          {}", view.path),
        format!("stage         {}{}", view.stage, view.reason.as_ref().map(|r| format!(" ({r})")).unwrap_or_default()),
    ];
    if let Some(transfer) = &view.transfer {
        lines.push(format!("transfer      {} of {}", transfer.amount, transfer.denom));
        lines.push(format!("from          {}", transfer.sender));
        lines.push(format!("to            {}", transfer.receiver));
        if !transfer.memo.is_empty() {
            lines.push(format!("memo          {}", transfer.memo));
        }
    }
    if let Some(timeout) = view.timeout_timestamp_seconds {
        lines.push(format!("times out     {timeout} (Unix seconds)"));
    }
    lines.extend(view.acknowledgement.as_ref().map(|ack| format!("ack           {ack}")));
    for step in &view.history {
        lines.push(format!("  {}", step_line(step)));
    }
    lines.join("\n")
}

fn step_line(step: &catenary_core::fold::HistoryEntry) -> String {
    use catenary_core::fold::HistoryEntry;
    match step {
        HistoryEntry::Step(state) => {
            let reason = state.reason.as_ref().map(|reason| format!(": {reason}")).unwrap_or_default();
            format!("{} {} at height {}{reason}", state.at_seconds, state.stage.name(), state.height)
        }
        HistoryEntry::Tx(tx) => format!("{} sent {} in {} on {}", tx.at_seconds, tx.kind.name(), tx.tx_hash, tx.chain),
    }
}
