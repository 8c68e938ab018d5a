//! Query: runs SQL, and streams its rows as they are produced.

use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use futures::{Stream, StreamExt as _, stream};
use polarway_core::{EngineChoice, Parameters, QueryChunkStream, QueryOptions};
use polarway_ipc::{ChunkDecoder, DecodeLimits};
use polarway_proto::Reason;
use polarway_proto::v1::{
    CancelQueryRequest, CancelQueryResponse, Failure, ListQueriesResponse, QueryRequest, QueryResponse,
    QuerySummary,
};
use tonic::Status;

use super::answer::{Responses, beating};
use super::worker::Worker;
use crate::call::Call;
use crate::convert;

/// How long an answer waits for its first message. The answer to a short query is then one write, and wakes the caller once
/// instead of twice.
const HEADSTART: Duration = Duration::from_millis(10);

/// Answers soon, even if planning takes long: planning runs inside the stream, so that heartbeats are sent meanwhile.
///
/// # Errors
/// If the query fails before the answer begins.
pub(super) async fn query(
    call: Call,
    request: QueryRequest,
    default: EngineChoice,
) -> Result<Responses<QueryResponse>, Status> {
    let mut rows = start(call, request, default)?;
    match tokio::time::timeout(HEADSTART, rows.next()).await {
        Ok(first) => Ok(beating(stream::iter(first.transpose()?.map(Ok)).chain(rows))),
        Err(_) => Ok(beating(rows)),
    }
}

fn start(call: Call, request: QueryRequest, default: EngineChoice) -> Result<Rows, Failure> {
    let engine = convert::engine(request.engine, default)?;
    let compression = convert::compression(request.compression)?;
    let parameters = parameters(request.parameters)?;
    let options = QueryOptions {
        parameters,
        time: call.time_left(),
        hugeint_as_text: request.hugeint_as_text,
        engine,
        ..QueryOptions::default()
    };
    let chunks = call.engine.query_chunks(&request.sql, options, compression);
    let chunks = chunks.map_err(|error| call.failure(&error))?;
    Ok(Rows { call, chunks: Some(chunks), summary: QuerySummary::default() })
}

/// Untrusted parameter values: an Arrow IPC stream of one row.
pub(super) fn parameters(ipc: Bytes) -> Result<Parameters, Failure> {
    if ipc.is_empty() {
        return Ok(Parameters::new());
    }
    let refused = |error: &dyn std::fmt::Display| {
        Reason::InvalidRequest.failure(format!("the values of the parameters can't be read: {error}"))
    };
    let batches = ChunkDecoder::new(DecodeLimits::default()).decode(ipc).map_err(|error| refused(&error))?;
    match batches.as_slice() {
        [row] => Parameters::from_batch(row).map_err(|error| refused(&error)),
        other => Err(refused(&format!("one batch was expected, and there are {}", other.len()))),
    }
}

/// The queries that are waiting or running on this worker.
pub(super) fn list(call: &Call, worker: &Worker) -> Result<ListQueriesResponse, Failure> {
    let queries = call.engine.queries().map_err(|error| call.failure(&error))?;
    let queries = queries.iter().map(convert::running_query).collect();
    Ok(ListQueriesResponse { queries, worker_id: worker.id() })
}

pub(super) fn cancel(call: &Call, request: &CancelQueryRequest) -> Result<CancelQueryResponse, Failure> {
    let cancelled = call.engine.cancel_query(&request.query_id).map_err(|error| call.failure(&error));
    call.origin.changed("cancel", &request.query_id, &cancelled);
    cancelled.map(|()| CancelQueryResponse {})
}

/// The chunks of a result, followed by the query's summary.
struct Rows {
    call: Call,
    /// `None` once they have ended.
    chunks: Option<QueryChunkStream>,
    summary: QuerySummary,
}

impl Stream for Rows {
    type Item = Result<QueryResponse, Status>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let Self { call, chunks: Some(chunks), summary } = &mut *self else { return Poll::Ready(None) };
        let item = ready!(Pin::new(&mut *chunks).poll_next(context));
        let mut response = QueryResponse::default();
        match item {
            Some(Ok(chunk)) => {
                call.metrics.moved.queried.add(chunk.rows, chunk.ipc.len());
                summary.rows += chunk.rows;
                summary.bytes += chunk.ipc.len() as u64;
                response.chunk = Some(convert::chunk(chunk));
            }
            Some(Err(error)) => {
                let failure = call.failure(&error);
                self.chunks = None;
                return Poll::Ready(Some(Err(failure.into())));
            }
            None => {}
        }
        // The last chunk and the summary are sent in one message.
        if let Some(done) = chunks.summary() {
            if let Some(trace) = &call.trace {
                trace.record_query(done.times);
            }
            let sent = std::mem::take(summary);
            response.summary = Some(QuerySummary { rows: sent.rows, bytes: sent.bytes, ..done.into() });
            self.chunks = None;
        }
        Poll::Ready(Some(Ok(response)))
    }
}
