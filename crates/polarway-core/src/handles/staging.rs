//! A result that several workers write into the storage of handles, and the worker that was asked publishes.

use std::fmt;
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use parking_lot::Mutex;
use polarway_handles::{ExternalHandles, HandleId};
use polarway_query::{CatalogError, ResultFile, ResultFiles, ResultKeeper, WrittenFile};
use polarway_storage::{StagedFile, StagedWriter};
use tokio::runtime::Handle as Runtime;
use uuid::Uuid;

use super::keeping::kept_columns;
use crate::access::HandleQuota;
use crate::error::{Error, Result};
use crate::threads::drop_on_thread;

/// The files of one result, from before the first of them is begun until they are published or removed.
pub(super) struct Staging {
    handles: Arc<ExternalHandles>,
    id: HandleId,
    quota: Option<HandleQuota>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// Files that may be there and that nobody publishes yet.
    expected: Vec<Uuid>,
    written: Option<Vec<WrittenFile>>,
    /// What the quota leaves, once somebody asked.
    left_bytes: Option<u64>,
}

impl Staging {
    pub(super) fn new(handles: Arc<ExternalHandles>, id: HandleId, quota: Option<HandleQuota>) -> Self {
        Self { handles, id, quota, state: Mutex::default() }
    }

    /// What the rows take as Arrow that workers have written.
    pub(super) fn arrow_bytes(&self) -> u64 {
        self.state.lock().written.iter().flatten().map(|file| file.arrow_bytes).sum()
    }

    /// The files that are the result, for the one who publishes or removes them. `None` if its rows are delivered.
    pub(super) fn take(&self) -> Option<Vec<StagedFile>> {
        let mut state = self.state.lock();
        let written = state.written.take()?;
        state.expected.retain(|name| written.iter().all(|file| file.name != *name));
        let staged = |WrittenFile { name, rows, bytes, arrow_bytes }| StagedFile {
            id: name,
            rows,
            bytes,
            arrow_bytes,
        };
        Some(written.into_iter().map(staged).collect())
    }
}

impl ResultKeeper for Staging {
    fn handle(&self) -> HandleId {
        self.id
    }

    fn columns(&self, result: &SchemaRef) -> Result<SchemaRef, CatalogError> {
        let columns = kept_columns(result);
        // What can't be stored is refused before any worker begins.
        self.handles.stage(self.id, Uuid::nil(), Arc::clone(&columns)).map_err(Error::from)?;
        Ok(columns)
    }

    fn expect(&self, names: &[Uuid]) {
        self.state.lock().expected.extend(names);
    }

    fn check(&self, arrow_bytes: u64) -> Result<(), CatalogError> {
        let Some(quota) = &self.quota else { return Ok(()) };
        let known = self.state.lock().left_bytes;
        let left = known.map_or_else(|| quota.left(), Ok)?;
        self.state.lock().left_bytes = Some(left);
        Ok(quota.check(arrow_bytes, left)?)
    }

    fn written(&self, files: Vec<WrittenFile>) {
        self.state.lock().written = Some(files);
    }
}

impl Drop for Staging {
    fn drop(&mut self) {
        let names = std::mem::take(&mut self.state.get_mut().expected);
        if names.is_empty() {
            return;
        }
        let (handles, id) = (Arc::clone(&self.handles), self.id);
        let remove = move || {
            if let Err(error) = handles.discard_staged(id, &names) {
                tracing::warn!(handle = %id, %error, "files of a result that is not kept are left to the janitor");
            }
        };
        // It may be dropped where nothing may block.
        match Runtime::try_current() {
            Ok(runtime) => drop(runtime.spawn_blocking(remove)),
            Err(_) => remove(),
        }
    }
}

impl fmt::Debug for Staging {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Staging").field("id", &self.id).finish_non_exhaustive()
    }
}

/// Writes files of results for queries that other workers coordinate. There is no caller to ask about here: the worker that was
/// asked has asked.
#[derive(Debug)]
pub(super) struct StagedFiles(pub(super) Arc<ExternalHandles>);

impl ResultFiles for StagedFiles {
    fn create(
        &self,
        handle: HandleId,
        name: Uuid,
        columns: SchemaRef,
    ) -> Result<Box<dyn ResultFile>, CatalogError> {
        let writer = self.0.stage(handle, name, columns).map_err(Error::from)?;
        Ok(Box::new(HandleFile(Some(writer))))
    }
}

/// A file that is being written; `None` once it has ended.
struct HandleFile(Option<StagedWriter>);

impl HandleFile {
    fn change(
        &mut self,
        change: impl FnOnce(&mut StagedWriter) -> polarway_storage::Result<()>,
    ) -> Result<(), CatalogError> {
        Ok(self.0.as_mut().map_or(Ok(()), change).map_err(Error::from)?)
    }
}

impl ResultFile for HandleFile {
    fn write(&mut self, rows: &RecordBatch) -> Result<(), CatalogError> {
        self.change(|writer| writer.write(rows))
    }

    fn held_bytes(&self) -> u64 {
        self.0.as_ref().map_or(0, StagedWriter::held_bytes)
    }

    fn flush(&mut self) -> Result<(), CatalogError> {
        self.change(StagedWriter::flush)
    }

    fn finish(
        mut self: Box<Self>,
        is_wanted: &dyn Fn() -> bool,
    ) -> Result<Option<WrittenFile>, CatalogError> {
        let finished = self.0.take().map_or(Ok(None), |writer| writer.finish(is_wanted));
        let written =
            |StagedFile { id, rows, bytes, arrow_bytes }| WrittenFile { name: id, rows, bytes, arrow_bytes };
        Ok(finished.map_err(Error::from)?.map(written))
    }
}

impl Drop for HandleFile {
    fn drop(&mut self) {
        if let Some(writer) = self.0.take() {
            // This removes what it has written.
            drop_on_thread(writer);
        }
    }
}
