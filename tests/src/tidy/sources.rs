//! The files that the rules look at.

use std::cell::OnceCell;
use std::collections::HashSet;
use std::path::{Path, PathBuf};

use syn::visit::{self, Visit};

/// Folders that hold no sources of ours.
const SKIPPED: [&str; 6] = ["target", "node_modules", ".git", ".cache", "artifacts", "corpus"];

/// A text file of the repository.
#[derive(Debug)]
pub struct Source {
    /// Path from the repository's root, with `/`.
    pub path: String,
    /// The whole text.
    pub text: String,
    syntax: OnceCell<syn::File>,
}

impl Source {
    /// A source of that path and text.
    #[must_use]
    pub fn new(path: &str, text: String) -> Self {
        Self { path: path.to_owned(), text, syntax: OnceCell::new() }
    }

    /// Whether it is a Rust file.
    #[must_use]
    pub fn is_rust(&self) -> bool {
        self.path.ends_with(".rs")
    }

    /// The syntax tree of a Rust file, parsed when it is first asked for.
    ///
    /// # Panics
    /// When the file does not parse: then it does not compile either.
    #[must_use]
    pub fn syntax(&self) -> &syn::File {
        self.syntax.get_or_init(|| match syn::parse_file(&self.text) {
            Ok(file) => file,
            Err(e) => panic!("{}:{}: does not parse: {e}", self.path, e.span().start().line),
        })
    }

    /// Whether the whole file belongs to tests: it lies in a tests or fuzz crate, in the conformance suite, which only
    /// tests link, or in a folder of tests or of examples.
    #[must_use]
    pub fn is_test_file(&self) -> bool {
        let crates = ["tests/", "adapters/testkit/"];
        let folders = ["/fuzz/", "/tests/", "/examples/"];
        crates.iter().any(|c| self.path.starts_with(c)) || folders.iter().any(|f| self.path.contains(f))
    }
}

/// The repository's root.
#[must_use]
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().map(Path::to_path_buf).unwrap_or_default()
}

/// All text files of the repository, in order of path.
///
/// # Errors
/// When a folder cannot be read.
pub fn repository() -> Result<Vec<Source>, String> {
    let mut files = Vec::new();
    walk(&root(), &mut files).map_err(|e| format!("reading the repository: {e}"))?;
    files.sort();
    let mut sources = Vec::new();
    for file in files {
        let Ok(text) = std::fs::read_to_string(&file) else { continue };
        let path = file.strip_prefix(root()).unwrap_or(&file).to_string_lossy().replace('\\', "/");
        sources.push(Source::new(&path, text));
    }
    Ok(sources)
}

fn walk(dir: &Path, files: &mut Vec<PathBuf>) -> std::io::Result<()> {
    for entry in std::fs::read_dir(dir)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            if !SKIPPED.iter().any(|s| entry.file_name() == *s) {
                walk(&entry.path(), files)?;
            }
        } else {
            files.push(entry.path());
        }
    }
    Ok(())
}

/// Whether attributes say that an item exists only for tests.
#[must_use]
pub fn only_for_tests(attributes: &[syn::Attribute]) -> bool {
    attributes.iter().any(|a| {
        let inner = a.meta.require_list().map(|l| l.tokens.to_string()).unwrap_or_default();
        a.path().is_ident("test")
            || a.path().is_ident("cfg") && inner.split(|c: char| !c.is_alphanumeric()).any(|w| w == "test")
    })
}

/// The sources that end up in what is shipped: no test crates, and no module that another file declares only for tests.
#[must_use]
pub fn shipped(sources: &[Source]) -> Vec<&Source> {
    let hidden: HashSet<String> = sources.iter().flat_map(test_modules).collect();
    let is_hidden = |s: &Source| {
        let stem = s.path.trim_end_matches(".rs").trim_end_matches("/mod");
        hidden.iter().any(|h| stem == h || stem.starts_with(&format!("{h}/")))
    };
    sources.iter().filter(|s| s.is_rust() && !s.is_test_file() && !is_hidden(s)).collect()
}

/// Paths, without `.rs`, of the modules that a file declares only for tests.
fn test_modules(source: &Source) -> Vec<String> {
    let stem = source.path.trim_end_matches(".rs");
    let folder = match stem.rsplit_once('/') {
        Some((folder, "mod" | "lib" | "main")) => folder,
        _ => stem,
    };
    let mut found = Vec::new();
    let mut for_tests = false;
    for line in source.text.lines().map(str::trim) {
        if line.starts_with("#[") {
            for_tests |= line.starts_with("#[cfg(") && line.split(|c: char| !c.is_alphanumeric()).any(|w| w == "test");
            continue;
        }
        if let (true, Some(name)) = (for_tests, line.strip_suffix(';').and_then(|l| l.rsplit_once("mod "))) {
            found.push(format!("{folder}/{}", name.1));
        }
        for_tests = false;
    }
    found
}

/// Visits everything of a file but what exists only for tests, and gives each item to `see`.
pub(crate) struct Shipped<F: FnMut(Seen)> {
    see: F,
}

/// What [`Shipped`] found.
pub(crate) enum Seen {
    /// A path such as `std::time::Instant::now`, in code or in a `use`.
    Path(String, proc_macro2::Span),
    /// The tokens of a macro call, with the blanks taken out.
    Macro(String, proc_macro2::Span),
}

impl<F: FnMut(Seen)> Shipped<F> {
    pub(crate) fn visit(file: &syn::File, see: F) {
        Self { see }.visit_file(file);
    }

    fn use_tree(&mut self, prefix: &str, tree: &syn::UseTree) {
        let join = |name: &syn::Ident| if prefix.is_empty() { name.to_string() } else { format!("{prefix}::{name}") };
        match tree {
            syn::UseTree::Path(p) => self.use_tree(&join(&p.ident), &p.tree),
            syn::UseTree::Name(n) => (self.see)(Seen::Path(join(&n.ident), n.ident.span())),
            syn::UseTree::Rename(r) => (self.see)(Seen::Path(join(&r.ident), r.ident.span())),
            syn::UseTree::Glob(g) => (self.see)(Seen::Path(format!("{prefix}::*"), g.star_token.spans[0])),
            syn::UseTree::Group(g) => g.items.iter().for_each(|t| self.use_tree(prefix, t)),
        }
    }
}

impl<'ast, F: FnMut(Seen)> Visit<'ast> for Shipped<F> {
    fn visit_item(&mut self, item: &'ast syn::Item) {
        let attributes = match item {
            syn::Item::Mod(m) => &m.attrs,
            syn::Item::Fn(f) => &f.attrs,
            syn::Item::Impl(i) => &i.attrs,
            syn::Item::Use(u) => &u.attrs,
            syn::Item::Struct(s) => &s.attrs,
            syn::Item::Const(c) => &c.attrs,
            _ => return visit::visit_item(self, item),
        };
        if !only_for_tests(attributes) {
            visit::visit_item(self, item);
        }
    }

    fn visit_impl_item_fn(&mut self, f: &'ast syn::ImplItemFn) {
        if !only_for_tests(&f.attrs) {
            visit::visit_impl_item_fn(self, f);
        }
    }

    fn visit_item_use(&mut self, item: &'ast syn::ItemUse) {
        self.use_tree("", &item.tree);
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        let name = path.segments.iter().map(|s| s.ident.to_string()).collect::<Vec<_>>().join("::");
        if let Some(first) = path.segments.first() {
            (self.see)(Seen::Path(name, first.ident.span()));
        }
        visit::visit_path(self, path);
    }

    fn visit_macro(&mut self, call: &'ast syn::Macro) {
        let text: String = call.tokens.to_string().split_whitespace().collect();
        let span = call.path.segments.first().map_or_else(proc_macro2::Span::call_site, |s| s.ident.span());
        (self.see)(Seen::Macro(text, span));
        visit::visit_macro(self, call);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::testing::rust;

    #[test]
    fn modules_declared_only_for_tests_are_not_shipped() {
        let sources = [
            rust(
                "a/src/lib.rs",
                "//! A.\n#[cfg(test)]\nmod hidden;\n#[cfg(any(test, feature = \"x\"))]\nmod also;\nmod shown;\n",
            ),
            rust("a/src/hidden.rs", "//! H."),
            rust("a/src/hidden/deep.rs", "//! D."),
            rust("a/src/also/mod.rs", "//! M."),
            rust("a/src/shown.rs", "//! S.\n#[cfg(test)]\nmod tests;\n"),
            rust("a/src/shown/tests.rs", "//! T."),
            rust("a/src/shown/testsuite.rs", "//! Not a test."),
            rust("tests/src/lib.rs", "//! T."),
        ];
        let paths: Vec<&str> = shipped(&sources).iter().map(|s| s.path.as_str()).collect();
        assert_eq!(paths, ["a/src/lib.rs", "a/src/shown.rs", "a/src/shown/testsuite.rs"]);
    }

    #[test]
    fn paths_of_test_items_are_not_seen() {
        let file = rust("a.rs", "use a::{b, c::*};\nfn f() { d::e(); m!(x :: y); }\n#[cfg(test)]\nmod t { fn g() { no::no(); } }\n#[test]\nfn h() { no::no(); }\n");
        let mut seen = Vec::new();
        Shipped::visit(file.syntax(), |s| match s {
            Seen::Path(p, _) | Seen::Macro(p, _) => seen.push(p),
        });
        assert_eq!(seen, ["a::b", "a::c::*", "d::e", "x::y", "m"]);
    }
}
