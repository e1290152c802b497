//! The adversary catalogue of the Cosmos adapter: every field of every answer, and every fault of the validators.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

mod catalogue;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use catalogue::counterparty::{addresses, entry, packet, success, update, Counterparty};
use catalogue::table::{Row, LESS};
use catalogue::walk::{chain, Script, Subject};
use catalogue::{run, TRUST};
use catenary_adapter_cosmos::{setup, CosmosAdapter, CosmosConfig};
use catenary_adapter_testkit::TestKey;
use catenary_api::{
    Broadcast, BuildRequest, Call, ChainSink, ChainSource, Message, PacketEvent, SignedTx, TxBody, TxReceipt,
};
use catenary_devnet::cometbft::{CometConfig, CometDevnet, CometFault};
use catenary_devnet::fault::Lies;
use catenary_devnet::wire::Endpoint;
use catenary_light_clients::cometbft::testing::START_SECONDS;
use catenary_light_clients::cometbft::{CometBft, Config};
use catenary_light_clients::{Anchor, Hash32, LightClient, Rejection};
use catenary_node::chain::{Adapter, Chain, Prover};
use catenary_protocol::attestation::PathCommitment;
use catenary_protocol::{ics20, Packet, StateAttestation, VerifiedTimeout};
use catenary_tests::localnet::Account;
use serde_json::Value;

const CHAIN_ID: &str = "devnet-cosmos-1";
const OURS: &str = "attestations-0";
const THEIRS: &str = "client-0";
const EVM_USER: &str = "0xf39fd6e51aad88f6f4ce6ab8827279cfffb92266";
const RICH: u128 = 1_000_000_000_000;

/// A devnet with a history, and what is walked of it.
struct Cosmos {
    devnet: CometDevnet,
    anchor: Anchor,
    script: Script,
}

fn adapter(url: &str) -> Arc<CosmosAdapter> {
    let config = CosmosConfig {
        name: "catalogue".to_owned(),
        urls: vec![url.to_owned()],
        chain_id: CHAIN_ID.to_owned(),
        address_prefix: "cosmos".to_owned(),
        fee_denom: "stake".to_owned(),
        gas_price: "0.001".to_owned(),
        gas_multiplier_percent: 150,
        gas_max: 10_000_000,
        tx_bytes_max: 400_000,
        messages_max: 50,
    };
    Arc::new(CosmosAdapter::new(config).unwrap())
}

fn sides(adapter: &Arc<CosmosAdapter>) -> Adapter {
    Adapter { source: adapter.clone(), sink: adapter.clone() }
}

fn light_client(anchor: Anchor, update: &[u8]) -> Result<CometBft, Rejection> {
    let config = Config {
        chain_id: CHAIN_ID.to_owned(),
        anchor,
        store_prefix: vec![b"ibc".to_vec(), Vec::new()],
        trust: TRUST,
        skipping: false,
    };
    Ok(CometBft::new(config, update)?)
}

#[async_trait]
impl Subject for Cosmos {
    async fn endpoint(&self, lies: Lies) -> Endpoint {
        self.devnet.endpoint(lies).await.unwrap()
    }

    fn open(&self, url: &str) -> Adapter {
        sides(&adapter(url))
    }

    fn light_client(&self, update: &[u8]) -> Result<Box<dyn LightClient>, Rejection> {
        Ok(Box::new(light_client(self.anchor.clone(), update)?))
    }

    fn script(&self) -> &Script {
        &self.script
    }

    fn is_read(&self, field: &str) -> bool {
        let inside = ["/[encoded_packet_hex]", "/[encoded_acknowledgement_hex]", "/signatures/"];
        let whole = ["/result/response", "/result/validators"];
        inside.iter().any(|part| field.contains(part)) || whole.contains(&field)
    }

    fn role(&self, method: &str, params: &Value) -> String {
        match (method, params["path"].as_str()) {
            (_, Some("store/ibc/key")) if params["prove"] == true => PROOF.to_owned(),
            (_, Some("store/ibc/key")) => NEWEST.to_owned(),
            (_, Some(path)) => format!("{method} {}", path.rsplit('/').next().unwrap_or(path)),
            ("commit", None) if params["height"] == "1" => FIRST.to_owned(),
            _ => method.to_owned(),
        }
    }
}

/// Makes the history.
struct Maker {
    devnet: CometDevnet,
    adapter: Arc<CosmosAdapter>,
    user: Account,
    key: TestKey,
}

impl Maker {
    async fn start() -> Self {
        let user = Account::named("user-0");
        let funded = vec![(user.cosmos_address.clone(), "stake".to_owned(), RICH)];
        let config = CometConfig { block_interval: None, funded, ..CometConfig::default() };
        let devnet = CometDevnet::start(config).await.unwrap();
        let (adapter, key) = (adapter(&devnet.url()), TestKey::new(&user.private_key).unwrap());
        Self { devnet, adapter, user, key }
    }

    /// Signs, sends, makes a block and reads the outcome.
    async fn send(&self, body: &TxBody) -> (SignedTx, TxReceipt) {
        let key = self.key.public_key();
        let account = self.adapter.account(&key).await.unwrap();
        let request = BuildRequest { body, public_key: &key, account: &account, nonce: account.nonce };
        let unsigned = self.adapter.build(request).await.unwrap();
        let signed = self.adapter.finish(&unsigned, &self.key.sign(&unsigned.digest.0).unwrap()).unwrap();
        assert_eq!(self.adapter.broadcast(&signed).await, Broadcast::Accepted);
        self.devnet.mine(1).unwrap();
        let receipt = self.adapter.receipt(&signed.hash).await.unwrap().unwrap();
        assert!(receipt.success, "{receipt:?}");
        (signed, receipt)
    }

    async fn call(&self, call: Result<Call, catenary_adapter_cosmos::Error>) {
        self.send(&TxBody::Call(vec![call.unwrap()])).await;
    }

    /// Sends a transfer that may take so many seconds.
    async fn transfer(&self, seconds: u64) -> (SignedTx, Packet) {
        let now = self.adapter.head().await.unwrap().timestamp.seconds();
        let transfer = setup::Transfer {
            client_id: OURS.to_owned(),
            denom: "stake".to_owned(),
            amount: "10".to_owned(),
            receiver: EVM_USER.to_owned(),
            timeout_seconds: now + seconds,
            memo: String::new(),
        };
        let call = setup::transfer(&self.user.cosmos_address, &transfer).unwrap();
        let (signed, receipt) = self.send(&TxBody::Call(vec![call])).await;
        let claims = self.adapter.events(receipt.height, receipt.height).await.unwrap();
        let Some(PacketEvent::Sent(packet)) = claims.first().map(|claim| claim.event.clone()) else { panic!() };
        (signed, packet)
    }

    /// The node's chain, at the newest provable block.
    async fn chain(&self, anchor: &Anchor) -> Chain {
        let update = self.adapter.updates(anchor.height, anchor.height).await.unwrap().remove(0);
        let chain = chain(sides(&self.adapter), Box::new(light_client(anchor.clone(), &update).unwrap()));
        chain.refresh().await.unwrap();
        chain
    }

    /// One packet goes out and is acknowledged, one comes in.
    async fn there_and_back(&self) -> (Counterparty, Packet) {
        let (_, sent) = self.transfer(3_600).await;
        let now = self.adapter.head().await.unwrap().timestamp.seconds();
        let home = ics20::Transfer {
            denom: "0x5fbdb2315678afecb367f032d93f642f64180aa3".to_owned(),
            amount: "700".to_owned(),
            sender: EVM_USER.to_owned(),
            receiver: self.user.cosmos_address.clone(),
            memo: String::new(),
        };
        let incoming = packet([THEIRS, OURS], &home, now + 3_600);
        let other = Counterparty::new(&[
            (b"x".to_vec(), b"y".to_vec()),
            (incoming.commitment_path().into_bytes(), incoming.commitment().0.to_vec()),
            (sent.ack_path().into_bytes(), success().commitment().0.to_vec()),
        ]);
        let verified = other.sent(2, &incoming).unwrap();
        let proof = entry(2, PathCommitment::of_packet(&verified));
        let recv = Message::Recv { packet: verified, proof, proof_height: 2 };
        self.send(&TxBody::Deliver(vec![update(OURS, &other.header(2)), recv])).await;
        let ack = other.acknowledged(3, &sent, success());
        let proof = entry(3, PathCommitment::of_ack(&ack));
        let ack = Message::Ack { ack, proof, proof_height: 3 };
        self.send(&TxBody::Deliver(vec![update(OURS, &other.header(3)), ack])).await;
        (other, incoming)
    }

    /// A packet times out. Its absence is shown in this chain's own state, which the members attest to just the same.
    async fn time_out(&self, anchor: &Anchor) {
        let (_, late) = self.transfer(3).await;
        // Less than the drift that light clients forgive.
        self.devnet.advance_time(Duration::from_secs(4));
        let height = self.devnet.mine(1).unwrap();
        self.devnet.mine(1).unwrap();
        let chain = self.chain(anchor).await;
        let fact = chain.receipt_absences(height, std::slice::from_ref(&late)).await.unwrap().remove(0).unwrap();
        let proof = entry(height, PathCommitment::of_absence(&fact));
        let header = update(OURS, &chain.state(height).await.unwrap());
        let timeout = VerifiedTimeout::new(late, fact).unwrap();
        let timeout = Message::Timeout { timeout, proof, proof_height: height };
        self.send(&TxBody::Deliver(vec![header, timeout])).await;
    }
}

impl Cosmos {
    async fn make() -> Self {
        let maker = Maker::start().await;
        let me = maker.user.cosmos_address.clone();
        let state = StateAttestation { height: 1, timestamp_seconds: START_SECONDS };
        maker.call(setup::create_client(&me, &addresses(), 2, state)).await;
        maker.call(setup::register_counterparty(&me, OURS, THEIRS)).await;
        let height = maker.devnet.height();
        let anchor = Anchor { height, hash: Hash32(maker.devnet.block_hash(height).unwrap()) };
        let (other, incoming) = maker.there_and_back().await;
        maker.time_out(&anchor).await;
        let (included, open) = maker.transfer(3_600).await;
        maker.devnet.mine(2).unwrap();
        let sent_there = move |claimed: &Packet| {
            if claimed.commitment_path() != incoming.commitment_path() {
                return Err("PR-VER-001");
            }
            other.sent(2, claimed).map(|_| ())
        };
        let call = setup::bank_send("cosmos", &me, &Account::named("user-1").cosmos_address, "stake", "1").unwrap();
        let script = Script {
            chain_id: CHAIN_ID.to_owned(),
            anchor: height,
            clients: [OURS, THEIRS],
            key: TestKey::new(&maker.user.private_key).unwrap(),
            body: TxBody::Call(vec![call]),
            included,
            open,
            sent_there: Box::new(sent_there),
        };
        Self { devnet: maker.devnet, anchor, script }
    }
}

/// A row of the table.
const fn row(role: &'static str, field: &'static str, may: &'static [&'static str], reason: &'static str) -> Row {
    Row { role, field, may, reason }
}

const PROOF: &str = "abci_query_proof";
const NEWEST: &str = "abci_query_newest";
const FIRST: &str = "commit_of_block_1";
const RESULTS: &str = "block_results";

const UNREAD: &str = "not read";
const NO_CODE: &str = "left out where it is 0; any other code is a refusal";
const CLIENT: &str =
    "what a chain says of its own client is shown to people who set up a path (`check --online`), and may hold packets \
     back until the next look; their proofs are judged on chain, and nothing is sent for it";
/// What the next sequence of an account goes into.
const SENDING: &[&str] = &["account", "build", "broadcast", "again"];
const SEQUENCE: &str = "a wrong sequence is refused on chain, and the signer remembers what it signed for each";
const HINT: &str = "leaves work out or does it in vain; never a decision";
const WITHHELD: &str =
    "an event that is withheld is not taken: the packet stays committed, and every member looks for \
                        itself; what is left is taken in order";
const PLACE: &str = "which transaction an event belongs to is for people; what it says is proven";
const ENDED: &str =
    "the outcome of a transaction ends the wait for it and is booked as a claim; what became of its packets \
                     is proven, and what is sent again is refused on chain by its receipt";
const SET: &str = "the set must have the hash in the header, in whatever order and pages it comes";
const VOTES: &str = "three of four votes are more than two thirds; what is not needed is not counted, nor looked at";
const GENESIS: &str = "shown to people; the anchor, not the first block, is what is trusted";

/// Why changes that are not refused do no harm.
const ROWS: &[Row] = &[
    row("abci_query ClientState", "/result", &["client", "no client"], CLIENT),
    row("abci_query ClientState", "/result/response", &["client", "no client"], CLIENT),
    row("abci_query ClientState", "/result/response/code", &["client", "no client"], CLIENT),
    row("abci_query ClientState", "/result/response/value", &["client", "no client"], CLIENT),
    row("abci_query CounterpartyInfo", "/result", &["client"], CLIENT),
    row("abci_query CounterpartyInfo", "/result/response", &["client"], CLIENT),
    row("abci_query CounterpartyInfo", "/result/response/value", &["client"], CLIENT),
    row("abci_query Account", "/result/response/value", SENDING, SEQUENCE),
    row("abci_query Balance", "/result/response", &["account"], "shown, and warned of; the chain decides who can pay"),
    row("abci_query Balance", "/result/response/value", &["account"], "as the row before"),
    row("abci_query Simulate", "/result/response/value", &["build", "broadcast"], "bounded by gas_max; see TRUST"),
    row(NEWEST, "/result/response", &["present"], HINT),
    row(NEWEST, "/result/response/value", &["present"], HINT),
    row(PROOF, "/result/response", &[], "without a value where none is: the proof of absence decides"),
    row("abci_query*", "/result/response/code", &[], NO_CODE),
    row("abci_query*", "/result/response/codespace", &[], UNREAD),
    row("abci_query*", "/result/response/index", &[], UNREAD),
    row("abci_query*", "/result/response/info", &[], UNREAD),
    row("abci_query*", "/result/response/log", &[], "words, for people; those of a simulation are read when it fails"),
    row("abci_query *", "/result/response/key", &[], UNREAD),
    row("abci_query *", "/result/response/height", &[], UNREAD),
    row("abci_query *", "/result/response/proofOps", &[], UNREAD),
    row(NEWEST, "/result/response/height", &[], UNREAD),
    row(NEWEST, "/result/response/proofOps", &[], UNREAD),
    row("block", "/result/block/data", &["places"], PLACE),
    row("block", "/result/block/data/txs", &["places"], PLACE),
    row("block", "/result/block/data/txs/0", &["places"], PLACE),
    row("block", "/result/**", &[], UNREAD),
    row(RESULTS, "/result/txs_results", &["places", LESS], WITHHELD),
    row(RESULTS, "/result/txs_results/0", &["places", LESS], WITHHELD),
    row(RESULTS, "/result/txs_results/0/code", &["places", LESS], WITHHELD),
    row(RESULTS, "/result/txs_results/0/events", &["places", LESS], WITHHELD),
    row(RESULTS, "/result/txs_results/0/events/*", &["places", LESS], WITHHELD),
    row(RESULTS, "/result/txs_results/0/events/*/type", &["places", LESS], WITHHELD),
    row(RESULTS, "/result/txs_results/0/events/*/attributes", &["places", LESS], WITHHELD),
    row(RESULTS, "/result/txs_results/0/events/*/attributes/[encoded_packet_hex]", &["places", LESS], WITHHELD),
    row(RESULTS, "/result/txs_results/0/events/*/attributes/[encoded_packet_hex]/key", &["places", LESS], WITHHELD),
    row(RESULTS, "/result/txs_results/0/events/*/attributes/**", &[], UNREAD),
    row(RESULTS, "/result/txs_results/0/*", &[], UNREAD),
    row(RESULTS, "/result/consensus_param_updates/**", &[], UNREAD),
    row(RESULTS, "/result/*", &[], UNREAD),
    row(RESULTS, "/result", &[], UNREAD),
    row("broadcast_tx_sync", "/**", &["broadcast", "again"], "what became of it is read from the chain"),
    row(FIRST, "/result/**", &["identity"], GENESIS),
    row("commit", "/result/canonical", &[], UNREAD),
    row("commit", "/result/signed_header/commit/signatures/*/block_id_flag", &[], VOTES),
    row("commit", "/result/signed_header/commit/signatures/3/**", &[], VOTES),
    row("status", "/result/sync_info/earliest_block_height", &["identity"], GENESIS),
    row(
        "status",
        "/result/sync_info/latest_block_height",
        &["head", "places", LESS],
        "stale: NODE-CHN-001 once it lasts",
    ),
    row("status", "/result/sync_info/latest_block_time", &["head"], "each header is verified, with its own time"),
    row("status", "/result/sync_info/*", &[], UNREAD),
    row("status", "/result/node_info/**", &[], UNREAD),
    row("status", "/result/validator_info/**", &[], UNREAD),
    row("tx", "/result/height", &["receipt"], ENDED),
    row("tx", "/result/tx_result", &["receipt"], ENDED),
    row("tx", "/result/tx_result/code", &["receipt"], ENDED),
    row("tx", "/result/tx_result/gas_used", &["receipt"], ENDED),
    row("tx", "/result/tx_result/events", &["receipt"], ENDED),
    row("tx", "/result/tx_result/events/[send_packet]/**", &["receipt"], ENDED),
    row("tx", "/**", &[], UNREAD),
    row("validators", "/result/count", &[], SET),
    row("validators", "/result/total", &[], SET),
    row("validators", "/result/validators", &[], SET),
    row("validators", "/result/validators/*/proposer_priority", &[], "no part of the set's hash; not read"),
];

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn no_field_of_an_answer_is_acted_on_unless_it_holds() {
    let subject = Arc::new(Cosmos::make().await);
    run::run(subject, ROWS).await;
}

/// What is expected of the node's chain once two blocks were made with a fault in force, where three were verified
/// before: the code, or `verified`; and the height that is trusted then.
const fn expected(fault: CometFault) -> (&'static str, u64) {
    match fault {
        // Signed by all, until the honest chain goes on without it.
        CometFault::Equivocate => ("LC-CMT-021", 4),
        CometFault::ServedFork | CometFault::StopThird => ("verified", 5),
        CometFault::BelowQuorum | CometFault::NilVotesCounted => ("LC-CMT-023", 3),
        CometFault::ForgedValidatorSet | CometFault::SkippedHandover => ("LC-CMT-020", 3),
        CometFault::StrangersSignatures | CometFault::WrongAppHash => ("LC-CMT-026", 3),
        CometFault::RelabelledHeader => ("LC-CMT-021", 3),
        CometFault::ChangedResultsHash => ("LC-CMT-014", 3),
        CometFault::TimeBack => ("LC-CMT-022", 3),
        CometFault::TimeAhead => ("LC-TRUST-005", 3),
        // The newest block is an old one: there is nothing to follow, and the head grows stale.
        CometFault::ReplayedHeader | CometFault::StopHalf => ("verified", 3),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn no_fault_of_the_validators_moves_what_is_verified() {
    for fault in CometFault::ALL {
        let maker = Maker::start().await;
        maker.devnet.mine(2).unwrap();
        let anchor = Anchor { height: 1, hash: Hash32(maker.devnet.block_hash(1).unwrap()) };
        let view = maker.devnet.fault(fault).await.unwrap();
        let adapter = adapter(&view.url().unwrap_or_else(|| maker.devnet.url()));
        let update = adapter.updates(1, 1).await.unwrap().remove(0);
        let chain = chain(sides(&adapter), Box::new(light_client(anchor, &update).unwrap()));
        chain.refresh().await.unwrap();
        assert_eq!(chain.status().trusted_height, 3, "{fault:?}");
        assert_eq!(maker.devnet.mine(2).is_err(), fault == CometFault::StopHalf, "{fault:?}");
        let followed = chain.refresh().await.map_or_else(|error| error.code(), |()| "verified");
        assert_eq!((followed, chain.status().trusted_height), expected(fault), "{fault:?}");
        if followed != "verified" {
            assert_eq!(chain.head(), 0, "{fault:?}: nothing is proven from a chain that was refused");
        }
        if fault == CometFault::ReplayedHeader {
            assert_eq!(adapter.updates(4, 4).await.unwrap_err().code, "COS-RPC-007");
        }
        maker.devnet.shutdown().await;
    }
}
