//! Loads tables.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use futures::{Stream, TryStreamExt as _};
use polarway_handles::HandleId;
use polarway_ipc::{Chunk, Compression};
use polarway_model::{LoadOptions, Selection};
use polarway_storage::{At, CacheStats, Part};
use polarway_table::Table;

use crate::chunks::Chunks;
use crate::error::{Error, ErrorKind, Result};
use crate::handles::{Named, Use};
use crate::polarway::Polarway;
use crate::stream::BlockingStream;

impl Polarway {
    /// Loads a dataset's newest version.
    ///
    /// # Errors
    /// A dataset that does not exist (the message has similar names), and errors of the storage.
    pub async fn load(&self, name: &str) -> Result<Table> {
        self.load_at(name, At::Newest).await
    }

    /// Loads a version of a dataset.
    ///
    /// # Errors
    /// As [`load`](Self::load); besides, a version that does not exist or whose data retention
    /// has removed.
    pub async fn load_at(&self, name: &str, at: At) -> Result<Table> {
        self.load_with(name, at).await
    }

    /// Loads a version of a dataset, or some of its columns and rows. Of a table in the cache they are views of what the cache
    /// holds; of others, only the columns and the parts of the files that hold them are read.
    ///
    /// ```
    /// # use polarway_core::{At, LoadOptions, Polarway, Result, Selection};
    /// # async fn load(polarway: Polarway) -> Result<()> {
    /// let some = Selection::default().with_columns(["carrier", "dep_delay"]).with_rows(100..200);
    /// let delays = polarway.load_with("flights", some.clone()).await?;
    /// let delays_before = polarway.load_with("flights", LoadOptions { at: At::Version(3), selection: some }).await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`load_at`](Self::load_at); besides, a column that is not there, with those near it; a column that is named twice, or
    /// a list of none; rows that end before they begin, or begin behind the table's end. An end behind that is the end.
    pub async fn load_with(&self, name: &str, options: impl Into<LoadOptions>) -> Result<Table> {
        let LoadOptions { at, selection } = options.into();
        let name = match name.parse()? {
            Named::Dataset(name) => name,
            Named::Handle(_) => {
                let stream = self.load_stream_with(name, LoadOptions { at, selection }).await?;
                let schema = Arc::clone(stream.schema());
                return Ok(Table::new(schema, stream.try_collect().await?));
            }
        };
        self.blocking(move |access| {
            let pinned = access.pin(&name, at, &selection)?;
            let batches = access.batches(pinned, &selection)?;
            let schema = Arc::clone(batches.schema());
            Ok(Table::new(schema, batches.collect::<std::result::Result<_, _>>()?))
        })
        .await
    }

    /// Loads a version of a dataset in pieces, in row order and in bounded memory: a slow reader slows
    /// the loading down.
    ///
    /// # Errors
    /// As [`load_at`](Self::load_at). Later errors are items of the stream, which then ends.
    pub async fn load_stream(&self, name: &str, at: At) -> Result<TableStream> {
        self.load_stream_with(name, at).await
    }

    /// Loads some columns and rows of a version in pieces.
    ///
    /// # Errors
    /// As [`load_with`](Self::load_with). The stream carries errors that come later, and ends with them.
    pub async fn load_stream_with(&self, name: &str, options: impl Into<LoadOptions>) -> Result<TableStream> {
        let LoadOptions { at, selection } = options.into();
        let name = match name.parse()? {
            Named::Dataset(name) => name,
            Named::Handle(id) => return self.stream_handle(id, at, selection).await,
        };
        self.blocking(move |access| {
            let pinned = access.pin(&name, at, &selection)?;
            let (rows, version) = (pinned.snapshot.rows, pinned.snapshot.version);
            let batches = access.batches(pinned, &selection)?;
            let schema = Arc::clone(batches.schema());
            let batches = BlockingStream::alone(batches, &access.engine().threads.loads);
            Ok(TableStream { schema, rows, version, batches, _used: None })
        })
        .await
    }

    async fn stream_handle(&self, id: HandleId, at: At, selection: Selection) -> Result<TableStream> {
        check_version(id, at)?;
        self.blocking(move |access| {
            let rows = access.open_handle(id)?;
            let handle = rows.handle().clone();
            let used = access.use_handle(&handle)?;
            let schema = Part::of(&handle.schema, handle.rows, &selection)?.schema;
            let batches = rows.batches(&selection, access.engine())?;
            Ok(TableStream { schema, rows: handle.rows, version: 1, batches, _used: Some(used) })
        })
        .await
    }

    /// Loads a version of a dataset as the Arrow IPC chunks that go on the wire, from a row on,
    /// counted from 0. Without compression, the chunks of a table in the cache are the cache's own.
    ///
    /// # Errors
    /// As [`load_at`](Self::load_at); besides, a row behind the table's end.
    pub async fn load_chunks(
        &self,
        name: &str,
        at: At,
        first_row: u64,
        compression: Compression,
    ) -> Result<ChunkStream> {
        let selection = Selection::default().with_rows(first_row..);
        self.load_chunks_with(name, LoadOptions { at, selection }, compression).await
    }

    /// Loads some columns and rows of a version as chunks. Those of a table in the cache are the cache's own where they have all
    /// of its columns and lie inside of the range.
    ///
    /// # Errors
    /// As [`load_with`](Self::load_with).
    pub async fn load_chunks_with(
        &self,
        name: &str,
        options: impl Into<LoadOptions>,
        compression: Compression,
    ) -> Result<ChunkStream> {
        let LoadOptions { at, selection } = options.into();
        let first_row = selection.first_row;
        let name = match name.parse()? {
            Named::Dataset(name) => name,
            Named::Handle(id) => return self.handle_chunks(id, at, selection, compression).await,
        };
        self.blocking_briefly(move |access| {
            let pinned = access.pin(&name, at, &selection)?;
            let snapshot = Arc::clone(&pinned.snapshot);
            let chunks = access.chunks(pinned, &selection)?;
            Ok(ChunkStream {
                version: snapshot.version,
                rows: snapshot.rows,
                time_us: snapshot.time_us,
                chunks: Chunks::of_table(chunks, first_row, compression, access.engine()),
                _used: None,
            })
        })
        .await
    }

    async fn handle_chunks(
        &self,
        id: HandleId,
        at: At,
        selection: Selection,
        compression: Compression,
    ) -> Result<ChunkStream> {
        check_version(id, at)?;
        self.blocking_briefly(move |access| {
            let rows = access.open_handle(id)?;
            let handle = rows.handle().clone();
            let used = access.use_handle(&handle)?;
            let chunks = rows.chunks(&selection, compression, access.engine())?;
            let time_us = handle.lease.since_us;
            Ok(ChunkStream { version: 1, rows: handle.rows, time_us, chunks, _used: Some(used) })
        })
        .await
    }

    /// Statistics of the RAM cache.
    ///
    /// # Errors
    /// The caller may not read them.
    pub fn cache_stats(&self) -> Result<CacheStats> {
        self.access().cache_stats()
    }
}

/// A handle never changes.
fn check_version(id: HandleId, at: At) -> Result<()> {
    match at {
        At::Newest | At::Version(1) => Ok(()),
        At::Version(_) | At::TimeUs(_) => {
            let message = format!("the handle {id} has one version, 1: ask for it or for none");
            Err(Error::new(ErrorKind::UnknownVersion, message))
        }
    }
}

/// The rows of a dataset or a handle, in batches.
pub struct TableStream {
    schema: SchemaRef,
    rows: u64,
    version: u64,
    batches: BlockingStream<RecordBatch>,
    /// While a handle is read, it does not expire.
    _used: Option<Use>,
}

impl TableStream {
    /// The table's columns.
    pub fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    /// How many rows the whole version has, also when only some of them come.
    pub fn rows(&self) -> u64 {
        self.rows
    }

    /// The version that is read, even if others are stored meanwhile.
    pub fn version(&self) -> u64 {
        self.version
    }
}

impl Stream for TableStream {
    type Item = Result<RecordBatch>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        Pin::new(&mut self.batches).poll_next(context)
    }
}

/// The rows of a dataset or a handle, as chunks.
pub struct ChunkStream {
    version: u64,
    rows: u64,
    time_us: i64,
    chunks: Chunks,
    /// While a handle is read, it does not expire.
    _used: Option<Use>,
}

impl ChunkStream {
    /// The version that is read, even if others are stored meanwhile.
    pub fn version(&self) -> u64 {
        self.version
    }

    /// How many rows the whole version has, also when the stream starts in its middle or ends there.
    pub fn rows(&self) -> u64 {
        self.rows
    }

    /// When the version was made: microseconds since 1970-01-01 UTC.
    pub fn time_us(&self) -> i64 {
        self.time_us
    }
}

impl Stream for ChunkStream {
    type Item = Result<Chunk>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        Pin::new(&mut self.chunks).poll_next(context)
    }
}
