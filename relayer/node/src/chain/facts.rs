//! What paths are proven to hold, for whoever does not know beforehand: a membership or an absence, and never a claim.

use catenary_light_clients::{Absence, Membership, Verified};
use catenary_protocol::Path;

use super::{Chain, ProveError};

/// What a path is proven to hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fact {
    /// A value.
    Holds(Verified<Membership>),
    /// Nothing.
    Nothing(Verified<Absence>),
}

impl Chain {
    /// Proves what each path holds in the state after block `height`. One outcome a path, in order.
    ///
    /// # Errors
    /// The height as a whole cannot be proven, or the endpoint failed.
    pub async fn facts(&self, height: u64, paths: Vec<Path>) -> Result<Vec<Result<Fact, ProveError>>, ProveError> {
        let judge = |path: &Path, claim: &catenary_api::ProofClaim| match claim.value {
            Some(_) => self.member(height, path, claim).map(Fact::Holds),
            None => self.absent(height, path, claim).map(Fact::Nothing),
        };
        self.judged(height, &paths, judge).await
    }
}
