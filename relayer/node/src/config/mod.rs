//! Configuration: what may be said, where it comes from, and what is refused.
//!
//! A TOML file, then variables `CATENARY__SECTION__KEY`, then flags; the later wins. All problems are shown in one
//! run, each with a stable code, its key, both compared values and what to do. Unknown keys and literal secrets are
//! refused: secrets come from variables or files that the configuration only names.
//!
//! [`Config::load`] needs the file alone; [`Config::check_keys`] looks at the keystore, [`Config::require_paths`] at
//! whether `path create` has been run. Commands that come before those steps leave them out.

mod build;
mod chain_sections;
mod check;
mod defaults;
mod error;
mod raw;
mod reference;
mod shape;
#[cfg(test)]
mod tests;
mod types;
mod values;

use std::path::Path;

use catenary_light_clients::Hash32;
use config::{Environment, File, FileFormat};
use serde::de::DeserializeOwned;
use serde_json::Value;

pub use error::{ConfigErrors, Problem, ProblemKind};
use raw::Raw;
pub use reference::reference_page;
pub use types::{
    AdapterConfig, Attestor, AttestorService, Chain, ClientKind, Config, Cosmos, Endpoint, Evm, EvmFee, EvmGasPrice,
    KeystoreConfig, Limits, LogFormat, NodeTls, Operator, PathConfig, PeerTls, Process, Replacing, Side, Telemetry,
};
use values::Parser;

/// Most bytes of a configuration file: some thousand paths.
const FILE_BYTES_MAX: u64 = 4 * 1024 * 1024;

impl Config {
    /// Reads the file, the variables `CATENARY__…` and the flags (key path and value), and parses the whole.
    ///
    /// # Errors
    /// All problems.
    pub fn load(path: &Path, overrides: &[(String, String)]) -> Result<Self, ConfigErrors> {
        let unreadable = |reason: String| {
            let kind = ProblemKind::Unreadable { path: path.into(), reason };
            ConfigErrors(vec![Problem { key: path.display().to_string(), kind }])
        };
        let size = std::fs::metadata(path).map_err(|error| unreadable(error.to_string()))?.len();
        if size > FILE_BYTES_MAX {
            return Err(unreadable(format!("it has {size} bytes, allowed are {FILE_BYTES_MAX}")));
        }
        let text = std::fs::read_to_string(path).map_err(|error| unreadable(error.to_string()))?;
        let environment = Environment::with_prefix("CATENARY").prefix_separator("__").separator("__");
        let tree = merge(&text, environment.try_parsing(true), overrides).map_err(|error| unreadable(plain(&error)))?;
        Self::parse(tree)
    }

    fn parse(mut tree: Value) -> Result<Self, ConfigErrors> {
        let mut parser = Parser::default();
        shape::sift(&mut tree, &shape::ROOT, "", &mut parser.problems);
        let found = parser.problems.len();
        let raw = decode(&mut parser, tree);
        if parser.problems.len() > found {
            // Sections that did not decode would look missing from here on.
            return Err(ConfigErrors(parser.problems));
        }
        let bytes = serde_json::to_vec(&raw).unwrap_or_default();
        let config = build::build(&mut parser, &raw, Hash32::sha256(&[&bytes]));
        match config {
            Some(config) if parser.problems.is_empty() => Ok(config),
            _ => Err(ConfigErrors(parser.problems)),
        }
    }
}

fn merge(text: &str, environment: Environment, overrides: &[(String, String)]) -> Result<Value, config::ConfigError> {
    let mut builder =
        config::Config::builder().add_source(File::from_str(text, FileFormat::Toml)).add_source(environment);
    for (key, value) in overrides {
        builder = builder.set_override(key, value.as_str())?;
    }
    builder.build()?.try_deserialize()
}

/// An error of the configuration library without the lines that it quotes, since they may hold a secret.
fn plain(error: &config::ConfigError) -> String {
    let text = error.to_string();
    let kept = text.lines().filter(|line| !line.contains('|')).map(str::trim).filter(|line| !line.is_empty());
    kept.collect::<Vec<_>>().join(": ")
}

/// Decodes each section by itself, so that a problem in one does not hide those of the others.
fn decode(parser: &mut Parser, tree: Value) -> Raw {
    let Value::Object(mut root) = tree else { return Raw::default() };
    let mut take = |key: &str| root.remove(key).filter(|value| !value.is_null());
    let (operator, data_dir, telemetry) = (take("operator"), take("data_dir"), take("telemetry"));
    let (keystore, tls, limits) = (take("keystore"), take("tls"), take("limits"));
    let (chains, operators, paths) = (take("chains"), take("operators"), take("paths"));
    Raw {
        operator: section(parser, "operator", operator),
        data_dir: section(parser, "data_dir", data_dir),
        telemetry: section(parser, "telemetry", telemetry),
        keystore: section(parser, "keystore", keystore),
        tls: section(parser, "tls", tls),
        limits: section(parser, "limits", limits),
        chains: list(parser, "chains", chains),
        operators: list(parser, "operators", operators),
        paths: list(parser, "paths", paths),
    }
}

fn section<T: DeserializeOwned>(parser: &mut Parser, key: &str, value: Option<Value>) -> Option<T> {
    match serde_path_to_error::deserialize(value?) {
        Ok(section) => Some(section),
        Err(error) => {
            let path = error.path().to_string();
            let key = if path == "." { key.into() } else { format!("{key}.{path}") };
            parser.refuse(&key, ProblemKind::Type { reason: error.into_inner().to_string() });
            None
        }
    }
}

fn list<T: DeserializeOwned>(parser: &mut Parser, key: &str, value: Option<Value>) -> Vec<T> {
    let items = match value {
        None => Vec::new(),
        Some(Value::Array(items)) => items,
        Some(_) => {
            parser.refuse(key, ProblemKind::Type { reason: format!("write each of them as [[{key}]]") });
            Vec::new()
        }
    };
    let decoded = items.into_iter().enumerate();
    decoded.filter_map(|(index, item)| section(parser, &format!("{key}[{index}]"), Some(item))).collect()
}
