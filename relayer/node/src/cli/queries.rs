//! Commands that read: from a running node over its API, or from the store when none runs.

use serde::de::DeserializeOwned;

use super::args::{ListArgs, RetryArgs};
use super::output::{table, Failure, Output};
use super::{open_ledger, path_config};
use crate::api::{self, KeyQuery, Refusal};
use crate::chain::evidence::{self, Evidence};
use crate::config::Config;
use crate::query::{self, ClientView, Filter, PacketView, TxView};
use crate::retry::{self, RetryOrder};
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

/// Lets parked packets go on: in the running node, or in its store when none runs.
pub(super) async fn retry(config: &Config, args: RetryArgs, output: Output) -> Result<(), Failure> {
    let order = order(config, args)?;
    let url = format!("http://{}/v1/packet/retry", config.telemetry.listen);
    let sent = client()?.post(url).query(&order).send().await;
    let released = match answered::<Released>(sent).await? {
        Answer::Node(released) => released,
        Answer::NotRunning => retry_offline(config, &order)?,
    };
    let text = match released.released.as_slice() {
        [] => "no packet is parked".to_owned(),
        keys => keys.iter().map(|key| format!("packet {key} goes on")).collect::<Vec<_>>().join("\n"),
    };
    output.result(&released, &text);
    Ok(())
}

/// What a retry led to.
#[derive(serde::Serialize, serde::Deserialize)]
struct Released {
    released: Vec<String>,
}

fn order(config: &Config, args: RetryArgs) -> Result<RetryOrder, Failure> {
    let RetryArgs { packet, path, reason, actor, .. } = args;
    let key = match packet.as_slice() {
        [] => None,
        [key] => Some(key.clone()),
        [path, chain, sequence] => {
            let path = path_config(config, path)?;
            let side = [&path.a, &path.b].into_iter().find(|side| side.chain == *chain);
            let client = side.and_then(|side| side.client.as_ref()).ok_or_else(|| {
                let message =
                    format!("path {} has no client on {chain}; name the chain that the packet was sent on", path.name);
                Failure::new("NODE-CLI-020", message)
            })?;
            Some(format!("{chain}/{client}/{sequence}"))
        }
        _ => {
            let message = "name a packet by chain/client/sequence, or by path, source chain and sequence";
            return Err(Failure::new("NODE-CLI-021", message));
        }
    };
    Ok(RetryOrder { key, path, actor, reason })
}

fn retry_offline(config: &Config, order: &RetryOrder) -> Result<Released, Failure> {
    let ledger = open_ledger(config)?;
    let packets = retry::parked(&ledger, order).map_err(|error| Failure::new(error.code(), error.to_string()))?;
    if !packets.is_empty() {
        let mut records = vec![retry::act(order, &packets)];
        for (key, state) in &packets {
            records.push(retry::reopened(&ledger, key, state)?);
        }
        ledger.record(records)?;
    }
    Ok(Released { released: packets.iter().map(|(key, _)| key.to_string()).collect() })
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
    let folder = config.data_dir.join(evidence::FOLDER);
    let found = evidence::kept(&folder)
        .map_err(|error| Failure::new("NODE-CLI-022", format!("cannot read {}: {error}", folder.display())))?;
    let mut text = table(&["CHAIN", "FAMILY", "TRUSTED", "HASH", "EXPIRES (UNIX)", "STATE"], &rows);
    for seen in &found {
        let Evidence { chain, height, trusted, other, code, at_seconds, .. } = seen;
        text.push_str(&format!(
            "\nmisbehaviour {code} of {chain} at height {height}, seen at {at_seconds}: trusted is {trusted}, shown was \
             {other}; the evidence is in {}",
            folder.display()
        ));
    }
    let clients: Vec<serde_json::Value> = views.iter().map(|view| with_evidence(view, &found)).collect();
    output.result(&clients, &text);
    Ok(())
}

/// A light client with the misbehaviour that was seen of its chain.
fn with_evidence(view: &ClientView, found: &[Evidence]) -> serde_json::Value {
    let seen = found.iter().filter(|seen| seen.chain == view.chain).map(|seen| {
        serde_json::json!({
            "height": seen.height,
            "trusted": seen.trusted,
            "other": seen.other,
            "code": seen.code,
            "at_seconds": seen.at_seconds,
        })
    });
    let mut value = serde_json::to_value(view).unwrap_or_default();
    if let Some(fields) = value.as_object_mut() {
        fields.insert("misbehaviour".to_owned(), seen.collect());
    }
    value
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
        lines.push(format!("  {}", step_line(step, &view.transactions)));
    }
    lines.join("\n")
}

fn step_line(step: &catenary_core::fold::HistoryEntry, transactions: &[TxView]) -> String {
    use catenary_core::fold::HistoryEntry;
    match step {
        HistoryEntry::Step(state) => {
            let reason = state.reason.as_ref().map(|reason| format!(": {reason}")).unwrap_or_default();
            format!("{} {} at height {}{reason}", state.at_seconds, state.stage.name(), state.height)
        }
        HistoryEntry::Tx(tx) => {
            let known = transactions.iter().find(|known| known.tx == tx.tx_hash && known.chain == tx.chain);
            let outcome = known.map_or_else(|| "no outcome yet".to_owned(), TxView::describe);
            format!("{} sent {} in {} on {}: {outcome}", tx.at_seconds, tx.kind.name(), tx.tx_hash, tx.chain)
        }
    }
}
