//! DataFusion in this process, over tables in memory.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use datafusion::catalog::MemTable;
use datafusion::datasource::provider_as_source;
use datafusion::execution::SessionStateBuilder;
use datafusion::logical_expr::{LogicalPlan, TableSource};
use datafusion::prelude::{SessionConfig, SessionContext};
use polarway_distributed::{functions, optimizer_rules, physical_optimizer_rules};
use polarway_query::PinnedFiles;
use tokio::runtime::Runtime;

use super::{Executor, LONGEST, Sources};

/// How many partitions work together, as workers do.
const PARTITIONS: usize = 3;

pub(crate) struct Alone {
    tables: HashMap<String, Arc<dyn TableSource>>,
    session: SessionContext,
    runtime: Runtime,
}

impl Alone {
    pub(crate) fn new() -> Self {
        let config = SessionConfig::new().with_target_partitions(PARTITIONS).with_batch_size(1_000);
        let builder = SessionStateBuilder::new().with_default_features().with_config(config);
        let builder = builder.with_optimizer_rules(optimizer_rules());
        let builder = builder.with_physical_optimizer_rules(physical_optimizer_rules(PARTITIONS));
        let session = SessionContext::new_with_state(builder.build());
        let functions = functions();
        for function in functions.scalar {
            session.register_udf(function.as_ref().clone());
        }
        for function in functions.aggregate {
            session.register_udaf(function.as_ref().clone());
        }
        Self { tables: HashMap::new(), session, runtime: Runtime::new().unwrap() }
    }
}

impl Executor for Alone {
    fn add(&mut self, name: &str, schema: &SchemaRef, parts: &[RecordBatch]) {
        let mut partitions: Vec<_> = parts.iter().map(|part| vec![part.clone()]).collect();
        if partitions.is_empty() {
            partitions.push(Vec::new());
        }
        let table = MemTable::try_new(Arc::clone(schema), partitions).unwrap();
        self.tables.insert(name.to_owned(), provider_as_source(Arc::new(table)));
    }

    fn sources(&self) -> Sources {
        Sources { tables: self.tables.clone(), files: PinnedFiles::default() }
    }

    fn run(&self, plan: LogicalPlan, _: PinnedFiles) -> Result<Vec<RecordBatch>, String> {
        self.runtime.block_on(async {
            let answer = async { self.session.execute_logical_plan(plan).await?.collect().await };
            // A plan that never ends fails by its name.
            let timed = tokio::time::timeout(LONGEST, answer).await.map_err(|_| "it takes too long")?;
            timed.map_err(|error| error.to_string())
        })
    }

    fn distributed(&self) -> usize {
        0
    }
}
