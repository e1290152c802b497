//! The scan: walks a side's blocks gap-free from a durable cursor, never above the verified head.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use catenary_api::{EventClaim, PacketEvent};
use catenary_core::engine::Side;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::job::PathContext;
use super::limits;
use super::screen::screen;
use crate::chain::endpoints::Endpoints;
use crate::chain::ProveError;
use crate::failpoint::failpoint;
use crate::platform;

/// Claims of one range of blocks, for the runner.
#[derive(Debug)]
pub(super) struct ClaimBatch {
    pub(super) side: Side,
    /// First height of the range.
    pub(super) from: u64,
    /// Last height of the range: all claims of it are in this batch. 0 for claims that belong to no range.
    pub(super) upto: u64,
    pub(super) claims: Vec<EventClaim>,
}

/// What a scan needs.
pub(super) struct Scan {
    pub(super) context: Arc<PathContext>,
    pub(super) side: Side,
    /// Height up to which everything has been taken.
    pub(super) cursor: u64,
    /// Height that the path's first scan of the chain began after: there may be no blocks below, and no packets.
    pub(super) start: u64,
    pub(super) claims: mpsc::Sender<ClaimBatch>,
    /// Heights to go back to, since a claim from there did not hold.
    pub(super) rewind: mpsc::Receiver<u64>,
}

impl Scan {
    /// Scans until cancelled. A range that fails is asked for again; the cursor moves only over what was taken.
    pub(super) async fn run(mut self, stop: CancellationToken) {
        let mut head = self.context.side(self.side).chain.watch();
        loop {
            while let Ok(height) = self.rewind.try_recv() {
                self.go_back(height);
            }
            let state = head.borrow_and_update().clone();
            let provable = if state.stop.is_some() { 0 } else { state.provable_height };
            if self.cursor < provable {
                let to = provable.min(self.cursor.saturating_add(limits::SCAN_BLOCKS));
                if self.take(to).await {
                    continue;
                }
            }
            let retry = Duration::from_millis(limits::RECEIPT_POLL_MS.saturating_mul(3));
            tokio::select! {
                biased;
                () = stop.cancelled() => return,
                changed = head.changed() => if changed.is_err() { return },
                height = self.rewind.recv() => match height {
                    Some(height) => self.go_back(height),
                    None => return,
                },
                () = platform::sleep(retry), if self.cursor < provable => {}
            }
        }
    }

    fn go_back(&mut self, height: u64) {
        self.cursor = self.cursor.min(height.saturating_sub(1).max(self.start));
    }

    /// Takes the blocks up to `to`; says whether it did.
    async fn take(&mut self, to: u64) -> bool {
        let from = self.cursor.saturating_add(1);
        let taken = self.proven(from, to).await;
        let side = self.context.side(self.side);
        match taken {
            Ok(claims) => {
                self.context.observer.scanned(side.chain.name(), to);
                self.context.observer.scanning(&self.context.name, self.side, Ok(()));
                self.cursor = to;
                failpoint("scan.taken");
                self.claims.send(ClaimBatch { side: self.side, from, upto: to, claims }).await.is_ok()
            }
            Err(error) => {
                self.context.observer.endpoint_failed(side.chain.name(), error.code());
                let reason = (error.code(), error.to_string());
                self.context.observer.scanning(&self.context.name, self.side, Err(reason));
                tracing::warn!(chain = side.chain.name(), from, to, code = error.code(), "blocks not taken: {error}");
                false
            }
        }
    }

    /// The claims of these blocks that are this path's and hold.
    async fn proven(&self, from: u64, to: u64) -> Result<Vec<EventClaim>, ProveError> {
        let endpoints = self.context.side(self.side).chain.endpoints();
        let judge = |claims: Vec<EventClaim>| {
            let ours = claims.into_iter().filter(|claim| self.is_ours(&claim.event)).collect();
            screen(&self.context, self.side, ours, (from, to))
        };
        first_that_holds(endpoints, (from, to), judge).await
    }

    /// Whether an event belongs to this path, by the clients on both ends.
    fn is_ours(&self, event: &PacketEvent) -> bool {
        let (here, there) = (self.context.side(self.side), self.context.side(self.side.other()));
        let packet = event.packet();
        let (source, destination) = match event {
            PacketEvent::WroteAck { .. } => (there, here),
            PacketEvent::Sent(_) | PacketEvent::Acknowledged(_) | PacketEvent::TimedOut(_) => (here, there),
        };
        packet.source_client == source.client_id && packet.destination_client == destination.client_id
    }
}

/// The events of the first endpoint whose claims hold. One whose claims are refused by a proof is blamed once another has
/// shown the same blocks rightly: alone, it may be the chain that is odd. When none is left, the first refusal is told.
async fn first_that_holds<F>(
    endpoints: &Endpoints,
    (from, to): (u64, u64),
    judge: impl Fn(Vec<EventClaim>) -> F,
) -> Result<Vec<EventClaim>, ProveError>
where
    F: Future<Output = Result<Vec<EventClaim>, ProveError>> + Send,
{
    let mut refused: Vec<(usize, ProveError)> = Vec::new();
    loop {
        let but: Vec<usize> = refused.iter().map(|(by, _)| *by).collect();
        let told = match endpoints.events_told(from, to, &but).await {
            Ok(told) => told,
            Err(error) => return Err(refused.into_iter().next().map_or_else(|| error.into(), |(_, first)| first)),
        };
        match judge(told.answer).await {
            Err(error @ (ProveError::Claim { .. } | ProveError::Protocol(_))) => refused.push((told.by, error)),
            Ok(claims) => {
                for (by, error) in &refused {
                    endpoints.refused(*by, error.code(), &error.to_string());
                }
                return Ok(claims);
            }
            Err(error) => return Err(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;
    use crate::chain::endpoints::testing::Fake;
    use crate::chain::endpoints::Unobserved;

    /// Found in review: an endpoint with a made-up event was asked again and again, and nobody else.
    #[tokio::test]
    async fn an_endpoint_whose_claims_are_refused_gives_way_to_another() {
        let lie = || ProveError::Claim { path: "0x".into(), claim: "holds nothing", height: 5 };
        // The first `liars` of two endpoints are refused.
        let check = |liars: usize, expect: Result<(), &'static str>, up: [bool; 2]| async move {
            let members = ["e0", "e1"].map(|name| Fake::default().member(name)).to_vec();
            let endpoints = Endpoints::new("test", members, Arc::new(Unobserved));
            let asked = AtomicUsize::new(0);
            let judge = |claims| {
                let outcome = if asked.fetch_add(1, Ordering::Relaxed) < liars { Err(lie()) } else { Ok(claims) };
                async move { outcome }
            };
            let got = first_that_holds(&endpoints, (1, 9), judge).await;
            assert_eq!(got.map(|_| ()).map_err(|error| error.code()), expect, "{liars} lie");
            assert_eq!([0, 1].map(|at| endpoints.standing(at).up), up, "{liars} lie");
        };
        check(0, Ok(()), [true, true]).await;
        check(1, Ok(()), [false, true]).await;
        // All say the same: the blocks are asked for again, and nobody is left out.
        check(2, Err(ProveError::CLAIM_CODE), [true, true]).await;
    }
}
