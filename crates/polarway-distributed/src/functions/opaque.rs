//! Values of which a plan does not know that they are constant, or never NULL.
//!
//! Of a union whose parts have a column that is constant in each, DataFusion leaves that column out when it sorts each partition. A
//! sort with a limit then compares rows of several partitions by the other columns alone, and drops those that come first. In the same
//! way it takes a column for constant that is NULL in the rows that found no partner in a join.

use std::sync::Arc;

use datafusion::functions::math;
use datafusion::logical_expr::{Expr, Volatility};

use super::{Native, first_type};

/// The first argument. It is not constant, since the second one is not.
pub(crate) const OPAQUE: Native = Native {
    volatility: Volatility::Volatile,
    ..Native::new("duckdb_opaque", first_type, |arguments, _| Ok(Arc::clone(&arguments[0])))
};

/// The same value, of which a plan does not know that it is never NULL.
pub(crate) const NULLABLE: Native =
    Native::new("duckdb_nullable", first_type, |arguments, _| Ok(Arc::clone(&arguments[0])));

/// The same value, which no plan takes for a constant.
pub(crate) fn opaque(value: Expr) -> Expr {
    OPAQUE.call(vec![value, math::random().call(Vec::new())])
}
