//! Runs SQL. A query whose stream breaks is run again if the user has nothing of its result yet.

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll};
use std::time::Duration;

use arrow_array::RecordBatch;
use arrow_schema::SchemaRef;
use bytes::Bytes;
use futures::{Stream, StreamExt as _};
use polarway_ipc::{ChunkEncoder, EncodeOptions};
use polarway_model::{QueryOptions, QuerySummary, RunningQuery};
use polarway_proto::client::PolarwayServiceClient;
use polarway_proto::rpc;
use polarway_proto::v1::{self, CancelQueryRequest, ListQueriesRequest, QueryRequest, QueryResponse};
use polarway_table::{Parameters, Table};

use crate::call::{Attempt, Call, Kind, Operation};
use crate::channel::Channel;
use crate::client::DistributedClient;
use crate::error::{Error, Result};
use crate::receive::{Arrived, Receiver};
use crate::stream::{BatchStream, Batches};

impl DistributedClient {
    /// Runs a SELECT in DuckDB's dialect, or EXPLAIN, DESCRIBE, SUMMARIZE or SHOW TABLES. Datasets are tables under their
    /// names.
    ///
    /// # Errors
    /// Text that is no SELECT or does something that queries must not do, names that don't exist, and errors while it runs.
    pub async fn query(&self, sql: &str) -> Result<Table> {
        self.query_with(sql, QueryOptions::default()).await
    }

    /// Runs a SELECT with values for its parameters, or with other options.
    ///
    /// ```no_run
    /// # use polarway_client::{DistributedClient, Result, params};
    /// # async fn count(client: DistributedClient) -> Result<()> {
    /// let sql = "SELECT count(*) FROM flights WHERE year = $year AND carrier = $carrier";
    /// let flights = client.query_with(sql, params![year = 2013, carrier = "UA"]).await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`query`](Self::query); besides, values that don't fit the parameters.
    pub async fn query_with(&self, sql: &str, options: impl Into<QueryOptions>) -> Result<Table> {
        let options = options.into();
        if options.resumable {
            return self.query_by_handle(sql, options).await;
        }
        let mut query = Query::new(sql, &options)?;
        self.call(Kind::Query).run(&mut WholeResult(&mut query)).await
    }

    /// Runs a SELECT and streams its rows while the query produces them. A slow reader makes the query slow, and to drop the
    /// stream stops it.
    ///
    /// # Errors
    /// As [`query`](Self::query). The stream carries errors that come later, and ends with them; a connection that breaks
    /// after the first rows is one of them, unless the query is [resumable](QueryOptions::resumable).
    pub async fn query_stream(&self, sql: &str) -> Result<QueryStream> {
        self.query_stream_with(sql, QueryOptions::default()).await
    }

    /// As [`query_stream`](Self::query_stream), with values for parameters, or with other options.
    ///
    /// # Errors
    /// As [`query_with`](Self::query_with), and as [`query_stream`](Self::query_stream).
    pub async fn query_stream_with(
        &self,
        sql: &str,
        options: impl Into<QueryOptions>,
    ) -> Result<QueryStream> {
        let options = options.into();
        if options.resumable {
            return self.stream_by_handle(sql, options).await;
        }
        let mut call = self.call(Kind::Query);
        let result = call.run(&mut Query::new(sql, &options)?).await?;
        let (schema, summary) = (SchemaRef::clone(&result.schema), Arc::clone(&result.summary));
        Ok(QueryStream::new(schema, summary, BatchStream::new(Running { call, result })))
    }

    /// The queries that wait or run, the oldest first, on every worker that this client knows.
    ///
    /// # Errors
    /// A worker that does not answer.
    pub async fn queries(&self) -> Result<Vec<RunningQuery>> {
        let method = |mut service: PolarwayServiceClient<Channel>, request| async move {
            service.list_queries(request).await
        };
        let mut answers = self.unary_of_all(Kind::Idempotent, ListQueriesRequest {}, method);
        let mut queries = Vec::new();
        while let Some(answer) = answers.next().await {
            queries.extend(answer?.queries.into_iter().map(RunningQuery::from));
        }
        queries.sort_by_key(|query| query.started_us);
        Ok(queries)
    }

    /// Cancels a query by its id from [`queries`](Self::queries). Its caller gets
    /// [`Reason::Cancelled`](crate::Reason::Cancelled).
    ///
    /// # Errors
    /// No worker that this client knows runs such a query, or it has ended.
    pub async fn cancel_query(&self, query_id: &str) -> Result<()> {
        let method = |mut service: PolarwayServiceClient<Channel>, request| async move {
            service.cancel_query(request).await
        };
        let request = CancelQueryRequest { query_id: query_id.to_owned() };
        self.unary_of_any(Kind::Idempotent, request, method).await?;
        Ok(())
    }
}

/// The request of a query, which may be repeated.
struct Query {
    request: QueryRequest,
    time: Option<Duration>,
}

impl Query {
    fn new(sql: &str, options: &QueryOptions) -> Result<Self> {
        let parameters = encode_parameters(&options.parameters)?;
        let request = QueryRequest {
            sql: sql.to_owned(),
            compression: 0,
            parameters,
            hugeint_as_text: options.hugeint_as_text,
            engine: v1::Engine::from(options.engine).into(),
        };
        Ok(Self { request, time: options.time })
    }
}

/// Starts the query and waits for its first rows, or its end.
impl Operation for Query {
    type Output = Arriving;

    async fn attempt(&mut self, attempt: &mut Attempt<'_>) -> Result<Arriving> {
        let mut receiver = Receiver::open::<rpc::Query>(attempt, self.request.clone(), 0, self.time).await?;
        loop {
            match receiver.next(attempt).await? {
                Arrived::Heartbeat => attempt.going(),
                Arrived::Rows(batches) => return Arriving::begin(receiver, batches, None),
                // A small result is complete with its first message.
                Arrived::Note(summary, batches) => {
                    return Arriving::begin(receiver, batches, Some(summary.try_into()?));
                }
                Arrived::End => return Err(Error::protocol("a result ended before it began")),
            }
        }
    }
}

/// A query whose complete result is returned at once, so that it can be run again before that.
struct WholeResult<'a>(&'a mut Query);

impl Operation for WholeResult<'_> {
    type Output = Table;

    async fn attempt(&mut self, attempt: &mut Attempt<'_>) -> Result<Table> {
        let mut result = self.0.attempt(attempt).await?;
        let mut batches = Vec::new();
        while let Some(batch) = result.attempt(attempt).await? {
            batches.push(batch);
            attempt.going();
        }
        Ok(Table::new(result.schema, batches))
    }
}

/// The values of parameters as they are sent: an Arrow IPC stream of one row, or nothing.
pub(crate) fn encode_parameters(parameters: &Parameters) -> Result<Bytes> {
    if parameters.is_empty() {
        return Ok(Bytes::new());
    }
    let row = parameters.to_batch()?;
    let mut encoder = ChunkEncoder::new(&row.schema(), EncodeOptions::default())?;
    let mut chunks = encoder.encode(&row)?;
    chunks.push(encoder.finish());
    Ok(chunks.into_iter().flat_map(|chunk| chunk.ipc).collect())
}

/// A result whose rows arrive.
struct Arriving {
    schema: SchemaRef,
    ready: VecDeque<RecordBatch>,
    receiver: Receiver<QueryResponse>,
    summary: Arc<OnceLock<QuerySummary>>,
}

impl Arriving {
    fn begin(
        receiver: Receiver<QueryResponse>,
        batches: Vec<RecordBatch>,
        summary: Option<QuerySummary>,
    ) -> Result<Self> {
        let schema = receiver.schema().cloned();
        let schema = schema.ok_or_else(|| Error::protocol("a result began without a schema"))?;
        let known = summary.map_or_else(OnceLock::new, OnceLock::from);
        Ok(Self { schema, ready: batches.into(), receiver, summary: Arc::new(known) })
    }
}

/// Gives the next batch.
impl Operation for Arriving {
    type Output = Option<RecordBatch>;

    async fn attempt(&mut self, attempt: &mut Attempt<'_>) -> Result<Option<RecordBatch>> {
        loop {
            if let Some(batch) = self.ready.pop_front() {
                return Ok(Some(batch));
            }
            match self.receiver.next(attempt).await? {
                Arrived::Heartbeat => {}
                Arrived::Rows(batches) => self.ready.extend(batches),
                Arrived::Note(summary, batches) => {
                    self.ready.extend(batches);
                    let _ = self.summary.set(summary.try_into()?);
                }
                Arrived::End if self.summary.get().is_some() => return Ok(None),
                Arrived::End => return Err(Error::unreachable("the result ended before its summary")),
            }
        }
    }
}

/// The same result, returned batch by batch.
struct Running {
    call: Call,
    result: Arriving,
}

impl Batches for Running {
    async fn next(&mut self) -> Result<Option<RecordBatch>> {
        self.call.go_on(&mut self.result).await
    }
}

/// The rows of a query, as they arrive over the network.
pub struct QueryStream {
    schema: SchemaRef,
    summary: Arc<OnceLock<QuerySummary>>,
    batches: BatchStream,
}

impl QueryStream {
    /// The result of a query, with these columns and batches. `summary` is set when it is known.
    pub(crate) fn new(schema: SchemaRef, summary: Arc<OnceLock<QuerySummary>>, batches: BatchStream) -> Self {
        Self { schema, summary, batches }
    }

    /// The result's columns.
    pub fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    /// What the query did; known after the stream has ended. For a [resumable](QueryOptions::resumable) query it is known from
    /// the start, or never if an answer was lost and the next try found the result.
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
