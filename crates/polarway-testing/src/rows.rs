//! Comparing tables by their rows.

use std::sync::Arc;

use arrow_array::{Array, RecordBatch, RecordBatchOptions};
use arrow_schema::{DataType, Field, FieldRef, Schema, SchemaRef};

/// Asserts that both are the same rows, of the same types, however they are cut into batches.
///
/// # Panics
/// When they are not; the message shows the first column that differs.
#[track_caller]
pub fn assert_same_rows(left: &[RecordBatch], right: &[RecordBatch]) {
    let rows = |batches: &[RecordBatch]| batches.iter().map(RecordBatch::num_rows).sum::<usize>();
    assert_eq!(rows(left), rows(right), "the number of rows");
    let (mut left, mut right) = (left.iter().cloned(), right.iter().cloned());
    let (mut one, mut other) = (None::<RecordBatch>, None::<RecordBatch>);
    loop {
        let filled = |batch: &RecordBatch| batch.num_rows() > 0;
        let a = one.take().filter(filled).or_else(|| left.find(filled));
        let b = other.take().filter(filled).or_else(|| right.find(filled));
        let (Some(a), Some(b)) = (a, b) else { return };
        let length = a.num_rows().min(b.num_rows());
        for (column, field) in a.schema().fields().iter().enumerate() {
            let (x, y) = (a.column(column).slice(0, length), b.column(column).slice(0, length));
            assert_eq!(x.data_type(), y.data_type(), "{field}");
            assert!(x.to_data() == y.to_data(), "column {field}\n{x:?}\n{y:?}");
        }
        one = Some(a.slice(length, a.num_rows() - length));
        other = Some(b.slice(length, b.num_rows() - length));
    }
}

/// The rows with their dictionaries' keys as wide as `schema` has them, which may be wider: the dictionaries of several
/// batches together may need it.
///
/// # Panics
/// When the schema differs from that of the batches in anything else.
#[track_caller]
pub fn with_keys_of(schema: &SchemaRef, batches: &[RecordBatch]) -> Vec<RecordBatch> {
    let widen = |batch: &RecordBatch| {
        let stored = batch.schema();
        assert_eq!(without_keys(&stored), without_keys(schema));
        let pairs = batch.columns().iter().zip(schema.fields());
        let columns = pairs.map(|(column, field)| arrow_cast::cast(column, field.data_type()).unwrap());
        let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
        RecordBatch::try_new_with_options(Arc::clone(schema), columns.collect(), &options).unwrap()
    };
    batches.iter().map(widen).collect()
}

/// The schema with the same keys in all dictionaries.
fn without_keys(schema: &Schema) -> Schema {
    let fields: Vec<FieldRef> = schema.fields().iter().map(field_without_keys).collect();
    Schema::new_with_metadata(fields, schema.metadata().clone())
}

fn field_without_keys(field: &FieldRef) -> FieldRef {
    use DataType::*;
    let data_type = match field.data_type() {
        Dictionary(_, values) => Dictionary(Box::new(Int32), values.clone()),
        List(item) => List(field_without_keys(item)),
        LargeList(item) => LargeList(field_without_keys(item)),
        ListView(item) => ListView(field_without_keys(item)),
        LargeListView(item) => LargeListView(field_without_keys(item)),
        FixedSizeList(item, size) => FixedSizeList(field_without_keys(item), *size),
        Map(entries, sorted) => Map(field_without_keys(entries), *sorted),
        Struct(fields) => Struct(fields.iter().map(field_without_keys).collect()),
        leaf => leaf.clone(),
    };
    Arc::new(Field::clone(field).with_data_type(data_type))
}
