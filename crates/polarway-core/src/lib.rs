//! The embedded engine: versioned tables, a cache and SQL inside a Rust program.
//!
//! This crate owns one type, [`Polarway`], and what it takes and gives: [`Table`], [`Config`],
//! one public [`Error`] with a kind. It knows nothing of a network.
//!
//! ```no_run
//! use std::sync::Arc;
//! use polarway_core::arrow::array::{Float64Array, RecordBatch, StringArray};
//! use polarway_core::{Config, Polarway};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let polarway = Polarway::open(Config::new("./polarway-data")).await?;
//!
//! let trades = RecordBatch::try_from_iter([
//!     ("symbol", Arc::new(StringArray::from(vec!["BTC", "ETH", "SOL"])) as _),
//!     ("price", Arc::new(Float64Array::from(vec![50_000.0, 3_000.0, 100.0])) as _),
//! ])?;
//! polarway.store("trades", trades).await?;
//!
//! let dear = polarway.query("SELECT symbol FROM trades WHERE price > 1000").await?;
//! println!("{dear}");
//! # Ok(())
//! # }
//! ```

/// The README's program, held to compile.
#[cfg(doctest)]
#[doc = include_str!("../../../README.md")]
mod readme {}

mod access;
mod builder;
mod catalog;
mod chunks;
mod config;
mod describe;
mod distribution;
mod error;
mod files;
mod folders;
mod handles;
mod janitor;
mod load;
pub mod metrics;
mod mounts;
mod pieces;
mod polarway;
mod query;
mod query_events;
mod store;
mod stream;
mod threads;
mod whole_micros;
mod workspace;

/// What an engine can be [built](Polarway::builder) with, and what it takes to make such components.
pub mod components {
    pub use polarway_handles::{RandomSource, SystemRandom};
    pub use polarway_storage::{
        Backend, BackendError, BackendResult, Created, DataWriter, Entry, FailureKind, FileMeta, Outcome,
        ReadAt,
    };
    pub use polarway_storage::{Clock, IdSource, ManualClock, RandomIds, Sleeper, SystemClock};
}

pub use access::{AccessPolicy, Action, Caller, Quota, Target};
pub use arrow;
pub use builder::Builder;
pub use config::{
    BucketOptions, BucketUrl, Config, HandleConfig, HandleStoreKind, InvalidUrl, Location, Provider,
    QueryLimits, Retention, Variables,
};
pub use distribution::Distribution;
pub use error::{Error, ErrorKind, Result};
pub use handles::KeptResult;
pub use load::{ChunkStream, TableStream};
pub use pieces::{PieceReader, PiecesError};
pub use polarway::Polarway;
pub use polarway_handles::{Handle, HandleId, Lease};
pub use polarway_ipc::{Chunk, Compression};
pub use polarway_model::{
    At, CacheStats, Dataset, DatasetName, DatasetVersion, DeleteOptions, Description, EngineChoice,
    EngineUsed, HandleInfo, HandleOptions, InvalidEngine, LoadOptions, Published, QueryOptions, QueryPhase,
    QuerySummary, QueryTimes, RequestId, Selection, Version, VersionKind, WriteMode, WriteOptions,
};
pub use polarway_query::{
    CallIds, EngineCondition, MemoryLimit, QueryObserver, QueryOutcome, QueryStatus, duckdb_version,
    memory_limit,
};
pub use polarway_storage::{MemoryBudget, Reservation, StandstillGuard};
pub use polarway_table::{DUCKDB_TYPE_KEY, Parameter, Parameters, Table, duckdb_type, params};
pub use query::{QueryChunkStream, QueryStream};
