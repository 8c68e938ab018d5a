//! What can go wrong with a handle.

use std::sync::Arc;

use polarway_model::{HandleId, InvalidHandleId};

/// The result of an operation on handles.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// An error of a handle. Users read these messages.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The text is not a valid id.
    #[error(transparent)]
    Invalid(#[from] InvalidHandleId),
    /// There is no handle with this id, or it has ended.
    #[error("there is no handle {id}{hint}")]
    Unknown {
        /// The id.
        id: HandleId,
        /// The possible reason, if known.
        hint: &'static str,
    },
    /// It was unused for too long.
    #[error("the handle {id} expired: it was not used for too long. Run its query again")]
    Expired {
        /// The id.
        id: HandleId,
        /// Whose it was, where that is known.
        owner: Option<Arc<str>>,
    },
    /// Somebody dropped it.
    #[error("the handle {id} was dropped. Run its query again")]
    Dropped {
        /// The id.
        id: HandleId,
        /// Whose it was, where that is known.
        owner: Option<Arc<str>>,
    },
    /// Its rows were lost with the query engine that held them.
    #[error(
        "the handle {id} was lost when a query broke the engine that kept it in memory. Run its query again"
    )]
    Lost {
        /// The id.
        id: HandleId,
        /// Whose it was, where that is known.
        owner: Option<Arc<str>>,
    },
    /// The kept results use all the space for them.
    #[error(
        "the results that are kept take {taken} of the {budget} bytes that there are for them, and this one {more}; drop \
         some, or keep a smaller one"
    )]
    Full {
        /// Bytes in use.
        taken: u64,
        /// The most bytes that may be used.
        budget: u64,
        /// What the new one needs: `0` if its work did not start.
        more: u64,
    },
    /// There are no random bits for an id.
    #[error("the machine gives no random bits for an id")]
    Random(#[source] std::io::Error),
    /// The storage holds something else.
    #[error(
        "it holds {found:?}, which is no handle: results are kept, and removed again, in a place that holds nothing else"
    )]
    NotForHandles {
        /// The first entry there that is not a handle.
        found: String,
    },
    /// The storage of the handles failed.
    #[error(transparent)]
    Storage(#[from] polarway_storage::Error),
}
