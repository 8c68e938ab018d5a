//! Random access to a file's bytes, wherever they are.

use std::fmt::Debug;
use std::fs::File;
use std::io;
use std::ops::Range;
use std::path::Path;

use bytes::Bytes;

/// Random access to the bytes of one file that does not change while it is read.
///
/// Called from many threads at once; an implementation may block.
pub trait ReadAt: Send + Sync + Debug {
    /// The file's length in bytes.
    fn len(&self) -> u64;

    /// Exactly `length` bytes from `offset`.
    ///
    /// # Errors
    /// [`io::ErrorKind::UnexpectedEof`] when the file ends before, otherwise whatever the medium answers.
    fn read_at(&self, offset: u64, length: usize) -> io::Result<Bytes>;

    /// Says that these ranges will be read, about in this order, so that a medium with slow requests can begin with them. Each is
    /// released when it is not needed any more.
    fn expect(&self, ranges: Vec<Range<u64>>) {
        let _ = ranges; // most media are fast
    }

    /// Says that an expected range is not read any more.
    fn release(&self, range: Range<u64>) {
        let _ = range;
    }

    /// Whether the file has no bytes at all.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl ReadAt for Bytes {
    fn len(&self) -> u64 {
        self.as_ref().len() as u64
    }

    fn read_at(&self, offset: u64, length: usize) -> io::Result<Bytes> {
        let start = usize::try_from(offset).map_err(|_| io::ErrorKind::UnexpectedEof)?;
        match start.checked_add(length) {
            Some(end) if end <= self.as_ref().len() => Ok(self.slice(start..end)),
            _ => Err(io::ErrorKind::UnexpectedEof.into()),
        }
    }
}

/// A file on disk, read with positioned reads: no memory map, so that a failing disk is an error and not a signal.
#[derive(Debug)]
pub struct LocalFile {
    file: File,
    length: u64,
}

impl LocalFile {
    /// Opens the file at `path`.
    ///
    /// # Errors
    /// Whatever the operating system answers.
    pub fn open(path: impl AsRef<Path>) -> io::Result<Self> {
        Self::new(File::open(path)?)
    }

    /// Reads from a file that is open already.
    ///
    /// # Errors
    /// When the file's length can't be read.
    pub fn new(file: File) -> io::Result<Self> {
        let length = file.metadata()?.len();
        Ok(Self { file, length })
    }
}

impl ReadAt for LocalFile {
    fn len(&self) -> u64 {
        self.length
    }

    fn read_at(&self, offset: u64, length: usize) -> io::Result<Bytes> {
        // A length out of a damaged footer must not become an allocation.
        if offset.checked_add(length as u64).is_none_or(|end| end > self.length) {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        read_exactly(&self.file, offset, length)
    }
}

#[cfg(unix)]
fn read_exactly(file: &File, offset: u64, length: usize) -> io::Result<Bytes> {
    let mut buffer = Vec::with_capacity(length);
    while buffer.len() < length {
        let at = offset + buffer.len() as u64;
        match rustix::io::pread(file, rustix::buffer::spare_capacity(&mut buffer), at) {
            Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
    // The vector's capacity may exceed what was asked for.
    buffer.truncate(length);
    Ok(buffer.into())
}

#[cfg(windows)]
fn read_exactly(file: &File, offset: u64, length: usize) -> io::Result<Bytes> {
    use std::os::windows::fs::FileExt;
    let mut buffer = vec![0; length];
    let mut filled = 0;
    while filled < length {
        match file.seek_read(&mut buffer[filled..], offset + filled as u64) {
            Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(count) => filled += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(buffer.into())
}
