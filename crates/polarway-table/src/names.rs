//! Names of columns: distinct ones, and others for the same columns.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use arrow_array::{RecordBatch, RecordBatchOptions};
use arrow_schema::{ArrowError, Field, Schema, SchemaRef};

/// Distinct names of columns: of several equal names the first one stays, and the others get a number that gives a name that no
/// column has. Names are equal if their `key` is, such as the name itself or its lower case.
///
/// ```
/// use polarway_table::distinct_names;
///
/// assert_eq!(distinct_names(["v", "v", "V"], str::to_owned), ["v", "v_1", "V"]);
/// assert_eq!(distinct_names(["v", "v", "V", "v_1"], str::to_lowercase), ["v", "v_2", "V_3", "v_1"]);
/// ```
pub fn distinct_names<'a>(
    names: impl IntoIterator<Item = &'a str> + Clone,
    key: impl Fn(&str) -> String,
) -> Vec<String> {
    // A number must not give the original name of another column.
    let given: HashSet<String> = names.clone().into_iter().map(&key).collect();
    let mut taken: HashSet<String> = HashSet::new();
    let mut numbers: HashMap<String, u64> = HashMap::new();
    let distinct = names.into_iter().map(|name| {
        let name_key = key(name);
        if taken.insert(name_key.clone()) {
            return name.to_owned();
        }
        let number = numbers.entry(name_key).or_default();
        loop {
            *number += 1;
            let numbered = format!("{name}_{number}");
            let numbered_key = key(&numbered);
            if !given.contains(&numbered_key) && taken.insert(numbered_key) {
                return numbered;
            }
        }
    });
    distinct.collect()
}

/// The columns with distinct names, which are equal if their `key` is.
#[must_use]
pub fn with_distinct_names(schema: &SchemaRef, key: impl Fn(&str) -> String) -> SchemaRef {
    let names = schema.fields().iter().map(|field| field.name().as_str());
    with_names(schema, distinct_names(names, key))
}

/// The columns with these names, one for each.
#[must_use]
pub fn with_names(schema: &SchemaRef, names: Vec<String>) -> SchemaRef {
    let fields = schema.fields().iter().zip(names);
    let fields: Vec<Field> = fields.map(|(field, name)| field.as_ref().clone().with_name(name)).collect();
    Arc::new(Schema::new_with_metadata(fields, schema.metadata().clone()))
}

/// A batch with the names and the metadata of these columns, whose types it has. No values are copied.
///
/// # Errors
/// The columns are those of another batch.
pub fn renamed(batch: &RecordBatch, schema: &SchemaRef) -> Result<RecordBatch, ArrowError> {
    let rows = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
    RecordBatch::try_new_with_options(Arc::clone(schema), batch.columns().to_vec(), &rows)
}

#[cfg(test)]
mod tests {
    use arrow_schema::DataType;

    use super::*;

    #[test]
    fn rows_without_columns_keep_their_number_under_other_names() {
        let rows = RecordBatchOptions::new().with_row_count(Some(3));
        let none: SchemaRef = Arc::new(Schema::empty());
        let batch = RecordBatch::try_new_with_options(Arc::clone(&none), Vec::new(), &rows).unwrap();
        assert_eq!(renamed(&batch, &none).unwrap().num_rows(), 3);
        let other: SchemaRef = Arc::new(Schema::new(vec![Field::new("n", DataType::Int64, true)]));
        assert!(renamed(&batch, &other).is_err());
    }

    #[test]
    fn columns_keep_all_but_their_names() {
        let metadata = |value: &str| HashMap::from([("origin".to_owned(), value.to_owned())]);
        let field = Field::new("v", DataType::Int64, false).with_metadata(metadata("a column"));
        let schema = Schema::new_with_metadata(vec![field.clone(), field.clone()], metadata("a table"));
        let distinct = with_distinct_names(&Arc::new(schema), str::to_owned);
        let expect = vec![field.clone(), field.with_name("v_1")];
        assert_eq!(*distinct, Schema::new_with_metadata(expect, metadata("a table")));
    }

    #[test]
    fn a_name_that_stands_once_is_never_changed() {
        let cases: [(&[&str], &[&str]); 5] = [
            (&["a", "b"], &["a", "b"]),
            (&["", ""], &["", "_1"]),
            (&["a", "a", "a_1"], &["a", "a_2", "a_1"]),
            (&["a_1", "a", "a"], &["a_1", "a", "a_2"]),
            (&["a", "A", "a"], &["a", "A_1", "a_2"]),
        ];
        for (given, expect) in cases {
            assert_eq!(distinct_names(given.iter().copied(), str::to_lowercase), expect, "{given:?}");
        }
    }

    #[test]
    fn many_columns_of_one_name_are_told_apart_in_time() {
        let names = distinct_names(vec!["v"; 20_000], str::to_owned);
        assert_eq!(names.iter().collect::<HashSet<_>>().len(), names.len());
    }
}
