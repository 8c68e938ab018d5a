//! Results in a storage that engines share, each as a dataset of one version.

use std::sync::Arc;

use arrow::array::{RecordBatch, RecordBatchOptions};
use arrow::datatypes::{Field, Schema, SchemaRef};
use futures::future::BoxFuture;
use futures::{FutureExt as _, StreamExt as _};
use polarway_handles::{ExternalHandles, Handle, HandleId, HandleStore, claim_storage};
use polarway_ipc::Compression;
use polarway_model::Selection;
use polarway_query::{FileGroup, FileStorage, Relation, StoredTable, TableSource};
use polarway_storage::{
    Backend, Environment, Error as StorageError, Loader, MemoryBudget, Settings, Snapshot, Tables,
};
use polarway_table::{arrow_bytes, distinct_names};
use tokio::runtime::Handle as Runtime;
use tokio::sync::oneshot;

use super::KeptResult;
use super::results::{HandleRows, ResultStore, Wanted};
use crate::access::HandleQuota;
use crate::catalog::file_reference;
use crate::chunks::Chunks;
use crate::config::{Config, Location};
use crate::error::{Error, ErrorKind, Result};
use crate::polarway::{EngineParts, Polarway};
use crate::query::QueryStream;
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
        let keep = async move {
            let Wanted { id, ttl, owner, query, quota } = wanted;
            let rows = polarway.stream_to_keep(sql, query).await?;
            // It is dropped with this future when nobody waits for the handle.
            let (_wanted, unwanted) = oneshot::channel();
            let handles = Arc::clone(&self.handles);
            let schema = with_distinct_names(rows.schema());
            polarway
                .blocking_as(&polarway.engine().threads.callers, move |_| {
                    let writer = handles.writer(id, Arc::clone(&schema), ttl, owner)?;
                    let summary = write(rows, unwanted, &schema, writer, quota)?;
                    Ok(KeptResult { handle: handles.get(id)?, summary })
                })
                .await
        };
        keep.boxed()
    }

    fn open(&self, id: HandleId) -> Result<Box<dyn HandleRows>> {
        let (handle, snapshot) = self.handles.pin(id)?;
        Ok(Box::new(FileRows { handle, snapshot, loader: self.loader.clone() }))
    }
}

/// Writes and publishes a query's rows, on a thread that may block. Returns what the query did.
fn write(
    mut rows: QueryStream,
    mut unwanted: oneshot::Receiver<()>,
    schema: &SchemaRef,
    mut writer: polarway_storage::TableWriter<&Tables>,
    quota: Option<HandleQuota>,
) -> Result<Option<polarway_model::QuerySummary>> {
    let runtime = Runtime::current();
    let mut next = || {
        runtime.block_on(async {
            tokio::select! {
                biased;
                _ = &mut unwanted => Some(Err(Error::new(ErrorKind::Cancelled, "nobody wants the handle any more"))),
                batch = rows.next() => batch,
            }
        })
    };
    let mut bytes = 0;
    let left = quota.as_ref().map(HandleQuota::left).transpose()?;
    while let Some(batch) = next() {
        let batch = batch?;
        bytes += arrow_bytes(&batch);
        if let (Some(quota), Some(left)) = (&quota, left) {
            quota.check(bytes, left)?;
        }
        let named = RecordBatch::try_new_with_options(
            Arc::clone(schema),
            batch.columns().to_vec(),
            &RecordBatchOptions::new().with_row_count(Some(batch.num_rows())),
        )?;
        writer.write(&named)?;
    }
    let _turn = quota.as_ref().map(HandleQuota::turn);
    if let Some(quota) = &quota {
        // Other handles may have been made since.
        quota.check(bytes, quota.left()?)?;
    }
    match writer.publish() {
        // The handle may be there: a retry of the call finds it.
        Err(StorageError::AlreadyExists { .. }) => {
            Err(Error::new(ErrorKind::AlreadyExists, "the handle was made by another call"))
        }
        published => {
            published?;
            Ok(rows.summary())
        }
    }
}

/// Gives columns distinct names: if names differ only in case, the later ones get a number.
fn with_distinct_names(schema: &SchemaRef) -> SchemaRef {
    let names = distinct_names(schema.fields().iter().map(|field| field.name().as_str()), str::to_lowercase);
    let fields = schema.fields().iter().zip(names);
    let fields: Vec<Field> = fields.map(|(field, name)| field.as_ref().clone().with_name(name)).collect();
    Arc::new(Schema::new_with_metadata(fields, schema.metadata().clone()))
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
