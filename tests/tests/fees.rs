//! Fees on nodes with a base fee and a pool of their own: what the EVM adapter prices, replaces and refuses on geth and on
//! anvil, with transactions of EIP-1559 and with legacy ones.
//!
//! On geth no block takes the first price, and the pool keeps the transaction until a replacement pays enough. On anvil
//! blocks come when the test asks for them.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

use catenary_adapter_evm::{setup, At, EvmAdapter, EvmConfig, Fee, GasPrice};
use catenary_adapter_testkit::TestKey;
use catenary_api::{Broadcast, BuildRequest, Call, ChainSink, ReplacingSink, SignedTx, TxBody, TxReceipt, UnsignedTx};
use catenary_tests::localnet::{anvil_is_here, geth_is_here, Account, FeeNode};
use serde_json::json;

/// A hundred gwei.
const PRICE_MAX_WEI: u128 = 100_000_000_000;
/// Nine tenths of what geth's blocks take at least: one replacement, an eighth dearer, is above it.
const HELD_WEI: u64 = FeeNode::GETH_TIP_WEI / 10 * 9;
/// Replacements after which some block must have taken one: at an eighth each, the last pays ten times the first.
const REPLACEMENTS_MAX: usize = 20;

/// How the transaction that is to be replaced is priced: as geth's blocks never take it, and anvil's do.
struct Held {
    fee: Fee,
    gas_price: GasPrice,
    /// Type of the transaction (EIP-2718).
    kind: &'static str,
}

const DYNAMIC: Held =
    Held { fee: Fee::Eip1559 { priority_wei: HELD_WEI as u128 }, gas_price: GasPrice::Node, kind: "0x2" };
const LEGACY: Held = Held { fee: Fee::Legacy, gas_price: GasPrice::Fixed { wei: HELD_WEI as u128 }, kind: "0x0" };

fn adapter(node: &FeeNode, (fee, gas_price): (Fee, GasPrice), max_wei: u128) -> EvmAdapter {
    let mut config = EvmConfig::new("fees", node.rpc().url(), node.chain_id().unwrap());
    (config.fee, config.gas_price, config.gas_price_max_wei) = (fee, gas_price, Some(max_wei));
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

/// A funded key, a contract, and two ways to price.
struct Scene {
    node: FeeNode,
    key: TestKey,
    /// Pays what every block takes.
    ready: EvmAdapter,
    /// Pays what geth's blocks do not take.
    own: EvmAdapter,
    token: [u8; 20],
    me: [u8; 20],
}

impl Scene {
    async fn new(node: FeeNode, held: &Held) -> Self {
        let account = Account::named("payer");
        node.fund(&account.evm_hex()).unwrap();
        let key = TestKey::new(&account.private_key).unwrap();
        // The legacy price is what the node asks for, which is enough; a tip is named here.
        let fee = match held.fee {
            Fee::Legacy => Fee::Legacy,
            Fee::Eip1559 { .. } => Fee::Eip1559 { priority_wei: u128::from(2 * FeeNode::GETH_TIP_WEI) },
        };
        let ready = adapter(&node, (fee, GasPrice::Node), PRICE_MAX_WEI);
        let own = adapter(&node, (held.fee, held.gas_price), PRICE_MAX_WEI);
        let mut scene = Self { node, key, ready, own, token: [0; 20], me: account.evm_address };
        let deploy = build(&scene.ready, &scene.key, setup::deploy_test_token("Test", "TST").unwrap()).await.unwrap();
        let deploy = finish(&scene.ready, &scene.key, &deploy);
        assert_eq!(scene.ready.broadcast(&deploy).await, Broadcast::Accepted);
        let deployed = scene.included(&deploy).await;
        let price = deployed.fee.parse::<u128>().unwrap() / u128::from(deployed.gas_used);
        assert!(deployed.success && price > 0 && price <= PRICE_MAX_WEI, "{deployed:?}");
        scene.token = deployed.created.unwrap();
        scene
    }

    fn mint(&self, amount: &str) -> Call {
        setup::mint(&self.token, &self.me, amount).unwrap()
    }

    /// The receipt of what every block takes.
    async fn included(&self, signed: &SignedTx) -> TxReceipt {
        for _ in 0..REPLACEMENTS_MAX {
            self.node.blocks(1).unwrap();
            if let Some(receipt) = self.ready.receipt(&signed.hash).await.unwrap() {
                return receipt;
            }
        }
        panic!("no block took {}", signed.hash);
    }

    /// Replaces a transaction that is in the pool until a block takes one of its versions: all of them, and the receipt.
    async fn replaced(&self, first: SignedTx) -> (Vec<SignedTx>, TxReceipt) {
        let mut versions = vec![first];
        for _ in 0..REPLACEMENTS_MAX {
            let next = self.own.replacement(versions.last().unwrap()).await.unwrap().unwrap();
            let next = finish(&self.own, &self.key, &next);
            assert_eq!(self.own.broadcast(&next).await, Broadcast::Accepted, "the pool takes an eighth more");
            versions.push(next);
            self.node.blocks(2).unwrap();
            if let Some(receipt) = self.own.receipt(&versions.last().unwrap().hash).await.unwrap() {
                return (versions, receipt);
            }
        }
        panic!("no block took any of {} versions", versions.len());
    }
}

async fn priced_replaced_and_refused(node: FeeNode, held: Held, holds: bool) {
    let scene = Scene::new(node, &held).await;
    let (own, key) = (&scene.own, &scene.key);
    let first = build(own, key, scene.mint("7")).await.unwrap();
    let first = finish(own, key, &first);
    assert_eq!(own.broadcast(&first).await, Broadcast::Accepted);
    assert_eq!(own.broadcast(&first).await, Broadcast::Accepted, "the same bytes again are no news");
    if holds {
        scene.node.blocks(3).unwrap();
        assert_eq!(own.receipt(&first.hash).await.unwrap(), None, "no block takes this price");
    }
    let (versions, receipt) = scene.replaced(first).await;
    assert!(receipt.success, "{receipt:?}");
    let taken = versions.last().unwrap();
    for version in &versions[..versions.len() - 1] {
        assert_eq!(own.receipt(&version.hash).await.unwrap(), None, "one of {}", versions.len());
        assert!(matches!(own.broadcast(version).await, Broadcast::NonceMismatch(_)));
    }
    assert_eq!(own.broadcast(taken).await, Broadcast::Accepted, "its own nonce is its success");
    assert_eq!(own.token_balance(&scene.token, &scene.me, At::Latest).await.unwrap(), "7", "once");
    let shown = scene.node.rpc().call("eth_getTransactionByHash", json!([taken.hash.to_string()])).unwrap();
    assert_eq!(shown["type"], held.kind);
    let paid = receipt.fee.parse::<u128>().unwrap() / u128::from(receipt.gas_used);
    assert!(paid > 0 && paid <= PRICE_MAX_WEI, "{receipt:?}");

    // A bound below what the node asks for: nothing is built, and nothing replaced.
    let fee = if matches!(held.fee, Fee::Legacy) { Fee::Legacy } else { Fee::Eip1559 { priority_wei: 1 } };
    let frugal = adapter(&scene.node, (fee, GasPrice::Node), 2);
    let refused = build(&frugal, key, scene.mint("1")).await.unwrap_err();
    assert_eq!(refused.code, "EVM-TXN-011", "{refused}");
    assert!(frugal.replacement(taken).await.unwrap().is_none(), "never over the bound");
}

#[tokio::test(flavor = "multi_thread")]
async fn dynamic_fees_on_geth() {
    if geth_is_here("fees::dynamic_fees_on_geth") {
        priced_replaced_and_refused(FeeNode::geth().unwrap(), DYNAMIC, true).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn legacy_fees_on_geth() {
    if geth_is_here("fees::legacy_fees_on_geth") {
        priced_replaced_and_refused(FeeNode::geth().unwrap(), LEGACY, true).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn dynamic_fees_on_anvil() {
    if anvil_is_here("fees::dynamic_fees_on_anvil") {
        priced_replaced_and_refused(FeeNode::anvil().unwrap(), DYNAMIC, false).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn legacy_fees_on_anvil() {
    if anvil_is_here("fees::legacy_fees_on_anvil") {
        let held = Held { gas_price: GasPrice::Node, ..LEGACY };
        priced_replaced_and_refused(FeeNode::anvil().unwrap(), held, false).await;
    }
}
