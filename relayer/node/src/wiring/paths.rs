//! From a configured path to a running one.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use catenary_api::KeyId;
use catenary_core::engine::{Entry, Key, ParkReason, Side, State};
use catenary_core::{PacketKey, Stage};
use catenary_light_clients::Timestamp;
use catenary_protocol::attestation::Address;
use catenary_protocol::{PacketAttestation, StateAttestation};

use super::keys::key_of;
use super::WiringError;
use crate::attestor::{
    AttestationSigner, Attestor, ClientPair, ClientTls, Collector, CollectorConfig, Member, NodeIdentity, PeerClient,
    Reach, ServerTls,
};
use crate::chain::Chain;
use crate::config::{
    Attestor as AttestorConfig, Chain as ChainConfig, ClientKind, Config, PathConfig, Side as SideConfig,
};
use crate::keystore::{AttestorKey, Authority, KeystoreSigner};
use crate::relay::material::MaterialError;
use crate::relay::{cursor_name, Attested, ClientStand, Material, Native, PathSide, ReleasingSigner, Restored, Sender};
use crate::store::Ledger;
use crate::telemetry::Metrics;

/// The packet was parked before this start; the message is the reason that was journaled then.
const PARKED_BEFORE: &str = "NODE-JOB-003";

/// The keystore's signer in the forms that senders and attestors take.
#[derive(Debug, Clone)]
pub struct Signers(pub Arc<KeystoreSigner>);

impl catenary_api::Signer for Signers {
    fn public_key(&self, key: &KeyId) -> catenary_api::Result<catenary_api::PublicKey> {
        self.0.public_key(key)
    }

    fn sign(&self, request: &catenary_api::SignRequest) -> catenary_api::Result<[u8; 65]> {
        self.0.sign(request)
    }
}

impl ReleasingSigner for Signers {
    fn release_nonce(&self, key: &KeyId, chain: &str, nonce: u64, reason: &str) -> catenary_api::Result<()> {
        let authority = Authority { actor: "catenary".to_owned(), reason: reason.to_owned() };
        Ok(self.0.release_nonce(key, chain, nonce, &authority)?)
    }
}

/// An attestor's key in the form that attestors take.
#[derive(Debug, Clone)]
pub struct AttestorSigner(pub AttestorKey);

impl AttestationSigner for AttestorSigner {
    fn address(&self) -> Address {
        self.0.address().0
    }

    fn sign_state(
        &self,
        instance: catenary_light_clients::InstanceId,
        statement: &StateAttestation,
    ) -> catenary_api::Result<[u8; 65]> {
        Ok(self.0.sign_state(instance, statement)?)
    }

    fn sign_packets(
        &self,
        instance: catenary_light_clients::InstanceId,
        statement: &PacketAttestation,
    ) -> catenary_api::Result<[u8; 65]> {
        Ok(self.0.sign_packets(instance, statement)?)
    }
}

/// This node's attestor of a chain, for the packets of every configured path of it.
pub(super) fn attestor(
    config: &Config,
    chain: &ChainConfig,
    prover: &Arc<Chain>,
    signers: &Signers,
    metrics: &Arc<Metrics>,
) -> Result<Option<Arc<Attestor>>, WiringError> {
    let Some(service) = &chain.attestor else { return Ok(None) };
    let key = signers.0.attestor_key(&KeyId(service.key.clone()))?;
    let pairs = config.paths.iter().flat_map(|path| pairs(path, &chain.name)).collect();
    let signer = Arc::new(AttestorSigner(key));
    Ok(Some(Arc::new(Attestor::new(prover.clone(), signer, pairs, metrics.clone()))))
}

fn pairs(path: &PathConfig, chain: &str) -> Vec<ClientPair> {
    let ends = [(&path.a, &path.b), (&path.b, &path.a)];
    let ours = ends.into_iter().filter(|(here, _)| here.chain == chain);
    ours.filter_map(|(here, there)| Some(ClientPair { own: here.client.clone()?, counterparty: there.client.clone()? }))
        .collect()
}

fn read(path: &Path) -> Result<Vec<u8>, WiringError> {
    std::fs::read(path).map_err(|source| WiringError::File { path: path.to_owned(), source })
}

fn identity(config: &Config) -> Result<Option<NodeIdentity>, WiringError> {
    let Some(tls) = &config.tls else { return Ok(None) };
    let (certificate_pem, private_key_pem) = (read(&tls.certificate_file)?, read(&tls.private_key_file)?);
    Ok(Some(NodeIdentity { certificate_pem, private_key_pem }))
}

/// TLS of the attestation service: peers are the other members' pinned certificates.
pub(super) fn server_tls(config: &Config) -> Result<Option<ServerTls>, WiringError> {
    let Some(identity) = identity(config)? else { return Ok(None) };
    let mut pinned = BTreeSet::new();
    let mut peers_ca_pem = Vec::new();
    for attestor in config.operators.iter().flat_map(|operator| &operator.attestors) {
        if let Some(tls) = &attestor.tls {
            if pinned.insert(tls.certificate_sha256.0) {
                peers_ca_pem.extend(read(&tls.ca_file)?);
                peers_ca_pem.push(b'\n');
            }
        }
    }
    if pinned.is_empty() {
        return Ok(None);
    }
    Ok(Some(ServerTls { identity, peers_ca_pem, pinned }))
}

fn member(config: &Config, attestor: &AttestorConfig, own: Option<&Arc<Attestor>>) -> Result<Member, WiringError> {
    let reach = if attestor.operator == config.operator {
        let own = own.ok_or_else(|| {
            let what = format!(
                "operator {} attests {}, but this node has no attestor key for it",
                attestor.operator, attestor.chain
            );
            WiringError::missing(what, "set attestor_key and attestor_listen of that chain")
        })?;
        Reach::Local(own.clone())
    } else {
        let tls = match (&attestor.tls, identity(config)?) {
            (Some(peer), Some(identity)) => {
                let server_ca_pem = read(&peer.ca_file)?;
                Some(ClientTls { identity, server_ca_pem, server_name: peer.server_name.clone() })
            }
            _ => None,
        };
        Reach::Remote(PeerClient::new(&attestor.url, tls.as_ref())?)
    };
    Ok(Member { id: attestor.operator.clone(), address: attestor.address.0, reach })
}

/// What the sides of all paths are made from.
pub(super) struct Parts<'a> {
    pub(super) config: &'a Config,
    pub(super) chains: &'a BTreeMap<String, Arc<Chain>>,
    pub(super) attestors: &'a BTreeMap<String, Arc<Attestor>>,
    pub(super) senders: &'a BTreeMap<String, Vec<Arc<Sender>>>,
    pub(super) metrics: &'a Arc<Metrics>,
}

impl Parts<'_> {
    /// One end of a path; its client's attestors attest the other end's chain.
    pub(super) fn side(
        &self,
        path: &PathConfig,
        here: &SideConfig,
        there: &SideConfig,
    ) -> Result<PathSide, WiringError> {
        let no_client = || {
            let what = format!("path {}: no client is configured on {}", path.name, here.chain);
            let next = format!("run `catenary path create {}` and configure what it prints", path.name);
            WiringError::missing(what, next)
        };
        let client_id = here.client.clone().ok_or_else(no_client)?;
        let material = match here.client_kind {
            ClientKind::Attested => Material::Attested(self.attested(path, here, there)?),
            ClientKind::Native => Material::Native(Arc::new(self.native(there)?)),
        };
        let unknown = || WiringError::missing(format!("chain {} is not connected", here.chain), "see the log above");
        let no_key = || {
            let what = format!("chain {}: no transaction_key is configured", here.chain);
            WiringError::missing(what, "set transaction_key, so that this node can relay")
        };
        let ours = self.config.paths.iter().filter(|path| path.a.chain == here.chain || path.b.chain == here.chain);
        let names: Vec<&str> = ours.map(|path| path.name.as_str()).collect();
        let senders = self.senders.get(&here.chain).map_or(&[][..], Vec::as_slice);
        let keys: Vec<&str> = senders.iter().map(|sender| sender.key()).collect();
        let sender = key_of(&path.name, &names, &keys).and_then(|index| senders.get(index));
        Ok(PathSide {
            chain: self.chains.get(&here.chain).cloned().ok_or_else(unknown)?,
            client_id,
            material,
            sender: sender.cloned().ok_or_else(no_key)?,
            stand: ClientStand::default(),
        })
    }
}

impl Parts<'_> {
    /// The members that attest the other end's chain.
    fn attested(&self, path: &PathConfig, here: &SideConfig, there: &SideConfig) -> Result<Attested, WiringError> {
        let own = self.attestors.get(&there.chain);
        let members = here.attestors.iter().map(|attestor| member(self.config, attestor, own));
        let members = members.collect::<Result<Vec<_>, _>>()?;
        let collector = Collector::new(CollectorConfig {
            path: path.name.clone(),
            members,
            threshold: here.threshold,
            metrics: self.metrics.clone(),
        })?;
        Ok(Attested { collector: Arc::new(collector), chunk: path.attestation_chunk })
    }

    /// What is known of the other end's chain, whose validators are believed.
    fn native(&self, there: &SideConfig) -> Result<Native, WiringError> {
        let judged = self.config.chain(&there.chain).and_then(ChainConfig::cometbft).ok_or_else(|| {
            let what = format!("chain {} has no CometBFT light client", there.chain);
            WiringError::missing(what, "a native client judges CometBFT chains only")
        })?;
        Ok(Native::new(judged))
    }
}

/// One end of a path, as far as what was kept of it tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PathEnd {
    /// Chain's name.
    pub chain: String,
    /// The client on it; `None` while there is none.
    pub client_id: Option<String>,
    /// Height that its light client starts from.
    pub anchor_height: u64,
}

/// What the store kept of a path; a chain that was never scanned starts at its light client's anchor.
///
/// # Errors
/// The store failed.
pub fn restore(ledger: &Ledger, config: &Config, path: &PathConfig) -> Result<Restored, WiringError> {
    let end = |side: &SideConfig| PathEnd {
        chain: side.chain.clone(),
        client_id: side.client.clone(),
        anchor_height: config.chain(&side.chain).map_or(0, |chain| chain.anchor.height),
    };
    restore_ends(ledger, &path.name, &[end(&path.a), end(&path.b)])
}

/// [`restore`] for a path that is given by its ends.
///
/// # Errors
/// The store failed.
pub fn restore_ends(ledger: &Ledger, name: &str, path: &[PathEnd; 2]) -> Result<Restored, WiringError> {
    let mut restored = Restored::default();
    for (index, end) in path.iter().enumerate() {
        let cursor = ledger.cursor(&cursor_name(name, &end.chain))?.unwrap_or(end.anchor_height);
        if let (Some(slot), Some(start)) = (restored.cursors.get_mut(index), restored.starts.get_mut(index)) {
            (*slot, *start) = (cursor, end.anchor_height);
        }
    }
    for (key, state) in ledger.open_packets(name)? {
        if let Some(entry) = entry(ledger, &key, state.stage, (state.height, state.at_seconds, state.reason))? {
            restored.open.extend(side_of(path, &key).map(|source| (Key { source, sequence: key.sequence }, entry)));
        }
    }
    for (source_chain, source_client, runs) in ledger.closed_runs(name)? {
        let key = PacketKey { source_chain, source_client, sequence: 1 };
        let side = side_of(path, &key);
        restored
            .ended_runs
            .extend(side.into_iter().flat_map(|side| runs.iter().map(move |(a, b)| (side, a, b)).collect::<Vec<_>>()));
    }
    for stage in [Stage::Acknowledged, Stage::Refunded] {
        restored.ended.extend(ended(ledger, path, stage)?);
    }
    Ok(restored)
}

fn side_of([a, b]: &[PathEnd; 2], key: &PacketKey) -> Option<Side> {
    let is = |end: &PathEnd| end.chain == key.source_chain && end.client_id.as_ref() == Some(&key.source_client);
    if is(a) {
        Some(Side::A)
    } else {
        is(b).then_some(Side::B)
    }
}

fn ended(ledger: &Ledger, path: &[PathEnd; 2], stage: Stage) -> Result<Vec<Key>, WiringError> {
    let mut keys = Vec::new();
    let mut after: Option<PacketKey> = None;
    loop {
        let page = ledger.packets_in(stage, after.as_ref(), crate::store::SCAN_MAX)?;
        let Some(last) = page.last() else { return Ok(keys) };
        after = Some(last.clone());
        keys.extend(page.iter().filter_map(|key| Some(Key { source: side_of(path, key)?, sequence: key.sequence })));
    }
}

fn entry(
    ledger: &Ledger,
    key: &PacketKey,
    stage: Stage,
    (height, at_seconds, reason): (u64, u64, Option<String>),
) -> Result<Option<Entry>, WiringError> {
    let Some(packet) = ledger.packet(key)? else { return Ok(None) };
    let message = reason.unwrap_or_default();
    let state = match stage {
        Stage::Received => State::Received,
        // Looked at once more after a start: the client may have been recovered meanwhile, else it waits again.
        Stage::Parked if MaterialError::waits_for_client(&message) => match ledger.acknowledgement(key)? {
            Some(_) => State::Received,
            None => State::Sent,
        },
        Stage::Parked => State::Parked(ParkReason { code: PARKED_BEFORE, message, client: None }),
        Stage::Sent | Stage::Acknowledged | Stage::Refunded => State::Sent,
    };
    let mut entry = Entry::new(packet, state, Timestamp::from_seconds(at_seconds));
    entry.acknowledgement = ledger.acknowledgement(key)?;
    match entry.state {
        State::Received => entry.ack_height = height,
        _ => entry.sent_height = height,
    }
    Ok(Some(entry))
}
