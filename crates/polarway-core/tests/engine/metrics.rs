//! What an engine counts, with a recorder of the program's own.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use ::metrics::{
    Counter, Gauge, Histogram, HistogramFn, Key, KeyName, Metadata, Recorder, SharedString, Unit,
};
use polarway_core::metrics::ENGINE_METRICS;
use polarway_core::{Config, EngineChoice, ErrorKind, Polarway, QueryOptions};

use crate::support::{config, trades};

/// Keeps every series by its name and labels: numbers, the bits of gauges, and how many durations there are.
#[derive(Default)]
struct Kept(Mutex<BTreeMap<String, Arc<AtomicU64>>>);

/// Counts durations.
struct Durations(Arc<AtomicU64>);

impl HistogramFn for Durations {
    fn record(&self, seconds: f64) {
        assert!(seconds >= 0.0);
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

impl Kept {
    fn series(&self, key: &Key) -> Arc<AtomicU64> {
        let labels: Vec<_> =
            key.labels().map(|label| format!(" {}={}", label.key(), label.value())).collect();
        let name = format!("{}{}", key.name(), labels.concat());
        Arc::clone(self.0.lock().unwrap().entry(name).or_default())
    }

    fn number(&self, series: &str) -> u64 {
        let all = self.0.lock().unwrap();
        all.get(series).unwrap_or_else(|| panic!("no {series} in {:#?}", all.keys())).load(Ordering::Relaxed)
    }

    fn gauge(&self, series: &str) -> f64 {
        f64::from_bits(self.number(series))
    }
}

impl Recorder for Kept {
    fn describe_counter(&self, _name: KeyName, _unit: Option<Unit>, _about: SharedString) {}

    fn describe_gauge(&self, _name: KeyName, _unit: Option<Unit>, _about: SharedString) {}

    fn describe_histogram(&self, _name: KeyName, _unit: Option<Unit>, _about: SharedString) {}

    fn register_counter(&self, key: &Key, _metadata: &Metadata<'_>) -> Counter {
        Counter::from_arc(self.series(key))
    }

    fn register_gauge(&self, key: &Key, _metadata: &Metadata<'_>) -> Gauge {
        Gauge::from_arc(self.series(key))
    }

    fn register_histogram(&self, key: &Key, _metadata: &Metadata<'_>) -> Histogram {
        Histogram::from_arc(Arc::new(Durations(self.series(key))))
    }
}

async fn opened(config: Config) -> (Polarway, Arc<Kept>) {
    let kept = Arc::new(Kept::default());
    (Polarway::builder(config).recorder(Arc::clone(&kept) as _).open().await.unwrap(), kept)
}

#[tokio::test(flavor = "multi_thread")]
async fn an_engine_registers_every_metric_when_it_opens_and_counts_into_its_own_recorder_alone() {
    let folders = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
    let (first, counted) = opened(config(&folders[0])).await;
    let (second, other) = opened(config(&folders[1])).await;
    for metric in ENGINE_METRICS {
        let series = counted.0.lock().unwrap();
        let is_there = series.keys().any(|series| series.split(' ').next() == Some(metric.name));
        assert!(is_there, "{} is not registered", metric.name);
    }
    first.store("trades", trades(&[("BTC", 1)])).await.unwrap();
    first.load("trades").await.unwrap();
    first.query("SELECT count(*) FROM trades").await.unwrap();
    first.query("SELECT * FROM missing").await.unwrap_err();
    first.sample_metrics().await;
    second.sample_metrics().await;
    let commits = "polarway_commits_total storage=cold kind=overwrite";
    assert_eq!((counted.number(commits), other.number(commits)), (1, 0));
    let (succeeded, failed) =
        ("polarway_queries_total outcome=succeeded", "polarway_queries_total outcome=failed");
    assert_eq!((counted.number(succeeded), counted.number(failed)), (1, 1));
    assert_eq!((other.number(succeeded), other.number(failed)), (0, 0));
    assert_eq!(counted.gauge("polarway_cache_tables"), 1.0);
    let written =
        "polarway_storage_operation_duration_seconds storage=cold backend=directory operation=write";
    assert_eq!((counted.number(written), other.number(written)), (1, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_query_that_the_queue_refuses_is_counted_as_refused() {
    let folder = tempfile::tempdir().unwrap();
    let mut config = config(&folder);
    (config.query_limits.running, config.query_limits.waiting) = (1, 0);
    let (polarway, counted) = opened(config).await;
    let holds = polarway.query_stream("FROM range(100000000)").await.unwrap();
    let refused = polarway.query("SELECT 42").await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::ResourceExhausted, "{refused}");
    assert_eq!(counted.number("polarway_queries_total outcome=refused"), 1);
    drop(holds);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_query_that_asks_for_several_workers_where_there_is_one_is_counted_as_refused_by_them() {
    let folder = tempfile::tempdir().unwrap();
    let (polarway, counted) = opened(config(&folder)).await;
    let options = QueryOptions { engine: EngineChoice::Distributed, ..QueryOptions::default() };
    let refused = polarway.query_with("SELECT 42", options).await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::NotDistributable, "{refused}");
    polarway.query("SELECT 42").await.unwrap();
    polarway.sample_metrics().await;
    let ended =
        |labels: &str| counted.number(&format!("polarway_distributed_queries_total outcome={labels}"));
    assert_eq!(ended("refused why=none"), 1);
    assert_eq!(ended("done why=none") + ended("failed why=none") + ended("local why=workers"), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_recorder_nothing_is_sampled() {
    let folder = tempfile::tempdir().unwrap();
    let polarway = Polarway::open(config(&folder)).await.unwrap();
    polarway.sample_metrics().await;
    assert!(polarway.datasets().await.unwrap().is_empty());
}
