//! Files that are compressed as a whole, detected by their first bytes.

use std::io::{BufReader, Cursor, Read};

use flate2::bufread::MultiGzDecoder;

use super::error::InputError;

/// Bytes that are read from a file at once.
const BUFFER_BYTES: usize = 1 << 18;

/// How many bytes identify a format.
const MARK_BYTES: u64 = 10;

/// Unsupported formats: the position of their magic bytes, those bytes, the format's name, and the program that reads it.
const OTHERS: [(usize, &[u8], &str, &str); 5] = [
    (4, b"1AY&SY", "bzip2", "bzip2 -dc"),
    (0, b"\xfd7zXZ\0", "xz", "xz -dc"),
    (0, b"\x04\x22\x4d\x18", "LZ4", "lz4 -dc"),
    (0, b"PK\x03\x04", "zip", "unzip -p"),
    (0, b"7z\xbc\xaf\x27\x1c", "7-Zip", "7z x -so"),
];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Compression {
    None,
    Gzip,
    Zstd,
}

impl Compression {
    fn of(start: &[u8]) -> Result<Self, InputError> {
        // A zstd file may begin with a skippable frame, whose magic number has sixteen variants.
        let is_skippable = matches!(start, [digit, 0x2a, 0x4d, 0x18, ..] if digit & 0xf0 == 0x50);
        let is_marked = |at: usize, mark: &[u8]| start.get(at..).is_some_and(|bytes| bytes.starts_with(mark));
        if is_marked(0, b"\x1f\x8b") {
            return Ok(Self::Gzip);
        }
        if is_marked(0, b"\x28\xb5\x2f\xfd") || is_skippable {
            return Ok(Self::Zstd);
        }
        match OTHERS.iter().find(|(at, mark, ..)| is_marked(*at, mark)) {
            Some((.., format, program)) => Err(InputError::Compression { format, program }),
            None => Ok(Self::None),
        }
    }
}

/// A file's bytes, decompressed.
pub(super) struct Plain {
    pub(super) bytes: Box<dyn Read + Send>,
    pub(super) was_compressed: bool,
}

/// Decompresses what is compressed. Several compressed parts in a row are read as one.
pub(super) fn plain(bytes: impl Read + Send + 'static) -> Result<Plain, InputError> {
    let mut bytes = BufReader::with_capacity(BUFFER_BYTES, bytes);
    let mut start = Vec::new();
    bytes.by_ref().take(MARK_BYTES).read_to_end(&mut start)?;
    let compression = Compression::of(&start)?;
    let bytes = Cursor::new(start).chain(bytes);
    let bytes: Box<dyn Read + Send> = match compression {
        Compression::None => Box::new(bytes),
        Compression::Gzip => Box::new(MultiGzDecoder::new(bytes)),
        Compression::Zstd => Box::new(zstd::stream::read::Decoder::with_buffer(bytes)?),
    };
    Ok(Plain { bytes, was_compressed: compression != Compression::None })
}
