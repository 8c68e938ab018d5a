//! The program as `cargo xtask bench` uses it: names on its input, answers on its output.

use std::io::Write as _;
use std::process::{Command, Stdio};

use serde_json::Value;

#[test]
fn names_that_are_no_measure_are_answered_with_errors_until_the_input_ends() {
    let folder = std::env::temp_dir();
    let mut program = Command::new(env!("CARGO_BIN_EXE_polarway-bench"))
        .args([&folder, &folder.join("polarway-bench-unused")])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let names = ["stoer", "held-x-distributed-scan", "free-3-distributed-tpch-23", ""];
    for name in names {
        writeln!(program.stdin.as_ref().unwrap(), "{name}").unwrap();
    }
    drop(program.stdin.take());
    let output = program.wait_with_output().unwrap();
    assert!(output.status.success(), "{}", output.status);
    let answers = String::from_utf8(output.stdout).unwrap();
    let answers: Vec<Value> = answers.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(answers.len(), names.len());
    for (name, answer) in names.iter().zip(answers) {
        assert_eq!(answer["name"], *name);
        assert!(answer["error"].is_string() && answer["seconds"].is_null(), "{answer}");
    }
}
