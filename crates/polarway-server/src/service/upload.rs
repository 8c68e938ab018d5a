//! One table of an upload, as the engine reads it: chunks that are checked, decoded and counted.

use std::collections::VecDeque;

use arrow_array::{RecordBatch, RecordBatchReader};
use arrow_schema::{ArrowError, SchemaRef};
use polarway_ipc::{ChunkDecoder, DecodeLimits};
use polarway_proto::Reason;
use polarway_proto::v1::{Chunk, Failure, StoreTrailer};
use tokio::sync::mpsc::Receiver;

use crate::failure::Carried;

/// What comes after a table's header.
pub(super) enum Piece {
    Chunk(Chunk),
    Trailer(StoreTrailer),
}

/// Reads a table on a thread that blocks. It ends well only behind a trailer that tells the truth.
pub(super) struct Upload {
    pieces: Receiver<Piece>,
    decoder: ChunkDecoder,
    checksum: crc32fast::Hasher,
    schema: SchemaRef,
    ready: VecDeque<RecordBatch>,
    /// The trailer was right, or something failed.
    is_over: bool,
}

impl Upload {
    /// Waits for the schema, which comes with the first chunk.
    pub(super) fn open(pieces: Receiver<Piece>) -> Result<Self, ArrowError> {
        let schema = SchemaRef::new(arrow_schema::Schema::empty());
        let decoder = ChunkDecoder::new(DecodeLimits::default());
        let checksum = crc32fast::Hasher::new();
        let mut upload = Self { pieces, decoder, checksum, schema, ready: VecDeque::new(), is_over: false };
        let opened = match upload.pieces.blocking_recv() {
            Some(Piece::Chunk(chunk)) => upload.accept(chunk),
            Some(Piece::Trailer(_)) => Err(without_schema()),
            None => Err(broken_off()),
        };
        opened.map_err(carry)?;
        upload.schema = upload.decoder.schema().cloned().ok_or_else(|| carry(without_schema()))?;
        Ok(upload)
    }

    fn accept(&mut self, chunk: Chunk) -> Result<(), Failure> {
        let rows_before = self.decoder.rows();
        if chunk.first_row != rows_before {
            return Err(Reason::ChunkOutOfOrder.failure(format!(
                "a chunk starts at row {}, where row {rows_before} comes next",
                chunk.first_row
            )));
        }
        self.checksum.update(&chunk.ipc);
        let batches = self.decoder.decode(chunk.ipc).map_err(malformed)?;
        if self.decoder.schema().is_none() {
            return Err(without_schema());
        }
        let rows = self.decoder.rows() - rows_before;
        if chunk.rows != rows {
            return Err(Reason::ChunkOutOfOrder
                .failure(format!("a chunk says that it holds {} rows and holds {rows}", chunk.rows)));
        }
        self.ready.extend(batches);
        Ok(())
    }

    fn check(&mut self, trailer: StoreTrailer) -> Result<(), Failure> {
        let rows = self.decoder.rows();
        if trailer.rows != rows {
            return Err(Reason::RowCountMismatch.failure(format!(
                "the trailer says {} rows and {rows} have come: nothing was published",
                trailer.rows
            )));
        }
        let checksum = std::mem::take(&mut self.checksum).finalize();
        if trailer.crc32 != checksum {
            return Err(Reason::ChecksumMismatch.failure(format!(
                "the trailer's checksum is {:08x}, and {checksum:08x} that of what has come: nothing was published",
                trailer.crc32
            )));
        }
        let decoder = std::mem::replace(&mut self.decoder, ChunkDecoder::new(DecodeLimits::default()));
        decoder.finish().map_err(malformed)
    }

    /// The next batch; `None` behind a trailer that is right.
    fn next_batch(&mut self) -> Result<Option<RecordBatch>, Failure> {
        loop {
            if let Some(batch) = self.ready.pop_front() {
                return Ok(Some(batch));
            }
            match self.pieces.blocking_recv() {
                Some(Piece::Chunk(chunk)) => self.accept(chunk)?,
                Some(Piece::Trailer(trailer)) => return self.check(trailer).map(|()| None),
                None => return Err(broken_off()),
            }
        }
    }
}

impl Iterator for Upload {
    type Item = Result<RecordBatch, ArrowError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.is_over {
            return None;
        }
        let batch = self.next_batch();
        self.is_over = !matches!(batch, Ok(Some(_)));
        batch.map_err(carry).transpose()
    }
}

impl RecordBatchReader for Upload {
    fn schema(&self) -> SchemaRef {
        SchemaRef::clone(&self.schema)
    }
}

fn carry(failure: Failure) -> ArrowError {
    ArrowError::ExternalError(Box::new(Carried(failure)))
}

fn malformed(error: polarway_ipc::Error) -> Failure {
    let reason = match error {
        polarway_ipc::Error::MeansTooMuch { .. } => Reason::MessageTooLarge,
        _ => Reason::MalformedArrow,
    };
    reason.failure(crate::failure::chain(&error))
}

fn without_schema() -> Failure {
    Reason::MalformedArrow.failure("a table's first chunk must start with its schema")
}

fn broken_off() -> Failure {
    Reason::UploadTruncated.failure("the upload broke off: nothing of the table was published")
}
