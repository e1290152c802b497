//! The program as a person meets it: help, exit codes, refusals with their stable codes, in text and in JSON.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

fn catenary(config: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_catenary"));
    command.env_clear().arg("--config").arg(config).args(arguments);
    // What a command writes belongs beside its configuration and not where the test happens to run.
    if let Some(dir) = config.parent().filter(|dir| dir.is_dir()) {
        command.current_dir(dir);
    }
    command.output().expect("the program starts")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
fn help_names_every_command_and_what_it_is() {
    let output = catenary(Path::new("none.toml"), &["--help"]);
    let help = text(&output.stdout);
    assert!(output.status.success(), "{help}");
    for word in
        ["every member verifies", "run", "check", "chain", "path", "transfer", "packet", "client", "keys", "attestor"]
    {
        assert!(help.contains(word), "{word} in {help}");
    }
}

#[test]
fn refusals_have_a_code_and_exit_with_one() {
    let dir = tempfile::tempdir().expect("a folder");
    let example = concat!(env!("CARGO_MANIFEST_DIR"), "/../../config/profiles/localnet.toml");
    let good = fs::read_to_string(example).expect("the profile");
    let check = |name: &str, config: &str, arguments: &[&str], code: &str| {
        let path = dir.path().join(name);
        fs::write(&path, config).expect("written");
        for json in [false, true] {
            let mut arguments = arguments.to_vec();
            arguments.extend(json.then_some("--json"));
            let output = catenary(&path, &arguments);
            let said = text(&output.stderr);
            assert_eq!(output.status.code(), Some(1), "{name} {arguments:?}: {said}");
            assert!(said.contains(code), "{name} {arguments:?}: {said}");
            assert_eq!(said.trim_start().starts_with("{\"error\":"), json, "{name} {arguments:?}: {said}");
            assert_eq!(text(&output.stdout), "", "{name} {arguments:?}");
        }
    };
    check("unknown.toml", &format!("operater = \"x\"\n{good}"), &["check"], "operator");
    check("good.toml", &good, &["keys", "new", "k", "--chain", "nowhere", "--purpose", "transactions"], "NODE-CLI-003");
    check("good.toml", &good, &["keys", "new", "k", "--chain", "quorum", "--purpose", "attestations"], "NODE-CLI-004");
    check("good.toml", &good, &["chain", "deploy", "simd"], "NODE-CLI-012");
    check("good.toml", &good, &["path", "create", "nowhere"], "NODE-CLI-016");
    check("good.toml", &good, &["run"], "CFG-");
    check("good.toml", &good, &["packet", "retry", "quorum/client-0/1"], "API-006");

    // An adapter in its own process: its manifest is read, and its executable compared with the pin.
    let manifest = dir.path().join("adapter.toml");
    let section = format!("[chains.process]\nmanifest = {manifest:?}\nsha256 = \"{}\"\n[chains.evm]", "1b".repeat(32));
    let process = good.replacen("family = \"qbft\"", "family = \"qbft\"\nadapter = \"process\"", 1).replacen(
        "[chains.evm]",
        &section,
        1,
    );
    check("process.toml", &process, &["check"], "PROC-001");
    let example = include_str!("../../../adapters/process/examples/python/ledger.toml");
    fs::write(&manifest, example).expect("written");
    check("process.toml", &process, &["check"], "PROC-003");
    fs::write(dir.path().join("ledger.py"), "anything").expect("written");
    check("process.toml", &process, &["check"], "PROC-002");
}

#[test]
fn a_missing_file_is_named() {
    let output = catenary(Path::new("nowhere/none.toml"), &["check"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains("nowhere/none.toml"), "{}", text(&output.stderr));
}
