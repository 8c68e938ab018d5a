//! A layer around a reader: it adds the file's name to errors, and turns panics into errors.

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};

use arrow_array::{RecordBatch, RecordBatchReader};
use arrow_schema::{ArrowError, SchemaRef};

use super::FileRows;
use super::error::InputError;
use crate::failure::{panic_message, with_causes};

/// Rows of a file.
pub(super) struct Fenced {
    name: String,
    rows: FileRows,
    has_failed: bool,
}

impl Fenced {
    /// Opens a file with that name.
    pub(super) fn open(
        name: String,
        open: impl FnOnce() -> Result<FileRows, InputError>,
    ) -> Result<Self, ArrowError> {
        match fence(open) {
            Ok(rows) => Ok(Self { name, rows, has_failed: false }),
            Err(error) => Err(named(&name, &error)),
        }
    }
}

impl Iterator for Fenced {
    type Item = Result<RecordBatch, ArrowError>;

    fn next(&mut self) -> Option<Self::Item> {
        // A reader that failed or panicked must not be used again.
        if self.has_failed {
            return None;
        }
        let batch = fence(|| self.rows.batches.next().transpose());
        self.has_failed = batch.is_err();
        batch.map_err(|error| named(&self.name, &error)).transpose()
    }
}

impl RecordBatchReader for Fenced {
    fn schema(&self) -> SchemaRef {
        SchemaRef::clone(&self.rows.schema)
    }
}

thread_local! {
    /// Whether a panic of this thread becomes an error.
    static IS_FENCED: Cell<bool> = const { Cell::new(false) };
}

/// Readers panic on some malformed files.
fn fence<T>(read: impl FnOnce() -> Result<T, InputError>) -> Result<T, InputError> {
    let was_fenced = IS_FENCED.replace(true);
    let done = catch_unwind(AssertUnwindSafe(read));
    IS_FENCED.set(was_fenced);
    done.unwrap_or_else(|panic| Err(InputError::Panic(panic_message(&*panic))))
}

/// Suppresses the message of panics that become errors, including those on the threads that decode Parquet. To be called
/// once by the program.
pub(crate) fn silence_fenced_panics() {
    const DECODERS: &str = "polarway-parquet-";

    let others = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        let is_decoder = std::thread::current().name().is_some_and(|name| name.starts_with(DECODERS));
        if !is_decoder && !IS_FENCED.get() {
            others(panic);
        }
    }));
}

fn named(name: &str, error: &InputError) -> ArrowError {
    ArrowError::ExternalError(format!("{name} {}", with_causes(error)).into())
}
