//! What can be wrong with a handle.

use polarway_model::{HandleId, InvalidHandleId};

/// The result of an operation on handles.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What is wrong with a handle. Users read these messages.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The text is no id.
    #[error(transparent)]
    Invalid(#[from] InvalidHandleId),
    /// There is none of this id, or no more.
    #[error("there is no handle {id}{hint}")]
    Unknown {
        /// The id.
        id: HandleId,
        /// Why that may be, where it is known.
        hint: &'static str,
    },
    /// It was not used for too long.
    #[error("the handle {id} expired: it was not used for too long. Run its query again")]
    Expired {
        /// The id.
        id: HandleId,
    },
    /// Somebody dropped it.
    #[error("the handle {id} was dropped. Run its query again")]
    Dropped {
        /// The id.
        id: HandleId,
    },
    /// Its rows went with the query engine that held them.
    #[error(
        "the handle {id} was lost when a query broke the engine that kept it in memory. Run its query again"
    )]
    Lost {
        /// The id.
        id: HandleId,
    },
    /// What is kept takes the room that there is.
    #[error(
        "the results that are kept take {taken} of the {budget} bytes that there are for them, and this one {more}; drop \
         some, or keep a smaller one"
    )]
    Full {
        /// Bytes that are taken.
        taken: u64,
        /// Bytes that there are.
        budget: u64,
        /// What the new one takes: `0` where it was not even begun.
        more: u64,
    },
    /// No random bits for an id.
    #[error("the machine gives no random bits for an id")]
    Random(#[source] std::io::Error),
    /// The storage holds something else.
    #[error(
        "it holds {found:?}, which is no handle: results are kept, and removed again, in a place that holds nothing else"
    )]
    NotForHandles {
        /// The first thing there that is no handle.
        found: String,
    },
    /// The storage of the handles failed.
    #[error(transparent)]
    Storage(#[from] polarway_storage::Error),
}
