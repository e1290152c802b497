//! The house rules, checked over the whole repository. Each rule's own test, with bad samples, is beside the rule.
#![allow(clippy::unwrap_used, reason = "a test")]

use catenary_tests::tidy::{
    arrows, codes, features, lengths, licences, purity, repository, sources, vectors, words, Source, Violation,
};

/// Read anew by each test: syntax trees cannot be shared between threads.
fn all() -> Vec<Source> {
    repository().unwrap()
}

fn none(found: Vec<Violation>) {
    assert!(found.is_empty(), "{} violations:\n{}", found.len(), found.join("\n"));
}

#[test]
fn crates_know_only_whom_they_may() {
    none(arrows::check(&arrows::metadata().unwrap()));
}

#[test]
fn no_program_has_what_is_for_the_simulation() {
    none(features::check(&features::metadata().unwrap()));
}

#[test]
fn licences_and_origins_are_allowed() {
    let root = sources::root();
    let policy = licences::policy(&root).unwrap();
    none(licences::check(&root, &policy, &licences::packages(&root, &policy).unwrap()));
}

#[test]
fn files_are_short() {
    none(lengths::files(&all()));
}

#[test]
fn functions_are_short() {
    none(lengths::functions(&all()));
    none(lengths::solidity_functions(&all()));
}

#[test]
fn clock_sleep_and_randomness_are_in_one_file() {
    none(purity::world(&all()));
}

#[test]
fn sled_is_in_one_file() {
    none(purity::sled(&all()));
}

#[test]
fn modules_say_what_they_are_for() {
    none(words::module_docs(&all()));
}

#[test]
fn nothing_is_left_for_later() {
    none(words::leftovers(&all()));
}

#[test]
fn nothing_names_the_workplace() {
    none(words::workplace(&all()));
}

#[test]
fn packages_come_from_the_public_registries() {
    none(words::registries(&all()));
}

#[test]
fn vectors_are_used_and_described() {
    none(vectors::used(&all()));
    none(vectors::described(&all()));
}

#[test]
fn error_codes_stand_for_one_thing() {
    none(codes::unique(&all()));
}

#[test]
fn the_errors_page_is_up_to_date() {
    let path = sources::root().join(codes::PAGE);
    let page = codes::page(&all());
    if std::env::var_os("UPDATE").is_some() {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, &page).unwrap();
    }
    let written = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(written == page, "{} is out of date: UPDATE=1 cargo test -p catenary-tests --test tidy", codes::PAGE);
}
