//! Changes of JSON values, for lies about any field of any answer.

use base64::engine::general_purpose::STANDARD as BASE64;
use base64::Engine as _;
use serde_json::{json, Number, Value};

/// What to do with a value.
#[derive(Clone, PartialEq, Debug)]
pub enum Change {
    /// Another value of the same kind and length: a number one higher, another digit, another bit of base64, the
    /// opposite of a boolean. An empty text gets a letter, `null` becomes a zero quantity, an array loses its last
    /// entry or gets one, and an object loses its last field.
    Flip,
    /// `null`.
    Null,
    /// The field or entry is gone.
    Remove,
    /// A text, array or object without its last character, entry or field.
    Shorten,
    /// An array in the opposite order, or a text of hex digits read bytewise from behind.
    Reverse,
    /// This value.
    Set(Value),
}

/// Changes the value at `pointer`, if it is there. Says whether anything is different now.
pub fn apply(root: &mut Value, pointer: &str, change: &Change) -> bool {
    if *change == Change::Remove {
        return remove(root, pointer);
    }
    let Some(place) = root.pointer_mut(pointer) else { return false };
    let before = place.clone();
    match change {
        Change::Flip => flip(place),
        Change::Null | Change::Remove => *place = Value::Null,
        Change::Shorten => shorten(place),
        Change::Reverse => reverse(place),
        Change::Set(value) => place.clone_from(value),
    }
    *place != before
}

/// Pointers to every value within, the root and all objects and arrays included, parents first.
#[must_use]
pub fn pointers(root: &Value) -> Vec<String> {
    let mut found = Vec::new();
    let mut open = vec![(String::new(), root)];
    while let Some((pointer, value)) = open.pop() {
        match value {
            Value::Object(fields) => {
                let below = fields.iter().map(|(name, value)| (format!("{pointer}/{}", escape(name)), value));
                open.extend(below.rev());
            }
            Value::Array(entries) => {
                let below = entries.iter().enumerate().map(|(index, value)| (format!("{pointer}/{index}"), value));
                open.extend(below.rev());
            }
            _ => {}
        }
        found.push(pointer);
    }
    found
}

/// The changes that make a difference at `pointer`: a different value, null, absence, a shorter one, another order.
#[must_use]
pub fn changes(root: &Value, pointer: &str) -> Vec<Change> {
    let all = [Change::Flip, Change::Null, Change::Remove, Change::Shorten, Change::Reverse];
    all.into_iter().filter(|change| apply(&mut root.clone(), pointer, change)).collect()
}

fn escape(name: &str) -> String {
    name.replace('~', "~0").replace('/', "~1")
}

fn remove(root: &mut Value, pointer: &str) -> bool {
    let Some((parent, name)) = pointer.rsplit_once('/') else { return false };
    let name = name.replace("~1", "/").replace("~0", "~");
    match root.pointer_mut(parent) {
        Some(Value::Object(fields)) => fields.remove(&name).is_some(),
        Some(Value::Array(entries)) => match name.parse::<usize>() {
            Ok(index) if index < entries.len() => {
                entries.remove(index);
                true
            }
            _ => false,
        },
        _ => false,
    }
}

fn flip(value: &mut Value) {
    match value {
        Value::Null => *value = json!("0x0"),
        Value::Bool(bit) => *bit = !*bit,
        Value::Number(number) => *number = other_number(number),
        Value::String(text) => *text = other_text(text),
        Value::Array(entries) => {
            if entries.pop().is_none() {
                entries.push(Value::Null);
            }
        }
        Value::Object(fields) => {
            if let Some(last) = fields.keys().next_back().cloned() {
                fields.remove(&last);
            }
        }
    }
}

fn other_number(number: &Number) -> Number {
    match (number.as_u64(), number.as_i64()) {
        (Some(value), _) => Number::from(value.checked_add(1).unwrap_or(0)),
        (None, Some(value)) => Number::from(value.wrapping_add(1)),
        (None, None) => Number::from(1),
    }
}

/// Another text that is written in the same alphabet.
fn other_text(text: &str) -> String {
    if text.is_empty() {
        return "x".to_owned();
    }
    let hex = text.strip_prefix("0x").unwrap_or(text);
    let digits = hex.chars().all(|c| c.is_ascii_hexdigit());
    let decimal = hex.chars().all(|c| c.is_ascii_digit());
    if !digits && !decimal {
        if let Some(other) = other_base64(text) {
            return other;
        }
    }
    // The last character that is a letter or a digit turns into another of its kind.
    let place = text.char_indices().rev().find(|(_, c)| c.is_ascii_alphanumeric());
    let Some((place, old)) = place else { return format!("{text}x") };
    let mut out = text.to_owned();
    out.replace_range(place..place.saturating_add(old.len_utf8()), if old == '1' { "2" } else { "1" });
    if text == "0x" {
        "0x01".clone_into(&mut out);
    }
    out
}

fn other_base64(text: &str) -> Option<String> {
    // Short words of ordinary text are base64 by accident.
    if text.len() < 8 || !text.len().is_multiple_of(4) {
        return None;
    }
    let mut bytes = BASE64.decode(text).ok()?;
    *bytes.last_mut()? ^= 1;
    Some(BASE64.encode(bytes))
}

fn shorten(value: &mut Value) {
    match value {
        Value::String(text) => {
            text.pop();
        }
        Value::Array(entries) => {
            entries.pop();
        }
        Value::Object(fields) => {
            if let Some(last) = fields.keys().next_back().cloned() {
                fields.remove(&last);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

fn reverse(value: &mut Value) {
    match value {
        Value::Array(entries) => entries.reverse(),
        Value::String(text) => {
            let (prefix, digits) = match text.strip_prefix("0x") {
                Some(digits) => ("0x", digits),
                None => ("", text.as_str()),
            };
            let whole = digits.is_ascii() && digits.len() % 2 == 0;
            if whole && digits.chars().all(|c| c.is_ascii_hexdigit()) {
                let pairs = digits.as_bytes().chunks(2).rev().flatten().map(|byte| char::from(*byte));
                let turned: String = pairs.collect();
                *text = format!("{prefix}{turned}");
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(before: &Value, change: &Change, after: Value) {
        let mut value = json!({ "a": before });
        let changed = apply(&mut value, "/a", change);
        assert_eq!((&value["a"], changed), (&after, *before != after), "{change:?} of {before}");
    }

    #[test]
    fn values_of_every_kind_turn_into_another_of_their_kind() {
        check(&json!("0x1f"), &Change::Flip, json!("0x11"));
        check(&json!("0x"), &Change::Flip, json!("0x01"));
        check(&json!("0x0"), &Change::Flip, json!("0x1"));
        check(&json!("ABCD1"), &Change::Flip, json!("ABCD2"));
        check(&json!("41"), &Change::Flip, json!("42"));
        check(&json!("2026-11-24T09:00:00.5Z"), &Change::Flip, json!("2026-11-24T09:00:00.51"));
        check(&json!("qrvM3e7/"), &Change::Flip, json!("qrvM3e7+"));
        check(&json!(""), &Change::Flip, json!("x"));
        check(&json!("--"), &Change::Flip, json!("--x"));
        check(&json!(7), &Change::Flip, json!(8));
        check(&json!(-7), &Change::Flip, json!(-6));
        check(&json!(true), &Change::Flip, json!(false));
        check(&Value::Null, &Change::Flip, json!("0x0"));
        check(&json!([]), &Change::Flip, json!([null]));
        check(&json!([1, 2]), &Change::Flip, json!([1]));
        check(&json!({ "x": 1, "y": 2 }), &Change::Flip, json!({ "x": 1 }));
        check(&json!("0x1f"), &Change::Null, Value::Null);
        check(&Value::Null, &Change::Null, Value::Null);
        check(&json!("0x1f"), &Change::Shorten, json!("0x1"));
        check(&json!([1, 2]), &Change::Shorten, json!([1]));
        check(&json!([1, 2]), &Change::Reverse, json!([2, 1]));
        check(&json!([1, 1]), &Change::Reverse, json!([1, 1]));
        check(&json!("0x1f2e"), &Change::Reverse, json!("0x2e1f"));
        check(&json!(7), &Change::Reverse, json!(7));
        check(&json!(7), &Change::Set(json!("x")), json!("x"));
    }

    #[test]
    fn every_field_has_a_pointer_and_what_can_be_changed_there() {
        let value = json!({ "a/b": [{ "c": 1 }, "0x1f2e"], "d": null });
        assert_eq!(pointers(&value), ["", "/a~1b", "/a~1b/0", "/a~1b/0/c", "/a~1b/1", "/d"]);
        assert_eq!(changes(&value, "/d"), [Change::Flip, Change::Remove]);
        assert_eq!(changes(&value, "/a~1b/0/c"), [Change::Flip, Change::Null, Change::Remove]);
        assert_eq!(changes(&value, "/a~1b/1").len(), 5);
        assert_eq!(changes(&value, "/nothing"), []);
        let mut gone = value.clone();
        assert!(apply(&mut gone, "/a~1b", &Change::Remove) && !apply(&mut gone, "/a~1b", &Change::Remove));
        assert_eq!(gone, json!({ "d": null }));
        let mut shorter = value;
        assert!(apply(&mut shorter, "/a~1b/0", &Change::Remove) && !apply(&mut shorter, "/a~1b/5", &Change::Remove));
        assert_eq!(shorter["a/b"], json!(["0x1f2e"]));
    }
}
