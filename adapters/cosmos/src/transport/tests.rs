//! The transport against endpoints that fail in each way there is.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests fail by panicking")]

use std::sync::Arc;

use tendermint_rpc::endpoint::{health, tx};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use super::*;
use crate::config::testing::config;

/// What an endpoint does with a request.
#[derive(Clone, Debug)]
enum Answer {
    /// HTTP status and body.
    Http(u16, String),
    /// A body that never ends.
    Endless,
    /// Takes the request and says nothing.
    Silence,
    /// Closes the connection.
    Hangup,
}

fn result(text: &str) -> Answer {
    Answer::Http(200, format!(r#"{{"jsonrpc":"2.0","id":1,"result":{text}}}"#))
}

fn failure(data: &str) -> Answer {
    let error = format!(r#"{{"code":-32603,"message":"Internal error","data":"{data}"}}"#);
    Answer::Http(200, format!(r#"{{"jsonrpc":"2.0","id":1,"error":{error}}}"#))
}

/// An endpoint that gives its answers in order, the last one for ever, and counts the requests.
async fn endpoint(answers: Vec<Answer>) -> (String, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://name:secret@{}/token", listener.local_addr().unwrap());
    let count = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&count);
    tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut request = vec![0; 65_536];
            let mut filled = 0;
            // Headers and body may come in two pieces; all bodies here end in a brace or a bracket.
            while !request[..filled].ends_with(b"}") && !request[..filled].ends_with(b"]") {
                filled += match stream.read(&mut request[filled..]).await {
                    Ok(0) | Err(_) => break,
                    Ok(read) => read,
                };
            }
            let index = counter.fetch_add(1, Ordering::SeqCst).min(answers.len() - 1);
            let answer = answers[index].clone();
            tokio::spawn(serve(stream, answer));
        }
    });
    (url, count)
}

async fn serve(mut stream: tokio::net::TcpStream, answer: Answer) {
    match answer {
        Answer::Http(status, body) => {
            let head = format!("HTTP/1.1 {status} X\r\ncontent-length: {}\r\nconnection: close\r\n\r\n", body.len());
            let _ = stream.write_all((head + &body).as_bytes()).await;
        }
        Answer::Endless => {
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n").await;
            while stream.write_all(&[b' '; 4096]).await.is_ok() {}
        }
        Answer::Silence => {
            let mut byte = [0];
            let _ = stream.read(&mut byte).await;
        }
        Answer::Hangup => {}
    }
}

fn transport(urls: Vec<String>) -> Transport {
    let config = CosmosConfig { urls, ..config() };
    let mut transport = Transport::new(&config).unwrap();
    (transport.deadline_ms, transport.body_bytes_max) = (300, 100_000);
    transport
}

async fn ask(transport: &Transport, attempts: Attempts) -> Result<()> {
    transport.call(health::Request, attempts).await.map(|_| ())
}

#[tokio::test]
async fn each_failure_has_its_code_and_no_secret() {
    let oversized = format!(r#"{{"jsonrpc":"2.0","id":1,"result":"{}"}}"#, "x".repeat(100_000));
    let rows = [
        ("silence", "COS-RPC-002", Answer::Silence),
        ("hangup", "COS-RPC-008", Answer::Hangup),
        ("status 503", "COS-RPC-003", Answer::Http(503, String::new())),
        ("status 401", "COS-RPC-003", Answer::Http(401, String::new())),
        ("redirect", "COS-RPC-003", Answer::Http(302, String::new())),
        ("body too large", "COS-RPC-004", Answer::Http(200, oversized)),
        ("body without end", "COS-RPC-004", Answer::Endless),
        ("no JSON", "COS-RPC-005", Answer::Http(200, "<html>".into())),
        ("cut JSON", "COS-RPC-005", Answer::Http(200, r#"{"jsonrpc":"2.0","id":1,"#.into())),
        ("another version", "COS-RPC-005", Answer::Http(200, r#"{"jsonrpc":"1.0","id":1,"result":{}}"#.into())),
        ("neither result nor error", "COS-RPC-005", Answer::Http(200, r#"{"jsonrpc":"2.0","id":1}"#.into())),
        ("empty", "COS-RPC-005", Answer::Http(200, String::new())),
        ("node's error", "COS-RPC-006", failure("height 9 must be less")),
    ];
    for (name, code, answer) in rows {
        let (url, count) = endpoint(vec![answer]).await;
        let error = ask(&transport(vec![url]), Attempts::Unsent).await.unwrap_err();
        assert_eq!(error.code(), code, "{name}: {error}");
        let shown = format!("{error} {error:?}");
        assert!(!shown.contains("secret") && !shown.contains("token"), "{name}: {shown}");
        assert!(shown.contains("sim[0] 127.0.0.1:"), "{name} names its endpoint: {shown}");
        assert_eq!(count.load(Ordering::SeqCst), 1, "{name} is asked once");
    }
}

#[tokio::test]
async fn transient_failures_are_tried_again_and_others_are_not() {
    let (flaky, count) = endpoint(vec![Answer::Http(503, String::new()), Answer::Hangup, result("{}")]).await;
    assert_eq!(ask(&transport(vec![flaky]), Attempts::Retry).await, Ok(()));
    assert_eq!(count.load(Ordering::SeqCst), 3);

    let (dead, count) = endpoint(vec![Answer::Http(503, String::new())]).await;
    assert!(ask(&transport(vec![dead]), Attempts::Retry).await.is_err());
    assert_eq!(count.load(Ordering::SeqCst), limits::ATTEMPTS_MIN, "attempts are bounded");

    let (closed, count) = endpoint(vec![Answer::Http(401, String::new())]).await;
    assert!(ask(&transport(vec![closed]), Attempts::Retry).await.is_err());
    assert_eq!(count.load(Ordering::SeqCst), 1, "wrong credentials stay wrong");
}

#[tokio::test]
async fn a_failed_endpoint_gives_way_to_the_next_for_good() {
    let (bad, asked_bad) = endpoint(vec![Answer::Hangup]).await;
    let (good, asked_good) = endpoint(vec![result("{}")]).await;
    let transport = transport(vec![bad, good]);
    for _ in 0..3 {
        assert_eq!(ask(&transport, Attempts::Retry).await, Ok(()));
    }
    assert_eq!((asked_bad.load(Ordering::SeqCst), asked_good.load(Ordering::SeqCst)), (1, 3));
    transport.rotate();
    assert_eq!(ask(&transport, Attempts::Retry).await, Ok(()));
    assert_eq!(asked_bad.load(Ordering::SeqCst), 2, "told to ask another, it does");
}

/// Answers to a batch of three, made from its requests; `spoil` makes them wrong.
async fn batch_endpoint(spoil: fn(&mut Vec<serde_json::Value>)) -> (String, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let count = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&count);
    tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut request = Vec::new();
            while !request.ends_with(b"]") && stream.read_buf(&mut request).await.is_ok_and(|read| read > 0) {}
            counter.fetch_add(1, Ordering::SeqCst);
            let start = request.windows(4).position(|window| window == b"\r\n\r\n").unwrap() + 4;
            let requests: Vec<serde_json::Value> = serde_json::from_slice(&request[start..]).unwrap();
            let answer =
                |request: &serde_json::Value| serde_json::json!({"jsonrpc": "2.0", "id": request["id"], "result": {}});
            let mut answers = requests.iter().map(answer).collect();
            spoil(&mut answers);
            serve(stream, Answer::Http(200, serde_json::Value::from(answers).to_string())).await;
        }
    });
    (url, count)
}

/// What is wrong, the change that makes it so, and what is made of it.
type BatchRow = (&'static str, fn(&mut Vec<serde_json::Value>), core::result::Result<usize, &'static str>);

#[tokio::test]
async fn batches_take_one_request_and_keep_their_order() {
    let rows: &[BatchRow] = &[
        ("all", |_| {}, Ok(3)),
        ("one is missing", |answers| drop(answers.pop()), Err("COS-RPC-005")),
        ("one is another's", |answers| answers.swap(0, 2), Err("COS-RPC-005")),
        ("one too many", |answers| answers.push(answers[0].clone()), Err("COS-RPC-005")),
        ("none", |answers| answers.clear(), Err("COS-RPC-005")),
        (
            "one is an error",
            |answers| {
                let error = serde_json::json!({"code": -32603, "message": "Internal error", "data": "no"});
                answers[1] = serde_json::json!({"jsonrpc": "2.0", "id": answers[1]["id"], "error": error});
            },
            Err("COS-RPC-006"),
        ),
    ];
    for (name, spoil, expect) in rows {
        let (url, count) = batch_endpoint(*spoil).await;
        let got = transport(vec![url]).batch(vec![health::Request; 3]).await;
        assert_eq!(got.map(|answers| answers.len()).map_err(|error| error.code()), *expect, "{name}");
        let asked = if expect.is_ok() { 1 } else { limits::ATTEMPTS_MIN };
        assert_eq!(count.load(Ordering::SeqCst), asked, "{name}");
    }
}

#[tokio::test]
async fn where_batches_are_refused_each_is_asked_for_itself() {
    let (url, count) = endpoint(vec![Answer::Http(400, String::new()), result("{}")]).await;
    let transport = transport(vec![url]);
    assert_eq!(transport.batch(vec![health::Request; 3]).await.map(|answers| answers.len()), Ok(3));
    assert_eq!(count.load(Ordering::SeqCst), 4, "once together, then each");
    assert_eq!(transport.batch(vec![health::Request; 3]).await.map(|answers| answers.len()), Ok(3));
    assert_eq!(count.load(Ordering::SeqCst), 7, "no second try together");

    let oversized = Answer::Http(200, "x".repeat(100_001));
    let (url, count) = endpoint(vec![oversized.clone(), result("{}"), result("{}"), oversized, result("{}")]).await;
    let transport = self::transport(vec![url]);
    for expect in [3, 6] {
        assert_eq!(transport.batch(vec![health::Request; 2]).await.map(|answers| answers.len()), Ok(2));
        assert_eq!(count.load(Ordering::SeqCst), expect, "a large answer says nothing of the next");
    }
}

#[tokio::test]
async fn what_may_be_sent_once_goes_elsewhere_only_when_unsent() {
    let dead = "http://127.0.0.1:9".to_owned();
    let error = ask(&transport(vec![dead.clone()]), Attempts::Unsent).await.unwrap_err();
    assert_eq!(error.code(), "COS-RPC-001", "{error}");
    let (good, count) = endpoint(vec![result("{}")]).await;
    assert_eq!(ask(&transport(vec![dead, good.clone()]), Attempts::Unsent).await, Ok(()));
    assert_eq!(count.load(Ordering::SeqCst), 1);
    for lost in [Answer::Hangup, Answer::Silence, Answer::Http(503, String::new()), Answer::Http(200, "x".into())] {
        let (bad, asked) = endpoint(vec![lost.clone()]).await;
        assert!(ask(&transport(vec![bad, good.clone()]), Attempts::Unsent).await.is_err(), "{lost:?}");
        assert_eq!(asked.load(Ordering::SeqCst), 1, "{lost:?}");
    }
    assert_eq!(count.load(Ordering::SeqCst), 1, "nothing was sent twice");
}

#[tokio::test]
async fn an_unknown_transaction_is_an_answer() {
    let request = || tx::Request::new(tendermint::Hash::Sha256([0; 32]), false);
    let (url, count) = endpoint(vec![failure("tx (00) not found")]).await;
    let error = transport(vec![url]).call(request(), Attempts::Retry).await.unwrap_err();
    assert!(is_not_found(&error), "{error}");
    assert_eq!(count.load(Ordering::SeqCst), 1, "it is not asked again");

    let (url, _) = endpoint(vec![failure("transaction indexing is disabled")]).await;
    let error = transport(vec![url]).call(request(), Attempts::Unsent).await.unwrap_err();
    assert!(!is_not_found(&error), "{error}");
}

#[test]
fn urls_that_cannot_work_are_refused_without_showing_them() {
    for url in ["", "127.0.0.1:26657", "ftp://user:secret@host", "unix:///secret", "http://"] {
        let config = CosmosConfig { urls: vec![url.into()], ..config() };
        let error = Transport::new(&config).unwrap_err();
        assert_eq!(error.code(), "COS-CFG-001", "{url}");
        assert!(!error.to_string().contains("secret"), "{error}");
    }
}
