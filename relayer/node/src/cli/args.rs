//! The command line, as clap sees it. Help texts are the doc comments.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

/// The command line.
#[derive(Debug, Parser)]
#[command(
    name = "catenary",
    version,
    about = "Cross-chain transfers that every member verifies for itself",
    arg_required_else_help = true
)]
pub struct Cli {
    /// Configuration file (TOML). Environment variables CATENARY__… override it.
    #[arg(long, short, global = true, env = "CATENARY_CONFIG", default_value = "catenary.toml")]
    pub config: PathBuf,
    /// Print one JSON value instead of text.
    #[arg(long, global = true)]
    pub json: bool,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// Commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run the node until it is stopped.
    Run,
    /// Check the configuration; with --online also against the chains.
    Check {
        /// Ask the chains too: ids, anchors, clients, attestors, permissions.
        #[arg(long)]
        online: bool,
    },
    /// Chains: deploy the contracts of an EVM chain.
    #[command(subcommand)]
    Chain(ChainCommand),
    /// Paths: create one, step by step and resumable.
    #[command(subcommand)]
    Path(PathCommand),
    /// Transfers: send, show, list.
    #[command(subcommand)]
    Transfer(TransferCommand),
    /// Packets: show, list, retry.
    #[command(subcommand)]
    Packet(PacketCommand),
    /// Light clients: show, set a new anchor.
    #[command(subcommand)]
    Client(ClientCommand),
    /// Keys: make, import, list.
    #[command(subcommand)]
    Keys(KeysCommand),
    /// Attestor: let a key sign again after its memory was lost.
    #[command(subcommand)]
    Attestor(AttestorCommand),
    /// Read a journal offline and print what was decided of each packet, and what does not fit. Needs no configuration.
    Replay {
        /// Data directory of a node or a copy of one, one segment of a journal, or what `store export` wrote.
        from: PathBuf,
        /// Only this packet: chain/client/sequence.
        #[arg(long)]
        packet: Option<String>,
    },
    /// Journal and store: check, rebuild, back up, restore, export, import.
    #[command(subcommand)]
    Store(StoreCommand),
    /// See it work: two networks and three operators in this process, transfers both ways, and everything that tries
    /// to go wrong. Needs no configuration.
    #[cfg(feature = "demo")]
    Demo(DemoArgs),
}

/// How the demo runs.
#[cfg(feature = "demo")]
#[derive(Debug, Clone, Args)]
pub struct DemoArgs {
    /// Empty or new folder for configurations, keys, journals and logs, which stay there; without it they are in a
    /// temporary folder that goes at the end.
    #[arg(long)]
    pub data_dir: Option<PathBuf>,
    /// Stay up with a trickle of transfers until Ctrl-C, when all has been shown.
    #[arg(long, conflicts_with = "once")]
    pub keep_running: bool,
    /// End when all has been shown: the default. The exit code is 0 when every step held.
    #[arg(long)]
    pub once: bool,
    /// Shortest time between two blocks of each network, 50ms to 5s.
    #[arg(long, default_value = "200ms", value_parser = crate::demo::speed)]
    pub speed: std::time::Duration,
    /// What all keys, the networks and the payment references follow from.
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
}

/// Commands about chains.
#[derive(Debug, Subcommand)]
pub enum ChainCommand {
    /// Deploy the router and the transfer application on an EVM chain, and print what to configure.
    Deploy {
        /// Chain's name in the config.
        chain: String,
    },
    /// Print a height and hash to pin as anchor, as the endpoint says; compare it with other members before use.
    Anchor {
        /// Chain's name in the config.
        chain: String,
        /// Height; the endpoint's head when left out.
        #[arg(long)]
        height: Option<u64>,
    },
}

/// Commands about paths.
#[derive(Debug, Subcommand)]
pub enum PathCommand {
    /// Create the on-chain clients on both ends, in order; a rerun resumes after the last finished step.
    Create {
        /// Path's name in the config.
        path: String,
    },
}

/// Commands about transfers.
#[derive(Debug, Subcommand)]
pub enum TransferCommand {
    /// Send a transfer with a key of the keystore.
    Send(Box<SendArgs>),
    /// Show one transfer by its packet (chain/client/sequence) or its payment reference (UETR).
    Show {
        /// Packet key or UETR.
        key: String,
    },
    /// List transfers.
    List(ListArgs),
}

/// A transfer to send.
#[derive(Debug, Args)]
pub struct SendArgs {
    /// Path's name in the config.
    #[arg(long)]
    pub path: String,
    /// Chain to send from.
    #[arg(long)]
    pub from: String,
    /// Token: an ERC-20 address on EVM, a denomination on Cosmos.
    #[arg(long)]
    pub asset: String,
    /// Amount in base units.
    #[arg(long)]
    pub amount: String,
    /// Receiver on the other chain, in its own notation.
    #[arg(long)]
    pub receiver: String,
    /// Key that pays; the chain's transaction key when left out.
    #[arg(long)]
    pub key: Option<String>,
    /// Seconds until the transfer times out and is refunded.
    #[arg(long, default_value_t = 600)]
    pub timeout_seconds: u64,
    /// Memo, which may carry a payment reference as JSON.
    #[arg(long, default_value = "")]
    pub memo: String,
    /// Payment reference (UETR, a UUID); put into the memo.
    #[arg(long, conflicts_with = "memo")]
    pub uetr: Option<String>,
    /// Wait until the transfer is acknowledged or refunded; needs a running node.
    #[arg(long)]
    pub wait: bool,
}

/// Filters of a list.
#[derive(Debug, Args)]
pub struct ListArgs {
    /// Only this path.
    #[arg(long)]
    pub path: Option<String>,
    /// Only this stage: sent, received, acknowledged, refunded, parked.
    #[arg(long)]
    pub stage: Option<String>,
    /// Most lines.
    #[arg(long, default_value_t = 50)]
    pub limit: usize,
}

/// Commands about packets.
#[derive(Debug, Subcommand)]
pub enum PacketCommand {
    /// Show one packet and its steps.
    Show {
        /// Packet: chain/client/sequence.
        key: String,
    },
    /// List packets.
    List(ListArgs),
    /// Let parked packets go on once the cause is gone, in the running node or, when none runs, at its next start.
    Retry(RetryArgs),
}

/// Which parked packets go on.
#[derive(Debug, Args)]
pub struct RetryArgs {
    /// The packet: chain/client/sequence in one, or path, source chain and sequence.
    #[arg(num_args = 1..=3, required_unless_present = "all_parked", conflicts_with = "all_parked")]
    pub packet: Vec<String>,
    /// All that are parked, a thousand at a time.
    #[arg(long)]
    pub all_parked: bool,
    /// With --all-parked only those of this path.
    #[arg(long, requires = "all_parked")]
    pub path: Option<String>,
    /// Why; kept in the journal.
    #[arg(long, default_value = "the cause is gone")]
    pub reason: String,
    /// Who; kept in the journal.
    #[arg(long, env = "USER", default_value = "unknown")]
    pub actor: String,
}

/// Commands about light clients.
#[derive(Debug, Subcommand)]
pub enum ClientCommand {
    /// Show where the light clients stand.
    Show,
    /// Pin a new anchor, after you have checked it by other means; the node must be stopped.
    #[command(subcommand)]
    Anchor(AnchorCommand),
}

/// Commands about anchors.
#[derive(Debug, Subcommand)]
pub enum AnchorCommand {
    /// Set the anchor of a chain.
    Set {
        /// Chain's name in the config.
        chain: String,
        /// Height of the anchor.
        height: u64,
        /// Hash of that header, 0x and 64 hex digits.
        hash: String,
        /// Why; kept in the journal.
        #[arg(long)]
        reason: String,
        /// Who; kept in the journal.
        #[arg(long, env = "USER", default_value = "unknown")]
        actor: String,
    },
}

/// Commands about keys.
#[derive(Debug, Subcommand)]
pub enum KeysCommand {
    /// Make a key.
    New(KeyArgs),
    /// Import a key from a file that holds its secret in hex.
    Import {
        /// The key.
        #[command(flatten)]
        key: KeyArgs,
        /// File with the secret, 64 hex digits.
        #[arg(long)]
        file: PathBuf,
    },
    /// List keys and what they are bound to.
    List,
}

/// A key and what it may sign.
#[derive(Debug, Args)]
pub struct KeyArgs {
    /// Name of the key.
    pub id: String,
    /// Chain that it is for.
    #[arg(long)]
    pub chain: String,
    /// What it may sign: `transactions` or `attestations`.
    #[arg(long, value_parser = ["transactions", "attestations"])]
    pub purpose: String,
}

/// Commands about journal and store.
#[derive(Debug, Subcommand)]
pub enum StoreCommand {
    /// Check the journal's newest segment and the seals of the others, and that the store stands where it ends. While the
    /// node runs, the journal only.
    Check {
        /// Read every segment from the first byte, and fold the journal anew to compare it with the store.
        #[arg(long)]
        full: bool,
    },
    /// Move the store aside and fold it anew from the journal; the node must be stopped. Refused when the store knows more
    /// than the journal, which then lost its end.
    Rebuild {
        /// Go on with what the journal knows when the store knows more. Attestor keys refuse afterwards, until they are
        /// reset.
        #[arg(long)]
        accept_loss: bool,
    },
    /// Write the journal as lines of JSON; the node may run.
    Export {
        /// File to write; `-` for standard output.
        file: PathBuf,
    },
    /// Read lines of JSON into an empty data directory; the node must be stopped. Attestor keys refuse afterwards, until
    /// they are reset.
    Import {
        /// File that `store export` wrote; `-` for standard input.
        file: PathBuf,
    },
    /// Show how large journal and store are and what is in them. While the node runs, the journal only.
    Stats,
    /// Copy the journal into a directory and check the copy; the node may run. A later copy into the same directory adds
    /// what is new. Keys are not in it.
    Backup {
        /// Directory of the backup.
        dir: PathBuf,
    },
    /// Put a backup back into an empty data directory; the node must be stopped. Attestor keys refuse afterwards, until
    /// they are reset.
    Restore {
        /// Directory of the backup.
        dir: PathBuf,
        /// Only check the backup from its first byte and fold it in memory; changes nothing, so the node may run.
        #[arg(long)]
        verify: bool,
    },
}

/// Commands about the attestor.
#[derive(Debug, Subcommand)]
pub enum AttestorCommand {
    /// Let a key attest again although the journal does not know what it signed.
    Reset {
        /// Name of the key.
        key: String,
        /// Why; kept in the journal.
        #[arg(long)]
        reason: String,
        /// Who; kept in the journal.
        #[arg(long, env = "USER", default_value = "unknown")]
        actor: String,
    },
}
