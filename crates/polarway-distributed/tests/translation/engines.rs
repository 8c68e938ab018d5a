//! Both engines over the same tables: DuckDB as the local executor, and DataFusion in this process for translated plans.

use std::collections::HashMap;
use std::fs::File;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use arrow::array::RecordBatch;
use arrow::compute::concat_batches;
use arrow::datatypes::Schema;
use datafusion::catalog::MemTable;
use datafusion::datasource::provider_as_source;
use datafusion::error::DataFusionError;
use datafusion::execution::SessionStateBuilder;
use datafusion::logical_expr::TableSource;
use datafusion::prelude::{SessionConfig, SessionContext};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use polarway_distributed::{Tables, Untranslated, functions, optimizer_rules, translate};
use polarway_query::{Error, QueryOptions};
use tokio::runtime::Runtime;

use crate::answer::difference;
use crate::support::Bench;

/// The longest time of a translated plan, on a busy machine.
const LONGEST: Duration = Duration::from_secs(60);

/// The engines, with tables.
pub(crate) struct Engines {
    bench: Bench,
    sources: HashMap<String, Arc<dyn TableSource>>,
    session: SessionContext,
    runtime: Runtime,
}

/// How a query went.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// Both give the same answer, or both an error.
    Same,
    Refused(String),
    /// The translated plan fails alone.
    Fails(String),
    Differs(String),
}

struct Sources<'e> {
    engines: &'e Engines,
    names: HashMap<String, String>,
}

impl Tables for Sources<'_> {
    fn source(&self, name: &str) -> Option<Arc<dyn TableSource>> {
        self.engines.sources.get(self.names.get(name)?).map(Arc::clone)
    }
}

impl Engines {
    pub(crate) fn new() -> Self {
        let config = SessionConfig::new().with_target_partitions(3).with_batch_size(1_000);
        let builder = SessionStateBuilder::new().with_default_features().with_config(config);
        let session = SessionContext::new_with_state(builder.with_optimizer_rules(optimizer_rules()).build());
        for function in functions() {
            session.register_udf(function.as_ref().clone());
        }
        Self {
            bench: Bench::with(|config| config.threads = 1),
            sources: HashMap::new(),
            session,
            runtime: Runtime::new().unwrap(),
        }
    }

    /// Adds a table in several parts.
    pub(crate) fn add(&mut self, name: &str, rows: &RecordBatch) {
        let part = rows.num_rows().div_ceil(3).max(1);
        let parts: Vec<RecordBatch> = (0..rows.num_rows())
            .step_by(part)
            .map(|start| rows.slice(start, part.min(rows.num_rows() - start)))
            .collect();
        match parts.is_empty() {
            true => self.bench.store_empty(name, rows.schema()),
            false => self.bench.store(name, &parts),
        }
        let mut partitions: Vec<_> = parts.into_iter().map(|part| vec![part]).collect();
        if partitions.is_empty() {
            partitions.push(Vec::new());
        }
        let table = MemTable::try_new(rows.schema(), partitions).unwrap();
        self.sources.insert(name.to_owned(), provider_as_source(Arc::new(table)));
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
        let ours = match self.translated(sql) {
            Err(Failure::Refused(refusal)) => return Outcome::Refused(refusal),
            Err(Failure::Failed(error)) => Err(error),
            Ok(answer) => Ok(answer),
        };
        match (ours, self.bench.query(sql)) {
            (Err(_), Err(_)) => Outcome::Same,
            (Err(error), Ok(_)) => Outcome::Fails(error),
            (Ok(_), Err(error)) => Outcome::Differs(format!("DuckDB alone refuses: {error}")),
            (Ok((ours, is_ordered)), Ok(theirs)) => match difference(&ours, &theirs, is_ordered) {
                None => Outcome::Same,
                Some(difference) => Outcome::Differs(difference),
            },
        }
    }

    /// The answer of the translated plan, and whether its order is given.
    fn translated(&self, sql: &str) -> Result<(RecordBatch, bool), Failure> {
        let failed = |error: &dyn std::fmt::Display| Failure::Failed(error.to_string());
        let engine = &self.bench.engine;
        let resolved = engine
            .plan(sql, &*self.bench.folder, &QueryOptions::default())
            .map_err(|error| failed(&error))?;
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
        let translation = translate(&bound, &Sources { engines: self, names })
            .map_err(|refusal: Untranslated| Failure::Refused(refusal.to_string()))?;
        let batches = self.runtime.block_on(async {
            let answer = async { self.session.execute_logical_plan(translation.plan).await?.collect().await };
            // A plan that never ends fails by its name.
            let timed = tokio::time::timeout(LONGEST, answer).await;
            timed.unwrap_or_else(|_| Err(DataFusionError::Execution("it takes too long".to_owned())))
        });
        let batches = batches.map_err(|error| failed(&error))?;
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
