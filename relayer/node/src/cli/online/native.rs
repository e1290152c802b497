//! Native clients against our own light client: what they judge, how strictly, and that what they know of it is what we
//! have verified.

use catenary_adapter_cosmos::native::{state_of, TRUST_LEVEL};
use catenary_api::ClientClaim;

use super::{wrong, Failure};
use crate::chain::Chain;
use crate::config::{AdapterConfig, Config, PathConfig, Side};

/// Compares a native client's terms with the configuration, and what it holds with the chain that it judges; gives a
/// line that says so.
pub(super) async fn check(
    config: &Config,
    path: &PathConfig,
    (here, there): (&Side, &Side),
    (claim, judged): (&ClientClaim, &Chain),
) -> Result<String, Failure> {
    let client = here.client.as_deref().unwrap_or_default();
    let what = |field: &str| format!("path {}: client {client} on {}: {field}", path.name, here.chain);
    let Some(native) = &claim.native else {
        let next = "name a native client, or set client_kind = \"attested\"";
        return Err(wrong(what("type"), &claim.location, "07-tendermint", next));
    };
    let Some(chain) = config.chain(&there.chain) else {
        return Err(wrong(what("judged chain"), "nothing", &there.chain, "configure it"));
    };
    let level = |(above, below): (u64, u64)| format!("{above}/{below}");
    let prefix = match &chain.adapter {
        AdapterConfig::Cosmos(cosmos) => cosmos.store_prefix.join("/"),
        AdapterConfig::Evm(_) => String::new(),
    };
    let held: Vec<_> = native.counterparty_prefix.iter().map(|part| String::from_utf8_lossy(part)).collect();
    let trust = &chain.trust;
    let rows = [
        ("chain id", native.chain_id.clone(), chain.chain_id.clone()),
        ("trust level", level(native.trust_level), level(TRUST_LEVEL)),
        (
            "trusting period in seconds",
            native.trusting_period_seconds.to_string(),
            trust.trusting_period_seconds.to_string(),
        ),
        ("counterparty prefix", held.join("/"), prefix),
    ];
    for (field, got, expected) in rows {
        if got != expected {
            return Err(wrong(what(field), &got, &expected, "correct the configuration, or use another client"));
        }
    }
    let height = claim.latest_height;
    let trusted = judged.status().trusted_height;
    if height > trusted {
        let (got, expected) = (height.to_string(), format!("at most {trusted}, the head that was verified"));
        return Err(wrong(
            what("newest height"),
            &got,
            &expected,
            "run the check again; do not use the client if it stays",
        ));
    }
    let Some(newest) = native.newest else {
        return Err(wrong(what("newest state"), "nothing", "a state", "use another endpoint"));
    };
    if native.expires_at().is_some_and(|expires_at| expires_at <= crate::platform::now()) {
        let (got, expected) = (format!("expired, its newest header is of {}", newest.timestamp), "an active client");
        return Err(wrong(what("state"), &got, expected, "it has to be recovered by governance of its chain"));
    }
    // The header may be below the anchor; then it is compared with the endpoint's word, and a line says so.
    let known = judged.retains(height.saturating_sub(1));
    let update = if known { judged.trusted_update(height).await? } else { judged.update_at(height).await? };
    let shown = state_of(&update).map_err(catenary_api::Error::from)?;
    if shown != newest {
        let next = "the client believes what this chain does not show: do not use it, and tell the members";
        let (got, expected) = (newest.root.to_string(), shown.root.to_string());
        return Err(wrong(what("newest state"), &got, &expected, next));
    }
    let by = if known { "as our light client has verified it" } else { "as the endpoint shows it" };
    Ok(format!("path {}: client {client} on {} knows {} at height {height}, {by}", path.name, here.chain, there.chain))
}
