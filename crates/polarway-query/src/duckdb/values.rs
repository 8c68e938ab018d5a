//! The values of a statement's parameters.

use arrow::array::AsArray as _;
use polarway_sql::subquery;

use super::native::{Connection, NativeError, Pending, Prepared, Value};
use crate::error::Error;
use crate::gate::with_values;
use crate::plan::Plan;

/// Gives a prepared statement the values of its parameters.
pub(super) fn bind_values(prepared: &mut Prepared, plan: &Plan) -> Result<(), Error> {
    for (its_name, name) in &plan.statement.bound {
        prepared.bind(its_name, &value(plan, name)?).map_err(|error| Error::Internal(error.to_string()))?;
    }
    Ok(())
}

fn value(plan: &Plan, name: &str) -> Result<Value, Error> {
    Value::of(plan.parameters.value(name)?, 0)
        .map_err(|reason| Error::Parameters(format!("the value of ${name} {reason}")))
}

/// A text that means the same as a plan's SELECT, and has no parameters.
pub(super) struct Constant {
    pub(super) text: String,
    /// The names of the columns of the plan's own text.
    pub(super) names: Vec<String>,
}

/// The plan's SELECT without parameters, for a connection that has its tables; `None` if it has none. DuckDB writes down no plan with
/// parameters, so their values become variables of the connection, which DuckDB reads as constants.
///
/// # Errors
/// What is wrong with the plan's own text, and what does not mean the same without parameters.
pub(super) fn constant(
    connection: &Connection,
    plan: &Plan,
    failed: impl Fn(NativeError) -> Error + Copy,
) -> Result<Option<Constant>, Error> {
    let bound = &plan.statement.bound;
    if bound.is_empty() {
        return Ok(None);
    }
    let mut constants = Vec::with_capacity(bound.len());
    for (place, (its_name, name)) in bound.iter().enumerate() {
        let constant = match plan.parameters.value(name)?.is_null(0) {
            // A variable would give it a type.
            true => " NULL ".to_owned(),
            false => {
                let set = connection.prepare(&format!("SET VARIABLE v{place} = $1")).map_err(failed)?;
                run_with(set, "1", &value(plan, name)?).map_err(failed)?;
                format!(" getvariable('v{place}') ")
            }
        };
        constants.push((its_name, constant));
    }
    let of = |name: &str| {
        let found = constants.iter().find(|(its_name, _)| its_name.eq_ignore_ascii_case(name));
        found.map(|(_, constant)| constant.clone())
    };

    let own = columns(connection, plan.statement.select(), Some(plan), failed)?;
    let unlike =
        || Error::Unsupported("a query with such parameters is not bound for other engines".to_owned());
    let text = with_values(plan.statement.select(), of).ok_or_else(unlike)?;
    let others = columns(connection, &text, None, failed).map_err(|_| unlike())?;
    // The names may tell of parameters.
    let is_same = own.iter().map(|column| &column.1).eq(others.iter().map(|column| &column.1));
    let names = own.into_iter().map(|(name, _)| name).collect();
    if is_same { Ok(Some(Constant { text, names })) } else { Err(unlike()) }
}

fn run_with(mut prepared: Prepared, parameter: &str, value: &Value) -> Result<(), NativeError> {
    prepared.bind(parameter, value)?;
    prepared.pending()?.start().map(drop)
}

/// The names and types of a text's columns, with the values of a plan. The text is not run for that.
fn columns(
    connection: &Connection,
    text: &str,
    values: Option<&Plan>,
    failed: impl Fn(NativeError) -> Error + Copy,
) -> Result<Vec<(String, String)>, Error> {
    let describe = format!("SELECT column_name, column_type FROM (DESCRIBE {})", subquery(text));
    let mut prepared = connection.prepare(&describe).map_err(failed)?;
    if let Some(plan) = values {
        bind_values(&mut prepared, plan)?;
    }
    let mut rows = prepared.pending().and_then(Pending::start).map_err(failed)?;
    let schema = rows.column_types().to_arrow().map_err(failed)?;
    let mut columns = Vec::new();
    while let Some(batch) = rows.next(&schema).map_err(failed)? {
        let (names, types) = (batch.column(0).as_string::<i32>(), batch.column(1).as_string::<i32>());
        let texts = |text: Option<&str>| text.unwrap_or_default().to_owned();
        columns.extend(names.iter().zip(types).map(|(name, sql_type)| (texts(name), texts(sql_type))));
    }
    Ok(columns)
}
