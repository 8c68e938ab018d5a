//! `polarway sql`, as a script runs it.

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::Stdio;

use super::support::Server;

/// What a script prints, what it says on standard error, and its exit code.
fn script(server: &Server, arguments: &[&str], text: &str) -> (String, String, i32) {
    let output = server.pipe(&[&["sql"], arguments].concat(), text.as_bytes());
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (text(output.stdout), text(output.stderr), output.status.code().unwrap())
}

fn server_with_numbers() -> Server {
    let server = Server::start(&[]);
    let csv = server.write("numbers.csv", "n,text\n1,one\n2,two\n");
    server.run(&["store", "numbers", &csv]);
    server
}

#[test]
fn a_script_runs_one_statement_after_the_other_without_prompts() {
    let server = server_with_numbers();
    let text = "-- a report\nSELECT ';' AS a; SELECT sum(n)::INT AS sum\nFROM numbers;\n\nSELECT 3 AS last";
    let (printed, said, code) = script(&server, &["--format", "csv"], text);
    assert_eq!((printed.as_str(), said.as_str(), code), ("a\n;\nsum\n3\nlast\n3\n", "", 0));
}

#[test]
fn a_script_prints_tables_unless_told_otherwise() {
    let server = server_with_numbers();
    let (printed, said, code) = script(&server, &[], "FROM numbers;");
    assert!(printed.starts_with('┌') && printed.ends_with("2 rows\n"), "{printed}");
    assert_eq!((said.as_str(), code), ("", 0));
}

#[test]
fn a_script_stops_at_the_first_statement_that_fails_and_names_its_line() {
    let server = server_with_numbers();
    let text = "SELECT 1 AS a;\n\nSELECT n\nFROM nubmers;\nSELECT 2 AS b;";
    let (printed, said, code) = script(&server, &["--format", "csv"], text);
    assert_eq!((printed.as_str(), code), ("a\n1\n", 1));
    assert!(said.starts_with("error: line 3: ") && said.contains("nubmers"), "{said}");
}

#[test]
fn an_empty_script_does_nothing() {
    let server = server_with_numbers();
    for text in ["", "\n;;\n", "-- nothing\n"] {
        assert_eq!(script(&server, &[], text), (String::new(), String::new(), 0), "{text:?}");
    }
}

#[test]
fn what_is_not_ended_is_an_error_and_not_passed_over() {
    let server = server_with_numbers();
    for text in ["SELECT 'a;\n", "/* SELECT 1;\n"] {
        let (printed, said, code) = script(&server, &[], text);
        assert_eq!((printed.as_str(), code), ("", 1), "{text:?}");
        assert!(said.starts_with("error: line 1: "), "{said}");
    }
}

#[test]
fn dot_commands_change_the_format_list_and_describe() {
    let server = server_with_numbers();
    let text = ".mode csv\nSELECT 1 AS a;\n.mode json\nSELECT 2 AS b;\n.mode\n.timer\n";
    let (printed, said, code) = script(&server, &[], text);
    assert_eq!((printed.as_str(), said.as_str(), code), ("a\n1\n{\"b\":2}\njson\noff\n", "", 0));

    let (printed, ..) = script(&server, &["--format", "csv"], ".tables\n.tables x*\n.schema numbers\n");
    let lines: Vec<&str> = printed.lines().collect();
    assert!(lines[0].starts_with("name,") && lines[1].starts_with("numbers,1,2,"), "{printed}");
    assert_eq!(lines[3..], ["column,type,null", "n,int64,yes", "text,utf8,yes"], "{printed}");

    let (printed, ..) = script(&server, &[], ".tables x*\n.schema numbers\n.help\n");
    assert!(printed.starts_with("no dataset's name fits x*\nnumbers, version 1 of "), "{printed}");
    assert!(printed.contains(".timer on|off"), "{printed}");
}

#[test]
fn a_dot_command_that_is_none_ends_a_script_with_the_one_that_was_meant() {
    let server = server_with_numbers();
    let (printed, said, code) = script(&server, &[], "\n.tabels\nSELECT 1;\n");
    assert_eq!((printed.as_str(), code), ("", 1));
    assert_eq!(said, "error: line 2: there is no .tabels; did you mean .tables?\n");
}

#[test]
fn quit_ends_a_script() {
    let server = server_with_numbers();
    let (printed, _, code) = script(&server, &["--format", "csv"], "SELECT 1 AS a;\n.quit\nSELECT 2 AS b;\n");
    assert_eq!((printed.as_str(), code), ("a\n1\n", 0));
}

#[test]
fn the_timer_tells_rows_and_seconds_and_leaves_the_rows_as_they_are() {
    let server = server_with_numbers();
    let (printed, said, _) = script(&server, &["--format", "csv"], ".timer on\nSELECT n FROM numbers;\n");
    assert_eq!(printed, "n\n1\n2\n");
    assert!(said.starts_with("2 rows in ") && said.ends_with(" s\n"), "{said}");
    let (printed, said, _) = script(&server, &[], ".timer on\nSELECT n FROM numbers;\n");
    assert!(printed.lines().last().unwrap().starts_with("2 rows in ") && said.is_empty(), "{printed}{said}");
}

#[test]
fn a_table_of_many_rows_is_cut_and_counted() {
    let server = Server::start(&[]);
    let (printed, ..) = script(&server, &[], "SELECT * FROM range(1000000);");
    assert!(printed.ends_with("1,000,000 rows (40 shown)\n"), "{printed}");
    assert!(printed.lines().count() < 60);
}

#[test]
fn a_plan_is_printed_as_it_was_drawn() {
    let server = server_with_numbers();
    let (printed, said, code) = script(&server, &[], "EXPLAIN FROM numbers;");
    assert!(printed.starts_with("┌──") && printed.lines().count() > 3, "{printed}");
    assert!(!printed.contains("explain_key") && !printed.contains("\\n"), "{printed}");
    assert_eq!((said.as_str(), code), ("", 0));
}

#[test]
fn a_program_that_writes_one_statement_at_a_time_is_answered_at_once() {
    let server = server_with_numbers();
    let mut process = server
        .command(&["sql", "--format", "csv"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = process.stdin.take().unwrap();
    let mut lines = BufReader::new(process.stdout.take().unwrap()).lines().map(Result::unwrap);
    for number in ["1", "2"] {
        writeln!(input, "SELECT {number} AS n;").unwrap();
        assert_eq!((lines.next().unwrap(), lines.next().unwrap()), ("n".to_owned(), number.to_owned()));
    }
    drop(input);
    assert!(process.wait().unwrap().success());
}

#[test]
fn a_server_that_is_gone_is_an_error_of_its_line() {
    let server = server_with_numbers();
    let mut process = server
        .command(&["sql", "--format", "csv", "--timeout", "10s"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = process.stdin.take().unwrap();
    // A row is printed before its query has ended; that the second line answers says that the first is done.
    writeln!(input, "SELECT 1 AS n;\n.help").unwrap();
    // Held open until the end: who writes into a pipe that nobody reads ends.
    let mut lines = BufReader::new(process.stdout.take().unwrap()).lines().map(Result::unwrap);
    assert_eq!((lines.next().unwrap(), lines.next().unwrap()), ("n".to_owned(), "1".to_owned()));
    lines.next().unwrap();
    drop(server);
    writeln!(input, "SELECT 2 AS n;").unwrap();
    drop(input);
    let output = process.wait_with_output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!((output.status.code(), said.lines().count()), (Some(1), 1), "{said}");
    assert!(said.starts_with("error: line 3: "), "{said}");
}
