//! What runs translated plans: DataFusion in this process, or three workers.

mod alone;
mod fleet;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use datafusion::logical_expr::{LogicalPlan, TableSource};
use polarway_query::PinnedFiles;

pub(crate) use alone::Alone;
pub(crate) use fleet::Fleet;

/// The longest time of a translated plan, on a busy machine.
const LONGEST: Duration = Duration::from_secs(60);

/// Runs plans over tables of its own.
pub(crate) trait Executor {
    /// Adds a table in so many parts, which may be none.
    fn add(&mut self, name: &str, schema: &SchemaRef, parts: &[RecordBatch]);

    /// Its tables, for one plan.
    fn sources(&self) -> Sources;

    /// Runs a plan over sources that it gave.
    ///
    /// # Errors
    /// Why the plan fails.
    fn run(&self, plan: LogicalPlan, files: PinnedFiles) -> Result<Vec<RecordBatch>, String>;

    /// How many plans ran on more than one worker.
    fn distributed(&self) -> usize;
}

/// The tables of a plan, by their names.
#[derive(Default)]
pub(crate) struct Sources {
    pub(crate) tables: HashMap<String, Arc<dyn TableSource>>,
    /// The files of the tables.
    pub(crate) files: PinnedFiles,
}
