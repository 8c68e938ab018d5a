//! Values for the parameters of a query.

use std::sync::Arc;

use arrow_array::{
    Array as _, ArrayRef, BinaryArray, BooleanArray, Date32Array, Float32Array, Float64Array, Int8Array,
    Int16Array, Int32Array, Int64Array, NullArray, RecordBatch, RecordBatchOptions, StringArray,
    TimestampMicrosecondArray, UInt8Array, UInt16Array, UInt32Array, UInt64Array,
};
use arrow_schema::{ArrowError, Field, Schema};
use chrono::{DateTime, NaiveDate, NaiveDateTime, TimeZone};

/// The values of a query's parameters, positional or named. The macro [`params!`](crate::params) is a short form.
///
/// A value has a type and is sent separately from the text: it is never read as SQL.
///
/// ```
/// use polarway_table::{Parameters, params};
///
/// let positional = params![2013, "UA"]; // for `… WHERE year = $1 AND carrier = $2`, or with `?`
/// let named = params![year = 2013, carrier = "UA"]; // for `… WHERE year = $year AND carrier = $carrier`
/// assert_eq!(Parameters::new().and(2013).and("UA").names(), ["1", "2"]);
/// assert_eq!(named.names(), ["year", "carrier"]);
/// ```
#[derive(Clone, Debug, Default)]
pub struct Parameters {
    values: Vec<(String, ArrayRef)>,
}

impl Parameters {
    /// No values.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a value for the next position: `$1`, `$2`, … or the next `?`.
    #[must_use]
    pub fn and(mut self, value: impl Parameter) -> Self {
        let position = self.values.len() + 1;
        self.values.push((position.to_string(), value.into_array()));
        self
    }

    /// Adds a value for `$name`.
    #[must_use]
    pub fn and_named(mut self, name: impl Into<String>, value: impl Parameter) -> Self {
        self.values.push((name.into(), value.into_array()));
        self
    }

    /// Whether there are no values.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.values.is_empty()
    }

    /// The names, `1` for the first position.
    #[must_use]
    pub fn names(&self) -> Vec<&str> {
        self.values.iter().map(|(name, _)| name.as_str()).collect()
    }

    /// The values from a table of one row, as [`to_batch`](Self::to_batch) returns it.
    ///
    /// # Errors
    /// A table with more or less than one row.
    pub fn from_batch(batch: &RecordBatch) -> Result<Self, ArrowError> {
        if batch.num_rows() != 1 {
            let message = format!("the values of parameters are one row, not {}", batch.num_rows());
            return Err(ArrowError::InvalidArgumentError(message));
        }
        let names = batch.schema_ref().fields().iter().map(|field| field.name().clone());
        Ok(Self { values: names.zip(batch.columns().iter().cloned()).collect() })
    }

    /// The values as a table of one row, the form in which they are sent.
    ///
    /// # Errors
    /// A value that is an array with more or less than one row.
    pub fn to_batch(&self) -> Result<RecordBatch, ArrowError> {
        let fields =
            self.values.iter().map(|(name, value)| Field::new(name, value.data_type().clone(), true));
        let schema = Arc::new(Schema::new(fields.collect::<Vec<_>>()));
        let columns = self.values.iter().map(|(_, value)| Arc::clone(value)).collect();
        let one_row = RecordBatchOptions::new().with_row_count(Some(1));
        RecordBatch::try_new_with_options(schema, columns, &one_row)
    }
}

impl<V: Parameter> FromIterator<V> for Parameters {
    /// Values for the positions, in order.
    fn from_iter<I: IntoIterator<Item = V>>(values: I) -> Self {
        values.into_iter().fold(Self::new(), Self::and)
    }
}

/// The value of a parameter: a type of Rust's or of `chrono`, or any Arrow array of one row, for decimals, lists and all other
/// types of Arrow.
pub trait Parameter {
    /// The value as an array of one row.
    fn into_array(self) -> ArrayRef;
}

macro_rules! parameter {
    ($($rust:ty => $array:ident),* $(,)?) => {$(
        impl Parameter for $rust {
            fn into_array(self) -> ArrayRef {
                Arc::new($array::from(vec![self]))
            }
        }
    )*};
}

parameter! {
    bool => BooleanArray,
    i8 => Int8Array,
    i16 => Int16Array,
    i32 => Int32Array,
    i64 => Int64Array,
    u8 => UInt8Array,
    u16 => UInt16Array,
    u32 => UInt32Array,
    u64 => UInt64Array,
    f32 => Float32Array,
    f64 => Float64Array,
    &str => StringArray,
    String => StringArray,
    &[u8] => BinaryArray,
}

impl Parameter for &String {
    fn into_array(self) -> ArrayRef {
        self.as_str().into_array()
    }
}

impl Parameter for Vec<u8> {
    fn into_array(self) -> ArrayRef {
        self.as_slice().into_array()
    }
}

impl Parameter for NaiveDate {
    fn into_array(self) -> ArrayRef {
        let days = self.signed_duration_since(NaiveDate::default()).num_days();
        // A date of chrono is at most 262,143 years away.
        Arc::new(Date32Array::from(vec![i32::try_from(days).unwrap_or_default()]))
    }
}

impl Parameter for NaiveDateTime {
    fn into_array(self) -> ArrayRef {
        Arc::new(TimestampMicrosecondArray::from(vec![self.and_utc().timestamp_micros()]))
    }
}

impl<Z: TimeZone> Parameter for DateTime<Z> {
    fn into_array(self) -> ArrayRef {
        Arc::new(TimestampMicrosecondArray::from(vec![self.timestamp_micros()]).with_timezone("UTC"))
    }
}

impl<V: Parameter> Parameter for Option<V> {
    /// `None` is NULL.
    fn into_array(self) -> ArrayRef {
        self.map_or_else(|| Arc::new(NullArray::new(1)) as ArrayRef, Parameter::into_array)
    }
}

impl Parameter for ArrayRef {
    fn into_array(self) -> ArrayRef {
        self
    }
}

/// [`Parameters`] from values: `params![2013, "UA"]` by position, `params![year = 2013]` by name.
#[macro_export]
macro_rules! params {
    () => { $crate::Parameters::new() };
    ($($name:ident = $value:expr),+ $(,)?) => {
        $crate::Parameters::new()$(.and_named(stringify!($name), $value))+
    };
    ($($value:expr),+ $(,)?) => { $crate::Parameters::new()$(.and($value))+ };
}

#[cfg(test)]
mod tests {
    use arrow_schema::DataType;

    use super::*;

    #[test]
    fn each_value_has_the_type_that_it_has_in_rust() {
        let day = NaiveDate::from_ymd_opt(2013, 1, 2).unwrap();
        let values = params![
            true,
            1_i8,
            2_u64,
            1.5,
            "x",
            None::<i32>,
            day,
            day.and_hms_opt(1, 2, 3).unwrap().and_utc()
        ];
        let batch = values.to_batch().unwrap();
        let types: Vec<String> =
            batch.schema().fields().iter().map(|field| field.data_type().to_string()).collect();
        assert_eq!(
            types,
            ["Boolean", "Int8", "UInt64", "Float64", "Utf8", "Null", "Date32", "Timestamp(µs, \"UTC\")"]
        );
        assert_eq!(batch.num_rows(), 1);
    }

    #[test]
    fn an_array_of_two_rows_is_no_value() {
        let two: ArrayRef = Arc::new(Int32Array::from(vec![1, 2]));
        assert!(params![two].to_batch().is_err());
        let list: Parameters = [1, 2].into_iter().collect();
        assert_eq!(list.to_batch().unwrap().column(1).data_type(), &DataType::Int32);
    }
}
