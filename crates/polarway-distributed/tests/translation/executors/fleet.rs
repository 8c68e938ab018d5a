//! Three workers, over tables in tiny files: each plan that can be spread is.

use std::cell::Cell;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Instant;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use datafusion::datasource::provider_as_source;
use datafusion::logical_expr::{LogicalPlan, TableSource};
use polarway_distributed::{Query, Spread, StoredScan};
use polarway_query::{PinnedFiles, StoredTable};
use tokio::runtime::Runtime;
use uuid::Uuid;

use super::{Executor, LONGEST, Sources};
use crate::workers::{Peer, Tables, fleet_spreading, forced, found, urls};

/// The rows of a row group: a file has several, which tasks may share.
const ROW_GROUP: usize = 1_000;

/// What a plan may need on each worker.
const MEMORY_BYTES: usize = 256 << 20;

pub(crate) struct Fleet {
    peers: Vec<Peer>,
    folder: Tables,
    tables: HashMap<String, StoredTable>,
    distributed: Cell<usize>,
    runtime: Runtime,
}

impl Fleet {
    /// Each worker has so many threads for a query, and each task of a join reads so many bytes of files for itself.
    pub(crate) fn new(partitions: usize, bytes_of_each_task: u64) -> Self {
        let runtime = Runtime::new().unwrap();
        let folder = Tables::new();
        let spread = Spread { partitions, bytes_of_each_task, ..forced() };
        let peers = runtime.block_on(fleet_spreading(folder.root(), 3, spread));
        Self { peers, folder, tables: HashMap::new(), distributed: Cell::new(0), runtime }
    }
}

impl Executor for Fleet {
    fn add(&mut self, name: &str, schema: &SchemaRef, parts: &[RecordBatch]) {
        let table = match parts.is_empty() {
            true => found(self.folder.root(), name, schema),
            false => self.folder.store(name, parts, ROW_GROUP),
        };
        self.tables.insert(name.to_owned(), table);
    }

    fn sources(&self) -> Sources {
        let mut files = PinnedFiles::default();
        let scan = |(name, table): (&String, &StoredTable)| {
            let scan = StoredScan::new(table, &mut files).unwrap();
            (name.clone(), provider_as_source(Arc::new(scan)) as Arc<dyn TableSource>)
        };
        let tables = self.tables.iter().map(scan).collect();
        Sources { tables, files }
    }

    fn run(&self, plan: LogicalPlan, files: PinnedFiles) -> Result<Vec<RecordBatch>, String> {
        let query = Query {
            plan,
            files,
            memory_bytes: MEMORY_BYTES,
            deadline: Instant::now() + LONGEST,
            id: Uuid::now_v7(),
            call: None,
            is_analyzed: false,
            kept: None,
        };
        self.runtime.block_on(async {
            let mut rows = self.peers[0].worker.run(query, urls(&self.peers));
            let mut batches = Vec::new();
            while let Some(batch) = rows.next().await {
                batches.push(batch.map_err(|error| error.to_string())?);
            }
            self.distributed.set(self.distributed.get() + usize::from(rows.workers() > 1));
            Ok(batches)
        })
    }

    fn distributed(&self) -> usize {
        self.distributed.get()
    }
}

impl Drop for Fleet {
    /// Whatever was asked, nothing of it is left.
    fn drop(&mut self) {
        if !std::thread::panicking() {
            self.runtime.block_on(async {
                for peer in &self.peers {
                    peer.idle().await;
                }
            });
        }
    }
}
