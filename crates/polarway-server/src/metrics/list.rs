//! The server's metrics, each defined once.

use polarway_core::metrics::{Metric, MetricLabel};

const METHOD: MetricLabel = MetricLabel {
    name: "method",
    values: "a method of the service, such as `Load`; or `Health`, `Reflection` or `Unknown`",
};
const CODE: MetricLabel = MetricLabel { name: "code", values: "a gRPC code, such as `OK` or `NOT_FOUND`" };
const CALL: MetricLabel = MetricLabel { name: "call", values: "`Store`, `Load` or `Query`" };

pub(super) const REQUESTS: Metric = Metric::counter(
    "polarway_grpc_requests_total",
    &[METHOD, CODE],
    "Calls that have ended. If the caller disconnects before the end, the code is `CANCELLED`.",
);
pub(super) const REQUEST_DURATION: Metric = Metric::histogram(
    "polarway_grpc_request_duration_seconds",
    &[METHOD],
    "The duration of calls, from their headers to the end of their answer. It includes the time that a slow reader takes.",
);
pub(super) const ERRORS: Metric = Metric::counter(
    "polarway_grpc_errors_total",
    &[
        CODE,
        MetricLabel {
            name: "reason",
            values: "a reason of [errors.md](errors.md), or `NONE` for an error without one",
        },
    ],
    "Calls that ended with an error.",
);
pub(super) const IN_FLIGHT: Metric =
    Metric::gauge("polarway_grpc_requests_in_flight", &[METHOD], "Calls that have not ended.");
pub(super) const ROWS_MOVED: Metric = Metric::counter(
    "polarway_rows_moved_total",
    &[CALL],
    "Rows that were received for stores, and sent for loads and queries.",
);
pub(super) const BYTES_MOVED: Metric = Metric::counter(
    "polarway_bytes_moved_total",
    &[CALL],
    "The size of these rows as they are on the wire, in bytes.",
);

pub(super) const CONNECTIONS: Metric =
    Metric::gauge("polarway_connections", &[], "Connections of clients that are open.");
pub(super) const CONNECTIONS_ACCEPTED: Metric =
    Metric::counter("polarway_connections_accepted_total", &[], "Connections of clients that were accepted.");
pub(super) const CONNECTIONS_REFUSED: Metric = Metric::counter(
    "polarway_connections_refused_total",
    &[],
    "Connections that were refused because the maximum number was open, in all or from one address.",
);
pub(super) const HANDSHAKES_FAILED: Metric = Metric::counter(
    "polarway_handshakes_failed_total",
    &[],
    "Connections whose handshake failed: the client spoke another protocol, or its certificate or the server's was not accepted.",
);
pub(super) const CERTIFICATE_EXPIRY: Metric = Metric::gauge(
    "polarway_tls_certificate_expiry_seconds",
    &[],
    "When the TLS certificate expires, in seconds since 1970-01-01 UTC; 0 without TLS.",
);

pub(super) const WORKERS: Metric = Metric::gauge(
    "polarway_distributed_workers",
    &[MetricLabel {
        name: "state",
        values: "`ready`, `draining`, `other` (another version or another storage) or `unreachable`",
    }],
    "Workers that this one knows for queries of several workers, itself among them, as it last found them.",
);
pub(super) const PARTS: Metric = Metric::gauge(
    "polarway_distributed_parts",
    &[],
    "Queries of several workers that this one takes part in now.",
);
pub(super) const DISTRIBUTED_MEMORY_BYTES: Metric = Metric::gauge(
    "polarway_distributed_memory_bytes",
    &[],
    "The memory that queries of several workers have reserved on this one, in bytes.",
);
pub(super) const DISTRIBUTED_SPILLED_BYTES: Metric = Metric::gauge(
    "polarway_distributed_spilled_bytes",
    &[],
    "What these queries have on disk now because it does not fit into their memory, in bytes.",
);
pub(super) const TRIES: Metric = Metric::counter(
    "polarway_distributed_tries_total",
    &[],
    "Tries to run a query on several workers, by the worker that was asked. A query runs again when a worker was lost.",
);
pub(super) const PLANS: Metric = Metric::counter(
    "polarway_distributed_plans_total",
    &[MetricLabel {
        name: "outcome",
        values: "`taken`, or `refused` (it does more than compute over the files of its query: no worker sends such a plan)",
    }],
    "Plans for a part of a query that came to this worker.",
);
pub(super) const MOVED_BETWEEN_WORKERS: Metric = Metric::counter(
    "polarway_distributed_moved_bytes_total",
    &[MetricLabel { name: "direction", values: "`sent` or `received`" }],
    "Bytes of rows that went over the network between this worker and others.",
);

pub(super) const READY: Metric =
    Metric::gauge("polarway_ready", &[], "Whether the worker is ready, as `/readyz` says: 1 or 0.");
pub(super) const BUILD_INFO: Metric = Metric::gauge(
    "polarway_build_info",
    &[
        MetricLabel { name: "version", values: "the version of the server" },
        MetricLabel { name: "duckdb", values: "the version of DuckDB" },
        MetricLabel { name: "protocol", values: "the revision of the protocol" },
    ],
    "Always 1; its labels are the versions.",
);

pub(super) const START_TIME: Metric = Metric::gauge(
    "process_start_time_seconds",
    &[],
    "When the process was started, in seconds since 1970-01-01 UTC.",
);
pub(super) const CPU: Metric = Metric::counter(
    "process_cpu_seconds_total",
    &[],
    "The time that processors spent on the process, in seconds.",
);
pub(super) const RESIDENT_BYTES: Metric = Metric::gauge(
    "process_resident_memory_bytes",
    &[],
    "The physical memory that the process takes, in bytes.",
);
pub(super) const VIRTUAL_BYTES: Metric =
    Metric::gauge("process_virtual_memory_bytes", &[], "The address space that the process takes, in bytes.");
pub(super) const OPEN_FILES: Metric =
    Metric::gauge("process_open_fds", &[], "Files and sockets that the process has open.");
pub(super) const MOST_OPEN_FILES: Metric =
    Metric::gauge("process_max_fds", &[], "Files and sockets that the process may have open.");
pub(super) const THREADS: Metric = Metric::gauge("process_threads", &[], "Threads of the process.");

/// All metrics of the server, beside those of its engine.
pub(super) const SERVER_METRICS: &[Metric] = &[
    REQUESTS,
    REQUEST_DURATION,
    ERRORS,
    IN_FLIGHT,
    ROWS_MOVED,
    BYTES_MOVED,
    CONNECTIONS,
    CONNECTIONS_ACCEPTED,
    CONNECTIONS_REFUSED,
    HANDSHAKES_FAILED,
    CERTIFICATE_EXPIRY,
    WORKERS,
    PARTS,
    DISTRIBUTED_MEMORY_BYTES,
    DISTRIBUTED_SPILLED_BYTES,
    TRIES,
    PLANS,
    MOVED_BETWEEN_WORKERS,
    READY,
    BUILD_INFO,
    START_TIME,
    CPU,
    RESIDENT_BYTES,
    VIRTUAL_BYTES,
    OPEN_FILES,
    MOST_OPEN_FILES,
    THREADS,
];
