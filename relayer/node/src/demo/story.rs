//! The steps, in their order: the set-up, value both ways, and then whatever tries to go wrong.

mod adversaries;
mod failures;

use serde_json::json;

use super::books::{self, Book};
use super::config::{COSMOS, EVM, OPERATORS, PATH, THRESHOLD};
use super::folder::Folder;
use super::networks::Networks;
use super::setup::{self, Site, World};
use super::transfers::{Asset, End, Order};
use super::{Said, Settings, Stage};
use crate::cli::output::Failure;

/// A receiver that no Cosmos chain can pay.
const NOBODY: &str = "cosmos1nobody";

/// Networks, contracts, path and operators; `None` when a step did not hold.
pub(super) async fn set_up(settings: Settings, stage: &mut Stage, folder: &Folder) -> Option<World> {
    let began = stage.begin("making keys and starting both networks");
    let outcome = started(settings, folder).await;
    let (mut site, networks) = stage.end("networks", began, outcome)?;

    let began = stage.begin("deploying the contracts and a token on the EVM network");
    let outcome = deployed(&mut site, &networks).await;
    let token = stage.end("contracts", began, outcome)?;

    let began = stage.begin("creating the on-chain clients of both ends");
    let progress = |step: &str, _: &str| stage.show.now(format!("creating the path: {}", step.replace('_', " ")));
    let outcome = opened(site, networks, token, &progress).await;
    let mut world = stage.end("path", began, outcome)?;

    let began = stage.begin("starting alpha, beta and gamma");
    let outcome = running(stage, &mut world).await;
    stage.end("operators", began, outcome)?;
    Some(world)
}

/// What the set-up is for; `None` when a step did not hold.
pub(super) async fn tell(stage: &mut Stage, world: &World) -> Option<[Book; 2]> {
    let began = stage.begin("sending transfers both ways");
    let outcome = both_ways(stage, world).await;
    stage.end("transfers", began, outcome)?;

    let began = stage.begin("sending the vouchers home");
    let outcome = home(stage, world).await;
    stage.end("vouchers_home", began, outcome)?;

    let began = stage.begin("forging a header");
    let outcome = adversaries::forged_header(world).await;
    stage.end("forged_header", began, outcome)?;

    let began = stage.begin("lying to gamma");
    let outcome = adversaries::lying_endpoint(stage, world).await;
    stage.end("lying_endpoint", began, outcome)?;

    let began = stage.begin("stopping gamma");
    let outcome = failures::operator_stopped(stage, world).await;
    stage.end("operator_stopped", began, outcome)?;

    let began = stage.begin("killing alpha with a transfer on its way");
    let outcome = failures::relayer_killed(stage, world).await;
    stage.end("relayer_killed", began, outcome)?;

    let began = stage.begin("sending a transfer with too little time");
    let outcome = failures::deadline_missed(stage, world).await;
    stage.end("deadline_missed", began, outcome)?;

    let began = stage.begin("counting what is locked and what stands for it");
    let outcome = conserved(stage, world).await;
    stage.end("conservation", began, outcome)
}

type Outcome<T> = Result<(T, Said), Failure>;

async fn started(settings: Settings, folder: &Folder) -> Outcome<(Site, Networks)> {
    let (site, networks) = setup::networks(settings, folder).await?;
    let validators = networks.evm.validators().len();
    let line = format!("Two networks are up: evm, {validators} QBFT validators, and cosmos, 4 CometBFT validators");
    let facts = json!({ "evm_chain_id": networks.evm.chain_id(), "evm_validators": validators });
    Ok(((site, networks), Said::new(line, facts)))
}

async fn deployed(site: &mut Site, networks: &Networks) -> Outcome<String> {
    let token = site.contracts(networks).await?;
    let [(evm, _), (cosmos, _)] = &site.shared.anchors;
    let line = format!("Contracts are deployed; trust is pinned at evm block {evm} and cosmos block {cosmos}");
    let facts = json!({ "token": token, "evm_anchor_height": evm, "cosmos_anchor_height": cosmos });
    Ok((token, Said::new(line, facts)))
}

async fn opened(
    site: Site,
    networks: Networks,
    token: String,
    progress: &(dyn Fn(&str, &str) + Sync),
) -> Outcome<World> {
    let world = Box::pin(site.path(networks, token, progress)).await?;
    let [evm, cosmos] = &world.customers.clients;
    let line = format!("The path is open: each end wants {THRESHOLD} of 3 operators to have verified for themselves");
    let facts = json!({ "path": PATH, "evm_client": evm, "cosmos_client": cosmos, "threshold": THRESHOLD });
    Ok((world, Said::new(line, facts)))
}

async fn running(stage: &mut Stage, world: &mut World) -> Outcome<()> {
    stage.operators = world.site.operators()?;
    world.site.release_ports();
    for operator in &mut stage.operators {
        operator.start()?;
    }
    for operator in &mut stage.operators {
        operator.wait_ready(None).await?;
    }
    let line = "Three operators follow both chains with light clients of their own: alpha, beta, gamma";
    Ok(((), Said::new(line, json!({ "operators": OPERATORS }))))
}

/// Sends orders, those of the two chains side by side, and gives the places of their rows.
async fn send(stage: &mut Stage, world: &World, orders: &[Order]) -> Result<Vec<usize>, Failure> {
    let first = stage.transfers.rows.len() as u64;
    let began = stage.transfers.began;
    let from = |chain: usize| async move {
        let mut rows = Vec::new();
        for (number, order) in (first..).zip(orders).filter(|(_, order)| order.asset.source() == chain) {
            rows.push(world.customers.send(order, number, began).await?);
        }
        Ok::<_, Failure>(rows)
    };
    let (evm, cosmos) = futures::future::join(from(EVM), from(COSMOS)).await;
    let at = stage.transfers.rows.len();
    stage.transfers.rows.extend(evm?.into_iter().chain(cosmos?));
    Ok((at..stage.transfers.rows.len()).collect())
}

/// Waits for the end of all transfers.
async fn wait(stage: &mut Stage) -> Result<(), Failure> {
    let Stage { transfers, operators, show, .. } = stage;
    transfers.wait_ended(operators, &|text| show.now(text)).await
}

/// The end of a row must be this one.
fn expect(stage: &Stage, index: usize, expected: End) -> Result<(), Failure> {
    let row = &stage.transfers.rows[index];
    if row.end == Some(expected) {
        return Ok(());
    }
    let message = format!("transfer {} ended as {:?}, expected was {expected:?}", row.packet, row.end);
    Err(Failure::new("NODE-DEMO-019", message))
}

async fn both_ways(stage: &mut Stage, world: &World) -> Outcome<()> {
    let lost = Order { receiver: Some(NOBODY.to_owned()), ..Order::of(Asset::Erc20, 11) };
    let orders = [Order::of(Asset::Erc20, 250), lost, Order::of(Asset::Native, 700)];
    let rows = send(stage, world, &orders).await?;
    wait(stage).await?;
    for (index, end) in rows.iter().zip([End::Acknowledged, End::Rejected, End::Acknowledged]) {
        expect(stage, *index, end)?;
    }
    let line = "Value went both ways and was acknowledged; one transfer to nobody came back as a refund";
    Ok(((), Said::new(line, json!({ "arrived": 2, "refunded": 1 }))))
}

async fn home(stage: &mut Stage, world: &World) -> Outcome<()> {
    let orders = [Order::of(Asset::Erc20Voucher, 100), Order::of(Asset::NativeVoucher, 300)];
    let rows = send(stage, world, &orders).await?;
    wait(stage).await?;
    rows.iter().try_for_each(|index| expect(stage, *index, End::Acknowledged))?;
    let line = "Vouchers went home: burned on one side, released from escrow on the other";
    Ok(((), Said::new(line, json!({ "arrived": 2 }))))
}

async fn conserved(stage: &Stage, world: &World) -> Outcome<[Book; 2]> {
    let books = books::read(&world.customers, &world.cosmos, &stage.transfers.rows).await?;
    if let Some(book) = books.iter().find(|book| !book.balances()) {
        return Err(Failure::new("NODE-DEMO-020", format!("value is not conserved: {}", book.words())));
    }
    let [erc20, native] = &books;
    let line = format!("Not a unit too many or too few: {}; {}", erc20.words(), native.words());
    let facts = serde_json::to_value(&books).map(|books| json!({ "books": books })).unwrap_or_default();
    Ok((books, Said::new(line, facts)))
}
