//! DuckDB's plan for a text, as another engine reads it.

use std::collections::BTreeMap;

use arrow::datatypes::SchemaRef;

/// A statement as DuckDB binds and optimises it, over the types of its tables: no file was read for it.
#[derive(Debug, Clone)]
pub struct BoundPlan {
    /// What DuckDB's `json_serialize_plan` gives for the text. Its scans name tables of `tables`.
    pub json: String,
    /// The names and types of the result, as DuckDB itself gives it.
    pub schema: SchemaRef,
    /// The tables, by their names in `json`.
    pub tables: BTreeMap<String, BoundTable>,
}

/// A table in a bound plan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BoundTable {
    /// Its name in the plan, see [`PlannedTable`](crate::PlannedTable).
    pub name: String,
    /// The columns that SQL can't read, by their names in the bound plan, each with the reason. There they have a wrong type.
    pub refused_columns: BTreeMap<String, String>,
}
