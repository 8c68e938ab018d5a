//! The vocabulary that the engine, the client and the protocol share: datasets and their versions, what is loaded of them,
//! writes, queries, handles, and the state of a process.
//!
//! This crate owns types that are plain data. Each is defined here once, and the crates above re-export those that their API
//! uses. It knows nothing about files, SQL or a network: `polarway-proto` converts the types to messages.

mod at;
mod dataset;
mod error_kind;
mod handle;
mod handle_id;
mod load;
mod name;
mod query;
mod request;
mod worker;
mod write;

pub use at::At;
pub use dataset::{Dataset, DatasetVersion, Description, Version, VersionKind};
pub use error_kind::ErrorKind;
pub use handle::HandleInfo;
pub use handle_id::{HandleId, InvalidHandleId};
pub use load::{LoadOptions, Selection};
pub use name::{DatasetName, InvalidName, MAX_NAME_LENGTH};
pub use query::{
    EngineChoice, EngineUsed, HandleOptions, InvalidEngine, QueryOptions, QueryPhase, QuerySummary,
    QueryTimes, RunningQuery,
};
pub use request::{InvalidRequestId, RequestId};
pub use worker::{CacheStats, Peer, PeerState, ServerInfo};
pub use write::{DeleteOptions, Published, WriteMode, WriteOptions};
