//! SQL over all that is stored.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use futures::Stream;
use polarway_query::{InterruptHandle, QueryOptions};

use crate::catalog::StoredCatalog;
use crate::error::{Error, Result};
use crate::polarway::Polarway;
use crate::stream::BlockingStream;
use crate::table::Table;

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
            let stream = engine.queries.query(&sql, catalog, QueryOptions::default())?;
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
        let sql = sql.to_owned();
        let stream = self
            .blocking(move |engine| {
                let catalog = Arc::new(StoredCatalog::new(Arc::clone(engine)));
                Ok(engine.queries.query(&sql, catalog, QueryOptions::default())?)
            })
            .await?;
        let (schema, interrupt) = (stream.schema(), stream.interrupt_handle());
        let batches = BlockingStream::spawn(stream.map(|batch| batch.map_err(Error::from)));
        Ok(QueryStream { schema, batches, interrupt })
    }
}

/// The rows of a query, as it makes them.
pub struct QueryStream {
    schema: SchemaRef,
    batches: BlockingStream<RecordBatch>,
    interrupt: InterruptHandle,
}

impl QueryStream {
    /// The result's columns.
    pub fn schema(&self) -> &SchemaRef {
        &self.schema
    }
}

impl Stream for QueryStream {
    type Item = Result<RecordBatch>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        Pin::new(&mut self.batches).poll_next(context)
    }
}

impl Drop for QueryStream {
    fn drop(&mut self) {
        self.interrupt.interrupt();
    }
}
