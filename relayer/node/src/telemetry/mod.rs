//! What operators see: metrics, health and logs.
//!
//! No metric, log line or health answer carries a payload, a secret, or free text of somebody else as a label.

pub mod health;
pub mod http;
pub mod logging;
pub mod metrics;

pub use health::{AttestorHealth, ChainHealth, Health, PathHealth, Readiness, Reason};
pub use http::HttpState;
pub use logging::{LogFormat, LoggingError};
pub use metrics::{Metrics, MetricsScope};
