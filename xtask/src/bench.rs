//! `cargo xtask bench`: Polarway's speed beside that of its peers, in one run, over one table.
//!
//! Two programs hold the table in memory and wait for commands: `polarway-bench`, which calls the engine, and `peers.py`,
//! which calls pyarrow, polars and DuckDB. With `--python` there is a third, `client.py`, which calls the Python client, and with
//! `--clients` there are programs that call the clients of other languages. With `--cloud` both measure tables in a bucket, and the
//! peers are those of `cloud_peers.py`. With `--distributed` the engine's program runs several servers, and there are no peers. Their turns alternate in every round, so that whatever slows the machine down slows all of
//! them; what is compared are medians.

mod client_measures;
mod cloud;
mod cloud_measures;
mod distributed;
mod measures;
mod participant;
mod peers;
mod python_measures;
mod report;

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, bail, ensure};
use lexopt::Arg::Long;
use lexopt::ValueExt as _;

use crate::folders::{ScratchFolder, cache_folder};
use crate::go_client::Go;
use crate::typescript_client::TypescriptClient;
use crate::{Subcommand, cargo, libduckdb, python_client, tpc};
use client_measures::CLIENT_MEASURES;
use cloud::Bucket;
use cloud_measures::CLOUD_MEASURES;
use distributed::Part;
use measures::{MEASURES, Measure, Party};
use participant::Participant;
use peers::Peers;
use python_measures::PYTHON_MEASURES;
use report::{Measurement, Report};

pub(crate) const SUBCOMMAND: Subcommand = Subcommand {
    name: "bench",
    summary: "measure speed, beside pyarrow, Arrow Flight, polars, DuckDB and ArcticDB",
    usage: "
Usage: cargo xtask bench [--python | --clients | --cloud | --distributed] [--rows N] [--rounds N] [--only NAME]...
                         [--programs DIR] [--json PATH]

  --python     measure the Python client, beside pyarrow's Flight and the Rust client
  --clients    measure the clients of other languages, beside what their users would take otherwise
  --cloud      measure tables in a bucket with 30 ms a request and 90 MB/s a stream, beside DuckDB's httpfs and ArcticDB
  --distributed  measure TPC-H on several workers, beside one: all on the same cores, and each with a tenth of a core, which
               takes the right to make control groups
  --rows N     rows of the table (default 10000000, which is 640 MB)
  --rounds N   rounds that count, after one that warms up (default 7; 9 with --python and --clients, 3 with --distributed)
  --only NAME  measure only this: load-parquet, load-parquet-adopted, load-parquet-filling, store, cached-load,
               query-overhead-new, query-overhead-seen, latest-version-known, latest-version-cold, list-versions,
               network-cached-load, network-load-parquet, network-store, network-cached-load-small, network-select-42,
               network-ping, network-point-query, network-stream, network-64-clients, network-64-clients-table,
               nginx-cached-load, nginx-cached-load-small, handle-memory, handle-external, handle-memory-follow-up, handle-external-follow-up, tpch-all, or one of tpch-01 to tpch-22; with --python:
               python-load-arrow, python-load-polars, python-wide-arrow, python-wide-polars, python-small-arrow,
               python-small-polars, python-store, python-import; with --clients: typescript-load, typescript-load-small, go-load,
               go-load-cpu, go-load-small; with --cloud:
               cloud-query-cold, cloud-query-again, cloud-load, cloud-store, cloud-cached-load-small; with --distributed:
               overhead, scaling, figures
  --programs DIR  build nothing, and take the programs of this folder
  --json PATH  where the numbers go (default: bench.json in the target folder)

The peers live in a Python virtual environment in the cache folder. The table is generated there once per number of rows.
",
    run,
};

/// What is measured.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Subject {
    /// The engine and the server, over the Rust client.
    Engine,
    PythonClient,
    /// The clients of other languages.
    Clients,
    /// Tables in a bucket.
    Cloud,
    /// Queries of several workers.
    Distributed,
}

struct Options {
    subject: Subject,
    rows: u64,
    rounds: usize,
    measures: Vec<&'static Measure>,
    /// With `--distributed`, in place of measures.
    parts: Vec<Part>,
    programs: Option<PathBuf>,
    json: Option<PathBuf>,
}

fn run(arguments: lexopt::Parser) -> Result<()> {
    let mut options = parse(arguments)?;
    let target = cargo::target_folder()?;
    let json = options.json.clone().unwrap_or_else(|| target.join("bench.json"));
    if options.subject == Subject::Distributed {
        let work = ScratchFolder::create_in(&target, "bench")?;
        let programs = programs(&options, &target)?;
        let report = distributed::measure(&options.parts, options.rounds, &programs, work.path())?;
        return tell(&report.to_text(), &report.to_json(), &json);
    }
    let mut installed = Peers::prepare(&cache_folder()?)?;
    let mut table = installed.table(&cache_folder()?, options.rows)?;
    if options.subject == Subject::Cloud {
        installed = Peers::prepare_for_cloud(&cache_folder()?)?;
        table.peers = installed.versions();
    }

    let programs = programs(&options, &target)?;
    // Beside the build and not in /tmp, which often is memory: storing is measured down to the disk.
    let work = ScratchFolder::create_in(&target, "bench")?;
    // One nginx is before both, so both have to know where it is.
    let ports = [
        ("POLARWAY_BENCH_NGINX_PORT", polarway_fleet::free_port()?.to_string()),
        ("POLARWAY_BENCH_FLIGHT_PORT", polarway_fleet::free_port()?.to_string()),
    ];
    let mut ours = Command::new(programs.join("polarway-bench"));
    // The peers, over pyarrow, keep memory that was freed. glibc returns that of large tables, in some runs and not in others,
    // and to get it again takes as long as half a load.
    ours.envs([
        ("MALLOC_TRIM_THRESHOLD_", "4000000000"),
        ("MALLOC_MMAP_THRESHOLD_", "1073741824"),
        ("MALLOC_TOP_PAD_", "67108864"),
    ]);
    ours.arg(&table.folder).arg(work.path().join("polarway"));
    if polarway_fleet::Balancer::Nginx.program().is_none() {
        let count = options.measures.len();
        options.measures.retain(|measure| !measure.name.starts_with("nginx"));
        if options.measures.len() < count {
            eprintln!("bench: NOT MEASURED: what goes through nginx, which is not installed");
        }
    }
    if options.measures.iter().any(|measure| measure.name.starts_with("tpch")) {
        ours.env(tpc::TPCH.folder_variable, tpc::TPCH.provide(&cache_folder()?, 1.0)?);
    }
    ours.envs(ports.clone());
    let bucket = match options.subject {
        Subject::Cloud => Some(Bucket::start(&cache_folder()?, work.path())?),
        _ => None,
    };
    let mut peers = installed.call();
    if let Some(bucket) = &bucket {
        bucket.describe_to(&mut ours);
        bucket.describe_to(&mut peers);
    }
    let engine = Participant::start("polarway", &mut ours)?;
    peers.arg(&table.folder).arg(work.path().join("peers"));
    peers.envs(ports);
    let peers = Participant::start("peers", &mut peers)?;
    let server = programs.join("polarway-server");
    let is_wanted =
        |language: &str| options.measures.iter().any(|measure| measure.name.starts_with(language));
    let mut clients = Vec::new();
    if is_wanted("typescript-") {
        let mut client = TypescriptClient::prepare()?.bench(&cache_folder()?)?;
        client.arg(&table.folder).arg(work.path().join("typescript")).arg(&server);
        clients.push(("typescript-", Participant::start("the TypeScript client", &mut client)?));
    }
    if is_wanted("go-") {
        let mut client = Go::find()?.bench(&work.path().join("go-bench"))?;
        client.arg(&table.folder).arg(work.path().join("go")).arg(&server).args(installed.flight());
        clients.push(("go-", Participant::start("the Go client", &mut client)?));
    }
    if is_wanted("python-") {
        let mut client = python_client::prepare(&cache_folder()?)?.call("client.py");
        client.arg(&table.folder).arg(work.path().join("client"));
        client.arg(&server).arg(python_client::source());
        clients.push(("python-", Participant::start("the Python client", &mut client)?));
    }
    let mut participants = Participants { engine, clients, peers, bucket };

    let mut measurements = Vec::new();
    for measure in &options.measures {
        eprintln!("bench: {}", measure.name);
        measurements.push(measure_in_turns(measure, options.rounds, &mut participants)?);
    }
    let report = Report { table, rounds: options.rounds, measurements };
    tell(&report.to_text(), &report.to_json(), &json)
}

/// The folder of the programs, which are built unless there are others to take.
fn programs(options: &Options, target: &Path) -> Result<PathBuf> {
    if let Some(programs) = &options.programs {
        return Ok(programs.clone());
    }
    eprintln!("bench: building polarway-bench in release mode");
    let packages = ["--release", "--package", "polarway-bench", "--package", "polarway-server-bin"];
    cargo::run(libduckdb::ensure()?.cargo("build").args(packages))?;
    Ok(target.join("release"))
}

fn tell(text: &str, numbers: &str, json: &Path) -> Result<()> {
    fs::write(json, numbers).with_context(|| format!("writing {}", json.display()))?;
    std::io::stdout().write_all(text.as_bytes())?;
    eprintln!("bench: the numbers are in {}", json.display());
    Ok(())
}

fn parse(mut arguments: lexopt::Parser) -> Result<Options> {
    let mut options = Options {
        subject: Subject::Engine,
        rows: 10_000_000,
        rounds: 0,
        measures: Vec::new(),
        parts: Vec::new(),
        programs: None,
        json: None,
    };
    let mut rounds = None;
    let mut names = Vec::new();
    while let Some(argument) = arguments.next()? {
        match argument {
            Long("python") => options.subject = Subject::PythonClient,
            Long("clients") => options.subject = Subject::Clients,
            Long("cloud") => options.subject = Subject::Cloud,
            Long("distributed") => options.subject = Subject::Distributed,
            Long("programs") => options.programs = Some(std::path::absolute(arguments.value()?)?),
            Long("rows") => options.rows = arguments.value()?.parse()?,
            Long("rounds") => rounds = Some(arguments.value()?.parse()?),
            Long("json") => options.json = Some(PathBuf::from(arguments.value()?)),
            Long("only") => names.push(arguments.value()?.string()?),
            other => return Err(other.unexpected().into()),
        }
    }
    options.rounds = rounds.unwrap_or(match options.subject {
        Subject::PythonClient | Subject::Clients => 9,
        Subject::Engine | Subject::Cloud => 7,
        Subject::Distributed => 3,
    });
    ensure!(options.rows > 0 && options.rounds > 0, "--rows and --rounds must be at least 1");
    let all: &'static [Measure] = match options.subject {
        Subject::Engine => &MEASURES,
        Subject::PythonClient => &PYTHON_MEASURES,
        Subject::Clients => &CLIENT_MEASURES,
        Subject::Cloud => &CLOUD_MEASURES,
        Subject::Distributed => {
            options.parts = distributed::parts(&names)?;
            return Ok(options);
        }
    };
    for name in &names {
        let Some(measure) = all.iter().find(|measure| measure.name == name) else {
            let names: Vec<_> = all.iter().map(|measure| measure.name).collect();
            bail!("there is no measure {name}; there are {}", names.join(", "));
        };
        options.measures.push(measure);
    }
    if options.measures.is_empty() {
        options.measures.extend(all);
    }
    Ok(options)
}

/// The programs that measure.
struct Participants {
    engine: Participant,
    /// With `--python` or `--clients`, each with the beginning of the names of its measures.
    clients: Vec<(&'static str, Participant)>,
    peers: Participant,
    /// With `--cloud`. It ends after those who use it.
    bucket: Option<Bucket>,
}

impl Participants {
    /// Whoever measures what is held to a bar.
    fn ours(&mut self, measure: &Measure) -> &mut Participant {
        let client = self.clients.iter_mut().find(|(language, _)| measure.name.starts_with(language));
        client.map_or(&mut self.engine, |(_, client)| client)
    }

    /// The bytes that came from the bucket so far.
    fn received_bytes(&self) -> u64 {
        self.bucket.as_ref().map_or(0, Bucket::received_bytes)
    }

    /// Whoever measures a rival of a measure.
    fn of(&mut self, party: Party, measure: &Measure) -> &mut Participant {
        match party {
            Party::Polarway => &mut self.engine,
            Party::Peers => &mut self.peers,
            Party::Client => self.ours(measure),
        }
    }
}

/// Round robin: each participant once per round, and in each round another one begins, so that nobody always comes behind the
/// same one. The first round does not count.
fn measure_in_turns(
    measure: &'static Measure,
    rounds: usize,
    participants: &mut Participants,
) -> Result<Measurement> {
    let mut measurement = Measurement::new(measure);
    for round in 0..=rounds {
        let mut turns: Vec<Option<usize>> =
            std::iter::once(None).chain((0..measure.rivals.len()).map(Some)).collect();
        let first = round % turns.len();
        turns.rotate_left(first);
        for turn in turns {
            let received_before = participants.received_bytes();
            let answer = match turn {
                None => participants.ours(measure).measure(measure.name)?,
                Some(rival) => {
                    let rival = &measure.rivals[rival];
                    participants.of(rival.by, measure).measure(rival.name)?
                }
            };
            if round > 0 {
                match turn {
                    None => measurement.ours.push(answer.seconds),
                    Some(rival) => measurement.rivals[rival].push(answer.seconds),
                }
                if let Some(needed) = answer.needed_bytes {
                    let received = participants.received_bytes() - received_before;
                    measurement.received_per_needed.push(received as f64 / needed as f64);
                }
            }
        }
    }
    Ok(measurement)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(arguments: &[&str]) -> Result<Options> {
        parse(lexopt::Parser::from_args(arguments))
    }

    #[test]
    fn without_options_everything_is_measured_at_full_size() {
        let options = options(&[]).unwrap();
        assert_eq!((options.rows, options.rounds, options.measures.len()), (10_000_000, 7, MEASURES.len()));
    }

    #[test]
    fn only_what_was_named_is_measured() {
        let options = options(&["--only", "store", "--only=load-parquet", "--rows", "1000"]).unwrap();
        let names: Vec<_> = options.measures.iter().map(|measure| measure.name).collect();
        assert_eq!((options.rows, names), (1000, vec!["store", "load-parquet"]));
    }

    #[test]
    fn the_python_client_has_measures_of_its_own() {
        let of_client = options(&["--python"]).unwrap();
        assert_eq!((of_client.rounds, of_client.measures.len()), (9, PYTHON_MEASURES.len()));
        let one = options(&["--only", "python-store", "--python", "--rounds", "3"]).unwrap();
        assert_eq!((one.rounds, one.measures[0].name, one.measures.len()), (3, "python-store", 1));
        assert_eq!(options(&["--clients"]).unwrap().measures.len(), CLIENT_MEASURES.len());
        assert!(options(&["--only", "python-store"]).is_err());
        assert!(options(&["--python", "--only", "store"]).is_err());
    }

    #[test]
    fn buckets_have_measures_of_their_own() {
        let of_cloud = options(&["--cloud"]).unwrap();
        assert_eq!((of_cloud.subject, of_cloud.measures.len()), (Subject::Cloud, CLOUD_MEASURES.len()));
        assert!(options(&["--cloud", "--only", "store"]).is_err());
    }

    #[test]
    fn queries_of_several_workers_are_measured_in_parts() {
        let all = options(&["--distributed"]).unwrap();
        assert_eq!((all.rounds, &*all.parts), (3, &Part::ALL[..]));
        let one = options(&["--distributed", "--only", "scaling", "--rounds", "1"]).unwrap();
        assert_eq!((one.rounds, &*one.parts), (1, &[Part::Scaling][..]));
        assert!(options(&["--distributed", "--only", "store"]).is_err());
        assert!(options(&["--only", "scaling"]).is_err());
    }

    #[test]
    fn a_name_that_is_no_measure_is_refused_with_those_that_are() {
        let error = options(&["--only", "stoer"]).err().unwrap().to_string();
        assert!(error.starts_with("there is no measure stoer; there are load-parquet, "), "{error}");
    }

    #[test]
    fn no_rows_no_rounds_and_no_numbers_are_refused() {
        for arguments in [["--rows", "0"], ["--rounds", "0"], ["--rows", "many"], ["--columns", "8"]] {
            assert!(options(&arguments).is_err(), "{arguments:?}");
        }
    }
}
