//! The EVM adapter against a real GoQuorum network: what it reads is verified by the light client, what it writes is
//! taken by the chain. The counterparty is a chain that exists in this process only, with real headers and proofs.
#![allow(clippy::unwrap_used, reason = "a test")]

use std::time::Duration;

use catenary_adapter_evm::setup::{self, Counterparty as OtherEnd, LightClientArguments, Role, TransferArguments};
use catenary_adapter_evm::{checksummed, At, Contract, EvmAdapter, EvmConfig, COMMITMENT_SLOT};
use catenary_api::{
    Broadcast, BuildRequest, Call, ChainSink, ChainSource, Message, PacketEvent, PublicKey, SignedTx, TxBody, TxReceipt,
};
use catenary_light_clients::cometbft::testing::{signers, Chain, START_SECONDS};
use catenary_light_clients::cometbft::CometBft;
use catenary_light_clients::proof::ics23::testing::State;
use catenary_light_clients::qbft::{Config, Qbft};
use catenary_light_clients::testing::Key;
use catenary_light_clients::{qbft, Anchor, Class, Header, LightClient, Timestamp, TrustOptions, Verdict, Verified};
use catenary_protocol::attestation::{normalise, signing_digest, PathCommitment, Statement};
use catenary_protocol::{
    ics20, Acknowledgement, AttestationProof, Packet, PacketAttestation, Payload, StateAttestation, VerifiedAck,
    VerifiedPacket, VerifiedTimeout,
};
use catenary_tests::localnet::{Account, Quorum, QuorumOptions};
use serde_json::{json, Value};

/// Round changes of a network with a validator down double their time-out, so a height may take this long on a busy machine.
const HEIGHT_DEADLINE: Duration = Duration::from_secs(240);
const OURS: &str = "client-0";
const THEIRS: &str = "attestations-0";
const COSMOS_USER: &str = "cosmos15f0fjzzf9g6z5tq0vufn8fdjfekhlg34m7kzrh";

/// Contracts of one path's EVM side.
#[derive(Clone, Copy)]
struct Deployed {
    router: [u8; 20],
    app: [u8; 20],
    light_client: [u8; 20],
    token: [u8; 20],
}

/// The network, the adapter, and a light client that follows the chain.
struct Rig {
    node: Quorum,
    adapter: EvmAdapter,
    client: Option<Qbft>,
    user: Account,
    attestors: Vec<Key>,
}

fn config(node: &Quorum, router: Option<[u8; 20]>) -> EvmConfig {
    // The first endpoint is dead: everything below goes through the failover.
    let mut config = EvmConfig::new("quorum", "http://user:secret@127.0.0.1:9/path", node.options.chain_id);
    config.urls.extend(node.rpc_urls());
    config.router = router;
    config
}

impl Rig {
    fn start() -> Self {
        let node = Quorum::start(QuorumOptions::default()).unwrap();
        let adapter = EvmAdapter::new(config(&node, None)).unwrap();
        let attestors = (1..=3).map(Key::new).collect();
        Self { node, adapter, client: None, user: Account::named("user-0"), attestors }
    }

    fn key(&self) -> PublicKey {
        PublicKey(self.user.public_key)
    }

    async fn sign(&self, body: &TxBody, nonce: u64) -> SignedTx {
        let key = self.key();
        let account = self.adapter.account(&key).await.unwrap();
        let request = BuildRequest { body, public_key: &key, account: &account, nonce };
        let unsigned = self.adapter.build(request).await.unwrap();
        let signing = k256::ecdsa::SigningKey::from_slice(&self.user.private_key).unwrap();
        let (signature, id) = signing.sign_prehash_recoverable(&unsigned.digest.0).unwrap();
        let mut plain = [0; 65];
        plain[..64].copy_from_slice(&signature.to_bytes());
        plain[64] = id.to_byte();
        let signed = self.adapter.finish(&unsigned, &plain).unwrap();
        assert!(signed.bytes.len() <= unsigned.size_bytes, "the stated size is a bound");
        signed
    }

    async fn next_nonce(&self) -> u64 {
        self.adapter.account(&self.key()).await.unwrap().nonce
    }

    /// Signs, sends and waits for the outcome.
    async fn send(&self, body: TxBody) -> TxReceipt {
        let signed = self.sign(&body, self.next_nonce().await).await;
        assert_eq!(self.adapter.broadcast(&signed).await, Broadcast::Accepted);
        self.outcome(&signed).await
    }

    async fn outcome(&self, signed: &SignedTx) -> TxReceipt {
        for _ in 0..60 {
            if let Some(receipt) = self.adapter.receipt(&signed.hash).await.unwrap() {
                return receipt;
            }
            let head = self.node.height(0).unwrap();
            self.node.wait_for_node_height(0, head + 1, HEIGHT_DEADLINE).unwrap();
        }
        panic!("the transaction is in no block after 60");
    }

    async fn call(&self, call: Call) -> TxReceipt {
        let receipt = self.send(TxBody::Call(vec![call])).await;
        assert!(receipt.success, "{receipt:?}");
        receipt
    }

    /// Why building a body fails.
    async fn refusal(&self, body: TxBody) -> catenary_api::Error {
        let key = self.key();
        let account = self.adapter.account(&key).await.unwrap();
        let request = BuildRequest { body: &body, public_key: &key, account: &account, nonce: account.nonce };
        self.adapter.build(request).await.unwrap_err()
    }

    /// Deploys one path's contracts and binds them; from then on the adapter knows its router.
    async fn deploy(&mut self, counterparty: &Counterparty) -> Deployed {
        let me = self.user.evm_address;
        let created = self.call(setup::deploy_router(&me).unwrap()).await;
        let router = created.created.unwrap();
        self.adapter = EvmAdapter::new(config(&self.node, Some(router))).unwrap();
        let app = self.call(setup::deploy_transfer(&router).unwrap()).await.created.unwrap();
        let token = self.call(setup::deploy_test_token("Test", "TST").unwrap()).await.created.unwrap();
        let state = StateAttestation::of(&counterparty.header(1));
        let arguments = LightClientArguments {
            attestors: self.attestors.iter().map(|key| key.address().0).collect(),
            min_required_sigs: 2,
            initial_height: state.height,
            initial_timestamp_seconds: state.timestamp_seconds,
            role_manager: Some(me),
        };
        let light_client = self.call(setup::deploy_light_client(&arguments).unwrap()).await.created.unwrap();
        self.call(setup::add_ibc_app(&router, ics20::PORT, &app).unwrap()).await;
        self.call(setup::grant_role(&light_client, Role::ProofSubmitter, &router).unwrap()).await;
        Deployed { router, app, light_client, token }
    }

    /// Starts a light client at a recent block, as an operator pins it.
    async fn follow_from(&mut self, router: [u8; 20]) {
        let head = self.adapter.head().await.unwrap();
        let anchor = self.adapter.updates(head.height, head.height).await.unwrap().remove(0);
        let config = Config {
            chain_id: self.node.options.chain_id.to_string(),
            anchor: Anchor { height: head.height, hash: qbft::block_hash(&anchor).unwrap() },
            router,
            commitment_slot: COMMITMENT_SLOT,
            trust: TrustOptions {
                trusting_period_seconds: 14 * 86_400,
                clock_drift_seconds: 10,
                churn_limit_permille: 500,
                allow_no_fault_tolerance: false,
                retain_heights: 10_000,
            },
            skipping: false,
            validator_contract: None,
        };
        self.client = Some(Qbft::new(config, &anchor).unwrap());
    }

    /// Follows the chain with the light client up to a height.
    async fn follow(&mut self, height: u64) {
        self.node.wait_for_node_height(0, height, HEIGHT_DEADLINE).unwrap();
        let client = self.client.as_mut().unwrap();
        while client.status().trusted_height < height {
            let from = client.status().trusted_height + 1;
            let head = self.adapter.head().await.unwrap();
            let now = head.timestamp.checked_add_seconds(5).unwrap();
            for update in self.adapter.updates(from, height.min(from + 99)).await.unwrap() {
                let verdict = client.advance(&update, now);
                assert!(matches!(verdict, Verdict::Verified(_)), "{verdict:?}");
            }
        }
    }

    fn client(&self) -> &Qbft {
        self.client.as_ref().unwrap()
    }

    fn attest(&self, statement: Statement, data: Vec<u8>) -> AttestationProof {
        let digest = signing_digest(statement, &data);
        let signatures = self.attestors.iter().take(2).map(|key| normalise(&key.sign(&digest.0)).unwrap());
        AttestationProof { signatures: signatures.collect(), data }
    }

    fn update(&self, header: &Verified<Header>) -> Message {
        let proof = self.attest(Statement::State, StateAttestation::of(header).encode());
        Message::UpdateClient { client_id: OURS.into(), proof }
    }

    fn packets(&self, height: u64, entry: PathCommitment) -> AttestationProof {
        self.attest(Statement::Packets, PacketAttestation { height, entries: vec![entry] }.encode())
    }

    /// Events of a transaction's block, as the adapter gives them.
    async fn events(&self, receipt: &TxReceipt) -> Vec<PacketEvent> {
        let claims = self.adapter.events(receipt.height, receipt.height).await.unwrap();
        claims.into_iter().map(|claim| claim.event).collect()
    }

    async fn balance(&self, token: &[u8; 20], owner: &[u8; 20]) -> String {
        self.adapter.token_balance(token, owner, At::Latest).await.unwrap()
    }
}

/// A counterparty that exists here alone: at each height its store holds what it was given.
struct Counterparty {
    client: CometBft,
    states: Vec<State>,
}

impl Counterparty {
    /// `states[i]` is the state after block i + 1.
    fn new(states: Vec<State>) -> Self {
        let mut chain = Chain::new("sim-1", signers(9, &[10, 10, 10, 10]));
        chain.push(State::new(b"ibc", &[(b"genesis".to_vec(), b"x".to_vec())]).app_hash());
        for state in &states {
            chain.push(state.app_hash());
        }
        let mut client = chain.client(1);
        let now = Timestamp::from_seconds(START_SECONDS + 1_000);
        for height in 2..=states.len() as u64 + 1 {
            let verdict = client.advance(&chain.update(height), now);
            assert!(matches!(verdict, Verdict::Verified(_)), "{verdict:?}");
        }
        Self { client, states }
    }

    fn header(&self, height: u64) -> Verified<Header> {
        self.client.header(height).unwrap()
    }

    fn received(&self, height: u64, packet: &Packet) -> VerifiedPacket {
        let path = packet.commitment_path();
        let proof = self.states[usize::try_from(height).unwrap() - 1].prove(path.as_bytes());
        let fact = self.client.membership(height, path.as_bytes(), &packet.commitment().0, &proof).unwrap();
        VerifiedPacket::new(packet.clone(), fact).unwrap()
    }

    fn acknowledged(&self, height: u64, packet: &Packet, ack: Acknowledgement) -> VerifiedAck {
        let path = packet.ack_path();
        let proof = self.states[usize::try_from(height).unwrap() - 1].prove(path.as_bytes());
        let fact = self.client.membership(height, path.as_bytes(), &ack.commitment().0, &proof).unwrap();
        VerifiedAck::new(packet.clone(), ack, fact).unwrap()
    }
}

fn transfer_packet(ends: [&str; 2], transfer: &ics20::Transfer, timeout_timestamp_seconds: u64) -> Packet {
    let payload = Payload {
        source_port: ics20::PORT.into(),
        destination_port: ics20::PORT.into(),
        version: ics20::VERSION.into(),
        encoding: ics20::ENCODING_ABI.into(),
        value: transfer.abi_encode().unwrap(),
    };
    let [source_client, destination_client] = ends.map(str::to_owned);
    Packet { sequence: 1, source_client, destination_client, timeout_timestamp_seconds, payloads: vec![payload] }
}

fn success() -> Acknowledgement {
    Acknowledgement { app_acknowledgements: vec![ics20::SUCCESS_ACK.to_vec()] }
}

/// The transfer that comes from the counterparty: its native denomination.
fn incoming(receiver: &Account, timeout_seconds: u64) -> Packet {
    let transfer = ics20::Transfer {
        denom: "stake".into(),
        amount: "700".into(),
        sender: COSMOS_USER.into(),
        receiver: receiver.evm_hex(),
        memo: String::new(),
    };
    transfer_packet([THEIRS, OURS], &transfer, timeout_seconds)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_packet_goes_each_way_and_one_times_out() {
    if !catenary_tests::localnet::nodes_are_here("adapter_evm::a_packet_goes_each_way_and_one_times_out") {
        return;
    }
    let mut rig = Rig::start();
    let now = rig.adapter.head().await.unwrap().timestamp.seconds();
    let incoming = incoming(&rig.user, now + 3_600);
    let timeout_seconds = now + 7_200;
    // The token's address and with it the packet are known only after the deployment; contract addresses follow from
    // sender and nonce, so a dry deployment is not needed: the third transaction creates the token.
    let token = create_address(&rig.user.evm_address, 2);
    let home = ics20::Transfer {
        denom: format!("0x{}", hex::encode(token)),
        amount: "400".into(),
        sender: rig.user.evm_hex(),
        receiver: COSMOS_USER.into(),
        memo: r#"{"note":"out"}"#.into(),
    };
    let outgoing = transfer_packet([OURS, THEIRS], &home, timeout_seconds);
    let counterparty = Counterparty::new(vec![
        State::new(b"ibc", &[(b"x".to_vec(), b"y".to_vec())]),
        State::new(b"ibc", &[(incoming.commitment_path().into_bytes(), incoming.commitment().0.to_vec())]),
        State::new(b"ibc", &[(outgoing.ack_path().into_bytes(), success().commitment().0.to_vec())]),
    ]);

    let deployed = rig.deploy(&counterparty).await;
    assert_eq!(deployed.token, token);
    identity_and_contracts(&rig, &deployed).await;
    add_client(&rig, &counterparty, &deployed).await;
    rig.follow_from(deployed.router).await;
    send(&mut rig, &deployed, &outgoing).await;
    receive(&rig, &counterparty, &deployed, &incoming).await;
    acknowledge(&rig, &counterparty, &outgoing).await;
    time_out(&mut rig, &deployed).await;
    if let Some(folder) = std::env::var_os("CATENARY_RECORD_EVM") {
        record(&rig, &deployed, &outgoing, folder.as_ref());
    }
}

/// Writes what the node answers of the finished scenario: the vectors of the adapter's unit tests.
fn record(rig: &Rig, deployed: &Deployed, sent: &Packet, folder: &std::path::Path) {
    let ask = |method: &str, params: Value| rig.node.rpc(0).call(method, params).unwrap();
    let write = |name: &str, value: Value| {
        std::fs::create_dir_all(folder).unwrap();
        std::fs::write(folder.join(name), serde_json::to_string_pretty(&value).unwrap() + "\n").unwrap();
    };
    let router = format!("0x{}", hex::encode(deployed.router));
    let all = ask("eth_getLogs", json!([{ "fromBlock": "0x0", "toBlock": "latest", "address": router }]));
    let all = all.as_array().unwrap().clone();
    let signature = |log: &Value| log["topics"][0].clone();
    let event = |name: &str| json!(Contract::Router.event_topic(name).unwrap().to_string());
    let kinds = ["SendPacket", "WriteAcknowledgement", "AckPacket", "TimeoutPacket"].map(event);
    let logs: Vec<Value> = all.iter().filter(|log| kinds.contains(&signature(log))).cloned().collect();
    assert_eq!(logs.len(), 5);

    let numbers = logs.iter().map(|log| log["blockNumber"].clone()).chain([json!("0x0"), json!("0x1")]);
    write("blocks.json", numbers.map(|number| ask("eth_getBlockByNumber", json!([number, false]))).collect());
    let added = all.iter().find(|log| signature(log) == event("ICS02ClientAdded")).unwrap();
    let receipts = [added].into_iter().chain(&logs).map(|log| {
        let hash = &log["transactionHash"];
        let [receipt, tx] = ["eth_getTransactionReceipt", "eth_getTransactionByHash"].map(|m| ask(m, json!([hash])));
        json!({ "receipt": receipt, "tx": tx })
    });
    write("receipts.json", receipts.collect());

    let paths = [sent.commitment_path(), sent.receipt_path()].map(catenary_protocol::Path::into_bytes);
    let slots = paths.each_ref().map(|path| qbft::commitment_slot(path, &COMMITMENT_SLOT));
    let slots: Vec<String> = slots.iter().map(|slot| format!("0x{}", hex::encode(slot))).collect();
    let answer = ask("eth_getProof", json!([router, slots, logs[0]["blockNumber"]]));
    write("proof.json", json!({ "height": logs[0]["blockNumber"], "slots": slots, "answer": answer }));
    write("logs.json", json!(logs));
}

/// The address of a created contract: the last 20 bytes of keccak(RLP [sender, nonce]).
fn create_address(sender: &[u8; 20], nonce: u8) -> [u8; 20] {
    use sha3::Digest;
    let rlp = [&[0xd6, 0x94][..], sender, &[nonce]].concat();
    sha3::Keccak256::digest(rlp)[12..].try_into().unwrap()
}

async fn identity_and_contracts(rig: &Rig, deployed: &Deployed) {
    let identity = rig.adapter.identity().await.unwrap();
    assert_eq!(identity.chain_id, "1337");
    assert_eq!(identity.genesis_hash.unwrap().to_string(), rig.node.genesis_hash);
    let code = rig.adapter.code_hash(&deployed.router).await.unwrap();
    assert_eq!(code, Some(Contract::Router.code_hash().unwrap()));
    let code = rig.adapter.code_hash(&deployed.light_client).await.unwrap();
    assert_eq!(code, Some(Contract::LightClient.code_hash().unwrap()));
    assert_eq!(rig.adapter.code_hash(&[9; 20]).await.unwrap(), None);
    assert_eq!(rig.adapter.ibc_app(ics20::PORT).await.unwrap(), Some(deployed.app));
    assert_eq!(rig.adapter.ibc_app("nobody").await.unwrap(), None);
    let submits = |who| rig.adapter.has_role(&deployed.light_client, Role::ProofSubmitter, who);
    assert!(submits(&deployed.router).await.unwrap());
    assert!(!submits(&deployed.app).await.unwrap());
    assert!(rig.adapter.has_role(&deployed.router, Role::Admin, &rig.user.evm_address).await.unwrap());
    assert!(!rig.adapter.relayer_list_enabled().await.unwrap());
    let info = rig.adapter.token_info(&deployed.token, At::Latest).await.unwrap();
    assert_eq!((info.symbol.as_str(), info.decimals, info.total_supply.as_str()), ("TST", 18, "0"));
}

async fn add_client(rig: &Rig, counterparty: &Counterparty, deployed: &Deployed) {
    assert_eq!(rig.adapter.client(OURS).await.unwrap(), None, "there is no client yet");
    let other = OtherEnd { client_id: THEIRS.into(), merkle_prefix: vec![Vec::new()] };
    let added = rig.call(setup::add_client(&deployed.router, &other, &deployed.light_client).unwrap()).await;
    assert_eq!(added.output.as_deref(), Some(OURS));
    assert_eq!(added.fee, "0", "gas is free here");

    let claim = rig.adapter.client(OURS).await.unwrap().unwrap();
    let attestors: Vec<[u8; 20]> = rig.attestors.iter().map(|key| key.address().0).collect();
    assert_eq!((claim.attestors, claim.min_required_sigs), (attestors, 2));
    assert_eq!((claim.latest_height, claim.frozen, claim.counterparty.as_deref()), (1, false, Some(THEIRS)));
    assert_eq!(claim.location, checksummed(&deployed.light_client));
    let time = rig.adapter.consensus_timestamp(OURS, 1).await.unwrap().unwrap();
    assert_eq!(time.seconds(), counterparty.header(1).timestamp.seconds());
    assert_eq!(rig.adapter.consensus_timestamp(OURS, 2).await.unwrap(), None);
}

async fn send(rig: &mut Rig, deployed: &Deployed, expect: &Packet) {
    let me = rig.user.evm_address;
    rig.call(setup::mint(&deployed.token, &me, "1000").unwrap()).await;
    let transfer = TransferArguments {
        token: deployed.token,
        amount: "400".into(),
        receiver: COSMOS_USER.into(),
        source_client: OURS.into(),
        timeout_timestamp_seconds: expect.timeout_timestamp_seconds,
        memo: r#"{"note":"out"}"#.into(),
    };
    let body = || TxBody::Call(vec![setup::send_transfer(&deployed.app, &transfer).unwrap()]);
    let error = rig.refusal(body()).await;
    assert_eq!((error.code, error.class), ("EVM-TXN-003", Class::Permanent), "{error}");
    rig.call(setup::approve(&deployed.token, &deployed.app, "900").unwrap()).await;
    assert_eq!(rig.adapter.token_allowance(&deployed.token, &me, &deployed.app).await.unwrap(), "900");

    let sent = rig.send(body()).await;
    assert_eq!(sent.output.as_deref(), Some("1"), "the packet's sequence");
    assert_eq!(rig.adapter.last_sequence_sent(OURS).await.unwrap(), 1);
    let escrow = rig.adapter.escrow(&deployed.app, OURS, At::Latest).await.unwrap().unwrap();
    assert_eq!(rig.balance(&deployed.token, &escrow).await, "400");
    let before = rig.adapter.token_balance(&deployed.token, &me, At::Height(sent.height - 1)).await.unwrap();
    assert_eq!((before.as_str(), rig.balance(&deployed.token, &me).await.as_str()), ("1000", "600"));
    assert_eq!(rig.events(&sent).await, [PacketEvent::Sent(expect.clone())]);

    rig.follow(sent.height).await;
    let path = expect.commitment_path().into_bytes();
    let absent = expect.receipt_path().into_bytes();
    let claims = rig.adapter.proofs(sent.height, &[path.clone(), absent.clone()]).await.unwrap();
    let value = claims[0].value.clone().unwrap();
    let fact = rig.client().membership(sent.height, &path, &value, &claims[0].proof).unwrap();
    VerifiedPacket::new(expect.clone(), fact).unwrap();
    assert_eq!(claims[1].value, None);
    rig.client().absence(sent.height, &absent, &claims[1].proof).unwrap();
    // The state one block earlier does not hold it, and a proof of one state proves nothing of the other.
    let earlier = rig.adapter.proofs(sent.height - 1, std::slice::from_ref(&path)).await.unwrap();
    assert_eq!(earlier[0].value, None);
    rig.client().absence(sent.height - 1, &path, &earlier[0].proof).unwrap();
    assert!(rig.client().absence(sent.height, &path, &earlier[0].proof).is_err());
    assert_eq!(rig.adapter.present(&[path, absent]).await.unwrap(), [true, false]);
}

async fn receive(rig: &Rig, counterparty: &Counterparty, deployed: &Deployed, packet: &Packet) {
    let verified = counterparty.received(2, packet);
    let proof = rig.packets(2, PathCommitment::of_packet(&verified));
    let recv = Message::Recv { packet: verified, proof, proof_height: 2 };
    // Without the update there is no state at height 2 yet: the estimate says so, by the contract's own error.
    let error = rig.refusal(TxBody::Deliver(vec![recv.clone()])).await;
    assert_eq!(error.code, "EVM-TXN-003", "{error}");
    assert!(error.message.contains("ConsensusTimestampNotFound(2)"), "{error}");

    let body = TxBody::Deliver(vec![rig.update(&counterparty.header(2)), recv]);
    let received = rig.send(body.clone()).await;
    assert!(received.success, "{received:?}");
    assert_eq!(rig.adapter.present(&[packet.receipt_path().into_bytes()]).await.unwrap(), [true]);
    let acknowledgement = success();
    assert_eq!(rig.events(&received).await, [PacketEvent::WroteAck { packet: packet.clone(), acknowledgement }]);
    let denom = ics20::received_denom("stake", THEIRS, OURS);
    let voucher = rig.adapter.voucher(&deployed.app, &denom, At::Latest).await.unwrap().unwrap();
    assert_eq!(rig.balance(&voucher, &rig.user.evm_address).await, "700");
    assert_eq!(rig.adapter.token_info(&voucher, At::Latest).await.unwrap().total_supply, "700");

    // The same again is a no-op that costs gas and changes nothing.
    let again = rig.send(body).await;
    assert!(again.success, "{again:?}");
    assert_eq!(rig.events(&again).await, []);
    assert_eq!(rig.balance(&voucher, &rig.user.evm_address).await, "700");
}

async fn acknowledge(rig: &Rig, counterparty: &Counterparty, packet: &Packet) {
    let verified = counterparty.acknowledged(3, packet, success());
    let proof = rig.packets(3, PathCommitment::of_ack(&verified));
    let message = Message::Ack { ack: verified, proof, proof_height: 3 };
    let receipt = rig.send(TxBody::Deliver(vec![rig.update(&counterparty.header(3)), message])).await;
    assert!(receipt.success, "{receipt:?}");
    assert_eq!(rig.events(&receipt).await, [PacketEvent::Acknowledged(packet.clone())]);
    assert_eq!(rig.adapter.present(&[packet.commitment_path().into_bytes()]).await.unwrap(), [false]);
}

/// A packet whose receipt is absent. The counterparty's clock stands in the past, so the absence is shown in this
/// chain's own state, whose header time is real: the attestors sign it just the same.
async fn time_out(rig: &mut Rig, deployed: &Deployed) {
    let head = rig.adapter.head().await.unwrap();
    let transfer = TransferArguments {
        token: deployed.token,
        amount: "500".into(),
        receiver: COSMOS_USER.into(),
        source_client: OURS.into(),
        timeout_timestamp_seconds: head.timestamp.seconds() + 6,
        memo: String::new(),
    };
    let sent = rig.call(setup::send_transfer(&deployed.app, &transfer).unwrap()).await;
    assert_eq!(sent.output.as_deref(), Some("2"));
    let [PacketEvent::Sent(packet)] = &rig.events(&sent).await[..] else { panic!("one packet was sent") };
    let path = packet.receipt_path().into_bytes();
    let mut height = sent.height;
    while rig.client().header(height).is_none_or(|h| h.timestamp.seconds() < transfer.timeout_timestamp_seconds) {
        height += 1;
        rig.follow(height).await;
    }
    let claim = rig.adapter.proofs(height, std::slice::from_ref(&path)).await.unwrap().remove(0);
    let fact = rig.client().absence(height, &path, &claim.proof).unwrap();
    let proof = rig.packets(height, PathCommitment::of_absence(&fact));
    let timeout = VerifiedTimeout::new(packet.clone(), fact).unwrap();
    let update = rig.update(&rig.client().header(height).unwrap());
    let message = Message::Timeout { timeout, proof, proof_height: height };
    let (size, limits) = (rig.adapter.size_bytes(&message), rig.adapter.limits());
    assert!(size > 1_000 && size < limits.tx_bytes_max, "{size}");
    let receipt = rig.send(TxBody::Deliver(vec![update, message])).await;
    assert!(receipt.success, "{receipt:?}");
    assert_eq!(rig.events(&receipt).await, [PacketEvent::TimedOut(packet.clone())]);
    assert_eq!(rig.balance(&deployed.token, &rig.user.evm_address).await, "600", "the amount came back");
    let escrow = rig.adapter.escrow(&deployed.app, OURS, At::Latest).await.unwrap().unwrap();
    assert_eq!(rig.balance(&deployed.token, &escrow).await, "400", "what was acknowledged stays");
}

#[tokio::test(flavor = "multi_thread")]
async fn refusals_have_their_codes() {
    if !catenary_tests::localnet::nodes_are_here("adapter_evm::refusals_have_their_codes") {
        return;
    }
    let rig = Rig::start();
    let key = rig.key();
    let account = rig.adapter.account(&key).await.unwrap();
    assert_eq!(account.address, checksummed(&rig.user.evm_address));
    assert_eq!((account.nonce, account.balance.as_str()), (0, "1267650600228229401496703205376"));
    let token = rig.call(setup::deploy_test_token("Test", "TST").unwrap()).await.created.unwrap();
    let mint = |amount: &str| TxBody::Call(vec![setup::mint(&token, &rig.user.evm_address, amount).unwrap()]);

    let too_much = setup::token_transfer(&token, &[7; 20], "5").unwrap();
    let error = rig.refusal(TxBody::Call(vec![too_much])).await;
    assert_eq!(error.code, "EVM-TXN-003", "{error}");
    assert!(error.message.contains("ERC20InsufficientBalance("), "{error}");
    assert_eq!(rig.refusal(TxBody::Call(Vec::new())).await.code, "EVM-TXN-002");
    assert_eq!(rig.refusal(TxBody::Deliver(Vec::new())).await.code, "EVM-TXN-002");
    let mut long = setup::mint(&token, &[7; 20], "5").unwrap();
    long.data.resize(64 * 1024, 0);
    assert_eq!(rig.refusal(TxBody::Call(vec![long])).await.code, "EVM-TXN-004");

    // Nonces: the same bytes again are accepted, before and after they are in a block; other bytes are not.
    let nonce = rig.next_nonce().await;
    let (good, other) = (rig.sign(&mint("1"), nonce).await, rig.sign(&mint("2"), nonce).await);
    assert_eq!(rig.adapter.broadcast(&good).await, Broadcast::Accepted);
    assert_eq!(rig.adapter.broadcast(&good).await, Broadcast::Accepted, "the same bytes again");
    let receipt = rig.outcome(&good).await;
    assert!(receipt.success && receipt.output.is_none() && receipt.gas_used > 21_000, "{receipt:?}");
    assert_eq!(rig.adapter.broadcast(&good).await, Broadcast::Accepted, "the same bytes after they are in a block");
    let outcome = rig.adapter.broadcast(&other).await;
    assert!(matches!(&outcome, Broadcast::NonceMismatch(error) if error.code == "EVM-TXN-007"), "{outcome:?}");
    assert_eq!(rig.adapter.receipt(&other.hash).await.unwrap(), None, "it is in no block");

    let mut forged = good.clone();
    forged.bytes.truncate(forged.bytes.len() - 1);
    let outcome = rig.adapter.broadcast(&forged).await;
    assert!(matches!(&outcome, Broadcast::Refused(error) if error.code == "EVM-TXN-008"), "{outcome:?}");

    let head = rig.adapter.head().await.unwrap().height;
    let error = rig.adapter.updates(head + 500, head + 500).await.unwrap_err();
    assert_eq!((error.code, error.class), ("EVM-HDR-001", Class::Transient), "{error}");
    assert!(!error.message.contains("secret"), "{error}");
    assert_eq!(rig.adapter.updates(1, 101).await.unwrap_err().code, "EVM-RPC-006");
    assert_eq!(rig.adapter.updates(5, 4).await.unwrap_err().code, "EVM-RPC-007");
    assert_eq!(rig.adapter.events(1, 1).await.unwrap_err().code, "EVM-CFG-001", "there is no router yet");
    let with_router = EvmAdapter::new(config(&rig.node, Some(token))).unwrap();
    let error = with_router.events(head, head + 50).await.unwrap_err();
    assert_eq!((error.code, error.class), ("EVM-LOG-007", Class::Transient), "{error}");
    assert_eq!(with_router.events(head, head).await.unwrap(), []);
    let error = with_router.proofs(head + 500, &[b"path".to_vec()]).await.unwrap_err();
    assert_eq!((error.code, error.class), ("EVM-PRF-002", Class::Transient), "{error}");
    let error = with_router.client(OURS).await.unwrap_err();
    assert_eq!((error.code, error.class), ("EVM-ABI-001", Class::Config), "the token is no router: {error}");
}

/// Follows a network through round changes: one of four validators is down, so blocks of a later round exist.
#[tokio::test(flavor = "multi_thread")]
async fn four_validators_with_one_down_are_followed() {
    if !catenary_tests::localnet::nodes_are_here("adapter_evm::four_validators_with_one_down_are_followed") {
        return;
    }
    let mut rig = Rig::start();
    rig.follow_from([1; 20]).await;
    rig.node.stop(3);
    let head = rig.node.height(0).unwrap();
    rig.follow(head + 4).await;
    assert!(rig.client().status().trusted_height >= head + 4);
    assert_eq!(rig.client().validators().len(), 4);
}
