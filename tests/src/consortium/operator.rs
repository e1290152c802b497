//! One member: its folder, its `catenary` process, and what it tells of itself over HTTP.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use serde_json::Value;

use super::config::PASSPHRASE_ENV;
use crate::localnet::process::{Node, Spec};
use crate::localnet::{wait_until, LocalnetError};

/// The variable that names the point at which a debug build ends.
const FAILPOINT_ENV: &str = "CATENARY_FAILPOINT";
/// The variable that names a file: while it is there, nothing becomes durable in a debug build.
const SYNC_FAILS_ENV: &str = "CATENARY_SYNC_FAILS";
/// No file may grow beyond this on a full disk: less than any journal, and less than what a node writes to see whether
/// there is room.
#[cfg(target_os = "linux")]
const FULL_DISK_BYTES: u64 = 4_096;
/// How long one request to a member may take, in seconds.
const HTTP_SECONDS: u64 = 10;

/// A member of the consortium.
#[derive(Debug)]
pub struct Operator {
    /// Name.
    pub id: String,
    dir: PathBuf,
    binary: PathBuf,
    telemetry_port: u16,
    agent: ureq::Agent,
    node: Option<Node>,
}

/// An answer of `/readyz`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Readiness {
    /// Whether it is ready.
    pub ready: bool,
    /// Codes of the reasons.
    pub codes: Vec<String>,
    /// The reasons in words.
    pub text: String,
}

impl Operator {
    /// Passphrase of the members' keys.
    pub const PASSPHRASE: &str = "only for tests on loopback";

    /// A member that runs `binary` with what lies in `dir`.
    pub(super) fn new(id: &str, dir: PathBuf, binary: &Path, telemetry_port: u16) -> Self {
        let config = ureq::Agent::config_builder()
            .timeout_global(Some(Duration::from_secs(HTTP_SECONDS)))
            .http_status_as_error(false)
            .build();
        let (id, binary) = (id.to_owned(), binary.to_owned());
        Self { id, dir, binary, telemetry_port, agent: config.into(), node: None }
    }

    /// The folder with configuration, keys, journal and log.
    #[must_use]
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// The configuration file.
    #[must_use]
    pub fn config_file(&self) -> PathBuf {
        self.dir.join("catenary.toml")
    }

    /// Where the node writes its log.
    #[must_use]
    pub fn log_file(&self) -> PathBuf {
        // Beside the folder, where it stays when a test fails.
        self.dir.with_extension("log")
    }

    /// Height of `chain` at which a packet became ready for its delivery there, as this member saw it: it counts its
    /// turn from there. `None` when it started no such delivery.
    ///
    /// # Errors
    /// When the log cannot be read.
    pub fn ready_height(&self, chain: &str, sequence: u64) -> Result<Option<u64>, LocalnetError> {
        let log = std::fs::read_to_string(self.log_file()).map_err(LocalnetError::io("reading a node's log"))?;
        let wanted = [format!("to=\"{chain}\" "), format!("first={sequence} "), "kind=\"recv\" ".to_owned()];
        let line =
            log.lines().find(|line| line.contains("job starts") && wanted.iter().all(|word| line.contains(word)));
        let ready = line.and_then(|line| line.split("ready=").nth(1)?.split_whitespace().next()?.parse().ok());
        Ok(ready)
    }

    /// Replaces the configuration file; a running node reads it when it is restarted.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn configure(&self, text: &str) -> Result<(), LocalnetError> {
        std::fs::write(self.config_file(), text).map_err(LocalnetError::io("writing a configuration"))
    }

    /// Runs a command of the command line and gives its JSON answer.
    ///
    /// # Errors
    /// [`LocalnetError::Tool`] with what it printed when it was refused.
    pub fn cli(&self, args: &[&str]) -> Result<Value, LocalnetError> {
        self.cli_with(&self.config_file(), args)
    }

    /// As [`Operator::cli`], with another configuration file.
    ///
    /// # Errors
    /// As [`Operator::cli`].
    pub fn cli_with(&self, config: &Path, args: &[&str]) -> Result<Value, LocalnetError> {
        let program = format!("catenary {}", args.join(" "));
        let mut command = Command::new(&self.binary);
        command.arg("--config").arg(config).arg("--json").args(args).env(PASSPHRASE_ENV, Self::PASSPHRASE);
        let output = command.output().map_err(LocalnetError::io(format!("running {program}")))?;
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        if !output.status.success() {
            let output_text = format!("{text}{}", String::from_utf8_lossy(&output.stderr));
            return Err(LocalnetError::Tool { program, status: output.status.to_string(), output: output_text });
        }
        serde_json::from_str(&text).map_err(|error| LocalnetError::answer(format!("{program} ({error})"), text))
    }

    /// Runs a command that a debug build ends at a point, and says whether it ended there.
    ///
    /// # Errors
    /// [`LocalnetError::Tool`] with what it printed when it ended in another way.
    pub fn cli_ended(&self, config: &Path, args: &[&str], failpoint: &str) -> Result<(), LocalnetError> {
        let program = format!("catenary {}, to be ended at {failpoint},", args.join(" "));
        let mut command = Command::new(&self.binary);
        command.arg("--config").arg(config).arg("--json").args(args);
        command.env(PASSPHRASE_ENV, Self::PASSPHRASE).env(FAILPOINT_ENV, failpoint);
        let output = command.output().map_err(LocalnetError::io(format!("running {program}")))?;
        let printed = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        let (point, _) = failpoint.split_once(':').unwrap_or((failpoint, ""));
        match printed.contains(&format!("failpoint {point}: the process ends here")) {
            true => Ok(()),
            false => Err(LocalnetError::Tool { program, status: output.status.to_string(), output: printed }),
        }
    }

    /// Starts the node; in debug builds it ends at `failpoint`, when one is given: a name, or `NAME:PASS`.
    ///
    /// # Errors
    /// When the program cannot be run.
    pub fn start(&mut self, failpoint: Option<&str>) -> Result<(), LocalnetError> {
        let env = failpoint.map(|name| (FAILPOINT_ENV.to_owned(), name.to_owned()));
        self.start_with(env, false)
    }

    /// Starts the node on a disk that [`fill_disk`](Self::fill_disk) fills and [`break_disk`](Self::break_disk) breaks.
    ///
    /// # Errors
    /// When the program cannot be run.
    pub fn start_on_a_bad_disk(&mut self) -> Result<(), LocalnetError> {
        let file = self.broken_disk_file().display().to_string();
        self.start_with(Some((SYNC_FAILS_ENV.to_owned(), file)), true)
    }

    fn start_with(
        &mut self,
        variable: Option<(String, String)>,
        survives_full_disks: bool,
    ) -> Result<(), LocalnetError> {
        let mut env = vec![(PASSPHRASE_ENV.to_owned(), Self::PASSPHRASE.to_owned())];
        env.extend(variable);
        self.node = None;
        let spec = Spec {
            name: format!("operator {}", self.id),
            program: self.binary.clone(),
            args: vec!["--config".into(), self.config_file().into(), "run".into()],
            env,
            log: self.log_file(),
            survives_full_disks,
        };
        self.node = Some(Node::start(spec)?);
        Ok(())
    }

    /// Lets nothing more be written to any file of the node, its log included, or makes room again.
    ///
    /// # Errors
    /// When the node does not run, or the system refuses.
    #[cfg(target_os = "linux")]
    pub fn fill_disk(&self, full: bool) -> Result<(), LocalnetError> {
        let gone = || LocalnetError::answer("filling a disk", "the node does not run");
        self.node.as_ref().ok_or_else(gone)?.limit_file_bytes(full.then_some(FULL_DISK_BYTES))
    }

    /// Lets nothing that the journal writes become durable, or mends that again.
    ///
    /// # Errors
    /// When the file that says so cannot be made or removed.
    pub fn break_disk(&self, broken: bool) -> Result<(), LocalnetError> {
        let file = self.broken_disk_file();
        let done = if broken { std::fs::write(file, "") } else { std::fs::remove_file(file) };
        done.map_err(LocalnetError::io("breaking a disk"))
    }

    fn broken_disk_file(&self) -> PathBuf {
        self.dir.join("disk-is-broken")
    }

    /// Kills the node at once, as a power cut would.
    pub fn kill(&mut self) {
        self.node = None;
    }

    /// Asks the node to end, and does not wait for it.
    pub fn terminate(&self) {
        if let Some(node) = &self.node {
            node.terminate();
        }
    }

    /// Asks the node to end, and waits for it.
    pub fn stop(&mut self) {
        if let Some(node) = self.node.take() {
            node.stop();
        }
    }

    /// Whether the node was started and not ended by us.
    #[must_use]
    pub fn is_up(&self) -> bool {
        self.node.is_some()
    }

    /// Fails when the node ended by itself.
    ///
    /// # Errors
    /// [`LocalnetError::NodeDied`] with the end of its log.
    pub fn check(&self) -> Result<(), LocalnetError> {
        self.node.as_ref().map_or(Ok(()), Node::check)
    }

    /// Waits until the node has ended by itself, as it does at a failpoint.
    ///
    /// # Errors
    /// [`LocalnetError::Timeout`].
    pub fn wait_dead(&mut self, deadline: Duration) -> Result<(), LocalnetError> {
        let what = format!("the end of operator {}", self.id);
        let waited = wait_until(&what, deadline, || Ok(self.check().is_err().then_some(())));
        self.node = None;
        waited
    }

    /// Starts the node and waits until it is ready.
    ///
    /// # Errors
    /// As [`Operator::start`] and [`Operator::wait_ready`].
    pub fn restart(&mut self, deadline: Duration) -> Result<(), LocalnetError> {
        self.start(None)?;
        self.wait_ready(deadline)
    }

    /// Waits until the node is ready.
    ///
    /// # Errors
    /// When it ends by itself, or is not ready in time, with its reasons.
    pub fn wait_ready(&self, deadline: Duration) -> Result<(), LocalnetError> {
        let mut last = String::new();
        wait_until(&format!("readiness of operator {}", self.id), deadline, || {
            self.check()?;
            Ok(self.ready(None).ok().and_then(|state| {
                last = state.text;
                state.ready.then_some(())
            }))
        })
        .map_err(|error| error.with_detail(|| format!("\n{last}\n{}", self.last_words())))
    }

    /// What `/readyz` says, of a path when one is named.
    ///
    /// # Errors
    /// When the node does not answer.
    pub fn ready(&self, path: Option<&str>) -> Result<Readiness, LocalnetError> {
        let query = path.map(|name| format!("?path={name}")).unwrap_or_default();
        let text = self.get(&format!("/readyz{query}"))?;
        let value: Value = serde_json::from_str(&text).map_err(|_| LocalnetError::answer("/readyz", &text))?;
        let reasons = value["reasons"].as_array().cloned().unwrap_or_default();
        let codes = reasons.iter().filter_map(|reason| reason["code"].as_str()).map(str::to_owned).collect();
        Ok(Readiness { ready: value["ready"] == true, codes, text })
    }

    /// Sum of the series of a metric that have all the labels.
    ///
    /// # Errors
    /// When the node does not answer.
    pub fn metric(&self, name: &str, labels: &[(&str, &str)]) -> Result<f64, LocalnetError> {
        let page = self.get("/metrics")?;
        let wanted: Vec<String> = labels.iter().map(|(label, value)| format!("{label}=\"{value}\"")).collect();
        let series = page.lines().filter_map(|line| {
            let (series, value) = line.rsplit_once(' ')?;
            let base = series.split('{').next()?;
            (base == name && wanted.iter().all(|label| series.contains(label))).then(|| value.parse::<f64>().ok())?
        });
        Ok(series.sum())
    }

    /// The packets that the node knows, without their history.
    ///
    /// # Errors
    /// When the node does not answer.
    pub fn packets(&self) -> Result<Vec<Value>, LocalnetError> {
        let text = self.get("/v1/packets?limit=1000")?;
        serde_json::from_str(&text).map_err(|_| LocalnetError::answer("/v1/packets", text))
    }

    /// An answer of the node's HTTP address, whatever its status.
    ///
    /// # Errors
    /// When the node does not answer.
    pub fn get(&self, path: &str) -> Result<String, LocalnetError> {
        let url = format!("http://127.0.0.1:{}{path}", self.telemetry_port);
        let fail = |error: ureq::Error| LocalnetError::Rpc {
            method: "GET".to_owned(),
            url: url.clone(),
            message: error.to_string(),
        };
        let mut response = self.agent.get(&url).call().map_err(fail)?;
        response.body_mut().with_config().limit(16 << 20).read_to_string().map_err(fail)
    }

    /// Address of the node's metrics, health and packets.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.telemetry_port)
    }

    /// The end of the node's log.
    #[must_use]
    pub fn last_words(&self) -> String {
        self.node.as_ref().map(Node::last_words).unwrap_or_default()
    }
}
