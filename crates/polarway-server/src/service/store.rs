//! Store: uploads of one or more tables.

use std::time::Duration;

use futures::{Stream, StreamExt as _, stream};
use polarway_core::{PiecesError, Published, WriteOptions};
use polarway_proto::Reason;
use polarway_proto::v1::store_request::Part;
use polarway_proto::v1::store_result::Outcome;
use polarway_proto::v1::{Failure, StoreHeader, StoreRequest, StoreResponse, StoreResult};
use prost::Message as _;
use tokio::sync::mpsc;
use tonic::{Code, Status};

use super::arrivals::Arrivals;
use super::upload::{Piece, Upload};
use crate::call::Call;
use crate::reasons::refusal;

/// Chunks that may wait for the engine. A slow engine then slows down the client, through HTTP/2 flow control.
const WAITING_CHUNKS: usize = 2;

/// The most bytes that the results of a call may take: tens of thousands of tables.
const MOST_RESULTS_BYTES: usize = 16 << 20;

pub(super) async fn store(
    call: &Call,
    requests: impl Stream<Item = Result<StoreRequest, Status>> + Unpin,
    arrivals: Arrivals,
    silence: Duration,
) -> Result<StoreResponse, Failure> {
    let mut parts = Parts { requests, arrivals, silence };
    let mut results = Vec::new();
    let mut results_bytes = 0;
    while let Some(part) = parts.next().await? {
        let header = match part {
            Part::Header(header) => header,
            Part::Chunk(_) => return Err(Reason::UnexpectedPart.failure("a chunk came before any header")),
            Part::Trailer(_) => {
                return Err(Reason::UnexpectedPart.failure("a trailer came before any header"));
            }
        };
        if results_bytes > MOST_RESULTS_BYTES {
            return Err(Reason::InvalidRequest.failure(format!(
                "the call has {} tables, and what became of them does not fit into one answer: store the others in other calls",
                results.len()
            )));
        }
        let (is_last, name) = (header.last, header.name.clone());
        let stored = store_table(call, &mut parts, header).await?;
        call.origin.changed("store", &name, &stored);
        let outcome = match stored {
            Ok(published) => Outcome::Published(published.into()),
            Err(failure) => Outcome::Failure(failure.shortened()),
        };
        let result = StoreResult { outcome: Some(outcome) };
        results_bytes += result.encoded_len();
        results.push(result);
        if is_last {
            break;
        }
    }
    Ok(StoreResponse { results })
}

/// Receives one table and stores it. The inner result is the table's; an outer error ends the call.
async fn store_table(
    call: &Call,
    parts: &mut Parts<impl Stream<Item = Result<StoreRequest, Status>> + Unpin>,
    header: StoreHeader,
) -> Result<Result<Published, Failure>, Failure> {
    let name = header.name.clone();
    let is_last = header.last;
    let options = match WriteOptions::try_from(&header) {
        Ok(options) => options,
        Err(refused) => return give_up(parts, &name, is_last, refused.into()).await,
    };
    let (pieces, mut received) = mpsc::channel(WAITING_CHUNKS);
    let received = stream::poll_fn(move |context| received.poll_recv(context));
    let writing = call.engine.store_pieces(&name, received, Upload::new(), options);
    let mut writing = std::pin::pin!(writing);
    loop {
        let piece = tokio::select! {
            // Without a trailer, it can't have been published.
            stored = &mut writing => return match stored {
                Ok(_) => Err(Reason::Internal.failure(format!("{name:?} was stored before all of it had come"))),
                Err(error) => give_up(parts, &name, is_last, of_pieces(call, error)).await,
            },
            part = parts.next() => match part? {
                Some(Part::Chunk(chunk)) => {
                    call.metrics.moved.stored.add(chunk.rows, chunk.ipc.len());
                    Piece::Chunk(chunk)
                }
                Some(Part::Trailer(trailer)) => Piece::Trailer(trailer),
                Some(Part::Header(_)) => {
                    return Err(Reason::UnexpectedPart.failure(format!("a header came before the trailer of {name:?}")));
                }
                None => return Err(truncated(&name)),
            },
        };
        let is_trailer = matches!(piece, Piece::Trailer(_));
        tokio::select! {
            stored = &mut writing => return match stored {
                Ok(_) => Err(Reason::Internal.failure(format!("{name:?} was stored before all of it had come"))),
                Err(error) if is_trailer => Ok(Err(of_pieces(call, error))),
                Err(error) => give_up(parts, &name, is_last, of_pieces(call, error)).await,
            },
            // If the write has failed, nobody receives this; the next iteration sees the failure.
            _ = pieces.send((piece, parts.arrivals.take())) => {}
        }
        if is_trailer {
            drop(pieces);
            return Ok(writing.await.map_err(|error| of_pieces(call, error)));
        }
    }
}

fn of_pieces(call: &Call, error: PiecesError<Failure>) -> Failure {
    match error {
        PiecesError::Reader(failure) => failure,
        PiecesError::Engine(error) => call.failure(&error),
    }
}

/// Skips the rest of a table that has failed, so that the tables after it can be stored.
async fn give_up(
    parts: &mut Parts<impl Stream<Item = Result<StoreRequest, Status>> + Unpin>,
    name: &str,
    is_last: bool,
    failure: Failure,
) -> Result<Result<Published, Failure>, Failure> {
    if is_last {
        return Ok(Err(failure));
    }
    loop {
        match parts.next().await? {
            Some(Part::Chunk(_)) => drop(parts.arrivals.take()),
            Some(Part::Trailer(_)) => return Ok(Err(failure)),
            Some(Part::Header(_)) => {
                return Err(
                    Reason::UnexpectedPart.failure(format!("a header came before the trailer of {name:?}"))
                );
            }
            None => return Err(truncated(name)),
        }
    }
}

fn truncated(name: &str) -> Failure {
    Reason::UploadTruncated
        .failure(format!("the upload ended before the trailer of {name:?}: nothing of it was published"))
}

/// The parts of an upload in order of arrival, without heartbeats.
struct Parts<S> {
    requests: S,
    /// The memory of what has arrived.
    arrivals: Arrivals,
    silence: Duration,
}

impl<S: Stream<Item = Result<StoreRequest, Status>> + Unpin> Parts<S> {
    async fn next(&mut self) -> Result<Option<Part>, Failure> {
        loop {
            let Ok(request) = tokio::time::timeout(self.silence, self.requests.next()).await else {
                return Err(Reason::UploadStalled.failure(format!(
                    "the upload brought nothing for {:?}: send it again, with a heartbeat each second",
                    self.silence
                )));
            };
            match request {
                None => return Ok(None),
                Some(Ok(StoreRequest { part: None })) => drop(self.arrivals.take()),
                Some(Ok(StoreRequest { part })) => return Ok(part),
                Some(Err(status)) => return Err(broken(&status)),
            }
        }
    }
}

fn broken(status: &Status) -> Failure {
    match status.code() {
        // The connection, or the client, is gone.
        Code::Cancelled | Code::Unknown | Code::Unavailable => {
            Reason::UploadTruncated.failure(format!("the upload broke off: {}", status.message()))
        }
        _ => refusal(status),
    }
}
