//! Calls that can crash the process: DuckDB does not check their arguments.
//!
//! Values from data are as dangerous as constants, so a call is refused unless it can be seen to be harmless.

use serde_json::Value;

use super::constants::{class, function_name, number, text};
use super::functions::{self, Verdict};

/// More rows than any table has, and far from the smallest BIGINT, whose negation crashes DuckDB.
const FARTHEST: f64 = 1e18;

/// Types that can't hold such a number.
const SMALL_TYPES: [&str; 6] = ["TINYINT", "SMALLINT", "INTEGER", "UTINYINT", "USMALLINT", "UINTEGER"];

/// Functions that call the aggregate named by their second argument.
const CALLERS: [&str; 5] = ["list_aggregate", "list_aggr", "array_aggregate", "array_aggr", "aggregate"];

/// Why a call is refused, if it is.
pub(crate) fn refuse(call: &Value) -> Option<String> {
    let name = function_name(call);
    if CALLERS.contains(&name) {
        return refuse_aggregate(name, call["children"].get(1)?);
    }
    let offset = call.get("offset_expr").filter(|offset| !offset.is_null())?;
    (!is_small(offset)).then(|| {
        format!("the offset of {name}() is a number here, or cast to INTEGER, as in CAST(x AS INTEGER)")
    })
}

fn is_small(offset: &Value) -> bool {
    let cast_type = offset["cast_type"]["id"].as_str().unwrap_or_default();
    (class(offset) == "CAST" && SMALL_TYPES.contains(&cast_type))
        || number(offset).is_some_and(|rows| rows.abs() <= FARTHEST)
}

fn refuse_aggregate(caller: &str, aggregate: &Value) -> Option<String> {
    match text(aggregate).map(|name| (name, functions::scalar(name))) {
        Some((_, Verdict::Allowed)) => None,
        Some((name, _)) => Some(format!("the function {name}() may not be used in queries")),
        None => Some(format!("{caller}() takes the name of an aggregate in quotes")),
    }
}
