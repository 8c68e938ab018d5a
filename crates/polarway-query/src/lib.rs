//! Queries: from a SELECT statement to the record batches of its result.
//!
//! ```text
//! text ─ gate ─> Statement ─ resolve ─> Plan ─ Executor ─> Output ─> ResultSink
//! ```
//!
//! 1. **Queue** (`queue`). A limited number of queries run, a limited number wait, the others are refused. A watch stops
//!    queries past their deadline, and the newest large one when the process runs short of memory; a stopped query's caller
//!    is released at once, whatever its thread is doing.
//! 2. **Gate** (`gate`). DuckDB parses the text; its tree is checked against what queries may do, everything not known to
//!    be harmless is refused, and the names of tables are collected. The author's own text is what runs: a [`Statement`].
//! 3. **Resolve** (`resolve`). A [`Catalog`] pins the files behind all of those names at one moment. The result is a [`Plan`],
//!    which names files as their storage does.
//! 4. **Execute** ([`Executor`]). The executor gets local files if it needs them ([`LocalFiles`]), runs the plan, and
//!    passes its columns and rows to an [`Output`]. DuckDB is the executor (`duckdb`). A [`DistributedExecutor`] runs plans
//!    over several workers; `engines.rs` chooses.
//! 5. **Stream** ([`ResultSink`]). Batches go to the reader one by one, so that a slow reader slows the query.
//!
//! A table that the engine keeps can also be read without these steps, since there is no text: [`Engine::scan_kept`].
//!
//! `run.rs` runs these steps on the query's own thread, and `engine.rs` starts it.
//!
//! This crate does not know where files come from, what a version consists of, who asks, or how results are sent.

mod analytics;
mod batches;
mod bound_plan;
mod catalog;
mod config;
mod distributed;
mod distributed_outcome;
mod duckdb;
mod duckdb_json;
mod engine;
mod engines;
mod error;
mod executor;
mod explained;
mod gate;
mod kept_files;
mod listing;
mod memory;
mod output;
mod parameters;
mod plan;
mod plan_files;
mod queue;
mod resolve;
mod run;
mod sink;
mod status;
mod supposition;
mod zoned_nanos;

pub use batches::{BATCH_BYTES, Joiner, bytes as result_bytes};
pub use bound_plan::{BoundPlan, BoundTable};
pub use catalog::{AfterScan, Catalog, CatalogError, FileOptions, Listed, Reference, Relation};
pub use config::{CallIds, EngineConfig, Keep, Limits, QueryOptions};
pub use distributed::{DistributedExecutor, DistributedFailure, DistributedQuery, ResultRows};
pub use distributed_outcome::{DistributedCounts, DistributedOutcome, StayCause};
pub use duckdb_json::{json_depth, read_json};
pub use engine::{Engine, EngineCondition, ResolvedPlan, duckdb_version};
pub use error::Error;
pub use executor::{
    Executor, KeptPart, KeptScan, LocalFiles, LocalGroup, RemoteFile, RemoteFiles, RemoteReadError,
};
pub use kept_files::{ResultFile, ResultFiles, ResultKeeper, WrittenFile};
pub use listing::Listing;
pub use memory::{MemoryLimit, memory_limit};
pub use output::Output;
pub use parameters::ParameterValues;
pub use plan::{
    ExplainFormat, Explained, FileGroup, FileReference, FileStorage, ForeignFile, PartitionColumn, Plan,
    PlanLimits, PlannedTable, ResultForm, Statement, StoredTable, TableSource,
};
pub use plan_files::{PinnedFile, PinnedFiles, PlanFiles, is_plain_path};
pub use polarway_model::{At, EngineChoice, EngineUsed, ErrorKind, QueryPhase, QueryTimes};
pub use queue::control::{Interrupt, InterruptHandle, Release, StopSignal};
pub use sink::{Closed, ResultEvent, ResultSink};
pub use status::{QueryObserver, QueryOutcome, QueryStatus, QueueState, Summary};
pub use zoned_nanos::holds_zoned_nanos;
