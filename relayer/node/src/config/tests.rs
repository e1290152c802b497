//! Bad configurations and what they are refused with, as tables.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a failing unwrap is a failing test")]

use std::collections::BTreeSet;

use config::Environment;
use serde_json::Value;

use super::shape::{Shape, ROOT};
use super::{merge, plain, Config, ConfigErrors, Problem};
use crate::keystore::{Binding, Keystore, Passphrase};

const EXAMPLE: &str = include_str!("../../../../config/example.toml");
const LOCALNET: &str = include_str!("../../../../config/profiles/localnet.toml");

fn parse_with(text: &str, variables: &[(&str, &str)], overrides: &[(&str, &str)]) -> Result<Config, ConfigErrors> {
    let source = variables.iter().map(|(key, value)| ((*key).into(), (*value).into())).collect();
    let environment = Environment::with_prefix("CATENARY").prefix_separator("__").separator("__").source(Some(source));
    let overrides: Vec<_> = overrides.iter().map(|(key, value)| ((*key).into(), (*value).into())).collect();
    Config::parse(merge(text, environment.try_parsing(true), &overrides).unwrap())
}

fn parse(text: &str) -> Result<Config, ConfigErrors> {
    parse_with(text, &[], &[])
}

/// The localnet profile with some text replaced gives exactly these problems.
fn check(replace: &[(&str, &str)], expect: &[(&str, &str)]) {
    let mut text = LOCALNET.to_owned();
    for (from, to) in replace {
        assert!(text.contains(from), "the profile has no {from:?}");
        text = text.replacen(from, to, 1);
    }
    let problems = parse(&text).err().map_or_else(Vec::new, |errors| errors.0);
    let got: Vec<_> = problems.iter().map(|problem| (problem.code(), problem.key.as_str())).collect();
    assert_eq!(got, expect, "{replace:?}\n{problems:#?}");
}

#[test]
fn the_profile_and_the_example_are_sound() {
    check(&[], &[]);
    // The example names a variable that no test sets.
    let config = parse(&EXAMPLE.replace(r#"urls_env = ["QUORUM_RPC_URL"]"#, "urls_env = []")).unwrap();
    config.require_paths().unwrap();
    assert_eq!(config.path("quorum-simd").unwrap().a.attestors[1].address.0[0], 0xb1);
    assert_eq!(config.path("quorum-simd").unwrap().a.attestors[1].chain, "simd", "the other end's chain is attested");
    assert!(config.chain("quorum").unwrap().instance().is_some());
    assert_eq!(config.key_ids().len(), 4);
}

#[test]
fn families_of_the_evm_and_where_validators_are_kept_are_told_apart() {
    let instance = |replace: &[(&str, &str)]| {
        let mut text = EXAMPLE.replace(r#"urls_env = ["QUORUM_RPC_URL"]"#, "urls_env = []");
        for (from, to) in replace {
            text = text.replacen(from, to, 1);
        }
        let config = parse(&text).unwrap();
        let chain = config.chain("quorum").unwrap();
        let bft = chain.bft().unwrap();
        assert_eq!(chain.instance(), Some(bft.instance(chain.family)), "keys are bound to what the light client is");
        (chain.instance().unwrap(), bft.validator_contract)
    };
    let contract = |slot: &str| {
        let address = "0x0000000000000000000000000000000000008888";
        format!("\n[chains.evm]\nvalidator_contract = \"{address}\"\n{slot}")
    };
    let ibft2 = ("family = \"qbft\"", "family = \"ibft2\"");
    let slot = format!("validator_slot = \"0x{}\"\n", "07".repeat(32));
    let with = |text: &str| instance(&[("\n[chains.evm]\n", text)]);
    let found = [
        instance(&[]),
        instance(&[ibft2]),
        with(&contract("")),
        with(&contract("validator_slot = \"258\"\n")),
        with(&contract(&slot)),
    ];
    for (at, (instance, _)) in found.iter().enumerate() {
        assert!(found[..at].iter().all(|(other, _)| other != instance), "{at}");
    }
    let slots: Vec<_> = found[2..].iter().map(|(_, contract)| contract.unwrap().slot).collect();
    assert_eq!((slots[0], &slots[1][30..], slots[2]), ([0; 32], &[1u8, 2][..], [7; 32]));
    // IBFT 2.0 keeps validators in headers only.
    let text = contract("");
    check(&[ibft2, ("\n[chains.evm]\n", &text)], &[("CFG-005", "chains[0].evm.validator_contract")]);
}

#[test]
fn unknown_keys_are_refused_with_the_nearest_known_one() {
    let text = LOCALNET.replace("gas_price = \"0\"\n\n[[chains]]", "gas_prize = \"0\"\nzzz = 1\n\n[[chains]]");
    let errors = parse(&text).unwrap_err();
    let lines: Vec<_> = errors.0.iter().map(ToString::to_string).collect();
    assert!(
        lines[0].contains("CFG-002 chains[0].evm.gas_prize") && lines[0].contains("did you mean \"gas_price\""),
        "{lines:?}"
    );
    assert!(lines[1].starts_with("CFG-002 chains[0].evm.zzz") && !lines[1].contains("mean"), "{lines:?}");
    check(&[("operator = ", "operater = ")], &[("CFG-002", "operater"), ("CFG-013", "operator")]);
    check(
        &[("threshold = 2", "treshold = 2")],
        &[("CFG-002", "paths[0].a.treshold"), ("CFG-013", "paths[0].a.threshold")],
    );
}

/// What is replaced in the profile, by what, and the problem that it makes: code and key.
const WRONG_VALUES: &[(&str, &str, &str, &str)] = &[
    ("operator = \"alpha\"", "operator = \"delta\"", "CFG-007", "operator"),
    ("operator = \"alpha\"", "operator = \"Alpha!\"", "CFG-005", "operator"),
    ("data_dir = \"localnet/alpha\"\n", "", "CFG-013", "data_dir"),
    ("listen = \"127.0.0.1:9464\"", "listen = \"0.0.0.0:9464\"", "CFG-012", "telemetry.listen"),
    ("listen = \"127.0.0.1:9464\"", "listen = \"9464\"", "CFG-005", "telemetry.listen"),
    ("log_format = \"text\"", "log_format = \"xml\"", "CFG-005", "telemetry.log_format"),
    ("passphrase_env = \"CATENARY_PASSPHRASE\"\n", "", "CFG-013", "keystore.passphrase_env"),
    ("family = \"qbft\"", "family = \"pow\"", "CFG-005", "chains[0].family"),
    ("chain_id = \"1337\"", "chain_id = \"0x539\"", "CFG-005", "chains[0].chain_id"),
    ("chain_id = \"1337\"", "chain_id = 1337", "CFG-003", "chains[0].chain_id"),
    ("urls = [\"http://127.0.0.1:8545\"]", "urls = []", "CFG-013", "chains[0].urls"),
    ("urls = [\"http://127.0.0.1:8545\"]", "urls = [\"ftp://x\"]", "CFG-005", "chains[0].urls[0]"),
    ("urls = [\"http://127.0.0.1:8545\"]", "urls_env = [\"CATENARY_NOT_SET\"]", "CFG-017", "chains[0].urls_env[0]"),
    (
        "attestor_listen = \"127.0.0.1:9701\"",
        "attestor_listen = \"10.0.0.1:9701\"",
        "CFG-012",
        "chains[0].attestor_listen",
    ),
    ("attestor_listen = \"127.0.0.1:9701\"\n", "", "CFG-013", "chains[0].attestor_listen"),
    ("attestor_key = \"alpha-attests-quorum\"", "attestor_key = \"alpha-quorum\"", "CFG-006", "chains[0].attestor_key"),
    (
        "attestor_key = \"alpha-attests-simd\"",
        "attestor_key = \"alpha-attests-quorum\"",
        "CFG-006",
        "chains[1].attestor_key",
    ),
    ("height = 1\n", "height = 0\n", "CFG-015", "chains[0].anchor.height"),
    ("hash = \"0x5f0e", "hash = \"0xzz0e", "CFG-005", "chains[0].anchor.hash"),
    ("hash = \"0x5f0e", "hash = \"0x5f", "CFG-005", "chains[0].anchor.hash"),
    ("trusting_period = \"14d\"\n", "", "CFG-013", "chains[0].trust.trusting_period"),
    ("trusting_period = \"14d\"", "trusting_period = \"0d\"", "CFG-005", "chains[0].trust.trusting_period"),
    ("trusting_period = \"14d\"", "trusting_period = \"14\"", "CFG-005", "chains[0].trust.trusting_period"),
    (
        "trusting_period = \"14d\"",
        "trusting_period = \"99999999999999999999d\"",
        "CFG-005",
        "chains[0].trust.trusting_period",
    ),
    ("[chains.evm]\ngas_price = \"0\"", "[chains.evm]\ngas_price = \"cheap\"", "CFG-005", "chains[0].evm.gas_price"),
    (
        "[chains.evm]\ngas_price = \"0\"",
        "[chains.evm]\ngas_price = \"node\"",
        "CFG-013",
        "chains[0].evm.gas_price_max_wei",
    ),
    (
        "[chains.evm]\ngas_price = \"0\"",
        "[chains.evm]\nfee = \"eip1559\"",
        "CFG-013",
        "chains[0].evm.gas_price_max_wei",
    ),
    (
        "[chains.evm]\ngas_price = \"0\"",
        "[chains.evm]\nfee = \"eip1559\"\ngas_price_max_wei = 9\ngas_price = \"node\"",
        "CFG-005",
        "chains[0].evm.gas_price",
    ),
    (
        "[chains.evm]\ngas_price = \"0\"",
        "[chains.evm]\nfee = \"eip1559\"\ngas_price_max_wei = 9\npriority_fee_wei = 10",
        "CFG-005",
        "chains[0].evm.gas_price_max_wei",
    ),
    ("[chains.evm]", "[chains.evm]\nfee = \"free\"", "CFG-005", "chains[0].evm.fee"),
    ("[chains.evm]", "[chains.evm]\npriority_fee_wei = 1", "CFG-005", "chains[0].evm.priority_fee_wei"),
    ("[chains.evm]", "[chains.evm]\nreplacements_max = 17", "CFG-015", "chains[0].evm.replacements_max"),
    ("[chains.evm]", "[chains.evm]\nreplace_after = \"0s\"", "CFG-005", "chains[0].evm.replace_after"),
    ("[chains.evm]\n", "[chains.evm]\nrouter = \"0x12\"\n", "CFG-005", "chains[0].evm.router"),
    ("[chains.evm]\n", "[chains.evm]\nvalidator_contract = \"0x12\"\n", "CFG-005", "chains[0].evm.validator_contract"),
    ("[chains.evm]\n", "[chains.evm]\nvalidator_slot = \"0\"\n", "CFG-005", "chains[0].evm.validator_slot"),
    (
        "[chains.evm]\n",
        "[chains.evm]\nvalidator_contract = \"0x0000000000000000000000000000000000008888\"\nvalidator_slot = \"-1\"\n",
        "CFG-005",
        "chains[0].evm.validator_slot",
    ),
    (
        "[chains.evm]\n",
        "[chains.evm]\ngas_multiplier_percent = 99\n",
        "CFG-015",
        "chains[0].evm.gas_multiplier_percent",
    ),
    ("address_prefix = \"cosmos\"\n", "", "CFG-013", "chains[1].cosmos.address_prefix"),
    ("fee_denom = \"stake\"\ngas_price = \"0\"", "gas_price = \"0.1\"", "CFG-013", "chains[1].cosmos.fee_denom"),
    ("id = \"beta\"", "id = \"alpha\"", "CFG-006", "operators[1].id"),
    ("name = \"simd\"", "name = \"quorum\"", "CFG-006", "chains[1].name"),
    (
        "url = \"http://127.0.0.1:9711\"",
        "url = \"http://10.0.0.2:9711\"",
        "CFG-012",
        "operators[1].attestors.quorum.url",
    ),
    (
        "url = \"http://127.0.0.1:9711\"",
        "url = \"https://10.0.0.2:9711\"",
        "CFG-012",
        "operators[1].attestors.quorum.url",
    ),
    (
        "0xb100000000000000000000000000000000000001",
        "0xA100000000000000000000000000000000000001",
        "CFG-009",
        "operators[1].attestors.quorum.address",
    ),
    (
        "0xb100000000000000000000000000000000000001",
        "0xa100000000000000000000000000000000000002",
        "CFG-009",
        "operators[1].attestors.quorum.address",
    ),
    ("threshold = 2", "threshold = 0", "CFG-008", "paths[0].a.threshold"),
    ("threshold = 2", "threshold = 4", "CFG-008", "paths[0].a.threshold"),
    ("threshold = 2", "threshold = 1\nattestors = []", "CFG-008", "paths[0].a.threshold"),
    (
        "threshold = 2",
        "threshold = 2\nattestors = [\"alpha\", \"beta\", \"beta\"]",
        "CFG-006",
        "paths[0].a.attestors[2]",
    ),
    (
        "threshold = 2",
        "threshold = 2\nattestors = [\"alpha\", \"beta\", \"delta\"]",
        "CFG-007",
        "paths[0].a.attestors[2]",
    ),
    ("threshold = 2", "threshold = 2\nclient = \"c-0\"", "CFG-005", "paths[0].a.client"),
    ("[paths.b]\nchain = \"simd\"", "[paths.b]\nchain = \"quorum\"", "CFG-006", "paths[0].b.chain"),
    ("threshold = 2", "attestation = 2", "CFG-013", "paths[0].a.threshold"),
    ("threshold = 2", "threshold = 2\nclient_kind = \"x\"", "CFG-005", "paths[0].a.client_kind"),
    ("threshold = 2", "threshold = 2\nclient_kind = \"native\"", "CFG-005", "paths[0].a.threshold"),
    ("threshold = 2", "client_kind = \"native\"", "CFG-005", "paths[0].a.client_kind"),
    ("threshold = 2", "client_kind = \"native\"", "CFG-005", "paths[0].b.client_kind"),
    (
        "name = \"quorum-simd\"",
        "name = \"quorum-simd\"\nsubmit_misbehaviour = true",
        "CFG-005",
        "paths[0].submit_misbehaviour",
    ),
    (
        "name = \"quorum-simd\"",
        "name = \"quorum-simd\"\nattestation_chunk = 65",
        "CFG-015",
        "paths[0].attestation_chunk",
    ),
    ("name = \"quorum-simd\"", "name = \"quorum-simd\"\noperators = [\"nobody\"]", "CFG-007", "paths[0].operators[0]"),
];

#[test]
fn wrong_values_are_refused() {
    for (from, to, code, key) in WRONG_VALUES {
        let text = LOCALNET.replacen(from, to, 1);
        assert_ne!(text, LOCALNET, "the profile has no {from:?}");
        let problems = parse(&text).err().map_or_else(Vec::new, |errors| errors.0);
        let found = |problem: &Problem| problem.code() == *code && problem.key == *key;
        assert!(problems.iter().any(found), "{from:?} -> {to:?}: expected {code} at {key}, got {problems:#?}");
    }
}

#[test]
fn every_problem_is_shown_at_once() {
    check(
        &[
            ("trusting_period = \"14d\"\n", ""),
            ("threshold = 2", "threshold = 9"),
            ("log_format = \"text\"", "log_format = \"x\""),
        ],
        &[
            ("CFG-005", "telemetry.log_format"),
            ("CFG-013", "chains[0].trust.trusting_period"),
            ("CFG-008", "paths[0].a.threshold"),
        ],
    );
}

#[test]
fn a_family_takes_its_own_section_only() {
    check(
        &[("family = \"qbft\"", "family = \"cometbft\"")],
        &[("CFG-014", "chains[0].evm"), ("CFG-013", "chains[0].cosmos")],
    );
    check(
        &[("[chains.evm]\n", "[chains.cosmos]\naddress_prefix = \"x\"\n[chains.evm]\n")],
        &[("CFG-014", "chains[0].cosmos")],
    );
}

#[test]
fn an_adapter_in_its_own_process_is_named_with_its_pin() {
    const HASH: &str = "0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b";
    let section = |manifest: &str, sha256: &str| {
        format!("[chains.process]\nmanifest = \"{manifest}\"\nsha256 = \"{sha256}\"\n[chains.evm]\ngas_price")
    };
    let said = |adapter: &str| format!("family = \"qbft\"\nadapter = \"{adapter}\"");
    let with = |adapter: &str, section: &str, expect: &[(&str, &str)]| {
        check(&[("family = \"qbft\"", &said(adapter)), ("[chains.evm]\ngas_price", section)], expect);
    };
    let (good, none) = (section("evm.toml", HASH), "[chains.evm]\ngas_price");
    with("process", &good, &[]);
    with("builtin", none, &[]);
    with("process", none, &[("CFG-013", "chains[0].process")]);
    with("builtin", &good, &[("CFG-013", "chains[0].adapter")]);
    with("docker", none, &[("CFG-005", "chains[0].adapter")]);
    with("process", &section("", HASH), &[("CFG-013", "chains[0].process.manifest")]);
    with("process", &section("evm.toml", "0x12"), &[("CFG-005", "chains[0].process.sha256")]);
    with("process", &section("evm.toml\"\nkeys = \"x", HASH), &[("CFG-002", "chains[0].process.keys")]);

    let own = good.replace("[chains.evm]", "settings = { gas_max = \"70000\" }\n[chains.evm]");
    let text = LOCALNET.replacen("family = \"qbft\"", &said("process"), 1);
    let config = parse(&text.replacen(none, &own, 1)).unwrap();
    let process = config.chain("quorum").unwrap().process.as_ref().unwrap();
    assert_eq!((process.manifest.to_str(), process.sha256.0), (Some("evm.toml"), [11; 32]));
    assert_eq!(process.settings["gas_max"], "70000");
    assert!(config.chain("quorum").unwrap().instance().is_none(), "the family's section says where the router is");
}

#[test]
fn a_path_to_an_unknown_chain_is_refused() {
    let errors = parse(&LOCALNET.replace("[paths.b]\nchain = \"simd\"", "[paths.b]\nchain = \"besu\"")).unwrap_err();
    let text = errors.to_string();
    assert!(text.contains("CFG-007 paths[0].b.chain") && text.contains("known are: quorum, simd"), "{text}");
}

const CANARY: &str = "correct-horse-battery";
const CANARY_KEY: &str = "4c0883a69102937d6231471b5dbb6204fe5129617082792ae468d01a3f362318";

#[test]
fn literal_secrets_are_refused_and_never_quoted() {
    let words = "abandon ability able about above absent absorb abstract absurd abuse access accident";
    let rows = [
        ("keystore.passphrase", format!("[keystore]\npassphrase = \"{CANARY}\"\n"), "[keystore]\n"),
        ("keystore.password", format!("[keystore]\npassword = \"{CANARY}\"\n"), "[keystore]\n"),
        ("chains[0].private_key", format!("family = \"qbft\"\nprivate_key = \"{CANARY}\"\n"), "family = \"qbft\"\n"),
        (
            "chains[0].transaction_key",
            format!("transaction_key = \"0x{CANARY_KEY}\""),
            "transaction_key = \"alpha-quorum\"",
        ),
        ("chains[0].transaction_key", format!("transaction_key = \"{words}\""), "transaction_key = \"alpha-quorum\""),
        ("chains[0].urls[0]", format!("\"http://me:{CANARY}@127.0.0.1:8545/\""), "\"http://127.0.0.1:8545\""),
        (
            "operators[0].attestors.quorum.url",
            format!("url = \"http://me:{CANARY}@127.0.0.1\""),
            "url = \"http://127.0.0.1:9701\"",
        ),
        (
            "tls",
            format!("[tls]\ncertificate_file = \"-----BEGIN {CANARY}\"\nprivate_key_file = \"x\"\n[keystore]\n"),
            "[keystore]\n",
        ),
    ];
    for (key, to, from) in rows {
        let text = LOCALNET.replacen(from, &to, 1);
        assert_ne!(text, LOCALNET, "the profile has no {from:?}");
        let errors = parse(&text).unwrap_err();
        let found = errors.0.iter().any(|problem| problem.code() == "CFG-004" && problem.key.starts_with(key));
        assert!(found, "{key}: {errors}");
        let shown = format!("{errors} {errors:?}");
        for canary in [CANARY, CANARY_KEY, "abandon"] {
            assert!(!shown.contains(canary), "{key}: {shown}");
        }
    }
}

#[test]
fn a_file_that_is_no_toml_is_refused_without_its_lines() {
    let environment = Environment::with_prefix("CATENARY").source(Some(Default::default()));
    let error = merge(&format!("passphrase = {CANARY}"), environment, &[]).unwrap_err();
    let shown = plain(&error);
    assert!(shown.contains("line 1") && !shown.contains(CANARY), "{shown}");
}

#[test]
fn an_endpoint_from_a_variable_is_shown_without_credentials() {
    let endpoint = super::Endpoint(format!("https://me:{CANARY}@host:1/{CANARY}?{CANARY}"));
    assert_eq!(format!("{endpoint} {endpoint:?}"), "https://host:1 https://host:1");
}

#[test]
fn variables_and_flags_override_the_file() {
    let variables = [("CATENARY__TELEMETRY__LOG", "debug"), ("CATENARY__DATA_DIR", "/from/variable")];
    let config = parse_with(LOCALNET, &variables, &[("data_dir", "/from/flag")]).unwrap();
    assert_eq!(config.telemetry.log, "debug");
    assert_eq!(config.data_dir.to_str(), Some("/from/flag"));
    let errors = parse_with(LOCALNET, &[("CATENARY__TELEMETRY__LOGG", "debug")], &[]).unwrap_err();
    assert_eq!((errors.0[0].code(), errors.0[0].key.as_str()), ("CFG-002", "telemetry.logg"));
}

#[test]
fn the_digest_changes_with_any_value() {
    let digest = |text: &str| parse(text).unwrap().digest();
    let base = digest(LOCALNET);
    assert_eq!(base, digest(&format!("# a comment\n{LOCALNET}")));
    assert_ne!(base, digest(&LOCALNET.replacen("height = 2", "height = 3", 1)));
    assert_ne!(base, digest(&LOCALNET.replacen("threshold = 2", "threshold = 3", 1)));
}

#[test]
fn paths_that_are_not_created_are_named() {
    let config = parse(LOCALNET).unwrap();
    let errors = config.require_paths().unwrap_err();
    let got: Vec<_> = errors.0.iter().map(|problem| (problem.code(), problem.key.as_str())).collect();
    let expect = [
        ("CFG-016", "paths[0].a.client"),
        ("CFG-016", "paths[0].a.light_client"),
        ("CFG-016", "paths[0].b.client"),
        ("CFG-013", "chains[0].evm.router"),
    ];
    assert_eq!(got, expect);
}

#[test]
fn keys_must_be_there_and_bound_to_their_chain() {
    let dir = tempfile::tempdir().unwrap();
    let store = Keystore::new(&dir.path().join("keys"));
    let text = LOCALNET.replace("localnet/alpha/keys", store.dir().to_str().unwrap());
    let config = parse(&text).unwrap();
    let codes = |config: &Config| -> Vec<_> {
        let problems = config.check_keys().err().map_or_else(Vec::new, |errors| errors.0);
        problems.into_iter().map(|problem| (problem.code(), problem.key)).collect()
    };
    assert_eq!(codes(&config).len(), 4, "every key is missing");
    let passphrase = Passphrase::new("a long passphrase".into());
    let simd = config.chain("simd").unwrap().instance().unwrap();
    let transactions = |chain: &str| Binding::Transactions { chain: chain.into() };
    store.create("alpha-quorum", transactions("simd"), &passphrase).unwrap();
    store.create("alpha-simd", transactions("simd"), &passphrase).unwrap();
    store.create("alpha-attests-quorum", Binding::attestor("quorum", simd), &passphrase).unwrap();
    let entry = store.create("alpha-attests-simd", Binding::attestor("simd", simd), &passphrase).unwrap();
    let expect = [
        // Bound to another chain; the quorum attestor is bound by name only while the router is unknown.
        ("CFG-011", "chains[0].transaction_key".into()),
        ("CFG-018", "operators[0].attestors.quorum.address".into()),
        ("CFG-018", "operators[0].attestors.simd.address".into()),
    ];
    assert_eq!(codes(&config), expect);
    let text = text.replace("0xa100000000000000000000000000000000000002", &entry.address);
    let text = text.replacen("height = 2", "height = 3", 1);
    let codes = codes(&parse(&text).unwrap());
    assert!(
        codes.contains(&("CFG-011", "chains[1].attestor_key".into())),
        "another anchor is another instance: {codes:?}"
    );
    assert!(!codes.iter().any(|(_, key)| key.contains("attestors.simd")), "{codes:?}");
}

/// Every key of the shape is in the example, and every key of the example is in the shape: so the two agree, and with
/// them the decoder, which refuses unknown keys.
#[test]
fn the_example_shows_every_key() {
    let environment = Environment::with_prefix("CATENARY").source(Some(Default::default()));
    let mut tree = merge(EXAMPLE, environment, &[]).unwrap();
    // The other way to name the passphrase, which excludes the one in the example.
    tree["keystore"]["passphrase_env"] = Value::String("NAME".into());
    // What stands there as comments: keys of contract mode, since the example's chain lists its validators in headers;
    // keys of gas that costs something, since it is free there; and the list of keys, which excludes the single one.
    assert!(EXAMPLE.contains("\n# transaction_keys = "));
    tree["chains"][0]["transaction_keys"] = Value::String("commented".into());
    for key in ["validator_contract", "validator_slot", "gas_price_max_wei", "fee", "priority_fee_wei"] {
        assert!(EXAMPLE.contains(&format!("\n# {key} = ")), "{key}");
        tree["chains"][0]["evm"][key] = Value::String("commented".into());
    }
    let mut shown = BTreeSet::new();
    leaves_of_tree(&tree, "", &mut shown);
    let mut known = BTreeSet::new();
    leaves_of_shape(&ROOT, "", &mut known);
    // Both ends of a path take the same keys; the example shows all of them at one.
    let ends = |keys: BTreeSet<String>| -> BTreeSet<_> {
        keys.into_iter().map(|key| key.replace(".paths[].b.", ".paths[].a.")).collect()
    };
    assert_eq!(ends(known), ends(shown));
}

fn leaves_of_shape(shape: &Shape, at: &str, into: &mut BTreeSet<String>) {
    match shape {
        Shape::Leaf => {
            into.insert(at.into());
        }
        Shape::Table(keys) => keys.iter().for_each(|(key, shape)| leaves_of_shape(shape, &format!("{at}.{key}"), into)),
        Shape::List(shape) => leaves_of_shape(shape, &format!("{at}[]"), into),
        Shape::Map(shape) => leaves_of_shape(shape, &format!("{at}.*"), into),
    }
}

fn leaves_of_tree(tree: &Value, at: &str, into: &mut BTreeSet<String>) {
    match tree {
        Value::Object(map) => {
            for (key, value) in map {
                let free = ["operators[].attestors", "process.settings"].iter().any(|map| at.ends_with(map));
                let key = if free { "*" } else { key };
                leaves_of_tree(value, &format!("{at}.{key}"), into);
            }
        }
        Value::Array(items) if items.iter().all(Value::is_object) => {
            items.iter().for_each(|item| leaves_of_tree(item, &format!("{at}[]"), into));
        }
        _ => {
            into.insert(at.into());
        }
    }
}
