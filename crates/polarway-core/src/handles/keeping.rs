//! Keeps the result of a query in the storage of handles: its rows are written here, or several workers have written them.

use std::sync::Arc;
use std::time::Duration;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use futures::StreamExt as _;
use polarway_handles::{Error as HandlesError, ExternalHandles, HandleId, HandleStore as _};
use polarway_storage::Error as StorageError;
use polarway_table::{arrow_bytes, renamed, with_distinct_names};
use tokio::runtime::Handle as Runtime;
use tokio::sync::oneshot;

use super::KeptResult;
use super::results::Wanted;
use super::staging::Staging;
use crate::access::HandleQuota;
use crate::error::{Error, ErrorKind, Result};
use crate::polarway::Polarway;
use crate::query::QueryStream;

/// Runs a query and keeps its result. If the future is dropped, nothing is kept.
pub(super) async fn keep(
    handles: Arc<ExternalHandles>,
    polarway: &Polarway,
    sql: &str,
    wanted: Wanted,
) -> Result<KeptResult> {
    let Wanted { id, ttl, owner, query, quota } = wanted;
    let staging = Arc::new(Staging::new(Arc::clone(&handles), id, quota.clone()));
    let rows = polarway.stream_to_keep(sql, query, Arc::clone(&staging) as _).await?;
    // It is dropped with this future when nobody waits for the handle.
    let (_wanted, unwanted) = oneshot::channel();
    let schema = kept_columns(rows.schema());
    let keeping = Keeping { handles, id, ttl, owner, quota, schema, rows, staging, unwanted };
    polarway.blocking_as(&polarway.engine().threads.callers, move |_| keeping.publish()).await
}

/// A result on its way into the storage, on a thread that may block.
struct Keeping {
    handles: Arc<ExternalHandles>,
    id: HandleId,
    ttl: Duration,
    owner: Arc<str>,
    quota: Option<HandleQuota>,
    schema: SchemaRef,
    rows: QueryStream,
    staging: Arc<Staging>,
    unwanted: oneshot::Receiver<()>,
}

impl Keeping {
    /// Waits for the whole result, and makes the handle of it.
    fn publish(mut self) -> Result<KeptResult> {
        let (handles, id, ttl) = (Arc::clone(&self.handles), self.id, self.ttl);
        let mut writer = handles.writer(id, Arc::clone(&self.schema), ttl, Arc::clone(&self.owner))?;
        let bytes = self.write(|rows| writer.write(rows))? + self.staging.arrow_bytes();
        let _turn = self.quota.as_ref().map(HandleQuota::turn);
        if let Some(quota) = &self.quota {
            // Other handles may have been made since.
            quota.check(bytes, quota.left()?)?;
        }
        let published = match self.staging.take() {
            None => writer.publish().map(drop).map_err(HandlesError::from),
            Some(files) => handles.publish_staged(id, &self.schema, ttl, Arc::clone(&self.owner), &files),
        };
        match published {
            // The handle may be there: a retry of the call finds it.
            Err(HandlesError::Storage(StorageError::AlreadyExists { .. })) => {
                Err(Error::new(ErrorKind::AlreadyExists, "the handle was made by another call"))
            }
            published => {
                published?;
                Ok(KeptResult { handle: handles.get(id)?, summary: self.rows.summary() })
            }
        }
    }

    /// Writes the rows that are delivered, and returns what they take as Arrow.
    fn write(&mut self, mut write: impl FnMut(&RecordBatch) -> Result<(), StorageError>) -> Result<u64> {
        let mut bytes = 0;
        let left = self.quota.as_ref().map(HandleQuota::left).transpose()?;
        while let Some(batch) = self.next() {
            let batch = batch?;
            bytes += arrow_bytes(&batch);
            if let (Some(quota), Some(left)) = (&self.quota, left) {
                quota.check(bytes, left)?;
            }
            write(&renamed(&batch, &self.schema)?)?;
        }
        Ok(bytes)
    }

    fn next(&mut self) -> Option<Result<RecordBatch>> {
        Runtime::current().block_on(async {
            tokio::select! {
                biased;
                _ = &mut self.unwanted => {
                    Some(Err(Error::new(ErrorKind::Cancelled, "nobody wants the handle any more")))
                }
                batch = self.rows.next() => batch,
            }
        })
    }
}

/// The columns of the files of a result: if names differ only in case, the later ones get a number.
pub(super) fn kept_columns(result: &SchemaRef) -> SchemaRef {
    with_distinct_names(result, str::to_lowercase)
}
