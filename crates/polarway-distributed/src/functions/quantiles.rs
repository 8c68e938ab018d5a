//! Quantiles of the values of a group.

use std::sync::Arc;

use datafusion::arrow::array::{ArrayRef, AsArray as _, Float64Array, ListArray, UInt64Array};
use datafusion::arrow::buffer::{NullBuffer, OffsetBuffer};
use datafusion::arrow::compute::{cast, take};
use datafusion::arrow::datatypes::{DataType, Float64Type};
use datafusion::error::{DataFusionError, Result};

use super::collected::Sorted;
use super::{Native, last_type};

/// `quantiles(values, fractions, is_descending, null)`: the values at these fractions of the values in order, such as `9/10 1/2`.
/// Each is one of the values. The result is of the type of `null`: a list, or one value for one fraction.
pub(crate) const DISCRETE_QUANTILES: Native =
    Native::new("duckdb_discrete_quantiles", last_type, |arguments, output| {
        let (sorted, fractions) = read(arguments)?;
        let mut found = Vec::new();
        for places in &sorted.places {
            for fraction in &fractions {
                found.push(places.get(fraction.discrete_place(places.len())).map(|place| *place as u64));
            }
        }
        let values = take(sorted.values, &UInt64Array::from(found), None)?;
        shaped(values, &sorted, fractions.len(), output)
    });

/// The same with DOUBLEs, between the two nearest values.
pub(crate) const CONTINUOUS_QUANTILES: Native =
    Native::new("duckdb_continuous_quantiles", last_type, |arguments, output| {
        let (sorted, fractions) = read(arguments)?;
        let numbers = cast(sorted.values, &DataType::Float64)?;
        let numbers = numbers.as_primitive::<Float64Type>();
        let mut found = Vec::new();
        for places in &sorted.places {
            let number = |place: usize| places.get(place).map(|place| numbers.value(*place));
            found.extend(fractions.iter().map(|fraction| fraction.between(places.len(), number)));
        }
        shaped(Arc::new(Float64Array::from(found)), &sorted, fractions.len(), output)
    });

/// A fraction, from 0 to 1.
struct Fraction {
    number: i128,
    of: i128,
}

impl Fraction {
    fn parse(word: &str) -> Option<Self> {
        let (number, of) = word.split_once('/')?;
        let fraction = Self { number: number.parse().ok()?, of: of.parse().ok()? };
        (fraction.of > 0 && (0..=fraction.of).contains(&fraction.number)).then_some(fraction)
    }

    /// The place of the first of `count` values that at least this part of them does not exceed.
    fn discrete_place(&self, count: usize) -> usize {
        let count = count as i128;
        let after = (count * self.of - count * self.number) / self.of;
        usize::try_from((count - after).max(1) - 1).unwrap_or_default()
    }

    fn between(&self, count: usize, number: impl Fn(usize) -> Option<f64>) -> Option<f64> {
        let place = count.checked_sub(1)? as f64 * (self.number as f64 / self.of as f64);
        let (low, high) = (number(place.floor() as usize)?, number(place.ceil() as usize)?);
        let part = place - place.floor();
        Some(match part == 0.0 {
            true => low,
            // Two infinite values have no difference.
            false => low * (1.0 - part) + high * part,
        })
    }
}

fn read(arguments: &[ArrayRef]) -> Result<(Sorted<'_>, Vec<Fraction>)> {
    let words = arguments[1].as_string::<i32>().value(0);
    let fractions = words.split(' ').map(Fraction::parse).collect::<Option<Vec<_>>>();
    let fractions =
        fractions.ok_or_else(|| DataFusionError::Internal(format!("{words} are no fractions")))?;
    Ok((Sorted::of(arguments[0].as_list::<i32>(), arguments[2].as_boolean().value(0))?, fractions))
}

/// As many values for each group as there are fractions; NULL for a group without values.
fn shaped(values: ArrayRef, sorted: &Sorted<'_>, fractions: usize, output: &DataType) -> Result<ArrayRef> {
    let DataType::List(item) = output else { return Ok(values) };
    let nulls: NullBuffer = sorted.places.iter().map(|places| !places.is_empty()).collect();
    let offsets = OffsetBuffer::from_lengths(std::iter::repeat_n(fractions, sorted.places.len()));
    Ok(Arc::new(ListArray::try_new(Arc::clone(item), offsets, values, Some(nulls))?))
}
