//! A thousand transactions, and blocks over a large state.
#![cfg(feature = "evm")]
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

mod evm_support;

use std::time::Instant;

use catenary_devnet::evm::EvmDevnet;
use evm_support::*;
use serde_json::json;

#[tokio::test]
async fn a_thousand_transactions_in_order_and_blocks_over_ten_thousand_slots() {
    let devnet = EvmDevnet::start(on_demand()).await.unwrap();
    let client = Client::of(&devnet);
    // Writes the slots from calldata[0] up to calldata[0x20], each with its own number.
    let fill = [
        0x60, 0, 0x35, 0x5b, 0x80, 0x60, 0x20, 0x35, 0x11, 0x60, 0x0d, 0x57, 0x00, 0x5b, 0x80, 0x80, 0x55, 0x60, 0x01,
        0x01, 0x60, 0x03, 0x56,
    ];
    let deploy = Draft { to: None, data: creation(&fill), ..Draft::default() };
    client.ask("eth_sendRawTransaction", json!([hex(deploy.legacy(&user()))])).await;
    devnet.mine(1).await.unwrap();
    let filler = created(&user(), 0);
    for n in 0..100 {
        let (data, gas) = (words(n * 100 + 1, n * 100 + 101), 3_000_000);
        let draft = Draft { nonce: n + 1, to: Some(filler), data, gas, ..Draft::default() };
        client.ask("eth_sendRawTransaction", json!([hex(draft.legacy(&user()))])).await;
    }
    let started = Instant::now();
    devnet.mine(1).await.unwrap();
    let filled = started.elapsed();
    let word = client.ask("eth_getStorageAt", json!([hex(filler), "0x2710", "latest"])).await;
    assert_eq!(word, json!(hex(&words(0, 10_000)[32..])), "ten thousand slots are there");

    let mut hashes = Vec::new();
    for batch in 0..10 {
        let calls = (0..100).map(|n| {
            let nonce = 101 + batch * 100 + n;
            let data = words(20_000 + nonce, 20_001 + nonce);
            let draft = Draft { nonce, to: Some(filler), data, gas: 60_000, ..Draft::default() };
            let params = json!([hex(draft.legacy(&user()))]);
            json!({ "jsonrpc": "2.0", "id": n, "method": "eth_sendRawTransaction", "params": params })
        });
        let answers = client.post(&calls.collect()).await;
        hashes.extend(answers.as_array().unwrap().iter().map(|answer| answer["result"].clone()));
    }
    let started = Instant::now();
    devnet.mine(2).await.unwrap();
    let thousand = started.elapsed();
    let draft = |n: u64| Draft { nonce: 1_101 + n, to: Some(filler), data: words(n + 1, n + 2), ..Draft::default() };
    for n in 0..20 {
        client.ask("eth_sendRawTransaction", json!([hex(draft(n).legacy(&user()))])).await;
    }
    let started = Instant::now();
    devnet.mine(1).await.unwrap();
    let twenty = started.elapsed();
    for (hash, height) in hashes.iter().zip((0u64..).map(|n| 3 + n / 500)) {
        let receipt = client.ask("eth_getTransactionReceipt", json!([hash])).await;
        assert_eq!((number(&receipt["blockNumber"]), &receipt["status"]), (height, &json!("0x1")), "{receipt}");
    }
    // Measured, not asserted: machines differ.
    let text = format!("10,000 slots {filled:?}; 1,000 transactions {thousand:?}; 20 transactions {twenty:?}");
    tracing_line(&text);
    devnet.shutdown().await;
}

/// A line for whoever runs the test by hand with `--nocapture`.
fn tracing_line(text: &str) {
    use std::io::Write as _;
    let _ = writeln!(std::io::stderr(), "{text}");
}
