//! Metrics of the server: calls, connections, the process.
//!
//! All metrics are registered once, at the start. So a call only changes numbers that exist already, and `/metrics` shows every
//! metric from the start.

mod calls;
mod exporter;
mod list;
mod process;
mod reference;
mod together;

use metrics::{Counter, Gauge, Recorder};
use polarway_core::duckdb_version;
use polarway_core::metrics::{ENGINE_METRICS, Metric};
use polarway_proto::PROTOCOL_REVISION;

pub(crate) use calls::{Beginning, Calls, OpenCall};
pub(crate) use exporter::Exporter;
pub use reference::reference;
use together::Together;

/// Every metric of a server: its own and those of its engine.
pub fn all() -> impl Iterator<Item = &'static Metric> {
    list::SERVER_METRICS.iter().chain(ENGINE_METRICS)
}

/// What the server counts and measures.
pub(crate) struct Metrics {
    pub(crate) calls: Calls,
    pub(crate) moved: Moved,
    pub(crate) connections: Connections,
    pub(crate) together: Together,
    /// Whether the worker is ready.
    pub(crate) ready: Gauge,
    /// When the TLS certificate expires.
    pub(crate) certificate_expiry: Gauge,
}

impl Metrics {
    /// Registers all metrics of the server.
    pub(crate) fn new(recorder: &dyn Recorder) -> Self {
        let versions = [env!("CARGO_PKG_VERSION"), &duckdb_version(), &PROTOCOL_REVISION.to_string()];
        list::BUILD_INFO.register_gauge(recorder, &versions).set(1.0);
        Self {
            calls: Calls::new(recorder),
            moved: Moved::new(recorder),
            connections: Connections::new(recorder),
            together: Together::new(recorder),
            ready: list::READY.register_gauge(recorder, &[]),
            certificate_expiry: list::CERTIFICATE_EXPIRY.register_gauge(recorder, &[]),
        }
    }
}

/// The tables that went over the network.
pub(crate) struct Moved {
    pub(crate) stored: MovedRows,
    pub(crate) loaded: MovedRows,
    pub(crate) queried: MovedRows,
}

impl Moved {
    fn new(recorder: &dyn Recorder) -> Self {
        let of = |call: &str| MovedRows {
            rows: list::ROWS_MOVED.register_counter(recorder, &[call]),
            bytes: list::BYTES_MOVED.register_counter(recorder, &[call]),
        };
        Self { stored: of("Store"), loaded: of("Load"), queried: of("Query") }
    }
}

/// Rows that went over the network for one kind of call.
pub(crate) struct MovedRows {
    rows: Counter,
    bytes: Counter,
}

impl MovedRows {
    /// Counts a chunk.
    pub(crate) fn add(&self, rows: u64, bytes: usize) {
        self.rows.increment(rows);
        self.bytes.increment(bytes as u64);
    }
}

/// The connections of clients.
pub(crate) struct Connections {
    pub(crate) open: Gauge,
    pub(crate) accepted: Counter,
    pub(crate) refused: Counter,
    pub(crate) handshakes_failed: Counter,
}

impl Connections {
    fn new(recorder: &dyn Recorder) -> Self {
        Self {
            open: list::CONNECTIONS.register_gauge(recorder, &[]),
            accepted: list::CONNECTIONS_ACCEPTED.register_counter(recorder, &[]),
            refused: list::CONNECTIONS_REFUSED.register_counter(recorder, &[]),
            handshakes_failed: list::HANDSHAKES_FAILED.register_counter(recorder, &[]),
        }
    }
}
