//! `cargo xtask bench --distributed`: what several workers cost when they share the cores of one, and how much faster they are
//! when each has its own.
//!
//! `polarway-bench` starts the workers, stores TPC-H at scale 1 through one of them, in files as small as those of larger tables
//! would be in number, and asks them as a client. Here is which of its measures are asked for, in which order.

mod report;

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, Result};

use super::cloud::Bucket;
use super::participant::Participant;
use crate::folders::cache_folder;
use crate::tpc;
use report::Report;

/// The queries of TPC-H.
const QUERIES: usize = 22;

/// The most workers that are measured.
const MOST_WORKERS: usize = 4;

/// The queries that have a bar of their own for how much faster several workers are: they are measured in every round.
const REPEATED: [usize; 3] = [1, 6, 18];

/// What can be measured for itself.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Part {
    /// One worker and three, on all cores.
    Overhead,
    /// One worker to four, each with a tenth of a core.
    Scaling,
    /// What one worker reads and passes on.
    Figures,
}

impl Part {
    pub(super) const ALL: [Self; 3] = [Self::Overhead, Self::Scaling, Self::Figures];

    fn name(self) -> &'static str {
        match self {
            Self::Overhead => "overhead",
            Self::Scaling => "scaling",
            Self::Figures => "figures",
        }
    }

    /// The measures of one round. Each round begins elsewhere.
    fn measures(self, round: usize) -> Vec<String> {
        match self {
            Self::Overhead => {
                let of_query = |query: usize| {
                    let mut both = [free("local", query), free("distributed", query)];
                    both.rotate_left((query + round) % 2);
                    both
                };
                (1..=QUERIES).flat_map(of_query).collect()
            }
            Self::Scaling => {
                let mut counts: Vec<usize> = (1..=MOST_WORKERS).collect();
                counts.rotate_left(round % MOST_WORKERS);
                // All queries take minutes with so little of a core: once is enough for their sum.
                let queries = || (1..=QUERIES).filter(move |query| round == 0 || REPEATED.contains(query));
                let of_workers = |workers: usize| {
                    let together = queries().map(move |query| held(workers, query));
                    let alone = queries().filter(move |_| workers == 1).map(held_alone);
                    together.chain(alone)
                };
                counts.into_iter().flat_map(of_workers).collect()
            }
            Self::Figures => FIGURES.iter().map(|(name, _)| (*name).to_owned()).collect(),
        }
    }
}

/// Measures that move bytes, and what they are called in the report.
const FIGURES: [(&str, &str); 5] = [
    ("held-1-local-scan", "read from a folder by DuckDB, by a worker with a tenth of a core"),
    ("held-1-distributed-scan", "read from a folder, by a worker with a tenth of a core"),
    ("held-3-distributed-shuffle", "passed on, by three workers with a tenth of a core each"),
    ("bucket-3-distributed-scan", "read from a bucket the first time, by three workers on all cores"),
    (
        "bucket-3-distributed-scan-again",
        "read again, from what three workers kept of the bucket, on all cores",
    ),
];

fn free(engine: &str, query: usize) -> String {
    format!("free-3-{engine}-tpch-{query:02}")
}

fn held(workers: usize, query: usize) -> String {
    format!("held-{workers}-distributed-tpch-{query:02}")
}

fn held_alone(query: usize) -> String {
    format!("held-1-local-tpch-{query:02}")
}

/// The parts of these names; all of them without any.
pub(super) fn parts(names: &[String]) -> Result<Vec<Part>> {
    let part = |name: &String| {
        let found = Part::ALL.into_iter().find(|part| part.name() == name);
        found.with_context(|| format!("there is no measure {name}; there are overhead, scaling and figures"))
    };
    match names {
        [] => Ok(Part::ALL.to_vec()),
        names => names.iter().map(part).collect(),
    }
}

/// What was measured once or more often under a name.
#[derive(Default)]
struct Measured {
    seconds: Vec<f64>,
    bytes: Option<u64>,
}

/// Measures the parts, in a folder that is free.
pub(super) fn measure(parts: &[Part], rounds: usize, programs: &Path, work: &Path) -> Result<Report> {
    let cache = cache_folder()?;
    let mut parts = parts.to_vec();
    if let Err(error) = polarway_fleet::can_hold_workers() {
        eprintln!("bench: NOT MEASURED: workers with a share of a core each: {error:#}");
        parts.retain(|part| *part == Part::Overhead);
    }
    let mut ours = Command::new(programs.join("polarway-bench"));
    ours.arg(work).arg(work.join("polarway"));
    ours.env(tpc::TPCH.folder_variable, tpc::TPCH.provide(&cache, 1.0)?);
    let bucket = match parts.contains(&Part::Figures) {
        true => Some(Bucket::start(&cache, work)?),
        false => None,
    };
    if let Some(bucket) = &bucket {
        bucket.describe_to(&mut ours);
    }
    let mut engine = Participant::start("polarway", &mut ours)?;
    let mut measured: BTreeMap<String, Measured> = BTreeMap::new();
    for round in 0..rounds {
        for part in &parts {
            eprintln!("bench: {}, round {} of {rounds}", part.name(), round + 1);
            for name in part.measures(round) {
                let answer = engine.measure(&name)?;
                let measured = measured.entry(name).or_default();
                measured.seconds.push(answer.seconds);
                measured.bytes = answer.needed_bytes;
            }
        }
    }
    Ok(Report { parts, rounds, measured })
}
