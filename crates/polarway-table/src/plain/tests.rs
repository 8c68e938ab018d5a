use std::sync::Arc;

use arrow_array::types::Int32Type;
use arrow_array::{
    BooleanArray, FixedSizeBinaryArray, Int8Array, Int32Array, Int64Array, LargeListViewArray, ListViewArray,
    NullArray, StringArray, StringViewArray, UnionArray, new_null_array,
};
use arrow_buffer::ScalarBuffer;
use arrow_schema::{Field, UnionFields};
use polarway_testing::{Noise, batches, schemas};
use proptest::prelude::*;

use super::*;

#[test]
fn each_row_has_its_value_to_itself() {
    let words: ArrayRef = Arc::new(StringArray::from(vec!["one", "a hundred"]));
    let keys = Int8Array::from(vec![Some(0), Some(1), Some(1), None]);
    let dictionary = DictionaryArray::new(keys, Arc::clone(&words));
    assert_eq!(plain_bytes(&dictionary), (4 + 3) + 2 * (4 + 9) + 1);
    assert_eq!(plain_bytes(&dictionary.slice(1, 1)), 4 + 9);

    let views = StringViewArray::from(vec!["short", "more than twelve bytes long"]);
    assert_eq!(plain_bytes(&views), 2 * 16 + 27);

    let field = Arc::new(Field::new_list_field(DataType::Utf8, true));
    let (offsets, sizes) = (ScalarBuffer::from(vec![0, 1, 0]), ScalarBuffer::from(vec![2, 1, 2]));
    let lists = ListViewArray::new(field, offsets, sizes, words, None);
    assert_eq!(plain_bytes(&lists), 3 * 8 + (4 + 3) * 2 + (4 + 9) * 3);

    let runs =
        RunArray::<Int32Type>::try_new(&Int32Array::from(vec![1_000_000]), &StringArray::from(vec!["x"]));
    assert_eq!(plain_bytes(&runs.unwrap().slice(10, 900_000)), 900_000 * (4 + 1));
}

#[test]
fn fixed_widths_count_where_there_is_null_and_bits_as_bytes() {
    let wide = DataType::FixedSizeBinary(1_000);
    assert_eq!(plain_bytes(&new_null_array(&wide, 3)), 3_000);
    let values = FixedSizeBinaryArray::new(1_000, Vec::<u8>::new().into(), None);
    let nulls = DictionaryArray::<Int32Type>::new(Int32Array::from(vec![None; 5]), Arc::new(values));
    assert_eq!(plain_bytes(&nulls), 5_000);
    assert_eq!(plain_bytes(&NullArray::new(7)), 7);
    assert_eq!(plain_bytes(&BooleanArray::from(vec![true; 9])), 9);
}

#[test]
fn what_is_beyond_all_numbers_saturates() {
    let nulls: ArrayRef = Arc::new(NullArray::new(1 << 40));
    let views = |values: ArrayRef| -> ArrayRef {
        let field = Arc::new(Field::new_list_field(values.data_type().clone(), true));
        let sizes = ScalarBuffer::from(vec![values.len() as i64; 1_000]);
        Arc::new(LargeListViewArray::new(field, ScalarBuffer::from(vec![0i64; 1_000]), sizes, values, None))
    };
    let nested = (0..6).fold(nulls, |values, _| views(values));
    assert_eq!(plain_bytes(&nested), u64::MAX);
    assert_eq!(plain_bytes(&nested.slice(3, 1)), u64::MAX);
}

#[test]
fn unions_count_the_values_of_their_rows() {
    let fields = UnionFields::try_new(
        [0, 5],
        [Field::new("n", DataType::Int64, true), Field::new("s", DataType::Utf8, true)],
    );
    let children: Vec<ArrayRef> =
        vec![Arc::new(Int64Array::from(vec![1])), Arc::new(StringArray::from(vec!["abc"]))];
    let (types, offsets) = (vec![0i8, 5, 5, 5], vec![0, 0, 0, 0]);
    let union = UnionArray::try_new(fields.unwrap(), types.into(), Some(offsets.into()), children).unwrap();
    assert_eq!(plain_bytes(&union), 4 * 5 + 8 + 3 * (4 + 3));
}

#[test]
fn a_batch_is_cut_into_parts_that_mean_little() {
    let words: ArrayRef = Arc::new(StringArray::from(vec!["x".repeat(1_000), "y".to_owned()]));
    let keys = Int8Array::from_iter_values((0..100).map(|row| i8::from(row >= 50)));
    let column: ArrayRef = Arc::new(DictionaryArray::new(keys, words));
    let batch = RecordBatch::try_from_iter([("c", column)]).unwrap();
    let parts = plain_parts(&batch, 5_000);
    assert!(parts.iter().all(|part| plain_batch_bytes(part) <= 5_000));
    assert_eq!(parts.iter().map(RecordBatch::num_rows).sum::<usize>(), 100);
    // A row that means more by itself is a part by itself.
    assert_eq!(plain_parts(&batch.slice(0, 3), 10).len(), 3);
    assert_eq!(plain_parts(&batch.slice(0, 0), 10).len(), 1);
}

proptest! {
    #![proptest_config(polarway_testing::tries(64, 2_000))]

    #[test]
    fn a_whole_means_what_its_rows_mean(schema in schemas(), seed in any::<u64>()) {
        let mut noise = Noise::new(seed);
        for batch in batches(&mut noise, &schema, &[25]) {
            for column in batch.columns() {
                let rows = (0..column.len()).map(|row| plain_bytes(&column.slice(row, 1))).sum::<u64>();
                let whole = plain_bytes(column);
                // What lies between the values of list views may count too.
                if !column.data_type().to_string().contains("ListView") {
                    prop_assert_eq!(whole, rows, "{}", column.data_type());
                }
                prop_assert_eq!(plain_bytes_over(std::slice::from_ref(column), whole), None);
                prop_assert_eq!(plain_bytes_over(std::slice::from_ref(column), whole - 1), Some(whole));
            }
        }
    }
}
