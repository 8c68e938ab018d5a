//! Arrows go down only: which of our packages may reach which, and what none of them may reach.

use anyhow::Result;

use super::Verdict;
use crate::graph::{Graph, name};

/// A package of this workspace and all of ours that it may reach, directly or through others. Tests are not bound by it.
struct Layer {
    package: &'static str,
    may_reach: &'static [&'static str],
    /// Whether it may reach the network stack, other than through the clients of buckets.
    networked: bool,
}

/// ARCHITECTURE.md draws this table.
const LAYERS: [Layer; 26] = [
    Layer { package: "polarway-testing", may_reach: &[], networked: false },
    Layer { package: "polarway-sql", may_reach: &[], networked: false },
    Layer { package: "polarway-bucket", may_reach: &[], networked: false },
    Layer { package: "polarway-table", may_reach: &[], networked: false },
    Layer { package: "polarway-tls", may_reach: &[], networked: false },
    Layer { package: "polarway-duckdb-files", may_reach: &[], networked: false },
    Layer { package: "polarway-model", may_reach: &["polarway-table"], networked: false },
    Layer { package: "polarway-ipc", may_reach: &["polarway-table"], networked: false },
    Layer { package: "polarway-parquet", may_reach: &["polarway-table"], networked: false },
    Layer { package: "polarway-proto", may_reach: PROTO, networked: true },
    Layer { package: "polarway-query", may_reach: QUERY, networked: false },
    Layer { package: "polarway-distributed", may_reach: DISTRIBUTED, networked: true },
    Layer { package: "polarway-storage", may_reach: STORAGE, networked: false },
    Layer { package: "polarway-handles", may_reach: HANDLES, networked: false },
    Layer { package: "polarway-core", may_reach: BELOW_CORE, networked: false },
    Layer { package: "polarway-server", may_reach: BELOW_SERVER, networked: true },
    Layer { package: "polarway-client", may_reach: BELOW_CLIENT, networked: true },
    // The engine is optional there, and the check looks with all features.
    Layer { package: "polarway", may_reach: BELOW_COMMANDS, networked: true },
    Layer { package: "polarway-cli", may_reach: BELOW_COMMANDS, networked: true },
    Layer { package: "polarway-server-bin", may_reach: BELOW_COMMANDS, networked: true },
    Layer { package: "polarway-examples", may_reach: &[], networked: false },
    Layer { package: "polarway-bench", may_reach: BELOW_BENCH, networked: true },
    Layer { package: "polarway-codegen", may_reach: &[], networked: true },
    Layer { package: "polarway-cloud", may_reach: &["polarway-fleet"], networked: false },
    Layer { package: "polarway-fleet", may_reach: &[], networked: false },
    Layer { package: "xtask", may_reach: &["polarway-cloud", "polarway-fleet"], networked: false },
];

const PROTO: &[&str] = &["polarway-ipc", "polarway-model", "polarway-table"];
const QUERY: &[&str] = &["polarway-duckdb-files", "polarway-model", "polarway-sql", "polarway-table"];
const DISTRIBUTED: &[&str] =
    &["polarway-duckdb-files", "polarway-model", "polarway-query", "polarway-sql", "polarway-table"];
const STORAGE: &[&str] =
    &["polarway-bucket", "polarway-ipc", "polarway-model", "polarway-parquet", "polarway-table"];
const HANDLES: &[&str] = &[
    "polarway-bucket",
    "polarway-ipc",
    "polarway-model",
    "polarway-parquet",
    "polarway-storage",
    "polarway-table",
];
const BELOW_CORE: &[&str] = &[
    "polarway-bucket",
    "polarway-duckdb-files",
    "polarway-handles",
    "polarway-ipc",
    "polarway-model",
    "polarway-parquet",
    "polarway-query",
    "polarway-sql",
    "polarway-storage",
    "polarway-table",
];
const BELOW_SERVER: &[&str] = &[
    "polarway-bucket",
    "polarway-core",
    "polarway-distributed",
    "polarway-duckdb-files",
    "polarway-handles",
    "polarway-ipc",
    "polarway-model",
    "polarway-parquet",
    "polarway-proto",
    "polarway-query",
    "polarway-sql",
    "polarway-storage",
    "polarway-table",
    "polarway-tls",
];
const BELOW_CLIENT: &[&str] =
    &["polarway-ipc", "polarway-model", "polarway-proto", "polarway-sql", "polarway-table", "polarway-tls"];
const BELOW_COMMANDS: &[&str] = &[
    "polarway",
    "polarway-bucket",
    "polarway-client",
    "polarway-core",
    "polarway-distributed",
    "polarway-duckdb-files",
    "polarway-handles",
    "polarway-ipc",
    "polarway-model",
    "polarway-parquet",
    "polarway-proto",
    "polarway-query",
    "polarway-server",
    "polarway-sql",
    "polarway-storage",
    "polarway-table",
    "polarway-tls",
];
const BELOW_BENCH: &[&str] = &[
    "polarway-bucket",
    "polarway-client",
    "polarway-core",
    "polarway-fleet",
    "polarway-distributed",
    "polarway-duckdb-files",
    "polarway-handles",
    "polarway-ipc",
    "polarway-model",
    "polarway-parquet",
    "polarway-proto",
    "polarway-query",
    "polarway-sql",
    "polarway-storage",
    "polarway-table",
    "polarway-tls",
];

/// The crates that a server or a client is made of. The engine embeds into a program without them.
const NETWORK: [&str; 5] = ["axum", "hyper", "prost", "tonic", "tower"];

/// The clients of buckets. What they stand on is theirs.
const BUCKETS: &str = "object_store";

/// Packages that only some may depend on directly.
struct Guarded {
    package: &'static str,
    users: &'static [&'static str],
}

/// DuckDB is reached through the executor of `polarway-query`; the benchmark is what it is measured beside.
const GUARDED: [Guarded; 3] = [
    Guarded { package: "duckdb", users: &["polarway-query", "polarway-bench"] },
    Guarded { package: "libduckdb-sys", users: &["polarway-duckdb-files"] },
    Guarded { package: "polarway-duckdb-files", users: &["polarway-query"] },
];

pub(super) fn check() -> Result<Verdict> {
    // With all features, so that no optional dependency slips by.
    let graph = Graph::ask(&["--workspace", "--all-features", "--edges=normal,build"])?;
    let mut findings = layer_findings(&graph, &LAYERS);
    findings.extend(direct_findings(&graph, &GUARDED));
    Ok(Verdict { passed: findings.is_empty(), findings: findings.join("\n"), warnings: Vec::new() })
}

fn layer_findings(graph: &Graph, layers: &[Layer]) -> Vec<String> {
    let mut findings = Vec::new();
    for package in &graph.roots {
        let Some(layer) = layers.iter().find(|layer| layer.package == name(package)) else {
            findings.push(format!("{} has no place in the layers: give it one", name(package)));
            continue;
        };
        for (reached, path) in graph.reach(package, None) {
            let is_above = graph.roots.contains(&reached) && !layer.may_reach.contains(&name(&reached));
            if is_above {
                findings.push(format!("{} must not reach {}: {path}", layer.package, name(&reached)));
            }
        }
        for (reached, path) in graph.reach(package, Some(BUCKETS)) {
            if NETWORK.contains(&name(&reached)) && !layer.networked {
                findings.push(format!("{} must not reach {}: {path}", layer.package, name(&reached)));
            }
        }
    }
    findings
}

fn direct_findings(graph: &Graph, guarded: &[Guarded]) -> Vec<String> {
    let mut findings = Vec::new();
    for (package, dependencies) in
        graph.dependencies.iter().filter(|(package, _)| graph.roots.contains(*package))
    {
        let user = name(package);
        for used in dependencies.iter().map(|dependency| name(dependency)) {
            let is_refused = |guarded: &Guarded| guarded.package == used && !guarded.users.contains(&user);
            if guarded.iter().any(is_refused) {
                findings.push(format!("{user} must not depend on {used}"));
            }
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    const MADE_UP: [Layer; 3] = [
        Layer { package: "low", may_reach: &[], networked: false },
        Layer { package: "high", may_reach: &["low"], networked: false },
        Layer { package: "server", may_reach: &["low", "high"], networked: true },
    ];

    /// A graph of a tree whose packages all have one version.
    fn graph(tree: &str) -> Graph {
        let versioned = tree.lines().map(|line| format!("{line} v1.0.0\n"));
        Graph::from_tree(&versioned.collect::<String>()).unwrap()
    }

    #[test]
    fn arrows_that_go_down_are_fine() {
        let graph = graph("0low\n0high\n1low\n0server\n1high\n1tonic");
        assert!(layer_findings(&graph, &MADE_UP).is_empty());
    }

    #[test]
    fn an_arrow_that_goes_up_is_found() {
        let graph = graph("0low\n1high\n0high");
        assert_eq!(layer_findings(&graph, &MADE_UP), ["low must not reach high: low → high"]);
    }

    #[test]
    fn what_is_reached_through_others_is_found_with_its_path() {
        let graph = graph("0high\n1low\n2store\n3hyper\n0low");
        let expect = [
            "high must not reach hyper: high → low → store → hyper",
            "low must not reach hyper: low → store → hyper",
        ];
        assert_eq!(layer_findings(&graph, &MADE_UP), expect);
    }

    #[test]
    fn what_the_clients_of_buckets_stand_on_is_theirs_and_not_another_way_to_it() {
        assert!(layer_findings(&graph("0low\n1object_store\n2hyper"), &MADE_UP).is_empty());
        let both = graph("0low\n1object_store\n2hyper\n1store\n2hyper");
        assert_eq!(layer_findings(&both, &MADE_UP), ["low must not reach hyper: low → store → hyper"]);
    }

    #[test]
    fn a_package_that_no_layer_names_is_found() {
        assert_eq!(layer_findings(&graph("0new"), &MADE_UP), ["new has no place in the layers: give it one"]);
    }

    #[test]
    fn who_depends_on_a_guarded_package_directly_is_found() {
        let graph = graph("0low\n1store\n0high\n1low\n1store");
        let guarded = [Guarded { package: "store", users: &["low"] }];
        assert_eq!(direct_findings(&graph, &guarded), ["high must not depend on store"]);
    }
}
