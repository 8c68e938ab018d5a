//! What `cargo xtask bench --clients` measures: the clients of other languages, each beside what its users would take otherwise.
//!
//! A client and its peer are measured by one program in the client's language, which the beginning of a measure's name tells.

use super::measures::{Measure, Party, Rival, ours};

pub(super) const CLIENT_MEASURES: [Measure; 5] = [
    Measure {
        name: "typescript-load",
        about: "CPU time of a load of a cached table over loopback into an Arrow table (the peer: grpc-js and tableFromIPC)",
        moves_the_table: true,
        limit_seconds: None,
        rivals: &[by_the_same("grpc-js.load", Some(1.5))],
    },
    Measure {
        name: "typescript-load-small",
        about: "load a cached table of 1,000 rows into an Arrow table, with TypeScript",
        moves_the_table: false,
        limit_seconds: Some(1e-3),
        rivals: &[],
    },
    Measure {
        name: "go-load",
        about: "load a cached table over loopback into an Arrow table, with Go (the peer: arrow-go's Flight, from memory)",
        moves_the_table: true,
        limit_seconds: None,
        rivals: &[by_the_same("go-flight.load", Some(1.0)), ours("network-cached-load", None)],
    },
    Measure {
        name: "go-load-cpu",
        about: "CPU time of the same (beside the Rust client's; at most 1.1 times that)",
        moves_the_table: true,
        limit_seconds: None,
        rivals: &[
            by_the_same("go-flight.load-cpu", Some(1.0)),
            ours("network-cached-load-cpu", Some(1.0 / 1.1)),
        ],
    },
    Measure {
        name: "go-load-small",
        about: "load a cached table of 1,000 rows into an Arrow table, with Go (the peer: arrow-go's Flight)",
        moves_the_table: false,
        limit_seconds: None,
        rivals: &[by_the_same("go-flight.load-small", Some(1.0))],
    },
];

/// A peer that the client's own program measures.
const fn by_the_same(name: &'static str, at_least: Option<f64>) -> Rival {
    Rival { name, by: Party::Client, at_least, slack_seconds: 0.0 }
}
