//! What an engine must do that runs plans over several workers.

use std::fmt::Debug;
use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, RecordBatchOptions};
use arrow::datatypes::SchemaRef;
use polarway_model::ErrorKind;

use crate::batches::Joiner;
use crate::bound_plan::BoundPlan;
use crate::catalog::CatalogError;
use crate::error::Error;
use crate::output::Output;
use crate::plan::{Plan, ResultForm};
use crate::queue::control::Interrupt;

/// Runs plans over several workers. [`Engine::set_distributed`](crate::Engine::set_distributed) gives one to an engine, which
/// decides for each plan whether it runs there or in DuckDB.
pub trait DistributedExecutor: Debug + Send + Sync {
    /// How many workers could take part in a query now, this one included. It does not block.
    fn workers(&self) -> usize;

    /// Translates a plan from what DuckDB has bound for it. It is called on the query's own thread, which may block and has a
    /// large stack.
    ///
    /// # Errors
    /// What in the plan can't be run exactly, by its name.
    fn prepare(&self, plan: &Plan, bound: &BoundPlan) -> Result<Box<dyn DistributedQuery>, String>;
}

/// A plan that can be run over several workers.
pub trait DistributedQuery {
    /// Runs it to its end, on the query's own thread, and returns how many workers took part.
    ///
    /// # Errors
    /// Why it gave no rows, or not all of them.
    fn run(&mut self, rows: &mut ResultRows<'_>) -> Result<u32, DistributedFailure>;

    /// Runs it to its end as [`run`](Self::run) does, and drops its rows: `rows` says only whether it may go on. Returns how many
    /// workers took part, and for a reader what each of them did in each stage.
    ///
    /// # Errors
    /// Why it could not be run to its end.
    fn analyze(&mut self, rows: &mut ResultRows<'_>) -> Result<(u32, String), DistributedFailure>;

    /// Its stages, their tasks, and the workers that would run them, for a reader.
    ///
    /// # Errors
    /// Why it can't be planned.
    fn describe(&mut self) -> Result<String, DistributedFailure>;
}

/// Why a query over several workers gave no rows, or not all of them.
#[derive(Debug)]
pub enum DistributedFailure {
    /// Something in the plan can't be run over several workers, in these words.
    Refused(String),
    /// No worker takes the query, in these words.
    NoWorkers(String),
    /// A worker was lost, in these words. The query may succeed if it is run again.
    WorkerLost(String),
    /// The query itself failed, or was stopped.
    Query(Error),
}

impl From<Error> for DistributedFailure {
    fn from(error: Error) -> Self {
        Self::Query(error)
    }
}

impl DistributedFailure {
    /// The error of a query that may run nowhere else.
    pub(crate) fn into_error(self) -> Error {
        match self {
            Self::Refused(reason) | Self::NoWorkers(reason) => Error::NotDistributable(reason),
            Self::WorkerLost(reason) => Error::WorkerLost(reason),
            Self::Query(error) => error,
        }
    }

    /// Why the query now runs on one worker instead. `Err` if it must not: it was stopped, or its result is too large.
    pub(crate) fn into_reason(self) -> Result<String, Error> {
        match self {
            Self::Refused(reason) | Self::NoWorkers(reason) | Self::WorkerLost(reason) => Ok(reason),
            Self::Query(
                error @ (Error::Interrupted
                | Error::Deadline
                | Error::Busy(_)
                | Error::QueryTooLarge(_)
                | Error::ReaderTooSlow(_)
                | Error::Catalog(CatalogError::Failed { kind: ErrorKind::QuotaExceeded, .. })),
            ) => Err(error),
            Self::Query(error) => Ok(error.to_string()),
        }
    }
}

/// Takes the rows of a query over several workers, and gives them the form of DuckDB's: the columns of the bound plan, in
/// batches of the wanted size.
pub struct ResultRows<'o> {
    output: &'o mut Output,
    schema: SchemaRef,
    joiner: Joiner,
}

impl<'o> ResultRows<'o> {
    pub(crate) fn new(output: &'o mut Output, schema: &SchemaRef, form: ResultForm) -> Self {
        let joiner = Joiner::new(Arc::clone(schema), form.batch_bytes);
        Self { output, schema: Arc::clone(schema), joiner }
    }

    /// Whether the query may continue. It is asked between two batches.
    ///
    /// # Errors
    /// Why the query was stopped.
    pub fn check(&self) -> Result<(), Error> {
        self.output.check()
    }

    /// From now on a stop calls `interrupt`, on any thread. An earlier stop does not: [`check`](Self::check) reports it.
    pub fn attach(&self, interrupt: Arc<dyn Interrupt>) {
        self.output.attach(interrupt);
    }

    /// Takes the next rows. While the reader is slow, this waits.
    ///
    /// # Errors
    /// The result is larger than allowed, no longer wanted, or has other types than the bound plan.
    pub fn push(&mut self, columns: Vec<ArrayRef>, rows: usize) -> Result<(), Error> {
        let options = RecordBatchOptions::new().with_row_count(Some(rows));
        let batch = RecordBatch::try_new_with_options(Arc::clone(&self.schema), columns, &options);
        let batch =
            batch.map_err(|error| Error::Internal(format!("the workers gave other columns: {error}")))?;
        match self.joiner.push(batch).map_err(unjoined)? {
            Some(joined) => self.give(joined),
            None => Ok(()),
        }
    }

    /// Notes how much workers have written of a result that its keeper gets as files, in all.
    ///
    /// # Errors
    /// As [`push`](Self::push).
    pub fn written(&mut self, rows: u64, bytes: u64) -> Result<(), Error> {
        self.output.written(rows, bytes)
    }

    /// Delivers the rest of the rows, and the columns if there was no row.
    pub(crate) fn finish(&mut self) -> Result<(), Error> {
        if let Some(rest) = self.joiner.finish().map_err(unjoined)? {
            self.give(rest)?;
        }
        self.output.columns(&self.schema)
    }

    /// The columns come with the first rows: a query that fails before them can still run in DuckDB.
    fn give(&mut self, batch: RecordBatch) -> Result<(), Error> {
        self.output.columns(&self.schema)?;
        self.output.rows(batch)
    }
}

impl Drop for ResultRows<'_> {
    fn drop(&mut self) {
        self.output.detach();
    }
}

impl Debug for ResultRows<'_> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("ResultRows").field("schema", &self.schema).finish_non_exhaustive()
    }
}

fn unjoined(error: arrow::error::ArrowError) -> Error {
    Error::Internal(format!("batches can't be joined: {error}"))
}
