//! The project's corpus of answers.

use std::collections::BTreeMap;
use std::path::Path;

use crate::engines::{Engines, Outcome, on_a_thread_of_queries};
use crate::statements::statements;

const TABLES: [&str; 5] = ["airlines", "airports", "flights", "planes", "weather"];

/// At least so many of the corpus are translated and have the same answer.
const LEAST_SAME: usize = 416;

/// At least so many of the corpus are translated and fail with both engines, as they should.
const LEAST_FAILING: usize = 35;

/// Of these, at least so many run on more than one worker: most others read no table, or nothing that is worth it.
const LEAST_DISTRIBUTED: usize = 170;

#[test]
fn each_query_of_the_corpus_is_answered_as_duckdb_answers_it_or_refused_by_name() {
    on_a_thread_of_queries(|| {
        ask_all(Engines::new());
    });
}

#[test]
fn three_workers_answer_each_query_of_the_corpus_as_duckdb_answers_it_or_refuse_it_by_name() {
    on_a_thread_of_queries(|| {
        let distributed = ask_all(Engines::of_three_workers());
        assert!(distributed >= LEAST_DISTRIBUTED, "only {distributed} ran on several workers");
    });
}

/// Asks all, and returns how many ran on more than one worker.
fn ask_all(mut engines: Engines) -> usize {
    let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/data/nycflights13");
    for table in TABLES {
        engines.add_file(table, &data.join(table).with_extension("parquet"));
    }
    let (mut same, mut failing) = (0, 0);
    let (mut refused, mut wrong) = (BTreeMap::<String, usize>::new(), Vec::new());
    for (file, sql) in queries() {
        match engines.ask(&sql) {
            Outcome::Same => same += 1,
            Outcome::BothFail => failing += 1,
            Outcome::Refused(reason) => *refused.entry(reason).or_default() += 1,
            outcome => wrong.push(format!("{file}: {sql}\n{outcome:?}")),
        }
    }
    report(same, failing, engines.distributed(), &refused);
    assert!(wrong.is_empty(), "{} differ or fail:\n\n{}", wrong.len(), wrong.join("\n\n"));
    assert!(same >= LEAST_SAME, "only {same} have the same answer");
    assert!(failing >= LEAST_FAILING, "only {failing} fail with both");
    engines.distributed()
}

fn report(same: usize, failing: usize, distributed: usize, refused: &BTreeMap<String, usize>) {
    let all_refused: usize = refused.values().sum();
    println!(
        "{same} have the same answer, {distributed} ran on several workers, {failing} fail with both, {all_refused} are refused:"
    );
    let mut refused: Vec<_> = refused.iter().collect();
    refused.sort_by_key(|(_, count)| std::cmp::Reverse(**count));
    for (reason, count) in refused {
        println!("{count:4} {reason}");
    }
}

fn queries() -> Vec<(String, String)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../polarway-core/tests/answers/queries");
    let mut files: Vec<_> = folder.read_dir().unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    let of_file = |file: &std::path::PathBuf| {
        let name = file.file_name().unwrap().display().to_string();
        let text = std::fs::read_to_string(file).unwrap();
        statements(&text).into_iter().map(move |sql| (name.clone(), sql)).collect::<Vec<_>>()
    };
    files.iter().flat_map(of_file).collect()
}
