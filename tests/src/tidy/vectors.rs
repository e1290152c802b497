//! Vector files are used, and say where they come from.

use super::{Source, Violation};

const ROOT: &str = "tests/vectors/";

/// Vector files that no Rust source names. A file is named when a source holds its path from `vectors/` on, or holds its name in a string
/// while its crate holds the folder's path.
#[must_use]
pub fn used(sources: &[Source]) -> Vec<Violation> {
    let mut found = Vec::new();
    for vector in sources.iter().filter(|s| s.path.starts_with(ROOT) && !s.path.ends_with(".md")) {
        let (folder, name) = vector.path.rsplit_once('/').unwrap_or(("", &vector.path));
        let (folder, whole) = (&folder["tests/".len()..], &vector.path["tests/".len()..]);
        let stem = name.rsplit_once('.').map_or(name, |(stem, _)| stem);
        let (quoted, quoted_stem, slashed) = (format!("\"{name}\""), format!("\"{stem}\""), format!("/{name}\""));
        let opens = |krate: &str| {
            sources.iter().any(|s| s.is_rust() && crate_of(s, sources) == krate && s.text.contains(folder))
        };
        let names = |s: &Source| {
            let t = &s.text;
            t.contains(whole)
                || (t.contains(&quoted) || t.contains(&quoted_stem) || t.contains(&slashed))
                    && opens(crate_of(s, sources))
        };
        // The recorder names what it writes, which is no use.
        let readers = sources.iter().filter(|s| s.is_rust() && !s.path.starts_with("tests/src/localnet/record"));
        if !readers.into_iter().any(names) {
            found.push(format!("{}: no test reads it", vector.path));
        }
    }
    found
}

/// The folder of the manifest that a file belongs to.
fn crate_of<'a>(file: &Source, sources: &'a [Source]) -> &'a str {
    let manifests = sources.iter().filter_map(|s| s.path.strip_suffix("/Cargo.toml"));
    manifests
        .filter(|folder| file.path.starts_with(&format!("{folder}/")))
        .max_by_key(|folder| folder.len())
        .unwrap_or("")
}

/// Folders of vectors without a README that names their origin.
#[must_use]
pub fn described(sources: &[Source]) -> Vec<Violation> {
    let mut folders: Vec<&str> =
        sources.iter().filter_map(|s| s.path.strip_prefix(ROOT)?.split_once('/')).map(|(f, _)| f).collect();
    folders.dedup();
    let has = |folder: &&str| sources.iter().any(|s| s.path == format!("{ROOT}{folder}/README.md"));
    let bare = folders.into_iter().filter(|f| !has(f));
    bare.map(|f| format!("{ROOT}{f}: its README.md must name origin, licence and how to make it again")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::testing::rust;

    #[test]
    fn unused_vectors_are_caught() {
        let check = |code: &str, expect: usize| {
            let sources =
                [rust("tests/vectors/a/b.json", "{}"), rust("tests/vectors/a/README.md", ""), rust("x/src/t.rs", code)];
            assert_eq!(used(&sources).len(), expect, "{code}");
        };
        check("fn f() { include_str!(\"../../tests/vectors/a/b.json\"); }", 0);
        check("const DIR: &str = \"tests/vectors/a\"; fn f() { load(\"b.json\"); }", 0);
        check("const DIR: &str = \"tests/vectors/a\"; fn f() { load(\"b\"); }", 0);
        check("fn f() { load(\"b.json\"); }", 1);
        let load = rust("x/tests/u.rs", "fn f() { load(\"b\"); }");
        let dir = |path| rust(path, "const DIR: &str = \"tests/vectors/a\";");
        let manifests =
            [rust("x/Cargo.toml", ""), rust("y/Cargo.toml", ""), rust("tests/vectors/a/b.json", "{}"), load];
        let with = |other: Source| {
            used(&manifests.iter().map(|s| rust(&s.path, &s.text)).chain([other]).collect::<Vec<_>>()).len()
        };
        assert_eq!((with(dir("x/src/a.rs")), with(dir("y/src/a.rs"))), (0, 1));
        check("const DIR: &str = \"tests/vectors/a\";", 1);
    }

    #[test]
    fn folders_without_origin_are_caught() {
        let good = [rust("tests/vectors/a/b.json", "{}"), rust("tests/vectors/a/README.md", "")];
        assert_eq!(described(&good), Vec::<String>::new());
        assert_eq!(described(&good[..1]).len(), 1);
    }
}
