//! What the name of a measure asks for: which workers, which engine, which query.

use anyhow::{Context as _, Result, bail};
use polarway_client::EngineChoice;

/// `held-3-distributed-tpch-06`, in parts.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Asked {
    pub(super) setup: Setup,
    pub(super) engine: EngineChoice,
    pub(super) task: Task,
}

/// Which workers run.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Setup {
    pub(super) place: Where,
    pub(super) count: usize,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Where {
    /// Over a folder, with all cores.
    Free,
    /// Over the same folder, each with a share of a core.
    Held,
    /// Over a bucket, with all cores.
    Bucket,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Task {
    /// A query of TPC-H.
    Tpch(usize),
    /// Reads a whole table. Over a bucket, by workers that have read nothing yet.
    Scan,
    /// Reads it again.
    ScanAgain,
    /// Passes all rows of a table to other workers.
    Shuffle,
}

impl Asked {
    pub(super) fn read(name: &str) -> Result<Self> {
        let parts: Vec<&str> = name.splitn(4, '-').collect();
        let [place, count, engine, task] = parts[..] else { bail!("polarway-bench has no measure {name}") };
        let place = match place {
            "free" => Where::Free,
            "held" => Where::Held,
            "bucket" => Where::Bucket,
            _ => bail!("{name} is nowhere"),
        };
        let count: usize = count.parse().with_context(|| format!("{name} has no number of workers"))?;
        let engine = engine.parse()?;
        let task = match task {
            "scan" => Task::Scan,
            "scan-again" => Task::ScanAgain,
            "shuffle" => Task::Shuffle,
            task => {
                let number = task.strip_prefix("tpch-").and_then(|number| number.parse().ok());
                Task::Tpch(number.with_context(|| format!("{name} has no query"))?)
            }
        };
        Ok(Self { setup: Setup { place, count }, engine, task })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_says_which_workers_which_engine_and_which_query() {
        let asked = Asked::read("held-3-distributed-tpch-06").unwrap();
        let setup = Setup { place: Where::Held, count: 3 };
        assert_eq!(asked, Asked { setup, engine: EngineChoice::Distributed, task: Task::Tpch(6) });
        let asked = Asked::read("bucket-1-local-scan-again").unwrap();
        let setup = Setup { place: Where::Bucket, count: 1 };
        assert_eq!(asked, Asked { setup, engine: EngineChoice::Local, task: Task::ScanAgain });
    }

    #[test]
    fn other_names_are_refused() {
        for name in [
            "",
            "held",
            "held-3-distributed",
            "hold-3-local-scan",
            "held-x-local-scan",
            "held-3-duckdb-scan",
            "free-3-local-tpch",
        ] {
            assert!(Asked::read(name).is_err(), "{name}");
        }
    }
}
