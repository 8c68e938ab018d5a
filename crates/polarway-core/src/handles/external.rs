//! Results in a storage that engines share, each as a dataset of one version.

use std::sync::Arc;

use arrow::array::RecordBatch;
use futures::FutureExt as _;
use futures::future::BoxFuture;
use polarway_handles::{ExternalHandles, Handle, HandleId, HandleStore, claim_storage};
use polarway_ipc::Compression;
use polarway_model::Selection;
use polarway_query::{FileGroup, FileStorage, Relation, ResultFiles, StoredTable, TableSource};
use polarway_storage::{Backend, Environment, Loader, MemoryBudget, Settings, Snapshot, Tables};

use super::KeptResult;
use super::keeping::keep;
use super::results::{HandleRows, ResultStore, Wanted};
use super::staging::StagedFiles;
use crate::catalog::file_reference;
use crate::chunks::Chunks;
use crate::config::{Config, Location};
use crate::error::{Error, ErrorKind, Result};
use crate::polarway::{EngineParts, Polarway};
use crate::stream::BlockingStream;

/// The results in a storage.
pub(crate) struct ExternalResults {
    handles: Arc<ExternalHandles>,
    leases: Arc<dyn HandleStore>,
    loader: Loader,
}

impl ExternalResults {
    /// Results in this storage.
    ///
    /// # Errors
    /// The storage holds something else, or fails.
    pub(crate) fn open(
        backend: Arc<dyn Backend>,
        config: &Config,
        memory: &MemoryBudget,
        environment: Environment,
    ) -> Result<Self> {
        claim_storage(&*backend).map_err(|error| match &config.handles.state {
            state @ (Location::Directory(_) | Location::Bucket(_))
                if matches!(error, polarway_handles::Error::NotForHandles { .. }) =>
            {
                let state = state.to_string();
                let message =
                    format!("{state:?} can't be the folder of handles: {error}; give them another one");
                Error::new(ErrorKind::Configuration, message)
            }
            _ => error.into(),
        })?;
        let settings = Settings {
            grace: config.retention.grace,
            orphan_grace: config.retention.orphan_grace,
            ..Settings::default()
        };
        let tables = Arc::new(Tables::with_environment(backend, settings, environment));
        // No cache: a handle is mostly loaded once.
        let loader = Loader::sharing(Arc::clone(&tables), 0, memory.clone());
        let handles = Arc::new(ExternalHandles::new(tables));
        let leases = Arc::clone(&handles) as Arc<dyn HandleStore>;
        Ok(Self { handles, leases, loader })
    }
}

impl ResultStore for ExternalResults {
    fn handles(&self) -> &Arc<dyn HandleStore> {
        &self.leases
    }

    fn keep<'a>(
        &'a self,
        polarway: &'a Polarway,
        sql: &'a str,
        wanted: Wanted,
    ) -> BoxFuture<'a, Result<KeptResult>> {
        keep(Arc::clone(&self.handles), polarway, sql, wanted).boxed()
    }

    fn result_files(&self) -> Option<Arc<dyn ResultFiles>> {
        Some(Arc::new(StagedFiles(Arc::clone(&self.handles))))
    }

    fn open(&self, id: HandleId) -> Result<Box<dyn HandleRows>> {
        let (handle, snapshot) = self.handles.pin(id)?;
        Ok(Box::new(FileRows { handle, snapshot, loader: self.loader.clone() }))
    }
}

/// The rows of a handle in its files.
struct FileRows {
    handle: Handle,
    snapshot: Arc<Snapshot>,
    loader: Loader,
}

impl HandleRows for FileRows {
    fn handle(&self) -> &Handle {
        &self.handle
    }

    fn relation(self: Box<Self>) -> Relation {
        let snapshot = &self.snapshot;
        let files = FileGroup {
            storage: FileStorage::Handles,
            has_exact_float_statistics: snapshot.files.iter().all(|file| file.nan_safe),
            ..FileGroup::new(
                snapshot.name.clone(),
                snapshot.version,
                snapshot.files.iter().map(file_reference).collect(),
                Arc::clone(&snapshot.schema),
            )
        };
        let files = if snapshot.files.is_empty() { Vec::new() } else { vec![files] };
        let table = StoredTable { schema: Arc::clone(&snapshot.schema), files, is_result: true };
        Relation::new(TableSource::Stored(table))
    }

    fn batches(
        self: Box<Self>,
        selection: &Selection,
        engine: &EngineParts,
    ) -> Result<BlockingStream<RecordBatch>> {
        let batches = self.loader.batches_of(&self.snapshot, selection)?;
        Ok(BlockingStream::alone(batches, &engine.threads.loads))
    }

    fn chunks(
        self: Box<Self>,
        selection: &Selection,
        compression: Compression,
        engine: &EngineParts,
    ) -> Result<Chunks> {
        let chunks = self.loader.chunks_of(&self.snapshot, selection)?;
        Ok(Chunks::of_table(chunks, selection.first_row, compression, engine))
    }
}
