//! Endpoints that lie, on the real networks: alpha reaches both chains through proxies that change one thing each.
//! What is changed is refused with the code of the check, alpha attests and sends nothing on it, the others go on, and
//! so does alpha once its endpoint tells the truth again. And configurations that are wrong, which are refused.
#![allow(clippy::unwrap_used, reason = "a test")]

use std::time::Duration;

use catenary_tests::consortium::{Asset, Consortium, ConsortiumOptions, Order, CHAINS, MEMBERS};
use catenary_tests::localnet::{wait_until, Account, Quorum, QuorumOptions};
use catenary_tests::proxy::lies;
use serde_json::Value;

/// Generous for loaded machines; nothing here waits for a fixed time.
const DEADLINE: Duration = Duration::from_secs(240);

/// Transfers of each direction for the count of requests.
const EACH_WAY: usize = 100;
/// Most HTTP requests a packet on one chain, idle polling included; far above what is measured, since a loaded machine
/// polls longer.
const REQUESTS_MAX: u64 = 10;

type LieOf = Box<dyn Fn(&Value, &mut Value) -> bool + Send + Sync>;

/// What alpha is told, and how it must take it.
struct Case {
    name: &'static str,
    /// The chain that it is told about.
    chain: usize,
    lie: LieOf,
    /// Code of the check that refuses.
    code: &'static str,
    /// Whether nothing of the chain is used any more while it lasts; else only what the lie is about is refused.
    stops: bool,
}

fn cases() -> Vec<Case> {
    let case = |name, chain, lie, code, stops| Case { name, chain, lie, code, stops };
    vec![
        case("QBFT commit seal", 0, Box::new(lies::qbft_seal), "LC-QBFT-018", true),
        case("QBFT state root", 0, Box::new(lies::qbft_state_root), "LC-QBFT-018", true),
        case("storage value", 0, Box::new(lies::storage_value), "LC-QBFT-033", false),
        case("storage proof", 0, Box::new(lies::storage_proof), "LC-MPT-006", false),
        case("app hash", 1, Box::new(lies::app_hash), "LC-CMT-014", true),
        case("commit signature", 1, Box::new(lies::comet_signature), "LC-CMT-026", true),
        case("store value", 1, Box::new(lies::store_value), "LC-ICS23", false),
    ]
}

#[test]
fn a_lie_is_refused_by_name_and_the_truth_goes_on() {
    if !catenary_tests::localnet::nodes_are_here("e2e_hostile::a_lie_is_refused_by_name_and_the_truth_goes_on") {
        return;
    }
    let options = ConsortiumOptions { proxied: true, ..ConsortiumOptions::default() };
    let twin = twin_network();
    let mut consortium = Consortium::start(&options).unwrap();
    wrong_configurations(&consortium);
    other_network(&mut consortium, twin);
    requests_a_packet(&consortium);
    for case in cases() {
        refused(&mut consortium, case);
    }
    changed_event(&mut consortium);
    for chain in 0..2 {
        frozen_head(&mut consortium, chain);
    }
    consortium.conserved().unwrap();
}

/// What leaves a chain, by its place in [`CHAINS`].
const fn asset_from(chain: usize) -> Asset {
    if chain == 0 {
        Asset::Erc20
    } else {
        Asset::Native
    }
}

fn rejections(consortium: &Consortium, code: &str) -> f64 {
    let page = consortium.operators[0].get("/metrics").unwrap();
    let lines = page.lines().filter(|line| line.starts_with("catenary_verify_rejections_total") && line.contains(code));
    lines.filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok()).sum()
}

fn refused(consortium: &mut Consortium, case: Case) {
    let Case { name, chain, lie, code, stops } = case;
    let before = rejections(consortium, code);
    consortium.proxies[chain].lie(lie);
    if stops {
        stopped(consortium, name, code);
    }
    let key = consortium.send(asset_from(chain), Order::of(4)).unwrap();
    consortium.wait_ended_at(&[1, 2], std::slice::from_ref(&key), DEADLINE).unwrap();
    let seen = || Ok((rejections(consortium, code) > before).then_some(()));
    wait_until(&format!("{name}: the refusal {code}"), DEADLINE, seen).unwrap_or_else(|error| {
        let page = consortium.operators[0].get("/metrics").unwrap();
        let found: Vec<&str> = page.lines().filter(|line| line.contains("rejections_total{")).collect();
        panic!("{error}; refusals so far: {found:?}; lies told: {}", consortium.proxies[chain].lies_told());
    });
    assert!(consortium.proxies[chain].lies_told() > 0, "{name}");
    without_alpha(consortium, name, &key);
    put_right(consortium, name, chain);
}

/// Alpha says with the code why nothing of the chain is used.
fn stopped(consortium: &Consortium, name: &str, code: &str) {
    let alpha = &consortium.operators[0];
    let stops = || Ok(alpha.ready(None).ok().filter(|state| !state.ready && state.text.contains(code)));
    let state = wait_until(&format!("{name}: alpha says {code}"), DEADLINE, stops)
        .unwrap_or_else(|error| panic!("{error}: {:?}", alpha.ready(None)));
    eprintln!("{name}: {}", state.text);
}

/// The packet was delivered by others, and not on alpha's word.
fn without_alpha(consortium: &mut Consortium, name: &str, key: &str) {
    let attested = delivered_by_others(consortium, name, key);
    assert!(!attested.contains(&MEMBERS[0]), "{name}: attested by {attested:?}");
}

/// The packet was delivered by others; gives who attested it.
fn delivered_by_others(consortium: &mut Consortium, name: &str, key: &str) -> Vec<&'static str> {
    let passages = consortium.passages().unwrap();
    let deliveries = consortium.deliveries().unwrap();
    let names = consortium.attestor_names();
    let received = &passages[key].received[0].0;
    let delivery = deliveries.of(&received.tx.to_string()).unwrap();
    let signer = consortium.member_of_signer(&delivery.signer);
    assert!(matches!(signer, Some(1 | 2)), "{name}: delivered by {signer:?}");
    delivery.attestors.iter().map(|address| names[address]).collect()
}

/// With the truth alpha goes on: it knows how a new transfer of each direction ended.
fn put_right(consortium: &Consortium, name: &str, chain: usize) {
    consortium.proxies[chain].tell_truth();
    consortium.operators[0].wait_ready(DEADLINE).unwrap_or_else(|error| panic!("{name}: {error}"));
    let keys = [Asset::Erc20, Asset::Native].map(|asset| consortium.send(asset, Order::of(4)).unwrap());
    consortium.wait_ended_at(&[0], &keys, DEADLINE).unwrap_or_else(|error| panic!("{name}: {error}"));
}

/// A packet that reads otherwise than it was committed: alpha delivers nothing on it, and the true one ends. When the
/// others ask, alpha may attest the true one: they name it, and its own proof shows it.
fn changed_event(consortium: &mut Consortium) {
    consortium.proxies[0].lie(lies::evm_event);
    let key = consortium.send(Asset::Erc20, Order::of(4)).unwrap();
    let stages = consortium.wait_ended_at(&[1, 2], std::slice::from_ref(&key), DEADLINE).unwrap();
    assert_eq!(stages, ["acknowledged"]);
    let told = || Ok((consortium.proxies[0].lies_told() > 0).then_some(()));
    wait_until("the changed event", DEADLINE, told).unwrap();
    delivered_by_others(consortium, "changed event", &key);
    put_right(consortium, "changed event", 0);
}

/// A head that stands still is stale after a while, with its code, and nothing is decided on it.
fn frozen_head(consortium: &mut Consortium, chain: usize) {
    let name = format!("frozen head of {}", CHAINS[chain]);
    consortium.proxies[chain].lie(lies::frozen_head());
    stopped(consortium, &name, "NODE-CHN-001");
    let key = consortium.send(asset_from(chain), Order::of(4)).unwrap();
    consortium.wait_ended_at(&[1, 2], std::slice::from_ref(&key), DEADLINE).unwrap();
    without_alpha(consortium, &name, &key);
    put_right(consortium, &name, chain);
}

/// A network with the same chain id and the same validator keys, but another genesis. Started before the real one, so
/// that its head is ahead.
fn twin_network() -> Quorum {
    let accounts = vec![Account::named("somebody else")];
    Quorum::start(QuorumOptions { accounts, ..QuorumOptions::default() }).unwrap()
}

/// To a newcomer the twin's header is not the anchor; to alpha, which follows the real one, its headers do not continue
/// what is trusted.
fn other_network(consortium: &mut Consortium, twin: Quorum) {
    assert_eq!(twin.validators, consortium.quorum().unwrap().validators);
    assert_ne!(twin.genesis_hash, consortium.quorum().unwrap().genesis_hash);
    let alpha = &consortium.operators[0];
    let good = std::fs::read_to_string(alpha.config_file()).unwrap();
    let file = alpha.dir().join("wrong.toml");
    std::fs::write(&file, good.replace(&consortium.proxies[0].url(), twin.rpc_url(0))).unwrap();
    let refusal = alpha.cli_with(&file, &["check", "--online"]).unwrap_err().to_string();
    assert!(refusal.contains("LC-TRUST-003"), "{refusal}");

    let name = "another network";
    let head = consortium.quorum().unwrap().height(0).unwrap();
    twin.wait_for_node_height(0, head + 5, DEADLINE).unwrap();
    consortium.proxies[0].redirect(twin.rpc_url(0));
    stopped(consortium, name, "LC-QBFT-0");
    let key = consortium.send(Asset::Erc20, Order::of(4)).unwrap();
    consortium.wait_ended_at(&[1, 2], std::slice::from_ref(&key), DEADLINE).unwrap();
    without_alpha(consortium, name, &key);
    consortium.proxies[0].redirect(consortium.quorum().unwrap().rpc_url(0));
    put_right(consortium, name, 0);
}

/// Requests of one member for a batch of transfers both ways, its idle polling included.
fn requests_a_packet(consortium: &Consortium) {
    let count = |consortium: &Consortium| {
        consortium.proxies.iter().map(|proxy| (proxy.posts(), proxy.requests())).collect::<Vec<_>>()
    };
    let (before, start) = (count(consortium), std::time::Instant::now());
    let orders = vec![Order::of(1); EACH_WAY];
    let sent = [Asset::Erc20, Asset::Native].map(|asset| consortium.broadcast(asset, &orders).unwrap());
    let keys: Vec<String> = sent.into_iter().flat_map(|sending| consortium.included(sending).unwrap()).collect();
    consortium.wait_ended_at(&[0], &keys, DEADLINE).unwrap();
    let seconds = start.elapsed().as_secs();
    for ((chain, before), after) in CHAINS.iter().zip(before).zip(count(consortium)) {
        let (posts, requests) = (after.0 - before.0, after.1 - before.1);
        eprintln!(
            "alpha on {chain}: {posts} HTTP requests with {requests} calls for {} packets in {seconds} s",
            keys.len()
        );
        assert!(posts < REQUESTS_MAX * keys.len() as u64, "{posts} requests for {} packets", keys.len());
    }
}

/// Each line: what is wrong, what to replace by what in alpha's file, and the code that `check --online` gives.
fn wrong_configurations(consortium: &Consortium) {
    let alpha = &consortium.operators[0];
    let good = std::fs::read_to_string(alpha.config_file()).unwrap();
    let value = |after: &str, key: &str| {
        let rest = &good[good.find(after).unwrap()..];
        let line = rest.lines().find(|line| line.starts_with(&format!("{key} = "))).unwrap();
        line.split_once(" = ").unwrap().1.trim_matches('"').to_owned()
    };
    let (anchor, transfer) = (value("[chains.anchor]", "hash"), value("[chains.evm]", "transfer"));
    let attestor = |member: &str| value(&format!("[[operators]]\nid = \"{member}\""), "address");
    let (alphas, betas) = (attestor("alpha"), attestor("beta"));
    let stranger = format!("0x{}", "12".repeat(20));
    let data_dir = format!("data_dir = \"{}\"", value("operator", "data_dir"));
    let elsewhere = format!("data_dir = \"{}\"", alpha.dir().join("elsewhere").display());
    assert!(good.contains(&data_dir), "{data_dir}");
    let rows: Vec<(&str, [String; 2], &str)> = vec![
        ("an unknown key", ["log_format".into(), "log_fromat".into()], "CFG-002"),
        ("another chain id", ["chain_id = \"1337\"".into(), "chain_id = \"1338\"".into()], "CFG-011"),
        ("an anchor that is not on the chain", [anchor, format!("0x{}", "5a".repeat(32))], "CFG-011"),
        ("a key that is not there", ["alpha-pays-quorum".into(), "alpha-pays-nobody".into()], "CFG-010"),
        ("a key of another chain", ["alpha-attests-quorum".into(), "alpha-pays-quorum-2".into()], "CFG-010"),
        ("a contract without code", [transfer, stranger], "NODE-WIR-005"),
        ("more signatures than members", ["threshold = 2".into(), "threshold = 4".into()], "CFG-008"),
        ("an attestor named twice", [betas, alphas], "CFG-009"),
        ("a client that does not exist", ["client = \"client-".into(), "client = \"client-9".into()], "NODE-CHK-001"),
    ];
    for (name, [from, to], code) in rows {
        assert!(good.contains(&from), "{name}: {from} is not in the file");
        let file = alpha.dir().join("wrong.toml");
        std::fs::write(&file, good.replace(&from, &to)).unwrap();
        let refusal = alpha.cli_with(&file, &["check", "--online"]).unwrap_err().to_string();
        assert!(refusal.contains(code), "{name}: {refusal}");
        // The running node holds its own folder; clients are compared by `check` alone.
        if code != "NODE-CHK-001" {
            std::fs::write(&file, good.replace(&from, &to).replace(&data_dir, &elsewhere)).unwrap();
            let refusal = alpha.cli_with(&file, &["run"]).unwrap_err().to_string();
            assert!(refusal.contains(code), "{name}, at start: {refusal}");
        }
    }
    alpha.cli(&["check", "--online"]).unwrap();
}
