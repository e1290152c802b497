//! Harnesses for the conformance suite: the EVM and the Cosmos adapter, on whatever serves their wire.
//!
//! A harness is given an address, a way to wait for blocks and a way to make an adapter, so that real nodes, devnets
//! and an adapter in its own process all run the same checks.

mod cosmos;
mod evm;

pub use cosmos::CosmosHarness;
pub use evm::{EvmHarness, Open};

use std::net::SocketAddr;

use catenary_adapter_testkit::{Fault, TestKey, URL_SECRET};
use catenary_api::{Broadcast, BuildRequest, ChainSink, TxBody, TxReceipt};
use catenary_light_clients::TrustOptions;

use crate::localnet::Account;

/// Waits until at least so many more blocks exist. It may block the thread.
pub type Advance = Box<dyn Fn(u64) -> Result<(), Fault> + Send + Sync>;

/// Blocks that a transaction of the harness's own may take.
const BLOCKS_MAX: usize = 30;

/// What a harness needs to know of a running chain.
pub struct Network {
    /// Where its RPC listens.
    pub endpoint: SocketAddr,
    /// Its chain id.
    pub chain_id: String,
    /// Waits for blocks.
    pub advance: Advance,
}

impl std::fmt::Debug for Network {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Network").field("endpoint", &self.endpoint).finish_non_exhaustive()
    }
}

impl Network {
    /// The URL of an endpoint, with credentials that must not leak.
    fn url(&self, through: Option<SocketAddr>) -> String {
        format!("http://user:{URL_SECRET}@{}", through.unwrap_or(self.endpoint))
    }

    fn wait(&self, blocks: u64) -> Result<(), Fault> {
        tokio::task::block_in_place(|| (self.advance)(blocks))
    }

    /// Signs a body, sends it and waits for its receipt, which must be a success.
    async fn carry(&self, sink: &dyn ChainSink, key: &TestKey, body: TxBody) -> Result<TxReceipt, Fault> {
        let public_key = key.public_key();
        let account = sink.account(&public_key).await.map_err(words)?;
        let request = BuildRequest { body: &body, public_key: &public_key, account: &account, nonce: account.nonce };
        let unsigned = sink.build(request).await.map_err(words)?;
        let signed = sink.finish(&unsigned, &key.sign(&unsigned.digest.0)?).map_err(words)?;
        match sink.broadcast(&signed).await {
            Broadcast::Accepted => {}
            other => return Err(format!("a transaction of the harness: {other:?}")),
        }
        for _ in 0..BLOCKS_MAX {
            match sink.receipt(&signed.hash).await.map_err(words)? {
                Some(receipt) if receipt.success => return Ok(receipt),
                Some(receipt) => return Err(format!("a transaction of the harness failed: {receipt:?}")),
                None => self.wait(1)?,
            }
        }
        Err(format!("a transaction of the harness is in no block after {BLOCKS_MAX}"))
    }
}

fn words(error: impl std::fmt::Display) -> Fault {
    error.to_string()
}

fn key_of(account: &Account) -> Result<TestKey, Fault> {
    TestKey::new(&account.private_key).ok_or_else(|| format!("{} has no usable key", account.name))
}

const fn trust() -> TrustOptions {
    TrustOptions {
        trusting_period_seconds: 14 * 86_400,
        clock_drift_seconds: 10,
        churn_limit_permille: 1_000,
        allow_no_fault_tolerance: true,
        retain_heights: 10_000,
    }
}
