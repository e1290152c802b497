//! Stable error codes: each stands for one thing, and the errors page lists them all.
//!
//! A code is given in one of four ways: in the `code` function of an error, for one of its variants or for the whole type; as a constant; as
//! the field `code` of a value that is built on the spot; or as an argument of a call, beside the message. Everywhere else it is only compared.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use syn::spanned::Spanned as _;
use syn::visit::{self, Visit};

use super::sources::{only_for_tests, shipped};
use super::{Source, Violation};

/// Where the generated page lies.
pub const PAGE: &str = "relayer/docs/ERRORS.md";

/// One code and what the source says of it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Code {
    /// The code.
    pub code: String,
    /// Where it is given.
    pub place: String,
    /// The doc comment of its variant, type, constant or function.
    pub meaning: String,
    /// The message that a person sees, with its placeholders.
    pub message: String,
    /// What may be done about it: transient, permanent, misbehaviour, config, bug.
    pub class: String,
}

/// Whether a text has the shape of a stable code: `AB-001`, `AB-CD-001`.
#[must_use]
pub fn is_code(text: &str) -> bool {
    let parts: Vec<&str> = text.split('-').collect();
    let word = |p: &&str| (2..=7).contains(&p.len()) && p.chars().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit());
    let named = |p: &&str| word(p) && p.starts_with(|c: char| c.is_ascii_uppercase());
    match parts.as_slice() {
        [first, middle @ .., number] if middle.len() <= 1 => {
            named(first) && middle.iter().all(named) && number.len() == 3 && number.chars().all(|c| c.is_ascii_digit())
        }
        _ => false,
    }
}

/// All codes that the shipped sources give, in order of code, and every literal of that shape.
#[must_use]
pub fn collect(sources: &[Source]) -> (Vec<Code>, Vec<(String, String)>) {
    // Most files need no parsing: they hold no code and name no constant that is one.
    let speaks = |s: &&Source| s.text.split('"').any(is_code) || s.text.contains("Misbehaviour {");
    let readers: Vec<Reader<'_>> = shipped(sources).into_iter().filter(speaks).map(Reader::of).collect();
    let classes: BTreeMap<String, String> = readers.iter().flat_map(|r| r.constant_classes.clone()).collect();
    let mut codes: Vec<Code> = readers.iter().flat_map(|r| r.resolved(&classes)).collect();
    let literals = readers.into_iter().flat_map(|r| r.literals).collect();
    codes.sort_by(|a, b| (&a.code, &a.place).cmp(&(&b.code, &b.place)));
    (codes, literals)
}

/// Codes that stand for two things, that are compared with but never given, or that nothing explains.
#[must_use]
pub fn unique(sources: &[Source]) -> Vec<Violation> {
    let (codes, literals) = collect(sources);
    let mut found = Vec::new();
    for pair in codes.windows(2).filter(|p| p[0].code == p[1].code) {
        found.push(format!(
            "{} and {}: both say {}; a code stands for one thing",
            pair[0].place, pair[1].place, pair[0].code
        ));
    }
    for (code, place) in literals {
        if !codes.iter().any(|c| c.code == code) {
            found.push(format!("{place}: {code}: no error gives this code"));
        }
    }
    let silent = codes.iter().filter(|c| c.meaning.is_empty() && c.message.is_empty());
    found.extend(silent.map(|c| format!("{}: {}: say in a doc comment when it happens", c.place, c.code)));
    found
}

/// The page, built from the sources.
#[must_use]
pub fn page(sources: &[Source]) -> String {
    let (codes, _) = collect(sources);
    let mut groups: BTreeMap<&str, Vec<&Code>> = BTreeMap::new();
    for code in &codes {
        groups.entry(code.code.rsplit_once('-').map_or("", |(group, _)| group)).or_default().push(code);
    }
    let mut out = String::from(
        "# Errors\n\nGenerated from the sources; do not edit. `UPDATE=1 cargo test -p catenary-tests --test tidy` writes it anew.\n\n\
         Every refusal has a code that never changes its meaning. The class says what may be done: *transient* may pass by itself, *permanent* fails again\n\
         for the same input, *misbehaviour* is something an honest party never signs or serves, *config* wants a change by the operator, *bug* is ours.\n\
         `{…}` in a message stands for the values that were compared.\n",
    );
    for (group, codes) in groups {
        let _ = write!(out, "\n## {group}\n\n| code | class | when | message |\n| --- | --- | --- | --- |\n");
        for c in codes {
            let class = if c.class.is_empty() { "—" } else { &c.class };
            let message = if c.message.is_empty() { String::new() } else { format!("`{}`", cell(&c.message)) };
            let _ = writeln!(out, "| {} | {class} | {} | {message} |", c.code, cell(&c.meaning));
        }
    }
    out
}

/// A text that cannot break a table.
fn cell(text: &str) -> String {
    text.replace('|', "\\|").replace('\n', " ")
}

/// Reads one file.
#[derive(Default)]
struct Reader<'a> {
    path: &'a str,
    /// Type and variant (or empty) to doc and message.
    docs: BTreeMap<(String, String), (String, String)>,
    /// Type, variant and code.
    given: Vec<(String, String, Code)>,
    /// Type and variant to class; the variant `_` is the rest.
    classes: BTreeMap<(String, String), String>,
    /// Type, variant and the constant that is its code.
    named: Vec<(String, String, String)>,
    /// Constant to its code.
    constants: Vec<(String, Code)>,
    /// Constant to class, as the values that use it say.
    constant_classes: BTreeMap<String, String>,
    /// Codes given as arguments of calls.
    said: Vec<Code>,
    literals: Vec<(String, String)>,
    /// Words of the last variable named `message`.
    message: String,
    /// Doc of the function that is being read.
    function_doc: String,
    /// Type of the impl that is being read.
    owner: String,
}

impl<'a> Reader<'a> {
    fn of(source: &'a Source) -> Self {
        let mut reader = Self { path: &source.path, ..Self::default() };
        reader.visit_file(source.syntax());
        reader
    }

    fn place(&self, span: proc_macro2::Span) -> String {
        format!("{}:{}", self.path, span.start().line)
    }

    /// The codes of the file; `classes` are those of constants, wherever they are used.
    fn resolved(&self, classes: &BTreeMap<String, String>) -> Vec<Code> {
        let mut out = Vec::new();
        for (owner, variant, code) in &self.given {
            out.push(self.described(owner, variant, code));
        }
        for code in &self.said {
            // One file may say the same thing in two places.
            if !out.iter().any(|c| c.code == code.code && c.place.split(':').next() == Some(self.path)) {
                out.push(code.clone());
            }
        }
        for (name, code) in &self.constants {
            let class = classes.get(name).cloned().unwrap_or_default();
            match self.named.iter().find(|(_, _, constant)| constant == name) {
                Some((owner, variant, _)) => out.push(self.described(owner, variant, code)),
                None => out.push(Code { class, ..code.clone() }),
            }
        }
        out
    }

    /// The words of an argument: its own, or those of the variable `message` that it names.
    fn message_of(&self, argument: &syn::Expr) -> Option<String> {
        let named = |e: &syn::Expr| last_name(e).is_some_and(|n| n == "message");
        let is_variable = match argument {
            syn::Expr::Call(call) => named(&call.func),
            other => named(other),
        };
        if is_variable {
            Some(self.message.clone()).filter(|m| !m.is_empty())
        } else {
            words(argument)
        }
    }

    /// A code with what is known of its variant.
    fn described(&self, owner: &str, variant: &str, code: &Code) -> Code {
        let (meaning, message) = self.docs.get(&(owner.to_owned(), variant.to_owned())).cloned().unwrap_or_default();
        let class = |v: &str| self.classes.get(&(owner.to_owned(), v.to_owned())).cloned();
        let class = if code.class.is_empty() {
            class(variant).or_else(|| class("_")).unwrap_or_default()
        } else {
            code.class.clone()
        };
        let meaning = if meaning.is_empty() { code.meaning.clone() } else { meaning };
        let message = if message.is_empty() { code.message.clone() } else { message };
        Code { meaning, message, class, ..code.clone() }
    }

    /// `Self::A { .. } | Self::B => "CODE"` and `_ => Class::Permanent`.
    fn arms(&mut self, block: &syn::Block, is_code: bool) {
        let Some(syn::Stmt::Expr(syn::Expr::Match(matching), _)) = block.stmts.last() else {
            return self.whole(block, is_code);
        };
        for arm in &matching.arms {
            for variant in variants(&arm.pat) {
                if is_code {
                    let place = self.place(arm.body.span());
                    let code = Code { code: literal(&arm.body).unwrap_or_default(), place, ..Code::default() };
                    match (code.code.is_empty(), last_name(&arm.body)) {
                        (false, _) => self.given.push((self.owner.clone(), variant, code)),
                        (true, Some(constant)) => self.named.push((self.owner.clone(), variant, constant)),
                        _ => {}
                    }
                } else if let Some(class) = class_of(&arm.body) {
                    let known = self.classes.entry((self.owner.clone(), variant)).or_default();
                    if known.is_empty() {
                        *known = class;
                    } else if !known.contains(&class) {
                        known.push_str(" or ");
                        known.push_str(&class);
                    }
                }
            }
        }
    }

    /// A type with one code or one class.
    fn whole(&mut self, block: &syn::Block, is_code: bool) {
        let Some(syn::Stmt::Expr(body, _)) = block.stmts.last() else { return };
        if let (true, Some(text)) = (is_code, literal(body)) {
            let place = self.place(body.span());
            self.given.push((self.owner.clone(), String::new(), Code { code: text, place, ..Code::default() }));
        } else if let (false, Some(class)) = (is_code, class_of(body)) {
            self.classes.insert((self.owner.clone(), String::new()), class.clone());
            self.classes.insert((self.owner.clone(), "_".to_owned()), class);
        }
    }
}

impl<'ast> Visit<'ast> for Reader<'_> {
    fn visit_item_mod(&mut self, item: &'ast syn::ItemMod) {
        if !only_for_tests(&item.attrs) {
            visit::visit_item_mod(self, item);
        }
    }

    fn visit_item_enum(&mut self, item: &'ast syn::ItemEnum) {
        for v in &item.variants {
            self.docs.insert((item.ident.to_string(), v.ident.to_string()), (doc(&v.attrs), message(&v.attrs)));
        }
    }

    fn visit_item_struct(&mut self, item: &'ast syn::ItemStruct) {
        self.docs.insert((item.ident.to_string(), String::new()), (doc(&item.attrs), message(&item.attrs)));
    }

    fn visit_item_const(&mut self, item: &'ast syn::ItemConst) {
        if let Some(text) = literal(&item.expr) {
            let place = self.place(item.ident.span());
            let code = Code { code: text, place, meaning: doc(&item.attrs), ..Code::default() };
            self.constants.push((item.ident.to_string(), code));
        }
    }

    fn visit_item_impl(&mut self, item: &'ast syn::ItemImpl) {
        let owner = match &*item.self_ty {
            syn::Type::Path(p) => p.path.segments.last().map(|s| s.ident.to_string()).unwrap_or_default(),
            _ => String::new(),
        };
        let outer = std::mem::replace(&mut self.owner, owner);
        visit::visit_item_impl(self, item);
        self.owner = outer;
    }

    fn visit_impl_item_fn(&mut self, f: &'ast syn::ImplItemFn) {
        if only_for_tests(&f.attrs) {
            return;
        }
        match f.sig.ident.to_string().as_str() {
            name @ ("code" | "class") => self.arms(&f.block, name == "code"),
            _ => {
                let outer = std::mem::replace(&mut self.function_doc, doc(&f.attrs));
                visit::visit_impl_item_fn(self, f);
                self.function_doc = outer;
            }
        }
    }

    fn visit_item_fn(&mut self, f: &'ast syn::ItemFn) {
        if !only_for_tests(&f.attrs) {
            let outer = std::mem::replace(&mut self.function_doc, doc(&f.attrs));
            visit::visit_item_fn(self, f);
            self.function_doc = outer;
        }
    }

    fn visit_expr_struct(&mut self, value: &'ast syn::ExprStruct) {
        let field = |name: &str| value.fields.iter().find(|f| matches!(&f.member, syn::Member::Named(n) if n == name));
        let proof = value.path.segments.last().is_some_and(|s| s.ident == "Misbehaviour");
        let class = field("class").and_then(|f| class_of(&f.expr));
        let class = class.or_else(|| proof.then(|| "misbehaviour".to_owned())).unwrap_or_default();
        if let Some(given) = field("code") {
            if let Some(text) = literal(&given.expr) {
                let place = self.place(given.expr.span());
                let said = field("message").and_then(|f| self.message_of(&f.expr)).unwrap_or_default();
                let code = Code { code: text, place, meaning: self.function_doc.clone(), message: said, class };
                self.given.push((String::new(), String::new(), code));
            } else if let syn::Expr::Path(p) = &given.expr {
                if let (Some(last), false) = (p.path.segments.last(), class.is_empty()) {
                    self.constant_classes.insert(last.ident.to_string(), class);
                }
            }
        }
        visit::visit_expr_struct(self, value);
    }

    fn visit_impl_item_const(&mut self, item: &'ast syn::ImplItemConst) {
        if let Some(text) = literal(&item.expr) {
            let place = self.place(item.ident.span());
            let code = Code { code: text, place, meaning: doc(&item.attrs), ..Code::default() };
            self.constants.push((item.ident.to_string(), code));
        }
    }

    fn visit_local(&mut self, local: &'ast syn::Local) {
        if let (syn::Pat::Ident(name), Some(init)) = (&local.pat, &local.init) {
            if name.ident == "message" {
                self.message = words(&init.expr).unwrap_or_default();
            }
        }
        visit::visit_local(self, local);
    }

    fn visit_expr_call(&mut self, call: &'ast syn::ExprCall) {
        if let Some(given) = call.args.iter().find(|a| literal(a).is_some()) {
            let code = literal(given).unwrap_or_default();
            let message = call.args.iter().find_map(|a| self.message_of(a)).unwrap_or_default();
            self.said.push(Code {
                code,
                place: self.place(given.span()),
                meaning: self.function_doc.clone(),
                message,
                ..Code::default()
            });
        }
        visit::visit_expr_call(self, call);
    }

    fn visit_lit_str(&mut self, text: &'ast syn::LitStr) {
        if is_code(&text.value()) {
            self.literals.push((text.value(), self.place(text.span())));
        }
    }
}

/// The names of the variants that a pattern matches; `_` for the rest.
fn variants(pattern: &syn::Pat) -> Vec<String> {
    let last = |p: &syn::Path| p.segments.last().map(|s| s.ident.to_string()).into_iter().collect();
    match pattern {
        syn::Pat::Or(or) => or.cases.iter().flat_map(variants).collect(),
        syn::Pat::Struct(s) => last(&s.path),
        syn::Pat::TupleStruct(s) => last(&s.path),
        syn::Pat::Path(p) => last(&p.path),
        syn::Pat::Wild(_) => vec!["_".to_owned()],
        _ => Vec::new(),
    }
}

/// A string literal of the shape of a code.
fn literal(body: &syn::Expr) -> Option<String> {
    match body {
        syn::Expr::Lit(syn::ExprLit { lit: syn::Lit::Str(text), .. }) => Some(text.value()).filter(|t| is_code(t)),
        _ => None,
    }
}

/// The last name of a path such as `Self::CODE`.
fn last_name(body: &syn::Expr) -> Option<String> {
    match body {
        syn::Expr::Path(p) => p.path.segments.last().map(|s| s.ident.to_string()),
        _ => None,
    }
}

/// A message given as a string, or as the format of the first `format!` inside.
fn words(argument: &syn::Expr) -> Option<String> {
    struct First(Option<String>);
    impl<'ast> Visit<'ast> for First {
        fn visit_lit_str(&mut self, text: &'ast syn::LitStr) {
            let text = text.value();
            if self.0.is_none() && !is_code(&text) {
                self.0 = Some(text);
            }
        }

        fn visit_macro(&mut self, call: &'ast syn::Macro) {
            let first = call.tokens.clone().into_iter().next();
            if let Some(text) = first.and_then(|t| syn::parse2::<syn::LitStr>(t.into()).ok()) {
                self.visit_lit_str(&text);
            }
        }
    }
    let mut first = First(None);
    first.visit_expr(argument);
    first.0
}

/// `Class::Config` as `config`; of several, all of them; of a call to another error's class, that.
fn class_of(body: &syn::Expr) -> Option<String> {
    #[derive(Default)]
    struct Classes(Vec<String>);
    impl<'ast> Visit<'ast> for Classes {
        fn visit_path(&mut self, path: &'ast syn::Path) {
            let names: Vec<String> = path.segments.iter().map(|s| s.ident.to_string()).collect();
            if let [.., class, name] = names.as_slice() {
                let name = name.to_lowercase();
                if class == "Class" && !self.0.contains(&name) {
                    self.0.push(name);
                }
            }
        }

        fn visit_expr_method_call(&mut self, call: &'ast syn::ExprMethodCall) {
            if call.method == "class" {
                self.0.push("that of its cause".to_owned());
            }
            visit::visit_expr_method_call(self, call);
        }
    }
    let mut classes = Classes::default();
    classes.visit_expr(body);
    (!classes.0.is_empty()).then(|| classes.0.join(" or "))
}

/// The doc comment up to its first empty line.
fn doc(attributes: &[syn::Attribute]) -> String {
    let lines = attributes.iter().filter(|a| a.path().is_ident("doc")).filter_map(|a| match &a.meta {
        syn::Meta::NameValue(m) => match &m.value {
            syn::Expr::Lit(syn::ExprLit { lit: syn::Lit::Str(text), .. }) => Some(text.value().trim().to_owned()),
            _ => None,
        },
        _ => None,
    });
    lines.take_while(|l| !l.is_empty()).collect::<Vec<_>>().join(" ")
}

/// The format string of `#[error("…")]`.
fn message(attributes: &[syn::Attribute]) -> String {
    let found = attributes.iter().find(|a| a.path().is_ident("error")).and_then(|a| {
        let tokens = a.meta.require_list().ok()?.tokens.clone();
        tokens.into_iter().find_map(|t| syn::parse2::<syn::LitStr>(t.into()).ok())
    });
    found.map(|t| t.value()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::testing::rust;

    const SAMPLE: &str = r#"//! M.
        /// An error.
        pub enum E {
            /// First thing.
            #[error("got {a}, want {b}")]
            A { a: u8, b: u8 },
            /// Second | thing,
            /// on two lines.
            ///
            /// Not this.
            #[error("second")]
            B(u8),
            /// Last.
            C,
        }
        impl E {
            /// Code of C.
            const C_CODE: &'static str = "AB-CD-003";
            fn code(&self) -> &'static str {
                match self { Self::A { .. } => "AB-CD-001", Self::B(_) => "AB-CD-002", Self::C => Self::C_CODE }
            }
            fn class(&self) -> Class {
                match self { Self::B(x) if *x > 1 => Class::Bug, Self::B(_) => Class::Config, _ => Class::Permanent }
            }
        }
        /// Third thing.
        const THIRD: &str = "AB-003";
        /// Does something.
        fn f() -> X { g(X { code: THIRD, class: Class::Transient }); X { code: "AB-004", class: Class::Config } }
        /// Refuses.
        fn said(a: u8) { let message = || format!("no {a}"); refuse("AB-005", message()); refuse("AB-005", "none"); }
        fn compared(x: X) -> bool { x.code == "AB-003" }
        #[cfg(test)]
        mod tests { const T: &str = "AB-999"; }
    "#;

    #[test]
    fn codes_are_read_with_their_meaning_and_class() {
        let (codes, _) = collect(&[rust("a/src/e.rs", SAMPLE)]);
        let rows: Vec<[&str; 4]> = codes.iter().map(|c| [&c.code[..], &c.class, &c.meaning, &c.message]).collect();
        assert_eq!(
            rows,
            [
                ["AB-003", "transient", "Third thing.", ""],
                ["AB-004", "config", "Does something.", ""],
                ["AB-005", "", "Refuses.", "no {a}"],
                ["AB-CD-001", "permanent", "First thing.", "got {a}, want {b}"],
                ["AB-CD-002", "bug or config", "Second | thing, on two lines.", "second"],
                ["AB-CD-003", "permanent", "Last.", ""],
            ]
        );
        let page = page(&[rust("a/src/e.rs", SAMPLE)]);
        assert!(
            page.contains("\n## AB-CD\n")
                && page.contains("| AB-CD-002 | bug or config | Second \\| thing, on two lines. | `second` |"),
            "{page}"
        );
    }

    #[test]
    fn codes_that_stand_for_two_things_are_caught() {
        assert_eq!(unique(&[rust("a/src/e.rs", SAMPLE)]), Vec::<String>::new());
        let twice = [rust("a/src/e.rs", SAMPLE), rust("b/src/e.rs", "/// X.\nconst X: &str = \"AB-CD-002\";")];
        assert_eq!(unique(&twice).len(), 1);
        let unknown = [rust("a/src/e.rs", "fn f(x: &str) -> bool { x == \"AB-CD-009\" }")];
        assert_eq!(unique(&unknown).len(), 1);
        let silent = [rust("a/src/e.rs", "const X: &str = \"AB-CD-002\";")];
        assert_eq!(unique(&silent).len(), 1);
    }

    #[test]
    fn the_shape_of_a_code() {
        for good in ["AB-001", "LC-QBFT-007", "LC-ICS23-010", "STORE-001", "EVM-RPC-999"] {
            assert!(is_code(good), "{good}");
        }
        for bad in
            ["", "A-001", "AB-01", "AB-0001", "ab-001", "AB-CD-EF-001", "RFC-7807", "SHA-256-X", "AB-1C-001", "AB--001"]
        {
            assert!(!is_code(bad), "{bad}");
        }
    }
}
