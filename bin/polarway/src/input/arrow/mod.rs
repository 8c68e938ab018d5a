//! Arrow IPC: a stream, or a file with a footer at its end.
//!
//! Either may be malformed, so both use the decoder for untrusted streams, which checks declared sizes against limits. A
//! file has the messages of a stream, at the positions in its footer.

mod early;

use std::collections::VecDeque;
use std::fs::File;
use std::io::{Cursor, Read};
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use arrow_array::RecordBatch;
use arrow_ipc::Block;
use arrow_schema::SchemaRef;
use bytes::Bytes;
use polarway_ipc::{ChunkDecoder, DecodeLimits};
use polarway_parquet::{LocalFile, ReadAt};

use self::early::{MARK, Marked};
use super::counted::CountedFile;
use super::error::InputError;
use super::{FileRows, Source};

/// A file begins and ends with these bytes.
const MAGIC: &[u8] = b"ARROW1";

/// The first message is at a multiple of this, after the file's magic bytes and padding.
const ALIGNMENT: usize = 8;

/// The bytes of a message's marker and the length of its metadata.
const PREFIX_BYTES: usize = 8;

/// The footer's length and the magic bytes, at the end of a file.
const TRAILER_BYTES: usize = 10;

/// Bytes of a stream that are read at once.
const PIECE_BYTES: usize = 1 << 20;

/// The decoded bytes that one message may always take, however short it is.
const LEAST_DECODED_BYTES: u64 = 4 << 30;

/// The most decoded bytes of one message, as a multiple of the file's size.
const MOST_RATIO: u64 = 8;

pub(super) enum Kind {
    File(Source),
    Stream(Box<dyn Read + Send>),
}

impl Kind {
    /// Detects the kind from the first bytes.
    pub(super) fn of(source: Source) -> Result<Self, InputError> {
        let mut start = Vec::with_capacity(MAGIC.len());
        match source {
            Source::File(file) => {
                let bytes = LocalFile::new(file.try_clone()?)?;
                let length = MAGIC.len().min(usize::try_from(bytes.len()).unwrap_or(usize::MAX));
                start.extend_from_slice(&bytes.read_at(0, length)?);
                match &start[..] {
                    [] => Err(InputError::Empty),
                    MAGIC => Ok(Self::File(Source::File(file))),
                    _ => Ok(Self::Stream(Box::new(file))),
                }
            }
            Source::Bytes(mut bytes) => {
                bytes.by_ref().take(MAGIC.len() as u64).read_to_end(&mut start)?;
                let is_file = start == MAGIC;
                if start.is_empty() {
                    return Err(InputError::Empty);
                }
                let whole = Box::new(Cursor::new(start).chain(bytes));
                Ok(if is_file { Self::File(Source::Bytes(whole)) } else { Self::Stream(whole) })
            }
        }
    }
}

fn limits(file_bytes: u64) -> DecodeLimits {
    let decoded_bytes = file_bytes.saturating_mul(MOST_RATIO).max(LEAST_DECODED_BYTES);
    let decoded_bytes = usize::try_from(decoded_bytes).unwrap_or(usize::MAX);
    DecodeLimits {
        // Only the bytes of a message that have arrived are held.
        max_message_bytes: usize::MAX,
        max_metadata_bytes: usize::MAX,
        // Values are not written out here: the rows are sent on in small messages.
        max_plain_bytes: usize::MAX,
        max_decoded_bytes: decoded_bytes,
        max_dictionary_bytes: decoded_bytes,
        ..DecodeLimits::default()
    }
}

/// Reads a stream as it arrives.
pub(super) fn open_stream(mut bytes: Box<dyn Read + Send>) -> Result<FileRows, InputError> {
    let mut start = Vec::new();
    bytes.by_ref().take(MARK.len() as u64).read_to_end(&mut start)?;
    let is_early = start != MARK;
    let bytes = Cursor::new(start).chain(bytes);
    let bytes: Box<dyn Read + Send> = if is_early { Box::new(Marked::new(bytes)) } else { Box::new(bytes) };
    let mut stream = Stream { bytes, decoder: Some(ChunkDecoder::new(limits(0))), decoded: VecDeque::new() };
    loop {
        if let Some(schema) = stream.decoder.as_ref().and_then(ChunkDecoder::schema) {
            let schema = SchemaRef::clone(schema);
            return Ok(FileRows { schema, batches: Box::new(stream) });
        }
        stream.read()?;
    }
}

struct Stream {
    bytes: Box<dyn Read + Send>,
    /// `None` after the end of the stream.
    decoder: Option<ChunkDecoder>,
    decoded: VecDeque<RecordBatch>,
}

impl Stream {
    /// Reads the next piece.
    fn read(&mut self) -> Result<(), InputError> {
        let mut piece = Vec::new();
        self.bytes.by_ref().take(PIECE_BYTES as u64).read_to_end(&mut piece)?;
        match &mut self.decoder {
            Some(decoder) if !piece.is_empty() => self.decoded.extend(decoder.decode(Bytes::from(piece))?),
            decoder => decoder.take().map_or(Ok(()), ChunkDecoder::finish)?,
        }
        Ok(())
    }
}

impl Iterator for Stream {
    type Item = Result<RecordBatch, InputError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(batch) = self.decoded.pop_front() {
                return Some(Ok(batch));
            }
            self.decoder.as_ref()?;
            if let Err(error) = self.read() {
                return Some(Err(error));
            }
        }
    }
}

/// Reads a file, message by message, in the order of their positions.
pub(super) fn open_file(file: File, read_bytes: &Arc<AtomicU64>) -> Result<FileRows, InputError> {
    let file = CountedFile { file: LocalFile::new(file)?, count: Arc::clone(read_bytes) };
    let mut blocks = blocks(&file)?;
    blocks.sort_by_key(Block::offset);
    let mut decoder = ChunkDecoder::new(limits(file.len()));
    decoder.decode(schema_message(&file)?)?;
    let schema = decoder.schema().map(SchemaRef::clone).ok_or(InputError::IndexOfArrow("has no schema"))?;
    let mut blocks = blocks.into_iter();
    let mut decoded = VecDeque::new();
    let batches = std::iter::from_fn(move || {
        loop {
            if let Some(batch) = decoded.pop_front() {
                return Some(Ok(batch));
            }
            match message(&file, &blocks.next()?).and_then(|message| Ok(decoder.decode(message)?)) {
                Ok(batches) => decoded.extend(batches),
                Err(error) => return Some(Err(error)),
            }
        }
    });
    Ok(FileRows { schema, batches: Box::new(batches) })
}

/// The positions of the messages with dictionaries and rows.
fn blocks(file: &CountedFile) -> Result<Vec<Block>, InputError> {
    const CUT: InputError = InputError::IndexOfArrow("is missing: the file is cut off");

    let trailer_start = file.len().checked_sub(TRAILER_BYTES as u64).ok_or(CUT)?;
    let trailer = file.read_at(trailer_start, TRAILER_BYTES)?;
    let Some((length, mark)) = trailer.split_first_chunk() else { return Err(CUT) };
    if mark != MAGIC {
        return Err(CUT);
    }
    let length = i32::from_le_bytes(*length);
    let start = u64::try_from(length).ok().and_then(|length| trailer_start.checked_sub(length));
    let (Some(start), Ok(length)) = (start, usize::try_from(length)) else {
        return Err(InputError::IndexOfArrow("is longer than the file"));
    };
    let footer = file.read_at(start, length)?;
    let footer = arrow_ipc::root_as_footer(&footer).map_err(|_| InputError::IndexOfArrow("is malformed"))?;
    let dictionaries = footer.dictionaries().into_iter().flatten();
    Ok(dictionaries.chain(footer.recordBatches().into_iter().flatten()).copied().collect())
}

fn schema_message(file: &CountedFile) -> Result<Bytes, InputError> {
    let mut start = ALIGNMENT as u64;
    loop {
        let prefix = file.read_at(start, PREFIX_BYTES)?;
        if prefix.iter().any(|byte| *byte != 0) {
            let length = early::metadata_end(&prefix).ok_or(InputError::IndexOfArrow("is cut off"))?;
            return Ok(early::with_mark(file.read_at(start, length)?));
        }
        start += ALIGNMENT as u64;
    }
}

fn message(file: &CountedFile, block: &Block) -> Result<Bytes, InputError> {
    let length = i64::from(block.metaDataLength()).checked_add(block.bodyLength());
    match (u64::try_from(block.offset()), length.map(usize::try_from)) {
        (Ok(offset), Some(Ok(length))) => Ok(early::with_mark(file.read_at(offset, length)?)),
        _ => Err(InputError::IndexOfArrow("names a message of a negative length")),
    }
}
