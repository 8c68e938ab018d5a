//! Arrows go down only: which of our packages may reach which, and what none of them may reach.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use anyhow::{Context as _, Result, bail};

use super::Verdict;
use crate::cargo;

/// A package of this workspace and all of ours that it may reach, directly or through others. Tests are not bound by it.
struct Layer {
    package: &'static str,
    may_reach: &'static [&'static str],
    /// Whether it may reach the network stack.
    networked: bool,
}

/// ARCHITECTURE.md draws this table.
const LAYERS: [Layer; 21] = [
    Layer { package: "polarway-testing", may_reach: &[], networked: false },
    Layer { package: "polarway-sql", may_reach: &[], networked: false },
    Layer { package: "polarway-table", may_reach: &[], networked: false },
    Layer { package: "polarway-model", may_reach: &["polarway-table"], networked: false },
    Layer { package: "polarway-ipc", may_reach: &["polarway-table"], networked: false },
    Layer { package: "polarway-parquet", may_reach: &["polarway-table"], networked: false },
    Layer { package: "polarway-proto", may_reach: PROTO, networked: true },
    Layer { package: "polarway-query", may_reach: QUERY, networked: false },
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
    Layer { package: "polarway-fleet", may_reach: &[], networked: false },
    Layer { package: "xtask", may_reach: &["polarway-fleet"], networked: false },
];

const PROTO: &[&str] = &["polarway-ipc", "polarway-model", "polarway-table"];
const QUERY: &[&str] = &["polarway-model", "polarway-sql", "polarway-table"];
const STORAGE: &[&str] = &["polarway-ipc", "polarway-model", "polarway-parquet", "polarway-table"];
const HANDLES: &[&str] =
    &["polarway-ipc", "polarway-model", "polarway-parquet", "polarway-storage", "polarway-table"];
const BELOW_CORE: &[&str] = &[
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
    "polarway-core",
    "polarway-handles",
    "polarway-ipc",
    "polarway-model",
    "polarway-parquet",
    "polarway-proto",
    "polarway-query",
    "polarway-sql",
    "polarway-storage",
    "polarway-table",
];
const BELOW_CLIENT: &[&str] =
    &["polarway-ipc", "polarway-model", "polarway-proto", "polarway-sql", "polarway-table"];
const BELOW_COMMANDS: &[&str] = &[
    "polarway",
    "polarway-client",
    "polarway-core",
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
];
const BELOW_BENCH: &[&str] = &[
    "polarway-client",
    "polarway-core",
    "polarway-fleet",
    "polarway-handles",
    "polarway-ipc",
    "polarway-model",
    "polarway-parquet",
    "polarway-proto",
    "polarway-query",
    "polarway-sql",
    "polarway-storage",
    "polarway-table",
];

/// The crates that a server or a client is made of. The engine embeds into a program without them.
const NETWORK: [&str; 5] = ["axum", "hyper", "prost", "tonic", "tower"];

/// Packages that only some may depend on directly.
struct Guarded {
    package: &'static str,
    users: &'static [&'static str],
}

/// DuckDB is reached through the executor of `polarway-query`; the benchmark is what it is measured beside.
const GUARDED: [Guarded; 2] = [
    Guarded { package: "duckdb", users: &["polarway-query", "polarway-bench"] },
    Guarded { package: "libduckdb-sys", users: &[] },
];

pub(super) fn check() -> Result<Verdict> {
    // With all features, so that no optional dependency slips by. `cargo metadata` would not do: it also counts what
    // features of features could turn on and nobody does.
    let arguments =
        ["--workspace", "--all-features", "--edges=normal,build", "--prefix=depth", "--format={p}"];
    let graph = Graph::from_tree(&cargo::tree(&arguments)?)?;
    let mut findings = graph.layer_findings(&LAYERS);
    findings.extend(graph.direct_findings(&GUARDED));
    findings.extend(graph.duplicate_findings());
    Ok(Verdict { passed: findings.is_empty(), findings: findings.join("\n"), warnings: Vec::new() })
}

/// A package as `cargo tree` writes it, such as `tonic v0.14.9`: one name may stand for several versions.
type PackageId = String;

/// What depends on what, tests left out.
#[derive(Default)]
struct Graph {
    ours: BTreeSet<PackageId>,
    names: BTreeMap<PackageId, String>,
    versions: BTreeMap<String, BTreeSet<String>>,
    dependencies: BTreeMap<PackageId, Vec<PackageId>>,
}

impl Graph {
    /// Reads lines of a depth and a package; what a package depends on stands below it, one deeper, where it is first met.
    fn from_tree(tree: &str) -> Result<Self> {
        let mut graph = Self::default();
        let mut path: Vec<PackageId> = Vec::new();
        for line in tree.lines().filter(|line| !line.is_empty()) {
            let digits = line.bytes().take_while(u8::is_ascii_digit).count();
            let (depth, package) = line.split_at(digits);
            let depth: usize =
                depth.parse().with_context(|| format!("cargo tree's line {line:?} has no depth"))?;
            let mut words = package.split(' ');
            let (Some(name), Some(version)) = (words.next(), words.next()) else {
                bail!("cargo tree's line {line:?} names no package and version");
            };
            let id = format!("{name} {version}");
            graph.names.insert(id.clone(), name.to_owned());
            graph.versions.entry(name.to_owned()).or_default().insert(version.to_owned());
            path.truncate(depth);
            match path.last() {
                Some(above) => graph.dependencies.entry(above.clone()).or_default().push(id.clone()),
                None => {
                    graph.ours.insert(id.clone());
                }
            }
            path.push(id);
        }
        Ok(graph)
    }

    fn layer_findings(&self, layers: &[Layer]) -> Vec<String> {
        let mut findings = Vec::new();
        for package in &self.ours {
            let Some(layer) = layers.iter().find(|layer| layer.package == self.name(package)) else {
                findings.push(format!("{} has no place in the layers: give it one", self.name(package)));
                continue;
            };
            for (reached, path) in self.reach(package) {
                let name = self.name(&reached);
                let is_above = self.ours.contains(&reached) && !layer.may_reach.contains(&name);
                let is_network = NETWORK.contains(&name) && !layer.networked;
                if is_above || is_network {
                    findings.push(format!("{} must not reach {name}: {path}", layer.package));
                }
            }
        }
        findings
    }

    fn direct_findings(&self, guarded: &[Guarded]) -> Vec<String> {
        // A package that several others bring in is listed with its dependencies more than once.
        let mut findings = BTreeSet::new();
        for package in &self.ours {
            let user = self.name(package);
            for name in self.dependencies.get(package).into_iter().flatten().map(|id| self.name(id)) {
                let is_refused =
                    |guarded: &Guarded| guarded.package == name && !guarded.users.contains(&user);
                if guarded.iter().any(is_refused) {
                    findings.insert(format!("{user} must not depend on {name}"));
                }
            }
        }
        findings.into_iter().collect()
    }

    /// Arrow and Parquet types of two versions don't fit together, and cost twice the build.
    fn duplicate_findings(&self) -> Vec<String> {
        self.versions
            .iter()
            .filter(|(name, versions)| {
                let is_arrow = *name == "arrow" || name.starts_with("arrow-") || *name == "parquet";
                is_arrow && versions.len() > 1
            })
            .map(|(name, versions)| {
                let versions: Vec<&str> = versions.iter().map(String::as_str).collect();
                format!("{name} is there {} times: {}", versions.len(), versions.join(", "))
            })
            .collect()
    }

    /// Everything that `package` depends on, each with the shortest path to it.
    fn reach(&self, package: &PackageId) -> Vec<(PackageId, String)> {
        let mut seen = BTreeSet::from([package]);
        let mut queue = VecDeque::from([(package, self.name(package).to_owned())]);
        let mut reached = Vec::new();
        while let Some((from, path)) = queue.pop_front() {
            for dependency in self.dependencies.get(from).into_iter().flatten() {
                if seen.insert(dependency) {
                    let path = format!("{path} → {}", self.name(dependency));
                    reached.push((dependency.clone(), path.clone()));
                    queue.push_back((dependency, path));
                }
            }
        }
        reached
    }

    fn name<'graph>(&'graph self, package: &'graph PackageId) -> &'graph str {
        self.names.get(package).unwrap_or(package)
    }
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
        assert!(graph.layer_findings(&MADE_UP).is_empty());
    }

    #[test]
    fn an_arrow_that_goes_up_is_found() {
        let graph = graph("0low\n1high\n0high");
        assert_eq!(graph.layer_findings(&MADE_UP), ["low must not reach high: low → high"]);
    }

    #[test]
    fn what_is_reached_through_others_is_found_with_its_path() {
        let graph = graph("0high\n1low\n2store\n3hyper\n0low");
        let expect = [
            "high must not reach hyper: high → low → store → hyper",
            "low must not reach hyper: low → store → hyper",
        ];
        assert_eq!(graph.layer_findings(&MADE_UP), expect);
    }

    #[test]
    fn a_package_whose_dependencies_were_shown_before_is_not_without_them() {
        let graph = graph("0server\n1store\n2hyper\n0low\n1store");
        assert_eq!(graph.layer_findings(&MADE_UP), ["low must not reach hyper: low → store → hyper"]);
    }

    #[test]
    fn a_package_that_no_layer_names_is_found() {
        assert_eq!(graph("0new").layer_findings(&MADE_UP), ["new has no place in the layers: give it one"]);
    }

    #[test]
    fn who_depends_on_a_guarded_package_directly_is_found() {
        let graph = graph("0low\n1store\n0high\n1low\n1store");
        let guarded = [Guarded { package: "store", users: &["low"] }];
        assert_eq!(graph.direct_findings(&guarded), ["high must not depend on store"]);
    }

    #[test]
    fn a_second_arrow_is_found_and_a_second_syn_is_not() {
        let tree = "0low v1.0.0\n1arrow-schema v58.4.0\n1parquet v58.4.0\n1syn v2.0.0\n1syn v3.0.0 (proc-macro)\n\
                    1arrow-schema v59.0.0 (*)\n";
        let expect = ["arrow-schema is there 2 times: v58.4.0, v59.0.0"];
        assert_eq!(Graph::from_tree(tree).unwrap().duplicate_findings(), expect);
    }

    #[test]
    fn lines_that_are_no_tree_are_an_error() {
        for line in ["warning: something", "0", "0name"] {
            assert!(Graph::from_tree(line).is_err(), "{line}");
        }
    }
}
