//! Several conditions as one.

use std::sync::Arc;

use datafusion::arrow::array::{ArrayRef, AsArray as _, BooleanArray};
use datafusion::arrow::compute::and_kleene;
use datafusion::arrow::datatypes::DataType;

use super::Native;

/// Whether all arguments, of which there is one at least, are true. Each of them is computed for all rows.
pub(crate) const ALL_OF: Native = Native::new(
    "duckdb_all_of",
    |_| Ok(DataType::Boolean),
    |arguments, _| {
        let mut all: BooleanArray = arguments[0].as_boolean().clone();
        for condition in &arguments[1..] {
            all = and_kleene(&all, condition.as_boolean())?;
        }
        Ok(Arc::new(all) as ArrayRef)
    },
);
