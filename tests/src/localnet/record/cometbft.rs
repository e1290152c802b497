//! Commits, validator sets, state proofs and packet events of `simd` networks: one validator with an open client, and four of which one
//! is stopped for a while and one gains power.

use std::path::Path;
use std::time::Duration;

use serde_json::{json, Map, Value};

use super::write;
use crate::localnet::{Account, LocalnetError, Simd, SimdOptions};

/// How long each step may take, in seconds; generous for loaded machines.
const STEP: Duration = Duration::from_secs(240);
/// How long packets of a recording live, in seconds; ibc-go allows a day.
const PACKET_LIFE_SECONDS: u64 = 86_000;

/// Records `one_validator.json` and `four_validators.json` into `dir`.
///
/// # Errors
/// When a network does not start or a step does not happen in time.
pub fn record_cometbft(dir: &Path) -> Result<(), LocalnetError> {
    write(dir, "one_validator.json", &one_validator()?)?;
    write(dir, "four_validators.json", &four_validators()?)
}

fn one_validator() -> Result<Value, LocalnetError> {
    let net = Simd::start(SimdOptions::default())?;
    let user = &net.options.accounts[0];
    let client = open_client(&net, user)?;
    let before = net.height(0)?;
    let mut transactions = client;
    for amount in ["5stake", "7atoken", "11stake"] {
        transactions.push(transfer(&net, user, amount)?);
    }
    let head = net.wait_for_height(net.height(0)?.max(14) + 3, STEP)?;
    let after = head - 2;
    let mut queries = Vec::new();
    for (name, key) in keys() {
        for height in [before, after] {
            queries.push(query(&net, &name, &key, height)?);
        }
    }
    let sent: Vec<u64> = transactions.iter().filter_map(|t| t["height"].as_str()?.parse().ok()).collect();
    let results = sent.iter().map(|h| net.rpc(0).call("block_results", json!({"height": h.to_string()})));
    let results = results.collect::<Result<Vec<_>, _>>()?;
    let mut file = chain(&net, head)?;
    file.insert("abci_queries".to_owned(), queries.into());
    file.insert("transactions".to_owned(), transactions.into());
    file.insert("block_results".to_owned(), results.into());
    Ok(file.into())
}

fn four_validators() -> Result<Value, LocalnetError> {
    let net = Simd::start(SimdOptions { validators: 4, ..SimdOptions::default() })?;
    let mut story = Map::new();
    net.wait_for_height(4, STEP)?;
    net.stop(3);
    story.insert("validator_3_stopped_after".to_owned(), net.height(0)?.into());
    net.wait_for_node_height(0, net.height(0)? + 6, STEP)?;
    net.restart(3)?;
    net.wait_for_node_height(3, net.height(0)? + 2, STEP)?;
    story.insert("validator_3_back_before".to_owned(), net.height(0)?.into());
    let delegated = net.tx(
        &net.options.accounts[0],
        &["staking", "delegate", &net.validators[0].operator_address, "500000000stake"],
    )?;
    story.insert("power_1000_to_1500_in_transaction_at".to_owned(), delegated["height"].clone());
    let head = net.wait_for_height(net.height(0)? + 6, STEP)?;
    let mut queries = Vec::new();
    for (name, key) in keys() {
        queries.push(query(&net, &name, &key, head - 2)?);
    }
    let mut file = chain(&net, head)?;
    file.insert("abci_queries".to_owned(), queries.into());
    file.insert("story".to_owned(), story.into());
    Ok(file.into())
}

/// Creates an attestations client of three fixed attestors, names its counterparty, and gives both transactions.
fn open_client(net: &Simd, user: &Account) -> Result<Vec<Value>, LocalnetError> {
    let attestors: Vec<String> = (0..3).map(|i| Account::named(&format!("attestor-{i}")).evm_hex()).collect();
    let folder = tempfile::tempdir().map_err(LocalnetError::io("making a temporary folder"))?;
    let file = |name: &str, value: Value| -> Result<String, LocalnetError> {
        let path = folder.path().join(name);
        std::fs::write(&path, value.to_string()).map_err(LocalnetError::io("writing a client state"))?;
        Ok(path.display().to_string())
    };
    let state = file(
        "client.json",
        json!({
            "@type": "/ibc.lightclients.attestations.v1.ClientState", "attestor_addresses": attestors,
            "min_required_sigs": 2, "latest_height": "100", "is_frozen": false,
        }),
    )?;
    let consensus = file(
        "consensus.json",
        json!({"@type": "/ibc.lightclients.attestations.v1.ConsensusState", "timestamp": "1795000000000000000"}),
    )?;
    Ok(vec![
        net.tx(user, &["ibc", "client", "create", &state, &consensus])?,
        net.tx(user, &["ibc", "client", "add-counterparty", "attestations-0", "client-0", ""])?,
    ])
}

fn transfer(net: &Simd, user: &Account, amount: &str) -> Result<Value, LocalnetError> {
    let status = net.rpc(0).call("status", json!({}))?;
    let now = status["sync_info"]["latest_block_time"].as_str().and_then(unix_seconds);
    let now = now.ok_or_else(|| LocalnetError::answer("latest_block_time", &status))?;
    let timeout = (now + PACKET_LIFE_SECONDS).to_string();
    let receiver = Account::named("user-0").evm_hex();
    let options = ["--packet-timeout-timestamp", &timeout, "--packet-timeout-height", "0-0", "--absolute-timeouts"];
    let mut args = vec!["ibc-transfer", "transfer", "transfer", "attestations-0", &receiver, amount];
    args.extend(options);
    net.tx(user, &args)
}

/// Seconds since 1970 of an RFC 3339 time in UTC; days by the usual civil-calendar count.
fn unix_seconds(text: &str) -> Option<u64> {
    let part = |range: std::ops::Range<usize>| text.get(range)?.parse::<u64>().ok();
    let (year, month, day) = (part(0..4)?, part(5..7)?, part(8..10)?);
    let (y, m) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let days = 365 * y + y / 4 - y / 100 + y / 400 + (153 * m + 2) / 5 + day - 1;
    let days = days.checked_sub(719_468)?;
    Some(days * 86_400 + part(11..13)? * 3_600 + part(14..16)? * 60 + part(17..19)?)
}

/// Named keys of the `ibc` store: some exist after the transfers, some never.
fn keys() -> Vec<(String, Vec<u8>)> {
    let path = |kind: u8, sequence: u64| [b"attestations-0", &[kind][..], &sequence.to_be_bytes()].concat();
    vec![
        ("next client sequence".to_owned(), b"nextClientSequence".to_vec()),
        ("client state".to_owned(), b"clients/attestations-0/clientState".to_vec()),
        ("commitment 1".to_owned(), path(1, 1)),
        ("commitment 2".to_owned(), path(1, 2)),
        ("commitment 3".to_owned(), path(1, 3)),
        ("commitment 4, never sent".to_owned(), path(1, 4)),
        ("receipt 1, never received".to_owned(), path(2, 1)),
        ("ack 1, never written".to_owned(), path(3, 1)),
        ("before every key".to_owned(), vec![0]),
        ("after every key".to_owned(), vec![0xff; 8]),
    ]
}

fn query(net: &Simd, name: &str, key: &[u8], height: u64) -> Result<Value, LocalnetError> {
    let params =
        json!({"path": "store/ibc/key", "data": hex::encode(key), "height": height.to_string(), "prove": true});
    let answer = net.rpc(0).call("abci_query", params)?;
    Ok(json!({"name": name, "key_hex": hex::encode(key), "height": height, "answer": answer}))
}

/// Status, commits and validator sets of heights 1 to `head`.
fn chain(net: &Simd, head: u64) -> Result<Map<String, Value>, LocalnetError> {
    let rpc = net.rpc(0);
    let mut blocks = Vec::new();
    for height in 1..=head {
        let at = json!({"height": height.to_string()});
        blocks.push(json!({
            "height": height, "commit": rpc.call("commit", at.clone())?,
            "validators": rpc.call("validators", json!({"height": height.to_string(), "per_page": "100"}))?,
        }));
    }
    let keys: Vec<Value> = net
        .validators
        .iter()
        .map(|v| json!({"address_hex": v.consensus_address_hex, "public_key_hex": v.public_key_hex, "ed25519_seed_hex": hex::encode(v.seed)}))
        .collect();
    let file = json!({
        "source": "ibc-go v11.2.0 simd (CometBFT 0.39), recorded by `catenary-localnet record`",
        "chain_id": net.options.chain_id, "validators": keys, "status": rpc.call("status", json!({}))?, "blocks": blocks,
    });
    match file {
        Value::Object(map) => Ok(map),
        other => Err(LocalnetError::answer("a vector file", other)),
    }
}

#[cfg(test)]
mod tests {
    use super::unix_seconds;

    #[test]
    fn unix_seconds_of_known_days() {
        for (text, expect) in [
            ("1970-01-01T00:00:00Z", 0),
            ("2000-02-29T12:00:01.5Z", 951_825_601),
            ("2026-11-24T05:52:06.836080393Z", 1_795_499_526),
        ] {
            assert_eq!(unix_seconds(text), Some(expect), "{text}");
        }
    }
}
