//! The committed artifacts: what a network gets is what is tested.

use std::path::{Path, PathBuf};

use alloy_primitives::Bytes;
use serde_json::Value;

/// The folder of the contracts.
#[must_use]
pub fn contracts_dir() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../adapters/evm/contracts")
}

/// A committed artifact, by its path under `artifacts` without the ending.
#[must_use]
pub fn load(name: &str) -> Value {
    let path = contracts_dir().join("artifacts").join(format!("{name}.json"));
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The bytecode that creates a contract, without constructor arguments.
#[must_use]
pub fn creation_code(name: &str) -> Bytes {
    code(name, "bytecode")
}

/// The bytecode of the created contract; immutable values are zero in it.
#[must_use]
pub fn deployed_code(name: &str) -> Bytes {
    code(name, "deployedBytecode")
}

fn code(name: &str, field: &str) -> Bytes {
    let artifact = load(name);
    let text = artifact[field].as_str().expect("bytecode is text");
    hex::decode(text.trim_start_matches("0x")).expect("bytecode is hex").into()
}
