//! A network, the unchanged Cosmos adapter, a light client that follows it, and a counterparty that exists here alone.
#![allow(dead_code, unreachable_pub, reason = "each test file takes what it needs")]

use catenary_adapter_cosmos::{CosmosAdapter, CosmosConfig};
use catenary_api::{
    Account, Broadcast, BuildRequest, Call, ChainSink, ChainSource, Message, PacketEvent, PublicKey, SignedTx, TxBody,
    TxReceipt,
};
use catenary_devnet::cometbft::{CometConfig, CometDevnet};
use catenary_light_clients::cometbft::testing::{signers, Chain, START_SECONDS};
use catenary_light_clients::cometbft::{CometBft, Config};
use catenary_light_clients::proof::ics23::testing::State;
use catenary_light_clients::testing::Key;
use catenary_light_clients::{Anchor, Hash32, Header, LightClient, Timestamp, TrustOptions, Verdict, Verified};
use catenary_protocol::attestation::{normalise, signing_digest, PathCommitment, Statement};
use catenary_protocol::{ics20, AttestationProof, Packet, PacketAttestation, Payload, StateAttestation};

pub const CHAIN: &str = "devnet-cosmos-1";
pub const OURS: &str = "attestations-0";
pub const THEIRS: &str = "client-0";
pub const ERC20: &str = "0x5fbdb2315678afecb367f032d93f642f64180aa3";
pub const EVM_USER: &str = "0xf39fd6e51aad88f6f4ce6ab8827279cfffb92266";

/// A key with its account.
#[derive(Debug, Clone)]
pub struct User {
    secret: k256::ecdsa::SigningKey,
    pub key: PublicKey,
    pub address: String,
}

impl User {
    pub fn new(name: &str) -> Self {
        let secret = k256::ecdsa::SigningKey::from_slice(Hash32::sha256(&[name.as_bytes()]).as_bytes()).unwrap();
        let point = secret.verifying_key().to_encoded_point(true);
        let key = PublicKey(point.as_bytes().try_into().unwrap());
        let address = catenary_adapter_cosmos::account_address("cosmos", &key).unwrap();
        Self { secret, key, address }
    }

    pub fn sign(&self, digest: &[u8; 32]) -> [u8; 65] {
        let (signature, id) = self.secret.sign_prehash_recoverable(digest).unwrap();
        let mut plain = [0; 65];
        plain[..64].copy_from_slice(&signature.to_bytes());
        plain[64] = id.to_byte();
        plain
    }
}

/// A network that makes blocks on demand, with a funded relayer and user.
pub fn config() -> CometConfig {
    let funded = ["relayer", "user"].map(|name| (User::new(name).address, "stake".to_owned(), 1_000_000_000_000));
    CometConfig { block_interval: None, funded: funded.to_vec(), ..CometConfig::default() }
}

pub fn adapter_config(urls: Vec<String>) -> CosmosConfig {
    adapter_config_of(CHAIN, urls)
}

pub fn adapter_config_of(chain_id: &str, urls: Vec<String>) -> CosmosConfig {
    CosmosConfig {
        name: "cosmos".into(),
        urls,
        chain_id: chain_id.into(),
        address_prefix: "cosmos".into(),
        fee_denom: "stake".into(),
        gas_price: "0.001".into(),
        gas_multiplier_percent: 150,
        gas_max: 10_000_000,
        tx_bytes_max: 400_000,
        messages_max: 50,
    }
}

pub fn light_client_config(chain_id: &str, anchor: Anchor) -> Config {
    Config {
        chain_id: chain_id.into(),
        anchor,
        store_prefix: vec![b"ibc".to_vec(), Vec::new()],
        trust: TrustOptions {
            trusting_period_seconds: 14 * 86_400,
            clock_drift_seconds: 10,
            churn_limit_permille: 1000,
            allow_no_fault_tolerance: true,
            retain_heights: 10_000,
        },
        skipping: false,
    }
}

/// What follows a network.
#[derive(Debug)]
pub struct Rig {
    pub devnet: CometDevnet,
    pub adapter: CosmosAdapter,
    pub client: CometBft,
    pub relayer: User,
    pub attestors: Vec<Key>,
}

impl Rig {
    pub async fn start(config: CometConfig) -> Self {
        let chain_id = config.chain_id.clone();
        let devnet = CometDevnet::start(config).await.unwrap();
        let adapter = CosmosAdapter::new(adapter_config_of(&chain_id, vec![devnet.url()])).unwrap();
        let identity = adapter.identity().await.unwrap();
        assert_eq!(identity.chain_id, chain_id);
        let hash = identity.genesis_hash.unwrap();
        assert_eq!(devnet.block_hash(1), Some(hash.0));
        let anchor = adapter.updates(1, 1).await.unwrap().remove(0);
        let config = light_client_config(&chain_id, Anchor { height: 1, hash });
        let client = CometBft::new(config, &anchor).unwrap();
        Self { devnet, adapter, client, relayer: User::new("relayer"), attestors: (1..=3).map(Key::new).collect() }
    }

    /// Follows the chain with the light client until the state at `height` can be proven.
    pub async fn follow(&mut self, height: u64) {
        if self.devnet.height() <= height {
            self.devnet.mine(height + 1 - self.devnet.height()).unwrap();
        }
        while self.client.status().provable_height < height {
            let from = self.client.status().trusted_height + 1;
            let head = self.adapter.head().await.unwrap();
            let now = head.timestamp.checked_add_seconds(5).unwrap();
            for update in self.adapter.updates(from, head.height.min(from + 99)).await.unwrap() {
                let verdict = self.client.advance(&update, now);
                assert!(matches!(verdict, Verdict::Verified(_)), "{verdict:?}");
            }
        }
    }

    pub async fn sign_as(&self, user: &User, body: &TxBody, account: &Account, nonce: u64) -> SignedTx {
        let request = BuildRequest { body, public_key: &user.key, account, nonce };
        let unsigned = self.adapter.build(request).await.unwrap();
        let signed = self.adapter.finish(&unsigned, &user.sign(&unsigned.digest.0)).unwrap();
        assert_eq!(signed.bytes.len(), unsigned.size_bytes, "the size is known before the signature");
        signed
    }

    pub async fn sign(&self, body: &TxBody, account: &Account, nonce: u64) -> SignedTx {
        self.sign_as(&self.relayer, body, account, nonce).await
    }

    /// Signs, sends and makes the block.
    pub async fn send_as(&self, user: &User, body: TxBody) -> TxReceipt {
        let account = self.adapter.account(&user.key).await.unwrap();
        let signed = self.sign_as(user, &body, &account, account.nonce).await;
        assert_eq!(self.adapter.broadcast(&signed).await, Broadcast::Accepted);
        self.devnet.mine(1).unwrap();
        self.adapter.receipt(&signed.hash).await.unwrap().unwrap()
    }

    pub async fn send(&self, body: TxBody) -> TxReceipt {
        self.send_as(&self.relayer, body).await
    }

    pub async fn call(&self, call: Call) -> TxReceipt {
        let receipt = self.send(TxBody::Call(vec![call])).await;
        assert!(receipt.success, "{receipt:?}");
        receipt
    }

    /// Creates the client and registers its counterparty.
    pub async fn create_path(&self, state: StateAttestation) {
        use catenary_adapter_cosmos::setup;
        let attestors: Vec<[u8; 20]> = self.attestors.iter().map(|key| key.address().0).collect();
        let signer = self.relayer.address.as_str();
        let created = self.call(setup::create_client(signer, &attestors, 2, state).unwrap()).await;
        assert_eq!(created.output.as_deref(), Some(OURS));
        self.call(setup::register_counterparty(signer, OURS, THEIRS).unwrap()).await;
    }

    pub fn attest(&self, statement: Statement, data: Vec<u8>) -> AttestationProof {
        let digest = signing_digest(statement, &data);
        let signatures = self.attestors.iter().take(2).map(|key| normalise(&key.sign(&digest.0)).unwrap());
        AttestationProof { signatures: signatures.collect(), data }
    }

    pub fn update(&self, header: &Verified<Header>) -> Message {
        let proof = self.attest(Statement::State, StateAttestation::of(header).encode());
        Message::UpdateClient { client_id: OURS.into(), proof }
    }

    pub fn packets(&self, height: u64, entry: PathCommitment) -> AttestationProof {
        self.attest(Statement::Packets, PacketAttestation { height, entries: vec![entry] }.encode())
    }

    /// Events of a transaction's block, as the adapter gives them.
    pub async fn events(&self, receipt: &TxReceipt) -> Vec<PacketEvent> {
        let claims = self.adapter.events(receipt.height, receipt.height).await.unwrap();
        claims.into_iter().map(|claim| claim.event).collect()
    }
}

/// A counterparty: at each height its store holds what it was given.
#[derive(Debug)]
pub struct Counterparty {
    chain: Chain,
    pub client: CometBft,
    states: Vec<State>,
}

impl Counterparty {
    /// `states[i]` is the state after block i + 1.
    pub fn new(states: Vec<State>) -> Self {
        let mut chain = Chain::new("evm-1", signers(9, &[10, 10, 10, 10]));
        chain.push(State::new(b"ibc", &[(b"genesis".to_vec(), b"x".to_vec())]).app_hash());
        states.iter().for_each(|state| chain.push(state.app_hash()));
        let mut client = chain.client(1);
        let now = Timestamp::from_seconds(START_SECONDS + 1_000);
        for height in 2..=states.len() as u64 + 1 {
            let verdict = client.advance(&chain.update(height), now);
            assert!(matches!(verdict, Verdict::Verified(_)), "{verdict:?}");
        }
        Self { chain, client, states }
    }

    pub fn header(&self, height: u64) -> Verified<Header> {
        let header = self.client.header(height).unwrap();
        assert_eq!(header.timestamp, self.chain.time(height));
        header
    }

    pub fn prove(&self, height: u64, path: &[u8]) -> Vec<u8> {
        self.states[usize::try_from(height).unwrap() - 1].prove(path)
    }
}

/// A state that holds one entry.
pub fn state(path: Vec<u8>, value: Vec<u8>) -> State {
    State::new(b"ibc", &[(path, value)])
}

/// A transfer from the counterparty.
pub fn transfer_packet(receiver: &str, timeout_timestamp_seconds: u64) -> Packet {
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
