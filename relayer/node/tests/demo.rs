//! The demo as a newcomer runs it: to its end with every step held, read from its JSON; and ended early by Ctrl-C.
#![cfg(feature = "demo")]
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::Value;

/// The steps, in their order.
const STEPS: [&str; 12] = [
    "networks",
    "contracts",
    "path",
    "operators",
    "transfers",
    "vouchers_home",
    "forged_header",
    "lying_endpoint",
    "operator_stopped",
    "relayer_killed",
    "deadline_missed",
    "conservation",
];

/// The program with a place of its own for temporary folders.
fn catenary(temporary: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_catenary"));
    command.env_clear().env("TMPDIR", temporary).args(arguments).stdin(Stdio::null());
    command
}

fn is_empty(dir: &Path) -> bool {
    std::fs::read_dir(dir).unwrap().next().is_none()
}

#[test]
fn every_step_holds_and_the_document_says_so() {
    let temporary = tempfile::tempdir().unwrap();
    let output = catenary(temporary.path(), &["demo", "--once", "--json", "--seed", "7"]).output().unwrap();
    let (said, complaints) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert_eq!(output.status.code(), Some(0), "{said}\n{complaints}");
    assert_eq!(said.lines().count(), 1, "one document: {said}");
    let report: Value = serde_json::from_str(&said).unwrap();
    assert_eq!((&report["ok"], &report["version"], &report["seed"]), (&true.into(), &1.into(), &7.into()));
    let steps = report["steps"].as_array().unwrap();
    let names: Vec<&str> = steps.iter().map(|step| step["name"].as_str().unwrap()).collect();
    assert_eq!(names, STEPS);
    for step in steps {
        assert_eq!(step["ok"], true, "{step}");
        assert!(step["seconds"].as_f64().unwrap() >= 0.0 && !step["line"].as_str().unwrap().is_empty(), "{step}");
    }
    let facts = |name: &str| &steps.iter().find(|step| step["name"] == name).unwrap()["facts"];
    let code = |name: &str| facts(name)["code"].as_str().unwrap();
    assert!(code("forged_header").starts_with("LC-CMT-"), "{}", facts("forged_header"));
    assert!(code("lying_endpoint").starts_with("LC-QBFT-"), "{}", facts("lying_endpoint"));
    assert!(facts("lying_endpoint")["message"].as_str().unwrap().contains("chain evm"), "{}", facts("lying_endpoint"));
    assert_eq!(facts("operator_stopped")["stopped"], "gamma");
    assert_eq!(facts("relayer_killed")["killed"], "alpha");

    let ends = |end: &str| {
        let rows = report["transfers"].as_array().unwrap().iter().filter(|row| row["end"] == end);
        rows.map(|row| row["amount"].as_u64().unwrap()).collect::<Vec<_>>()
    };
    let mut arrived = ends("acknowledged");
    arrived.sort_unstable();
    assert_eq!(arrived, [42, 60, 80, 90, 100, 250, 300, 700]);
    assert_eq!((ends("rejected"), ends("timed_out")), (vec![11], vec![33]));
    assert_eq!(report["transfers"].as_array().unwrap().len(), 10, "none is open");

    let book = |index: usize| &report["books"][index];
    assert_eq!(book(0), &serde_json::json!({ "asset": "DEUR", "locked": 252, "vouchers": 252, "in_flight": 0 }));
    assert_eq!(book(1), &serde_json::json!({ "asset": "dusd", "locked": 570, "vouchers": 570, "in_flight": 0 }));
    assert!(is_empty(temporary.path()), "the temporary folder is left behind");
}

#[test]
fn ctrl_c_ends_it_and_leaves_nothing_behind() {
    let temporary = tempfile::tempdir().unwrap();
    let mut child = catenary(temporary.path(), &["demo", "--keep-running"]).stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    // Operators, networks and customers are all there then.
    let running = lines.by_ref().map_while(Result::ok).find(|line| line.contains("Three operators"));
    assert!(running.is_some() && !is_empty(temporary.path()));
    let pid = child.id().to_string();
    assert!(Command::new("kill").args(["-INT", &pid]).status().unwrap().success());
    let rest: Vec<String> = lines.map_while(Result::ok).collect();
    assert_eq!(child.wait().unwrap().code(), Some(130), "{rest:?}");
    assert!(is_empty(temporary.path()), "the temporary folder is left behind");
}

#[test]
fn a_folder_with_something_in_it_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("mine"), "x").unwrap();
    let named = folder.path().display().to_string();
    let output = catenary(folder.path(), &["demo", "--data-dir", &named]).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).contains("NODE-DEMO-001"));
    assert_eq!(std::fs::read_to_string(folder.path().join("mine")).unwrap(), "x");
}
