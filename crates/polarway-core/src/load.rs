//! Loading tables.

use std::pin::Pin;
use std::task::{Context, Poll};

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use futures::Stream;
use polarway_ipc::{Chunk, Compression};
use polarway_storage::{At, CacheStats, ChunkReader, DatasetName};

use crate::chunks::compressed;
use crate::error::{Error, Result};
use crate::polarway::Polarway;
use crate::stream::BlockingStream;
use polarway_table::Table;

impl Polarway {
    /// Loads a dataset's newest version.
    ///
    /// # Errors
    /// A dataset that does not exist (with the names near it), and what the storage says.
    pub async fn load(&self, name: &str) -> Result<Table> {
        self.load_at(name, At::Newest).await
    }

    /// Loads a version of a dataset.
    ///
    /// # Errors
    /// As [`load`](Self::load); besides, a version that does not exist or whose data retention
    /// has removed.
    pub async fn load_at(&self, name: &str, at: At) -> Result<Table> {
        let name = DatasetName::new(name)?;
        self.blocking(move |engine| {
            let snapshot = engine.tables.snapshot(&name, at)?;
            let batches = engine.loader.batches(&snapshot)?.collect::<std::result::Result<_, _>>()?;
            Ok(Table::new(snapshot.schema.clone(), batches))
        })
        .await
    }

    /// Loads a version of a dataset in pieces, in row order and in bounded memory: a reader that
    /// is slow slows the reading.
    ///
    /// # Errors
    /// As [`load_at`](Self::load_at). The stream carries errors that come later, and ends with them.
    pub async fn load_stream(&self, name: &str, at: At) -> Result<TableStream> {
        let name = DatasetName::new(name)?;
        let (snapshot, batches) = self
            .blocking(move |engine| {
                let snapshot = engine.tables.snapshot(&name, at)?;
                let batches = engine.loader.batches(&snapshot)?;
                Ok((snapshot, batches))
            })
            .await?;
        let batches = BlockingStream::spawn(batches.map(|batch| batch.map_err(Error::from)));
        Ok(TableStream {
            schema: snapshot.schema.clone(),
            rows: snapshot.rows,
            version: snapshot.version,
            batches,
        })
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
        let name = DatasetName::new(name)?;
        let (snapshot, chunks) = self
            .blocking_briefly(move |engine| {
                let snapshot = engine.tables.snapshot(&name, at)?;
                let chunks = engine.loader.chunks(&snapshot, first_row)?;
                Ok((snapshot, chunks))
            })
            .await?;
        Ok(ChunkStream {
            version: snapshot.version,
            rows: snapshot.rows,
            time_us: snapshot.time_us,
            chunks: match compression {
                Compression::None => Chunks::from(chunks),
                _ => Chunks::compressed(chunks, first_row, compression),
            },
        })
    }

    /// How the RAM cache is doing.
    pub fn cache_stats(&self) -> CacheStats {
        self.engine().loader.cache_stats()
    }
}

/// A dataset's rows, as they are read.
pub struct TableStream {
    schema: SchemaRef,
    rows: u64,
    version: u64,
    batches: BlockingStream<RecordBatch>,
}

impl TableStream {
    /// The table's columns.
    pub fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    /// How many rows there are in all.
    pub fn rows(&self) -> u64 {
        self.rows
    }

    /// The version that is read, whatever is stored meanwhile.
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

/// A dataset's chunks, as they are read.
pub struct ChunkStream {
    version: u64,
    rows: u64,
    time_us: i64,
    chunks: Chunks,
}

enum Chunks {
    /// All are in memory: no thread is needed to wait for them.
    AtHand(ChunkReader),
    Coming(BlockingStream<Chunk>),
}

impl Chunks {
    fn compressed(chunks: ChunkReader, first_row: u64, compression: Compression) -> Self {
        let chunks = chunks.map(|chunk| chunk.map_err(Error::from));
        Self::Coming(BlockingStream::start(move || compressed(chunks, first_row, compression)))
    }
}

impl From<ChunkReader> for Chunks {
    fn from(chunks: ChunkReader) -> Self {
        if chunks.is_at_hand() {
            Self::AtHand(chunks)
        } else {
            Self::Coming(BlockingStream::spawn(chunks.map(|chunk| chunk.map_err(Error::from))))
        }
    }
}

impl ChunkStream {
    /// The version that is read, whatever is stored meanwhile.
    pub fn version(&self) -> u64 {
        self.version
    }

    /// How many rows the whole version has, also when the stream starts in its middle.
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
        }
    }
}
