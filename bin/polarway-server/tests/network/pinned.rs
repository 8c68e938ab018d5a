//! A query reads one version, whatever is written and tidied while it runs.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use arrow_array::cast::AsArray as _;
use arrow_array::types::Int64Type;
use arrow_array::{ArrayRef, Int64Array, RecordBatch};
use futures::StreamExt as _;
use polarway_client::{DistributedClient, Published, QueryPhase, QueryStream, Table};

use crate::support::{Server, query_in, rows_of};

const OVERWRITES: i64 = 100;

/// How many overwrites lie between the first rows of one reader and those of the next.
const BETWEEN_READERS: i64 = 5;

/// How many overwrites pass while a reader does not read.
const WHILE_PAUSED: i64 = 10;

/// Rows of 16 KB: those of some files are more than what is made ahead of a reader, so that the others are opened late.
const SCAN: &str = "SELECT generation, n, repeat('x', 16000) AS payload FROM pinned";
const SELF_JOIN: &str = "SELECT a.generation, a.n, b.generation AS other, repeat('x', 16000) AS payload \
     FROM pinned AS a JOIN pinned AS b USING (n)";

/// A server that tidies all the time and keeps as little as it may. On one thread it makes less ahead.
fn tidy_server() -> Server {
    Server::start_with(&[
        "--janitor-interval",
        "50ms",
        "--keep-versions",
        "1",
        "--grace",
        "10m",
        "--query-time",
        "5m",
        "--queries-running",
        "64",
        "--query-threads",
        "1",
    ])
}

/// Writes the dataset `pinned`, and knows what each of its versions holds.
struct Writer {
    client: DistributedClient,
    /// The generation and the rows of each version: an overwrite begins a generation, an append adds to it.
    versions: BTreeMap<u64, (i64, i64)>,
}

impl Writer {
    fn new(client: DistributedClient) -> Self {
        Self { client, versions: BTreeMap::new() }
    }

    /// Overwrites, and appends until there are this many files. No two versions have as many rows.
    async fn write(&mut self, generation: i64, files: i64) {
        let rows = 400 + generation;
        let piece = |number: i64| rows_from(generation, number * rows, rows);
        let published = self.client.store("pinned", piece(0)).await.unwrap();
        self.note(generation, published);
        for number in 1..files {
            self.append(generation, number).await;
        }
    }

    async fn append(&mut self, generation: i64, number: i64) {
        let rows = 400 + generation;
        let piece = rows_from(generation, number * rows, rows);
        let published = self.client.append("pinned", piece).await.unwrap();
        self.note(generation, published);
    }

    fn note(&mut self, generation: i64, published: Published) {
        let rows = i64::try_from(published.rows).unwrap();
        self.versions.insert(published.version, (generation, rows));
    }

    /// The generation and the rows of a version.
    fn what_is_in(&self, version: u64) -> (i64, i64) {
        self.versions[&version]
    }
}

/// Rows of one generation, whose column `n` counts from here.
fn rows_from(generation: i64, first: i64, count: i64) -> Table {
    let numbers: ArrayRef = Arc::new(Int64Array::from_iter_values(first..first + count));
    let generations: ArrayRef = Arc::new(Int64Array::from_iter_values((0..count).map(|_| generation)));
    RecordBatch::try_from_iter([("generation", generations), ("n", numbers)]).unwrap().into()
}

/// A query whose first rows were read, and no others.
struct Reader {
    sql: String,
    stream: QueryStream,
    batches: Vec<RecordBatch>,
}

impl Reader {
    /// `mark` makes its text different from others.
    async fn begin(client: &DistributedClient, sql: &str, mark: i64) -> Self {
        let sql = format!("{sql} /* {mark} */");
        let mut stream = client.query_stream(&sql).await.unwrap();
        let first = stream.next().await.unwrap().unwrap();
        Self { sql, stream, batches: vec![first] }
    }

    /// Reads the other rows, and holds them all against the version that the query says it read.
    async fn finish(mut self, writer: &Writer) {
        let query = query_in(QueryPhase::Running, &writer.client, &self.sql).await;
        while let Some(batch) = self.stream.next().await {
            self.batches.push(batch.unwrap());
        }
        let [dataset] = &self.stream.summary().unwrap().datasets[..] else {
            panic!("{:?}", self.stream.summary());
        };
        let (generation, rows) = writer.what_is_in(dataset.version);
        assert!(query.rows < rows as u64, "the query was done before it was read");
        let column = |name: &str| -> Vec<i64> {
            let columns = self.batches.iter().filter_map(|batch| batch.column_by_name(name));
            columns.flat_map(|column| column.as_primitive::<Int64Type>().values().to_vec()).collect()
        };
        assert!(column("generation").iter().chain(&column("other")).all(|found| *found == generation));
        let mut numbers = column("n");
        numbers.sort_unstable();
        assert_eq!(numbers, (0..rows).collect::<Vec<_>>());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_query_over_a_dataset_that_is_overwritten_a_hundred_times_gives_the_rows_of_one_version() {
    let server = tidy_server();
    let client = server.client().await;
    let mut writer = Writer::new(client.clone());
    writer.write(0, 7).await;
    let first = Reader::begin(&client, SCAN, 0).await;
    // The eighth small file is one too many: the janitor puts them together, those that are being read included.
    writer.append(0, 7).await;
    server.logged("files_put_together=8").await;
    let mut paused: Vec<(i64, Reader)> = Vec::new();
    let mut finished = 0;
    for generation in 1..=OVERWRITES {
        writer.write(generation, 6 + generation % 2).await;
        if generation % BETWEEN_READERS == 0 {
            let sql = if generation % 2 == 0 { SCAN } else { SELF_JOIN };
            paused.push((generation, Reader::begin(&client, sql, generation).await));
        }
        for (_, reader) in paused.extract_if(.., |(began, _)| *began + WHILE_PAUSED <= generation) {
            reader.finish(&writer).await;
            finished += 1;
        }
    }
    for (_, reader) in paused {
        reader.finish(&writer).await;
        finished += 1;
    }
    assert_eq!(finished, 20);
    first.finish(&writer).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn queries_that_begin_while_a_dataset_is_overwritten_see_one_version_in_all_their_references() {
    let server = tidy_server();
    let client = server.client().await;
    let mut writer = Writer::new(client.clone());
    writer.write(0, 2).await;
    let is_written = Arc::new(AtomicBool::new(false));
    let readers = (0..3).map(|_| {
        let (client, is_written) = (client.clone(), Arc::clone(&is_written));
        tokio::spawn(async move {
            let mut seen = Vec::new();
            while !is_written.load(Ordering::Relaxed) {
                seen.push(self_join(&client).await);
            }
            seen
        })
    });
    let readers: Vec<_> = readers.collect();
    for generation in 1..=OVERWRITES {
        writer.write(generation, 2).await;
    }
    is_written.store(true, Ordering::Relaxed);
    for reader in readers {
        for (version, row) in reader.await.unwrap() {
            let (generation, rows) = writer.what_is_in(version);
            let expected = [generation, generation, generation, generation, rows, rows, rows];
            assert_eq!(row, expected.map(|number| number.to_string()).join("|"), "version {version}");
        }
    }
}

/// What a self join and a subquery see of the dataset, and the version that they read.
async fn self_join(client: &DistributedClient) -> (u64, String) {
    let sql = "SELECT min(a.generation), max(a.generation), min(b.generation), max(b.generation), \
               count(a.n), count(b.n), (SELECT count(*) FROM pinned) FROM pinned AS a FULL JOIN pinned AS b USING (n)";
    let mut stream = client.query_stream(sql).await.unwrap();
    let batch = stream.next().await.unwrap().unwrap();
    assert!(stream.next().await.is_none());
    let [dataset] = &stream.summary().unwrap().datasets[..] else { panic!("{:?}", stream.summary()) };
    (dataset.version, rows_of(&batch.into()).remove(0))
}
