//! An engine's metrics: registered when it opens, and kept here.

use std::sync::Arc;
use std::time::{Duration, Instant};

use metrics::{Counter, Gauge, Histogram, Recorder};
use parking_lot::Mutex;
use polarway_handles::Handle;
use polarway_model::CacheStats;
use polarway_query::{
    DistributedCounts, DistributedOutcome, EngineCondition, QueryObserver, QueryOutcome, QueryStatus,
    QueueState, StayCause,
};
use polarway_storage::{ChangeCounts, CommitKind, MemoryBudget, RangeCache};

use super::list;
use super::storage::BucketMetrics;

/// How long a count of the handles in a shared storage is used: counting reads the storage.
const HANDLES_COUNT_LASTS: Duration = Duration::from_secs(60);

/// A recorder that a program gives.
pub(crate) type SharedRecorder = Arc<dyn Recorder + Send + Sync>;

/// What an engine counts and measures, except in its storages.
pub(crate) struct EngineMetrics {
    cache: CacheMetrics,
    ranges: RangeMetrics,
    buckets: Vec<BucketMetrics>,
    memory_used: Gauge,
    memory_capacity: Gauge,
    queue: QueueMetrics,
    /// Each outcome with its counter.
    distributed: [(DistributedOutcome, Counter); DistributedOutcome::ALL.len()],
    cold: ChangeMetrics,
    state: ChangeMetrics,
    handles: Gauge,
    handles_bytes: Gauge,
    pub(crate) handles_made: Counter,
    handles_counted: Mutex<Option<Instant>>,
}

struct CacheMetrics {
    hit_rate: Gauge,
    hits: Counter,
    misses: Counter,
    evictions: Counter,
    tables: Gauge,
    bytes: Gauge,
    capacity: Gauge,
}

/// Those of the ranges of data files that are in no directory.
struct RangeMetrics {
    cache: RangeCache,
    requests: Counter,
    errors: Counter,
    fetched: Counter,
    hit: Counter,
    missed: Counter,
    memory: Gauge,
    disk: Gauge,
}

struct QueueMetrics {
    running: Gauge,
    waiting: Gauge,
    stuck: Gauge,
    restarts: Counter,
}

struct ChangeMetrics {
    commits: [Counter; CommitKind::ALL.len()],
    conflicts: Counter,
    repeats: Counter,
}

/// The values that are read when metrics are collected.
pub(crate) struct Sample {
    pub(crate) cache: CacheStats,
    pub(crate) queue: QueueState,
    pub(crate) condition: EngineCondition,
    pub(crate) distributed: DistributedCounts,
    pub(crate) cold: ChangeCounts,
    /// Of the storage of handles, if they have one.
    pub(crate) state: Option<ChangeCounts>,
}

impl EngineMetrics {
    pub(crate) fn new(recorder: &dyn Recorder, ranges: RangeCache, buckets: Vec<BucketMetrics>) -> Self {
        Self {
            ranges: RangeMetrics::new(recorder, ranges),
            buckets,
            cache: CacheMetrics {
                hit_rate: list::CACHE_HIT_RATE.register_gauge(recorder, &[]),
                hits: list::CACHE_HITS.register_counter(recorder, &[]),
                misses: list::CACHE_MISSES.register_counter(recorder, &[]),
                evictions: list::CACHE_EVICTIONS.register_counter(recorder, &[]),
                tables: list::CACHE_TABLES.register_gauge(recorder, &[]),
                bytes: list::CACHE_BYTES.register_gauge(recorder, &[]),
                capacity: list::CACHE_CAPACITY_BYTES.register_gauge(recorder, &[]),
            },
            memory_used: list::MEMORY_USED_BYTES.register_gauge(recorder, &[]),
            memory_capacity: list::MEMORY_CAPACITY_BYTES.register_gauge(recorder, &[]),
            queue: QueueMetrics {
                running: list::QUERIES_RUNNING.register_gauge(recorder, &[]),
                waiting: list::QUERIES_WAITING.register_gauge(recorder, &[]),
                stuck: list::QUERIES_STUCK.register_gauge(recorder, &[]),
                restarts: list::QUERY_ENGINE_RESTARTS.register_counter(recorder, &[]),
            },
            distributed: DistributedOutcome::ALL.map(|outcome| {
                (outcome, list::DISTRIBUTED_QUERIES.register_counter(recorder, &labels(outcome)))
            }),
            cold: ChangeMetrics::new(recorder, "cold"),
            state: ChangeMetrics::new(recorder, "state"),
            handles: list::HANDLES.register_gauge(recorder, &[]),
            handles_bytes: list::HANDLES_BYTES.register_gauge(recorder, &[]),
            handles_made: list::HANDLES_MADE.register_counter(recorder, &[]),
            handles_counted: Mutex::new(None),
        }
    }

    /// Sets the metrics that are read and not counted.
    pub(crate) fn sample(&self, memory: &MemoryBudget, sample: &Sample) {
        let Sample { cache, queue, condition, distributed, cold, state } = sample;
        self.cache.hit_rate.set(cache.hit_rate());
        self.cache.hits.absolute(cache.hits);
        self.cache.misses.absolute(cache.misses);
        self.cache.evictions.absolute(cache.evictions);
        self.cache.tables.set(cache.tables as f64);
        self.cache.bytes.set(cache.bytes as f64);
        self.cache.capacity.set(cache.capacity_bytes as f64);
        self.ranges.sample();
        self.buckets.iter().for_each(BucketMetrics::sample);
        self.memory_used.set(memory.used() as f64);
        self.memory_capacity.set(memory.capacity() as f64);
        self.queue.running.set(queue.running as f64);
        self.queue.waiting.set(queue.waiting as f64);
        self.queue.stuck.set(queue.stuck as f64);
        self.queue.restarts.absolute(condition.replaced);
        for (outcome, counter) in &self.distributed {
            counter.absolute(distributed.of(*outcome));
        }
        self.cold.set(cold);
        if let Some(state) = state {
            self.state.set(state);
        }
    }

    /// Whether the handles should be counted again, because the last count is too old. If so, this counts as a new count.
    pub(crate) fn should_count_handles(&self, is_shared: bool) -> bool {
        let mut counted = self.handles_counted.lock();
        let is_due = !is_shared || counted.is_none_or(|counted| counted.elapsed() >= HANDLES_COUNT_LASTS);
        if is_due {
            *counted = Some(Instant::now());
        }
        is_due
    }

    pub(crate) fn count_handles(&self, handles: &[Handle]) {
        self.handles.set(handles.len() as f64);
        self.handles_bytes.set(handles.iter().map(|handle| handle.bytes).sum::<u64>() as f64);
    }
}

/// The values of the labels `outcome` and `why`.
fn labels(outcome: DistributedOutcome) -> [&'static str; 2] {
    match outcome {
        DistributedOutcome::Done => ["done", "none"],
        DistributedOutcome::Refused => ["refused", "none"],
        DistributedOutcome::Lost => ["lost", "none"],
        DistributedOutcome::Failed => ["failed", "none"],
        DistributedOutcome::Local(cause) => [
            "local",
            match cause {
                StayCause::Plan => "plan",
                StayCause::Memory => "memory",
                StayCause::Workers => "workers",
                StayCause::Lost => "lost",
                StayCause::Failed => "failed",
            },
        ],
    }
}

impl RangeMetrics {
    fn new(recorder: &dyn Recorder, cache: RangeCache) -> Self {
        Self {
            cache,
            requests: list::RANGE_REQUESTS.register_counter(recorder, &[]),
            errors: list::RANGE_REQUEST_ERRORS.register_counter(recorder, &[]),
            fetched: list::RANGE_FETCHED_BYTES.register_counter(recorder, &[]),
            hit: list::RANGE_HIT_BYTES.register_counter(recorder, &[]),
            missed: list::RANGE_MISSED_BYTES.register_counter(recorder, &[]),
            memory: list::RANGE_MEMORY_BYTES.register_gauge(recorder, &[]),
            disk: list::RANGE_DISK_BYTES.register_gauge(recorder, &[]),
        }
    }

    fn sample(&self) {
        let stats = self.cache.stats();
        self.requests.absolute(stats.requests);
        self.errors.absolute(stats.failed_requests);
        self.fetched.absolute(stats.fetched_bytes);
        self.hit.absolute(stats.hit_bytes);
        self.missed.absolute(stats.missed_bytes);
        self.memory.set(stats.memory_bytes as f64);
        self.disk.set(stats.disk_bytes as f64);
    }
}

impl ChangeMetrics {
    fn new(recorder: &dyn Recorder, storage: &str) -> Self {
        Self {
            commits: CommitKind::ALL
                .map(|kind| list::COMMITS.register_counter(recorder, &[storage, kind.name()])),
            conflicts: list::COMMIT_CONFLICTS.register_counter(recorder, &[storage]),
            repeats: list::REPEATED_REQUESTS.register_counter(recorder, &[storage]),
        }
    }

    fn set(&self, counts: &ChangeCounts) {
        for (commits, count) in self.commits.iter().zip(counts.commits) {
            commits.absolute(count);
        }
        self.conflicts.absolute(counts.lost_races);
        self.repeats.absolute(counts.repeats);
    }
}

/// Measures each query that has ended.
pub(crate) struct QueryMetrics {
    succeeded: Counter,
    failed: Counter,
    stopped: Counter,
    refused: Counter,
    whole: Histogram,
    waiting: Histogram,
    checking: Histogram,
    resolving: Histogram,
    planning: Histogram,
    running: Histogram,
}

impl QueryMetrics {
    pub(crate) fn new(recorder: &dyn Recorder) -> Self {
        let ended = |outcome: &str| list::QUERIES.register_counter(recorder, &[outcome]);
        let phase = |phase: &str| list::QUERY_PHASE_DURATION.register_histogram(recorder, &[phase]);
        Self {
            succeeded: ended("succeeded"),
            failed: ended("failed"),
            stopped: ended("stopped"),
            refused: ended("refused"),
            whole: list::QUERY_DURATION.register_histogram(recorder, &[]),
            waiting: phase("waiting"),
            checking: phase("checking"),
            resolving: phase("resolving"),
            planning: phase("planning"),
            running: phase("running"),
        }
    }
}

impl QueryObserver for QueryMetrics {
    fn ended(&self, query: &QueryStatus, outcome: QueryOutcome) {
        match outcome {
            QueryOutcome::Succeeded => &self.succeeded,
            QueryOutcome::Failed => &self.failed,
            QueryOutcome::Stopped => &self.stopped,
            QueryOutcome::Refused => &self.refused,
        }
        .increment(1);
        let times = query.summary.times;
        self.whole.record(times.total());
        self.waiting.record(times.waiting);
        // A phase that the query did not reach has no duration, not the duration 0.
        for (phase, time) in [
            (&self.checking, times.checking),
            (&self.resolving, times.resolving),
            (&self.planning, times.planning),
            (&self.running, times.running),
        ] {
            if !time.is_zero() {
                phase.record(time);
            }
        }
    }
}
