//! The model of DuckDB's bound plan, as `json_serialize_plan` writes it.
//!
//! What is not known keeps its name, so that a refusal can say it.

mod expression;
mod json;
mod operator;
mod sql_type;

pub(crate) use self::expression::{Aggregate, Constant, Expression, Function, OrderBy, Window};
pub(crate) use self::operator::{
    AggregateNode, AnyJoin, Chunk, ColumnIndex, Condition, Distinct, Filter, Get, Join, LimitValue, Operator,
    SetOperation, TableFilter,
};
pub(crate) use self::sql_type::SqlType;

use serde::Deserialize as _;
use serde_json::Value;

use crate::refusal::Refusal;

/// The plan of the one statement in DuckDB's JSON.
pub(crate) fn plan(json: &str) -> Result<Operator, Refusal> {
    let mut answer = json::parse(json)?;
    if answer["error"] == true {
        let message = answer["error_message"].as_str().unwrap_or("without a reason");
        return Err(Refusal::Unwritten(message.to_owned()));
    }
    match answer["plans"].as_array_mut().map(Vec::as_mut_slice) {
        Some([plan]) => Operator::deserialize(plan.take()).map_err(|error| Refusal::Form(error.to_string())),
        _ => Err(Refusal::Form("it is not one plan".to_owned())),
    }
}

/// The value of a text field, `""` if there is none.
fn text<'v>(value: &'v Value, field: &str) -> &'v str {
    value.get(field).and_then(Value::as_str).unwrap_or_default()
}
