//! Query: SQL, and its rows as they are made.

use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Instant;

use futures::{Stream, TryFutureExt as _};
use polarway_core::{Polarway, QueryChunkStream, QueryOptions};
use polarway_proto::v1::{Failure, QueryRequest, QueryResponse, QuerySummary};
use tonic::Status;

use super::Responses;
use crate::convert;
use crate::failure::failure;

/// Answers at once: planning the query is a part of the stream, so that heartbeats go out meanwhile.
pub(super) fn query(
    engine: Polarway,
    request: QueryRequest,
    deadline: Option<Instant>,
) -> Responses<QueryResponse> {
    super::beating(start(engine, request, deadline).map_err(Status::from).try_flatten_stream())
}

async fn start(engine: Polarway, request: QueryRequest, deadline: Option<Instant>) -> Result<Rows, Failure> {
    let compression = convert::compression(request.compression)?;
    let chunks = engine.query_chunks(&request.sql, QueryOptions { deadline }, compression).await;
    let chunks = chunks.map_err(|error| failure(&error))?;
    Ok(Rows { chunks: Some(chunks), summary: QuerySummary::default() })
}

/// The chunks of a result, and then what the query did.
struct Rows {
    /// Until they have ended.
    chunks: Option<QueryChunkStream>,
    summary: QuerySummary,
}

impl Stream for Rows {
    type Item = Result<QueryResponse, Status>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let Some(chunks) = &mut self.chunks else { return Poll::Ready(None) };
        let item = ready!(Pin::new(&mut *chunks).poll_next(context));
        let response = match item {
            Some(Ok(chunk)) => {
                self.summary.rows += chunk.rows;
                self.summary.bytes += chunk.ipc.len() as u64;
                Ok(QueryResponse { chunk: Some(convert::chunk(chunk)), summary: None })
            }
            Some(Err(error)) => {
                self.chunks = None;
                Err(failure(&error).into())
            }
            None => {
                self.summary.datasets = chunks.datasets().iter().map(convert::dataset_version).collect();
                self.chunks = None;
                Ok(QueryResponse { chunk: None, summary: Some(std::mem::take(&mut self.summary)) })
            }
        };
        Poll::Ready(Some(response))
    }
}
