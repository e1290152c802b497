//! Runs the checks and holds what they share.

use std::future::Future;
use std::pin::Pin;

use catenary_api::{BuildRequest, ChainSink, ChainSource, PublicKey, SignedTx, TxBody, TxReceipt, UnsignedTx};
use tokio::sync::OnceCell;

use crate::checks::CHECKS;
use crate::harness::{Ability, Emitted, Harness, Profile, Sides, TestKey};
use crate::report::{Finding, Outcome, Report};
use crate::wire::{Trouble, Wire};

/// Packets that are sent for the checks that read events and proofs: enough for blocks with and without.
const PACKETS: usize = 4;
/// Most blocks that a transaction may take until it is in one.
const INCLUSION_BLOCKS_MAX: u64 = 30;

/// What a check finds: nothing, or why the adapter does not conform.
pub(crate) type Verdict = Result<(), String>;
/// The future of a check.
pub(crate) type Running<'a> = Pin<Box<dyn Future<Output = Verdict> + Send + 'a>>;

/// A named check.
#[derive(Clone, Copy)]
pub struct Check {
    /// Its name, `area.what`.
    pub name: &'static str,
    /// What it asks for.
    pub about: &'static str,
    /// What an adapter needs for it to apply.
    pub needs: &'static [Ability],
    pub(crate) run: for<'a> fn(&'a Kit<'a>) -> Running<'a>,
}

impl core::fmt::Debug for Check {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Check").field("name", &self.name).field("needs", &self.needs).finish_non_exhaustive()
    }
}

/// What the checks of one run share.
pub struct Kit<'a> {
    pub(crate) harness: &'a dyn Harness,
    pub(crate) profile: Profile,
    pub(crate) seed: u64,
    emitted: OnceCell<Vec<Emitted>>,
    next_number: std::sync::atomic::AtomicU64,
}

impl core::fmt::Debug for Kit<'_> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Kit").field("profile", &self.profile).field("seed", &self.seed).finish_non_exhaustive()
    }
}

/// Runs all checks, one after another.
pub async fn run(harness: &dyn Harness, seed: u64) -> Report {
    run_only(harness, seed, |_| true).await
}

/// Runs the checks whose name `wanted` takes.
pub async fn run_only(harness: &dyn Harness, seed: u64, wanted: impl Fn(&str) -> bool + Send) -> Report {
    let kit = Kit {
        harness,
        profile: harness.profile(),
        seed,
        emitted: OnceCell::new(),
        next_number: std::sync::atomic::AtomicU64::new(0),
    };
    let mut findings = Vec::new();
    for check in CHECKS.iter().filter(|check| wanted(check.name)) {
        let missing = check.needs.iter().find(|need| !kit.profile.abilities.contains(need));
        let outcome = match missing {
            Some(need) => Outcome::NotApplicable(format!("needs {need:?}")),
            None => (check.run)(&kit).await.map_or_else(Outcome::Failed, |()| Outcome::Passed),
        };
        findings.push(Finding { check: check.name, about: check.about, outcome });
    }
    Report { adapter: kit.profile.name, seed, findings }
}

/// Runs all checks and fails the test with the report unless the adapter conforms.
///
/// # Panics
/// A check failed, or none applies.
pub async fn assert_conforms(harness: &dyn Harness, seed: u64) -> Report {
    let report = run(harness, seed).await;
    assert!(report.conforms(), "{report}");
    report
}

impl Kit<'_> {
    /// A new adapter at the chain's own endpoint.
    pub(crate) async fn open(&self) -> Result<Sides, String> {
        self.harness.open(None).await.map_err(|fault| format!("the harness could not open an adapter: {fault}"))
    }

    /// A new adapter behind an endpoint in trouble. The endpoint lasts as long as the wire is kept.
    pub(crate) async fn open_through(&self, trouble: Trouble) -> Result<(Sides, Wire), String> {
        let upstream = self.harness.endpoint().ok_or("the harness has the ability Endpoint, and no endpoint")?;
        let wire = Wire::start(upstream).await.map_err(|error| format!("no port for the endpoint: {error}"))?;
        let sides = self.harness.open(Some(wire.address())).await;
        wire.set(trouble);
        Ok((sides.map_err(|fault| format!("the harness could not open an adapter: {fault}"))?, wire))
    }

    pub(crate) async fn source(&self) -> Result<std::sync::Arc<dyn ChainSource>, String> {
        Ok(self.open().await?.source)
    }

    pub(crate) async fn sink(&self) -> Result<std::sync::Arc<dyn ChainSink>, String> {
        sink_of(&self.open().await?)
    }

    /// The packets of this run, sent when they are first needed.
    pub(crate) async fn emitted(&self) -> Result<&[Emitted], String> {
        let emitted = self.emitted.get_or_try_init(|| self.harness.emit(PACKETS)).await;
        let emitted = emitted.map_err(|fault| format!("the harness sent no packets: {fault}"))?;
        if emitted.len() != PACKETS {
            return Err(format!("the harness sent {} packets, {PACKETS} were asked for", emitted.len()));
        }
        Ok(emitted)
    }

    pub(crate) async fn advance(&self, blocks: u64) -> Verdict {
        self.harness.advance(blocks).await.map_err(|fault| format!("the chain did not go on: {fault}"))
    }

    pub(crate) fn keys(&self) -> Result<[TestKey; 2], String> {
        self.harness.keys().ok_or_else(|| "the harness has the ability Writes, and no keys".to_owned())
    }

    /// A transaction that was not asked for before.
    pub(crate) async fn body(&self, key: &PublicKey) -> Result<TxBody, String> {
        let number = self.next_number.fetch_add(1, core::sync::atomic::Ordering::Relaxed);
        let body = self.harness.transaction(key, number).await;
        body.map_err(|fault| format!("the harness made no transaction: {fault}"))
    }

    pub(crate) async fn nonce(&self, sink: &dyn ChainSink, key: &TestKey) -> Result<u64, String> {
        said("account", sink.account(&key.public_key()).await).map(|account| account.nonce)
    }

    pub(crate) async fn unsigned(&self, sink: &dyn ChainSink, key: &TestKey, nonce: u64) -> Result<UnsignedTx, String> {
        let public_key = key.public_key();
        let body = self.body(&public_key).await?;
        let account = said("account", sink.account(&public_key).await)?;
        let request = BuildRequest { body: &body, public_key: &public_key, account: &account, nonce };
        said("build", sink.build(request).await)
    }

    /// A new transaction with a nonce, signed.
    pub(crate) async fn signed(&self, sink: &dyn ChainSink, key: &TestKey, nonce: u64) -> Result<SignedTx, String> {
        let unsigned = self.unsigned(sink, key, nonce).await?;
        said("finish", sink.finish(&unsigned, &key.sign(&unsigned.digest.0)?))
    }

    /// Reads until the transaction is in a block.
    pub(crate) async fn included(&self, sink: &dyn ChainSink, tx: &SignedTx) -> Result<TxReceipt, String> {
        for _ in 0..INCLUSION_BLOCKS_MAX {
            if let Some(receipt) = said("receipt", sink.receipt(&tx.hash).await)? {
                return Ok(receipt);
            }
            self.advance(1).await?;
        }
        Err(format!("transaction {} is in no block after {INCLUSION_BLOCKS_MAX}", tx.hash))
    }
}

pub(crate) fn sink_of(sides: &Sides) -> Result<std::sync::Arc<dyn ChainSink>, String> {
    sides.sink.clone().ok_or_else(|| "the adapter has the ability Writes, and no sink".to_owned())
}

/// The answer of a call that should have one.
pub(crate) fn said<T>(call: &str, answer: catenary_api::Result<T>) -> Result<T, String> {
    answer.map_err(|error| format!("{call} failed: {error}"))
}

/// Fails with the words unless it holds.
pub(crate) fn expect(holds: bool, why: impl FnOnce() -> String) -> Verdict {
    if holds {
        Ok(())
    } else {
        Err(why())
    }
}
