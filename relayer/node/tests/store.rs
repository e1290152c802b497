//! `catenary store` as a person meets it: what it prints, what it refuses, and that a backup comes back.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use catenary_core::record::{Cursor, Record, SignedAttestation, StatementKind};
use catenary_light_clients::Hash32;
use catenary_node::store::{Drills, Ledger};
use serde_json::Value;

struct Home {
    dir: tempfile::TempDir,
}

impl Home {
    /// The localnet profile, with its data in a folder of its own.
    fn new() -> Self {
        let dir = tempfile::tempdir().expect("a folder");
        let profile = concat!(env!("CARGO_MANIFEST_DIR"), "/../../config/profiles/localnet.toml");
        let text = fs::read_to_string(profile).expect("the profile");
        let line = text.lines().find(|line| line.starts_with("data_dir")).expect("a data_dir").to_owned();
        let home = Self { dir };
        let config = text.replace(&line, &format!("data_dir = {:?}", home.data()));
        fs::write(home.dir.path().join("catenary.toml"), config).expect("written");
        home
    }

    fn data(&self) -> PathBuf {
        self.dir.path().join("data")
    }

    fn path(&self, name: &str) -> String {
        self.dir.path().join(name).display().to_string()
    }

    fn run(&self, arguments: &[&str]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_catenary"));
        command.env_clear().arg("--config").arg(self.dir.path().join("catenary.toml")).args(arguments);
        command.output().expect("the program starts")
    }

    fn json(&self, arguments: &[&str]) -> Value {
        let output = self.run(&[arguments, &["--json"]].concat());
        let (out, error) = (text(&output.stdout), text(&output.stderr));
        assert!(output.status.success(), "{arguments:?}: {error}");
        serde_json::from_str(&out).unwrap_or_else(|e| panic!("{arguments:?}: {e}: {out}"))
    }

    fn refused(&self, arguments: &[&str], code: &str) {
        let output = self.run(arguments);
        let error = text(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{arguments:?}: {error}");
        assert!(error.contains(code), "{arguments:?}: {error}");
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn filled(data_dir: &Path) -> Ledger {
    let (ledger, _) = Ledger::open(data_dir).expect("a ledger");
    let signed = SignedAttestation {
        key: "alpha".into(),
        instance: Hash32([1; 32]),
        height: 7,
        statement: StatementKind::State,
        digest: Hash32([2; 32]),
        timestamp_seconds: Some(7),
    };
    let cursor = Record::Cursor(Cursor { chain: "quorum".into(), height: 4 });
    ledger.record(vec![Record::SignedAttestation(signed), cursor]).expect("recorded");
    ledger
}

#[test]
fn a_running_node_can_be_looked_at_and_backed_up() {
    let home = Home::new();
    let ledger = filled(&home.data());
    let checked = home.json(&["store", "check", "--full"]);
    assert_eq!(checked["journal"]["records"], 2);
    assert!(checked["store"].as_str().is_some_and(|said| said.contains("running")), "{checked}");
    let stats = home.json(&["store", "stats"]);
    assert_eq!((&stats["records"]["cursor"], &stats["store"]), (&Value::from(1), &Value::Null));
    assert_eq!(home.json(&["store", "backup", &home.path("backup")])["records"], 2);
    home.refused(&["store", "rebuild"], "JRN-001");
    home.refused(&["store", "restore", &home.path("backup")], "STORE-104");
    drop(ledger);
    let checked = home.json(&["store", "check", "--full"]);
    assert!(checked["store"].as_str().is_some_and(|said| said.contains("folds to")), "{checked}");
    assert_eq!(home.json(&["store", "stats"])["store"]["cursors"], 1);
    assert_eq!(home.json(&["store", "rebuild"])["folded_records"], 2);
}

#[test]
fn a_backup_and_an_export_come_back() {
    let home = Home::new();
    drop(filled(&home.data()));
    let (backup, lines) = (home.path("backup"), home.path("lines"));
    home.json(&["store", "backup", &backup]);
    home.json(&["store", "export", &lines]);
    home.refused(&["store", "export", &lines], "NODE-CLI-031");
    assert_eq!(home.json(&["store", "restore", &backup, "--verify"])["backup"]["records"], 2);
    home.refused(&["store", "restore", &home.path("nowhere"), "--verify"], "STORE-102");
    for arguments in [["store", "restore", &backup], ["store", "import", &lines]] {
        fs::remove_dir_all(home.data()).expect("lost");
        let back = home.json(&arguments);
        assert_eq!(back["keys_to_reset"], serde_json::json!(["alpha"]), "{arguments:?}");
        assert_eq!(home.json(&["store", "check", "--full"])["journal"]["records"], 3, "{arguments:?}");
    }
    home.refused(&["store", "import", &lines], "STORE-114");
    let output = home.run(&["store", "export", "-"]);
    assert_eq!(text(&output.stdout).lines().count(), 4, "head, two commits, end");
}

#[test]
fn a_journal_is_replayed_from_a_directory_a_segment_or_an_export() {
    let home = Home::new();
    drop(filled(&home.data()));
    let lines = home.path("lines");
    home.json(&["store", "export", &lines]);
    let segment = home.data().join("journal").join("0000000001.seg");
    let sent = home.path("sent-by-mail");
    fs::copy(&segment, &sent).expect("copied");
    for from in [home.data().display().to_string(), segment.display().to_string(), sent.clone(), lines.clone()] {
        let report = home.json(&["replay", &from]);
        assert_eq!((&report["records"], &report["earlier_records"]), (&Value::from(2), &Value::from(0)), "{from}");
    }
    let cut = |file: &str, at: usize| {
        let bytes = fs::read(file).expect("read");
        fs::write(file, &bytes[..bytes.len() - at]).expect("written");
    };
    // A torn end is left out, as at a start; a line that is missing is not.
    cut(&sent, 3);
    assert_eq!(home.json(&["replay", &sent])["records"], 0);
    cut(&lines, 30);
    home.refused(&["replay", &lines], "STORE-112");
    home.refused(&["replay", &home.path("nowhere")], "JRN-002");
    let output = home.run(&["replay", &home.path("nowhere")]);
    assert!(text(&output.stderr).contains("it is not there"), "{}", text(&output.stderr));
}

#[test]
fn a_backup_and_its_test_are_noted_for_the_metrics() {
    let home = Home::new();
    let (backup, ledger) = (home.path("backup"), filled(&home.data()));
    assert_eq!(Drills::read(&home.data()), Drills::default());
    home.json(&["store", "backup", &backup]);
    let taken = Drills::read(&home.data());
    let noted = taken.backup.expect("the backup");
    assert!(noted.at_seconds > 1_700_000_000 && noted.bytes > 0, "{noted:?}");
    assert_eq!(taken.restore_test, None);
    home.json(&["store", "restore", &backup, "--verify"]);
    let tested = Drills::read(&home.data()).restore_test.expect("the test");
    assert_eq!(tested.bytes, noted.bytes);
    // What fails is not noted.
    fs::remove_file(home.dir.path().join("backup").join("backup.json")).expect("removed");
    home.refused(&["store", "restore", &backup, "--verify"], "STORE-102");
    assert_eq!(Drills::read(&home.data()).restore_test, Some(tested));
    drop(ledger);
}
