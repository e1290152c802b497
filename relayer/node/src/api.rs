//! The node's own HTTP API, beside `/metrics` and the health endpoints, on the telemetry address: what the command
//! line asks a running node. It reads, and lets a parked packet go on; it holds no secret and moves no money.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use catenary_core::engine::{Key, Side};
use catenary_core::{PacketKey, StoreError};
use serde::{Deserialize, Serialize};
use tokio::sync::mpsc;

use crate::chain::Chain;
use crate::query::{self, ClientView, Filter};
use crate::retry::{self, RetryError, RetryOrder};
use crate::store::Ledger;

/// Where releases of a path's packets go, and which side each chain and client is.
#[derive(Debug, Clone)]
pub struct ReleaseRoute {
    /// To the path's runner.
    pub releases: mpsc::Sender<Key>,
    /// Side of each (chain, client).
    pub sides: Vec<(String, String, Side)>,
}

impl ReleaseRoute {
    /// The side of the path that a packet was sent on, if this path carries it.
    fn source_of(&self, key: &PacketKey) -> Option<Side> {
        let is =
            |(chain, client, _): &&(String, String, Side)| *chain == key.source_chain && *client == key.source_client;
        self.sides.iter().find(is).map(|(_, _, side)| *side)
    }
}

/// What the API reads.
#[derive(Clone, Debug)]
pub struct ApiState {
    /// Journal and store.
    pub ledger: Arc<Ledger>,
    /// Connected chains, by name.
    pub chains: Arc<BTreeMap<String, Arc<Chain>>>,
    /// Where parked packets are released, by path.
    pub routes: Arc<Vec<ReleaseRoute>>,
}

/// A key in a query.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeyQuery {
    /// Packet key or payment reference.
    pub key: String,
}

/// A refusal of the API.
#[derive(Debug, Serialize, Deserialize)]
pub struct Refusal {
    /// Stable code.
    pub code: String,
    /// What it is, and what to do.
    pub message: String,
}

/// The routes.
pub fn router(state: ApiState) -> Router {
    Router::new()
        .route("/v1/packets", get(list))
        .route("/v1/packet", get(show))
        .route("/v1/packet/retry", post(retry))
        .route("/v1/clients", get(clients))
        .with_state(state)
}

/// No packet has this key, and none carries this payment reference.
pub(crate) const UNKNOWN: &str = "API-002";

/// What [`UNKNOWN`] says.
pub(crate) fn unknown(key: &str) -> String {
    format!("no packet and no payment reference {key:?} is known here")
}

fn refuse(status: StatusCode, code: &str, message: impl Into<String>) -> Response {
    (status, Json(Refusal { code: code.to_owned(), message: message.into() })).into_response()
}

fn store_failed(error: &StoreError) -> Response {
    refuse(StatusCode::INTERNAL_SERVER_ERROR, error.code(), error.to_string())
}

async fn list(State(state): State<ApiState>, Query(filter): Query<Filter>) -> Response {
    let ledger = state.ledger.clone();
    match tokio::task::spawn_blocking(move || query::list(&ledger, &filter)).await {
        Ok(Ok(views)) => Json(views).into_response(),
        Ok(Err(error)) => store_failed(&error),
        Err(_) => refuse(StatusCode::INTERNAL_SERVER_ERROR, "API-001", "the request was interrupted; ask again"),
    }
}

async fn show(State(state): State<ApiState>, Query(query): Query<KeyQuery>) -> Response {
    match query::find(&state.ledger, &query.key) {
        Ok(views) if views.is_empty() => refuse(StatusCode::NOT_FOUND, UNKNOWN, unknown(&query.key)),
        Ok(views) => Json(views).into_response(),
        Err(error) => store_failed(&error),
    }
}

async fn retry(State(state): State<ApiState>, Query(order): Query<RetryOrder>) -> Response {
    let packets = match retry::parked(&state.ledger, &order) {
        Ok(packets) => packets,
        Err(RetryError::Store(error)) => return store_failed(&error),
        Err(error) => return refuse(StatusCode::BAD_REQUEST, error.code(), error.to_string()),
    };
    let mut routed = Vec::new();
    for (key, _) in &packets {
        let route = state.routes.iter().find_map(|route| Some((route.source_of(key)?, route)));
        let Some((source, route)) = route else {
            return refuse(StatusCode::NOT_FOUND, "API-005", format!("no path of this node carries {key}"));
        };
        routed.push((route, Key { source, sequence: key.sequence }));
    }
    // Who asked is kept before anything goes on.
    if let Err(error) = state.ledger.record_async(vec![retry::act(&order, &packets)]).await {
        return store_failed(&error);
    }
    for (route, key) in routed {
        // The path's runner takes them one by one; it is gone only when the node stops.
        if route.releases.send(key).await.is_err() {
            return refuse(StatusCode::SERVICE_UNAVAILABLE, "API-004", "the path has stopped; try again");
        }
    }
    let released: Vec<String> = packets.iter().map(|(key, _)| key.to_string()).collect();
    Json(serde_json::json!({ "released": released })).into_response()
}

async fn clients(State(state): State<ApiState>) -> Response {
    let views: Vec<ClientView> = state
        .chains
        .iter()
        .map(|(name, chain)| {
            let stopped = chain.watch().borrow().stop.as_ref().map(|stop| format!("{}: {}", stop.code, stop.message));
            ClientView::new(name, &chain.status(), stopped)
        })
        .collect();
    Json(views).into_response()
}
