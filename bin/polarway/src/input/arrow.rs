//! Arrow IPC: a stream, or a file with its index at the end.

use std::fs::File;
use std::io::{self, BufReader, Cursor, Read};

use arrow_array::RecordBatchReader;
use arrow_ipc::reader::{FileReader, StreamReader};

use super::error::InputError;

/// With these bytes a file begins, and a stream does not.
const FILE_MAGIC: &[u8] = b"ARROW1";

/// Reads a stream as it comes. A file is read from its end: it is given as such, unless it comes through a pipe.
pub(super) fn open(
    mut bytes: Box<dyn Read + Send>,
    file: Option<File>,
) -> Result<Box<dyn RecordBatchReader + Send>, InputError> {
    let mut start = Vec::with_capacity(FILE_MAGIC.len());
    bytes.by_ref().take(FILE_MAGIC.len() as u64).read_to_end(&mut start)?;
    if start.is_empty() {
        return Err(InputError::Empty);
    }
    let is_file = start == FILE_MAGIC;
    let whole = Cursor::new(start).chain(bytes);
    if !is_file {
        let stream = StreamReader::try_new(BufReader::with_capacity(1 << 20, whole), None);
        return Ok(Box::new(stream.map_err(InputError::Arrow)?));
    }
    let file = match file {
        Some(file) => file,
        None => spool(whole)?,
    };
    Ok(Box::new(FileReader::try_new_buffered(file, None).map_err(InputError::Arrow)?))
}

fn spool(mut bytes: impl Read) -> Result<File, InputError> {
    let mut file = tempfile::tempfile().map_err(InputError::Spool)?;
    io::copy(&mut bytes, &mut file).map_err(InputError::Spool)?;
    Ok(file)
}
