//! From the written configuration to the parsed one: every value once, all problems collected.

use std::collections::BTreeMap;
use std::path::PathBuf;

use catenary_light_clients::{Anchor, Family, Hash32, TrustOptions};
use catenary_protocol::limits::ATTESTED_PACKETS_MAX;
use catenary_protocol::packet::check_client_id;

use super::error::ProblemKind;
use super::raw::{
    Raw, RawAttestor, RawChain, RawKeystore, RawLimits, RawOperator, RawPath, RawSide, RawTelemetry, RawTrust,
};
use super::types::{
    Attestor, AttestorService, Chain, ClientKind, Config, Endpoint, KeystoreConfig, Limits, LogFormat, NodeTls,
    Operator, PathConfig, PeerTls, Side, Telemetry,
};
use super::values::{is_loopback_url, Parser};
use super::{chain_sections, defaults};
use crate::journal::SEGMENT_BYTES_MAX;
use crate::keystore::PassphraseSource;

/// Parses everything; `None` when something is missing that has no default. Problems are in the parser.
pub(super) fn build(parser: &mut Parser, raw: &Raw, digest: Hash32) -> Option<Config> {
    let operator = match &raw.operator {
        Some(operator) => parser.name("operator", operator),
        None => parser.missing("operator", "name the member that runs this node"),
    };
    let data_dir = match &raw.data_dir {
        Some(dir) => Some(PathBuf::from(dir)),
        None => {
            parser.missing("data_dir", "name the directory for journal and store; lose it and the node must not sign")
        }
    };
    let telemetry = telemetry(parser, raw.telemetry.as_ref());
    let keystore = keystore(parser, raw.keystore.as_ref());
    let tls = raw.tls.as_ref().map(|tls| NodeTls {
        certificate_file: PathBuf::from(&tls.certificate_file),
        private_key_file: PathBuf::from(&tls.private_key_file),
    });
    let limits = limits(parser, &raw.limits.clone().unwrap_or_default());
    let chains = chains(parser, &raw.chains, tls.is_some());
    let operators = operators(parser, raw, tls.is_some());
    let paths = paths(parser, raw, &operators);
    unique(parser, "chains", "name", raw.chains.iter().map(|chain| chain.name.clone()));
    unique(parser, "operators", "id", raw.operators.iter().map(|operator| operator.id.clone()));
    unique(parser, "paths", "name", raw.paths.iter().map(|path| path.name.clone()));
    keys_once(parser, &raw.chains);
    attestors_once(parser, &raw.operators);
    if let Some(operator) = &operator {
        known(parser, "operator", "operator", operator, raw.operators.iter().map(|operator| operator.id.as_str()));
    }
    Some(Config {
        operator: operator?,
        data_dir: data_dir?,
        telemetry: telemetry?,
        keystore: keystore?,
        tls,
        limits: limits?,
        chains,
        operators,
        paths,
        digest,
    })
}

fn telemetry(parser: &mut Parser, raw: Option<&RawTelemetry>) -> Option<Telemetry> {
    let listen = raw.and_then(|raw| raw.listen.as_deref()).unwrap_or(defaults::TELEMETRY_LISTEN);
    let listen = parser.listen("telemetry.listen", listen)?;
    if !listen.ip().is_loopback() {
        parser.refuse("telemetry.listen", ProblemKind::PlainText { got: listen.to_string() });
    }
    let log = raw.and_then(|raw| raw.log.clone()).unwrap_or_else(|| "info".into());
    let log_format = match raw.and_then(|raw| raw.log_format.as_deref()).unwrap_or("text") {
        "text" => LogFormat::Text,
        "json" => LogFormat::Json,
        other => {
            let expected = "a log format: text or json";
            parser.refuse("telemetry.log_format", ProblemKind::Malformed { got: other.into(), expected });
            return None;
        }
    };
    Some(Telemetry { listen, log, log_format })
}

fn keystore(parser: &mut Parser, raw: Option<&RawKeystore>) -> Option<KeystoreConfig> {
    let Some(raw) = raw else { return parser.missing("keystore", "name dir, and passphrase_env or passphrase_file") };
    let dir = match &raw.dir {
        Some(dir) => Some(PathBuf::from(dir)),
        None => parser.missing("keystore.dir", "name the directory of the keys"),
    };
    let passphrase = match (&raw.passphrase_env, &raw.passphrase_file) {
        (Some(name), None) => Some(PassphraseSource::Env(name.clone())),
        (None, Some(path)) => Some(PassphraseSource::File(PathBuf::from(path))),
        (None, None) => {
            parser.missing("keystore.passphrase_env", "name a variable or a file (passphrase_file) that holds it")
        }
        (Some(_), Some(_)) => parser.missing("keystore.passphrase_env", "name it or passphrase_file, not both"),
    };
    Some(KeystoreConfig { dir: dir?, passphrase: passphrase? })
}

fn limits(parser: &mut Parser, raw: &RawLimits) -> Option<Limits> {
    let margin = parser.duration_or("limits.recv_margin", raw.recv_margin.as_deref(), defaults::RECV_MARGIN_SECONDS);
    let bucket = raw.turn_bucket_sequences.unwrap_or(defaults::TURN_BUCKET_SEQUENCES);
    let bucket = parser.range("limits.turn_bucket_sequences", bucket, 1, 10_000);
    let every = parser.duration_or("limits.sweep_every", raw.sweep_every.as_deref(), defaults::SWEEP_EVERY_SECONDS);
    let every = parser.range("limits.sweep_every", every?, 1, defaults::SWEEP_EVERY_SECONDS_MAX);
    let retain =
        parser.duration_or("limits.retain_closed", raw.retain_closed.as_deref(), defaults::RETAIN_CLOSED_SECONDS);
    let keep = match raw.journal_keep.as_deref() {
        None | Some(defaults::JOURNAL_KEEP_FOREVER) => Some(None),
        Some(text) => parser.duration_seconds("limits.journal_keep", text).map(Some),
    };
    let segment = raw.journal_segment_bytes.unwrap_or(SEGMENT_BYTES_MAX);
    let segment = parser.range(
        "limits.journal_segment_bytes",
        segment,
        defaults::JOURNAL_SEGMENT_BYTES_MIN,
        defaults::JOURNAL_SEGMENT_BYTES_MAX,
    );
    Some(Limits {
        recv_margin_seconds: margin?,
        turn_bucket_sequences: bucket?,
        retain_closed_seconds: retain?,
        journal_keep_seconds: keep?,
        journal_segment_bytes: segment?,
        sweep_every_seconds: every?,
    })
}

fn chains(parser: &mut Parser, raw: &[RawChain], has_tls: bool) -> Vec<Chain> {
    if raw.is_empty() {
        parser.missing::<()>("chains", "name at least one chain");
    }
    let parsed = raw.iter().enumerate().map(|(index, raw)| chain(parser, &format!("chains[{index}]"), raw, has_tls));
    parsed.collect::<Vec<_>>().into_iter().flatten().collect()
}

fn chain(parser: &mut Parser, at: &str, raw: &RawChain, has_tls: bool) -> Option<Chain> {
    let key = |name: &str| format!("{at}.{name}");
    let name = parser.name(&key("name"), &raw.name);
    let family = match raw.family.as_str() {
        "qbft" => Some(Family::Qbft),
        "ibft2" => Some(Family::Ibft2),
        "cometbft" => Some(Family::CometBft),
        other => {
            let expected = "a family: qbft, ibft2 or cometbft";
            parser.refuse(&key("family"), ProblemKind::Malformed { got: other.into(), expected });
            None
        }
    };
    let urls = endpoints(parser, at, raw);
    let transaction_keys = transaction_keys(parser, at, raw);
    let attestor = attestor_service(parser, at, raw, has_tls);
    let anchor = match &raw.anchor {
        Some(anchor) => {
            let height = parser.range(&key("anchor.height"), anchor.height, 1, u64::MAX);
            let hash = parser.hash(&key("anchor.hash"), &anchor.hash);
            height.zip(hash).map(|(height, hash)| Anchor { height, hash })
        }
        None => {
            parser.missing(&key("anchor"), "pin a height and hash that the members agreed on (`catenary chain anchor`)")
        }
    };
    let trust = trust(parser, &key("trust"), raw.trust.as_ref());
    let stale = parser.duration_or(&key("stale_after"), raw.stale_after.as_deref(), defaults::STALE_AFTER_SECONDS);
    let adapter = family.and_then(|family| chain_sections::adapter(parser, at, family, raw));
    let process = chain_sections::process(parser, at, raw);
    let ws_urls = sockets(parser, at, raw);
    let (trust, skipping) = trust?;
    let requests = raw
        .requests_per_second_max
        .map(|most| parser.range(&key("requests_per_second_max"), most, 1, defaults::REQUESTS_PER_SECOND_MAX));
    Some(Chain {
        name: name?,
        family: family?,
        chain_id: raw.chain_id.clone(),
        urls: urls?,
        transaction_keys: transaction_keys?,
        ws_urls: ws_urls?,
        requests_per_second_max: match requests {
            Some(most) => Some(u32::try_from(most?).unwrap_or(u32::MAX)),
            None => None,
        },
        attestor,
        anchor: anchor?,
        trust,
        skipping,
        stale_after_seconds: stale?,
        adapter: adapter?,
        process: process?,
    })
}

/// The keys that pay: one, or a list of them.
fn transaction_keys(parser: &mut Parser, at: &str, raw: &RawChain) -> Option<Vec<String>> {
    let list = format!("{at}.transaction_keys");
    match (&raw.transaction_key, &raw.transaction_keys) {
        (Some(_), Some(_)) => parser.missing(&list, "name it or transaction_key, not both"),
        (Some(id), None) => parser.name(&format!("{at}.transaction_key"), id).map(|id| vec![id]),
        (None, None) => Some(Vec::new()),
        (None, Some(ids)) => {
            parser.range(&list, ids.len() as u64, 1, defaults::TRANSACTION_KEYS_MAX)?;
            let parsed = ids.iter().enumerate().map(|(index, id)| parser.name(&format!("{list}[{index}]"), id));
            parsed.collect::<Vec<_>>().into_iter().collect()
        }
    }
}

fn endpoints(parser: &mut Parser, at: &str, raw: &RawChain) -> Option<Vec<Endpoint>> {
    let mut urls = Vec::new();
    for (index, url) in raw.urls.iter().enumerate() {
        urls.push(parser.url(&format!("{at}.urls[{index}]"), url, url).map(Endpoint));
    }
    for (index, name) in raw.urls_env.iter().enumerate() {
        let key = format!("{at}.urls_env[{index}]");
        match std::env::var(name) {
            Ok(url) => urls.push(parser.url(&key, &url, "what the variable holds").map(Endpoint)),
            Err(_) => parser.refuse(&key, ProblemKind::NoVariable { name: name.clone() }),
        }
    }
    if raw.urls.is_empty() && raw.urls_env.is_empty() {
        return parser.missing(&format!("{at}.urls"), "name at least one endpoint, or a variable in urls_env");
    }
    parser.range(&format!("{at}.urls"), urls.len() as u64, 1, defaults::URLS_MAX)?;
    urls.into_iter().collect()
}

/// WebSocket URLs are hints alone, so they may be without TLS: what comes over them is not read.
fn sockets(parser: &mut Parser, at: &str, raw: &RawChain) -> Option<Vec<Endpoint>> {
    parser.range(&format!("{at}.ws_urls"), raw.ws_urls.len() as u64, 0, defaults::URLS_MAX)?;
    let named = raw.ws_urls.iter().enumerate();
    named.map(|(index, url)| parser.ws_url(&format!("{at}.ws_urls[{index}]"), url).map(Endpoint)).collect()
}

fn attestor_service(parser: &mut Parser, at: &str, raw: &RawChain, has_tls: bool) -> Option<AttestorService> {
    match (&raw.attestor_key, &raw.attestor_listen) {
        (None, None) => None,
        (Some(_), None) => {
            parser.missing(&format!("{at}.attestor_listen"), "say where the attestor_key's service listens")
        }
        (None, Some(_)) => parser.missing(&format!("{at}.attestor_key"), "name the key that the service signs with"),
        (Some(id), Some(listen)) => {
            let id = parser.name(&format!("{at}.attestor_key"), id);
            let listen = parser.listen(&format!("{at}.attestor_listen"), listen)?;
            if !listen.ip().is_loopback() && !has_tls {
                let kind = ProblemKind::PlainText { got: listen.to_string() };
                parser.refuse(&format!("{at}.attestor_listen"), kind);
            }
            Some(AttestorService { key: id?, listen })
        }
    }
}

fn trust(parser: &mut Parser, at: &str, raw: Option<&RawTrust>) -> Option<(TrustOptions, bool)> {
    let raw = raw.cloned().unwrap_or_default();
    let period = match &raw.trusting_period {
        Some(text) => parser.duration_seconds(&format!("{at}.trusting_period"), text),
        None => parser.missing(
            &format!("{at}.trusting_period"),
            "former validators' keys sign for ever on a permissioned chain, so say how long a header is trusted (profiles: 14d)",
        ),
    };
    let drift =
        parser.duration_or(&format!("{at}.clock_drift"), raw.clock_drift.as_deref(), defaults::CLOCK_DRIFT_SECONDS);
    let retain = u64::from(raw.retain_heights.unwrap_or(defaults::RETAIN_HEIGHTS));
    let retain = parser.range(&format!("{at}.retain_heights"), retain, 2, 1_000_000);
    let options = TrustOptions {
        trusting_period_seconds: period?,
        clock_drift_seconds: drift?,
        churn_limit_permille: raw.churn_limit_permille.unwrap_or(defaults::CHURN_LIMIT_PERMILLE),
        allow_no_fault_tolerance: raw.allow_no_fault_tolerance.unwrap_or(false),
        retain_heights: u32::try_from(retain?).ok()?,
    };
    Some((options, raw.skipping.unwrap_or(false)))
}

fn operators(parser: &mut Parser, raw: &Raw, has_tls: bool) -> Vec<Operator> {
    if raw.operators.is_empty() {
        parser.missing::<()>("operators", "name the members, this node among them");
    }
    let mut operators = Vec::new();
    for (index, operator) in raw.operators.iter().enumerate() {
        let id = parser.name(&format!("operators[{index}].id"), &operator.id);
        let mut attestors = Vec::new();
        for (chain, attestor) in &operator.attestors {
            let at = format!("operators[{index}].attestors.{chain}");
            known(parser, &at, "chain", chain, raw.chains.iter().map(|chain| chain.name.as_str()));
            attestors.extend(self::attestor(parser, &at, (&operator.id, chain), attestor, has_tls));
        }
        operators.extend(id.map(|id| Operator { id, attestors }));
    }
    operators
}

fn attestor(
    parser: &mut Parser,
    at: &str,
    (operator, chain): (&str, &str),
    raw: &RawAttestor,
    has_tls: bool,
) -> Option<Attestor> {
    let url = parser.url(&format!("{at}.url"), &raw.url, &raw.url);
    let address = parser.address(&format!("{at}.address"), &raw.address);
    let mutual_tls = has_tls && raw.tls.is_some() && raw.url.starts_with("https://");
    if !is_loopback_url(&raw.url) && !mutual_tls {
        parser.refuse(&format!("{at}.url"), ProblemKind::PlainText { got: raw.url.clone() });
    }
    let tls = match &raw.tls {
        None => None,
        Some(tls) => Some(PeerTls {
            certificate_sha256: parser.hash(&format!("{at}.tls.certificate_sha256"), &tls.certificate_sha256)?,
            ca_file: PathBuf::from(&tls.ca_file),
            server_name: tls.server_name.clone(),
        }),
    };
    Some(Attestor { operator: operator.into(), chain: chain.into(), url: url?, address: address?, tls })
}

fn paths(parser: &mut Parser, raw: &Raw, operators: &[Operator]) -> Vec<PathConfig> {
    let mut paths = Vec::new();
    let mut ends: BTreeMap<(String, String), String> = BTreeMap::new();
    for (index, path) in raw.paths.iter().enumerate() {
        let at = format!("paths[{index}]");
        for (end, side) in [("a", &path.a), ("b", &path.b)] {
            let Some(client) = side.client.clone() else { continue };
            let place = format!("{at}.{end}.client");
            let got = format!("{client} on {}", side.chain);
            if let Some(first) = ends.insert((side.chain.clone(), client), place.clone()) {
                parser.refuse(&place, ProblemKind::Duplicate { got, first });
            }
        }
        paths.extend(self::path(parser, &at, path, (raw, operators)));
    }
    paths
}

fn path(parser: &mut Parser, at: &str, raw: &RawPath, (all, operators): (&Raw, &[Operator])) -> Option<PathConfig> {
    let name = parser.name(&format!("{at}.name"), &raw.name);
    if raw.a.chain == raw.b.chain {
        let (got, first) = (raw.b.chain.clone(), format!("{at}.a.chain"));
        parser.refuse(&format!("{at}.b.chain"), ProblemKind::Duplicate { got, first });
    }
    let ids = || operators.iter().map(|operator| operator.id.as_str());
    let mut relayers: Vec<String> = match &raw.operators {
        None => ids().map(Into::into).collect(),
        Some(named) => named.clone(),
    };
    for (index, id) in relayers.iter().enumerate() {
        known(parser, &format!("{at}.operators[{index}]"), "operator", id, ids());
    }
    relayers.sort();
    relayers.dedup();
    let delay = raw.turn_delay_blocks.unwrap_or(defaults::TURN_DELAY_BLOCKS);
    let delay = parser.range(&format!("{at}.turn_delay_blocks"), delay, 1, 1_000);
    let chunk = raw.attestation_chunk.unwrap_or(defaults::ATTESTATION_CHUNK);
    let chunk = parser.size(&format!("{at}.attestation_chunk"), chunk, 1, ATTESTED_PACKETS_MAX as u64);
    let batch = raw.batch_messages_max.unwrap_or(defaults::BATCH_MESSAGES);
    let batch = parser.size(&format!("{at}.batch_messages_max"), batch, 1, defaults::BATCH_MESSAGES_MAX);
    let a = side(parser, &format!("{at}.a"), (&raw.a, &raw.b.chain), (all, operators));
    let b = side(parser, &format!("{at}.b"), (&raw.b, &raw.a.chain), (all, operators));
    if let (Some(a), Some(b)) = (&a, &b) {
        if a.client_kind != b.client_kind {
            let (got, expected) = (b.client_kind.name().into(), "the kind of the other end: a path has one kind");
            parser.refuse(&format!("{at}.b.client_kind"), ProblemKind::Malformed { got, expected });
        }
        let submits = raw.submit_misbehaviour == Some(true);
        if submits && a.client_kind == ClientKind::Attested && b.client_kind == ClientKind::Attested {
            let expected = "false: only a native client can be shown misbehaviour";
            let got = "true".into();
            parser.refuse(&format!("{at}.submit_misbehaviour"), ProblemKind::Malformed { got, expected });
        }
    }
    Some(PathConfig {
        name: name?,
        operators: relayers,
        turn_delay_blocks: delay?,
        attestation_chunk: chunk?,
        batch_messages_max: batch?,
        submit_misbehaviour: raw.submit_misbehaviour.unwrap_or(false),
        a: a?,
        b: b?,
    })
}

fn side(
    parser: &mut Parser,
    at: &str,
    (raw, attested): (&RawSide, &str),
    (all, operators): (&Raw, &[Operator]),
) -> Option<Side> {
    let key = |name: &str| format!("{at}.{name}");
    known(parser, &key("chain"), "chain", &raw.chain, all.chains.iter().map(|chain| chain.name.as_str()));
    if let Some(client) = &raw.client {
        if check_client_id("client", client).is_err() {
            let expected = "an IBC client id such as client-0, at least 8 characters";
            parser.refuse(&key("client"), ProblemKind::Malformed { got: client.clone(), expected });
        }
    }
    let native = match raw.client_kind.as_deref() {
        None | Some("attested") => false,
        Some("native") => true,
        Some(other) => {
            let expected = "whom the client believes: attested or native";
            parser.refuse(&key("client_kind"), ProblemKind::Malformed { got: other.into(), expected });
            return None;
        }
    };
    if native {
        return native_side(parser, at, raw, all);
    }
    let light_client = raw.light_client.as_deref().map(|text| parser.address(&key("light_client"), text));
    let code_hash = raw.light_client_code_hash.as_deref();
    let code_hash = code_hash.map(|text| parser.hash(&key("light_client_code_hash"), text));
    if light_client.is_some() && code_hash.is_none() {
        parser.missing::<()>(
            &key("light_client_code_hash"),
            "pin the code of the light client, since anyone may add one",
        );
    }
    let attestors = side_attestors(parser, &key("attestors"), (raw, attested), operators);
    let Some(threshold) = raw.threshold else {
        return parser.missing(&key("threshold"), "say how many attestors the client requires");
    };
    let (got, count) = (usize::try_from(threshold).unwrap_or(usize::MAX), attestors.len());
    if got == 0 || got > count {
        parser.refuse(&key("threshold"), ProblemKind::Threshold { got, attestors: count });
        return None;
    }
    Some(Side {
        chain: raw.chain.clone(),
        client: raw.client.clone(),
        client_kind: ClientKind::Attested,
        light_client: light_client.flatten(),
        light_client_code_hash: code_hash.flatten(),
        attestors,
        threshold: got,
    })
}

/// An end whose client believes the validators of the other end's chain: it has neither attestors nor a contract.
fn native_side(parser: &mut Parser, at: &str, raw: &RawSide, all: &Raw) -> Option<Side> {
    let unused = [
        ("attestors", raw.attestors.is_some()),
        ("threshold", raw.threshold.is_some()),
        ("light_client", raw.light_client.is_some()),
        ("light_client_code_hash", raw.light_client_code_hash.is_some()),
    ];
    for (name, _) in unused.into_iter().filter(|(_, set)| *set) {
        let expected = "left out: a native client believes validators, not attestors";
        parser.refuse(&format!("{at}.{name}"), ProblemKind::Malformed { got: "set".into(), expected });
    }
    let chain = all.chains.iter().find(|chain| chain.name == raw.chain);
    if let Some(chain) = chain.filter(|chain| chain.family != "cometbft" || chain.process.is_some()) {
        let expected = "attested: native clients are there for CometBFT chains with the built-in adapter";
        let got = format!("native on {} ({})", chain.name, chain.family);
        parser.refuse(&format!("{at}.client_kind"), ProblemKind::Malformed { got, expected });
    }
    Some(Side {
        chain: raw.chain.clone(),
        client: raw.client.clone(),
        client_kind: ClientKind::Native,
        light_client: None,
        light_client_code_hash: None,
        attestors: Vec::new(),
        threshold: 0,
    })
}

/// The attestors of a side's client: those named, or every operator that attests the other end's chain.
fn side_attestors(
    parser: &mut Parser,
    at: &str,
    (raw, attested): (&RawSide, &str),
    operators: &[Operator],
) -> Vec<Attestor> {
    let of = |operator: &Operator| operator.attestors.iter().find(|attestor| attestor.chain == attested).cloned();
    let Some(named) = &raw.attestors else { return operators.iter().filter_map(of).collect() };
    unique(parser, at, "", named.iter().cloned());
    let mut attestors = Vec::new();
    for (index, id) in named.iter().enumerate() {
        match operators.iter().find(|operator| operator.id == *id).map(of) {
            Some(Some(attestor)) => attestors.push(attestor),
            Some(None) => {
                parser
                    .missing::<()>(&format!("{at}[{index}]"), "this operator has no attestor of the other end's chain");
            }
            None => {
                let ids = operators.iter().map(|operator| operator.id.as_str());
                known(parser, &format!("{at}[{index}]"), "operator", id, ids);
            }
        }
    }
    attestors
}

fn known<'a>(parser: &mut Parser, key: &str, what: &'static str, got: &str, names: impl Iterator<Item = &'a str>) {
    let names: Vec<_> = names.collect();
    if !names.contains(&got) {
        parser.refuse(key, ProblemKind::UnknownName { what, got: got.into(), known: names.join(", ") });
    }
}

fn unique(parser: &mut Parser, list: &str, field: &str, names: impl Iterator<Item = String>) {
    let place =
        |index: usize| if field.is_empty() { format!("{list}[{index}]") } else { format!("{list}[{index}].{field}") };
    let mut seen = BTreeMap::new();
    for (index, name) in names.enumerate() {
        if let Some(first) = seen.get(&name) {
            parser.refuse(&place(index), ProblemKind::Duplicate { got: name, first: place(*first) });
        } else {
            seen.insert(name, index);
        }
    }
}

/// A key serves one chain in one role.
fn keys_once(parser: &mut Parser, chains: &[RawChain]) {
    let mut seen: BTreeMap<&str, String> = BTreeMap::new();
    for (index, chain) in chains.iter().enumerate() {
        let listed = chain.transaction_keys.iter().flatten().enumerate();
        let listed = listed.map(|(place, id)| (format!("transaction_keys[{place}]"), id));
        let roles = [("transaction_key", &chain.transaction_key), ("attestor_key", &chain.attestor_key)];
        let roles = roles.into_iter().filter_map(|(role, id)| id.as_ref().map(|id| (role.to_owned(), id)));
        for (role, id) in roles.chain(listed) {
            let place = format!("chains[{index}].{role}");
            if let Some(first) = seen.get(id.as_str()) {
                parser.refuse(&place, ProblemKind::Duplicate { got: id.clone(), first: first.clone() });
            } else {
                seen.insert(id, place);
            }
        }
    }
}

/// An attestor address serves one operator and one chain.
fn attestors_once(parser: &mut Parser, operators: &[RawOperator]) {
    let mut seen: BTreeMap<String, String> = BTreeMap::new();
    for (index, operator) in operators.iter().enumerate() {
        for (chain, attestor) in &operator.attestors {
            let place = format!("operators[{index}].attestors.{chain}.address");
            let address = attestor.address.to_ascii_lowercase();
            if let Some(first) = seen.get(&address) {
                parser.refuse(&place, ProblemKind::SharedAttestor { address, first: first.clone() });
            } else {
                seen.insert(address, place);
            }
        }
    }
}
