//! What an engine has to do that runs plans.
//!
//! A second engine goes beside the first one: it implements [`Executor`], and [`Engine`](crate::Engine) picks one for each
//! plan. It gets the plan, whose files any worker finds by their references, and an [`Output`], which stands for the query:
//! what it gives goes there, and that tells it when to stop.

use std::any::Any;
use std::fmt::Debug;
use std::path::PathBuf;
use std::time::Instant;

use crate::catalog::{AfterScan, CatalogError};
use crate::error::Error;
use crate::output::Output;
use crate::plan::{FileGroup, Plan};

/// Runs plans.
pub trait Executor: Debug + Send + Sync {
    /// Runs a plan to its end: its columns and rows go to `output`, or, if the plan says so, into a table that is kept. It is
    /// called on the query's own thread, which may block and has a large stack.
    ///
    /// It may be called again with the same plan, if it failed for lack of memory before it gave rows.
    ///
    /// # Errors
    /// What the query's author can use. Whatever the output says when the query was stopped.
    fn execute(&self, plan: &Plan, output: &mut Output) -> Result<(), Error>;

    /// Called every few milliseconds while there are queries, on a thread that has others to look after as well.
    fn tend(&self, now: Instant);

    /// Called after a second without queries: gives back what is only held for the next one and costs more than it helps.
    fn rest(&self);
}

/// Gives stored files as files of this machine, to an executor that reads nothing else.
pub trait LocalFiles: Send + Sync {
    /// The files of a group. It is called on the query's own thread, and may take as long as they take to be copied.
    ///
    /// # Errors
    /// What keeps a file from being read here.
    fn localize(&self, group: &FileGroup) -> Result<LocalGroup, CatalogError>;
}

/// The files of a group on this machine.
pub struct LocalGroup {
    /// Where they are, in the group's order: absolute paths below a readable folder. The folders of a foreign file have the
    /// values of its partition columns.
    pub paths: Vec<PathBuf>,
    /// Dropped when they have been read: whatever keeps them there.
    pub pin: Box<dyn Any + Send + Sync>,
    /// Called after the last row was read, for what had to be believed until then.
    pub after_scan: Option<AfterScan>,
}

impl Debug for LocalGroup {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("LocalGroup").field("paths", &self.paths).finish_non_exhaustive()
    }
}
