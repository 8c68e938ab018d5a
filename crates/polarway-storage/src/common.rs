//! The common schema of files that were not written as one table.

use std::collections::HashMap;
use std::sync::Arc;

use arrow_schema::{DataType, FieldRef, Fields, Schema};

use crate::widening::fits;

/// The columns that can hold the rows of both, matched by name, in the order of the first.
///
/// # Errors
/// The first difference for which there is no common type, as text.
pub(crate) fn common_schema(a: &Schema, b: &Schema) -> Result<Schema, String> {
    let fields = common_fields("", a.fields(), b.fields())?;
    Ok(Schema::new_with_metadata(fields, a.metadata().clone()))
}

fn common_fields(parent: &str, a: &Fields, b: &Fields) -> Result<Vec<FieldRef>, String> {
    let path = |name: &str| if parent.is_empty() { name.to_owned() } else { format!("{parent}.{name}") };
    let mut of_b: HashMap<&str, &FieldRef> = HashMap::with_capacity(b.len());
    for field in b {
        if of_b.insert(field.name(), field).is_some() {
            return Err(format!("column {:?}, which stands twice", path(field.name())));
        }
    }
    let mut fields = Vec::with_capacity(a.len());
    for field in a {
        let path = path(field.name());
        let other = of_b.remove(field.name().as_str());
        let other = other.ok_or_else(|| format!("column {path:?}, which only the first has"))?;
        fields.push(common_field(&path, field, other)?);
    }
    match of_b.keys().min() {
        Some(name) => Err(format!("column {:?}, which only the second has", path(name))),
        None => Ok(fields),
    }
}

fn common_field(path: &str, a: &FieldRef, b: &FieldRef) -> Result<FieldRef, String> {
    let data_type = common_type(path, a.data_type(), b.data_type())?;
    let is_nullable = a.is_nullable() || b.is_nullable();
    Ok(Arc::new(a.as_ref().clone().with_data_type(data_type).with_nullable(is_nullable)))
}

fn common_type(path: &str, a: &DataType, b: &DataType) -> Result<DataType, String> {
    use DataType::*;
    if a == b {
        return Ok(a.clone());
    }
    match (a, b) {
        (Struct(a), Struct(b)) => Ok(Struct(common_fields(path, a, b)?.into())),
        (Map(a_entries, a_sorted), Map(b_entries, b_sorted)) => {
            let (Struct(a_pair), Struct(b_pair)) = (a_entries.data_type(), b_entries.data_type()) else {
                return Err(differ(path, a, b));
            };
            // Keys and values are matched by position: writers give them different names.
            let pair = a_pair.iter().zip(b_pair).map(|(a, b)| common_field(path, a, b));
            let pair = Struct(pair.collect::<Result<Fields, _>>()?);
            let entries = a_entries.as_ref().clone().with_data_type(pair);
            Ok(Map(Arc::new(entries), *a_sorted && *b_sorted))
        }
        (FixedSizeList(a, size), FixedSizeList(b, other)) if size == other => {
            Ok(FixedSizeList(common_field(path, a, b)?, *size))
        }
        (Dictionary(a_keys, a_values), Dictionary(b_keys, b_values)) => {
            let keys = if fits(a_keys, b_keys) { b_keys } else { a_keys };
            Ok(Dictionary(keys.clone(), Box::new(common_type(path, a_values, b_values)?)))
        }
        // Never the plain values: they may need more memory than there is, since few keys can stand for many values.
        (Dictionary(keys, values), plain) | (plain, Dictionary(keys, values)) => {
            let keys = if fits(keys, &Int32) { Int32 } else { keys.as_ref().clone() };
            Ok(Dictionary(Box::new(keys), Box::new(common_type(path, values, plain)?)))
        }
        _ => match (list_item(a), list_item(b)) {
            (Some(a_item), Some(b_item)) => {
                let item = common_field(path, a_item, b_item)?;
                let is_large = [a, b].into_iter().any(|list| matches!(list, LargeList(_) | LargeListView(_)));
                Ok(if is_large { LargeList(item) } else { List(item) })
            }
            _ => match (fits(a, b), fits(b, a)) {
                (true, true) if breadth(a) > breadth(b) => Ok(a.clone()),
                (true, _) => Ok(b.clone()),
                (false, true) => Ok(a.clone()),
                (false, false) => Err(differ(path, a, b)),
            },
        },
    }
}

fn list_item(data_type: &DataType) -> Option<&FieldRef> {
    match data_type {
        DataType::List(item)
        | DataType::LargeList(item)
        | DataType::ListView(item)
        | DataType::LargeListView(item)
        | DataType::FixedSizeList(item, _) => Some(item),
        _ => None,
    }
}

/// Of types that hold the same values, the one with the widest offsets is taken. Views can share their values, so they come
/// first.
fn breadth(data_type: &DataType) -> u8 {
    match data_type {
        DataType::Utf8 | DataType::Binary | DataType::Decimal32(_, _) | DataType::Time32(_) => 0,
        DataType::LargeUtf8 | DataType::LargeBinary | DataType::Decimal64(_, _) | DataType::Time64(_) => 1,
        DataType::Utf8View | DataType::BinaryView | DataType::Decimal128(_, _) => 2,
        _ => 3,
    }
}

fn differ(path: &str, a: &DataType, b: &DataType) -> String {
    format!("column {path:?}: {a} in the first, {b} in the second")
}

#[cfg(test)]
mod tests {
    use arrow_schema::{Field, TimeUnit};

    use super::*;

    fn common(a: &DataType, b: &DataType) -> Result<DataType, String> {
        let there = common_type("c", a, b);
        let back = common_type("c", b, a);
        assert_eq!(there.is_ok(), back.is_ok(), "{a} {b}");
        if let (Ok(there), Ok(back)) = (&there, &back) {
            assert_eq!(there, back, "{a} {b}");
        }
        there
    }

    #[test]
    fn the_wider_type_is_taken_whichever_comes_first() {
        use DataType::*;
        let dictionary = |keys: DataType, values: DataType| Dictionary(Box::new(keys), Box::new(values));
        let list = |item: DataType| Arc::new(Field::new("item", item, true));
        for (a, b, expected) in [
            (Int32, Int64, Int64),
            (UInt8, Int16, Int16),
            (Utf8, LargeUtf8, LargeUtf8),
            (Utf8View, Utf8, Utf8View),
            (dictionary(Int8, Utf8), LargeUtf8, dictionary(Int32, LargeUtf8)),
            (dictionary(Int8, Utf8), dictionary(Int32, Utf8), dictionary(Int32, Utf8)),
            (Null, Float64, Float64),
            (Float32, Float64, Float64),
            (FixedSizeBinary(4), Binary, Binary),
            (
                Timestamp(TimeUnit::Second, None),
                Timestamp(TimeUnit::Microsecond, None),
                Timestamp(TimeUnit::Microsecond, None),
            ),
            (Decimal32(9, 2), Decimal128(9, 2), Decimal128(9, 2)),
            (List(list(Int32)), LargeList(list(Int64)), LargeList(list(Int64))),
        ] {
            assert_eq!(common(&a, &b), Ok(expected), "{a} {b}");
        }
        for (a, b) in [(Utf8, Int64), (Int64, UInt64), (Float64, Int64), (Date32, Utf8), (Boolean, Int8)] {
            let refused = common(&a, &b).unwrap_err();
            assert!(refused.contains(&a.to_string()) && refused.contains("\"c\""), "{refused}");
        }
    }

    #[test]
    fn columns_are_matched_by_name_and_may_be_null_where_one_may() {
        let schema = |fields: &[(&str, DataType, bool)]| {
            let fields = fields.iter().map(|(name, kind, null)| Field::new(*name, kind.clone(), *null));
            Schema::new(fields.collect::<Vec<_>>())
        };
        let a = schema(&[("x", DataType::Int64, false), ("y", DataType::Utf8, false)]);
        let b = schema(&[("y", DataType::Utf8, true), ("x", DataType::Int32, false)]);
        let expected = schema(&[("x", DataType::Int64, false), ("y", DataType::Utf8, true)]);
        assert_eq!(common_schema(&a, &b), Ok(expected));
        let short = schema(&[("x", DataType::Int64, false)]);
        assert!(common_schema(&a, &short).unwrap_err().contains("\"y\""));
        assert!(common_schema(&short, &a).unwrap_err().contains("\"y\""));
    }
}
