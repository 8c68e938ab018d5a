//! A table in memory: a schema and record batches.
//!
//! This crate owns [`Table`], which the engine and the client both give and take: how it is sliced, joined,
//! measured and drawn, and, with the feature `polars`, how it becomes a polars `DataFrame` and comes from
//! one; and [`Parameters`], the values that a query is given. It knows no files, no network, and no names of tables.

mod parameters;
#[cfg(feature = "polars")]
mod polars;
mod size;
mod table;

pub use parameters::{Parameter, Parameters};
pub use size::{array_bytes, arrow_bytes, children};
pub use table::Table;
