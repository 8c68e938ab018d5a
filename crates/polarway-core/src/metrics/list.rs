//! The engine's metrics, each defined once.

use super::definition::{Metric, MetricLabel};

const STORAGE: MetricLabel = MetricLabel {
    name: "storage",
    values: "`cold` is the cold tier, `state` the storage of handles, if they have one",
};
const BACKEND: MetricLabel =
    MetricLabel { name: "backend", values: "`directory`, `s3`, `azure`, `gcs` or `memory`" };
const OPERATION: MetricLabel = MetricLabel {
    name: "operation",
    values: "`get`, `head`, `list`, `open`, `read`, `write`, `create_commit`, `settle_commit`, `replace`, `copy`, `remove`, `check` \
             or `now`",
};

pub(super) const CACHE_HIT_RATE: Metric = Metric::gauge(
    "polarway_cache_hit_rate",
    &[],
    "The part of all look-ups in the cache since the start that found their table, from 0 to 1.",
);
pub(super) const CACHE_HITS: Metric =
    Metric::counter("polarway_cache_hits_total", &[], "Look-ups in the cache that found their table.");
pub(super) const CACHE_MISSES: Metric = Metric::counter(
    "polarway_cache_misses_total",
    &[],
    "Look-ups in the cache that did not find their table.",
);
pub(super) const CACHE_EVICTIONS: Metric = Metric::counter(
    "polarway_cache_evictions_total",
    &[],
    "Tables that were removed from the cache to make room for others.",
);
pub(super) const CACHE_TABLES: Metric = Metric::gauge("polarway_cache_tables", &[], "Tables in the cache.");
pub(super) const CACHE_BYTES: Metric =
    Metric::gauge("polarway_cache_bytes", &[], "The size of the tables in the cache, in bytes.");
pub(super) const CACHE_CAPACITY_BYTES: Metric = Metric::gauge(
    "polarway_cache_capacity_bytes",
    &[],
    "The size that the tables in the cache may have, in bytes; 0 if the cache is off.",
);

pub(super) const RANGE_REQUESTS: Metric = Metric::counter(
    "polarway_range_requests_total",
    &[],
    "Requests of queries for ranges of data files that are in no directory.",
);
pub(super) const RANGE_REQUEST_ERRORS: Metric =
    Metric::counter("polarway_range_request_errors_total", &[], "Such requests that failed.");
pub(super) const RANGE_FETCHED_BYTES: Metric =
    Metric::counter("polarway_range_fetched_bytes_total", &[], "Bytes that such requests brought.");
pub(super) const RANGE_HIT_BYTES: Metric = Metric::counter(
    "polarway_range_hit_bytes_total",
    &[],
    "Bytes of such ranges that queries found in memory or on disk.",
);
pub(super) const RANGE_MISSED_BYTES: Metric = Metric::counter(
    "polarway_range_missed_bytes_total",
    &[],
    "Bytes of such ranges that queries waited for.",
);
pub(super) const RANGE_MEMORY_BYTES: Metric = Metric::gauge(
    "polarway_range_memory_bytes",
    &[],
    "The size of such ranges that are kept in memory, in bytes.",
);
pub(super) const RANGE_DISK_BYTES: Metric = Metric::gauge(
    "polarway_range_disk_bytes",
    &[],
    "The size of such ranges that are kept on disk, in bytes.",
);

pub(super) const MEMORY_USED_BYTES: Metric = Metric::gauge(
    "polarway_memory_used_bytes",
    &[],
    "The memory that uploads, loads and the cache hold together, in bytes.",
);
pub(super) const MEMORY_CAPACITY_BYTES: Metric = Metric::gauge(
    "polarway_memory_capacity_bytes",
    &[],
    "The memory that uploads, loads and the cache may hold together, in bytes.",
);

pub(super) const QUERIES_RUNNING: Metric =
    Metric::gauge("polarway_queries_running", &[], "Queries that run in a slot now.");
pub(super) const QUERIES_WAITING: Metric =
    Metric::gauge("polarway_queries_waiting", &[], "Queries that wait in the queue for a slot now.");
pub(super) const QUERIES_STUCK: Metric = Metric::gauge(
    "polarway_queries_stuck",
    &[],
    "Queries that were stopped and whose threads still work beside the slots.",
);
pub(super) const QUERIES: Metric = Metric::counter(
    "polarway_queries_total",
    &[MetricLabel {
        name: "outcome",
        values: "`succeeded`, `failed`, `stopped` (cancelled, too late, or its reader too slow) or `refused` (the queue was full)",
    }],
    "Queries that have ended.",
);
pub(super) const QUERY_DURATION: Metric = Metric::histogram(
    "polarway_query_duration_seconds",
    &[],
    "The duration of queries, from their arrival to their end. It includes waiting in the queue and the time that a slow reader takes.",
);
pub(super) const QUERY_PHASE_DURATION: Metric = Metric::histogram(
    "polarway_query_phase_duration_seconds",
    &[MetricLabel {
        name: "phase",
        values: "`waiting` (in the queue), `checking`, `resolving`, `planning` or `running`",
    }],
    "The time that queries spent in each phase.",
);
pub(super) const QUERY_ENGINE_RESTARTS: Metric = Metric::counter(
    "polarway_query_engine_restarts_total",
    &[],
    "How often a query broke DuckDB, so that a new one was opened.",
);

pub(super) const DISTRIBUTED_QUERIES: Metric = Metric::counter(
    "polarway_distributed_queries_total",
    &[
        MetricLabel {
            name: "outcome",
            values: "`done` (several workers ran it to its end), `local` (the worker that was asked ran it alone), `refused` (it \
                     asked for several workers, which can't run it), `lost` (a worker was lost, and it could not run again) or \
                     `failed` (it failed or was stopped)",
        },
        MetricLabel {
            name: "why",
            values: "for `local`: `plan` (something in it is not known to run on several workers), `memory` (a table or its result \
                     is in the memory of one worker), `workers` (too few were ready), `lost` (workers were lost before the first \
                     row) or `failed` (it failed there before the first row); otherwise `none`",
        },
    ],
    "Queries that were to run on several workers, by the worker that was asked.",
);

pub(super) const STORAGE_DURATION: Metric = Metric::histogram(
    "polarway_storage_operation_duration_seconds",
    &[STORAGE, BACKEND, OPERATION],
    "The time of the operations of a storage. `write` is a whole data file, from its beginning to its stable end. Files that \
     DuckDB reads in place are not counted.",
);
pub(super) const STORAGE_ERRORS: Metric = Metric::counter(
    "polarway_storage_errors_total",
    &[STORAGE, BACKEND, OPERATION],
    "Operations of a storage that failed.",
);
pub(super) const STORAGE_READ_BYTES: Metric = Metric::counter(
    "polarway_storage_read_bytes_total",
    &[STORAGE, BACKEND],
    "Bytes that were read from a storage. Files that DuckDB reads in place are not counted.",
);
pub(super) const STORAGE_WRITTEN_BYTES: Metric = Metric::counter(
    "polarway_storage_written_bytes_total",
    &[STORAGE, BACKEND],
    "Bytes that were written to a storage.",
);
pub(super) const BUCKET_REQUESTS: Metric = Metric::counter(
    "polarway_bucket_requests_total",
    &[STORAGE, BACKEND],
    "Requests that were sent to the service of a bucket, each try counted; 0 for other storages.",
);
pub(super) const BUCKET_BUSY: Metric = Metric::counter(
    "polarway_bucket_busy_total",
    &[STORAGE, BACKEND],
    "Such requests that the service did not carry out because it was busy or failed: `SlowDown`, 429, 503 and the like. They are \
     sent again after a pause.",
);
pub(super) const STORAGE_TAKES_WRITES: Metric = Metric::gauge(
    "polarway_storage_takes_writes",
    &[STORAGE, BACKEND],
    "0 if the last write was refused because the storage is read-only or full, or the rights to write are missing; 1 otherwise.",
);
pub(super) const STATE_STORE_BYTES_READ: Metric = Metric::counter(
    "polarway_state_store_bytes_read",
    &[],
    "Bytes that were read from the storage of handles; 0 if handles are in memory. Files that DuckDB reads in place are not \
     counted.",
);
pub(super) const STATE_STORE_BYTES_WRITTEN: Metric = Metric::counter(
    "polarway_state_store_bytes_written",
    &[],
    "Bytes that were written to the storage of handles; 0 if handles are in memory.",
);

pub(super) const COMMITS: Metric = Metric::counter(
    "polarway_commits_total",
    &[
        STORAGE,
        MetricLabel {
            name: "kind",
            values: "`overwrite`, `append`, `delete`, `compact`, `vacuum` or `renew`",
        },
    ],
    "Commits that this worker made.",
);
pub(super) const COMMIT_CONFLICTS: Metric = Metric::counter(
    "polarway_commit_conflicts_total",
    &[STORAGE],
    "Attempts to commit that failed because another commit took the number first. The write is then tried again with the next number.",
);
pub(super) const REPEATED_REQUESTS: Metric = Metric::counter(
    "polarway_repeated_requests_total",
    &[STORAGE],
    "Writes that an earlier call with the same request id had already carried out.",
);

pub(super) const HANDLES: Metric = Metric::gauge(
    "polarway_handles",
    &[],
    "Handles that are kept. With a shared storage, each worker reports all handles in it, counted at most a minute ago.",
);
pub(super) const HANDLES_BYTES: Metric =
    Metric::gauge("polarway_handles_bytes", &[], "The size of these handles, in bytes.");
pub(super) const HANDLES_MADE: Metric =
    Metric::counter("polarway_handles_made_total", &[], "Handles that this worker made.");

/// All metrics of an engine.
pub const ENGINE_METRICS: &[Metric] = &[
    CACHE_HIT_RATE,
    CACHE_HITS,
    CACHE_MISSES,
    CACHE_EVICTIONS,
    CACHE_TABLES,
    CACHE_BYTES,
    CACHE_CAPACITY_BYTES,
    RANGE_REQUESTS,
    RANGE_REQUEST_ERRORS,
    RANGE_FETCHED_BYTES,
    RANGE_HIT_BYTES,
    RANGE_MISSED_BYTES,
    RANGE_MEMORY_BYTES,
    RANGE_DISK_BYTES,
    MEMORY_USED_BYTES,
    MEMORY_CAPACITY_BYTES,
    QUERIES_RUNNING,
    QUERIES_WAITING,
    QUERIES_STUCK,
    QUERIES,
    QUERY_DURATION,
    QUERY_PHASE_DURATION,
    QUERY_ENGINE_RESTARTS,
    DISTRIBUTED_QUERIES,
    STORAGE_DURATION,
    STORAGE_ERRORS,
    STORAGE_READ_BYTES,
    STORAGE_WRITTEN_BYTES,
    BUCKET_REQUESTS,
    BUCKET_BUSY,
    STORAGE_TAKES_WRITES,
    STATE_STORE_BYTES_READ,
    STATE_STORE_BYTES_WRITTEN,
    COMMITS,
    COMMIT_CONFLICTS,
    REPEATED_REQUESTS,
    HANDLES,
    HANDLES_BYTES,
    HANDLES_MADE,
];
