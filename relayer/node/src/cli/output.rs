//! What the command line prints: text for people, or one JSON value.

use std::io::Write;

use serde::Serialize;
use serde_json::Value;

/// A refusal with its stable code.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    code: String,
    message: String,
}

impl Failure {
    /// A refusal.
    #[must_use]
    pub fn new(code: &str, message: impl Into<String>) -> Self {
        Self { code: code.to_owned(), message: message.into() }
    }

    /// The stable code.
    #[must_use]
    pub fn code(&self) -> &str {
        &self.code
    }

    /// What it is, and what to do.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.message
    }
}

macro_rules! failures {
    ($($error:ty),+ $(,)?) => {$(
        impl From<$error> for Failure {
            fn from(error: $error) -> Self {
                Self::new(error.code(), error.to_string())
            }
        }
    )+};
}

failures!(
    crate::wiring::WiringError,
    crate::setup::SetupError,
    crate::keystore::KeystoreError,
    crate::chain::ProveError,
    crate::relay::SendError,
    crate::telemetry::LoggingError,
    catenary_core::StoreError,
    crate::journal::JournalError,
    crate::store::BackupError,
    crate::store::ExportError,
);

impl From<catenary_api::Error> for Failure {
    fn from(error: catenary_api::Error) -> Self {
        Self::new(error.code, error.message)
    }
}

impl From<crate::config::ConfigErrors> for Failure {
    fn from(errors: crate::config::ConfigErrors) -> Self {
        // Never empty: it is made only from problems.
        Self::new(errors.0.first().map_or("", |problem| problem.kind.code()), errors.to_string())
    }
}

/// Where output goes and in which form.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Output {
    pub(crate) json: bool,
}

impl Output {
    /// Prints a result: `value` with `--json`, else `text`. A closed pipe is the reader's wish, not an error.
    pub(crate) fn result(self, value: &impl Serialize, text: &str) {
        let line = if self.json {
            serde_json::to_string(value).unwrap_or_else(|error| format!("{{\"error\":\"{error}\"}}"))
        } else {
            text.trim_end().to_owned()
        };
        let _ = writeln!(std::io::stdout().lock(), "{line}");
    }

    /// Prints a step on standard error, for people only.
    pub(super) fn step(self, text: &str) {
        if !self.json {
            let _ = writeln!(std::io::stderr().lock(), "{text}");
        }
    }

    /// Prints a refusal on standard error.
    pub(crate) fn failure(self, failure: &Failure) {
        let line = if self.json {
            serde_json::json!({ "error": { "code": failure.code, "message": failure.message } }).to_string()
        } else {
            format!("error {}: {}", failure.code, failure.message)
        };
        let _ = writeln!(std::io::stderr().lock(), "{line}");
    }
}

/// A table for people: columns as wide as their widest cell.
pub(crate) fn table(header: &[&str], rows: &[Vec<String>]) -> String {
    let mut widths: Vec<usize> = header.iter().map(|cell| cell.len()).collect();
    for row in rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let line = |cells: Vec<&str>| {
        let padded: Vec<String> =
            cells.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}", width = *width)).collect();
        padded.join("  ").trim_end().to_owned()
    };
    let mut lines = vec![line(header.to_vec())];
    lines.extend(rows.iter().map(|row| line(row.iter().map(String::as_str).collect())));
    lines.join("\n")
}

/// A JSON object from name and value pairs.
pub(super) fn object(pairs: &[(&str, &str)]) -> Value {
    Value::Object(pairs.iter().map(|(name, value)| ((*name).to_owned(), Value::from(*value))).collect())
}
