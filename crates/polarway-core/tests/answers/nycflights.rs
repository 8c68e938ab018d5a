//! Hundreds of queries over the tables of nycflights13, each answered as DuckDB answers it over the files themselves.
//!
//! The queries lie in `queries/`, a theme in each file; a file that is put there is run. Both sides work on one thread:
//! the sum of floats depends on the order in which they are added, which several threads leave to chance. With one, names,
//! types, order and values are compared exactly, floats bit for bit.

use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::thread;

use duckdb::Connection;
use polarway_cloud::Given;
use polarway_core::Polarway;
use polarway_core::arrow::array::RecordBatch;
use polarway_core::arrow::compute::concat_batches;
use polarway_table::{batch_without_duckdb_types, without_duckdb_types};
use polarway_testing::is_long;
use tokio::runtime::Runtime;

use crate::difference::difference;
use crate::statements::statements;
use crate::stored;

const TABLES: [&str; 5] = ["airlines", "airports", "flights", "planes", "weather"];

/// The file of texts that both sides must refuse.
const ERRORS: &str = "errors.sql";

/// What a query gave, or why it gave nothing.
type Outcome = Result<RecordBatch, String>;

#[test]
fn every_query_answers_as_duckdb_does() {
    let runtime = Runtime::new().unwrap();
    let (polarway, _folder) = runtime.block_on(stored::engine(1));
    all_are_right(&runtime, &polarway);
}

#[test]
fn every_query_over_ranges_of_files_in_buckets_answers_as_duckdb_does() {
    let runtime = Runtime::new().unwrap();
    let given = Given::all().into_iter().take(if is_long() { usize::MAX } else { 1 });
    for given in given {
        let (polarway, _folder) = runtime.block_on(stored::engine_in_bucket(1, &given));
        all_are_right(&runtime, &polarway);
    }
    if Given::all().is_empty() {
        let (polarway, _folder) = runtime.block_on(stored::engine_far_away(1));
        all_are_right(&runtime, &polarway);
    }
}

/// Stores the tables and asks each query.
fn all_are_right(runtime: &Runtime, polarway: &Polarway) {
    for table in TABLES {
        runtime.block_on(stored::store(polarway, table, &source(table)));
    }
    let ours = |sql: &str| ours(runtime, polarway, sql);
    let duckdb = plain_duckdb();

    let queries = queries();
    assert!(queries.len() >= 300, "only {} queries were found", queries.len());
    let waiting = Mutex::new(queries.iter());
    let different = Mutex::new(Vec::new());
    thread::scope(|scope| {
        for _ in 0..thread::available_parallelism().map_or(1, usize::from) {
            let duckdb = duckdb.try_clone().unwrap();
            let (ours, waiting, different) = (&ours, &waiting, &different);
            scope.spawn(move || {
                let next = || waiting.lock().unwrap().next();
                while let Some(query) = next() {
                    if let Some(problem) = query.problem(ours(&query.sql), theirs(&duckdb, &query.sql)) {
                        different.lock().unwrap().push(format!("{}: {}\n{problem}", query.file, query.sql));
                    }
                }
            });
        }
    });
    let different = different.into_inner().unwrap();
    assert!(different.is_empty(), "{} of {}:\n\n{}", different.len(), queries.len(), different.join("\n\n"));
}

struct Query {
    /// The name of the file that it stands in.
    file: String,
    sql: String,
}

impl Query {
    /// What is wrong with the two outcomes, if anything is.
    fn problem(&self, ours: Outcome, theirs: Outcome) -> Option<String> {
        let must_fail = self.file == ERRORS;
        match (ours, theirs) {
            (Err(_), Err(_)) if must_fail => None,
            (Ok(_), Ok(_)) if must_fail => Some("both sides answer".to_owned()),
            (Ok(ours), Ok(theirs)) => difference(&ours, &theirs),
            (Err(ours), Err(theirs)) => Some(format!("both sides fail\n{ours}\n{theirs}")),
            (Err(ours), Ok(_)) => Some(format!("Polarway alone fails\n{ours}")),
            (Ok(_), Err(theirs)) => Some(format!("DuckDB alone fails\n{theirs}")),
        }
    }
}

fn queries() -> Vec<Query> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/answers/queries");
    let mut queries = Vec::new();
    for entry in folder.read_dir().unwrap() {
        let path = entry.unwrap().path();
        let file = path.file_name().unwrap().display().to_string();
        let text = std::fs::read_to_string(&path).unwrap();
        queries.extend(statements(&text).into_iter().map(|sql| Query { file: file.clone(), sql }));
    }
    queries
}

fn source(table: &str) -> PathBuf {
    let examples = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/data/nycflights13");
    examples.join(table).with_extension("parquet")
}

/// A DuckDB of its own, whose views are the files.
fn plain_duckdb() -> Connection {
    let connection = Connection::open_in_memory().unwrap();
    connection.execute_batch("SET GLOBAL TimeZone = 'UTC'; SET GLOBAL threads = 1").unwrap();
    for table in TABLES {
        let view = format!("CREATE VIEW {table} AS FROM read_parquet('{}')", source(table).display());
        connection.execute_batch(&view).unwrap();
    }
    connection
}

fn ours(runtime: &Runtime, polarway: &Polarway, sql: &str) -> Outcome {
    let table = runtime.block_on(polarway.query(sql)).map_err(|error| error.to_string())?;
    let batch = table.to_batch().unwrap();
    // DuckDB's own fields don't tell what they were.
    Ok(match without_duckdb_types(&batch.schema()) {
        Some(schema) => batch_without_duckdb_types(&batch, &schema).unwrap(),
        None => batch,
    })
}

fn theirs(duckdb: &Connection, sql: &str) -> Outcome {
    let sql = with_texts(duckdb, sql);
    let mut statement = duckdb.prepare(&sql).map_err(|error| error.to_string())?;
    let result = statement.query_arrow([]).map_err(|error| error.to_string())?;
    let schema = result.get_schema();
    Ok(concat_batches(&schema, &result.collect::<Vec<_>>()).unwrap())
}

/// The query with other types in the place of those that Polarway does not give, since not all clients have them.
fn with_texts(duckdb: &Connection, sql: &str) -> String {
    let text = sql.trim().trim_end_matches(';');
    // What is no SELECT has no such types.
    let Ok(mut described) = duckdb.prepare(&format!("DESCRIBE {text}")) else { return sql.to_owned() };
    let Ok(columns) = described.query_map([], |row| Ok((row.get(0)?, row.get(1)?))) else {
        return sql.to_owned();
    };
    let columns: Vec<(String, String)> = columns.map(Result::unwrap).collect();
    let texts = |data_type: &str| match data_type {
        union if union.starts_with("UNION(") => "JSON".to_owned(),
        timestamp if timestamp.contains("TIMESTAMP") => timestamp.replace("TIMESTAMP_S", "TIMESTAMP_MS"),
        other => ["INTERVAL", "UHUGEINT", "BIGNUM", "TIME WITH TIME ZONE", "BIT"]
            .iter()
            .fold(other.to_owned(), |data_type, name| data_type.replace(name, "VARCHAR")),
    };
    if columns.iter().all(|(_, data_type)| texts(data_type) == *data_type) {
        return sql.to_owned();
    }
    let places: Vec<String> = (0..columns.len()).map(|place| format!("c{place}")).collect();
    let selected = columns.iter().zip(&places).map(|((name, data_type), place)| {
        format!("CAST({place} AS {}) AS \"{}\"", texts(data_type), name.replace('"', "\"\""))
    });
    let selected: Vec<_> = selected.collect();
    format!("SELECT {} FROM ({text}\n) AS t({})", selected.join(", "), places.join(", "))
}
