#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]
//! The wire with a plain client.

use std::sync::Mutex;
use std::time::Duration;

use futures::{SinkExt as _, StreamExt as _};
use tokio_tungstenite::tungstenite::Message;

use super::*;
use crate::fault::{lies, Answer, Lies, Recording};

/// Echoes its parameters, and has one kind of event.
#[derive(Default)]
struct Echo {
    subscribers: Mutex<Vec<mpsc::Sender<Value>>>,
}

impl Service for Echo {
    fn call(&self, method: &str, params: &Value) -> Result<Value, RpcError> {
        match method {
            "echo" => Ok(params.clone()),
            "revert" => Err(RpcError::new(3, "execution reverted").with_data("0x01")),
            "emit" => {
                self.subscribers.lock().unwrap().retain(|subscriber| subscriber.try_send(params.clone()).is_ok());
                Ok(Value::Null)
            }
            "panic" => panic!("a bug of the chain"),
            _ => Err(RpcError::method_not_found(method)),
        }
    }

    fn subscribe(&self, method: &str, params: &Value) -> Option<Result<Change, RpcError>> {
        match method {
            "subscribe" => {
                let (sender, events) = mpsc::channel(2);
                self.subscribers.lock().unwrap().push(sender);
                let frame = match params[0].as_str() {
                    Some("notify") => Frame::Notification { method: "eth_subscription".to_owned() },
                    Some(_) => Frame::Answer,
                    None => return Some(Err(RpcError::invalid_params("what?"))),
                };
                let key = params[0].as_str().unwrap_or_default().to_owned();
                Some(Ok(Change::Open(Subscription { accepted: json!(key), key, frame, events })))
            }
            "unsubscribe" => {
                let key = params[0].as_str().map(str::to_owned);
                Some(Ok(Change::Close { key, found: Ok(json!(true)), missing: Ok(json!(false)) }))
            }
            _ => None,
        }
    }
}

async fn open() -> Endpoint {
    Endpoint::open(std::sync::Arc::new(Echo::default()), Lies::default()).await.unwrap()
}

async fn post(endpoint: &Endpoint, body: impl Into<reqwest::Body>) -> reqwest::Result<reqwest::Response> {
    let client = reqwest::Client::builder().no_proxy().build()?;
    client.post(endpoint.url()).body(body).send().await
}

async fn ask(endpoint: &Endpoint, body: Value) -> Value {
    post(endpoint, body.to_string()).await.unwrap().json().await.unwrap()
}

fn call(id: u64, method: &str, params: Value) -> Value {
    json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": params })
}

#[tokio::test]
async fn calls_batches_and_errors_as_json_rpc_has_them() {
    let endpoint = open().await;
    async fn check(endpoint: &Endpoint, request: Value, expect: Value) {
        assert_eq!(ask(endpoint, request.clone()).await, expect, "{request}");
    }
    let ok = |id: u64, result: Value| json!({ "jsonrpc": "2.0", "id": id, "result": result });
    check(&endpoint, call(1, "echo", json!([1, "a"])), ok(1, json!([1, "a"]))).await;
    check(&endpoint, json!({ "id": 2, "method": "echo" }), ok(2, json!([]))).await;
    check(&endpoint, json!({ "id": 2, "method": "echo", "params": null }), ok(2, json!([]))).await;
    let revert = json!({ "code": 3, "message": "execution reverted", "data": "0x01" });
    check(&endpoint, call(3, "revert", json!([])), json!({ "jsonrpc": "2.0", "id": 3, "error": revert })).await;
    let batch = json!([call(5, "echo", json!([5])), { "method": "echo" }, call(4, "echo", json!({ "x": 4 }))]);
    check(&endpoint, batch, json!([ok(5, json!([5])), ok(4, json!({ "x": 4 }))])).await;
    let code = |answer: Value| answer["error"]["code"].clone();
    assert_eq!(code(ask(&endpoint, call(6, "nothing", json!([]))).await), -32601);
    assert_eq!(code(ask(&endpoint, call(6, "panic", json!([]))).await), -32603);
    assert_eq!(code(ask(&endpoint, json!([])).await), -32600);
    assert_eq!(code(ask(&endpoint, json!(7)).await), -32600);
    assert_eq!(code(ask(&endpoint, json!({ "id": 1 })).await), -32600);
    assert_eq!(code(ask(&endpoint, json!({ "id": 1, "method": "echo", "params": 3 })).await), -32600);
    let too_many = vec![call(1, "echo", json!([])); BATCH_MAX + 1];
    assert_eq!(code(ask(&endpoint, Value::Array(too_many)).await), -32600);
    let broken: Value = post(&endpoint, "{").await.unwrap().json().await.unwrap();
    assert_eq!(code(broken), -32700);
    let silent = post(&endpoint, json!({ "method": "echo" }).to_string()).await.unwrap();
    assert_eq!(silent.text().await.unwrap(), "");
    assert_eq!(post(&endpoint, vec![b' '; REQUEST_BYTES_MAX + 1]).await.unwrap().status(), 413);
    endpoint.close().await;
}

#[tokio::test]
async fn the_uri_form_reads_json_and_plain_text() {
    let endpoint = open().await;
    let get = |path: &str| {
        let url = format!("{}{path}", endpoint.url());
        async move { reqwest::get(url).await.unwrap().text().await.unwrap() }
    };
    let answer: Value =
        serde_json::from_str(&get("/echo?height=5&hash=0x1f&name=%22a%20b%22&prove=true").await).unwrap();
    let expect = json!({ "height": 5, "hash": "0x1f", "name": "a b", "prove": true });
    assert_eq!(answer, json!({ "jsonrpc": "2.0", "id": -1, "result": expect }));
    assert!(get("/").await.contains("devnet"));
    endpoint.close().await;
}

#[tokio::test]
async fn lies_change_answers_break_them_off_and_are_counted() {
    let endpoint = open().await;
    let lies = endpoint.lies().clone();
    let echo = call(1, "echo", json!(["0x1"]));
    lies.record(Recording::On);
    lies.tell(lies::change("echo", "/0", crate::fault::Change::Flip));
    assert_eq!(ask(&endpoint, echo.clone()).await["result"], json!(["0x2"]));
    assert_eq!((lies.told(), lies.answered()), (1, 1));
    let (recorded, left_out) = lies.take_record();
    assert_eq!((recorded.len(), left_out), (1, 0));
    assert_eq!(recorded[0].outcome, Ok(json!(["0x1"])), "the record has the truth");

    lies.tell(lies::slow("echo", Duration::from_millis(1)));
    assert_eq!(ask(&endpoint, echo.clone()).await["result"], json!(["0x1"]));
    lies.tell(lies::error("*", RpcError::new(-32005, "limit")));
    assert_eq!(ask(&endpoint, echo.clone()).await["error"]["code"], -32005);
    lies.tell(lies::truncate("echo", 3));
    assert_eq!(post(&endpoint, echo.to_string()).await.unwrap().text().await.unwrap(), "[\"0");
    lies.tell(lies::always("echo", Answer::Status(503)));
    assert_eq!(post(&endpoint, echo.to_string()).await.unwrap().status(), 503);
    lies.tell(lies::cut("echo"));
    let outcome = post(&endpoint, echo.to_string()).await;
    let broken = match outcome {
        Ok(response) => response.bytes().await.is_err(),
        Err(_) => true,
    };
    assert!(broken, "the body must not end well");
    lies.tell(lies::at_most(1, lies::error("echo", RpcError::new(1, "once"))));
    assert_eq!(ask(&endpoint, echo.clone()).await["error"]["code"], 1);
    assert_eq!(ask(&endpoint, echo.clone()).await["result"], json!(["0x1"]));
    lies.tell_truth();
    assert_eq!(ask(&endpoint, echo).await["result"], json!(["0x1"]));
    endpoint.close().await;
}

#[test]
fn lies_that_remember_and_lies_that_pick() {
    let ask = |lie: &crate::fault::Lie, method: &str, params: Value, value: Value| match lie(
        method,
        &params,
        Answer::Reply(value),
    ) {
        Answer::Reply(value) => value,
        other => panic!("{other:?}"),
    };
    let freeze = lies::freeze(&["head"]);
    assert_eq!([1, 2].map(|n| ask(&freeze, "head", json!([]), json!(n))), [json!(1), json!(1)]);
    assert_eq!(ask(&freeze, "other", json!([]), json!(2)), json!(2));
    let replay = lies::replay("head", 2);
    assert_eq!([1, 2, 3, 4, 5].map(|n| ask(&replay, "head", json!([]), json!(n))), [1, 1, 1, 2, 3].map(|n| json!(n)));
    let withhold = lies::withhold("logs", "/l", |index, _| index == 1);
    assert_eq!(ask(&withhold, "logs", json!([]), json!({ "l": [1, 2, 3] })), json!({ "l": [1, 3] }));
    let reorder = lies::only_where("0x5", lies::reorder("logs", ""));
    assert_eq!(ask(&reorder, "logs", json!(["0x5"]), json!([1, 2])), json!([2, 1]));
    assert_eq!(ask(&reorder, "logs", json!(["0x6"]), json!([1, 2])), json!([1, 2]));
    let both = lies::all(vec![lies::reorder("logs", ""), lies::withhold("logs", "", |index, _| index == 0)]);
    assert_eq!(ask(&both, "logs", json!([]), json!([1, 2])), json!([1]));
}

#[tokio::test]
async fn silence_ends_with_the_endpoint() {
    let endpoint = open().await;
    endpoint.lies().tell(lies::silence("echo"));
    let lies = endpoint.lies().clone();
    let url = endpoint.url();
    let asking = tokio::spawn(async move {
        reqwest::Client::new().post(url).body(call(1, "echo", json!([])).to_string()).send().await
    });
    while lies.told() == 0 {
        tokio::task::yield_now().await;
    }
    assert!(!asking.is_finished());
    endpoint.close().await;
    assert_ne!(asking.await.unwrap().map(|response| response.status().as_u16()).unwrap_or(0), 200);
}

#[tokio::test]
async fn events_come_over_websocket_until_unsubscribed() {
    let endpoint = open().await;
    let (mut socket, _) = tokio_tungstenite::connect_async(endpoint.ws_url()).await.unwrap();
    async fn next<S>(socket: &mut S) -> Value
    where
        S: futures::Stream<Item = Result<Message, tokio_tungstenite::tungstenite::Error>> + Unpin,
    {
        serde_json::from_str(socket.next().await.unwrap().unwrap().to_text().unwrap()).unwrap()
    }
    async fn say<S: futures::Sink<Message> + Unpin>(socket: &mut S, value: Value)
    where
        S::Error: std::fmt::Debug,
    {
        socket.send(Message::text(value.to_string())).await.unwrap();
    }
    say(&mut socket, call(1, "subscribe", json!(["notify"]))).await;
    assert_eq!(next(&mut socket).await["result"], "notify");
    say(&mut socket, call(2, "subscribe", json!(["again"]))).await;
    assert_eq!(next(&mut socket).await["result"], "again");
    say(&mut socket, call(3, "subscribe", json!([]))).await;
    assert_eq!(next(&mut socket).await["error"]["code"], -32602);
    // A call over HTTP makes the event, so that answers and events cannot be confused.
    ask(&endpoint, call(9, "emit", json!([42]))).await;
    let mut got = [next(&mut socket).await, next(&mut socket).await];
    got.sort_by_key(|event| event["id"].is_null());
    assert_eq!(got[0], json!({ "jsonrpc": "2.0", "id": 2, "result": [42] }));
    let params = json!({ "subscription": "notify", "result": [42] });
    assert_eq!(got[1], json!({ "jsonrpc": "2.0", "method": "eth_subscription", "params": params }));
    say(&mut socket, call(4, "unsubscribe", json!(["notify"]))).await;
    assert_eq!(next(&mut socket).await["result"], true);
    say(&mut socket, call(5, "unsubscribe", json!(["notify"]))).await;
    assert_eq!(next(&mut socket).await["result"], false);
    say(&mut socket, json!([call(6, "echo", json!([6]))])).await;
    assert_eq!(next(&mut socket).await[0]["result"], json!([6]));
    socket.send(Message::text("{")).await.unwrap();
    assert_eq!(next(&mut socket).await["error"]["code"], -32700);
    endpoint.close().await;
    assert!(!matches!(socket.next().await, Some(Ok(Message::Text(_)))));
}
