//! The committed artifacts: what a network gets is what is tested.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

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

/// Reading an artifact takes longer than running it, so each is read once.
fn code(name: &str, field: &str) -> Bytes {
    static READ: Mutex<BTreeMap<String, Bytes>> = Mutex::new(BTreeMap::new());
    let key = format!("{name}.{field}");
    let mut read = READ.lock().unwrap_or_else(PoisonError::into_inner);
    let code = read.entry(key).or_insert_with(|| {
        let artifact = load(name);
        let text = artifact[field].as_str().expect("bytecode is text");
        hex::decode(text.trim_start_matches("0x")).expect("bytecode is hex").into()
    });
    code.clone()
}
