//! Files as rows: read as a stream, and opened again for each retry of an upload.

mod arrow;
mod batches;
mod compression;
mod counted;
mod csv;
mod error;
mod fence;
mod head;
mod json;
mod parquet;
mod value_type;

use std::fs::File;
use std::io::{self, Read, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use arrow_array::{RecordBatch, RecordBatchReader};
use arrow_schema::{ArrowError, SchemaRef};
use parking_lot::Mutex;
use polarway::TableSource;

use crate::format::InputFormat;
use counted::Counted;
pub(crate) use error::InputError;
pub(crate) use fence::silence_fenced_panics;
pub(crate) use value_type::ValueType;

/// How many rows are inspected to infer the columns' types, by default.
pub(crate) const INFER_ROWS: usize = 20_480;

/// How a text file is read.
#[derive(Clone, Debug)]
pub(crate) struct TextOptions {
    pub(crate) has_header: bool,
    pub(crate) delimiter: u8,
    pub(crate) all_text: bool,
    pub(crate) infer_rows: usize,
    /// Columns whose types are given, not inferred.
    pub(crate) types: Vec<(String, ValueType)>,
}

impl TextOptions {
    fn named_type(&self, column: &str) -> Option<ValueType> {
        self.types.iter().rev().find(|(name, _)| name == column).map(|(_, value_type)| *value_type)
    }

    /// Refuses types for columns that do not exist.
    fn check_names<'a>(&self, columns: impl Iterator<Item = &'a String> + Clone) -> Result<(), InputError> {
        match self.types.iter().find(|(name, _)| !columns.clone().any(|column| column == name)) {
            Some((name, _)) => {
                let columns = columns.map(String::as_str).collect::<Vec<_>>().join(", ");
                Err(InputError::NoColumn { name: name.clone(), columns })
            }
            None => Ok(()),
        }
    }
}

/// The rows of a file, from its format's reader.
struct FileRows {
    schema: SchemaRef,
    batches: Box<dyn Iterator<Item = Result<RecordBatch, InputError>> + Send>,
}

/// A file of rows, or a pipe.
pub(crate) struct Input {
    path: PathBuf,
    format: InputFormat,
    options: TextOptions,
    /// A copy of bytes that must be read again, or from their end.
    spooled: Mutex<Option<File>>,
    /// Whether the pipe was read.
    was_read: Mutex<bool>,
    read_bytes: Arc<AtomicU64>,
}

impl Input {
    pub(crate) fn new(path: &Path, format: InputFormat, options: TextOptions) -> Self {
        Self {
            path: path.to_owned(),
            format,
            options,
            spooled: Mutex::new(None),
            was_read: Mutex::new(false),
            read_bytes: Arc::default(),
        }
    }

    /// How many bytes were read so far; each retry starts again at zero.
    pub(crate) fn read_bytes(&self) -> Arc<AtomicU64> {
        Arc::clone(&self.read_bytes)
    }

    /// The total number of bytes, if it is known in advance.
    pub(crate) fn total_bytes(&self) -> Option<u64> {
        if self.is_pipe() { None } else { std::fs::metadata(&self.path).ok().map(|meta| meta.len()) }
    }

    /// Whether the bytes can be read only once: from standard input or a named pipe.
    fn is_pipe(&self) -> bool {
        self.is_stdin()
            || std::fs::metadata(&self.path).is_ok_and(|metadata| !metadata.is_file() && !metadata.is_dir())
    }

    fn is_stdin(&self) -> bool {
        self.path == Path::new("-")
    }

    fn open_rows(&self) -> Result<FileRows, InputError> {
        self.read_bytes.store(0, Ordering::Relaxed);
        match self.format {
            InputFormat::Csv => csv::open(compression::plain(self.raw_bytes()?)?.bytes, &self.options),
            InputFormat::Json => json::open(compression::plain(self.raw_bytes()?)?.bytes, &self.options),
            InputFormat::Parquet => parquet::open(self.file_of(self.source()?)?, &self.read_bytes),
            InputFormat::Arrow => match arrow::Kind::of(self.source()?)? {
                arrow::Kind::File(source) => arrow::open_file(self.file_of(source)?, &self.read_bytes),
                arrow::Kind::Stream(bytes) => arrow::open_stream(bytes),
            },
        }
    }

    /// The bytes of the file as stored, from the start.
    fn raw_bytes(&self) -> Result<impl Read + Send + 'static, InputError> {
        if self.is_pipe() && std::mem::replace(&mut *self.was_read.lock(), true) {
            return Err(InputError::PipeIsGone);
        }
        let bytes: Box<dyn Read + Send> =
            if self.is_stdin() { Box::new(io::stdin()) } else { Box::new(self.open_path()?) };
        Ok(Counted::new(bytes, Arc::clone(&self.read_bytes)))
    }

    /// The bytes of the file, decompressed.
    fn source(&self) -> Result<Source, InputError> {
        if let Some(file) = &*self.spooled.lock() {
            return file.try_clone().map(Source::File).map_err(InputError::Spool);
        }
        let plain = compression::plain(self.raw_bytes()?)?;
        if plain.was_compressed || self.is_pipe() {
            return Ok(Source::Bytes(plain.bytes));
        }
        self.read_bytes.store(0, Ordering::Relaxed);
        self.open_path().map(Source::File)
    }

    /// A file that can be read at any position: bytes from a pipe or a decompressor are first written to one.
    fn file_of(&self, source: Source) -> Result<File, InputError> {
        let file = match source {
            Source::File(file) => return Ok(file),
            Source::Bytes(bytes) => spool(bytes)?,
        };
        let copy = file.try_clone().map_err(InputError::Spool)?;
        *self.spooled.lock() = Some(file);
        Ok(copy)
    }

    fn open_path(&self) -> Result<File, InputError> {
        let file = File::open(&self.path).map_err(InputError::Open)?;
        if file.metadata().map_err(InputError::Open)?.is_dir() {
            return Err(InputError::Directory);
        }
        Ok(file)
    }
}

/// Where a file's bytes come from.
enum Source {
    /// A file that can be read at any position.
    File(File),
    /// Bytes that can only be read in order.
    Bytes(Box<dyn Read + Send>),
}

/// Writes bytes to a temporary file, which is deleted when this process ends.
fn spool(mut bytes: impl Read) -> Result<File, InputError> {
    let mut file = tempfile::tempfile().map_err(InputError::Spool)?;
    let mut buffer = vec![0; 1 << 18];
    loop {
        match bytes.read(&mut buffer) {
            Ok(0) => return Ok(file),
            Ok(length) => file.write_all(&buffer[..length]).map_err(InputError::Spool)?,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(InputError::Read(error)),
        }
    }
}

impl TableSource for Input {
    fn open(&self) -> Result<Box<dyn RecordBatchReader + Send>, ArrowError> {
        let name = crate::format::shown(&self.path);
        Ok(Box::new(fence::Fenced::open(name, || self.open_rows())?))
    }
}

#[cfg(test)]
mod tests;
