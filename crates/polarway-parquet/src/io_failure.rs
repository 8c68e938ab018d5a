//! Where a read or a write leaves its error: the `parquet` crate passes on no more than its text.

use std::io;
use std::sync::Arc;

use parking_lot::Mutex;

/// The first error of a source or a sink, shared by what reads or writes and by who calls the `parquet` crate.
#[derive(Clone, Debug, Default)]
pub(crate) struct IoFailure(Arc<Mutex<Option<io::Error>>>);

impl IoFailure {
    /// The error, if there was one.
    pub(crate) fn take(&self) -> Option<io::Error> {
        self.0.lock().take()
    }

    /// Keeps an error, and gives one of its kind to pass on.
    pub(crate) fn keep(&self, error: io::Error) -> io::Error {
        let stand_in = error.kind().into();
        self.0.lock().get_or_insert(error);
        stand_in
    }
}
