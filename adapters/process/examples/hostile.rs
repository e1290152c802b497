//! A plugin that does what it is told to do wrong, for the tests of the host: the setting `mode` names it.
#![allow(clippy::unwrap_used, clippy::print_stderr, clippy::result_large_err, reason = "a test program")]

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::OnceLock;

use tokio::net::UnixListener;
use tonic::{Request, Response, Status};

/// The generated service, over a codec that can lie.
mod proto {
    #![allow(missing_docs, unreachable_pub, elided_lifetimes_in_paths, dead_code, clippy::all, reason = "generated")]
    tonic::include_proto!("catenary.adapter.v1");
}

use proto::adapter_server::{Adapter, AdapterServer};

static MODE: OnceLock<String> = OnceLock::new();
static MARKER: OnceLock<PathBuf> = OnceLock::new();
/// Whether something was asked for after `Open`, whose answer is sound in all modes.
static ASKED: AtomicBool = AtomicBool::new(false);

fn mode() -> &'static str {
    MODE.get().map_or("", String::as_str)
}

/// The codec that the generated code names. In the mode `extra` each answer has a field more than it should.
mod codec {
    use std::marker::PhantomData;

    use prost::bytes::{Buf, BufMut};
    use prost::Message;
    use tonic::codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder};
    use tonic::Status;

    pub(crate) struct StrictCodec<T, U>(PhantomData<(T, U)>);

    impl<T, U> Default for StrictCodec<T, U> {
        fn default() -> Self {
            Self(PhantomData)
        }
    }

    impl<T: Message + 'static, U: Message + Default + 'static> Codec for StrictCodec<T, U> {
        type Encode = T;
        type Decode = U;
        type Encoder = Half<T>;
        type Decoder = Half<U>;

        fn encoder(&mut self) -> Half<T> {
            Half(PhantomData)
        }

        fn decoder(&mut self) -> Half<U> {
            Half(PhantomData)
        }
    }

    pub(crate) struct Half<T>(PhantomData<T>);

    impl<T: Message> Encoder for Half<T> {
        type Item = T;
        type Error = Status;

        fn encode(&mut self, item: T, to: &mut EncodeBuf<'_>) -> Result<(), Status> {
            to.put_slice(&item.encode_to_vec());
            if !super::ASKED.load(super::Ordering::Relaxed) {
                return Ok(());
            }
            match super::mode() {
                // Field 15 as a number, which no message has.
                "extra" => to.put_slice(&[0x78, 1]),
                "garbage" => to.put_slice(&[0xff; 7]),
                _ => {}
            }
            Ok(())
        }
    }

    impl<T: Message + Default> Decoder for Half<T> {
        type Item = T;
        type Error = Status;

        fn decode(&mut self, from: &mut DecodeBuf<'_>) -> Result<Option<T>, Status> {
            let bytes = from.copy_to_bytes(from.remaining());
            T::decode(bytes).map(Some).map_err(|error| Status::data_loss(error.to_string()))
        }
    }
}

struct Hostile;

type Answer<T> = Result<Response<T>, Status>;

fn said(code: &str, class: i32, message: &str) -> Option<proto::Error> {
    Some(proto::Error { code: code.to_owned(), class, message: message.to_owned() })
}

fn event(height: u64, kind: i32) -> proto::Event {
    let packet = proto::Packet { sequence: 1, ..Default::default() };
    proto::Event { height, tx_hash: vec![1; 32], kind, packet: Some(packet), acknowledgements: Vec::new() }
}

#[tonic::async_trait]
impl Adapter for Hostile {
    async fn open(&self, request: Request<proto::OpenRequest>) -> Answer<proto::OpenResponse> {
        let request = request.into_inner();
        let setting = |key: &str| request.settings.iter().find(|s| s.key == key).map(|s| s.value.clone());
        let mode = setting("mode").unwrap();
        let mut name = "hostile".to_owned();
        let mut error = None;
        match mode.as_str() {
            "other" => name = "honest".to_owned(),
            "unopened" => error = said("HST-CFG-001", 3, "no such setting"),
            "deaf" => std::future::pending().await,
            "log" => {
                std::thread::spawn(|| loop {
                    eprintln!("{}", "noise ".repeat(1_000));
                });
            }
            // Inside of the answer of `Open` nothing may be wrong yet.
            _ => {}
        }
        if let Some(marker) = setting("marker") {
            MARKER.set(marker.into()).unwrap();
        }
        let answer = proto::OpenResponse { error, name, version: "1".to_owned(), protocol: 1 };
        MODE.set(mode).unwrap();
        Ok(Response::new(answer))
    }

    async fn identity(&self, _request: Request<proto::IdentityRequest>) -> Answer<proto::IdentityResponse> {
        ASKED.store(true, Ordering::Relaxed);
        let length = if mode() == "lengths" { 31 } else { 32 };
        let chain_id = match mode() {
            "texts" => "x".repeat(10_000),
            "where" => std::env::current_dir().unwrap().display().to_string(),
            _ => "hostile-1".to_owned(),
        };
        Ok(Response::new(proto::IdentityResponse { error: None, chain_id, genesis_hash: vec![7; length] }))
    }

    async fn head(&self, _request: Request<proto::HeadRequest>) -> Answer<proto::HeadResponse> {
        ASKED.store(true, Ordering::Relaxed);
        let mut answer = proto::HeadResponse { error: None, height: 5, timestamp_nanos: 6 };
        match mode() {
            "hang" => std::future::pending().await,
            "die" => {
                eprintln!("these are\x07my last words");
                std::process::exit(7)
            }
            "die-once" if !MARKER.get().unwrap().exists() => {
                std::fs::File::create(MARKER.get().unwrap()).unwrap();
                std::process::abort()
            }
            "memory" => {
                let mut hoard = Vec::new();
                loop {
                    hoard.push(vec![1_u8; 1 << 24]);
                }
            }
            "processor" => loop {
                std::hint::spin_loop();
            },
            "said" => answer.error = said("HST-RPC-001", 1, &"no\nanswer ".repeat(100)),
            "misbehaviour" => answer.error = said("HST-RPC-002", 9, "a class that an adapter cannot claim"),
            "status" => return Err(Status::internal("a status instead of an answer")),
            _ => {}
        }
        Ok(Response::new(answer))
    }

    async fn updates(&self, request: Request<proto::RangeRequest>) -> Answer<proto::UpdatesResponse> {
        let proto::RangeRequest { from, to } = request.into_inner();
        let mut updates: Vec<Vec<u8>> = (from..=to).map(|height| height.to_be_bytes().to_vec()).collect();
        match mode() {
            "counts" => updates.push(vec![1]),
            "oversize" => updates[0] = vec![1; 17 * 1024 * 1024],
            _ => {}
        }
        Ok(Response::new(proto::UpdatesResponse { error: None, updates }))
    }

    async fn events(&self, request: Request<proto::RangeRequest>) -> Answer<proto::EventsResponse> {
        let proto::RangeRequest { from, to } = request.into_inner();
        let events = match mode() {
            "range" => vec![event(to + 1, 1)],
            "order" => vec![event(to, 1), event(from, 1)],
            "kinds" => vec![event(from, 77)],
            "acks" => vec![event(from, 2)],
            "lengths" => vec![proto::Event { tx_hash: vec![1; 33], ..event(from, 1) }],
            "packets" => vec![proto::Event { packet: None, ..event(from, 1) }],
            _ => vec![event(from, 1), event(to, 3)],
        };
        Ok(Response::new(proto::EventsResponse { error: None, events }))
    }

    async fn last_sequence(
        &self,
        _request: Request<proto::LastSequenceRequest>,
    ) -> Answer<proto::LastSequenceResponse> {
        let known = mode() != "counts";
        Ok(Response::new(proto::LastSequenceResponse { error: None, known, sequence: 7 }))
    }

    async fn find(&self, request: Request<proto::FindRequest>) -> Answer<proto::EventsResponse> {
        let proto::FindRequest { from, to, .. } = request.into_inner();
        // Of a client that nobody asked for.
        let events = if mode() == "range" { vec![event(to + 1, 1)] } else { vec![event(from, 1)] };
        Ok(Response::new(proto::EventsResponse { error: None, events }))
    }

    async fn elsewhere(&self, _request: Request<proto::ElsewhereRequest>) -> Answer<proto::ElsewhereResponse> {
        Ok(Response::new(proto::ElsewhereResponse {}))
    }

    async fn proofs(&self, request: Request<proto::ProofsRequest>) -> Answer<proto::ProofsResponse> {
        let mut paths = request.into_inner().paths;
        if mode() == "counts" {
            paths.pop();
        }
        let exists = mode() != "absent";
        let proofs = paths.into_iter().map(|value| proto::Proof { exists, value, proof: vec![1] }).collect();
        Ok(Response::new(proto::ProofsResponse { error: None, proofs }))
    }

    async fn present(&self, request: Request<proto::PresentRequest>) -> Answer<proto::PresentResponse> {
        let more = usize::from(mode() == "counts");
        let present = vec![true; request.into_inner().paths.len() + more];
        Ok(Response::new(proto::PresentResponse { error: None, present }))
    }

    async fn client(&self, _request: Request<proto::ClientRequest>) -> Answer<proto::ClientResponse> {
        let attestors = match mode() {
            "counts" => vec![vec![1; 20]; 1_000],
            "lengths" => vec![vec![1; 19]],
            _ => vec![vec![1; 20]],
        };
        let client = proto::ClientState { attestors, location: "here".to_owned(), ..Default::default() };
        Ok(Response::new(proto::ClientResponse { error: None, client: Some(client) }))
    }

    async fn account(&self, _request: Request<proto::KeyRequest>) -> Answer<proto::AccountResponse> {
        let balance = if mode() == "texts" { "much" } else { "12" }.to_owned();
        let account = proto::Account { address: "me".to_owned(), number: 1, nonce: 2, balance };
        let account = (mode() != "missing").then_some(account);
        Ok(Response::new(proto::AccountResponse { error: None, account }))
    }

    async fn address(&self, _request: Request<proto::KeyRequest>) -> Answer<proto::AddressResponse> {
        if mode() == "hang" {
            std::future::pending::<()>().await;
        }
        let address = if mode() == "missing" { String::new() } else { "me".to_owned() };
        Ok(Response::new(proto::AddressResponse { error: None, address }))
    }

    async fn build(&self, request: Request<proto::BuildRequest>) -> Answer<proto::BuildResponse> {
        let nonce = request.into_inner().nonce;
        let mut tx = proto::UnsignedTx { digest: vec![9; 32], payload: vec![1], nonce, gas_limit: 10, size_bytes: 100 };
        match mode() {
            "nonces" => tx.nonce += 1,
            "gas" => tx.gas_limit = 1_001,
            "sizes" => tx.size_bytes = 2_001,
            "payloads" => tx.payload = vec![1; 2_001],
            "lengths" => tx.digest.truncate(31),
            _ => {}
        }
        Ok(Response::new(proto::BuildResponse { error: None, tx: (mode() != "missing").then_some(tx) }))
    }

    async fn finish(&self, request: Request<proto::FinishRequest>) -> Answer<proto::FinishResponse> {
        if mode() == "hang" {
            std::future::pending::<()>().await;
        }
        let length = if mode() == "sizes" { 2_001 } else { 100 };
        let hash = vec![3; if mode() == "lengths" { 20 } else { 32 }];
        let bytes = [request.into_inner().signature, vec![0; length]].concat();
        let bytes = bytes.into_iter().take(length).collect();
        Ok(Response::new(proto::FinishResponse { error: None, tx: Some(proto::SignedTx { bytes, hash }) }))
    }

    async fn broadcast(&self, _request: Request<proto::BroadcastRequest>) -> Answer<proto::BroadcastResponse> {
        let error = || said("HST-TXN-001", 2, "no");
        let (outcome, error) = match mode() {
            "hang" => std::future::pending().await,
            "die" => std::process::exit(7),
            "kinds" => (77, None),
            "missing" => (2, None),
            "acks" => (1, error()),
            "refused" => (2, error()),
            "nonces" => (4, error()),
            _ => (1, None),
        };
        Ok(Response::new(proto::BroadcastResponse { outcome, error }))
    }

    async fn receipt(&self, _request: Request<proto::ReceiptRequest>) -> Answer<proto::ReceiptResponse> {
        let mut receipt = proto::Receipt { height: 4, success: true, fee: "1".to_owned(), ..Default::default() };
        match mode() {
            "lengths" => receipt.created = vec![1; 19],
            "acks" => receipt.error = "a success that failed".to_owned(),
            "missing" => receipt.fee = String::new(),
            _ => {}
        }
        Ok(Response::new(proto::ReceiptResponse { error: None, receipt: Some(receipt) }))
    }
}

#[tokio::main]
async fn main() {
    let socket = std::env::args_os().nth(2).unwrap();
    assert!(std::env::vars_os().next().is_none(), "the environment is empty");
    let listener = UnixListener::bind(socket).unwrap();
    let connections = futures::stream::unfold(listener, |listener| async {
        Some((listener.accept().await.map(|(stream, _)| stream), listener))
    });
    let service = AdapterServer::new(Hostile).max_encoding_message_size(usize::MAX);
    tonic::transport::Server::builder().add_service(service).serve_with_incoming(connections).await.unwrap();
}
