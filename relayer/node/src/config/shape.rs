//! Which keys there are. Unknown keys and literal secrets are found here, all of them, before anything is decoded;
//! both are taken out of the tree, so that no later message can quote them.

use serde_json::Value;

use super::error::{Problem, ProblemKind};

/// What a key holds.
pub(super) enum Shape {
    /// A value.
    Leaf,
    /// Keys of their own.
    Table(&'static [(&'static str, Self)]),
    /// A list of the same.
    List(&'static Self),
    /// Freely named keys with the same below each.
    Map(&'static Self),
}

use Shape::{Leaf, List, Map, Table};

const SIDE: Shape = Table(&[
    ("chain", Leaf),
    ("client", Leaf),
    ("client_kind", Leaf),
    ("light_client", Leaf),
    ("light_client_code_hash", Leaf),
    ("attestors", Leaf),
    ("threshold", Leaf),
]);

const CHAIN: Shape = Table(&[
    ("name", Leaf),
    ("family", Leaf),
    ("chain_id", Leaf),
    ("urls", Leaf),
    ("urls_env", Leaf),
    ("ws_urls", Leaf),
    ("requests_per_second_max", Leaf),
    ("transaction_key", Leaf),
    ("transaction_keys", Leaf),
    ("attestor_key", Leaf),
    ("attestor_listen", Leaf),
    ("stale_after", Leaf),
    ("anchor", Table(&[("height", Leaf), ("hash", Leaf)])),
    (
        "trust",
        Table(&[
            ("trusting_period", Leaf),
            ("clock_drift", Leaf),
            ("churn_limit_permille", Leaf),
            ("allow_no_fault_tolerance", Leaf),
            ("skipping", Leaf),
            ("retain_heights", Leaf),
        ]),
    ),
    (
        "evm",
        Table(&[
            ("router", Leaf),
            ("transfer", Leaf),
            ("commitment_slot", Leaf),
            ("validator_contract", Leaf),
            ("validator_slot", Leaf),
            ("gas_price", Leaf),
            ("gas_price_max_wei", Leaf),
            ("fee", Leaf),
            ("priority_fee_wei", Leaf),
            ("replace_after", Leaf),
            ("replacements_max", Leaf),
            ("gas_multiplier_percent", Leaf),
            ("gas_max", Leaf),
            ("tx_bytes_max", Leaf),
            ("confirmations_blocks", Leaf),
        ]),
    ),
    (
        "cosmos",
        Table(&[
            ("address_prefix", Leaf),
            ("fee_denom", Leaf),
            ("gas_price", Leaf),
            ("gas_multiplier_percent", Leaf),
            ("gas_max", Leaf),
            ("tx_bytes_max", Leaf),
            ("messages_max", Leaf),
            ("store_prefix", Leaf),
        ]),
    ),
    ("adapter", Leaf),
    ("process", Table(&[("manifest", Leaf), ("sha256", Leaf), ("settings", Map(&Leaf))])),
]);

const OPERATOR: Shape = Table(&[
    ("id", Leaf),
    (
        "attestors",
        Map(&Table(&[
            ("url", Leaf),
            ("address", Leaf),
            ("tls", Table(&[("certificate_sha256", Leaf), ("ca_file", Leaf), ("server_name", Leaf)])),
        ])),
    ),
]);

const PATH: Shape = Table(&[
    ("name", Leaf),
    ("operators", Leaf),
    ("turn_delay_blocks", Leaf),
    ("attestation_chunk", Leaf),
    ("batch_messages_max", Leaf),
    ("submit_misbehaviour", Leaf),
    ("a", SIDE),
    ("b", SIDE),
]);

/// All keys of the configuration.
pub(super) const ROOT: Shape = Table(&[
    ("operator", Leaf),
    ("data_dir", Leaf),
    ("telemetry", Table(&[("listen", Leaf), ("log", Leaf), ("log_format", Leaf)])),
    ("keystore", Table(&[("dir", Leaf), ("passphrase_env", Leaf), ("passphrase_file", Leaf)])),
    ("tls", Table(&[("certificate_file", Leaf), ("private_key_file", Leaf)])),
    (
        "limits",
        Table(&[
            ("recv_margin", Leaf),
            ("turn_bucket_sequences", Leaf),
            ("retain_closed", Leaf),
            ("journal_keep", Leaf),
            ("journal_segment_bytes", Leaf),
            ("sweep_every", Leaf),
        ]),
    ),
    ("chains", List(&CHAIN)),
    ("operators", List(&OPERATOR)),
    ("paths", List(&PATH)),
]);

/// Keys whose values are 32 public bytes in hex, which otherwise look like a private key.
const PUBLIC_HASHES: [&str; 6] =
    ["hash", "light_client_code_hash", "certificate_sha256", "commitment_slot", "validator_slot", "sha256"];
/// Parts of key names that say "secret".
const SECRET_WORDS: [&str; 8] =
    ["private", "secret", "mnemonic", "seed", "passphrase", "password", "token", "credential"];
/// Fewest words of a mnemonic (BIP-39).
const MNEMONIC_WORDS_MIN: usize = 12;
/// Most letters that a mistyped key may differ in.
const TYPO_DISTANCE_MAX: usize = 4;

/// Takes unknown keys and literal secrets out of the tree, and says where they were.
pub(super) fn sift(tree: &mut Value, shape: &Shape, at: &str, problems: &mut Vec<Problem>) {
    match (tree, shape) {
        (Value::Object(map), Table(known)) => {
            let mut kept = serde_json::Map::new();
            for (key, mut value) in std::mem::take(map) {
                let path = join(at, &key);
                if let Some(what) = secret_key(&key) {
                    problems.push(Problem { key: path, kind: ProblemKind::LiteralSecret { what } });
                } else if let Some((_, shape)) = known.iter().find(|(name, _)| *name == key) {
                    sift(&mut value, shape, &path, problems);
                    kept.insert(key, value);
                } else {
                    let nearest = nearest(&key, known);
                    problems.push(Problem { key: path, kind: ProblemKind::UnknownKey { got: key, nearest } });
                }
            }
            *map = kept;
        }
        (Value::Object(map), Map(shape)) => {
            for (key, value) in map.iter_mut() {
                sift(value, shape, &join(at, key), problems);
            }
        }
        (Value::Array(items), List(shape)) => {
            for (index, item) in items.iter_mut().enumerate() {
                sift(item, shape, &format!("{at}[{index}]"), problems);
            }
        }
        // A table where a value belongs, or the other way round: the decoder says so with the types' names.
        (value, _) => hide_secrets(value, at, problems),
    }
}

/// Replaces values that look like secrets, at any depth.
fn hide_secrets(value: &mut Value, at: &str, problems: &mut Vec<Problem>) {
    match value {
        Value::String(text) => {
            if let Some(what) = secret_value(at, text) {
                problems.push(Problem { key: at.into(), kind: ProblemKind::LiteralSecret { what } });
                *value = Value::String("hidden".into());
            }
        }
        Value::Array(items) => {
            for (index, item) in items.iter_mut().enumerate() {
                hide_secrets(item, &format!("{at}[{index}]"), problems);
            }
        }
        Value::Object(map) => map.iter_mut().for_each(|(key, item)| hide_secrets(item, &join(at, key), problems)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

fn join(at: &str, key: &str) -> String {
    if at.is_empty() {
        key.into()
    } else {
        format!("{at}.{key}")
    }
}

/// What secret a key's name announces; `…_env` and `…_file` only point to one.
fn secret_key(key: &str) -> Option<&'static str> {
    let key = key.to_ascii_lowercase();
    if key.ends_with("_env") || key.ends_with("_file") {
        return None;
    }
    SECRET_WORDS.into_iter().find(|word| key.contains(word)).map(|_| "a secret")
}

/// What secret a value looks like.
fn secret_value(at: &str, text: &str) -> Option<&'static str> {
    let key = at.rsplit('.').next().unwrap_or(at);
    let digits = text.strip_prefix("0x").unwrap_or(text);
    let is_hex32 = digits.len() == 64 && digits.bytes().all(|b| b.is_ascii_hexdigit());
    if is_hex32 && !PUBLIC_HASHES.contains(&key) {
        return Some("what looks like a private key");
    }
    let words = text.split_whitespace().filter(|word| word.bytes().all(|b| b.is_ascii_lowercase()));
    if words.count() >= MNEMONIC_WORDS_MIN {
        return Some("what looks like a mnemonic");
    }
    let authority = text.split_once("://").map(|(_, rest)| rest.split(['/', '?', '#']).next().unwrap_or(rest));
    if authority.is_some_and(|authority| authority.contains('@')) {
        return Some("a user and password in a URL");
    }
    text.contains("-----BEGIN").then_some("a PEM block")
}

fn nearest(key: &str, known: &[(&'static str, Shape)]) -> Option<String> {
    let distance = |(name, _): &(&'static str, Shape)| (strsim::damerau_levenshtein(key, name), *name);
    let (distance, name) = known.iter().map(distance).min()?;
    (distance <= TYPO_DISTANCE_MAX.min(name.len().saturating_sub(1))).then(|| name.into())
}
