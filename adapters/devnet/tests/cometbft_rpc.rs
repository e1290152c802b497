//! Every method of the CometBFT devnet, with a plain client: what is answered, and that it has the shape of what a real
//! node answered (`tests/vectors/cosmos-rpc`).
#![cfg(feature = "cometbft")]
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

use std::time::Duration;

use base64::engine::general_purpose::STANDARD;
use base64::Engine as _;
use catenary_adapter_cosmos::setup;
use catenary_api::{ChainSink, SignedTx, TxBody};
use catenary_devnet::cometbft::CometConfig;
use futures::{SinkExt as _, StreamExt as _};
use prost::Message as _;
use serde_json::{json, Value};

#[path = "cometbft/support.rs"]
mod support;
use support::*;

async fn post(url: &str, method: &str, params: Value) -> Value {
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let body = json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": params });
    client.post(url).json(&body).send().await.unwrap().json().await.unwrap()
}

async fn result(rig: &Rig, method: &str, params: Value) -> Value {
    let answer = post(&rig.devnet.url(), method, params).await;
    assert_eq!(answer["error"], Value::Null, "{method}: {answer}");
    answer["result"].clone()
}

async fn error(rig: &Rig, method: &str, params: Value) -> (i64, String) {
    let answer = post(&rig.devnet.url(), method, params).await;
    let error = &answer["error"];
    (error["code"].as_i64().unwrap(), error["data"].as_str().or_else(|| error["message"].as_str()).unwrap().to_owned())
}

fn recorded(name: &str) -> Value {
    let path = format!("{}/../../tests/vectors/cosmos-rpc/{name}.json", env!("CARGO_MANIFEST_DIR"));
    serde_json::from_str::<Value>(&std::fs::read_to_string(path).unwrap()).unwrap()["result"].clone()
}

/// Every field of `real` is in `ours`, and of the same kind. Of lists the first entries are compared; null stands for
/// an empty list or no bytes.
fn check_shape(place: &str, ours: &Value, real: &Value) {
    match (ours, real) {
        (Value::Object(ours), Value::Object(real)) => {
            for (key, value) in real {
                let found = ours.get(key).unwrap_or_else(|| panic!("{place}/{key} is missing"));
                check_shape(&format!("{place}/{key}"), found, value);
            }
        }
        (Value::Array(ours), Value::Array(real)) => {
            if let (Some(ours), Some(real)) = (ours.first(), real.first()) {
                check_shape(&format!("{place}/0"), ours, real);
            }
        }
        (Value::String(ours), Value::String(real)) => {
            let is_number = |text: &str| text.parse::<i128>().is_ok();
            assert_eq!(is_number(ours), is_number(real), "{place}: {ours} {real}");
        }
        (Value::Null, Value::Array(_) | Value::String(_)) | (Value::Array(_) | Value::String(_), Value::Null) => {}
        (ours, real) => {
            let kind = |value: &Value| (value.is_number(), value.is_boolean(), value.is_null());
            assert_eq!(kind(ours), kind(real), "{place}: {ours} {real}");
        }
    }
}

async fn transfer(rig: &Rig, amount: &str) -> SignedTx {
    let account = rig.adapter.account(&rig.relayer.key).await.unwrap();
    let call = setup::bank_send("cosmos", &rig.relayer.address, &User::new("x").address, "stake", amount).unwrap();
    rig.sign(&TxBody::Call(vec![call]), &account, account.nonce).await
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_have_the_shape_of_a_real_nodes() {
    let rig = Rig::start(config()).await;
    let signed = transfer(&rig, "1").await;
    let tx = STANDARD.encode(&signed.bytes);
    result(&rig, "broadcast_tx_sync", json!({ "tx": tx })).await;
    rig.devnet.mine(2).unwrap();
    let hash = STANDARD.encode(signed.hash.0.as_bytes());
    let key = hex::encode(b"attestations-0\x01\0\0\0\0\0\0\0\x01");
    let present =
        json!({ "path": "store/ibc/key", "data": hex::encode(b"clientParams"), "height": "2", "prove": true });
    let absent = json!({ "path": "store/ibc/key", "data": key, "height": "2", "prove": true });
    let later = json!({ "path": "store/ibc/key", "data": key, "height": "900", "prove": true });
    let none = hex::encode([&[0x0a, 14][..], b"attestations-9"].concat());
    let client = json!({ "path": "/ibc.core.client.v1.Query/ClientState", "data": none });
    let rows = [
        ("status", json!({}), "status"),
        ("commit", json!({ "height": "1" }), "commit_1"),
        ("commit", json!({ "height": "3" }), "commit_of_three"),
        ("validators", json!({ "height": "2", "per_page": "100" }), "validators_of_four"),
        ("block", json!({ "height": "2" }), "block_send"),
        ("block_results", json!({ "height": "2" }), "block_results_send"),
        ("block_results", json!({ "height": "1" }), "block_results_empty"),
        ("tx", json!({ "hash": hash }), "tx_send"),
        ("abci_query", present, "abci_query_present"),
        ("abci_query", absent, "abci_query_absent"),
        ("abci_query", later.clone(), "abci_query_not_yet"),
        ("abci_query", client.clone(), "client_state_none"),
    ];
    for (method, params, name) in rows {
        let mut real = recorded(name);
        if let Some(results) = real.pointer_mut("/consensus_param_updates") {
            // A field that came after 0.38.
            results.as_object_mut().unwrap().remove("authority");
        }
        check_shape(name, &result(&rig, method, params).await, &real);
    }
    assert_eq!(result(&rig, "abci_query", later).await, recorded("abci_query_not_yet"), "word for word");
    let none = result(&rig, "abci_query", client).await;
    let real = recorded("client_state_none");
    for field in ["code", "codespace", "log"] {
        assert_eq!(none["response"][field], real["response"][field]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn blocks_are_found_by_height_and_hang_together() {
    let rig = Rig::start(config()).await;
    rig.devnet.mine(4).unwrap();
    let at = |height: u64| json!({ "height": height.to_string() });
    for height in 2..=5 {
        let block = result(&rig, "block", at(height)).await;
        let before = result(&rig, "block", at(height - 1)).await;
        assert_eq!(block["block"]["header"]["last_block_id"], before["block_id"]);
        let commit = result(&rig, "commit", at(height)).await;
        assert_eq!(commit["signed_header"]["header"], block["block"]["header"]);
        assert_eq!(commit["canonical"], json!(height < 5));
        assert_eq!(result(&rig, "header", at(height)).await["header"], block["block"]["header"]);
        let results = result(&rig, "block_results", at(height - 1)).await;
        let app_hash = STANDARD.decode(results["app_hash"].as_str().unwrap()).unwrap();
        assert_eq!(block["block"]["header"]["app_hash"], json!(hex::encode_upper(app_hash)));
    }
    let mut proposers = Vec::new();
    for height in 1..=4 {
        let header = result(&rig, "header", at(height)).await["header"].clone();
        proposers.push(header["proposer_address"].as_str().unwrap().to_owned());
    }
    proposers.sort();
    proposers.dedup();
    assert_eq!(proposers.len(), 4, "each of four equal validators proposes once in four blocks");
    let newest = result(&rig, "block", json!({})).await;
    assert_eq!(newest["block"]["header"]["height"], "5");
    let by_place = post(&rig.devnet.url(), "block", json!(["3"])).await;
    assert_eq!(by_place["result"]["block"]["header"]["height"], "3");
    let list = result(&rig, "blockchain", json!({ "minHeight": "2", "maxHeight": "4" })).await;
    let heights: Vec<&str> =
        list["block_metas"].as_array().unwrap().iter().map(|meta| meta["header"]["height"].as_str().unwrap()).collect();
    assert_eq!((heights, &list["last_height"]), (vec!["4", "3", "2"], &json!("5")));
    let page = result(&rig, "validators", json!({ "height": "6", "page": "2", "per_page": "3" })).await;
    assert_eq!((&page["count"], &page["total"]), (&json!("1"), &json!("4")));
    assert_eq!(result(&rig, "abci_info", json!({})).await["response"]["last_block_height"], "5");
    assert_eq!(result(&rig, "health", json!({})).await, json!({}));
    assert_eq!(result(&rig, "net_info", json!({})).await["n_peers"], "0");
    let genesis = result(&rig, "genesis", json!({})).await;
    assert_eq!(
        (&genesis["genesis"]["chain_id"], genesis["genesis"]["validators"].as_array().unwrap().len()),
        (&json!(CHAIN), 4)
    );
    let params = result(&rig, "consensus_params", json!({})).await;
    assert_eq!(params["consensus_params"]["block"]["max_gas"], "-1");
}

#[tokio::test(flavor = "multi_thread")]
async fn errors_are_those_of_a_real_node() {
    let rig = Rig::start(config()).await;
    let height = |height: &str| json!({ "height": height });
    let must = |height: &str| format!("height {height} must be less than or equal to the current blockchain height 1");
    let zeros = "0".repeat(64);
    let rows = [
        ("block", height("99999999"), -32603, must("99999999")),
        ("block_results", height("2"), -32603, must("2")),
        ("validators", height("3"), -32603, must("3")),
        ("block", height("0"), -32603, "height must be greater than 0, but got 0".to_owned()),
        ("commit", height("-1"), -32603, "height must be greater than 0, but got -1".to_owned()),
        ("commit", height("x"), -32602, "height: \"x\" is no number".to_owned()),
        ("validators", json!({ "page": "9" }), -32603, "page should be within [1, 1] range, given 9".to_owned()),
        ("tx", json!({ "hash": format!("0x{zeros}") }), -32603, format!("tx ({zeros}) not found")),
        ("tx", json!({ "hash": "AAA" }), -32602, "hash is neither base64 nor hex after 0x".to_owned()),
        ("broadcast_tx_sync", json!({ "tx": "?" }), -32602, "tx is neither base64 nor hex after 0x".to_owned()),
        ("subscribe", json!({ "query": "tm.event='NewBlock'" }), -32603, "WebSocket only".to_owned()),
        ("unsafe_flush_mempool", json!({}), -32601, "Method not found".to_owned()),
    ];
    for (method, params, code, words) in rows {
        assert_eq!(error(&rig, method, params).await, (code, words), "{method}");
    }
    let pruned = Rig::start(CometConfig { retain_blocks: 3, retain_states: 3, ..config() }).await;
    pruned.devnet.mine(9).unwrap();
    let words = "height 2 is not available, lowest height is 8".to_owned();
    assert_eq!(error(&pruned, "block", height("2")).await, (-32603, words));
    let query = json!({ "path": "store/ibc/key", "data": "61", "height": "7", "prove": true });
    assert_eq!(result(&pruned, "abci_query", query).await["response"]["code"], 7);
}

#[tokio::test(flavor = "multi_thread")]
async fn transactions_are_broadcast_found_and_refused() {
    let rig = Rig::start(CometConfig { block_interval: Some(Duration::from_millis(20)), ..config() }).await;
    let params = |signed: &SignedTx| json!({ "tx": STANDARD.encode(&signed.bytes) });
    let first = transfer(&rig, "1").await;
    let committed = result(&rig, "broadcast_tx_commit", params(&first)).await;
    assert_eq!(
        (&committed["check_tx"]["code"], &committed["tx_result"]["code"]),
        (&json!(0), &json!(0)),
        "{committed}"
    );
    let again = error(&rig, "broadcast_tx_sync", params(&first)).await;
    assert_eq!(again, (-32603, "tx already exists in cache".to_owned()), "as recorded");
    let hash = hex::encode_upper(first.hash.0.as_bytes());
    for query in [format!("tx.hash='{hash}'"), format!("tx.height={}", committed["height"].as_str().unwrap())] {
        let found = result(&rig, "tx_search", json!({ "query": query })).await;
        assert_eq!((&found["total_count"], &found["txs"][0]["hash"]), (&json!("1"), &json!(hash)));
    }
    let uri = format!("{}/tx?hash=0x{hash}", rig.devnet.url());
    let by_uri: Value = reqwest::get(uri).await.unwrap().json().await.unwrap();
    assert_eq!(by_uri["result"]["hash"], json!(hash));

    let second = transfer(&rig, "2").await;
    let answer = result(&rig, "broadcast_tx_async", params(&second)).await;
    assert_eq!(answer["hash"], json!(hex::encode_upper(second.hash.0.as_bytes())));
    let mut spoilt = transfer(&rig, "3").await;
    *spoilt.bytes.last_mut().unwrap() ^= 1;
    let answer = result(&rig, "broadcast_tx_sync", params(&spoilt)).await;
    assert!(matches!((answer["code"].as_u64(), answer["codespace"].as_str()), (Some(4 | 32), Some("sdk"))), "{answer}");
    let answer = result(&rig, "broadcast_tx_commit", params(&spoilt)).await;
    assert_ne!(answer["check_tx"]["code"], 0, "{answer}");
    let too_large = json!({ "tx": STANDARD.encode(vec![0; 1_048_577]) });
    let (_, words) = error(&rig, "broadcast_tx_sync", too_large).await;
    assert_eq!(words, "tx too large. Max size is 1048576, but got 1048577");
    let none = result(&rig, "num_unconfirmed_txs", json!({})).await;
    assert_eq!(none["txs"], Value::Null);
    rig.devnet.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn waiting_transactions_are_shown_and_each_account_sends_several_a_block() {
    let rig = Rig::start(config()).await;
    let account = rig.adapter.account(&rig.relayer.key).await.unwrap();
    let to = User::new("x").address;
    for nonce in 0..3 {
        let call = setup::bank_send("cosmos", &rig.relayer.address, &to, "stake", "5").unwrap();
        let signed = rig.sign(&TxBody::Call(vec![call]), &account, nonce).await;
        assert_eq!(rig.adapter.broadcast(&signed).await, catenary_api::Broadcast::Accepted);
    }
    let waiting = result(&rig, "unconfirmed_txs", json!({ "limit": "2" })).await;
    assert_eq!((&waiting["n_txs"], &waiting["total"]), (&json!("2"), &json!("3")));
    rig.devnet.mine(1).unwrap();
    assert_eq!(result(&rig, "num_unconfirmed_txs", json!({})).await["total"], "0");
    assert_eq!(rig.devnet.balance(&to, "stake").as_deref(), Some("15"));
}

#[tokio::test(flavor = "multi_thread")]
async fn services_answer_through_abci_query() {
    use cosmos_sdk_proto::cosmos::bank::v1beta1 as bank;
    let rig = Rig::start(config()).await;
    rig.send(TxBody::Call(vec![setup::bank_send(
        "cosmos",
        &rig.relayer.address,
        &User::new("x").address,
        "stake",
        "7",
    )
    .unwrap()]))
        .await;
    let ask = |path: &'static str, data: Vec<u8>| {
        let params = json!({ "path": path, "data": hex::encode(data) });
        let rig = &rig;
        async move { result(rig, "abci_query", params).await["response"].clone() }
    };
    let value = |answer: &Value| STANDARD.decode(answer["value"].as_str().unwrap()).unwrap();
    let address = User::new("x").address;
    let request = bank::QueryAllBalancesRequest { address, ..Default::default() }.encode_to_vec();
    let answer = value(&ask("/cosmos.bank.v1beta1.Query/AllBalances", request).await);
    let balances = bank::QueryAllBalancesResponse::decode(answer.as_slice()).unwrap().balances;
    assert_eq!((balances.len(), balances[0].amount.as_str()), (1, "7"));
    let request = bank::QuerySupplyOfRequest { denom: "stake".into() }.encode_to_vec();
    let answer = value(&ask("/cosmos.bank.v1beta1.Query/SupplyOf", request).await);
    let supply = bank::QuerySupplyOfResponse::decode(answer.as_slice()).unwrap().amount.unwrap();
    assert_eq!(supply.amount, "2000000000000", "a transfer makes nothing");
    let client = [&[0x0a, 14][..], OURS.as_bytes()].concat();
    let refused = [
        ("/ibc.core.client.v1.Query/ClientStatus", client.clone(), 22),
        ("/ibc.core.client.v2.Query/CounterpartyInfo", client.clone(), 22),
        ("/ibc.core.channel.v2.Query/NextSequenceSend", client.clone(), 22),
        ("/ibc.core.channel.v2.Query/PacketCommitment", client.clone(), 22),
        ("/cosmos.bank.v1beta1.Query/Balance", vec![0xff], 18),
        ("/cosmos.gov.v1.Query/Proposals", Vec::new(), 6),
        ("store/staking/key", vec![1], 6),
        ("store/ibc/subspace", vec![1], 6),
    ];
    for (path, data, code) in refused {
        assert_eq!(ask(path, data).await["code"], code, "{path}");
    }
    assert_eq!(ask("/ibc.core.channel.v2.Query/PacketReceipt", client).await["code"], 0, "not received is an answer");
}

#[tokio::test(flavor = "multi_thread")]
async fn blocks_and_transactions_are_told_over_websocket() {
    let rig = Rig::start(config()).await;
    let (mut socket, _) = tokio_tungstenite::connect_async(rig.devnet.ws_url()).await.unwrap();
    for (id, query) in [(7, "tm.event='NewBlock'"), (8, "tm.event = 'NewBlockHeader'"), (9, "tm.event='Tx'")] {
        let request = json!({ "jsonrpc": "2.0", "id": id, "method": "subscribe", "params": { "query": query } });
        socket.send(request.to_string().into()).await.unwrap();
        let answer = next(&mut socket).await;
        assert_eq!((&answer["id"], &answer["result"]), (&json!(id), &json!({})));
    }
    let signed = transfer(&rig, "1").await;
    result(&rig, "broadcast_tx_sync", json!({ "tx": STANDARD.encode(&signed.bytes) })).await;
    rig.devnet.mine(1).unwrap();
    let mut events = [next(&mut socket).await, next(&mut socket).await, next(&mut socket).await];
    events.sort_by_key(|event| event["id"].as_i64());
    let data = |at: usize| &events[at]["result"]["data"];
    assert_eq!(data(0)["type"], "tendermint/event/NewBlock");
    assert_eq!(data(0)["value"]["block"]["header"]["height"], "2");
    assert_eq!(data(1)["value"]["header"]["height"], "2");
    assert_eq!(data(2)["value"]["TxResult"]["tx"], json!(STANDARD.encode(&signed.bytes)));
    let hash = hex::encode_upper(signed.hash.0.as_bytes());
    assert_eq!(events[2]["result"]["events"]["tx.hash"], json!([hash]));
    for (id, query, found) in [(10, "tm.event='NewBlock'", true), (11, "tm.event='NewBlock'", false)] {
        let request = json!({ "jsonrpc": "2.0", "id": id, "method": "unsubscribe", "params": { "query": query } });
        socket.send(request.to_string().into()).await.unwrap();
        assert_eq!(next(&mut socket).await.get("result").is_some(), found);
    }
}

async fn next<S>(socket: &mut S) -> Value
where
    S: futures::Stream<Item = Result<tokio_tungstenite::tungstenite::Message, tokio_tungstenite::tungstenite::Error>>
        + Unpin,
{
    let text = socket.next().await.unwrap().unwrap();
    serde_json::from_str(text.to_text().unwrap()).unwrap()
}
