//! Files that DuckDB reads through Rust.
//!
//! DuckDB's C interface uses file systems, but can't add one. So this crate has one in C++ (`cpp/files.cpp`), compiled with the
//! headers of the DuckDB that is linked. It reads all files whose paths begin with a prefix through an implementation of [`Files`].
//!
//! The crate owns the seam between DuckDB's file system and Rust. It does not know where files come from, and what is in them.
//!
//! - DuckDB's own threads call [`Files`] and [`OpenFile`], several of them at once. They may block.
//! - No exception and no panic crosses the seam: an error becomes a text, and DuckDB's exception has that text.
//! - C++ has no stable interface, so another version of DuckDB is refused at run time ([`NotRegistered::OtherVersion`]).

mod interface;

use std::fmt::Debug;
use std::sync::Arc;

pub use interface::{Connection, register};

/// Files that can be read, by their paths.
pub trait Files: Debug + Send + Sync {
    /// Opens a file. The path is the one in the query, with its prefix.
    ///
    /// # Errors
    /// There is no such file, or it can't be opened.
    fn open(&self, path: &str) -> Result<Arc<dyn OpenFile>, OpenError>;
}

/// A file that is open. It is read at any place, by several threads at once.
pub trait OpenFile: Debug + Send + Sync {
    /// Its length.
    fn bytes(&self) -> u64;

    /// A text that differs from that of another state of the file. DuckDB caches what it has read by the path and by this.
    fn version(&self) -> &str;

    /// Fills `into` with the bytes from `offset` on.
    ///
    /// # Errors
    /// They can't be read, or the query was interrupted.
    fn read_at(&self, offset: u64, into: &mut [u8], query: &RunningQuery<'_>) -> Result<(), ReadError>;
}

/// The query that reads a file.
pub struct RunningQuery<'q> {
    is_interrupted: &'q dyn Fn() -> bool,
}

impl<'q> RunningQuery<'q> {
    /// A query that tells in this way whether it was interrupted.
    pub fn new(is_interrupted: &'q dyn Fn() -> bool) -> Self {
        Self { is_interrupted }
    }

    /// Whether it was interrupted: then nobody waits for what is read. A read that takes its time should ask often.
    pub fn is_interrupted(&self) -> bool {
        (self.is_interrupted)()
    }
}

/// Why a file can't be opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OpenError {
    /// There is none.
    Absent,
    /// Anything else, in words.
    Failed(String),
}

/// Why a file can't be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ReadError {
    /// The query was interrupted in the meantime.
    Interrupted,
    /// Anything else, in words.
    Failed(String),
}

/// Why a database can't read files through Rust.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotRegistered {
    /// The library is of another version than the headers that this crate was compiled with.
    #[error(
        "the DuckDB library is version {linked}, and this program was compiled for {compiled}: \
         give it the library of that version, or compile it anew with the headers of {linked}"
    )]
    OtherVersion {
        /// The version that this crate was compiled for.
        compiled: String,
        /// The version of the library.
        linked: String,
    },
    /// DuckDB has refused, for this reason.
    #[error("DuckDB did not take the file system: {0}")]
    Refused(String),
}
