//! What is explained, and the judge.

use super::flips::Flip;
use super::walk::Outcome;

/// The verified part of a walk is smaller than that of an honest one, and nothing refused it.
pub const LESS: &str = "less";

/// A change that is not refused, and why it does no harm.
#[derive(Clone, Copy, Debug)]
pub struct Row {
    /// What the call is for; `*` at the end stands for the rest.
    pub role: &'static str,
    /// The field; `*` stands for one segment, `**` at the end for the rest.
    pub field: &'static str,
    /// What may differ: names of hints, or [`LESS`]; empty where the outcome has to be the same.
    pub may: &'static [&'static str],
    /// Why nothing is acted on wrongly.
    pub reason: &'static str,
}

impl Row {
    /// Whether the row is about a field.
    pub fn covers(&self, role: &str, field: &str) -> bool {
        let about = match self.role.strip_suffix('*') {
            Some(start) => role.starts_with(start),
            None => self.role == role,
        };
        about && matches(self.field, field)
    }
}

fn matches(pattern: &str, field: &str) -> bool {
    let (mut wanted, mut given) = (pattern.split('/'), field.split('/'));
    loop {
        match (wanted.next(), given.next()) {
            (Some("**"), _) | (None, None) => return true,
            (Some("*"), Some(_)) => {}
            (Some(a), Some(b)) if a == b => {}
            _ => return false,
        }
    }
}

/// What became of a flip.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Judgement {
    /// Refused with this code.
    Refused(String),
    /// Explained by the row of this number.
    Explained(usize),
    /// Neither.
    Survivor(String),
}

fn is_stable(code: &str) -> bool {
    let mut parts = code.split('-');
    let upper = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit());
    let last = parts.next_back().unwrap_or_default();
    last.len() == 3 && last.bytes().all(|byte| byte.is_ascii_digit()) && parts.all(upper)
}

/// Judges a walk by the honest one.
pub fn judge(honest: &Outcome, got: &Outcome, flip: &Flip, rows: &[Row]) -> Judgement {
    if let Some(forged) = got.facts.difference(&honest.facts).next() {
        return Judgement::Survivor(format!("verified or taken: {forged}"));
    }
    if let Some(refusal) = &got.refused {
        if is_stable(&refusal.code) {
            return Judgement::Refused(refusal.code.clone());
        }
        return Judgement::Survivor(format!("refused at {} without a code: {}", refusal.step, refusal.code));
    }
    let mut differ: Vec<&str> =
        honest.hints.iter().filter(|(name, hint)| got.hints.get(*name) != Some(hint)).map(|(name, _)| *name).collect();
    if got.facts.len() < honest.facts.len() {
        differ.push(LESS);
    }
    let allowed = |row: &Row| row.covers(&flip.role, &flip.field) && differ.iter().all(|name| row.may.contains(name));
    if let Some(row) = rows.iter().position(allowed) {
        return Judgement::Explained(row);
    }
    let changes = differ.iter().map(|name| {
        let hint = |outcome: &Outcome| outcome.hints.get(name).cloned().unwrap_or_default();
        format!("{name}: {:.100} -> {:.100}", hint(honest), hint(got))
    });
    let changes: Vec<String> = changes.collect();
    Judgement::Survivor(format!("not refused, {}", if changes.is_empty() { "same".into() } else { changes.join("; ") }))
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use super::super::walk::Refusal;
    use super::*;

    const ROWS: &[Row] = &[
        Row { role: "a*", field: "/x/*/y", may: &["fee"], reason: "r" },
        Row { role: "b", field: "/**", may: &[LESS], reason: "r" },
    ];

    fn walked(facts: &[&str], fee: &'static str, code: Option<&str>) -> Outcome {
        Outcome {
            facts: facts.iter().map(|fact| (*fact).to_owned()).collect::<BTreeSet<_>>(),
            hints: BTreeMap::from([("fee", fee.to_owned())]),
            refused: code.map(|code| Refusal { step: "s", code: code.to_owned() }),
        }
    }

    fn check(place: [&str; 2], got: &Outcome, expect: &str) {
        let said = match judge(&walked(&["h1", "h2"], "7", None), got, &Flip::at(place), ROWS) {
            Judgement::Refused(code) => code,
            Judgement::Explained(row) => format!("row {row}"),
            Judgement::Survivor(why) => why,
        };
        assert!(said.starts_with(expect), "{place:?} {got:?}: {said}, expected {expect}");
    }

    #[test]
    fn what_is_neither_refused_nor_explained_survives() {
        let (inside, outside) = (["ab", "/x/3/y"], ["ab", "/x/y"]);
        check(inside, &walked(&["h1", "h2"], "7", None), "row 0");
        check(inside, &walked(&["h1", "h2"], "8", None), "row 0");
        check(inside, &walked(&["h1"], "7", None), "not refused, less");
        check(outside, &walked(&["h1", "h2"], "7", None), "not refused, same");
        check(["b", "/z"], &walked(&["h1"], "7", None), "row 1");
        check(["b", "/z"], &walked(&["h1"], "8", None), "not refused, fee: 7 -> 8; less");
        check(outside, &walked(&["h1"], "8", Some("LC-ICS23-004")), "LC-ICS23-004");
        check(inside, &walked(&["h1"], "7", Some("oops")), "refused at s without a code");
        check(inside, &walked(&["h1", "h3"], "7", None), "verified or taken: h3");
        check(inside, &walked(&["h3"], "7", Some("LC-ICS23-004")), "verified or taken: h3");
    }
}
