//! The reference pages of the command line and of the configuration are what the code says.
#![allow(clippy::unwrap_used, reason = "a test")]

use std::path::PathBuf;

/// Compares a page with what it should be; `UPDATE=1` writes it.
fn check(path: &str, expect: &str, names: &[&str]) {
    let file = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../..").join(path);
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(&file, expect).unwrap();
    }
    let got = std::fs::read_to_string(&file).unwrap_or_default();
    let differs = got.lines().zip(expect.lines()).find(|(got, expect)| got != expect);
    assert!(got == expect, "{path} is out of date, first at {differs:?}; run with UPDATE=1 and look at the difference");
    for name in names {
        assert!(got.contains(name), "{path} lacks {name}");
    }
}

#[test]
fn the_reference_of_the_command_line_is_what_it_takes() {
    let names = ["`catenary run`", "`catenary client anchor set <CHAIN> <HEIGHT> <HASH>`", "`--uetr <UETR>`"];
    check("relayer/docs/CLI.md", &catenary_node::cli::reference_page(), &names);
}

#[test]
fn the_reference_of_the_configuration_is_the_commented_example() {
    let names = ["## `[chains.trust]`", "| `trusting_period` | `\"14d\"` | required", "| `gas_price` |"];
    let page = catenary_node::config::reference_page();
    check("relayer/docs/CONFIG.md", &page, &names);
    let rows = page.lines().filter(|line| line.starts_with("| `"));
    let silent: Vec<&str> = rows.filter(|row| row.ends_with("|  |")).collect();
    assert!(silent.is_empty(), "keys without a word on what they mean: {silent:#?}");
}
