//! The EVM devnet and a plain JSON-RPC client: every method, its answers and its errors.
#![cfg(feature = "evm")]
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

mod evm_support;

use catenary_devnet::evm::{BaseFee, EvmConfig, EvmDevnet, Fork};
use catenary_light_clients::testing::Key;
use evm_support::*;
use futures::{SinkExt as _, StreamExt as _};
use serde_json::{json, Value};
use tokio_tungstenite::tungstenite::Message;

async fn start(config: EvmConfig) -> (EvmDevnet, Client) {
    let devnet = EvmDevnet::start(config).await.unwrap();
    let client = Client::of(&devnet);
    (devnet, client)
}

#[tokio::test]
async fn the_node_and_its_empty_chain() {
    let (devnet, client) = start(on_demand()).await;
    let check = |method: &'static str, params: Value, expect: Value| {
        let client = client.clone();
        async move { assert_eq!(client.ask(method, params).await, expect, "{method}") }
    };
    check("eth_chainId", json!([]), json!("0x539")).await;
    check("net_version", json!([]), json!("1337")).await;
    check("eth_syncing", json!([]), json!(false)).await;
    check("eth_accounts", json!([]), json!([])).await;
    check("eth_blockNumber", json!([]), json!("0x0")).await;
    check("eth_gasPrice", json!([]), json!("0x0")).await;
    check("eth_maxPriorityFeePerGas", json!([]), json!("0x0")).await;
    check("eth_getBlockByNumber", json!(["0x1", false]), Value::Null).await;
    check("eth_getBlockByHash", json!([hex([7; 32]), false]), Value::Null).await;
    check("eth_getTransactionByHash", json!([hex([7; 32])]), Value::Null).await;
    check("eth_getTransactionReceipt", json!([hex([7; 32])]), Value::Null).await;
    check("eth_getBalance", json!([hex(user().address().0), "latest"]), json!(format!("{RICH:#x}"))).await;
    check("eth_getBalance", json!([hex([7; 20])]), json!("0x0")).await;
    check("eth_getCode", json!([hex([7; 20]), "latest"]), json!("0x")).await;
    check("eth_getStorageAt", json!([hex([7; 20]), "0x0", "latest"]), json!(hex([0; 32]))).await;
    check("web3_sha3", json!(["0x"]), json!(hex(catenary_light_clients::crypto::keccak256(&[]).0))).await;
    assert!(client.ask("web3_clientVersion", json!([])).await.as_str().unwrap().starts_with("catenary-devnet/"));
    let genesis = client.ask("eth_getBlockByNumber", json!(["earliest", true])).await;
    assert_eq!((&genesis["number"], &genesis["timestamp"]), (&json!("0x0"), &json!("0x0")));
    devnet.mine(3).await.unwrap();
    let head = client.ask("eth_getBlockByNumber", json!(["latest", false])).await;
    assert_eq!((number(&head["number"]), number(&head["timestamp"])), (3, START_SECONDS + 2));
    for tag in ["pending", "safe", "finalized", "0x3"] {
        assert_eq!(client.ask("eth_getBlockByNumber", json!([tag, false])).await, head, "{tag}");
    }
    assert_eq!(client.ask("eth_getBlockByHash", json!([head["hash"], false])).await, head);
    let parent = client.ask("eth_getBlockByNumber", json!(["0x2", false])).await;
    assert_eq!(head["parentHash"], parent["hash"]);
    assert!(head.get("baseFeePerGas").is_none(), "Berlin has no base fee");
    devnet.shutdown().await;
}

#[tokio::test]
async fn wrong_parameters_are_refused_and_change_nothing() {
    let (devnet, client) = start(on_demand()).await;
    let check = |method: &'static str, params: Value, code: i64, words: &'static str| {
        let client = client.clone();
        async move {
            let (got, message, _) = client.fail(method, params.clone()).await;
            assert!(got == code && message.contains(words), "{method} {params}: {got} {message}");
        }
    };
    check("eth_nothing", json!([]), -32601, "eth_nothing does not exist").await;
    check("eth_blockNumber", json!({ "a": 1 }), -32602, "non-array").await;
    check("eth_getBlockByNumber", json!([]), -32602, "missing value").await;
    check("eth_getBlockByNumber", json!(["0x01", false]), -32602, "leading zero").await;
    check("eth_getBlockByNumber", json!(["newest", false]), -32602, "0x prefix").await;
    check("eth_getBlockByNumber", json!(["0x1", "yes"]), -32602, "boolean").await;
    check("eth_getBlockByHash", json!(["0x12", false]), -32602, "want 32").await;
    check("eth_getBalance", json!([hex([7; 20]), "0x5"]), -32000, "header not found").await;
    check("eth_getBalance", json!(["0x1234", "latest"]), -32602, "want 20").await;
    check("eth_getProof", json!([hex([7; 20]), ["0xzz"], "latest"]), -32602, "storage key").await;
    check("eth_getProof", json!([hex([7; 20]), vec!["0x0"; 1_025], "latest"]), -32602, "too many keys").await;
    check("eth_getLogs", json!([{ "fromBlock": "0x2", "toBlock": "0x1" }]), -32000, "invalid block range").await;
    check("eth_getLogs", json!([{ "fromBlock": "0x0", "toBlock": "0x2710" }]), -32005, "max block range").await;
    check("eth_getLogs", json!([{ "topics": [[], [], [], [], []] }]), -32602, "max topics").await;
    check("eth_getLogs", json!([{ "blockHash": hex([1; 32]), "toBlock": "0x1" }]), -32602, "cannot specify both").await;
    check("eth_getLogs", json!([{ "blockHash": hex([1; 32]) }]), -32000, "unknown block").await;
    check("eth_call", json!(["0x"]), -32602, "no object").await;
    check("eth_call", json!([{}, "latest", { "0x": {} }]), -32602, "overrides").await;
    check("eth_call", json!([{ "data": "0x1", "to": hex([7; 20]) }]), -32602, "").await;
    check("eth_sendRawTransaction", json!(["0x"]), -32000, "too short").await;
    check("eth_sendRawTransaction", json!(["0x03c0"]), -32000, "type not supported").await;
    check("eth_sendRawTransaction", json!(["0xc0"]), -32000, "rlp").await;
    check("eth_subscribe", json!(["newHeads"]), -32000, "notifications not supported").await;
    devnet.shutdown().await;
}

#[tokio::test]
async fn transactions_of_every_kind_are_checked_in_the_words_of_geth() {
    let (devnet, client) = start(on_demand()).await;
    let good = Draft { to: Some([9; 20]), value: 5, gas: 21_000, ..Draft::default() };
    let check = |raw: Vec<u8>, words: &'static str| {
        let client = client.clone();
        async move {
            let (code, message, _) = client.fail("eth_sendRawTransaction", json!([hex(raw)])).await;
            assert!(code == -32000 && message.contains(words), "{words}: {code} {message}");
        }
    };
    check(Draft { gas: 20_999, ..good.clone() }.legacy(&user()), "intrinsic gas too low").await;
    check(Draft { gas: 21_000, ..good.clone() }.typed(&user(), 1), "intrinsic gas too low").await;
    check(Draft { gas: u64::MAX, ..good.clone() }.legacy(&user()), "exceeds block gas limit").await;
    check(Draft { chain_id: 5, ..good.clone() }.legacy(&user()), "invalid chain id for signer: have 5 want 1337").await;
    check(good.typed(&user(), 2), "transaction type not supported").await;
    check(good.legacy(&pauper()), "insufficient funds for gas * price + value").await;
    check(Draft { nonce: 9_999, ..good.clone() }.legacy(&user()), "nonce too high").await;
    check(Draft { data: vec![1; 128 * 1024], ..good.clone() }.legacy(&user()), "oversized data").await;
    let mut twisted = good.legacy(&user());
    let last = twisted.len() - 40;
    twisted[last] ^= 1;
    // Another signature recovers to another, poor sender, or to nobody.
    let (_, message, _) = client.fail("eth_sendRawTransaction", json!([hex(&twisted)])).await;
    assert!(message.contains("insufficient funds") || message.contains("v, r, s"), "{message}");
    twisted.push(0);
    check(twisted, "rlp").await;

    let send = |raw: Vec<u8>| {
        let client = client.clone();
        async move { client.ask("eth_sendRawTransaction", json!([hex(raw)])).await }
    };
    let first = send(good.legacy(&user())).await;
    check(good.legacy(&user()), "already known").await;
    check(Draft { value: 6, ..good.clone() }.legacy(&user()), "replacement transaction underpriced").await;
    let waiting = client.ask("eth_getTransactionByHash", json!([first])).await;
    assert_eq!((&waiting["blockHash"], &waiting["nonce"]), (&Value::Null, &json!("0x0")));
    assert_eq!(client.ask("eth_getTransactionReceipt", json!([first])).await, Value::Null);
    let replacement = send(Draft { price: 3, ..good.clone() }.legacy(&user())).await;
    assert_eq!(client.ask("eth_getTransactionByHash", json!([first])).await, Value::Null);
    // Nonce 2 waits for nonce 1, which has no chain id, as old tools sign.
    let third = send(Draft { nonce: 2, gas: 30_000, ..good.clone() }.typed(&user(), 1)).await;
    devnet.mine(1).await.unwrap();
    assert_eq!(client.ask("eth_getTransactionReceipt", json!([third])).await, Value::Null);
    let second = send(Draft { nonce: 1, chain_id: 0, ..good.clone() }.legacy(&user())).await;
    devnet.mine(1).await.unwrap();
    for (hash, kind, height) in [(&replacement, "0x0", 1), (&second, "0x0", 2), (&third, "0x1", 2)] {
        let receipt = client.ask("eth_getTransactionReceipt", json!([hash])).await;
        assert_eq!((&receipt["status"], &receipt["type"]), (&json!("0x1"), &json!(kind)), "{receipt}");
        assert_eq!(number(&receipt["blockNumber"]), height);
        let tx = client.ask("eth_getTransactionByHash", json!([hash])).await;
        assert_eq!((&tx["blockHash"], &tx["hash"]), (&receipt["blockHash"], hash));
    }
    check(good.legacy(&user()), "nonce too low: next nonce 3, tx nonce 0").await;
    assert_eq!(client.ask("eth_getBalance", json!([hex([9; 20])])).await, json!("0xf"));
    let count = |tag: &'static str| json!([hex(user().address().0), tag]);
    assert_eq!(client.ask("eth_getTransactionCount", count("latest")).await, json!("0x3"));
    send(Draft { nonce: 3, ..good.clone() }.legacy(&user())).await;
    assert_eq!(client.ask("eth_getTransactionCount", count("pending")).await, json!("0x4"));
    assert_eq!(client.ask("eth_getTransactionCount", count("0x1")).await, json!("0x1"), "after block 1");
    devnet.shutdown().await;
}

#[tokio::test]
async fn contracts_calls_estimates_logs_and_storage() {
    let (devnet, client) = start(on_demand()).await;
    let store = deploy_store(&devnet, &client).await;
    let at = hex(store);
    assert_eq!(client.ask("eth_getCode", json!([at])).await, json!(hex(evm_support::store())));
    let call = |data: Vec<u8>| json!({ "from": hex(user().address().0), "to": at, "data": hex(data) });
    let (code, message, data) = client.fail("eth_call", json!([call(vec![]), "latest"])).await;
    assert_eq!((code, message.as_str()), (3, "execution reverted: no"));
    assert!(data.as_str().unwrap().starts_with("0x08c379a0"));
    let (code, message, _) = client.fail("eth_estimateGas", json!([call(vec![])])).await;
    assert_eq!((code, message.as_str()), (3, "execution reverted: no"));

    let estimate = client.ask("eth_estimateGas", json!([call(words(5, 42))])).await;
    let gas = number(&estimate);
    let (_, message, _) =
        client.fail("eth_estimateGas", json!([{ "to": at, "data": hex(words(5, 42)), "gas": "0x7000" }])).await;
    assert!(message.contains("gas required exceeds allowance (28672)"), "{message}");
    for (nonce, slot, value) in [(1, 5, 42), (2, 6, 43), (3, 5, 44)] {
        let draft = Draft { nonce, to: Some(store), data: words(slot, value), gas, ..Draft::default() };
        client.ask("eth_sendRawTransaction", json!([hex(draft.legacy(&user()))])).await;
        devnet.mine(1).await.unwrap();
    }
    let head = client.ask("eth_getBlockByNumber", json!(["latest", true])).await;
    let hash = &head["transactions"][0]["hash"];
    assert_eq!(client.ask("eth_getTransactionByBlockNumberAndIndex", json!(["latest", "0x0"])).await["hash"], *hash);
    let receipt = client.ask("eth_getTransactionReceipt", json!([hash])).await;
    assert_eq!(client.ask("eth_getBlockReceipts", json!(["latest"])).await, json!([receipt]));
    assert!(number(&receipt["gasUsed"]) <= gas);

    let read = |slot: u64, tag: &'static str| {
        let (client, params) = (client.clone(), json!([call(words(slot, 0)[..32].to_vec()), tag]));
        async move { client.ask("eth_call", params).await }
    };
    assert_eq!(read(5, "latest").await, json!(hex(&words(0, 44)[32..])));
    assert_eq!(read(5, "0x2").await, json!(hex(&words(0, 42)[32..])), "as it was");
    assert_eq!(client.ask("eth_getStorageAt", json!([at, "0x6", "latest"])).await, json!(hex(&words(0, 43)[32..])));
    logs(&client, &at).await;
    devnet.shutdown().await;
}

/// The three logs of the store: slots 5, 6 and 5 in blocks 2, 3 and 4.
async fn logs(client: &Client, at: &str) {
    let topic = |slot: u64| hex(&words(slot, 0)[..32]);
    let check = |filter: Value, expect: &'static [u64]| {
        let client = client.clone();
        async move {
            let logs = client.ask("eth_getLogs", json!([filter])).await;
            let heights: Vec<u64> = logs.as_array().unwrap().iter().map(|log| number(&log["blockNumber"])).collect();
            assert_eq!(heights, expect, "{filter}");
        }
    };
    check(json!({ "fromBlock": "0x0" }), &[2, 3, 4]).await;
    check(json!({}), &[4]).await;
    check(json!({ "fromBlock": "0x0", "toBlock": "0x3", "address": at }), &[2, 3]).await;
    check(json!({ "fromBlock": "0x3", "toBlock": "0xff", "address": [at] }), &[3, 4]).await;
    check(json!({ "fromBlock": "0x0", "address": hex([7; 20]) }), &[]).await;
    check(json!({ "fromBlock": "0x0", "topics": [topic(5)] }), &[2, 4]).await;
    check(json!({ "fromBlock": "0x0", "topics": [[topic(5), topic(6)]] }), &[2, 3, 4]).await;
    check(json!({ "fromBlock": "0x0", "topics": [null] }), &[2, 3, 4]).await;
    check(json!({ "fromBlock": "0x0", "topics": [null, topic(5)] }), &[]).await;
    let block = client.ask("eth_getBlockByNumber", json!(["0x3", false])).await;
    check(json!({ "blockHash": block["hash"] }), &[3]).await;
    let logs = client.ask("eth_getLogs", json!([{ "blockHash": block["hash"] }])).await;
    assert_eq!((&logs[0]["data"], &logs[0]["logIndex"]), (&json!(hex(&words(0, 43)[32..])), &json!("0x0")));
}

#[tokio::test]
async fn batches_answer_in_order_and_each_for_itself() {
    let (devnet, client) = start(on_demand()).await;
    let batch = json!([
        { "jsonrpc": "2.0", "id": 7, "method": "eth_chainId", "params": [] },
        { "jsonrpc": "2.0", "id": 8, "method": "eth_nothing", "params": [] },
        { "jsonrpc": "2.0", "id": 9, "method": "eth_blockNumber" },
    ]);
    let answers = client.post(&batch).await;
    assert_eq!((&answers[0]["id"], &answers[0]["result"]), (&json!(7), &json!("0x539")));
    assert_eq!((&answers[1]["id"], &answers[1]["error"]["code"]), (&json!(8), &json!(-32601)));
    assert_eq!((&answers[2]["id"], &answers[2]["result"]), (&json!(9), &json!("0x0")));
    devnet.shutdown().await;
}

#[tokio::test]
async fn heads_and_logs_are_told_over_websocket() {
    let (devnet, client) = start(on_demand()).await;
    let store = deploy_store(&devnet, &client).await;
    let (mut socket, _) = tokio_tungstenite::connect_async(devnet.ws_url()).await.unwrap();
    let mut ids = Vec::new();
    for params in [json!(["newHeads"]), json!(["logs", { "address": hex(store) }]), json!(["newPendingTransactions"])] {
        let call = json!({ "jsonrpc": "2.0", "id": 1, "method": "eth_subscribe", "params": params });
        socket.send(Message::text(call.to_string())).await.unwrap();
        let answer: Value = serde_json::from_str(socket.next().await.unwrap().unwrap().to_text().unwrap()).unwrap();
        ids.push(answer["result"].as_str().unwrap().to_owned());
    }
    let draft = Draft { nonce: 1, to: Some(store), data: words(1, 2), ..Draft::default() };
    let hash = client.ask("eth_sendRawTransaction", json!([hex(draft.legacy(&user()))])).await;
    devnet.mine(1).await.unwrap();
    let mut told = Vec::new();
    for _ in 0..3 {
        let event: Value = serde_json::from_str(socket.next().await.unwrap().unwrap().to_text().unwrap()).unwrap();
        assert_eq!(event["method"], "eth_subscription");
        told.push(event["params"].clone());
    }
    let of = |id: &str| told.iter().find(|event| event["subscription"] == id).unwrap()["result"].clone();
    assert_eq!((number(&of(&ids[0])["number"]), of(&ids[0])["hash"].clone()), {
        let head = client.ask("eth_getBlockByNumber", json!(["latest", false])).await;
        (2, head["hash"].clone())
    });
    assert_eq!(of(&ids[1])["transactionHash"], hash);
    assert_eq!(of(&ids[2]), hash);
    devnet.shutdown().await;
}

#[tokio::test]
async fn every_fork_has_its_fields_and_takes_its_transactions() {
    let fields = [
        (Fork::London, "baseFeePerGas"),
        (Fork::Shanghai, "withdrawalsRoot"),
        (Fork::Cancun, "blobGasUsed"),
        (Fork::Cancun, "excessBlobGas"),
        (Fork::Cancun, "parentBeaconBlockRoot"),
        (Fork::Prague, "requestsHash"),
    ];
    for fork in Fork::ALL {
        let (devnet, client) = start(EvmConfig { fork, ..on_demand() }).await;
        let kinds: &[u8] = if fork >= Fork::London { &[0, 1, 2] } else { &[0, 1] };
        for (nonce, kind) in (0..).zip(kinds) {
            let draft = Draft { nonce, to: None, data: creation(&store()), ..Draft::default() };
            let raw = if *kind == 0 { draft.legacy(&user()) } else { draft.typed(&user(), *kind) };
            client.ask("eth_sendRawTransaction", json!([hex(raw)])).await;
        }
        devnet.mine(1).await.unwrap();
        let block = client.ask("eth_getBlockByNumber", json!(["latest", true])).await;
        assert_eq!(block["transactions"].as_array().unwrap().len(), kinds.len(), "{fork:?}");
        for (since, field) in fields {
            assert_eq!(block.get(field).is_some(), fork >= since, "{fork:?} {field}");
        }
        for tx in block["transactions"].as_array().unwrap() {
            let receipt = client.ask("eth_getTransactionReceipt", json!([tx["hash"]])).await;
            assert_eq!(receipt["status"], "0x1", "{fork:?} {receipt}");
        }
        // PUSH0 STOP: an opcode since Shanghai only.
        let call = json!([{ "data": "0x5f00" }, "latest"]);
        if fork >= Fork::Shanghai {
            assert_eq!(client.ask("eth_call", call).await, "0x");
        } else {
            assert_eq!(client.fail("eth_call", call).await.1, "invalid opcode");
        }
        devnet.shutdown().await;
    }
}

#[tokio::test]
async fn a_market_for_gas_has_a_base_fee_that_falls_when_nobody_sends() {
    let config = EvmConfig { fork: Fork::London, base_fee: BaseFee::Market, ..on_demand() };
    let (devnet, client) = start(config).await;
    let draft = |nonce: u64, price: u64| Draft { nonce, price, gas: 30_000, value: 1, ..Draft::default() };
    let cheap = client.ask("eth_sendRawTransaction", json!([hex(draft(0, 1).typed(&user(), 2))])).await;
    devnet.mine(2).await.unwrap();
    assert_eq!(client.ask("eth_getTransactionReceipt", json!([cheap])).await, Value::Null, "it waits for its price");
    let price = number(&client.ask("eth_gasPrice", json!([])).await);
    assert_eq!(price, 1_000_000_000 * 7 / 8 * 7 / 8 * 7 / 8);
    let dear = client.ask("eth_sendRawTransaction", json!([hex(draft(0, 2 * price).typed(&user(), 2))])).await;
    devnet.mine(1).await.unwrap();
    let receipt = client.ask("eth_getTransactionReceipt", json!([dear])).await;
    // The tip is as high as the cap here, so the cap is paid.
    assert_eq!(number(&receipt["effectiveGasPrice"]), 2 * price);
    let history = client.ask("eth_feeHistory", json!(["0x2", "latest", [50]])).await;
    assert_eq!((number(&history["oldestBlock"]), history["baseFeePerGas"].as_array().unwrap().len()), (2, 3));
    assert_eq!(history["reward"].as_array().unwrap().len(), 2);
    devnet.shutdown().await;
}

#[tokio::test]
async fn states_beyond_the_kept_ones_are_missing_and_blocks_are_not() {
    let (devnet, client) = start(EvmConfig { retained_states: 3, ..on_demand() }).await;
    devnet.mine(5).await.unwrap();
    let balance = |height: &'static str| json!([hex(user().address().0), height]);
    assert_eq!(client.ask("eth_getBalance", balance("0x3")).await, json!(format!("{RICH:#x}")));
    assert!(client.fail("eth_getBalance", balance("0x2")).await.1.starts_with("missing trie node"));
    assert_eq!(number(&client.ask("eth_getBlockByNumber", json!(["0x1", false])).await["number"]), 1);
    devnet.shutdown().await;
}

#[tokio::test]
async fn blocks_come_by_themselves_and_their_time_stays_near_the_clock() {
    let config =
        EvmConfig { time_start: None, block_interval: Some(std::time::Duration::from_millis(20)), ..on_demand() };
    let (devnet, client) = start(config).await;
    for nonce in 0..3 {
        let draft = Draft { nonce, ..Draft::default() };
        client.ask("eth_sendRawTransaction", json!([hex(draft.legacy(&user()))])).await;
        devnet.wait_for_height(nonce + 1, MINUTE).await.unwrap();
    }
    let head = client.ask("eth_getBlockByNumber", json!(["latest", false])).await;
    let now = catenary_devnet::platform::now().as_secs();
    assert!(number(&head["timestamp"]) <= now + catenary_devnet::evm::SECONDS_AHEAD_MAX + 1, "{head}");
    devnet.shutdown().await;
}

#[tokio::test]
async fn configurations_that_cannot_work_are_refused() {
    let check = |config: EvmConfig, words: &'static str| async move {
        let error = EvmDevnet::start(config).await.unwrap_err().to_string();
        assert!(error.contains(words), "{error}");
    };
    check(EvmConfig { validators: 0, ..on_demand() }, "validators is 0").await;
    check(EvmConfig { validators: 65, ..on_demand() }, "validators is 65").await;
    check(EvmConfig { chain_id: 0, ..on_demand() }, "chain_id 0").await;
    check(EvmConfig { gas_limit: 20_999, ..on_demand() }, "gas_limit is 20999").await;
    check(EvmConfig { retained_states: 0, ..on_demand() }, "retained_states is 0").await;
}

#[tokio::test]
async fn the_same_seed_makes_the_same_chain() {
    let head = |seed: u64| async move {
        let (devnet, client) = start(EvmConfig { seed, ..on_demand() }).await;
        devnet.mine(2).await.unwrap();
        let head = client.ask("eth_getBlockByNumber", json!(["latest", true])).await;
        devnet.shutdown().await;
        head
    };
    assert_eq!(head(5).await, head(5).await);
    assert_ne!(head(5).await["hash"], head(6).await["hash"]);
    // The keys of accounts are the caller's.
    assert_ne!(Key::new(1).address(), Key::new(2).address());
}
