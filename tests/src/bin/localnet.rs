//! `catenary-localnet`: the test networks for a person, and the recorder of live vectors.
#![allow(clippy::print_stdout, reason = "a command line tool")]

use std::path::PathBuf;
use std::process::ExitCode;

use catenary_tests::localnet::{
    ensure_anvil, ensure_built, ensure_geth, record, Account, LocalnetError, Quorum, QuorumOptions, Simd, SimdOptions,
};
use clap::{Parser, Subcommand};

/// Real chain nodes on loopback.
#[derive(Debug, Parser)]
#[command(name = "catenary-localnet")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Build the node programs into the cache.
    Build,
    /// Start both networks and keep them until Ctrl-C.
    Up {
        /// QBFT validators.
        #[arg(long, default_value_t = 4)]
        qbft_validators: usize,
        /// simd validators.
        #[arg(long, default_value_t = 1)]
        simd_validators: usize,
    },
    /// Record the live vectors anew (about five minutes).
    Record {
        /// Folder that holds `qbft` and `cometbft`.
        #[arg(long, default_value = concat!(env!("CARGO_MANIFEST_DIR"), "/vectors"))]
        out: PathBuf,
        /// Record only this one.
        #[arg(long, value_parser = ["qbft", "cometbft"])]
        only: Option<String>,
    },
}

fn main() -> ExitCode {
    match run(Cli::parse().command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(e) => {
            eprintln!("catenary-localnet: {e}");
            ExitCode::FAILURE
        }
    }
}

fn run(command: Command) -> Result<(), LocalnetError> {
    match command {
        Command::Build => {
            let b = ensure_built()?;
            println!("{}\n{}\n{}", b.geth.display(), b.qbftgen.display(), b.simd.display());
            println!("{}\n{}", ensure_geth()?.display(), ensure_anvil()?.display());
            Ok(())
        }
        Command::Up { qbft_validators, simd_validators } => up(qbft_validators, simd_validators),
        Command::Record { out, only } => {
            let wanted = |name: &str| only.as_deref().is_none_or(|o| o == name);
            if wanted("qbft") {
                record::record_qbft(&out.join("qbft"))?;
            }
            if wanted("cometbft") {
                record::record_cometbft(&out.join("cometbft"))?;
            }
            Ok(())
        }
    }
}

fn up(qbft_validators: usize, simd_validators: usize) -> Result<(), LocalnetError> {
    let (tell, told) = std::sync::mpsc::channel();
    let handler = ctrlc::set_handler(move || {
        // A second signal finds the receiver gone, and there is nothing left to tell.
        let _ = tell.send(());
    });
    handler.map_err(|e| LocalnetError::Answer { what: "catching Ctrl-C".to_owned(), answer: e.to_string() })?;
    let evm = Quorum::start(QuorumOptions { validators: qbft_validators, ..QuorumOptions::default() })?;
    let cosmos = Simd::start(SimdOptions { validators: simd_validators, ..SimdOptions::default() })?;
    println!("QBFT chain {}, genesis {}", evm.options.chain_id, evm.genesis_hash);
    for i in 0..qbft_validators {
        print_node(evm.rpc_url(i), evm.pid(i));
    }
    println!("CometBFT chain {}", cosmos.options.chain_id);
    for i in 0..simd_validators {
        print_node(cosmos.rpc_url(i), cosmos.pid(i));
    }
    println!("accounts, funded on both chains (test keys, never use them elsewhere):");
    for a in Account::defaults() {
        println!("  {:<10} {} {} {}", a.name, a.evm_hex(), a.cosmos_address, hex::encode(a.private_key));
    }
    println!("Ctrl-C ends both networks");
    // Fails only when the handler is gone, which ends the networks as well.
    let _ = told.recv();
    Ok(())
}

fn print_node(url: &str, pid: Option<u32>) {
    println!("  {url} pid {}", pid.map_or_else(|| "-".to_owned(), |p| p.to_string()));
}
