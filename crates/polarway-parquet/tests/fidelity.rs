//! What was written is what is read.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod support;

use std::sync::Arc;

use arrow_array::{Array, ArrayRef, FixedSizeListArray, Int8Array, RecordBatch, StructArray};
use arrow_buffer::NullBuffer;
use arrow_schema::{DataType, Field, Fields};
use polarway_parquet::{EncodeOptions, FileReader, ReadOptions, check_schema};
use polarway_testing::{Noise, assert_same_rows, batches, with_keys_of};
use proptest::collection::vec;
use proptest::prelude::*;
use support::{decode, encode, source};

proptest! {
    #![proptest_config(polarway_testing::tries(256, 20_000))]

    #[test]
    fn any_table_comes_back_as_it_was_stored(
        schema in polarway_testing::schemas(),
        seed in any::<u64>(),
        rows in vec(0..150usize, 0..5),
        row_group_rows in 1..300usize,
        batch_rows in 1..200usize,
        first_row in 0..40u64,
    ) {
        prop_assert_eq!(check_schema(&schema), Ok(()));
        let written = batches(&mut Noise::new(seed), &schema, &rows);
        let (file, summary) = encode(&schema, &written, EncodeOptions::default().with_row_group_rows(row_group_rows));
        prop_assert_eq!(summary.rows, rows.iter().sum::<usize>() as u64);
        prop_assert_eq!(summary.bytes, file.len() as u64);

        let reader = FileReader::open(source(&file)).unwrap();
        prop_assert_eq!(reader.schema(), &summary.schema);
        prop_assert_eq!(reader.rows(), summary.rows);
        prop_assert_eq!(reader.row_groups(), summary.row_groups);

        // The batches' dictionaries together may need wider keys. Narrow ones will do as well, for fewer rows at a time.
        let wide = with_keys_of(&summary.schema, &written);
        let options = ReadOptions::default().with_batch_rows(batch_rows);
        let read = decode(std::slice::from_ref(&file), &summary.schema, options.clone()).unwrap();
        assert_same_rows(&wide, &read);

        let read = decode(std::slice::from_ref(&file), &schema, options.clone()).unwrap();
        for batch in &read {
            prop_assert_eq!(&batch.schema(), &schema);
            prop_assert!(batch.num_rows() <= batch_rows && batch.num_rows() > 0);
        }
        assert_same_rows(&written, &read);

        // From any row on, it is the same rows.
        let first_row = first_row.min(summary.rows);
        let rest = decode(&[file], &schema, options.with_first_row(first_row)).unwrap();
        let mut skip = first_row as usize;
        let expected: Vec<_> = written.iter().filter_map(|batch| {
            let skipped = skip.min(batch.num_rows());
            skip -= skipped;
            (skipped < batch.num_rows()).then(|| batch.slice(skipped, batch.num_rows() - skipped))
        }).collect();
        assert_same_rows(&expected, &rest);
    }
}

/// A column as a field that can't be null.
fn required(name: &str, column: &ArrayRef) -> Field {
    Field::new(name, column.data_type().clone(), false)
}

fn pairs(values: ArrayRef) -> ArrayRef {
    Arc::new(FixedSizeListArray::new(Arc::new(required("item", &values)), 2, values, None))
}

fn structs(child: ArrayRef, nulls: Option<NullBuffer>) -> ArrayRef {
    let fields = Fields::from(vec![required("child", &child)]);
    Arc::new(StructArray::new(fields, vec![child], nulls))
}

#[test]
fn where_a_struct_is_null_whatever_it_must_hold_is_null_by_it_and_the_table_is_a_valid_one() {
    let numbers = |count: i8| Arc::new(Int8Array::from_iter_values(0..count)) as ArrayRef;
    for child in [
        numbers(3),
        pairs(numbers(6)),
        pairs(pairs(numbers(12))),
        structs(numbers(3), None),
        structs(pairs(numbers(6)), None),
        pairs(structs(numbers(6), None)),
        pairs(structs(pairs(numbers(12)), None)),
    ] {
        let data_type: DataType = child.data_type().clone();
        let column = structs(child, Some(NullBuffer::from(vec![true, false, true])));
        let written = vec![RecordBatch::try_from_iter_with_nullable([("column", column, true)]).unwrap()];
        let (file, summary) = encode(&written[0].schema(), &written, EncodeOptions::default());
        let read = decode(&[file], &summary.schema, ReadOptions::default()).unwrap();
        assert_same_rows(&written, &read);
        let validity = read[0].column(0).to_data().validate_full();
        assert!(validity.is_ok(), "{data_type}: {validity:?}");
    }
}
