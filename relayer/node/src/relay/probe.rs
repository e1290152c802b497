//! Who can sign for each side of a path, and whether its on-chain clients are frozen, looked at also when nothing is
//! sent, so that readiness tells before a packet has to wait.

use std::sync::Arc;
use std::time::Duration;

use catenary_core::engine::Side;
use tokio_util::sync::CancellationToken;

use super::job::PathContext;
use super::limits;
use super::material::{note_attested, Material};
use crate::platform;

/// Looks at who can sign between two looks at the on-chain clients, which are frozen once in years: a minute.
const LOOKS_PER_CLIENT: u64 = 12;

/// Asks the members of both sides for their heads until cancelled.
pub async fn probe(context: Arc<PathContext>, stop: CancellationToken) {
    for look in 0_u64.. {
        if look % LOOKS_PER_CLIENT == 0 {
            clients(&context).await;
        }
        for side in [Side::A, Side::B] {
            // A client that judges by validators needs nobody's signature.
            let Material::Attested(attested) = &context.side(side).material else { continue };
            let collector = &attested.collector;
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

/// Asks for the attestation clients of both sides; how a client stands that judges by validators is looked at by its
/// upkeep. What an endpoint claims of them is shown, and decides only whether packets wait.
async fn clients(context: &PathContext) {
    for (at, side) in [Side::A, Side::B].map(|side| (side, context.side(side))) {
        if side.chain.is_unconnected() || !matches!(side.material, Material::Attested(_)) {
            continue;
        }
        match side.chain.source().client(&side.client_id).await {
            Ok(Some(claim)) => {
                context.observer.on_chain_client(&context.name, side.chain.name(), &side.client_id, &claim);
                note_attested(context, at, claim.frozen);
            }
            Ok(None) => {}
            Err(error) => {
                let (chain, client) = (side.chain.name(), &side.client_id);
                tracing::debug!(chain, client, code = error.code, "on-chain client not read: {error}");
            }
        }
    }
}
