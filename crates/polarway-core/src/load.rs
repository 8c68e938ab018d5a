//! Loads tables.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use futures::{Stream, TryStreamExt as _};
use polarway_handles::{Handle, HandleId};
use polarway_ipc::{Chunk, Compression};
use polarway_model::{LoadOptions, QueryOptions, Selection};
use polarway_sql::identifier;
use polarway_storage::{At, BatchReader, CacheStats, ChunkReader, Part, Reservation, Snapshot};
use polarway_table::Table;

use crate::chunks::Compressed;
use crate::error::{Error, ErrorKind, Result};
use crate::handles::{External, Named, Rows, Use};
use crate::polarway::{EngineParts, Polarway};
use crate::query::{QueryChunkStream, QueryStream};
use crate::stream::{BlockingStream, Source};

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
            let snapshot = access.snapshot(&name, at)?;
            let batches = access.batches(&snapshot, &selection)?;
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
            let snapshot = access.snapshot(&name, at)?;
            let batches = access.batches(&snapshot, &selection)?;
            let schema = Arc::clone(batches.schema());
            let batches = Batches::Read(read_batches(batches, access.engine()));
            let (rows, version) = (snapshot.rows, snapshot.version);
            Ok(TableStream { schema, rows, version, batches, _used: None })
        })
        .await
    }

    async fn stream_handle(&self, id: HandleId, at: At, selection: Selection) -> Result<TableStream> {
        check_version(id, at)?;
        let (handle, found) = self.open_handle(id).await?;
        let part = Part::of(&handle.schema, handle.rows, &selection)?;
        let batches = match found {
            None => Batches::Queried(self.query_stream(&part_as_query(id, handle.rows, &part)).await?),
            Some((snapshot, external)) => {
                let batches = self
                    .blocking(move |access| {
                        let batches = external.loader.batches_of(&snapshot, &selection)?;
                        Ok(read_batches(batches, access.engine()))
                    })
                    .await?;
                Batches::Read(batches)
            }
        };
        let used = self.access().use_handle(&handle)?;
        let rows = handle.rows;
        Ok(TableStream { schema: part.schema, rows, version: 1, batches, _used: Some(used) })
    }

    /// Looks up a handle that is about to be read, and its files if it has any.
    async fn open_handle(&self, id: HandleId) -> Result<(Handle, Option<(Arc<Snapshot>, Arc<External>)>)> {
        self.blocking_briefly(move |access| {
            Ok(match access.handle_rows(id)? {
                Rows::Table(handle, _) => (handle, None),
                Rows::Files(handle, snapshot, external) => (handle, Some((snapshot, external))),
            })
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
        let (snapshot, chunks) = self
            .blocking_briefly(move |access| {
                let snapshot = access.snapshot(&name, at)?;
                let chunks = access.chunks(&snapshot, &selection)?;
                Ok((snapshot, chunks))
            })
            .await?;
        Ok(ChunkStream {
            version: snapshot.version,
            rows: snapshot.rows,
            time_us: snapshot.time_us,
            chunks: self.chunks(chunks, first_row, compression),
            _used: None,
        })
    }

    async fn handle_chunks(
        &self,
        id: HandleId,
        at: At,
        selection: Selection,
        compression: Compression,
    ) -> Result<ChunkStream> {
        check_version(id, at)?;
        let (handle, found) = self.open_handle(id).await?;
        let used = self.access().use_handle(&handle)?;
        let part = Part::of(&handle.schema, handle.rows, &selection)?;
        let first_row = part.rows.start;
        let chunks = match found {
            None => {
                let sql = part_as_query(id, handle.rows, &part);
                let chunks = self.query_chunks(&sql, QueryOptions::default(), compression)?;
                Chunks::Queried { chunks, first_row }
            }
            Some((snapshot, external)) => {
                let chunks =
                    self.blocking_briefly(move |_| Ok(external.loader.chunks_of(&snapshot, &selection)?));
                self.chunks(chunks.await?, first_row, compression)
            }
        };
        let time_us = handle.lease.since_us;
        Ok(ChunkStream { version: 1, rows: handle.rows, time_us, chunks, _used: Some(used) })
    }

    fn chunks(&self, chunks: ChunkReader, first_row: u64, compression: Compression) -> Chunks {
        let (memory, threads) = (self.engine().memory.clone(), &self.engine().threads.loads);
        match compression {
            Compression::None if chunks.is_at_hand() => Chunks::AtHand(chunks),
            Compression::None => Chunks::Coming(BlockingStream::sharing(chunks, memory, threads)),
            _ => {
                let compressed = Compressed::new(chunks, first_row, compression);
                Chunks::Coming(BlockingStream::sharing(compressed, memory, threads))
            }
        }
    }

    /// Statistics of the RAM cache.
    ///
    /// # Errors
    /// The caller may not read them.
    pub fn cache_stats(&self) -> Result<CacheStats> {
        self.access().cache_stats()
    }
}

fn read_batches(batches: BatchReader, engine: &EngineParts) -> BlockingStream<RecordBatch> {
    BlockingStream::spawn(batches.map(|batch| batch.map_err(Error::from)), &engine.threads.loads)
}

/// A part of a handle that the query engine keeps in memory.
fn part_as_query(id: HandleId, rows: u64, part: &Part) -> String {
    if part.columns.is_none() && part.rows.end == rows {
        return format!("FROM \"{id}\" OFFSET {}", part.rows.start);
    }
    let names = part.schema.fields().iter().map(|field| identifier(field.name()));
    let columns = match &part.columns {
        Some(_) => names.collect::<Vec<_>>().join(", "),
        None => "*".to_owned(),
    };
    let rows = part.rows.end - part.rows.start;
    format!("SELECT {columns} FROM \"{id}\" LIMIT {rows} OFFSET {}", part.rows.start)
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
    batches: Batches,
    /// While a handle is read, it does not expire.
    _used: Option<Use>,
}

enum Batches {
    Read(BlockingStream<RecordBatch>),
    Queried(QueryStream),
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
        match &mut self.batches {
            Batches::Read(batches) => Pin::new(batches).poll_next(context),
            Batches::Queried(batches) => Pin::new(batches).poll_next(context),
        }
    }
}

impl Source for ChunkReader {
    type Item = Chunk;

    fn make_next(&mut self) -> Option<Result<Chunk>> {
        Some(self.next()?.map_err(Error::from))
    }

    fn wanted_bytes(&self) -> u64 {
        Self::wanted_bytes(self)
    }

    fn take(&mut self, memory: Reservation) {
        self.provide(memory);
    }

    fn rest(&mut self) {
        Self::rest(self);
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

enum Chunks {
    /// All are in memory: no thread is needed to wait for them.
    AtHand(ChunkReader),
    Coming(BlockingStream<Chunk>),
    /// The query engine has the rows; it numbers those that it returns from 0.
    Queried {
        chunks: QueryChunkStream,
        first_row: u64,
    },
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
        match &mut self.chunks {
            Chunks::AtHand(chunks) => Poll::Ready(chunks.next().map(|chunk| chunk.map_err(Error::from))),
            Chunks::Coming(chunks) => Pin::new(chunks).poll_next(context),
            Chunks::Queried { chunks, first_row } => {
                let chunk = ready!(Pin::new(chunks).poll_next(context));
                Poll::Ready(chunk.map(|chunk| {
                    chunk.map(|chunk| Chunk { first_row: *first_row + chunk.first_row, ..chunk })
                }))
            }
        }
    }
}
