//! The 22 queries of TPC-H, over tables that `cargo xtask test` makes.

use std::path::PathBuf;

use polarway_testing::not_run;

use crate::corpus::STACK_BYTES;
use crate::engines::{Engines, Outcome};

const TABLES: [&str; 8] =
    ["customer", "lineitem", "nation", "orders", "part", "partsupp", "region", "supplier"];

#[test]
fn the_22_queries_of_tpch_are_all_translated_and_answered_as_duckdb_answers_them() {
    let Some(folder) = std::env::var_os("POLARWAY_TPCH").map(PathBuf::from) else {
        return not_run("POLARWAY_TPCH names no folder with the tables of TPC-H");
    };
    let run = move || {
        let mut engines = Engines::new();
        for table in TABLES {
            engines.add_file(table, &folder.join(table).with_extension("parquet"));
        }
        for number in 1..=22 {
            let sql = std::fs::read_to_string(folder.join(format!("queries/{number:02}.sql"))).unwrap();
            assert_eq!(engines.ask(&sql), Outcome::Same, "query {number}");
        }
    };
    std::thread::Builder::new().stack_size(STACK_BYTES).spawn(run).unwrap().join().unwrap();
}
