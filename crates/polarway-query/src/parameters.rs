//! The values of a query's parameters.

use std::collections::BTreeSet;
use std::sync::Arc;

use arrow::array::{Array as _, ArrayRef, AsArray as _, RecordBatch};
use arrow::compute::cast;
use arrow::datatypes::{DataType, TimeUnit, TimestampMicrosecondType, UInt64Type};
use arrow::util::display::array_value_to_string;
use polarway_model::At;

use crate::catalog::Reference;
use crate::error::Error;
use crate::gate::{AtClause, Dialect, What};
use crate::plan::Statement;

/// The values of a text's parameters: one row, whose columns have the parameters' names.
#[derive(Debug, Clone)]
pub struct ParameterValues(Option<RecordBatch>);

impl ParameterValues {
    pub(crate) fn new(values: Option<RecordBatch>) -> Self {
        Self(values.filter(|values| values.num_columns() > 0))
    }

    /// Checks that each of these parameters has a value, and that there are no other values.
    pub(crate) fn check(&self, wanted: &[String]) -> Result<(), Error> {
        let wrong = |message: String| Err(Error::Parameters(message));
        let mut given = BTreeSet::new();
        if let Some(values) = &self.0 {
            if values.num_rows() != 1 {
                return wrong(format!("the values of parameters are one row, not {}", values.num_rows()));
            }
            for field in values.schema().fields() {
                if !given.insert(field.name().clone()) {
                    return wrong(format!("the parameter ${} has two values", field.name()));
                }
            }
        }
        if let Some(missing) = wanted.iter().find(|name| !given.contains(*name)) {
            return wrong(format!("the parameter ${missing} has no value"));
        }
        if let Some(unknown) = given.iter().find(|name| !wanted.contains(name)) {
            let names: Vec<String> = wanted.iter().map(|name| format!("${name}")).collect();
            return wrong(match names.as_slice() {
                [] => format!("there is a value for ${unknown}, and the query has no parameters"),
                names => format!("the query has no parameter ${unknown}; it has {}", names.join(", ")),
            });
        }
        Ok(())
    }

    /// What a checked text reads, with versions and times filled in from parameters.
    pub(crate) fn references(
        &self,
        dialect: &dyn Dialect,
        statement: &Statement,
    ) -> Result<Vec<Reference>, Error> {
        let mut references = Vec::with_capacity(statement.reads.len());
        for read in &statement.reads {
            references.push(match &read.what {
                What::Listing(_) => continue,
                What::Files { patterns, options } => {
                    Reference::Files { patterns: patterns.clone(), options: *options }
                }
                What::Dataset { name, at } => Reference::Dataset {
                    name: name.clone(),
                    at: match at {
                        AtClause::Fixed(at) => *at,
                        AtClause::Version(parameter) => self.version(parameter)?,
                        AtClause::Timestamp(parameter) => self.timestamp(dialect, parameter)?,
                    },
                },
            });
        }
        Ok(references)
    }

    fn version(&self, name: &str) -> Result<At, Error> {
        let value = self.value(name)?;
        let is_number = value.data_type().is_integer();
        let number = cast(value, &DataType::UInt64).ok().filter(|number| is_number && number.is_valid(0));
        number.map(|number| At::Version(number.as_primitive::<UInt64Type>().value(0))).ok_or_else(|| {
            Error::Parameters(format!(
                "AT (VERSION => ${name}) takes a version's number, not {}",
                shown(value)
            ))
        })
    }

    fn timestamp(&self, dialect: &dyn Dialect, name: &str) -> Result<At, Error> {
        let value = self.value(name)?;
        let micros = match value.data_type() {
            DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => {
                let text = cast(value, &DataType::Utf8).ok().filter(|text| text.is_valid(0));
                match text {
                    Some(text) => dialect.timestamp(text.as_string::<i32>().value(0))?,
                    None => None,
                }
            }
            // Keep the zone: without it the time would be another.
            DataType::Timestamp(_, zone) => micros(value, zone.clone()),
            DataType::Date32 | DataType::Date64 => micros(value, None),
            _ => None,
        };
        micros.map(At::TimeUs).ok_or_else(|| {
            Error::Parameters(format!("AT (TIMESTAMP => ${name}) takes a time, not {}", shown(value)))
        })
    }

    /// The value of a parameter, as an array of one.
    ///
    /// # Errors
    /// The parameter has no value.
    pub fn value(&self, name: &str) -> Result<&ArrayRef, Error> {
        let value = self.0.as_ref().and_then(|values| values.column_by_name(name));
        value.ok_or_else(|| Error::Parameters(format!("the parameter ${name} has no value")))
    }
}

fn micros(value: &ArrayRef, zone: Option<Arc<str>>) -> Option<i64> {
    let micros = cast(value, &DataType::Timestamp(TimeUnit::Microsecond, zone)).ok()?;
    micros.is_valid(0).then(|| micros.as_primitive::<TimestampMicrosecondType>().value(0))
}

fn shown(value: &ArrayRef) -> String {
    match array_value_to_string(value, 0) {
        Ok(text) if value.is_valid(0) => format!("{text:?}"),
        _ => "NULL".to_owned(),
    }
}
