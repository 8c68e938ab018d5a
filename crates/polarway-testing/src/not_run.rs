//! Tests that find nothing to test with: they end without a failure, and are counted as not run.

use std::fs::File;
use std::io::Write as _;

/// The variable that names a file for the tests that were not run, as `cargo xtask test` sets it.
const VARIABLE: &str = "POLARWAY_TEST_NOT_RUN";

/// Says that the test on this thread is not run, and why. The test has to return after that.
///
/// The test harness counts it as passed. `cargo xtask test` does not: it names the test and the reason at the end.
///
/// # Panics
/// When the file for such tests can't be written.
pub fn not_run(reason: &str) {
    let test = name_of_this_test();
    println!("NOT RUN: {test}: {reason}");
    if let Some(file) = std::env::var_os(VARIABLE) {
        // One write for the whole line: other tests add to the same file at the same time.
        let line = format!("{test}\t{}\n", reason.split_whitespace().collect::<Vec<_>>().join(" "));
        File::options().create(true).append(true).open(file).unwrap().write_all(line.as_bytes()).unwrap();
    }
}

/// The test program's name without the hash that cargo adds, and the name that the harness gives to the test's thread.
fn name_of_this_test() -> String {
    let program = std::env::current_exe().unwrap();
    let program = program.file_stem().and_then(|name| name.to_str()).unwrap_or_default();
    let program = program.rsplit_once('-').map_or(program, |(name, _)| name);
    let thread = std::thread::current();
    format!("{program}::{}", thread.name().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_test_is_named_by_its_program_and_its_thread() {
        let name = name_of_this_test();
        assert_eq!(name, "polarway_testing::not_run::tests::a_test_is_named_by_its_program_and_its_thread");
    }
}
