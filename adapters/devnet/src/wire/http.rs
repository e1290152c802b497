//! HTTP: POST with JSON-RPC, GET with a method in the path, and the upgrade to WebSocket.

use std::sync::Arc;

use axum::body::{to_bytes, Body};
use axum::extract::ws::WebSocketUpgrade;
use axum::extract::{FromRequestParts, Query, Request, State};
use axum::http::{header, HeaderMap, Method, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use futures::stream;
use serde_json::{Map, Value};

use super::endpoint::until;
use super::exchange::{response, Broken, Call, Exchange};
use super::{socket, RpcError, REQUEST_BYTES_MAX};

/// The one handler: any path, any method.
pub(super) async fn handle(State(exchange): State<Arc<Exchange>>, request: Request) -> Response {
    if is_upgrade(request.headers()) {
        return upgrade(exchange, request).await;
    }
    let closed = exchange.closed.clone();
    tokio::select! {
        response = respond(&exchange, request) => response,
        () = until(closed) => StatusCode::SERVICE_UNAVAILABLE.into_response(),
    }
}

fn is_upgrade(headers: &HeaderMap) -> bool {
    headers.get(header::UPGRADE).is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(b"websocket"))
}

async fn upgrade(exchange: Arc<Exchange>, request: Request) -> Response {
    let (mut parts, _) = request.into_parts();
    match WebSocketUpgrade::from_request_parts(&mut parts, &()).await {
        Ok(upgrade) => upgrade
            .max_message_size(REQUEST_BYTES_MAX)
            .max_frame_size(REQUEST_BYTES_MAX)
            .on_upgrade(move |socket| socket::serve(exchange, socket)),
        Err(rejection) => rejection.into_response(),
    }
}

async fn respond(exchange: &Exchange, request: Request) -> Response {
    let outcome = match *request.method() {
        Method::POST => post(exchange, request).await,
        Method::GET => get(exchange, request.uri().clone()).await,
        _ => return StatusCode::METHOD_NOT_ALLOWED.into_response(),
    };
    match outcome {
        Ok(Some(answer)) => json(answer.to_string().into_bytes()),
        Ok(None) => StatusCode::OK.into_response(),
        Err(Broken::Raw(bytes)) => json(bytes),
        Err(Broken::Status(status)) => {
            StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR).into_response()
        }
        Err(Broken::Cut) => cut(),
        // The endpoint's end is the only other way out; the caller waits for that.
        Err(Broken::Silence) => std::future::pending().await,
    }
}

async fn post(exchange: &Exchange, request: Request) -> Result<Option<Value>, Broken> {
    let Ok(body) = to_bytes(request.into_body(), REQUEST_BYTES_MAX).await else {
        return Err(Broken::Status(StatusCode::PAYLOAD_TOO_LARGE.as_u16()));
    };
    match serde_json::from_slice(&body) {
        Ok(request) => exchange.answer(request).await,
        Err(error) => Ok(Some(response(Value::Null, Err(RpcError::new(-32700, format!("parse error: {error}")))))),
    }
}

async fn get(exchange: &Exchange, uri: Uri) -> Result<Option<Value>, Broken> {
    let method = uri.path().trim_matches('/').to_owned();
    if method.is_empty() {
        return Err(Broken::Raw(b"a devnet of Catenary\n".to_vec()));
    }
    let Ok(Query(query)) = Query::<Vec<(String, String)>>::try_from_uri(&uri) else {
        return Err(Broken::Status(StatusCode::BAD_REQUEST.as_u16()));
    };
    let params: Map<String, Value> = query.into_iter().map(|(name, text)| (name, argument(text))).collect();
    // CometBFT answers requests of this form under the id -1.
    let call = Call { id: Some(Value::from(-1)), method, params: Value::Object(params) };
    let (id, outcome) = exchange.outcome(call).await;
    let outcome = outcome?;
    Ok(id.map(|id| response(id, outcome)))
}

/// An argument of the URI form: JSON where it is JSON (strings in quotes, numbers, booleans), else the text as it is.
fn argument(text: String) -> Value {
    serde_json::from_str(&text).unwrap_or(Value::String(text))
}

fn json(bytes: Vec<u8>) -> Response {
    ([(header::CONTENT_TYPE, "application/json")], bytes).into_response()
}

/// A body that breaks off, and the connection with it.
fn cut() -> Response {
    let pieces = [Ok(&b"{\"jsonrpc\":"[..]), Err(std::io::Error::other("cut"))];
    ([(header::CONTENT_TYPE, "application/json")], Body::from_stream(stream::iter(pieces))).into_response()
}
