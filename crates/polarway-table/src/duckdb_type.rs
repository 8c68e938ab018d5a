//! The SQL types of a query's columns, in the metadata of their fields.

use std::collections::HashMap;
use std::sync::Arc;

use arrow_array::{RecordBatch, RecordBatchOptions};
use arrow_cast::{CastOptions, cast_with_options};
use arrow_schema::{ArrowError, DataType, Field, FieldRef, Schema, SchemaRef};

/// The key in a field's metadata under which a query's result has the DuckDB type of a column, and of each value inside of a
/// nested one, as DuckDB's SQL writes it: `HUGEINT`, `UUID`, `STRUCT("a" INTERVAL)[]`. The Arrow type alone does not show it.
/// With it a client can restore the value's type, for example by a cast in DuckDB.
pub const DUCKDB_TYPE_KEY: &str = "polarway.duckdb.type";

/// The DuckDB type of a field of a query's result.
#[must_use]
pub fn duckdb_type(field: &Field) -> Option<&str> {
    field.metadata().get(DUCKDB_TYPE_KEY).map(String::as_str)
}

/// The same columns without their DuckDB types, at any depth; `None` if they have none. They describe a result. For a
/// dataset, whose columns may be widened and appended to, they would become wrong.
#[must_use]
pub fn without_duckdb_types(schema: &Schema) -> Option<SchemaRef> {
    let fields: Vec<FieldRef> = schema.fields().iter().map(field_without).collect();
    let has_changed = fields.iter().zip(schema.fields()).any(|(new, old)| !Arc::ptr_eq(new, old));
    has_changed.then(|| Arc::new(Schema::new_with_metadata(fields, schema.metadata().clone())))
}

/// The field without its DuckDB types; the same field if it has none.
fn field_without(field: &FieldRef) -> FieldRef {
    let inner = type_without(field.data_type());
    if inner.is_none() && duckdb_type(field).is_none() {
        return Arc::clone(field);
    }
    let mut metadata: HashMap<String, String> = field.metadata().clone();
    metadata.remove(DUCKDB_TYPE_KEY);
    let data_type = inner.unwrap_or_else(|| field.data_type().clone());
    Arc::new(field.as_ref().clone().with_data_type(data_type).with_metadata(metadata))
}

fn type_without(data_type: &DataType) -> Option<DataType> {
    let changed = |item: &FieldRef| {
        let new = field_without(item);
        (!Arc::ptr_eq(&new, item)).then_some(new)
    };
    Some(match data_type {
        DataType::List(item) => DataType::List(changed(item)?),
        DataType::LargeList(item) => DataType::LargeList(changed(item)?),
        DataType::FixedSizeList(item, size) => DataType::FixedSizeList(changed(item)?, *size),
        DataType::Map(entries, is_sorted) => DataType::Map(changed(entries)?, *is_sorted),
        DataType::Struct(fields) => {
            let new: Vec<FieldRef> = fields.iter().map(field_without).collect();
            if new.iter().zip(fields).all(|(new, old)| Arc::ptr_eq(new, old)) {
                return None;
            }
            DataType::Struct(new.into())
        }
        _ => return None,
    })
}

/// A batch with the schema that [`without_duckdb_types`] has returned for its schema. No values are copied.
///
/// # Errors
/// The schema is that of another batch.
pub fn batch_without_duckdb_types(
    batch: &RecordBatch,
    schema: &SchemaRef,
) -> Result<RecordBatch, ArrowError> {
    // If types differ only in the metadata of inner fields, a cast keeps the values as they are.
    let exact = CastOptions { safe: false, ..CastOptions::default() };
    let columns = batch.columns().iter().zip(schema.fields());
    let columns = columns.map(|(column, field)| cast_with_options(column, field.data_type(), &exact));
    let rows = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
    RecordBatch::try_new_with_options(Arc::clone(schema), columns.collect::<Result<_, _>>()?, &rows)
}

#[cfg(test)]
mod tests {
    use arrow_array::builder::{Int32Builder, ListBuilder, MapBuilder, StringBuilder};
    use arrow_array::{Array as _, ArrayRef, Int32Array, StructArray};

    use super::*;

    fn of(field: Field, duckdb_type: &str) -> FieldRef {
        let mut metadata = field.metadata().clone();
        metadata.insert(DUCKDB_TYPE_KEY.to_owned(), duckdb_type.to_owned());
        Arc::new(field.with_metadata(metadata))
    }

    #[test]
    fn columns_without_a_type_of_duckdbs_stay_as_they_are() {
        let other = HashMap::from([("k".to_owned(), "v".to_owned())]);
        let schema = Schema::new(vec![Field::new("a", DataType::Int32, true).with_metadata(other)]);
        assert_eq!(without_duckdb_types(&schema), None);
    }

    #[test]
    fn types_go_at_any_depth_and_values_and_other_metadata_stay() {
        let item = of(Field::new("l", DataType::Int32, true), "INTEGER");
        let mut lists = ListBuilder::new(Int32Builder::new()).with_field(Arc::clone(&item));
        lists.append_value([Some(1), None]);
        lists.append_null();
        let lists: ArrayRef = Arc::new(lists.finish());
        let mut maps = MapBuilder::new(None, StringBuilder::new(), Int32Builder::new())
            .with_values_field(of(Field::new("values", DataType::Int32, true), "INTEGER"));
        maps.keys().append_value("k");
        maps.values().append_value(5);
        maps.append(true).unwrap();
        maps.append(false).unwrap();
        let maps: ArrayRef = Arc::new(maps.finish());
        let inner = of(Field::new("inner", lists.data_type().clone(), true), "INTEGER[]");
        let structs: ArrayRef = Arc::new(StructArray::from(vec![(inner, Arc::clone(&lists))]));
        let numbers: ArrayRef = Arc::new(Int32Array::from(vec![1, 2]));
        let kept = HashMap::from([("k".to_owned(), "v".to_owned())]);
        let schema = Arc::new(Schema::new(vec![
            of(Field::new("s", structs.data_type().clone(), true).with_metadata(kept.clone()), "STRUCT(…)"),
            Arc::new(Field::new("m", maps.data_type().clone(), true)),
            of(Field::new("n", DataType::Int32, false), "INTEGER"),
        ]));
        let batch = RecordBatch::try_new(Arc::clone(&schema), vec![structs, maps, numbers]).unwrap();
        let stored = without_duckdb_types(&schema).unwrap();
        assert!(!format!("{stored:?}").contains(DUCKDB_TYPE_KEY), "{stored:?}");
        assert_eq!(stored.field(0).metadata(), &kept);
        let without = batch_without_duckdb_types(&batch, &stored).unwrap();
        assert_eq!(without.schema(), stored);
        assert_eq!(crate::Table::from(without).to_string(), crate::Table::from(batch).to_string());
        assert_eq!(without_duckdb_types(&stored), None);
    }
}
