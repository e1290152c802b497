//! Comparing the endpoints of a chain with what its light client verified.

use std::time::Duration;

use catenary_light_clients::{Rejection, Verdict};
use futures::future::join_all;

use super::{blame, Chain};
use crate::platform;

/// Looks at the head between two comparisons of all endpoints: with the usual period of a look, ten seconds.
const LOOKS: u64 = 25;
/// Blocks below a refused header in which the place where it parts is looked for: what one-second blocks make between
/// two comparisons, and some more.
const FORK_BLOCKS: u64 = 16;

impl Chain {
    /// Compares all endpoints now and then, for ever. One endpoint alone has nothing to be compared with.
    pub(super) async fn compare_on(&self) {
        if self.endpoints.count() < 2 {
            return;
        }
        loop {
            platform::sleep(Duration::from_millis(self.options.poll_ms.saturating_mul(LOOKS))).await;
            self.compare().await;
        }
    }

    /// Asks every endpoint that may be asked for its network, its head, and a header that was verified already.
    pub async fn compare(&self) {
        join_all(self.endpoints.comparable().into_iter().map(|at| self.compare_one(at))).await;
    }

    async fn compare_one(&self, at: usize) {
        // What fails here is noted where it failed.
        if self.endpoints.identify(at, &self.chain_id).await.is_err() {
            return;
        }
        let trusted = self.status().trusted_height;
        let Ok(head) = self.endpoints.head_of(at, trusted).await else { return };
        let height = head.height.min(trusted);
        // Far below the head, headers may not be kept any more; whoever is there is left out for being behind.
        if trusted == 0 || trusted.saturating_sub(height) > super::endpoints::limits::LAG_BLOCKS_MAX {
            return;
        }
        let Ok(updates) = self.endpoints.updates_of(at, height, height).await else { return };
        let Some(update) = updates.first() else { return };
        match self.verify(update) {
            Some(Verdict::Verified(_)) => self.endpoints.agreed(at),
            Some(Verdict::Rejected(reason)) if self.is_to_blame(&reason) => {
                self.endpoints.refused_again(at, reason.code, &reason.message);
                self.look_for_fork(at, height).await;
            }
            // Two valid headers for one height: the light client is frozen, which the follower publishes.
            _ => {}
        }
    }

    /// A header that does not belong may be of a second chain that the same validators sealed. Where that one parts from
    /// the verified chain, both headers are valid, and the light client freezes; so it is shown the blocks before.
    async fn look_for_fork(&self, at: usize, height: u64) {
        let from = height.saturating_sub(FORK_BLOCKS).max(1);
        let Ok(updates) = self.endpoints.updates_of(at, from, height.saturating_sub(1)).await else { return };
        for update in updates.iter().rev() {
            if !matches!(self.verify(update), Some(Verdict::Rejected(_))) {
                return;
            }
        }
    }

    /// Whether a refused header is the doing of the endpoint that gave it.
    pub(super) fn is_to_blame(&self, reason: &Rejection) -> bool {
        !self.status().frozen && blame(reason.class)
    }
}
