//! The prover: endpoint bytes at a height become verified facts, or a refusal.

use std::time::Duration;

use async_trait::async_trait;
use catenary_api::{limits, ProofClaim};
use catenary_light_clients::{Absence, Header, InstanceId, Membership, Rejection, Verified};
use catenary_protocol::{Packet, Path, VerifiedPacket};

use super::{Chain, ProveError, Prover};
use crate::platform;

/// A height this far above the head is worth waiting for.
const WAIT_BLOCKS_MAX: u64 = 20;

impl Chain {
    /// Waits until a height can be proven, for a bounded time, and refuses while the chain is stopped.
    async fn ready(&self, height: u64) -> Result<Verified<Header>, ProveError> {
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
        self.client().header(height).ok_or(ProveError::NotRetained { height, head })
    }

    async fn claims(&self, height: u64, paths: Vec<Path>) -> Result<Vec<(Path, ProofClaim)>, ProveError> {
        self.ready(height).await?;
        let mut claims = Vec::with_capacity(paths.len());
        for chunk in paths.chunks(limits::PATHS_MAX) {
            let raw: Vec<Vec<u8>> = chunk.iter().map(|path| path.as_bytes().to_vec()).collect();
            let answers = self.source.proofs(height, &raw).await?;
            if answers.len() != chunk.len() {
                return Err(ProveError::Endpoint(catenary_api::Error {
                    code: "NODE-PRV-005",
                    class: catenary_light_clients::Class::Bug,
                    message: format!("{} proofs asked for, {} given by the adapter", chunk.len(), answers.len()),
                }));
            }
            claims.extend(chunk.iter().cloned().zip(answers));
        }
        Ok(claims)
    }

    fn member(&self, height: u64, path: &Path, claim: &ProofClaim) -> Result<Verified<Membership>, ProveError> {
        let Some(value) = &claim.value else {
            // That nothing is there is believed only when it is proven; else the endpoint withholds.
            self.absent(height, path, claim)?;
            return Err(claim_error(height, path, "holds nothing"));
        };
        let started = platform::monotonic();
        let fact = self.client().membership(height, path.as_bytes(), value, &claim.proof);
        self.observe("membership", fact.as_ref().err(), started.elapsed());
        Ok(fact?)
    }

    fn absent(&self, height: u64, path: &Path, claim: &ProofClaim) -> Result<Verified<Absence>, ProveError> {
        if claim.value.is_some() {
            return Err(claim_error(height, path, "holds a value"));
        }
        let started = platform::monotonic();
        let fact = self.client().absence(height, path.as_bytes(), &claim.proof);
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
        let claims = self.claims(height, paths).await?;
        Ok(claims.iter().map(|(path, claim)| self.absent(height, path, claim)).collect())
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
        self.client().status().instance
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
        let claims = self.claims(height, packets.iter().map(Packet::commitment_path).collect()).await?;
        let proven = packets.iter().zip(&claims).map(|(packet, (path, claim))| {
            let fact = self.member(height, path, claim)?;
            Ok(VerifiedPacket::new(packet.clone(), fact)?)
        });
        Ok(proven.collect())
    }

    async fn acks(
        &self,
        height: u64,
        packets: &[Packet],
    ) -> Result<Vec<Result<Verified<Membership>, ProveError>>, ProveError> {
        let claims = self.claims(height, packets.iter().map(Packet::ack_path).collect()).await?;
        Ok(claims.iter().map(|(path, claim)| self.member(height, path, claim)).collect())
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
