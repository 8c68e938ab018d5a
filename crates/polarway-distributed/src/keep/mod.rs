//! A result that is kept, written by the workers: each task of the last stage writes a file, and what it gives are figures of that
//! file in place of rows.
//!
//! ```text
//! Coalesce ─ one row a mebibyte ─ [task 0: KeepExec ─ the plan] ─> file 0
//!                               └ [task 1: KeepExec ─ the plan] ─> file 1
//! ```
//!
//! - A plan says only that a task keeps its rows ([`KeepExec`]), and for which handle. Where they go, each worker knows from the call
//!   by which it takes part ([`Place`]). So a plan can write nowhere else, and one whose query keeps nothing can't have the operator.
//! - Files are named for the try and the task ([`file_name`]): each try has other names, and the coordinator knows all of them
//!   before the first is written. The keeper of the result removes what it does not publish.
//! - A result whose rows have an order is delivered, as is one whose last operator has one partition: a task alone would write it.

mod codec;
mod figures;
mod operator;
mod rule;
mod writing;

use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use polarway_model::HandleId;
use polarway_query::{ResultFiles, ResultKeeper};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

pub(crate) use codec::KeepCodec;
pub(crate) use figures::Gathered;
pub(crate) use operator::KeepExec;
pub(crate) use rule::{KeptByTasks, has_order, is_kept_by_tasks};

use crate::census::Census;

/// A result that workers may write: what its coordinator knows.
#[derive(Debug, Clone)]
pub struct Kept {
    /// Who keeps it.
    pub keeper: Arc<dyn ResultKeeper>,
    /// The columns of its files.
    pub columns: SchemaRef,
}

/// Where the tasks of a try write on this worker.
#[derive(Debug)]
pub(crate) struct Place {
    pub(crate) files: Arc<dyn ResultFiles>,
    pub(crate) handle: HandleId,
    pub(crate) columns: SchemaRef,
    /// The id of the try.
    pub(crate) attempt: Uuid,
    /// Cancelled when the try ends here.
    pub(crate) stopped: CancellationToken,
    pub(crate) census: Arc<Census>,
}

/// The name of the file that a task of a try writes.
pub(crate) fn file_name(attempt: Uuid, task: u64) -> Uuid {
    Uuid::new_v5(&attempt, &task.to_be_bytes())
}
