//! A table in memory: a schema and record batches.
//!
//! This crate owns [`Table`], which the engine and the client use: it is sliced, joined, measured and drawn here, and, with the
//! feature `polars`, converted to and from a polars `DataFrame`. It also owns values as text; the DuckDB types of a query's
//! columns, which are in the metadata of their fields; [`Parameters`], the values of a query's parameters; and the sizes of
//! arrays: the memory of their values ([`array_bytes`]), and the bytes of their rows with every value written out
//! ([`plain_bytes`]). It knows nothing about files, a network or the names of tables.

mod distinct;
mod duckdb_type;
mod leaves;
mod names;
mod parameters;
mod plain;
#[cfg(feature = "polars")]
mod polars;
mod size;
mod table;
mod text;

pub use distinct::dictionary_of_fixed_size;
pub use duckdb_type::{DUCKDB_TYPE_KEY, batch_without_duckdb_types, duckdb_type, without_duckdb_types};
pub use leaves::{holds_leaf, holds_value};
pub use names::{distinct_names, renamed, with_distinct_names, with_names};
pub use parameters::{Parameter, Parameters};
pub use plain::{fixed_width, parts_that, plain_batch_bytes, plain_bytes, plain_bytes_over, plain_parts};
pub use size::{array_bytes, arrow_bytes, bytes_in_views, children, viewed_part, viewed_range};
pub use table::Table;
pub use text::{text_options, texts};
