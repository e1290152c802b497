//! Who lies: validators that never were, and an endpoint that changes what it serves.

use std::time::Duration;

use catenary_devnet::cometbft::CometFault;
use catenary_devnet::fault::{lies, Answer, Lie};
use serde_json::json;

use super::super::config::{CHAINS, COSMOS, EVM, PATH};
use super::super::networks::failed;
use super::super::operator::Reason;
use super::super::setup::World;
use super::super::transfers::{Asset, End, Order, END_SECONDS};
use super::super::{Said, Stage};
use super::{expect, send, wait, Outcome};
use crate::chain::ProveError;
use crate::cli::output::Failure;
use crate::{platform, wiring};

/// Place of the operator that is lied to.
const VICTIM: usize = 2;
/// Pause between two looks at an operator, in milliseconds.
const LOOK_MS: u64 = 100;

/// Serves beta's light client a header that is signed by people who never were validators.
pub(super) async fn forged_header(world: &World) -> Outcome<()> {
    let networks = &world.networks;
    let view = networks.cosmos.fault(CometFault::ForgedValidatorSet).await.map_err(failed)?;
    let forged_at = view.height;
    let [evm, _] = networks.urls();
    // Beta's configuration with the forger as its endpoint, in a folder of its own; beta itself goes on undisturbed.
    let dir = world.site.folder_of_forger()?;
    let config = world.site.write_one(1, &dir, [evm, view.url().unwrap_or_default()])?;
    let known = config.chain(CHAINS[COSMOS]);
    let known = known.ok_or_else(|| Failure::new("NODE-DEMO-021", "the configuration lost a chain"))?;
    let observer = wiring::observer_for(known, &wiring::metrics_for(&config), &wiring::health_for(&config), None);
    let adapter = wiring::build_adapter(known)?;
    let chain = wiring::connect(known, &adapter, None, observer).await?;
    networks.cosmos.wait_for_height(forged_at.saturating_add(1)).await;
    let refusal = match chain.follow_once().await {
        Err(ProveError::Refused(refusal)) => refusal,
        Err(other) => return Err(other.into()),
        Ok(()) => return Err(Failure::new("NODE-DEMO-022", format!("the forged header {forged_at} was believed"))),
    };
    let trusted = chain.status().trusted_height;
    if trusted >= forged_at {
        let message = format!("the light client trusts height {trusted}, the forged header is {forged_at}");
        return Err(Failure::new("NODE-DEMO-023", message));
    }
    let line = format!(
        "A forged header is refused: cosmos block {forged_at}, signed by people who are no validators [{}]",
        refusal.code
    );
    let facts = json!({
        "code": refusal.code, "message": refusal.message, "forged_height": forged_at, "trusted_height": trusted,
    });
    Ok(((), Said::new(line, facts)))
}

/// One digit of the last validator's seal is another one. The hash of a header does not cover its seals, so only who
/// checks them notices.
fn other_seal() -> Lie {
    /// Digits from the end of the extra data into the last seal, which is 65 bytes long and ends it.
    const INTO_THE_SEAL: usize = 40;
    lies::about("eth_getBlockByNumber", |_, mut block| {
        if let Some(serde_json::Value::String(extra)) = block.get_mut("extraData") {
            let place = extra.len().saturating_sub(INTO_THE_SEAL);
            let digit = if extra.get(place..=place) == Some("0") { "1" } else { "0" };
            if extra.is_char_boundary(place) && place < extra.len() {
                extra.replace_range(place..=place, digit);
            }
        }
        Answer::Reply(block)
    })
}

/// Changes a seal in the headers that gamma's endpoint serves; gamma names it, and a transfer goes on without gamma.
pub(super) async fn lying_endpoint(stage: &mut Stage, world: &World) -> Outcome<()> {
    let endpoint = &world.networks.endpoints[VICTIM][EVM];
    endpoint.lies().tell(other_seal());
    let rows = send(stage, world, &[Order::of(Asset::Erc20, 42)]).await?;
    let reason = stopped(stage).await?;
    let code = code_in(&reason.message).unwrap_or_default().to_owned();
    let rejections = rejections(&stage.operators[VICTIM].metrics().await.unwrap_or_default(), &code);
    wait(stage).await?;
    rows.iter().try_for_each(|index| expect(stage, *index, End::Acknowledged))?;
    // Alpha's path stays ready: only who is lied to stops.
    stage.operators[0].wait_ready(Some(PATH)).await?;
    let told = endpoint.lies().told();
    endpoint.lies().tell_truth();
    let victim = &mut stage.operators[VICTIM];
    victim.wait_ready(None).await?;
    if code.is_empty() || rejections == 0 || told == 0 {
        let message =
            format!("{told} lies were told; gamma says {:?} and counts {rejections} rejections", reason.message);
        return Err(Failure::new("NODE-DEMO-024", message));
    }
    let line =
        format!("A lying endpoint is named: gamma's on evm changed a seal [{code}]; a transfer arrived meanwhile");
    let facts = json!({
        "code": code, "message": reason.message, "endpoint": endpoint.url(), "lies_told": told,
        "rejections": rejections, "metric": "catenary_verify_rejections_total",
        "readyz": format!("{}/readyz", victim.url()),
    });
    Ok(((), Said::new(line, facts)))
}

/// Waits until the victim says that a chain is stopped.
async fn stopped(stage: &mut Stage) -> Result<Reason, Failure> {
    let started = platform::monotonic();
    loop {
        stage.transfers.look(&stage.operators).await;
        let operator = &stage.operators[VICTIM];
        let reasons = operator.readiness(None).await.map(|readiness| readiness.reasons).unwrap_or_default();
        // The code of a chain that is stopped.
        if let Some(reason) = reasons.into_iter().find(|reason| reason.code == "NODE-HLT-004") {
            return Ok(reason);
        }
        if started.elapsed().as_secs() >= END_SECONDS {
            let message = format!("operator {} believes what its endpoint says after {END_SECONDS} s", operator.id);
            return Err(Failure::new("NODE-DEMO-025", message));
        }
        platform::sleep(Duration::from_millis(LOOK_MS)).await;
    }
}

/// The light client's code in `chain X is stopped: CODE: …`.
fn code_in(message: &str) -> Option<&str> {
    message.split(": ").map(str::trim).find(|part| part.starts_with("LC-"))
}

/// How often a page of metrics says that something was refused with a code.
fn rejections(page: &str, code: &str) -> u64 {
    let label = format!("code=\"{code}\"");
    let lines =
        page.lines().filter(|line| line.starts_with("catenary_verify_rejections_total{") && line.contains(&label));
    let counts = lines.filter_map(|line| line.rsplit_once(' ')?.1.parse::<f64>().ok());
    // Counts are whole numbers; a page shows them as floating point.
    counts.map(|count| if count >= 1.0 { count.to_string().parse().unwrap_or(1) } else { 0 }).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_and_counts_are_found_in_what_operators_say() {
        assert_eq!(code_in("chain evm is stopped: LC-QBFT-007: the seals do not fit"), Some("LC-QBFT-007"));
        assert_eq!(code_in("chain evm is stopped: NODE-CHN-001: it is old"), None);
        let page = "# HELP x\ncatenary_verify_rejections_total{code=\"LC-QBFT-007\",family=\"qbft\"} 3\n\
                    catenary_verify_rejections_total{code=\"LC-QBFT-008\",family=\"qbft\"} 0\n";
        assert_eq!(rejections(page, "LC-QBFT-007"), 3);
        assert_eq!(rejections(page, "LC-QBFT-008"), 0);
        assert_eq!(rejections(page, "LC-QBFT-009"), 0);
    }
}
