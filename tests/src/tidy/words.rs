//! Words that must or must not be in a file.

use super::{Source, Violation};

/// Endings of files that people write.
const WRITTEN: [&str; 9] = [".rs", ".sol", ".go", ".mjs", ".js", ".sh", ".toml", ".proto", ".md"];
/// Where lock files may say that packages come from.
const REGISTRIES: [&str; 2] = ["https://registry.npmjs.org/", "registry+https://github.com/rust-lang/crates.io-index"];

/// Rust files whose first words do not say what the module is for.
#[must_use]
pub fn module_docs(sources: &[Source]) -> Vec<Violation> {
    let documented = |s: &&Source| s.text.lines().any(|line| line.starts_with("//!"));
    let bare = sources.iter().filter(|s| s.is_rust() && !documented(s));
    bare.map(|s| format!("{}: begin with //! and say what the module is for", s.path)).collect()
}

/// Work left for later, and tests that are switched off.
#[must_use]
pub fn leftovers(sources: &[Source]) -> Vec<Violation> {
    // In halves, so that this file does not find itself.
    let words = [concat!("TO", "DO"), concat!("FIX", "ME"), concat!("XX", "X")];
    let off = concat!("#[ig", "nore");
    let mut found = Vec::new();
    for source in sources.iter().filter(|s| WRITTEN.iter().any(|end| s.path.ends_with(end))) {
        for (number, line) in source.text.lines().enumerate() {
            let whole = |w: &&&str| line.split(|c: char| !c.is_alphanumeric()).any(|part| part == **w);
            let at = format!("{}:{}", source.path, number + 1);
            if let Some(word) = words.iter().find(whole) {
                found.push(format!("{at}: {word}: do it now, or write it where work is planned"));
            }
            if source.is_rust() && line.contains(off) {
                found.push(format!("{at}: {off}: a test runs or goes"));
            }
        }
    }
    found
}

/// Names of the place where the work is done, which mean nothing to a reader.
#[must_use]
pub fn workplace(sources: &[Source]) -> Vec<Violation> {
    // In halves, so that this file does not find itself.
    let words = [
        concat!("/wo", "rk/"),
        concat!("/tmp/br", "ief"),
        concat!("anth", "ropic"),
        concat!("cla", "ude"),
        concat!("shared/de", "sign"),
    ];
    let mut found = Vec::new();
    for source in sources {
        for (number, line) in source.text.lines().enumerate() {
            let lower = line.to_lowercase();
            if let Some(word) = words.iter().find(|w| lower.contains(**w)) {
                found.push(format!(
                    "{}:{}: {word}: name nothing that only exists where this was written",
                    source.path,
                    number + 1
                ));
            }
        }
    }
    found
}

/// Lock files that fetch from elsewhere than the public registries.
#[must_use]
pub fn registries(sources: &[Source]) -> Vec<Violation> {
    let mut found = Vec::new();
    for source in sources.iter().filter(|s| s.path.ends_with("package-lock.json") || s.path.ends_with("Cargo.lock")) {
        for (number, line) in source.text.lines().enumerate() {
            let line = line.trim();
            let place = line.strip_prefix("\"resolved\": \"").or_else(|| line.strip_prefix("source = \""));
            if place.is_some_and(|p| !REGISTRIES.iter().any(|r| p.starts_with(r))) {
                found.push(format!("{}:{}: packages come from {}", source.path, number + 1, REGISTRIES.join(" or ")));
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::testing::catches;

    #[test]
    fn bare_modules_are_caught() {
        catches(
            module_docs,
            &[("a.rs", "//! What it is for.\n"), ("a.md", "text")],
            &[("a.rs", "fn f() {}", "//!"), ("a.rs", "// no", "//!")],
        );
    }

    #[test]
    fn leftovers_are_caught() {
        let todo = concat!("// TO", "DO: later");
        let fixme = concat!("x(); // FIX", "ME");
        let off = concat!("#[test]\n#[ig", "nore = \"slow\"]\nfn f() {}");
        catches(
            leftovers,
            &[("a.rs", "// a todolist is no leftover"), ("a.json", todo), ("a.rs", "//! ignore me")],
            &[
                ("a.rs", todo, "planned"),
                ("a.sol", todo, "planned"),
                ("a.go", fixme, "now"),
                ("a.rs", off, "runs or goes"),
            ],
        );
    }

    #[test]
    fn workplace_words_are_caught() {
        let path = concat!("see /wo", "rk/main");
        catches(
            workplace,
            &[("a.rs", "// the work of a relayer")],
            &[("a.md", path, "written"), ("a.json", path, "written")],
        );
    }

    #[test]
    fn other_registries_are_caught() {
        let npm = |host: &str| format!("  \"resolved\": \"https://{host}/a/-/a-1.tgz\",\n");
        let (good, bad) = (npm("registry.npmjs.org"), npm("mirror.example.org"));
        catches(
            registries,
            &[
                ("x/package-lock.json", &good),
                ("Cargo.lock", "source = \"registry+https://github.com/rust-lang/crates.io-index\""),
                ("a.json", &bad),
            ],
            &[
                ("x/package-lock.json", &bad, "npmjs"),
                ("Cargo.lock", "source = \"git+https://example.org/a\"", "crates.io"),
            ],
        );
    }
}
