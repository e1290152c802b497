//! A plain JSON-RPC client and a wallet, which know nothing of the adapter.
#![allow(
    dead_code,
    clippy::unwrap_used,
    clippy::missing_panics_doc,
    unreachable_pub,
    reason = "shared by tests that each use a part, and fail by panicking"
)]

use std::time::Duration;

use catenary_devnet::evm::{EvmConfig, EvmDevnet};
use catenary_light_clients::crypto::keccak256;
use catenary_light_clients::rlp::{put_bytes, put_list, put_uint};
use catenary_light_clients::testing::Key;
use serde_json::{json, Value};

pub const MINUTE: Duration = Duration::from_secs(60);
pub const CHAIN_ID: u64 = 1_337;
pub const START_SECONDS: u64 = 1_795_000_000;
/// A hundred ether.
pub const RICH: u128 = 100_000_000_000_000_000_000;

/// Blocks on demand, time by itself, and one rich account.
pub fn on_demand() -> EvmConfig {
    EvmConfig {
        block_interval: None,
        time_start: Some(START_SECONDS),
        funded: vec![(user().address().0, RICH)],
        ..EvmConfig::default()
    }
}

/// The account that has ether.
pub fn user() -> Key {
    Key::new(77)
}

/// An account without any.
pub fn pauper() -> Key {
    Key::new(78)
}

pub fn hex(bytes: impl AsRef<[u8]>) -> String {
    format!("0x{}", hex::encode(bytes))
}

pub fn number(value: &Value) -> u64 {
    u64::from_str_radix(value.as_str().unwrap().strip_prefix("0x").unwrap(), 16).unwrap()
}

/// A plain client.
#[derive(Clone)]
pub struct Client {
    http: reqwest::Client,
    url: String,
}

impl Client {
    pub fn new(url: impl Into<String>) -> Self {
        Self { http: reqwest::Client::builder().no_proxy().build().unwrap(), url: url.into() }
    }

    pub fn of(devnet: &EvmDevnet) -> Self {
        Self::new(devnet.url())
    }

    /// The whole answer.
    pub async fn post(&self, body: &Value) -> Value {
        let sent = self.http.post(&self.url).body(body.to_string()).send().await.unwrap();
        sent.json().await.unwrap()
    }

    async fn answer(&self, method: &str, params: Value) -> Value {
        self.post(&json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": params })).await
    }

    /// The result.
    pub async fn ask(&self, method: &str, params: Value) -> Value {
        let mut answer = self.answer(method, params.clone()).await;
        assert!(answer.get("error").is_none(), "{method} {params}: {answer}");
        answer["result"].take()
    }

    /// The error: its code, message and data.
    pub async fn fail(&self, method: &str, params: Value) -> (i64, String, Value) {
        let mut answer = self.answer(method, params.clone()).await;
        assert!(answer.get("error").is_some(), "{method} {params}: {answer}");
        let error = &mut answer["error"];
        (error["code"].as_i64().unwrap(), error["message"].as_str().unwrap().to_owned(), error["data"].take())
    }

    pub async fn nonce(&self, key: &Key) -> u64 {
        number(&self.ask("eth_getTransactionCount", json!([hex(key.address().0), "latest"])).await)
    }
}

/// A transaction to sign.
#[derive(Clone)]
pub struct Draft {
    pub nonce: u64,
    pub to: Option<[u8; 20]>,
    pub value: u64,
    pub data: Vec<u8>,
    pub gas: u64,
    pub price: u64,
    pub chain_id: u64,
}

impl Default for Draft {
    fn default() -> Self {
        Self { nonce: 0, to: Some([9; 20]), value: 0, data: Vec::new(), gas: 8_000_000, price: 0, chain_id: CHAIN_ID }
    }
}

fn bytes(out: &mut Vec<u8>, value: &[u8]) {
    put_bytes(out, value);
}

fn list(payload: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    put_list(&mut out, payload);
    out
}

fn trimmed(word: &[u8]) -> Vec<u8> {
    word.iter().copied().skip_while(|byte| *byte == 0).collect()
}

impl Draft {
    fn tail(&self, out: &mut Vec<u8>) {
        put_uint(out, self.gas);
        bytes(out, self.to.as_ref().map_or(&[], <[u8; 20]>::as_slice));
        put_uint(out, self.value);
        bytes(out, &self.data);
    }

    /// EIP-155, or without a chain id at all when it is 0.
    pub fn legacy(&self, key: &Key) -> Vec<u8> {
        let mut payload = Vec::new();
        put_uint(&mut payload, self.nonce);
        put_uint(&mut payload, self.price);
        self.tail(&mut payload);
        let mut signed = payload.clone();
        if self.chain_id > 0 {
            put_uint(&mut signed, self.chain_id);
            signed.extend([0x80, 0x80]);
        }
        let signature = key.sign(&keccak256(&[&list(&signed)]).0);
        let base = if self.chain_id > 0 { self.chain_id * 2 + 35 } else { 27 };
        put_uint(&mut payload, base + u64::from(signature[64]));
        bytes(&mut payload, &trimmed(&signature[..32]));
        bytes(&mut payload, &trimmed(&signature[32..64]));
        list(&payload)
    }

    /// EIP-2930 (kind 1) or EIP-1559 (kind 2), with one entry in the access list.
    pub fn typed(&self, key: &Key, kind: u8) -> Vec<u8> {
        let mut payload = Vec::new();
        put_uint(&mut payload, self.chain_id);
        put_uint(&mut payload, self.nonce);
        put_uint(&mut payload, self.price);
        if kind == 2 {
            put_uint(&mut payload, self.price);
        }
        self.tail(&mut payload);
        let (mut keys, mut entry) = (Vec::new(), Vec::new());
        bytes(&mut keys, &[5; 32]);
        bytes(&mut entry, &[6; 20]);
        put_list(&mut entry, &keys);
        put_list(&mut payload, &list(&entry));
        let signature = key.sign(&keccak256(&[&[kind], &list(&payload)]).0);
        put_uint(&mut payload, u64::from(signature[64]));
        bytes(&mut payload, &trimmed(&signature[..32]));
        bytes(&mut payload, &trimmed(&signature[32..64]));
        [vec![kind], list(&payload)].concat()
    }
}

/// Code that creates a contract with this code.
pub fn creation(code: &[u8]) -> Vec<u8> {
    // PUSH1 length, DUP1, PUSH1 offset of the code, PUSH1 0, CODECOPY, PUSH1 0, RETURN.
    let length = u8::try_from(code.len()).unwrap();
    [&[0x60, length, 0x80, 0x60, 0x0b, 0x60, 0, 0x39, 0x60, 0, 0xf3][..], code].concat()
}

/// A contract that stores the second word of its call data at the slot in the first, and logs it with that slot as a
/// topic; without call data it reverts with `Error("no")`, and with one word it returns what is there.
pub fn store() -> Vec<u8> {
    let mut code = Vec::new();
    // CALLDATASIZE PUSH1 <with data> JUMPI
    code.extend([0x36, 0x60, 0x00, 0x57]);
    // Error(string) "no": selector word, offset, length, text, written from 0.
    code.extend([0x63, 0x08, 0xc3, 0x79, 0xa0, 0x60, 0xe0, 0x1b, 0x60, 0x00, 0x52]);
    code.extend([0x60, 0x20, 0x60, 0x04, 0x52, 0x60, 0x02, 0x60, 0x24, 0x52]);
    code.extend([0x61, 0x6e, 0x6f, 0x60, 0xf0, 0x1b, 0x60, 0x44, 0x52, 0x60, 0x64, 0x60, 0x00, 0xfd]);
    let with_data = u8::try_from(code.len()).unwrap();
    code[2] = with_data;
    // JUMPDEST, CALLDATASIZE PUSH1 0x20 LT (0x20 < size) PUSH1 <write> JUMPI
    code.extend([0x5b, 0x36, 0x60, 0x20, 0x10, 0x60, 0x00, 0x57]);
    let jump = code.len() - 2;
    // return sload(calldata[0])
    code.extend([0x60, 0, 0x35, 0x54, 0x60, 0, 0x52, 0x60, 0x20, 0x60, 0, 0xf3]);
    code[jump] = u8::try_from(code.len()).unwrap();
    // JUMPDEST, sstore(calldata[0], calldata[0x20]), log1(0x20 bytes of the value, topic = slot), STOP
    code.extend([0x5b, 0x60, 0x20, 0x35, 0x60, 0, 0x35, 0x55]);
    code.extend([0x60, 0x20, 0x35, 0x60, 0, 0x52, 0x60, 0, 0x35, 0x60, 0x20, 0x60, 0, 0xa1, 0x00]);
    code
}

/// The address that a sender's transaction with this nonce creates.
pub fn created(sender: &Key, nonce: u64) -> [u8; 20] {
    let mut payload = Vec::new();
    bytes(&mut payload, &sender.address().0);
    put_uint(&mut payload, nonce);
    keccak256(&[&list(&payload)]).0[12..].try_into().unwrap()
}

/// Call data of two words.
pub fn words(slot: u64, value: u64) -> Vec<u8> {
    let word = |n: u64| [&[0; 24][..], &n.to_be_bytes()].concat();
    [word(slot), word(value)].concat()
}

/// Deploys the store as the user's next transaction; gives its address.
pub async fn deploy_store(devnet: &EvmDevnet, client: &Client) -> [u8; 20] {
    let nonce = client.nonce(&user()).await;
    let draft = Draft { nonce, to: None, data: creation(&store()), ..Draft::default() };
    client.ask("eth_sendRawTransaction", json!([hex(draft.legacy(&user()))])).await;
    devnet.mine(1).await.unwrap();
    created(&user(), nonce)
}
