//! The node's sender on a real ibc-go chain: several transactions of one key on their way at once, a sequence that somebody
//! else used, and a pool that was lost with all of them in it.
//!
//! What is sent are updates of an attestation client, each with a height of its own, so that each shows in the chain's
//! state whether it took effect; a second effect of one would be a second outcome in the journal.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use catenary_adapter_cosmos::{setup, CosmosAdapter, CosmosConfig};
use catenary_adapter_testkit::TestKey;
use catenary_api::{Account as ChainAccount, Broadcast, BuildRequest, ChainSink, KeyId, Message, TxBody};
use catenary_core::record::{IntentKind, OutcomeResult, Record};
use catenary_light_clients::testing::Key;
use catenary_node::keystore::{Binding, Keystore, KeystoreSigner, Passphrase};
use catenary_node::relay::{limits, Note, SendObserver, SendPolicy, Sender, SenderParts, Sent, TxEvent};
use catenary_node::store::Ledger;
use catenary_node::wiring::Signers;
use catenary_protocol::attestation::{normalise, signing_digest, Statement};
use catenary_protocol::{AttestationProof, StateAttestation};
use catenary_tests::localnet::{nodes_are_here, Account, Simd, SimdOptions};
use tokio::sync::watch;
use tokio::task::JoinSet;

const MINUTE: Duration = Duration::from_secs(60);
const CLIENT: &str = "attestations-0";
/// Time of height 1 of the chain that the client judges, in seconds.
const START_SECONDS: u64 = 1_700_000_000;

/// What is on its way, as the sender tells it.
#[derive(Default)]
struct Flights(watch::Sender<usize>);

impl SendObserver for Flights {
    fn transaction(&self, _: &TxEvent<'_>) {}
    fn account(&self, _: &str, _: &str, _: &ChainAccount, _: u64) {}
    fn in_flight(&self, _: &str, _: &str, count: usize) {
        self.0.send_replace(count);
    }
}

struct Rig {
    node: Simd,
    adapter: Arc<CosmosAdapter>,
    account: Account,
    attestors: Vec<Key>,
    ledger: Arc<Ledger>,
    flights: Arc<Flights>,
    sender: Arc<Sender>,
    _dir: tempfile::TempDir,
}

impl Rig {
    async fn start(block_time_ms: u64) -> Self {
        let node = Simd::start(SimdOptions { block_time_ms, ..SimdOptions::default() }).unwrap();
        let adapter = Arc::new(CosmosAdapter::new(config(node.rpc_url(0))).unwrap());
        let dir = tempfile::tempdir().unwrap();
        let (keystore, passphrase) = (Keystore::new(&dir.path().join("keys")), Passphrase::new("worth nothing".into()));
        let (account, binding) = (Account::named("relayer-0"), Binding::Transactions { chain: "sim".into() });
        keystore.import("pays", binding, hex::encode(account.private_key).as_bytes(), &passphrase).unwrap();
        let ledger = Arc::new(Ledger::open(&dir.path().join("data")).unwrap().0);
        let ids = [KeyId("pays".into())];
        let signer = KeystoreSigner::open(keystore, &ids, &passphrase, ledger.clone()).unwrap();
        let flights = Arc::new(Flights::default());
        let sender = Sender::new(SenderParts {
            chain: "sim".into(),
            key: KeyId("pays".into()),
            sink: adapter.clone(),
            replacer: None,
            signer: Arc::new(Signers(Arc::new(signer))),
            ledger: ledger.clone(),
            observer: flights.clone(),
            policy: SendPolicy { in_flight_max: limits::PIPELINED, ..SendPolicy::default() },
        });
        let attestors = (1..=3).map(Key::new).collect();
        let sender = Arc::new(sender.unwrap());
        let rig = Self { node, adapter, account, attestors, ledger, flights, sender, _dir: dir };
        let addresses: Vec<[u8; 20]> = rig.attestors.iter().map(|key| key.address().0).collect();
        let create = setup::create_client(&rig.account.cosmos_address, &addresses, 2, state(1)).unwrap();
        let note = Note { id: "create".into(), path: "p".into(), kind: IntentKind::Call, packets: Vec::new() };
        let created = rig.sender.send(&TxBody::Call(vec![create]), &note).await.unwrap();
        let Sent::Included { receipt, .. } = created else { panic!("{created:?}") };
        assert_eq!(receipt.output.as_deref(), Some(CLIENT));
        rig
    }

    /// An update of the client to a height.
    fn update(&self, height: u64) -> TxBody {
        let data = state(height).encode();
        let digest = signing_digest(Statement::State, &data);
        let signatures = self.attestors.iter().take(2).map(|key| normalise(&key.sign(&digest.0)).unwrap());
        let proof = AttestationProof { signatures: signatures.collect(), data };
        TxBody::Deliver(vec![Message::UpdateClient { client_id: CLIENT.into(), proof }])
    }

    /// Sends updates to these heights, all at once.
    fn spawn(&self, heights: impl IntoIterator<Item = u64>) -> JoinSet<u64> {
        let mut sending = JoinSet::new();
        for height in heights {
            let (sender, body) = (self.sender.clone(), self.update(height));
            let packets = vec![format!("evm/client-0/{height}").parse().unwrap()];
            let note = Note { id: format!("update-{height}"), path: "p".into(), kind: IntentKind::Recv, packets };
            sending.spawn(async move {
                match sender.send(&body, &note).await.unwrap() {
                    Sent::Included { receipt, .. } => receipt.height,
                    Sent::Redundant => panic!("nobody else sends {height}"),
                }
            });
        }
        sending
    }

    /// Waits until so many are on their way.
    async fn on_their_way(&self, count: usize) {
        let mut flights = self.flights.0.subscribe();
        let reached = flights.wait_for(|now| *now >= count);
        assert!(tokio::time::timeout(MINUTE, reached).await.is_ok(), "never {count} on their way");
    }

    /// Somebody else uses the key: a transfer that is in the pool when this returns.
    async fn spend_elsewhere(&self) {
        let key = TestKey::new(&self.account.private_key).unwrap();
        let to = Account::named("user-0").cosmos_address;
        let call = setup::bank_send("cosmos", &self.account.cosmos_address, &to, "stake", "1").unwrap();
        let (body, public_key) = (TxBody::Call(vec![call]), key.public_key());
        let account = self.adapter.account(&public_key).await.unwrap();
        let request = BuildRequest { body: &body, public_key: &public_key, account: &account, nonce: account.nonce };
        let unsigned = self.adapter.build(request).await.unwrap();
        let signed = self.adapter.finish(&unsigned, &key.sign(&unsigned.digest.0).unwrap()).unwrap();
        assert_eq!(self.adapter.broadcast(&signed).await, Broadcast::Accepted);
    }

    /// Each of the heights is in the chain's state, by exactly one transaction, whose nonces have no gap.
    async fn check(&self, heights: impl IntoIterator<Item = u64>) {
        for height in heights {
            let nanos = self.adapter.consensus_timestamp(CLIENT, height).await.unwrap();
            assert_eq!(nanos, Some(state(height).timestamp_seconds * 1_000_000_000), "{height}");
        }
        assert_eq!(self.ledger.open_intents("sim").unwrap(), [], "all have their outcome");
        let (mut names, mut included) = (BTreeMap::new(), Vec::new());
        let visit = |record: Record| match record {
            Record::Intent(intent) => drop(names.insert(intent.tx_hash, (intent.id, intent.nonce))),
            Record::Outcome(outcome) if matches!(outcome.result, OutcomeResult::Included { success: true, .. }) => {
                included.push(outcome.tx_hash);
            }
            _ => {}
        };
        self.ledger.replay(visit).unwrap();
        let included: Vec<_> = included.iter().map(|hash| names[hash].clone()).collect();
        let once: BTreeSet<_> = included.iter().map(|(name, _)| name).collect();
        let nonces: BTreeSet<_> = included.iter().map(|(_, nonce)| nonce).collect();
        assert_eq!((once.len(), nonces.len()), (included.len(), included.len()), "{included:?}");
    }
}

fn config(url: &str) -> CosmosConfig {
    CosmosConfig {
        name: "sim".into(),
        urls: vec![url.to_owned()],
        chain_id: "sim-1".into(),
        address_prefix: "cosmos".into(),
        fee_denom: "stake".into(),
        gas_price: "0".into(),
        gas_multiplier_percent: 150,
        gas_max: 10_000_000,
        tx_bytes_max: 500_000,
        messages_max: 50,
    }
}

fn state(height: u64) -> StateAttestation {
    StateAttestation { height, timestamp_seconds: START_SECONDS + height }
}

/// The heights of the blocks that took them.
async fn all(mut sending: JoinSet<u64>) -> Vec<u64> {
    let heights = Mutex::new(Vec::new());
    let done = async {
        while let Some(height) = sending.join_next().await {
            heights.lock().unwrap().push(height.unwrap());
        }
    };
    assert!(tokio::time::timeout(MINUTE * 4, done).await.is_ok(), "not all in time: {heights:?}");
    heights.into_inner().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn several_transactions_of_one_key_are_in_one_block() {
    if !nodes_are_here("cosmos_flights::several_transactions_of_one_key_are_in_one_block") {
        return;
    }
    let rig = Rig::start(3_000).await;
    let sending = rig.spawn(2..=9);
    rig.on_their_way(limits::PIPELINED).await;
    let blocks = all(sending).await;
    let distinct: BTreeSet<u64> = blocks.iter().copied().collect();
    assert!(distinct.len() < blocks.len(), "each waited for the one before it: {blocks:?}");
    rig.check(2..=9).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sequence_that_somebody_else_used_is_read_again() {
    if !nodes_are_here("cosmos_flights::a_sequence_that_somebody_else_used_is_read_again") {
        return;
    }
    let rig = Rig::start(2_000).await;
    // Somebody else's is in the pool, and ours are built for the sequence that the state still shows.
    rig.spend_elsewhere().await;
    all(rig.spawn(2..=5)).await;
    // Once more, with ours right behind one another.
    rig.spend_elsewhere().await;
    all(rig.spawn(6..=9)).await;
    rig.check(2..=9).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pool_that_is_lost_with_all_of_them_gets_them_again() {
    if !nodes_are_here("cosmos_flights::a_pool_that_is_lost_with_all_of_them_gets_them_again") {
        return;
    }
    let rig = Rig::start(5_000).await;
    let sending = rig.spawn(2..=5);
    rig.on_their_way(limits::PIPELINED).await;
    // The pool is in memory only.
    rig.node.kill(0);
    rig.node.restart(0).unwrap();
    all(sending).await;
    rig.check(2..=5).await;
}
