//! Logs through `tracing`: text or JSON lines on standard error, filtered by level and target, counted by level.
//!
//! Events carry names, codes, heights, paths and sequences; never payloads, keys, or URLs with credentials.

use std::sync::Arc;

use thiserror::Error as ThisError;
use tracing::{Event, Level, Subscriber};
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
    let malformed = |source| LoggingError::Filter { filter: filter.to_owned(), source };
    let filter = EnvFilter::try_new(filter).map_err(malformed)?;
    let lines = tracing_subscriber::fmt::layer().with_writer(std::io::stderr).with_target(true);
    let lines = match format {
        LogFormat::Text => lines.with_ansi(false).boxed(),
        LogFormat::Json => lines.json().flatten_event(true).boxed(),
    };
    tracing_subscriber::registry().with(metrics.map(Counter)).with(lines.with_filter(filter)).try_init()?;
    Ok(())
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
