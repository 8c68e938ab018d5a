//! Clients whose queries run over several workers, while workers die and stop: each answer is right, or there is a clear error, and
//! nothing is left on any worker.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::TryStreamExt as _;
use polarway_client::{
    DistributedClient, EngineChoice, Error, ErrorKind, HandleOptions, QueryOptions, Reason, Table,
};
use polarway_fleet::Balancer;
use polarway_testing::is_long;

use super::noise;
use super::questions::{Question, prepare};
use super::report::Report;
use super::trouble::Trouble;
use crate::support::{OwnFleet, client_of, has};

const CLIENTS: usize = 8;

/// How long a query may take, and how much longer its answer may be on its way: a client asks again elsewhere when a worker is
/// silent or gone.
const TIME: Duration = Duration::from_secs(30);
const ON_ITS_WAY: Duration = Duration::from_secs(60);

/// How long a client waits after an error.
const PAUSE: Duration = Duration::from_millis(500);

/// How long workers may take to drop what is left of a query.
const IDLE: Duration = Duration::from_secs(30);

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn queries_over_several_workers_that_die_and_stop_are_answered_right_or_with_a_clear_error() {
    if !has(Balancer::Nginx) {
        return;
    }
    let time = Duration::from_secs(if is_long() { 600 } else { 60 });
    let mut noise = noise("queries of several workers", time);
    let own = OwnFleet::of_peers_behind(Balancer::Nginx, &["--metrics", "--metrics-port", "0"]);
    prepare(&own.client().await).await;

    let report = Arc::new(Report::default());
    let end = Instant::now() + time;
    let mut askers = Vec::new();
    for number in 0..CLIENTS {
        let client = client_of(own.fleet.url()).await;
        let asker = Asker { number, client, noise: noise.fork(), report: Arc::clone(&report) };
        askers.push(tokio::spawn(asker.ask_until(end)));
    }
    let trouble = Trouble::begin(own, noise.fork(), Arc::clone(&report));
    for asker in askers {
        asker.await.expect("a client panicked");
    }
    let own = trouble.end();
    println!("{report}");
    report.assert_nothing_went_wrong();
    let (answered, lost) = (report.count("answered"), report.count("lost"));
    assert!(answered > 3 * lost, "{answered} queries were answered, and {lost} lost");
    for index in 0..own.fleet.worker_count() {
        nothing_is_left(&own, index).await;
    }
}

struct Asker {
    number: usize,
    client: DistributedClient,
    noise: fastrand::Rng,
    report: Arc<Report>,
}

/// How a client takes an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    Whole,
    Streamed,
    Kept,
}

impl Asker {
    async fn ask_until(mut self, end: Instant) {
        while Instant::now() < end {
            let question = Question::pick(&mut self.noise);
            let way = self.noise.choice([Way::Whole, Way::Whole, Way::Streamed, Way::Kept]).unwrap();
            let begin = Instant::now();
            let answer = self.ask(&question.sql, way).await;
            let took = begin.elapsed();
            self.report.done(&format!("{}, {way:?}", question.name), took);
            let wrong = match answer {
                Ok(table) => {
                    self.report.done("answered", took);
                    question.check(&table).err()
                }
                Err(error) if may_happen(&error, way) => {
                    // Only one worker was there, which says nothing about how the loss of one is taken.
                    if error.reason() != Some(Reason::NotDistributable) {
                        self.report.done("lost", took);
                    }
                    self.report.done(&format!("error: {:?}", error.kind()), took);
                    // As a user would, who was told that there are too few workers.
                    tokio::time::sleep(PAUSE).await;
                    None
                }
                Err(error) => Some(format!("{:?}: {error}", error.kind())),
            };
            let wrong = wrong.or_else(|| (took > TIME + ON_ITS_WAY).then(|| "it hung".to_owned()));
            if let Some(wrong) = wrong {
                let (number, sql) = (self.number, question.sql);
                self.report.wrong(format!("client {number}, {way:?}, {sql}, after {took:?}: {wrong}"));
            }
        }
    }

    async fn ask(&self, sql: &str, way: Way) -> Result<Table, Error> {
        let engine = EngineChoice::Distributed;
        let options = QueryOptions { engine, time: Some(TIME), ..QueryOptions::default() };
        match way {
            Way::Whole => self.client.query_with(sql, options).await,
            Way::Streamed => {
                let stream = self.client.query_stream_with(sql, options).await?;
                let schema = stream.schema().clone();
                Ok(Table::new(schema, stream.try_collect::<Vec<_>>().await?))
            }
            Way::Kept => {
                let options = HandleOptions { engine, time: Some(TIME), ..HandleOptions::default() };
                let handle = self.client.query_handle_with(sql, options).await?;
                let table = handle.load().await?;
                handle.discard().await?;
                Ok(table)
            }
        }
    }
}

/// Whether an error is one that the loss of workers explains.
fn may_happen(error: &Error, way: Way) -> bool {
    match error.kind() {
        // One after the other went, or one after the first rows; or only one was left.
        ErrorKind::Refused(Reason::WorkerLost | Reason::NotDistributable) => true,
        // The worker that was asked went, after the first rows.
        ErrorKind::Unreachable => way == Way::Streamed,
        _ => false,
    }
}

/// A worker holds nothing of any query: no part of one, no memory, no file.
async fn nothing_is_left(own: &OwnFleet, index: usize) {
    let idle = "This worker takes part in 0 queries of several workers. They hold 0 B of its memory, and 0 B of its disk.";
    let client = own.client_of_worker(index).await;
    let begin = Instant::now();
    loop {
        let queries = client.queries().await.unwrap();
        let page = own.page(index, "/").await;
        if queries.is_empty() && page.contains(idle) {
            break;
        }
        assert!(begin.elapsed() < IDLE, "{queries:?}, {page}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    // Killed ones have left their folders to those that came after them.
    let of_processes = own.fleet.data_folder(index).join("tmp");
    let of_processes: Vec<PathBuf> =
        fs::read_dir(of_processes).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert_eq!(of_processes.len(), 1, "{of_processes:?}");
    for spilled in ["plans", "spill"] {
        let left = files_below(&of_processes[0].join(spilled));
        assert!(left.is_empty(), "{left:?}");
    }
}

fn files_below(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).into_iter().flatten().map(Result::unwrap) {
        match entry.file_type().unwrap().is_dir() {
            true => files.extend(files_below(&entry.path())),
            false => files.push(entry.path()),
        }
    }
    files
}
