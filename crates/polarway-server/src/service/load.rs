//! Load: the rows of a version of a dataset, or some of its rows and columns.

use futures::{Stream, StreamExt as _, TryFutureExt as _};
use polarway_core::{Chunk, Result};
use polarway_proto::v1::{Failure, LoadHeader, LoadRequest, LoadResponse};
use tonic::Status;

use super::answer::{Responses, beating};
use super::joined::joined;
use crate::call::Call;
use crate::convert;

/// Answers at once: the table is opened inside the stream, so that heartbeats are sent meanwhile.
pub(super) fn load(call: Call, request: LoadRequest) -> Responses<LoadResponse> {
    beating(open(call, request).map_err(Status::from).try_flatten_stream())
}

async fn open(
    call: Call,
    request: LoadRequest,
) -> Result<impl Stream<Item = Result<LoadResponse, Status>>, Failure> {
    let compression = convert::compression(request.compression)?;
    let chunks = call.engine.load_chunks_with(&request.name, &request, compression).await;
    let chunks = chunks.map_err(|error| call.failure(&error))?;
    let mut header =
        Some(LoadHeader { version: chunks.version(), rows: chunks.rows(), time_us: chunks.time_us() });
    Ok(joined(chunks).map(move |chunk| response(&call, chunk, header.take())))
}

fn response(call: &Call, chunk: Result<Chunk>, header: Option<LoadHeader>) -> Result<LoadResponse, Status> {
    match chunk {
        Ok(chunk) => {
            call.metrics.moved.loaded.add(chunk.rows, chunk.ipc.len());
            Ok(LoadResponse { chunk: Some(convert::chunk(chunk)), header })
        }
        Err(error) => Err(call.failure(&error).into()),
    }
}
