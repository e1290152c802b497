//! Files and functions that a reader can hold in the head.

use syn::spanned::Spanned as _;
use syn::visit::{self, Visit};

use super::{Source, Violation};

/// Lines of a file at most.
const FILE_LINES_MAX: usize = 800;
/// Lines of a function at most, from its signature to its closing brace.
const FUNCTION_LINES_MAX: usize = 70;
/// Parameters of a function at most, without `self`.
const PARAMETERS_MAX: usize = 5;

/// Rust and Solidity files that are too long.
#[must_use]
pub fn files(sources: &[Source]) -> Vec<Violation> {
    let ours = sources.iter().filter(|s| s.path.ends_with(".rs") || s.path.ends_with(".sol"));
    let long = ours.map(|s| (s, s.text.lines().count())).filter(|(_, lines)| *lines > FILE_LINES_MAX);
    long.map(|(s, lines)| format!("{}: {lines} lines, at most {FILE_LINES_MAX}: it is two modules", s.path)).collect()
}

/// Rust functions that are too long or take too many parameters.
#[must_use]
pub fn functions(sources: &[Source]) -> Vec<Violation> {
    let mut found = Vec::new();
    for source in sources.iter().filter(|s| s.is_rust()) {
        Functions { path: &source.path, found: &mut found }.visit_file(source.syntax());
    }
    found
}

struct Functions<'a> {
    path: &'a str,
    found: &'a mut Vec<Violation>,
}

impl Functions<'_> {
    fn look(&mut self, signature: &syn::Signature, block: &syn::Block) {
        let (first, last) = (signature.span().start().line, block.span().end().line);
        let lines = last + 1 - first;
        let at = format!("{}:{first}: {}", self.path, signature.ident);
        if lines > FUNCTION_LINES_MAX {
            self.found.push(format!("{at} has {lines} lines, at most {FUNCTION_LINES_MAX}: part of it wants a name"));
        }
        let parameters = signature.inputs.iter().filter(|i| matches!(i, syn::FnArg::Typed(_))).count();
        if parameters > PARAMETERS_MAX {
            self.found.push(format!(
                "{at} takes {parameters} parameters, at most {PARAMETERS_MAX}: give it an options struct"
            ));
        }
    }
}

impl<'ast> Visit<'ast> for Functions<'_> {
    fn visit_item_fn(&mut self, f: &'ast syn::ItemFn) {
        self.look(&f.sig, &f.block);
        visit::visit_item_fn(self, f);
    }

    fn visit_impl_item_fn(&mut self, f: &'ast syn::ImplItemFn) {
        self.look(&f.sig, &f.block);
        visit::visit_impl_item_fn(self, f);
    }

    fn visit_trait_item_fn(&mut self, f: &'ast syn::TraitItemFn) {
        if let Some(block) = &f.default {
            self.look(&f.sig, block);
        }
        visit::visit_trait_item_fn(self, f);
    }
}

/// Solidity functions that are too long, found by counting braces outside of comments and strings.
#[must_use]
pub fn solidity_functions(sources: &[Source]) -> Vec<Violation> {
    let mut found = Vec::new();
    for source in sources.iter().filter(|s| s.path.ends_with(".sol")) {
        let mut open: Option<(usize, String, usize)> = None;
        let mut depth = 0usize;
        for (number, line) in source.text.lines().enumerate() {
            let code = line.split("//").next().unwrap_or_default();
            let head = code.trim_start();
            if open.is_none() && ["function ", "constructor(", "modifier "].iter().any(|k| head.starts_with(k)) {
                open = Some((number, head.chars().take(40).collect(), depth));
            }
            let before = depth;
            depth = (depth + code.matches('{').count()).saturating_sub(code.matches('}').count());
            let Some((start, name, outer)) = &open else { continue };
            let ends = depth == *outer && (before > *outer || code.contains('}') || code.trim_end().ends_with(';'));
            let lines = number + 1 - start;
            if ends && lines > FUNCTION_LINES_MAX {
                found.push(format!(
                    "{}:{}: {name} has {lines} lines, at most {FUNCTION_LINES_MAX}",
                    source.path,
                    start + 1
                ));
            }
            if ends {
                open = None;
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
    fn long_files_are_caught() {
        let (full, over) = ("//\n".repeat(800), "//\n".repeat(801));
        catches(files, &[("a.rs", &full), ("a.md", &over)], &[("a.rs", &over, "801"), ("a.sol", &over, "801")]);
    }

    #[test]
    fn long_functions_are_caught() {
        let body = |lines: usize| format!("{{\n{}}}\n", "    x();\n".repeat(lines - 2));
        let (full, over) = (format!("fn f() {}", body(70)), format!("fn f() {}", body(71)));
        let method = format!("impl A {{ {over} }}");
        let default = format!("trait A {{ {over} }}");
        let many = "fn f(a: u8, b: u8, c: u8, d: u8, e: u8, g: u8) {}";
        let five = "impl A { fn f(&self, a: u8, b: u8, c: u8, d: u8, e: u8) {} }";
        catches(
            functions,
            &[("a.rs", &full), ("a.rs", five)],
            &[("a.rs", &over, "71"), ("a.rs", &method, "71"), ("a.rs", &default, "71"), ("a.rs", many, "6 parameters")],
        );
        let (full, over) = (
            format!("contract A {{\nfunction f() {}}}", body(70)),
            format!("contract A {{\nfunction f() {}}}", body(71)),
        );
        let declared = format!("interface A {{\nfunction f();\n{}}}", "// }\n".repeat(90));
        catches(solidity_functions, &[("a.sol", &full), ("a.sol", &declared)], &[("a.sol", &over, "71")]);
    }
}
