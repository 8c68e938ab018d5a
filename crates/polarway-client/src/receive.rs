//! One try of a stream: messages in, batches out, silence and breaks noticed.

use std::sync::Arc;
use std::time::Duration;

use arrow_array::RecordBatch;
use arrow_schema::SchemaRef;
use futures::{StreamExt as _, stream};
use polarway_ipc::{ChunkDecoder, DecodeLimits};
use polarway_proto::SILENCE;
use polarway_proto::bulk::{Bulk, Received};
use polarway_proto::v1::{Chunk, LoadHeader, LoadResponse, QueryResponse, QuerySummary};
use tonic::metadata::{Ascii, MetadataValue};

use crate::connection::{CONNECT, Worker, Workers};
use crate::error::{Error, Result};

/// How long a stream may take until the server begins to answer: a connection is made, and then the first sign of life comes.
/// A balancer keeps connections alive before a server that has stopped, so that nothing else would tell.
const OPENING: Duration = CONNECT.saturating_add(SILENCE);

/// A step of a stream: some rows, and what else the stream has to say.
pub(crate) trait Step {
    /// What comes besides rows, once.
    type Note;

    fn into_parts(self) -> (Option<Chunk>, Option<Self::Note>);
}

impl Step for LoadResponse {
    type Note = LoadHeader;

    fn into_parts(self) -> (Option<Chunk>, Option<LoadHeader>) {
        (self.chunk, self.header)
    }
}

impl Step for QueryResponse {
    type Note = QuerySummary;

    fn into_parts(self) -> (Option<Chunk>, Option<QuerySummary>) {
        (self.chunk, self.summary)
    }
}

/// What arrived.
pub(crate) enum Arrived<N> {
    /// A sign of life.
    Heartbeat,
    Rows(Vec<RecordBatch>),
    Note(N, Vec<RecordBatch>),
    /// The stream ended as it should.
    End,
}

/// A stream as one call of a worker sends it.
pub(crate) struct Receiver<M> {
    workers: Arc<Workers>,
    worker: Worker,
    stream: Received<M>,
    decoder: ChunkDecoder,
    next_row: u64,
}

impl<M: Step + Bulk> Receiver<M> {
    /// Asks the worker whose turn it is for a stream whose first row is this one.
    pub(crate) async fn open<Q: Bulk + 'static>(
        workers: &Arc<Workers>,
        path: &'static str,
        request: Q,
        first_row: u64,
    ) -> Result<Self> {
        Self::open_within(workers, path, request, first_row, None).await
    }

    /// The same for a call that the server ends after some time.
    pub(crate) async fn open_within<Q: Bulk + 'static>(
        workers: &Arc<Workers>,
        path: &'static str,
        request: Q,
        first_row: u64,
        time: Option<Duration>,
    ) -> Result<Self> {
        let worker = workers.pick();
        let mut metadata = workers.metadata();
        if let Some(time) = time {
            metadata.insert("grpc-timeout", timeout(time));
        }
        let opening = worker.bulk(path, metadata, stream::iter([Ok(request)]));
        let opened = match tokio::time::timeout(OPENING, opening).await {
            Ok(Ok(stream)) => Ok(stream),
            Ok(Err(status)) => Err(status.into()),
            Err(_) => Err(Error::unreachable(format!("the server did not begin to answer for {OPENING:?}"))),
        };
        match opened {
            Ok(stream) => Ok(Self {
                workers: Arc::clone(workers),
                worker,
                stream,
                decoder: ChunkDecoder::new(DecodeLimits::default()),
                next_row: first_row,
            }),
            Err(error) => {
                workers.pass_over(&worker);
                Err(error)
            }
        }
    }

    /// The table's columns, once they have come.
    pub(crate) fn schema(&self) -> Option<&SchemaRef> {
        self.decoder.schema()
    }

    /// The row that comes next.
    pub(crate) fn next_row(&self) -> u64 {
        self.next_row
    }

    /// Waits for the next message. After an error another worker has its turn.
    pub(crate) async fn next(&mut self) -> Result<Arrived<M::Note>> {
        let received = self.receive().await;
        if received.is_err() {
            self.workers.pass_over(&self.worker);
        }
        received
    }

    async fn receive(&mut self) -> Result<Arrived<M::Note>> {
        let Ok(message) = tokio::time::timeout(SILENCE, self.stream.next()).await else {
            return Err(Error::unreachable(format!("the server has been silent for {SILENCE:?}")));
        };
        let Some(message) = message.transpose()? else { return self.end() };
        let (chunk, note) = message.into_parts();
        let batches = match chunk {
            Some(chunk) => Some(self.decode(chunk)?),
            None => None,
        };
        Ok(match (note, batches) {
            (Some(note), batches) => Arrived::Note(note, batches.unwrap_or_default()),
            (None, Some(batches)) => Arrived::Rows(batches),
            (None, None) => Arrived::Heartbeat,
        })
    }

    fn decode(&mut self, chunk: Chunk) -> Result<Vec<RecordBatch>> {
        if chunk.first_row != self.next_row {
            return Err(Error::protocol(format!(
                "the server sent row {} where row {} comes next",
                chunk.first_row, self.next_row
            )));
        }
        let batches = self.decoder.decode(chunk.ipc)?;
        self.next_row += batches.iter().map(|batch| batch.num_rows() as u64).sum::<u64>();
        Ok(batches)
    }

    /// A proxy may end a stream that the server did not: what says that the table is whole is the mark in it.
    fn end(&self) -> Result<Arrived<M::Note>> {
        if self.decoder.ended() {
            Ok(Arrived::End)
        } else {
            Err(Error::unreachable("the stream ended in the middle of the table"))
        }
    }
}

/// A duration as gRPC writes it: at most eight digits and a unit (gRPC over HTTP/2, "Requests").
fn timeout(time: Duration) -> MetadataValue<Ascii> {
    let millis = time.as_millis();
    let seconds = u32::try_from(time.as_secs()).unwrap_or(u32::MAX).min(99_999_999);
    let text = if millis < 100_000_000 { format!("{}m", millis.max(1)) } else { format!("{seconds}S") };
    text.parse().unwrap_or_else(|_| MetadataValue::from_static("99999999S"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_timeout_has_at_most_eight_digits_and_is_never_nothing() {
        for (time, expect) in [
            (Duration::ZERO, "1m"),
            (Duration::from_millis(1500), "1500m"),
            (Duration::from_secs(200_000), "200000S"),
            (Duration::MAX, "99999999S"),
        ] {
            assert_eq!(timeout(time), expect);
        }
    }
}
