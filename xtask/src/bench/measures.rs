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

/// The same done by a peer, or another measure of ours to compare with.
pub(super) struct Rival {
    /// What `peers.py` calls it, or `polarway-bench`.
    pub(super) name: &'static str,
    /// Who measures it.
    pub(super) by: Party,
    /// How many times as fast as this peer Polarway must be. A peer without a bar is one to beat.
    pub(super) at_least: Option<f64>,
}

/// Who measures.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Party {
    Polarway,
    Peers,
}

pub(super) const MEASURES: [Measure; 16] = [
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
            peer("duckdb.copy", Some(1.5)),
            peer("polars.write_parquet", None),
            peer("pyarrow.parquet.write_table", None),
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
    Measure {
        name: "network-cached-load",
        about: "load a cached table over loopback to record batches (the peer: Arrow Flight in C++, from memory)",
        moves_the_table: true,
        limit_seconds: None,
        rivals: &[peer("flight.do_get", Some(1.0)), ours("network-cached-bytes", None)],
    },
    Measure {
        name: "network-load-parquet",
        about: "load a table from Parquet over loopback (the peer: Arrow Flight that answers with read_table)",
        moves_the_table: true,
        limit_seconds: None,
        rivals: &[peer("flight.do_get_parquet", Some(1.0))],
    },
    Measure {
        name: "network-store",
        about: "store a table over loopback, on disk before the answer (beside the engine without a network)",
        moves_the_table: true,
        limit_seconds: None,
        rivals: &[ours("store", Some(1.0 / 1.15)), peer("flight.do_put", None)],
    },
    limited("network-cached-load-small", "load a cached table of 1,000 rows over loopback", 1e-3),
    Measure {
        name: "network-select-42",
        about: "SELECT 42 over loopback (beside a unary call; at most 6 times that)",
        moves_the_table: false,
        limit_seconds: None,
        rivals: &[ours("network-ping", Some(1.0 / 6.0))],
    },
    Measure {
        name: "network-ping",
        about: "a unary call over loopback",
        moves_the_table: false,
        limit_seconds: None,
        rivals: &[],
    },
];

const fn peer(name: &'static str, at_least: Option<f64>) -> Rival {
    Rival { name, by: Party::Peers, at_least }
}

const fn ours(name: &'static str, at_least: Option<f64>) -> Rival {
    Rival { name, by: Party::Polarway, at_least }
}

const fn limited(name: &'static str, about: &'static str, limit_seconds: f64) -> Measure {
    Measure { name, about, moves_the_table: false, limit_seconds: Some(limit_seconds), rivals: &[] }
}

const fn loading(name: &'static str, about: &'static str) -> Measure {
    const RIVALS: [Rival; 2] =
        [peer("pyarrow.parquet.read_table", Some(0.9)), peer("polars.read_parquet", None)];
    Measure { name, about, moves_the_table: true, limit_seconds: None, rivals: &RIVALS }
}
