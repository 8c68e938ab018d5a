//! The SQL names for the columns of a dataset.

use std::collections::HashSet;

use arrow::datatypes::Schema;
use polarway_table::distinct_names;

/// A name for each column, unique even if case is ignored. This is the column's own name; if SQL can't write it, for example
/// because it is empty, it is `column` and the column's index from 0. Otherwise DuckDB would number names that it sees as
/// equal, and so give a column another column's name.
pub(crate) fn sql_names(schema: &Schema) -> Vec<String> {
    let names = schema.fields().iter().map(|field| field.name());
    let mut taken: HashSet<String> =
        names.clone().filter(|name| is_writable(name)).map(|name| name.to_lowercase()).collect();
    let named: Vec<String> = names
        .enumerate()
        .map(|(place, name)| {
            if is_writable(name) {
                return name.clone();
            }
            let own = format!("column{place}");
            let mut free = own.clone();
            let mut number = 0_usize;
            while !taken.insert(free.clone()) {
                number += 1;
                free = format!("{own}_{number}");
            }
            free
        })
        .collect();
    distinct_names(named.iter().map(String::as_str), str::to_lowercase)
}

/// Whether a name can be written in SQL.
pub(crate) fn is_writable(name: &str) -> bool {
    !name.is_empty() && !name.contains('\0')
}

#[cfg(test)]
mod tests {
    use arrow::datatypes::{DataType, Field};

    use super::*;

    #[test]
    fn each_column_has_a_name_that_no_other_has() {
        let cases: [(&[&str], &[&str]); 5] = [
            (&["a", "b"], &["a", "b"]),
            (&["", "a", "\0"], &["column0", "a", "column2"]),
            (&["Column1", ""], &["Column1", "column1_1"]),
            (&["a", "A", "A_1"], &["a", "A_2", "A_1"]),
            (&["", "column0", "column0_1"], &["column0_2", "column0", "column0_1"]),
        ];
        for (given, expect) in cases {
            let fields: Vec<Field> =
                given.iter().map(|name| Field::new(*name, DataType::Int32, true)).collect();
            assert_eq!(sql_names(&Schema::new(fields)), expect, "{given:?}");
        }
    }
}
