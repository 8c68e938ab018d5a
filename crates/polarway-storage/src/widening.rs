//! Which types can hold every value of another type, and how values are converted.
//!
//! The rule is the same at any depth: for columns, the items of a list, the fields of a struct, the keys and values of a map, and
//! the values of a dictionary.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::{
    Array, ArrayRef, FixedSizeListArray, GenericListArray, GenericListViewArray, MapArray, OffsetSizeTrait,
    StructArray,
};
use arrow_buffer::OffsetBuffer;
use arrow_cast::display::FormatOptions;
use arrow_cast::{CastOptions, cast_with_options};
use arrow_schema::{ArrowError, DataType, Field, FieldRef, Fields, TimeUnit};
use polarway_table::{children, dictionary_of_fixed_size, fixed_width, viewed_part};

/// A value that does not fit is an error, never a NULL.
const STRICTLY: CastOptions<'static> = CastOptions { safe: false, format_options: FormatOptions::new() };

/// The differences that keep values of `given` from fitting `wanted`; none if they fit. `path` is the name of both.
pub(crate) fn differences(path: &str, given: &DataType, wanted: &DataType) -> Vec<String> {
    use DataType::*;

    if given == wanted || *given == Null {
        return Vec::new();
    }
    match (given, wanted) {
        (Struct(given), Struct(wanted)) => field_differences(Some(path), given, wanted),
        (Map(given_entries, given_sorted), Map(wanted_entries, wanted_sorted))
            if *given_sorted || !*wanted_sorted =>
        {
            match (given_entries.data_type(), wanted_entries.data_type()) {
                // Keys and values are matched by position: writers give them different names.
                (Struct(given), Struct(wanted)) if given.len() == 2 && wanted.len() == 2 => {
                    let pairs = given.iter().zip(wanted);
                    pairs.flat_map(|(given, wanted)| child_differences(path, given, wanted)).collect()
                }
                _ => vec![difference(path, given, wanted)],
            }
        }
        (FixedSizeList(given_item, size), FixedSizeList(item, wanted_size)) if size == wanted_size => {
            child_differences(path, given_item, item)
        }
        (
            List(given) | LargeList(given) | ListView(given) | LargeListView(given) | FixedSizeList(given, _),
            List(wanted) | LargeList(wanted) | ListView(wanted) | LargeListView(wanted),
        ) => child_differences(path, given, wanted),
        (Dictionary(_, values), wanted) if fits(values, wanted) => Vec::new(),
        (given, Dictionary(_, values)) if fits(given, values) => Vec::new(),
        (given, wanted) if leaf_fits(given, wanted) => Vec::new(),
        (given, wanted) => vec![difference(path, given, wanted)],
    }
}

/// The same for columns, or for the fields of the struct at `parent`; they are matched by name, in any order.
pub(crate) fn field_differences(parent: Option<&str>, given: &Fields, wanted: &Fields) -> Vec<String> {
    let path = |field: &Field| match parent {
        Some(parent) => format!("{parent}.{}", field.name()),
        None => field.name().clone(),
    };
    let mut found = Vec::new();
    let mut by_name = HashMap::with_capacity(given.len());
    for field in given {
        if by_name.insert(field.name(), field).is_some() {
            found.push(format!("column {:?} stands twice in the rows", path(field)));
        }
    }
    for field in wanted {
        match by_name.remove(field.name()) {
            Some(given) => found.extend(differences(&path(field), given.data_type(), field.data_type())),
            None => found.push(format!("column {:?} ({}) is missing", path(field), field.data_type())),
        }
    }
    for field in given.iter().filter(|field| by_name.remove(field.name()).is_some()) {
        found.push(format!("column {:?} ({}) is not in the dataset", path(field), field.data_type()));
    }
    found
}

fn child_differences(path: &str, given: &Field, wanted: &Field) -> Vec<String> {
    differences(&format!("{path}.{}", wanted.name()), given.data_type(), wanted.data_type())
}

fn difference(path: &str, given: &DataType, wanted: &DataType) -> String {
    format!("column {path:?} is {given} and must be {wanted}")
}

/// Whether every value of one type has an equal one in the other.
pub(crate) fn fits(given: &DataType, wanted: &DataType) -> bool {
    differences("", given, wanted).is_empty()
}

/// Whether every value of one type has an equal one in the other; neither is nested.
fn leaf_fits(given: &DataType, wanted: &DataType) -> bool {
    use DataType::*;

    match (given, wanted) {
        (Utf8 | LargeUtf8 | Utf8View, Utf8 | LargeUtf8 | Utf8View) => true,
        (Binary | LargeBinary | BinaryView | FixedSizeBinary(_), Binary | LargeBinary | BinaryView) => true,
        (Float16, Float32 | Float64) | (Float32, Float64) => true,
        // A finer unit has the same times except for very early and late ones, for which the strict cast fails.
        (Timestamp(unit, zone), Timestamp(wanted_unit, wanted_zone)) => {
            zone == wanted_zone && fineness(*unit) <= fineness(*wanted_unit)
        }
        (Duration(unit), Duration(wanted_unit)) => fineness(*unit) <= fineness(*wanted_unit),
        (Time32(unit) | Time64(unit), Time32(wanted_unit) | Time64(wanted_unit)) => {
            fineness(*unit) <= fineness(*wanted_unit)
        }
        (given, wanted) => match (decimal(given), decimal(wanted)) {
            (Some((digits, scale)), Some((wanted_digits, wanted_scale))) => {
                scale <= wanted_scale && digits - scale <= wanted_digits - wanted_scale
            }
            _ => integer_fits(given, wanted),
        },
    }
}

fn integer_fits(given: &DataType, wanted: &DataType) -> bool {
    match (integer(given), integer(wanted)) {
        (Some((signed, bits)), Some((wanted_signed, wanted_bits))) => match (signed, wanted_signed) {
            (false, true) => bits < wanted_bits,
            (true, false) => false,
            _ => bits <= wanted_bits,
        },
        (Some((_, bits)), None) => match wanted {
            DataType::Float32 => bits <= 16,
            DataType::Float64 => bits <= 32,
            _ => false,
        },
        _ => false,
    }
}

/// Whether an integer type has a sign, and its bits.
fn integer(data_type: &DataType) -> Option<(bool, u32)> {
    Some((
        data_type.is_signed_integer(),
        match data_type {
            DataType::Int8 | DataType::UInt8 => 8,
            DataType::Int16 | DataType::UInt16 => 16,
            DataType::Int32 | DataType::UInt32 => 32,
            DataType::Int64 | DataType::UInt64 => 64,
            _ => return None,
        },
    ))
}

/// A decimal type's digits, and how many of them are after the point.
fn decimal(data_type: &DataType) -> Option<(i16, i16)> {
    match data_type {
        DataType::Decimal32(digits, scale)
        | DataType::Decimal64(digits, scale)
        | DataType::Decimal128(digits, scale)
        | DataType::Decimal256(digits, scale) => Some((i16::from(*digits), i16::from(*scale))),
        _ => None,
    }
}

fn fineness(unit: TimeUnit) -> u8 {
    match unit {
        TimeUnit::Second => 0,
        TimeUnit::Millisecond => 1,
        TimeUnit::Microsecond => 2,
        TimeUnit::Nanosecond => 3,
    }
}

/// Converts values to `wanted`. Between the two types there must be no [`differences`].
///
/// # Errors
/// A value near the limit of its type that does not fit, and a NULL in a nested field without NULLs.
pub(crate) fn widen(array: &ArrayRef, wanted: &DataType) -> Result<ArrayRef, ArrowError> {
    use DataType::*;

    if array.data_type() == wanted {
        return Ok(Arc::clone(array));
    }
    let item = match wanted {
        List(item) | LargeList(item) | ListView(item) | LargeListView(item) | FixedSizeList(item, _) => item,
        Struct(fields) if array.as_struct_opt().is_some() => {
            return Ok(Arc::new(widen_struct(array.as_struct(), fields)?));
        }
        Map(entries, sorted) if array.as_map_opt().is_some() => {
            return Ok(Arc::new(widen_map(array.as_map(), entries, *sorted)?));
        }
        Dictionary(_, _) if array.as_fixed_size_binary_opt().is_some() => {
            let dictionary: ArrayRef = Arc::new(dictionary_of_fixed_size(array.as_fixed_size_binary())?);
            return cast_with_options(&dictionary, wanted, &STRICTLY);
        }
        _ => return cast_with_options(array, wanted, &STRICTLY),
    };
    // First the items, in the same kind of list; then the kind of list.
    let list: ArrayRef = match array.data_type() {
        List(_) => widen_list::<i32>(array, item)?,
        LargeList(_) => widen_list::<i64>(array, item)?,
        ListView(_) => widen_list_view::<i32>(array, item)?,
        LargeListView(_) => widen_list_view::<i64>(array, item)?,
        FixedSizeList(_, size) => {
            let list = array.as_fixed_size_list();
            let values = widen(list.values(), item.data_type())?;
            let (item, nulls) = (Arc::clone(item), list.nulls().cloned());
            Arc::new(FixedSizeListArray::try_new_with_length(item, *size, values, nulls, list.len())?)
        }
        _ => Arc::clone(array),
    };
    cast_with_options(&list, wanted, &STRICTLY)
}

/// What NULLs that come without a type take as values of a fixed width, which is no measure of what comes.
pub(crate) fn widened_null_bytes(array: &dyn Array, wanted: &DataType) -> u64 {
    use DataType::*;

    let all_null = match array.data_type() {
        Dictionary(_, values) => **values == Null,
        given => *given == Null,
    };
    if all_null {
        return (array.len() as u64).saturating_mul(fixed_width(wanted).unwrap_or(0));
    }
    let wanted: Vec<&FieldRef> = match (array.data_type(), wanted) {
        (Struct(given), Struct(wanted)) => {
            given.iter().filter_map(|field| Some(wanted.find(field.name())?.1)).collect()
        }
        (Map(_, _), Map(entries, _)) => match entries.data_type() {
            Struct(pair) => pair.iter().collect(),
            _ => Vec::new(),
        },
        (_, List(item) | LargeList(item) | ListView(item) | LargeListView(item) | FixedSizeList(item, _)) => {
            vec![item]
        }
        _ => Vec::new(),
    };
    let children = children(array);
    let pairs = children.iter().zip(wanted);
    pairs.fold(0, |sum, (child, wanted)| sum.saturating_add(widened_null_bytes(child, wanted.data_type())))
}

fn widen_list<O: OffsetSizeTrait>(array: &ArrayRef, item: &FieldRef) -> Result<ArrayRef, ArrowError> {
    let list = array.as_list::<O>();
    let (offsets, shown) = cut(list.offsets());
    let values = widen(&list.values().slice(shown.start, shown.len()), item.data_type())?;
    Ok(Arc::new(GenericListArray::<O>::try_new(Arc::clone(item), offsets, values, list.nulls().cloned())?))
}

fn widen_list_view<O: OffsetSizeTrait>(array: &ArrayRef, item: &FieldRef) -> Result<ArrayRef, ArrowError> {
    let list = array.as_list_view::<O>();
    let (offsets, values) = viewed_part(list);
    let values = widen(&values, item.data_type())?;
    let sizes = list.sizes().clone();
    let (item, nulls) = (Arc::clone(item), list.nulls().cloned());
    Ok(Arc::new(GenericListViewArray::<O>::try_new(item, offsets, sizes, values, nulls)?))
}

fn widen_struct(array: &StructArray, fields: &Fields) -> Result<StructArray, ArrowError> {
    let column = |field: &FieldRef| {
        let column = array.column_by_name(field.name());
        let missing = || ArrowError::SchemaError(format!("a struct lacks the field {:?}", field.name()));
        widen(column.ok_or_else(missing)?, field.data_type())
    };
    let columns = fields.iter().map(column).collect::<Result<Vec<_>, _>>()?;
    StructArray::try_new_with_length(fields.clone(), columns, array.nulls().cloned(), array.len())
}

fn widen_map(map: &MapArray, entries: &FieldRef, sorted: bool) -> Result<MapArray, ArrowError> {
    let DataType::Struct(fields) = entries.data_type() else {
        return Err(ArrowError::SchemaError("a map has entries that are no structs".to_owned()));
    };
    let (offsets, shown) = cut(map.offsets());
    let pairs = map.entries().columns().iter().zip(fields);
    let columns = pairs
        .map(|(column, field)| widen(&column.slice(shown.start, shown.len()), field.data_type()))
        .collect::<Result<Vec<_>, _>>()?;
    let pairs = StructArray::try_new_with_length(fields.clone(), columns, None, shown.len())?;
    MapArray::try_new(Arc::clone(entries), offsets, pairs, map.nulls().cloned(), sorted)
}

/// Offsets from 0, and their range of values: values outside of a slice need not fit.
fn cut<O: OffsetSizeTrait>(offsets: &OffsetBuffer<O>) -> (OffsetBuffer<O>, Range<usize>) {
    let (first, last) = (offsets[0], offsets[offsets.len() - 1]);
    let lengths = offsets.windows(2).map(|pair| pair[1].as_usize() - pair[0].as_usize());
    (OffsetBuffer::from_lengths(lengths), first.as_usize()..last.as_usize())
}

#[cfg(test)]
mod tests {
    use arrow_array::types::{Int8Type, Int32Type};
    use arrow_array::{DictionaryArray, Int32Array, ListArray, StringArray};
    use arrow_buffer::NullBuffer;

    use super::*;

    fn item(data_type: DataType) -> FieldRef {
        Arc::new(Field::new("item", data_type, true))
    }

    fn structs(fields: &[(&str, DataType)]) -> DataType {
        DataType::Struct(fields.iter().map(|(name, kind)| Field::new(*name, kind.clone(), true)).collect())
    }

    fn map(key: DataType, value: DataType) -> DataType {
        let pair = vec![Field::new("key", key, false), Field::new("value", value, true)];
        DataType::Map(Arc::new(Field::new_struct("entries", pair, false)), false)
    }

    fn dictionary(values: DataType) -> DataType {
        DataType::Dictionary(Box::new(DataType::Int8), Box::new(values))
    }

    /// A given type and a wanted one.
    type Pair = (DataType, DataType);

    /// Pairs of which the first fits the second, and ones of which it does not.
    fn pairs() -> (Vec<Pair>, Vec<Pair>) {
        use DataType::*;
        let fit = vec![
            (Utf8, LargeUtf8),
            (LargeUtf8, Utf8View),
            (Int8, Int64),
            (UInt32, Int64),
            (Int32, Float64),
            (Float16, Float32),
            (FixedSizeBinary(3), Binary),
            (Decimal32(5, 2), Decimal128(9, 3)),
            (Timestamp(TimeUnit::Second, None), Timestamp(TimeUnit::Microsecond, None)),
            (Time32(TimeUnit::Second), Time64(TimeUnit::Nanosecond)),
            (dictionary(Utf8), LargeUtf8),
            (Utf8View, dictionary(Utf8)),
            (Null, Int32),
        ];
        let differ = vec![
            (Int64, Int32),
            (UInt64, Int64),
            (Float64, Float32),
            (Utf8, Binary),
            (Utf8, Int64),
            (Decimal128(10, 2), Decimal128(10, 3)),
            (Timestamp(TimeUnit::Microsecond, None), Timestamp(TimeUnit::Second, None)),
            (dictionary(Utf8), Int64),
        ];
        (fit, differ)
    }

    /// The type inside of each nested one.
    fn nested(inner: &DataType) -> Vec<DataType> {
        use DataType::*;
        vec![
            List(item(inner.clone())),
            LargeList(item(inner.clone())),
            ListView(item(inner.clone())),
            LargeListView(item(inner.clone())),
            FixedSizeList(item(inner.clone()), 2),
            structs(&[("a", inner.clone()), ("b", Boolean)]),
            map(Utf8, inner.clone()),
            List(item(structs(&[("a", List(item(inner.clone())))]))),
        ]
    }

    #[test]
    fn what_fits_a_column_fits_at_any_depth_and_what_does_not_fits_nowhere() {
        let (fit, differ) = pairs();
        for (given, wanted) in fit {
            assert_eq!(differences("c", &given, &wanted), [""; 0], "{given} {wanted}");
            for (given, wanted) in nested(&given).iter().zip(nested(&wanted)) {
                assert_eq!(differences("c", given, &wanted), [""; 0], "{given} {wanted}");
                let empty = arrow_array::new_empty_array(given);
                assert_eq!(widen(&empty, &wanted).unwrap().data_type(), &wanted);
                let nulls = arrow_array::new_null_array(given, 3);
                let widened = widen(&nulls, &wanted).unwrap();
                assert_eq!((widened.data_type(), widened.null_count()), (&wanted, 3));
            }
        }
        for (given, wanted) in differ {
            assert_eq!(differences("c", &given, &wanted).len(), 1, "{given} {wanted}");
            for (given, wanted) in nested(&given).iter().zip(nested(&wanted)) {
                assert_eq!(differences("c", given, &wanted).len(), 1, "{given} {wanted}");
            }
        }
    }

    #[test]
    fn any_kind_of_list_fits_any_other_but_one_of_fixed_size() {
        use DataType::*;
        let kinds = |inner: &DataType| {
            let item = item(inner.clone());
            [List(item.clone()), LargeList(item.clone()), ListView(item.clone()), LargeListView(item)]
        };
        let texts = ListArray::new(
            item(Utf8),
            OffsetBuffer::from_lengths([2, 0, 1]),
            Arc::new(StringArray::from(vec![Some("a"), None, Some("b")])),
            Some(NullBuffer::from(vec![true, false, true])),
        );
        let texts: ArrayRef = Arc::new(texts);
        for given in kinds(&Utf8) {
            let list = widen(&texts, &given).unwrap();
            for wanted in kinds(&LargeUtf8) {
                assert_eq!(differences("c", &given, &wanted), [""; 0], "{given} {wanted}");
                let widened = widen(&list, &wanted).unwrap();
                assert_eq!(widened.data_type(), &wanted);
                let back = cast_with_options(&widened, texts.data_type(), &STRICTLY).unwrap();
                assert_eq!(back.as_ref(), texts.as_ref(), "{given} {wanted}");
            }
            assert_eq!(differences("c", &given, &FixedSizeList(item(Utf8), 2)).len(), 1);
        }
    }

    #[test]
    fn a_nested_difference_is_named_by_its_path() {
        use DataType::*;
        let given = structs(&[("a", List(item(Int64))), ("extra", Utf8)]);
        let wanted = structs(&[("missing", Boolean), ("a", List(item(Int32)))]);
        assert_eq!(
            differences("s", &given, &wanted),
            [
                "column \"s.missing\" (Boolean) is missing",
                "column \"s.a.item\" is Int64 and must be Int32",
                "column \"s.extra\" (Utf8) is not in the dataset",
            ]
        );
    }

    #[test]
    fn a_name_that_stands_twice_is_refused_and_no_column_lost() {
        let given = Fields::from(vec![
            Field::new("a", DataType::Int64, true),
            Field::new("a", DataType::Int64, true),
        ]);
        let wanted = Fields::from(vec![Field::new("a", DataType::Int64, true)]);
        assert_eq!(field_differences(None, &given, &wanted), ["column \"a\" stands twice in the rows"]);
    }

    #[test]
    fn fields_of_a_struct_go_by_name_and_keep_its_nulls() {
        let given = StructArray::new(
            Fields::from(vec![Field::new("b", DataType::Int32, true), Field::new("a", DataType::Utf8, true)]),
            vec![Arc::new(Int32Array::from(vec![1, 2])), Arc::new(StringArray::from(vec!["x", "y"]))],
            Some(NullBuffer::from(vec![true, false])),
        );
        let wanted = structs(&[("a", DataType::Utf8View), ("b", DataType::Int64)]);
        let given: ArrayRef = Arc::new(given);
        assert_eq!(differences("s", given.data_type(), &wanted), [""; 0]);
        let widened = widen(&given, &wanted).unwrap();
        let widened = widened.as_struct();
        assert!(widened.is_valid(0) && widened.is_null(1));
        assert_eq!(widened.column(0).as_string_view().value(0), "x");
        assert_eq!(widened.column(1).as_primitive::<arrow_array::types::Int64Type>().value(0), 1);
    }

    #[test]
    fn a_null_where_a_nested_field_may_have_none_is_refused() {
        let items = ListArray::from_iter_primitive::<Int32Type, _, _>([Some(vec![Some(1), None])]);
        let wanted = DataType::List(Arc::new(Field::new("item", DataType::Int64, false)));
        let refused = widen(&(Arc::new(items) as ArrayRef), &wanted).unwrap_err().to_string();
        assert!(refused.contains("null"), "{refused}");
    }

    #[test]
    fn what_a_slice_does_not_show_need_not_fit() {
        let far = i64::MAX / 2;
        let times = arrow_array::TimestampSecondArray::from(vec![1, far]);
        let unit = |unit| item(DataType::Timestamp(unit, None));
        let list =
            ListArray::new(unit(TimeUnit::Second), OffsetBuffer::from_lengths([1, 1]), Arc::new(times), None);
        let wanted = DataType::List(unit(TimeUnit::Nanosecond));
        let (near, far): (ArrayRef, ArrayRef) = (Arc::new(list.slice(0, 1)), Arc::new(list.slice(1, 1)));
        assert_eq!(widen(&near, &wanted).unwrap().len(), 1);
        assert!(widen(&far, &wanted).is_err());
    }

    #[test]
    fn dictionaries_inside_of_lists_become_plain_and_the_other_way_round() {
        let words: DictionaryArray<Int8Type> = vec!["x", "y", "x"].into_iter().collect();
        let coded = ListArray::new(
            item(words.data_type().clone()),
            OffsetBuffer::from_lengths([1, 2]),
            Arc::new(words),
            None,
        );
        let plain = DataType::LargeList(item(DataType::LargeUtf8));
        let coded: ArrayRef = Arc::new(coded);
        let widened = widen(&coded, &plain).unwrap();
        assert_eq!(widened.as_list::<i64>().value(1).as_string::<i64>().value(0), "y");
        assert_eq!(widen(&widened, coded.data_type()).unwrap().data_type(), coded.data_type());
    }
}
