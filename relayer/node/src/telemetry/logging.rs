//! Logs through `tracing`: text or JSON lines on standard error, filtered by level and target, counted by level.
//!
//! Events carry names, codes, heights, paths and sequences; never payloads, keys, or URLs with credentials.

use std::sync::Arc;

use thiserror::Error as ThisError;
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::{Context, SubscriberExt};
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Layer};

use super::metrics::{LogLevel, Metrics};

/// How lines are written.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// One JSON object a line.
    Json,
}

/// Why logging cannot start.
#[derive(Debug, ThisError)]
#[non_exhaustive]
pub enum LoggingError {
    /// The filter is malformed.
    #[error("log filter {filter:?} is malformed: {source}; write for example info,catenary_node=debug")]
    Filter {
        /// The filter.
        filter: String,
        /// Why.
        source: tracing_subscriber::filter::ParseError,
    },
    /// It was started already.
    #[error("logging was started already: {0}")]
    Started(#[from] tracing_subscriber::util::TryInitError),
}

impl LoggingError {
    /// The stable code.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Filter { .. } => "NODE-LOG-001",
            Self::Started(_) => "NODE-LOG-002",
        }
    }
}

/// Starts logging for the whole process, once.
///
/// # Errors
/// A malformed filter, or logging that was started already.
pub fn init(format: LogFormat, filter: &str, metrics: Option<Arc<Metrics>>) -> Result<(), LoggingError> {
    subscriber(format, filter, metrics, std::io::stderr)?.try_init()?;
    Ok(())
}

/// Logging into a file, for threads that are told to use it: several nodes in one process, as the demo has them.
///
/// # Errors
/// A malformed filter.
#[cfg(feature = "demo")]
pub(crate) fn to_file(
    file: std::fs::File,
    filter: &str,
    metrics: Option<Arc<Metrics>>,
) -> Result<tracing::Dispatch, LoggingError> {
    Ok(tracing::Dispatch::new(subscriber(LogFormat::Text, filter, metrics, Arc::new(file))?))
}

fn subscriber<W>(
    format: LogFormat,
    filter: &str,
    metrics: Option<Arc<Metrics>>,
    writer: W,
) -> Result<impl Subscriber + Send + Sync, LoggingError>
where
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    let malformed = |source| LoggingError::Filter { filter: filter.to_owned(), source };
    let filter = EnvFilter::try_new(filter).map_err(malformed)?;
    // A line that cannot be written, as to a file on a full disk, is lost: to complain of it on standard error would
    // panic when that is the same file.
    let lines = tracing_subscriber::fmt::layer().with_writer(writer).with_target(true).log_internal_errors(false);
    let lines = match format {
        LogFormat::Text => lines.with_ansi(false).boxed(),
        LogFormat::Json => lines.json().flatten_event(true).boxed(),
    };
    Ok(tracing_subscriber::registry().with(metrics.map(Counter)).with(lines.with_filter(filter)))
}

/// Counts events by level.
struct Counter(Arc<Metrics>);

impl<S: Subscriber> Layer<S> for Counter {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let level = match *event.metadata().level() {
            Level::ERROR => LogLevel::Error,
            Level::WARN => LogLevel::Warn,
            Level::INFO => LogLevel::Info,
            Level::DEBUG => LogLevel::Debug,
            Level::TRACE => LogLevel::Trace,
        };
        self.0.log_event(level);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;
    use std::io;
    use std::sync::Mutex;

    use crate::telemetry::MetricsScope;

    #[derive(Clone, Default)]
    struct Lines(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Lines {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// Logs one line of each level and gives what was written, with the metrics.
    fn log(format: LogFormat, filter: &str) -> (String, Arc<Metrics>) {
        let (lines, metrics) = (Lines::default(), Metrics::new(&MetricsScope::default()));
        let writer = lines.clone();
        let subscriber = subscriber(format, filter, Some(Arc::clone(&metrics)), move || writer.clone()).unwrap();
        tracing::subscriber::with_default(subscriber, || {
            tracing::error!(code = "ATT-202", "fell short");
            tracing::warn!(code = "ATT-101", "left out");
            tracing::info!("started");
        });
        let written = String::from_utf8(lines.0.lock().unwrap().clone()).unwrap();
        (written, metrics)
    }

    #[test]
    fn lines_are_filtered_and_counted_by_level_all_the_same() {
        let (written, metrics) = log(LogFormat::Text, "warn");
        assert_eq!(written.lines().count(), 2);
        assert!(written.contains(r#"code="ATT-202""#) && !written.contains("started"), "{written}");
        for level in ["error", "warn", "info"] {
            assert!(metrics.page().contains(&format!(r#"catenary_log_events_total{{level="{level}"}} 1"#)), "{level}");
        }
    }

    #[test]
    fn json_lines_are_one_object_each() {
        let (written, _) = log(LogFormat::Json, "info");
        assert_eq!(written.lines().count(), 3);
        let first: serde_json::Value = serde_json::from_str(written.lines().next().unwrap()).unwrap();
        assert_eq!((&first["code"], &first["level"]), (&"ATT-202".into(), &"ERROR".into()));
    }

    #[test]
    fn a_malformed_filter_is_refused_with_an_example() {
        let error = init(LogFormat::Text, "catenary=loud", None).unwrap_err();
        assert_eq!(error.code(), "NODE-LOG-001");
        assert!(error.to_string().contains("info,catenary_node=debug"), "{error}");
    }
}
