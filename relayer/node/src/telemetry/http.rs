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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;
    use std::collections::BTreeMap;

    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use crate::telemetry::health::{AttestorHealth, PathHealth};
    use crate::telemetry::MetricsScope;

    /// Status line and body of one request.
    async fn get(address: SocketAddr, target: &str) -> (String, String) {
        let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
        let request = format!("GET {target} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut response = String::new();
        stream.read_to_string(&mut response).await.unwrap();
        let (head, body) = response.split_once("\r\n\r\n").unwrap();
        (head.lines().next().unwrap().to_owned(), body.to_owned())
    }

    async fn check(address: SocketAddr, target: &str, status: &str, words: &str) {
        let (line, body) = get(address, target).await;
        assert_eq!(line, format!("HTTP/1.1 {status}"), "{target}: {body}");
        assert!(body.contains(words), "{words} in {body}");
    }

    #[tokio::test]
    async fn the_endpoints_answer_with_status_and_reasons() {
        let side = AttestorHealth { chain: "evm".into(), have: 1, need: 2, missing: vec!["org-b ATT-101".into()] };
        let path = PathHealth { attestors: vec![side], ..PathHealth::default() };
        let health = Arc::new(Health::new(BTreeMap::new(), BTreeMap::from([("evm-simd".to_owned(), path)])));
        let state = HttpState { metrics: Metrics::new(&MetricsScope::default()), health: Arc::clone(&health) };
        let listener = bind(SocketAddr::from(([127, 0, 0, 1], 0))).await.unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
        let serving = tokio::spawn(serve(listener, state, async move {
            let _ = stopped.await;
        }));

        let ok = r#"{"ready":true,"reasons":[]}"#;
        check(address, "/livez", "200 OK", ok).await;
        check(address, "/startupz", "503 Service Unavailable", r#""code":"NODE-HLT-002""#).await;
        check(address, "/readyz", "503 Service Unavailable", r#"{"ready":false,"reasons":[{"code":"NODE-HLT-002""#)
            .await;
        health.store_opened();
        check(address, "/startupz", "200 OK", ok).await;
        check(address, "/readyz", "200 OK", ok).await;
        let few = "chain evm has 1 of 2 attestors; missing: org-b ATT-101";
        check(address, "/readyz?path=evm-simd", "503 Service Unavailable", few).await;
        health.path("evm-simd", |path| path.attestors.clear());
        check(address, "/readyz?path=evm-simd", "200 OK", ok).await;
        check(address, "/readyz?path=other", "404 Not Found", "NODE-HLT-009").await;
        check(address, "/readyz?other=1", "400 Bad Request", "").await;
        check(address, "/metrics", "200 OK", "catenary_build_info{").await;
        check(address, "/nothing", "404 Not Found", "").await;

        drop(stop);
        serving.await.unwrap().unwrap();
    }
}
