//! What every store of results does for an engine. Which one an engine has is known only where it is opened.

use std::sync::Arc;
use std::time::Duration;

use arrow::array::RecordBatch;
use futures::future::BoxFuture;
use polarway_handles::{Handle, HandleId, HandleStore};
use polarway_ipc::Compression;
use polarway_model::{QueryOptions, Selection};
use polarway_query::{Relation, ResultFiles};

use super::KeptResult;
use crate::access::HandleQuota;
use crate::chunks::Chunks;
use crate::error::Result;
use crate::polarway::{EngineParts, Polarway};
use crate::stream::BlockingStream;

/// A handle that is to be made.
pub(crate) struct Wanted {
    /// Its id.
    pub(crate) id: HandleId,
    /// How long it is kept without being used.
    pub(crate) ttl: Duration,
    /// Who makes it.
    pub(crate) owner: Arc<str>,
    /// How its query is run.
    pub(crate) query: QueryOptions,
    /// What the handles of its maker may take.
    pub(crate) quota: Option<HandleQuota>,
}

/// Keeps the results of queries.
pub(crate) trait ResultStore: Send + Sync {
    /// The handles, with their leases.
    fn handles(&self) -> &Arc<dyn HandleStore>;

    /// Runs a query and keeps its result. If the future is dropped, nothing is kept.
    ///
    /// # Errors
    /// As [`Polarway::query_handle`]. It is [`AlreadyExists`](crate::ErrorKind::AlreadyExists) if an earlier try of the same call
    /// has made the handle in the meantime.
    fn keep<'a>(
        &'a self,
        polarway: &'a Polarway,
        sql: &'a str,
        wanted: Wanted,
    ) -> BoxFuture<'a, Result<KeptResult>>;

    /// Writes files of results for queries that other workers coordinate; `None` where results are in memory.
    fn result_files(&self) -> Option<Arc<dyn ResultFiles>>;

    /// The rows of a handle that is about to be read. This counts as a use of the handle. It blocks.
    ///
    /// # Errors
    /// There is no such handle, or it has ended.
    fn open(&self, id: HandleId) -> Result<Box<dyn HandleRows>>;
}

/// The rows of a handle. They stay in place as long as somebody has this, or something that was made of it.
pub(crate) trait HandleRows: Send + Sync {
    /// The handle.
    fn handle(&self) -> &Handle;

    /// The rows as a table of a query.
    fn relation(self: Box<Self>) -> Relation;

    /// What is selected of the rows, in batches. It blocks.
    ///
    /// # Errors
    /// A selection that does not fit, and errors of the storage.
    fn batches(
        self: Box<Self>,
        selection: &Selection,
        engine: &EngineParts,
    ) -> Result<BlockingStream<RecordBatch>>;

    /// What is selected of the rows, in chunks. It blocks.
    ///
    /// # Errors
    /// As [`batches`](Self::batches).
    fn chunks(
        self: Box<Self>,
        selection: &Selection,
        compression: Compression,
        engine: &EngineParts,
    ) -> Result<Chunks>;
}
