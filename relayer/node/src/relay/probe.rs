//! Who can sign for each side of a path, looked at also when nothing is sent, so that readiness tells before a packet
//! has to wait.

use std::sync::Arc;
use std::time::Duration;

use catenary_core::engine::Side;
use tokio_util::sync::CancellationToken;

use super::job::PathContext;
use super::limits;
use crate::platform;

/// Asks the members of both sides for their heads until cancelled.
pub async fn probe(context: Arc<PathContext>, stop: CancellationToken) {
    while !stop.is_cancelled() {
        for side in [Side::A, Side::B] {
            let collector = &context.side(side).collector;
            let availability = collector.probe().await;
            context.observer.available(&context.name, side, collector.chain(), &availability);
        }
        tokio::select! {
            biased;
            () = stop.cancelled() => return,
            () = platform::sleep(Duration::from_millis(limits::PROBE_MS)) => {}
        }
    }
}
