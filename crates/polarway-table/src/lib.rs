//! A table in memory: a schema and record batches.
//!
//! This crate owns [`Table`], which the engine and the client both give and take: how it is sliced, joined,
//! measured and drawn, and, with the feature `polars`, how it becomes a polars `DataFrame` and comes from
//! one; its values as text; the DuckDB types of a query's columns, which their fields tell; [`Parameters`], the values that a
//! query is given; and the measures of arrays: what they hold ([`array_bytes`]) and what their rows mean ([`plain_bytes`]).
//! It knows no files, no network, and no names of tables.

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
pub use names::distinct_names;
pub use parameters::{Parameter, Parameters};
pub use plain::{fixed_width, parts_that, plain_batch_bytes, plain_bytes, plain_bytes_over, plain_parts};
pub use size::{array_bytes, arrow_bytes, bytes_in_views, children, viewed_part, viewed_range};
pub use table::Table;
pub use text::{text_options, texts};
