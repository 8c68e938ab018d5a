//! The 22 queries of TPC-H over stored tables give the published answers, at the scale 0.1.
//!
//! `cargo xtask test` generates the tables, and puts the texts of the queries and the answers beside them.

use std::path::{Path, PathBuf};

use polarway_core::Table;
use polarway_core::arrow::array::{Array, AsArray};
use polarway_core::arrow::datatypes::{DataType, Float64Type};
use polarway_core::arrow::util::display::array_value_to_string;
use polarway_testing::not_run;

use crate::stored;

/// Where they lie.
const FOLDER_VARIABLE: &str = "POLARWAY_TPCH";

const TABLES: [&str; 8] =
    ["customer", "lineitem", "nation", "orders", "part", "partsupp", "region", "supplier"];

/// How far a float may be from the published one, in parts of it: the order in which several threads add is left to chance.
const ROUNDING: f64 = 1e-12;

#[tokio::test(flavor = "multi_thread")]
async fn the_22_queries_of_tpch_give_the_published_answers() {
    let Some(folder) = std::env::var_os(FOLDER_VARIABLE).map(PathBuf::from) else {
        return not_run(&format!("{FOLDER_VARIABLE} names no folder with the tables of TPC-H"));
    };
    let (polarway, _folder) = stored::engine(2).await;
    for table in TABLES {
        stored::store(&polarway, table, &folder.join(table).with_extension("parquet")).await;
    }
    for number in 1..=22 {
        let text =
            |part: &str, extension: &str| read(&folder.join(format!("{part}/{number:02}.{extension}")));
        let answer = polarway.query(&text("queries", "sql")).await.unwrap();
        check(number, &answer, &text("answers", "csv"));
    }
}

fn read(file: &Path) -> String {
    std::fs::read_to_string(file).unwrap_or_else(|error| panic!("{}: {error}", file.display()))
}

/// Compares with a published answer: a line of names and one for each row, `|` between the fields. Names are left out of
/// it: databases name what the query gives no name as they like.
fn check(query: u32, answer: &Table, published: &str) {
    let published: Vec<Vec<&str>> = published.lines().skip(1).map(|line| line.split('|').collect()).collect();
    let answer = answer.to_batch().unwrap();
    assert_eq!(answer.num_rows(), published.len(), "the rows of query {query}");
    for (row, fields) in published.iter().enumerate() {
        assert_eq!(answer.num_columns(), fields.len(), "the columns of query {query}");
        for (column, field) in answer.columns().iter().zip(fields) {
            let ours = array_value_to_string(column, row).unwrap();
            assert!(is_published(column, row, field), "query {query}, row {row}: {ours} and not {field}");
        }
    }
}

/// Floats as numbers, decimals by each digit that is not a zero at the end, all else as text.
fn is_published(column: &dyn Array, row: usize, published: &str) -> bool {
    let ours = || array_value_to_string(column, row).unwrap();
    match column.data_type() {
        DataType::Float64 => {
            let ours = column.as_primitive::<Float64Type>().value(row);
            let published: f64 = published.parse().unwrap();
            (ours - published).abs() <= published.abs() * ROUNDING
        }
        DataType::Decimal128(..) => without_zeros(&ours()) == without_zeros(published),
        // The specification fills texts of a fixed width up with blanks.
        _ => ours().trim_end() == published.trim_end(),
    }
}

fn without_zeros(decimal: &str) -> &str {
    if decimal.contains('.') { decimal.trim_end_matches('0').trim_end_matches('.') } else { decimal }
}
