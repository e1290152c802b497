//! The Cosmos adapter under the conformance suite.

use std::net::SocketAddr;
use std::sync::Arc;

use async_trait::async_trait;
use catenary_adapter_cosmos::{setup, CosmosAdapter, CosmosConfig};
use catenary_adapter_testkit::{Emitted, Fault, Harness, Profile, Sides, TestKey};
use catenary_api::{Call, ChainSource, PacketEvent, PublicKey, TxBody};
use catenary_light_clients::cometbft::{self, CometBft, Config};
use catenary_light_clients::{Anchor, LightClient};
use catenary_protocol::StateAttestation;
use tokio::sync::Mutex;

use super::{key_of, trust, words, Network};
use crate::localnet::Account;

const CLIENT: &str = "attestations-0";
const COUNTERPARTY: &str = "client-0";
const PREFIX: &str = "cosmos";
const DENOM: &str = "stake";
const RECEIVER: &str = "0xf39fd6e51aad88f6f4ce6ab8827279cfffb92266";
/// Seconds that a packet may take; the kit's packets are never received.
const TIMEOUT_SECONDS: u64 = 3_600;

/// A chain with one client.
#[derive(Debug)]
pub struct CosmosHarness {
    name: String,
    network: Network,
    sender: Account,
    others: [Account; 2],
    /// Packets sent so far; locked while some are being sent.
    sent: Mutex<u64>,
}

impl CosmosHarness {
    /// Creates a client on a fresh chain whose default accounts have funds.
    ///
    /// # Errors
    /// A transaction failed.
    pub async fn create(name: &str, network: Network) -> Result<Self, Fault> {
        let harness = Self {
            name: name.to_owned(),
            network,
            sender: Account::named("user-0"),
            others: ["user-1", "user-2"].map(Account::named),
            sent: Mutex::new(0),
        };
        let signer = harness.sender.cosmos_address.as_str();
        let state = StateAttestation { height: 1, timestamp_seconds: 1 };
        harness.call(setup::create_client(signer, &[[1; 20]], 1, state)).await?;
        harness.call(setup::register_counterparty(signer, CLIENT, COUNTERPARTY)).await?;
        Ok(harness)
    }

    async fn call(&self, call: Result<Call, catenary_adapter_cosmos::Error>) -> Result<(u64, Option<String>), Fault> {
        let body = TxBody::Call(vec![call.map_err(words)?]);
        let receipt = self.network.carry(&self.adapter(None)?, &key_of(&self.sender)?, body).await?;
        Ok((receipt.height, receipt.output))
    }

    fn adapter(&self, through: Option<SocketAddr>) -> Result<CosmosAdapter, Fault> {
        let config = CosmosConfig {
            name: "conformance".to_owned(),
            urls: vec![self.network.url(through)],
            chain_id: self.network.chain_id.clone(),
            address_prefix: PREFIX.to_owned(),
            fee_denom: DENOM.to_owned(),
            gas_price: "0.001".to_owned(),
            gas_multiplier_percent: 150,
            gas_max: 10_000_000,
            tx_bytes_max: 500_000,
            messages_max: 50,
        };
        CosmosAdapter::new(config).map_err(words)
    }

    async fn send(&self, number: u64) -> Result<Emitted, Fault> {
        let adapter = self.adapter(None)?;
        let now = adapter.head().await.map_err(words)?.timestamp.seconds();
        let transfer = setup::Transfer {
            client_id: CLIENT.to_owned(),
            denom: DENOM.to_owned(),
            amount: "1".to_owned(),
            receiver: RECEIVER.to_owned(),
            timeout_seconds: now + TIMEOUT_SECONDS,
            memo: format!("conformance {number}"),
        };
        let (height, sequence) = self.call(setup::transfer(&self.sender.cosmos_address, &transfer)).await?;
        let claims = adapter.events(height, height).await.map_err(words)?;
        let packet = claims.into_iter().find_map(|claim| match claim.event {
            PacketEvent::Sent(packet) if sequence == Some(packet.sequence.to_string()) => Some(packet),
            _ => None,
        });
        let packet = packet.ok_or_else(|| format!("no packet {sequence:?} at {height}"))?;
        Ok(Emitted { height, packet })
    }
}

#[async_trait]
impl Harness for CosmosHarness {
    fn profile(&self) -> Profile {
        Profile::new(&self.name, "attestations-77")
    }

    async fn open(&self, through: Option<SocketAddr>) -> Result<Sides, Fault> {
        Ok(Sides::of(Arc::new(self.adapter(through)?)))
    }

    fn endpoint(&self) -> Option<SocketAddr> {
        Some(self.network.endpoint)
    }

    async fn advance(&self, blocks: u64) -> Result<(), Fault> {
        self.network.wait(blocks)
    }

    async fn emit(&self, count: usize) -> Result<Vec<Emitted>, Fault> {
        let mut sent = self.sent.lock().await;
        let mut emitted = Vec::new();
        for _ in 0..count {
            emitted.push(self.send(*sent).await?);
            *sent += 1;
        }
        Ok(emitted)
    }

    async fn transaction(&self, key: &PublicKey, number: u64) -> Result<TxBody, Fault> {
        let account = self.others.iter().find(|account| account.public_key == key.0);
        let sender = &account.ok_or_else(|| format!("{key:?} is no key of this harness"))?.cosmos_address;
        let amount = (number + 1).to_string();
        let call = setup::bank_send(PREFIX, sender, &self.sender.cosmos_address, DENOM, &amount);
        Ok(TxBody::Call(vec![call.map_err(words)?]))
    }

    fn keys(&self) -> Option<[TestKey; 2]> {
        let [first, second] = &self.others;
        Some([key_of(first).ok()?, key_of(second).ok()?])
    }

    async fn light_client(&self, update: &[u8], height: u64) -> Result<Box<dyn LightClient>, Fault> {
        let config = Config {
            chain_id: self.network.chain_id.clone(),
            anchor: Anchor { height, hash: cometbft::header_hash(update).map_err(|refused| format!("{refused:?}"))? },
            store_prefix: vec![b"ibc".to_vec(), Vec::new()],
            trust: trust(),
            skipping: false,
        };
        let client = CometBft::new(config, update).map_err(|refused| format!("{refused:?}"))?;
        Ok(Box::new(client))
    }
}
