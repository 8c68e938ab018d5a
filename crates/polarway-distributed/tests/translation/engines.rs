//! Both engines over the same tables: DuckDB as the local executor, and another one for translated plans.

use std::collections::HashMap;
use std::fs::File;
use std::path::Path;
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::compute::concat_batches;
use arrow::datatypes::Schema;
use datafusion::logical_expr::TableSource;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use polarway_distributed::{Tables, Untranslated, translate};
use polarway_query::{Error, QueryOptions};

use crate::answer::difference;
use crate::executors::{Alone, Executor, Fleet, Sources};
use crate::support::Bench;

/// The form of a plan is read on the query's own thread, which has such a stack.
const STACK_BYTES: usize = 64 << 20;

/// What DuckDB says when a sum of decimals or HUGEINTs overflows.
const SUM_OVERFLOWS: &str = "Overflow in HUGEINT addition";

/// Runs a test on a thread like that of a query.
pub(crate) fn on_a_thread_of_queries(test: impl FnOnce() + Send + 'static) {
    std::thread::Builder::new().stack_size(STACK_BYTES).spawn(test).unwrap().join().unwrap();
}

/// The engines, with tables.
pub(crate) struct Engines {
    bench: Bench,
    executor: Box<dyn Executor>,
    /// The parts of each table.
    parts: usize,
}

/// How a query went.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// Both give the same answer.
    Same,
    /// Both give an error.
    BothFail,
    /// DuckDB's sum overflows on the way, in the order in which it adds. The sum itself does not.
    OverflowsOnTheWay,
    Refused(String),
    /// The translated plan fails alone.
    Fails(String),
    Differs(String),
}

/// The tables of a plan, by their names in it.
struct Named<'s> {
    sources: &'s Sources,
    names: HashMap<String, String>,
}

impl Tables for Named<'_> {
    fn source(&self, name: &str) -> Option<Arc<dyn TableSource>> {
        self.sources.tables.get(self.names.get(name)?).map(Arc::clone)
    }
}

impl Engines {
    /// Translated plans run in this process, over tables in memory.
    pub(crate) fn new() -> Self {
        Self::with(Box::new(Alone::new()))
    }

    /// Translated plans run over three workers, spread as far as they can be.
    pub(crate) fn of_three_workers() -> Self {
        Self::with(Box::new(Fleet::new(2, 0)))
    }

    /// The same, but each task of a join reads tables of a few kilobytes for itself.
    pub(crate) fn of_three_workers_that_read_small_tables() -> Self {
        Self::with(Box::new(Fleet::new(2, 64 << 10)))
    }

    /// The same with so many threads for a query on each worker, so many files for each table, and so many bytes of files that each
    /// task of a join reads for itself.
    pub(crate) fn of_three_workers_with(partitions: usize, parts: usize, bytes_of_each_task: u64) -> Self {
        Self { parts, ..Self::with(Box::new(Fleet::new(partitions, bytes_of_each_task))) }
    }

    fn with(executor: Box<dyn Executor>) -> Self {
        Self { bench: Bench::with(|config| config.threads = 1), executor, parts: 3 }
    }

    /// How many plans ran on more than one worker.
    pub(crate) fn distributed(&self) -> usize {
        self.executor.distributed()
    }

    /// Adds a table in several parts.
    pub(crate) fn add(&mut self, name: &str, rows: &RecordBatch) {
        let part = rows.num_rows().div_ceil(self.parts).max(1);
        let parts: Vec<RecordBatch> = (0..rows.num_rows())
            .step_by(part)
            .map(|start| rows.slice(start, part.min(rows.num_rows() - start)))
            .collect();
        match parts.is_empty() {
            true => self.bench.store_empty(name, rows.schema()),
            false => self.bench.store(name, &parts),
        }
        self.executor.add(name, &rows.schema(), &parts);
    }

    /// Adds the rows that a query of DuckDB's gives.
    pub(crate) fn add_query(&mut self, name: &str, sql: &str) {
        let rows = self.bench.query(sql).unwrap_or_else(|error| panic!("{sql}: {error}"));
        let fields = rows.schema();
        let plain = fields.fields().iter().map(|field| field.as_ref().clone().with_metadata(HashMap::new()));
        let schema = Arc::new(Schema::new(plain.collect::<Vec<_>>()));
        self.add(name, &RecordBatch::try_new(schema, rows.columns().to_vec()).unwrap());
    }

    /// Adds the table of a Parquet file.
    pub(crate) fn add_file(&mut self, name: &str, file: &Path) {
        let reader = ParquetRecordBatchReaderBuilder::try_new(File::open(file).unwrap()).unwrap();
        let schema = Arc::clone(reader.schema());
        let batches: Vec<_> = reader.build().unwrap().map(Result::unwrap).collect();
        self.add(name, &concat_batches(&schema, &batches).unwrap());
    }

    /// Asks both.
    pub(crate) fn ask(&self, sql: &str) -> Outcome {
        self.ask_with(sql, None)
    }

    /// Asks both, with the values of parameters.
    pub(crate) fn ask_with(&self, sql: &str, values: Option<&RecordBatch>) -> Outcome {
        let options = || QueryOptions { parameters: values.cloned(), ..QueryOptions::default() };
        let ours = match self.translated(sql, &options()) {
            Err(Failure::Refused(refusal)) => return Outcome::Refused(refusal),
            Err(Failure::Failed(error)) => Err(error),
            Ok(answer) => Ok(answer),
        };
        match (ours, self.bench.query_as(sql, options())) {
            (Err(_), Err(_)) => Outcome::BothFail,
            (Err(error), Ok(_)) => Outcome::Fails(error),
            (Ok(_), Err(error)) if error.to_string().contains(SUM_OVERFLOWS) => Outcome::OverflowsOnTheWay,
            (Ok(_), Err(error)) => Outcome::Differs(format!("DuckDB alone refuses: {error}")),
            (Ok((ours, is_ordered)), Ok(theirs)) => match difference(&ours, &theirs, is_ordered) {
                None => Outcome::Same,
                Some(difference) => Outcome::Differs(difference),
            },
        }
    }

    /// The answer of the translated plan, and whether its order is given.
    fn translated(&self, sql: &str, options: &QueryOptions) -> Result<(RecordBatch, bool), Failure> {
        let failed = |error: &dyn std::fmt::Display| Failure::Failed(error.to_string());
        let engine = &self.bench.engine;
        let resolved = engine.plan(sql, &*self.bench.folder, options).map_err(|error| failed(&error))?;
        if resolved.plan.statement.explained.is_some() {
            return Err(Failure::Refused("EXPLAIN".to_owned()));
        }
        let bound = engine.bind(&resolved.plan).map_err(|error| match error {
            Error::Unsupported(reason) => Failure::Refused(reason),
            error => failed(&error),
        })?;
        let names = resolved.plan.tables.iter();
        let names =
            names.map(|table| (table.name.clone(), dataset(&table.described).to_lowercase())).collect();
        let sources = self.executor.sources();
        let translation = translate(&bound, &Named { sources: &sources, names })
            .map_err(|refusal: Untranslated| Failure::Refused(refusal.to_string()))?;
        let batches = self.executor.run(translation.plan, sources.files).map_err(Failure::Failed)?;
        let renamed = batches.into_iter().map(|batch| {
            RecordBatch::try_new(Arc::clone(&bound.schema), batch.columns().to_vec())
                .map_err(|error| failed(&error))
        });
        let renamed = renamed.collect::<Result<Vec<_>, _>>()?;
        Ok((concat_batches(&bound.schema, &renamed).map_err(|error| failed(&error))?, translation.is_ordered))
    }
}

enum Failure {
    Refused(String),
    Failed(String),
}

/// The name in `the dataset "name"`.
fn dataset(described: &str) -> &str {
    described.split('"').nth(1).unwrap_or(described)
}
