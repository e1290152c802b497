//! Fees on a node with a base fee and a pool of its own: what the EVM adapter prices, replaces and refuses on anvil.
//!
//! Anvil is looked for under `CATENARY_ANVIL`, then on the path; where it is not, the test says so and is left out.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

use std::io::Write as _;
use std::net::TcpListener;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use catenary_adapter_evm::{setup, At, EvmAdapter, EvmConfig, Fee, GasPrice};
use catenary_adapter_testkit::TestKey;
use catenary_api::{Broadcast, BuildRequest, Call, ChainSink, ReplacingSink, SignedTx, TxBody, TxReceipt, UnsignedTx};
use catenary_tests::localnet::Rpc;
use serde_json::json;

/// Anvil's first account, from its well-known mnemonic.
const SECRET: &str = "ac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80";
const CHAIN_ID: u64 = 31_337;
/// A hundred gwei.
const PRICE_MAX_WEI: u128 = 100_000_000_000;
const PATIENCE: Duration = Duration::from_secs(60);

/// A node that makes blocks when it is told to; it ends with the test.
struct Anvil {
    child: Child,
    rpc: Rpc,
}

impl Drop for Anvil {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Anvil {
    async fn start() -> Option<Self> {
        let program = std::env::var_os("CATENARY_ANVIL").unwrap_or_else(|| "anvil".into());
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let mut command = Command::new(program);
        command.args(["--host", "127.0.0.1", "--no-mining", "--silent", "--port"]).arg(port.to_string());
        let Ok(child) = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn() else {
            // The harness keeps what the printing macros write; this is for everybody's eyes.
            let why = "it needs anvil; name it in CATENARY_ANVIL (npm package @foundry-rs/anvil)";
            let _ = writeln!(std::io::stderr(), "SKIPPED fees_anvil: {why}");
            return None;
        };
        let anvil = Self { child, rpc: Rpc::new(format!("http://127.0.0.1:{port}")) };
        let end = Instant::now() + PATIENCE;
        while anvil.rpc.call("eth_chainId", json!([])).is_err() {
            assert!(Instant::now() < end, "anvil does not answer");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        Some(anvil)
    }

    fn mine(&self) {
        self.rpc.call("evm_mine", json!([])).unwrap();
    }
}

fn adapter(anvil: &Anvil, fee: Fee, max_wei: u128) -> EvmAdapter {
    let mut config = EvmConfig::new("anvil", anvil.rpc.url(), CHAIN_ID);
    (config.fee, config.gas_price, config.gas_price_max_wei) = (fee, GasPrice::Node, Some(max_wei));
    EvmAdapter::new(config).unwrap()
}

fn finish(adapter: &EvmAdapter, key: &TestKey, unsigned: &UnsignedTx) -> SignedTx {
    adapter.finish(unsigned, &key.sign(&unsigned.digest.0).unwrap()).unwrap()
}

async fn build(adapter: &EvmAdapter, key: &TestKey, call: Call) -> catenary_api::Result<UnsignedTx> {
    let (body, public_key) = (TxBody::Call(vec![call]), key.public_key());
    let account = adapter.account(&public_key).await?;
    let request = BuildRequest { body: &body, public_key: &public_key, account: &account, nonce: account.nonce };
    adapter.build(request).await
}

async fn included(anvil: &Anvil, adapter: &EvmAdapter, signed: &SignedTx) -> TxReceipt {
    anvil.mine();
    adapter.receipt(&signed.hash).await.unwrap().unwrap()
}

async fn priced_replaced_and_refused(fee: Fee, kind: &str) {
    let Some(anvil) = Anvil::start().await else { return };
    let secret: [u8; 32] = hex::decode(SECRET).unwrap().try_into().unwrap();
    let (key, own) = (TestKey::new(&secret).unwrap(), adapter(&anvil, fee, PRICE_MAX_WEI));
    let deploy = build(&own, &key, setup::deploy_test_token("Test", "TST").unwrap()).await.unwrap();
    let deploy = finish(&own, &key, &deploy);
    assert_eq!(own.broadcast(&deploy).await, Broadcast::Accepted);
    let deployed = included(&anvil, &own, &deploy).await;
    let token = deployed.created.unwrap();
    let price = deployed.fee.parse::<u128>().unwrap() / u128::from(deployed.gas_used);
    assert!(deployed.success && price > 0 && price <= PRICE_MAX_WEI, "{deployed:?}");

    let me = catenary_adapter_evm::parse_address(&own.address(&key.public_key()).unwrap()).unwrap();
    let first = build(&own, &key, setup::mint(&token, &me, "7").unwrap()).await.unwrap();
    let first = finish(&own, &key, &first);
    assert_eq!(own.broadcast(&first).await, Broadcast::Accepted);
    let second = own.replacement(&first).await.unwrap().unwrap();
    let second = finish(&own, &key, &second);
    assert_eq!(own.broadcast(&second).await, Broadcast::Accepted, "the pool takes an eighth more");
    let receipt = included(&anvil, &own, &second).await;
    assert!(receipt.success, "{receipt:?}");
    assert_eq!(own.receipt(&first.hash).await.unwrap(), None, "one of the two");
    assert!(matches!(own.broadcast(&first).await, Broadcast::NonceMismatch(_)));
    assert_eq!(own.token_balance(&token, &me, At::Latest).await.unwrap(), "7", "once");
    let id = json!([second.hash.to_string()]);
    let shown = anvil.rpc.call("eth_getTransactionByHash", id).unwrap();
    assert_eq!(shown["type"], kind);

    let frugal = adapter(&anvil, fee, 10);
    let refused = build(&frugal, &key, setup::mint(&token, &me, "1").unwrap()).await.unwrap_err();
    assert_eq!(refused.code, "EVM-TXN-011", "{refused}");
    assert!(frugal.replacement(&second).await.unwrap().is_none(), "never over the bound");
}

#[tokio::test(flavor = "multi_thread")]
async fn dynamic_fees() {
    priced_replaced_and_refused(Fee::Eip1559 { priority_wei: 1 }, "0x2").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn legacy_fees() {
    priced_replaced_and_refused(Fee::Legacy, "0x0").await;
}
