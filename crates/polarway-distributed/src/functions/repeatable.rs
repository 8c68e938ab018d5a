//! Aggregates of DOUBLEs that are the same in any order, for rows that are read twice.

use std::sync::Arc;

use datafusion::arrow::array::{
    Array, ArrayRef, AsArray as _, BooleanArray, Float64Array, Int64Array, ListArray,
};
use datafusion::arrow::datatypes::{DataType, Field, FieldRef, Float64Type, Int64Type};
use datafusion::error::Result;
use datafusion::logical_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion::logical_expr::{Accumulator, AggregateUDF, AggregateUDFImpl, Signature, Volatility};
use datafusion::scalar::ScalarValue;

use super::Native;
use super::expansions::Expansion;

/// `total(value)`: the exact sum, as a list of DOUBLEs that [`ROUNDED`] and [`VARIANCE`] read.
pub(crate) fn total() -> Arc<AggregateUDF> {
    udaf("duckdb_total", false)
}

/// `total_of_squares(value)`: the exact sum of the squares, as such a list.
pub(crate) fn total_of_squares() -> Arc<AggregateUDF> {
    udaf("duckdb_total_of_squares", true)
}

/// The nearest DOUBLE to a sum.
pub(crate) const ROUNDED: Native = Native::new(
    "duckdb_rounded",
    |_| Ok(DataType::Float64),
    |arguments, _| {
        let sums = arguments[0].as_list::<i32>().iter();
        Ok(Arc::new(sums.map(|sum| sum.map(|sum| expansion(&sum).rounded())).collect::<Float64Array>()))
    },
);

/// `variance(sum, squares, count, is_sample)`: the variance of so many values with these sums, of all of them or of a sample.
pub(crate) const VARIANCE: Native = Native::new(
    "duckdb_variance",
    |_| Ok(DataType::Float64),
    |arguments, _| {
        let (sums, squares) = (arguments[0].as_list::<i32>(), arguments[1].as_list::<i32>());
        let counts: &Int64Array = arguments[2].as_primitive::<Int64Type>();
        let is_sample: &BooleanArray = arguments[3].as_boolean();
        let variance = |row: usize| {
            let (count, less) = (counts.value(row), i64::from(is_sample.value(row)));
            let is_known = sums.is_valid(row) && count > less;
            is_known.then(|| {
                let deviations = deviations(&sums.value(row), &squares.value(row), count as f64);
                deviations / count as f64 / (count - less) as f64
            })
        };
        Ok(Arc::new((0..sums.len()).map(variance).collect::<Float64Array>()) as ArrayRef)
    },
);

/// The number of values times the sum of the squares of their distances from their mean.
fn deviations(sum: &ArrayRef, squares: &ArrayRef, count: f64) -> f64 {
    let sum = sum.as_primitive::<Float64Type>().values();
    let mut deviations = Expansion::default();
    for square in squares.as_primitive::<Float64Type>().values() {
        deviations.add_product(count, *square);
    }
    for one in sum {
        for other in sum {
            deviations.add_product(-one, *other);
        }
    }
    deviations.rounded()
}

fn expansion(numbers: &ArrayRef) -> Expansion {
    let mut expansion = Expansion::default();
    expansion.add_all(numbers.as_primitive::<Float64Type>().iter().flatten());
    expansion
}

fn udaf(name: &'static str, is_of_squares: bool) -> Arc<AggregateUDF> {
    let signature = Signature::exact(vec![DataType::Float64], Volatility::Immutable);
    Arc::new(AggregateUDF::from(Total { name, is_of_squares, signature }))
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Total {
    name: &'static str,
    is_of_squares: bool,
    signature: Signature,
}

impl AggregateUDFImpl for Total {
    fn name(&self) -> &str {
        self.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(list_type())
    }

    fn accumulator(&self, _: AccumulatorArgs<'_>) -> Result<Box<dyn Accumulator>> {
        Ok(Box::new(TotalSoFar { is_of_squares: self.is_of_squares, sum: None }))
    }

    fn state_fields(&self, args: StateFieldsArgs<'_>) -> Result<Vec<FieldRef>> {
        Ok(vec![Arc::new(Field::new(args.name, list_type(), true))])
    }
}

fn list_type() -> DataType {
    DataType::new_list(DataType::Float64, true)
}

#[derive(Debug)]
struct TotalSoFar {
    is_of_squares: bool,
    /// Of the values until now, if there was one.
    sum: Option<Expansion>,
}

impl Accumulator for TotalSoFar {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        for value in values[0].as_primitive::<Float64Type>().iter().flatten() {
            let sum = self.sum.get_or_insert_default();
            if self.is_of_squares {
                sum.add_product(value, value);
            } else {
                sum.add(value);
            }
        }
        Ok(())
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        for state in states[0].as_list::<i32>().iter().flatten() {
            let numbers = state.as_primitive::<Float64Type>().iter().flatten();
            self.sum.get_or_insert_default().add_all(numbers);
        }
        Ok(())
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        Ok(vec![self.evaluate()?])
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        let numbers = self.sum.as_ref().map(Expansion::numbers).transpose()?;
        let list = numbers.map(|numbers| numbers.into_iter().map(Some));
        Ok(ScalarValue::List(Arc::new(ListArray::from_iter_primitive::<Float64Type, _, _>([list]))))
    }

    fn size(&self) -> usize {
        size_of_val(self) + self.sum.as_ref().map_or(0, Expansion::bytes)
    }
}
