//! SQL. A query whose stream breaks is run again as long as nothing of its result was handed out.

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll};

use arrow_array::RecordBatch;
use arrow_schema::SchemaRef;
use futures::Stream;
use polarway_proto::v1::{QueryRequest, QueryResponse};
use polarway_table::Table;

use crate::client::DistributedClient;
use crate::error::{Error, Result};
use crate::receive::{Arrived, Receiver};
use crate::retry::Tries;
use crate::stream::{BatchStream, Batches};

pub use polarway_proto::v1::{DatasetVersion, QuerySummary};

/// How often a query is run again that had begun: one that a worker dies of must not walk through all of them.
const MOST_RUNS_AGAIN: u32 = 2;

impl DistributedClient {
    /// Runs a SELECT in DuckDB's dialect. Datasets are tables under their names.
    ///
    /// # Errors
    /// Text that is no SELECT or does what queries may not do, names that don't exist, and what goes wrong while it runs.
    pub async fn query(&self, sql: &str) -> Result<Table> {
        let mut tries = Tries::new(self.timeout()).with_most_breaks(MOST_RUNS_AGAIN);
        loop {
            match self.try_query(sql, &mut tries).await {
                Ok(table) => return Ok(table),
                Err(error) => tries.after(error).await?,
            }
        }
    }

    async fn try_query(&self, sql: &str, tries: &mut Tries) -> Result<Table> {
        let mut running = self.try_to_run(sql, tries).await?;
        let mut batches = Vec::new();
        while let Some(batch) = running.next().await? {
            batches.push(batch);
            tries.going();
        }
        Ok(Table::new(running.schema, batches))
    }

    /// Runs a SELECT and gives its rows as they are made; a reader that is slow slows the query, and dropping the stream
    /// stops it.
    ///
    /// # Errors
    /// As [`query`](Self::query). The stream carries errors that come later, and ends with them; a connection that breaks
    /// after the first rows is one of them.
    pub async fn query_stream(&self, sql: &str) -> Result<QueryStream> {
        let mut tries = Tries::new(self.timeout()).with_most_breaks(MOST_RUNS_AGAIN);
        loop {
            match self.try_to_run(sql, &mut tries).await {
                Ok(running) => {
                    let schema = SchemaRef::clone(&running.schema);
                    let summary = Arc::clone(&running.summary);
                    return Ok(QueryStream { schema, summary, batches: BatchStream::new(running) });
                }
                Err(error) => tries.after(error).await?,
            }
        }
    }

    /// Starts a query and waits for its first rows, or its end.
    async fn try_to_run(&self, sql: &str, tries: &mut Tries) -> Result<Running> {
        let request = QueryRequest { sql: sql.to_owned(), compression: 0 };
        let path = "/polarway.v1.PolarwayService/Query";
        let mut receiver = Receiver::open(self.workers(), path, request, 0).await?;
        loop {
            match receiver.next().await? {
                Arrived::Heartbeat => tries.going(),
                Arrived::Rows(batches) => {
                    let schema = receiver.schema().cloned();
                    let schema = schema.ok_or_else(|| Error::protocol("a result began without a schema"))?;
                    return Ok(Running { schema, ready: batches.into(), receiver, summary: Arc::default() });
                }
                Arrived::Note(..) | Arrived::End => {
                    return Err(Error::protocol("a result ended before it began"));
                }
            }
        }
    }
}

/// A query whose rows are coming.
struct Running {
    schema: SchemaRef,
    ready: VecDeque<RecordBatch>,
    receiver: Receiver<QueryResponse>,
    summary: Arc<OnceLock<QuerySummary>>,
}

impl Batches for Running {
    async fn next(&mut self) -> Result<Option<RecordBatch>> {
        loop {
            if let Some(batch) = self.ready.pop_front() {
                return Ok(Some(batch));
            }
            match self.receiver.next().await? {
                Arrived::Heartbeat => {}
                Arrived::Rows(batches) => self.ready.extend(batches),
                Arrived::Note(summary, batches) => {
                    self.ready.extend(batches);
                    let _ = self.summary.set(summary);
                }
                Arrived::End if self.summary.get().is_some() => return Ok(None),
                Arrived::End => return Err(Error::unreachable("the result ended before its summary")),
            }
        }
    }
}

/// The rows of a query, as they arrive.
pub struct QueryStream {
    schema: SchemaRef,
    summary: Arc<OnceLock<QuerySummary>>,
    batches: BatchStream,
}

impl QueryStream {
    /// The result's columns.
    pub fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    /// What the query did; known once the stream has ended.
    pub fn summary(&self) -> Option<&QuerySummary> {
        self.summary.get()
    }
}

impl Stream for QueryStream {
    type Item = Result<RecordBatch>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        Pin::new(&mut self.batches).poll_next(context)
    }
}
