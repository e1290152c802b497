//! WebSocket: calls, and the events of subscriptions.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::extract::ws::{Message, WebSocket};
use serde_json::{json, Value};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use super::endpoint::until;
use super::exchange::{response, Broken, Call, Exchange};
use super::{Change, Frame, RpcError, Subscription, EVENTS_MAX, SUBSCRIPTIONS_MAX};

/// The connection is to end.
struct End;

/// A task that ends with its handle.
struct Forwarder(JoinHandle<()>);

impl Drop for Forwarder {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// What a forwarder hands over: an event, or that its subscription is at its end.
enum Event {
    Text(Frame, String, Value, Value),
    Lost,
}

struct Connection {
    exchange: Arc<Exchange>,
    socket: WebSocket,
    subscriptions: BTreeMap<String, Forwarder>,
    events: mpsc::Sender<Event>,
}

/// Serves a connection until either side ends it.
pub(super) async fn serve(exchange: Arc<Exchange>, socket: WebSocket) {
    let (events, mut incoming) = mpsc::channel(EVENTS_MAX);
    let closed = exchange.closed.clone();
    let mut connection = Connection { exchange, socket, subscriptions: BTreeMap::new(), events };
    let serving = async {
        loop {
            let outcome = tokio::select! {
                message = connection.socket.recv() => match message {
                    Some(Ok(Message::Text(text))) => connection.request(text.as_bytes()).await,
                    Some(Ok(Message::Binary(bytes))) => connection.request(&bytes).await,
                    Some(Ok(Message::Ping(_) | Message::Pong(_))) => Ok(()),
                    Some(Ok(Message::Close(_)) | Err(_)) | None => Err(End),
                },
                Some(event) = incoming.recv() => connection.event(event).await,
            };
            if outcome.is_err() {
                break;
            }
        }
    };
    tokio::select! {
        () = serving => {}
        () = until(closed) => {}
    }
}

impl Connection {
    async fn request(&mut self, bytes: &[u8]) -> Result<(), End> {
        let request: Value = match serde_json::from_slice(bytes) {
            Ok(request) => request,
            Err(error) => {
                let error = RpcError::new(-32700, format!("parse error: {error}"));
                return self.send(response(Value::Null, Err(error))).await;
            }
        };
        if request.is_object() {
            if let Ok(call) = Call::from_json(request.clone()) {
                if let Some(change) = self.exchange.service.subscribe(&call.method, &call.params) {
                    return self.change(call, change).await;
                }
            }
        }
        let exchange = self.exchange.clone();
        match exchange.answer(request).await {
            Ok(Some(answer)) => self.send(answer).await,
            Ok(None) => Ok(()),
            Err(broken) => self.broken(broken).await,
        }
    }

    async fn change(&mut self, call: Call, change: Result<Change, RpcError>) -> Result<(), End> {
        let id = call.id.clone().unwrap_or_default();
        let (outcome, opened) = match change {
            Ok(Change::Open(_)) if self.subscriptions.len() >= SUBSCRIPTIONS_MAX => {
                let reason = format!("at most {SUBSCRIPTIONS_MAX} subscriptions a connection");
                (Err(RpcError::new(-32000, reason)), None)
            }
            Ok(Change::Open(subscription)) => (Ok(subscription.accepted.clone()), Some(subscription)),
            Ok(Change::Close { key: None, found, missing }) => {
                let any = !self.subscriptions.is_empty();
                self.subscriptions.clear();
                (if any { found } else { missing }, None)
            }
            Ok(Change::Close { key: Some(key), found, missing }) => {
                (if self.subscriptions.remove(&key).is_some() { found } else { missing }, None)
            }
            Err(error) => (Err(error), None),
        };
        let exchange = self.exchange.clone();
        match exchange.told(&call.method, &call.params, outcome).await {
            Ok(outcome) => self.send(response(id.clone(), outcome)).await?,
            Err(broken) => self.broken(broken).await?,
        }
        if let Some(subscription) = opened {
            // Only after the answer: no event may come before it.
            self.forward(subscription, id);
        }
        Ok(())
    }

    fn forward(&mut self, subscription: Subscription, id: Value) {
        let Subscription { key, frame, mut events, .. } = subscription;
        let (out, name) = (self.events.clone(), key.clone());
        let task = tokio::spawn(async move {
            while let Some(event) = events.recv().await {
                if out.send(Event::Text(frame.clone(), name.clone(), id.clone(), event)).await.is_err() {
                    return;
                }
            }
            let _ = out.send(Event::Lost).await;
        });
        self.subscriptions.insert(key, Forwarder(task));
    }

    async fn event(&mut self, event: Event) -> Result<(), End> {
        let Event::Text(frame, key, id, event) = event else { return Err(End) };
        if !self.subscriptions.contains_key(&key) {
            return Ok(());
        }
        let method = match &frame {
            Frame::Notification { method } => method.as_str(),
            Frame::Answer => "event",
        };
        let exchange = self.exchange.clone();
        let told = exchange.told(method, &json!([key]), Ok(event)).await;
        match (told, frame) {
            (Ok(Ok(result)), Frame::Notification { method }) => {
                let params = json!({ "subscription": key, "result": result });
                self.send(json!({ "jsonrpc": "2.0", "method": method, "params": params })).await
            }
            (Ok(outcome), _) => self.send(response(id, outcome)).await,
            (Err(broken), _) => self.broken(broken).await,
        }
    }

    async fn broken(&mut self, broken: Broken) -> Result<(), End> {
        match broken {
            Broken::Silence => Ok(()),
            Broken::Raw(bytes) => self.text(String::from_utf8_lossy(&bytes).into_owned()).await,
            Broken::Status(_) | Broken::Cut => Err(End),
        }
    }

    async fn send(&mut self, value: Value) -> Result<(), End> {
        self.text(value.to_string()).await
    }

    async fn text(&mut self, text: String) -> Result<(), End> {
        self.socket.send(Message::Text(text.into())).await.map_err(|_| End)
    }
}
