//! What an engine that runs plans must do.
//!
//! To add a second engine, implement [`Executor`]; [`Engine`](crate::Engine) picks one for each plan. It gets the plan, whose
//! files any worker can find by their references, and an [`Output`] for the query: results go there, and it tells the executor
//! when to stop.

use std::any::Any;
use std::fmt::Debug;
use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;

use crate::catalog::{AfterScan, CatalogError};
use crate::error::Error;
use crate::output::Output;
use crate::plan::{FileGroup, Plan};

/// Runs plans.
pub trait Executor: Debug + Send + Sync {
    /// Runs a plan to its end: its columns and rows go to `output`, or, if the plan says so, into a table that is kept. It is
    /// called on the query's own thread, which may block and has a large stack.
    ///
    /// It may be called again with the same plan if it ran out of memory before it delivered rows.
    ///
    /// # Errors
    /// Errors that help the query's author. If the query was stopped, the output's error.
    fn execute(&self, plan: &Plan, output: &mut Output) -> Result<(), Error>;

    /// Whether reading the tables of a plan most likely takes no requests to their storage.
    fn has_at_hand(&self, plan: &Plan) -> bool;

    /// Called every few milliseconds while there are queries, on a thread that also has other duties.
    fn tend(&self, now: Instant);

    /// Called after a second without queries: releases what is only held for the next query and costs more than it helps.
    fn rest(&self);
}

/// A part of a table that an engine keeps.
#[derive(Debug, Clone)]
pub struct KeptPart {
    /// The table's name, see [`Keep::AsTable`](crate::Keep::AsTable).
    pub table: String,
    /// All of its columns.
    pub schema: SchemaRef,
    /// The places of the wanted columns; `None` is all of them.
    pub columns: Option<Arc<[usize]>>,
    /// The wanted rows, which the table has, counted from 0.
    pub rows: Range<u64>,
}

/// Reads a part of a kept table, piece by piece. It uses no slot of the queue and no thread between two pieces;
/// both methods may block.
pub trait KeptScan: Send {
    /// The next rows, in the table's order; `None` after the last ones. After an error, the next call goes on behind the last
    /// row that was returned.
    ///
    /// # Errors
    /// [`Error::Replaced`] if the table is gone, and what fails while it is read.
    fn next(&mut self) -> Result<Option<RecordBatch>, Error>;

    /// Releases what it holds in the engine for the next rows. The next call goes on where this one stopped.
    fn rest(&mut self);
}

/// Provides stored files as files on this machine, or as files that can be read by ranges, for an executor that can read no
/// others.
pub trait LocalFiles: Send + Sync {
    /// The files of a group. It is called on the query's own thread, and may take as long as it takes to write a file anew.
    ///
    /// # Errors
    /// Why a file can't be read here.
    fn localize(&self, group: &FileGroup) -> Result<LocalGroup, CatalogError>;

    /// Whether reading the files of a group most likely takes no requests to their storage.
    fn has_at_hand(&self, _group: &FileGroup) -> bool {
        true
    }

    /// Where files are read that are not on this machine. `None` if all are.
    fn remote(&self) -> Option<Arc<dyn RemoteFiles>> {
        None
    }
}

/// Files that are not on this machine. They are read by ranges.
pub trait RemoteFiles: Send + Sync {
    /// What all URLs of such files begin with, such as `polarway://`.
    fn prefix(&self) -> &str;

    /// The file with this URL, from the paths of a [`LocalGroup`] whose pin is held; `None` if there is none.
    fn open(&self, url: &str) -> Option<Arc<dyn RemoteFile>>;
}

/// A file that is read by ranges, by several threads at once.
pub trait RemoteFile: Send + Sync {
    /// Its length.
    fn bytes(&self) -> u64;

    /// A text that differs from that of other files, and of another state of the same file.
    fn tag(&self) -> &str;

    /// Fills `into` with the bytes from `offset` on. It blocks, and asks `is_cancelled` often.
    ///
    /// # Errors
    /// The bytes can't be read, or the read was cancelled.
    fn read(
        &self,
        offset: u64,
        into: &mut [u8],
        is_cancelled: &dyn Fn() -> bool,
    ) -> Result<(), RemoteReadError>;
}

/// Why a range of a file can't be read.
#[derive(Debug)]
pub enum RemoteReadError {
    /// Nobody waits for it any more.
    Cancelled,
    /// The storage failed. The query ends with this error.
    Failed(CatalogError),
}

/// The files of a group, where the executor reads them.
pub struct LocalGroup {
    /// Where they are, in the group's order: absolute paths below a readable folder, or URLs of [`RemoteFiles`]. The folders of a
    /// foreign file have the values of its partition columns.
    pub paths: Vec<PathBuf>,
    /// Dropped when they have been read: what keeps them in place.
    pub pin: Box<dyn Any + Send + Sync>,
    /// Called after the last row was read, to check what could not be checked before.
    pub after_scan: Option<AfterScan>,
}

impl Debug for LocalGroup {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("LocalGroup").field("paths", &self.paths).finish_non_exhaustive()
    }
}
