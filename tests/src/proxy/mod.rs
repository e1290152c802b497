//! An endpoint that lies: a JSON-RPC proxy over HTTP/1.1 that changes answers on their way back.
//!
//! It stands between a member and its chain. Requests go on unchanged, alone or in batches; each answer may be changed
//! by the [`Lie`] in force, which sees the request that it answers. Without one the proxy is a plain relay that counts.

pub mod lies;

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use serde_json::Value;

use crate::localnet::LocalnetError;

/// Changes an answer to a request: both are single JSON-RPC objects. Says whether it changed anything.
pub type Lie = Arc<dyn Fn(&Value, &mut Value) -> bool + Send + Sync>;

/// How long the upstream may take for one request, in seconds.
const UPSTREAM_SECONDS: u64 = 20;
/// Most bytes of a request or answer.
const BODY_BYTES_MAX: u64 = 64 << 20;

struct Shared {
    upstream: RwLock<String>,
    agent: ureq::Agent,
    lie: RwLock<Option<Lie>>,
    requests: AtomicU64,
    posts: AtomicU64,
    lies_told: AtomicU64,
    stopped: AtomicBool,
}

/// A running proxy; it stops taking connections when it is dropped.
pub struct Proxy {
    port: u16,
    shared: Arc<Shared>,
}

impl std::fmt::Debug for Proxy {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Proxy")
            .field("port", &self.port)
            .field("upstream", &self.shared.upstream)
            .finish_non_exhaustive()
    }
}

impl Proxy {
    /// Starts a proxy in front of `upstream`.
    ///
    /// # Errors
    /// When no port can be opened.
    pub fn start(upstream: &str) -> Result<Self, LocalnetError> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).map_err(LocalnetError::io("opening a proxy"))?;
        let port = listener.local_addr().map_err(LocalnetError::io("opening a proxy"))?.port();
        let config = ureq::Agent::config_builder()
            .timeout_global(Some(Duration::from_secs(UPSTREAM_SECONDS)))
            .http_status_as_error(false)
            .build();
        let shared = Arc::new(Shared {
            upstream: RwLock::new(upstream.to_owned()),
            agent: config.into(),
            lie: RwLock::new(None),
            requests: AtomicU64::new(0),
            posts: AtomicU64::new(0),
            lies_told: AtomicU64::new(0),
            stopped: AtomicBool::new(false),
        });
        let serving = shared.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                if serving.stopped.load(Ordering::Relaxed) {
                    break;
                }
                let shared = serving.clone();
                // A connection that breaks is the client's to open again.
                std::thread::spawn(move || shared.serve(stream).ok());
            }
        });
        Ok(Self { port, shared })
    }

    /// Address of the proxy.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Lies from now on.
    pub fn lie(&self, lie: impl Fn(&Value, &mut Value) -> bool + Send + Sync + 'static) {
        self.shared.lies_told.store(0, Ordering::Relaxed);
        *self.shared.lie.write().unwrap_or_else(PoisonError::into_inner) = Some(Arc::new(lie));
    }

    /// Tells the truth from now on.
    pub fn tell_truth(&self) {
        *self.shared.lie.write().unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// Stands in front of another endpoint from now on.
    pub fn redirect(&self, upstream: &str) {
        upstream.clone_into(&mut self.shared.upstream.write().unwrap_or_else(PoisonError::into_inner));
    }

    /// HTTP requests so far, a batch being one.
    #[must_use]
    pub fn posts(&self) -> u64 {
        self.shared.posts.load(Ordering::Relaxed)
    }

    /// Answers that the lie in force has changed.
    #[must_use]
    pub fn lies_told(&self) -> u64 {
        self.shared.lies_told.load(Ordering::Relaxed)
    }

    /// Requests so far, those of a batch one by one.
    #[must_use]
    pub fn requests(&self) -> u64 {
        self.shared.requests.load(Ordering::Relaxed)
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.shared.stopped.store(true, Ordering::Relaxed);
        // Wakes the listener, which then sees that it is to stop.
        let _ = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port));
    }
}

impl Shared {
    fn serve(&self, stream: TcpStream) -> std::io::Result<()> {
        let mut writer = stream.try_clone()?;
        let mut reader = BufReader::new(stream);
        while let Some(body) = read_request(&mut reader)? {
            let answer = self.answer(&body).unwrap_or_else(|message| {
                serde_json::json!({ "jsonrpc": "2.0", "id": null, "error": { "code": -32000, "message": message } })
            });
            let bytes = serde_json::to_vec(&answer)?;
            let head =
                format!("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n", bytes.len());
            writer.write_all(head.as_bytes())?;
            writer.write_all(&bytes)?;
        }
        Ok(())
    }

    fn answer(&self, body: &[u8]) -> Result<Value, String> {
        let request: Value = serde_json::from_slice(body).map_err(|error| error.to_string())?;
        self.posts.fetch_add(1, Ordering::Relaxed);
        let upstream = self.upstream.read().unwrap_or_else(PoisonError::into_inner).clone();
        let sent = self.agent.post(&upstream).header("Content-Type", "application/json").send(body);
        let mut response = sent.map_err(|error| error.to_string())?;
        let read = response.body_mut().with_config().limit(BODY_BYTES_MAX).read_json::<Value>();
        let mut answer = read.map_err(|error| error.to_string())?;
        let lie = self.lie.read().unwrap_or_else(PoisonError::into_inner).clone();
        let one = |request: &Value, answer: &mut Value| {
            self.requests.fetch_add(1, Ordering::Relaxed);
            if lie.as_ref().is_some_and(|lie| lie(request, answer)) {
                self.lies_told.fetch_add(1, Ordering::Relaxed);
            }
        };
        match (&request, &mut answer) {
            (Value::Array(requests), Value::Array(answers)) => {
                for answer in answers {
                    let asked = requests.iter().find(|request| request["id"] == answer["id"]);
                    one(asked.unwrap_or(&Value::Null), answer);
                }
            }
            (request, answer) => one(request, answer),
        }
        Ok(answer)
    }
}

/// The body of the next request; `None` when the client has closed the connection.
fn read_request(reader: &mut impl BufRead) -> std::io::Result<Option<Vec<u8>>> {
    let mut length = 0;
    let mut first = true;
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line)? == 0 {
            return Ok(None);
        }
        let line = line.trim_end();
        if line.is_empty() && !first {
            break;
        }
        first = false;
        if let Some((name, value)) = line.split_once(':') {
            if name.eq_ignore_ascii_case("content-length") {
                length = value.trim().parse().map_err(std::io::Error::other)?;
            }
        }
    }
    if length > BODY_BYTES_MAX {
        return Err(std::io::Error::other("a request over the bound"));
    }
    let mut body = Vec::new();
    reader.take(length).read_to_end(&mut body)?;
    Ok(Some(body))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test")]
    use super::*;
    use crate::localnet::Rpc;
    use serde_json::json;

    /// A server that answers each request with its own parameters.
    fn echo() -> u16 {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let mut reader = BufReader::new(stream.try_clone().unwrap());
                let mut stream = stream;
                while let Ok(Some(body)) = read_request(&mut reader) {
                    let request: Value = serde_json::from_slice(&body).unwrap();
                    let one = |r: &Value| json!({ "jsonrpc": "2.0", "id": r["id"], "result": r["params"] });
                    let answer = match &request {
                        Value::Array(all) => all.iter().map(one).collect(),
                        single => one(single),
                    };
                    let text = answer.to_string();
                    let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", text.len());
                    stream.write_all((head + &text).as_bytes()).unwrap();
                }
            }
        });
        port
    }

    #[test]
    fn answers_pass_unchanged_until_it_lies_and_again_when_it_stops() {
        let proxy = Proxy::start(&format!("http://127.0.0.1:{}", echo())).unwrap();
        let rpc = Rpc::new(proxy.url());
        let ask = |method: &str| rpc.call(method, json!({ "n": 1 })).unwrap();
        assert_eq!(ask("header"), json!({ "n": 1 }));
        proxy.lie(|request, answer| {
            let mine = request["method"] == "header";
            if mine {
                answer["result"]["n"] = json!(2);
            }
            mine
        });
        assert_eq!((ask("header"), ask("other")), (json!({ "n": 2 }), json!({ "n": 1 })));
        assert_eq!((proxy.lies_told(), proxy.requests()), (1, 3));
        proxy.tell_truth();
        assert_eq!(ask("header"), json!({ "n": 1 }));
    }
}
