//! Message metadata and schemas from strangers.
//!
//! Arrow's own conversion of a schema trusts it and panics on what it does not know. Here every field
//! is looked at first, so that only a schema that makes sense is converted.

use std::collections::HashMap;

use arrow_ipc::convert::fb_to_schema;
use arrow_ipc::{
    DateUnit, Endianness, IntervalUnit, Message, MetadataVersion, Precision, TimeUnit, Type, UnionMode,
    root_as_message_with_opts,
};
use arrow_schema::{
    DECIMAL32_MAX_PRECISION, DECIMAL64_MAX_PRECISION, DECIMAL128_MAX_PRECISION, DECIMAL256_MAX_PRECISION,
    DataType, Field, Schema,
};
use flatbuffers::VerifierOptions;

use crate::limits::within;
use crate::{DecodeLimits, Error, Result};

/// How many tables the metadata of one field takes: itself, its type, its dictionary and the
/// dictionary's index type, with room for a little metadata of its own.
const TABLES_PER_FIELD: usize = 8;

/// The metadata of a message, verified to be a well-formed flatbuffer.
pub(crate) fn parse_message<'a>(metadata: &'a [u8], limits: &DecodeLimits) -> Result<Message<'a>> {
    let options = VerifierOptions {
        // One part of a flatbuffer may be named from many places, and counts again in each: without a
        // bound, a few kilobytes describe gigabytes.
        max_tables: limits.max_fields.saturating_mul(TABLES_PER_FIELD).saturating_add(64),
        max_apparent_size: metadata.len().saturating_mul(8).saturating_add(1 << 12),
        ..VerifierOptions::default()
    };
    let message = root_as_message_with_opts(&options, metadata)
        .map_err(|error| Error::Malformed(format!("the metadata of a message: {error}")))?;
    match message.version() {
        MetadataVersion::V4 | MetadataVersion::V5 => Ok(message),
        version => Err(Error::Malformed(format!("metadata of the version {version:?}"))),
    }
}

/// A schema, and the type of the values of each dictionary by the dictionary's id.
#[derive(Debug)]
pub(crate) struct StreamSchema {
    pub(crate) schema: Schema,
    pub(crate) dictionaries: HashMap<i64, DataType>,
}

/// Converts a schema after a look at each of its fields.
pub(crate) fn read_schema(schema: arrow_ipc::Schema<'_>, limits: &DecodeLimits) -> Result<StreamSchema> {
    if schema.endianness() != Endianness::Little {
        return Err(Error::BigEndian);
    }
    let fields = schema.fields().ok_or_else(|| Error::malformed("a schema without a list of fields"))?;
    let mut checked = 0;
    for field in fields {
        check_field(field, 1, &mut checked, limits)?;
    }
    let schema = fb_to_schema(schema);
    let mut dictionaries = HashMap::new();
    for field in schema.fields() {
        collect_dictionaries(field, &mut dictionaries)?;
    }
    Ok(StreamSchema { schema, dictionaries })
}

/// The fields directly below a type; those of its values, for a dictionary.
pub(crate) fn child_fields(data_type: &DataType) -> Vec<&Field> {
    match data_type {
        DataType::List(child)
        | DataType::LargeList(child)
        | DataType::ListView(child)
        | DataType::LargeListView(child)
        | DataType::FixedSizeList(child, _)
        | DataType::Map(child, _) => vec![child],
        DataType::Struct(children) => children.iter().map(AsRef::as_ref).collect(),
        DataType::Union(children, _) => children.iter().map(|(_, child)| child.as_ref()).collect(),
        DataType::RunEndEncoded(run_ends, values) => vec![run_ends, values],
        DataType::Dictionary(_, values) => child_fields(values),
        _ => Vec::new(),
    }
}

/// The id that a decoded field's dictionary has in its stream.
pub(crate) fn dictionary_id(field: &Field) -> Option<i64> {
    #[expect(deprecated, reason = "the id is of use only inside a stream, and that is where this is")]
    field.dict_id()
}

fn collect_dictionaries(field: &Field, found: &mut HashMap<i64, DataType>) -> Result<()> {
    if let (DataType::Dictionary(_, values), Some(id)) = (field.data_type(), dictionary_id(field)) {
        let before = found.insert(id, values.as_ref().clone());
        if before.is_some_and(|before| before != **values) {
            return Err(Error::Malformed(format!("dictionary {id} has values of two types")));
        }
    }
    let children = child_fields(field.data_type());
    children.into_iter().try_for_each(|child| collect_dictionaries(child, found))
}

fn check_field(
    field: arrow_ipc::Field<'_>,
    depth: usize,
    checked: &mut usize,
    limits: &DecodeLimits,
) -> Result<()> {
    *checked += 1;
    within("a number of fields", *checked as u64, limits.max_fields)?;
    within("a nesting of fields", depth as u64, limits.max_depth)?;
    let name = field.name().unwrap_or_default();
    let wrong = |what: &str| Error::Malformed(format!("field {name:?}: {what}"));
    let missing = || wrong("its type has no details");

    if let Some(dictionary) = field.dictionary() {
        let index = dictionary.indexType().ok_or_else(|| wrong("a dictionary without an index type"))?;
        if !is_int_width(index.bitWidth()) {
            return Err(wrong("a dictionary with an index of an unknown width"));
        }
    }

    let children = field.children();
    let child_count = children.map_or(0, |children| children.len());
    let expect_children = |expected: usize| match child_count == expected {
        true => Ok(()),
        false => Err(wrong(&format!("{child_count} children instead of {expected}"))),
    };

    let known = match field.type_type() {
        Type::Null
        | Type::Bool
        | Type::Binary
        | Type::LargeBinary
        | Type::BinaryView
        | Type::Utf8
        | Type::LargeUtf8
        | Type::Utf8View
        | Type::Struct_ => true,
        Type::Int => is_int_width(field.type_as_int().ok_or_else(missing)?.bitWidth()),
        Type::FloatingPoint => matches!(
            field.type_as_floating_point().ok_or_else(missing)?.precision(),
            Precision::HALF | Precision::SINGLE | Precision::DOUBLE
        ),
        Type::Date => {
            matches!(field.type_as_date().ok_or_else(missing)?.unit(), DateUnit::DAY | DateUnit::MILLISECOND)
        }
        Type::Time => {
            let time = field.type_as_time().ok_or_else(missing)?;
            matches!(
                (time.bitWidth(), time.unit()),
                (32, TimeUnit::SECOND | TimeUnit::MILLISECOND)
                    | (64, TimeUnit::MICROSECOND | TimeUnit::NANOSECOND)
            )
        }
        Type::Timestamp => is_time_unit(field.type_as_timestamp().ok_or_else(missing)?.unit()),
        Type::Duration => is_time_unit(field.type_as_duration().ok_or_else(missing)?.unit()),
        Type::Interval => matches!(
            field.type_as_interval().ok_or_else(missing)?.unit(),
            IntervalUnit::YEAR_MONTH | IntervalUnit::DAY_TIME | IntervalUnit::MONTH_DAY_NANO
        ),
        Type::Decimal => {
            let decimal = field.type_as_decimal().ok_or_else(missing)?;
            is_decimal(decimal.bitWidth(), decimal.precision(), decimal.scale())
        }
        Type::FixedSizeBinary => field.type_as_fixed_size_binary().ok_or_else(missing)?.byteWidth() >= 0,
        Type::FixedSizeList => {
            expect_children(1)?;
            field.type_as_fixed_size_list().ok_or_else(missing)?.listSize() >= 0
        }
        Type::List | Type::LargeList | Type::ListView | Type::LargeListView => {
            expect_children(1)?;
            true
        }
        Type::Map => {
            expect_children(1)?;
            field.type_as_map().ok_or_else(missing)?;
            let entries = children.map(|children| children.get(0));
            entries.is_some_and(|entries| {
                entries.type_type() == Type::Struct_
                    && entries.dictionary().is_none()
                    && entries.children().is_some_and(|pair| pair.len() == 2)
            })
        }
        Type::RunEndEncoded => {
            expect_children(2)?;
            let run_ends = children.map(|children| children.get(0));
            run_ends.is_some_and(|run_ends| {
                let width = run_ends.type_as_int().filter(|int| int.is_signed());
                !run_ends.nullable()
                    && run_ends.dictionary().is_none()
                    && width.is_some_and(|int| matches!(int.bitWidth(), 16 | 32 | 64))
            })
        }
        Type::Union => {
            let union = field.type_as_union().ok_or_else(missing)?;
            let ids = match union.typeIds() {
                Some(ids) => ids.iter().collect(),
                None => (0..child_count as i64).map(|id| id as i32).collect::<Vec<_>>(),
            };
            matches!(union.mode(), UnionMode::Sparse | UnionMode::Dense)
                && ids.len() == child_count
                && are_type_ids(&ids)
        }
        _ => false,
    };
    if !known {
        return Err(wrong(&format!("a type {:?} that Arrow does not define", field.type_type())));
    }
    for child in children.into_iter().flatten() {
        check_field(child, depth + 1, checked, limits)?;
    }
    Ok(())
}

fn is_int_width(bits: i32) -> bool {
    matches!(bits, 8 | 16 | 32 | 64)
}

fn is_time_unit(unit: TimeUnit) -> bool {
    matches!(unit, TimeUnit::SECOND | TimeUnit::MILLISECOND | TimeUnit::MICROSECOND | TimeUnit::NANOSECOND)
}

fn is_decimal(bits: i32, precision: i32, scale: i32) -> bool {
    let max_precision = match bits {
        32 => DECIMAL32_MAX_PRECISION,
        64 => DECIMAL64_MAX_PRECISION,
        128 => DECIMAL128_MAX_PRECISION,
        256 => DECIMAL256_MAX_PRECISION,
        _ => return false,
    };
    (1..=i32::from(max_precision)).contains(&precision)
        && i8::try_from(scale).is_ok()
        && scale <= i32::from(max_precision)
}

/// Whether each id fits into seven bits and none comes twice.
fn are_type_ids(ids: &[i32]) -> bool {
    let mut seen = 0u128;
    ids.iter().all(|&id| {
        let Some(bit) = u32::try_from(id).ok().and_then(|id| 1u128.checked_shl(id)) else {
            return false;
        };
        let new = seen & bit == 0;
        seen |= bit;
        new
    })
}
