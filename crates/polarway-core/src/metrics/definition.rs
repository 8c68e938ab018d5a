//! What a metric is: its name, its type, its labels and its meaning, and how it is registered with a recorder.

use std::fmt;

use metrics::{Counter, Gauge, Histogram, Key, Level, Metadata, Recorder};

/// A metric, as it is documented and registered.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Metric {
    /// Its name in Prometheus.
    pub name: &'static str,
    /// Its type.
    pub kind: MetricKind,
    /// Its labels. The set of values of each is bounded, and none comes from a caller.
    pub labels: &'static [MetricLabel],
    /// What it counts or measures, in a sentence or two.
    pub about: &'static str,
}

/// The type of a metric.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MetricKind {
    /// A number that only grows, from the start of the process.
    Counter,
    /// A number that rises and falls.
    Gauge,
    /// Durations, counted by size: see [`DURATION_BUCKETS`].
    Histogram,
}

/// A label of a metric.
#[derive(Clone, Copy, Debug)]
pub struct MetricLabel {
    /// Its name.
    pub name: &'static str,
    /// Its values, in words.
    pub values: &'static str,
}

/// The upper bounds of the buckets of all histograms, in seconds: from 0.2 ms, a small call, to 5 minutes, the longest time
/// that a query may take by default.
pub const DURATION_BUCKETS: [f64; 20] = [
    0.0002, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 50.0,
    100.0, 200.0, 300.0,
];

impl Metric {
    /// A counter.
    pub const fn counter(name: &'static str, labels: &'static [MetricLabel], about: &'static str) -> Self {
        Self { name, kind: MetricKind::Counter, labels, about }
    }

    /// A gauge.
    pub const fn gauge(name: &'static str, labels: &'static [MetricLabel], about: &'static str) -> Self {
        Self { name, kind: MetricKind::Gauge, labels, about }
    }

    /// A histogram of durations in seconds.
    pub const fn histogram(name: &'static str, labels: &'static [MetricLabel], about: &'static str) -> Self {
        Self { name, kind: MetricKind::Histogram, labels, about }
    }

    /// Registers a counter, whose labels have these values, in their order.
    pub fn register_counter(&self, recorder: &dyn Recorder, values: &[&str]) -> Counter {
        recorder.describe_counter(self.name.into(), None, self.about.into());
        recorder.register_counter(&self.key(values), &METADATA)
    }

    /// Registers a gauge, whose labels have these values, in their order.
    pub fn register_gauge(&self, recorder: &dyn Recorder, values: &[&str]) -> Gauge {
        recorder.describe_gauge(self.name.into(), None, self.about.into());
        recorder.register_gauge(&self.key(values), &METADATA)
    }

    /// Registers a histogram, whose labels have these values, in their order.
    pub fn register_histogram(&self, recorder: &dyn Recorder, values: &[&str]) -> Histogram {
        recorder.describe_histogram(self.name.into(), None, self.about.into());
        recorder.register_histogram(&self.key(values), &METADATA)
    }

    fn key(&self, values: &[&str]) -> Key {
        debug_assert_eq!(self.labels.len(), values.len(), "{}: a value for each label", self.name);
        let labels = self.labels.iter().zip(values);
        let labels = labels.map(|(label, value)| metrics::Label::new(label.name, (*value).to_owned()));
        Key::from_parts(self.name, labels.collect::<Vec<_>>())
    }
}

const METADATA: Metadata<'static> = Metadata::new("polarway", Level::INFO, None);

impl fmt::Display for MetricKind {
    /// As Prometheus calls it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
            Self::Histogram => "histogram",
        })
    }
}
