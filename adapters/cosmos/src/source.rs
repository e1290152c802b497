//! The reading side.

use async_trait::async_trait;
use catenary_api::limits::{EVENTS_MAX, HEIGHTS_MAX, PATHS_MAX};
use catenary_api::{ChainSource, ClientClaim, EventClaim, Head, Identity, PacketSearch, ProofClaim};
use catenary_light_clients::{Class, Hash32, Timestamp};
use catenary_protocol::handler::tendermint_proto::CLIENT_STATE;
use catenary_protocol::proto::{Any, AttestationClientState, ATTESTATION_CLIENT_STATE};
use futures::{StreamExt, TryStreamExt};
use tendermint::block::signed_header::SignedHeader;
use tendermint::block::Height;
use tendermint_rpc::endpoint::{commit, status};

use crate::ahead::Ahead;
use crate::answers::BlockResultsRequest;
use crate::config::CosmosConfig;
use crate::error::{shorten, Error, Result};
use crate::limits::{BATCHES_CONCURRENT_MAX, BATCH_MAX};
use crate::transport::{Attempts, Transport};
use crate::updates::SetCache;
use crate::{events, native, proofs, query, updates};

/// Client type of attestation clients, as ibc-go names it.
const ATTESTATIONS: &str = "attestations";

/// Reads and writes one Cosmos chain.
#[derive(Debug)]
pub struct CosmosAdapter {
    pub(crate) config: CosmosConfig,
    pub(crate) transport: Transport,
    sets: SetCache,
    ahead: Ahead,
}

impl CosmosAdapter {
    /// Checks the configuration and prepares the connections; nothing is sent yet.
    ///
    /// # Errors
    /// [`Error::Config`].
    pub fn new(config: CosmosConfig) -> Result<Self> {
        config.validate()?;
        let transport = Transport::new(&config)?;
        Ok(Self { config, transport, sets: SetCache::default(), ahead: Ahead::default() })
    }

    /// The same, with so many attempts at a read, at least one: for callers that go to another adapter when this one
    /// fails.
    #[must_use]
    pub fn with_attempts_max(mut self, attempts: usize) -> Self {
        self.transport.set_attempts_max(attempts);
        self
    }

    /// Balance of an account in base units, decimal.
    ///
    /// # Errors
    /// Transport and decoding errors.
    pub async fn balance(&self, address: &str, denom: &str) -> Result<String> {
        self.judged(query::balance(&self.transport, address, denom).await)
    }

    /// What exists of a denomination in base units, decimal: for a voucher, what stands for value locked elsewhere.
    ///
    /// # Errors
    /// Transport and decoding errors.
    pub async fn supply(&self, denom: &str) -> Result<String> {
        self.judged(query::supply(&self.transport, denom).await)
    }

    /// Time in nanoseconds that an attestation client holds for a height; `None` when it holds none.
    ///
    /// # Errors
    /// Transport and decoding errors.
    pub async fn consensus_timestamp(&self, client_id: &str, height: u64) -> Result<Option<u64>> {
        self.judged(query::consensus_timestamp(&self.transport, client_id, height).await)
    }

    /// Sequence of the next packet that a client will send; `None` when it cannot send yet.
    ///
    /// # Errors
    /// Transport and decoding errors.
    pub async fn next_sequence(&self, client_id: &str) -> Result<Option<u64>> {
        self.judged(query::next_sequence(&self.transport, client_id).await)
    }

    /// Moves on to the next endpoint when this one's answer decoded but is of no use.
    pub(crate) fn judged<T>(&self, result: Result<T>) -> Result<T> {
        match &result {
            Err(
                Error::Mismatch { .. }
                | Error::Event { .. }
                | Error::ProofOperations { .. }
                | Error::QueryDecode { .. },
            ) => self.transport.rotate(),
            // A state that this endpoint has pruned, or does not have yet.
            Err(error @ Error::Query { .. }) if error.class() == Class::Transient => self.transport.rotate(),
            _ => {}
        }
        result
    }

    async fn identity_claim(&self) -> Result<Identity> {
        let status = self.transport.call(status::Request, Attempts::Retry).await?;
        let first = Height::from(1_u32);
        let genesis_hash = if status.sync_info.earliest_block_height == first {
            let signed = updates::signed_headers(&self.transport, vec![first]).await?;
            // Hashed here, so that it is the hash of what the endpoint shows as its first block.
            signed.first().and_then(|signed| Hash32::from_slice(signed.header.hash().as_bytes()))
        } else {
            None
        };
        Ok(Identity { chain_id: shorten(status.node_info.network.as_str()), genesis_hash })
    }

    pub(crate) async fn head_claim(&self) -> Result<Head> {
        let (header, block) = self.ahead.next();
        let extras = (header.map(commit::Request::new), block.map(BlockResultsRequest::new));
        let (status, commit, results) = self.transport.call_with(status::Request, extras).await?;
        self.ahead.looked(commit, results);
        let time = status.sync_info.latest_block_time;
        let nanos = u64::try_from(time.unix_timestamp_nanos()).map_err(|_| Error::Mismatch {
            chain: self.config.name.clone(),
            what: "time of the newest block",
            expected: "1970 to 2554".to_owned(),
            got: time.to_string(),
        })?;
        Ok(Head { height: status.sync_info.latest_block_height.value(), timestamp: Timestamp::from_nanos(nanos) })
    }

    async fn update_bytes(&self, from: u64, to: u64) -> Result<Vec<Vec<u8>>> {
        let heights = range(from, to)?;
        let headers = match self.ahead.take_commit(to).filter(|_| from == to) {
            Some(commit) => vec![commit.signed_header],
            None => self.signed_headers(&heights).await?,
        };
        let updates = updates::encode(&self.transport, &self.sets, headers).await?;
        self.ahead.followed(to);
        Ok(updates)
    }

    async fn signed_headers(&self, heights: &[Height]) -> Result<Vec<SignedHeader>> {
        futures::stream::iter(batches(heights))
            .map(|heights| updates::signed_headers(&self.transport, heights))
            .buffered(BATCHES_CONCURRENT_MAX)
            .try_concat()
            .await
    }

    async fn event_claims(&self, from: u64, to: u64) -> Result<Vec<EventClaim>> {
        let claims = match self.ahead.results(to).filter(|_| from == to) {
            Some(results) => {
                let claims = events::of_block(&self.transport, tendermint_height(to)?, results).await;
                claims.inspect_err(|_| self.ahead.forget())?
            }
            None => self.events_of(from, to).await?,
        };
        if claims.len() > EVENTS_MAX {
            let (chain, got) = (self.config.name.clone(), claims.len());
            return Err(Error::TooManyEvents { chain, got, max: EVENTS_MAX });
        }
        self.ahead.scanned(to);
        Ok(claims)
    }

    async fn events_of(&self, from: u64, to: u64) -> Result<Vec<EventClaim>> {
        let mut parts = futures::stream::iter(batches(&range(from, to)?))
            .map(|heights| events::of_blocks(&self.transport, heights))
            .buffered(BATCHES_CONCURRENT_MAX);
        let mut claims = Vec::new();
        while let Some(part) = parts.next().await {
            claims.extend(part?);
            if claims.len() > EVENTS_MAX {
                let (chain, got) = (self.config.name.clone(), claims.len());
                return Err(Error::TooManyEvents { chain, got, max: EVENTS_MAX });
            }
        }
        Ok(claims)
    }

    async fn proof_claims(&self, height: u64, paths: &[Vec<u8>]) -> Result<Vec<ProofClaim>> {
        check_count("paths", paths.len())?;
        let height = tendermint_height(height)?;
        futures::stream::iter(batches(paths))
            .map(|paths| proofs::proofs(&self.transport, height, paths))
            .buffered(BATCHES_CONCURRENT_MAX)
            .try_concat()
            .await
    }

    async fn presence(&self, paths: &[Vec<u8>]) -> Result<Vec<bool>> {
        check_count("paths", paths.len())?;
        futures::stream::iter(batches(paths))
            .map(|paths| proofs::present(&self.transport, paths))
            .buffered(BATCHES_CONCURRENT_MAX)
            .try_concat()
            .await
    }

    async fn client_claim(&self, client_id: &str) -> Result<Option<ClientClaim>> {
        let (state, counterparty) = query::client(&self.transport, client_id).await?;
        let Some(state) = state else { return Ok(None) };
        if state.type_url == CLIENT_STATE {
            return self.native_claim(client_id, &state, counterparty).await.map(Some);
        }
        let counterparty = counterparty.map(|info| shorten(&info.client_id));
        client_claim(&self.config.name, client_id, &state, counterparty).map(Some)
    }
}

impl CosmosAdapter {
    /// What the chain says of a client that judges by validators.
    async fn native_claim(
        &self,
        client_id: &str,
        state: &Any,
        counterparty: Option<query::CounterpartyInfo>,
    ) -> Result<ClientClaim> {
        let chain = self.config.name.as_str();
        let claim = native::client_claim(chain, state)?;
        let Some((revision, height)) = claim.native.as_ref().map(|native| (native.revision, claim.latest_height))
        else {
            return Ok(claim);
        };
        let newest = query::consensus_state(&self.transport, client_id, (revision, height)).await?;
        let newest = newest.map(|state| native::consensus_claim(chain, &state)).transpose()?;
        let (id, prefix) = counterparty.map(|info| (shorten(&info.client_id), info.merkle_prefix)).unzip();
        let counterparty_prefix = prefix.unwrap_or_default();
        let native = claim.native.map(|native| catenary_api::NativeClaim { newest, counterparty_prefix, ..native });
        Ok(ClientClaim { counterparty: id, native, ..claim })
    }
}

fn client_claim(chain: &str, client_id: &str, state: &Any, counterparty: Option<String>) -> Result<ClientClaim> {
    if state.type_url != ATTESTATION_CLIENT_STATE {
        // A client id starts with the client's type.
        let location = client_id.rsplit_once('-').map_or(client_id, |(kind, _)| kind).to_owned();
        let (attestors, min_required_sigs, latest_height, frozen) = (Vec::new(), 0, 0, false);
        let native = None;
        return Ok(ClientClaim { attestors, min_required_sigs, latest_height, frozen, counterparty, location, native });
    }
    let state: AttestationClientState = query::decode_answer(chain, "attestation client state", &state.value)?;
    let attestors: Option<Vec<[u8; 20]>> = state.attestor_addresses.iter().map(|text| attestor(text)).collect();
    let attestors = attestors.ok_or_else(|| Error::QueryDecode {
        chain: chain.to_owned(),
        what: "attestation client state",
        reason: "an attestor is no 20-byte address in hex".to_owned(),
    })?;
    Ok(ClientClaim {
        attestors,
        min_required_sigs: state.min_required_sigs,
        latest_height: state.latest_height,
        frozen: state.is_frozen,
        counterparty,
        location: ATTESTATIONS.to_owned(),
        native: None,
    })
}

fn attestor(text: &str) -> Option<[u8; 20]> {
    let digits = text.strip_prefix("0x").unwrap_or(text);
    hex::decode(digits).ok()?.try_into().ok()
}

/// What goes into one request each.
fn batches<T: Clone>(items: &[T]) -> Vec<Vec<T>> {
    items.chunks(BATCH_MAX).map(<[T]>::to_vec).collect()
}

fn range(from: u64, to: u64) -> Result<Vec<Height>> {
    let count = to.checked_sub(from).and_then(|difference| difference.checked_add(1)).unwrap_or_default();
    if from == 0 || count == 0 || count > HEIGHTS_MAX {
        return Err(Error::Range { what: "heights", got: count, max: HEIGHTS_MAX });
    }
    (from..=to).map(tendermint_height).collect()
}

fn tendermint_height(height: u64) -> Result<Height> {
    Height::try_from(height).map_err(|_| Error::Range { what: "height", got: height, max: i64::MAX as u64 })
}

fn check_count(what: &'static str, got: usize) -> Result<()> {
    if got > PATHS_MAX {
        return Err(Error::Range { what, got: got as u64, max: PATHS_MAX as u64 });
    }
    Ok(())
}

#[async_trait]
impl ChainSource for CosmosAdapter {
    async fn identity(&self) -> catenary_api::Result<Identity> {
        Ok(self.judged(self.identity_claim().await)?)
    }

    async fn head(&self) -> catenary_api::Result<Head> {
        Ok(self.judged(self.head_claim().await)?)
    }

    async fn updates(&self, from: u64, to: u64) -> catenary_api::Result<Vec<Vec<u8>>> {
        Ok(self.judged(self.update_bytes(from, to).await)?)
    }

    async fn events(&self, from: u64, to: u64) -> catenary_api::Result<Vec<EventClaim>> {
        Ok(self.judged(self.event_claims(from, to).await)?)
    }

    async fn proofs(&self, height: u64, paths: &[Vec<u8>]) -> catenary_api::Result<Vec<ProofClaim>> {
        Ok(self.judged(self.proof_claims(height, paths).await)?)
    }

    async fn present(&self, paths: &[Vec<u8>]) -> catenary_api::Result<Vec<bool>> {
        Ok(self.judged(self.presence(paths).await)?)
    }

    async fn client(&self, client_id: &str) -> catenary_api::Result<Option<ClientClaim>> {
        Ok(self.judged(self.client_claim(client_id).await)?)
    }

    fn search(&self) -> Option<&dyn PacketSearch> {
        Some(self)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests fail by panicking")]
    use super::*;
    use prost::Message;

    #[test]
    fn ranges_are_bounded() {
        let heights = |from, to| range(from, to).map(|heights| heights.len()).map_err(|error| error.code());
        let rows = [
            ((1, 1), Ok(1)),
            ((5, 104), Ok(100)),
            ((5, 105), Err("COS-QRY-003")),
            ((0, 1), Err("COS-QRY-003")),
            ((2, 1), Err("COS-QRY-003")),
            ((1, u64::MAX), Err("COS-QRY-003")),
            ((0, u64::MAX), Err("COS-QRY-003")),
            ((u64::MAX, u64::MAX), Err("COS-QRY-003")),
            ((i64::MAX as u64, i64::MAX as u64), Ok(1)),
        ];
        for ((from, to), expect) in rows {
            assert_eq!(heights(from, to), expect, "{from}..={to}");
        }
        assert!(check_count("paths", 64).is_ok());
        assert!(check_count("paths", 65).is_err());
    }

    #[test]
    fn recorded_answers_decode() {
        use tendermint_rpc::endpoint::abci_query::Response;
        use tendermint_rpc::response::Response as _;
        let recorded = include_str!("../../../tests/vectors/cosmos-rpc/status.json");
        let status = status::Response::from_string(recorded).unwrap();
        assert_eq!(status.node_info.network.as_str(), "sim-1");
        assert_eq!(status.sync_info.earliest_block_height.value(), 1);
        let later = include_str!("../../../tests/vectors/cosmos-rpc/not_yet.json");
        assert!(status::Response::from_string(later).is_err(), "an error is no status");

        let state = include_str!("../../../tests/vectors/cosmos-rpc/client_state.json");
        let state = Response::from_string(state).unwrap().response;
        let state: query::StateResponse = query::decode_answer("sim", "answer", &state.value).unwrap();
        let claim = client_claim("sim", "attestations-0", &state.state.unwrap(), None).unwrap();
        assert_eq!((claim.attestors.len(), claim.min_required_sigs, claim.frozen), (3, 2, false));
        let none = include_str!("../../../tests/vectors/cosmos-rpc/client_state_none.json");
        let none = Response::from_string(none).unwrap().response;
        assert_eq!((none.codespace.as_str(), none.code.value()), ("sdk", query::KEY_NOT_FOUND));
    }

    fn any(type_url: &str, state: &AttestationClientState) -> Any {
        Any { type_url: type_url.into(), value: state.encode_to_vec() }
    }

    #[test]
    fn client_states_become_claims() {
        let state = AttestationClientState {
            attestor_addresses: vec!["0x7E5F4552091A69125d5DfCb7b8C2659029395Bdf".into(), "22".repeat(20)],
            min_required_sigs: 2,
            latest_height: 9,
            is_frozen: true,
        };
        let claim =
            client_claim("c", "attestations-0", &any(ATTESTATION_CLIENT_STATE, &state), Some("client-1".into()));
        let claim = claim.unwrap();
        assert_eq!(claim.attestors[0][..4], [0x7e, 0x5f, 0x45, 0x52]);
        assert_eq!(claim.attestors[1], [0x22; 20]);
        assert_eq!((claim.min_required_sigs, claim.latest_height, claim.frozen), (2, 9, true));
        assert_eq!((claim.location.as_str(), claim.counterparty.as_deref()), ("attestations", Some("client-1")));

        let other =
            client_claim("c", "07-tendermint-3", &any("/ibc.lightclients.tendermint.v1.ClientState", &state), None);
        let other = other.unwrap();
        assert!(other.attestors.is_empty(), "another client type has no attestors");
        assert_eq!(other.location, "07-tendermint");
    }

    #[test]
    fn malformed_client_states_are_refused() {
        let with = |address: &str| AttestationClientState {
            attestor_addresses: vec![address.into()],
            ..AttestationClientState::default()
        };
        let rows = [
            ("short", any(ATTESTATION_CLIENT_STATE, &with("0x11"))),
            ("not hex", any(ATTESTATION_CLIENT_STATE, &with(&"zz".repeat(20)))),
            ("empty", any(ATTESTATION_CLIENT_STATE, &with(""))),
            ("not protobuf", Any { type_url: ATTESTATION_CLIENT_STATE.into(), value: vec![0xff] }),
            ("not canonical", Any { type_url: ATTESTATION_CLIENT_STATE.into(), value: vec![0x10, 0x00] }),
        ];
        for (name, state) in rows {
            let got = client_claim("c", "attestations-0", &state, None).map_err(|error| error.code());
            assert_eq!(got, Err("COS-QRY-002"), "{name}");
        }
    }
}
