//! The command line: parses, runs, prints. Every refusal has its stable code; `--json` prints one JSON value.

pub mod args;
mod check;
mod keys;
mod online;
pub(crate) mod output;
mod queries;
mod reference;
mod replay;
pub(crate) mod setup;
mod store;

use std::sync::Arc;

use clap::Parser;
use tokio_util::sync::CancellationToken;

use crate::config::{Chain as ChainConfig, Config, LogFormat, PathConfig};
use crate::store::Ledger;
use crate::telemetry::logging;
use crate::wiring;
use args::{
    AnchorCommand, AttestorCommand, ChainCommand, Cli, ClientCommand, Command, KeysCommand, PacketCommand, PathCommand,
    TransferCommand,
};
pub use output::Failure;
use output::Output;
pub use reference::reference_page;

/// Runs the command line; the exit code is 0 when it did what was asked, 1 when it was refused, 2 for usage, and 130
/// when Ctrl-C ended the demo.
#[must_use]
pub fn main() -> std::process::ExitCode {
    let cli = Cli::parse();
    let output = Output { json: cli.json };
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            output.failure(&Failure::new("NODE-CLI-001", format!("no runtime: {error}")));
            return std::process::ExitCode::FAILURE;
        }
    };
    match runtime.block_on(dispatch(cli, output)) {
        Ok(code) => code,
        Err(failure) => {
            output.failure(&failure);
            std::process::ExitCode::FAILURE
        }
    }
}

async fn dispatch(cli: Cli, output: Output) -> Result<std::process::ExitCode, Failure> {
    #[cfg(feature = "demo")]
    if let Command::Demo(args) = &cli.command {
        return crate::demo::run(args, output).await;
    }
    if let Command::Replay { from, packet } = &cli.command {
        replay::replay(from, packet.as_deref(), output)?;
        return Ok(std::process::ExitCode::SUCCESS);
    }
    node_command(cli, output).await?;
    Ok(std::process::ExitCode::SUCCESS)
}

/// The commands that a configuration is needed for.
async fn node_command(cli: Cli, output: Output) -> Result<(), Failure> {
    let config = Config::load(&cli.config, &[])?;
    if !matches!(cli.command, Command::Run) {
        // Tools log warnings only; what they do is printed.
        logging::init(logging::LogFormat::Text, "warn", None)?;
    }
    match cli.command {
        Command::Run => run(config).await,
        Command::Check { online } => check::check(&config, online, output).await,
        Command::Chain(ChainCommand::Deploy { chain }) => setup::deploy(&config, &chain, output).await,
        Command::Chain(ChainCommand::Anchor { chain, height }) => setup::anchor(&config, &chain, height, output).await,
        Command::Path(PathCommand::Create { path }) => setup::create_path(&config, &path, output).await,
        Command::Transfer(TransferCommand::Send(order)) => setup::transfer(&config, *order, output).await,
        Command::Transfer(TransferCommand::Show { key }) | Command::Packet(PacketCommand::Show { key }) => {
            queries::show(&config, &key, output).await
        }
        Command::Transfer(TransferCommand::List(filter)) | Command::Packet(PacketCommand::List(filter)) => {
            queries::list(&config, filter, output).await
        }
        Command::Packet(PacketCommand::Retry(args)) => queries::retry(&config, args, output).await,
        Command::Client(ClientCommand::Show) => queries::clients(&config, output).await,
        Command::Client(ClientCommand::Anchor(AnchorCommand::Set { chain, height, hash, reason, actor })) => {
            keys::set_anchor(&config, &keys::NewAnchor { chain, height, hash }, (actor, reason), output)
        }
        Command::Keys(KeysCommand::New(key)) => keys::create(&config, &key, None, output),
        Command::Keys(KeysCommand::Import { key, file }) => keys::create(&config, &key, Some(&file), output),
        Command::Keys(KeysCommand::List) => keys::list(&config, output),
        Command::Attestor(AttestorCommand::Reset { key, reason, actor }) => {
            keys::reset_attestor(&config, &key, (actor, reason), output)
        }
        Command::Store(command) => store::run(&config, command, output),
        // They have no configuration and were run before one was looked for.
        Command::Replay { .. } => Ok(()),
        #[cfg(feature = "demo")]
        Command::Demo(_) => Ok(()),
    }
}

/// Opens the ledger of the node itself; a running node holds it.
fn open_ledger(config: &Config) -> Result<Arc<Ledger>, Failure> {
    let (ledger, _) = Ledger::open(&config.data_dir)?;
    Ok(Arc::new(ledger))
}

/// A configured chain by its name.
fn chain_config<'a>(config: &'a Config, name: &str) -> Result<&'a ChainConfig, Failure> {
    let known: Vec<&str> = config.chains.iter().map(|chain| chain.name.as_str()).collect();
    let message = format!("there is no chain {name:?}; known are {}", known.join(", "));
    config.chain(name).ok_or_else(|| Failure::new("NODE-CLI-003", message))
}

/// A configured path by its name.
fn path_config<'a>(config: &'a Config, name: &str) -> Result<&'a PathConfig, Failure> {
    let known: Vec<&str> = config.paths.iter().map(|path| path.name.as_str()).collect();
    let message = format!("there is no path {name:?}; known are {}", known.join(", "));
    config.path(name).ok_or_else(|| Failure::new("NODE-CLI-016", message))
}

/// The contracts of an EVM chain are not deployed yet, or not configured.
fn no_router(chain: &str) -> Failure {
    let message =
        format!("chain {chain} has no router; run `catenary chain deploy {chain}` and configure what it prints");
    Failure::new("NODE-CLI-004", message)
}

async fn run(config: Config) -> Result<(), Failure> {
    config.require_paths()?;
    let metrics = wiring::metrics_for(&config);
    let format = match config.telemetry.log_format {
        LogFormat::Text => logging::LogFormat::Text,
        LogFormat::Json => logging::LogFormat::Json,
    };
    logging::init(format, &config.telemetry.log, Some(metrics.clone()))?;
    let stop = CancellationToken::new();
    let on_signal = stop.clone();
    tokio::spawn(async move {
        interrupted().await;
        tracing::info!("stopping; what is in flight is waited for");
        on_signal.cancel();
    });
    Ok(wiring::run(config, metrics, stop).await?)
}

/// Waits for Ctrl-C or SIGTERM.
pub(crate) async fn interrupted() {
    let terminated = async {
        match tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()) {
            Ok(mut signal) => {
                signal.recv().await;
            }
            Err(_) => std::future::pending().await,
        }
    };
    tokio::select! {
        _ = tokio::signal::ctrl_c() => {}
        () = terminated => {}
    }
}
