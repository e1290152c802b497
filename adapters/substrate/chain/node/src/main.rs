//! A generic Aura + GRANDPA node for tests. The runtime comes with the chain spec.

mod api;
mod service;

use clap::Parser;
use sc_cli::SubstrateCli;
use sc_service::{ChainType, GenericChainSpec};
use std::path::PathBuf;

#[derive(Debug, Parser)]
struct Cli {
    #[command(subcommand)]
    sub: Option<Sub>,

    /// Produce and keep a GRANDPA justification at least every so many blocks.
    #[arg(long, default_value_t = 8)]
    justification_period: u32,

    #[clap(flatten)]
    run: sc_cli::RunCmd,
}

#[derive(Debug, clap::Subcommand)]
enum Sub {
    /// Write a raw chain spec from a runtime blob and a genesis patch (or a preset's name).
    MakeSpec {
        #[arg(long)]
        wasm: PathBuf,
        /// A JSON file with a genesis patch.
        #[arg(long)]
        patch: Option<PathBuf>,
        #[arg(long, default_value = "local_testnet")]
        preset: String,
        #[arg(long, default_value = "catenary")]
        id: String,
        /// Plain, not raw.
        #[arg(long)]
        plain: bool,
    },
    /// Key utilities (generate, insert, generate-node-key, …).
    #[command(subcommand)]
    Key(sc_cli::KeySubcommand),
}

impl SubstrateCli for Cli {
    fn impl_name() -> String {
        "catenary-substrate-node".into()
    }
    fn impl_version() -> String {
        env!("CARGO_PKG_VERSION").into()
    }
    fn description() -> String {
        "Aura + GRANDPA test node".into()
    }
    fn author() -> String {
        "catenary".into()
    }
    fn support_url() -> String {
        "none".into()
    }
    fn copyright_start_year() -> i32 {
        2026
    }
    fn load_spec(&self, id: &str) -> Result<Box<dyn sc_service::ChainSpec>, String> {
        if !id.ends_with(".json") {
            return Err(format!("--chain needs a chain spec file (.json), not {id:?}"));
        }
        Ok(Box::new(<GenericChainSpec>::from_json_file(PathBuf::from(id))?))
    }
}

fn make_spec(wasm: PathBuf, patch: Option<PathBuf>, preset: &str, id: &str, raw: bool) -> Result<String, String> {
    let code = std::fs::read(&wasm).map_err(|e| format!("{}: {e}", wasm.display()))?;
    let b = <GenericChainSpec>::builder(&code, None).with_name(id).with_id(id).with_chain_type(ChainType::Local);
    let b = match patch {
        Some(p) => {
            let s = std::fs::read(&p).map_err(|e| format!("{}: {e}", p.display()))?;
            b.with_genesis_config_patch(serde_json::from_slice(&s).map_err(|e| e.to_string())?)
        }
        None => b.with_genesis_config_preset_name(preset),
    };
    b.build().as_json(raw)
}

fn main() -> sc_cli::Result<()> {
    let cli = Cli::from_args();
    match cli.sub {
        Some(Sub::MakeSpec { wasm, patch, preset, id, plain }) => {
            println!("{}", make_spec(wasm, patch, &preset, &id, !plain).map_err(sc_cli::Error::Input)?);
            Ok(())
        }
        Some(Sub::Key(ref cmd)) => cmd.run(&cli),
        None => {
            let period = cli.justification_period;
            let runner = cli.create_runner(&cli.run)?;
            runner.run_node_until_exit(|config| async move {
                service::start(config, period).map_err(sc_cli::Error::Service)
            })
        }
    }
}
