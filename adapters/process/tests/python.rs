//! The example in Python passes the checks of the conformance suite that apply to an adapter which only reads.
//!
//! Its interpreter's packages are installed once, in `~/.cache/catenary`, in a folder named by what is in it. Where
//! there is no Python or no package index, the test says so aloud and is skipped, but not in CI.
#![allow(clippy::unwrap_used, clippy::print_stderr, reason = "tests")]

use std::fmt::Write as _;
use std::io::Write as _;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use catenary_adapter_process::{ProcessAdapter, ProcessConfig};
use catenary_adapter_testkit::{assert_conforms, Ability, Emitted, Fault, Harness, Profile, Sides};
use catenary_light_clients::Hash32;
use catenary_protocol::{Packet, Payload};

const SCRIPT: &str = include_str!("../examples/python/ledger.py");
const MANIFEST: &str = include_str!("../examples/python/ledger.toml");
const REQUIREMENTS: &str = include_str!("../examples/python/requirements.txt");
const PROTO: &str = include_str!("../proto/adapter.proto");

fn run(command: &mut Command) -> Result<String, String> {
    let output = command.output().map_err(|error| format!("{command:?}: {error}"))?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned());
    }
    Err(format!("{command:?}: {}\n{}", output.status, String::from_utf8_lossy(&output.stderr)))
}

/// The interpreter of an environment with the requirements and the generated modules.
fn interpreter() -> Result<PathBuf, String> {
    let version = run(Command::new("python3").arg("--version"))?;
    let hash = Hash32::sha256(&[version.as_bytes(), REQUIREMENTS.as_bytes(), PROTO.as_bytes()]).to_string();
    let home = std::env::var("HOME").map_err(|error| error.to_string())?;
    let folder = Path::new(&home).join(".cache/catenary").join(format!("python-{}", &hash[2..18]));
    let (python, complete) = (folder.join("bin/python"), folder.join("complete"));
    if complete.exists() {
        return Ok(python);
    }
    if folder.exists() {
        std::fs::remove_dir_all(&folder).map_err(|error| error.to_string())?;
    }
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    run(Command::new("python3").args(["-m", "venv"]).arg(&folder))?;
    let requirements = package.join("examples/python/requirements.txt");
    run(Command::new(&python)
        .args(["-m", "pip", "install", "--quiet", "--only-binary", ":all:", "-r"])
        .arg(requirements))?;
    let site = run(Command::new(&python).args(["-c", "import sysconfig; print(sysconfig.get_path('purelib'))"]))?;
    let outputs = [format!("--python_out={site}"), format!("--grpc_python_out={site}")];
    let proto = package.join("proto");
    run(Command::new(&python).args(["-m", "grpc_tools.protoc", "-I"]).arg(proto).args(outputs).arg("adapter.proto"))?;
    std::fs::write(complete, version).map_err(|error| error.to_string())?;
    Ok(python)
}

/// A ledger file and the adapter to it.
struct Ledger {
    folder: tempfile::TempDir,
    sha256: Hash32,
    height: Mutex<u64>,
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

fn packet(sequence: u64) -> Packet {
    let payload = Payload {
        source_port: "transfer".to_owned(),
        destination_port: "transfer".to_owned(),
        version: "ics20-1".to_owned(),
        encoding: "application/json".to_owned(),
        value: sequence.to_be_bytes().to_vec(),
    };
    Packet {
        sequence,
        source_client: "client-00".to_owned(),
        destination_client: "client-11".to_owned(),
        timeout_timestamp_seconds: 1_900_000_000,
        payloads: vec![payload],
    }
}

impl Ledger {
    fn new(python: &Path) -> Self {
        let folder = tempfile::tempdir().unwrap();
        // The interpreter is named in the first line: the environment is empty, so nothing is searched for.
        let (_, rest) = SCRIPT.split_once('\n').unwrap();
        let script = format!("#!{} -B\n{rest}", python.display());
        std::fs::write(folder.path().join("ledger.py"), &script).unwrap();
        std::fs::write(folder.path().join("ledger.toml"), MANIFEST).unwrap();
        let ledger = Self { folder, sha256: Hash32::sha256(&[script.as_bytes()]), height: Mutex::new(0) };
        (0..12).for_each(|_| ledger.block(&[]));
        ledger
    }

    fn file(&self) -> PathBuf {
        self.folder.path().join("blocks")
    }

    fn block(&self, packets: &[Packet]) {
        let mut height = self.height.lock().unwrap();
        *height += 1;
        let sent: Vec<String> = packets.iter().map(line).collect();
        let write = |packet: &Packet| {
            format!("\"{}\":\"{}\"", hex(packet.commitment_path().as_bytes()), hex(&packet.commitment().0))
        };
        let writes: Vec<String> = packets.iter().map(write).collect();
        let (sent, writes) = (sent.join(","), writes.join(","));
        let line = format!("{{\"time_nanos\":{},\"sent\":[{sent}],\"writes\":{{{writes}}}}}\n", *height * 1_000);
        let mut file = std::fs::OpenOptions::new().append(true).create(true).open(self.file()).unwrap();
        file.write_all(line.as_bytes()).unwrap();
    }
}

fn line(packet: &Packet) -> String {
    let payload = &packet.payloads[0];
    format!(
        "{{\"tx_hash\":\"{}\",\"sequence\":{},\"source_client\":\"{}\",\"destination_client\":\"{}\",\
         \"timeout_timestamp_seconds\":{},\"payloads\":[{{\"source_port\":\"{}\",\"destination_port\":\"{}\",\
         \"version\":\"{}\",\"encoding\":\"{}\",\"value\":\"{}\"}}]}}",
        "ab".repeat(32),
        packet.sequence,
        packet.source_client,
        packet.destination_client,
        packet.timeout_timestamp_seconds,
        payload.source_port,
        payload.destination_port,
        payload.version,
        payload.encoding,
        hex(&payload.value),
    )
}

#[async_trait]
impl Harness for Ledger {
    fn profile(&self) -> Profile {
        let profile = Profile::new("a ledger in a file, in Python", "client-77");
        let profile = profile.without(Ability::Writes).without(Ability::Endpoint);
        profile.without(Ability::Verifies).without(Ability::Searches)
    }

    async fn open(&self, _through: Option<SocketAddr>) -> Result<Sides, Fault> {
        let config = ProcessConfig {
            chain: "ledger".to_owned(),
            chain_id: "ledger-1".to_owned(),
            urls: Vec::new(),
            settings: vec![("file".to_owned(), self.file().display().to_string())],
            manifest: self.folder.path().join("ledger.toml"),
            sha256: self.sha256,
            call_deadline_ms: ProcessConfig::CALL_DEADLINE_MS,
        };
        let adapter = ProcessAdapter::new(config).map_err(|error| error.to_string())?;
        Ok(Sides { source: Arc::new(adapter), sink: None })
    }

    async fn advance(&self, blocks: u64) -> Result<(), Fault> {
        (0..blocks).for_each(|_| self.block(&[]));
        Ok(())
    }

    async fn emit(&self, count: usize) -> Result<Vec<Emitted>, Fault> {
        let mut emitted = Vec::new();
        for sequence in 1..=count as u64 {
            self.block(&[packet(sequence)]);
            emitted.push(Emitted { height: *self.height.lock().unwrap(), packet: packet(sequence) });
        }
        Ok(emitted)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_adapter_in_python_conforms() {
    let python = match interpreter() {
        Ok(python) => python,
        Err(reason) => {
            assert!(std::env::var_os("CI").is_none(), "no environment for the example: {reason}");
            eprintln!("SKIPPED: the adapter in Python, since its environment cannot be made: {reason}");
            return;
        }
    };
    let report = assert_conforms(&Ledger::new(&python), 3).await;
    // What an adapter that only reads can be asked for.
    assert_eq!(report.passed().len(), 14, "{report}");
    eprintln!("{report}");
}
