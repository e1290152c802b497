//! On-chain clients of type `07-tendermint`: what creates, updates and freezes one, made from light-client updates.
//!
//! An update (`updates`) has a header with its commit, its validators, and the announced ones where they are others.
//! The chain wants the same in ibc-go's form, beside the validators that a height it knows announced. Nothing here is
//! judged: whoever calls has had the update verified by a light client, and the chain judges it again.
//!
//! **Heights.** The client's state at height h holds the application hash in header h, which is the state after block
//! h - 1. What `abci_query` proves at h - 1 is proven to the client at h.

use catenary_api::{Call, ClientClaim, ClientMessage, NativeClaim, NativeState};
use catenary_light_clients::cometbft::{split_update, UpdateParts};
use catenary_light_clients::{Hash32, Timestamp};
use catenary_protocol::handler::tendermint_proto::{
    ClientState, ConsensusState, Fraction, Header, MerkleRoot, Misbehaviour, Seconds, CLIENT_STATE, CONSENSUS_STATE,
    HEADER, MISBEHAVIOUR,
};
use catenary_protocol::handler::{proof_specs, revision_of, TENDERMINT};
use catenary_protocol::proto::{Any, Height, MsgCreateClient, MsgRegisterCounterparty};
use prost::Message;
use prost_tendermint::Message as _;
use tendermint_proto::v0_38::types as raw;

use crate::error::{shorten, Error, Result};
use crate::query;
use crate::setup::{call, check_client};

/// Share of the trusted validators that must have signed a header that skips others: a third, as CometBFT's own light
/// client has it, so that at least one honest validator is among them.
pub const TRUST_LEVEL: (u64, u64) = (1, 3);
/// Where upgrades are committed (ibc-go `UpgradePath`); no upgrade is ever read there by this project.
const UPGRADE_PATH: [&str; 2] = ["upgrade", "upgradedIBCState"];

/// How long and how strictly a client believes a header.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Terms {
    /// Chain id that it judges.
    pub chain_id: String,
    /// How long a header is trusted, in seconds.
    pub trusting_period_seconds: u64,
    /// How far a header may be ahead of the chain's clock, in seconds.
    pub clock_drift_seconds: u64,
}

/// Revision of a chain in ibc-go's heights: the number at the end of its id, 0 where there is none.
#[must_use]
pub fn revision(chain_id: &str) -> u64 {
    revision_of(chain_id)
}

fn wrong(field: &'static str, got: impl ToString, reason: impl ToString) -> Error {
    Error::Argument { field, got: shorten(&got.to_string()), reason: reason.to_string() }
}

fn parts(update: &[u8]) -> Result<(UpdateParts, raw::Header)> {
    let parts = split_update(update).map_err(|error| wrong("update", update.len(), error))?;
    let signed = raw::SignedHeader::decode(parts.signed_header.as_slice());
    let signed = signed.map_err(|error| wrong("signed_header", parts.signed_header.len(), error))?;
    let header = signed.header.ok_or_else(|| wrong("signed_header", "nothing", "a header is in it"))?;
    Ok((parts, header))
}

/// What a client that accepts the header of an update holds for its height.
///
/// # Errors
/// [`Error::Argument`]: the update does not decode.
pub fn state_of(update: &[u8]) -> Result<NativeState> {
    let (_, header) = parts(update)?;
    let time = header.time.ok_or_else(|| wrong("time", "none", "a header has one"))?;
    let hash = |field: &'static str, bytes: &[u8]| {
        Hash32::from_slice(bytes).ok_or_else(|| wrong(field, hex::encode(bytes), "32 bytes are expected"))
    };
    Ok(NativeState {
        timestamp: timestamp(time.seconds, time.nanos).ok_or_else(|| wrong("time", time.seconds, "1970 to 2554"))?,
        root: hash("app_hash", &header.app_hash)?,
        next_validators_hash: hash("next_validators_hash", &header.next_validators_hash)?,
    })
}

fn timestamp(seconds: i64, nanos: i32) -> Option<Timestamp> {
    let nanos = u64::try_from(nanos).ok().filter(|nanos| *nanos < 1_000_000_000)?;
    let seconds = u64::try_from(seconds).ok()?;
    seconds.checked_mul(1_000_000_000)?.checked_add(nanos).map(Timestamp::from_nanos)
}

fn height_of(header: &raw::Header) -> Result<Height> {
    let height = u64::try_from(header.height).ok().filter(|height| *height > 0);
    let height = height.ok_or_else(|| wrong("height", header.height, "the first header has height 1"))?;
    Ok(Height { revision_number: revision(&header.chain_id), revision_height: height })
}

/// Creates a client that starts from the header of an update, which the caller's light client has verified.
///
/// # Errors
/// [`Error::Argument`]: the update is of another chain or does not decode, or a period is zero or beyond protobuf's.
pub fn create_client(signer: &str, update: &[u8], terms: &Terms) -> Result<Call> {
    let (_, header) = parts(update)?;
    if header.chain_id != terms.chain_id {
        return Err(wrong("chain_id", header.chain_id, format!("the client judges {}", terms.chain_id)));
    }
    let state = state_of(update)?;
    let latest = height_of(&header)?;
    let period = |field: &'static str, seconds: u64| {
        let seconds = i64::try_from(seconds).ok().filter(|seconds| *seconds > 0);
        seconds.map(|seconds| Seconds { seconds, nanos: 0 }).ok_or_else(|| wrong(field, 0, "at least a second"))
    };
    let trusting_period = period("trusting_period_seconds", terms.trusting_period_seconds)?;
    // Half as long again, as 14 days of trust under 21 days of unbonding. Permissioned chains have no unbonding; the
    // field has to be above the trusting period, and nothing else is read from it.
    let unbonding = terms.trusting_period_seconds.saturating_add((terms.trusting_period_seconds / 2).max(1));
    let client = ClientState {
        chain_id: terms.chain_id.clone(),
        trust_level: Some(Fraction { numerator: TRUST_LEVEL.0, denominator: TRUST_LEVEL.1 }),
        trusting_period: Some(trusting_period),
        unbonding_period: Some(period("trusting_period_seconds", unbonding)?),
        max_clock_drift: Some(period("clock_drift_seconds", terms.clock_drift_seconds)?),
        frozen_height: Some(Height::default()),
        latest_height: Some(latest),
        proof_specs: proof_specs(),
        upgrade_path: UPGRADE_PATH.map(str::to_owned).to_vec(),
        allow_update_after_expiry: false,
        allow_update_after_misbehaviour: false,
    };
    let time = header.time.ok_or_else(|| wrong("time", "none", "a header has one"))?;
    let consensus = ConsensusState {
        timestamp: Some(Seconds { seconds: time.seconds, nanos: time.nanos }),
        root: Some(MerkleRoot { hash: state.root.as_bytes().to_vec() }),
        next_validators_hash: header.next_validators_hash,
    };
    let message = MsgCreateClient {
        client_state: Some(Any { type_url: CLIENT_STATE.to_owned(), value: client.encode_to_vec() }),
        consensus_state: Some(Any { type_url: CONSENSUS_STATE.to_owned(), value: consensus.encode_to_vec() }),
        signer: signer.to_owned(),
    };
    let summary = format!("create a {TENDERMINT} client of {} at height {}", terms.chain_id, latest.revision_height);
    Ok(call("/ibc.core.client.v1.MsgCreateClient", &message, summary))
}

/// Tells a client who its counterparty is, and what paths begin with in the counterparty's state. Only the client's
/// creator may, once.
///
/// # Errors
/// [`Error::Argument`] when an id is none.
pub fn register_counterparty(
    signer: &str,
    client_id: &str,
    counterparty_client_id: &str,
    prefix: &[Vec<u8>],
) -> Result<Call> {
    check_client("client_id", client_id)?;
    check_client("counterparty_client_id", counterparty_client_id)?;
    let message = MsgRegisterCounterparty {
        client_id: client_id.to_owned(),
        counterparty_merkle_prefix: prefix.to_vec(),
        counterparty_client_id: counterparty_client_id.to_owned(),
        signer: signer.to_owned(),
    };
    let summary = format!("register {counterparty_client_id} as the counterparty of {client_id}");
    Ok(call("/ibc.core.client.v2.MsgRegisterCounterparty", &message, summary))
}

/// The set in the form that ibc-go takes: with a proposer, who must be one of them and counts for nothing.
fn with_proposer(bytes: &[u8], proposer: &[u8]) -> Result<Vec<u8>> {
    let mut set = raw::ValidatorSet::decode(bytes).map_err(|error| wrong("validator set", bytes.len(), error))?;
    let named = set.validators.iter().find(|validator| validator.address == proposer);
    set.proposer = named.or_else(|| set.validators.first()).cloned();
    Ok(set.encode_to_vec())
}

/// A header in ibc-go's form: that of `update`, to be judged from the header of `trusted`, whose height the on-chain
/// client knows.
fn header(update: &[u8], trusted: &[u8]) -> Result<Header> {
    let (parts, header) = parts(update)?;
    let (known, known_header) = self::parts(trusted)?;
    let missing = |field: &'static str| move || wrong(field, "none", "ask for the update of this height alone");
    let validators = parts.validators.ok_or_else(missing("validators"))?;
    // An update carries the announced set only where it is another one.
    let announced = known.next_validators.or(known.validators).ok_or_else(missing("trusted validators"))?;
    Ok(Header {
        signed_header: Some(parts.signed_header),
        validator_set: Some(with_proposer(&validators, &header.proposer_address)?),
        trusted_height: Some(height_of(&known_header)?),
        trusted_validators: Some(with_proposer(&announced, &header.proposer_address)?),
    })
}

/// What brings a client from the header of `trusted`, which it knows, to that of `update`.
///
/// # Errors
/// [`Error::Argument`]: an update does not decode, or has no validators.
pub fn update_message(update: &[u8], trusted: &[u8]) -> Result<ClientMessage> {
    Ok(ClientMessage { type_url: HEADER.to_owned(), value: header(update, trusted)?.encode_to_vec() })
}

/// What freezes a client: two headers that contradict each other, each to be judged from the header of `trusted`.
///
/// # Errors
/// [`Error::Argument`]: an update does not decode, or has no validators.
pub fn misbehaviour_message(first: &[u8], second: &[u8], trusted: &[u8]) -> Result<ClientMessage> {
    let (mut first, mut second) = ((first, parts(first)?.1.height), (second, parts(second)?.1.height));
    // ibc-go takes the higher one first (`Misbehaviour.ValidateBasic`).
    if first.1 < second.1 {
        core::mem::swap(&mut first, &mut second);
    }
    let message = Misbehaviour {
        client_id: String::new(),
        header_1: Some(header(first.0, trusted)?),
        header_2: Some(header(second.0, trusted)?),
    };
    Ok(ClientMessage { type_url: MISBEHAVIOUR.to_owned(), value: message.encode_to_vec() })
}

/// What a client state says, without its newest height and its counterparty.
pub(crate) fn client_claim(chain: &str, state: &Any) -> Result<ClientClaim> {
    let state: ClientState = query::decode_answer(chain, "tendermint client state", &state.value)?;
    let seconds = |period: Option<Seconds>| {
        let period = period.unwrap_or(Seconds { seconds: 0, nanos: 0 });
        u64::try_from(period.seconds).unwrap_or_default()
    };
    let latest = state.latest_height.unwrap_or_default();
    let level = state.trust_level.unwrap_or(Fraction { numerator: 0, denominator: 0 });
    let native = NativeClaim {
        chain_id: shorten(&state.chain_id),
        trust_level: (level.numerator, level.denominator),
        trusting_period_seconds: seconds(state.trusting_period),
        clock_drift_seconds: seconds(state.max_clock_drift),
        revision: latest.revision_number,
        newest: None,
        counterparty_prefix: Vec::new(),
    };
    Ok(ClientClaim {
        attestors: Vec::new(),
        min_required_sigs: 0,
        latest_height: latest.revision_height,
        frozen: state.frozen_height.is_some_and(|height| height != Height::default()),
        counterparty: None,
        location: TENDERMINT.to_owned(),
        native: Some(native),
    })
}

/// What a consensus state says.
pub(crate) fn consensus_claim(chain: &str, state: &Any) -> Result<NativeState> {
    let what = "tendermint consensus state";
    let bad = |reason: &str| Error::QueryDecode { chain: chain.to_owned(), what, reason: reason.to_owned() };
    if state.type_url != CONSENSUS_STATE {
        return Err(bad(&format!("type {}", shorten(&state.type_url))));
    }
    let state: ConsensusState = query::decode_answer(chain, what, &state.value)?;
    let time = state.timestamp.and_then(|time| timestamp(time.seconds, time.nanos));
    Ok(NativeState {
        timestamp: time.ok_or_else(|| bad("time is not between 1970 and 2554"))?,
        root: state.root.and_then(|root| Hash32::from_slice(&root.hash)).ok_or_else(|| bad("root is not 32 bytes"))?,
        next_validators_hash: Hash32::from_slice(&state.next_validators_hash)
            .ok_or_else(|| bad("next_validators_hash is not 32 bytes"))?,
    })
}

#[cfg(test)]
mod tests;
