//! Categories come back as they were stored, whichever way a table takes.

use std::sync::Arc;

use polarway_core::arrow::array::{
    Array, ArrayRef, AsArray, DictionaryArray, Int8Array, RecordBatch, StringArray,
};
use polarway_core::arrow::datatypes::{Field, Int8Type, Schema, SchemaRef};
use polarway_core::{Polarway, Table};

use crate::support::{config, lines};

const SIZES: [&str; 5] = ["none", "small", "medium", "large", "giant"];

/// Rows of these sizes, with an ordered dictionary of all of them.
fn sizes(rows: &[Option<i8>]) -> RecordBatch {
    let keys = Int8Array::from(rows.to_vec());
    let column = DictionaryArray::<Int8Type>::new(keys, Arc::new(StringArray::from(SIZES.to_vec())));
    let field = Field::new("size", column.data_type().clone(), true).with_dict_is_ordered(true);
    let schema: SchemaRef = Arc::new(Schema::new(vec![field]));
    RecordBatch::try_new(schema, vec![Arc::new(column) as ArrayRef]).unwrap()
}

fn check(loaded: &Table, expected: &[&str]) {
    assert_eq!(loaded.schema().field(0).dict_is_ordered(), Some(true));
    for batch in loaded.batches() {
        let values = batch.column(0).as_any_dictionary().values();
        assert_eq!(values.as_string::<i32>(), &StringArray::from(SIZES.to_vec()));
    }
    assert_eq!(lines(loaded), expected);
}

#[tokio::test]
async fn categories_that_no_row_has_and_their_order_survive_storage_cache_appends_and_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let polarway = Polarway::open(config(&folder)).await.unwrap();
    polarway.store("sizes", sizes(&[Some(3), None, Some(1)])).await.unwrap();
    for _ in 0..2 {
        // From the storage, then from the cache.
        check(&polarway.load("sizes").await.unwrap(), &["large", "", "small"]);
    }
    polarway.append("sizes", sizes(&[Some(2)])).await.unwrap();
    let expected = ["large", "", "small", "medium"];
    for _ in 0..2 {
        check(&polarway.load("sizes").await.unwrap(), &expected);
    }
    drop(polarway);
    let polarway = Polarway::open(config(&folder)).await.unwrap();
    check(&polarway.load("sizes").await.unwrap(), &expected);
    let order = polarway.query("SELECT size FROM sizes WHERE size IS NOT NULL ORDER BY size").await.unwrap();
    assert_eq!(lines(&order), ["large", "medium", "small"], "to SQL they are texts");
}
