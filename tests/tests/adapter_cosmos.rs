//! The Cosmos adapter against a real ibc-go chain: what it reads is verified by the light client, what it writes is
//! taken by the chain. The counterparty is a chain that exists in this process only, with real headers and proofs.
#![allow(clippy::unwrap_used, reason = "a test")]

use std::time::Duration;

use catenary_adapter_cosmos::{setup, CosmosAdapter, CosmosConfig};
use catenary_api::{
    Account as ChainAccount, Broadcast, BuildRequest, Call, ChainSink, ChainSource, Message, PacketEvent, PublicKey,
    SignedTx, TxBody, TxReceipt,
};
use catenary_light_clients::cometbft::testing::{signers, Chain, START_SECONDS};
use catenary_light_clients::cometbft::{CometBft, Config};
use catenary_light_clients::proof::ics23::testing::State;
use catenary_light_clients::testing::Key;
use catenary_light_clients::{Anchor, Hash32, Header, LightClient, Timestamp, TrustOptions, Verdict, Verified};
use catenary_protocol::attestation::{normalise, signing_digest, PathCommitment, Statement};
use catenary_protocol::{
    ics20, Acknowledgement, AttestationProof, Packet, PacketAttestation, Payload, StateAttestation, VerifiedAck,
    VerifiedPacket, VerifiedTimeout,
};
use catenary_tests::localnet::{Account, Simd, SimdOptions};

const MINUTE: Duration = Duration::from_secs(60);
const OURS: &str = "attestations-0";
const THEIRS: &str = "client-0";
const ERC20: &str = "0x5fbdb2315678afecb367f032d93f642f64180aa3";
const EVM_USER: &str = "0xf39fd6e51aad88f6f4ce6ab8827279cfffb92266";

fn config(urls: Vec<String>) -> CosmosConfig {
    CosmosConfig {
        name: "sim".into(),
        urls,
        chain_id: "sim-1".into(),
        address_prefix: "cosmos".into(),
        fee_denom: "stake".into(),
        gas_price: "0.001".into(),
        gas_multiplier_percent: 150,
        gas_max: 10_000_000,
        tx_bytes_max: 500_000,
        messages_max: 50,
    }
}

fn light_client_config(genesis_hash: Hash32) -> Config {
    Config {
        chain_id: "sim-1".into(),
        anchor: Anchor { height: 1, hash: genesis_hash },
        store_prefix: vec![b"ibc".to_vec(), Vec::new()],
        trust: TrustOptions {
            trusting_period_seconds: 14 * 86_400,
            clock_drift_seconds: 10,
            churn_limit_permille: 1000,
            allow_no_fault_tolerance: false,
            retain_heights: 10_000,
        },
        skipping: false,
    }
}

/// The chain, the adapter, and a light client that follows the chain.
struct Rig {
    node: Simd,
    adapter: CosmosAdapter,
    client: CometBft,
    relayer: Account,
    attestors: Vec<Key>,
}

impl Rig {
    async fn start() -> Self {
        let node = Simd::start(SimdOptions::default()).unwrap();
        node.wait_for_height(3, MINUTE).unwrap();
        // The first endpoint is dead: every test below goes through the failover.
        let dead = "http://user:secret@127.0.0.1:9/path".to_owned();
        let adapter = CosmosAdapter::new(config(vec![dead, node.rpc_url(0).to_owned()])).unwrap();
        let identity = adapter.identity().await.unwrap();
        assert_eq!(identity.chain_id, "sim-1");
        let anchor = adapter.updates(1, 1).await.unwrap().remove(0);
        let config = light_client_config(identity.genesis_hash.unwrap());
        let client = CometBft::new(config, &anchor).unwrap();
        let relayer = Account::named("relayer-0");
        Self { node, adapter, client, relayer, attestors: (1..=3).map(Key::new).collect() }
    }

    fn key(&self) -> PublicKey {
        PublicKey(self.relayer.public_key)
    }

    /// Follows the chain with the light client until the state at `height` can be proven.
    async fn follow(&mut self, height: u64) {
        self.node.wait_for_height(height + 1, MINUTE).unwrap();
        while self.client.status().provable_height < height {
            let from = self.client.status().trusted_height + 1;
            let head = self.adapter.head().await.unwrap();
            let to = head.height.min(from + 99);
            let now = head.timestamp.checked_add_seconds(5).unwrap();
            for update in self.adapter.updates(from, to).await.unwrap() {
                let verdict = self.client.advance(&update, now);
                assert!(matches!(verdict, Verdict::Verified(_)), "{verdict:?}");
            }
        }
    }

    async fn sign(&self, body: &TxBody, account: &ChainAccount, nonce: u64) -> SignedTx {
        let key = self.key();
        let request = BuildRequest { body, public_key: &key, account, nonce };
        let unsigned = self.adapter.build(request).await.unwrap();
        let signing = k256::ecdsa::SigningKey::from_slice(&self.relayer.private_key).unwrap();
        let (signature, id) = signing.sign_prehash_recoverable(&unsigned.digest.0).unwrap();
        let mut plain = [0; 65];
        plain[..64].copy_from_slice(&signature.to_bytes());
        plain[64] = id.to_byte();
        let signed = self.adapter.finish(&unsigned, &plain).unwrap();
        assert_eq!(signed.bytes.len(), unsigned.size_bytes, "the size is known before the signature");
        signed
    }

    /// Signs, sends and waits for the outcome.
    async fn send(&self, body: TxBody) -> TxReceipt {
        let account = self.adapter.account(&self.key()).await.unwrap();
        let signed = self.sign(&body, &account, account.nonce).await;
        assert_eq!(self.adapter.broadcast(&signed).await, Broadcast::Accepted);
        self.outcome(&signed).await
    }

    async fn outcome(&self, signed: &SignedTx) -> TxReceipt {
        for _ in 0..60 {
            if let Some(receipt) = self.adapter.receipt(&signed.hash).await.unwrap() {
                return receipt;
            }
            let head = self.node.height(0).unwrap();
            self.node.wait_for_height(head + 1, MINUTE).unwrap();
        }
        panic!("the transaction is in no block after 60");
    }

    async fn call(&self, call: Call) -> TxReceipt {
        let receipt = self.send(TxBody::Call(vec![call])).await;
        assert!(receipt.success, "{receipt:?}");
        receipt
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
        self.node.wait_for_height(receipt.height + 1, MINUTE).unwrap();
        let claims = self.adapter.events(receipt.height, receipt.height).await.unwrap();
        claims.into_iter().map(|claim| claim.event).collect()
    }
}

/// A counterparty that exists here alone: at each height its store holds what it was given.
struct Counterparty {
    chain: Chain,
    client: CometBft,
    states: Vec<State>,
}

impl Counterparty {
    /// `states[i]` is the state after block i + 1.
    fn new(states: Vec<State>) -> Self {
        let mut chain = Chain::new("evm-1", signers(9, &[10, 10, 10, 10]));
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
        Self { chain, client, states }
    }

    fn header(&self, height: u64) -> Verified<Header> {
        let header = self.client.header(height).unwrap();
        assert_eq!(header.timestamp, self.chain.time(height));
        header
    }

    fn prove(&self, height: u64, path: &[u8]) -> Vec<u8> {
        self.states[usize::try_from(height).unwrap() - 1].prove(path)
    }
}

fn transfer_packet(receiver: &str, timeout_timestamp_seconds: u64) -> Packet {
    let transfer = ics20::Transfer {
        denom: ERC20.into(),
        amount: "1000".into(),
        sender: EVM_USER.into(),
        receiver: receiver.into(),
        memo: String::new(),
    };
    let payload = Payload {
        source_port: ics20::PORT.into(),
        destination_port: ics20::PORT.into(),
        version: ics20::VERSION.into(),
        encoding: ics20::ENCODING_ABI.into(),
        value: transfer.abi_encode().unwrap(),
    };
    Packet {
        sequence: 1,
        source_client: THEIRS.into(),
        destination_client: OURS.into(),
        timeout_timestamp_seconds,
        payloads: vec![payload],
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_packet_goes_each_way_and_one_times_out() {
    if !catenary_tests::localnet::nodes_are_here("adapter_cosmos::a_packet_goes_each_way_and_one_times_out") {
        return;
    }
    let mut rig = Rig::start().await;
    let now = rig.adapter.head().await.unwrap().timestamp.seconds();
    let incoming = transfer_packet(&rig.relayer.cosmos_address, now + 3_600);
    // What simd will send, known beforehand because the ack has to be in a state of the counterparty: the voucher home.
    let voucher = ics20::received_denom(ERC20, THEIRS, OURS);
    let outgoing = home_packet(&rig, &voucher, now + 7_200);
    let ack = Acknowledgement { app_acknowledgements: vec![ics20::SUCCESS_ACK.to_vec()] };
    let counterparty = Counterparty::new(vec![
        State::new(b"ibc", &[(b"x".to_vec(), b"y".to_vec())]),
        State::new(b"ibc", &[(incoming.commitment_path().into_bytes(), incoming.commitment().0.to_vec())]),
        State::new(b"ibc", &[(outgoing.ack_path().into_bytes(), ack.commitment().0.to_vec())]),
    ]);

    create_path(&rig, &counterparty).await;
    receive(&rig, &counterparty, &incoming, &voucher).await;
    send_home(&mut rig, &voucher, &outgoing).await;
    acknowledge(&rig, &counterparty, &outgoing, ack).await;
    time_out(&mut rig, &voucher).await;
}

fn home_packet(rig: &Rig, voucher: &str, timeout_timestamp_seconds: u64) -> Packet {
    let transfer = ics20::Transfer {
        denom: voucher.into(),
        amount: "400".into(),
        sender: rig.relayer.cosmos_address.clone(),
        receiver: EVM_USER.into(),
        memo: "{\"note\":\"home\"}".into(),
    };
    let mut packet = transfer_packet("", timeout_timestamp_seconds);
    packet.payloads[0].value = transfer.abi_encode().unwrap();
    (packet.source_client, packet.destination_client) = (OURS.into(), THEIRS.into());
    packet
}

async fn create_path(rig: &Rig, counterparty: &Counterparty) {
    assert_eq!(rig.adapter.client(OURS).await.unwrap(), None, "there is no client yet");
    let attestors: Vec<[u8; 20]> = rig.attestors.iter().map(|key| key.address().0).collect();
    let state = StateAttestation::of(&counterparty.header(1));
    let signer = rig.relayer.cosmos_address.as_str();
    let created = rig.call(setup::create_client(signer, &attestors, 2, state).unwrap()).await;
    assert_eq!(created.output.as_deref(), Some(OURS));
    assert_ne!(created.fee, "0", "gas has a price here");

    let claim = rig.adapter.client(OURS).await.unwrap().unwrap();
    assert_eq!((claim.attestors, claim.min_required_sigs), (attestors, 2));
    assert_eq!((claim.latest_height, claim.frozen, claim.counterparty), (1, false, None));
    assert_eq!(claim.location, "attestations");
    let nanos = rig.adapter.consensus_timestamp(OURS, 1).await.unwrap();
    assert_eq!(nanos, Some(counterparty.header(1).timestamp.seconds() * 1_000_000_000));
    assert_eq!(rig.adapter.consensus_timestamp(OURS, 2).await.unwrap(), None);

    rig.call(setup::register_counterparty(signer, OURS, THEIRS).unwrap()).await;
    let claim = rig.adapter.client(OURS).await.unwrap().unwrap();
    assert_eq!(claim.counterparty.as_deref(), Some(THEIRS));
}

async fn receive(rig: &Rig, counterparty: &Counterparty, packet: &Packet, voucher: &str) {
    let path = packet.commitment_path();
    let proof = counterparty.prove(2, path.as_bytes());
    let fact = counterparty.client.membership(2, path.as_bytes(), &packet.commitment().0, &proof).unwrap();
    let verified = VerifiedPacket::new(packet.clone(), fact).unwrap();
    let proof = rig.packets(2, PathCommitment::of_packet(&verified));
    let recv = Message::Recv { packet: verified, proof, proof_height: 2 };
    let body = TxBody::Deliver(vec![rig.update(&counterparty.header(2)), recv]);
    let receipt_path = packet.receipt_path().into_bytes();
    assert_eq!(rig.adapter.present(std::slice::from_ref(&receipt_path)).await.unwrap(), [false]);

    let received = rig.send(body.clone()).await;
    assert!(received.success, "{received:?}");
    assert_eq!(rig.adapter.present(&[receipt_path, b"nothing".to_vec()]).await.unwrap(), [true, false]);
    let balance = rig.adapter.balance(&rig.relayer.cosmos_address, &ics20::ibc_denom(voucher)).await.unwrap();
    assert_eq!(balance, "1000");
    let acknowledgement = Acknowledgement { app_acknowledgements: vec![ics20::SUCCESS_ACK.to_vec()] };
    assert_eq!(rig.events(&received).await, [PacketEvent::WroteAck { packet: packet.clone(), acknowledgement }]);

    let account = rig.adapter.account(&rig.key()).await.unwrap();
    let again = rig.sign(&body, &account, account.nonce).await;
    assert_eq!(rig.adapter.broadcast(&again).await, Broadcast::Redundant, "the packet is here already");
}

async fn send_home(rig: &mut Rig, voucher: &str, expect: &Packet) {
    let transfer = setup::Transfer {
        client_id: OURS.into(),
        denom: ics20::ibc_denom(voucher),
        amount: "400".into(),
        receiver: EVM_USER.into(),
        timeout_seconds: expect.timeout_timestamp_seconds,
        memo: "{\"note\":\"home\"}".into(),
    };
    let sent = rig.call(setup::transfer(&rig.relayer.cosmos_address, &transfer).unwrap()).await;
    assert_eq!(sent.output.as_deref(), Some("1"), "the packet's sequence");
    assert_eq!(rig.adapter.next_sequence(OURS).await.unwrap(), Some(2));
    assert_eq!(rig.events(&sent).await, [PacketEvent::Sent(expect.clone())]);

    rig.follow(sent.height).await;
    let path = expect.commitment_path().into_bytes();
    let absent = expect.receipt_path().into_bytes();
    let claims = rig.adapter.proofs(sent.height, &[path.clone(), absent.clone()]).await.unwrap();
    let value = claims[0].value.clone().unwrap();
    let fact = rig.client.membership(sent.height, &path, &value, &claims[0].proof).unwrap();
    VerifiedPacket::new(expect.clone(), fact).unwrap();
    assert_eq!(claims[1].value, None);
    rig.client.absence(sent.height, &absent, &claims[1].proof).unwrap();
    // The state one block earlier does not hold it, and a proof of one state proves nothing of the other.
    let earlier = rig.adapter.proofs(sent.height - 1, std::slice::from_ref(&path)).await.unwrap();
    assert_eq!(earlier[0].value, None);
    rig.client.absence(sent.height - 1, &path, &earlier[0].proof).unwrap();
    assert!(rig.client.absence(sent.height, &path, &earlier[0].proof).is_err());
}

async fn acknowledge(rig: &Rig, counterparty: &Counterparty, packet: &Packet, ack: Acknowledgement) {
    let path = packet.ack_path();
    let proof = counterparty.prove(3, path.as_bytes());
    let fact = counterparty.client.membership(3, path.as_bytes(), &ack.commitment().0, &proof).unwrap();
    let verified = VerifiedAck::new(packet.clone(), ack, fact).unwrap();
    let proof = rig.packets(3, PathCommitment::of_ack(&verified));
    let message = Message::Ack { ack: verified, proof, proof_height: 3 };
    let receipt = rig.send(TxBody::Deliver(vec![rig.update(&counterparty.header(3)), message])).await;
    assert!(receipt.success, "{receipt:?}");
    assert_eq!(rig.events(&receipt).await, [PacketEvent::Acknowledged(packet.clone())]);
    assert_eq!(rig.adapter.present(&[packet.commitment_path().into_bytes()]).await.unwrap(), [false]);
}

/// A packet whose receipt is absent. The counterparty's clock stands in the past, so the absence is shown in this
/// chain's own state, whose header time is real: the attestors sign it just the same.
async fn time_out(rig: &mut Rig, voucher: &str) {
    let head = rig.adapter.head().await.unwrap();
    let transfer = setup::Transfer {
        client_id: OURS.into(),
        denom: ics20::ibc_denom(voucher),
        amount: "600".into(),
        receiver: EVM_USER.into(),
        timeout_seconds: head.timestamp.seconds() + 6,
        memo: String::new(),
    };
    let sent = rig.call(setup::transfer(&rig.relayer.cosmos_address, &transfer).unwrap()).await;
    let [PacketEvent::Sent(packet)] = &rig.events(&sent).await[..] else { panic!("one packet was sent") };
    let path = packet.receipt_path().into_bytes();
    let mut height = sent.height;
    while rig.client.header(height).is_none_or(|header| header.timestamp.seconds() < transfer.timeout_seconds) {
        height += 1;
        rig.follow(height).await;
    }
    let claim = rig.adapter.proofs(height, std::slice::from_ref(&path)).await.unwrap().remove(0);
    let fact = rig.client.absence(height, &path, &claim.proof).unwrap();
    let proof = rig.packets(height, PathCommitment::of_absence(&fact));
    let timeout = VerifiedTimeout::new(packet.clone(), fact).unwrap();
    let update = rig.update(&rig.client.header(height).unwrap());
    let message = Message::Timeout { timeout, proof, proof_height: height };
    assert!(rig.adapter.size_bytes(&message) > 200);
    let receipt = rig.send(TxBody::Deliver(vec![update, message])).await;
    assert!(receipt.success, "{receipt:?}");
    assert_eq!(rig.events(&receipt).await, [PacketEvent::TimedOut(packet.clone())]);
    let balance = rig.adapter.balance(&rig.relayer.cosmos_address, &ics20::ibc_denom(voucher)).await.unwrap();
    assert_eq!(balance, "600", "the amount came back");
}

#[tokio::test(flavor = "multi_thread")]
async fn refusals_have_their_codes() {
    if !catenary_tests::localnet::nodes_are_here("adapter_cosmos::refusals_have_their_codes") {
        return;
    }
    let rig = Rig::start().await;
    let account = rig.adapter.account(&rig.key()).await.unwrap();
    assert_eq!(account.address, rig.relayer.cosmos_address);
    let send = |amount: &str| {
        let to = Account::named("user-0").cosmos_address;
        let call = setup::bank_send("cosmos", &rig.relayer.cosmos_address, &to, "stake", amount).unwrap();
        TxBody::Call(vec![call])
    };
    let key = rig.key();
    let build = |body, nonce| BuildRequest { body, public_key: &key, account: &account, nonce };

    let too_much = send("9000000000000000000000");
    let error = rig.adapter.build(build(&too_much, account.nonce)).await.unwrap_err();
    assert_eq!(error.code, "COS-TX-001", "{error}");
    assert!(error.message.contains("insufficient funds"), "{error}");

    let stranger = Account::named("nobody").public_key;
    let error = rig.adapter.account(&PublicKey(stranger)).await.unwrap_err();
    assert_eq!(error.code, "COS-ACC-001", "{error}");

    let early = rig.sign(&send("1"), &account, account.nonce + 5).await;
    let outcome = rig.adapter.broadcast(&early).await;
    assert!(matches!(outcome, Broadcast::NonceMismatch(_)), "{outcome:?}");

    let mut forged = rig.sign(&send("1"), &account, account.nonce).await;
    *forged.bytes.last_mut().unwrap() ^= 1;
    let outcome = rig.adapter.broadcast(&forged).await;
    assert!(matches!(&outcome, Broadcast::Refused(error) if error.code == "COS-TX-007"), "{outcome:?}");
    assert_eq!(rig.adapter.receipt(&forged.hash).await.unwrap(), None, "it is in no block");

    let good = rig.sign(&send("1"), &account, account.nonce).await;
    assert_eq!(rig.adapter.broadcast(&good).await, Broadcast::Accepted);
    assert_eq!(rig.adapter.broadcast(&good).await, Broadcast::Accepted, "the same bytes again");
    let receipt = rig.outcome(&good).await;
    assert!(receipt.success && receipt.output.is_none(), "{receipt:?}");

    let head = rig.adapter.head().await.unwrap().height;
    let error = rig.adapter.events(head + 500, head + 500).await.unwrap_err();
    assert_eq!(error.code, "COS-RPC-006", "{error}");
    assert!(!error.message.contains("secret"), "{error}");
    let error = rig.adapter.proofs(head + 500, &[b"path".to_vec()]).await.unwrap_err();
    assert_eq!(error.code, "COS-QRY-001", "{error}");
    let error = rig.adapter.updates(1, 101).await.unwrap_err();
    assert_eq!(error.code, "COS-QRY-003", "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn four_validators_with_one_down_are_followed() {
    if !catenary_tests::localnet::nodes_are_here("adapter_cosmos::four_validators_with_one_down_are_followed") {
        return;
    }
    let options = SimdOptions { validators: 4, ..SimdOptions::default() };
    let node = Simd::start(options).unwrap();
    node.stop(3);
    let head = node.height(0).unwrap();
    node.wait_for_node_height(0, head + 4, MINUTE * 3).unwrap();
    let adapter = CosmosAdapter::new(config(vec![node.rpc_url(0).to_owned()])).unwrap();
    let head = adapter.head().await.unwrap();
    let anchor = adapter.updates(1, 1).await.unwrap().remove(0);
    let genesis_hash = adapter.identity().await.unwrap().genesis_hash.unwrap();
    let mut client = CometBft::new(light_client_config(genesis_hash), &anchor).unwrap();
    for update in adapter.updates(2, head.height).await.unwrap() {
        let verdict = client.advance(&update, head.timestamp.checked_add_seconds(5).unwrap());
        assert!(matches!(verdict, Verdict::Verified(_)), "{verdict:?}");
    }
    assert_eq!(client.status().validators, 4);
    assert_eq!(client.status().trusted_height, head.height);
}
