//! `catenary demo`: two networks and three operators in one process, value both ways, and everything that tries to go
//! wrong.
//!
//! Nothing here is a mock of the node. Each operator is [`wiring::run`](crate::wiring::run) on threads of its own, with
//! its own configuration file, keys, journal, store, attestation service and telemetry port; the set-up is that of
//! `chain deploy`, `chain anchor` and `path create`; the networks are devnets with real consensus cryptography, reached
//! over the real wire. What steps say is read from the operators' own HTTP addresses and from the chains.
//!
//! # What can grow
//!
//! With `--keep-running` the networks grow as any chain does, and the operators' journals with them; of the transfers
//! only the newest [`ROWS_MAX`] are remembered here.

mod books;
mod config;
mod folder;
mod keys;
mod networks;
mod operator;
mod report;
mod setup;
mod show;
mod story;
#[cfg(test)]
mod sweep_tests;
mod transfers;

use std::process::ExitCode;
use std::time::{Duration, Instant};

use serde_json::{Map, Value};

use crate::cli::args::DemoArgs;
use crate::cli::output::{Failure, Output};
use crate::platform;
use crate::telemetry::logging;
use books::Book;
use config::{CHAINS, PATH};
use folder::{open_log, Folder};
use operator::Operator;
use report::{OperatorView, Report, Step};
use setup::{World, VISITOR};
use show::Show;
use transfers::{Asset, Order, Transfers};

/// Symbol of the ERC-20 that is moved.
const SYMBOL: &str = "DEUR";
/// The Cosmos chain's denomination that is moved.
const DENOM: &str = "dusd";
/// Exit code when Ctrl-C ended it: 128 and the signal's number.
const INTERRUPTED: u8 = 130;
/// Shortest and longest time between two blocks.
const SPEED: [Duration; 2] = [Duration::from_millis(50), Duration::from_secs(5)];
/// Pause between two transfers of the trickle.
const TRICKLE: Duration = Duration::from_secs(2);
/// Most transfers that are remembered while it keeps running.
const ROWS_MAX: usize = 200;

/// What both networks and all keys follow from.
#[derive(Clone, Copy, Debug)]
struct Settings {
    seed: u64,
    block_interval: Duration,
}

/// What the steps work on.
#[derive(Debug)]
struct Stage {
    show: Show,
    operators: Vec<Operator>,
    transfers: Transfers,
    steps: Vec<Step>,
}

/// What a step says when it held.
#[derive(Debug)]
struct Said {
    line: String,
    facts: Value,
}

impl Said {
    fn new(line: impl Into<String>, facts: Value) -> Self {
        Self { line: line.into(), facts }
    }
}

impl Stage {
    /// A step begins.
    fn begin(&self, doing: &'static str) -> Instant {
        self.show.now(doing);
        platform::monotonic()
    }

    /// A step has ended; `None` when it did not hold.
    fn end<T>(&mut self, name: &'static str, began: Instant, outcome: Result<(T, Said), Failure>) -> Option<T> {
        let seconds = began.elapsed().as_secs_f64();
        let (value, said) = match outcome {
            Ok((value, said)) => (Some(value), said),
            Err(failure) => {
                let facts = serde_json::json!({ "code": failure.code() });
                let line = format!("{name} did not hold: {}: {}", failure.code(), failure.message());
                (None, Said { line, facts })
            }
        };
        let ok = value.is_some();
        self.show.ended(ok, &said.line, seconds);
        let facts = if let Value::Object(facts) = said.facts { facts } else { Map::new() };
        self.steps.push(Step { name, ok, seconds, line: said.line, facts });
        value
    }
}

/// A demo; ended by [`Demo::close`].
#[derive(Debug)]
struct Demo {
    settings: Settings,
    stage: Stage,
    world: Option<World>,
    books: Vec<Book>,
}

/// The block interval of `--speed`.
///
/// # Errors
/// It is no number with ms or s, or out of bounds.
pub(crate) fn speed(text: &str) -> Result<Duration, String> {
    let parsed = match text.strip_suffix("ms") {
        Some(number) => number.parse().ok().map(Duration::from_millis),
        None => text.strip_suffix('s').and_then(|number| number.parse().ok()).map(Duration::from_secs),
    };
    let [min, max] = SPEED;
    let bounded = parsed.filter(|duration| (min..=max).contains(duration));
    bounded.ok_or_else(|| format!("write a time from {}ms to {}s, such as 200ms", min.as_millis(), max.as_secs()))
}

/// Runs the demo; the exit code says whether every step held, or that Ctrl-C ended it.
///
/// # Errors
/// Nothing could be begun: the folder cannot be used.
pub(crate) async fn run(args: &DemoArgs, output: Output) -> Result<ExitCode, Failure> {
    let folder = Folder::make(args.data_dir.as_deref())?;
    let log = logging::to_file(open_log(&folder.path().join("demo.log"))?, "info", None)?;
    // Only a test that runs two in one process has one already, and then that one stays.
    let _ = tracing::dispatcher::set_global_default(log);
    let began = platform::monotonic();
    let stage = Stage {
        show: Show::new(output.json),
        operators: Vec::new(),
        transfers: Transfers { rows: Vec::new(), began },
        steps: Vec::new(),
    };
    let settings = Settings { seed: args.seed, block_interval: args.speed };
    let mut demo = Demo { settings, stage, world: None, books: Vec::new() };
    let held = tokio::select! {
        held = Box::pin(demo.play(args, &folder, output)) => Some(held),
        () = crate::cli::interrupted() => None,
    };
    demo.close().await;
    match held {
        Some(true) => folder.remove(),
        // What went wrong is in the logs.
        Some(false) => demo.stage.show.say(&format!("logs and journals are kept in {}", folder.keep().display())),
        None => folder.remove(),
    }
    Ok(match held {
        Some(true) => ExitCode::SUCCESS,
        Some(false) => ExitCode::FAILURE,
        None => ExitCode::from(INTERRUPTED),
    })
}

impl Demo {
    /// Tells the whole story; says whether every step held.
    async fn play(&mut self, args: &DemoArgs, folder: &Folder, output: Output) -> bool {
        self.stage.show.say("Two networks and three operators in this process; each step is shown when it has held.\n");
        self.world = story::set_up(self.settings, &mut self.stage, folder).await;
        if let Some(world) = &self.world {
            self.books = story::tell(&mut self.stage, world).await.map(Vec::from).unwrap_or_default();
        }
        let report = self.report(folder);
        if output.json {
            output.result(&report, "");
        } else {
            self.stage.show.say(&self.ending(&report, folder, args.keep_running));
        }
        if let (true, Some(world)) = (args.keep_running && report.ok, &self.world) {
            trickle(&mut self.stage, world).await;
        }
        report.ok
    }

    fn report(&self, folder: &Folder) -> Report {
        let mut report = Report::of(self.settings.seed, self.stage.steps.clone(), !self.books.is_empty());
        report.seconds = self.stage.transfers.began.elapsed().as_secs_f64();
        report.data_dir = folder.path().display().to_string();
        report.data_dir_stays = folder.stays();
        report.transfers.clone_from(&self.stage.transfers.rows);
        report.transfers.sort_by(|a, b| a.sent_seconds.total_cmp(&b.sent_seconds));
        report.books.clone_from(&self.books);
        if let Some(world) = &self.world {
            let urls = CHAINS.iter().zip(world.networks.urls());
            report.chains = urls.map(|(chain, url)| ((*chain).to_owned(), url.into())).collect();
        }
        let view = |operator: &Operator| OperatorView {
            id: operator.id,
            url: operator.url(),
            config: operator.config_file().display().to_string(),
            log: operator.log_file().display().to_string(),
        };
        report.operators = self.stage.operators.iter().map(view).collect();
        report
    }

    /// The table and where to look next.
    fn ending(&self, report: &Report, folder: &Folder, stays_up: bool) -> String {
        let table = report.table();
        let held = report.steps.iter().filter(|step| step.ok).count();
        let count =
            if report.ok { format!("All {held} steps held") } else { format!("{held} steps held, then one did not") };
        let mut text = format!("\n{table}\n\n{count}, in {:.0} s.\n", report.seconds);
        let (Some(world), true) = (&self.world, report.ok) else { return text };
        let program = program();
        let Some(alpha) = report.operators.first() else { return text };
        let uetr = report.transfers.first().map(|row| row.uetr.clone()).unwrap_or_default();
        let command = format!("{program} --config {}", alpha.config);
        if !stays_up && !folder.stays() {
            text.push_str(&format!(
                "\nLook closer:\n  {program} demo --keep-running     leaves it all up: metrics, chains, and transfers that you send yourself\n  \
                 {program} demo --data-dir DIR      keeps configurations, keys, journals and logs\n"
            ));
            return text;
        }
        text.push_str(&format!(
            "\nLook closer:\n  one transfer   {command} transfer show {uetr}\n  all            {command} transfer list\n"
        ));
        if stays_up {
            let receiver = &world.visitor[0];
            text.push_str(&format!(
                "  send your own  {command} transfer send --path {PATH} --from {chain} --asset {DENOM} --amount 5 \
                 --receiver {receiver} --key {VISITOR}-{chain} --wait\n",
                chain = CHAINS[1]
            ));
            for operator in &report.operators {
                text.push_str(&format!(
                    "  {:<13}  {u}/metrics  {u}/readyz?path={PATH}\n",
                    operator.id,
                    u = operator.url
                ));
            }
            for (chain, url) in &report.chains {
                text.push_str(&format!("  {chain:<13}  {}\n", url.as_str().unwrap_or_default()));
            }
        }
        text.push_str(&format!("  files          {}\n", report.data_dir));
        if stays_up {
            text.push_str("\nA transfer is sent every two seconds; Ctrl-C ends it all.\n");
        }
        text
    }

    /// Ends the operators in order, then the networks.
    async fn close(&mut self) {
        self.stage.show.now("ending");
        futures::future::join_all(self.stage.operators.iter_mut().map(Operator::stop)).await;
        if let Some(world) = self.world.take() {
            world.networks.close().await;
        }
        self.stage.show.close();
    }
}

/// This program as a person can type it here.
fn program() -> String {
    let Ok(path) = std::env::current_exe() else { return "catenary".to_owned() };
    let here =
        std::env::current_dir().ok().and_then(|here| path.strip_prefix(here).map(std::path::Path::to_owned).ok());
    here.unwrap_or(path).display().to_string()
}

/// Sends a small transfer every now and then, for ever.
async fn trickle(stage: &mut Stage, world: &World) {
    let mut number = stage.transfers.rows.len() as u64;
    let mut ended = 0_usize;
    loop {
        let asset = if number.is_multiple_of(2) { Asset::Erc20 } else { Asset::Native };
        let amount = 1 + number % 100;
        match world.customers.send(&Order::of(asset, amount), number, stage.transfers.began).await {
            Ok(row) => stage.transfers.rows.push(row),
            // The next one may go through.
            Err(failure) => stage.show.say(&format!("not sent: {}: {}", failure.code(), failure.message())),
        }
        number += 1;
        stage.transfers.look(&stage.operators).await;
        let before = stage.transfers.rows.len();
        let keep = before.saturating_sub(ROWS_MAX);
        ended += stage.transfers.rows.drain(..keep).filter(|row| row.end.is_some()).count();
        let open = stage.transfers.open();
        let all = ended + stage.transfers.rows.len() - open;
        stage.show.now(format!("{all} transfers have ended, {open} on the way; Ctrl-C ends it all"));
        platform::sleep(TRICKLE).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: Option<u64>) {
        let expected = expected.map(Duration::from_millis);
        assert_eq!(speed(text).ok(), expected, "{text}");
    }

    #[test]
    fn a_speed_is_a_time_with_a_unit_within_bounds() {
        check("200ms", Some(200));
        check("50ms", Some(50));
        check("1s", Some(1_000));
        check("5s", Some(5_000));
        check("49ms", None);
        check("6s", None);
        check("200", None);
        check("fast", None);
        check("", None);
        check("-1s", None);
    }
}
