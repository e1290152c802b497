//! Creating a path: the on-chain clients on both ends, in the order that lets each name the other.
//!
//! 1. deploy the light client contract that judges the Cosmos chain,
//! 2. create the attestation client on the Cosmos chain that judges the EVM chain,
//! 3. add the light client to the EVM router, naming the client of step 2,
//! 4. register the counterparty on the Cosmos chain, once, by its creator.
//!
//! A native path has two steps an end instead: create a client that starts from a verified header of the other chain,
//! and register the counterparty.
//!
//! Each step is journaled, so a rerun resumes after the last one; a step whose transaction is in a block and whose
//! result was not journaled yet is read from that transaction, and not done twice. The state that a client starts from is a verified
//! one, made by the same function as every later attestation: a second time for that height would freeze the client.

use std::sync::Arc;

use catenary_adapter_cosmos::{native, setup as cosmos};
use catenary_adapter_evm::setup as evm;
use catenary_adapter_evm::{checksummed, parse_address};
use catenary_api::{Call, TxBody, TxHash, TxReceipt};
use catenary_core::encoding::parse_hash;
use catenary_core::fold::TxSummary;
use catenary_core::record::{IntentKind, OutcomeResult, PathStep, Record};
use catenary_core::{StoreError, Tree};
use catenary_light_clients::{Class, Hash32};
use catenary_protocol::attestation::Address;
use catenary_protocol::{ics20, StateAttestation};
use thiserror::Error as ThisError;

use crate::chain::{Chain, ProveError, Prover};
use crate::failpoint::failpoint;
use crate::platform;
use crate::relay::{Note, SendError, Sender, Sent};
use crate::store::{Ledger, SCAN_MAX};

/// Why something was not set up.
#[derive(Debug, ThisError)]
#[non_exhaustive]
pub enum SetupError {
    /// The adapter refused.
    #[error(transparent)]
    Chain(#[from] catenary_api::Error),
    /// The chain cannot be verified.
    #[error(transparent)]
    Prove(#[from] ProveError),
    /// Nothing was sent, or it took no effect.
    #[error(transparent)]
    Send(#[from] SendError),
    /// The journal failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The two ends cannot be joined.
    #[error("path {path}: {reason}")]
    Path {
        /// Path.
        path: String,
        /// What is wrong, and what to do.
        reason: String,
    },
    /// The receipt does not say what was made.
    #[error("{what} succeeded, but its receipt does not name {missing}; look at transaction {tx}")]
    Receipt {
        /// Call.
        what: String,
        /// What is missing.
        missing: &'static str,
        /// Transaction.
        tx: String,
    },
}

impl From<catenary_adapter_evm::Error> for SetupError {
    fn from(error: catenary_adapter_evm::Error) -> Self {
        Self::Chain(error.into())
    }
}

impl From<catenary_adapter_cosmos::Error> for SetupError {
    fn from(error: catenary_adapter_cosmos::Error) -> Self {
        Self::Chain(error.into())
    }
}

impl SetupError {
    /// The stable code.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Chain(error) => error.code,
            Self::Prove(error) => error.code(),
            Self::Send(error) => error.code(),
            Self::Store(error) => error.code(),
            Self::Path { .. } => "NODE-SET-001",
            Self::Receipt { .. } => "NODE-SET-002",
        }
    }

    /// What may be done about it.
    #[must_use]
    pub const fn class(&self) -> Class {
        match self {
            Self::Chain(error) => error.class,
            Self::Prove(error) => error.class(),
            Self::Send(error) => error.class(),
            Self::Store(error) => error.class(),
            Self::Path { .. } => Class::Config,
            Self::Receipt { .. } => Class::Permanent,
        }
    }
}

/// Where a chain keeps its clients.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// An EVM router.
    Evm {
        /// The router's address.
        router: Address,
    },
    /// A Cosmos chain's IBC module.
    Cosmos,
    /// The same, where clients believe the judged chain's validators.
    Native(NativePlace),
}

/// What the clients of a native path need to know of a chain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NativePlace {
    /// How long and how strictly the client that judges this chain believes a header.
    pub terms: native::Terms,
    /// What the paths of this chain's commitments begin with, store first.
    pub prefix: Vec<Vec<u8>>,
}

/// One end of the path to be.
#[derive(Debug, Clone)]
pub struct End {
    /// The chain, followed by its light client.
    pub chain: Arc<Chain>,
    /// Sends the set-up transactions.
    pub sender: Arc<Sender>,
    /// Where clients live.
    pub place: Place,
    /// Members that attest this chain.
    pub attestors: Vec<Address>,
    /// How many of them the other end's client will require.
    pub threshold: u8,
}

/// The clients of a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Created {
    /// Light client contract on the EVM end.
    pub light_client: String,
    /// Client on the EVM end.
    pub evm_client: String,
    /// Client on the Cosmos end.
    pub cosmos_client: String,
}

/// The contracts of an EVM chain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Deployed {
    /// Router.
    pub router: String,
    /// Transfer application.
    pub transfer: String,
}

/// Deploys router and transfer application and binds the port.
///
/// # Errors
/// See [`SetupError`].
pub async fn deploy_contracts(sender: &Sender) -> Result<Deployed, SetupError> {
    let admin = parse_address(&sender.address()?)?;
    let router = created(sender, evm::deploy_router(&admin)?).await?;
    let transfer = created(sender, evm::deploy_transfer(&router)?).await?;
    call(sender, evm::add_ibc_app(&router, ics20::PORT, &transfer)?, ("", "")).await?;
    Ok(Deployed { router: checksummed(&router), transfer: checksummed(&transfer) })
}

/// Creates the clients of a path, or goes on where an earlier run stopped. `progress` is told of each step.
///
/// # Errors
/// See [`SetupError`].
pub async fn create_path(
    path: &str,
    ends: &[End; 2],
    ledger: &Arc<Ledger>,
    progress: &(dyn Fn(&str, &str) + Sync),
) -> Result<Created, SetupError> {
    let [first, second] = ends;
    let (evm_end, cosmos_end, router) = match (&first.place, &second.place) {
        (Place::Evm { router }, Place::Cosmos) => (first, second, router),
        (Place::Cosmos, Place::Evm { router }) => (second, first, router),
        _ => {
            let reason = "one end must be an EVM chain and the other a Cosmos chain".to_owned();
            return Err(SetupError::Path { path: path.to_owned(), reason });
        }
    };
    let steps = Steps { path, ledger, progress };
    let light_client = steps
        .once("light_client", evm_end, Made::Contract, || async {
            let state = verified_state(&cosmos_end.chain).await?;
            let arguments = evm::LightClientArguments {
                attestors: cosmos_end.attestors.clone(),
                min_required_sigs: cosmos_end.threshold,
                initial_height: state.height,
                initial_timestamp_seconds: state.timestamp_seconds,
                role_manager: None,
            };
            Ok(evm::deploy_light_client(&arguments)?)
        })
        .await?;
    let cosmos_client = steps
        .once("cosmos_client", cosmos_end, Made::Client, || async {
            let state = verified_state(&evm_end.chain).await?;
            let signer = cosmos_end.sender.address()?;
            let required = u32::from(evm_end.threshold);
            Ok(cosmos::create_client(&signer, &evm_end.attestors, required, state)?)
        })
        .await?;
    let evm_client = steps
        .once("evm_client", evm_end, Made::Client, || async {
            let counterparty = evm::Counterparty { client_id: cosmos_client.clone(), merkle_prefix: vec![Vec::new()] };
            let light_client = parse_address(&light_client)?;
            Ok(evm::add_client(router, &counterparty, &light_client)?)
        })
        .await?;
    steps
        .once("counterparty", cosmos_end, Made::Known(&evm_client), || async {
            let signer = cosmos_end.sender.address()?;
            Ok(cosmos::register_counterparty(&signer, &cosmos_client, &evm_client)?)
        })
        .await?;
    Ok(Created { light_client, evm_client, cosmos_client })
}

/// Creates the two clients of a native path, or goes on where an earlier run stopped, and registers each as the
/// counterparty of the other. `progress` is told of each step. Gives the clients in the order of the ends.
///
/// # Errors
/// See [`SetupError`].
pub async fn create_native_path(
    path: &str,
    ends: &[End; 2],
    ledger: &Arc<Ledger>,
    progress: &(dyn Fn(&str, &str) + Sync),
) -> Result<[String; 2], SetupError> {
    let [a, b] = ends;
    let (Place::Native(of_a), Place::Native(of_b)) = (&a.place, &b.place) else {
        let reason = "both ends must be Cosmos chains for native clients".to_owned();
        return Err(SetupError::Path { path: path.to_owned(), reason });
    };
    let steps = Steps { path, ledger, progress };
    let client_a = steps.once("client_a", a, Made::Client, || native_client(a, (b, of_b))).await?;
    let client_b = steps.once("client_b", b, Made::Client, || native_client(b, (a, of_a))).await?;
    let register = |end: &End, (ours, theirs): (&str, &str), prefix: &[Vec<u8>]| {
        native::register_counterparty(&end.sender.address()?, ours, theirs, prefix).map_err(SetupError::from)
    };
    steps
        .once("counterparty_a", a, Made::Known(&client_b), || async {
            register(a, (&client_a, &client_b), &of_b.prefix)
        })
        .await?;
    steps
        .once("counterparty_b", b, Made::Known(&client_a), || async {
            register(b, (&client_b, &client_a), &of_a.prefix)
        })
        .await?;
    Ok([client_a, client_b])
}

/// Creates a client that starts from the newest header that our light client has verified.
async fn native_client(on: &End, (judged, place): (&End, &NativePlace)) -> Result<Call, SetupError> {
    judged.chain.refresh().await?;
    let update = judged.chain.trusted_update(judged.chain.status().trusted_height).await?;
    Ok(native::create_client(&on.sender.address()?, &update, &place.terms)?)
}

/// What a step leads to, and where it is read.
#[derive(Clone, Copy)]
enum Made<'a> {
    /// A contract, whose address is in the receipt.
    Contract,
    /// A client, whose id is in the receipt.
    Client,
    /// What is known before.
    Known(&'a str),
}

impl Made<'_> {
    fn of(self, step: &str, (receipt, tx): (TxReceipt, String)) -> Result<String, SetupError> {
        let missing = |missing| SetupError::Receipt { what: step.to_owned(), missing, tx };
        match self {
            Self::Contract => {
                let created = receipt.created.ok_or_else(|| missing("the new contract's address"))?;
                Ok(checksummed(&created))
            }
            Self::Client => receipt.output.ok_or_else(|| missing("the new client's id")),
            Self::Known(value) => Ok(value.to_owned()),
        }
    }
}

struct Steps<'a> {
    path: &'a str,
    ledger: &'a Arc<Ledger>,
    progress: &'a (dyn Fn(&str, &str) + Sync),
}

impl Steps<'_> {
    /// Does a step unless the journal says that it is done, or that its transaction is.
    async fn once<F, Fut>(&self, step: &str, end: &End, made: Made<'_>, build: F) -> Result<String, SetupError>
    where
        F: FnOnce() -> Fut,
        Fut: std::future::Future<Output = Result<Call, SetupError>>,
    {
        if let Some(value) = self.ledger.path_step(self.path, step)? {
            (self.progress)(step, &format!("{value} (done before)"));
            return Ok(value);
        }
        let sent = match self.sent_before(step, end).await? {
            Some(sent) => sent,
            None => call(&end.sender, build().await?, (self.path, step)).await?,
        };
        failpoint("path.made");
        let value = made.of(step, sent)?;
        let (path, step_name, at_seconds) = (self.path.to_owned(), step.to_owned(), platform::now().seconds());
        let record = PathStep { path, step: step_name, value: value.clone(), at_seconds };
        self.ledger.record(vec![Record::PathStep(record)])?;
        failpoint("path.recorded");
        (self.progress)(step, &value);
        Ok(value)
    }

    /// The transaction of a step that an earlier run sent and saw in a block, or left to be found there, and whose
    /// result it did not come to journal.
    async fn sent_before(&self, step: &str, end: &End) -> Result<Option<(TxReceipt, String)>, SetupError> {
        let Some(tx) = self.transaction(step, end.chain.name())? else { return Ok(None) };
        let receipt = end.sender.sink().receipt(&TxHash(tx)).await?.ok_or_else(|| {
            let reason =
                format!("transaction {tx} did step {step}, and the endpoint has no receipt of it; ask another one");
            SetupError::Path { path: self.path.to_owned(), reason }
        })?;
        Ok(Some((receipt, tx.to_string())))
    }

    /// The newest transaction of a step that took effect, by the journal.
    fn transaction(&self, step: &str, chain: &str) -> Result<Option<Hash32>, SetupError> {
        let prefix = format!("all/{chain}/");
        let (mut newest, mut after) = (None, None);
        loop {
            let page = self.ledger.scan(Tree::Intents, &prefix, after.as_deref(), SCAN_MAX)?;
            let Some((last, _)) = page.last() else { break };
            after = Some(last.clone());
            for (key, value) in page {
                let TxSummary { id, path, tx_hash, at_seconds, .. } = catenary_core::fold::read(&key, &value)?;
                let hash = parse_hash(&tx_hash).filter(|_| path == self.path && id.starts_with(&step_name(step, "")));
                let Some(hash) = hash else { continue };
                let result = self.ledger.outcome(chain, &hash)?.map(|outcome| outcome.result);
                if matches!(result, Some(OutcomeResult::Included { success: true, .. })) {
                    newest = newest.max(Some((at_seconds, hash)));
                }
            }
        }
        Ok(newest.map(|(_, hash)| hash))
    }
}

/// What the journal calls the transaction of a step.
fn step_name(step: &str, summary: &str) -> String {
    if step.is_empty() {
        return summary.to_owned();
    }
    format!("{step}: {summary}")
}

/// The newest provable state of a chain, verified now.
async fn verified_state(chain: &Chain) -> Result<StateAttestation, SetupError> {
    chain.refresh().await?;
    let header = chain.state(chain.head()).await?;
    Ok(StateAttestation::of(&header))
}

/// Sends a call that serves a step of a path, or neither.
async fn call(sender: &Sender, call: Call, (path, step): (&str, &str)) -> Result<(TxReceipt, String), SetupError> {
    let id = step_name(step, &call.summary);
    let note = Note { id, path: path.to_owned(), kind: IntentKind::Call, packets: Vec::new() };
    match sender.send(&TxBody::Call(vec![call]), &note).await? {
        Sent::Included { tx, receipt } => Ok((receipt, tx.to_string())),
        Sent::Redundant => {
            Err(SetupError::Path { path: path.to_owned(), reason: "the chain calls the step redundant".to_owned() })
        }
    }
}

async fn created(sender: &Sender, what: Call) -> Result<Address, SetupError> {
    let summary = what.summary.clone();
    let (receipt, tx) = call(sender, what, ("", "")).await?;
    receipt.created.ok_or(SetupError::Receipt { what: summary, missing: "the new contract's address", tx })
}
