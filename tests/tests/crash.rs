//! Crash tests on the real process: `catenary run` is ended at every named point of its source, and at random moments,
//! with traffic under way, and started again. Nothing is lost and nothing happens twice: counted from the chains' state
//! and from the transactions in their blocks, never from the node's own words.
//!
//! [`kills::table`] is the list of points, [`kills::rig`] the one runner, [`kills::memory`] what a journal must and must
//! not hold. Three operators run as processes between two devnets of this process; alpha is the one that is ended, so
//! most rows restart one process and nothing else. Each start of alpha is armed with the next row's point, so that what
//! a row left behind is recovered by a process that is itself about to be ended; a row that runs alone is recovered by
//! one that is not.
//!
//! `CATENARY_CRASH=NAME` runs one row alone, `CATENARY_CRASH=random` the random kills, names with commas between them
//! more of these, and `CATENARY_CRASH_SEED=N` gives the random kills another seed. The folder of a run is kept with `CATENARY_KEEP=1`; its logs stay when a row fails.
#![allow(clippy::unwrap_used, reason = "a test")]

mod kills;

use std::collections::BTreeSet;

use catenary_tests::consortium::NetworkKind;
use catenary_tests::localnet::nodes_are_here;
use catenary_tests::tidy::repository;
use kills::commands;
use kills::rig::Rig;
use kills::table::{Row, When, ROWS};

/// Which rows to run: all, or those that `CATENARY_CRASH` names.
fn wanted(name: &str) -> bool {
    std::env::var("CATENARY_CRASH").map_or(true, |names| names.split(',').any(|one| one == name))
}

#[test]
fn every_point_of_the_source_is_in_the_table_and_every_row_has_its_point() {
    let mut points = BTreeSet::new();
    let sources = repository().unwrap();
    for source in sources.iter().filter(|source| source.path.starts_with("relayer/node/src/") && source.is_rust()) {
        if source.path.ends_with("/failpoint.rs") {
            continue;
        }
        for call in ["failpoint(\"", "failpoint_after(\""] {
            for after in source.text.split(call).skip(1) {
                points.insert(after.split('"').next().unwrap_or_default().to_owned());
            }
        }
    }
    let rows: BTreeSet<String> = ROWS.iter().map(|row| row.point.to_owned()).collect();
    let missing: Vec<_> = points.difference(&rows).collect();
    let stale: Vec<_> = rows.difference(&points).collect();
    assert!(missing.is_empty(), "no row of the table ends the process at {missing:?}: say there what must hold");
    assert!(stale.is_empty(), "the source has no point {stale:?}");
    assert!(points.len() >= 25, "{} points", points.len());
    let names: BTreeSet<String> = ROWS.iter().map(Row::name).collect();
    assert_eq!(names.len(), ROWS.len(), "two rows have one name");
}

#[test]
fn ended_at_any_point_and_started_again_nothing_is_lost_or_doubled() {
    let mut rig = Rig::start(NetworkKind::Devnets { block_interval: kills::BLOCK_INTERVAL });
    let elsewhere = |row: &Row| row.is_command() || row.is_keeping() || row.is_native();
    for row in ROWS.iter().filter(|row| !elsewhere(row) && wanted(&row.name())) {
        rig.run(row);
    }
    rig.settle("after the last point");
    if wanted("random") {
        rig.random(kills::RANDOM_ROUNDS, kills::seed());
        rig.settle("after the random kills");
    }
    for row in ROWS.iter().filter(|row| row.is_command() && wanted(&row.name())) {
        commands::run(&mut rig, row);
    }
    rig.verdict();
}

/// Each of these rows goes on from what the one before it left: `CATENARY_CRASH=native` runs them all, and nothing else.
#[tokio::test(flavor = "multi_thread")]
async fn ended_while_it_keeps_native_clients_nothing_is_forgotten() {
    if wanted("native") {
        kills::native::refreshes().await;
        kills::native::bisections().await;
        kills::native::misbehaviour().await;
    }
}

#[test]
fn ended_while_the_journal_is_kept_small_or_copied_nothing_is_lost_or_doubled() {
    let mut rig = Rig::start(NetworkKind::Devnets { block_interval: kills::BLOCK_INTERVAL });
    rig.limit("journal_segment_bytes = 16384\nretain_closed = \"1s\"");
    rig.forgets = true;
    let mut removes = false;
    for row in ROWS.iter().filter(|row| row.is_keeping() && wanted(&row.name())) {
        match row.when {
            When::Backup | When::Restore => commands::run(&mut rig, row),
            When::Forgetting if !removes => {
                removes = true;
                rig.limit("journal_keep = \"1s\"");
                rig.run(row);
            }
            _ => rig.run(row),
        }
    }
    rig.verdict();
    let [copied, journal] = ["scratch", "checkpoint-new"].map(|end| {
        let files = std::fs::read_dir(rig.data_dir(0).join("journal")).unwrap();
        files.filter(|file| file.as_ref().unwrap().file_name().to_string_lossy().ends_with(end)).count()
    });
    assert_eq!((copied, journal), (0, 0), "what was half done is cleared away");
}

#[test]
fn ended_on_the_real_networks_nothing_is_lost_or_doubled() {
    if !nodes_are_here("crash::ended_on_the_real_networks_nothing_is_lost_or_doubled") {
        return;
    }
    let mut rig = Rig::start(NetworkKind::Real);
    for row in ROWS.iter().filter(|row| row.on_real_nodes && wanted(&row.name())) {
        rig.run(row);
    }
    rig.settle("after the last point");
    if wanted("random") {
        rig.random(kills::REAL_RANDOM_ROUNDS, kills::seed());
        rig.settle("after the random kills");
    }
    rig.verdict();
}
