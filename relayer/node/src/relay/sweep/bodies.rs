//! Looking for the bodies of packets whose sequences are known: from the head down, a bounded number of blocks a round,
//! by sequence where the adapter can search and block by block where it cannot.

use std::collections::BTreeSet;

use catenary_api::limits::{HEIGHTS_MAX, SEARCH_HEIGHTS_MAX, SEARCH_SEQUENCES_MAX};
use catenary_api::{ChainSource, Error, EventClaim, Search, SearchKind};
use catenary_light_clients::Class;

use super::super::limits;

/// Where a look for some packets stands.
#[derive(Debug)]
pub(super) struct Walk {
    kind: SearchKind,
    /// What is looked for.
    wanted: BTreeSet<u64>,
    /// The next block downwards; 0 begins at the head.
    next: u64,
    /// Whether the adapter has not refused to search.
    searches: bool,
}

impl Walk {
    pub(super) const fn new(kind: SearchKind) -> Self {
        Self { kind, wanted: BTreeSet::new(), next: 0, searches: true }
    }

    /// Looks on for a while; gives what was found, and what failed. The walk begins anew when more is wanted, when it has
    /// come to the first block, and when an endpoint fails: then another one is asked, where there is one.
    pub(super) async fn look(
        &mut self,
        source: &dyn ChainSource,
        client_id: &str,
        wanted: &BTreeSet<u64>,
        head: u64,
    ) -> (Vec<EventClaim>, Option<Error>) {
        if self.next == 0 || !wanted.is_subset(&self.wanted) {
            self.next = head;
        }
        self.wanted.clone_from(wanted);
        let (mut found, mut left) = (Vec::new(), wanted.clone());
        for _ in 0..limits::SWEEP_WINDOWS {
            if left.is_empty() || self.next == 0 {
                break;
            }
            let (from, claims) = self.window(source, client_id, &left).await;
            match claims {
                Ok(claims) => {
                    for claim in &claims {
                        left.remove(&claim.event.packet().sequence);
                    }
                    found.extend(claims);
                    self.next = from.saturating_sub(1);
                }
                // It cannot search at all: the same blocks are walked.
                Err(error) if self.searches && error.class != Class::Transient => self.searches = false,
                Err(error) => {
                    self.give_up(source).await;
                    return (found, Some(error));
                }
            }
        }
        if self.next == 0 && !left.is_empty() {
            self.give_up(source).await;
        }
        if left.is_empty() {
            self.next = 0;
        }
        (found, None)
    }

    /// The events of one window that ends at the next block, and where it begins.
    async fn window(
        &self,
        source: &dyn ChainSource,
        client_id: &str,
        wanted: &BTreeSet<u64>,
    ) -> (u64, Result<Vec<EventClaim>, Error>) {
        let search = if self.searches { source.search() } else { None };
        let width = if search.is_some() { SEARCH_HEIGHTS_MAX } else { HEIGHTS_MAX };
        let (from, to) = (self.next.saturating_sub(width.saturating_sub(1)).max(1), self.next);
        let all: Vec<u64> = wanted.iter().copied().collect();
        let Some(search) = search else {
            let wanted = Search { kind: self.kind, client_id, sequences: &all, from, to };
            let claims = source.events(from, to).await;
            return (from, claims.map(|all| all.into_iter().filter(|claim| wanted.wants(claim)).collect()));
        };
        let mut found = Vec::new();
        for sequences in all.chunks(SEARCH_SEQUENCES_MAX) {
            let wanted = Search { kind: self.kind, client_id, sequences, from, to };
            match search.find(&wanted).await {
                Ok(claims) => found.extend(claims.into_iter().filter(|claim| wanted.wants(claim))),
                Err(error) => return (from, Err(error)),
            }
        }
        (from, Ok(found))
    }

    async fn give_up(&mut self, source: &dyn ChainSource) {
        self.next = 0;
        if let Some(search) = source.search() {
            search.elsewhere().await;
        }
    }
}

#[cfg(test)]
mod tests;
