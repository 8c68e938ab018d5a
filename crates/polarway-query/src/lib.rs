//! DuckDB as the query engine: gate, resolve, run, stream.
//!
//! This crate owns everything between a SELECT statement and the record batches it gives:
//!
//! 1. **Gate.** DuckDB parses the text; its tree is checked against what queries may do, everything not known to
//!    be harmless is refused, and the names of tables are collected. The author's own text is what runs.
//! 2. **Resolve.** A [`Catalog`] pins the files behind all of those names at one moment. Each becomes a temporary
//!    view that gives every column the type that was stored.
//! 3. **Run**, on a thread of its own with a large stack, inside a DuckDB that can read nothing but data files.
//! 4. **Stream**: DuckDB's small batches, joined, through a short channel, so that a slow reader slows the query.
//!
//! In front of that stands a queue: so many queries run, so many wait, the others are turned away. A watch stops those
//! that are past their deadline, and the newest large one when the process runs short of memory; a stopped query's
//! caller is released at once, whatever DuckDB is still at.
//!
//! It does not know where files come from, what a version is made of, who asks, or how results travel. It has threads
//! of its own, and hands results to a [`ResultSink`] on them.

mod batches;
mod catalog;
mod config;
mod duckdb;
mod engine;
mod error;
mod gate;
mod memory;
mod parameters;
mod queue;
mod run;
mod sink;
mod status;

use self::duckdb::{
    analytics, column_names, culprits, diagnose, explained as plan, instance, instances, kept, listing,
    native, result_types, sandbox, sessions, sql_type, stored_types, view,
};
use self::gate::recent;
use self::queue::{activity, admission, control, registry, seat, threads, watch};

pub use catalog::{
    AfterScan, Catalog, CatalogError, FileGroup, FileOptions, Listed, PartitionColumn, Reference, Relation,
};
pub use config::{EngineConfig, Keep, Limits, QueryOptions};
pub use control::{InterruptHandle, Release, StopSignal};
pub use engine::{Engine, EngineCondition};
pub use error::Error;
pub use memory::{MemoryLimit, memory_limit};
pub use native::duckdb_version;
pub use polarway_model::{At, QueryPhase, QueryTimes};
pub use sink::{Closed, ResultEvent, ResultSink};
pub use status::{QueryStatus, Summary};
pub use stored_types::holds_zoned_nanos;
