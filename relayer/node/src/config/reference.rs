//! The reference page of the configuration, generated from the commented example, which a test holds against the keys
//! that there are.

use std::fmt::Write;

const EXAMPLE: &str = include_str!("../../../../config/example.toml");

/// A key of the example: its section, name, value and comment.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Line {
    /// Section as in TOML, without the brackets; names that the operator chooses stand as `NAME`.
    section: String,
    /// Name in the section.
    key: String,
    /// The example's value.
    value: String,
    /// What it says.
    comment: String,
}

/// `relayer/docs/CONFIG.md`.
#[must_use]
pub fn reference_page() -> String {
    let mut page = String::from(
        "# Configuration\n\n\
         Generated from `config/example.toml`, which is a whole file to start from; a test compares the two and both with the\n\
         keys that the program knows (`UPDATE=1 cargo test -p catenary reference` writes it again). Variables\n\
         `CATENARY__SECTION__KEY` override single values, flags override both. Unknown keys and literal secrets are refused.\n\
         `catenary check` says what is wrong, all of it at once; codes `CFG-…` are in [ERRORS](ERRORS.md).\n",
    );
    let mut section = None;
    for line in keys() {
        if section.as_ref() != Some(&line.section) {
            let title = if line.section.is_empty() { "top level".to_owned() } else { format!("`[{}]`", line.section) };
            // Writing to a string cannot fail.
            let _ = write!(page, "\n## {title}\n\n| key | example | meaning |\n| --- | --- | --- |\n");
            section = Some(line.section.clone());
        }
        let _ = writeln!(page, "| `{}` | `{}` | {} |", line.key, line.value, line.comment);
    }
    page
}

/// The keys of the example, each once, in the order in which they first stand there, sections together.
fn keys() -> Vec<Line> {
    let mut lines: Vec<Line> = Vec::new();
    let mut section = String::new();
    for text in EXAMPLE.lines() {
        if text.starts_with('[') {
            section = section_name(text);
            continue;
        }
        // A key that is left out by most stands there as a comment.
        let text = text.strip_prefix("# ").unwrap_or(text);
        let is_key = |key: &str| key.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_');
        let Some((key, rest)) = text.split_once(" = ").filter(|(key, _)| is_key(key)) else { continue };
        let (value, comment) = rest.split_once(" # ").unwrap_or((rest, ""));
        if lines.iter().any(|line| line.section == section && line.key == key) {
            continue;
        }
        let line = Line {
            section: section.clone(),
            key: key.trim().into(),
            value: value.trim().into(),
            comment: comment.trim().into(),
        };
        let after = lines.iter().rposition(|line| line.section == section).map_or(lines.len(), |at| at + 1);
        lines.insert(after, line);
    }
    lines
}

/// `[operators.attestors.quorum.tls]` names a chain, which is any: `operators.attestors.NAME.tls`.
fn section_name(text: &str) -> String {
    let name = text.split('#').next().unwrap_or(text).trim().trim_matches(['[', ']']);
    if matches!(name, "paths.a" | "paths.b") {
        return "paths.a]` and `[paths.b".to_owned();
    }
    match name.strip_prefix("operators.attestors.") {
        Some(rest) => {
            let below = rest.split_once('.').map_or(String::new(), |(_, below)| format!(".{below}"));
            format!("operators.attestors.NAME{below}")
        }
        None => name.to_owned(),
    }
}
