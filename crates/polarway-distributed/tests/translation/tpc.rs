//! The queries of TPC-H and TPC-DS, over tables that `cargo xtask test` makes.

use std::path::{Path, PathBuf};

use polarway_testing::not_run;

use crate::engines::{Engines, Outcome, on_a_thread_of_queries};

#[test]
fn the_22_queries_of_tpch_are_all_translated_and_answered_as_duckdb_answers_them() {
    let Some(folder) = folder("POLARWAY_TPCH") else { return };
    on_a_thread_of_queries(move || {
        let outcomes = ask_all(&mut Engines::new(), &folder);
        assert_eq!(outcomes, [const { Outcome::Same }; 22]);
    });
}

#[test]
fn three_workers_answer_all_22_queries_of_tpch_together_as_duckdb_answers_them() {
    let Some(folder) = folder("POLARWAY_TPCH") else { return };
    on_a_thread_of_queries(move || {
        let mut engines = Engines::of_three_workers_that_read_small_tables();
        let outcomes = ask_all(&mut engines, &folder);
        assert_eq!(outcomes, [const { Outcome::Same }; 22]);
        assert_eq!(engines.distributed(), 22);
    });
}

#[test]
fn three_workers_answer_all_99_queries_of_tpcds_together_as_duckdb_answers_them() {
    let Some(folder) = folder("POLARWAY_TPCDS") else { return };
    on_a_thread_of_queries(move || {
        let mut engines = Engines::of_three_workers_that_read_small_tables();
        let outcomes = ask_all(&mut engines, &folder);
        assert_eq!(outcomes, [const { Outcome::Same }; 99]);
        assert_eq!(engines.distributed(), 99);
    });
}

/// The folder of a suite, with its tables and queries. Without it, that is noted as the reason why the test is not run.
fn folder(variable: &str) -> Option<PathBuf> {
    let folder = std::env::var_os(variable).map(PathBuf::from);
    if folder.is_none() {
        not_run(&format!("{variable} names no folder with tables of TPC"));
    }
    folder
}

/// Asks all queries of a suite, and how each went.
fn ask_all(engines: &mut Engines, folder: &Path) -> Vec<Outcome> {
    for file in folder.read_dir().unwrap().map(|entry| entry.unwrap().path()) {
        if file.extension().is_some_and(|extension| extension == "parquet") {
            engines.add_file(file.file_stem().unwrap().to_str().unwrap(), &file);
        }
    }
    let count = folder.join("queries").read_dir().unwrap().count();
    let mut outcomes = Vec::with_capacity(count);
    for number in 1..=count {
        let sql = std::fs::read_to_string(folder.join(format!("queries/{number:02}.sql"))).unwrap();
        let outcome = engines.ask(&sql);
        if outcome != Outcome::Same {
            println!("query {number}: {outcome:?}");
        }
        outcomes.push(outcome);
    }
    outcomes
}
