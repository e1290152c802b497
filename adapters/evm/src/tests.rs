//! Both sides of the adapter against a node whose answers the test chooses: what a real network of today does not
//! show, such as priced gas, confirmations, used nonces and lies.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

use catenary_api::{
    Account, Broadcast, BuildRequest, Call, ChainSink, ChainSource, PublicKey, ReplacingSink, SignedTx, TxBody, TxHash,
    UnsignedTx,
};
use catenary_light_clients::{Class, Hash32};
use ethers_core::abi::Token;
use ethers_core::utils::rlp::Rlp;
use serde_json::{json, Value};

use crate::abi::{self, Contract};
use crate::config::{Fee, GasPrice};
use crate::json::hex0x;
use crate::testing::{adapter, blocks, logs, proof, receipts, with};
use crate::EvmAdapter;

/// The generator of secp256k1: the public key of private key 1.
fn key() -> PublicKey {
    let bytes = hex::decode("0279be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798").unwrap();
    PublicKey(bytes.try_into().unwrap())
}

fn error(code: i64, message: &str) -> Value {
    json!({ "code": code, "message": message })
}

fn revert(data: &[u8]) -> Value {
    json!({ "code": 3, "message": "execution reverted", "data": hex0x(data) })
}

async fn build(adapter: &EvmAdapter) -> catenary_api::Result<UnsignedTx> {
    let call = Call { to: Some([1; 20]), type_url: String::new(), data: vec![1; 100], summary: String::new() };
    let account = Account { address: String::new(), number: 0, nonce: 4, balance: String::new() };
    let body = TxBody::Call(vec![call]);
    adapter.build(BuildRequest { body: &body, public_key: &key(), account: &account, nonce: 4 }).await
}

#[tokio::test]
async fn gas_is_estimated_multiplied_and_bounded() {
    let node = |method: &str, params: &Value| match method {
        "eth_gasPrice" => Ok(json!("0x3b9aca00")),
        "eth_estimateGas" => {
            assert_eq!(params[0]["from"], "0x7e5f4552091a69125d5dfcb7b8c2659029395bdf");
            assert_eq!(params[0]["gas"], "0x493e0", "the node need not look beyond gas_max");
            assert_eq!(params[0]["gasPrice"], "0x3b9aca00");
            Ok(json!("0x30d40"))
        }
        other => panic!("{other}"),
    };
    let limit = |percent: u64| {
        adapter(
            |config| {
                config.gas_price = GasPrice::Node;
                config.gas_price_max_wei = Some(1_000_000_000);
                config.gas_max = 300_000;
                config.gas_multiplier_percent = percent;
            },
            node,
        )
    };
    for (percent, expected) in [(100, 200_000), (130, 260_000), (150, 300_000), (400, 300_000)] {
        let unsigned = build(&limit(percent)).await.unwrap();
        assert_eq!((unsigned.gas_limit, unsigned.nonce), (expected, 4), "{percent} %");
        assert_eq!(Rlp::new(&unsigned.payload).val_at::<u64>(1).unwrap(), 1_000_000_000, "the node's price");
    }
}

#[tokio::test]
async fn a_price_over_the_bound_is_refused_before_anything_is_built() {
    let history = |next: &str| json!({ "oldestBlock": "0x1", "gasUsedRatio": [0.5], "baseFeePerGas": ["0x1", next] });
    let check = |fee: Fee, answer: Value, max_wei: u128, expect: Result<[u64; 2], &'static str>| async move {
        let adapter = adapter(
            |config| {
                (config.fee, config.gas_price, config.gas_price_max_wei) = (fee, GasPrice::Node, Some(max_wei));
            },
            move |method, _| match method {
                "eth_gasPrice" | "eth_feeHistory" => Ok(answer.clone()),
                "eth_estimateGas" => Ok(json!("0x5208")),
                other => panic!("{other}"),
            },
        );
        match (build(&adapter).await, expect) {
            (Ok(unsigned), Ok(prices)) => {
                let typed = fee != Fee::Legacy;
                let list = Rlp::new(&unsigned.payload[usize::from(typed)..]);
                let at = |index: usize| list.val_at::<u64>(index).unwrap();
                assert_eq!(if typed { [at(3), at(2)] } else { [at(1), at(1)] }, prices);
            }
            (Err(error), Err(words)) => {
                assert!(error.code == "EVM-TXN-011" || error.code == "EVM-CFG-001", "{error}");
                assert!(error.message.contains(words), "{error}, expected {words}");
            }
            (got, expect) => panic!("{got:?}, expected {expect:?}"),
        }
    };
    let tip = |priority_wei: u128| Fee::Eip1559 { priority_wei };
    check(Fee::Legacy, json!("0x64"), 100, Ok([100, 100])).await;
    check(Fee::Legacy, json!("0x65"), 100, Err("asks for 101 wei a unit of gas, gas_price_max_wei is 100")).await;
    check(Fee::Legacy, json!("0xfffffffffffffffff"), 100, Err("gas_price_max_wei is 100")).await;
    check(Fee::Legacy, json!("cheap"), 100, Err("eth_gasPrice")).await;
    check(tip(3), history("0x14"), 100, Ok([43, 3])).await;
    check(tip(3), history("0x14"), 30, Ok([30, 3])).await;
    check(tip(3), history("0x14"), 23, Ok([23, 3])).await;
    check(tip(3), history("0x14"), 22, Err("asks for 23 wei a unit of gas, gas_price_max_wei is 22")).await;
    check(tip(0), history("0x0"), 0, Ok([0, 0])).await;
    check(tip(0), json!({ "baseFeePerGas": ["0x1"] }), 9, Err("two base fees")).await;
    check(tip(0), json!({}), 9, Err("eth_feeHistory) is missing")).await;
}

#[tokio::test]
async fn a_replacement_is_the_same_transaction_at_a_higher_price_within_the_bound() {
    let check = |fee: Fee, node: [u64; 2], max_wei: Option<u128>, expect: Option<[u64; 2]>| async move {
        let calls = std::sync::atomic::AtomicUsize::new(0);
        let adapter = adapter(
            |config| {
                config.fee = fee;
                config.gas_price =
                    if max_wei.is_some() { GasPrice::Node } else { GasPrice::Fixed { wei: node[0].into() } };
                config.gas_price_max_wei = max_wei;
            },
            move |method, _| {
                let now = || node[calls.fetch_add(1, std::sync::atomic::Ordering::Relaxed).min(1)];
                match method {
                    "eth_gasPrice" => Ok(json!(format!("{:#x}", now()))),
                    "eth_feeHistory" => Ok(json!({ "baseFeePerGas": ["0x0", format!("{:#x}", now())] })),
                    "eth_estimateGas" => Ok(json!("0x5208")),
                    other => panic!("{other}"),
                }
            },
        );
        let first = build(&adapter).await.unwrap();
        let signing = k256::ecdsa::SigningKey::from_slice(&[3; 32]).unwrap();
        let (signature, recovery) = signing.sign_prehash_recoverable(&first.digest.0).unwrap();
        let signature = [&signature.to_bytes()[..], &[recovery.to_byte()]].concat().try_into().unwrap();
        let signed = adapter.finish(&first, &signature).unwrap();
        let second = adapter.replacement(&signed).await.unwrap();
        assert_eq!(second.is_some(), expect.is_some(), "{second:?}");
        let (Some(second), Some(prices)) = (second, expect) else { return };
        assert_eq!((second.nonce, second.gas_limit), (first.nonce, first.gas_limit));
        let start = usize::from(fee != Fee::Legacy);
        let (old, new) = (Rlp::new(&first.payload[start..]), Rlp::new(&second.payload[start..]));
        let price_fields = if start == 1 { [3, 2] } else { [1, 1] };
        for index in 0..old.item_count().unwrap() {
            let same = old.at(index).unwrap().as_raw() == new.at(index).unwrap().as_raw();
            assert_eq!(same, !price_fields.contains(&index), "field {index}");
        }
        assert_eq!(price_fields.map(|index| new.val_at::<u64>(index).unwrap()), prices);
    };
    let tip = |priority_wei: u128| Fee::Eip1559 { priority_wei };
    check(Fee::Legacy, [80, 80], Some(100), Some([90, 90])).await;
    check(Fee::Legacy, [80, 95], Some(100), Some([95, 95])).await;
    check(Fee::Legacy, [80, 500], Some(100), Some([90, 90])).await;
    check(Fee::Legacy, [80, 80], Some(90), Some([90, 90])).await;
    check(Fee::Legacy, [80, 80], Some(89), None).await;
    check(Fee::Legacy, [80, 80], None, None).await;
    check(Fee::Legacy, [0, 0], None, None).await;
    check(tip(8), [36, 36], Some(200), Some([90, 9])).await;
    check(tip(8), [36, 96], Some(200), Some([200, 9])).await;
    check(tip(0), [40, 40], Some(90), Some([90, 1])).await;
    check(tip(0), [40, 40], Some(89), None).await;
}

#[tokio::test]
async fn estimates_that_fail_say_why() {
    let frozen = Contract::LightClient.error_data("FrozenClientState", &[]);
    let rows = [
        (Ok(json!("0xf4241")), "EVM-TXN-005", Class::Permanent, "gas_max = 1000000"),
        (Ok(json!("lots")), "EVM-ABI-001", Class::Config, "eth_estimateGas"),
        (Err(revert(&frozen)), "EVM-TXN-003", Class::Permanent, "FrozenClientState()"),
        (Err(error(-32000, "gas required exceeds allowance (1000000)")), "EVM-TXN-005", Class::Permanent, "batches"),
        (Err(error(-32000, "insufficient funds for transfer")), "EVM-TXN-008", Class::Permanent, "insufficient"),
        (Err(error(-32000, "header not found")), "EVM-RPC-005", Class::Transient, "header not found"),
    ];
    for (answer, code, class, words) in rows {
        let adapter = adapter(|config| config.gas_max = 1_000_000, move |_, _| answer.clone());
        let error = build(&adapter).await.unwrap_err();
        assert_eq!((error.code, error.class), (code, class), "{error}");
        assert!(error.message.contains(words), "{error}");
    }
    let adapter = adapter(|config| config.tx_bytes_max = 150, |_, _| Ok(json!("0x5208")));
    assert_eq!(build(&adapter).await.unwrap_err().code, "EVM-TXN-004", "100 bytes of data make more than 150");
}

/// Broadcasts to a node with this answer; `known` is what it says when asked for the transaction.
async fn broadcast(answer: Result<Value, Value>, known: Value) -> Broadcast {
    let adapter = adapter(
        |_| (),
        move |method, _| match method {
            "eth_sendRawTransaction" => answer.clone(),
            "eth_getTransactionByHash" => Ok(known.clone()),
            other => panic!("{other}"),
        },
    );
    adapter.broadcast(&SignedTx { bytes: vec![1], hash: TxHash(Hash32([7; 32])) }).await
}

#[tokio::test]
async fn a_broadcast_ends_in_one_of_five_ways() {
    let hash = json!(format!("0x{}", "07".repeat(32)));
    let low = || Err(error(-32000, "nonce too low"));
    assert_eq!(broadcast(Ok(hash), Value::Null).await, Broadcast::Accepted);
    assert_eq!(broadcast(Err(error(-32000, "already known")), Value::Null).await, Broadcast::Accepted);
    assert_eq!(broadcast(low(), json!({ "hash": "0x" })).await, Broadcast::Accepted, "it used the nonce itself");
    let check = |outcome: Broadcast, kind: &str, code: &str| {
        let (got, error) = match outcome {
            Broadcast::Accepted => panic!("accepted, expected {kind}"),
            Broadcast::Redundant => panic!("redundant, expected {kind}"),
            Broadcast::Refused(error) => ("refused", error),
            Broadcast::NonceMismatch(error) => ("nonce", error),
            Broadcast::Unknown(error) => ("unknown", error),
        };
        assert_eq!((got, error.code), (kind, code), "{error}");
    };
    check(broadcast(low(), Value::Null).await, "nonce", "EVM-TXN-007");
    check(broadcast(Err(error(-32000, "nonce too high")), Value::Null).await, "nonce", "EVM-TXN-007");
    check(broadcast(Err(error(-32000, "intrinsic gas too low")), Value::Null).await, "refused", "EVM-TXN-008");
    check(broadcast(Err(error(-32603, "oops")), Value::Null).await, "unknown", "EVM-RPC-005");
    check(broadcast(Ok(json!("0x01")), Value::Null).await, "unknown", "EVM-TXN-009");
    let silent = adapter(|config| config.urls = vec!["http://127.0.0.1:9".to_owned()], |_, _| Ok(Value::Null));
    let tx = SignedTx { bytes: vec![1], hash: TxHash(Hash32([7; 32])) };
    check(silent.broadcast(&tx).await, "unknown", "EVM-RPC-001");
}

#[tokio::test]
async fn a_failed_transaction_says_why() {
    let recorded = receipts().remove(1);
    let hash = TxHash(Hash32(crate::json::fixed(recorded["tx"].get("hash")).unwrap()));
    let reason = Contract::Router.error_data("IBCClientNotFound", &[abi::string("client-7")]);
    let before = crate::json::quantity(recorded["receipt"].get("blockNumber")).unwrap() - 1;
    let rows = [
        (true, Ok(json!("0x")), "IBCClientNotFound(\"client-7\")"),
        (false, Err(revert(&reason)), "IBCClientNotFound(\"client-7\")"),
        (false, Err(error(-32000, "out of gas")), "out of gas"),
        (false, Ok(json!("0x")), "the same call succeeds"),
    ];
    for (in_receipt, replay, words) in rows {
        let mut receipt = with(&recorded["receipt"], "/status", json!("0x0"));
        if in_receipt {
            receipt["revertReason"] = json!(hex0x(&reason));
        }
        let tx = recorded["tx"].clone();
        let adapter = adapter(
            |_| (),
            move |method, params| match method {
                "eth_getTransactionReceipt" => Ok(receipt.clone()),
                "eth_getTransactionByHash" => Ok(tx.clone()),
                "eth_call" => {
                    assert_eq!(params[0]["data"], tx["input"]);
                    assert_eq!(params[1], format!("{before:#x}"));
                    replay.clone()
                }
                other => panic!("{other}"),
            },
        );
        let receipt = adapter.receipt(&hash).await.unwrap().unwrap();
        let error = receipt.error.unwrap();
        assert!(!receipt.success && error.contains(words), "{error}");
    }
}

#[tokio::test]
async fn confirmations_hold_the_head_back() {
    let head = |confirmations: u64, newest: u64| async move {
        let adapter = adapter(
            |config| config.confirmations_blocks = confirmations,
            move |_, params| {
                let height = match params[0].as_str().unwrap() {
                    "latest" => newest,
                    number => u64::from_str_radix(&number[2..], 16).unwrap(),
                };
                Ok(json!({ "number": format!("{height:#x}"), "timestamp": format!("{:#x}", 1_000 + height) }))
            },
        );
        let head = adapter.head().await.unwrap();
        (head.height, head.timestamp.seconds())
    };
    assert_eq!(head(0, 50).await, (50, 1_050));
    assert_eq!(head(12, 50).await, (38, 1_038));
    assert_eq!(head(12, 5).await, (0, 1_000));
    let lies = adapter(|c| c.confirmations_blocks = 1, |_, _| Ok(json!({ "number": "0x5", "timestamp": "0x1" })));
    assert_eq!(lies.head().await.unwrap_err().code, "EVM-HDR-003");
}

#[tokio::test]
async fn lies_about_blocks_are_refused_by_name() {
    let block = blocks().into_iter().next_back().unwrap();
    let serve = |block: Value| adapter(|_| (), move |_, _| Ok(block.clone()));
    assert_eq!(serve(block.clone()).updates(1, 1).await.unwrap().len(), 1);
    // A header that contradicts its own hash is no accident of the moment.
    for (field, value, code, class) in [
        ("/stateRoot", json!(format!("0x{}", "ab".repeat(32))), "EVM-HDR-004", Class::Misbehaviour),
        ("/timestamp", json!("0x1"), "EVM-HDR-004", Class::Misbehaviour),
        ("/number", json!("0x2"), "EVM-HDR-003", Class::Transient),
        ("/extraData", json!("0xc0"), "EVM-HDR-002", Class::Transient),
    ] {
        let error = serve(with(&block, field, value)).updates(1, 1).await.unwrap_err();
        assert_eq!((error.code, error.class), (code, class), "{error}");
    }
    let node = |method: &str, _: &Value| match method {
        "eth_chainId" => Ok(json!("0x539")),
        _ => Ok(Value::Null),
    };
    let identity = adapter(|_| (), node).identity().await.unwrap();
    assert_eq!((identity.chain_id.as_str(), identity.genesis_hash), ("1337", None), "a pruned genesis block");
}

#[tokio::test]
async fn ranges_are_whole_or_refused() {
    let router: [u8; 20] = crate::json::fixed(logs()[0].get("address")).unwrap();
    let scan = |head: u64, logs: Vec<Value>| {
        adapter(
            |config| config.router = Some(router),
            move |method, params| match method {
                "eth_blockNumber" => Ok(json!(format!("{head:#x}"))),
                "eth_getLogs" => {
                    assert_eq!(params[0]["topics"][0].as_array().unwrap().len(), 4);
                    assert_eq!((&params[0]["fromBlock"], &params[0]["toBlock"]), (&json!("0x1"), &json!("0x64")));
                    Ok(json!(logs))
                }
                other => panic!("{other}"),
            },
        )
    };
    assert_eq!(scan(100, logs()).events(1, 100).await.unwrap().len(), 5);
    let error = scan(99, logs()).events(1, 100).await.unwrap_err();
    assert_eq!((error.code, error.class), ("EVM-LOG-007", Class::Transient), "{error}");

    let bytes = |text: &[u8]| Token::Bytes(text.to_vec());
    let strange = Token::Tuple(vec![bytes(b"a"), bytes(b"b"), bytes(b"\xff"), bytes(b"d"), bytes(b"e")]);
    let ends = [bytes(b"client-0"), bytes(b"attestations-0")];
    let [source, destination] = ends;
    let packet = vec![abi::uint(1), source, destination, abi::uint(2), Token::Array(vec![strange])];
    let data = ethers_core::abi::encode(&[Token::Tuple(packet)]);
    let odd = with(&logs()[0], "/data", json!(hex0x(&data)));
    let adapter = scan(100, vec![odd, logs().remove(1)]);
    assert_eq!(adapter.events(1, 100).await.unwrap().len(), 1, "the others are not lost with it");
    assert_eq!(adapter.undeliverable_events(), 1);
}

#[tokio::test]
async fn missing_states_and_clients() {
    let missing = adapter(|_| (), |_, _| Err(error(-32000, "missing trie node abc (path )")));
    let error = missing.proofs(5, &[vec![1]]).await.unwrap_err();
    assert_eq!((error.code, error.class), ("EVM-PRF-002", Class::Transient), "{error}");
    assert_eq!(missing.proofs(5, &[]).await.unwrap(), [], "nothing is asked for nothing");
    assert!(missing.present(&[]).await.unwrap().is_empty());

    let not_found = Contract::Router.error_data("IBCClientNotFound", &[abi::string("client-7")]);
    let absent = adapter(|_| (), move |_, _| Err(revert(&not_found)));
    assert_eq!(absent.client("client-7").await.unwrap(), None);
    let paused = Contract::Router.error_data("EnforcedPause", &[]);
    let other = adapter(|_| (), move |_, _| Err(revert(&paused)));
    assert_eq!(other.client("client-7").await.unwrap_err().code, "EVM-ABI-001", "another revert is no absence");
    let codeless = adapter(|_| (), |_, _| Ok(json!("0x")));
    assert_eq!(codeless.client("client-7").await.unwrap_err().code, "EVM-ABI-001");
    assert_eq!(codeless.code_hash(&[1; 20]).await.unwrap(), None);
    let short = adapter(|_| (), |_, _| Ok(json!("0x01")));
    assert_eq!(short.present(&[vec![1]]).await.unwrap_err().code, "EVM-ABI-001");
}

#[tokio::test]
async fn recorded_proofs_pass_through() {
    let recorded = proof();
    let router = crate::json::fixed(recorded["answer"].get("address")).unwrap();
    let packet_paths = ["client-0", "attestations-0"].map(|client| {
        let kind = if client == "client-0" { 1 } else { 2 };
        [client.as_bytes(), &[kind], &1u64.to_be_bytes()].concat()
    });
    let (answer, slots) = (recorded["answer"].clone(), recorded["slots"].clone());
    let adapter = adapter(
        |config| config.router = Some(router),
        move |_, params| {
            assert_eq!(params[1], slots, "a path's slot is keccak(keccak(path) ‖ base)");
            Ok(answer.clone())
        },
    );
    let claims = adapter.proofs(22, &packet_paths).await.unwrap();
    assert_eq!(claims.iter().map(|claim| claim.value.is_some()).collect::<Vec<_>>(), [true, false]);
}
