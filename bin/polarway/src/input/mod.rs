//! Files as rows: opened as often as an upload has to begin again, read as a stream.

mod arrow;
mod counted;
mod error;
mod head;
mod json;
mod parquet;
mod text;

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use arrow_array::RecordBatchReader;
use arrow_schema::ArrowError;
use parking_lot::Mutex;
use polarway::TableSource;

use crate::format::InputFormat;
pub(crate) use error::InputError;

/// Rows that are looked at for the columns' types, unless said otherwise.
pub(crate) const INFER_ROWS: usize = 20_480;

/// Rows of a batch that is made of text.
const BATCH_ROWS: usize = 8_192;

/// How a text is read.
#[derive(Clone, Debug)]
pub(crate) struct TextOptions {
    pub(crate) has_header: bool,
    pub(crate) delimiter: u8,
    pub(crate) all_text: bool,
    pub(crate) infer_rows: usize,
}

/// A file of rows, or a pipe.
pub(crate) struct Input {
    path: PathBuf,
    format: InputFormat,
    options: TextOptions,
    /// What came through a pipe and has to be read again, or from its end.
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

    /// How many bytes were read by now; it begins again with each try.
    pub(crate) fn read_bytes(&self) -> Arc<AtomicU64> {
        Arc::clone(&self.read_bytes)
    }

    /// How many bytes there are, where that is known before they are read.
    pub(crate) fn total_bytes(&self) -> Option<u64> {
        if self.is_pipe() { None } else { std::fs::metadata(&self.path).ok().map(|meta| meta.len()) }
    }

    fn is_pipe(&self) -> bool {
        self.path == Path::new("-")
    }

    fn open_rows(&self) -> Result<Box<dyn RecordBatchReader + Send>, InputError> {
        self.read_bytes.store(0, Ordering::Relaxed);
        match self.format {
            InputFormat::Parquet => parquet::open(self.open_file()?, &self.read_bytes),
            InputFormat::Csv => text::open(self.open_bytes()?, &self.options),
            InputFormat::Json => json::open(self.open_bytes()?, &self.options),
            InputFormat::Arrow => {
                let file = if self.is_pipe() { None } else { Some(self.open_path()?) };
                arrow::open(self.open_bytes()?, file)
            }
        }
    }

    /// The bytes from the first on.
    fn open_bytes(&self) -> Result<Box<dyn Read + Send>, InputError> {
        let bytes: Box<dyn Read + Send> = if self.is_pipe() {
            if std::mem::replace(&mut *self.was_read.lock(), true) {
                return Err(InputError::PipeIsGone);
            }
            Box::new(io::stdin())
        } else {
            Box::new(self.open_path()?)
        };
        Ok(Box::new(counted::Counted::new(bytes, Arc::clone(&self.read_bytes))))
    }

    /// A file that can be read from anywhere: a pipe is written down first.
    fn open_file(&self) -> Result<File, InputError> {
        if !self.is_pipe() {
            return self.open_path();
        }
        let mut spooled = self.spooled.lock();
        let file = match &*spooled {
            Some(file) => file,
            None => {
                let mut file = tempfile::tempfile().map_err(InputError::Spool)?;
                io::copy(&mut io::stdin(), &mut file).map_err(InputError::Spool)?;
                spooled.insert(file)
            }
        };
        file.try_clone().map_err(InputError::Spool)
    }

    fn open_path(&self) -> Result<File, InputError> {
        let file = File::open(&self.path).map_err(InputError::Open)?;
        if file.metadata().map_err(InputError::Open)?.is_dir() {
            return Err(InputError::Directory);
        }
        Ok(file)
    }
}

impl TableSource for Input {
    fn open(&self) -> Result<Box<dyn RecordBatchReader + Send>, ArrowError> {
        let name = crate::format::shown(&self.path);
        match self.open_rows() {
            Ok(rows) => Ok(Box::new(error::Named { name, rows })),
            Err(error) => Err(error.named(&name)),
        }
    }
}

#[cfg(test)]
mod tests;
