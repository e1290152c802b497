//! Recorded answers of a GoQuorum network and a server that gives any answer, for the unit tests.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::sync::mpsc::{channel, Receiver};

use serde_json::{json, Value};
use url::Url;

use crate::adapter::EvmAdapter;
use crate::config::EvmConfig;

pub(crate) fn blocks() -> Vec<Value> {
    serde_json::from_str(include_str!("../../../tests/vectors/evm/blocks.json")).unwrap()
}

pub(crate) fn logs() -> Vec<Value> {
    serde_json::from_str(include_str!("../../../tests/vectors/evm/logs.json")).unwrap()
}

pub(crate) fn receipts() -> Vec<Value> {
    serde_json::from_str(include_str!("../../../tests/vectors/evm/receipts.json")).unwrap()
}

pub(crate) fn proof() -> Value {
    serde_json::from_str(include_str!("../../../tests/vectors/evm/proof.json")).unwrap()
}

/// The value with one field replaced, or taken away where the new value is null.
pub(crate) fn with(value: &Value, pointer: &str, new: Value) -> Value {
    let mut changed = value.clone();
    if new.is_null() {
        let (parent, field) = pointer.rsplit_once('/').unwrap();
        let parent = changed.pointer_mut(parent).unwrap();
        assert!(parent.as_object_mut().unwrap().remove(field).is_some(), "{pointer}");
    } else {
        *changed.pointer_mut(pointer).unwrap_or_else(|| panic!("no {pointer}")) = new;
    }
    changed
}

/// What a server answers to a request body.
pub(crate) type Handler = fn(&Value) -> (u16, String);

/// A server of `count` connections, one request each; gives its URL with credentials and the requests it saw.
pub(crate) fn serve(
    count: usize,
    answer: impl Fn(&Value) -> (u16, String) + Send + 'static,
) -> (Url, Receiver<(String, Value)>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let (seen, requests) = channel();
    std::thread::spawn(move || {
        for stream in listener.incoming().take(count) {
            let mut stream = stream.unwrap();
            let mut reader = BufReader::new(stream.try_clone().unwrap());
            let (mut head, mut length) = (String::new(), 0);
            loop {
                let mut line = String::new();
                reader.read_line(&mut line).unwrap();
                if let Some(value) = line.to_lowercase().strip_prefix("content-length:") {
                    length = value.trim().parse().unwrap();
                }
                head.push_str(&line);
                if line.trim().is_empty() {
                    break;
                }
            }
            let mut body = vec![0; length];
            reader.read_exact(&mut body).unwrap();
            let body: Value = serde_json::from_slice(&body).unwrap();
            let (status, text) = answer(&body);
            let _ = seen.send((head, body));
            let close = "connection: close\r\nlocation: http://127.0.0.1:9/";
            // The client may hang up first, as it does on bodies that are too long.
            let _ = write!(stream, "HTTP/1.1 {status} x\r\ncontent-length: {}\r\n{close}\r\n\r\n{text}", text.len());
        }
    });
    (format!("http://user:secret@127.0.0.1:{port}/key-123").parse().unwrap(), requests)
}

/// An adapter whose node answers each single call by method and parameters: a result, or an error object.
pub(crate) fn adapter(
    change: impl FnOnce(&mut EvmConfig),
    node: impl Fn(&str, &Value) -> Result<Value, Value> + Send + 'static,
) -> EvmAdapter {
    let answer = move |call: &Value| {
        let outcome = node(call["method"].as_str().unwrap(), &call["params"]);
        let (field, value) = outcome.map_or_else(|error| ("error", error), |result| ("result", result));
        json!({ "jsonrpc": "2.0", "id": call["id"], field: value })
    };
    let (url, _) = serve(usize::MAX, move |body| {
        let answers = match body {
            Value::Array(calls) => calls.iter().map(&answer).collect(),
            call => answer(call),
        };
        (200, answers.to_string())
    });
    let mut config = EvmConfig::new("quorum", url.as_str(), 1337);
    config.router = Some([9; 20]);
    change(&mut config);
    EvmAdapter::new(config).unwrap()
}
