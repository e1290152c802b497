//! The client of CometBFT chains, as ibc-go's `07-tendermint`: the chain's own validators are believed, no attestor.
//!
//! A header is judged in three steps. [`CometBft`] decodes it strictly and checks that it is of the chain and that
//! more than two thirds of the validators it names have signed it. The trusted validators that come with it must be
//! those that a known header announced. Then the same library that [`CometBft`] wraps judges it from that known
//! height: time, clock drift, trusting period, and either the announced validators (the next height) or the trust
//! level's share of the trusted ones (further up). Proofs are ICS-23, by `proof::ics23`.
//!
//! **Heights.** As on ibc-go a consensus state at h holds the application hash *in* header h, which is the state after
//! block h - 1: what `abci_query` answers at h - 1 is proven at h.
//!
//! **Stricter than ibc-go.** The proof specifications must be the SDK's two; the denominator of the trust level is at
//! most [`DENOMINATOR_MAX`]; a header without a root of 32 bytes is refused; evidence must itself follow the trusted
//! height in time; two headers that contradict nothing are refused instead of being taken as an empty update.
//! Of the known heights the newest [`HEIGHTS_MAX`] are kept, whether or not the older ones have expired.

use alloc::{format, string::String, string::ToString, vec, vec::Vec};
use core::time::Duration;

use catenary_light_clients::cometbft::{self, CometBft};
use catenary_light_clients::proof::ics23::{self, StoreKey};
use catenary_light_clients::verdict::{Rejection, Root};
use catenary_light_clients::{Anchor, Hash32, Timestamp, TrustError, TrustOptions};
use prost::Message;
use prost_tendermint::Message as TendermintMessage;
use tendermint::validator::Set as ValidatorSet;
use tendermint_light_client_verifier::options::Options;
use tendermint_light_client_verifier::types::{
    SignedHeader, Time, TrustThreshold, TrustedBlockState, UntrustedBlockState,
};
use tendermint_light_client_verifier::{ProdVerifier, Verdict, Verifier};
use tendermint_proto::v0_38::types::{SignedHeader as RawSignedHeader, ValidatorSet as RawValidatorSet};

use super::client::{Claim, ClientType, Height, NewClient, Proof, Status, Update};
use super::error::Error;
use super::state;
use super::store::{Key, Store};
use super::tendermint_proto::{
    ClientState, ConsensusState, Header, MerkleRoot, Misbehaviour, Seconds, CLIENT_STATE, CONSENSUS_STATE, HEADER,
    MISBEHAVIOUR,
};
use crate::limits;
use crate::proto::{decode_bounded, Any};

/// The type, which ids begin with (ibc-go `exported.Tendermint`).
pub const TENDERMINT: &str = "07-tendermint";
/// Largest denominator of a trust level. The library multiplies voting power, which is below 2^60, by it.
pub const DENOMINATOR_MAX: u64 = 10;
/// Most known heights of one client. A proof at an older one is refused, and another can be made at a newer one.
pub const HEIGHTS_MAX: usize = 1_000;

/// Longest period that is handed on, in seconds: some 3,000 years, so that no sum of times overflows.
const PERIOD_SECONDS_MAX: u64 = 100_000_000_000;
/// What a frozen client's frozen height is (ibc-go `FrozenHeight`).
const FROZEN: crate::proto::Height = crate::proto::Height { revision_number: 0, revision_height: 1 };

/// On-chain client of a CometBFT chain.
#[derive(Clone, Copy, Debug)]
pub struct TendermintClient;

/// The SDK's proof specifications, encoded: a store's tree, and the tree over all stores.
#[must_use]
pub fn proof_specs() -> Vec<Vec<u8>> {
    vec![::ics23::iavl_spec().encode_to_vec(), ::ics23::tendermint_spec().encode_to_vec()]
}

/// What is known of a height.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Known {
    time: Timestamp,
    root: Root,
    next_validators_hash: Hash32,
}

/// A client state whose fields mean something.
struct Terms {
    chain_id: String,
    revision: u64,
    trust_threshold: TrustThreshold,
    trust: TrustOptions,
}

/// A header that its own validators have signed, not yet judged from a known height.
struct Committed {
    height: Height,
    hash: Hash32,
    known: Known,
    signed_header: SignedHeader,
    validators: ValidatorSet,
    trusted_height: Height,
    trusted_validators: ValidatorSet,
}

impl ClientType for TendermintClient {
    fn name(&self) -> &'static str {
        TENDERMINT
    }

    fn state_type_url(&self) -> &'static str {
        CLIENT_STATE
    }

    fn create(&self, store: &mut dyn Store, new: &NewClient<'_>, _: Timestamp) -> Result<(), Error> {
        let client: ClientState = unpack("client_state", new.client_state, CLIENT_STATE)?;
        Terms::of(&client)?;
        let height = latest(&client);
        if height.height == 0 {
            return Err(invalid("latest_height is 0; give that of an existing header".into()));
        }
        let consensus: ConsensusState = unpack("consensus_state", new.consensus_state, CONSENSUS_STATE)?;
        let known = Known::of(&consensus)?;
        write_client(store, new.id, &client);
        write_known(store, new.id, height, known);
        write_heights(store, new.id, &[height.height]);
        Ok(())
    }

    fn update(&self, store: &mut dyn Store, id: &str, message: &Any, time: Timestamp) -> Result<Update, Error> {
        let client = read_client(store, id)?;
        match message.type_url.as_str() {
            HEADER => {
                let header: Header = unpack("client_message", message, HEADER)?;
                update_by(store, (id, client), header, time)
            }
            _ => {
                let found: Misbehaviour = unpack("client_message", message, MISBEHAVIOUR)?;
                judge_misbehaviour(store, (id, &client), found, time)?;
                freeze(store, id, client);
                Ok(Update::Misbehaviour)
            }
        }
    }

    fn status(&self, store: &dyn Store, id: &str, time: Timestamp) -> Result<Status, Error> {
        let client = read_client(store, id)?;
        if client.frozen_height.is_some_and(|height| height != crate::proto::Height::default()) {
            return Ok(Status::Frozen);
        }
        let terms = Terms::of(&client)?;
        let newest = read_known(store, id, latest(&client))?;
        let trusted = newest.is_some_and(|known| !terms.trust.is_expired(known.time, time));
        Ok(if trusted { Status::Active } else { Status::Expired })
    }

    fn latest_height(&self, store: &dyn Store, id: &str) -> Result<Height, Error> {
        Ok(latest(&read_client(store, id)?))
    }

    fn timestamp(&self, store: &dyn Store, id: &str, height: Height) -> Result<Timestamp, Error> {
        Ok(known_at(store, id, height)?.time)
    }

    fn verify(&self, store: &dyn Store, id: &str, proof: &Proof<'_>, claim: &Claim<'_>) -> Result<(), Error> {
        let known = known_at(store, id, proof.height)?;
        let [name, key] = claim.path else {
            return Err(Error::PathElements { got: claim.path.len(), expected: 2 });
        };
        let target = StoreKey { store: name, key };
        let verdict = match claim.value {
            Some(value) => ics23::verify_membership(&known.root, target, value, proof.bytes),
            None => ics23::verify_absence(&known.root, target, proof.bytes),
        };
        verdict.map_err(|error| Error::LightClient(Rejection::from(error)))
    }
}

/// A header: its height is known from now on, or it shows misbehaviour by itself.
fn update_by(
    store: &mut dyn Store,
    (id, mut client): (&str, ClientState),
    header: Header,
    time: Timestamp,
) -> Result<Update, Error> {
    let terms = Terms::of(&client)?;
    let header = Committed::of(&terms, header)?;
    judge(store, (id, &terms), (&header, Purpose::Update), time)?;
    let height = header.height;
    if let Some(known) = read_known(store, id, height)? {
        if known == header.known {
            return Ok(Update::Heights(vec![height]));
        }
        freeze(store, id, client);
        return Ok(Update::Misbehaviour);
    }
    let mut heights = forget_old(store, (id, &terms), time)?;
    let place = heights.partition_point(|other| *other < height.height);
    let beside = |place: Option<usize>| -> Result<Option<Known>, Error> {
        let Some(beside) = place.and_then(|place| heights.get(place)) else { return Ok(None) };
        read_known(store, id, Height { revision: height.revision, height: *beside })
    };
    let before = beside(place.checked_sub(1))?.is_some_and(|before| before.time >= header.known.time);
    let after = beside(Some(place))?.is_some_and(|after| after.time <= header.known.time);
    if before || after {
        freeze(store, id, client);
        return Ok(Update::Misbehaviour);
    }
    heights.insert(place, height.height);
    write_heights(store, id, &heights);
    write_known(store, id, height, header.known);
    if height > latest(&client) {
        client.latest_height = Some(height.into());
        write_client(store, id, &client);
    }
    Ok(Update::Heights(vec![height]))
}

/// Makes room for one more height: forgets the oldest when it has expired, as ibc-go does at each update, and those
/// over the bound. Gives the heights that are left.
fn forget_old(store: &mut dyn Store, (id, terms): (&str, &Terms), time: Timestamp) -> Result<Vec<u64>, Error> {
    let at = |height: u64| Height { revision: terms.revision, height };
    let mut heights = read_heights(store, id)?;
    let expired = match heights.first().copied() {
        Some(oldest) => {
            read_known(store, id, at(oldest))?.is_some_and(|known| terms.trust.is_expired(known.time, time))
        }
        None => false,
    };
    let over = heights.len().saturating_add(1).saturating_sub(HEIGHTS_MAX).max(usize::from(expired));
    for height in heights.drain(..over.min(heights.len())) {
        store.delete(&Key::consensus_state(id, at(height)));
    }
    Ok(heights)
}

/// Whether a time ahead of the clock is refused.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Purpose {
    Update,
    Evidence,
}

/// Judges a header from the known height that it names.
fn judge(
    store: &dyn Store,
    (id, terms): (&str, &Terms),
    (header, purpose): (&Committed, Purpose),
    now: Timestamp,
) -> Result<(), Error> {
    if header.trusted_height >= header.height {
        let (got, trusted) = (header.height, header.trusted_height);
        return Err(invalid(format!("the header at {got} is not above the trusted height {trusted}")));
    }
    let known = known_at(store, id, header.trusted_height)?;
    if terms.trust.is_expired(known.time, now) {
        let expired_at = terms.trust.expires_at(known.time);
        return Err(Error::LightClient(TrustError::Expired { expired_at, now }.into()));
    }
    if purpose == Purpose::Update && terms.trust.is_from_future(header.known.time, now) {
        let (timestamp, drift_seconds) = (header.known.time, terms.trust.clock_drift_seconds);
        return Err(Error::LightClient(TrustError::FromFuture { timestamp, now, drift_seconds }.into()));
    }
    let got = set_hash(&header.trusted_validators);
    if got != Some(known.next_validators_hash) {
        let (got, expected) = (got.unwrap_or(Hash32([0; 32])), known.next_validators_hash);
        return Err(invalid(format!(
            "the trusted validators hash to {got}, those of the trusted height to {expected}"
        )));
    }
    library_verdict(terms, (header, purpose), known, now)
}

fn library_verdict(
    terms: &Terms,
    (header, purpose): (&Committed, Purpose),
    known: Known,
    now: Timestamp,
) -> Result<(), Error> {
    let refused = |what: &str| invalid(format!("header {}: {what}", header.height));
    let chain_id = tendermint::chain::Id::try_from(terms.chain_id.as_str()).map_err(|_| refused("chain id"))?;
    let trusted = TrustedBlockState {
        chain_id: &chain_id,
        header_time: library_time(known.time).ok_or_else(|| refused("trusted time"))?,
        height: header.trusted_height.height.try_into().map_err(|_| refused("trusted height"))?,
        next_validators: &header.trusted_validators,
        next_validators_hash: tendermint::Hash::Sha256(known.next_validators_hash.0),
    };
    let untrusted = UntrustedBlockState {
        signed_header: &header.signed_header,
        validators: &header.validators,
        next_validators: None,
    };
    let options = Options {
        trust_threshold: terms.trust_threshold,
        trusting_period: Duration::from_secs(terms.trust.trusting_period_seconds),
        clock_drift: Duration::from_secs(terms.trust.clock_drift_seconds),
    };
    let now = library_time(now).ok_or_else(|| refused("now"))?;
    let verifier = ProdVerifier::default();
    let verdict = match purpose {
        Purpose::Update => verifier.verify_update_header(untrusted, trusted, &options, now),
        Purpose::Evidence => verifier.verify_misbehaviour_header(untrusted, trusted, &options, now),
    };
    match verdict {
        Verdict::Success => Ok(()),
        Verdict::NotEnoughTrust(tally) => Err(refused(&format!("not enough trusted power signed it: {tally}"))),
        Verdict::Invalid(detail) => Err(refused(&detail.to_string())),
    }
}

/// Two headers, each of which the client would have believed, that contradict each other.
fn judge_misbehaviour(
    store: &dyn Store,
    (id, client): (&str, &ClientState),
    found: Misbehaviour,
    now: Timestamp,
) -> Result<(), Error> {
    let terms = Terms::of(client)?;
    let (Some(first), Some(second)) = (found.header_1, found.header_2) else {
        return Err(Error::Missing { field: "header_1 or header_2" });
    };
    let first = Committed::of(&terms, first)?;
    let second = Committed::of(&terms, second)?;
    for header in [&first, &second] {
        judge(store, (id, &terms), (header, Purpose::Evidence), now)?;
    }
    let fork = first.height == second.height && first.hash != second.hash;
    let back_in_time = first.height > second.height && first.known.time <= second.known.time;
    if fork || back_in_time {
        return Ok(());
    }
    let (first, second) = (first.height, second.height);
    Err(invalid(format!("the headers at {first} and {second} do not contradict each other")))
}

impl Committed {
    /// Decodes a header, and checks everything that needs no known height.
    fn of(terms: &Terms, header: Header) -> Result<Self, Error> {
        let field = |field: &'static str, bytes: Option<Vec<u8>>| bytes.ok_or(Error::Missing { field });
        let signed_header = field("signed_header", header.signed_header)?;
        let validators = field("validator_set", header.validator_set)?;
        let trusted_validators = field("trusted_validators", header.trusted_validators)?;
        let trusted_height = Height::from(header.trusted_height.ok_or(Error::Missing { field: "trusted_height" })?);
        // The light client first: it bounds before it decodes, and it refuses what has more than one form.
        let update = cometbft::encode_update(&signed_header, Some(&validators), None);
        let hash = cometbft::header_hash(&update).map_err(light_client)?;
        let raw: RawSignedHeader = tendermint_message("signed header", &signed_header)?;
        let raw_header = raw.header.clone().ok_or(Error::Missing { field: "header" })?;
        let height = u64::try_from(raw_header.height).map_err(|_| invalid("the header's height is negative".into()))?;
        CometBft::new(terms.anchored_at(height, hash), &update).map_err(light_client)?;
        let consensus = ConsensusState {
            timestamp: raw_header.time.map(|time| Seconds { seconds: time.seconds, nanos: time.nanos }),
            root: Some(MerkleRoot { hash: raw_header.app_hash }),
            next_validators_hash: raw_header.next_validators_hash,
        };
        let known = Known::of(&consensus)?;
        let signed_header = raw.try_into().map_err(|_| invalid("the signed header is malformed".into()))?;
        let height = Height { revision: terms.revision, height };
        if trusted_height.revision != terms.revision {
            let (got, expected) = (trusted_height.revision, terms.revision);
            return Err(invalid(format!("the trusted height is of revision {got}, the chain is at {expected}")));
        }
        Ok(Self {
            height,
            hash,
            known,
            signed_header,
            validators: validator_set(&validators)?,
            trusted_height,
            trusted_validators: validator_set(&trusted_validators)?,
        })
    }
}

impl Terms {
    /// Checks a client state (ibc-go `ClientState.Validate`).
    fn of(client: &ClientState) -> Result<Self, Error> {
        let missing = |field: &'static str| move || Error::Missing { field };
        let level = client.trust_level.ok_or_else(missing("trust_level"))?;
        if level.denominator > DENOMINATOR_MAX {
            let (got, max) = (level.denominator, DENOMINATOR_MAX);
            return Err(invalid(format!("trust level has denominator {got}, at most {max} is allowed")));
        }
        let trust_threshold = TrustThreshold::new(level.numerator, level.denominator)
            .map_err(|_| invalid(format!("trust level {}/{}", level.numerator, level.denominator)))?;
        let trusting = period(client.trusting_period.ok_or_else(missing("trusting_period"))?)?;
        let unbonding = period(client.unbonding_period.ok_or_else(missing("unbonding_period"))?)?;
        let drift = period(client.max_clock_drift.ok_or_else(missing("max_clock_drift"))?)?;
        if trusting >= unbonding {
            return Err(invalid(format!("trusting period {trusting} s is not below unbonding period {unbonding} s")));
        }
        let chain_id = client.chain_id.clone();
        if chain_id.trim().is_empty() || chain_id.len() > cometbft::MAX_CHAIN_ID_BYTES {
            let (got, max) = (chain_id.len(), cometbft::MAX_CHAIN_ID_BYTES);
            return Err(crate::Error::Length { field: "chain_id", got, min: 1, max }.into());
        }
        let revision = revision_of(&chain_id);
        let got = latest(client).revision;
        if got != revision {
            return Err(invalid(format!("latest_height is of revision {got}, chain id {chain_id} of {revision}")));
        }
        if client.proof_specs != proof_specs() {
            return Err(invalid("proof_specs are not the two of the SDK".into()));
        }
        if client.upgrade_path.iter().any(|key| key.trim().is_empty()) {
            return Err(invalid("upgrade_path has a blank key".into()));
        }
        let trust = TrustOptions {
            trusting_period_seconds: trusting,
            clock_drift_seconds: drift,
            churn_limit_permille: 1000,
            allow_no_fault_tolerance: true,
            retain_heights: 2,
        };
        let terms = Self { chain_id, revision, trust_threshold, trust };
        Ok(terms)
    }

    /// The configuration under which the light client looks at one header by itself.
    fn anchored_at(&self, height: u64, hash: Hash32) -> cometbft::Config {
        cometbft::Config {
            chain_id: self.chain_id.clone(),
            anchor: Anchor { height, hash },
            store_prefix: vec![b"ibc".to_vec(), Vec::new()],
            trust: self.trust,
            skipping: false,
        }
    }
}

impl Known {
    fn of(consensus: &ConsensusState) -> Result<Self, Error> {
        let time = consensus.timestamp.and_then(timestamp).filter(|time| time.seconds() > 0);
        let root = consensus.root.as_ref().and_then(|root| Root::new(&root.hash));
        let next_validators_hash = Hash32::from_slice(&consensus.next_validators_hash);
        match (time, root, next_validators_hash) {
            (Some(time), Some(root), Some(next_validators_hash)) => Ok(Self { time, root, next_validators_hash }),
            (None, ..) => Err(invalid("timestamp is none between 1970 and 2554".into())),
            (_, None, _) => Err(invalid("root is not 32 bytes, or zero".into())),
            _ => Err(invalid("next_validators_hash is not 32 bytes".into())),
        }
    }

    fn encode(&self) -> ConsensusState {
        // Both fit: the seconds of 2554 are far below 2^63, and nanoseconds within one second below 2^31.
        let seconds = i64::try_from(self.time.seconds()).unwrap_or(i64::MAX);
        let nanos = i32::try_from(self.time.nanos % 1_000_000_000).unwrap_or(0);
        ConsensusState {
            timestamp: Some(Seconds { seconds, nanos }),
            root: Some(MerkleRoot { hash: self.root.as_bytes().to_vec() }),
            next_validators_hash: self.next_validators_hash.as_bytes().to_vec(),
        }
    }
}

/// The number at the end of a chain id (ibc-go `ParseChainID`), 0 for an id without one.
#[must_use]
pub fn revision_of(chain_id: &str) -> u64 {
    let parts = chain_id.rsplit_once('-').filter(|(name, number)| {
        !name.is_empty()
            && !name.ends_with('-')
            && !number.starts_with('0')
            && number.bytes().all(|byte| byte.is_ascii_digit())
    });
    parts.and_then(|(_, number)| number.parse().ok()).unwrap_or(0)
}

/// A period of whole seconds, the fraction dropped: so the trusting period is at most the configured one.
fn period(period: Seconds) -> Result<u64, Error> {
    let seconds = u64::try_from(period.seconds).ok().filter(|seconds| (1..=PERIOD_SECONDS_MAX).contains(seconds));
    let whole = seconds.filter(|_| (0..1_000_000_000).contains(&period.nanos));
    whole.ok_or_else(|| invalid(format!("a period of {}.{:09} s; at least a second", period.seconds, period.nanos)))
}

fn timestamp(time: Seconds) -> Option<Timestamp> {
    let nanos = u64::try_from(time.nanos).ok().filter(|nanos| *nanos < 1_000_000_000)?;
    let seconds = u64::try_from(time.seconds).ok()?;
    seconds.checked_mul(1_000_000_000)?.checked_add(nanos).map(Timestamp::from_nanos)
}

fn library_time(time: Timestamp) -> Option<Time> {
    let nanos = u32::try_from(time.nanos % 1_000_000_000).ok()?;
    Time::from_unix_timestamp(i64::try_from(time.seconds()).ok()?, nanos).ok()
}

/// A validator set in the library's form. It checks addresses and the sum of powers; what else a set may be is fixed
/// by the hash that it is compared with.
fn validator_set(bytes: &[u8]) -> Result<ValidatorSet, Error> {
    let raw: RawValidatorSet = tendermint_message("validator set", bytes)?;
    let (got, max) = (raw.validators.len(), cometbft::MAX_VALIDATORS);
    if !(1..=max).contains(&got) {
        return Err(crate::Error::Length { field: "validators", got, min: 1, max }.into());
    }
    raw.try_into().map_err(|_| invalid("a validator set is malformed".into()))
}

fn set_hash(set: &ValidatorSet) -> Option<Hash32> {
    Hash32::from_slice(set.hash().as_bytes())
}

fn tendermint_message<M: TendermintMessage + Default>(what: &'static str, bytes: &[u8]) -> Result<M, Error> {
    let (got, max) = (bytes.len(), cometbft::MAX_UPDATE_BYTES);
    if got > max {
        return Err(crate::Error::Length { field: what, got, min: 1, max }.into());
    }
    let message = M::decode(bytes).map_err(|error| crate::Error::Decode { what, reason: format!("{error}") })?;
    let again = message.encode_to_vec();
    if again == bytes {
        Ok(message)
    } else {
        Err(crate::Error::NotCanonical { what, got, expected: again.len() }.into())
    }
}

fn light_client(error: cometbft::CometBftError) -> Error {
    Error::LightClient(Rejection::from(error))
}

fn invalid(reason: String) -> Error {
    Error::InvalidState { reason }
}

fn latest(client: &ClientState) -> Height {
    Height::from(client.latest_height.unwrap_or_default())
}

/// The message in an `Any` that must be of this type.
fn unpack<M: Message + Default>(what: &'static str, any: &Any, expected: &'static str) -> Result<M, Error> {
    if any.type_url != expected {
        return Err(Error::TypeUrl { what, got: any.type_url.clone(), expected });
    }
    Ok(decode_bounded(what, &any.value, limits::UPDATE_BYTES_MAX)?)
}

fn stored<M: Message + Default>(what: &'static str, any: &Any, expected: &'static str) -> Result<M, Error> {
    unpack(what, any, expected).map_err(|error| Error::Stored { what, reason: format!("{error}") })
}

fn read_client(store: &dyn Store, id: &str) -> Result<ClientState, Error> {
    let any = state::client_state(store, id)?.ok_or_else(|| Error::ClientNotFound { client_id: id.into() })?;
    stored("client state", &any, CLIENT_STATE)
}

fn read_known(store: &dyn Store, id: &str, height: Height) -> Result<Option<Known>, Error> {
    let Some(any) = state::consensus_state(store, id, height)? else { return Ok(None) };
    let consensus: ConsensusState = stored("consensus state", &any, CONSENSUS_STATE)?;
    Known::of(&consensus).map(Some)
}

fn known_at(store: &dyn Store, id: &str, height: Height) -> Result<Known, Error> {
    let unknown = || Error::ConsensusStateNotFound { client_id: id.into(), height };
    read_known(store, id, height)?.ok_or_else(unknown)
}

fn write_client(store: &mut dyn Store, id: &str, client: &ClientState) {
    store.set(&Key::client_state(id), pack(CLIENT_STATE, client));
}

fn write_known(store: &mut dyn Store, id: &str, height: Height, known: Known) {
    store.set(&Key::consensus_state(id, height), pack(CONSENSUS_STATE, &known.encode()));
}

fn freeze(store: &mut dyn Store, id: &str, mut client: ClientState) {
    client.frozen_height = Some(FROZEN);
    write_client(store, id, &client);
}

/// Lets a client go on from what a substitute knows (ibc-go `CheckSubstituteAndUpdateState`): its newest height, chain id
/// and trusting period; all else must be the same. Gives what is wrong with the substitute, if so.
pub(super) fn recover(store: &mut dyn Store, id: &str, substitute_id: &str) -> Result<Option<&'static str>, Error> {
    let (client, substitute) = (read_client(store, id)?, read_client(store, substitute_id)?);
    let alike = |client: &ClientState| ClientState {
        chain_id: String::new(),
        trusting_period: None,
        frozen_height: None,
        latest_height: None,
        ..client.clone()
    };
    if alike(&client) != alike(&substitute) {
        return Ok(Some(
            "the two differ in more than chain id, trusting period and height; make one with the same terms",
        ));
    }
    let (height, newest) = (latest(&client), latest(&substitute));
    if newest <= height {
        return Ok(Some("the substitute knows no later height; update it first"));
    }
    let known = known_at(store, substitute_id, newest)?;
    write_known(store, id, newest, known);
    let mut heights = if newest.revision == height.revision { read_heights(store, id)? } else { Vec::new() };
    heights.push(newest.height);
    let over = heights.len().saturating_sub(HEIGHTS_MAX);
    for old in heights.drain(..over) {
        store.delete(&Key::consensus_state(id, Height { revision: newest.revision, height: old }));
    }
    write_heights(store, id, &heights);
    let frozen_height = Some(crate::proto::Height::default());
    write_client(store, id, &ClientState { frozen_height, ..substitute });
    Ok(None)
}

/// Where the known heights of a client are listed, in order: a store has no iteration.
fn heights_key(id: &str) -> Key {
    Key::of_client(id, "heights")
}

fn read_heights(store: &dyn Store, id: &str) -> Result<Vec<u64>, Error> {
    let bytes = store.get(&heights_key(id)).unwrap_or_default();
    let chunks = bytes.chunks(8).map(|chunk| chunk.try_into().map(u64::from_be_bytes));
    let bad = |_| Error::Stored { what: "list of heights", reason: format!("{} bytes", bytes.len()) };
    chunks.collect::<Result<_, _>>().map_err(bad)
}

fn write_heights(store: &mut dyn Store, id: &str, heights: &[u64]) {
    let bytes: Vec<u8> = heights.iter().flat_map(|height| height.to_be_bytes()).collect();
    store.set(&heights_key(id), bytes);
}

fn pack(type_url: &str, message: &impl Message) -> Vec<u8> {
    Any { type_url: type_url.into(), value: message.encode_to_vec() }.encode_to_vec()
}
