//! One table of an upload, as the engine reads it: chunks that are checked, decoded and counted.

use arrow_array::RecordBatch;
use arrow_schema::SchemaRef;
use polarway_core::PieceReader;
use polarway_ipc::{ChunkDecoder, DecodeLimits};
use polarway_proto::Reason;
use polarway_proto::v1::{Chunk, Failure, StoreTrailer};

/// What comes after a table's header.
pub(super) enum Piece {
    Chunk(Chunk),
    Trailer(StoreTrailer),
}

/// Reads a table's pieces. It ends without an error only after a correct trailer.
pub(super) struct Upload {
    decoder: ChunkDecoder,
    checksum: crc32fast::Hasher,
    /// Whether a correct trailer was read.
    is_whole: bool,
}

impl Upload {
    pub(super) fn new() -> Self {
        let decoder = ChunkDecoder::new(DecodeLimits::default());
        Self { decoder, checksum: crc32fast::Hasher::new(), is_whole: false }
    }

    fn accept(&mut self, chunk: Chunk) -> Result<Vec<RecordBatch>, Failure> {
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
        Ok(batches)
    }

    fn check(&mut self, trailer: StoreTrailer) -> Result<(), Failure> {
        if self.decoder.schema().is_none() {
            return Err(without_schema());
        }
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
        decoder.finish().map_err(malformed)?;
        self.is_whole = true;
        Ok(())
    }
}

impl PieceReader for Upload {
    type Piece = Piece;
    type Error = Failure;

    fn read(&mut self, piece: Piece) -> Result<Vec<RecordBatch>, Failure> {
        match piece {
            Piece::Chunk(chunk) => self.accept(chunk),
            Piece::Trailer(trailer) => self.check(trailer).map(|()| Vec::new()),
        }
    }

    fn schema(&self) -> Option<&SchemaRef> {
        self.decoder.schema()
    }

    fn kept_bytes(&self) -> u64 {
        self.decoder.kept_bytes()
    }

    fn finish(&mut self) -> Result<(), Failure> {
        if self.is_whole { Ok(()) } else { Err(broken_off()) }
    }
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
