//! The unchanged EVM adapter over the devnet: contracts are deployed, a packet is sent, and what the adapter reads of
//! it is verified by the light client.
#![cfg(feature = "evm")]
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

mod evm_support;

use catenary_adapter_evm::setup::{self, Counterparty, LightClientArguments, Role, TransferArguments};
use catenary_adapter_evm::{At, Contract, EvmAdapter, EvmConfig as AdapterConfig, Fee, GasPrice};
use catenary_api::{
    Broadcast, BuildRequest, Call, ChainSink, ChainSource, PacketEvent, PublicKey, ReplacingSink, SignedTx, TxBody,
    TxReceipt,
};
use catenary_devnet::evm::{BaseFee, EvmConfig, EvmDevnet, Fork};
use catenary_light_clients::qbft::{block_hash, Config, Qbft};
use catenary_light_clients::testing::{Key, Network};
use catenary_light_clients::{Anchor, LightClient, Timestamp, Verdict};
use catenary_protocol::ics20;
use evm_support::*;

const COSMOS_USER: &str = "cosmos15f0fjzzf9g6z5tq0vufn8fdjfekhlg34m7kzrh";
const TIMEOUT_SECONDS: u64 = START_SECONDS + 5_000;

struct Rig {
    devnet: EvmDevnet,
    adapter: EvmAdapter,
}

/// The user's public key, recovered from nothing but its secret.
fn public_key() -> PublicKey {
    let signing = k256::ecdsa::SigningKey::from_slice(&secret()).unwrap();
    PublicKey(signing.verifying_key().to_encoded_point(true).as_bytes().try_into().unwrap())
}

fn secret() -> [u8; 32] {
    [0x31; 32]
}

fn me() -> Key {
    Key::from_secret(&secret()).unwrap()
}

impl Rig {
    async fn start(fork: Fork) -> Self {
        let funded = vec![(me().address().0, RICH)];
        let devnet = EvmDevnet::start(EvmConfig { fork, funded, ..on_demand() }).await.unwrap();
        let adapter = EvmAdapter::new(AdapterConfig::new("devnet", &devnet.url(), CHAIN_ID)).unwrap();
        Self { devnet, adapter }
    }

    fn with_router(&mut self, router: [u8; 20]) {
        let mut config = AdapterConfig::new("devnet", &self.devnet.url(), CHAIN_ID);
        config.router = Some(router);
        self.adapter = EvmAdapter::new(config).unwrap();
    }

    async fn sign(&self, body: &TxBody) -> catenary_api::Result<SignedTx> {
        let key = public_key();
        let account = self.adapter.account(&key).await?;
        let request = BuildRequest { body, public_key: &key, account: &account, nonce: account.nonce };
        let unsigned = self.adapter.build(request).await?;
        self.adapter.finish(&unsigned, &me().sign(&unsigned.digest.0))
    }

    /// Signs, sends, makes a block, and reads the outcome.
    async fn call(&self, call: Call) -> TxReceipt {
        let signed = self.sign(&TxBody::Call(vec![call])).await.unwrap();
        assert_eq!(self.adapter.receipt(&signed.hash).await.unwrap(), None);
        assert_eq!(self.adapter.broadcast(&signed).await, Broadcast::Accepted);
        assert_eq!(self.adapter.broadcast(&signed).await, Broadcast::Accepted, "it is known, and that is as good");
        self.devnet.mine(1).await.unwrap();
        assert_eq!(self.adapter.broadcast(&signed).await, Broadcast::Accepted, "it is in a block");
        let receipt = self.adapter.receipt(&signed.hash).await.unwrap().unwrap();
        assert!(receipt.success, "{receipt:?}");
        receipt
    }

    async fn create(&self, call: Call) -> [u8; 20] {
        self.call(call).await.created.unwrap()
    }

    /// Router, application, token, and a client of a chain that nobody asks about.
    async fn deploy(&mut self) -> ([u8; 20], [u8; 20], [u8; 20]) {
        let admin = me().address().0;
        let router = self.create(setup::deploy_router(&admin).unwrap()).await;
        self.with_router(router);
        let app = self.create(setup::deploy_transfer(&router).unwrap()).await;
        let token = self.create(setup::deploy_test_token("Test", "TST").unwrap()).await;
        let arguments = LightClientArguments {
            attestors: vec![[1; 20], [2; 20]],
            min_required_sigs: 2,
            initial_height: 1,
            initial_timestamp_seconds: START_SECONDS,
            role_manager: Some(admin),
        };
        let light_client = self.create(setup::deploy_light_client(&arguments).unwrap()).await;
        self.call(setup::add_ibc_app(&router, ics20::PORT, &app).unwrap()).await;
        self.call(setup::grant_role(&light_client, Role::ProofSubmitter, &router).unwrap()).await;
        let other = Counterparty { client_id: "attestations-0".into(), merkle_prefix: vec![Vec::new()] };
        let added = self.call(setup::add_client(&router, &other, &light_client).unwrap()).await;
        assert_eq!(added.output.as_deref(), Some("client-0"));
        assert_eq!(self.adapter.client("client-0").await.unwrap().unwrap().min_required_sigs, 2);
        assert_eq!(self.adapter.code_hash(&router).await.unwrap(), Some(Contract::Router.code_hash().unwrap()));
        (router, app, token)
    }

    /// A light client at block 1 that has followed to the head, by the adapter's updates alone.
    async fn light_client(&self, router: [u8; 20]) -> Qbft {
        let head = self.adapter.head().await.unwrap();
        let updates = self.adapter.updates(1, head.height).await.unwrap();
        let anchor = Anchor { height: 1, hash: block_hash(&updates[0]).unwrap() };
        let mut client = Qbft::new(Config { anchor, router, ..Network::new(1).config() }, &updates[0]).unwrap();
        let now = Timestamp::from_seconds(START_SECONDS + head.height + 5);
        for update in &updates[1..] {
            let verdict = client.advance(update, now);
            assert!(matches!(verdict, Verdict::Verified(_)), "{verdict:?}");
        }
        client
    }
}

fn transfer(app: [u8; 20], token: [u8; 20], timeout_timestamp_seconds: u64) -> Call {
    let arguments = TransferArguments {
        token,
        amount: "400".into(),
        receiver: COSMOS_USER.into(),
        source_client: "client-0".into(),
        timeout_timestamp_seconds,
        memo: String::new(),
    };
    setup::send_transfer(&app, &arguments).unwrap()
}

async fn a_packet_is_sent_and_proven(fork: Fork) {
    let mut rig = Rig::start(fork).await;
    assert_eq!(rig.adapter.identity().await.unwrap().chain_id, "1337");
    let (router, app, token) = rig.deploy().await;
    rig.call(setup::mint(&token, &me().address().0, "1000").unwrap()).await;

    let refused = rig.sign(&TxBody::Call(vec![transfer(app, token, TIMEOUT_SECONDS)])).await.unwrap_err();
    assert_eq!(refused.code, "EVM-TXN-003", "not approved yet: {refused}");
    rig.call(setup::approve(&token, &app, "900").unwrap()).await;
    let sent = rig.call(transfer(app, token, TIMEOUT_SECONDS)).await;
    assert_eq!(sent.output.as_deref(), Some("1"), "the packet's sequence");
    let escrow = rig.adapter.escrow(&app, "client-0", At::Latest).await.unwrap().unwrap();
    assert_eq!(rig.adapter.token_balance(&token, &escrow, At::Latest).await.unwrap(), "400");
    assert_eq!(rig.adapter.token_balance(&token, &escrow, At::Height(sent.height - 1)).await.unwrap(), "0");

    let events = rig.adapter.events(1, sent.height).await.unwrap();
    let [claim] = events.as_slice() else { panic!("{events:?}") };
    let PacketEvent::Sent(packet) = claim.event.clone() else { panic!("{claim:?}") };
    let client = rig.light_client(router).await;
    let path = packet.commitment_path();
    let paths = vec![path.as_bytes().to_vec(), packet.receipt_path().as_bytes().to_vec()];
    let claims = rig.adapter.proofs(sent.height, &paths).await.unwrap();
    let value = claims[0].value.clone().unwrap();
    let fact = client.membership(sent.height, path.as_bytes(), &value, &claims[0].proof).unwrap();
    catenary_protocol::VerifiedPacket::new(packet.clone(), fact).unwrap();
    client.absence(sent.height, packet.receipt_path().as_bytes(), &claims[1].proof).unwrap();
    // The block before had no packet, and that is proven as well, from a state that is gone elsewhere.
    let before = rig.adapter.proofs(sent.height - 1, &paths[..1]).await.unwrap();
    assert!(client.membership(sent.height - 1, path.as_bytes(), &value, &before[0].proof).is_err());
    assert_eq!(rig.adapter.present(&paths).await.unwrap(), [true, false]);
    rig.devnet.shutdown().await;
}

#[tokio::test]
async fn a_packet_is_sent_and_proven_on_the_oldest_fork() {
    a_packet_is_sent_and_proven(Fork::Berlin).await;
}

#[tokio::test]
async fn a_packet_is_sent_and_proven_on_the_newest_fork() {
    a_packet_is_sent_and_proven(Fork::Prague).await;
}

#[tokio::test]
async fn deadlines_that_passed_and_transactions_that_fail_are_told_with_the_reason() {
    let mut rig = Rig::start(Fork::Berlin).await;
    let (_, app, token) = rig.deploy().await;
    rig.call(setup::mint(&token, &me().address().0, "1000").unwrap()).await;
    rig.call(setup::approve(&token, &app, "900").unwrap()).await;
    let signed = rig.sign(&TxBody::Call(vec![transfer(app, token, TIMEOUT_SECONDS)])).await.unwrap();
    // It was good when it was signed; by the time of its block the deadline has passed.
    rig.devnet.pass_seconds(10_000);
    rig.adapter.broadcast(&signed).await;
    rig.devnet.mine(1).await.unwrap();
    let receipt = rig.adapter.receipt(&signed.hash).await.unwrap().unwrap();
    assert!(!receipt.success && receipt.error.is_some(), "{receipt:?}");
    rig.devnet.shutdown().await;
}

/// The generous bound of these tests, in wei a unit of gas.
const PRICE_MAX_WEI: u128 = 100_000_000_000;

fn priced(devnet: &EvmDevnet, fee: Fee, max_wei: u128) -> EvmAdapter {
    let mut config = AdapterConfig::new("devnet", &devnet.url(), CHAIN_ID);
    config.fee = fee;
    config.gas_price = GasPrice::Node;
    config.gas_price_max_wei = Some(max_wei);
    EvmAdapter::new(config).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_transaction_that_is_too_cheap_is_replaced_and_takes_effect_once() {
    for (fork, fee) in
        [(Fork::Berlin, Fee::Legacy), (Fork::London, Fee::Legacy), (Fork::London, Fee::Eip1559 { priority_wei: 8 })]
    {
        let funded = vec![(me().address().0, RICH)];
        let base_fee = BaseFee::Market;
        let devnet = EvmDevnet::start(EvmConfig { fork, base_fee, funded, ..on_demand() }).await.unwrap();
        let mut rig = Rig { adapter: priced(&devnet, fee, PRICE_MAX_WEI), devnet };
        let token = rig.create(setup::deploy_test_token("Test", "TST").unwrap()).await;

        rig.devnet.set_price_min(1_000_000_000_000);
        let body = TxBody::Call(vec![setup::mint(&token, &me().address().0, "7").unwrap()]);
        let mut versions = vec![rig.sign(&body).await.unwrap()];
        assert_eq!(rig.adapter.broadcast(&versions[0]).await, Broadcast::Accepted);
        for _ in 0..3 {
            rig.devnet.mine(1).await.unwrap();
            let unsigned = rig.adapter.replacement(versions.last().unwrap()).await.unwrap().unwrap();
            let dearer = rig.adapter.finish(&unsigned, &me().sign(&unsigned.digest.0)).unwrap();
            assert_eq!(rig.adapter.broadcast(&dearer).await, Broadcast::Accepted, "{fork:?} {fee:?}");
            versions.push(dearer);
        }
        for version in &versions {
            assert_eq!(rig.adapter.receipt(&version.hash).await.unwrap(), None);
        }
        rig.devnet.set_price_min(0);
        rig.devnet.mine(2).await.unwrap();
        let (last, earlier) = versions.split_last().unwrap();
        assert!(rig.adapter.receipt(&last.hash).await.unwrap().unwrap().success);
        for version in earlier {
            assert_eq!(rig.adapter.receipt(&version.hash).await.unwrap(), None);
            assert!(matches!(rig.adapter.broadcast(version).await, Broadcast::NonceMismatch(_)));
        }
        let minted = rig.adapter.token_balance(&token, &me().address().0, At::Latest).await.unwrap();
        assert_eq!(minted, "7", "once");
        // A bound that is reached ends it, and one that is passed from the start lets nothing be signed.
        let bound = if fee == Fee::Legacy { 0 } else { 8 };
        rig.adapter = priced(&rig.devnet, fee, bound);
        let refused = rig.adapter.replacement(last).await.unwrap();
        assert_eq!(refused, None, "{fork:?} {fee:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_price_over_the_bound_is_not_signed() {
    for (fork, fee) in [(Fork::London, Fee::Legacy), (Fork::London, Fee::Eip1559 { priority_wei: 8 })] {
        let (funded, base_fee) = (vec![(me().address().0, RICH)], BaseFee::Market);
        let devnet = EvmDevnet::start(EvmConfig { fork, base_fee, funded, ..on_demand() }).await.unwrap();
        let rig = Rig { adapter: priced(&devnet, fee, 1_000), devnet };
        let deploy = TxBody::Call(vec![setup::deploy_test_token("Test", "TST").unwrap()]);
        let error = rig.sign(&deploy).await.unwrap_err();
        assert_eq!(error.code, "EVM-TXN-011");
        assert!(error.message.contains("gas_price_max_wei is 1000"), "{error}");
    }
}
