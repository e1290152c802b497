//! Tests of the metrics page and of the reference page.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "a test fails by panicking")]

use std::collections::BTreeSet;
use std::path::PathBuf;

use super::*;
use crate::store::Drill;

fn side(chain: &str, client_id: &str) -> SideScope {
    SideScope { chain: chain.to_owned(), client_id: client_id.to_owned() }
}

fn chain(name: &str, family: Family, endpoints: usize, signers: usize) -> ChainScope {
    ChainScope {
        name: name.to_owned(),
        family,
        trusting_period_seconds: 1_209_600,
        endpoints: (0..endpoints).map(|number| format!("{name}-rpc-{number}")).collect(),
        signers: (0..signers).map(|number| format!("{name}-key-{number}")).collect(),
        fee_asset: format!("{name}-fee"),
    }
}

fn small() -> MetricsScope {
    MetricsScope {
        config_hash: "0123abcd".into(),
        profile: "consortium".into(),
        chains: vec![chain("evm", Family::Qbft, 1, 1), chain("simd", Family::CometBft, 1, 1)],
        paths: vec![PathScope {
            name: "evm-simd".into(),
            sides: [side("evm", "client-0"), side("simd", "attestations-0")],
        }],
        operators: vec!["org-b".into(), "org-c".into()],
    }
}

/// Names and labels of a page, without values.
fn shape(page: &str) -> String {
    let mut lines: Vec<String> = Vec::new();
    for line in page.lines() {
        let (series, _) = line.rsplit_once(' ').unwrap();
        let series = if line.starts_with('#') { line } else { series };
        lines.push(series.replace(env!("CATENARY_RUSTC"), "RUSTC").replace(env!("CARGO_PKG_VERSION"), "VERSION"));
    }
    lines.join("\n") + "\n"
}

/// Compares a file of the repository with what it should be; `UPDATE=1` writes it.
fn check_file(path: &str, expect: &str) {
    let file = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../..").join(path);
    if std::env::var_os("UPDATE").is_some() {
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(&file, expect).unwrap();
    }
    let got = std::fs::read_to_string(&file).unwrap_or_default();
    let differs = got.lines().zip(expect.lines()).find(|(got, expect)| got != expect);
    assert!(got == expect, "{path} is out of date, first at {differs:?}; run with UPDATE=1 and look at the difference");
}

#[test]
fn the_page_has_the_names_and_labels_of_the_golden_page() {
    let page = Metrics::new(&small()).page();
    check_file("tests/vectors/metrics/golden.txt", &shape(&page));
}

#[test]
fn the_reference_page_is_the_table() {
    check_file("relayer/docs/METRICS.md", &reference_page());
}

#[test]
fn the_table_keeps_the_rules_of_names() {
    let mut names = BTreeSet::new();
    for family in TABLE {
        let name = family.name;
        assert!(names.insert(name), "{name} is declared twice");
        assert!(name.starts_with(PREFIX) && name.chars().all(|c| c.is_ascii_lowercase() || "_0123456789".contains(c)));
        assert_eq!(
            family.kind == "counter",
            name.ends_with("_total"),
            "{name}: counters, and only they, end in _total"
        );
        assert_eq!(family.kind == "histogram", !family.buckets.is_empty(), "{name}");
        assert!(family.buckets.is_sorted(), "{name}");
        assert!(family.help.ends_with('.') && !family.help.contains('|'), "{name}");
        assert!(!name.contains("_time_"), "{name}: timestamps, not times since");
    }
}

#[test]
fn every_family_but_the_codes_of_rejections_has_its_series_from_the_start() {
    let page = Metrics::new(&small()).page();
    for family in TABLE {
        let present = page.lines().any(|line| line.starts_with(family.name));
        assert_eq!(present, family.name != "catenary_verify_rejections_total", "{}", family.name);
    }
}

#[test]
fn a_large_node_stays_within_the_budget_of_series() {
    let chains: Vec<ChainScope> = (0..32).map(|number| chain(&format!("c{number}"), Family::Qbft, 2, 2)).collect();
    let paths = (0..64).map(|number| PathScope {
        name: format!("p{number}"),
        sides: [
            side(&format!("c{}", number % 32), &format!("client-{number}")),
            side("c0", &format!("client-{number}")),
        ],
    });
    let operators = (0..6).map(|number| format!("org-{number}")).collect();
    let scope = MetricsScope { chains, paths: paths.collect(), operators, ..MetricsScope::default() };
    let metrics = Metrics::new(&scope);
    for number in 0..40 {
        metrics.rejection(Family::Qbft, ["A", "B", "C", "D"][number % 4]);
    }
    let series = metrics.page().lines().filter(|line| !line.starts_with('#')).count();
    assert!(series < 25_000, "{series} series");
}

/// Does something to fresh metrics and expects a line of the page.
fn check(change: impl Fn(&Metrics), expect: &str) {
    let metrics = Metrics::new(&small());
    let before = metrics.page();
    assert!(!before.lines().any(|line| line == expect), "{expect} is there before");
    change(&metrics);
    let page = metrics.page();
    let name = expect.split('{').next().unwrap();
    let near: Vec<&str> = page.lines().filter(|line| line.starts_with(name)).collect();
    assert!(page.lines().any(|line| line == expect), "{expect} not in {near:#?}");
}

#[test]
fn each_function_writes_its_series() {
    let at = Timestamp::from_nanos(1_700_000_000_250_000_000);
    check(|m| m.head("evm", 7, at), r#"catenary_chain_head_height{chain="evm",finality="final"} 7"#);
    check(
        |m| m.head("evm", 7, at),
        r#"catenary_chain_head_timestamp_seconds{chain="evm",finality="final"} 1700000000.25"#,
    );
    check(|m| m.scan_gaps("simd", 2), r#"catenary_scan_gaps_total{chain="simd"} 2"#);
    check(|m| m.scanned("simd", 9), r#"catenary_scan_height{chain="simd"} 9"#);
    check(
        |m| m.rpc_request("evm", "evm-rpc-0", MethodClass::Proofs, Outcome::Transient),
        r#"catenary_rpc_requests_total{chain="evm",endpoint="evm-rpc-0",method_class="proofs",outcome="transient"} 1"#,
    );
    check(|m| m.client_trusted(Client::Light("evm"), 5), r#"catenary_client_trusted_height{client="evm"} 5"#);
    let on_chain = Client::OnChain { chain: "simd", client_id: "attestations-0" };
    check(|m| m.client_trusted(on_chain, 5), r#"catenary_client_trusted_height{client="simd/attestations-0"} 5"#);
    check(|m| m.client_expiry("evm", at), r#"catenary_client_expiry_timestamp_seconds{client="evm"} 1700000000.25"#);
    check(
        |m| m.client_status(on_chain, ClientStatus::Frozen),
        r#"catenary_client_status{client="simd/attestations-0",status="frozen"} 1"#,
    );
    check(
        |m| m.client_status(on_chain, ClientStatus::Frozen),
        r#"catenary_client_status{client="simd/attestations-0",status="active"} 0"#,
    );
    check(
        |m| m.client_update(on_chain, ClientUpdateOutcome::Confirmed),
        r#"catenary_client_updates_total{client="simd/attestations-0",outcome="confirmed"} 1"#,
    );
    check(
        |m| m.misbehaviour("evm", MisbehaviourStage::Detected),
        r#"catenary_misbehaviour_total{client="evm",stage="detected"} 1"#,
    );
    check(
        |m| m.verified(Family::Qbft, Check::Header, CheckVerdict::Verified, 0.001),
        r#"catenary_verify_total{check="header",family="qbft",verdict="verified"} 1"#,
    );
    check(
        |m| m.verified(Family::Qbft, Check::Header, CheckVerdict::Verified, 0.001),
        r#"catenary_verify_duration_seconds_bucket{check="header",family="qbft",le="0.001"} 1"#,
    );
    check(
        |m| m.rejection(Family::CometBft, "LC-COMET-001"),
        r#"catenary_verify_rejections_total{code="LC-COMET-001",family="cometbft"} 1"#,
    );
}

#[test]
fn what_is_recorded_and_backed_up_has_its_series() {
    let refused = |code: &'static str| move |m: &Metrics| m.records_refused(Some(RecordsRefused::of(code)));
    check(refused("JRN-002"), r#"catenary_records_refused{code="JRN-002"} 1"#);
    check(refused("JRN-005"), r#"catenary_records_refused{code="other"} 1"#);
    let drills = |m: &Metrics| {
        let drill = |at_seconds| Some(Drill { at_seconds, duration_ms: 2_500, bytes: 9 });
        m.drills(&Drills { backup: drill(7), restore_test: drill(8) });
    };
    check(drills, "catenary_backup_last_success_timestamp_seconds 7");
    check(drills, "catenary_backup_last_duration_seconds 2.5");
    check(drills, "catenary_backup_last_bytes 9");
    check(drills, "catenary_restore_test_last_success_timestamp_seconds 8");
    check(drills, "catenary_restore_test_last_duration_seconds 2.5");
    check(drills, "catenary_restore_test_last_bytes 9");
}

#[test]
fn each_function_of_packets_and_transactions_writes_its_series() {
    let at = Timestamp::from_nanos(1_700_000_000_250_000_000);
    check(
        |m| m.packet("evm-simd", PacketKind::Send, Stage::Sent),
        r#"catenary_packets_total{kind="send",path="evm-simd",stage="sent"} 1"#,
    );
    check(
        |m| m.packets_in_stage("evm-simd", Stage::Sent, 3, Some(at)),
        r#"catenary_packets_in_stage{path="evm-simd",stage="sent"} 3"#,
    );
    check(
        |m| m.packets_in_stage("evm-simd", Stage::Sent, 3, Some(at)),
        r#"catenary_packet_oldest_timestamp_seconds{path="evm-simd",stage="sent"} 1700000000.25"#,
    );
    check(
        |m| m.end_to_end("evm-simd", EndToEnd::Acked, 3.0),
        r#"catenary_packet_end_to_end_seconds_bucket{outcome="acked",path="evm-simd",le="4"} 1"#,
    );
    check(
        |m| m.terminal("evm-simd", Terminal::DoneByOther),
        r#"catenary_packets_terminal_total{outcome="done_by_other",path="evm-simd"} 1"#,
    );
    check(
        |m| m.blocked("evm-simd", BlockedReason::Attestors, 4),
        r#"catenary_packets_blocked{path="evm-simd",reason="attestors"} 4"#,
    );
    check(|m| m.retry("evm-simd", Class::Transient), r#"catenary_retries_total{class="transient",path="evm-simd"} 1"#);
    check(|m| m.batch("evm", 9, 5_000), r#"catenary_batch_size_messages_sum{chain="evm"} 9"#);
    check(|m| m.batch("evm", 9, 5_000), r#"catenary_batch_bytes_bucket{chain="evm",le="8192"} 1"#);
    check(
        |m| m.tx("evm", "evm-key-0", TxOutcome::Reverted),
        r#"catenary_tx_total{chain="evm",outcome="reverted",signer="evm-key-0"} 1"#,
    );
    check(|m| m.fee_spent("evm", "evm-fee", 2.5), r#"catenary_tx_fee_spent_total{asset="evm-fee",chain="evm"} 2.5"#);
    check(|m| m.nonces("evm", "evm-key-0", 8, 6), r#"catenary_tx_nonce_next{chain="evm",signer="evm-key-0"} 8"#);
    check(|m| m.nonces("evm", "evm-key-0", 8, 6), r#"catenary_tx_nonce_chain{chain="evm",signer="evm-key-0"} 6"#);
    check(|m| m.in_flight("evm", "evm-key-0", 2), r#"catenary_tx_in_flight{chain="evm",signer="evm-key-0"} 2"#);
    check(
        |m| m.balance("evm", "evm-key-0", "evm-fee", 1.5),
        r#"catenary_signer_balance{asset="evm-fee",chain="evm",signer="evm-key-0"} 1.5"#,
    );
    check(
        |m| m.attestor_request("evm", AttestationKind::Ack, AttestationOutcome::Refused),
        r#"catenary_attestor_requests_total{chain="evm",kind="ack",outcome="refused"} 1"#,
    );
    check(
        |m| m.attestor_exclusion("evm", "org-b", ExclusionCode::WrongTime),
        r#"catenary_attestor_exclusions_total{chain="evm",code="ATT-109",member="org-b"} 1"#,
    );
    check(
        |m| m.attestor_members_available("evm-simd", "evm", 2),
        r#"catenary_attestor_members_available{path="evm-simd",side="evm"} 2"#,
    );
    check(
        |m| m.attestor_members_required("evm-simd", "evm", 2),
        r#"catenary_attestor_members_required{path="evm-simd",side="evm"} 2"#,
    );
    check(|m| m.journal(77, 3), "catenary_journal_bytes 77");
    check(|m| m.journal(77, 3), "catenary_journal_unsynced_records 3");
    check(
        |m| m.store_operation(StoreOperation::Batch, Outcome::Ok),
        r#"catenary_store_operations_total{op="batch",outcome="ok"} 1"#,
    );
    check(
        |m| m.progress(Task::Path("evm-simd"), at),
        r#"catenary_task_last_progress_timestamp_seconds{task="path/evm-simd"} 1700000000.25"#,
    );
    check(|m| m.log_event(LogLevel::Warn), r#"catenary_log_events_total{level="warn"} 1"#);
}

#[test]
fn names_that_are_not_configured_share_one_series() {
    let metrics = Metrics::new(&small());
    let before = metrics.page().lines().count();
    for number in 0..100 {
        metrics.attestor_exclusion("evm", &format!("intruder-{number}"), ExclusionCode::Silent);
        metrics.scanned(&format!("chain-{number}"), 1);
    }
    let page = metrics.page();
    let line = r#"catenary_attestor_exclusions_total{chain="evm",code="ATT-102",member="unconfigured"} 100"#;
    assert!(page.contains(line));
    assert_eq!(page.lines().count(), before + 2);
}

#[test]
fn fees_are_counted_by_corridor() {
    check(
        |m| m.corridor_fee_spent(("evm-simd", "simd", Some("uatom")), ("evm", PacketKind::Send), 2.5),
        r#"catenary_corridor_fee_spent_total{asset="uatom",chain="evm",kind="send",path="evm-simd",source="simd"} 2.5"#,
    );
    check(
        |m| m.corridor_fee_spent(("evm-simd", "evm", None), ("evm", PacketKind::Ack), 1.5),
        r#"catenary_corridor_fee_spent_total{asset="other",chain="evm",kind="ack",path="evm-simd",source="evm"} 1.5"#,
    );
}

/// Whoever sends a packet names its asset.
#[test]
fn assets_cannot_grow_the_page() {
    let metrics = Metrics::new(&small());
    let spend = |path: &str, asset: &str| {
        metrics.corridor_fee_spent((path, "evm", Some(asset)), ("evm", PacketKind::Ack), 1.0);
    };
    for name in ["", "with space", "umlaut-\u{e4}", "line\nbreak", &"x".repeat(ASSET_BYTES_MAX + 1)] {
        spend("evm-simd", name);
    }
    let before = metrics.page().lines().count();
    for number in 0..1_000 {
        spend("evm-simd", &format!("asset-{number}"));
        spend(&format!("path-{number}"), &format!("asset-{number}"));
    }
    let page = metrics.page();
    assert!(page.contains(r#"asset="asset-0",chain="evm",kind="ack",path="evm-simd""#));
    // The known path and the one that stands for all others.
    assert_eq!(page.lines().count(), before + 2 * ASSETS_MAX + 1);
}
