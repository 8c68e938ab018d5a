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
    /// How many seconds more than this peer are too few to count, whatever the ratio.
    pub(super) slack_seconds: f64,
}

/// Who measures.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Party {
    Polarway,
    Peers,
    /// The program of a client, which measures what its users would take otherwise as well.
    Client,
}

pub(super) const MEASURES: [Measure; 51] = [
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
    Measure {
        name: "network-tls-load",
        about: "load a cached table over loopback inside of TLS (the peer: Arrow Flight with TLS; beside the same without)",
        moves_the_table: true,
        limit_seconds: None,
        rivals: &[peer("flight.do_get_tls", Some(1.0)), ours("network-cached-load", None)],
    },
    Measure {
        name: "network-tls-store",
        about: "store a table over loopback inside of TLS, on disk before the answer (beside the same without; Flight keeps nothing)",
        moves_the_table: true,
        limit_seconds: None,
        rivals: &[ours("network-store", None), peer("flight.do_put_tls", None)],
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
    limited(
        "network-point-query",
        "one row of the table over loopback, over plain DuckDB's time for it",
        2e-3,
    ),
    Measure {
        name: "network-stream",
        about: "the whole table as a query's result over loopback (beside DuckDB in process on the same file)",
        moves_the_table: true,
        limit_seconds: None,
        rivals: &[ours("duckdb.stream_arrow", Some(0.9))],
    },
    Measure {
        name: "network-64-clients",
        about: "SELECT 42 by 64 clients at once, per query (beside a bare tonic server; at most 3 times that)",
        moves_the_table: false,
        limit_seconds: None,
        rivals: &[ours("tonic", Some(1.0 / 3.0))],
    },
    Measure {
        name: "network-64-clients-table",
        about: "a sum over 1,000 rows by 64 clients at once, per query",
        moves_the_table: false,
        limit_seconds: None,
        rivals: &[ours("tonic", None)],
    },
    Measure {
        name: "nginx-cached-load",
        about: "load a cached table through nginx to record batches (the peer: Arrow Flight through the same nginx)",
        moves_the_table: true,
        limit_seconds: None,
        rivals: &[peer("flight.do_get_nginx", Some(1.0)), ours("network-cached-load", None)],
    },
    Measure {
        name: "nginx-cached-load-small",
        about: "load a cached table of 1,000 rows through nginx (the peer: Arrow Flight through the same nginx)",
        moves_the_table: false,
        limit_seconds: None,
        rivals: &[peer("flight.do_get_small_nginx", Some(1.0)), ours("network-cached-load-small", None)],
    },
    Measure {
        name: "handle-memory",
        about: "keep a result of the table's rows in memory (beside DuckDB's CREATE TABLE AS; at most 1.3 times that)",
        moves_the_table: true,
        limit_seconds: None,
        rivals: &[ours("duckdb.create_table", Some(1.0 / 1.3))],
    },
    Measure {
        name: "handle-external",
        about: "keep a result of the table's rows in a directory (beside DuckDB's COPY to Parquet; at most 1.3 times that)",
        moves_the_table: true,
        limit_seconds: None,
        rivals: &[ours("duckdb.copy_query", Some(1.0 / 1.3))],
    },
    Measure {
        name: "handle-memory-follow-up",
        about: "aggregate a result that is kept in memory (beside DuckDB on its own table)",
        moves_the_table: false,
        limit_seconds: None,
        rivals: &[within("duckdb.own_table")],
    },
    Measure {
        name: "handle-external-follow-up",
        about: "aggregate a result that is kept in a directory (beside DuckDB on that Parquet)",
        moves_the_table: false,
        limit_seconds: None,
        rivals: &[within("duckdb.that_parquet")],
    },
    Measure {
        name: "tpch-all",
        about: "TPC-H at scale 1, all 22 queries over loopback (beside DuckDB in process on the same files)",
        moves_the_table: false,
        limit_seconds: None,
        rivals: &[ours("duckdb.tpch-all", Some(1.0 / 1.05))],
    },
    tpch("tpch-01", &[within("duckdb.tpch-01")]),
    tpch("tpch-02", &[within("duckdb.tpch-02")]),
    tpch("tpch-03", &[within("duckdb.tpch-03")]),
    tpch("tpch-04", &[within("duckdb.tpch-04")]),
    tpch("tpch-05", &[within("duckdb.tpch-05")]),
    tpch("tpch-06", &[within("duckdb.tpch-06")]),
    tpch("tpch-07", &[within("duckdb.tpch-07")]),
    tpch("tpch-08", &[within("duckdb.tpch-08")]),
    tpch("tpch-09", &[within("duckdb.tpch-09")]),
    tpch("tpch-10", &[within("duckdb.tpch-10")]),
    tpch("tpch-11", &[within("duckdb.tpch-11")]),
    tpch("tpch-12", &[within("duckdb.tpch-12")]),
    tpch("tpch-13", &[within("duckdb.tpch-13")]),
    tpch("tpch-14", &[within("duckdb.tpch-14")]),
    tpch("tpch-15", &[within("duckdb.tpch-15")]),
    tpch("tpch-16", &[within("duckdb.tpch-16")]),
    tpch("tpch-17", &[within("duckdb.tpch-17")]),
    tpch("tpch-18", &[within("duckdb.tpch-18")]),
    tpch("tpch-19", &[within("duckdb.tpch-19")]),
    tpch("tpch-20", &[within("duckdb.tpch-20")]),
    tpch("tpch-21", &[within("duckdb.tpch-21")]),
    tpch("tpch-22", &[within("duckdb.tpch-22")]),
];

pub(super) const fn peer(name: &'static str, at_least: Option<f64>) -> Rival {
    Rival { name, by: Party::Peers, at_least, slack_seconds: 0.0 }
}

pub(super) const fn ours(name: &'static str, at_least: Option<f64>) -> Rival {
    Rival { name, by: Party::Polarway, at_least, slack_seconds: 0.0 }
}

/// A query of TPC-H: as fast as DuckDB but for a twentieth, or for 5 ms.
const fn within(name: &'static str) -> Rival {
    Rival { name, by: Party::Polarway, at_least: Some(1.0 / 1.05), slack_seconds: 5e-3 }
}

const fn tpch(name: &'static str, rivals: &'static [Rival; 1]) -> Measure {
    let about = "one query of TPC-H at scale 1 over loopback (beside DuckDB in process on the same files)";
    Measure { name, about, moves_the_table: false, limit_seconds: None, rivals }
}

const fn limited(name: &'static str, about: &'static str, limit_seconds: f64) -> Measure {
    Measure { name, about, moves_the_table: false, limit_seconds: Some(limit_seconds), rivals: &[] }
}

const fn loading(name: &'static str, about: &'static str) -> Measure {
    const RIVALS: [Rival; 2] =
        [peer("pyarrow.parquet.read_table", Some(0.9)), peer("polars.read_parquet", None)];
    Measure { name, about, moves_the_table: true, limit_seconds: None, rivals: &RIVALS }
}
