//! Strict readers of JSON-RPC values: quantities and data as the Ethereum JSON-RPC specification writes them.

use serde_json::Value;

/// What is wrong with a value, for the caller's error.
pub(crate) type Reason = String;

fn text(value: Option<&Value>) -> Result<&str, Reason> {
    match value {
        None | Some(Value::Null) => Err("is missing".to_owned()),
        Some(Value::String(text)) => Ok(text),
        Some(other) => Err(format!("is no string but {}", kind(other))),
    }
}

const fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}

/// Big-endian bytes of a quantity of at most `bytes_max` bytes, without leading zeros; zero is empty.
pub(crate) fn quantity_bytes(value: Option<&Value>, bytes_max: usize) -> Result<Vec<u8>, Reason> {
    let text = text(value)?;
    let digits = text.strip_prefix("0x").ok_or_else(|| "does not start with 0x".to_owned())?;
    if digits.is_empty() || (digits.len() > 1 && digits.starts_with('0')) {
        return Err("is a quantity with no digit or a leading zero".to_owned());
    }
    if digits.len() > 2 * bytes_max {
        return Err(format!("has {} hex digits, at most {} are allowed", digits.len(), 2 * bytes_max));
    }
    let even = if digits.len() % 2 == 0 { digits.to_owned() } else { format!("0{digits}") };
    let bytes = hex::decode(even).map_err(|_| "is not hex".to_owned())?;
    Ok(if bytes == [0] { Vec::new() } else { bytes })
}

/// A quantity of at most 64 bits.
pub(crate) fn quantity(value: Option<&Value>) -> Result<u64, Reason> {
    let bytes = quantity_bytes(value, 8)?;
    Ok(bytes.iter().fold(0, |sum, byte| (sum << 8) | u64::from(*byte)))
}

/// Bytes of any length.
pub(crate) fn data(value: Option<&Value>) -> Result<Vec<u8>, Reason> {
    let text = text(value)?;
    let digits = text.strip_prefix("0x").ok_or_else(|| "does not start with 0x".to_owned())?;
    hex::decode(digits).map_err(|_| format!("is not an even number of hex digits ({})", digits.len()))
}

/// Exactly `N` bytes.
pub(crate) fn fixed<const N: usize>(value: Option<&Value>) -> Result<[u8; N], Reason> {
    let bytes = data(value)?;
    let got = bytes.len();
    bytes.try_into().map_err(|_| format!("has {got} bytes, expected {N}"))
}

/// A list.
pub(crate) fn list(value: Option<&Value>) -> Result<&Vec<Value>, Reason> {
    match value {
        None | Some(Value::Null) => Err("is missing".to_owned()),
        Some(Value::Array(list)) => Ok(list),
        Some(other) => Err(format!("is no list but {}", kind(other))),
    }
}

/// `0x`-hex of bytes.
pub(crate) fn hex0x(bytes: &[u8]) -> String {
    format!("0x{}", hex::encode(bytes))
}

/// A quantity as JSON.
pub(crate) fn to_quantity(number: u64) -> Value {
    Value::String(format!("{number:#x}"))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use serde_json::json;

    use super::*;

    #[test]
    fn quantities_are_strict() {
        let check = |value: Value, expected: Result<u64, &str>| match (quantity(Some(&value)), expected) {
            (Ok(got), Ok(expected)) => assert_eq!(got, expected, "{value}"),
            (Err(got), Err(expected)) => assert!(got.contains(expected), "{value}: {got}"),
            (got, expected) => panic!("{value}: {got:?}, expected {expected:?}"),
        };
        check(json!("0x0"), Ok(0));
        check(json!("0x1"), Ok(1));
        check(json!("0xfff"), Ok(0xfff));
        check(json!("0xffffffffffffffff"), Ok(u64::MAX));
        check(json!("0x10000000000000000"), Err("17 hex digits"));
        check(json!("0x"), Err("no digit"));
        check(json!("0x01"), Err("leading zero"));
        check(json!("0x00"), Err("leading zero"));
        check(json!("1"), Err("0x"));
        check(json!("0X1"), Err("0x"));
        check(json!("0x-1"), Err("not hex"));
        check(json!("0xg"), Err("not hex"));
        check(json!(1), Err("a number"));
        check(json!(null), Err("missing"));
        assert!(quantity(None).unwrap_err().contains("missing"));
    }

    #[test]
    fn data_is_strict() {
        let check = |value: Value, words: &str| {
            let got = fixed::<2>(Some(&value));
            match words {
                "" => assert_eq!(got.unwrap(), [0xab, 0xcd]),
                words => assert!(got.unwrap_err().contains(words), "{value}"),
            }
        };
        check(json!("0xabcd"), "");
        check(json!("0xABcd"), "");
        check(json!("0xabc"), "even");
        check(json!("0xab"), "1 bytes, expected 2");
        check(json!("0xabcdef"), "3 bytes, expected 2");
        check(json!("abcd"), "0x");
        check(json!("0xabcg"), "hex");
        check(json!(["0xabcd"]), "a list");
    }
}
