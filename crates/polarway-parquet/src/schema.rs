//! Which Arrow schemas a Parquet file gives back exactly.

use std::collections::HashSet;

use arrow_schema::{DataType, Field, FieldRef, Fields, Schema};
use parquet::basic::Type as PhysicalType;
use parquet::schema::types::Type;
use polarway_table::holds_leaf;

use crate::Unsupported;

/// Says whether every column of `schema` comes back from a Parquet file as it went in, and names the first
/// that does not.
///
/// Refused are unions, run-end encodings, intervals, decimals with a negative scale or a scale above their precision,
/// structs without fields, fixed-size types of size zero, and dictionaries whose values are booleans, durations or nested.
///
/// # Errors
/// The first thing that does not fit, with its column.
///
/// ```
/// use arrow_schema::{DataType, Field, IntervalUnit, Schema};
/// use polarway_parquet::check_schema;
///
/// let interval = Field::new("b", DataType::Interval(IntervalUnit::MonthDayNano), true);
/// let schema = Schema::new(vec![Field::new_struct("a", vec![interval], false)]);
/// let refused = check_schema(&schema).unwrap_err();
/// assert!(refused.to_string().starts_with("column `a.b` has type Interval"));
/// ```
pub fn check_schema(schema: &Schema) -> Result<(), Unsupported> {
    if schema.fields().is_empty() {
        return Err(Unsupported::NoColumns);
    }
    check_fields(schema.fields(), "")
}

fn check_fields(fields: &Fields, parent: &str) -> Result<(), Unsupported> {
    let mut names = HashSet::with_capacity(fields.len());
    for field in fields {
        if !names.insert(field.name()) {
            return Err(Unsupported::DuplicateColumn { column: path_of(field, parent) });
        }
        check_field(field, parent)?;
    }
    Ok(())
}

fn check_field(field: &Field, parent: &str) -> Result<(), Unsupported> {
    use DataType::*;
    let path = path_of(field, parent);
    match field.data_type() {
        Struct(fields) if !fields.is_empty() => check_fields(fields, &path),
        List(item) | LargeList(item) | ListView(item) | LargeListView(item) => check_field(item, &path),
        FixedSizeList(item, size) if *size > 0 => check_field(item, &path),
        Map(entries, _) => match entries.data_type() {
            // Parquet has no place for a null entry or a null key.
            Struct(pair) if pair.len() == 2 && !entries.is_nullable() && !pair[0].is_nullable() => {
                check_fields(pair, &path_of(entries, &path))
            }
            _ => Err(Unsupported::Type { column: path, data_type: field.data_type().clone() }),
        },
        Dictionary(_, values) if is_dictionary_value(values) => Ok(()),
        leaf if is_leaf(leaf) => Ok(()),
        other => Err(Unsupported::Type { column: path, data_type: other.clone() }),
    }
}

fn path_of(field: &Field, parent: &str) -> String {
    if parent.is_empty() { field.name().clone() } else { format!("{parent}.{}", field.name()) }
}

fn is_leaf(data_type: &DataType) -> bool {
    matches!(data_type, DataType::Null | DataType::Boolean | DataType::Duration(_))
        || is_dictionary_value(data_type)
}

fn is_dictionary_value(data_type: &DataType) -> bool {
    use DataType::*;
    match data_type {
        Int8 | Int16 | Int32 | Int64 | UInt8 | UInt16 | UInt32 | UInt64 => true,
        Float16 | Float32 | Float64 => true,
        Date32 | Date64 | Time32(_) | Time64(_) | Timestamp(_, _) => true,
        Utf8 | LargeUtf8 | Utf8View | Binary | LargeBinary | BinaryView => true,
        FixedSizeBinary(size) => *size > 0,
        Decimal32(precision, scale)
        | Decimal64(precision, scale)
        | Decimal128(precision, scale)
        | Decimal256(precision, scale) => {
            u8::try_from(*scale).is_ok_and(|scale| scale <= *precision && *precision > 0)
        }
        _ => false,
    }
}

/// The type that the Parquet decoder is asked for, from which [`restore`](crate::restore) makes `wanted`.
///
/// The decoder keeps a file's dictionary only for strings, and only where the key type has room for the dictionary of
/// the whole row group, which may join those of many batches: so it is asked for 32-bit keys there, and for
/// plain values everywhere else.
pub(crate) fn decoded_type(wanted: &DataType) -> DataType {
    use DataType::*;
    with_leaves(wanted, &mut |leaf| match leaf {
        Dictionary(_, values) => match values.as_ref() {
            Utf8 | Utf8View => Dictionary(Box::new(Int32), Box::new(Utf8)),
            Binary | BinaryView => Dictionary(Box::new(Int32), Box::new(Binary)),
            LargeUtf8 => Dictionary(Box::new(Int32), Box::new(LargeUtf8)),
            LargeBinary => Dictionary(Box::new(Int32), Box::new(LargeBinary)),
            other => codable(other),
        },
        other => codable(other),
    })
}

/// `field` with the type that the decoder is asked for.
pub(crate) fn decoded_field(field: &Field) -> Field {
    field.clone().with_data_type(decoded_type(field.data_type()))
}

/// The type that the Parquet encoder is given for what is stored as `stored`: it takes no dictionaries of views, and
/// those of fixed-size values it writes so that only it can read them.
pub(crate) fn encoded_type(stored: &DataType) -> DataType {
    use DataType::*;
    with_leaves(stored, &mut |leaf| match leaf {
        Dictionary(keys, values) => {
            let values = match values.as_ref() {
                FixedSizeBinary(size) => return FixedSizeBinary(*size),
                Utf8View => Utf8,
                BinaryView => Binary,
                other => codable(other),
            };
            Dictionary(keys.clone(), Box::new(values))
        }
        other => codable(other),
    })
}

/// `stored` with the type that the Parquet encoder is given.
pub(crate) fn encoded_field(stored: &Field) -> Field {
    stored.clone().with_data_type(encoded_type(stored.data_type()))
}

/// One digit is stored in 64 bits, which neither encoder nor decoder expects of a 32-bit decimal.
fn codable(leaf: &DataType) -> DataType {
    match leaf {
        DataType::Decimal32(1, scale) => DataType::Decimal64(1, *scale),
        other => other.clone(),
    }
}

/// The value types of a schema's dictionaries, its leaves depth first.
pub(crate) fn dictionary_leaves(schema: &Schema) -> Vec<DataType> {
    let mut found = Vec::new();
    for field in schema.fields() {
        with_leaves(field.data_type(), &mut |leaf| {
            if let DataType::Dictionary(_, values) = leaf {
                found.push(values.as_ref().clone());
            }
            leaf.clone()
        });
    }
    found
}

/// The schema with each leaf replaced, depth first; a dictionary is a leaf.
pub(crate) fn with_leaves_in_schema(
    schema: &Schema,
    replace: &mut impl FnMut(&DataType) -> DataType,
) -> Schema {
    let mut replaced = |field: &FieldRef| {
        let data_type = with_leaves(field.data_type(), replace);
        field.as_ref().clone().with_data_type(data_type)
    };
    let fields: Vec<Field> = schema.fields().iter().map(&mut replaced).collect();
    Schema::new_with_metadata(fields, schema.metadata().clone())
}

/// Whether a dictionary of the schema has keys of less than 32 bits, which may not tell all of its values apart.
pub fn has_narrow_keys(schema: &Schema) -> bool {
    schema.fields().iter().any(|field| holds_leaf(field.data_type(), &has_narrow_key))
}

/// The schema with keys of 32 bits at least in all of its dictionaries: what rows may come in whose dictionaries have
/// more values than the schema's own keys tell apart. [`TableEncoder`](crate::TableEncoder) takes them.
pub fn with_wide_keys(schema: &Schema) -> Schema {
    with_leaves_in_schema(schema, &mut |leaf| match leaf {
        DataType::Dictionary(_, values) if has_narrow_key(leaf) => {
            DataType::Dictionary(Box::new(DataType::Int32), values.clone())
        }
        other => other.clone(),
    })
}

fn has_narrow_key(leaf: &DataType) -> bool {
    use DataType::*;
    matches!(leaf, Dictionary(keys, _) if matches!(**keys, Int8 | UInt8 | Int16 | UInt16))
}

/// Whether two types are the same but for the width of dictionaries' keys.
pub(crate) fn same_but_for_keys(a: &DataType, b: &DataType) -> bool {
    a == b || {
        let without_keys = |data_type: &DataType| {
            with_leaves(data_type, &mut |leaf| match leaf {
                DataType::Dictionary(_, values) => {
                    DataType::Dictionary(Box::new(DataType::Int32), values.clone())
                }
                other => other.clone(),
            })
        };
        without_keys(a) == without_keys(b)
    }
}

/// `data_type` with each leaf in it replaced, depth first; a dictionary is a leaf.
pub(crate) fn with_leaves(data_type: &DataType, replace: &mut impl FnMut(&DataType) -> DataType) -> DataType {
    use DataType::*;
    let mut item = |field: &FieldRef| {
        let replaced = with_leaves(field.data_type(), replace);
        FieldRef::new(field.as_ref().clone().with_data_type(replaced))
    };
    match data_type {
        List(field) => List(item(field)),
        LargeList(field) => LargeList(item(field)),
        ListView(field) => ListView(item(field)),
        LargeListView(field) => LargeListView(item(field)),
        FixedSizeList(field, size) => FixedSizeList(item(field), *size),
        Map(entries, sorted) => Map(item(entries), *sorted),
        Struct(fields) => Struct(fields.iter().map(item).collect()),
        leaf => replace(leaf),
    }
}

/// `field` with each leaf in it replaced by what is made of it and of the physical type that it has in `column`, the
/// file's column that the field stands for.
pub(crate) fn with_file_leaves(
    field: &Field,
    column: &Type,
    replace: &impl Fn(&DataType, PhysicalType) -> DataType,
) -> Field {
    // Leaves stand in one order in Arrow and in Parquet.
    let mut leaves = physical_types(column).into_iter();
    let data_type = with_leaves(field.data_type(), &mut |leaf| match leaves.next() {
        Some(physical) => replace(leaf, physical),
        None => leaf.clone(),
    });
    field.clone().with_data_type(data_type)
}

fn physical_types(column: &Type) -> Vec<PhysicalType> {
    match column {
        Type::PrimitiveType { physical_type, .. } => vec![*physical_type],
        Type::GroupType { fields, .. } => fields.iter().flat_map(|field| physical_types(field)).collect(),
    }
}
