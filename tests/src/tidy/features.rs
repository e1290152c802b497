//! Which features no program may have: what they bring is for the simulation's own test target.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::Violation;

/// Mistakes on purpose, and a clock that is not the machine's.
const FOR_TESTS: [&str; 2] = ["deliberate-bugs", "simulation"];
/// The only package that may ask for them, among its dev-dependencies: those of no other build are made with them.
const ASKS: &str = "catenary-scenarios";

/// What `cargo metadata --no-deps` says, as far as the rule needs it.
#[derive(Debug, Deserialize)]
pub struct Metadata {
    packages: Vec<Package>,
}

#[derive(Debug, Deserialize)]
struct Package {
    name: String,
    dependencies: Vec<Dependency>,
    features: BTreeMap<String, Vec<String>>,
}

#[derive(Debug, Deserialize)]
struct Dependency {
    name: String,
    /// `None`, `dev` or `build`.
    kind: Option<String>,
    features: Vec<String>,
}

/// Asks cargo for the workspace.
///
/// # Errors
/// When cargo fails or answers something else.
pub fn metadata() -> Result<Metadata, String> {
    let answer = super::arrows::ask_cargo()?;
    serde_json::from_slice(&answer).map_err(|e| format!("cargo metadata: {e}"))
}

fn is_for_tests(feature: &str) -> bool {
    FOR_TESTS.iter().any(|name| feature == *name || feature.ends_with(&format!("/{name}")))
}

/// Ways by which a program could be built with such a feature: a dependency that asks for it, or another feature that
/// brings it along, as `default` would.
#[must_use]
pub fn check(metadata: &Metadata) -> Vec<Violation> {
    let mut found = Vec::new();
    for package in &metadata.packages {
        for dependency in &package.dependencies {
            let may = package.name == ASKS && dependency.kind.as_deref() == Some("dev");
            for feature in dependency.features.iter().filter(|feature| is_for_tests(feature) && !may) {
                let (name, other) = (&package.name, &dependency.name);
                found.push(format!("{name} asks {other} for {feature}: only dev-dependencies of {ASKS} may"));
            }
        }
        for (feature, brings) in package.features.iter().filter(|(feature, _)| !is_for_tests(feature)) {
            for brought in brings.iter().filter(|brought| is_for_tests(brought)) {
                let name = &package.name;
                found.push(format!("feature {feature} of {name} brings {brought}: it would be in programs"));
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ways_into_a_program_are_caught() {
        let found = |name: &str, kind: Option<&str>, asked: &[&str], features: &[(&str, &[&str])]| {
            let dependency = serde_json::json!({"name": "catenary", "kind": kind, "features": asked});
            let features: BTreeMap<_, _> = features.iter().copied().collect();
            let package = serde_json::json!({"name": name, "dependencies": [dependency], "features": features});
            let metadata = serde_json::from_value(serde_json::json!({"packages": [package]})).unwrap();
            check(&metadata).len()
        };
        assert_eq!(found(ASKS, Some("dev"), &["simulation", "deliberate-bugs"], &[]), 0);
        assert_eq!(
            found("catenary", None, &["evm"], &[("default", &["evm"]), ("simulation", &["tokio/test-util"])]),
            0
        );
        assert_eq!(found("catenary", None, &[], &[("deliberate-bugs", &["simulation", "core/deliberate-bugs"])]), 0);
        assert_eq!(found(ASKS, None, &["simulation"], &[]), 1);
        assert_eq!(found("catenary-tests", Some("dev"), &["deliberate-bugs"], &[]), 1);
        assert_eq!(found("catenary", None, &[], &[("default", &["simulation"])]), 1);
        assert_eq!(found("catenary", None, &[], &[("demo", &["catenary-core?/deliberate-bugs"])]), 1);
    }
}
