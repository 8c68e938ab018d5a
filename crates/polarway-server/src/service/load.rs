//! Load: the rows of a version of a dataset, from any row on.

use futures::{Stream, StreamExt as _, TryFutureExt as _};
use polarway_core::{Chunk, Polarway, Result};
use polarway_proto::v1::{Failure, LoadHeader, LoadRequest, LoadResponse};
use tonic::Status;

use super::Responses;
use crate::convert;
use crate::failure::failure;

/// Answers at once: opening the table is a part of the stream, so that heartbeats go out meanwhile.
pub(super) fn load(engine: Polarway, request: LoadRequest) -> Responses<LoadResponse> {
    super::beating(open(engine, request).map_err(Status::from).try_flatten_stream())
}

async fn open(
    engine: Polarway,
    request: LoadRequest,
) -> Result<impl Stream<Item = Result<LoadResponse, Status>>, Failure> {
    let LoadRequest { name, at, first_row, compression } = request;
    let compression = convert::compression(compression)?;
    let chunks = engine.load_chunks(&name, convert::at(at), first_row, compression).await;
    let chunks = chunks.map_err(|error| failure(&error))?;
    let mut header =
        Some(LoadHeader { version: chunks.version(), rows: chunks.rows(), time_us: chunks.time_us() });
    Ok(chunks.map(move |chunk| response(chunk, header.take())))
}

fn response(chunk: Result<Chunk>, header: Option<LoadHeader>) -> Result<LoadResponse, Status> {
    match chunk {
        Ok(chunk) => Ok(LoadResponse { chunk: Some(convert::chunk(chunk)), header }),
        Err(error) => Err(failure(&error).into()),
    }
}
