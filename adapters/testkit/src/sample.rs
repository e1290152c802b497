//! A chain that fits in this file, with an adapter to it that can be given one flaw at a time: each check is shown to
//! pass on the sound one and to fail on the flaw that it is there for.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use catenary_api::{PublicKey, TxBody};
use catenary_protocol::{Packet, Payload};
use serde_json::{json, Value};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};

use crate::{Emitted, Fault, Harness, Profile, Sides, TestKey, URL_SECRET};

mod adapter;

pub(crate) use adapter::{Flaw, SampleAdapter};

/// Heights that exist from the start.
const START: u64 = 12;

/// A block: the packets sent in it and the transactions.
#[derive(Clone, Default)]
struct Block {
    packets: Vec<Packet>,
    transactions: Vec<Vec<u8>>,
}

/// The chain's state, served one JSON line a request.
#[derive(Default)]
pub(crate) struct Chain {
    blocks: Vec<Block>,
    pool: Vec<Vec<u8>>,
    /// Whether an account may use a nonce twice: the flaw that is the chain's own.
    careless: bool,
}

/// A transaction's bytes: account, nonce, and what makes it different.
fn account_and_nonce(tx: &[u8]) -> Option<([u8; 33], u64)> {
    Some((tx.get(..33)?.try_into().ok()?, u64::from_be_bytes(tx.get(33..41)?.try_into().ok()?)))
}

impl Chain {
    fn head(&self) -> u64 {
        self.blocks.len() as u64
    }

    fn nonce(&self, account: &[u8; 33]) -> u64 {
        let used = self.blocks.iter().flat_map(|block| &block.transactions);
        used.filter(|tx| account_and_nonce(tx).is_some_and(|(who, _)| who == *account)).count() as u64
    }

    fn block(&mut self, packets: Vec<Packet>) {
        let mut transactions: Vec<Vec<u8>> = Vec::new();
        for tx in std::mem::take(&mut self.pool) {
            let Some((account, nonce)) = account_and_nonce(&tx) else { continue };
            let ahead = transactions.iter().filter(|tx| tx[..33] == account).count() as u64;
            if self.careless || nonce == self.nonce(&account) + ahead {
                transactions.push(tx);
            }
        }
        self.blocks.push(Block { packets, transactions });
    }

    fn place(&self, tx: &[u8]) -> Option<u64> {
        self.blocks.iter().position(|block| block.transactions.iter().any(|t| t == tx)).map(|i| i as u64 + 1)
    }

    fn send(&mut self, tx: Vec<u8>) -> Value {
        // Odd lengths stand for bytes that are no transaction.
        let Some((account, nonce)) = account_and_nonce(&tx).filter(|_| tx.len() == 41 + 8 + 65) else {
            return json!("broken");
        };
        if !self.careless && (self.place(&tx).is_some() || self.pool.contains(&tx)) {
            return json!("known");
        }
        let taken = self.pool.iter().any(|other| other[..41] == tx[..41]);
        if !self.careless && (nonce < self.nonce(&account) || taken) {
            return json!("nonce");
        }
        self.pool.push(tx);
        json!("accepted")
    }

    fn packets(&self, height: u64) -> &[Packet] {
        let index = height.checked_sub(1).and_then(|i| usize::try_from(i).ok());
        index.and_then(|i| self.blocks.get(i)).map_or(&[], |block| &block.packets)
    }

    fn answer(&mut self, request: &Value) -> Value {
        let number = |name: &str| request[name].as_u64().unwrap_or_default();
        let bytes = |name: &str| bytes(&request[name]);
        match request["call"].as_str().unwrap_or_default() {
            "head" => json!(self.head()),
            "packets" => {
                let heights = number("from")..=number("to").min(self.head());
                heights.map(|h| self.packets(h).iter().map(|p| p.sequence).collect::<Value>()).collect()
            }
            "value" => {
                let path = bytes("path");
                let held = (1..=number("height")).flat_map(|height| self.packets(height).to_vec());
                let mut value =
                    held.filter(|packet| packet.commitment_path().as_bytes() == path).map(|p| p.commitment().0);
                value.next_back().map_or(Value::Null, |value| json!(value.to_vec()))
            }
            "nonce" => json!(self.nonce(&bytes("account").try_into().unwrap())),
            "send" => self.send(bytes("tx")),
            "place" => {
                let hash = bytes("hash");
                let found = self.blocks.iter().flat_map(|b| &b.transactions).find(|tx| hash_of(tx) == hash.as_slice());
                found.and_then(|tx| self.place(tx)).map_or(Value::Null, |height| json!(height))
            }
            _ => Value::Null,
        }
    }
}

fn bytes(value: &Value) -> Vec<u8> {
    value.as_array().into_iter().flatten().map(|byte| u8::try_from(byte.as_u64().unwrap()).unwrap()).collect()
}

pub(crate) fn hash_of(tx: &[u8]) -> [u8; 32] {
    catenary_light_clients::Hash32::sha256(&[tx]).0
}

/// The packet of a sequence: all of it follows from the number.
pub(crate) fn packet(sequence: u64) -> Packet {
    let payload = Payload {
        source_port: "transfer".to_owned(),
        destination_port: "transfer".to_owned(),
        version: "v1".to_owned(),
        encoding: "text".to_owned(),
        value: sequence.to_be_bytes().to_vec(),
    };
    Packet {
        sequence,
        source_client: "client-00".to_owned(),
        destination_client: "client-11".to_owned(),
        timeout_timestamp_seconds: 1_900_000_000,
        payloads: vec![payload],
    }
}

/// The chain behind a TCP port, and how to open adapters to it.
pub(crate) struct Sample {
    chain: Arc<Mutex<Chain>>,
    endpoint: SocketAddr,
    flaw: Option<Flaw>,
}

impl Sample {
    pub(crate) async fn start(flaw: Option<Flaw>) -> Self {
        let mut chain = Chain { careless: flaw == Some(Flaw::IncludesTwice), ..Chain::default() };
        (0..START).for_each(|_| chain.block(Vec::new()));
        let chain = Arc::new(Mutex::new(chain));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let endpoint = listener.local_addr().unwrap();
        let served = chain.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, served.clone()));
            }
        });
        Self { chain, endpoint, flaw }
    }
}

async fn serve(stream: TcpStream, chain: Arc<Mutex<Chain>>) -> std::io::Result<()> {
    let (from, mut to) = stream.into_split();
    let mut lines = BufReader::new(from).lines();
    while let Some(line) = lines.next_line().await? {
        let Ok(request) = serde_json::from_str(&line) else { break };
        let answer = chain.lock().unwrap().answer(&request);
        to.write_all(format!("{answer}\n").as_bytes()).await?;
    }
    Ok(())
}

/// Most bytes of an answer.
const ANSWER_BYTES_MAX: u64 = 1024 * 1024;

/// One request and its answer; with the flaw `whole` it reads as long as something comes.
pub(crate) async fn ask(endpoint: SocketAddr, request: &Value, whole: bool) -> std::io::Result<Value> {
    let mut stream = TcpStream::connect(endpoint).await?;
    stream.write_all(format!("{request}\n").as_bytes()).await?;
    if whole {
        tokio::io::copy(&mut stream, &mut tokio::io::sink()).await?;
    }
    let mut line = String::new();
    BufReader::new(stream.take(ANSWER_BYTES_MAX)).read_line(&mut line).await?;
    let end = line.strip_suffix('\n').ok_or(std::io::ErrorKind::UnexpectedEof)?;
    serde_json::from_str(end).map_err(std::io::Error::other)
}

#[async_trait]
impl Harness for Sample {
    fn profile(&self) -> Profile {
        let mut profile = Profile::new("sample", "client-77").without(crate::Ability::Verifies);
        // The adapter's own deadline is 200 ms; a machine that is slow by a factor of fifty still passes.
        profile.call_deadline = std::time::Duration::from_secs(10);
        if matches!(self.flaw, Some(Flaw::NoDeadline | Flaw::NoAnswerBound)) {
            profile.call_deadline = std::time::Duration::from_millis(500);
        }
        profile
    }

    async fn open(&self, through: Option<SocketAddr>) -> Result<Sides, Fault> {
        let url = format!("tcp://user:{URL_SECRET}@{}", through.unwrap_or(self.endpoint));
        Ok(Sides::of(Arc::new(SampleAdapter::new(&url, self.flaw))))
    }

    fn endpoint(&self) -> Option<SocketAddr> {
        Some(self.endpoint)
    }

    async fn advance(&self, blocks: u64) -> Result<(), Fault> {
        let mut chain = self.chain.lock().unwrap();
        (0..blocks).for_each(|_| chain.block(Vec::new()));
        Ok(())
    }

    async fn emit(&self, count: usize) -> Result<Vec<Emitted>, Fault> {
        let mut chain = self.chain.lock().unwrap();
        let mut emitted = Vec::new();
        // Two in one block, an empty block, then one a block.
        chain.block(vec![packet(1), packet(2)]);
        emitted.extend([1, 2].map(|n| Emitted { height: chain.head(), packet: packet(n) }));
        for sequence in 3..=count as u64 {
            chain.block(Vec::new());
            chain.block(vec![packet(sequence)]);
            emitted.push(Emitted { height: chain.head(), packet: packet(sequence) });
        }
        Ok(emitted)
    }

    async fn transaction(&self, _key: &PublicKey, number: u64) -> Result<TxBody, Fault> {
        let data = number.to_be_bytes().to_vec();
        Ok(TxBody::Call(vec![catenary_api::Call { to: None, type_url: String::new(), data, summary: String::new() }]))
    }

    fn keys(&self) -> Option<[TestKey; 2]> {
        Some([TestKey::new(&[1; 32]).unwrap(), TestKey::new(&[2; 32]).unwrap()])
    }
}
