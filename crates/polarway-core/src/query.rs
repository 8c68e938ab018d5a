//! SQL over all that is stored.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Instant;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use futures::Stream;
use polarway_ipc::{Chunk, Compression};
use polarway_query::InterruptHandle;
use polarway_storage::DatasetName;

use crate::catalog::{DatasetsRead, StoredCatalog};
use crate::chunks::encoded;
use crate::error::{Error, Result};
use crate::polarway::Polarway;
use crate::stream::BlockingStream;
use polarway_table::Table;

/// How a query is run, where it matters.
#[derive(Clone, Copy, Debug, Default)]
pub struct QueryOptions {
    /// When the query ends with [`ErrorKind::DeadlineExceeded`](crate::ErrorKind::DeadlineExceeded), wherever it
    /// stands; `None` is never.
    pub deadline: Option<Instant>,
}

/// A version of a dataset.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct DatasetVersion {
    /// The dataset.
    pub name: DatasetName,
    /// The version; 0 for Parquet files that Polarway did not write.
    pub version: u64,
}

impl Polarway {
    /// Runs a SELECT in DuckDB's dialect. Datasets are tables under their names;
    /// `flights AT (VERSION => 2)` is an older version, and
    /// `parquet_scan('…/trades_*.parquet')` is all datasets and Parquet files of the cold tier
    /// whose names fit.
    ///
    /// # Errors
    /// Text that is no SELECT or does what queries may not do, names that don't exist (with
    /// those near them), and what goes wrong while it runs.
    pub async fn query(&self, sql: &str) -> Result<Table> {
        let sql = sql.to_owned();
        self.blocking(move |engine| {
            let catalog = Arc::new(StoredCatalog::new(Arc::clone(engine)));
            let stream = engine.queries.query(&sql, catalog, polarway_query::QueryOptions::default())?;
            let schema = stream.schema();
            Ok(Table::new(schema, stream.collect::<std::result::Result<_, _>>()?))
        })
        .await
    }

    /// Runs a SELECT and gives its rows as DuckDB makes them, in bounded memory: a reader that is
    /// slow slows the query. Dropping the stream stops the query.
    ///
    /// # Errors
    /// As [`query`](Self::query). The stream carries errors that come later, and ends with them.
    pub async fn query_stream(&self, sql: &str) -> Result<QueryStream> {
        self.query_stream_with(sql, QueryOptions::default()).await
    }

    /// As [`query_stream`](Self::query_stream), with options.
    ///
    /// # Errors
    /// As [`query_stream`](Self::query_stream); besides, a deadline that has passed.
    pub async fn query_stream_with(&self, sql: &str, options: QueryOptions) -> Result<QueryStream> {
        let (stream, datasets) = self.start_query(sql, options).await?;
        let (schema, interrupt) = (stream.schema(), InterruptOnDrop(stream.interrupt_handle()));
        let batches = BlockingStream::spawn(stream.map(|batch| batch.map_err(Error::from)));
        Ok(QueryStream { schema, datasets, batches, _interrupt: interrupt })
    }

    /// As [`query_stream_with`](Self::query_stream_with), with the rows as the Arrow IPC chunks that go on the wire.
    ///
    /// # Errors
    /// As [`query_stream_with`](Self::query_stream_with).
    pub async fn query_chunks(
        &self,
        sql: &str,
        options: QueryOptions,
        compression: Compression,
    ) -> Result<QueryChunkStream> {
        let (stream, datasets) = self.start_query(sql, options).await?;
        let interrupt = InterruptOnDrop(stream.interrupt_handle());
        let schema = stream.schema();
        let batches = stream.map(|batch| batch.map_err(Error::from));
        let chunks = BlockingStream::start(move || encoded(&schema, batches, compression));
        Ok(QueryChunkStream { datasets, chunks, _interrupt: interrupt })
    }

    async fn start_query(
        &self,
        sql: &str,
        options: QueryOptions,
    ) -> Result<(polarway_query::QueryStream, DatasetsRead)> {
        let sql = sql.to_owned();
        self.blocking(move |engine| {
            let catalog = StoredCatalog::new(Arc::clone(engine));
            let datasets = catalog.datasets_read();
            let options = polarway_query::QueryOptions { deadline: options.deadline, ..Default::default() };
            Ok((engine.queries.query(&sql, Arc::new(catalog), options)?, datasets))
        })
        .await
    }
}

/// Stops the query when the stream of its rows is dropped.
struct InterruptOnDrop(InterruptHandle);

impl Drop for InterruptOnDrop {
    fn drop(&mut self) {
        self.0.interrupt();
    }
}

/// The rows of a query, as it makes them.
pub struct QueryStream {
    schema: SchemaRef,
    datasets: DatasetsRead,
    batches: BlockingStream<RecordBatch>,
    _interrupt: InterruptOnDrop,
}

impl QueryStream {
    /// The result's columns.
    pub fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    /// The datasets that the query reads, each once per version, by name and version.
    pub fn datasets(&self) -> Vec<DatasetVersion> {
        self.datasets.to_vec()
    }
}

impl Stream for QueryStream {
    type Item = Result<RecordBatch>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        Pin::new(&mut self.batches).poll_next(context)
    }
}

/// The chunks of a query's result, as it makes them.
pub struct QueryChunkStream {
    datasets: DatasetsRead,
    chunks: BlockingStream<Chunk>,
    _interrupt: InterruptOnDrop,
}

impl QueryChunkStream {
    /// The datasets that the query reads, each once per version, by name and version.
    pub fn datasets(&self) -> Vec<DatasetVersion> {
        self.datasets.to_vec()
    }
}

impl Stream for QueryChunkStream {
    type Item = Result<Chunk>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        Pin::new(&mut self.chunks).poll_next(context)
    }
}
