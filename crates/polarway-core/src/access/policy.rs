//! What a caller may do, and to what: the question that is asked before everything, and who answers it.

use std::fmt;

use polarway_handles::HandleId;
use polarway_storage::DatasetName;

use super::Caller;

/// What a caller is about to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Action {
    /// To see that something is there, what it is like, and its rows. Of the engine: its version, and lists of what the caller may
    /// see.
    Read,
    /// To store or append rows. Of a handle: to change when it expires.
    Write,
    /// To delete a dataset, drop a handle, or cancel a query.
    Delete,
    /// To run SQL. Each dataset, handle and table that the text names is asked about on its own.
    Query,
    /// To keep the result of SQL under a handle.
    Keep,
}

/// What is acted upon.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Target<'a> {
    /// A dataset, whether there is one of this name or not.
    Dataset(&'a DatasetName),
    /// A table of the analytics database.
    Analytics {
        /// Its schema.
        schema: &'a str,
        /// Its name.
        table: &'a str,
    },
    /// A result that is kept.
    Handle {
        /// What it is called.
        id: HandleId,
        /// Who made it, where that is known.
        owner: Option<&'a str>,
    },
    /// A query that waits or runs.
    RunningQuery {
        /// Who runs it.
        owner: &'a str,
    },
    /// Counters over all that the engine holds, whoever may see it, such as those of the cache.
    Statistics,
    /// None of these: the engine itself.
    Engine,
}

/// Decides what callers may do. It is asked before each use, also for each entry of a list, and should answer at once.
///
/// What may not be [read](Action::Read) looks to its caller as if it were not there: it is in no list, no glob finds it, and no
/// message suggests its name.
///
/// ```
/// use polarway_core::{AccessPolicy, Action, Caller, Target};
///
/// /// Only the caller "loader" may change datasets.
/// #[derive(Debug)]
/// struct OneWriter;
///
/// impl AccessPolicy for OneWriter {
///     fn allows(&self, caller: &Caller, action: Action, target: Target<'_>) -> bool {
///         match (action, target) {
///             (Action::Write | Action::Delete, Target::Dataset(_)) => caller.name() == "loader",
///             _ => true,
///         }
///     }
/// }
/// ```
pub trait AccessPolicy: Send + Sync + fmt::Debug {
    /// Whether the caller may do this.
    fn allows(&self, caller: &Caller, action: Action, target: Target<'_>) -> bool;

    /// Something that the caller asked for was refused, as this policy or another one does not allow it: for a log of such
    /// attempts. What is only left out of a list is not told.
    fn refused(&self, caller: &Caller, action: Action, target: Target<'_>) {
        let _ = (caller, action, target);
    }
}

/// Lets everybody do everything.
#[derive(Clone, Copy, Debug)]
pub(crate) struct AllowAll;

impl AccessPolicy for AllowAll {
    fn allows(&self, _caller: &Caller, _action: Action, _target: Target<'_>) -> bool {
        true
    }
}

impl fmt::Display for Action {
    /// As messages say it, behind "may not".
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Read => "read",
            Self::Write => "write",
            Self::Delete => "delete",
            Self::Query => "run queries on",
            Self::Keep => "keep results in",
        })
    }
}

impl fmt::Display for Target<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Dataset(name) => write!(f, "the dataset {:?}", name.as_str()),
            Self::Analytics { schema, table } => write!(f, "the table analytics.{schema}.{table}"),
            Self::Handle { id, .. } => write!(f, "the handle {id}"),
            Self::RunningQuery { .. } => f.write_str("this query"),
            Self::Statistics => f.write_str("counters over all datasets"),
            Self::Engine => f.write_str("this engine"),
        }
    }
}
