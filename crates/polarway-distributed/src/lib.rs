//! The second executor: one query over all workers.
//!
//! Users write DuckDB's SQL. DuckDB parses, checks and binds it, and its bound plan is translated to one of DataFusion, by tables
//! of what is known to mean exactly the same; what is not in them is refused by name and runs on one worker as ever.
//!
//! # Running a plan
//!
//! ```text
//! StoredTable ─> StoredScan ─┐                     ┌─> RunningQuery: tasks, files, memory   (worker 1)
//!                LogicalPlan ┴─> Query ─ run ─ join┼─> RunningQuery                         (worker 2)
//!                PinnedFiles ─────┘       │        └─> RunningQuery                         (worker 3)
//!                                         └─ Rows <── stages that pass rows to each other ──┘
//! ```
//!
//! - **Files** ([`PinnedFiles`], `store`). A plan names a file by its number in the query's list of pinned files. The store that a plan sees
//!   knows these alone, and reads. It opens them through [`PlanFiles`], which each worker has for its own storages.
//! - **A query on a worker** (`service`) begins with a call that names the version, the storage, the files and the limits, and lasts
//!   as long as this call. It has tasks, a store and memory of its own, so nothing of it is left when it is dropped: when its
//!   coordinator has gone, has left it, or its time is over. Plans and rows are taken only for queries that have begun, and a plan is
//!   checked node by node.
//! - **The query engine** asks a [`Coordinator`] for the queries that it chooses for several workers.
//! - **A try** (`run`) is one such query on each worker. When a call ends early, its worker is lost: before the first row the plan
//!   runs again over the others, twice at most.
//! - **Peers** (`peers`) are found by a list or by one name, and asked again and again. **Channels** (`channels`) are one connection
//!   to each, watched by pings, with a token or certificates on every call.
//! - **Sessions** (`session`) have all their settings from here, since settings don't travel. A limit inside of a scan keeps its stage
//!   to one task.
//! - **Plans run on threads of their own** (`compute`), and stop with their query also where they compute for long (`session`).
//! - **A result that is kept** (`keep`) is written by the tasks, a file each, and their coordinator learns of the files.
//! - **A census** ([`WorkerStatus`]) counts what is alive: all of it is zero when nothing is left. [`WorkerCounts`] says what was
//!   done.

mod bound;
mod census;
mod channels;
mod compute;
mod coordinator;
mod counters;
mod error;
mod functions;
mod keep;
mod memory;
mod peers;
mod refusal;
mod run;
mod scan;
mod service;
mod session;
mod store;
mod translate;
mod wire;

pub use census::WorkerStatus;
pub use channels::{Channels, Credentials, PeerTls, Token};
pub use coordinator::Coordinator;
pub use counters::WorkerCounts;
pub use error::{Error, Refusal};
pub use functions::all as functions;
pub use keep::Kept;
pub use peers::{Peer, PeerSource, PeerState, Peers};
pub use polarway_query::{PinnedFile, PinnedFiles, PlanFiles, is_plain_path};
pub use refusal::Refusal as Untranslated;
pub use run::{Query, Rows};
pub use scan::{StoredScan, scanned_type};
pub use service::{Identity, Part, PartObserver, Worker, WorkerLimits, WorkerOptions};
pub use session::{Functions, Spread, optimizer_rules, physical_optimizer_rules};
pub use translate::{Tables, Translation, translate};
