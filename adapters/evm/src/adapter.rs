//! One EVM chain: configuration, transport, and the reads that more than one side needs.

use std::sync::atomic::AtomicU64;

use catenary_light_clients::{Hash32, Timestamp};
use catenary_protocol::attestation::Address;
use ethers_core::abi::Token;
use ethers_core::types::U256;
use ethers_core::utils::keccak256;
use ethers_providers::JsonRpcError;
use serde_json::{json, Value};

use crate::abi::{self, Contract};
use crate::ahead::Ahead;
use crate::config::EvmConfig;
use crate::error::{Error, Result};
use crate::json::{self as strict, hex0x};
use crate::rpc::{Answer, Request, Transport};
use crate::tx::checksummed;

/// One EVM chain, read and written through JSON-RPC.
///
/// What can grow here: nothing but one number; of the last look at the head, two answers are kept.
#[derive(Debug)]
pub struct EvmAdapter {
    pub(crate) config: EvmConfig,
    pub(crate) rpc: Transport,
    pub(crate) undeliverable: AtomicU64,
    pub(crate) ahead: Ahead,
}

/// The state that is read.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum At {
    /// The newest one.
    Latest,
    /// The one after this block.
    Height(u64),
}

impl At {
    pub(crate) fn json(self) -> Value {
        match self {
            Self::Latest => "latest".into(),
            Self::Height(height) => strict::to_quantity(height),
        }
    }
}

/// A contract at an address, in a state.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Target {
    pub(crate) contract: Contract,
    pub(crate) address: Address,
    pub(crate) state: At,
}

impl Target {
    pub(crate) const fn latest(contract: Contract, address: Address) -> Self {
        Self { contract, address, state: At::Latest }
    }

    /// The `eth_call` of a function.
    pub(crate) fn request(self, function: &str, arguments: &[Token]) -> Result<Request> {
        let data = self.contract.call(function, arguments)?;
        let call = json!([{ "to": hex0x(&self.address), "data": hex0x(&data) }, self.state.json()]);
        Ok(Request::new("eth_call", call))
    }
}

/// The result of reading a contract.
pub(crate) enum Read {
    /// Its return values.
    Values(Vec<Token>),
    /// The reason why it reverted.
    Reverted(String),
}

impl EvmAdapter {
    /// The chain of a configuration. Connects to nothing yet.
    ///
    /// # Errors
    /// [`Error::Config`] for a setting that cannot work.
    pub fn new(config: EvmConfig) -> Result<Self> {
        let urls = config.validate()?;
        let rpc = Transport::new(&config.name, urls)?;
        Ok(Self { config, rpc, undeliverable: AtomicU64::new(0), ahead: Ahead::default() })
    }

    /// The same, with so many attempts at a read, at least one and at most
    /// [`ATTEMPTS_MAX`](crate::limits::ATTEMPTS_MAX): for callers that go to another adapter when this one fails.
    #[must_use]
    pub fn with_attempts_max(mut self, attempts: usize) -> Self {
        self.rpc.set_attempts_max(attempts);
        self
    }

    /// The configuration.
    #[must_use]
    pub const fn config(&self) -> &EvmConfig {
        &self.config
    }

    /// The transport, which `ethers_providers::Provider` takes as its client.
    #[must_use]
    pub const fn transport(&self) -> &Transport {
        &self.rpc
    }

    /// Packet events that were left out since the start, because a string of theirs is not UTF-8 and no chain could
    /// deliver them. Only an application that an administrator bound to a port can cause any.
    #[must_use]
    pub fn undeliverable_events(&self) -> u64 {
        self.undeliverable.load(core::sync::atomic::Ordering::Relaxed)
    }

    /// Keccak-256 of the code at an address, `None` when there is none.
    ///
    /// # Errors
    /// Transport and decoding errors.
    pub async fn code_hash(&self, address: &Address) -> Result<Option<Hash32>> {
        let answer = self.rpc.call("eth_getCode", json!([hex0x(address), "latest"])).await?;
        let code = strict::data(Some(&answer)).map_err(|reason| self.bad_output("eth_getCode", address, reason))?;
        Ok((!code.is_empty()).then(|| Hash32(keccak256(code))))
    }

    /// The time that an on-chain client accepted for a height, `None` when it accepted none.
    ///
    /// # Errors
    /// Transport and decoding errors; no such client.
    pub async fn consensus_timestamp(&self, client_id: &str, height: u64) -> Result<Option<Timestamp>> {
        let client = self.client_address(client_id).await?.ok_or_else(|| Error::Config {
            chain: self.config.name.clone(),
            reason: format!("there is no client {client_id} on chain; check its id"),
        })?;
        let function = "getConsensusTimestamp";
        let target = Target::latest(Contract::LightClient, client);
        let seconds = self.number(function, &client, &self.read(target, function, &[abi::uint(height)]).await?)?;
        let seconds =
            u64::try_from(seconds).map_err(|_| self.bad_output(function, &client, "is beyond 64 bits".to_owned()))?;
        Ok((seconds != 0).then(|| Timestamp::from_seconds(seconds)))
    }

    /// The light client contract behind a client id, `None` when there is no such client.
    ///
    /// # Errors
    /// Transport and decoding errors.
    pub async fn client_address(&self, client_id: &str) -> Result<Option<Address>> {
        let router = Target::latest(Contract::Router, self.router()?);
        let request = router.request("getClient", &[abi::string(client_id)])?;
        let answer = self.rpc.batch(&[request]).await?.into_iter().next();
        self.found_client(router, answer.unwrap_or(Ok(Value::Null)))
    }

    /// Reads the answer of `getClient`, whose revert means that there is no such client.
    pub(crate) fn found_client(&self, router: Target, answer: Answer) -> Result<Option<Address>> {
        let refuse = |reason: String| Err(self.bad_output("getClient", &router.address, reason));
        match self.outcome(router, "getClient", answer)? {
            Read::Values(values) => match values.as_slice() {
                [Token::Address(address)] => Ok(Some(address.0)),
                _ => refuse("is no address".to_owned()),
            },
            Read::Reverted(reason) if reason.starts_with("IBCClientNotFound(") => Ok(None),
            Read::Reverted(reason) => refuse(format!("reverted with {reason}")),
        }
    }

    /// The configured router.
    pub(crate) fn router(&self) -> Result<Address> {
        self.config.router.ok_or_else(|| Error::Config {
            chain: self.config.name.clone(),
            reason: "router is not set; deploy one and name its address".to_owned(),
        })
    }

    /// Reads a contract; a revert is an error.
    pub(crate) async fn read(&self, target: Target, function: &str, arguments: &[Token]) -> Result<Vec<Token>> {
        let request = target.request(function, arguments)?;
        let answer = self.rpc.batch(&[request]).await?.into_iter().next().unwrap_or(Ok(Value::Null));
        match self.outcome(target, function, answer)? {
            Read::Values(values) => Ok(values),
            Read::Reverted(reason) => {
                Err(self.bad_output(function, &target.address, format!("reverted with {reason}")))
            }
        }
    }

    /// Reads the answer of [`Target::request`].
    pub(crate) fn outcome(&self, target: Target, function: &str, answer: Answer) -> Result<Read> {
        let value = match answer {
            Ok(value) => value,
            Err(error) => {
                return revert_data(&error)
                    .map(|data| Read::Reverted(abi::revert_reason(&data)))
                    .ok_or_else(|| self.rpc.node_error("eth_call", error));
            }
        };
        let refuse = |reason: String| self.bad_output(function, &target.address, reason);
        let bytes = strict::data(Some(&value)).map_err(refuse)?;
        if bytes.is_empty() {
            return Err(refuse("answered with nothing, as an address without code does".to_owned()));
        }
        target.contract.output(function, &bytes).map(Read::Values).map_err(refuse)
    }

    pub(crate) fn bad_output(&self, call: &str, contract: &Address, reason: String) -> Error {
        Error::Output { call: call.to_owned(), contract: checksummed(contract), reason }
    }

    /// The only value, a number.
    pub(crate) fn number(&self, call: &str, at: &Address, values: &[Token]) -> Result<U256> {
        match values {
            [Token::Uint(number)] => Ok(*number),
            _ => Err(self.bad_output(call, at, "is no number".to_owned())),
        }
    }

    /// The only value, a text.
    pub(crate) fn text(&self, call: &str, at: &Address, values: Vec<Token>) -> Result<String> {
        match values.into_iter().next() {
            Some(Token::String(text)) => Ok(text),
            _ => Err(self.bad_output(call, at, "is no text".to_owned())),
        }
    }
}

/// The data of a revert, if the error is one.
pub(crate) fn revert_data(error: &JsonRpcError) -> Option<Vec<u8>> {
    error.as_revert_data().map(|data| data.to_vec())
}
