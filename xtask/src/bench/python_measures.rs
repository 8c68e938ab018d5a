//! What `cargo xtask bench --python` measures: the Python client, beside pyarrow's Flight and beside the Rust client.

use super::measures::{Measure, ours, peer};

pub(super) const PYTHON_MEASURES: [Measure; 8] = [
    Measure {
        name: "python-load-arrow",
        about: "load a cached table over loopback into a pyarrow table (the peer: Flight, from memory)",
        moves_the_table: true,
        limit_seconds: None,
        rivals: &[peer("flight.do_get", Some(1.0)), ours("network-cached-load", None)],
    },
    Measure {
        name: "python-load-polars",
        about: "load a cached table over loopback into polars (the peer: Flight and pl.from_arrow)",
        moves_the_table: true,
        limit_seconds: None,
        rivals: &[peer("flight.do_get_polars", Some(1.5))],
    },
    Measure {
        name: "python-wide-arrow",
        about: "load a cached table of 1,000 columns, 320 MB, into a pyarrow table",
        moves_the_table: false,
        limit_seconds: None,
        rivals: &[peer("flight.do_get_wide", Some(1.0))],
    },
    Measure {
        name: "python-wide-polars",
        about: "load a cached table of 1,000 columns, 320 MB, into polars",
        moves_the_table: false,
        limit_seconds: None,
        rivals: &[peer("flight.do_get_wide_polars", Some(1.0))],
    },
    Measure {
        name: "python-small-arrow",
        about: "load a cached table of 1,000 rows into a pyarrow table",
        moves_the_table: false,
        limit_seconds: None,
        rivals: &[peer("flight.do_get_small", Some(1.0)), ours("network-cached-load-small", None)],
    },
    Measure {
        name: "python-small-polars",
        about: "load a cached table of 1,000 rows into polars (the peers: Flight and pl.from_arrow, and Flight alone)",
        moves_the_table: false,
        limit_seconds: None,
        rivals: &[peer("flight.do_get_small_polars", Some(1.0)), peer("flight.do_get_small", None)],
    },
    Measure {
        name: "python-store",
        about: "store a pyarrow table, on disk before the answer (beside the Rust client; Flight keeps nothing)",
        moves_the_table: true,
        limit_seconds: None,
        rivals: &[ours("network-store", Some(1.0 / 1.15)), peer("flight.do_put", None)],
    },
    Measure {
        name: "python-import",
        about: "import polarway, beyond polars, pyarrow and grpcio",
        moves_the_table: false,
        limit_seconds: Some(0.3),
        rivals: &[],
    },
];
