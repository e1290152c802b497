//! The collector of one on-chain client: gathers exactly m members' signatures over bytes that we verified ourselves.
//!
//! Our own attestor comes first: its bytes are the reference, and only a signature over equal bytes, made by the
//! member's own key, counts. Nothing else that a peer says is believed. What is handed out was checked as the on-chain
//! client will check it.
//!
//! A dead or slow member delays nobody: all are asked at once, the first m good signatures are taken, and what comes
//! later is judged in the background, so that a liar is named even when nobody waited for it.
//!
//! # What an attacker can grow
//! A silent member holds at most [`limits::PEER_WAITING_MAX`] requests, each for at most its deadline. A member that
//! refuses packets costs at most [`limits::REFUSAL_ROUNDS_MAX`] further rounds, and only when fewer than m others sign.

mod chunks;
mod error;
mod gather;
mod judge;
mod members;
mod peer;
#[cfg(test)]
pub(super) mod testing;

use std::sync::Arc;

use catenary_protocol::attestation::Statement;
use catenary_protocol::{AttestationProof, Packet};
use futures::StreamExt;

pub use self::error::CollectError;
pub use self::members::{Availability, Member, Reach};
pub use self::peer::{Deadlines, PeerClient};

use self::gather::Shared;
use self::peer::Ask;
use super::error::AttestError;
use super::exclusion::Exclusion;
use super::limits;
use super::service::{Attestor, CommitmentKind, SignedPackets, SignedState};
use crate::failpoint::failpoint;
use crate::telemetry::metrics::Metrics;

/// What a collector is made of.
#[derive(Debug)]
pub struct CollectorConfig {
    /// Name of the path in the config.
    pub path: String,
    /// Attestors of the on-chain client, this node's own among them.
    pub members: Vec<Member>,
    /// Signatures that the on-chain client requires.
    pub threshold: usize,
    /// Where exclusions and availability are counted.
    pub metrics: Arc<Metrics>,
}

/// A packet that a member would not attest.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RefusedPacket {
    /// Its place in the list given to [`Collector::collect`].
    pub index: usize,
    /// The member that refused. Only our own refusal says something of the packet.
    pub member: String,
    /// Whether the member is this node.
    pub own: bool,
    /// Our code of the check that failed, or that of the exclusion.
    pub code: &'static str,
    /// Why, for people.
    pub reason: String,
}

/// A packet attestation that the on-chain client will accept.
#[derive(Clone, Debug)]
pub struct AttestedChunk {
    /// Places in the list given to [`Collector::collect`], in the order of the attestation.
    pub indexes: Vec<usize>,
    /// The bytes with exactly m signatures.
    pub proof: AttestationProof,
    /// What we verified and signed; its facts are in the order of `indexes`.
    pub own: Arc<SignedPackets>,
}

/// What was collected at one height.
#[derive(Clone, Debug)]
pub struct Collected {
    /// The height of state and packets.
    pub height: u64,
    /// The state attestation with exactly m signatures.
    pub state: AttestationProof,
    /// What we verified and signed of the state.
    pub own_state: Arc<SignedState>,
    /// Packet attestations. A packet that is in none of them, and not refused, found too few signatures this time.
    pub chunks: Vec<AttestedChunk>,
    /// Packets that are in no attestation since a member refused them.
    pub refused: Vec<RefusedPacket>,
    /// Members whose answers did not count, as far as known by now.
    pub left_out: Vec<Exclusion>,
}

/// Collects attestations for one on-chain client. Its methods are cancel safe.
#[derive(Debug)]
pub struct Collector {
    shared: Arc<Shared>,
    own: Arc<Attestor>,
}

impl Collector {
    /// A collector of the given members. Channels open when first used.
    ///
    /// # Errors
    /// [`CollectError::Config`]: a threshold that can never be met or is 0, a member named twice, not exactly one
    /// local member, or a local member whose key is not the configured address.
    pub fn new(config: CollectorConfig) -> Result<Self, CollectError> {
        let own = members::check(&config.members, config.threshold)?;
        Ok(Self { shared: Arc::new(Shared::new(config, own.chain())), own })
    }

    /// Name of the attested chain.
    #[must_use]
    pub fn chain(&self) -> &str {
        self.own.chain()
    }

    /// Signatures that the on-chain client requires.
    #[must_use]
    pub fn threshold(&self) -> usize {
        self.shared.threshold()
    }

    /// Who can sign, as far as known by now.
    #[must_use]
    pub fn availability(&self) -> Availability {
        self.shared.availability(self.own.latest_height())
    }

    /// Asks every member for its head and waits for all of them, so that [`availability`](Self::availability) is
    /// fresh also when there is nothing to collect.
    pub async fn probe(&self) -> Availability {
        let mut answers = self.shared.ask_heads();
        while answers.recv().await.is_some() {}
        self.availability()
    }

    /// The height that m members can prove, ours included: the m-th highest head of those that answered, at least
    /// `min_height` and never above our own head. Does not wait for members that are not needed.
    ///
    /// # Errors
    /// [`CollectError::NotYet`] when the heads are too low still, [`CollectError::NotEnough`] when too few members
    /// answer.
    pub async fn agree_height(&self, min_height: u64) -> Result<u64, CollectError> {
        let own_head = self.own.latest_height();
        let least = min_height.max(1);
        if own_head < least {
            return Err(CollectError::NotYet { min_height, agreed: own_head, own_head });
        }
        let trusted = self.shared.faultless();
        let mut heads: Vec<(usize, u64)> = Vec::new();
        let mut left_out = Vec::new();
        let mut answers = self.shared.ask_heads();
        loop {
            let good = heads.iter().filter(|(member, _)| trusted.contains(member)).map(|(_, head)| *head);
            if let Some(height) = self.agreed(own_head, good).filter(|height| *height >= least) {
                return Ok(height);
            }
            match answers.recv().await {
                Some((member, Ok(head))) => heads.push((member, head)),
                Some((member, Err(failure))) => left_out.push(self.shared.exclusion(member, &failure)),
                None => break,
            }
        }
        match self.agreed(own_head, heads.iter().map(|(_, head)| *head)) {
            Some(height) if height >= least => Ok(height),
            Some(agreed) => Err(CollectError::NotYet { min_height, agreed, own_head }),
            None => Err(CollectError::NotEnough { have: heads.len() + 1, need: self.threshold(), left_out }),
        }
    }

    fn agreed(&self, own_head: u64, heads: impl Iterator<Item = u64>) -> Option<u64> {
        let mut heads: Vec<u64> = heads.chain([own_head]).collect();
        heads.sort_unstable_by(|a, b| b.cmp(a));
        let agreed = heads.get(self.threshold().checked_sub(1)?)?;
        Some(own_head.min(*agreed))
    }

    /// State and packets at `height`, in attestations of at most `chunk` packets in the order given. With no packets
    /// it collects the state alone.
    ///
    /// # Errors
    /// [`CollectError::Own`] when we cannot verify or sign, [`CollectError::NotEnough`] when fewer than m members
    /// sign the state, or any of the packets. Too few signatures for some of the packets are no error.
    pub async fn collect(
        &self,
        height: u64,
        kind: CommitmentKind,
        packets: &[Packet],
        chunk: usize,
    ) -> Result<Collected, CollectError> {
        let lists = chunks::split(packets, chunk);
        let collecting = lists.into_iter().map(|indexes| self.collect_chunk(height, kind, packets, indexes));
        let collecting = futures::stream::iter(collecting).buffered(limits::CHUNKS_AT_ONCE).collect::<Vec<_>>();
        let (state, outcomes) = futures::future::join(self.collect_state(height), collecting).await;
        let (own_state, state, left_out) = state?;
        let mut collected = Collected { height, state, own_state, chunks: Vec::new(), refused: Vec::new(), left_out };
        let mut first_error = None;
        for outcome in outcomes {
            collected.refused.extend(outcome.refused);
            collected.left_out.extend(outcome.left_out);
            match outcome.result {
                Ok(chunk) => collected.chunks.extend(chunk),
                Err(error) => first_error = first_error.or(Some(error)),
            }
        }
        let mut seen = std::collections::BTreeSet::new();
        collected.left_out.retain(|exclusion| seen.insert((exclusion.member.clone(), exclusion.code)));
        match first_error {
            Some(error) if collected.chunks.is_empty() => Err(error),
            _ => Ok(collected),
        }
    }

    async fn collect_state(
        &self,
        height: u64,
    ) -> Result<(Arc<SignedState>, AttestationProof, Vec<Exclusion>), CollectError> {
        let own = self.own.attest_state(height).await.map_err(|source| CollectError::Own { source })?;
        let ask = Ask::State { height };
        let gathered = self.shared.gather(ask, Statement::State, &own.data, own.signature).await;
        let left_out = self.shared.exclusions(&gathered.failures);
        let proof = self.shared.proof(Statement::State, &own.data, gathered)?;
        Ok((own, proof, left_out))
    }

    /// One attestation, asked for again without the packets that are refused.
    async fn collect_chunk(
        &self,
        height: u64,
        kind: CommitmentKind,
        packets: &[Packet],
        indexes: Vec<usize>,
    ) -> ChunkOutcome {
        let mut outcome = ChunkOutcome { result: Ok(None), refused: Vec::new(), left_out: Vec::new() };
        let mut open = indexes;
        for round in 0..=limits::REFUSAL_ROUNDS_MAX {
            let own = match self.attest_own(height, kind, packets, &mut open, &mut outcome.refused).await {
                Ok(Some(own)) => own,
                Ok(None) => return outcome,
                Err(source) => {
                    outcome.result = Err(CollectError::Own { source });
                    return outcome;
                }
            };
            let encoded = chunks::pick(packets, &open).map(Packet::abi_encode).collect();
            let ask = Ask::Packets { height, kind, packets: encoded };
            let gathered = self.shared.gather(ask, Statement::Packets, &own.data, own.signature).await;
            failpoint("collector.gathered");
            outcome.left_out.extend(self.shared.exclusions(&gathered.failures));
            let refused = self.shared.refused(&gathered, &open);
            match self.shared.proof(Statement::Packets, &own.data, gathered) {
                Ok(proof) => {
                    outcome.result = Ok(Some(AttestedChunk { indexes: open, proof, own }));
                    return outcome;
                }
                Err(error) => outcome.result = Err(error),
            }
            let left: Vec<usize> =
                open.iter().copied().filter(|index| !refused.iter().any(|packet| packet.index == *index)).collect();
            if left.is_empty() || left.len() == open.len() || round == limits::REFUSAL_ROUNDS_MAX {
                return outcome;
            }
            outcome.refused.extend(refused);
            outcome.result = Ok(None);
            open = left;
        }
        outcome
    }

    /// Our own attestation of the open packets; those that we cannot prove are taken out. `None` when none is left.
    async fn attest_own(
        &self,
        height: u64,
        kind: CommitmentKind,
        packets: &[Packet],
        open: &mut Vec<usize>,
        refused: &mut Vec<RefusedPacket>,
    ) -> Result<Option<Arc<SignedPackets>>, AttestError> {
        while !open.is_empty() {
            let list: Vec<Packet> = chunks::pick(packets, open).cloned().collect();
            let refusals = match self.own.attest_packets(height, kind, &list).await {
                Ok(signed) => return Ok(Some(signed)),
                Err(AttestError::Unproven { refusals, .. }) => refusals,
                Err(error) => return Err(error),
            };
            let before = open.len();
            let mut out = Vec::new();
            for refusal in refusals {
                let Some(index) = open.get(refusal.index).copied() else { continue };
                out.push(index);
                let (member, code, reason) = (self.shared.own_id(), refusal.code, refusal.reason);
                refused.push(RefusedPacket { index, member, own: true, code, reason });
            }
            open.retain(|index| !out.contains(index));
            if open.len() == before {
                return Err(AttestError::Task);
            }
        }
        Ok(None)
    }
}

struct ChunkOutcome {
    result: Result<Option<AttestedChunk>, CollectError>,
    refused: Vec<RefusedPacket>,
    left_out: Vec<Exclusion>,
}
