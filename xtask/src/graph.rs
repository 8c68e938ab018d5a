//! Which package depends on which, as `cargo tree` tells it.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use anyhow::{Context as _, Result, bail};

use crate::cargo;

/// A package as `cargo tree` writes it, such as `tonic v0.14.9`: one name may stand for several versions.
pub(crate) type PackageId = String;

/// What depends on what, tests left out.
#[derive(Default)]
pub(crate) struct Graph {
    /// The packages that were asked for.
    pub(crate) roots: BTreeSet<PackageId>,
    /// What each package depends on itself, without the packages between them.
    pub(crate) dependencies: BTreeMap<PackageId, BTreeSet<PackageId>>,
}

impl Graph {
    /// Asks `cargo tree` with these arguments. `cargo metadata` would not do: it also counts what features of features could
    /// turn on and nobody does.
    ///
    /// # Errors
    /// When cargo fails.
    pub(crate) fn ask(arguments: &[&str]) -> Result<Self> {
        let form = ["--prefix=depth", "--format={p}"];
        Self::from_tree(&cargo::tree(&[arguments, &form].concat())?)
    }

    /// Reads lines of a depth and a package; what a package depends on stands below it, one deeper, where it is first met.
    ///
    /// # Errors
    /// When it is not a tree in that form.
    pub(crate) fn from_tree(tree: &str) -> Result<Self> {
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
            graph.dependencies.entry(id.clone()).or_default();
            path.truncate(depth);
            match path.last() {
                Some(above) => {
                    graph.dependencies.entry(above.clone()).or_default().insert(id.clone());
                }
                None => {
                    graph.roots.insert(id.clone());
                }
            }
            path.push(id);
        }
        Ok(graph)
    }

    /// Everything that `package` depends on, each with the shortest path to it. Paths do not lead through a package of the name
    /// `without`.
    pub(crate) fn reach(&self, package: &PackageId, without: Option<&str>) -> Vec<(PackageId, String)> {
        let mut seen = BTreeSet::from([package]);
        let mut queue = VecDeque::from([(package, name(package).to_owned())]);
        let mut reached = Vec::new();
        while let Some((from, path)) = queue.pop_front() {
            for dependency in self.dependencies.get(from).into_iter().flatten() {
                if Some(name(dependency)) != without && seen.insert(dependency) {
                    let path = format!("{path} → {}", name(dependency));
                    reached.push((dependency.clone(), path.clone()));
                    queue.push_back((dependency, path));
                }
            }
        }
        reached
    }
}

/// The name of a package, without its version.
pub(crate) fn name(package: &str) -> &str {
    package.split(' ').next().unwrap_or(package)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_package_whose_dependencies_were_shown_before_is_not_without_them() {
        let tree = "0server v1\n1store v1\n2hyper v1\n0low v1\n1store v1 (*)\n";
        let graph = Graph::from_tree(tree).unwrap();
        let reached = graph.reach(&"low v1".to_owned(), None);
        let expect = [("store v1", "low → store"), ("hyper v1", "low → store → hyper")];
        assert_eq!(reached, expect.map(|(id, path)| (id.to_owned(), path.to_owned())));
        assert_eq!(graph.roots.iter().map(|id| name(id)).collect::<Vec<_>>(), ["low", "server"]);
    }

    #[test]
    fn two_versions_of_a_package_are_two_packages() {
        let graph = Graph::from_tree("0a v1\n1syn v2.0.0\n2quote v1\n1syn v3.0.0 (proc-macro)\n").unwrap();
        assert_eq!(graph.dependencies["syn v2.0.0"].len(), 1);
        assert!(graph.dependencies["syn v3.0.0"].is_empty());
    }

    #[test]
    fn lines_that_are_no_tree_are_an_error() {
        for line in ["warning: something", "0", "0name"] {
            assert!(Graph::from_tree(line).is_err(), "{line}");
        }
    }
}
