//! Metrics: what an engine counts and measures about itself.

mod definition;
mod list;

pub use definition::{DURATION_BUCKETS, Metric, MetricKind, MetricLabel};
pub use list::ENGINE_METRICS;
