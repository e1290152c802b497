//! What an on-chain client that judges by validators is shown: verified facts with the bytes that proved them, and
//! headers that the light client has verified, in the endpoint's form.
//!
//! # What an attacker can grow
//! Nothing: what is fetched is handed on, and all of it is bounded as elsewhere (`api::limits`).

use catenary_api::ProofClaim;
use catenary_light_clients::{Absence, Membership, Verified};
use catenary_protocol::{Packet, Path, VerifiedPacket};

use super::{Chain, ProveError};

/// A verified fact, with the bytes that it was proven by.
#[derive(Clone, Debug)]
pub struct Proven<T> {
    /// The fact.
    pub fact: T,
    /// The proof, as the endpoint gave it and the light client took it.
    pub proof: Vec<u8>,
}

/// One outcome a packet, or why the height as a whole cannot be proven.
pub type AllProven<T> = Result<Vec<Result<Proven<T>, ProveError>>, ProveError>;

impl Chain {
    /// As [`Prover::packets`](super::Prover::packets), with the proofs.
    ///
    /// # Errors
    /// The height as a whole cannot be proven, or the endpoint failed.
    pub async fn proven_packets(&self, height: u64, packets: &[Packet]) -> AllProven<VerifiedPacket> {
        let paths: Vec<Path> = packets.iter().map(Packet::commitment_path).collect();
        let facts = self.judged(height, &paths, |path, claim| proven(claim, self.member(height, path, claim)?)).await?;
        let proven = packets.iter().zip(facts).map(|(packet, proven)| {
            let Proven { fact, proof } = proven?;
            Ok(Proven { fact: VerifiedPacket::new(packet.clone(), fact)?, proof })
        });
        Ok(proven.collect())
    }

    /// As [`Prover::acks`](super::Prover::acks), with the proofs.
    ///
    /// # Errors
    /// The height as a whole cannot be proven, or the endpoint failed.
    pub async fn proven_acks(&self, height: u64, packets: &[Packet]) -> AllProven<Verified<Membership>> {
        let paths: Vec<Path> = packets.iter().map(Packet::ack_path).collect();
        self.judged(height, &paths, |path, claim| proven(claim, self.member(height, path, claim)?)).await
    }

    /// As [`Prover::receipt_absences`](super::Prover::receipt_absences), with the proofs.
    ///
    /// # Errors
    /// The height as a whole cannot be proven, or the endpoint failed.
    pub async fn proven_receipt_absences(&self, height: u64, packets: &[Packet]) -> AllProven<Verified<Absence>> {
        let paths: Vec<Path> = packets.iter().map(Packet::receipt_path).collect();
        self.judged(height, &paths, |path, claim| proven(claim, self.absent(height, path, claim)?)).await
    }

    /// The update of one height, as the endpoint gives it.
    ///
    /// # Errors
    /// The endpoint failed.
    pub async fn update_at(&self, height: u64) -> Result<Vec<u8>, ProveError> {
        let updates = self.source().updates(height, height).await?;
        updates.into_iter().next().ok_or_else(|| {
            ProveError::Endpoint(catenary_api::Error {
                code: "NODE-PRV-006",
                class: catenary_light_clients::Class::Transient,
                message: format!("chain {}: no update was given for height {height}", self.name()),
            })
        })
    }

    /// The update of one height that the light client has verified already: another header at that height is a
    /// contradiction, and is treated as one.
    ///
    /// # Errors
    /// The chain is stopped, the height is not trusted yet, the endpoint failed, or it gave another header.
    pub async fn trusted_update(&self, height: u64) -> Result<Vec<u8>, ProveError> {
        // The state below is proven by this header, so it is ready when that is.
        self.ready(height.saturating_sub(1)).await?;
        let update = self.update_at(height).await?;
        self.repeated(&update)?;
        Ok(update)
    }

    /// The update of one height, known or not: where the light client has verified that height, another header is a
    /// contradiction, and is treated as one.
    ///
    /// # Errors
    /// The endpoint failed, or it gave another header than the one that is retained.
    pub async fn uncontradicted_update(&self, height: u64) -> Result<Vec<u8>, ProveError> {
        let update = self.update_at(height).await?;
        // A header is retained when it is the newest one, when the state after it can be proven, and when the one below
        // can, since that is in it.
        let is_newest = self.status().trusted_height == height;
        if is_newest || self.retains(height) || self.retains(height.saturating_sub(1)) {
            self.repeated(&update)?;
        }
        Ok(update)
    }

    /// Whether the state after block `height` can be proven from what is retained, without waiting for anything.
    #[must_use]
    pub fn retains(&self, height: u64) -> bool {
        self.client().as_ref().is_some_and(|client| client.header(height).is_some())
    }
}

fn proven<T>(claim: &ProofClaim, fact: T) -> Result<Proven<T>, ProveError> {
    Ok(Proven { fact, proof: claim.proof.clone() })
}

#[cfg(test)]
mod tests;
