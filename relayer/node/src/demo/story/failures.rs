//! Who fails: an operator that is away, one that is killed, and a transfer that comes too late.

use std::time::Duration;

use serde_json::json;

use super::super::config::RECV_MARGIN_SECONDS;
use super::super::setup::World;
use super::super::transfers::{Asset, End, Order, END_SECONDS};
use super::super::{Said, Stage};
use super::{expect, send, wait, Outcome};
use crate::cli::output::Failure;
use crate::platform;

/// Place of the operator that is killed.
const ALPHA: usize = 0;
/// Place of the operator that is stopped.
const GAMMA: usize = 2;
/// Seconds that the late transfer has: enough for its own block, too few for a delivery.
const SHORT_SECONDS: u64 = 5;
const _: () = assert!(SHORT_SECONDS < RECV_MARGIN_SECONDS);
/// Pause between two looks at an operator, in milliseconds: short, since a packet is to be caught on its way.
const LOOK_MS: u64 = 20;

/// Two of three serve.
pub(super) async fn operator_stopped(stage: &mut Stage, world: &World) -> Outcome<()> {
    stage.operators[GAMMA].stop().await;
    let rows = send(stage, world, &[Order::of(Asset::Erc20, 60), Order::of(Asset::Native, 80)]).await?;
    wait(stage).await?;
    rows.iter().try_for_each(|index| expect(stage, *index, End::Acknowledged))?;
    let line = "One operator is stopped, and two serve on: gamma is away, value goes both ways";
    Ok(((), Said::new(line, json!({ "stopped": stage.operators[GAMMA].id, "arrived": 2 }))))
}

/// With gamma away and alpha killed, beta alone reaches no threshold: the transfer waits until alpha is back, which
/// goes on where its journal ends.
pub(super) async fn relayer_killed(stage: &mut Stage, world: &World) -> Outcome<()> {
    let rows = send(stage, world, &[Order::of(Asset::Native, 90)]).await?;
    let packet = stage.transfers.rows[rows[0]].packet.clone();
    let at = seen(stage, &packet).await?;
    stage.operators[ALPHA].kill().await;
    stage.transfers.look(&stage.operators).await;
    if stage.transfers.open() == 0 {
        return Err(Failure::new("NODE-DEMO-026", format!("transfer {packet} had ended before alpha was killed")));
    }
    stage.operators[ALPHA].start()?;
    stage.operators[ALPHA].wait_ready(None).await?;
    wait(stage).await?;
    rows.iter().try_for_each(|index| expect(stage, *index, End::Acknowledged))?;
    stage.operators[GAMMA].start()?;
    let line = "A relayer is killed mid-flight and recovers: alpha reads its journal, the transfer arrives once";
    let facts = json!({ "killed": stage.operators[ALPHA].id, "packet": packet, "stage_when_killed": at });
    Ok(((), Said::new(line, facts)))
}

/// Waits until alpha knows a packet, and gives the stage that it knows.
async fn seen(stage: &Stage, packet: &str) -> Result<String, Failure> {
    let started = platform::monotonic();
    loop {
        if let Some(view) = stage.operators[ALPHA].packet(packet).await {
            return Ok(view.stage);
        }
        if started.elapsed().as_secs() >= END_SECONDS {
            let message = format!("alpha has not seen packet {packet} after {END_SECONDS} s");
            return Err(Failure::new("NODE-DEMO-027", message));
        }
        platform::sleep(Duration::from_millis(LOOK_MS)).await;
    }
}

/// A transfer that has less time than a delivery is given is refunded, on a proof that it was never received.
pub(super) async fn deadline_missed(stage: &mut Stage, world: &World) -> Outcome<()> {
    let late = Order { timeout_seconds: SHORT_SECONDS, ..Order::of(Asset::Native, 33) };
    let rows = send(stage, world, &[late]).await?;
    wait(stage).await?;
    rows.iter().try_for_each(|index| expect(stage, *index, End::TimedOut))?;
    stage.operators[GAMMA].wait_ready(None).await?;
    let line = format!("A deadline is missed and refunded: {SHORT_SECONDS} s were too few; absence proven, money back");
    let facts = json!({ "timeout_seconds": SHORT_SECONDS });
    Ok(((), Said::new(line, facts)))
}
