//! Runs SQL over datasets and handles.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Instant;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use futures::{Stream, TryStreamExt as _};
use polarway_ipc::{Chunk, Compression};
use polarway_model::{DatasetVersion, QueryOptions, QuerySummary};
use polarway_query::{EngineCondition, Keep, QueryStatus, ResultKeeper, Summary};
use polarway_storage::WaitingCaller;
use polarway_table::Table;

use crate::catalog::{DatasetsRead, StoredCatalog};
use crate::chunks::ChunkForm;
use crate::error::{Error, ErrorKind, Result};
use crate::polarway::Polarway;
use crate::query_events::{self, Event, Form, QueryEvents};

impl Polarway {
    /// Runs a SELECT in DuckDB's dialect. Datasets are tables under their names;
    /// `flights AT (VERSION => 2)` is an older version, and
    /// `parquet_scan('…/trades_*.parquet')` is all datasets and Parquet files of the cold tier
    /// whose names fit. EXPLAIN, DESCRIBE, SUMMARIZE and SHOW TABLES can be asked as well.
    ///
    /// # Errors
    /// Text that is no SELECT or does what queries may not do, names that don't exist (the message has
    /// similar ones), and what goes wrong while it runs.
    pub async fn query(&self, sql: &str) -> Result<Table> {
        self.query_with(sql, QueryOptions::default()).await
    }

    /// Runs a SELECT with values for its parameters, or with other options.
    ///
    /// ```no_run
    /// # use polarway_core::{Polarway, Result, params};
    /// # async fn count(polarway: Polarway) -> Result<()> {
    /// let sql = "SELECT count(*) FROM flights WHERE year = $year AND carrier = $carrier";
    /// let flights = polarway.query_with(sql, params![year = 2013, carrier = "UA"]).await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`query`](Self::query); besides, values that don't fit the parameters, and a time that is over.
    pub async fn query_with(&self, sql: &str, options: impl Into<QueryOptions>) -> Result<Table> {
        let stream = self.query_stream_with(sql, options).await?;
        let schema = Arc::clone(stream.schema());
        Ok(Table::new(schema, stream.try_collect().await?))
    }

    /// Runs a SELECT and returns its rows as DuckDB makes them, in bounded memory: a slow reader slows the query down. Dropping
    /// the stream stops the query.
    ///
    /// # Errors
    /// As [`query`](Self::query). Later errors are items of the stream, which then ends.
    pub async fn query_stream(&self, sql: &str) -> Result<QueryStream> {
        self.query_stream_with(sql, QueryOptions::default()).await
    }

    /// As [`query_stream`](Self::query_stream), with options.
    ///
    /// # Errors
    /// As [`query_with`](Self::query_with), and as [`query_stream`](Self::query_stream).
    pub async fn query_stream_with(
        &self,
        sql: &str,
        options: impl Into<QueryOptions>,
    ) -> Result<QueryStream> {
        self.stream(sql, options.into(), Keep::No).await
    }

    /// The rows of a query for a handle. There are none where several workers have written them for its keeper.
    pub(crate) async fn stream_to_keep(
        &self,
        sql: &str,
        options: QueryOptions,
        keeper: Arc<dyn ResultKeeper>,
    ) -> Result<QueryStream> {
        self.stream(sql, options, Keep::ByCaller(keeper)).await
    }

    async fn stream(&self, sql: &str, options: QueryOptions, keep: Keep) -> Result<QueryStream> {
        let mut items = self.start_query(sql, options, BatchForm, keep)?;
        let schema = items.events.columns().await?;
        Ok(QueryStream { schema, items })
    }

    /// As [`query_stream_with`](Self::query_stream_with), with the rows as the Arrow IPC chunks that go on the wire; what is
    /// wrong with the query comes out of the stream as well. It must be called on a tokio runtime.
    ///
    /// # Errors
    /// A full queue.
    pub fn query_chunks(
        &self,
        sql: &str,
        options: impl Into<QueryOptions>,
        compression: Compression,
    ) -> Result<QueryChunkStream> {
        Ok(QueryChunkStream {
            items: self.start_query(sql, options.into(), ChunkForm::new(compression), Keep::No)?,
        })
    }

    /// Starts a query whose result becomes a table of this name that the query engine keeps.
    pub(crate) fn start_keeping(&self, sql: &str, options: QueryOptions, name: String) -> Result<Keeping> {
        Ok(Keeping { items: self.start_query(sql, options, BatchForm, Keep::AsTable(name))? })
    }

    fn start_query<F: Form>(
        &self,
        sql: &str,
        options: QueryOptions,
        form: F,
        keep: Keep,
    ) -> Result<Items<F::Item>> {
        let (waiting, caller) = self.engine().threads.served.waiting();
        let catalog = StoredCatalog::new(self.access().clone(), caller);
        let datasets = catalog.datasets_read();
        let parameters = match options.parameters.is_empty() {
            true => None,
            false => Some(options.parameters.to_batch()?),
        };
        let options = polarway_query::QueryOptions {
            deadline: options.time.and_then(|time| Instant::now().checked_add(time)),
            parameters,
            keep,
            hugeint_as_text: options.hugeint_as_text,
            engine: options.engine,
            ..Default::default()
        };
        let (sink, receivers) = query_events::channel(form);
        let query = self.access().start_query(sql, Arc::new(catalog), options, Box::new(sink))?;
        Ok(Items { events: receivers.of(query), datasets, summary: None, _waiting: waiting })
    }

    /// The queries that wait or run on this engine, the oldest first.
    ///
    /// # Errors
    /// A caller who may not know.
    pub fn queries(&self) -> Result<Vec<QueryStatus>> {
        self.access().queries()
    }

    /// The condition of the query engine. If a query broke it and it could not be opened again, this tries once more.
    ///
    /// # Errors
    /// The runtime is shutting down.
    pub async fn query_engine(&self) -> Result<EngineCondition> {
        self.blocking(|access| Ok(access.engine().query_engine())).await
    }

    /// Stops a query by its id, which [`queries`](Self::queries) lists. Its caller gets
    /// [`ErrorKind::Cancelled`] at once.
    ///
    /// # Errors
    /// No such query runs here, or it has ended.
    pub fn cancel_query(&self, id: &str) -> Result<()> {
        self.access().cancel_query(id)
    }
}

/// Joins DuckDB's batches.
struct BatchForm;

impl Form for BatchForm {
    type Item = RecordBatch;

    const TELLS_COLUMNS: bool = true;

    fn begin(&mut self, _schema: &SchemaRef) -> Result<()> {
        Ok(())
    }

    fn rows(&mut self, batch: RecordBatch) -> Result<Vec<RecordBatch>> {
        Ok(vec![batch])
    }

    fn end(&mut self) -> Option<RecordBatch> {
        None
    }
}

/// What a query returns after its columns.
struct Items<T> {
    events: QueryEvents<T>,
    datasets: DatasetsRead,
    summary: Option<Summary>,
    /// Requests for the query are dropped with this.
    _waiting: WaitingCaller,
}

impl<T> Items<T> {
    /// What the query did, if it has ended without an error.
    fn summary(&self) -> Option<QuerySummary> {
        let Summary { rows, bytes, times, engine } = self.summary.clone()?;
        Some(QuerySummary { rows, bytes, datasets: self.datasets.to_vec(), times, engine })
    }
}

impl<T: Send + 'static> Items<T> {
    fn poll_item(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<T>>> {
        let event = ready!(Pin::new(&mut self.events).poll_next(context));
        Poll::Ready(match event {
            Some(Ok(Event::Item(item))) => Some(Ok(item)),
            Some(Ok(Event::End(last, summary))) => {
                self.summary = Some(summary);
                last.map(Ok)
            }
            Some(Ok(Event::Columns(_))) => {
                Some(Err(Error::new(ErrorKind::Internal, "a bug in Polarway: a query has columns twice")))
            }
            Some(Err(error)) => Some(Err(error)),
            None => None,
        })
    }
}

/// A query whose result is kept.
pub(crate) struct Keeping {
    items: Items<RecordBatch>,
}

impl Keeping {
    /// Waits for the end of the query; returns the columns of the table, and what the query did.
    pub(crate) async fn finish(&mut self) -> Result<(SchemaRef, QuerySummary)> {
        let schema = self.items.events.columns().await?;
        let rest = futures::future::poll_fn(|context| self.items.poll_item(context)).await;
        match (rest, self.items.summary()) {
            (Some(Err(error)), _) => Err(error),
            (None, Some(summary)) => Ok((schema, summary)),
            _ => Err(Error::new(ErrorKind::Internal, "a bug in Polarway: a kept result gave rows")),
        }
    }
}

/// The rows of a query, as it makes them.
pub struct QueryStream {
    schema: SchemaRef,
    items: Items<RecordBatch>,
}

impl QueryStream {
    /// The result's columns.
    pub fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    /// The datasets that the query reads, each once per version, by name and version.
    pub fn datasets(&self) -> Vec<DatasetVersion> {
        self.items.datasets.to_vec()
    }

    /// What the query did; known once the stream has ended without an error.
    pub fn summary(&self) -> Option<QuerySummary> {
        self.items.summary()
    }
}

impl Stream for QueryStream {
    type Item = Result<RecordBatch>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.items.poll_item(context)
    }
}

/// The chunks of a query's result, as it makes them.
pub struct QueryChunkStream {
    items: Items<Chunk>,
}

impl QueryChunkStream {
    /// The datasets that the query reads, each once per version, by name and version.
    pub fn datasets(&self) -> Vec<DatasetVersion> {
        self.items.datasets.to_vec()
    }

    /// What the query did; known with the last chunk.
    pub fn summary(&self) -> Option<QuerySummary> {
        self.items.summary()
    }
}

impl Stream for QueryChunkStream {
    type Item = Result<Chunk>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.items.poll_item(context)
    }
}
