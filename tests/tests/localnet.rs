//! The networks that every end-to-end test stands on: they start, make blocks, survive the loss of a node, and leave nothing behind.
#![allow(clippy::unwrap_used, reason = "a test")]

use std::io::BufRead as _;
use std::time::Duration;

use catenary_tests::localnet::process::is_running;
use catenary_tests::localnet::{wait_until, Quorum, QuorumOptions, Simd, SimdOptions};
use serde_json::json;

const MINUTE: Duration = Duration::from_secs(60);
const LONG: Duration = Duration::from_secs(180);

fn pids(pid: impl Fn(usize) -> Option<u32>, count: usize) -> Vec<u32> {
    (0..count).filter_map(pid).collect()
}

#[test]
fn both_networks_start_and_make_blocks() {
    if !catenary_tests::localnet::nodes_are_here("localnet::both_networks_start_and_make_blocks") {
        return;
    }
    let evm = Quorum::start(QuorumOptions::default()).unwrap();
    let cosmos = Simd::start(SimdOptions::default()).unwrap();
    evm.wait_for_height(3, MINUTE).unwrap();
    cosmos.wait_for_height(3, MINUTE).unwrap();

    let mut listed = evm.validators_now(0).unwrap();
    let mut known = evm.validators.clone();
    listed.sort();
    known.sort();
    assert_eq!(listed, known, "the chain's validators are those whose keys we hold");
    let user = &evm.options.accounts[0];
    let balance = evm.rpc(0).call("eth_getBalance", json!([user.evm_hex(), "latest"])).unwrap();
    assert_eq!(balance, "0x10000000000000000000000000");

    let status = cosmos.rpc(0).call("status", json!({})).unwrap();
    assert_eq!(status["node_info"]["network"], "sim-1");
    let address = status["validator_info"]["address"].as_str().unwrap().to_lowercase();
    assert_eq!(address, cosmos.validators[0].consensus_address_hex);
}

#[test]
fn a_qbft_network_lives_on_without_one_validator_and_takes_it_back() {
    if !catenary_tests::localnet::nodes_are_here(
        "localnet::a_qbft_network_lives_on_without_one_validator_and_takes_it_back",
    ) {
        return;
    }
    let evm = Quorum::start(QuorumOptions::default()).unwrap();
    evm.kill(3);
    let head = evm.height(0).unwrap();
    let head = evm.wait_for_node_height(0, head + 3, LONG).unwrap();
    evm.restart(3).unwrap();
    evm.wait_for_node_height(3, head, LONG).unwrap();
}

#[test]
fn four_cometbft_validators_start_and_commit_without_one() {
    if !catenary_tests::localnet::nodes_are_here("localnet::four_cometbft_validators_start_and_commit_without_one") {
        return;
    }
    let cosmos = Simd::start(SimdOptions { validators: 4, ..SimdOptions::default() }).unwrap();
    cosmos.stop(3);
    let head = cosmos.height(0).unwrap();
    let head = cosmos.wait_for_node_height(0, head + 4, LONG).unwrap();
    let commit = cosmos.rpc(0).call("commit", json!({"height": (head - 1).to_string()})).unwrap();
    let flags: Vec<u64> = commit["signed_header"]["commit"]["signatures"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|s| s["block_id_flag"].as_u64())
        .collect();
    assert_eq!(flags.len(), 4);
    assert!(flags.contains(&1), "the stopped validator is absent from the commit: {flags:?}");
}

#[test]
fn a_panic_leaves_no_process_behind() {
    if !catenary_tests::localnet::nodes_are_here("localnet::a_panic_leaves_no_process_behind") {
        return;
    }
    let (tell, told) = std::sync::mpsc::channel();
    let ended = std::thread::spawn(move || {
        let evm = Quorum::start(QuorumOptions { validators: 1, ..QuorumOptions::default() }).unwrap();
        let cosmos = Simd::start(SimdOptions::default()).unwrap();
        tell.send((pids(|i| evm.pid(i), 1), pids(|i| cosmos.pid(i), 1))).unwrap();
        panic!("on purpose: the nodes must die with this thread");
    })
    .join();
    assert!(ended.is_err());
    let (evm, cosmos) = told.recv().unwrap();
    assert_eq!((evm.len(), cosmos.len()), (1, 1));
    for pid in evm.into_iter().chain(cosmos) {
        assert!(!is_running(pid), "process {pid} is still there");
    }
}

#[test]
fn a_killed_owner_takes_its_nodes_with_it() {
    if !catenary_tests::localnet::nodes_are_here("localnet::a_killed_owner_takes_its_nodes_with_it") {
        return;
    }
    // What a killed owner cannot clean up goes with this folder.
    let folder = tempfile::tempdir().unwrap();
    let mut owner = std::process::Command::new(env!("CARGO_BIN_EXE_catenary-localnet"))
        .env("TMPDIR", folder.path())
        .args(["up", "--qbft-validators", "1"])
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let lines = std::io::BufReader::new(owner.stdout.take().unwrap()).lines();
    let mut pids = Vec::new();
    for line in lines {
        let line = line.unwrap();
        if let Some((_, pid)) = line.split_once(" pid ") {
            pids.push(pid.parse::<u32>().unwrap());
        }
        if line.starts_with("Ctrl-C") {
            break;
        }
    }
    assert_eq!(pids.len(), 2);
    assert!(pids.iter().all(|pid| is_running(*pid)), "both nodes run while their owner does");
    owner.kill().unwrap();
    owner.wait().unwrap();
    wait_until("the end of both nodes", MINUTE, || Ok(pids.iter().all(|pid| !is_running(*pid)).then_some(()))).unwrap();
}
