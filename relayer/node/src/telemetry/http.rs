//! `/metrics`, `/livez`, `/startupz` and `/readyz` over HTTP/1.1, for the machine and its cluster only.

use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;

use axum::extract::{Query, State};
use axum::http::{header, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use serde::Deserialize;
use tokio::net::TcpListener;

use super::health::{Health, Readiness, Reason};
use super::metrics::Metrics;
use crate::platform;

/// What the endpoints read.
#[derive(Clone, Debug)]
pub struct HttpState {
    /// Metrics.
    pub metrics: Arc<Metrics>,
    /// Health.
    pub health: Arc<Health>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ReadyQuery {
    path: Option<String>,
}

/// The routes.
pub fn router(state: HttpState) -> Router {
    Router::new()
        .route("/metrics", get(metrics))
        .route("/livez", get(live))
        .route("/startupz", get(started))
        .route("/readyz", get(ready))
        .with_state(state)
}

/// Opens the address.
///
/// # Errors
/// The address cannot be opened.
pub async fn bind(address: SocketAddr) -> std::io::Result<TcpListener> {
    TcpListener::bind(address).await
}

/// Serves until `shutdown` is done.
///
/// # Errors
/// The listener failed.
pub async fn serve(
    listener: TcpListener,
    state: HttpState,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> std::io::Result<()> {
    axum::serve(listener, router(state)).with_graceful_shutdown(shutdown).await
}

async fn metrics(State(state): State<HttpState>) -> Response {
    let content_type = [(header::CONTENT_TYPE, prometheus::TEXT_FORMAT)];
    (content_type, state.metrics.page()).into_response()
}

async fn live(State(state): State<HttpState>) -> Response {
    answer(state.health.live(platform::now()))
}

async fn started(State(state): State<HttpState>) -> Response {
    answer(state.health.started())
}

async fn ready(State(state): State<HttpState>, Query(query): Query<ReadyQuery>) -> Response {
    let Some(path) = query.path else { return answer(state.health.ready(platform::now())) };
    match state.health.path_ready(&path, platform::now()) {
        Some(readiness) => answer(readiness),
        None => {
            let reasons = vec![Reason::new("NODE-HLT-009", "no path of that name is configured")];
            (StatusCode::NOT_FOUND, Json(Readiness { ready: false, reasons })).into_response()
        }
    }
}

fn answer(readiness: Readiness) -> Response {
    let status = if readiness.ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, Json(readiness)).into_response()
}
