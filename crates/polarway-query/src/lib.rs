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
//! It does not know where files come from, what a version is made of, who asks, or how results travel. It is
//! synchronous: calls block, and results are an iterator.

mod batches;
mod catalog;
mod config;
mod diagnose;
mod engine;
mod error;
mod gate;
mod lexer;
mod native;
mod quote;
mod recent;
mod sandbox;
mod sessions;
mod stored_types;
mod stream;
mod threads;
mod view;

pub use catalog::{AfterScan, At, Catalog, CatalogError, FileOptions, Reference, Relation};
pub use config::{EngineConfig, QueryOptions};
pub use engine::Engine;
pub use error::Error;
pub use native::duckdb_version;
pub use stream::{InterruptHandle, QueryStream};
