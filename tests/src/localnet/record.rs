//! Records live vectors: what real nodes answered, for tests that run without nodes.
//!
//! `catenary-localnet record` writes `tests/vectors/qbft` and `tests/vectors/cometbft` anew. Keys of validators and accounts are the same in
//! every recording, times and hashes are not.

mod cometbft;
mod qbft;

use std::path::Path;

use serde_json::Value;

use super::LocalnetError;

pub use cometbft::record_cometbft;
pub use qbft::record_qbft;

/// Writes one vector file.
fn write(dir: &Path, name: &str, value: &Value) -> Result<(), LocalnetError> {
    std::fs::create_dir_all(dir).map_err(LocalnetError::io(format!("making {}", dir.display())))?;
    let path = dir.join(name);
    let text = serde_json::to_string_pretty(value).map_err(|e| LocalnetError::answer("writing JSON", e))?;
    std::fs::write(&path, text + "\n").map_err(LocalnetError::io(format!("writing {}", path.display())))
}
