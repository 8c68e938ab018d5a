//! What is measured, against whom, and what must hold.

/// One number that `polarway-bench` answers when asked by `name`, and what it is held to.
pub(super) struct Measure {
    pub(super) name: &'static str,
    pub(super) about: &'static str,
    /// Whether the whole table passes through, so that bytes per second mean something.
    pub(super) moves_the_table: bool,
    /// The most seconds that it may take.
    pub(super) limit_seconds: Option<f64>,
    pub(super) rivals: &'static [Rival],
}

/// The same done by a peer.
pub(super) struct Rival {
    /// What `peers.py` calls it.
    pub(super) name: &'static str,
    /// How many times as fast as this peer Polarway must be. A peer without a bar is one to beat.
    pub(super) at_least: Option<f64>,
}

pub(super) const MEASURES: [Measure; 10] = [
    loading(
        "load-parquet",
        "load to record batches what Polarway stored (the peers: what pyarrow wrote), without a cache",
    ),
    loading(
        "load-parquet-adopted",
        "load to record batches the very file that the peers read, without a cache",
    ),
    Measure {
        name: "load-parquet-filling",
        about: "load what Polarway stored, into an empty cache on the way",
        moves_the_table: true,
        limit_seconds: None,
        rivals: &[],
    },
    Measure {
        name: "store",
        about: "store a table as Parquet, ZSTD 3, on disk before the answer (the peers' files are fsynced, too)",
        moves_the_table: true,
        limit_seconds: None,
        rivals: &[
            Rival { name: "duckdb.copy", at_least: Some(1.5) },
            Rival { name: "polars.write_parquet", at_least: None },
            Rival { name: "pyarrow.parquet.write_table", at_least: None },
        ],
    },
    limited("cached-load", "load a cached table: all chunks at hand", 50e-6),
    limited(
        "query-overhead-new",
        "a query over plain DuckDB's time for it, its text never seen before",
        2e-3,
    ),
    limited("query-overhead-seen", "a query over plain DuckDB's time for it, its text seen before", 0.5e-3),
    limited("latest-version-known", "the newest of 10,000 versions, once known", 0.2e-3),
    limited("latest-version-cold", "the newest of 10,000 versions, by a worker that knows nothing", 5e-3),
    limited("list-versions", "a list of 10,000 versions", 1.0),
];

const fn limited(name: &'static str, about: &'static str, limit_seconds: f64) -> Measure {
    Measure { name, about, moves_the_table: false, limit_seconds: Some(limit_seconds), rivals: &[] }
}

const fn loading(name: &'static str, about: &'static str) -> Measure {
    const RIVALS: [Rival; 2] = [
        Rival { name: "pyarrow.parquet.read_table", at_least: Some(0.9) },
        Rival { name: "polars.read_parquet", at_least: None },
    ];
    Measure { name, about, moves_the_table: true, limit_seconds: None, rivals: &RIVALS }
}
