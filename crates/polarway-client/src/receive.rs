//! One try of a stream: messages in, batches out, silence and breaks noticed.

use std::time::Duration;

use arrow_array::RecordBatch;
use arrow_schema::SchemaRef;
use futures::{StreamExt as _, stream};
use polarway_ipc::{ChunkDecoder, DecodeLimits};
use polarway_proto::Rpc;
use polarway_proto::transport::{Framed, Received, TIMEOUT_HEADER, encode_timeout};
use polarway_proto::v1::{Chunk, LoadHeader, LoadResponse, QueryResponse, QuerySummary};

use crate::call::Attempt;
use crate::error::{Error, Result};

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
    stream: Received<M>,
    decoder: ChunkDecoder,
    next_row: u64,
}

impl<M: Step + Framed> Receiver<M> {
    /// Asks for a stream whose first row is this one. The server ends the call after `time`, if that is given.
    pub(crate) async fn open<R: Rpc<Response = M>>(
        attempt: &Attempt<'_>,
        request: R::Request,
        first_row: u64,
        time: Option<Duration>,
    ) -> Result<Self> {
        let mut headers = attempt.workers().metadata().into_headers();
        if let Some(time) = time {
            headers.insert(TIMEOUT_HEADER, encode_timeout(time));
        }
        let messages = stream::iter([Ok(request)]);
        let stream = attempt.open(attempt.worker().bulk::<R>(headers, messages)).await?;
        Ok(Self { stream, decoder: ChunkDecoder::new(DecodeLimits::default()), next_row: first_row })
    }

    /// The table's columns, once they have come.
    pub(crate) fn schema(&self) -> Option<&SchemaRef> {
        self.decoder.schema()
    }

    /// The row that comes next.
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

    /// A proxy may end a stream that the server did not: what says that the table is whole is the mark in it.
    fn end(&self) -> Result<Arrived<M::Note>> {
        if self.decoder.ended() {
            Ok(Arrived::End)
        } else {
            Err(Error::unreachable("the stream ended in the middle of the table"))
        }
    }
}
