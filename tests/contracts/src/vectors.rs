//! Golden bytes of the real ibc-go.

use std::path::Path;

use serde_json::Value;

/// The rows of a vector file, by its name without the ending.
#[must_use]
pub fn rows(name: &str) -> Vec<Value> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../vectors/ibc").join(format!("{name}.json"));
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let file: Value = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let rows = file["rows"].as_array().expect("a vector file has rows").clone();
    assert!(!rows.is_empty(), "{} has rows", path.display());
    rows
}

/// A text field.
#[must_use]
pub fn text<'a>(row: &'a Value, field: &str) -> &'a str {
    row[field].as_str().unwrap_or_else(|| panic!("{field} is text in {row}"))
}

/// A number field.
#[must_use]
pub fn number(row: &Value, field: &str) -> u64 {
    row[field].as_u64().unwrap_or_else(|| panic!("{field} is a number in {row}"))
}

/// A field of bytes in hex.
#[must_use]
pub fn bytes(row: &Value, field: &str) -> Vec<u8> {
    hex::decode(text(row, field)).unwrap_or_else(|_| panic!("{field} is hex in {row}"))
}
