//! The log: lines on standard error, filtered by `RUST_LOG`, as text or as JSON.

use std::io::IsTerminal as _;

use tracing_subscriber::EnvFilter;

use crate::log_fields::TextFields;

/// The form of the log's lines.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// For programs: one object a line.
    Json,
}

/// Starts the log. A filter that can't be parsed is reported, and `info` is used instead.
pub(crate) fn start(filter: Option<&str>, format: LogFormat) {
    let (filter, error) = match filter.map(EnvFilter::try_new) {
        None => (EnvFilter::new("info"), None),
        Some(Ok(filter)) => (filter, None),
        Some(Err(error)) => (EnvFilter::new("info"), Some(error)),
    };
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    // A program that embeds the server may have set up a log already. That log is then used.
    let _ = match format {
        LogFormat::Text => log.with_ansi(std::io::stderr().is_terminal()).fmt_fields(TextFields).try_init(),
        LogFormat::Json => log.json().flatten_event(true).with_span_list(false).try_init(),
    };
    if let Some(error) = error {
        tracing::warn!("RUST_LOG can't be read, so it is `info`: {error}");
    }
}
