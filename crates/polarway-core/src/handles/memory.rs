//! Results in the query engine's memory, each as a table that the engine made of its query.

use std::collections::VecDeque;
use std::sync::Arc;

use arrow::array::RecordBatch;
use futures::FutureExt as _;
use futures::future::BoxFuture;
use polarway_handles::{Handle, HandleId, HandleStore, KeptTable, MemoryHandles, TableHolder};
use polarway_ipc::{Chunk, Compression};
use polarway_model::Selection;
use polarway_query::{Engine, KeptPart, KeptScan, Relation, ResultFiles, TableSource};
use polarway_storage::{Clock, IdSource, Part, Reservation};

use super::KeptResult;
use super::results::{HandleRows, ResultStore, Wanted};
use crate::access::HandleQuota;
use crate::chunks::{ChunkForm, Chunks};
use crate::error::{Error, Result};
use crate::polarway::{EngineParts, Polarway};
use crate::query_events::Form as _;
use crate::stream::{BlockingStream, ITEMS_IN_ALL, Source};

/// The query engine returns at least this many rows at a time, …
const LEAST_ROWS: u64 = 2_048;

/// … and joins them to batches of about this many bytes.
const BATCH_BYTES: u64 = 1 << 20;

/// Besides the batches that wait for the reader: one that is being joined, and what the query engine holds.
const BATCHES_OF_SCAN: u64 = 2;

/// What a scan takes at least, in bytes.
const LEAST_BYTES: u64 = 32 << 10;

/// The results of one engine.
pub(crate) struct MemoryResults {
    handles: Arc<MemoryHandles>,
    leases: Arc<dyn HandleStore>,
    queries: Engine,
    holder: Arc<dyn TableHolder>,
    ids: Arc<dyn IdSource>,
}

impl MemoryResults {
    /// A store with space for this many bytes, which are part of the memory of queries.
    pub(crate) fn new(
        queries: Engine,
        budget_bytes: u64,
        clock: Arc<dyn Clock>,
        ids: Arc<dyn IdSource>,
    ) -> Self {
        let handles = Arc::new(MemoryHandles::new(budget_bytes, clock));
        let leases = Arc::clone(&handles) as Arc<dyn HandleStore>;
        let holder = Arc::new(TablesOfEngine(queries.clone()));
        Self { handles, leases, queries, holder, ids }
    }
}

impl ResultStore for MemoryResults {
    fn handles(&self) -> &Arc<dyn HandleStore> {
        &self.leases
    }

    fn keep<'a>(
        &'a self,
        polarway: &'a Polarway,
        sql: &'a str,
        wanted: Wanted,
    ) -> BoxFuture<'a, Result<KeptResult>> {
        let keep = async move {
            let Wanted { id, ttl, owner, query, quota } = wanted;
            self.handles.check_room()?;
            // The id alone is not enough: the table of an earlier try may still be there.
            let name = format!("{id}.{}", self.ids.fresh().simple());
            // Whatever happens, the table is removed unless a handle has it. If this future is dropped, the query is stopped
            // first: from then on it removes the table itself.
            let table = Arc::new(KeptTable::new(name.clone(), Arc::clone(&self.holder)));
            let mut making = polarway.start_keeping(sql, query, name)?;
            let (schema, summary) = making.finish().await?;
            let (handles, queries) = (Arc::clone(&self.handles), self.queries.clone());
            let handle = polarway
                .blocking_briefly(move |_| {
                    let bytes = queries.kept_bytes(table.name())?;
                    let _turn = quota.as_ref().map(HandleQuota::turn);
                    if let Some(quota) = &quota {
                        quota.check(bytes, quota.left()?)?;
                    }
                    let (rows, lease) = (summary.rows, handles.lease(ttl));
                    let handle = Handle { id, schema, rows, bytes, lease, owner: Some(owner) };
                    Ok(handles.add(handle, table)?)
                })
                .await?;
            Ok(KeptResult { handle, summary: Some(summary) })
        };
        keep.boxed()
    }

    fn result_files(&self) -> Option<Arc<dyn ResultFiles>> {
        None
    }

    fn open(&self, id: HandleId) -> Result<Box<dyn HandleRows>> {
        let (handle, table) = self.handles.table(id)?;
        Ok(Box::new(TableRows { handle, table, queries: self.queries.clone() }))
    }
}

/// The tables that the query engine keeps.
struct TablesOfEngine(Engine);

impl TableHolder for TablesOfEngine {
    fn has(&self, name: &str) -> bool {
        self.0.has_kept(name)
    }

    fn remove(&self, name: &str) {
        if let Err(error) = self.0.remove_kept(name) {
            tracing::warn!(name, %error, "a handle's table could not be removed");
        }
    }
}

/// The rows of a handle in its table.
struct TableRows {
    handle: Handle,
    table: Arc<KeptTable>,
    queries: Engine,
}

impl TableRows {
    fn scan(self, part: Part, engine: &EngineParts) -> Scan {
        let Self { handle, table, queries } = self;
        let row_bytes = handle.bytes / handle.rows.max(1) + 1;
        let part = KeptPart {
            table: table.name().to_owned(),
            schema: handle.schema,
            columns: part.columns,
            rows: part.rows,
        };
        Scan {
            id: handle.id,
            rows: queries.scan_kept(part),
            batch_bytes: BATCH_BYTES.max(LEAST_ROWS * row_bytes),
            all_bytes: 2 * handle.bytes + LEAST_BYTES,
            memory: engine.memory.nothing(),
            _table: table,
        }
    }

    fn part(&self, selection: &Selection) -> Result<Part> {
        Ok(Part::of(&self.handle.schema, self.handle.rows, selection)?)
    }
}

impl HandleRows for TableRows {
    fn handle(&self) -> &Handle {
        &self.handle
    }

    fn relation(self: Box<Self>) -> Relation {
        let source = TableSource::Kept(self.table.name().to_owned());
        Relation { pin: Box::new(self.table), ..Relation::new(source) }
    }

    fn batches(
        self: Box<Self>,
        selection: &Selection,
        engine: &EngineParts,
    ) -> Result<BlockingStream<RecordBatch>> {
        let part = self.part(selection)?;
        let scan = self.scan(part, engine);
        Ok(BlockingStream::sharing(scan, engine.memory.clone(), &engine.threads.loads))
    }

    fn chunks(
        self: Box<Self>,
        selection: &Selection,
        compression: Compression,
        engine: &EngineParts,
    ) -> Result<Chunks> {
        let part = self.part(selection)?;
        let mut form = ChunkForm::new(compression).starting_at(part.rows.start);
        form.begin(&part.schema)?;
        let chunks =
            ChunksOfScan { scan: self.scan(part, engine), form, ready: VecDeque::new(), is_over: false };
        Ok(Chunks::Coming(BlockingStream::sharing(chunks, engine.memory.clone(), &engine.threads.loads)))
    }
}

/// Reads a handle's table. While its reader is idle, it holds nothing in the query engine: thousands of slow readers would use
/// up its memory, and an engine that was replaced could not be closed.
struct Scan {
    id: HandleId,
    rows: Box<dyn KeptScan>,
    /// The size of a batch.
    batch_bytes: u64,
    /// What the whole table takes, read and written.
    all_bytes: u64,
    memory: Reservation,
    /// Dropped last: then the table may be removed.
    _table: Arc<KeptTable>,
}

impl Scan {
    /// What so many batches take.
    fn bytes_of(&self, batches: u64) -> u64 {
        batches.saturating_mul(self.batch_bytes).min(self.all_bytes)
    }

    fn failed(&self, error: polarway_query::Error) -> Error {
        match error {
            // Another query broke the engine that had the table.
            polarway_query::Error::Replaced(_) => {
                polarway_handles::Error::Lost { id: self.id, owner: None }.into()
            }
            error => error.into(),
        }
    }
}

impl Source for Scan {
    type Item = RecordBatch;

    fn make_next(&mut self) -> Option<Result<RecordBatch>> {
        match self.rows.next() {
            Ok(batch) => batch.map(Ok),
            Err(error) => Some(Err(self.failed(error))),
        }
    }

    fn wanted_bytes(&self) -> u64 {
        self.bytes_of(ITEMS_IN_ALL + BATCHES_OF_SCAN).saturating_sub(self.memory.bytes())
    }

    fn take(&mut self, memory: Reservation) {
        self.memory.add(memory);
    }

    fn rest(&mut self) {
        self.rows.rest();
        let waiting_bytes = self.bytes_of(ITEMS_IN_ALL).min(self.memory.bytes());
        self.memory.resize(waiting_bytes);
    }

    fn rests_when_idle(&self) -> bool {
        true
    }
}

/// A handle's table, as chunks.
struct ChunksOfScan {
    scan: Scan,
    form: ChunkForm,
    ready: VecDeque<Chunk>,
    is_over: bool,
}

impl Source for ChunksOfScan {
    type Item = Chunk;

    fn make_next(&mut self) -> Option<Result<Chunk>> {
        loop {
            if let Some(chunk) = self.ready.pop_front() {
                return Some(Ok(chunk));
            }
            if self.is_over {
                return None;
            }
            let made = match self.scan.make_next() {
                Some(batch) => batch.and_then(|batch| self.form.rows(batch)),
                None => {
                    self.is_over = true;
                    Ok(self.form.end().into_iter().collect())
                }
            };
            match made {
                Ok(chunks) => self.ready.extend(chunks),
                Err(error) => {
                    self.is_over = true;
                    return Some(Err(error));
                }
            }
        }
    }

    fn wanted_bytes(&self) -> u64 {
        self.scan.wanted_bytes()
    }

    fn take(&mut self, memory: Reservation) {
        self.scan.take(memory);
    }

    fn rest(&mut self) {
        self.scan.rest();
    }

    fn rests_when_idle(&self) -> bool {
        self.scan.rests_when_idle()
    }
}
