//! A checksum per column chunk, kept in the file's footer.
//!
//! Parquet has a place for checksums in its page headers, which the `parquet` crate does not fill. Without them
//! a flipped bit in an incompressible page is read as another number. Other readers ignore the footer's entry.

use std::collections::{HashSet, VecDeque};
use std::io::{self, Write};

use crc32fast::Hasher;
use parquet::file::metadata::ParquetMetaData;

use crate::io_failure::IoFailure;
use crate::{Error, FileReader, Result};

/// What is said of a chunk whose bytes are not those that were written.
pub(crate) const MISMATCH: &str = "a column chunk does not match its checksum";

/// The footer's key-value entry: CRC-32 of each column chunk as 8 hex digits, row group by row group.
pub(crate) const FOOTER_KEY: &str = "polarway:chunk-crc32";

/// Bytes that are read at once for a check.
const CHECK_BYTES: u64 = 4 << 20;

/// Bytes collected before the sink sees them: the `parquet` crate hands over 8 KiB at a time.
pub(crate) const BUFFER_BYTES: usize = 1 << 20;

/// A sink that takes the checksum of announced stretches of what passes through, and keeps the error of the sink behind it.
pub(crate) struct ChecksumSink<W: Write> {
    sink: io::BufWriter<W>,
    failure: IoFailure,
    position: u64,
    /// Stretches to come, in order: where each starts and how long it is.
    announced: VecDeque<(u64, u64)>,
    hasher: Hasher,
    /// The checksums of the stretches that passed.
    finished: Vec<u32>,
}

impl<W: Write> ChecksumSink<W> {
    pub(crate) fn new(sink: W, failure: IoFailure) -> Self {
        Self {
            sink: io::BufWriter::with_capacity(BUFFER_BYTES, sink),
            failure,
            position: 0,
            announced: VecDeque::new(),
            hasher: Hasher::new(),
            finished: Vec::new(),
        }
    }

    /// Takes the checksum of the `length` bytes from `start`, which must not have passed yet.
    pub(crate) fn announce(&mut self, start: u64, length: u64) {
        self.announced.push_back((start, length));
    }

    /// The footer entry's value, once everything announced has passed.
    pub(crate) fn footer_value(&self) -> String {
        self.finished.iter().map(|crc| format!("{crc:08x}")).collect()
    }

    /// The bytes that passed.
    pub(crate) fn position(&self) -> u64 {
        self.position
    }

    pub(crate) fn into_inner(self) -> io::Result<W> {
        self.sink.into_inner().map_err(io::IntoInnerError::into_error)
    }

    /// What to pass on of an error. A write that was interrupted is tried again.
    fn kept(&self, error: io::Error) -> io::Error {
        if error.kind() == io::ErrorKind::Interrupted { error } else { self.failure.keep(error) }
    }

    fn hash(&mut self, mut bytes: &[u8]) {
        while let Some((start, length)) = self.announced.front().copied() {
            let end = start + length;
            let skipped = start.saturating_sub(self.position).min(bytes.len() as u64);
            self.position += skipped;
            bytes = &bytes[skipped as usize..];
            let taken = end.saturating_sub(self.position).min(bytes.len() as u64);
            self.hasher.update(&bytes[..taken as usize]);
            self.position += taken;
            bytes = &bytes[taken as usize..];
            if self.position < end {
                break;
            }
            self.finished.push(std::mem::take(&mut self.hasher).finalize());
            self.announced.pop_front();
        }
        self.position += bytes.len() as u64;
    }
}

impl<W: Write> Write for ChecksumSink<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.sink.write(bytes).map_err(|error| self.kept(error))?;
        self.hash(&bytes[..written]);
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.sink.flush().map_err(|error| self.kept(error))
    }
}

/// The checksums in a footer, row group by row group; `None` in a file that others wrote.
pub(crate) fn from_footer(metadata: &ParquetMetaData) -> Option<Vec<u32>> {
    let entries = metadata.file_metadata().key_value_metadata()?;
    let text = entries.iter().find(|entry| entry.key == FOOTER_KEY)?.value.as_deref()?;
    let chunks: usize = metadata.row_groups().iter().map(|group| group.num_columns()).sum();
    let parse = |digits: &[u8]| u32::from_str_radix(str::from_utf8(digits).ok()?, 16).ok();
    let checksums: Option<Vec<u32>> = text.as_bytes().chunks(8).map(parse).collect();
    checksums.filter(|checksums| checksums.len() == chunks)
}

/// How far a check of a file came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Checked {
    /// Row groups, from the first one on, that are what was written.
    pub row_groups: usize,
    /// Bytes that were read for it.
    pub bytes: u64,
}

impl FileReader {
    /// Checks the bytes of the row groups from the one numbered `first` on against the checksums in the footer, without
    /// decoding them, until `most_bytes` were read; of a file without checksums there is nothing to check.
    ///
    /// # Errors
    /// [`Error::Corrupt`] when a column chunk is not what was written, [`Error::Read`] when it can't be read.
    pub fn check(&self, first: usize, most_bytes: u64) -> Result<Checked> {
        let groups = self.metadata().row_groups();
        if !self.has_checksums() {
            return Ok(Checked { row_groups: groups.len(), bytes: 0 });
        }
        let mut bytes = 0;
        for (place, group) in groups.iter().enumerate().skip(first) {
            if bytes >= most_bytes {
                return Ok(Checked { row_groups: place, bytes });
            }
            for (leaf, chunk) in group.columns().iter().enumerate() {
                let (start, length) = chunk.byte_range();
                let found = self.hash(start, length)?;
                if self.checksum(place, leaf).is_some_and(|expected| expected != found) {
                    return Err(Error::corrupt(MISMATCH));
                }
                bytes += length;
            }
        }
        Ok(Checked { row_groups: groups.len(), bytes })
    }

    /// Checks those column chunks whose bytes are there, of a file of which only some are, until `most_bytes` were read. What is not
    /// there can't be read, with [`io::ErrorKind::NotFound`]. `checked` has the chunks that were right, by row group and column;
    /// they are not checked again.
    ///
    /// # Errors
    /// As [`check`](Self::check).
    pub fn check_present(&self, checked: &mut HashSet<(usize, usize)>, most_bytes: u64) -> Result<u64> {
        let mut bytes = 0;
        let groups = self.metadata().row_groups().iter().enumerate();
        let chunks = groups.flat_map(|(place, group)| {
            group.columns().iter().enumerate().map(move |(leaf, chunk)| ((place, leaf), chunk.byte_range()))
        });
        for (place, (start, length)) in chunks {
            if bytes >= most_bytes {
                break;
            }
            let Some(expected) = self.checksum(place.0, place.1).filter(|_| !checked.contains(&place)) else {
                continue;
            };
            match self.hash(start, length) {
                Ok(found) if found == expected => {
                    checked.insert(place);
                    bytes += length;
                }
                Ok(_) => return Err(Error::corrupt(MISMATCH)),
                Err(Error::Read(error)) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(error),
            }
        }
        Ok(bytes)
    }

    /// How many column chunks have a checksum.
    pub fn chunks_with_checksum(&self) -> usize {
        let groups = self.metadata().row_groups().iter();
        if self.has_checksums() { groups.map(|group| group.num_columns()).sum() } else { 0 }
    }

    fn hash(&self, start: u64, length: u64) -> Result<u32> {
        let mut hasher = Hasher::new();
        let mut done = 0;
        while done < length {
            let step = (length - done).min(CHECK_BYTES);
            let bytes = self.bytes().read_at(start + done, step as usize).map_err(Error::from_reading)?;
            if bytes.len() as u64 != step {
                return Err(Error::Read(io::ErrorKind::UnexpectedEof.into()));
            }
            hasher.update(&bytes);
            done += step;
        }
        Ok(hasher.finalize())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn announced_stretches_are_hashed_however_the_bytes_arrive() {
        let bytes: Vec<u8> = (0..=255).collect();
        for step in [1, 7, 64, 256] {
            let mut sink = ChecksumSink::new(Vec::new(), IoFailure::default());
            sink.announce(4, 100);
            sink.announce(104, 50);
            sink.announce(200, 56);
            for part in bytes.chunks(step) {
                sink.write_all(part).unwrap();
            }
            let expected = [&bytes[4..104], &bytes[104..154], &bytes[200..256]].map(crc32fast::hash);
            assert_eq!(sink.finished, expected);
            assert_eq!(sink.position(), 256);
            assert_eq!(sink.into_inner().unwrap(), bytes);
        }
    }
}
