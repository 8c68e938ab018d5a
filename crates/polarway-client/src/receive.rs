//! One try of a stream: it reads messages, returns batches, and detects silence and breaks.

use std::time::Duration;

use arrow_array::RecordBatch;
use arrow_schema::SchemaRef;
use futures::{StreamExt as _, stream};
use polarway_ipc::{ChunkDecoder, DecodeLimits};
use polarway_proto::Rpc;
use polarway_proto::transport::{Framed, Received};
use polarway_proto::v1::{Chunk, LoadHeader, LoadResponse, QueryResponse, QuerySummary};

use crate::call::Attempt;
use crate::error::{Error, Result};

/// A message of a stream: rows, a note, both or neither.
pub(crate) trait Step {
    /// The other content of a stream, which comes once.
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

/// The content of a message.
pub(crate) enum Arrived<N> {
    /// Nothing: the server only shows that it is alive.
    Heartbeat,
    Rows(Vec<RecordBatch>),
    Note(N, Vec<RecordBatch>),
    /// The complete end of the stream.
    End,
}

/// The stream that one call receives from a worker.
pub(crate) struct Receiver<M> {
    stream: Received<M>,
    decoder: ChunkDecoder,
    next_row: u64,
}

impl<M: Step + Framed> Receiver<M> {
    /// Requests a stream that begins with this row. The server ends the call after `time`, if it is given.
    pub(crate) async fn open<R: Rpc<Response = M>>(
        attempt: &Attempt<'_>,
        request: R::Request,
        first_row: u64,
        time: Option<Duration>,
    ) -> Result<Self> {
        let (headers, messages) = (attempt.headers(time), stream::iter([Ok(request)]));
        let stream = attempt.open(attempt.worker().bulk::<R>(headers, messages)).await?;
        Ok(Self { stream, decoder: ChunkDecoder::new(DecodeLimits::default()), next_row: first_row })
    }

    /// The table's columns, after they have arrived.
    pub(crate) fn schema(&self) -> Option<&SchemaRef> {
        self.decoder.schema()
    }

    /// The number of the next row.
    pub(crate) fn next_row(&self) -> u64 {
        self.next_row
    }

    /// Waits for the next message.
    pub(crate) async fn next(&mut self, attempt: &Attempt<'_>) -> Result<Arrived<M::Note>> {
        let next = async { self.stream.next().await.transpose() };
        let Some(message) = attempt.next(next).await? else { return self.end() };
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

    /// The end of the stream. A proxy may end a stream too early; only the mark in the table shows that the table is complete.
    fn end(&self) -> Result<Arrived<M::Note>> {
        if self.decoder.ended() {
            Ok(Arrived::End)
        } else {
            Err(Error::unreachable("the stream ended in the middle of the table"))
        }
    }
}
