//! Load: the rows of a version of a dataset, from any row on.

use futures::{Stream, StreamExt as _, TryFutureExt as _};
use polarway_core::{At, Chunk, Result};
use polarway_proto::v1::{Failure, LoadHeader, LoadRequest, LoadResponse};
use tonic::Status;

use super::answer::{Responses, beating};
use crate::call::Call;
use crate::convert;

/// Answers at once: opening the table is a part of the stream, so that heartbeats go out meanwhile.
pub(super) fn load(call: Call, request: LoadRequest) -> Responses<LoadResponse> {
    beating(open(call, request).map_err(Status::from).try_flatten_stream())
}

async fn open(
    call: Call,
    request: LoadRequest,
) -> Result<impl Stream<Item = Result<LoadResponse, Status>>, Failure> {
    let LoadRequest { name, at, first_row, compression } = request;
    let at = at.map(At::from).unwrap_or_default();
    let compression = convert::compression(compression)?;
    let chunks = call.engine.load_chunks(&name, at, first_row, compression).await;
    let chunks = chunks.map_err(|error| call.failure(&error))?;
    let mut header =
        Some(LoadHeader { version: chunks.version(), rows: chunks.rows(), time_us: chunks.time_us() });
    Ok(chunks.map(move |chunk| response(&call, chunk, header.take())))
}

fn response(call: &Call, chunk: Result<Chunk>, header: Option<LoadHeader>) -> Result<LoadResponse, Status> {
    match chunk {
        Ok(chunk) => Ok(LoadResponse { chunk: Some(convert::chunk(chunk)), header }),
        Err(error) => Err(call.failure(&error).into()),
    }
}
