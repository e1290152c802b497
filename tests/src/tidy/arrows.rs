//! Which crate may know which: the arrows of the architecture, read from `cargo metadata`.

use serde::Deserialize;

use super::Violation;

/// Each crate of ours and those it may depend on. A crate that is not named here breaks the rule, so that its place is decided when it is made.
const ALLOWED: [(&str, &[&str]); 12] = [
    ("catenary-light-clients", &[]),
    ("catenary-fuzz", &["catenary-light-clients"]),
    ("catenary-protocol", &["catenary-light-clients"]),
    ("catenary-api", &["catenary-light-clients", "catenary-protocol"]),
    ("catenary-core", &["catenary-light-clients", "catenary-protocol", "catenary-api"]),
    ("catenary-adapter-evm", ADAPTER),
    ("catenary-adapter-cosmos", ADAPTER),
    ("catenary-adapter-process", ADAPTER),
    // A program and no library: it puts one adapter into the other's hands, as the node does.
    (
        "catenary-adapter-evm-process",
        &["catenary-light-clients", "catenary-api", "catenary-adapter-evm", "catenary-adapter-process"],
    ),
    ("catenary-adapter-testkit", ADAPTER),
    // The devnets are chains and not adapters: they know the verifiers' forms and the protocol, and no adapter.
    ("catenary-devnet", &["catenary-light-clients", "catenary-protocol"]),
    (
        "catenary",
        &[
            "catenary-light-clients",
            "catenary-protocol",
            "catenary-api",
            "catenary-core",
            "catenary-adapter-evm",
            "catenary-adapter-cosmos",
            "catenary-adapter-process",
            "catenary-devnet",
        ],
    ),
];
const ADAPTER: &[&str] = &["catenary-light-clients", "catenary-protocol", "catenary-api"];

/// Libraries that stay inside one crate, and why.
const CONFINED: [(&str, &str, &str); 4] = [
    ("ethers", "catenary-adapter-evm", "ethers-rs is unmaintained"),
    ("tendermint-rpc", "catenary-adapter-cosmos", "only the adapter talks to CometBFT"),
    ("sled", "catenary", "only the node has a store"),
    ("config", "catenary", "only the node reads configuration"),
];

/// What `cargo metadata --no-deps` says, as far as the rule needs it.
#[derive(Debug, Deserialize)]
pub struct Metadata {
    packages: Vec<Package>,
}

#[derive(Debug, Deserialize)]
struct Package {
    name: String,
    manifest_path: String,
    dependencies: Vec<Dependency>,
}

#[derive(Debug, Deserialize)]
struct Dependency {
    name: String,
    /// `None`, `dev` or `build`.
    kind: Option<String>,
}

/// Asks cargo for the workspace.
///
/// # Errors
/// When cargo fails or answers something else.
pub fn metadata() -> Result<Metadata, String> {
    serde_json::from_slice(&ask_cargo()?).map_err(|e| format!("cargo metadata: {e}"))
}

/// What `cargo metadata --no-deps` answers.
pub(super) fn ask_cargo() -> Result<Vec<u8>, String> {
    let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned());
    let output = std::process::Command::new(cargo)
        .args(["metadata", "--no-deps", "--format-version", "1", "--manifest-path"])
        .arg(super::sources::root().join("Cargo.toml"))
        .output()
        .map_err(|e| format!("running cargo metadata: {e}"))?;
    if !output.status.success() {
        return Err(format!("cargo metadata: {}", String::from_utf8_lossy(&output.stderr)));
    }
    Ok(output.stdout)
}

/// Arrows that the architecture does not have. What only tests need is not an arrow.
#[must_use]
pub fn check(metadata: &Metadata) -> Vec<Violation> {
    let is_test_crate = |p: &Package| {
        p.manifest_path.replace('\\', "/").rsplit('/').nth(1) == Some("tests") || p.manifest_path.contains("/tests/")
    };
    let mut found = Vec::new();
    for package in &metadata.packages {
        for dependency in &package.dependencies {
            let confined = CONFINED
                .iter()
                .find(|(lib, _, _)| dependency.name == *lib || dependency.name.starts_with(&format!("{lib}-")));
            if let Some((_, home, why)) = confined.filter(|(_, home, _)| *home != package.name) {
                found.push(format!("{} depends on {}: it stays in {home}, since {why}", package.name, dependency.name));
            }
        }
        if is_test_crate(package) {
            continue;
        }
        let Some((_, allowed)) = ALLOWED.iter().find(|(name, _)| *name == package.name) else {
            found.push(format!("{} has no place in tests/src/tidy/arrows.rs: say what it may depend on", package.name));
            continue;
        };
        let ours =
            package.dependencies.iter().filter(|d| d.name.starts_with("catenary") && d.kind.as_deref() != Some("dev"));
        for d in ours.filter(|d| !allowed.contains(&d.name.as_str())) {
            found.push(format!("{} depends on {}: the architecture has no such arrow", package.name, d.name));
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(name: &str, folder: &str, dependencies: &[(&str, Option<&str>)]) -> Vec<String> {
        let dependencies: Vec<_> =
            dependencies.iter().map(|(n, k)| serde_json::json!({"name": n, "kind": k})).collect();
        let package = serde_json::json!({"name": name, "manifest_path": format!("/home/x/{folder}/Cargo.toml"), "dependencies": dependencies});
        check(&serde_json::from_value(serde_json::json!({"packages": [package]})).unwrap())
    }

    #[test]
    fn wrong_arrows_are_caught() {
        let core = ("catenary-core", "relayer/core");
        let evm = ("catenary-adapter-evm", "adapters/evm");
        let good: [(_, &[_]); 4] = [
            (core, &[("catenary-api", None), ("serde", None)]),
            (core, &[("catenary-adapter-evm", Some("dev"))]),
            (evm, &[("ethers-core", None), ("catenary-api", None)]),
            (("catenary-tests", "tests"), &[("catenary", None)]),
        ];
        for ((name, folder), dependencies) in good {
            assert_eq!(found(name, folder, dependencies), Vec::<String>::new(), "{name} {dependencies:?}");
        }
        let bad: [(_, &[_]); 8] = [
            (core, &[("catenary-adapter-evm", None)]),
            (core, &[("catenary", Some("build"))]),
            (("catenary-api", "relayer/api"), &[("catenary-core", None)]),
            (("catenary-light-clients", "light-clients"), &[("catenary-protocol", None)]),
            (evm, &[("catenary-core", None)]),
            (evm, &[("catenary-adapter-cosmos", None)]),
            (("catenary-tests", "tests"), &[("ethers-core", Some("dev"))]),
            (("catenary-new", "relayer/new"), &[]),
        ];
        for ((name, folder), dependencies) in bad {
            assert_eq!(found(name, folder, dependencies).len(), 1, "{name} {dependencies:?}");
        }
    }
}
