//! The log: lines on standard error, filtered by `RUST_LOG`.

use std::io::IsTerminal as _;

use tracing_subscriber::EnvFilter;

/// Starts the log. A filter that can't be parsed is reported, and `info` is used instead.
pub(crate) fn start(filter: Option<&str>) {
    let (filter, error) = match filter.map(EnvFilter::try_new) {
        None => (EnvFilter::new("info"), None),
        Some(Ok(filter)) => (filter, None),
        Some(Err(error)) => (EnvFilter::new("info"), Some(error)),
    };
    let started = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .try_init();
    // A program that embeds the server may have set up a log already. That log is then used.
    drop(started);
    if let Some(error) = error {
        tracing::warn!("RUST_LOG can't be read, so it is `info`: {error}");
    }
}
