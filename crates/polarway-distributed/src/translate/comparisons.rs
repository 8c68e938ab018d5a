//! Comparisons, and values as keys of groups, joins and orders.

use std::sync::Arc;

use datafusion::arrow::datatypes::DataType;
use datafusion::logical_expr::expr::Sort;
use datafusion::logical_expr::simplify::SimplifyContext;
use datafusion::logical_expr::{BinaryExpr, Expr, Operator, cast};
use datafusion::optimizer::simplify_expressions::ExprSimplifier;

use super::Translator;
use super::constants::null;
use super::relation::Relation;
use crate::bound::{OrderBy, SqlType};
use crate::functions::{CANONICAL, FROM_NESTED_KEY, NESTED_KEY};
use crate::refusal::Refusal;

pub(super) fn binary(left: Expr, operator: Operator, right: Expr) -> Expr {
    Expr::BinaryExpr(BinaryExpr::new(Box::new(left), operator, Box::new(right)))
}

/// A value that Arrow compares and orders as DuckDB compares and orders the original.
pub(super) fn key(value: Expr, sql_type: &SqlType) -> Result<Expr, Refusal> {
    match sql_type {
        SqlType::Float | SqlType::Double => Ok(CANONICAL.call(vec![value])),
        nested if nested.is_nested() && is_comparable(nested) => Ok(NESTED_KEY.call(vec![value])),
        comparable if is_comparable(comparable) => Ok(value),
        _ => Err(Refusal::Type(format!("{sql_type}, when they are compared,"))),
    }
}

/// The same for values by which rows are sorted, or parted for windows.
pub(super) fn sort_key(value: Expr, sql_type: &SqlType) -> Result<Expr, Refusal> {
    if sql_type.is_nested() && holds_float(sql_type) {
        // DuckDB gives their -0 as 0.
        return Err(Refusal::Type(format!("{sql_type}, when rows are ordered by it,")));
    }
    key(value, sql_type)
}

/// The type of keys.
pub(super) fn key_type(sql_type: &SqlType) -> SqlType {
    if sql_type.is_nested() { SqlType::Blob } else { sql_type.clone() }
}

/// The value of a key.
pub(super) fn from_key(key: Expr, sql_type: &SqlType) -> Result<Expr, Refusal> {
    match sql_type.is_nested() {
        // Its key does not tell 0 from -0.
        true if holds_float(sql_type) => Err(Refusal::Type(format!("{sql_type}, when they are grouped,"))),
        true => Ok(FROM_NESTED_KEY.call(vec![key, null(sql_type)?])),
        false => Ok(key),
    }
}

/// Whether values may be equal and not the same: 0 and -0.
pub(super) fn holds_float(sql_type: &SqlType) -> bool {
    match sql_type {
        SqlType::List(item) | SqlType::Array(item, _) => holds_float(item),
        SqlType::Struct(fields) => fields.iter().any(|(_, sql_type)| holds_float(sql_type)),
        other => other.is_float(),
    }
}

fn is_comparable(sql_type: &SqlType) -> bool {
    match sql_type {
        // One interval has several forms, and a map any order.
        SqlType::Interval | SqlType::Map(..) | SqlType::Json | SqlType::Unknown(_) => false,
        SqlType::List(item) | SqlType::Array(item, _) => is_comparable(item),
        SqlType::Struct(fields) => fields.iter().all(|(_, sql_type)| is_comparable(sql_type)),
        _ => true,
    }
}

/// The operator of a comparison.
pub(super) fn comparison(name: &str) -> Result<Operator, Refusal> {
    Ok(match name {
        "COMPARE_EQUAL" => Operator::Eq,
        "COMPARE_NOTEQUAL" => Operator::NotEq,
        "COMPARE_LESSTHAN" => Operator::Lt,
        "COMPARE_GREATERTHAN" => Operator::Gt,
        "COMPARE_LESSTHANOREQUALTO" => Operator::LtEq,
        "COMPARE_GREATERTHANOREQUALTO" => Operator::GtEq,
        "COMPARE_DISTINCT_FROM" => Operator::IsDistinctFrom,
        "COMPARE_NOT_DISTINCT_FROM" => Operator::IsNotDistinctFrom,
        other => return Err(Refusal::Expression(other.to_owned())),
    })
}

/// Two values of one type, compared.
pub(super) fn compare(left: Expr, name: &str, right: Expr, sql_type: &SqlType) -> Result<Expr, Refusal> {
    if is_null(&right) && !matches!(left, Expr::Literal(..)) && is_constant(&left) {
        // DuckDB could not compute it. DataFusion does not compute what is compared with NULL, and the error is lost.
        return Err(Refusal::Expression(format!("{name} of a constant and NULL")));
    }
    Ok(binary(key(left, sql_type)?, comparison(name)?, key(right, sql_type)?))
}

impl Translator<'_> {
    /// What rows are ordered by, without constants, in which all rows are equal.
    pub(super) fn orders(&self, orders: &[OrderBy], input: &Relation) -> Result<Vec<Sort>, Refusal> {
        let mut sorts = Vec::with_capacity(orders.len());
        for order in orders {
            let sql_type = order.expression.sql_type();
            let value = sort_key(self.expression(&order.expression, input)?, &sql_type)?;
            let is_ascending = match order.direction.as_str() {
                "ASCENDING" => true,
                "DESCENDING" => false,
                other => return Err(Refusal::Expression(format!("ORDER BY {other}"))),
            };
            let is_null_first = match order.null_order.as_str() {
                "NULLS FIRST" | "NULLS_FIRST" => true,
                "NULLS LAST" | "NULLS_LAST" => false,
                other => return Err(Refusal::Expression(format!("ORDER BY {other}"))),
            };
            // A window's frame takes numbers, and not times of day.
            let is_time = sql_type == SqlType::Time;
            let value = if is_time { cast(value, DataType::Int64) } else { value };
            if !becomes_constant(&value, input) {
                sorts.push(value.sort(is_ascending, is_null_first));
            }
        }
        Ok(sorts)
    }
}

/// Whether the value is the same for all rows, or DataFusion finds that when it simplifies it: `coalesce(1, x)`.
pub(super) fn becomes_constant(value: &Expr, input: &Relation) -> bool {
    let context = SimplifyContext::builder().with_schema(Arc::clone(input.plan.schema())).build();
    let simplified = ExprSimplifier::new(context).simplify(value.clone());
    // What it can't simplify stays as it is.
    is_constant(simplified.as_ref().unwrap_or(value))
}

fn is_null(value: &Expr) -> bool {
    matches!(value, Expr::Literal(scalar, _) if scalar.is_null())
}

fn is_constant(value: &Expr) -> bool {
    value.column_refs().is_empty() && !value.is_volatile()
}
