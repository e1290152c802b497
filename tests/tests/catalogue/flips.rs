//! Single changes of recorded answers.

use std::collections::BTreeMap;

use catenary_devnet::fault::change::{apply, changes, pointers};
use catenary_devnet::fault::{Answer, Change, Lie, Recorded};
use catenary_devnet::wire::RpcError;
use serde_json::{json, Map, Value};

/// Longest array whose entries are told apart by their place.
const PLACES_MAX: usize = 4;

/// One change of one answer.
#[derive(Clone)]
pub struct Flip {
    /// What the call is for.
    pub role: String,
    /// Where in the answer, with `*` for entries of longer lists and names for entries that have one.
    pub field: String,
    /// What is changed.
    pub change: String,
    method: String,
    params: Value,
    said: Answer,
}

impl std::fmt::Display for Flip {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {} {:.90}", self.role, self.field, self.change)
    }
}

impl Flip {
    /// A change at a role and field that serves nothing, for tests of the judge.
    pub fn at([role, field]: [&str; 2]) -> Self {
        let (method, change, said) = (String::new(), String::new(), Answer::Silence);
        Self { role: role.to_owned(), field: field.to_owned(), change, method, params: Value::Null, said }
    }

    /// The lie that serves it: the changed answer whenever this call is made.
    pub fn lie(&self) -> Lie {
        let Self { method, params, said, .. } = self.clone();
        std::sync::Arc::new(
            move |asked, with, honest| {
                if asked == method && *with == params {
                    said.clone()
                } else {
                    honest
                }
            },
        )
    }
}

/// A recorded answer as one document.
fn document(outcome: &Result<Value, RpcError>) -> Value {
    match outcome {
        Ok(value) => json!({ "result": value }),
        Err(error) => json!({ "error": error.to_json() }),
    }
}

/// The answer in a document, if the wire can carry it.
fn answer(document: &Value) -> Option<Answer> {
    if let Some(result) = document.get("result") {
        return Some(Answer::Reply(result.clone()));
    }
    let error = document.get("error")?;
    let message = error.get("message")?.as_str()?;
    let found = RpcError::new(error.get("code")?.as_i64()?, message);
    Some(Answer::Error(match error.get("data") {
        Some(data) => found.with_data(data.clone()),
        None => found,
    }))
}

/// The name of a field: its pointer, where list entries have their name, their place, or `*` in long lists.
fn field(root: &Value, pointer: &str) -> String {
    let (mut here, mut out) = (root, String::new());
    for segment in pointer.split('/').skip(1) {
        let next = match here {
            Value::Array(entries) => {
                let entry = &entries[segment.parse::<usize>().unwrap()];
                let name = ["type", "key"].iter().find_map(|name| entry.get(name)?.as_str());
                match name.filter(|name| name.len() <= 40 && !name.is_empty()) {
                    Some(name) => out.push_str(&format!("/[{name}]")),
                    None if entries.len() <= PLACES_MAX => out.push_str(&format!("/{segment}")),
                    None => out.push_str("/*"),
                }
                entry
            }
            _ => {
                out.push_str(&format!("/{segment}"));
                &here[segment.replace("~1", "/").replace("~0", "~").as_str()]
            }
        };
        here = next;
    }
    out
}

/// The text with another letter or digit at the first one from a place on, in its own alphabet.
fn replaced(text: &str, place: usize) -> Option<String> {
    if !text.is_ascii() {
        return None;
    }
    let found = text.bytes().enumerate().skip(place).find(|(_, byte)| byte.is_ascii_alphanumeric());
    let (place, old) = found.map(|(place, byte)| (place, char::from(byte)))?;
    let mut out = text.to_owned();
    out.replace_range(place..=place, if old == '2' { "3" } else { "2" });
    Some(out)
}

/// What else can be said instead of a value, beside the changes that any value has.
fn others(value: &Value) -> Vec<Value> {
    match value {
        Value::String(text) => {
            let mut out = vec![json!(""), json!(7)];
            let start = if text.starts_with("0x") { 2 } else { 0 };
            let middle = start + text.len().saturating_sub(start) / 2;
            out.extend([start, middle].into_iter().filter_map(|place| replaced(text, place)).map(Value::from));
            let quantity = text.starts_with("0x") && text.len() <= 18;
            if quantity {
                out.extend([json!("0x0"), json!("0x1"), json!("0xffffffffffffffff")]);
            } else if text.len() <= 20 && !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
                out.extend([json!("0"), json!("1"), json!(i64::MAX.to_string())]);
            }
            out
        }
        Value::Number(_) => vec![json!(0), json!(""), json!(u64::MAX)],
        Value::Bool(_) => vec![json!("yes")],
        Value::Null => vec![json!([]), json!({})],
        Value::Array(entries) => {
            let mut twice = entries.clone();
            twice.extend(entries.last().cloned());
            vec![json!([]), json!({}), Value::Array(twice)]
        }
        Value::Object(_) => vec![json!([]), json!("x")],
    }
}

/// Where a field was seen: the place of a record, and the pointer into its document.
type Place = (usize, String);

/// First and last place of each field of each role.
fn places(records: &[Recorded], role: &dyn Fn(&str, &Value) -> String) -> BTreeMap<(String, String), Vec<Place>> {
    let mut found: BTreeMap<(String, String), Vec<Place>> = BTreeMap::new();
    for (index, record) in records.iter().enumerate() {
        let document = document(&record.outcome);
        let role = role(&record.method, &record.params);
        for pointer in pointers(&document).into_iter().filter(|pointer| !pointer.is_empty()) {
            let seen = found.entry((role.clone(), field(&document, &pointer))).or_default();
            seen.truncate(1);
            seen.push((index, pointer));
        }
    }
    found
}

/// Whole answers that are none.
fn none_at_all() -> [(&'static str, Answer); 4] {
    let error = RpcError::new(-32000, "something nobody has heard of");
    [
        ("an unknown error", Answer::Error(error)),
        ("an HTTP status", Answer::Status(503)),
        ("an answer cut off", Answer::Cut),
        ("bytes that are no answer", Answer::Raw(b"{\"jsonrpc\":".to_vec())),
    ]
}

/// All changes of the recorded answers. Of fields that are said to be unread, a few are enough to show it.
pub fn enumerate(
    records: &[Recorded],
    role: &dyn Fn(&str, &Value) -> String,
    unread: &dyn Fn(&str, &str) -> bool,
) -> Vec<Flip> {
    let mut flips = Vec::new();
    let mut whole: Map<String, Value> = Map::new();
    for ((role, field), seen) in places(records, role) {
        let values: Vec<Value> = seen.iter().map(|place| value_at(records, place)).collect();
        for (which, place) in seen.iter().enumerate() {
            let record = &records[place.0];
            let flip = |change: String, said: Answer| Flip {
                role: role.clone(),
                field: field.clone(),
                change,
                method: record.method.clone(),
                params: record.params.clone(),
                said,
            };
            if whole.insert(role.clone(), Value::Null).is_none() {
                flips.extend(none_at_all().into_iter().map(|(name, said)| flip(name.to_owned(), said)));
            }
            let other = values.get(1 - which).cloned();
            let extent = match (which, unread(&role, &field)) {
                (0, false) => Extent::All,
                (0, true) => Extent::Some,
                (_, false) => Extent::Other,
                (_, true) => continue,
            };
            for (change, said) in said_instead(record, &place.1, other, extent) {
                flips.push(flip(change, said));
            }
        }
    }
    flips
}

fn value_at(records: &[Recorded], (index, pointer): &Place) -> Value {
    document(&records[*index].outcome).pointer(pointer).cloned().unwrap_or_default()
}

/// Whether a change took nothing but the padding of base64 away, which leaves the bytes as they were.
fn is_padding(before: &Value, after: Option<&Value>) -> bool {
    let bare = |value: &Value| value.as_str().map(|text| text.trim_end_matches('=').to_owned());
    bare(before).is_some_and(|text| !text.is_empty() && Some(text) == after.and_then(bare))
}

/// How many changes of a field are tried.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Extent {
    /// All.
    All,
    /// Another value, and none.
    Some,
    /// Another value, none, and the one from the field's first place.
    Other,
}

/// The changes of one field.
fn said_instead(record: &Recorded, pointer: &str, other: Option<Value>, extent: Extent) -> Vec<(String, Answer)> {
    let honest = document(&record.outcome);
    let value = honest.pointer(pointer).cloned().unwrap_or_default();
    let mut wanted = match extent {
        Extent::All => changes(&honest, pointer),
        Extent::Some => vec![Change::Flip, Change::Remove],
        Extent::Other => vec![Change::Flip, Change::Null],
    };
    if extent == Extent::All {
        wanted.extend(others(&value).into_iter().map(Change::Set));
    }
    if extent != Extent::Some {
        wanted.extend(other.map(Change::Set));
    }
    let mut out: Vec<(String, Answer)> = Vec::new();
    for change in wanted {
        let mut changed = honest.clone();
        if !apply(&mut changed, pointer, &change) {
            continue;
        }
        let Some(said) = answer(&changed).filter(|_| !is_padding(&value, changed.pointer(pointer))) else { continue };
        if out.iter().all(|(_, known)| *known != said) {
            out.push((format!("{change:?}"), said));
        }
    }
    out
}
