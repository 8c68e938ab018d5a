//! Files that other programs wrote: their statistics may tell less than the truth, their columns may be named alike.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "what fails in a helper fails the test"
)]

mod support;

use std::path::Path;
use std::sync::Arc;

use arrow::array::*;
use arrow::compute::cast;
use arrow::datatypes::*;
use polarway_query::{Catalog, CatalogError, FileGroup, Listed, Reference, Relation};

use support::files::foreign_group;
use support::{Bench, batch, rows_of, stored_schema, write};

/// One file, as somebody else's.
struct Foreign(std::path::PathBuf, SchemaRef);

impl Foreign {
    fn new(file: &Path) -> Arc<Self> {
        Arc::new(Self(file.to_owned(), stored_schema(file)))
    }
}

impl Catalog for Foreign {
    fn sees_analytics(&self, _schema: &str, _table: &str) -> bool {
        true
    }

    fn resolve(&self, references: &[Reference]) -> Result<Vec<Relation>, CatalogError> {
        let group = FileGroup {
            has_exact_types: false,
            has_exact_float_statistics: false,
            ..foreign_group(std::slice::from_ref(&self.0), Arc::clone(&self.1))
        };
        let relation = || Relation::of_groups(vec![group.clone()], Arc::clone(&self.1));
        Ok(references.iter().map(|_| relation()).collect())
    }

    fn list(&self) -> Result<Vec<Listed>, CatalogError> {
        Ok(Vec::new())
    }
}

#[test]
fn a_nan_that_the_statistics_leave_out_is_found_by_every_condition_and_aggregate() {
    let bench = Bench::new();
    let file = bench.cold().join("t.parquet");
    let doubles = Float64Array::from(vec![Some(1.0), Some(f64::NAN), Some(2.0), None]);
    let doubles: ArrayRef = Arc::new(doubles);
    let singles = cast(&doubles, &DataType::Float32).unwrap();
    let halves = cast(&singles, &DataType::Float16).unwrap();
    let field = |name: &str, data_type: &DataType| Arc::new(Field::new(name, data_type.clone(), true));
    let inner: ArrayRef =
        Arc::new(StructArray::from(vec![(field("x", &DataType::Float64), Arc::clone(&doubles))]));
    let nested: ArrayRef =
        Arc::new(StructArray::from(vec![(field("inner", inner.data_type()), Arc::clone(&inner))]));
    let lists: ArrayRef = Arc::new(ListArray::from_iter_primitive::<Float64Type, _, _>([
        Some(vec![Some(1.0)]),
        Some(vec![Some(f64::NAN)]),
        Some(vec![Some(2.0)]),
        None,
    ]));
    let columns = [("d", doubles), ("s", singles), ("h", halves), ("n", nested), ("l", lists)];
    write(&file, &batch(columns.to_vec()));
    let catalog = Foreign::new(&file);
    for value in ["d", "s", "h", "n.inner.x", "l[1]"] {
        for (question, answer) in [
            ("count(*) FROM t WHERE {} > 5", "1"),
            ("count(*) FROM t WHERE {} = 'nan'", "1"),
            ("count(*) FROM t WHERE {} >= 2", "2"),
            ("count(*) FROM t WHERE {} <> 1", "2"),
            ("count(*) FROM t WHERE {} <= 2", "2"),
            ("count(*) FROM t WHERE NOT {} <= 2", "1"),
            ("count(*) FROM t WHERE {} IN (1, 'nan')", "2"),
            ("count(*) FROM t WHERE {} BETWEEN 3 AND 'nan'", "1"),
            ("count(*) FROM t WHERE isnan({})", "1"),
            ("count(*) FROM t WHERE {} IS NULL", "1"),
            ("max({}) FROM t", "NaN"),
            ("min({}) FROM t", "1.0"),
            ("count(NULLIF({}, 'nan')) FROM t", "2"),
        ] {
            let sql = format!("SELECT {}", question.replace("{}", value));
            let seen = rows_of(&bench.query_with(catalog.clone(), &sql).unwrap());
            assert_eq!(seen, [answer], "{sql}");
        }
        let sql = format!("SELECT {value} FROM t ORDER BY 1 DESC NULLS LAST LIMIT 1");
        assert_eq!(rows_of(&bench.query_with(catalog.clone(), &sql).unwrap()), ["NaN"], "{sql}");
    }
}

#[test]
fn no_nan_is_made_up_and_zeroes_of_either_sign_are_equal() {
    let bench = Bench::new();
    let file = bench.cold().join("t.parquet");
    let zeroes: ArrayRef = Arc::new(Float64Array::from(vec![0.0, -0.0, 0.0]));
    write(&file, &batch(vec![("z", zeroes)]));
    let catalog = Foreign::new(&file);
    for (sql, answer) in [
        ("SELECT max(z) = 0 AND min(z) = 0 FROM t", "true"),
        ("SELECT count(*) FROM t WHERE z = 0", "3"),
        ("SELECT count(*) FROM t WHERE z = -0.0", "3"),
        ("SELECT count(*) FROM t WHERE z < 0", "0"),
        ("SELECT typeof(z) FROM t LIMIT 1", "DOUBLE"),
    ] {
        assert_eq!(rows_of(&bench.query_with(catalog.clone(), sql).unwrap()), [answer], "{sql}");
    }
}
