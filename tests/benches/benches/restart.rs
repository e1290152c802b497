//! A restart with 10,000 open packets over four chains, and what the node's own parts keep resident then.
//!
//! A first process writes the journal of 10,000 open and 50,000 ended packets and ends; a second one, as after a crash,
//! opens it: the journal is checked from its first byte, the store is opened, both paths are restored, and the first
//! look for jobs finds what to send. The chains' answers are not in it: how long an endpoint takes is the endpoint's.
//! The reference is reading the journal's bytes. Budgets: 2 seconds to the first send, 150 MiB resident.
#![allow(clippy::print_stdout, clippy::unwrap_used, reason = "a bench prints what it measured and fails by panicking")]

use std::path::Path;
use std::process::Command;

use catenary_benches::{resident_bytes, timed, Ratio};
use catenary_core::engine::{Engine, Event, Job, Options, Side};
use catenary_core::packet_key::PacketKey;
use catenary_core::record::{PacketStep, Record, Stage};
use catenary_light_clients::Timestamp;
use catenary_node::config::Config;
use catenary_node::journal::Reader;
use catenary_node::store::Ledger;
use catenary_node::wiring::restore;
use catenary_protocol::{Acknowledgement, Packet, Payload};

const OPEN: u64 = 10_000;
const ENDED: u64 = 50_000;
const SECONDS_MAX: f64 = 2.0;
const RESIDENT_MAX_MIB: f64 = 150.0;
/// Set in the process that measures, to the folder of the first one.
const FOLDER_ENV: &str = "CATENARY_BENCH_RESTART";

/// The localnet profile with its two chains and their path twice.
fn config(dir: &Path) -> Config {
    let profile = include_str!("../../../config/profiles/localnet.toml");
    let section = |text: &str, from: &str, to: &str| {
        let start = text.find(from).unwrap();
        let end = text[start..].find(to).map_or(text.len(), |at| start + at);
        text[start..end].to_owned()
    };
    let chains = section(profile, "[[chains]]", "[[operators]]");
    let paths = section(profile, "[[paths]]", "[[nothing]]")
        .replace("chain = \"quorum\"", "chain = \"quorum\"\nclient = \"client-0\"")
        .replace("chain = \"simd\"", "chain = \"simd\"\nclient = \"attestations-0\"");
    let head = &profile[..profile.find("[[chains]]").unwrap()];
    let attestors = [("alpha", "a"), ("beta", "b"), ("gamma", "c")].map(|(id, letter)| {
        let of = |chain: &str, port: u16, last: u8| {
            format!(
                "[operators.attestors.{chain}]\nurl = \"http://127.0.0.1:{port}\"\n\
                 address = \"0x{letter}100000000000000000000000000000000000{last:03}\"\n"
            )
        };
        let all: String = ["quorum", "simd", "quorum2", "simd2"]
            .into_iter()
            .zip(1u8..)
            .map(|(chain, last)| of(chain, 9_700 + u16::from(last), last))
            .collect();
        format!("[[operators]]\nid = \"{id}\"\n{all}")
    });
    let second = |text: &str| {
        let named = text.replace("\"quorum\"", "\"quorum2\"").replace("\"simd\"", "\"simd2\"");
        let keyed = named.replace("-quorum\"", "-quorum2\"").replace("-simd\"", "-simd2\"");
        keyed.replace("1337", "1338").replace("localnet-1", "localnet-2").replace(":970", ":980")
    };
    let text = [head, &chains, &second(&chains), &attestors.concat(), &paths, &second(&paths)].concat();
    let file = dir.join("catenary.toml");
    std::fs::write(&file, text).unwrap();
    Config::load(&file, &[]).unwrap_or_else(|errors| panic!("{errors}"))
}

fn packet(sequence: u64) -> Packet {
    Packet {
        sequence,
        source_client: "client-0".into(),
        destination_client: "attestations-0".into(),
        timeout_timestamp_seconds: 86_400,
        payloads: vec![Payload {
            source_port: "transfer".into(),
            destination_port: "transfer".into(),
            version: "ics20-1".into(),
            encoding: "application/x-solidity-abi".into(),
            value: vec![7; 544],
        }],
    }
}

fn step(chain: &str, path: &str, sequence: u64, stage: Stage) -> Record {
    let ack = Acknowledgement { app_acknowledgements: vec![br#"{"result":"AQ=="}"#.to_vec()] };
    Record::Packet(PacketStep {
        path: path.into(),
        key: PacketKey { source_chain: chain.into(), source_client: "client-0".into(), sequence },
        stage,
        packet: Some(packet(sequence).proto_encode()),
        ack: (stage != Stage::Sent).then(|| ack.proto_encode()),
        height: 90,
        reason: None,
        at_seconds: 1,
    })
}

/// The first process: half of all packets on each path, the ended ones before the open ones.
fn write(dir: &Path) {
    let config = config(dir);
    let (ledger, _) = Ledger::open(&dir.join("data")).unwrap();
    for path in &config.paths {
        let (chain, last) = (path.a.chain.as_str(), (OPEN + ENDED) / 2);
        let steps: Vec<Record> = (1..=last)
            .flat_map(|sequence| {
                let stages: &[Stage] = if sequence <= ENDED / 2 {
                    &[Stage::Sent, Stage::Received, Stage::Acknowledged]
                } else {
                    &[Stage::Sent]
                };
                stages.iter().map(move |stage| (sequence, *stage)).collect::<Vec<_>>()
            })
            .map(|(sequence, stage)| step(chain, &path.name, sequence, stage))
            .collect();
        for batch in steps.chunks(500) {
            ledger.record(batch.to_vec()).unwrap();
        }
    }
}

/// From the start to the first jobs.
fn restart(dir: &Path, config: &Config) -> (Ledger, Vec<Engine>, Vec<Job>) {
    let (ledger, report) = Ledger::open(&dir.join("data")).unwrap();
    assert!(report.rebuilt.is_none(), "{report:?}");
    let (mut engines, mut jobs) = (Vec::new(), Vec::new());
    for path in &config.paths {
        let restored = restore(&ledger, config, path).unwrap();
        let mut engine = Engine::new(Options {
            path: path.name.clone(),
            operators: vec!["alpha".into()],
            own: "alpha".into(),
            turn_delay_blocks: 6,
            bucket: 20,
            job_items_max: 20,
            recv_margin_seconds: 30,
        });
        restored.ended.into_iter().for_each(|key| engine.restore_closed(key));
        restored.open.into_iter().for_each(|(key, entry)| engine.restore(key, entry));
        for side in [Side::A, Side::B] {
            let _ = engine.step(Event::Head { side, height: 100, timestamp: Timestamp::from_seconds(100) });
        }
        jobs.extend(engine.due());
        engines.push(engine);
    }
    (ledger, engines, jobs)
}

fn measure(dir: &Path) {
    let config = config(dir);
    let data_dir = dir.join("data");
    let measured = || {
        timed(|| {
            let (_, engines, jobs) = restart(dir, &config);
            assert_eq!(engines.iter().map(|engine| engine.packets().count() as u64).sum::<u64>(), OPEN);
            assert_eq!(jobs.len(), 2, "{jobs:?}");
        })
    };
    let mut bytes = 0;
    let ratio = Ratio::of(5, measured, || {
        timed(|| {
            let segments = Reader::open(&data_dir).unwrap().segments().to_vec();
            bytes = segments.iter().map(|segment| std::fs::read(&segment.path).unwrap().len()).sum();
        })
    });
    let kept = restart(dir, &config);
    let resident = resident_bytes() as f64 / (1024.0 * 1024.0);
    drop(kept);
    let seconds = ratio.measured.as_secs_f64();
    println!("{OPEN} open and {ENDED} ended packets, a journal of {:.0} MiB", bytes as f64 / (1024.0 * 1024.0));
    println!(
        "to the first jobs: {seconds:.2} s, {:.1} times reading the journal; budget {SECONDS_MAX} s",
        ratio.value()
    );
    println!("resident then: {resident:.0} MiB; budget {RESIDENT_MAX_MIB} MiB");
    assert!(seconds <= SECONDS_MAX, "{seconds:.2} s, budget {SECONDS_MAX} s");
    assert!(resident <= RESIDENT_MAX_MIB, "{resident:.0} MiB, budget {RESIDENT_MAX_MIB} MiB");
}

fn main() {
    if let Some(dir) = std::env::var_os(FOLDER_ENV) {
        return measure(Path::new(&dir));
    }
    let dir = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    write(dir.path());
    let status = Command::new(std::env::current_exe().unwrap()).env(FOLDER_ENV, dir.path()).status().unwrap();
    assert!(status.success(), "{status}");
}
