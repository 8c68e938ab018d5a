//! Metrics: what an engine counts and measures about itself.
//!
//! A program gives a recorder of the `metrics` crate to [`Builder::recorder`](crate::Builder::recorder). The engine registers
//! every metric of [`ENGINE_METRICS`] with it while it opens, and keeps what the recorder returns: nothing is looked up later.
//! Values that describe a state, such as the size of the cache, are read when [`Polarway::sample_metrics`](crate::Polarway::sample_metrics) is called. Without a
//! recorder nothing is measured.

mod definition;
mod engine;
mod list;
mod storage;
mod writes;

pub use definition::{DURATION_BUCKETS, Metric, MetricKind, MetricLabel};
pub(crate) use engine::{EngineMetrics, QueryMetrics, Sample, SharedRecorder};
pub use list::ENGINE_METRICS;
pub(crate) use storage::{BucketMetrics, MeasuredStorage, StateTraffic, StorageRole};
pub(crate) use writes::RefusedWrites;
