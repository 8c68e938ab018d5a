//! Arrows go down only: which of our packages may reach which, and what none of them may reach.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use anyhow::{Context as _, Result};
use serde_json::Value;

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
const LAYERS: [Layer; 10] = [
    Layer { package: "polarway-testing", may_reach: &[], networked: false },
    Layer { package: "polarway-ipc", may_reach: &[], networked: false },
    Layer { package: "polarway-parquet", may_reach: &[], networked: false },
    Layer { package: "polarway-proto", may_reach: &[], networked: true },
    Layer { package: "polarway-query", may_reach: &[], networked: false },
    Layer { package: "polarway-storage", may_reach: &["polarway-ipc", "polarway-parquet"], networked: false },
    Layer {
        package: "polarway-core",
        may_reach: &["polarway-ipc", "polarway-parquet", "polarway-query", "polarway-storage"],
        networked: false,
    },
    Layer {
        package: "polarway-bench",
        may_reach: &[
            "polarway-core",
            "polarway-ipc",
            "polarway-parquet",
            "polarway-query",
            "polarway-storage",
        ],
        networked: false,
    },
    Layer { package: "polarway-codegen", may_reach: &[], networked: true },
    Layer { package: "xtask", may_reach: &[], networked: false },
];

/// The crates that a server or a client is made of. The engine embeds into a program without them.
const NETWORK: [&str; 5] = ["axum", "hyper", "prost", "tonic", "tower"];

pub(super) fn check() -> Result<Verdict> {
    // With all features, so that no optional dependency slips by.
    let graph = Graph::from_metadata(&cargo::metadata(&["--all-features"])?)?;
    let mut findings = graph.layer_findings(&LAYERS);
    findings.extend(graph.duplicate_findings());
    Ok(Verdict { passed: findings.is_empty(), findings: findings.join("\n"), warnings: Vec::new() })
}

/// A package as cargo identifies it: one name may stand for several versions.
type PackageId = String;

/// What depends on what, tests left out.
struct Graph {
    ours: BTreeSet<PackageId>,
    names: BTreeMap<PackageId, String>,
    versions: BTreeMap<String, BTreeSet<String>>,
    dependencies: BTreeMap<PackageId, Vec<PackageId>>,
}

impl Graph {
    fn from_metadata(metadata: &Value) -> Result<Self> {
        let mut graph = Self {
            ours: BTreeSet::new(),
            names: BTreeMap::new(),
            versions: BTreeMap::new(),
            dependencies: BTreeMap::new(),
        };
        for member in array(metadata, "workspace_members")? {
            graph.ours.insert(member.as_str().context("a member's id is no string")?.to_owned());
        }
        for package in array(metadata, "packages")? {
            let name = text(package, "name")?;
            graph.versions.entry(name.clone()).or_default().insert(text(package, "version")?);
            graph.names.insert(text(package, "id")?, name);
        }
        for node in array(&metadata["resolve"], "nodes")? {
            let mut dependencies = Vec::new();
            for dependency in array(node, "deps")? {
                let kinds = array(dependency, "dep_kinds")?;
                if kinds.iter().any(|kind| kind["kind"] != "dev") {
                    dependencies.push(text(dependency, "pkg")?);
                }
            }
            graph.dependencies.insert(text(node, "id")?, dependencies);
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

fn array<'value>(value: &'value Value, key: &str) -> Result<&'value Vec<Value>> {
    value[key].as_array().with_context(|| format!("cargo metadata has no list {key}"))
}

fn text(value: &Value, key: &str) -> Result<String> {
    Ok(value[key].as_str().with_context(|| format!("cargo metadata has no text {key}"))?.to_owned())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const MADE_UP: [Layer; 3] = [
        Layer { package: "low", may_reach: &[], networked: false },
        Layer { package: "high", may_reach: &["low"], networked: false },
        Layer { package: "server", may_reach: &["low", "high"], networked: true },
    ];

    /// A graph whose packages are `name version`, of which those in `ours` are members.
    fn graph(ours: &[&str], packages: &[&str], edges: &[(&str, &str, Option<&str>)]) -> Graph {
        let packages: Vec<Value> = packages
            .iter()
            .map(|id| {
                let (name, version) = id.split_once(' ').unwrap_or((id, "1.0.0"));
                json!({"id": id, "name": name, "version": version})
            })
            .collect();
        let nodes: Vec<Value> = packages
            .iter()
            .map(|package| {
                let deps: Vec<Value> = edges
                    .iter()
                    .filter(|(from, _, _)| package["id"] == *from)
                    .map(|(_, to, kind)| json!({"pkg": to, "dep_kinds": [{"kind": kind}]}))
                    .collect();
                json!({"id": package["id"], "deps": deps})
            })
            .collect();
        let metadata = json!({"workspace_members": ours, "packages": packages, "resolve": {"nodes": nodes}});
        Graph::from_metadata(&metadata).unwrap()
    }

    #[test]
    fn arrows_that_go_down_are_fine() {
        let edges = [("high", "low", None), ("server", "high", None), ("server", "tonic", None)];
        let graph = graph(&["low", "high", "server"], &["low", "high", "server", "tonic"], &edges);
        assert!(graph.layer_findings(&MADE_UP).is_empty());
    }

    #[test]
    fn an_arrow_that_goes_up_is_found() {
        let graph = graph(&["low", "high"], &["low", "high"], &[("low", "high", Some("build"))]);
        assert_eq!(graph.layer_findings(&MADE_UP), ["low must not reach high: low → high"]);
    }

    #[test]
    fn what_is_reached_through_others_is_found_with_its_path() {
        let packages = ["low", "high", "store", "hyper"];
        let edges = [("high", "low", None), ("low", "store", None), ("store", "hyper", None)];
        let graph = graph(&["low", "high"], &packages, &edges);
        let expect = [
            "high must not reach hyper: high → low → store → hyper",
            "low must not reach hyper: low → store → hyper",
        ];
        assert_eq!(graph.layer_findings(&MADE_UP), expect);
    }

    #[test]
    fn tests_may_reach_what_they_like() {
        let edges = [("low", "high", Some("dev")), ("low", "tonic", Some("dev"))];
        let graph = graph(&["low", "high"], &["low", "high", "tonic"], &edges);
        assert!(graph.layer_findings(&MADE_UP).is_empty());
    }

    #[test]
    fn a_circle_among_dependencies_ends() {
        let graph =
            graph(&["low"], &["low", "a", "b"], &[("low", "a", None), ("a", "b", None), ("b", "a", None)]);
        assert!(graph.layer_findings(&MADE_UP).is_empty());
    }

    #[test]
    fn a_package_that_no_layer_names_is_found() {
        let graph = graph(&["new"], &["new"], &[]);
        assert_eq!(graph.layer_findings(&MADE_UP), ["new has no place in the layers: give it one"]);
    }

    #[test]
    fn a_second_arrow_is_found_and_a_second_syn_is_not() {
        let packages =
            ["arrow-schema 58.4.0", "arrow-schema 59.0.0", "parquet 58.4.0", "syn 2.0.0", "syn 3.0.0"];
        let expect = ["arrow-schema is there 2 times: 58.4.0, 59.0.0"];
        assert_eq!(graph(&[], &packages, &[]).duplicate_findings(), expect);
    }

    #[test]
    fn metadata_without_a_graph_is_an_error() {
        assert!(Graph::from_metadata(&json!({"workspace_members": [], "packages": []})).is_err());
        assert!(Graph::from_metadata(&json!(null)).is_err());
    }
}
