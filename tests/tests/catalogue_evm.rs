//! The adversary catalogue of the EVM adapter: every field of every answer, and every fault of the validators.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

mod catalogue;

use std::sync::Arc;

use async_trait::async_trait;
use catalogue::counterparty::{addresses, entry, packet, success, update, Counterparty};
use catalogue::table::{Row, LESS};
use catalogue::walk::{chain, code_of, Script, Subject};
use catalogue::{now_seconds, run, TRUST};
use catenary_adapter_evm::setup::{self, Counterparty as OtherEnd, LightClientArguments, Role, TransferArguments};
use catenary_adapter_evm::{EvmAdapter, EvmConfig as AdapterConfig, GasPrice, COMMITMENT_SLOT};
use catenary_adapter_testkit::TestKey;
use catenary_api::{
    Broadcast, BuildRequest, Call, ChainSink, ChainSource, Message, PacketEvent, SignedTx, TxBody, TxReceipt,
};
use catenary_devnet::evm::{Branch, EvmConfig, EvmDevnet, EvmFault};
use catenary_devnet::fault::Lies;
use catenary_devnet::wire::Endpoint;
use catenary_light_clients::cometbft::testing::START_SECONDS;
use catenary_light_clients::qbft::{Config, Qbft};
use catenary_light_clients::{Anchor, LightClient, Rejection};
use catenary_node::chain::{Adapter, Chain, Prover};
use catenary_node::platform;
use catenary_protocol::attestation::PathCommitment;
use catenary_protocol::{ics20, Packet, VerifiedTimeout};
use catenary_tests::localnet::Account;
use serde_json::Value;

const CHAIN_ID: u64 = 1_337;
const OURS: &str = "client-0";
const THEIRS: &str = "attestations-0";
const COSMOS_USER: &str = "cosmos15f0fjzzf9g6z5tq0vufn8fdjfekhlg34m7kzrh";
/// What a unit of gas may cost at most, whatever the endpoint asks for.
const GAS_PRICE_MAX_WEI: u128 = 0;
const RICH: u128 = 1_000_000_000_000_000_000;

/// A devnet with a history, and what is walked of it.
struct Evm {
    devnet: EvmDevnet,
    router: [u8; 20],
    anchor: Anchor,
    script: Script,
}

fn adapter(url: &str, router: Option<[u8; 20]>) -> Arc<EvmAdapter> {
    let mut config = AdapterConfig::new("catalogue", url, CHAIN_ID);
    config.router = router;
    // Gas is free here: whatever else the endpoint asks for is refused, and nothing is signed (EVM-TXN-011).
    (config.gas_price, config.gas_price_max_wei) = (GasPrice::Node, Some(GAS_PRICE_MAX_WEI));
    Arc::new(EvmAdapter::new(config).unwrap())
}

fn sides(adapter: &Arc<EvmAdapter>) -> Adapter {
    Adapter { source: adapter.clone(), sink: adapter.clone() }
}

fn light_client(anchor: Anchor, router: [u8; 20], update: &[u8]) -> Result<Qbft, Rejection> {
    let config = Config {
        chain_id: CHAIN_ID.to_string(),
        anchor,
        router,
        commitment_slot: COMMITMENT_SLOT,
        trust: TRUST,
        skipping: false,
        validator_contract: None,
    };
    Ok(Qbft::new(config, update)?)
}

#[async_trait]
impl Subject for Evm {
    async fn endpoint(&self, lies: Lies) -> Endpoint {
        self.devnet.endpoint(lies).await.unwrap()
    }

    fn open(&self, url: &str) -> Adapter {
        sides(&adapter(url, Some(self.router)))
    }

    fn light_client(&self, update: &[u8]) -> Result<Box<dyn LightClient>, Rejection> {
        Ok(Box::new(light_client(self.anchor.clone(), self.router, update)?))
    }

    fn script(&self) -> &Script {
        &self.script
    }

    fn role(&self, method: &str, params: &Value) -> String {
        let detail = match method {
            "eth_getBlockByNumber" => match params[0].as_str() {
                Some("latest") => " latest",
                Some("0x0") => " genesis",
                _ => "",
            },
            "eth_call" => match &params[0]["data"].as_str().unwrap()[..10] {
                "0x7eb78932" => " getClient",
                "0xb0777bfa" => " getCounterparty",
                "0xef913a4b" => " getClientState",
                other => other,
            },
            _ => "",
        };
        format!("{method}{detail}")
    }
}

/// Makes the history.
struct Maker {
    devnet: EvmDevnet,
    adapter: Arc<EvmAdapter>,
    user: Account,
    key: TestKey,
}

impl Maker {
    async fn start() -> Self {
        let user = Account::named("user-0");
        let config = EvmConfig {
            chain_id: CHAIN_ID,
            block_interval: None,
            // No header is in the future of the machine's clock.
            time_start: Some(now_seconds() - 2_000),
            funded: vec![(user.evm_address, RICH)],
            ..EvmConfig::default()
        };
        let devnet = EvmDevnet::start(config).await.unwrap();
        let (adapter, key) = (adapter(&devnet.url(), None), TestKey::new(&user.private_key).unwrap());
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
        self.devnet.mine(1).await.unwrap();
        let receipt = self.adapter.receipt(&signed.hash).await.unwrap().unwrap();
        assert!(receipt.success, "{receipt:?}");
        (signed, receipt)
    }

    async fn call(&self, call: catenary_adapter_evm::Result<Call>) -> TxReceipt {
        self.send(&TxBody::Call(vec![call.unwrap()])).await.1
    }

    async fn create(&self, call: catenary_adapter_evm::Result<Call>) -> [u8; 20] {
        self.call(call).await.created.unwrap()
    }

    /// Router, application and token of one path.
    async fn deploy(&mut self) -> [[u8; 20]; 3] {
        let me = self.user.evm_address;
        let router = self.create(setup::deploy_router(&me)).await;
        self.adapter = adapter(&self.devnet.url(), Some(router));
        let app = self.create(setup::deploy_transfer(&router)).await;
        let token = self.create(setup::deploy_test_token("Test", "TST")).await;
        let arguments = LightClientArguments {
            attestors: addresses(),
            min_required_sigs: 2,
            initial_height: 1,
            initial_timestamp_seconds: START_SECONDS,
            role_manager: Some(me),
        };
        let client = self.create(setup::deploy_light_client(&arguments)).await;
        self.call(setup::add_ibc_app(&router, ics20::PORT, &app)).await;
        self.call(setup::grant_role(&client, Role::ProofSubmitter, &router)).await;
        let other = OtherEnd { client_id: THEIRS.to_owned(), merkle_prefix: vec![Vec::new()] };
        self.call(setup::add_client(&router, &other, &client)).await;
        self.call(setup::mint(&token, &me, "1000")).await;
        self.call(setup::approve(&token, &app, "1000")).await;
        [router, app, token]
    }

    /// Sends a transfer that may take so many seconds.
    async fn transfer(&self, [app, token]: [[u8; 20]; 2], seconds: u64) -> (SignedTx, Packet) {
        let now = self.adapter.head().await.unwrap().timestamp.seconds();
        let transfer = TransferArguments {
            token,
            amount: "10".to_owned(),
            receiver: COSMOS_USER.to_owned(),
            source_client: OURS.to_owned(),
            timeout_timestamp_seconds: now + seconds,
            memo: String::new(),
        };
        let body = TxBody::Call(vec![setup::send_transfer(&app, &transfer).unwrap()]);
        let (signed, receipt) = self.send(&body).await;
        let claims = self.adapter.events(receipt.height, receipt.height).await.unwrap();
        let Some(PacketEvent::Sent(packet)) = claims.first().map(|claim| claim.event.clone()) else { panic!() };
        (signed, packet)
    }

    /// The node's chain, at the newest block.
    async fn chain(&self, anchor: &Anchor, router: [u8; 20]) -> Chain {
        let update = self.adapter.updates(anchor.height, anchor.height).await.unwrap().remove(0);
        let client = light_client(anchor.clone(), router, &update).unwrap();
        let chain = chain(sides(&self.adapter), Box::new(client));
        chain.refresh().await.unwrap();
        chain
    }

    /// One packet goes out and is acknowledged, one comes in.
    async fn there_and_back(&self, tokens: [[u8; 20]; 2]) -> (Counterparty, Packet) {
        let (_, sent) = self.transfer(tokens, 3_600).await;
        let now = self.adapter.head().await.unwrap().timestamp.seconds();
        let home = ics20::Transfer {
            denom: "stake".to_owned(),
            amount: "700".to_owned(),
            sender: COSMOS_USER.to_owned(),
            receiver: self.user.evm_hex(),
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
    async fn time_out(&self, tokens: [[u8; 20]; 2], anchor: &Anchor, router: [u8; 20]) {
        let (_, late) = self.transfer(tokens, 30).await;
        self.devnet.pass_seconds(60);
        let height = self.devnet.mine(1).await.unwrap();
        let chain = self.chain(anchor, router).await;
        let fact = chain.receipt_absences(height, std::slice::from_ref(&late)).await.unwrap().remove(0).unwrap();
        let proof = entry(height, PathCommitment::of_absence(&fact));
        let header = update(OURS, &chain.state(height).await.unwrap());
        let timeout = VerifiedTimeout::new(late, fact).unwrap();
        let timeout = Message::Timeout { timeout, proof, proof_height: height };
        self.send(&TxBody::Deliver(vec![header, timeout])).await;
    }
}

impl Evm {
    async fn make() -> Self {
        let mut maker = Maker::start().await;
        let [router, app, token] = maker.deploy().await;
        let height = maker.devnet.height();
        let anchor = Anchor { height, hash: maker.devnet.header(Branch::Main, height).unwrap().hash };
        let (other, incoming) = maker.there_and_back([app, token]).await;
        maker.time_out([app, token], &anchor, router).await;
        let (included, open) = maker.transfer([app, token], 3_600).await;
        maker.devnet.mine(1).await.unwrap();
        let sent_there = move |claimed: &Packet| {
            let same_place = claimed.commitment_path() == incoming.commitment_path();
            if !same_place {
                return Err("PR-VER-001");
            }
            other.sent(2, claimed).map(|_| ())
        };
        let script = Script {
            chain_id: CHAIN_ID.to_string(),
            anchor: height,
            clients: [OURS, THEIRS],
            key: TestKey::new(&maker.user.private_key).unwrap(),
            body: TxBody::Call(vec![setup::mint(&token, &maker.user.evm_address, "1").unwrap()]),
            included,
            open,
            sent_there: Box::new(sent_there),
        };
        Self { devnet: maker.devnet, router, anchor, script }
    }
}

/// A row of the table.
const fn row(role: &'static str, field: &'static str, may: &'static [&'static str], reason: &'static str) -> Row {
    Row { role, field, may, reason }
}

const BLOCK: &str = "eth_getBlockByNumber";
const LATEST: &str = "eth_getBlockByNumber latest";
const GENESIS: &str = "eth_getBlockByNumber genesis";
const RECEIPT: &str = "eth_getTransactionReceipt";
const TX: &str = "eth_getTransactionByHash";
/// What follows from another nonce or gas: another transaction, which the honest pool of the devnet may refuse.
const SENDING: &[&str] = &["account", "build", "broadcast"];

const NOT_IN_HEADER: &str = "no part of the header, whose hash is computed from its fields; not read";
const ONLY_A_HINT: &str = "the newest height and time only say what to ask for next: each header is verified";
const WITHHELD: &str =
    "an event that is withheld is not taken: the packet stays committed, and every member looks for \
                        itself; what is left is taken in order";
const NOT_PROVEN: &str = "no part of the proof, which is of the account's node and the slot's; not read";
const PLACE: &str = "where an event stands is for people; what it says is proven at the height that it names";
const UNREAD: &str = "not read, or only for the words of a failure";
const WORDS: &str = "the words of a revert are for people; that there is no such client acts on nothing";
const CLIENT: &str =
    "what a chain says of its own client is shown to people who set up a path (`check --online`); the \
     proofs are judged on chain, and nothing is sent for it";
const OUTPUT: &str = "the client id or sequence that a call gave is shown to the person who made the call";
const ENDED: &str =
    "the outcome of a transaction ends the wait for it and is booked as a claim; what became of its packets \
                     is proven, and what is sent again is refused on chain by its receipt";

/// Why changes that are not refused do no harm.
const ROWS: &[Row] = &[
    row(GENESIS, "/result", &["identity"], "shown to people; the anchor, not the genesis, is what is trusted"),
    row(GENESIS, "/result/size", &[], NOT_IN_HEADER),
    row(GENESIS, "/result/totalDifficulty", &[], NOT_IN_HEADER),
    row(GENESIS, "/result/transactions", &[], NOT_IN_HEADER),
    row(GENESIS, "/result/uncles", &[], NOT_IN_HEADER),
    row(BLOCK, "/result", &[], "without a field that is no part of the header"),
    row(BLOCK, "/result/size", &[], NOT_IN_HEADER),
    row(BLOCK, "/result/totalDifficulty", &[], NOT_IN_HEADER),
    row(BLOCK, "/result/transactions/**", &[], NOT_IN_HEADER),
    row(BLOCK, "/result/uncles", &[], NOT_IN_HEADER),
    row(LATEST, "/result", &["head", "places", LESS], ONLY_A_HINT),
    row(LATEST, "/result/number", &["head", "places", LESS], "a lower head is stale: NODE-CHN-001 once it lasts"),
    row(LATEST, "/result/timestamp", &["head"], ONLY_A_HINT),
    row(LATEST, "/result/*", &[], ONLY_A_HINT),
    row("eth_blockNumber", "/result", &[], "a higher head is harmless: the range asked for is below the verified one"),
    row("eth_getLogs", "/result", &["places", LESS], WITHHELD),
    row("eth_getLogs", "/result/*", &["places", LESS], WITHHELD),
    row("eth_getLogs", "/result/*/blockHash", &[], PLACE),
    row("eth_getLogs", "/result/*/blockNumber", &["places"], PLACE),
    row("eth_getLogs", "/result/*/blockTimestamp", &[], PLACE),
    row("eth_getLogs", "/result/*/logIndex", &[], PLACE),
    row("eth_getLogs", "/result/*/removed", &[], "left out by some nodes; true is refused"),
    row("eth_getLogs", "/result/*/transactionHash", &["places"], PLACE),
    row("eth_getLogs", "/result/*/transactionIndex", &[], PLACE),
    row("eth_getProof", "/result/balance", &[], NOT_PROVEN),
    row("eth_getProof", "/result/codeHash", &[], NOT_PROVEN),
    row("eth_getProof", "/result/nonce", &[], NOT_PROVEN),
    row("eth_getProof", "/result/storageHash", &[], NOT_PROVEN),
    row("eth_getStorageAt", "/result", &["present"], "leaves work out or does it in vain; never a decision"),
    row("eth_call getClient", "/error/**", &[], WORDS),
    row("eth_call getCounterparty", "/error/**", &[], WORDS),
    row("eth_call getCounterparty", "/result", &["client"], CLIENT),
    row("eth_call getClientState", "/result", &["client"], CLIENT),
    row("eth_getTransactionCount", "/result", SENDING, "a wrong nonce is refused on chain, and the signer remembers"),
    row("eth_getBalance", "/result", &["account"], "shown, and warned of; the chain decides who can pay"),
    row("eth_estimateGas", "/result", &["build", "broadcast"], "bounded by gas_max; too little gas fails on chain"),
    row("eth_sendRawTransaction", "/**", &["broadcast", "again"], "what became of it is read from the chain"),
    row(RECEIPT, "/result", &["receipt", "no receipt"], ENDED),
    row(RECEIPT, "/result/status", &["receipt"], ENDED),
    row(RECEIPT, "/result/blockNumber", &["receipt"], ENDED),
    row(RECEIPT, "/result/contractAddress", &["receipt"], ENDED),
    row(RECEIPT, "/result/gasUsed", &["receipt"], ENDED),
    row(RECEIPT, "/result/effectiveGasPrice", &["receipt"], ENDED),
    row(RECEIPT, "/result/logs", &["receipt"], OUTPUT),
    row(RECEIPT, "/result/logs/*", &["receipt"], OUTPUT),
    row(RECEIPT, "/result/logs/*/address", &["receipt"], OUTPUT),
    row(RECEIPT, "/result/logs/*/topics", &["receipt"], OUTPUT),
    row(RECEIPT, "/result/logs/*/topics/*", &["receipt"], OUTPUT),
    row(RECEIPT, "/result/logs/*/*", &[], UNREAD),
    row(RECEIPT, "/result/*", &[], UNREAD),
    row(TX, "/result", &["receipt", "again"], ENDED),
    row(TX, "/result/gasPrice", &["receipt"], "what a fee of the past was is booked as a claim, and decides nothing"),
    row(TX, "/result/*", &[], UNREAD),
];

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn no_field_of_an_answer_is_acted_on_unless_it_holds() {
    let subject = Arc::new(Evm::make().await);
    run::run(subject, ROWS).await;
}

/// What is expected of the node's chain once three blocks were made with a fault in force, where ten were verified
/// before: the code, or `verified`; and the height that is trusted then.
const fn expected(fault: &EvmFault) -> (&'static str, u64) {
    match fault {
        EvmFault::BelowQuorum => ("LC-QUO-003", 10),
        EvmFault::RepeatedSeal => ("LC-QBFT-019", 10),
        EvmFault::Strangers => ("LC-QBFT-018", 10),
        EvmFault::ForgedValidators | EvmFault::UnvotedValidator => ("LC-QBFT-017", 10),
        EvmFault::FutureTime { .. } => ("LC-TRUST-005", 10),
        EvmFault::StuckTime => ("LC-QBFT-016", 10),
        // The newest block is an old one: there is nothing to follow, and the head grows stale.
        EvmFault::ReplayedHeader { .. } | EvmFault::StoppedHalf => ("verified", 10),
        // The new chain does not follow the one that was verified.
        EvmFault::RollBack { .. } => ("LC-QBFT-015", 10),
        // Sealed as they must be: a third that is silent, a second chain elsewhere, a root that proves nothing.
        _ => ("verified", 13),
    }
}

/// Any packet.
fn somebodys_packet() -> Packet {
    let transfer = ics20::Transfer {
        denom: "stake".to_owned(),
        amount: "1".to_owned(),
        sender: COSMOS_USER.to_owned(),
        receiver: COSMOS_USER.to_owned(),
        memo: String::new(),
    };
    packet([OURS, THEIRS], &transfer, 1)
}

/// A light client that has followed the devnet through the adapter.
async fn follower(devnet: &EvmDevnet, adapter: &EvmAdapter, router: [u8; 20]) -> Qbft {
    let updates = adapter.updates(1, devnet.height()).await.unwrap();
    let anchor = Anchor { height: 1, hash: devnet.header(Branch::Main, 1).unwrap().hash };
    let mut client = light_client(anchor, router, &updates[0]).unwrap();
    for update in &updates[1..] {
        assert_eq!(code_of(&client.advance(update, platform::now())), "verified");
    }
    client
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn no_fault_of_the_validators_moves_what_is_verified() {
    let router = [9; 20];
    for fault in EvmFault::catalogue() {
        let time_start = Some(now_seconds() - 2_000);
        let config = EvmConfig { chain_id: CHAIN_ID, block_interval: None, time_start, ..EvmConfig::default() };
        let devnet = EvmDevnet::start(config).await.unwrap();
        devnet.mine(10).await.unwrap();
        let adapter = adapter(&devnet.url(), Some(router));
        let client = follower(&devnet, &adapter, router).await;
        devnet.fault(fault.clone()).await;
        let made = devnet.mine(3).await;
        assert_eq!(made.is_err(), fault == EvmFault::StoppedHalf, "{fault:?}");
        let chain = chain(sides(&adapter), Box::new(client.clone()));
        let followed = chain.refresh().await.map_or_else(|error| error.code(), |()| "verified");
        assert_eq!((followed, chain.status().trusted_height), expected(&fault), "{fault:?}");
        let proven = chain.packets(13, &[somebodys_packet()]).await;
        let refusal = proven.and_then(|mut facts| facts.remove(0)).unwrap_err().code();
        let why = match fault {
            // There is no such contract, and that much is proven, but where the root is of no state.
            EvmFault::WrongStateRoot => "LC-MPT-005",
            _ if followed == "verified" && chain.status().trusted_height == 13 => "LC-MPT-015",
            _ if followed == "verified" => "NODE-PRV-001",
            _ => "NODE-PRV-004",
        };
        assert_eq!(refusal, why, "{fault:?}");
        two_chains(&devnet, &fault, client).await;
        devnet.shutdown().await;
    }
}

/// Whoever has seen one of two chains, and is shown the other, freezes.
async fn two_chains(devnet: &EvmDevnet, fault: &EvmFault, mut client: Qbft) {
    let height = match fault {
        EvmFault::Equivocation => 11,
        EvmFault::Fork { depth } | EvmFault::RollBack { depth } => 11 - depth,
        _ => return,
    };
    let endpoint = devnet.endpoint_on(Branch::Other, Lies::default()).await.unwrap();
    let updates = adapter(&devnet.url(), None).updates(height, height).await.unwrap();
    let others = adapter(&endpoint.url(), None).updates(height, height).await.unwrap();
    let verdicts = [&updates[0], &others[0]].map(|update| code_of(&client.advance(update, platform::now())));
    assert!(verdicts.contains(&"LC-QBFT-100") && client.status().frozen, "{fault:?}: {verdicts:?}");
    endpoint.close().await;
}
