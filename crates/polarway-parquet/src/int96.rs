//! INT96, the timestamps of old writers: a day, and the nanoseconds in it.
//!
//! They reach further than nanoseconds and are finer than microseconds, and the decoder cuts or wraps what the unit it is
//! asked for has no room for. So it is asked twice, for seconds, which never overflow, and for nanoseconds, which wrap:
//! both together are the whole value, and what the wanted unit can't hold is an error.

use arrow_array::cast::AsArray;
use arrow_array::types::{Int64Type, TimestampNanosecondType, TimestampSecondType};
use arrow_array::{Array, ArrayRef, Int64Array, PrimitiveArray, make_array};
use arrow_data::ArrayData;
use arrow_schema::{DataType, Field, FieldRef, TimeUnit};
use parquet::basic::Type as PhysicalType;
use parquet::schema::types::Type;

use crate::schema::with_file_leaves;

const NANOS_PER_SECOND: i64 = 1_000_000_000;

/// Whether a column of the file is INT96, or holds some.
pub(crate) fn holds_int96(column: &Type) -> bool {
    match column {
        Type::PrimitiveType { physical_type, .. } => *physical_type == PhysicalType::INT96,
        Type::GroupType { fields, .. } => fields.iter().any(|field| holds_int96(field)),
    }
}

/// `field` with `unit` for each of its timestamps that is INT96 in `column`, the file's column that it stands for.
pub(crate) fn with_unit(field: &Field, column: &Type, unit: TimeUnit) -> Field {
    with_file_leaves(field, column, &|leaf, physical| match leaf {
        DataType::Timestamp(_, zone) if physical == PhysicalType::INT96 => {
            DataType::Timestamp(unit, zone.clone())
        }
        other => other.clone(),
    })
}

/// What can be wrong with a value.
#[derive(Debug)]
pub(crate) enum Misfit {
    /// The unit does not reach so far, or is not so fine. The place is that of the value in its leaf.
    Value,
    /// The two arrays are not of one column.
    Shape,
}

/// One column of what was decoded as seconds and as nanoseconds, in the units of `wanted`.
pub(crate) fn whole(seconds: &ArrayRef, nanos: &ArrayRef, wanted: &DataType) -> Result<ArrayRef, Misfit> {
    Ok(make_array(merge(&seconds.to_data(), &nanos.to_data(), wanted)?))
}

fn merge(seconds: &ArrayData, nanos: &ArrayData, wanted: &DataType) -> Result<ArrayData, Misfit> {
    use DataType::*;
    if seconds.data_type() == nanos.data_type() {
        return Ok(seconds.clone()); // nothing in it is INT96
    }
    let merged = |fields: Vec<(&FieldRef, &FieldRef)>| -> Result<(Vec<FieldRef>, Vec<ArrayData>), Misfit> {
        let children = seconds.child_data().iter().zip(nanos.child_data());
        let mut merged = (Vec::new(), Vec::new());
        for ((found, wanted), (seconds, nanos)) in fields.into_iter().zip(children) {
            let child = merge(seconds, nanos, wanted.data_type())?;
            merged.0.push(found.as_ref().clone().with_data_type(child.data_type().clone()).into());
            merged.1.push(child);
        }
        Ok(merged)
    };
    let one = |found, wanted| {
        let (mut fields, children) = merged(vec![(found, wanted)])?;
        fields.pop().map(|field| (field, children)).ok_or(Misfit::Shape)
    };
    let (data_type, children) = match (seconds.data_type(), wanted) {
        (Timestamp(TimeUnit::Second, _), Timestamp(unit, _)) => return merge_leaf(seconds, nanos, *unit),
        (Struct(found), Struct(wanted)) if found.len() == wanted.len() => {
            let (fields, children) = merged(found.iter().zip(wanted).collect())?;
            (Struct(fields.into()), children)
        }
        (List(found), List(wanted)) => one(found, wanted).map(|(item, data)| (List(item), data))?,
        (LargeList(found), LargeList(wanted)) => {
            one(found, wanted).map(|(item, data)| (LargeList(item), data))?
        }
        (ListView(found), ListView(wanted)) => {
            one(found, wanted).map(|(item, data)| (ListView(item), data))?
        }
        (LargeListView(found), LargeListView(wanted)) => {
            one(found, wanted).map(|(item, data)| (LargeListView(item), data))?
        }
        (FixedSizeList(found, size), FixedSizeList(wanted, _)) => {
            one(found, wanted).map(|(item, data)| (FixedSizeList(item, *size), data))?
        }
        (Map(found, sorted), Map(wanted, _)) => {
            one(found, wanted).map(|(item, data)| (Map(item, *sorted), data))?
        }
        _ => return Err(Misfit::Shape),
    };
    let merged = seconds.clone().into_builder().data_type(data_type).child_data(children);
    merged.build().map_err(|_| Misfit::Shape)
}

fn merge_leaf(seconds: &ArrayData, nanos: &ArrayData, unit: TimeUnit) -> Result<ArrayData, Misfit> {
    let DataType::Timestamp(_, zone) = seconds.data_type() else { return Err(Misfit::Shape) };
    let (second_values, nano_values) = (make_array(seconds.clone()), make_array(nanos.clone()));
    let second_values = second_values.as_primitive_opt::<TimestampSecondType>().ok_or(Misfit::Shape)?;
    let nano_values = nano_values.as_primitive_opt::<TimestampNanosecondType>().ok_or(Misfit::Shape)?;
    let pairs = second_values.values().iter().zip(nano_values.values());
    let values = pairs.enumerate().map(|(place, (seconds, wrapped_nanos))| {
        // What lies under a null is anything.
        let value =
            if second_values.is_valid(place) { in_unit(*seconds, *wrapped_nanos, unit) } else { Some(0) };
        value.ok_or(Misfit::Value)
    });
    let values =
        Int64Array::new(values.collect::<Result<Vec<i64>, Misfit>>()?.into(), second_values.nulls().cloned());
    let values: PrimitiveArray<Int64Type> = values;
    let typed = values.into_data().into_builder().data_type(DataType::Timestamp(unit, zone.clone()));
    typed.build().map_err(|_| Misfit::Shape)
}

/// The nanoseconds of the second, which wrapping around has left as they are.
fn fraction(seconds: i64, wrapped_nanos: i64) -> i64 {
    wrapped_nanos.wrapping_sub(seconds.wrapping_mul(NANOS_PER_SECOND))
}

fn in_unit(seconds: i64, wrapped_nanos: i64, unit: TimeUnit) -> Option<i64> {
    let per_second = match unit {
        TimeUnit::Second => 1,
        TimeUnit::Millisecond => 1_000,
        TimeUnit::Microsecond => 1_000_000,
        TimeUnit::Nanosecond => NANOS_PER_SECOND,
    };
    let nanos = fraction(seconds, wrapped_nanos);
    let nanos_per_unit = NANOS_PER_SECOND / per_second;
    if nanos % nanos_per_unit != 0 {
        return None;
    }
    let value = i128::from(seconds) * i128::from(per_second) + i128::from(nanos / nanos_per_unit);
    i64::try_from(value).ok()
}

/// Whether a time in the column is finer than a microsecond.
pub(crate) fn holds_nanoseconds(seconds: &ArrayData, nanos: &ArrayData) -> bool {
    if seconds.data_type() == nanos.data_type() {
        return false;
    }
    let (second_values, nano_values) = (make_array(seconds.clone()), make_array(nanos.clone()));
    if let Some(second_values) = second_values.as_primitive_opt::<TimestampSecondType>()
        && let Some(nano_values) = nano_values.as_primitive_opt::<TimestampNanosecondType>()
    {
        let pairs = second_values.values().iter().zip(nano_values.values()).enumerate();
        return pairs
            .filter(|(place, _)| second_values.is_valid(*place))
            .any(|(_, (seconds, nanos))| fraction(*seconds, *nanos) % 1_000 != 0);
    }
    let children = seconds.child_data().iter().zip(nanos.child_data());
    children.into_iter().any(|(seconds, nanos)| holds_nanoseconds(seconds, nanos))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What the decoder makes of a number of nanoseconds since 1970.
    fn decoded(nanos: i128) -> (i64, i64) {
        let per_second = i128::from(NANOS_PER_SECOND);
        (nanos.div_euclid(per_second) as i64, nanos as i64)
    }

    #[test]
    fn a_time_that_nanoseconds_wrap_is_whole_in_microseconds() {
        let last_day = 253_402_214_400i64; // 9999-12-31
        let (seconds, wrapped) = decoded(i128::from(last_day) * 1_000_000_000 + 123_456_000);
        assert_eq!(in_unit(seconds, wrapped, TimeUnit::Microsecond), Some(last_day * 1_000_000 + 123_456));
        assert_eq!(in_unit(seconds, wrapped, TimeUnit::Nanosecond), None);
    }

    #[test]
    fn a_time_finer_than_its_unit_is_no_other_time() {
        for nanos in [1, -1, 1_001, 999_999_999] {
            let (seconds, wrapped) = decoded(nanos);
            assert_eq!(in_unit(seconds, wrapped, TimeUnit::Nanosecond), Some(nanos as i64));
            assert_eq!(in_unit(seconds, wrapped, TimeUnit::Microsecond), None, "{nanos}");
        }
        let (seconds, wrapped) = decoded(-1_000);
        assert_eq!(in_unit(seconds, wrapped, TimeUnit::Microsecond), Some(-1));
    }
}
