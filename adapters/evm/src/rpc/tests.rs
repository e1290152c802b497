//! The transport against a server that misbehaves.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

use std::net::TcpListener;

use catenary_light_clients::Class;

use super::*;
use crate::testing::{serve, Handler};

fn transport(urls: Vec<Url>) -> Transport {
    Transport::with_deadline("quorum", urls, Duration::from_millis(2_000)).unwrap()
}

fn dead() -> Url {
    "http://user:secret@127.0.0.1:9/key-123".parse().unwrap()
}

fn ok(request: &Value) -> (u16, String) {
    (200, json!({ "jsonrpc": "2.0", "id": request["id"], "result": request["method"] }).to_string())
}

/// Calls a server and expects a code, a class and how many requests it saw.
async fn check(answer: Handler, code: &str, class: Class, requests: usize) {
    let (url, seen) = serve(limits::ATTEMPTS_MAX, answer);
    let error = transport(vec![url]).call("eth_chainId", json!([])).await.unwrap_err();
    assert_eq!((error.code(), error.class()), (code, class), "{error}");
    assert_eq!(seen.try_iter().count(), requests, "{error}");
    for secret in ["secret", "key-123"] {
        assert!(!error.to_string().contains(secret), "{error}");
        assert!(!format!("{error:?}").contains(secret), "{error:?}");
    }
}

#[tokio::test]
async fn answers_that_are_none_are_refused_and_asked_for_again() {
    let answers: [Handler; 9] = [
        |_| (200, "<html>".to_owned()),
        |_| (200, String::new()),
        |r| (200, json!({ "jsonrpc": "2.0", "id": r["id"].as_u64().unwrap() + 1, "result": 1 }).to_string()),
        |_| (200, json!({ "jsonrpc": "2.0", "result": 1 }).to_string()),
        |r| (200, json!({ "jsonrpc": "1.0", "id": r["id"], "result": 1 }).to_string()),
        |r| (200, json!({ "jsonrpc": "2.0", "id": r["id"] }).to_string()),
        |r| (200, json!({ "jsonrpc": "2.0", "id": r["id"], "result": 1, "error": error(1) }).to_string()),
        |r| (200, json!([{ "jsonrpc": "2.0", "id": r["id"], "result": 1 }]).to_string()),
        |_| (200, json!([]).to_string()),
    ];
    for answer in answers {
        check(answer, "EVM-RPC-004", Class::Transient, 3).await;
    }
}

fn error(code: i64) -> Value {
    json!({ "code": code, "message": "no \n such luck" })
}

#[tokio::test]
async fn statuses_and_node_errors_have_their_classes() {
    check(|_| (503, String::new()), "EVM-RPC-002", Class::Transient, 3).await;
    check(|_| (429, String::new()), "EVM-RPC-002", Class::Transient, 3).await;
    check(|_| (401, String::new()), "EVM-RPC-002", Class::Config, 1).await;
    // A redirect is not followed: the credentials are for this endpoint.
    check(|_| (302, String::new()), "EVM-RPC-002", Class::Config, 1).await;
    let node_error: Handler = |r| (200, json!({ "jsonrpc": "2.0", "id": r["id"], "error": error(-32000) }).to_string());
    check(node_error, "EVM-RPC-005", Class::Transient, 1).await;
    let no_method: Handler = |r| (200, json!({ "jsonrpc": "2.0", "id": r["id"], "error": error(-32601) }).to_string());
    check(no_method, "EVM-RPC-005", Class::Config, 1).await;
    check(|_| (200, " ".repeat(BODY_BYTES_MAX + 1)), "EVM-RPC-003", Class::Permanent, 1).await;
}

#[tokio::test]
async fn a_silent_endpoint_ends_at_the_deadline() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap()).parse().unwrap();
    let transport = Transport::with_deadline("quorum", vec![url], Duration::from_millis(50)).unwrap();
    let error = transport.call("eth_chainId", json!([])).await.unwrap_err();
    assert_eq!(error.code(), "EVM-RPC-001", "{error}");
}

#[tokio::test]
async fn a_dead_endpoint_gives_way_to_the_next() {
    let (url, seen) = serve(2, ok);
    let transport = transport(vec![dead(), url]);
    assert_eq!(transport.call("eth_chainId", json!([])).await.unwrap(), "eth_chainId");
    assert_eq!(transport.call_once("eth_gasPrice", json!([])).await.unwrap(), "eth_gasPrice");
    let heads: Vec<String> = seen.iter().take(2).map(|(head, _)| head.to_lowercase()).collect();
    // base64 of "user:secret": credentials go into the header that they are for.
    assert!(heads.iter().all(|head| head.contains("authorization: basic dxnlcjpzzwnyzxq=")), "{heads:?}");
    let error = super::Transport::new("quorum", vec![dead()]).unwrap().call_once("x", json!([])).await.unwrap_err();
    assert_eq!(error.code(), "EVM-RPC-001");
    assert!(error.to_string().contains("quorum[0] 127.0.0.1:9") && !error.to_string().contains("secret"), "{error}");
}

#[tokio::test]
async fn a_broadcast_is_not_repeated() {
    let (url, seen) = serve(limits::ATTEMPTS_MAX, |_| (503, String::new()));
    let error = transport(vec![url]).call_once("eth_sendRawTransaction", json!([])).await.unwrap_err();
    assert_eq!(error.code(), "EVM-RPC-002", "{error}");
    assert_eq!(seen.try_iter().count(), 1);
}

async fn batch(answer: Handler) -> Result<Vec<Answer>> {
    let (url, _seen) = serve(limits::ATTEMPTS_MAX, answer);
    let requests = ["a", "b", "c"].map(|method| Request::new(method, json!([])));
    transport(vec![url]).batch(&requests).await
}

fn results(ids: &Value, order: &[usize]) -> Value {
    let answer = |i: &usize| json!({ "jsonrpc": "2.0", "id": ids[i]["id"], "result": ids[i]["method"] });
    order.iter().map(answer).collect()
}

#[tokio::test]
async fn batches_come_back_in_order_or_not_at_all() {
    let answers = batch(|r| (200, results(r, &[2, 0, 1]).to_string())).await.unwrap();
    let values: Vec<Value> = answers.into_iter().map(core::result::Result::unwrap).collect();
    assert_eq!(values, ["a", "b", "c"]);

    let refused: [Handler; 4] = [
        |r| (200, results(r, &[0, 1]).to_string()),
        |r| (200, results(r, &[0, 1, 1]).to_string()),
        |r| (200, results(r, &[0, 1, 2, 2]).to_string()),
        |r| (200, results(r, &[0])[0].to_string()),
    ];
    for answer in refused {
        assert_eq!(batch(answer).await.unwrap_err().code(), "EVM-RPC-004");
    }
    let whole: Handler = |_| (200, json!({ "jsonrpc": "2.0", "id": null, "error": error(-32600) }).to_string());
    assert_eq!(batch(whole).await.unwrap_err().code(), "EVM-RPC-005");

    let transport = transport(vec![dead()]);
    let many = vec![Request::new("a", json!([])); limits::BATCH_MAX + 1];
    assert_eq!(transport.batch(&many).await.unwrap_err().code(), "EVM-RPC-006");
    assert_eq!(transport.batch(&[]).await.unwrap().len(), 0);
}

#[tokio::test]
async fn it_serves_as_the_client_of_an_ethers_provider() {
    use ethers_providers::{Middleware, Provider};
    let answer: Handler = |r| {
        assert_eq!(r["method"], "eth_blockNumber");
        (200, json!({ "jsonrpc": "2.0", "id": r["id"], "result": "0x2a" }).to_string())
    };
    let (url, _seen) = serve(1, answer);
    let provider = Provider::new(transport(vec![url]));
    assert_eq!(provider.get_block_number().await.unwrap().as_u64(), 42);
}
