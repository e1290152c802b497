//! `catenary-scenario`: the main job for a person to watch. Two real networks, three operators, value both ways, a
//! timeout and an error acknowledgement, then a table of what happened, read from the chains.
#![allow(clippy::print_stdout, reason = "a command line tool")]

use std::process::ExitCode;
use std::time::{Duration, Instant};

use catenary_tests::consortium::{Asset, Consortium, ConsortiumOptions, Order, MEMBERS, PATH};
use catenary_tests::localnet::LocalnetError;
use clap::Parser;

/// How long a transfer may take, in seconds; generous for loaded machines.
const TRANSFER_SECONDS: u64 = 180;
/// A timeout that is too short for a delivery, in seconds.
const SHORT_SECONDS: u64 = 12;

/// Three operators move value between a QBFT network and an ibc-go chain.
#[derive(Debug, Parser)]
#[command(name = "catenary-scenario")]
struct Cli {
    /// Keep everything running until Ctrl-C.
    #[arg(long)]
    keep_running: bool,
    /// Validators of the ibc-go chain.
    #[arg(long, default_value_t = 1)]
    simd_validators: usize,
}

fn main() -> ExitCode {
    match run(&Cli::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("catenary-scenario: {error}");
            ExitCode::FAILURE
        }
    }
}

fn say(text: &str) {
    println!("> {text}");
}

fn run(cli: &Cli) -> Result<(), LocalnetError> {
    let (tell, told) = std::sync::mpsc::channel();
    let handler = ctrlc::set_handler(move || {
        // A second signal finds the receiver gone, and there is nothing left to tell.
        let _ = tell.send(());
    });
    handler.map_err(|error| LocalnetError::Answer { what: "catching Ctrl-C".to_owned(), answer: error.to_string() })?;
    let start = Instant::now();
    let options =
        ConsortiumOptions { simd_validators: cli.simd_validators, progress: say, ..ConsortiumOptions::default() };
    let mut consortium = Consortium::start(&options)?;
    say(&format!("ready after {} s; users send transfers now", start.elapsed().as_secs()));
    transfers(&consortium)?;
    println!("\n{}\n", consortium.table()?);
    for book in consortium.conserved()? {
        println!(
            "{:?}: {} locked = {} vouchers + {} in flight, at heights {} and {}",
            book.asset, book.locked, book.vouchers, book.in_flight, book.heights[0], book.heights[1]
        );
    }
    let deliveries = consortium.deliveries()?;
    println!(
        "{} packet messages in blocks, {} of them redundant; by signer:",
        deliveries.messages(),
        deliveries.redundant()
    );
    for (signer, count) in deliveries.by_signer() {
        let member = consortium.member_of_signer(&signer).map_or("somebody else", |member| MEMBERS[member]);
        println!("  {member} as {signer}: {count}");
    }
    println!("times: SENT counts from the first transfer, RECEIVED and ENDED from its own sending; gas is the packet's share");
    where_to_look(&consortium);
    if cli.keep_running {
        println!("Ctrl-C ends it all");
        // Fails only when the handler is gone, which ends the scenario as well.
        let _ = told.recv();
    }
    for operator in &mut consortium.operators {
        operator.stop();
    }
    say("ended");
    Ok(())
}

fn transfers(consortium: &Consortium) -> Result<(), LocalnetError> {
    let deadline = Duration::from_secs(TRANSFER_SECONDS);
    let mut open = vec![
        consortium.send(Asset::Erc20, Order::of(250))?,
        consortium.send(Asset::Native, Order::of(700))?,
        consortium.send(Asset::Erc20, Order::of(11).to("cosmos1nobody"))?,
        consortium.send(Asset::Native, Order::of(12).to("nobody"))?,
        consortium.send(Asset::Erc20, Order::of(13).within(SHORT_SECONDS))?,
    ];
    say("sent both ways: two that will arrive, two to receivers that do not exist, one with too little time");
    consortium.wait_ended(&open, deadline)?;
    say("all ended; now the vouchers go home");
    open = vec![
        consortium.send(Asset::Erc20Voucher, Order::of(100))?,
        consortium.send(Asset::NativeVoucher, Order::of(300))?,
    ];
    consortium.wait_ended(&open, deadline)?;
    say("all ended");
    Ok(())
}

fn where_to_look(consortium: &Consortium) {
    println!("configurations, keys and logs are in {}", consortium.folder().display());
    println!("(they go at the end; with --keep-running there is time to look, with CATENARY_KEEP=1 they stay)");
    for operator in &consortium.operators {
        println!("  {}: {u}/metrics {u}/readyz?path={PATH} {u}/v1/packets", operator.id, u = operator.url());
    }
    let [evm, cosmos] = consortium.urls();
    println!("networks: {evm} and {cosmos}");
}
