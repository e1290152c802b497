//! The prover: endpoint bytes at a height become verified facts, or a refusal.

use std::time::Duration;

use async_trait::async_trait;
use catenary_api::{limits, ProofClaim};
use catenary_light_clients::{Absence, Class, Header, InstanceId, Membership, Rejection, Verified};
use catenary_protocol::{Packet, Path, VerifiedPacket};

use super::{Chain, ProveError, Prover};
use crate::platform;

/// A height this far above the head is worth waiting for.
const WAIT_BLOCKS_MAX: u64 = 20;

impl Chain {
    /// Waits until a height can be proven, for a bounded time, and refuses while the chain is stopped.
    pub(super) async fn ready(&self, height: u64) -> Result<Verified<Header>, ProveError> {
        let mut watch = self.head.subscribe();
        let head = watch.borrow_and_update().provable_height;
        if height > head && height <= head.saturating_add(WAIT_BLOCKS_MAX) {
            let reached = watch.wait_for(|state| state.provable_height >= height);
            let limit = Duration::from_millis(self.options.wait_above_head_ms);
            // A timeout is told below, by the head that was reached.
            let _ = platform::within(limit, reached).await.map(|state| state.is_ok());
        }
        let state = self.head.borrow().clone();
        if let Some(stop) = state.stop {
            let reason = format!("{}: {}", stop.code, stop.message);
            return Err(ProveError::Stopped { chain: self.options.name.clone(), reason });
        }
        let head = state.provable_height;
        if height > head {
            return Err(ProveError::AboveHead { height, head });
        }
        let client = self.client();
        let header = client.as_ref().and_then(|client| client.header(height));
        // A frozen light client gives no header. That it stands still is told a moment later, when the journal has it;
        // until then its answer must not read as one about the height, which nothing mends.
        if header.is_none() && client.as_ref().is_some_and(|client| client.status().frozen) {
            let (chain, reason) = (self.options.name.clone(), "the light client is frozen".to_owned());
            return Err(ProveError::Stopped { chain, reason });
        }
        header.ok_or(ProveError::NotRetained { height, head })
    }

    /// One outcome a path, in order. What the light client refuses is blamed on the endpoint that gave it, and the next
    /// one is asked; when none is left, the first refusal is the outcome.
    pub(super) async fn judged<T>(
        &self,
        height: u64,
        paths: &[Path],
        judge: impl Fn(&Path, &ProofClaim) -> Result<T, ProveError>,
    ) -> Result<Vec<Result<T, ProveError>>, ProveError> {
        self.ready(height).await?;
        let mut facts = Vec::with_capacity(paths.len());
        for chunk in paths.chunks(limits::PATHS_MAX) {
            let raw: Vec<Vec<u8>> = chunk.iter().map(|path| path.as_bytes().to_vec()).collect();
            let mut but = Vec::new();
            let mut refused = None;
            let outcomes = loop {
                let told = match (self.endpoints.proofs_told(height, &raw, &but).await, refused.take()) {
                    (Ok(told), kept) => {
                        refused = kept;
                        told
                    }
                    (Err(_), Some(kept)) => break kept,
                    (Err(error), None) => return Err(error.into()),
                };
                check_count(chunk.len(), told.answer.len())?;
                let outcomes: Vec<_> = chunk.iter().zip(&told.answer).map(|(path, claim)| judge(path, claim)).collect();
                let Some(reason) = outcomes.iter().find_map(|outcome| to_blame(outcome.as_ref().err())) else {
                    break outcomes;
                };
                self.endpoints.refused(told.by, reason.code, &reason.message);
                but.push(told.by);
                refused.get_or_insert(outcomes);
            };
            facts.extend(outcomes);
        }
        Ok(facts)
    }

    pub(super) fn member(
        &self,
        height: u64,
        path: &Path,
        claim: &ProofClaim,
    ) -> Result<Verified<Membership>, ProveError> {
        let Some(value) = &claim.value else {
            // That nothing is there is believed only when it is proven; else the endpoint withholds.
            self.absent(height, path, claim)?;
            return Err(claim_error(height, path, "holds nothing"));
        };
        let started = platform::monotonic();
        let client = self.client();
        let client = client.as_ref().ok_or(ProveError::AboveHead { height, head: 0 })?;
        let fact = client.membership(height, path.as_bytes(), value, &claim.proof);
        self.observe("membership", fact.as_ref().err(), started.elapsed());
        Ok(fact?)
    }

    pub(super) fn absent(&self, height: u64, path: &Path, claim: &ProofClaim) -> Result<Verified<Absence>, ProveError> {
        if claim.value.is_some() {
            return Err(claim_error(height, path, "holds a value"));
        }
        let started = platform::monotonic();
        let client = self.client();
        let client = client.as_ref().ok_or(ProveError::AboveHead { height, head: 0 })?;
        let fact = client.absence(height, path.as_bytes(), &claim.proof);
        self.observe("absence", fact.as_ref().err(), started.elapsed());
        Ok(fact?)
    }

    fn observe(&self, check: &'static str, refusal: Option<&Rejection>, took: Duration) {
        self.observer.checked(check, refusal.map_or(Ok(()), Err), took);
    }

    async fn absences(
        &self,
        height: u64,
        paths: Vec<Path>,
    ) -> Result<Vec<Result<Verified<Absence>, ProveError>>, ProveError> {
        self.judged(height, &paths, |path, claim| self.absent(height, path, claim)).await
    }
}

/// An adapter's answer must be one claim a path.
fn check_count(asked: usize, given: usize) -> Result<(), ProveError> {
    if asked == given {
        return Ok(());
    }
    Err(ProveError::Endpoint(catenary_api::Error {
        code: "NODE-PRV-005",
        class: Class::Bug,
        message: format!("{asked} proofs asked for, {given} given by the adapter"),
    }))
}

/// A refusal that an honest endpoint would not have caused.
fn to_blame(error: Option<&ProveError>) -> Option<&Rejection> {
    match error {
        Some(ProveError::Refused(reason)) if matches!(reason.class, Class::Misbehaviour | Class::Permanent) => {
            Some(reason)
        }
        _ => None,
    }
}

fn claim_error(height: u64, path: &Path, claim: &'static str) -> ProveError {
    ProveError::Claim { path: format!("0x{}", hex::encode(path.as_bytes())), claim, height }
}

#[async_trait]
impl Prover for Chain {
    fn chain(&self) -> &str {
        &self.options.name
    }

    fn instance(&self) -> InstanceId {
        self.instance
    }

    fn head(&self) -> u64 {
        let state = self.head.borrow();
        // A stopped chain offers no height, so that members do not agree on one that it would refuse to prove.
        if state.stop.is_some() {
            0
        } else {
            state.provable_height
        }
    }

    async fn state(&self, height: u64) -> Result<Verified<Header>, ProveError> {
        self.ready(height).await
    }

    async fn packets(
        &self,
        height: u64,
        packets: &[Packet],
    ) -> Result<Vec<Result<VerifiedPacket, ProveError>>, ProveError> {
        let paths: Vec<Path> = packets.iter().map(Packet::commitment_path).collect();
        let facts = self.judged(height, &paths, |path, claim| self.member(height, path, claim)).await?;
        let proven = packets.iter().zip(facts).map(|(packet, fact)| Ok(VerifiedPacket::new(packet.clone(), fact?)?));
        Ok(proven.collect())
    }

    async fn acks(
        &self,
        height: u64,
        packets: &[Packet],
    ) -> Result<Vec<Result<Verified<Membership>, ProveError>>, ProveError> {
        let paths: Vec<Path> = packets.iter().map(Packet::ack_path).collect();
        self.judged(height, &paths, |path, claim| self.member(height, path, claim)).await
    }

    async fn receipt_absences(
        &self,
        height: u64,
        packets: &[Packet],
    ) -> Result<Vec<Result<Verified<Absence>, ProveError>>, ProveError> {
        self.absences(height, packets.iter().map(Packet::receipt_path).collect()).await
    }

    async fn commitment_absences(
        &self,
        height: u64,
        packets: &[Packet],
    ) -> Result<Vec<Result<Verified<Absence>, ProveError>>, ProveError> {
        self.absences(height, packets.iter().map(Packet::commitment_path).collect()).await
    }
}
