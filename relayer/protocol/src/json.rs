//! A JSON object of text fields, byte for byte as Go's `encoding/json` writes it: ibc-go's transfer data in JSON.
//!
//! Reading accepts that one form only. A general JSON reader would accept many texts for one object, two fields of
//! one name among them, and readers have differed on which of two counts.

use alloc::{borrow::ToOwned, format, string::String, vec::Vec};

/// Writes the fields that are not empty, in order.
pub(crate) fn write(fields: &[(&str, &str)]) -> String {
    let written: Vec<String> = fields
        .iter()
        .filter(|(_, value)| !value.is_empty())
        .map(|(name, value)| format!("\"{name}\":\"{}\"", escape(value)))
        .collect();
    format!("{{{}}}", written.join(","))
}

/// Reads fields of these names, in this order, each at most once; those that are not there are empty. `None` when the
/// text is not what [`write`] gives for them.
pub(crate) fn read<const N: usize>(names: [&str; N], text: &str) -> Option<[String; N]> {
    let mut values = [const { String::new() }; N];
    let mut rest = text.strip_prefix('{')?;
    for (name, value) in names.iter().zip(values.iter_mut()) {
        let Some(after) = rest.strip_prefix(&*format!("\"{name}\":\"")) else { continue };
        let end = closing_quote(after)?;
        *value = unescape(after.get(..end)?)?;
        rest = after.get(end..)?.strip_prefix('"')?;
        rest = rest.strip_prefix(',').unwrap_or(rest);
    }
    let fields: Vec<(&str, &str)> = names.iter().copied().zip(values.iter().map(String::as_str)).collect();
    (write(&fields) == text).then_some(values)
}

/// Where the text before the closing quote ends.
fn closing_quote(text: &str) -> Option<usize> {
    let mut escaped = false;
    text.bytes().position(|byte| {
        let ends = byte == b'"' && !escaped;
        escaped = byte == b'\\' && !escaped;
        ends
    })
}

/// Go's escapes, those against HTML included.
fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        let short = match c {
            '"' | '\\' => c,
            '\u{8}' => 'b',
            '\u{c}' => 'f',
            '\n' => 'n',
            '\r' => 'r',
            '\t' => 't',
            '\0'..='\u{1f}' | '<' | '>' | '&' | '\u{2028}' | '\u{2029}' => {
                escaped.push_str(&format!("\\u{:04x}", u32::from(c)));
                continue;
            }
            _ => {
                escaped.push(c);
                continue;
            }
        };
        escaped.push('\\');
        escaped.push(short);
    }
    escaped
}

fn unescape(text: &str) -> Option<String> {
    if !text.contains('\\') {
        return Some(text.to_owned());
    }
    let mut plain = String::with_capacity(text.len());
    let mut rest = text.chars();
    while let Some(c) = rest.next() {
        if c != '\\' {
            plain.push(c);
            continue;
        }
        plain.push(match rest.next()? {
            c @ ('"' | '\\') => c,
            'b' => '\u{8}',
            'f' => '\u{c}',
            'n' => '\n',
            'r' => '\r',
            't' => '\t',
            'u' => {
                let digits: String = rest.by_ref().take(4).collect();
                char::from_u32(u32::from_str_radix(&digits, 16).ok()?)?
            }
            _ => return None,
        });
    }
    Some(plain)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn what_is_written_is_read_and_nothing_else() {
        let rows = [
            ("", "", "{}"),
            ("x", "", r#"{"a":"x"}"#),
            ("", "y", r#"{"b":"y"}"#),
            ("x", "y", r#"{"a":"x","b":"y"}"#),
            (
                "\"\\\n\r\t\u{8}\u{c}\0\u{1f}",
                "<>&",
                "{\"a\":\"\\\"\\\\\\n\\r\\t\\b\\f\\u0000\\u001f\",\"b\":\"\\u003c\\u003e\\u0026\"}",
            ),
            ("ä€😀\u{7f}", "\u{2028}\u{2029}", "{\"a\":\"ä€😀\u{7f}\",\"b\":\"\\u2028\\u2029\"}"),
        ];
        for (a, b, text) in rows {
            assert_eq!(write(&[("a", a), ("b", b)]), text);
            assert_eq!(read(["a", "b"], text).unwrap(), [a, b], "{text}");
        }
        let refused = [
            "",
            "{",
            "}",
            "[]",
            "null",
            "{} ",
            " {}",
            r#"{"a":""}"#,
            r#"{"a":"x",}"#,
            r#"{"a":"x" }"#,
            r#"{"a": "x"}"#,
            r#"{"b":"y","a":"x"}"#,
            r#"{"a":"x","a":"x"}"#,
            r#"{"a":"x""b":"y"}"#,
            r#"{"c":"x"}"#,
            r#"{"a":1}"#,
            r#"{"a":"\u0041"}"#,
            r#"{"a":"\u003C"}"#,
            r#"{"a":"\ud83d\ude00"}"#,
            r#"{"a":"\u00"}"#,
            r#"{"a":"\x"}"#,
            r#"{"a":"\"#,
            r#"{"a":"<"}"#,
            "{\"a\":\"\n\"}",
        ];
        for text in refused {
            assert_eq!(read(["a", "b"], text), None, "{text}");
        }
    }
}
