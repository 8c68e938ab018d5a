//! What `cargo xtask bench --cloud` measures: tables in a bucket, beside DuckDB with its own httpfs, bare requests, and ArcticDB.

use super::measures::{Measure, ours, peer};

pub(super) const CLOUD_MEASURES: [Measure; 6] = [
    Measure {
        name: "cloud-query-cold",
        about: "query 2 of 20 columns of a table of 1 GB, for the first time (the peer reads the same file)",
        moves_the_table: false,
        limit_seconds: Some(1.0),
        rivals: &[peer("duckdb.httpfs_cold", Some(1.0))],
    },
    Measure {
        name: "cloud-query-again",
        about: "the same query once more",
        moves_the_table: false,
        limit_seconds: Some(0.4),
        rivals: &[peer("duckdb.httpfs_again", Some(2.0))],
    },
    Measure {
        name: "cloud-query-again-stale",
        about: "the same with --max-staleness 1s: the bucket is not asked for a newer version",
        moves_the_table: false,
        limit_seconds: Some(0.4),
        rivals: &[peer("duckdb.httpfs_again", None)],
    },
    Measure {
        name: "cloud-load",
        about: "load a table to record batches, without a cache (beside 8 requests at a time for the bytes of its file)",
        moves_the_table: true,
        limit_seconds: None,
        rivals: &[ours("ranged-gets", Some(0.9))],
    },
    Measure {
        name: "cloud-store",
        about: "store a table as Parquet",
        moves_the_table: true,
        limit_seconds: None,
        rivals: &[peer("arcticdb.write", Some(1.0))],
    },
    Measure {
        name: "cloud-cached-load-small",
        about: "load a cached table of 1,000 rows over loopback from a server with --max-staleness 1s",
        moves_the_table: false,
        limit_seconds: Some(1e-3),
        rivals: &[],
    },
];
