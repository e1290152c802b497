//! Every package has a licence that `deny.toml` allows, and comes from crates.io: what `cargo deny` checks of the two, with nothing to install.

use std::path::Path;

use serde::Deserialize;

use super::Violation;

/// The policy, as far as this rule reads it.
#[derive(Debug, Deserialize)]
pub struct Policy {
    graph: Graph,
    licenses: Licenses,
    sources: Origins,
}

#[derive(Debug, Deserialize)]
struct Graph {
    targets: Vec<String>,
}

#[derive(Debug, Deserialize)]
struct Licenses {
    allow: Vec<String>,
    exceptions: Vec<Exception>,
    clarify: Vec<Clarify>,
}

/// Licences that one package alone may have.
#[derive(Debug, Deserialize)]
struct Exception {
    #[serde(rename = "crate")]
    name: String,
    allow: Vec<String>,
}

/// What the licence of a package is that does not say so itself.
#[derive(Debug, Deserialize)]
struct Clarify {
    #[serde(rename = "crate")]
    name: String,
    version: String,
    expression: String,
}

#[derive(Debug, Deserialize)]
struct Origins {
    #[serde(rename = "allow-registry")]
    registries: Vec<String>,
}

/// A package, as `cargo metadata` tells of it.
#[derive(Debug, Clone, Deserialize)]
pub struct Package {
    name: String,
    version: String,
    license: Option<String>,
    /// None for what lies in a folder.
    source: Option<String>,
    manifest_path: String,
}

#[derive(Deserialize)]
struct Metadata {
    packages: Vec<Package>,
}

/// Reads the policy.
///
/// # Errors
/// When `deny.toml` is missing or lacks one of the sections.
pub fn policy(root: &Path) -> Result<Policy, String> {
    let text = std::fs::read_to_string(root.join("deny.toml")).map_err(|e| format!("deny.toml: {e}"))?;
    toml::from_str(&text).map_err(|e| format!("deny.toml: {e}"))
}

/// Asks cargo for the packages of every target of the policy, in order of name.
///
/// # Errors
/// When cargo fails or answers something else.
pub fn packages(root: &Path, policy: &Policy) -> Result<Vec<Package>, String> {
    let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned());
    let mut all = Vec::new();
    for target in &policy.graph.targets {
        let mut command = std::process::Command::new(&cargo);
        command.args(["metadata", "--format-version", "1", "--locked", "--filter-platform", target]);
        let output = command.current_dir(root).output().map_err(|e| format!("running cargo metadata: {e}"))?;
        let answer: Metadata = serde_json::from_slice(&output.stdout)
            .map_err(|e| format!("cargo metadata: {e}: {}", String::from_utf8_lossy(&output.stderr)))?;
        all.extend(answer.packages);
    }
    all.sort_by(|a, b| (&a.name, &a.version).cmp(&(&b.name, &b.version)));
    all.dedup_by(|a, b| (&a.name, &a.version) == (&b.name, &b.version));
    Ok(all)
}

/// Packages whose licence or origin the policy does not allow, and entries of the policy that no package needs.
#[must_use]
pub fn check(root: &Path, policy: &Policy, packages: &[Package]) -> Vec<Violation> {
    let mut found: Vec<Violation> = packages.iter().filter_map(|p| licence(policy, p)).collect();
    found.extend(packages.iter().filter_map(|p| origin(root, policy, p)));
    let named = |name: &str| packages.iter().any(|p| p.name == name);
    let entries = policy.licenses.exceptions.iter().map(|e| &e.name);
    let entries = entries.chain(policy.licenses.clarify.iter().map(|c| &c.name));
    found.extend(entries.filter(|e| !named(e)).map(|e| format!("deny.toml: {e} is no dependency any more: remove it")));
    found
}

fn licence(policy: &Policy, package: &Package) -> Option<Violation> {
    let Package { name, version, .. } = package;
    let clarified = policy.licenses.clarify.iter().find(|c| c.name == *name && c.version == format!("={version}"));
    let Some(expression) = clarified.map(|c| &c.expression).or(package.license.as_ref()) else {
        return Some(format!("{name} {version} names no licence: read it, and clarify it in deny.toml or do without"));
    };
    let excepted: Vec<&String> =
        policy.licenses.exceptions.iter().filter(|e| e.name == *name).flat_map(|e| &e.allow).collect();
    let allowed = |id: &str| policy.licenses.allow.iter().chain(excepted.iter().copied()).any(|a| a == id);
    match satisfied(expression, &allowed) {
        Ok(true) => None,
        Ok(false) => Some(format!("{name} {version} is under {expression}, which deny.toml does not allow")),
        Err(at) => Some(format!("{name} {version}: the licence {expression:?} does not read at {at:?}")),
    }
}

fn origin(root: &Path, policy: &Policy, package: &Package) -> Option<Violation> {
    let Package { name, version, manifest_path, .. } = package;
    match &package.source {
        None if Path::new(manifest_path).starts_with(root) => None,
        None => Some(format!("{name} {version} lies at {manifest_path}, outside of the repository")),
        Some(source) => {
            let known = source
                .strip_prefix("registry+")
                .is_some_and(|s| policy.sources.registries.iter().any(|registry| registry == s));
            (!known).then(|| format!("{name} {version} comes from {source}, which deny.toml does not allow"))
        }
    }
}

/// Whether an SPDX expression holds when the licences that `allowed` says may be used; an old `A/B` means `A OR B`.
///
/// # Errors
/// The rest of the expression, where it is malformed.
pub fn satisfied(expression: &str, allowed: &dyn Fn(&str) -> bool) -> Result<bool, String> {
    let spaced = expression.replace('(', " ( ").replace(')', " ) ").replace('/', " OR ");
    let words: Vec<&str> = spaced.split_whitespace().collect();
    let (holds, rest) = any_of(&words, allowed)?;
    if rest.is_empty() {
        Ok(holds)
    } else {
        Err(rest.join(" "))
    }
}

type Read<'a> = Result<(bool, &'a [&'a str]), String>;

fn any_of<'a>(words: &'a [&'a str], allowed: &dyn Fn(&str) -> bool) -> Read<'a> {
    let (mut holds, mut rest) = all_of(words, allowed)?;
    while let ["OR", more @ ..] = rest {
        let (next, after) = all_of(more, allowed)?;
        (holds, rest) = (holds || next, after);
    }
    Ok((holds, rest))
}

fn all_of<'a>(words: &'a [&'a str], allowed: &dyn Fn(&str) -> bool) -> Read<'a> {
    let (mut holds, mut rest) = one(words, allowed)?;
    while let ["AND", more @ ..] = rest {
        let (next, after) = one(more, allowed)?;
        (holds, rest) = (holds && next, after);
    }
    Ok((holds, rest))
}

fn one<'a>(words: &'a [&'a str], allowed: &dyn Fn(&str) -> bool) -> Read<'a> {
    let is_name = |word: &str| !matches!(word, "(" | ")" | "AND" | "OR" | "WITH");
    match words {
        ["(", inner @ ..] => match any_of(inner, allowed)? {
            (holds, [")", rest @ ..]) => Ok((holds, rest)),
            (_, rest) => Err(rest.join(" ")),
        },
        [id, "WITH", exception, rest @ ..] if is_name(id) && is_name(exception) => {
            Ok((allowed(&format!("{id} WITH {exception}")), rest))
        }
        [id, rest @ ..] if is_name(id) => Ok((allowed(id), rest)),
        _ => Err(words.join(" ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const POLICY: &str = r#"
        [graph]
        targets = []
        [licenses]
        allow = ["MIT", "BSD", "X WITH E"]
        exceptions = [{ crate = "roots", allow = ["CDLA"] }]
        clarify = [{ crate = "ring", version = "=0.16.20", expression = "MIT AND BSD" }]
        [sources]
        allow-registry = ["https://good.example/index"]
    "#;

    #[test]
    fn expressions_read_as_spdx_says() {
        let allowed = |id: &str| matches!(id, "MIT" | "BSD" | "X WITH E");
        let rows: [(&str, Option<bool>); 22] = [
            ("MIT", Some(true)),
            ("GPL", Some(false)),
            ("MIT OR GPL", Some(true)),
            ("GPL OR MIT", Some(true)),
            ("GPL/MIT", Some(true)),
            ("GPL / MIT", Some(true)),
            ("GPL OR AGPL", Some(false)),
            ("MIT AND BSD", Some(true)),
            ("MIT AND GPL", Some(false)),
            // AND binds more tightly than OR.
            ("MIT OR GPL AND AGPL", Some(true)),
            ("(MIT OR GPL) AND AGPL", Some(false)),
            ("(GPL OR MIT) AND BSD", Some(true)),
            ("X WITH E", Some(true)),
            ("X", Some(false)),
            ("MIT WITH E", Some(false)),
            ("GPL AND (MIT)", Some(false)),
            ("", None),
            ("MIT OR", None),
            ("(MIT", None),
            ("MIT)", None),
            ("MIT BSD", None),
            ("AND MIT", None),
        ];
        for (expression, expect) in rows {
            assert_eq!(satisfied(expression, &allowed).ok(), expect, "{expression:?}");
        }
    }

    /// Name, version, licence and source of the packages beside the two that the policy names; then words of what is found.
    fn finds(package: (&str, &str, Option<&str>, Option<&str>), expect: Option<&str>) {
        let policy: Policy = toml::from_str(POLICY).unwrap();
        let of = |(name, version, license, source): (&str, &str, Option<&str>, Option<&str>)| Package {
            name: name.to_owned(),
            version: version.to_owned(),
            license: license.map(str::to_owned),
            source: source.map(str::to_owned),
            manifest_path: format!("/repository/{name}/Cargo.toml"),
        };
        let registry = Some("registry+https://good.example/index");
        let named = [("roots", "1.0.0", Some("CDLA"), registry), ("ring", "0.16.20", None, registry)];
        let packages: Vec<Package> = named.into_iter().chain([package]).map(of).collect();
        let found = check(Path::new("/repository"), &policy, &packages);
        match expect {
            None => assert_eq!(found, Vec::<String>::new(), "{package:?}"),
            Some(words) => {
                assert_eq!(found.len(), 1, "{package:?}: {found:?}");
                assert!(found[0].contains(package.0) && found[0].contains(words), "{found:?}: {words}");
            }
        }
    }

    #[test]
    fn wrong_licences_and_origins_are_caught() {
        let good = Some("registry+https://good.example/index");
        finds(("a", "1.0.0", Some("MIT OR GPL"), good), None);
        finds(("ours", "1.0.0", Some("MIT"), None), None);
        finds(("a", "1.0.0", Some("GPL"), good), Some("under GPL"));
        finds(("a", "1.0.0", Some("CDLA"), good), Some("under CDLA"));
        finds(("a", "1.0.0", None, good), Some("names no licence"));
        finds(("a", "1.0.0", Some("MIT ("), good), Some("does not read"));
        finds(("a", "1.0.0", Some("MIT"), Some("registry+https://bad.example/index")), Some("comes from"));
        finds(("a", "1.0.0", Some("MIT"), Some("git+https://good.example/index")), Some("comes from"));
        // What is clarified of one version says nothing of another.
        finds(("ring", "0.17.0", None, good), Some("names no licence"));
    }

    #[test]
    fn code_from_outside_and_dead_entries_are_caught() {
        let policy: Policy = toml::from_str(POLICY).unwrap();
        let outside = Package {
            name: "a".to_owned(),
            version: "1.0.0".to_owned(),
            license: Some("MIT".to_owned()),
            source: None,
            manifest_path: "/elsewhere/a/Cargo.toml".to_owned(),
        };
        let found = check(Path::new("/repository"), &policy, &[outside]);
        assert_eq!(found.len(), 3, "{found:?}");
        assert!(found[0].contains("outside") && found[1].contains("roots") && found[2].contains("ring"), "{found:?}");
    }
}
