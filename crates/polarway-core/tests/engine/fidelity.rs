//! What is stored is what is loaded, and what SQL sees; what SQL can't see right it refuses by name.

use std::sync::Arc;

use polarway_core::arrow::array::{
    Array, ArrayRef, ArrowPrimitiveType, AsArray, RecordBatch, TimestampMillisecondArray,
};
use polarway_core::arrow::compute::{CastOptions, cast_with_options};
use polarway_core::arrow::datatypes::{DataType, Field, Float16Type, Int64Type, Schema, SchemaRef, TimeUnit};
use polarway_core::{ErrorKind, Polarway, Table};
use polarway_testing::{Noise, assert_same_rows, batches, schemas, tries, with_keys_of};
use proptest::collection::vec;
use proptest::prelude::*;

use crate::support::{config, engine};

proptest! {
    #![proptest_config(tries(48, 1_000))]

    #[test]
    fn any_table_is_loaded_as_it_was_stored_and_sql_sees_it_or_refuses_it_by_name(
        schema in schemas(),
        seed in any::<u64>(),
        rows in vec(0..60usize, 0..4),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(check(schema, seed, &rows));
    }
}

async fn check(schema: SchemaRef, seed: u64, rows: &[usize]) {
    let folder = tempfile::tempdir().unwrap();
    let polarway = Polarway::open(config(&folder)).await.unwrap();
    let stored = batches(&mut Noise::new(seed), &schema, rows);
    polarway.store("t", Table::new(schema.clone(), stored.clone())).await.unwrap();
    for _ in 0..2 {
        // From the storage, then from the cache.
        let loaded = polarway.load("t").await.unwrap();
        assert_same_rows(&with_keys_of(loaded.schema(), &stored), loaded.batches());
    }
    for (place, field) in schema.fields().iter().enumerate() {
        let columns: Vec<ArrayRef> = stored.iter().map(|batch| batch.column(place).clone()).collect();
        check_sql(&polarway, field, columns).await;
    }
    let counted = polarway.query("SELECT count(*) FROM t").await.unwrap();
    let count = counted.batches()[0].column(0).as_primitive::<Int64Type>().value(0);
    assert_eq!(count as usize, rows.iter().sum::<usize>(), "the other columns stay usable");
}

async fn check_sql(polarway: &Polarway, field: &Field, stored: Vec<ArrayRef>) {
    let quoted = field.name().replace('"', "\"\"");
    match polarway.query(&format!("SELECT \"{quoted}\" FROM t")).await {
        Err(error) => {
            let refusals = [ErrorKind::Unsupported, ErrorKind::QueryFailed, ErrorKind::InvalidQuery];
            assert!(refusals.contains(&error.kind()), "{field}: {error}");
            // DuckDB names no column when its microseconds can't reach what milliseconds do.
            if error.kind() == ErrorKind::QueryFailed && holds_milliseconds(field) {
                return;
            }
            assert!(error.to_string().contains(field.name().as_str()), "{field}: {error}");
            assert!(!is_plain(field.data_type()), "SQL must see {field}: {error}");
        }
        Ok(seen) => {
            let seen = seen.batches().iter().map(|batch| restore(batch.column(0), field.data_type()));
            let Some(seen) = seen.collect::<Option<Vec<ArrayRef>>>() else { return };
            let schema = Arc::new(Schema::new(vec![Field::new("c", field.data_type().clone(), true)]));
            let as_batches = |columns: Vec<ArrayRef>| -> Vec<RecordBatch> {
                let batch = |column| RecordBatch::try_new(schema.clone(), vec![column]).unwrap();
                columns.into_iter().map(batch).collect()
            };
            let with_one_nan = |columns: Vec<ArrayRef>| columns.iter().map(with_one_nan_of_halves).collect();
            assert_same_rows(&as_batches(with_one_nan(stored)), &as_batches(with_one_nan(seen)));
        }
    }
}

fn holds_milliseconds(field: &Field) -> bool {
    let schema = Schema::new(vec![field.clone()]);
    let is_in = |field: &&Field| {
        let leaf = match field.data_type() {
            DataType::Dictionary(_, values) => values.as_ref(),
            other => other,
        };
        matches!(leaf, DataType::Timestamp(TimeUnit::Millisecond, _))
    };
    schema.flattened_fields().iter().any(is_in)
}

/// Types that SQL must see, and see as they are.
fn is_plain(data_type: &DataType) -> bool {
    use DataType::*;

    matches!(
        data_type,
        Boolean
            | Int8
            | Int16
            | Int32
            | Int64
            | UInt8
            | UInt16
            | UInt32
            | UInt64
            | Float16
            | Float32
            | Float64
            | Utf8
            | LargeUtf8
            | Utf8View
            | Binary
            | LargeBinary
            | BinaryView
            | FixedSizeBinary(_)
            | Date32
            | Decimal32(..)
            | Decimal64(..)
            | Decimal128(..)
    )
}

/// What SQL saw as the stored type, where a cast can tell; nested types are the query engine's
/// own tests to compare.
fn restore(seen: &ArrayRef, stored: &DataType) -> Option<ArrayRef> {
    let strictly = CastOptions { safe: false, ..CastOptions::default() };
    let tells = is_plain(stored)
        || matches!(stored, DataType::Timestamp(..) | DataType::Date64 | DataType::Time32(_));
    tells.then(|| cast_with_options(seen, stored, &strictly).unwrap())
}

/// SQL has half floats as floats: which of the NaNs a value was is lost on the way.
fn with_one_nan_of_halves(column: &ArrayRef) -> ArrayRef {
    let Some(halves) = column.as_primitive_opt::<Float16Type>() else { return column.clone() };
    type Half = <Float16Type as ArrowPrimitiveType>::Native;
    Arc::new(halves.unary::<_, Float16Type>(|half| if half.is_nan() { Half::NAN } else { half }))
}

#[tokio::test]
async fn milliseconds_beyond_sqls_reach_leave_the_other_columns_usable() {
    let (polarway, _folder) = engine().await;
    let far: ArrayRef = Arc::new(TimestampMillisecondArray::from(vec![Some(i64::MAX / 2), None, Some(0)]));
    let near: ArrayRef = Arc::new(TimestampMillisecondArray::from(vec![Some(1), None, Some(0)]));
    let batch = RecordBatch::try_from_iter_with_nullable([("far", far, true), ("near", near, true)]).unwrap();
    polarway.store("t", &batch).await.unwrap();
    let counted = polarway.query("SELECT count(near) FROM t WHERE near > '1970-01-01'").await.unwrap();
    assert_eq!(counted.batches()[0].column(0).as_primitive::<Int64Type>().value(0), 1);
    polarway.query("SELECT far FROM t").await.unwrap_err();
}

#[tokio::test]
async fn a_table_of_a_thousand_columns_is_stored_loaded_and_queried() {
    let (polarway, _folder) = engine().await;
    let fields: Vec<Field> =
        (0..1_000).map(|place| Field::new(format!("c{place}"), DataType::Int64, true)).collect();
    let schema = Arc::new(Schema::new(fields));
    let stored = batches(&mut Noise::new(7), &schema, &[100]);
    polarway.store("wide", Table::new(schema.clone(), stored.clone())).await.unwrap();
    let loaded = polarway.load("wide").await.unwrap();
    assert_eq!(loaded.schema(), &schema);
    assert_same_rows(&stored, loaded.batches());
    let last = polarway.query("SELECT c999 FROM wide").await.unwrap();
    assert_eq!(last.to_batch().unwrap().column(0).to_data(), stored[0].column(999).to_data());
}
