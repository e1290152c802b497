//! Asks all members at once, takes the first good answers, and judges the late ones in the background.

use std::sync::Arc;

use catenary_protocol::attestation::{Address, Statement};
use catenary_protocol::AttestationProof;
use tokio::sync::mpsc;

use super::error::CollectError;
use super::judge::{judge, Expected};
use super::members::{Availability, Member, Reach, Standing};
use super::peer::{Ask, Failure, PeerClient};
use super::{CollectorConfig, RefusedPacket};
use crate::attestor::exclusion::Exclusion;
use crate::telemetry::metrics::Metrics;

/// What the collector and its background work share.
#[derive(Debug)]
pub(super) struct Shared {
    chain: String,
    path: String,
    members: Vec<Member>,
    standings: Vec<Standing>,
    threshold: usize,
    metrics: Arc<Metrics>,
}

/// Signatures, our own first, and the answers that did not count by then.
pub(super) struct Gathered {
    pub(super) signatures: Vec<[u8; 65]>,
    pub(super) failures: Vec<(usize, Failure)>,
}

/// Answers of members, by their place in the list.
pub(super) type Answers<T> = mpsc::Receiver<(usize, Result<T, Failure>)>;

impl Shared {
    pub(super) fn new(config: CollectorConfig, chain: &str) -> Self {
        let standings = config.members.iter().map(|_| Standing::default()).collect();
        let CollectorConfig { path, members, threshold, metrics } = config;
        metrics.attestor_members_required(&path, chain, threshold);
        Self { chain: chain.to_owned(), path, members, standings, threshold, metrics }
    }

    pub(super) const fn threshold(&self) -> usize {
        self.threshold
    }

    pub(super) fn own_id(&self) -> String {
        let own = self.members.iter().find(|member| matches!(member.reach, Reach::Local(_)));
        own.map_or_else(String::new, |member| member.id.clone())
    }

    fn addresses(&self) -> Vec<Address> {
        self.members.iter().map(|member| member.address).collect()
    }

    fn peers(&self) -> impl Iterator<Item = (usize, &PeerClient)> {
        self.members.iter().enumerate().filter_map(|(place, member)| match &member.reach {
            Reach::Remote(peer) => Some((place, peer)),
            Reach::Local(_) => None,
        })
    }

    /// Members that nothing bad is known of.
    pub(super) fn faultless(&self) -> Vec<usize> {
        let fault = |place: usize| matches!(self.standings.get(place).map(Standing::state), Some(Err(Some(_))));
        (0..self.members.len()).filter(|place| !fault(*place)).collect()
    }

    pub(super) fn availability(&self, own_head: u64) -> Availability {
        let mut availability = Availability { have: 0, need: self.threshold, missing: Vec::new() };
        for (member, standing) in self.members.iter().zip(&self.standings) {
            let state = match member.reach {
                Reach::Local(_) if own_head > 0 => Ok(()),
                Reach::Local(_) => Err(None),
                Reach::Remote(_) => standing.state(),
            };
            match state {
                Ok(()) => availability.have += 1,
                Err(code) => availability.missing.push((member.id.clone(), code)),
            }
        }
        availability
    }

    /// Counts an answer, and logs it when it is other than the one before.
    fn note(&self, place: usize, failure: Option<&Failure>) {
        let (Some(member), Some(standing)) = (self.members.get(place), self.standings.get(place)) else { return };
        if let Some(failure) = failure {
            self.metrics.attestor_exclusion(&self.chain, &member.id, failure.code);
        }
        if standing.is_news(failure.map(|failure| failure.code)) {
            let (chain, path, member) = (&self.chain, &self.path, &member.id);
            match failure {
                Some(Failure { code, detail, .. }) => {
                    let code = code.code();
                    tracing::warn!(event = "attestor_left_out", code, member, chain, path, detail);
                }
                None => tracing::info!(event = "attestor_back", member, chain, path),
            }
        }
        let own_head = self.members.iter().find_map(|member| match &member.reach {
            Reach::Local(attestor) => Some(attestor.latest_height()),
            Reach::Remote(_) => None,
        });
        let have = self.availability(own_head.unwrap_or_default()).have;
        self.metrics.attestor_members_available(&self.path, &self.chain, have);
    }

    /// Asks every peer for its head. The channel closes when all have answered or run out of time.
    pub(super) fn ask_heads(self: &Arc<Self>) -> Answers<u64> {
        let (sender, receiver) = mpsc::channel(self.members.len().max(1));
        for (place, peer) in self.peers() {
            let (shared, peer, sender) = (Arc::clone(self), peer.clone(), sender.clone());
            tokio::spawn(async move {
                let result = peer.latest_height().await;
                if let Some(standing) = shared.standings.get(place) {
                    standing.head(result.as_ref().map(|head| *head).map_err(|failure| failure.code));
                }
                shared.note(place, result.as_ref().err());
                // Nobody listens any more when enough others were faster.
                let _ = sender.send((place, result)).await;
            });
        }
        receiver
    }

    fn ask_signatures(self: &Arc<Self>, ask: Ask, expected: Expected) -> Answers<[u8; 65]> {
        let (sender, receiver) = mpsc::channel(self.members.len().max(1));
        let (ask, expected) = (Arc::new(ask), Arc::new(expected));
        for (place, peer) in self.peers() {
            let (shared, peer, sender) = (Arc::clone(self), peer.clone(), sender.clone());
            let (ask, expected) = (Arc::clone(&ask), Arc::clone(&expected));
            tokio::spawn(async move {
                let Some(member) = shared.members.get(place) else { return };
                let answer = peer.attest(&ask).await;
                let result = answer.and_then(|answer| judge(&expected, &member.address, answer));
                if let Some(standing) = shared.standings.get(place) {
                    standing.signed(ask.height(), result.as_ref().map(|_| ()).map_err(|failure| failure.code));
                }
                shared.note(place, result.as_ref().err());
                // Nobody listens any more when enough others were faster.
                let _ = sender.send((place, result)).await;
            });
        }
        receiver
    }

    /// Our signature and those of the first members that give a good one, up to the threshold.
    pub(super) async fn gather(
        self: &Arc<Self>,
        ask: Ask,
        statement: Statement,
        data: &[u8],
        own: [u8; 65],
    ) -> Gathered {
        let mut gathered = Gathered { signatures: vec![own], failures: Vec::new() };
        if self.threshold <= 1 {
            return gathered;
        }
        let expected = Expected { statement, height: ask.height(), data: data.to_vec(), set: self.addresses() };
        let mut answers = self.ask_signatures(ask, expected);
        while gathered.signatures.len() < self.threshold {
            match answers.recv().await {
                Some((_, Ok(signature))) => gathered.signatures.push(signature),
                Some((place, Err(failure))) => gathered.failures.push((place, failure)),
                None => break,
            }
        }
        gathered
    }

    /// The proof, checked as the on-chain client will.
    pub(super) fn proof(
        &self,
        statement: Statement,
        data: &[u8],
        gathered: Gathered,
    ) -> Result<AttestationProof, CollectError> {
        if gathered.signatures.len() < self.threshold {
            let left_out = self.exclusions(&gathered.failures);
            return Err(CollectError::NotEnough { have: gathered.signatures.len(), need: self.threshold, left_out });
        }
        let proof = AttestationProof { data: data.to_vec(), signatures: gathered.signatures };
        proof.check(statement, &self.addresses(), self.threshold).map_err(|source| CollectError::Check { source })?;
        Ok(proof)
    }

    pub(super) fn exclusion(&self, place: usize, failure: &Failure) -> Exclusion {
        let member = self.members.get(place).map_or_else(String::new, |member| member.id.clone());
        Exclusion { member, code: failure.code, detail: failure.detail.clone() }
    }

    pub(super) fn exclusions(&self, failures: &[(usize, Failure)]) -> Vec<Exclusion> {
        failures.iter().map(|(place, failure)| self.exclusion(*place, failure)).collect()
    }

    /// Packets that peers refused, by their place in the caller's list; `open` maps places of the request to it.
    pub(super) fn refused(&self, gathered: &Gathered, open: &[usize]) -> Vec<RefusedPacket> {
        let mut refused: Vec<RefusedPacket> = Vec::new();
        for (place, failure) in &gathered.failures {
            let exclusion = self.exclusion(*place, failure);
            for index in failure.refused.iter().filter_map(|index| open.get(*index).copied()) {
                if refused.iter().all(|packet| packet.index != index) {
                    let (member, reason) = (exclusion.member.clone(), exclusion.detail.clone());
                    refused.push(RefusedPacket { index, member, own: false, code: exclusion.code.code(), reason });
                }
            }
        }
        refused
    }
}
