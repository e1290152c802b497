//! The EVM adapter under the conformance suite.

use std::net::SocketAddr;

use async_trait::async_trait;
use catenary_adapter_evm::setup::{self, Counterparty, LightClientArguments, Role, TransferArguments};
use catenary_adapter_evm::{EvmAdapter, EvmConfig, COMMITMENT_SLOT};
use catenary_adapter_process::{ProcessAdapter, ProcessConfig};
use catenary_adapter_testkit::{Emitted, Fault, Harness, Profile, Sides, TestKey};
use catenary_api::{ChainSource, PacketEvent, PublicKey, TxBody, TxReceipt};
use catenary_light_clients::qbft::{self, Config, Qbft};
use catenary_light_clients::{Anchor, Hash32, LightClient};
use catenary_protocol::ics20;
use tokio::sync::Mutex;

use super::{key_of, trust, words, Network};
use crate::localnet::Account;

const CLIENT: &str = "client-0";
const COUNTERPARTY: &str = "attestations-0";
const RECEIVER: &str = "cosmos15f0fjzzf9g6z5tq0vufn8fdjfekhlg34m7kzrh";
/// Base units that the sender has and the transfer application may take.
const FUNDS: &str = "1000000";
/// Seconds that a packet may take; the kit's packets are never received.
const TIMEOUT_SECONDS: u64 = 3_600;

/// Makes the adapter under test from its configuration.
pub type Open = Box<dyn Fn(EvmConfig) -> Result<Sides, Fault> + Send + Sync>;

/// A chain with our contracts and one client.
pub struct EvmHarness {
    name: String,
    network: Network,
    open: Open,
    sender: Account,
    others: [Account; 2],
    router: [u8; 20],
    app: [u8; 20],
    token: [u8; 20],
    /// Packets sent so far; locked while some are being sent.
    sent: Mutex<u64>,
}

impl std::fmt::Debug for EvmHarness {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("EvmHarness").field("name", &self.name).field("network", &self.network).finish_non_exhaustive()
    }
}

/// Deploys with one account, through an adapter in this process.
struct Deployer<'a> {
    network: &'a Network,
    adapter: EvmAdapter,
    key: TestKey,
}

impl Deployer<'_> {
    async fn call(&self, call: catenary_adapter_evm::Result<catenary_api::Call>) -> Result<TxReceipt, Fault> {
        self.network.carry(&self.adapter, &self.key, TxBody::Call(vec![call.map_err(words)?])).await
    }

    async fn create(&self, call: catenary_adapter_evm::Result<catenary_api::Call>) -> Result<[u8; 20], Fault> {
        self.call(call).await?.created.ok_or_else(|| "a deployment created nothing".to_owned())
    }
}

impl EvmHarness {
    /// Deploys the contracts on a fresh chain whose default accounts have funds.
    ///
    /// # Errors
    /// A transaction failed.
    pub async fn deploy(name: &str, network: Network, open: Open) -> Result<Self, Fault> {
        let sender = Account::named("user-0");
        let key = key_of(&sender)?;
        let adapter = EvmAdapter::new(config(&network, None, None)?).map_err(words)?;
        let deployer = Deployer { network: &network, adapter, key };
        let me = sender.evm_address;
        let router = deployer.create(setup::deploy_router(&me)).await?;
        let app = deployer.create(setup::deploy_transfer(&router)).await?;
        let token = deployer.create(setup::deploy_test_token("Test", "TST")).await?;
        let arguments = LightClientArguments {
            attestors: vec![[1; 20]],
            min_required_sigs: 1,
            initial_height: 1,
            initial_timestamp_seconds: 1,
            role_manager: Some(me),
        };
        let light_client = deployer.create(setup::deploy_light_client(&arguments)).await?;
        deployer.call(setup::add_ibc_app(&router, ics20::PORT, &app)).await?;
        deployer.call(setup::grant_role(&light_client, Role::ProofSubmitter, &router)).await?;
        let other = Counterparty { client_id: COUNTERPARTY.to_owned(), merkle_prefix: vec![Vec::new()] };
        deployer.call(setup::add_client(&router, &other, &light_client)).await?;
        deployer.call(setup::mint(&token, &me, FUNDS)).await?;
        deployer.call(setup::approve(&token, &app, FUNDS)).await?;
        let others = ["user-1", "user-2"].map(Account::named);
        Ok(Self { name: name.to_owned(), network, open, sender, others, router, app, token, sent: Mutex::new(0) })
    }

    /// Opens the adapter in this process.
    #[must_use]
    pub fn in_process() -> Open {
        Box::new(|config| Ok(Sides::of(std::sync::Arc::new(EvmAdapter::new(config).map_err(words)?))))
    }

    /// Opens the adapter in its own process, from the program of a manifest.
    ///
    /// # Errors
    /// The program cannot be read.
    pub fn in_process_of_its_own(manifest: std::path::PathBuf, program: &std::path::Path) -> Result<Open, Fault> {
        let sha256 = Hash32::sha256(&[&std::fs::read(program).map_err(words)?]);
        Ok(Box::new(move |config| {
            let settings = [("router", config.router.map(|router| format!("0x{}", hex::encode(router))))];
            let settings = settings.into_iter().filter_map(|(key, value)| Some((key.to_owned(), value?)));
            let adapter = ProcessAdapter::new(ProcessConfig {
                chain: config.name,
                chain_id: config.chain_id.to_string(),
                urls: config.urls,
                settings: settings.collect(),
                manifest: manifest.clone(),
                sha256,
                call_deadline_ms: ProcessConfig::CALL_DEADLINE_MS,
            });
            Ok(Sides::of(std::sync::Arc::new(adapter.map_err(words)?)))
        }))
    }

    fn config(&self, through: Option<SocketAddr>) -> Result<EvmConfig, Fault> {
        config(&self.network, through, Some(self.router))
    }

    async fn send(&self, adapter: &EvmAdapter, number: u64) -> Result<Emitted, Fault> {
        let now = adapter.head().await.map_err(words)?.timestamp.seconds();
        let transfer = TransferArguments {
            token: self.token,
            amount: "1".to_owned(),
            receiver: RECEIVER.to_owned(),
            source_client: CLIENT.to_owned(),
            timeout_timestamp_seconds: now + TIMEOUT_SECONDS,
            memo: format!("conformance {number}"),
        };
        let call = setup::send_transfer(&self.app, &transfer).map_err(words)?;
        let receipt = self.network.carry(adapter, &key_of(&self.sender)?, TxBody::Call(vec![call])).await?;
        let claims = adapter.events(receipt.height, receipt.height).await.map_err(words)?;
        let packet = claims.into_iter().find_map(|claim| match claim.event {
            PacketEvent::Sent(packet) if receipt.output == Some(packet.sequence.to_string()) => Some(packet),
            _ => None,
        });
        let packet = packet.ok_or_else(|| format!("no packet {:?} at {}", receipt.output, receipt.height))?;
        Ok(Emitted { height: receipt.height, packet })
    }
}

fn config(network: &Network, through: Option<SocketAddr>, router: Option<[u8; 20]>) -> Result<EvmConfig, Fault> {
    let chain_id = network.chain_id.parse().map_err(words)?;
    let mut config = EvmConfig::new("conformance", &network.url(through), chain_id);
    config.router = router;
    Ok(config)
}

#[async_trait]
impl Harness for EvmHarness {
    fn profile(&self) -> Profile {
        Profile::new(&self.name, "client-77")
    }

    async fn open(&self, through: Option<SocketAddr>) -> Result<Sides, Fault> {
        (self.open)(self.config(through)?)
    }

    fn endpoint(&self) -> Option<SocketAddr> {
        Some(self.network.endpoint)
    }

    async fn advance(&self, blocks: u64) -> Result<(), Fault> {
        self.network.wait(blocks)
    }

    async fn emit(&self, count: usize) -> Result<Vec<Emitted>, Fault> {
        let adapter = EvmAdapter::new(self.config(None)?).map_err(words)?;
        let mut sent = self.sent.lock().await;
        let mut emitted = Vec::new();
        for _ in 0..count {
            emitted.push(self.send(&adapter, *sent).await?);
            *sent += 1;
        }
        Ok(emitted)
    }

    async fn transaction(&self, key: &PublicKey, number: u64) -> Result<TxBody, Fault> {
        let account = self.others.iter().find(|account| account.public_key == key.0);
        let account = account.ok_or_else(|| format!("{key:?} is no key of this harness"))?;
        let amount = (number + 1).to_string();
        Ok(TxBody::Call(vec![setup::mint(&self.token, &account.evm_address, &amount).map_err(words)?]))
    }

    fn keys(&self) -> Option<[TestKey; 2]> {
        let [first, second] = &self.others;
        Some([key_of(first).ok()?, key_of(second).ok()?])
    }

    async fn light_client(&self, update: &[u8], height: u64) -> Result<Box<dyn LightClient>, Fault> {
        let config = Config {
            validator_contract: None,
            chain_id: self.network.chain_id.clone(),
            anchor: Anchor { height, hash: qbft::block_hash(update).map_err(|refused| format!("{refused:?}"))? },
            router: self.router,
            commitment_slot: COMMITMENT_SLOT,
            trust: trust(),
            skipping: false,
        };
        let client = Qbft::new(config, update).map_err(|refused| format!("{refused:?}"))?;
        Ok(Box::new(client))
    }
}
